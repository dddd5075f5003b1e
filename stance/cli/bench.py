"""``stance bench``: what its commands share. Each command stands in its own module, ``bench_NAME``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

import click

from stance.cli import loading
from stance.cli.bench_report import Report, command_line, without_folders
from stance.cli.root import LazyGroup, StanceCommand
from stance.errors import StanceError
from stance.labels import ENGINES

if TYPE_CHECKING:
    from stance.classifier import Classifier
    from stance.evidence import Verdict
    from stance.gold import Labelled

Function = TypeVar("Function", bound=Callable[..., Any])
FILE: Final = click.Path(path_type=Path, dir_okay=False)
_KEYS: Final = ("rules", "overlay", "model", "git")
_FIELDS: Final = tuple(
    "id text label frame opinion voice source prev article tests kind batch outlet_group date pair".split()
)
ARGUMENTS: Final = "stance.bench.arguments"
_SEEDS: Final = "bundled seeds"
_ON_SEEDS: Final = ("accuracy", "impartiality", "faithfulness")


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
        "accuracy": ("stance.cli.bench_accuracy", "Engines and baselines side by side, by label and slice."),
        "compare": ("stance.cli.bench_compare", "Is version B better than A, and which sentences changed?"),
        "impartiality": ("stance.cli.bench_impartiality", "Is one side treated like the other?"),
        "faithfulness": ("stance.cli.bench_faithfulness", "Does the named evidence carry the verdict?"),
        "throughput": ("stance.cli.bench_throughput", "How fast is it, beside peers in the same run?"),
    },
    invoke_without_command=True,
    examples=(
        "stance bench",
        "stance bench accuracy",
        "stance bench compare rules hybrid --on labelled.jsonl",
        "stance bench impartiality",
    ),
)
@click.pass_context
def command(ctx: click.Context) -> None:
    """Measure engines on labelled sentences; without data, on the bundled seeds.

    Without a command: accuracy, impartiality and faithfulness on the seeds, one after the other.

    An engine is written ENGINE[:KEY=VALUE,...]: rules, model or hybrid, and optionally rules=DIR,
    overlay=DIR, model=DIR, or git=REV for the rules of a git revision.
    """
    if ctx.invoked_subcommand is None:
        for name in _ON_SEEDS:
            part = BenchGroup.get_command(cast(BenchGroup, ctx.command), ctx, name)
            assert part is not None
            with part.make_context(name, [], parent=ctx) as inner:
                click.echo(f"== stance bench {name}")
                part.invoke(inner)


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
        "--markdown", "markdown_file", type=FILE, metavar="FILE", help="Write the tables as Markdown too."
    )(function)
    return click.option(
        "--json",
        "json_file",
        type=FILE,
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
