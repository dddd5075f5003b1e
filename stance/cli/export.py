"""``stance export``: what a store holds, as a file for other tools."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stance.cli import options
from stance.cli.root import StanceCommand
from stance.errors import StanceError

if TYPE_CHECKING:
    from stance.monitor import Store

_FORMATS: Final = ("jsonl", "csv", "parquet", "docbin")
_SINCE: Final = re.compile(r"\d{4}-\d{2}-\d{2}(?:T\d{2}:\d{2}:\d{2}Z)?")


@click.command(
    cls=StanceCommand,
    examples=(
        "stance export -o labels.csv                       the newest verdicts of monitor.db",
        "stance export --store war.db --since 2026-03-01 -o march.parquet",
        "stance export --copies | jq .label                every near-duplicate too",
    ),
)
@options.store_option
@click.option("-o", "--output", type=click.Path(), metavar="FILE", help="Write here: complete or not at all.")
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(_FORMATS),
    help="How to write. Default: by the ending of --output, else jsonl.",
)
@click.option("--copies", is_flag=True, help="Near-duplicates of an earlier item too.")
@click.option("--since", metavar="DATE", help="Only what was seen on this day (UTC) or later: 2026-03-01.")
@click.option(
    "--bom", is_flag=True, help="Start CSV with a byte order mark (for spreadsheets that want one)."
)
def command(
    store: str, output: str | None, form: str | None, copies: bool, since: str | None, bom: bool
) -> None:
    """Write the newest verdict of every sentence in a store, items in the order in which they came."""
    from stance.monitor import Store
    from stance.sinks import ENDINGS, FILE_FORMATS, SinkOptions, check_available, open_sink
    from stance.sinks.files import OutputFile, naming

    if since is not None and not _SINCE.fullmatch(since):
        raise click.UsageError(f"--since: '{since}' is no date like 2026-03-01")
    chosen = form or ENDINGS.get(Path(output or "").suffix.lower(), "jsonl")
    if chosen not in _FORMATS:
        raise click.UsageError(
            f"--output: a store is written as {', '.join(_FORMATS)}; name one with --format"
        )
    if output is None and chosen in FILE_FORMATS:
        raise click.UsageError(f"--format {chosen} needs --output: it is not for a pipe or a terminal")
    check_available(chosen)
    with Store.open(store, readonly=True) as opened:
        documents = _documents(opened, copies, since)
        if output is None:
            if sys.stdout is None:
                raise StanceError("standard output is closed; open it or use --output")
            settings = SinkOptions(bom=bom, ascii_json=options.stdout_is_terminal())
            sink = open_sink(chosen, sys.stdout.buffer, settings)
            for records in documents:
                sink.write(records)
            sink.finish()
            return
        target = OutputFile(Path(output), job="export")
        try:
            with naming(Path(output)):
                sink = open_sink(chosen, target.stream, SinkOptions(bom=bom))
                for records in documents:
                    sink.write(records)
                sink.finish()
                target.finish(chosen if chosen in FILE_FORMATS else None)
        except BaseException:
            target.discard()
            raise


def _documents(store: Store, copies: bool, since: str | None) -> Iterator[list[dict[str, Any]]]:
    for item in store.items(copies=copies, since=since):
        if item.sentences:
            yield [dict(sentence.record) for sentence in item.sentences]
