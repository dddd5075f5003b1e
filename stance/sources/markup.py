"""HTML pages and feeds, parsed in a child process. Needs the extra ``stance[feeds]``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stance.document import Document
from stance.sources import encoding
from stance.sources.child import CHILD, ChildError
from stance.sources.items import Fault, Item, ReadOptions
from stance.sources.raw import Raw

MAX_PAGE: Final = 4 * 2**20
MAX_FEED: Final = 16 * 2**20
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,300}charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)


def read_page(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """One document: the article in the page, without menus and advertising."""
    if options.unit == "sentence":
        yield Fault(raw.name, "a page holds no single sentences; leave out --unit sentence")
        return
    data = raw.whole(min(MAX_PAGE, options.max_document))
    found = encoding.decode(data, options.encoding or page_encoding(data))
    if found.undecodable is not None:
        yield Fault(f"{raw.name}:{found.undecodable.line}", str(found.undecodable))
    try:
        page = CHILD.call("page", found.text.encode(), timeout=options.timeout, url=raw.link)
    except ChildError as fault:
        yield Fault(raw.name, str(fault))
        return
    yield Document(page["text"], raw.name, page["meta"])


def read_feed(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """A document for each item of the feed, named by its link, else its id, else its place."""
    if options.unit == "sentence":
        yield Fault(raw.name, "a feed holds no single sentences; leave out --unit sentence")
        return
    data = raw.whole(min(MAX_FEED, options.max_document))
    if options.encoding is not None:
        data = encoding.decode(data, options.encoding).text.encode()
    try:
        feed = CHILD.call("feed", data, timeout=options.timeout)
    except ChildError as fault:
        yield Fault(raw.name, str(fault))
        return
    if not feed["items"]:
        yield Fault(raw.name, "holds no items; check that it is the right feed")
    for number, item in enumerate(feed["items"], start=1):
        place = f"{raw.name}#{number}"
        if not item["text"].strip():
            yield Fault(place, "the item has neither a title nor a text; nothing to label")
            continue
        yield Document(item["text"], item["meta"].get("link") or item["id"] or place, item["meta"])
    if feed["dropped"]:
        yield Fault(raw.name, f"{feed['dropped']} items beyond the first {len(feed['items'])} were left out")


def page_encoding(data: bytes) -> str | None:
    """The encoding that a page names in its head, if Python knows it; a mark in front wins over it."""
    if encoding.guess(data[:4096])[0] is not None:
        return None
    found = _META_CHARSET.search(data[:4096])
    return encoding.named(found[1].decode("ascii", "replace")) if found else None
