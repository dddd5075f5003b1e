"""Bytes to text: UTF-8 with or without mark, UTF-16, UTF-32, Windows-1252; the rest is reported.

Latin-1 is read as Windows-1252, its superset in practice: the bytes where the two differ are control
characters in one and quotation marks in the other.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

REPLACEMENT: Final = "\ufffd"
_MARKS: Final = (  # longest first: the mark of UTF-32-LE begins with that of UTF-16-LE
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_MULTIBYTE: Final = re.compile(rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}")
_NO_LATIN: Final = re.compile(rb"[\x81\x8d\x8f\x90\x9d\xfe\xff]")  # undefined, or in no English text
_ODD_CONTROLS: Final = bytes(set(range(32)) - set(b"\t\n\v\f\r\x1b"))
_SURROGATES: Final = re.compile("[\ud800-\udfff]")
_FIRST_CONTINUATION, _LAST_CONTINUATION = 0x80, 0xBF
_MAGIC: Final = (
    (b"%PDF", "a PDF"),
    (b"PK\x03\x04", "a ZIP archive or office document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"\xd0\xcf\x11\xe0", "an old office document"),
    (b"SQLite format 3\x00", "an SQLite database"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a zstd archive"),
)


@dataclass(frozen=True, slots=True)
class Undecodable:
    """Bytes that the encoding leaves undefined: how many, and the first one's place."""

    offset: int
    line: int
    byte: int
    count: int
    encoding: str

    def __str__(self) -> str:
        more = "" if self.count == 1 else f" ({self.count} undecodable places)"
        return (
            f"byte 0x{self.byte:02x} at offset {self.offset} is not {self.encoding}{more} and was read as "
            "U+FFFD; save it as UTF-8 or name its encoding with --encoding"
        )


@dataclass(frozen=True, slots=True)
class Decoded:
    """A text, its encoding, and what was lost in decoding."""
    text: str
    encoding: str
    undecodable: Undecodable | None = None


def without_surrogates(text: str) -> str:
    """Lone surrogates, which no encoding can write, become U+FFFD; the length stays."""
    return _SURROGATES.sub(REPLACEMENT, text)


def mark_of(head: bytes) -> tuple[str | None, int]:
    """The encoding that a byte order mark announces, and the mark's length."""
    for mark, encoding in _MARKS:
        if head.startswith(mark):
            return encoding, len(mark)
    return None, 0


def binary(head: bytes) -> str | None:
    """What kind of binary file begins with `head`, or None for text."""
    for magic, kind in _MAGIC:
        if head.startswith(magic):
            return kind
    if mark_of(head)[0] or _unmarked_utf16(head):
        return None
    if b"\x00" in head:
        return "a binary file"
    odd = len(head) - len(head.translate(None, _ODD_CONTROLS))
    return "a binary file" if head and odd / len(head) > 0.05 else None


def guess(head: bytes) -> tuple[str | None, int]:
    """The encoding that the first bytes prove, and how many bytes its mark takes; None: bytes decide."""
    encoding, skip = mark_of(head)
    return (encoding, skip) if encoding else (_unmarked_utf16(head), 0)


def _ordered(encoding: str | None, head: bytes) -> str | None:
    """`encoding` with the order of its bytes, where its name leaves that to the mark: ``utf-16``.

    Without a mark it is what the bytes show, else little-endian, as on nearly every machine.
    """
    if encoding is None:
        return None
    name = codecs.lookup(encoding).name
    if name not in ("utf-16", "utf-32"):
        return encoding
    proven = guess(head)[0] or ""
    return proven if proven.startswith(name) else f"{name}-le"


def named(charset: str | None) -> str | None:
    """The codec that a server or page names, if it is one that the bytes themselves would not show."""
    if charset is None:
        return None
    name = charset.strip().lower()
    if name in ("iso-8859-1", "latin-1", "latin1", "ascii", "us-ascii"):  # browsers read these so too
        return "cp1252"
    try:
        known = codecs.lookup(name).name
        b"".decode(known)
    except (LookupError, UnicodeError):
        return None
    return None if known.startswith(("utf-8", "utf-16", "utf-32")) else known


def decode(data: bytes, encoding: str | None = None) -> Decoded:
    """The text of `data`, newlines untouched, the byte order mark dropped; never fails."""
    skip = mark_of(data)[1] if encoding is None or "utf" in encoding.lower() else 0
    proven = _ordered(encoding, data) or guess(data)[0]
    body = data[skip:] if skip else data
    if proven is not None:
        return _decode_as(body, proven, skip)
    try:
        return Decoded(body.decode("utf-8"), "utf-8")
    except UnicodeDecodeError:
        pass
    if not _MULTIBYTE.search(body) and not _NO_LATIN.search(body):
        return Decoded(body.decode("cp1252"), "windows-1252")
    return _decode_as(body, "utf-8", skip)


def _decode_as(body: bytes, encoding: str, skipped: int) -> Decoded:
    """`body` in `encoding`, undecodable bytes replaced and reported with their offset in the file."""
    try:
        return Decoded(without_surrogates(body.decode(encoding)), encoding)
    except UnicodeDecodeError as fault:
        start = fault.start
    text = body.decode(encoding, "replace")
    before = body[:start].decode(encoding, "replace")
    given = before.count(REPLACEMENT)  # what stood there before the first fault was written as such
    found = Undecodable(
        offset=start + skipped,
        line=before.count("\n") + 1,
        byte=body[start],
        count=max(1, text.count(REPLACEMENT) - given),
        encoding=encoding.upper(),
    )
    return Decoded(without_surrogates(text), encoding, found)


def _unmarked_utf16(head: bytes) -> str | None:
    """UTF-16 without a mark: mostly Latin text has a NUL in every other byte."""
    sample = head[: 4096 - 4096 % 2]
    if len(sample) < 4 or b"\x00" not in sample:
        return None
    half = len(sample) / 2
    low, high = sample[0::2].count(0) / half, sample[1::2].count(0) / half
    if high > 0.6 and low < 0.05:
        return "utf-16-le"
    if low > 0.6 and high < 0.05:
        return "utf-16-be"
    return None


@dataclass(frozen=True, slots=True)
class Line:
    """A line with its terminator, counted from 1. `fault` says what was lost in it, if anything."""

    number: int
    text: str
    fault: str | None = None


def lines(stream: BinaryIO, encoding: str | None, limit: int) -> Iterator[Line]:
    """Lines of `stream`, ended by LF alone, each decoded on its own; one longer than `limit` is cut off.

    A line that was cut off comes as an empty text with a fault.
    """
    head = stream.peek(4096) if hasattr(stream, "peek") else b""  # a BufferedReader; tests hand in others
    proven, skip = guess(head)
    known = _ordered(encoding, head) or proven
    if known and known.replace("_", "-").lower().startswith(("utf-16", "utf-32", "utf16", "utf32")):
        stream.read(skip)
        yield from _wide_lines(stream, known, limit)
        return
    stream.read(skip)
    offset, number = skip, 0
    while raw := stream.readline(limit):
        number += 1
        if len(raw) == limit and not raw.endswith(b"\n"):
            offset += len(raw) + _skip_line(stream, limit)
            yield Line(number, "", f"longer than {limit} bytes; cut it into several documents")
            continue
        decoded = decode(raw, known) if number > 1 or known else decode(raw)
        found = decoded.undecodable
        yield Line(number, decoded.text, None if found is None else _moved(found, offset))
        offset += len(raw)


def _wide_lines(stream: BinaryIO, encoding: str, limit: int) -> Iterator[Line]:
    """Lines of UTF-16 and UTF-32, where a LF byte need not be a LF."""
    decoder = codecs.getincrementaldecoder(encoding)("replace")
    number, rest = 0, ""
    while True:
        raw = stream.read(65536)
        rest += decoder.decode(raw, final=not raw)
        *whole, rest = rest.split("\n")
        for text in whole:
            number += 1
            yield _wide_line(number, text + "\n", encoding)
        if len(rest) > limit:
            yield Line(number + 1, "", f"longer than {limit} characters; the rest of the file was not read")
            return
        if not raw:
            if rest:
                yield _wide_line(number + 1, rest, encoding)
            return


def _wide_line(number: int, text: str, encoding: str) -> Line:
    at = text.find(REPLACEMENT)
    fault = (
        None if at < 0 else f"character {at + 1} of the line is not {encoding.upper()} and was read as U+FFFD"
    )
    return Line(number, without_surrogates(text), fault)


def _moved(found: Undecodable, offset: int) -> str:
    return str(Undecodable(found.offset + offset, found.line, found.byte, found.count, found.encoding))


def _skip_line(stream: BinaryIO, limit: int) -> int:
    skipped = 0
    while raw := stream.readline(limit):
        skipped += len(raw)
        if raw.endswith(b"\n"):
            break
    return skipped
