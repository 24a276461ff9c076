-- What plugins remember, by plugin (its name alone), runbook, step and target. Kept when a runbook
-- or a step is gone: it may come back.
CREATE TABLE memories (
    id INTEGER PRIMARY KEY,
    plugin TEXT NOT NULL,
    runbook TEXT NOT NULL,
    step TEXT NOT NULL,
    target TEXT NOT NULL,
    -- Of its entries; bytes are those of keys and values.
    keys INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    -- The highest version that a deleted key had.
    floor INTEGER NOT NULL,
    UNIQUE (plugin, runbook, step, target)
) STRICT;

CREATE TABLE remembered (
    memory INTEGER NOT NULL REFERENCES memories (id),
    key TEXT NOT NULL,
    value BLOB NOT NULL,
    version INTEGER NOT NULL,
    -- The call that wrote it, so that it may be made again after a crash.
    write TEXT NOT NULL,
    PRIMARY KEY (memory, key)
) STRICT, WITHOUT ROWID;
