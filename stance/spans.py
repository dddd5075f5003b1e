"""Matches phrases: elements of `stance.phrases` against the tokens of one sentence.

A match in progress is the set of places that it may have reached, as the bits of one integer
(`stance.tokens`): an element takes all of them a step further at once, so that the time is linear in the
sentence for each element, whatever brackets and gaps a phrase nests. Slots bind X and Y to sides; places
reached under different bindings are kept apart in `States`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from stance.phrases import ActorSlot, Alternatives, Element, Gap, Mark, Optional, Word
from stance.rulebook import Actor
from stance.tokens import DASHES, QUOTES, Tokens, passed

_POSSESSIVE: Final = "'s"
_COMMA: Final = frozenset(",")

# Side bound to {X} so far: the places that a match may have reached under it.
States = dict[str | None, int]
# Whether a slot admits an actor when X is bound to a side (None: to none yet), and the binding after it.
Admits = Callable[[ActorSlot, Actor, "str | None"], tuple[bool, "str | None"]]


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of an actor at ``[start, end)`` of the sentence, tokens ``first`` to ``last``."""

    start: int
    end: int
    actor: Actor
    first: int = 0
    last: int = 0


Mentions = Mapping[int, Mention]  # by their first token


class _Step:
    """One element of a phrase: where a match may stand after it, given where it may stand before."""

    __slots__ = ()
    binds = False  # does it depend on what X is bound to?

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        """For an element that binds nothing."""
        raise NotImplementedError

    def bound(self, states: States, tokens: Tokens, at: Mentions) -> States:
        """For any element."""
        return {side: there for side, places in states.items() if (there := self.after(places, tokens, at))}


class _WordStep(_Step):
    __slots__ = ("_exact", "_forms", "_one")

    def __init__(self, word: Word) -> None:
        self._forms = word.forms
        self._exact = word.exact
        self._one = next(iter(word.forms)) if len(word.forms) == 1 and word.exact is None else None

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        skipped = tokens.skipped
        if places & skipped:
            places = passed(places, skipped)
        return (places & self.standing(tokens)) << 1

    def standing(self, tokens: Tokens) -> int:
        """The places of the word."""
        one = self._one
        if one is not None:
            return tokens.places.get(one, 0)
        found = tokens.any_of(self._forms)
        if found and self._exact is not None:
            raw = tokens.raw
            return sum(1 << i for i in bits(found) if raw[i] == self._exact)
        return found


class _GapStep(_Step):
    __slots__ = ("_max", "_min")

    def __init__(self, gap: Gap) -> None:
        self._min = gap.min
        self._max = gap.max

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        over = tokens.skipped | tokens.any_of(_COMMA)
        full = tokens.full
        found = places if self._min == 0 else 0
        for count in range(1, self._max + 1):
            if places & over:
                places = passed(places, over)
            places = (places & full) << 1
            if not places:
                break
            if count >= self._min:
                found |= places
        return found


class _MarkStep(_Step):
    __slots__ = ("_kind", "_signs")

    def __init__(self, kind: str) -> None:
        self._kind = kind
        self._signs = signs(kind)

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        if self._kind == "^":
            return places & ((1 << tokens.first_word + 1) - 1)
        if self._kind == "$":
            return places >> tokens.last_word << tokens.last_word
        if self._kind == '"':
            return (places & tokens.quotes) << 1
        return (passed(places, tokens.quotes) & tokens.any_of(self._signs)) << 1


class _SlotStep(_Step):
    __slots__ = ("_admits", "_slot", "binds")

    def __init__(self, slot: ActorSlot, admits: Admits) -> None:
        self._slot = slot
        self._admits = admits
        self.binds = slot.side in ("X", "Y")

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        return self.bound({None: places}, tokens, at).get(None, 0)

    def bound(self, states: States, tokens: Tokens, at: Mentions) -> States:
        over = tokens.skipped
        for first in at:
            over &= ~(1 << first)
        found: States = {}
        for side, places in states.items():
            places = passed(places, over)
            for first, mention in at.items():
                if places >> first & 1:
                    admitted, now = self._admits(self._slot, mention.actor, side)
                    if admitted:
                        found[now] = found.get(now, 0) | 1 << behind(mention, tokens)
        return found


class _OptionalStep(_Step):
    __slots__ = ("_steps", "binds")

    def __init__(self, steps: Sequence[_Step]) -> None:
        self._steps = steps
        self.binds = any(step.binds for step in steps)

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        return places | _run(self._steps, places, tokens, at)

    def bound(self, states: States, tokens: Tokens, at: Mentions) -> States:
        return _joined(states, _run_bound(self._steps, states, tokens, at))


class _ChoiceStep(_Step):
    """Alternatives. Those that begin with a word are looked up by it: a word list may hold hundreds."""

    __slots__ = ("_by_word", "_others", "binds")

    def __init__(self, options: Sequence[tuple[Element, Sequence[_Step]]]) -> None:
        self._by_word: dict[str, list[Sequence[_Step]]] = {}
        self._others: list[Sequence[_Step]] = []
        self.binds = any(step.binds for _, steps in options for step in steps)
        for head, steps in options:
            if isinstance(head, Word):
                for form in head.forms:
                    self._by_word.setdefault(form, []).append(steps)
            else:
                self._others.append(steps)

    def after(self, places: int, tokens: Tokens, at: Mentions) -> int:
        found = 0
        for i, options in self._begun(places, tokens):
            for steps in options:
                found |= _run(steps, 1 << i, tokens, at)
        for steps in self._others:
            found |= _run(steps, places, tokens, at)
        return found

    def bound(self, states: States, tokens: Tokens, at: Mentions) -> States:
        if not self.binds:
            return _Step.bound(self, states, tokens, at)
        found: States = {}
        for side, places in states.items():
            for i, options in self._begun(places, tokens):
                for steps in options:
                    found = _joined(found, _run_bound(steps, {side: 1 << i}, tokens, at))
        for steps in self._others:
            found = _joined(found, _run_bound(steps, states, tokens, at))
        return found

    def _begun(self, places: int, tokens: Tokens) -> list[tuple[int, list[Sequence[_Step]]]]:
        """The places at which some option's first word stands, with those options."""
        words, by_word = tokens.words, self._by_word
        size = len(words)
        places = passed(places, tokens.skipped)
        found = []
        while places:
            i = (places & -places).bit_length() - 1
            places &= places - 1
            if i < size and words[i] in by_word:
                found.append((i, by_word[words[i]]))
        return found


def _run(steps: Sequence[_Step], places: int, tokens: Tokens, at: Mentions) -> int:
    """Where a sequence that binds nothing may end, given where it may begin."""
    for step in steps:
        places = step.after(places, tokens, at)
        if not places:
            break
    return places


def _run_bound(steps: Sequence[_Step], states: States, tokens: Tokens, at: Mentions) -> States:
    """Where a sequence may end, given where it may begin."""
    for step in steps:
        states = step.bound(states, tokens, at)
        if not states:
            break
    return states


def _joined(one: States, other: States) -> States:
    if not other:
        return one
    found = dict(one)
    for side, places in other.items():
        found[side] = found.get(side, 0) | places
    return found


_NONE: Final[tuple[tuple[int, int, str | None], ...]] = ()


class Pattern:
    """A phrase whose first element is a word, a slot or a mark, ready to be matched."""

    __slots__ = ("_binds", "_first", "_head", "_rest")

    def __init__(self, head: Element, steps: Sequence[_Step]) -> None:
        self._head = head
        self._first = steps[0]
        self._rest = tuple(steps[1:])
        self._binds = any(step.binds for step in steps)

    def matches(self, tokens: Tokens, at: Mentions) -> Sequence[tuple[int, int, str | None]]:
        """First and last token of the shortest match from every start, for each side that X is bound to."""
        begins = self._begins(tokens, at)
        if not begins:
            return _NONE
        states = self._ends(begins, tokens, at)  # from all starts at once: mostly that is the end of it
        if not states:
            return _NONE
        one = not begins & (begins - 1)
        found: list[tuple[int, int, str | None]] = []
        for start in bits(begins):
            if not one:
                states = self._ends(1 << start, tokens, at)
            ends = {
                side: (beyond & -beyond).bit_length() - 1
                for side, places in states.items()
                if (beyond := places >> start + 1 << start + 1)
            }
            if not ends:
                continue
            place = start
            if isinstance(self._head, Mark) and self._head.kind == "^":
                place = min(tokens.first_word, *(end - 1 for end in ends.values()))
            found += [(place, ends[side] - 1, side) for side in sorted(ends, key=lambda side: side or "")]
        return found

    def _begins(self, tokens: Tokens, at: Mentions) -> int:
        """The tokens at which a match may begin."""
        head, first = self._head, self._first
        if isinstance(first, _WordStep):
            return first.standing(tokens)
        if isinstance(head, ActorSlot):
            return sum(1 << first for first in at)
        assert isinstance(head, Mark)
        if head.kind == "^":
            return 1
        if head.kind == "$":
            return (1 << len(tokens)) - 1
        begins = tokens.any_of(signs(head.kind))
        if head.kind != '"':  # quotation marks before it are passed over
            before = begins >> 1 & tokens.quotes & ~begins
            while before:
                begins |= before
                before = before >> 1 & tokens.quotes & ~begins
        return begins

    def _ends(self, begins: int, tokens: Tokens, at: Mentions) -> States:
        """Where a match may end that begins at one of these tokens, which are not passed over."""
        first = self._first
        if isinstance(first, _WordStep):
            begins <<= 1
        elif isinstance(first, _SlotStep):
            return _run_bound(self._rest, first.bound({None: begins}, tokens, at), tokens, at)
        elif not (isinstance(self._head, Mark) and self._head.kind == "^"):
            begins = first.after(begins, tokens, at)
        if self._binds:
            return _run_bound(self._rest, {None: begins}, tokens, at)
        for step in self._rest:
            if not begins:
                break
            begins = step.after(begins, tokens, at)
        return {None: begins} if begins else {}


def signs(kind: str) -> frozenset[str]:
    """How texts spell a mark of a phrase."""
    return QUOTES if kind == '"' else DASHES if kind == "—" else frozenset((kind,))


def behind(mention: Mention, tokens: Tokens) -> int:
    """The token behind a mention and the 's on it."""
    after = mention.last + 1
    return after + 1 if after < len(tokens) and tokens.words[after] == _POSSESSIVE else after


def bits(places: int) -> Iterator[int]:
    """The tokens of a set of places, in order."""
    while places:
        lowest = places & -places
        yield lowest.bit_length() - 1
        places ^= lowest


class Maker:
    """Makes elements ready to match. A word list that stands in many phrases is made ready once."""

    def __init__(self, admits: Admits) -> None:
        self._admits = admits
        self._made: dict[
            int, tuple[object, Sequence[_Step]]
        ] = {}  # with the elements, so that ids stay theirs

    def pattern(self, elements: Sequence[Element]) -> Pattern:
        """A phrase made ready."""
        return Pattern(elements[0], [self._step(element) for element in elements])

    def _steps(self, elements: Sequence[Element]) -> Sequence[_Step]:
        known = self._made.get(id(elements))
        if known is None:
            known = self._made[id(elements)] = elements, [self._step(element) for element in elements]
        return known[1]

    def _step(self, element: Element) -> _Step:
        if isinstance(element, Word):
            return _WordStep(element)
        if isinstance(element, ActorSlot):
            return _SlotStep(element, self._admits)
        if isinstance(element, Gap):
            return _GapStep(element)
        if isinstance(element, Mark):
            return _MarkStep(element.kind)
        known = self._made.get(id(element))
        if known is None:
            made: _Step
            if isinstance(element, Optional):
                made = _OptionalStep(self._steps(element.elements))
            else:
                assert isinstance(element, Alternatives)
                made = _ChoiceStep([(option[0], self._steps(option)) for option in element.options])
            known = self._made[id(element)] = element, [made]
        return known[1][0]
