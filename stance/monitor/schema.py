"""The tables of the store, for this package and for those who query it with other tools.

The comments are part of the statements, so that ``.schema`` in any SQLite shell shows them. Times are UTC
as ``2024-05-01T10:00:00Z``; where a feed gave the time (`items.time`) it is as the feed gave it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

APPLICATION_ID: Final = 0x57A4CE01  # says in the file's head what kind of database this is
VERSION: Final = 1

SQL: Final = """
CREATE TABLE feeds (                   -- who is watched
  id            INTEGER PRIMARY KEY,
  url           TEXT NOT NULL UNIQUE,  -- the address, or the path of a file
  title         TEXT,                  -- what the feed calls itself
  added_at      TEXT NOT NULL,
  polled_at     TEXT,                  -- the last answer or failure
  due_at        TEXT,                  -- not asked again before this
  etag          TEXT,                  -- sent back to the server, which answers "not modified"
  last_modified TEXT,
  failures      INTEGER NOT NULL DEFAULT 0,  -- in a row
  fault         TEXT                   -- the last failure; null after a success
) STRICT;

CREATE TABLE versions (                -- what made labels
  id            INTEGER PRIMARY KEY,
  engine        TEXT NOT NULL,         -- rules, model, hybrid
  stance        TEXT NOT NULL,         -- the package
  rules         TEXT NOT NULL,         -- digest of the rulebook
  model         TEXT NOT NULL,         -- digest of the model, '' without one
  pipeline      TEXT NOT NULL,         -- digest of the pipeline, '' without one
  codebook      TEXT NOT NULL,
  abstain_below REAL NOT NULL,
  first_used_at TEXT NOT NULL,
  UNIQUE (engine, stance, rules, model, pipeline, codebook, abstain_below)
) STRICT;

CREATE TABLE items (                   -- what the feeds brought, each once
  id            INTEGER PRIMARY KEY,   -- in the order of arrival
  feed_id       INTEGER NOT NULL REFERENCES feeds (id),
  guid          TEXT,                  -- the feed's own id of it; null where it has none or repeats it
  address       TEXT,                  -- its link without tracking; null where it has none or repeats it
  digest        TEXT NOT NULL,         -- SHA-256 of the words as they came
  name          TEXT NOT NULL,         -- `document` in its records
  title         TEXT,
  outlet        TEXT,
  author        TEXT,
  time          TEXT,                  -- of publication, as the feed gave it
  link          TEXT,
  language      TEXT,
  text          TEXT NOT NULL,         -- what was labelled; offsets of sentences count in it
  source        TEXT NOT NULL CHECK (source IN ('feed', 'page')),  -- where the text comes from
  seen_at       TEXT NOT NULL,
  state         TEXT NOT NULL CHECK (state IN ('labelled', 'waiting', 'skipped', 'fault')),
  note          TEXT,                  -- why it is waiting, skipped, at fault or without its page
  tries         INTEGER NOT NULL DEFAULT 0,   -- how often its page was asked for in vain
  copy_of       INTEGER REFERENCES items (id),  -- the first item that says nearly the same; null: the first
  similarity    REAL,                  -- to that item, 0 to 1
  version_id    INTEGER REFERENCES versions (id)  -- of its newest verdicts
) STRICT;
CREATE UNIQUE INDEX items_guid ON items (feed_id, guid) WHERE guid IS NOT NULL;
CREATE UNIQUE INDEX items_address ON items (address) WHERE address IS NOT NULL;
CREATE INDEX items_digest ON items (digest, feed_id);
CREATE INDEX items_state ON items (state) WHERE state <> 'labelled';
CREATE INDEX items_copy ON items (copy_of) WHERE copy_of IS NOT NULL;

CREATE TABLE sentences (               -- of all items; current are those with a verdict of items.version_id
  id            INTEGER PRIMARY KEY,
  item_id       INTEGER NOT NULL REFERENCES items (id),
  start         INTEGER NOT NULL,      -- Unicode code points in items.text
  "end"         INTEGER NOT NULL,
  text          TEXT NOT NULL,
  UNIQUE (item_id, start, "end")
) STRICT;

CREATE TABLE verdicts (                -- one for each sentence and version; old ones stay
  id            INTEGER PRIMARY KEY,
  sentence_id   INTEGER NOT NULL REFERENCES sentences (id),
  version_id    INTEGER NOT NULL REFERENCES versions (id),
  made_at       TEXT NOT NULL,
  position      INTEGER NOT NULL,      -- of the sentence in its item, from 0
  label         TEXT NOT NULL,         -- what the words carry, whoever speaks
  own_label     TEXT NOT NULL,         -- the text's own voice alone
  frame         TEXT NOT NULL,
  opinion       INTEGER NOT NULL,      -- 0 or 1
  voice         TEXT NOT NULL,         -- author, attributed, quoted
  speaker       TEXT,                  -- the words that name who speaks
  speaker_side  TEXT,                  -- null: nobody else speaks
  abstained     INTEGER NOT NULL,      -- 1: too improbable to count
  reason        TEXT NOT NULL,
  probabilities TEXT NOT NULL,         -- JSON object, label to share
  evidence      TEXT NOT NULL,         -- JSON list, as in the record stance/1
  UNIQUE (sentence_id, version_id)
) STRICT;

CREATE TABLE decisions (               -- of people about sentences; the newest that is not undone holds
  id            INTEGER PRIMARY KEY,
  sentence_id   INTEGER NOT NULL REFERENCES sentences (id),
  made_at       TEXT NOT NULL,
  person        TEXT NOT NULL,
  frame         TEXT NOT NULL,
  opinion       INTEGER NOT NULL,      -- 0 or 1
  voice         TEXT NOT NULL,
  note          TEXT,
  undone_at     TEXT
) STRICT;
CREATE INDEX decisions_sentence ON decisions (sentence_id);

CREATE TABLE sketches (                -- the smallest hashes of each item's word sequences, to find copies
  hash          INTEGER NOT NULL,
  item_id       INTEGER NOT NULL REFERENCES items (id),
  PRIMARY KEY (hash, item_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX sketches_item ON sketches (item_id);

CREATE VIEW latest AS                  -- the newest verdicts; WHERE copy_of IS NULL counts copies once
SELECT feeds.url AS feed, items.id AS item_id, items.outlet, items.time, items.seen_at, items.title,
       items.link, items.copy_of, sentences.id AS sentence_id, verdicts.position, sentences.text,
       verdicts.label, verdicts.own_label, verdicts.frame, verdicts.opinion, verdicts.voice, verdicts.speaker,
       verdicts.speaker_side, verdicts.abstained, verdicts.reason, versions.engine, versions.rules,
       versions.model
FROM verdicts
JOIN sentences ON sentences.id = verdicts.sentence_id
JOIN items ON items.id = sentences.item_id AND items.version_id = verdicts.version_id
JOIN versions ON versions.id = verdicts.version_id
JOIN feeds ON feeds.id = items.feed_id;
"""

# What brings a store of the version before up to the version that is the key.
MIGRATIONS: Final[Mapping[int, str]] = {}
