"""Near-duplicate texts by bottom-k sketches: the k smallest hashes of a text's word sequences.

The k smallest hashes of two texts together are a fair sample of all their word sequences; the share of
the sample that both hold estimates how much of their wording is common (Jaccard).
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Collection
from typing import Final

SIZE: Final = 128  # hashes kept: the estimate is off by about 1/sqrt(128) = 0.09 at most
WORDS: Final = 4  # words in a sequence: long enough that different stories share few
LEAST: Final = 8  # sequences; shorter texts are copies only when their words are the same
SIMILAR: Final = 0.5  # share of common wording from which on a text is a copy
_WORD: Final = re.compile(r"\w+")


def digest(text: str) -> str:
    """SHA-256 of the words of a text, whatever its spaces, marks and capitals."""
    words = " ".join(_WORD.findall(text.casefold())) or text
    return hashlib.sha256(words.encode("utf-8", "replace")).hexdigest()


def sketch(text: str) -> tuple[int, ...]:
    """The smallest hashes in order (64 bits, signed, as SQLite keeps them); empty for short texts."""
    words = _WORD.findall(text.casefold())
    sequences = {" ".join(words[i : i + WORDS]) for i in range(len(words) - WORDS + 1)}
    if len(sequences) < LEAST:
        return ()
    hashes = {_hash(sequence) for sequence in sequences}
    return tuple(sorted(hashes)[:SIZE])


def similarity(one: Collection[int], other: Collection[int]) -> float:
    """The estimated share of common wording, 0 to 1."""
    sample = sorted({*one, *other})[:SIZE]
    both = set(one) & set(other)
    return sum(value in both for value in sample) / len(sample) if sample else 0.0


def _hash(sequence: str) -> int:
    value = hashlib.blake2b(sequence.encode("utf-8", "replace"), digest_size=8).digest()
    return int.from_bytes(value, "big", signed=True)
