"""The whole way through with the shipped rules: records, laziness, ids, order, the codebook's two rules."""

from __future__ import annotations

import gc
import json
import pickle
import random
import re
import weakref
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

import stance
from stance import decide, resources, seeds
from stance.classifier import Classifier, load
from stance.evidence import Verdict
from stance.labels import ENGINES, NO_FRAME, Voice


@pytest.fixture(scope="module", params=ENGINES)
def classifier(request: pytest.FixtureRequest) -> Classifier:
    return load(request.param)


@pytest.fixture(scope="module")
def texts() -> Sequence[str]:
    """Seed sentences, written ones, and sentences of shuffled words; fifty of each."""
    chance = random.Random(7)
    gold = [item.text for item in seeds.gold()]
    written = [item.text for item in seeds.written()]
    mixed = []
    for text in chance.sample(written, 50):
        words = text.split()
        chance.shuffle(words)
        mixed.append(" ".join(words))
    return chance.sample(gold, 50) + chance.sample(written, 50) + mixed


def test_every_record_follows_from_its_answers(classifier: Classifier) -> None:
    for document in seeds.documents()[:2]:
        analysis = classifier.classify(document)
        for verdict in analysis:
            assert document.text[verdict.sentence.start : verdict.sentence.end] == verdict.sentence.text
            assert verdict.label == decide.label(verdict.frame, verdict.opinion, classifier.labels)
            own = decide.own_label(verdict.frame, verdict.opinion, verdict.voice, classifier.labels)
            assert verdict.own_label == own
            assert sum(verdict.probabilities.values()) == pytest.approx(1.0)
            assert (verdict.speaker is None) == (verdict.voice is Voice.AUTHOR)
            assert verdict.reason
            for piece in verdict.evidence:
                assert document.text[piece.start : piece.end] == piece.text
                assert piece.counted == (piece.not_counted is None)
                assert (piece.rule is None) == (piece.kind == "model")
            json.dumps(verdict.to_dict())


def test_lazy_and_eager_give_the_same_records(texts: Sequence[str]) -> None:
    for engine in ("rules", "hybrid"):
        lazy = [v.to_dict() for v in load(engine).classify_sentences(texts)]
        eager = [v.to_dict() for v in load(engine, eager=True).classify_sentences(texts)]
        assert lazy == eager


def test_the_answer_does_not_depend_on_the_batch(texts: Sequence[str]) -> None:
    classifier = load("hybrid")
    together = [v.to_dict() | {"index": 0} for v in classifier.classify_sentences(texts[:40])]
    alone = [next(classifier.classify_sentences([text])).to_dict() for text in texts[:40]]
    assert together == alone


def test_ids_and_order_are_kept(classifier: Classifier) -> None:
    records = [{"id": f"x{i}", "text": f"Sentence {i}."} for i in range(5)]
    found = list(classifier.classify_sentences(records))
    assert [v.sentence.id for v in found] == [r["id"] for r in records]
    assert [v.sentence.index for v in found] == list(range(5))
    assert all(v.document is None for v in found)


def test_the_sentence_after_is_never_used(classifier: Classifier) -> None:
    plain = {"id": "1", "text": "There are doubts about this."}
    one = next(classifier.classify_sentences([plain])).to_dict()
    two = next(classifier.classify_sentences([plain | {"next": "The occupiers fled in panic."}])).to_dict()
    assert one == two


def test_eight_threads_get_equal_answers(texts: Sequence[str]) -> None:
    classifier = load("hybrid")
    expected = [v.to_dict() for v in classifier.classify_sentences(texts[:30])]

    def work(_: int) -> list[dict[str, object]]:
        return [v.to_dict() for v in classifier.classify_sentences(texts[:30])]

    with ThreadPoolExecutor(8) as pool:
        assert all(found == expected for found in pool.map(work, range(8)))


def test_an_earlier_sentence_names_the_speaker_and_imports_no_frame(classifier: Classifier) -> None:
    found = next(
        classifier.classify_sentences(
            [
                {
                    "text": "He added that the talks would go on.",
                    "prev": "Zelensky called the occupiers terrorists.",
                }
            ]
        )
    )
    assert found.frame == NO_FRAME
    assert found.speaker is not None
    assert found.speaker.side == "kyiv"


def test_the_joined_example_of_the_fourth_article(classifier: Classifier) -> None:
    if classifier.engine == "model":
        pytest.skip("the engine model has no rules to name")
    document = next(d for d in seeds.documents() if (d.name or "").startswith("004"))
    verdict = next(
        v for v in classifier.classify(document) if "which joined Russia in 2014" in v.sentence.text
    )
    assert (verdict.label.value, verdict.voice) == ("pro_moscow", Voice.AUTHOR)
    assert any("joined Russia" in e.text and e.rule for e in verdict.evidence if e.counted)


def test_a_cue_too_weak_for_an_opinion_is_named() -> None:
    (verdict,) = load("rules").classify("Of course the shop was closed on Monday.").verdicts
    cues = [e for e in verdict.evidence if e.counted and e.effect == "opinion"]
    assert cues
    assert not verdict.opinion
    assert verdict.reason.startswith("no frame of either side; too little for an opinion: “")
    assert cues[0].text in verdict.reason


def test_a_stream_takes_texts_too(classifier: Classifier) -> None:
    text = "The occupiers fled in panic. Rain is expected."
    (found,) = classifier.stream([text])
    assert [v.to_dict() for v in found.verdicts] == [v.to_dict() for v in classifier.classify(text).verdicts]


def test_a_warm_classifier_gives_the_same_answers() -> None:
    cold, warm = load("rules"), load("rules")
    warm.warm()
    lexicon = warm.gatherer._lexicon
    assert len(lexicon._silencing) == len(lexicon._owners)
    assert "_index" in warm.gatherer._matcher.__dict__
    document = seeds.documents()[0]
    assert cold.classify(document).to_dict() == warm.classify(document).to_dict()


def test_loading_leaves_the_garbage_collector_as_it_was() -> None:
    frozen = gc.get_freeze_count()
    load("rules")
    assert gc.isenabled()
    assert gc.get_freeze_count() == frozen


def test_unknown_engine_is_one_sentence() -> None:
    with pytest.raises(stance.StanceError, match="engine 'magic' is not one of"):
        load("magic")


def test_the_domain_lives_in_the_rules() -> None:
    """No place, person or people that the rulebook lists as an actor is spelled in the code."""
    package = resources.resource("rules").parent / "stance"
    if not package.is_dir():
        pytest.skip("not a checkout")
    names = {
        name.lower()
        for actor in load("rules").rulebook.actors
        if actor.side is not None
        for name in actor.names
        if re.fullmatch(r"[A-Z][a-z]{4,}", name)
    }
    allowed = {"labels.py"}
    for path in package.rglob("*.py"):
        if path.name in allowed or "_data" in path.parts:
            continue
        code = re.sub(r"(?i)pro_(kyiv|moscow)", "", path.read_text(encoding="utf-8"))
        words = set(re.findall(r"[a-z]{5,}", code.lower()))
        assert not words & names, f"{path}: {sorted(words & names)}"


def test_a_pickle_is_small_and_answers_the_same(classifier: Classifier, texts: Sequence[str]) -> None:
    packed = pickle.dumps(classifier)
    assert len(packed) < 2000  # names what to load: a batch sent to a worker must not carry the model
    expected = [v.to_dict() for v in classifier.classify_sentences(texts[:10])]
    assert [v.to_dict() for v in pickle.loads(packed).classify_sentences(texts[:10])] == expected


def test_a_classifier_made_by_hand_is_pickled_whole(texts: Sequence[str]) -> None:
    made = load("hybrid")
    by_hand = Classifier(made.rulebook, model=made.model, abstain_below=0.5)
    again = pickle.loads(pickle.dumps(by_hand))
    expected = [v.to_dict() for v in by_hand.classify_sentences(texts[:10])]
    assert [v.to_dict() for v in again.classify_sentences(texts[:10])] == expected


def test_a_dropped_classifier_is_gone_without_the_garbage_collector(texts: Sequence[str]) -> None:
    made = load("hybrid")
    assert len(list(made.classify_sentences(texts[:30]))) == 30
    gatherer = made.gatherer
    kept = [weakref.ref(part) for part in (made, gatherer, gatherer._lexicon, gatherer._matcher)]
    gc.disable()
    try:
        del made, gatherer
        assert [part() for part in kept] == [None] * len(kept)
    finally:
        gc.enable()


def test_a_pickle_of_other_rules_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "overlay"
    folder.mkdir()
    packed = pickle.dumps(load("rules", overlay=folder))
    actor = "actors: [{id: zz-test, names: [Zzland], speaker: other, kind: country}]\n"
    (folder / "actors").mkdir()
    (folder / "actors" / "few.yaml").write_text(actor)
    with pytest.raises(stance.StanceError, match="install the same version, rules and model on both sides"):
        pickle.loads(packed)


def test_a_record_comes_back_as_a_verdict(classifier: Classifier, texts: Sequence[str]) -> None:
    for verdict in classifier.classify_sentences([{"text": text, "id": text[:9]} for text in texts[:30]]):
        record = json.loads(json.dumps(verdict.to_dict()))
        again = Verdict.from_dict(record)
        assert again.to_dict() == record
        assert (again.label, again.voice, again.speaker) == (verdict.label, verdict.voice, verdict.speaker)


@pytest.mark.parametrize(
    "change", [{"schema": "stance/9"}, {"label": "x"}, {"evidence": [{}]}, {"speaker": 1}], ids=str
)
def test_a_record_of_another_kind_is_one_sentence(change: dict[str, object]) -> None:
    record = next(load("rules").classify_sentences(["A sentence."])).to_dict()
    with pytest.raises(stance.StanceError, match="not a record stance/1"):
        Verdict.from_dict(record | change)
    with pytest.raises(stance.StanceError, match="not a record stance/1"):
        Verdict.from_dict({})


def test_a_sentence_too_long_for_a_tree_says_so(classifier: Classifier) -> None:
    short = "The occupiers were accused by Peskov of shelling the town."
    long = "The occupiers were accused by Peskov of shelling the town, " + "and a bridge, " * 400 + "he said."
    (before,), (after,) = (list(classifier.classify_sentences([text])) for text in (short, long))
    assert "too long for a tree" not in before.reason
    assert ("too long for a tree" in after.reason) is (classifier.engine != "model")  # which asks for none


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ("Zelensky justified his unprovoked invasion of Russia.", "pro_moscow"),
        ("Putin justified his unprovoked invasion of Ukraine.", "pro_kyiv"),
        ("Shops in the border town were looted by the Ukrainian military.", "pro_moscow"),
        ("Shops in the border town were looted by the Russian military.", "pro_kyiv"),
        ("It was an unprovoked invasion.", "pro_kyiv"),
    ],
)
def test_who_is_named_decides_not_who_likes_the_word(text: str, label: str) -> None:
    (verdict,) = load("rules").classify(text)
    assert verdict.label.value == label
    usual = [e for e in verdict.evidence if e.not_counted is not None and e.strength == "strong"]
    assert {e.side for e in usual} <= {"kyiv"}
