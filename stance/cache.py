"""Values that take long to work out, kept as JSON in the user's cache folder under a digest of their making.

Only plain values: reading them back executes nothing, and a file whose checksum is wrong is as good as none.
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, TypeVar

KEEP: Final = 8  # files of one name: every edit of a rule makes another
_WRITING: Final = 3600  # seconds; nobody writes for so long
_Made = TypeVar("_Made")


def place(name: str, content: str, modules: Sequence[str]) -> Path | None:
    """The file of a value made from `content` by the code of some modules; None without a home folder.

    The name also covers that code, so that a changed program never meets an old answer.
    """
    import stance

    state = hashlib.sha256(f"{getattr(stance, '__version__', '')} {content}".encode("utf-8", "surrogatepass"))
    here = Path(__file__).parent
    try:
        for module in modules:
            state.update((here / f"{module}.py").read_bytes())
    except OSError:
        pass  # no sources beside the code: the version has to do
    configured = os.environ.get("XDG_CACHE_HOME", "")
    try:
        folder = Path(configured) if os.path.isabs(configured) else Path.home() / ".cache"
    except RuntimeError:
        return None
    return folder / "stance" / f"{name}-{state.hexdigest()[:24]}.json"


def read(path: Path, made: Callable[[Any], _Made]) -> _Made | None:
    """What `made` makes of the value in a file; None if there is none, or its checksum or shape is wrong."""
    try:
        checksum, _, payload = path.read_bytes().partition(b"\n")
        if hashlib.sha256(payload).hexdigest().encode() != checksum:
            return None
        found = made(json.loads(payload))
    except (OSError, ValueError, TypeError, KeyError, IndexError, RecursionError):
        return None
    with suppress(OSError):  # a folder that only others may write is read all the same
        os.utime(path)  # what is in use is not the oldest
    return found


def write(path: Path, value: Any) -> None:
    """Keep a value, whole or not at all; a folder that cannot be written costs time, nothing else."""
    payload = json.dumps(value, separators=(",", ":")).encode()
    temporary = path.with_name(f".{path.stem}-{os.getpid()}-{threading.get_ident()}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            temporary.write_bytes(hashlib.sha256(payload).hexdigest().encode() + b"\n" + payload)
            temporary.replace(path)
        finally:
            temporary.unlink(missing_ok=True)
        _prune(path)
    except OSError:
        pass


def _prune(newest: Path) -> None:
    """Keep the few that were written or read last, and nothing that a writer who was killed has left."""
    name = newest.name.partition("-")[0]
    old = [path for path in newest.parent.glob(f"{name}-*.json") if path != newest]
    for path in sorted(old, key=lambda path: path.stat().st_mtime, reverse=True)[KEEP - 1 :]:
        path.unlink(missing_ok=True)
    for path in newest.parent.glob(f".{name}-*"):
        if path.stat().st_mtime < time.time() - _WRITING:
            path.unlink(missing_ok=True)
