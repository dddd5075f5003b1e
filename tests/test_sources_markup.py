"""Pages, feeds, tables and Parquet: what is read of them, and that hostile ones are given up."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from stance.document import Document
from stance.sources import Fault, Item, ReadOptions, Single, child, read

FEEDS_MISSING = "needs the extra stance[feeds]"
PAGE = """<!doctype html><html lang="en-GB"><head><title>The Talks | The Site</title>
<meta property="og:site_name" content="The Site"><meta name="author" content="Ann Writer">
<meta property="article:published_time" content="2024-05-01T10:00:00Z">
<link rel="canonical" href="https://example.org/talks"><script>var menu = "no";</script></head><body>
<nav><a href="/">Home</a> <a href="/war">War</a></nav><article><h1>The Talks</h1>
<p>The minister said on Monday that the talks had been held &amp; that they would go on in the capital.</p>
<script>track("no")</script><p>A second paragraph followed with many words about “the same” event.</p>
</article>
<footer>Cookies</footer></body></html>"""
RSS = """<?xml version="1.0"?><rss version="2.0"><channel><title>The Feed</title><language>en-us</language>
<item><title>Talks &amp;amp; more</title><link>https://example.org/1</link><guid>g1</guid>
<pubDate>Mon, 01 Jan 2024 10:00:00 GMT</pubDate><author>A. Writer</author>
<description><![CDATA[<p>Talks were <b>held</b>.</p><script>no()</script>
<style>no{}</style><p>They go<br>on.</p>]]></description>
</item>
<item><description>No title, no guid, no date.</description><pubDate>the other day</pubDate></item>
<item><link>javascript:alert(1)</link><title>Bad link</title></item>
<item></item></channel></rss>"""
ATOM = """<?xml version="1.0" encoding="utf-8"?><feed xmlns="http://www.w3.org/2005/Atom" xml:lang="en">
<title>The Feed</title><entry><title>Talks</title><id>urn:1</id><link href="https://example.org/1"/>
<updated>2024-01-01T10:00:00Z</updated><author><name>A. Writer</name></author>
<content type="html">&lt;p&gt;Talks were held.&lt;/p&gt;</content></entry></feed>"""
JSON_FEED = json.dumps(
    {
        "version": "https://jsonfeed.org/version/1.1",
        "title": "The Feed",
        "language": "en",
        "items": [
            {
                "id": "1",
                "url": "https://example.org/1",
                "title": "Talks",
                "content_html": "<p>Talks were held.</p>",
                "date_published": "2024-01-01T10:00:00Z",
                "authors": [{"name": "A. Writer"}],
            }
        ],
    }
)


@pytest.fixture(autouse=True, scope="module")
def one_child() -> Iterator[None]:
    yield
    child.CHILD.close()


def items(path: Path, **options: Any) -> list[Item]:
    return list(read([str(path)], ReadOptions(**{"timeout": 120.0, **options})))


def write(path: Path, data: bytes | str) -> Path:
    path.write_bytes(data if isinstance(data, bytes) else data.encode())
    return path


# -- tables ---------------------------------------------------------------------------------------------


def test_csv_rows_are_documents(tmp_path: Path) -> None:
    data = 'id,text,title,date\n1,"One, with ""marks"".\nTwo.",T,2024-01-01\n\n2,Three.,,\n'
    found = items(write(tmp_path / "a.csv", data))
    one, three = [item for item in found if isinstance(item, Document)]
    assert (one.name, one.text) == ("1", 'One, with "marks".\nTwo.')
    assert dict(one.meta) == {"title": "T", "time": "2024-01-01"}
    assert (three.name, dict(three.meta)) == ("2", {})
    assert len(found) == 2


@pytest.mark.parametrize(("name", "cut"), [("a.csv", ";"), ("a.tsv", "\t"), ("a.tab", "\t"), ("a.csv", ",")])
def test_delimiters(tmp_path: Path, name: str, cut: str) -> None:
    path = write(tmp_path / name, f"id{cut}text\n1{cut}One.\n")
    assert [item.text for item in items(path) if isinstance(item, Document)] == ["One."]


def test_columns_by_name(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "nr,body,head\n7,One.,T\n")
    (document,) = items(path, columns={"text": "body", "id": "nr", "title": "head"})
    assert isinstance(document, Document)
    assert (document.name, document.text, dict(document.meta)) == ("7", "One.", {"title": "T"})


def test_a_table_without_its_columns_is_one_fault(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "nr,body\n7,One.\n8,Two.\n")
    (fault,) = items(path)
    assert "has no column 'text' (it has nr, body)" in str(fault)
    (fault,) = items(path, columns={"text": "body", "title": "head"})
    assert "has no column 'head'" in str(fault)


def test_broken_rows_are_named_by_line(tmp_path: Path) -> None:
    data = b'id,text\n1,One.\n2,Two,and,more\n3\n4,"Four\nlines."\n5,F\xffve.\n6,"Six'
    found = items(write(tmp_path / "a.csv", data))
    assert [item.text for item in found if isinstance(item, Document)] == [
        "One.",
        "Four\nlines.",
        "F\ufffdve.",
        "Six",
    ]
    assert [item.place.rpartition(":")[2] for item in found if isinstance(item, Fault)] == ["3", "4", "7"]


def test_an_endless_cell_is_a_fault(tmp_path: Path) -> None:
    data = 'id,text\n1,One.\n2,"' + "word " * 1000
    one, fault = items(write(tmp_path / "a.csv", data), max_line=2000)
    assert isinstance(one, Document)
    assert isinstance(fault, Fault)
    assert fault.place.endswith(":3")


def test_sentences_from_a_table_keep_their_ids(tmp_path: Path) -> None:
    path = write(tmp_path / "a.csv", "id,text,prev\nx,One. Two.,Zero.\ny,,\n")
    found = items(path, unit="sentence")
    assert [
        (item.id, item.sentence.text, item.sentence.prev) for item in found if isinstance(item, Single)
    ] == [
        ("x", "One. Two.", "Zero."),
        ("y", "", None),
    ]


def test_csv_in_utf_16_and_gzip(tmp_path: Path) -> None:
    data = gzip.compress("id\ttext\n1\t“One”.\n".encode("utf-16"))
    (document,) = items(write(tmp_path / "a.tsv.gz", data))
    assert isinstance(document, Document)
    assert document.text == "“One”."


def test_parquet(tmp_path: Path) -> None:
    pa = pytest.importorskip("pyarrow", reason="needs the extra stance[parquet]")
    import pyarrow.parquet as pq

    table = pa.table(
        {"id": [1, 2, 3], "text": ["One.", None, "Three."], "title": ["T", "U", None], "x": [1, 2, 3]}
    )
    pq.write_table(table, tmp_path / "a.parquet")
    one, fault, three = items(tmp_path / "a.parquet")
    assert isinstance(one, Document)
    assert isinstance(three, Document)
    assert (one.name, one.text, dict(one.meta)) == ("1", "One.", {"title": "T"})
    assert str(fault).endswith("a.parquet[1]: 'text' is null, not a string; give the text as a string")
    data = (tmp_path / "a.parquet").read_bytes()
    (found,) = items(write(tmp_path / "cut.parquet", data[:-20]))
    assert "not readable as Parquet" in str(found)
    (document, *_) = items(write(tmp_path / "packed", gzip.compress(data)))
    assert isinstance(document, Document)


# -- pages ----------------------------------------------------------------------------------------------


def test_a_page_gives_its_article_and_meta(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura", reason=FEEDS_MISSING)
    (document,) = items(write(tmp_path / "a.html", PAGE))
    assert isinstance(document, Document)
    assert document.text.split("\n\n") == [
        "The Talks",
        "The minister said on Monday that the talks had been held & that they would go on in the capital.",
        "A second paragraph followed with many words about “the same” event.",
    ]
    assert dict(document.meta) == {
        "title": "The Talks",
        "outlet": "The Site",
        "author": "Ann Writer",
        "time": "2024-05-01",
        "link": "https://example.org/talks",
        "language": "en-GB",
    }


@pytest.mark.parametrize("encoding", ["cp1252", "utf-16", "utf-8-sig"])
def test_pages_in_other_encodings(tmp_path: Path, encoding: str) -> None:
    pytest.importorskip("trafilatura", reason=FEEDS_MISSING)
    (document,) = items(write(tmp_path / "a.html", PAGE.encode(encoding)))
    assert isinstance(document, Document)
    assert "“the same”" in document.text


def test_a_page_says_its_encoding(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura", reason=FEEDS_MISSING)
    page = PAGE.replace("<head>", '<head><meta charset="koi8-r">').replace("Monday", "Понедельник")
    page = page.replace("“the same”", "the same")
    (document,) = items(write(tmp_path / "a.html", page.encode("koi8-r")))
    assert isinstance(document, Document)
    assert "Понедельник" in document.text


def test_a_page_without_article_is_a_fault(tmp_path: Path) -> None:
    pytest.importorskip("trafilatura", reason=FEEDS_MISSING)
    (fault,) = items(write(tmp_path / "a.html", "<html><body><script>x()</script></body></html>"))
    assert "holds no article text" in str(fault)


# -- feeds ----------------------------------------------------------------------------------------------


def test_rss(tmp_path: Path) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    one, two, three, fault = items(write(tmp_path / "feed.xml", RSS))
    assert isinstance(one, Document)
    assert one.text == "Talks & more\n\nTalks were held.\n\nThey go\non."
    assert one.name == "https://example.org/1"
    assert dict(one.meta) == {
        "title": "Talks & more",
        "outlet": "The Feed",
        "author": "A. Writer",
        "time": "2024-01-01T10:00:00+00:00",
        "link": "https://example.org/1",
        "language": "en-us",
    }
    assert isinstance(two, Document)
    assert (two.text, two.name) == ("No title, no guid, no date.", f"{tmp_path}/feed.xml#2")
    assert "time" not in two.meta
    assert isinstance(three, Document)
    assert "link" not in three.meta
    assert isinstance(fault, Fault)
    assert fault.place.endswith("feed.xml#4")


@pytest.mark.parametrize(
    ("name", "data"), [("a.atom", ATOM), ("a.xml", ATOM), ("a.json", JSON_FEED), ("feed", JSON_FEED)]
)
def test_atom_and_json_feeds(tmp_path: Path, name: str, data: str) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    (document,) = items(write(tmp_path / name, data))
    assert isinstance(document, Document)
    assert document.text == "Talks\n\nTalks were held."
    assert dict(document.meta) == {
        "title": "Talks",
        "outlet": "The Feed",
        "author": "A. Writer",
        "time": "2024-01-01T10:00:00+00:00",
        "link": "https://example.org/1",
        "language": "en",
    }


def test_an_empty_feed_and_a_feed_that_is_none(tmp_path: Path) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    empty = '<?xml version="1.0"?><rss version="2.0"><channel><title>x</title></channel></rss>'
    assert "holds no items" in str(items(write(tmp_path / "a.rss", empty))[0])
    assert "not a feed" in str(items(write(tmp_path / "b.rss", "<html><body>Not found</body></html>"))[0])
    assert "not a feed" in str(items(write(tmp_path / "c.rss", "nothing of the kind"))[0])


# -- hostile markup -------------------------------------------------------------------------------------


def bomb() -> str:
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    head = f'<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY e0 "lol">{entities}]>'
    return (
        f"{head}<rss version='2.0'><channel><title>x</title><item><title>&e9;</title></item></channel></rss>"
    )


HOSTILE = {
    "entity-bomb.rss": bomb(),
    "external-entity.rss": '<?xml version="1.0"?><!DOCTYPE rss [<!ENTITY x SYSTEM "file:///etc/hostname">]>'
    "<rss version='2.0'><channel><item><title>a&x;b</title></item></channel></rss>",
    "attributes.html": "<html><body><p "
    + " ".join(f"a{n}='x'" for n in range(200_000))
    + ">Text</p></body></html>",
    "deep.html": "<html><body>" + "<div>" * 50_000 + "text" + "</div>" * 50_000,
    "deep.rss": "<rss>" + "<a>" * 50_000 + "</a>" * 50_000 + "</rss>",
    "open.html": "<html><body>" + "<p" * 200_000,
    "comments.html": "<html><body>" + "<!--" * 200_000,
    "description.rss": "<rss version='2.0'><channel><item><description>"
    + "&lt;b " * 100_000
    + "</description></item></channel></rss>",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_markup_is_given_up_and_the_next_input_is_read(tmp_path: Path, name: str) -> None:
    pytest.importorskip("trafilatura", reason=FEEDS_MISSING)
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    bad = write(tmp_path / name, HOSTILE[name])
    good = write(tmp_path / "good.rss", RSS)
    found = list(read([str(bad)], ReadOptions(timeout=3.0)))
    after = list(read([str(good)], ReadOptions(timeout=120.0)))  # a machine may be busy
    assert sum(isinstance(item, Document) for item in after) == 3
    for item in found:
        if isinstance(item, Document):  # some parsers shrug such input off; what they give must be small
            assert len(item.text) < 100_000
            assert "lollol" not in item.text


def test_nothing_outside_the_feed_is_read(tmp_path: Path) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    secret = write(tmp_path / "secret.txt", "SECRET")
    feed = HOSTILE["external-entity.rss"].replace("/etc/hostname", str(secret))
    for item in items(write(tmp_path / "a.rss", feed)):
        assert not isinstance(item, Document) or "SECRET" not in item.text


def test_too_large_a_page_is_not_parsed(tmp_path: Path) -> None:
    path = write(tmp_path / "a.html", "<html>" + "<p>word</p>" * 500_000)
    (fault,) = items(path)
    assert "larger than 4 MB" in str(fault)


def test_a_child_that_hangs_is_killed_and_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    hanging = child.Child()
    code = (
        "from stance.sources import worker; import time; worker.TASKS = {'hang': lambda b: time.sleep(600), "
    )
    code += "'ok': lambda b: b.decode()}; worker.serve()"
    boot = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); {code}"
    monkeypatch.setattr(child, "_BOOT", boot)
    try:
        assert hanging.call("ok", b"a", timeout=60) == "a"
        first = hanging._process
        assert first is not None
        with pytest.raises(child.ChildError, match=r"within 0\.2 s and was given up"):
            hanging.call("hang", b"", timeout=0.2)
        assert first.poll() is not None
        assert hanging.call("ok", b"b", timeout=60) == "b"
    finally:
        hanging.close()


def test_a_child_that_dies_is_replaced(monkeypatch: pytest.MonkeyPatch) -> None:
    dying = child.Child()
    code = "from stance.sources import worker; import os; worker.TASKS = {'die': lambda b: os._exit(1), "
    code += "'ok': lambda b: b.decode()}; worker.serve()"
    boot = f"import json, sys; sys.path[:] = json.loads(sys.argv[1]); {code}"
    monkeypatch.setattr(child, "_BOOT", boot)
    try:
        with pytest.raises(child.ChildError, match="broke the parser"):
            dying.call("die", b"", timeout=60)
        assert dying.call("ok", b"b", timeout=60) == "b"
    finally:
        dying.close()


# -- feeds that break the rules -------------------------------------------------------------------------


def one_item(title: str = "Café “talks”", date: str = "", declared: str = "utf-8") -> str:
    return (
        f'<?xml version="1.0" encoding="{declared}"?><rss version="2.0"><channel><title>F</title><item>'
        f"<title>{title}</title><guid>5</guid><pubDate>{date}</pubDate></item></channel></rss>"
    )


@pytest.mark.parametrize(
    ("written", "declared"),
    [
        ("cp1252", "utf-8"),
        ("cp1252", "iso-8859-1"),
        ("cp1252", "windows-1252"),
        ("utf-8", "iso-8859-1"),
        ("utf-8", "klingon"),
        ("utf-8-sig", "utf-8"),
        ("utf-16", "utf-8"),
    ],
)
def test_feeds_with_wrong_encodings_are_read(tmp_path: Path, written: str, declared: str) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    (document,) = items(write(tmp_path / "a.rss", one_item(declared=declared).encode(written)))
    assert isinstance(document, Document)
    assert document.text == "Café “talks”"


@pytest.mark.parametrize(
    ("date", "expected"),
    [
        ("Mon, 01 Jan 2024 10:00:00 GMT", "2024-01-01T10:00:00+00:00"),
        ("2024-01-01", "2024-01-01T00:00:00+00:00"),
        ("January 1, 2024 10:00", "2024-01-01T10:00:00+00:00"),
        ("Mon, 01 Jan 2024 10:00:00 XYZ", "2024-01-01T10:00:00+00:00"),
        ("", None),
        ("yesterday", None),
        ("10:00", None),
        ("Jan 5", None),
        ("-1", None),
        ("2024-13-45", None),
        ("0000-00-00", None),
        ("2024-02-30T10:00:00Z", None),
        ("Mon, 99 Jan 2024 99:99:99 GMT", None),
        ("x" * 100_000, None),
    ],
)
def test_dates_are_read_or_left_out_never_made_up(tmp_path: Path, date: str, expected: str | None) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    (document,) = items(write(tmp_path / "a.rss", one_item(date=date)))
    assert isinstance(document, Document)
    assert document.meta.get("time") == expected


def test_one_broken_item_of_a_json_feed_is_counted_and_the_rest_read(tmp_path: Path) -> None:
    pytest.importorskip("fastfeedparser", reason=FEEDS_MISSING)
    feed = json.loads(JSON_FEED)
    odd = {"id": {"a": 1}, "title": ["q"], "content_text": "Fine.", "authors": ["x"], "date_published": [1]}
    feed["items"] += [[], "x", None, odd, {"id": 7, "content_text": "a\x00\x1b[31m b"}]
    feed |= {"title": None, "authors": "x", "language": 3}
    first, second, third, fault = items(write(tmp_path / "a.json", json.dumps(feed)))
    assert isinstance(first, Document)
    assert isinstance(second, Document)
    assert (first.meta["author"], second.text) == ("A. Writer", "Fine.")
    assert isinstance(third, Document)
    assert third.name == "7"
    assert "3 of its items are no objects" in str(fault)
