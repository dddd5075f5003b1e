"""Is one side treated like the other: mirrored sentences, swap pairs, names alone, the sides' figures."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np

from stance import segment
from stance.classifier import Classifier
from stance.evaluate import (
    INDEX,
    LABELS,
    WORDS,
    Array,
    Interval,
    by_article,
    frame_of,
    interval,
    side_difference,
)
from stance.evidence import Verdict
from stance.gold import Labelled
from stance.labels import Label
from stance.mirroring import Mirror
from stance.rulebook import Rulebook

_Key = tuple[str, str, str | None]  # of evidence: rule, effect, side


@dataclass(frozen=True, slots=True)
class Break:
    """A sentence that could be mirrored and whose mirror got another label than the swapped one.

    ``rules`` are the rules whose counted evidence in the sentence has no counterpart in the mirror,
    ``mirror_rules`` those of the mirror without one in the sentence; both empty where words alone decided.
    """

    place: int  # of the text among those that were tested
    label: Label
    mirror_label: Label
    rules: tuple[str, ...]
    mirror_rules: tuple[str, ...]

    @property
    def causes(self) -> tuple[str, ...]:
        """What tells the two apart: rules, of the mirror too, or words."""
        found = (*self.rules, *(f"{rule} (in the mirror)" for rule in self.mirror_rules))
        return found or (WORDS,)


@dataclass(frozen=True, slots=True)
class Cues:
    """The cues of one test that count: ``either`` serve both sides alike, ``sides`` one side alone.

    Each is rules and patterns (a pattern is a phrase or a tree); ``unpaired`` are those rules of a side that
    have no partner of equal strength, each with its reason in the rulebook.
    """

    test: str
    either: tuple[int, int]
    sides: Mapping[str, tuple[int, int]]
    unpaired: Mapping[str, int]


def cues(rulebook: Rulebook) -> tuple[Cues, ...]:
    """How many active frame rules, and patterns in them, each side has in each test of the codebook."""
    rules = [rule for rule in rulebook.active() if rule.effect == "frame"]
    names = [info.id for info in rulebook.sides]

    def size(test: str, side: str | None) -> tuple[int, int]:
        chosen = [r for r in rules if r.test == test and (r.side if r.side in names else None) == side]
        return len(chosen), sum(len(rule.phrases) + len(rule.trees) for rule in chosen)

    return tuple(
        Cues(
            test,
            size(test, None),
            {name: size(test, name) for name in names},
            {
                name: sum(r.test == test and r.side == name and not r.mirror_partner for r in rules)
                for name in names
            },
        )
        for test in sorted({rule.test for rule in rules if rule.test}, key="NBLVOSQ".find)
    )


@dataclass(frozen=True, slots=True)
class MirrorTest:
    """Does the label swap when the sides do? Counted only where the table can mirror."""

    name_a_side: int
    mirrored: int
    consistent: int
    broken: tuple[Break, ...] = ()

    @property
    def coverage(self) -> float:
        """The share of texts naming a side that could be mirrored."""
        return self.mirrored / self.name_a_side if self.name_a_side else 0.0

    @property
    def consistency(self) -> float | None:
        """The share of the mirrored ones whose label swaps; None of none."""
        return self.consistent / self.mirrored if self.mirrored else None


def mirror_test(classifier: Classifier, texts: Sequence[str]) -> MirrorTest:
    """Label each text and its mirror; consistent when the one label is the other's swapped."""
    mirror = Mirror(classifier.rulebook)
    twins = [(place, text, mirror(text)) for place, text in enumerate(texts)]
    sided = [row for row in twins if row[2].changed or row[2].why != "names no side"]
    changed = [(place, text, twin.text) for place, text, twin in sided if twin.changed]
    first = classifier.classify_sentences(segment.sentence(text) for _, text, _ in changed)
    second = classifier.classify_sentences(segment.sentence(text) for _, _, text in changed)
    partners = {rule.id: rule.mirror_partner or rule.id for rule in classifier.rulebook.rules}
    broken = tuple(
        Break(place, a.label, b.label, *_apart(a, b, partners))
        for (place, _, _), a, b in zip(changed, first, second, strict=True)
        if swapped(a.label) != b.label
    )
    return MirrorTest(len(sided), len(changed), len(changed) - len(broken), broken)


def _apart(
    found: Verdict, mirror: Verdict, partners: Mapping[str, str]
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Rules whose counted evidence stands in a verdict but not, with the sides swapped, in its mirror's,
    and the other way round. Where they stand is left out: a mirrored text has other lengths."""
    sides = {frame_of(label): frame_of(swapped(label)) for label in LABELS}

    def counted(verdict: Verdict) -> Counter[_Key]:
        return Counter((e.rule, e.effect, e.side) for e in verdict.evidence if e.counted and e.rule)

    def swap(key: _Key) -> _Key:
        rule, effect, side = key
        return partners.get(rule, rule), effect, side if side is None else sides.get(side, side)

    ours, theirs = counted(found), counted(mirror)
    return (
        _rules(ours - Counter(map(swap, theirs.elements()))),
        _rules(theirs - Counter(map(swap, ours.elements()))),
    )


def _rules(keys: Counter[_Key]) -> tuple[str, ...]:
    return tuple(sorted({rule for rule, *_ in keys}))


def swapped(label: Label) -> Label:
    """The label with the sides swapped."""
    return {Label.PRO_KYIV: Label.PRO_MOSCOW, Label.PRO_MOSCOW: Label.PRO_KYIV}.get(label, label)


def pairs_right(gold: Sequence[Labelled], verdicts: Sequence[Verdict]) -> tuple[int, int]:
    """Of hand-written swap pairs, how many have both twins right, and how many there are."""
    pairs: dict[str, list[bool]] = defaultdict(list)
    for item, verdict in zip(gold, verdicts, strict=True):
        pairs[item.slices.get("pair", item.article)].append(item.label == verdict.label)
    return sum(all(rows) for rows in pairs.values()), len(pairs)


def side_differences(gold: Sequence[Labelled], found: Sequence[Label]) -> dict[str, Interval]:
    """Precision, recall and F1 of the first side's label less the second's, each with its interval."""
    articles = by_article(gold, found)
    one, two = INDEX[Label.PRO_KYIV], INDEX[Label.PRO_MOSCOW]

    def difference(axis: int) -> Callable[[Array], Array]:
        def figure(confusion: Array) -> Array:
            right = np.diagonal(confusion, axis1=-2, axis2=-1)
            total = confusion.sum(axis=axis)
            share = np.divide(right, total, out=np.zeros(right.shape), where=total > 0)
            result: Array = share[..., one] - share[..., two]
            return result

        return figure

    return {
        "precision": interval(articles, difference(-2)),
        "recall": interval(articles, difference(-1)),
        "f1": interval(articles, side_difference),
    }


# -- names alone -----------------------------------------------------------------------------------------

_SIDES: Final = (INDEX[Label.PRO_KYIV], INDEX[Label.PRO_MOSCOW])
_PLAIN: Final = (INDEX[Label.NEUTRAL_REPORT], INDEX[Label.ANALYTICAL_OPINION])


@dataclass(frozen=True, slots=True)
class NameTest:
    """Labels before (rows) and after (columns) the two sides' names alone were swapped, words kept.

    ``name_a_side`` sentences name an actor of a side, in ``swapped`` of them each such name has a partner.
    ``kept`` is the share of unframed sentences that keep their label; ``appeared`` the share of them that
    got the first side's frame less the share that got the second's: names alone should not do that.
    """

    name_a_side: int
    swapped: int
    changes: tuple[tuple[int, ...], ...]
    kept: Interval | None
    appeared: Interval | None
    framed_now: tuple[int, ...] = ()  # which texts got a frame by a name, by their place

    @property
    def coverage(self) -> float:
        """The share of texts naming a side in which every such name has a partner."""
        return self.swapped / self.name_a_side if self.name_a_side else 0.0

    @property
    def unframed(self) -> int:
        """How many of them carry no frame before."""
        return sum(sum(self.changes[row]) for row in _PLAIN)

    def of_side(self, number: int) -> tuple[int, int, int]:
        """Of frames of a side: how many became the other side's, stayed, were lost."""
        own, other = _SIDES[number], _SIDES[1 - number]
        row = self.changes[own]
        return row[other], row[own], sum(row) - row[other] - row[own]

    def frames_made(self) -> tuple[int, int]:
        """Frames of each side that names alone made in unframed sentences."""
        first, second = (sum(self.changes[row][side] for row in _PLAIN) for side in _SIDES)
        return first, second

    def to_dict(self) -> dict[str, Any]:
        """The test as JSON."""
        return {
            "name_a_side": self.name_a_side,
            "swapped": self.swapped,
            "coverage": round(self.coverage, 4),
            "labels": [label.value for label in LABELS],
            "changes": [list(row) for row in self.changes],
            "unframed": self.unframed,
            "unframed_kept": None if self.kept is None else self.kept.to_dict(),
            "frames_made_difference": None if self.appeared is None else self.appeared.to_dict(),
            "frames_made": list(self.frames_made()),
        }


def name_test(classifier: Classifier, gold: Sequence[Labelled]) -> NameTest:
    """Label each sentence and the same with the sides' names swapped and all other words kept."""
    mirror = Mirror(classifier.rulebook)
    twins = [(place, item, mirror.names(item.text)) for place, item in enumerate(gold)]
    sided = [row for row in twins if row[2].changed or row[2].why is not None]
    changed = [(place, item, twin.text) for place, item, twin in sided if twin.changed]
    before = [v.label for v in classifier.classify_sentences(segment.sentence(i.text) for _, i, _ in changed)]
    after = [v.label for v in classifier.classify_sentences(segment.sentence(text) for _, _, text in changed)]
    if not changed:
        return NameTest(len(sided), 0, ((0,) * 4,) * 4, None, None)
    rows = [replace(item, label=label) for (_, item, _), label in zip(changed, before, strict=True)]
    articles = by_article(rows, after)
    changes = tuple(tuple(int(n) for n in row) for row in articles.sum(axis=0))
    plain = any(sum(changes[row]) for row in _PLAIN)
    framed_now = tuple(
        place
        for (place, _, _), a, b in zip(changed, before, after, strict=True)
        if INDEX[a] in _PLAIN and INDEX[b] in _SIDES
    )
    return NameTest(
        len(sided),
        len(changed),
        changes,
        interval(articles, _kept) if plain else None,
        interval(articles, _appeared) if plain else None,
        framed_now,
    )


def _of_unframed(counts: Array, changes: Array) -> Array:
    total = changes[..., _PLAIN, :].sum(axis=(-2, -1))
    result: Array = counts / np.maximum(total, 1)
    return result


def _kept(changes: Array) -> Array:
    return _of_unframed(changes[..., _PLAIN, _PLAIN].sum(axis=-1), changes)


def _appeared(changes: Array) -> Array:
    first, second = (changes[..., _PLAIN, side].sum(axis=-1) for side in _SIDES)
    return _of_unframed(first - second, changes)
