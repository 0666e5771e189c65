-- Who of many did something with one node is told by the index alone: their rows lie on as many pages.
DROP INDEX access_record_by_entry;
CREATE INDEX access_record_by_entry ON access_record (person, entry, last, id, party);
