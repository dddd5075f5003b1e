"""What a phrase cannot do without, and how far from its rarest word that must stand.

A phrase is tried only where its rarest word, the anchor, stands in the right neighbourhood: most phrases that
share a word with a sentence lack something else beside it, and to look there costs a hundredth of a try.
Distances count *bare* words, without quotation marks, hyphens and commas, over which phrases pass. What is
asked here is less than what a phrase asks: it lets through all that matches, and a little more.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import Final, NamedTuple

from stance.phrases import ActorSlot, Alternatives, Element, Gap, Mark, Optional, Word, cost, required

# More words than any sentence has.
_ANY: Final = 10_000
# Share of sentences, in percent, that hold a common word, beyond what its length says.
_COMMON: Final = 5.0
# Marks that no distance counts, and the limits of a sentence.
UNCOUNTED: Final = frozenset('",')
_LIMITS: Final = frozenset("^$")


class _Range(NamedTuple):
    """From the least to the most, both included."""

    least: int
    most: int

    def plus(self, other: _Range) -> _Range:
        return _Range(self.least + other.least, min(_ANY, self.most + other.most))

    def minus(self, other: _Range) -> _Range:
        return _Range(max(-_ANY, self.least - other.most), self.most - other.least)


_NO_WORDS: Final = _Range(0, 0)
_ONE_WORD: Final = _Range(1, 1)
_NAME: Final = _Range(1, _ANY)


@dataclass(frozen=True, slots=True)
class Anchor:
    """The anchor of a phrase, and what must stand around it, by the number of bare words from it.

    ``words``: the anchor is one of these. ``near``: one of some words at a distance from ``least`` to
    ``most`` (negative: before it). ``slots``: an actor that begins so far behind the anchor, or (``before``)
    ends so far before it, counted to the word behind the name. ``marks``: a comma or quotation mark before
    the bare word at such a distance. ``begins``: how far from the start of the sentence the anchor stands;
    ``ends``: how far from its end at most, counted behind the anchor. None: anywhere.
    """

    words: frozenset[str]
    near: tuple[tuple[frozenset[str], int, int], ...]
    slots: tuple[tuple[ActorSlot, int, int, bool], ...]
    marks: tuple[tuple[str, int, int], ...]
    begins: tuple[int, int] | None
    ends: int | None


def anchor(elements: Sequence[Element], common: frozenset[str] = frozenset()) -> Anchor:
    """The anchor of a phrase, which has a word or mark that a scan can find.

    ``common``: words that are no rare ones here, whatever their length; names, say.
    """
    found = [_located(element) for element in elements]
    place = _rarest(elements, found, common)
    here = found[place]
    assert here is not None  # what has no key was refused with the phrase
    words, inside = here
    widths = [_width(element) for element in elements]
    near: list[tuple[frozenset[str], int, int]] = []
    slots: list[tuple[ActorSlot, int, int, bool]] = []
    marks: list[tuple[str, int, int]] = []
    begins: tuple[int, int] | None = None
    ends: int | None = None
    for i, element in enumerate(elements):
        before = i < place
        # From the start of the earlier of the two elements to that of the later.
        between = _sum(widths[i:place] if before else widths[place:i])
        other = found[i]
        if isinstance(element, Mark) and element.kind == "^" and before:
            begins = between.plus(inside)
        elif isinstance(element, Mark) and element.kind == "$" and not before:
            ends = between.minus(inside).most - 1
        elif isinstance(element, ActorSlot):
            if before:  # from the word behind the name; "'s" may stand between
                distance = _sum(widths[i + 1 : place]).plus(inside).plus(_Range(0, 1))
            else:
                distance = between.minus(inside)
            slots.append((element, distance.least, distance.most, before))
        elif i != place and other is not None:
            if before:
                distance = between.plus(inside).minus(other[1])
                near.append((other[0], -distance.most, -distance.least))
            else:
                distance = between.plus(other[1]).minus(inside)
                near.append((other[0], distance.least, distance.most))
        elif isinstance(element, Mark) and element.kind in UNCOUNTED:
            distance = between.plus(inside) if before else between.minus(inside)
            least, most = (-distance.most, -distance.least) if before else distance
            marks.append((element.kind, least, most))
    near.sort(key=lambda item: (_cost(item[0], common)[0] * (item[2] - item[1] + 1), item[1]))
    return Anchor(words, tuple(near), tuple(slots), tuple(marks), begins, ends)


def _sum(widths: Iterable[_Range]) -> _Range:
    return list(accumulate(widths, _Range.plus, initial=_NO_WORDS))[-1]


def _cost(words: frozenset[str], common: frozenset[str]) -> tuple[float, list[str]]:
    shares, spelled = cost(words)
    return shares + _COMMON * len(words & common), spelled


def _rarest(
    elements: Sequence[Element],
    found: Sequence[tuple[frozenset[str], _Range] | None],
    common: frozenset[str] = frozenset(),
) -> int:
    """Which element is the anchor: the rarest with a word of its own, else the first mark that tells."""
    places = [i for i, item in enumerate(found) if item is not None and not isinstance(elements[i], Mark)]
    if places:
        return min(places, key=lambda i: _cost((found[i] or (frozenset(),))[0], common))
    return next(i for i, item in enumerate(found) if item is not None)


def _located(element: Element) -> tuple[frozenset[str], _Range] | None:
    """Words of which an element must hold one, and how many bare words of the element stand before it."""
    words = required(element)
    if words is None or (isinstance(element, Mark) and element.kind in UNCOUNTED):
        return None
    if not isinstance(element, Alternatives):
        return words, _NO_WORDS
    before = []
    for option in element.options:
        inner = [_located(part) if not isinstance(part, Mark) else None for part in option]
        at = _rarest(option, inner)
        within = inner[at]
        assert within is not None  # else the alternatives would require nothing
        before.append(_sum(map(_width, option[:at])).plus(within[1]))
    return words, _Range(min(r.least for r in before), max(r.most for r in before))


def _width(element: Element) -> _Range:
    """How many bare words an element may take."""
    if isinstance(element, Word):
        return _ONE_WORD
    if isinstance(element, Gap):
        return _Range(element.min, element.max)
    if isinstance(element, ActorSlot):
        return _NAME
    if isinstance(element, Mark):
        return _NO_WORDS if element.kind in UNCOUNTED | _LIMITS else _ONE_WORD
    if isinstance(element, Optional):
        return _Range(0, _sum(map(_width, element.elements)).most)
    widths = [_sum(map(_width, option)) for option in element.options]
    return _Range(min(w.least for w in widths), max(w.most for w in widths))
