"""The phrase language of lexical rules: one line of text to a tuple of frozen elements.

The language is described in ``rules/README.md``. `parse` expands word lists and inflections; `keys`
says by which words a scan finds the phrase. Matching is not done here.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Final

from stance.errors import StanceError
from stance.inflect import forms

MAX_LENGTH: Final = 2_000
MAX_DEPTH: Final = 8
MAX_GAP: Final = 8
SLOT_FLAGS: Final = {"party": False, "ally": True}
MARKS: Final = frozenset('",:;?!—.^$')
SAME_MARK: Final = {"–": "—", "―": "—", "“": '"', "”": '"', "„": '"', "«": '"', "»": '"'}
# Marks that can be looked for where a phrase holds no word, and how texts spell them.
_SPELLED: Final = {kind: frozenset((kind,)) for kind in ":;?!"} | {"—": frozenset("—–―")}
_MARKED: Final = {",": frozenset(","), ".": frozenset("."), '"': frozenset("\"'“”‘’«»„‟‹›`")}

# One word of a phrase and of a text: an abbreviation with stops (A.B.), a run of letters and digits with
# apostrophes inside (don't), or a clitic ('s, 'd, 'll, 're, 've, 'm), which is a word of its own.
_CLITIC: Final = r"(?:[sSdDmM]|ll|LL|re|RE|ve|VE)(?![^\W_])"
WORD: Final = re.compile(rf"(?:[^\W\d_]\.){{2,}}|[^\W_]+(?:['’ʼ](?!{_CLITIC})[^\W_]+)*|['’ʼ]{_CLITIC}")

# What a scan meets in very many sentences, and in many: other keys are better if a phrase has any.
EVERYWHERE: Final = frozenset({"the", "of", "to", "a", "and", "in", "'s", "that", "on", "for", "is", "was"})
FREQUENT: Final = frozenset(
    {
        "about",
        "after",
        "all",
        "also",
        "an",
        "any",
        "are",
        "as",
        "at",
        "be",
        "been",
        "before",
        "but",
        "by",
        "can",
        "could",
        "did",
        "do",
        "from",
        "had",
        "has",
        "have",
        "he",
        "her",
        "his",
        "how",
        "i",
        "if",
        "into",
        "it",
        "its",
        "may",
        "more",
        "most",
        "must",
        "no",
        "not",
        "one",
        "only",
        "or",
        "other",
        "our",
        "out",
        "over",
        "people",
        "said",
        "says",
        "she",
        "should",
        "so",
        "some",
        "such",
        "than",
        "their",
        "them",
        "then",
        "there",
        "these",
        "they",
        "this",
        "those",
        "told",
        "under",
        "up",
        "upon",
        "we",
        "were",
        "what",
        "when",
        "where",
        "which",
        "who",
        "whom",
        "whose",
        "why",
        "will",
        "with",
        "would",
        "you",
        "your",
    }
)


class PhraseError(StanceError):
    """A phrase that breaks the language. `column` counts from 1."""

    def __init__(self, message: str, column: int) -> None:
        super().__init__(f"column {column}: {message}")
        self.message = message
        self.column = column


@dataclass(frozen=True, slots=True)
class Word:
    """One word: any of `forms` (lower case); if `exact` is set, that spelling only."""

    forms: frozenset[str]
    exact: str | None = None


@dataclass(frozen=True, slots=True)
class Alternatives:
    """One of several sequences."""

    options: tuple[tuple[Element, ...], ...]


@dataclass(frozen=True, slots=True)
class Optional:
    """A sequence that may be missing."""

    elements: tuple[Element, ...]


@dataclass(frozen=True, slots=True)
class Gap:
    """From `min` to `max` arbitrary words."""

    min: int
    max: int


@dataclass(frozen=True, slots=True)
class ActorSlot:
    """A mention of an actor. `side`: X, Y (the other one), a side's id, or any.

    `kinds` empty: every kind. `ally`: True allies only, False parties only, None both.
    """

    side: str
    kinds: frozenset[str] = frozenset()
    ally: bool | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """A punctuation mark, ``^`` (start of sentence) or ``$`` (end); see `MARKS`."""

    kind: str


Element = Word | Alternatives | Optional | Gap | ActorSlot | Mark


def parse(
    phrase: str, lists: Mapping[str, Sequence[str]], irregular: Mapping[str, tuple[str, ...]]
) -> tuple[Element, ...]:
    """The elements of one phrase; `PhraseError` if it breaks the language or names no list."""
    return PhraseParser(lists, irregular).parse(phrase)


def keys(elements: Sequence[Element]) -> frozenset[str]:
    """The words, in lower case, of which one must stand in a text for the phrase to match there.

    The required element is taken whose forms are the fewest and rarest; without any word a colon, dash or
    the like. A `PhraseError` if there is none of these either.
    """
    best = _best_keys(elements) or _mark_keys(elements)
    if best is None:
        raise PhraseError("no word that must occur, so no scan can find it; add a literal word", 1)
    return best


def required(element: Element) -> frozenset[str] | None:
    """Words and marks, as a scan spells them, of which a text must hold one for the element to match.

    None if it can match without any word of its own: an option, a gap, an actor, a limit of the sentence.
    """
    if isinstance(element, Mark):
        return _SPELLED.get(element.kind) or _MARKED.get(element.kind)
    return _element_keys(element)


def lower(word: str) -> str:
    """A word as forms and keys spell it: lower case, straight apostrophe."""
    return word.lower().replace("’", "'").replace("ʼ", "'")


_TOKEN: Final = re.compile(
    r"(?P<space>\s+)"
    r"|\{(?P<slot>[^{}]*)\}"
    r"|<(?P<list>[^<>]*)>"
    r"|(?P<gap>\*\d*)"
    rf"|(?P<exact>=?)(?P<word>{WORD.pattern})(?P<inflect>~?)"
    r"|(?P<hyphen>[-‐‑])"
    r"|(?P<group>[()|])"
    r"|(?P<mark>[\",:;?!—–―“”„«».^$])"
    r"|(?P<apostrophe>['’ʼ])"
)


@dataclass(slots=True)
class _Group:
    """An open bracket (or the whole phrase): finished options and the one being read."""

    column: int
    options: list[tuple[Element, ...]]
    current: list[tuple[Element, ...]]


class PhraseParser:
    """Parses many phrases with the same lists, each list only once."""

    def __init__(self, lists: Mapping[str, Sequence[str]], irregular: Mapping[str, tuple[str, ...]]) -> None:
        self.lists = lists
        self.irregular = irregular
        self._expanded: dict[str, tuple[Element, ...]] = {}
        self._words: dict[str, Word] = {}

    def parse(self, phrase: str, *, literal: bool = False) -> tuple[Element, ...]:
        """The elements of `phrase`. `literal` refuses lists, actors, gaps and sentence limits."""
        text = unicodedata.normalize("NFC", phrase)
        if len(text) > MAX_LENGTH:
            raise PhraseError(f"longer than {MAX_LENGTH} characters; split it", MAX_LENGTH)
        stack = [_Group(1, [], [])]
        position = 0
        attached = False
        while position < len(text):
            match = _TOKEN.match(text, position)
            if match is None:
                raise PhraseError(_strange(text[position]), position + 1)
            attached = self._take(match, stack, attached, literal)
            position = match.end()
        if len(stack) > 1:
            cure = "add ')', or put a phrase with commas in quotation marks"
            raise PhraseError(f"'(' is never closed; {cure}", stack[-1].column)
        return _close(stack[0], None, 1)

    def _take(self, match: re.Match[str], stack: list[_Group], attached: bool, literal: bool) -> bool:
        """Read one piece; True if a '?' right after it would make it optional."""
        piece, column, kind = match.group(), match.start() + 1, match.lastgroup
        current = stack[-1].current
        if kind == "space":
            return False
        if kind == "inflect":
            current.append((self._word(match, column),))
            return True
        if kind == "hyphen":
            _check_hyphen(match, column)
            return False
        if kind == "apostrophe":
            if not attached:
                raise PhraseError('a single quotation mark; write " for a mark of any style', column)
            return False
        if kind == "group":
            return _group(piece, column, stack)
        if kind == "mark":
            return _mark(piece, column, current, attached, literal)
        if literal:
            raise PhraseError(f"{piece!r} cannot stand in a name or list item; write plain words", column)
        if kind == "slot":
            current.append((_slot(match["slot"], column),))
        elif kind == "list":
            current.append(self._list(match["list"], column))
        else:
            current.append((_gap(piece, column),))
        return True

    def _word(self, match: re.Match[str], column: int) -> Word:
        """The word at `match`; ~ inflects it, capitals or = make it exact."""
        known = self._words.get(match.group())
        if known is None:
            known = self._words[match.group()] = self._new_word(match, column)
        return known

    def _new_word(self, match: re.Match[str], column: int) -> Word:
        word, inflected = match["word"], bool(match["inflect"])
        plain = lower(word)
        if inflected and not word[0].isalnum():
            raise PhraseError(f"'~' after {word}; put it right behind the word before", column)
        if match["exact"] or _is_shouted(word):
            if inflected:
                raise PhraseError(f"'~' after a word in exact case; write ({word}|{word}s)", column)
            return Word(frozenset({plain}), word.replace("’", "'").replace("ʼ", "'"))
        return Word(frozenset(forms(plain, self.irregular) if inflected else (plain,)))

    def _list(self, name: str, column: int) -> tuple[Element, ...]:
        """All items of a word list as one element."""
        if name not in self._expanded:
            if name not in self.lists:
                raise UnknownList(name, column)
            options = [self._item(name, item, column) for item in self.lists[name]]
            self._expanded[name] = _alternatives(options)
        return self._expanded[name]

    def _item(self, name: str, item: str, column: int) -> tuple[Element, ...]:
        try:
            return self.parse(item, literal=True)
        except PhraseError as error:
            raise PhraseError(f"list '{name}', item {item!r}: {error.message}", column) from None


class UnknownList(PhraseError):
    """A phrase names a word list that does not exist; `name` is what it wrote."""

    def __init__(self, name: str, column: int) -> None:
        super().__init__(f"unknown list {name[:60]!r}", column)
        self.name = name


def _is_shouted(word: str) -> bool:
    """Two capitals or more and no small letter: ABC, A.B."""
    return word == word.upper() and sum(letter.isupper() for letter in word) > 1


def _strange(character: str) -> str:
    cures = {
        "~": "'~' follows no word; put it right behind one",
        "=": "'=' precedes no word; put it right before one",
        "{": "'{' is never closed; write {X}, {Y} or a side's id in braces",
        "}": "'}' without '{'",
        "<": "'<' is never closed; write <list>",
        ">": "'>' without '<'",
    }
    return cures.get(character, f"{character!r} means nothing in a phrase; leave it out")


def _check_hyphen(match: re.Match[str], column: int) -> None:
    around = match.string[match.start() - 1 : match.start()], match.string[match.end() : match.end() + 1]
    if not all(around) or any(character.isspace() for character in around):
        raise PhraseError("a hyphen beside a space; write — for a dash", column)


def _group(piece: str, column: int, stack: list[_Group]) -> bool:
    """Open, continue or close a bracket."""
    if piece == "(":
        if len(stack) > MAX_DEPTH:
            raise PhraseError(f"brackets deeper than {MAX_DEPTH}; write two phrases", column)
        stack.append(_Group(column, [], []))
        return False
    if len(stack) == 1:
        cure = "put the alternatives in brackets: (a|b)" if piece == "|" else "add '('"
        raise PhraseError(f"'{piece}' outside brackets; {cure}", column)
    if piece == "|":
        stack[-1].options.append(_join(stack[-1].current, column))
        stack[-1].current = []
        return False
    group = stack.pop()
    stack[-1].current.append(_close(group, piece, column))
    return True


def _close(group: _Group, piece: str | None, column: int) -> tuple[Element, ...]:
    last = _join(group.current, column)
    return last if piece is None else _alternatives([*group.options, last])


def _join(parts: Sequence[tuple[Element, ...]], column: int) -> tuple[Element, ...]:
    if not parts:
        raise PhraseError("nothing here; leave out the empty part or write (a)? for an option", column)
    return tuple(chain.from_iterable(parts))


def _mark(piece: str, column: int, current: list[tuple[Element, ...]], attached: bool, literal: bool) -> bool:
    """A punctuation mark, or the '?' that makes what stands right before it optional."""
    if piece == "?" and attached:
        last = current.pop()
        if isinstance(last[0], Gap):
            raise PhraseError("a gap cannot be optional; write *1 for no word or one", column)
        current.append((Optional(last),))
        return False
    kind = SAME_MARK.get(piece, piece)
    if literal and kind in "^$":
        raise PhraseError(f"{piece!r} cannot stand in a name or list item; write plain words", column)
    current.append((Mark(kind),))
    return kind not in "^$"


def _slot(content: str, column: int) -> ActorSlot:
    """``{X}``, ``{Y:leader}``, ``{X:force|people}``, ``{X:party}``, ``{X:ally|leader}``."""
    side, _, after = content.partition(":")
    kinds = [kind.strip() for kind in after.split("|")] if after else []
    if not side.strip() or "" in kinds or (":" in content and not kinds):
        shown = f"{{{content[:60]}}}"
        raise PhraseError(f"{shown!r} names no actor; write {{X}}, {{Y}} or {{X:leader}}", column)
    flags = {SLOT_FLAGS[kind] for kind in kinds if kind in SLOT_FLAGS}
    if len(flags) > 1:
        raise PhraseError("party and ally exclude each other; leave out both", column)
    plain = frozenset(kind for kind in kinds if kind not in SLOT_FLAGS)
    return ActorSlot(side.strip(), plain, flags.pop() if flags else None)


def _gap(piece: str, column: int) -> Gap:
    if piece == "*":
        return Gap(1, 1)
    size = int(piece[1:3])
    if not 1 <= size <= MAX_GAP or len(piece) > 2:
        raise PhraseError(f"gap {piece[:8]}; gaps go from *1 to *{MAX_GAP}", column)
    return Gap(0, size)


def _alternatives(options: Sequence[tuple[Element, ...]]) -> tuple[Element, ...]:
    """One element for several options; options of one inflectable word become one `Word`."""
    plain: set[str] = set()
    several: dict[tuple[Element, ...], None] = {}
    for option in options:
        first = option[0]
        if len(option) == 1 and isinstance(first, Word) and first.exact is None:
            plain |= first.forms
        else:
            several[option] = None
    rest = ((Word(frozenset(plain)),), *several) if plain else tuple(several)
    return rest[0] if len(rest) == 1 else (Alternatives(rest),)


def _best_keys(elements: Sequence[Element]) -> frozenset[str] | None:
    found = [candidate for element in elements if (candidate := _element_keys(element))]
    return min(found, key=cost) if found else None


def _mark_keys(elements: Sequence[Element]) -> frozenset[str] | None:
    """Failing any word, a mark that a text spells in few ways: the colon or dash of a headline."""
    marks = [_SPELLED[e.kind] for e in elements if isinstance(e, Mark) and e.kind in _SPELLED]
    return marks[0] if marks else None


def _element_keys(element: Element) -> frozenset[str] | None:
    if isinstance(element, Word):
        return element.forms
    if isinstance(element, Alternatives):
        parts = [_best_keys(option) for option in element.options]
        if all(part is not None for part in parts):
            return frozenset().union(*(part for part in parts if part is not None))
    return None


def cost(words: frozenset[str]) -> tuple[float, list[str]]:
    """Roughly, how many of a hundred sentences hold one of the words; long words are rare.

    The sorted words make the choice the same in every run.
    """
    shares = (20 if word in EVERYWHERE else 5 if word in FREQUENT else 1 / len(word) for word in words)
    return sum(shares), sorted(words)
