"""Reading: files, folders, standard input and URLs in, documents or single sentences out.

One small module a format; `read` finds the right one. A fault is an item like any other, so that one
broken input never stops the rest.
"""

from __future__ import annotations

import importlib
import os
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from stance.document import Document
from stance.sources import encoding, formats
from stance.sources.items import Fault, Item, ReadOptions, Single, Skipped
from stance.sources.raw import STDIN, Raw, ReadError, opened

__all__ = ["Fault", "Item", "ReadError", "ReadOptions", "Single", "Skipped", "read"]

Reader = Callable[[Raw, ReadOptions], Iterator[Item]]

_READERS: Final = {  # format: module, function; loaded when a format is met
    "text": ("stance.sources.text", "read_text"),
    "markdown": ("stance.sources.text", "read_markdown"),
    "jsonl": ("stance.sources.jsonl", "read_lines"),
    "json": ("stance.sources.jsonl", "read_list"),
    "csv": ("stance.sources.table", "read_table"),
    "tsv": ("stance.sources.table", "read_table"),
    "parquet": ("stance.sources.parquet", "read_parquet"),
    "html": ("stance.sources.markup", "read_page"),
    "feed": ("stance.sources.markup", "read_feed"),
}
_HEAD: Final = 8192


def read(names: Iterable[str], options: ReadOptions | None = None) -> Iterator[Item]:
    """Everything that `names` stand for, in order; folders are walked for files with known endings."""
    options = options or ReadOptions()
    for name in names:
        for path in _paths(name):
            if isinstance(path, Fault):
                yield path
            else:
                yield from _checked(_read_one(path, options), options)


def _paths(name: str) -> Iterator[str | Fault]:
    if name == STDIN or name.startswith(("http://", "https://")) or not os.path.isdir(name):
        yield name
        return
    found = False
    faults: list[OSError] = []
    for folder, folders, files in os.walk(name, onerror=faults.append):
        folders[:] = sorted(entry for entry in folders if not entry.startswith("."))
        for file in sorted(files):
            path = os.path.join(folder, file)
            if not file.startswith(".") and formats.is_known(file) and os.path.isfile(path):
                found = True
                yield path
    for fault in faults:
        yield Fault(str(fault.filename or name), f"this folder cannot be read ({fault.strerror})")
    if not found and not faults:
        endings = " ".join(f".{ending}" for ending in (*formats.EXTENSIONS, *formats.UNDECIDED))
        yield Fault(name, f"no file in this folder ends in {endings}; name the files")


def _read_one(name: str, options: ReadOptions) -> Iterator[Item]:
    """The items of one input; whatever is wrong with it comes as a `Fault`."""
    try:
        with opened(name, options) as raw:
            head = raw.stream.peek(_HEAD)[:_HEAD]
            if not head:
                yield Fault(raw.name, "is empty; nothing to label")
                return
            chosen = options.format or formats.recognise(raw.file_name, raw.media_type, head)
            kind = None if chosen == "parquet" else encoding.binary(head)
            if kind is not None and options.encoding is None:
                yield Fault(raw.name, f"looks like {kind}; extract its text first")
                return
            module, function = _READERS[chosen]
            reader: Reader = getattr(importlib.import_module(module), function)
            named = options.encoding or encoding.named(raw.charset)
            yield from reader(raw, replace(options, format=chosen, encoding=named))
    except ReadError as fault:
        yield Fault("stdin" if fault.place == STDIN else fault.place, fault.message)


def _checked(items: Iterator[Item], options: ReadOptions) -> Iterator[Item]:
    """Leave out documents that are not English, unless every language was asked for."""
    if options.any_language or options.unit == "sentence":
        yield from items
        return
    from stance.sources.language import not_english

    for item in items:
        other = not_english(item.text, item.meta.get("language")) if isinstance(item, Document) else None
        if other is None:
            yield item
        else:
            assert isinstance(item, Document)
            yield Skipped(item.name or "stdin", f"not English ({other})")
