"""Watching feeds: state in SQLite, nothing twice, nothing lost. The only door to sqlite3."""

from __future__ import annotations

from stance.monitor.store import Store
from stance.monitor.values import Decision, Feed, Maker, NewItem, StoredItem, StoredSentence

# stance.monitor.watcher is imported by its name: those who only read a store need no network code.
__all__ = ["Decision", "Feed", "Maker", "NewItem", "Store", "StoredItem", "StoredSentence"]
