"""The model: exact mirroring, a file that cannot lie, prediction without scikit-learn."""

from __future__ import annotations

import hashlib
import json
import random
import subprocess
import sys
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance import model
from stance.errors import StanceError

SIDES = ("kyiv", "moscow")
DECISION = {
    "frame_scale": 1.0,
    "frame_shift": 0.1,
    "opinion_scale": 1.0,
    "opinion_shift": -0.2,
    "frame_threshold": 0.5,
    "opinion_threshold": 0.4,
}
names = st.text(st.sampled_from("ab {}01:_\x01\x02"), min_size=1, max_size=12) | st.sampled_from(
    ("ww:{0}country aggression", "ev:{1}:N:strong", "after:{0} {1}leader", "w:war")
)


def symmetric(
    values: dict[str, tuple[float, float, float, float]],
) -> dict[str, tuple[float, float, float, float]]:
    table = {}
    for name, (none, first, second, opinion) in values.items():
        twin = model.mirror(name)
        if twin == name:
            second = first
        table[name] = (none, first, second, opinion)
        table[twin] = (none, second, first, opinion)
    return table


numbers = st.floats(-3, 3, allow_nan=False)
tables = st.dictionaries(names, st.tuples(numbers, numbers, numbers, numbers), max_size=8)


@settings(deadline=None)
@given(names)
def test_mirror_is_an_involution(name: str) -> None:
    assert model.mirror(model.mirror(name)) == name


@settings(deadline=None)
@given(tables, st.data())
def test_swapping_features_swaps_the_answer_exactly(
    table: dict[str, tuple[float, float, float, float]], data: st.DataObject
) -> None:
    weights = symmetric(table)
    linear = model.LinearModel(weights, {"decision": DECISION, "families": []}, "x")
    chosen = data.draw(st.lists(st.sampled_from(sorted(weights) or ["w:none"]), unique=True))
    values = dict.fromkeys(chosen, 1.0)
    one, two = linear.predict(values, SIDES), linear.predict(model.mirrored(values), SIDES)
    assert one.frames["kyiv"] == two.frames["moscow"]
    assert one.frames["moscow"] == two.frames["kyiv"]
    assert one.frames["none"] == two.frames["none"]
    assert one.p_opinion == two.p_opinion
    swap = {"kyiv": "moscow", "moscow": "kyiv", "none": "none"}
    assert two.frame == swap[one.frame]


@settings(deadline=None)
@given(
    st.dictionaries(
        st.sampled_from(["a", "b", "c", "d", "e"]), st.tuples(*[st.floats(-1e6, 1e6, allow_nan=False)] * 4)
    ),
    st.dictionaries(st.sampled_from(["a", "b", "c", "d", "e"]), st.sampled_from([1.0, 2.0, 3.0, 0.25, 0.7])),
    st.randoms(use_true_random=False),
)
def test_sums_are_those_of_fractions_in_any_order(
    table: dict[str, tuple[float, float, float, float]], values: dict[str, float], chance: random.Random
) -> None:
    totals: dict[float, int] = {}
    for name in chance.sample(sorted(values), len(values)):
        model._put(totals, values[name], model._packed_row(table.get(name, (0.0,) * 4)))
    for lane, found in enumerate(model._sums(totals)):
        exact = sum(Fraction(table[name][lane]) * Fraction(values[name]) for name in values if name in table)
        # Each weight is rounded to a multiple of 2 ** -32; then the few values are added as floats.
        assert abs(found - exact) <= 3 * 5 * 2.0**-33 + 1e-15 * abs(exact) + 5e-9
    turned: dict[float, int] = {}
    for name in sorted(values):
        model._put(turned, values[name], model._packed_row(table.get(name, (0.0,) * 4)))
    assert model._sums(turned) == model._sums(totals)


WORDS = ("war", "a", "the", "said", "{0}country", "{1}leader", "#", "unknown", "aggression")


@settings(deadline=None)
@given(st.lists(st.sampled_from(WORDS), max_size=12), st.data())
def test_words_by_the_scorer_are_worth_what_their_features_are(words: list[str], data: st.DataObject) -> None:
    masked = [(word, i, i) for i, word in enumerate(words)]
    values = model._by_name(model.word_groups(masked)) | {"bias": 1.0, "ev:{0}:strong": 2.0}
    weights = {
        name: data.draw(st.tuples(numbers, numbers, numbers, numbers), label=name)
        for name in values
        if data.draw(st.booleans())
    }
    linear = model.LinearModel(weights, {"decision": DECISION, "families": []}, "x")
    scorer = model.Scorer(linear)
    for _ in range(2):  # what it met before changes nothing
        found = scorer.predict(words, {"bias": 1.0, "ev:{0}:strong": 2.0}, SIDES)
        assert found == linear.predict(values, SIDES)


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    weights = symmetric({"ev:{0}:N": (-1.0, 2.0, -1.0, 0.1), "w:war": (0.3, 0.0, 0.0, 0.25)})
    model.save(tmp_path, weights, {"decision": DECISION, "families": ["words"], "rules": "abc"})
    return tmp_path


def test_a_reloaded_model_gives_bit_identical_probabilities(stored: Path) -> None:
    one, two = model.load(stored), model.load(stored)
    values = {"ev:{1}:N": 2.0, "w:war": 1.0, "w:unknown": 1.0}
    assert one.predict(values, SIDES) == two.predict(values, SIDES)
    model.save(stored / "again", dict(one.weights), {k: v for k, v in one.card.items() if k != "schema"})
    assert (stored / "again" / "weights.json").read_bytes() == (stored / "weights.json").read_bytes()
    assert model.load(stored / "again").predict(values, SIDES) == one.predict(values, SIDES)


def test_an_edited_weights_file_is_refused(stored: Path) -> None:
    path = stored / "weights.json"
    path.write_text(path.read_text().replace("2.0", "9.0"))
    with pytest.raises(StanceError, match="digest is not the one"):
        model.load(stored)


def test_an_edited_decision_is_refused(stored: Path) -> None:
    path = stored / "card.json"
    card = json.loads(path.read_text())
    card["decision"]["frame_threshold"] = 0.99
    path.write_text(json.dumps(card))
    with pytest.raises(StanceError, match="the card was edited"):
        model.load(stored)


def test_models_that_decide_differently_have_different_versions(stored: Path) -> None:
    one = model.load(stored)
    card = {k: v for k, v in one.card.items() if k != "schema"}
    model.save(stored / "b", dict(one.weights), card | {"decision": DECISION | {"frame_threshold": 0.4}})
    assert (stored / "b" / "weights.json").read_bytes() == (stored / "weights.json").read_bytes()
    assert model.load(stored / "b").digest != one.digest


def test_another_schema_is_refused(stored: Path) -> None:
    card = json.loads((stored / "card.json").read_text())
    (stored / "card.json").write_text(json.dumps(card | {"schema": "stance-model/9"}))
    with pytest.raises(StanceError, match="stance-model/9"):
        model.load(stored)


@pytest.mark.parametrize("content", ["", "[", "{}", "[1]", "null", "[" * 100_000])
def test_a_broken_card_is_one_sentence(stored: Path, content: str) -> None:
    (stored / "card.json").write_text(content)
    with pytest.raises(StanceError):
        model.load(stored)


BROKEN = [
    ('[["w:war", NaN, 0, 0, 0]]', "no number within"),
    ('[["w:war", Infinity, 0, 0, 0]]', "no number within"),
    ('[["w:war", 0, 0, 0, -1e308]]', "no number within"),
    (f'[["w:war", {10**400}, 0, 0, 0]]', "not a model"),
    ('[["w:war", 0, 1, 2, 0]]', "favours one"),
    ('[["w:war", 0, 0]]', "not a model"),
    ("[[[], 0, 0, 0, 0]]", "not a model"),
    ('{"w:war": 1}', "not a model"),
    ("[" * 100_000, "not a model"),
]


@pytest.mark.parametrize(("weights", "message"), BROKEN, ids=range(len(BROKEN)))
def test_weights_that_are_none_are_refused(stored: Path, weights: str, message: str) -> None:
    (stored / "weights.json").write_text(weights)
    card = json.loads((stored / "card.json").read_text())
    card["weights_sha256"] = hashlib.sha256(weights.encode()).hexdigest()
    (stored / "card.json").write_text(json.dumps(card))
    with pytest.raises(StanceError, match=message) as caught:
        model.load(stored)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    "change",
    [
        {"families": ["words", "os.system"]},
        {"families": None},
        {"decision": {}},
        {"decision": DECISION | {"frame_scale": float("inf")}},
        {"decision": DECISION | {"opinion_shift": "x"}},
        {"decision": DECISION | {"more": float("nan")}},
        {"decision": [1, 2]},
    ],
    ids=str,
)
def test_a_card_that_asks_for_what_there_is_not_is_refused(stored: Path, change: dict[str, object]) -> None:
    card = json.loads((stored / "card.json").read_text())
    (stored / "card.json").write_text(json.dumps(card | change))
    with pytest.raises(StanceError, match="not a model of this package"):
        model.load(stored)


def test_prediction_needs_neither_scikit_learn_nor_numpy(stored: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from stance import model; "
        f"model.load(Path({str(stored)!r})).predict({{'w:war': 1.0}}, ('a', 'b')); "
        "print([m for m in ('sklearn', 'scipy', 'pandas', 'numpy', 'spacy') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
