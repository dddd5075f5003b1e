"""What each rule does on a labelled corpus: how often it is seen and right, and what it quarrels with.

A rule is judged by its *counted* hits: those that are neither cancelled nor a mention. A hit of a frame rule
is right where its side is the gold frame, a hit of an opinion rule where gold says opinion.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from stance import segment
from stance.evidence import Evidence
from stance.gather import Gathered, Gatherer
from stance.gold import Labelled
from stance.rulebook import Rule, Rulebook
from stance.syntax import Parser
from stance.voice import Context

# What an active rule owes: hits in so many articles of so many groups of outlets, and so much precision.
MIN_ARTICLES: Final = 3
MIN_GROUPS: Final = 2
MIN_PRECISION: Final = 0.7
# A rule whose words stand in the codebook needs no hits.
_LAW: Final = "CODEBOOK"
_BATCH: Final = 512


@dataclass(frozen=True, slots=True)
class Wrong:
    """A counted hit that gold contradicts: ``[start, end)`` are characters of ``text``."""

    id: str
    text: str
    start: int
    end: int
    gold: str


@dataclass(frozen=True, slots=True)
class RuleStats:
    """One rule on one corpus. ``hits`` are places, ``counted`` and ``right`` places too.

    ``overlap`` counts its counted hits that share words with another rule of the same answer, ``conflict``
    those in a sentence where a rule of the other side counts. ``voices`` says whose words the hits are.
    """

    rule: Rule
    hits: int
    articles: int
    groups: int
    counted: int
    right: int
    overlap: int
    conflict: int
    voices: Mapping[str, int] = field(default_factory=dict)
    wrong: tuple[Wrong, ...] = ()
    # Its active mirror partner owes nothing: a pair stands or falls together, half of it would take a side.
    paired: bool = False

    @property
    def precision(self) -> float | None:
        """Share of counted hits that are right; None without one, and for rules of voice and scope."""
        return self.right / self.counted if self.counted else None

    @property
    def misses(self) -> str | None:
        """What an active rule of evidence falls short of; None if nothing."""
        rule = self.rule
        if rule.status != "active" or rule.effect not in ("frame", "opinion"):
            return None
        if self.paired or any(_LAW in source for source in rule.sources):
            return None
        if self.articles < MIN_ARTICLES:
            return f"hits in {self.articles} of {MIN_ARTICLES} articles"
        if self.groups < MIN_GROUPS:
            return f"hits in {self.groups} of {MIN_GROUPS} groups of outlets"
        if self.precision is None or self.precision < MIN_PRECISION:
            return f"precision {self.precision or 0.0:.2f}, needs {MIN_PRECISION}"
        return None

    def to_dict(self) -> dict[str, Any]:
        """The figures of the rule as JSON."""
        rule = self.rule
        return {
            "rule": rule.id,
            "effect": rule.effect,
            "status": rule.status,
            "side": rule.side,
            "strength": rule.strength,
            "hits": self.hits,
            "articles": self.articles,
            "groups": self.groups,
            "counted": self.counted,
            "right": self.right,
            "precision": None if self.precision is None else round(self.precision, 4),
            "overlap": self.overlap,
            "conflict": self.conflict,
            "author": self.voices.get("author", 0),
            "attributed": self.voices.get("attributed", 0),
            "quoted": self.voices.get("quoted", 0),
            "misses": self.misses,
        }


@dataclass(slots=True)
class _Tally:
    hits: int = 0
    counted: int = 0
    right: int = 0
    overlap: int = 0
    conflict: int = 0
    articles: set[str] = field(default_factory=set)
    groups: set[str] = field(default_factory=set)
    voices: Counter[str] = field(default_factory=Counter)
    wrong: list[Wrong] = field(default_factory=list)


def stats(
    rulebook: Rulebook, corpus: Sequence[Labelled], parser: Parser | None = None
) -> tuple[RuleStats, ...]:
    """Every rule of the rulebook, those on trial included, in the order of the rulebook."""
    gatherer = Gatherer(rulebook, trial=True)
    tallies = {rule.id: _Tally() for rule in rulebook.rules}
    active = {rule.id for rule in rulebook.rules if rule.status == "active"}
    for gold, gathered in zip(corpus, _gather(gatherer, parser or Parser(), corpus), strict=True):
        _count(tallies, gold, gathered, active)
    settled = {rule.id: _settled(rule, tallies[rule.id]) for rule in rulebook.rules}
    sound = {id for id, figures in settled.items() if id in active and figures.misses is None}
    return tuple(
        replace(figures, paired=figures.rule.mirror_partner in sound) for figures in settled.values()
    )


def _gather(gatherer: Gatherer, parser: Parser, corpus: Sequence[Labelled]) -> Iterable[Gathered]:
    for first in range(0, len(corpus), _BATCH):
        seen = []
        for item in corpus[first : first + _BATCH]:
            before = Context()
            if item.prev:
                before = gatherer.surface(segment.sentence(item.prev), Context()).voices.context
            seen.append(gatherer.surface(segment.sentence(item.text, prev=item.prev), before))
        wanted = [i for i, s in enumerate(seen) if s.wants_tree]
        trees = dict(zip(wanted, parser.parse([seen[i].sentence.text for i in wanted]), strict=True))
        for i, s in enumerate(seen):
            yield gatherer.complete(s, trees.get(i))


def _count(
    tallies: Mapping[str, _Tally], gold: Labelled, gathered: Gathered, active: frozenset[str] | set[str]
) -> None:
    counted = [e for e in gathered.evidence if e.counted and e.rule in active]
    for piece in gathered.evidence:
        if piece.rule is not None:
            tally = tallies[piece.rule]
            _seen(tally, gold, piece.voice.value)
            if piece.counted:
                _judge(tally, gold, piece, counted)
    for scope in gathered.voices.scopes:
        if scope.rule in tallies:
            _seen(tallies[scope.rule], gold, scope.voice.value)
    for rule, _, _ in gathered.cancels:
        _seen(tallies[rule.id], gold, None)


def _seen(tally: _Tally, gold: Labelled, voice: str | None) -> None:
    tally.hits += 1
    tally.articles.add(gold.article)
    tally.groups.add(gold.slices.get("outlet_group", ""))
    if voice is not None:
        tally.voices[voice] += 1


def _judge(tally: _Tally, gold: Labelled, piece: Evidence, counted: Sequence[Evidence]) -> None:
    tally.counted += 1
    others = [e for e in counted if e.rule != piece.rule and e.effect == piece.effect]
    tally.overlap += any(
        e.side == piece.side and e.start < piece.end and piece.start < e.end for e in others
    )
    tally.conflict += any(e.side != piece.side for e in others)
    if piece.effect == "frame":
        right, says = piece.side == gold.frame, f"frame {gold.frame}"
    else:
        right, says = bool(gold.opinion), "opinion" if gold.opinion else "no opinion"
    tally.right += right
    if not right:
        tally.wrong.append(Wrong(gold.id, gold.text, piece.start, piece.end, says))


def _settled(rule: Rule, tally: _Tally) -> RuleStats:
    return RuleStats(
        rule=rule,
        hits=tally.hits,
        articles=len(tally.articles),
        groups=len(tally.groups),
        counted=tally.counted,
        right=tally.right,
        overlap=tally.overlap,
        conflict=tally.conflict,
        voices=dict(tally.voices),
        wrong=tuple(tally.wrong),
    )
