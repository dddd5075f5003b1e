"""Dependency rules on handmade trees. Two invented sides, so that no test leans on the shipped rules."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterator, Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stance import trees
from stance.errors import StanceError
from stance.lexicon import Mention, Tokens
from stance.rulebook import Actor, Node, Rule, Rulebook, SideInfo
from stance.syntax import Tree, build
from stance.trees import (
    NO_CAMP,
    Camp,
    TreeMatch,
    TreeMatcher,
    antecedent,
    appositions,
    camps,
    head_noun_span,
    subtree_span,
)

RED = Actor("redland", ("Redland",), side="red", kind="country")
BLUE = Actor("blueland", ("Blueland",), side="blue", kind="country")
PALS = Actor("pals", ("Pals",), side="red", kind="alliance", ally=True)
MINISTER = Actor("minister", ("minister",), kind="role")
BY_WORD = {
    "redland": RED, "red": RED, "rossa": RED, "blueland": BLUE, "blue": BLUE, "azura": BLUE, "pals": PALS,
    "minister": MINISTER,
}  # fmt: skip


def grow(rows: str) -> Tree:
    """A tree from rows ``form upos head relation [feats]``; heads count from 1, 0 is the root."""
    cells = [row.split() for row in rows.strip().splitlines()]
    text, spans = "", []
    for row in cells:
        text += " " if text else ""
        spans.append((len(text), len(text) + len(row[0])))
        text += row[0]
    heads = [int(row[2]) - 1 if row[2] != "0" else i for i, row in enumerate(cells)]
    feats = [row[4] if len(row) > 4 else "" for row in cells]
    return build(text, spans, heads, [row[3] for row in cells], [row[1] for row in cells], feats)


def named(tree: Tree) -> list[Mention]:
    """Mentions of the words that name somebody."""
    found = zip(tree.starts, tree.ends, tree.forms, strict=True)
    return [Mention(start, end, BY_WORD[form]) for start, end, form in found if form in BY_WORD]


def book(*rules: Rule, lists: dict[str, tuple[str, ...]] | None = None) -> Rulebook:
    return Rulebook(
        sides=(SideInfo("red", "pro_red", "Red"), SideInfo("blue", "pro_blue", "Blue")),
        speakers=("red", "blue", "other", "unknown"),
        nobody="unknown",
        others="other",
        codebook="0",
        actors=tuple({actor.id: actor for actor in BY_WORD.values()}.values()),
        lists=lists or {},
        irregular={"strike": ("struck",)},
        rules=rules,
        digest="test",
    )


def rule(*patterns: tuple[Node, ...], name: str = "rule", **more: object) -> Rule:
    made = Rule(id=name, kind="dependency", effect="frame", trees=patterns, path="frame/x.yaml", line=3)
    return replace(made, **more)  # type: ignore[arg-type]


def run(tree: Tree, *rules: Rule, lists: dict[str, tuple[str, ...]] | None = None) -> list[TreeMatch]:
    return TreeMatcher(book(*rules, lists=lists)).match(tree, named(tree))


def words(tree: Tree, match: TreeMatch) -> dict[str, str]:
    return {name: tree.forms[token] for name, token in match.nodes.items()}


VERB = Node("verb", lemma=("shell",))
AGENT = Node("agent", relation=("=nsubj",), parent=("under", "verb"), side="X")
BY = Node("agent", relation=("obl:agent",), parent=("under", "verb"), side="X")
TARGET = Node("target", relation=("obj",), parent=("under", "verb"), side="other(X)")

ACTIVE = grow("""
    Redland PROPN 2 nsubj
    shells  VERB  0 root
    Blueland PROPN 2 obj
""")
PASSIVE = grow("""
    Homes    NOUN  3 nsubj:pass
    were     AUX   3 aux:pass
    shelled  VERB  0 root
    by       ADP   5 case
    Blueland PROPN 3 obl:agent
""")


# -- matching ------------------------------------------------------------------------------------------


def test_active_and_passive_bind_the_agent() -> None:
    both = rule((VERB, AGENT), (VERB, BY))
    [active] = run(ACTIVE, both)
    assert (active.side, active.nodes, active.rule.id) == ("red", {"verb": 1, "agent": 0}, "rule")
    assert ACTIVE.text[active.start : active.end] == "Redland shells"
    [passive] = run(PASSIVE, both)
    assert (passive.side, passive.nodes) == ("blue", {"verb": 2, "agent": 4})
    assert PASSIVE.text[passive.start : passive.end] == "shelled by Blueland"


def test_anchor_comes_first_among_the_nodes() -> None:
    [match] = run(ACTIVE, rule((VERB, AGENT, TARGET)))
    assert list(match.nodes) == ["verb", "agent", "target"]


def test_two_sides_must_differ() -> None:
    assert [m.side for m in run(ACTIVE, rule((VERB, AGENT, TARGET)))] == ["red"]
    own = grow("Redland PROPN 2 nsubj\nshells VERB 0 root\nRossa PROPN 2 obj")
    assert run(own, rule((VERB, AGENT, TARGET))) == []
    assert [m.side for m in run(own, rule((VERB, AGENT, replace(TARGET, side="X"))))] == ["red"]


def test_other_side_alone_binds_x() -> None:
    [match] = run(ACTIVE, rule((VERB, TARGET)))
    assert match.side == "red"
    [match] = run(ACTIVE, rule((VERB, replace(AGENT, side="other(X)"))))
    assert match.side == "blue"


def test_fixed_side_binds_nothing() -> None:
    [match] = run(ACTIVE, rule((VERB, replace(AGENT, side="red"))))
    assert match.side is None
    assert run(ACTIVE, rule((VERB, replace(AGENT, side="blue")))) == []


def test_each_side_once_and_the_first_token_of_a_side() -> None:
    tree = grow("""
        Rossa   PROPN 3 nsubj
        Redland PROPN 3 nsubj
        shells  VERB  0 root
        Blueland PROPN 3 nsubj
        Azura   PROPN 3 nsubj
    """)
    found = run(tree, rule((VERB, AGENT)))
    assert [(m.side, m.nodes["agent"]) for m in found] == [("red", 0), ("blue", 3)]


def test_first_tree_of_a_rule_wins_at_an_anchor() -> None:
    loose = Node("agent", relation=("nsubj",), parent=("under", "verb"), side="X")
    [match] = run(ACTIVE, rule((VERB, AGENT), (VERB, loose, replace(TARGET, side=None))))
    assert set(match.nodes) == {"verb", "agent"}


def test_every_anchor_matches() -> None:
    tree = grow("""
        Redland PROPN 2 nsubj
        shells  VERB  0 root
        and     CCONJ 5 cc
        Blueland PROPN 5 nsubj
        shelled VERB  2 conj
    """)
    assert [(m.nodes["verb"], m.side) for m in run(tree, rule((VERB, AGENT)))] == [(1, "red"), (4, "blue")]


def test_unless_forbids_a_child() -> None:
    never = Node("unless-1", lemma=("not", "never"), parent=("under", "verb"))
    denied = grow("""
        Redland PROPN 4 nsubj
        did     AUX   4 aux
        not     PART  4 advmod
        shell   VERB  0 root
    """)
    plain = rule((VERB, AGENT))
    assert len(run(denied, plain)) == 1
    assert run(denied, replace(plain, unless_nodes=(never,))) == []
    assert len(run(ACTIVE, replace(plain, unless_nodes=(never,)))) == 1


def test_missing_child_is_a_condition() -> None:
    agentless = rule((VERB, Node("patient", relation=("nsubj:pass",), parent=("under", "verb"))))
    silent = replace(
        agentless, unless_nodes=(Node("unless-1", relation=("obl:agent",), parent=("under", "verb")),)
    )
    assert len(run(PASSIVE, agentless)) == 1
    assert run(PASSIVE, silent) == []


def test_unless_tries_the_next_assignment() -> None:
    tree = grow("""
        alleged ADJ   2 amod
        Redland PROPN 4 nsubj
        Rossa   PROPN 4 nsubj
        shells  VERB  0 root
    """)
    doubt = Node("unless-1", form=("alleged",), parent=("under", "agent"))
    [match] = run(tree, rule((VERB, AGENT), unless_nodes=(doubt,)))
    assert words(tree, match)["agent"] == "rossa"


def test_unless_on_a_node_of_another_tree_is_void() -> None:
    doubt = Node("unless-1", parent=("under", "target"))
    [match] = run(PASSIVE, rule((VERB, BY), (VERB, AGENT, TARGET), unless_nodes=(doubt,)))
    assert match.side == "blue"


def test_unless_means_another_token() -> None:
    more = Node("unless-1", relation=("nsubj",), parent=("under", "verb"), side="X")
    assert len(run(ACTIVE, rule((VERB, AGENT), unless_nodes=(more,)))) == 1
    two = grow("Redland PROPN 3 nsubj\nRossa PROPN 3 nsubj\nshells VERB 0 root")
    assert run(two, rule((VERB, AGENT), unless_nodes=(more,))) == []


def test_nodes_are_different_tokens() -> None:
    twin = replace(AGENT, name="twin")
    assert run(ACTIVE, rule((VERB, AGENT, twin))) == []
    two = grow("Redland PROPN 3 nsubj\nRossa PROPN 3 nsubj\nshells VERB 0 root")
    [match] = run(two, rule((VERB, AGENT, twin)))
    assert words(two, match) == {"verb": "shells", "agent": "redland", "twin": "rossa"}


def test_relation_takes_subtypes_unless_exact() -> None:
    subject = Node("s", relation=("nsubj",), parent=("under", "verb"))
    assert len(run(PASSIVE, rule((VERB, subject)))) == 1
    assert run(PASSIVE, rule((VERB, replace(subject, relation=("=nsubj",))))) == []
    assert len(run(PASSIVE, rule((VERB, replace(subject, relation=("=nsubj:pass",)))))) == 1
    assert run(PASSIVE, rule((VERB, replace(subject, relation=("nsub",))))) == []
    assert len(run(PASSIVE, rule((VERB, replace(subject, relation=("=obj", "nsubj")))))) == 1


def test_lemma_form_list_and_upos() -> None:
    struck = grow("Redland PROPN 2 nsubj\nStruck VERB 0 root")
    assert len(run(struck, rule((Node("verb", lemma=("strike",)), AGENT)))) == 1
    assert run(struck, rule((Node("verb", form=("strike",)), AGENT))) == []
    assert len(run(struck, rule((Node("verb", form=("struck",)), AGENT)))) == 1
    assert run(struck, rule((Node("verb", lemma=("strike",), upos=("NOUN",)), AGENT))) == []
    listed = rule((Node("verb", list="acts"), AGENT))
    assert len(run(struck, listed, lists={"acts": ("(hit|strike~)", "bomb~")})) == 1
    assert run(struck, listed, lists={"acts": ("strike",)}) == []


def test_feats_name_and_value() -> None:
    tree = grow("Redland PROPN 2 nsubj Number=Sing\nshelled VERB 0 root Tense=Past|VerbForm=Fin,Part")
    past = replace(VERB, feats=(("Tense", "Past"),))
    assert len(run(tree, rule((past, AGENT)))) == 1
    assert len(run(tree, rule((replace(past, feats=(("Tense", "Past"), ("VerbForm", "Part"))), AGENT)))) == 1
    assert run(tree, rule((replace(past, feats=(("Tense", "Pres"),)), AGENT))) == []
    assert run(tree, rule((replace(past, feats=(("Mood", "Ind"),)), AGENT))) == []


def test_within_above_before_after() -> None:
    tree = grow("""
        Redland PROPN 2 nsubj
        said    VERB  0 root
        Blueland PROPN 4 nsubj
        shells  VERB  2 ccomp
        its     PRON  6 nmod:poss
        homes   NOUN  4 obj
    """)
    anchor = Node("home", form=("homes",))
    verb = Node("verb", parent=("above", "home"))
    say = Node("say", form=("said",), parent=("above", "verb"))
    deep = Node("deep", form=("its",), parent=("within", "say"))
    [match] = run(tree, rule((anchor, verb, say, deep)))
    assert words(tree, match) == {"home": "homes", "verb": "shells", "say": "said", "deep": "its"}
    assert run(tree, rule((Node("say", form=("said",)), Node("up", parent=("above", "say"))))) == []
    for key, found in (("before", 1), ("after", 0)):
        node = replace(Node("own", form=("its",), parent=("under", "home")), **{key: "home"})  # type: ignore[arg-type]
        assert len(run(tree, rule((anchor, node)))) == found


def test_optional_nodes_bind_if_they_can() -> None:
    target = replace(TARGET, side=None, optional=True)
    below = Node("below", form=("all",), parent=("under", "target"), optional=True)
    [match] = run(ACTIVE, rule((VERB, AGENT, target, below)))
    assert set(match.nodes) == {"verb", "agent", "target"}
    [match] = run(grow("Redland PROPN 2 nsubj\nshells VERB 0 root"), rule((VERB, AGENT, target, below)))
    assert set(match.nodes) == {"verb", "agent"}


def test_optional_side_binds_x_if_it_can() -> None:
    maybe = rule((VERB, replace(AGENT, optional=True)))
    assert [m.side for m in run(ACTIVE, maybe)] == ["red"]
    assert [m.side for m in run(grow("They PRON 2 nsubj\nshell VERB 0 root"), maybe)] == [None]


def test_party_and_kind() -> None:
    pals = grow("Pals PROPN 2 nsubj\nshell VERB 0 root")
    assert len(run(pals, rule((VERB, AGENT)))) == 1
    assert run(pals, rule((VERB, replace(AGENT, party=True)))) == []
    assert len(run(ACTIVE, rule((VERB, replace(AGENT, party=True))))) == 1
    assert len(run(pals, rule((VERB, replace(AGENT, actor=("alliance", "force")))))) == 1
    assert run(pals, rule((VERB, replace(AGENT, actor=("country",))))) == []
    anyone = replace(AGENT, side=None, party=True)
    assert run(grow("They PRON 2 nsubj\nshell VERB 0 root"), rule((VERB, anyone))) == []


def test_marks_choose_the_evidence() -> None:
    plain = rule((VERB, AGENT, TARGET))
    [match] = run(ACTIVE, plain)
    assert ACTIVE.text[match.start : match.end] == "Redland shells Blueland"
    [match] = run(ACTIVE, replace(plain, marks=("target",)))
    assert ACTIVE.text[match.start : match.end] == "shells Blueland"
    [match] = run(ACTIVE, replace(plain, marks=("verb",)))
    assert ACTIVE.text[match.start : match.end] == "shells"


def test_order_of_rules_does_not_matter() -> None:
    rules = [rule((VERB, AGENT), name=f"r{i}") for i in range(4)] + [rule((VERB, TARGET), name="a")]
    first = run(ACTIVE, *rules)
    assert [m.rule.id for m in first] == ["a", "r0", "r1", "r2", "r3"]
    for seed in range(5):
        random.Random(seed).shuffle(rules)
        assert run(ACTIVE, *rules) == first


def test_trial_and_effects_choose_rules() -> None:
    rulebook = book(
        rule((VERB, AGENT), name="a"),
        rule((VERB, AGENT), name="b", status="trial"),
        rule((VERB, AGENT), name="c", effect="voice"),
        Rule(id="d", kind="lexical", effect="frame", phrases=("shell~",)),
    )

    def ids(matcher: TreeMatcher) -> list[str]:
        return [m.rule.id for m in matcher.match(ACTIVE, named(ACTIVE))]

    assert ids(TreeMatcher(rulebook)) == ["a", "c"]
    assert ids(TreeMatcher(rulebook, trial=True)) == ["a", "b", "c"]
    assert ids(TreeMatcher(rulebook, trial=True, effects=("frame",))) == ["a", "b"]


# -- anchors -------------------------------------------------------------------------------------------


def test_keys_and_wants() -> None:
    matcher = TreeMatcher(book(rule((VERB, AGENT)), rule((Node("v", form=("sham",)),), name="s")))
    assert matcher.keys == {"shell", "shells", "shelled", "shelling", "sham"}
    assert matcher.wants({"they", "shelled"})
    assert not matcher.wants({"they", "said"})
    red = [Mention(0, 1, RED)]
    assert matcher.wants({"shelled"}, red)
    assert not matcher.wants({"shelled"}, [])
    assert not matcher.wants({"shelled"}, [Mention(0, 1, MINISTER)])
    assert matcher.wants({"sham"}, [])
    fixed = TreeMatcher(book(rule((VERB, replace(AGENT, side="blue")))))
    assert not fixed.wants({"shelled"}, red)


def test_anchor_is_a_word_of_the_light_tokenizer() -> None:
    """What the parser cuts out of a longer word is no anchor: the lexicon, which decides, does not see it."""
    text = "Redland don't"
    spans = [(0, 7), (8, 10), (10, 13)]
    tree = build(text, spans, [1, 1, 1], ["nsubj", "root", "advmod"], ["PROPN", "AUX", "PART"], ["", "", ""])
    do = rule((Node("verb", lemma=("do",)), AGENT))
    assert "do" not in Tokens(text).positions
    assert TreeMatcher(book(do)).match(tree, named(tree)) == []


# -- refusals ------------------------------------------------------------------------------------------

BAD = {
    "needs lemma, form or list": rule((Node("verb", upos=("VERB",)),)),
    "cannot be optional": rule((replace(VERB, optional=True),)),
    "is no plain word": rule((Node("verb", form=("so-called",)),)),
    "hangs on none": rule((replace(VERB, parent=("under", "x")),)),
    "needs one of under": rule((VERB, Node("x", form=("a",)))),
    "no earlier node": rule((VERB, replace(AGENT, parent=("under", "x")))),
    "write under, within or above": rule((VERB, replace(AGENT, parent=("beside", "verb")))),
    "has side 'green'": rule((VERB, replace(AGENT, side="green"))),
    "are called 'agent'": rule((VERB, AGENT, AGENT)),
    "hangs on an optional one": rule(
        (VERB, replace(AGENT, optional=True), Node("x", parent=("under", "agent")))
    ),
    "no list 'acts'": rule((Node("verb", list="acts"),)),
    "'many words'": rule((Node("verb", list="bad"),)),
    "'marks' names 'x'": rule((VERB, AGENT), marks=("x",)),
    "'unless' hangs on 'x'": rule((VERB, AGENT), unless_nodes=(Node("u", parent=("under", "x")),)),
    "'unless' has side X": rule((VERB,), unless_nodes=(Node("u", parent=("under", "verb"), side="X"),)),
    "without nodes": rule(()),
}


@pytest.mark.parametrize("message", BAD)
def test_bad_rules_are_refused_with_their_place(message: str) -> None:
    with pytest.raises(StanceError) as caught:
        TreeMatcher(book(BAD[message], lists={"bad": ("one", "many words")}))
    assert str(caught.value).startswith("frame/x.yaml:3: rule: ")
    assert message in str(caught.value)


# -- camps ---------------------------------------------------------------------------------------------


def sides(rows: str) -> dict[str, str | None]:
    tree = grow(rows)
    return dict(zip(tree.forms, (camp.side for camp in camps(tree, named(tree))), strict=True))


@pytest.mark.parametrize(
    "relation", ["amod", "compound", "nmod:poss", "appos", "flat", "flat:foreign", "nmod:desc"]
)
def test_noun_takes_the_camp_of_its_modifier(relation: str) -> None:
    assert sides(f"Red ADJ 2 {relation}\ntroops NOUN 0 root")["troops"] == "red"
    assert sides(f"Red ADJ 2 {relation}\nran VERB 0 root")["ran"] is None


@pytest.mark.parametrize(("case", "side"), [("of", "red"), ("from", "red"), ("in", None), ("against", None)])
def test_only_of_and_from_give_a_camp(case: str, side: str | None) -> None:
    assert sides(f"troops NOUN 0 root\n{case} ADP 3 case\nRedland PROPN 1 nmod")["troops"] == side


def test_nmod_without_preposition_gives_none() -> None:
    assert sides("troops NOUN 0 root\nRedland PROPN 1 nmod:unmarked")["troops"] is None


def test_nmod_must_be_an_actor_itself() -> None:
    assert sides("""
        fear   NOUN 0 root
        of     ADP  4 case
        Red    ADJ  4 amod
        talk   NOUN 1 nmod
    """) == {"fear": None, "of": None, "red": "red", "talk": "red"}
    assert sides("aide NOUN 0 root\nof ADP 4 case\nRed ADJ 4 amod\nminister NOUN 1 nmod")["aide"] == "red"


def test_camps_pass_through_chains() -> None:
    found = sides("""
        Redland  PROPN 3 nmod:poss
        's       PART  1 case
        minister NOUN  5 nmod:poss
        's       PART  3 case
        aide     NOUN  0 root
    """)
    assert (found["minister"], found["aide"]) == ("red", "red")


def test_what_stands_before_outweighs_of() -> None:
    rows = "{} PROPN 2 {}\nwar NOUN 0 root\nof ADP 4 case\nBlueland PROPN 2 nmod"
    for relation in ("nmod:poss", "amod", "compound"):
        assert sides(rows.format("Redland", relation))["war"] == "red"
    assert sides(rows.format("Redland", "appos"))["war"] is None


def test_modifiers_of_both_camps_give_none() -> None:
    assert sides("Red ADJ 4 amod\nand CCONJ 3 cc\nBlue ADJ 1 conj\ntroops NOUN 0 root")["troops"] is None
    assert sides("Red ADJ 3 amod\nBlue ADJ 3 amod\ntroops NOUN 0 root")["troops"] is None


def test_quarrelling_modifiers_are_not_healed_by_a_conjunct() -> None:
    found = sides("""
        Redland PROPN 0 root
        Red     ADJ   4 amod
        Blue    ADJ   4 amod
        troops  NOUN  1 conj
    """)
    assert found["troops"] is None


def test_own_mention_wins_over_modifiers() -> None:
    assert sides("Redland PROPN 3 nmod:poss\n's PART 1 case\nBlueland PROPN 0 root")["blueland"] == "blue"


def test_conjuncts_share_a_camp() -> None:
    found = sides("""
        Red      ADJ  2 amod
        soldiers NOUN 0 root
        and      CCONJ 4 cc
        sailors  NOUN 2 conj
        but      CCONJ 7 cc
        Blue     ADJ  7 amod
        pilots   NOUN 2 conj
    """)
    assert (found["soldiers"], found["sailors"], found["pilots"]) == ("red", "red", "blue")
    assert sides("Redland PROPN 0 root\nran VERB 1 conj")["ran"] is None


def test_a_conjunct_alone_asks_for_its_first() -> None:
    tree = grow("""
        Red      ADJ   2 amod
        soldiers NOUN  5 obl
        and      CCONJ 4 cc
        sailors  NOUN  2 conj
        shell    VERB  0 root
    """)
    sailor = Node("agent", form=("sailors",), side="X", parent=("within", "verb"))
    assert [m.side for m in run(tree, rule((VERB, sailor)))] == ["red"]


def test_relative_pronouns_take_their_antecedents_camp() -> None:
    tree = grow("""
        Redland PROPN 5 nsubj
        ,       PUNCT 4 punct
        which   PRON  4 nsubj PronType=Rel
        shells  VERB  1 acl:relcl
        fell    VERB  0 root
    """)
    assert antecedent(tree, 2) == 0
    assert camps(tree, named(tree))[2] == Camp("red", False, "country", named(tree)[0])
    [match] = run(tree, rule((VERB, AGENT)))
    assert (match.side, words(tree, match)["agent"]) == ("red", "which")


def test_whose_gives_its_noun_the_camp() -> None:
    tree = grow("""
        Blueland PROPN 5 nsubj
        whose    PRON  3 nmod:poss PronType=Rel
        troops   NOUN  4 nsubj
        shell    VERB  1 acl:relcl
        fell     VERB  0 root
    """)
    [match] = run(tree, rule((VERB, AGENT)))
    assert match.side == "blue"


def test_antecedent_needs_a_relative_pronoun_in_a_relative_clause() -> None:
    tree = grow("""
        Redland PROPN 3 nsubj
        who     PRON  3 nsubj
        shells  VERB  0 root
        that    SCONJ 3 mark
    """)
    assert [antecedent(tree, i) for i in range(4)] == [None] * 4


def test_role_keeps_its_kind_and_takes_a_side() -> None:
    tree = grow("Red ADJ 2 amod\nminister NOUN 0 root")
    own = named(tree)[1]
    assert camps(tree, named(tree))[1] == Camp("red", False, "role", own)
    lone = grow("minister NOUN 0 root")
    assert camps(lone, named(lone)) == (Camp(None, False, "role", named(lone)[0]),)


def test_a_noun_without_a_mention_has_no_kind() -> None:
    tree = grow("Pals PROPN 2 compound\ntanks NOUN 0 root")
    assert camps(tree, named(tree))[1] == Camp("red", True, None, named(tree)[0])


def test_mention_of_several_words_sits_on_its_head() -> None:
    tree = grow("""
        the     DET   4 det
        Redland PROPN 4 compound
        armed   ADJ   4 amod
        forces  NOUN  5 nsubj
        shell   VERB  0 root
    """)
    whole = Mention(tree.starts[1], tree.ends[3], RED)
    assert [camp.side for camp in camps(tree, [whole])] == [None, None, None, "red", None]
    last = Mention(tree.starts[3], tree.ends[3], BLUE)
    for both in ([last, whole], [whole, last]):
        assert camps(tree, both)[3].side == "red"
    inner = Mention(tree.starts[1], tree.ends[1], BLUE)
    assert [camp.side for camp in camps(tree, [inner, whole])] == [None, "blue", None, "red", None]


def test_mention_beyond_the_tokens_is_harmless() -> None:
    tree = grow("Red ADJ 0 root")
    assert camps(tree, [Mention(50, 60, RED)]) == (NO_CAMP,)
    assert camps(build("", [], [], [], [], []), [Mention(0, 3, RED)]) == ()


# -- helpers for who speaks ----------------------------------------------------------------------------

LONG = grow("""
    by        ADP   4 case
    the       DET   4 det
    foreign   ADJ   4 amod
    minister  NOUN  0 root
    of        ADP   6 case
    Redland   PROPN 4 nmod
    ,         PUNCT 9 punct
    Mr        PROPN 9 nmod:desc
    Rossa     PROPN 4 appos
    ,         PUNCT 12 punct
    who       PRON  12 nsubj PronType=Rel
    resigned  VERB  4 acl:relcl
    and       CCONJ 14 cc
    aides     NOUN  4 conj
""")


def test_noun_phrase_without_its_clauses() -> None:
    start, end = head_noun_span(LONG, 3)
    assert LONG.text[start:end] == "the foreign minister of Redland"
    assert appositions(LONG, 3) == (8,)
    start, end = head_noun_span(LONG, 8)
    assert LONG.text[start:end] == "Mr Rossa"
    assert subtree_span(LONG, 3) == (0, len(LONG.text))


def test_noun_phrase_spans_marks_within_it_only() -> None:
    tree = grow("""
        a      DET  5 det
        foreign ADJ 4 amod
        -      PUNCT 4 punct
        policy NOUN 5 compound
        aide   NOUN 0 root
        -      PUNCT 5 punct
    """)
    start, end = head_noun_span(tree, 4)
    assert tree.text[start:end] == "a foreign - policy aide"


# -- size ----------------------------------------------------------------------------------------------


def test_a_chain_of_three_hundred_tokens() -> None:
    size = 300
    rows = ["shells VERB 0 root"] + [f"w{i} NOUN {i} nmod:poss" for i in range(1, size - 1)]
    tree = grow("\n".join([*rows, f"Redland PROPN {size - 1} nmod:poss"]))
    far = Node("far", side="X", parent=("within", "verb"), form=("redland",))
    [match] = run(tree, rule((VERB, far)))
    assert match.nodes["far"] == size - 1
    assert camps(tree, named(tree))[1].side == "red"
    assert len(tree.subtree(0)) == size
    assert head_noun_span(tree, 1)[0] == tree.starts[1]


def test_search_gives_up_after_a_bounded_number_of_tries(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three nodes over many alike children, and an order that no three can have."""
    rows = ["shells VERB 0 root"] + ["Redland PROPN 1 obl"] * 200
    tree = grow("\n".join(rows))
    a = Node("a", relation=("obl",), parent=("under", "verb"), side="X")
    b = replace(a, name="b", after="a")
    c = replace(a, name="c", after="b", before="a")
    tried = 0
    fits = trees._in_order

    def counted(*args: object) -> bool:
        nonlocal tried
        tried += 1
        return fits(*args)  # type: ignore[arg-type]

    monkeypatch.setattr(trees, "_in_order", counted)
    assert run(tree, rule((VERB, a, b, c))) == []
    assert tried <= trees.MAX_TRIES


# -- properties ----------------------------------------------------------------------------------------

FORMS = ("shell", "shells", "redland", "blueland", "redland", "blueland", "pals", "who", "not", "of")
UPOS = ("VERB", "NOUN", "PROPN", "ADJ", "PRON", "ADP")
RELATIONS = (
    "nsubj",
    "nsubj:pass",
    "obj",
    "obl",
    "amod",
    "nmod",
    "nmod:poss",
    "case",
    "conj",
    "acl:relcl",
    "appos",
    "flat",
)
NAMES = ("anchor", "b", "c", "d")


def make_tree(rng: random.Random, most: int) -> Tree:
    size = rng.randint(0, most) if rng.random() < 0.2 else most
    order = rng.sample(range(size), size)
    heads = list(range(size))
    for place, token in enumerate(order[1:], 1):
        heads[token] = order[rng.randrange(place)]
    forms = rng.choices(FORMS, k=size)
    spans, position = [], 0
    for form in forms:
        spans.append((position, position + len(form)))
        position += len(form) + 1
    feats = rng.choices(("", "PronType=Rel", "Tense=Past"), k=size)
    return build(
        " ".join(forms), spans, heads, rng.choices(RELATIONS, k=size), rng.choices(UPOS, k=size), feats
    )


def make_node(rng: random.Random, earlier: tuple[str, ...], name: str, *, binds: bool = True) -> Node:
    order = {rng.choice(("before", "after")): rng.choice(earlier)} if rng.random() < 0.2 else {}
    node = Node(
        name,
        form=rng.choice(((), (), (), (), ("redland", "blueland", "pals"), ("not", "shell"))),
        upos=rng.choice(((), (), (), (), ("NOUN", "PROPN"))),
        relation=rng.choice(((), (), (), (), ("nsubj",), ("=nsubj", "nmod"))),
        parent=(rng.choice(("under", "within", "within", "above")), rng.choice(earlier)),
        side=rng.choice((None, None, "X", "other(X)")) if binds else None,
        party=rng.random() < 0.1,
        feats=rng.choice(((), (), (), (), (), (("Tense", "Past"),))),
    )
    return replace(node, **order)  # type: ignore[arg-type]


def make_rule(rng: random.Random, name: str = "rule") -> Rule:
    patterns = []
    for _ in range(rng.randint(1, 2)):
        nodes = [Node("anchor", lemma=("shell",), side=rng.choice((None, None, None, "X")))]
        for other in NAMES[1 : rng.choice((1, 2, 3, 3, 4))]:
            node = make_node(rng, tuple(n.name for n in nodes), other)
            hangs = next(n for n in nodes if node.parent is not None and n.name == node.parent[1])
            nodes.append(replace(node, optional=hangs.optional or rng.random() < 0.25))
        patterns.append(tuple(nodes))
    unless = tuple(make_node(rng, ("anchor",), "unless-1", binds=False) for _ in range(rng.randint(0, 1)))
    return rule(*patterns, name=name, unless_nodes=unless)


# Drawn by seed, not piece by piece: hypothesis leans towards small values, and small trees match nothing.
SEEDS = st.integers(0, 2**32).map(random.Random)


def any_tree(most: int) -> st.SearchStrategy[Tree]:
    return SEEDS.map(lambda rng: make_tree(rng, most))


def any_rule(name: str = "rule") -> st.SearchStrategy[Rule]:
    return SEEDS.map(lambda rng: make_rule(rng, name))


def slow(
    tree: Tree, mentions: Sequence[Mention], made: Rule
) -> set[tuple[int, str | None, tuple[tuple[str, int], ...]]]:
    """What a rule matches, by trying every assignment of tokens in order."""
    standing = camps(tree, mentions)
    other = {"red": "blue", "blue": "red"}
    best: dict[tuple[int, str | None], tuple[tuple[str, int], ...]] = {}

    def fits(node: Node, i: int, x: str | None, bound: dict[str, int | None]) -> bool:
        camp, relation = standing[i], tree.relations[i]
        forms = set(node.form) | ({"shell", "shells", "shelled", "shelling"} if node.lemma else set())
        wanted = {"X": x, "other(X)": other.get(x or ""), None: None}[node.side]
        before, after = bound.get(node.before or ""), bound.get(node.after or "")
        return (
            (not forms or tree.forms[i] in forms)
            and (not node.upos or tree.upos[i] in node.upos)
            and (
                not node.relation
                or any(relation == r.lstrip("=") or relation.startswith(r + ":") for r in node.relation)
            )
            and all(f"{key}={value}" in tree.feats[i].split("|") for key, value in node.feats)
            and (not node.party or (camp.side is not None and not camp.ally))
            and (node.side is None or (camp.side is not None and camp.side == wanted))
            and (before is None or i < before)
            and (after is None or i > after)
        )

    def hangs(node: Node, i: int, bound: dict[str, int | None]) -> bool:
        if node.parent is None:
            return True
        parent = bound.get(node.parent[1])
        if parent is None:
            return False
        if node.parent[0] == "under":
            return tree.heads[i] == parent != i
        if node.parent[0] == "above":
            return tree.heads[parent] == i != parent
        return i != parent and i in tree.subtree(parent)

    def assignments(nodes: tuple[Node, ...]) -> Iterator[dict[str, int | None]]:
        for tokens in itertools.product((*range(len(tree)), None), repeat=len(nodes)):
            yield dict(zip((n.name for n in nodes), tokens, strict=True))

    for nodes in made.trees:
        binds = any(node.side in ("X", "other(X)") for node in nodes)
        found: dict[int, list[tuple[str | None, tuple[tuple[str, int], ...]]]] = {}
        for x in ("red", "blue") if binds else (None,):
            seen = set()
            for bound in assignments(nodes):
                tokens = [t for t in bound.values() if t is not None]
                anchor = bound["anchor"]
                if anchor is None or anchor in seen or len(set(tokens)) != len(tokens):
                    continue
                if not all(
                    (bound[n.name] is None and n.optional)
                    or (
                        bound[n.name] is not None
                        and hangs(n, bound[n.name], bound)
                        and fits(n, bound[n.name], x, bound)
                    )  # type: ignore[arg-type]
                    for n in nodes
                ):
                    continue
                if any(
                    i not in tokens and hangs(u, i, bound) and fits(u, i, x, bound)
                    for u in made.unless_nodes
                    for i in range(len(tree))
                ):
                    continue
                seen.add(anchor)
                used = any(bound[n.name] is not None and n.side is not None for n in nodes)
                chosen = tuple((k, t) for k, t in bound.items() if t is not None)
                found.setdefault(anchor, []).append((x if used else None, chosen))
        for anchor, items in found.items():
            bindings = [item for item in items if item[0] is not None] or items[:1]
            for side, chosen in bindings:
                best.setdefault((anchor, side), chosen)
    return {(anchor, side, chosen) for (anchor, side), chosen in best.items()}


def plain(matches: Sequence[TreeMatch]) -> set[tuple[int, str | None, tuple[tuple[str, int], ...]]]:
    return {(m.nodes["anchor"], m.side, tuple(m.nodes.items())) for m in matches}


@settings(max_examples=600, deadline=None)
@given(any_tree(6), any_rule())
def test_finds_what_trying_everything_finds(tree: Tree, made: Rule) -> None:
    assert plain(TreeMatcher(book(made)).match(tree, named(tree))) == slow(tree, named(tree), made)


@settings(max_examples=300, deadline=None)
@given(
    any_tree(12),
    st.lists(st.integers(0, 4).flatmap(lambda i: any_rule(f"r{i}")), max_size=4, unique_by=lambda r: r.id),
)
def test_rules_do_not_disturb_each_other(tree: Tree, rules: list[Rule]) -> None:
    mentions = named(tree)
    together = TreeMatcher(book(*rules)).match(tree, mentions)
    alone = [m for made in rules for m in TreeMatcher(book(made)).match(tree, mentions)]
    assert sorted(map(repr, together)) == sorted(map(repr, alone))
    assert together == TreeMatcher(book(*reversed(rules))).match(tree, list(reversed(mentions)))
    for match in together:
        assert 0 <= match.start < match.end <= len(tree.text)


@settings(max_examples=300, deadline=None)
@given(any_tree(12), any_rule())
def test_swapped_camps_swap_the_sides(tree: Tree, made: Rule) -> None:
    swap = {"red": "blue", "blue": "red", None: None}
    mentions = named(tree)
    mirrored = [replace(m, actor=replace(m.actor, side=swap[m.actor.side])) for m in mentions]
    matcher = TreeMatcher(book(made))
    assert [swap[camp.side] for camp in camps(tree, mentions)] == [
        camp.side for camp in camps(tree, mirrored)
    ]
    expected = {(anchor, swap[side], nodes) for anchor, side, nodes in plain(matcher.match(tree, mentions))}
    assert plain(matcher.match(tree, mirrored)) == expected


@settings(max_examples=300, deadline=None)
@given(any_tree(12), any_rule())
def test_what_is_not_wanted_cannot_match(tree: Tree, made: Rule) -> None:
    matcher = TreeMatcher(book(made))
    found = matcher.match(tree, named(tree))
    light = Tokens(tree.text).positions
    if found:
        assert matcher.wants(light)
        assert matcher.wants(light, named(tree))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="aAsS'’.-_ 1xǅß", max_size=12), st.data())
def test_a_light_word_is_behind_every_anchor(text: str, data: st.DataObject) -> None:
    """However a tokenizer cuts a text: a token that anchors a match is a word that the lexicon sees."""
    cuts = sorted(data.draw(st.sets(st.integers(0, len(text)))) | {0, len(text)})
    spans = [(a, b) for a, b in itertools.pairwise(cuts) if text[a:b].strip() == text[a:b] != ""]
    size = len(spans)
    tree = build(text, spans, [0] * size, ["dep"] * size, ["X"] * size, [""] * size)
    keys = {form for form in tree.forms if trees.WORD.fullmatch(form)}
    matcher = TreeMatcher(
        book(*(rule((Node("anchor", form=(key,)),), name=f"r{i}") for i, key in enumerate(sorted(keys))))
    )
    light = Tokens(text).positions
    for match in matcher.match(tree, []):
        assert tree.forms[match.nodes["anchor"]] in light


@settings(max_examples=200, deadline=None)
@given(any_tree(12))
def test_helpers_never_fail(tree: Tree) -> None:
    for i in range(len(tree)):
        start, end = head_noun_span(tree, i)
        assert start <= tree.starts[i] < tree.ends[i] <= end
        assert subtree_span(tree, i)[0] <= tree.starts[i]
        assert antecedent(tree, i) != i
        assert i not in appositions(tree, i)
