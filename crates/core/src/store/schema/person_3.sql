-- Who has to do with the person, what they were granted, and what they did.
CREATE TABLE ledger (             -- one row an event, never rewritten
  person BIGINT NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL,
  body TEXT NOT NULL,             -- JSON
  hash BLOB NOT NULL,             -- over the row before and this one
  PRIMARY KEY (person, number)
) WITHOUT ROWID;
CREATE TABLE party (              -- what the ledger comes to
  person BIGINT NOT NULL, id BIGINT NOT NULL,
  kind TEXT NOT NULL, name TEXT NOT NULL, subject TEXT NOT NULL,
  since BIGINT NOT NULL, ended BIGINT,
  PRIMARY KEY (person, id)
) WITHOUT ROWID;
CREATE TABLE granted (            -- the same
  person BIGINT NOT NULL, id BIGINT NOT NULL, party BIGINT NOT NULL,
  parent BIGINT,                  -- the grant its giver had it from
  scope TEXT NOT NULL, abilities TEXT NOT NULL, purpose TEXT NOT NULL,
  terms TEXT, terms_hash TEXT,
  since BIGINT, until BIGINT, made BIGINT NOT NULL, revoked BIGINT,
  PRIMARY KEY (person, id)
) WITHOUT ROWID;
CREATE INDEX granted_by_party ON granted (person, party);
CREATE TABLE access_record (      -- what parties did; the same thing within an hour is one row
  person BIGINT NOT NULL, id BIGINT NOT NULL,
  party BIGINT NOT NULL, credential BIGINT NOT NULL,
  act BIGINT NOT NULL, refused BIGINT NOT NULL,
  entry BIGINT NOT NULL, path TEXT NOT NULL, -- which node; 0 where there was none; and where it was then
  via TEXT NOT NULL, address TEXT NOT NULL,  -- by which protocol, from where
  first BIGINT NOT NULL, last BIGINT NOT NULL, times BIGINT NOT NULL,
  PRIMARY KEY (person, id)
) WITHOUT ROWID;
CREATE INDEX access_record_by_entry ON access_record (person, entry, last);
CREATE INDEX access_record_by_party ON access_record (person, party, last);
CREATE INDEX access_record_by_last ON access_record (person, last);
