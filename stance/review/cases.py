"""Sentences for a person to decide: from the store of ``stance watch`` or from labelled data."""

from __future__ import annotations

import hashlib
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from stance import gold
from stance.labels import NO_FRAME, Label, Voice
from stance.monitor import Store
from stance.report.data import DOUBT
from stance.resources import resource

BY_TOOL: Final = "the tool"
BY_LANGUAGE_MODEL: Final = "a large language model under the codebook"


@dataclass(frozen=True, slots=True)
class Answer:
    """The codebook's three questions answered, by whomever."""

    frame: str
    opinion: bool
    voice: Voice | None

    @property
    def label(self) -> Label:
        """The codebook's table."""
        if self.frame != NO_FRAME:
            return Label(f"pro_{self.frame}")
        return Label.ANALYTICAL_OPINION if self.opinion else Label.NEUTRAL_REPORT


@dataclass(frozen=True, slots=True)
class Case:
    """One sentence and how it is labelled. ``record`` is there where the label came with reasons."""

    id: str
    text: str
    prev: str
    article: str
    place: str  # outlet, day and title, for the person's eyes
    label: Label
    answer: Answer
    sure: float | None = None
    abstained: bool = False
    record: Mapping[str, Any] | None = None

    @property
    def doubtful(self) -> bool:
        """Left open, or less sure than a report calls sure."""
        return self.abstained or (self.sure is not None and self.sure < DOUBT)


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which sentences to show; what is None or "" is not asked for. Without any of them: doubtful ones."""

    label: Label | None = None
    voice: Voice | None = None
    outlet: str = ""
    text: str = ""
    since: str = ""
    every: bool = False

    @property
    def filtered(self) -> bool:
        """Whether anything but doubt was asked for."""
        return bool(self.label or self.voice or self.outlet or self.text or self.every)

    def fits(self, case: Case) -> bool:
        """Whether `case` is among those asked for."""
        if not self.filtered and not case.doubtful:
            return False
        return (
            self.label in (None, case.label)
            and self.voice in (None, case.answer.voice)
            and self.outlet.lower() in case.place.partition(" · ")[0].lower()
            and all(word in case.text.lower() for word in self.text.lower().split())
        )


def from_store(store: Store, since: str = "") -> list[Case]:
    """All current sentences of a store, near copies left out; `since` is a UTC day of arrival."""
    cases = []
    for item in store.items(since=since or None):
        outlet = item.meta.get("outlet") or item.feed_title or item.feed
        day = (item.meta.get("time") or item.seen_at)[:25]
        place = " · ".join(filter(None, (outlet, day, item.meta.get("title"))))
        before = ""
        for sentence in item.sentences:
            record = sentence.record
            label = Label(record["label"])
            cases.append(
                Case(
                    id=str(sentence.id),
                    text=sentence.text,
                    prev=before,
                    article=f"item-{item.id}",
                    place=place,
                    label=label,
                    answer=Answer(record["frame"], record["opinion"], Voice(record["voice"])),
                    sure=record["probabilities"][label.value],
                    abstained=record["abstained"],
                    record=record,
                )
            )
            before = sentence.text
    return cases


def from_labelled(path: Path | None) -> list[Case]:
    """Labelled sentences of a file; without one those of the seeds, articles and written sentences.

    Raises:
        StanceError: as `gold.read` does.
    """
    if path is not None:
        return [_of_gold(item) for item in gold.read(path)]
    folder = resource("seeds")
    files = [folder / "gold.jsonl", *sorted((folder / "written").glob("*.jsonl"))]
    return [_of_gold(item) for file in files for item in gold.read(file)]


def _of_gold(item: gold.Labelled) -> Case:
    assert item.label is not None
    return Case(
        id=item.id,
        text=item.text,
        prev=item.prev or "",
        article=item.article,
        place=item.slices.get("outlet_group", ""),
        label=item.label,
        answer=Answer(item.frame or NO_FRAME, bool(item.opinion), item.voice),
    )


def chosen(cases: Iterable[Case], wanted: Wanted, done: Iterable[str] = ()) -> list[Case]:
    """Those that are wanted and not done, the least sure first."""
    skip = set(done)
    kept = [case for case in cases if case.id not in skip and wanted.fits(case)]
    return sorted(kept, key=lambda case: 1.0 if case.sure is None else case.sure)


def drawn(cases: Sequence[Case], number: int, seed: int) -> list[Case]:
    """A sample with the four labels equally often, as far as there are enough, in an order of chance.

    The order is that of a digest of seed and id, so that the sample hardly changes when sentences are added.
    """

    def lot(case: Case) -> bytes:
        return hashlib.blake2b(f"{seed}\0{case.id}\0{case.text}".encode(), digest_size=16).digest()

    strata: dict[Label, list[Case]] = defaultdict(list)
    for case in cases:
        strata[case.label].append(case)
    sizes = shared(number, {label: len(found) for label, found in strata.items()})
    picked = [case for label, size in sizes.items() for case in sorted(strata[label], key=lot)[:size]]
    return sorted(picked, key=lambda case: hashlib.blake2b(lot(case), digest_size=16).digest())


def shared(number: int, available: Mapping[Label, int]) -> dict[Label, int]:
    """`number` dealt out evenly; what a label has not, the others give."""
    sizes: Counter[Label] = Counter()
    left = min(number, sum(available.values()))
    while left:
        for label in Label:
            if left and sizes[label] < available.get(label, 0):
                sizes[label] += 1
                left -= 1
    return {label: sizes[label] for label in Label if sizes[label]}
