"""Opening a store and changing it safely: the file, its version, transactions, faults as sentences."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final, Self
from urllib.parse import quote

from stance.errors import StanceError
from stance.monitor import schema

_BUSY_SECONDS: Final = 30.0


class Database:
    """An open store. Use `open`, and close it (or use it in a `with`).

    Raises:
        StanceError: from any method: the file is read-only, full, damaged, locked for too long.
    """

    def __init__(self, path: Path, connection: sqlite3.Connection) -> None:
        self.path = path
        self._db = connection

    # -- opening ---------------------------------------------------------------------------------------

    @classmethod
    def open(cls, path: Path | str, *, readonly: bool = False) -> Self:
        """The store at `path`, made there if nothing is there; an older one is brought up to date.

        With `readonly`, nothing is made, changed or brought up to date.
        """
        path = Path(path)
        if readonly and not path.is_file():
            raise StanceError(f"{path}: no such store; `stance watch` makes one, or name another")
        if not readonly and not path.parent.is_dir():
            raise StanceError(f"{path}: its folder does not exist; make it first")
        if path.is_dir():
            raise StanceError(f"{path}: a folder; name a file")
        with told(path):
            store = cls(path, _connected(path, readonly))
            try:
                store._ready(readonly)
            except BaseException:
                store.close()
                raise
        return store

    def close(self) -> None:
        """Close the file; a second time does nothing."""
        self._db.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _ready(self, readonly: bool) -> None:
        """Make the tables, or check that they are ours and of this version."""
        found = self._value("PRAGMA user_version")
        owner = self._value("PRAGMA application_id")
        if not found and not owner and not self._value("SELECT count(*) FROM sqlite_schema"):
            if readonly:
                raise StanceError(f"{self.path}: an empty file; `stance watch` makes a store")
            self._create()
            return
        if owner != schema.APPLICATION_ID:
            raise StanceError(f"{self.path}: a database, but no store of `stance watch`; name another file")
        if found > schema.VERSION:
            raise StanceError(
                f"{self.path}: made by a newer stance (store version {found}, this one knows "
                f"{schema.VERSION}); upgrade stance"
            )
        if found < schema.VERSION:
            self._migrate(found, readonly)
        if not readonly:
            self._db.execute("PRAGMA journal_mode = WAL")

    def _create(self) -> None:
        self._db.execute("PRAGMA journal_mode = WAL")
        with self._transaction():
            if self._value("PRAGMA application_id"):  # another process was quicker
                return
            _run(self._db, schema.SQL)
            self._db.execute(f"PRAGMA application_id = {schema.APPLICATION_ID}")
            self._db.execute(f"PRAGMA user_version = {schema.VERSION}")

    def _migrate(self, found: int, readonly: bool) -> None:
        steps = range(found + 1, schema.VERSION + 1)
        if any(step not in schema.MIGRATIONS for step in steps):
            raise StanceError(
                f"{self.path}: made by an older stance (store version {found}) that this one cannot bring up "
                "to date; keep it for the old one and start a new store with --store"
            )
        if readonly:
            raise StanceError(
                f"{self.path}: made by an older stance (store version {found}); "
                f"`stance watch --once --store {self.path}` brings it up to date"
            )
        with self._transaction():
            for step in steps:
                _run(self._db, schema.MIGRATIONS[step])
            self._db.execute(f"PRAGMA user_version = {schema.VERSION}")

    # -- for the classes below -------------------------------------------------------------------------

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[None]:
        """All or nothing, on disk when it ends."""
        with told(self.path):
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise

    def _rows(self, sql: str, values: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        with told(self.path):
            return self._db.execute(sql, values).fetchall()

    def _value(self, sql: str, values: Sequence[Any] = ()) -> Any:
        with told(self.path):
            row = self._db.execute(sql, values).fetchone()
        return None if row is None else row[0]


def _connected(path: Path, readonly: bool) -> sqlite3.Connection:
    """A connection in which every change is durable when its transaction ends."""
    mode = "ro" if readonly else "rwc"
    if readonly and not os.access(path.parent, os.W_OK) and not os.path.exists(f"{path}-wal"):
        mode += "&immutable=1"  # WAL needs a shared file beside the store, which cannot be made here
    uri = f"file:{quote(os.path.abspath(path))}?mode={mode}"
    connection = sqlite3.connect(uri, uri=True, timeout=_BUSY_SECONDS, isolation_level=None)
    connection.execute("PRAGMA synchronous = FULL")
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA trusted_schema = OFF")  # a stranger's file runs nothing
    return connection


def _run(connection: sqlite3.Connection, script: str) -> None:
    """Statements one by one: `executescript` would end the transaction."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            connection.execute(statement)
            statement = ""
    assert not statement.strip(), statement


@contextlib.contextmanager
def told(path: Path) -> Iterator[None]:
    """What SQLite complains of as a sentence with the cure."""
    try:
        yield
    except sqlite3.Error as fault:
        raise StanceError(f"{path}: {_cure(fault)}") from None


def _cure(fault: sqlite3.Error) -> str:
    text = str(fault)
    for words, cure in _CURES.items():
        if words in text:
            return cure
    return f"the store cannot be used ({text}); check the file and its disk"


_CURES: Final = {
    "readonly": "cannot be written; change its mode or name another file with --store",
    "unable to open": "cannot be opened; check its folder, mode and owner",
    "locked": f"another process has held it for {_BUSY_SECONDS:g} s; try again when that is done",
    "full": "the disk is full; make room and run the same command again, nothing was lost",
    "not a database": "no store of `stance watch`; name another file",
    "malformed": "damaged; take a backup, or save what can be with `sqlite3 FILE .recover`",
    "disk I/O": "the disk does not answer as it should; check it and run the same command again",
}
