"""The shipped pipeline beside the reference, as spaCy runs them and as this project does.

    python benchmarks/pipeline/speed.py --treebank DIR --reference DIR [--pipeline DIR]

Sentences of PUD a second of processor time on one core, from text to heads, relations, UPOS and features,
without lemmas. The pipelines take turns in one process, and each figure is the best of its rounds. Writes
results/speed.json.
"""

from __future__ import annotations

import argparse
import json
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import spacy

from stance.pipeline_training import read_treebank
from stance.syntax import Parser

HERE = Path(__file__).resolve().parent
ROUNDS = 9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--treebank", type=Path, required=True)
    parser.add_argument("--reference", type=Path, required=True)
    parser.add_argument("--pipeline", type=Path, default=HERE.parents[1] / "models" / "pipeline" / "en")
    options = parser.parse_args()
    texts = [sentence.text for sentence in read_treebank(options.treebank, ["pud-test"])]
    ways: dict[str, Callable[[], object]] = {}
    for name, path in (("shipped", options.pipeline), ("reference", options.reference)):
        nlp, trees = spacy.load(path, exclude=["lemmatizer"]), Parser(path)
        ways[f"{name}, spaCy"] = lambda nlp=nlp: list(nlp.pipe(texts, batch_size=256))  # type: ignore[misc]
        ways[f"{name}, stance"] = lambda trees=trees: trees.parse(texts)  # type: ignore[misc]
    best: dict[str, float] = defaultdict(float)
    for _ in range(ROUNDS):
        for way, run in ways.items():
            began = time.process_time()
            run()
            best[way] = max(best[way], len(texts) / (time.process_time() - began))
    base = best["reference, spaCy"]
    result = {
        way: {"sentences/s": round(rate), "ratio": round(rate / base, 2)} for way, rate in best.items()
    }
    for way, row in result.items():
        print(f"{way:20}{row['sentences/s']:8}{row['ratio']:8}")
    out = HERE / "results" / "speed.json"
    out.write_text(json.dumps({"rounds": ROUNDS, **result}, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
