"""A scikit-learn estimator over the same rules, features and training as `stance train`.

>>> from stance.sklearn import StanceEstimator
>>> estimator = StanceEstimator.shipped(engine="rules")
>>> estimator.predict(["The occupiers fled in panic.", "Rain is expected on Monday."]).tolist()
['pro_kyiv', 'neutral_report']

``fit`` learns from texts and their labels; `StanceEstimator.shipped` is fitted already, with the weights of
the shipped model. Both can be cloned, searched over, put into a ``Pipeline`` and saved with ``joblib``: a
saved estimator holds its weights and the paths of its rules, and a digest that refuses other rules.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, column_or_1d

from stance import model as models
from stance.classifier import Classifier, load
from stance.errors import StanceError
from stance.evidence import Verdict
from stance.gold import Labelled
from stance.labels import ENGINES, NO_FRAME, POLICIES, Label
from stance.rulebook import load as load_rulebook
from stance.training import Options, prepare, train

Array = np.ndarray[Any, np.dtype[Any]]
# Fewer labelled sentences than this cannot be held out fold by fold.
MIN_SENTENCES: Final = 10


class StanceEstimator(ClassifierMixin, BaseEstimator):  # type: ignore[misc]
    """Texts in, one sentence each; labels of the codebook out.

    Texts are a one-dimensional sequence of strings: a list, a NumPy array, a pandas Series. Labels are
    those of `stance.Label` as strings. As the codebook has it, a frame and an opinion are asked apart, each
    with its threshold, so ``predict`` need not name the largest share of ``predict_proba``.

    Args:
        engine: ``rules`` (``fit`` learns nothing), ``model`` or ``hybrid``.
        rules: a folder that replaces the shipped rules.
        overlay: a folder laid over them.
        policy: ``carried`` counts frames in every voice, ``own`` those in the author's (``fit`` takes
            labels under ``carried``).
        word_c, rule_c, opinion_c: inverse strength of regularisation of words, evidence, and opinion.
        min_articles: how many sentences must hold a word before it becomes a feature.
        random_state: seed that the model's card names; the fit itself has nothing random.

    Attributes:
        classes_: the labels that it can answer with, sorted; shape (4,).
        model_: the fitted weights, a `stance.model.LinearModel`; None for ``rules``.
        rules_digest_: the digest of the rules that it was fitted with.
    """

    def __init__(
        self,
        engine: str = "hybrid",
        *,
        rules: str | Path | None = None,
        overlay: str | Path | None = None,
        policy: str = "carried",
        word_c: float = 0.05,
        rule_c: float = 0.3,
        opinion_c: float = 0.05,
        min_articles: int = 3,
        random_state: int = 0,
    ) -> None:
        self.engine = engine
        self.rules = rules
        self.overlay = overlay
        self.policy = policy
        self.word_c = word_c
        self.rule_c = rule_c
        self.opinion_c = opinion_c
        self.min_articles = min_articles
        self.random_state = random_state

    @classmethod
    def shipped(cls, engine: str = "hybrid", **parameters: Any) -> StanceEstimator:
        """A fitted estimator with the weights of the shipped model; further parameters as above."""
        estimator = cls(engine, **parameters)
        estimator._check()
        classifier = load(engine, rules=estimator.rules, overlay=estimator.overlay)
        estimator._settle(classifier, classifier.model)
        return estimator

    def fit(self, X: Sequence[str], y: Sequence[str], groups: Sequence[Any] | None = None) -> Self:
        """Learn the weights from texts ``X`` and labels ``y``, both of shape (n,).

        Args:
            X: one sentence each.
            y: labels, all of `stance.Label`.
            groups: the article of each sentence, shape (n,); sentences of one article are never torn apart
                by the folds that calibrate. Without it each sentence is an article of its own.

        Raises:
            StanceError: a parameter or label does not exist, or the sentences are too few.
            ValueError: the lengths differ, or ``X`` is not a sequence of strings.
        """
        self._check()
        texts = _texts(X)
        labels = _labels(y, len(texts))
        articles = _groups(groups, len(texts))
        rulebook = load_rulebook(_path(self.rules), overlay=_path(self.overlay))
        bare = Classifier(rulebook, engine="rules")
        if self.engine == "rules":
            self._settle(bare, None)
            return self
        if len(texts) < MIN_SENTENCES or len(set(labels)) < 2:
            raise StanceError(
                f"{len(texts)} sentences with {len(set(labels))} labels cannot be learnt from; "
                f"give {MIN_SENTENCES} or more, with two labels or more"
            )
        sides = {info.label: info.id for info in rulebook.sides}
        gold = [
            Labelled(
                id=str(number),
                text=text,
                label=label,
                frame=sides.get(label.value, NO_FRAME),
                opinion=label is Label.ANALYTICAL_OPINION,
                article=article,
            )
            for number, (text, label, article) in enumerate(zip(texts, labels, articles, strict=True))
        ]
        options = Options(
            word_c=self.word_c,
            rule_c=self.rule_c,
            opinion_c=self.opinion_c,
            min_articles=self.min_articles,
            seed=self.random_state,
        )
        weights, part = train(
            prepare(bare, gold, weigh=True, progress=lambda _: None),
            bare.sides,
            engine=self.engine,
            options=options,
            progress=lambda _: None,
        )
        card = {"schema": models.SCHEMA, **part, "rules": rulebook.digest}
        fitted = models.LinearModel(_whole(weights), card, models.digest_of(weights))
        self._settle(Classifier(rulebook, engine=self.engine, model=fitted), fitted)
        return self

    def predict(self, X: Sequence[str]) -> Array:
        """Labels of texts, shape (n,), under the estimator's policy."""
        own = self.policy == "own"
        found = [(v.own_label if own else v.label).value for v in self.verdicts(X)]
        return np.array(found, dtype=self._classes().dtype)

    def predict_proba(self, X: Sequence[str]) -> Array:
        """Shares of the labels, shape (n, 4), columns as in ``classes_``; each row sums to 1.

        They are those of the policy ``carried``.
        """
        order = [Label(name) for name in self._classes()]
        rows = [[verdict.probabilities[label] for label in order] for verdict in self.verdicts(X)]
        return np.array(rows, dtype=float).reshape(-1, len(order))

    def verdicts(self, X: Sequence[str]) -> list[Verdict]:
        """The whole answers with their evidence, for those who want to know why."""
        self._classes()
        return list(self._ready().classify_sentences(_texts(X)))

    # -- inside ----------------------------------------------------------------------------------------

    def _check(self) -> None:
        if self.engine not in ENGINES:
            raise StanceError(f"engine {self.engine!r} is not one of {', '.join(ENGINES)}")
        if self.policy not in POLICIES:
            raise StanceError(f"policy {self.policy!r} is not one of {', '.join(POLICIES)}")

    def _settle(self, classifier: Classifier, model: models.LinearModel | None) -> None:
        self.classes_ = np.array(sorted(label.value for label in Label))
        self.model_ = model
        self.rules_digest_ = classifier.rulebook.digest
        self._classifier = classifier

    def _classes(self) -> Array:
        check_is_fitted(self, "classes_")
        classes: Array = self.classes_
        return classes

    def _ready(self) -> Classifier:
        """The classifier, built again after unpickling."""
        known: Classifier | None = getattr(self, "_classifier", None)
        if known is None:
            rulebook = load_rulebook(_path(self.rules), overlay=_path(self.overlay))
            if rulebook.digest != self.rules_digest_:
                raise StanceError(
                    f"this estimator was fitted with rules {self.rules_digest_}, here are {rulebook.digest}; "
                    "fit it again, or use the rules that it was fitted with"
                )
            known = Classifier(rulebook, engine=self.engine, model=self.model_)
            self._classifier = known
        return known

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = dict(super().__getstate__())
        state.pop("_classifier", None)
        return state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        return tags


def _path(value: str | Path | None) -> Path | None:
    return None if value is None else Path(value)


def _texts(X: Sequence[str]) -> list[str]:
    """The texts as a list; `ValueError` with what is wrong, as scikit-learn has it."""
    if isinstance(X, str | bytes) or not hasattr(X, "__len__"):
        raise ValueError(f"X is {type(X).__name__}; give a one-dimensional sequence of strings")
    shape = getattr(X, "shape", None)
    if shape is not None and len(shape) != 1:
        raise ValueError(f"X has shape {tuple(shape)}; give a one-dimensional sequence of strings")
    texts = [str(text) if isinstance(text, np.str_) else text for text in X]
    for place, text in enumerate(texts):
        if not isinstance(text, str):
            raise ValueError(f"X[{place}] is {type(text).__name__}, not a string")
    return texts


def _labels(y: Sequence[str], size: int) -> list[Label]:
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    given = column_or_1d(y, warn=True)
    check_classification_targets(given)
    if len(given) != size:
        raise ValueError(f"X has {size} texts, y has {len(given)} labels; give as many of both")
    found = []
    for name in given:
        try:
            found.append(Label(str(name)))
        except ValueError:
            known = ", ".join(label.value for label in Label)
            raise StanceError(f"label {str(name)[:60]!r} is not one of {known}") from None
    return found


def _groups(groups: Sequence[Any] | None, size: int) -> list[str]:
    if groups is None:
        return [str(number) for number in range(size)]
    if len(groups) != size:
        raise ValueError(f"X has {size} texts, groups has {len(groups)}; give as many of both")
    return [str(group) for group in groups]


def _whole(
    weights: Mapping[str, tuple[float, float, float, float]],
) -> dict[str, tuple[float, float, float, float]]:
    """The weights as they come back from a file: both halves of each mirrored pair from one."""
    kept = {name: row for name, row in weights.items() if name <= models.mirror(name)}
    for name, (none, first, second, opinion) in list(kept.items()):
        twin = models.mirror(name)
        if twin != name:
            kept[twin] = (none, second, first, opinion)
    return kept
