"""``stance bench accuracy``: engines and baselines side by side on labelled sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from stance.cli import bench
from stance.cli.bench_report import Report, Table, figure
from stance.cli.root import complain
from stance.errors import StanceError

if TYPE_CHECKING:
    from stance.evaluate import Answer, Scores
    from stance.evidence import Verdict
    from stance.gold import Labelled
    from stance.labels import Label


@click.command(
    cls=bench.BenchCommand,
    examples=(
        "stance bench accuracy",
        "stance bench accuracy held-out.jsonl --train labelled.jsonl --json figures.json",
        "stance bench accuracy other.tsv --field text=sentence --map-label OBJ=neutral_report "
        "--map-label SUBJ=analytical_opinion",
    ),
)
@click.argument("data", nargs=-1, type=bench.FILE)
@bench.engines_option
@click.option(
    "--train",
    multiple=True,
    type=bench.FILE,
    metavar="FILE",
    help="Labelled sentences for the baselines; repeat it.",
)
@click.option(
    "--drop-overlap",
    is_flag=True,
    help="Leave training sentences out that stand in the data too, instead of refusing.",
)
@bench.data_options
@bench.output_options
@click.pass_context
def command(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[bench.Version, ...],
    train: tuple[Path, ...],
    drop_overlap: bool,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Engines and baselines side by side on labelled JSONL or TSV (default: the bundled seeds)."""
    from stance import evaluate

    names = bench.Names(fields, labels)
    corpus = bench.read(data, names)
    report = bench.started(ctx, "accuracy", corpus)
    training = _training(train, names, corpus, report, drop=drop_overlap)
    systems: dict[str, Sequence[Verdict | Label | Answer]] = {}
    for entry, classifier in bench.chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences")
        systems[entry.name] = corpus.verdicts(classifier, report)
        bench.noted(report, entry, classifier, corpus)
    systems |= _baselines(training, corpus.gold, report)
    parts = {"": corpus.gold}
    if corpus.seeds:
        parts = {
            "seeds, each text once": corpus.gold,
            f"seeds without pieces of fewer than {evaluate.RESIDUE_WORDS} words": evaluate.without_residue(
                corpus.gold
            ),
        }
    place = {item.id: i for i, item in enumerate(corpus.gold)}
    for title, gold in parts.items():
        rows = [place[item.id] for item in gold]
        scores = {
            name: evaluate.score(gold, [answers[row] for row in rows]) for name, answers in systems.items()
        }
        report.results[title or "data"] = {name: s.to_dict() for name, s in scores.items()}
        report.tables += accuracy_tables(scores, title)
    click.echo(report.terminal())
    report.write(json_file, markdown_file)


def _training(
    paths: Sequence[Path], names: bench.Names, corpus: bench.Corpus, report: Report, *, drop: bool
) -> tuple[Labelled, ...]:
    """Training sentences of the baselines, none of which stands in the data."""
    from stance import evaluate, seeds
    from stance import overlap as overlaps

    if paths:
        train = bench.read(paths, names)
    elif corpus.seeds:
        written = evaluate.written_sentences(seeds.written())
        train = bench.Corpus(written, ({"name": "bundled written sentences", "sentences": len(written)},))
    else:
        return ()
    if drop:
        found = overlaps.overlap(corpus.gold, train.gold)
        copies, twins = {one for one, _ in found}, {other for _, other in found}
        kept = tuple(item for item in train.gold if item.id not in twins)
        if twins:
            report.note(f"{len(twins)} training sentences left out: copies of {len(copies)} of the data")
        train = replace(train, gold=kept)
    else:
        overlaps.refuse_overlap(train.gold, corpus.gold)
    report.data += [dict(item) | {"use": "training of the baselines"} for item in train.files]
    return train.gold


def _baselines(
    train: Sequence[Labelled], gold: Sequence[Labelled], report: Report
) -> dict[str, Sequence[Verdict | Label | Answer]]:
    from stance import baselines

    def skipped(name: str, reason: object) -> None:
        report.note(f"{name} skipped: {reason}")

    result: dict[str, Sequence[Verdict | Label | Answer]] = {}
    if train:
        result[baselines.MAJORITY] = baselines.majority(train, gold)
        complain(f"{baselines.TFIDF}: {len(train)} training sentences")
        try:
            result[baselines.TFIDF] = baselines.tfidf(train, gold)
        except StanceError as fault:
            skipped(baselines.TFIDF, fault)
    else:
        result[f"{baselines.MAJORITY} of the data"] = baselines.majority(gold, gold)
        skipped(baselines.TFIDF, "give labelled sentences with --train")
    try:
        result[baselines.VADER] = baselines.vader_sign(gold)
    except StanceError as fault:
        skipped(baselines.VADER, fault)
    return result


def accuracy_tables(scores: Mapping[str, Scores], title: str) -> list[Table]:
    """Scores, frames, labels, slices and confusions of systems that labelled the same sentences."""
    from stance.evaluate import LABELS

    first = next(iter(scores.values()))
    counts = f"{first.sentences} sentences, {first.articles} articles"
    lead = f"{title}: " if title else ""
    support = first.per_label
    return [
        Table(
            f"{lead}scores, {counts}, 95% intervals over articles",
            ("", "macro-F1", "accuracy", "voice", "speaker side", "own label", "ECE", "ECE if perfect"),
            tuple((name, *_scored(s)) for name, s in scores.items()),
        ),
        Table(
            f"{lead}frames",
            ("", "precision", "recall", "wrong side", "F1 pro_kyiv − F1 pro_moscow"),
            tuple(
                (
                    name,
                    figure(s.framed_precision),
                    figure(s.framed_recall),
                    figure(s.side_confusion),
                    str(s.side_difference),
                )
                for name, s in scores.items()
            ),
        ),
        Table(
            f"{lead}labels, precision / recall / F1",
            ("", *(f"{label} ({support[label]['support']})" for label in support)),
            tuple(
                (
                    name,
                    *(
                        f"{row['precision']:.2f} / {row['recall']:.2f} / {row['f1']:.2f}"
                        for row in s.per_label.values()
                    ),
                )
                for name, s in scores.items()
            ),
        ),
        *_slice_tables(scores, lead),
        Table(
            f"{lead}confusion, right label down, found label across",
            ("", *(label.value for label in LABELS)),
            tuple(
                (f"{name}: {label.value}", *map(str, s.confusion[i]))
                for name, s in scores.items()
                for i, label in enumerate(LABELS)
            ),
        ),
    ]


def _scored(scores: Scores) -> tuple[str, ...]:
    calibration = scores.calibration
    return (
        str(scores.macro_f1),
        str(scores.accuracy),
        figure(scores.voice),
        figure(scores.speaker_side),
        figure(scores.own_label),
        "–" if calibration is None else figure(calibration.error),
        "–" if calibration is None else f"{calibration.perfect_low:.3f} to {calibration.perfect_high:.3f}",
    )


def _slice_tables(scores: Mapping[str, Scores], lead: str) -> list[Table]:
    first = next(iter(scores.values()))
    if not first.slices:
        return []
    rows = tuple(
        (name, str(part.count), *(_short(s, name) for s in scores.values()))
        for name, part in first.slices.items()
    )
    return [Table(f"{lead}macro-F1 by slice", ("", "sentences", *scores), rows)]


def _short(scores: Scores, name: str) -> str:
    part = scores.slices[name]
    return f"{part.value:.2f} [{part.low:.2f}, {part.high:.2f}]"
