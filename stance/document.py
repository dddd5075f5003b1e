"""The values that travel from the sources to the splitter: documents, sentences, quotations.

All offsets are Unicode code points, as Python counts them, and half open: ``[start, end)``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any


class Meta(Mapping[str, "str | None"]):
    """What a source says about a document, read-only.

    A `types.MappingProxyType` would do but for pickling and deep copies, which batches sent to
    other processes need. It compares equal to a plain dict of the same items.
    """

    __slots__ = ("_items",)

    def __init__(self, items: Mapping[str, str | None] | None = None) -> None:
        self._items: dict[str, str | None] = dict(items) if items else {}

    def __getitem__(self, key: str) -> str | None:
        return self._items[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._items)

    def __len__(self) -> int:
        return len(self._items)

    def __repr__(self) -> str:
        return f"Meta({self._items!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return Meta, (dict(self._items),)


@dataclass(frozen=True, slots=True)
class Document:
    """A text and where it comes from.

    `meta` holds title, outlet, author, time, link and language where the source gives them. It is
    copied into a read-only mapping and takes no part in the hash.
    """

    text: str
    name: str | None = None
    meta: Mapping[str, str | None] = field(default_factory=Meta, hash=False)

    def __post_init__(self) -> None:
        if not isinstance(self.meta, Meta):
            object.__setattr__(self, "meta", Meta(self.meta))


@dataclass(frozen=True, slots=True)
class Quotation:
    """One stretch of quoted words within a sentence, marks excluded.

    `start` and `end` are offsets in the sentence, clipped to it. `level` is 0 for an outermost
    quotation, 1 for one inside it, and so on. `opens_before` says that it was opened in an earlier
    sentence, `continues_after` that it is not closed within this one.
    """

    start: int
    end: int
    level: int = 0
    opens_before: bool = False
    continues_after: bool = False


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence and its place: ``document.text[start:end] == text``.

    `index` counts sentences and `paragraph` counts paragraphs from the start of the document. `id`
    and `prev` (the text of the sentence before) are set where a sentence was handed in on its own.
    `quotations` are those that overlap the sentence, in order of their start, outer before inner.
    """

    text: str
    start: int
    end: int
    index: int = 0
    paragraph: int = 0
    id: str | None = None
    prev: str | None = None
    quotations: tuple[Quotation, ...] = ()

    def __reduce__(self) -> tuple[Any, ...]:
        # In half the time that a dataclass takes: many go to worker processes.
        place = (self.start, self.end, self.index, self.paragraph)
        return Sentence, (self.text, *place, self.id, self.prev, self.quotations)
