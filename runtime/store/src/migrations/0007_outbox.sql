CREATE TABLE notices (
    number INTEGER PRIMARY KEY AUTOINCREMENT,
    -- What makes that one event tells one notifier once.
    id TEXT NOT NULL UNIQUE,
    run INTEGER NOT NULL REFERENCES runs (id),
    notifier TEXT NOT NULL,
    topic TEXT NOT NULL,
    queued_at INTEGER NOT NULL,
    -- JSON
    notice TEXT NOT NULL,
    sealed BLOB,
    state TEXT NOT NULL,
    next_at INTEGER NOT NULL,
    why TEXT NOT NULL,
    settled_at INTEGER
) STRICT;

CREATE INDEX notices_waiting ON notices (notifier, number) WHERE state = 'waiting';

CREATE TABLE tries (
    notice INTEGER NOT NULL REFERENCES notices (number),
    n INTEGER NOT NULL,
    notifier TEXT NOT NULL,
    at INTEGER NOT NULL,
    -- None: it is under way, or the process ended meanwhile.
    outcome TEXT,
    message TEXT NOT NULL,
    took_ms INTEGER NOT NULL,
    -- JSON
    calls TEXT NOT NULL,
    PRIMARY KEY (notice, n)
) STRICT, WITHOUT ROWID;

CREATE INDEX tries_by_time ON tries (notifier, at);
