"""From one sentence to its evidence: rule hits with voice, speaker, scope, and why some do not count."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from stance.document import Quotation, Sentence
from stance.evidence import Evidence, Speaker
from stance.labels import NotCounted, Voice
from stance.lexicon import Hit, Lexicon, Mention, Scan
from stance.rulebook import Rule, Rulebook
from stance.segment import MAX_SENTENCE
from stance.syntax import Tree
from stance.tokens import Tokens
from stance.trees import TreeMatch, TreeMatcher, head_noun_span
from stance.voice import Context, Found, Scope, Voices, VoiceStage, merge

# Effects for which a tree is asked wherever a rule could match, and those for which only beside a frame.
_EVIDENCE: Final = ("frame", "opinion")
_VOICES: Final = ("voice",)
_CANCELS: Final = ("cancel",)
_VARIABLES: Final = ("X", "other(X)")  # sides that a rule takes from the name that it finds


@dataclass(frozen=True, slots=True)
class Seen:
    """What the surface shows of one sentence, before any tree: enough to know whether a tree is wanted."""

    sentence: Sentence
    scan: Scan
    voices: Voices
    before: Context
    wants_tree: bool


@dataclass(frozen=True, slots=True)
class Gathered:
    """All evidence of one sentence, in order of place, and the voices that it was given by."""

    seen: Seen
    voices: Voices
    evidence: tuple[Evidence, ...]
    parsed: bool
    cancels: tuple[tuple[Rule, int, int], ...] = ()

    @property
    def hints(self) -> frozenset[str]:
        """Rules that fired whose cue is weak and has a side of its own.

        Such words go with one side's frame more often than not, but they are nobody's vocabulary: they must
        not tell the side, or the same charge would count for one side and not for the other.
        """
        return frozenset(
            hit.rule.id
            for hit in self.seen.scan.hits
            if hit.rule.effect == "frame" and hit.rule.strength == "weak" and hit.rule.side not in _VARIABLES
        )

    @property
    def settled(self) -> tuple[Evidence, ...]:
        """The evidence for a decision: as it is, but hints do not count."""
        hints = self.hints
        if not hints:
            return self.evidence
        return tuple(
            replace(e, counted=False, not_counted=NotCounted.WEAK) if e.counted and e.rule in hints else e
            for e in self.evidence
        )

    def cancelled(self, rule: str) -> list[tuple[int, int]]:
        """Stretches in which the cancel rule of this id holds."""
        return [(start, end) for cancel, start, end in self.cancels if cancel.id == rule]


@dataclass(frozen=True, slots=True)
class _Raw:
    """A hit of a frame or opinion rule before voice and cancellation."""

    rule: Rule
    start: int
    end: int
    side: str | None
    kind: str


class Gatherer:
    """Runs the rules of one rulebook over sentences.

    ``surface`` is cheap and goes first for every sentence, in document order, since the speaker may
    cross over; ``complete`` takes the tree, or None where none was wanted.
    """

    def __init__(self, rulebook: Rulebook, *, trial: bool = False) -> None:
        self._rulebook = rulebook
        self._lexicon = Lexicon(rulebook, trial=trial)
        self._matcher = TreeMatcher(rulebook, trial=trial)
        self._voice = VoiceStage(rulebook)
        self._sides = {side.id for side in rulebook.sides}

    def warm(self) -> None:
        """Read all phrases and rules on trees now, and not each when a sentence first needs it."""
        self._lexicon.warm()
        self._matcher.warm()

    def scan(self, text: str) -> Scan:
        """What the lexicon finds in one sentence: the least that any sentence costs."""
        return self._lexicon.scan(text)

    def surface(self, sentence: Sentence, context: Context) -> Seen:
        """What needs no tree; `context` is what the sentences before have left."""
        looked_at = _bounded(sentence)
        scan = self._lexicon.scan(looked_at.text)
        voices = self._voice.surface(looked_at, scan, context)
        return Seen(sentence, scan, voices, context, self._wants_tree(scan, voices, sentence.quotations))

    @property
    def unknown(self) -> Speaker:
        """The speaker whom nobody names."""
        return self._voice.unknown

    def voice_of(self, gathered: Gathered, start: int, end: int, side: str | None) -> Found:
        """Voice and speaker of any words ``[start, end)`` of the sentence."""
        return self._voice.of(gathered.voices, start, end, side, None, gathered.seen.scan.mentions)

    def _wants_tree(self, scan: Scan, voices: Voices, quotations: Sequence[Quotation]) -> bool:
        """Whether some rule could use a tree: for evidence, or for the voice and scope of a frame."""
        words, mentions = scan.tokens.present, scan.mentions
        if self._sided(scan) and self._matcher.wants(words, mentions, _EVIDENCE):
            return True
        if not self._voiced(scan, voices):
            return False
        if self._matcher.wants(words, mentions, _CANCELS):
            return True
        if not self._own(self._lexical(scan.hits), voices, mentions):
            return False
        # Who reports inside marks is the quoted speaker's business: no scope is taken from there.
        heard = _outside(scan.tokens, quotations) if quotations else words
        return self._matcher.wants(words, mentions, _VOICES, heard)

    def _voiced(self, scan: Scan, voices: Voices) -> bool:
        """Whether there is a frame whose voice a tree could tell: a side or somebody who speaks beside it."""
        if not any(hit.rule.effect == "frame" for hit in scan.hits):
            return False
        return self._sided(scan) or any(scope.voice is Voice.ATTRIBUTED for scope in voices.scopes)

    def _own(self, raw: Iterable[_Raw], voices: Voices, mentions: Sequence[Mention]) -> bool:
        """Whether the surface gives some of the evidence to the author: else a tree has no voice to tell."""
        return any(
            self._voice.of(voices, r.start, r.end, r.side, r.rule.test, mentions).voice is Voice.AUTHOR
            for r in raw
        )

    def _lexical(self, hits: Iterable[Hit]) -> list[_Raw]:
        return [
            _Raw(hit.rule, hit.start, hit.end, self._bound(hit.rule, hit.side), "lexical")
            for hit in hits
            if hit.rule.effect in _EVIDENCE
        ]

    def _sided(self, scan: Scan) -> bool:
        return any(mention.actor.side in self._sides for mention in scan.mentions)

    def _matches(self, seen: Seen, tree: Tree, *, whole: bool) -> list[TreeMatch]:
        """What the tree shows. Without a frame no voice is asked of it: the surface answers, so that a
        sentence is labelled alike whether or not it was parsed for another reason."""
        found = self._matcher.match(tree, seen.scan.mentions)
        if whole:
            return found
        if not self._sided(seen.scan):
            found = [m for m in found if m.rule.effect not in _EVIDENCE]
        if any(m.rule.effect == "frame" for m in found) or self._voiced(seen.scan, seen.voices):
            return found
        return [m for m in found if m.rule.effect in _EVIDENCE]

    def complete(self, seen: Seen, tree: Tree | None, *, whole: bool = False) -> Gathered:
        """All evidence. ``whole``: take the voice from the tree also where there is no frame (for the
        examples of voice rules)."""
        voices = seen.voices
        matches: Sequence[TreeMatch] = ()
        if tree is None and not seen.scan.hits:
            return Gathered(seen, voices, (), parsed=False)
        if tree is not None:
            matches = self._matches(seen, tree, whole=whole)
        raw = self._lexical(seen.scan.hits)
        raw += [
            _Raw(m.rule, m.start, m.end, self._bound(m.rule, m.side), "dependency")
            for m in matches
            if m.rule.effect in _EVIDENCE
        ]
        if tree is not None and (whole or self._own(raw, voices, seen.scan.mentions)):
            voices = self._with_trees(seen, tree, matches)
        cancels = [
            (hit.rule, *_cancel_span(hit, seen)) for hit in seen.scan.hits if hit.rule.effect == "cancel"
        ]
        for match in matches:
            if match.rule.effect == "cancel" and tree is not None:
                node = match.nodes.get(match.rule.scope or "")
                span = tree.subtree_span(node) if node is not None else (match.start, match.end)
                cancels.append((match.rule, *span))
        pieces = _named_first(raw, [self._piece(item, seen, voices, cancels) for item in raw])
        pieces.sort(key=lambda e: (e.start, e.end, e.rule or "", e.side or ""))
        return Gathered(seen, voices, tuple(pieces), tree is not None, tuple(cancels))

    def _bound(self, rule: Rule, side: str | None) -> str | None:
        if rule.effect != "frame":
            return None
        if rule.side == "X":
            return side
        if rule.side == "other(X)":
            return None if side is None else self._rulebook.other(side)
        return rule.side

    def _piece(
        self,
        item: _Raw,
        seen: Seen,
        voices: Voices,
        cancels: Sequence[tuple[Rule, int, int]],
    ) -> Evidence:
        rule = item.rule
        found = self._voice.of(voices, item.start, item.end, item.side, rule.test, seen.scan.mentions)
        reason: NotCounted | None = None
        for cancel, start, end in cancels:
            covered = start <= item.start and item.end <= end
            if covered and (rule.effect in cancel.cancels or (rule.test or "") in cancel.cancels):
                reason = NotCounted(cancel.reason or "cancelled")
                break
        if reason is None and found.mention and rule.effect == "frame":
            reason = NotCounted.MENTION
        strength = rule.strength or "strong"
        if reason is None and rule.effect == "opinion" and not (found.voice is Voice.AUTHOR or found.expert):
            if strength == "strong" and self._may_be_expert(found.speaker, seen):
                strength = "weak"
            else:
                reason = NotCounted.OTHER_VOICE
        offset = seen.sentence.start
        return Evidence(
            rule=rule.id,
            kind=item.kind,
            effect=rule.effect,
            test=rule.test,
            side=item.side,
            start=offset + item.start,
            end=offset + item.end,
            text=seen.sentence.text[item.start : item.end],
            voice=found.voice,
            speaker=None if found.voice is Voice.AUTHOR else (found.speaker or self._voice.unknown),
            because=rule.because,
            counted=reason is None,
            not_counted=reason,
            strength=strength,
            main_clause=found.main,
        )

    def _may_be_expert(self, speaker: Speaker | None, seen: Seen) -> bool:
        """Somebody named, on no side and in no camp: often an expert whom an earlier sentence called so. Half
        a reason."""
        if speaker is None or speaker.text is None or speaker.side != self._rulebook.others:
            return False
        named = (seen.sentence.text[m.start : m.end] for m in seen.scan.mentions if m.actor.side is not None)
        return not any(name in speaker.text for name in named)

    # -- the tree's say in voice -----------------------------------------------------------------------

    def _with_trees(self, seen: Seen, tree: Tree, matches: Sequence[TreeMatch]) -> Voices:
        scopes = []
        for match in matches:
            if match.rule.effect != "voice":
                continue
            scope = self._tree_scope(seen, tree, match)
            if scope is not None:
                scopes.append(scope)
        if not scopes:
            return seen.voices
        merged = merge(seen.voices.scopes, scopes)
        return replace(seen.voices, scopes=merged)

    def _tree_scope(self, seen: Seen, tree: Tree, match: TreeMatch) -> Scope | None:
        covered = match.nodes.get(match.rule.covers or "")
        if covered is None:
            return None
        start, end = tree.subtree_span(covered)
        anchor = next(iter(match.nodes.values()))
        place = (tree.starts[anchor], tree.ends[anchor])
        if _within(*place, seen.sentence.quotations):
            return None
        speaker, expert = self._voice.unknown, False
        node = match.nodes.get(match.rule.speaker or "")
        if node is not None:
            span = head_noun_span(tree, node)
            tokens = seen.scan.tokens
            inside = [
                i for i in range(len(tokens)) if span[0] <= tokens.starts[i] and tokens.ends[i] <= span[1]
            ]
            if inside:
                first, last = inside[0], inside[-1]
                if self._voice.speaks_itself(tokens, first, last + 1):
                    return None
                for mention in seen.scan.mentions:  # a name is taken whole, however the tree cuts it
                    if mention.first <= last and first <= mention.last:
                        first, last = min(first, mention.first), max(last, mention.last)
                speaker, expert = self._voice.name(
                    seen.scan, first, last + 1, seen.before, announces=place[1] <= start
                )
        speaker, expert = self._voice.better(seen.voices, place, speaker, expert)
        root = tree.heads[anchor] == anchor
        voice = Voice(match.rule.voice or "attributed")
        return Scope(start, end, voice, speaker, place, match.rule.id, root, expert)


def _within(start: int, end: int, quotations: Sequence[Quotation]) -> bool:
    return any(q.start <= start and end <= q.end for q in quotations)


def _outside(tokens: Tokens, quotations: Sequence[Quotation]) -> list[str]:
    """The words that stand inside no quotation."""
    spans = zip(tokens.words, tokens.starts, tokens.ends, strict=True)
    return [word for word, start, end in spans if not _within(start, end, quotations)]


def _bounded(sentence: Sentence) -> Sentence:
    """The sentence, or its first `MAX_SENTENCE` characters: pieces are weighed against each other, so the
    time would grow with the square of a line of megabytes. Documents are split into such parts at most."""
    if len(sentence.text) <= MAX_SENTENCE:
        return sentence
    kept = [replace(q, end=min(q.end, MAX_SENTENCE)) for q in sentence.quotations if q.start < MAX_SENTENCE]
    return replace(sentence, text=sentence.text[:MAX_SENTENCE], quotations=tuple(kept))


def _named_first(raw: Sequence[_Raw], pieces: Sequence[Evidence]) -> list[Evidence]:
    """One side's usual word counts for nothing where a rule finds, in the same words, that it is said of that
    very side: who is named decides, not who likes the word. Hints tell no side anyway."""
    named = [
        piece
        for item, piece in zip(raw, pieces, strict=True)
        if piece.counted and piece.effect == "frame" and item.rule.side in _VARIABLES
    ]
    if not named:
        return list(pieces)
    result = []
    for item, piece in zip(raw, pieces, strict=True):
        strong = piece.counted and piece.effect == "frame" and piece.strength == "strong"
        usual = strong and item.rule.side not in _VARIABLES
        if usual and any(n.side != piece.side and n.start < piece.end and piece.start < n.end for n in named):
            piece = replace(piece, counted=False, not_counted=NotCounted.BALANCED)
        result.append(piece)
    return result


def _cancel_span(hit: Hit, seen: Seen) -> tuple[int, int]:
    size = len(seen.sentence.text)
    scope = hit.rule.scope or "match"
    if scope == "sentence":
        return 0, size
    if scope == "before":
        return 0, hit.end
    if scope == "after":
        return hit.start, size
    if scope == "clause-after":
        tokens = seen.scan.tokens
        for i in range(hit.last + 1, len(tokens)):
            if tokens.words[i] in (";", ",", "—", "–", ":"):
                return hit.start, tokens.starts[i]
        return hit.start, size
    return hit.start, hit.end
