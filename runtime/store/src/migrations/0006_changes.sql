-- What was done to the world: append-only, and each record carries the hash of the one before.
CREATE TABLE changes (
    -- From 1, without gaps.
    seq INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    runbook TEXT NOT NULL,
    target TEXT,
    customer TEXT,
    -- JSON, or empty if it is sealed.
    body TEXT NOT NULL,
    sealed BLOB,
    prev TEXT NOT NULL,
    hash TEXT NOT NULL,
    -- Of the hash, with the home's key.
    mac TEXT
) STRICT;

CREATE INDEX changes_by_run ON changes (run);
