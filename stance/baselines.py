"""What an engine must beat: the commonest label, words and characters without a codebook, and sentiment."""

from __future__ import annotations

import importlib
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from stance.errors import StanceError
from stance.evaluate import Answer, frame_of
from stance.gold import Labelled
from stance.labels import Label

MAJORITY: Final = "majority"
TFIDF: Final = "tf-idf"
VADER: Final = "vader sign"
MINILM: Final = "minilm"
_MOST_TOKENS: Final = 256
_TEXTS: Final = 64  # embedded at once
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
    from sklearn.pipeline import make_union

    features = make_union(
        TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
        TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 5), sublinear_tf=True),
    )
    x = features.fit_transform([item.text for item in train])
    return _logistic(x, train, features.transform([item.text for item in test]), seed)


def _logistic(x: Any, train: Sequence[Labelled], y: Any, seed: int) -> list[Answer]:
    """Logistic regression with balanced classes, learnt on rows ``x`` of ``train``, asked for rows ``y``."""
    from sklearn.linear_model import LogisticRegression

    if len({item.label for item in train}) < 2:
        raise StanceError("the training data hold one label only; a learnt baseline needs two or more")
    fitted: Any = LogisticRegression(class_weight="balanced", max_iter=1000, random_state=seed)
    fitted.fit(x, [str(item.label) for item in train])
    labels = [Label(name) for name in fitted.classes_]
    answers = []
    for row in fitted.predict_proba(y):
        best = int(row.argmax())
        answers.append(Answer(labels[best], frame_of(labels[best]), probability=float(row[best])))
    return answers


class Embedder:
    """Sentence embeddings from a small transformer in ONNX: the mean of its last layer over the tokens, of
    length one, as MiniLM's makers do it.

    Args:
        folder: holds ``tokenizer.json`` and ``model.onnx`` (or ``onnx/model.onnx``); nothing is downloaded.

    Raises:
        StanceError: a library or a file is missing, or a file is not what it should be.
    """

    def __init__(self, folder: Path) -> None:
        try:
            tokenizers = importlib.import_module("tokenizers")
            onnxruntime = importlib.import_module("onnxruntime")
        except ImportError as error:
            raise StanceError(
                f"{error.name} is not installed; `pip install 'stance[minilm]'` adds it"
            ) from None
        models = [path for path in (folder / "model.onnx", folder / "onnx" / "model.onnx") if path.is_file()]
        if not models or not (folder / "tokenizer.json").is_file():
            raise StanceError(
                f"{folder}: needs tokenizer.json and model.onnx; put the ONNX files of a MiniLM there"
            )
        try:
            self._tokenizer: Any = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
            self._session: Any = onnxruntime.InferenceSession(
                str(models[0]), providers=["CPUExecutionProvider"]
            )
        except Exception as error:  # both libraries raise bare exceptions of their own
            told = str(error).splitlines()[0] if str(error) else type(error).__name__
            raise StanceError(f"{folder}: not a readable ONNX model with its tokenizer ({told})") from None
        self._tokenizer.enable_truncation(_MOST_TOKENS)
        self._tokenizer.enable_padding()
        self._inputs = {item.name for item in self._session.get_inputs()}

    def __call__(self, texts: Sequence[str]) -> Any:
        """Embeddings (texts, width)."""
        import numpy as np

        parts = []
        for start in range(0, len(texts), _TEXTS):
            found = self._tokenizer.encode_batch(list(texts[start : start + _TEXTS]))
            mask = np.array([item.attention_mask for item in found], dtype=np.int64)
            given = {
                "input_ids": np.array([item.ids for item in found], dtype=np.int64),
                "attention_mask": mask,
                "token_type_ids": np.zeros_like(mask),
            }
            layer = self._session.run(None, {k: v for k, v in given.items() if k in self._inputs})[0]
            mean = (layer * mask[..., None]).sum(axis=1) / np.maximum(mask.sum(axis=1, keepdims=True), 1)
            parts.append(mean / np.maximum(np.linalg.norm(mean, axis=1, keepdims=True), 1e-9))
        return np.vstack(parts)


def minilm(
    embedder: Embedder, train: Sequence[Labelled], test: Sequence[Labelled], seed: int = 0
) -> list[Answer]:
    """Sentence embeddings with logistic regression, balanced classes, nothing tuned."""
    x = embedder([item.text for item in train])
    return _logistic(x, train, embedder([item.text for item in test]), seed)


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
