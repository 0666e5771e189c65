-- Links: a credential of the kind "link" may ask for a password beside its token.
ALTER TABLE credential ADD COLUMN phrase TEXT;  -- a PHC string
