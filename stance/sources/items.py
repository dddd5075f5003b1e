"""What reading gives: documents, single sentences, and faults that never stop the rest."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from stance.document import Document, Sentence

META_FIELDS: Final = ("title", "outlet", "author", "time", "link", "language")
UNITS: Final = ("document", "sentence")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that could not be read: `place` is a name, with `:line` where there is one."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Skipped:
    """A document that was read and left out on purpose, and why."""

    place: str
    message: str

    def __str__(self) -> str:
        return f"{self.place}: {self.message}"


@dataclass(frozen=True, slots=True)
class Single:
    """A sentence handed in on its own, with its id exactly as it came (None without one)."""

    sentence: Sentence
    id: str | int | float | None = None
    meta: Mapping[str, str | None] = field(default_factory=dict)


Item: TypeAlias = Document | Single | Fault | Skipped


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """How to read. `columns` names the column or key of `text`, `id` and the fields of `meta`.

    Sizes are in bytes after decompression: `max_document` for anything read whole, `max_line` for a
    line of JSONL or CSV. `timeout` is in seconds, for a page, a feed and the parsing of one of them.
    """

    format: str | None = None
    encoding: str | None = None
    unit: str = "document"
    columns: Mapping[str, str] = field(default_factory=dict)
    any_language: bool = False
    allow_private: bool = False
    max_document: int = 32 * 2**20
    max_line: int = 16 * 2**20
    timeout: float = 20.0
