-- What a plugin remembers.
INSERT INTO memories VALUES (1, 'fix', 'disk', 'fix', 'a', 1, 7, 0);
INSERT INTO remembered VALUES (1, 'last', X'010203', 4, 'w1');
