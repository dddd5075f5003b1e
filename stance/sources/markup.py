"""HTML pages and feeds, parsed in a child process. Needs the extra ``stance[feeds]``."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Final

from stance.document import Document
from stance.sources import encoding
from stance.sources.child import CHILD, ChildError
from stance.sources.items import Fault, Item, ReadOptions
from stance.sources.raw import Raw

MAX_PAGE: Final = 4 * 2**20
MAX_FEED: Final = 16 * 2**20
NO_TEXT: Final = "the item has neither a title nor a text; nothing to label"
_META_CHARSET: Final = re.compile(rb"<meta[^>]{0,300}charset\s*=\s*[\"']?\s*([\w-]{2,40})", re.IGNORECASE)


_DECLARED: Final = re.compile(
    r"""(<\?xml\b[^<>]{0,200}?)\s+encoding\s*=\s*["']\s*([\w.:-]{2,40})\s*["']""", re.IGNORECASE
)


@dataclass(frozen=True, slots=True)
class Entry:
    """An item of a feed: its id in the feed, its text (the headline first) and what the feed says of it."""

    id: str | None
    text: str
    meta: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ParsedFeed:
    """What a feed holds; `faults` are sentences about what of it could not be read."""

    title: str
    entries: tuple[Entry, ...]
    faults: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ParsedPage:
    """The article of a page, and what could not be decoded of it."""

    text: str
    meta: Mapping[str, str]
    undecodable: encoding.Undecodable | None = None


def read_page(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """One document: the article in the page, without menus and advertising."""
    if options.unit == "sentence":
        yield Fault(raw.name, "a page holds no single sentences; leave out --unit sentence")
        return
    data = raw.whole(min(MAX_PAGE, options.max_document))
    try:
        page = parsed_page(data, raw.link, timeout=options.timeout, named=options.encoding)
    except ChildError as fault:
        yield Fault(raw.name, str(fault))
        return
    if page.undecodable is not None:
        yield Fault(f"{raw.name}:{page.undecodable.line}", str(page.undecodable))
    yield Document(page.text, raw.name, page.meta)


def read_feed(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """A document for each item of the feed, named by its link, else its id, else its place."""
    if options.unit == "sentence":
        yield Fault(raw.name, "a feed holds no single sentences; leave out --unit sentence")
        return
    data = raw.whole(min(MAX_FEED, options.max_document))
    try:
        feed = parsed_feed(data, timeout=options.timeout, named=options.encoding)
    except ChildError as fault:
        yield Fault(raw.name, str(fault))
        return
    for number, entry in enumerate(feed.entries, start=1):
        place = f"{raw.name}#{number}"
        if not entry.text.strip():
            yield Fault(place, NO_TEXT)
            continue
        yield Document(entry.text, entry.meta.get("link") or entry.id or place, entry.meta)
    for sentence in feed.faults:
        yield Fault(raw.name, sentence)


def parsed_page(data: bytes, link: str | None, *, timeout: float, named: str | None = None) -> ParsedPage:
    """The article in a page; `named` is its encoding where that is known.

    Raises:
        ChildError: it took too long, broke the parser, or holds no article.
    """
    found = encoding.decode(data, named or page_encoding(data))
    page = CHILD.call("page", found.text.encode(), timeout=timeout, url=link)
    return ParsedPage(page["text"], page["meta"], found.undecodable)


def parsed_feed(data: bytes, *, timeout: float, named: str | None = None) -> ParsedFeed:
    """The items of a feed in its order; `named` is its encoding where that is known.

    Raises:
        ChildError: it took too long, broke the parser, or is no feed.
    """
    found = feed_text(data, named)
    faults = [] if found.undecodable is None else [str(found.undecodable)]
    feed = CHILD.call("feed", found.text.encode(), timeout=timeout)
    entries = tuple(Entry(item["id"], item["text"], item["meta"]) for item in feed["items"])
    if feed["broken"]:
        faults.append(f"{feed['broken']} of its items are no objects and were left out")
    if feed["dropped"]:
        faults.append(f"{feed['dropped']} items beyond the first {len(entries)} were left out")
    if not entries:
        faults.append("holds no items; check that it is the right feed")
    return ParsedFeed(feed["title"], entries, tuple(faults))


def feed_text(data: bytes, named: str | None) -> encoding.Decoded:
    """The text of a feed, its declaration without the encoding, which may be wrong.

    Bytes that are valid UTF-8 are UTF-8 whatever server and declaration say; else what the server or the
    user named holds, then the declaration, then what the bytes look like.
    """
    proven, _ = encoding.guess(data[:4096])
    chosen = proven
    if proven is None:
        try:
            data.decode("utf-8")
            chosen = "utf-8"
        except UnicodeDecodeError:
            declared = _DECLARED.search(data[:400].decode("latin-1"))
            chosen = named or encoding.named(declared[2] if declared else None)
    found = encoding.decode(data, chosen)
    return replace(found, text=_DECLARED.sub(r"\1", found.text[:400], count=1) + found.text[400:])


def page_encoding(data: bytes) -> str | None:
    """The encoding that a page names in its head, if Python knows it; a mark in front wins over it."""
    if encoding.guess(data[:4096])[0] is not None:
        return None
    found = _META_CHARSET.search(data[:4096])
    return encoding.named(found[1].decode("ascii", "replace")) if found else None
