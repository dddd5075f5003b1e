"""Would more labelled sentences help: the learning curve, out of fold on the unread sentences.

    python benchmarks/curve.py [--real DIR] [--cache FILE] [--out DIR] [--share S]

Two curves. Words: the engine `model` trained on so many sentences, read and unread together. Evidence: the
words stay as learnt from all read sentences, and so many unread sentences weigh evidence against them.
Articles are drawn whole, in five folds; the decision is set on the scores of all folds, as in
`stance train`. Without vectors of words.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence

import examples as ex
from examples import Scores

from stance import training
from stance.cli.bench_report import Table

WORD_SIZES = (300, 600, 1200, 2400, 4000)
EVIDENCE_SIZES = (100, 200, 400, 800, 1500)
DRAWS = 2


def some(examples: Sequence[training.Example], size: int, seed: int) -> list[int]:
    """Rows of at most ``size`` sentences, article after article in random order."""
    articles = sorted({e.gold.article for e in examples})
    random.Random(seed).shuffle(articles)
    place = {name: i for i, name in enumerate(articles)}
    order = sorted(range(len(examples)), key=lambda i: (place[examples[i].gold.article], i))
    return sorted(order[:size])


def words(run: ex.Run, size: int, seed: int) -> list[Scores]:
    result: list[Scores] = [(0.0, 0.0, 0.0, 0.0)] * len(run.unread)
    for rest, held in ex.folds(run.unread):
        pool = [*run.read, *(run.unread[i] for i in rest)]
        weights = ex.first_stage([pool[i] for i in some(pool, size, seed)], run.sides)
        for i in held:
            result[i] = training.scores(weights, run.unread[i].first)
    return result


def evidence(run: ex.Run, rows: Sequence[ex.Row], size: int, seed: int) -> list[Scores]:
    result: list[Scores] = [(0.0, 0.0, 0.0, 0.0)] * len(run.unread)
    for rest, held in ex.folds(run.unread):
        pool = [run.unread[i] for i in rest]
        chosen = [rest[i] for i in some(pool, size, seed)]
        weights = ex.second_stage([rows[i] for i in chosen], [run.unread[i] for i in chosen], run.sides)
        for i in held:
            result[i] = training.scores(weights, rows[i])
    return result


def main() -> int:
    run = ex.start("curve", __doc__ or "")
    if run is None:
        return 0
    four_fifths = len(run.unread) * (training.FOLDS - 1) // training.FOLDS
    results: dict[str, dict[str, object]] = {"words": {}, "evidence": {}}
    tables: dict[str, list[tuple[str, ...]]] = {"words": [], "evidence": []}

    def note(part: str, size: int, draw: int, z: Sequence[Scores]) -> None:
        hybrid = part == "evidence"
        decided = ex.decision(z, run.unread, run.sides, hybrid=hybrid)
        found = ex.labels(z, run.unread, decided, run.sides, hybrid=hybrid)
        result = ex.judged(run.unread, found)
        results[part][f"{size}, draw {draw + 1}"] = result
        tables[part].append((f"{size}, draw {draw + 1}", *ex.shown(result)))
        ex.said(f"{part}, {size}: {result['macro_f1']}")

    most = len(run.read) + four_fifths
    for size in (*(size for size in WORD_SIZES if size < most), most):
        note("words", size, 0, words(run, size, 0))
    first = ex.first_stage(run.read, run.sides)
    rows = [ex.linked(e.second, training.scores(first, e.first)) for e in run.unread]
    for size in (*(size for size in EVIDENCE_SIZES if size < four_fifths), four_fifths):
        for draw in range(DRAWS if size < four_fifths else 1):
            note("evidence", size, draw, evidence(run, rows, size, draw))
    titles = {
        "words": "words and surface by the number of labelled sentences",
        "evidence": "evidence beside words by the number of sentences that weigh it",
    }
    run.report.results = results
    run.report.tables = [Table(titles[part], ex.HEAD, tuple(rows)) for part, rows in tables.items()]
    run.report.note(f"out of fold on {len(run.unread)} unread sentences; 95% intervals over articles")
    run.write("curve")
    return 0


if __name__ == "__main__":
    sys.exit(main())
