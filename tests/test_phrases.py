"""The phrase language: what each sign becomes, what is refused and where, and the keys of a phrase."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.phrases import (
    ActorSlot,
    Alternatives,
    Element,
    Gap,
    Mark,
    Optional,
    PhraseError,
    UnknownList,
    Word,
    keys,
    parse,
)

LISTS = {"say": ["say~", "put it"], "bodies": ["EU", "NATO"], "bad": ["{X}"]}
IRREGULAR = {"say": ("says", "said")}


def word(*forms: str) -> Word:
    return Word(frozenset(forms))


def exact(spelling: str) -> Word:
    return Word(frozenset({spelling.lower()}), spelling)


def read(phrase: str) -> tuple[Element, ...]:
    return parse(phrase, LISTS, IRREGULAR)


@pytest.mark.parametrize(
    ("phrase", "elements"),
    [
        ("special Operation", (word("special"), word("operation"))),
        ("so-called", (word("so"), word("called"))),
        ("regime~", (word("regime", "regimes", "regimed", "regiming"),)),
        ("say~ that", (word("say", "says", "said", "saying"), word("that"))),
        ("SMO", (exact("SMO"),)),
        ("=Orcs", (exact("Orcs"),)),
        ("A plan", (word("a"), word("plan"))),
        ("U.S.-backed", (exact("U.S."), word("backed"))),
        ("Kyiv's", (word("kyiv"), word("'s"))),
        ("Kyiv’s", (word("kyiv"), word("'s"))),
        ("they'll don't", (word("they"), word("'ll"), word("don't"))),
        ("O'Brien", (word("o'brien"),)),
        ("occupiers' lies", (word("occupiers"), word("lies"))),
        ("(a|b)", (word("a", "b"),)),
        ("(a|b c)", (Alternatives(((word("a"),), (word("b"), word("c")))),)),
        ("(a b)", (word("a"), word("b"))),
        ("(a|EU)", (Alternatives(((word("a"),), (exact("EU"),))),)),
        ("(a|(b|c) d)", (Alternatives(((word("a"),), (word("b", "c"), word("d")))),)),
        ("the old? war", (word("the"), Optional((word("old"),)), word("war"))),
        ("(a b)? c", (Optional((word("a"), word("b"))), word("c"))),
        ("war,? x", (word("war"), Optional((Mark(","),)), word("x"))),
        ("why war ?", (word("why"), word("war"), Mark("?"))),
        ("Kyiv's? war", (word("kyiv"), Optional((word("'s"),)), word("war"))),
        ("{X} war", (ActorSlot("X"), word("war"))),
        ("{Y:leader|force} x", (ActorSlot("Y", frozenset({"leader", "force"})), word("x"))),
        ("{X:party} x", (ActorSlot("X", ally=False), word("x"))),
        ("{moscow:ally|country} x", (ActorSlot("moscow", frozenset({"country"}), True), word("x"))),
        ("{X}'s war", (ActorSlot("X"), word("'s"), word("war"))),
        ("a * b *3 c", (word("a"), Gap(1, 1), word("b"), Gap(0, 3), word("c"))),
        ("^ “war” $", (Mark("^"), Mark('"'), word("war"), Mark('"'), Mark("$"))),
        ("war – x:", (word("war"), Mark("—"), word("x"), Mark(":"))),
        ("St. x!", (word("st"), Mark("."), word("x"), Mark("!"))),
        ("<bodies>", (Alternatives(((exact("EU"),), (exact("NATO"),))),)),
        ("2014", (word("2014"),)),
        ("Café", (word("café"),)),
    ],
)
def test_elements(phrase: str, elements: tuple[Element, ...]) -> None:
    assert read(phrase) == elements


def test_lists_are_expanded_with_their_inflections() -> None:
    (element,) = read("<say>")
    said = word("say", "says", "said", "saying")
    assert element == Alternatives(((said,), (word("put"), word("it"))))


@pytest.mark.parametrize(
    ("phrase", "column", "what"),
    [
        ("", 1, "nothing here"),
        ("   ", 1, "nothing here"),
        ("a (b", 3, "'(' is never closed"),
        ("a)", 2, "')' outside brackets"),
        ("a|b", 2, "'|' outside brackets"),
        ("(a|)", 4, "nothing here"),
        ("()", 2, "nothing here"),
        ("a *9", 3, "gaps go from *1 to *8"),
        ("a *0", 3, "gaps go from *1 to *8"),
        ("a *55", 3, "gaps go from *1 to *8"),
        ("a *2?", 5, "a gap cannot be optional"),
        ("a <nobody>", 3, "unknown list 'nobody'"),
        ("a <say", 3, "'<' is never closed"),
        ("a {X", 3, "'{' is never closed"),
        ("a {}", 3, "names no actor"),
        ("a {X:}", 3, "names no actor"),
        ("a {X:|leader}", 3, "names no actor"),
        ("a {X:party|ally}", 3, "exclude each other"),
        ("NATO~", 1, "'~' after a word in exact case"),
        ("=Orc~", 1, "'~' after a word in exact case"),
        ("Kyiv's~", 5, "'~' after 's"),
        ("a ~", 3, "'~' follows no word"),
        ("= a", 1, "'=' precedes no word"),
        ("'war'", 1, "a single quotation mark"),
        ("war - peace", 5, "a hyphen beside a space"),
        ("-war", 1, "a hyphen beside a space"),
        ("either/or", 7, "'/' means nothing"),
        ("a\x07", 2, "means nothing"),
        ("((((((((((a))))))))))", 9, "brackets deeper than 8"),
        ("a" * 2_001, 2_000, "longer than 2000"),
        ("a <bad>", 3, "list 'bad', item '{X}'"),
    ],
)
def test_faults_name_column_and_cure(phrase: str, column: int, what: str) -> None:
    with pytest.raises(PhraseError) as caught:
        read(phrase)
    assert caught.value.column == column
    assert what in str(caught.value)
    assert str(caught.value).startswith(f"column {column}: ")


def test_an_unknown_list_is_told_apart() -> None:
    with pytest.raises(UnknownList) as caught:
        read("a <nobody>")
    assert caught.value.name == "nobody"


@pytest.mark.parametrize(
    ("phrase", "expected"),
    [
        ("special military operation~", {"military"}),
        ("the war of words", {"words"}),
        ("denazification? goal", {"goal"}),
        ("{X} *2 regime", {"regime"}),
        ("(junta|regime~) in", {"junta", "regime", "regimes", "regimed", "regiming"}),
        ("(the old|his) (junta|clique now) is", {"junta", "clique"}),
        ("(war|{X}) crimes", {"crimes"}),
        ("SMO", {"smo"}),
        ("the of", {"of"}),
        ("they of", {"they"}),
        ("the (one day|evening|night)", {"day", "evening", "night"}),
        ("the (war|one)", {"war", "one"}),
        ("^ {X} :", {":"}),
        ("{X} – {Y}", {"—", "–", "―"}),
        ("{X} : war", {"war"}),
    ],
)
def test_keys(phrase: str, expected: set[str]) -> None:
    assert keys(read(phrase)) == expected


@pytest.mark.parametrize("phrase", ["{X}", "*2 war?", "^ {X} $", '" {X} ,', "(war|{X})", "(a|b c)? {Y}"])
def test_a_phrase_without_a_required_word_has_no_keys(phrase: str) -> None:
    with pytest.raises(PhraseError, match="no word that must occur"):
        keys(read(phrase))


def test_elements_are_hashable_and_frozen() -> None:
    elements = read("(a|b c)? {X:leader} NATO *2 ,")
    assert hash(elements) == hash(read("(a|b c)? {X:leader} NATO *2 ,"))
    with pytest.raises(AttributeError):
        elements[0].elements = ()  # type: ignore[misc, union-attr]


@given(st.text(alphabet="ab AB'’-~=|()?*123<>{}XY:say\",.;!—^$…", max_size=40))
def test_any_text_parses_or_gives_a_located_fault(phrase: str) -> None:
    found: frozenset[str] = frozenset({"-"})
    column = 1
    try:
        found = keys(read(phrase))
    except PhraseError as error:
        column = error.column
    assert 1 <= column <= max(1, len(phrase) + 1)
    assert found
    assert all(key == key.lower() for key in found)
