"""JSON Lines: the contract itself."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import BinaryIO

from stance.sinks import Record, SinkOptions


class JsonlSink:
    """One object a line, UTF-8; flushed after each document so that readers downstream see it."""

    def __init__(self, stream: BinaryIO, options: SinkOptions) -> None:
        self._stream = stream
        self._ascii = options.ascii_json

    def write(self, records: Sequence[Record]) -> None:
        """Write a line for each record."""
        self.write_lines([json.dumps(record, ensure_ascii=self._ascii) for record in records])

    def write_lines(self, lines: Sequence[str]) -> None:
        """Write records that are lines of JSON already."""
        text = "".join([line + "\n" for line in lines])
        self._stream.write(text.encode("utf-8", "replace"))
        self._stream.flush()

    def finish(self) -> None:
        """Nothing comes after the last line."""
        self._stream.flush()
