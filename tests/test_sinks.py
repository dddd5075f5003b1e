"""Writing: CSV that no spreadsheet executes, Parquet and DocBin that hold everything, inert text."""

from __future__ import annotations

import csv
import io
import json
import unicodedata
from pathlib import Path
from typing import Any

import click
import pytest
from fake_classifier import FakeClassifier
from hypothesis import given
from hypothesis import strategies as st

from stance.document import Document, Sentence
from stance.errors import StanceError
from stance.sinks import SinkOptions, convert, open_sink
from stance.sinks.csv import COLUMNS
from stance.sinks.files import Checkpoint, OutputFile, chained, is_complete
from stance.sinks.inert import cell, one_line, visible
from stance.sinks.story import story
from stance.sinks.text import Paint, cells, cut, wrapped

TEXT = "The orcs came.\n\n“The junta fell,” he said.\nThey should go.\nThey are not orcs.\nRain 🌧 fell.\n"


def records(text: str = TEXT, name: str | None = "a.txt", **meta: str) -> list[dict[str, Any]]:
    return [verdict.to_dict() for verdict in FakeClassifier().classify(Document(text, name, meta))]


def written(form: str, *groups: list[dict[str, Any]], **options: Any) -> bytes:
    stream = io.BytesIO()
    sink = open_sink(form, stream, SinkOptions(**options))
    for group in groups:
        sink.write(group)
    sink.finish()
    return stream.getvalue()


def jsonl(path: Path, *groups: list[dict[str, Any]]) -> str:
    path.write_bytes(written("jsonl", *groups))
    return str(path)


# -- inert text -----------------------------------------------------------------------------------------


@given(st.text())
def test_nothing_visible_acts(text: str) -> None:
    shown = visible(text)
    for character in shown:
        assert unicodedata.category(character) not in ("Cc", "Cs", "Zl", "Zp")
        assert (
            character not in "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069\u200e\u200f\u061c\ufeff"
        )
    assert "\n" not in one_line(text)


@given(st.text(st.characters(codec="utf-8", categories=("L", "M", "N", "P", "S", "Zs")), max_size=50))
def test_ordinary_text_stays(text: str) -> None:
    if not any(0xFE00 <= ord(c) <= 0xFE0F or c in "\u115f\u1160\u3164\uffa0\U000e0100" for c in text):
        kept = "".join(c for c in text if not 0xE0000 <= ord(c) <= 0xE0FFF)
        assert visible(kept) == kept


@pytest.mark.parametrize(
    "text",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", " =1", "\r\n=1", '"=1', "＝1", "'=1", "\u200b=1", "\u00a0=1"],
)
def test_formulas_are_neutralised(text: str) -> None:
    shown = cell(text)
    assert shown.startswith(("'", "\\")), shown


def test_cells_of_plain_text_stay() -> None:
    for text in ("The minister", "“Quoted”", "1 = 1", "a\nb", ""):
        assert cell(text) == text


# -- CSV ------------------------------------------------------------------------------------------------


def test_csv_reads_back(tmp_path: Path) -> None:
    data = written("csv", records(title='=cmd|"/c calc"!A1', outlet="O, P\n"), records("Rain.\n", "b.txt"))
    rows = list(csv.DictReader(io.StringIO(data.decode(), newline="")))
    assert list(rows[0]) == list(COLUMNS)
    assert len(rows) == 6
    assert rows[0]["title"] == '\'=cmd|"/c calc"!A1'
    assert rows[1]["text"] == "“The junta fell,” he said."
    assert (rows[1]["speaker"], rows[1]["speaker_side"], rows[1]["rules"], rows[1]["words"]) == (
        "Peskov",
        "moscow",
        "rule-junta",
        "junta",
    )
    assert rows[3]["rules"] == ""
    assert float(rows[0]["p_pro_kyiv"]) == 0.7
    assert rows[5]["document"] == "b.txt"


def test_csv_mark_and_continuation() -> None:
    assert written("csv", records(), bom=True).startswith(b"\xef\xbb\xbfdocument,")
    assert b"document," not in written("csv", records(), bom=True, fresh=False)


@given(st.text(max_size=80), st.text(max_size=30))
def test_csv_is_whole_whatever_the_text(text: str, title: str) -> None:
    rows = records(f"x{text}", title=title)
    data = written("csv", rows)
    read = list(csv.reader(io.StringIO(data.decode(), newline="")))
    assert len(read) == len(rows) + 1
    assert {len(row) for row in read} == {len(COLUMNS)}
    for row in read[1:]:
        for value in row:
            assert value[:1] not in tuple("=+@\t\r")


# -- JSONL ----------------------------------------------------------------------------------------------


def test_jsonl_is_one_object_a_line_in_utf_8() -> None:
    rows = records("Rain \u2028 fell\x85 here \U0001f327.\n")
    lines = written("jsonl", rows).decode().split("\n")
    assert [json.loads(line) for line in lines[:-1]] == rows
    assert lines[-1] == ""
    assert "\U0001f327" in lines[0]
    assert written("jsonl", rows, ascii_json=True).isascii()


# -- converted formats ----------------------------------------------------------------------------------


def single(number: int) -> dict[str, Any]:
    sentence = Sentence("The orcs came.", 0, 14, id=str(number))
    return {**next(FakeClassifier().classify_sentences([sentence])).to_dict(), "id": number}


def test_parquet_holds_every_field(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra stance[parquet]")
    import pyarrow.parquet as pq

    rows = records(title="T")
    target = tmp_path / "out.parquet"
    convert("parquet", jsonl(tmp_path / "a.jsonl", rows, [single(7)]), str(target))
    table = pq.read_table(target).to_pylist()
    assert len(table) == len(rows) + 1
    for given_row, row in zip(rows, table, strict=False):
        meta = {name: value for name, value in row.pop("meta").items() if value is not None}
        assert row.pop("id") is None
        assert {**row, "meta": meta} == given_row
    assert table[-1]["id"] == "7"


def test_parquet_of_nothing_is_a_table(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow", reason="needs the extra stance[parquet]")
    import pyarrow.parquet as pq

    convert("parquet", jsonl(tmp_path / "a.jsonl"), str(tmp_path / "out.parquet"))
    assert pq.read_table(tmp_path / "out.parquet").num_rows == 0


def test_docbin_holds_documents_spans_and_records(tmp_path: Path) -> None:
    spacy = pytest.importorskip("spacy")
    from spacy.tokens import DocBin

    first, second = records(), records("Rain fell.\n", "b.txt")
    target = tmp_path / "out.spacy"
    convert(
        "docbin", jsonl(tmp_path / "a.jsonl", first, first, second, [single(1)], [single(2)]), str(target)
    )
    docs = list(DocBin().from_disk(target).get_docs(spacy.blank("en").vocab))
    assert [len(json.loads(doc.user_data["stance"])) for doc in docs] == [5, 5, 1, 1, 1]
    assert json.loads(docs[0].user_data["stance"]) == first
    for record, span in zip(first, docs[0].spans["stance"], strict=True):
        assert (span.text, span.label_) == (record["text"], record["label"])
        assert docs[0].text[record["start"] : record["end"]] == record["text"]


# -- output files ---------------------------------------------------------------------------------------


def test_an_output_appears_only_when_finished(tmp_path: Path) -> None:
    target = tmp_path / "out"
    output = OutputFile(target, "job")
    output.stream.write(b"one\n")
    assert not target.exists()
    assert not is_complete(target)
    output.finish()
    assert target.read_bytes() == b"one\n"
    assert is_complete(target)
    assert list(tmp_path.iterdir()) == [target]


def test_a_second_writer_is_refused(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="needs POSIX locks")
    first = OutputFile(tmp_path / "out", "job")
    with pytest.raises(StanceError, match="another process is writing it"):
        OutputFile(tmp_path / "out", "job")
    first.finish()
    OutputFile(tmp_path / "out", "job").abandon()


def test_a_torn_journal_is_read_up_to_the_tear(tmp_path: Path) -> None:
    output = OutputFile(tmp_path / "out", "job", interval=0)
    chain = ""
    for number in range(3):
        output.stream.write(b"line\n")
        chain = chained(chain, None, str(number))
        output.done(chain)
    output.abandon()
    journal = tmp_path / ".out.partial.journal"
    whole = journal.read_bytes()
    lines = whole.splitlines(keepends=True)
    for size in range(len(whole)):
        journal.write_bytes(whole[:size])
        done = sum(len(b"".join(lines[: n + 1]).rstrip(b"\n")) <= size for n in range(len(lines)))
        (tmp_path / ".out.partial").write_bytes(b"line\n" * 3 + b"torn")
        again = OutputFile(tmp_path / "out", "job", resume=True)
        assert again.start.inputs == max(0, done - 2)
        assert (tmp_path / ".out.partial").stat().st_size == 5 * again.start.inputs
        again.abandon()


def test_a_shorter_partial_than_the_journal_says_starts_anew(tmp_path: Path) -> None:
    output = OutputFile(tmp_path / "out", "job", interval=0)
    output.stream.write(b"line\n")
    output.done("x")
    output.abandon()
    (tmp_path / ".out.partial").write_bytes(b"li")
    again = OutputFile(tmp_path / "out", "job", resume=True)
    assert again.start == Checkpoint()
    again.finish()
    assert (tmp_path / "out").read_bytes() == b""


@pytest.mark.parametrize("interval", [0, 60])
def test_an_input_written_in_part_is_written_again(tmp_path: Path, interval: int) -> None:
    output = OutputFile(tmp_path / "out", "job", interval=interval)
    output.stream.write(b"first\n")
    output.done("x")
    output.stream.write(b"sec")  # the disk is full, or Ctrl-C comes
    output.abandon()
    again = OutputFile(tmp_path / "out", "job", resume=True)
    assert again.start == Checkpoint(1, 6, "x")
    again.stream.write(b"second\n")
    again.finish()
    assert (tmp_path / "out").read_bytes() == b"first\nsecond\n"


def test_links_are_followed(tmp_path: Path) -> None:
    (tmp_path / "real").write_text("old")
    (tmp_path / "link").symlink_to(tmp_path / "real")
    output = OutputFile(tmp_path / "link", "job")
    output.stream.write(b"new")
    output.finish()
    assert (tmp_path / "link").is_symlink()
    assert (tmp_path / "real").read_text() == "new"


# -- text for people ------------------------------------------------------------------------------------


@given(st.text(max_size=200), st.integers(10, 60))
def test_lines_fit_and_no_word_is_lost(text: str, width: int) -> None:
    shown = one_line(text)
    lines = ["".join(piece for piece, _ in line) for line in wrapped([(shown, False)], width)]
    assert all(cells(line) <= width for line in lines)
    assert "".join("".join(lines).split()) == "".join(shown.split())


@given(st.text(max_size=60), st.lists(st.tuples(st.integers(0, 60), st.integers(0, 60)), max_size=5))
def test_cutting_keeps_the_text(text: str, spans: list[tuple[int, int]]) -> None:
    ordered = [(min(pair), max(pair)) for pair in spans]
    pieces = cut(text, 0, ordered, brackets=False)
    assert "".join("".join(piece for piece, _ in pieces).split()) == "".join(one_line(text).split())


@given(st.text(max_size=100), st.integers(30, 120), st.booleans())
def test_text_and_story_never_fail_and_never_act(text: str, width: int, color: bool) -> None:
    rows = records(f"The orcs {text} came.\n“The junta {text}”\n", name=text, title=text, author=text)
    data = written("text", rows, width=width, color=color).decode()
    bare = click.unstyle(data)
    assert not any(
        character in bare.replace("\n", "") for character in map(chr, [*range(32), *range(127, 160)])
    )
    for line in story(rows[0], Paint(color), width):
        assert not any(character in click.unstyle(line) for character in map(chr, range(32)))


def test_lines_stay_within_the_width() -> None:
    rows = records(
        "The orcs came and they should have gone. " * 10 + "\n“The junta fell,” he said.\n", title="T " * 99
    )
    for width in (40, 60, 80, 120, 200):
        lines = written("text", rows, width=width).decode().splitlines()
        assert max(map(cells, lines[:-3])) <= width


def test_abstained_sentences_are_not_counted() -> None:
    rows = [verdict.to_dict() for verdict in FakeClassifier(abstain_below=0.9).classify(Document(TEXT, "a"))]
    data = written("text", rows).decode()
    assert "?" in data
    assert "report 0   pro-kyiv 0   pro-moscow 0   opinion 0" in data
