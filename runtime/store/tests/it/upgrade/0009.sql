-- A run that lost its calls.
UPDATE runs SET compacted = 1 WHERE id = 1;
