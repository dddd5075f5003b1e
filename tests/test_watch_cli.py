"""``stance watch`` as a user runs it: lines, exit codes, signals, kills."""

from __future__ import annotations

import importlib.util
import json
import os
import random
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest

pytest.importorskip("urllib3", reason="needs the extra stance[feeds]")
pytest.importorskip("fastfeedparser", reason="needs the extra stance[feeds]")

from click.testing import CliRunner, Result
from fake_classifier import FakeClassifier
from local_server import Handler, Server, item, numbered, serving

import stance
from stance.cli import cli, loading
from stance.schema import record_schema
from stance.sources import child

SLOW_MAIN = (
    "import sys, time; sys.path[:0] = {paths!r}\n"
    "from fake_classifier import FakeClassifier\n"
    "from stance.cli import loading, main\n"
    "stream = FakeClassifier.stream\n"
    "def slowly(self, documents):\n"
    "    for analysis in stream(self, documents): time.sleep({seconds}); yield analysis\n"
    "FakeClassifier.stream = slowly\n"
    "loading.classifier = lambda engine, abstain_below=0.0, **kw: FakeClassifier(abstain_below)\n"
    "from stance.monitor import watcher; watcher.BATCH_CHARACTERS = 300\n"
    "main()\n"
)
# Everything but the times at which something was done.
ROWS = (
    "SELECT id, url, title, etag, last_modified, failures, fault FROM feeds ORDER BY id",
    "SELECT id, feed_id, guid, address, digest, name, title, outlet, time, link, text, source, state, note, "
    "copy_of, similarity, version_id FROM items ORDER BY id",
    'SELECT id, item_id, start, "end", text FROM sentences ORDER BY id',
    "SELECT id, sentence_id, version_id, position, label, own_label, frame, opinion, voice, speaker, "
    "speaker_side, abstained, reason, probabilities, evidence FROM verdicts ORDER BY id",
    "SELECT hash, item_id FROM sketches ORDER BY hash, item_id",
)


@pytest.fixture(autouse=True, scope="module")
def one_child() -> Iterator[None]:
    yield
    child.CHILD.close()


@pytest.fixture(scope="module")
def running() -> Iterator[Server]:
    with serving() as server:
        yield server


@pytest.fixture
def server(running: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Server:
    running.answers.clear()
    running.asked.clear()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "no-config"))
    for name in list(os.environ):
        if name.startswith("STANCE_"):
            monkeypatch.delenv(name)
    monkeypatch.setattr(loading, "classifier", lambda engine, **_: FakeClassifier())
    return running


def watch(*args: object) -> Result:
    words = ["watch", "--once", "--allow-private", "--pause", "0", "--timeout", "60", *map(str, args)]
    return CliRunner().invoke(cli, words, prog_name="stance")


def process(*args: object, seconds: float = 0.0) -> subprocess.Popen[bytes]:
    paths = [str(Path(__file__).parent), str(Path(stance.__file__).parent.parent)]
    code = SLOW_MAIN.format(paths=paths, seconds=seconds)
    words = ["watch", "--allow-private", "--pause", "0", "--timeout", "60", *map(str, args)]
    return subprocess.Popen(
        [sys.executable, "-c", code, *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        bufsize=0,  # what one call does not read, another still can
    )


def rows(path: Path) -> list[list[tuple[Any, ...]]]:
    with sqlite3.connect(path) as db:
        return [db.execute(query).fetchall() for query in ROWS]


def records(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_a_line_a_feed_and_the_records_if_asked(server: Server, tmp_path: Path) -> None:
    story = " ".join(f"the talks of day {number} were held and" for number in range(30))
    wire = [item(story, guid="w", link=f"https://{name}.example/w") for name in "ab"]
    urls = [server.feed("/a", numbered(1), wire[0]), server.feed("/b", wire[1])]
    result = watch(*urls, "--jsonl")
    assert result.exit_code == 0, result.stderr
    assert result.stderr.splitlines() == [
        f"{urls[0]}: 2 new, 5 sentences, 0 known",
        f"{urls[1]}: 1 new (1 copy), 1 sentence, 0 known",
        "3 new items with 6 sentences from 2 feeds",
    ]
    found = records(result.stdout)
    for record in found:
        jsonschema.Draft202012Validator(record_schema()).validate(record)
    assert len(found) == 5
    assert found[0]["meta"]["outlet"] == "The Feed"
    again = watch("--jsonl")
    assert (again.exit_code, again.stdout) == (0, "")
    assert again.stderr.splitlines()[0] == f"{urls[0]}: not modified"
    assert len(records(watch(*urls, "--jsonl", "--copies", "--store", "other.db").stdout)) == 6
    assert sorted(path.name for path in tmp_path.glob("*.db")) == ["monitor.db", "other.db"]


def test_feeds_from_a_list(server: Server, tmp_path: Path) -> None:
    url = server.feed("/a", numbered(1))
    (tmp_path / "list.txt").write_text(f"# ours\n{url}\nnonsense\n")
    (tmp_path / "list.opml").write_text(f'<opml><body><outline xmlUrl="{url}"/></body></opml>')
    result = watch("list.txt")
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        "list.txt:3: 'nonsense' is neither a web address nor a file; correct it or leave it out",
        f"{url}: 1 new, 4 sentences, 0 known",
    ]
    assert watch("list.opml").stderr == f"{url}: not modified\n"


def test_failures_are_named_and_make_the_exit_code_1(server: Server) -> None:
    good = server.feed("/good", numbered(1))
    server.answers["/bad"] = lambda handler: handler.give(b"", 429, Retry_After="3600")
    result = watch(f"{server.url}/bad", good)
    assert result.exit_code == 1
    bad, fine, _ = result.stderr.splitlines()
    assert bad.startswith(
        f"{server.url}/bad: the server answered 429 Too Many Requests; not asked again before 2"
    )
    assert fine == f"{good}: 1 new, 4 sentences, 0 known"
    result = watch()
    assert result.exit_code == 0
    assert "left alone until" in result.stderr
    assert server.paths().count("/bad") == 1


def test_wrong_use_and_wrong_stores(server: Server, tmp_path: Path) -> None:
    assert watch().exit_code == 2
    assert "there is no store monitor.db yet" in watch().stderr
    assert watch("http://127.0.0.1:1/", "--copies").exit_code == 2
    assert watch("nothing.txt").exit_code == 1
    assert watch("--relabel", "--store", "none.db").exit_code == 2
    (tmp_path / "text.db").write_text("This is no database but a text.\n" * 100)
    result = watch("http://127.0.0.1:1/", "--store", "text.db")
    assert (result.exit_code, "text.db: no store of `stance watch`" in result.stderr) == (1, True)
    result = watch("http://127.0.0.1:1/", "--store", "no/such/monitor.db")
    assert (result.exit_code, "its folder does not exist" in result.stderr) == (1, True)
    result = watch("http://127.0.0.1:1/", "--store", ".")
    assert result.exit_code in (1, 2)


@pytest.mark.parametrize(
    ("library", "options"), [("fastfeedparser", ()), ("trafilatura", ("--articles",))], ids=str
)
def test_a_missing_library_ends_it_and_blames_no_feed(
    server: Server, monkeypatch: pytest.MonkeyPatch, library: str, options: tuple[str, ...]
) -> None:
    url = server.feed("/a", numbered(1))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name, *more: None if name == library else find_spec(name, *more)
    )
    result = watch(url, *options)
    assert result.exit_code == 1
    assert f"needs {library}; pip install 'stance[feeds]'" in result.stderr
    assert server.paths() == []


def test_relabel_reads_no_feed(server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    from test_watch import Renewed

    url = server.feed("/a", numbered(1), numbered(2))
    watch(url)
    server.asked.clear()
    relabel = ["watch", "--relabel", "--jsonl"]
    assert CliRunner().invoke(cli, relabel).stderr == "nothing to label anew\n"
    monkeypatch.setattr(loading, "classifier", lambda engine, **_: Renewed())
    assert "2 items labelled by other rules or models; --relabel renews them" in watch().stderr
    result = CliRunner().invoke(cli, relabel)
    assert result.exit_code == 0
    assert result.stderr == ("2 items with 6 sentences labelled anew; the verdicts before are kept\n")
    assert {record["reason"] for record in records(result.stdout)} == {"new"}
    assert server.paths() == ["/a"]  # by the run in between
    assert "6 sentences" not in watch("--relabel").stderr


def test_hostile_names_are_inert(server: Server, tmp_path: Path) -> None:
    evil = "=2+2 \x1b]0;owned\x07 \u202eback"
    feed = {
        "version": "https://jsonfeed.org/version/1.1",
        "title": evil,
        "items": [{"id": evil, "title": evil, "content_text": f"Rain.\n{evil}"}, {"id": f"{evil}2"}],
    }
    server.answers["/a"] = lambda h: h.give(json.dumps(feed).encode(), Content_Type="application/feed+json")

    def hostile(handler: Handler) -> None:
        handler.send_response(500, "No\x1b[31m")
        handler.end_headers()

    server.answers["/b"] = hostile
    result = watch(f"{server.url}/a", f"{server.url}/b", "--jsonl")
    assert result.exit_code == 1
    for text in (result.stderr, str(rows(tmp_path / "monitor.db"))):
        assert not set(text) & set("\x1b\x07\u202e")
    (tmp_path / "new.jsonl").write_text(result.stdout)
    with sqlite3.connect(tmp_path / "monitor.db") as db:
        (tmp_path / "texts.jsonl").write_text(
            "".join(
                json.dumps({"text": text, "title": title}) + "\n"
                for text, title in db.execute("SELECT text, title FROM latest")
            )
        )
    table = CliRunner().invoke(cli, ["classify", "texts.jsonl", "--format", "csv"]).stdout
    assert "'=2+2" in table
    assert not set(table) & set("\x1b\x07\u202e")


def test_a_second_watcher_is_kept_out(server: Server, tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="locks need it")
    url = server.feed("/a", numbered(1))
    first = process(url, "--store", tmp_path / "monitor.db")
    assert first.stderr is not None
    try:
        assert b"1 new" in first.stderr.readline()
        result = watch(url)
        assert result.exit_code == 1
        assert "another process is writing it" in result.stderr
    finally:
        first.terminate()
        first.communicate(timeout=60)


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
@pytest.mark.parametrize("name", ["SIGINT", "SIGTERM"])
def test_signals_end_it_cleanly(server: Server, tmp_path: Path, name: str) -> None:
    url = server.feed("/a", *(numbered(number) for number in range(200)))
    child = process(url, "--store", tmp_path / "monitor.db", "--jsonl", seconds=0.01)
    assert child.stdout is not None
    first = child.stdout.readline()
    child.send_signal(getattr(signal, name))
    out, errors = child.communicate(timeout=60)
    assert child.returncode == 0, errors
    assert errors == b"stopped; what was labelled is kept, the same command goes on from there\n"
    told = records((first + out).decode())
    with sqlite3.connect(tmp_path / "monitor.db") as db:
        kept = db.execute("SELECT text FROM latest ORDER BY sentence_id").fetchall()
    assert 0 < len(kept) < 800
    assert [record["text"] for record in told] == [text for (text,) in kept]


@pytest.mark.skipif(sys.platform == "win32", reason="no such signals")
def test_a_signal_ends_waiting_for_a_server(server: Server, tmp_path: Path) -> None:
    def silent(handler: Handler) -> None:
        handler.server.stopping.wait(60)

    server.answers["/silent"] = silent
    for once, code in ((("--once",), 130), ((), 0)):
        server.asked.clear()
        child = process(f"{server.url}/silent", "--store", tmp_path / "monitor.db", *once)
        while not server.asked:
            time.sleep(0.01)
        child.terminate()
        _, errors = child.communicate(timeout=30)
        assert (child.returncode, errors.startswith(b"stopped")) == (code, True)


def undisturbed(server: Server, path: Path) -> list[str]:
    """Three feeds with items, copies, faults; what one run makes of them is in `path`."""
    story = "The talks were held on the day before and will go on. " * 3
    urls = []
    for feed in range(3):
        items = [numbered(100 * feed + number) for number in range(30)]
        items += [
            item(f"{story} Said by {feed}.", guid="wire"),
            item("", guid="empty"),
            item("No guid here."),
        ]
        urls.append(server.feed(f"/{feed}", *items, title=f"Feed {feed}"))
    done = process(*urls, "--once", "--store", path)
    _, errors = done.communicate(timeout=120)
    assert done.returncode == 1, errors  # the empty items are told
    return urls


@pytest.mark.skipif(sys.platform == "win32", reason="no such signal")
def test_kills_at_any_moment_leave_the_same_rows(server: Server, tmp_path: Path) -> None:
    whole, path = tmp_path / "whole.db", tmp_path / "killed.db"
    urls = undisturbed(server, whole)
    rng = random.Random(11)
    kills = 0
    while kills < 5:
        watcher = process(*urls, "--once", "--store", path, "--jsonl", seconds=0.002)
        assert watcher.stdout is not None
        for _ in range(rng.randrange(1, 40)):  # so many records, and then anywhere in what follows
            if not watcher.stdout.readline():
                break
        else:
            time.sleep(rng.random() * 0.02)
        if watcher.poll() is None:
            watcher.kill()
            kills += 1
        watcher.communicate(timeout=60)
        with sqlite3.connect(path) as db:
            assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
            torn = db.execute(
                "SELECT count(*) FROM items WHERE state = 'labelled' AND id NOT IN "
                "(SELECT item_id FROM sentences)"
            )
            assert torn.fetchone() == (0,)
            if not db.execute("SELECT count(*) FROM items").fetchone()[0] < 99:
                break
    assert kills >= 3
    last = process(*urls, "--once", "--store", path)
    last.communicate(timeout=120)
    assert rows(path) == rows(whole)


def test_the_schema_and_the_query_of_the_readme(server: Server, tmp_path: Path) -> None:
    watch(server.feed("/a", numbered(1)))
    tables = CliRunner().invoke(cli, ["schema", "--store"]).stdout
    for name in ("feeds", "items", "sentences", "verdicts", "decisions"):
        assert f"CREATE TABLE {name} (" in tables
    readme = Path(stance.__file__).parent.parent / "README.md"
    if not readme.is_file():
        pytest.skip("the README is not beside an installed package")
    query = readme.read_text(encoding="utf-8").partition("```sql\n")[2].partition("```")[0]
    with sqlite3.connect(tmp_path / "monitor.db") as db:
        found = {(outlet, label): count for outlet, label, count in db.execute(query)}
    assert found == {("The Feed", "neutral_report"): 3, ("The Feed", "pro_kyiv"): 1}


# -- export ---------------------------------------------------------------------------------------------


def test_a_store_is_written_for_other_tools(server: Server, tmp_path: Path) -> None:
    story = " ".join(f"the talks of day {number} were held and" for number in range(30))
    evil = item("=1+1 is no sum.", guid="e", title="=cmd|' /C calc'!A0", link="https://example.org/e")
    urls = [
        server.feed("/a", numbered(1), evil, item(story, guid="w", link="https://a.example/w")),
        server.feed("/b", item(story, guid="w", link="https://b.example/w")),
    ]
    made = records(watch(*urls, "--jsonl", "--engine", "rules").stdout)

    def export(*args: str) -> Result:
        return CliRunner().invoke(cli, ["export", *args], prog_name="stance")

    assert records(export().stdout) == made
    assert len(records(export("--copies").stdout)) == len(made) + 1
    assert export("--since", "2999-01-01").stdout == ""
    assert export("-o", "labels.csv", "--bom").exit_code == 0
    table = (tmp_path / "labels.csv").read_bytes().decode("utf-8")
    assert table.startswith("\ufeffdocument,")
    assert "'=1+1 is no sum." in table
    assert "'=cmd|" in table
    for name in ("labels.jsonl", "labels.spacy"):
        assert export("-o", name).exit_code == 0
    assert records((tmp_path / "labels.jsonl").read_text()) == made
    assert {path.name for path in tmp_path.iterdir() if "labels" in path.name} == {
        "labels.csv",
        "labels.jsonl",
        "labels.spacy",
    }


@pytest.mark.parametrize(
    ("args", "code", "message"),
    [
        (("--store", "none.db"), 1, "no such store"),
        (("--since", "yesterday"), 2, "is no date like"),
        (("--format", "parquet"), 2, "needs --output"),
        (("-o", "labels.txt"), 2, "name one with --format"),
        (("-o", "no/such/labels.csv"), 1, "its folder does not exist"),
    ],
)
def test_exports_that_cannot_be(
    server: Server, tmp_path: Path, args: tuple[str, ...], code: int, message: str
) -> None:
    watch(server.feed("/a", numbered(1)))
    result = CliRunner().invoke(cli, ["export", *args], prog_name="stance")
    assert (result.exit_code, message in result.stderr) == (code, True), result.stderr
    assert not list(tmp_path.glob("*labels*"))


def test_waiting_may_be_nested() -> None:
    from stance.cli.watch import Stop, Stopped

    stop = Stop()
    with stop.idle():
        with stop.idle():
            pass
        with pytest.raises(Stopped):  # still waiting: at once
            stop._ask(signal.SIGINT, None)
    calm = Stop()
    calm._ask(signal.SIGINT, None)  # at work: at the next good moment
    with pytest.raises(Stopped):
        calm.check()
    with pytest.raises(Stopped):
        calm._ask(signal.SIGINT, None)  # the second does not wait
