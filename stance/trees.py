"""Dependency rules on trees: which nodes of a sentence stand in which construction, and on whose side.

Patterns are indexed by the forms of their first node, the anchor. An anchor is always a word of the light
tokenizer (`stance.phrases.WORD`), so that a sentence whose words hold no key cannot match: whoever does not
parse it gets the same answer.
"""

from __future__ import annotations

import re
from bisect import bisect_left, bisect_right
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from stance import cache
from stance.errors import StanceError
from stance.inflect import forms as inflected
from stance.lexicon import Mention
from stance.phrases import WORD, Alternatives, Element, PhraseError, PhraseParser, Word
from stance.rulebook import Node, Rule, Rulebook
from stance.syntax import Tree

NOMINAL: Final = frozenset(("NOUN", "PROPN"))
# Tokens that one pattern may try on one tree. Real sentences need a few dozen; the rest is for texts that
# are built to be slow. Counted for each pattern and side alone, so that rules do not disturb each other.
MAX_TRIES: Final = 5_000

_SIDE: Final = "X"
_OTHER: Final = "other(X)"
_RELATIVE: Final = frozenset(("who", "whom", "whose", "which", "that"))
# What is named before its noun outweighs what follows it with a preposition.
_BEFORE: Final = ("amod", "nmod:poss", "compound")
_BESIDE: Final = ("appos", "flat", "nmod:desc")
_OWNERS: Final = frozenset(("of", "from"))
# What does not belong to the name of a thing: clauses, appositions, further conjuncts, its own preposition.
_NOT_NAME: Final = frozenset((
    "acl", "acl:relcl", "advcl", "advcl:relcl", "appos", "aux", "aux:pass", "case", "cc", "ccomp", "conj",
    "cop", "csubj", "dep", "discourse", "dislocated", "list", "mark", "nsubj", "nsubj:outer", "nsubj:pass",
    "obj", "obl", "orphan", "parataxis", "punct", "reparandum", "vocative", "xcomp",
))  # fmt: skip
_INNER_MARKS: Final = frozenset("-‐‑–'\"“”‘’«»/&.")


# What a tokenizer may cut out of a light word: the parts of don't, cannot, whatve and their like.
_PARTS: Final = frozenset(
    "ai all am are ca can could d dare did do does gon got had has have he how i is it ll m ma may might "
    "must n't na need not nt ought re s sha she should t ta that there these they this those us ve was we "
    "well were what when where who why will wo would you y " "'d 'll 'm 're 's 've '".split()
)
# A word that no tokenizer cuts: of letters, but not of nothing but such parts.
_WHOLE: Final = re.compile(
    rf"(?!(?:{'|'.join(sorted(map(re.escape, _PARTS), key=len, reverse=True))}){{2,}}\Z)[a-z]+|[^\w\s]"
)
_MAX_ODD: Final = 40


@dataclass(frozen=True, slots=True)
class Camp:
    """Where a token stands. ``side`` is None for no camp. ``ally``: on that side, but not the party itself.

    ``kind`` is the kind of the token's own mention, None if it has none; ``mention`` is the mention that
    says so: the token's own, or the one among its modifiers that gave the side.
    """

    side: str | None
    ally: bool
    kind: str | None
    mention: Mention | None


NO_CAMP: Final = Camp(None, False, None, None)


@dataclass(frozen=True, slots=True)
class TreeMatch:
    """A dependency rule at one place. ``side`` is the camp bound to X, None where the rule binds none.

    ``nodes`` maps names to tokens, the anchor first. ``[start, end)`` are characters of the sentence, from
    the first to the last of the words that are the evidence.
    """

    rule: Rule
    side: str | None
    nodes: Mapping[str, int]
    start: int
    end: int


# -- camps ---------------------------------------------------------------------------------------------


def camps(tree: Tree, mentions: Sequence[Mention]) -> tuple[Camp, ...]:
    """The camp of every token.

    A token has the camp of the mention that it heads; else, for a noun, that of its modifiers, then that
    of its first conjunct; a relative pronoun has that of its antecedent. Modifiers of both camps give none,
    but what stands before a noun (a possessive, an adjective of nationality) outweighs *of* and *from*.
    """
    found = _Camps(tree, mentions)
    return tuple(found[i] for i in range(len(tree)))


def _heads_of(tree: Tree, mentions: Sequence[Mention]) -> dict[int, Mention]:
    """The mention that each token heads; of two at the same place the longer, then the earlier."""
    own: dict[int, Mention] = {}
    for mention in sorted(mentions, key=lambda m: (m.start - m.end, m.start)):
        first = bisect_right(tree.ends, mention.start)
        last = bisect_left(tree.starts, mention.end)
        tops = [i for i in range(first, last) if not first <= tree.heads[i] < last or tree.heads[i] == i]
        words = [i for i in tops if tree.upos[i] not in ("PUNCT", "PART")]
        if words or tops:
            # More than one only where the parser has torn the name apart; English names end in their head.
            own.setdefault((words or tops)[-1], mention)
    return own


class _Camps:
    """Camps of one tree, worked out when asked for, each token once, without recursion."""

    def __init__(self, tree: Tree, mentions: Sequence[Mention]) -> None:
        self.tree = tree
        self.own = _heads_of(tree, mentions)
        self.done: list[Camp | None] = [None if self.own else NO_CAMP] * len(tree)

    def __getitem__(self, i: int) -> Camp:
        known = self.done[i]
        return known if known is not None else self._work_out(i)

    def _work_out(self, i: int) -> Camp:
        stack = [i]
        opened = set()
        while stack:
            token = stack[-1]
            if self.done[token] is None and token not in opened:
                opened.add(token)
                needed = [t for t in self._needs(token) if self.done[t] is None and t not in opened]
                if needed:
                    stack.extend(needed)
                    continue
            if self.done[token] is None:
                self.done[token] = self._settle(token)
            stack.pop()
        return self.done[i] or NO_CAMP

    def _is_noun(self, i: int) -> bool:
        return self.tree.upos[i] in NOMINAL or i in self.own

    def _needs(self, i: int) -> Iterator[int]:
        """The tokens whose camps decide that of ``i``."""
        mention = self.own.get(i)
        if mention is not None and mention.actor.side is not None:
            return
        if self._is_noun(i):
            for modifier, _ in self._modifiers(i):
                yield modifier
            if _base(self.tree.relations[i]) == "conj":
                yield self.tree.heads[i]
        else:
            target = antecedent(self.tree, i)
            if target is not None:
                yield target

    def _modifiers(self, i: int) -> Iterator[tuple[int, int]]:
        """Modifiers of a noun that may give it a camp, each with its conjuncts, and their rank."""
        tree = self.tree
        for child in tree.children[i]:
            rank = self._rank(child)
            if rank is None:
                continue
            yield child, rank
            for conjunct in tree.children[child]:
                if _base(tree.relations[conjunct]) == "conj":
                    yield conjunct, rank

    def _rank(self, i: int) -> int | None:
        """2 for a modifier before the noun, 1 for one beside it, 0 for *of* and *from*; None: no modifier."""
        relation = self.tree.relations[i]
        if relation in _BEFORE:
            return 2
        if relation in _BESIDE or relation.startswith("flat:"):
            return 1
        if _base(relation) == "nmod" and i in self.own:
            cases = (c for c in self.tree.children[i] if _base(self.tree.relations[c]) == "case")
            if any(self.tree.forms[case] in _OWNERS for case in cases):
                return 0
        return None

    def _settle(self, i: int) -> Camp:
        mention = self.own.get(i)
        if mention is not None and mention.actor.side is not None:
            actor = mention.actor
            return Camp(actor.side, actor.ally, actor.kind, mention)
        if not self._is_noun(i):
            target = antecedent(self.tree, i)
            return NO_CAMP if target is None else self.done[target] or NO_CAMP
        given, quarrel = self._given(i)
        if given is None and not quarrel and _base(self.tree.relations[i]) == "conj":
            given = self.done[self.tree.heads[i]]
        side = None if given is None else given.side
        if mention is not None:
            return Camp(side, given is not None and given.ally, mention.actor.kind, mention)
        if given is None or side is None:
            return NO_CAMP
        return Camp(side, given.ally, None, given.mention)

    def _given(self, i: int) -> tuple[Camp | None, bool]:
        """The camp that the modifiers give, and whether there is none because they quarrel."""
        found: list[tuple[int, Camp]] = []
        for modifier, rank in self._modifiers(i):
            camp = self.done[modifier]
            if camp is not None and camp.side is not None:
                found.append((rank, camp))
        found.sort(key=lambda item: -item[0])  # stable: among equals the first word counts
        if _sides(found) > 1 and found[0][0] == 2:
            found = [item for item in found if item[0] > 0]
        if _sides(found) > 1:
            return None, True
        return (found[0][1], False) if found else (None, False)


def _sides(found: Iterable[tuple[int, Camp]]) -> int:
    return len({camp.side for _, camp in found})


def _base(relation: str) -> str:
    return relation.partition(":")[0]


# -- helpers for who speaks ----------------------------------------------------------------------------


def subtree_span(tree: Tree, i: int) -> tuple[int, int]:
    """From the first to the last character of token ``i`` and all its descendants."""
    return tree.subtree_span(i)


def antecedent(tree: Tree, i: int) -> int | None:
    """The token that a relative pronoun stands for; None if ``i`` is none."""
    if "PronType=Rel" not in tree.feats[i] and not (tree.forms[i] in _RELATIVE and tree.upos[i] == "PRON"):
        return None
    token = i
    while tree.heads[token] != token:
        if tree.relations[token] == "acl:relcl":
            return tree.heads[token]
        token = tree.heads[token]
    return None


def appositions(tree: Tree, i: int) -> tuple[int, ...]:
    """The tokens that head appositions of ``i``, in order of place."""
    return tuple(child for child in tree.children[i] if _base(tree.relations[child]) == "appos")


def head_noun_span(tree: Tree, i: int) -> tuple[int, int]:
    """The characters of the noun phrase that ``i`` heads.

    Without relative and other clauses, further conjuncts, its own preposition and appositions (for these
    see `appositions`): of "by the minister, who resigned" it is "the minister".
    """
    kept = {i}
    stack = [child for child in tree.children[i] if tree.relations[child] not in _NOT_NAME]
    while stack:
        token = stack.pop()
        kept.add(token)
        for child in tree.children[token]:
            relation = tree.relations[child]
            if relation not in _NOT_NAME or relation in ("case", "conj", "cc"):
                stack.append(child)
    first = last = i
    while (step := _next(tree, kept, first, -1)) is not None:
        first = step
    while (step := _next(tree, kept, last, 1)) is not None:
        last = step
    return tree.starts[first], tree.ends[last]


def _next(tree: Tree, kept: Collection[int], i: int, step: int) -> int | None:
    """The next kept token in one direction, past marks within names; None where the phrase ends."""
    i += step
    while 0 <= i < len(tree):
        if i in kept:
            return i
        if tree.relations[i] != "punct" or tree.forms[i] not in _INNER_MARKS:
            return None
        i += step
    return None


# -- compiled patterns ---------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Node:
    """A node with its conditions ready to test. Other nodes are named by their place in the pattern.

    ``camped``: some condition is on the camp of the token.
    """

    name: str
    forms: frozenset[str] | None
    upos: frozenset[str]
    exact: frozenset[str]
    bases: tuple[str, ...]
    way: str
    parent: int
    side: str | None
    party: bool
    actor: frozenset[str]
    feats: tuple[tuple[str, frozenset[str]], ...]
    optional: bool
    before: int | None
    after: int | None
    camped: bool


@dataclass(frozen=True, slots=True)
class _Pattern:
    """One tree of one rule. ``kids[k]`` are the nodes that must hang on node ``k``.

    ``binds``: some node binds X; ``needs`` are the ways in which it must be bound (X, other(X)), ``fixed``
    the sides that must be there, ``camped`` says that a camp of some side must be, and ``party`` that of a
    party itself, not of an ally.
    """

    rule: Rule
    order: int
    nodes: tuple[_Node, ...]
    kids: tuple[tuple[int, ...], ...]
    unless: tuple[_Node, ...]
    binds: bool
    marks: frozenset[int] | None
    needs: frozenset[str]
    fixed: frozenset[str]
    camped: bool
    party: bool = False
    words: tuple[frozenset[str], ...] = ()
    kinds: tuple[frozenset[str], ...] = ()

    @property
    def anchors(self) -> frozenset[str]:
        return self.nodes[0].forms or frozenset()


class _Compiler:
    def __init__(self, rulebook: Rulebook) -> None:
        self._rulebook = rulebook
        self._sides = frozenset(side.id for side in rulebook.sides)
        self._phrases = PhraseParser(rulebook.lists, rulebook.irregular)
        self._lists: dict[str, frozenset[str]] = {}
        self._known: dict[tuple[tuple[str, ...], tuple[str, ...], str | None], frozenset[str]] = {}

    def patterns(self, rule: Rule) -> Iterator[_Pattern]:
        anywhere = {node.name for tree in rule.trees for node in tree}
        for name in rule.marks:
            if name not in anywhere:
                raise _wrong(rule, f"'marks' names '{name}', which is no node of any tree")
        for order, tree in enumerate(rule.trees):
            yield self._pattern(rule, order, tree, anywhere)

    def _pattern(self, rule: Rule, order: int, tree: Sequence[Node], anywhere: Collection[str]) -> _Pattern:
        places: dict[str, int] = {}
        nodes: list[_Node] = []
        for node in tree:
            if node.name in places:
                raise _wrong(rule, f"two nodes are called '{node.name}'; rename one")
            nodes.append(self._node(rule, node, places, first=not nodes))
            places[node.name] = len(nodes) - 1
        self._check_anchor(rule, nodes)
        for ready in nodes[1:]:
            if nodes[ready.parent].optional and not ready.optional:
                raise _wrong(rule, f"node '{ready.name}' hangs on an optional one; make it optional too")
        binds = any(node.side in (_SIDE, _OTHER) for node in nodes)
        unless = self._unless(rule, places, anywhere, binds)
        needed = [ready for ready in nodes if not ready.optional]
        sided = frozenset(ready.side for ready in needed if ready.side is not None)
        return _Pattern(
            rule=rule,
            order=order,
            nodes=tuple(nodes),
            kids=tuple(
                tuple(j for j, ready in enumerate(nodes) if j and ready.parent == k and not ready.optional)
                for k in range(len(nodes))
            ),
            unless=unless,
            binds=binds,
            marks=frozenset(places[name] for name in rule.marks if name in places) if rule.marks else None,
            needs=sided - self._sides,
            fixed=sided & self._sides,
            camped=bool(sided) or any(ready.party for ready in needed),
            party=any(ready.party for ready in needed),
            words=tuple(
                sorted(
                    {n.forms for n in needed[1:] if n.forms is not None},
                    key=lambda forms: (len(forms), sorted(forms)),
                )
            ),
            kinds=tuple({n.actor: None for n in needed if n.actor}),
        )

    def _unless(
        self, rule: Rule, places: Mapping[str, int], anywhere: Collection[str], binds: bool
    ) -> tuple[_Node, ...]:
        """The forbidden nodes that this pattern can have: their parent is one of its nodes."""
        result = []
        for node in rule.unless_nodes:
            if node.parent is None:
                raise _wrong(rule, "a node of 'unless' needs one of under, within, above")
            if node.parent[1] not in anywhere:
                raise _wrong(rule, f"'unless' hangs on '{node.parent[1]}', which is no node of any tree")
            if node.parent[1] in places:
                if node.side in (_SIDE, _OTHER) and not binds:
                    raise _wrong(rule, f"'unless' has side {node.side}, but no node of the tree binds X")
                result.append(self._node(rule, node, places, first=False))
        return tuple(result)

    def _check_anchor(self, rule: Rule, nodes: Sequence[_Node]) -> None:
        if not nodes:
            raise _wrong(rule, "a tree without nodes; give it one with lemma, form or list")
        anchor = nodes[0]
        if not anchor.forms:
            raise _wrong(rule, f"the first node '{anchor.name}' needs lemma, form or list")
        if anchor.optional:
            raise _wrong(rule, f"the first node '{anchor.name}' cannot be optional")
        for form in sorted(anchor.forms):
            if not WORD.fullmatch(form):
                raise _wrong(
                    rule, f"the first node has '{form}', which is no plain word; take another anchor"
                )

    def _node(self, rule: Rule, node: Node, places: Mapping[str, int], *, first: bool) -> _Node:
        if first and node.parent is not None:
            raise _wrong(rule, f"the first node '{node.name}' hangs on none; leave out '{node.parent[0]}'")
        if not first and node.parent is None:
            raise _wrong(rule, f"node '{node.name}' needs one of under, within, above")
        if node.side is not None and node.side not in (_SIDE, _OTHER) and node.side not in self._sides:
            known = ", ".join((_SIDE, _OTHER, *sorted(self._sides)))
            raise _wrong(rule, f"node '{node.name}' has side '{node.side}'; write one of {known}")
        way, parent = "", 0
        if node.parent is not None:
            way, parent = node.parent[0], self._place(rule, node, node.parent[1], places)
            if way not in ("under", "within", "above"):
                raise _wrong(rule, f"node '{node.name}' has '{way}'; write under, within or above")
        return _Node(
            name=node.name,
            forms=self._forms(rule, node),
            upos=frozenset(node.upos),
            exact=frozenset(relation.removeprefix("=") for relation in node.relation),
            bases=tuple(relation + ":" for relation in node.relation if not relation.startswith("=")),
            way=way,
            parent=parent,
            side=node.side,
            party=node.party,
            actor=frozenset(node.actor),
            feats=tuple((name, frozenset(value.split("|"))) for name, value in node.feats),
            optional=node.optional,
            before=None if node.before is None else self._order(rule, node, node.before, places),
            after=None if node.after is None else self._order(rule, node, node.after, places),
            camped=node.side is not None or node.party or bool(node.actor),
        )

    def _place(self, rule: Rule, node: Node, name: str, places: Mapping[str, int]) -> int:
        if name not in places:
            raise _wrong(rule, f"node '{node.name}' refers to '{name}', which is no earlier node of its tree")
        return places[name]

    def _order(self, rule: Rule, node: Node, name: str, places: Mapping[str, int]) -> int | None:
        """The node that this one stands before or after. An 'unless' may name one of another tree."""
        if node in rule.unless_nodes and name not in places:
            return None
        return self._place(rule, node, name, places)

    def _forms(self, rule: Rule, node: Node) -> frozenset[str] | None:
        """Every form that fits: of the lemmas, of the forms, of the list. None: any word."""
        if not (node.lemma or node.form or node.list):
            return None
        key = (node.lemma, node.form, node.list)  # the trees of a rule repeat their words
        known = self._known.get(key)
        if known is None:
            found = set(node.form)
            for lemma in node.lemma:
                found.update(inflected(lemma, self._rulebook.irregular))
            if node.list is not None:
                found |= self._list(rule, node.list)
            known = self._known[key] = frozenset(found)
        return known

    def _list(self, rule: Rule, name: str) -> frozenset[str]:
        if name not in self._lists:
            if name not in self._rulebook.lists:
                raise _wrong(rule, f"there is no list '{name}'")
            words: set[str] = set()
            for item in self._rulebook.lists[name]:
                words |= self._item(rule, name, item)
            self._lists[name] = frozenset(words)
        return self._lists[name]

    def _item(self, rule: Rule, name: str, item: str) -> frozenset[str]:
        try:
            elements = self._phrases.parse(item, literal=True)
        except PhraseError as error:
            raise _wrong(rule, f"list '{name}', item '{item}': {error}") from None
        options: Sequence[Sequence[Element]] = (elements,)
        if len(elements) == 1 and isinstance(elements[0], Alternatives):
            options = elements[0].options
        words: set[str] = set()
        for option in options:
            if len(option) != 1 or not isinstance(option[0], Word):
                raise _wrong(rule, f"list '{name}', item '{item}': a node is one word; name a list of words")
            words |= option[0].forms
        return frozenset(words)


def _wrong(rule: Rule, message: str) -> StanceError:
    return StanceError(f"{rule.path}:{rule.line}: {rule.id}: {message}")


# -- matching ------------------------------------------------------------------------------------------


class TreeMatcher:
    """The compiled dependency rules of a rulebook.

    Args:
        rulebook: the rules, with their lists and irregular words.
        trial: also match the rules that are on trial.
        effects: only rules of these effects; None for all.

    Raises:
        StanceError: a rule cannot be compiled; the message names its path and line.
    """

    def __init__(
        self, rulebook: Rulebook, *, trial: bool = False, effects: Collection[str] | None = None
    ) -> None:
        first, second = (side.id for side in rulebook.sides)
        self._sides = (first, second)
        self._other = {first: second, second: first}
        self._rulebook = rulebook
        self._rules = [
            rule
            for rule in sorted(rulebook.rules, key=lambda rule: rule.id)
            if rule.kind == "dependency"
            and (rule.status == "active" or trial)
            and (effects is None or rule.effect in effects)
        ]
        # A fault is told now. Rules that were compiled before without one wait until a sentence needs them:
        # most need none.
        place = cache.place("trees", self._content(), ("trees", "phrases", "inflect"))
        if place is None or cache.read(place, bool) is None:
            _ = self._index
            if place is not None:
                cache.write(place, True)

    @cached_property
    def _index(self) -> dict[str, list[_Pattern]]:
        """The patterns by the forms of their anchors."""
        index: dict[str, list[_Pattern]] = {}
        compiler = _Compiler(self._rulebook)
        for rule in self._rules:
            for pattern in compiler.patterns(rule):
                for form in pattern.anchors:
                    index.setdefault(form, []).append(pattern)
        return index

    def _content(self) -> str:
        """All that decides whether the rules can be compiled."""
        rules = [(rule.id, rule.trees, rule.unless_nodes, rule.marks) for rule in self._rules]
        book = self._rulebook
        return repr((rules, self._sides, dict(book.lists), dict(book.irregular)))

    def warm(self) -> None:
        """Compile the rules now, not when a sentence first needs them."""
        _ = self._index

    @property
    def keys(self) -> frozenset[str]:
        """The forms of all anchors."""
        return frozenset(self._index)

    def wants(
        self,
        words: Collection[str],
        mentions: Sequence[Mention] | None = None,
        effects: Collection[str] | None = None,
        anchors: Iterable[str] | None = None,
    ) -> bool:
        """Whether a sentence with these words (lower case, as the lexicon cuts them) could match.

        With its mentions the answer is sharper: a rule that needs a side needs a mention of it. With
        ``anchors`` only matches count whose first node is one of these words. False means that `match` would
        find nothing (of these effects).
        """
        known: Collection[str] | None = None
        there = None if mentions is None else {mention.actor.side for mention in mentions}
        kinds = None if mentions is None else {mention.actor.kind for mention in mentions}
        parties = mentions is None or any(m.actor.side is not None and not m.actor.ally for m in mentions)
        for word in words if anchors is None else anchors:
            for pattern in self._index.get(word, ()):
                if effects is not None and pattern.rule.effect not in effects:
                    continue
                if there is not None and not _possible(pattern, there):
                    continue
                if pattern.party and not parties:
                    continue
                if kinds is not None and any(kinds.isdisjoint(wanted) for wanted in pattern.kinds):
                    continue
                if pattern.words:
                    known = _with_parts(words) if known is None else known
                    if any(forms.isdisjoint(known) for forms in pattern.words):
                        continue
                return True
        return False

    def match(self, tree: Tree, mentions: Sequence[Mention]) -> list[TreeMatch]:
        """All matches, in order of the anchor's place, then of rule id and side.

        A rule matches once for each anchor and side; where several of its trees would, the first counts,
        and of several assignments of its nodes the first in order of declaration and place.
        """
        anchors = self._anchors(tree)
        if not anchors:
            return []
        there = {mention.actor.side for mention in mentions}
        view = _View(tree, _Camps(tree, mentions), self._other)
        searches: dict[int, _Search] = {}
        best: dict[tuple[int, str, str | None], TreeMatch] = {}
        for token in anchors:
            for pattern in self._index[tree.forms[token]]:
                if not view.looks(pattern.nodes[0], token) or not _possible(pattern, there):
                    continue
                search = searches.get(id(pattern))
                if search is None:
                    search = searches[id(pattern)] = _Search(pattern, view)
                for side, bound in self._bindings(search, token, there):
                    key = (token, pattern.rule.id, side)
                    if key not in best:
                        best[key] = _result(pattern, tree, side, bound)
        rank = {None: 0, self._sides[0]: 1, self._sides[1]: 2}
        return [best[key] for key in sorted(best, key=lambda key: (key[0], key[1], rank[key[2]]))]

    def _anchors(self, tree: Tree) -> list[int]:
        """Tokens that can be an anchor: their form is a key, and the light tokenizer cuts them out alike."""
        found = [i for i, form in enumerate(tree.forms) if form in self._index]
        if not found:
            return found
        words = {match.span() for match in WORD.finditer(tree.text)}
        return [i for i in found if (tree.starts[i], tree.ends[i]) in words]

    def _bindings(
        self, search: _Search, token: int, there: Collection[str | None]
    ) -> list[tuple[str | None, list[int | None]]]:
        """The first complete assignment for each binding of X; ``there`` are the sides that are mentioned."""
        pattern = search.pattern
        if not pattern.binds:
            bound = search.first(token, None)
            return [] if bound is None else [(None, bound)]
        found: list[tuple[str | None, list[int | None]]] = []
        for side in self._sides:
            if (_SIDE in pattern.needs and side not in there) or (
                _OTHER in pattern.needs and self._other[side] not in there
            ):
                continue
            bound = search.first(token, side)
            if bound is not None:
                used = any(
                    bound[k] is not None and node.side in (_SIDE, _OTHER)
                    for k, node in enumerate(pattern.nodes)
                )
                found.append((side if used else None, bound))
        # Where only optional nodes bind X, an assignment without them yields to one with them.
        bindings = [item for item in found if item[0] is not None]
        return bindings or sorted(found, key=lambda item: [-1 if t is None else t for t in item[1]])[:1]


def _possible(pattern: _Pattern, there: Collection[str | None]) -> bool:
    """Whether the sides that a pattern cannot do without are mentioned at all."""
    if pattern.camped and not any(side is not None for side in there):
        return False
    if len(pattern.needs) > 1 and sum(side is not None for side in there) < 2:
        return False
    return all(side in there for side in pattern.fixed)


def _with_parts(words: Iterable[str]) -> set[str]:
    """The words, and all that a tokenizer could cut out of those that are no plain words (10km, o'clock)."""
    found = set(words)
    if "—" in found:
        found.add("-")  # light tokens have one for the other
    for word in words:
        if not _WHOLE.fullmatch(word):
            size = min(len(word), _MAX_ODD)
            found.update(word[a:b] for a in range(size) for b in range(a + 1, size + 1))
    return found


def _result(pattern: _Pattern, tree: Tree, side: str | None, bound: Sequence[int | None]) -> TreeMatch:
    nodes = {node.name: token for node, token in zip(pattern.nodes, bound, strict=True) if token is not None}
    marked = [
        token
        for k, token in enumerate(bound)
        if token is not None and (pattern.marks is None or k == 0 or k in pattern.marks)
    ]
    return TreeMatch(pattern.rule, side, nodes, tree.starts[min(marked)], tree.ends[max(marked)])


class _View:
    """One tree under the conditions of nodes."""

    __slots__ = ("_camps", "_other", "_within", "tree")

    def __init__(self, tree: Tree, standing: _Camps, other: Mapping[str, str]) -> None:
        self.tree = tree
        self._camps = standing
        self._other = other
        self._within: dict[int, list[int]] = {}

    def candidates(self, node: _Node, parent: int) -> Sequence[int]:
        """The tokens that stand to ``parent`` as the node does, in order of place."""
        if node.way == "under":
            return self.tree.children[parent]
        if node.way == "above":
            head = self.tree.heads[parent]
            return () if head == parent else (head,)
        if parent not in self._within:
            self._within[parent] = [token for token in self.tree.subtree(parent) if token != parent]
        return self._within[parent]

    def looks(self, node: _Node, token: int) -> bool:
        """Whether form, part of speech, relation and features fit."""
        tree = self.tree
        if node.forms is not None and tree.forms[token] not in node.forms:
            return False
        if node.upos and tree.upos[token] not in node.upos:
            return False
        if node.exact:
            relation = tree.relations[token]
            if relation not in node.exact and not relation.startswith(node.bases):
                return False
        return not node.feats or _has_feats(tree.feats[token], node.feats)

    def fits(self, node: _Node, token: int, side: str | None) -> bool:
        """Whether the token looks like the node and stands where it should if X is ``side``."""
        return self.looks(node, token) and self.stands(node, token, side)

    def stands(self, node: _Node, token: int, side: str | None) -> bool:
        """Whether the camp of the token is that of the node, if X is ``side``."""
        if not node.camped:
            return True
        camp = self._camps[token]
        if node.actor and camp.kind not in node.actor:
            return False
        if node.party and (camp.side is None or camp.ally):
            return False
        if node.side is None:
            return True
        if camp.side is None:
            return False
        if node.side == _SIDE:
            return camp.side == side
        if node.side == _OTHER:
            return self._other[camp.side] == side
        return camp.side == node.side


class _Search:
    """One pattern on one tree: what can hang together is remembered over all anchors, tries are counted."""

    __slots__ = ("_known", "_tries", "_view", "pattern")

    def __init__(self, pattern: _Pattern, view: _View) -> None:
        self.pattern = pattern
        self._view = view
        self._known: dict[tuple[int, int, str | None], bool] = {}
        self._tries: dict[str | None, int] = {}

    def first(self, anchor: int, side: str | None) -> list[int | None] | None:
        """The first complete assignment with this anchor and this camp as X: a token or None a node."""
        if not self._feasible(0, anchor, side):
            return None
        bound: list[int | None] = [None] * len(self.pattern.nodes)
        bound[0] = anchor
        return bound if self._assign(1, bound, side) else None

    def _assign(self, k: int, bound: list[int | None], side: str | None) -> bool:
        """Fill ``bound[k:]``; depth is the number of nodes of the pattern."""
        if k == len(bound):
            return not self._forbidden(bound, side)
        node = self.pattern.nodes[k]
        parent = bound[node.parent]
        if parent is not None:
            for token in self._view.candidates(node, parent):
                tries = self._tries.get(side, 0) + 1
                if tries > MAX_TRIES:
                    return False
                self._tries[side] = tries
                if token in bound or not _in_order(node, token, bound):
                    continue
                if self._feasible(k, token, side):
                    bound[k] = token
                    if self._assign(k + 1, bound, side):
                        return True
                    bound[k] = None
        return node.optional and self._assign(k + 1, bound, side)

    def _forbidden(self, bound: Sequence[int | None], side: str | None) -> bool:
        """Whether a node of 'unless' exists, other than the nodes already bound."""
        for node in self.pattern.unless:
            parent = bound[node.parent]
            if parent is None:
                continue
            for token in self._view.candidates(node, parent):
                if (
                    token not in bound
                    and _in_order(node, token, bound)
                    and self._view.fits(node, token, side)
                ):
                    return True
        return False

    def _feasible(self, k: int, token: int, side: str | None) -> bool:
        """Whether ``token`` fits node ``k`` and all that must hang on it can be found, each by itself.

        What fails here would fail after every combination of the other nodes.
        """
        node = self.pattern.nodes[k]
        kids = self.pattern.kids[k]
        if not kids:
            return self._view.fits(node, token, side)
        key = (k, token, side)
        known = self._known.get(key)
        if known is None:
            known = self._view.fits(node, token, side)
            for kid in kids:
                known = known and self._hangs(kid, token, side)
            self._known[key] = known
        return known

    def _hangs(self, k: int, parent: int, side: str | None) -> bool:
        """Whether some token can be node ``k`` where it must stand to ``parent``."""
        node = self.pattern.nodes[k]
        view = self._view
        leaf = not self.pattern.kids[k]
        for token in view.candidates(node, parent):
            if view.looks(node, token) and (
                view.stands(node, token, side) if leaf else self._feasible(k, token, side)
            ):
                return True
        return False


def _in_order(node: _Node, token: int, bound: Sequence[int | None]) -> bool:
    """Whether the token stands before and after the nodes that it must; one that is not there counts not."""
    if node.before is not None:
        other = bound[node.before]
        if other is not None and token >= other:
            return False
    if node.after is not None:
        other = bound[node.after]
        if other is not None and token <= other:
            return False
    return True


def _has_feats(feats: str, wanted: Iterable[tuple[str, frozenset[str]]]) -> bool:
    there = dict(part.partition("=")[::2] for part in feats.split("|")) if feats else {}
    return all(not values.isdisjoint(there.get(name, "").split(",")) for name, values in wanted)
