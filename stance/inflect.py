"""Regular English inflection: the forms under which a word of a rule may stand in a text.

A form too many never matches anything; a form too few makes a rule silent. So wherever English is in
two minds (*focused*, *focussed*) both forms are given, unless the wrong one is another word
(*star*: *starred*, never *stared*).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Final

VOWELS: Final = frozenset("aeiou")
# Never doubled before -ed and -ing: bowed, boxed, played.
NEVER_DOUBLED: Final = frozenset("wxy")


def forms(word: str, irregular: Mapping[str, tuple[str, ...]]) -> tuple[str, ...]:
    """`word` in lower case, followed by its inflected forms in alphabetical order.

    `irregular` maps a base form to its irregular forms; they replace the regular past. A word that ends
    in an irregular one (withdraw, spokesman, overthrow) also gets the forms built on that.

    >>> forms("plan", {})
    ('plan', 'planned', 'planning', 'plans')
    """
    base = word.lower().replace("’", "'")
    if not base[-1:].isalpha():
        return (base,)
    found = {*_with_s(base), *_with_ing(base)}
    if base in irregular:
        found.update(form.lower() for form in irregular[base])
    else:
        found.update(_with_ed(base))
        found.update(_compounds(base, irregular))
    found.discard(base)
    return (base, *sorted(found))


def _with_s(word: str) -> Iterator[str]:
    """Plural and third person."""
    if word.endswith(("s", "x", "z", "sh")):
        yield word + "es"
        if word.endswith(("sis", "xis")):
            yield word[:-2] + "es"
        if word[-1] in "sz" and word[-2:-1] in VOWELS:
            yield word + word[-1] + "es"
        return
    yield word + "s"
    if word.endswith(("ch", "o")):
        yield word + "es"
    if _consonant_y(word):
        yield word[:-1] + "ies"


def _with_ed(word: str) -> Iterator[str]:
    """Past tense and participle."""
    if word.endswith("e"):
        yield word + "d"
    elif _consonant_y(word):
        yield word[:-1] + "ied"
    else:
        for stem in _stems(word):
            yield stem + "ed"


def _with_ing(word: str) -> Iterator[str]:
    """Present participle."""
    if word.endswith("ie"):
        yield word[:-2] + "ying"
    elif word.endswith("e") and len(word) > 2:
        if not word.endswith(("ee", "oe", "ye")):
            yield word[:-1] + "ing"
        if word.endswith(("ee", "oe", "ye", "ge", "ue")):
            yield word + "ing"
    else:
        for stem in _stems(word):
            yield stem + "ing"


def _stems(word: str) -> Iterator[str]:
    """What -ed and -ing are put on: plan -> plann; focus -> focus, focuss; panic -> panick."""
    last = word[-1]
    if word.endswith("c") and word[-2:-1] in VOWELS:
        yield word + "k"
        return
    vowels = _vowels(word)
    closed = len(word) > 1 and last not in NEVER_DOUBLED and not vowels[-1] and vowels[-2]
    single = closed and (len(word) == 2 or not vowels[-3])
    if single and last != "s" and _groups(vowels) == 1:
        yield word + last
        return
    yield word
    if single or (closed and last == "l"):
        yield word + last


def _vowels(word: str) -> list[bool]:
    """For each letter, whether it is a vowel; the u of *qu* is none, y is one after a consonant."""
    marks: list[bool] = []
    for index, letter in enumerate(word):
        before = word[index - 1] if index else ""
        if letter == "u" and before == "q":
            marks.append(False)
        elif letter == "y":
            marks.append(bool(before) and before not in VOWELS)
        else:
            marks.append(letter in VOWELS)
    return marks


def _groups(vowels: list[bool]) -> int:
    """Runs of vowels: roughly the syllables."""
    return sum(mark and not (index and vowels[index - 1]) for index, mark in enumerate(vowels))


def _consonant_y(word: str) -> bool:
    return len(word) > 1 and word[-1] == "y" and (word[-2] not in VOWELS or word.endswith("quy"))


def _compounds(word: str, irregular: Mapping[str, tuple[str, ...]]) -> Iterator[str]:
    """Forms of a word that ends in an irregular one; the first part has two letters or more."""
    for cut in range(2, len(word) - 1):
        for form in irregular.get(word[cut:], ()):
            yield word[:cut] + form.lower()
