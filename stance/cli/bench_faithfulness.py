"""``stance bench faithfulness``: does the named evidence carry the verdict."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Final

import click

from stance.cli import bench
from stance.cli.bench_report import Table, figure, percent
from stance.cli.root import complain

_FEW_VERDICTS: Final = 30


@click.command(
    cls=bench.BenchCommand,
    examples=(
        "stance bench faithfulness --engine rules",
        "stance bench faithfulness held-out.jsonl --json faithfulness.json",
    ),
)
@click.argument("data", nargs=-1, type=bench.FILE)
@bench.engines_option
@click.option("--seed", type=int, default=0, show_default=True, help="Which other words are drawn.")
@bench.data_options
@bench.output_options
@click.pass_context
def command(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[bench.Version, ...],
    seed: int,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Does the evidence carry the verdict? Its words are made neutral, and as many other words.

    For each framed verdict, the words of its counted evidence become neutral words of the same form
    (something, things, handled, handling, somehow, Someone, some). Words of grammar stay, unless there is
    nothing else. Counted: the label changes, or loses probability. Sentences are read on their own.
    """
    from stance import evaluate

    corpus = bench.read(data, bench.Names(fields, labels))
    report = bench.started(ctx, "faithfulness", corpus)
    rows = []
    for entry, classifier in bench.chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences")
        bench.noted(report, entry, classifier, corpus)
        result = evaluate.faithfulness(classifier, corpus.gold, seed)
        report.results[entry.name] = result.to_dict()
        if result.evidence.verdicts < _FEW_VERDICTS:
            report.note(f"{entry.name}: {result.evidence.verdicts} framed verdicts only; shares mean little")
        for name, part in (("evidence", result.evidence), ("random words", result.random_words)):
            rows.append(
                (
                    f"{entry.name}, {name}",
                    str(part.verdicts),
                    str(result.without_evidence) if name == "evidence" else "",
                    percent(part.label_changed / part.verdicts if part.verdicts else None),
                    percent(part.share),
                    figure(part.mean_drop),
                )
            )
    report.tables = [
        Table(
            "framed verdicts after words were made neutral",
            ("", "verdicts", "without evidence", "label changed", "changed or less probable", "mean drop"),
            tuple(rows),
        )
    ]
    click.echo(report.terminal())
    report.write(json_file, markdown_file)
