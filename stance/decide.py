"""The page of policy: from evidence, and from probabilities where a model gives them, to the answers.

Every threshold and every weight that is not learnt stands in ``POLICY``. The codebook's two rules for
``label`` and ``own_label`` are the functions of the same names and nothing else decides them.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stance.evidence import Evidence, Speaker
from stance.labels import NO_FRAME, Label, NotCounted, Voice


@dataclass(frozen=True, slots=True)
class Policy:
    """Points of the engine ``rules``, in the order in which the codebook lets cues outweigh each other."""

    strong: float = 2.0
    weak: float = 0.9
    author: float = 1.5  # a frame in the author's voice outweighs a reported one
    subordinate: float = 0.75  # then the main clause outweighs the rest
    frame: float = 1.5  # one strong cue is enough anywhere, one weak cue nowhere
    balance: float = 0.15  # two sides whose points differ by less than this share are balanced
    trust: float = 0.1  # hybrid: a frame that this page finds stands unless the model gives it less
    opinion: float = 1.8  # one strong cue, or two weak ones
    slope: float = 0.9  # points to log-odds, for the shares that the engine ``rules`` reports


POLICY: Final = Policy()
_LABELS: Final = tuple((name.value, name) for name in Label)
_NEUTRAL: Final = Label.NEUTRAL_REPORT.value
_OPINION: Final = Label.ANALYTICAL_OPINION.value


@dataclass(frozen=True, slots=True)
class Answers:
    """The three answers, with the evidence as it was finally counted."""

    frame: str
    opinion: bool
    voice: Voice
    speaker: Speaker | None
    evidence: tuple[Evidence, ...]
    frames: Mapping[str, float]
    p_opinion: float


def label(frame: str, opinion: bool, labels: Mapping[str, Label]) -> Label:
    """The codebook's table. ``labels`` maps a side to its label."""
    if frame != NO_FRAME:
        return labels[frame]
    return Label.ANALYTICAL_OPINION if opinion else Label.NEUTRAL_REPORT


def own_label(frame: str, opinion: bool, voice: Voice, labels: Mapping[str, Label]) -> Label:
    """The label under the policy ``own``: a frame in somebody else's voice does not count.

    >>> own_label("a", False, Voice.QUOTED, {"a": Label.PRO_KYIV}).value
    'neutral_report'
    """
    if frame != NO_FRAME and voice is not Voice.AUTHOR:
        return label(NO_FRAME, opinion, labels)
    return label(frame, opinion, labels)


def probabilities(
    frames: Mapping[str, float], p_opinion: float, labels: Mapping[str, Label]
) -> dict[Label, float]:
    """Probabilities of the four labels from those of the two questions; they sum to 1."""
    none = frames[NO_FRAME]
    # By spelling, which is quicker to look up; a label is a string.
    result = {_NEUTRAL: none * (1.0 - p_opinion), _OPINION: none * p_opinion}
    for side, name in labels.items():
        result[name.value] = frames[side]
    total = sum(result.values())
    return {name: result[spelling] / total for spelling, name in _LABELS}


def points(piece: Evidence, policy: Policy = POLICY) -> float:
    """Points of one counted piece of evidence under the policy page."""
    value = policy.strong if piece.strength == "strong" else policy.weak
    if piece.effect == "frame":
        if piece.voice is Voice.AUTHOR:
            value *= policy.author
        if not piece.main_clause:
            value *= policy.subordinate
    return value


def kept(frame: str, frames: Mapping[str, float], found: str, policy: Policy = POLICY) -> str:
    """The hybrid's frame: the model's, or where it sees none the one that this page ``found``, unless the
    model all but excludes it."""
    if frame == NO_FRAME and found != NO_FRAME and frames[found] >= policy.trust:
        return found
    return frame


def may_keep(frames: Mapping[str, float], policy: Policy = POLICY) -> bool:
    """Whether some side's frame could stand by `kept`."""
    return any(share >= policy.trust for side, share in frames.items() if side != NO_FRAME)


def by_rules(evidence: Sequence[Evidence], sides: Sequence[str], policy: Policy = POLICY) -> Answers:
    """The engine ``rules``: evidence and this page, no learnt weight."""
    pieces = [replace(e, weight=points(e, policy)) if e.counted else e for e in evidence]
    totals = dict.fromkeys(sides, 0.0)
    for piece in _strongest(pieces, "frame"):
        totals[piece.side or ""] += piece.weight
    frame = _winner(totals, policy)
    opinion_points = sum(piece.weight for piece in _strongest(pieces, "opinion"))
    opinion = opinion_points >= policy.opinion
    settled = tuple(_settle(e, frame, totals, policy) for e in pieces)
    frames = _shares(totals, policy)
    p_opinion = 1.0 / (1.0 + math.exp(-policy.slope * 2 * (opinion_points - policy.opinion + 0.4)))
    voice, speaker = carrier(settled, frame)
    return Answers(frame, opinion, voice, speaker, settled, frames, p_opinion)


def _strongest(pieces: Sequence[Evidence], effect: str) -> list[Evidence]:
    """Counted evidence of one effect; of pieces that overlap the weightiest of each side.

    No word counts twice, and a weak frame rule counts once however often it fires: two weak reasons must be
    two reasons. A frame without a side gives points to nobody; an opinion has none.
    """
    found = [e for e in pieces if e.counted and e.effect == effect]
    if effect == "frame":
        found = [e for e in found if e.side is not None]
    found.sort(key=lambda e: (-e.weight, e.start, e.end, e.rule or ""))
    kept: list[Evidence] = []
    for piece in found:
        if not any(_same_reason(piece, other, effect) for other in kept):
            kept.append(piece)
    return kept


def _same_reason(piece: Evidence, other: Evidence, effect: str) -> bool:
    if piece.side != other.side:
        return False
    if other.start < piece.end and piece.start < other.end:
        return True
    weak = effect == "frame" and piece.strength == "weak"
    return weak and piece.rule is not None and piece.rule == other.rule


def _winner(totals: Mapping[str, float], policy: Policy) -> str:
    (first, a), (_, b) = sorted(totals.items(), key=lambda item: (-item[1], item[0]))
    if a < policy.frame:
        return NO_FRAME
    if b >= policy.frame and a - b <= policy.balance * a:
        return NO_FRAME
    return first


def _settle(piece: Evidence, frame: str, totals: Mapping[str, float], policy: Policy) -> Evidence:
    """Say of evidence that lost why it did not count in the end."""
    if not piece.counted or piece.effect != "frame" or piece.side is None or piece.side == frame:
        return piece
    if totals[piece.side] < policy.frame:
        reason = NotCounted.WEAK
    elif frame == NO_FRAME:
        reason = NotCounted.BALANCED
    else:
        reason = NotCounted.WEAK
    return replace(piece, counted=False, not_counted=reason)


def _shares(totals: Mapping[str, float], policy: Policy) -> dict[str, float]:
    """Points as shares of one: readable, not calibrated (the hybrid's are)."""
    scores = {NO_FRAME: math.exp(policy.slope * (policy.frame - 0.5))}
    scores |= {side: math.exp(min(policy.slope * total, 500.0)) - 1.0 for side, total in totals.items()}
    whole = sum(scores.values())
    return {name: score / whole for name, score in scores.items()}


def carrier(evidence: Sequence[Evidence], frame: str) -> tuple[Voice, Speaker | None]:
    """Voice of the frame: author if any part of it stands outside every reported scope."""
    pieces = [
        e for e in evidence if e.counted and e.effect == "frame" and e.side == frame and e.kind != "model"
    ]
    pieces = [e for e in pieces if e.strength == "strong"] or pieces
    pieces = [e for e in pieces if e.strength == "strong" or e.test != "N"] or pieces  # no spelling decides
    for voice in (Voice.AUTHOR, Voice.ATTRIBUTED, Voice.QUOTED):
        for piece in pieces:
            if piece.voice is voice:
                return voice, piece.speaker
    return Voice.AUTHOR, None


def has_carrier(evidence: Sequence[Evidence], frame: str) -> bool:
    """Is there rule evidence that carries the frame?"""
    return any(e.counted and e.effect == "frame" and e.side == frame and e.kind != "model" for e in evidence)
