"""What an engine must beat: the commonest label, words and characters without a codebook, and sentiment."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from stance.errors import StanceError
from stance.evaluate import Answer, frame_of
from stance.gold import Labelled
from stance.labels import Label

MAJORITY: Final = "majority"
TFIDF: Final = "tf-idf"
VADER: Final = "vader sign"
_SIGN: Final = 0.05  # VADER's own bound between a sentiment and none


def majority(train: Sequence[Labelled], test: Sequence[Labelled]) -> list[Label]:
    """The commonest label of the training data for every sentence; a tie goes to the first label."""
    counts = Counter(item.label for item in train)
    winner = max(Label, key=lambda label: counts[label])
    return [winner] * len(test)


def tfidf(train: Sequence[Labelled], test: Sequence[Labelled], seed: int = 0) -> list[Answer]:
    """TF-IDF of words (1-2) and characters (3-5, within words) with logistic regression, balanced classes.

    Nothing is tuned: scikit-learn's defaults but for logarithmic counts.

    Raises:
        StanceError: the training data hold one label only.
    """
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline, make_union

    if len({item.label for item in train}) < 2:
        raise StanceError("the training data hold one label only; a learnt baseline needs two or more")
    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
    )
    fitted: Any = make_pipeline(
        features, LogisticRegression(class_weight="balanced", max_iter=1000, random_state=seed)
    )
    fitted.fit([item.text for item in train], [str(item.label) for item in train])
    labels = [Label(name) for name in fitted.classes_]
    answers = []
    for row in fitted.predict_proba([item.text for item in test]):
        best = int(row.argmax())
        answers.append(Answer(labels[best], frame_of(labels[best]), probability=float(row[best])))
    return answers


def vader_sign(test: Sequence[Labelled]) -> list[Label]:
    """Sentiment taken for stance, as a curiosity: positive for the one side, negative for the other.

    Raises:
        StanceError: vaderSentiment is not installed.
    """
    scored = vader()
    scores = [scored(item.text)["compound"] for item in test]
    return [
        Label.PRO_KYIV if score >= _SIGN else Label.PRO_MOSCOW if score <= -_SIGN else Label.NEUTRAL_REPORT
        for score in scores
    ]


def vader() -> Callable[[str], Mapping[str, float]]:
    """VADER's scores of one text.

    Raises:
        StanceError: vaderSentiment is not installed.
    """
    try:
        module = importlib.import_module("vaderSentiment.vaderSentiment")
    except ImportError:
        raise StanceError("vaderSentiment is not installed; `pip install 'stance[bench]'` adds it") from None
    scores: Callable[[str], Mapping[str, float]] = module.SentimentIntensityAnalyzer().polarity_scores
    return scores
