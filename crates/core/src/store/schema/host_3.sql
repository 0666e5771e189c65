-- How parties prove who they are, whatever the way; what they may do is in their persons' ledgers.
CREATE TABLE credential (
  person BIGINT NOT NULL, id BIGINT NOT NULL,
  party BIGINT NOT NULL,            -- 0: an app password of before, whose party is not in the ledger yet
  kind TEXT NOT NULL,               -- app-password
  name TEXT NOT NULL, hash BLOB NOT NULL,
  created BIGINT NOT NULL, used BIGINT, expires BIGINT, revoked BIGINT,
  PRIMARY KEY (person, id)
);
INSERT INTO credential (person, id, party, kind, name, hash, created, used, revoked)
  SELECT person, id, 0, 'app-password', name, hash, created, used, revoked FROM app_password;
CREATE UNIQUE INDEX credential_by_hash ON credential (hash);
CREATE TABLE reach (                -- whom a person here was made known to: where to look for what others share
  guest TEXT NOT NULL, owner BIGINT NOT NULL,
  PRIMARY KEY (guest, owner)
);
CREATE TABLE attempt (              -- tries at signing in that may have been wrong, by what is limited
  key TEXT NOT NULL PRIMARY KEY, count BIGINT NOT NULL, since BIGINT NOT NULL, until BIGINT NOT NULL
);
