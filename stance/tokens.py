"""Light tokens: a sentence cut into lower-cased words and single marks by one regular expression.

What a scan needs beyond the words (places, spelling, sets of places) is worked out when first asked for:
most sentences hold nothing that needs it. A set of places is one integer with bit ``i`` for token ``i``, so
that a phrase is matched from all its beginnings at once.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import Any, Final

from stance.phrases import WORD, lower

# Words as phrases have them, and single marks.
# The first case is but the second where it is quick: most words are such.
_TOKEN: Final = re.compile(rf"[a-zA-Z0-9]++(?![^\s,])|{WORD.pattern}|[^\w\s]|_")
_APART: Final = re.compile(f"({_TOKEN.pattern})")
QUOTES: Final = frozenset("\"'“”‘’«»„‟‹›`")
DASHES: Final = frozenset("–—―")
SKIPPED: Final = QUOTES | frozenset("-‐‑")
_COMMA: Final = frozenset(",")
_NOT_BARE: Final = SKIPPED | _COMMA
_FINAL: Final = frozenset(".!?…)]") | QUOTES


class Tokens:
    """Light tokens of one sentence: lower-cased ``words``, and where they are.

    Worked out when first asked for: ``raw``, the words as they are spelled; ``starts`` and ``ends``, their
    places in the text; ``bare``, the words without the marks that phrases pass over and commas, and ``rank``,
    how many of these stand before each token and in all; ``commas`` and ``quoting``, before which of these
    commas and quotation marks stand; ``present``, the different words; ``positions``, the tokens that are a
    word, and ``places``, the same as sets of bits; ``quotes``, ``skipped`` and ``full``, the places of
    quotation marks, of marks that a phrase passes over, and of words that a gap may count.
    """

    __slots__ = (
        "_parts", "bare", "commas", "ends", "first_word", "full", "last_word", "places", "positions",
        "present", "quotes", "quoting", "rank", "raw", "skipped", "starts", "text", "words",
    )  # fmt: skip
    raw: list[str]
    starts: list[int]
    ends: list[int]
    positions: dict[str, list[int]]
    places: dict[str, int]
    bare: list[str]
    rank: Sequence[int]
    commas: list[int]
    quoting: list[int]
    present: frozenset[str]
    quotes: int
    skipped: int
    full: int

    def __init__(self, text: str) -> None:
        self.text = text
        small = text.lower()
        if len(small) != len(text) or "ʼ" in text or "Σ" in text:
            # Letters that lower case makes longer, or spells by their neighbours: word by word.
            self._parts = _APART.split(text)
            self.words = [lower(raw) for raw in self.raw]
            self._mark_dashes()
        else:
            if "’" in small:
                small = small.replace("’", "'")
            while " - " in small:  # a hyphen written for a dash; neighbours share a space
                small = small.replace(" - ", " — ")
            self._parts = _APART.split(small)
            self.words = self._parts[1::2]
        # Where a sentence begins and ends but for quotation marks and final punctuation.
        words = self.words
        first, last = 0, len(words)
        while first < last and words[first] in SKIPPED:
            first += 1
        self.first_word = first
        while last and words[last - 1] in _FINAL:
            last -= 1
        self.last_word = self._before_tag(last) if words and words[-1] == ")" else last

    def __len__(self) -> int:
        return len(self.words)

    def __getattr__(self, name: str) -> Any:
        # Called only while a slot is empty.
        make = _MADE_LATER.get(name)
        if make is None:
            raise AttributeError(name)
        value = make(self)
        setattr(self, name, value)
        return value

    def any_of(self, words: frozenset[str]) -> int:
        """The places of any of the words as a set of bits."""
        places = self.places
        found = 0
        if len(words) <= 4:
            for word in words:
                if word in places:
                    found |= places[word]
        else:
            for word in words.intersection(self.present):
                found |= places[word]
        return found

    def _mark_dashes(self) -> None:
        text, words = self.text, self.words
        if " - " not in text:
            return
        for index, raw in enumerate(self.raw):
            if raw == "-" and text[self.starts[index] - 1 : self.ends[index] + 1] == " - ":
                words[index] = "—"

    def _before_tag(self, last: int) -> int:
        """Where the sentence ends before a closing tag in capitals, "(VIDEO)"; without one, ``last``."""
        for i in range(len(self.words) - 2, max(-1, len(self.words) - 7), -1):
            if self.words[i] == "(":
                return i
            if self.raw[i][0].isalpha() and not self.raw[i].isupper():
                break
        return last


def _starts(tokens: Tokens) -> list[int]:
    return list(accumulate(map(len, tokens._parts[:-1])))[::2]


def _ends(tokens: Tokens) -> list[int]:
    return list(accumulate(map(len, tokens._parts)))[1::2]


def _positions(tokens: Tokens) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for index, word in enumerate(tokens.words):
        if word in positions:
            positions[word].append(index)
        else:
            positions[word] = [index]
    return positions


def _places(tokens: Tokens) -> dict[str, int]:
    places: dict[str, int] = {}
    bit = 1
    for word in tokens.words:
        places[word] = places[word] | bit if word in places else bit
        bit <<= 1
    return places


def _rank(tokens: Tokens) -> Sequence[int]:
    words = tokens.words
    if len(tokens.bare) == len(words):
        return range(len(words) + 1)
    return list(accumulate([word not in _NOT_BARE for word in words], initial=0))


def _ranks(tokens: Tokens, signs: frozenset[str]) -> list[int]:
    if signs.isdisjoint(tokens.present):
        return []
    return [rank for rank, word in zip(tokens.rank, tokens.words, strict=False) if word in signs]


def _full(tokens: Tokens) -> int:
    found = 0
    bit = 1
    for word in tokens.words:
        if word[0].isalnum() or word[0] == "'":
            found |= bit
        bit <<= 1
    return found


_MADE_LATER: Final[dict[str, Callable[[Tokens], Any]]] = {
    "raw": lambda tokens: _TOKEN.findall(tokens.text),
    "starts": _starts,
    "ends": _ends,
    "positions": _positions,
    "bare": lambda tokens: [word for word in tokens.words if word not in _NOT_BARE],
    "rank": _rank,
    "commas": lambda tokens: _ranks(tokens, _COMMA),
    "quoting": lambda tokens: _ranks(tokens, QUOTES),
    "places": _places,
    "present": lambda tokens: frozenset(tokens.words),
    "quotes": lambda tokens: tokens.any_of(QUOTES),
    "skipped": lambda tokens: tokens.any_of(SKIPPED),
    "full": _full,
}


def passed(places: int, over: int) -> int:
    """The places from which runs of ``over`` are passed over: a place inside one moves to its end.

    Adding a place to the run that it lies in carries to the first place behind the run.
    """
    inside = places & over
    return (places | (inside + over)) & ~over if inside else places
