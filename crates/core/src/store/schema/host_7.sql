-- The newest number that a passkey of the person's was given: none is given twice.
ALTER TABLE person ADD COLUMN passkey BIGINT NOT NULL DEFAULT 0;
UPDATE person SET passkey = (SELECT COALESCE(MAX(k.id), 0) FROM passkey k WHERE k.person = person.person);
