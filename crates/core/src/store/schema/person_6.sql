-- Files that come in pieces. Their whole size is charged from the beginning; what has come is a content that grows.
CREATE TABLE upload (
  person BIGINT NOT NULL, id BIGINT NOT NULL,
  party BIGINT NOT NULL,          -- who sends it
  path TEXT NOT NULL,             -- where it is to be
  size BIGINT NOT NULL, received BIGINT NOT NULL,
  content BIGINT NOT NULL,        -- what has come; 0: nothing yet, or all of it stands in its place
  done BIGINT NOT NULL,           -- 1: it stands in its place
  type TEXT, modified BIGINT,     -- as the client gave them
  expires BIGINT NOT NULL,        -- when it is given up, by upkeep's time
  PRIMARY KEY (person, id)
) WITHOUT ROWID;
