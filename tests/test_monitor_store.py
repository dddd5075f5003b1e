"""The store: what is written comes back, nothing twice, old verdicts stay, faults are sentences."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import jsonschema
import pytest
from fake_classifier import VERSIONS, FakeClassifier

from stance.document import Document
from stance.errors import StanceError
from stance.evidence import Verdict
from stance.monitor import Maker, NewItem, Store, database, schema
from stance.monitor.sketch import digest, similarity, sketch
from stance.schema import record_schema

NOW, LATER = "2024-05-01T10:00:00Z", "2024-05-01T11:00:00Z"
MAKER = Maker("rules", VERSIONS)
OTHER = Maker("rules", replace(VERSIONS, rules="rules1", model=None))
TEXT = "The orcs came.\n“The junta fell,” he said.\nThey should go.\nThey are not orcs.\n"
META = {"title": "T", "outlet": "O", "link": "https://example.org/1"}


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "monitor.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with Store.open(path) as opened:
        yield opened


def item(number: int = 1, text: str = TEXT, **more: object) -> NewItem:
    given = {"guid": f"g{number}", "address": f"https://example.org/{number}", "name": f"n{number}", **more}
    return NewItem(digest=digest(text), meta=META, text=text, sketch=sketch(text), **given)  # type: ignore[arg-type]


def verdicts(text: str = TEXT, name: str = "n1") -> tuple[Verdict, ...]:
    return FakeClassifier().classify(Document(text, name, META)).verdicts


def put(store: Store, new: NewItem, url: str = "https://example.org/feed") -> int | None:
    found = verdicts(new.text, new.name) if new.state == "labelled" else ()
    return store.add(store.feed(url, NOW), new, NOW, MAKER, found)


def words(first: int, count: int) -> str:
    return " ".join(f"word{number}" for number in range(first, first + count))


def test_an_item_comes_back_as_it_was_labelled(store: Store) -> None:
    assert put(store, item()) == 1
    (found,) = store.items()
    made = [verdict.to_dict() for verdict in verdicts()]
    assert [sentence.record for sentence in found.sentences] == made
    for sentence in found.sentences:
        jsonschema.Draft202012Validator(record_schema()).validate(dict(sentence.record))
        assert found.text[sentence.start : sentence.end] == sentence.text
        assert store.sentence(sentence.id) == sentence
    assert (found.meta, found.engine, found.versions) == (META, "rules", VERSIONS)
    assert store.item(found.id) == found
    assert store.item(99) is None


def test_the_tables_that_others_query(store: Store, path: Path) -> None:
    put(store, item())
    with sqlite3.connect(path) as db:
        tables = {row[0] for row in db.execute("SELECT name FROM sqlite_schema WHERE type = 'table'")}
        assert {"feeds", "items", "sentences", "verdicts", "decisions", "versions"} <= tables
        assert db.execute("SELECT count(*) FROM latest WHERE copy_of IS NULL").fetchone() == (4,)
        assert db.execute("SELECT label, voice FROM latest WHERE position = 1").fetchone() == (
            "pro_moscow",
            "quoted",
        )
        assert db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
        strict = db.execute(
            "SELECT name FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND NOT strict"
        )
        assert [row[0] for row in strict if not row[0].startswith("sqlite_")] == []
    assert store._db.execute("PRAGMA synchronous").fetchone() == (2,)


def test_an_item_is_known_by_guid_link_or_words(store: Store) -> None:
    feed = store.feed("https://example.org/feed", NOW)
    other = store.feed("https://example.org/other", NOW)
    put(store, item())
    put(store, item(2, words(0, 50), guid=None, address=None))
    assert store.known(feed, "g1", "https://example.org/new", "x") == 1
    assert store.known(feed, "new", "https://example.org/1", "x") == 1
    assert store.known(other, "new", "https://example.org/1", "x") == 1
    assert store.known(feed, None, None, digest(words(0, 50))) == 2
    assert store.known(feed, None, "https://example.org/new", digest(words(0, 50))) == 2
    assert store.known(other, None, None, digest(words(0, 50))) is None
    assert store.known(other, "g1", None, "x") is None
    assert store.known(feed, "new", "https://example.org/new", digest(TEXT)) is None
    assert put(store, item()) is None
    assert store.count("items") == 2


def test_copies_are_grouped_and_counted_once(store: Store) -> None:
    story = words(0, 200)
    put(store, item(1, story))
    put(store, item(2, f"An editor's line. {words(0, 185)}"), "https://example.org/other")
    put(store, item(3, words(1000, 200)))
    put(store, item(4, f"{story} And an end."))
    put(store, item(5, "Too short."))
    put(store, item(6, "Too short!"))
    found = list(store.items(copies=True))
    assert [entry.copy_of for entry in found] == [None, 1, None, 1, None, 5]
    assert all(entry.similarity is None or entry.similarity > 0.7 for entry in found)
    assert [entry.id for entry in store.items()] == [1, 3, 5]


def test_only_what_is_labelled_has_copies(store: Store) -> None:
    story = words(0, 200)
    put(store, item(1, story, state="waiting"))
    put(store, item(2, f"{story} And more."))
    put(store, item(3, story))
    assert [entry.copy_of for entry in store.items(copies=True)] == [None, 2]
    settled = item(1, story, name="n1")
    store.settle(1, settled, NOW, MAKER, verdicts(story))
    assert [(entry.id, entry.copy_of) for entry in store.items(copies=True)] == [(1, 2), (2, None), (3, 2)]


def test_sketches_estimate_common_wording() -> None:
    one, other = words(0, 1000), words(500, 1000)  # a third of all sequences is common
    assert abs(similarity(sketch(one), sketch(other)) - 1 / 3) < 0.15
    assert similarity(sketch(one), sketch(one)) == 1.0
    assert similarity(sketch(one), sketch(words(5000, 1000))) == 0.0
    assert sketch("Only a few words.") == ()
    assert similarity((), ()) == 0.0
    assert digest("One,  two.") == digest("one two")


def test_new_verdicts_stand_beside_the_old_ones(store: Store) -> None:
    put(store, item())
    put(store, item(2, state="fault", note="broke"))
    assert [entry.id for entry in store.outdated(MAKER)] == [2]
    assert [entry.id for entry in store.outdated(OTHER)] == [1, 2]
    assert store.outdated(OTHER, after=2) == []
    fresh = [replace(v, versions=OTHER.versions, reason="new") for v in verdicts()]
    store.relabel(1, LATER, OTHER, fresh[1:])  # the new rules cut the text otherwise
    (found,) = store.items()
    assert [sentence.record["reason"] for sentence in found.sentences] == ["new"] * 3
    assert found.sentences[0].record["versions"]["model"] is None
    assert (store.count("verdicts"), store.count("sentences"), store.count("versions")) == (7, 4, 2)
    store.relabel(1, LATER, MAKER, verdicts())  # back again: nothing is stored twice
    assert store.count("verdicts") == 7
    assert [entry.id for entry in store.outdated(OTHER)] == [1, 2]
    store.relabel(2, LATER, MAKER, verdicts(name="n2"))
    again = store.item(2)
    assert again is not None
    assert (again.state, again.note, len(again.sentences)) == ("labelled", None, 4)


def test_many_items_are_read_in_pages(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stance.monitor.store._PAGE", 3)
    for number in range(8):
        put(store, item(number, f"Sentence {number}."))
    assert [entry.name for entry in store.items()] == [f"n{number}" for number in range(8)]
    assert list(store.items(since=LATER)) == []


def test_decisions_are_appended_and_can_be_undone(store: Store) -> None:
    put(store, item())
    (found,) = store.items()
    sentence = found.sentences[0].id
    first = store.decide(sentence, NOW, person="A", frame="none", opinion=False, voice="author")
    second = store.decide(sentence, LATER, person="B", frame="kyiv", opinion=True, voice="quoted", note="n")
    assert store.decisions(sentence) == [first, second]
    assert store.undo(second.id, LATER)
    assert not store.undo(second.id, LATER)
    assert [d.undone_at for d in store.decisions()] == [None, LATER]
    with pytest.raises(StanceError, match="no sentence 99"):
        store.decide(99, NOW, person="A", frame="none", opinion=False, voice="author")
    assert store.decisions(99) == []


# -- the file -------------------------------------------------------------------------------------------


def refused(path: Path, *, readonly: bool = False) -> str:
    with pytest.raises(StanceError) as caught:
        Store.open(path, readonly=readonly)
    assert "\n" not in str(caught.value)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_what_is_no_store_is_refused(path: Path, tmp_path: Path) -> None:
    assert "no such store" in refused(path, readonly=True)
    path.write_bytes(b"no database at all" * 100)
    assert "no store of `stance watch`" in refused(path)
    assert path.read_bytes() == b"no database at all" * 100
    other = tmp_path / "other.db"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE feeds (id)")
    assert "no store of `stance watch`" in refused(other)
    assert "a folder" in refused(tmp_path)
    assert "its folder does not exist" in refused(tmp_path / "no" / "monitor.db")


def test_a_newer_store_is_refused_and_an_older_one_brought_up_to_date(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Store.open(path) as store:
        put(store, item())
    monkeypatch.setattr(schema, "VERSION", schema.VERSION + 1)
    assert "made by an older stance" in refused(path)
    step = "ALTER TABLE items ADD COLUMN extra TEXT;\nCREATE INDEX i ON items (extra);\n"
    monkeypatch.setattr(schema, "MIGRATIONS", {schema.VERSION: step})
    assert "brings it up to date" in refused(path, readonly=True)
    broken = f"{step}\nINSERT INTO nowhere VALUES (1);\n"
    with monkeypatch.context() as patched:
        patched.setattr(schema, "MIGRATIONS", {schema.VERSION: broken})
        assert "nowhere" in refused(path)  # and nothing of it was done:
    with Store.open(path) as store:
        assert store._db.execute("SELECT extra FROM items").fetchall() == [(None,)]
        assert len(list(store.items())) == 1
    monkeypatch.undo()
    assert "made by a newer stance" in refused(path)


def test_a_read_only_store_is_a_sentence(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Store.open(path) as store:
        put(store, item())
    connected = database._connected  # root may write what is read-only, SQLite's own mode binds everyone
    monkeypatch.setattr(database, "_connected", lambda path, readonly: connected(path, True))
    with pytest.raises(StanceError, match="cannot be written; change its mode"), Store.open(path) as store:
        put(store, item(2))
    with Store.open(path, readonly=True) as store:
        assert len(list(store.items())) == 1


def test_reading_changes_nothing(path: Path) -> None:
    with Store.open(path) as store:
        put(store, item())
    before = path.read_bytes()
    with Store.open(path, readonly=True) as store:
        assert len(list(store.items())) == 1
        with pytest.raises(StanceError, match="cannot be written"):
            store.feed("https://example.org/new", NOW)
    assert path.read_bytes() == before


def test_a_damaged_store_is_a_sentence(path: Path) -> None:
    with Store.open(path) as store:
        for number in range(30):
            put(store, item(number, f"{words(number * 50, 50)}\n"))
    data = bytearray(path.read_bytes())
    data[4096:] = bytes(len(data) - 4096)
    path.write_bytes(data)
    with pytest.raises(StanceError, match="damaged"), Store.open(path) as store:
        list(store.items())
