-- 1: [[after]] is to look at its runs when all of them have ended.
ALTER TABLE rounds ADD COLUMN to_conclude INTEGER NOT NULL DEFAULT 0;

CREATE INDEX rounds_to_conclude ON rounds (id) WHERE to_conclude = 1;
