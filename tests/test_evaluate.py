"""Metrics against hand-counted figures, comparisons, overlap, faithfulness: on made-up sentences."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from fake_classifier import FakeClassifier

from stance import baselines, calibration, evaluate, seeds
from stance.classifier import Classifier
from stance.document import Document
from stance.errors import StanceError
from stance.evaluate import LABELS, Answer, Interval
from stance.evidence import Verdict
from stance.gold import Labelled
from stance.labels import Label, Voice
from stance.seeds import Answers, GoldSentence

N, K, M, A = LABELS
FAKE = cast(Classifier, FakeClassifier())


def item(number: int, label: Label, text: str = "Rain fell.", article: str | None = None) -> Labelled:
    return Labelled(
        id=f"t{number}",
        text=text,
        label=label,
        frame=evaluate.frame_of(label),
        article=article or f"a{number}",
    )


def items(labels: Sequence[Label]) -> list[Labelled]:
    return [item(i, label) for i, label in enumerate(labels)]


# -- metrics --------------------------------------------------------------------------------------------


def test_figures_counted_by_hand() -> None:
    gold = items([N, N, N, K, K, M, A, A])
    found = [N, N, K, K, M, M, N, A]
    scores = evaluate.score(gold, found)
    # neutral: 2 right of 3 there and 3 found; kyiv 1 of 2 and 2; moscow 1 of 1 and 2; opinion 1 of 2 and 1
    assert scores.accuracy.value == pytest.approx(5 / 8)
    assert scores.macro_f1.value == pytest.approx((2 / 3 + 1 / 2 + 2 / 3 + 2 / 3) / 4)
    assert scores.per_label["pro_moscow"] == {"precision": 0.5, "recall": 1.0, "f1": 0.6667, "support": 1}
    assert scores.framed_precision == pytest.approx(3 / 4)
    assert scores.framed_recall == 1.0
    assert scores.side_confusion == pytest.approx(1 / 3, abs=1e-4)
    assert scores.confusion[0] == (2, 1, 0, 0)
    assert scores.side_difference.value == pytest.approx(1 / 2 - 2 / 3)
    assert scores.voice is None
    assert scores.calibration is None


def test_macro_f1_leaves_out_a_label_that_is_nowhere() -> None:
    assert evaluate.score(items([N, N, A]), [N, N, A]).macro_f1.value == 1.0
    assert evaluate.score(items([N, N, A]), [N, K, A]).macro_f1.value == pytest.approx((2 / 3 + 0 + 1) / 3)


def test_intervals_hold_the_value_and_are_wider_where_articles_agree() -> None:
    chance = random.Random(3)
    labels = [chance.choice(LABELS) for _ in range(120)]
    found = [label if i // 12 % 2 else N for i, label in enumerate(labels)]
    alone = evaluate.score([item(i, label) for i, label in enumerate(labels)], found)
    torn = evaluate.score([item(i, label, article=f"a{i // 12}") for i, label in enumerate(labels)], found)
    assert alone.accuracy.low < alone.accuracy.value < alone.accuracy.high
    assert alone.accuracy.value == torn.accuracy.value
    assert torn.accuracy.high - torn.accuracy.low > alone.accuracy.high - alone.accuracy.low
    assert (torn.articles, alone.articles) == (10, 120)


def test_the_same_data_give_the_same_intervals() -> None:
    gold, found = items([N, K, M, A] * 5), [N, K, M, N] * 5
    assert evaluate.score(gold, found) == evaluate.score(gold, found)


def test_voice_speaker_and_own_label() -> None:
    gold = [
        replace(item(0, K), voice=Voice.QUOTED, source="kyiv", opinion=False),
        replace(item(1, N), voice=Voice.AUTHOR, opinion=False),
        replace(item(2, M), voice=Voice.ATTRIBUTED, source="moscow", opinion=True),
    ]
    found = [
        Answer(K, "kyiv", 0.9, Voice.QUOTED, "kyiv", N),
        Answer(N, "none", 0.9, Voice.AUTHOR, None, N),
        Answer(M, "moscow", 0.9, Voice.AUTHOR, None, M),
    ]
    scores = evaluate.score(gold, found)
    assert scores.voice == pytest.approx(2 / 3, abs=1e-4)
    assert scores.speaker_side == 0.5
    assert scores.own_label == pytest.approx(2 / 3, abs=1e-4)


def test_calibration_counts_the_random_part_alone() -> None:
    sure = Answer(N, "none", 0.95)
    gold = [replace(item(i, N if i < 19 else K), slices={"batch": "random"}) for i in range(20)]
    gold += [replace(item(i, K), slices={"batch": "selected"}) for i in range(20, 40)]
    found = evaluate.calibration(gold, [sure] * 40)
    assert found is not None
    assert (found.sentences, found.random_only) == (20, True)
    assert found.error == pytest.approx(0.0, abs=1e-9)
    assert found.perfect_high > 0
    plain = evaluate.calibration([replace(g, slices={}) for g in gold], [sure] * 40)
    assert plain is not None
    assert plain.error == pytest.approx(0.95 - 19 / 40, abs=1e-4)


def test_calibration_error_by_hand() -> None:
    p = np.array([0.65, 0.65, 0.95, 0.95])
    assert calibration.calibration_error(p, np.array([1, 0, 1, 1])) == pytest.approx((0.30 + 0.10) / 4)


def test_the_band_of_a_perfect_predictor_holds_one() -> None:
    generator = np.random.default_rng(4)
    p = generator.uniform(0.3, 1.0, 400)
    honest = calibration.calibrated(p, generator.random(400) < p, random_only=False)
    assert honest.perfect_low <= honest.error <= honest.perfect_high
    boastful = calibration.calibrated(p, generator.random(400) < p - 0.2, random_only=False)
    assert boastful.error > boastful.perfect_high
    assert sum(part.sentences for part in honest.bins) == 400
    assert all(part.perfect_low <= part.probability <= part.perfect_high for part in honest.bins)
    assert sum(part.right < part.perfect_low for part in boastful.bins) >= 4


def test_precision_and_coverage_by_hand() -> None:
    found = [Answer(K, "kyiv", 0.9), Answer(K, "kyiv", 0.6), Answer(N, "none", 0.7), Answer(N, "none", 0.4)]
    scores = evaluate.score(items([K, M, N, N]), found)
    assert scores.coverage is not None
    assert set(scores.coverage) == {"every label", "pro_kyiv", "neutral_report"}
    at = {kept.below: kept for kept in scores.coverage["pro_kyiv"]}
    assert (at[0.0].coverage, at[0.0].precision) == (1.0, 0.5)
    assert (at[0.6].coverage, at[0.62].coverage) == (1.0, 0.5)  # as probable as P is kept
    assert at[0.8].precision == 1.0
    assert (at[0.92].coverage, at[0.92].precision) == (0.0, None)
    whole = {kept.below: kept for kept in scores.coverage["every label"]}
    assert (whole[0.5].kept, whole[0.5].right, whole[0.5].answers) == (3, 2, 4)
    assert evaluate.score(items([K]), [K]).coverage is None


def test_precision_of_a_rule_counts_sentences_and_names_the_wrong() -> None:
    gold = [
        item(0, K, "The orcs and the other orcs came."),
        item(1, N, "The orcs are a band."),
        item(2, K, "We are not orcs."),  # cancelled: no hit
        item(3, M, "The junta fell."),
    ]
    rules = evaluate.rule_precision(gold, evaluate.label_all(FAKE, gold))
    assert list(rules) == ["rule-orcs", "rule-junta"]
    assert (rules["rule-orcs"].hits, rules["rule-orcs"].right, rules["rule-orcs"].wrong) == (2, 1, ("t1",))
    assert rules["rule-junta"].precision == 1.0


def test_slices_have_counts_and_leave_small_ones_out() -> None:
    gold = [replace(item(i, N), slices={"kind": "text" if i < 35 else "headline"}) for i in range(45)]
    gold = [
        replace(g, slices={**g.slices, "date": "2022-05-01" if i % 2 else "2021"}) for i, g in enumerate(gold)
    ]
    slices = evaluate.score(gold, [N] * 45).slices
    assert slices["kind=text"].count == 35
    assert "kind=headline" not in slices
    assert not any(name.startswith("year") for name in slices)  # 22 and 23 sentences are too few


def test_nothing_to_score_is_a_sentence() -> None:
    with pytest.raises(StanceError, match="no sentence to score"):
        evaluate.score([], [])


# -- data -----------------------------------------------------------------------------------------------


def test_remarks_name_what_the_data_lack() -> None:
    told = evaluate.remarks(items([N] * 8 + [K, A]))
    assert any("no sentence is labelled pro_moscow" in line for line in told)
    assert any("10 sentences only" in line for line in told)
    assert evaluate.remarks(items([N, K, M, A] * 30)) == []
    assert (
        "3 articles only"
        in evaluate.remarks(
            [item(i, label, article=f"a{i % 3}") for i, label in enumerate([N, K, M, A] * 30)]
        )[0]
    )


def test_seed_sentences_count_each_text_once() -> None:
    sentences = evaluate.seed_sentences(seeds.gold())
    texts = [evaluate.normalised(s.text) for s in sentences]
    assert len(texts) == len(set(texts)) < len(seeds.gold())
    longer = evaluate.without_residue(sentences)
    assert 0 < len(longer) < len(sentences)
    assert all(len(s.text.split()) >= 6 for s in longer)


def test_seeds_are_read_in_their_documents() -> None:
    text = "The orcs came.\nRain fell.\nThey should go."
    answers = Answers("none", (), "", Voice.AUTHOR, None, False, N)
    gold = [
        GoldSentence("1", "d", 0, 14, text[:14], answers),
        GoldSentence("2", "d", 15, 22, text[15:22], answers),  # cut elsewhere by the splitter
        GoldSentence("3", "d", 26, 41, text[26:41], answers),
    ]
    found, missed = evaluate.label_in_documents(FAKE, [Document(text, "d"), Document("Other.", "e")], gold)
    assert missed == 1
    assert [found[name].label for name in "123"] == [K, N, A]
    with pytest.raises(StanceError, match="no document 'd'"):
        evaluate.label_in_documents(FAKE, [], gold)


# -- comparing ------------------------------------------------------------------------------------------


def verdicts(texts: Sequence[str]) -> list[Verdict]:
    return evaluate.label_all(FAKE, [item(i, N, text) for i, text in enumerate(texts)])


def test_only_the_flips_with_their_rules() -> None:
    before = verdicts(["The orcs came.", "Rain fell.", "The orcs left.", "They should go."])
    after = verdicts(["The junta came.", "Rain fell.", "They left.", "They go."])
    result = evaluate.compare(items([M, N, K, N]), before, after)
    told = [(f.id, f.before, f.after, f.outcome, f.causes) for f in result.flips]
    assert told == [
        ("t0", "pro_kyiv", "pro_moscow", "won", ("rule-junta", "rule-orcs")),
        ("t2", "pro_kyiv", "neutral_report", "lost", ("rule-orcs",)),
        ("t3", "analytical_opinion", "neutral_report", "won", (evaluate.WORDS,)),
    ]
    assert (result.won, result.lost) == (2, 1)


def test_mcnemar_is_the_exact_binomial() -> None:
    gold = items([K] * 6)
    result = evaluate.compare(gold, verdicts(["The orcs came."] * 6), verdicts(["Rain fell."] * 6))
    assert result.mcnemar_p == pytest.approx(2 * 0.5**6)
    assert (result.won, result.lost) == (0, 6)
    assert result.worse
    assert not evaluate.compare(gold, verdicts(["Rain fell."] * 6), verdicts(["The orcs came."] * 6)).worse


def test_five_losses_are_no_significant_loss() -> None:
    gold = items([K] * 5)
    assert not evaluate.compare(gold, verdicts(["The orcs came."] * 5), verdicts(["Rain fell."] * 5)).worse


def test_nothing_changed() -> None:
    same = verdicts(["The orcs came.", "Rain fell."])
    result = evaluate.compare(items([K, N]), same, same)
    assert (result.mcnemar_p, result.flips, result.worse) == (1.0, (), False)
    assert result.difference == Interval(0.0, 0.0, 0.0)


# -- faithfulness ---------------------------------------------------------------------------------------


def test_evidence_that_carries_the_verdict() -> None:
    gold = [item(0, K, "The orcs came over the old bridge."), item(1, N, "Rain fell.")]
    result = evaluate.faithfulness(FAKE, gold)
    assert (result.evidence.verdicts, result.evidence.label_changed) == (1, 1)
    assert result.evidence.mean_drop == pytest.approx(0.6)
    assert (result.random_words.verdicts, result.random_words.changed_or_dropped) == (1, 0)
    assert result.unmoved == ()


class Stubborn(FakeClassifier):
    """Says pro_kyiv whatever stands there, and names evidence only where it saw ``orcs``."""

    def _verdict(self, sentence: Any, document: Any) -> Verdict:
        verdict = super()._verdict(sentence, document)
        return replace(verdict, label=K, frame="kyiv", probabilities={**verdict.probabilities, K: 0.7})


def test_a_framed_verdict_without_evidence_is_a_failure() -> None:
    gold = [item(0, K, "Rain fell."), item(1, K, "The orcs came.")]
    result = evaluate.faithfulness(cast(Classifier, Stubborn()), gold)
    assert result.without_evidence == 1
    assert (result.evidence.verdicts, result.evidence.changed_or_dropped) == (2, 0)
    assert result.unmoved == ("t0", "t1")
    assert result.evidence.share == 0.0


def test_neutral_words_keep_the_form() -> None:
    found = [
        evaluate.neutral(w) for w in ("Muppets", "invaded", "invading", "brutally", "thugs", "mad", "47")
    ]
    assert found == ["Someone", "handled", "handling", "somehow", "things", "thing", "some"]
    assert evaluate.neutral("Thugs", first=True) == "Things"


# -- baselines ------------------------------------------------------------------------------------------


def test_majority_and_tfidf_learn_from_the_training_data() -> None:
    train = [item(i, A if i % 3 else N, "they should go" if i % 3 else "rain fell") for i in range(12)]
    test = [item(20, A, "you should go"), item(21, N, "rain fell today")]
    assert baselines.majority(train, test) == [A, A]
    answers = baselines.tfidf(train, test)
    assert [a.label for a in answers] == [A, N]
    assert all(a.probability is not None and 0.5 < a.probability <= 1 for a in answers)
    with pytest.raises(StanceError, match="one label only"):
        baselines.tfidf(items([N, N]), test)


def test_sentiment_is_no_stance() -> None:
    pytest.importorskip("vaderSentiment")
    found = baselines.vader_sign(
        [item(0, K, "A wonderful, happy day."), item(1, M, "A cruel, horrible death.")]
    )
    assert found == [K, M]
    assert baselines.vader_sign([item(2, N, "The table is here.")]) == [N]


def test_a_missing_package_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "vaderSentiment.vaderSentiment", None)
    with pytest.raises(StanceError, match="vaderSentiment is not installed"):
        baselines.vader_sign([item(0, N)])


def test_embeddings_without_libraries_or_files_are_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    missing = ModuleNotFoundError("no", name="onnxruntime")

    def absent(name: str) -> Any:
        raise missing

    with monkeypatch.context() as patch:
        patch.setattr(baselines.importlib, "import_module", absent)
        with pytest.raises(StanceError, match=r"onnxruntime is not installed; .*stance\[minilm\]"):
            baselines.Embedder(tmp_path)
    libraries = SimpleNamespace(Tokenizer=None, InferenceSession=None)
    monkeypatch.setattr(baselines.importlib, "import_module", lambda name: libraries)
    with pytest.raises(StanceError, match=r"needs tokenizer.json and model.onnx"):
        baselines.Embedder(tmp_path)
    (tmp_path / "model.onnx").write_bytes(b"x")
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(StanceError, match="not a readable ONNX model"):
        baselines.Embedder(tmp_path)


def test_embeddings_are_means_over_the_tokens_that_are_words() -> None:
    """A made-up encoder whose last layer is the token itself: padding must not count."""

    class Encoder:
        def encode_batch(self, texts: list[str]) -> list[Any]:
            width = max(len(text.split()) for text in texts)
            rows = [[len(word) for word in text.split()] for text in texts]
            return [
                SimpleNamespace(
                    ids=r + [0] * (width - len(r)), attention_mask=[1] * len(r) + [0] * (width - len(r))
                )
                for r in rows
            ]

    class Session:
        def run(self, _: None, given: dict[str, Any]) -> list[Any]:
            assert set(given) == {"input_ids", "attention_mask"}
            ids = given["input_ids"].astype(float)
            return [np.stack([ids, np.ones_like(ids), 9.0 * (ids == 0)], axis=-1)]

    embedder = object.__new__(baselines.Embedder)
    embedder._tokenizer, embedder._session = Encoder(), Session()
    embedder._inputs = {"input_ids", "attention_mask"}
    found = embedder(["a bbb", "cc cc cc cc"])
    wanted = np.array([2.0, 1.0, 0.0]) / np.sqrt(5.0)
    assert np.allclose(found, [wanted, wanted])
    train = [item(0, K, "a a"), item(1, N, "longword longword")]
    answers = baselines.minilm(embedder, train, [item(2, N, "b b b"), item(3, N, "longwort")])
    assert [answer.label for answer in answers] == [K, N]
