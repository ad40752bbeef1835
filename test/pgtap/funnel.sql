-- crm.window_funnel is what a join of its steps gives, and crm.retained what bool_or does, whatever the plan, the order of rows and the type of the group.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'Europe/Berlin';
CREATE SCHEMA test_funnel;
SET LOCAL search_path = test_funnel, public;
SELECT * FROM no_plan();

-- 600 customers with 30 events each in two months, many at the same time, clocks going forward in between.
CREATE TABLE event AS
SELECT i AS event_id, i % 600 AS customer_id, md5((i % 600)::text)::uuid AS customer_uuid,
	timestamptz '2021-03-01' + ('x' || left(md5('t' || i), 7))::bit(28)::int % 480 * interval '3 hours' AS occurred_at,
	NULLIF(('x' || left(md5('e' || i), 7))::bit(28)::int % 9, 7) AS event
FROM generate_series(1, 18000) i;
ANALYZE event;

-- The definition in SQL: the most steps for which there are rows, in order, the last within the window of the first.
CREATE FUNCTION by_joins(step_window interval) RETURNS TABLE (customer_id int, level int) LANGUAGE sql STABLE AS $$
	SELECT c.customer_id, CASE
		WHEN EXISTS (SELECT FROM event a JOIN event b USING (customer_id) JOIN event d USING (customer_id) WHERE a.customer_id = c.customer_id AND a.event = 1 AND b.event = 2 AND d.event = 3
			AND a.occurred_at <= b.occurred_at AND b.occurred_at <= d.occurred_at AND d.occurred_at <= a.occurred_at + step_window) THEN 3
		WHEN EXISTS (SELECT FROM event a JOIN event b USING (customer_id) WHERE a.customer_id = c.customer_id AND a.event = 1 AND b.event = 2
			AND a.occurred_at <= b.occurred_at AND b.occurred_at <= a.occurred_at + step_window) THEN 2
		WHEN EXISTS (SELECT FROM event a WHERE a.customer_id = c.customer_id AND a.event = 1) THEN 1
		ELSE 0 END
	FROM (SELECT DISTINCT customer_id FROM event) c $$;
SELECT set_eq(format('SELECT customer_id, crm.window_funnel(%1$L, occurred_at, event = 1, event = 2, event = 3) FROM event GROUP BY customer_id', w), format('SELECT * FROM by_joins(%L)', w), 'the joins agree, ' || w)
FROM unnest(ARRAY['0', '36 hours', '1 day', '5 days 2 hours', '1 month', '1 mon -0 day 00:00:01', '10 years']) w;
SELECT cmp_ok((SELECT count(DISTINCT level) FROM by_joins('5 days')), '=', 4::bigint, 'with customers of each level');

-- Every mode in every plan: the same. strict_order keeps the rows without a condition.
CREATE TABLE mode AS SELECT concat_ws(', ', VARIADIC m) AS mode FROM (VALUES ('{}'::text[]), ('{strict_deduplication}'), ('{strict_order}'), ('{strict_increase}'), ('{strict_once}'), ('{strict_order,allow_reentry}'),
	('{strict_once,strict_order,strict_deduplication}')) v (m);
CREATE FUNCTION levels(mode text, source text DEFAULT 'event') RETURNS TABLE (customer_id int, level int, modeless int, retained boolean[]) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT customer_id, crm.window_funnel(interval ''6 days'', %L, occurred_at, event IN (1, 5), event IN (2, 5), event = 3, event IN (1, 4)),
		crm.window_funnel(interval ''6 days'', occurred_at, event IN (1, 5), event IN (2, 5), event = 3, event IN (1, 4)),
		crm.retained(event = 1, event = 2, event = 3 AND occurred_at < ''2021-03-08'', event = 99) FROM %s GROUP BY customer_id', mode, source);
END $$;
CREATE TABLE serial AS SELECT m.mode, l.* FROM mode m, levels(m.mode) l;
SELECT cmp_ok((SELECT count(DISTINCT levels) FROM (SELECT array_agg(level ORDER BY customer_id) AS levels FROM serial GROUP BY mode) l), '=', 7::bigint, 'each mode has a result of its own');
SELECT is_empty('SELECT * FROM serial WHERE level > modeless OR mode = '''' AND level <> modeless', 'none is above the default, and no mode is the default');
SELECT set_eq(format('SELECT * FROM levels(%L, ''(SELECT * FROM event ORDER BY md5(event_id::text)) e'')', mode), format('SELECT customer_id, level, modeless, retained FROM serial WHERE mode = %L', mode), 'rows in another order, ' || mode) FROM mode ORDER BY mode;
SELECT set_eq('SELECT customer_id, retained FROM serial', $$SELECT customer_id, ARRAY[a, a AND b, a AND c, false] FROM (SELECT customer_id, bool_or(event = 1) AS a, bool_or(event = 2) AS b, bool_or(event = 3 AND occurred_at < '2021-03-08') AS c FROM event GROUP BY customer_id) e$$,
	'retained is bool_or');
SELECT cmp_ok((SELECT count(DISTINCT retained) FROM serial), '>=', 4::bigint, 'of several kinds');

SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
CREATE FUNCTION plan(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	line text;
	all_lines text := '';
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || query LOOP
		all_lines := all_lines || line || E'\n';
	END LOOP;
	RETURN all_lines;
END $$;
SELECT matches(plan('SELECT customer_id, crm.window_funnel(''1 day'', ''strict_once'', occurred_at, event = 1), crm.window_funnel(''1 day'', occurred_at, event = 1), crm.retained(event = 1) FROM event GROUP BY customer_id'),
	'Finalize .*Gather.*Partial ', 'a parallel plan is there');
CREATE FUNCTION same_in_parallel(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY SELECT set_eq(format('SELECT * FROM levels(%L)', mode), format('SELECT customer_id, level, modeless, retained FROM serial WHERE mode = %L', mode), what || ', ' || mode) FROM mode ORDER BY mode;
END $$;
SELECT same_in_parallel('in parallel');
SET LOCAL parallel_leader_participation = off;
SELECT same_in_parallel('by workers alone');
SET LOCAL enable_hashagg = off;
SELECT same_in_parallel('sorted');
RESET parallel_leader_participation;
RESET enable_hashagg;
SELECT throws_ok('SELECT crm.window_funnel(event * interval ''1 day'', occurred_at, true) FROM event WHERE event < 2', '22023', 'argument "window" must be the same in all rows of a group', 'other options in one group');
SELECT is((SELECT crm.window_funnel('1 hour', occurred_at, event = 77) FROM event), 0, 'a step that nobody takes');
SELECT is((SELECT crm.window_funnel('1 hour', occurred_at, event = 77) FROM event WHERE event = 78), 0, 'no row');
SELECT is((SELECT crm.retained(event = 1) FROM event WHERE event = 78), NULL, 'no row, no array');
SET LOCAL max_parallel_workers_per_gather = 0;

-- Groups of other types, spilled groups, and several groupings.
SELECT set_eq('SELECT crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2), count(*) FROM event GROUP BY customer_uuid', 'SELECT crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2), count(*) FROM event GROUP BY customer_id', 'groups by uuid');
SELECT set_eq('SELECT customer_id, crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2) FROM event GROUP BY GROUPING SETS ((customer_id), ()) HAVING customer_id IS NOT NULL', 'SELECT customer_id, crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2) FROM event GROUP BY customer_id', 'grouping sets');
SET LOCAL work_mem = '64kB';
SELECT set_eq('SELECT customer_id, crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2) FROM event GROUP BY customer_id', 'SELECT customer_id, crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2 ORDER BY event_id) FROM event GROUP BY customer_id', 'little memory');
RESET work_mem;

-- As window aggregates: each row's frame gives what a group of its rows gives. The state lives on after each result.
CREATE VIEW few AS SELECT * FROM event WHERE customer_id < 5;
SELECT results_eq(format('SELECT event_id, crm.window_funnel(''6 days'', %1$L, occurred_at, event = 1, event = 2, event = 3) OVER w, crm.retained(event = 1, event = 2) OVER w FROM few WINDOW w AS (PARTITION BY customer_id ORDER BY event_id DESC) ORDER BY event_id', mode),
	format('SELECT s.event_id, crm.window_funnel(''6 days'', %1$L, o.occurred_at, o.event = 1, o.event = 2, o.event = 3), crm.retained(o.event = 1, o.event = 2) FROM few s JOIN few o ON o.customer_id = s.customer_id AND o.event_id >= s.event_id GROUP BY s.event_id ORDER BY s.event_id', mode),
	'running, ' || mode) FROM mode ORDER BY mode;
SELECT results_eq('SELECT event_id, crm.window_funnel(''6 days'', occurred_at, event = 1, event = 2) OVER (PARTITION BY customer_id ORDER BY event_id ROWS BETWEEN 9 PRECEDING AND CURRENT ROW) FROM few ORDER BY event_id',
	'SELECT s.event_id, (SELECT crm.window_funnel(''6 days'', o.occurred_at, o.event = 1, o.event = 2) FROM (SELECT * FROM few p WHERE p.customer_id = s.customer_id AND p.event_id <= s.event_id ORDER BY p.event_id DESC LIMIT 10) o) FROM few s ORDER BY s.event_id', 'moving');

SELECT * FROM finish();
ROLLBACK;
