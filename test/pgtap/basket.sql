-- crm.basket is array_agg(DISTINCT ... ORDER BY ...) without NULLs, whatever the plan, the order of rows and the type.
BEGIN;
SET LOCAL client_min_messages = error;
CREATE SCHEMA test_basket;
SET LOCAL search_path = test_basket, public;
SELECT * FROM no_plan();

CREATE TABLE line AS
SELECT ('x' || left(md5('b' || i), 7))::bit(28)::int % 900 AS basket_id, NULLIF(('x' || left(md5('i' || i), 7))::bit(28)::int % 400, 7) AS item
FROM generate_series(1, 20000) i;
ANALYZE line;

CREATE FUNCTION same(expression text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT set_eq(format('SELECT basket_id, crm.basket(%1$s) AS basket FROM line GROUP BY basket_id', expression),
		format('SELECT basket_id, array_agg(DISTINCT %1$s ORDER BY %1$s) FILTER (WHERE item IS NOT NULL) FROM line GROUP BY basket_id', expression), expression || ': each basket');
	RETURN NEXT results_eq(format('SELECT crm.basket(%1$s) FROM line', expression),
		format('SELECT array_agg(DISTINCT %1$s ORDER BY %1$s) FILTER (WHERE item IS NOT NULL) FROM line', expression), expression || ': all in one');
END $$;

CREATE TABLE expression (e text);
INSERT INTO expression VALUES ('item'), ('item::int2'), ('item::bigint'), ('item::text'), ('(''item '' || item)::varchar'), ('item::numeric / 7'), ('md5(item::text)::uuid'), ('date ''2020-01-01'' + item'), ('item * interval ''1 hour'''),
	('decode(md5(item::text), ''hex'')'), ('(item::text)::name'), ('repeat(md5(item::text), 100)'), ('item % 2 = 0'), ('inet ''10.0.0.0'' + item'), ('sin(item)'), ('to_jsonb(item)');
SELECT same(e) FROM expression ORDER BY e;

-- the same in a parallel plan: combined, packed and unpacked
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
SELECT matches(plan('SELECT crm.basket(item) FROM line'), 'Finalize Aggregate.*Gather.*Partial Aggregate', 'a parallel plan is there');
SELECT same(e) FROM expression ORDER BY e;
SET LOCAL parallel_leader_participation = off;
SELECT same(e) FROM expression WHERE e ~ 'text' ORDER BY e;

SELECT is((SELECT cardinality(crm.basket(i)) FROM generate_series(1, 300000) i), 300000, 'a large basket');
SELECT is((SELECT cardinality(crm.basket(i % 3)) FROM generate_series(1, 300000) i), 3, 'many repeats');
SELECT is((SELECT crm.basket(x ORDER BY n) FROM (SELECT n, x FROM unnest(ARRAY[1.0, 1.00, 2, 1.000, 2.0]) WITH ORDINALITY u (x, n)) v)::text,
	(SELECT crm.basket(x ORDER BY n DESC) FROM (SELECT n, x FROM unnest(ARRAY[1.0, 1.00, 2, 1.000, 2.0]) WITH ORDINALITY u (x, n)) v)::text, 'equal items that differ in text: the same whatever the order');

SELECT * FROM finish();
ROLLBACK;
