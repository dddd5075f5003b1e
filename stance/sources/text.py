"""Plain text and Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from stance.document import Document, Sentence
from stance.sources import encoding
from stance.sources.items import META_FIELDS, Fault, Item, ReadOptions, Single
from stance.sources.raw import Raw

_FRONT_MATTER: Final = re.compile(
    r"\A---[ \t]*\r?\n(.*?)^(?:---|\.\.\.)[ \t]*\r?$\n?", re.DOTALL | re.MULTILINE
)
_KEY: Final = re.compile(r"^(\w+):[ \t]*(.+?)[ \t]*$", re.MULTILINE)
# In this order: blocks first, then what stands inside a line. Every pattern is linear on hostile text:
# repeats are bounded, or exclude the character that a new attempt would start from.
_MARKUP: Final = (
    (re.compile(r"<!--.*?(?:-->|\Z)", re.DOTALL), ""),
    (re.compile(r"^(```|~~~)[^\n]*\n.*?(?:^\1[^\n]*$|\Z)", re.DOTALL | re.MULTILINE), ""),
    (re.compile(r"^[ ]{0,3}#{1,6}[ \t]+", re.MULTILINE), ""),
    (re.compile(r"(?<=\S)[ \t]{1,4}#{1,6}$", re.MULTILINE), ""),
    (re.compile(r"^[ ]{0,3}(?:[-*_][ \t]*){3,}$", re.MULTILINE), ""),
    (re.compile(r"^[ ]{0,3}=+[ \t]*$", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,8}(?:>[ \t]?)+", re.MULTILINE), ""),
    (re.compile(r"^[ \t]{0,40}(?:[-*+]|\d{1,3}[.)])[ \t]+", re.MULTILINE), ""),
    (re.compile(r"!\[[^\[\]\n]*\]\([^()\n]*\)"), ""),
    (re.compile(r"\[([^\[\]\n]+)\](?:\([^()\n]*\)|\[[^\[\]\n]*\])"), r"\1"),
    (re.compile(r"^\[[^\[\]\n]+\]:[^\n]*$", re.MULTILINE), ""),
    (re.compile(r"<(https?://[^<>\s]+)>"), r"\1"),
    (re.compile(r"</?[A-Za-z][^<>\n]*>"), ""),
    (re.compile(r"(?<!\*)(\*{1,3})(?=[^\s*])([^*\n]+)(?<=\S)\1"), r"\2"),
    (re.compile(r"(?<![\w_])(_{1,3})(?=[^\s_])([^_\n]+)(?<=\S)\1(?!\w)"), r"\2"),
    (re.compile(r"(?<!`)`{1,3}([^`\n]+)`{1,3}"), r"\1"),
    (re.compile(r"\\([\\`*_{}\[\]()#+\-.!>])"), r"\1"),
)


def read_text(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """One document; with unit sentence, one sentence a line that is not blank."""
    if options.unit == "sentence":
        yield from _lines(raw, options)
        return
    for text in _decoded(raw, options):
        yield Document(text, raw.name) if isinstance(text, str) else text


def read_markdown(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    """One document without its markup; offsets count in that text. Front matter goes into `meta`."""
    if options.unit == "sentence":
        yield from _lines(raw, options)
        return
    for text in _decoded(raw, options):
        if isinstance(text, Fault):
            yield text
            continue
        plain, meta = unmarked(text)
        if plain.strip():
            yield Document(plain, raw.name, meta)
        else:
            yield Fault(raw.name, "holds markup but no text; nothing to label")


def unmarked(markdown: str) -> tuple[str, dict[str, str | None]]:
    """The text of a Markdown document, and what its front matter says about it."""
    meta: dict[str, str | None] = {}
    front = _FRONT_MATTER.match(markdown)
    if front:
        given = {key.lower(): value.strip("\"'") for key, value in _KEY.findall(front[1])}
        given.setdefault("time", given.get("date", ""))
        meta = {name: given[name] for name in META_FIELDS if given.get(name)}
        markdown = markdown[front.end() :]
    for pattern, replacement in _MARKUP:
        markdown = pattern.sub(replacement, markdown)
    return markdown, meta


def _decoded(raw: Raw, options: ReadOptions) -> Iterator[str | Fault]:
    data = raw.whole(options.max_document)
    found = encoding.decode(data, options.encoding)
    if not found.text.strip():
        yield Fault(raw.name, "is empty; nothing to label")
        return
    if found.undecodable is not None:
        yield Fault(f"{raw.name}:{found.undecodable.line}", str(found.undecodable))
    yield found.text


def _lines(raw: Raw, options: ReadOptions) -> Iterator[Item]:
    index = 0
    for line in encoding.lines(raw.stream, options.encoding, options.max_line):
        if line.fault is not None:
            yield Fault(f"{raw.name}:{line.number}", line.fault)
        text = line.text.strip()
        if text:
            yield Single(Sentence(text, 0, len(text), index=index))
            index += 1
