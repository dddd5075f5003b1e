"""stance: whose side do the words of a news sentence take, in whose voice, and why.

>>> import stance
>>> stance.Label.NEUTRAL_REPORT.value
'neutral_report'
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from stance.version import __version__

if TYPE_CHECKING:
    from stance.classifier import Classifier, load
    from stance.document import Document, Sentence
    from stance.errors import StanceError
    from stance.evidence import Analysis, Evidence, Verdict
    from stance.labels import Label
    from stance.rulebook import Rulebook

# Loaded when first asked for: `import stance` and `stance --help` stay quick.
_HOMES = {
    "Analysis": "stance.evidence",
    "Classifier": "stance.classifier",
    "Document": "stance.document",
    "Evidence": "stance.evidence",
    "Label": "stance.labels",
    "Rulebook": "stance.rulebook",
    "Sentence": "stance.document",
    "StanceError": "stance.errors",
    "Verdict": "stance.evidence",
    "load": "stance.classifier",
}

__all__ = [
    "Analysis",
    "Classifier",
    "Document",
    "Evidence",
    "Label",
    "Rulebook",
    "Sentence",
    "StanceError",
    "Verdict",
    "__version__",
    "load",
]


def __getattr__(name: str) -> Any:
    home = _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'stance' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
