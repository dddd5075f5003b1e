"""Reading: formats, encodings, gzip, folders, and that no broken input stops the rest."""

from __future__ import annotations

import gzip
import io
import json
import os
import random
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stance.document import Document
from stance.sources import Fault, Item, ReadOptions, Single, Skipped, read
from stance.sources.encoding import decode
from stance.sources.formats import recognise, sniff
from stance.sources.language import not_english
from stance.sources.text import unmarked

ENGLISH = (
    "The minister said on Monday that the talks had been held in the capital and that they would go on. "
    "It was not clear when the parties would meet again, but both sides have said they are ready to talk.\n"
)


def items(path: Path | str, **options: Any) -> list[Item]:
    return list(read([str(path)], ReadOptions(**options)))


def only_document(path: Path | str, **options: Any) -> Document:
    (found,) = items(path, **options)
    assert isinstance(found, Document)
    return found


def only_fault(path: Path | str, **options: Any) -> Fault:
    (found,) = items(path, **options)
    assert isinstance(found, Fault), found
    return found


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


# -- text and encodings ---------------------------------------------------------------------------------


def test_text_is_read_as_it_lies_on_disk(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "One.\r\n\r\nTwo — “three”.\n")
    assert only_document(path) == Document("One.\r\n\r\nTwo — “three”.\n", str(path))


@pytest.mark.parametrize(
    "encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "utf-32", "cp1252"]
)
def test_encodings_are_recognised(tmp_path: Path, encoding: str) -> None:
    text = "Café owner: “It’s over” – he said.\nSecond line.\n"
    assert only_document(write(tmp_path / "a.txt", text.encode(encoding))).text == text


@pytest.mark.parametrize("mark", [b"", b"\xff\xfe", b"\xfe\xff"], ids=["none", "little", "big"])
@pytest.mark.parametrize("ending", ["txt", "jsonl"])
def test_utf_16_by_name_goes_by_its_mark(tmp_path: Path, mark: bytes, ending: str) -> None:
    """Without a mark it is little-endian; a mark tells the order and is no part of the text."""
    order = "utf-16-be" if mark == b"\xfe\xff" else "utf-16-le"
    text = '{"text": "A b."}\n' if ending == "jsonl" else "A b."
    path = write(tmp_path / f"a.{ending}", mark + text.encode(order))
    assert only_document(path, encoding="utf-16").text == "A b."


def test_latin_1_is_read(tmp_path: Path) -> None:
    text = "The façade of the café in Orléans was damaged, Müller said.\n"
    assert only_document(write(tmp_path / "a.txt", text.encode("latin-1"))).text == text


def test_marked_utf_16_is_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"\xfe\xff" + "Hello there.".encode("utf-16-be"))
    assert only_document(path).text == "Hello there."


def test_undecodable_bytes_are_reported_with_their_offset_and_the_rest_is_read(tmp_path: Path) -> None:
    data = "One “two”.\n".encode() + b"bad \xff\xfe here\n"
    fault, document = items(write(tmp_path / "a.txt", data))
    assert isinstance(fault, Fault)
    assert isinstance(document, Document)
    assert fault.place.endswith("a.txt:2")
    assert f"byte 0xff at offset {data.index(0xFF)} is not UTF-8 (2 undecodable places)" in fault.message
    assert document.text == "One “two”.\nbad \ufffd\ufffd here\n"


def test_a_cut_off_utf_16_file_is_reported(tmp_path: Path) -> None:
    data = b"\xff\xfe" + "Hello.".encode("utf-16-le") + b"\x41"
    fault, document = items(write(tmp_path / "a.txt", data))
    assert isinstance(fault, Fault)
    assert "offset 14 is not UTF-16-LE" in fault.message
    assert isinstance(document, Document)
    assert document.text == "Hello.\ufffd"


def test_a_named_encoding_holds(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", "Привет, мир".encode("koi8-r"))
    assert only_document(path, encoding="koi8-r", any_language=True).text == "Привет, мир"


@given(st.binary(max_size=300))
@example(b"\xff\xfe\x00")
@example(b"\xff\xfe\x00\x00\x01")
@example(b"\xed\xa0\x80")
def test_decoding_never_fails_and_its_text_can_be_written(data: bytes) -> None:
    found = decode(data)
    found.text.encode("utf-8")
    if found.undecodable is not None:
        assert 0 <= found.undecodable.offset < max(1, len(data))
        assert data[found.undecodable.offset] == found.undecodable.byte


@given(st.text(st.characters(codec="utf-8"), max_size=200).filter(lambda text: not text.startswith("\ufeff")))
def test_utf_8_comes_back_as_it_was(text: str) -> None:
    data = text.encode()
    if b"\x00" not in data:
        assert decode(data).text == text
        assert decode(data).undecodable is None


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("empty.txt", b"", "is empty"),
        ("blank.txt", b" \n\n", "is empty"),
        ("a.txt", b"%PDF-1.7 ...", "a PDF"),
        ("a.txt", b"\x89PNG\r\n\x1a\n....", "a PNG image"),
        ("a.txt", b"\x7fELF\x02\x01\x01\x00\x00\x00" + bytes(300), "a binary file"),
        ("a.txt", bytes(random.Random(1).randbytes(5000)), "a binary file"),
    ],
)
def test_what_is_no_text_is_named(tmp_path: Path, name: str, data: bytes, message: str) -> None:
    fault = only_fault(write(tmp_path / name, data))
    assert message in fault.message
    assert fault.place.endswith(name)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    assert only_fault(tmp_path / "none.txt") == Fault(
        str(tmp_path / "none.txt"), "no such file; check the path"
    )


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """Somebody without the rights of root, who may read everything."""
    if os.geteuid() != 0:
        yield
        return
    os.chown(tmp_path, 65534, 65534)
    opened = [folder for folder in tmp_path.parents if folder.stat().st_mode & 0o055 == 0]
    for folder in opened:
        folder.chmod(folder.stat().st_mode | 0o011)
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
        for folder in opened:
            folder.chmod(folder.stat().st_mode & ~0o011)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no rights of this kind on this system")
def test_forbidden_files_and_folders_are_named(tmp_path: Path, nobody: None) -> None:
    write(tmp_path / "b.txt", ENGLISH)
    path = write(tmp_path / "a.txt", ENGLISH)
    path.chmod(0)
    assert "no permission" in only_fault(path).message
    (tmp_path / "shut").mkdir(mode=0)
    found = items(tmp_path)
    assert [item.name for item in found if isinstance(item, Document)] == [str(tmp_path / "b.txt")]
    faults = [item for item in found if isinstance(item, Fault)]
    assert {fault.place for fault in faults} == {str(tmp_path / "a.txt"), str(tmp_path / "shut")}


def test_a_huge_document_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.txt", b"word " * 300_000)
    assert "larger than 1 MB" in only_fault(path, max_document=2**20).message


# -- folders --------------------------------------------------------------------------------------------


def test_folders_are_walked_in_order_for_known_endings(tmp_path: Path) -> None:
    for name in ("b.txt", "a.md", "c.exe", ".hidden.txt", "sub/d.txt", ".git/e.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        write(tmp_path / name, ENGLISH)
    (tmp_path / "loop").symlink_to(tmp_path)
    found = items(tmp_path)
    assert [os.path.relpath(str(item.name), tmp_path) for item in found if isinstance(item, Document)] == [
        "a.md",
        "b.txt",
        "sub/d.txt",
    ]
    assert len(found) == 3


def test_a_folder_without_texts_is_a_fault(tmp_path: Path) -> None:
    write(tmp_path / "a.exe", b"x")
    assert "no file in this folder ends in .txt" in only_fault(tmp_path).message


def test_one_broken_file_does_not_stop_the_rest(tmp_path: Path) -> None:
    good, bad = write(tmp_path / "good.txt", ENGLISH), write(tmp_path / "bad.txt", b"")
    found = list(read([str(bad), str(tmp_path / "none"), str(good)]))
    assert [type(item) for item in found] == [Fault, Fault, Document]


# -- gzip -----------------------------------------------------------------------------------------------


def test_gzip_is_unpacked_by_content(tmp_path: Path) -> None:
    for name in ("a.txt.gz", "b.txt", "c"):
        assert only_document(write(tmp_path / name, gzip.compress(ENGLISH.encode()))).text == ENGLISH


def test_gzip_of_several_members_is_one_text(tmp_path: Path) -> None:
    data = gzip.compress(b"One. ") + gzip.compress(b"Two.") + bytes(512)
    assert only_document(write(tmp_path / "a.txt.gz", data)).text == "One. Two."


def test_format_is_that_of_the_name_without_gz(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl.gz", gzip.compress(b'{"text": "One."}\n'))
    assert only_document(path).text == "One."


@pytest.mark.parametrize("cut", [1, 8, 20])
def test_a_cut_off_gzip_is_a_fault(tmp_path: Path, cut: int) -> None:
    path = write(tmp_path / "a.txt.gz", gzip.compress(ENGLISH.encode() * 20)[:-cut])
    assert "ends too early" in only_fault(path).message


def test_a_damaged_gzip_is_a_fault(tmp_path: Path) -> None:
    data = bytearray(gzip.compress(os.urandom(5000)))
    data[200] ^= 0xFF
    data[-6] ^= 0xFF
    assert "damaged gzip" in only_fault(write(tmp_path / "a.txt.gz", bytes(data))).message


def test_a_gzip_bomb_is_stopped(tmp_path: Path) -> None:
    packer = zlib.compressobj(9, wbits=31)
    bomb = b"".join(packer.compress(b"\n" * 2**20) for _ in range(200)) + packer.flush()
    assert len(bomb) < 300_000
    for name in ("bomb.txt.gz", "bomb.jsonl.gz"):
        message = only_fault(write(tmp_path / name, bomb)).message
        assert "unpacks to more than 200 times" in message or "larger than" in message


# -- JSONL ----------------------------------------------------------------------------------------------


def test_jsonl_rows_are_documents_with_meta(tmp_path: Path) -> None:
    row = {
        "text": "One.",
        "id": 7,
        "headline": "T",
        "publisher": "P",
        "author": ["A", {"name": "B"}],
        "date": "2024-01-02",
        "url": "https://example.org/a",
        "lang": "en",
        "more": {"x": 1},
    }
    document = only_document(write(tmp_path / "a.jsonl", json.dumps(row)))
    assert document.name == "7"
    assert dict(document.meta) == {
        "title": "T",
        "outlet": "P",
        "author": "A, B",
        "time": "2024-01-02",
        "link": "https://example.org/a",
        "language": "en",
    }


def test_rows_without_a_name_are_named_by_their_line(tmp_path: Path) -> None:
    path = write(tmp_path / "a.jsonl", '\n{"text": "One."}\n')
    assert only_document(path).name == f"{path}:2"


def test_broken_lines_are_named_and_the_others_read(tmp_path: Path) -> None:
    lines = [
        '{"text": "One."}',
        '{"text": ',
        "[1]",
        '{"body": "x"}',
        '{"text": 5}',
        '{"text": " "}',
        "",
        "not json",
        '{"text": null}',
        "[" * 100_000,
        '{"text": "Two."}',
        '{"text": "\\ud800"}',
        '{"text": ' + "9" * 5000 + "}",
    ]
    path = write(tmp_path / "a.jsonl", "\n".join(lines))
    found = items(path)
    documents = [item.text for item in found if isinstance(item, Document)]
    assert documents == ["One.", "Two.", "\ufffd"]
    faults = {int(item.place.rpartition(":")[2]): item.message for item in found if isinstance(item, Fault)}
    assert set(faults) == {2, 3, 4, 5, 6, 8, 9, 10, 13}
    assert "not JSON (Expecting value at column" in faults[2]
    assert "not an object" in faults[3]
    assert "has no 'text'; use --text-column body" in faults[4]
    assert "'text' is a number" in faults[5]
    assert "empty" in faults[6]
    assert "'text' is null" in faults[9]
    assert "nested too deeply" in faults[10]


def test_a_bad_byte_in_one_line_leaves_the_others(tmp_path: Path) -> None:
    data = '{"text": "“One”."}\n'.encode() + b'{"text": "Two\xfe."}\n{"text": "Three."}\n'
    found = items(write(tmp_path / "a.jsonl", data))
    assert [item.text for item in found if isinstance(item, Document)] == ["“One”.", "Two\ufffd.", "Three."]
    (fault,) = [item for item in found if isinstance(item, Fault)]
    assert fault.place.endswith("a.jsonl:2")
    assert f"offset {data.index(0xFE)} " in fault.message


def test_a_line_without_end_is_cut_off(tmp_path: Path) -> None:
    data = b'{"text": "' + b"x" * 5000 + b'"}\n{"text": "Two."}\n'
    fault, document = items(write(tmp_path / "a.jsonl", data), max_line=1000)
    assert isinstance(fault, Fault)
    assert "longer than 1000 bytes" in fault.message
    assert isinstance(document, Document)
    assert document.text == "Two."


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32"])
def test_jsonl_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    data = '{"text": "“One”."}\r\n{"text": "Two."}\n'.encode(encoding)
    found = items(write(tmp_path / "a.jsonl", data))
    assert [item.text for item in found if isinstance(item, Document)] == ["“One”.", "Two."]


def test_json_lists_are_read(tmp_path: Path) -> None:
    path = write(tmp_path / "a.json", json.dumps([{"text": "One."}, 5, {"text": "Two.", "id": "x"}]))
    one, fault, two = items(path)
    assert isinstance(one, Document)
    assert isinstance(two, Document)
    assert (one.name, two.name) == (f"{path}[0]", "x")
    assert isinstance(fault, Fault)
    assert fault.place.endswith("a.json[1]")


# -- single sentences -----------------------------------------------------------------------------------


def test_single_sentences_keep_ids_and_order(tmp_path: Path) -> None:
    rows: list[dict[str, Any]] = [
        {"id": "b", "text": "One. Two.", "prev": "Zero.", "next": "N", "outlet": "O"},
        {"id": 5, "text": ""},
        {"text": "Three"},
    ]
    found = items(write(tmp_path / "a.jsonl", "\n".join(map(json.dumps, rows))), unit="sentence")
    assert [item.id for item in found if isinstance(item, Single)] == ["b", 5, None]
    first = found[0]
    assert isinstance(first, Single)
    assert (first.sentence.text, first.sentence.prev, first.sentence.end) == ("One. Two.", "Zero.", 9)
    assert dict(first.meta) == {"outlet": "O"}


@pytest.mark.parametrize(
    "row", ['{"id": [], "text": "x"}', '{"id": true, "text": "x"}', '{"text": "x", "prev": 3}']
)
def test_single_sentences_with_odd_fields_are_faults(tmp_path: Path, row: str) -> None:
    assert ":1" in only_fault(write(tmp_path / "a.jsonl", row), unit="sentence").place


def test_lines_of_text_are_single_sentences(tmp_path: Path) -> None:
    found = items(write(tmp_path / "a.txt", "One. Two.\n\n Three \n"), unit="sentence")
    assert [item.sentence.text for item in found if isinstance(item, Single)] == ["One. Two.", "Three"]


# -- Markdown -------------------------------------------------------------------------------------------


def test_markdown_loses_its_markup_and_keeps_its_words() -> None:
    source = (
        '---\ntitle: "A title"\ndate: 2024-05-01\n---\n# Heading #\n\nSome *emphasis* and **bold '
        "[link](http://x)** and `code`.\n\n> quoted line\n\n- item one\n1. item two\n\n"
        "```\ncode block\n```\n![picture](a.png)\n"
        "<div>kept</div> 5 \\* 3 snake_case_name\n"
    )
    text, meta = unmarked(source)
    assert meta == {"title": "A title", "time": "2024-05-01"}
    assert [line for line in text.split("\n") if line] == [
        "Heading",
        "Some emphasis and bold link and code.",
        "quoted line",
        "item one",
        "item two",
        "kept 5 * 3 snake_case_name",
    ]


# -- formats and languages ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("data", "wanted"),
    [
        (b"Plain text, with a comma.\n", "text"),
        (b'{"text": "x"}\n{"text": "y"}\n', "jsonl"),
        (b'{"text": "cut off', "jsonl"),
        (b'[{"text": "x"}]', "json"),
        (b"[Photo: Reuters] The minister said", "text"),
        (b"{citation needed} The minister said", "text"),
        (b'{"version": "https://jsonfeed.org/version/1.1", "items": []}', "feed"),
        (b'<?xml version="1.0"?>\n<rss version="2.0"><channel>', "feed"),
        (b'<feed xmlns="http://www.w3.org/2005/Atom">', "feed"),
        (b"\n<!DOCTYPE html>\n<html><head>", "html"),
        (b"<p>Some</p>", "html"),
        (b"PAR1\x15\x04", "parquet"),
        (b"id,text,date\n1,x,y\n", "csv"),
        (b'"id";"text"\n', "csv"),
        (b"id\ttext\n", "tsv"),
        (b"\xef\xbb\xbfid,text\n", "csv"),
    ],
)
def test_content_tells_the_format(data: bytes, wanted: str) -> None:
    assert sniff(data) == wanted


def test_names_win_over_content_and_content_over_media_type() -> None:
    assert recognise("a.txt", None, b"<html>") == "text"
    assert recognise("page", "text/html", b"Some words") == "html"
    assert recognise("page", "text/html", b'{"text": "x"}') == "jsonl"
    assert recognise("a.xml", None, b"<rss>") == "feed"


GERMAN = (
    "Der Minister sagte am Montag, dass die Gespräche in der Hauptstadt stattgefunden haben "
    "und fortgesetzt werden. Es ist nicht klar, wann sie sich treffen, aber beide Seiten sind bereit."
)
RUSSIAN = "Министр заявил в понедельник, что переговоры прошли в столице и будут продолжены."


def test_other_languages_are_skipped_and_can_be_had(tmp_path: Path) -> None:
    paths = [
        write(tmp_path / name, text)
        for name, text in (("de.txt", GERMAN), ("en.txt", ENGLISH), ("ru.txt", RUSSIAN))
    ]
    found = list(read(map(str, paths)))
    assert [type(item) for item in found] == [Skipped, Document, Skipped]
    assert "not English (de)" in str(found[0])
    assert "not English (Cyrillic script)" in str(found[2])
    assert all(isinstance(item, Document) for item in read(map(str, paths), ReadOptions(any_language=True)))


@pytest.mark.parametrize("text", ["Kyiv – Kharkiv – Odesa", "Zelensky, Putin, Macron", "", "Shoigu: «Нет»"])
def test_short_texts_and_names_are_taken_for_english(text: str) -> None:
    assert not_english(text) is None


def test_seeds_are_english() -> None:
    from stance import seeds

    assert [not_english(document.text) for document in seeds.documents()] == [None] * 5


def test_the_tag_decides_only_where_words_do_not() -> None:
    names = " ".join(["Pokrovsk Kupiansk Avdiivka Bakhmut Lyman"] * 8)
    assert not_english(names, "uk") == "uk"
    assert not_english(names, "en-GB") is None
    assert not_english(ENGLISH, "uk") is None
    assert not_english(GERMAN, "en") == "de"


def test_standard_input_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    class Stdin:
        buffer = io.BytesIO(b'{"text": "One."}\n')

    monkeypatch.setattr(sys, "stdin", Stdin())
    assert only_document("-").name == "stdin:1"


def test_closed_standard_input_is_a_fault(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    assert only_fault("-").place == "stdin"
