"""Labelled records out of files: results ``stance/1`` as JSONL, or the store of ``stance watch``."""

from __future__ import annotations

import gzip
import io
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any, Final, cast
from urllib.parse import urlsplit

from stance.errors import StanceError
from stance.labels import SCHEMA
from stance.report.data import Gatherer, Person, plural

STORE: Final = "store"
RESULTS: Final = "results"
TEXTS: Final = "texts"
_SQLITE: Final = b"SQLite format 3\x00"
_RESULTS: Final = re.compile(rb'\s*\{[^\n]{0,2000}?"schema":\s*"stance/[^"\n]*"', re.S)
_HEAD: Final = 4096


def kind_of(name: str) -> str:
    """What a file holds, by its first bytes: a store, results, or texts yet to be labelled.

    An address is always text. The file itself may be missing: whoever reads texts says so.
    """
    if name.startswith(("http://", "https://")):
        return TEXTS
    try:
        if name == "-":
            head = cast(io.BufferedReader, sys.stdin.buffer).peek(_HEAD)[:_HEAD]
        else:
            with _opened(name) as stream:
                head = stream.read(_HEAD)
    except (OSError, EOFError, AttributeError):
        return TEXTS
    if head.startswith(_SQLITE):
        return STORE
    return RESULTS if _RESULTS.match(head.removeprefix(b"\xef\xbb\xbf")) else TEXTS


def results(name: str, gatherer: Gatherer) -> list[str]:
    """Add every record of a JSONL file; what cannot be read is left out, noted and returned as sentences.

    Raises:
        StanceError: the file cannot be read at all, or no line of it is a record.
    """
    shown = "stdin" if name == "-" else name
    faults: list[str] = []
    good = number = 0
    try:
        for number, line in enumerate(_lines(name), 1):
            if not line.strip():
                continue
            try:
                gatherer.add(_record(line))
                good += 1
            except StanceError as fault:
                torn = not line.endswith(b"\n") and "not JSON" in str(fault)
                faults.append(
                    f"{shown}:{number}: the file ends in the middle of this line; make it again, or know "
                    "that what came after is missing"
                    if torn
                    else f"{shown}:{number}: {fault}"
                )
    except (EOFError, gzip.BadGzipFile):
        faults.append(f"{shown}:{number}: the packed file is cut here; what came after is missing")
    except OSError as fault:
        raise StanceError(f"{shown}: cannot be read ({fault.strerror}); check the path") from None
    if not good:
        first = faults[0] if faults else f"{shown}: is empty"
        raise StanceError(f"{first}\n{shown}: holds no record {SCHEMA} that can be read")
    if faults:
        gatherer.notes.append(f"{plural(len(faults), 'line')} of {Path(shown).name} could not be read.")
    if any("ends in the middle" in fault or "is cut here" in fault for fault in faults):
        gatherer.notes.append(f"{Path(shown).name} is cut off: whatever came after its last line is missing.")
    return faults


def store(name: str, gatherer: Gatherer, *, copies: bool = False) -> None:
    """Add the newest verdicts of a store, near copies of an earlier item left out unless `copies`.

    Raises:
        StanceError: it is no store, or one of another version; the message names the cure.
    """
    from stance.monitor import Store

    seen = left = 0
    with Store.open(name, readonly=True) as opened:
        people = {
            decision.sentence_id: Person(
                decision.person, decision.frame, decision.opinion, decision.voice, decision.made_at
            )
            for decision in opened.decisions()
            if decision.undone_at is None
        }
        for item in opened.items(copies=True):
            if item.copy_of is not None and not copies:
                left += 1
                continue
            meta = dict(item.meta)
            if not meta.get("outlet"):
                meta["outlet"] = item.feed_title or urlsplit(item.feed).hostname or item.feed
            if not meta.get("time"):
                meta["time"] = item.seen_at
                seen += 1
            for sentence in item.sentences:
                record = {**sentence.record, "meta": meta}
                gatherer.add(record, people.get(sentence.id))
    if left:
        gatherer.notes.append(f"{plural(left, 'item')} left out that nearly repeat an earlier one.")
    if seen:
        gatherer.notes.append(
            f"{plural(seen, 'article')} without a date of its own: the day when it was seen stands for it."
        )


def _lines(name: str) -> Iterator[bytes]:
    if name == "-":
        yield from sys.stdin.buffer
        return
    with _opened(name) as stream:
        yield from stream


def _opened(name: str) -> IO[bytes]:
    with open(name, "rb") as stream:
        packed = stream.read(2) == b"\x1f\x8b"
    return cast(IO[bytes], gzip.open(name, "rb")) if packed else open(name, "rb")


def _record(line: bytes) -> dict[str, Any]:
    try:
        record = json.loads(line.decode("utf-8-sig"))
    except (ValueError, RecursionError) as fault:
        raise StanceError(f"not JSON ({fault}); one record a line is needed") from None
    if not isinstance(record, dict):
        raise StanceError("not a record; one JSON object a line is needed")
    return record
