"""Lints: what is not wrong in a rulebook but probably not meant."""

from __future__ import annotations

from stance.rulebook import Fault, Rulebook


def lint(rulebook: Rulebook) -> list[Fault]:
    return []
