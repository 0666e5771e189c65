-- One person's facts. Times are milliseconds since 1970 UTC. Entry 1 is the root, entry 2 the trash.
CREATE TABLE head (
  person BIGINT NOT NULL PRIMARY KEY,
  seq BIGINT NOT NULL,            -- the newest change
  next_id BIGINT NOT NULL,        -- ids of entries, contents, chunks and packs come from one row of numbers
  used BIGINT NOT NULL,           -- bytes owned: entries, versions, trash and dead properties
  quota BIGINT NOT NULL           -- 0: no limit
);
CREATE TABLE entry (
  person BIGINT NOT NULL, parent BIGINT NOT NULL, key TEXT NOT NULL,  -- key: the NFC name
  name TEXT,                      -- as the client sent it, where that differs from key
  id BIGINT NOT NULL,
  kind BIGINT NOT NULL,           -- 0 folder, 1 file
  seq BIGINT NOT NULL,            -- newest change to it; of a folder: at or below it
  version BIGINT NOT NULL,        -- the change that gave it its content
  created BIGINT NOT NULL, modified BIGINT NOT NULL,
  size BIGINT NOT NULL,
  content BIGINT NOT NULL, tag BIGINT NOT NULL,  -- which content, and 8 bytes of its hash
  type TEXT,                      -- media type, where the client gave one
  props BIGINT NOT NULL,          -- how many dead properties it has
  PRIMARY KEY (person, parent, key)
) WITHOUT ROWID;
CREATE UNIQUE INDEX entry_by_id ON entry (person, id);
CREATE INDEX entry_folders ON entry (person, parent, id) WHERE kind = 0;
CREATE TABLE version (            -- earlier contents of a file
  person BIGINT NOT NULL, entry BIGINT NOT NULL, seq BIGINT NOT NULL,
  content BIGINT NOT NULL, tag BIGINT NOT NULL, size BIGINT NOT NULL, modified BIGINT NOT NULL,
  type TEXT, ended BIGINT NOT NULL, -- when it was replaced
  PRIMARY KEY (person, entry, seq)
) WITHOUT ROWID;
CREATE TABLE trash (              -- what was removed: its entry hangs below entry 2
  person BIGINT NOT NULL, entry BIGINT NOT NULL,
  parent BIGINT NOT NULL, name TEXT NOT NULL, place TEXT NOT NULL, -- where it was
  at BIGINT NOT NULL, party TEXT NOT NULL,
  PRIMARY KEY (person, entry)
) WITHOUT ROWID;
CREATE TABLE prop (               -- dead WebDAV properties
  person BIGINT NOT NULL, entry BIGINT NOT NULL, name TEXT NOT NULL, value TEXT NOT NULL,
  PRIMARY KEY (person, entry, name)
) WITHOUT ROWID;
CREATE TABLE lock (
  person BIGINT NOT NULL, token TEXT NOT NULL, entry BIGINT NOT NULL,
  deep BIGINT NOT NULL, exclusive BIGINT NOT NULL, owner TEXT NOT NULL, credential BIGINT NOT NULL,
  expires BIGINT NOT NULL, seconds BIGINT NOT NULL,
  PRIMARY KEY (person, token)
) WITHOUT ROWID;
CREATE INDEX lock_by_entry ON lock (person, entry);
CREATE TABLE journal (            -- one row a change, never rewritten
  person BIGINT NOT NULL, seq BIGINT NOT NULL, at BIGINT NOT NULL,
  op BIGINT NOT NULL, entry BIGINT NOT NULL,
  parent BIGINT NOT NULL, key TEXT NOT NULL,
  from_parent BIGINT, from_key TEXT,
  credential BIGINT NOT NULL, party TEXT NOT NULL,
  PRIMARY KEY (person, seq)
) WITHOUT ROWID;
CREATE INDEX journal_by_parent ON journal (person, parent, seq);
CREATE INDEX journal_by_from ON journal (person, from_parent, seq) WHERE from_parent IS NOT NULL;
CREATE TABLE content (            -- immutable; bytes is NULL where parts hold it
  person BIGINT NOT NULL, id BIGINT NOT NULL, at BIGINT NOT NULL,
  size BIGINT NOT NULL, hash BLOB NOT NULL, bytes BLOB,
  PRIMARY KEY (person, id)
);
CREATE TABLE part (
  person BIGINT NOT NULL, content BIGINT NOT NULL, pos BIGINT NOT NULL, chunk BIGINT NOT NULL, length BIGINT NOT NULL,
  PRIMARY KEY (person, content, pos)
) WITHOUT ROWID;
CREATE INDEX part_by_chunk ON part (person, chunk);
CREATE TABLE chunk (
  person BIGINT NOT NULL, id BIGINT NOT NULL, name BLOB NOT NULL,
  pack BIGINT NOT NULL, pos BIGINT NOT NULL, record BIGINT NOT NULL, length BIGINT NOT NULL,
  dead BIGINT NOT NULL,           -- since when nothing refers to it; 0: in use
  PRIMARY KEY (person, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX chunk_by_name ON chunk (person, name);
CREATE INDEX chunk_by_pack ON chunk (person, pack);
CREATE TABLE pack (
  person BIGINT NOT NULL, id BIGINT NOT NULL, salt BLOB NOT NULL, at BIGINT NOT NULL,
  PRIMARY KEY (person, id)
) WITHOUT ROWID;
CREATE UNIQUE INDEX pack_by_salt ON pack (person, salt);
