"""Watching feeds of a real local server: what is new is labelled once and kept, politely."""

from __future__ import annotations

import contextlib
import json
import random
import zlib
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("urllib3", reason="needs the extra stance[feeds]")
pytest.importorskip("fastfeedparser", reason="needs the extra stance[feeds]")
pytest.importorskip("trafilatura", reason="needs the extra stance[feeds]")
pytest.importorskip("protego", reason="needs the extra stance[feeds]")

from fake_classifier import VERSIONS, FakeClassifier
from local_server import Handler, Server, item, numbered, rss, serving

from stance.evidence import Analysis, Verdict
from stance.monitor import Maker, Store, polite
from stance.monitor.identity import address, candidates
from stance.monitor.watcher import Manners, Polled, Watcher
from stance.sources import child, fetch
from stance.sources.markup import Entry

MAKER = Maker("rules", VERSIONS)
MANNERS = Manners(pause=0.0, timeout=60.0, allow_private=True)
START = datetime(2024, 5, 1, 10, tzinfo=UTC)


@pytest.fixture(autouse=True, scope="module")
def one_child() -> Iterator[None]:
    yield
    child.CHILD.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: Server) -> Server:
    running.answers.clear()
    running.asked.clear()
    return running


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path / "monitor.db") as opened:
        yield opened


@dataclass
class FakeClock(polite.Clock):
    """Sleeps by moving its hands; `jump` moves the wall clock alone."""

    seconds: float = 0.0
    jump: float = 0.0
    slept: list[float] = field(default_factory=list)

    def now(self) -> datetime:
        return START + timedelta(seconds=self.seconds + self.jump)

    def monotonic(self) -> float:
        return self.seconds

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.seconds += seconds


@dataclass
class Ears:
    """Remembers what it hears; interrupts after so many checks."""

    faults: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    records: list[dict[str, Any]] = field(default_factory=list)
    copies: int = 0
    checks: int = 1_000_000

    def fault(self, place: str, message: str) -> None:
        self.faults.append(f"{place}: {message}")

    def note(self, message: str) -> None:
        self.notes.append(message)

    def labelled(self, verdicts: Sequence[Verdict], *, copy: bool) -> None:
        self.copies += copy
        self.records += [verdict.to_dict() for verdict in verdicts]

    def waiting(self) -> AbstractContextManager[None]:
        return contextlib.nullcontext()

    def check(self) -> None:
        self.checks -= 1
        if self.checks < 0:
            raise KeyboardInterrupt


class Setup:
    """A watcher on a store, with a clock that a test holds."""

    def __init__(self, store: Store, manners: Manners = MANNERS, classifier: Any = None) -> None:
        self.store, self.clock, self.ears = store, FakeClock(), Ears()
        self.classifier = classifier or FakeClassifier()
        self.manners = manners

    def watcher(self, maker: Maker = MAKER) -> Watcher:
        return Watcher(
            self.store,
            self.classifier,
            maker,
            self.manners,
            self.ears,
            clock=self.clock,
            rng=random.Random(1),
        )

    def once(self, *urls: str) -> list[Polled]:
        now = polite.stamp(self.clock.now())
        return list(self.watcher().once([self.store.feed(url, now) for url in urls]))

    def texts(self) -> list[str]:
        return [found.text for found in self.store.items(copies=True)]


# -- what is new ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("etag", [True, False])
def test_everything_once_and_then_what_is_new(server: Server, store: Store, etag: bool) -> None:
    setup = Setup(store)
    items = [numbered(number) for number in range(20)]
    url = server.feed("/a", *items, etag=etag)
    (first,) = setup.once(url)
    assert (first.state, first.new, first.sentences, first.known) == ("read", 20, 80, 0)
    (again,) = setup.once(url)
    assert (again.state, again.new) == ("unchanged" if etag else "read", 0)
    server.feed("/a", *(numbered(number) for number in range(20, 25)), *items, etag=etag)
    (third,) = setup.once(url)
    assert (third.new, third.known) == (5, 20)
    assert (store.count("items"), store.count("sentences"), store.count("verdicts")) == (25, 100, 100)
    assert len(setup.ears.records) == 100
    assert setup.ears.faults == []
    assert store.feeds()[0].title == "The Feed"


def test_validators_are_sent_back_and_stay_through_failures(server: Server, store: Store) -> None:
    setup = Setup(store)
    body = rss(numbered(1)).encode()
    stamp = "Wed, 01 May 2024 10:00:00 GMT"
    server.answers["/a"] = lambda handler: handler.give(body, ETag='W/"1"', Last_Modified=stamp)
    setup.once(f"{server.url}/a")
    sent = server.asked[0][1]
    assert "if-none-match" not in sent
    assert "if-modified-since" not in sent
    server.answers["/a"] = lambda handler: handler.give(b"", 500)
    setup.once(f"{server.url}/a")
    setup.clock.seconds += 600
    server.answers["/a"] = lambda handler: handler.give(b"", 304)
    (polled,) = setup.once(f"{server.url}/a")
    assert polled.state == "unchanged"
    for _, sent in server.asked[1:]:
        assert (sent["if-none-match"], sent["if-modified-since"]) == ('W/"1"', stamp)
    assert store.feeds()[0].failures == 0


def test_validators_wait_until_every_item_is_kept(server: Server, store: Store) -> None:
    setup = Setup(store)
    url = server.feed("/a", *(numbered(number) for number in range(10)))
    setup.ears.checks = 15  # stopped in the middle of the items
    with pytest.raises(KeyboardInterrupt):
        setup.once(url)
    assert 0 < store.count("items") < 10
    assert store.feeds()[0].etag is None
    setup.ears.checks = 1000
    (polled,) = setup.once(url)
    assert polled.new + polled.known == 10
    assert store.count("items") == 10


def test_items_are_known_by_guid_by_link_and_by_words(server: Server, store: Store) -> None:
    setup = Setup(store)
    one = item("First words.", guid="g", link="https://example.org/1?utm_source=rss")
    two = item("Second words.", link="https://example.org/2")
    three = item("Third words.")
    setup.once(server.feed("/a", one, two, three))
    changed = item("Other words.", guid="g", link="https://example.org/9")
    moved = item("Other text.", guid="new", link="http://Example.org/2")
    marked = item("<p>Third,  words</p>", pubDate="Mon, 01 Jan 2024 10:00:00 GMT")
    tracked = item("Whatever.", link="https://example.org/1?utm_source=mail")
    (polled,) = setup.once(server.feed("/a", changed, moved, marked, tracked))
    assert (polled.new, polled.known) == (0, 4)


def test_a_guid_or_link_that_several_items_share_says_nothing(server: Server, store: Store) -> None:
    setup = Setup(store)
    items = [item(f"Report number {n}.", guid="same", link="https://example.org/all") for n in range(3)]
    (polled,) = setup.once(server.feed("/a", *items, items[0]))
    assert (polled.new, polled.known) == (3, 1)
    home = [item(f"News {n}.", link="https://example.org/") for n in range(2)]
    for entry in home:  # one after the other: nothing shows that the link is shared
        assert setup.once(server.feed("/b", entry))[0].new == 1
    (polled,) = setup.once(server.feed("/a", *items[1:]))
    assert (polled.new, polled.known) == (0, 2)


def test_the_same_article_in_two_feeds_of_a_site_is_one_item(server: Server, store: Store) -> None:
    setup = Setup(store)
    urls = [server.feed(path, numbered(1)) for path in ("/news", "/world")]
    assert [polled.new for polled in setup.once(*urls)] == [1, 0]


def test_wire_copy_is_grouped_and_counted_once(server: Server, store: Store) -> None:
    setup = Setup(store)
    story = " ".join(f"the talks of day {number} were held and" for number in range(30))
    urls = [
        server.feed("/a", item(story, guid="1", link="https://a.example/1")),
        server.feed("/b", item(f"{story} More here.", guid="1", link="https://b.example/1")),
    ]
    one, other = setup.once(*urls)
    assert (one.copies, other.new, other.copies) == (0, 1, 1)
    assert setup.ears.copies == 1
    assert [found.copy_of for found in store.items(copies=True)] == [None, 1]


def test_a_feed_that_is_a_file(store: Store, tmp_path: Path) -> None:
    setup = Setup(store)
    path = tmp_path / "feed.xml"
    path.write_text(rss(numbered(1)))
    assert [setup.once(str(path))[0].state for _ in range(2)] == ["read", "unchanged"]
    path.write_text(rss(numbered(2), numbered(1)))
    assert setup.once(str(path))[0].new == 1
    path.unlink()
    (polled,) = setup.once(str(path))
    assert (polled.state, polled.message) == ("failed", "no such file; check the path")


# -- manners --------------------------------------------------------------------------------------------


def test_retry_after_is_obeyed(server: Server, store: Store) -> None:
    setup = Setup(store)
    wishes = {"/seconds": "7200", "/date": "Wed, 01 May 2024 12:00:00 GMT"}
    for path, wish in wishes.items():
        server.answers[path] = lambda handler, wish=wish: handler.give(b"", 429, Retry_After=wish)  # type: ignore[misc]
    urls = [server.url + path for path in wishes]
    for polled in setup.once(*urls):
        assert (polled.state, polled.due) == ("failed", "2024-05-01T12:00:00Z")
        assert "429 Too Many Requests" in polled.message
    setup.clock.seconds = 7100
    assert [polled.state for polled in setup.once(*urls)] == ["waits", "waits"]
    assert len(server.asked) == 2
    setup.clock.seconds = 7201
    server.feed("/date", numbered(1))
    assert [polled.state for polled in setup.once(*urls)] == ["failed", "read"]


def test_failures_back_off_and_recover(server: Server, store: Store) -> None:
    setup = Setup(store)
    server.answers["/a"] = lambda handler: handler.give(b"", 500)
    gaps = []
    for _ in range(14):
        (polled,) = setup.once(f"{server.url}/a")
        gap = (polite.moment(polled.due) - setup.clock.now()).total_seconds()
        gaps.append(gap)
        setup.clock.seconds += gap + 1
    assert 50 <= gaps[0] <= 70
    assert all(later > earlier * 1.5 for earlier, later in pairwise(gaps[:10]))
    assert all(gap <= 86400 * 1.1 for gap in gaps)
    server.feed("/a", numbered(1))
    (polled,) = setup.once(f"{server.url}/a")
    assert polled.new == 1
    assert store.feeds()[0].failures == 0


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("120", 120.0),
        (" 0 ", 0.0),
        ("Wed, 01 May 2024 11:00:00 GMT", 3600.0),
        ("Wed, 01 May 2024 09:00:00 GMT", 0.0),
        ("", None),
        (None, None),
        ("soon", None),
        ("-5", None),
        ("9" * 50, None),
        ("٣", None),
        ("Wed, 99 May 2024 99:00:00 GMT", None),
    ],
)
def test_retry_after_in_every_form(header: str | None, expected: float | None) -> None:
    assert polite.retry_after(header, START) == expected


def test_feeds_are_asked_when_due_with_jitter(server: Server, store: Store) -> None:
    setup = Setup(store, replace(MANNERS, every=600.0))
    urls = [server.feed("/a", numbered(1)), server.feed("/b", numbered(2))]
    polls: list[tuple[float, str]] = []
    for polled in setup.watcher().forever(urls):
        polls.append((setup.clock.seconds, polled.feed))
        if len(polls) == 8:
            break
    for url in urls:
        times = [moment for moment, feed in polls if feed == url]
        gaps = [later - earlier for earlier, later in pairwise(times)]
        assert all(540 <= gap <= 665 for gap in gaps), gaps
        assert len(set(gaps)) > 1
    assert max(setup.clock.slept) <= 30.0


def test_requests_to_one_site_keep_their_distance(server: Server, store: Store) -> None:
    setup = Setup(store, replace(MANNERS, pause=5.0))
    setup.once(*(server.feed(f"/{number}", numbered(number)) for number in range(3)))
    assert setup.clock.slept == [5.0, 5.0]


def test_a_clock_that_jumps(server: Server, store: Store) -> None:
    setup = Setup(store, replace(MANNERS, every=600.0))
    url = server.feed("/a", numbered(1))
    setup.clock.jump = 3 * 86400.0
    setup.once(url)
    setup.clock.jump = 0.0  # and back: the store has entries of the future
    polls = setup.watcher().forever([url])
    assert next(polls).state == "unchanged"  # not left alone for three days
    assert "before the newest entry of the store (2024-05-04T10:00:00Z)" in setup.ears.notes[0]
    setup.clock.jump = 7200.0
    assert next(polls).state == "unchanged"
    setup.clock.jump = 0.0
    next(polls)
    assert any("the clock jumped by -7200 s" in note for note in setup.ears.notes)


# -- what feeds do wrong --------------------------------------------------------------------------------


def large(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Content-Length", str(50 * 2**20))
    handler.end_headers()
    for _ in range(50):
        handler.wfile.write(b"<rss>" * 2**18)


def endless(handler: Handler) -> None:
    handler.send_response(200)
    handler.send_header("Transfer-Encoding", "chunked")
    handler.end_headers()
    while not handler.server.stopping.is_set():
        handler.wfile.write(b"8000\r\n" + b" " * 0x8000 + b"\r\n")


def packed_bomb(handler: Handler) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(bytes(2**20)) for _ in range(60)) + packer.flush()
    handler.give(bomb, Content_Encoding="gzip")


def packed_file_bomb(handler: Handler) -> None:
    packer = zlib.compressobj(9, wbits=31)
    handler.give(b"".join(packer.compress(bytes(2**20)) for _ in range(60)) + packer.flush())


def entity_bomb(handler: Handler) -> None:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "lol">{entities}]>'
    body = (
        f"{head}<rss version='2.0'><channel><title>x</title><item><title>&e9;</title></item></channel></rss>"
    )
    handler.give(body.encode())


BAD = {
    "/large": (large, "larger than 16 MB"),
    "/endless": (endless, "larger than 16 MB"),
    "/loop": (lambda h: h.give(b"", 302, Location="/loop"), "redirects more than 5 times"),
    "/file": (lambda h: h.give(b"", 302, Location="file:///etc/passwd"), "leads to 'file'"),
    "/bomb": (packed_bomb, "larger than 16 MB"),
    "/bomb.gz": (packed_file_bomb, "unpacks to more than 200 times its size"),
    "/page": (lambda h: h.give(b"<html><body>Not found</body></html>"), "not a feed"),
    "/empty": (lambda h: h.give(b""), "not a feed"),
    "/gone": (lambda h: h.give(b"", 410), "the server answered 410 Gone"),
    "/broken": (lambda h: h.wfile.write(b"garbage\r\n\r\n"), "cannot be fetched"),
}


def test_bad_feeds_do_not_stop_the_good_one(server: Server, store: Store) -> None:
    setup = Setup(store)
    for path, (answer, _) in BAD.items():
        server.answers[path] = answer  # type: ignore[assignment]
    good = server.feed("/good", numbered(1))
    polls = setup.once(*(server.url + path for path in BAD), good)
    assert polls.pop().new == 1
    for polled, (path, (_, message)) in zip(polls, BAD.items(), strict=True):
        assert (polled.state, polled.new) == ("failed", 0), path
        assert message in polled.message, path
    faults = [feed.fault for feed in store.feeds()]
    assert all(faults[:-1])
    assert faults[-1] is None


def test_slow_bodies_and_silence_are_given_up(server: Server, store: Store) -> None:
    setup = Setup(store, replace(MANNERS, timeout=0.5))

    def slow(handler: Handler) -> None:
        handler.send_response(200)
        handler.send_header("Content-Length", "100000")
        handler.end_headers()
        while not handler.server.stopping.wait(0.05):
            handler.wfile.write(b" ")

    server.answers["/slow"] = slow
    server.answers["/silent"] = lambda handler: handler.server.stopping.wait(60) and None
    for polled in setup.once(f"{server.url}/slow", f"{server.url}/silent"):
        assert "took longer than 0.5 s" in polled.message


def test_private_addresses_are_refused(server: Server, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    setup = Setup(store, replace(MANNERS, allow_private=False))
    assert "private address 127.0.0.1" in setup.once(server.feed("/a", numbered(1)))[0].message
    assert server.asked == []
    monkeypatch.setattr(fetch, "public", lambda address: address == "127.0.0.1")
    with serving("127.0.0.2") as inner:
        server.answers["/b"] = lambda h: h.give(b"", 302, Location=inner.feed("/secret", numbered(1)))
        assert "private address 127.0.0.2" in setup.once(f"{server.url}/b")[0].message
        assert inner.asked == []


def test_an_entity_bomb_gives_nothing(server: Server, store: Store) -> None:
    setup = Setup(store)
    server.answers["/a"] = entity_bomb
    (polled,) = setup.once(f"{server.url}/a")
    assert polled.sentences == 0
    assert polled.state == "failed" or polled.broken == 1


def test_one_broken_item_is_counted_and_the_rest_kept(server: Server, store: Store) -> None:
    setup = Setup(store)
    scripts = "<p>Rain fell.</p><script>alert('x')</script><style>p {}</style><p>It stopped.</p>"
    items = [
        item("", guid="nothing"),
        item(scripts, guid="scripts", pubDate="the other day"),
        item("No guid, no date, no link."),
        "<item><pubDate>99</pubDate></item>",
        "<nonsense/>",
    ]
    url = server.feed("/a", *items)
    (polled,) = setup.once(url)
    assert setup.texts() == ["Rain fell.\n\nIt stopped.", "No guid, no date, no link."]
    assert (polled.new, polled.broken) == (3, 1)  # the two without anything are one
    assert len(setup.ears.faults) == 1
    assert "neither a title nor a text" in setup.ears.faults[0]
    server.feed("/a", *items, numbered(1))
    assert setup.once(url)[0].new == 1  # and what was at fault is not told again
    assert len(setup.ears.faults) == 1


def test_wrong_encodings(server: Server, store: Store) -> None:
    setup = Setup(store)
    feed = rss(item("The “talks” went on at the café.", guid="1")).replace(
        "'1.0'", "'1.0' encoding='iso-8859-1'"
    )
    answers = {
        "/utf8": (feed.encode(), "application/rss+xml; charset=iso-8859-1"),
        "/cp1252": (feed.replace("iso-8859-1", "utf-8").encode("cp1252"), "text/xml"),
        "/utf16": (feed.encode("utf-16"), "text/xml; charset=utf-8"),
    }
    for path, (body, kind) in answers.items():
        server.answers[path] = lambda h, body=body, kind=kind: h.give(body, Content_Type=kind)  # type: ignore[misc]
    setup.once(*(server.url + path for path in answers))
    assert setup.texts() == ["The “talks” went on at the café."] * 3


def test_other_languages_are_skipped_with_a_count_and_labelled_when_wanted(
    server: Server, store: Store
) -> None:
    setup = Setup(store)
    foreign = item("Министр заявил в понедельник, что переговоры прошли в столице.", guid="ru")
    (polled,) = setup.once(server.feed("/a", foreign, numbered(1)))
    assert (polled.new, polled.skipped, polled.sentences) == (2, 1, 4)
    assert list(setup.watcher().relabel()) == []
    setup.manners = replace(MANNERS, any_language=True)
    assert list(setup.watcher().relabel()) == [(1, 1)]
    assert len(setup.texts()) == 2


class Poisoned(FakeClassifier):
    """Breaks on one word."""

    def stream(self, documents: Any) -> Iterator[Analysis]:
        for analysis in super().stream(documents):
            if "poison" in analysis.document.text:
                raise ZeroDivisionError("poison")
            yield analysis


def test_a_text_that_breaks_the_classifier_stops_no_other(server: Server, store: Store) -> None:
    setup = Setup(store, classifier=Poisoned())
    url = server.feed("/a", numbered(1), item("Pure poison.\n", guid="p"), numbered(2))
    (polled,) = setup.once(url)
    assert (polled.new, polled.broken, polled.sentences) == (3, 1, 8)
    assert setup.ears.faults == ["p: cannot be labelled (ZeroDivisionError: poison)"]
    assert list(setup.watcher().relabel()) == []
    assert len(setup.ears.faults) == 2
    setup.classifier = FakeClassifier()
    assert list(setup.watcher().relabel()) == [(2, 1)]
    assert len(list(store.items())) == 3


def test_hostile_names_are_kept_harmless(server: Server, store: Store) -> None:
    setup = Setup(store)
    evil = "=cmd|' /C calc'!A0 \x1b]0;owned\x07 \u202eback"
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": f"Feed {evil}",
        "items": [{"id": f"id\x00{evil}", "title": evil, "content_text": f"Rain.\n{evil}\x00\ud800"}],
    }
    server.answers["/a"] = lambda h: h.give(json.dumps(feed).encode(), Content_Type="application/feed+json")
    (polled,) = setup.once(f"{server.url}/a")
    assert polled.new == 1
    (found,) = store.items()
    kept = (found.text, found.feed_title, found.guid, found.name, *found.meta.values())
    for text in kept:
        assert text is not None
        assert not set(text) & set("\x00\x1b\x07\u202e"), text
        assert not any(0xD800 <= ord(character) < 0xE000 for character in text)
    assert "\\x1b]0;owned\\x07" in str(found.meta["title"])
    for sentence in found.sentences:
        assert found.text[sentence.start : sentence.end] == sentence.text


# -- new rules ------------------------------------------------------------------------------------------


class Renewed(FakeClassifier):
    """Other rules, which cut texts otherwise and answer otherwise."""

    versions = replace(VERSIONS, rules="rules1")

    def stream(self, documents: Any) -> Iterator[Analysis]:
        for analysis in super().stream(documents):
            made = [replace(v, reason="new", versions=self.versions) for v in analysis.verdicts[1:]]
            yield Analysis(analysis.document, tuple(made))


def test_old_items_come_under_new_rules_and_old_verdicts_stay(server: Server, store: Store) -> None:
    setup = Setup(store)
    setup.once(server.feed("/a", *(numbered(number) for number in range(5))))
    before = [sentence.record for found in store.items() for sentence in found.sentences]
    setup.classifier, setup.ears.records = Renewed(), []
    maker = Maker("rules", Renewed.versions)
    assert store.count_outdated(maker) == 5
    assert [count for _, count in setup.watcher(maker).relabel()] == [3] * 5
    after = [sentence.record for found in store.items() for sentence in found.sentences]
    assert after == setup.ears.records
    assert {record["versions"]["rules"] for record in after} == {"rules1"}
    assert (store.count("verdicts"), store.count("sentences")) == (35, 20)
    assert list(setup.watcher(maker).relabel()) == []
    setup.classifier = FakeClassifier()
    assert len(list(setup.watcher().relabel())) == 5
    assert [sentence.record for found in store.items() for sentence in found.sentences] == before
    assert store.count("verdicts") == 35


# -- articles -------------------------------------------------------------------------------------------

PARAGRAPH = (
    "The minister said on Monday that the talks had been held and that they would go on in the capital."
)
PAGE = f"""<html lang="en"><head><title>Talks</title><meta name="author" content="Ann Writer"></head><body>
<nav><a href="/">Home</a></nav><article><h1>Talks</h1><p>{PARAGRAPH}</p><script>no()</script>
<p>A second paragraph followed with many words about the same event in the same place.</p></article>
</body></html>"""
ARTICLES = replace(MANNERS, articles=True)


def linked(server: Server, path: str, text: str = "Teaser.") -> str:
    return item(text, guid=path, link=server.url + path, title="Talks")


def notes(store: Store) -> list[tuple[str, str, str | None]]:
    found = [store.item(number) for number in range(1, store.count("items") + 1)]
    return [(entry.state, entry.source, entry.note) for entry in found if entry]


def test_articles_are_read_where_robots_allow_it(server: Server, store: Store) -> None:
    setup = Setup(store, ARTICLES)
    server.answers["/robots.txt"] = lambda h: h.give(
        b"User-agent: *\nDisallow: /private*x\nAllow: /\nCrawl-delay: 7\n"
    )
    for path in ("/1", "/private/x"):
        server.answers[path] = lambda h: h.give(PAGE.encode(), Content_Type="text/html")
    server.answers["/short"] = lambda h: h.give(PAGE.encode(), Content_Type="text/html")
    longer = "A long text of the feed. " * 50
    (polled,) = setup.once(
        server.feed(
            "/feed",
            linked(server, "/1"),
            linked(server, "/private/x"),
            linked(server, "/none"),
            linked(server, "/short", longer),
            item("No link here.", guid="n"),
        )
    )
    assert notes(store) == [
        ("labelled", "page", None),
        ("labelled", "feed", "the site's robots.txt does not allow it"),
        ("labelled", "feed", "its page: the server answered 404 Not Found"),
        ("labelled", "feed", "its page gives less text than the feed"),
        ("labelled", "feed", None),
    ]
    first = store.item(1)
    assert first is not None
    assert first.text.startswith(f"Talks\n\n{PARAGRAPH}")
    assert first.meta["author"] == "Ann Writer"
    assert first.meta["outlet"] == "The Feed"
    assert polled.waiting == 0
    assert server.paths().count("/robots.txt") == 1
    assert "/private/x" not in server.paths()
    assert setup.clock.slept.count(7.0) == 3  # before each of the three pages that were asked for


def test_an_item_waits_for_a_page_that_may_come(server: Server, store: Store) -> None:
    setup = Setup(store, ARTICLES)
    server.answers["/1"] = server.answers["/2"] = lambda h: h.give(b"", 503, Retry_After="5")
    url = server.feed("/feed", linked(server, "/1"), linked(server, "/2", "Another teaser."))
    (polled,) = setup.once(url)
    assert (polled.new, polled.waiting, polled.sentences) == (2, 2, 0)
    assert setup.texts() == []
    server.answers["/1"] = lambda h: h.give(PAGE.encode(), Content_Type="text/html")
    setup.clock.seconds += 60
    (polled,) = setup.once(url)  # the feed itself has not changed
    assert (polled.state, polled.sentences) == ("unchanged", 3)
    for _ in range(2):
        setup.clock.seconds += 60
        setup.once(url)
    assert [(state, source) for state, source, _ in notes(store)] == [
        ("labelled", "page"),
        ("labelled", "feed"),
    ]
    assert "503 Service Unavailable" in str(notes(store)[1][2])
    assert server.paths().count("/2") == 4
    setup.clock.seconds += 60
    setup.once(url)
    assert server.paths().count("/2") == 4
    assert store.count("items") == 2


def test_a_site_whose_robots_are_out_of_reach_is_not_read_for_now(server: Server, store: Store) -> None:
    setup = Setup(store, ARTICLES)
    server.answers["/robots.txt"] = lambda h: h.give(b"", 500)
    setup.once(server.feed("/feed", linked(server, "/1")))
    assert notes(store) == [("waiting", "feed", "the site's robots.txt is out of reach")]
    assert "/1" not in server.paths()


def test_a_page_that_hangs_the_parser_leaves_the_feeds_text(server: Server, store: Store) -> None:
    Setup(store).once(server.feed("/feed"))  # the child that parses is up and warm
    setup = Setup(store, replace(ARTICLES, timeout=3.0))
    page = "<html><body><p " + " ".join(f"a{n}='x'" for n in range(200_000)) + ">Text</p></body></html>"
    server.answers["/1"] = lambda h: h.give(page.encode(), Content_Type="text/html")
    (polled,) = setup.once(server.feed("/feed", linked(server, "/1"), numbered(1)))
    assert polled.new == 2
    found = store.item(1)
    assert found is not None
    assert found.text == "Talks\n\nTeaser."
    assert "its page" in str(found.note)


# -- identity -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("link", "expected"),
    [
        ("http://Example.org:80/a?utm_source=x&b=1&fbclid=2", "https://example.org/a?b=1"),
        ("https://example.org/live#block-7", "https://example.org/live#block-7"),
        ("https://example.org/a#xtor=RSS-1", "https://example.org/a"),
        ("https://example.org:8443/a?b=%20c", "https://example.org:8443/a?b=%20c"),
        ("https://example.org/?p=12", "https://example.org/?p=12"),
        ("https://example.org/", None),
        ("https://example.org?utm_source=x", None),
        ("https://[::1/a", None),
        ("https://example.org:99999/a", None),
        ("", None),
        (None, None),
    ],
)
def test_addresses_without_tracking(link: str | None, expected: str | None) -> None:
    assert address(link) == expected


def test_items_without_any_name_get_one_from_their_words() -> None:
    (found,) = candidates("https://example.org/feed", [Entry(None, "Rain fell.", {})])
    assert (found.guid, found.address) == (None, None)
    assert found.name == f"https://example.org/feed#{found.digest[:12]}"
