"""A classifier small enough for tests of everything around it: lines are sentences, words decide."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from stance.document import Document, Sentence
from stance.evidence import Analysis, Evidence, Speaker, Verdict, Versions
from stance.labels import Label, NotCounted, Voice

VERSIONS = Versions("0", "rules0", "model0", "pipeline0", "4")
FRAMES = {"orcs": ("kyiv", Label.PRO_KYIV), "junta": ("moscow", Label.PRO_MOSCOW)}


class FakeClassifier:
    """``orcs`` and ``junta`` are frames, ``should`` is opinion, a quotation mark makes the voice quoted."""

    versions = VERSIONS

    def __init__(self, abstain_below: float = 0.0) -> None:
        self.abstain_below = abstain_below
        self.seen: list[str] = []

    def classify(self, source: str | Document) -> Analysis:
        document = Document(source) if isinstance(source, str) else source
        return next(self.stream([document]))

    def stream(self, documents: Iterable[Document]) -> Iterator[Analysis]:
        for document in documents:
            self.seen.append(document.name or "")
            spans = [m.span() for m in re.finditer(r"[^\n]*[^\s][^\n]*", document.text)]
            sentences = [Sentence(document.text[a:b], a, b, index=i) for i, (a, b) in enumerate(spans)]
            yield Analysis(document, tuple(self._verdict(s, document) for s in sentences))

    def classify_sentences(
        self, sentences: Iterable[Sentence | str | Mapping[str, Any]]
    ) -> Iterator[Verdict]:
        for index, item in enumerate(sentences):
            assert isinstance(item, Sentence)
            yield self._verdict(replace(item, index=index), None)

    def _verdict(self, sentence: Sentence, document: Document | None) -> Verdict:
        voice = Voice.QUOTED if "“" in sentence.text else Voice.AUTHOR
        speaker = Speaker("Peskov", "moscow") if voice is Voice.QUOTED else None
        evidence = []
        frame, label = "none", Label.NEUTRAL_REPORT
        for word, (side, name) in FRAMES.items():
            for found in re.finditer(word, sentence.text):
                start = sentence.start + found.start()
                evidence.append(
                    Evidence(
                        f"rule-{word}",
                        "lexical",
                        "frame",
                        "N",
                        side,
                        start,
                        start + len(word),
                        word,
                        voice,
                        speaker,
                        "a name of one side",
                        2.0,
                    )
                )
                frame, label = side, name
        if "not orcs" in sentence.text:
            evidence = [replace(e, counted=False, not_counted=NotCounted.NEGATED) for e in evidence]
            frame, label = "none", Label.NEUTRAL_REPORT
        opinion = "should" in sentence.text
        plain = Label.ANALYTICAL_OPINION if opinion else Label.NEUTRAL_REPORT
        label = plain if frame == "none" else label
        shares = {name: 0.7 if name is label else 0.1 for name in Label}
        return Verdict(
            sentence=sentence,
            label=label,
            own_label=plain if voice is not Voice.AUTHOR else label,
            probabilities=shares,
            frame=frame,
            opinion=opinion,
            voice=voice,
            speaker=speaker,
            reason="carries a frame" if frame != "none" else "no frame",
            evidence=tuple(evidence),
            engine="rules",
            versions=VERSIONS,
            abstained=shares[label] < self.abstain_below,
            document=None if document is None else document.name,
            meta={} if document is None else document.meta,
        )
