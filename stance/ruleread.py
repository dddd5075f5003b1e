"""What a rule says beyond the shape of its keys: phrases, tree patterns, examples, mirror partners.

`Context` gathers the faults of one folder and knows its sides and word lists; `RuleReader` turns the
plain data of one rule into a `Rule`.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from typing import Any, Final

from pydantic import ValidationError

from stance.labels import EFFECTS
from stance.phrases import (
    WORD,
    ActorSlot,
    Alternatives,
    Element,
    Optional,
    PhraseError,
    PhraseParser,
    UnknownList,
    keys,
    lower,
)
from stance.rulebook import KINDS, Example, Fault, Node, Rule, Snapshot, suggest
from stance.ruleshapes import (
    KEBAB,
    MAX_ID,
    RULE_SHAPES,
    AnyRule,
    DependencyShape,
    ExamplesShape,
    FiresShape,
    LexicalShape,
    NodeShape,
    ShapeT,
    faults_of,
    not_one_of,
    salvage,
    short,
)
from stance.ruleyaml import Loc, Parsed

# Faults told of one file: enough for any mistake that people make, and a hostile file ends soon.
MAX_FAULTS: Final = 500
VARIABLES: Final = ("X", "other(X)")
SLOT_SIDES: Final = ("X", "Y", "any")
UPOS: Final = (
    "ADJ",
    "ADP",
    "ADV",
    "AUX",
    "CCONJ",
    "DET",
    "INTJ",
    "NOUN",
    "NUM",
    "PART",
    "PRON",
    "PROPN",
    "PUNCT",
    "SCONJ",
    "SYM",
    "VERB",
    "X",
)
RELATIONS: Final = (
    "acl",
    "advcl",
    "advmod",
    "amod",
    "appos",
    "aux",
    "case",
    "cc",
    "ccomp",
    "clf",
    "compound",
    "conj",
    "cop",
    "csubj",
    "dep",
    "det",
    "discourse",
    "dislocated",
    "expl",
    "fixed",
    "flat",
    "goeswith",
    "iobj",
    "list",
    "mark",
    "nmod",
    "nsubj",
    "nummod",
    "obj",
    "obl",
    "orphan",
    "parataxis",
    "punct",
    "reparandum",
    "root",
    "vocative",
    "xcomp",
)
FEATS: Final = (
    "Abbr",
    "AdpType",
    "AdvType",
    "Animacy",
    "Aspect",
    "Case",
    "Clusivity",
    "ConjType",
    "Definite",
    "Degree",
    "Deixis",
    "DeixisRef",
    "Evident",
    "ExtPos",
    "Foreign",
    "Gender",
    "Mood",
    "NounClass",
    "NounType",
    "NumForm",
    "NumType",
    "Number",
    "Person",
    "Polarity",
    "Polite",
    "Poss",
    "PronType",
    "PunctType",
    "Reflex",
    "Style",
    "Tense",
    "Typo",
    "VerbForm",
    "VerbType",
    "Voice",
)
_RELATION: Final = re.compile(r"=?([a-z]+)(:[a-z]+)*")
_NO_WORD: Final = "is not one word; a node is one word of the text"
_FEAT_VALUE: Final = re.compile(r"[A-Z0-9][A-Za-z0-9]*(\|[A-Z0-9][A-Za-z0-9]*)*")


@dataclass(slots=True)
class Entry:
    """One rule, actor or file as plain data, with the line of each place in it."""

    path: str
    data: dict[str, Any]
    parsed: Parsed
    at: Loc = ()
    defaulted: frozenset[str] = frozenset()

    def line(self, loc: Loc = ()) -> int:
        """The line of a place in the entry."""
        if loc and loc[0] in self.defaulted:
            return self.parsed.line(("defaults", *loc))
        return self.parsed.line((*self.at, *loc))

    @property
    def id(self) -> str | None:
        """Its id, or None where it has no valid one."""
        found = self.data.get("id")
        valid = isinstance(found, str) and len(found) <= MAX_ID and re.fullmatch(KEBAB, found)
        return str(found) if valid else None

    @property
    def off(self) -> bool:
        """Whether it is switched off."""
        return self.data.get("status") == "off"


@dataclass(slots=True)
class Context:
    """What is known of a folder while it is read, and the faults found so far."""

    snapshot: Snapshot
    faults: dict[Fault, None] = field(default_factory=dict)
    counts: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    side_ids: tuple[str, ...] = ()
    speakers: tuple[str, ...] = ()
    phrases: PhraseParser = field(default_factory=lambda: PhraseParser({}, {}))

    def fault(self, path: str, line: int, message: str) -> None:
        """Take down a fault, up to the limit of its file."""
        if self.full(path):
            return
        fault = Fault(self.snapshot.shown(path), line, message)
        # One wrong default makes the same fault in every entry: told once, and cheap to say again.
        self.counts[path] += 0.1 if fault in self.faults else 1
        self.faults[fault] = None
        if self.full(path):
            more = f"more than {MAX_FAULTS} faults in this file; mend these first"
            self.faults[Fault(fault.path, 0, more)] = None

    def full(self, path: str) -> bool:
        """Whether a file has so many faults that more of them help nobody."""
        return self.counts[path] >= MAX_FAULTS

    def complain(self, entry: Entry, loc: Loc, message: str) -> None:
        """Take down a fault at a place in an entry."""
        self.fault(entry.path, entry.line(loc), message)

    def shape(self, entry: Entry, shape: type[ShapeT], what: str) -> tuple[ShapeT, bool]:
        """The shape of an entry and True; or, after complaints, the part of it that is right and False."""
        try:
            return shape.model_validate(entry.data), True
        except ValidationError as error:
            for loc, message in faults_of(error, shape, what, MAX_FAULTS):
                self.complain(entry, loc, message)
            return salvage(error, shape, entry.data), False

    def check_side(self, entry: Entry, loc: Loc, value: str | None, *more: str) -> None:
        """Complain of a side that is none."""
        known = (*self.side_ids, *more)
        if value is not None and self.side_ids and value not in known:
            self.complain(entry, loc, not_one_of(f"'{loc[-1]}'", value, known))

    def phrase(
        self, entry: Entry, loc: Loc, phrase: str, *, literal: bool = False
    ) -> tuple[Element, ...] | None:
        """The elements of a phrase in a file, or None after a fault."""
        try:
            elements = self.phrases.parse(phrase, literal=literal)
            keys(elements)
        except UnknownList as error:
            near = suggest(error.name, self.phrases.lists)
            cure = near or "; write it into lists/"
            self.complain(entry, loc, f"phrase {short(phrase)}, {error}{cure}")
        except PhraseError as error:
            self.complain(entry, loc, f"phrase {short(phrase)}, {error}")
        else:
            return elements
        return None


class RuleReader:
    """Plain data of a rule to a `Rule`; complaints go to the context."""

    def __init__(self, context: Context) -> None:
        self.context = context
        self.complain = context.complain

    def read(self, entry: Entry) -> Rule | None:
        """The rule, or None after a fault in its shape; either way all that can be checked is checked."""
        folder = PurePosixPath(entry.path).parts[0]
        kind = self._choice(entry, "kind", ("lexical", "dependency"))
        effect = self._choice(entry, "effect", EFFECTS)
        if kind is None and ("trees" in entry.data) != ("phrases" in entry.data):
            kind = "dependency" if "trees" in entry.data else "lexical"
        if kind is None:
            return None
        if effect is not None and effect != folder:
            self.complain(entry, ("effect",), f"effect '{effect}' in folder {folder}; move it to {effect}/")
        settled = replace(entry, data={**entry.data, "kind": kind, "effect": effect or folder})
        shape_class = RULE_SHAPES[kind, effect or folder]
        shape, whole = self.context.shape(settled, shape_class, f"a {kind} {effect or folder} rule")
        rule = self._checked(settled, shape)
        return rule if whole else None

    def _choice(self, entry: Entry, key: str, known: tuple[str, ...]) -> str | None:
        """The value of a key that decides on the shape, or None after a fault."""
        value = entry.data.get(key)
        if key not in entry.data:
            self.complain(entry, (key,), f"a rule needs '{key}': {' or '.join(known)}")
        elif value not in known:
            self.complain(entry, (key,), not_one_of(f"'{key}'", value, known))
        else:
            return str(value)
        return None

    def _checked(self, entry: Entry, shape: AnyRule) -> Rule:
        """The value of a rule, of which keys may be missing; faults beyond its shape are complained about."""

        def get(key: str) -> Any:
            return getattr(shape, key, None)

        self.context.check_side(entry, ("side",), get("side"), *VARIABLES)
        mirror = get("mirror")
        rule = Rule(
            id=get("id") or "",
            kind=entry.data["kind"],
            effect=entry.data["effect"],
            status=shape.status,
            because=get("because") or "",
            rationale=shape.rationale,
            sources=tuple(shape.sources or ()),
            side=get("side"),
            test=get("test"),
            strength=get("strength"),
            cue=get("cue"),
            voice=get("voice"),
            covers=get("covers"),
            speaker=get("speaker"),
            cancels=tuple(get("cancels") or ()),
            reason=get("reason"),
            scope=get("scope"),
            mirror_partner=mirror.partner if mirror else None,
            mirror_none=mirror.none if mirror else None,
            family=PurePosixPath(entry.path).parts[1],
            path=entry.path,
            line=entry.line(),
        )
        self._check_variables(entry, rule)
        rule = replace(rule, examples=self._examples(entry, rule, get("examples")))
        if isinstance(shape, LexicalShape):
            phrases, unless = tuple(get("phrases") or ()), tuple(shape.unless or ())
            self._check_phrases(entry, rule, "phrases", phrases)
            self._check_phrases(entry, rule, "unless", unless)
            return replace(rule, phrases=phrases, unless_phrases=unless)
        return _Trees(self.context, entry).complete(rule, shape)

    def _check_variables(self, entry: Entry, rule: Rule) -> None:
        """A fixed side needs a word on its mirror; a variable one is its own mirror."""
        if rule.effect != "frame" or rule.side is None:
            return
        paired = "mirror" in entry.data
        if rule.side in VARIABLES and paired:
            self.complain(entry, ("mirror",), f"a rule over {rule.side} is its own mirror; drop 'mirror'")
        if rule.side not in VARIABLES and not paired:
            cure = 'add mirror: {partner: RULE-ID} or mirror: {none: "reason"}'
            self.complain(entry, ("side",), f"a rule of a fixed side needs 'mirror'; {cure}")

    def _check_phrases(self, entry: Entry, rule: Rule, key: str, phrases: Sequence[str]) -> None:
        for index, phrase in enumerate(phrases):
            loc: Loc = (key, index)
            elements = self.context.phrase(entry, loc, phrase)
            if elements is not None:
                self._check_slots(entry, loc, elements, rule, bound=key == "phrases")

    def _check_slots(
        self, entry: Entry, loc: Loc, elements: Sequence[Element], rule: Rule, *, bound: bool
    ) -> None:
        """Sides and kinds of actor slots, and that a rule over X finds its X in each phrase."""
        slots = list(_slots(elements))
        known = (*SLOT_SIDES, *self.context.side_ids)
        for slot in slots:
            if self.context.side_ids and slot.side not in known:
                self.complain(entry, loc, not_one_of("actor", slot.side, known))
            for kind in sorted(slot.kinds - set(KINDS)):
                self.complain(entry, loc, not_one_of("kind of actor", kind, (*KINDS, "ally")))
        if rule.effect != "frame" or rule.side is None:
            return
        if rule.side in VARIABLES and bound and not _binds(elements):
            self.complain(entry, loc, f"side '{rule.side}' needs {{X}} or {{Y}} in each phrase; add it here")
        if rule.side not in VARIABLES and any(slot.side in ("X", "Y") for slot in slots):
            self.complain(entry, loc, "{X} in a rule of a fixed side; write {any} or the side's id")

    def _examples(self, entry: Entry, rule: Rule, shape: ExamplesShape | None) -> tuple[Example, ...]:
        found: list[Example] = []
        for index, fires in enumerate(shape.fires if shape else ()):
            loc: Loc = ("examples", "fires", index)
            text, marks = self._marked(entry, loc, fires.text, wanted=True)
            self._check_example(entry, loc, rule, fires)
            told = (*self._told(rule, fires), fires.speaker, fires.xfail)
            found.append(Example(text, marks, *told, fires=True, line=entry.line(loc)))
        for index, silent in enumerate(shape.silent if shape else ()):
            loc = ("examples", "silent", index)
            text, _ = self._marked(entry, loc, silent.text, wanted=False)
            found.append(Example(text, xfail=silent.xfail, fires=False, line=entry.line(loc)))
        for fires_too, word in ((True, "fires"), (False, "silent")):
            kept = [example for example in found if example.fires is fires_too]
            if kept and all(example.xfail for example in kept):
                message = f"a rule needs at least one '{word}' example without xfail"
                self.complain(entry, ("examples", word), message)
        return tuple(found)

    def _marked(
        self, entry: Entry, loc: Loc, text: str, *, wanted: bool
    ) -> tuple[str, tuple[tuple[int, int], ...]]:
        """An example without its brackets, and where they stood."""
        clean, marks, wrong = strip_marks(text)
        if wrong is None and wanted and not marks:
            wrong = "put the words that must be found in [brackets]"
        if wrong is None and marks and not wanted:
            wrong = r"brackets in a silent example; write \[ and \] if they belong to the text"
        if wrong is not None:
            self.complain(entry, loc, f"example {short(text)}: {wrong}")
        return clean, marks

    def _told(self, rule: Rule, fires: FiresShape) -> tuple[str | None, str | None]:
        """Side and voice of an example; a rule of a fixed side and the author's voice go without saying."""
        if rule.effect != "frame":
            return fires.side, fires.voice
        fixed = rule.side if rule.side in self.context.side_ids else None
        return fires.side or fixed, fires.voice or "author"

    def _check_example(self, entry: Entry, loc: Loc, rule: Rule, fires: FiresShape) -> None:
        sides = self.context.side_ids
        if rule.effect != "frame":
            self.context.check_side(entry, (*loc, "side"), fires.side, *self.context.speakers)
            return
        if fires.side is None and rule.side not in sides:
            self.complain(entry, loc, "an example of a rule with a side variable needs 'side'")
        self.context.check_side(entry, (*loc, "side"), fires.side)
        if rule.side in sides and fires.side in sides and fires.side != rule.side:
            message = f"'side' {fires.side} in an example of a rule of side {rule.side}; write {rule.side}"
            self.complain(entry, (*loc, "side"), message)


def rule_quarrels(rule: Rule, partner: Rule) -> Iterator[str]:
    """What keeps two rules from being mirror partners of equal strength."""
    if partner is rule:
        yield 'a rule cannot be its own partner; write {none: "reason"} or bind the side as X'
        return
    if partner.mirror_partner != rule.id:
        yield f"'{partner.id}' does not name '{rule.id}' as its partner; add it there"
    if partner.effect != rule.effect:
        yield f"partner '{partner.id}' has effect {partner.effect}, this rule {rule.effect}; make them equal"
    elif rule.effect == "frame":
        if partner.side == rule.side:
            yield f"partner '{partner.id}' is of the same side {rule.side}; a partner is of the other side"
        for key in ("test", "strength"):
            mine, theirs = getattr(rule, key), getattr(partner, key)
            if mine != theirs:
                yield f"partner '{partner.id}' has {key} {theirs}, this rule {mine}; make them equal"


class _Trees:
    """The tree patterns of one rule."""

    def __init__(self, context: Context, entry: Entry) -> None:
        self.context = context
        self.entry = entry
        self.lists = context.phrases.lists

    def complain(self, loc: Loc, message: str) -> None:
        self.context.complain(self.entry, loc, message)

    def complete(self, rule: Rule, shape: DependencyShape) -> Rule:
        """`rule` with its trees and what refers to their nodes."""
        patterns = getattr(shape, "trees", None) or ()
        trees = tuple(self._tree(("trees", i), tree, rule) for i, tree in enumerate(patterns))
        names = [tuple(node.name for node in tree) for tree in trees]
        anywhere = tuple(dict.fromkeys(name for tree in names for name in tree))
        unless = []
        for index, node in enumerate((shape.unless or ()) if trees else ()):
            loc: Loc = ("unless", index)
            unless.append(self._node(loc, f"unless-{index + 1}", node, anywhere))
            self._check_parent(loc, node, anchor=False)
        for index, name in enumerate((shape.marks or ()) if trees else ()):
            self._check_name(("marks", index), name, anywhere)
        if rule.speaker is not None and trees:
            self._check_name(("speaker",), rule.speaker, anywhere)
        for key in ("covers", "scope"):
            for tree in names if getattr(rule, key) else ():
                self._check_name((key,), getattr(rule, key), tree)
        return replace(rule, trees=trees, unless_nodes=tuple(unless), marks=tuple(shape.marks or ()))

    def _tree(self, loc: Loc, tree: Mapping[str, NodeShape], rule: Rule) -> tuple[Node, ...]:
        nodes: list[Node] = []
        for name, shape in tree.items():
            at: Loc = (*loc, name)
            node = self._node(at, name, shape, tuple(n.name for n in nodes))
            self._check_parent(at, shape, anchor=not nodes)
            optional = {n.name for n in nodes if n.optional}
            if node.parent and node.parent[1] in optional and not node.optional:
                self.complain(at, f"'{name}' hangs on the optional '{node.parent[1]}'; make it optional too")
            nodes.append(node)
        anchor = nodes[0]
        if not (anchor.lemma or anchor.form or anchor.list):
            self.complain((*loc, anchor.name), f"the first node '{anchor.name}' needs lemma, form or list")
        if anchor.optional:
            self.complain((*loc, anchor.name, "optional"), "the first node cannot be optional; leave it out")
        bound = any(node.side in VARIABLES and not node.optional for node in nodes)
        if rule.effect == "frame" and rule.side in VARIABLES and not bound:
            self.complain(loc, f"side '{rule.side}' needs a node with 'side: X' in every tree; add one")
        fixed = rule.effect == "frame" and rule.side is not None and rule.side not in VARIABLES
        for node in nodes:
            if fixed and node.side in VARIABLES:
                self.complain((*loc, node.name, "side"), "X in a rule of a fixed side; write the side's id")
        return tuple(nodes)

    def _node(self, loc: Loc, name: str, shape: NodeShape, earlier: tuple[str, ...]) -> Node:
        parents = [(way, getattr(shape, way)) for way in ("under", "within", "above") if getattr(shape, way)]
        for key in ("under", "within", "above", "before", "after"):
            if getattr(shape, key):
                self._check_name((*loc, key), getattr(shape, key), earlier)
        self.context.check_side(self.entry, (*loc, "side"), shape.side, *VARIABLES)
        if shape.list is not None and shape.list not in self.lists:
            cure = suggest(shape.list, self.lists) or "; write it into lists/"
            self.complain((*loc, "list"), f"unknown list {short(shape.list)}{cure}")
        return Node(
            name=name,
            lemma=self._split((*loc, "lemma"), shape.lemma, self._word),
            form=self._split((*loc, "form"), shape.form, self._form),
            list=shape.list,
            upos=self._split((*loc, "upos"), shape.upos, _among("part of speech", UPOS)),
            relation=self._split((*loc, "relation"), shape.relation, _relation),
            parent=parents[0] if parents else None,
            side=shape.side,
            party=bool(shape.party),
            actor=self._split((*loc, "actor"), shape.actor, _among("kind of actor", KINDS)),
            feats=self._feats((*loc, "feats"), shape.feats or {}),
            optional=bool(shape.optional),
            before=shape.before,
            after=shape.after,
        )

    def _check_parent(self, loc: Loc, shape: NodeShape, *, anchor: bool) -> None:
        ways = [way for way in ("under", "within", "above") if getattr(shape, way)]
        if anchor and ways:
            self.complain((*loc, ways[0]), f"the first node hangs on none; leave out '{ways[0]}'")
        elif not anchor and len(ways) != 1:
            found = " and ".join(ways) or "none"
            self.complain(loc, f"a node needs one of under, within, above; it has {found}")

    def _check_name(self, loc: Loc, name: str, known: tuple[str, ...]) -> None:
        if name not in known:
            near = suggest(name, known)
            cure = near or (f"; there is {', '.join(known)}" if known else "; put this node after it")
            self.complain(loc, f"there is no node '{name}' before this{cure}")

    def _split(self, loc: Loc, value: str | None, check: Callable[[str], str | None]) -> tuple[str, ...]:
        """``a|b`` to its parts; `check` gives what is wrong with one."""
        parts = [part.strip() for part in value.split("|")] if value else []
        for part in parts:
            wrong = check(part) if part else f"{short(value or '')} has an empty part; leave out the '|'"
            if wrong is not None:
                self.complain(loc, wrong)
        lowered = loc[-1] in ("lemma", "form")
        return tuple(lower(part) if lowered else part for part in parts)

    def _word(self, part: str) -> str | None:
        return None if WORD.fullmatch(part) else f"{short(part)} {_NO_WORD}"

    def _form(self, part: str) -> str | None:
        return f"{short(part)} {_NO_WORD}" if " " in part else None

    def _feats(self, loc: Loc, feats: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        for key, value in feats.items():
            if key not in FEATS:
                self.complain((*loc, key), not_one_of("attribute", key, FEATS))
            elif not _FEAT_VALUE.fullmatch(value):
                message = f"{short(value)} is no value of {key}; values look like Neg or Past"
                self.complain((*loc, key), message)
        return tuple(sorted(feats.items()))


def _among(name: str, known: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda part: None if part in known else not_one_of(name, part, known)


def _relation(part: str) -> str | None:
    match = _RELATION.fullmatch(part)
    base = match.group(1) if match else part
    return None if match and base in RELATIONS else not_one_of("relation", base, RELATIONS)


def _slots(elements: Sequence[Element]) -> Iterator[ActorSlot]:
    for element in elements:
        if isinstance(element, ActorSlot):
            yield element
        elif isinstance(element, Optional):
            yield from _slots(element.elements)
        elif isinstance(element, Alternatives):
            for option in element.options:
                yield from _slots(option)


def _binds(elements: Sequence[Element]) -> bool:
    """Whether every match of the elements holds an {X} or a {Y}."""
    return any(
        element.side in ("X", "Y")
        if isinstance(element, ActorSlot)
        else isinstance(element, Alternatives) and all(map(_binds, element.options))
        for element in elements
    )


def strip_marks(text: str) -> tuple[str, tuple[tuple[int, int], ...], str | None]:
    """An example without its brackets, the bracketed stretches, and what is wrong with them or None."""
    clean: list[str] = []
    marks: list[tuple[int, int]] = []
    start: int | None = None
    position = 0
    while position < len(text):
        character = text[position]
        if character == "\\" and text[position + 1 : position + 2] in ("[", "]"):
            position += 1
            clean.append(text[position])
        elif character == "[":
            if start is not None:
                return text, (), "'[' within brackets; close the first with ']'"
            start = len(clean)
        elif character == "]":
            if start is None or start == len(clean):
                return text, (), "']' without '[' and words before it; write '\\]' if it belongs to the text"
            marks.append((start, len(clean)))
            start = None
        else:
            clean.append(character)
        position += 1
    if start is not None:
        return text, (), "'[' is never closed; add ']', or write '\\[' if it belongs to the text"
    return "".join(clean), tuple(marks), None
