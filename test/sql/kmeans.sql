-- kmeans: the surface of crm.kmeans, crm.kmeans_clusters, crm.kmeans_select_k and crm.kmeans_labels: options, sources and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET extra_float_digits = 0;
CREATE SCHEMA test_kmeans;
SET search_path = test_kmeans, public;

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

-- functions: arguments and result, volatility, strictness, parallel safety
SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname IN ('kmeans', 'kmeans_clusters', 'kmeans_select_k', 'kmeans_labels')
ORDER BY p.proname, p.pronargs;

-- Twelve customers in three groups of four: rich and recent, poor and recent, poor and gone.
CREATE TABLE customer AS
SELECT 4 * g + i AS customer_id, (m + i)::numeric(10, 2) AS monetary, (f + i % 2)::smallint AS frequency, (r + i)::real AS recency, 'group ' || g AS note, i % 3 AS weight
FROM (VALUES (0, 1000, 20, 5), (1, 50, 1, 10), (2, 60, 2, 300)) v (g, m, f, r), generate_series(1, 4) i;
CREATE VIEW recent AS SELECT * FROM customer WHERE recency < 100;
CREATE TABLE "Odd ""Name"".s" AS SELECT customer_id AS "customer_id", monetary AS "Weird ""Column""", recency AS "select" FROM customer;

SELECT customer_id, cluster, label, round(distance::numeric, 9), second_cluster, round(silhouette::numeric, 9), reason FROM crm.kmeans('customer', features => '{monetary, frequency, recency}', k => 3) ORDER BY customer_id;
SELECT cluster, label, size, round(share::numeric, 9), feature, round(centroid::numeric, 9), round(standard_deviation::numeric, 9), round(z::numeric, 9), round(inertia::numeric, 9), round(silhouette::numeric, 9), round(davies_bouldin::numeric, 9), round(calinski_harabasz::numeric, 6), converged, k
FROM crm.kmeans_clusters('customer', features => '{monetary, frequency, recency}', k => 3);
SELECT k, round(inertia::numeric, 9), round(silhouette::numeric, 9), round(davies_bouldin::numeric, 9), round(calinski_harabasz::numeric, 6), stability BETWEEN 0.5 AND 1, chosen
FROM crm.kmeans_select_k('customer', features => '{monetary, frequency, recency}', k_max => 3);
SELECT k, chosen FROM crm.kmeans_select_k('customer', features => '{monetary, frequency, recency}', k => 4);
SELECT * FROM crm.kmeans_labels();

-- which columns are features: numbers, but for the key and the weight
SELECT array_agg(DISTINCT feature) FROM crm.kmeans_clusters('customer', k => 2);
SELECT array_agg(DISTINCT feature) FROM crm.kmeans_clusters('customer', k => 2, weight => 'weight');
CREATE DOMAIN score AS numeric CHECK (VALUE >= 0);
CREATE DOMAIN better_score AS score;
CREATE TABLE types AS SELECT i::int2 AS customer_id, i::int2 AS i2, i::int4 AS i4, i::int8 AS i8, i::numeric AS n, i::real AS f4, i::float8 AS f8, i::score AS s, i::better_score AS b,
	i::text AS t, i % 2 = 0 AS bo, date '2000-01-01' + i AS d, now() AS ts, i * interval '1 day' AS iv, ARRAY[i] AS a, i::oid AS o, i::money AS mo, to_jsonb(i) AS j FROM generate_series(1, 9) i;
SELECT array_agg(feature) FROM crm.kmeans_clusters('types', k => 1);
SELECT array_agg(DISTINCT feature) FROM crm.kmeans_clusters('"Odd ""Name"".s"', k => 2);
SELECT array_agg(feature) FROM crm.kmeans_clusters('"Odd ""Name"".s"', ARRAY['select', 'Weird "Column"'], k => 1);

-- the forms of a source
SELECT source, fails(format('DO $do$ BEGIN ASSERT (SELECT count(*) FROM crm.kmeans(%L, k => 2)) = %s; END $do$', source, customers))
FROM (VALUES (1, 'customer', 12), (2, 'Test_kmeans.Customer', 12), (3, 'recent', 8), (4, 'SELECT * FROM customer; -- all', 12), (5, 'TABLE recent', 8), (6, 'WITH x AS (SELECT * FROM recent) SELECT * FROM x', 8), (7, 'VALUES (1, 2), (2, 3)', 2), (8, 'SELECT * FROM (VALUES (1, 2), (2, 3)) v (customer_id, x)', 2)) v (n, source, customers) ORDER BY n;

-- bad sources, features and weights
SELECT n, fails(format('SELECT * FROM crm.kmeans(%s)', call))
FROM (VALUES (1, 'NULL'), (2, '$$$$'), (3, '$$nowhere$$'), (4, '$$SELECT 1; SELECT 2$$'), (5, '$$DELETE FROM customer RETURNING *$$'), (6, '$$SELECT monetary FROM customer$$'), (7, '$$SELECT customer_id FROM customer$$'), (8, '$$SELECT customer_id, note FROM customer$$'),
	(9, '$$SELECT customer_id, weight FROM customer$$, weight => $$weight$$'), (10, '$$customer$$, features => $${monetary, price}$$'), (11, '$$customer$$, features => $${note}$$'), (12, '$$customer$$, features => $${monetary, recency, monetary}$$'), (13, '$$customer$$, features => $${}$$'), (14, '$$customer$$, features => $${{monetary}, {recency}}$$'),
	(15, '$$customer$$, features => $${monetary, NULL}$$'), (16, '$$customer$$, features => $${customer_id}$$'), (17, '$$customer$$, features => $${Monetary}$$'), (18, '$$customer$$, weight => $$price$$'), (19, '$$customer$$, weight => $$note$$'), (20, '$$customer$$, weight => $$customer_id$$'), (21, '$$customer$$, features => $${monetary, weight}$$, weight => $$weight$$'),
	(22, '$$SELECT customer_id, monetary, monetary FROM customer$$'), (23, '$$SELECT customer_id, 1 AS x, 2 AS customer_id FROM customer$$'), (24, '$$types$$, features => $${iv}$$'), (25, '$$types$$, features => $${mo}$$'), (26, '$$customer$$, features => $${""}$$'),
	(27, '$$SELECT *, 1 / (frequency - 1) AS broken FROM customer$$'), (28, '(SELECT format($$SELECT 1 AS customer_id, %s$$, string_agg($$1 AS x$$ || i, $$, $$)) FROM generate_series(1, 1601) i)'),
	(29, '(SELECT format($$SELECT 1 AS customer_id, %s$$, string_agg($$1 AS x$$ || i, $$, $$)) FROM generate_series(1, 1600) i)')) v (n, call) ORDER BY n;
-- keys
SELECT n, fails(call)
FROM (VALUES (1, 'SELECT * FROM crm.kmeans(''SELECT md5(note)::uuid AS customer_id, monetary FROM customer'')'), (2, 'SELECT * FROM crm.kmeans(NULL::uuid, source => ''customer'')'), (3, 'SELECT * FROM crm.kmeans_clusters(''SELECT note AS customer_id, monetary FROM customer'')'),
	(4, 'SELECT * FROM crm.kmeans_select_k(''SELECT note AS customer_id, monetary FROM customer'')'), (5, 'SELECT * FROM crm.kmeans(key => NULL, source => ''customer'')'), (6, 'SELECT * FROM crm.kmeans(key => NULL::text, source => ''SELECT note AS customer_id, monetary FROM customer'')'),
	(7, 'SELECT sum(size) FROM crm.kmeans_clusters(key => NULL::text, source => ''SELECT note AS customer_id, monetary FROM customer'')'), (8, 'SELECT * FROM crm.kmeans_select_k(NULL::point, source => ''SELECT point(1, 1) AS customer_id, monetary FROM customer'')')) v (n, call) ORDER BY n;
SELECT pg_typeof(customer_id), count(*), min(customer_id), max(customer_id) FROM crm.kmeans(key => NULL::text, source => 'SELECT note AS customer_id, monetary FROM customer', k => 2) GROUP BY 1;
SELECT pg_typeof(customer_id), count(*) FROM crm.kmeans(NULL::point, source => 'SELECT point(1, 1) AS customer_id, monetary FROM customer', k => 2) GROUP BY 1;

-- every option that is NULL without meaning it
SELECT option, fails(format('SELECT * FROM crm.kmeans(''customer'', %s => NULL)', option))
FROM unnest('{k_max, scale, transform, init, n_init, max_iterations, tolerance, missing, seed, as_of}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT option, fails(format('SELECT * FROM crm.kmeans(''customer'', %s => NULL)', option))
FROM unnest('{features, k, weight, winsorize, labels}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;
-- options that cannot be
SELECT option, fails(format('SELECT * FROM crm.kmeans(''customer'', %s)', option))
FROM unnest(ARRAY['k => 0', 'k => -1', 'k => 10001', 'k => 10000', 'k_max => 1', 'k_max => 10001', 'scale => $$standard$$', 'scale => $$$$', 'transform => $$log$$', 'init => $$k-means++$$', 'n_init => 0', 'n_init => 1001', 'max_iterations => 0', 'tolerance => -1', 'tolerance => 1.5', 'tolerance => $$NaN$$', 'tolerance => 0',
	'missing => $$drop$$', 'seed => -9223372036854775808', 'winsorize => $${0.1}$$', 'winsorize => $${0.9, 0.1}$$', 'winsorize => $${0.5, 0.5}$$', 'winsorize => $${-0.1, 0.9}$$', 'winsorize => $${0.1, 1.1}$$', 'winsorize => $${0.1, NULL}$$', 'winsorize => $${NaN, 1}$$', 'winsorize => $${{0, 1}}$$', 'winsorize => $${}$$', 'winsorize => $${0, 1}$$',
	'as_of => $$infinity$$']) WITH ORDINALITY v (option, n) ORDER BY n;

-- missing values, weights and values that no preparation takes
CREATE TABLE bad (kind text, customer_id int, x float8, w float8);
INSERT INTO bad SELECT kind, i, i, 1 FROM unnest('{"null", nan, infinite, w_null, w_negative, w_nan, w_infinite, w_zero, below, huge, far, tiny}'::text[]) kind, generate_series(1, 5) i;
UPDATE bad SET x = CASE kind WHEN 'null' THEN NULL WHEN 'nan' THEN 'NaN' WHEN 'infinite' THEN '-Infinity' WHEN 'below' THEN -1 WHEN 'huge' THEN 1e200 WHEN 'far' THEN 1.7e308 ELSE x END, w = CASE kind WHEN 'w_null' THEN NULL WHEN 'w_negative' THEN -0.5 WHEN 'w_nan' THEN 'NaN' WHEN 'w_infinite' THEN 'Infinity' ELSE w END WHERE customer_id = 3;
UPDATE bad SET w = 0 WHERE kind = 'w_zero';
UPDATE bad SET x = -1.7e308 WHERE kind = 'far' AND customer_id = 4;
UPDATE bad SET x = x * 1e-310 WHERE kind = 'tiny';
SELECT kind, option, fails(format('SELECT * FROM crm.kmeans(%L, %s)', format('SELECT * FROM bad WHERE kind = %L', kind), option))
FROM (VALUES (1, 'null', $$features => '{x}', missing => 'error'$$), (2, 'nan', $$features => '{x}', missing => 'error'$$), (3, 'infinite', $$features => '{x}', missing => 'error'$$), (4, 'null', $$features => '{x}'$$), (5, 'w_null', $$weight => 'w'$$), (6, 'w_negative', $$weight => 'w'$$), (7, 'w_nan', $$weight => 'w'$$), (8, 'w_infinite', $$weight => 'w'$$),
	(9, 'w_zero', $$weight => 'w'$$), (10, 'w_negative', $$features => '{x}'$$), (11, 'below', $$features => '{x}', transform => 'log1p'$$), (12, 'below', $$features => '{x}', transform => 'yeo-johnson'$$), (13, 'huge', $$features => '{x}', scale => 'none'$$), (14, 'huge', $$features => '{x}', k => 2$$), (15, 'far', $$features => '{x}'$$), (16, 'far', $$features => '{x}', scale => 'minmax'$$),
	(17, 'far', $$features => '{x}', scale => 'none'$$), (18, 'tiny', $$features => '{x}', scale => 'none'$$), (19, 'tiny', $$features => '{x}', scale => 'zscore', k => 2$$)) v (n, kind, option) ORDER BY n;
SELECT fails('SELECT * FROM crm.kmeans(''SELECT 1 AS customer_id, NULL::float8 AS x, 2 AS y'', missing => ''median'')');
SELECT customer_id, cluster, label, distance, second_cluster, silhouette, reason FROM crm.kmeans('SELECT * FROM bad WHERE kind = ''nan''', features => '{x}', k => 2, scale => 'none') ORDER BY 1;
SELECT customer_id, cluster, label, distance, second_cluster, silhouette, reason FROM crm.kmeans('SELECT * FROM bad WHERE kind = ''nan''', features => '{x}', k => 2, scale => 'none', missing => 'median') ORDER BY 1;

-- what is said: rows skipped, fewer clusters, a fit cut short
SET client_min_messages = notice;
SELECT count(cluster) FROM crm.kmeans('SELECT NULLIF(customer_id, 2) AS customer_id, CASE kind WHEN ''null'' THEN x ELSE x END AS x FROM bad WHERE kind IN (''null'', ''nan'')', k => 2);
SELECT count(cluster) FROM crm.kmeans('SELECT NULLIF(customer_id, 2) AS customer_id, x, w FROM bad WHERE kind = ''null''', features => '{x}', k => 2, weight => 'w');
SELECT count(cluster) FROM crm.kmeans('SELECT customer_id, frequency FROM customer', k => 8);
SELECT count(cluster) FROM crm.kmeans('SELECT i AS customer_id, sin(i) AS x, sin(i * i) AS y FROM generate_series(1, 500) i', k => 8, max_iterations => 1, n_init => 1, tolerance => 0);
SELECT count(DISTINCT k) FROM crm.kmeans_clusters('SELECT i AS customer_id, i % 100 AS x FROM generate_series(1, 20001) i', k_max => 2, n_init => 1, scale => 'none');
SELECT * FROM crm.kmeans('SELECT 1 AS customer_id, 1 AS x WHERE false');
SET client_min_messages = warning;

-- label rules of the caller: the first that fits wins
SELECT DISTINCT cluster, label FROM crm.kmeans('customer', features => '{monetary, frequency, recency}', k => 3, labels => 'SELECT 1 AS priority, $$away$$ AS label, NULL AS value_low, NULL AS value_high, NULL AS activity_low, NULL AS activity_high, 0 AS recency_low, NULL AS recency_high UNION ALL SELECT 2, $$here$$, NULL, NULL, NULL, NULL, NULL, NULL') ORDER BY 1;
CREATE TABLE rules AS SELECT * FROM crm.kmeans_labels();
CREATE FUNCTION labels_fail(labels text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT fails(format('SELECT * FROM crm.kmeans(''customer'', labels => %L)', labels));
$$;
SELECT labels_fail('rules');
SELECT labels_fail('SELECT * FROM rules WHERE priority < 7');
SELECT labels_fail('SELECT * FROM rules WHERE false');
SELECT labels_fail('SELECT * FROM rules UNION ALL SELECT 3, $$twice$$, NULL, NULL, NULL, NULL, NULL, NULL');
SELECT labels_fail('SELECT * FROM rules UNION ALL SELECT 8, NULL, NULL, NULL, NULL, NULL, NULL, NULL');
SELECT labels_fail('SELECT * FROM rules UNION ALL SELECT NULL, $$none$$, NULL, NULL, NULL, NULL, NULL, NULL');
SELECT labels_fail('SELECT * FROM rules UNION ALL SELECT 0, $$empty$$, 1, 1, NULL, NULL, NULL, NULL');
SELECT labels_fail('SELECT * FROM rules UNION ALL SELECT 0, $$upside down$$, NULL, NULL, NULL, NULL, 1, -1');
SELECT labels_fail('SELECT * FROM rules UNION ALL SELECT 0, $$nan$$, NULL, NULL, $$NaN$$, 1, NULL, NULL');
SELECT labels_fail('SELECT 1 AS priority, $$all$$ AS label');
SELECT labels_fail('SELECT * FROM rules; SELECT 2');
SELECT labels_fail('DELETE FROM rules RETURNING *');
SELECT labels_fail('no_rules');
SELECT labels_fail('');
SELECT labels_fail('SELECT n AS priority, n::text AS label, NULL AS value_low, NULL AS value_high, NULL AS activity_low, NULL AS activity_high, NULL AS recency_low, NULL AS recency_high FROM generate_series(1, 10001) n');

-- sources of orders
SELECT crm.setup() \g /dev/null
CREATE TABLE orders AS SELECT 1 + i % 7 AS customer_id, timestamptz '2024-01-01' - i * interval '5 hours' AS ordered_at, 10 * (i % 7) + i / 8.0 AS amount FROM generate_series(1, 200) i;
SELECT crm.map_source('shop', orders => 'test_kmeans.orders') \g /dev/null
SELECT crm.map_source('till', baskets => 'SELECT 1 AS basket_id, 2 AS item_id') \g /dev/null
SELECT cluster, size, feature, round(centroid::numeric, 6) FROM crm.kmeans_clusters(k => 2, as_of => '2024-01-01');
SELECT feature, round(max(centroid)::numeric, 6) FROM crm.kmeans_clusters('shop', features => '{recency, monetary}', k => 2, as_of => '2024-01-01') GROUP BY 1 ORDER BY 1;
SELECT array_agg(feature) FROM crm.kmeans_clusters('shop', k => 1, as_of => '2024-01-01', weight => 'frequency');
SELECT n, fails(format('SELECT * FROM crm.kmeans(%s)', call))
FROM (VALUES (1, '$$shop$$, features => $${monetary, price}$$'), (2, '$$shop$$, weight => $$price$$'), (3, '$$shop$$, features => $${monetary}$$, weight => $$monetary$$'), (4, '$$till$$'), (5, '$$nowhere$$'), (6, '$$public.shop$$'), (7, 'NULL::uuid'), (8, '$$shop$$, as_of => $$2000-01-01$$'), (9, '$$shop$$, weight => $$recency$$, as_of => $$2024-01-01$$')) v (n, call) ORDER BY n;
SELECT crm.unmap_source('shop'), crm.unmap_source('till');

-- in the target list, under LIMIT, joined, in a subquery: materialised each time
SELECT (crm.kmeans('SELECT 1 AS customer_id, 2 AS x')).cluster;
SELECT count(*) FROM (SELECT * FROM crm.kmeans('customer') LIMIT 3) q;
SELECT count(*) FROM crm.kmeans('customer') a JOIN crm.kmeans('recent') b USING (customer_id);
SELECT n, (SELECT count(DISTINCT cluster) FROM crm.kmeans('customer', k => n)) FROM generate_series(1, 4) n ORDER BY n;

-- rights are the caller's
CREATE ROLE regress_crm_nobody;
GRANT USAGE ON SCHEMA crm, test_kmeans TO regress_crm_nobody;
SET SESSION AUTHORIZATION regress_crm_nobody;
SELECT count(*) FROM crm.kmeans('SELECT 1 AS customer_id, 1 AS x');
SELECT fails('SELECT * FROM crm.kmeans(''test_kmeans.customer'')');
SELECT fails('SELECT * FROM crm.kmeans(''SELECT 1 AS customer_id, 1 AS x'', labels => ''test_kmeans.rules'')');
RESET SESSION AUTHORIZATION;
REVOKE USAGE ON SCHEMA crm, test_kmeans FROM regress_crm_nobody;
DROP ROLE regress_crm_nobody;

-- maintenance_work_mem bounds the matrix and the fit; the error tells the whole need
SET maintenance_work_mem = '1MB';
SELECT fails('SELECT * FROM crm.kmeans(''SELECT i AS customer_id, i AS x, i AS y FROM generate_series(1, 100000) i'', k => 8)');
SELECT fails('SELECT * FROM crm.kmeans(''SELECT i AS customer_id, i AS x, i AS y FROM generate_series(1, 100000) i'')');
SELECT fails('SELECT * FROM crm.kmeans(''SELECT i AS customer_id, CASE WHEN i < 0 THEN i END AS x FROM generate_series(1, 200000) i'', k => 8)');
RESET maintenance_work_mem;

SELECT crm.uninstall('drop all customer data') \g /dev/null
DROP SCHEMA test_kmeans CASCADE;
