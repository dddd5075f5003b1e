"""What must hold for any input in the stages that have no test file of their own: labels, documents,
evidence and voice, verdicts, reasons."""

from __future__ import annotations

import copy
import json
import pickle
from dataclasses import FrozenInstanceError, replace

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import stance
from stance import decide, segment
from stance.classifier import Classifier
from stance.decide import Answers
from stance.document import Document, Meta
from stance.evidence import Evidence, Speaker, Verdict
from stance.labels import NO_FRAME, Label, NotCounted, Voice
from stance.reasons import reason
from stance.voice import Context

# Pieces of sentences in which voice has something to decide, and noise between them.
PIECES = st.sampled_from((
    "Putin ", "Zelensky ", "the ministry ", "he ", "analysts ", "Kuleba ", "a resident ", "said ",
    "claimed that ", "according to ", "told reporters ", "warned ",
    "“", "”", "‘", "’", '"', ": ", " – ", ", ", ". ", "? ", "who ",
    "the occupiers ", "the Kyiv regime ", "so-called ", "special military operation ", "fled ", "not ", "if ",
    "should ", "and ", "the former president of Russia ", "\u200b", "(", ")", "Рutin ", "😀", "\n", "1991 ",
))  # fmt: skip
SENTENCES = st.lists(PIECES, max_size=25).map("".join) | st.text(max_size=60)
SLOW = settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])


@pytest.fixture(scope="module")
def classifier() -> Classifier:
    return stance.load("rules")


# -- labels ----------------------------------------------------------------------------------------------


@given(st.text(max_size=20) | st.sampled_from([m.value for kind in (Label, Voice, NotCounted) for m in kind]))
def test_a_word_names_a_member_or_none(word: str) -> None:
    for kind in (Label, Voice, NotCounted):
        known = {member.value: member for member in kind}
        if word in known:
            assert kind(word) is known[word]
            assert str(known[word]) == word
        else:
            with pytest.raises(ValueError, match="is not a valid"):
                kind(word)


@given(st.sampled_from((NO_FRAME, "a", "b")), st.booleans(), st.sampled_from(list(Voice)))
def test_the_table_of_the_codebook(frame: str, opinion: bool, voice: Voice) -> None:
    labels = {"a": Label.PRO_KYIV, "b": Label.PRO_MOSCOW}
    label = decide.label(frame, opinion, labels)
    assert (label in labels.values()) == (frame != NO_FRAME)
    own = decide.own_label(frame, opinion, voice, labels)
    assert own == label or (frame != NO_FRAME and voice is not Voice.AUTHOR and own not in labels.values())


# -- documents -------------------------------------------------------------------------------------------

METAS = st.dictionaries(st.text(max_size=8), st.none() | st.text(max_size=8), max_size=4)


@given(st.text(max_size=50), st.none() | st.text(max_size=10), METAS)
def test_documents_are_values(text: str, name: str | None, meta: dict[str, str | None]) -> None:
    document = Document(text, name, meta)
    same = Document(text, name, Meta(meta))
    assert document == same
    assert hash(document) == hash(same)
    assert document == pickle.loads(pickle.dumps(document)) == copy.deepcopy(document)
    assert dict(document.meta) == meta
    meta["a later key"] = "x"
    assert "a later key" not in document.meta
    with pytest.raises(FrozenInstanceError):
        document.text = ""  # type: ignore[misc]


@given(st.text(max_size=40), st.lists(st.integers(0, 45), max_size=6).map(sorted))
def test_foreign_bounds_give_trimmed_sentences(text: str, cuts: list[int]) -> None:
    bounds = list(zip([0, *cuts], [*cuts, len(text)], strict=True))
    found = segment.resplit(text, bounds)
    assert [s.index for s in found] == list(range(len(found)))
    for sentence in found:
        assert text[sentence.start : sentence.end] == sentence.text == sentence.text.strip()
        for q in sentence.quotations:
            assert 0 <= q.start < q.end <= len(sentence.text)
    kept = "".join("".join(s.text.split()) for s in found)
    assert kept == "".join("".join(text[a:b].split()) for a, b in bounds)


@settings(max_examples=300, deadline=None)
@given(st.lists(PIECES, max_size=30).map("".join))
@example("“Putin \n“Putin ")  # the new paragraph repeats the mark, which is no part of the quotation
def test_our_own_bounds_give_our_own_sentences(text: str) -> None:
    own = segment.split(text)
    assert segment.resplit(text, [(s.start, s.end) for s in own]) == own


def test_a_foreign_sentence_over_two_paragraphs_holds_one_quotation() -> None:
    text = "“It began.\n“It ended,” she said."
    (whole,) = segment.resplit(text, [(0, len(text))])
    assert [(q.start, q.end, q.opens_before, q.continues_after) for q in whole.quotations] == [
        (1, text.index(",”") + 1, False, False)
    ]


# -- voice and evidence -----------------------------------------------------------------------------------


@SLOW
@given(st.lists(SENTENCES, min_size=1, max_size=4))
def test_voice_and_evidence_stay_within_the_sentence(classifier: Classifier, texts: list[str]) -> None:
    sides = set(classifier.sides)
    speakers = set(classifier.rulebook.speakers)
    context = Context()
    for text in texts:
        sentence = segment.sentence(text)
        seen = classifier.gatherer.surface(sentence, context)
        assert seen.voices == classifier.gatherer.surface(sentence, context).voices
        for scope in seen.voices.scopes:
            assert 0 <= scope.start <= scope.end <= len(text)
            assert scope.speaker.side in speakers
        assert (seen.voices.main is Voice.AUTHOR) == (seen.voices.speaker is None)
        gathered = classifier.gatherer.complete(seen, None)
        for piece in gathered.evidence:
            assert text[piece.start : piece.end] == piece.text != ""
            assert piece.counted == (piece.not_counted is None)
            assert piece.side is None or piece.side in sides
            assert (piece.voice is Voice.AUTHOR) == (piece.speaker is None)
        context = seen.voices.context
        assert len(context.names) <= 1000


@SLOW
@given(SENTENCES, SENTENCES)
def test_the_sentence_before_imports_no_evidence(classifier: Classifier, before: str, text: str) -> None:
    alone = next(classifier.classify_sentences([text]))
    after = next(classifier.classify_sentences([{"text": text, "prev": before}]))
    assert {(e.rule, e.start, e.end, e.side) for e in after.evidence} == {
        (e.rule, e.start, e.end, e.side) for e in alone.evidence
    }


@SLOW
@given(SENTENCES)
def test_every_verdict_is_a_record(classifier: Classifier, text: str) -> None:
    for verdict in classifier.classify(text):
        record = verdict.to_dict()
        json.dumps(record, allow_nan=False)
        assert Verdict.from_dict(record).to_dict() == record
        assert verdict.framed == (verdict.frame != NO_FRAME)
        assert sum(verdict.probabilities.values()) == pytest.approx(1.0)


# -- reasons ----------------------------------------------------------------------------------------------

SPEAKER_SIDES = st.sampled_from(("kyiv", "other"))
speakers = st.none() | st.builds(Speaker, st.none() | st.text(max_size=12), SPEAKER_SIDES)
evidence = st.builds(
    Evidence,
    rule=st.none() | st.sampled_from(("a-rule", "b-rule")),
    kind=st.sampled_from(("lexical", "dependency", "model")),
    effect=st.sampled_from(("frame", "opinion")),
    test=st.none() | st.sampled_from("NBLVOSQ"),
    side=st.none() | st.sampled_from(("kyiv", "moscow")),
    start=st.integers(0, 50),
    end=st.integers(51, 90),
    text=st.text(max_size=200),
    voice=st.sampled_from(list(Voice)),
    speaker=speakers,
    because=st.just("says so"),
    weight=st.floats(-5, 5),
)


@given(
    st.lists(st.tuples(evidence, st.none() | st.sampled_from(list(NotCounted))), max_size=6),
    st.sampled_from((NO_FRAME, "kyiv", "moscow")),
    st.booleans(),
    st.sampled_from(list(Voice)),
    speakers,
)
def test_a_reason_is_one_line_that_repeats_only_what_it_was_given(
    classifier: Classifier,
    pieces: list[tuple[Evidence, NotCounted | None]],
    frame: str,
    opinion: bool,
    voice: Voice,
    speaker: Speaker | None,
) -> None:
    found = tuple(replace(e, counted=lost is None, not_counted=lost) for e, lost in pieces)
    answers = Answers(frame, opinion, voice, speaker, found, {}, 0.0)
    text = reason(classifier.rulebook, answers, voice, speaker)
    assert text == reason(classifier.rulebook, answers, voice, speaker)
    assert text.strip()
    assert len(text) < 900
    quoted = text.count("“")
    assert quoted == text.count("”") or any(set("“”") & set(e.text) for e in found)
    if frame != NO_FRAME:
        assert text.startswith("carries ")
    elif opinion:
        assert text.startswith("no frame of either side; opinion")
    else:
        assert text.startswith("no ")
