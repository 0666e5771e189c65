-- Calendar objects and vCards: what they say. It is read from their bytes, and may be read again from them at any time.
ALTER TABLE content ADD COLUMN facts BLOB; -- kind u8, shape u8, first and last i64 little-endian, keyed hash of the UID 16; NULL: not read
CREATE TABLE item (               -- one row a file that is one by its name or type, in whatever folder
  person BIGINT NOT NULL, entry BIGINT NOT NULL, folder BIGINT NOT NULL,
  kind BIGINT NOT NULL,           -- 1 event, 2 task, 3 journal, 4 free-busy, 5 vCard; 0 not read
  class BIGINT NOT NULL,          -- how long it lasts: 0 a day, 1 16 days, 2 256 days at most, 3 longer or for ever
  first BIGINT NOT NULL, last BIGINT NOT NULL, -- seconds since 1970; nothing of it is before or after
  shape BIGINT NOT NULL,          -- 0 to be looked at; 1 takes place once, UTC; 2 once, by the clock of wherever one is
  uid BLOB,                       -- keyed hash
  PRIMARY KEY (person, entry)
) WITHOUT ROWID;
CREATE INDEX item_by_span ON item (person, folder, class, first, last, kind, shape);
CREATE INDEX item_by_uid ON item (person, folder, uid);
INSERT INTO item (person, entry, folder, kind, class, first, last, shape)
  SELECT person, id, parent, 0, 3, -62135596800, 253402300799, 0 FROM entry
  WHERE kind = 1 AND parent <> 2 AND (key LIKE '%.ics' OR key LIKE '%.vcf' OR type LIKE 'text/calendar%' OR type LIKE 'text/vcard%');
