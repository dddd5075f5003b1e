"""The closed sets of the codebook: labels, voices, tests, reasons for not counting.

Sides are not here: which two sides there are stands in ``rules/sides.yaml``. The public ``Label``
enum is the one place where code spells their names, because it is part of the record contract.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Final


class Label(StrEnum):
    """The four labels of the codebook, in the order in which reports print them."""

    NEUTRAL_REPORT = "neutral_report"
    PRO_KYIV = "pro_kyiv"
    PRO_MOSCOW = "pro_moscow"
    ANALYTICAL_OPINION = "analytical_opinion"


class Voice(StrEnum):
    """Whose words they are: the author's, indirect speech, or direct speech."""

    AUTHOR = "author"
    ATTRIBUTED = "attributed"
    QUOTED = "quoted"


class NotCounted(StrEnum):
    """Why a piece of evidence was seen but did not count."""

    NEGATED = "negated"
    MENTION = "mention"
    OTHER_VOICE = "other_voice"
    WEAK = "weak"
    BALANCED = "balanced"
    CANCELLED = "cancelled"


NO_FRAME: Final = "none"
TESTS: Final = {
    "N": "naming",
    "B": "blame",
    "L": "legitimacy",
    "V": "virtue or vice",
    "O": "outcome",
    "S": "scepticism",
    "Q": "settled",
}
STRENGTHS: Final = ("strong", "weak")
OPINION_CUES: Final = (
    "evaluation",
    "inference",
    "motive",
    "prediction",
    "recommendation",
    "significance",
    "comparison",
    "question",
)
EFFECTS: Final = ("frame", "opinion", "voice", "cancel")
KINDS: Final = ("lexical", "dependency", "model")
ENGINES: Final = ("rules", "model", "hybrid")
POLICIES: Final = ("carried", "own")
SCHEMA: Final = "stance/1"
