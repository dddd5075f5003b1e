"""The spaCy component ``stance``: a verdict for every sentence of a Doc.

Installed with the package, it is found by its name:

>>> import spacy
>>> nlp = spacy.blank("en")
>>> component = nlp.add_pipe("stance", config={"engine": "rules"})
>>> doc = nlp("The occupiers fled in panic. Rain is expected on Monday.")
>>> [str(verdict.label) for verdict in doc._.stance]
['pro_kyiv', 'neutral_report']
>>> doc[0:2]._.stance.frame
'kyiv'
>>> doc._.stance_uses
{'sentences': 'own', 'trees': 'own'}

Sentences and trees are the host pipeline's where it has them, and ``doc._.stance_uses`` says whose they
were. Trees are the host's only where its labels are those of Universal Dependencies; the English pipelines
that come with spaCy use others, so there the package's own parser is asked, and only for sentences in
which a rule could use a tree.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import islice
from typing import Final, get_type_hints

from spacy.language import Language
from spacy.tokens import Doc, Span

from stance import segment
from stance.classifier import Classifier, load
from stance.document import Document, Sentence
from stance.errors import StanceError
from stance.evidence import Analysis, Verdict
from stance.gather import Gathered, Seen
from stance.syntax import MAX_CHARS, MAX_TOKENS, Tree, of_span
from stance.voice import Context

NAME: Final = "stance"
TREES: Final = ("auto", "host", "own")
_BATCH: Final = 32
# Relations of Universal Dependencies v2, and those among them that no other scheme of English has.
_RELATIONS: Final = frozenset(
    "acl advcl advmod amod appos aux case cc ccomp clf compound conj cop csubj dep det discourse dislocated"
    " expl fixed flat goeswith iobj list mark nmod nsubj nummod obj obl orphan parataxis punct reparandum"
    " root vocative xcomp".split()
)
_ONLY_UNIVERSAL: Final = frozenset("obj obl iobj flat fixed discourse dislocated list orphan".split())


class StanceComponent:
    """Labels the sentences of each Doc that passes through.

    It sets ``doc._.stance`` (an `Analysis`), ``span._.stance`` (the `Verdict` of the sentence in which the
    span begins, or None), ``doc._.stance_uses`` (``{"sentences": "host" | "own", "trees": "host" | "own"}``)
    and ``doc.spans["stance"]``, the sentences with their labels. The verdicts are kept in the Doc as text of
    records ``stance/1``, so that they survive ``to_bytes``, ``DocBin`` and ``n_process``; a verdict that is
    read from a Doc therefore equals its record.

    Args:
        nlp: the pipeline that the component is in.
        classifier: what labels.
        trees: ``auto``, ``host`` (a Doc without the host's trees is a fault) or ``own``.
    """

    def __init__(self, nlp: Language, classifier: Classifier, trees: str = "auto") -> None:
        if trees not in TREES:
            raise StanceError(f"trees {trees!r} is not one of {', '.join(TREES)}")
        self.nlp = nlp
        self.classifier = classifier
        self.trees = trees

    def __call__(self, doc: Doc) -> Doc:
        return next(self.pipe([doc]))

    def pipe(self, stream: Iterable[Doc], batch_size: int = _BATCH) -> Iterator[Doc]:
        """Docs in, the same Docs out, in order; sentences of ``batch_size`` of them are parsed together.

        Raises:
            StanceError: ``trees`` is ``host`` and a Doc has no Universal Dependencies tree.
        """
        iterator = iter(stream)
        while batch := list(islice(iterator, max(1, batch_size))):
            yield from self._label(batch)

    # -- inside ----------------------------------------------------------------------------------------

    def _label(self, docs: list[Doc]) -> Iterator[Doc]:
        work = []
        for doc in docs:
            uses, sentences, spans = self._sentences(doc)
            work.append((uses, self._seen(sentences), spans))
        own = iter(
            self.classifier.gather([s for uses, seen, _ in work if uses["trees"] == "own" for s in seen])
        )
        for doc, (uses, seen, spans) in zip(docs, work, strict=True):
            if uses["trees"] == "own":
                gathered = list(islice(own, len(seen)))
            else:
                gathered = [self._with_host(s, span) for s, span in zip(seen, spans, strict=True)]
            document = Document(doc.text)
            self._keep(doc, [self.classifier.decide(g, document) for g in gathered], uses)
            yield doc

    def _sentences(self, doc: Doc) -> tuple[dict[str, str], tuple[Sentence, ...], list[Span]]:
        """Whose sentences and trees are used, the sentences, and the host's span of each."""
        universal = self._universal(doc)
        if self.trees == "host" and not universal and len(doc):
            raise StanceError(
                "trees='host', but this Doc has no tree with Universal Dependencies labels; "
                "put a parser trained on them before 'stance', or use trees='auto'"
            )
        whose = "host" if universal and self.trees != "own" else "own"
        if not doc.has_annotation("SENT_START"):
            return {"sentences": "own", "trees": "own"}, segment.split(doc.text), []
        spans = [span for sent in doc.sents if len(span := _trimmed(sent))]
        bounds = [(span.start_char, span.end_char) for span in spans]
        uses = {"sentences": "host", "trees": whose}
        return uses, segment.resplit(doc.text, bounds), spans

    def _universal(self, doc: Doc) -> bool:
        """Whether the Doc has been parsed with the labels of Universal Dependencies."""
        if not doc.has_annotation("DEP") or not doc.has_annotation("POS"):
            return False
        names = {token.dep_.partition(":")[0] for token in doc if token.dep_} - {"ROOT"}
        if not names <= _RELATIONS:
            return False
        for name in self.nlp.pipe_names:
            labels = getattr(self.nlp.get_pipe(name), "labels", ())
            if "token.dep" in self.nlp.get_pipe_meta(name).assigns and labels:
                known = {label.partition("||")[0].partition(":")[0] for label in labels} - {"ROOT"}
                return known <= _RELATIONS
        return not names.isdisjoint(_ONLY_UNIVERSAL)  # parsed elsewhere: the Doc itself has to show it

    def _seen(self, sentences: Iterable[Sentence]) -> list[Seen]:
        context = Context()
        found = []
        for sentence in sentences:
            seen = self.classifier.gatherer.surface(sentence, context)
            context = seen.voices.context
            found.append(seen)
        return found

    def _with_host(self, seen: Seen, span: Span) -> Gathered:
        tree: Tree | None = None
        if seen.wants_tree and len(span) <= MAX_TOKENS and len(span.text) <= MAX_CHARS:
            tree = of_span(span)
        return self.classifier.gatherer.complete(seen, tree)

    @staticmethod
    def _keep(doc: Doc, verdicts: list[Verdict], uses: dict[str, str]) -> None:
        records = [verdict.to_dict() for verdict in verdicts]
        doc.user_data[NAME] = json.dumps({"uses": uses, "records": records}, ensure_ascii=False)
        spans = []
        for verdict in verdicts:
            place = verdict.sentence.start, verdict.sentence.end
            span = doc.char_span(*place, label=verdict.label.value, alignment_mode="expand")
            if span is not None:
                spans.append(span)
        doc.spans[NAME] = spans


def _trimmed(span: Span) -> Span:
    """The span without white space tokens at its ends."""
    first, last = span.start, span.end
    while first < last and span.doc[first].is_space:
        first += 1
    while last > first and span.doc[last - 1].is_space:
        last -= 1
    return span.doc[first:last]


# -- extension attributes --------------------------------------------------------------------------------


def analysis(doc: Doc) -> Analysis | None:
    """What ``doc._.stance`` gives: all verdicts of the Doc, or None before the component has seen it."""
    kept = _kept(doc)
    return None if kept is None else kept[1]


def verdict(span: Span) -> Verdict | None:
    """What ``span._.stance`` gives: the verdict of the sentence in which the span begins, or None."""
    kept = _kept(span.doc)
    if kept is None:
        return None
    start = span.start_char
    return next((v for v in kept[1] if v.sentence.start <= start < v.sentence.end), None)


def uses(doc: Doc) -> dict[str, str] | None:
    """What ``doc._.stance_uses`` gives: whose sentences and trees were used."""
    kept = _kept(doc)
    return None if kept is None else dict(kept[0])


def _kept(doc: Doc) -> tuple[dict[str, str], Analysis] | None:
    text = doc.user_data.get(NAME)
    return _read(text, doc.text) if isinstance(text, str) else None


@lru_cache(maxsize=32)  # a Doc is asked for many spans; the key is the whole text of its records
def _read(kept: str, text: str) -> tuple[dict[str, str], Analysis]:
    data = json.loads(kept)
    verdicts = tuple(Verdict.from_dict(record) for record in data["records"])
    return data["uses"], Analysis(Document(text), verdicts)


def create(
    nlp: Language,
    name: str,
    engine: str = "hybrid",
    rules: str | None = None,
    overlay: str | None = None,
    model: str | None = None,
    trees: str = "auto",
) -> StanceComponent:
    """The factory behind ``nlp.add_pipe("stance", config={...})``; arguments as in ``stance.load``."""
    return StanceComponent(
        nlp, load(engine, rules=rules, overlay=overlay, model=model), trees
    )


# Older configuration readers of spaCy take annotations as they stand, and those of this file are texts.
create.__annotations__ = get_type_hints(create)
# Registered here and not by a decorator, so that `create` stays a plain function.
Language.factory(
    NAME,
    default_config={"engine": "hybrid", "rules": None, "overlay": None, "model": None, "trees": "auto"},
    assigns=["doc._.stance", "doc._.stance_uses", "span._.stance"],
    func=create,
)
Doc.set_extension(NAME, getter=analysis, force=True)
Doc.set_extension("stance_uses", getter=uses, force=True)
Span.set_extension(NAME, getter=verdict, force=True)
