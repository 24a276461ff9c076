-- What became of a schedule's ticks. `at` is up to where they have been seen to.

-- The last tick that had a round, and that round, which need not be kept as long.
ALTER TABLE ticks ADD COLUMN tick INTEGER;
ALTER TABLE ticks ADD COLUMN round INTEGER;
-- JSON: the last ticks that had none, and why.
ALTER TABLE ticks ADD COLUMN passed TEXT;
