-- Apps that people let in (OAuth 2.1). What they may do is in the ledgers of those people; that they were let in is a credential of
-- the kind "app", and what proves it comes and goes.
CREATE TABLE token (
  hash BLOB NOT NULL PRIMARY KEY, person BIGINT NOT NULL, credential BIGINT NOT NULL,
  kind TEXT NOT NULL,             -- access, refresh
  body TEXT NOT NULL,             -- JSON: what it is for
  created BIGINT NOT NULL, expires BIGINT NOT NULL,
  spent BIGINT                    -- when another refresh token took its place
);
CREATE INDEX token_by_credential ON token (person, credential);
CREATE INDEX token_by_expiry ON token (expires);
CREATE TABLE client (             -- apps as they describe themselves
  id TEXT NOT NULL PRIMARY KEY,   -- as it was given to them, or where their description was fetched from
  document TEXT NOT NULL,         -- JSON (RFC 7591 §2)
  secret BLOB,                    -- its hash; NULL: the app can keep none
  created BIGINT NOT NULL, expires BIGINT NOT NULL
);
CREATE INDEX client_by_expiry ON client (expires);
