"""Where decisions are kept: the store's table, or a file of their own. Nothing is ever overwritten."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol

from stance.errors import StanceError
from stance.labels import Voice
from stance.monitor import Store
from stance.review.cases import Answer, Case


@dataclass(frozen=True, slots=True)
class Held:
    """A decision that holds: `number` finds it again."""

    number: int
    case: str
    person: str
    answer: Answer
    made_at: str
    note: str | None = None


class Journal(Protocol):
    """Decisions, appended; undoing marks and removes nothing."""

    def add(self, case: Case, answer: Answer, person: str, note: str | None) -> Held:
        """Keep one more decision, on disk when this returns."""
        ...

    def undo(self, held: Held) -> None:
        """Mark a decision as undone."""
        ...

    def holding(self) -> list[Held]:
        """All that hold, oldest first."""
        ...


class StoreJournal:
    """Decisions in the table `decisions` of a store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def add(self, case: Case, answer: Answer, person: str, note: str | None) -> Held:
        """Keep one more decision, on disk when this returns."""
        assert answer.voice is not None
        made = self._store.decide(
            int(case.id),
            now(),
            person=person,
            frame=answer.frame,
            opinion=answer.opinion,
            voice=answer.voice.value,
            note=note,
        )
        return Held(made.id, case.id, person, answer, made.made_at, note)

    def undo(self, held: Held) -> None:
        """Mark a decision as undone."""
        self._store.undo(held.number, now())

    def holding(self) -> list[Held]:
        """All that hold, oldest first."""
        return [
            Held(
                made.id,
                str(made.sentence_id),
                made.person,
                Answer(made.frame, made.opinion, Voice(made.voice)),
                made.made_at,
                made.note,
            )
            for made in self._store.decisions()
            if made.undone_at is None
        ]


@dataclass
class FileJournal:
    """Decisions as lines of JSON, each on disk before the next question.

    `texts` has the sentences by id: a line about another text of the same id belongs to other data.

    Raises:
        StanceError: the file is no such file, or cannot be written.
    """

    path: Path
    texts: Mapping[str, str]
    _held: dict[int, Held] = field(default_factory=dict)
    _last: int = 0

    def __post_init__(self) -> None:
        try:
            text = self.path.read_text(encoding="utf-8") if self.path.exists() else ""
        except (OSError, UnicodeDecodeError) as fault:
            raise StanceError(f"{self.path}: cannot be read ({fault}); name another file") from None
        lines = text.splitlines()
        for number, line in enumerate(lines, 1):
            torn = number == len(lines) and not text.endswith("\n")
            if line.strip() and not torn:
                self._take(line, number)
        if text and not text.endswith("\n"):  # a kill in the middle of a line: it was never decided
            with open(self.path, "r+b") as stream:
                stream.truncate(len(text.encode("utf-8")) - len(lines[-1].encode("utf-8")))

    def add(self, case: Case, answer: Answer, person: str, note: str | None) -> Held:
        """Keep one more decision, on disk when this returns."""
        assert answer.voice is not None
        held = Held(self._last + 1, case.id, person, answer, now(), note)
        self._append(
            {
                "decision": held.number,
                "id": case.id,
                "text": case.text,
                "person": person,
                "made_at": held.made_at,
                "frame": answer.frame,
                "opinion": answer.opinion,
                "voice": answer.voice.value,
                "note": note,
            }
        )
        self._held[held.number] = held
        self._last = held.number
        return held

    def undo(self, held: Held) -> None:
        """Mark a decision as undone."""
        self._append({"undone": held.number, "at": now()})
        self._held.pop(held.number, None)

    def holding(self) -> list[Held]:
        """All that hold, oldest first."""
        return list(self._held.values())

    def _take(self, line: str, number: int) -> None:
        try:
            row = json.loads(line)
            if "undone" in row:
                self._held.pop(int(row["undone"]), None)
                return
            answer = Answer(str(row["frame"]), bool(row["opinion"]), Voice(row["voice"]))
            self._last = int(row["decision"])
            held = Held(
                self._last, str(row["id"]), str(row["person"]), answer, str(row["made_at"]), row.get("note")
            )
            if self.texts.get(held.case) == row["text"]:
                self._held[held.number] = held
        except (ValueError, KeyError, TypeError):
            raise StanceError(
                f"{self.path}:{number}: no decision of `stance review`; name another file with --decisions"
            ) from None

    def _append(self, row: Mapping[str, Any]) -> None:
        with open(self.path, "a", encoding="utf-8") as stream:
            stream.write(json.dumps(row, ensure_ascii=False) + "\n")
            stream.flush()
            os.fsync(stream.fileno())


def latest(held: Iterable[Held]) -> dict[str, Held]:
    """The newest decision about each sentence."""
    return {one.case: one for one in held}


def labelled(cases: Iterable[Case], held: Iterable[Held]) -> list[dict[str, Any]]:
    """Decided sentences as rows that `stance train` and `stance bench` read, one a sentence."""
    decided = latest(held)
    rows = []
    for case in cases:
        one = decided.get(case.id)
        if one is None:
            continue
        row: dict[str, Any] = {
            "id": case.id,
            "text": case.text,
            "prev": case.prev or None,
            "article": case.article,
            "label": one.answer.label.value,
            "frame": one.answer.frame,
            "opinion": one.answer.opinion,
            "voice": None if one.answer.voice is None else one.answer.voice.value,
            "labelled_by": "person",
            "person": one.person,
            "made_at": one.made_at,
            "note": one.note,
            "label_before": case.label.value,
        }
        rows.append({name: value for name, value in row.items() if value is not None})
    return rows


def now() -> str:
    """The time in UTC, as stores write it."""
    return datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
