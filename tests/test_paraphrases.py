"""Sentences written before the rules: what the first rulebook had to get right without having seen them.

Each list paraphrases one example with other verbs, leaders and quotation styles.
"""

from __future__ import annotations

import pytest

import stance
from stance.classifier import Classifier

JOINED = [
    "The ministry repaired the coastal road in Crimea, which joined Russia in 2014.",
    "Sevastopol, which returned to Russia in 2014, celebrated its harbour day on Sunday.",
    "Crimea, reunited with Russia in 2014, expects a record number of tourists this summer.",
    "The ferry sails to Kerch on the peninsula that became part of Russia after the 2014 referendum.",
    "Lugansk, which became a Russian region in 2022, will open three new schools.",
    "Since Crimea's reunification with Russia in 2014, the airport has been rebuilt twice.",
    "Flights to the Russian city of Sevastopol remain suspended.",
    "The new bridge links the mainland with Crimea, which rejoined Russia in March 2014.",
    "Donetsk and Lugansk, which acceded to Russia in 2022, held local elections.",
    "He was born in Yalta, long before the peninsula's return to Russia in 2014.",
]

# Text, the side that is blamed for going on with the war, the speaker's words, the speaker's side.
RESPONSIBILITY = [
    (
        "Lavrov warned: “If Kiev refuses, it alone bears responsibility for the continuing bloodshed.”",
        "Lavrov",
        "moscow",
    ),
    (
        '"If Ukraine turns this down, the moral responsibility for every further death lies with Kyiv," Peskov said.',
        "Peskov",
        "moscow",
    ),
    (
        'Vladimir Putin told reporters: "Kiev will be to blame for the continuation of the bloodshed if it rejects our terms."',
        "Vladimir Putin",
        "moscow",
    ),
    (
        "“Should Kyiv say no, the responsibility for prolonging the war will rest with the Ukrainian leadership,” Zakharova stressed.",
        "Zakharova",
        "moscow",
    ),
    (
        "'The blood of the coming months will be on Kyiv's hands if it walks away,' Medvedev declared.",
        "Medvedev",
        "moscow",
    ),
    (
        "«If Ukraine rejects the proposal, it is guilty of dragging out the bloodshed», Ushakov added.",
        "Ushakov",
        "moscow",
    ),
    (
        'Russian Foreign Minister Sergei Lavrov noted: "Kiev\'s refusal makes it responsible for the continuation of the bloodshed."',
        "Sergei Lavrov",
        "moscow",
    ),
    (
        "“Kyiv is prolonging the bloodshed, and it bears the political responsibility,” said Volodin.",
        "Volodin",
        "moscow",
    ),
    (
        'Dmitry Peskov remarked, "The responsibility for further bloodshed falls entirely on the Kiev leadership."',
        "Dmitry Peskov",
        "moscow",
    ),
    (
        'Putin, asked about the deadline, replied: "The moral responsibility for the deaths to come is Kyiv\'s."',
        "Putin",
        "moscow",
    ),
]

MIRRORED = [
    (
        "Sybiha warned: “If Moscow refuses, it alone bears responsibility for the continuing bloodshed.”",
        "Sybiha",
        "kyiv",
    ),
    (
        '"If Russia turns this down, the moral responsibility for every further death lies with Moscow," Yermak said.',
        "Yermak",
        "kyiv",
    ),
    (
        'Volodymyr Zelensky told reporters: "Moscow will be to blame for the continuation of the bloodshed if it rejects our terms."',
        "Volodymyr Zelensky",
        "kyiv",
    ),
    (
        "“Should Moscow say no, the responsibility for prolonging the war will rest with the Russian leadership,” Tykhyi stressed.",
        "Tykhyi",
        "kyiv",
    ),
    (
        "'The blood of the coming months will be on Moscow's hands if it walks away,' Poroshenko declared.",
        "Poroshenko",
        "kyiv",
    ),
    (
        "«If Russia rejects the proposal, it is guilty of dragging out the bloodshed», Podolyak added.",
        "Podolyak",
        "kyiv",
    ),
    (
        'Ukrainian Foreign Minister Dmytro Kuleba noted: "Moscow\'s refusal makes it responsible for the continuation of the bloodshed."',
        "Dmytro Kuleba",
        "kyiv",
    ),
    (
        "“Moscow is prolonging the bloodshed, and it bears the political responsibility,” said Stefanchuk.",
        "Stefanchuk",
        "kyiv",
    ),
    (
        'Mykhailo Podolyak remarked, "The responsibility for further bloodshed falls entirely on the Moscow leadership."',
        "Mykhailo Podolyak",
        "kyiv",
    ),
    (
        'Zelensky, asked about the deadline, replied: "The moral responsibility for the deaths to come is Moscow\'s."',
        "Zelensky",
        "kyiv",
    ),
]

ORIGINAL = [
    (
        "Putin said: “If Kyiv rejects it, that is their political and moral responsibility for the continuation of bloodshed.”",
        "Putin",
        "moscow",
    ),
    (
        "Zelensky said: “If Moscow rejects it, that is their political and moral responsibility for the continuation of bloodshed.”",
        "Zelensky",
        "kyiv",
    ),
]


@pytest.fixture(scope="module", params=["rules", "hybrid"])
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return stance.load(request.param)


@pytest.mark.parametrize("text", JOINED)
def test_settled_claim_in_the_authors_voice(classifier: Classifier, text: str) -> None:
    (verdict,) = classifier.classify_sentences([text])
    assert (verdict.label.value, verdict.voice.value, verdict.speaker) == ("pro_moscow", "author", None)
    rules = [e for e in verdict.evidence if e.counted and e.rule is not None]
    assert rules, "the verdict names no rule"


@pytest.mark.parametrize(("text", "speaker", "side"), RESPONSIBILITY + MIRRORED + ORIGINAL)
def test_blame_in_a_quotation(classifier: Classifier, text: str, speaker: str, side: str) -> None:
    (verdict,) = classifier.classify_sentences([text])
    assert verdict.label.value == f"pro_{side}"
    assert verdict.voice.value == "quoted"
    assert verdict.speaker is not None
    assert (verdict.speaker.text, verdict.speaker.side) == (speaker, side)
    assert verdict.own_label.value == "neutral_report"
