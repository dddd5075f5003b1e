"""One sentence that says why a verdict is what it is, also for "neutral"."""

from __future__ import annotations

from collections.abc import Sequence

from stance.decide import Answers
from stance.evidence import Evidence, Speaker
from stance.labels import NO_FRAME, TESTS, Voice
from stance.rulebook import Rulebook

_VOICES = {
    Voice.AUTHOR: "in the author's own voice",
    Voice.ATTRIBUTED: "in indirect speech",
    Voice.QUOTED: "in a quotation",
}


def reason(
    rulebook: Rulebook,
    answers: Answers,
    voice: Voice,
    speaker: Speaker | None,
    *,
    unparsed: bool = False,
) -> str:
    """A readable sentence from the answers and the evidence; it adds no fact of its own.

    ``unparsed``: rules on trees could have said something, but the sentence was too long for a tree.
    """
    answer = _answer(rulebook, answers, voice, speaker)
    return f"{answer}; too long for a tree: rules on trees were not tried" if unparsed else answer


def _answer(rulebook: Rulebook, answers: Answers, voice: Voice, speaker: Speaker | None) -> str:
    evidence = answers.evidence
    if answers.frame != NO_FRAME:
        counted = [e for e in evidence if e.counted and e.effect == "frame" and e.side == answers.frame]
        deciding = max(counted, key=lambda e: (e.kind != "model", e.weight, -e.start), default=None)
        name = next(side.name for side in rulebook.sides if side.id == answers.frame)
        text = f"carries {name}'s frame {_voice(voice, speaker)}"
        if deciding is not None:
            text += f": “{_short(deciding.text)}” {_because(deciding)}"
        return text + _but(_lost(evidence))
    if answers.opinion:
        cues = [e for e in evidence if e.counted and e.effect == "opinion"]
        text = "no frame of either side; opinion"
        if cues:
            best = max(cues, key=lambda e: (e.kind != "model", e.weight, -e.start))
            text += f": “{_short(best.text)}” {_because(best)}"
        return text + _but(_lost(evidence))
    if weak := [e for e in evidence if e.counted and e.effect == "opinion"]:
        best = max(weak, key=lambda e: (e.kind != "model", e.weight, -e.start))
        text = f"no frame of either side; too little for an opinion: “{_short(best.text)}” {_because(best)}"
        return text + _but([e for e in evidence if not e.counted])
    cues = [e for e in evidence if not e.counted]
    if cues:
        return "no frame and no opinion that counts" + _but(cues)
    return "no rule found a frame of either side or an opinion"


def _lost(evidence: Sequence[Evidence]) -> list[Evidence]:
    return [e for e in evidence if not e.counted and e.effect == "frame"]


def _voice(voice: Voice, speaker: Speaker | None) -> str:
    text = _VOICES[voice]
    if speaker is not None and speaker.text:
        text += f" of {speaker.text} ({speaker.side})"
    return text


def _because(piece: Evidence) -> str:
    test = f"test {piece.test}, {TESTS[piece.test]}: " if piece.test else ""
    return f"({test}{piece.because})"


def _but(pieces: Sequence[Evidence]) -> str:
    if not pieces:
        return ""
    shown = ", ".join(f"“{_short(e.text)}” ({e.not_counted})" for e in pieces[:3])
    return f"; seen but not counted: {shown}"


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= 80 else text[:79] + "…"
