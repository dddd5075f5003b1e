"""Training: the only door to scikit-learn.

Two linear stages that fold into one table of weights. The first learns words and surface from all
labelled sentences; the second weighs its scores against the evidence of the rules, on sentences from
which no rule was written. Every sentence is also learnt mirrored, so both stages are symmetric. The
scale, shift and thresholds of the decision come from predictions out of fold, grouped by article.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import sys
from array import array
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import sklearn
from scipy.sparse import csr_matrix, hstack, vstack
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GroupKFold

from stance import model as models
from stance import segment
from stance.classifier import BATCH_SENTENCES, Classifier
from stance.decide import POLICY, by_rules, kept, probabilities
from stance.decide import label as decided_label
from stance.errors import StanceError
from stance.evaluate import Answer, score
from stance.gather import Gathered
from stance.gold import Labelled, read
from stance.labels import NO_FRAME, Label
from stance.phrases import WORD, lower
from stance.version import __version__
from stance.voice import Context

Array = np.ndarray[Any, np.dtype[Any]]
Values = Mapping[str, float]
Progress = Callable[[str], None]
Row = tuple[float, float, float, float]  # none, side 0, side 1, opinion
Weights = dict[str, Row]

MIN_ARTICLES: Final = 3
FOLDS: Final = 5
PLATEAU: Final = 0.005  # the middle of the thresholds this near the best holds better than the best alone
LABELLED_BY: Final = (
    "a large language model in independent passes under the codebook, adjudicated; not by people, "
    "and no human check has been done yet (`stance review --blind 100` does one)"
)


@dataclass(frozen=True, slots=True)
class Options:
    """What a training run may vary; the shipped values were chosen by cross-validation."""

    word_c: float = 0.05
    rule_c: float = 0.05
    opinion_c: float = 0.05
    framed_weight: float = 1.0
    opinion_weight: float = 1.0
    min_articles: int = MIN_ARTICLES
    smooth: float = 2.0
    taught_l2: float = 5.0
    taught_gold: float = 4.0  # what a labelled sentence counts beside one that a teacher labelled
    taught_articles: int = 20
    stages: int = 2
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Example:
    """A labelled sentence as features, family by family."""

    gold: Labelled
    first: Mapping[str, float]  # words and surface
    second: Mapping[str, float]  # rule evidence
    weigh: bool  # may it teach the weights of rule evidence (no rule was written from it)?
    found: str = NO_FRAME  # the frame that the policy page finds, which the hybrid trusts


class Table:
    """Feature names to columns; a name and its mirror are both columns."""

    def __init__(self, names: Iterable[str]) -> None:
        both = {n for name in names for n in (name, models.mirror(name))}
        self.names = sorted(both)
        self.column = {name: i for i, name in enumerate(self.names)}

    def matrix(self, rows: Sequence[Values], *, mirror: bool = False) -> csr_matrix:
        """Rows of values as a sparse matrix (rows, columns); `mirror` swaps the sides."""
        data: list[float] = []
        indices: list[int] = []
        starts = [0]
        for row in rows:
            for name, value in row.items():
                column = self.column.get(models.mirror(name) if mirror else name)
                if column is not None:
                    indices.append(column)
                    data.append(value)
            starts.append(len(indices))
        return csr_matrix((data, indices, starts), shape=(len(rows), len(self.names)))


def vocabulary(examples: Sequence[Example], min_articles: int) -> list[str]:
    """Features of the first stage that occur in at least ``min_articles`` articles, in either orientation."""
    articles: dict[str, set[str]] = defaultdict(set)
    for example in examples:
        for name in example.first:
            twin = models.mirror(name)
            articles[min(name, twin)].add(example.gold.article)
    return [name for name, found in articles.items() if len(found) >= min_articles]


@dataclass(frozen=True, slots=True)
class Vectors:
    """Distributional vectors of frequent words; they only smooth the weights of words and never ship.

    ``array`` is (words, dimensions), rows of length one.
    """

    words: tuple[str, ...]
    array: Array

    def projection(self, table: Table) -> csr_matrix:
        """From the smoothed features of a table to dimensions, block by block."""
        row = {word: i for i, word in enumerate(self.words)}
        blocks = {key: n for n, key in enumerate(models.SMOOTH_KEYS)}
        width = self.array.shape[1]
        rows: list[int] = []
        columns: list[int] = []
        data: list[float] = []
        for name, column in table.column.items():
            key, _, word = name.rpartition(" ")
            if key in blocks and word in row:
                rows += [column] * width
                columns += range(blocks[key] * width, (blocks[key] + 1) * width)
                data += self.array[row[word]].tolist()
        return csr_matrix((data, (rows, columns)), shape=(len(table.names), width * len(blocks)))


def learn_vectors(
    texts: Iterable[tuple[str, str]], *, dimensions: int = 50, min_articles: int = 20
) -> Vectors:
    """Vectors of words in at least ``min_articles`` articles, from unlabelled ``(article, text)`` pairs.

    Positive pointwise mutual information in a window of five, smoothed contexts, truncated SVD
    (Levy, Goldberg & Dagan 2015).
    """
    from sklearn.utils.extmath import randomized_svd

    articles: dict[str, set[str]] = defaultdict(set)
    sentences = []
    for article, text in texts:
        words = [lower(match.group()) for match in WORD.finditer(text)]
        sentences.append(words)
        for word in words:
            articles[word].add(article)
    known = sorted(
        w for w, found in articles.items() if len(found) >= min_articles and len(w) > 1 and w[0].isalpha()
    )
    index = {word: i for i, word in enumerate(known)}
    rows, columns, data = [], [], []
    for words in sentences:
        places = [index.get(word, -1) for word in words]
        for i, a in enumerate(places):
            for distance in range(1, 6):
                if a >= 0 and i + distance < len(places) and (b := places[i + distance]) >= 0:
                    rows.append(a)
                    columns.append(b)
                    data.append(1.0 / distance)
    counts = csr_matrix((np.array(data, dtype=np.float32), (rows, columns)), shape=(len(known), len(known)))
    counts = (counts + counts.T).tocoo()
    totals = np.asarray(counts.sum(axis=1)).ravel() + 1e-9
    context = totals**0.75 / (totals**0.75).sum()
    pmi = np.log(counts.data / (totals[counts.row] * context[counts.col]))
    keep = pmi > 0
    ppmi = csr_matrix((pmi[keep], (counts.row[keep], counts.col[keep])), shape=counts.shape)
    u, s, _ = randomized_svd(ppmi, n_components=dimensions, random_state=0, n_iter=4)
    array = u * np.sqrt(s)
    array /= np.linalg.norm(array, axis=1, keepdims=True) + 1e-9
    return Vectors(tuple(known), array.astype(np.float32).astype(float))


def _fit(
    x: csr_matrix, mirrored: csr_matrix, y: Array, y_mirrored: Array, c: float, weight: Mapping[int, float]
) -> Any:
    """Logistic regression on every sentence and its mirror image."""
    stacked = vstack([x, mirrored]).tocsr()
    target = np.concatenate([y, y_mirrored])
    if len(set(target.tolist())) < 2:
        raise StanceError(
            "a fifth of the training data set aside leaves one answer only to a question; give more articles "
            "with framed sentences, opinions and plain reports"
        )
    weights = np.array([weight.get(int(v), 1.0) for v in target])
    fitted = LogisticRegression(C=c, max_iter=3000, tol=1e-5, fit_intercept=False)
    return fitted.fit(stacked, target, sample_weight=weights)


def _frame_weights(fitted: Any, size: int) -> Array:
    """Coefficients as (3, columns) for none, side 0, side 1, whatever classes were seen."""
    result = np.zeros((3, size))
    for row, kind in zip(_rows(fitted), fitted.classes_, strict=True):
        result[int(kind)] = row
    centred: Array = result - result.mean(axis=0)
    return centred


def _rows(fitted: Any) -> Array:
    coefficients: Array = fitted.coef_
    if len(fitted.classes_) == 2 and coefficients.shape[0] == 1:
        return np.vstack([-coefficients[0] / 2, coefficients[0] / 2])
    return coefficients


def symmetric(table: Table, frame: Array, opinion: Array) -> Weights:
    """Average of both orientations: what makes the swap exact and not merely learnt."""
    weights: Weights = {}
    for name, i in table.column.items():
        j = table.column[models.mirror(name)]
        weights[name] = (
            float(frame[0, i] + frame[0, j]) / 2,
            float(frame[1, i] + frame[2, j]) / 2,
            float(frame[2, i] + frame[1, j]) / 2,
            float(opinion[i] + opinion[j]) / 2,
        )
    return weights


@dataclass(frozen=True, slots=True)
class Targets:
    """Answers as numbers: 0 none, 1 and 2 the sides; opinion 0 or 1."""

    frame: Array
    opinion: Array

    @property
    def mirrored_frame(self) -> Array:
        """The frames with the sides swapped."""
        return np.array([0, 2, 1])[self.frame]


def targets(examples: Sequence[Example], sides: Sequence[str]) -> Targets:
    """The answers of examples as numbers."""
    index = {NO_FRAME: 0, sides[0]: 1, sides[1]: 2}
    frame = np.array([index[e.gold.frame or NO_FRAME] for e in examples])
    opinion = np.array([int(bool(e.gold.opinion)) for e in examples])
    return Targets(frame, opinion)


def fit_linear(
    rows: Sequence[Values],
    goal: Targets,
    names: Iterable[str],
    frame_c: float,
    opinion_c: float,
    options: Options,
    vectors: Vectors | None = None,
) -> Weights:
    """Both heads over the named features, symmetric under ``mirror``."""
    table = Table(names)
    x, m = table.matrix(rows), table.matrix(rows, mirror=True)
    smooth, project = None, None
    if vectors is not None:
        smooth = Table(f"{key} {word}" for key in models.SMOOTH_KEYS for word in vectors.words)
        project = vectors.projection(smooth) * options.smooth
        x = hstack([x, smooth.matrix(rows) @ project]).tocsr()
        m = hstack([m, smooth.matrix(rows, mirror=True) @ project]).tocsr()
    boost = {1: options.framed_weight, 2: options.framed_weight}
    frame = _fit(x, m, goal.frame, goal.mirrored_frame, frame_c, boost)
    opinion = _fit(x, m, goal.opinion, goal.opinion, opinion_c, {1: options.opinion_weight})
    three = _frame_weights(frame, x.shape[1])
    two = opinion.coef_[0]
    size = len(table.names)
    weights = symmetric(table, three[:, :size], two[:size])
    if smooth is not None and project is not None:
        # A weight of a dimension is a weight of every word that has a share in it.
        weights |= symmetric(smooth, (project @ three[:, size:].T).T, project @ two[size:])
    return weights


def scores(weights: Weights, values: Values) -> tuple[float, float, float, float]:
    """Sums of weights: none, side 0, side 1, opinion."""
    totals = [0.0, 0.0, 0.0, 0.0]
    for name, value in values.items():
        row = weights.get(name)
        if row is not None:
            for k in range(4):
                totals[k] += value * row[k]
    return totals[0], totals[1], totals[2], totals[3]


_LINKS: Final = ("z:none", "z:{0}", "z:{1}", "z:opinion")
_TAUGHT_LINKS: Final = ("t:none", "t:{0}", "t:{1}", "t:opinion")


def _linked(values: Values, links: Sequence[str], z: Row) -> dict[str, float]:
    return {**values, **dict(zip(links, z, strict=True))}


def fold_in(firsts: Sequence[tuple[Weights, Sequence[str]]], second: Weights) -> Weights:
    """One table of weights: the second stage's, and those of each first stage seen through its links."""
    result: Weights = {}
    for first, names in firsts:
        links = np.array([second.pop(name, (0.0,) * 4) for name in names])
        for name, row in first.items():
            result[name] = _sum(result.get(name), np.array(row) @ links)
    for name, row in second.items():
        result[name] = _sum(result.get(name), np.array(row))
    return result


def _sum(known: Row | None, more: Array) -> Row:
    none, first, second, opinion = map(float, more if known is None else more + np.array(known))
    return none, first, second, opinion


def fit_weights(
    examples: Sequence[Example],
    sides: Sequence[str],
    options: Options,
    *,
    hybrid: bool,
    vectors: Vectors | None = None,
    taught: Weights | None = None,
) -> Weights:
    """The whole table of weights from examples; for the hybrid, or beside a teacher, in two stages."""
    goal = targets(examples, sides)
    names = vocabulary(examples, options.min_articles)
    if hybrid and options.stages == 1:
        names = names + sorted({name for e in examples for name in e.second})
        rows = [{**e.first, **e.second} for e in examples]
        return fit_linear(rows, goal, names, options.word_c, options.opinion_c, options, vectors)
    first = fit_linear(
        [e.first for e in examples], goal, names, options.word_c, options.opinion_c, options, vectors
    )
    if not hybrid and taught is None:
        return first
    weigh = [i for i, e in enumerate(examples) if e.weigh]
    if len(weigh) < FOLDS:
        raise StanceError(
            "too few sentences to weigh rule evidence; give data from which no rule was written"
        )
    chosen = [examples[i] for i in weigh]
    links = [*_LINKS, *(_TAUGHT_LINKS if taught is not None else ())]
    rows = []
    for example, z in zip(chosen, _out_of_fold_scores(examples, sides, options, weigh, vectors), strict=True):
        row = _linked(example.second if hybrid else {}, _LINKS, z)
        rows.append(row if taught is None else _linked(row, _TAUGHT_LINKS, scores(taught, example.first)))
    counts = Counter(min(n, models.mirror(n)) for e in chosen for n in (e.second if hybrid else ()))
    kept = [name for name, count in counts.items() if count >= 2] + links
    second = fit_linear(rows, targets(chosen, sides), kept, options.rule_c, options.rule_c, options)
    return fold_in([(first, _LINKS), *([(taught, _TAUGHT_LINKS)] if taught is not None else [])], second)


def _out_of_fold_scores(
    examples: Sequence[Example],
    sides: Sequence[str],
    options: Options,
    weigh: Sequence[int],
    vectors: Vectors | None,
) -> list[tuple[float, float, float, float]]:
    """First-stage scores of the weighing sentences from models that never saw their article."""
    groups = [examples[i].gold.article for i in weigh]
    z: list[tuple[float, float, float, float]] = [(0.0, 0.0, 0.0, 0.0)] * len(weigh)
    for _, held in GroupKFold(FOLDS).split(weigh, groups=groups):
        out = {examples[weigh[n]].gold.article for n in held}
        rest = [e for e in examples if e.gold.article not in out]
        names = vocabulary(rest, options.min_articles)
        rows = [e.first for e in rest]
        first = fit_linear(
            rows, targets(rest, sides), names, options.word_c, options.opinion_c, options, vectors
        )
        for n in held:
            z[n] = scores(first, examples[weigh[n]].first)
    return z


# -- what a teacher labelled -----------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Taught:
    """Sentences with the shares that a larger model, the teacher, gives to each answer.

    ``rows`` holds features of words and surface (sentences, names), ``frames`` the shares of no frame and of
    the two sides (sentences, 3), ``opinions`` those of an opinion (sentences,).
    """

    names: tuple[str, ...]
    rows: csr_matrix
    articles: tuple[str, ...]
    frames: Array
    opinions: Array


def _first_families(engine: str) -> list[str]:
    """The families of features that the first stage learns: words and surface."""
    return [name for name in models.ENGINE_FAMILIES[engine] if name != "rules"]


def read_taught(classifier: Classifier, path: Path, progress: Progress, *, engine: str = "hybrid") -> Taught:
    """Read lines of JSON: ``article``, ``text``, ``frames`` (shares of none and of each side), ``opinion``.

    Raises:
        StanceError: a line is not of that shape; the message names file and line.
    """
    column: dict[str, int] = {}
    data, indices, starts = array("d"), array("i"), [0]
    articles, frames, opinions = [], [], []
    first_families = _first_families(engine)
    for number, (article, text, row) in enumerate(_lines(path), 1):
        try:
            shares = [float(row["frames"][name]) for name in (NO_FRAME, *classifier.sides)]
            opinion = float(row["opinion"])
            if not all(0.0 <= share <= 1.0 for share in (*shares, opinion)) or abs(sum(shares) - 1) > 0.01:
                raise ValueError("shares lie between 0 and 1, and those of the frames sum to 1")
        except (ValueError, LookupError, TypeError) as error:
            raise StanceError(f"{path}:{number}: needs 'frames' and 'opinion' as shares ({error})") from None
        seen = classifier.gatherer.surface(segment.sentence(text), Context())
        bare = Gathered(seen, seen.voices, (), False)
        for name, value in models.features(bare, classifier.sides, first_families).items():
            if name.partition(" ")[0] not in models.SMOOTH_KEYS:  # so many sentences need no smoothing
                indices.append(column.setdefault(name, len(column)))
                data.append(value)
        starts.append(len(indices))
        articles.append(article)
        frames.append(shares)
        opinions.append(opinion)
        if number % 20_000 == 0:
            progress(f"features {number}")
    if not articles:
        raise StanceError(f"{path}: holds no sentence; give lines with 'text', 'frames' and 'opinion'")
    found = (np.frombuffer(data), np.frombuffer(indices, dtype=np.int32), np.array(starts))
    rows = csr_matrix(found, shape=(len(articles), len(column)))
    return Taught(tuple(column), rows, tuple(articles), np.array(frames), np.array(opinions))


def fit_taught(
    taught: Taught, read: Sequence[Example], sides: Sequence[str], options: Options, progress: Progress
) -> Weights:
    """Weights of words and surface that answer as the teacher does (distillation, Hinton et al. 2015).

    The labelled sentences of ``read`` stand beside the taught ones, and count more.
    """
    known = _in_articles(taught, options.taught_articles)
    table = Table(known)
    goal = targets(read, sides)
    own = [e.first for e in read]
    straight = vstack([_columns(taught, table, mirror=False), table.matrix(own)])
    swapped = vstack([_columns(taught, table, mirror=True), table.matrix(own, mirror=True)])
    x = vstack([straight, swapped]).tocsr().astype(np.float32)
    weight = np.concatenate([np.ones(len(taught.opinions)), np.full(len(read), options.taught_gold)])
    weight = np.concatenate([weight, weight])
    shares = np.vstack([taught.frames, np.eye(3)[goal.frame.astype(int)]])
    progress("learning frames from the teacher")
    frame = _fit_shares(x, np.vstack([shares, shares[:, [0, 2, 1]]]), weight, options.taught_l2)
    yes = np.concatenate([taught.opinions, goal.opinion.astype(float)])
    yes = np.concatenate([yes, yes])
    progress("learning opinions from the teacher")
    opinion = _fit_shares(x, np.column_stack([1 - yes, yes]), weight, options.taught_l2)
    frame -= frame.mean(axis=1, keepdims=True)
    return symmetric(table, frame.T, opinion[:, 1] - opinion[:, 0])


def _in_articles(taught: Taught, least: int) -> list[str]:
    """Names of features that stand in at least so many articles."""
    number = {name: i for i, name in enumerate(dict.fromkeys(taught.articles))}
    of_row = np.array([number[name] for name in taught.articles])
    cells = taught.rows.tocoo()
    pairs = np.unique(cells.col.astype(np.int64) * len(number) + of_row[cells.row])
    counts = np.bincount(pairs // len(number), minlength=len(taught.names))
    return [name for name, count in zip(taught.names, counts, strict=True) if count >= least]


def _columns(taught: Taught, table: Table, *, mirror: bool) -> csr_matrix:
    """The taught rows in the columns of a table."""
    names = map(models.mirror, taught.names) if mirror else taught.names
    place = np.array([table.column.get(name, -1) for name in names])
    cells = taught.rows.tocoo()
    kept = place[cells.col] >= 0
    found = (cells.data[kept], (cells.row[kept], place[cells.col[kept]]))
    return csr_matrix(found, shape=(taught.rows.shape[0], len(table.names)))


def _fit_shares(x: csr_matrix, shares: Array, weight: Array, l2: float, iterations: int = 60) -> Array:
    """Softmax regression on shares instead of answers, (columns, classes); scikit-learn has none."""
    from scipy.optimize import minimize

    size = (x.shape[1], shares.shape[1])
    turned = x.T.tocsr()
    goal, each = shares.astype(np.float32), weight.astype(np.float32)[:, None]

    def loss(flat: Array) -> tuple[float, Array]:
        w = flat.reshape(size)
        logits = x @ w.astype(np.float32)
        logits -= logits.max(axis=1, keepdims=True)
        odds = np.exp(logits)
        whole = odds.sum(axis=1, keepdims=True)
        value = -float((each * goal * (logits - np.log(whole))).sum(dtype=np.float64))
        slope = turned @ (each * (odds / whole - goal))
        return value + l2 / 2 * float(flat @ flat), (slope.astype(float) + l2 * w).ravel()

    start = np.zeros(size[0] * size[1])
    result: Array = minimize(loss, start, jac=True, method="L-BFGS-B", options={"maxiter": iterations}).x
    return result.reshape(size)


# -- the decision ----------------------------------------------------------------------------------------


def out_of_fold(
    examples: Sequence[Example],
    sides: Sequence[str],
    options: Options,
    *,
    hybrid: bool,
    progress: Progress,
    vectors: Vectors | None = None,
    taught: Weights | None = None,
) -> tuple[list[int], list[tuple[float, float, float, float]]]:
    """Scores of the weighing sentences (of all if none weighs) from models that never saw their article."""
    held_out = [i for i, e in enumerate(examples) if e.weigh] or list(range(len(examples)))
    groups = [examples[i].gold.article for i in held_out]
    result: list[tuple[float, float, float, float]] = [(0.0, 0.0, 0.0, 0.0)] * len(held_out)
    for number, (_, held) in enumerate(GroupKFold(FOLDS).split(held_out, groups=groups), 1):
        progress(f"cross-validation {number}/{FOLDS}")
        out = {examples[held_out[n]].gold.article for n in held}
        rest = [e for e in examples if e.gold.article not in out]
        weights = fit_weights(rest, sides, options, hybrid=hybrid, vectors=vectors, taught=taught)
        for n in held:
            example = examples[held_out[n]]
            result[n] = scores(weights, {**example.first, **(example.second if hybrid else {})})
    return held_out, result


def _softmax(z: Array) -> Array:
    e = np.exp(z - z.max(axis=1, keepdims=True))
    result: Array = e / e.sum(axis=1, keepdims=True)
    return result


def calibrate(z: Array, frame: Array, opinion: Array) -> dict[str, float]:
    """Scale and shift of both heads by maximum likelihood on scores out of fold (Platt 1999)."""
    from scipy.optimize import minimize

    def frame_loss(p: Array) -> float:
        logits = np.column_stack([p[0] * z[:, 0] + p[1], p[0] * z[:, 1], p[0] * z[:, 2]])
        return float(-np.log(_softmax(logits)[np.arange(len(frame)), frame] + 1e-12).mean())

    def opinion_loss(p: Array) -> float:
        v = p[0] * z[:, 3] + p[1]
        return float(np.mean(np.logaddexp(0.0, v) - opinion * v))

    a = minimize(frame_loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    b = minimize(opinion_loss, np.array([1.0, 0.0]), method="Nelder-Mead").x
    return {
        "frame_scale": round(float(a[0]), 6),
        "frame_shift": round(float(a[1]), 6),
        "opinion_scale": round(float(b[0]), 6),
        "opinion_shift": round(float(b[1]), 6),
    }


def thresholds(
    z: Array,
    examples: Sequence[Example],
    decision: Mapping[str, float],
    sides: Sequence[str],
    *,
    hybrid: bool,
) -> dict[str, float]:
    """Thresholds of the two questions that give the best macro-F1 of the label out of fold."""
    from scipy.special import expit
    from sklearn.metrics import f1_score

    scale, shift = decision["frame_scale"], decision["frame_shift"]
    p = _softmax(np.column_stack([scale * z[:, 0] + shift, scale * z[:, 1], scale * z[:, 2]]))
    o = expit(decision["opinion_scale"] * z[:, 3] + decision["opinion_shift"])
    gold = [e.gold.label.value for e in examples if e.gold.label is not None]
    names = np.array([NO_FRAME, *sides])
    better = np.where(p[:, 1] >= p[:, 2], 1, 2)
    page = np.array([int(np.flatnonzero(names == e.found)[0]) for e in examples])
    trusted = (page > 0) & (p[np.arange(len(page)), page] >= POLICY.trust) & hybrid
    tried: list[tuple[float, float, float]] = []
    for framed in np.arange(0.30, 0.71, 0.02):
        frame = np.where(1.0 - p[:, 0] >= framed, better, np.where(trusted, page, 0))
        for opined in np.arange(0.20, 0.71, 0.02):
            rest = np.where(o >= opined, Label.ANALYTICAL_OPINION.value, Label.NEUTRAL_REPORT.value)
            labels = np.where(frame > 0, np.char.add("pro_", names[frame]), rest)
            value = float(f1_score(gold, labels, average="macro", zero_division=0))
            tried.append((value, float(framed), float(opined)))
    top = max(value for value, _, _ in tried)
    near = [(framed, opined) for value, framed, opined in tried if value >= top - PLATEAU]
    framed, opined = np.mean(near, axis=0)
    return {"frame_threshold": round(float(framed), 2), "opinion_threshold": round(float(opined), 2)}


def _rounded(weights: Weights) -> Weights:
    """Five digits, and to the last of them what belongs to neither side weighs the same for both."""
    result: Weights = {}
    for name, row in weights.items():
        twin = models.mirror(name)
        none, first, second, opinion = (round(value, 5) for value in row)
        if name <= twin:
            result[name] = (none, first, first if name == twin else second, opinion)
            result[twin] = (none, result[name][2], first, opinion)
    return result


def _refuse_one_answer(examples: Sequence[Example]) -> None:
    """Each question needs sentences of either answer (one side's frames, mirrored, teach the other's too)."""
    framed = {e.gold.frame not in (None, NO_FRAME) for e in examples}
    opinions = {bool(e.gold.opinion) for e in examples}
    for found, yes, no in (
        (framed, "framed", "without a frame"),
        (opinions, "an opinion", "without an opinion"),
    ):
        if len(found) < 2:
            missing = yes if found <= {False} else no
            raise StanceError(f"no sentence of the training data is {missing}; give data with some of either")


def train(
    examples: Sequence[Example],
    sides: Sequence[str],
    *,
    engine: str,
    options: Options,
    progress: Progress,
    vectors: Vectors | None = None,
    taught: Weights | None = None,
) -> tuple[Weights, dict[str, Any]]:
    """Weights and the numbers of the decision, with figures out of fold.

    Returns:
        The weights, and a part of the card: ``decision``, ``families``, ``figures``.
    """
    hybrid = engine == "hybrid"
    _refuse_one_answer(examples)
    articles = {e.gold.article for e in examples if e.weigh}
    if len(articles) < FOLDS:
        raise StanceError(
            f"the sentences to weigh evidence on come from {len(articles)} articles; "
            f"{FOLDS} are needed, told apart by the field 'article'"
        )
    more: dict[str, Any] = {"vectors": vectors, "taught": taught}
    indices, raw = out_of_fold(examples, sides, options, hybrid=hybrid, progress=progress, **more)
    held = [examples[i] for i in indices]
    z = np.array(raw)
    goal = targets(held, sides)
    natural = np.array([e.gold.slices.get("batch", "random") == "random" for e in held])
    if natural.sum() < 50:
        natural = np.ones(len(held), dtype=bool)
    decision = calibrate(z[natural], goal.frame[natural], goal.opinion[natural])
    drawn = [e for e, n in zip(held, natural, strict=True) if n]
    decision |= thresholds(z[natural], drawn, decision, sides, hybrid=hybrid)
    progress("fitting the weights that ship")
    weights = fit_weights(examples, sides, options, hybrid=hybrid, **more)
    rounded = _rounded(weights)
    kept = {name: row for name, row in rounded.items() if any(abs(v) >= 0.001 for v in row)}
    return kept, {
        "engine": engine,
        "families": list(models.ENGINE_FAMILIES[engine]),
        "decision": decision,
        "figures": {"out_of_fold": figures(z, held, decision, sides, hybrid=hybrid)},
        "seed": options.seed,
        "options": {name: getattr(options, name) for name in Options.__slots__},
        "labelled_by": LABELLED_BY,
        "versions": {
            "stance": __version__,
            "scikit-learn": sklearn.__version__,
            "numpy": np.__version__,
            "python": ".".join(map(str, sys.version_info[:2])),
        },
    }


def figures(
    z: Array,
    examples: Sequence[Example],
    decision: Mapping[str, float],
    sides: Sequence[str],
    *,
    hybrid: bool,
) -> dict[str, Any]:
    """Scores out of fold under a decision, against the gold labels: figures with 95% intervals clustered by
    article, by slice, and the calibration beside the band of a perfect predictor."""
    linear = models.LinearModel(dict(_UNIT), {"decision": decision, "families": []}, "")
    label_of = {sides[0]: Label.PRO_KYIV, sides[1]: Label.PRO_MOSCOW}
    answers = []
    for row, example in zip(z, examples, strict=True):
        answer = linear.predict({f"z{k}": float(v) for k, v in enumerate(row)}, sides)
        frame = kept(answer.frame, answer.frames, example.found) if hybrid else answer.frame
        label = decided_label(frame, answer.opinion, label_of)
        shares = probabilities(answer.frames, answer.p_opinion, label_of)
        answers.append(Answer(label, frame, shares[label]))
    scores = score([e.gold for e in examples], answers)
    return {
        "sentences": scores.sentences,
        "articles": scores.articles,
        "macro_f1": round(scores.macro_f1.value, 4),
        "macro_f1_interval": scores.macro_f1.to_dict(),
        "f1": {name: row["f1"] for name, row in scores.per_label.items()},
        "framed": {"precision": scores.framed_precision, "recall": scores.framed_recall},
        "side_confusion": scores.side_confusion,
        "side_difference": scores.side_difference.to_dict(),
        "ece": None if scores.calibration is None else _without(scores.calibration.to_dict(), "bins"),
        "slices": {
            name: interval.to_dict()
            for name, interval in scores.slices.items()
            if name.startswith(("kind=", "batch=", "voice="))
        },
    }


def _without(values: Mapping[str, Any], key: str) -> dict[str, Any]:
    return {name: value for name, value in values.items() if name != key}


_UNIT: Final = {
    "z0": (1.0, 0.0, 0.0, 0.0),
    "z1": (0.0, 1.0, 0.0, 0.0),
    "z2": (0.0, 0.0, 1.0, 0.0),
    "z3": (0.0, 0.0, 0.0, 1.0),
}


def fingerprint(paths: Sequence[Path]) -> dict[str, str]:
    """Digests of the training files, by file name."""
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in paths}


# -- one run ---------------------------------------------------------------------------------------------


def prepare(
    classifier: Classifier,
    data: Iterable[Labelled],
    *,
    weigh: bool,
    progress: Progress,
    engine: str = "hybrid",
) -> list[Example]:
    """Features of labelled sentences for an engine; trees are asked for as at prediction time."""
    first_families = _first_families(engine)
    slot = models.slots(classifier.sides)
    result: list[Example] = []
    items = list(data)
    for start in range(0, len(items), BATCH_SENTENCES):
        batch = items[start : start + BATCH_SENTENCES]
        for item, gathered in zip(batch, classifier.gather_sentences(batch), strict=True):
            first = models.features(gathered, classifier.sides, first_families)
            found = by_rules(gathered.settled, classifier.sides).frame
            result.append(Example(item, first, models.rule_features(gathered, slot), weigh, found))
        progress(f"features {min(start + BATCH_SENTENCES, len(items))}/{len(items)}")
    return result


def run(
    classifier: Classifier,
    *,
    data: Sequence[Path],
    weigh: Sequence[Path],
    unlabelled: Path | None,
    taught: Path | None = None,
    engine: str,
    out: Path,
    options: Options,
    progress: Progress,
) -> dict[str, Any]:
    """Read, fit, and write a model with its card; returns the card."""
    examples: list[Example] = []
    for path in data:
        progress(f"reading {path.name}")
        examples += prepare(classifier, read(path), weigh=not weigh, progress=progress, engine=engine)
    for path in weigh:
        progress(f"reading {path.name}")
        examples += prepare(classifier, read(path), weigh=True, progress=progress, engine=engine)
    vectors = None
    if unlabelled is not None:
        progress(f"vectors of words from {unlabelled.name}")
        vectors = learn_vectors(_pairs(unlabelled))
    lessons = None
    if taught is not None:
        progress(f"reading {taught.name}")
        read_before = [e for e in examples if not e.weigh]
        lessons = fit_taught(
            read_taught(classifier, taught, progress, engine=engine),
            read_before,
            classifier.sides,
            options,
            progress,
        )
    weights, part = train(
        examples,
        classifier.sides,
        engine=engine,
        options=options,
        progress=progress,
        vectors=vectors,
        taught=lessons,
    )
    paths = [*data, *weigh, *([unlabelled] if unlabelled else []), *([taught] if taught else [])]
    counts = Counter(e.gold.label.value for e in examples if e.gold.label is not None)
    card = {
        **part,
        "rules": classifier.rulebook.digest,
        "pipeline": classifier.versions.pipeline,
        "codebook": classifier.rulebook.codebook,
        "data": fingerprint(paths),
        "roles": {"words": [p.name for p in data], "weights_of_evidence": [p.name for p in weigh or data]},
        "counts": dict(sorted(counts.items())),
        "intended_use": "labels for people who monitor news, beside the words and rules that made "
        "them; not a judgement of truth, of writers or of outlets",
        "known_weaknesses": [
            "learnt mostly from text of 2021 and 2022",
            "irony, and insinuation without a cue of any rule",
            "headlines are harder than running text",
            "opinion is where annotation passes disagree most, and so is the model",
        ],
    }
    models.save(out, weights, card)
    return card


def _pairs(path: Path) -> Iterator[tuple[str, str]]:
    return ((article, text) for article, text, _ in _lines(path))


def _lines(path: Path) -> Iterator[tuple[str, str, Mapping[str, Any]]]:
    """Article, text and the whole object of each line."""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rt", encoding="utf-8") as lines:
        for number, line in enumerate(lines, 1):
            try:
                row = json.loads(line)
                yield str(row.get("article", number)), str(row["text"]), row
            except (ValueError, KeyError, AttributeError) as error:
                raise StanceError(f"{path}:{number}: needs a JSON object with 'text' ({error})") from None
