"""A progress line on standard error for long work: documents, sentences a second, time left."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Final

import click

_EVERY: Final = 0.2
_FIRST_AFTER: Final = 1.0  # short work shows nothing


@dataclass
class Progress:
    """Counts what is done and, where wanted, draws it.

    `total` is in bytes of input, or in documents where `by_documents`; None if unknown.
    """

    visible: bool = False
    total: int | None = None
    by_documents: bool = False
    documents: int = 0
    sentences: int = 0
    _start: float = field(default_factory=time.monotonic)
    _due: float = 0.0
    _drawn: bool = False

    @classmethod
    @contextmanager
    def shown(cls, wanted: bool | None, names: Sequence[str], *, busy: bool) -> Iterator[Progress]:
        """A progress line where it is wanted; by default on a terminal that no results go to (`busy`)."""
        terminal = sys.stderr is not None and sys.stderr.isatty()
        on_same = busy and sys.stdout is not None and sys.stdout.isatty()
        visible = terminal and not on_same if wanted is None else wanted
        progress = cls(visible, _bytes(names) if visible else None)
        progress._due = progress._start + _FIRST_AFTER
        try:
            yield progress
        finally:
            progress.wipe()

    def advance(self, sentences: int) -> None:
        """One more document is done."""
        self.documents += 1
        self.sentences += sentences
        if self.visible and time.monotonic() >= self._due:
            self._due = time.monotonic() + _EVERY
            self._draw()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Leave the line free for a message."""
        self.wipe()
        yield

    def wipe(self) -> None:
        if self._drawn:
            click.echo("\r\x1b[K", nl=False, err=True)
            self._drawn = False

    def line(self, seconds: float, done: int) -> str:
        """The text after `seconds`, with `done` bytes of input read."""
        rate = self.sentences / max(seconds, 1e-9)
        text = f"{self.documents:,} documents  {self.sentences:,} sentences  {rate:,.0f} sentences/s"
        if self.total and 0 < done <= self.total:
            left = seconds * (self.total - done) / done
            text += f"  {done / self.total:.0%}  {_clock(left)} left"
        return text

    def _draw(self) -> None:
        from stance.sources.raw import consumed

        done = self.documents if self.by_documents else consumed()
        text = self.line(time.monotonic() - self._start, done)
        click.echo("\r\x1b[K" + text[: shutil.get_terminal_size().columns - 1], nl=False, err=True)
        self._drawn = True


def _bytes(names: Sequence[str]) -> int | None:
    """The size of all inputs, or None where one has no size (a pipe, a URL)."""
    total = 0
    for name in names:
        if os.path.isfile(name):
            total += os.path.getsize(name)
        elif os.path.isdir(name):
            for folder, _, files in os.walk(name):
                total += sum(
                    os.path.getsize(path)
                    for path in (os.path.join(folder, f) for f in files)
                    if os.path.isfile(path)
                )
        else:
            return None
    return total or None


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"
