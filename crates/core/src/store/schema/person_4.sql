-- How often the person's key was changed, and what outlasts a change: the key of chunks' names and contents' hashes, which is
-- in no pack (NULL: it still comes from the present key).
ALTER TABLE head ADD COLUMN epoch BIGINT NOT NULL DEFAULT 0;
ALTER TABLE head ADD COLUMN names BLOB;
CREATE TABLE earlier_key (        -- as long as packs are sealed under it
  person BIGINT NOT NULL, epoch BIGINT NOT NULL, key BLOB NOT NULL,
  PRIMARY KEY (person, epoch)
) WITHOUT ROWID;
