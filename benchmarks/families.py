"""What each family of features adds, out of fold on the unread sentences.

    python benchmarks/families.py [--real DIR] [--cache FILE] [--out DIR] [--share S] [--vectors]

First words and surface alone (as the engine `model`; trained on read and unread sentences, five folds by
article), then the evidence of rules beside the scores of the words (as the engine `hybrid`; unread sentences
only). Each row adds to the one above it unless it says otherwise. Scale, shift and thresholds are set on
the same scores as in `stance train`, so all rows are alike a little too high; compare rows, not the
figures with those of other data. `--vectors` learns vectors of words from unlabelled.jsonl.gz too.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

import examples as ex
import numpy as np
from examples import Row, Scores
from sklearn.linear_model import LogisticRegression

from stance import evaluate, rulebook, training
from stance import model as models
from stance.cli.bench_report import Table
from stance.labels import Label

PAIRS, NEAR = ("ww:",), ("after:", "before:")
SMOOTH = tuple(f"{key} " for key in models.SMOOTH_KEYS)
WORDS = ("w:", *PAIRS, *NEAR, *SMOOTH)
GRAM = 4
COMMON = 500
FOUR = tuple(Label)


def having(*prefixes: str) -> Callable[[training.Example], Row]:
    """The first-stage features of these families; ``surface`` is what no other family holds."""
    surface = "surface" in prefixes

    def rows(example: training.Example) -> Row:
        return {
            name: value
            for name, value in example.first.items()
            if name == "bias" or name.startswith(prefixes) or (surface and not name.startswith(WORDS))
        }

    return rows


def characters(example: training.Example) -> Row:
    """Sequences of four characters within words, also of words near an actor, and the surface."""
    result = dict(having("surface")(example))
    for name in example.first:
        family, _, word = name.rpartition(" " if name.startswith(NEAR) else ":")
        if name.startswith(("w:", *NEAR)) and "{" not in word:
            padded = f"_{word}_"
            for i in range(max(1, len(padded) - GRAM + 1)):
                result[f"{family} c:{padded[i : i + GRAM]}"] = 1.0
    return result


def masking(hidden: Callable[[str], bool]) -> Callable[[training.Example], Row]:
    """All features of the first stage, with ``*`` for the words to hide; actors stay masked by side."""

    def rows(example: training.Example) -> Row:
        result: dict[str, float] = {}
        for name, value in example.first.items():
            if name.startswith(WORDS):
                cut = 1 + (name.index(":") if name.startswith(("w:", *PAIRS)) else name.rindex(" "))
                shown = ["*" if hidden(word) else word for word in name[cut:].split(" ")]
                name = name[:cut] + " ".join(shown)
            result[name] = value
        return result

    return rows


def places() -> frozenset[str]:
    """Names of one word of places that are no side's; those that are stand as their side in any case."""
    found = {
        name.lower()
        for actor in rulebook.load().actors
        if actor.kind == "place" and actor.side is None
        for name in actor.names
    }
    return frozenset(name for name in found if name.isalpha())


def rare(examples: Sequence[training.Example], common: int) -> Callable[[str], bool]:
    """Is a word none of the commonest (Stamatatos 2018: what a text is about hides in the others)?"""
    counts = Counter(name[2:] for e in examples for name in e.first if name.startswith("w:"))
    kept = {word for word, _ in counts.most_common(common)}
    return lambda word: word not in kept and "{" not in word


def of_evidence(*starts: str) -> Callable[[Row], Row]:
    """Rule features whose kind is among these; see ``kind``."""
    return lambda row: {name: value for name, value in row.items() if kind(name) in starts}


def kind(name: str) -> str:
    """The family of a rule feature: strength, voice, test, test and voice, kind, rule, ..."""
    parts = name.split(":")
    if parts[0] == "ev":
        if len(parts) == 3:
            return "strength" if parts[2] in ("strong", "weak") else "kind"
        if len(parts) == 4:
            return "voice" if parts[2] in ("strong", "weak") else "test"
        return "test and voice"
    return {"any": "strength", "seen": "not counted", "op": "opinion", "r": "rule"}.get(parts[0], parts[0])


EVIDENCE = (
    ("by side and strength", ("strength",)),
    ("+ voice", ("voice",)),
    ("+ test", ("test",)),
    ("+ test with voice", ("test and voice",)),
    ("+ kind of rule", ("kind",)),
    ("+ evidence that did not count", ("not counted",)),
    ("+ evidence of opinion", ("opinion",)),
    ("+ each rule by itself", ("rule",)),
)


def words(run: ex.Run, vectors: bool) -> tuple[dict[str, list[Scores]], list[Scores]]:
    """Scores of the first stage by family, and of the whole of it."""
    plan = {
        "words": having("w:"),
        "+ word pairs": having("w:", *PAIRS),
        "+ words near an actor": having("w:", *PAIRS, *NEAR),
        "+ shares of words": having("w:", *PAIRS, *NEAR, *SMOOTH),
        "+ surface": having("surface", *WORDS),
        f"characters ({GRAM} within words) and surface, no words": characters,
        "words and surface, names of places masked": masking(places().__contains__),
        f"words and surface, all but the {COMMON} commonest words masked": masking(
            rare([*run.read, *run.unread], COMMON)
        ),
    }
    result = {}
    for name, rows in plan.items():
        ex.said(name)
        result[name] = ex.first_scores(run.read, run.unread, run.sides, rows)
    whole = result["+ surface"]
    if vectors:
        ex.said("vectors of words")
        learnt = training.learn_vectors(training._pairs(run.real / "unlabelled.jsonl.gz"))
        _, z = training.out_of_fold(
            [*run.read, *run.unread],
            run.sides,
            ex.OPTIONS,
            hybrid=False,
            progress=ex.said,
            vectors=learnt,
        )
        result["words, pairs, near words, surface, smoothed by vectors of words"] = z
    return result, whole


def four_classes(rows: Sequence[Row], run: ex.Run, weight: str | None) -> list[Label]:
    """One model of the four labels on the same features, every sentence learnt mirrored too."""
    swap = [FOUR.index(swapped(label)) for label in FOUR]
    gold = np.array([FOUR.index(e.gold.label or FOUR[0]) for e in run.unread])
    found = np.zeros(len(rows), dtype=int)
    for rest, held in ex.folds(run.unread):
        table = training.Table({name for i in rest for name in rows[i]})
        x = table.matrix([rows[i] for i in rest]).toarray()
        mirrored = table.matrix([rows[i] for i in rest], mirror=True).toarray()
        y = gold[rest]
        fitted = LogisticRegression(
            C=ex.OPTIONS.rule_c, max_iter=3000, fit_intercept=False, class_weight=weight
        ).fit(np.vstack([x, mirrored]), np.concatenate([y, np.array(swap)[y]]))
        p = fitted.predict_proba(table.matrix([rows[i] for i in held]))
        p += fitted.predict_proba(table.matrix([rows[i] for i in held], mirror=True))[:, swap]
        found[held] = fitted.classes_[p.argmax(axis=1)]
    return [FOUR[i] for i in found]


def swapped(label: Label) -> Label:
    return {Label.PRO_KYIV: Label.PRO_MOSCOW, Label.PRO_MOSCOW: Label.PRO_KYIV}.get(label, label)


def main() -> int:
    run = ex.start("families", __doc__ or "", "--vectors")
    if run is None:
        return 0
    tables: dict[str, dict[str, dict[str, object]]] = {"words": {}, "evidence": {}, "models": {}}
    rows_of: dict[str, list[tuple[str, ...]]] = {name: [] for name in tables}

    def note(part: str, name: str, labels: Sequence[Label]) -> None:
        result = ex.judged(run.unread, labels)
        tables[part][name] = result
        rows_of[part].append((name, *ex.shown(result)))
        ex.said(f"{part}, {name}: {result['macro_f1']}")

    def decided(z: Sequence[Scores], *, hybrid: bool = True) -> list[Label]:
        fitted = ex.decision(z, run.unread, run.sides, hybrid=hybrid)
        return ex.labels(z, run.unread, fitted, run.sides, hybrid=hybrid)

    by_family, whole = words(run, run.flag)
    for name, z in by_family.items():
        note("words", name, decided(z, hybrid=False))

    none = [ex.linked({}, z) for z in whole]
    note(
        "evidence",
        "scores of words and surface alone",
        decided(ex.second_scores(none, run.unread, run.sides)),
    )
    evidence = [e.second for e in run.unread]
    chosen: tuple[str, ...] = ()
    full: list[Row] = []
    for name, kinds in EVIDENCE:
        chosen += kinds
        keep = of_evidence(*chosen)
        full = [ex.linked(keep(row), z) for row, z in zip(evidence, whole, strict=True)]
        note("evidence", name, decided(ex.second_scores(full, run.unread, run.sides)))
    every = of_evidence(*chosen)
    alone = [every(row) for row in evidence]
    note("evidence", "all evidence, no words", decided(ex.second_scores(alone, run.unread, run.sides)))

    z = ex.second_scores(full, run.unread, run.sides)
    note("models", "two heads, thresholds for macro-F1", decided(z))
    note("models", "the same without the policy page", decided(z, hybrid=False))
    plain = ex.decision(z, run.unread, run.sides, hybrid=False)
    plain |= {"frame_threshold": 0.5, "opinion_threshold": 0.5}
    halves = ex.labels(z, run.unread, plain, run.sides, hybrid=False)
    note("models", "the same, both thresholds 0.5", halves)
    note("models", "one model of four labels, without the page", four_classes(full, run, None))
    note(
        "models",
        "one model of four labels, balanced classes, without the page",
        four_classes(full, run, "balanced"),
    )
    for framed, opinion in ((1.5, 1.0), (2.0, 1.0), (1.0, 1.5), (1.0, 2.0), (2.0, 2.0)):
        options = replace(ex.OPTIONS, framed_weight=framed, opinion_weight=opinion)
        z = ex.second_scores(full, run.unread, run.sides, options)
        note("models", f"two heads, framed sentences weigh {framed}, opinions {opinion}", decided(z))

    titles = {
        "words": "words and surface, no evidence of rules",
        "evidence": "evidence of rules beside the scores of all words and surface",
        "models": "all features: one model or two, weights of classes",
    }
    run.report.results = dict(tables)
    run.report.tables = [Table(titles[part], ex.HEAD, tuple(rows)) for part, rows in rows_of.items()]
    run.report.note(
        f"out of fold on {len(run.unread)} unread sentences ({len(ex.natural(run.unread))} of them random); "
        f"95% intervals over articles; {len(evaluate.LABELS)} labels"
    )
    run.report.note(
        "measured in models/README.md: words smoothed by vectors (truncated SVD of unlabelled sentences), "
        "triples and pairs with gaps, written sentences, and words that learnt from a teacher's answers to "
        "unlabelled sentences; self-training, with the model for its own teacher, was not measured"
    )
    run.write("families")
    return 0


if __name__ == "__main__":
    sys.exit(main())
