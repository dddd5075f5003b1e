"""Pictures of a benchmark as SVG, the same bytes for the same figures; the only door to matplotlib."""

from __future__ import annotations

import importlib
import importlib.util
import io
import math
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from stance.errors import StanceError

if TYPE_CHECKING:
    from stance.evaluate import RulePrecision, Scores

# White behind letters, to read them upon lines and bars.
_GROUND: Final = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
# Distinct for colour-blind readers (Okabe & Ito).
_MAIN: Final = "#0072b2"
_BAND: Final = "#cccccc"
_COLORS: Final = {
    "every label": "#000000",
    "neutral_report": "#999999",
    "pro_kyiv": "#0072b2",
    "pro_moscow": "#d55e00",
    "analytical_opinion": "#009e73",
}
_PANEL: Final = 3.4  # inches
_FEW_HITS: Final = 5
_MOST_RULES: Final = 40
_FEW_KEPT: Final = 5
_LOW: Final = 0.1
_STYLE: Final = {
    "svg.hashsalt": "stance",  # ids of the parts of a picture; random without it
    "svg.fonttype": "none",  # text stays text: small, and found by a search
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
}


def check_available() -> None:
    """Raises ``StanceError`` where matplotlib is not installed."""
    if importlib.util.find_spec("matplotlib") is None:
        raise StanceError("plots need matplotlib; `pip install 'stance[bench]'` adds it")


def accuracy(
    folder: Path, scores: Mapping[str, Scores], rules: Mapping[str, Mapping[str, RulePrecision]]
) -> list[Path]:
    """Draw what ``stance bench accuracy`` found; the files that were written."""
    folder.mkdir(parents=True, exist_ok=True)
    calibrated = {name: s for name, s in scores.items() if s.calibration is not None}
    frequent = {
        name: [(rule, row) for rule, row in found.items() if row.hits >= _FEW_HITS][:_MOST_RULES]
        for name, found in rules.items()
    }
    tall = max((len(rows) for rows in frequent.values()), default=0)
    pictures: list[tuple[str, Mapping[str, Any], Callable[[Any, Any], None], tuple[float, float]]] = [
        ("confusion", scores, _confusion, (_PANEL, _PANEL)),
        ("reliability", calibrated, _reliability, (_PANEL, _PANEL)),
        ("precision-coverage", calibrated, _coverage, (_PANEL, _PANEL)),
        (
            "rules",
            {name: rows for name, rows in frequent.items() if rows},
            _rules,
            (1.9 * _PANEL, 0.8 + 0.16 * tall),
        ),
    ]
    written = []
    for name, panels, draw, size in pictures:
        if panels:
            path = folder / f"{name}.svg"
            path.write_bytes(_picture(panels, draw, size))
            written.append(path)
    return written


def speed(folder: Path, rates: Mapping[str, Mapping[str, float]], peers: Sequence[str]) -> list[Path]:
    """Draw what ``stance bench throughput`` found; the files that were written.

    Args:
        folder: where the picture goes; made where there is none.
        rates: sentences a second by corpus and contestant.
        peers: contestants to compare with; the first that took part is 1.
    """
    folder.mkdir(parents=True, exist_ok=True)
    panels = {}
    for corpus, found in rates.items():
        peer = next((name for name in peers if found.get(name)), None)
        if peer is not None:
            panels[corpus] = (peer, {name: rate / found[peer] for name, rate in found.items() if rate})
    if not panels:
        return []
    tall = max(len(ratios) for _, ratios in panels.values())
    path = folder / "speed.svg"
    path.write_bytes(_picture(panels, _speed, (1.5 * _PANEL, 0.9 + 0.2 * tall)))
    return [path]


def _picture(panels: Mapping[str, Any], draw: Callable[[Any, Any], None], size: tuple[float, float]) -> bytes:
    """One panel a system, at most three beside each other."""
    matplotlib: Any = importlib.import_module("matplotlib")  # heavy, and not everybody has it
    library: Any = importlib.import_module("matplotlib.figure")
    with matplotlib.rc_context(_STYLE):
        columns = min(3, len(panels))
        rows = math.ceil(len(panels) / columns)
        figure = library.Figure(figsize=(columns * size[0], rows * size[1]), layout="constrained")
        axes = figure.subplots(rows, columns, squeeze=False).ravel()
        for ax, (name, values) in zip(axes, panels.items(), strict=False):
            draw(ax, values)
            ax.set_title(name)
        for ax in axes[len(panels) :]:
            ax.set_visible(False)
        handles, names = axes[0].get_legend_handles_labels()
        if handles:
            figure.legend(handles, names, loc="outside lower center", ncols=len(handles), frameon=False)
        stream = io.BytesIO()
        figure.savefig(stream, format="svg", metadata={"Date": None, "Creator": None})
    return stream.getvalue()


def _short(label: str) -> str:
    return label.replace("_", "\n", 1)


def _confusion(ax: Any, scores: Scores) -> None:
    """Shares of each right label, with counts."""
    names = list(scores.per_label)
    totals = [max(1, sum(row)) for row in scores.confusion]
    shares = [[n / total for n in row] for row, total in zip(scores.confusion, totals, strict=True)]
    ax.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    for i, row in enumerate(scores.confusion):
        for j, count in enumerate(row):
            ink = "white" if shares[i][j] > 0.55 else "black"
            ax.text(j, i, str(count), ha="center", va="center", color=ink)
    ticks = range(len(names))
    ax.set_xticks(ticks, [_short(name) for name in names])
    ax.set_yticks(ticks, [_short(name) for name in names])
    ax.set_xlabel("found")
    ax.set_ylabel("right")


def _reliability(ax: Any, scores: Scores) -> None:
    """How often answers of a probability are right, on the band of a perfect predictor."""
    assert scores.calibration is not None
    bins = scores.calibration.bins
    p = [part.probability for part in bins]
    ax.plot([0, 1], [0, 1], color=_BAND, linewidth=1)
    ax.vlines(
        p,
        [part.perfect_low for part in bins],
        [part.perfect_high for part in bins],
        color=_BAND,
        linewidth=7,
        label="perfect predictor, 95%",
    )
    ax.plot(p, [part.right for part in bins], "o-", color=_MAIN, markersize=4, clip_on=False, label="found")
    for part in bins:
        ax.annotate(
            str(part.sentences),
            (part.probability, part.right),
            (5, 4 if part.right < _LOW else -9),  # above what is low, so that it stays off the axis
            textcoords="offset points",
            fontsize=6,
            bbox=_GROUND,
        )
    ax.set(xlim=(0, 1), ylim=(0, 1), xlabel="probability of the answer", ylabel="share right")
    low, high = scores.calibration.perfect_low, scores.calibration.perfect_high
    note = f"ECE {scores.calibration.error:.3f}\n(perfect: {low:.3f} to {high:.3f})"
    ax.text(0.97, 0.05, note, transform=ax.transAxes, ha="right", bbox=_GROUND)


def _coverage(ax: Any, scores: Scores) -> None:
    """Precision of what is left when improbable answers go to a person, by label."""
    from stance.calibration import EVERY

    for name, color in _COLORS.items():
        points = [kept for kept in (scores.coverage or {}).get(name, ()) if kept.kept >= _FEW_KEPT]
        ax.plot(
            [kept.coverage for kept in points],
            [kept.precision for kept in points],
            ":" if name == EVERY else "-",
            color=color,
            label=name,
            clip_on=False,
        )
        places = {(kept.coverage, kept.precision) for kept in points}
        if len(places) == 1:  # a line without length would not show
            ax.plot(*places.pop(), "o", color=color, markersize=4, clip_on=False)
    ax.set(xlim=(0, 1), ylim=(0, 1.02), xlabel="share of the answers kept", ylabel="precision of those kept")


def _rules(ax: Any, rows: Sequence[tuple[str, RulePrecision]]) -> None:
    """Precision of frequent rules with Wilson's interval."""
    ranked = sorted(rows, key=lambda row: (row[1].precision, row[1].hits, row[0]))
    for place, (_, row) in enumerate(ranked):
        low, high = wilson(row.right, row.hits)
        ax.plot([low, high], [place, place], color=_BAND, linewidth=3, solid_capstyle="butt")
        ax.plot([row.precision], [place], "o", color=_MAIN, markersize=4)
    ax.set_yticks(range(len(ranked)), [f"{rule} ({row.hits})" for rule, row in ranked])
    ax.set(
        xlim=(0, 1.02),
        ylim=(-0.7, len(ranked) - 0.3),
        xlabel=f"precision, rules with {_FEW_HITS} hits or more",
    )


def _speed(ax: Any, panel: tuple[str, Mapping[str, float]]) -> None:
    """Bars from the peer at 1, to the left what is slower, to the right what is faster."""
    peer, ratios = panel
    names = list(ratios)[::-1]
    for place, name in enumerate(names):
        ratio = ratios[name]
        floor = name.startswith("floor")  # no contestant: a part of the work
        ax.barh(place, ratio - 1, left=1, height=0.7, color=_BAND if floor else _MAIN)
        ax.annotate(
            f"{ratio:.3g}",
            (ratio, place),
            (4 if ratio >= 1 else -4, 0),
            textcoords="offset points",
            ha="left" if ratio >= 1 else "right",
            va="center",
            fontsize=7,
        )
    ax.axvline(1, color="black", linewidth=0.8)
    ax.set_yticks(range(len(names)), names)
    # Room for the figures at the ends of the longest bars.
    ax.set(
        xscale="log",
        xlim=(min(ratios.values()) / 2, 2 * max(ratios.values())),
        ylim=(-0.7, len(names) - 0.3),
        xlabel=f"sentences a second, {peer} = 1",
    )
    ax.xaxis.set_major_formatter("{x:g}")


def wilson(right: int, total: int, z: float = 1.959964) -> tuple[float, float]:
    """95% interval of a share (Wilson 1927)."""
    share = right / total
    middle = share + z * z / (2 * total)
    spread = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total))
    scale = 1 + z * z / total
    return (middle - spread) / scale, (middle + spread) / scale
