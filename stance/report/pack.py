"""The sentences of a report, embedded for the page's own script: small, and unpacked piece by piece.

One index holds a column for each field by which sentences are found (a digit or a letter a sentence); the
texts and their evidence lie in chunks of whole articles that are unpacked when they are shown or searched.
Everything is JSON, deflated, in base64. Offsets are in UTF-16 units here, as scripts count them.
"""

from __future__ import annotations

import base64
import json
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from stance.labels import Label, NotCounted, Voice
from stance.report.data import Gathered, Piece, Row, clean, sides
from stance.report.figures import SPEAKERS, speaker_side

CHUNK: Final = 800  # sentences, about 30 ms of unpacking on a slow machine
LABELS: Final = tuple(Label)
VOICES: Final = tuple(Voice)
REASONS: Final = tuple(NotCounted)
SIDES: Final = (*(side for side, _, _ in sides()), *SPEAKERS)


@dataclass
class _Table:
    """Values held once, known by their position."""

    values: list[Any] = field(default_factory=list)
    places: dict[Any, int] = field(default_factory=dict)

    def place(self, value: Any) -> int:
        at = self.places.setdefault(value, len(self.values))
        if at == len(self.values):
            self.values.append(value)
        return at


@dataclass(frozen=True, slots=True)
class Packed:
    """`index` and `chunks`, each in base64: plain ASCII that may stand in a page as it is."""

    index: str
    chunks: tuple[str, ...]


def pack(gathered: Gathered, *, open_article: bool = False) -> Packed:
    """All sentences; `open_article` tells the page to be the one article that there is."""
    outlets, speakers, rules = _Table(), _Table(), _Table()
    outlets_in_order = gathered.outlets
    for name in outlets_in_order:
        outlets.place(name)
    bounds = _bounds(gathered.rows)
    articles = [
        [
            article.title or article.name,
            outlets.place(article.outlet),
            "" if article.day is None else article.day.isoformat(),
            article.link if article.link.startswith(("http://", "https://")) else "",
            article.author,
            article.name,
        ]
        for article in gathered.articles
    ]
    chunks = []
    starts = []
    for first, last in _chunks(gathered.rows):
        starts.append(first)
        rows = gathered.rows[first:last]
        pieces = [[_piece(piece, row.text, rules, speakers) for piece in row.pieces] for row in rows]
        chunks.append(_deflated([[row.text for row in rows], pieces]))
    rows = gathered.rows
    index = {
        "outlets": outlets.values,
        "articles": articles,
        "bounds": bounds,
        "label": "".join(str(LABELS.index(row.label)) for row in rows),
        "voice": "".join(str(VOICES.index(row.voice)) for row in rows),
        "side": "".join(_side(row) for row in rows),
        "opinion": "".join("01"[row.opinion] for row in rows),
        "doubt": "".join("2" if row.abstained else "01"[row.doubtful] for row in rows),
        "gap": "".join(
            "01"[row.starts_paragraph(rows[at - 1] if at else None)] for at, row in enumerate(rows)
        ),
        "sure": [round(100 * row.sure) for row in rows],
        "who": [-1 if row.speaker is None else speakers.place(row.speaker) for row in rows],
        "rules": [
            sorted({rules.place(_rule(p)) for p in row.pieces if p.decided and p.rule}) for row in rows
        ],
        "people": {
            at: [
                clean(row.person.name),
                row.person.frame,
                row.person.opinion,
                row.person.voice,
                row.person.made_at[:10],
            ]
            for at, row in enumerate(rows)
            if row.person is not None
        },
        "starts": starts,
        "open": open_article,
    }
    index["speakers"] = speakers.values
    index["ruletable"] = rules.values
    return Packed(_deflated(index), tuple(chunks))


def utf16(text: str, at: int) -> int:
    """A position in code points as one in UTF-16 units."""
    return at if text.isascii() else at + sum(character > "\uffff" for character in text[:at])


def _piece(piece: Piece, text: str, rules: _Table, speakers: _Table) -> list[Any]:
    state = 0 if piece.not_counted is None else 1 + _reason(piece.not_counted)
    return [
        rules.place(_rule(piece)),
        utf16(text, piece.start),
        utf16(text, piece.end),
        VOICES.index(piece.voice),
        -1 if piece.speaker is None else speakers.place(piece.speaker),
        state,
        round(piece.weight, 2),
        int(piece.decided),
    ]


def _reason(name: str) -> int:
    return next((number for number, reason in enumerate(REASONS) if reason.value == name), 0)


def _rule(piece: Piece) -> tuple[Any, ...]:
    return (piece.rule or "", piece.kind, piece.effect, piece.test or "", piece.side or "", piece.because)


def _side(row: Row) -> str:
    side = speaker_side(row)
    return "-" if not side else str(SIDES.index(side)) if side in SIDES else str(len(SIDES) - 1)


def _bounds(rows: Sequence[Row]) -> list[int]:
    """Position of the first sentence of each article, then the number of sentences."""
    bounds: list[int] = []
    for at, row in enumerate(rows):
        while len(bounds) <= row.article:
            bounds.append(at)
    return [*bounds, len(rows)]


def _chunks(rows: Sequence[Row]) -> Iterator[tuple[int, int]]:
    """Stretches of whole articles of about CHUNK sentences; an article alone may be longer."""
    first = 0
    for at in range(1, len(rows) + 1):
        end = at == len(rows)
        if end or (at - first >= CHUNK and rows[at].article != rows[at - 1].article):
            yield first, at
            first = at


def _deflated(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    packed = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    return base64.b64encode(packed.compress(text.encode("utf-8", "replace")) + packed.flush()).decode("ascii")
