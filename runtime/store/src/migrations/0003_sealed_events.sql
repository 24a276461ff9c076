-- What plugins sent, got and said is sealed with the home's key from here on. Rows with nothing in
-- `sealed` are older, or of a store without a key; sealed ones have an empty `body`.
ALTER TABLE events ADD COLUMN sealed BLOB;

-- The fingerprint of the key that the journal is sealed with.
CREATE TABLE seal (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    key TEXT NOT NULL
) STRICT;
