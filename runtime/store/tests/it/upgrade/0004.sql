-- The last tick that had a round, and those before it that had none.
UPDATE ticks SET tick = 1772359260000000, round = 2,
    passed = '{"from":"2026-03-01T09:00:00Z","to":"2026-03-01T10:00:00Z","count":61,"why":"no daemon kept the schedules then"}';
