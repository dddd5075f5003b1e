"""The whole story of one record ``stance/1``, for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from stance.labels import TESTS, Label
from stance.sinks import Record
from stance.sinks.inert import one_line
from stance.sinks.text import Paint, cut, deciding, marked, styled, wrap_plain, wrapped

_KEY: Final = 15
_MAX: Final = 100
WHY_NOT: Final = {
    "negated": "negated: the words deny it",
    "mention": "a mention: the words are talked about, not used",
    "other_voice": "in somebody else's voice",
    "weak": "too weak to decide",
    "balanced": "outweighed by the other side's words",
    "cancelled": "cancelled by another rule",
}


def story(record: Record, paint: Paint, width: int) -> Iterator[str]:
    """Answers, labels, probabilities, evidence that counted, evidence that did not, versions."""
    width = min(width, _MAX)
    label = Label(record["label"])
    for line in wrapped(marked(record, "carried", paint.color), width - 2):
        yield "  " + "".join(styled(piece, label, paint) for piece in line)
    yield ""
    yield from _answers(record, paint, width)
    yield ""
    yield from _probabilities(record, paint)
    counted = [piece for piece in record["evidence"] if piece["counted"]]
    others = [piece for piece in record["evidence"] if not piece["counted"]]
    deciders = deciding(record, "carried")
    for title, pieces in (("evidence that counted", counted), ("seen, but did not count", others)):
        yield ""
        yield paint(title, bold=True) if pieces else paint(f"{title}: none", dim=True)
        for piece in pieces:
            yield from _piece(record, piece, piece in deciders, paint, width)
    yield ""
    versions = ", ".join(f"{name} {version}" for name, version in record["versions"].items() if version)
    yield paint(f"engine {record['engine']}; {versions}", dim=True)


def _answers(record: Record, paint: Paint, width: int) -> Iterator[str]:
    label, own = Label(record["label"]), Label(record["own_label"])
    yield _row(
        "label", paint.label(label, label.value, bold=True) + (" (abstained)" if record["abstained"] else "")
    )
    note = "" if own is label else "   its frame is not in the text's own voice"
    yield _row("own label", paint.label(own, own.value, bold=True) + paint(note, dim=True))
    yield _row("frame", record["frame"])
    yield _row("voice", record["voice"] + _speaker(record))
    yield _row("opinion", "yes" if record["opinion"] else "no")
    for number, line in enumerate(wrap_plain(one_line(record["reason"]), width - _KEY - 2)):
        yield _row("because" if number == 0 else "", line)


def _probabilities(record: Record, paint: Paint) -> Iterator[str]:
    for number, (name, share) in enumerate(record["probabilities"].items()):
        bar = paint.label(Label(name), "█" * round(share * 30))
        yield _row("probabilities" if number == 0 else "", f"{name:<19}{share:6.3f}  {bar}".rstrip())


def _piece(record: Record, piece: Record, decided: bool, paint: Paint, width: int) -> Iterator[str]:
    """What was seen: the words in their place, what they mean, whose they are, why they count or not."""
    label = Label(record["label"])
    context = cut(record["text"], record["start"], [(piece["start"], piece["end"])], brackets=not paint.color)
    sign = "•" if piece["counted"] else "◦"
    for number, line in enumerate(wrapped(_near(context), width - 4)):
        yield f"  {sign if number == 0 else ' '} " + "".join(styled(part, label, paint) for part in line)
    test = f", test {piece['test']} ({TESTS[piece['test']]})" if piece["test"] else ""
    side = f" of {piece['side']}" if piece["side"] else ""
    facts = [
        f"{piece['effect']}{side}{test}",
        f"rule {piece['rule']} ({piece['kind']})" if piece["rule"] else "learnt by the model",
        f"{piece['voice']}{_speaker(piece)}",
        f"weight {piece['weight']:+.2f}",
    ]
    if decided:
        facts.append("decided")
    notes = [" · ".join(facts), piece["because"]]
    if not piece["counted"]:
        notes.append(f"did not count: {WHY_NOT.get(piece['not_counted'], piece['not_counted'])}")
    for note in notes:
        for text in wrap_plain(one_line(note), width - 6):
            yield "      " + paint(text, dim=True)


def _near(pieces: list[tuple[str, bool]], reach: int = 40) -> list[tuple[str, bool]]:
    """The marked words with a little of what stands around them."""
    near = []
    for number, (text, decided) in enumerate(pieces):
        if not decided and len(text) > reach:
            before = number + 1 < len(pieces)
            text = "…" + text[-reach:].partition(" ")[2] if before else text[:reach].rpartition(" ")[0] + "…"
        near.append((text, decided))
    return near


def _speaker(part: Record) -> str:
    speaker = part["speaker"]
    if speaker is None:
        return ""
    return f", {one_line(speaker['text'] or 'nobody named')} ({speaker['side']})"


def _row(key: str, value: str) -> str:
    return f"  {key:<{_KEY}}{value}"
