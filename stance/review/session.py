"""Asking a person, sentence by sentence. Keys come from an iterator and lines go to a function, so that
nothing here knows a terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stance.labels import NO_FRAME, Voice
from stance.report.data import sides
from stance.review.cases import Answer, Case
from stance.review.journal import Held, Journal
from stance.sinks.inert import one_line
from stance.sinks.story import story
from stance.sinks.text import SHORT, Paint, wrap_plain

ENTER: Final = ("\r", "\n")
_VOICES: Final = {"a": Voice.AUTHOR, "i": Voice.ATTRIBUTED, "q": Voice.QUOTED}
_VOICE_WORDS: Final = {
    Voice.AUTHOR: "author",
    Voice.ATTRIBUTED: "indirect speech",
    Voice.QUOTED: "quoted",
}
_OTHER_KEYS: Final = "nopaiqswuxe?"
_HELP: Final = (
    "Frame: do the words carry one side's frame, whoever speaks them?",
    "Opinion: does the author or an expert judge, forecast, explain a motive or recommend?",
    "Voice: whose words carry it: the author's, indirect speech, or quoted?",
    "The codebook (seeds/CODEBOOK.md) decides; nobody's reputation and no fact from elsewhere does.",
)


def frame_keys() -> dict[str, str]:
    """Key to frame: the side's first letter unless that is taken, digits, and n for none."""
    keys = {"n": NO_FRAME, "0": NO_FRAME}
    for number, (side, _, _) in enumerate(sides(), 1):
        keys[str(number)] = side
        if side[0] not in _OTHER_KEYS and side[0] not in keys:
            keys[side[0]] = side
    return keys


@dataclass(frozen=True, slots=True)
class Draft:
    """What the person has said so far; None is not said yet."""

    frame: str | None = None
    opinion: bool | None = None
    voice: Voice | None = None

    @property
    def open(self) -> str:
        """The first question without an answer, "" if none is left."""
        asked = (("frame", self.frame), ("opinion", self.opinion), ("voice", self.voice))
        return next((name for name, said in asked if said is None), "")

    def answer(self) -> Answer:
        """The finished answer; frame and opinion must have been said."""
        assert self.frame is not None
        assert self.opinion is not None
        return Answer(self.frame, self.opinion, self.voice)


@dataclass
class Session:
    """One sitting. `run` ends when all is decided or skipped, at x, or when no key comes any more.

    With `blind`, no label, reason or probability is shown, and the person starts from nothing.
    """

    cases: Sequence[Case]
    journal: Journal
    person: str
    keys: Iterator[str]
    write: Callable[[str], None]
    paint: Paint
    width: int = 80
    blind: bool = False
    note: str | None = None  # kept with every decision
    decided: dict[str, Held] = field(default_factory=dict)
    skipped: set[str] = field(default_factory=set)
    _frames: Mapping[str, str] = field(default_factory=frame_keys)
    _last: list[tuple[int, Held]] = field(default_factory=list)

    def run(self) -> None:
        """Ask about one sentence after the other."""
        at = 0
        while 0 <= at < len(self.cases):
            step = self._case(at)
            if step is None:
                return
            at += step
        self._say("That was the last one." if self.cases else "There is nothing to decide.")

    def _case(self, at: int) -> int | None:
        """Ask about one sentence; how far to go from here, None to end."""
        case = self.cases[at]
        self._show(case, at)
        draft = Draft() if self.blind else Draft(case.answer.frame, case.answer.opinion, case.answer.voice)
        note = self.note
        self._state(draft)
        for key in self.keys:
            if key in ENTER:
                if draft.open:
                    self._say(f"{draft.open}? Answer it before you save.")
                    self._state(draft)
                    continue
                held = self.journal.add(case, draft.answer(), self.person, note)
                self._last.append((at, held))
                self.decided[case.id] = held
                self.skipped.discard(case.id)
                self._say(f"saved: {SHORT[held.answer.label]}")
                return 1
            if key == "s":
                self.skipped.add(case.id)
                self._say("skipped")
                return 1
            if key == "u":
                back = self._undo(at)
                if back is not None:
                    return back
            elif key == "x":
                self._say("ended; what was saved stays saved")
                return None
            elif key == "w":
                self._why(case)
            elif key == "e":
                note = self._read_note(note)
            elif key == "?":
                self._help()
            else:
                draft = self._answered(draft, key)
            self._state(draft)
        return None

    def _answered(self, draft: Draft, key: str) -> Draft:
        if key in self._frames:
            return replace(draft, frame=self._frames[key])
        if key == "o":
            return replace(draft, opinion=True)
        if key == "p":
            return replace(draft, opinion=False)
        if key in _VOICES:
            return replace(draft, voice=_VOICES[key])
        return draft

    def _undo(self, at: int) -> int | None:
        if not self._last:
            self._say("nothing of this sitting to undo")
            return None
        place, held = self._last.pop()
        self.journal.undo(held)
        self.decided.pop(held.case, None)
        self._say("undone; it stays in the record, marked as undone")
        return place - at

    def _show(self, case: Case, at: int) -> None:
        head = f"{at + 1} of {len(self.cases)}"
        place = "" if self.blind else one_line(case.place)
        self._say("")
        self._say(self.paint(f"── {head}{f' · {place}' if place else ''}", dim=True))
        if case.prev:
            for line in wrap_plain("before: " + one_line(case.prev), self.width - 4):
                self._say("  " + self.paint(line, dim=True))
        for line in wrap_plain(one_line(case.text), self.width - 4):
            self._say("  " + self.paint(line, bold=True))
        if not self.blind:
            sure = "" if case.sure is None else f", {100 * case.sure:.0f}% sure"
            left = ", left open" if case.abstained else ""
            label = self.paint.label(case.label, SHORT[case.label])
            self._say(f"  labelled {label}{sure}{left}")

    def _state(self, draft: Draft) -> None:
        opinion = "?" if draft.opinion is None else "yes" if draft.opinion else "no"
        voice = "?" if draft.voice is None else _VOICE_WORDS[draft.voice]
        letters = {side: key for key, side in self._frames.items() if not key.isdigit()}
        named = " ".join(f"{letters.get(side, '')}={side}" for side, _, _ in sides())
        self._say(f"  yours: frame {draft.frame or '?'} · opinion {opinion} · voice {voice}")
        self._say(
            self.paint(
                f"  {named} n=none · o/p=opinion yes/no · a=author i=indirect q=quoted · "
                f"Enter saves, s skip, {'' if self.blind else 'w why, '}u undo, e note, x end, ? help",
                dim=True,
            )
        )

    def _why(self, case: Case) -> None:
        if self.blind:
            self._say("  hidden: this check is blind")
        elif case.record is None:
            self._say("  no reasons came with this label")
        else:
            for line in story(case.record, self.paint, self.width):
                self._say(line)

    def _read_note(self, before: str | None) -> str | None:
        self._say("  note (Enter ends it):")
        text = ""
        for key in self.keys:
            if key in ENTER:
                break
            text = text[:-1] if key in ("\x7f", "\b") else text + key
        return one_line(text.strip()) or before

    def _help(self) -> None:
        for line in _HELP:
            for part in wrap_plain(line, self.width - 4):
                self._say("  " + part)

    def _say(self, line: str) -> None:
        self.write(line)
