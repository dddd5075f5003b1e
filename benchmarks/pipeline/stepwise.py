"""Does it pay to drive the parser's transitions from Python?

    python benchmarks/pipeline/stepwise.py --pipeline DIR --treebank DIR

spaCy's greedy parser runs its loop with the interpreter lock released, and its state machine takes the
lock anew for every look at a state. Stepping a whole batch from Python keeps the lock and finds the same
trees. Prints sentences a second of processor time both ways, best of five rounds, over ewt-dev.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import spacy
from spacy.tokens import Doc
from spacy.util import minibatch

from stance.pipeline_training import one_sentence, read_treebank


def stepwise(nlp: Any, docs: Sequence[Doc], batch_size: int = 256) -> list[Doc]:
    """What ``nlp.pipe`` does with tok2vec, morphologizer and parser, transitions batch by batch."""
    parser = nlp.get_pipe("parser")
    for batch in minibatch(docs, batch_size):
        for name in ("tok2vec", "morphologizer"):
            pipe = nlp.get_pipe(name)
            pipe.set_annotations(batch, pipe.predict(batch))
        states = parser.moves.init_batch(batch)
        model = parser.model.predict(batch)
        live = [state for state in states if not state.is_final()]
        while live:
            live = parser.transition_states(live, model.predict(live))
        model.clear_memory()
        parser.set_annotations(batch, states)
    return list(docs)


def trees(docs: Sequence[Doc]) -> list[list[tuple[int, str]]]:
    return [[(token.head.i, token.dep_) for token in doc] for doc in docs]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pipeline", type=Path, required=True)
    parser.add_argument("--treebank", type=Path, required=True)
    options = parser.parse_args()
    nlp = spacy.load(options.pipeline, exclude=["lemmatizer"])
    texts = [sentence.text for sentence in read_treebank(options.treebank, ["ewt-dev"])]
    best: dict[str, float] = {}
    found: dict[str, list[list[tuple[int, str]]]] = {}
    for _ in range(5):
        for name in ("nlp.pipe", "stepwise"):
            docs = [one_sentence(nlp.make_doc(text)) for text in texts]
            began = time.process_time()
            done = list(nlp.pipe(docs, batch_size=256)) if name == "nlp.pipe" else stepwise(nlp, docs)
            best[name] = max(best.get(name, 0.0), len(texts) / (time.process_time() - began))
            found[name] = trees(done)
    for name, rate in best.items():
        print(f"{name:12}{rate:10.0f} sentences/s")
    print("different trees:", sum(a != b for a, b in zip(found["nlp.pipe"], found["stepwise"], strict=True)))


if __name__ == "__main__":
    main()
