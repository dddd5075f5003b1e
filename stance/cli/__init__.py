"""The command line. Commands are loaded when they are called: ``stance --help`` imports click alone."""

from __future__ import annotations

from stance.cli.root import cli

__all__ = ["cli", "main"]


def main() -> None:
    """The entry point of the command ``stance``."""
    cli(prog_name="stance")
