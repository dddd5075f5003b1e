"""When to ask a server again: intervals with jitter, back-off, Retry-After, pauses between requests."""

from __future__ import annotations

import random
import time
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final
from urllib.parse import urlsplit

FIRST_BACKOFF: Final = 60.0  # seconds after a first failure, doubled with each further one
LONGEST_BACKOFF: Final = 24 * 3600.0
LONGEST_WISH: Final = 7 * 24 * 3600.0  # a server that asks for more is asked again after this
LONGEST_PAUSE: Final = 60.0  # between two requests to one site, whatever it asks for
_JITTER: Final = 0.1


class Clock:
    """The time, to be replaced in tests."""

    def now(self) -> datetime:
        """The time of day, with its zone."""
        return datetime.now(UTC)

    def monotonic(self) -> float:
        """Seconds that never go back."""
        return time.monotonic()

    def sleep(self, seconds: float) -> None:
        """Wait that many seconds."""
        time.sleep(seconds)


def stamp(moment: datetime) -> str:
    """A moment as the store keeps it; stamps sort as their moments do."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime:
    """The moment of a stamp."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def after(now: datetime, seconds: float, rng: random.Random) -> datetime:
    """About `seconds` later, so that many watchers do not ask at the same moment."""
    return now + timedelta(seconds=seconds * rng.uniform(1 - _JITTER, 1 + _JITTER))


def back_off(now: datetime, failures: int, wish: float | None, rng: random.Random) -> datetime:
    """When to try again after `failures` in a row; never before the server's own wish (in seconds)."""
    seconds = min(FIRST_BACKOFF * 2.0 ** min(failures - 1, 30), LONGEST_BACKOFF)
    later = after(now, seconds, rng)
    if wish is None:
        return later
    return max(later, now + timedelta(seconds=min(wish, LONGEST_WISH)))


def retry_after(header: str | None, now: datetime) -> float | None:
    """The seconds that a Retry-After asks for, given as a number or a date; None for nonsense."""
    value = (header or "").strip()
    if value.isascii() and value.isdigit() and len(value) < 12:
        return float(value)
    try:
        until = parsedate_to_datetime(value)
    except (TypeError, ValueError, IndexError, OverflowError):
        return None
    if until.tzinfo is None:
        until = until.replace(tzinfo=UTC)
    return max(0.0, (until - now).total_seconds())


class Pauses:
    """How long to wait before the next request to a site."""

    def __init__(self, pause: float, clock: Clock) -> None:
        self._pause, self._clock = pause, clock
        self._free: dict[str, float] = {}

    def left(self, url: str) -> float:
        """Seconds until the site of `url` may be asked again."""
        return max(0.0, self._free.get(_site(url), 0.0) - self._clock.monotonic())

    def asked(self, url: str) -> None:
        """The site was asked just now."""
        self.hold(url, self._pause)

    def hold(self, url: str, seconds: float) -> None:
        """Leave the site of `url` alone for so long."""
        site, until = _site(url), self._clock.monotonic() + seconds
        self._free[site] = max(until, self._free.get(site, 0.0))


def _site(url: str) -> str:
    return urlsplit(url).netloc.lower()
