"""Lints: what is no fault in a rulebook, but probably not meant.

All of it is read off the rules alone; what a rule does on text is told by its examples.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Final

from stance.phrases import (
    ActorSlot,
    Alternatives,
    Element,
    Gap,
    Mark,
    Optional,
    PhraseParser,
    Word,
)
from stance.rulebook import Actor, Fault, Node, Rule, Rulebook
from stance.ruleread import rule_quarrels
from stance.ruleshapes import short

# A phrase that can be spelled in more ways is compared as a whole, not spelling by spelling.
MAX_SPELLINGS: Final = 500
_LIST: Final = re.compile(r"<([^<>]*)>")


def lint(rulebook: Rulebook) -> list[Fault]:
    """All lints, by path and line."""
    parser = PhraseParser(rulebook.lists, rulebook.irregular)
    phrases = list(_phrases(rulebook.rules, parser))
    found = [
        *_duplicates(phrases),
        *_contradictions(phrases),
        *_unused_lists(rulebook),
        *_tree_lists(rulebook, parser),
        *_unmirrored_actors(rulebook),
        *_ambiguous_names(rulebook, parser),
        *_uneven_partners(rulebook),
        *_quarrelling_examples(rulebook.rules),
    ]
    return sorted(set(found))


@dataclass(frozen=True, slots=True, eq=False)
class _Phrase:
    """One phrase of a rule and all the ways in which a text can spell it."""

    rule: Rule
    text: str
    elements: tuple[Element, ...]
    spellings: frozenset[str]

    def fault(self, message: str) -> Fault:
        return Fault(self.rule.path, self.rule.line, f"{self.rule.id}: phrase {short(self.text)} {message}")

    @property
    def does(self) -> tuple[object, ...]:
        """What the phrase does when found: two with the same effect need not both be there."""
        rule = self.rule
        consequence = (rule.voice, rule.covers, rule.speaker, rule.cancels, rule.reason, rule.scope)
        return rule.effect, rule.side, *consequence


def _phrases(rules: Iterable[Rule], parser: PhraseParser) -> Iterator[_Phrase]:
    for rule in rules:
        for text in rule.phrases:
            elements = parser.parse(text)
            yield _Phrase(rule, text, elements, _spellings(elements))


def _spellings(elements: Sequence[Element]) -> frozenset[str]:
    if _count(elements) > MAX_SPELLINGS:
        return frozenset({_whole(elements)})
    return frozenset(" ".join(words).replace("  ", " ").strip() for words in _spell(elements))


def _whole(elements: Sequence[Element]) -> str:
    """One text for a phrase with too many spellings, the same for equal phrases."""
    parts: list[str] = []
    for element in elements:
        if isinstance(element, Optional):
            parts.append(f"({_whole(element.elements)})?")
        elif isinstance(element, Alternatives):
            parts.append(f"({'|'.join(map(_whole, element.options))})")
        else:
            parts.append("/".join(_spell_one(element)))
    return " ".join(parts)


def _count(elements: Sequence[Element]) -> int:
    """Number of spellings; stops counting where there are too many."""
    total = 1
    for element in elements:
        if isinstance(element, Word):
            total *= len(element.forms)
        elif isinstance(element, Optional):
            total *= 1 + _count(element.elements)
        elif isinstance(element, Alternatives):
            total *= sum(map(_count, element.options))
        if total > MAX_SPELLINGS:
            break
    return total


def _spell(elements: Sequence[Element]) -> Iterator[tuple[str, ...]]:
    return product(*(tuple(_spell_one(element)) for element in elements))


def _spell_one(element: Element) -> Iterator[str]:
    if isinstance(element, Word):
        yield from (element.exact,) if element.exact else sorted(element.forms)
    elif isinstance(element, Optional):
        yield ""
        yield from (" ".join(words) for words in _spell(element.elements))
    elif isinstance(element, Alternatives):
        for option in element.options:
            yield from (" ".join(words) for words in _spell(option))
    elif isinstance(element, ActorSlot):
        flag = {True: ["ally"], False: ["party"], None: []}[element.ally]
        after = "|".join([*flag, *sorted(element.kinds)])
        yield f"{{{element.side}:{after}}}" if after else f"{{{element.side}}}"
    elif isinstance(element, Gap):
        yield "*" if element.min else f"*{element.max}"
    elif isinstance(element, Mark):
        yield element.kind


def _by_spelling(phrases: Iterable[_Phrase]) -> dict[str, list[_Phrase]]:
    index: dict[str, list[_Phrase]] = defaultdict(list)
    for phrase in phrases:
        for spelling in phrase.spellings:
            index[spelling].append(phrase)
    return index


def _duplicates(phrases: Sequence[_Phrase]) -> Iterator[Fault]:
    """Phrases that find nothing which another one with the same effect does not find."""
    index = _by_spelling(phrases)
    order = {phrase: number for number, phrase in enumerate(phrases)}
    for phrase in phrases:
        for other in index[next(iter(phrase.spellings))]:
            if other is phrase or other.does != phrase.does or not phrase.spellings <= other.spellings:
                continue
            if phrase.spellings < other.spellings or order[phrase] > order[other]:
                where = "" if other.rule is phrase.rule else f" of {other.rule.id}"
                yield phrase.fault(f"finds nothing beyond {short(other.text)}{where}; leave one out")
                break


def _contradictions(phrases: Sequence[_Phrase]) -> Iterator[Fault]:
    """Phrases of frame rules that the rulebook gives to both sides."""
    framed = [phrase for phrase in phrases if phrase.rule.effect == "frame"]
    told: set[tuple[_Phrase, _Phrase]] = set()
    for spelling, (first, *others) in sorted(_by_spelling(framed).items()):
        for other in others:
            if other.rule.side != first.rule.side and (first, other) not in told:
                told.add((first, other))
                shown = "" if spelling == other.text.lower() else f"({spelling[:60]}) "
                message = f"is for side {other.rule.side}, but {first.rule.id} gives it to {first.rule.side}"
                yield other.fault(f"{shown}{message}; keep one")


def _unused_lists(rulebook: Rulebook) -> Iterator[Fault]:
    used = {node.list for rule in rulebook.rules for node in (*_nodes(rule), *rule.unless_nodes)}
    for rule in rulebook.rules:
        for phrase in (*rule.phrases, *rule.unless_phrases):
            used.update(_LIST.findall(phrase))
    for name in sorted(set(rulebook.lists) - used):
        yield Fault(f"lists/{name}.yaml", 1, f"no rule uses the list '{name}'; delete it or use it")


def _nodes(rule: Rule) -> list[Node]:
    return [node for tree in rule.trees for node in tree]


def _tree_lists(rulebook: Rulebook, parser: PhraseParser) -> Iterator[Fault]:
    """Items of several words in a list that a tree node uses: a node is one word."""
    for rule in rulebook.rules:
        for name in {node.list for node in (*_nodes(rule), *rule.unless_nodes) if node.list}:
            for item in rulebook.lists[name]:
                elements = parser.parse(item, literal=True)
                if len(elements) != 1 or not isinstance(elements[0], Word):
                    message = f"item {short(item)} of list '{name}' can match no tree node: not one word"
                    yield Fault(rule.path, rule.line, f"{rule.id}: {message}")


def _unmirrored_actors(rulebook: Rulebook) -> Iterator[Fault]:
    """Actors of a side that no text with them can be mirrored for, a line for each file."""
    files: dict[str, list[Actor]] = defaultdict(list)
    for actor in rulebook.actors:
        if actor.side is not None and actor.mirror is None and actor.kind != "role":
            files[actor.path].append(actor)
    for path, actors in files.items():
        names = ", ".join(actor.id for actor in actors)
        first = min(actor.line for actor in actors)
        yield Fault(path, first, f"without a mirror partner are {len(actors)} actors of a side: {names}")


def _ambiguous_names(rulebook: Rulebook, parser: PhraseParser) -> Iterator[Fault]:
    owners: dict[str, str] = {}
    for actor in rulebook.actors:
        for name in actor.names:
            for spelling in sorted(_spellings(parser.parse(name, literal=True))):
                first = owners.setdefault(spelling, actor.id)
                if first != actor.id:
                    message = f"actor '{actor.id}' has the name '{spelling[:60]}' of '{first}'; keep one"
                    yield Fault(actor.path, actor.line, message)


def _uneven_partners(rulebook: Rulebook) -> Iterator[Fault]:
    """Mirror partners of unequal status, or made unequal by an overlay."""
    for rule in rulebook.rules:
        if rule.mirror_partner is None:
            continue
        partner = rulebook.rule(rule.mirror_partner)
        for message in rule_quarrels(rule, partner):
            yield Fault(rule.path, rule.line, f"{rule.id}: {message}")
        if partner.status != rule.status:
            message = f"partner '{partner.id}' is {partner.status}, this rule {rule.status}"
            yield Fault(rule.path, rule.line, f"{rule.id}: {message}; make them equal")


def _quarrelling_examples(rules: Iterable[Rule]) -> Iterator[Fault]:
    """Sentences that two frame rules give to different sides, or the same words to different voices."""
    seen: dict[str, list[tuple[Rule, int]]] = defaultdict(list)
    for rule in rules:
        for number, example in enumerate(rule.examples):
            if rule.effect == "frame" and example.fires and example.xfail is None:
                seen[example.text].append((rule, number))
    for owners in seen.values():
        (first, one), *others = owners
        mine = first.examples[one]
        for rule, number in others:
            example = rule.examples[number]
            if example.side != mine.side:
                differs = f"example has side {mine.side}"
            elif example.voice != mine.voice and _overlap(example.marks, mine.marks):
                differs = f"words have voice {mine.voice}"
            else:
                continue
            message = f"the same {differs} in {first.id} ({first.path}:{mine.line})"
            yield Fault(rule.path, example.line, f"{rule.id}: {message}")


def _overlap(first: Sequence[tuple[int, int]], second: Sequence[tuple[int, int]]) -> bool:
    return any(a < d and c < b for a, b in first for c, d in second)
