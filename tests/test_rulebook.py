"""Rule folders: what loads, what is refused and where, the cache, overlays, and the shipped rules."""

# ruff: noqa: E501 (the table of faults reads best with one fault a line)

from __future__ import annotations

import copy
import json
import os
import pickle
import subprocess
import sys
import typing
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest
import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stance import cache, labels, rulebook, ruleshapes
from stance.errors import StanceError
from stance.resources import default_rules, resource
from stance.rulebook import Fault, Node, Rulebook, RulebookError, load
from stance.ruleread import strip_marks
from stance.ruleyaml import parse_yaml

SIDES = """\
codebook: "4"
sides:
  kyiv:   {label: pro_kyiv, name: Kyiv}
  moscow: {label: pro_moscow, name: Moscow}
speakers: [kyiv, moscow, western, other, unknown]
speaker_of_nobody: unknown
speaker_of_others: other
"""
ACTORS = """\
actors:
  - id: ukraine
    names: [Ukraine]
    side: kyiv
    kind: country
    mirror: russia
  - id: russia
    names: [Russia, (Russian|Soviet) Federation]
    side: moscow
    kind: country
    mirror: ukraine
    unless: [Russia House]
  - {id: nato, names: [NATO], side: kyiv, speaker: western, kind: alliance, ally: true}
  - {id: analyst, names: [analyst~], speaker: other, kind: role, expert: true}
"""
IRREGULAR = """\
verbs: {say: [says, said, saying], go: [goes, went, gone, going]}
nouns: {man: [men]}
"""
SAYING = "words: [say~, put it]\n"
OPERATION = """\
id: special-operation
kind: lexical
effect: frame
side: moscow
test: N
strength: strong
because: calls the invasion by its official name
rationale: the name was ordered
sources: [a report]
phrases: [special military operation~, SMO]
unless: [so-called special military operation]
mirror: {none: "no such name on the other side"}
examples:
  fires:
    - {text: "The [special military operation] goes on \\\\[sic\\\\].", side: moscow, voice: author}
    - {text: "[SMO] it was, Ann said.", side: moscow, voice: attributed, speaker: Ann, xfail: "no parser"}
  silent:
    - "The army announced a military operation."
    - {text: "Some operation.", xfail: "not yet"}
"""
TERROR = """\
id: terrorises
kind: dependency
effect: frame
side: other(X)
test: B
strength: strong
because: makes terror the purpose
trees:
  - verb:  {lemma: terrorise|Massacre, upos: VERB}
    agent: {under: verb, relation: "nsubj|=obl:agent", side: X, party: true, actor: force|country}
    word:  {within: agent, form: "the", optional: true, before: agent}
  - verb:  {list: saying, feats: {Tense: Past}}
    agent: {under: verb, relation: "nsubj:pass", side: X, after: verb}
unless: [{under: verb, lemma: not|never}]
marks: agent
examples:
  fires:
    - {text: "Troops [terrorised] the town.", side: kyiv, voice: author}
  silent: ["Troops shelled the town."]
"""
REPORTED = """\
defaults:
  kind: dependency
  effect: voice
  voice: attributed
  because: somebody else is speaking
rules:
  - id: reported-speech
    trees:
      - verb: {list: saying}
        speaker: {under: verb, relation: nsubj}
        claim: {under: verb, relation: ccomp}
    covers: claim
    speaker: speaker
    examples:
      fires: [{text: "Ann said [it had failed].", speaker: Ann}]
      silent: ["Ann said nothing."]
  - id: according-to
    status: trial
    kind: lexical
    phrases: [according to, "as {X:leader} <saying>"]
    covers: clause-after
    speaker: after
    examples:
      fires: ["According to Ann, [it failed]."]
      silent: ["Ann is according."]
"""
DENIAL = """\
id: denial
kind: lexical
effect: cancel
cancels: [frame, N]
reason: negated
scope: clause-after
because: the act is denied
phrases: [denied that]
examples:
  fires: ["Ann [denied that] it was so."]
  silent: ["Ann said that."]
"""
HOPE = """\
id: hope
kind: lexical
effect: opinion
strength: weak
cue: prediction
because: looks ahead
phrases: [remains doubtful]
examples:
  fires: ["Success [remains doubtful]."]
  silent: ["The road remains shut."]
"""
BOOK = {
    "sides.yaml": SIDES,
    "actors/parties.yaml": ACTORS,
    "lists/irregular.yaml": IRREGULAR,
    "lists/saying.yaml": SAYING,
    "frame/naming/special-operation.yaml": OPERATION,
    "frame/blame/terrorises.yaml": TERROR,
    "voice/reported/reporting.yaml": REPORTED,
    "cancel/denial/denial.yaml": DENIAL,
    "opinion/prediction/hope.yaml": HOPE,
}
SMO = "frame/naming/special-operation.yaml"
TREE = "frame/blame/terrorises.yaml"
VOICE = "voice/reported/reporting.yaml"


@pytest.fixture(autouse=True)
def _own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


def write(root: Path, files: dict[str, str | bytes]) -> Path:
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
    return root


@pytest.fixture
def book(tmp_path: Path) -> Path:
    return write(tmp_path / "rules", dict(BOOK))


def faults_of(folder: Path, overlay: Path | None = None) -> list[str]:
    """The faults as lines, their paths relative to the folder."""
    with pytest.raises(RulebookError) as caught:
        load(folder, overlay=overlay)
    root = overlay or folder
    shown = [str(fault) for fault in caught.value.faults]
    assert str(caught.value) == "\n".join(shown)
    return [line.removeprefix(f"{root}{os.sep}") for line in shown]


def change(folder: Path, path: str, old: str, new: str) -> None:
    content = (folder / path).read_text()
    assert old in content, f"{old!r} is not in {path}"
    (folder / path).write_text(content.replace(old, new, 1))


# What loads -----------------------------------------------------------------------------------------


def test_sides_lists_and_actors(book: Path) -> None:
    loaded = load(book)
    assert [(side.id, side.label, side.name) for side in loaded.sides] == [
        ("kyiv", "pro_kyiv", "Kyiv"),
        ("moscow", "pro_moscow", "Moscow"),
    ]
    assert loaded.speakers == ("kyiv", "moscow", "western", "other", "unknown")
    assert (loaded.nobody, loaded.others, loaded.codebook) == ("unknown", "other", "4")
    assert dict(loaded.lists) == {"saying": ("say~", "put it")}
    assert loaded.irregular["go"] == ("goes", "went", "gone", "going")
    assert loaded.irregular["man"] == ("men",)
    assert [actor.id for actor in loaded.actors] == ["analyst", "nato", "russia", "ukraine"]
    analyst, nato, russia, _ = loaded.actors
    assert (analyst.side, analyst.speaker, analyst.expert, analyst.kind) == (None, "other", True, "role")
    assert (nato.side, nato.speaker, nato.ally) == ("kyiv", "western", True)
    assert (russia.speaker, russia.mirror, russia.unless) == ("moscow", "ukraine", ("Russia House",))
    assert (russia.path, russia.line) == ("actors/parties.yaml", 7)


def test_a_lexical_rule(book: Path) -> None:
    rule = load(book).rule("special-operation")
    assert (rule.kind, rule.effect, rule.side, rule.test, rule.strength) == (
        "lexical",
        "frame",
        "moscow",
        "N",
        "strong",
    )
    assert rule.status == "active"
    assert rule.phrases == ("special military operation~", "SMO")
    assert rule.unless_phrases == ("so-called special military operation",)
    assert rule.mirror_none == "no such name on the other side"
    assert rule.mirror_partner is None
    assert (rule.family, rule.path, rule.line) == ("naming", SMO, 1)
    first, second, third, fourth = rule.examples
    assert first.text == "The special military operation goes on [sic]."
    assert [first.text[a:b] for a, b in first.marks] == ["special military operation"]
    assert (first.side, first.voice, first.line) == ("moscow", "author", 15)
    assert (second.speaker, second.xfail) == ("Ann", "no parser")
    assert (third.fires, third.marks) == (False, ())
    assert fourth.xfail == "not yet"


def test_an_example_need_not_repeat_a_fixed_side_and_the_author(book: Path) -> None:
    change(book, SMO, ", side: moscow, voice: author}", "}")
    change(book, TREE, ", side: kyiv, voice: author}", ", side: kyiv}")
    loaded = load(book)
    fixed, variable = loaded.rule("special-operation").examples[0], loaded.rule("terrorises").examples[0]
    assert (fixed.side, fixed.voice) == ("moscow", "author")
    assert (variable.side, variable.voice) == ("kyiv", "author")


def test_a_dependency_rule(book: Path) -> None:
    rule = load(book).rule("terrorises")
    assert rule.trees[0] == (
        Node("verb", lemma=("terrorise", "massacre"), upos=("VERB",)),
        Node(
            "agent",
            relation=("nsubj", "=obl:agent"),
            parent=("under", "verb"),
            side="X",
            party=True,
            actor=("force", "country"),
        ),
        Node("word", form=("the",), parent=("within", "agent"), optional=True, before="agent"),
    )
    assert rule.trees[1][0] == Node("verb", list="saying", feats=(("Tense", "Past"),))
    assert rule.trees[1][1].after == "verb"
    assert rule.unless_nodes == (Node("unless-1", lemma=("not", "never"), parent=("under", "verb")),)
    assert rule.marks == ("agent",)
    assert rule.side == "other(X)"


def test_defaults_hold_where_an_entry_is_silent(book: Path) -> None:
    loaded = load(book)
    reported, according = loaded.rule("reported-speech"), loaded.rule("according-to")
    assert (reported.kind, reported.covers, reported.speaker) == ("dependency", "claim", "speaker")
    assert (according.kind, according.covers, according.speaker) == ("lexical", "clause-after", "after")
    assert according.voice == reported.voice == "attributed"
    assert according.because == "somebody else is speaking"
    assert (reported.line, according.line) == (7, 17)


def test_cancel_and_opinion_rules(book: Path) -> None:
    loaded = load(book)
    denial, hope = loaded.rule("denial"), loaded.rule("hope")
    assert (denial.cancels, denial.reason, denial.scope) == (("frame", "N"), "negated", "clause-after")
    assert (hope.cue, hope.strength) == ("prediction", "weak")


def test_a_rulebook_answers_questions(book: Path) -> None:
    loaded = load(book)
    assert [rule.id for rule in loaded.rules] == sorted(rule.id for rule in loaded.rules)
    assert "according-to" not in {rule.id for rule in loaded.active()}
    assert len(loaded.active()) == len(loaded.rules) - 1
    assert (loaded.other("kyiv"), loaded.other("moscow")) == ("moscow", "kyiv")
    with pytest.raises(StanceError, match="not one of kyiv, moscow"):
        loaded.other("western")
    with pytest.raises(StanceError, match="did you mean 'terrorises'"):
        loaded.rule("terorises")


def test_a_rulebook_is_frozen_and_travels(book: Path) -> None:
    loaded = load(book)
    with pytest.raises(FrozenInstanceError):
        loaded.digest = ""  # type: ignore[misc]
    with pytest.raises(TypeError):
        loaded.lists["saying"] = ()  # type: ignore[index]
    assert pickle.loads(pickle.dumps(loaded)) == loaded
    assert copy.deepcopy(loaded) == loaded
    assert hash(pickle.loads(pickle.dumps(loaded))) == hash(loaded)


def test_yaml_words_that_are_no_values_stay_words(book: Path) -> None:
    (book / "lists/saying.yaml").write_text(
        "words: [yes, no, on, off, 2014, 1.5, 1e3, 12:30, 2022-02-24, 0x1F]\n"
    )
    assert load(book).lists["saying"] == (
        "yes",
        "no",
        "on",
        "off",
        "2014",
        "1.5",
        "1e3",
        "12:30",
        "2022-02-24",
        "0x1F",
    )


def test_hidden_and_other_files_are_no_rules(book: Path) -> None:
    before = load(book).digest
    write(book, {"README.md": "# rules", ".swp.yaml": "{", ".git/x.yaml": "{", "frame/naming/notes.txt": "x"})
    assert load(book).digest == before


# Faults: one by one ---------------------------------------------------------------------------------

ONE_FAULT = [
    # Keys and values
    (SMO, "phrases:", "phrase:", f"{SMO}:10: unknown key 'phrase'; did you mean 'phrases'?"),
    (
        SMO,
        "side: moscow",
        "side: moskow",
        f"{SMO}:4: 'side' 'moskow' is not one of kyiv, moscow, X, other(X); did you mean 'moscow'?",
    ),
    (SMO, "test: N", "test: n", f"{SMO}:5: 'test' 'n' is not one of N, B, L, V, O, S, Q"),
    (
        SMO,
        "strength: strong",
        "strength: storng",
        f"{SMO}:6: 'strength' 'storng' is not one of strong, weak; did you mean 'strong'?",
    ),
    (
        SMO,
        "kind: lexical",
        "kind: lexcal",
        f"{SMO}:2: 'kind' 'lexcal' is not one of lexical, dependency; did you mean 'lexical'?",
    ),
    (SMO, "effect: frame\n", "", f"{SMO}:1: a rule needs 'effect': frame or opinion or voice or cancel"),
    (SMO, "effect: frame", "effect: opinion", "effect 'opinion' in folder frame; move it to opinion/"),
    (
        SMO,
        "because: calls the invasion by its official name\n",
        "",
        f"{SMO}:1: a lexical frame rule needs 'because'",
    ),
    (
        SMO,
        "because: calls the invasion by its official name",
        "because:",
        f"{SMO}:7: 'because' is empty; fill it in",
    ),
    (
        SMO,
        "because: calls the invasion by its official name",
        "because: true",
        "'because' must be text, not true; put it in quotation marks",
    ),
    (
        SMO,
        "rationale: the name was ordered",
        "rationale: {the name: was}",
        "'rationale' must be text, not a mapping",
    ),
    (
        SMO,
        "sources: [a report]",
        "sources: a report",
        f"{SMO}:9: 'sources' must be a list, not text; write [one, two]",
    ),
    (SMO, "sources: [a report]", "sources: []", "'sources' is empty"),
    (SMO, "sources: [a report]", "status: off", "'off' is for overlays"),
    (
        SMO,
        "sources: [a report]",
        "status: activ",
        "'status' 'activ' is not one of active, trial; did you mean 'active'?",
    ),
    (
        SMO,
        "sources: [a report]",
        "trees: []",
        "key 'trees' does not belong in a lexical frame rule; leave it out",
    ),
    (SMO, "sources: [a report]", "scope: match", "key 'scope' does not belong in a lexical frame rule"),
    (
        SMO,
        "id: special-operation",
        "id: Special_Operation",
        "'id' is 'Special_Operation'; small letters and digits with hyphens",
    ),
    (
        SMO,
        "id: special-operation",
        "id: special-op",
        f"{SMO}:1: id 'special-op' in a file of another name; rename it to special-op.yaml",
    ),
    (SMO, 'mirror: {none: "no such name on the other side"}\n', "", "a rule of a fixed side needs 'mirror'"),
    (
        SMO,
        '{none: "no such name on the other side"}',
        "{}",
        "'mirror' needs either 'partner: RULE-ID' or 'none",
    ),
    (SMO, '{none: "no such name on the other side"}', "{partner: nobody}", "there is no rule 'nobody'"),
    (
        SMO,
        '{none: "no such name on the other side"}',
        "{partner: terorises}",
        "there is no rule 'terorises'; did you mean 'terrorises'?",
    ),
    # Phrases
    (SMO, "SMO]", "(SMO]", f"{SMO}:10: phrase '(SMO', column 1: '(' is never closed"),
    (SMO, "SMO]", "<sayin>]", "unknown list 'sayin'; did you mean 'saying'?"),
    (SMO, "SMO]", "<zzz>]", "unknown list 'zzz'; write it into lists/"),
    (SMO, "SMO]", "'{any}']", "no word that must occur"),
    (SMO, "SMO]", "'{X} war']", "{X} in a rule of a fixed side"),
    (
        SMO,
        "SMO]",
        "'{kiev} war']",
        "actor 'kiev' is not one of X, Y, any, kyiv, moscow; did you mean 'kyiv'?",
    ),
    (SMO, "SMO]", "'{kyiv:leadr} war']", "kind of actor 'leadr' is not one of"),
    (SMO, "SMO]", "{X} war]", f"{SMO}:10: not YAML:"),
    (SMO, "SMO]", "SMO, *2 war]", f"{SMO}:10: '*' starts a YAML alias; put a phrase in quotation marks"),
    (SMO, "SMO]", "SMO, !war x]", "'!' starts a YAML tag"),
    (SMO, "SMO]", "SMO, true]", "item 3 of 'phrases' must be text, not true; put it in quotation marks"),
    (SMO, "SMO]", "SMO, ~]", "item 3 of 'phrases' is empty"),
    (SMO, "SMO]", "SMO, a: b]", "item 3 of 'phrases' must be text, not a mapping; put it in quotation marks"),
    (SMO, "because: calls", "because: calls: it", f"{SMO}:7: not YAML: mapping values are not allowed"),
    (SMO, "side: moscow\n", "side: X\n", "side 'X' needs {X} or {Y} in each phrase"),
    # Examples
    (SMO, "[special military operation] goes", "special military operation goes", f"{SMO}:15: example"),
    (SMO, "[special military operation] goes", "[special military operation goes", "'[' is never closed"),
    (SMO, "[special military operation] goes", "special military operation] goes", "']' without '['"),
    (SMO, "[special military operation] goes", "[special [military] operation] goes", "'[' within brackets"),
    (SMO, '"The army announced', '"The [army] announced', f"{SMO}:18: example"),
    (
        TREE,
        ", side: kyiv, voice: author}",
        "}",
        f"{TREE}:18: an example of a rule with a side variable needs 'side'",
    ),
    (
        SMO,
        ", side: moscow, voice: author}",
        ", side: kyiv, voice: author}",
        "'side' kyiv in an example of a rule of side moscow",
    ),
    (
        SMO,
        "voice: author}",
        "voice: autor}",
        "'voice' 'autor' is not one of author, attributed, quoted; did you mean 'author'?",
    ),
    (SMO, "voice: author}", "voise: author, voice: author}", "unknown key 'voise'; did you mean 'voice'?"),
    (
        SMO,
        '    - "The army announced a military operation."\n',
        "",
        "needs at least one 'silent' example without xfail",
    ),
    (TREE, '  silent: ["Troops shelled the town."]\n', "", f"{TREE}:16: 'examples' needs 'silent'"),
    (TREE, '["Troops shelled the town."]', "[]", f"{TREE}:19: a rule needs at least one 'silent' example"),
    # Trees
    (TREE, "lemma: terrorise|Massacre, ", "", f"{TREE}:9: the first node 'verb' needs lemma, form or list"),
    (TREE, "lemma: terrorise|Massacre", "lemma: terrorise|", "has an empty part"),
    (TREE, "lemma: terrorise|Massacre", "lemma: carry out", "'carry out' is not one word"),
    (TREE, "upos: VERB", "upos: VRB", "part of speech 'VRB' is not one of"),
    (TREE, "upos: VERB", "under: agent", "the first node hangs on none; leave out 'under'"),
    (TREE, "upos: VERB", "optional: true", "the first node cannot be optional"),
    (TREE, "upos: VERB", "optional: maybe", "'optional' must be true or false, not text"),
    (TREE, "nsubj|=obl:agent", "nsubjpass", "relation 'nsubjpass' is not one of"),
    (TREE, "nsubj|=obl:agent", "nsub", "did you mean 'nsubj'?"),
    (
        TREE,
        'agent: {under: verb, relation: "nsubj|',
        'agent: {under: verv, relation: "nsubj|',
        "there is no node 'verv' before this; did you mean 'verb'?",
    ),
    (
        TREE,
        'agent: {under: verb, relation: "nsubj|',
        'agent: {relation: "nsubj|',
        "a node needs one of under, within, above; it has none",
    ),
    (
        TREE,
        'agent: {under: verb, relation: "nsubj|',
        'agent: {above: verb, under: verb, relation: "nsubj|',
        "it has under and above",
    ),
    (TREE, "before: agent", "before: claim", "there is no node 'claim' before this; there is verb, agent"),
    (TREE, "side: X, party", "side: moscwo, party", "'side' 'moscwo' is not one of"),
    (
        TREE,
        "side: X, party: true, ",
        "",
        f"{TREE}:9: side 'other(X)' needs a node with 'side: X' in every tree",
    ),
    (TREE, "actor: force|country", "actor: army", "kind of actor 'army' is not one of"),
    (TREE, "party: true, actor", "optional: true, actor", "side 'other(X)' needs a node"),
    (TREE, "{list: saying, feats", "{list: sayings, feats", "unknown list 'sayings'; did you mean 'saying'?"),
    (TREE, "{Tense: Past}", "{Tens: Past}", "attribute 'Tens' is not one of"),
    (TREE, "{Tense: Past}", "{Tense: past}", "'past' is no value of Tense"),
    (TREE, "{Tense: Past}", "Past", "'feats' must hold 'key: value' pairs, not text"),
    (
        TREE,
        "[{under: verb, lemma: not|never}]",
        "[{lemma: not}]",
        f"{TREE}:14: a node needs one of under, within, above",
    ),
    (
        TREE,
        "[{under: verb, lemma: not|never}]",
        "[{under: verb, lemmma: not}]",
        "unknown key 'lemmma'; did you mean 'lemma'?",
    ),
    (
        TREE,
        "marks: agent",
        "marks: [agent, agnet]",
        "there is no node 'agnet' before this; did you mean 'agent'?",
    ),
    (TREE, "marks: agent", "mirror: {none: x}", "a rule over other(X) is its own mirror"),
    (
        TREE,
        "    word:  {within",
        "".join(f"    n{i}: {{under: verb}}\n" for i in range(30)) + "    word:  {within",
        "item 1 of 'trees' has more than 20 nodes",
    ),
    (SMO, "id: special-operation", f"id: {'x' * 100}", "'id' is longer than 80 characters"),
    (TREE, "upos: VERB", "upos: [VERB]", "'upos' must be text, not a list"),
    (TREE, "    word:  {within: agent, form", "    Word:  {within: agent, form", "'Word'"),
    # Effects
    (VOICE, "covers: claim", "covers: clam", "there is no node 'clam' before this; did you mean 'claim'?"),
    (VOICE, "    speaker: speaker\n", "    speaker: nobody\n", "there is no node 'nobody'"),
    (
        VOICE,
        "covers: clause-after",
        "covers: everything",
        "'covers' 'everything' is not one of before, after, sentence, clause-after",
    ),
    (VOICE, "  because: somebody else is speaking\n", "", "a dependency voice rule needs 'because'"),
    (
        VOICE,
        "voice: attributed",
        "voice: author",
        f"{VOICE}:4: 'voice' 'author' is not one of attributed, quoted",
    ),
    (VOICE, "defaults:", "default:", "unknown key 'default'; did you mean 'defaults'?"),
    (VOICE, "  kind: dependency\n", "  kind: dependency\n  id: x\n", "an id among the defaults"),
    (
        VOICE,
        "  - id: according-to",
        "  - id: reported-speech",
        f"{VOICE}:17: rule id 'reported-speech' is taken at",
    ),
    ("cancel/denial/denial.yaml", "[frame, N]", "[frame, M]", "item 2 of 'cancels' 'M' is not one of"),
    ("cancel/denial/denial.yaml", "scope: clause-after", "scope: clause", "'scope' 'clause' is not one of"),
    (
        "opinion/prediction/hope.yaml",
        "cue: prediction",
        "cue: forecast",
        "'cue' 'forecast' is not one of evaluation",
    ),
    # Lists, actors, sides
    (
        "lists/saying.yaml",
        "put it",
        "'{X}'",
        "lists/saying.yaml:1: phrase '{X}', column 1: '{X}' cannot stand in a name or list item",
    ),
    ("lists/saying.yaml", "words:", "word:", "unknown key 'word'; did you mean 'words'?"),
    ("lists/irregular.yaml", "says, said", "says, has said", "'has said' is not one word"),
    ("lists/irregular.yaml", "nouns:", "noun:", "unknown key 'noun'; did you mean 'nouns'?"),
    (
        "actors/parties.yaml",
        "kind: country\n    mirror: russia",
        "kind: contry\n    mirror: russia",
        "actors/parties.yaml:5: 'kind' 'contry' is not one of",
    ),
    ("actors/parties.yaml", "id: ukraine", "id: russia", "actor id 'russia' is taken at"),
    (
        "actors/parties.yaml",
        "mirror: russia",
        "mirror: rusia",
        "there is no actor 'rusia'; did you mean 'russia'?",
    ),
    ("actors/parties.yaml", "mirror: russia", "mirror: nato", "'nato' does not name 'ukraine' as its mirror"),
    ("actors/parties.yaml", "side: moscow", "side: kyiv", "a mirror is of the other side"),
    (
        "actors/parties.yaml",
        "kind: country\n    mirror: ukraine",
        "kind: capital\n    mirror: ukraine",
        "has kind capital, this one country",
    ),
    (
        "actors/parties.yaml",
        "names: [Ukraine]",
        "names: [(Ukraine|Украина)]",
        "is written into mirrored texts; put a plain name first",
    ),
    ("actors/parties.yaml", "names: [Ukraine]", "names: [Ukraine *2]", "cannot stand in a name or list item"),
    ("actors/parties.yaml", "speaker: western", "speaker: west", "'speaker' 'west' is not one of"),
    ("actors/parties.yaml", "ally: true", "ally: yes", "'ally' must be true or false, not text"),
    (
        "actors/parties.yaml",
        "kind: role",
        "kind: role, mirror: russia",
        "an actor without a side has no mirror partner",
    ),
    ("actors/parties.yaml", "actors:", "actor:", "unknown key 'actor'; did you mean 'actors'?"),
    ("sides.yaml", "speakers: [kyiv,", "speakers: [", "side 'kyiv' is missing among the speakers"),
    ("sides.yaml", "pro_moscow", "pro_moskow", "label 'pro_moskow' is not one of"),
    ("sides.yaml", "pro_moscow", "pro_kyiv", "both sides have the label 'pro_kyiv'"),
    ("sides.yaml", "  kyiv:   {label: pro_kyiv, name: Kyiv}\n", "", "1 sides; there must be exactly two"),
    (
        "sides.yaml",
        "speaker_of_nobody: unknown",
        "speaker_of_nobody: nobody",
        "'speaker_of_nobody' 'nobody' is not one of",
    ),
    ("sides.yaml", 'codebook: "4"\n', "", "sides.yaml:1: sides.yaml needs 'codebook'"),
]


@pytest.mark.parametrize(
    ("path", "old", "new", "expected"),
    ONE_FAULT,
    ids=[f"{Path(row[0]).stem}-{n}" for n, row in enumerate(ONE_FAULT)],
)
def test_a_fault_has_its_place_and_cure(book: Path, path: str, old: str, new: str, expected: str) -> None:
    change(book, path, old, new)
    found = faults_of(book)
    assert any(expected in line for line in found), found
    assert all(len(line) < 400 for line in found)


def test_partners_must_be_equal(book: Path) -> None:
    partner = OPERATION.replace("id: special-operation", "id: liberation").replace(
        "side: moscow", "side: kyiv"
    )
    partner = partner.replace('{none: "no such name on the other side"}', "{partner: special-operation}")
    change(book, SMO, '{none: "no such name on the other side"}', "{partner: liberation}")
    place = "frame/naming/liberation.yaml"
    write(book, {place: partner})
    assert load(book).rule("liberation").mirror_partner == "special-operation"

    write(book, {place: partner.replace("test: N", "test: B").replace("strength: strong", "strength: weak")})
    assert faults_of(book) == [
        f"{place}:12: partner 'special-operation' has strength strong, this rule weak; make them equal",
        f"{place}:12: partner 'special-operation' has test N, this rule B; make them equal",
        f"{SMO}:12: partner 'liberation' has strength weak, this rule strong; make them equal",
        f"{SMO}:12: partner 'liberation' has test B, this rule N; make them equal",
    ]
    write(book, {place: partner.replace("side: kyiv", "side: moscow")})
    assert any("is of the same side moscow" in line for line in faults_of(book))
    write(book, {place: partner.replace("{partner: special-operation}", "{none: x}")})
    assert faults_of(book) == [
        f"{SMO}:12: 'liberation' does not name 'special-operation' as its partner; add it there"
    ]
    change(book, SMO, "{partner: liberation}", "{partner: special-operation}")
    assert any("cannot be its own partner" in line for line in faults_of(book))


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("rule.yaml", "rule.yaml: place 'rule.yaml' is not one of sides.yaml, actors, lists"),
        ("frmae/naming/x.yaml", "did you mean 'frame'?"),
        ("frame/special-operation.yaml", "rules lie in frame/FAMILY/NAME.yaml; move the file there"),
        ("frame/naming/more/x.yaml", "rules lie in frame/FAMILY/NAME.yaml; move the file there"),
        ("frame/Na ming/x.yaml", "folder 'Na ming'; small letters"),
        ("actors/more/x.yaml", "place 'actors' is not one of"),
        ("lists/Say_Words.yaml", "list name 'Say_Words'; small letters"),
        ("frame/naming/x.yml", "rule files end in .yaml; rename it to x.yaml"),
        ("frame/naming/x.YAML", "rule files end in .yaml; rename it to x.yaml"),
    ],
)
def test_files_in_places_where_nobody_looks(book: Path, path: str, expected: str) -> None:
    content = OPERATION.replace("id: special-operation", f"id: {Path(path).stem}")
    write(book, {path: SAYING if path.startswith("lists") else content})
    assert any(expected in line for line in faults_of(book))


def test_all_faults_of_all_files_at_once(book: Path) -> None:
    change(book, SMO, "phrases:", "phrase:")
    change(book, SMO, "test: N", "test: Z")
    change(book, SMO, "so-called special", "(so-called special")
    change(book, SMO, ", side: moscow, voice: author}", ", side: mosco, voice: author}")
    change(book, TREE, "upos: VERB", "upos: VRB")
    change(book, TREE, '  silent: ["Troops shelled the town."]\n', "")
    change(book, VOICE, "covers: claim", "covers: clam")
    change(book, "lists/irregular.yaml", "nouns:", "noun:")
    change(book, "sides.yaml", "speaker_of_nobody: unknown", "speaker_of_nobody: nobody")
    change(book, "actors/parties.yaml", "side: kyiv", "side: kiev")
    change(book, "cancel/denial/denial.yaml", "reason: negated", "reason:\tnegated")
    (book / "opinion/prediction/hope.yaml").write_text("id: [hope\n")
    places = [line.split(": ")[0] for line in faults_of(book)]
    assert places == [
        "actors/parties.yaml:4",
        "cancel/denial/denial.yaml:5",
        f"{TREE}:9",
        f"{TREE}:16",
        f"{SMO}:1",
        f"{SMO}:5",
        f"{SMO}:10",
        f"{SMO}:11",
        f"{SMO}:15",
        "lists/irregular.yaml:2",
        "opinion/prediction/hope.yaml:2",
        "sides.yaml:6",
        f"{VOICE}:12",
    ]


def test_one_fault_is_told_once(book: Path) -> None:
    """A broken list or partner file makes no faults in the files that name it."""
    (book / "lists/saying.yaml").write_text("words: [\n")
    assert len(faults_of(book)) == 1
    (book / "lists/saying.yaml").write_text(SAYING)
    change(book, SMO, '{none: "no such name on the other side"}', "{partner: liberation}")
    write(book, {"frame/naming/liberation.yaml": "id: ["})
    assert len(faults_of(book)) == 1


def test_no_folder_and_no_sides(tmp_path: Path) -> None:
    assert "no such folder" in faults_of(tmp_path / "nowhere")[0]
    assert "no sides.yaml; is this the folder of the rules?" in faults_of(tmp_path)[0]


def test_messages_are_safe_to_print(book: Path) -> None:
    change(book, SMO, "side: moscow", 'side: "\\e[31m\\a' + "x" * 5_000 + '"')
    change(book, TREE, "marks: agent", '"\\e[31m": 1')
    for line in faults_of(book):
        assert line.isprintable(), line
        assert len(line) < 400


# Hostile files --------------------------------------------------------------------------------------

BOMB = "a: &a [x, x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [*{chr(97 + i)}, *{chr(97 + i)}]\n" for i in range(20)
)


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"[" * 100_000, ":1: nested deeper than 50"),
        (b"{a: " * 100_000, ":1: nested deeper than 50"),
        (b"- " * 100_000, ":1: nested deeper than 50"),
        (b"? " * 100_000, ":1: "),
        (BOMB.encode(), ":1: '&' starts a YAML anchor"),
        (b"a: *b\n", ":1: '*' starts a YAML alias"),
        (b"a: 1\nb: 2\na: 3\n", ":3: key 'a' twice; keep one"),
        (b"id: x\nkind:\tlexical\n", ":2: a tab; use spaces"),
        (b"id: x\n\tkind: y\n\tside: z\n", ":2: a tab (and on 1 more lines); use spaces"),
        (b"id: a\nkind: \0\n", ":2: a NUL character"),
        (b"id: a\nkind: \xff\xfe\n", ":2: not UTF-8 at byte 12; save the file as UTF-8"),
        ("id: a\n".encode("utf-16"), ":1: not UTF-8 at byte 0"),
        ("id: é\n".encode("latin-1"), ":1: not UTF-8 at byte 4"),
        (b"id: a\n\x07", ": not YAML"),
        (b"id: a\n---\nid: b\n", ":2: a second document"),
        (b"!!python/object/apply:os.system [true]\n", ":1: '!' starts a YAML tag"),
        (b"id: !!int 3\n", ":1: '!' starts a YAML tag"),
        (b"", ":1: the file is empty"),
        (b"# only a comment\n", ":1: the file is empty"),
        (b"null\n", ":1: the file is empty"),
        (b"just words\n", ":1: a rule file holds 'key: value' lines"),
        (b"- a\n- b\n", ":1: a rule file holds 'key: value' lines"),
        (b"[a]: b\n", ":1: a key that is no word"),
        (b"? {a: b}\n: c\n", ":1: a key that is no word"),
        (b"id: 'x\n", ": not YAML"),
        (b"id: x\n  kind: y\n", ":2: not YAML"),
        (b"%YAML 9.9\n---\nid: x\n", ": not YAML"),
        (b'id: "\\ud800"\n', ""),
        (b"kind: lexical\nid: " + b"x" * 900_000, "'id' is longer than 80 characters"),
        (b"rules: 3\n", ":1: 'rules' must be a list"),
        (b"rules: []\n", ":1: 'rules' must be a list with at least one entry"),
        (b"rules: [a, [b]]\n", ":1: an entry of 'rules' must hold 'key: value' pairs"),
        (b"defaults: 3\nrules: [{id: a}]\n", ":1: 'defaults' must hold 'key: value' pairs"),
        (b"id: {a: {b: [c]}}\nkind: [lexical]\neffect: {}\n", ":2: 'kind' a list is not one of"),
        (
            b"kind: lexical\neffect: frame\nphrases: {a: b}\nexamples: [x]\ntrees: 3\n",
            ":4: 'examples' must hold",
        ),
        (b"kind: dependency\neffect: frame\ntrees: [x, {}, {a: b}, {A b: {}}]\n", ":3: "),
    ],
    ids=lambda value: value[:20].decode("latin-1") if isinstance(value, bytes) else "",
)
def test_a_hostile_file_gives_a_sentence(book: Path, content: bytes, expected: str) -> None:
    write(book, {"frame/naming/bad.yaml": content})
    found = faults_of(book)
    assert found
    assert any(line.startswith(f"frame/naming/bad.yaml{expected}") or expected in line for line in found), (
        found
    )
    assert all(line.startswith("frame/naming/bad.yaml") for line in found), found


def test_large_files_and_many_files(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(book, {"frame/naming/big.yaml": b"#" * 10_000_000})
    assert faults_of(book) == ["frame/naming/big.yaml: larger than 1 MB; split it into several files"]
    monkeypatch.setattr(rulebook, "MAX_FILES", 5)
    (found,) = faults_of(book)
    assert "10 rule files; 5 are the limit" in found


def test_a_file_full_of_faults_is_not_read_to_its_end(book: Path) -> None:
    write(book, {"frame/naming/bad.yaml": "rules:\n" + "".join(f"- {{id: a{i}}}\n" for i in range(2_000))})
    change(book, TREE, "upos: VERB", "upos: VRB")
    found = faults_of(book)
    assert "frame/naming/bad.yaml: more than 500 faults in this file; mend these first" in found
    assert len([line for line in found if line.startswith("frame/naming/bad.yaml:")]) == 501
    assert any(line.startswith(f"{TREE}:9: ") for line in found)


def test_one_wrong_default_is_one_fault(book: Path) -> None:
    """Both rules of the file have it from there."""
    change(book, VOICE, "voice: attributed", "voice: loud")
    assert len(faults_of(book)) == 1


def test_things_that_are_no_files(book: Path) -> None:
    (book / "frame/naming/folder.yaml").mkdir()
    os.symlink("nowhere", book / "frame/naming/dangling.yaml")
    os.symlink(book, book / "frame/loop")
    os.mkfifo(book / "frame/naming/pipe.yaml")
    assert faults_of(book) == [
        "frame/naming/dangling.yaml: cannot be read (No such file or directory); check the file and its permissions",
        "frame/naming/pipe.yaml: not a regular file; rule files are plain text",
    ]


@settings(max_examples=150, deadline=None)
@given(st.one_of(st.binary(max_size=200), st.text(alphabet="ab:-[]{},'\"|>&*!#?%@` \n~<\t\\", max_size=80)))
def test_any_bytes_give_data_or_located_faults(data: bytes | str) -> None:
    content = data if isinstance(data, bytes) else data.encode()
    parsed = parse_yaml(content)
    assert (parsed.data is not None) or parsed.faults
    assert all(line >= 1 and message for line, message in parsed.faults)


def _places(value: object, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    yield at
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from _places(inner, (*at, key))


_RULES = {path: content for path, content in BOOK.items() if path.count("/") == 2}
_JUNK = st.sampled_from(
    [None, True, "", "x", "(x", "{X", "a|", [], [None], ["x"], [["x"]], {}, {"a": "b"}, {"text": []}]
)


@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.data())
def test_any_value_anywhere_loads_or_gives_faults(book: Path, data: st.DataObject) -> None:
    path = data.draw(st.sampled_from(list(BOOK)))
    document = yaml.safe_load(BOOK[path])
    place = data.draw(st.sampled_from([p for p in _places(document) if p]))
    inner = document
    for key in place[:-1]:
        inner = inner[key]
    inner[place[-1]] = data.draw(_JUNK)
    (book / path).write_text(json.dumps(document))
    faults: tuple[Fault, ...] = ()
    try:
        load(book, cache=False)
    except RulebookError as error:
        faults = error.faults or (Fault(path, 0, ""),)
    finally:
        (book / path).write_text(BOOK[path])
    assert all(fault.message and fault.message.isprintable() for fault in faults)


# Digest and cache -----------------------------------------------------------------------------------


def test_the_digest_names_the_content(book: Path, tmp_path: Path) -> None:
    first = load(book).digest
    assert len(first) == 16
    assert set(first) <= set("0123456789abcdef")
    elsewhere = write(
        tmp_path / "elsewhere", {path: text.replace("\n", "\r\n") for path, text in BOOK.items()}
    )
    assert load(elsewhere).digest == first
    change(elsewhere, SMO, "goes on", "went on")
    assert load(elsewhere).digest != first
    (elsewhere / "voice/reported/reporting.yaml").rename(elsewhere / "voice/reported/again.yaml")
    assert load(elsewhere).digest not in (first, load(book).digest)


def cache_files() -> list[Path]:
    return sorted((Path(os.environ["XDG_CACHE_HOME"]) / "stance").glob("rulebook-*"))


def test_the_cache_gives_the_same_rulebook(book: Path) -> None:
    fresh = load(book)
    (cached,) = cache_files()
    assert load(book) == fresh
    before = cached.stat().st_mtime_ns
    assert load(book, cache=False) == fresh
    assert cached.stat().st_mtime_ns == before


def test_a_cached_rulebook_needs_neither_yaml_nor_pydantic(book: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from stance.rulebook import load; "
        f"print(len(load(Path({str(book)!r})).rules), 'yaml' in sys.modules, 'pydantic' in sys.modules)"
    )

    def run() -> str:
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    assert run() == "6 True True"
    assert run() == "6 False False"


@pytest.mark.parametrize(
    "damage",
    [
        lambda data: b"",
        lambda data: data[: len(data) // 2],
        lambda data: data.replace(b"special", b"spezial", 1),
        lambda data: b"\xff" * 50,
        lambda data: data.split(b"\n")[0] + b"\n[]",
        lambda data: b"0" * 64 + b"\n" + b"[" * 100_000,
    ],
)
def test_a_damaged_cache_is_written_anew(book: Path, damage: typing.Callable[[bytes], bytes]) -> None:
    fresh = load(book)
    (cached,) = cache_files()
    whole = cached.read_bytes()
    cached.write_bytes(damage(whole))
    assert load(book) == fresh
    assert cached.read_bytes() == whole


def test_a_cache_that_may_only_be_read_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def refused(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    cache.write(tmp_path / "value-1.json", [1, 2])
    monkeypatch.setattr(os, "utime", refused)
    assert cache.read(tmp_path / "value-1.json", list) == [1, 2]


def test_a_cache_file_of_another_shape_is_written_anew(book: Path) -> None:
    """Right checksum, wrong content: as if an older version had written it under this name."""
    import hashlib

    fresh = load(book)
    (cached,) = cache_files()
    for payload in (b"[]", b"{}", b'"x"', b"[" * 100_000, b"[1,2,3,4,5,6,7,8,9,10]"):
        cached.write_bytes(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
        assert load(book) == fresh


def test_a_cache_that_cannot_be_written_is_no_fault(
    book: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    assert load(book).digest
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    load(book)
    assert list((tmp_path / "home/.cache/stance").glob("rulebook-*.json"))


def test_faults_are_never_cached(book: Path) -> None:
    change(book, SMO, "test: N", "test: Z")
    faults_of(book)
    assert cache_files() == []
    change(book, SMO, "test: Z", "test: N")
    load(book)
    change(book, SMO, "test: N", "test: Z")
    assert len(faults_of(book)) == 1


def test_the_cache_stays_small(book: Path) -> None:
    for number in range(cache.KEEP + 3):
        change(book, SMO, "goes on", f"goes on {number}")
        load(book)
    assert len(cache_files()) == cache.KEEP
    assert load(book).rule("special-operation")


def test_what_a_killed_writer_left_goes_in_time(book: Path) -> None:
    load(book)
    folder = cache_files()[0].parent
    left, fresh = folder / ".rulebook-1-2-3", folder / ".rulebook-4-5-6"
    for file in (left, fresh):
        file.write_bytes(b"half a")
    os.utime(left, (0, 0))
    change(book, SMO, "goes on", "goes on and on")
    load(book)
    assert not left.exists()
    assert fresh.exists()


# Overlays -------------------------------------------------------------------------------------------


def test_an_overlay_replaces_adds_and_switches_off(book: Path, tmp_path: Path) -> None:
    base = load(book)
    changed = OPERATION.replace("strength: strong", "strength: weak")
    overlay = write(
        tmp_path / "mine",
        {
            SMO: changed,
            "opinion/mine/fear.yaml": HOPE.replace("id: hope", "id: fear").replace(
                "remains doubtful", "must fear"
            ),
            "cancel/denial/off.yaml": "rules:\n  - {id: denial, status: off}\n",
            "voice/reported/according-to.yaml": "id: according-to\nstatus: off\n",
            "lists/saying.yaml": "words: [claim~]\n",
            "lists/mine.yaml": "words: [nonsense]\n",
            "lists/irregular.yaml": "verbs: {go: [went]}\n",
            "actors/mine.yaml": "actors:\n  - {id: nato, names: [the Alliance], kind: alliance}\n"
            "  - {id: analyst, status: off}\n  - {id: osce, names: [OSCE], speaker: other, kind: org}\n",
        },
    )
    loaded = load(book, overlay=overlay)
    assert loaded == base.with_overlay(overlay)
    assert loaded.rule("special-operation").strength == "weak"
    assert {rule.id for rule in loaded.rules} == {
        "special-operation",
        "terrorises",
        "reported-speech",
        "hope",
        "fear",
    }
    assert loaded.lists["saying"] == ("claim~",)
    assert loaded.lists["mine"] == ("nonsense",)
    assert loaded.irregular == {**base.irregular, "go": ("went",)}
    assert [actor.id for actor in loaded.actors] == ["nato", "osce", "russia", "ukraine"]
    assert loaded.actors[0].names == ("the Alliance",)
    assert base.digest != loaded.digest
    assert load(book) == base
    assert load(book, overlay=overlay) == loaded


@pytest.mark.parametrize(
    ("path", "content", "expected"),
    [
        (
            SMO,
            "id: special-operation\nstatus: off\nsidee: x\n",
            f"{SMO}:3: unknown key 'sidee'; did you mean 'side'?",
        ),
        (
            "voice/x/denal.yaml",
            "id: denal\nstatus: off\n",
            "there is no rule 'denal' to switch off; did you mean 'denial'?",
        ),
        ("voice/x/x.yaml", "rules: [{status: off}]\n", "'off' needs the id of the rule to switch off"),
        (
            "actors/x.yaml",
            "actors: [{id: nobody, status: off}]\n",
            "there is no actor 'nobody' to switch off",
        ),
        ("sides.yaml", SIDES, "sides.yaml:1: an overlay cannot change the sides"),
        (
            SMO,
            OPERATION.replace("[special military operation~, SMO]", "[<nothing>]"),
            "unknown list 'nothing'",
        ),
        (SMO, OPERATION.replace("test: N", "test: Z"), f"{SMO}:5: 'test' 'Z' is not one of"),
    ],
)
def test_faults_of_an_overlay(book: Path, tmp_path: Path, path: str, content: str, expected: str) -> None:
    overlay = write(tmp_path / "mine", {path: content})
    found = faults_of(book, overlay)
    assert any(expected in line for line in found), found


def test_an_overlay_may_part_mirror_partners(book: Path, tmp_path: Path) -> None:
    """Who switches one rule off need not touch its partner; the partner then says that it stands alone."""
    from stance.rulelint import lint

    partner = OPERATION.replace("id: special-operation", "id: liberation").replace(
        "side: moscow", "side: kyiv"
    )
    partner = partner.replace('{none: "no such name on the other side"}', "{partner: special-operation}")
    partner = partner.replace("special military operation", "great liberation").replace("SMO", "GRL")
    change(book, SMO, '{none: "no such name on the other side"}', "{partner: liberation}")
    write(book, {"frame/naming/liberation.yaml": partner})
    off = write(tmp_path / "off", {SMO: "id: special-operation\nstatus: off\n"})
    rule = load(book, overlay=off).rule("liberation")
    assert rule.mirror_partner is None
    assert rule.mirror_none == "its partner special-operation is switched off"
    weak = (book / SMO).read_text().replace("strength: strong", "strength: weak")
    uneven = load(book, overlay=write(tmp_path / "weak", {SMO: weak}))
    assert uneven.rule("special-operation").strength == "weak"
    messages = [fault.message for fault in lint(uneven)]
    assert any("partner 'liberation' has strength strong, this rule weak" in message for message in messages)


# Schema, command, shipped rules ---------------------------------------------------------------------


def test_the_schema_agrees_with_the_loader() -> None:
    jsonschema = pytest.importorskip("jsonschema")
    schema = ruleshapes.rule_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(schema)
    for content in _RULES.values():
        assert list(validator.iter_errors(yaml.safe_load(content))) == []
    assert validator.is_valid({"id": "x", "status": "off"})
    for old, new in (
        ("phrases:", "phrase:"),
        ("test: N", "test: n"),
        ("strength: strong", "strength: storng"),
        ("kind: lexical", "kind: lexcal"),
        ("because: calls the invasion by its official name\n", ""),
        ("sources: [a report]", "trees: []"),
        ("voice: author}", "voice: autor}"),
    ):
        assert old in OPERATION
        assert not validator.is_valid(yaml.safe_load(OPERATION.replace(old, new, 1))), new


def test_shapes_spell_the_closed_sets_of_the_codebook() -> None:
    def choices(shape: type[ruleshapes.Shape], key: str) -> tuple[str, ...]:
        return typing.get_args(shape.model_fields[key].annotation)

    assert choices(ruleshapes.FrameKeys, "test") == tuple(labels.TESTS)
    assert choices(ruleshapes.FrameKeys, "strength") == labels.STRENGTHS
    assert choices(ruleshapes.OpinionKeys, "cue") == labels.OPINION_CUES
    assert {effect for _, effect in ruleshapes.RULE_SHAPES} == set(labels.EFFECTS)
    assert {kind for kind, _ in ruleshapes.RULE_SHAPES} == set(labels.KINDS) - {"model"}
    reasons = choices(ruleshapes.CancelKeys, "reason")
    assert set(reasons) < {reason.value for reason in labels.NotCounted}
    assert set(typing.get_args(ruleshapes.Cancelled)) == {"frame", "opinion", "voice", *labels.TESTS}


def test_the_module_prints_faults_and_lints(book: Path) -> None:
    def run() -> tuple[int, str]:
        done = subprocess.run(
            [sys.executable, "-m", "stance.rulebook", str(book)], capture_output=True, text=True, check=False
        )
        assert done.stderr == ""
        return done.returncode, done.stdout

    code, printed = run()
    assert code == 0
    assert "6 rules, 4 actors" in printed
    assert "lint: without a mirror partner are 1 actors of a side: nato" in printed
    change(book, SMO, "test: N", "test: Z")
    code, printed = run()
    assert code == 1
    assert f"{book / SMO}:5: 'test' 'Z' is not one of" in printed


def test_paths_below_the_working_folder_are_shown_short(book: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(book.parent)
    change(book, SMO, "test: N", "test: Z")
    with pytest.raises(RulebookError) as caught:
        load(Path("rules"))
    assert str(caught.value).startswith("rules/frame/naming/special-operation.yaml:5: ")
    with pytest.raises(RulebookError) as caught:
        load(book)
    assert str(caught.value).startswith("rules/frame/naming/special-operation.yaml:5: ")


def test_faults_sort_and_print() -> None:
    faults = [
        Fault("b", 2, "x"),
        Fault("a", 10, "y"),
        Fault("a", 9, "z"),
        Fault("a", 9, "z"),
        Fault("a", 0, "w"),
    ]
    assert str(RulebookError(faults)) == "a: w\na:9: z\na:10: y\nb:2: x"


@pytest.mark.parametrize(
    ("text", "clean", "marks"),
    [
        ("a [b] c", "a b c", ((2, 3),)),
        ("[a][b c]", "ab c", ((0, 1), (1, 4))),
        (r"\[a\] [b]", "[a] b", ((4, 5),)),
        (r"a \ b", r"a \ b", ()),
        ("a", "a", ()),
    ],
)
def test_brackets_of_examples(text: str, clean: str, marks: tuple[tuple[int, int], ...]) -> None:
    assert strip_marks(text) == (clean, marks, None)


def test_resources() -> None:
    assert default_rules() == resource("rules")
    assert (resource("rules") / "sides.yaml").is_file()


def test_the_shipped_rules_have_no_faults() -> None:
    loaded = load(cache=False)
    assert isinstance(loaded, Rulebook)
    assert loaded.rules
    for rule in loaded.rules:
        assert any(example.fires for example in rule.examples), rule.id
        assert any(not example.fires for example in rule.examples), rule.id
