-- funnel: the surface and the errors of the aggregates crm.window_funnel and crm.retained.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET DateStyle = 'ISO';
SET IntervalStyle = 'postgres';
SET TimeZone = 'UTC';

SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.prokind, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('window_funnel', 'retained')
ORDER BY p.proname, p.pronargs;

-- the examples of ClickHouse's own tests: a chain within a window of seconds
CREATE TEMPORARY TABLE visit (at timestamptz, event int);
INSERT INTO visit SELECT timestamptz '2018-01-01 01:01:00' + i * interval '1 second', 1000 + i FROM generate_series(1, 8) i;
SELECT crm.window_funnel('4 seconds', at, event = 1003, event = 1004, event = 1005, event = 1006, event = 1007),
	crm.window_funnel('3 seconds', at, event = 1003, event = 1004, event = 1005, event = 1006, event = 1007),
	crm.window_funnel('2 seconds', at, event = 1003, event = 1004, event = 1005, event = 1006, event = 1007),
	crm.window_funnel('3 hours', at, event = 1001, event = 1008),
	crm.window_funnel('3 hours', at, event = 1008, event = 1001),
	crm.window_funnel('4 seconds', at, event <= 1007, event >= 1002, event <= 1006, event >= 1004)
FROM visit;

-- each mode, and several of them
CREATE TEMPORARY TABLE step (customer int, at timestamptz, event text);
INSERT INTO step SELECT c, timestamptz '2020-01-01' + i * interval '1 second', substr(events, i, 1)
FROM unnest(ARRAY['abc', 'adbc', 'aabbcc', 'aaaabbcc', 'aabbdcc', 'ccbbaa', 'acb']) WITH ORDINALITY s (events, c), generate_series(1, length(events)) i;
SELECT customer, crm.window_funnel('1 day', at, event = 'a', event = 'b', event = 'c'),
	crm.window_funnel('1 day', 'strict_order', at, event = 'a', event = 'b', event = 'c'),
	crm.window_funnel('1 day', 'strict_order,strict_deduplication', at, event = 'a', event = 'b', event = 'c'),
	crm.window_funnel('1 day', 'strict_order, allow_reentry', at, event = 'a', event = 'b', event = 'c'),
	crm.window_funnel('1 day', ' strict_once  strict_increase,', at, event = 'a', event = 'b', event = 'c'),
	crm.window_funnel('1 day', '', at, event = 'a', event = 'b', event = 'c')
FROM step GROUP BY customer ORDER BY customer;
SELECT mode, crm.window_funnel('0', mode, timestamptz '2020-01-01', true, true, true) FROM unnest(ARRAY['', 'strict_once', 'strict_increase', 'strict_deduplication', 'strict_order']) mode GROUP BY mode ORDER BY mode;

-- ClickHouse's documentation of windowFunnel
SELECT crm.window_funnel('70000000 days', at, event = 1003, event = 1009, event = 1007, event = 1010)
FROM (VALUES (timestamptz '2019-01-29 10:00', 1003), ('2019-01-31 09:00', 1007), ('2019-01-30 08:00', 1009), ('2019-02-01 08:00', 1010)) v (at, event);

-- NULL: a condition is false, a time is not used; no rows
SELECT crm.window_funnel('1 day', at, a, b), crm.window_funnel('1 day', 'strict_order', at, a, b)
FROM (VALUES (timestamptz '2020-01-01', true, NULL), (NULL, NULL, true), ('2020-01-01 01:00', NULL, true)) v (at, a, b);
SELECT crm.window_funnel('1 day', NULL, true), crm.window_funnel('1 day', now(), NULL, NULL);
SELECT crm.window_funnel('1 day', now(), true), crm.window_funnel('1 day', 'strict_order', now(), true), crm.retained(true) WHERE false;
SELECT crm.window_funnel('1 day', at, event = 1001) FILTER (WHERE false) FROM visit;

-- months and days are the calendar's: February is short, and so is a day when clocks go forward
SELECT crm.window_funnel('1 month', at, n = 1, n = 2), crm.window_funnel('30 days', at, n = 1, n = 2)
FROM (VALUES (timestamptz '2021-01-31', 1), ('2021-02-28', 2)) v (at, n);
SELECT crm.window_funnel('1 month', at, n = 1, n = 2), crm.window_funnel('30 days', at, n = 1, n = 2)
FROM (VALUES (timestamptz '2021-01-31', 1), ('2021-03-01', 2)) v (at, n);
SELECT crm.window_funnel('1 mon 1 day 01:00', at, n = 1, n = 2), crm.window_funnel('1 mon 1 day', at, n = 1, n = 2)
FROM (VALUES (timestamptz '2021-01-31', 1), ('2021-03-01 01:00', 2)) v (at, n);
-- the end of a window that begins later may come earlier: 30 January 23:00 ends after 31 January 01:00
SELECT crm.window_funnel('1 month', at, n = 1, n = 2)
FROM (VALUES (timestamptz '2021-01-30 23:00', 1), ('2021-01-31 01:00', 1), ('2021-02-28 20:00', 2)) v (at, n);
SET TimeZone = 'Europe/Berlin';
SELECT crm.window_funnel('1 day', at, n = 1, n = 2), crm.window_funnel('24 hours', at, n = 1, n = 2)
FROM (VALUES (timestamptz '2021-03-27 12:00', 1), ('2021-03-28 12:30', 2)) v (at, n);
SET TimeZone = 'UTC';

-- the ends of time
SELECT crm.window_funnel('1 day', at, n = 1, n = 2, n = 3), crm.window_funnel('500000 years', at, n = 1, n = 2, n = 3)
FROM (VALUES (timestamptz '-infinity', 1), ('-infinity', 2), ('4713-01-01 BC', 3)) v (at, n);
SELECT crm.window_funnel('1 day', at, n = 1, n = 2, n = 3), crm.window_funnel('290000 years', at, n = 1, n = 2, n = 3), crm.window_funnel('2000000000 days 23:59', at, n = 1, n = 2, n = 3)
FROM (VALUES (timestamptz '4713-01-01 BC', 1), ('294276-12-31', 2), ('infinity', 3)) v (at, n);

-- other types of time are cast; conditions as an array
SELECT crm.window_funnel('1 day', d, true) FROM (VALUES (date '2020-01-01')) v (d);
SELECT crm.window_funnel('1 day', d, true) FROM (VALUES (timestamp '2020-01-01')) v (d);
SELECT crm.window_funnel('4 seconds', at, VARIADIC ARRAY[event = 1003, event = 1004, NULL]) FROM visit;

-- the errors
SELECT crm.window_funnel(NULL, at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 day', NULL::text, at, event = 1001) FROM visit;
SELECT crm.window_funnel('-1 day', at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 month -40 days', at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 day', 'strict', at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 day', 'strict_order;strict_once', at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 day', 'STRICT_ORDER', at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 day', 'allow_reentry', at, event = 1001) FROM visit;
SELECT crm.window_funnel('1 day', at, VARIADIC NULL::boolean[]) FROM visit;
SELECT crm.window_funnel('1 day', at, VARIADIC '{}'::boolean[]) FROM visit;
SELECT crm.window_funnel('1 day', at, VARIADIC '{{t,f},{t,f}}'::boolean[]) FROM visit;
SELECT crm.window_funnel('1 day', at, VARIADIC array_fill(true, ARRAY[32])) FROM visit;
SELECT crm.window_funnel('1 day', at, VARIADIC array_fill(true, ARRAY[33])) FROM visit;
SELECT crm.window_funnel('1 day', at, VARIADIC array_fill(true, ARRAY[event - 1000])) FROM visit;
SELECT crm.window_funnel(event * interval '1 day', at, true) FROM visit;
SELECT crm.window_funnel('1 day', CASE WHEN event < 1004 THEN '' ELSE 'strict_once' END, at, true) FROM visit;
SET maintenance_work_mem = '1MB';
SELECT crm.window_funnel('1 day', now(), true) FROM generate_series(1, 65536);
SELECT crm.window_funnel('1 day', now(), true) FROM generate_series(1, 65537);
SELECT crm.window_funnel('1 day', now(), false) FROM generate_series(1, 65537);
RESET maintenance_work_mem;

-- crm.retained: ClickHouse's documentation of retention
SELECT uid, crm.retained(day = date '2020-01-01', day = date '2020-01-02', day = date '2020-01-03')
FROM (SELECT date '2020-01-01' AS day, generate_series(0, 4) AS uid UNION ALL SELECT date '2020-01-02', generate_series(0, 9) UNION ALL SELECT date '2020-01-03', generate_series(0, 14)) v
GROUP BY uid ORDER BY uid;
SELECT crm.retained(a, b, c) FROM (VALUES (NULL, true, false), (true, NULL, false)) v (a, b, c);
SELECT crm.retained(VARIADIC array_fill(true, ARRAY[32]));
SELECT crm.retained(VARIADIC array_fill(true, ARRAY[31]) || false);
SELECT crm.retained(NULL), crm.retained(NULL, true);
SELECT crm.retained(VARIADIC NULL::boolean[]);
SELECT crm.retained(VARIADIC array_fill(true, ARRAY[33]));
SELECT crm.retained(VARIADIC '{}'::boolean[]);
SELECT crm.retained(VARIADIC array_fill(true, ARRAY[event - 1000])) FROM visit;
