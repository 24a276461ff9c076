-- How many runs are below the one that something else than a step asked for.
CREATE INDEX rounds_below ON rounds (json_extract(occurrence, '$.step.above[0]'))
    WHERE json_extract(occurrence, '$.step.above[0]') IS NOT NULL;
