-- orders: crm.order_summary, its input and output, aggregates and accessors, and crm.period_number.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
CREATE SCHEMA test_orders;
SET search_path = test_orders, public;

-- What a statement fails with: SQLSTATE and message, then detail and hint where there are any.
CREATE FUNCTION fails(statement text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	more text;
	hint text;
BEGIN
	EXECUTE statement;
	RETURN NEXT 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, more = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN NEXT SQLSTATE || ': ' || message;
	IF more <> '' THEN RETURN NEXT '    detail: ' || more; END IF;
	IF hint <> '' THEN RETURN NEXT '    hint: ' || hint; END IF;
END $$;

-- the public functions: arguments, result, volatility, strictness, parallel safety
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace
	AND p.proname IN ('summarize', 'merge_summaries', 'order_count', 'skipped_count', 'first_order_at', 'last_order_at', 'total_amount', 'mean_amount', 'stddev_amount', 'period_number')
ORDER BY p.oid::regprocedure::text;
SELECT typname, typlen, typalign, typstorage, typbyval FROM pg_type WHERE oid = 'crm.order_summary'::regtype;

CREATE TABLE orders (id int, customer_id bigint, ordered_at timestamptz, amount float8);
INSERT INTO orders VALUES
	(1, 1, '2024-01-01 10:00', 10.50), (2, 1, '2024-03-01 11:00', 20.25), (3, 1, '2023-12-31 09:00', -5),
	(4, 2, '1999-05-05 00:00', 0.1), (5, 2, '2030-01-01 00:00', 0.2),
	(6, 3, '2024-01-01', 7),
	(7, 4, NULL, 1), (8, 4, '2024-01-01', NULL), (9, 4, 'infinity', 1), (10, 4, '-infinity', 1),
	(11, 4, '2024-01-01', 'NaN'), (12, 4, '2024-01-01', 'Infinity'), (13, 4, '2024-01-01', '-Infinity'),
	(14, 5, '4713-01-01 BC', 1e308), (15, 5, '294276-12-31', 1e308), (16, 5, '2024-01-01', 5e-324);
CREATE VIEW summary AS SELECT customer_id, crm.summarize(ordered_at, amount) AS s FROM orders GROUP BY customer_id;

-- a summary for each customer, and what it knows; unusable rows are skipped and counted; 1e308 twice is Infinity, its mean is not
SELECT customer_id, crm.order_count(s), crm.skipped_count(s), crm.first_order_at(s), crm.last_order_at(s),
	crm.total_amount(s), crm.mean_amount(s), round(crm.stddev_amount(s)::numeric, 9)
FROM summary WHERE customer_id < 5 ORDER BY 1;
SELECT customer_id, crm.order_count(s), crm.first_order_at(s), crm.last_order_at(s), crm.total_amount(s), crm.mean_amount(s) / 1e307, crm.stddev_amount(s)
FROM summary WHERE customer_id = 5;

-- nothing: NULL without rows, and all but the counts NULL with skipped rows alone
SELECT crm.summarize(ordered_at, amount) FROM orders WHERE false;
SELECT crm.order_count(s), crm.total_amount(s) FROM (SELECT crm.summarize(ordered_at, amount) FILTER (WHERE false) AS s FROM orders) q;
SELECT crm.order_count(s), crm.skipped_count(s), crm.first_order_at(s), crm.last_order_at(s), crm.total_amount(s), crm.mean_amount(s), crm.stddev_amount(s)
FROM (VALUES ('(0,3,,,0,0,0,0)'::crm.order_summary), (NULL)) v (s);

-- merging: the parts give the whole, NULLs and empty ones are nothing
SELECT crm.order_count(s), crm.skipped_count(s), crm.first_order_at(s), crm.last_order_at(s), crm.total_amount(s), crm.stddev_amount(s)
FROM (SELECT 1, crm.merge_summaries(s) FROM summary WHERE customer_id < 5
	UNION ALL SELECT 2, crm.summarize(ordered_at, amount) FROM orders WHERE customer_id < 5) q (n, s) ORDER BY n;
SELECT crm.merge_summaries(s) FROM (VALUES (NULL::crm.order_summary), ('(0,3,,,0,0,0,0)'), (NULL), ('(0,4,,,0,0,0,0)')) v (s);
SELECT crm.merge_summaries(s) FROM (VALUES (NULL::crm.order_summary)) v (s);
SELECT crm.merge_summaries(s) FROM summary WHERE false;

-- as window aggregates they run over frames
SELECT id, crm.order_count(crm.summarize(ordered_at, amount) OVER w), crm.total_amount(crm.summarize(ordered_at, amount) OVER w)
FROM orders WHERE customer_id = 1 WINDOW w AS (ORDER BY id) ORDER BY id;

-- text goes there and back, whatever the settings
SELECT customer_id, s FROM summary WHERE customer_id < 5 ORDER BY 1;
CREATE TABLE kept AS SELECT customer_id, s, s::text AS t, md5(crm._order_summary_send(s)) AS bits FROM summary;
SET TimeZone = 'Asia/Kolkata';
SET DateStyle = 'German, DMY';
SET extra_float_digits = -5;
SELECT bool_and(t::crm.order_summary::text = t AND s::text = t AND md5(crm._order_summary_send(t::crm.order_summary)) = bits) FROM kept;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET extra_float_digits = 1;
SELECT octet_length(crm._order_summary_send(s)), encode(crm._order_summary_send(s), 'hex') FROM summary WHERE customer_id = 3;

-- text that is no summary
SELECT n, fails(format('SELECT %L::crm.order_summary', text))
FROM (VALUES (1, ''), (2, '()'), (3, '0,0,,,0,0,0,0'), (4, '(1,0,2024-01-01Z,2024-01-01Z,1,0,1)'), (5, '(1,0,2024-01-01Z,2024-01-01Z,1,0,1,0,0)'),
	(6, '(-1,0,,,0,0,0,0)'), (7, '(0,-1,,,0,0,0,0)'), (8, '(1,0,2024-01-02Z,2024-01-01Z,1,0,1,0)'),
	(9, '(1,0,infinity,infinity,1,0,1,0)'), (10, '(1,0,2024-01-01Z,2024-01-01Z,NaN,0,1,0)'), (11, '(1,0,2024-01-01Z,2024-01-01Z,Infinity,0,1,0)'),
	(12, '(1,0,2024-01-01Z,2024-01-01Z,1,0,NaN,0)'), (13, '(0,0,,,1,0,0,0)'), (14, '(x,0,,,0,0,0,0)'), (15, '(0,0,,,x,0,0,0)'),
	(19, '(2,0,,,1,0,1,0)'), (20, '(0,0,2024-01-01Z,2024-01-01Z,0,0,0,0)'),
	(16, '(0,0,yesterday at noon,,0,0,0,0)'), (17, '(99999999999999999999,0,,,0,0,0,0)'), (18, '(0,0,,,0,0,0,0')) v (n, text)
ORDER BY n;

-- the private functions cannot be called by hand
SELECT fails('SELECT crm._summarize_transition(NULL, now(), 1)');
SELECT fails('SELECT crm._summarize_combine(NULL, ''(0,3,,,0,0,0,0)'')');
SELECT fails('SELECT crm._collect(customer_id, ordered_at, amount, NULL) FROM orders');
SELECT fails('SELECT crm._collect(customer_id, ordered_at, amount, ''{1,2}'') FROM orders');
SELECT fails('SELECT crm._collect(customer_id, ordered_at, amount, ''{{0,0,0,0,0}}'') FROM orders');
SELECT fails('SELECT crm._collect(customer_id, ordered_at, amount, ''{0,0,0,0,NULL}'') FROM orders');
SELECT fails('SELECT crm._collect(point(1, 1), ordered_at, amount, ''{0,0,0,0,0}'') FROM orders');
-- alone, crm._collect counts customers: those with an order it can use
SELECT crm._collect(customer_id, ordered_at, amount, '{9000000000000000000,0,0,0,0}') FROM orders;
SELECT crm._collect(customer_id, ordered_at, amount, '{9000000000000000000,0,0,0,0}') FROM orders WHERE false;

-- periods: days, weeks that begin on Monday, hours, months, quarters
SELECT day::date, to_char(day, 'Dy'), crm.period_number(day, '1 day', 'UTC'), crm.period_number(day, '1 week', 'UTC'), crm.period_number(day, '7 days', 'UTC'),
	crm.period_number(day, '12 hours', 'UTC'), crm.period_number(day, '1 month', 'UTC'), crm.period_number(day, '3 months', 'UTC'), crm.period_number(day, '1 year', 'UTC')
FROM unnest('{1999-12-01, 1999-12-26, 1999-12-27, 1999-12-31, 2000-01-01, 2000-01-02, 2000-01-03, 2000-01-09, 2000-01-10, 2000-02-01, 2024-02-29, 1900-03-01, 0001-01-01 BC}'::timestamptz[]) day
ORDER BY day;
-- the last microsecond of a period, and the first of the next
SELECT crm.period_number('2024-02-29 23:59:59.999999Z', p, 'UTC'), crm.period_number('2024-03-01 00:00:00Z', p, 'UTC') FROM unnest('{1 day, 1 month, 1 second}'::interval[]) p;

-- the days on which clocks change have 23 and 25 hours; an hour that comes twice is in one period
SELECT zone, at, crm.period_number(at, '1 day', zone) AS day, crm.period_number(at, '1 hour', zone) - crm.period_number(at, '1 day', zone) * 24 AS hour
FROM (VALUES ('Europe/Berlin', '2024-03-30 22:59:59Z'::timestamptz), ('Europe/Berlin', '2024-03-30 23:00Z'), ('Europe/Berlin', '2024-03-31 00:59:59Z'),
	('Europe/Berlin', '2024-03-31 01:00Z'), ('Europe/Berlin', '2024-03-31 21:59:59Z'), ('Europe/Berlin', '2024-03-31 22:00Z'),
	('Europe/Berlin', '2024-10-27 00:30Z'), ('Europe/Berlin', '2024-10-27 01:30Z'), ('Europe/Berlin', '2024-10-27 22:59:59Z'), ('Europe/Berlin', '2024-10-27 23:00Z'),
	('America/New_York', '2024-03-10 04:59:59Z'), ('America/New_York', '2024-03-10 05:00Z'), ('America/New_York', '2024-03-10 06:59:59Z'), ('America/New_York', '2024-03-10 07:00Z'),
	('America/New_York', '2024-03-11 03:59:59Z'), ('America/New_York', '2024-03-11 04:00Z'),
	('America/New_York', '2024-11-03 05:30Z'), ('America/New_York', '2024-11-03 06:30Z'), ('America/New_York', '2024-11-04 04:59:59Z'), ('America/New_York', '2024-11-04 05:00Z')) v (zone, at)
ORDER BY zone, at;

-- moments at infinity have no period, NULLs give NULL
SELECT crm.period_number('infinity', '1 day', 'UTC'), crm.period_number('-infinity', '1 day', 'UTC'),
	crm.period_number(NULL, '1 day', 'UTC'), crm.period_number('2024-01-01', NULL, 'UTC'), crm.period_number('2024-01-01', '1 day', NULL);

-- periods and zones that cannot be
SELECT p, fails(format('SELECT crm.period_number(''2024-01-01Z'', %L, ''UTC'')', p))
FROM unnest('{0, -1 day, -1 month, 1 month 1 day, 1 month 1 second, 999 milliseconds, 1 second}'::text[]) WITH ORDINALITY v (p, n) ORDER BY n;
SELECT fails('SELECT crm.period_number(''294276-12-31Z'', ''1 second'', ''UTC'')');
SELECT fails('SELECT crm.period_number(''2024-01-01Z'', ''1 day'', ''Mars/Olympus'')');
SELECT fails('SELECT crm.period_number(''2024-01-01Z'', ''1 day'', '''')');
SELECT left(fails(format('SELECT crm.period_number(''2024-01-01Z'', ''1 day'', %L)', repeat('x', 1000))), 40);

DROP SCHEMA test_orders CASCADE;
