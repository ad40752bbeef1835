-- crm.sequence_match and crm.sequence_count find what a regular expression finds in the events written one after another, and what joins find for times.
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_sequence_match;
SET LOCAL search_path = test_sequence_match, public;
SELECT * FROM no_plan();

-- 500 customers with 40 events each, all at different times; events 1 to 4, and others that no condition names.
CREATE TABLE event AS
SELECT i % 500 AS customer_id, md5((i % 500)::text)::uuid AS customer_uuid, timestamptz '2021-03-01' + (('x' || left(md5('t' || i), 7))::bit(28)::int % 500 * 40 + i / 500) * interval '1 minute' AS occurred_at,
	('x' || left(md5('e' || i), 7))::bit(28)::int % 6 + 1 AS event
FROM generate_series(0, 19999) i;
CREATE INDEX ON event (customer_id, event, occurred_at);
ANALYZE event;
CREATE TABLE written AS SELECT customer_id, string_agg(event::text, '' ORDER BY occurred_at) AS events FROM event WHERE event <= 4 GROUP BY customer_id;

CREATE TABLE pattern (pattern text, expression text);
INSERT INTO pattern VALUES ('(?1)', '1'), ('(?1)(?2)', '12'), ('(?1).*(?2)', '1.*?2'), ('(?1)(?2).*(?3)', '12.*?3'), ('(?1).(?1)', '1.1'), ('(?1)(?1)(?1)', '111'), ('(?4).*(?4)(?3)(?2)', '4.*?432'), ('..', '..'), ('.*(?3)(?3).*', '33'),
	('(?1)(?t>=0)(?2)', '1.*?2'), ('(?1)(?2)(?t<=9999999)(?3)(?4)', '12.*?34'), ('(?1)(?t<0)(?2)', '(?!)5');
SELECT set_eq(format('SELECT customer_id, crm.sequence_match(%1$L, occurred_at, event = 1, event = 2, event = 3, event = 4), crm.sequence_count(%1$L, occurred_at, event = 1, event = 2, event = 3, event = 4) FROM event GROUP BY customer_id', pattern),
	format('SELECT customer_id, events ~ %1$L, (SELECT count(*) FROM regexp_matches(events, %1$L, ''g'')) FROM written', expression), pattern) FROM pattern ORDER BY pattern;

-- Times, against joins.
SELECT set_eq(format('SELECT customer_id, crm.sequence_match(%L, occurred_at, event = 1, event = 2, event = 3) FROM event GROUP BY customer_id', '(?1)(?t' || a || ')(?2)(?t' || b || ')(?3)'),
	format('SELECT c, EXISTS (SELECT FROM event x JOIN event y ON y.customer_id = c AND y.event = 2 AND y.occurred_at > x.occurred_at AND extract(epoch FROM y.occurred_at - x.occurred_at) %s
		JOIN event z ON z.customer_id = c AND z.event = 3 AND z.occurred_at > y.occurred_at AND extract(epoch FROM z.occurred_at - y.occurred_at) %s WHERE x.customer_id = c AND x.event = 1) FROM generate_series(0, 499) c',
		replace(a, '==', '='), replace(b, '==', '=')), a || ' and ' || b)
FROM (VALUES ('<=3600', '<=7200'), ('>86400', '<3600'), ('>=86400', '>=400000'), ('<7200', '>900000'), ('==60', '<=86400')) v (a, b);
SELECT cmp_ok((SELECT count(*) FROM (SELECT crm.sequence_match('(?1)(?t>86400)(?2)(?t<3600)(?3)', occurred_at, event = 1, event = 2, event = 3) AS m FROM event GROUP BY customer_id) s WHERE m), '>', 10::bigint, 'some match');
SELECT set_eq('SELECT customer_id, crm.sequence_match(''(?1)(?t<=3600)(?t>600)(?2)'', occurred_at, event = 1, event = 2) FROM event GROUP BY customer_id',
	'SELECT customer_id, crm.sequence_match(''(?1)(?t>''''00:10'''')(?t<=''''1 hour'''')(?2)'', occurred_at, event = 1, event = 2) FROM event GROUP BY customer_id', 'two times, and quoted ones');

-- Each plan and order of rows gives the same; both aggregates of one pattern have one state.
CREATE FUNCTION found(source text DEFAULT 'event') RETURNS TABLE (customer_id int, is_found boolean, n bigint) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format('SELECT customer_id, crm.sequence_match(%1$L, occurred_at, event = 1, event IN (2, 1), event = 3), crm.sequence_count(%1$L, occurred_at, event = 1, event IN (2, 1), event = 3) FROM %2$s GROUP BY customer_id', '(?1)(?t<=''3 hours'')(?2).*(?3)', source);
END $$;
CREATE TABLE serial AS SELECT * FROM found();
SELECT cmp_ok((SELECT count(DISTINCT n) FROM serial), '>', 2::bigint, 'customers differ');
SELECT set_eq('SELECT * FROM found(''(SELECT * FROM event ORDER BY md5(occurred_at::text)) e'')', 'SELECT * FROM serial', 'rows in another order');
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
SELECT matches(plan('SELECT customer_id, crm.sequence_match(''(?1)'', occurred_at, event = 1), crm.sequence_count(''(?1)'', occurred_at, event = 1) FROM event GROUP BY customer_id'), 'Finalize .*Gather.*Partial ', 'a parallel plan is there');
SELECT set_eq('SELECT * FROM found()', 'SELECT * FROM serial', 'in parallel');
SET LOCAL parallel_leader_participation = off;
SELECT set_eq('SELECT * FROM found()', 'SELECT * FROM serial', 'by workers alone');
SET LOCAL enable_hashagg = off;
SELECT set_eq('SELECT * FROM found()', 'SELECT * FROM serial', 'sorted');
SELECT set_eq('SELECT pattern, crm.sequence_count(pattern, occurred_at, event = 1, event = 2, event = 3, event = 4) FROM event, pattern GROUP BY pattern',
	'SELECT pattern, (SELECT crm.sequence_count(pattern, occurred_at, event = 1, event = 2, event = 3, event = 4) FROM event) FROM pattern', 'patterns as groups');
RESET enable_hashagg;
SELECT set_eq('SELECT pattern, crm.sequence_count(pattern, occurred_at, event = 1, event = 2, event = 3, event = 4) FROM event, pattern GROUP BY pattern',
	'SELECT pattern, (SELECT crm.sequence_count(pattern, occurred_at, event = 1, event = 2, event = 3, event = 4) FROM event) FROM pattern', 'and hashed');
SELECT throws_ok('SELECT crm.sequence_match(''(?'' || event || '')'', occurred_at, true, true, true, true, true, true) FROM event', '22023', 'argument "pattern" must be the same in all rows of a group', 'two patterns in one group');
SELECT is((SELECT crm.sequence_match('(?1)', occurred_at, event = 77) FROM event), false, 'an event that nobody has');
SELECT is((SELECT crm.sequence_count('(?1)', occurred_at, event = 77) FROM event WHERE event = 77), 0::bigint, 'no row');
SET LOCAL max_parallel_workers_per_gather = 0;
SELECT set_eq('SELECT crm.sequence_count(''(?1).*(?2)'', occurred_at, event = 1, event = 2), min(customer_id) FROM event GROUP BY customer_uuid', 'SELECT crm.sequence_count(''(?1).*(?2)'', occurred_at, event = 1, event = 2), customer_id FROM event GROUP BY customer_id', 'groups by uuid');
SELECT results_eq('SELECT occurred_at, crm.sequence_count(''(?1).*(?2)'', occurred_at, event = 1, event = 2) OVER (ORDER BY event DESC, occurred_at DESC) FROM event WHERE customer_id = 5 ORDER BY occurred_at',
	'SELECT e.occurred_at, crm.sequence_count(''(?1).*(?2)'', o.occurred_at, o.event = 1, o.event = 2) FROM event e JOIN event o ON o.customer_id = 5 AND (o.event, o.occurred_at) >= (e.event, e.occurred_at) WHERE e.customer_id = 5 GROUP BY e.occurred_at ORDER BY e.occurred_at', 'running');

SELECT * FROM finish();
ROLLBACK;
