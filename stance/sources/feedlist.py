"""Which feeds to watch: addresses, lists of them (a line each, or OPML), and feeds that are files."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator
from typing import Final

from stance.sources import encoding, formats
from stance.sources.child import CHILD, ChildError
from stance.sources.items import Fault, ReadOptions
from stance.sources.raw import STDIN, ReadError, opened

MAX_LIST: Final = 16 * 2**20
_OPML: Final = re.compile(rb"<(?:\w+:)?opml[\s>]", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"https?://[^\s\x00-\x20\x7f-\x9f]+\Z", re.IGNORECASE)
_CURE: Final = "neither a web address nor a file; correct it or leave it out"


def feeds(names: Iterable[str], options: ReadOptions) -> Iterator[str | Fault]:
    """The address of each feed, or the absolute path of one that is a file, each once and in order."""
    seen: set[str] = set()
    for found in (entry for name in names for entry in _of(name, options)):
        if isinstance(found, Fault):
            yield found
        elif found not in seen:
            seen.add(found)
            yield found


def is_address(name: str) -> bool:
    """Whether a name is an address on the web."""
    return _ADDRESS.match(name) is not None


def _of(name: str, options: ReadOptions) -> Iterator[str | Fault]:
    address = _address(name)
    if address is not None:
        yield address
        return
    try:
        with opened(name, options) as raw:
            head = raw.stream.peek(8192)[:8192]
            if formats.recognise(raw.file_name, None, head) == "feed" and name != STDIN:
                yield os.path.abspath(name)
                return
            data = raw.whole(MAX_LIST)
    except ReadError as fault:
        yield Fault(name, fault.message)
        return
    lines = _opml(data, options) if _OPML.search(data[:4096]) else _lines(data)
    folder = os.path.dirname(os.path.abspath(name))
    found = False
    try:
        for number, entry in lines:
            found = True
            path = os.path.join(folder, entry)
            known = _address(entry) or (os.path.abspath(path) if os.path.isfile(path) else None)
            yield known or Fault(f"{name}:{number}", f"'{entry[:200]}' is {_CURE}")
    except ChildError as fault:
        yield Fault(name, str(fault))
        return
    if not found:
        yield Fault(name, "lists no feeds; write one address a line, or give OPML")


def _address(text: str) -> str | None:
    """`text` as the address of a feed, if it is one."""
    text = text.strip()
    if text.lower().startswith("feed:"):  # as some pages write it
        text = text[5:].removeprefix("//")
        text = text if "://" in text else f"https://{text}"
    return text if is_address(text) else None


def _lines(data: bytes) -> Iterator[tuple[int, str]]:
    """Entries of a text file; what follows `` #`` is a remark."""
    text = encoding.decode(data).text
    for number, line in enumerate(text.splitlines(), start=1):
        entry = re.sub(r"(?:^|\s)#.*", "", line).strip()
        if entry:
            yield number, entry


def _opml(data: bytes, options: ReadOptions) -> Iterator[tuple[int, str]]:
    yield from enumerate(CHILD.call("opml", data, timeout=options.timeout), start=1)
