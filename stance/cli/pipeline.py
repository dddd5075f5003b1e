"""``stance pipeline``: train and measure the English pipeline."""

from __future__ import annotations

import json
from pathlib import Path

import click

from stance.cli.root import LazyGroup, StanceCommand, complain
from stance.errors import StanceError


@click.group(
    cls=LazyGroup,
    examples=(
        "stance pipeline train --treebank treebank/ --out models/pipeline/en",
        "stance pipeline evaluate --treebank treebank/ --pipeline models/pipeline/en",
    ),
)
def command() -> None:
    """Train and measure the English pipeline that gives tokens, lemmas and trees."""


@command.command(
    "train",
    cls=StanceCommand,
    examples=("stance pipeline train --treebank treebank/ --out models/pipeline/en",),
)
@click.option(
    "--treebank", required=True, type=click.Path(path_type=Path), help="Folder of the .conllu files."
)
@click.option(
    "--out", required=True, type=click.Path(path_type=Path), help="Folder to write the pipeline to."
)
@click.option("--steps", type=click.IntRange(min=1), help="Updates (default: as configured, about an hour).")
@click.option("--seed", type=int, default=0, show_default=True, help="Start of the random numbers.")
@click.option("--reference", is_flag=True, help="Train the reference to compare with instead.")
@click.option(
    "--silver",
    type=click.Path(path_type=Path),
    help="Sentences parsed by the teacher (CoNLL-U), to learn from as well.",
)
def train(
    treebank: Path, out: Path, steps: int | None, seed: int, reference: bool, silver: Path | None
) -> None:
    """Train the pipeline on a folder of Universal Dependencies treebanks."""
    from stance import pipeline_training as training

    settings = training.REFERENCE if reference else training.SHIPPED
    training.train(
        _there(treebank), out, steps=steps, seed=seed, progress=complain, settings=settings, silver=silver
    )


@command.command(
    "evaluate",
    cls=StanceCommand,
    examples=("stance pipeline evaluate --treebank treebank/ --pipeline models/pipeline/en",),
)
@click.option(
    "--treebank", required=True, type=click.Path(path_type=Path), help="Folder of the .conllu files."
)
@click.option("--pipeline", required=True, type=click.Path(path_type=Path), help="Folder of the pipeline.")
@click.option("--reference", type=click.Path(path_type=Path), help="Folder of a pipeline to compare with.")
@click.option("--json", "report", type=click.Path(path_type=Path), help="Write all figures here.")
def evaluate(treebank: Path, pipeline: Path, reference: Path | None, report: Path | None) -> None:
    """Measure a pipeline on the test files: tags, lemmas, trees, speed."""
    from stance import pipeline_training as training

    figures = training.evaluate(_there(pipeline), _there(treebank), reference)
    if report is not None:
        report.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    for line in training.report_lines(figures):
        click.echo(line)


def _there(folder: Path) -> Path:
    if not folder.is_dir():
        raise StanceError(f"{folder}: no such folder; name the one that holds the files")
    return folder
