"""What the runners on models share: gathered features kept in a cache, scores out of fold, results.

The sentences themselves are read by programs only; nothing of them but ids, counts and figures is written.
"""

from __future__ import annotations

import argparse
import gzip
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from sklearn.model_selection import GroupKFold  # noqa: E402

from stance import decide, evaluate, gold, rulebook, training  # noqa: E402
from stance import model as models  # noqa: E402
from stance.classifier import Classifier  # noqa: E402
from stance.cli.bench_report import Report, command_line  # noqa: E402
from stance.labels import Label  # noqa: E402

Array = np.ndarray[Any, np.dtype[Any]]
Scores = tuple[float, float, float, float]
Row = Mapping[str, float]
OPTIONS = training.Options()
READ, UNREAD = "train.jsonl", "fit.jsonl"  # rules were written from the first, by nobody from the second


def said(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# -- the run ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Run:
    """Examples of one run, and where its results go. ``read`` and ``unread`` are disjoint by article."""

    read: list[training.Example]
    unread: list[training.Example]
    sides: tuple[str, ...]
    report: Report
    real: Path
    out: Path
    started: float
    flag: bool

    def write(self, name: str) -> None:
        """``name.json`` and ``name.md`` in the folder of results, and the tables on standard output."""
        self.report.note(f"{time.process_time() - self.started:.0f} seconds of CPU time")
        self.out.mkdir(parents=True, exist_ok=True)
        print(self.report.terminal())
        self.report.write(self.out / f"{name}.json", self.out / f"{name}.md")


def start(what: str, description: str, *flags: str) -> Run | None:
    """Read the arguments and the examples; None, with a sentence, where the data are absent."""
    parser = argparse.ArgumentParser(description=description.split("\n\n")[0])
    parser.add_argument("--real", type=Path, default=ROOT.parent / "shared" / "real", metavar="DIR")
    parser.add_argument("--cache", type=Path, metavar="FILE", help="keep gathered features here (.json.gz)")
    parser.add_argument("--out", type=Path, default=ROOT / "benchmarks" / "results", metavar="DIR")
    parser.add_argument(
        "--share",
        type=float,
        default=1.0,
        metavar="S",
        help="use this share of the articles, for a quick look",
    )
    for flag in flags:
        parser.add_argument(flag, action="store_true")
    given = parser.parse_args()
    missing = [name for name in (READ, UNREAD) if not (given.real / name).is_file()]
    if missing:
        said(f"skipped: {given.real} holds no {' and no '.join(missing)}; name the folder with --real DIR")
        return None
    begun = time.process_time()
    classifier = Classifier(rulebook.load(), engine="rules")
    read, unread = gathered(classifier, [given.real / READ, given.real / UNREAD], given.cache)
    read, unread = part(read, given.share), part(unread, given.share)
    if len({e.gold.article for e in unread}) < training.FOLDS:
        said(f"skipped: {training.FOLDS} articles are needed; give a larger --share")
        return None
    report = Report(what, command_line(f"python benchmarks/{what}.py", sys.argv[1:]))
    report.versions["rules"] = classifier.versions.to_dict()
    for name, examples in ((READ, read), (UNREAD, unread)):
        path = given.real / name
        report.data.append({"name": name, "sha256": gold.digest(path), "sentences": len(examples)})
    report.note("labels by a large language model under the codebook, not by people")
    flag = any(getattr(given, name.strip("-")) for name in flags)
    return Run(read, unread, classifier.sides, report, given.real, given.out, begun, flag)


def gathered(
    classifier: Classifier, paths: Sequence[Path], cache: Path | None
) -> tuple[list[training.Example], list[training.Example]]:
    """Features of the read and the unread sentences; from the cache if rules and data are the same."""
    key = [classifier.versions.rules, classifier.versions.pipeline, _code(), *map(gold.digest, paths)]
    if cache is not None and cache.is_file():
        with gzip.open(cache, "rt", encoding="utf-8") as lines:
            kept = json.load(lines)
        if kept["key"] == key:
            read, unread = (_examples(path, rows) for path, rows in zip(paths, kept["rows"], strict=True))
            return read, unread
        said(f"{cache.name} is of other rules or data; gathering anew")
    parts = [
        training.prepare(classifier, gold.read(path), weigh=path.name == UNREAD, progress=said)
        for path in paths
    ]
    if cache is not None:
        rows = [[[dict(e.first), dict(e.second), e.found] for e in part] for part in parts]
        with gzip.open(cache, "wt", encoding="utf-8", compresslevel=1) as lines:
            json.dump({"key": key, "rows": rows}, lines, ensure_ascii=False)
    return parts[0], parts[1]


def _code() -> str:
    """A digest of the code that makes features."""
    files = ("model", "gather", "lexicon", "voice", "trees", "segment", "decide")
    data = b"".join((ROOT / "stance" / f"{name}.py").read_bytes() for name in files)
    return hashlib.sha256(data).hexdigest()


def _examples(path: Path, rows: Sequence[tuple[Row, Row, str]]) -> list[training.Example]:
    return [
        training.Example(item, first, second, path.name == UNREAD, found)
        for item, (first, second, found) in zip(gold.read(path), rows, strict=True)
    ]


def part(examples: Sequence[training.Example], share: float) -> list[training.Example]:
    """The sentences of so large a share of the articles, the same ones in each run."""
    drawn = {name for name in {e.gold.article for e in examples} if _draw(name) < share}
    return [e for e in examples if e.gold.article in drawn]


def _draw(name: str) -> float:
    return int(hashlib.sha256(name.encode()).hexdigest()[:8], 16) / 2**32


# -- fitting ---------------------------------------------------------------------------------------------


def folds(examples: Sequence[training.Example], count: int = training.FOLDS) -> list[tuple[Any, Any]]:
    """Rows of training and test, no article on both sides."""
    groups = [e.gold.article for e in examples]
    return list(GroupKFold(count).split(list(range(len(examples))), groups=groups))


def first_stage(
    examples: Sequence[training.Example],
    sides: Sequence[str],
    rows: Callable[[training.Example], Row] = lambda e: e.first,
    options: training.Options = OPTIONS,
) -> training.Weights:
    """Weights of words and surface, as ``stance train`` learns them (without vectors of words)."""
    seen: dict[str, set[str]] = {}
    values = [rows(e) for e in examples]
    for example, row in zip(examples, values, strict=True):
        for name in row:
            seen.setdefault(min(name, models.mirror(name)), set()).add(example.gold.article)
    names = [name for name, articles in seen.items() if len(articles) >= options.min_articles]
    goal = training.targets(examples, sides)
    return training.fit_linear(values, goal, names, options.word_c, options.opinion_c, options)


def first_scores(
    read: Sequence[training.Example],
    unread: Sequence[training.Example],
    sides: Sequence[str],
    rows: Callable[[training.Example], Row] = lambda e: e.first,
    *,
    count: int = training.FOLDS,
) -> list[Scores]:
    """First-stage scores of the unread sentences, each from a model that never saw its article."""
    result: list[Scores] = [(0.0, 0.0, 0.0, 0.0)] * len(unread)
    for rest, held in folds(unread, count):
        weights = first_stage([*read, *(unread[i] for i in rest)], sides, rows)
        for i in held:
            result[i] = training.scores(weights, rows(unread[i]))
    return result


LINKS = ("z:none", "z:{0}", "z:{1}", "z:opinion")


def linked(row: Row, z: Scores | None) -> dict[str, float]:
    """Evidence of a sentence beside the scores of its words."""
    return {**row} if z is None else {**row, **dict(zip(LINKS, z, strict=True))}


def second_stage(
    rows: Sequence[Row],
    examples: Sequence[training.Example],
    sides: Sequence[str],
    options: training.Options = OPTIONS,
) -> training.Weights:
    """Weights of evidence and links; names that occur once only are left out, as in ``stance train``."""
    counts: dict[str, int] = {}
    for row in rows:
        for name in row:
            twin = min(name, models.mirror(name))
            counts[twin] = counts.get(twin, 0) + 1
    names = [name for name, count in counts.items() if count >= 2]
    goal = training.targets(examples, sides)
    return training.fit_linear(rows, goal, names, options.rule_c, options.rule_c, options)


def second_scores(
    rows: Sequence[Row],
    examples: Sequence[training.Example],
    sides: Sequence[str],
    options: training.Options = OPTIONS,
) -> list[Scores]:
    """Second-stage scores out of fold, by article."""
    result: list[Scores] = [(0.0, 0.0, 0.0, 0.0)] * len(rows)
    for rest, held in folds(examples):
        weights = second_stage([rows[i] for i in rest], [examples[i] for i in rest], sides, options)
        for i in held:
            result[i] = training.scores(weights, rows[i])
    return result


# -- judging ---------------------------------------------------------------------------------------------


def natural(examples: Sequence[training.Example]) -> list[int]:
    """Rows in natural proportions: those that the decision is fitted on."""
    return [i for i, e in enumerate(examples) if e.gold.slices.get("batch", "random") == "random"]


def decision(
    z: Sequence[Scores], examples: Sequence[training.Example], sides: Sequence[str], *, hybrid: bool
) -> dict[str, float]:
    """Scale, shift and thresholds from scores out of fold, as ``stance train`` sets them for this engine."""
    rows = natural(examples)
    array = np.array(z)[rows]
    chosen = [examples[i] for i in rows]
    goal = training.targets(chosen, sides)
    found = training.calibrate(array, goal.frame, goal.opinion)
    return found | training.thresholds(array, chosen, found, sides, hybrid=hybrid)


def labels(
    z: Sequence[Scores],
    examples: Sequence[training.Example],
    decided: Mapping[str, float],
    sides: Sequence[str],
    *,
    hybrid: bool,
) -> list[Label]:
    """The labels that scores mean under a decision; the hybrid trusts the policy page within its bounds."""
    unit = {name: tuple(float(i == k) for k in range(4)) for i, name in enumerate(LINKS)}
    linear = models.LinearModel(unit, {"decision": decided, "families": []}, "")  # type: ignore[arg-type]
    framed = {sides[0]: Label.PRO_KYIV, sides[1]: Label.PRO_MOSCOW}
    result = []
    for row, example in zip(z, examples, strict=True):
        answer = linear.predict(linked({}, row), sides)
        frame = decide.kept(answer.frame, answer.frames, example.found) if hybrid else answer.frame
        result.append(decide.label(frame, answer.opinion, framed))
    return result


def judged(examples: Sequence[training.Example], found: Sequence[Label]) -> dict[str, Any]:
    """Macro-F1 with its interval over articles, whole and on the random part, and F1 by label."""
    items = [e.gold for e in examples]
    rows = natural(examples)
    whole = evaluate.by_article(items, list(found))
    part = evaluate.by_article([items[i] for i in rows], [found[i] for i in rows])
    f1 = evaluate.f1_per_label(whole.sum(axis=0))
    return {
        "sentences": len(items),
        "macro_f1": evaluate.interval(whole, evaluate.macro_f1).to_dict(),
        "random": evaluate.interval(part, evaluate.macro_f1).to_dict(),
        "f1": {label.value: round(float(v), 4) for label, v in zip(evaluate.LABELS, f1, strict=True)},
    }


def shown(result: Mapping[str, Any]) -> tuple[str, ...]:
    """Cells of a table for ``judged``."""
    whole, part = result["macro_f1"], result["random"]
    return (
        f"{whole['value']:.3f} [{whole['low']:.3f}, {whole['high']:.3f}]",
        f"{part['value']:.3f} [{part['low']:.3f}, {part['high']:.3f}]",
        *(f"{value:.2f}" for value in result["f1"].values()),
    )


HEAD = ("", "macro-F1", "on the random part", *(label.value for label in Label))
