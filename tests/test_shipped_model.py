"""The models that ship belong to the rules that ship."""

from __future__ import annotations

import pytest

from stance import model, rulebook
from stance.resources import resource


@pytest.mark.parametrize("name", ["hybrid", "written"])
def test_the_model_was_trained_with_these_rules(name: str) -> None:
    card = model.load(resource("models") / name).card
    digest = rulebook.load().digest
    assert card["rules"] == digest, f"models/{name} was trained with other rules; run `stance train` again"


@pytest.mark.parametrize("name", ["hybrid", "model", "written"])
def test_the_card_says_who_labelled_and_on_what(name: str) -> None:
    card = model.load(resource("models") / name).card
    assert "large language model" in card["labelled_by"]
    assert "not by people" in card["labelled_by"]
    assert card["data"]
    assert card["figures"]["out_of_fold"]["sentences"] > 100
    assert card["known_weaknesses"]


def test_every_feature_of_a_word_occurs_in_three_articles_or_is_a_frequent_word() -> None:
    """What the card promises about recoverability is what the options of the run were."""
    card = model.load(resource("models") / "hybrid").card
    assert card["options"]["min_articles"] >= 3
