"""Rule files to a `Rulebook`: every file is read, every fault is collected, then all or nothing.

`build` takes the bytes of a folder; with `base` the folder is an overlay on a valid rulebook. Syntax is
checked in `stance.ruleyaml`, shape in `stance.ruleshapes`; here is what one file says about another.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath
from typing import Any, Final

from stance.labels import EFFECTS, Label
from stance.phrases import WORD, PhraseParser, lower
from stance.rulebook import (
    KINDS,
    Actor,
    Rule,
    Rulebook,
    RulebookError,
    SideInfo,
    Snapshot,
    combined,
    suggest,
)
from stance.ruleread import Context, Entry, RuleReader, rule_quarrels
from stance.ruleshapes import (
    KEBAB,
    RULE_KEYS,
    ActorShape,
    IrregularShape,
    ListShape,
    SidesShape,
    not_one_of,
    short,
)
from stance.ruleyaml import Loc, Parsed, parse_yaml

# What is written into a mirrored text: words, hyphens, apostrophes, stops.
_PLAIN_NAME: Final = re.compile(r"=?[^\W_][\w .'’-]*")


def build(snapshot: Snapshot, *, base: Rulebook | None = None) -> Rulebook:
    """The rulebook of a folder, or `base` with the folder as an overlay; `RulebookError` on any fault."""
    return _Builder(snapshot, base).build()


class _Builder:
    """Gathers values and faults of one folder; used once."""

    def __init__(self, snapshot: Snapshot, base: Rulebook | None) -> None:
        self.snapshot = snapshot
        self.base = base
        self.context = Context(snapshot, dict.fromkeys(snapshot.faults))
        self.fault = self.context.fault
        self.complain = self.context.complain
        self.files: dict[str, Parsed] = {}
        # Some file could not be read: what it would have defined is not missed elsewhere.
        self.broken = bool(snapshot.faults)

    def build(self) -> Rulebook:
        self._parse_files()
        sides = self._sides()
        lists, irregular = self._lists()
        self.context.phrases = PhraseParser(lists, irregular)
        actors = self._actors()
        rules = self._rules()
        if self.context.faults or sides is None:
            raise RulebookError(tuple(self.context.faults))
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
                self.fault(path, 0, f"folder {short(parts[1])}; small letters, digits and hyphens: like-this")
            return
        places = ("sides.yaml", "actors", "lists", *EFFECTS)
        self.fault(path, 0, not_one_of("place", parts[0], places))

    def _below(self, *folders: str) -> Iterator[tuple[str, Parsed]]:
        """The readable files in the given top folders."""
        for path, parsed in self.files.items():
            if path.partition("/")[0] in folders and parsed.data is not None:
                yield path, parsed

    # Sides -----------------------------------------------------------------------------------------

    def _sides(self) -> Rulebook | None:
        """A rulebook with nothing but the sides in it."""
        if self.base is not None:
            if "sides.yaml" in self.files:
                self.fault("sides.yaml", 1, "an overlay cannot change the sides; replace the whole rulebook")
            self.context.side_ids = tuple(info.id for info in self.base.sides)
            self.context.speakers = self.base.speakers
            return self.base
        parsed = self.files.get("sides.yaml")
        if parsed is None:
            if self.broken:
                return None
            cure = "is this the folder of the rules?" if not self.files else "say there who is on which side"
            self.fault("", 0, f"no sides.yaml; {cure}")
            return None
        if parsed.data is None:
            return None
        entry = Entry("sides.yaml", parsed.data, parsed)
        shape, whole = self.context.shape(entry, SidesShape, "sides.yaml")
        return self._checked_sides(entry, shape) if whole else None

    def _checked_sides(self, entry: Entry, shape: SidesShape) -> Rulebook | None:
        self.context.side_ids, self.context.speakers = tuple(shape.sides), tuple(shape.speakers)
        if len(self.context.side_ids) != 2:
            self.complain(entry, ("sides",), f"{len(self.context.side_ids)} sides; there must be exactly two")
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
                self.complain(entry, (key,), not_one_of(f"'{key}'", value, self.context.speakers))
        first, second = (SideInfo(name, side.label, side.name) for name, side in shape.sides.items())
        if first.label == second.label:
            self.complain(entry, ("sides",), f"both sides have the label '{first.label}'; give each its own")
        return Rulebook(
            sides=(first, second),
            speakers=self.context.speakers,
            nobody=shape.speaker_of_nobody,
            others=shape.speaker_of_others,
            codebook=shape.codebook,
            actors=(),
            lists={},
            irregular={},
            rules=(),
            digest="",
        )

    # Lists -----------------------------------------------------------------------------------------

    def _lists(self) -> tuple[dict[str, tuple[str, ...]], dict[str, tuple[str, ...]]]:
        """Word lists by name, and irregular forms by word."""
        lists = dict(self.base.lists) if self.base else {}
        irregular = dict(self.base.irregular) if self.base else {}
        for path in self.files:
            if path.startswith("lists/") and path != "lists/irregular.yaml":
                # Known even if the file is broken: no second fault where a phrase names it.
                lists[PurePosixPath(path).stem] = ()
        for path, parsed in self._below("lists"):
            entry = Entry(path, parsed.data, parsed)
            name = PurePosixPath(path).stem
            if path == "lists/irregular.yaml":
                irregular.update(self._irregular(entry))
            elif not re.fullmatch(KEBAB, name):
                self.fault(path, 0, f"list name {short(name)}; small letters, digits and hyphens: like-this")
            else:
                lists[name] = self._words(entry)
        return lists, irregular

    def _irregular(self, entry: Entry) -> dict[str, tuple[str, ...]]:
        shape, _ = self.context.shape(entry, IrregularShape, "the table of irregular words")
        table: dict[str, tuple[str, ...]] = {}
        for key in ("verbs", "nouns"):
            for word, found in (getattr(shape, key) or {}).items():
                for form in (word, *found):
                    if not WORD.fullmatch(form):
                        self.complain(entry, (key, word), f"{short(form)} is not one word; write one")
                merged = dict.fromkeys((*table.get(lower(word), ()), *map(lower, found)))
                table[lower(word)] = tuple(merged)
        return table

    def _words(self, entry: Entry) -> tuple[str, ...]:
        shape, _ = self.context.shape(entry, ListShape, "a word list")
        words = enumerate(getattr(shape, "words", ()))
        return tuple(w for i, w in words if self.context.phrase(entry, ("words", i), w, literal=True))

    # Actors ----------------------------------------------------------------------------------------

    def _actors(self) -> dict[str, Actor]:
        actors = {actor.id: actor for actor in self.base.actors} if self.base else {}
        entries = self._unique(list(self._actor_entries()), "actor")
        named = set(actors) | {entry.id for entry in entries if entry.id}
        mine: dict[str, tuple[Entry, Actor]] = {}
        for entry in self._worth_reading(entries):
            if entry.off:
                self._switch_off(entry, actors, tuple(ActorShape.model_fields), "actor")
            else:
                actor = self._actor(entry)
                if actor is not None:
                    mine[actor.id] = entry, actor
        actors.update((name, actor) for name, (_, actor) in mine.items())
        for entry, actor in mine.values():
            self._check_actor_mirror(entry, actor, actors, mine, named)
        return actors

    def _actor_entries(self) -> Iterator[Entry]:
        for path, parsed in self._below("actors"):
            for key in parsed.data:
                if key != "actors":
                    cure = suggest(key, ["actors"]) or "; the one key here is actors"
                    self.fault(path, parsed.line((key,)), f"unknown key {short(key)}{cure}")
            yield from self._items(path, parsed, "actors", {})

    def _items(self, path: str, parsed: Parsed, key: str, defaults: Mapping[str, Any]) -> Iterator[Entry]:
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
                yield Entry(path, merged, parsed, loc, missing)
            else:
                self.fault(path, parsed.line(loc), f"an entry of '{key}' must hold 'key: value' pairs")

    def _unique(self, entries: list[Entry], what: str) -> list[Entry]:
        """Entries whose id was not seen before; a fault for each of the others."""
        seen: dict[str, Entry] = {}
        for entry in entries:
            if entry.id is None:
                continue
            first = seen.setdefault(entry.id, entry)
            if first is not entry:
                place = f"{self.snapshot.shown(first.path)}:{first.line(('id',))}"
                self.complain(entry, ("id",), f"{what} id '{entry.id}' is taken at {place}; choose another")
        return [entry for entry in entries if entry.id is None or seen[entry.id] is entry]

    def _worth_reading(self, entries: Iterable[Entry]) -> Iterator[Entry]:
        """Entries of files that are not yet full of faults."""
        return (entry for entry in entries if not self.context.full(entry.path))

    def _switch_off(self, entry: Entry, known: dict[str, Any], allowed: Sequence[str], what: str) -> None:
        """``status: off`` in an overlay."""
        if self.base is None:
            self.complain(entry, ("status",), "'off' is for overlays; delete it here, or set it to trial")
            return
        for key in entry.data:
            if key not in allowed and key != "status":
                self.complain(entry, (key,), f"unknown key {short(key)}{suggest(key, allowed)}")
        if entry.id is None:
            self.complain(entry, ("id",), f"'off' needs the id of the {what} to switch off")
        elif entry.id not in known:
            near = suggest(entry.id, known)
            self.complain(entry, ("id",), f"there is no {what} '{entry.id}' to switch off{near}")
        else:
            del known[entry.id]

    def _actor(self, entry: Entry) -> Actor | None:
        shape, whole = self.context.shape(entry, ActorShape, "an actor")
        names, kind = tuple(getattr(shape, "names", ())), getattr(shape, "kind", None)
        self.context.check_side(entry, ("side",), shape.side)
        speakers = self.context.speakers
        if shape.speaker is not None and speakers and shape.speaker not in speakers:
            self.complain(entry, ("speaker",), not_one_of("'speaker'", shape.speaker, speakers))
        if kind is not None and kind not in KINDS:
            self.complain(entry, ("kind",), not_one_of("'kind'", kind, KINDS))
        for key, phrases in (("names", names), ("unless", shape.unless or ())):
            for index, phrase in enumerate(phrases):
                self.context.phrase(entry, (key, index), phrase, literal=True)
        if shape.mirror is not None and names and not _PLAIN_NAME.fullmatch(names[0]):
            message = f"name {short(names[0])} is written into mirrored texts; put a plain name first"
            self.complain(entry, ("names", 0), message)
        if not whole:
            return None
        return Actor(
            id=shape.id,
            names=names,
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
        entry: Entry,
        actor: Actor,
        actors: Mapping[str, Actor],
        mine: Mapping[str, Any],
        named: set[str],
    ) -> None:
        """The partner exists; within one folder it is the same kind of form, and points back or is shared."""
        if actor.mirror is None or self.context.full(entry.path):
            return
        loc: Loc = ("mirror",)
        partner = actors.get(actor.mirror)
        if actor.side is None:
            self.complain(entry, loc, "an actor without a side has no mirror partner; leave it out")
        elif partner is None:
            if actor.mirror not in named and not self.broken:
                near = suggest(actor.mirror, actors)
                self.complain(entry, loc, f"there is no actor '{actor.mirror}'{near}")
        elif actor.mirror in mine:
            for message in _actor_quarrels(actor, partner):
                self.complain(entry, loc, message)

    # Rules -----------------------------------------------------------------------------------------

    def _rules(self) -> dict[str, Rule]:
        rules = {rule.id: rule for rule in self.base.rules} if self.base else {}
        reader = RuleReader(self.context)
        entries = self._unique(list(self._rule_entries()), "rule")
        named = set(rules) | {entry.id for entry in entries if entry.id}
        mine: dict[str, tuple[Entry, Rule]] = {}
        off: set[str] = set()
        for entry in self._worth_reading(entries):
            if entry.off:
                self._switch_off(entry, rules, RULE_KEYS, "rule")
                off |= {entry.id} if entry.id else set()
            else:
                rule = reader.read(entry)
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

    def _rule_entries(self) -> Iterator[Entry]:
        for path, parsed in self._below(*EFFECTS):
            if "rules" not in parsed.data and "defaults" not in parsed.data:
                entry = Entry(path, parsed.data, parsed)
                if entry.id is not None and entry.id != PurePosixPath(path).stem:
                    message = f"id '{entry.id}' in a file of another name; rename it to {entry.id}.yaml"
                    self.complain(entry, ("id",), message)
                yield entry
            else:
                yield from self._collection(path, parsed)

    def _collection(self, path: str, parsed: Parsed) -> Iterator[Entry]:
        """The entries of a file with ``defaults:`` and ``rules:``."""
        for key in parsed.data:
            if key not in ("defaults", "rules"):
                cure = suggest(key, ["defaults", "rules"]) or "; beside 'rules' only 'defaults' may stand"
                self.fault(path, parsed.line((key,)), f"unknown key {short(key)}{cure}")
        defaults = parsed.data.get("defaults", {})
        if not isinstance(defaults, dict):
            self.fault(path, parsed.line(("defaults",)), "'defaults' must hold 'key: value' pairs")
            defaults = {}
        if "id" in defaults:
            line = parsed.line(("defaults", "id"))
            self.fault(path, line, "an id among the defaults; each rule has its own")
        yield from self._items(path, parsed, "rules", {k: v for k, v in defaults.items() if k != "id"})

    def _check_rule_mirror(
        self,
        entry: Entry,
        rule: Rule,
        rules: Mapping[str, Rule],
        mine: Mapping[str, Any],
        named: set[str],
    ) -> None:
        """The partner exists; within one folder it also points back and equals this rule."""
        if rule.mirror_partner is None or self.context.full(entry.path):
            return
        loc: Loc = ("mirror", "partner")
        partner = rules.get(rule.mirror_partner)
        if partner is None:
            if rule.mirror_partner not in named and not self.broken:
                near = suggest(rule.mirror_partner, rules)
                self.complain(entry, loc, f"there is no rule '{rule.mirror_partner}'{near}")
        elif partner.id in mine:
            for message in rule_quarrels(rule, partner):
                self.complain(entry, loc, message)


def _actor_quarrels(actor: Actor, partner: Actor) -> Iterator[str]:
    shared = actor.ally and partner.ally and partner.mirror is not None  # one camp has more allies
    if partner.mirror != actor.id and not shared:
        yield f"'{partner.id}' does not name '{actor.id}' as its mirror; add it there"
    if partner.side == actor.side:
        yield f"'{partner.id}' is of the same side {actor.side}; a mirror is of the other side"
    for key in ("kind", "ally"):
        mine, theirs = getattr(actor, key), getattr(partner, key)
        if mine != theirs:
            both = f"{str(theirs).lower()}, this one {str(mine).lower()}"
            yield f"'{partner.id}' has {key} {both}; make them equal"
