"""Records ``stance/1`` made by hand, for tests of what reads them."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

VERSIONS = {"stance": "0", "rules": "rules0", "model": "model0", "pipeline": "pipe0", "codebook": "4"}
PLAIN = "neutral_report"
OPINION = "analytical_opinion"


def evidence(text: str, words: str, side: str | None, offset: int = 0, **more: Any) -> dict[str, Any]:
    """One piece: `words` in `text`, counted, decided by a rule; without a side an opinion."""
    start = text.index(words) + offset
    return {
        "rule": f"rule-{side or 'opinion'}",
        "kind": "lexical",
        "effect": "frame" if side else "opinion",
        "test": "N" if side else None,
        "side": side,
        "start": start,
        "end": start + len(words),
        "text": words,
        "voice": "author",
        "speaker": None,
        "because": "because of the word",
        "weight": 2.0,
        "counted": True,
        "not_counted": None,
    } | more


def record(
    text: str,
    *,
    document: str | None = "a.txt",
    index: int = 0,
    start: int = 0,
    frame: str = "none",
    words: str | None = None,
    opinion: bool = False,
    voice: str = "author",
    speaker: tuple[str | None, str] | None = None,
    sure: float = 0.9,
    abstained: bool = False,
    pieces: Iterable[Mapping[str, Any]] | None = None,
    **meta: Any,
) -> dict[str, Any]:
    """A sentence: its labels follow from frame, opinion and voice; `words` are what decided."""
    plain = OPINION if opinion else PLAIN
    label = plain if frame == "none" else f"pro_{frame}"
    said = None if speaker is None else {"text": speaker[0], "side": speaker[1]}
    if voice != "author" and said is None:
        said = {"text": None, "side": "unknown"}
    found = list(pieces or ())
    if words:
        side = None if frame == "none" else frame
        found.append(evidence(text, words, side, start, voice=voice, speaker=said))
    rest = (1 - sure) / 3
    labels = (PLAIN, "pro_kyiv", "pro_moscow", OPINION)
    return {
        "schema": "stance/1",
        "document": document,
        "index": index,
        "start": start,
        "end": start + len(text),
        "text": text,
        "label": label,
        "own_label": label if voice == "author" or frame == "none" else plain,
        "probabilities": {name: sure if name == label else rest for name in labels},
        "abstained": abstained,
        "frame": frame,
        "opinion": opinion,
        "voice": voice,
        "speaker": said,
        "reason": "carries a frame" if frame != "none" else "no frame",
        "evidence": found,
        "engine": "rules",
        "versions": dict(VERSIONS),
        "meta": meta,
    }


def article(name: str, sentences: Iterable[Mapping[str, Any]], **meta: Any) -> list[dict[str, Any]]:
    """The records of one article; each sentence is a dict of the arguments of `record`."""
    result, at = [], 0
    for index, sentence in enumerate(sentences):
        given = dict(sentence)
        text = given.pop("text")
        result.append(record(text, document=name, index=index, start=at, **given, **meta))
        at += len(text) + 1
    return result


def write(path: Path, records: Iterable[Mapping[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(r, ensure_ascii=False) + "\n" for r in records), encoding="utf-8")
    return path
