"""The rulebook as frozen values, and `load`, which reads it from a folder of YAML files.

A folder is taken whole or not at all: `RulebookError` holds every fault of every file. What was
validated once is cached as JSON under a digest of its bytes, so that the usual load needs neither
PyYAML nor pydantic. ``python -m stance.rulebook [DIR]`` prints faults and lints.
"""

from __future__ import annotations

import hashlib
import os
import stat
import sys
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from functools import lru_cache
from itertools import islice
from pathlib import Path
from types import MappingProxyType
from typing import Any, Final

from stance import cache as cache_folder
from stance.errors import StanceError
from stance.resources import default_rules

MAX_FILES: Final = 5_000
MAX_BYTES: Final = 1_000_000
MAX_SUGGESTED: Final = 60
KINDS: Final = (
    "country",
    "demonym",
    "people",
    "capital",
    "leader",
    "official",
    "institution",
    "force",
    "outlet",
    "party",
    "alliance",
    "place",
    "org",
    "symbol",
    "role",
)
# Raise it when a value below gains, loses or changes a field: older cache files are then left alone.
CACHE_SCHEMA: Final = 1


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """Something wrong in a rule file. `line` counts from 1; 0 means the file or folder as a whole."""

    path: str
    line: int
    message: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.message}" if self.line else f"{self.path}: {self.message}"


class RulebookError(StanceError):
    """A rulebook that cannot be used; `faults` are all of them, in order of path and line."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        self.faults = tuple(sorted(set(faults)))
        super().__init__("\n".join(map(str, self.faults)))


@dataclass(frozen=True, slots=True)
class SideInfo:
    """One of the two sides: its id in rules, its label in records, its name for people."""

    id: str
    label: str
    name: str


@dataclass(frozen=True, slots=True)
class Actor:
    """Somebody or something on a side: one class of forms, so that a text can be mirrored form by form.

    `side` is the camp for frames, `speaker` the side as a speaker. `ally`: on the camp's side, but not
    the party itself. `expert`: the own view of such a speaker is an opinion. `names` and `unless` are
    phrases; the first name is the one written when a text is mirrored.
    """

    id: str
    names: tuple[str, ...]
    side: str | None = None
    speaker: str | None = None
    kind: str = "org"
    ally: bool = False
    expert: bool = False
    mirror: str | None = None
    unless: tuple[str, ...] = ()
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Node:
    """One node of a tree pattern. Empty tuples, None and False mean: no such condition.

    `relation` and `parent` describe the way to the rest of the tree: ``parent`` is ("under" | "within" |
    "above", name of an earlier node). A relation that starts with ``=`` does not match its subtypes.
    """

    name: str
    lemma: tuple[str, ...] = ()
    form: tuple[str, ...] = ()
    list: str | None = None
    upos: tuple[str, ...] = ()
    relation: tuple[str, ...] = ()
    parent: tuple[str, str] | None = None
    side: str | None = None
    party: bool = False
    actor: tuple[str, ...] = ()
    feats: tuple[tuple[str, str], ...] = ()
    optional: bool = False
    before: str | None = None
    after: str | None = None


@dataclass(frozen=True, slots=True)
class Example:
    """A sentence on which a rule must fire or stay silent.

    `text` is without brackets; `marks` are the bracketed stretches as offsets in it. `xfail` says why
    the rule is known to get this one wrong.
    """

    text: str
    marks: tuple[tuple[int, int], ...] = ()
    side: str | None = None
    voice: str | None = None
    speaker: str | None = None
    xfail: str | None = None
    fires: bool = True
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. Which fields are set depends on `kind` and `effect`; see ``rules/README.md``.

    `path` is relative to the folder that the rule comes from: the rules, or the overlay on them.
    """

    id: str
    kind: str
    effect: str
    status: str = "active"
    because: str = ""
    rationale: str | None = None
    sources: tuple[str, ...] = ()
    side: str | None = None
    test: str | None = None
    strength: str | None = None
    cue: str | None = None
    voice: str | None = None
    covers: str | None = None
    speaker: str | None = None
    cancels: tuple[str, ...] = ()
    reason: str | None = None
    scope: str | None = None
    phrases: tuple[str, ...] = ()
    trees: tuple[tuple[Node, ...], ...] = ()
    unless_phrases: tuple[str, ...] = ()
    unless_nodes: tuple[Node, ...] = ()
    marks: tuple[str, ...] = ()
    mirror_partner: str | None = None
    mirror_none: str | None = None
    examples: tuple[Example, ...] = ()
    family: str = ""
    path: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True)
class Rulebook:
    """Everything the rule folder says. Rules and actors are sorted by id.

    `nobody` and `others` are the speaker sides of speakers who are not named and of speakers who are
    on no list. `digest` names the content, wherever it lies.
    """

    sides: tuple[SideInfo, SideInfo]
    speakers: tuple[str, ...]
    nobody: str
    others: str
    codebook: str
    actors: tuple[Actor, ...]
    lists: Mapping[str, tuple[str, ...]]
    irregular: Mapping[str, tuple[str, ...]]
    rules: tuple[Rule, ...]
    digest: str

    def __post_init__(self) -> None:
        for name in ("lists", "irregular"):
            object.__setattr__(self, name, MappingProxyType(dict(getattr(self, name))))

    def __hash__(self) -> int:
        return hash(self.digest)

    def __reduce__(self) -> tuple[Any, ...]:
        values = [getattr(self, field.name) for field in fields(self)]
        plain = [dict(value) if isinstance(value, MappingProxyType) else value for value in values]
        return Rulebook, tuple(plain)

    def other(self, side: str) -> str:
        """The opposite side; a `StanceError` if there is no such side."""
        first, second = (info.id for info in self.sides)
        if side not in (first, second):
            raise StanceError(f"side {side!r} is not one of {first}, {second}")
        return second if side == first else first

    def rule(self, name: str) -> Rule:
        """The rule with this id; a `StanceError` with the nearest id if there is none."""
        index = bisect_left(self.rules, name, key=lambda rule: rule.id)
        if index < len(self.rules) and self.rules[index].id == name:
            return self.rules[index]
        raise StanceError(f"there is no rule {name!r}{suggest(name, [rule.id for rule in self.rules])}")

    def active(self) -> tuple[Rule, ...]:
        """The rules that count: all that are not on trial."""
        return tuple(rule for rule in self.rules if rule.status == "active")

    def with_overlay(self, folder: Path) -> Rulebook:
        """This rulebook, changed by the folder; raises `RulebookError` on any fault in it."""
        from stance.rulefiles import build

        return build(read_folder(folder), base=self)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The YAML files of a folder as they were read: relative POSIX path -> bytes, sorted by path."""

    root: Path
    files: Mapping[str, bytes]
    faults: tuple[Fault, ...] = ()

    @property
    def digest(self) -> str:
        """16 hex digits over paths and contents; line ends do not matter."""
        state = hashlib.sha256()
        for path, data in self.files.items():
            content = data.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
            name = path.encode("utf-8", "surrogateescape")
            state.update(b"%d %s %d\n" % (len(name), name, len(content)))
            state.update(content)
        return state.hexdigest()[:16]

    def shown(self, path: str) -> str:
        """A path of this folder as messages print it: relative to where the user stands, if below."""
        whole = str(self.root / path) if path else str(self.root)
        here = os.getcwd() + os.sep
        near = whole[len(here) :] if whole.startswith(here) else whole
        return near if near.isprintable() else near.encode("unicode_escape").decode()


def load(path: Path | None = None, *, overlay: Path | None = None, cache: bool = True) -> Rulebook:
    """The rulebook in `path` (default: the shipped one), changed by `overlay`.

    Raises `RulebookError` with all faults of all files. With `cache` a validated rulebook is kept in the
    user's cache folder and read back from there as long as no byte of the files changes.
    """
    base = read_folder(default_rules() if path is None else Path(path))
    changes = None if overlay is None else read_folder(Path(overlay))
    digest = base.digest if changes is None else combined(base.digest, changes.digest)
    usable = cache and not base.faults and not (changes and changes.faults)
    place = _cache_path(digest) if usable else None
    known = None if place is None else cache_folder.read(place, _decode)
    if known is not None:
        return known
    from stance.rulefiles import build

    rulebook = build(base)
    if changes is not None:
        rulebook = build(changes, base=rulebook)
    if place is not None:
        cache_folder.write(place, _encode(rulebook))
    return rulebook


def combined(base: str, overlay: str) -> str:
    """The digest of a rulebook with an overlay."""
    return hashlib.sha256(f"{base}+{overlay}".encode()).hexdigest()[:16]


def suggest(word: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the nearest known word, or nothing."""
    if len(word) > MAX_SUGGESTED:
        return ""
    # Of very many words only some that start alike are compared: this must not take long.
    if not isinstance(known, (tuple, list)) or len(known) > 200:
        known = islice((other for other in known if other[:2] == word[:2]), 200)
    near = _nearest(word, tuple(known))
    return f"; did you mean '{near}'?" if near else ""


@lru_cache(maxsize=64)
def _nearest(word: str, known: tuple[str, ...]) -> str | None:
    import difflib

    near = difflib.get_close_matches(word, known, n=1, cutoff=0.6)
    return near[0] if near else None


def read_folder(root: Path) -> Snapshot:
    """All YAML files below `root`, within the limits on number and size; faults are collected."""
    if not root.is_dir():
        return Snapshot(root, {}, (Fault(str(root), 0, "no such folder; give the folder of the rule files"),))
    found = Snapshot(root, {})
    paths = sorted(_yaml_files(str(root)))
    if len(paths) > MAX_FILES:
        message = f"{len(paths):,} rule files; {MAX_FILES:,} are the limit, merge some with 'rules:'"
        return Snapshot(root, {}, (Fault(found.shown(""), 0, message),))
    files: dict[str, bytes] = {}
    faults: list[Fault] = []
    for path in paths:
        data = _read_file(os.path.join(root, path))
        if isinstance(data, bytes):
            files[path] = data
        else:
            faults.append(Fault(found.shown(path), 0, data))
    return Snapshot(root, files, tuple(faults))


def _yaml_files(folder: str, inner: str = "") -> Iterator[str]:
    """Relative paths of the rule files; hidden files and folders, and links to folders, are passed over."""
    with os.scandir(folder) as found:
        entries = [entry for entry in found if not entry.name.startswith(".")]
    for entry in entries:
        if entry.is_dir():
            if not entry.is_symlink():
                yield from _yaml_files(entry.path, f"{inner}{entry.name}/")
        elif entry.name.lower().endswith((".yaml", ".yml")):
            yield inner + entry.name


def _read_file(path: str) -> bytes | str:
    """The bytes of a file, or what is wrong with it."""
    if not path.endswith(".yaml"):
        return f"rule files end in .yaml; rename it to {Path(path).stem}.yaml"
    try:
        # Without blocking: a pipe would wait for its writer for ever.
        handle = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    except OSError as error:
        return f"cannot be read ({error.strerror}); check the file and its permissions"
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            return "not a regular file; rule files are plain text"
        data = os.read(handle, MAX_BYTES + 1)
        while len(data) <= MAX_BYTES and (more := os.read(handle, MAX_BYTES)):
            data += more
    except OSError as error:
        return f"cannot be read ({error.strerror}); check the file and its permissions"
    finally:
        os.close(handle)
    if len(data) > MAX_BYTES:
        return f"larger than {MAX_BYTES // 1_000_000} MB; split it into several files"
    return data


def _cache_path(digest: str) -> Path | None:
    """Where the rulebook with this digest is cached; None without a home folder."""
    modules = ("rulebook", "rulefiles", "ruleread", "ruleshapes", "ruleyaml", "phrases", "inflect")
    return cache_folder.place("rulebook", f"{CACHE_SCHEMA} {digest}", modules)


def _encode(value: Any) -> Any:
    """Values as JSON: a dataclass is the list of its fields."""
    if isinstance(value, (tuple, list)):
        return [_encode(item) for item in value]
    if isinstance(value, Mapping):
        return {key: _encode(item) for key, item in value.items()}
    if hasattr(value, "__dataclass_fields__"):
        return [_encode(getattr(value, field.name)) for field in fields(value)]
    return value


def _decode(data: list[Any]) -> Rulebook:
    """The rulebook that `_encode` took apart; `data` is used up."""
    sides, speakers, nobody, others, codebook, actors, lists, irregular, rules, digest = data
    first, second = (SideInfo(*side) for side in sides)
    return Rulebook(
        (first, second),
        tuple(speakers),
        nobody,
        others,
        codebook,
        tuple([Actor(*_tuples(actor, _ACTOR_TUPLES)) for actor in actors]),
        {name: tuple(words) for name, words in lists.items()},
        {name: tuple(words) for name, words in irregular.items()},
        tuple([_decode_rule(rule) for rule in rules]),
        digest,
    )


def _decode_rule(data: list[Any]) -> Rule:
    data[_TREES] = [tuple(map(_decode_node, tree)) for tree in data[_TREES]]
    data[_UNLESS] = map(_decode_node, data[_UNLESS])
    data[_EXAMPLES] = map(_decode_example, data[_EXAMPLES])
    return Rule(*_tuples(data, _RULE_TUPLES))


def _decode_node(data: list[Any]) -> Node:
    data[_FEATS] = map(tuple, data[_FEATS])
    if data[_PARENT] is not None:
        data[_PARENT] = tuple(data[_PARENT])
    return Node(*_tuples(data, _NODE_TUPLES))


def _decode_example(data: list[Any]) -> Example:
    data[_MARKS] = tuple(map(tuple, data[_MARKS]))
    return Example(*data)


def _tuples(data: list[Any], places: Sequence[int]) -> list[Any]:
    """`data` with the values at `places` made tuples."""
    for place in places:
        data[place] = tuple(data[place])
    return data


def _tuple_fields(kind: type) -> tuple[int, ...]:
    """The places of the fields that always hold tuples."""
    types = enumerate(str(field.type) for field in fields(kind))
    return tuple(place for place, name in types if name.startswith("tuple[") and not name.endswith("None"))


def _index(kind: type, name: str) -> int:
    return [field.name for field in fields(kind)].index(name)


_ACTOR_TUPLES, _RULE_TUPLES, _NODE_TUPLES = map(_tuple_fields, (Actor, Rule, Node))
_TREES, _UNLESS, _EXAMPLES = (_index(Rule, name) for name in ("trees", "unless_nodes", "examples"))
_FEATS, _PARENT, _MARKS = _index(Node, "feats"), _index(Node, "parent"), _index(Example, "marks")


def main(arguments: Sequence[str]) -> int:
    """Print the faults, or else the lints, of one folder; 1 if there was a fault."""
    root = Path(arguments[0]) if arguments else default_rules()
    snapshot = read_folder(root)
    try:
        rulebook = load(root, cache=False)
    except RulebookError as error:
        print(error)
        print(f"{len(error.faults)} faults")
        return 1
    from stance.rulelint import lint

    for fault in lint(rulebook):
        print(Fault(snapshot.shown(fault.path), fault.line, f"lint: {fault.message}"))
    print(f"{len(rulebook.rules)} rules, {len(rulebook.actors)} actors, digest {rulebook.digest}")
    return 0


if __name__ == "__main__":
    # Under its own name, so that its classes are the ones that every other module imports.
    from stance import rulebook as module

    raise SystemExit(module.main(sys.argv[1:]))
