-- crm.rfm and its kin against their definitions in plain SQL; and the same result whatever the order of rows, the plan, the road
-- and the type of the key.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'America/New_York';
CREATE SCHEMA test_rfm;
SET LOCAL search_path = test_rfm, public;
SELECT * FROM no_plan();

-- A shop whose amounts are multiples of 1/64, so that plain sums are exact in any order; days have many ties, refunds occur.
CREATE TABLE orders AS
SELECT customer_id, date_trunc('hour', ordered_at) AS ordered_at, (round(amount * 64) / 64 * CASE WHEN row_number() OVER () % 20 = 0 THEN -1 ELSE 1 END)::float8 AS amount,
	md5(customer_id::text)::uuid AS customer_uuid, 'customer number ' || customer_id || repeat('.', (customer_id % 300)::int) AS customer_text
FROM crm.simulate_orders(3000, '2023-01-01Z', '2024-06-30Z', seed => 5, r => 1, alpha => 3);
ANALYZE orders;
\set now '''2024-07-01 09:30'''

-- The scores by their definitions. u_k, the k-th upper bound, is the value at rank ceil(n k / b); recency counts backwards.
CREATE FUNCTION plain(bins int, method text, key text DEFAULT 'customer_id') RETURNS TABLE (customer text, last_order_at timestamptz, frequency bigint, monetary float8, r int, f int, m int)
LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('
		WITH c AS MATERIALIZED (SELECT %1$I AS key, max(ordered_at) AS last, count(*) AS n, sum(amount::numeric)::float8 AS s FROM orders WHERE ordered_at <= ''2024-07-01 09:30'' GROUP BY 1),
		v AS (SELECT array_agg(timestamptz ''2024-07-01 09:30'' - last ORDER BY last DESC) AS r, array_agg(n ORDER BY n) AS f, array_agg(s ORDER BY s) AS m, count(*)::int AS n FROM c),
		u AS MATERIALIZED (SELECT array_agg(r[(n * k + $1 - 1) / $1]) AS r, array_agg(f[(n * k + $1 - 1) / $1]) AS f, array_agg(m[(n * k + $1 - 1) / $1]) AS m FROM v, generate_series(1, $1 - 1) k),
		q AS (SELECT c.*, $1 - (SELECT count(*) FROM unnest(u.r) x WHERE x < timestamptz ''2024-07-01 09:30'' - last) AS r,
			1 + (SELECT count(*) FROM unnest(u.f) x WHERE x < n) AS f, 1 + (SELECT count(*) FROM unnest(u.m) x WHERE x < s) AS m FROM c, u),
		t AS (SELECT c.*, ntile($1) OVER (ORDER BY last, key) AS r, ntile($1) OVER (ORDER BY n, key) AS f, ntile($1) OVER (ORDER BY s, key) AS m FROM c)
		SELECT key::text, last, n, s, r::int, f::int, m::int FROM %2$s', key, CASE method WHEN 'ntile' THEN 't' ELSE 'q' END) USING bins;
END $$;

CREATE FUNCTION differences(bins int, method text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s: %s', customer, array_agg(q)) FROM (
		SELECT 'plain', p.* FROM plain(bins, method) p
		UNION ALL
		SELECT 'crm', customer_id::text, last_order_at, frequency, monetary, r, f, m FROM crm.rfm('orders', as_of => '2024-07-01 09:30', bins => bins, method => method)) q (by, customer, last, n, s, r, f, m)
	GROUP BY customer, last, n, s, r, f, m HAVING count(*) <> 2 LIMIT 5;
$$;
SELECT is_empty(format('SELECT * FROM differences(%s, %L)', bins, method), format('%s in %s bins is its definition', method, bins))
FROM unnest('{2, 3, 5, 9, 10, 99}'::int[]) bins, unnest('{quantile, ntile}'::text[]) method ORDER BY method, bins;
SELECT is_empty($$
	SELECT customer, r, f, m FROM plain(5, 'ntile', 'customer_uuid')
	EXCEPT SELECT customer_id::text, r, f, m FROM crm.rfm(NULL::uuid, source => 'SELECT customer_uuid AS customer_id, ordered_at, amount FROM orders', as_of => '2024-07-01 09:30', method => 'ntile')
$$, 'ntile breaks ties in the order of uuids');
SELECT is_empty($$
	SELECT customer, r, f, m FROM plain(5, 'ntile', 'customer_text')
	EXCEPT SELECT customer_id, r, f, m FROM crm.rfm(key => NULL::text, source => 'SELECT customer_text AS customer_id, ordered_at, amount FROM orders', as_of => '2024-07-01 09:30', method => 'ntile')
$$, 'and in the order of text');
SELECT is_empty($$
	SELECT customer_id, q.r, q.f, q.m, c.* FROM crm.rfm('orders', as_of => '2024-07-01 09:30', method => 'cuts', bins => 4, recency_cuts => '{10 days, 1 month, 200 days 12:00}', frequency_cuts => '{1, 2.5, 20}', monetary_cuts => '{-1, 30, 100.5}') q,
		LATERAL (SELECT 4 - (last_order_at < timestamptz '2024-07-01 09:30' - interval '10 days')::int - (last_order_at < timestamptz '2024-07-01 09:30' - interval '1 month')::int - (last_order_at < timestamptz '2024-07-01 09:30' - interval '200 days 12:00')::int,
			1 + (frequency > 1)::int + (frequency > 2.5)::int + (frequency > 20)::int, 1 + (monetary > -1)::int + (monetary > 30)::int + (monetary > 100.5)::int) c (r, f, m)
	WHERE (q.r, q.f, q.m) <> (c.r, c.f, c.m)
$$, 'cuts are the highest values of their bins');

-- What hangs on the scores.
CREATE TABLE report AS SELECT * FROM crm.rfm('orders', as_of => :now);
SELECT is(count(*), 3000::bigint, 'a row a customer') FROM report;
SELECT is_empty($$SELECT * FROM report WHERE score <> 100 * r + 10 * f + m OR recency <> timestamptz '2024-07-01 09:30' - last_order_at OR segment <> crm.rfm_segment(r, f, m)$$, 'score, recency and segment follow');
SELECT is_empty($$SELECT * FROM report WHERE reason NOT LIKE '%(r ' || r || ' of 5)%(f ' || f || ')%(m ' || m || '): ' || segment || ' is rule _%.'$$, 'the reason tells the scores and the segment');
SELECT is_empty($$SELECT customer_id FROM report r WHERE segment <> (SELECT segment FROM crm.rfm_rules() u WHERE r.r BETWEEN r_low AND r_high AND r.f BETWEEN f_low AND f_high AND r.m BETWEEN m_low AND m_high ORDER BY priority LIMIT 1)$$, 'the first of the rules that fits wins');
SELECT is_empty($$SELECT customer_id FROM crm.rfm('orders', as_of => '2024-07-01 09:30', monetary => 'mean') a JOIN report b USING (customer_id) WHERE a.monetary <> b.monetary / b.frequency$$, 'the mean is the sum over the number');

-- The reports agree with one another.
CREATE TABLE segment AS SELECT * FROM crm.rfm_segments('orders', as_of => :now);
SELECT is((SELECT array[sum(customers), sum(orders)] FROM segment), array[3000, (SELECT count(*) FROM orders)]::numeric[], 'the segments hold all customers and orders');
SELECT is((SELECT array[sum(share)::numeric(9,6), sum(revenue_share)::numeric(9,6)] FROM segment), '{1, 1}'::numeric[], 'shares sum to one');
SELECT is_empty($$
	SELECT s.segment, s, r FROM segment s LEFT JOIN (SELECT segment, count(*) AS n, sum(frequency) AS orders, sum(monetary::numeric)::float8 AS revenue, avg(extract(epoch FROM recency)) AS recency, avg(frequency) AS f, avg(monetary::numeric) AS m FROM report GROUP BY 1) r USING (segment)
	WHERE (customers, s.orders, s.revenue) IS DISTINCT FROM (coalesce(n, 0), coalesce(r.orders, 0), coalesce(r.revenue, 0)) OR share <> customers / 3000.0::float8
		OR abs(revenue_share - s.revenue / (SELECT sum(monetary) FROM report)) > 1e-12 OR abs(extract(epoch FROM mean_recency) - recency) > 0.00001 OR abs(mean_frequency - f) > 1e-9 OR abs(mean_monetary - m) > 1e-9
$$, 'the segments are the report, grouped');
CREATE TABLE threshold AS SELECT * FROM crm.rfm_thresholds('orders', as_of => :now);
SELECT is_empty($$
	SELECT dimension, score FROM threshold t WHERE (customers, lower, upper) IS DISTINCT FROM (
		SELECT (count(*), min(v), max(v)) FROM report, LATERAL (VALUES ('recency', r, extract(epoch FROM timestamptz '2024-07-01 09:30' - last_order_at)::float8 / 86400), ('frequency', f, frequency), ('monetary', m, monetary)) d (dimension, score, v)
		WHERE d.dimension = t.dimension AND d.score = t.score)
$$, 'the thresholds are the report, grouped by dimension and score');
SELECT is((SELECT array_agg(n ORDER BY d) FROM (SELECT dimension, sum(customers) FROM threshold GROUP BY 1) q (d, n)), '{3000, 3000, 3000}'::numeric[], 'each dimension holds all customers');

-- Whatever the order of rows, the plan, the road.
CREATE FUNCTION run(source text DEFAULT 'orders', period interval DEFAULT NULL, refunds text DEFAULT 'net', method text DEFAULT 'quantile', key anyelement DEFAULT NULL::bigint)
RETURNS TABLE (customer text, last timestamptz, n bigint, bits bytea, r int, f int, m int, segment text) LANGUAGE sql AS $$
	SELECT customer_id::text, last_order_at, frequency, float8send(monetary), r, f, m, segment FROM crm.rfm(key => key, source => source, as_of => '2024-06-15 18:00', period => period, refunds => refunds, method => method);
$$;
CREATE FUNCTION account() RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(',', function, rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, skipped_refund, customers) FROM crm.last_run();
$$;
-- with cents now, and rows that cannot be used
CREATE TABLE mixed AS SELECT CASE WHEN i % 101 = 0 THEN NULL ELSE customer_id END AS customer_id, CASE WHEN i % 103 = 0 THEN NULL WHEN i % 107 = 0 THEN 'infinity' WHEN i % 109 = 0 THEN '-infinity' ELSE ordered_at END AS ordered_at,
	CASE WHEN i % 113 = 0 THEN NULL WHEN i % 127 = 0 THEN 'NaN' WHEN i % 131 = 0 THEN 'Infinity' WHEN i % 17 = 0 THEN -amount ELSE round(amount::numeric, 2)::float8 END AS amount, i,
	customer_uuid, customer_text, ('{a, b, c}'::text[])[1 + i % 3] AS part
FROM (SELECT *, row_number() OVER () AS i FROM orders) o;
CREATE TABLE expected AS SELECT variant, r.* FROM (VALUES ('orders', NULL, 'net', 'quantile'), ('days', interval '1 day', 'net', 'quantile'), ('months', '1 month', 'drop', 'ntile'), ('drop', NULL, 'drop', 'quantile'), ('hours', '7 hours', 'net', 'quantile')) v (variant, period, refunds, method),
	LATERAL run('mixed', v.period, v.refunds, v.method) r;
SELECT is(count(DISTINCT variant), 5::bigint, 'five variants') FROM expected;
CREATE FUNCTION others(source text) RETURNS SETOF expected LANGUAGE sql AS $$
	SELECT variant, r.* FROM (VALUES ('orders', NULL, 'net', 'quantile'), ('days', interval '1 day', 'net', 'quantile'), ('months', '1 month', 'drop', 'ntile'), ('drop', NULL, 'drop', 'quantile'), ('hours', '7 hours', 'net', 'quantile')) v (variant, period, refunds, method),
		LATERAL run(source, v.period, v.refunds, v.method) r;
$$;
CREATE FUNCTION same(source text, name text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT is_empty(format('(SELECT * FROM others(%L) EXCEPT SELECT * FROM expected) UNION ALL (SELECT * FROM expected EXCEPT SELECT * FROM others(%L)) LIMIT 5', source, source), name);
$$;
SELECT same('SELECT * FROM mixed ORDER BY md5(i::text)', 'shuffled rows give the same');
SELECT same('SELECT * FROM mixed ORDER BY ordered_at DESC, amount', 'the worst order gives the same');
-- the frequency is that of plain SQL: transactions by the calendar of the session's time zone
SELECT is_empty($$
	SELECT e.* FROM expected e LEFT JOIN (
		SELECT customer_id::text AS customer, count(*) AS orders, count(DISTINCT ordered_at::date) AS days, count(DISTINCT date_trunc('month', ordered_at)) FILTER (WHERE amount >= 0) AS months, count(*) FILTER (WHERE amount >= 0) AS drop,
			count(DISTINCT floor(extract(epoch FROM (ordered_at AT TIME ZONE 'America/New_York') - timestamp '2000-01-03') / 25200)) AS hours
		FROM mixed WHERE isfinite(ordered_at) AND amount < 'Infinity' AND ordered_at <= '2024-06-15 18:00' GROUP BY 1) p USING (customer)
	WHERE e.n IS DISTINCT FROM CASE variant WHEN 'orders' THEN orders WHEN 'days' THEN days WHEN 'months' THEN months WHEN 'drop' THEN drop ELSE hours END
$$, 'transactions are the distinct periods of the local calendar');
SELECT count(*) AS run FROM run('mixed', NULL, 'drop') \gset
SELECT account() AS hash_account \gset
SET LOCAL crm.road = 'group';
SELECT same('mixed', 'the group road gives the same');
SELECT same('SELECT * FROM mixed ORDER BY md5(i::text)', 'the group road gives the same for shuffled rows');
SELECT count(*) AS run FROM run('mixed', NULL, 'drop') \gset
SELECT is(account(), :'hash_account', 'and the same account');
SELECT is((SELECT road FROM crm.last_run()), 'group', 'by that road');
SET LOCAL TimeZone = 'Asia/Tokyo';
CREATE TABLE tokyo AS SELECT * FROM run('mixed', '1 day');
SET LOCAL crm.road = 'hash';
SELECT is_empty($$(SELECT * FROM tokyo EXCEPT SELECT * FROM run('mixed', '1 day')) UNION ALL (SELECT * FROM run('mixed', '1 day') EXCEPT SELECT * FROM tokyo)$$, 'in another time zone both roads agree too');
SELECT isnt_empty($$SELECT * FROM tokyo EXCEPT SELECT customer, last, n, bits, r, f, m, segment FROM expected WHERE variant = 'days'$$, 'where days are others');
SET LOCAL TimeZone = 'America/New_York';
SET LOCAL crm.road = 'auto';
-- partitions, each grouped by itself or not
CREATE TABLE parted (LIKE mixed) PARTITION BY LIST (part);
CREATE TABLE parted_a PARTITION OF parted FOR VALUES IN ('a');
CREATE TABLE parted_b PARTITION OF parted FOR VALUES IN ('b');
CREATE TABLE parted_c PARTITION OF parted FOR VALUES IN ('c');
INSERT INTO parted SELECT * FROM mixed;
SELECT same('parted', 'a partitioned table gives the same');
SET LOCAL enable_partitionwise_aggregate = on;
SELECT same('parted', 'with partial aggregates of the partitions too');
SET LOCAL crm.road = 'group';
SELECT same('parted', 'and by the group road');
SET LOCAL crm.road = 'auto';
-- keys of other types
SELECT is_empty(format($$
	SELECT customer, last, n, bits, r, f, m FROM expected WHERE variant = 'days'
	EXCEPT
	SELECT u.customer, r.last, r.n, r.bits, r.r, r.f, r.m
	FROM run(%L, '1 day', key => NULL::%s) r JOIN (SELECT DISTINCT customer_id::text AS customer, (%s)::text AS other FROM mixed) u ON u.other = r.customer
$$, format('SELECT %s AS customer_id, ordered_at, amount FROM mixed WHERE customer_id IS NOT NULL', key), type, key), format('%s keys give the same', type))
FROM (VALUES ('customer_uuid', 'uuid'), ('customer_text', 'text'), ('customer_text::varchar', 'varchar'), ('customer_id::numeric', 'numeric'), ('customer_id::int', 'int'),
	('date ''2000-01-01'' + customer_id::int', 'date'), ('customer_id::text::bpchar', 'bpchar'), ('decode(md5(customer_text), ''hex'')', 'bytea')) k (key, type);

-- Parallel plans. A table of its own, as large as the planner needs for several workers.
CREATE TABLE large AS SELECT m.customer_id, ordered_at, amount, customer_uuid, customer_text FROM mixed m, generate_series(1, 20);
CREATE TABLE serial AS SELECT 'bigint' AS key, * FROM run('large', '1 day') UNION ALL SELECT 'uuid', * FROM run('SELECT customer_uuid AS customer_id, * FROM (SELECT customer_uuid, ordered_at, amount FROM large) q', key => NULL::uuid)
UNION ALL SELECT 'text', * FROM run('SELECT customer_text AS customer_id, ordered_at, amount FROM large', '1 month', method => 'ntile', key => NULL::text);
SET LOCAL max_parallel_workers_per_gather = 4;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE TABLE parallel AS SELECT 'bigint' AS key, * FROM run('large', '1 day');
SELECT CASE WHEN workers > 0 THEN pass('the hash road runs in parallel: bigint') ELSE skip('no worker was free') END FROM crm.last_run();
INSERT INTO parallel SELECT 'uuid', * FROM run('SELECT customer_uuid AS customer_id, * FROM (SELECT customer_uuid, ordered_at, amount FROM large) q', key => NULL::uuid);
SELECT CASE WHEN workers > 0 THEN pass('the hash road runs in parallel: uuid') ELSE skip('no worker was free') END FROM crm.last_run();
INSERT INTO parallel SELECT 'text', * FROM run('SELECT customer_text AS customer_id, ordered_at, amount FROM large', '1 month', method => 'ntile', key => NULL::text);
SELECT CASE WHEN workers > 0 THEN pass('the hash road runs in parallel: text') ELSE skip('no worker was free') END FROM crm.last_run();
SELECT is_empty($$(TABLE serial EXCEPT TABLE parallel) UNION ALL (TABLE parallel EXCEPT TABLE serial) LIMIT 5$$, 'parallel and serial plans give the same, bit for bit');
SET LOCAL parallel_leader_participation = off;
SELECT is_empty($$SELECT * FROM run('large', '1 day') EXCEPT SELECT customer, last, n, bits, r, f, m, segment FROM serial WHERE key = 'bigint' LIMIT 5$$, 'without the leader too');
SET LOCAL parallel_leader_participation = on;
SELECT same('SELECT * FROM mixed', 'five variants in parallel');
RESET max_parallel_workers_per_gather;

-- It writes nothing, so it runs in a read-only transaction.
SAVEPOINT before;
SET TRANSACTION READ ONLY;
SELECT is((SELECT count(*) FROM crm.rfm('orders', as_of => :now)), 3000::bigint, 'it runs in a read-only transaction');
SELECT is((SELECT sum(customers) FROM crm.rfm_segments('orders', as_of => :now)), 3000::numeric, 'and so do the segments');
RELEASE SAVEPOINT before;

-- The source runs as the caller, under row-level security.
CREATE ROLE test_rfm_clerk;
GRANT USAGE ON SCHEMA test_rfm, crm TO test_rfm_clerk;
GRANT SELECT ON orders TO test_rfm_clerk;
ALTER TABLE orders ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON orders TO test_rfm_clerk USING (customer_id <= 10);
CREATE TABLE seen (road text, customers bigint, read bigint);
GRANT INSERT ON seen TO test_rfm_clerk;
SET LOCAL ROLE test_rfm_clerk;
INSERT INTO seen SELECT 'hash', count(*), (SELECT rows_read FROM crm.last_run()) FROM crm.rfm('orders', as_of => :now);
SET LOCAL crm.road = 'group';
INSERT INTO seen SELECT 'group', count(*), 0 FROM crm.rfm('orders', as_of => :now);
RESET ROLE;
SET LOCAL crm.road = 'auto';
SELECT is((SELECT array_agg(customers) FROM seen), '{10, 10}'::bigint[], 'row-level security holds');
SELECT is((SELECT count(*) FROM crm.rfm('orders', as_of => :now)), 3000::bigint, 'for those whom it concerns');

-- The planner knows how many customers to expect.
CREATE FUNCTION estimate(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
CREATE TABLE by_uuid AS SELECT customer_uuid AS customer_id, ordered_at, amount FROM orders;
CREATE TABLE by_text AS SELECT customer_text AS customer_id, ordered_at, amount FROM orders;
ANALYZE by_uuid;
ANALYZE by_text;
SELECT ok(estimate($$SELECT * FROM crm.rfm('test_rfm.orders')$$) BETWEEN 2000 AND 4000, 'estimate of a table');
SELECT ok(estimate($$SELECT * FROM crm.rfm(NULL::uuid, source => 'by_uuid')$$) BETWEEN 2000 AND 4000, 'estimate for uuid keys');
SELECT ok(estimate($$SELECT * FROM crm.rfm(key => NULL::text, source => 'by_text')$$) BETWEEN 2000 AND 4000, 'estimate for text keys');
SELECT is(estimate($$SELECT * FROM crm.rfm('SELECT * FROM orders')$$), 1000::float8, 'the default for a query');
SELECT is(estimate($$SELECT * FROM crm.rfm('nowhere')$$), 1000::float8, 'and for what is not there');
SELECT is(estimate($$SELECT * FROM crm.rfm(NULL::text)$$), 1000::float8, 'and for nothing');

-- Public data sets, where the environment names a folder that has them.
\set has_retail `test -r "${CRM_DATA:-/nowhere}/online_retail.csv.gz" && echo on || echo off`
\if :has_retail
CREATE TABLE line (invoice text, stock_code text, description text, quantity int, invoiced_at timestamp, price numeric, customer_id float8, country text);
\copy line from program 'gzip -dc "$CRM_DATA/online_retail.csv.gz"' (format csv, header)
CREATE TABLE invoice AS SELECT customer_id::bigint, min(invoiced_at) AS ordered_at, sum(quantity * price) AS amount FROM line WHERE customer_id IS NOT NULL AND quantity > 0 AND price > 0 GROUP BY customer_id, invoice;
CREATE TABLE retail AS SELECT * FROM crm.rfm('invoice', as_of => '2011-12-10');
SELECT is((SELECT array[count(*), sum(monetary)::numeric(12,2)] FROM retail), '{4338, 8911407.90}'::numeric[], 'Online Retail: customers and revenue');
SELECT bag_eq($$SELECT customer_id, date '2011-12-10' - last_order_at::date, frequency, monetary::numeric(12,2) FROM retail WHERE customer_id IN (12346, 12347, 12348, 14646, 12748)$$,
	$$VALUES (12346::bigint, 326, 1::bigint, 77183.60), (12347, 3, 7, 4310.00), (12348, 76, 4, 1797.24), (14646, 2, 73, 280206.02), (12748, 1, 209, 33719.73)$$, 'Online Retail: known customers');
\else
SELECT skip('CRM_DATA has no online_retail.csv.gz', 2);
\endif
\set has_cdnow `test -r "${CRM_DATA:-/nowhere}/CDNOW_master.txt.gz" && echo on || echo off`
\if :has_cdnow
CREATE TABLE cdnow (customer_id int, ordered_at date, cds int, amount numeric);
\copy cdnow from program 'gzip -dc "$CRM_DATA/CDNOW_master.txt.gz" | sed -E "1d; s/^ +//; s/ +$//; s/ +/,/g"' (format csv)
SELECT is((SELECT array[count(*), sum(frequency), sum(monetary)::numeric(12,2)] FROM crm.rfm('cdnow', as_of => '1998-07-01')), (SELECT array[count(DISTINCT customer_id), count(*), sum(amount)] FROM cdnow), 'CDNOW: customers, orders and revenue');
SELECT is((SELECT array[count(*), sum(frequency)] FROM crm.rfm('cdnow', as_of => '1998-07-01', period => '1 day')), (SELECT array[count(DISTINCT customer_id), count(DISTINCT (customer_id, ordered_at))]::numeric[] FROM cdnow), 'CDNOW: transactions by day');
\else
SELECT skip('CRM_DATA has no CDNOW_master.txt.gz', 2);
\endif

SELECT * FROM finish();
ROLLBACK;
