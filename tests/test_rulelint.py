"""Lints: each kind is found where it is, and a clean rulebook has none."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from stance.rulebook import Actor, Example, Node, Rule, Rulebook, SideInfo
from stance.rulelint import lint


def rule(name: str, *phrases: str, side: str = "moscow", **more: object) -> Rule:
    partner = more.pop("partner", None)
    base = Rule(
        id=name,
        kind="lexical",
        effect="frame",
        side=side,
        test="N",
        strength="strong",
        phrases=phrases,
        mirror_partner=partner,  # type: ignore[arg-type]
        path=f"frame/naming/{name}.yaml",
        line=1,
    )
    return replace(base, **more)  # type: ignore[arg-type]


def book(
    *rules: Rule, actors: tuple[Actor, ...] = (), lists: Mapping[str, tuple[str, ...]] | None = None
) -> Rulebook:
    return Rulebook(
        sides=(SideInfo("kyiv", "pro_kyiv", "Kyiv"), SideInfo("moscow", "pro_moscow", "Moscow")),
        speakers=("kyiv", "moscow", "unknown", "other"),
        nobody="unknown",
        others="other",
        codebook="4",
        actors=actors,
        lists=lists or {},
        irregular={},
        rules=tuple(sorted(rules, key=lambda one: one.id)),
        digest="",
    )


def messages(rulebook: Rulebook) -> list[str]:
    return [str(fault) for fault in lint(rulebook)]


def test_a_clean_rulebook_has_no_lints() -> None:
    assert lint(book(rule("a", "junta", "kyiv regime"), rule("b", "orcs", side="kyiv"))) == []


@pytest.mark.parametrize(
    ("first", "second", "less"),
    [
        ("junta", "junta", "junta"),
        ("junta", "Junta", "Junta"),
        ("junta~", "juntas", "juntas"),
        ("so-called junta", "so called junta", "so called junta"),
        ("(old|new) junta", "old junta", "old junta"),
        ("the? junta", "junta", "junta"),
        ("{X:leader} junta", "{X:leader} junta", "{X:leader} junta"),
        ("junta *2 out", "junta *2 out", "junta *2 out"),
    ],
)
def test_a_phrase_that_finds_nothing_new(first: str, second: str, less: str) -> None:
    (found,) = messages(book(rule("a", first), rule("b", second)))
    assert found.startswith("frame/naming/b.yaml:1: b: phrase ")
    assert f"phrase {less!r} finds nothing beyond {first!r} of a; leave one out" in found
    (within,) = messages(book(rule("a", first, second)))
    assert f"finds nothing beyond {first!r}; leave one out" in within


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("junta", "junta out"),
        ("junta", "JUNTA"),
        ("{X} junta", "{Y} junta"),
        ("{X:leader} junta", "{X:force} junta"),
        ("junta *2 out", "junta *3 out"),
        ("(old|new) junta", "(old|last) junta"),
        ('junta "', "junta"),
    ],
)
def test_phrases_that_find_different_things(first: str, second: str) -> None:
    assert messages(book(rule("a", first), rule("b", second))) == []


def test_equal_phrases_may_have_different_effects() -> None:
    opinion = rule("b", "junta", effect="opinion", side=None, test=None)
    assert messages(book(rule("a", "junta"), opinion)) == []


def test_many_spellings_are_compared_as_a_whole() -> None:
    many = " ".join("(aa|bb|cc|dd)" for _ in range(8))
    (found,) = messages(book(rule("a", many), rule("b", many)))
    assert "finds nothing beyond" in found
    (found,) = messages(book(rule("a", many), rule("b", many, side="kyiv")))
    assert "is for side kyiv, but a gives it to moscow" in found


def test_a_phrase_for_both_sides() -> None:
    (found,) = messages(book(rule("a", "(orc|elf) horde"), rule("b", "elf horde", side="kyiv")))
    assert found == (
        "frame/naming/b.yaml:1: b: phrase 'elf horde' is for side kyiv, but a gives it to moscow; keep one"
    )
    (found,) = messages(book(rule("a", "elf horde"), rule("b", "(orc|elf) horde", side="kyiv")))
    assert "phrase '(orc|elf) horde' (elf horde) is for side kyiv" in found


def test_lists() -> None:
    tree = (Node("verb", list="verbs"),)
    lists = {"verbs": ("say~", "put it"), "used": ("x",), "excused": ("y",), "unused": ("z",)}
    rules = (
        rule("a", "junta <used>", unless_phrases=("<excused> junta",)),
        rule("b", kind="dependency", trees=(tree,)),
    )
    assert messages(book(*rules, lists=lists)) == [
        "frame/naming/b.yaml:1: b: item 'put it' of list 'verbs' can match no tree node: not one word",
        "lists/unused.yaml:1: no rule uses the list 'unused'; delete it or use it",
    ]
    unless = rule("c", kind="dependency", unless_nodes=(Node("unless-1", list="verbs"),))
    assert not any("no rule uses" in found for found in messages(book(unless, lists={"verbs": ("say",)})))


def test_actors() -> None:
    actors = (
        Actor("a", ("Aland",), side="kyiv", mirror="b", path="actors/x.yaml", line=2),
        Actor("b", ("Bland", "(Bee|Ay) land"), side="moscow", mirror="a", path="actors/x.yaml", line=3),
        Actor("c", ("Ay land",), side="moscow", path="actors/x.yaml", line=4),
        Actor("d", ("minister",), side="moscow", kind="role", path="actors/x.yaml", line=5),
        Actor("e", ("bystander",), path="actors/x.yaml", line=6),
    )
    assert messages(book(actors=actors)) == [
        "actors/x.yaml:4: actor 'c' has the name 'ay land' of 'b'; keep one",
        "actors/x.yaml:4: without a mirror partner are 1 actors of a side: c",
    ]


def test_partners_of_unequal_status() -> None:
    one = rule("a", "junta", partner="b")
    other = rule("b", "horde", side="kyiv", partner="a", status="trial")
    assert messages(book(one, other)) == [
        "frame/naming/a.yaml:1: a: partner 'b' is trial, this rule active; make them equal",
        "frame/naming/b.yaml:1: b: partner 'a' is active, this rule trial; make them equal",
    ]


def test_examples_that_disagree() -> None:
    def shown(side: str, voice: str, mark: tuple[int, int]) -> tuple[Example, ...]:
        return (Example("The junta and the horde.", (mark,), side, voice, line=9),)

    def found(second: tuple[Example, ...]) -> list[str]:
        first = rule("a", "junta", examples=shown("moscow", "author", (4, 9)))
        return messages(book(first, rule("b", "horde", side="kyiv", examples=second)))

    assert found(shown("moscow", "author", (4, 9))) == []
    assert found(shown("moscow", "quoted", (18, 23))) == []
    (sides,) = found(shown("kyiv", "author", (18, 23)))
    assert sides == "frame/naming/b.yaml:9: b: the same example has side moscow in a (frame/naming/a.yaml:9)"
    (voices,) = found(shown("moscow", "quoted", (4, 23)))
    assert "the same words have voice author in a" in voices
    known_miss = (replace(shown("kyiv", "author", (18, 23))[0], xfail="a known miss"),)
    assert found(known_miss) == []
