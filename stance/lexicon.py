"""All phrases of all rules and all names of all actors in one scan over the raw text.

No tokenizer of a parser is needed: a sentence is cut into light tokens (`stance.tokens`), each word is
looked up once, and a phrase is tried (`stance.spans`) only where one of its key words stands together with
something else that it cannot do without. What the words lead to is an `Index` of plain values; a phrase is
read when it is first tried, since most never are.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import product
from typing import Any, Final, TypeVar

from stance import cache
from stance.phrases import (
    ActorSlot,
    Alternatives,
    Element,
    Gap,
    Optional,
    PhraseParser,
    Word,
    keys,
    required,
)
from stance.rulebook import Actor, Rule, Rulebook
from stance.spans import Maker, Mention, Mentions, Pattern
from stance.tokens import SKIPPED, Tokens

__all__ = ["Hit", "Lexicon", "Mention", "Scan", "Tokens"]


@dataclass(frozen=True, slots=True)
class Hit:
    """A phrase of a lexical rule at ``[start, end)``; ``side`` is what ``{X}`` was bound to, if anything."""

    rule: Rule
    start: int
    end: int
    side: str | None
    first: int
    last: int


class Scan:
    """What one sentence holds: tokens, mentions of actors, hits of lexical rules."""

    __slots__ = ("hits", "mentions", "tokens")

    def __init__(self, tokens: Tokens, mentions: tuple[Mention, ...], hits: tuple[Hit, ...]) -> None:
        self.tokens = tokens
        self.mentions = mentions
        self.hits = hits


# -- the index -------------------------------------------------------------------------------------------

# A phrase of plain words as a path: word to the node behind it, "" to the numbers of the phrases that end.
Node = dict[str, Any]
_END: Final = ""
# Spelled-out forms of a phrase of plain words from which it is matched element by element instead.
_MAX_PATHS: Final = 300
# Characters scanned at once: no sentence has as many, whoever hands it in.
MAX_SCANNED: Final = 5_000


@dataclass(slots=True)
class Index:
    """Where each phrase is looked for, as plain values that JSON can hold.

    Phrases are numbered as they are met; ``phrases`` says of which owner each is, which of its phrases, and
    which variant of that (a choice at the start of a phrase is made beforehand). ``names`` and ``plain`` are
    the phrases of nothing but words, as paths; ``named``, ``keyed`` and ``acted`` the other names, the other
    phrases without and with actors, by their key words. ``needs`` are the numbers of the sets of words that
    a phrase cannot do without, ``holds`` tells for each word the sets that it is in, and ``silencers`` by
    owner what each phrase of 'unless' needs.
    """

    phrases: list[list[int]] = field(default_factory=list)
    needs: list[list[int]] = field(default_factory=list)
    names: Node = field(default_factory=dict)
    plain: Node = field(default_factory=dict)
    named: dict[str, list[int]] = field(default_factory=dict)
    keyed: dict[str, list[int]] = field(default_factory=dict)
    acted: dict[str, list[int]] = field(default_factory=dict)
    holds: dict[str, list[int]] = field(default_factory=dict)
    silencers: list[list[list[int]]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Owner:
    """An actor with its names or a rule with its phrases, and the phrases that silence them."""

    of: Actor | Rule
    phrases: tuple[str, ...]
    unless: tuple[str, ...]


def _owners(rulebook: Rulebook, *, trial: bool) -> list[_Owner]:
    found = [_Owner(actor, actor.names, actor.unless) for actor in rulebook.actors]
    for rule in rulebook.rules:
        if rule.kind == "lexical" and (rule.status == "active" or trial):
            found.append(_Owner(rule, rule.phrases, rule.unless_phrases))
    return found


def indexed(owners: Sequence[_Owner], parser: PhraseParser) -> Index:
    """The index of all phrases; a `PhraseError` if one breaks the language."""
    index = Index()
    numbers: dict[frozenset[str], int] = {}

    def needs(elements: Sequence[Element]) -> list[int]:
        wanted = {words: None for element in elements if (words := required(element)) is not None}
        return [numbers.setdefault(words, len(numbers)) for words in wanted]

    for number, owner in enumerate(owners):
        is_name = isinstance(owner.of, Actor)
        for place, phrase in enumerate(owner.phrases):
            for variant, elements in enumerate(_variants(parser.parse(phrase))):
                entry = len(index.phrases)
                index.phrases.append([number, place, variant])
                if _put(index.names if is_name else index.plain, elements, entry):
                    index.needs.append([])
                    continue
                index.needs.append(needs(elements))
                slot = any(isinstance(element, ActorSlot) for element in elements)
                table = index.named if is_name else index.acted if slot else index.keyed
                for key in sorted(keys(elements)):
                    table.setdefault(key, []).append(entry)
        silencers = (variant for phrase in owner.unless for variant in _variants(parser.parse(phrase)))
        index.silencers.append([needs(elements) for elements in silencers])
    for words, number in numbers.items():
        for word in words:
            index.holds.setdefault(word, []).append(number)
    return index


def _kept(rulebook: Rulebook, owners: Sequence[_Owner], parser: PhraseParser) -> Index:
    """The index, from the user's cache folder if it was made before of the same phrases."""
    words = [[[owner.phrases, owner.unless, isinstance(owner.of, Actor)] for owner in owners]]
    content = json.dumps([words, dict(rulebook.lists), dict(rulebook.irregular)])
    place = cache.place("lexicon", content, ("lexicon", "phrases", "inflect"))
    known = None if place is None else cache.read(place, lambda values: Index(**values))
    if known is None:
        known = indexed(owners, parser)
        if place is not None:
            cache.write(place, {name: getattr(known, name) for name in Index.__dataclass_fields__})
    return known


def _put(root: Node, elements: Sequence[Element], entry: int) -> bool:
    """Add a phrase of plain words to a trie; False if it has anything else or too many forms."""
    words = [element for element in elements if isinstance(element, Word)]
    paths = 1
    for word in words:
        paths *= len(word.forms)
    if len(words) < len(elements) or paths > _MAX_PATHS:
        return False
    for path in product(*(sorted(word.forms) for word in words)):
        node = root
        for form in path:
            node = node.setdefault(form, {})
        node.setdefault(_END, []).append(entry)
    return True


def _variants(elements: Sequence[Element]) -> Iterator[tuple[Element, ...]]:
    """The same phrase with every choice at its start made: it begins with a word, slot or mark."""
    if not elements:
        return
    head, rest = elements[0], tuple(elements[1:])
    if isinstance(head, Optional):
        yield from _variants((*head.elements, *rest))
        yield from _variants(rest)
    elif isinstance(head, Alternatives):
        for option in head.options:
            yield from _variants((*option, *rest))
    elif isinstance(head, Gap):
        yield from _variants(rest)
    else:
        yield head, *rest


def _bits(numbers: Iterable[int]) -> int:
    found = 0
    for number in numbers:
        found |= 1 << number
    return found


# -- the scan --------------------------------------------------------------------------------------------

# Phrases that a key leads to, with what they need.
_Tried = list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Lead:
    """What one word leads to: paths that begin with it, phrases whose key it is, sets that it is in."""

    names: Node | None
    plain: Node | None
    named: _Tried
    keyed: _Tried
    acted: _Tried
    holds: int
    tried: bool  # is it the key of some phrase?
    begins: bool  # does some path begin with it?


def _complete(tables: Iterable[_Tried], held: int) -> set[int]:
    """The phrases that lack nothing of what they need, given the sets of which the sentence holds a word."""
    return {entry for table in tables for need, entry in table if need & held == need}


class Lexicon:
    """The compiled phrases of a rulebook.

    Args:
        rulebook: the rules and actors.
        trial: also scan the rules that are on trial (for measuring; a verdict never counts them).
    """

    def __init__(self, rulebook: Rulebook, *, trial: bool = False) -> None:
        self._rulebook = rulebook
        self._parser = PhraseParser(rulebook.lists, rulebook.irregular)
        self._owners = _owners(rulebook, trial=trial)
        self._index = index = _kept(rulebook, self._owners, self._parser)
        self.size = len(index.phrases)
        self._maker = Maker(self._admits)
        # Made when first asked for.
        self._leads: dict[str, _Lead] = {}
        self._patterns: dict[tuple[int, int], list[Pattern]] = {}
        self._exact: dict[tuple[int, int], list[tuple[str | None, ...]]] = {}
        self._unless: dict[int, list[Pattern]] = {}
        self._unless_needs: dict[int, list[int]] = {}
        self._words = frozenset().union(
            index.names, index.plain, index.named, index.keyed, index.acted, index.holds
        )

    # -- scanning --------------------------------------------------------------------------------------

    def scan(self, text: str) -> Scan:
        """Everything that names and phrases find in one sentence, in order of place, then of rule id.

        A text longer than any sentence is scanned in pieces: sets of places would grow with its square.
        """
        if len(text) <= MAX_SCANNED:
            return self._scan(text)
        tokens = Tokens(text)
        mentions: list[Mention] = []
        hits: list[Hit] = []
        for start, end in _pieces(text):
            found = self._scan(text[start:end])
            skipped = bisect_left(tokens.starts, start)
            mentions += [_moved(mention, start, skipped) for mention in found.mentions]
            hits += [_moved(hit, start, skipped) for hit in found.hits]
        return Scan(tokens, tuple(mentions), tuple(hits))

    def _scan(self, text: str) -> Scan:
        tokens = Tokens(text)
        leads = self._leads
        words = tokens.words
        size = len(words)
        there: list[_Lead] = []
        names: list[tuple[int, int, int]] = []
        plain: list[tuple[int, int, int]] = []
        held = 0
        for first, word in enumerate(words):
            lead = leads.get(word)
            if lead is None:
                if word not in self._words:
                    continue
                lead = self._lead(word)
            held |= lead.holds
            if lead.tried:
                there.append(lead)
            if lead.begins:
                following = words[first + 1] if first + 1 < size else ""
                skips = following in SKIPPED
                node = lead.names
                if node is not None and (following in node or skips or _END in node):
                    self._walk(node, tokens, first, names)
                node = lead.plain
                if node is not None and (following in node or skips or _END in node):
                    self._walk(node, tokens, first, plain)
        mentions = self._mentions(tokens, there, held, names)
        at = {mention.first: mention for mention in mentions}
        hits: dict[tuple[str, int, str | None], Hit] = {}
        for entry, first, last, bound in self._found(tokens, there, held, plain, at):
            owner = self._index.phrases[entry][0]
            rule = self._owners[owner].of
            assert isinstance(rule, Rule)
            key = (rule.id, first, bound)
            other = hits.get(key)
            if other is not None and other.last >= last:
                continue
            if not self._silenced(owner, tokens, held, at, first, last):
                hits[key] = Hit(rule, tokens.starts[first], tokens.ends[last], bound, first, last)
        if not hits:
            return Scan(tokens, mentions, ())
        ordered = sorted(hits.values(), key=lambda hit: (hit.start, -hit.end, hit.rule.id, hit.side or ""))
        return Scan(tokens, mentions, _without_inner_repeats(ordered))

    def _found(
        self,
        tokens: Tokens,
        there: Sequence[_Lead],
        held: int,
        plain: Sequence[tuple[int, int, int]],
        at: Mentions,
    ) -> Iterator[tuple[int, int, int, str | None]]:
        """Number of a phrase of a rule, first and last token, and the side bound to X."""
        for first, last, entry in plain:
            yield entry, first, last, None
        tried = _complete([lead.keyed for lead in there if lead.keyed], held)
        if at:
            tried |= _complete([lead.acted for lead in there if lead.acted], held)
        for entry in tried:
            for first, last, bound in self._pattern(entry).matches(tokens, at):
                yield entry, first, last, bound

    def _mentions(
        self, tokens: Tokens, there: Sequence[_Lead], held: int, names: Sequence[tuple[int, int, int]]
    ) -> tuple[Mention, ...]:
        found = {(first, -last, entry) for first, last, entry in names}
        for entry in _complete([lead.named for lead in there if lead.named], held):
            for first, last, _ in self._pattern(entry).matches(tokens, {}):
                found.add((first, -last, entry))
        # The leftmost longest name wins, then a name before a word for an office; a name inside a longer
        # one is not a mention of its own.
        mentions: list[Mention] = []
        taken = -1
        for first, minus_last, _, entry in sorted(
            (first, minus_last, self._is_role(entry), entry) for first, minus_last, entry in found
        ):
            owner = self._index.phrases[entry][0]
            if first > taken and not self._silenced(owner, tokens, held, {}, first, -minus_last):
                actor = self._owners[owner].of
                assert isinstance(actor, Actor)
                taken = -minus_last
                mentions.append(Mention(tokens.starts[first], tokens.ends[taken], actor, first, taken))
        return tuple(mentions)

    def _is_role(self, entry: int) -> bool:
        actor = self._owners[self._index.phrases[entry][0]].of
        return isinstance(actor, Actor) and actor.kind == "role"

    def _walk(self, node: Node, tokens: Tokens, first: int, found: list[tuple[int, int, int]]) -> None:
        """Add the phrases of plain words that begin at a token: first and last token, and number."""
        words = tokens.words
        size = len(words)
        i = first
        passed = [i]
        while True:
            for entry in node.get(_END, ()):
                if self._spelled(entry, tokens, passed):
                    found.append((first, i, entry))
            i += 1
            while i < size and words[i] in SKIPPED:
                i += 1
            if i >= size or words[i] not in node:
                break
            node = node[words[i]]
            passed.append(i)

    def _spelled(self, entry: int, tokens: Tokens, passed: Sequence[int]) -> bool:
        """Whether the words are spelled as a phrase wants them, where it wants them in exact case."""
        number, place, variant = self._index.phrases[entry]
        exact = self._exact.get((number, place))
        if exact is None:
            exact = self._exact[number, place] = [
                tuple([element.exact if isinstance(element, Word) else None for element in elements])
                for elements in _variants(self._parser.parse(self._owners[number].phrases[place]))
            ]
        wanted = exact[variant]
        return all(form is None or tokens.raw[i] == form for form, i in zip(wanted, passed, strict=True))

    def _silenced(self, owner: int, tokens: Tokens, held: int, at: Mentions, first: int, last: int) -> bool:
        """Whether a phrase of 'unless' overlaps tokens ``first`` to ``last``."""
        needs = self._unless_needs.get(owner)
        if needs is None:
            needs = self._unless_needs[owner] = [_bits(need) for need in self._index.silencers[owner]]
        for i, need in enumerate(needs):
            if need & held == need:
                for begin, end, _ in self._silencers(owner)[i].matches(tokens, at):
                    if begin <= last and first <= end:
                        return True
        return False

    # -- what is made when first asked for -------------------------------------------------------------

    def _lead(self, word: str) -> _Lead:
        index = self._index

        def tried(table: Mapping[str, Sequence[int]]) -> _Tried:
            return [(_bits(index.needs[entry]), entry) for entry in table.get(word, ())]

        lead = self._leads[word] = _Lead(
            index.names.get(word),
            index.plain.get(word),
            tried(index.named),
            tried(index.keyed),
            tried(index.acted),
            _bits(index.holds.get(word, ())),
            tried=any(word in table for table in (index.named, index.keyed, index.acted)),
            begins=word in index.names or word in index.plain,
        )
        return lead

    def _pattern(self, entry: int) -> Pattern:
        number, place, variant = self._index.phrases[entry]
        known = self._patterns.get((number, place))
        if known is None:
            known = self._patterns[number, place] = self._made(self._owners[number].phrases[place])
        return known[variant]

    def _silencers(self, owner: int) -> list[Pattern]:
        known = self._unless.get(owner)
        if known is None:
            known = [pattern for phrase in self._owners[owner].unless for pattern in self._made(phrase)]
            self._unless[owner] = known
        return known

    def _made(self, phrase: str) -> list[Pattern]:
        return [self._maker.pattern(elements) for elements in _variants(self._parser.parse(phrase))]

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


def _pieces(text: str) -> Iterator[tuple[int, int]]:
    """Stretches of at most `MAX_SCANNED` characters, cut at white space where there is some."""
    start = 0
    while len(text) - start > MAX_SCANNED:
        limit = start + MAX_SCANNED
        end = max(text.rfind(" ", start + 1, limit), text.rfind("\n", start + 1, limit))
        end = end if end > start else limit
        yield start, end
        start = end
    yield start, len(text)


_Found = TypeVar("_Found", Mention, Hit)


def _moved(found: _Found, by: int, tokens: int) -> _Found:
    """The same in a longer text, ``by`` characters and ``tokens`` tokens further on."""
    return replace(
        found,
        start=found.start + by,
        end=found.end + by,
        first=found.first + tokens,
        last=found.last + tokens,
    )


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
