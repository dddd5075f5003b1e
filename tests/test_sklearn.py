"""The scikit-learn estimator: its checks that apply to text, and that it answers as the classifier does."""

from __future__ import annotations

import pickle
import random
from inspect import signature
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.exceptions import DataConversionWarning, NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils import estimator_checks
from sklearn.utils.validation import check_is_fitted

import stance
from stance import seeds
from stance.errors import StanceError
from stance.sklearn import StanceEstimator


@pytest.fixture(scope="module")
def data() -> tuple[list[str], list[str]]:
    """120 written sentences and their labels."""
    found = random.Random(3).sample(list(seeds.written()), 120)
    return [item.text for item in found], [item.answers.label.value for item in found]


@pytest.fixture(scope="module")
def fitted(data: tuple[list[str], list[str]]) -> StanceEstimator:
    return StanceEstimator("model").fit(*data)


# scikit-learn's own checks that give an estimator no data, or data that it has to refuse. All others fit
# tables of numbers; what they ask is asked below with texts, except of weights of samples, sparse and complex
# arrays, dtypes, partial fits and continuous targets, which this estimator does not have.
WITHOUT_TABLES = (
    "check_do_not_raise_errors_in_init_or_set_params",
    "check_estimator_cloneable",
    "check_estimator_repr",
    "check_estimator_tags_renamed",
    "check_estimators_unfitted",
    "check_fit1d",
    "check_get_params_invariance",
    "check_mixin_order",
    "check_no_attributes_set_in_init",
    "check_parameters_default_constructible",
    "check_set_params",
    "check_valid_tag_types",
)


@pytest.mark.parametrize("name", WITHOUT_TABLES)
def test_scikit_learns_checks(name: str) -> None:
    check = getattr(estimator_checks, name, None)
    if check is None:
        pytest.skip("this version of scikit-learn has no such check")
    check("StanceEstimator", StanceEstimator("rules"))


@pytest.mark.skipif(
    not hasattr(estimator_checks, "estimator_checks_generator"), reason="needs scikit-learn 1.6"
)
def test_what_scikit_learn_runs_of_itself_passes() -> None:
    with pytest.warns(UserWarning, match="Can't test estimator"):
        found = list(estimator_checks.estimator_checks_generator(StanceEstimator("rules")))
    assert found
    for estimator, check in found:
        check(estimator)


def test_fit_and_predict_touch_nothing_but_fitted_attributes(data: tuple[list[str], list[str]]) -> None:
    assert list(signature(StanceEstimator.fit).parameters)[:3] == ["self", "X", "y"]
    texts, labels = (np.array(column, dtype=object) for column in data)
    given = texts.copy(), labels.copy()
    estimator = StanceEstimator("rules")
    with pytest.raises(NotFittedError):
        check_is_fitted(estimator)
    before = set(vars(estimator))
    assert estimator.fit(texts, labels) is estimator
    check_is_fitted(estimator)
    assert all(name.endswith("_") or name.startswith("_") for name in set(vars(estimator)) - before)
    fitted = {name: id(value) for name, value in vars(estimator).items()}
    estimator.predict(texts)
    estimator.predict_proba(texts)
    assert {name: id(value) for name, value in vars(estimator).items()} == fitted
    assert (texts == given[0]).all()
    assert (labels == given[1]).all()


def test_a_column_of_labels_is_taken_with_a_warning(data: tuple[list[str], list[str]]) -> None:
    with pytest.warns(DataConversionWarning):
        StanceEstimator("rules").fit(data[0], np.array(data[1]).reshape(-1, 1))


def test_clone_and_parameters(fitted: StanceEstimator) -> None:
    estimator = StanceEstimator("hybrid", word_c=0.1, policy="own")
    assert clone(estimator).get_params() == estimator.get_params()
    assert estimator.set_params(word_c=0.2).get_params()["word_c"] == 0.2
    with pytest.raises(NotFittedError):
        clone(fitted).predict(["A sentence."])
    for method in ("predict", "predict_proba", "verdicts"):
        with pytest.raises(NotFittedError):
            getattr(StanceEstimator(), method)([])


def test_shapes_and_shares(fitted: StanceEstimator, data: tuple[list[str], list[str]]) -> None:
    texts, labels = data
    shares = fitted.predict_proba(texts[:9])
    assert shares.shape == (9, 4)
    assert np.allclose(shares.sum(axis=1), 1.0)
    assert fitted.classes_.tolist() == sorted(label.value for label in stance.Label)
    assert fitted.predict(texts[:9]).shape == (9,)
    assert set(fitted.predict(texts)) <= set(fitted.classes_)
    assert fitted.predict([]).shape == (0,)
    assert fitted.predict_proba([]).shape == (0, 4)
    assert fitted.score(texts, labels) > 0.6  # it was fitted on them


def test_fitting_again_gives_the_same_and_leaves_the_parameters(
    fitted: StanceEstimator, data: tuple[list[str], list[str]]
) -> None:
    before = fitted.get_params()
    again = clone(fitted).fit(np.array(data[0]), np.array(data[1], dtype=object))
    assert again.model_.digest == fitted.model_.digest
    assert fitted.get_params() == before


def test_the_answer_does_not_depend_on_order_or_company(
    fitted: StanceEstimator, data: tuple[list[str], list[str]]
) -> None:
    texts = data[0][:20]
    whole = fitted.predict_proba(texts)
    assert (fitted.predict_proba(texts[::-1])[::-1] == whole).all()
    assert (np.vstack([fitted.predict_proba([text]) for text in texts]) == whole).all()


def test_the_shipped_one_answers_as_the_classifier_does(data: tuple[list[str], list[str]]) -> None:
    for engine in ("rules", "hybrid"):
        estimator = StanceEstimator.shipped(engine)
        expected = [v.label.value for v in stance.load(engine).classify_sentences(data[0][:40])]
        assert estimator.predict(data[0][:40]).tolist() == expected
        own = StanceEstimator.shipped(engine, policy="own").predict(data[0][:40]).tolist()
        assert own == [v.own_label.value for v in stance.load(engine).classify_sentences(data[0][:40])]
    card = stance.load("hybrid").model
    shipped = StanceEstimator.shipped("hybrid").model_
    assert card is not None
    assert (shipped.digest, shipped.weights) == (card.digest, card.weights)


def test_a_saved_estimator_answers_the_same(
    fitted: StanceEstimator, data: tuple[list[str], list[str]], tmp_path: Path
) -> None:
    joblib.dump(fitted, tmp_path / "e.joblib")
    again = joblib.load(tmp_path / "e.joblib")
    assert (again.predict_proba(data[0][:20]) == fitted.predict_proba(data[0][:20])).all()
    assert again.verdicts(data[0][:1])[0].versions == fitted.verdicts(data[0][:1])[0].versions
    unfitted = pickle.loads(pickle.dumps(StanceEstimator("rules")))
    assert unfitted.get_params() == StanceEstimator("rules").get_params()


def test_other_rules_than_it_was_fitted_with_are_refused(fitted: StanceEstimator) -> None:
    again = pickle.loads(pickle.dumps(fitted))
    again.rules_digest_ = "0" * 16
    with pytest.raises(StanceError, match="was fitted with rules 0000000000000000"):
        again.predict(["A sentence."])


def test_cross_validation_search_and_pipelines(data: tuple[list[str], list[str]]) -> None:
    texts, labels = data
    scores = cross_val_score(StanceEstimator("rules"), texts, labels, cv=3)
    assert scores.shape == (3,)
    assert scores.min() > 0.3
    alone = StanceEstimator("rules").fit(texts, labels)
    piped = Pipeline([("label", clone(alone))]).fit(texts, labels)
    assert piped.score(texts, labels) == alone.score(texts, labels)
    search = GridSearchCV(StanceEstimator("rules"), {"policy": ["carried", "own"]}, cv=2).fit(texts, labels)
    assert search.best_params_ == {"policy": "carried"}
    strip = FunctionTransformer(lambda X: [text.strip() for text in X])
    steps = [("strip", strip), ("label", StanceEstimator("rules"))]
    assert Pipeline(steps).fit(texts, labels).predict([f"  {texts[0]} "]).shape == (1,)


BAD: list[tuple[object, object, type[Exception], str]] = [
    ("one text", ["neutral_report"], ValueError, "X is str"),
    ([["a"], ["b"]], ["neutral_report"] * 2, ValueError, r"X\[0\] is list, not a string"),
    (np.zeros((2, 2)), ["neutral_report"] * 2, ValueError, r"X has shape \(2, 2\)"),
    ([1, 2], ["neutral_report"] * 2, ValueError, r"X\[0\] is int, not a string"),
    (["a", None], ["neutral_report"] * 2, ValueError, r"X\[1\] is NoneType"),
    (["a", "b"], ["neutral_report"], ValueError, "X has 2 texts, y has 1 labels"),
    (["a", "b"], ["neutral_report", "spam"], StanceError, "label 'spam' is not one of neutral_report"),
    (["a", "b"], None, ValueError, "requires y to be passed"),
    (["a", "b"], ["neutral_report", "pro_kyiv"], StanceError, "2 sentences with 2 labels"),
    (["a"] * 20, ["neutral_report"] * 20, StanceError, "20 sentences with 1 labels"),
]


@pytest.mark.parametrize(("texts", "labels", "kind", "message"), BAD, ids=[row[3] for row in BAD])
def test_bad_data_is_one_sentence(texts: object, labels: object, kind: type[Exception], message: str) -> None:
    with pytest.raises(kind, match=message):
        StanceEstimator("model").fit(texts, labels)  # type: ignore[arg-type]


def test_bad_parameters_are_one_sentence() -> None:
    with pytest.raises(StanceError, match="engine 'magic' is not one of"):
        StanceEstimator("magic").fit(["a"], ["neutral_report"])
    with pytest.raises(StanceError, match="policy 'x' is not one of"):
        StanceEstimator(policy="x").fit(["a"], ["neutral_report"])
    with pytest.raises(ValueError, match="groups has 1"):
        StanceEstimator("model").fit(["a", "b"], ["neutral_report"] * 2, groups=[1])
