"""Whose words they are: quotation marks, indirect speech, and the speaker with a side.

Two layers, joined late. The surface layer needs no tree: every voice rule that fires opens a *scope* (a
stretch of the sentence that somebody else speaks) and names its speaker. The tree layer, asked only
where a frame is in the sentence and the surface leaves some of the evidence to the author, replaces the
scope of the same reporting word by a constituent.
A quotation beats indirect speech; the narrowest scope wins.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from stance.document import Quotation, Sentence
from stance.evidence import Speaker
from stance.labels import Voice
from stance.lexicon import Hit, Mention, Scan, Tokens
from stance.phrases import WORD, PhraseParser, Word, lower
from stance.rulebook import Rulebook

# Words of grammar, not of the domain: they end the noun phrase in which a speaker is looked for.
_BREAKS: Final = frozenset(
    "that but and while although though because since after before when where if as whereas which who whom "
    "whose until unless so or for with despite".split()
)
_SUBORDINATORS: Final = frozenset(
    "after when while since because although though if before until unless whereas where as why how".split()
)
_PRONOUNS: Final = frozenset("he she they it his her their its him them".split())
_PERSON_PRONOUNS: Final = frozenset("he she him her his".split())
_THEY: Final = frozenset("they their them".split())
_SUBJECT_PRONOUNS: Final = frozenset("he she they it".split())
_DEFINITE: Final = frozenset("the this his her their its".split())
_FIRST_PERSON: Final = frozenset("i we my our us me".split())
_WE: Final = frozenset(("i", "we", "us"))
# Auxiliaries and adverbs between a speaker and the verb.
_BEFORE_VERB: Final = frozenset(
    "has have had is was were are be been being also later then still again now would could will may might "
    "must should can 'd 've 's not never further earlier already once just even only so far long too".split()
)
_FINITE: Final = frozenset("is was were are has have had will would could can".split())
_AUXILIARIES: Final = _FINITE | frozenset("be been do does did may might must should shall".split())
_RELATIVES_OF_OBJECTS: Final = frozenset(("that", "which", "who", "whom"))
_PREPOSITIONS: Final = frozenset("of for in to with from by at on against near".split())
_RELATIVES: Final = frozenset(("which", "who"))
# How many surnames a document keeps in mind.
MAX_NAMES: Final = 64
# Scopes that begin behind the reporting word itself, not behind the whole phrase that found it.
_FROM_VERB: Final = ("sentence", "clause-after")
_CLAUSE_END: Final = frozenset(";")
_SMALL: Final = (
    _BREAKS | _BEFORE_VERB | _PREPOSITIONS | _PRONOUNS | frozenset("the a an as 's this these which".split())
)
_AS_SAYING: Final = ("as", "saying")
_AND: Final = frozenset(("and", "but", "then", "or"))
_DASHES: Final = frozenset("-–—")
_DASH: Final = "—"  # as tokens have it
_ARTICLES: Final = frozenset("the a an".split())
_PARTICLES: Final = frozenset(
    "the a an its his her their our some several many most other all both of top senior".split()
)
# What may come first in a speaker's phrase that stands after its verb, besides a name.
_NOUN_STARTS: Final = _PARTICLES | frozenset("one another two three four five local this that these".split())
# A sentence that begins with one of these has its subject after the first comma.
_SOURCE_WORDS: Final = frozenset("according to as in from".split())
_ADJUNCTS: Final = frozenset(
    "in on at after during earlier later meanwhile speaking addressing while as since following asked "
    "commenting when before amid despite although though yesterday today last late early previously "
    "moreover however furthermore additionally also still yet again instead for by with from "
    "under over prior ahead according".split()
)
# Words of an office that names no country: "General Staff", "the deputy minister".
_BARE_WORDS: Final = 3
# How many tokens a subject may have where nothing else ends it.
_SUBJECT_WORDS: Final = 10
# A turn of a conversation in print: "NAME: …", "Q: …"; or, where one was open before, "Name: …".
_TURN: Final = re.compile(r"\W{0,5}((?:[A-Z][A-Z.'’-]{1,30}(?: [A-Z][A-Z.'’-]{1,30}){0,3}|Q|A)):\s\W{0,5}\w")
_NAMED_TURN: Final = re.compile(r"\W{0,5}([A-Z][\w'’-]{1,30}(?: [A-Z][\w.'’-]{0,30}){0,3}):\s\W{0,5}[A-Z]")
# Labels of the press before a colon, which are nobody's turn.
_LABELS: Final = frozenset(
    "analysis breaking correction editorial exclusive explainer factbox live more note opinion photo photos "
    "picture read related report summary update updates updated video videos warning watch".split()
)
_STOPS: Final = (".", "!", "?", "…", '."', ".”", '?"', "?”", '!"', "!”")
_OPENING: Final = frozenset("\"“«‘'`„‹(")
_AFTER_SPEAKER: Final = (_OPENING | frozenset(":;—–.")) - frozenset("'’")
_MARKS: Final = " \"“”«»„‘’'`"
_APOSTROPHES: Final = frozenset("'’")
_CLOSING: Final = frozenset("\"”»’')›")
_PERSON_KINDS: Final = frozenset(("leader", "official", "person"))
_OFFICERS: Final = _PERSON_KINDS | {"role"}

# A quotation of fewer words than this, with nobody speaking in the sentence, is a mention or a distance.
SHORT_QUOTATION_WORDS: Final = 5
# Share of a sentence's words inside marks from which its main content counts as quoted.
QUOTED_SHARE: Final = 0.6
QUOTED_SHARE_REPORTED: Final = 0.7  # where a reporting clause makes the rest indirect speech
QUOTED_SHARE_SPEECH: Final = 0.3  # where the marks open the sentence, or stand after a comma or colon


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
    """What may cross from one sentence to the next: who spoke last and whom a pronoun may mean.

    ``body`` is the office or officer that "the ministry" or "the official" may mean, ``turn`` the speaker
    of a conversation in print, which has no quotation marks.
    """

    speaker: Speaker | None = None
    expert: bool = False
    person: Speaker | None = None
    person_expert: bool = False
    body: Speaker | None = None
    turn: Speaker | None = None
    paragraph: int = 0
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
        alone = not (sentence.quotations or context.turn or ":" in sentence.text)
        if alone and not any(hit.rule.effect == "voice" for hit in scan.hits):
            return self._author(sentence, scan, context)
        scopes: list[Scope] = []
        for hit in scan.hits:
            if hit.rule.effect == "voice" and not _quoted(scan.tokens, hit, sentence.quotations):
                scope = self._scope(sentence, scan, hit, context, scopes)
                if scope is not None and any(c.isalnum() for c in sentence.text[scope.start : scope.end]):
                    scopes.append(scope)
        return self.assemble(sentence, scan, tuple(scopes), context)

    def _author(self, sentence: Sentence, scan: Scan, context: Context) -> Voices:
        """What `assemble` finds where nobody else speaks: most sentences of a mixed feed."""
        if scan.mentions:
            person, expert = self._person(scan, (), (), context)
            body, names = self._body(scan, (), context), self._names(scan, (), context)
            changed = body is not context.body or names is not context.names
            if changed or person is not context.person or expert is not context.person_expert:
                context = replace(context, person=person, person_expert=expert, body=body, names=names)
        if context.paragraph != sentence.paragraph:
            context = replace(context, paragraph=sentence.paragraph)
        return Voices((), (), Voice.AUTHOR, None, False, self.unknown, False, context, sentence.text)

    def assemble(self, sentence: Sentence, scan: Scan, scopes: tuple[Scope, ...], context: Context) -> Voices:
        """The voices of a sentence once its scopes are known (from the surface or from a tree)."""
        quotations = sentence.quotations
        named = _widest(s for s in scopes if s.main) or _widest(scopes)
        if named is not None:
            quoted_speaker, quoted_expert = named.speaker, named.expert
        elif any(s.main for s in scopes):
            quoted_speaker, quoted_expert = self.unknown, False
        elif quotations:
            quoted_speaker = context.speaker or context.person or self.unknown
            quoted_expert = context.expert if context.speaker else context.person_expert
        else:
            quoted_speaker, quoted_expert = self.unknown, False
        main, speaker, expert = self._main(sentence, scan, scopes, quoted_speaker, quoted_expert)
        turn = self._turn(sentence, scan, context)
        if turn is not None:
            main, speaker, expert = Voice.QUOTED, turn, False
            quoted_speaker, quoted_expert = turn, False
            whole = Quotation(0, len(sentence.text))
            quotations = (whole, *(replace(q, level=q.level + 1) for q in quotations))
        person, person_expert = self._person(scan, scopes, quotations, context)
        heard = speaker is not None and speaker.side != self._nobody
        after = Context(
            speaker=speaker if heard else context.speaker,
            expert=expert if heard else context.expert,
            person=person,
            person_expert=person_expert,
            body=self._body(scan, quotations, context),
            turn=turn,
            paragraph=sentence.paragraph,
            names=self._names(scan, scopes, context),
        )
        return Voices(
            scopes, quotations, main, speaker, expert, quoted_speaker, quoted_expert, after, sentence.text
        )

    def _turn(self, sentence: Sentence, scan: Scan, context: Context) -> Speaker | None:
        """Who has the turn in a conversation in print, if the sentence is part of one."""
        text = sentence.text
        ended = text.rstrip().endswith(_STOPS)  # a headline is not
        match = _TURN.match(text) if ended else None
        if match is None and ended:
            match = _NAMED_TURN.match(text)
            if match is not None and " " not in match.group(1) and context.turn is None:
                match = None  # one word before a colon may be anything
        if match is not None and not _LABELS.isdisjoint(match.group(1).lower().split()):
            match = None
        if match is None:
            same = context.turn is not None and context.paragraph == sentence.paragraph
            return context.turn if same and not sentence.quotations else None
        last = next((i for i, end in enumerate(scan.tokens.ends) if end > match.end(1)), len(scan.tokens))
        known, _ = self.name(scan, 0, last, context)
        alone = len(match.group(1)) == 1
        return Speaker(match.group(1), self._nobody if alone else known.side)

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
            speech = quoted >= SHORT_QUOTATION_WORDS and _direct_speech(sentence)
            share = QUOTED_SHARE_SPEECH if speech else QUOTED_SHARE_REPORTED if mains else QUOTED_SHARE
            if (
                words
                and quoted / words >= share
                and (mains or carried or quoted >= SHORT_QUOTATION_WORDS)
            ):
                return Voice.QUOTED, quoted_speaker, quoted_expert
        if mains:
            best = _widest(mains) or mains[0]
            return best.voice, best.speaker, best.expert
        return Voice.AUTHOR, None, False

    def _scope(
        self, sentence: Sentence, scan: Scan, hit: Hit, context: Context, earlier: Sequence[Scope]
    ) -> Scope | None:
        """The scope that a reporting word opens; None if what stands after it can be no speaker."""
        tokens = scan.tokens
        size = len(sentence.text)
        covers = hit.rule.covers or "sentence"
        if covers == "after":
            # "He said at the meeting:" announces words that this sentence does not hold.
            start, end = hit.end, hit.end if sentence.text.rstrip().endswith(":") else size
        elif covers == "clause-after":
            start = tokens.ends[hit.first] if hit.rule.speaker == "before" else hit.end
            end = _clause_end(tokens, hit.last + 1, size)
        elif covers == "before":
            start, end = _clause_start(tokens, hit.first), hit.start
        else:
            start, end = 0, size
        where = hit.rule.speaker or "none"
        if tokens.words[hit.first] == _DASH and where == "inside" and sentence.text.rstrip().endswith("."):
            return None  # a headline has no full stop: what stands after the dash goes on
        inverted = where == "after" and tokens.words[hit.last] in self._verbs
        if inverted and not (
            _starts_noun(scan, hit.last + 1) and _ends_noun(tokens, hit.last + 1, sentence.quotations)
        ):
            return None
        speaker, expert, first = self._speaker(sentence, scan, hit, where, context, earlier)
        if where == "before" and _first_person(tokens, max(first, hit.first - 3), hit.first):
            return None  # "we believe": the text itself speaks
        before = tokens.words[first - 1] if first > 0 else ""
        main = not (
            before in _SUBORDINATORS
            or (first > 1 and before == "," and tokens.words[first - 2] in _SUBORDINATORS)
            or (first > 2 and before in _RELATIVES_OF_OBJECTS)
            or tokens.words[hit.first] == "what"
        )
        # "– These are the words – said X.": some presses open speech with a dash.
        dashed = covers == "before" and where != "before" and sentence.text[0] in _DASHES
        voice = Voice.QUOTED if dashed else Voice(hit.rule.voice or "attributed")
        # What the verb names may stand inside the phrase that found it: only the verb is no part of it.
        last = tokens.ends[hit.first] if covers in _FROM_VERB and where == "before" else hit.end
        return Scope(start, end, voice, speaker, (hit.start, last), hit.rule.id, main, expert)

    # -- speakers --------------------------------------------------------------------------------------

    def _speaker(
        self,
        sentence: Sentence,
        scan: Scan,
        hit: Hit,
        where: str,
        context: Context,
        earlier: Sequence[Scope],
    ) -> tuple[Speaker, bool, int]:
        """Speaker, whether an expert, and the first token of the speaker's phrase (for ``main``)."""
        tokens, quoted = scan.tokens, sentence.quotations
        if where == "inside":
            first, last = _named_part(tokens, hit, sentence.quotations, self._verbs)
            if first == hit.first and tokens.raw[first][0].islower():  # "the report of X members says"
                first = min(first, _phrase_start(tokens, first, quoted))
            if first == hit.first:  # "X members fear": the name before the noun that was found
                first = next((m.first for m in scan.mentions if m.first < first <= m.last + 1), first)
            announces = hit.rule.covers == "clause-after"
            speaker, expert = self.name(scan, first, last, context, quotations=quoted, announces=announces)
            return speaker, expert, hit.first
        if where == "before":
            first = _phrase_start(tokens, hit.first, sentence.quotations)
            last = _without_auxiliaries(tokens, first, hit.first)
            if last == first and any(m.first == hit.first for m in scan.mentions):
                first, last = _named_part(tokens, hit, sentence.quotations, self._verbs)
                speaker, expert = self.name(scan, first, last, context, near_end=True, quotations=quoted)
                return speaker, expert, first
            before = next((s for s in reversed(earlier) if s.main and s.speaker.text is not None), None)
            if last > first and tokens.words[last - 1] in _SUBJECT_PRONOUNS:
                if before is not None:
                    return before.speaker, before.expert, last - 1
                after = hit.rule.covers == "clause-after"
                speaker, expert = self.name(
                    scan, last - 1, last, context, quotations=quoted, announces=after
                )
                return speaker, expert, last - 1
            coordinated = last > 0 and last >= first and tokens.words[last - 1] in _AND
            if coordinated or tokens.words[hit.first] == "," or _is_clause(scan, first, last):
                # "X came home and said": the subject of the first verb speaks.
                if before is not None:
                    return before.speaker, before.expert, first
                begin, end = _subject(scan, hit.first, self._verbs, quoted)
                speaker, expert = self.name(scan, begin, end, context, quotations=quoted)
                return speaker, expert, begin
            speaker, expert = self.name(scan, first, hit.first, context, near_end=True, quotations=quoted)
            return speaker, expert, first
        if where == "after":
            last = _phrase_end(tokens, hit.last + 1, sentence.quotations)
            if hit.rule.covers == "after":
                last = _source_end(scan, hit.last + 1, last)
            speaker, expert = self.name(scan, hit.last + 1, last, context, quotations=quoted)
            return speaker, expert, hit.first
        return self.unknown, False, hit.first

    def name(
        self,
        scan: Scan,
        first: int,
        last: int,
        context: Context,
        *,
        near_end: bool = False,
        quotations: Sequence[Quotation] = (),
        announces: bool = False,
    ) -> tuple[Speaker, bool]:
        """The speaker named by tokens ``[first, last)`` and whether their view is an expert's.

        ``announces``: what is said comes after the verb, so that a pronoun may mean the sentence's subject.
        """
        tokens = scan.tokens
        last = _without_auxiliaries(tokens, first, last)
        words = tokens.words[first:last]
        content = [i for i in range(first, last) if tokens.words[i][0].isalnum()]
        if not content or tokens.words[content[0]] == "there":
            return self.unknown, False
        if len(content) <= 2 and (low := next((w for w in words if w in _PRONOUNS), None)) is not None:
            before = self._antecedent(scan, low, content[0], quotations) if announces else None
            return before or self._pronoun(scan, low, content[0], context, quotations)
        inside = [m for m in scan.mentions if first <= m.first and m.last < last]
        start, end = tokens.starts[content[0]], tokens.ends[content[-1]]
        override = next((m for m in inside if m.actor.kind == "role" and m.actor.speaker is not None), None)
        expert = any(m.actor.expert for m in inside)
        sided = [m for m in inside if m.actor.kind != "role" and m.actor.speaker is not None]
        if not any(m.actor.kind in _OFFICERS for m in inside) and tokens.raw[content[0]][0].isupper():
            # "Ann Bell, a curator in X": where somebody works is not whose side they are on
            sided = [m for m in sided if not self._is_place(tokens, m)]
        chosen = _choose(sided, content[-1], near_end, tokens)
        if near_end and len(sided) > 1 and chosen is not sided[0] and _coordinated(scan, first, sided):
            chosen = sided[0]  # "X and its allies say"
        if override is not None and _overridden(tokens, inside, override, chosen):
            expert = chosen.actor.expert if chosen is not None else False
            override = None
        if override is not None:
            # An analyst or a former president of a country: the role outweighs the nationality.
            return Speaker(_clip(tokens.text[start:end]), override.actor.speaker or self._others), expert
        if chosen is not None:
            person = chosen.actor.kind in _PERSON_KINDS
            text = tokens.text[chosen.start : chosen.end] if person else tokens.text[start:end]
            return Speaker(_clip(text), chosen.actor.speaker or self._others), expert or chosen.actor.expert
        if _first_person(tokens, first, last, _FIRST_PERSON):
            return self.unknown, False
        text = _clip(tokens.text[start:end])
        known = next((context.names[w] for w in reversed(words) if w in context.names), None)
        if known is not None:
            return Speaker(text, known[0]), known[1]
        if tokens.raw[content[-1]][0].isupper() and _names_again(context.speaker, words[-1]):
            return Speaker(text, context.speaker.side if context.speaker else self._others), context.expert
        if self._refers_back(scan, content):
            back = context.speaker or context.body
            if back is not None:
                return Speaker(text, back.side), context.expert
        # "The ministry" of nobody knows whom is nobody's; a name on no list is somebody else's.
        bare = any(m.actor.kind == "role" and not m.actor.expert for m in inside) and not any(
            tokens.raw[i][0].isupper() for i in content[1:] if not any(m.first <= i <= m.last for m in inside)
        )
        if bare and len(content) <= _BARE_WORDS:
            return Speaker(text, self._home(scan, first)), expert
        return Speaker(text, self._nobody if bare else self._others), expert

    @staticmethod
    def _is_place(tokens: Tokens, mention: Mention) -> bool:
        """Does a country or its capital only say where?"""
        before = tokens.words[mention.first - 1] if mention.first else ""
        return before in ("in", "at", "near") and mention.actor.kind in ("country", "capital", "place")

    def _home(self, scan: Scan, office: int) -> str:
        """Whose office it is that token ``office`` names without a country: "X to send trucks, minister
        says". The state that the sentence begins with, as its subject or as the topic of a headline."""
        opening = next(iter(scan.mentions), None)
        if opening is None or opening.actor.kind != "country" or opening.last >= office:
            return self._nobody
        if opening.first > scan.tokens.first_word:
            return self._nobody
        return opening.actor.speaker or self._nobody

    @staticmethod
    def _refers_back(scan: Scan, content: Sequence[int]) -> bool:
        """Is it "the ministry", "the statement": a definite description without a name of its own?"""
        tokens = scan.tokens
        if tokens.words[content[0]] not in _DEFINITE or len(content) > 5:
            return False
        titles = {i for m in scan.mentions if m.actor.kind == "role" for i in range(m.first, m.last + 1)}
        return not any(tokens.raw[i][0].isupper() for i in content[1:] if i not in titles)

    def _body(self, scan: Scan, quotations: Sequence[Quotation], context: Context) -> Speaker | None:
        """Whom "the ministry" or "the official" of the next sentence would mean: who has an office here."""
        for mention in scan.mentions:
            actor = mention.actor
            if actor.speaker is None or actor.kind == "role":
                continue
            if actor.kind in _PERSON_KINDS and _inside(mention.start, mention.end, quotations):
                continue
            beside = any(m.actor.kind == "role" and 0 < m.first - mention.last <= 3 for m in scan.mentions)
            opens = mention.first <= scan.tokens.first_word + 1
            if opens or beside or actor.kind in ("institution", "force", "leader", "official"):
                return Speaker(scan.tokens.text[mention.start : mention.end], actor.speaker)
        return context.body

    def _names(self, scan: Scan, scopes: Sequence[Scope], context: Context) -> Mapping[str, tuple[str, bool]]:
        """Surnames that were introduced with a role or nationality: "X's minister Ann Bell"."""
        tokens = scan.tokens
        found: dict[str, tuple[str, bool]] = {}
        for mention in scan.mentions:
            if mention.actor.kind == "role" and (named := self._before_apposition(scan, mention)):
                found[named[0]] = named[1:]
        for mention in scan.mentions:
            if mention.actor.kind != "role" or not tokens.text[mention.end :].lstrip()[:1].isupper():
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
        for scope in scopes:
            surname = (scope.speaker.text or "").rsplit(" ", 1)[-1].lower()
            if len(surname) > 2 and surname in tokens.positions and surname not in found:
                capital = any(tokens.raw[i][0].isupper() for i in tokens.positions[surname])
                if capital and scope.speaker.side not in (self._others, self._nobody):
                    found[surname] = (scope.speaker.side, scope.expert)
        if not found:
            return context.names
        merged = {**context.names, **found}
        while len(merged) > MAX_NAMES:
            merged.pop(next(iter(merged)))
        return merged

    def _before_apposition(self, scan: Scan, role: Mention) -> tuple[str, str, bool] | None:
        """Surname, side and expertise of "Ann Bell, the prime minister of X"."""
        tokens = scan.tokens
        first = role.first
        while first and first > role.first - 5 and tokens.words[first - 1] != ",":
            first -= 1
        if first < 2 or tokens.words[first - 1] != "," or not tokens.raw[first - 2][0].isupper():
            return None
        if first - 2 <= tokens.first_word or not tokens.raw[first - 3][0].isupper():
            return None  # "However, the minister", "On Monday, ..."
        if len(tokens.words[first - 2]) < 3 or any(m.last == first - 2 for m in scan.mentions):
            return None
        last = role.last + 1
        while last < len(tokens) and last < role.last + 8 and tokens.words[last] not in (",", "."):
            last += 1
        speaker, expert = self.name(scan, first, last, Context())
        if speaker.side == self._nobody:
            return None
        return tokens.words[first - 2], speaker.side, expert

    def _antecedent(
        self, scan: Scan, word: str, place: int, quotations: Sequence[Quotation]
    ) -> tuple[Speaker, bool] | None:
        """The subject of the sentence, if a pronoun after it can mean it: "X sells what it calls"."""
        if word in _THEY:
            return None
        first, last = _subject(scan, place, self._verbs, quotations)
        person = word in _PERSON_PRONOUNS
        inside = [m for m in scan.mentions if first <= m.first and m.last < last]
        if person and any(m.actor.kind in _OFFICERS for m in inside):
            speaker, expert = self.name(scan, first, last, Context())
            known = speaker.side != self._nobody
            return (Speaker(scan.tokens.raw[place], speaker.side), expert) if known else None
        for mention in inside:
            actor = mention.actor
            if actor.kind == "role":
                continue
            if actor.speaker is not None and person == (actor.kind in _PERSON_KINDS):
                return Speaker(scan.tokens.raw[place], actor.speaker), actor.expert
            return None
        return None

    def _pronoun(
        self, scan: Scan, word: str, place: int, context: Context, quotations: Sequence[Quotation]
    ) -> tuple[Speaker, bool]:
        raw = scan.tokens.raw[place]
        if word in _PERSON_PRONOUNS and context.person is not None:
            return Speaker(raw, context.person.side), context.person_expert
        if context.speaker is not None:
            return Speaker(raw, context.speaker.side), context.expert
        if word in _PERSON_PRONOUNS:
            for mention in scan.mentions:  # "though X is silent, he said"
                actor = mention.actor
                before = scan.tokens.words[mention.first - 1] if mention.first else ""
                known = actor.kind in _PERSON_KINDS and actor.speaker is not None
                quoted = _inside(mention.start, mention.end, quotations)
                if known and mention.last < place and before not in _PREPOSITIONS and not quoted:
                    return Speaker(raw, actor.speaker or self._others), actor.expert
        if context.body is not None:
            return Speaker(raw, context.body.side), False
        return Speaker(raw, self._nobody), False

    def _person(
        self, scan: Scan, scopes: Sequence[Scope], quotations: Sequence[Quotation], context: Context
    ) -> tuple[Speaker | None, bool]:
        """Whom "he" or "she" in the next sentence would mean: who speaks in this one, else the first
        person whom the author names (not in somebody's quotation, not as "X's"), else as before."""
        named = _widest(s for s in scopes if s.main)
        if named is not None and named.speaker.side != self._nobody and self._is_person(scan, named.speaker):
            return named.speaker, named.expert
        for mention in scan.mentions:
            if mention.actor.kind not in _PERSON_KINDS or mention.actor.speaker is None:
                continue
            text = scan.tokens.text[mention.start : mention.end]
            if _inside(mention.start, mention.end, quotations) or text.endswith(("'s", "’s")):
                continue
            return Speaker(text, mention.actor.speaker), mention.actor.expert
        return context.person, context.person_expert

    @staticmethod
    def _is_person(scan: Scan, speaker: Speaker) -> bool:
        """Is it somebody whom "he" can mean, and not a body or a state?"""
        text = speaker.text or ""
        if text.lower() in _PRONOUNS - _PERSON_PRONOUNS:
            return False
        return not any(
            m.actor.kind not in _PERSON_KINDS
            and m.actor.kind != "role"
            and text.endswith(scan.tokens.text[m.start : m.end])
            for m in scan.mentions
        )

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
        if test != "S":  # there the marks themselves are the cue
            start, end = self._spoken_part(voices, start, end, mentions)
        inner = [q for q in voices.quotations if q.start <= start + 1 and end - 1 <= q.end]
        scope = self._narrowest(voices.scopes, start, end)
        if scope is None and test != "S":  # "claimed without evidence" is the writer's doubt
            scope = self._narrowest(voices.scopes, self._after_name(voices, start, end, mentions), end)
        if inner:
            quotation = max(inner, key=lambda q: q.level)
            words = len(voices.text[quotation.start : quotation.end].split())
            speech = scope is not None or quotation.opens_before or quotation.continues_after
            if speech or words >= SHORT_QUOTATION_WORDS or any(s.main for s in voices.scopes):
                if scope is not None:
                    speaker = self._of_camp(scope.speaker, side)
                    return Found(Voice.QUOTED, speaker, scope.expert, main=scope.main)
                speaker = self._of_camp(voices.quoted_speaker, side)
                return Found(Voice.QUOTED, speaker, voices.quoted_expert)
            owner = next((m for m in mentions if m.end <= start and m.actor.side == side and side), None)
            if owner is not None:
                # A side acts with its own term in marks: carried, and the words are that side's.
                speaker = Speaker(voices.text[owner.start : owner.end], owner.actor.speaker or self._others)
                return Found(Voice.QUOTED, speaker, False)
            return Found(Voice.QUOTED, self.unknown, False, mention=True)
        if scope is not None:
            speaker = self._of_camp(scope.speaker, side)
            nameless = scope.speaker.side == self._nobody and scope.speaker.text is not None
            if test in ("N", "Q") and side is not None and speaker.side != side and not nameless:
                # Another side's name in somebody's mouth is the writer's word.
                return Found(Voice.AUTHOR, None, False, main=scope.main)
            return Found(scope.voice, speaker, scope.expert, main=scope.main)
        return Found(Voice.AUTHOR, None, False)

    @staticmethod
    def speaks_itself(tokens: Tokens, first: int, last: int) -> bool:
        """Is the speaker the text itself: "we condemn"?"""
        return last - first == 1 and _first_person(tokens, first, last)

    def better(
        self, voices: Voices, place: tuple[int, int], speaker: Speaker, expert: bool
    ) -> tuple[Speaker, bool]:
        """The tree's speaker of the reporting word at ``place``, or the surface's if only that has a side."""
        if speaker.side not in (self._nobody, self._others):
            return speaker, expert
        for scope in voices.scopes:
            other = scope.speaker
            here = scope.anchor[0] < place[1] and place[0] < scope.anchor[1]
            sided = other.text is not None and other.side != self._nobody
            if here and sided and (speaker.side == self._nobody or other.side != self._others):
                return other, scope.expert
        return speaker, expert

    def _of_camp(self, speaker: Speaker, side: str | None) -> Speaker:
        """An office without a country ("prosecutors say") that voices a side's frame speaks for that side."""
        if side is None or speaker.side != self._nobody or speaker.text is None:
            return speaker
        words = speaker.text.lower().split()
        if len(words) <= 2 and words[0] in _PRONOUNS:
            return speaker
        return Speaker(speaker.text, side)

    def _spoken_part(
        self, voices: Voices, start: int, end: int, mentions: Sequence[Mention]
    ) -> tuple[int, int]:
        """The part of the evidence inside marks, if only names, verbs of speech, small words are outside."""
        for q in voices.quotations:
            first, last = max(start, q.start), min(end, q.end)
            if first >= last or (first, last) == (start, end):
                continue
            words = (m.span() for m in WORD.finditer(voices.text, start, end))
            outside = [(a, b) for a, b in words if not first <= a < last]
            if all(self._is_frame_free(voices.text, a, b, mentions) for a, b in outside):
                return first, last
        return start, end

    def _after_name(self, voices: Voices, start: int, end: int, mentions: Sequence[Mention]) -> int:
        """Where the evidence begins behind the name of who speaks in it: "X accused ..."."""
        for match in WORD.finditer(voices.text, start, end):
            if not self._is_frame_free(voices.text, *match.span(), mentions):
                return match.start()
        return start

    def _is_frame_free(self, text: str, start: int, end: int, mentions: Sequence[Mention]) -> bool:
        word = lower(text[start:end])
        return (
            word in _SMALL or word in self._verbs or any(m.start <= start and end <= m.end for m in mentions)
        )

    @staticmethod
    def _narrowest(scopes: Iterable[Scope], start: int, end: int) -> Scope | None:
        covering = [
            s
            for s in scopes
            if (s.start <= start or s.anchor[0] <= start < s.anchor[1])
            and end <= s.end
            and not (s.anchor[0] <= start and end <= s.anchor[1])
        ]
        if not covering:
            return None
        named = [s for s in covering if s.speaker.text is not None] or covering
        return min(named, key=lambda s: (s.end - s.start, s.start, s.rule))


def _direct_speech(sentence: Sentence) -> bool:
    """Does a quotation open the sentence, or follow a comma or colon as a sentence of its own?"""
    for q in sentence.quotations:
        before = sentence.text[: q.start].rstrip(_MARKS)
        first = sentence.text[q.start : q.end].lstrip(_MARKS)[:1]
        if not before or (before[-1] in ",:" and first.isupper()):
            return True
    return False


def _widest(scopes: Iterable[Scope]) -> Scope | None:
    """The scope with a named speaker that holds most of the sentence; the first of equals."""
    named = [scope for scope in scopes if scope.speaker.text is not None]
    return max(named, key=lambda s: s.end - s.start, default=None)


def merge(surface: Sequence[Scope], trees: Sequence[Scope]) -> tuple[Scope, ...]:
    """All scopes, those of the tree first: of two that are as narrow the tree's speaker is taken."""
    return (*trees, *surface)


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


def _without_auxiliaries(tokens: Tokens, first: int, last: int) -> int:
    """Where tokens ``[first, last)`` end without the auxiliaries, adverbs and marks before a verb."""
    while last > first and (_is_auxiliary(tokens, last - 1) or not tokens.words[last - 1][0].isalnum()):
        last -= 1
    return last


def _is_auxiliary(tokens: Tokens, i: int) -> bool:
    """Is token ``i`` an auxiliary or an adverb? Capitals are a name: "Kelly"."""
    word = tokens.words[i]
    return word in _BEFORE_VERB or (word.endswith(("ly", "n't")) and tokens.raw[i][0].islower())


def _starts_noun(scan: Scan, first: int) -> bool:
    """Can token ``first`` begin the name of a speaker that stands after its verb?"""
    tokens = scan.tokens
    if first >= len(tokens):
        return False
    word = tokens.words[first]
    return (
        tokens.raw[first][0].isupper()
        or word in _NOUN_STARTS
        or word in _PERSON_PRONOUNS
        or any(m.first == first for m in scan.mentions)
    )


def _ends_noun(tokens: Tokens, first: int, quotations: Sequence[Quotation]) -> bool:
    """Is what begins at token ``first`` no clause: "said the impact might grow"?"""
    last = _phrase_end(tokens, first, quotations)
    return all(tokens.words[i] not in _AUXILIARIES for i in range(first + 1, last))


def _is_clause(scan: Scan, first: int, last: int) -> bool:
    """Is what stands before the verb no name but a clause: "it is the height of cynicism to"?"""
    words = scan.tokens.words
    if first >= last:
        return False
    return words[first] in _PREPOSITIONS or any(words[i] in _FINITE for i in range(first + 1, last))


def _subject(
    scan: Scan, until: int, verbs: frozenset[str], quotations: Sequence[Quotation]
) -> tuple[int, int]:
    """Tokens of the subject of a sentence, looked for before token ``until`` and outside quotations."""
    tokens = scan.tokens
    words = tokens.words
    first = tokens.first_word
    opening = next((q for q in quotations if q.start <= tokens.starts[first] < q.end), None)
    if opening is not None:  # the reporting clause that follows the opening quotation
        first = next((i for i in range(first, until) if tokens.starts[i] >= opening.end), until)
        while first < until and not tokens.words[first][0].isalnum():
            first += 1
    for i in range(first + 1, min(first + 12, until)):  # a dateline
        if words[i] == "—" and tokens.raw[first].isupper():
            first = i + 1
            break
    if first + 1 < until and words[first] in _AND:
        first += 1
    if first < until and (words[first] in _ADJUNCTS or _is_participle(scan, first)):
        comma = next((i for i in range(first, until) if words[i] == ","), until)
        # "On Monday the minister said", "On Monday the minister, who ...": no comma ends the adjunct
        ended = comma + 1 < until and words[comma + 1] not in _RELATIVES
        first = comma + 1 if ended else first + 2 if words[first] in _PREPOSITIONS else first
    elif first + 2 < until and words[first + 1] == "," and not _is_named(scan, first):
        after = words[first + 2]
        if after[0].isalpha() and after not in _RELATIVES:  # no age, no clause about a name
            first += 2  # "Saturday, the minister ..."
    if first < until and words[first] in _PRONOUNS:
        return first, first + 1
    covered = {i for m in scan.mentions for i in range(m.first, m.last + 1)}
    last = first
    while last < min(until, first + _SUBJECT_WORDS):
        word = words[last]
        mark = not (word[0].isalnum() or word[0] == "'" or last in covered)
        if word in verbs or word in _BEFORE_VERB or mark:
            break
        known = last in covered or word in _PARTICLES or tokens.raw[last][0].isupper()
        if not known and word not in _PREPOSITIONS and any(i in covered for i in range(first, last)):
            break
        last += 1
    return first, last


def _is_participle(scan: Scan, token: int) -> bool:
    """"Concerning the road, ..."; a name that ends so is none."""
    return scan.tokens.words[token].endswith("ing") and not _is_named(scan, token)


def _is_named(scan: Scan, token: int) -> bool:
    return any(m.first <= token <= m.last for m in scan.mentions)


def _source_end(scan: Scan, first: int, last: int) -> int:
    """End of a source that opens its sentence: at the first comma, unless an office in apposition follows."""
    words = scan.tokens.words
    comma = next((i for i in range(first, last) if words[i] == ","), last)
    begin = comma + 1
    while begin < last and words[begin] in _ARTICLES:
        begin += 1
    close = next((i for i in range(begin, min(begin + 14, len(words))) if words[i] == ","), None)
    office = begin < len(words) and words[begin] not in _PARTICLES and any(
        m.actor.kind == "role" and begin <= m.first <= begin + 2 for m in scan.mentions
    )
    return close if close is not None and office else comma


def _coordinated(scan: Scan, first: int, sided: Sequence[Mention]) -> bool:
    """Is the phrase from token ``first`` a list of names: "X and its western allies"?"""
    words = scan.tokens.words
    stop = sided[1].first
    covered = {i for m in scan.mentions for i in range(m.first, m.last + 1)}
    between = [words[i] for i in range(first, stop) if i not in covered]
    return "and" in between and all(w == "and" or w in _PARTICLES or w == "'s" for w in between)


def _overridden(tokens: Tokens, inside: Sequence[Mention], override: Mention, chosen: Mention | None) -> bool:
    """Is a role like "former" or "analyst" not about the speaker after all?

    It is not in an apposition to a known person, nor as the second of two speakers.
    """
    if chosen is None:
        return False
    before = range(min(override.last, chosen.last) + 1, max(override.first, chosen.first))
    comma = any(tokens.words[i] == "," for i in before)
    if chosen.actor.kind in _PERSON_KINDS:
        own = chosen.actor.side is not None and chosen.actor.side == chosen.actor.speaker
        return comma or (own and override.first < chosen.first)
    office = next((m for m in inside if m.actor.kind == "role" and m.actor.speaker is None), None)
    if office is None or office.last >= override.first:
        return False
    return any(tokens.words[i] == "and" for i in range(office.last + 1, override.first))


def _first_person(tokens: Tokens, first: int, last: int, words: frozenset[str] = _WE) -> bool:
    """Does the text itself speak in tokens ``[first, last)``? Capitals are a country, no pronoun."""
    return any(
        tokens.words[i] in words and (tokens.raw[i] == "I" or not tokens.raw[i].isupper())
        for i in range(first, last)
    )


def _names_again(speaker: Speaker | None, word: str) -> bool:
    return speaker is not None and word in (speaker.text or "").lower().split()


def _inside(start: int, end: int, quotations: Iterable[Quotation]) -> bool:
    return any(q.start <= start and end <= q.end for q in quotations)


def _quoted(tokens: Tokens, hit: Hit, quotations: Iterable[Quotation]) -> bool:
    """Does the hit stand inside a quotation, but for the mark that opens it?"""
    first = next((i for i in range(hit.first, hit.last + 1) if tokens.words[i] not in _OPENING), hit.first)
    return _inside(tokens.starts[first], hit.end, quotations)


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
    if tuple(tokens.words[last - 2 : last]) == _AS_SAYING:  # "quoted X as saying"
        return first + 1, last - 2
    for q in quotations:
        for i in range(hit.first, hit.last + 1):
            if q.start <= tokens.starts[i] < q.end and i + 1 > first:
                first = i + 1
    while first < last and (not tokens.words[first][0].isalnum() or tokens.words[first] in _SOURCE_WORDS):
        first += 1
    verb = next((i for i in range(last - 1, first - 1, -1) if tokens.words[i] in verbs), None)
    if verb is None:
        return first, last
    if verb > first:
        return _phrase_start(tokens, verb, quotations) if verb - first > 6 else first, verb
    return verb + 1, _phrase_end(tokens, verb + 1, quotations)


def _phrase_start(tokens: Tokens, verb: int, quotations: Sequence[Quotation]) -> int:
    """First token of the noun phrase that ends before token ``verb`` (an apposition is stepped over)."""
    words = tokens.words
    i = verb - 1
    while i > 0 and _is_auxiliary(tokens, i):
        i -= 1
    verb = i + 1
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
        if word == ")":  # "the bank (ABC) said"; what opens the sentence is the place or the paper
            opening = next((j for j in range(i, floor, -1) if words[j] == "("), None)
            if opening is not None and opening > tokens.first_word:
                i = opening - 1
                continue
        if word in (",", ":", ";", "—", "–", "(", ")") or word in _OPENING or word in _CLOSING:
            if word in _APOSTROPHES and tokens.text[tokens.starts[i] - 1 : tokens.starts[i]].isalnum():
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
