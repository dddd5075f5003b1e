"""Writes the corpus of hostile inputs: ``python tests/hostile/make.py FOLDER``. Nothing of it is committed.

Each entry names a file and makes its bytes; `rule_folders` makes folders of rules, and `links` what a folder
can hold besides files.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import zipfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Final

MANY: Final = 100_000
CLAIM = "The occupiers fled in panic. Rain is expected on Monday."


def _text(value: str) -> Callable[[], bytes]:
    return lambda: value.encode("utf-8", "surrogatepass")


def _nested(opening: str, closing: str, words: str = "a") -> Callable[[], bytes]:
    return lambda: (opening * MANY + words + closing * MANY + ". " + CLAIM).encode()


def _zip_bomb() -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a.txt", b"0" * 50_000_000)
    return packed.getvalue()


def _xml_bomb() -> bytes:
    laughs = "".join(f'<!ENTITY l{i} "{f"&l{i - 1};" * 10}">' for i in range(1, 10))
    return (
        f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY l0 "lol">{laughs}]>'
        "<rss version='2.0'><channel><title>&l9;</title><item><title>&l9;</title></item></channel></rss>"
    ).encode()


def _quadratic() -> bytes:
    return (
        f'<!DOCTYPE rss [<!ENTITY a "{"x" * 50_000}">]><rss version="2.0"><channel><title>t</title><item><title>'
        + "&a;" * 50_000
        + "</title></item></channel></rss>"
    ).encode()


def _rows(*values: str) -> Callable[[], bytes]:
    return lambda: "\n".join((*values, json.dumps({"text": CLAIM}))).encode()


# Name: bytes. The ending says how it is read.
FILES: Final[Mapping[str, Callable[[], bytes]]] = {
    # long and deep
    "line-one-word.txt": _text("a" * 1_000_000),
    "line-many-words.txt": _text("Russian troops shelled the town and " * 28_000),
    "line-no-space.txt": _text("Kyiv.Moscow," * 8_000),
    "line-of-cues.txt": _text("The occupiers did not say the Kyiv regime lied " * 1_000),
    "line-of-quotes.txt": _text("“So-called” aggressor, he said " * 1_000),
    "line-of-spaces.txt": _text(" " * 1_000_000 + CLAIM),
    "line-of-stops.txt": _text("." * 1_000_000 + CLAIM),
    "lines-empty.txt": _text("\n" * 1_000_000 + CLAIM),
    "quotes-curly.txt": _nested("“", "”"),
    "quotes-straight.txt": _nested('"', '"'),
    "quotes-single.txt": _nested("‘", "’"),
    "quotes-apostrophes.txt": _nested("'", "'"),
    "quotes-mixed.txt": _nested("“‘", "’”"),
    "quotes-angles.txt": _nested("«‹", "›»"),
    "quotes-never-closed.txt": _text("He said: " + "“Well " * 20_000),
    "quotes-over-paragraphs.txt": _text("“He said so.\n\n" * 20_000),
    "brackets-round.txt": _nested("(", ")"),
    "brackets-square.txt": _nested("[", "]"),
    "brackets-braces.txt": _nested("{", "}"),
    "markup.md": _text("[" * 20_000 + "a](b)" + "*_`" * 20_000 + "<!--" * 20_000 + "-->\n\n" + CLAIM),
    # characters
    "zero-width.txt": _text("The \u200boccu\u200cpi\u200ders\u2060 fled\ufeff in\u00ad panic. " * 200),
    "bidirectional.txt": _text("\u202eThe occupiers\u202c \u2066fled\u2069 in \u200fpanic\u200e. " * 200),
    "surrogates.txt": _text("The \ud800occupiers\udfff fled in panic. " * 200),
    "combining.txt": _text("The occupiers" + "\u0301" * 50_000 + " fled in panic. " + CLAIM),
    "nuls.txt": _text("The occu\x00piers\x00 fled in panic.\n" * 200),
    "nuls-only.txt": _text("\x00" * 1_000_000),
    "nuls.jsonl": _rows(json.dumps({"text": "The occu\x00piers\x00 fled in panic."})),
    "homoglyphs.txt": _text("Рutin sрoke. The оccupiers fled in pаnic. Мoscow sаid sо. " * 200),
    "controls.txt": _text("\x1b]0;title\x07\x1b[2J\x1b[31mThe occupiers\x08\x08 fled\x1b[0m in \x9bpanic. " * 20),
    "line-ends.txt": _text("The occupiers fled.\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029Rain fell.\r\n\r\r" * 500),
    "emoji.txt": _text("👩‍👩‍👧‍👦🇺🇦🇷🇺\u20e3 The occupiers fled in panic 😀. " * 500),
    "tags.txt": _text("".join(chr(0xE0000 + i) for i in range(128)) * 500 + CLAIM),
    "capital-i-with-dot.txt": _text("İ" * 20_000 + " The OCCUPİERS fled. ßẞǅŉ " * 500),
    # numbers and JSON
    "deep.json": _text("[" * MANY + "]" * MANY),
    "deep-objects.json": _text('{"text":' * MANY + '""' + "}" * MANY),
    "deep.jsonl": _rows("[" * MANY, '{"text": ' + "[" * MANY + "]" * MANY + "}", '{"a": {"a": ' * 40_000),
    "numbers.jsonl": _rows(
        '{"text": "A sentence.", "id": 1e999}',
        '{"text": "A sentence.", "id": -Infinity}',
        '{"text": "A sentence.", "id": NaN}',
        '{"text": "A sentence.", "id": ' + "9" * 5000 + "}",
        '{"text": "A sentence.", "id": ' + "9" * 4000 + "}",
        '{"text": 1e400}',
        '{"text": "A sentence.", "title": 1e999, "date": ' + "9" * 4299 + "}",
    ),
    "surrogates.jsonl": _rows(r'{"text": "The \ud800occupiers\udfff fled.", "id": "\udc00", "title": "\ud83d"}'),
    "many-keys.jsonl": _rows("{" + ",".join(f'"k{i}": {i}' for i in range(50_000)) + "}"),
    "many-columns.csv": _text("text," + "," * 100_000 + "\n" + CLAIM + "," * 100_000 + "\n"),
    "open-cell.csv": _text('text,id\n"' + "a," * 300_000),
    # bombs
    "zip.txt": _zip_bomb,
    "bomb.txt.gz": lambda: gzip.compress(b"0" * 100_000_000, 9, mtime=0),
    "twice.txt.gz": lambda: gzip.compress(gzip.compress(b"a" * 1_000_000, mtime=0), mtime=0),
    "members.txt.gz": lambda: gzip.compress(b"A b. ", mtime=0) * 20_000,
    "laughs.xml": _xml_bomb,
    "quadratic.xml": _quadratic,
    "laughs.html": lambda: _xml_bomb().replace(b"rss", b"html"),
    "attributes.html": lambda: b"<html><p " + b" ".join(b"a%d=1" % i for i in range(100_000)) + b">a",
    "deep.html": lambda: b"<div>" * MANY + b"a",
}

_BOMB = "a: &a [x,x,x,x,x,x,x,x,x]\n" + "".join(
    f"{chr(98 + i)}: &{chr(98 + i)} [{','.join([f'*{chr(97 + i)}'] * 9)}]\n" for i in range(9)
)
# Name of a rule file: content. Each goes into a folder of rules of its own.
RULES: Final[Mapping[str, str]] = {
    "aliases": _BOMB,
    "merge": "a: &a {b: 1}\nc: {<<: *a}\n",
    "deep-flow": "[" * MANY,
    "deep-mappings": "{a: " * MANY,
    "deep-blocks": "\n".join(" " * i + "a:" for i in range(2000)),
    "deep-sequence": "- " * 20_000 + "a",
    "tag": "!!python/object/apply:os.system ['touch pwned']\n",
    "tag-new": "a: !!python/name:os.system\n",
    "numbers": "id: " + "9" * 100_000 + "\nside: 1e999\ntest: .nan\n",
    "long-id": "id: " + "a" * 900_000 + "\n",
    "many-keys": "".join(f"k{i}: {i}\n" for i in range(20_000)),
    "many-documents": "---\n" * 10_000,
    "brackets": "id: a\nphrases: ['" + "(" * 50_000 + "']\n",
    "alternatives": "id: a\nkind: lexical\nphrases: ['" + " ".join(["(a|b)"] * 100) + "']\n",
    "gaps": "id: a\nkind: lexical\nphrases: ['a " + "*9 " * 300 + "b']\n",
    "percent": "%YAML 9.9\n---\na: b\n",
    "nul": "id: a\0b\n",
}


def write(folder: Path) -> Iterator[Path]:
    """The files, one by one."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, made in FILES.items():
        path = folder / name
        path.write_bytes(made())
        yield path


def rule_folders(folder: Path) -> Iterator[Path]:
    """Folders of rules, each with one hostile file laid over nothing."""
    for name, content in RULES.items():
        path = folder / name / "frame" / "x" / "a.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
        yield folder / name


def links(folder: Path) -> None:
    """Links that lead round in circles or nowhere, a pipe, and names that break lines."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "good.txt").write_text(CLAIM, encoding="utf-8")
    (folder / "loop").symlink_to(folder, target_is_directory=True)
    (folder / "self.txt").symlink_to(folder / "self.txt")
    (folder / "a.txt").symlink_to(folder / "b.txt")
    (folder / "b.txt").symlink_to(folder / "a.txt")
    (folder / "nowhere.txt").symlink_to(folder / "no-such-file.txt")
    (folder / "endless.txt").symlink_to("/dev/zero")
    (folder / "line\nbreak \x1b[31m.txt").write_text(CLAIM, encoding="utf-8")
    os.mkfifo(folder / "pipe.txt")
    deep = folder
    for _ in range(60):
        deep = deep / "d"
    deep.mkdir(parents=True)
    (deep / "deep.txt").write_text(CLAIM, encoding="utf-8")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    for made_path in (*write(target / "inputs"), *rule_folders(target / "rules")):
        print(made_path)
    links(target / "links")
