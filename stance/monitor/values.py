"""What the store holds, as frozen values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from stance.evidence import Versions


@dataclass(frozen=True, slots=True)
class Feed:
    """A row of `feeds`; times are UTC text."""

    id: int
    url: str
    title: str | None = None
    polled_at: str | None = None
    due_at: str | None = None
    etag: str | None = None
    last_modified: str | None = None
    failures: int = 0
    fault: str | None = None


@dataclass(frozen=True, slots=True)
class Maker:
    """What makes labels: an engine, its settings and the versions of its parts."""

    engine: str
    versions: Versions
    abstain_below: float = 0.0

    def row(self) -> tuple[str, str, str, str, str, str, float]:
        """The columns of `versions` from engine to abstain_below."""
        v = self.versions
        parts = (self.engine, v.stance, v.rules, v.model or "", v.pipeline or "", v.codebook)
        return (*parts, self.abstain_below)


@dataclass(frozen=True, slots=True)
class NewItem:
    """An item on its way into the store. `sketch` is that of `text`."""

    guid: str | None
    address: str | None
    digest: str
    name: str
    meta: Mapping[str, str | None]
    text: str
    source: str = "feed"
    state: str = "labelled"
    note: str | None = None
    tries: int = 0
    sketch: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class StoredSentence:
    """A sentence with its newest verdict: `record` is the full record ``stance/1``."""

    id: int
    text: str
    start: int
    end: int
    record: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class StoredItem:
    """An item with its current sentences in order.

    `feed` is the feed's address, `feed_title` its name for itself. `copy_of` is the id of the first item
    that says nearly the same, None for the first one; `meta` has what `items` holds of title, outlet,
    author, time, link and language. `seen_at` is UTC text, `time` in `meta` is as the feed gave it.
    """

    id: int
    feed: str
    feed_title: str | None
    guid: str | None
    name: str
    meta: Mapping[str, str]
    text: str
    source: str
    seen_at: str
    state: str
    note: str | None
    tries: int
    copy_of: int | None
    similarity: float | None
    engine: str | None
    versions: Versions | None
    sentences: tuple[StoredSentence, ...]


@dataclass(frozen=True, slots=True)
class Decision:
    """What a person decided about a sentence; it holds unless `undone_at` or a newer one."""

    id: int
    sentence_id: int
    made_at: str
    person: str
    frame: str
    opinion: bool
    voice: str
    note: str | None = None
    undone_at: str | None = None
