"""``stance bench impartiality``: is one side treated like the other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from stance.cli import bench
from stance.cli.bench_report import Table, percent
from stance.cli.root import complain

if TYPE_CHECKING:
    from stance.gold import Labelled
    from stance.impartiality import Break, NameTest
    from stance.rulebook import Rulebook

_SHOWN: Final = 20


@click.command(
    cls=bench.BenchCommand,
    examples=(
        "stance bench impartiality",
        "stance bench impartiality held-out.jsonl --engine hybrid --json impartiality.json",
    ),
)
@click.argument("data", nargs=-1, type=bench.FILE)
@bench.engines_option
@click.option(
    "--pairs",
    type=bench.FILE,
    metavar="FILE",
    help="Swap pairs: labelled sentences with a field 'pair' (default: the bundled ones).",
)
@bench.data_options
@bench.output_options
@click.pass_context
def command(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[bench.Version, ...],
    pairs: Path | None,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Is one side treated like the other: mirrored sentences, swap pairs, names alone, the sides' figures."""
    from stance import evaluate, gold
    from stance import impartiality as impartial
    from stance.resources import resource

    corpus = bench.read(data, bench.Names(fields, labels))
    report = bench.started(ctx, "impartiality", corpus)
    path = pairs if pairs is not None else resource("seeds") / "written" / "swap-pairs.jsonl"
    twins = gold.read(path)
    report.data.append(
        {"name": path.name, "sha256": gold.digest(path), "sentences": len(twins), "use": "swap pairs"}
    )
    rows, sides, swaps = [], [], []
    broken: list[Table] = []
    books: dict[str, Rulebook] = {}
    for entry, classifier in bench.chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences and {len(twins)} of pairs")
        bench.noted(report, entry, classifier, corpus)
        books.setdefault(classifier.rulebook.digest, classifier.rulebook)
        test = impartial.mirror_test(classifier, [item.text for item in corpus.gold])
        right, total = impartial.pairs_right(twins, evaluate.label_all(classifier, twins))
        names = impartial.name_test(classifier, corpus.gold)
        found = [verdict.label for verdict in corpus.verdicts(classifier, report)]
        differences = impartial.side_differences(corpus.gold, found)
        report.results[entry.name] = {
            "name_a_side": test.name_a_side,
            "mirrored": test.mirrored,
            "coverage": round(test.coverage, 4),
            "consistent": test.consistent,
            "consistency": None if test.consistency is None else round(test.consistency, 4),
            "inconsistent": [_exception(corpus.gold[part.place].id, part) for part in test.broken],
            "pairs": total,
            "pairs_both_right": right,
            "names_alone": names.to_dict()
            | {"framed_by_a_name_ids": [corpus.gold[i].id for i in names.framed_now]},
            "side_differences": {name: part.to_dict() for name, part in differences.items()},
        }
        rows.append(
            (
                entry.name,
                str(test.name_a_side),
                f"{test.mirrored} ({percent(test.coverage)})",
                f"{test.consistent} ({percent(test.consistency)})",
                f"{right} of {total} ({percent(right / total)})",
            )
        )
        if test.broken:
            broken.append(_exceptions(entry.name, corpus.gold, test.broken))
        swaps.append((entry.name, *_names_row(names)))
        sides.append((entry.name, *(str(part) for part in differences.values())))
    report.tables = [
        Table(
            "mirrored sentences and swap pairs",
            ("", "name a side", "can be mirrored", "consistent", "pairs both right"),
            tuple(rows),
        ),
        Table(
            "names of the two sides swapped, all other words kept, 95% intervals over articles",
            (
                "",
                "can be swapped",
                "unframed that keep their label",
                "frames made, pro_kyiv − pro_moscow",
                "pro_kyiv swapped / kept / lost",
                "pro_moscow",
            ),
            tuple(swaps),
        ),
        Table(
            "pro_kyiv less pro_moscow, 95% intervals over articles",
            ("", "precision", "recall", "F1"),
            tuple(sides),
        ),
        *broken,
        *(_cues(book) for book in books.values()),
    ]
    report.results["cues"] = {digest: _cue_figures(book) for digest, book in books.items()}
    click.echo(report.terminal())
    report.write(json_file, markdown_file)


def _cue_figures(book: Rulebook) -> list[dict[str, Any]]:
    from stance import impartiality as impartial

    return [
        {
            "test": part.test,
            "either_side": dict(zip(("rules", "patterns"), part.either, strict=True)),
            **{side: dict(zip(("rules", "patterns"), n, strict=True)) for side, n in part.sides.items()},
            "unpaired": dict(part.unpaired),
        }
        for part in impartial.cues(book)
    ]


def _cues(book: Rulebook) -> Table:
    """What each side has to find its frames by: rules, and the phrases and trees in them."""
    from stance import impartiality as impartial

    sides = [info.id for info in book.sides]
    return Table(
        f"cues that count, by test (rules {book.digest}): rules, their patterns",
        ("test", "either side", *sides, *(f"{side} unpaired" for side in sides)),
        tuple(
            (
                part.test,
                "{}, {}".format(*part.either),
                *("{}, {}".format(*part.sides[side]) for side in sides),
                *(str(part.unpaired[side]) for side in sides),
            )
            for part in impartial.cues(book)
        ),
    )


def _names_row(names: NameTest) -> tuple[str, ...]:
    made = " − ".join(map(str, names.frames_made()))
    return (
        f"{names.swapped} ({percent(names.coverage)})",
        "–" if names.kept is None else str(names.kept),
        "–" if names.appeared is None else f"{made}: {names.appeared}",
        *(" / ".join(map(str, names.of_side(number))) for number in (0, 1)),
    )


def _exception(name: str, found: Break) -> dict[str, Any]:
    return {
        "id": name,
        "label": found.label.value,
        "mirror_label": found.mirror_label.value,
        "rules": list(found.rules),
        "mirror_rules": list(found.mirror_rules),
    }


def _exceptions(engine: str, gold: Sequence[Labelled], broken: Sequence[Break]) -> Table:
    """The sentences whose mirror's label is not the swapped one; the JSON file holds all."""
    which = f", the first {_SHOWN}" if len(broken) > _SHOWN else ""
    return Table(
        f"{engine}: {len(broken)} whose mirror has not the swapped label{which}",
        ("id", "label", "label of the mirror", "rules without a counterpart"),
        tuple(
            (gold[part.place].id, part.label.value, part.mirror_label.value, ", ".join(part.causes))
            for part in broken[:_SHOWN]
        ),
    )
