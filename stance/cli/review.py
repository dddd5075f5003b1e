"""``stance review``: a person decides, sentence by sentence, in the terminal."""

from __future__ import annotations

import codecs
import contextlib
import getpass
import json
import os
import re
import sys
from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import click

from stance.cli import options
from stance.cli.root import StanceCommand, complain
from stance.errors import StanceError
from stance.labels import Label, Voice
from stance.sinks.files import naming
from stance.version import __version__

DECISIONS: Final = "stance-decisions.jsonl"
_SEQUENCE: Final = re.compile("\x1b(?:\\[[0-9;?]*[ -/]*[@-~]|O.|.)?", re.S)  # arrows and their like
_DAY: Final = click.DateTime(("%Y-%m-%d",))


@click.command(
    cls=StanceCommand,
    examples=(
        "stance review monitor.db                          doubtful sentences, the least sure first",
        "stance review monitor.db --label pro_moscow --outlet courier",
        "stance review monitor.db --export decided.jsonl   for stance train --data and stance bench",
        "stance review --blind 100                         check the bundled labels: no person has done so",
        "stance review labelled.jsonl --blind 200 --seed 1 --json check.json",
        "stance review monitor.db --blind 100              check the labels of this store",
    ),
)
@click.argument("data", required=False, metavar="[STORE | LABELLED]")
@click.option(
    "--blind",
    type=click.IntRange(1),
    metavar="N",
    help="A sample of N, each label equally often, every verdict hidden; at the end Cohen's kappa and the "
    "confusion between person and labels. Without data: the bundled labelled sentences.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Which sample --blind draws.")
@click.option("--person", metavar="NAME", help="Who decides (default: the name of the account).")
@click.option("--label", type=click.Choice([label.value for label in Label]), help="Only this label.")
@click.option("--voice", type=click.Choice([voice.value for voice in Voice]), help="Only this voice.")
@click.option("--outlet", default="", metavar="WORDS", help="Only outlets with this in their name.")
@click.option("--text", default="", metavar="WORDS", help="Only sentences with these words.")
@click.option(
    "--since", type=_DAY, metavar="DAY", help="Only what arrived in the store on this day or later."
)
@click.option("--all", "every", is_flag=True, help="Not the doubtful ones alone.")
@click.option("--again", is_flag=True, help="Sentences that are decided already as well.")
@click.option(
    "--decisions",
    metavar="FILE",
    help=f"Where decisions about LABELLED data are kept (default: {DECISIONS}); a store keeps its own.",
)
@click.option("--export", metavar="FILE", help="Write what people decided as labelled JSONL, and end.")
@click.option("--json", "json_file", metavar="FILE", help="Figures of the blind check, ids and no text.")
@options.color_options
def command(
    data: str | None,
    blind: int | None,
    seed: int,
    person: str | None,
    label: str | None,
    voice: str | None,
    outlet: str,
    text: str,
    since: datetime | None,
    every: bool,
    again: bool,
    decisions: str | None,
    export: str | None,
    json_file: str | None,
    color: str,
    width: int | None,
) -> int:
    """Show sentences one by one, take a person's decision by keys, and keep it beside the label.

    Nothing is overwritten: a decision is stored with time and name, and undoing one marks it. Without a
    filter, the doubtful sentences of a store come first and alone.
    """
    from stance.review import cases as choose
    from stance.review.session import Session
    from stance.sinks.inert import one_line
    from stance.sinks.text import Paint

    if data is None and blind is None and export is None:
        raise click.UsageError("name a store or labelled data; or --blind N to check the bundled labels")
    if json_file and blind is None:
        raise click.UsageError("--json holds the figures of a blind check; give --blind N too")
    who = one_line(person or _account()).strip() or "somebody"
    day = "" if since is None else since.strftime("%Y-%m-%d")
    with _opened(data, decisions, day) as (cases, journal, labelled_by):
        if export is not None:
            return _export(cases, journal, export)
        _check_terminal()
        wanted = choose.Wanted(
            Label(label) if label else None, Voice(voice) if voice else None, outlet, text, every=every
        )
        note = None
        if blind is not None:
            pool = [case for case in cases if not wanted.filtered or wanted.fits(case)]
            sample = choose.drawn(pool, blind, seed)
            note = f"blind, seed {seed}"
            ids = {case.id for case in sample}
            before = {
                held.case: held
                for held in journal.holding()
                if held.case in ids
                and held.person == who
                and held.note is not None
                and held.note.startswith(note)
            }
            shown = [case for case in sample if case.id not in before]
        else:
            sample, before = [], {}
            done = [] if again else [held.case for held in journal.holding()]
            shown = choose.chosen(cases, wanted, done)
        painted = options.wants_color(color, terminal=True)
        session = Session(
            shown,
            journal,
            who,
            _keys(),
            lambda line: click.echo(line, color=painted),
            Paint(painted),
            min(options.terminal_width(width), 100),
            blind=blind is not None,
            note=note,
        )
        _greet(session, len(shown), len(before), blind, seed, labelled_by)
        with _quiet_keys():
            session.run()
        if blind is None:
            click.echo(f"{len(session.decided)} decided, {len(session.skipped)} skipped")
            return 0
        held = {**before, **session.decided}
        judged = [(case, held[case.id].answer) for case in sample if case.id in held]
        _conclude(judged, Counter(c.label for c in pool), len(sample), seed, who, labelled_by, json_file)
    return 0


def _greet(session: Any, number: int, before: int, blind: int | None, seed: int, labelled_by: str) -> None:
    if blind is None:
        click.echo(f"{number} sentences to decide, as {session.person}. Each decision is kept at once.")
        return
    done = f" ({before} decided before)" if before else ""
    click.echo(
        f"Blind check of {number + before} sentences{done}, seed {seed}, by {session.person}. The labels "
        f"under test were made by {labelled_by}; they stay hidden."
    )


@contextlib.contextmanager
def _opened(data: str | None, decisions: str | None, since: str) -> Iterator[tuple[list[Any], Any, str]]:
    """The sentences, where their decisions are kept, and who labelled them."""
    from stance.report.read import STORE, kind_of
    from stance.review import cases as choose
    from stance.review.journal import FileJournal, StoreJournal

    if data is not None and (kind_of(data) == STORE or data.endswith((".db", ".sqlite", ".sqlite3"))):
        if decisions is not None:
            raise click.UsageError("--decisions is for labelled data; a store keeps its own")
        from stance.monitor import Store

        if not Path(data).is_file():
            raise StanceError(f"{data}: no such store; `stance watch` makes one")
        with Store.open(data) as store:
            yield choose.from_store(store, since), StoreJournal(store), choose.BY_TOOL
        return
    found = choose.from_labelled(None if data is None else Path(data))
    people = "its makers" if data is not None else choose.BY_LANGUAGE_MODEL
    yield found, FileJournal(Path(decisions or DECISIONS), {case.id: case.text for case in found}), people


def _export(cases: list[Any], journal: Any, target: str) -> int:
    from stance.review.journal import labelled

    rows = labelled(cases, journal.holding())
    if not rows:
        raise StanceError("nothing has been decided yet, so there is nothing to export")
    text = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)
    _replace(Path(target), text)
    complain(f"{target}: {len(rows)} sentences decided by people")
    return 0


def _conclude(
    judged: list[Any],
    available: Counter[Label],
    drawn: int,
    seed: int,
    person: str,
    labelled_by: str,
    json_file: str | None,
) -> None:
    """Kappa and confusion, on the terminal and as JSON."""
    from stance.review.agreement import compare
    from stance.sinks.text import SHORT

    if not judged:
        click.echo("nothing decided, so there is no agreement to report")
        return
    found = compare(judged, available, seed)
    click.echo(f"\n{person} and the labels of {labelled_by}: {len(judged)} of {drawn} sentences, seed {seed}")
    click.echo("Cohen's kappa with 95% intervals (the sample has the labels equally often)")
    for name, value in (
        ("label", found.label),
        ("frame", found.frame),
        ("opinion", found.opinion),
        ("voice", found.voice),
    ):
        click.echo(f"  {name:<9}{value}")
    if found.weighted is not None:
        click.echo(f"  label, weighted back to how often each label occurs: {found.weighted:.3f}")
    width = max(map(len, SHORT.values())) + 2
    click.echo("\nperson (down), labels (across)")
    click.echo("  " + " " * width + "".join(SHORT[label].rjust(width) for label in Label))
    for label, row in zip(Label, found.confusion, strict=True):
        click.echo("  " + SHORT[label].ljust(width) + "".join(str(number).rjust(width) for number in row))
    if json_file is not None:
        facts = {
            "schema": "stance-check/1",
            "stance": __version__,
            "person": person,
            "labels_by": labelled_by,
            "drawn": drawn,
            "decided": len(judged),
            "seed": seed,
            "date": datetime.now().astimezone().strftime("%Y-%m-%d"),
        }
        _replace(Path(json_file), json.dumps(facts | found.to_dict(), ensure_ascii=False, indent=1) + "\n")


def _replace(target: Path, text: str) -> None:
    """Write a file: complete or absent."""
    if target.is_dir() or not target.parent.is_dir():
        raise StanceError(f"{target}: cannot be written there; name a file in a folder that exists")
    partial = target.with_name(f".{target.name}.{os.getpid()}.partial")
    try:
        with naming(target):
            partial.write_text(text, encoding="utf-8")
            os.replace(partial, target)
    finally:
        partial.unlink(missing_ok=True)


def _account() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # no account by that number, as in some containers
        return "somebody"


# -- the terminal ----------------------------------------------------------------------------------------


def _check_terminal() -> None:
    if sys.stdin is None or not sys.stdin.isatty() or not options.stdout_is_terminal():
        raise click.UsageError("a review needs a terminal for its keys; run it without a pipe")


@contextlib.contextmanager
def _quiet_keys() -> Iterator[None]:
    """Keys come one by one and are not shown; whatever happens, the terminal is as before."""
    try:
        import termios
        import tty
    except ImportError:  # Windows: `click.getchar` does it key by key
        yield
        return
    number = sys.stdin.fileno()
    before = termios.tcgetattr(number)
    try:
        tty.setcbreak(number, termios.TCSADRAIN)  # what was typed ahead still counts
        yield
    finally:
        termios.tcsetattr(number, termios.TCSADRAIN, before)


def _keys() -> Iterator[str]:
    """Keys until the terminal closes or Ctrl-D; arrows and other escape sequences are passed over."""
    if os.name == "nt":
        while True:
            yield click.getchar()
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while True:
        read = os.read(sys.stdin.fileno(), 1024)
        if not read:
            return
        for key in _SEQUENCE.sub("", decoder.decode(read)):
            if key == "\x04":
                return
            yield key
