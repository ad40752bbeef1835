-- crm.last_run(): the account of an analytic agrees with plain SQL over its source, by both roads and in parallel.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_run;
SET LOCAL search_path = test_run, public;
SELECT * FROM no_plan();

-- every combination of a usable and an unusable key, time and amount, many times
CREATE TABLE orders AS
SELECT c.v AS customer_id, t.v AS ordered_at, a.v AS amount
FROM (VALUES (NULL::bigint), (1), (2), (3)) c (v), (VALUES (NULL::timestamptz), ('infinity'), ('-infinity'), ('2024-01-01'), ('2024-01-02'), ('2024-01-03')) t (v),
	(VALUES (NULL::float8), ('NaN'), ('Infinity'), ('-Infinity'), (-1), (0), (-0.0), (5)) a (v), generate_series(1, 100);
CREATE FUNCTION expected(refunds text) RETURNS bigint[] LANGUAGE sql AS $$
	SELECT array[count(*), count(*) FILTER (WHERE why IS NULL), count(*) FILTER (WHERE why IS NOT NULL), count(*) FILTER (WHERE why = 'key'), count(*) FILTER (WHERE why = 'null'), count(*) FILTER (WHERE why = 'finite'),
		count(*) FILTER (WHERE why = 'as_of'), count(*) FILTER (WHERE why = 'refund'), count(DISTINCT customer_id) FILTER (WHERE why IS NULL)]
	FROM orders, LATERAL (SELECT CASE WHEN customer_id IS NULL THEN 'key' WHEN ordered_at IS NULL OR amount IS NULL THEN 'null' WHEN NOT isfinite(ordered_at) OR amount IN ('NaN', 'Infinity', '-Infinity') THEN 'finite'
		WHEN ordered_at > '2024-01-02' THEN 'as_of' WHEN refunds = 'drop' AND amount < 0 THEN 'refund' END) w (why);
$$;
CREATE FUNCTION account() RETURNS bigint[] LANGUAGE sql AS $$
	SELECT array[rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, skipped_refund, customers] FROM crm.last_run();
$$;
CREATE FUNCTION run(refunds text, road text, source text DEFAULT 'orders') RETURNS bigint[] LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('crm.road', road, true);
	PERFORM * FROM crm.rfm(source, as_of => '2024-01-02', refunds => refunds);
	RETURN account();
END $$;
SELECT is(run(refunds, road), expected(refunds), format('refunds %s, road %s', refunds, road)) FROM unnest('{net, drop}'::text[]) refunds, unnest('{hash, group, auto}'::text[]) road ORDER BY 1;
SELECT is((SELECT array[rows_read, rows_used] FROM crm.last_run()), (SELECT array[rows_skipped + rows_used, rows_read - skipped_null_key - skipped_null_value - skipped_non_finite - skipped_after_as_of - skipped_refund] FROM crm.last_run()), 'read = used + skipped, and each skipped row has one reason');
SET LOCAL max_parallel_workers_per_gather = 4;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL parallel_leader_participation = off; -- or the leader would have read all before a worker is there
SELECT is(run('drop', 'hash'), expected('drop'), 'counts of workers add up');
SELECT CASE WHEN workers > 0 THEN ok(workers <= 4 AND road = 'hash', 'there were workers') ELSE skip('no worker was free') END FROM crm.last_run();
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT is(run('drop', 'hash'), expected('drop'), 'and of none');
SELECT is((SELECT workers FROM crm.last_run()), 0, 'there were none');

-- time and memory are those of the run
SELECT lives_ok($$SELECT run('net', 'hash', 'SELECT c AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 1 AS amount FROM generate_series(1, 200000) c')$$, 'a run of 200000 customers');
SELECT ok(peak_memory BETWEEN 200000 * 40 AND 200000 * 120 + 1000000, 'takes 40 to 120 bytes a customer: ' || peak_memory / customers) FROM crm.last_run();
SELECT ok(milliseconds BETWEEN 1 AND 60000 AND finished_at BETWEEN now() AND clock_timestamp(), 'and some time, after the transaction began') FROM crm.last_run();
CREATE TABLE memory AS SELECT peak_memory FROM crm.last_run();
SELECT lives_ok($$SELECT run('net', 'hash', 'SELECT c AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 1 AS amount FROM generate_series(1, 400000) c')$$, 'twice as many');
SELECT ok(l.peak_memory::float8 / m.peak_memory BETWEEN 1.5 AND 2.5, 'take about twice the memory') FROM crm.last_run() l, memory m;
SELECT lives_ok($$SELECT run('net', 'hash', 'SELECT 1 + c % 1000 AS customer_id, timestamptz ''2024-01-01'' AS ordered_at, 1 AS amount FROM generate_series(1, 400000) c')$$, '400 orders each of 1000 customers');
SELECT ok(peak_memory < 2000000, 'take no more than the customers do') FROM crm.last_run();

-- an error leaves the account of the run before, wherever it came from
CREATE TABLE kept AS SELECT * FROM crm.last_run();
SELECT throws_ok($$SELECT * FROM crm.rfm('orders', refunds => 'error')$$, '22000', NULL, 'an error of ours');
SELECT throws_ok($$SELECT * FROM crm.rfm('SELECT customer_id, ordered_at, 1 / (amount - amount) AS amount FROM orders WHERE amount = 5')$$, '22012', NULL, 'an error of the source');
SET LOCAL maintenance_work_mem = '1MB';
SELECT throws_ok($$SELECT * FROM crm.rfm('SELECT c AS customer_id, now() AS ordered_at, 1 AS amount FROM generate_series(1, 200000) c')$$, '54000', NULL, 'an error for want of memory');
RESET maintenance_work_mem;
SELECT results_eq('SELECT * FROM crm.last_run()', 'SELECT * FROM kept', 'the account is that of the run before');

SELECT * FROM finish();
ROLLBACK;
