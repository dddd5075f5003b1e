"""The scan as a plain reader would write it, as an oracle for the fast one: each phrase is tried from each
place where it may begin, element by element, with sets of the places that it may have reached. Slow.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from stance.lexicon import Hit, Mention, Scan
from stance.phrases import (
    EVERYWHERE,
    FREQUENT,
    WORD,
    ActorSlot,
    Alternatives,
    Element,
    Gap,
    Mark,
    Optional,
    PhraseParser,
    Word,
    keys,
    lower,
    required,
)
from stance.rulebook import Actor, Rule, Rulebook

# Words as phrases have them, and single marks.
_TOKEN: Final = re.compile(rf"{WORD.pattern}|[^\w\s]|_")
_QUOTES: Final = frozenset("\"'“”‘’«»„‟‹›`")
_DASHES: Final = frozenset("–—―")
_DASH: Final = "—"
_SKIPPED: Final = _QUOTES | frozenset("-‐‑")
_POSSESSIVE: Final = "'s"
_FINAL: Final = frozenset(".!?…)]") | _QUOTES


class Tokens:
    """Light tokens of one sentence: lower-cased words and their places.

    ``starts`` and ``ends`` are worked out when first asked for: most sentences hold nothing that needs them.
    """

    __slots__ = ("ends", "first_word", "last_word", "positions", "raw", "starts", "text", "words")

    starts: list[int]
    ends: list[int]

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw: list[str] = _TOKEN.findall(text)
        if "’" in text or "ʼ" in text:
            self.words = [lower(raw) for raw in self.raw]
        else:
            self.words = list(map(str.lower, self.raw))
        words = self.words
        self.positions: dict[str, list[int]] = {}
        if " - " in text:  # a hyphen written for a dash
            for index, raw in enumerate(self.raw):
                if raw == "-" and text[self.starts[index] - 1 : self.ends[index] + 1] == " - ":
                    words[index] = _DASH
        positions = self.positions
        for index, word in enumerate(words):
            if word in positions:
                positions[word].append(index)
            else:
                positions[word] = [index]
        # Where a sentence begins and ends but for quotation marks and final punctuation.
        first, last = 0, len(words)
        while first < last and words[first] in _SKIPPED:
            first += 1
        self.first_word = first
        while last and words[last - 1] in _FINAL:
            last -= 1
        self.last_word = self._before_tag(last) if words and words[-1] == ")" else last

    def _before_tag(self, last: int) -> int:
        """Where the sentence ends before a closing tag in capitals, "(VIDEO)"; without one, ``last``."""
        for i in range(len(self.words) - 2, max(-1, len(self.words) - 7), -1):
            if self.words[i] == "(":
                return i
            if self.raw[i][0].isalpha() and not self.raw[i].isupper():
                break
        return last

    def __getattr__(self, name: str) -> list[int]:
        # Called only while the slot is empty.
        if name not in ("starts", "ends"):
            raise AttributeError(name)
        spans = [match.span() for match in _TOKEN.finditer(self.text)]
        self.starts = [start for start, _ in spans]
        self.ends = [end for _, end in spans]
        return self.starts if name == "starts" else self.ends

    def __len__(self) -> int:
        return len(self.words)


@dataclass(frozen=True, slots=True)
class _Need:
    """What a pattern cannot do without: numbers of sets of rare words and of actors, bits of other sets."""

    rare: frozenset[int] = frozenset()
    common: int = 0


_NOTHING: Final = _Need()


class _Pattern:
    """A phrase. ``keys`` are the words of which one must stand in a sentence that it matches, ``needs``
    all that it cannot do without; ``steps`` are made when it is first tried, and so is ``follow``,
    what can stand right after the first element (None: anything)."""

    __slots__ = ("elements", "follow", "keys", "needs", "steps")

    def __init__(self, elements: tuple[Element, ...], keys: frozenset[str]) -> None:
        self.elements = elements
        self.keys = keys
        self.needs = _NOTHING
        self.steps: tuple[_Step, ...] | None = None
        self.follow: _Follow | None = None


@dataclass(frozen=True, slots=True)
class _Follow:
    """What may stand at a place: one of ``words`` (marks included), a mention, or the sentence's end."""

    words: frozenset[str]
    actor: bool = False
    end: bool = False


def _follow(elements: Sequence[Element]) -> tuple[_Follow | None, bool]:
    """What a sequence can begin with (None: anything), and whether it can be empty."""
    words: set[str] = set()
    actor = end = False
    for element in elements:
        empty = False
        options: Sequence[Sequence[Element]] = ()
        if isinstance(element, Word):
            words |= element.forms
        elif isinstance(element, ActorSlot):
            actor = True
        elif isinstance(element, Mark):
            if element.kind == "$":
                end = True
            elif element.kind == "^":
                return None, False
            else:
                words |= (
                    _QUOTES if element.kind == '"' else _DASHES if element.kind == "—" else {element.kind}
                )
        elif isinstance(element, Gap):
            return None, False
        elif isinstance(element, Optional):
            options, empty = (element.elements,), True
        else:
            options = element.options
        for option in options:
            inner, may_be_empty = _follow(option)
            if inner is None:
                return None, False
            words |= inner.words
            actor, end, empty = actor or inner.actor, end or inner.end, empty or may_be_empty
        if not empty:
            return _Follow(frozenset(words), actor, end), False
    return _Follow(frozenset(words), actor, end), True


@dataclass(frozen=True, slots=True)
class _Entry:
    """One phrase of a rule or one name of an actor, with what silences it."""

    order: int
    owner: Rule | Actor
    pattern: _Pattern
    unless: tuple[_Pattern, ...]


class _Needs:
    """A number for each set of words, and each kind of actor, of which a pattern must find one.

    A pattern is tried only on sentences that hold something of every set: most patterns that share a key
    with a sentence lack something else, and to look that up is a hundred times cheaper than to try. A word
    of grammar is in very many sets, so those are bits of one number; the others are few in a sentence.
    """

    def __init__(self) -> None:
        self._rare: dict[frozenset[str] | ActorSlot, int] = {}
        self._common: dict[frozenset[str], int] = {}

    def of(self, elements: Sequence[Element]) -> _Need:
        """All that a sequence needs."""
        rare, common = set(), 0
        for element in elements:
            wanted = element if isinstance(element, ActorSlot) else required(element)
            if wanted is None:
                continue
            if isinstance(wanted, ActorSlot) or (
                wanted.isdisjoint(EVERYWHERE) and wanted.isdisjoint(FREQUENT)
            ):
                rare.add(self._rare.setdefault(wanted, len(self._rare)))
            else:
                common |= 1 << self._common.setdefault(wanted, len(self._common))
        return _Need(frozenset(rare), common)

    def slots(self) -> list[tuple[ActorSlot, int]]:
        return [(wanted, number) for wanted, number in self._rare.items() if isinstance(wanted, ActorSlot)]

    def words(self) -> dict[str, tuple[list[int], int]]:
        """For each word the numbers, and the bits, of the sets that it is in."""
        rare: dict[str, list[int]] = {}
        for wanted, number in self._rare.items():
            if not isinstance(wanted, ActorSlot):
                for word in wanted:
                    rare.setdefault(word, []).append(number)
        bits: dict[str, int] = {}
        for wanted, number in self._common.items():
            for word in wanted:
                bits[word] = bits.get(word, 0) | 1 << number
        return {word: (rare.get(word, []), bits.get(word, 0)) for word in rare.keys() | bits.keys()}


class _There:
    """What one sentence holds of all that patterns need."""

    __slots__ = ("bits", "numbers", "words")

    def __init__(self, tokens: Tokens, known: Mapping[str, tuple[list[int], int]]) -> None:
        self.words: list[str] = []
        self.numbers: set[int] = set()
        self.bits = 0
        for word in tokens.positions:
            if word in known:
                numbers, bits = known[word]
                self.words.append(word)
                self.numbers.update(numbers)
                self.bits |= bits

    def has(self, need: _Need) -> bool:
        return need.common & self.bits == need.common and need.rare <= self.numbers


_Table = dict[str, list[tuple[int, frozenset[int], _Entry]]]
_MentionsAt = dict[int, list[Mention]]
# Places that a match may have reached: the next token, and the side bound to {X} so far.
_States = set[tuple[int, str | None]]
_Admits = Callable[[ActorSlot, Actor, str | None], tuple[bool, str | None]]
_NO_MENTIONS: Final[_MentionsAt] = {}
# Spelled-out forms of a phrase of plain words from which it is matched element by element instead.
_MAX_PATHS: Final = 300
_Node = dict[str, Any]
_END: Final = ""


class _Trie:
    """Phrases of plain words only, by their words: one walk from a token finds all that begin there."""

    def __init__(self) -> None:
        self.root: _Node = {}

    def add(self, entry: _Entry) -> bool:
        """False if the phrase has slots, gaps, marks, options or too many forms for a trie."""
        words: list[Word] = []
        paths = 1
        for element in entry.pattern.elements:
            if not isinstance(element, Word):
                return False
            words.append(element)
            paths *= len(element.forms)
        if paths > _MAX_PATHS:
            return False
        exact = tuple(word.exact for word in words)
        payload = (entry, exact if any(exact) else None)
        for path in product(*(sorted(word.forms) for word in words)):
            node = self.root
            for form in path:
                node = node.setdefault(form, {})
            node.setdefault(_END, []).append(payload)
        return True

    def find(self, tokens: Tokens) -> Iterator[tuple[_Entry, int, int]]:
        """Entries that stand in a sentence, each with its first and last token."""
        words = tokens.words
        size = len(words)
        root = self.root
        for first, word in enumerate(words):
            node = root.get(word)
            if node is None:
                continue
            if _END not in node and first + 1 < size:
                following = words[first + 1]
                if following not in node and following not in _SKIPPED:
                    continue
            i = first
            passed = [i]
            while True:
                for entry, exact in node.get(_END, ()):
                    if exact is None or all(
                        e is None or tokens.raw[passed[k]] == e for k, e in enumerate(exact)
                    ):
                        yield entry, first, i
                i += 1
                while i < size and words[i] in _SKIPPED:
                    i += 1
                if i >= size:
                    break
                node = node.get(words[i])
                if node is None:
                    break
                passed.append(i)


class Lexicon:
    """The compiled phrases of a rulebook.

    Args:
        rulebook: the rules and actors.
        trial: also scan the rules that are on trial (for measuring; a verdict never counts them).
    """

    def __init__(self, rulebook: Rulebook, *, trial: bool = False) -> None:
        self._rulebook = rulebook
        self._parser = PhraseParser(rulebook.lists, rulebook.irregular)
        self._sides = tuple(side.id for side in rulebook.sides)
        self._names: _Table = {}
        self._phrases: _Table = {}  # without actors
        self._acted: _Table = {}  # with actors: not looked at where none is mentioned
        self._needs = _Needs()
        self._name_trie = _Trie()
        self._phrase_trie = _Trie()
        order = 0
        for actor in rulebook.actors:
            unless = self._silencers(actor.unless)
            for name in actor.names:
                for pattern in self._compile(name):
                    order += 1
                    self._index(self._names, self._name_trie, _Entry(order, actor, pattern, unless))
        for rule in rulebook.rules:
            if rule.kind != "lexical" or (rule.status != "active" and not trial):
                continue
            unless = self._silencers(rule.unless_phrases)
            for phrase in rule.phrases:
                for pattern in self._compile(phrase):
                    order += 1
                    table = self._acted if _has_slot(pattern.elements) else self._phrases
                    self._index(table, self._phrase_trie, _Entry(order, rule, pattern, unless))
        self.size = order
        # Every word that some phrase needs, with the numbers of the sets that it is in.
        self._known = self._needs.words()
        for table in (self._names, self._phrases, self._acted):
            for word in table:
                self._known.setdefault(word, ([], 0))
        self._slots = self._needs.slots()
        self._admitted: dict[str, list[int]] = {}
        self._steps: dict[int, tuple[_Step, ...]] = {}
        self._choices: dict[int, _Step] = {}
        self._kept: list[object] = []

    # -- compiling -------------------------------------------------------------------------------------

    def _compile(self, phrase: str) -> Iterator[_Pattern]:
        elements = self._parser.parse(phrase)
        for variant in _without_leading_options(tuple(elements)):
            yield _Pattern(variant, keys(variant))

    def _silencers(self, phrases: Sequence[str]) -> tuple[_Pattern, ...]:
        patterns = tuple(pattern for text in phrases for pattern in self._compile(text))
        for pattern in patterns:
            pattern.needs = self._needs.of(pattern.elements)
        return patterns

    def _index(self, table: _Table, trie: _Trie, entry: _Entry) -> None:
        if trie.add(entry):
            return
        pattern = entry.pattern
        pattern.needs = self._needs.of(pattern.elements)
        for key in pattern.keys:
            table.setdefault(key, []).append((pattern.needs.common, pattern.needs.rare, entry))

    # -- scanning --------------------------------------------------------------------------------------

    def scan(self, text: str) -> Scan:
        """Everything that names and phrases find in one sentence, in order of place, then of rule id."""
        return self.scan_tokens(Tokens(text))

    def scan_tokens(self, tokens: Tokens) -> Scan:
        """As `scan`, of tokens that somebody has made already."""
        there = _There(tokens, self._known)
        mentions = self._mentions(tokens, there)
        at: _MentionsAt = {}
        for mention in mentions:
            at.setdefault(mention.first, []).append(mention)
            there.numbers.update(self._slots_of(mention.actor))
        hits: dict[tuple[str, int, str | None], Hit] = {}

        def add(entry: _Entry, first: int, last: int, bound: str | None) -> None:
            rule = entry.owner
            assert isinstance(rule, Rule)
            if entry.unless and self._silenced(entry.unless, tokens, at, there, first, last):
                return
            key = (rule.id, first, bound)
            other = hits.get(key)
            if other is None or other.last < last:
                hits[key] = Hit(rule, tokens.starts[first], tokens.ends[last], bound, first, last)

        for entry, first, last in self._phrase_trie.find(tokens):
            add(entry, first, last, None)
        triggered = self._triggered(self._phrases, there)
        if mentions:
            triggered += self._triggered(self._acted, there)
        for entry in triggered:
            for first, last, bound in self._matches(entry.pattern, tokens, at):
                add(entry, first, last, bound)
        if not hits:
            return Scan(tokens, mentions, ())
        ordered = sorted(hits.values(), key=lambda hit: (hit.start, -hit.end, hit.rule.id, hit.side or ""))
        return Scan(tokens, mentions, _without_inner_repeats(ordered))

    @staticmethod
    def _triggered(table: _Table, there: _There) -> list[_Entry]:
        """Entries with a key in the sentence that lack nothing of what they need."""
        entries: dict[int, _Entry] = {}
        bits, numbers = there.bits, there.numbers
        for key in there.words:
            if key in table:
                for common, rare, entry in table[key]:
                    if common & bits == common and rare <= numbers:
                        entries[entry.order] = entry
        return list(entries.values())

    def _slots_of(self, actor: Actor) -> list[int]:
        """The numbers of the slots that admit an actor; worked out when the actor is first met."""
        known = self._admitted.get(actor.id)
        if known is None:
            known = [number for slot, number in self._slots if self._admits(slot, actor, None)[0]]
            self._admitted[actor.id] = known
        return known

    def _mentions(self, tokens: Tokens, there: _There) -> tuple[Mention, ...]:
        candidates: list[tuple[int, int, int, Actor]] = []

        def add(entry: _Entry, first: int, last: int) -> None:
            actor = entry.owner
            assert isinstance(actor, Actor)
            if not (entry.unless and self._silenced(entry.unless, tokens, _NO_MENTIONS, there, first, last)):
                candidates.append((first, -last, entry.order, actor))

        for entry, first, last in self._name_trie.find(tokens):
            add(entry, first, last)
        if self._names:
            for entry in self._triggered(self._names, there):
                for first, last, _ in self._matches(entry.pattern, tokens, _NO_MENTIONS):
                    add(entry, first, last)
        if not candidates:
            return ()
        # The leftmost longest name wins, then a name before a word for an office; a name inside a longer
        # one is not a mention of its own.
        candidates.sort(key=lambda c: (c[0], c[1], c[3].kind == "role", c[2]))
        mentions: list[Mention] = []
        taken = -1
        for first, minus_last, _, actor in candidates:
            if first > taken:
                last = -minus_last
                mentions.append(Mention(tokens.starts[first], tokens.ends[last], actor, first, last))
                taken = last
        return tuple(mentions)

    def _silenced(
        self,
        unless: Sequence[_Pattern],
        tokens: Tokens,
        at: _MentionsAt,
        there: _There,
        first: int,
        last: int,
    ) -> bool:
        for pattern in unless:
            if not there.has(pattern.needs):
                continue
            for begin, end, _ in self._matches(pattern, tokens, at):
                if begin <= last and first <= end:
                    return True
        return False

    def _matches(
        self, pattern: _Pattern, tokens: Tokens, at: _MentionsAt
    ) -> list[tuple[int, int, str | None]]:
        """First and last token and the side bound to X, for every start at which the pattern matches."""
        elements = pattern.elements
        head = elements[0]
        if pattern.steps is None:
            pattern.follow, empty = _follow(elements[1:])
            if empty:
                pattern.follow = None
            pattern.steps = self._steps_of(elements)
        steps, follow = pattern.steps, pattern.follow
        at_start = isinstance(head, Mark) and head.kind == "^"
        found: list[tuple[int, int, str | None]] = []
        for start in _starts(head, tokens, at):
            if isinstance(head, Word):
                if follow is not None and not _goes_on(follow, tokens, at, start + 1):
                    continue
                states: _States = {(start + 1, None)}
                rest = steps[1:]
            elif at_start:
                if follow is not None and not _goes_on(follow, tokens, at, 0):
                    continue
                states, rest = {(0, None)}, steps[1:]
            else:
                states, rest = steps[0].take({(start, None)}, tokens, at, True), steps[1:]
                if follow is not None and not any(_goes_on(follow, tokens, at, i) for i, _ in states):
                    continue
            for step in rest:
                if not states:
                    break
                states = step.take(states, tokens, at, False)
            if not states:
                continue
            ends: dict[str | None, int] = {}
            for end, bound in states:
                if end > start:
                    ends[bound] = min(end, ends.get(bound, end))
            place = start
            if at_start:
                place = min(tokens.first_word, *(end - 1 for end in ends.values())) if ends else start
            for bound in sorted(ends, key=lambda b: b or ""):
                found.append((place, ends[bound] - 1, bound))
        return found

    def _steps_of(self, elements: Sequence[Element]) -> tuple[_Step, ...]:
        """The elements made ready to run. Most phrases are never tried, so this is done when first asked
        for; a word list that stands in many phrases is made ready once."""
        known = self._steps.get(id(elements))
        if known is None:
            known = tuple([self._step_of(element) for element in elements])
            self._steps[id(elements)] = known
            self._kept.append(elements)  # so that its id is not used again
        return known

    def _step_of(self, element: Element) -> _Step:
        if isinstance(element, Word):
            return _WordStep(element)
        if isinstance(element, ActorSlot):
            return _SlotStep(element, self._admits)
        if isinstance(element, Gap):
            return _GapStep(element)
        if isinstance(element, Mark):
            return _MarkStep(element.kind)
        known = self._choices.get(id(element))
        if known is None:
            if isinstance(element, Optional):
                known = _OptionalStep(self._steps_of(element.elements))
            else:
                known = _ChoiceStep([(option[0], self._steps_of(option)) for option in element.options])
            self._choices[id(element)] = known
            self._kept.append(element)
        return known

    def _admits(self, slot: ActorSlot, actor: Actor, bound: str | None) -> tuple[bool, str | None]:
        if slot.kinds and actor.kind not in slot.kinds:
            return False, bound
        if slot.ally is not None and actor.ally is not slot.ally:
            return False, bound
        if slot.side == "any":
            return True, bound
        if actor.side is None:
            return False, bound
        if slot.side == "X":
            return bound is None or bound == actor.side, actor.side if bound is None else bound
        if slot.side == "Y":
            other = self._rulebook.other(actor.side)
            return bound is None or bound == other, other if bound is None else bound
        return slot.side == actor.side, bound


class _Step:
    """One element: where a match may stand after it, given where it may stand before.

    Sets of places keep a match polynomial, whatever brackets and gaps a phrase nests. ``first``: nothing
    has been matched yet, so that no mark is passed over.
    """

    __slots__ = ()

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        raise NotImplementedError


class _WordStep(_Step):
    __slots__ = ("_exact", "_forms")

    def __init__(self, word: Word) -> None:
        self._forms = word.forms
        self._exact = word.exact

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        words = tokens.words
        size = len(words)
        forms = self._forms
        result: _States = set()
        for i, bound in states:
            if not first:
                while i < size and words[i] in _SKIPPED:
                    i += 1
            if i < size and words[i] in forms and (self._exact is None or tokens.raw[i] == self._exact):
                result.add((i + 1, bound))
        return result


class _OptionalStep(_Step):
    __slots__ = ("_steps",)

    def __init__(self, steps: Sequence[_Step]) -> None:
        self._steps = steps

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        return states | _run(self._steps, states, tokens, at, first)


class _ChoiceStep(_Step):
    """Alternatives. Those that begin with a word are looked up by it: a word list may hold hundreds."""

    __slots__ = ("_by_word", "_others")

    def __init__(self, options: Sequence[tuple[Element, Sequence[_Step]]]) -> None:
        self._by_word: dict[str, list[Sequence[_Step]]] = {}
        self._others: list[Sequence[_Step]] = []
        for head, steps in options:
            if isinstance(head, Word):
                for form in head.forms:
                    self._by_word.setdefault(form, []).append(steps)
            else:
                self._others.append(steps)

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        words = tokens.words
        size = len(words)
        result: _States = set()
        for i, bound in states:
            if not first:
                while i < size and words[i] in _SKIPPED:
                    i += 1
            if i < size:
                for steps in self._by_word.get(words[i], ()):
                    result |= _run(steps, {(i, bound)}, tokens, at, first)
        for steps in self._others:
            result |= _run(steps, states, tokens, at, first)
        return result


class _SlotStep(_Step):
    __slots__ = ("_admits", "_slot")

    def __init__(self, slot: ActorSlot, admits: _Admits) -> None:
        self._slot = slot
        self._admits = admits

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        words = tokens.words
        size = len(words)
        result: _States = set()
        for i, bound in states:
            while not first and i < size and words[i] in _SKIPPED and i not in at:
                i += 1
            for mention in at.get(i, ()):
                ok, now = self._admits(self._slot, mention.actor, bound)
                if ok:
                    after = mention.last + 1
                    if after < size and words[after] == _POSSESSIVE:
                        after += 1
                    result.add((after, now))
        return result


class _GapStep(_Step):
    __slots__ = ("_max", "_min")

    def __init__(self, gap: Gap) -> None:
        self._min = gap.min
        self._max = gap.max

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        words = tokens.words
        size = len(words)
        result: _States = set(states) if self._min == 0 else set()
        frontier = states
        for count in range(1, self._max + 1):
            beyond: _States = set()
            for i, bound in frontier:
                while i < size and (words[i] in _SKIPPED or words[i] == ","):
                    i += 1
                if i < size and (words[i][0].isalnum() or words[i][0] == "'"):
                    beyond.add((i + 1, bound))
            frontier = beyond
            if not frontier:
                break
            if count >= self._min:
                result |= frontier
        return result


class _MarkStep(_Step):
    __slots__ = ("_kind",)

    def __init__(self, kind: str) -> None:
        self._kind = kind

    def take(self, states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
        words = tokens.words
        size = len(words)
        kind = self._kind
        result: _States = set()
        for i, bound in states:
            if kind == "^":
                if i <= tokens.first_word:
                    result.add((i, bound))
            elif kind == "$":
                if i >= tokens.last_word:
                    result.add((i, bound))
            elif kind == '"':
                if i < size and words[i] in _QUOTES:
                    result.add((i + 1, bound))
            else:
                while i < size and words[i] in _QUOTES:
                    i += 1
                if i < size and (words[i] == kind or (kind == "—" and words[i] in _DASHES)):
                    result.add((i + 1, bound))
        return result


def _run(steps: Sequence[_Step], states: _States, tokens: Tokens, at: _MentionsAt, first: bool) -> _States:
    """Where a sequence may end, given where it may begin."""
    for step in steps:
        states = step.take(states, tokens, at, first)
        if not states:
            break
        first = False
    return states


def _goes_on(follow: _Follow, tokens: Tokens, at: _MentionsAt, i: int) -> bool:
    """Whether what stands at token ``i``, or behind the marks there that are passed over, is such."""
    words = tokens.words
    size = len(words)
    if follow.end and i >= tokens.last_word:
        return True
    while i < size:
        word = words[i]
        if word in follow.words or (follow.actor and i in at):
            return True
        if word not in _SKIPPED:
            return False
        i += 1
    return False


def _starts(head: Element, tokens: Tokens, at: _MentionsAt) -> Iterable[int]:
    """The tokens at which a pattern with this first element may begin, in order."""
    if isinstance(head, Word):
        return _word_starts(head, tokens)
    if isinstance(head, ActorSlot):
        return list(at)
    if isinstance(head, Mark):
        if head.kind == "^":
            return (0,)
        return _mark_starts(head.kind, tokens)
    return range(len(tokens))


def _mark_starts(kind: str, tokens: Tokens) -> Iterable[int]:
    """The places of a mark, and those from which only quotation marks lie before it."""
    if kind == "$":
        return range(len(tokens))
    words, positions = tokens.words, tokens.positions
    spelled = _QUOTES if kind == '"' else _DASHES if kind == "—" else (kind,)
    starts = {i for sign in spelled if sign in positions for i in positions[sign]}
    if kind != '"':
        for i in list(starts):
            while i and words[i - 1] in _QUOTES:
                i -= 1
                starts.add(i)
    return sorted(starts)


def _word_starts(element: Word, tokens: Tokens) -> list[int]:
    positions, forms = tokens.positions, element.forms
    if element.exact is not None:
        found = positions.get(element.exact.lower(), ())
        return [i for i in found if tokens.raw[i] == element.exact]
    if len(forms) > len(positions):
        starts = [i for word, places in positions.items() if word in forms for i in places]
    else:
        starts = [i for form in forms if form in positions for i in positions[form]]
    starts.sort()
    return starts


def _has_slot(elements: Sequence[Element]) -> bool:
    """Whether a sequence cannot do without an actor."""
    return any(isinstance(element, ActorSlot) for element in elements)


def _without_leading_options(elements: tuple[Element, ...]) -> Iterator[tuple[Element, ...]]:
    """The same pattern with every choice at its start made: it begins with a word, slot or mark."""
    if not elements:
        return
    head, rest = elements[0], elements[1:]
    if isinstance(head, Optional):
        yield from _without_leading_options((*head.elements, *rest))
        yield from _without_leading_options(rest)
    elif isinstance(head, Alternatives):
        for option in head.options:
            yield from _without_leading_options((*option, *rest))
    elif isinstance(head, Gap):
        yield from _without_leading_options(rest)
    else:
        yield elements


def _without_inner_repeats(hits: Sequence[Hit]) -> tuple[Hit, ...]:
    """Of hits of the same rule and side, one that lies inside another says nothing more."""
    kept: list[Hit] = []
    reach: dict[tuple[str, str | None], int] = {}
    for hit in hits:
        key = (hit.rule.id, hit.side)
        if hit.end > reach.get(key, -1):
            kept.append(hit)
            reach[key] = hit.end
    return tuple(kept)
