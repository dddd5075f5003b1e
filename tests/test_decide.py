"""The page of policy: the codebook's two rules hold for every answer, and the order of cues is kept."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance import decide
from stance.evidence import Evidence, Speaker
from stance.labels import NO_FRAME, Label, NotCounted, Voice

SIDES = ("kyiv", "moscow")
LABELS: Mapping[str, Label] = {"kyiv": Label.PRO_KYIV, "moscow": Label.PRO_MOSCOW}


def piece(side: str | None = "kyiv", start: int = 0, **changes: Any) -> Evidence:
    values: dict[str, Any] = {
        "rule": "r",
        "kind": "lexical",
        "effect": "frame",
        "test": "N",
        "side": side,
        "start": start,
        "end": start + 5,
        "text": "words",
        "voice": Voice.AUTHOR,
        "speaker": None,
        "because": "because",
    }
    return Evidence(**(values | changes))


pieces = st.builds(
    piece,
    side=st.sampled_from(SIDES),
    start=st.integers(0, 60),
    strength=st.sampled_from(("strong", "weak")),
    voice=st.sampled_from(list(Voice)),
    main_clause=st.booleans(),
    counted=st.booleans(),
) | st.builds(
    piece,
    side=st.none(),
    effect=st.just("opinion"),
    test=st.none(),
    start=st.integers(0, 60),
    strength=st.sampled_from(("strong", "weak")),
)


@given(st.sampled_from((NO_FRAME, *SIDES)), st.booleans(), st.sampled_from(list(Voice)))
def test_labels_follow_from_the_answers(frame: str, opinion: bool, voice: Voice) -> None:
    fallback = Label.ANALYTICAL_OPINION if opinion else Label.NEUTRAL_REPORT
    label = decide.label(frame, opinion, LABELS)
    assert label == (fallback if frame == NO_FRAME else LABELS[frame])
    own = decide.own_label(frame, opinion, voice, LABELS)
    assert own == (label if voice is Voice.AUTHOR or frame == NO_FRAME else fallback)


def test_hundreds_of_cues_are_still_probabilities() -> None:
    """A list or a page without stops can hold them; the shares must not overflow."""
    many = [piece(start=10 * i, end=10 * i + 5) for i in range(600)]
    answers = decide.by_rules(many, SIDES)
    assert sum(answers.frames.values()) == pytest.approx(1.0)


@given(st.lists(pieces, max_size=8))
def test_swapping_the_sides_of_the_evidence_swaps_the_answer(evidence: list[Evidence]) -> None:
    from dataclasses import replace

    swap = {"kyiv": "moscow", "moscow": "kyiv", None: None, NO_FRAME: NO_FRAME}
    answers = decide.by_rules(evidence, SIDES)
    twin = decide.by_rules([replace(e, side=swap[e.side]) for e in evidence], SIDES)
    assert twin.frame == swap[answers.frame]
    assert twin.opinion == answers.opinion
    assert twin.voice == answers.voice
    for side in SIDES:
        assert twin.frames[swap[side] or ""] == pytest.approx(answers.frames[side])


@given(st.lists(pieces, max_size=8))
def test_probabilities_sum_to_one_and_evidence_is_never_lost(evidence: list[Evidence]) -> None:
    answers = decide.by_rules(evidence, SIDES)
    shares = decide.probabilities(answers.frames, answers.p_opinion, LABELS)
    assert sum(shares.values()) == pytest.approx(1.0)
    assert all(0.0 <= p <= 1.0 for p in shares.values())
    assert len(answers.evidence) == len(evidence)
    for e in answers.evidence:
        assert e.counted == (e.not_counted is None) or not e.counted


def test_one_strong_cue_frames_and_one_weak_cue_does_not() -> None:
    assert decide.by_rules([piece()], SIDES).frame == "kyiv"
    weak = decide.by_rules([piece(strength="weak")], SIDES)
    assert weak.frame == NO_FRAME
    assert weak.evidence[0].not_counted is NotCounted.WEAK


def test_a_frame_in_the_authors_voice_outweighs_a_reported_one() -> None:
    reported = piece("moscow", 20, voice=Voice.ATTRIBUTED, speaker=Speaker("X", "moscow"))
    answers = decide.by_rules([piece("kyiv"), reported], SIDES)
    assert (answers.frame, answers.voice) == ("kyiv", Voice.AUTHOR)


def test_two_equal_frames_are_balanced() -> None:
    answers = decide.by_rules([piece("kyiv"), piece("moscow", 20)], SIDES)
    assert answers.frame == NO_FRAME
    assert {e.not_counted for e in answers.evidence} == {NotCounted.BALANCED}


def test_the_same_words_count_once() -> None:
    one = decide.by_rules([piece(strength="weak")], SIDES)
    twice = decide.by_rules([piece(strength="weak"), piece(strength="weak", rule="other")], SIDES)
    assert one.frame == twice.frame == NO_FRAME


def test_voice_is_the_authors_if_any_part_of_the_frame_is() -> None:
    quoted = piece("kyiv", 20, voice=Voice.QUOTED, speaker=Speaker("X", "kyiv"))
    assert decide.carrier([quoted], "kyiv") == (Voice.QUOTED, Speaker("X", "kyiv"))
    assert decide.carrier([quoted, piece()], "kyiv") == (Voice.AUTHOR, None)
