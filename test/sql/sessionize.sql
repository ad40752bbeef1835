-- sessionize: the surface and the errors of the window function crm.sessionize.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';

SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.prokind, p.provolatile
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = 'sessionize';

CREATE TEMPORARY TABLE visit (customer int, at timestamptz);
INSERT INTO visit VALUES (1, '2020-01-01 10:00'), (1, '2020-01-01 10:30'), (1, '2020-01-01 11:00:00.000001'), (1, '2020-01-01 11:00:00.000001'), (1, NULL), (1, '2020-01-02'),
	(2, '2020-01-01 10:00'), (2, '2020-01-01 10:20'), (3, NULL);
-- a silence longer than the gap begins a session; a NULL time has none
SELECT customer, at, crm.sessionize(at, '30 minutes') OVER (PARTITION BY customer ORDER BY at) FROM visit ORDER BY customer, at;
SELECT customer, at, crm.sessionize(at, '30 minutes') OVER (PARTITION BY customer ORDER BY at NULLS FIRST) FROM visit ORDER BY customer, at NULLS FIRST;
SELECT at, crm.sessionize(at, '0') OVER (PARTITION BY customer ORDER BY at) FROM visit WHERE customer = 1 ORDER BY at;
-- the frame does not matter
SELECT at, crm.sessionize(at, '30 minutes') OVER (PARTITION BY customer ORDER BY at ROWS BETWEEN CURRENT ROW AND 1 FOLLOWING) FROM visit WHERE customer = 1 ORDER BY at;
SELECT crm.sessionize(now(), '1 day') OVER () WHERE false;
SELECT crm.sessionize(now(), '1 day') OVER ();

-- months and days are the calendar's
SELECT at, crm.sessionize(at, '1 month') OVER w, crm.sessionize(at, '30 days') OVER w FROM (VALUES (timestamptz '2021-01-31'), ('2021-02-28'), ('2021-03-29'), ('2021-04-29'), ('2021-05-30')) v (at) WINDOW w AS (ORDER BY at);
SET TimeZone = 'Europe/Berlin';
SELECT crm.sessionize(at, '1 day') OVER w, crm.sessionize(at, '24 hours') OVER w FROM (VALUES (timestamptz '2021-03-27 12:00'), ('2021-03-28 12:30')) v (at) WINDOW w AS (ORDER BY at);
SET TimeZone = 'UTC';
-- the ends of time
SELECT at, crm.sessionize(at, '1 day') OVER w, crm.sessionize(at, '500000 years') OVER w
FROM (VALUES (timestamptz '-infinity'), ('-infinity'), ('4713-01-01 BC'), ('294276-12-31 10:00'), ('294276-12-31 20:00'), ('infinity')) v (at) WINDOW w AS (ORDER BY at);
-- the gap may differ from row to row: each row's own tells whether it begins a session
SELECT n, crm.sessionize(timestamptz '2020-01-01' + n * interval '1 hour', CASE WHEN n % 2 = 0 THEN interval '2 hours' ELSE '30 min' END) OVER (ORDER BY n) FROM generate_series(1, 5) n;

-- the errors
SELECT crm.sessionize(at, '1 day') OVER (ORDER BY at DESC NULLS LAST) FROM visit;
SELECT crm.sessionize(at, '1 day') OVER (ORDER BY customer DESC, at) FROM visit WHERE customer < 3;
SELECT crm.sessionize(at, NULL) OVER (ORDER BY at) FROM visit;
SELECT crm.sessionize(at, '-1 day') OVER (ORDER BY at) FROM visit;
SELECT crm.sessionize(at, '1 month -31 days') OVER (ORDER BY at) FROM visit;
SELECT crm.sessionize(at, '1 day') FROM visit;
