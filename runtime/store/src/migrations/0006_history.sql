-- The cool-down's question: the ends of a runbook on a target, the latest first.
CREATE INDEX runs_by_history ON runs (runbook, target, finished_at);
DROP INDEX runs_by_runbook;
