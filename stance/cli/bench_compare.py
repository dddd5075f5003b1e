"""``stance bench compare``: is version B better than A, and which sentences changed."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from stance.cli import bench, options
from stance.cli.bench_report import Table, grouped
from stance.cli.root import complain
from stance.sinks.inert import one_line

if TYPE_CHECKING:
    from stance.evaluate import Comparison, Flip, Scores
    from stance.gold import Labelled


@click.command(
    cls=bench.BenchCommand,
    examples=(
        "stance bench compare rules hybrid --on held-out.jsonl",
        "stance bench compare rules rules:overlay=our-rules --on held-out.jsonl --texts",
        "stance bench compare rules:git=HEAD rules",
    ),
)
@click.argument("first", metavar="A", type=bench.version)
@click.argument("second", metavar="B", type=bench.version)
@click.option(
    "--on",
    "data",
    multiple=True,
    type=bench.FILE,
    metavar="DATA",
    help="Labelled JSONL or TSV; repeat it (default: the bundled seeds).",
)
@click.option("--texts", is_flag=True, help="Show the sentences of the flips, on a terminal only.")
@bench.data_options
@bench.output_options
@click.pass_context
def command(
    ctx: click.Context,
    first: bench.Version,
    second: bench.Version,
    data: tuple[Path, ...],
    texts: bool,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Is version B better than A? Scores, tests, and only the sentences whose label changed.

    Ends with 1 when B is significantly worse by both McNemar's test and the bootstrap.
    """
    from stance import evaluate

    corpus = bench.read(data, bench.Names(fields, labels))
    report = bench.started(ctx, "compare", corpus)
    found = []
    for letter, entry in (("A", first), ("B", second)):
        classifier = bench.opened(entry)
        complain(f"{letter}, {entry.name}: {len(corpus.gold)} sentences")
        found.append(corpus.verdicts(classifier, report))
        bench.noted(report, replace(entry, spec=f"{letter}: {entry.name}"), classifier, corpus)
    scores = {name: evaluate.score(corpus.gold, rows) for name, rows in zip("AB", found, strict=True)}
    result = evaluate.compare(corpus.gold, *found)
    report.results = compared(result) | {name: s.to_dict() for name, s in scores.items()}
    report.tables = compare_tables(scores, result, {"A": first.name, "B": second.name})
    click.echo(report.terminal())
    if texts and options.stdout_is_terminal():
        _show_texts(result, corpus.gold)
    elif texts:
        complain("note: sentences are shown on a terminal only; the ids stand above")
    report.write(json_file, markdown_file)
    if result.worse:
        complain(f"B is significantly worse than A: {result.lost} lost, {result.won} won")
        ctx.exit(1)


def compared(result: Comparison) -> dict[str, Any]:
    return {
        "difference": result.difference.to_dict(),
        "mcnemar_p": result.mcnemar_p,
        "won": result.won,
        "lost": result.lost,
        "significantly_worse": result.worse,
        "flips": [
            {"id": f.id, "from": f.before, "to": f.after, "outcome": f.outcome, "rules": list(f.causes)}
            for f in result.flips
        ],
    }


def compare_tables(scores: Mapping[str, Scores], result: Comparison, names: Mapping[str, str]) -> list[Table]:
    first = next(iter(scores.values()))
    neither = len(result.flips) - result.won - result.lost
    tables = [
        Table(
            f"scores, {first.sentences} sentences, {first.articles} articles, 95% intervals over articles",
            ("", "macro-F1", "accuracy"),
            tuple(
                (f"{letter}: {names[letter]}", str(s.macro_f1), str(s.accuracy))
                for letter, s in scores.items()
            ),
        ),
        Table(
            "B against A",
            ("", "macro-F1 B − A", "won", "lost", "wrong both times", "McNemar's exact p"),
            (
                (
                    "paired",
                    str(result.difference),
                    str(result.won),
                    str(result.lost),
                    str(neither),
                    f"{result.mcnemar_p:.4f}",
                ),
            ),
        ),
    ]
    if result.flips:
        tables += [_flips_by_labels(result.flips), _flips_by_rule(result.flips)]
    return tables


def _flips_by_labels(flips: Sequence[Flip]) -> Table:
    groups: dict[tuple[str, str, str], list[str]] = defaultdict(list)
    for flip in flips:
        groups[flip.before, flip.after, flip.outcome].append(flip.id)
    rows = []
    for (before, after, outcome), ids in sorted(groups.items(), key=lambda item: (-len(item[1]), item[0])):
        lines = list(grouped(ids))
        rows.append((f"{before} → {after}, {outcome}", str(len(ids)), lines[0]))
        rows += [("", "", line) for line in lines[1:]]
    return Table("flips", ("from → to", "sentences", "ids"), tuple(rows))


def _flips_by_rule(flips: Sequence[Flip]) -> Table:
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for flip in flips:
        for cause in flip.causes:
            counts[cause][flip.outcome] += 1
    ranked = sorted(counts.items(), key=lambda item: (-item[1].total(), item[0]))
    return Table(
        "flips by the rules whose counted evidence differs",
        ("rule", "won", "lost", "wrong both times"),
        tuple((rule, str(n["won"]), str(n["lost"]), str(n["neither"])) for rule, n in ranked),
    )


def _show_texts(result: Comparison, gold: Sequence[Labelled]) -> None:
    texts = {item.id: item.text for item in gold}
    click.echo("")
    for flip in sorted(result.flips, key=lambda f: (f.before, f.after, f.outcome)):
        click.echo(
            one_line(f"{flip.outcome:7} {flip.id}  {flip.before} → {flip.after}  {', '.join(flip.causes)}")
        )
        click.echo(f"        {one_line(texts[flip.id])}")
