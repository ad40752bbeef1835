-- crm.kmeans and its kin against their definitions in plain SQL; and the same result, to the last bit, whatever the order of rows
-- and columns, the plan and the type of the key.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_kmeans;
SET LOCAL search_path = test_kmeans, public;
SELECT * FROM no_plan();

-- Numbers that look random and are the same everywhere: uniform in [0, 1), and nearly normal.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE FUNCTION normal(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT sqrt(2) * (u(seed || 1) + u(seed || 2) + u(seed || 3) + u(seed || 4) + u(seed || 5) + u(seed || 6) - 3) $$;

-- Three blobs far apart, of 200, 150 and 100 points in two features; and a skewed table of customers.
CREATE TABLE blob AS
SELECT row_number() OVER () AS customer_id, b AS planted, x + normal(b || 'x' || i) AS monetary, y + normal(b || 'y' || i) AS frequency
FROM (VALUES (1, 200, 0, 0), (2, 150, 12, 3), (3, 100, 4, 14)) v (b, n, x, y), generate_series(1, n) i;
CREATE TABLE customer AS
SELECT i::bigint AS customer_id, md5(i::text)::uuid AS customer_uuid, 'customer number ' || i || repeat('.', i % 300) AS customer_text,
	exp(3 + 1.2 * normal('m' || i)) AS monetary, (1 + floor(-8 * ln(1 - u('f' || i) * 0.999)))::int AS frequency, (365 * u('r' || i) ^ 2)::real AS recency, round((normal('b' || i) * 30)::numeric, 2) AS balance, (i % 4)::smallint AS weight
FROM generate_series(1, 2000) i;
ANALYZE customer;

-- k is found: three blobs are three clusters, whatever the scale.
CREATE TABLE found AS SELECT customer_id, cluster, k.silhouette, distance, label, planted FROM crm.kmeans('SELECT customer_id, monetary, frequency FROM blob') k JOIN blob USING (customer_id);
SELECT bag_eq('SELECT cluster, planted, count(*) FROM found GROUP BY 1, 2', 'VALUES (1, 2, 150::bigint), (2, 3, 100), (3, 1, 200)', 'three planted blobs are found, the one with the largest value first');
SELECT is((SELECT array_agg(DISTINCT k) FROM crm.kmeans_clusters('SELECT customer_id, monetary, frequency FROM blob', scale => scale)), '{3}', 'k NULL finds three, scale ' || scale)
FROM unnest('{none, zscore, minmax, robust}'::text[]) scale;
SELECT is((SELECT k FROM crm.kmeans_select_k('blob', features => '{monetary, frequency}') WHERE chosen), 3, 'and so says crm.kmeans_select_k');
SELECT results_eq($$SELECT k FROM crm.kmeans_select_k('blob', features => '{monetary, frequency}', k_max => 6)$$, 'SELECT generate_series(2, 6)', 'which has a row a k');
SELECT cmp_ok((SELECT stability FROM crm.kmeans_select_k('blob', features => '{monetary, frequency}') WHERE k = 3), '>', 0.99::float8, 'three is stable');
SELECT cmp_ok((SELECT stability FROM crm.kmeans_select_k('blob', features => '{monetary, frequency}') WHERE k = 9), '<', 0.9::float8, 'nine is not');
SELECT is_empty($$SELECT * FROM (SELECT inertia >= lead(inertia) OVER (ORDER BY k) AS falls, silhouette, max(silhouette) OVER () AS most, chosen FROM crm.kmeans_select_k('customer', features => '{monetary, frequency, recency}')) q WHERE NOT falls OR chosen <> (silhouette = most)$$,
	'inertia falls with k, and the largest silhouette is chosen');

-- The report by its definitions, from the centroids that crm.kmeans_clusters tells.
CREATE TABLE report AS SELECT k.*, c.monetary, c.frequency, c.recency FROM crm.kmeans('customer', features => '{monetary, frequency, recency}', k => 5, scale => 'none') k JOIN customer c USING (customer_id);
CREATE TABLE clusters AS SELECT * FROM crm.kmeans_clusters('customer', features => '{monetary, frequency, recency}', k => 5, scale => 'none');
SELECT is(count(*), 2000::bigint, 'a row a customer') FROM report;
CREATE TABLE centroid AS SELECT cluster, max(centroid) FILTER (WHERE feature = 'monetary') AS m, max(centroid) FILTER (WHERE feature = 'frequency') AS f, max(centroid) FILTER (WHERE feature = 'recency') AS r FROM clusters GROUP BY 1;
SELECT is_empty($$
	SELECT customer_id, q.* FROM report, LATERAL (SELECT array_agg(cluster ORDER BY d) AS near, array_agg(d ORDER BY d) AS d FROM (SELECT cluster, sqrt((m - monetary) ^ 2 + (f - frequency) ^ 2 + (r - recency) ^ 2) AS d FROM centroid) c) q
	WHERE cluster <> near[1] OR second_cluster <> near[2] OR abs(distance - d[1]) > 1e-9 OR abs(silhouette - (d[2] - d[1]) / d[2]) > 1e-9
$$, 'each customer belongs to the nearest centroid; distance, second and silhouette follow');
SELECT is_empty($$
	SELECT c.* FROM clusters c JOIN (
		SELECT cluster, feature, count(*) AS n, avg(value) AS mean, stddev_pop(value) AS sd FROM report, LATERAL (VALUES ('monetary', monetary), ('frequency', frequency), ('recency', recency)) v (feature, value) GROUP BY 1, 2) p USING (cluster, feature)
		JOIN (SELECT feature, avg(value) AS all_mean, stddev_pop(value) AS all_sd FROM report, LATERAL (VALUES ('monetary', monetary), ('frequency', frequency), ('recency', recency)) v (feature, value) GROUP BY 1) a USING (feature)
	WHERE size <> n OR abs(share - n / 2000.0) > 1e-12 OR abs(centroid - mean) > 1e-9 OR abs(standard_deviation - sd) > 1e-7 OR abs(z - (mean - all_mean) / all_sd) > 1e-9
$$, 'the clusters are the report, grouped');
SELECT is(count(*), 15::bigint, 'with a row a cluster and feature') FROM clusters;
SELECT results_eq('SELECT feature FROM clusters WHERE cluster = 1', $$VALUES ('monetary'), ('frequency'), ('recency')$$, 'features in the order in which they were named');
SELECT cmp_ok(abs((SELECT max(inertia) FROM clusters) / (SELECT sum(distance ^ 2) FROM report) - 1), '<', 1e-12::float8, 'inertia is the sum of squared distances');
SELECT is_empty('SELECT * FROM (SELECT centroid >= lead(centroid) OVER (ORDER BY cluster) AS falls FROM clusters WHERE feature = $$monetary$$) q WHERE NOT falls', 'clusters are numbered by value');
SELECT is_empty('SELECT DISTINCT label FROM report EXCEPT SELECT label FROM clusters', 'labels are those of the clusters');
SELECT is((SELECT (count(DISTINCT label), count(DISTINCT reason)) FROM report WHERE cluster = 1), (1::bigint, 1::bigint), 'a cluster has one label and one reason');
SELECT is_empty($$
	SELECT cluster, reason, told FROM (
		SELECT cluster, string_agg(format('%s %s (z %s)', feature, CASE WHEN z >= 0.5 THEN 'high' WHEN z <= -0.5 THEN 'low' ELSE 'average' END, round(z::numeric, 1)), ', ' ORDER BY abs(z) DESC) AS told
		FROM (SELECT *, row_number() OVER (PARTITION BY cluster ORDER BY abs(z) DESC) AS place FROM clusters) c WHERE place <= 2 GROUP BY 1) t
	JOIN (SELECT DISTINCT cluster, reason FROM report) r USING (cluster) WHERE reason <> told
$$, 'the reason is the two features with the largest z');

-- The indices of quality, by their definitions over all pairs.
CREATE TABLE pair AS SELECT a.customer_id, a.cluster AS own, b.cluster AS other, sum(sqrt((a.monetary - b.monetary) ^ 2 + (a.frequency - b.frequency) ^ 2)) AS d, count(*) AS n
FROM (SELECT customer_id, cluster, monetary, frequency FROM crm.kmeans('SELECT customer_id, monetary, frequency FROM blob', k => 4, scale => 'none') JOIN blob USING (customer_id)) a,
	(SELECT customer_id, cluster, monetary, frequency FROM crm.kmeans('SELECT customer_id, monetary, frequency FROM blob', k => 4, scale => 'none') JOIN blob USING (customer_id)) b
GROUP BY 1, 2, 3;
CREATE TABLE quality AS SELECT DISTINCT silhouette, davies_bouldin, calinski_harabasz, inertia FROM crm.kmeans_clusters('SELECT customer_id, monetary, frequency FROM blob', k => 4, scale => 'none');
SELECT is((SELECT avg(CASE WHEN alone THEN 0 ELSE (b - a) / greatest(a, b) END)::numeric(12, 9) FROM (
	SELECT customer_id, max(d / nullif(n - 1, 0)) FILTER (WHERE own = other) AS a, min(d / n) FILTER (WHERE own <> other) AS b, bool_or(own = other AND n = 1) AS alone FROM pair GROUP BY 1) q),
	(SELECT silhouette::numeric(12, 9) FROM quality), 'the silhouette is its definition');
CREATE TABLE shape AS SELECT cluster, count(*) AS n, avg(monetary) AS x, avg(frequency) AS y, avg(distance) AS s FROM crm.kmeans('SELECT customer_id, monetary, frequency FROM blob', k => 4, scale => 'none') JOIN blob USING (customer_id) GROUP BY 1;
SELECT is((SELECT avg(worst)::numeric(12, 9) FROM (SELECT max((a.s + b.s) / sqrt((a.x - b.x) ^ 2 + (a.y - b.y) ^ 2)) AS worst FROM shape a JOIN shape b ON a.cluster <> b.cluster GROUP BY a.cluster) q), (SELECT davies_bouldin::numeric(12, 9) FROM quality), 'and so is Davies-Bouldin');
SELECT is((SELECT ((sum(n * ((x - mx) ^ 2 + (y - my) ^ 2)) / 3) / ((SELECT inertia FROM quality) / (450 - 4)))::numeric(12, 6) FROM shape, (SELECT avg(monetary) AS mx, avg(frequency) AS my FROM blob) m), (SELECT calinski_harabasz::numeric(12, 6) FROM quality), 'and Calinski-Harabasz');

-- Whatever the order of rows and columns, the plan, the key.
CREATE FUNCTION run(source text DEFAULT 'customer', features text[] DEFAULT '{monetary, frequency, recency}', k int DEFAULT 6, scale text DEFAULT 'zscore', transform text DEFAULT 'none', weight text DEFAULT NULL, missing text DEFAULT 'skip',
	winsorize float8[] DEFAULT NULL, key anyelement DEFAULT NULL::bigint, init text DEFAULT 'kmeans++', seed bigint DEFAULT 42, n_init int DEFAULT 10)
RETURNS TABLE (customer text, cluster int, label text, distance bytea, second int, silhouette bytea) LANGUAGE sql AS $$
	SELECT customer_id::text, cluster, label, float8send(distance), second_cluster, float8send(silhouette)
	FROM crm.kmeans(key => key, source => source, features => features, k => k, scale => scale, transform => transform, weight => weight, missing => missing, winsorize => winsorize, init => init, seed => seed, n_init => n_init);
$$;
CREATE TABLE expected AS SELECT * FROM run();
CREATE FUNCTION same(other text, name text, expected text DEFAULT 'TABLE expected') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT is_empty(format('(%1$s EXCEPT %2$s) UNION ALL (%2$s EXCEPT %1$s) LIMIT 5', other, expected), name);
$$;
SELECT same('SELECT * FROM run()', 'again gives the same');
SELECT same($$SELECT * FROM run('SELECT * FROM customer ORDER BY md5(customer_id::text)')$$, 'shuffled rows give the same, bit for bit');
SELECT same($$SELECT * FROM run('SELECT * FROM customer ORDER BY monetary DESC')$$, 'sorted rows too');
SELECT same($$SELECT * FROM run(features => '{recency, monetary, frequency}')$$, 'and columns in another order');
SELECT same($$SELECT * FROM run('SELECT frequency, recency, customer_id, monetary FROM customer', NULL)$$, 'and columns of the source in another order');
SELECT same($$SELECT * FROM run('SELECT * FROM customer ORDER BY customer_uuid', k => NULL, weight => 'weight', transform => 'yeo-johnson', scale => 'robust')$$, 'with weights, a transformation and k found',
	$$SELECT * FROM run(k => NULL, weight => 'weight', transform => 'yeo-johnson', scale => 'robust')$$);
SELECT same($$SELECT * FROM run('SELECT * FROM customer ORDER BY customer_uuid', init => 'random', seed => 7, n_init => 1)$$, 'from one random start', $$SELECT * FROM run(init => 'random', seed => 7, n_init => 1)$$);
CREATE TABLE rounded AS SELECT customer_id, round(monetary / 20) AS monetary, frequency / 4 AS frequency, round(recency / 50) AS recency FROM customer;
SELECT same($$SELECT * FROM run('SELECT * FROM rounded ORDER BY md5(customer_id::text)')$$, 'with many equal rows', $$SELECT * FROM run('rounded')$$);
SELECT is((SELECT count(*) FROM (SELECT DISTINCT monetary, frequency, recency, cluster FROM rounded JOIN run('rounded') ON customer = customer_id::text) q), (SELECT count(*) FROM (SELECT DISTINCT monetary, frequency, recency FROM rounded) q), 'equal rows share a cluster');
SELECT is_empty(format($$
	(SELECT c.other, cluster, distance, second FROM expected JOIN (SELECT customer_id::text AS customer, (%1$s)::text AS other FROM customer) c USING (customer)
	EXCEPT SELECT customer, cluster, distance, second FROM run(%2$L, key => NULL::%3$s))
$$, key, format('SELECT %s AS customer_id, monetary, frequency, recency FROM customer', key), type), format('%s keys give the same', type))
FROM (VALUES ('customer_uuid', 'uuid'), ('customer_text', 'text'), ('customer_id::numeric', 'numeric'), ('customer_id::int', 'int'), ('customer_id::int2', 'int2'), ('date ''2000-01-01'' + customer_id::int', 'date'), ('decode(md5(customer_text), ''hex'')', 'bytea'),
	('(''n'' || customer_id)::name', 'name'), ('point(customer_id, 1)', 'point'), ('ARRAY[customer_id, 1]', 'bigint[]'), ('customer_id::text::varchar(30)', 'varchar')) k (key, type);
SELECT is((SELECT count(*) FROM run($$SELECT repeat(customer_text, 400) AS customer_id, monetary, frequency, recency FROM customer WHERE customer_id <= 50$$, key => NULL::text) WHERE length(customer) > 5000), 50::bigint, 'keys that are toasted come back whole');

CREATE TABLE large AS SELECT c.customer_id * 20 + i AS customer_id, monetary + i AS monetary, frequency, recency FROM customer c, generate_series(0, 19) i;
CREATE TABLE serial AS SELECT * FROM run('SELECT * FROM large WHERE monetary > 1', k => 4, n_init => 1);
SET LOCAL max_parallel_workers_per_gather = 4;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
CREATE FUNCTION plan_node(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Node Type';
END $$;
SELECT is(plan_node('SELECT q.customer_id, q.monetary FROM (SELECT * FROM large WHERE monetary > 1) q'), 'Gather', 'such a source has a parallel plan');
SELECT same($$SELECT * FROM run('SELECT * FROM large WHERE monetary > 1', k => 4, n_init => 1)$$, 'a parallel plan gives the same', 'TABLE serial');
RESET max_parallel_workers_per_gather;

-- Scaling and transforming equal the same by hand; so do clipping and filling in.
CREATE FUNCTION by_hand(expression text, name text, scale text DEFAULT 'none', transform text DEFAULT 'none', winsorize float8[] DEFAULT NULL, missing text DEFAULT 'skip', source text DEFAULT 'customer') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TEMP TABLE by_hand ON COMMIT DROP AS SELECT customer_id%s FROM %s', (SELECT string_agg(format(', (%s) AS %s', replace(expression, '@', f), f), '') FROM unnest('{monetary, frequency, recency}'::text[]) f), source);
	RETURN NEXT is((SELECT count(*) FROM crm.kmeans(source, features => '{monetary, frequency, recency}', k => 6, scale => scale, transform => transform, winsorize => winsorize, missing => missing) a
		JOIN crm.kmeans('by_hand', features => '{monetary, frequency, recency}', k => 6, scale => 'none') b USING (customer_id, cluster, second_cluster) WHERE abs(a.distance - b.distance) < 1e-9 * (1 + a.distance)), 2000::bigint, name);
	DROP TABLE by_hand;
END $$;
SELECT by_hand('(@ - avg(@) OVER ()) / stddev_pop(@) OVER ()', 'zscore is what it is by hand', scale => 'zscore');
SELECT by_hand('(@ - min(@) OVER ()) / (max(@) OVER () - min(@) OVER ())::float8', 'minmax too', scale => 'minmax');
SELECT by_hand('(@ - (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY @) FROM customer)) / (SELECT percentile_cont(0.75) WITHIN GROUP (ORDER BY @) - percentile_cont(0.25) WITHIN GROUP (ORDER BY @) FROM customer)', 'robust too', scale => 'robust');
SELECT by_hand('ln(1 + @)', 'log1p too', transform => 'log1p');
SELECT by_hand('(ln(1 + @) - avg(ln(1 + @)) OVER ()) / stddev_pop(ln(1 + @)) OVER ()', 'log1p, then zscore', scale => 'zscore', transform => 'log1p');
SELECT by_hand('least(greatest(@, (SELECT percentile_cont(0.05) WITHIN GROUP (ORDER BY @) FROM customer)), (SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY @) FROM customer))', 'winsorize too', winsorize => '{0.05, 0.9}');
CREATE TABLE gap AS SELECT customer_id, CASE WHEN customer_id % 11 = 0 THEN NULL WHEN customer_id % 13 = 0 THEN 'NaN' ELSE monetary END AS monetary, CASE WHEN customer_id % 17 = 0 THEN NULL ELSE frequency::float8 END AS frequency, CASE WHEN customer_id % 19 = 0 THEN 'Infinity' ELSE recency END AS recency FROM customer;
SELECT by_hand('CASE WHEN @ < ''Infinity'' THEN @ ELSE (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY @) FROM gap WHERE @ < ''Infinity'') END', 'and filling in the median', missing => 'median', source => 'gap');

-- Weights are repeated rows.
CREATE TABLE repeated AS SELECT customer_id, monetary, frequency, recency FROM customer, generate_series(1, weight);
SELECT is_empty($$
	SELECT w.* FROM crm.kmeans('SELECT * FROM customer WHERE weight > 0', features => '{monetary, frequency, recency}', k => 5, scale => 'minmax', weight => 'weight') w JOIN (SELECT DISTINCT customer_id, cluster, distance FROM crm.kmeans('repeated', k => 5, scale => 'minmax')) r USING (customer_id)
	WHERE w.cluster <> r.cluster OR abs(w.distance - r.distance) > 1e-9
$$, 'a weight counts as so many equal rows');
SELECT is((SELECT array_agg(DISTINCT inertia::numeric(20, 9)) FROM crm.kmeans_clusters('SELECT * FROM customer WHERE weight > 0', features => '{monetary, frequency, recency}', k => 5, scale => 'minmax', weight => 'weight')),
	(SELECT array_agg(DISTINCT inertia::numeric(20, 9)) FROM crm.kmeans_clusters('repeated', k => 5, scale => 'minmax')), 'in the inertia as well');
SELECT is((SELECT count(*) FROM crm.kmeans('customer', k => 5, weight => 'weight') WHERE cluster IS NOT NULL), 2000::bigint, 'rows of weight 0 have a cluster');
SELECT same($$SELECT * FROM run('SELECT *, 1 AS one FROM customer', weight => 'one')$$, 'weights of 1 are no weights');

-- What is skipped is counted, and comes without a cluster.
CREATE TABLE spoilt AS SELECT CASE WHEN customer_id <= 5 THEN NULL ELSE customer_id END AS customer_id, monetary, frequency, recency FROM gap;
SELECT is((SELECT array[count(*), count(cluster), count(label), count(distance), count(second_cluster), count(silhouette), count(reason)] FROM crm.kmeans('spoilt', k => 3)), (SELECT array[1995, n, n, n, n, n, n] FROM (
	SELECT count(*) AS n FROM spoilt WHERE customer_id > 0 AND monetary < 'Infinity' AND frequency IS NOT NULL AND recency < 'Infinity') q), 'rows that lack a feature have no cluster');
SELECT is((SELECT row(function, rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, customers)::text FROM crm.last_run()), (SELECT row('crm.kmeans', 2000, n - o - i, 5 + o + i + 2000 - 5 - n, 5, o, i, 1995)::text FROM (
	SELECT count(*) AS n, count(*) FILTER (WHERE monetary IS NULL OR frequency IS NULL) AS o, count(*) FILTER (WHERE NOT (monetary IS NULL OR frequency IS NULL) AND NOT (monetary < 'Infinity' AND recency < 'Infinity')) AS i FROM spoilt WHERE customer_id IS NOT NULL) q), 'and are counted');
SELECT is((SELECT count(cluster) FROM crm.kmeans('spoilt', k => 3, missing => 'median')), 1995::bigint, 'with the median all have one');
SELECT is((SELECT row(rows_used, rows_skipped)::text FROM crm.last_run()), '(1995,5)', 'which is counted too');
SELECT is((SELECT sum(size) FROM crm.kmeans_clusters('spoilt', k => 3) WHERE feature = 'monetary'), (SELECT rows_used::numeric FROM crm.last_run()), 'clusters hold the rows that were used');
SELECT is((SELECT array_agg(cluster) FROM crm.kmeans('SELECT 1 AS customer_id, NULL::float8 AS x')), '{NULL}'::int[], 'a single row that lacks its feature');

-- The default source, and sources by name: RFM features of orders, as crm.rfm has them.
SELECT crm.setup() \g /dev/null
CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(1000, '2025-01-01', '2026-01-01', r => 1, alpha => 6);
CREATE VIEW rfm AS SELECT customer_id, monetary, frequency, extract(epoch FROM recency) / 86400 AS recency FROM crm.rfm('test_kmeans.orders', as_of => '2025-12-01');
SELECT crm.map_source('shop', orders => 'test_kmeans.orders', make_default => true) \g /dev/null
CREATE TABLE by_default AS SELECT * FROM crm.kmeans(k => 4, as_of => '2025-12-01');
SELECT is((SELECT row(function, rows_read, rows_used, skipped_after_as_of, customers, road)::text FROM crm.last_run()), (SELECT row('crm.kmeans', count(*), count(*) FILTER (WHERE ordered_at <= '2025-12-01'), count(*) FILTER (WHERE ordered_at > '2025-12-01'), (SELECT count(*) FROM rfm), 'hash')::text FROM orders), 'the default source is the orders of crm.setup');
SELECT is((SELECT count(*) FROM by_default a JOIN crm.kmeans('rfm', k => 4) b USING (customer_id, cluster, label, second_cluster, reason) WHERE abs(a.distance - b.distance) < 1e-9), (SELECT count(*) FROM rfm), 'whose features are those of crm.rfm');
SELECT is_empty($$TABLE by_default EXCEPT SELECT * FROM crm.kmeans('shop', k => 4, as_of => '2025-12-01')$$, 'by name the same');
SELECT is_empty($$TABLE by_default EXCEPT SELECT * FROM crm.kmeans('Shop', features => '{recency, frequency, monetary}', k => 4, as_of => '2025-12-01')$$, 'features named in another order too');
SELECT is((SELECT array_agg(DISTINCT feature) FROM crm.kmeans_clusters('shop', features => '{frequency}', k => 2)), '{frequency}'::text[], 'one of the features');
SET LOCAL crm.road = 'group';
SELECT is_empty($$TABLE by_default EXCEPT SELECT * FROM crm.kmeans(k => 4, as_of => '2025-12-01')$$, 'by the group road the same, bit for bit');
SET LOCAL crm.road = 'auto';
SELECT crm.map_source('shop', orders => 'SELECT md5(customer_id::text)::uuid AS customer_id, ordered_at, amount FROM test_kmeans.orders') \g /dev/null
SELECT is_empty($$SELECT md5(customer_id::text)::uuid, cluster, distance FROM by_default EXCEPT SELECT customer_id, cluster, distance FROM crm.kmeans(key => NULL::uuid, k => 4, as_of => '2025-12-01')$$, 'uuid keys too');

-- Labels.
CREATE FUNCTION words(source text, labels text DEFAULT NULL, features text[] DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(label, ', ' ORDER BY cluster) FROM (SELECT DISTINCT cluster, label FROM crm.kmeans_clusters(source, features => features, k => 5, labels => labels)) q;
$$;
CREATE TABLE words AS SELECT 30 * g + i AS customer_id, (m + i) AS monetary, f + i / 60.0 AS frequency, r + i AS recency FROM (VALUES (1, 900, 20, 10), (2, 500, 12, 300), (3, 200, 12, 20), (4, 40, 1, 300), (5, 30, 1, 20)) v (g, m, f, r), generate_series(1, 30) i;
SELECT is(words('words'), 'High value, At risk, Potential, Dormant, New', 'five kinds of customers get their customary words');
SELECT is(words('SELECT customer_id, monetary AS "Revenue", frequency AS orders, recency AS days_since_last FROM words'), 'High value, At risk, Potential, Dormant, New', 'by other names too');
SELECT is(words('SELECT customer_id, recency AS recency, frequency AS visits, monetary AS x FROM words'), 'High value, At risk, Potential, Dormant, New', 'the first feature without a role is the value');
SELECT is(words('SELECT customer_id, monetary AS value FROM words'), 'High value, High value, Regular, Regular, Regular', 'a role that nobody plays counts as average');
SELECT is(words('words', 'SELECT * FROM crm.kmeans_labels()'), words('words'), 'the customary rules given as data are the customary labels');
SELECT is(words('words', $$SELECT priority, label, value_low, value_high, NULL AS activity_low, NULL AS activity_high, NULL AS recency_low, NULL AS recency_high FROM (VALUES (30, 'poor', NULL, NULL), (10, 'rich', 1, NULL), (20, 'middle', 0, 1)) v (priority, label, value_low, value_high)$$), 'rich, middle, poor, poor, poor', 'rules of the caller''s own');
SELECT is((SELECT array_agg(label ORDER BY customer_id) FROM crm.kmeans('words', k => 5) WHERE customer_id % 30 = 1), '{High value, At risk, Potential, Dormant, New}', 'the report has the same words');
SELECT is((SELECT array_agg(DISTINCT cluster ORDER BY cluster) FILTER (WHERE r < 150) FROM (SELECT cluster, avg(recency) AS r FROM crm.kmeans('SELECT customer_id, recency FROM words', features => '{recency}', k => 2) JOIN words USING (customer_id) GROUP BY 1) q), '{1}'::int[], 'without value and activity, the most recent come first');

-- More clusters than rows that differ, one row, equal rows, constant columns, one feature and two hundred.
SELECT is((SELECT array_agg(cluster ORDER BY customer_id) FROM crm.kmeans('SELECT i AS customer_id, i / 2 AS x FROM generate_series(0, 5) i', k => 9)), '{3, 3, 2, 2, 1, 1}'::int[], 'k above the number of different rows');
SELECT is((SELECT array_agg(DISTINCT array[k, size]) FROM crm.kmeans_clusters('SELECT 1 AS customer_id, 2 AS x', k => k)), '{{1, 1}}', 'one row, k ' || coalesce(k::text, 'null')) FROM unnest('{1, 2, NULL}'::int[]) k;
SELECT is((SELECT row(cluster, distance, second_cluster, silhouette)::text FROM crm.kmeans('SELECT 1 AS customer_id, 2 AS x')), '(1,0,,)', 'and its row');
SELECT is((SELECT array_agg(DISTINCT array[k, size, inertia]) FROM crm.kmeans_clusters('SELECT i AS customer_id, 7.5 AS x, 8 AS y FROM generate_series(1, 50) i', k => k, scale => scale, transform => transform)), '{{1, 50, 0}}', format('all rows equal, k %s, %s, %s', coalesce(k::text, 'null'), scale, transform))
FROM unnest('{1, 3, NULL}'::int[]) k, unnest('{none, zscore, minmax, robust}'::text[]) scale, unnest('{none, yeo-johnson}'::text[]) transform;
SELECT is_empty($$SELECT cluster, size, feature, centroid FROM crm.kmeans_clusters('SELECT *, 5 AS c FROM rounded', k => 4) WHERE feature <> 'c' EXCEPT SELECT cluster, size, feature, centroid FROM crm.kmeans_clusters('rounded', k => 4)$$, 'a constant column changes nothing');
SELECT is((SELECT count(DISTINCT feature) FROM crm.kmeans_clusters((SELECT format('SELECT i AS customer_id, %s FROM generate_series(1, 40) i', string_agg(format('sin(i * %s) AS x%s', c, c), ', ')) FROM generate_series(1, 200) c), k => 3)), 200::bigint, 'two hundred features');
SELECT is((SELECT count(*) FROM crm.kmeans('SELECT customer_id, monetary FROM customer WHERE false')), 0::bigint, 'an empty source');
SELECT is((SELECT count(*) FROM crm.kmeans_clusters('SELECT customer_id, monetary FROM customer WHERE false', k => 3)), 0::bigint, 'has no cluster');
SELECT is((SELECT count(*) FROM crm.kmeans_select_k('SELECT customer_id, monetary FROM customer WHERE false')), 0::bigint, 'and nothing to choose from');

-- It writes nothing; it runs as the caller, under row-level security; the planner knows how many rows to expect.
SAVEPOINT before;
SET TRANSACTION READ ONLY;
SELECT is((SELECT count(*) FROM crm.kmeans('customer', k => 3)), 2000::bigint, 'it runs in a read-only transaction');
RELEASE SAVEPOINT before;
CREATE ROLE test_kmeans_clerk;
GRANT USAGE ON SCHEMA test_kmeans, crm TO test_kmeans_clerk;
GRANT SELECT ON customer TO test_kmeans_clerk;
ALTER TABLE customer ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON customer TO test_kmeans_clerk USING (customer_id <= 10);
CREATE TABLE seen (n bigint);
GRANT INSERT ON seen TO test_kmeans_clerk;
SET LOCAL ROLE test_kmeans_clerk;
INSERT INTO seen SELECT count(*) FROM crm.kmeans('customer', k => 3);
RESET ROLE;
SELECT is((SELECT array_agg(n) FROM seen), '{10}'::bigint[], 'row-level security holds');
CREATE FUNCTION estimate(query text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	plan json;
BEGIN
	EXECUTE 'EXPLAIN (FORMAT json) ' || query INTO plan;
	RETURN plan -> 0 -> 'Plan' ->> 'Plan Rows';
END $$;
SELECT is(estimate($$SELECT * FROM crm.kmeans('test_kmeans.customer', k => 3)$$), 2000::float8, 'the planner expects as many rows as the table has');

-- iris, where the environment names a folder that has it.
\set has_iris `test -r "${CRM_DATA:-/nowhere}/iris.csv" && echo on || echo off`
\if :has_iris
CREATE TABLE iris (customer_id int GENERATED ALWAYS AS IDENTITY, sepal_length float8, sepal_width float8, petal_length float8, petal_width float8, species text);
\copy iris (sepal_length, sepal_width, petal_length, petal_width, species) from program 'cat "$CRM_DATA/iris.csv"' (format csv, header)
SELECT cmp_ok(abs(max(inertia) / best - 1), '<', 1e-6::float8, format('iris, k %s: the best known inertia', n))
FROM (VALUES (2, 152.34795176), (3, 78.8514414261), (4, 57.2284732143), (5, 46.4461820513), (6, 39.0399872461), (7, 34.2982296651), (8, 29.9889439508), (9, 27.7860924173), (10, 25.83405482)) v (n, best), LATERAL crm.kmeans_clusters('iris', k => n, scale => 'none') GROUP BY n, best ORDER BY n;
SELECT is((SELECT array_agg(DISTINCT size ORDER BY size) FROM crm.kmeans_clusters('iris', k => 3, scale => 'none')), '{38, 50, 62}'::bigint[], 'iris: sizes at 3');
SELECT is((SELECT max(silhouette)::numeric(12, 10) FROM crm.kmeans_clusters('iris', k => 3, scale => 'none')), 0.5528190124, 'iris: silhouette at 3');
\else
SELECT skip('CRM_DATA has no iris.csv', 11);
\endif

SELECT * FROM finish();
ROLLBACK;
