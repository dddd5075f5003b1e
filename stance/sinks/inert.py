"""Making foreign text harmless where a terminal or a spreadsheet would act on it.

Nothing is dropped: what could act is shown as an escape that a reader can see.
"""

from __future__ import annotations

import re
from typing import Final

# C0 and C1 controls, DEL, bidirectional controls, invisible and line-breaking characters, tags.
_ACTIVE: Final = re.compile(
    "[\x00-\x1f\x7f-\x9f\xad\u061c\u115f\u1160\u180e\u200b-\u200f\u2028-\u202e\u2060-\u2069\u206a-\u206f"
    "\u3164\ud800-\udfff\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000e0000-\U000e0fff]"
)
_CONTROLS: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
_FORMULA: Final = frozenset("=+-@\t\r\n＝＋－＠")


def visible(text: str, keep: str = "") -> str:
    """`text` with every character that could act on a terminal shown as an escape, except those in `keep`."""
    return _ACTIVE.sub(lambda found: found[0] if found[0] in keep else escape(found[0]), text)


def harmless(text: str) -> str:
    """`text` with controls and overrides of direction as U+FFFD, one for one, so that every offset holds."""
    return _CONTROLS.sub("\ufffd", text)


def escape(character: str) -> str:
    """One character as Python would write it: ``\\x1b``, ``\\u202e``."""
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def one_line(text: str) -> str:
    """`visible`, with line breaks and tabs as single spaces: for text inside a line of output."""
    return visible(re.sub(r"[ \t]*[\t\r\n\v\f\x85\u2028\u2029]+[ \t]*", " ", text))


def cell(text: str) -> str:
    """A text cell that no spreadsheet takes for a formula: an apostrophe before what could start one."""
    shown = visible(text, keep="\n")
    first = shown.lstrip(" \n\"'\u00a0")[:1]
    return f"'{shown}" if first in _FORMULA and first else shown
