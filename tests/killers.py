"""A classifier that kills its own process over some sentences; also a preload for workers of a cluster."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterable, Iterator
from pathlib import Path

from stance import executors
from stance.evidence import Verdict
from tests.fake_classifier import FakeClassifier

POISON = "POISON"
ONCE = "ONCE:"  # followed by the path of a file that remembers


class Killer(FakeClassifier):
    """Dies over ``POISON`` each time, and over ``ONCE:file`` the first time."""

    def classify_sentences(self, sentences: Iterable[object]) -> Iterator[Verdict]:
        for verdict in super().classify_sentences(sentences):  # type: ignore[arg-type]
            text = verdict.sentence.text
            if POISON in text:
                os.kill(os.getpid(), signal.SIGKILL)
            if ONCE in text:
                marker = Path(text.split(ONCE)[1])
                if not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            yield verdict


def dask_setup(worker: object) -> None:
    """Called in every worker of a cluster that preloads this file."""
    executors._load = lambda setup: Killer()  # type: ignore[assignment]
