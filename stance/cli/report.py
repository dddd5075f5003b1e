"""``stance report``: one HTML file from a store, from results, or from texts."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from datetime import date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stance.cli import loading, options
from stance.cli.root import StanceCommand, complain
from stance.errors import StanceError
from stance.sinks.files import naming

if TYPE_CHECKING:
    from stance.report.data import Gathered, Gatherer

FAULTY: Final = 1
_MOST_FAULTS: Final = 10
_DAY: Final = click.DateTime(("%Y-%m-%d",))


@click.command(
    cls=StanceCommand,
    examples=(
        "stance report monitor.db -o report.html          what `stance watch` has gathered",
        "stance report results.jsonl -o report.html       what `stance classify` has written",
        "stance report article.txt -o article.html        one article, its sentences coloured",
        "stance report monitor.db --since 2026-03-01 --until 2026-03-14 -o fortnight.html",
        "stance report -o seeds.html                      the bundled seed articles",
    ),
)
@click.argument("files", nargs=-1, metavar="[STORE | RESULTS… | TEXTS… | -]")
@click.option("-o", "--output", metavar="FILE", help="Write here: complete or not at all. Else to a pipe.")
@click.option("--title", metavar="TEXT", help="What the page calls itself.")
@click.option("--since", type=_DAY, metavar="DAY", help="From this day (UTC) on: 2026-03-01.")
@click.option("--until", type=_DAY, metavar="DAY", help="Up to this day, included.")
@click.option(
    "--sample",
    type=click.IntRange(1),
    metavar="N",
    help="N whole articles drawn at random; the page calls itself a sample.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="For --sample.")
@click.option("--copies", is_flag=True, help="Count near copies of an earlier item of a store as well.")
@options.engine_options
@options.progress_option
def command(
    files: tuple[str, ...],
    output: str | None,
    title: str | None,
    since: datetime | None,
    until: datetime | None,
    sample: int | None,
    seed: int,
    copies: bool,
    engine: str,
    rules: str | None,
    overlay: str | None,
    model: str | None,
    progress: bool | None,
) -> int:
    """Make one self-contained HTML file for people: nothing in it is loaded from elsewhere.

    From the store of `stance watch`, from records stance/1, or from texts that are labelled first. Outlet by
    outlet and day by day: what is said in the outlet's own voice, what it lets others say, who is quoted,
    which words and rules decided, what is doubtful, and every sentence with the reasons for its label. One
    article alone gives that article, coloured.
    """
    from stance.report.data import Gatherer, between, sampled

    if output is None and options.stdout_is_terminal():
        raise click.UsageError("name a file with -o: a page is not for a terminal")
    if output is not None:
        _check_folder(Path(output))
    if since is not None and until is not None and until < since:
        raise click.UsageError("--until lies before --since; swap them")
    gatherer = Gatherer()
    faults, stored = _gather(files, gatherer, copies, (engine, rules, overlay, model), progress)
    gathered = between(gatherer.gathered(), _day(since), _day(until))
    if sample is not None:
        gathered = sampled(gathered, sample, seed)
    _write(_page(gathered, title or "", stored), output)
    if not gathered.rows:
        complain("there is no labelled sentence to show; the page says so")
    return FAULTY if faults else 0


def _gather(
    files: tuple[str, ...],
    gatherer: Gatherer,
    copies: bool,
    engine: tuple[str, str | None, str | None, str | None],
    progress: bool | None,
) -> tuple[int, bool]:
    """Read everything into `gatherer`; the number of faults, and whether a store was among it."""
    from stance.report import read

    kinds = [(name, read.kind_of(name)) for name in files]
    faults = 0
    for name, kind in kinds:
        if kind == read.STORE:
            read.store(name, gatherer, copies=copies)
        elif kind == read.RESULTS:
            found = read.results(name, gatherer)
            for fault in found[:_MOST_FAULTS]:
                complain(fault)
            if len(found) > _MOST_FAULTS:
                complain(f"{name}: {len(found) - _MOST_FAULTS:,} more lines at fault")
            faults += len(found)
    texts = tuple(name for name, kind in kinds if kind == read.TEXTS)
    if texts or not files:
        faults += _label(texts, gatherer, engine, progress)
    return faults, any(kind == read.STORE for _, kind in kinds)


def _label(
    names: tuple[str, ...],
    gatherer: Gatherer,
    engine: tuple[str, str | None, str | None, str | None],
    progress: bool | None,
) -> int:
    """Label texts (or the seeds) and add them; the number of faults."""
    from stance.cli import classify
    from stance.cli.progress import Progress
    from stance.seeds import documents
    from stance.sources import ReadOptions, read

    name, rules, overlay, model = engine
    classifier = loading.classifier(name, rules=rules, overlay=overlay, model=model)
    count = classify.Count()
    with Progress.shown(progress, names, busy=False) as line:
        items = classify.watched(read(names, ReadOptions()) if names else iter(documents()), count, line)
        for records, _ in classify.labelled(classifier, items, "document", count, line):
            for record in records:
                assert isinstance(record, dict)  # no lines were asked for
                gatherer.add(record)
    if count.faults:
        gatherer.notes.append(f"{count.faults:,} inputs could not be read.")
    if count.skipped:
        gatherer.notes.append(f"{count.skipped:,} documents left out ({', '.join(sorted(count.others))}).")
    code = classify.conclude(count)
    if not gatherer.rows and code:
        raise StanceError("nothing could be labelled, so there is nothing to report")
    return count.faults


def _page(gathered: Gathered, title: str, stored: bool) -> str:
    from stance.report import page

    if len(gathered.articles) == 1 and not stored and not gathered.articles[0].single:
        return page.article(gathered, title=title)
    return page.report(gathered, title=title)


def _day(moment: datetime | None) -> date | None:
    return None if moment is None else moment.date()


def _check_folder(path: Path) -> None:
    if path.is_dir():
        raise StanceError(f"{path}: a folder; name a file")
    if not path.parent.is_dir():
        raise StanceError(f"{path}: its folder does not exist; make it first")


def _write(page: str, output: str | None) -> None:
    """Complete or absent: the page gets its name when all of it is on disk."""
    data = page.encode("utf-8", "replace")
    if output is None:
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    target = Path(output)
    if target.exists() and not target.is_file():  # /dev/stdout, a named pipe
        target.write_bytes(data)
        return
    with _replaced(Path(os.path.realpath(target))) as partial, open(partial, "wb") as stream:
        stream.write(data)
        stream.flush()
        os.fsync(stream.fileno())


@contextlib.contextmanager
def _replaced(target: Path) -> Iterator[Path]:
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with naming(target):
            yield partial
            os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)
