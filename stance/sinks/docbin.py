"""spaCy DocBin: a Doc per document, its sentences as spans ``stance``, its records as JSON."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc

SPANS: Final = "stance"


def require() -> None:
    """spaCy is always there."""


def convert(jsonl: str, target: str) -> None:
    """Write the records of the file `jsonl` to `target`.

    The text between sentences is not in the records: it comes back as line breaks, so that every
    offset holds.
    """
    import spacy
    from spacy.tokens import DocBin

    blank = spacy.blank("en")
    docs = DocBin(attrs=["ORTH", "SPACY"], store_user_data=True)
    with open(jsonl, encoding="utf-8") as lines:
        for records in _documents(json.loads(line) for line in lines):
            docs.add(_doc(blank, records))
    docs.to_disk(target)


def _documents(records: Iterator[dict[str, Any]]) -> Iterator[list[dict[str, Any]]]:
    """Records that follow each other and belong together; each single sentence on its own."""
    number = 0

    def key(record: dict[str, Any]) -> tuple[int, str]:
        nonlocal number
        if record["document"] is None or record["index"] == 0:
            number += 1
        return number, record["document"] or ""

    for _, group in groupby(records, key):
        yield list(group)


def _doc(blank: Language, records: Sequence[dict[str, Any]]) -> Doc:
    text = ""
    for record in records:
        text += "\n" * (record["start"] - len(text)) + record["text"]
    doc = blank.make_doc(text)
    spans = [
        doc.char_span(record["start"], record["end"], label=record["label"], alignment_mode="expand")
        for record in records
    ]
    doc.spans[SPANS] = [span for span in spans if span is not None]
    doc.user_data["stance"] = json.dumps(list(records), ensure_ascii=False)
    return doc
