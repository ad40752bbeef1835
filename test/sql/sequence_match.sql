-- sequence_match: the surface and the errors of the aggregates crm.sequence_match and crm.sequence_count.
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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('sequence_match', 'sequence_count')
ORDER BY p.proname, p.pronargs;

-- ClickHouse's documentation of sequenceMatch: rows where no condition holds are not there
CREATE TEMPORARY TABLE t (time timestamptz, number int);
INSERT INTO t VALUES (to_timestamp(1), 1), (to_timestamp(2), 3), (to_timestamp(3), 2);
SELECT crm.sequence_match('(?1)(?2)', time, number = 1, number = 2), crm.sequence_match('(?1)(?2)', time, number = 1, number = 2, number = 3),
	crm.sequence_match('(?1)(?2)', time, number = 1, number = 2, number = 4), crm.sequence_match('(?1).*(?2)', time, number = 1, number = 2, number = 3)
FROM t;
-- and of sequenceCount
INSERT INTO t VALUES (to_timestamp(4), 1), (to_timestamp(5), 3), (to_timestamp(6), 2);
SELECT crm.sequence_count('(?1).*(?2)', time, number = 1, number = 2), crm.sequence_match('(?1).*(?2).*(?1)(?3)', time, number = 1, number = 2, number = 4) FROM t;

-- patterns, with how often they are found
SELECT pattern, crm.sequence_match(pattern, time, number = 1, number = 2, number = 3), crm.sequence_count(pattern, time, number = 1, number = 2, number = 3)
FROM t, unnest(ARRAY['(?1)', '.', '. .', '.*.', '(?1)(?3)(?2)', '(?1).(?2)', '(?1)..(?1)', '(?1)...(?1)', '(?2)(?1)', '(?1)(?2)', '(?1)(?t<2)(?2)', '(?1)(?t<=2)(?2)', '(?1)(?t<2.000001)(?2)', '(?1)(?t>2)(?2)', '(?1)(?t>=2)(?2)',
	'(?1)(?t==5)(?2)', '(?1)(?t=5)(?2)', '(?1)(?t>2)(?t<=5)(?2)', '(?1)(?t<=''2 seconds'')(?2)', '(?1)(?t<''00:00:02'')(?2)', '(?1)(?t>=0)(?t<0)(?2)', '.*(?3).*', ' (? 1 ) (? t <= 2 ) (?2) ', '(?1)(?t<=''1 day'')(?2)(?t<=1)(?1)']) pattern
GROUP BY pattern ORDER BY pattern COLLATE "C";

-- NULL: a condition is false, a time is not used; no rows
SELECT crm.sequence_match('(?1)(?2)', time, a, b), crm.sequence_count('.', time, a, b) FROM (VALUES (to_timestamp(1), true, NULL), (NULL, true, true), (to_timestamp(2), NULL, true)) v (time, a, b);
SELECT crm.sequence_match('(?1)', time, true), crm.sequence_count('(?1)', time, true) FROM t WHERE false;
SELECT crm.sequence_match('(?1)', NULL, true), crm.sequence_count('(?1)', time, NULL) FROM t;
-- rows of one time are in the order of their conditions, the first before the second
SELECT crm.sequence_count('(?1)(?2)', time, a, b), crm.sequence_count('(?2)(?1)', time, a, b) FROM (VALUES (to_timestamp(1), true, false), (to_timestamp(1), false, true)) v (time, a, b);
SELECT crm.sequence_count('(?1)(?1)', time, true) FROM (VALUES (timestamptz '-infinity'), ('2020-01-01'), ('infinity')) v (time);
SELECT crm.sequence_count('(?1)(?t>3600)(?1)', time, true), crm.sequence_count('(?1)(?t<3600)(?1)', time, true) FROM (VALUES (timestamptz '-infinity'), ('infinity')) v (time);

-- the errors
SELECT crm.sequence_match(NULL, time, true) FROM t;
SELECT crm.sequence_match('', time, true) FROM t;
SELECT crm.sequence_match('.*', time, true) FROM t;
SELECT crm.sequence_match('(?2)', time, true) FROM t;
SELECT crm.sequence_match('(?0)', time, true) FROM t;
SELECT crm.sequence_match('(?1)Ж(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1).*Ж', time, true) FROM t;
SELECT crm.sequence_match('(?1', time, true) FROM t;
SELECT crm.sequence_match('(?x)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t~5)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=x)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=0.1234567)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=99999999999999)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=''1 day)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=''1 month'')(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=''-1 day'')(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=''soon'')(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=''2000000000 days'')(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?t<=1)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=1)', time, true) FROM t;
SELECT crm.sequence_match('(?1).*(?t<=1)(?1)', time, true) FROM t;
SELECT crm.sequence_match('(?1)(?t<=1).*(?1)', time, true) FROM t;
SELECT crm.sequence_match(repeat('(?1)', 64), time, true), crm.sequence_match(repeat('(?1)', 65), time, true) FROM t;
SELECT crm.sequence_match('(?1)', time, VARIADIC array_fill(true, ARRAY[33])) FROM t;
SELECT crm.sequence_match('(?1)', time, VARIADIC array_fill(true, ARRAY[number])) FROM t;
SELECT crm.sequence_match('(?' || number || ')', time, true, true, true) FROM t;
SET maintenance_work_mem = '1MB';
SELECT crm.sequence_count('(?1)', now(), true) FROM generate_series(1, 65537);
RESET maintenance_work_mem;
