-- Working time against a count of minutes, and against its own inverse; across midnight, weekends, holidays and changes of the clock.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();
INSERT INTO crm.holiday VALUES ('2026-12-25', 'Christmas'), ('2026-03-27', 'a Friday'), ('2026-10-26', 'a Monday after the clock was put back');

-- Hand-made
SELECT is(crm.business_time('2026-01-01', '2026-01-03 12:00'), '60:00', 'without limits it is the time that passed');
SELECT is(crm.business_time('2026-01-02 16:00', '2026-01-05 10:00', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '02:00', 'Friday afternoon to Monday morning');
SELECT is(crm.business_time('2026-01-05 10:00', '2026-01-02 16:00', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '-02:00', 'and back');
SELECT is(crm.business_time('2026-01-03', '2026-01-04 23:59', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '0', 'a weekend');
SELECT is(crm.business_time('2026-12-24 12:00 Europe/Berlin', '2026-12-26 12:00 Europe/Berlin', 'Europe/Berlin', '08:00', '20:00'), '12:00', 'a holiday in between');
SELECT is(crm.business_time('2026-03-28 12:00 Europe/Berlin', '2026-03-29 12:00 Europe/Berlin', 'Europe/Berlin'), '23:00', 'a night with an hour less');
SELECT is(crm.business_time('2026-10-24 12:00 Europe/Berlin', '2026-10-25 12:00 Europe/Berlin', 'Europe/Berlin'), '25:00', 'a night with an hour more');
SELECT is(crm.business_time('2026-01-01 08:59:59.999999', '2026-01-01 09:00:00.000001', 'UTC', '09:00', '17:00'), '0.000001', 'a microsecond');
SELECT is(crm.add_business_time('2026-01-02 16:00', '2 hours', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '2026-01-05 10:00', 'two hours later');
SELECT is(crm.add_business_time('2026-01-02 16:00', '1 hour', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '2026-01-02 17:00', 'the end of the day, not the beginning of the next');
SELECT is(crm.add_business_time('2026-01-03 16:00', '0', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '2026-01-03 16:00', 'nothing to wait for');
SELECT is(crm.add_business_time('2026-01-03 16:00', '0.000001', 'UTC', '09:00', '17:00', '{1,2,3,4,5}'), '2026-01-05 09:00:00.000001', 'a microsecond of the next working day');
SELECT is(crm.add_business_time('2026-01-01', '1 day', 'UTC', '09:00', '17:00'), '2026-01-03 17:00', 'a day of the span is 24 working hours');
SELECT is(crm.add_business_time('2026-03-28 20:00 Europe/Berlin', '8 hours', 'Europe/Berlin'), '2026-03-29 05:00 Europe/Berlin', 'through the night with an hour less');

-- Brute force: a minute counts when the clock of the zone shows a working hour of a working day. Hours that the clock shows
-- twice or not at all are no limits here, as then "from opens to closes" says nothing.
CREATE FUNCTION pg_temp.count_minutes(from_at timestamptz, to_at timestamptz, zone text, opens time, closes time, weekdays smallint[]) RETURNS bigint LANGUAGE sql STABLE AS $$
	SELECT count(*) FROM generate_series(from_at, to_at - interval '1 minute', interval '1 minute') m, LATERAL (SELECT m AT TIME ZONE zone AS clock) c
	WHERE to_char(c.clock, 'ID')::smallint = ANY (weekdays) AND c.clock::time >= opens AND (c.clock::time < closes OR closes = '24:00')
		AND c.clock::date NOT IN ('2026-12-25', '2026-03-27', '2026-10-26')
$$;
CREATE TEMPORARY TABLE hours (zone text, opens time, closes time, weekdays smallint[]);
INSERT INTO hours VALUES ('UTC', '00:00', '24:00', '{1,2,3,4,5,6,7}'), ('Europe/Berlin', '09:00', '17:00', '{1,2,3,4,5}'), ('Europe/Berlin', '00:00', '24:00', '{1,2,3,4,5,6,7}'),
	('America/New_York', '00:00', '24:00', '{6,7}'), ('America/New_York', '03:30', '23:15', '{7,1,2}'), ('Australia/Lord_Howe', '08:00', '20:00', '{1,2,3,4,5,6,7}'),
	('Australia/Lord_Howe', '00:00', '24:00', '{7}'), ('Asia/Kathmandu', '10:00', '18:30', '{7,1,2,3,4,5}'), ('Pacific/Apia', '00:00', '06:00', '{1,3,5,7}'), ('America/Santiago', '00:00', '24:00', '{1,2,3,4,5,6,7}');
CREATE TEMPORARY TABLE span AS
SELECT h.*, moment.from_at, moment.from_at + n * interval '7 hours 13 minutes' AS to_at
FROM hours h, generate_series(1, 12, 2) n, LATERAL (
	SELECT m.day + ((n * 397) % 1440) * interval '1 minute' AS from_at
	FROM unnest('{2026-03-07 UTC,2026-03-27 UTC,2026-04-03 UTC,2026-09-04 UTC,2026-10-03 UTC,2026-10-24 UTC,2026-10-31 UTC,2026-12-24 UTC}'::timestamptz[]) m (day)
) moment;
SELECT is((SELECT count(*) FROM span), 480::bigint, 'spans around the changes of the clock');
ALTER TABLE span ADD minutes int;
UPDATE span SET minutes = pg_temp.count_minutes(from_at, to_at, zone, opens, closes, weekdays);
SELECT is_empty('SELECT *, crm.business_time(from_at, to_at, zone, opens, closes, weekdays) FROM span
	WHERE crm.business_time(from_at, to_at, zone, opens, closes, weekdays) IS DISTINCT FROM make_interval(mins => minutes)', 'working time is the number of working minutes');
SELECT isnt_empty('SELECT * FROM span WHERE crm.business_time(from_at, to_at, zone, opens, closes, weekdays) NOT IN (interval ''0'', to_at - from_at)', 'which are neither none nor all of them');

-- The deadline is the first moment at which so much working time has passed.
SELECT is_empty($$
	SELECT s.*, w.worked, a.deadline
	FROM span s, LATERAL (SELECT crm.business_time(from_at, to_at, zone, opens, closes, weekdays) AS worked) w,
		LATERAL (SELECT crm.add_business_time(from_at, w.worked, zone, opens, closes, weekdays) AS deadline) a
	WHERE a.deadline > to_at OR crm.business_time(from_at, a.deadline, zone, opens, closes, weekdays) <> w.worked
		OR w.worked > '0' AND crm.business_time(from_at, a.deadline - interval '1 microsecond', zone, opens, closes, weekdays) <> w.worked - interval '1 microsecond'
$$, 'the deadline is the inverse');
SELECT is_empty($$
	SELECT s.*, d.deadline
	FROM span s, LATERAL (SELECT crm.add_business_time(from_at, '31 hours 7 minutes', zone, opens, closes, weekdays) AS deadline) d
	WHERE to_at < from_at + interval '8 hours'
		AND (pg_temp.count_minutes(from_at, d.deadline, zone, opens, closes, weekdays) <> 31 * 60 + 7
		OR pg_temp.count_minutes(from_at, d.deadline - interval '1 minute', zone, opens, closes, weekdays) <> 31 * 60 + 6)
$$, 'counted by minutes, too');
SELECT is_empty($$
	SELECT * FROM span WHERE crm.business_time(from_at, to_at, zone, opens, closes, weekdays)
		<> crm.business_time(from_at, from_at + (to_at - from_at) / 3, zone, opens, closes, weekdays) + crm.business_time(from_at + (to_at - from_at) / 3, to_at, zone, opens, closes, weekdays)
$$, 'parts add up to the whole');

-- Whatever the session's time zone and style
SET LOCAL TimeZone = 'Pacific/Apia';
SET LOCAL DateStyle = 'SQL, DMY';
SET LOCAL IntervalStyle = 'sql_standard';
SELECT is_empty('SELECT * FROM span WHERE crm.business_time(from_at, to_at, zone, opens, closes, weekdays) IS DISTINCT FROM make_interval(mins => minutes)', 'in any session');

-- Errors
SELECT throws_ok($$SELECT crm.business_time(now(), now(), 'UTC', '10:00', '10:00')$$, '22023', 'argument "closes" must be after "opens"', 'closed all day');
SELECT throws_ok($$SELECT crm.add_business_time(now(), '1 hour', 'UTC', '10:00', '09:00')$$, '22023', 'argument "closes" must be after "opens"', 'closes before it opens');
SELECT throws_ok(format($$SELECT crm.business_time(now(), now(), weekdays => %L)$$, w), '22023', 'argument "weekdays" must list days from 1 (Monday) to 7 (Sunday)', w) FROM unnest(ARRAY['{}', '{0}', '{8}', '{1,NULL}']) w;
SELECT throws_ok($$SELECT crm.business_time(now(), now(), 'Middle/Earth')$$, '22023', 'time zone "Middle/Earth" not recognized', 'no such time zone');
SELECT throws_ok($$SELECT crm.business_time(now(), 'infinity')$$, '22023', 'working time needs finite moments', 'for ever');
SELECT throws_ok($$SELECT crm.add_business_time('-infinity', '1 hour')$$, '22023', 'working time needs a finite moment', 'since ever');
SELECT throws_ok($$SELECT crm.add_business_time(now(), '-1 hour')$$, '22023', 'argument "span" must not be below zero', 'backwards');
SELECT is(crm.business_time(NULL, now()), NULL, 'NULL gives NULL');
INSERT INTO crm.holiday SELECT d::date, 'closed for good' FROM generate_series('2026-01-01'::timestamp, '2127-01-01', '1 day') d ON CONFLICT DO NOTHING;
SELECT throws_ok($$SELECT crm.add_business_time('2026-01-02', '1 hour')$$, '22023', 'that working time does not pass within a hundred years', 'never open again');

SELECT * FROM finish();
ROLLBACK;
