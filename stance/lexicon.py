"""All phrases of all rules and all names of all actors in one scan over the raw text.

No tokenizer of a parser is needed: a sentence is cut into light tokens (`stance.tokens`), each word is
looked up once, and a phrase is tried (`stance.spans`) only where one of its key words stands together with
something else that it cannot do without. What the words lead to is an `Index` of plain values; a phrase is
read when it is first tried, since most never are.
"""

from __future__ import annotations

import json
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import chain, product
from typing import Any, Final, NamedTuple, TypeVar

from stance import cache
from stance.anchors import Anchor, anchor
from stance.phrases import (
    ActorSlot,
    Alternatives,
    Element,
    Gap,
    Optional,
    PhraseParser,
    Word,
)
from stance.rulebook import Actor, Rule, Rulebook
from stance.spans import Admits, Maker, Mention, Mentions, Pattern
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

    Phrases are numbered as they are met; ``phrases`` holds three numbers for each: its owner, which of the
    owner's phrases it is, and which variant of that (a choice at the start of a phrase is made beforehand);
    the first ``names`` of them are names. ``paths`` are the phrases of nothing but words, as paths, and
    ``exact`` the spelling that those of them ask for that ask for one. ``named`` and ``keyed`` lead from an
    anchor to the other names and phrases, and ``around`` from each of these to what must stand around it, as
    in `stance.anchors.Anchor`, with numbers for the sets of words in ``sets`` and the actors in ``slots``.
    ``silencers`` are by owner the anchors of each phrase of 'unless', and what must stand around. These two
    are JSON again, read where they are needed: most never are.
    """

    phrases: list[int] = field(default_factory=list)
    names: int = 0
    paths: Node = field(default_factory=dict)
    exact: dict[str, list[str | None]] = field(default_factory=dict)
    named: dict[str, list[int]] = field(default_factory=dict)
    keyed: dict[str, list[int]] = field(default_factory=dict)
    around: dict[str, str] = field(default_factory=dict)
    sets: list[list[str]] = field(default_factory=list)
    slots: list[list[Any]] = field(default_factory=list)
    silencers: list[str] = field(default_factory=list)


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
    sets: dict[frozenset[str], int] = {}
    slots: dict[ActorSlot, int] = {}

    def number(words: frozenset[str]) -> int:
        return sets.setdefault(words, len(sets))

    def around(found: Anchor) -> list[Any]:
        return [
            [[number(words), least, most] for words, least, most in found.near],
            [[slots.setdefault(slot, len(slots)), *where] for slot, *where in found.slots],
            found.marks,
            found.begins,
            found.ends,
        ]

    # Names stand in very many sentences of the texts that this is for.
    names = frozenset(
        form
        for owner in owners
        if isinstance(owner.of, Actor)
        for name in owner.phrases
        if len(elements := parser.parse(name)) == 1 and isinstance(elements[0], Word)
        for form in elements[0].forms
    )
    for owner_number, owner in enumerate(owners):
        is_name = isinstance(owner.of, Actor)
        for place, phrase in enumerate(owner.phrases):
            for variant, elements in enumerate(_variants(parser.parse(phrase))):
                entry = len(index.phrases) // 3
                index.phrases += (owner_number, place, variant)
                index.names += is_name
                if _put(index.paths, elements, entry):
                    exact = [element.exact for element in elements if isinstance(element, Word)]
                    if any(exact):
                        index.exact[str(entry)] = exact
                    continue
                found = anchor(elements, names)
                index.around[str(entry)] = json.dumps(around(found))
                table = index.named if is_name else index.keyed
                for word in sorted(found.words):
                    table.setdefault(word, []).append(entry)
        silencers = (variant for phrase in owner.unless for variant in _variants(parser.parse(phrase)))
        found_all = [anchor(elements, names) for elements in silencers]
        index.silencers.append(json.dumps([[number(found.words), *around(found)] for found in found_all]))
    index.sets = [sorted(words) for words in sets]
    index.slots = [[slot.side, sorted(slot.kinds), slot.ally] for slot in slots]
    return index


def _kept(rulebook: Rulebook, owners: Sequence[_Owner], parser: PhraseParser) -> Index:
    """The index, from the user's cache folder if it was made before of the same phrases."""
    words = [[[owner.phrases, owner.unless, isinstance(owner.of, Actor)] for owner in owners]]
    content = json.dumps([words, dict(rulebook.lists), dict(rulebook.irregular)])
    place = cache.place("lexicon", content, ("lexicon", "anchors", "phrases", "inflect"))
    names = Index.__dataclass_fields__
    # All of them: without one, an index would find nothing and say nothing.
    known = None if place is None else cache.read(place, lambda kept: Index(**{n: kept[n] for n in names}))
    if known is None:
        known = indexed(owners, parser)
        if place is not None:
            cache.write(place, {name: getattr(known, name) for name in names})
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


# -- the scan --------------------------------------------------------------------------------------------


class _Tried(NamedTuple):
    """A phrase that an anchor leads to, and what must stand around the anchor (`stance.anchors.Anchor`).

    ``near`` are the words that must stand near, each with the range of bare words to look at.
    """

    entry: int
    near: tuple[tuple[frozenset[str], int, int], ...]
    slots: tuple[tuple[int, int, int, bool], ...]
    marks: tuple[tuple[str, int, int], ...]
    begins: tuple[int, int] | None
    ends: int | None

    def fits(self, here: int, tokens: Tokens) -> bool:
        """Whether all but actors stands around the bare word ``here``."""
        _, near, _, marks, begins, ends = self
        if begins is not None and not begins[0] <= here <= begins[1]:
            return False
        if ends is not None and here + 1 + ends < tokens.rank[tokens.last_word]:
            return False
        bare = tokens.bare
        for words, least, most in near:
            first, last = here + least, here + most
            if last <= 0 or words.isdisjoint(bare[first if first > 0 else 0 : last]):
                return False
        for kind, least, most in marks:
            there = tokens.commas if kind == "," else tokens.quoting
            if not any(least <= place - here <= most for place in there):
                return False
        return True


class _Phrases:
    """The phrases of one anchor, by the rarest other word that each needs.

    ``_at``: that word stands at one distance from the anchor; ``_beside``, by the range: at one of several;
    ``_alone``: the phrase needs none.
    """

    __slots__ = ("_alone", "_at", "_beside", "_others")

    def __init__(self, phrases: Iterable[_Tried]) -> None:
        self._alone: list[_Tried] = []
        beside: dict[str, dict[tuple[int, int], list[tuple[_Tried, bool]]]] = {}
        at: dict[int, dict[str, list[tuple[_Tried, bool]]]] = {}
        for phrase in phrases:
            if not phrase.near:
                self._alone.append(phrase)
                continue
            words, least, most = phrase.near[0]
            rest = phrase._replace(near=phrase.near[1:])
            more = bool(rest.near or rest.marks) or rest.begins is not None or rest.ends is not None
            for word in words:
                if most - least == 1:
                    at.setdefault(least, {}).setdefault(word, []).append((rest, more))
                else:
                    beside.setdefault(word, {}).setdefault((least, most), []).append((rest, more))
        self._at = list(at.items())
        self._beside = {
            word: [(*ends, tried) for ends, tried in ranges.items()] for word, ranges in beside.items()
        }
        self._others = frozenset(self._beside)

    def there(self, here: int, tokens: Tokens) -> list[_Tried]:
        """Those that have around the bare word ``here`` what they need, but for actors."""
        found = [phrase for phrase in self._alone if phrase.fits(here, tokens)] if self._alone else []
        bare = tokens.bare
        for distance, by_word in self._at:
            place = here + distance
            if 0 <= place < len(bare) and bare[place] in by_word:
                for phrase, more in by_word[bare[place]]:
                    if not more or phrase.fits(here, tokens):
                        found.append(phrase)
        if not self._others.isdisjoint(tokens.present):
            for word in self._others & tokens.present:
                for least, most, phrases in self._beside[word]:
                    first, last = here + least, here + most
                    if last > 0 and word in bare[first if first > 0 else 0 : last]:
                        for phrase, more in phrases:
                            if not more or phrase.fits(here, tokens):
                                found.append(phrase)
        return found


# What a word leads to: phrases of this word alone, other paths that begin with it and whether one ends with
# it (in exact case), the phrases that are anchored to it, and those of them that need no actor of a side.
_Lead = tuple[list[int], "Node | None", bool, "_Phrases | None", "_Phrases | None"]
_UNREAD: Final[_Lead] = ([], None, False, None, None)

# The phrases of 'unless' of one owner by the words of their anchors, numbered; and these words.
_Silencers = tuple[dict[str, list[_Tried]], frozenset[str]]


class Lexicon:
    """The compiled phrases of a rulebook.

    Args:
        rulebook: the rules and actors.
        trial: also scan the rules that are on trial (for measuring; a verdict never counts them).
    """

    def __init__(self, rulebook: Rulebook, *, trial: bool = False) -> None:
        self._parser = PhraseParser(rulebook.lists, rulebook.irregular)
        self._owners = _owners(rulebook, trial=trial)
        self._index = index = _kept(rulebook, self._owners, self._parser)
        self.size = len(index.phrases) // 3
        self._admits = _admission(rulebook)
        self._maker = Maker(self._admits)
        self._exact = {int(entry): forms for entry, forms in index.exact.items()}
        # Made when first asked for.
        self._leads = dict.fromkeys(chain(index.paths, index.keyed), _UNREAD)
        self._patterns: dict[tuple[int, int], list[Pattern]] = {}
        self._unless: dict[int, list[Pattern]] = {}
        self._silencing: dict[int, _Silencers] = {}
        self._sets: dict[int, frozenset[str]] = {}
        self._admitted: dict[str, frozenset[int]] = {}
        self._names = {
            word: _Phrases(self._tried(entry, json.loads(index.around[str(entry)])) for entry in entries)
            for word, entries in index.named.items()
        }

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
            mentions += [_moved(mention, start, tokens) for mention in found.mentions]
            hits += [_moved(hit, start, tokens) for hit in found.hits]
        return Scan(tokens, tuple(mentions), tuple(hits))

    def _scan(self, text: str) -> Scan:
        tokens = Tokens(text)
        words = tokens.words
        size = len(words)
        paths: list[tuple[int, int, int]] = []
        there: list[tuple[int, _Lead]] = []
        skips = not SKIPPED.isdisjoint(tokens.present)
        for first, lead in enumerate(map(self._leads.get, words)):
            if lead is None:
                continue
            if lead is _UNREAD:
                lead = self._lead(words[first])
            alone, node, ends, anchored, _ = lead
            if alone:
                paths += [(first, first, entry) for entry in alone]
            if node is not None:
                following = words[first + 1] if first + 1 < size else ""
                if ends or following in node or (skips and following in SKIPPED):
                    self._walk(node, tokens, first, paths)
            if anchored is not None:
                there.append((first, lead))
        mentions = self._mentions(tokens, paths)
        at = {mention.first: mention for mention in mentions}
        hits: dict[tuple[str, int, str | None], Hit] = {}
        for entry, first, last, bound in self._found(tokens, paths, there, at):
            owner = self._index.phrases[3 * entry]
            rule = self._owners[owner].of
            assert isinstance(rule, Rule)
            key = (rule.id, first, bound)
            other = hits.get(key)
            if other is not None and other.last >= last:
                continue
            if not self._silenced(owner, tokens, at, first, last):
                hits[key] = Hit(rule, tokens.starts[first], tokens.ends[last], bound, first, last)
        if not hits:
            return Scan(tokens, mentions, ())
        ordered = sorted(hits.values(), key=lambda hit: (hit.start, -hit.end, hit.rule.id, hit.side or ""))
        return Scan(tokens, mentions, _without_inner_repeats(ordered))

    def _found(
        self,
        tokens: Tokens,
        paths: Sequence[tuple[int, int, int]],
        there: Sequence[tuple[int, _Lead]],
        at: Mentions,
    ) -> Iterator[tuple[int, int, int, str | None]]:
        """Number of a phrase of a rule, first and last token, and the side bound to X."""
        for first, last, entry in paths:
            if entry >= self._index.names:
                yield entry, first, last, None
        tried: set[int] = set()
        rank = tokens.rank
        sided = any(mention.actor.side is not None for mention in at.values())
        for first, (_, _, _, every, unsided) in there:
            phrases = every if sided else unsided
            if phrases is not None:
                here = rank[first]
                for phrase in phrases.there(here, tokens):
                    if self._acts(phrase, here, tokens, at):
                        tried.add(phrase.entry)
        for entry in tried:
            for first, last, bound in self._pattern(entry).matches(tokens, at):
                yield entry, first, last, bound

    def _acts(self, phrase: _Tried, here: int, tokens: Tokens, at: Mentions) -> bool:
        """Whether the actors that a phrase needs stand around its anchor."""
        if not phrase.slots:
            return True
        rank = tokens.rank
        for slot, least, most, before in phrase.slots:
            for mention in at.values():
                distance = here - rank[mention.last + 1] if before else rank[mention.first] - here
                if least <= distance <= most and slot in self._slots_of(mention.actor):
                    break
            else:
                return False
        return True

    def _mentions(self, tokens: Tokens, paths: Sequence[tuple[int, int, int]]) -> tuple[Mention, ...]:
        found = {(first, -last, entry) for first, last, entry in paths if entry < self._index.names}
        if not self._names.keys().isdisjoint(tokens.present):
            for place, word in enumerate(tokens.words):
                if word in self._names:
                    for phrase in self._names[word].there(tokens.rank[place], tokens):
                        for first, last, _ in self._pattern(phrase.entry).matches(tokens, {}):
                            found.add((first, -last, phrase.entry))
        if not found:
            return ()
        # The leftmost longest name wins, then a name before a word for an office; a name inside a longer
        # one is not a mention of its own.
        mentions: list[Mention] = []
        taken = -1
        for first, minus_last, _, entry in sorted(
            (first, minus_last, self._is_role(entry), entry) for first, minus_last, entry in found
        ):
            owner = self._index.phrases[3 * entry]
            if first > taken and not self._silenced(owner, tokens, {}, first, -minus_last):
                actor = self._owners[owner].of
                assert isinstance(actor, Actor)
                taken = -minus_last
                mentions.append(Mention(tokens.starts[first], tokens.ends[taken], actor, first, taken))
        return tuple(mentions)

    def _is_role(self, entry: int) -> bool:
        actor = self._owners[self._index.phrases[3 * entry]].of
        return isinstance(actor, Actor) and actor.kind == "role"

    def _walk(self, node: Node, tokens: Tokens, first: int, found: list[tuple[int, int, int]]) -> None:
        """Add the phrases of plain words that begin at a token: first and last token, and number."""
        words = tokens.words
        size = len(words)
        i = first
        passed = [i]
        while True:
            if _END in node:
                for entry in node[_END]:
                    if entry not in self._exact or self._spelled(entry, tokens, passed):
                        found.append((first, i, entry))
            i += 1
            while i < size and words[i] in SKIPPED:
                i += 1
            if i >= size or words[i] not in node:
                break
            node = node[words[i]]
            passed.append(i)

    def _spelled(self, entry: int, tokens: Tokens, passed: Sequence[int]) -> bool:
        """Whether the words are spelled as a phrase in exact case wants them."""
        wanted = self._exact[entry]
        return all(form is None or tokens.raw[i] == form for form, i in zip(wanted, passed, strict=True))

    def _silenced(self, owner: int, tokens: Tokens, at: Mentions, first: int, last: int) -> bool:
        """Whether a phrase of 'unless' overlaps tokens ``first`` to ``last``."""
        known = self._silencing.get(owner)
        if known is None:
            known = self._silencing[owner] = self._silencers_of(owner)
        by_word, words = known
        if words.isdisjoint(tokens.present):
            return False
        bare = tokens.bare
        for word in words & tokens.present:
            for here in _places(bare, word):
                for phrase in by_word[word]:
                    if phrase.fits(here, tokens) and self._acts(phrase, here, tokens, at):
                        for begin, end, _ in self._silencers(owner)[phrase.entry].matches(tokens, at):
                            if begin <= last and first <= end:
                                return True
        return False

    def warm(self) -> None:
        """Read all phrases now, and not each when a sentence first needs it."""
        for word, lead in list(self._leads.items()):
            if lead is _UNREAD:
                self._lead(word)
        for entry in range(self.size):
            self._pattern(entry)
        for owner in range(len(self._owners)):
            self._silencing[owner] = self._silencers_of(owner)
            self._silencers(owner)

    # -- what is made when first asked for -------------------------------------------------------------

    def _lead(self, word: str) -> _Lead:
        index = self._index
        node: Node | None = index.paths.get(word)
        alone: list[int] = []
        if node is not None and _END in node and not any(entry in self._exact for entry in node[_END]):
            alone, node = node[_END], {form: after for form, after in node.items() if form != _END} or None
        entries = index.keyed.get(word, ())
        phrases = [self._tried(entry, json.loads(index.around[str(entry)])) for entry in entries]
        unsided = [p for p in phrases if all(index.slots[slot][0] == "any" for slot, *_ in p.slots)]
        every = _Phrases(phrases) if phrases else None
        ends = node is not None and _END in node
        lead = alone, node, ends, every, every if len(unsided) == len(phrases) else _Phrases(unsided)
        self._leads[word] = lead
        return lead

    def _silencers_of(self, owner: int) -> _Silencers:
        by_word: dict[str, list[_Tried]] = {}
        for number, (words, *around) in enumerate(json.loads(self._index.silencers[owner])):
            for word in self._set(words):
                by_word.setdefault(word, []).append(self._tried(number, around))
        return by_word, frozenset(by_word)

    def _tried(self, entry: int, around: Sequence[Any]) -> _Tried:
        near, slots, marks, begins, ends = around
        return _Tried(
            entry,
            tuple([(self._set(number), least, most + 1) for number, least, most in near]),
            tuple([tuple(slot) for slot in slots]),
            tuple([tuple(mark) for mark in marks]),
            begins,
            ends,
        )

    def _set(self, number: int) -> frozenset[str]:
        known = self._sets.get(number)
        if known is None:
            known = self._sets[number] = frozenset(self._index.sets[number])
        return known

    def _slots_of(self, actor: Actor) -> frozenset[int]:
        """The numbers of the slots that may hold an actor."""
        known = self._admitted.get(actor.id)
        if known is None:
            slots = [ActorSlot(side, frozenset(kinds), ally) for side, kinds, ally in self._index.slots]
            known = self._admitted[actor.id] = frozenset(
                number for number, slot in enumerate(slots) if self._admits(slot, actor, None)[0]
            )
        return known

    def _pattern(self, entry: int) -> Pattern:
        number, place, variant = self._index.phrases[3 * entry : 3 * entry + 3]
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


def _admission(rulebook: Rulebook) -> Admits:
    """Whether a slot admits an actor. Not a method: a scan that nobody needs any more is then let go at once,
    without the garbage collector."""

    def admits(slot: ActorSlot, actor: Actor, bound: str | None) -> tuple[bool, str | None]:
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
            other = rulebook.other(actor.side)
            return bound is None or bound == other, other if bound is None else bound
        return slot.side == actor.side, bound

    return admits


def _places(words: Sequence[str], wanted: str) -> list[int]:
    return [place for place, word in enumerate(words) if word == wanted]


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


def _moved(found: _Found, by: int, tokens: Tokens) -> _Found:
    """The same in a longer text with these tokens, ``by`` characters further on.

    Tokens are looked up by place: where a piece was cut inside a word it holds others than the text.
    """
    start, end = found.start + by, found.end + by
    return replace(
        found,
        start=start,
        end=end,
        first=bisect_right(tokens.starts, start) - 1,
        last=bisect_left(tokens.ends, end),
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
