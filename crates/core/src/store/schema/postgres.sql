-- What PostgreSQL alone needs, beside the tables of host and people.
CREATE TABLE writer (             -- one row a connection that writes: which of its transactions was committed last
  id BYTEA NOT NULL PRIMARY KEY, turn BIGINT NOT NULL, at TIMESTAMPTZ NOT NULL
);
-- What is sealed can not be made smaller.
ALTER TABLE content ALTER COLUMN bytes SET STORAGE EXTERNAL;
