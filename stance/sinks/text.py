"""Text for people: each sentence with its label, whose words they are, and the words that decided.

Everything is drawn from records ``stance/1``, so that stored results can be shown like fresh ones.
"""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, BinaryIO, Final, TypeAlias

import click

from stance.labels import Label, Voice
from stance.sinks import Record, SinkOptions
from stance.sinks.inert import one_line

Piece: TypeAlias = tuple[str, bool]  # words, and whether they decided

_NEUTRAL, _FIRST, _SECOND, _OPINION = Label
COLOURS: Final = {_NEUTRAL: None, _FIRST: "bright_blue", _SECOND: "bright_red", _OPINION: "yellow"}
SHORT: Final = {
    _NEUTRAL: "report",
    _FIRST: _FIRST.value.replace("_", "-"),
    _SECOND: _SECOND.value.replace("_", "-"),
    _OPINION: "opinion",
}
_LABEL_WIDTH: Final = max(map(len, SHORT.values()))
_VOICE_WIDTH: Final = 18
_NARROW: Final = 76  # below this many cells the voice goes on a line of its own
_MAX_TEXT: Final = 96
_BARS_FROM: Final = 96


@dataclass(frozen=True, slots=True)
class Paint:
    """Styles, or plain text where escape sequences are not wanted."""

    color: bool

    def __call__(self, text: str, **style: Any) -> str:
        return click.style(text, **style) if self.color and text else text

    def label(self, label: Label, text: str, **style: Any) -> str:
        """A label in its colour."""
        return self(text, fg=COLOURS[label], dim=COLOURS[label] is None or None, **style)


class TextSink:
    """A block a document: its sentences, then what it carries and what it says in its own voice."""

    def __init__(self, stream: BinaryIO, options: SinkOptions) -> None:
        self._stream, self._options = stream, options
        self._paint = Paint(options.color)
        self._documents = 0
        self._carried: Counter[Label] = Counter()
        self._own: Counter[Label] = Counter()

    def write(self, records: Sequence[Record]) -> None:
        """Print the sentences, each document under a heading."""
        if not records:
            return
        single = records[0]["document"] is None
        if not single:
            self._lines(heading(records[0], self._paint, self._options.width))
        for record in records:
            self._lines(sentence(record, self._paint, self._options))
        carried, own = tally(records)
        if not single:
            self._lines(["", *summary(carried, own, self._paint, self._options.width), ""])
        self._documents += 1
        self._carried += carried
        self._own += own

    def finish(self) -> None:
        """Print the sums."""
        total = sum(self._carried.values())
        if self._documents > 1:
            title = (
                f"all {total} sentences" if total == self._documents else f"all {self._documents} documents"
            )
            self._lines(
                [
                    "",
                    self._paint(title, bold=True),
                    *summary(self._carried, self._own, self._paint, self._options.width),
                ]
            )
        self._stream.flush()

    def _lines(self, lines: Iterable[str]) -> None:
        text = "".join(f"{line}\n" for line in lines)
        self._stream.write(text.encode(self._options.encoding, "backslashreplace"))
        self._stream.flush()


def heading(record: Record, paint: Paint, width: int) -> list[str]:
    """The document's name and what its source says about it."""
    meta = record["meta"]
    facts = [one_line(str(meta[name])) for name in ("outlet", "author", "time") if meta.get(name)]
    lines = [paint(one_line(record["document"] or "text"), bold=True)]
    if meta.get("title"):
        lines += ["  " + line for line in wrap_plain(one_line(meta["title"]), max(20, width - 2))]
    if facts:
        lines.append("  " + paint(" · ".join(facts), dim=True))
    return [*lines, ""]


def sentence(record: Record, paint: Paint, options: SinkOptions) -> Iterator[str]:
    """The lines of one sentence: label, voice and speaker, the words, and the reason unless it is plain."""
    label = shown_label(record, options.policy)
    width = max(options.width, 30)
    badge = paint.label(label, SHORT[label].ljust(_LABEL_WIDTH))
    if record["abstained"]:
        badge = paint("?".ljust(_LABEL_WIDTH), dim=True)
    voice = _fitted(voice_of(record), _VOICE_WIDTH)
    narrow = width < _NARROW
    indent = 2 + _LABEL_WIDTH + 2 + (0 if narrow else _VOICE_WIDTH + 2)
    body = wrapped(marked(record, options.policy, paint.color), min(width - indent, _MAX_TEXT))
    lines = ["".join(styled(piece, label, paint) for piece in line) for line in body] or [""]
    if narrow:
        yield f"  {badge}  {paint(voice.strip(), dim=True)}"
        yield from (f"  {' ' * _LABEL_WIDTH}  {line}" for line in lines)
    else:
        yield f"  {badge}  {paint(voice, dim=True)}  {lines[0]}"
        yield from (" " * indent + line for line in lines[1:])
    if label is not _NEUTRAL:
        why = one_line(record["reason"])
        rules = ", ".join(
            dict.fromkeys(piece["rule"] for piece in deciding(record, options.policy) if piece["rule"])
        )
        for number, line in enumerate(
            wrap_plain(f"{why} [{rules}]" if rules else why, min(width - indent - 2, _MAX_TEXT))
        ):
            yield " " * indent + paint(("└ " if number == 0 else "  ") + line, dim=True)


def shown_label(record: Record, policy: str) -> Label:
    """The label under the policy."""
    return Label(record["own_label" if policy == "own" else "label"])


def voice_of(record: Record) -> str:
    """Whose words: ``author``, ``says NAME``, ``“NAME”``."""
    if record["voice"] == Voice.AUTHOR.value:
        return "author"
    name = one_line(record["speaker"]["text"] or "?")
    return f"“{name}”" if record["voice"] == Voice.QUOTED.value else f"says {name}"


def deciding(record: Record, policy: str) -> list[Record]:
    """The evidence that made the shown label: rules first, the model's words only where no rule counted."""
    label = shown_label(record, policy)
    if label is _NEUTRAL:
        return []
    effect = "opinion" if label is _OPINION else "frame"
    pieces = [
        piece
        for piece in record["evidence"]
        if piece["counted"]
        and piece["effect"] == effect
        and (effect == "opinion" or piece["side"] == record["frame"])
        and (policy != "own" or effect == "opinion" or piece["voice"] == Voice.AUTHOR.value)
    ]
    by_rule = [piece for piece in pieces if piece["rule"] is not None]
    return by_rule or [piece for piece in pieces if piece["weight"] > 0]


def marked(record: Record, policy: str, ansi: bool) -> list[Piece]:
    """The sentence cut into pieces, those that decided marked; made inert; brackets where styles are off."""
    spans = [(piece["start"], piece["end"]) for piece in deciding(record, policy)]
    return cut(record["text"], record["start"], spans, brackets=not ansi)


def cut(text: str, offset: int, spans: Iterable[tuple[int, int]], *, brackets: bool) -> list[Piece]:
    """`text`, which begins at `offset`, cut at the (merged) `spans`, in the same counting."""
    pieces: list[Piece] = []
    at = 0
    for start, end in _merged(spans):
        start, end = max(start - offset, at), min(end - offset, len(text))
        if end <= start:
            continue
        pieces.append((one_line(text[at:start]), False))
        words = one_line(text[start:end])
        pieces.append((f"[{words}]" if brackets else words, True))
        at = end
    pieces.append((one_line(text[at:]), False))
    return [piece for piece in pieces if piece[0]]


def wrapped(pieces: Sequence[Piece], width: int) -> list[list[Piece]]:
    """Pieces as lines of at most `width` cells, broken at spaces, or inside a word that is longer."""
    lines: list[list[Piece]] = [[]]
    room = width = max(width, 10)
    for word in _words(pieces):
        for part in _parts(word, width):
            size = sum(cells(text) for text, _ in part)
            if part == [(" ", part[0][1])]:
                if room < width and room > 0:
                    lines[-1].append(part[0])
                    room -= 1
                continue
            if size > room:
                lines.append([])
                room = width
            lines[-1] += part
            room -= size
    return [_trimmed(line) for line in lines if line]


def cells(text: str) -> int:
    """How many terminal cells `text` takes."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(character) else 2 if unicodedata.east_asian_width(character) in "WF" else 1
        for character in text
    )


def tally(records: Iterable[Record]) -> tuple[Counter[Label], Counter[Label]]:
    """How often each label was given: carried, and in the text's own voice; abstentions are left out."""
    given = [record for record in records if not record["abstained"]]
    return Counter(Label(r["label"]) for r in given), Counter(Label(r["own_label"]) for r in given)


def summary(carried: Counter[Label], own: Counter[Label], paint: Paint, width: int) -> list[str]:
    """Two lines: what the text carries, and what it says in its own voice; with bars where they fit."""
    digits = len(str(max([1, *carried.values(), *own.values()])))
    lines = []
    for name, counts in (("carried", carried), ("own voice", own)):
        line = _counts(name, counts, digits, paint)
        lines.append(f"{line}   {_bar(counts, paint)}" if width >= _BARS_FROM else line)
    return lines


def _counts(name: str, counts: Counter[Label], digits: int, paint: Paint) -> str:
    shown = [
        paint.label(label, f"{SHORT[label]} {counts[label]:>{digits}}", bold=bool(counts[label]) or None)
        for label in Label
    ]
    return f"  {name:<{_LABEL_WIDTH}}  " + "   ".join(shown)


def _bar(counts: Counter[Label], paint: Paint, width: int = 24) -> str:
    """Shares as a bar, the framed labels first and the plain reports last; letters where colours are off."""
    total = sum(counts.values())
    bar, used = "", 0
    for label in (_FIRST, _SECOND, _OPINION, _NEUTRAL):
        if not counts[label]:
            continue
        plain = label is _NEUTRAL
        length = max(0, width - used) if plain else max(1, round(width * counts[label] / total))
        used += length
        sign = "░" if plain else "█"
        if not paint.color:
            sign = "·" if plain else SHORT[label].removeprefix("pro-")[0]
        bar += paint.label(label, sign * length)
    return bar


def styled(piece: Piece, label: Label, paint: Paint) -> str:
    """A piece of text, marked where it decided."""
    text, decided = piece
    return paint.label(label, text, bold=True, underline=True) if decided else text


def _merged(spans: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    return merged


def _words(pieces: Sequence[Piece]) -> Iterator[list[Piece]]:
    """Words (which may change their mark in the middle) and single spaces, in order."""
    word: list[Piece] = []
    for text, decided in pieces:
        for number, chunk in enumerate(text.split(" ")):
            if number:
                if word:
                    yield word
                    word = []
                yield [(" ", decided)]
            if chunk:
                word.append((chunk, decided))
    if word:
        yield word


def _parts(word: list[Piece], width: int) -> Iterator[list[Piece]]:
    """The word itself, or pieces of it that fit into a line of their own."""
    if sum(cells(text) for text, _ in word) <= width:
        yield word
        return
    for text, decided in word:
        part, size = "", 0
        for character in text:
            wide = cells(character)
            if size + wide > width:
                yield [(part, decided)]
                part, size = "", 0
            part += character
            size += wide
        if part:
            yield [(part, decided)]


def _trimmed(line: list[Piece]) -> list[Piece]:
    while line and not line[-1][0].strip():
        line = line[:-1]
    return line


def wrap_plain(text: str, width: int) -> list[str]:
    """Text without marks in lines of the width."""
    return ["".join(piece for piece, _ in line) for line in wrapped([(text, False)], width)]


def _fitted(text: str, width: int) -> str:
    """`text` in exactly `width` cells, cut with an ellipsis where it is longer."""
    if cells(text) <= width:
        return text + " " * (width - cells(text))
    kept = ""
    for character in text:
        if cells(kept) + cells(character) > width - 1:
            break
        kept += character
    return kept + "…" + " " * (width - 1 - cells(kept))
