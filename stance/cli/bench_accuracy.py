"""``stance bench accuracy``: engines and baselines side by side on labelled sentences."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

import click

from stance.cli import bench, bench_plots
from stance.cli.bench_report import Report, Table, figure, figure2
from stance.cli.root import complain
from stance.errors import StanceError

if TYPE_CHECKING:
    from stance.baselines import Embedder
    from stance.evaluate import Answer, RulePrecision, Scores
    from stance.evidence import Verdict
    from stance.gold import Labelled
    from stance.labels import Label

_SHOWN_RULES: Final = 10
_SHOWN_IDS: Final = 3


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
@click.option(
    "--minilm",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Another baseline: embeddings of the model in DIR (model.onnx, tokenizer.json).",
)
@click.option(
    "--plots",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Draw confusion, reliability, precision by coverage and precision by rule, as SVG.",
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
    minilm: Path | None,
    plots: Path | None,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Engines and baselines side by side on labelled JSONL or TSV (default: the bundled seeds)."""
    from stance import baselines, evaluate

    if plots is not None:
        bench_plots.check_available()
    embedder = None if minilm is None else baselines.Embedder(minilm)
    names = bench.Names(fields, labels)
    corpus = bench.read(data, names)
    report = bench.started(ctx, "accuracy", corpus)
    training = _training(train, names, corpus, report, drop=drop_overlap)
    systems: dict[str, Sequence[Verdict | Label | Answer]] = {}
    for entry, classifier in bench.chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences")
        systems[entry.name] = corpus.verdicts(classifier, report)
        bench.noted(report, entry, classifier, corpus)
    systems |= _baselines(training, corpus.gold, report, embedder)
    parts = {"": corpus.gold}
    if corpus.seeds:
        parts = {
            "seeds, each text once": corpus.gold,
            f"seeds without pieces of fewer than {evaluate.RESIDUE_WORDS} words": evaluate.without_residue(
                corpus.gold
            ),
        }
    hits = _rule_precision(corpus.gold, systems)
    drawn: Mapping[str, Scores] = {}
    place = {item.id: i for i, item in enumerate(corpus.gold)}
    for title, gold in parts.items():
        rows = [place[item.id] for item in gold]
        scores = {
            name: evaluate.score(gold, [answers[row] for row in rows]) for name, answers in systems.items()
        }
        report.results[title or "data"] = {name: s.to_dict() for name, s in scores.items()}
        report.tables += accuracy_tables(scores, title)
        drawn = drawn or scores
    report.rules = {
        name: {rule: row.to_dict() for rule, row in rules.items()} for name, rules in hits.items()
    }
    report.tables += [_rule_table(name, rules) for name, rules in hits.items() if rules]
    if plots is not None:
        for path in bench_plots.accuracy(plots, drawn, hits):
            complain(f"drew {path}")
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
    train: Sequence[Labelled], gold: Sequence[Labelled], report: Report, embedder: Embedder | None
) -> dict[str, Sequence[Verdict | Label | Answer]]:
    from stance import baselines

    def skipped(name: str, reason: object) -> None:
        report.note(f"{name} skipped: {reason}")

    result: dict[str, Sequence[Verdict | Label | Answer]] = {}
    if train:
        result[baselines.MAJORITY] = baselines.majority(train, gold)
        learnt = {baselines.TFIDF: baselines.tfidf}
        if embedder is not None:
            learnt[baselines.MINILM] = partial(baselines.minilm, embedder)
        for name, method in learnt.items():
            complain(f"{name}: {len(train)} training sentences")
            try:
                result[name] = method(train, gold)
            except StanceError as fault:
                skipped(name, fault)
    else:
        result[f"{baselines.MAJORITY} of the data"] = baselines.majority(gold, gold)
        for name in (baselines.TFIDF, *((baselines.MINILM,) if embedder is not None else ())):
            skipped(name, "give labelled sentences with --train")
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
        *_coverage_tables(scores, lead),
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


def _coverage_tables(scores: Mapping[str, Scores], lead: str) -> list[Table]:
    from stance.calibration import SHOWN_STEPS

    rows = []
    for name, s in scores.items():
        for label, curve in (s.coverage or {}).items():
            steps = [kept for kept in curve if kept.below in SHOWN_STEPS]
            rows.append((f"{name}: {label}", *(f"{figure2(k.precision)} of {k.kept}" for k in steps)))
    if not rows:
        return []
    head = ("", *(f"P {step}" if step else "all" for step in SHOWN_STEPS))
    return [Table(f"{lead}precision of the answers left by --abstain-below P", head, tuple(rows))]


def _rule_precision(
    gold: Sequence[Labelled], systems: Mapping[str, Sequence[Verdict | Label | Answer]]
) -> dict[str, dict[str, RulePrecision]]:
    """Precision of each rule, for engines that use rules; engines with the same hits stand once."""
    from stance import evaluate
    from stance.evidence import Verdict

    result: dict[str, dict[str, RulePrecision]] = {}
    for name, answers in systems.items():
        verdicts = [answer for answer in answers if isinstance(answer, Verdict)]
        if len(verdicts) == len(gold):
            found = evaluate.rule_precision(gold, verdicts)
            if found and found not in result.values():
                result[name] = found
    return result


def _rule_table(name: str, rules: Mapping[str, RulePrecision]) -> Table:
    """The rules that were wrong most often; the JSON file holds all."""
    worst = sorted(rules.items(), key=lambda row: (len(row[1].wrong) * -1, row[1].hits, row[0]))
    return Table(
        f"{name}: {len(rules)} rules hit; those most often wrong",
        ("", "hits", "right", "precision", "ids where wrong"),
        tuple(
            (
                rule,
                str(row.hits),
                str(row.right),
                figure2(row.precision),
                ", ".join(row.wrong[:_SHOWN_IDS]) + (" …" if len(row.wrong) > _SHOWN_IDS else ""),
            )
            for rule, row in worst[:_SHOWN_RULES]
            if row.wrong
        ),
    )


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
