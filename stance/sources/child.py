"""A child process for work on foreign markup: limited in time and memory, killed when it exceeds them.

No parser is trusted with hostile input: a tag with 200,000 attributes keeps every one of them busy for
minutes. The child is kept for the next page and started again after it was killed.
"""

from __future__ import annotations

import atexit
import contextlib
import json
import os
import struct
import subprocess
import sys
import threading
from typing import IO, Any, Final

from stance.errors import StanceError

STARTUP_SECONDS: Final = 120.0
MAX_ANSWER: Final = 64 * 2**20
MAX_CALLS: Final = 500  # then a fresh child, so that no leak in a parser grows for ever
_LIBRARIES: Final = {
    "page": "trafilatura",
    "feed": "fastfeedparser",
    "opml": "lxml.etree",
    "robots": "protego",
}
_BOOT: Final = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from stance.sources.worker import serve; serve()"
)


class ChildError(StanceError):
    """The child could not do it; the message is a sentence without a place."""


class Child:
    """Runs the tasks of `stance.sources.worker`, one at a time."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._calls = 0
        self._warm: set[str] = set()

    def call(self, task: str, body: bytes, *, timeout: float, **parameters: Any) -> Any:
        """The answer to one task.

        Raises:
            ChildError: it took too long, broke the child, or the task itself says what is wrong.
        """
        with self._lock:
            if self._process is None or self._calls >= MAX_CALLS:
                self._start()
            self._calls += 1
            if task in _LIBRARIES and task not in self._warm:
                self._exchange("hello", b"", STARTUP_SECONDS, {"library": _LIBRARIES[task]})
                self._warm.add(task)
            return self._exchange(task, body, timeout, parameters)

    def close(self) -> None:
        """End the child; the next call starts another."""
        process, self._process = self._process, None
        if process is None:
            return
        process.kill()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):  # what was buffered for a dead child
                    stream.close()
        process.wait()

    def _start(self) -> None:
        self.close()
        path = json.dumps([os.path.abspath(entry) for entry in sys.path])
        self._process = subprocess.Popen(  # noqa: S603 - our own interpreter and our own code
            [sys.executable, "-I", "-X", "utf8", "-c", _BOOT, path],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self._calls = 0
        self._warm.clear()

    def _exchange(self, task: str, body: bytes, timeout: float, parameters: dict[str, Any]) -> Any:
        process = self._process
        assert process is not None
        late = threading.Event()

        def give_up() -> None:
            late.set()
            process.kill()

        timer = threading.Timer(timeout, give_up)
        timer.daemon = True
        timer.start()
        try:
            assert process.stdin is not None
            assert process.stdout is not None
            header = json.dumps({"task": task, "timeout": timeout, **parameters}).encode()
            process.stdin.write(struct.pack(">II", len(header), len(body)) + header + body)
            process.stdin.flush()
            answer = json.loads(_framed(process.stdout))
        except (OSError, EOFError, ValueError):
            self.close()
            if late.is_set():
                raise ChildError(
                    f"could not be parsed within {timeout:g} s and was given up; "
                    "raise --timeout if you trust it"
                ) from None
            raise ChildError("its markup broke the parser (too large or malformed); leave it out") from None
        except BaseException:
            self.close()
            raise
        finally:
            timer.cancel()
        if "fault" in answer:
            raise ChildError(str(answer["fault"]))
        return answer["result"]


def _framed(stream: IO[bytes]) -> bytes:
    (size,) = struct.unpack(">I", _exactly(stream, 4))
    if size > MAX_ANSWER:
        raise EOFError
    return _exactly(stream, size)


def _exactly(stream: IO[bytes], size: int) -> bytes:
    data = stream.read(size)
    if len(data) < size:
        raise EOFError
    return data


CHILD: Final = Child()
atexit.register(CHILD.close)
