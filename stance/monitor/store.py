"""The store: one SQLite file that holds feeds, items, sentences and verdicts.

Whatever belongs together is written in one transaction (an item with its sentences and verdicts), with
WAL and ``synchronous=FULL``: after a kill at any moment the store holds whole items only, and what was
not committed is found again in the feed.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final

from stance.errors import StanceError
from stance.evidence import Verdict, Versions
from stance.labels import SCHEMA
from stance.monitor.database import Database
from stance.monitor.sketch import SIMILAR, similarity
from stance.monitor.values import Decision, Feed, Maker, NewItem, StoredItem, StoredSentence

META: Final = ("title", "outlet", "author", "time", "link", "language")  # columns of items
_PAGE: Final = 100  # items read at a time, so that no query stays open while they are used


class Store(Database):
    """Everything that is asked of the store, in its own terms. Any method may raise a `StanceError`."""

    # -- feeds -----------------------------------------------------------------------------------------

    def feed(self, url: str, now: str) -> Feed:
        """The feed with this address, added if it is new."""
        with self._transaction():
            self._db.execute("INSERT OR IGNORE INTO feeds (url, added_at) VALUES (?, ?)", (url, now))
        return self._feeds("WHERE url = ?", (url,))[0]

    def feeds(self) -> list[Feed]:
        """All feeds in the order in which they were added."""
        return self._feeds("", ())

    def _feeds(self, where: str, values: tuple[Any, ...]) -> list[Feed]:
        names = "id, url, title, polled_at, due_at, etag, last_modified, failures, fault"
        rows = self._rows(f"SELECT {names} FROM feeds {where} ORDER BY id", values)  # noqa: S608
        return [Feed(*row) for row in rows]

    def answered(
        self,
        feed: Feed,
        now: str,
        due: str,
        *,
        title: str | None = None,
        etag: str | None = None,
        last_modified: str | None = None,
    ) -> None:
        """A feed was read to its end (or has not changed): all of its items are in the store."""
        with self._transaction():
            self._db.execute(
                "UPDATE feeds SET title = coalesce(?, title), polled_at = ?, due_at = ?, etag = ?, "
                "last_modified = ?, failures = 0, fault = NULL WHERE id = ?",
                (title, now, due, etag, last_modified, feed.id),
            )

    def failed(self, feed: Feed, now: str, due: str, fault: str) -> None:
        """A feed could not be read; its validators stay."""
        with self._transaction():
            self._db.execute(
                "UPDATE feeds SET polled_at = ?, due_at = ?, failures = failures + 1, fault = ? WHERE id = ?",
                (now, due, fault, feed.id),
            )

    # -- writing items ---------------------------------------------------------------------------------

    def known(self, feed: Feed, guid: str | None, address: str | None, digest: str) -> int | None:
        """The id of the item that this is, or None.

        The same guid in the same feed, or the same address anywhere; an item that lacks one of the two is
        also known by its words in the same feed.
        """
        return self._known(feed.id, guid, address, digest)

    def _known(self, feed_id: int, guid: str | None, address: str | None, digest: str) -> int | None:
        found: int | None = None
        if guid is not None:
            found = self._value("SELECT id FROM items WHERE feed_id = ? AND guid = ?", (feed_id, guid))
        if found is None and address is not None:
            found = self._value("SELECT id FROM items WHERE address = ?", (address,))
        if found is None and (guid is None or address is None):
            found = self._value("SELECT id FROM items WHERE feed_id = ? AND digest = ?", (feed_id, digest))
        return found

    def add(
        self, feed: Feed, item: NewItem, now: str, maker: Maker, verdicts: Iterable[Verdict] = ()
    ) -> int | None:
        """Put an item with its verdicts into the store; its id, or None if it was known already."""
        with self._transaction():
            if self._known(feed.id, item.guid, item.address, item.digest) is not None:
                return None
            copy_of, near = self._original(item) if item.state == "labelled" else (None, None)
            cursor = self._db.execute(
                "INSERT INTO items (feed_id, guid, address, digest, name, title, outlet, author, time, link, "
                "language, text, source, seen_at, state, note, tries, copy_of, similarity) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(feed.id, item.guid, item.address, item.digest, item.name),
                    *(item.meta.get(name) for name in META),
                    *(item.text, item.source, now, item.state, item.note, item.tries, copy_of, near),
                ),
            )
            assert cursor.lastrowid is not None
            self._sketched(cursor.lastrowid, item)
            self._label(cursor.lastrowid, now, maker, verdicts, item.state)
            return cursor.lastrowid

    def settle(
        self, item_id: int, item: NewItem, now: str, maker: Maker, verdicts: Iterable[Verdict] = ()
    ) -> None:
        """What became of an item that was waiting for its page."""
        with self._transaction():
            copy_of, near = self._original(item, item_id) if item.state == "labelled" else (None, None)
            self._db.execute(
                "UPDATE items SET name = ?, title = ?, outlet = ?, author = ?, time = ?, link = ?, "
                "language = ?, text = ?, source = ?, state = ?, note = ?, tries = ?, copy_of = ?, "
                "similarity = ? WHERE id = ?",
                (
                    *(item.name, *(item.meta.get(name) for name in META), item.text, item.source),
                    *(item.state, item.note, item.tries, copy_of, near, item_id),
                ),
            )
            self._sketched(item_id, item)
            self._label(item_id, now, maker, verdicts, item.state)

    def relabel(self, item_id: int, now: str, maker: Maker, verdicts: Iterable[Verdict]) -> None:
        """New verdicts beside the old ones; the new ones are the newest from now on."""
        with self._transaction():
            self._label(item_id, now, maker, verdicts, "labelled")

    def outdated(self, maker: Maker, after: int = 0, *, skipped: bool = False) -> list[StoredItem]:
        """Some items after the id `after` whose newest verdicts another maker made, or that it could not
        label, and with `skipped` those in other languages; without their sentences. Empty at the end."""
        return self._items(
            f"items.id > ? AND {_OUTDATED}", (after, self._version(maker), skipped), sentences=False
        )

    def count_outdated(self, maker: Maker) -> int:
        """How many labelled items another maker labelled last."""
        number: int = self._value(
            "SELECT count(*) FROM items WHERE state = 'labelled' AND version_id IS NOT ?",
            (self._version(maker),),
        )
        return number

    def is_copy(self, item_id: int) -> bool:
        """Whether the item says nearly the same as an earlier one."""
        return bool(self._value("SELECT copy_of IS NOT NULL FROM items WHERE id = ?", (item_id,)))

    def waiting(self, feed: Feed) -> list[int]:
        """Ids of the feed's items that wait for their page."""
        rows = self._rows(
            "SELECT id FROM items WHERE feed_id = ? AND state = 'waiting' ORDER BY id", (feed.id,)
        )
        return [row[0] for row in rows]

    def _original(self, item: NewItem, item_id: int | None = None) -> tuple[int | None, float | None]:
        """The first item of the group that `item` belongs to, and how near it is to its nearest member."""
        same = self._value(
            "SELECT coalesce(copy_of, id) FROM items WHERE digest = ? AND state = 'labelled' "
            "AND id IS NOT ? ORDER BY id LIMIT 1",
            (item.digest, item_id),
        )
        if same is not None and item.source == "feed":
            return same, 1.0
        if not item.sketch:
            return None, None
        marks = ", ".join("?" * len(item.sketch))
        rows = self._rows(
            f"SELECT item_id FROM sketches WHERE hash IN ({marks}) AND item_id IS NOT ? "  # noqa: S608
            "GROUP BY item_id HAVING count(*) >= ? ORDER BY count(*) DESC, item_id LIMIT 20",
            (*item.sketch, item_id, len(item.sketch) * SIMILAR / 4),
        )
        best: tuple[float, int] = (0.0, 0)
        for (candidate,) in rows:
            found = self._rows("SELECT hash FROM sketches WHERE item_id = ?", (candidate,))
            best = max(best, (similarity(item.sketch, [row[0] for row in found]), -candidate))
        if best[0] < SIMILAR:
            return None, None
        first = self._value("SELECT coalesce(copy_of, id) FROM items WHERE id = ?", (-best[1],))
        return first, round(best[0], 4)

    def _sketched(self, item_id: int, item: NewItem) -> None:
        """Remember what copies of the item will be known by; only what is labelled has copies."""
        if item.state == "labelled":
            rows = [(value, item_id) for value in item.sketch]
            self._db.executemany("INSERT OR IGNORE INTO sketches (hash, item_id) VALUES (?, ?)", rows)

    def _label(self, item_id: int, now: str, maker: Maker, verdicts: Iterable[Verdict], state: str) -> None:
        if state != "labelled":
            return
        version = self._version(maker, now)
        for verdict in verdicts:
            record = verdict.to_dict()
            speaker = record["speaker"] or {"text": None, "side": None}
            place = (item_id, record["start"], record["end"])
            self._db.execute(
                'INSERT OR IGNORE INTO sentences (item_id, start, "end", text) VALUES (?, ?, ?, ?)',
                (*place, record["text"]),
            )
            self._db.execute(
                "INSERT OR IGNORE INTO verdicts (sentence_id, version_id, made_at, position, label, "
                "own_label, frame, opinion, voice, speaker, speaker_side, abstained, reason, "
                "probabilities, evidence) "
                'VALUES ((SELECT id FROM sentences WHERE item_id = ? AND start = ? AND "end" = ?), '
                "?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    *(*place, version, now, record["index"], record["label"], record["own_label"]),
                    *(record["frame"], record["opinion"], record["voice"], speaker["text"], speaker["side"]),
                    *(record["abstained"], record["reason"], _json(record["probabilities"])),
                    _json(record["evidence"]),
                ),
            )
        self._db.execute(
            "UPDATE items SET version_id = ?, state = 'labelled', "
            "note = CASE state WHEN 'fault' THEN NULL ELSE note END WHERE id = ?",
            (version, item_id),
        )

    def _version(self, maker: Maker, now: str | None = None) -> int | None:
        """The id of the row for `maker`; with a time, it is made where there is none."""
        names = "engine, stance, rules, model, pipeline, codebook, abstain_below"
        if now is not None:
            self._db.execute(
                f"INSERT OR IGNORE INTO versions ({names}, first_used_at) "  # noqa: S608
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (*maker.row(), now),
            )
        found: int | None = self._value(
            f"SELECT id FROM versions WHERE ({names}) = (?, ?, ?, ?, ?, ?, ?)",  # noqa: S608
            maker.row(),
        )
        return found

    # -- reading ---------------------------------------------------------------------------------------

    def items(self, *, copies: bool = False, since: str | None = None) -> Iterator[StoredItem]:
        """All labelled items in the order of their arrival, with their sentences and newest verdicts.

        Copies of an earlier item are left out unless `copies`; `since` keeps what was seen at that time
        (UTC text) or later.
        """
        last = 0
        while True:
            found = self._items(
                "items.id > ? AND items.state = 'labelled' AND (? OR items.copy_of IS NULL) "
                "AND (? IS NULL OR items.seen_at >= ?)",
                (last, copies, since, since),
            )
            if not found:
                return
            yield from found
            last = found[-1].id

    def item(self, item_id: int) -> StoredItem | None:
        """One item, whatever its state."""
        found = self._items("items.id = ?", (item_id,))
        return found[0] if found else None

    def sentence(self, sentence_id: int) -> StoredSentence | None:
        """One sentence with its newest verdict, if it has a current one."""
        owner = self._value("SELECT item_id FROM sentences WHERE id = ?", (sentence_id,))
        item = None if owner is None else self.item(owner)
        return next((s for s in item.sentences if s.id == sentence_id), None) if item else None

    def count(self, table: str) -> int:
        """Rows of one of the tables."""
        assert table in ("feeds", "items", "sentences", "verdicts", "versions", "decisions")
        number: int = self._value(f"SELECT count(*) FROM {table}")  # noqa: S608
        return number

    def newest(self) -> str | None:
        """The latest moment that the store knows of."""
        found: str | None = self._value(
            "SELECT max(t) FROM (SELECT max(polled_at) AS t FROM feeds "
            "UNION ALL SELECT max(seen_at) FROM items)"
        )
        return found

    def _items(self, where: str, values: tuple[Any, ...], *, sentences: bool = True) -> list[StoredItem]:
        rows = self._rows(f"{_ITEMS} WHERE {where} ORDER BY items.id LIMIT {_PAGE}", values)
        return [self._item(row, sentences) for row in rows]

    def _item(self, row: tuple[Any, ...], sentences: bool) -> StoredItem:
        item_id, feed, feed_title, guid, name = row[:5]
        meta = {key: value for key, value in zip(META, row[5:11], strict=True) if value is not None}
        text, source, seen_at, state, note, tries, copy_of, near, version, engine = row[11:21]
        stance, rules, model, pipeline, codebook = row[21:]
        versions = None
        if engine is not None:
            versions = Versions(stance, rules, model or None, pipeline or None, codebook)
        found: tuple[StoredSentence, ...] = ()
        if sentences and versions is not None:
            head = {"schema": SCHEMA, "document": name}
            tail = {"engine": engine, "versions": versions.to_dict(), "meta": meta}
            found = tuple(_sentence(r, head, tail) for r in self._rows(_SENTENCES, (item_id, version)))
        return StoredItem(
            *(item_id, feed, feed_title, guid, name, meta, text, source, seen_at, state, note, tries),
            *(copy_of, near, engine, versions, found),
        )

    # -- decisions -------------------------------------------------------------------------------------

    def decide(
        self,
        sentence_id: int,
        now: str,
        *,
        person: str,
        frame: str,
        opinion: bool,
        voice: str,
        note: str | None = None,
    ) -> Decision:
        """Append a person's decision; earlier ones stay."""
        with self._transaction():
            if not self._value("SELECT 1 FROM sentences WHERE id = ?", (sentence_id,)):
                raise StanceError(f"{self.path}: there is no sentence {sentence_id}; check its number")
            cursor = self._db.execute(
                "INSERT INTO decisions (sentence_id, made_at, person, frame, opinion, voice, note) "
                "VALUES (?, ?, ?, ?, ?, ?, ?)",
                (sentence_id, now, person, frame, opinion, voice, note),
            )
            assert cursor.lastrowid is not None
        return Decision(cursor.lastrowid, sentence_id, now, person, frame, opinion, voice, note)

    def undo(self, decision_id: int, now: str) -> bool:
        """Take a decision back (it stays, marked); whether there was one that held."""
        with self._transaction():
            done = self._db.execute(
                "UPDATE decisions SET undone_at = ? WHERE id = ? AND undone_at IS NULL", (now, decision_id)
            )
        return done.rowcount > 0

    def decisions(self, sentence_id: int | None = None) -> list[Decision]:
        """All decisions, oldest first, those undone too; or those about one sentence."""
        rows = self._rows(
            "SELECT id, sentence_id, made_at, person, frame, opinion, voice, note, undone_at FROM decisions "
            "WHERE ?1 IS NULL OR sentence_id = ?1 ORDER BY id",
            (sentence_id,),
        )
        return [_decision(row) for row in rows]


_OUTDATED: Final = (
    "(items.state = 'fault' OR items.state = 'labelled' AND version_id IS NOT ? "
    "OR ? AND items.state = 'skipped' AND items.text <> '')"
)
_ITEMS: Final = (
    "SELECT items.id, feeds.url, feeds.title, guid, name, items.title, outlet, author, time, link, "
    "language, text, source, seen_at, state, note, tries, copy_of, similarity, version_id, "
    "versions.engine, stance, rules, model, pipeline, codebook "
    "FROM items JOIN feeds ON feeds.id = feed_id LEFT JOIN versions ON versions.id = version_id"
)
_SENTENCES: Final = (
    'SELECT sentences.id, sentences.text, start, "end", position, label, own_label, probabilities, '
    "abstained, frame, opinion, voice, speaker, speaker_side, reason, evidence "
    "FROM sentences JOIN verdicts ON sentence_id = sentences.id WHERE item_id = ? AND version_id = ? "
    "ORDER BY position"
)


def _sentence(row: tuple[Any, ...], head: Mapping[str, Any], tail: Mapping[str, Any]) -> StoredSentence:
    sentence_id, text, start, end, position, label, own_label, probabilities, abstained = row[:9]
    frame, opinion, voice, speaker, speaker_side, reason, evidence = row[9:]
    record = {
        **head,
        "index": position,
        "start": start,
        "end": end,
        "text": text,
        "label": label,
        "own_label": own_label,
        "probabilities": json.loads(probabilities),
        "abstained": bool(abstained),
        "frame": frame,
        "opinion": bool(opinion),
        "voice": voice,
        "speaker": None if speaker_side is None else {"text": speaker, "side": speaker_side},
        "reason": reason,
        "evidence": json.loads(evidence),
        **tail,
    }
    return StoredSentence(sentence_id, text, start, end, record)


def _decision(row: tuple[Any, ...]) -> Decision:
    number, sentence_id, made_at, person, frame, opinion, voice, note, undone_at = row
    return Decision(number, sentence_id, made_at, person, frame, bool(opinion), voice, note, undone_at)


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
