-- kmeans_model: the surface of crm.kmeans_cluster, crm.kmeans_fit, crm.kmeans_predict and crm.nearest_centroid, and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
CREATE SCHEMA test_kmeans_model;
SET search_path = test_kmeans_model, public;

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

-- functions: kind, arguments and result, volatility, strictness, parallel safety
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname ~ '^(_?kmeans_(cluster|fit.*|predict)|nearest_centroid)$'
ORDER BY p.oid::regprocedure::text COLLATE "C";

-- the window function
CREATE TABLE point AS SELECT i AS id, i / 4 AS part, ARRAY[10 * (i % 3) + i / 100.0, i % 2]::float8[] AS f FROM generate_series(0, 11) i;
SELECT id, part, crm.kmeans_cluster(f, 2) OVER (PARTITION BY part), crm.kmeans_cluster(f, 3, scale => 'none') OVER () FROM point ORDER BY id;
SELECT call, fails(format('SELECT %s FROM point', call))
FROM unnest(ARRAY['crm.kmeans_cluster(f, 2)', 'crm.kmeans_cluster(f, NULL) OVER ()', 'crm.kmeans_cluster(f, 0) OVER ()', 'crm.kmeans_cluster(f, -1) OVER ()', 'crm.kmeans_cluster(f, 10001) OVER ()', 'crm.kmeans_cluster(f, 10000) OVER ()',
	'crm.kmeans_cluster(f, 2, NULL) OVER ()', 'crm.kmeans_cluster(f, 2, $$standard$$) OVER ()', 'crm.kmeans_cluster(f, 2, transform => NULL) OVER ()', 'crm.kmeans_cluster(f, 2, transform => $$log$$) OVER ()', 'crm.kmeans_cluster(f, 2, seed => NULL) OVER ()',
	'crm.kmeans_cluster($${}$$, 2) OVER ()', 'crm.kmeans_cluster(ARRAY[f, f], 2) OVER ()', 'crm.kmeans_cluster($${1, NULL}$$, 2) OVER ()', 'crm.kmeans_cluster(CASE id WHEN 7 THEN $${1, 2, 3}$$ ELSE f END, 2) OVER ()',
	'crm.kmeans_cluster(CASE id WHEN 7 THEN NULL WHEN 8 THEN $${1, NaN}$$ ELSE f END, 2) OVER ()', 'crm.kmeans_cluster(array_fill(1, ARRAY[1601])::float8[], 2) OVER ()', 'crm.kmeans_cluster(ARRAY[id - 1], 2, transform => $$log1p$$) OVER ()',
	'crm.kmeans_cluster(ARRAY[id * 1e300, id], 2, $$none$$) OVER ()', 'crm.kmeans_cluster(ARRAY[CASE id WHEN 0 THEN -1.7e308 WHEN 1 THEN 1.7e308 ELSE id END], 2) OVER ()']) WITH ORDINALITY v (call, n) ORDER BY n;

-- the aggregate
SELECT jsonb_pretty(crm.kmeans_fit(ARRAY[x, y], 2, 'none') - '{iterations, column_order}'::text[]) FROM (VALUES (0, 0), (0, 1), (10, 0), (10, 1)) v (x, y);
SELECT crm.kmeans_fit(ARRAY[x], 2, 'none', 'log1p', -5) ->> 'seed' FROM (VALUES (0), (1)) v (x);
SELECT call, fails(format('SELECT %s FROM point', call))
FROM unnest(ARRAY['crm.kmeans_fit(f, NULL)', 'crm.kmeans_fit(f, 0)', 'crm.kmeans_fit(f, 10001)', 'crm.kmeans_fit(f, id + 1)', 'crm.kmeans_fit(f, 2, NULL)', 'crm.kmeans_fit(f, 2, $$$$)', 'crm.kmeans_fit(f, 2, CASE id WHEN 3 THEN $$none$$ ELSE $$minmax$$ END)',
	'crm.kmeans_fit(f, 2, $$none$$, $$sqrt$$)', 'crm.kmeans_fit(f, 2, $$none$$, NULL)', 'crm.kmeans_fit(f, 2, $$none$$, $$none$$, NULL)', 'crm.kmeans_fit(f, 2, $$none$$, $$none$$, id)', 'crm.kmeans_fit($${}$$, 2)', 'crm.kmeans_fit(ARRAY[f, f], 2)',
	'crm.kmeans_fit($${NULL}$$, 2)', 'crm.kmeans_fit(CASE id WHEN 7 THEN $${1}$$ ELSE f END, 2)', 'crm.kmeans_fit(f, 2) OVER ()', 'crm.kmeans_fit(ARRAY[-1], 2, $$none$$, $$log1p$$)']) WITH ORDINALITY v (call, n) ORDER BY n;

-- predictions
CREATE TABLE model AS SELECT crm.kmeans_fit(f, 3) AS m FROM point;
SELECT id, crm.kmeans_predict(m, f) FROM point, model ORDER BY id;
SELECT call, fails(format('SELECT crm.kmeans_predict(%s) FROM model', call))
FROM unnest(ARRAY['m, $${1}$$', 'm, $${1, 2, 3}$$', 'm, $${}$$', 'm, $${{1, 2}}$$', 'm, $${1, NULL}$$', '$${}$$, $${1}$$', '$$[]$$, $${1}$$', '$$1$$, $${1}$$', '$$null$$, $${1}$$', '$${"model": "bgnbd"}$$, $${1}$$', 'm || $${"model": 5}$$, $${1, 2}$$', 'm || $${"version": 2}$$, $${1, 2}$$',
	'm || $${"k": 0}$$, $${1, 2}$$', 'm || $${"k": 4}$$, $${1, 2}$$', 'm || $${"k": "3"}$$, $${1, 2}$$', 'm || $${"dimensions": 3}$$, $${1, 2, 3}$$', 'm || $${"dimensions": 1601}$$, $${1, 2}$$', 'm || $${"scale": "standard"}$$, $${1, 2}$$', 'm || $${"transform": null}$$, $${1, 2}$$',
	'm || $${"spread": [1]}$$, $${1, 2}$$', 'm || $${"spread": [1, 0]}$$, $${1, 2}$$', 'm || $${"spread": [1, "1"]}$$, $${1, 2}$$', 'm || $${"spread": [1, 1e400]}$$, $${1, 2}$$', 'm || $${"centre": {"a": 1, "b": 2}}$$, $${1, 2}$$', 'm - $$lambda$$, $${1, 2}$$', 'm || $${"column_order": [1, 1]}$$, $${1, 2}$$',
	'm || $${"column_order": [1, 3]}$$, $${1, 2}$$', 'm || $${"column_order": [0, 1]}$$, $${1, 2}$$', 'm || $${"scaled_centroids": [1, 2, 3]}$$, $${1, 2}$$', 'm || $${"scaled_centroids": [[1, 2], [1, 2], [1]]}$$, $${1, 2}$$', 'm || $${"scaled_centroids": [[1, 2], [1, 2], [1, null]]}$$, $${1, 2}$$', 'm || $${"scaled_centroids": {}}$$, $${1, 2}$$']) WITH ORDINALITY v (call, n) ORDER BY n;

-- centroids
SELECT crm.nearest_centroid('{1, 2}', '{{0, 0}, {1, 1}, {5, 5}}'), crm.nearest_centroid('{0}', '{{1}, {-1}}'), crm.nearest_centroid('{1e308, -1e308}', '{{0, 0}, {1e308, 0}}');
SELECT call, fails(format('SELECT crm.nearest_centroid(%s)', call))
FROM unnest(ARRAY['$${1, 2}$$, $${1, 2}$$', '$${1, 2}$$, $${}$$', '$${1, 2}$$, $${{1, 2, 3}}$$', '$${1}$$, $${{1, 2, 3}, {4, 5, 6}}$$', '$${}$$, $${{1}}$$', '$${{1, 2}}$$, $${{1, 2}}$$', '$${1, NULL}$$, $${{1, 2}}$$', '$${1, 2}$$, $${{1, NULL}}$$', '$${1, 2}$$, $${{1, NaN}}$$',
	'$${1, 2}$$, $${{1, Infinity}}$$', '$${1}$$, $${{{1}}}$$']) WITH ORDINALITY v (call, n) ORDER BY n;

-- memory: what it would take is told
SET maintenance_work_mem = '1MB';
SELECT fails('SELECT crm.kmeans_cluster(ARRAY[i, i, i], 3) OVER () FROM generate_series(1, 100000) i');
SELECT fails('SELECT crm.kmeans_fit(ARRAY[i, i, i], 3) FROM generate_series(1, 100000) i');
RESET maintenance_work_mem;

DROP SCHEMA test_kmeans_model CASCADE;
