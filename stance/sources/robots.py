"""robots.txt: which pages a site lets a program read, and how fast (RFC 9309)."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

from stance.sources.child import CHILD, ChildError
from stance.sources.fetch import FetchError, Response

AGENT: Final = "stance"
LIMIT: Final = 512 * 2**10  # bytes; the standard asks for at least 500 KiB
KEEP_SECONDS: Final = 24 * 3600.0
_PARSE_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class Permission:
    """Whether a page may be read; `passing` says that it may be different later, `delay` is in seconds."""

    allowed: bool
    why: str = ""
    passing: bool = False
    delay: float = 0.0


@dataclass(frozen=True, slots=True)
class _Rules:
    body: bytes | None  # None: the site could not say
    until: float  # on the monotonic clock


class Robots:
    """What sites allow, asked once a day; `get` fetches an address or raises `FetchError`."""

    def __init__(self, get: Callable[[str], Response]) -> None:
        self._get = get
        self._rules: dict[str, _Rules] = {}

    def permits(self, url: str) -> Permission:
        """Whether `url` may be read."""
        parts = urlsplit(url)
        site = f"{parts.scheme}://{parts.netloc}"
        rules = self._rules.get(site)
        if rules is None or time.monotonic() >= rules.until:
            rules = self._rules[site] = self._asked(site)
        if rules.body is None:
            return Permission(False, "the site's robots.txt is out of reach", passing=True)
        try:
            found = CHILD.call("robots", rules.body, timeout=_PARSE_SECONDS, url=url, agent=AGENT)
        except ChildError as fault:
            return Permission(False, f"the site's robots.txt {fault}")
        if not found["allowed"]:
            return Permission(False, "the site's robots.txt does not allow it")
        return Permission(True, delay=float(found["delay"] or 0.0))

    def _asked(self, site: str) -> _Rules:
        """A site without the file allows everything; one that is out of order, nothing for now."""
        try:
            answer = self._get(f"{site}/robots.txt")
        except FetchError as fault:
            if fault.passing:
                return _Rules(None, time.monotonic() + 60.0)
            return _Rules(b"User-agent: *\nDisallow: /", time.monotonic() + KEEP_SECONDS)
        if answer.status >= 500 or answer.status == 429:
            return _Rules(None, time.monotonic() + 60.0)
        body = answer.body if 200 <= answer.status < 300 else b""
        return _Rules(body, time.monotonic() + KEEP_SECONDS)
