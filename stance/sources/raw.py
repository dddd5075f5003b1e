"""Opening what a name stands for: a path, standard input or a URL, gzip unpacked within bounds."""

from __future__ import annotations

import io
import os
import sys
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from stance.errors import StanceError
from stance.sources.items import ReadOptions

# Generic to the type checker, not at run time.
if TYPE_CHECKING:
    Stream: TypeAlias = io.BufferedReader[Any]
else:
    Stream = io.BufferedReader

STDIN: Final = "-"
GZIP_MAGIC: Final = b"\x1f\x8b"
_CHUNK: Final = 65536
_FREE_OUTPUT: Final = 16 * 2**20  # below this many bytes no ratio is suspicious
_read_bytes = 0  # by this process, for progress lines only
_MAX_RATIO: Final = 200  # plain text shrinks 3 to 10 times, repetitive JSONL up to 50 times


def consumed() -> int:
    """How many bytes of files this process has read, as they lie on disk."""
    return _read_bytes


class _Counted(io.FileIO):
    """A file that counts what is read of it."""

    def readinto(self, buffer: Any) -> int | None:
        global _read_bytes
        size = super().readinto(buffer)
        _read_bytes += size or 0
        return size

    def readall(self) -> bytes:
        global _read_bytes
        data = super().readall()
        _read_bytes += len(data)
        return data


class ReadError(StanceError):
    """An input that cannot be read; `place` is its name, the message lacks it."""

    def __init__(self, place: str, message: str) -> None:
        super().__init__(f"{place}: {message}")
        self.place = place
        self.message = message


@dataclass(frozen=True, slots=True)
class Raw:
    """An open input: the name for messages and records, a peekable stream, what is known of its kind.

    `file_name` is what the extension is taken from (without `.gz`); `media_type` and `charset` are what a
    server said, `link` is where it was found in the end.
    """

    name: str
    stream: Stream
    file_name: str
    media_type: str | None = None
    link: str | None = None
    charset: str | None = None

    def whole(self, limit: int) -> bytes:
        """All bytes, or a `ReadError` when there are more than `limit`."""
        data = self.stream.read(limit + 1)
        if len(data) > limit:
            raise ReadError(self.name, f"larger than {limit // 2**20} MB; cut it into several documents")
        return data


class GunzipReader(io.RawIOBase):
    """Unpacks gzip (several members too) in bounded steps and stops at a bomb."""

    def __init__(self, packed: Stream, name: str) -> None:
        self._packed, self._name = packed, name
        self._member = zlib.decompressobj(wbits=31)
        self._pending = b""
        self._in = self._out = 0
        self._between_members = False

    def readable(self) -> bool:
        """It is for reading."""
        return True

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer, as `io.RawIOBase` has it."""
        view = memoryview(buffer).cast("B")
        while True:
            if not self._pending:
                self._pending = self._packed.read1(_CHUNK)
                self._in += len(self._pending)
                if not self._pending:
                    return self._end()
            if self._between_members and not self._next_member():
                return 0
            try:
                data = self._member.decompress(self._pending, len(view))
            except zlib.error as fault:
                raise ReadError(self._name, f"damaged gzip ({fault}); fetch or pack it again") from None
            self._pending = self._member.unconsumed_tail
            if self._member.eof:
                self._pending, self._between_members = self._member.unused_data, True
            if data:
                self._out += len(data)
                self._check_ratio()
                view[: len(data)] = data
                return len(data)

    def _next_member(self) -> bool:
        """Start the next member; zero padding and anything else after the last one is the end."""
        if not self._pending.startswith(GZIP_MAGIC):
            return False
        self._member, self._between_members = zlib.decompressobj(wbits=31), False
        return True

    def _end(self) -> int:
        if not self._between_members:
            raise ReadError(self._name, "the gzip stream ends too early; fetch or pack it again")
        return 0

    def _check_ratio(self) -> None:
        if self._out > _FREE_OUTPUT and self._out > _MAX_RATIO * self._in:
            raise ReadError(
                self._name,
                f"unpacks to more than {_MAX_RATIO} times its size; unpack it yourself if you trust it",
            )


@contextmanager
def opened(name: str, options: ReadOptions) -> Iterator[Raw]:
    """The input `name`, closed afterwards. Faults of the system come as `ReadError`."""
    try:
        if name.startswith(("http://", "https://")):
            yield unpacked(_fetched(name, options))
        elif name == STDIN:
            yield unpacked(_stdin())
        else:
            with io.BufferedReader(_Counted(name), _CHUNK) as stream:
                yield unpacked(Raw(name, stream, os.path.basename(name)))
    except OSError as fault:
        raise ReadError(name, _cure(fault)) from None


def unpacked(raw: Raw) -> Raw:
    """`raw` with its gzip layer, if there is one, taken off."""
    if raw.stream.peek(2)[:2] != GZIP_MAGIC:
        return raw
    file_name = raw.file_name[:-3] if raw.file_name.lower().endswith(".gz") else raw.file_name
    stream = io.BufferedReader(GunzipReader(raw.stream, raw.name), _CHUNK)
    return Raw(raw.name, stream, file_name, raw.media_type, raw.link, raw.charset)


def _stdin() -> Raw:
    if sys.stdin is None:
        raise ReadError("stdin", "standard input is closed; name a file")
    binary: Any = sys.stdin.buffer
    stream = binary if isinstance(binary, io.BufferedReader) else io.BufferedReader(binary)
    return Raw("stdin", stream, "")


def _fetched(url: str, options: ReadOptions) -> Raw:
    from stance.sources.fetch import fetch_page

    page = fetch_page(
        url, allow_private=options.allow_private, timeout=options.timeout, limit=options.max_document
    )
    stream: Stream = io.BufferedReader(io.BytesIO(page.body))
    path = page.url.partition("?")[0].rpartition("/")[2]
    return Raw(url, stream, path, page.media_type, page.url, page.charset)


def _cure(fault: OSError) -> str:
    if isinstance(fault, FileNotFoundError):
        return "no such file; check the path"
    if isinstance(fault, PermissionError):
        return "no permission to read it; change its mode or run as its owner"
    if isinstance(fault, IsADirectoryError):
        return "a directory; name the files in it"
    return f"cannot be read ({fault.strerror or fault})"
