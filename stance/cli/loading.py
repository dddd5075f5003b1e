"""The classifier behind the commands; tests put a small one in its place."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

from stance.cli.root import complain

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.rulebook import Rulebook


def classifier(
    engine: str,
    *,
    rules: str | None = None,
    overlay: str | None = None,
    model: str | None = None,
    abstain_below: float = 0.0,
) -> Classifier:
    """`stance.load`; what it warns of comes as a sentence on standard error."""
    from stance.classifier import load

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", UserWarning)
        loaded = load(engine, rules=rules, overlay=overlay, model=model, abstain_below=abstain_below)
    for warning in caught:
        if issubclass(warning.category, UserWarning) and "stance" in warning.filename:
            complain(f"note: {warning.message}")
    return loaded


def rulebook(rules: str | None, overlay: str | None) -> Rulebook:
    from pathlib import Path

    from stance.rulebook import load

    return load(None if rules is None else Path(rules), overlay=None if overlay is None else Path(overlay))
