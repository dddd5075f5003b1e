"""Watching: ask feeds politely, label what is new, keep it.

A feed's validators (ETag, Last-Modified) are stored after all of its items, so that a kill in between
makes the feed come again in full; what is in the store by then is known and left out.
"""

from __future__ import annotations

import hashlib
import io
import random
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, Protocol

from stance.document import Document
from stance.errors import StanceError
from stance.executors import by_size
from stance.monitor import polite
from stance.monitor.articles import Articles, Found
from stance.monitor.identity import Candidate, candidates
from stance.monitor.polite import Clock, stamp
from stance.monitor.sketch import digest, sketch
from stance.monitor.store import Store
from stance.monitor.values import Feed, Maker, NewItem, StoredItem
from stance.sinks.inert import visible
from stance.sources import encoding
from stance.sources.child import ChildError
from stance.sources.feedlist import is_address
from stance.sources.fetch import Response, fetch
from stance.sources.items import ReadOptions
from stance.sources.language import not_english
from stance.sources.markup import MAX_FEED, NO_TEXT, parsed_feed
from stance.sources.raw import Raw, ReadError, opened, unpacked

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.evidence import Verdict

BATCH_CHARACTERS: Final = 40_000  # labelled together: about 300 sentences, a second of work
BATCH_SECONDS: Final = 2.0  # fetched pages wait no longer than this to be kept
MAX_TRIES: Final = 4  # for the page of an item; then the feed's own text is labelled
LONGEST_SLEEP: Final = 30.0  # seconds, so that a clock that jumps is noticed
ODD_CLOCK: Final = 120.0  # seconds by which clocks may disagree
_ACCEPT: Final = "application/rss+xml, application/atom+xml, application/feed+json, text/xml, */*;q=0.5"
_MAX_VALIDATOR: Final = 1000
_SETUP_FAULTS: Final = (StanceError, ImportError, OSError)  # not the item's fault: stop instead


@dataclass(frozen=True, slots=True)
class Manners:
    """How to watch; times in seconds. `pause` lies between two requests to one site."""

    every: float = 900.0
    pause: float = 1.0
    timeout: float = 20.0
    articles: bool = False
    any_language: bool = False
    allow_private: bool = False


@dataclass(frozen=True, slots=True)
class Polled:
    """What came of asking one feed. `state` is read, unchanged, failed or waits (not asked).

    `new` items are `copies`, `skipped`, `waiting`, `broken` in part; `due` is when it is asked again.
    """

    feed: str
    state: str
    new: int = 0
    copies: int = 0
    skipped: int = 0
    waiting: int = 0
    broken: int = 0
    known: int = 0
    sentences: int = 0
    message: str = ""
    due: str = ""


class Listener(Protocol):
    """Who hears of what happens, and says when to stop."""

    def fault(self, place: str, message: str) -> None:
        """Something could not be read or labelled."""

    def note(self, message: str) -> None:
        """A person should know this."""

    def labelled(self, verdicts: Sequence[Verdict], *, copy: bool) -> None:
        """These verdicts are in the store now."""

    def waiting(self) -> AbstractContextManager[None]:
        """Around whatever may take long and may be interrupted anywhere."""

    def check(self) -> None:
        """Called where it is a good moment to stop: raise to do so."""


class _Trouble(Exception):
    """A feed was not read; `wish` is for how many seconds its server wants to be left alone."""

    def __init__(self, message: str, wish: float | None = None) -> None:
        super().__init__(message)
        self.wish = wish


@dataclass(frozen=True, slots=True)
class _Answer:
    """A feed's bytes (None: not modified), the encoding its server named, and its validators."""

    body: bytes | None
    named: str | None = None
    etag: str | None = None
    last_modified: str | None = None


class Watcher:
    """Asks feeds and fills the store; one for a run.

    Raises:
        StanceError: from any method: the store or the set-up is at fault. Faults of feeds and items are
            told to the listener instead.
    """

    def __init__(
        self,
        store: Store,
        classifier: Classifier,
        maker: Maker,
        manners: Manners,
        listener: Listener,
        *,
        clock: Clock | None = None,
        rng: random.Random | None = None,
    ) -> None:
        self._store, self._classifier, self._maker, self._manners = store, classifier, maker, manners
        self._listener = listener
        self._clock = clock or Clock()
        self._rng = rng or random.Random()
        self._pauses = polite.Pauses(manners.pause, self._clock)
        self._articles = Articles(self._get, self._pauses, self._clock, manners.timeout)

    # -- runs ------------------------------------------------------------------------------------------

    def once(self, feeds: Iterable[Feed]) -> Iterator[Polled]:
        """Ask every feed now, but for those whose failure is too recent or that asked to be left alone."""
        self._check_clock()
        for feed in feeds:
            self._listener.check()
            until = self._held(feed)
            if until is None:
                yield self.poll(feed)
            else:
                yield Polled(feed.url, "waits", message=feed.fault or "", due=until)

    def forever(self, urls: Sequence[str]) -> Iterator[Polled]:
        """Ask every feed whenever it is due; ends only by what the listener raises."""
        self._check_clock()
        drift = self._drift()
        while True:
            feeds = [self._store.feed(url, self._now()) for url in urls]
            for feed in feeds:
                self._listener.check()
                if self._seconds_left(feed) <= 0:
                    yield self.poll(feed)
            left = min(self._seconds_left(self._store.feed(url, self._now())) for url in urls)
            if left > 0:
                self._sleep(min(left, LONGEST_SLEEP))
            if abs(self._drift() - drift) > ODD_CLOCK:
                jump = self._drift() - drift
                self._listener.note(f"the clock jumped by {jump:+.0f} s; feeds are read when due by it")
                drift = self._drift()

    def relabel(self) -> Iterator[tuple[int, int]]:
        """Bring all items to the rules and models in use; yields an item's id and number of sentences.

        Items that could not be labelled are tried again, and with `any_language` so are those skipped.
        """
        last = 0
        skipped = self._manners.any_language
        while page := self._store.outdated(self._maker, last, skipped=skipped):
            last = page[-1].id
            for batch in by_size(page, BATCH_CHARACTERS, len(page)):
                found = self._labelled([Document(item.text, item.name, item.meta) for item in batch])
                for item, verdicts in zip(batch, found, strict=True):
                    self._listener.check()
                    if isinstance(verdicts, str):
                        self._listener.fault(item.name, verdicts)
                        continue
                    if item.state == "labelled":
                        self._store.relabel(item.id, self._now(), self._maker, verdicts)
                    else:
                        self._settled(item, _again(item), verdicts)
                    self._listener.labelled(verdicts, copy=item.copy_of is not None)
                    yield item.id, len(verdicts)

    # -- one feed --------------------------------------------------------------------------------------

    def poll(self, feed: Feed) -> Polled:
        """Ask one feed now and keep what it brings."""
        tally = _Tally()
        try:
            self._settle_waiting(feed, tally)
            answer = self._answer(feed)
            title = None
            if answer.body is not None:
                title = self._keep(feed, answer, tally)
        except (_Trouble, ReadError, ChildError) as fault:
            return self._failed(feed, fault, tally)
        now = self._clock.now()
        due = stamp(polite.after(now, self._manners.every, self._rng))
        self._store.answered(
            *(feed, stamp(now), due),
            title=title,
            etag=answer.etag,
            last_modified=answer.last_modified,
        )
        return tally.polled(feed.url, "unchanged" if answer.body is None else "read", due=due)

    def _failed(self, feed: Feed, fault: Exception, tally: _Tally) -> Polled:
        message = visible(fault.message if isinstance(fault, ReadError) else str(fault))
        wish = fault.wish if isinstance(fault, _Trouble) else None
        now = self._clock.now()
        due = stamp(polite.back_off(now, feed.failures + 1, wish, self._rng))
        self._store.failed(feed, stamp(now), due, message)
        return tally.polled(feed.url, "failed", message=message, due=due)

    def _answer(self, feed: Feed) -> _Answer:
        """What the feed says now."""
        if not is_address(feed.url):
            return self._file(feed)
        headers = {"Accept": _ACCEPT}
        if feed.etag:
            headers["If-None-Match"] = feed.etag
        if feed.last_modified:
            headers["If-Modified-Since"] = feed.last_modified
        self._sleep(self._pauses.left(feed.url))
        response = self._get(feed.url, MAX_FEED, headers)
        if response.status == 304:
            return _Answer(None, None, feed.etag, feed.last_modified)
        if response.status != 200:
            wish = polite.retry_after(response.headers.get("retry-after"), self._clock.now())
            raise _Trouble(f"the server answered {response.status} {response.reason}".rstrip(), wish)
        raw = unpacked(Raw(feed.url, io.BufferedReader(io.BytesIO(response.body)), ""))
        return _Answer(
            raw.whole(MAX_FEED),
            encoding.named(response.charset),
            _validator(response.headers.get("etag")),
            _validator(response.headers.get("last-modified")),
        )

    def _file(self, feed: Feed) -> _Answer:
        """A feed that is a file; its digest serves as validator."""
        with opened(feed.url, ReadOptions()) as raw:
            body = raw.whole(MAX_FEED)
        mark = f'"{hashlib.sha256(body).hexdigest()}"'
        return _Answer(None if mark == feed.etag else body, None, mark, None)

    def _get(self, url: str, limit: int, headers: dict[str, str] | None = None) -> Response:
        with self._listener.waiting():
            try:
                return fetch(
                    url,
                    allow_private=self._manners.allow_private,
                    timeout=self._manners.timeout,
                    limit=limit,
                    headers=headers,
                )
            finally:
                self._pauses.asked(url)

    # -- items -----------------------------------------------------------------------------------------

    def _keep(self, feed: Feed, answer: _Answer, tally: _Tally) -> str | None:
        """Put everything new of a feed into the store; the feed's name for itself."""
        assert answer.body is not None
        with self._listener.waiting():
            parsed = parsed_feed(answer.body, timeout=self._manners.timeout, named=answer.named)
        for sentence in parsed.faults:
            tally.broken += 1
            self._listener.fault(feed.url, sentence)
        for batch in self._batches(feed, candidates(feed.url, parsed.entries), tally):
            found = iter(self._labelled([_document(item) for item in batch if item.state == "labelled"]))
            for item in batch:
                verdicts = next(found) if item.state == "labelled" else ()
                self._listener.check()
                self._add(feed, item, verdicts, tally)
        return visible(parsed.title) or None

    def _add(self, feed: Feed, item: NewItem, verdicts: Sequence[Verdict] | str, tally: _Tally) -> None:
        if isinstance(verdicts, str):
            item, verdicts = replace(item, state="fault", note=verdicts), ()
        added = self._store.add(feed, item, self._now(), self._maker, verdicts)
        if added is None:
            tally.known += 1
            return
        tally.new += 1
        copy = item.state == "labelled" and self._store.is_copy(added)
        self._count(item, verdicts, copy, tally)

    def _count(self, item: NewItem, verdicts: Sequence[Verdict], copy: bool, tally: _Tally) -> None:
        tally.sentences += len(verdicts)
        tally.copies += copy
        tally.skipped += item.state == "skipped" and item.note != NO_TEXT
        tally.waiting += item.state == "waiting"
        if item.state == "fault" or item.note == NO_TEXT:
            tally.broken += 1
            self._listener.fault(item.name, item.note or "")
        if item.state == "labelled":
            self._listener.labelled(verdicts, copy=copy)

    def _batches(self, feed: Feed, found: Sequence[Candidate], tally: _Tally) -> Iterator[list[NewItem]]:
        """New items with their final text, as many as are labelled at a time."""
        batch: list[NewItem] = []
        begun = self._clock.monotonic()
        for candidate in found:
            self._listener.check()
            if self._store.known(feed, candidate.guid, candidate.address, candidate.digest) is not None:
                tally.known += 1
                continue
            batch.append(self._new(candidate))
            size = sum(len(item.text) for item in batch)
            if size >= BATCH_CHARACTERS or self._clock.monotonic() - begun >= BATCH_SECONDS:
                yield batch
                batch, begun = [], self._clock.monotonic()
        if batch:
            yield batch

    def _new(self, candidate: Candidate) -> NewItem:
        """A candidate as it is to be stored: with its page where pages are asked for."""
        item = NewItem(
            candidate.guid,
            candidate.address,
            candidate.digest,
            candidate.name,
            candidate.meta,
            candidate.text,
        )
        return self._judged(item, self._article(item))

    def _article(self, item: NewItem) -> Found | None:
        link = item.meta.get("link")
        if not self._manners.articles or not link:
            return None
        with self._listener.waiting():
            return self._articles.read(link)

    def _judged(self, item: NewItem, found: Found | None) -> NewItem:
        """`item` with its page (or without, and why), and whether it is labelled."""
        if found is not None and found.text is None:
            item = replace(item, note=found.why, tries=item.tries + 1)
            if found.passing and item.tries < MAX_TRIES:
                return replace(item, state="waiting")
        elif found is not None and found.text is not None:
            if len(found.text) >= len(item.text):
                meta = {**found.meta, **item.meta}
                item = replace(item, text=found.text, meta=meta, source="page", note=None)
            else:
                item = replace(item, note="its page gives less text than the feed")
        if not item.text.strip():
            return replace(item, state="skipped", note=NO_TEXT)
        other = None if self._manners.any_language else not_english(item.text, item.meta.get("language"))
        if other is not None:
            return replace(item, state="skipped", note=f"not English ({other})")
        return replace(item, state="labelled", sketch=sketch(item.text))

    def _settle_waiting(self, feed: Feed, tally: _Tally) -> None:
        """Try again to get the pages of items that are still without."""
        for item_id in self._store.waiting(feed):
            self._listener.check()
            stored = self._store.item(item_id)
            assert stored is not None
            item = self._judged(_again(stored), self._article(_again(stored)))
            verdicts: Sequence[Verdict] | str = ()
            if item.state == "labelled":
                (verdicts,) = self._labelled([_document(item)])
            if isinstance(verdicts, str):
                item, verdicts = replace(item, state="fault", note=verdicts), ()
            copy = self._settled(stored, item, verdicts)
            self._count(item, verdicts, copy, tally)

    def _settled(self, stored: StoredItem, item: NewItem, verdicts: Sequence[Verdict]) -> bool:
        self._store.settle(stored.id, item, self._now(), self._maker, verdicts)
        return item.state == "labelled" and self._store.is_copy(stored.id)

    def _labelled(self, documents: Sequence[Document]) -> list[Sequence[Verdict] | str]:
        """The verdicts of each document, or a sentence about what is wrong with it."""
        if not documents:
            return []
        try:
            return [analysis.verdicts for analysis in self._classifier.stream(documents)]
        except _SETUP_FAULTS:
            raise
        except Exception as fault:  # whatever it is: one text must not stop the others
            if len(documents) == 1:
                return [f"cannot be labelled ({type(fault).__name__}: {visible(str(fault))[:200]})"]
        return [result for document in documents for result in self._labelled([document])]

    # -- time ------------------------------------------------------------------------------------------

    def _now(self) -> str:
        return stamp(self._clock.now())

    def _sleep(self, seconds: float) -> None:
        if seconds > 0:
            with self._listener.waiting():
                self._clock.sleep(seconds)

    def _drift(self) -> float:
        return self._clock.now().timestamp() - self._clock.monotonic()

    def _check_clock(self) -> None:
        newest = self._store.newest()
        if newest is not None and polite.moment(newest) > self._clock.now() + timedelta(seconds=ODD_CLOCK):
            self._listener.note(
                f"the clock shows {self._now()}, before the newest entry of the store ({newest}); check it. "
                "Feeds are read all the same"
            )

    def _held(self, feed: Feed) -> str | None:
        """Until when a feed that failed is to be left alone; None: it may be asked."""
        return feed.due_at if feed.failures and self._seconds_left(feed) > 0 else None

    def _seconds_left(self, feed: Feed) -> float:
        """Seconds until the feed is due; 0 where the clock went back behind its last answer."""
        if feed.due_at is None or feed.polled_at is None:
            return 0.0
        now: datetime = self._clock.now()
        if polite.moment(feed.polled_at) > now + timedelta(seconds=ODD_CLOCK):
            return 0.0
        return max(0.0, (polite.moment(feed.due_at) - now).total_seconds())


@dataclass(slots=True)
class _Tally:
    """Counts of one feed while it is read; the only thing here that changes."""

    new: int = 0
    copies: int = 0
    skipped: int = 0
    waiting: int = 0
    broken: int = 0
    known: int = 0
    sentences: int = 0

    def polled(self, feed: str, state: str, *, message: str = "", due: str = "") -> Polled:
        counts: dict[str, Any] = {name: getattr(self, name) for name in self.__slots__}
        return Polled(feed, state, **counts, message=message, due=due)


def _document(item: NewItem) -> Document:
    return Document(item.text, item.name, item.meta)


def _again(stored: StoredItem) -> NewItem:
    """A stored item on its way through once more."""
    return NewItem(
        stored.guid,
        None,
        digest(stored.text),
        stored.name,
        stored.meta,
        stored.text,
        source=stored.source,
        tries=stored.tries,
        sketch=sketch(stored.text),
    )


def _validator(value: str | None) -> str | None:
    """A header that may be sent back as it came."""
    if value is None or len(value) > _MAX_VALIDATOR or not value.isascii() or not value.isprintable():
        return None
    return value or None
