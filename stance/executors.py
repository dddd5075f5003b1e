"""The same batches, the same answers: in this process, in local processes, or on a Dask cluster.

Work is a pure function from a batch of documents, or of single sentences, to their records. Whoever runs it
gets an endless stream in and gives an ordered stream out, never more than a window of batches ahead, so that
memory stays flat. Scheduling is the engine's; what is ours: a batch whose worker died is tried again, then
cut in halves until the record that kills its worker stands alone; it is named and left out, all others come.
"""

from __future__ import annotations

import gc
import json
import multiprocessing
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from multiprocessing.connection import Connection, wait
from queue import SimpleQueue
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeVar

from stance.document import Document, Sentence
from stance.errors import StanceError

if TYPE_CHECKING:
    from multiprocessing.process import BaseProcess

    from stance.classifier import Classifier


@dataclass(frozen=True, slots=True)
class Row:
    """A single sentence, and what its record is to say in place of what it would: an id that is a number,
    where it comes from."""

    sentence: Sentence
    more: Mapping[str, Any]

    @property
    def text(self) -> str:
        """The words."""
        return self.sentence.text

    def __reduce__(self) -> tuple[Any, ...]:
        return Row, (self.sentence, self.more)


Work = Document | Sentence | Row
# The characters of JSON lines; None: records instead.
Lines = Literal["utf-8", "ascii"] | None
# What came of one item: its records, or each as a line of JSON where the setup wants lines.
Records = list[dict[str, Any]] | list[str]

# A batch is closed at so many characters or items: a second of work, more or less.
BATCH_CHARS: Final = 60_000
BATCH_ITEMS: Final = 1_000
# Input with fewer characters is not worth starting processes for: each loads the pipeline anew.
WORTHWHILE_CHARS: Final = 250_000
# Batches that wait, run, or are done but not yet in turn, for each worker.
WINDOW: Final = 6
# Batches handed to a worker: one to work on, one ready when that is done.
_AHEAD: Final = 2
CONNECT_SECONDS: Final = 20
# Seconds after which a result that a Dask worker has not handed over is worked out anew.
RESULT_SECONDS: Final = 30
# Seconds for which a cluster may be without workers: a batch system may take long to give others.
WORKERLESS_SECONDS: Final = 600
POLL_SECONDS: Final = 5
_ALONE: Final = 2
_ASIDE: Final = "its worker died each time it was tried (out of memory or killed); left out"
_LOST: Final = "worker processes end before they have done anything"
_MAX_FRUITLESS: Final = 100


@dataclass(frozen=True, slots=True)
class Setup:
    """What a worker needs to build the classifier, and what that must then be.

    ``versions`` are those of the process that hands out the work; a worker with other rules, another model
    or another pipeline would give other answers and is refused. With ``lines``, records come as lines of
    JSON in these characters: made where there are many processes and not where there is one.
    """

    engine: str
    rules: str | None = None
    overlay: str | None = None
    model: str | None = None
    abstain_below: float = 0.0
    versions: tuple[tuple[str, str | None], ...] = ()
    lines: Lines = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A piece of work that cannot be done, and why."""

    name: str
    message: str


Done = tuple[Work, Records | Quarantined]


@dataclass(frozen=True, slots=True)
class Batch:
    """Items that follow each other in the input; ``start`` is the number of the first. ``deaths`` counts
    the workers that died over them."""

    start: int
    items: tuple[Work, ...]
    deaths: int = 0

    def halves(self) -> tuple[Batch, Batch]:
        """Two batches, which need not die twice: what held them together already did."""
        middle = len(self.items) // 2
        return (
            Batch(self.start, self.items[:middle], 1),
            Batch(self.start + middle, self.items[middle:], 1),
        )

    def after_death(self) -> list[Batch]:
        """What is to be tried now: once more, then in halves; nothing if it cannot be divided."""
        if self.deaths == 0:
            return [Batch(self.start, self.items, 1)]
        return list(self.halves()) if len(self.items) > 1 else []


# -- the work --------------------------------------------------------------------------------------------


def label(
    classifier: Classifier,
    items: Sequence[Work],
    start: int = 0,
    lines: Lines = None,
) -> list[Records]:
    """The records of each item. ``start``: the index of the first, if they are single sentences."""
    return [records for _, records in _labelled(items, classifier, start, lines)]


def _labelled(
    items: Iterable[Work], classifier: Classifier, start: int, lines: Lines
) -> Iterator[tuple[Work, Records]]:
    """Each item with its records, as soon as it is done."""
    stream = iter(items)
    head = next(stream, None)
    if head is None:
        return
    if isinstance(head, Document):
        documents = (item for item in chain([head], stream) if isinstance(item, Document))
        for analysis in classifier.stream(documents):
            yield analysis.document, _written([verdict.to_dict() for verdict in analysis], lines)
        return
    waiting: deque[Work] = deque()  # those that the classifier has taken in already
    sentences = _sentences(chain([head], stream), waiting)
    for index, verdict in enumerate(classifier.classify_sentences(sentences), start):
        item = waiting.popleft()
        more = item.more if isinstance(item, Row) else {}
        yield item, _written([{**verdict.to_dict(), "index": index, **more}], lines)


def _sentences(items: Iterable[Work], waiting: deque[Work]) -> Iterator[Sentence]:
    for item in items:
        if not isinstance(item, Document):
            waiting.append(item)
            yield item.sentence if isinstance(item, Row) else item


def _written(records: list[dict[str, Any]], lines: str | None) -> Records:
    return records if lines is None else [dumped(record, lines == "ascii") for record in records]


def dumped(record: Mapping[str, Any], ascii_only: bool) -> str:
    """A record as a line of JSON, without its end."""
    return (_ASCII if ascii_only else _UTF8).encode(record)


_ASCII: Final = json.JSONEncoder(ensure_ascii=True)
_UTF8: Final = json.JSONEncoder(ensure_ascii=False)


_BUILT: dict[Setup, Classifier] = {}
_BUILDING: Final = threading.Lock()


def built(setup: Setup) -> Classifier:
    """The classifier of a setup, loaded once a process.

    Raises:
        StanceError: rules, model or pipeline here are not those of the process that hands out the work.
    """
    with _BUILDING:
        if setup not in _BUILT:
            _BUILT[setup] = _load(setup)
        return _BUILT[setup]


def _load(setup: Setup) -> Classifier:
    import warnings

    from stance.classifier import load

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # said once, where the work is handed out
        classifier = load(
            setup.engine,
            rules=setup.rules,
            overlay=setup.overlay,
            model=setup.model,
            abstain_below=setup.abstain_below,
        )
    found = tuple(classifier.versions.to_dict().items())
    for (name, wanted), (_, here) in zip(setup.versions, found, strict=False):
        if wanted != here:
            raise StanceError(
                f"a worker has {name} {here}, this process {wanted}; install the same everywhere"
            )
    return classifier


def label_batch(setup: Setup, items: Sequence[Work], start: int = 0) -> list[Records]:
    """The function that every engine runs: plain values in, plain values out."""
    return label(built(setup), items, start, setup.lines)


# -- batches and order -----------------------------------------------------------------------------------


class Text(Protocol):
    """Anything that has words."""

    @property
    def text(self) -> str:
        """The words."""


TextT = TypeVar("TextT", bound=Text)


def by_size(items: Iterable[TextT], characters: int, most: int) -> Iterator[list[TextT]]:
    """Items that follow each other, together until they have so many characters, or are so many."""
    held: list[TextT] = []
    size = 0
    for item in items:
        held.append(item)
        size += len(item.text)
        if size >= characters or len(held) >= most:
            yield held
            held, size = [], 0
    if held:
        yield held


def batches(items: Iterable[Work], first: int = 0) -> Iterator[Batch]:
    """Items in batches of about the same length; ``first`` is the number of the first item."""
    start = first
    for held in by_size(items, BATCH_CHARS, BATCH_ITEMS):
        yield Batch(start, tuple(held))
        start += len(held)


def name_of(item: Work) -> str:
    """How a message calls an item: its name, or the beginning of its text."""
    name = item.name if isinstance(item, Document) else _sentence(item).id
    return name or f"“{' '.join(item.text.split())[:60]}…”"


def _sentence(item: Sentence | Row) -> Sentence:
    return item.sentence if isinstance(item, Row) else item


class _Order:
    """Gives results out in the order of the input, whatever order they come in."""

    def __init__(self, first: int) -> None:
        self._next = first
        self._ready: dict[int, list[Done]] = {}

    def put(self, batch: Batch, results: Sequence[Records | Quarantined]) -> None:
        self._ready[batch.start] = list(zip(batch.items, results, strict=True))

    def take(self) -> Iterator[Done]:
        while self._next in self._ready:
            found = self._ready.pop(self._next)
            self._next += len(found)
            yield from found

    def __len__(self) -> int:
        return len(self._ready)


# -- engines ---------------------------------------------------------------------------------------------


def run(
    items: Iterable[Work],
    classifier: Classifier,
    setup: Setup,
    *,
    jobs: int = 1,
    scheduler: str | None = None,
    first: int = 0,
) -> Iterator[Done]:
    """Every item with its records, in order.

    Args:
        items: documents, or single sentences (with or without more); not both.
        classifier: the one of this process, built from ``setup``.
        setup: how a worker builds the same.
        jobs: local processes. Short work is done in this one, whatever their number.
        scheduler: address of a Dask scheduler; its workers do the work.
        first: the number of the first item, where an earlier run did those before it.

    Raises:
        StanceError: a worker has other versions, or the scheduler is gone.
    """
    if scheduler is not None:
        return on_dask(items, setup, scheduler, first)
    if jobs <= 1:
        return serial(items, classifier, first, setup.lines)
    stream = iter(items)
    held, size = [], 0
    for item in stream:
        held.append(item)
        size += len(item.text)
        if size >= WORTHWHILE_CHARS and len(held) > 1:
            return in_processes(chain(held, stream), classifier, setup, jobs, first)
    return serial(held, classifier, first, setup.lines)


def serial(
    items: Iterable[Work], classifier: Classifier, first: int = 0, lines: Lines = None
) -> Iterator[Done]:
    """All in this process, each as soon as it is done."""
    return _labelled(items, classifier, first, lines)


# -- local processes -------------------------------------------------------------------------------------


@dataclass
class _Worker:
    process: BaseProcess
    pipe: Connection
    given: deque[Batch]


class _Pool:
    """Worker processes, each with a pipe of its own: when one dies, what it had is known."""

    def __init__(self, count: int, classifier: Classifier, setup: Setup) -> None:
        self._classifier = classifier
        self._setup = setup
        # A fork has the rules and the model already and shares their memory; threads and other systems
        # forbid it.
        alone = sys.platform.startswith("linux") and threading.active_count() == 1
        self._context: Any = multiprocessing.get_context("fork" if alone else "spawn")
        self._forks = alone
        self.fruitless = 0
        self.workers: list[_Worker] = []
        for _ in range(count):
            self.workers.append(self._started())

    def _started(self) -> _Worker:
        ours, theirs = self._context.Pipe()
        loaded = self._classifier if self._forks else None
        others = [worker.pipe for worker in self.workers] + [ours] if self._forks else []
        process = self._context.Process(
            target=_work, args=(theirs, others, self._setup, loaded), name="stance-worker", daemon=True
        )
        process.start()
        theirs.close()
        return _Worker(process, ours, deque())

    def replaced(self, worker: _Worker) -> None:
        """A new process in the place of one that died."""
        worker.pipe.close()
        worker.process.join()
        self.workers.remove(worker)
        self.fruitless += 1
        if self.fruitless > _MAX_FRUITLESS:
            raise StanceError(f"{_LOST}; use fewer --jobs or give the machine more memory")
        self.workers.append(self._started())

    def close(self) -> None:
        for worker in self.workers:
            worker.process.terminate()
        for worker in self.workers:
            worker.process.join(5)
            if worker.process.is_alive():
                worker.process.kill()
                worker.process.join()
            worker.pipe.close()


def in_processes(
    items: Iterable[Work], classifier: Classifier, setup: Setup, jobs: int, first: int = 0
) -> Iterator[Done]:
    """In local processes. A worker that dies costs the batch in its hands another try, and no other."""
    own = not gc.get_freeze_count()  # what the caller has set aside is not ours to give back
    if own:
        gc.collect()
        gc.freeze()  # what is loaded stays: collecting it in every fork would copy its pages
    pool = _Pool(jobs, classifier, setup)
    try:
        yield from _spread(pool, batches(items, first), _Order(first))
    finally:
        pool.close()
        if own:
            gc.unfreeze()


def _spread(pool: _Pool, source: Iterator[Batch], order: _Order) -> Iterator[Done]:
    again: deque[Batch] = deque()
    limit = WINDOW * len(pool.workers)
    exhausted = False
    while True:
        for worker in pool.workers:
            while len(worker.given) < _AHEAD:
                if again:
                    batch = again.popleft()
                elif exhausted or len(order) + sum(len(w.given) for w in pool.workers) >= limit:
                    break
                else:
                    following = next(source, None)
                    if following is None:
                        exhausted = True
                        break
                    batch = following
                worker.given.append(batch)
                with suppress(OSError):  # it has just died: found below
                    worker.pipe.send((batch.items, batch.start))
        busy = [worker for worker in pool.workers if worker.given]
        if not busy:
            if not exhausted or again:
                continue
            yield from order.take()
            return
        for worker in _answering(busy):
            _receive(pool, worker, order, again)
        yield from order.take()


def _answering(workers: Sequence[_Worker]) -> list[_Worker]:
    """Those that have an answer, or have died."""
    watched: dict[Any, _Worker] = {}
    for worker in workers:
        watched[worker.pipe] = worker
        watched[worker.process.sentinel] = worker
    found = {id(watched[thing]): watched[thing] for thing in wait(list(watched))}
    return list(found.values())


def _receive(pool: _Pool, worker: _Worker, order: _Order, again: deque[Batch]) -> None:
    try:
        if not worker.pipe.poll() and not worker.process.is_alive() and not worker.pipe.poll():
            raise EOFError
        kind, answer = worker.pipe.recv()
    except (EOFError, OSError):
        _bury(pool, worker, order, again)
        return
    batch = worker.given.popleft()
    if kind == "fault":
        raise StanceError(answer)
    pool.fruitless = 0
    order.put(batch, answer)


def _bury(pool: _Pool, worker: _Worker, order: _Order, again: deque[Batch]) -> None:
    """The batch that a dead worker had in hand is tried again or divided; those behind it are untouched."""
    culprit, *behind = worker.given
    again.extendleft(reversed(behind))
    retried = culprit.after_death()
    if retried:
        again.extendleft(reversed(retried))
    else:
        order.put(culprit, [Quarantined(name_of(culprit.items[0]), _ASIDE)])
    pool.replaced(worker)


def _work(
    pipe: Connection, others: Sequence[Connection], setup: Setup, classifier: Classifier | None
) -> None:
    """The life of a worker: take a batch, give its records, until the pipe is closed."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # whoever started it ends it
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for other in others:
        other.close()  # copies that would keep the pipe of a dead parent open
    try:
        loaded = classifier if classifier is not None else built(setup)
        given: SimpleQueue[tuple[Sequence[Work], int] | None] = SimpleQueue()
        # Read ahead: neither end ever waits for the other to read while it writes.
        threading.Thread(target=_read, args=(pipe, given), daemon=True).start()
        while (batch := given.get()) is not None:
            pipe.send(("records", label(loaded, *batch, setup.lines)))
    except OSError:
        pass
    except StanceError as fault:
        with suppress(OSError):
            pipe.send(("fault", str(fault)))
    finally:
        sys.stdout = sys.stderr = None
        os._exit(0)


def _read(pipe: Connection, given: SimpleQueue[tuple[Sequence[Work], int] | None]) -> None:
    try:
        while True:
            given.put(pipe.recv())
    except (EOFError, OSError):
        given.put(None)


# -- a Dask cluster --------------------------------------------------------------------------------------


def on_dask(items: Iterable[Work], setup: Setup, address: str, first: int = 0) -> Iterator[Done]:
    """On the workers of a Dask scheduler. A worker labels in a child process, which dies in its place; the
    tasks of a worker that dies itself are tried again by Dask."""
    dask = _dask()
    try:
        client = dask.Client(address, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, ValueError, TimeoutError) as error:
        raise StanceError(
            f"{address}: no Dask scheduler answers there ({type(error).__name__}); start one, "
            "or check the address"
        ) from None
    try:
        _check_workers(client, setup, address)
        yield from _spread_dask(client, batches(items, first), setup, address, _Order(first))
    finally:
        with suppress(Exception):
            client.close(timeout=5)


def _dask() -> Any:
    try:
        import distributed
    except ImportError:
        raise StanceError(
            "--scheduler needs Dask; `pip install 'stance[dask]'` adds it, here and on every worker"
        ) from None
    return distributed


def _check_workers(client: Any, setup: Setup, address: str) -> None:
    """Refuse a cluster whose workers would give other answers."""
    try:
        answers = client.run(fault_of, setup, on_error="return")
    except Exception as error:
        raise _gone(address, error) from None
    if not answers:
        raise StanceError(f"{address}: the scheduler has no workers; start some")
    for worker, answer in sorted(answers.items()):
        if answer is not None:
            raise StanceError(f"{worker}: {answer}")


def fault_of(setup: Setup) -> str | None:
    """What is wrong with this process as a worker, None if nothing is."""
    try:
        label_apart(setup, (), 0)
    except StanceError as fault:
        return str(fault)
    return None


# What a child of a worker runs: `_work` on the end of a pipe that it is given.
_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from stance.executors import serve; serve(int(sys.argv[2]))"
)


class _Child:
    """A child process that labels, started with a fresh interpreter: workers of clusters run threads, and
    `multiprocessing` gives no children to processes that it started itself."""

    def __init__(self, setup: Setup) -> None:
        self.setup = setup
        self._pipe, theirs = multiprocessing.Pipe()
        os.set_inheritable(theirs.fileno(), True)
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-c", _BOOT, path, str(theirs.fileno())],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            pass_fds=[theirs.fileno()],
        )
        theirs.close()
        self._pipe.send(setup)

    def label(self, batch: Batch) -> list[Records]:
        """The records of a batch; EOFError or OSError if the child died over it."""
        self._pipe.send((batch.items, batch.start))
        kind, answer = self._pipe.recv()
        if kind == "fault":
            raise StanceError(answer)
        return list(answer)

    def close(self) -> None:
        self._pipe.close()
        self._process.kill()
        self._process.wait()


def serve(descriptor: int) -> None:
    """The life of a child process of a worker."""
    pipe = Connection(descriptor)
    _work(pipe, (), pipe.recv(), None)


_CHILDREN: Final[list[_Child]] = []  # those that wait for work
_TAKING: Final = threading.Lock()


def _child(setup: Setup) -> _Child:
    """A child that waits, or a new one; those of earlier runs are ended."""
    with _TAKING:
        for old in [child for child in _CHILDREN if child.setup != setup]:
            _CHILDREN.remove(old)
            old.close()
        if _CHILDREN:
            return _CHILDREN.pop()
    return _Child(setup)


def label_apart(setup: Setup, items: Sequence[Work], start: int) -> list[Records | Quarantined]:
    """As `label_batch`, in a child process; a record that kills it each time is found by splitting.

    Raises:
        StanceError: rules, model or pipeline here are others, or no child lives long enough to do anything.
    """
    found: list[Records | Quarantined] = []
    waiting = deque([Batch(start, tuple(items))])
    fruitless = 0
    child = _child(setup)
    try:
        while waiting:
            batch = waiting.popleft()
            try:
                found += child.label(batch)
                fruitless = 0
            except (EOFError, OSError):
                child.close()
                fruitless += 1
                if not batch.items or fruitless > _MAX_FRUITLESS:
                    raise StanceError(f"{_LOST}; give the machine more memory") from None
                retried = batch.after_death()
                waiting.extendleft(reversed(retried))
                if not retried:
                    found.append(Quarantined(name_of(batch.items[0]), _ASIDE))
                child = _Child(setup)
    except BaseException:
        child.close()
        raise
    with _TAKING:
        _CHILDREN.append(child)
    return found


def _spread_dask(
    client: Any, source: Iterator[Batch], setup: Setup, address: str, order: _Order
) -> Iterator[Done]:
    again: deque[Batch] = deque()
    # What kills the child of a worker was dealt with there. Here comes what kills workers: Dask blames a
    # death on all that the worker had been given, so a record that is blamed is tried once more with nothing
    # beside it before it is given up.
    suspects: deque[Batch] = deque()
    running: dict[Any, Batch] = {}
    exhausted = False
    while True:
        limit = WINDOW * max(1, sum(client.nthreads().values()))
        if suspects and not running:
            again.append(suspects.popleft())
        while again or (not exhausted and not suspects and len(running) + len(order) < limit):
            batch = again.popleft() if again else next(source, None)
            if batch is None:
                exhausted = True
                break
            running[client.submit(label_apart, setup, batch.items, batch.start, pure=False)] = batch
        if not running:
            yield from order.take()
            return
        for future in _finished(client, running, address):
            batch = running.pop(future)
            _settle(future, batch, order, again, suspects, address)
        yield from order.take()


def _finished(client: Any, running: Iterable[Any], address: str) -> list[Any]:
    """The tasks that are done; waits for the first, but not for ever where no worker is left to do it."""
    seen = time.monotonic()
    while True:
        try:
            with client.as_current():
                done = _dask().wait(list(running), timeout=POLL_SECONDS, return_when="FIRST_COMPLETED").done
            return list(done)
        except TimeoutError:
            if client.nthreads():
                seen = time.monotonic()
            elif time.monotonic() - seen > WORKERLESS_SECONDS:
                raise _gone(address, "no worker is left") from None
        except Exception as error:
            raise _gone(address, error) from None


def _settle(
    future: Any, batch: Batch, order: _Order, again: deque[Batch], suspects: deque[Batch], address: str
) -> None:
    try:
        # Of a result that was finished but lost with its worker, this may wait, or fail, anew.
        order.put(batch, future.result(timeout=RESULT_SECONDS))
    except TimeoutError:
        again.append(batch)
    except StanceError:
        raise
    except _dask().KilledWorker:
        # Dask has tried the batch on several workers: it is not their fault.
        if len(batch.items) > 1:
            again.extendleft(reversed(batch.halves()))
        elif batch.deaths < _ALONE:
            suspects.append(Batch(batch.start, batch.items, _ALONE))
        else:
            order.put(batch, [Quarantined(name_of(batch.items[0]), _ASIDE)])
    except Exception as error:
        raise _gone(address, error) from None


def _gone(address: str, error: object) -> StanceError:
    what = str(error).partition("\n")[0][:120]
    if isinstance(error, BaseException):
        what = f"{type(error).__name__}: {what}" if what else type(error).__name__
    return StanceError(
        f"{address}: the scheduler or its workers are gone ({what}); start them again: with --output, "
        "the same command with --resume goes on where this one stopped"
    )
