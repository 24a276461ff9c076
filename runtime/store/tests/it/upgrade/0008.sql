-- A round that [[after]] is to look at.
UPDATE rounds SET to_conclude = 1 WHERE id = 1;
