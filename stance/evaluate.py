"""How good is it, and is one version better than another: metrics with intervals, comparisons, faithfulness.

Intervals are bootstrap percentiles over articles (a sentence is no independent draw from its article),
computed from one confusion matrix per article. Comparisons are McNemar's exact test and a paired
bootstrap over the same articles. Nothing here prints, and no figure holds a word of the data: ids only.
"""

from __future__ import annotations

import random
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from stance import segment
from stance.calibration import Calibration, Curve, calibrated, changing
from stance.calibration import coverage as coverage_curves
from stance.classifier import Classifier
from stance.document import Document
from stance.errors import StanceError
from stance.evidence import Evidence, Verdict
from stance.gold import Labelled
from stance.labels import NO_FRAME, Label, NotCounted, Voice
from stance.overlap import normalised
from stance.phrases import WORD
from stance.seeds import GoldSentence, WrittenSentence

Array = np.ndarray[Any, np.dtype[Any]]
LABELS: Final = tuple(Label)
DRAWS: Final = 2000
LEVEL: Final = 0.95
INDEX: Final = {label: i for i, label in enumerate(LABELS)}
SLICES: Final = ("kind", "batch", "outlet_group")
SMALLEST_SLICE: Final = 30
FEW_SENTENCES: Final = 100
FEW_ARTICLES: Final = 20
RESIDUE_WORDS: Final = 6  # a piece of fewer words is a leftover of a page more often than a sentence


@dataclass(frozen=True, slots=True)
class Answer:
    """What is scored of one sentence; a baseline knows the label and perhaps its probability alone."""

    label: Label
    frame: str
    probability: float | None = None
    voice: Voice | None = None
    speaker: str | None = None
    own_label: Label | None = None

    @classmethod
    def of(cls, found: Verdict | Label | Answer) -> Answer:
        """The answer in a verdict, or in a bare label."""
        if isinstance(found, Answer):
            return found
        if isinstance(found, Label):
            return cls(found, frame_of(found))
        return cls(
            label=found.label,
            frame=found.frame,
            probability=found.probabilities[found.label],
            voice=found.voice,
            speaker=None if found.speaker is None else found.speaker.side,
            own_label=found.own_label,
        )


def frame_of(label: Label) -> str:
    """The frame that a label says: a side, or none."""
    return label.value.removeprefix("pro_") if label.value.startswith("pro_") else NO_FRAME


@dataclass(frozen=True, slots=True)
class Interval:
    """A figure with its 95% interval, and of how many sentences."""

    value: float
    low: float
    high: float
    count: int = 0

    def __str__(self) -> str:
        return f"{self.value:.3f} [{self.low:.3f}, {self.high:.3f}]"

    def to_dict(self) -> dict[str, float]:
        """The interval as JSON."""
        result = {"value": round(self.value, 4), "low": round(self.low, 4), "high": round(self.high, 4)}
        return result | ({"sentences": self.count} if self.count else {})


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
    calibration: Calibration | None
    coverage: Mapping[str, Curve] | None
    slices: Mapping[str, Interval]

    def to_dict(self) -> dict[str, Any]:
        """All figures as JSON."""
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
            "ece": None if self.calibration is None else self.calibration.to_dict(),
            "coverage": None
            if self.coverage is None
            else {
                name: [kept.to_dict() for kept in changing(curve)] for name, curve in self.coverage.items()
            },
            "slices": {name: interval.to_dict() for name, interval in self.slices.items()},
        }


# -- matrices --------------------------------------------------------------------------------------------


def matrix(gold: Sequence[Label], found: Sequence[Label]) -> Array:
    """Confusion counts (4, 4): rows gold, columns found, in the order of ``LABELS``."""
    result = np.zeros((4, 4), dtype=np.int64)
    for g, f in zip(gold, found, strict=True):
        result[INDEX[g], INDEX[f]] += 1
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


def side_difference(confusion: Array) -> Array:
    """The first side's figures less the second's."""
    f1 = f1_per_label(confusion)
    result: Array = f1[..., INDEX[Label.PRO_KYIV]] - f1[..., INDEX[Label.PRO_MOSCOW]]
    return result


def by_article(gold: Sequence[Labelled], found: Sequence[Label]) -> Array:
    """One confusion matrix for each article: (articles, 4, 4)."""
    articles: dict[str, Array] = defaultdict(lambda: np.zeros((4, 4), dtype=np.int64))
    for item, label in zip(gold, found, strict=True):
        assert item.label is not None
        articles[item.article][INDEX[item.label], INDEX[label]] += 1
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


def score(gold: Sequence[Labelled], found: Sequence[Verdict | Label | Answer]) -> Scores:
    """All figures of verdicts (or bare labels) against gold labels, in the same order."""
    if not gold:
        raise StanceError("there is no sentence to score; give data with at least one labelled sentence")
    answers = [Answer.of(item) for item in found]
    labels = [answer.label for answer in answers]
    pairs = list(zip(gold, answers, strict=True))
    articles = by_article(gold, labels)
    confusion = articles.sum(axis=0)
    return Scores(
        sentences=len(gold),
        articles=len(articles),
        accuracy=interval(articles, _accuracy),
        macro_f1=interval(articles, macro_f1),
        per_label=_per_label(confusion),
        confusion=tuple(tuple(int(n) for n in row) for row in confusion),
        voice=_share(g.voice == a.voice for g, a in pairs if g.voice is not None and a.voice is not None),
        speaker_side=_share(
            a.speaker == g.source
            for g, a in pairs
            if g.source is not None and a.voice is not None and g.voice not in (None, Voice.AUTHOR)
        ),
        own_label=_share(
            _own(g) == a.own_label for g, a in pairs if a.own_label is not None and _own(g) is not None
        ),
        side_difference=interval(articles, side_difference),
        calibration=calibration(gold, answers),
        coverage=coverage(gold, answers),
        slices=_slices(gold, labels),
        **_framing(gold, answers),
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


def _framing(gold: Sequence[Labelled], answers: Sequence[Answer]) -> dict[str, float]:
    pairs = [(g.frame, a.frame) for g, a in zip(gold, answers, strict=True)]
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
        if re.match(r"\d{4}(-|$)", item.slices.get("date", "")):
            groups[f"year={item.slices['date'][:4]}"].append(i)
        words = len(item.text.split())
        groups[
            "length=" + ("under 12 words" if words < 12 else "12 to 24" if words < 25 else "25 and more")
        ].append(i)
    return {
        name: replace(
            interval(by_article([gold[i] for i in rows], [found[i] for i in rows]), macro_f1),
            count=len(rows),
        )
        for name, rows in sorted(groups.items())
        if SMALLEST_SLICE <= len(rows) < len(gold)
    }


def calibration(gold: Sequence[Labelled], answers: Sequence[Answer]) -> Calibration | None:
    """Calibration of the label's probability; None for answers without one."""
    drawn = [i for i, item in enumerate(gold) if item.slices.get("batch") == "random"]
    rows = drawn or list(range(len(gold)))
    known = _with_probability([gold[i] for i in rows], [answers[i] for i in rows])
    return None if known is None else calibrated(*known, random_only=bool(drawn))


def coverage(gold: Sequence[Labelled], answers: Sequence[Answer]) -> Mapping[str, Curve] | None:
    """What is left, and how right it is, when improbable answers go to a person; None as above."""
    known = _with_probability(gold, answers)
    return None if known is None else coverage_curves([a.label.value for a in answers], *known)


def _with_probability(gold: Sequence[Labelled], answers: Sequence[Answer]) -> tuple[Array, Array] | None:
    """Probabilities of the answers, and which are right, each (sentences,)."""
    p = [answer.probability for answer in answers if answer.probability is not None]
    if not p or len(p) < len(answers):
        return None
    return np.array(p), np.array([g.label == a.label for g, a in zip(gold, answers, strict=True)])


def label_all(classifier: Classifier, gold: Sequence[Labelled]) -> list[Verdict]:
    """Verdicts of labelled sentences, each on its own with its ``prev``."""
    return list(classifier.classify_sentences(segment.sentence(g.text, prev=g.prev, id=g.id) for g in gold))


# -- data ------------------------------------------------------------------------------------------------


def seed_sentences(gold: Iterable[GoldSentence]) -> tuple[Labelled, ...]:
    """Seed sentences as labelled ones, each text once: a page repeats its headline in its body."""
    seen: set[str] = set()
    result = []
    for item in gold:
        key = normalised(item.text)
        if key in seen:
            continue
        seen.add(key)
        result.append(_from_seed(item, item.document))
    return tuple(result)


def written_sentences(written: Iterable[WrittenSentence]) -> tuple[Labelled, ...]:
    """The bundled written sentences as labelled ones; a pair stands for an article."""
    return tuple(_from_seed(item, item.pair or item.id) for item in written)


def _from_seed(item: GoldSentence | WrittenSentence, article: str) -> Labelled:
    answers = item.answers
    return Labelled(
        id=item.id,
        text=item.text,
        label=answers.label,
        frame=answers.frame,
        opinion=answers.opinion,
        voice=answers.voice,
        source=answers.source,
        article=article,
        tests=answers.tests,
        slices={"pair": item.pair} if isinstance(item, WrittenSentence) and item.pair else {},
    )


def label_in_documents(
    classifier: Classifier, documents: Iterable[Document], gold: Sequence[GoldSentence]
) -> tuple[dict[str, Verdict], int]:
    """Verdicts by gold id, each sentence read in its document, and how many ends the splitter missed.

    A gold sentence that the splitter cut differently gets the verdict of the piece it shares most with.
    """
    wanted: dict[str, list[GoldSentence]] = defaultdict(list)
    for item in gold:
        wanted[item.document].append(item)
    result: dict[str, Verdict] = {}
    missed = 0
    for document in documents:
        rows = wanted.pop(document.name or "", [])
        if not rows:
            continue
        verdicts = classifier.classify(document).verdicts
        for row in rows:
            best = max(verdicts, key=lambda v: _shared(v.sentence.start, v.sentence.end, row.start, row.end))
            missed += (best.sentence.start, best.sentence.end) != (row.start, row.end)
            result[row.id] = best
    if wanted:
        raise StanceError(f"there is no document {sorted(wanted)[0]!r} for its gold sentences; restore it")
    return result, missed


def _shared(start: int, end: int, other_start: int, other_end: int) -> int:
    return max(0, min(end, other_end) - max(start, other_start))


def without_residue(gold: Iterable[Labelled]) -> tuple[Labelled, ...]:
    """Sentences of at least ``RESIDUE_WORDS`` words."""
    return tuple(item for item in gold if len(item.text.split()) >= RESIDUE_WORDS)


def remarks(gold: Sequence[Labelled]) -> list[str]:
    """What a reader of the figures must know about the data: sentences, in plain words."""
    result = []
    count = Counter(item.label for item in gold)
    absent = [label.value for label in LABELS if not count[label]]
    if absent:
        result.append(
            f"no sentence is labelled {' or '.join(absent)}: macro-F1 is the mean over the labels that "
            "occur, in the data or in what was found"
        )
    articles = len({item.article for item in gold})
    if len(gold) < FEW_SENTENCES:
        result.append(f"{len(gold)} sentences only: the intervals are wide, and too narrow even so")
    elif articles < FEW_ARTICLES:
        result.append(f"{articles} articles only: intervals over so few articles are too narrow")
    return result


# -- comparing -------------------------------------------------------------------------------------------


WORDS: Final = "(words or weights)"


@dataclass(frozen=True, slots=True)
class Flip:
    """One sentence whose label changed: ``outcome`` is won, lost or neither (wrong before and after).

    ``causes`` are the rules whose counted evidence differs, or ``WORDS`` where none does.
    """

    id: str
    before: str
    after: str
    outcome: str
    causes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Comparison:
    """Two versions on the same sentences: who won where, and whether chance explains it."""

    difference: Interval
    mcnemar_p: float
    won: int
    lost: int
    flips: tuple[Flip, ...]

    @property
    def worse(self) -> bool:
        """Is the second version significantly worse, by both tests?"""
        return self.difference.high < 0 and self.mcnemar_p < 1 - LEVEL and self.lost > self.won


def compare(gold: Sequence[Labelled], first: Sequence[Verdict], second: Sequence[Verdict]) -> Comparison:
    """McNemar's exact test (1947; binomial) and a paired bootstrap of macro-F1 over articles."""
    from scipy.stats import binomtest

    a = by_article(gold, [v.label for v in first])
    b = by_article(gold, [v.label for v in second])
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
            flips.append(Flip(g.id, v.label.value, w.label.value, outcome, causes(v, w)))
    p = float(binomtest(won, won + lost).pvalue) if won + lost else 1.0
    return Comparison(Interval(value, float(low), float(high)), p, won, lost, tuple(flips))


def causes(first: Verdict, second: Verdict) -> tuple[str, ...]:
    """Ids of the rules whose counted evidence differs between two verdicts of one sentence."""

    def counted(verdict: Verdict) -> Counter[tuple[str, str | None, str | None, int, int]]:
        return Counter(
            (e.rule, e.effect, e.side, e.start, e.end) for e in verdict.evidence if e.counted and e.rule
        )

    one, two = counted(first), counted(second)
    different = (one - two) + (two - one)
    return tuple(sorted({rule for rule, *_ in different})) or (WORDS,)


# -- rules -----------------------------------------------------------------------------------------------

_LOST: Final = (NotCounted.WEAK, NotCounted.BALANCED)


@dataclass(frozen=True, slots=True)
class RulePrecision:
    """A rule on labelled sentences: in how many it hit, and in how many of those its answer is the right
    one; ``wrong`` are ids."""

    hits: int
    right: int
    wrong: tuple[str, ...]

    @property
    def precision(self) -> float:
        """The share of hits that are right."""
        return self.right / self.hits

    def to_dict(self) -> dict[str, Any]:
        """The rule as JSON."""
        return {"hits": self.hits, "right": self.right, "wrong": list(self.wrong)}


def rule_precision(gold: Sequence[Labelled], verdicts: Sequence[Verdict]) -> dict[str, RulePrecision]:
    """How often each rule is right, the commonest first. A hit counts unless another rule cancels it or
    its voice does; a frame rule is right in a sentence of its side's frame, an opinion rule in an opinion."""
    found: dict[str, list[tuple[str, bool]]] = defaultdict(list)
    for item, verdict in zip(gold, verdicts, strict=True):
        answers: dict[str, bool] = {}
        for piece in verdict.evidence:
            if piece.rule is None or not (piece.counted or piece.not_counted in _LOST):
                continue
            if piece.effect == "frame":
                right = piece.side == item.frame
            elif piece.effect == "opinion" and item.opinion is not None:
                right = item.opinion
            else:
                continue
            answers[piece.rule] = answers.get(piece.rule, True) and right
        for rule, right in answers.items():
            found[rule].append((item.id, right))
    ranked = sorted(found.items(), key=lambda row: (-len(row[1]), row[0]))
    return {
        rule: RulePrecision(len(rows), sum(r for _, r in rows), tuple(i for i, r in rows if not r))
        for rule, rows in ranked
    }


# -- faithfulness ----------------------------------------------------------------------------------------

# Words that carry grammar: they stay, unless the evidence holds nothing else.
_GRAMMAR: Final = frozenset(
    "a an the this that these those it its he she they his her their him them who which what of in on at to "
    "for by with from into over under as and or but if than so is are was were be been being has have had do "
    "does did will would can could may might shall should must not no".split()
)
_SMALLEST_DROP: Final = 1e-6


@dataclass(frozen=True, slots=True)
class Removal:
    """What taking words out did to framed verdicts: of ``verdicts``, how many changed and by how much."""

    verdicts: int
    label_changed: int
    changed_or_dropped: int
    mean_drop: float

    @property
    def share(self) -> float | None:
        """The share of verdicts that changed or dropped; None of no verdicts."""
        return self.changed_or_dropped / self.verdicts if self.verdicts else None

    def to_dict(self) -> dict[str, Any]:
        """The removal as JSON."""
        return {
            "verdicts": self.verdicts,
            "label_changed": self.label_changed,
            "changed_or_dropped": self.changed_or_dropped,
            "share": None if self.share is None else round(self.share, 4),
            "mean_drop": round(self.mean_drop, 4),
        }


@dataclass(frozen=True, slots=True)
class Faithfulness:
    """Framed verdicts with the words of their counted evidence made neutral, and with as many other words.

    ``without_evidence`` verdicts are in ``evidence.verdicts`` and count there as unchanged: failures.
    """

    evidence: Removal
    random_words: Removal
    without_evidence: int
    unmoved: tuple[str, ...]  # ids of the failures

    def to_dict(self) -> dict[str, Any]:
        """The test as JSON."""
        return {
            "evidence": self.evidence.to_dict(),
            "random_words": self.random_words.to_dict(),
            "without_evidence": self.without_evidence,
            "failures": list(self.unmoved),
        }


def faithfulness(classifier: Classifier, gold: Sequence[Labelled], seed: int = 0) -> Faithfulness:
    """Does the named evidence carry the framed verdict?

    Each word of the counted evidence for the frame becomes a neutral word of its form (``neutral``); the
    verdict must change its label or lose probability. The same is done to as many words drawn at random
    from the rest of the sentence.
    """
    chance = random.Random(seed)
    framed = [(g, v) for g, v in zip(gold, label_all(classifier, gold), strict=True) if v.framed]
    bare = [(g, v) for g, v in framed if not supporting(v)]
    told = [(g, v) for g, v in framed if supporting(v)]
    blanked = [_edited(g, v, _evidence_words(v)) for g, v in told]
    others = [_edited(g, v, _other_words(v, chance)) for g, v in told]
    drops = _drops(classifier, [v for _, v in told], blanked)
    control = [(v, o) for (_, v), o in zip(told, others, strict=True) if o is not None]
    control_drops = _drops(classifier, [v for v, _ in control], [o for _, o in control])
    unmoved = [g.id for (g, _), (flipped, drop) in zip(told, drops, strict=True) if not _moved(flipped, drop)]
    return Faithfulness(
        _removal(drops + [(False, 0.0)] * len(bare)),
        _removal(control_drops),
        len(bare),
        tuple([g.id for g, _ in bare] + unmoved),
    )


def supporting(verdict: Verdict) -> list[Evidence]:
    """The counted evidence for the frame of a verdict."""
    return [
        e
        for e in verdict.evidence
        if e.counted and e.effect == "frame" and e.side == verdict.frame and e.text
    ]


def neutral(word: str, *, first: bool = False) -> str:
    """A word without a stance and of the same form: by its ending and its capital, no tagger needed."""
    lower = word.lower()
    if any(c.isdigit() for c in word):
        return "some"
    if word[:1].isupper() and not first:
        return "Someone"
    if lower.endswith("ing") and len(lower) > 4:
        result = "handling"
    elif lower.endswith("ed") and len(lower) > 3:
        result = "handled"
    elif lower.endswith("ly") and len(lower) > 3:
        result = "somehow"
    elif lower.endswith("s") and not lower.endswith("ss") and len(lower) > 3:
        result = "things"
    else:
        result = "something" if len(lower) > 4 else "thing"
    return result.capitalize() if word[:1].isupper() else result


def _words(verdict: Verdict) -> Iterator[tuple[int, int, bool]]:
    """Start and end of each word in the sentence, and whether it stands in the verdict's evidence."""
    base = verdict.sentence.start
    spans = [(e.start - base, e.end - base) for e in supporting(verdict)]
    for found in WORD.finditer(verdict.sentence.text):
        start, end = found.span()
        if any(c.isalnum() for c in found.group()):
            yield start, end, any(_shared(start, end, a, b) > 0 for a, b in spans)


def _content(verdict: Verdict, *, inside: bool) -> list[tuple[int, int]]:
    text = verdict.sentence.text
    rows = [(start, end) for start, end, named in _words(verdict) if named == inside]
    return [(start, end) for start, end in rows if text[start:end].lower() not in _GRAMMAR] or rows


def _evidence_words(verdict: Verdict) -> list[tuple[int, int]]:
    return _content(verdict, inside=True)


def _other_words(verdict: Verdict, chance: random.Random) -> list[tuple[int, int]]:
    rest = _content(verdict, inside=False)
    return sorted(chance.sample(rest, min(len(rest), len(_evidence_words(verdict)))))


def _edited(item: Labelled, verdict: Verdict, words: Collection[tuple[int, int]]) -> Labelled | None:
    """The sentence with these words made neutral; None where there are none."""
    if not words:
        return None
    text = verdict.sentence.text
    for start, end in sorted(words, reverse=True):
        text = text[:start] + neutral(text[start:end], first=start == 0) + text[end:]
    return replace(item, text=text)


def _drops(
    classifier: Classifier, verdicts: Sequence[Verdict], edited: Sequence[Labelled | None]
) -> list[tuple[bool, float]]:
    """For each verdict: did its label change, and how much probability did it lose."""
    again = iter(label_all(classifier, [item for item in edited if item is not None]))
    result = []
    for verdict, item in zip(verdicts, edited, strict=True):
        if item is None:
            result.append((False, 0.0))
            continue
        other = next(again)
        drop = verdict.probabilities[verdict.label] - other.probabilities[verdict.label]
        result.append((other.label != verdict.label, drop))
    return result


def _moved(flipped: bool, drop: float) -> bool:
    return flipped or drop > _SMALLEST_DROP


def _removal(rows: Sequence[tuple[bool, float]]) -> Removal:
    return Removal(
        len(rows),
        sum(flipped for flipped, _ in rows),
        sum(_moved(*row) for row in rows),
        float(np.mean([drop for _, drop in rows])) if rows else 0.0,
    )
