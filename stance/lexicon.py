"""All phrases of all rules and all names of all actors in one scan over the raw text.

No tokenizer of a parser is needed: a sentence is cut into light tokens by one regular expression, and a
phrase is tried only where one of its key words occurs. Most sentences share no key word with the
rulebook and cost one set intersection.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

from stance.phrases import (
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
)
from stance.rulebook import Actor, Rule, Rulebook

# Words as phrases have them, and single marks.
_TOKEN: Final = re.compile(rf"{WORD.pattern}|[^\w\s]|_")
_QUOTES: Final = frozenset("\"'“”‘’«»„‟‹›`")
_DASHES: Final = frozenset("–—―")
_SKIPPED: Final = _QUOTES | frozenset("-‐‑")
_POSSESSIVE: Final = "'s"
_FINAL: Final = frozenset(".!?…)]") | _QUOTES


@dataclass(frozen=True, slots=True)
class Mention:
    """A name of an actor at ``[start, end)`` of the sentence."""

    start: int
    end: int
    actor: Actor
    first: int = 0
    last: int = 0


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase of a lexical rule at ``[start, end)``; ``side`` is what ``{X}`` was bound to, if anything."""

    rule: Rule
    start: int
    end: int
    side: str | None
    first: int
    last: int


class Tokens:
    """Light tokens of one sentence: lower-cased words and their places."""

    __slots__ = ("ends", "first_word", "last_word", "positions", "raw", "starts", "text", "words")

    def __init__(self, text: str) -> None:
        self.text = text
        self.raw: list[str] = []
        self.words: list[str] = []
        self.starts: list[int] = []
        self.ends: list[int] = []
        self.positions: dict[str, list[int]] = {}
        for index, match in enumerate(_TOKEN.finditer(text)):
            raw = match.group()
            word = lower(raw)
            self.raw.append(raw)
            self.words.append(word)
            self.starts.append(match.start())
            self.ends.append(match.end())
            self.positions.setdefault(word, []).append(index)
        # Where a sentence begins and ends but for quotation marks and final punctuation.
        self.first_word = 0
        while self.first_word < len(self.words) and self.words[self.first_word] in _SKIPPED:
            self.first_word += 1
        self.last_word = len(self.words)
        while self.last_word and self.words[self.last_word - 1] in _FINAL:
            self.last_word -= 1

    def __len__(self) -> int:
        return len(self.words)


class Scan:
    """What one sentence holds: tokens, mentions of actors, hits of lexical rules."""

    __slots__ = ("hits", "mentions", "tokens")

    def __init__(self, tokens: Tokens, mentions: tuple[Mention, ...], hits: tuple[Hit, ...]) -> None:
        self.tokens = tokens
        self.mentions = mentions
        self.hits = hits


@dataclass(frozen=True, slots=True)
class _Pattern:
    elements: tuple[Element, ...]
    keys: frozenset[str]


@dataclass(frozen=True, slots=True)
class _Entry:
    """One phrase of a rule or one name of an actor, with what silences it."""

    order: int
    owner: Rule | Actor
    pattern: _Pattern
    unless: tuple[_Pattern, ...]


_MentionsAt = dict[int, list[Mention]]
# Places that a match may have reached: the next token, and the side bound to {X} so far.
_States = set[tuple[int, str | None]]
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

    def walk(self, tokens: Tokens, first: int) -> Iterator[tuple[_Entry, int]]:
        """Entries that begin at token ``first``, each with its last token."""
        words = tokens.words
        size = len(words)
        node = self.root[words[first]]
        i = first
        passed = [i]
        while True:
            for entry, exact in node.get(_END, ()):
                if exact is None or all(e is None or tokens.raw[passed[k]] == e for k, e in enumerate(exact)):
                    yield entry, i
            i += 1
            while i < size and words[i] in _SKIPPED:
                i += 1
            if i >= size:
                return
            node = node.get(words[i])
            if node is None:
                return
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
        self._names: dict[str, list[_Entry]] = {}
        self._phrases: dict[str, list[_Entry]] = {}
        self._name_trie = _Trie()
        self._phrase_trie = _Trie()
        order = 0
        for actor in rulebook.actors:
            unless = tuple(pattern for text in actor.unless for pattern in self._compile(text))
            for name in actor.names:
                for pattern in self._compile(name):
                    order += 1
                    self._index(self._names, self._name_trie, _Entry(order, actor, pattern, unless))
        for rule in rulebook.rules:
            if rule.kind != "lexical" or (rule.status != "active" and not trial):
                continue
            unless = tuple(pattern for text in rule.unless_phrases for pattern in self._compile(text))
            for phrase in rule.phrases:
                for pattern in self._compile(phrase):
                    order += 1
                    self._index(self._phrases, self._phrase_trie, _Entry(order, rule, pattern, unless))
        self._name_starts = self._name_trie.root.keys()
        self._phrase_starts = self._phrase_trie.root.keys()
        self.size = order
        self.keys = (
            frozenset(self._names) | frozenset(self._phrases) | self._name_starts | self._phrase_starts
        )

    # -- compiling -------------------------------------------------------------------------------------

    def _compile(self, phrase: str) -> Iterator[_Pattern]:
        elements = self._parser.parse(phrase)
        for variant in _without_leading_options(tuple(elements)):
            yield _Pattern(variant, keys(variant))

    @staticmethod
    def _index(table: dict[str, list[_Entry]], trie: _Trie, entry: _Entry) -> None:
        if trie.add(entry):
            return
        for key in entry.pattern.keys:
            table.setdefault(key, []).append(entry)

    # -- scanning --------------------------------------------------------------------------------------

    def scan(self, text: str) -> Scan:
        """Everything that names and phrases find in one sentence, in order of place, then of rule id."""
        return self.scan_tokens(Tokens(text))

    def scan_tokens(self, tokens: Tokens) -> Scan:
        found = self.keys & tokens.positions.keys()
        if not found:
            return Scan(tokens, (), ())
        mentions = self._mentions(tokens, found)
        at: _MentionsAt = {}
        for mention in mentions:
            at.setdefault(mention.first, []).append(mention)
        hits: dict[tuple[str, int, str | None], Hit] = {}

        def add(entry: _Entry, first: int, last: int, bound: str | None) -> None:
            rule = entry.owner
            assert isinstance(rule, Rule)
            if entry.unless and self._silenced(entry.unless, tokens, at, first, last):
                return
            key = (rule.id, first, bound)
            known = hits.get(key)
            if known is None or known.last < last:
                hits[key] = Hit(rule, tokens.starts[first], tokens.ends[last], bound, first, last)

        for word in self._phrase_starts & found:
            for place in tokens.positions[word]:
                for entry, last in self._phrase_trie.walk(tokens, place):
                    add(entry, place, last, None)
        for entry in self._triggered(self._phrases, found):
            for first, last, bound in self._matches(entry.pattern, tokens, at):
                add(entry, first, last, bound)
        ordered = sorted(hits.values(), key=lambda hit: (hit.start, -hit.end, hit.rule.id, hit.side or ""))
        return Scan(tokens, mentions, _without_inner_repeats(ordered))

    @staticmethod
    def _triggered(table: dict[str, list[_Entry]], found: Iterable[str]) -> list[_Entry]:
        entries = {entry.order: entry for key in found for entry in table.get(key, ())}
        return [entries[order] for order in sorted(entries)]

    def _mentions(self, tokens: Tokens, found: frozenset[str]) -> tuple[Mention, ...]:
        candidates: list[tuple[int, int, int, Actor]] = []

        def add(entry: _Entry, first: int, last: int) -> None:
            actor = entry.owner
            assert isinstance(actor, Actor)
            if not (entry.unless and self._silenced(entry.unless, tokens, _NO_MENTIONS, first, last)):
                candidates.append((first, -last, entry.order, actor))

        for word in self._name_starts & found:
            for place in tokens.positions[word]:
                for entry, last in self._name_trie.walk(tokens, place):
                    add(entry, place, last)
        for entry in self._triggered(self._names, found):
            for first, last, _ in self._matches(entry.pattern, tokens, _NO_MENTIONS):
                add(entry, first, last)
        # The leftmost longest name wins; a name inside a longer one is not a mention of its own.
        candidates.sort(key=lambda c: c[:3])
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
        first: int,
        last: int,
    ) -> bool:
        for pattern in unless:
            if pattern.keys.isdisjoint(tokens.positions):
                continue
            for begin, end, _ in self._matches(pattern, tokens, at):
                if begin <= last and first <= end:
                    return True
        return False

    def _matches(
        self, pattern: _Pattern, tokens: Tokens, at: _MentionsAt
    ) -> Iterator[tuple[int, int, str | None]]:
        """First and last token and the side bound to X, for every start at which the pattern matches."""
        elements = pattern.elements
        head = elements[0]
        starts: Iterable[int]
        if isinstance(head, Word):
            starts = _word_starts(head, tokens)
        elif isinstance(head, ActorSlot):
            starts = list(at)
        elif isinstance(head, Mark) and head.kind == "^":
            starts = (0,)
        else:
            starts = range(len(tokens))
        for start in starts:
            ends: dict[str | None, int] = {}
            for end, bound in self._run(elements, {(start, None)}, tokens, at, first=True):
                if end > start:
                    ends[bound] = min(end, ends.get(bound, end))
            first = start
            if isinstance(head, Mark) and head.kind == "^":
                first = min(tokens.first_word, *(end - 1 for end in ends.values())) if ends else start
            for bound in sorted(ends, key=lambda b: b or ""):
                yield first, ends[bound] - 1, bound

    def _run(
        self,
        elements: Sequence[Element],
        states: _States,
        tokens: Tokens,
        at: _MentionsAt,
        *,
        first: bool = False,
    ) -> _States:
        """Where a sequence may end, given where it may begin. Sets of places keep it polynomial whatever
        brackets and gaps a phrase nests."""
        for element in elements:
            states = self._step(element, states, tokens, at, first)
            if not states:
                break
            first = False
        return states

    def _step(
        self, element: Element, states: _States, tokens: Tokens, at: _MentionsAt, first: bool
    ) -> _States:
        if isinstance(element, Word):
            return _word_step(element, states, tokens, first)
        if isinstance(element, ActorSlot):
            return self._slot_step(element, states, tokens, at, first)
        if isinstance(element, Optional):
            return states | self._run(element.elements, states, tokens, at, first=first)
        if isinstance(element, Alternatives):
            result: _States = set()
            for option in element.options:
                result |= self._run(option, states, tokens, at, first=first)
            return result
        if isinstance(element, Gap):
            return _gap_step(element, states, tokens)
        return _mark_step(element.kind, states, tokens)

    def _slot_step(
        self, slot: ActorSlot, states: _States, tokens: Tokens, at: _MentionsAt, first: bool
    ) -> _States:
        words = tokens.words
        size = len(words)
        result: _States = set()
        for place, bound in states:
            i = place
            while not first and i < size and words[i] in _SKIPPED and i not in at:
                i += 1
            for mention in at.get(i, ()):
                ok, now = self._admits(slot, mention.actor, bound)
                if ok:
                    after = mention.last + 1
                    if after < size and words[after] == _POSSESSIVE:
                        after += 1
                    result.add((after, now))
        return result

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


def _word_step(element: Word, states: _States, tokens: Tokens, first: bool) -> _States:
    words = tokens.words
    size = len(words)
    forms = element.forms
    result: _States = set()
    for place, bound in states:
        i = place
        while not first and i < size and words[i] in _SKIPPED and words[i] not in forms:
            i += 1
        if i < size and words[i] in forms and (element.exact is None or tokens.raw[i] == element.exact):
            result.add((i + 1, bound))
    return result


def _gap_step(gap: Gap, states: _States, tokens: Tokens) -> _States:
    words = tokens.words
    size = len(words)
    result: _States = set(states) if gap.min == 0 else set()
    frontier = states
    for count in range(1, gap.max + 1):
        beyond: _States = set()
        for place, bound in frontier:
            i = place
            while i < size and (words[i] in _SKIPPED or words[i] == ","):
                i += 1
            if i < size and (words[i][0].isalnum() or words[i][0] == "'"):
                beyond.add((i + 1, bound))
        frontier = beyond
        if count >= gap.min:
            result |= frontier
    return result


def _mark_step(kind: str, states: _States, tokens: Tokens) -> _States:
    words = tokens.words
    size = len(words)
    result: _States = set()
    for place, bound in states:
        i = place
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


def _is_word(element: Word, tokens: Tokens, i: int) -> bool:
    if element.exact is not None:
        return tokens.raw[i] == element.exact
    return tokens.words[i] in element.forms


def _word_starts(element: Word, tokens: Tokens) -> list[int]:
    if element.exact is not None:
        found = tokens.positions.get(element.exact.lower(), ())
        return [i for i in found if tokens.raw[i] == element.exact]
    positions = tokens.positions
    starts = [i for form in element.forms for i in positions.get(form, ())]
    starts.sort()
    return starts


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
