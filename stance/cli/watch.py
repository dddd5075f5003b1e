"""``stance watch``: follow feeds into a store."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import signal
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any, Final

import click

from stance.cli import loading, options
from stance.cli.progress import Progress
from stance.cli.root import INTERRUPTED, StanceCommand, complain
from stance.errors import StanceError
from stance.sinks.inert import one_line

if TYPE_CHECKING:
    from stance.evidence import Verdict
    from stance.monitor import Maker, Store
    from stance.monitor.watcher import Polled, Watcher
    from stance.sinks import Sink

FAULTY: Final = 1
_SIGNALS: Final = ("SIGINT", "SIGTERM")


@click.command(
    cls=StanceCommand,
    examples=(
        "stance watch https://example.org/feed.xml          until Ctrl-C, every 15 minutes",
        "stance watch feeds.opml --store war.db --articles  feeds of a list, with their articles",
        "stance watch --once --jsonl >> new.jsonl           for cron: the feeds in the store, once",
        "stance watch --relabel                             old items under new rules",
    ),
)
@click.argument("feeds", nargs=-1, metavar="[FEEDS…]")
@options.store_option
@click.option("--once", is_flag=True, help="Read every feed once and end (for cron).")
@click.option(
    "--relabel",
    is_flag=True,
    help="Label the items in the store under the rules and model in use; old verdicts stay. Reads no feed "
    "unless feeds are named or --once is given.",
)
@click.option(
    "--every",
    type=click.FloatRange(10, 7 * 86400),
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Ask each feed about this often; more rarely while it fails or asks for it.",
)
@click.option(
    "--pause",
    type=click.FloatRange(0, 60),
    default=1.0,
    show_default=True,
    metavar="SECONDS",
    help="At least this long between two requests to one site.",
)
@click.option(
    "--articles", is_flag=True, help="Label the article behind each item's link, where robots.txt allows it."
)
@click.option("--jsonl", is_flag=True, help="Write the records of new verdicts to standard output.")
@click.option("--copies", is_flag=True, help="With --jsonl: the records of near-duplicates too.")
@options.fetching_options
@options.engine_options
@options.abstain_option
@options.progress_option
def command(**given: Any) -> int:
    """Follow FEEDS (RSS, Atom, JSON Feed): label every new item and keep it in a store.

    FEEDS are addresses, files, and lists of addresses (OPML, or a line each); without any, those that are
    in the store already. A line a feed goes to standard error. Stop it with Ctrl-C or SIGTERM, or kill
    it: the store holds whole items only, and the next run goes on without losing or repeating one.
    """
    return run(Request(**given))


@dataclass(frozen=True)
class Request:
    """The command line of one run."""

    feeds: tuple[str, ...]
    store: str
    once: bool
    relabel: bool
    every: float
    pause: float
    timeout: float
    articles: bool
    jsonl: bool
    copies: bool
    any_language: bool
    allow_private: bool
    engine: str
    rules: str | None
    overlay: str | None
    model: str | None
    abstain_below: float
    progress: bool | None


class Stopped(BaseException):
    """A signal asked to stop, at a moment when stopping is easy."""


class Stop:
    """Signals that wait for a good moment: while waiting for others at once, else between two items.

    A second signal does not wait.
    """

    def __init__(self) -> None:
        self._asked = False
        self._idle = False

    @contextmanager
    def caught(self) -> Iterator[None]:
        """Catch the signals that ask to stop."""
        before: dict[int, Any] = {}
        with contextlib.suppress(ValueError):  # not in the main thread: whoever runs us handles signals
            for name in _SIGNALS:
                if number := getattr(signal, name, None):
                    before[number] = signal.signal(number, self._ask)
        try:
            yield
        finally:
            for number, handler in before.items():
                signal.signal(number, handler)

    def check(self) -> None:
        if self._asked:
            raise Stopped

    @contextmanager
    def idle(self) -> Iterator[None]:
        """Around waiting; it may be nested."""
        self.check()
        before, self._idle = self._idle, True
        try:
            yield
        finally:
            self._idle = before

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._asked or self._idle:
            self._asked = True
            raise Stopped
        self._asked = True


class Ears:
    """Hears the watcher: messages to standard error, records to `sink`."""

    def __init__(self, stop: Stop, progress: Progress, sink: Sink | None, *, copies: bool) -> None:
        self._stop, self._progress, self._sink, self._copies = stop, progress, sink, copies
        self.faults = 0

    def waiting(self) -> AbstractContextManager[None]:
        return self._stop.idle()

    def check(self) -> None:
        self._stop.check()

    def fault(self, place: str, message: str) -> None:
        self.faults += 1
        self.note(f"{place}: {message}")

    def note(self, message: str) -> None:
        with self._progress.paused():
            complain(message)

    def labelled(self, verdicts: Sequence[Verdict], *, copy: bool) -> None:
        if self._sink is not None and (self._copies or not copy):
            self._sink.write([verdict.to_dict() for verdict in verdicts])
        self._progress.advance(len(verdicts))


def run(request: Request) -> int:
    """Watch; 0 when stopped or done, 1 when something could not be read, 130 when `--once` was stopped."""
    from stance.monitor import Store

    if request.copies and not request.jsonl:
        raise click.UsageError("--copies says which records --jsonl writes; give both")
    stop = Stop()
    with stop.caught(), _alone(request.store, new=bool(request.feeds)), Store.open(request.store) as store:
        try:
            return _run(request, store, stop)
        except Stopped:
            complain("stopped; what was labelled is kept, the same command goes on from there")
            return INTERRUPTED if request.once or _relabels_only(request) else 0


def _run(request: Request, store: Store, stop: Stop) -> int:
    from stance.monitor import Maker
    from stance.monitor.watcher import Manners, Watcher

    faults = 0
    urls: list[str] = []
    if not _relabels_only(request):
        _check_installed(articles=request.articles)
        urls, faults = _urls(request, store, stop)
    classifier = loading.classifier(
        request.engine,
        rules=request.rules,
        overlay=request.overlay,
        model=request.model,
        abstain_below=request.abstain_below,
    )
    maker = Maker(request.engine, classifier.versions, request.abstain_below)
    manners = Manners(
        request.every,
        request.pause,
        request.timeout,
        request.articles,
        request.any_language,
        request.allow_private,
    )
    with Progress.shown(request.progress, (), busy=request.jsonl) as progress:
        ears = Ears(stop, progress, _sink() if request.jsonl else None, copies=request.copies)
        watcher = Watcher(store, classifier, maker, manners, ears)
        if request.relabel:
            _relabel(watcher, store, maker, ears, progress)
        elif old := store.count_outdated(maker):
            ears.note(
                f"note: {_plural(old, 'item')} labelled by other rules or models; --relabel renews them"
            )
        if urls:
            faults += _watch(request, watcher, store, urls, ears)
    return FAULTY if faults + ears.faults else 0


def _check_installed(*, articles: bool) -> None:
    """What every feed would fail for in turn, for ever, and be left alone for after it is mended."""
    wanted = {"fastfeedparser": "reading feeds"} | ({"trafilatura": "reading web pages"} if articles else {})
    for library, what in wanted.items():
        if importlib.util.find_spec(library) is None:
            raise StanceError(f"{what} needs {library}; pip install 'stance[feeds]'")


def _watch(request: Request, watcher: Watcher, store: Store, urls: list[str], ears: Ears) -> int:
    """Ask the feeds, a line each; how many could not be read."""
    from stance.monitor.polite import Clock, stamp

    failures = new = sentences = 0
    now = stamp(Clock().now())
    feeds = [store.feed(url, now) for url in urls]
    polls: Iterable[Polled] = watcher.once(feeds) if request.once else watcher.forever(urls)
    for polled in polls:
        ears.note(line(polled))
        failures += polled.state == "failed"
        new, sentences = new + polled.new, sentences + polled.sentences
    if len(urls) > 1:
        ears.note(f"{_plural(new, 'new item')} with {_plural(sentences, 'sentence')} from {len(urls)} feeds")
    return failures


def _relabel(watcher: Watcher, store: Store, maker: Maker, ears: Ears, progress: Progress) -> None:
    progress.total, progress.by_documents = store.count_outdated(maker), True
    items = sentences = 0
    for _, count in watcher.relabel():
        items, sentences = items + 1, sentences + count
    progress.total, progress.by_documents = None, False
    done = f"{_plural(items, 'item')} with {_plural(sentences, 'sentence')} labelled anew"
    ears.note(f"{done}; the verdicts before are kept" if items else "nothing to label anew")


def _urls(request: Request, store: Store, stop: Stop) -> tuple[list[str], int]:
    """The feeds that are named, else those in the store; and how many entries of lists were at fault."""
    from stance.sources.feedlist import feeds
    from stance.sources.items import Fault, ReadOptions

    if not request.feeds:
        known = [feed.url for feed in store.feeds()]
        if not known:
            raise click.UsageError("the store holds no feeds yet; name some: stance watch URL")
        return known, 0
    found: list[str] = []
    faults = 0
    with stop.idle():
        for entry in feeds(request.feeds, ReadOptions(timeout=request.timeout)):
            if isinstance(entry, Fault):
                faults += 1
                complain(str(entry))
            else:
                found.append(entry)
    if not found:
        raise StanceError("none of the feeds can be watched; correct what is named above")
    return found, faults


def line(polled: Polled) -> str:
    """What came of one feed, in a line."""
    place = one_line(polled.feed)
    counts = _counts(polled)
    if polled.state == "waits":
        return f"{place}: left alone until {polled.due} ({one_line(polled.message)})"
    if polled.state == "failed":
        told = f"{one_line(polled.message)}; not asked again before {polled.due}"
        return f"{place}: {told}; {counts}" if polled.new else f"{place}: {told}"
    if polled.state == "unchanged":
        return f"{place}: not modified{f'; {counts}' if polled.sentences else ''}"
    return f"{place}: {counts}"


def _counts(polled: Polled) -> str:
    """``5 new (1 copy, 1 not English), 40 sentences, 12 known``."""
    parts = (
        (polled.copies, "copy" if polled.copies == 1 else "copies"),
        (polled.skipped, "not English"),
        (polled.waiting, "waiting for their page"),
        (polled.broken, "at fault"),
    )
    inner = ", ".join(f"{count} {what}" for count, what in parts if count)
    new = f"{polled.new} new" + (f" ({inner})" if inner else "")
    return ", ".join((new, _plural(polled.sentences, "sentence"), f"{polled.known} known"))


@contextmanager
def _alone(store: str, *, new: bool) -> Iterator[None]:
    """Keep a second watcher out: it would ask every feed twice and do all work again."""
    from stance.sinks.files import lock

    path = Path(f"{store}.lock")
    if not path.parent.is_dir() or Path(store).is_dir() or not (new or os.path.exists(store)):
        if not new and not os.path.exists(store):
            raise click.UsageError(f"there is no store {store} yet; name feeds to start one, or its --store")
        yield  # the store says what is wrong
        return
    try:
        stream = path.open("ab")
    except OSError as fault:
        raise StanceError(
            f"{path}: cannot be made ({fault.strerror}); watching needs a folder that can be written to"
        ) from None
    with stream:
        lock(stream, Path(store))
        yield


def _sink() -> Sink:
    from stance.sinks import SinkOptions, open_sink

    if sys.stdout is None:
        raise StanceError("standard output is closed; open it or leave out --jsonl")
    return open_sink("jsonl", sys.stdout.buffer, SinkOptions(ascii_json=options.stdout_is_terminal()))


def _relabels_only(request: Request) -> bool:
    return request.relabel and not request.once and not request.feeds


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
