-- crm.kmeans_cluster, crm.kmeans_fit, crm.kmeans_predict and crm.nearest_centroid against crm.kmeans and plain SQL.
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_kmeans_model;
SET LOCAL search_path = test_kmeans_model, public;
SELECT * FROM no_plan();

CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE TABLE customer AS SELECT i::bigint AS customer_id, CASE WHEN i % 5 = 0 THEN 'north' WHEN i % 5 = 1 THEN 'east' ELSE 'south' END AS region, exp(3 * u('a' || i)) AS a, 100 * u('b' || i) AS b, 5 + u('c' || i) AS c FROM generate_series(1, 3000) i;

-- The window function: the same clusters as crm.kmeans, each partition by itself.
SELECT is_empty($$
	SELECT customer_id, crm.kmeans_cluster(ARRAY[a, b, c], 5) OVER () FROM customer EXCEPT SELECT customer_id, cluster FROM crm.kmeans('SELECT customer_id, a, b, c FROM customer', k => 5)
$$, 'a single partition has the clusters of crm.kmeans');
CREATE TABLE report AS SELECT *, crm.kmeans_cluster(ARRAY[a, b, c], 4, scale => 'robust', transform => 'log1p', seed => 7) OVER (PARTITION BY region) AS cluster FROM customer;
SELECT is_empty($$
	SELECT region, customer_id, cluster FROM report
	EXCEPT SELECT r, k.customer_id, cluster FROM unnest('{north, east, south}'::text[]) r, LATERAL crm.kmeans(format('SELECT customer_id, a, b, c FROM test_kmeans_model.customer WHERE region = %L', r), k => 4, scale => 'robust', transform => 'log1p', seed => 7) k
$$, 'each partition has those of its own rows, with options');
SELECT is(count(*), 3000::bigint, 'no row is lost') FROM report;
SELECT is_empty($$
	SELECT region, customer_id, crm.kmeans_cluster(ARRAY[a, b, c], 4, 'robust', 'log1p', 7) OVER (PARTITION BY region ORDER BY b DESC ROWS BETWEEN 1 PRECEDING AND 1 FOLLOWING) FROM customer
	EXCEPT SELECT region, customer_id, cluster FROM report
$$, 'order and frame do not matter');
SELECT is_empty($$
	SELECT customer_id, crm.kmeans_cluster(ARRAY[c, a, b], 4, 'robust', 'log1p', 7) OVER w, crm.kmeans_cluster(ARRAY[c, b, a], 4, 'robust', 'log1p', 7) OVER w FROM customer WINDOW w AS (PARTITION BY region)
	EXCEPT SELECT customer_id, x, x FROM (SELECT customer_id, crm.kmeans_cluster(ARRAY[c, a, b], 4, 'robust', 'log1p', 7) OVER (PARTITION BY region ORDER BY md5(customer_id::text)) AS x FROM customer) q
$$, 'nor does the order of the features, but that the first one numbers the clusters');
SELECT is_empty('SELECT * FROM (SELECT region, avg(a) >= lead(avg(a)) OVER (PARTITION BY region ORDER BY cluster) AS falls FROM (SELECT *, crm.kmeans_cluster(ARRAY[a], 4) OVER (PARTITION BY region) AS cluster FROM customer) c GROUP BY region, cluster) q WHERE NOT falls', 'clusters are numbered by the first feature');

CREATE TABLE odd AS SELECT i, CASE WHEN i % 7 = 0 THEN NULL WHEN i % 7 = 1 THEN ARRAY[i, float8 'NaN'] WHEN i % 7 = 2 THEN ARRAY[float8 'Infinity', i] ELSE ARRAY[i % 4, i % 3]::float8[] END AS f FROM generate_series(1, 100) i;
SELECT is_empty($$SELECT * FROM (SELECT *, crm.kmeans_cluster(f, 3) OVER () AS c FROM odd) q WHERE (c IS NULL) <> (i % 7 <= 2)$$, 'rows without usable features have no cluster, the others have one');
SELECT is((SELECT array_agg(c ORDER BY i) FROM (SELECT i, crm.kmeans_cluster(ARRAY[i / 2]::float8[], 9) OVER () AS c FROM generate_series(0, 5) i) q), '{3, 3, 2, 2, 1, 1}'::int[], 'k above the number of different rows gives fewer');
SELECT is((SELECT array_agg(c) FROM (SELECT crm.kmeans_cluster(NULL, 3) OVER (PARTITION BY i) AS c FROM generate_series(1, 3) i) q), '{NULL, NULL, NULL}'::int[], 'partitions without usable rows');
SELECT is((SELECT array_agg(c) FROM (SELECT crm.kmeans_cluster(ARRAY[i]::float8[], i) OVER (PARTITION BY i) AS c FROM generate_series(1, 3) i) q), '{1, 1, 1}'::int[], 'partitions of one row, each with a k of its own');
SELECT is((SELECT count(*) FROM (SELECT crm.kmeans_cluster(ARRAY[1, 2]::float8[], 3) OVER () FROM customer WHERE false) q), 0::bigint, 'no row');
SELECT is((SELECT sum(n) FROM (SELECT c, count(*) AS n FROM (SELECT crm.kmeans_cluster(ARRAY[i, i % 10]::float8[], 2) OVER (PARTITION BY i % 1000) AS c FROM generate_series(1, 20000) i) q GROUP BY c) r), 20000::numeric, 'a thousand partitions');
SELECT is((SELECT count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm k-means%'), 0::bigint, 'leave no memory');
SELECT is((SELECT array_agg(DISTINCT c) FROM (SELECT crm.kmeans_cluster((SELECT array_agg(sin(i * j)) FROM generate_series(1, 1600) j), 3) OVER () AS c FROM generate_series(1, 20) i) q), '{1, 2, 3}'::int[], 'sixteen hundred features');

-- The model: keys, and predictions that are the fit's own.
CREATE TABLE model AS SELECT scale, transform, crm.kmeans_fit(ARRAY[a, b, c], 5, scale, transform, 11) AS model FROM customer, unnest('{none, zscore, minmax, robust}'::text[]) scale, unnest('{none, log1p, yeo-johnson}'::text[]) transform GROUP BY 1, 2;
SELECT is((SELECT array_agg(DISTINCT keys) FROM (SELECT (SELECT string_agg(k, ' ' ORDER BY k) FROM jsonb_object_keys(model) k) AS keys FROM model) q),
	'{"centre centroids column_order converged dimensions inertia iterations k lambda model n_rows n_skipped n_used scale scaled_centroids seed sizes spread transform version"}'::text[], 'a model has its documented keys');
SELECT is((SELECT count(*) FROM model m, LATERAL crm.kmeans('SELECT customer_id, a, b, c FROM customer', k => 5, scale => m.scale, transform => m.transform, seed => 11) k JOIN customer USING (customer_id)
	WHERE crm.kmeans_predict(model, ARRAY[a, b, c]) = cluster), 12 * 3000::bigint, 'a prediction of a row of the fit is its cluster, whatever the preparation');
SELECT is_empty($$
	SELECT m.scale, m.transform, c.* FROM model m, LATERAL (SELECT DISTINCT inertia, iterations, converged, k FROM crm.kmeans_clusters('SELECT customer_id, a, b, c FROM customer', k => 5, scale => m.scale, transform => m.transform, seed => 11)) c
	WHERE ((model ->> 'inertia')::float8, (model ->> 'iterations')::int, (model ->> 'converged')::bool, (model ->> 'k')::int) <> (inertia, iterations, converged, k)
$$, 'a model has the numbers of crm.kmeans_clusters');
SELECT is_empty($$
	SELECT 1 FROM (SELECT model FROM model WHERE scale = 'zscore' AND transform = 'none') m, LATERAL crm.kmeans_clusters('SELECT customer_id, a, b, c FROM customer', k => 5, seed => 11) c
	WHERE abs((model -> 'centroids' -> (cluster - 1) -> (CASE feature WHEN 'a' THEN 0 WHEN 'b' THEN 1 ELSE 2 END))::float8 - centroid) > 1e-9 OR (model -> 'sizes' -> (cluster - 1))::bigint <> size
$$, 'its centroids are in original units');
SELECT is((SELECT crm.kmeans_fit(ARRAY[a, b, c], 5, 'zscore', 'none', 11) FROM (SELECT * FROM customer ORDER BY md5(customer_id::text)) q), (SELECT model FROM model WHERE scale = 'zscore' AND transform = 'none'), 'the order of rows does not matter');
SELECT is((SELECT crm.kmeans_fit(ARRAY[a, b, c], 5) FROM customer), (SELECT crm.kmeans_fit(ARRAY[a, b, c], 5, 'zscore', 'none', 42) FROM customer), 'the short forms are the long one with its defaults');
SELECT is((SELECT crm.kmeans_fit(ARRAY[a, b, c], 5, 'minmax') FROM customer), (SELECT crm.kmeans_fit(ARRAY[a, b, c], 5, 'minmax', 'none') FROM customer), 'each of them');
SELECT is((SELECT array[m -> 'n_rows', m -> 'n_used', m -> 'n_skipped'] FROM (SELECT crm.kmeans_fit(f, 3) AS m FROM odd) q), '{100, 56, 44}'::jsonb[], 'rows that cannot be used are counted');
SELECT is((SELECT crm.kmeans_fit(ARRAY[a], 5) FROM customer WHERE false), NULL, 'no row gives NULL');
SELECT is((SELECT crm.kmeans_fit(NULL, 5) FROM customer), NULL, 'nor does a model come of rows without features');
SELECT is((SELECT (crm.kmeans_fit(ARRAY[customer_id % 3], 5) ->> 'k')::int FROM customer), 3, 'fewer clusters than asked for');
SELECT is((SELECT array_agg((m -> 'k')::int) FROM (SELECT crm.kmeans_fit(ARRAY[a, b], 3) AS m FROM customer GROUP BY region) q), '{3, 3, 3}'::int[], 'a model a group');
SELECT is(crm.kmeans_predict(model, features), expected, format('predicting %s', features)) FROM (SELECT model FROM model WHERE scale = 'none' AND transform = 'none') m, (VALUES (NULL::float8[], NULL::int), ('{1, 2, NaN}', NULL), ('{1, Infinity, 2}', NULL)) v (features, expected);
SELECT is(crm.kmeans_predict(NULL, '{1}'), NULL, 'without a model');
-- two models in turns, so that the one that was kept is not taken for the other
SELECT is_empty($$
	SELECT customer_id FROM customer, (SELECT max(model::text) FILTER (WHERE scale = 'none')::jsonb AS x, max(model::text) FILTER (WHERE scale = 'minmax')::jsonb AS y FROM model WHERE transform = 'none') m
	WHERE crm.kmeans_predict(CASE customer_id % 2 WHEN 0 THEN x ELSE y END, ARRAY[a, b, c]) <> CASE customer_id % 2 WHEN 0 THEN crm.kmeans_predict(x, ARRAY[a, b, c]) ELSE crm.kmeans_predict(y, ARRAY[a, b, c]) END
$$, 'models in turns');

-- A model is data: crm.model keeps it, a column and an index use it.
SELECT crm.setup() \g /dev/null
INSERT INTO crm.model (name, family, parameters) SELECT 'test', 'kmeans', model FROM model WHERE scale = 'robust' AND transform = 'yeo-johnson';
SELECT is((SELECT count(*) FROM customer, crm.model m JOIN model ON scale = 'robust' AND transform = 'yeo-johnson' WHERE name = 'test' AND crm.kmeans_predict(m.parameters, ARRAY[a, b, c]) = crm.kmeans_predict(model, ARRAY[a, b, c])), 3000::bigint, 'crm.model keeps it whole');
SELECT lives_ok($$CREATE TABLE scored (a float8, b float8, c float8, near int GENERATED ALWAYS AS (crm.nearest_centroid(ARRAY[a, b], '{{0, 0}, {10, 50}}')) STORED)$$, 'crm.nearest_centroid can be a generated column');

-- crm.nearest_centroid
SELECT is_empty($$
	SELECT * FROM customer, LATERAL (SELECT array_agg(n ORDER BY (a - x) ^ 2 + (b - y) ^ 2, n) AS near FROM (VALUES (1, 1, 1), (2, 5, 50), (3, 10, 90), (4, 5, 50)) v (n, x, y)) q
	WHERE crm.nearest_centroid(ARRAY[a, b], '{{1, 1}, {5, 50}, {10, 90}, {5, 50}}') <> near[1]
$$, 'the nearest of some centroids, of equal ones the first');
SELECT is(crm.nearest_centroid('{1, NaN}', '{{0, 0}}'), NULL, 'NaN is near nothing');
SELECT is(crm.nearest_centroid('{1, -Infinity}', '{{0, 0}}'), NULL, 'nor is infinity');
SELECT is(crm.nearest_centroid('{3}', '[5:6][7:7]={{0},{4}}'), 2, 'bounds of the array do not matter');
SELECT is(crm.nearest_centroid(NULL, '{{0}}'), NULL, 'nothing is near nothing');

SELECT * FROM finish();
ROLLBACK;
