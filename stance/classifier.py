"""The classifier: every stage in its order, for one text, a batch, or a stream without end."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any, Final

from stance import decide, segment
from stance import model as models
from stance.decide import Answers
from stance.document import Document, Sentence
from stance.errors import StanceError
from stance.evidence import Analysis, Evidence, Verdict, Versions
from stance.gather import Gathered, Gatherer, Seen
from stance.gold import Labelled
from stance.labels import ENGINES, NO_FRAME, Label, NotCounted, Voice
from stance.reasons import reason
from stance.resources import resource
from stance.rulebook import Rulebook
from stance.rulebook import load as load_rulebook
from stance.syntax import Parser
from stance.version import __version__
from stance.voice import Context

# Sentences handed on together: enough to parse short with short, few enough to keep memory flat.
BATCH_SENTENCES: Final = 512
# Most words that a model verdict names as its evidence, and the least that a word must have given.
MODEL_WORDS: Final = 3
MODEL_SUPPORT: Final = 0.1

SentenceLike = Sentence | str | Mapping[str, Any]


class Classifier:
    """Labels sentences. Build one with ``stance.load``; it holds no state between calls.

    Args:
        rulebook: the rules in use.
        engine: ``rules``, ``model`` or ``hybrid``.
        model: weights for the engines that learn; None for ``rules``.
        parser: the door to the pipeline.
        abstain_below: mark a verdict whose label is less probable than this.
        eager: parse every sentence, also where no rule could use a tree (same answers, slower).
    """

    def __init__(
        self,
        rulebook: Rulebook,
        *,
        engine: str = "hybrid",
        model: models.LinearModel | None = None,
        parser: Parser | None = None,
        abstain_below: float = 0.0,
        eager: bool = False,
    ) -> None:
        if engine not in ENGINES:
            raise StanceError(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
        if engine != "rules" and model is None:
            raise StanceError(
                f"engine {engine!r} needs a model; train one with `stance train` or use engine 'rules'"
            )
        self.rulebook = rulebook
        self.engine = engine
        self.model = model
        self.parser = parser or Parser()
        self.abstain_below = abstain_below
        self.eager = eager
        self.sides: tuple[str, ...] = tuple(side.id for side in rulebook.sides)
        self.labels = {side.id: Label(side.label) for side in rulebook.sides}
        self.gatherer = Gatherer(rulebook)
        self._slot = models.slots(self.sides)
        self._scorer: models.Scorer | None = None
        self.versions = Versions(
            stance=__version__,
            rules=rulebook.digest,
            model=None if model is None else model.digest,
            pipeline=self.parser.version,
            codebook=rulebook.codebook,
        )
        # The arguments of `load`, where it made this one: all that a worker process needs.
        self._recipe: dict[str, Any] | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        """A pickle names rules, model and versions where `load` read them, else it holds rules and model.

        What is compiled is compiled again, and other versions than the ones named are refused.
        """
        if self._recipe is not None:
            return _recalled, (self._recipe, self.versions)
        settings = (self.engine, self.model, self.parser, self.abstain_below, self.eager)
        return _rebuilt, (self.rulebook, *settings)

    # -- what callers use ------------------------------------------------------------------------------

    def warm(self) -> None:
        """Do now what else the first sentences wait for: read all phrases, load the pipeline. A few seconds,
        for a server that wants its first answer as fast as any other; the answers are the same."""
        self.gatherer.warm()
        self.parser.warm()
        if self.model is not None:
            self._ready()

    def classify(self, source: str | Document) -> Analysis:
        """All sentences of one text.

        >>> [verdict.label.value for verdict in load("rules").classify("The occupiers fled in panic.")]
        ['pro_kyiv']
        """
        document = Document(source) if isinstance(source, str) else source
        return next(self.stream([document]))

    def stream(self, documents: Iterable[Document | str]) -> Iterator[Analysis]:
        """Documents or their texts in, analyses out, in order; sentences of several are parsed together."""
        pending: list[tuple[Document, int]] = []
        batch = _Batch(self)
        for one in documents:
            document = Document(one) if isinstance(one, str) else one
            before = len(batch)
            for seen in self._surfaces(document):
                batch.add(seen, document)
            pending.append((document, len(batch) - before))
            if len(batch) >= BATCH_SENTENCES:
                yield from _analyses(pending, batch)
                pending, batch = [], _Batch(self)
        yield from _analyses(pending, batch)

    def classify_sentences(self, sentences: Iterable[SentenceLike]) -> Iterator[Verdict]:
        """Single sentences in (text, ``Sentence``, or a mapping with ``text`` and optionally ``id`` and
        ``prev``), one verdict each, in order. ``next`` is never used."""
        iterator = iter(sentences)
        index = 0
        while items := list(islice(iterator, BATCH_SENTENCES)):
            batch = _Batch(self)
            for item in items:
                sentence = replace(_sentence(item), index=index)
                index += 1
                batch.add(self.gatherer.surface(sentence, self._context_of(sentence.prev)))
            yield from batch.verdicts()

    def gather_sentences(self, sentences: Iterable[SentenceLike | Labelled]) -> list[Gathered]:
        """Evidence of single sentences, before any decision."""
        seen = []
        for item in sentences:
            sentence = _sentence(
                {"text": item.text, "prev": item.prev} if isinstance(item, Labelled) else item
            )
            seen.append(self.gatherer.surface(sentence, self._context_of(sentence.prev)))
        return self.gather(seen)

    def gather(self, seen: Sequence[Seen]) -> list[Gathered]:
        """Evidence of each sentence; trees are asked for only where a rule could use one."""
        wanted = [i for i, s in enumerate(seen) if self.eager or s.wants_tree]
        trees = (
            dict(zip(wanted, self.parser.parse([seen[i].sentence.text for i in wanted]), strict=True))
            if wanted
            else {}
        )
        return [self.gatherer.complete(s, trees.get(i)) for i, s in enumerate(seen)]

    def surfaces(self, documents: Iterable[Document]) -> Iterator[Seen]:
        """What the surface shows of every sentence, before any tree."""
        for document in documents:
            yield from self._surfaces(document)

    # -- stages ----------------------------------------------------------------------------------------

    def _surfaces(self, document: Document) -> Iterator[Seen]:
        context = Context()
        for sentence in segment.split(document.text):
            seen = self.gatherer.surface(sentence, context)
            context = seen.voices.context
            yield seen

    def _context_of(self, previous: str | None) -> Context:
        if not previous:
            return Context()
        return self.gatherer.surface(segment.sentence(previous), Context()).voices.context

    def decide(self, gathered: Gathered, document: Document | None = None) -> Verdict:
        """The verdict of one sentence from its evidence."""
        if self.engine == "model":  # words alone: nothing of it needs a tree, whoever made one
            gathered = Gathered(gathered.seen, gathered.seen.voices, (), parsed=True)
        answers = self._answers(gathered)
        voice, speaker = self._voice(gathered, answers)
        label = decide.label(answers.frame, answers.opinion, self.labels)
        shares = decide.probabilities(answers.frames, answers.p_opinion, self.labels)
        unparsed = gathered.seen.wants_tree and not gathered.parsed
        return Verdict(
            sentence=gathered.seen.sentence,
            label=label,
            own_label=decide.own_label(answers.frame, answers.opinion, voice, self.labels),
            probabilities=shares,
            frame=answers.frame,
            opinion=answers.opinion,
            voice=voice,
            speaker=speaker,
            reason=reason(self.rulebook, answers, voice, speaker, unparsed=unparsed),
            evidence=answers.evidence,
            engine=self.engine,
            versions=self.versions,
            abstained=shares[label] < self.abstain_below,
            document=None if document is None else document.name,
            meta={} if document is None else document.meta,
        )

    def _voice(self, gathered: Gathered, answers: Answers) -> tuple[Voice, Any]:
        if answers.frame != NO_FRAME:
            if decide.has_carrier(answers.evidence, answers.frame):
                return answers.voice, answers.speaker
            words = [e for e in answers.evidence if e.kind == "model" and e.effect == "frame" and e.counted]
            if words:
                strongest = max(words, key=lambda e: e.weight)
                return strongest.voice, strongest.speaker
        voices = gathered.voices
        return voices.main, voices.speaker

    def _answers(self, gathered: Gathered) -> Answers:
        if self.engine == "rules" or self.model is None:
            return decide.by_rules(gathered.settled, self.sides)
        words: list[str] = []
        cues = True
        others: dict[str, float] = {}
        for family in self.model.families:
            if family in models.WORD_FAMILIES:
                cues = models.WORD_FAMILIES[family]
                words = models.masked_words(gathered, self._slot, cues=cues)
            else:
                others |= models.FAMILIES[family](gathered, self._slot)
        prediction = self._ready().predict(words, others, self.sides)
        evidence: tuple[Evidence, ...] = ()
        if self.engine == "hybrid" and gathered.evidence:
            settled = gathered.settled
            if prediction.frame == NO_FRAME and decide.may_keep(prediction.frames):
                found = decide.by_rules(settled, self.sides).frame
                frame = decide.kept(prediction.frame, prediction.frames, found)
                prediction = replace(prediction, frame=frame)
            evidence = tuple([self._weigh(e, prediction.frame) for e in settled])
        if words and (prediction.opinion or prediction.frame != NO_FRAME):
            evidence += self._words(gathered, models.masked(gathered, self._slot, cues=cues), prediction)
        voice, speaker = decide.carrier(evidence, prediction.frame)
        return Answers(
            prediction.frame,
            prediction.opinion,
            voice,
            speaker,
            evidence,
            prediction.frames,
            prediction.p_opinion,
        )

    def _weigh(self, piece: Evidence, frame: str) -> Evidence:
        """Give evidence the weight that the model learnt for its kind, and say if it lost."""
        assert self.model is not None
        if piece.effect != "frame" or piece.side is None or not piece.counted:
            return piece
        target = self.sides.index(piece.side)
        names = models.evidence_names(piece, self._slot)
        weight = sum(self.model.support(name, 1.0, target) for name in names)
        if piece.side == frame:
            return replace(piece, weight=weight)
        lost = NotCounted.WEAK if frame == NO_FRAME else NotCounted.BALANCED
        return replace(piece, weight=weight, counted=False, not_counted=lost)

    def _ready(self) -> models.Scorer:
        """The model made ready, when it is first asked; two threads may both do it, to the same effect."""
        assert self.model is not None
        if self._scorer is None or self._scorer.model is not self.model:
            self._scorer = models.Scorer(self.model)
        return self._scorer

    def _words(
        self,
        gathered: Gathered,
        words: Sequence[models.Masked],
        prediction: models.Prediction,
    ) -> tuple[Evidence, ...]:
        """The words that gave most to the answer, as evidence of kind ``model``."""
        target = self.sides.index(prediction.frame) if prediction.frame != NO_FRAME else None
        given = self._ready().supports(models.word_groups(words), target, MODEL_SUPPORT)
        given.sort(key=lambda item: (-item[0], item[1]))
        pieces = []
        for support, name in given[:MODEL_WORDS]:
            place = models.locate(words, gathered.seen.scan.tokens, name)
            if place is None:
                continue
            pieces.append(self._word(gathered, place, support, None if target is None else prediction.frame))
        return tuple(pieces)

    def _word(self, gathered: Gathered, place: tuple[int, int], support: float, side: str | None) -> Evidence:
        start, end = place
        sentence = gathered.seen.sentence
        found = self.gatherer.voice_of(gathered, start, end, side)
        effect = "opinion" if side is None else "frame"
        return Evidence(
            rule=None,
            kind="model",
            effect=effect,
            test=None,
            side=side,
            start=sentence.start + start,
            end=sentence.start + end,
            text=sentence.text[start:end],
            voice=found.voice,
            speaker=None if found.voice is Voice.AUTHOR else (found.speaker or self.gatherer.unknown),
            because="the model has learnt that these words go with this answer",
            weight=support,
            strength="weak",
        )


class _Batch:
    """Sentences labelled together: at once where no tree is wanted, else when all of them are parsed.

    What is labelled at once is still at hand in the processor's cache, and what it was seen by is let go.
    """

    def __init__(self, classifier: Classifier) -> None:
        self._classifier = classifier
        self._found: list[Verdict | None] = []
        self._waiting: list[tuple[int, Seen, Document | None]] = []

    def __len__(self) -> int:
        return len(self._found)

    def add(self, seen: Seen, document: Document | None = None) -> None:
        """One more sentence."""
        classifier = self._classifier
        if classifier.engine == "model":  # takes no evidence and no tree
            gathered = Gathered(seen, seen.voices, (), parsed=False)
        elif classifier.eager or seen.wants_tree:
            self._waiting.append((len(self._found), seen, document))
            self._found.append(None)
            return
        else:
            gathered = classifier.gatherer.complete(seen, None)
        self._found.append(classifier.decide(gathered, document))

    def verdicts(self) -> list[Verdict]:
        """All verdicts, in the order in which their sentences came."""
        gathered = self._classifier.gather([seen for _, seen, _ in self._waiting])
        for (place, _, document), one in zip(self._waiting, gathered, strict=True):
            self._found[place] = self._classifier.decide(one, document)
        self._waiting = []
        return [verdict for verdict in self._found if verdict is not None]


def _analyses(pending: Sequence[tuple[Document, int]], batch: _Batch) -> Iterator[Analysis]:
    verdicts = iter(batch.verdicts())
    for document, count in pending:
        yield Analysis(document, tuple(islice(verdicts, count)))


def _sentence(item: SentenceLike) -> Sentence:
    if isinstance(item, Sentence):
        # A sentence that somebody built by hand has not been looked at for quotation marks.
        return item if item.quotations else segment.sentence(item.text, prev=item.prev, id=item.id)
    if isinstance(item, str):
        return segment.sentence(item)
    text = item.get("text")
    if not isinstance(text, str):
        raise StanceError("a sentence record needs a field 'text' that holds a string")
    previous, name = item.get("prev"), item.get("id")
    return segment.sentence(
        text, prev=previous if isinstance(previous, str) else None, id=None if name is None else str(name)
    )


def load(
    engine: str = "hybrid",
    *,
    rules: Path | str | None = None,
    overlay: Path | str | None = None,
    model: Path | str | None = None,
    abstain_below: float = 0.0,
    eager: bool = False,
) -> Classifier:
    """A classifier with the shipped rules and model, or with others.

    Args:
        engine: ``rules`` (evidence and the policy page), ``model`` (words, no rule evidence) or ``hybrid``.
        rules: a folder that replaces the rulebook.
        overlay: a folder that adds, changes or switches off single rules.
        model: a folder with ``weights.json`` and ``card.json`` in place of the shipped model.
        abstain_below: mark verdicts whose label is less probable than this.
        eager: parse every sentence (same answers, slower).

    Raises:
        StanceError: a rule file or model is at fault; the message names place and cure.
    """
    if engine not in ENGINES:
        raise StanceError(f"engine {engine!r} is not one of {', '.join(ENGINES)}")
    collecting = gc.isenabled()
    gc.disable()  # hundreds of thousands of values are made and kept: looking for garbage finds none
    try:
        return _loaded(engine, rules, overlay, model, abstain_below, eager)
    finally:
        if collecting:
            gc.enable()


def _loaded(
    engine: str,
    rules: Path | str | None,
    overlay: Path | str | None,
    model: Path | str | None,
    abstain_below: float,
    eager: bool,
) -> Classifier:
    rulebook = load_rulebook(
        None if rules is None else Path(rules), overlay=None if overlay is None else Path(overlay)
    )
    weights = None
    if engine != "rules":
        weights = models.load(Path(model) if model is not None else resource("models") / engine)
        trained_on = weights.rules_digest
        if engine == "hybrid" and trained_on is not None and trained_on != rulebook.digest:
            warnings.warn(
                f"the model was trained with rules {trained_on}, the rules in use are {rulebook.digest}: "
                "evidence still weighs by test, side, strength and voice; `stance train` fits weights anew",
                stacklevel=3,
            )
    classifier = Classifier(rulebook, engine=engine, model=weights, abstain_below=abstain_below, eager=eager)
    classifier._recipe = {
        "engine": engine,
        "rules": _absolute(rules),
        "overlay": _absolute(overlay),
        "model": _absolute(model),
        "abstain_below": abstain_below,
        "eager": eager,
    }
    return classifier


def _absolute(path: Path | str | None) -> str | None:
    return None if path is None else str(Path(path).absolute())


def _recalled(recipe: Mapping[str, Any], versions: Versions) -> Classifier:
    """The classifier that `load` makes of the same arguments, if nothing has changed since."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # said where it was first loaded
        classifier = load(**recipe)
    if classifier.versions != versions:
        raise StanceError(
            f"a classifier was sent here that was made with {versions.to_dict()}, here is "
            f"{classifier.versions.to_dict()}; install the same version, rules and model on both sides"
        )
    return classifier


def _rebuilt(
    rulebook: Rulebook,
    engine: str,
    model: models.LinearModel | None,
    parser: Parser,
    abstain_below: float,
    eager: bool,
) -> Classifier:
    return Classifier(
        rulebook, engine=engine, model=model, parser=parser, abstain_below=abstain_below, eager=eager
    )
