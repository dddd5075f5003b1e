"""The same input and versions give the same bytes, whatever the batches, processes, hash seed and order."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

import stance
from stance import rulebook, seeds
from stance.classifier import Classifier
from stance.lexicon import Lexicon

Order = Callable[[rulebook.Rulebook], rulebook.Rulebook]
CODE = """
import hashlib, json, sys
from stance import executors, seeds, segment
from stance.classifier import load
executors.WORTHWHILE_CHARS, executors.BATCH_ITEMS, jobs = 100, int(sys.argv[1]), int(sys.argv[2])
texts = [item.text for item in seeds.gold()][:60] + [item.text for item in seeds.written()][::40]
setup = executors.Setup("hybrid")
done = executors.run([segment.sentence(text) for text in texts], load(), setup, jobs=jobs)
digest = hashlib.sha256()
for _, records in done:
    digest.update(json.dumps(records).encode())
print(digest.hexdigest())
"""


def digest(seed: int | str, batch: int, jobs: int) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", CODE, str(batch), str(jobs)],
        env=os.environ | {"PYTHONHASHSEED": str(seed)},
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout


@pytest.mark.skipif(not hasattr(os, "fork"), reason="workers of this test are forks")
def test_batches_processes_and_hash_seeds_change_no_byte() -> None:
    assert digest(0, 512, 1) == digest(1, 7, 2) == digest("random", 1, 2)


def turned(book: rulebook.Rulebook) -> rulebook.Rulebook:
    """The same rules, actors and lists, last ones first."""
    lists = dict(reversed(book.lists.items()))
    return replace(book, rules=book.rules[::-1], actors=book.actors[::-1], lists=lists)


def shuffled(book: rulebook.Rulebook) -> rulebook.Rulebook:
    """The same rules, actors and lists in no order."""
    chance = random.Random(8)
    rules, actors, lists = (chance.sample(list(of), len(of)) for of in (book.rules, book.actors, book.lists))
    return replace(
        book, rules=tuple(rules), actors=tuple(actors), lists={name: book.lists[name] for name in lists}
    )


@pytest.mark.parametrize("order", [turned, shuffled])
def test_the_order_of_rules_changes_no_hit(order: Order) -> None:
    book = rulebook.load()
    one, other = Lexicon(book), Lexicon(order(book))
    for item in seeds.gold()[:100]:
        assert one.scan(item.text).hits == other.scan(item.text).hits


@pytest.mark.parametrize("order", [turned, shuffled])
def test_the_order_of_rules_changes_no_record(order: Order) -> None:
    one = stance.load("hybrid")
    other = Classifier(order(one.rulebook), model=one.model)
    texts = [item.text for item in seeds.gold()][::4] + [item.text for item in seeds.written()][::20]
    records = [[v.to_dict() for v in classifier.classify_sentences(texts)] for classifier in (one, other)]
    assert any(piece["kind"] == "dependency" for record in records[0] for piece in record["evidence"])
    assert records[0] == records[1]


def test_the_size_of_batches_of_documents_changes_no_record() -> None:
    classifier = stance.load("hybrid")
    documents = list(seeds.documents())[:3]
    alone = [[v.to_dict() for v in classifier.classify(document)] for document in documents]
    assert [[v.to_dict() for v in found] for found in classifier.stream(documents)] == alone
