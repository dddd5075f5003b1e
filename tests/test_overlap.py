"""Sentences that stand in training and test data, word for word or nearly."""

from __future__ import annotations

import random
from difflib import SequenceMatcher

import pytest

from stance import overlap
from stance.errors import StanceError
from stance.gold import Labelled
from stance.labels import Label

LONG = "the ferry left the harbour at noon with forty cars on board and came back in the evening without one"


def item(number: int, text: str) -> Labelled:
    return Labelled(f"t{number}", text, Label.NEUTRAL_REPORT)


def test_copies_and_near_copies_only() -> None:
    train = [item(0, LONG), item(1, "Read more!"), item(2, "Rain fell on the old town."), item(3, "***")]
    test = [
        item(10, LONG.upper() + "."),
        item(11, LONG.replace("noon", "dusk")),
        item(12, LONG.replace("noon", "dusk").replace("ferry", "boat").replace("forty", "ten")),
        item(13, "Read, more"),
        item(14, "Snow fell on the old town."),
        item(15, " ".join(reversed(LONG.split()))),
        item(16, "…"),
    ]
    assert overlap.overlap(train, test) == [("t0", "t10"), ("t0", "t11"), ("t1", "t13")]
    with pytest.raises(StanceError, match=r"3 sentences .*t0 = t10, t0 = t11, t1 = t13"):
        overlap.refuse_overlap(train, test)
    overlap.refuse_overlap(train, [test[2], test[4], test[5], test[6]])


def test_near_is_nine_tenths_of_the_words_in_order() -> None:
    words = [f"w{i}" for i in range(9)]
    near, far = [*words, "other"], [*words[:-1], "this", "that"]
    assert overlap.overlap([item(0, " ".join([*words, "w9"]))], [item(1, " ".join(near))]) == [("t0", "t1")]
    assert not overlap.overlap([item(0, " ".join([*words, "w9"]))], [item(1, " ".join(far))])


def test_rare_words_lead_to_every_near_sentence() -> None:
    """Against comparing every pair, with words so few that most sentences share most of them."""
    chance = random.Random(5)
    made = [[f"w{int(chance.expovariate(0.2))}" for _ in range(chance.randint(1, 24))] for _ in range(80)]
    changed = []
    for words in made:
        other = list(words)
        for _ in range(chance.randrange(4)):
            other[chance.randrange(len(other))] = f"w{chance.randrange(20)}"
        if chance.random() < 0.3:
            other.append("more")
        changed.append(other)
    train = [item(i, " ".join(words)) for i, words in enumerate(made)]
    test = [item(100 + i, " ".join(words)) for i, words in enumerate(changed)]
    near = {
        f"t{100 + j}"
        for j, other in enumerate(changed)
        if any(SequenceMatcher(None, words, other, autojunk=False).ratio() >= 0.9 for words in made)
    }
    assert 20 < len(near) < 80
    assert {found for _, found in overlap.overlap(train, test)} == near
