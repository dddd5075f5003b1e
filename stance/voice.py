"""Whose words they are: quotation marks, indirect speech, and the speaker with a side.

Two layers, joined late. The surface layer needs no tree: every voice rule that fires opens a *scope* (a
stretch of the sentence that somebody else speaks) and names its speaker. The tree layer, asked only
where a frame is in the sentence, replaces the scope of the same reporting word by a constituent.
A quotation beats indirect speech; the narrowest scope wins.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from stance.document import Quotation, Sentence
from stance.evidence import Speaker
from stance.labels import Voice
from stance.lexicon import Hit, Mention, Scan, Tokens
from stance.phrases import PhraseParser, Word
from stance.rulebook import Rulebook

# Words of grammar, not of the domain: they end the noun phrase in which a speaker is looked for.
_BREAKS: Final = frozenset(
    "that but and while although though because since after before when where if as whereas which who whom "
    "whose until unless so or for with despite".split()
)
_SUBORDINATORS: Final = frozenset(
    "after when while since because although though if before until unless whereas where".split()
)
_PRONOUNS: Final = frozenset("he she they it his her their its him them".split())
_PERSON_PRONOUNS: Final = frozenset("he she him her his".split())
_DEFINITE: Final = frozenset("the this his her their its".split())
_FIRST_PERSON: Final = frozenset("i we my our us me".split())
# Auxiliaries and adverbs between a speaker and the verb.
_BEFORE_VERB: Final = frozenset(
    "has have had is was were are be been being also later then still again now would could will may might "
    "must should can 'd 've 's not never further earlier already once just even only".split()
)
_RELATIVES_OF_OBJECTS: Final = frozenset(("that", "which", "who", "whom"))
_PREPOSITIONS: Final = frozenset("of for in to with from by at on against near".split())
_RELATIVES: Final = frozenset(("which", "who"))
# How many surnames a document keeps in mind.
MAX_NAMES: Final = 64
_CLAUSE_END: Final = frozenset(";")
_OPENING: Final = frozenset("\"“«‘'`„‹(")
_AFTER_SPEAKER: Final = (_OPENING | frozenset(":;—–.")) - frozenset("'’")
_CLOSING: Final = frozenset("\"”»’')›")
_PERSON_KINDS: Final = frozenset(("leader", "official", "person"))

# A quotation of fewer words than this, with nobody speaking in the sentence, is a mention or a distance.
SHORT_QUOTATION_WORDS: Final = 5
# Share of a sentence's words inside marks from which its main content counts as quoted.
QUOTED_SHARE: Final = 0.5


@dataclass(frozen=True, slots=True)
class Scope:
    """A stretch ``[start, end)`` of the sentence that ``speaker`` says; ``anchor`` is the reporting word."""

    start: int
    end: int
    voice: Voice
    speaker: Speaker
    anchor: tuple[int, int]
    rule: str
    main: bool
    expert: bool = False


@dataclass(frozen=True, slots=True)
class Context:
    """What may cross from one sentence to the next: who spoke last and whom a pronoun may mean."""

    speaker: Speaker | None = None
    expert: bool = False
    person: Speaker | None = None
    person_expert: bool = False
    names: Mapping[str, tuple[str, bool]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Voices:
    """All scopes of one sentence and the answer for its main content."""

    scopes: tuple[Scope, ...]
    quotations: tuple[Quotation, ...]
    main: Voice
    speaker: Speaker | None
    expert: bool
    quoted_speaker: Speaker
    quoted_expert: bool
    context: Context
    text: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """Voice of one piece of evidence."""

    voice: Voice
    speaker: Speaker | None
    expert: bool
    mention: bool = False
    main: bool = True


class VoiceStage:
    """Finds the scopes and speakers of a sentence and answers for any stretch of it."""

    def __init__(self, rulebook: Rulebook) -> None:
        self._nobody = rulebook.nobody
        self._others = rulebook.others
        self.unknown = Speaker(None, rulebook.nobody)
        parser = PhraseParser(rulebook.lists, rulebook.irregular)
        self._verbs = frozenset(
            form
            for name, items in rulebook.lists.items()
            if name.startswith("voice-")
            for item in items
            for element in parser.parse(item)[:1]
            if isinstance(element, Word)
            for form in element.forms
        )

    # -- surface layer ---------------------------------------------------------------------------------

    def surface(self, sentence: Sentence, scan: Scan, context: Context) -> Voices:
        """Scopes from voice rules and quotation marks, without a tree."""
        scopes = []
        for hit in scan.hits:
            if hit.rule.effect == "voice" and not _inside(hit.start, hit.end, sentence.quotations):
                scope = self._scope(sentence, scan, hit, context)
                if any(c.isalnum() for c in sentence.text[scope.start : scope.end]):
                    scopes.append(scope)
        return self.assemble(sentence, scan, tuple(scopes), context)

    def assemble(self, sentence: Sentence, scan: Scan, scopes: tuple[Scope, ...], context: Context) -> Voices:
        """The voices of a sentence once its scopes are known (from the surface or from a tree)."""
        quotations = sentence.quotations
        named = next((s for s in scopes if s.main and s.speaker.text is not None), None)
        named = named or next((s for s in scopes if s.speaker.text is not None), None)
        if named is not None:
            quoted_speaker, quoted_expert = named.speaker, named.expert
        elif any(s.main for s in scopes):
            quoted_speaker, quoted_expert = self.unknown, False
        elif any(q.opens_before for q in quotations) or quotations:
            quoted_speaker = context.speaker or self.unknown
            quoted_expert = context.expert if context.speaker else False
        else:
            quoted_speaker, quoted_expert = self.unknown, False
        main, speaker, expert = self._main(sentence, scan, scopes, quoted_speaker, quoted_expert)
        person, person_expert = self._person(scan, context)
        after = Context(
            speaker=speaker if speaker is not None and speaker.side != self._nobody else context.speaker,
            expert=expert if speaker is not None and speaker.side != self._nobody else context.expert,
            person=person,
            person_expert=person_expert,
            names=self._names(scan, context),
        )
        return Voices(
            scopes, quotations, main, speaker, expert, quoted_speaker, quoted_expert, after, sentence.text
        )

    def _main(
        self,
        sentence: Sentence,
        scan: Scan,
        scopes: Sequence[Scope],
        quoted_speaker: Speaker,
        quoted_expert: bool,
    ) -> tuple[Voice, Speaker | None, bool]:
        """Voice of the main content: what decides where no frame does."""
        mains = [scope for scope in scopes if scope.main]
        tokens = scan.tokens
        if sentence.quotations:
            words = quoted = 0
            for word, start, end in zip(tokens.words, tokens.starts, tokens.ends, strict=True):
                if not word[0].isalnum() or any(s.anchor[0] <= start < s.anchor[1] for s in scopes):
                    continue
                inside = any(q.start <= start and end <= q.end for q in sentence.quotations)
                if mains and not inside and not any(s.start <= start and end <= s.end for s in mains):
                    continue  # the reporting clause itself
                words += 1
                quoted += inside
            carried = any(q.opens_before or q.continues_after for q in sentence.quotations)
            if (
                words
                and quoted / words >= QUOTED_SHARE
                and (mains or carried or quoted >= SHORT_QUOTATION_WORDS)
            ):
                return Voice.QUOTED, quoted_speaker, quoted_expert
        if mains:
            best = next((s for s in mains if s.speaker.text is not None), mains[0])
            return Voice.ATTRIBUTED, best.speaker, best.expert
        return Voice.AUTHOR, None, False

    def _scope(self, sentence: Sentence, scan: Scan, hit: Hit, context: Context) -> Scope:
        tokens = scan.tokens
        size = len(sentence.text)
        covers = hit.rule.covers or "sentence"
        if covers == "after":
            # "He said at the meeting:" announces words that this sentence does not hold.
            start, end = hit.end, hit.end if sentence.text.rstrip().endswith(":") else size
        elif covers == "clause-after":
            start, end = hit.end, _clause_end(tokens, hit.last + 1, size)
        elif covers == "before":
            start, end = _clause_start(tokens, hit.first), hit.start
        else:
            start, end = 0, size
        where = hit.rule.speaker or "none"
        speaker, expert, first = self._speaker(sentence, scan, hit, where, context)
        before = tokens.words[first - 1] if first > 0 else ""
        main = not (
            before in _SUBORDINATORS
            or (first > 1 and before == "," and tokens.words[first - 2] in _SUBORDINATORS)
            or (first > 2 and before in _RELATIVES_OF_OBJECTS)
        )
        return Scope(start, end, Voice.ATTRIBUTED, speaker, (hit.start, hit.end), hit.rule.id, main, expert)

    # -- speakers --------------------------------------------------------------------------------------

    def _speaker(
        self, sentence: Sentence, scan: Scan, hit: Hit, where: str, context: Context
    ) -> tuple[Speaker, bool, int]:
        """Speaker, whether an expert, and the first token of the speaker's phrase (for ``main``)."""
        tokens = scan.tokens
        if where == "inside":
            first, last = _named_part(tokens, hit, sentence.quotations, self._verbs)
            speaker, expert = self.name(scan, first, last, context)
            return speaker, expert, hit.first
        if where == "before":
            first = _phrase_start(tokens, hit.first, sentence.quotations)
            speaker, expert = self.name(scan, first, hit.first, context, near_end=True)
            return speaker, expert, first
        if where == "after":
            last = _phrase_end(tokens, hit.last + 1, sentence.quotations)
            speaker, expert = self.name(scan, hit.last + 1, last, context)
            return speaker, expert, hit.first
        return self.unknown, False, hit.first

    def name(
        self, scan: Scan, first: int, last: int, context: Context, *, near_end: bool = False
    ) -> tuple[Speaker, bool]:
        """The speaker named by tokens ``[first, last)`` and whether their view is an expert's."""
        tokens = scan.tokens
        while last > first and (
            tokens.words[last - 1] in _BEFORE_VERB
            or tokens.words[last - 1].endswith("ly")
            or not tokens.words[last - 1][0].isalnum()
        ):
            last -= 1
        words = tokens.words[first:last]
        content = [i for i in range(first, last) if tokens.words[i][0].isalnum()]
        if not content:
            return self.unknown, False
        if len(content) <= 2 and (low := next((w for w in words if w in _PRONOUNS), None)) is not None:
            return self._pronoun(low, tokens.raw[content[0]], context)
        inside = [m for m in scan.mentions if first <= m.first and m.last < last]
        start, end = tokens.starts[content[0]], tokens.ends[content[-1]]
        override = next((m for m in inside if m.actor.kind == "role" and m.actor.speaker is not None), None)
        expert = any(m.actor.expert for m in inside)
        sided = [m for m in inside if m.actor.kind != "role" and m.actor.speaker is not None]
        chosen = _choose(sided, content[-1], near_end, tokens)
        if override is not None:
            # An analyst or a former president of a country: the role outweighs the nationality.
            return Speaker(_clip(tokens.text[start:end]), override.actor.speaker or self._others), expert
        if chosen is not None:
            person = chosen.actor.kind in _PERSON_KINDS
            text = tokens.text[chosen.start : chosen.end] if person else tokens.text[start:end]
            return Speaker(_clip(text), chosen.actor.speaker or self._others), expert or chosen.actor.expert
        if any(w in _FIRST_PERSON for w in words):
            return self.unknown, False
        text = _clip(tokens.text[start:end])
        known = next((context.names[w] for w in reversed(words) if w in context.names), None)
        if known is not None:
            return Speaker(text, known[0]), known[1]
        if self._refers_back(tokens, content) and context.speaker is not None:
            return Speaker(text, context.speaker.side), context.expert
        # "The ministry" of nobody knows whom is nobody's; a name on no list is somebody else's.
        bare = any(m.actor.kind == "role" and not m.actor.expert for m in inside) and not any(
            tokens.raw[i][0].isupper() for i in content[1:] if not any(m.first <= i <= m.last for m in inside)
        )
        return Speaker(text, self._nobody if bare else self._others), expert

    @staticmethod
    def _refers_back(tokens: Tokens, content: Sequence[int]) -> bool:
        """Is it "the ministry", "the statement": a definite description without a name of its own?"""
        if tokens.words[content[0]] not in _DEFINITE or len(content) > 4:
            return False
        return not any(tokens.raw[i][0].isupper() for i in content[1:])

    def _names(self, scan: Scan, context: Context) -> Mapping[str, tuple[str, bool]]:
        """Surnames that were introduced with a role or nationality: "Norwegian minister Jonas Gahr"."""
        tokens = scan.tokens
        found: dict[str, tuple[str, bool]] = {}
        for mention in scan.mentions:
            if mention.actor.kind != "role":
                continue
            i = mention.last + 1
            while i < len(tokens) and i <= mention.last + 3 and tokens.raw[i][0].isupper():
                i += 1
            surname = tokens.words[i - 1]
            if i == mention.last + 1 or len(surname) < 3:
                continue
            first = _phrase_start(tokens, mention.first, ())
            speaker, expert = self.name(scan, first, mention.last + 1, Context())
            if speaker.side not in (self._others, self._nobody) or expert:
                found[surname] = (speaker.side, expert)
        if not found:
            return context.names
        merged = {**context.names, **found}
        while len(merged) > MAX_NAMES:
            merged.pop(next(iter(merged)))
        return merged

    def _pronoun(self, word: str, raw: str, context: Context) -> tuple[Speaker, bool]:
        if word in _PERSON_PRONOUNS and context.person is not None:
            return Speaker(raw, context.person.side), context.person_expert
        if context.speaker is not None:
            return Speaker(raw, context.speaker.side), context.expert
        return Speaker(raw, self._nobody), False

    def _person(self, scan: Scan, context: Context) -> tuple[Speaker | None, bool]:
        """Whom "he" or "she" in the next sentence would mean: the first person named, else as before."""
        for mention in scan.mentions:
            if mention.actor.kind in _PERSON_KINDS and mention.actor.speaker is not None:
                text = scan.tokens.text[mention.start : mention.end]
                return Speaker(text, mention.actor.speaker), mention.actor.expert
        return context.person, context.person_expert

    # -- answers ---------------------------------------------------------------------------------------

    def of(
        self,
        voices: Voices,
        start: int,
        end: int,
        side: str | None,
        test: str | None,
        mentions: Sequence[Mention],
    ) -> Found:
        """Voice and speaker of the words ``[start, end)`` that carry a frame of ``side`` by ``test``."""
        inner = [q for q in voices.quotations if q.start <= start + 1 and end - 1 <= q.end]
        scope = self._narrowest(voices.scopes, start, end)
        if inner:
            quotation = max(inner, key=lambda q: q.level)
            words = len(voices.text[quotation.start : quotation.end].split())
            speech = scope is not None or quotation.opens_before or quotation.continues_after
            if speech or words >= SHORT_QUOTATION_WORDS or any(s.main for s in voices.scopes):
                if scope is not None:
                    return Found(Voice.QUOTED, scope.speaker, scope.expert, main=scope.main)
                return Found(Voice.QUOTED, voices.quoted_speaker, voices.quoted_expert)
            owner = next((m for m in mentions if m.end <= start and m.actor.side == side and side), None)
            if owner is not None:
                # A side acts with its own term in marks: carried, and the words are that side's.
                speaker = Speaker(voices.text[owner.start : owner.end], owner.actor.speaker or self._others)
                return Found(Voice.QUOTED, speaker, False)
            return Found(Voice.QUOTED, self.unknown, False, mention=True)
        if scope is not None:
            if test in ("N", "Q") and side is not None and scope.speaker.side != side:
                # Another side's name in somebody's mouth is the writer's word.
                return Found(Voice.AUTHOR, None, False, main=scope.main)
            return Found(scope.voice, scope.speaker, scope.expert, main=scope.main)
        return Found(Voice.AUTHOR, None, False)

    @staticmethod
    def _narrowest(scopes: Iterable[Scope], start: int, end: int) -> Scope | None:
        covering = [
            s
            for s in scopes
            if s.start <= start and end <= s.end and not (s.anchor[0] <= start and end <= s.anchor[1])
        ]
        if not covering:
            return None
        named = [s for s in covering if s.speaker.text is not None] or covering
        return min(named, key=lambda s: (s.end - s.start, s.start, s.rule))


def merge(surface: Sequence[Scope], trees: Sequence[Scope]) -> tuple[Scope, ...]:
    """Scopes of the tree replace those that the surface opened at the same reporting word."""
    kept = [
        scope
        for scope in surface
        if not any(t.anchor[0] < scope.anchor[1] and scope.anchor[0] < t.anchor[1] for t in trees)
    ]
    return (*trees, *kept)


def _choose(mentions: Sequence[Mention], last_word: int, near_end: bool, tokens: Tokens) -> Mention | None:
    """The mention that heads a speaker's phrase: a name at its edge, else a person, else the first one."""
    if not mentions:
        return None
    if near_end:
        nearest = mentions[-1]
        before = tokens.words[nearest.first - 1] if nearest.first else ""
        if before == "the" and nearest.first > 1:
            before = tokens.words[nearest.first - 2]
        if last_word - nearest.last <= 1 and (
            nearest.actor.kind in _PERSON_KINDS or before not in _PREPOSITIONS
        ):
            return nearest
    persons = [m for m in mentions if m.actor.kind in _PERSON_KINDS]
    if persons and not near_end:
        return persons[0]
    return mentions[0]


def _inside(start: int, end: int, quotations: Iterable[Quotation]) -> bool:
    return any(q.start <= start and end <= q.end for q in quotations)


def _clip(text: str, limit: int = 120) -> str:
    text = " ".join(text.split()).strip(" ,;:\"“”'‘’«»()")
    return text if len(text) <= limit else text[: limit - 1] + "…"


def _clause_end(tokens: Tokens, first: int, size: int) -> int:
    for i in range(first, len(tokens)):
        word = tokens.words[i]
        if word in _CLAUSE_END:
            return tokens.starts[i]
        if (
            word == ","
            and i + 1 < len(tokens)
            and tokens.words[i + 1] in ("but", "while", "although", "whereas")
        ):
            return tokens.starts[i]
    return size


def _clause_start(tokens: Tokens, last: int) -> int:
    for i in range(last - 1, -1, -1):
        if tokens.words[i] in _CLAUSE_END:
            return tokens.ends[i]
    return 0


def _named_part(
    tokens: Tokens, hit: Hit, quotations: Sequence[Quotation], verbs: frozenset[str]
) -> tuple[int, int]:
    """Tokens of a parenthetical reporting clause that name the speaker: outside marks, without the verb."""
    first, last = hit.first, hit.last + 1
    for q in quotations:
        for i in range(hit.first, hit.last + 1):
            if q.start <= tokens.starts[i] < q.end and i + 1 > first:
                first = i + 1
    while first < last and not tokens.words[first][0].isalnum():
        first += 1
    verb = next((i for i in range(last - 1, first - 1, -1) if tokens.words[i] in verbs), None)
    if verb is None:
        return first, last
    if verb - first >= last - verb - 1 and verb > first:
        return _phrase_start(tokens, verb, quotations) if verb - first > 6 else first, verb
    return verb + 1, _phrase_end(tokens, verb + 1, quotations)


def _phrase_start(tokens: Tokens, verb: int, quotations: Sequence[Quotation]) -> int:
    """First token of the noun phrase that ends before token ``verb`` (an apposition is stepped over)."""
    i = verb - 1
    words = tokens.words
    if i >= 0 and words[i] in _RELATIVES:  # "NAME, which says": the speaker stands before the comma
        i -= 1
        if i >= 0 and words[i] == ",":
            i -= 1
        verb = i + 1
    floor = 0
    for q in quotations:
        for j in range(i, -1, -1):
            if tokens.ends[j] <= q.end + 1:
                if tokens.starts[j] >= q.start - 1:
                    floor = max(floor, j + 1)
                break
    commas = 0
    # A comma right before the verb closes an apposition: go on to the comma that opens it.
    if i >= floor and words[i] == ",":
        commas = 1
        i -= 1
        while i >= floor and words[i] != ",":
            i -= 1
        i -= 1
    while i >= floor:
        word = words[i]
        if word in (",", ":", ";", "—", "–", "(", ")") or word in _OPENING or word in _CLOSING:
            if word in _CLOSING and tokens.text[tokens.starts[i] - 1 : tokens.starts[i]].isalnum():
                i -= 1
                continue  # an apostrophe
            break
        if word in _BREAKS and not commas:
            if word in ("and", "or", "for", "with") and i > floor:
                i -= 1
                continue
            break
        i -= 1
    return max(i + 1, floor)


def _phrase_end(tokens: Tokens, first: int, quotations: Sequence[Quotation]) -> int:
    """Token after the noun phrase that begins at ``first``; an apposition after a comma belongs to it."""
    words = tokens.words
    ceiling = len(tokens)
    for q in quotations:
        for j in range(first, ceiling):
            if tokens.starts[j] >= q.start - 1 and tokens.starts[j] < q.end:
                ceiling = min(ceiling, j)
                break
    i = first
    commas = 0
    while i < ceiling:
        word = words[i]
        if word == ",":
            commas += 1
            if commas > 1:
                break
        elif word in _AFTER_SPEAKER or (word in _BREAKS and word not in ("for", "with", "and")):
            break
        i += 1
    return i
