"""Lists of feeds: addresses, text files, OPML, files that are feeds."""

from __future__ import annotations

from pathlib import Path

import pytest

from stance.sources import Fault, ReadOptions
from stance.sources.feedlist import feeds

A, B = "https://example.org/a.xml", "http://example.org/b?x=1&y=2"


def found(*names: object) -> list[str | Fault]:
    return list(feeds([str(name) for name in names], ReadOptions(timeout=60.0)))


def write(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path


def test_addresses_each_once() -> None:
    assert found(A, B, A, "feed:https://example.org/a.xml", "feed://example.org/a.xml") == [A, B]


def test_a_text_file(tmp_path: Path) -> None:
    feed = write(tmp_path / "local.xml", "<rss version='2.0'><channel></channel></rss>")
    text = f"\ufeff# ours\n\n{A}  # the first\nnonsense\n  {B}\nlocal.xml\njavascript:alert(1)\n{A}\n"
    path = write(tmp_path / "list.txt", text)
    entries = found(path)
    assert [entry for entry in entries if isinstance(entry, str)] == [A, B, str(feed)]
    faults = [str(entry) for entry in entries if isinstance(entry, Fault)]
    assert faults[0] == (
        f"{path}:4: 'nonsense' is neither a web address nor a file; correct it or leave it out"
    )
    assert faults[1].startswith(f"{path}:7: 'javascript:alert(1)' is neither")
    assert len(faults) == 2


def test_opml(tmp_path: Path) -> None:
    pytest.importorskip("lxml", reason="needs the extra stance[feeds]")
    text = f"""<?xml version="1.0"?><!DOCTYPE opml [<!ENTITY x SYSTEM "file:///etc/hostname">]>
    <opml version="2.0"><head><title>Feeds</title></head><body>
    <outline text="Group"><outline type="rss" text="A" xmlUrl="{A}"/>
    <outline text="B" XMLURL="{B.replace("&", "&amp;")}"/></outline>
    <outline text="bad" xmlUrl="ftp://example.org/"/><outline text="no feed"/></body></opml>"""
    path = write(tmp_path / "feeds.opml", text)
    first, second, fault = found(path)
    assert (first, second) == (A, B)
    assert "feeds.opml:3: 'ftp://example.org/' is neither a web address" in str(fault)


def test_a_file_that_is_a_feed(tmp_path: Path) -> None:
    rss = write(tmp_path / "news.xml", "<?xml version='1.0'?><rss version='2.0'><channel></channel></rss>")
    json_feed = write(tmp_path / "news.json", '{"version": "https://jsonfeed.org/version/1.1", "items": []}')
    assert found(rss, json_feed) == [str(rss), str(json_feed)]


def test_bad_lists_are_named(tmp_path: Path) -> None:
    empty = write(tmp_path / "empty.txt", "# nothing\n")
    broken = write(tmp_path / "broken.opml", "<opml")
    binary = tmp_path / "list.gz"
    binary.write_bytes(b"\x1f\x8bnonsense")
    entries = found(tmp_path / "none.txt", empty, broken, binary, tmp_path)
    messages = [str(entry) for entry in entries]
    assert all(isinstance(entry, Fault) for entry in entries), messages
    assert "no such file" in messages[0]
    assert "lists no feeds" in messages[1]
    assert "broken.opml" in messages[2]
    assert "damaged gzip" in messages[3]
    assert "a directory" in messages[4]


def test_a_hostile_list_is_given_up(tmp_path: Path) -> None:
    pytest.importorskip("lxml", reason="needs the extra stance[feeds]")
    entities = "".join(f'<!ENTITY e{n} "{f"&e{n - 1};" * 10}">' for n in range(1, 10))
    text = f"""<!DOCTYPE opml [<!ENTITY e0 "http://example.org/">{entities}]>
    <opml><outline xmlUrl="&e9;"/></opml>"""
    entries = found(write(tmp_path / "bomb.opml", text), A)
    assert entries[-1] == A
    assert all(isinstance(entry, Fault) and len(str(entry)) < 1000 for entry in entries[:-1])
