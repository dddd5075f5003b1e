"""CSV for spreadsheets: one row a sentence, flat columns, no cell that could act as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any, BinaryIO, Final

from stance.labels import Label
from stance.sinks import Record, SinkOptions
from stance.sinks.inert import cell

_META: Final = ("title", "outlet", "author", "time", "link", "language")
_VERSIONS: Final = ("stance", "rules", "model", "pipeline", "codebook")
COLUMNS: Final = (
    *("document", "index", "id", "start", "end", "text", "label", "own_label"),
    *(f"p_{label.value}" for label in Label),
    *(
        "abstained",
        "frame",
        "opinion",
        "voice",
        "speaker",
        "speaker_side",
        "reason",
        "rules",
        "words",
        "engine",
    ),
    *(f"version_{name}" for name in _VERSIONS),
    *_META,
)


class CsvSink:
    """A header, then rows; `rules` and `words` list the evidence that counted, separated by `` | ``."""

    def __init__(self, stream: BinaryIO, options: SinkOptions) -> None:
        self._stream = stream
        self._buffer = io.StringIO(newline="")
        self._writer = csv.writer(self._buffer)
        if options.fresh:
            if options.bom:
                stream.write(b"\xef\xbb\xbf")
            self._writer.writerow(COLUMNS)
            self._emit()

    def write(self, records: Sequence[Record]) -> None:
        """Write a row for each record."""
        self._writer.writerows(row(record) for record in records)
        self._emit()

    def finish(self) -> None:
        """Nothing comes after the last row."""
        self._stream.flush()

    def _emit(self) -> None:
        self._stream.write(self._buffer.getvalue().encode("utf-8", "replace"))
        self._stream.flush()
        self._buffer.seek(0)
        self._buffer.truncate()


def row(record: Record) -> list[str | int | float]:
    """The cells of one record in the order of `COLUMNS`; text cells are made inert."""
    speaker = record["speaker"] or {}
    counted = [piece for piece in record["evidence"] if piece["counted"]]
    flat: dict[str, Any] = {
        **record,
        **{f"p_{label}": share for label, share in record["probabilities"].items()},
        **{f"version_{name}": version for name, version in record["versions"].items()},
        **record["meta"],
        "speaker": speaker.get("text"),
        "speaker_side": speaker.get("side"),
        "rules": " | ".join(piece["rule"] for piece in counted if piece["rule"]),
        "words": " | ".join(piece["text"] for piece in counted),
    }
    return [_cell(flat.get(name)) for name in COLUMNS]


def _cell(value: object) -> str | int | float:
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, int | float) else cell(str(value))
