-- The recovery kit: whom the root key's age file is sealed to. At most one row.
CREATE TABLE kit (
  recipient TEXT NOT NULL PRIMARY KEY,  -- age1…, public
  made BIGINT NOT NULL,
  proven BIGINT                         -- when its words last opened the age file
);
-- A person's next key, while their catalog is being sealed under it.
ALTER TABLE person ADD COLUMN next BLOB;
