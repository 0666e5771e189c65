-- By which time upkeep judges what is old, and what the clock showed in its last round; 0: it has had none.
ALTER TABLE head ADD COLUMN upkept BIGINT NOT NULL DEFAULT 0;
ALTER TABLE head ADD COLUMN clock BIGINT NOT NULL DEFAULT 0;
