"""Inflected forms: none missing, and none that is another word."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stance.inflect import forms

IRREGULAR = {
    "go": ("goes", "went", "gone", "going"),
    "draw": ("drew", "drawn"),
    "man": ("men",),
    "take": ("took", "taken"),
    "see": ("saw", "seen"),
    "cast": ("cast",),
}


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("shell", "shells shelled shelling"),
        ("liberate", "liberates liberated liberating"),
        ("occupy", "occupies occupied occupying"),
        ("destroy", "destroys destroyed destroying"),
        ("crush", "crushes crushed crushing"),
        ("attack", "attacks attacked attacking"),
        ("monarch", "monarchs"),
        ("church", "churches"),
        ("plan", "plans planned planning"),
        ("stop", "stops stopped stopping"),
        ("grab", "grabs grabbed grabbing"),
        ("rob", "robs robbed robbing"),
        ("admit", "admits admitted admitting"),
        ("commit", "commits committed committing"),
        ("equip", "equips equipped equipping"),
        ("acquit", "acquits acquitted acquitting"),
        ("quit", "quits quitting"),
        ("cancel", "cancels cancelled canceled cancelling canceling"),
        ("fuel", "fuels fuelled fueled fuelling fueling"),
        ("signal", "signalled signaled signalling signaling"),
        ("kidnap", "kidnapped kidnapping kidnaped"),
        ("target", "targets targeted targeting"),
        ("visit", "visits visited visiting"),
        ("focus", "focuses focusses focused focussed focusing focussing"),
        ("panic", "panics panicked panicking"),
        ("mimic", "mimicked mimicking"),
        ("lie", "lies lied lying"),
        ("die", "dies died dying"),
        ("agree", "agrees agreed agreeing"),
        ("flee", "flees fleeing"),
        ("singe", "singes singed singeing"),
        ("argue", "argues argued arguing"),
        ("dye", "dyes dyed dyeing"),
        ("echo", "echoes echos echoed echoing"),
        ("veto", "vetoes vetoed vetoing"),
        ("show", "shows showed showing"),
        ("box", "boxes boxed boxing"),
        ("crisis", "crises"),
        ("axis", "axes"),
        ("bus", "buses busses"),
        ("quiz", "quizzes quizzed quizzing"),
        ("ally", "allies allied allying"),
        ("trial", "trials"),
        ("sympathise", "sympathises sympathised sympathising"),
        ("war", "wars warred warring"),
        ("bomb", "bombs bombed bombing"),
        ("dream", "dreams dreamed dreaming"),
        ("fail", "fails failed failing"),
        ("yield", "yields yielded yielding"),
    ],
)
def test_regular_forms(word: str, expected: str) -> None:
    found = forms(word, {})
    assert found[0] == word
    assert set(expected.split()) <= set(found)


@pytest.mark.parametrize(
    ("word", "other_word"),
    [
        ("star", "stared"),
        ("star", "staring"),
        ("scar", "scared"),
        ("plan", "planed"),
        ("tap", "taped"),
        ("hop", "hoping"),
        ("strip", "striped"),
        ("hope", "hopping"),
        ("see", "seed"),
        ("heat", "hate"),
    ],
)
def test_no_form_is_another_word(word: str, other_word: str) -> None:
    irregular = {**IRREGULAR, "eat": ("ate", "eaten")}
    assert other_word not in forms(word, irregular)


def test_irregular_forms_replace_the_regular_past() -> None:
    assert set(forms("go", IRREGULAR)) >= {"go", "goes", "went", "gone", "going"}
    assert "goed" not in forms("go", IRREGULAR)
    assert set(forms("see", IRREGULAR)) == {"see", "sees", "saw", "seen", "seeing"}


@pytest.mark.parametrize(
    ("word", "form"),
    [
        ("withdraw", "withdrew"),
        ("withdraw", "withdrawing"),
        ("undergo", "underwent"),
        ("retake", "retook"),
        ("spokesman", "spokesmen"),
        ("broadcast", "broadcast"),
        ("foresee", "foresaw"),
    ],
)
def test_compounds_of_irregular_words(word: str, form: str) -> None:
    assert form in forms(word, IRREGULAR)


def test_case_and_apostrophes() -> None:
    assert forms("Shell", {})[0] == "shell"
    assert forms("People’s", {})[0] == "people's"


def test_words_that_do_not_inflect() -> None:
    assert forms("2014", {}) == ("2014",)
    assert forms("u.s.", {}) == ("u.s.",)


@given(st.text(max_size=12))
def test_any_word(word: str) -> None:
    found = forms(word, IRREGULAR)
    assert len(found) == len(set(found))
    assert list(found[1:]) == sorted(found[1:])
    assert all(found[1:])
