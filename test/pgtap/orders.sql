-- crm.summarize, crm.merge_summaries and crm.period_number against plain SQL in exact numeric arithmetic.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_orders;
SET LOCAL search_path = test_orders, public;
SELECT * FROM no_plan();

-- 2^k as numeric, without rounding, by multiplication.
CREATE TABLE power AS
WITH RECURSIVE p (k, up, down) AS (SELECT 0, 1::numeric, 1::numeric UNION ALL SELECT k + 1, up * 2, down * 0.5 FROM p WHERE k < 200)
SELECT k, up AS value FROM p UNION SELECT -k, down FROM p;
CREATE UNIQUE INDEX ON power (k);

-- A float8 as numeric, without rounding (a cast keeps 15 digits). For 2^-140 to 2^200.
CREATE FUNCTION exact(x float8) RETURNS numeric LANGUAGE sql STABLE STRICT AS $$
	SELECT CASE WHEN x = 0 THEN 0 ELSE sign(x)::numeric * ((bits & 4503599627370495) | 4503599627370496) * p.value END
	FROM (SELECT ('x' || encode(float8send(x), 'hex'))::bit(64)::bigint) b (bits) LEFT JOIN power p ON p.k = ((bits >> 52) & 2047)::int - 1075;
$$;
SELECT is(trim_scale(exact(0.1))::text, '0.1000000000000000055511151231257827021181583404541015625', 'the reference is exact');
SELECT is(exact(-3e15), -3000000000000000::numeric, 'and signed');

-- Amounts with cents, halves of cents, refunds, small ones among huge ones, and some that all but cancel.
CREATE TABLE orders AS
SELECT i::int, (i % 97)::int AS customer_id, timestamptz '2010-01-01' + (i * 7919 % 400000000) * interval '1 second' AS ordered_at,
	CASE i % 97 % 5
		WHEN 0 THEN (i * 7919 % 1000000) / 100.0
		WHEN 1 THEN (i * 104729 % 2000000 - 1000000) / 100.0
		WHEN 2 THEN CASE WHEN i % 2 = 0 THEN 1e12 ELSE 0.01 END * (i % 1000 + 1)
		WHEN 3 THEN CASE i / 97 % 3 WHEN 0 THEN 123456789012.34 WHEN 1 THEN -123456789012.34 ELSE 0.07 END
		ELSE 1e9 + (i * 7919 % 1000) / 500.0
	END::float8 AS amount
FROM generate_series(1::bigint, 60000) i;
ANALYZE orders;
CREATE TABLE reference AS
SELECT customer_id, count(*) AS n, min(ordered_at) AS first, max(ordered_at) AS last, sum(exact(amount)) AS total, sum(exact(amount)) / count(*) AS mean, stddev_samp(exact(amount)) AS deviation
FROM orders GROUP BY 1;

-- Around 1e9 sixty of the sums' 106 bits cancel, and the last digits of a deviation depend on the order of the rows.
CREATE FUNCTION deviation(customer_id int, s crm.order_summary) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE WHEN customer_id % 5 = 4 THEN round(crm.stddev_amount(s)::numeric, 11)::float8 ELSE crm.stddev_amount(s) END;
$$;
CREATE FUNCTION seen(source text) RETURNS TABLE (customer_id int, n bigint, first timestamptz, last timestamptz, total float8, mean float8, deviation float8) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT q.customer_id, crm.order_count(s), crm.first_order_at(s), crm.last_order_at(s), crm.total_amount(s), crm.mean_amount(s), deviation(q.customer_id, s)
		FROM (SELECT customer_id, crm.summarize(ordered_at, amount) AS s FROM %s GROUP BY customer_id) q', source);
END $$;
CREATE FUNCTION plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	lines text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		lines := lines || line || E'\n';
	END LOOP;
	RETURN lines;
END $$;

SET LOCAL max_parallel_workers_per_gather = 0;
CREATE TABLE serial AS SELECT * FROM seen('orders');
SELECT is(count(*), 97::bigint, 'a summary a customer') FROM serial;
SELECT is_empty($$SELECT customer_id FROM serial s JOIN reference r USING (customer_id) WHERE (s.n, s.first, s.last) IS DISTINCT FROM (r.n, r.first, r.last)$$, 'count, first and last are those of plain SQL');
SELECT is_empty($$SELECT customer_id, s.total, r.total FROM serial s JOIN reference r USING (customer_id) WHERE float8send(s.total) <> float8send(r.total::float8)$$, 'sums are the exact sums, rounded once');
SELECT is_empty($$SELECT customer_id, s.mean, r.mean FROM serial s JOIN reference r USING (customer_id) WHERE float8send(s.mean) <> float8send(r.mean::float8)$$, 'means are the exact means, rounded once');
SELECT is_empty($$SELECT customer_id, s.deviation, r.deviation FROM serial s JOIN reference r USING (customer_id) WHERE abs(s.deviation - r.deviation::float8) > 2e-11 * r.deviation$$, 'standard deviations are exact to 2e-11, also around 1e9');

-- any order of rows, and any split
SELECT is_empty($$SELECT * FROM seen('(SELECT * FROM orders ORDER BY md5(i::text)) q') EXCEPT SELECT * FROM serial$$, 'shuffled rows give the same');
SELECT is_empty($$SELECT * FROM seen('(SELECT * FROM orders ORDER BY amount) q') EXCEPT SELECT * FROM serial$$, 'sorted rows give the same');
SELECT is_empty($$
	SELECT q.customer_id, crm.order_count(s), crm.first_order_at(s), crm.last_order_at(s), crm.total_amount(s), crm.mean_amount(s), deviation(q.customer_id, s)
	FROM (SELECT p.customer_id, crm.merge_summaries(s) AS s
		FROM (SELECT customer_id, crm.summarize(ordered_at, amount) AS s FROM orders GROUP BY customer_id, hashint4(i) % 7) p GROUP BY p.customer_id) q
	EXCEPT SELECT customer_id, n, first, last, total, mean, deviation FROM serial
$$, 'the sum of parts equals the whole');
SET LOCAL max_parallel_workers_per_gather = 4;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT matches(plan_of('SELECT customer_id, crm.summarize(ordered_at, amount) FROM orders GROUP BY 1'), 'Finalize.*Gather.*Partial', 'the aggregate runs in parallel');
SELECT is_empty($$SELECT * FROM seen('orders') EXCEPT SELECT * FROM serial$$, 'parallel gives the same');
RESET max_parallel_workers_per_gather;

-- binary output and input, by COPY
CREATE TABLE kept AS SELECT customer_id, crm.summarize(ordered_at, amount) AS s FROM orders GROUP BY 1
UNION ALL SELECT -1, '(0,3,,,0,0,0,0)' UNION ALL SELECT -2, crm.summarize('4713-01-01 BC', 1e300) UNION ALL SELECT -3, NULL;
CREATE TABLE back (LIKE kept);
COPY kept TO PROGRAM 'cat >crm_test_summary.bin' (FORMAT binary);
COPY back FROM PROGRAM 'cat crm_test_summary.bin && rm crm_test_summary.bin' (FORMAT binary);
SELECT is(count(*), 100::bigint, 'binary: all rows come back') FROM back;
SELECT is_empty($$SELECT customer_id FROM kept k FULL JOIN back b USING (customer_id) WHERE crm._order_summary_send(k.s) IS DISTINCT FROM crm._order_summary_send(b.s)$$, 'binary: to the last bit');
-- text, read in another time zone and format of dates than it was written in
CREATE TABLE written AS SELECT customer_id, s::text AS t FROM kept;
SET LOCAL TimeZone = 'Asia/Kathmandu';
SET LOCAL DateStyle = 'SQL, DMY';
SELECT is_empty($$SELECT customer_id FROM kept k FULL JOIN written w USING (customer_id) WHERE crm._order_summary_send(k.s) IS DISTINCT FROM crm._order_summary_send(w.t::crm.order_summary)$$, 'text: to the last bit, whatever the settings');
SET LOCAL TimeZone = 'UTC';
SET LOCAL DateStyle = 'ISO, YMD';

-- crm._collect counts customers: whatever the type, and also fewer than a batch
SELECT is(crm._collect(customer_id, ordered_at, amount, '{9000000000000000000,0,0,0,0}'), 97::bigint, 'crm._collect counts customers') FROM orders;
SELECT is(crm._collect(customer_id::text, ordered_at, amount, '{9000000000000000000,0,0,0,0}'), 97::bigint, 'text keys') FROM orders;
SELECT is(crm._collect(customer_id::bigint, ordered_at, amount, '{9000000000000000000,0,0,0,0}'), 5::bigint, 'fewer than a batch') FROM orders WHERE i <= 5;

-- periods against the calendar of plain SQL: moments of two centuries in random order, in zones that change their clocks at midnight, by half an hour, and that skipped a day
CREATE TABLE moment AS
SELECT timestamptz '1900-01-01Z' + ('x' || left(md5(i::text), 8))::bit(32)::bigint * 1.5 * interval '1 second' AS at FROM generate_series(1, 4000) i
UNION ALL SELECT timestamptz '2023-12-01Z' + i * interval '6 hours 59 minutes 59.999999 seconds' FROM generate_series(1, 1500) i
UNION ALL SELECT timestamptz '2011-12-28Z' + i * interval '1 hour' FROM generate_series(1, 96) i;
CREATE TABLE zone AS
SELECT z FROM unnest('{UTC, Europe/Berlin, America/New_York, America/Sao_Paulo, Asia/Kolkata, Australia/Lord_Howe, Pacific/Apia, Africa/Cairo, America/St_Johns, Asia/Tehran, Europe/London, Pacific/Chatham}'::text[]) z;
CREATE TABLE numbered AS
SELECT z, at, at AT TIME ZONE z AS local, crm.period_number(at, '1 day', z) AS day, crm.period_number(at, '1 week', z) AS week, crm.period_number(at, '1 hour', z) AS hour,
	crm.period_number(at, '90 minutes', z) AS ninety, crm.period_number(at, '1 month', z) AS month, crm.period_number(at, '5 months', z) AS five
FROM zone, moment ORDER BY z, md5(at::text);
SELECT is(count(*), 67152::bigint, 'moments in zones') FROM numbered;
SELECT is_empty($$SELECT z, at, day FROM numbered WHERE day <> local::date - date '2000-01-03' LIMIT 5$$, 'days are those of the local calendar');
SELECT is_empty($$SELECT z, at, week FROM numbered WHERE week <> floor((local::date - date '2000-01-03') / 7.0) LIMIT 5$$, 'weeks begin on Monday');
SELECT is_empty($$SELECT z, at, week FROM numbered WHERE date '2000-01-03' + 7 * week <> date_trunc('week', local)::date LIMIT 5$$, 'as date_trunc says');
SELECT is_empty($$SELECT z, at, hour FROM numbered WHERE hour <> floor(extract(epoch FROM local - timestamp '2000-01-03') / 3600) LIMIT 5$$, 'hours are those of the local clock');
SELECT is_empty($$SELECT z, at, ninety FROM numbered WHERE ninety <> floor(extract(epoch FROM local - timestamp '2000-01-03') / 5400) LIMIT 5$$, 'and so are odd lengths');
SELECT is_empty($$SELECT z, at, month FROM numbered WHERE month <> (extract(year FROM local) - 2000) * 12 + extract(month FROM local) - 1 LIMIT 5$$, 'months count from January 2000');
SELECT is_empty($$SELECT z, at, five FROM numbered WHERE five <> floor(((extract(year FROM local) - 2000) * 12 + extract(month FROM local) - 1) / 5) LIMIT 5$$, 'and so do several');
-- the length and zone may change from row to row
SELECT is_empty($$SELECT z, at FROM (SELECT * FROM numbered ORDER BY md5(z || at)) q WHERE crm.period_number(at, CASE WHEN day % 2 = 0 THEN interval '1 day' ELSE interval '1 month' END, z) <> CASE WHEN day % 2 = 0 THEN day ELSE month END LIMIT 5$$, 'lengths and zones by turns');

SELECT * FROM finish();
ROLLBACK;
