"""The mirror: the same sentence with the sides swapped, by the table of partners in the rulebook.

It is an instrument for measuring, not a part of any engine. A sentence is mirrored whole or not at all:
one name or cue of a side without a partner leaves the text as it was, and says which.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from stance.lexicon import Hit, Lexicon, Mention
from stance.phrases import Alternatives, Element, Optional, PhraseParser, Word
from stance.rulebook import Rule, Rulebook

_KEPT: Final = ("place", "role")  # where something is, and what an office is called, is nobody's name
_MARKS: Final = frozenset('"“”„«»')
_ARTICLE: Final = re.compile(r"\b([Aa]n?)\s+$")


@dataclass(frozen=True, slots=True)
class Mirrored:
    """A mirrored text. ``changed`` is False where it came back as it was; ``why`` then says the reason."""

    text: str
    changed: bool
    why: str | None = None


class Mirror:
    """Swaps actors and paired cues of one rulebook.

    Args:
        rulebook: the rules with the table of partners.
        exact: swap a cue only for the form at the same place of its partner's list, so that the sentence
            stays as grammatical as it was.
    """

    def __init__(self, rulebook: Rulebook, *, exact: bool = False) -> None:
        self._exact = exact
        self._lexicon = Lexicon(rulebook)
        self._actors = {actor.id: actor for actor in rulebook.actors}
        self._rules = {rule.id: rule for rule in rulebook.rules}
        self._parser = PhraseParser(rulebook.lists, rulebook.irregular)
        self._sides = {side.id for side in rulebook.sides}
        self._known: dict[str, tuple[str, ...]] = {}

    def names(self, text: str) -> Mirrored:
        """The names of the two sides swapped and every other word kept: no cue, no place, no ally.

        ``why`` is None where no such name stands in the text.
        """
        edits: list[tuple[int, int, str]] = []
        for mention in self._lexicon.scan(text).mentions:
            actor = mention.actor
            if actor.side is None or actor.ally or actor.kind in _KEPT:
                continue
            replacement = self._name(mention, text)
            if replacement is None:
                return Mirrored(
                    text, False, f"“{text[mention.start : mention.end]}” has no partner ({actor.id})"
                )
            edits.append((mention.start, mention.end, replacement))
        swapped = _edited(text, edits)
        return Mirrored(swapped, swapped != text)

    def __call__(self, text: str) -> Mirrored:
        scan = self._lexicon.scan(text)
        edits: list[tuple[int, int, str]] = []
        for hit in scan.hits:
            # A weak cue never makes a frame alone: it is not swapped, and what it adds shows in the measure.
            if hit.rule.effect != "frame" or hit.rule.side not in self._sides or hit.rule.strength == "weak":
                continue
            replacement = self._cue(hit, text)
            if replacement is None:
                return Mirrored(text, False, f"“{text[hit.start : hit.end]}” has no partner ({hit.rule.id})")
            edits.append((hit.start, hit.end, replacement))
        for mention in scan.mentions:
            if mention.actor.side is None or any(s < mention.end and mention.start < e for s, e, _ in edits):
                continue
            replacement = self._name(mention, text)
            if replacement is None:
                return Mirrored(
                    text, False, f"“{text[mention.start : mention.end]}” has no partner ({mention.actor.id})"
                )
            edits.append((mention.start, mention.end, replacement))
        if not edits:
            return Mirrored(text, False, "names no side")
        swapped = _edited(text, edits)
        return Mirrored(swapped, swapped != text, None)

    def _name(self, mention: Mention, text: str) -> str | None:
        actor = mention.actor
        partner = self._actors.get(actor.mirror or "")
        if partner is None:
            return None
        index = self._index(actor.names, text[mention.start : mention.end], len(partner.names))
        return _cased(_plain(partner.names[index]), text[mention.start : mention.end])

    def _cue(self, hit: Hit, text: str) -> str | None:
        partner = self._rules.get(hit.rule.mirror_partner or "")
        if partner is None:
            return None
        return self._paired(hit.rule, partner, text[hit.start : hit.end])

    def _paired(self, rule: Rule, partner: Rule, found: str) -> str | None:
        """The partner's form at the place of the found one where the two lists run alike, else the shortest
        with its ending. None where a quotation mark stands inside: it could not stay."""
        ours, theirs = self._forms(rule), self._forms(partner)
        folded = found.lower().replace("’", "'")
        if len(ours) == len(theirs) and folded in ours:
            return _cased(theirs[ours.index(folded)], found)
        if self._exact or not theirs or not _MARKS.isdisjoint(found):
            return None
        like = [form for form in theirs if _ending(form) == _ending(folded)] or theirs
        return _cased(min(like, key=lambda form: form.count(" ")).replace(" 's", "'s"), found)

    def _forms(self, rule: Rule) -> tuple[str, ...]:
        """All spelled-out forms of a rule's phrases, in order."""
        if rule.id not in self._known:
            forms = tuple(form for phrase in rule.phrases for form in self._spelled(phrase))
            self._known[rule.id] = forms
        return self._known[rule.id]

    def _spelled(self, phrase: str) -> Iterator[str]:
        """Spelled-out forms of a phrase without slots or gaps, at most a few hundred."""
        elements = self._parser.parse(phrase)
        forms: list[str] = [""]
        for element in elements:
            options = list(_options(element))
            if not options or len(forms) * len(options) > 400:
                return
            forms = [f"{left} {right}".strip() for left in forms for right in options]
        yield from forms

    def _index(self, names: tuple[str, ...], found: str, size: int) -> int:
        folded = found.lower().replace("’", "'")
        for index, name in enumerate(names):
            if index < size and folded in self._spelled(name):
                return index
        return 0


def _edited(text: str, edits: list[tuple[int, int, str]]) -> str:
    """The text with stretches replaced; of stretches that overlap the first."""
    pieces = []
    place = 0
    for start, end, replacement in sorted(edits):
        if start < place:
            continue
        pieces += [_with_article(text[place:start], replacement), replacement]
        place = end
    pieces.append(text[place:])
    return "".join(pieces)


def _options(element: Element) -> Iterator[str]:
    if isinstance(element, Word):
        if element.exact is not None:
            yield element.exact
        else:
            yield from sorted(element.forms, key=lambda form: (len(form), form))
    elif isinstance(element, Optional):
        yield ""
        yield " ".join(next(_options(e), "") for e in element.elements)
    elif isinstance(element, Alternatives):
        for option in element.options:
            yield " ".join(next(_options(e), "") for e in option)


def _ending(form: str) -> str:
    """What the last word of a form is by its ending: plural or third person, past, -ing, or plain."""
    word = form.rpartition(" ")[2]
    return next((end for end in ("ing", "ed", "ss", "s") if word.endswith(end)), "")


def _plain(name: str) -> str:
    """A name as a text writes it: the first choice of each bracket, no signs of the phrase language."""
    out, depth, skip = [], 0, False
    for character in name:
        if character == "(":
            depth, skip = depth + 1, False
        elif character == ")":
            depth, skip = depth - 1, False
        elif character == "|" and depth:
            skip = True
        elif not skip and character not in "~=?":
            out.append(character)
    return " ".join("".join(out).split())


def _cased(replacement: str, found: str) -> str:
    if len(found) > 4 and found.isupper():
        return replacement.upper()
    if found[:1].isupper() and replacement[:1].islower():
        return replacement[:1].upper() + replacement[1:]
    return replacement


def _with_article(before: str, name: str) -> str:
    """The text before a replaced name, its "a" or "an" mended. Names in U are spoken "you"."""
    match = _ARTICLE.search(before)
    if match is None or not name[:1].isalpha():
        return before
    article = match.group(1)
    mended = article[0] + ("n" if name[0].lower() in "aeio" else "")
    return before[: match.start(1)] + mended + before[match.end(1) :]
