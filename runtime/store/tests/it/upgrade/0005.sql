-- A pause that stands, a silence that somebody ended, strikes that were told of, and what started nothing.
INSERT INTO holds (what, why, who, since, until, ended_at, ended_by) VALUES
    ('{"pause":{"customer":"steel"}}', 'the move', 'ann', 1772359200000000, NULL, NULL, NULL),
    ('{"silence":{"matchers":"alertname=\"Slow\""}}', 'known', 'ben', 1772359200000000, 1772366400000000, 1772362800000000, 'ann');
INSERT INTO strikes (runbook, target, told_at) VALUES ('disk', 'a', 1772359206000000);
INSERT INTO unstarted (at, body) VALUES
    (1772359260000000, '{"at":"2026-03-01T10:01:00Z","what":{"attempt":{"run":1,"runbook":"disk","target":"a"}},"why":"it is too late"}'),
    (1772359320000000, '{"at":"2026-03-01T10:02:00Z","what":{"alert":{"identity":{"customer":"steel","fingerprint":"00000000000000ab"},"labels":{"alertname":"Slow"},"annotations":{},"grade":"low","starts_at":"2026-03-01T10:02:00Z","ends_at":"2026-03-01T11:02:00Z","resolved":false,"generator_url":"","source":"prometheus"}},"why":"no runbook takes an alert `Slow`"}');
