CREATE TABLE rounds (
    id INTEGER PRIMARY KEY,
    -- JSON; what makes that one occurrence starts one round.
    occurrence TEXT NOT NULL UNIQUE,
    runbook TEXT NOT NULL,
    opened_at INTEGER NOT NULL
, to_conclude INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    round INTEGER NOT NULL REFERENCES rounds (id),
    runbook TEXT NOT NULL,
    target TEXT,
    customer TEXT,
    mode TEXT NOT NULL,
    state TEXT NOT NULL,
    verdict TEXT,
    changed INTEGER NOT NULL,
    why TEXT NOT NULL,
    requested_at INTEGER NOT NULL,
    started_at INTEGER,
    finished_at INTEGER
, followed INTEGER NOT NULL DEFAULT 0, compacted INTEGER NOT NULL DEFAULT 0) STRICT;

CREATE INDEX runs_by_round ON runs (round);

CREATE INDEX runs_by_target ON runs (target) WHERE target IS NOT NULL;

CREATE INDEX runs_by_customer ON runs (customer) WHERE customer IS NOT NULL;

CREATE INDEX runs_by_verdict ON runs (verdict) WHERE verdict IS NOT NULL;

CREATE INDEX runs_unfinished ON runs (id) WHERE state <> 'finished';

CREATE TABLE events (
    run INTEGER NOT NULL REFERENCES runs (id),
    seq INTEGER NOT NULL,
    at INTEGER NOT NULL,
    -- JSON
    body TEXT NOT NULL, sealed BLOB,
    PRIMARY KEY (run, seq)
) STRICT, WITHOUT ROWID;

CREATE TABLE texts (
    hash TEXT PRIMARY KEY,
    text TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE ticks (
    runbook TEXT NOT NULL,
    schedule TEXT NOT NULL,
    at INTEGER NOT NULL, tick INTEGER, round INTEGER, passed TEXT,
    PRIMARY KEY (runbook, schedule)
) STRICT, WITHOUT ROWID;

CREATE TABLE alerts (
    id INTEGER PRIMARY KEY,
    customer TEXT NOT NULL,
    fingerprint TEXT NOT NULL,
    starts_at INTEGER NOT NULL,
    ends_at INTEGER NOT NULL,
    resolved INTEGER NOT NULL,
    -- The last edge of this firing that went on: nothing, fired, expired, resolved.
    told TEXT NOT NULL,
    -- The latest startsAt that was said of this firing.
    latest_start INTEGER NOT NULL,
    -- The startsAt that its edges carry.
    since INTEGER NOT NULL,
    -- When it was last heard of.
    heard_at INTEGER NOT NULL,
    grade TEXT NOT NULL,
    source TEXT NOT NULL,
    generator_url TEXT NOT NULL,
    -- JSON
    labels TEXT NOT NULL,
    annotations TEXT NOT NULL,
    UNIQUE (customer, fingerprint)
) STRICT;

CREATE INDEX alerts_by_end ON alerts (told, ends_at);

CREATE TABLE edges (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- JSON
    body TEXT NOT NULL
) STRICT;

CREATE TABLE attention (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    at INTEGER NOT NULL
) STRICT;

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

CREATE TABLE seal (
    only INTEGER PRIMARY KEY CHECK (only = 1),
    key TEXT NOT NULL
) STRICT;

CREATE INDEX runs_by_runbook ON runs (runbook);

CREATE INDEX runs_that_changed ON runs (runbook, target, finished_at) WHERE changed = 1;

CREATE INDEX runs_with_outcome ON runs (runbook, target, finished_at)
    WHERE verdict IN ('failed', 'not-repaired', 'changed', 'repaired', 'healthy');

CREATE INDEX runs_to_follow ON runs (id) WHERE followed = 0 AND verdict IN ('failed', 'not-repaired');

CREATE TABLE holds (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    -- JSON
    what TEXT NOT NULL,
    why TEXT NOT NULL,
    who TEXT NOT NULL,
    since INTEGER NOT NULL,
    until INTEGER,
    ended_at INTEGER,
    ended_by TEXT
) STRICT;

CREATE INDEX holds_that_stand ON holds (id) WHERE ended_at IS NULL;

CREATE TABLE strikes (
    runbook TEXT NOT NULL,
    target TEXT NOT NULL,
    cleared_at INTEGER,
    cleared_by TEXT,
    told_at INTEGER,
    PRIMARY KEY (runbook, target)
) STRICT, WITHOUT ROWID;

CREATE TABLE unstarted (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- JSON
    body TEXT NOT NULL
) STRICT;

CREATE INDEX unstarted_by_time ON unstarted (at);

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
, told_to INTEGER) STRICT;

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

CREATE INDEX rounds_to_conclude ON rounds (id) WHERE to_conclude = 1;

CREATE INDEX notices_by_run ON notices (run);

CREATE INDEX notices_settled ON notices (settled_at) WHERE settled_at IS NOT NULL;

CREATE INDEX rounds_below ON rounds (json_extract(occurrence, '$.step.above[0]'))
    WHERE json_extract(occurrence, '$.step.above[0]') IS NOT NULL;
