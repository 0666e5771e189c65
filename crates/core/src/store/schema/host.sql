-- The host's facts: who lives here and which credentials they made.
CREATE TABLE person (
  person BIGINT NOT NULL PRIMARY KEY, uid BLOB NOT NULL, name TEXT NOT NULL,
  wrapped BLOB, epoch BIGINT NOT NULL,  -- the person's key; NULL once removed
  password TEXT, created BIGINT NOT NULL, removed BIGINT,
  made BIGINT NOT NULL                  -- 1: the person's catalog has been made, and must be there
);
CREATE UNIQUE INDEX person_by_name ON person (name) WHERE removed IS NULL;
CREATE TABLE app_password (
  person BIGINT NOT NULL, id BIGINT NOT NULL, name TEXT NOT NULL, hash BLOB NOT NULL,
  scope TEXT NOT NULL, writes BIGINT NOT NULL, created BIGINT NOT NULL, used BIGINT, revoked BIGINT,
  PRIMARY KEY (person, id)
);
CREATE UNIQUE INDEX app_password_by_hash ON app_password (hash);
CREATE TABLE secret (             -- what the host keeps for itself, like the key of its TLS certificate
  name TEXT NOT NULL PRIMARY KEY, value BLOB NOT NULL
);
