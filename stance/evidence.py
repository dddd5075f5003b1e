"""Evidence, verdict, analysis: the answer and its explanation as one frozen value.

``to_dict`` gives the record of the contract ``stance/1``; ``stance/schema/record.json`` describes it.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from stance.document import Document, Sentence
from stance.errors import StanceError
from stance.labels import NO_FRAME, SCHEMA, Label, NotCounted, Voice


@dataclass(frozen=True, slots=True)
class Speaker:
    """Who speaks: the words that name them (None if nobody is named) and the side they are on."""

    text: str | None
    side: str

    def to_dict(self) -> dict[str, str | None]:
        """The speaker as part of a record."""
        return {"text": self.text, "side": self.side}


@dataclass(frozen=True, slots=True)
class Evidence:
    """One thing that was seen in a sentence, and whether and why it counted.

    ``start`` and ``end`` are Unicode code points in the document (in the sentence for single
    sentences). ``weight`` is signed support for what ``effect`` and ``side`` say, in log-odds for the
    engines that learn and in points of the policy page for the engine ``rules``.
    """

    rule: str | None
    kind: str
    effect: str
    test: str | None
    side: str | None
    start: int
    end: int
    text: str
    voice: Voice
    speaker: Speaker | None
    because: str
    weight: float = 0.0
    counted: bool = True
    not_counted: NotCounted | None = None
    strength: str = "strong"
    main_clause: bool = True

    def to_dict(self) -> dict[str, Any]:
        """The piece as part of a record; the weight is rounded to four digits."""
        return {
            "rule": self.rule,
            "kind": self.kind,
            "effect": self.effect,
            "test": self.test,
            "side": self.side,
            "start": self.start,
            "end": self.end,
            "text": self.text,
            "voice": self.voice.value,
            "speaker": None if self.speaker is None else self.speaker.to_dict(),
            "because": self.because,
            "weight": round(self.weight, 4),
            "counted": self.counted,
            "not_counted": None if self.not_counted is None else self.not_counted.value,
        }


@dataclass(frozen=True, slots=True)
class Versions:
    """What made a label: package, rules digest, model digest, pipeline, codebook."""

    stance: str
    rules: str
    model: str | None
    pipeline: str | None
    codebook: str

    def to_dict(self) -> dict[str, str | None]:
        """The versions as part of a record."""
        return {
            "stance": self.stance,
            "rules": self.rules,
            "model": self.model,
            "pipeline": self.pipeline,
            "codebook": self.codebook,
        }


@dataclass(frozen=True, slots=True)
class Verdict:
    """The three answers for one sentence, the two labels that follow from them, and why."""

    sentence: Sentence
    label: Label
    own_label: Label
    probabilities: Mapping[Label, float]
    frame: str
    opinion: bool
    voice: Voice
    speaker: Speaker | None
    reason: str
    evidence: tuple[Evidence, ...]
    engine: str
    versions: Versions
    abstained: bool = False
    document: str | None = None
    meta: Mapping[str, str | None] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """The record ``stance/1``. ``id`` is present only for single sentences that came with one."""
        record: dict[str, Any] = {"schema": SCHEMA, "document": self.document, "index": self.sentence.index}
        if self.sentence.id is not None:
            record["id"] = self.sentence.id
        record |= {
            "start": self.sentence.start,
            "end": self.sentence.end,
            "text": self.sentence.text,
            "label": self.label.value,
            "own_label": self.own_label.value,
            "probabilities": {label.value: round(p, 6) for label, p in self.probabilities.items()},
            "abstained": self.abstained,
            "frame": self.frame,
            "opinion": self.opinion,
            "voice": self.voice.value,
            "speaker": None if self.speaker is None else self.speaker.to_dict(),
            "reason": self.reason,
            "evidence": [piece.to_dict() for piece in self.evidence],
            "engine": self.engine,
            "versions": self.versions.to_dict(),
            "meta": dict(self.meta),
        }
        return record

    @classmethod
    def from_dict(cls, record: Mapping[str, Any]) -> Verdict:
        """The verdict that a record ``stance/1`` was written from: ``from_dict(r).to_dict() == r``.

        What a record does not hold is as in a fresh verdict: paragraph 0, no quotations, strong evidence.

        Raises:
            StanceError: it is no record of this contract.
        """
        try:
            return _verdict(record)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            raise StanceError(
                f"not a record {SCHEMA} ({str(error)[:120]}); it must come from `stance classify`"
            ) from None

    @property
    def framed(self) -> bool:
        """Whether the sentence carries a frame, in whichever voice."""
        return self.frame != NO_FRAME


@dataclass(frozen=True, slots=True)
class Analysis:
    """All verdicts of one document, in the order of its sentences."""

    document: Document
    verdicts: tuple[Verdict, ...]

    def __iter__(self) -> Iterator[Verdict]:
        return iter(self.verdicts)

    def __len__(self) -> int:
        return len(self.verdicts)

    def to_dict(self) -> dict[str, Any]:
        """Name and meta of the document, and the record of each sentence."""
        return {
            "document": self.document.name,
            "meta": dict(self.document.meta),
            "sentences": [verdict.to_dict() for verdict in self.verdicts],
        }


def _verdict(record: Mapping[str, Any]) -> Verdict:
    if record["schema"] != SCHEMA:
        raise ValueError(f"its schema is {record['schema']!r}")
    names = ("document", "frame", "opinion", "reason", "engine", "abstained", "meta")
    sentence = Sentence(
        record["text"], record["start"], record["end"], index=record["index"], id=record.get("id")
    )
    return Verdict(
        sentence=sentence,
        label=Label(record["label"]),
        own_label=Label(record["own_label"]),
        probabilities={Label(name): share for name, share in record["probabilities"].items()},
        voice=Voice(record["voice"]),
        speaker=_speaker(record["speaker"]),
        evidence=tuple(
            Evidence(
                **{
                    **piece,
                    "voice": Voice(piece["voice"]),
                    "speaker": _speaker(piece["speaker"]),
                    "not_counted": None if piece["not_counted"] is None else NotCounted(piece["not_counted"]),
                }
            )
            for piece in record["evidence"]
        ),
        versions=Versions(**record["versions"]),
        **{name: record[name] for name in names},
    )


def _speaker(data: Mapping[str, Any] | None) -> Speaker | None:
    return None if data is None else Speaker(data["text"], data["side"])
