"""Does a test sentence stand in the training data, word for word or nearly?

Candidates are found by their rarest words, so that thousands of sentences against thousands take seconds:
two sentences that share nearly all words share one of their rarest.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from difflib import SequenceMatcher
from typing import Final

from stance.errors import StanceError
from stance.gold import Labelled

NEAR: Final = 0.9  # of the words of both, in the same order
# Of two sentences that near, each has at least this share of its words in the other.
_SHARED: Final = NEAR / (2 - NEAR)
_SHOWN: Final = 10


def normalised(text: str) -> str:
    """The words of a text in lower case: what two copies of a sentence have in common."""
    return " ".join(re.findall(r"\w+", text.lower()))


def overlap(train: Sequence[Labelled], test: Sequence[Labelled]) -> list[tuple[str, str]]:
    """Pairs of ids (train, test) of the same sentence or nearly: ``NEAR`` of the words of both are the same
    in the same order (difflib's ratio). One pair for each test sentence at most, exact ones first."""
    ours = [normalised(item.text) for item in train]
    exact: dict[str, int] = {}
    for i, key in enumerate(ours):
        if key:  # a text of signs alone is a copy of nothing
            exact.setdefault(key, i)
    finder = _Finder([key.split() for key in ours])
    result = []
    for item in test:
        key = normalised(item.text)
        other = exact.get(key)
        if other is None:
            other = finder.nearest(key.split())
        if other is not None:
            result.append((train[other].id, item.id))
    return result


class _Finder:
    """Sentences by their rarest words; ``_rare`` names each word with its number, so repeats differ."""

    def __init__(self, sentences: Sequence[Sequence[str]]) -> None:
        self._sentences = sentences
        self._count = Counter(word for words in sentences for word in set(words))
        self._places: dict[tuple[str, int], list[int]] = defaultdict(list)
        for i, words in enumerate(sentences):
            for word in self._rare(words):
                self._places[word].append(i)

    def _rare(self, words: Sequence[str]) -> list[tuple[str, int]]:
        """So many of the rarest words that a near sentence must have one of them among its own."""
        numbered = [(word, n) for word, count in Counter(words).items() for n in range(count)]
        numbered.sort(key=lambda item: (self._count[item[0]], item))
        return numbered[: len(words) - math.ceil(_SHARED * len(words)) + 1]

    def nearest(self, words: Sequence[str]) -> int | None:
        """The place of the nearest sentence, None where none is near."""
        candidates = {i for word in self._rare(words) for i in self._places.get(word, ())}
        own = Counter(words)
        matcher = SequenceMatcher(None, autojunk=False)
        matcher.set_seq2(words)
        best, place = 0.0, None
        for i in sorted(candidates):
            other = self._sentences[i]
            if _most(own, other, len(words)) < NEAR:
                continue
            matcher.set_seq1(other)
            ratio = matcher.ratio()
            if ratio >= NEAR and ratio > best:
                best, place = ratio, i
        return place


def _most(own: Mapping[str, int], other: Sequence[str], size: int) -> float:
    """The highest ratio that the words alone allow, whatever their order."""
    theirs = Counter(other)
    shared = sum(min(count, theirs[word]) for word, count in own.items())
    return 2.0 * shared / (size + len(other))


def refuse_overlap(train: Sequence[Labelled], test: Sequence[Labelled]) -> None:
    """Raises ``StanceError`` with the ids when a test sentence stands in the training data."""
    found = overlap(train, test)
    if found:
        shown = ", ".join(f"{a} = {b}" for a, b in found[:_SHOWN])
        more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
        raise StanceError(
            f"{len(found)} sentences of the data stand in the training data too, or nearly so "
            f"(training id = id: {shown}{more}); take them out of one of the two"
        )
