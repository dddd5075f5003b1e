"""How good is it, and is one version better than another: metrics with intervals, comparisons, impartiality.

Intervals are bootstrap percentiles over articles (a sentence is no independent draw from its article),
computed from one confusion matrix per article. Comparisons are McNemar's exact test and a paired
bootstrap over the same articles.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stance.classifier import Classifier
from stance.evidence import Verdict
from stance.gold import Labelled
from stance.labels import NO_FRAME, Label, Voice
from stance.mirroring import Mirror

Array = np.ndarray[Any, np.dtype[Any]]
LABELS: Final = tuple(Label)
DRAWS: Final = 2000
LEVEL: Final = 0.95
_INDEX: Final = {label: i for i, label in enumerate(LABELS)}
SLICES: Final = ("kind", "batch", "outlet_group")
SMALLEST_SLICE: Final = 30


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, float]:
        return {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}


@dataclass(frozen=True, slots=True)
class Scores:
    """Figures of one set of labels against the gold labels."""

    sentences: int
    articles: int
    accuracy: Interval
    macro_f1: Interval
    per_label: Mapping[str, Mapping[str, float]]
    confusion: tuple[tuple[int, ...], ...]
    voice: float | None
    speaker_side: float | None
    own_label: float | None
    framed_precision: float
    framed_recall: float
    side_confusion: float
    side_difference: Interval
    ece: float | None
    slices: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        return {
            "sentences": self.sentences,
            "articles": self.articles,
            "accuracy": self.accuracy.to_dict(),
            "macro_f1": self.macro_f1.to_dict(),
            "per_label": self.per_label,
            "confusion": [list(row) for row in self.confusion],
            "labels": [label.value for label in LABELS],
            "voice": self.voice,
            "speaker_side": self.speaker_side,
            "own_label": self.own_label,
            "framed_precision": self.framed_precision,
            "framed_recall": self.framed_recall,
            "side_confusion": self.side_confusion,
            "side_difference": self.side_difference.to_dict(),
            "ece": self.ece,
            "slices": {name: interval.to_dict() for name, interval in self.slices.items()},
        }


# -- matrices --------------------------------------------------------------------------------------------


def matrix(gold: Sequence[Label], found: Sequence[Label]) -> Array:
    """Confusion counts (4, 4): rows gold, columns found, in the order of ``LABELS``."""
    result = np.zeros((4, 4), dtype=np.int64)
    for g, f in zip(gold, found, strict=True):
        result[_INDEX[g], _INDEX[f]] += 1
    return result


def f1_per_label(confusion: Array) -> Array:
    """F1 of each label over the last two axes, 0 where a label was neither there nor found."""
    right = np.diagonal(confusion, axis1=-2, axis2=-1)
    both = confusion.sum(axis=-1) + confusion.sum(axis=-2)
    result: Array = np.divide(2.0 * right, both, out=np.zeros(right.shape), where=both > 0)
    return result


def macro_f1(confusion: Array) -> Array:
    """Mean F1 of the labels that occur, in the gold labels or the found ones."""
    seen = (confusion.sum(axis=-1) + confusion.sum(axis=-2)) > 0
    total = seen.sum(axis=-1)
    result: Array = f1_per_label(confusion).sum(axis=-1) / np.maximum(total, 1)
    return result


def _accuracy(confusion: Array) -> Array:
    result: Array = np.trace(confusion, axis1=-2, axis2=-1) / np.maximum(confusion.sum(axis=(-2, -1)), 1)
    return result


def _side_difference(confusion: Array) -> Array:
    f1 = f1_per_label(confusion)
    result: Array = f1[..., _INDEX[Label.PRO_KYIV]] - f1[..., _INDEX[Label.PRO_MOSCOW]]
    return result


def _by_article(gold: Sequence[Labelled], found: Sequence[Label]) -> Array:
    articles: dict[str, Array] = defaultdict(lambda: np.zeros((4, 4), dtype=np.int64))
    for item, label in zip(gold, found, strict=True):
        assert item.label is not None
        articles[item.article][_INDEX[item.label], _INDEX[label]] += 1
    return np.stack([articles[name] for name in sorted(articles)])


def _draws(size: int, seed: int) -> Array:
    """How often each article is drawn: (draws, articles)."""
    generator = np.random.default_rng(seed)
    return generator.multinomial(size, np.full(size, 1.0 / size), size=DRAWS)


def interval(articles: Array, figure: Callable[[Array], Array], seed: int = 0) -> Interval:
    """A figure of the summed matrices with its percentile interval over articles."""
    value = float(figure(articles.sum(axis=0)))
    resampled = np.tensordot(_draws(len(articles), seed), articles, axes=1)
    low, high = np.quantile(figure(resampled), [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return Interval(value, float(low), float(high))


# -- scoring ---------------------------------------------------------------------------------------------


def score(gold: Sequence[Labelled], verdicts: Sequence[Verdict]) -> Scores:
    """All figures of verdicts against gold labels, in the same order."""
    found = [verdict.label for verdict in verdicts]
    articles = _by_article(gold, found)
    confusion = articles.sum(axis=0)
    return Scores(
        sentences=len(gold),
        articles=len(articles),
        accuracy=interval(articles, _accuracy),
        macro_f1=interval(articles, macro_f1),
        per_label=_per_label(confusion),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        voice=_share(
            (g.voice == v.voice) for g, v in zip(gold, verdicts, strict=True) if g.voice is not None
        ),
        speaker_side=_share(
            (v.speaker is not None and v.speaker.side == g.source)
            for g, v in zip(gold, verdicts, strict=True)
            if g.source is not None and g.voice is not None and g.voice is not Voice.AUTHOR
        ),
        own_label=_share(
            (_own(g) == v.own_label) for g, v in zip(gold, verdicts, strict=True) if _own(g) is not None
        ),
        side_difference=interval(articles, _side_difference),
        ece=calibration_error(gold, verdicts),
        slices=_slices(gold, found),
        **_framing(gold, verdicts),
    )


def _per_label(confusion: Array) -> dict[str, dict[str, float]]:
    f1 = f1_per_label(confusion)
    result = {}
    for i, label in enumerate(LABELS):
        there, found, right = int(confusion[i].sum()), int(confusion[:, i].sum()), int(confusion[i, i])
        result[label.value] = {
            "precision": round(right / found, 4) if found else 0.0,
            "recall": round(right / there, 4) if there else 0.0,
            "f1": round(float(f1[i]), 4),
            "support": there,
        }
    return result


def _share(values: Iterable[bool]) -> float | None:
    counted = list(values)
    return round(sum(counted) / len(counted), 4) if counted else None


def _own(item: Labelled) -> Label | None:
    if item.label is None or item.voice is None or item.opinion is None or item.frame is None:
        return None
    if item.frame == NO_FRAME or item.voice is Voice.AUTHOR:
        return item.label
    return Label.ANALYTICAL_OPINION if item.opinion else Label.NEUTRAL_REPORT


def _framing(gold: Sequence[Labelled], verdicts: Sequence[Verdict]) -> dict[str, float]:
    pairs = [(g.frame, v.frame) for g, v in zip(gold, verdicts, strict=True)]
    there = sum(a != NO_FRAME for a, _ in pairs)
    found = sum(b != NO_FRAME for _, b in pairs)
    both = [(a, b) for a, b in pairs if NO_FRAME not in (a, b)]
    return {
        "framed_precision": round(len(both) / found, 4) if found else 0.0,
        "framed_recall": round(len(both) / there, 4) if there else 0.0,
        "side_confusion": round(sum(a != b for a, b in both) / there, 4) if there else 0.0,
    }


def _slices(gold: Sequence[Labelled], found: Sequence[Label]) -> dict[str, Interval]:
    groups: dict[str, list[int]] = defaultdict(list)
    for i, item in enumerate(gold):
        for name in SLICES:
            if name in item.slices:
                groups[f"{name}={item.slices[name]}"].append(i)
        if item.voice is not None:
            groups[f"voice={item.voice.value}"].append(i)
        words = len(item.text.split())
        groups[
            "length=" + ("under 12 words" if words < 12 else "12 to 24" if words < 25 else "25 and more")
        ].append(i)
    return {
        name: interval(_by_article([gold[i] for i in rows], [found[i] for i in rows]), macro_f1)
        for name, rows in sorted(groups.items())
        if SMALLEST_SLICE <= len(rows) < len(gold)
    }


def calibration_error(gold: Sequence[Labelled], verdicts: Sequence[Verdict], bins: int = 10) -> float | None:
    """Expected calibration error of the label's probability in equal-width bins (Guo et al. 2017)."""
    p = np.array([v.probabilities[v.label] for v in verdicts])
    right = np.array([g.label == v.label for g, v in zip(gold, verdicts, strict=True)], dtype=float)
    if not len(p):
        return None
    place = np.minimum((p * bins).astype(int), bins - 1)
    gaps = [
        abs(p[place == b].mean() - right[place == b].mean()) * (place == b).mean()
        for b in range(bins)
        if (place == b).any()
    ]
    return round(float(sum(gaps)), 4)


def label_all(classifier: Classifier, gold: Sequence[Labelled]) -> list[Verdict]:
    """Verdicts of labelled sentences, each on its own with its ``prev``."""
    return list(classifier.classify_sentences({"id": g.id, "text": g.text, "prev": g.prev} for g in gold))


# -- comparing -------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions on the same sentences: who won where, and whether chance explains it."""

    difference: Interval
    mcnemar_p: float
    won: int
    lost: int
    flips: tuple[tuple[str, str, str, str], ...]  # id, from, to, won | lost | neither

    @property
    def worse(self) -> bool:
        """Is the second version significantly worse, by both tests?"""
        return self.difference.high < 0 and self.mcnemar_p < 1 - LEVEL and self.lost > self.won


def compare(gold: Sequence[Labelled], first: Sequence[Verdict], second: Sequence[Verdict]) -> Comparison:
    """McNemar's exact test (1947; binomial) and a paired bootstrap of macro-F1 over articles."""
    from scipy.stats import binomtest

    a = _by_article(gold, [v.label for v in first])
    b = _by_article(gold, [v.label for v in second])
    draws = _draws(len(a), 0)
    resampled = macro_f1(np.tensordot(draws, b, axes=1)) - macro_f1(np.tensordot(draws, a, axes=1))
    low, high = np.quantile(resampled, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    value = float(macro_f1(b.sum(axis=0)) - macro_f1(a.sum(axis=0)))
    flips = []
    won = lost = 0
    for g, v, w in zip(gold, first, second, strict=True):
        if v.label != w.label:
            outcome = "won" if w.label == g.label else "lost" if v.label == g.label else "neither"
            won += outcome == "won"
            lost += outcome == "lost"
            flips.append((g.id, v.label.value, w.label.value, outcome))
    p = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return Comparison(Interval(value, float(low), float(high)), p, won, lost, tuple(flips))


# -- impartiality ----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class MirrorTest:
    """Does the label swap when the sides do? Counted only where the table can mirror."""

    name_a_side: int
    mirrored: int
    consistent: int

    @property
    def coverage(self) -> float:
        return self.mirrored / self.name_a_side if self.name_a_side else 0.0

    @property
    def consistency(self) -> float:
        return self.consistent / self.mirrored if self.mirrored else 0.0


def mirror_test(classifier: Classifier, texts: Sequence[str]) -> MirrorTest:
    """Label each text and its mirror; consistent when the one label is the other's swapped."""
    mirror = Mirror(classifier.rulebook)
    twins = [(text, mirror(text)) for text in texts]
    sided = [(text, twin) for text, twin in twins if twin.changed or twin.why != "names no side"]
    changed = [(text, twin.text) for text, twin in sided if twin.changed]
    first = classifier.classify_sentences([text for text, _ in changed])
    second = classifier.classify_sentences([text for _, text in changed])
    same = sum(swapped(a.label) == b.label for a, b in zip(first, second, strict=True))
    return MirrorTest(len(sided), len(changed), same)


def swapped(label: Label) -> Label:
    """The label with the sides swapped."""
    return {Label.PRO_KYIV: Label.PRO_MOSCOW, Label.PRO_MOSCOW: Label.PRO_KYIV}.get(label, label)


def pairs_right(gold: Sequence[Labelled], verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """Of hand-written swap pairs, how many have both twins right, and how many there are."""
    pairs: dict[str, list[bool]] = defaultdict(list)
    for item, verdict in zip(gold, verdicts, strict=True):
        pairs[item.slices.get("pair", item.article)].append(item.label == verdict.label)
    return sum(all(rows) for rows in pairs.values()), len(pairs)
