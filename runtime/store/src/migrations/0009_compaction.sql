-- 1: the calls and log lines of the run were removed, because it ended long ago.
ALTER TABLE runs ADD COLUMN compacted INTEGER NOT NULL DEFAULT 0;

CREATE INDEX notices_by_run ON notices (run);

CREATE INDEX notices_settled ON notices (settled_at) WHERE settled_at IS NOT NULL;
