"""The article behind an item's link: robots.txt, pauses, limits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Protocol

from stance.monitor import polite
from stance.monitor.identity import safe_text
from stance.sinks.inert import visible
from stance.sources import encoding
from stance.sources.child import ChildError
from stance.sources.fetch import FetchError, Response
from stance.sources.markup import MAX_PAGE, parsed_page
from stance.sources.robots import LIMIT, Robots


class Get(Protocol):
    """Fetches an address, or raises `FetchError`."""

    def __call__(self, url: str, limit: int, /) -> Response: ...


@dataclass(frozen=True, slots=True)
class Found:
    """The text of a page and what it says of itself; without a text, why, and whether that may pass."""

    text: str | None = None
    meta: Mapping[str, str] = field(default_factory=dict)
    why: str = ""
    passing: bool = False


class Articles:
    """Reads pages, one site never faster than its robots.txt and `pauses` have it."""

    def __init__(self, get: Get, pauses: polite.Pauses, clock: polite.Clock, timeout: float) -> None:
        self._get, self._pauses, self._clock, self._timeout = get, pauses, clock, timeout
        self._robots = Robots(lambda url: get(url, LIMIT))

    def read(self, link: str) -> Found:
        """The article at `link`."""
        if self._pauses.left(link) > polite.LONGEST_PAUSE:
            return Found(why="its site asked to be left alone for a while", passing=True)
        self._clock.sleep(self._pauses.left(link))
        permission = self._robots.permits(link)
        if not permission.allowed:
            return Found(why=permission.why, passing=permission.passing)
        self._pauses.hold(link, min(permission.delay, polite.LONGEST_PAUSE))
        self._clock.sleep(self._pauses.left(link))
        try:
            response = self._get(link, MAX_PAGE)
        except FetchError as fault:
            return Found(why=f"its page {visible(fault.message)}", passing=fault.passing)
        if response.status != 200:
            return self._refused(link, response)
        named = encoding.named(response.charset)
        try:
            page = parsed_page(response.body, response.url, timeout=self._timeout, named=named)
        except ChildError as fault:
            return Found(why=f"its page {visible(str(fault))}")
        meta = {name: visible(encoding.without_surrogates(value)) for name, value in page.meta.items()}
        return Found(safe_text(page.text), meta)

    def _refused(self, link: str, response: Response) -> Found:
        why = f"its page: the server answered {response.status} {visible(response.reason)}".rstrip()
        passing = response.status in (408, 425, 429) or response.status >= 500
        wish = polite.retry_after(response.headers.get("retry-after"), self._clock.now())
        if passing and wish:
            self._pauses.hold(link, min(wish, polite.LONGEST_WISH))
        return Found(why=why, passing=passing)
