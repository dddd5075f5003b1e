"""``stance train``: fit the weights of an engine and write them with their card."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from stance.cli import loading, options
from stance.cli.root import StanceCommand, complain
from stance.errors import StanceError

_PATH = click.Path(path_type=Path, dir_okay=False)


@click.command(
    cls=StanceCommand,
    examples=(
        "stance train --data seeds/written/agencies.jsonl --out my-model",
        "stance train --data read.jsonl --weigh-on unread.jsonl --unlabelled texts.jsonl.gz --out my-model",
        "stance train --engine model --data labelled.jsonl --out my-words",
    ),
)
@click.option(
    "--data",
    "data",
    multiple=True,
    type=_PATH,
    help="Labelled JSONL or TSV from which words are learnt; repeat it.",
)
@click.option(
    "--weigh-on",
    "weigh",
    multiple=True,
    type=_PATH,
    help="Labelled sentences from which no rule was written: they also teach the weights of rule evidence, "
    "the calibration and the thresholds. Without it, all data do.",
)
@click.option(
    "--unlabelled", type=_PATH, help="JSONL (gzip too) with article and text, to smooth words over their use."
)
@click.option(
    "--taught",
    type=_PATH,
    help="JSONL (gzip too) with article, text and the shares that a larger model gives to each answer "
    "('frames', 'opinion'), as models/teacher.py writes them: words learn from these too.",
)
@click.option(
    "--engine",
    type=click.Choice(("hybrid", "model")),
    default="hybrid",
    show_default=True,
    help="Whose weights: of rule evidence and words together, or of words alone.",
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path, file_okay=False), help="Folder to write to."
)
@click.option(
    "--seed", type=int, default=0, show_default=True, help="Noted in the card; training draws no lots."
)
@options.rule_folder_options
def command(
    data: tuple[Path, ...],
    weigh: tuple[Path, ...],
    unlabelled: Path | None,
    taught: Path | None,
    engine: str,
    out: Path,
    seed: int,
    rules: str | None,
    overlay: str | None,
) -> None:
    """Fit the weights of an engine. The same data, rules and seed give the same files, byte for byte."""
    from stance import training
    from stance.classifier import Classifier

    if not data and not weigh:
        raise click.UsageError("give at least one file with --data or --weigh-on")
    for path in (*data, *weigh, *filter(None, (unlabelled, taught))):
        if not path.is_file():
            raise StanceError(f"{path}: no such file; check the path")
    _refuse_twice((*data, *weigh))
    classifier = Classifier(loading.rulebook(rules, overlay), engine="rules")
    card = training.run(
        classifier,
        data=data,
        weigh=weigh,
        unlabelled=unlabelled,
        taught=taught,
        engine=engine,
        out=out,
        options=training.Options(seed=seed),
        progress=complain,
    )
    figures = card["figures"]["out_of_fold"]
    told = f"macro-F1 {figures['macro_f1']:.3f} on {figures['sentences']} sentences held out"
    click.echo(f"{out}: {card['engine']}, {told}")


def _refuse_twice(paths: Sequence[Path]) -> None:
    """A sentence in two files would be learnt twice, and be held out and learnt at once."""
    from stance import gold

    seen: dict[str, Path] = {}
    for path in paths:
        ids = [item.id for item in gold.read(path)]
        twice = [name for name in ids if name in seen]
        if twice:
            raise StanceError(
                f"{path}: {len(twice)} ids stand in {seen[twice[0]]} too ({', '.join(twice[:5])}); "
                "give each file once and each sentence its own id"
            )
        seen |= dict.fromkeys(ids, path)
