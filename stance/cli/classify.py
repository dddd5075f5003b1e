"""``stance classify``: read, label, write."""

from __future__ import annotations

import codecs
import hashlib
import io
import json
import os
import stat
import sys
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO, Final, cast

import click

from stance.cli import loading, options
from stance.cli.progress import Progress
from stance.cli.root import StanceCommand, complain
from stance.document import Document
from stance.errors import StanceError
from stance.sinks import ENDINGS, FILE_FORMATS, FORMATS, Sink, SinkOptions, check_available, open_sink
from stance.sinks.files import OutputFile, chained, is_complete
from stance.sinks.jsonl import JsonlSink
from stance.sources.formats import FORMATS as INPUT_FORMATS
from stance.sources.items import META_FIELDS, UNITS, Fault, Item, ReadOptions, Single, Skipped

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.executors import Lines, Records, Row, Setup

FAULTY: Final = 1
_COLUMNS: Final = ("prev", "name", *META_FIELDS)


@dataclass
class Count:
    """What came of the inputs; the only thing here that changes."""

    documents: int = 0
    sentences: int = 0
    faults: int = 0
    skipped: int = 0
    others: set[str] = field(default_factory=set)


@click.command(
    cls=StanceCommand,
    examples=(
        "stance classify                                     the bundled seed articles",
        "stance classify article.txt page.html feeds/*.xml   whatever their format",
        "curl -s URL | stance classify --format jsonl -      from a pipe",
        "stance classify https://example.org/feed.xml        a feed (pip install 'stance[feeds]')",
        "stance classify sentences.jsonl --unit sentence     id, text, prev in; one record each out",
        "stance classify news.csv --text-column body -o labels.csv",
        "stance classify archive/ -o labels.parquet --resume",
        "stance classify archive/ -o labels.jsonl --jobs 4   four processes, the same records",
    ),
)
@click.argument("files", nargs=-1, metavar="[FILES… | URLS… | -]")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="How to write. Default: by the ending of --output; text on a terminal, jsonl on a pipe.",
)
@options.engine_options
@options.policy_option
@click.option(
    "--unit",
    type=click.Choice(UNITS),
    default="document",
    show_default=True,
    help="Split documents into sentences, or take each row or line as one sentence, split no further.",
)
@options.abstain_option
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write here: complete or not at all.")
@click.option("--resume", is_flag=True, help="Go on where an interrupted run with the same --output stopped.")
@click.option(
    "-j",
    "--jobs",
    type=click.IntRange(1, 256),
    default=1,
    show_default=True,
    metavar="N",
    help="Local processes; short work is done in one, whatever N is. Records and their order stay the same.",
)
@click.option(
    "--scheduler",
    metavar="ADDRESS",
    help="Label on the workers of a Dask scheduler, such as tcp://host:8786 (pip install 'stance[dask]').",
)
@click.option(
    "--input-format", type=click.Choice(INPUT_FORMATS), help="Do not guess the format of the inputs."
)
@click.option("--encoding", metavar="NAME", help="Do not guess the encoding of the inputs.")
@click.option("--text-column", metavar="NAME", help="Column or key that holds the text (default: text).")
@click.option("--id-column", metavar="NAME", help="Column or key that holds the id (default: id).")
@click.option(
    "--column",
    "columns",
    multiple=True,
    metavar="FIELD=NAME",
    help=f"Column or key of another field: {', '.join(_COLUMNS)}.",
)
@options.fetching_options
@click.option(
    "--bom", is_flag=True, help="Start CSV with a byte order mark (for spreadsheets that want one)."
)
@options.progress_option
@options.color_options
def command(**given: Any) -> int:
    """Label every sentence of FILES: texts, Markdown, HTML, JSONL, CSV, TSV, Parquet, RSS, Atom, JSON Feed.

    Files, folders and URLs are read in order, gzip included; "-" is standard input. With none of them: a
    pipe if there is one, else the bundled seed articles. Whatever cannot be read is reported, the rest is
    done, and the exit code is 1.
    """
    return run(Request(**given))


@dataclass(frozen=True)
class Request:
    """The command line of one run."""

    files: tuple[str, ...]
    form: str | None
    engine: str
    rules: str | None
    overlay: str | None
    model: str | None
    policy: str
    unit: str
    abstain_below: float
    output: str | None
    resume: bool
    jobs: int
    scheduler: str | None
    input_format: str | None
    encoding: str | None
    text_column: str | None
    id_column: str | None
    columns: tuple[str, ...]
    any_language: bool
    allow_private: bool
    timeout: float
    bom: bool
    progress: bool | None
    color: str
    width: int | None


def run(request: Request) -> int:
    """Label everything; 0, or 1 when an input was at fault."""
    form = output_format(request)
    reading = read_options(request)
    if request.output and request.resume and is_complete(Path(request.output)):
        complain(f"{request.output} is complete; leave out --resume to make it anew")
        return 0
    check_available(form)
    classifier = loading.classifier(
        request.engine,
        rules=request.rules,
        overlay=request.overlay,
        model=request.model,
        abstain_below=request.abstain_below,
    )
    count = Count()
    with Progress.shown(request.progress, request.files, busy=request.output is None) as progress:
        items = watched(inputs(request, reading), count, progress)
        if request.output is None:
            sink = open_sink(form, _stdout(), sink_options(request, form))
            for records, _ in labelled(classifier, items, request.unit, count, progress, request, form):
                _write(sink, records)
            sink.finish()
        else:
            _write_file(request, form, classifier, items, count, progress)
    return conclude(count)


def _write_file(
    request: Request,
    form: str,
    classifier: Classifier,
    items: Iterator[Document | Single],
    count: Count,
    progress: Progress,
) -> None:
    assert request.output is not None
    target = Path(request.output)
    if target.exists() and not target.is_file() and not target.is_dir():  # /dev/stdout, a named pipe
        with target.open("wb") as stream:
            sink = open_sink(form, stream, sink_options(request, form))
            for records, _ in labelled(classifier, items, request.unit, count, progress, request, form):
                _write(sink, records)
            sink.finish()
        return
    output = OutputFile(target, _job(request, form, classifier), resume=request.resume)
    try:
        chain = _skip(items, output)
        sink = open_sink(
            form, output.stream, replace(sink_options(request, form), fresh=not output.stream.tell())
        )
        made = labelled(
            classifier, items, request.unit, count, progress, request, form, output.start.inputs
        )
        for records, source in made:
            _write(sink, records)
            chain = chained(chain, *_identity(source))
            output.done(chain)
        sink.finish()
        output.finish(form if form in FILE_FORMATS else None)
    except BaseException as stopped:
        output.abandon()
        if isinstance(stopped, KeyboardInterrupt | OSError):
            complain(f"{target}: not complete; the same command with --resume goes on where this one stopped")
        raise


def _write(sink: Sink, records: Records) -> None:
    if isinstance(sink, JsonlSink):
        sink.write_lines(cast("list[str]", records))
    else:
        sink.write(cast("list[dict[str, Any]]", records))


def _skip(items: Iterator[Document | Single], output: OutputFile) -> str:
    """Pass over what an earlier run did, making sure that it was the same."""
    chain = ""
    for _ in range(output.start.inputs):
        item = next(items, None)
        if item is None:
            break
        chain = chained(chain, *_identity(item))
    if chain != output.start.chain:
        raise StanceError(
            f"{output.target}: the inputs changed since the run stopped; leave out --resume to start anew"
        )
    return chain


def _identity(item: Document | Single) -> tuple[str | None, str]:
    return (item.name, item.text) if isinstance(item, Document) else (item.sentence.id, item.sentence.text)


def _job(request: Request, form: str, classifier: Classifier) -> str:
    """A digest of all that shapes the output besides the inputs."""
    shape = (form, request.engine, request.unit, request.abstain_below, classifier.versions.to_dict())
    if form in ("text", "csv"):
        shape += (request.policy, request.bom, request.width, request.color)  # type: ignore[assignment]
    return hashlib.sha256(json.dumps(shape, sort_keys=True).encode()).hexdigest()


def inputs(request: Request, reading: ReadOptions) -> Iterator[Item]:
    """The items of the inputs that are named, else of a pipe, else the seeds."""
    from stance.sources import read

    if request.files:
        return read(request.files, reading)
    if piped():
        return read(["-"], reading)
    from stance.seeds import documents

    if request.unit == "sentence":
        raise click.UsageError("--unit sentence needs an input; name a JSONL file or use a pipe")
    return iter(documents())


def watched(items: Iterator[Item], count: Count, progress: Progress) -> Iterator[Document | Single]:
    """What can be labelled; faults are reported as they come."""
    for item in items:
        if isinstance(item, Fault):
            count.faults += 1
            with progress.paused():
                complain(str(item))
        elif isinstance(item, Skipped):
            count.skipped += 1
            count.others.add(item.message)
        else:
            yield item


def labelled(
    classifier: Classifier,
    items: Iterator[Document | Single],
    unit: str,
    count: Count,
    progress: Progress,
    request: Request | None = None,
    form: str = "text",
    first: int = 0,
) -> Iterator[tuple[Records, Document | Single]]:
    """The records of each document (or single sentence) and what they were made from, in order.

    Where the work is done, the request says; without one, here. ``form``: what is written; lines of JSON
    are made where the work is done. ``first``: inputs that an earlier run did.
    """
    from stance import executors

    waiting: deque[Document | Single] = deque()

    def work() -> Iterator[executors.Work]:
        for item in items:
            if isinstance(item, Single) == (unit == "sentence"):
                waiting.append(item)
                yield _row(item) if isinstance(item, Single) else item

    if request is None:
        made = executors.serial(work(), classifier)
    else:
        setup = _setup(request, form, classifier)
        made = executors.run(
            work(), classifier, setup, jobs=request.jobs, scheduler=request.scheduler, first=first
        )
    for _, records in made:
        source = waiting.popleft()
        if isinstance(records, executors.Quarantined):
            count.faults += 1
            with progress.paused():
                complain(f"{records.name}: {records.message}")
            yield [], source
            continue
        count.documents += 1
        count.sentences += len(records)
        progress.advance(len(records))
        yield records, source


def _setup(request: Request, form: str, classifier: Classifier) -> Setup:
    """How a worker builds the same classifier and gives the same records."""
    from stance.executors import Setup

    lines: Lines = None
    if form == "jsonl" or form in FILE_FORMATS:  # those are made from lines
        lines = "ascii" if sink_options(request, form).ascii_json else "utf-8"
    return Setup(
        request.engine,
        _absolute(request.rules),
        _absolute(request.overlay),
        _absolute(request.model),
        request.abstain_below,
        tuple(classifier.versions.to_dict().items()),
        lines,
    )


def _absolute(folder: str | None) -> str | None:
    return None if folder is None else os.path.abspath(folder)


def _row(single: Single) -> Row:
    """The id as it came, whatever its type, and what the row says of its source."""
    from stance.executors import Row

    more: dict[str, Any] = {} if single.id is None else {"id": single.id}
    return Row(single.sentence, {**more, "meta": dict(single.meta)})


def conclude(count: Count) -> int:
    """Say what was left out, and choose the exit code."""
    if count.skipped:
        what = _plural(count.skipped, "document")
        complain(f"{what} skipped ({', '.join(sorted(count.others))}); --any-language labels them too")
    if count.faults:
        done = f"{_plural(count.documents, 'input')} with {_plural(count.sentences, 'sentence')} labelled"
        complain(f"{_plural(count.faults, 'fault')}; {done}")
        return FAULTY
    return 0


def output_format(request: Request) -> str:
    """The format to write, or a usage error where it cannot be written."""
    if request.resume and request.output in (None, "-"):
        raise click.UsageError("--resume needs --output: what goes to standard output cannot be continued")
    by_ending = ENDINGS.get(Path(request.output).suffix.lower()) if request.output else None
    form = (
        request.form
        or by_ending
        or ("text" if not request.output and options.stdout_is_terminal() else "jsonl")
    )
    if form in FILE_FORMATS and request.output is None:
        raise click.UsageError(f"--format {form} needs --output: it is not for a pipe or a terminal")
    return form


def read_options(request: Request) -> ReadOptions:
    """How to read, or a usage error."""
    if request.encoding is not None:
        try:
            known = codecs.lookup(request.encoding)
            b"a".decode(request.encoding)
        except LookupError:
            raise click.UsageError(f"--encoding: no encoding is called '{request.encoding}'") from None
        except UnicodeError:
            known = codecs.lookup(request.encoding)  # UTF-16 and its like, for which one byte is no text
        if request.input_format == "parquet":
            raise click.UsageError("--encoding means nothing for Parquet; leave it out")
        request = replace(request, encoding=known.name)
    columns = {}
    for pair in request.columns:
        name, _, column = pair.partition("=")
        if name not in _COLUMNS or not column:
            raise click.UsageError(
                f"--column: '{pair}' is not FIELD=NAME with FIELD one of {', '.join(_COLUMNS)}"
            )
        columns[name] = column
    for name, chosen in (("text", request.text_column), ("id", request.id_column)):
        if chosen is not None:
            columns[name] = chosen
    return ReadOptions(
        format=request.input_format,
        encoding=request.encoding,
        unit=request.unit,
        columns=columns,
        any_language=request.any_language,
        allow_private=request.allow_private,
        timeout=request.timeout,
    )


def sink_options(request: Request, form: str) -> SinkOptions:
    to_terminal = request.output is None and options.stdout_is_terminal()
    return SinkOptions(
        policy=request.policy,
        color=form == "text" and options.wants_color(request.color, terminal=to_terminal),
        width=options.terminal_width(request.width),
        encoding=(sys.stdout.encoding or "utf-8") if request.output is None and form == "text" else "utf-8",
        ascii_json=to_terminal,
        bom=request.bom,
    )


def piped() -> bool:
    """Whether something is meant to be read from standard input: a pipe, a file, a socket."""
    if sys.stdin is None or sys.stdin.closed:
        return False
    try:
        mode = os.fstat(sys.stdin.fileno()).st_mode
    except (OSError, io.UnsupportedOperation):  # not a real file: tests, notebooks
        buffer = getattr(sys.stdin, "buffer", None)
        return isinstance(buffer, io.BytesIO) and bool(buffer.getvalue())
    return stat.S_ISFIFO(mode) or stat.S_ISREG(mode) or stat.S_ISSOCK(mode)


def _stdout() -> BinaryIO:
    if sys.stdout is None:
        raise StanceError("standard output is closed; open it or use --output")
    return sys.stdout.buffer


def _plural(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
