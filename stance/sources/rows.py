"""A row of a table or a JSON object to a document or a single sentence."""

from __future__ import annotations

import difflib
import json
import math
from collections.abc import Mapping
from typing import Any, Final

from stance.document import Document, Sentence
from stance.sources.encoding import without_surrogates
from stance.sources.items import META_FIELDS, Fault, Item, ReadOptions, Single

ALIASES: Final[Mapping[str, tuple[str, ...]]] = {
    "text": ("text",),
    "id": ("id",),
    "prev": ("prev",),
    "name": ("document", "name", "path", "file"),
    "title": ("title", "headline"),
    "outlet": ("outlet", "publisher", "site"),
    "author": ("author", "byline"),
    "time": ("time", "date", "published", "date_published"),
    "link": ("link", "url"),
    "language": ("language", "lang"),
}


def item(row: Mapping[str, Any], place: str, index: int, options: ReadOptions) -> Item:
    """The document or sentence that `row` holds, or the fault that it lacks its text."""
    text = _value(row, "text", options)
    if not isinstance(text, str):
        return Fault(place, _no_text(row, text, options))
    text = without_surrogates(text)
    if options.unit == "sentence":
        return _single(row, text, place, index, options)
    if not text.strip():
        return Fault(place, "the text is empty; nothing to label")
    name = _text(_value(row, "name", options)) or _text(_value(row, "id", options)) or place
    return Document(text, name, meta_of(row, options))


def meta_of(row: Mapping[str, Any], options: ReadOptions) -> dict[str, str | None]:
    """The fields of `meta` that the row gives, as text."""
    found: dict[str, str | None] = {}
    for name in META_FIELDS:
        value = _value(row, name, options)
        if value is not None and (words := _text(value)):
            found[name] = words
    return found


def _single(row: Mapping[str, Any], text: str, place: str, index: int, options: ReadOptions) -> Item:
    given = _value(row, "id", options)
    if isinstance(given, bool) or not isinstance(given, str | int | float | None):
        return Fault(place, f"'id' is {_kind(given)}; give a string or a number")
    if isinstance(given, float) and not math.isfinite(given):
        return Fault(place, f"'id' is {given}, which JSON cannot hold; give a string or a number")
    prev = _value(row, "prev", options)
    if prev is not None and not isinstance(prev, str):
        return Fault(place, f"'prev' is {_kind(prev)}; give a string or leave it out")
    known = without_surrogates(given) if isinstance(given, str) else given
    sentence = Sentence(
        text,
        0,
        len(text),
        index=index,
        id=None if known is None else str(known),
        prev=None if prev is None else without_surrogates(prev),
    )
    return Single(sentence, known, meta_of(row, options))


def _value(row: Mapping[str, Any], field: str, options: ReadOptions) -> Any:
    """The value of a field: under the name the caller gives, else under its usual names."""
    chosen = options.columns.get(field)
    if chosen is not None:
        return row.get(chosen)
    for name in ALIASES[field]:
        value = row.get(name)
        if value is not None:
            return value
    return None


def _text(value: Any) -> str:
    if value is None or isinstance(value, bool):
        return ""
    if isinstance(value, str):
        return without_surrogates(value).strip()
    if isinstance(value, list):
        return ", ".join(filter(None, map(_text, value)))
    if isinstance(value, dict):
        return _text(value.get("name"))
    return str(value)


def _no_text(row: Mapping[str, Any], found: Any, options: ReadOptions) -> str:
    wanted = options.columns.get("text", "text")
    if found is not None or wanted in row:
        return f"'{wanted}' is {_kind(found)}, not a string; give the text as a string"
    near = difflib.get_close_matches(wanted, [str(key) for key in row], n=1)
    if not near:
        near = [name for name in ("sentence", "body", "content", "article") if name in row][:1]
    cure = f"use --text-column {near[0]}" if near else "name its column with --text-column"
    return f"has no '{wanted}'; {cure}"


def _kind(value: Any) -> str:
    names: Mapping[type, str] = {dict: "an object", list: "a list", bool: "true or false", type(None): "null"}
    return names.get(
        type(value), "a number" if isinstance(value, int | float) else json.dumps(str(value))[:40]
    )
