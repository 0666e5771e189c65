-- Signing in: what a person proves themself with, and what that opens.
ALTER TABLE person ADD COLUMN admin BIGINT NOT NULL DEFAULT 0;  -- 1: may invite people and look after their accounts
UPDATE person SET admin = 1 WHERE person = (SELECT MIN(person) FROM person WHERE removed IS NULL);
ALTER TABLE person ADD COLUMN proofs BIGINT NOT NULL DEFAULT 0; -- how often what they prove themself with was changed or taken away
CREATE TABLE session (              -- what a credential of the kind "session" has beside
  person BIGINT NOT NULL, credential BIGINT NOT NULL,
  awaits BIGINT NOT NULL,           -- 1: the password was right, the second factor is due
  proven BIGINT NOT NULL,           -- when the person last proved all that is asked of them
  address TEXT NOT NULL, agent TEXT NOT NULL,
  PRIMARY KEY (person, credential)
);
CREATE TABLE passkey (
  person BIGINT NOT NULL, id BIGINT NOT NULL,
  handle BLOB NOT NULL,             -- the authenticator's own name for it (credential id)
  name TEXT NOT NULL, record TEXT NOT NULL, -- record: JSON, public key and counter
  created BIGINT NOT NULL, used BIGINT,
  PRIMARY KEY (person, id)
);
CREATE UNIQUE INDEX passkey_by_handle ON passkey (handle);
CREATE TABLE totp (
  person BIGINT NOT NULL PRIMARY KEY, secret BLOB NOT NULL,
  proven BIGINT,                    -- when its first code was right: from then on it is asked for
  step BIGINT NOT NULL              -- the newest step a code was used of
);
CREATE TABLE recovery_code (
  person BIGINT NOT NULL, hash BLOB NOT NULL, used BIGINT,
  PRIMARY KEY (person, hash)
);
CREATE TABLE known_device (         -- browsers that a person signed in with: strangers' tries do not shut them out
  hash BLOB NOT NULL PRIMARY KEY, person BIGINT NOT NULL, used BIGINT NOT NULL
);
CREATE TABLE ticket (               -- what whoever holds it may do, once
  hash BLOB NOT NULL PRIMARY KEY, kind TEXT NOT NULL,
  person BIGINT NOT NULL,           -- whom it concerns; 0: nobody who is here yet
  body TEXT NOT NULL,               -- JSON, by kind
  created BIGINT NOT NULL, expires BIGINT NOT NULL
);
