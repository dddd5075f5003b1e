"""Impartiality against figures counted by hand, and names alone with the real table of partners."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from fake_classifier import FakeClassifier

from stance import evaluate, impartiality, model, rulebook
from stance.classifier import Classifier
from stance.errors import StanceError
from stance.evidence import Verdict
from stance.gold import Labelled
from stance.labels import Label
from stance.mirroring import Mirror

N, K, M, A = evaluate.LABELS


def item(number: int, label: Label, text: str = "Rain fell.") -> Labelled:
    return Labelled(
        id=f"t{number}", text=text, label=label, frame=evaluate.frame_of(label), article=f"a{number}"
    )


def items(labels: list[Label]) -> list[Labelled]:
    return [item(i, label) for i, label in enumerate(labels)]


def verdicts(texts: list[str]) -> list[Verdict]:
    return evaluate.label_all(
        cast(Classifier, FakeClassifier()), [item(i, N, t) for i, t in enumerate(texts)]
    )


@pytest.fixture(scope="module")
def rules() -> rulebook.Rulebook:
    try:
        return rulebook.load()
    except StanceError as fault:
        pytest.skip(f"the rules do not load: {fault}")


def test_a_pair_is_right_when_both_twins_are() -> None:
    gold = [
        replace(item(i, label), slices={"pair": pair})
        for i, (label, pair) in enumerate([(K, "p"), (M, "p"), (K, "q"), (M, "q")])
    ]
    found = verdicts(["The orcs came.", "The junta came.", "The orcs came.", "Rain fell."])
    assert impartiality.pairs_right(gold, found) == (1, 2)


def test_side_differences_by_hand() -> None:
    result = impartiality.side_differences(items([K, K, M, M, N]), [K, N, M, M, M])
    assert result["precision"].value == pytest.approx(1 - 2 / 3)
    assert result["recall"].value == pytest.approx(1 / 2 - 1)
    assert result["f1"].value == pytest.approx(2 / 3 - 4 / 5)


# -- exceptions to the mirror ---------------------------------------------------------------------------


class Ruled:
    """Knows one side's wrongs by a rule that has a partner, by one that has none, and by words."""

    def __init__(self, rules: rulebook.Rulebook) -> None:
        one, other = (SimpleNamespace(id=i, mirror_partner=m) for i, m in (("a", "b"), ("b", "a")))
        self.rulebook = replace(rules, rules=(*rules.rules, cast(Any, one), cast(Any, other)))

    def classify_sentences(self, sentences: Any) -> Any:
        for sentence in sentences:
            moscow = "Russia" in sentence.text
            found = [("b", "kyiv") if moscow else ("a", "moscow")] if "said" in sentence.text else []
            if "lost" in sentence.text and moscow:
                found.append(("alone", "kyiv"))
            one_sided = moscow and ("lost" in sentence.text or "won" in sentence.text)
            label = K if one_sided or (found and moscow) else M if found else N
            yield SimpleNamespace(
                label=label,
                evidence=[
                    SimpleNamespace(rule=rule, effect="frame", side=side, counted=True)
                    for rule, side in found
                ],
            )


def test_exceptions_to_the_mirror_name_the_rules_without_a_counterpart(
    rules: rulebook.Rulebook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(impartiality, "Mirror", lambda _: Mirror(rules))
    texts = [
        "Rain fell.",  # names nobody
        "Russia said that it rained.",  # partners
        "Russia lost a match.",  # a rule that the mirror does not have
        "Ukraine lost a match.",  # a rule that only the mirror has
        "Russia won a match.",  # no rule at all
    ]
    test = impartiality.mirror_test(cast(Classifier, Ruled(rules)), texts)
    assert (test.name_a_side, test.mirrored, test.consistent) == (4, 4, 1)
    assert [(part.place, part.rules, part.mirror_rules) for part in test.broken] == [
        (2, ("alone",), ()),
        (3, (), ("alone",)),
        (4, (), ()),
    ]
    assert [(part.label, part.mirror_label) for part in test.broken] == [(K, N), (N, K), (K, N)]
    assert [part.causes for part in test.broken] == [
        ("alone",),
        ("alone (in the mirror)",),
        (evaluate.WORDS,),
    ]


# -- names alone ----------------------------------------------------------------------------------------


def test_cues_are_counted_by_side_and_test(rules: rulebook.Rulebook) -> None:
    """Every active frame rule is counted once, under its own side or as one that serves both."""
    parts = impartiality.cues(rules)
    active = [rule for rule in rules.active() if rule.effect == "frame"]
    assert [part.test for part in parts] == list("NBLVOSQ")
    assert sum(part.either[0] + sum(n for n, _ in part.sides.values()) for part in parts) == len(active)
    naming = next(part for part in parts if part.test == "N")
    of_one = [rule for rule in active if rule.test == "N" and rule.side == "kyiv"]
    assert naming.sides["kyiv"] == (len(of_one), sum(len(rule.phrases) + len(rule.trees) for rule in of_one))
    assert naming.unpaired["kyiv"] == sum(rule.mirror_none is not None for rule in of_one)


def test_names_alone_keep_every_other_word(rules: rulebook.Rulebook) -> None:
    mirror = Mirror(rules)
    swapped = mirror.names(
        "Russian troops shelled Kharkiv, and the United States said that Ukraine was right."
    )
    assert (
        swapped.text == "Ukrainian troops shelled Kharkiv, and the United States said that Russia was right."
    )
    assert mirror.names("Rain fell on the old town.").why is None
    assert not mirror.names("Rain fell on the old town.").changed
    alone = mirror.names("The separatists and Ukraine met.")
    assert not alone.changed
    assert "separatists" in (alone.why or "")


class Biased:
    """Sees a frame wherever one side is named, and an opinion in ``should``."""

    def __init__(self, rules: rulebook.Rulebook) -> None:
        self.rulebook = rules

    def classify_sentences(self, sentences: Any) -> Any:
        for sentence in sentences:
            if "Moscow" in sentence.text or "Russia" in sentence.text:
                yield SimpleNamespace(label=K)
            else:
                yield SimpleNamespace(label=A if "should" in sentence.text else N)


def test_frames_that_names_alone_make_are_counted(rules: rulebook.Rulebook) -> None:
    texts = [
        "Ukraine said that talks went on.",  # none, becomes a frame
        "Ukraine should wait.",  # likewise
        "Russia said that talks went on.",  # a frame that is lost
        "Ukraine and Russia met.",  # a frame that stays
        "Rain fell.",  # names nobody
    ]
    test = impartiality.name_test(
        cast(Classifier, Biased(rules)), [item(i, N, text) for i, text in enumerate(texts)]
    )
    assert (test.name_a_side, test.swapped, test.unframed) == (4, 4, 2)
    assert test.of_side(0) == (0, 1, 1)
    assert test.of_side(1) == (0, 0, 0)
    assert test.frames_made() == (2, 0)
    assert test.framed_now == (0, 1)
    assert test.kept is not None
    assert test.appeared is not None
    assert (test.kept.value, test.appeared.value) == (0.0, 1.0)


def test_no_name_nothing_to_swap(rules: rulebook.Rulebook) -> None:
    test = impartiality.name_test(cast(Classifier, Biased(rules)), [item(0, N)])
    assert (test.swapped, test.kept, test.to_dict()["unframed_kept"]) == (0, None, None)


# -- features ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "Biden told reporters in Washington that Russian troops had shelled Kharkiv.",
        "The US spoke of a brutal winter in Sumy, and Ukraine asked for talks.",
        "“We will not leave,” the Ukrainian general said.",
        "Kyiv spoke of Moscow’s lies and of freedom.",
        "A Czech minister met Zelensky in Lviv on Monday; the occupiers left.",
        "NATO AND EU LEADERS MEET IN BRUSSELS",
    ],
)
def test_a_mirrored_text_has_the_mirrored_features(rules: rulebook.Rulebook, text: str) -> None:
    twin = Mirror(rules)(text)
    assert twin.changed, twin.why
    classifier = Classifier(rules, engine="rules")
    one, two = classifier.gather_sentences([text, twin.text])
    families = model.ENGINE_FAMILIES["hybrid"]
    first = model.mirrored(model.features(one, classifier.sides, families))
    assert first == model.features(two, classifier.sides, families)


def test_a_weak_word_of_nobody_tells_no_side(rules: rulebook.Rulebook) -> None:
    classifier = Classifier(rules, engine="rules")
    one, two = classifier.gather_sentences(
        ["The general spoke of the Russian crimes.", "The general spoke of the Ukrainian crimes."]
    )
    assert one.hints == two.hints == {"harm-talk"}
    assert not any(e.counted and e.rule == "harm-talk" for e in one.settled)


def test_a_paired_cue_is_swapped_whatever_its_form(rules: rulebook.Rulebook) -> None:
    text = "He spoke of a war of aggression."
    assert Mirror(rules)(text).text == "He spoke of a proxy war."
    assert not Mirror(rules, exact=True)(text).changed
