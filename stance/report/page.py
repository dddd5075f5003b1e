"""The page: templates in, one self-contained file out. The only door to Jinja2.

Jinja2 escapes whatever is put into the markup (``autoescape``, said aloud below); the page's script sets
text and never markup. Style and script stand inside the file, and a content security policy names their
digests, so that nothing else runs and nothing is loaded from anywhere.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from stance.labels import TESTS, Label, Voice
from stance.report import charts
from stance.report.data import NO_OUTLET, Gathered, Piece, Row, clean, missing, plural, sides
from stance.report.figures import (
    FEWEST_SENTENCES,
    SHOWN,
    SPEAKERS,
    Figures,
    Share,
    figures,
    kind_of,
)
from stance.report.pack import LABELS, REASONS, SIDES, VOICES, pack
from stance.sinks.story import WHY_NOT
from stance.version import __version__

MOST: Final = 24  # outlets with bars, tables and lists of their own
DOUBTFUL: Final = 20
CLASSES: Final = dict(zip(Label, ("n", "a", "b", "o"), strict=True))
VOICE_NAMES: Final = {
    Voice.AUTHOR: "own voice",
    Voice.ATTRIBUTED: "reported speech",
    Voice.QUOTED: "quotation",
}
_SPEAKER_NAMES: Final = {"western": "Western officials", "other": "others", "unknown": "nobody named"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A sentence as a page shows it: `parts` are its words, each with whether they decided."""

    at: int
    css: str
    chip: str
    parts: tuple[tuple[str, bool], ...]
    voice: str
    speaker: str
    sure: str
    why: tuple[Mapping[str, str], ...]
    unheard: tuple[Mapping[str, str], ...]
    outlet: str
    day: str
    title: str
    article: int
    plain: bool
    doubtful: bool
    gap: bool


def report(gathered: Gathered, *, title: str = "", today: date | None = None) -> str:
    """The report of many articles as HTML."""
    now = today or datetime.now(UTC).date()
    found = figures(gathered, today=now, most=MOST)
    return _render(
        "report.html",
        gathered,
        found,
        title=clean(title) or "What was said, and in whose voice",
        packed=pack(gathered),
        now=now,
        notes=missing(gathered, now),
        **_report_parts(gathered, found),
    )


def article(gathered: Gathered, *, title: str = "", today: date | None = None) -> str:
    """One article, its sentences coloured, as HTML."""
    now = today or datetime.now(UTC).date()
    found = figures(gathered, today=now, most=1)
    of = gathered.articles[0]
    return _render(
        "article.html",
        gathered,
        found,
        title=clean(title) or of.title or of.name or "One text",
        packed=pack(gathered, open_article=True),
        now=now,
        article=of,
        notes=gathered.notes,
        outlet="" if of.outlet == NO_OUTLET else of.outlet,
        link=of.link if of.link.startswith(("http://", "https://")) else "",
        sentences=tuple(shown(gathered, at) for at in range(len(gathered.rows))),
    )


def shown(gathered: Gathered, at: int) -> Shown:
    """One sentence of the gathered rows, ready for a template."""
    row = gathered.rows[at]
    of = gathered.articles[row.article]
    return Shown(
        at=at,
        css=css_of(row),
        chip=chip(row),
        parts=tuple(marked(row.text, [(p.start, p.end) for p in row.pieces if p.decided])),
        voice=VOICE_NAMES[row.voice],
        speaker=speaker_text(row),
        sure=">99%" if row.sure >= 0.995 else charts.percent(row.sure),
        why=tuple(_told(row, p) for p in row.pieces if p.decided),
        unheard=tuple(_told(row, p) for p in row.pieces if p.not_counted is not None),
        outlet=of.outlet,
        day="" if of.day is None else of.day.isoformat(),
        title=of.title or of.name,
        article=row.article,
        plain=row.label is Label.NEUTRAL_REPORT,
        doubtful=row.doubtful,
        gap=row.starts_paragraph(gathered.rows[at - 1] if at else None),
    )


def css_of(row: Row) -> str:
    """Classes of a sentence: the letter of its label, and whether others say it."""
    names = [CLASSES[row.label]]
    if row.voice is not Voice.AUTHOR and row.label is not row.own:
        names.append("others")
    if row.doubtful:
        names.append("doubt")
    return " ".join(names)


def chip(row: Row) -> str:
    """The label in a word or two: whose frame and in whose voice; "" for a plain report."""
    for _, name, label in sides():
        if row.label is label:
            return f"{name} · {VOICE_NAMES[row.voice]}"
    return "opinion" if row.label is Label.ANALYTICAL_OPINION else ""


def label_name(label: Label) -> str:
    """A label for people."""
    for _, name, framed in sides():
        if label is framed:
            return f"{name}’s frame"
    return "opinion" if label is Label.ANALYTICAL_OPINION else "plain report"


def side_name(side: str) -> str:
    """A speaker's side for people."""
    named = {name: f"{shown}’s side" for name, shown, _ in sides()}
    return named.get(side) or _SPEAKER_NAMES.get(side, side)


def speaker_text(row: Row) -> str:
    """Who speaks and on whose side; nothing in the author's own voice."""
    if row.voice is Voice.AUTHOR or row.speaker is None:
        return ""
    name, side = row.speaker
    return f"{name} ({side_name(side)})" if name else side_name(side)


def marked(text: str, spans: Sequence[tuple[int, int]]) -> Iterator[tuple[str, bool]]:
    """`text` cut at the spans (code points, in any order, overlapping or not)."""
    at = 0
    for start, end in merged(spans):
        if start > at:
            yield text[at:start], False
        yield text[start:end], True
        at = end
    if at < len(text):
        yield text[at:], False


def merged(spans: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Spans in order; those that meet are one."""
    result: list[tuple[int, int]] = []
    for start, end in sorted(span for span in spans if span[1] > span[0]):
        if result and start <= result[-1][1]:
            result[-1] = (result[-1][0], max(result[-1][1], end))
        else:
            result.append((start, end))
    return result


def _told(row: Row, piece: Piece) -> dict[str, str]:
    """One piece of evidence in words."""
    kind = kind_of(piece)
    named = next((name for side, name, _ in sides() if side == kind), kind)
    return {
        "words": " ".join(row.text[piece.start : piece.end].split()),
        "rule": piece.rule or "",
        "because": piece.because,
        "test": TESTS.get(piece.test or "", ""),
        "kind": f"{named}’s frame" if piece.side else piece.effect,
        "why_not": WHY_NOT.get(piece.not_counted or "", piece.not_counted or ""),
    }


def _render(template: str, gathered: Gathered, found: Figures, *, now: date, **values: Any) -> str:
    style, script = _inside("report.css"), _inside("report.js")
    policy = (
        f"default-src 'none'; script-src '{_digest(script)}'; style-src '{_digest(style)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        _environment()
        .get_template(template)
        .render(
            policy=policy,
            style=style,
            script=script,
            words=_words(),
            gathered=gathered,
            found=found,
            version=__version__,
            made=now.isoformat(),
            range=_range(found),
            versions=_versions(gathered),
            side_list=_side_list(found),
            **values,
        )
    )


def _report_parts(gathered: Gathered, found: Figures) -> dict[str, Any]:
    """What the report shows beyond the figures themselves."""
    large = found.outlets[:MOST]
    scale = charts.axis(large)
    top = max((charts.largest_column(found.by_outlet.get(o.group, ())) for o in large), default=0)
    total = sum(found.carried.values())
    return {
        "total": total,
        "outlets": [
            {
                "of": outlet,
                "name": found.groups.names[outlet.group],
                "place": found.groups.places[outlet.group],
                "own": charts.stack(outlet.own, scale),
                "carried": charts.stack(outlet.carried, scale),
            }
            for outlet in large
        ],
        "opinion_end": max(
            0.05,
            *(max(s.high or s.value for s in (o.opinion_own, o.opinion_experts)) for o in large),
        )
        if large
        else 0.05,
        "more_outlets": len(found.outlets) - len(large),
        "what": "article" if found.groups.by_article else "outlet",
        "axis": scale,
        "findings": [
            {
                "of": finding,
                "css": CLASSES[finding.label],
                "name": label_name(finding.label),
                "label": LABELS.index(finding.label),
                "sentences": [shown(gathered, at) for at in finding.examples],
            }
            for finding in found.findings
        ],
        "timeline": charts.timeline(found.buckets, 200) if found.buckets else None,
        "small": [
            (o, charts.timeline(found.by_outlet[o.group], 92, top))
            for o in large
            if len(found.groups.names) > 1 and not found.groups.by_article and found.by_outlet.get(o.group)
        ][:12],
        "speaker_sides": [(side, side_name(side)) for side in SIDES],
        "speakers": SPEAKERS,
        "experts": f"side={SIDES.index('other')}",
        "doubtful": [shown(gathered, at) for at in found.doubtful[:DOUBTFUL]],
        "fewest": FEWEST_SENTENCES,
        "most": MOST,
    }


def _side_list(found: Figures) -> list[dict[str, Any]]:
    return [
        {
            "id": side,
            "name": name,
            "css": CLASSES[label],
            "label": label,
            "code": LABELS.index(label),
            "own": found.own.get(label, 0),
            "carried": found.carried.get(label, 0),
        }
        for side, name, label in sides()
    ]


def _range(found: Figures) -> str:
    if found.first is None or found.last is None:
        return ""
    first, last = found.first, found.last
    if first == last:
        return _spoken(last)
    return f"{_spoken(first)} to {_spoken(last)}"


def _spoken(day: date) -> str:
    months = "January February March April May June July August September October November December".split()
    return f"{day.day} {months[day.month - 1]} {day.year}"


def _versions(gathered: Gathered) -> list[str]:
    return [
        ", ".join(f"{name} {value}" for name, value in versions.items() if value)
        for versions in gathered.versions
    ]


def _words() -> str:
    """The closed sets in words, for the script; JSON that is safe inside a script element."""
    words = {
        "labels": [label_name(label) for label in LABELS],
        "chips": [label_name(label) if label not in SHOWN else "" for label in LABELS],
        "sides": [name for _, name, _ in sides()],
        "sideids": [side for side, _, _ in sides()],
        "css": [CLASSES[label] for label in LABELS],
        "voiceids": [voice.value for voice in VOICES],
        "voices": [VOICE_NAMES[voice] for voice in VOICES],
        "speakers": [side_name(side) for side in SIDES],
        "speakerids": list(SIDES),
        "tests": dict(TESTS),
        "whynot": [WHY_NOT[reason.value] for reason in REASONS],
    }
    text = json.dumps(words, ensure_ascii=True, separators=(",", ":"))
    return text.replace("<", "\\u003c")


def _interval(share: Share) -> str:
    """Both ends of an interval; one sign where both read alike."""
    low, high = charts.percent(share.low or 0.0), charts.percent(share.high or 0.0)
    return f"{low.removesuffix('%')}–{high}"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode("utf-8")).digest()).decode("ascii")


@cache
def _inside(name: str) -> str:
    """A file that goes into every page, without the comments for developers."""
    text = files("stance.report").joinpath("templates", name).read_text(encoding="utf-8")
    text = re.sub(r"/\*.*?\*/", "", text, flags=re.S)
    return re.sub(r"\n\s*\n+", "\n", text).strip()


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("stance.report", "templates"),
        autoescape=True,  # for every template, whatever its name
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "percent": charts.percent,
        "interval": _interval,
        "plural": plural,
        "number": lambda value: f"{value:,}",
        "fine": lambda value: f"{value:.2f}".rstrip("0").rstrip("."),
        "label_name": label_name,
        "label_code": LABELS.index,
        "css": lambda label: CLASSES[label],
        "side_name": side_name,
    }
    return environment
