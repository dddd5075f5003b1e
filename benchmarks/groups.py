"""How well do labels travel to outlets that training never saw: one group of outlets left out at a time.

    python benchmarks/groups.py [--real DIR] [--cache FILE] [--out DIR] [--share S]

Words are learnt from the read and the unread sentences of all other groups, evidence is weighed and the
decision set on their unread ones; measured are the unread sentences of the group left out. Without vectors
of words. Three folds instead of five give the scores that evidence is weighed against.
"""

from __future__ import annotations

import sys
from collections import Counter
from statistics import mean

import examples as ex

from stance import training
from stance.cli.bench_report import Table
from stance.labels import Label

FOLDS = 3
FEW = 10


def group(example: training.Example) -> str:
    return example.gold.slices.get("outlet_group", "")


def without(run: ex.Run, name: str) -> list[Label]:
    """Labels of the unread sentences of a group from a model that saw nothing of the group."""
    read = [e for e in run.read if group(e) != name]
    rest = [e for e in run.unread if group(e) != name]
    held = [e for e in run.unread if group(e) == name]
    z = ex.first_scores(read, rest, run.sides, count=FOLDS)
    rows = [ex.linked(e.second, scores) for e, scores in zip(rest, z, strict=True)]
    decided = ex.decision(ex.second_scores(rows, rest, run.sides), rest, run.sides, hybrid=True)
    second = ex.second_stage(rows, rest, run.sides)
    first = ex.first_stage([*read, *rest], run.sides)
    found = [training.scores(second, ex.linked(e.second, training.scores(first, e.first))) for e in held]
    return ex.labels(found, held, decided, run.sides, hybrid=True)


def main() -> int:
    run = ex.start("groups", __doc__ or "")
    if run is None:
        return 0
    sizes = Counter(group(e) for e in run.unread)
    results = {}
    rows = []
    every: list[training.Example] = []
    labels: list[Label] = []
    for name, size in sorted(sizes.items(), key=lambda item: (-item[1], item[0])):
        ex.said(f"without {name}: {size} sentences")
        held = [e for e in run.unread if group(e) == name]
        found = without(run, name)
        support = Counter(str(e.gold.label) for e in held)
        results[name] = ex.judged(held, found) | {"support": {str(k): support[str(k)] for k in Label}}
        rare = [str(label) for label in Label if 0 < support[str(label)] < FEW]
        rows.append((name, str(size), *ex.shown(results[name]), ", ".join(rare)))
        every += held
        labels += found
    values = {name: part["macro_f1"]["value"] for name, part in results.items()}
    worst = min(values, key=lambda name: (values[name], name))
    average = mean(values.values())
    pooled = ex.judged(every, labels)
    run.report.results = {
        "groups": results,
        "pooled": pooled,
        "mean": round(average, 4),
        "worst": {"group": worst, "macro_f1": values[worst], "below_mean": round(average - values[worst], 4)},
    }
    run.report.tables = [
        Table(
            f"each group left out once: mean {average:.3f}, worst {values[worst]:.3f} ({worst}), "
            f"{average - values[worst]:.3f} below the mean",
            (ex.HEAD[0], "sentences", *ex.HEAD[1:], f"labels of fewer than {FEW} sentences"),
            (*rows, ("all groups together", str(len(every)), *ex.shown(pooled), "")),
        )
    ]
    run.report.note(
        "macro-F1 of a group is the mean over the labels that occur there or were found there; where a label "
        f"has fewer than {FEW} sentences, a single one moves it by some hundredths"
    )
    run.write("groups")
    return 0


if __name__ == "__main__":
    sys.exit(main())
