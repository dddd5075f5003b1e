"""How far a person agrees with the labels: Cohen's kappa with intervals, and the confusion."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from stance.labels import NO_FRAME, Label, Voice
from stance.report.data import sides
from stance.review.cases import Answer, Case

DRAWS: Final = 2000
Array = np.ndarray[Any, np.dtype[Any]]


@dataclass(frozen=True, slots=True)
class Kappa:
    """Cohen's kappa; all None where it is not defined (both say one thing alone, or nothing was judged)."""

    value: float | None
    low: float | None
    high: float | None
    agreed: int
    judged: int

    def __str__(self) -> str:
        if self.value is None:
            return f"not defined ({self.agreed} of {self.judged} agree)"
        between = "" if self.low is None else f" [{self.low:.2f}, {self.high:.2f}]"
        return f"{self.value:.3f}{between}, {self.agreed} of {self.judged} agree"

    def to_dict(self) -> dict[str, Any]:
        """As it stands in the file of a check."""
        return {
            "kappa": self.value,
            "low": self.low,
            "high": self.high,
            "agreed": self.agreed,
            "judged": self.judged,
        }


@dataclass(frozen=True, slots=True)
class Agreement:
    """`confusion` has the person's labels in its rows, the labels under test in its columns."""

    label: Kappa
    weighted: float | None  # of the label, weighted back to how often each label occurs
    frame: Kappa
    opinion: Kappa
    voice: Kappa
    confusion: tuple[tuple[int, ...], ...]
    differ: tuple[str, ...]  # ids of the sentences on which the two differ

    def to_dict(self) -> dict[str, Any]:
        """Figures and ids, no text."""
        return {
            "label": self.label.to_dict() | {"weighted": self.weighted},
            "frame": self.frame.to_dict(),
            "opinion": self.opinion.to_dict(),
            "voice": self.voice.to_dict(),
            "labels": [label.value for label in Label],
            "confusion": [list(row) for row in self.confusion],
            "differ": list(self.differ),
        }


def kappa(matrix: Array) -> float | None:
    """Cohen's kappa of a square table of counts or weights, None where chance alone explains all."""
    total = matrix.sum()
    if not total:
        return None
    seen = np.trace(matrix) / total
    chance = float((matrix.sum(axis=0) * matrix.sum(axis=1)).sum() / total**2)
    return None if chance >= 1 - 1e-12 else float((seen - chance) / (1 - chance))


def compare(
    judged: Sequence[tuple[Case, Answer]], available: Mapping[Label, int], seed: int = 0
) -> Agreement:
    """The person's answers beside the labels; `available` says how many sentences have each label."""
    labels = list(Label)
    frames = [NO_FRAME, *(side for side, _, _ in sides())]
    pairs = [(answer.label, case.label) for case, answer in judged]
    strata = [labels.index(case.label) for case, _ in judged]
    told = [case.label in (Label.NEUTRAL_REPORT, Label.ANALYTICAL_OPINION) for case, _ in judged]
    opinions = [
        (answer.opinion, case.answer.opinion)
        for (case, answer), known in zip(judged, told, strict=True)
        if known
    ]
    spoken = [(a.voice, c.answer.voice) for c, a in judged if a.voice and c.answer.voice]
    return Agreement(
        label=_kappa(pairs, labels, strata, seed),
        weighted=_weighted(pairs, labels, available),
        frame=_kappa([(a.frame, c.answer.frame) for c, a in judged], frames, strata, seed),
        opinion=_kappa(
            opinions, [False, True], [s for s, known in zip(strata, told, strict=True) if known], seed
        ),
        voice=_kappa(
            spoken,
            list(Voice),
            [s for s, (c, a) in zip(strata, judged, strict=True) if a.voice and c.answer.voice],
            seed,
        ),
        confusion=tuple(tuple(int(n) for n in row) for row in _table(pairs, labels)),
        differ=tuple(case.id for case, answer in judged if answer.label is not case.label),
    )


def _table(pairs: Sequence[tuple[Any, Any]], values: Sequence[Any]) -> Array:
    result = np.zeros((len(values), len(values)))
    for one, other in pairs:
        result[values.index(one), values.index(other)] += 1
    return result


def _kappa(
    pairs: Sequence[tuple[Any, Any]], values: Sequence[Any], strata: Sequence[int], seed: int
) -> Kappa:
    """Kappa with its percentile interval over sentences drawn anew within each stratum."""
    agreed = sum(one == other for one, other in pairs)
    value = kappa(_table(pairs, values))
    if value is None or len(pairs) < 2:
        return Kappa(value, None, None, agreed, len(pairs))
    generator = np.random.default_rng(seed)
    cells = np.array([values.index(a) * len(values) + values.index(b) for a, b in pairs])
    groups = [np.flatnonzero(np.array(strata) == stratum) for stratum in sorted(set(strata))]
    found = []
    for _ in range(DRAWS):
        places = np.concatenate([generator.choice(group, len(group)) for group in groups])
        table = np.bincount(cells[places], minlength=len(values) ** 2).reshape(len(values), len(values))
        again = kappa(table.astype(float))
        if again is not None:
            found.append(again)
    if not found:
        return Kappa(value, None, None, agreed, len(pairs))
    low, high = (float(bound) for bound in np.quantile(found, [0.025, 0.975]))
    return Kappa(value, low, high, agreed, len(pairs))


def _weighted(
    pairs: Sequence[tuple[Label, Label]], labels: Sequence[Label], available: Mapping[Label, int]
) -> float | None:
    """Kappa as it would be in all sentences: each stratum counts as much as it is large."""
    drawn = Counter(other for _, other in pairs)
    table = _table(pairs, labels)
    for column, label in enumerate(labels):
        if drawn[label]:
            table[:, column] *= available.get(label, 0) / drawn[label]
    return kappa(table)
