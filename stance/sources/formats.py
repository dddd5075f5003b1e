"""Which format an input has: what the caller says, then its ending, its media type, its first bytes."""

from __future__ import annotations

import json
import re
from typing import Final

EXTENSIONS: Final = {
    "txt": "text",
    "text": "text",
    "md": "markdown",
    "markdown": "markdown",
    "html": "html",
    "htm": "html",
    "xhtml": "html",
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "tsv": "tsv",
    "tab": "tsv",
    "parquet": "parquet",
    "rss": "feed",
    "atom": "feed",
}
UNDECIDED: Final = ("json", "xml")  # endings that say nothing yet: the content decides
FORMATS: Final = ("text", "markdown", "html", "jsonl", "json", "csv", "tsv", "parquet", "feed")
_MEDIA: Final = {
    "text/markdown": "markdown",
    "text/html": "html",
    "application/xhtml+xml": "html",
    "application/jsonl": "jsonl",
    "application/x-ndjson": "jsonl",
    "application/feed+json": "feed",
    "application/rss+xml": "feed",
    "application/atom+xml": "feed",
    "text/csv": "csv",
    "text/tab-separated-values": "tsv",
    "application/vnd.apache.parquet": "parquet",
}
_FEED: Final = re.compile(rb"<(?:rss|feed|rdf:RDF|(?:\w+:)?channel)[\s>]", re.IGNORECASE)
_HTML: Final = re.compile(rb"<(?:!doctype\s+html|html|head|body|article|div|p)[\s>]", re.IGNORECASE)
_JSON_FEED: Final = re.compile(rb'"version"\s*:\s*"https?:\\?/\\?/jsonfeed\.org')
_TEXT_COLUMNS: Final = ("text", "sentence", "body", "content", "article")


def extension(file_name: str) -> str:
    """The ending in lower case, `.gz` passed over; "" without one."""
    name = file_name.lower()
    name = name.removesuffix(".gz")
    return name.rpartition(".")[2] if "." in name else ""


def is_known(file_name: str) -> bool:
    """Whether a folder's file is read: its ending names a format."""
    ending = extension(file_name)
    return ending in EXTENSIONS or ending in UNDECIDED


def recognise(file_name: str, media_type: str | None, head: bytes) -> str:
    """The format of an input that begins with `head` (a few thousand bytes)."""
    by_name = EXTENSIONS.get(extension(file_name))
    if by_name is not None:
        return by_name
    by_content = sniff(head)
    by_media = _MEDIA.get(media_type or "")
    if by_media is not None and by_content in ("text", by_media):
        return by_media
    return by_content


def sniff(head: bytes) -> str:
    """The format that the first bytes show; "text" where nothing else is plain."""
    if head.startswith(b"PAR1"):
        return "parquet"
    start = head.removeprefix(b"\xef\xbb\xbf").replace(b"\x00", b"").lstrip()
    if start.startswith((b"{", b"[")):
        return _sniff_json(start)
    if start.startswith(b"<"):
        if _FEED.search(start[:2048]):
            return "feed"
        if _HTML.search(start[:2048]):
            return "html"
    return _sniff_table(start)


def _sniff_json(start: bytes) -> str:
    if _JSON_FEED.search(start[:4096]):
        return "feed"
    first_line = start.partition(b"\n")[0]
    try:
        return "jsonl" if isinstance(json.loads(first_line), dict) else "json"
    except (ValueError, RecursionError):
        if re.match(rb"\[\s*\{|\[\s*\]", start):
            return "json"
        return "jsonl" if re.match(rb'\{\s*"', start) else "text"


def _sniff_table(start: bytes) -> str:
    header = start.partition(b"\n")[0][:4096].decode("latin-1").strip().lower()
    for separator, name in (("\t", "tsv"), (",", "csv"), (";", "csv")):
        cells = [cell.strip(' "') for cell in header.split(separator)]
        if len(cells) > 1 and any(cell in _TEXT_COLUMNS for cell in cells):
            return name
    return "text"
