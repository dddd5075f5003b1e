"""Output files that are complete or absent, and jobs that go on where they stopped.

Output grows in ``.NAME.partial`` beside the target and takes the target's name when it is complete.
A journal beside it (``.NAME.partial.journal``) says after each checkpoint how many inputs are done, how
many bytes they made and what they were, so that ``--resume`` repeats nothing and loses nothing, also
after a kill in the middle of a line.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Final

from stance.errors import StanceError

CHECKPOINT_SECONDS: Final = 0.5


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """`inputs` are done, their output takes `size` bytes, `chain` is a digest over all of them."""

    inputs: int = 0
    size: int = 0
    chain: str = ""


def chained(chain: str, name: str | None, text: str) -> str:
    """The digest of everything so far and one more input."""
    digest = hashlib.blake2b(digest_size=16)
    for part in (chain, name or "", text):
        encoded = part.encode("utf-8", "surrogatepass")
        digest.update(len(encoded).to_bytes(8, "big"))
        digest.update(encoded)
    return digest.hexdigest()


@contextmanager
def naming(target: Path) -> Iterator[None]:
    """A fault of the disk names the file that was being written: those of a write name none."""
    try:
        yield
    except OSError as fault:
        if fault.filename is None:
            fault.filename = str(target)
        raise


def is_complete(target: Path) -> bool:
    """Whether an earlier run finished `target`: it is there and nothing of it is left over."""
    return target.exists() and not _partial(target).exists()


class OutputFile:
    """The growing output of one job. Use `stream`, call `done` after each input and `finish` at the end.

    `job` is a digest of everything that shapes the output (settings, versions): another job's beginning
    is never continued. With `resume`, `start` says where an earlier run stopped.

    Raises:
        StanceError: the folder is missing, another process is writing the same output, or `resume`
            finds the beginning of a different job.
    """

    def __init__(
        self, target: Path, job: str, *, resume: bool = False, interval: float = CHECKPOINT_SECONDS
    ) -> None:
        self.target = Path(os.path.realpath(target))
        self._partial = _partial(self.target)
        self._journal_path = self._partial.with_name(self._partial.name + ".journal")
        self._interval = interval
        if not self.target.parent.is_dir():
            raise StanceError(f"{target}: its folder does not exist; make it first")
        if self.target.is_dir():
            raise StanceError(f"{target}: a folder; name a file")
        self.stream: BinaryIO = open(self._partial, "r+b" if self._partial.exists() else "w+b")  # noqa: SIM115
        lock(self.stream, target)
        try:
            self.start = self._checkpoint(job) if resume else Checkpoint()
        except StanceError:
            self.stream.close()
            raise
        self.stream.truncate(self.start.size)
        self.stream.seek(self.start.size)
        self._last = self._written = self.start
        self._journal = open(self._journal_path, "w", encoding="utf-8")  # noqa: SIM115
        self._journal.write(json.dumps({"job": job}) + "\n")
        self._record(self.start)
        self._due = time.monotonic() + interval

    def done(self, chain: str, inputs: int = 1) -> None:
        """`inputs` more are written completely; `chain` is the digest up to and with the last of them."""
        # Where they end is asked now: when the job stops, the next may have been written in part.
        self._last = Checkpoint(self._last.inputs + inputs, self.stream.tell(), chain)
        if time.monotonic() >= self._due:
            self.checkpoint()

    def checkpoint(self) -> None:
        """Put what is done on disk, then say so in the journal."""
        if self._last.inputs == self._written.inputs:
            return
        self.stream.flush()
        os.fsync(self.stream.fileno())
        self._record(self._last)
        self._due = time.monotonic() + self._interval

    def finish(self, converted: str | None = None) -> None:
        """Give the output its name; with `converted` (a format), make that format from it first."""
        self.stream.flush()
        os.fsync(self.stream.fileno())
        finished = self._partial
        if converted is not None:
            from stance.sinks import convert

            finished = self._partial.with_name(self._partial.name + ".converted")
            convert(converted, str(self._partial), str(finished))
        os.replace(finished, self.target)
        self._close()
        self._journal_path.unlink(missing_ok=True)
        self._partial.unlink(missing_ok=True)

    def abandon(self) -> None:
        """Stop for now: what is done stays on disk for `resume`, as much of it as the disk takes."""
        with suppress(OSError):
            self.checkpoint()
        self._close()

    def discard(self) -> None:
        """Stop for good: nothing is left of what was begun."""
        self._close()
        self._journal_path.unlink(missing_ok=True)
        self._partial.unlink(missing_ok=True)

    def _close(self) -> None:
        for stream in (self._journal, self.stream):
            with suppress(OSError):  # a full disk; what counts was brought there before
                stream.close()

    def _record(self, checkpoint: Checkpoint) -> None:
        entry = {"inputs": checkpoint.inputs, "size": checkpoint.size, "chain": checkpoint.chain}
        self._journal.write(json.dumps(entry) + "\n")
        self._journal.flush()
        self._written = checkpoint

    def _checkpoint(self, job: str) -> Checkpoint:
        """The last checkpoint that the journal holds; torn lines at its end do not count."""
        try:
            entries = _entries(self._journal_path.read_bytes())
        except FileNotFoundError:
            return Checkpoint()
        if not entries:
            return Checkpoint()
        if entries[0].get("job") != job:
            raise StanceError(
                f"{self.target}: the beginning that is there was made with other settings, rules or models; "
                "leave out --resume to start anew"
            )
        found = entries[-1] if len(entries) > 1 else {}
        size = min(int(found.get("size", 0)), os.fstat(self.stream.fileno()).st_size)
        if size != found.get("size", 0):
            return Checkpoint()
        return Checkpoint(int(found.get("inputs", 0)), size, str(found.get("chain", "")))


def _partial(target: Path) -> Path:
    return target.with_name(f".{target.name}.partial")


def _entries(data: bytes) -> list[dict[str, Any]]:
    entries = []
    for line in data.split(b"\n"):
        try:
            entry = json.loads(line)
        except ValueError:
            break
        if not isinstance(entry, dict):
            break
        entries.append(entry)
    return entries


def lock(stream: BinaryIO, target: Path) -> None:
    """Keep a second process out; the lock ends with the process, however it ends."""
    try:
        import fcntl
    except ImportError:  # not on Windows, where an open file cannot be replaced anyway
        return
    try:
        fcntl.flock(stream.fileno(), fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        stream.close()
        raise StanceError(
            f"{target}: another process is writing it; wait for it or name another file"
        ) from None
    except OSError:  # file systems without locks
        return
