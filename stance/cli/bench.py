"""``stance bench``: how good is it, is one version better, is it fair, does its evidence carry it."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

import click

from stance.cli import loading, options
from stance.cli.bench_report import (
    Report,
    Table,
    command_line,
    figure,
    grouped,
    percent,
    without_folders,
)
from stance.cli.root import LazyGroup, StanceCommand, complain
from stance.errors import StanceError
from stance.labels import ENGINES
from stance.sinks.inert import one_line

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.evaluate import Answer, Comparison, Flip, Scores
    from stance.evidence import Verdict
    from stance.gold import Labelled
    from stance.labels import Label

Function = TypeVar("Function", bound=Callable[..., Any])
_FILE: Final = click.Path(path_type=Path, dir_okay=False)
_KEYS: Final = ("rules", "overlay", "model", "git")
_FIELDS: Final = tuple(
    "id text label frame opinion voice source prev article tests kind batch outlet_group date pair".split()
)
ARGUMENTS: Final = "stance.bench.arguments"
_SEEDS: Final = "bundled seeds"
_FEW_VERDICTS: Final = 30


class BenchCommand(StanceCommand):
    """Remembers how it was called, for the report."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        ctx.meta[ARGUMENTS] = list(args)
        return super().parse_args(ctx, args)


class BenchGroup(LazyGroup):
    command_class = BenchCommand


@click.group(
    cls=BenchGroup,
    table={
        "throughput": (
            "stance.cli.bench_throughput",
            "How fast is it, beside peers in the same run?",
        )
    },
    examples=(
        "stance bench accuracy",
        "stance bench compare rules hybrid --on labelled.jsonl",
        "stance bench impartiality",
    ),
)
def command() -> None:
    """Measure engines on labelled sentences; without data, on the bundled seeds.

    An engine is written ENGINE[:KEY=VALUE,...]: rules, model or hybrid, and optionally rules=DIR,
    overlay=DIR, model=DIR, or git=REV for the rules of a git revision.
    """


# -- versions --------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Version:
    """An engine with its rules and model, as ``rules:overlay=DIR`` names it."""

    engine: str
    rules: str | None = None
    overlay: str | None = None
    model: str | None = None
    git: str | None = None
    spec: str = ""

    @property
    def name(self) -> str:
        return without_folders(self.spec)


def version(value: str) -> Version:
    """The version that ``ENGINE[:KEY=VALUE,...]`` names."""
    engine, colon, rest = value.partition(":")
    if engine not in ENGINES:
        raise click.BadParameter(f"{engine!r} is not one of {', '.join(ENGINES)}")
    given: dict[str, str] = {}
    for part in rest.split(",") if colon else ():
        key, equals, text = part.partition("=")
        if key not in _KEYS or not equals or not text:
            raise click.BadParameter(f"{part!r} is not KEY=VALUE with one of {', '.join(_KEYS)}")
        given[key] = text
    if "git" in given and "rules" in given:
        raise click.BadParameter("give rules=DIR or git=REV, not both")
    if engine == "rules" and "model" in given:
        raise click.BadParameter("the engine rules has no model")
    return Version(engine, spec=value, **given)


def opened(entry: Version) -> Classifier:
    """The classifier of a entry."""
    if entry.git is None:
        return loading.classifier(entry.engine, rules=entry.rules, overlay=entry.overlay, model=entry.model)
    import tempfile

    with tempfile.TemporaryDirectory(prefix="stance-rules-") as folder:
        rules = rules_of_revision(entry.git, Path(folder))
        try:
            return loading.classifier(
                entry.engine, rules=str(rules), overlay=entry.overlay, model=entry.model
            )
        except StanceError as fault:
            first = str(fault).splitlines()[0].replace(f"{folder}/", "")
            raise StanceError(f"the rules of git revision {entry.git!r} do not load: {first}") from None


def rules_of_revision(revision: str, folder: Path, checkout: Path | None = None) -> Path:
    """The rules folder of a git revision, exported into `folder`."""
    import io
    import subprocess
    import tarfile

    from stance.resources import default_rules

    rules = default_rules() if checkout is None else checkout / "rules"

    def git(*arguments: str) -> subprocess.CompletedProcess[bytes]:
        try:
            return subprocess.run(  # noqa: S603
                ["git", "-C", str(rules.parent), *arguments],  # noqa: S607
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            raise StanceError("git is not installed; install it or give rules=DIR") from None

    if git("rev-parse", "--is-inside-work-tree").stdout.strip() != b"true":
        raise StanceError("git=REV works in a checkout of the project only; give rules=DIR instead")
    found = git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}")
    if found.returncode:
        raise StanceError(f"there is no git revision {revision!r} in this checkout; see `git log`")
    packed = git("archive", "--format=tar", found.stdout.decode().strip(), "--", rules.name)
    if packed.returncode:
        raise StanceError(f"git revision {revision!r} has no folder {rules.name!r}; choose a later one")
    with tarfile.open(fileobj=io.BytesIO(packed.stdout)) as archive:
        archive.extractall(folder, filter="data")
    return folder / rules.name


def chosen(versions: Sequence[Version], report: Report) -> list[tuple[Version, Classifier]]:
    """The engines asked for, or all three that are there; what is missing is noted."""
    if versions:
        return [(entry, opened(entry)) for entry in versions]
    from stance.resources import resource

    result = []
    for engine in ENGINES:
        if engine != "rules" and not (resource("models") / engine).is_dir():
            report.note(f"engine {engine} skipped: no model of it is installed; `stance train` makes one")
            continue
        entry = Version(engine, spec=engine)
        result.append((entry, opened(entry)))
    return result


# -- data ------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Corpus:
    """Labelled sentences and where they come from; seeds are read in their documents."""

    gold: tuple[Labelled, ...]
    files: tuple[dict[str, Any], ...]
    seeds: bool = False

    def verdicts(self, classifier: Classifier, report: Report) -> list[Verdict]:
        from stance import evaluate, seeds

        if not self.seeds:
            return evaluate.label_all(classifier, self.gold)
        found, missed = evaluate.label_in_documents(classifier, seeds.documents(), seeds.gold())
        if missed:
            report.note(
                f"{missed} seed sentences were cut elsewhere by the splitter; the nearest piece counts"
            )
        return [found[item.id] for item in self.gold]


@dataclass(frozen=True, slots=True)
class Names:
    """How the user's files name fields and labels."""

    fields: Mapping[str, str]
    labels: Mapping[str, str]


def read(paths: Sequence[Path], names: Names) -> Corpus:
    """All sentences of some files; the bundled seeds without any."""
    from stance import evaluate, gold, seeds

    if not paths:
        sentences = evaluate.seed_sentences(seeds.gold())
        return Corpus(sentences, ({"name": _SEEDS, "sentences": len(sentences)},), seeds=True)
    files = []
    result: list[Labelled] = []
    seen: dict[str, Path] = {}
    for path in paths:
        rows = gold.read(path, fields=names.fields, labels=names.labels)
        twice = [row.id for row in rows if row.id in seen]
        if twice:
            raise StanceError(
                f"{path}: {len(twice)} ids stand in {seen[twice[0]]} too ({', '.join(twice[:10])}); "
                "give each file once and each sentence its own id"
            )
        seen |= {row.id: path for row in rows}
        result += rows
        files.append({"name": path.name, "sha256": gold.digest(path), "sentences": len(rows)})
    return Corpus(tuple(result), tuple(files))


def started(ctx: click.Context, what: str, corpus: Corpus) -> Report:
    """The report of a run, with what its data lack."""
    from stance import evaluate

    report = Report(what, command_line(ctx.command_path, ctx.meta[ARGUMENTS]))
    report.data = list(corpus.files)
    if corpus.seeds:
        report.note(
            "seeds: labels by a large language model under the codebook; seen data, duplicates counted once"
        )
    for remark in evaluate.remarks(corpus.gold):
        report.note(remark)
    return report


def noted(report: Report, entry: Version, classifier: Classifier, corpus: Corpus) -> None:
    """Versions into the report, and a note where the model has learnt from these very files."""
    report.versions[entry.name] = classifier.versions.to_dict()
    model = getattr(classifier, "model", None)
    learnt = set(model.card.get("data", {}).values()) if model is not None else set()
    for item in corpus.files:
        if item.get("sha256") in learnt:
            report.note(f"{entry.name} has learnt from {item['name']}: its figures there are on seen data")


def pairs_of(what: str) -> Callable[[click.Context, click.Parameter, tuple[str, ...]], dict[str, str]]:
    """A callback that reads NAME=VALUE options."""

    def callback(ctx: click.Context, param: click.Parameter, values: tuple[str, ...]) -> dict[str, str]:
        result = {}
        for value in values:
            left, equals, right = value.partition("=")
            if not equals or not left or not right:
                raise click.BadParameter(f"{value!r} is not {what}", ctx, param)
            if param.name == "fields" and left not in _FIELDS:
                known = ", ".join(_FIELDS)
                raise click.BadParameter(f"there is no field {left!r}; fields are {known}", ctx, param)
            result[left] = right
        return result

    return callback


def data_options(function: Function) -> Function:
    """--field and --map-label."""
    function = click.option(
        "--map-label",
        "labels",
        multiple=True,
        metavar="THEIRS=OURS",
        callback=pairs_of("THEIRS=OURS, as in OBJ=neutral_report"),
        help="A label of the data and the one of the four labels that it means; repeat it.",
    )(function)
    return click.option(
        "--field",
        "fields",
        multiple=True,
        metavar="OURS=THEIRS",
        callback=pairs_of("OURS=THEIRS, as in text=sentence"),
        help="A field (id, text, label, article ...) and its name in the data; repeat it.",
    )(function)


def output_options(function: Function) -> Function:
    """--json and --markdown."""
    function = click.option(
        "--markdown", "markdown_file", type=_FILE, metavar="FILE", help="Write the tables as Markdown too."
    )(function)
    return click.option(
        "--json",
        "json_file",
        type=_FILE,
        metavar="FILE",
        help="Write figures, ids and the facts of the run; no text of the data.",
    )(function)


def engines_option(function: Function) -> Function:
    return click.option(
        "--engine",
        "engines",
        multiple=True,
        type=version,
        metavar="ENGINE[:KEY=VALUE,...]",
        help="Engine to measure, with rules=DIR, overlay=DIR, model=DIR or git=REV; repeat it "
        "(default: all that are installed).",
    )(function)


# -- accuracy --------------------------------------------------------------------------------------------


@command.command(
    "accuracy",
    examples=(
        "stance bench accuracy",
        "stance bench accuracy held-out.jsonl --train labelled.jsonl --json figures.json",
        "stance bench accuracy other.tsv --field text=sentence --map-label OBJ=neutral_report "
        "--map-label SUBJ=analytical_opinion",
    ),
)
@click.argument("data", nargs=-1, type=_FILE)
@engines_option
@click.option(
    "--train",
    multiple=True,
    type=_FILE,
    metavar="FILE",
    help="Labelled sentences for the baselines; repeat it.",
)
@click.option(
    "--drop-overlap",
    is_flag=True,
    help="Leave training sentences out that stand in the data too, instead of refusing.",
)
@data_options
@output_options
@click.pass_context
def accuracy(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[Version, ...],
    train: tuple[Path, ...],
    drop_overlap: bool,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Engines and baselines side by side on labelled JSONL or TSV (default: the bundled seeds)."""
    from stance import evaluate

    names = Names(fields, labels)
    corpus = read(data, names)
    report = started(ctx, "accuracy", corpus)
    training = _training(train, names, corpus, report, drop=drop_overlap)
    systems: dict[str, Sequence[Verdict | Label | Answer]] = {}
    for entry, classifier in chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences")
        systems[entry.name] = corpus.verdicts(classifier, report)
        noted(report, entry, classifier, corpus)
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
    paths: Sequence[Path], names: Names, corpus: Corpus, report: Report, *, drop: bool
) -> tuple[Labelled, ...]:
    """Training sentences of the baselines, none of which stands in the data."""
    from stance import evaluate, seeds

    if paths:
        train = read(paths, names)
    elif corpus.seeds:
        written = evaluate.written_sentences(seeds.written())
        train = Corpus(written, ({"name": "bundled written sentences", "sentences": len(written)},))
    else:
        return ()
    if drop:
        copies = {one for one, _ in evaluate.overlap(corpus.gold, train.gold)}
        twins = {other for _, other in evaluate.overlap(corpus.gold, train.gold)}
        kept = tuple(item for item in train.gold if item.id not in twins)
        if twins:
            report.note(f"{len(twins)} training sentences left out: copies of {len(copies)} of the data")
        train = replace(train, gold=kept)
    else:
        evaluate.refuse_overlap(train.gold, corpus.gold)
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


# -- compare ---------------------------------------------------------------------------------------------


@command.command(
    "compare",
    examples=(
        "stance bench compare rules hybrid --on held-out.jsonl",
        "stance bench compare rules rules:overlay=our-rules --on held-out.jsonl --texts",
        "stance bench compare rules:git=HEAD rules",
    ),
)
@click.argument("first", metavar="A", type=version)
@click.argument("second", metavar="B", type=version)
@click.option(
    "--on",
    "data",
    multiple=True,
    type=_FILE,
    metavar="DATA",
    help="Labelled JSONL or TSV; repeat it (default: the bundled seeds).",
)
@click.option("--texts", is_flag=True, help="Show the sentences of the flips, on a terminal only.")
@data_options
@output_options
@click.pass_context
def compare(
    ctx: click.Context,
    first: Version,
    second: Version,
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

    corpus = read(data, Names(fields, labels))
    report = started(ctx, "compare", corpus)
    found = []
    for letter, entry in (("A", first), ("B", second)):
        classifier = opened(entry)
        complain(f"{letter}, {entry.name}: {len(corpus.gold)} sentences")
        found.append(corpus.verdicts(classifier, report))
        noted(report, replace(entry, spec=f"{letter}: {entry.name}"), classifier, corpus)
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


# -- impartiality ----------------------------------------------------------------------------------------


@command.command(
    "impartiality",
    examples=(
        "stance bench impartiality",
        "stance bench impartiality held-out.jsonl --engine hybrid --json impartiality.json",
    ),
)
@click.argument("data", nargs=-1, type=_FILE)
@engines_option
@click.option(
    "--pairs",
    type=_FILE,
    metavar="FILE",
    help="Swap pairs: labelled sentences with a field 'pair' (default: the bundled ones).",
)
@data_options
@output_options
@click.pass_context
def impartiality(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[Version, ...],
    pairs: Path | None,
    fields: Mapping[str, str],
    labels: Mapping[str, str],
    json_file: Path | None,
    markdown_file: Path | None,
) -> None:
    """Is one side treated like the other: mirrored sentences, swap pairs, the sides' figures."""
    from stance import evaluate, gold
    from stance.resources import resource

    corpus = read(data, Names(fields, labels))
    report = started(ctx, "impartiality", corpus)
    path = pairs if pairs is not None else resource("seeds") / "written" / "swap-pairs.jsonl"
    twins = gold.read(path)
    report.data.append(
        {"name": path.name, "sha256": gold.digest(path), "sentences": len(twins), "use": "swap pairs"}
    )
    rows, sides = [], []
    for entry, classifier in chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences and {len(twins)} of pairs")
        noted(report, entry, classifier, corpus)
        test = evaluate.mirror_test(classifier, [item.text for item in corpus.gold])
        right, total = evaluate.pairs_right(twins, evaluate.label_all(classifier, twins))
        found = [verdict.label for verdict in corpus.verdicts(classifier, report)]
        differences = evaluate.side_differences(corpus.gold, found)
        report.results[entry.name] = {
            "name_a_side": test.name_a_side,
            "mirrored": test.mirrored,
            "coverage": round(test.coverage, 4),
            "consistent": test.consistent,
            "consistency": None if test.consistency is None else round(test.consistency, 4),
            "inconsistent_ids": [corpus.gold[i].id for i in test.broken],
            "pairs": total,
            "pairs_both_right": right,
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
        sides.append((entry.name, *(str(part) for part in differences.values())))
    report.tables = [
        Table(
            "mirrored sentences and swap pairs",
            ("", "name a side", "can be mirrored", "consistent", "pairs both right"),
            tuple(rows),
        ),
        Table(
            "pro_kyiv less pro_moscow, 95% intervals over articles",
            ("", "precision", "recall", "F1"),
            tuple(sides),
        ),
    ]
    click.echo(report.terminal())
    report.write(json_file, markdown_file)


# -- faithfulness ----------------------------------------------------------------------------------------


@command.command(
    "faithfulness",
    examples=(
        "stance bench faithfulness --engine rules",
        "stance bench faithfulness held-out.jsonl --json faithfulness.json",
    ),
)
@click.argument("data", nargs=-1, type=_FILE)
@engines_option
@click.option("--seed", type=int, default=0, show_default=True, help="Which other words are drawn.")
@data_options
@output_options
@click.pass_context
def faithfulness(
    ctx: click.Context,
    data: tuple[Path, ...],
    engines: tuple[Version, ...],
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

    corpus = read(data, Names(fields, labels))
    report = started(ctx, "faithfulness", corpus)
    rows = []
    for entry, classifier in chosen(engines, report):
        complain(f"{entry.name}: {len(corpus.gold)} sentences")
        noted(report, entry, classifier, corpus)
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
