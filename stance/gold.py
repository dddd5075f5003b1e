"""Labelled sentences from JSONL or TSV: the one loader for training, measuring and tests."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, TypeVar

from stance.errors import StanceError
from stance.labels import NO_FRAME, Label, Voice

_SLICES: Final = ("kind", "batch", "outlet_group", "date", "phenomenon", "register", "pair")
_Kind = TypeVar("_Kind", Label, Voice)


@dataclass(frozen=True, slots=True)
class Labelled:
    """One sentence with its answers; what the data does not say is None.

    ``article`` groups sentences that must not be torn apart by a split; ``slices`` holds further fields
    for reports and never reaches a feature.
    """

    id: str
    text: str
    label: Label | None
    frame: str | None = None
    opinion: bool | None = None
    voice: Voice | None = None
    source: str | None = None
    prev: str | None = None
    article: str = ""
    tests: tuple[str, ...] = ()
    slices: Mapping[str, str] = field(default_factory=dict)


def read(
    path: Path,
    *,
    fields: Mapping[str, str] | None = None,
    labels: Mapping[str, str] | None = None,
) -> tuple[Labelled, ...]:
    """All labelled sentences of a file.

    Args:
        path: JSONL, or TSV/CSV with a header line (by its ending).
        fields: this package's field name to the file's, where they differ.
        labels: the file's label to one of the four labels, where they differ.

    Raises:
        StanceError: the first ten faults with file, line and cure.
    """
    names = dict(fields or {})
    renamed = dict(labels or {})
    faults: list[str] = []
    result: list[Labelled] = []
    seen: dict[str, int] = {}
    for number, row in _rows(path, faults):
        try:
            item = _labelled(row, names, renamed, f"{path.name}:{number}")
        except ValueError as error:
            faults.append(f"{path}:{number}: {error}")
            continue
        if item.id in seen:
            faults.append(
                f"{path}:{number}: id {item.id!r} stands at line {seen[item.id]} too; ids must differ"
            )
            continue
        seen[item.id] = number
        result.append(item)
    if faults:
        more = f"\n… and {len(faults) - 10} more" if len(faults) > 10 else ""
        raise StanceError("\n".join(faults[:10]) + more)
    if not result:
        raise StanceError(f"{path}: holds no labelled sentence; give JSONL with 'text' and 'label'")
    return tuple(result)


def digest(path: Path) -> str:
    """SHA-256 of a file, as cards name their data."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _rows(path: Path, faults: list[str]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise StanceError(f"{path}: cannot be read ({error.strerror}); check the path") from None
    except UnicodeDecodeError as error:
        raise StanceError(f"{path}: not UTF-8 at byte {error.start}; save it as UTF-8") from None
    if path.suffix.lower() in (".tsv", ".csv"):
        delimiter = "\t" if path.suffix.lower() == ".tsv" else ","
        for number, cells in enumerate(csv.DictReader(text.splitlines(), delimiter=delimiter), 2):
            yield number, {k: v for k, v in cells.items() if k is not None and v not in (None, "")}
        return
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        row, problem = _object(line)
        if row is None:
            faults.append(f"{path}:{number}: {problem}; one JSON object a line is needed")
        else:
            yield number, row


def _object(line: str) -> tuple[Mapping[str, Any] | None, str]:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        return None, f"not JSON ({error})"
    return (row, "") if isinstance(row, dict) else (None, "not an object")


def _labelled(
    row: Mapping[str, Any], names: Mapping[str, str], labels: Mapping[str, str], place: str
) -> Labelled:
    def get(name: str) -> Any:
        return row.get(names.get(name, name))

    text = get("text")
    if not isinstance(text, str) or not text.strip():
        raise ValueError(
            f"field {names.get('text', 'text')!r} is missing or empty; every record needs a text"
        )
    raw = get("label")
    if raw is None:
        raise ValueError(f"field {names.get('label', 'label')!r} is missing; every record needs a label")
    label = _one_of(Label, labels.get(str(raw), str(raw)), "label")
    voice = get("voice")
    opinion = get("opinion")
    frame = get("frame")
    if frame is None:
        frame = label.value.removeprefix("pro_") if label.value.startswith("pro_") else NO_FRAME
    if opinion is None and label in (Label.NEUTRAL_REPORT, Label.ANALYTICAL_OPINION):
        opinion = label is Label.ANALYTICAL_OPINION
    previous = get("prev")
    return Labelled(
        id=str(get("id") or place),
        text=text,
        label=label,
        frame=str(frame),
        opinion=_truth(opinion),
        voice=None if voice is None else _one_of(Voice, str(voice), "voice"),
        source=None if get("source") is None else str(get("source")),
        prev=previous if isinstance(previous, str) else None,
        article=str(get("article") or get("document") or get("pair") or get("id") or place),
        tests=tuple(get("tests") or ()),
        slices={name: str(value) for name in _SLICES if (value := get(name)) is not None},
    )


def _one_of(kind: type[_Kind], value: str, what: str) -> _Kind:
    try:
        return kind(value)
    except ValueError:
        known = ", ".join(member.value for member in kind)
        raise ValueError(f"{what} {value!r} is not one of {known}; map it or mend it") from None


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    text = str(value).strip().lower()
    if text in ("true", "1", "yes"):
        return True
    if text in ("false", "0", "no"):
        return False
    raise ValueError(f"opinion {value!r} is neither true nor false")
