"""Writing: records ``stance/1`` out as JSONL, CSV, Parquet, DocBin or text for people.

A sink is handed all records of one document at a time (or the one record of a single sentence).
"""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, Protocol, TypeAlias, cast

Record: TypeAlias = Mapping[str, Any]


class Sink(Protocol):
    """Where records go. `write` may be called any number of times, `finish` once at the end."""

    def write(self, records: Sequence[Record]) -> None:
        """Write the records that follow."""

    def finish(self) -> None:
        """Write what comes after the last record."""


@dataclass(frozen=True, slots=True)
class SinkOptions:
    """How to write. `policy` chooses the label that text and summaries show; records hold both.

    `color` allows escape sequences, `width` is in cells, `ascii_json` keeps JSONL to ASCII (for a
    terminal), `bom` starts CSV with a byte order mark, `fresh` is false where an earlier run wrote the
    beginning of the output already.
    """

    policy: str = "carried"
    color: bool = False
    width: int = 100
    encoding: str = "utf-8"
    ascii_json: bool = False
    bom: bool = False
    fresh: bool = True


_STREAMED: Final = {  # written as the records come
    "text": ("stance.sinks.text", "TextSink"),
    "jsonl": ("stance.sinks.jsonl", "JsonlSink"),
    "csv": ("stance.sinks.csv", "CsvSink"),
}
_CONVERTED: Final = {  # made from finished JSONL, because these formats cannot be continued
    "parquet": ("stance.sinks.parquet", "convert"),
    "docbin": ("stance.sinks.docbin", "convert"),
}
FORMATS: Final = (*_STREAMED, *_CONVERTED)
FILE_FORMATS: Final = tuple(_CONVERTED)
ENDINGS: Final = {
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".csv": "csv",
    ".parquet": "parquet",
    ".spacy": "docbin",
    ".txt": "text",
}


def open_sink(name: str, stream: BinaryIO, options: SinkOptions) -> Sink:
    """The sink for a streamed format, or the JSONL one whose output is converted at the end."""
    module, attribute = _STREAMED["jsonl" if name in _CONVERTED else name]
    return cast(Sink, getattr(importlib.import_module(module), attribute)(stream, options))


def convert(name: str, jsonl: str, target: str) -> None:
    """Make `target` in a converted format from the JSONL file `jsonl`; a `StanceError` without the extra."""
    module, attribute = _CONVERTED[name]
    getattr(importlib.import_module(module), attribute)(jsonl, target)


def check_available(name: str) -> None:
    """A `StanceError` before any work is done, when a format needs what is not installed."""
    if name in _CONVERTED:
        module = importlib.import_module(_CONVERTED[name][0])
        module.require()
