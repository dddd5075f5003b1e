"""Do probabilities mean what they say, and what does leaving improbable answers to a person buy?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

Array = np.ndarray[Any, np.dtype[Any]]
BINS: Final = 10
DRAWS: Final = 2000
BAND: Final = (0.025, 0.975)
# Values of --abstain-below for which precision and coverage are told; tables show a few of them.
STEPS: Final = tuple(round(0.02 * k, 2) for k in range(50))
SHOWN_STEPS: Final = (0.0, 0.5, 0.6, 0.7, 0.8, 0.9)
EVERY: Final = "every label"


@dataclass(frozen=True, slots=True)
class Bin:
    """Answers of about the same probability: its mean, the share right, and the band of the share for a
    perfect predictor of these probabilities (95% of draws)."""

    sentences: int
    probability: float
    right: float
    perfect_low: float
    perfect_high: float

    def to_dict(self) -> dict[str, float]:
        """The bin as JSON, rounded to four digits."""
        return {
            "sentences": self.sentences,
            "probability": round(self.probability, 4),
            "right": round(self.right, 4),
            "perfect_low": round(self.perfect_low, 4),
            "perfect_high": round(self.perfect_high, 4),
        }


@dataclass(frozen=True, slots=True)
class Calibration:
    """Expected calibration error, and between what it lies for a perfect predictor of these probabilities.

    On the sentences of ``batch`` random where the data say so: a selection has no natural proportions.
    """

    error: float
    perfect_low: float
    perfect_high: float
    sentences: int
    random_only: bool
    bins: tuple[Bin, ...] = ()

    def to_dict(self) -> dict[str, Any]:
        """The calibration as JSON."""
        return {
            "error": self.error,
            "perfect": [self.perfect_low, self.perfect_high],
            "sentences": self.sentences,
            "random_only": self.random_only,
            "bins": [part.to_dict() for part in self.bins],
        }


def calibrated(p: Array, right: Array, *, random_only: bool) -> Calibration:
    """Calibration of probabilities (sentences,) of answers that were right or not (sentences,)."""
    place = _places(p)
    counts = np.bincount(place, minlength=BINS)
    errors, shares = _perfect(p, place, counts)
    low, high = np.quantile(errors, BAND)
    bins = []
    for number in np.flatnonzero(counts):
        inside = place == number
        below, above = np.quantile(shares[:, number], BAND)
        bins.append(
            Bin(
                sentences=int(counts[number]),
                probability=float(p[inside].mean()),
                right=float(right[inside].mean()),
                perfect_low=float(below),
                perfect_high=float(above),
            )
        )
    error = calibration_error(p, right)
    return Calibration(
        round(error, 4), round(float(low), 4), round(float(high), 4), len(p), random_only, tuple(bins)
    )


def _perfect(p: Array, place: Array, counts: Array) -> tuple[Array, Array]:
    """Draws of a perfect predictor: its error (draws,) and its share right in each bin (draws, bins)."""
    generator = np.random.default_rng(0)
    errors, shares = np.zeros(DRAWS), np.zeros((DRAWS, BINS))
    for draw in range(DRAWS):  # one by one: all at once would fill the memory
        right = generator.random(len(p)) < p
        errors[draw] = calibration_error(p, right)
        shares[draw] = np.bincount(place, weights=right, minlength=BINS) / np.maximum(counts, 1)
    return errors, shares


def _places(p: Array) -> Array:
    place: Array = np.minimum((p * BINS).astype(int), BINS - 1)
    return place


def calibration_error(p: Array, right: Array) -> float:
    """Expected calibration error (Guo et al. 2017) in equal-width bins; both arrays are (sentences,)."""
    place = _places(p)
    gaps = np.bincount(place, weights=p, minlength=BINS) - np.bincount(place, weights=right, minlength=BINS)
    return float(np.abs(gaps).sum() / len(p))


@dataclass(frozen=True, slots=True)
class Kept:
    """What is left when answers less probable than ``below`` go to a person: of ``answers``, ``kept``
    remain, of them ``right`` are right."""

    below: float
    answers: int
    kept: int
    right: int

    @property
    def coverage(self) -> float:
        """The share of sentences that are kept."""
        return self.kept / self.answers if self.answers else 0.0

    @property
    def precision(self) -> float | None:
        """The share of the kept ones that are right; None where none is kept."""
        return self.right / self.kept if self.kept else None

    def to_dict(self) -> dict[str, float | None]:
        """The point of the curve as JSON."""
        precision = self.precision
        return {
            "abstain_below": self.below,
            "kept": self.kept,
            "coverage": round(self.coverage, 4),
            "precision": None if precision is None else round(precision, 4),
        }


Curve = tuple[Kept, ...]


def coverage(labels: Sequence[str], p: Array, right: Array) -> Mapping[str, Curve]:
    """Precision and coverage by found label and over all, for every step of ``--abstain-below``.

    Coverage is the share of the sentences given this label that keep it. ``p`` and ``right`` are
    (sentences,). Labels that were never found have no curve.
    """
    names = np.array(labels)
    return {
        name: tuple(
            Kept(step, int(mine.sum()), int((mine & (p >= step)).sum()), int(right[mine & (p >= step)].sum()))
            for step in STEPS
        )
        for name in (EVERY, *dict.fromkeys(labels))
        if (mine := np.full(len(names), True) if name == EVERY else names == name).any()
    }


def changing(curve: Curve) -> Curve:
    """The first step, and those at which fewer answers are left than before."""
    return tuple(k for i, k in enumerate(curve) if i == 0 or k.kept != curve[i - 1].kept)
