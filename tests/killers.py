"""A classifier that kills its own process over some sentences; also a preload for workers of a cluster."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from stance import executors
from stance.evidence import Verdict
from tests.fake_classifier import FakeClassifier

POISON = "POISON"
WORSE = "WORSE"  # kills the process that started it
ONCE = "ONCE:"  # followed by the path of a file that remembers


class Killer(FakeClassifier):
    """Dies over ``POISON`` each time, over ``WORSE`` with its parent, over ``ONCE:file`` once."""

    def classify_sentences(self, sentences: Iterable[object]) -> Iterator[Verdict]:
        for verdict in super().classify_sentences(sentences):  # type: ignore[arg-type]
            text = verdict.sentence.text
            if POISON in text:
                os.kill(os.getpid(), signal.SIGKILL)
            if WORSE in text:
                os.kill(os.getppid(), signal.SIGKILL)
                time.sleep(60)  # the pipe ends before
            if ONCE in text:
                marker = Path(text.split(ONCE)[1])
                if not marker.exists():
                    marker.touch()
                    os.kill(os.getpid(), signal.SIGKILL)
            yield verdict


def patch() -> None:
    """Let workers in this process use the classifier that kills."""
    executors._load = lambda setup: Killer()  # type: ignore[assignment]


def dask_setup(worker: object) -> None:
    """Called in every worker of a cluster that preloads this file; its children are to do the same."""
    executors._BOOT = "from tests import killers; killers.patch(); " + executors._BOOT  # type: ignore[misc]
