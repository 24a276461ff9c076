-- What a runbook did to a target lately is found without a look at all that it ever did, and its
-- newest runs without sorting them all.
DROP INDEX runs_by_runbook;
CREATE INDEX runs_by_runbook ON runs (runbook);
CREATE INDEX runs_that_changed ON runs (runbook, target, finished_at) WHERE changed = 1;
CREATE INDEX runs_with_outcome ON runs (runbook, target, finished_at)
    WHERE verdict IN ('failed', 'not-repaired', 'changed', 'repaired', 'healthy');

-- Whether it has been looked at if a run that failed, or did not repair, is tried again.
ALTER TABLE runs ADD COLUMN followed INTEGER NOT NULL DEFAULT 0;
UPDATE runs SET followed = 1 WHERE verdict IN ('failed', 'not-repaired');
CREATE INDEX runs_to_follow ON runs (id) WHERE followed = 0 AND verdict IN ('failed', 'not-repaired');

-- Pauses and silences; kept when they are over.
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

-- Strikes of a runbook on a target: runs before `cleared_at` don't count any more, and at `told_at`
-- it was said that it is given up.
CREATE TABLE strikes (
    runbook TEXT NOT NULL,
    target TEXT NOT NULL,
    cleared_at INTEGER,
    cleared_by TEXT,
    told_at INTEGER,
    PRIMARY KEY (runbook, target)
) STRICT, WITHOUT ROWID;

-- What happened and started nothing: alerts that no runbook takes, ticks that were passed over.
CREATE TABLE unstarted (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL,
    -- JSON
    body TEXT NOT NULL
) STRICT;

CREATE INDEX unstarted_by_time ON unstarted (at);
