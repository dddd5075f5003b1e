"""Where the marks of a chart go: percentages of a width, pixels of a height. No markup is made here."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from stance.labels import Label
from stance.report.figures import SHOWN, Bucket, Outlet, Share


@dataclass(frozen=True, slots=True)
class Segment:
    """One label's part of a stacked bar, and the interval of its end; all in percent of the axis."""

    label: Label
    share: Share
    x: float
    width: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis from 0 to `end` (a share), with its ticks: percent of the width, text."""

    end: float
    ticks: tuple[tuple[float, str], ...]


@dataclass(frozen=True, slots=True)
class Column:
    """A bucket's column: up for the first side, down for the second; own voice first, then others'.

    Each part is y and height in pixels.
    """

    bucket: Bucket
    x: float
    width: float
    parts: tuple[tuple[str, float, float], ...]  # css class, y, height


@dataclass(frozen=True, slots=True)
class Timeline:
    """Columns over time around a middle line at `middle` pixels."""

    columns: tuple[Column, ...]
    height: int
    middle: float
    top: int
    ticks: tuple[tuple[float, str], ...]  # y in pixels, text
    names: tuple[tuple[float, str, str], ...]  # x in percent, text, anchor


def axis(outlets: Sequence[Outlet]) -> Axis:
    """One axis for all bars: the longest stack, rounded up."""
    longest = max((sum(s.value for s in o.carried.values()) for o in outlets), default=0.0)
    longest = max(longest, max((sum(s.value for s in o.own.values()) for o in outlets), default=0.0))
    end = next((step for step in (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.8, 1.0) if step >= longest * 1.04), 1.0)
    step = {0.1: 0.025, 0.2: 0.05, 0.3: 0.1, 0.4: 0.1, 0.5: 0.1, 0.6: 0.2, 0.8: 0.2, 1.0: 0.25}[end]
    count = round(end / step)
    return Axis(end, tuple((100 * i / count, percent(i * step)) for i in range(count + 1)))


def stack(shares: Mapping[Label, Share], scale: Axis) -> tuple[Segment, ...]:
    """The stacked bar of one outlet under one policy."""
    result, at = [], 0.0
    for label in SHOWN:
        share = shares[label]
        ends = [
            None if bound is None else min(100.0, 100 * (at + bound) / scale.end)
            for bound in (share.low, share.high)
        ]
        width = max(0.0, min(100 * share.value / scale.end, 100.0 - 100 * at / scale.end))
        result.append(Segment(label, share, 100 * at / scale.end, width, *ends))
        at += share.value
    return tuple(result)


def timeline(buckets: Sequence[Bucket], height: int, top: int | None = None) -> Timeline:
    """Columns for these buckets; `top` fixes the largest number of sentences on either side."""
    largest = max((bucket.carried[label] for bucket in buckets for label in SHOWN[:2]), default=0)
    top = rounded(max(1, largest if top is None else top))
    middle = height / 2
    pitch = 100 / max(1, len(buckets))
    columns = []
    for number, bucket in enumerate(buckets):
        parts = []
        for name, label, way in (("a", SHOWN[0], -1), ("b", SHOWN[1], 1)):
            own = middle * bucket.own[label] / top
            others = middle * (bucket.carried[label] - bucket.own[label]) / top
            parts.append((f"{name} own", middle - own if way < 0 else middle, own))
            parts.append((f"{name} others", middle - own - others if way < 0 else middle + own, others))
        columns.append(Column(bucket, number * pitch + 0.1 * pitch, 0.8 * pitch, tuple(parts)))
    ticks = tuple((middle * (1 - part), f"{abs(part) * top:g}") for part in (1, 0.5, 0, -0.5, -1))
    if top % 2:
        ticks = ticks[::2]
    return Timeline(tuple(columns), height, middle, top, ticks, _names(buckets, pitch))


def largest_column(buckets: Sequence[Bucket]) -> int:
    """The most framed sentences of one side in one bucket."""
    return max((bucket.carried[label] for bucket in buckets for label in SHOWN[:2]), default=0)


def rounded(number: int) -> int:
    """The next number that reads well on an axis."""
    size = 10 ** max(0, math.floor(math.log10(max(1, number))))
    return next(int(size * step) for step in (1, 2, 3, 4, 5, 6, 8, 10) if size * step >= number)


def percent(share: float, digits: int = 0) -> str:
    """A share for people; a small one that is not nothing never reads as nothing."""
    value = 100 * share
    if 0 < value < 1:
        digits = 1
    text = f"{value:.{digits}f}"
    return "<0.1%" if value > 0 and float(text) == 0 else f"{text}%"


def _names(buckets: Sequence[Bucket], pitch: float) -> tuple[tuple[float, str, str], ...]:
    if not buckets:
        return ()
    if len(buckets) == 1:
        return ((50.0, buckets[0].name, "middle"),)
    last = len(buckets) - 1
    result = [(0.0, buckets[0].name, "start"), (100.0, buckets[last].name, "end")]
    if last >= 6:
        middle = last // 2
        result.append(((middle + 0.5) * pitch, buckets[middle].name, "middle"))
    return tuple(result)
