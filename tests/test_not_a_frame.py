"""The codebook's list "Not a frame by itself": a sentence for each entry stays unframed, mirrored as well."""

from __future__ import annotations

import pytest

from stance.classifier import Classifier
from stance.labels import NO_FRAME
from stance.mirroring import Mirror
from stance.rulebook import load

# A party's demand and its appeal to law; a speech act without its content; a reporting verb; an event with
# its number; agency vocabulary; an official name; a denial; plain fighting; an honour; an arrest.
SENTENCES = (
    "Kyiv insists on its internationally recognised borders.",
    "Moscow rejected the proposal and denied the accusations.",
    "The Ukrainian minister stressed that the bridge would reopen in May.",
    "Russian forces shelled a village and two residents were wounded.",
    "Russian troops captured the hill and Ukrainian troops retook it a day later.",
    "The Ukrainian Foreign Ministry summoned the ambassador.",
    "Kyiv denied that its drones had hit the depot.",
    "Ukrainian artillery destroyed a Russian tank near the river.",
    "Putin awarded medals to forty Russian soldiers.",
    "The Russian security service arrested a man on suspicion of treason.",
    # The same entries in other words: a condition, a worry, an offer, an accusation in general terms, losses,
    # a count of violations, a warrant, a vote, sanctions, a promise to ensure something.
    "Ukraine makes the return of all prisoners a condition for talks.",
    "Russia is worried by the supply of long-range missiles.",
    "Kyiv offered to open a corridor for grain ships.",
    "Moscow criticised the statement and accused its authors of bias.",
    "The Russian army lost two boats and a radar in a night raid.",
    "Monitors counted forty violations of the truce by Ukrainian units and as many by Russian ones.",
    "A court issued a warrant for a Russian colonel.",
    "The Ukrainian parliament voted to prolong martial law.",
    "Ukraine added thirty shipowners to its sanctions list.",
    "Putin promised to guarantee the safety of the convoy.",
)


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return Classifier(load(), engine="rules")


@pytest.mark.parametrize("text", SENTENCES)
def test_stays_unframed_as_written_and_mirrored(classifier: Classifier, text: str) -> None:
    swapped = Mirror(classifier.rulebook)(text)
    assert swapped.changed, swapped.why
    for verdict in classifier.classify_sentences([text, swapped.text]):
        assert verdict.frame == NO_FRAME, verdict.reason
        assert verdict.label.value == "neutral_report"
