-- What the first version wrote: a repair that ended, a tick whose run was interrupted in the middle of an effect, an alert
-- that fires, and the schedule.
INSERT INTO texts VALUES ('abc', 'name = "disk"');
INSERT INTO rounds VALUES
    (1, '{"person":{"runbook":"disk","request":"r1","who":"ann"}}', 'disk', 1772359200000000),
    (2, '{"tick":{"runbook":"disk","schedule":"* * * * * UTC","at":"2026-03-01T10:01:00Z"}}', 'disk', 1772359260000000);
INSERT INTO runs VALUES
    (1, 1, 'disk', 'a', 'steel', 'live', 'finished', 'repaired', 1, 'it is well', 1772359200000000, 1772359200000001, 1772359205000000),
    (2, 2, 'disk', 'b', 'steel', 'live', 'running', NULL, 0, '', 1772359260000000, 1772359260000001, NULL);
INSERT INTO events VALUES
    (1, 1, 1772359200000000, '{"requested":{"round":1,"occurrence":{"person":{"runbook":"disk","request":"r1","who":"ann"}},"mode":"live","runbook":"disk","text":"abc","target":"a","customer":"steel","alert":null,"input":{},"batch":0}}'),
    (1, 2, 1772359200000001, '"started"'),
    (1, 3, 1772359200000002, '{"invoked":{"key":{"step":"fix","phase":"apply","action":"a","attempt":1},"plugin":{"name":"fix","version":"1.0.0","digest":"d","kind":"remedy"},"params":{}}}'),
    (1, 4, 1772359200000003, '{"intended":{"key":{"step":"fix","phase":"apply","action":"a","attempt":1},"n":0,"call":{"capability":"exec","operation":"run","subject":"fix []","request":null,"content":null,"effect":true,"repeatable":false}}}'),
    (1, 5, 1772359200000004, '{"called":{"key":{"step":"fix","phase":"apply","action":"a","attempt":1},"n":0,"call":null,"answer":{"ok":null},"took_ms":1}}'),
    (1, 6, 1772359200000005, '{"ended":{"key":{"step":"fix","phase":"apply","action":"a","attempt":1},"outcome":{"done":{"applied":{"changed":true,"summary":"fixed","output":null,"undo":null}}}}}'),
    (1, 7, 1772359200000006, '{"step-finished":{"step":"fix","result":{"status":"ok","severity":null,"changed":true,"summary":"fixed","output":null}}}'),
    (1, 8, 1772359204000000, '{"verified":{"healed":true,"why":"it is well"}}'),
    (1, 9, 1772359205000000, '{"finished":{"verdict":"repaired","why":"it is well","changed":true}}'),
    (2, 1, 1772359260000000, '{"requested":{"round":2,"occurrence":{"tick":{"runbook":"disk","schedule":"* * * * * UTC","at":"2026-03-01T10:01:00Z"}},"mode":"live","runbook":"disk","text":"abc","target":"b","customer":"steel","alert":null,"input":{},"batch":0}}'),
    (2, 2, 1772359260000001, '"started"'),
    (2, 3, 1772359260000002, '{"invoked":{"key":{"step":"fix","phase":"apply","action":"a","attempt":1},"plugin":{"name":"fix","version":"1.0.0","digest":"d","kind":"remedy"},"params":{}}}'),
    (2, 4, 1772359260000003, '{"intended":{"key":{"step":"fix","phase":"apply","action":"a","attempt":1},"n":0,"call":{"capability":"exec","operation":"run","subject":"fix []","request":null,"content":null,"effect":true,"repeatable":false}}}');
INSERT INTO ticks (runbook, schedule, at) VALUES ('disk', '* * * * * UTC', 1772359260000000);
INSERT INTO alerts (customer, fingerprint, starts_at, ends_at, resolved, told, latest_start, since, heard_at, grade, source,
                    generator_url, labels, annotations)
VALUES ('steel', '00000000000000aa', 1772359200000000, 4102444800000000, 0, 'fired', 1772359200000000, 1772359200000000,
        1772359200000000, 'medium', 'prometheus', '', '{"alertname":"DiskFilling"}', '{}');
