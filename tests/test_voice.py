"""Who speaks: scopes and speakers of hand-written sentences, alone and after an earlier sentence."""

from __future__ import annotations

from functools import cache

import pytest

from stance import Classifier, load
from stance.evidence import Verdict
from stance.labels import Voice
from stance.mirroring import Mirror


@cache
def _classifier() -> Classifier:
    return load(engine="rules")


def _verdict(text: str, prev: str | None = None) -> Verdict:
    (verdict,) = _classifier().classify_sentences([{"text": text, "prev": prev}])
    return verdict


def _says(verdict: Verdict) -> tuple[str, str | None]:
    return verdict.voice.value, None if verdict.speaker is None else verdict.speaker.side


@pytest.mark.parametrize(
    ("text", "voice", "side"),
    [
        # datelines, dashes and tags around a sentence
        (
            "OSLO (Wire) - Polish Foreign Minister Radek Sikorski said the road was open.",
            "attributed",
            "western",
        ),
        ("Ferry traffic to Odesa resumes - Kremlin", "attributed", "moscow"),
        ("Ferry traffic to Odesa resumes – Kremlin (VIDEO)", "attributed", "moscow"),
        # the speaker ends where the claim begins
        ("According to Peskov, the minister of Ukraine came late.", "attributed", "moscow"),
        ("According to Dmitry Peskov, the Kremlin spokesman, Ukraine came late.", "attributed", "moscow"),
        # appositions, relative clauses, verbs in a row
        ("Klitschko, a former boxing champion, said the road was open.", "attributed", "kyiv"),
        ("The former German minister Anna Bloom said the road was open.", "attributed", "other"),
        ("Peskov, who flew home on Monday, has said the road was open.", "attributed", "moscow"),
        ("Baerbock arrived by train and warned that the road was shut.", "attributed", "western"),
        ("It is hard to see why the road was shut, Kuleba said on Monday.", "attributed", "kyiv"),
        ("Ukraine and its western allies say the road is open.", "attributed", "kyiv"),
        # inverted, passive, told
        ("The road was open, said Sikorski.", "attributed", "western"),
        ("The road is open, Lavrov was quoted as saying by a paper.", "attributed", "moscow"),
        ("The road is open, Lavrov told reporters.", "attributed", "moscow"),
        ("As Stoltenberg has noted, the road is open.", "attributed", "western"),
        # a country in capitals is no pronoun; a reporting clause goes on after its comma
        ("The road is open, US officials said.", "attributed", "western"),
        ("The road is open, the Russian minister said, adding that it was raining.", "attributed", "moscow"),
        ("The road is what drivers need, Kuleba said.", "attributed", "kyiv"),
        ("Ukraine’s embassy, cited by the paper, said it had asked for maps.", "attributed", "kyiv"),
        ("The road is long, say experts.", "attributed", "other"),
        ("Radek Sikorski, the Polish minister, said the toll might rise in Moscow.", "attributed", "western"),
        ("In the British view, the road is open.", "attributed", "western"),
        ("The road is open, the paper quoted Lavrov as saying.", "attributed", "moscow"),
        # offices that headlines name without a country
        ("Three drones shot down - MoD", "attributed", "moscow"),
        ("Three drones shot down, General Staff says", "attributed", "kyiv"),
        # the state that a sentence begins with, where an office names none
        ("Ukraine to build a ferry, minister says", "attributed", "kyiv"),
        ("Russia to build a ferry, minister says", "attributed", "moscow"),
        ("Ferry to be built, minister says", "attributed", "unknown"),
        ("NATO members fear the road may be shut.", "attributed", "western"),
        ("In his opinion, the road is open.", "attributed", "unknown"),
        # what stands after the dash goes on
        ("The road crosses two rivers - one that surprised the Kremlin.", "author", None),
        # everybody else, and nobody
        ("The road is open, residents said.", "attributed", "other"),
        ("The road is open, sources said.", "attributed", "unknown"),
        ("The road is open, she said.", "attributed", "unknown"),
        # the text itself speaks
        ("We believe that the road is open.", "author", None),
        ("We condemn the illegal annexation of Crimea by Russia.", "author", None),
        # a pronoun behind the verb means the subject; the words of a charge begin behind its verb
        ("Russia has stated that it seeks a road and pays for what it calls a map.", "attributed", "moscow"),
        ("The road that robbers claimed ten lives on is open.", "author", None),
        # adjuncts before the subject, adverbs and brackets behind it; names that end like adverbs
        ("On Sunday Polish President Ann Bell, who likes it, said he would come.", "attributed", "western"),
        ("On Monday Lavrov said the road was open.", "attributed", "moscow"),
        ("And Saturday, Biden seemed to shut the road, saying that it was old.", "attributed", "western"),
        ("(CNN)The State Department on Tuesday confirmed the road was open.", "attributed", "western"),
        ("The Society for Roads of Ukraine (SRU) has said the road was open.", "attributed", "kyiv"),
        ("Polish officials have so far claimed to have sold five maps.", "attributed", "western"),
        ("Italy said the road was open.", "attributed", "western"),
        ("The Danish diplomat lost the paper, but she said it was dull.", "attributed", "western"),
        ("Ann Bell, a curator at a museum in Kyiv, said the road was open.", "attributed", "other"),
        ("Romney shut the toll but called for a new road.", "attributed", "western"),
        ("Concerning the toll, Lavrov spoke at length, saying that it was old.", "attributed", "moscow"),
        ("The road is open, a Ukrainian woman said.", "attributed", "other"),
        ("The road is open, a Russian comedian said.", "attributed", "other"),
        ("There are reports that the road is open.", "attributed", "unknown"),
        # offices that only one camp has
        ("The road is open, the Foreign Secretary said.", "attributed", "western"),
        ("The road is open, said Ann Bell, D-Ohio.", "attributed", "western"),
        ("The road is open, India's Foreign Secretary said.", "attributed", "other"),
        # marks that open the sentence, or follow a comma or colon, are speech; inside a clause they are not
        (
            "“The road is open to all of us,” Kuleba said, adding that lorries would have to wait.",
            "quoted",
            "kyiv",
        ),
        ("Kuleba said the new road to the north “is open to all drivers”.", "attributed", "kyiv"),
        ("Roads were shut as officials warned of ice.", "author", None),
    ],
)
def test_the_speaker_of_a_sentence(text: str, voice: str, side: str | None) -> None:
    assert _says(_verdict(text)) == (voice, side)


@pytest.mark.parametrize(
    ("prev", "text", "voice", "side"),
    [
        # a quotation after a sentence about one person is theirs; after one about a place it is nobody's
        ("Baerbock walked down the road.", "“It is a fine road, and I like it a lot.”", "quoted", "western"),
        ("The road to Odesa was dry.", "“It is a fine road, and I like it a lot.”", "quoted", "unknown"),
        ("Lavrov said the road was shut.", "He added that it would stay shut.", "attributed", "moscow"),
        ("The Ukrainian embassy shut its doors.", "The embassy said the road was icy.", "attributed", "kyiv"),
        ("Norwegian minister Kari Holm flew home.", "The road was icy, Holm said.", "attributed", "western"),
        (
            "Norwegian minister Kari Holm flew home.",
            "Holm, 42, shut the road, saying that it was icy.",
            "attributed",
            "western",
        ),
        (
            "Norwegian minister Kari Holm flew home.",
            "Holm, who is 42, shut the road, saying that it was icy.",
            "attributed",
            "western",
        ),
        (
            "Kari Holm, the Norwegian minister, flew home.",
            "The road was icy, Holm said.",
            "attributed",
            "western",
        ),
        # whom a quotation names is not who spoke
        (
            "“Nobody but Putin wants the road shut for good,” Sikorski told reporters.",
            "He added that it would stay open.",
            "attributed",
            "western",
        ),
        ("“Nobody but Putin wants it shut,” she said.", "He said it was shut.", "attributed", "unknown"),
        ("LAVROV: The road is shut.", "It will stay shut for a month.", "quoted", "moscow"),
        ("The road is shut.", "LIVE UPDATES: Road to the sea is shut", "author", None),
    ],
)
def test_the_speaker_crosses_from_the_sentence_before(
    prev: str, text: str, voice: str, side: str | None
) -> None:
    assert _says(_verdict(text, prev)) == (voice, side)


def test_speech_that_a_dash_opens_is_quoted() -> None:
    assert _verdict("- The road to the coast is shut again - said Lavrov.").voice is Voice.QUOTED


def test_marks_around_the_words_that_decide_make_them_quoted() -> None:
    verdict = _verdict('Zelensky accused Russia of "nuclear terror".')
    assert _says(verdict) == ("quoted", "kyiv")
    assert verdict.frame == "kyiv"


@pytest.mark.parametrize(
    ("text", "side"),
    [
        ("Ukrainian troops executed prisoners, prosecutors say.", "moscow"),
        ("Russian troops executed prisoners, prosecutors say.", "kyiv"),
    ],
)
def test_an_office_without_a_country_speaks_for_the_side_whose_frame_it_voices(text: str, side: str) -> None:
    verdict = _verdict(text)
    assert (verdict.frame, *_says(verdict)) == (side, "attributed", side)


@pytest.mark.parametrize(
    "text",
    [
        "Lavrov said the road was shut.",
        "The road is shut, the Kremlin said on Monday.",
        "The road is shut, according to the Russian Foreign Ministry.",
        "Putin: Road to the coast is shut",
        "Ferry hit by drones — Kremlin",
    ],
)
def test_speakers_change_sides_with_the_sides(text: str) -> None:
    mirrored = Mirror(_classifier().rulebook)(text).text
    assert mirrored != text
    before, after = _says(_verdict(text)), _says(_verdict(mirrored))
    assert before[0] == after[0]
    assert {before[1], after[1]} == {"moscow", "kyiv"}
