"""Rule files to a `Rulebook`: every file is read, every fault is collected, then all or nothing.

`build` takes the bytes of a folder; with `base` the folder is an overlay on a valid rulebook. Syntax is
checked in `stance.ruleyaml`, shape in `stance.ruleshapes`; here is what one file says about another.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any, Final, TypeVar

from pydantic import ValidationError

from stance.labels import EFFECTS, Label
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
from stance.rulebook import (
    KINDS,
    Actor,
    Example,
    Fault,
    Node,
    Rule,
    Rulebook,
    RulebookError,
    SideInfo,
    Snapshot,
    combined,
    suggest,
)
from stance.ruleshapes import (
    KEBAB,
    RULE_KEYS,
    RULE_SHAPES,
    ActorShape,
    AnyRule,
    DependencyShape,
    DependencyVoice,
    IrregularShape,
    LexicalShape,
    LexicalVoice,
    ListShape,
    NodeShape,
    Shape,
    SidesShape,
    faults_of,
    not_one_of,
)
from stance.ruleyaml import Loc, Parsed, parse_yaml

VARIABLES: Final = ("X", "other(X)")
SLOT_SIDES: Final = ("X", "Y", "any")
UPOS: Final = tuple("ADJ ADP ADV AUX CCONJ DET INTJ NOUN NUM PART PRON PROPN PUNCT SCONJ SYM VERB X".split())
RELATIONS: Final = tuple(
    "acl advcl advmod amod appos aux case cc ccomp clf compound conj cop csubj dep det discourse dislocated "
    "expl fixed flat goeswith iobj list mark nmod nsubj nummod obj obl orphan parataxis punct reparandum "
    "root vocative xcomp".split()
)
FEATS: Final = tuple(
    "Abbr AdpType AdvType Animacy Aspect Case Clusivity ConjType Definite Degree Deixis DeixisRef Evident "
    "ExtPos Foreign Gender Mood NounClass NounType NumForm NumType Number Person Polarity Polite Poss "
    "PronType PunctType Reflex Style Tense Typo VerbForm VerbType Voice".split()
)
_RELATION: Final = re.compile(r"=?([a-z]+)(:[a-z]+)*")
_FEAT_VALUE: Final = re.compile(r"[A-Z0-9][A-Za-z0-9]*(\|[A-Z0-9][A-Za-z0-9]*)*")
# What is written into a mirrored text: words, hyphens, apostrophes, stops.
_PLAIN_NAME: Final = re.compile(r"=?[^\W_][\w .'’-]*")

ShapeT = TypeVar("ShapeT", bound=Shape)


def build(snapshot: Snapshot, *, base: Rulebook | None = None) -> Rulebook:
    """The rulebook of a folder, or `base` with the folder as an overlay; `RulebookError` on any fault."""
    return _Builder(snapshot, base).build()


@dataclass(slots=True)
class _Entry:
    """One rule, actor or file as plain data, with the line of each place in it."""

    path: str
    data: dict[str, Any]
    parsed: Parsed
    at: Loc = ()
    defaulted: frozenset[str] = frozenset()

    def line(self, loc: Loc = ()) -> int:
        if loc and loc[0] in self.defaulted:
            return self.parsed.line(("defaults", *loc))
        return self.parsed.line((*self.at, *loc))

    @property
    def id(self) -> str | None:
        found = self.data.get("id")
        return found if isinstance(found, str) and re.fullmatch(KEBAB, found) else None

    @property
    def off(self) -> bool:
        return self.data.get("status") == "off"


class _Builder:
    """Gathers values and faults of one folder; used once."""

    def __init__(self, snapshot: Snapshot, base: Rulebook | None) -> None:
        self.snapshot = snapshot
        self.base = base
        self.faults: list[Fault] = list(snapshot.faults)
        self.files: dict[str, Parsed] = {}
        self.broken = bool(snapshot.faults)
        self.side_ids: tuple[str, ...] = ()
        self.speakers: tuple[str, ...] = ()
        self.phrases = PhraseParser({}, {})

    def fault(self, path: str, line: int, message: str) -> None:
        self.faults.append(Fault(self.snapshot.shown(path), line, message))

    def complain(self, entry: _Entry, loc: Loc, message: str) -> None:
        self.fault(entry.path, entry.line(loc), message)

    def build(self) -> Rulebook:
        self._parse_files()
        sides = self._sides()
        lists, irregular = self._lists()
        self.phrases = PhraseParser(lists, irregular)
        actors = self._actors()
        rules = self._rules(set(lists))
        if self.faults:
            raise RulebookError(self.faults)
        assert sides is not None
        digest = self.snapshot.digest
        return replace(
            sides,
            actors=tuple(actors[name] for name in sorted(actors)),
            lists=lists,
            irregular=irregular,
            rules=tuple(rules[name] for name in sorted(rules)),
            digest=combined(self.base.digest, digest) if self.base else digest,
        )

    # Files -----------------------------------------------------------------------------------------

    def _parse_files(self) -> None:
        for path, data in self.snapshot.files.items():
            parsed = parse_yaml(data)
            for line, message in parsed.faults:
                self.fault(path, line, message)
            if parsed.data is not None and not isinstance(parsed.data, dict):
                self.fault(path, 1, "a rule file holds 'key: value' lines; see rules/README.md")
                parsed.data = None
            self.broken = self.broken or parsed.data is None
            self.files[path] = parsed
            self._check_place(path)

    def _check_place(self, path: str) -> None:
        """Every file must lie where somebody looks for it."""
        parts = PurePosixPath(path).parts
        if path == "sides.yaml" or (len(parts) == 2 and parts[0] in ("actors", "lists")):
            return
        if parts[0] in EFFECTS:
            if len(parts) != 3:
                self.fault(path, 0, f"rules lie in {parts[0]}/FAMILY/NAME.yaml; move the file there")
            elif not re.fullmatch(KEBAB, parts[1]):
                self.fault(path, 0, f"folder '{parts[1]}'; small letters, digits and hyphens: like-this")
            return
        places = ("sides.yaml", "actors", "lists", *EFFECTS)
        self.fault(path, 0, not_one_of("place", parts[0], places))

    def _below(self, *folders: str) -> Iterator[tuple[str, Parsed]]:
        """The readable files in the given top folders."""
        for path, parsed in self.files.items():
            if PurePosixPath(path).parts[0] in folders and parsed.data is not None:
                yield path, parsed

    def _shape(self, entry: _Entry, shape: type[ShapeT], what: str) -> ShapeT | None:
        try:
            return shape.model_validate(entry.data)
        except ValidationError as error:
            for loc, message in faults_of(error, shape, what):
                self.complain(entry, loc, message)
            return None

    # Sides -----------------------------------------------------------------------------------------

    def _sides(self) -> Rulebook | None:
        """A rulebook with nothing but the sides in it."""
        if self.base is not None:
            if "sides.yaml" in self.files:
                self.fault("sides.yaml", 1, "an overlay cannot change the sides; replace the whole rulebook")
            self.side_ids = tuple(info.id for info in self.base.sides)
            self.speakers = self.base.speakers
            return self.base
        parsed = self.files.get("sides.yaml")
        if parsed is None:
            if "sides.yaml" in {PurePosixPath(fault.path).name for fault in self.snapshot.faults}:
                return None
            cure = "is this the folder of the rules?" if not self.files else "say there who is on which side"
            self.fault("", 0, f"no sides.yaml; {cure}")
            return None
        if parsed.data is None:
            return None
        entry = _Entry("sides.yaml", parsed.data, parsed)
        shape = self._shape(entry, SidesShape, "sides.yaml")
        return None if shape is None else self._checked_sides(entry, shape)

    def _checked_sides(self, entry: _Entry, shape: SidesShape) -> Rulebook | None:
        self.side_ids, self.speakers = tuple(shape.sides), tuple(shape.speakers)
        if len(self.side_ids) != 2:
            self.complain(entry, ("sides",), f"{len(self.side_ids)} sides; there must be exactly two")
            return None
        labels = [label.value for label in Label]
        for name, side in shape.sides.items():
            if side.label not in labels:
                self.complain(entry, ("sides", name, "label"), not_one_of("label", side.label, labels))
            if name not in shape.speakers:
                self.complain(entry, ("speakers",), f"side '{name}' is missing among the speakers; add it")
        for key in ("speaker_of_nobody", "speaker_of_others"):
            value = getattr(shape, key)
            if value not in shape.speakers:
                self.complain(entry, (key,), not_one_of(f"'{key}'", value, self.speakers))
        first, second = (SideInfo(name, side.label, side.name) for name, side in shape.sides.items())
        if first.label == second.label:
            self.complain(entry, ("sides",), f"both sides have the label '{first.label}'; give each its own")
        return Rulebook(
            sides=(first, second),
            speakers=self.speakers,
            nobody=shape.speaker_of_nobody,
            others=shape.speaker_of_others,
            codebook=shape.codebook,
            actors=(),
            lists={},
            irregular={},
            rules=(),
            digest="",
        )

    def _check_side(self, entry: _Entry, loc: Loc, value: str | None, *more: str) -> None:
        known = (*self.side_ids, *more)
        if value is not None and self.side_ids and value not in known:
            self.complain(entry, loc, not_one_of(f"'{loc[-1]}'", value, known))

    # Lists -----------------------------------------------------------------------------------------

    def _lists(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        """Word lists by name, and irregular forms by word."""
        lists = dict(self.base.lists) if self.base else {}
        irregular = dict(self.base.irregular) if self.base else {}
        for path, parsed in self.files.items():
            if PurePosixPath(path).parts[0] == "lists" and path != "lists/irregular.yaml":
                # Known even if the file is broken: no second fault where a phrase names it.
                lists[PurePosixPath(path).stem] = ()
        for path, parsed in self._below("lists"):
            entry = _Entry(path, parsed.data, parsed)
            name = PurePosixPath(path).stem
            if path == "lists/irregular.yaml":
                irregular.update(self._irregular(entry))
            elif not re.fullmatch(KEBAB, name):
                self.fault(path, 0, f"list name '{name}'; small letters, digits and hyphens: like-this")
            else:
                lists[name] = self._words(entry)
        return lists, irregular

    def _irregular(self, entry: _Entry) -> dict[str, tuple[str, ...]]:
        shape = self._shape(entry, IrregularShape, "the table of irregular words")
        table: dict[str, tuple[str, ...]] = {}
        for key in ("verbs", "nouns"):
            for word, found in ((shape and getattr(shape, key)) or {}).items():
                for form in (word, *found):
                    if not WORD.fullmatch(form):
                        self.complain(entry, (key, word), f"{form[:60]!r} is not one word; only single words here")
                merged = dict.fromkeys((*table.get(lower(word), ()), *map(lower, found)))
                table[lower(word)] = tuple(merged)
        return table

    def _words(self, entry: _Entry) -> tuple[str, ...]:
        shape = self._shape(entry, ListShape, "a word list")
        words = shape.words if shape else []
        return tuple(w for i, w in enumerate(words) if self._phrase(entry, ("words", i), w, literal=True))

    def _phrase(
        self, entry: _Entry, loc: Loc, phrase: str, *, literal: bool = False
    ) -> tuple[Element, ...] | None:
        """The elements of a phrase in a file, or None after a fault."""
        try:
            elements = self.phrases.parse(phrase, literal=literal)
            keys(elements)
        except UnknownList as error:
            near = suggest(error.name, list(self.phrases.lists))
            cure = near or f"; write lists/{error.name[:60]}.yaml"
            self.complain(entry, loc, f"phrase {_short(phrase)}, {error}{cure}")
        except PhraseError as error:
            self.complain(entry, loc, f"phrase {_short(phrase)}, {error}")
        else:
            return elements
        return None

    # Actors ----------------------------------------------------------------------------------------

    def _actors(self) -> dict[str, Actor]:
        actors = {actor.id: actor for actor in self.base.actors} if self.base else {}
        before = set(actors)
        entries = self._unique(list(self._actor_entries()), "actor")
        mine: dict[str, tuple[_Entry, Actor]] = {}
        for entry in entries:
            if entry.off:
                self._switch_off(entry, actors, tuple(ActorShape.model_fields), "actor")
            else:
                actor = self._actor(entry)
                if actor is not None:
                    mine[actor.id] = entry, actor
        actors.update((name, actor) for name, (_, actor) in mine.items())
        for entry, actor in mine.values():
            self._check_actor_mirror(entry, actor, actors, mine, {e.id for e in entries} | before)
        return actors

    def _actor_entries(self) -> Iterator[_Entry]:
        for path, parsed in self._below("actors"):
            for key in parsed.data:
                if key != "actors":
                    cure = suggest(key, ["actors"]) or "; the one key here is actors"
                    self.fault(path, parsed.line((key,)), f"unknown key '{key[:60]}'{cure}")
            yield from self._items(path, parsed, "actors", {})

    def _items(
        self, path: str, parsed: Parsed, key: str, defaults: Mapping[str, Any]
    ) -> Iterator[_Entry]:
        """The mappings in the list under `key`."""
        items = parsed.data.get(key)
        if not isinstance(items, list) or not items:
            self.fault(path, parsed.line((key,)), f"'{key}' must be a list with at least one entry")
            return
        for index, item in enumerate(items):
            loc: Loc = (key, index)
            if isinstance(item, dict):
                missing = frozenset(defaults) - set(item)
                merged = {**{name: defaults[name] for name in defaults if name in missing}, **item}
                yield _Entry(path, merged, parsed, loc, missing)
            else:
                self.fault(path, parsed.line(loc), f"an entry of '{key}' must hold 'key: value' pairs")

    def _unique(self, entries: list[_Entry], what: str) -> list[_Entry]:
        """Entries whose id was not seen before; a fault for each of the others."""
        seen: dict[str, _Entry] = {}
        for entry in entries:
            if entry.id is None:
                continue
            first = seen.setdefault(entry.id, entry)
            if first is not entry:
                place = f"{self.snapshot.shown(first.path)}:{first.line(('id',))}"
                self.complain(entry, ("id",), f"{what} id '{entry.id}' is taken at {place}; choose another")
        return [entry for entry in entries if entry.id is None or seen[entry.id] is entry]

    def _switch_off(self, entry: _Entry, known: dict[str, Any], allowed: Sequence[str], what: str) -> None:
        """``status: off`` in an overlay."""
        if self.base is None:
            self.complain(entry, ("status",), "'off' is for overlays; delete it here, or set it to trial")
            return
        for key in entry.data:
            if key not in allowed and key != "status":
                self.complain(entry, (key,), f"unknown key '{key[:60]}'{suggest(key, allowed)}")
        if entry.id is None:
            self.complain(entry, ("id",), f"'off' needs the id of the {what} to switch off")
        elif entry.id not in known:
            near = suggest(entry.id, list(known))
            self.complain(entry, ("id",), f"there is no {what} '{entry.id}' to switch off{near}")
        else:
            del known[entry.id]

    def _actor(self, entry: _Entry) -> Actor | None:
        shape = self._shape(entry, ActorShape, "an actor")
        if shape is None:
            return None
        self._check_side(entry, ("side",), shape.side)
        if shape.speaker is not None and self.speakers and shape.speaker not in self.speakers:
            self.complain(entry, ("speaker",), not_one_of("'speaker'", shape.speaker, self.speakers))
        if shape.kind not in KINDS:
            self.complain(entry, ("kind",), not_one_of("'kind'", shape.kind, KINDS))
        for key in ("names", "unless"):
            for index, phrase in enumerate(getattr(shape, key) or ()):
                self._phrase(entry, (key, index), phrase, literal=True)
        if shape.mirror is not None and not _PLAIN_NAME.fullmatch(shape.names[0]):
            message = f"name {_short(shape.names[0])} is written into mirrored texts; put a plain name first"
            self.complain(entry, ("names", 0), message)
        return Actor(
            id=shape.id,
            names=tuple(shape.names),
            side=shape.side,
            speaker=shape.speaker or shape.side,
            kind=shape.kind,
            ally=bool(shape.ally),
            expert=bool(shape.expert),
            mirror=shape.mirror,
            unless=tuple(shape.unless or ()),
            path=entry.path,
            line=entry.line(),
        )

    def _check_actor_mirror(
        self,
        entry: _Entry,
        actor: Actor,
        actors: Mapping[str, Actor],
        mine: Mapping[str, Any],
        known: set[str | None],
    ) -> None:
        if actor.mirror is None:
            return
        loc: Loc = ("mirror",)
        partner = actors.get(actor.mirror)
        if actor.side is None:
            self.complain(entry, loc, "an actor without a side has no mirror partner; leave it out")
        elif partner is None:
            if actor.mirror not in known and not self.broken:
                near = suggest(actor.mirror, list(actors))
                self.complain(entry, loc, f"there is no actor '{actor.mirror}'{near}")
        elif actor.mirror in mine:
            for message in _actor_quarrels(actor, partner):
                self.complain(entry, loc, message)

    # Rules -----------------------------------------------------------------------------------------

    def _rules(self, lists: set[str]) -> dict[str, Rule]:
        rules = {rule.id: rule for rule in self.base.rules} if self.base else {}
        entries = self._unique(list(self._rule_entries()), "rule")
        named = set(rules) | {entry.id for entry in entries if entry.id}
        mine: dict[str, tuple[_Entry, Rule]] = {}
        off: set[str] = set()
        for entry in entries:
            if entry.off:
                self._switch_off(entry, rules, RULE_KEYS, "rule")
                off |= {entry.id} if entry.id else set()
            else:
                rule = self._rule(entry, lists)
                if rule is not None:
                    mine[rule.id] = entry, rule
        rules.update((name, rule) for name, (_, rule) in mine.items())
        for name, rule in rules.items():
            if rule.mirror_partner in off:
                reason = f"its partner {rule.mirror_partner} is switched off"
                rules[name] = replace(rule, mirror_partner=None, mirror_none=reason)
        for entry, rule in mine.values():
            self._check_rule_mirror(entry, rule, rules, mine, named)
        return rules

    def _rule_entries(self) -> Iterator[_Entry]:
        for path, parsed in self._below(*EFFECTS):
            if "rules" not in parsed.data and "defaults" not in parsed.data:
                entry = _Entry(path, parsed.data, parsed)
                if entry.id is not None and entry.id != PurePosixPath(path).stem:
                    message = f"id '{entry.id}' in a file of another name; rename it to {entry.id}.yaml"
                    self.complain(entry, ("id",), message)
                yield entry
            else:
                yield from self._collection(path, parsed)

    def _collection(self, path: str, parsed: Parsed) -> Iterator[_Entry]:
        """The entries of a file with ``defaults:`` and ``rules:``."""
        for key in parsed.data:
            if key not in ("defaults", "rules"):
                cure = suggest(key, ["defaults", "rules"]) or "; beside 'rules' only 'defaults' may stand"
                self.fault(path, parsed.line((key,)), f"unknown key '{key[:60]}'{cure}")
        defaults = parsed.data.get("defaults", {})
        if not isinstance(defaults, dict):
            self.fault(path, parsed.line(("defaults",)), "'defaults' must hold 'key: value' pairs")
            defaults = {}
        if "id" in defaults:
            self.fault(path, parsed.line(("defaults", "id")), "an id among the defaults; each rule has its own")
        yield from self._items(path, parsed, "rules", {k: v for k, v in defaults.items() if k != "id"})

    def _rule(self, entry: _Entry, lists: set[str]) -> Rule | None:
        kind, effect = entry.data.get("kind"), entry.data.get("effect")
        for key, value, known in (("kind", kind, ("lexical", "dependency")), ("effect", effect, EFFECTS)):
            if key not in entry.data:
                self.complain(entry, (key,), f"a rule needs '{key}': {' or '.join(known)}")
            elif value not in known:
                self.complain(entry, (key,), not_one_of(f"'{key}'", value, known))
        shape_class = RULE_SHAPES.get((kind, effect)) if isinstance(kind, str) and isinstance(effect, str) else None
        if shape_class is None:
            return None
        folder = PurePosixPath(entry.path).parts[0]
        if effect != folder:
            self.complain(entry, ("effect",), f"effect '{effect}' in the folder {folder}; move it to {effect}/")
        shape = self._shape(entry, shape_class, f"a {kind} {effect} rule")
        return None if shape is None else self._checked_rule(entry, shape, lists)

    def _checked_rule(self, entry: _Entry, shape: AnyRule, lists: set[str]) -> Rule:
        """The value of a rule whose shape is right; what is wrong beyond the shape is complained about."""
        side = getattr(shape, "side", None)
        self._check_side(entry, ("side",), side, *VARIABLES)
        mirror = shape.mirror
        rule = Rule(
            id=shape.id,
            kind=shape.kind,
            effect=shape.effect,
            status=shape.status,
            because=shape.because,
            rationale=shape.rationale,
            sources=tuple(shape.sources or ()),
            side=side,
            test=getattr(shape, "test", None),
            strength=getattr(shape, "strength", None),
            cue=getattr(shape, "cue", None),
            voice=getattr(shape, "voice", None),
            covers=getattr(shape, "covers", None),
            speaker=getattr(shape, "speaker", None),
            cancels=tuple(getattr(shape, "cancels", ())),
            reason=getattr(shape, "reason", None),
            scope=getattr(shape, "scope", None),
            mirror_partner=mirror.partner if mirror else None,
            mirror_none=mirror.none if mirror else None,
            examples=self._examples(entry, shape),
            family=PurePosixPath(entry.path).parts[1],
            path=entry.path,
            line=entry.line(),
        )
        self._check_variables(entry, rule)
        if isinstance(shape, LexicalShape):
            self._check_phrases(entry, shape, rule)
            return replace(rule, phrases=tuple(shape.phrases), unless_phrases=tuple(shape.unless or ()))
        trees = _Trees(self, entry, lists)
        return trees.complete(rule, shape)

    def _check_variables(self, entry: _Entry, rule: Rule) -> None:
        """A fixed side needs a word on its mirror; a variable one is its own mirror."""
        if rule.effect != "frame":
            return
        paired = rule.mirror_partner is not None or rule.mirror_none is not None
        if rule.side in VARIABLES and paired:
            self.complain(entry, ("mirror",), f"a rule over {rule.side} is its own mirror; leave 'mirror' out")
        if rule.side not in VARIABLES and not paired:
            cure = "add mirror: {partner: RULE-ID} or mirror: {none: \"reason\"}"
            self.complain(entry, ("side",), f"a rule of a fixed side needs 'mirror'; {cure}")

    def _check_phrases(self, entry: _Entry, shape: LexicalShape, rule: Rule) -> None:
        for key in ("phrases", "unless"):
            for index, phrase in enumerate(getattr(shape, key) or ()):
                loc: Loc = (key, index)
                elements = self._phrase(entry, loc, phrase)
                if elements is not None:
                    self._check_slots(entry, loc, elements, rule, bound=key == "phrases")

    def _check_slots(
        self, entry: _Entry, loc: Loc, elements: Sequence[Element], rule: Rule, *, bound: bool
    ) -> None:
        """Sides and kinds of actor slots, and that a rule over X finds its X in each phrase."""
        slots = list(_slots(elements))
        for slot in slots:
            if self.side_ids and slot.side not in (*SLOT_SIDES, *self.side_ids):
                self.complain(entry, loc, not_one_of("actor", slot.side, (*SLOT_SIDES, *self.side_ids)))
            for kind in sorted(slot.kinds - set(KINDS)):
                self.complain(entry, loc, not_one_of("kind of actor", kind, (*KINDS, "ally")))
        if rule.effect != "frame":
            return
        if rule.side in VARIABLES and bound and not _binds(elements):
            self.complain(entry, loc, f"side '{rule.side}' needs {{X}} or {{Y}} in every phrase; add it here")
        if rule.side not in VARIABLES and any(slot.side in ("X", "Y") for slot in slots):
            self.complain(entry, loc, "{X} in a rule of a fixed side; write {any} or the side's id")

    def _examples(self, entry: _Entry, shape: AnyRule) -> tuple[Example, ...]:
        found: list[Example] = []
        for index, fires in enumerate(shape.examples.fires):
            loc: Loc = ("examples", "fires", index)
            text, marks, wrong = strip_marks(fires.text)
            if wrong is None and not marks:
                wrong = "put the words that must be found in [brackets]"
            if wrong is not None:
                self.complain(entry, loc, f"example {_short(fires.text)}: {wrong}")
            self._check_example(entry, loc, shape, fires.side, fires.voice)
            line = entry.line(loc)
            found.append(Example(text, marks, fires.side, fires.voice, fires.speaker, fires.xfail, True, line))
        for index, silent in enumerate(shape.examples.silent):
            loc = ("examples", "silent", index)
            text, marks, wrong = strip_marks(silent.text)
            if wrong is None and marks:
                wrong = r"brackets in a silent example; write \[ and \] if they belong to the text"
            if wrong is not None:
                self.complain(entry, loc, f"example {_short(silent.text)}: {wrong}")
            found.append(Example(text, xfail=silent.xfail, fires=False, line=entry.line(loc)))
        for fires_too, word in ((True, "fires"), (False, "silent")):
            if all(example.xfail for example in found if example.fires is fires_too):
                message = f"a rule needs at least one '{word}' example without xfail"
                self.complain(entry, ("examples", word), message)
        return tuple(found)

    def _check_example(
        self, entry: _Entry, loc: Loc, shape: AnyRule, side: str | None, voice: str | None
    ) -> None:
        if shape.effect != "frame":
            self._check_side(entry, (*loc, "side"), side, *self.speakers)
            return
        for key, value in (("side", side), ("voice", voice)):
            if value is None:
                self.complain(entry, loc, f"an example of a frame rule needs '{key}'")
        self._check_side(entry, (*loc, "side"), side)
        if shape.side in self.side_ids and side in self.side_ids and side != shape.side:
            message = f"'side' {side} in an example of a rule of side {shape.side}; write {shape.side}"
            self.complain(entry, (*loc, "side"), message)

    def _check_rule_mirror(
        self,
        entry: _Entry,
        rule: Rule,
        rules: Mapping[str, Rule],
        mine: Mapping[str, Any],
        named: set[str],
    ) -> None:
        """The partner exists; within one folder it also points back and equals this rule."""
        if rule.mirror_partner is None:
            return
        loc: Loc = ("mirror", "partner")
        partner = rules.get(rule.mirror_partner)
        if partner is None:
            if rule.mirror_partner not in named and not self.broken:
                near = suggest(rule.mirror_partner, list(rules))
                self.complain(entry, loc, f"there is no rule '{rule.mirror_partner}'{near}")
        elif partner.id in mine:
            for message in rule_quarrels(rule, partner):
                self.complain(entry, loc, message)


def rule_quarrels(rule: Rule, partner: Rule) -> Iterator[str]:
    """What keeps two rules from being mirror partners of equal strength."""
    if partner is rule:
        yield "a rule cannot be its own partner; write {none: \"reason\"} or bind the side as X"
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


def _actor_quarrels(actor: Actor, partner: Actor) -> Iterator[str]:
    if partner.mirror != actor.id:
        yield f"'{partner.id}' does not name '{actor.id}' as its mirror; add it there"
    if partner.side == actor.side:
        yield f"'{partner.id}' is of the same side {actor.side}; a mirror is of the other side"
    for key in ("kind", "ally"):
        mine, theirs = getattr(actor, key), getattr(partner, key)
        if mine != theirs:
            yield f"'{partner.id}' has {key} {str(theirs).lower()}, this one {str(mine).lower()}; make them equal"


class _Trees:
    """The tree patterns of one rule."""

    def __init__(self, builder: _Builder, entry: _Entry, lists: set[str]) -> None:
        self.builder = builder
        self.entry = entry
        self.lists = lists

    def complain(self, loc: Loc, message: str) -> None:
        self.builder.complain(self.entry, loc, message)

    def complete(self, rule: Rule, shape: DependencyShape) -> Rule:
        """`rule` with its trees and what refers to their nodes."""
        trees = tuple(self._tree(("trees", i), tree, rule) for i, tree in enumerate(shape.trees))
        names = [tuple(node.name for node in tree) for tree in trees]
        anywhere = tuple(dict.fromkeys(name for tree in names for name in tree))
        unless = []
        for index, node in enumerate(shape.unless or ()):
            loc: Loc = ("unless", index)
            unless.append(self._node(loc, f"unless-{index + 1}", node, anywhere))
            self._check_parent(loc, node, anchor=False)
        for index, name in enumerate(shape.marks or ()):
            self._check_name(("marks", index), name, anywhere)
        if isinstance(shape, DependencyVoice) and shape.speaker is not None:
            self._check_name(("speaker",), shape.speaker, anywhere)
        for key in ("covers", "scope"):
            for name_of_tree in names if getattr(rule, key) else ():
                self._check_name((key,), getattr(rule, key), name_of_tree)
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
        fixed = rule.effect == "frame" and rule.side not in VARIABLES
        for node in nodes:
            if fixed and node.side in VARIABLES:
                self.complain((*loc, node.name, "side"), "X in a rule of a fixed side; write the side's id")
        return tuple(nodes)

    def _node(self, loc: Loc, name: str, shape: NodeShape, earlier: tuple[str, ...]) -> Node:
        parents = [(way, getattr(shape, way)) for way in ("under", "within", "above") if getattr(shape, way)]
        for key in ("under", "within", "above", "before", "after"):
            if getattr(shape, key):
                self._check_name((*loc, key), getattr(shape, key), earlier)
        self.builder._check_side(self.entry, (*loc, "side"), shape.side, *VARIABLES)
        if shape.list is not None and shape.list not in self.lists:
            cure = suggest(shape.list, sorted(self.lists)) or f"; write lists/{shape.list[:60]}.yaml"
            self.complain((*loc, "list"), f"unknown list '{shape.list[:60]}'{cure}")
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
            there = f"; the nodes before it are {', '.join(known)}" if known else "; it must come after that node"
            self.complain(loc, f"there is no node '{name}' here{near or there}")

    def _split(self, loc: Loc, value: str | None, check: Callable[[str], str | None]) -> tuple[str, ...]:
        """``a|b`` to its parts; `check` gives what is wrong with one."""
        parts = [part.strip() for part in value.split("|")] if value else []
        for part in parts:
            wrong = check(part) if part else f"{_short(value or '')} has an empty part; leave out the '|'"
            if wrong is not None:
                self.complain(loc, wrong)
        lowered = loc[-1] in ("lemma", "form")
        return tuple(lower(part) if lowered else part for part in parts)

    def _word(self, part: str) -> str | None:
        return None if WORD.fullmatch(part) else f"{_short(part)} is not one word; a node is one word of the text"

    def _form(self, part: str) -> str | None:
        return f"{_short(part)} is not one word; a node is one word of the text" if " " in part else None

    def _feats(self, loc: Loc, feats: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        for key, value in feats.items():
            if key not in FEATS:
                self.complain((*loc, key), not_one_of("attribute", key, FEATS))
            elif not _FEAT_VALUE.fullmatch(value):
                self.complain((*loc, key), f"{_short(value)} is no value of {key}; values look like Neg or Past")
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


def _short(text: str) -> str:
    return repr(text if len(text) <= 60 else text[:57] + "...")


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
