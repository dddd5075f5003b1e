"""What the child process does: pages and feeds to plain text. Nothing here runs in the main process."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import json
import os
import re
import struct
import sys
from collections.abc import Callable, Mapping
from typing import Any, Final

MAX_MEMORY: Final = 1536 * 2**20
MAX_ITEMS: Final = 10_000
MAX_TEXT: Final = 2_000_000  # characters of one page or item
_SKIPPED: Final = frozenset(
    "script style noscript template iframe object embed svg math head title form button select"
    " textarea".split()
)
_INLINE: Final = frozenset(
    "a abbr acronym b bdi bdo big cite code data del dfn em font i img ins kbd label mark q ruby s samp"
    " small span strike strong sub sup time tt u var wbr".split()
)
_LANGUAGE: Final = re.compile(r"<(?:dc:)?language>\s*([A-Za-z]{2,3}(?:[-_]\w+)*)\s*<", re.IGNORECASE)
_HTML_LANGUAGE: Final = re.compile(
    r"<html\b[^<>]{0,500}?\slang\s*=\s*[\"']?([A-Za-z]{2,3}(?:[-_]\w+)*)", re.IGNORECASE
)
_SITE_NAME: Final = 200


class TaskError(Exception):
    """A sentence for the user about one page or feed."""


def serve() -> None:
    """Answer requests on standard input until it ends."""
    requests = os.fdopen(os.dup(0), "rb")
    answers = os.fdopen(os.dup(1), "wb")
    devnull = os.open(os.devnull, os.O_RDWR)
    for number in (0, 1):  # whatever a library prints or reads must not disturb the frames
        os.dup2(devnull, number)
    sys.stdout, sys.stdin = open(os.devnull, "w"), io.StringIO()  # noqa: SIM115
    limit_memory()
    while len(sizes := requests.read(8)) == 8:
        header_size, body_size = struct.unpack(">II", sizes)
        header = json.loads(requests.read(header_size))
        body = requests.read(body_size)
        if len(body) < body_size:
            return
        data = json.dumps(answered(header, body)).encode()
        answers.write(struct.pack(">I", len(data)) + data)
        answers.flush()


def answered(header: dict[str, Any], body: bytes) -> dict[str, Any]:
    """The answer to one request: its result or its fault."""
    limit_time(header.pop("timeout"))
    task = TASKS[header.pop("task")]
    try:
        return {"result": task(body, **header)}
    except TaskError as fault:
        return {"fault": str(fault)}
    except MemoryError:
        return {"fault": "needs more memory than is allowed to parse; leave it out"}
    except Exception as fault:  # a parser may raise anything on hostile input
        return {"fault": f"cannot be parsed ({type(fault).__name__}); check that it is what its name says"}


def limit_memory() -> None:
    """Let the system refuse this process more memory, core dumps and files."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (MAX_MEMORY, MAX_MEMORY))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))


def limit_time(seconds: float) -> None:
    """Let the system end this process if it computes on after its parent has gone."""
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
        soft = int(used.ru_utime + used.ru_stime + seconds) + 2
        resource.setrlimit(resource.RLIMIT_CPU, (soft, hard))


# -- tasks ----------------------------------------------------------------------------------------------


def hello(_: bytes, *, library: str) -> bool:
    """Import early, so that no page pays for it with its time limit."""
    for name in (library, "lxml.html"):
        with contextlib.suppress(ImportError):
            importlib.import_module(name)
    return True


def page(body: bytes, *, url: str | None = None) -> dict[str, Any]:
    """The article in an HTML page (UTF-8): its text, paragraphs apart, and what the page says of it."""
    if importlib.util.find_spec("trafilatura") is None:
        raise TaskError("reading web pages needs trafilatura; pip install 'stance[feeds]'")
    import trafilatura

    html = body.decode("utf-8", "replace")
    found: Any = trafilatura.bare_extraction(
        html,
        url=url,
        fast=True,
        with_metadata=True,
        include_comments=False,
        date_extraction_params={"extensive_search": False, "original_date": True},
    )
    text = "" if found is None else (found.text or "")
    if not text.strip():
        raise TaskError("holds no article text; nothing to label")
    language = _HTML_LANGUAGE.search(html[:4096])
    meta = {
        "title": found.title,
        "outlet": found.sitename or found.hostname,
        "author": found.author,
        "time": found.date,
        "link": found.url or url,
        "language": language[1] if language else None,
    }
    paragraphs = "\n\n".join(line.strip() for line in text.split("\n") if line.strip())
    return {"text": with_title(found.title, paragraphs)[:MAX_TEXT], "meta": cleaned(meta)}


def feed(body: bytes) -> dict[str, Any]:
    """The items of an RSS, Atom or JSON feed: text, meta and id of each, in the feed's order."""
    if importlib.util.find_spec("fastfeedparser") is None:
        raise TaskError("reading feeds needs fastfeedparser; pip install 'stance[feeds]'")
    import fastfeedparser

    whole_dates_only()
    body, broken = sound_json(body)
    try:
        parsed = fastfeedparser.parse(body, include_tags=False, include_media=False, include_enclosures=False)
    except ValueError as fault:
        raise TaskError(f"not a feed that can be read ({str(fault)[:120]}); check the address") from None
    about: Mapping[str, Any] = parsed.get("feed") or {}
    tagged = _LANGUAGE.search(body[:20_000].decode("latin-1"))
    language = about.get("language") or (tagged[1] if tagged else None)
    entries = parsed.get("entries") or []
    items = [feed_item(entry, about, language) for entry in entries[:MAX_ITEMS]]
    return {
        "title": plain(about.get("title"))[:_SITE_NAME],
        "items": items,
        "dropped": max(0, len(entries) - MAX_ITEMS),
        "broken": broken,
    }


def sound_json(body: bytes) -> tuple[bytes, int]:
    """A JSON feed without the items that are no objects, and their number: one would break them all."""
    if not body.lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"{"):
        return body, 0
    try:
        feed = json.loads(body)
    except (ValueError, RecursionError) as fault:
        raise TaskError(f"not JSON ({str(fault)[:120]}); check the address") from None
    items = feed.get("items")
    if not isinstance(items, list):
        raise TaskError("a JSON feed without a list of items; check the address")
    sound = [_sound_item(item) for item in items if isinstance(item, dict)]
    for name in ("title", "language"):
        if not isinstance(feed.get(name), str):
            feed.pop(name, None)
    authors = [author for author in _listed(feed.get("authors")) if isinstance(author, dict)]
    feed |= {"items": sound, "authors": authors}
    return json.dumps(feed).encode(), len(items) - len(sound)


def _sound_item(item: dict[str, Any]) -> dict[str, Any]:
    """The fields that are read of an item, each of its kind."""
    names = ("id", "url", "title", "content_html", "content_text", "summary", "language")
    kept: dict[str, Any] = {}
    for name in (*names, "date_published", "date_modified"):
        value = item.get(name)
        if isinstance(value, str) or (isinstance(value, int | float) and not isinstance(value, bool)):
            kept[name] = str(value)
    authors = [item.get("author"), *_listed(item.get("authors"))]
    names_given = [author["name"] for author in authors if isinstance(author, dict) and author.get("name")]
    kept["authors"] = [{"name": name} for name in names_given if isinstance(name, str)]
    return kept


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def whole_dates_only() -> None:
    """Keep the feed reader from making a time up: it completes "yesterday" or "10:00" from the clock."""
    import datetime

    from dateutil import parser
    from fastfeedparser import main

    def parsed(value: str) -> datetime.datetime | None:
        found = []
        for default in (datetime.datetime(2001, 1, 1), datetime.datetime(2002, 2, 2)):
            try:
                found.append(parser.parse(value, default=default, tzinfos={"UTC": 0, "GMT": 0}))
            except (ValueError, TypeError, ArithmeticError):
                return None
        midnight = [moment.replace(hour=0, minute=0, second=0, microsecond=0) for moment in found]
        return found[0] if midnight[0] == midnight[1] else None

    main._slow_dateutil_parse = parsed
    main._slow_dateparser = lambda _: None


def opml(body: bytes) -> list[str]:
    """The addresses of the feeds in an OPML list, in its order."""
    from lxml import etree

    reader = etree.XMLParser(recover=True, resolve_entities=False, no_network=True, huge_tree=False)
    root = etree.fromstring(body, reader)
    outlines = () if root is None else root.iter("{*}outline", "outline")
    found = [value for outline in outlines for name, value in outline.items() if name.lower() == "xmlurl"]
    return [" ".join(value.split()) for value in found[:MAX_ITEMS]]


def robots(body: bytes, *, url: str, agent: str) -> dict[str, Any]:
    """Whether a robots.txt lets `agent` have `url`, and the pause in seconds that it asks for."""
    if importlib.util.find_spec("protego") is None:
        raise TaskError("following articles needs protego; pip install 'stance[feeds]'")
    import protego

    rules = protego.Protego.parse(body.decode("utf-8", "replace"))
    return {"allowed": rules.can_fetch(url, agent), "delay": rules.crawl_delay(agent)}


def feed_item(entry: Mapping[str, Any], about: Mapping[str, Any], language: str | None) -> dict[str, Any]:
    """Text, meta and id of one entry; `about` is the feed."""
    title = plain(entry.get("title"))
    contents = [part.get("value") for part in entry.get("content") or [] if isinstance(part, dict)]
    bodies = [html_text(str(value)) for value in (*contents, entry.get("description")) if value]
    body = max(bodies, key=len, default="")
    own = next((part.get("language") for part in entry.get("content") or [] if isinstance(part, dict)), None)
    meta = {
        "title": title,
        "outlet": plain(about.get("title"))[:_SITE_NAME],
        "author": plain(entry.get("author")),
        "time": entry.get("published") or entry.get("updated"),
        "link": entry.get("link"),
        "language": own or language,
    }
    return {
        "id": plain(entry.get("id")) or None,
        "text": with_title(title, body)[:MAX_TEXT],
        "meta": cleaned(meta),
    }


def with_title(title: str | None, body: str) -> str:
    """The headline above the text, unless that is its first line: a headline is a sentence too."""
    title = " ".join((title or "").split())
    first_line = " ".join(body.partition("\n")[0].split())
    if not title or title.casefold() == first_line.casefold():
        return body
    return f"{title}\n\n{body}" if body else title


def cleaned(meta: Mapping[str, Any]) -> dict[str, str]:
    """Fields that hold something; a link only if it leads to the web."""
    kept = {name: " ".join(str(value).split()) for name, value in meta.items() if value}
    if not re.match(r"https?://[^\s]+$", kept.get("link", ""), re.IGNORECASE):
        kept.pop("link", None)
    return {name: value[:2000] for name, value in kept.items() if value}


def plain(value: Any) -> str:
    """A title or name without the markup that some feeds put into it."""
    text = str(value or "")
    return " ".join((html_text(text) if "<" in text or "&" in text else text).split())


def html_text(markup: str) -> str:
    """The text of an HTML fragment, block elements as paragraphs; scripts, styles and forms left out."""
    if "<" not in markup and "&" not in markup:
        return _paragraphs(markup)
    from lxml import html

    try:
        root = html.document_fromstring(f"<div>{markup[: 4 * MAX_TEXT]}</div>")
    except (ValueError, html.etree.ParserError):
        return ""
    parts: list[str] = []
    skipped: Any = None
    for event, node in html.etree.iterwalk(root, events=("start", "end")):
        tag = node.tag if isinstance(node.tag, str) else ""
        if event == "start" and skipped is None:
            if not tag or tag in _SKIPPED:
                skipped = node
                continue
            if tag not in _INLINE:
                parts.append("\n\n" if tag != "br" else "\n")
            parts.append(node.text or "")
        elif event == "end":
            if skipped is None and tag not in _INLINE and tag != "br":
                parts.append("\n\n")
            if node is skipped:
                skipped = None
            if skipped is None:
                parts.append(node.tail or "")
    return _paragraphs("".join(parts))


def _paragraphs(text: str) -> str:
    """Spaces within lines made single, empty lines to one between paragraphs."""
    lines = [" ".join(line.split()) for line in text.split("\n")]
    return re.sub(r"\n{2,}", "\n\n", "\n".join(lines)).strip()


TASKS: Final[Mapping[str, Callable[..., Any]]] = {
    "hello": hello,
    "page": page,
    "feed": feed,
    "opml": opml,
    "robots": robots,
}
