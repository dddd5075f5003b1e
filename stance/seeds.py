"""The bundled seeds as typed records: five articles, their gold labels, the written sentences.

All labels were made by a large language model following the codebook; they are not human labels.
Quotations in the written sentences are invented: they are no reporting.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stance.document import Document
from stance.errors import StanceError
from stance.labels import Label, Voice


@dataclass(frozen=True, slots=True)
class Answers:
    """What the codebook's three questions were answered with, and the label that follows.

    `tests` are letters of the tests that hold, `cue` the words that carry the frame ("" without one),
    `source` the speaker's side (None where the voice is the author's or nobody was recorded).
    """

    frame: str
    tests: tuple[str, ...]
    cue: str
    voice: Voice
    source: str | None
    opinion: bool
    label: Label


@dataclass(frozen=True, slots=True)
class GoldSentence:
    """A sentence of a seed document; `start` and `end` are code points in that document's text."""

    id: str
    document: str
    start: int
    end: int
    text: str
    answers: Answers


@dataclass(frozen=True, slots=True)
class WrittenSentence:
    """A sentence written for training and tests; `pair` names the pair or triple it belongs to."""

    id: str
    text: str
    answers: Answers
    file: str
    register: str | None = None
    topic: str | None = None
    pair: str | None = None
    phenomenon: str | None = None


def documents(folder: Path | None = None) -> tuple[Document, ...]:
    """The five seed articles, by name, as they are read from disk."""
    paths = sorted((_folder(folder) / "documents").glob("*.txt"))
    return tuple(Document(path.read_text(encoding="utf-8"), path.name) for path in paths)


def gold(folder: Path | None = None) -> tuple[GoldSentence, ...]:
    """The labelled sentences of the five articles, in reading order."""
    return tuple(
        GoldSentence(
            id=row["id"],
            document=row["document"],
            start=row["start"],
            end=row["end"],
            text=row["text"],
            answers=_answers(row),
        )
        for row in _rows(_folder(folder) / "gold.jsonl")
    )


def written(folder: Path | None = None) -> tuple[WrittenSentence, ...]:
    """All written sentences, file by file; `file` is the name of the file without its ending."""
    return tuple(
        WrittenSentence(
            id=row["id"],
            text=row["text"],
            answers=_answers(row),
            file=path.stem,
            register=row.get("register"),
            topic=row.get("topic"),
            pair=row.get("pair"),
            phenomenon=row.get("phenomenon"),
        )
        for path in sorted((_folder(folder) / "written").glob("*.jsonl"))
        for row in _rows(path)
    )


def _folder(folder: Path | None) -> Path:
    if folder is not None:
        return folder
    from stance.resources import resource

    return resource("seeds")


def _answers(row: Mapping[str, Any]) -> Answers:
    return Answers(
        frame=row["frame"],
        tests=tuple(row["tests"]),
        cue=row["cue"],
        voice=Voice(row["voice"]),
        source=row["source"],
        opinion=row["opinion"],
        label=Label(row["label"]),
    )


def _rows(path: Path) -> Iterator[Mapping[str, Any]]:
    """The objects of a JSONL file that this project ships; a fault names its line."""
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            try:
                yield json.loads(line)
            except ValueError as fault:
                raise StanceError(
                    f"{path}:{number}: not a JSON object ({fault}); reinstall stance or restore the file"
                ) from None
