-- rfm: the surface of crm.rfm, crm.rfm_thresholds, crm.rfm_segments, crm.rfm_rules and crm.rfm_segment: options, sources,
-- keys and every error.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
CREATE SCHEMA test_rfm;
SET search_path = test_rfm, public;

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
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname LIKE 'rfm%'
ORDER BY p.proname, p.pronargs;

-- Ten customers whose last orders, counts and sums all differ in steps.
CREATE TABLE orders AS
SELECT c::bigint AS customer_id, timestamptz '2024-01-01 12:00Z' - c * interval '1 day' - o * interval '1 hour' AS ordered_at, (10 * c + o / 4.0)::float8 AS amount
FROM generate_series(1, 10) c, generate_series(0, 10 - c) o;
CREATE TABLE "Odd ""Name"".s" AS TABLE orders;
CREATE VIEW recent AS SELECT * FROM orders WHERE customer_id <= 4;

-- the report, by default in five bins
SELECT customer_id, last_order_at, recency, frequency, monetary, r, f, m, score, segment, reason
FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z') ORDER BY customer_id;
SELECT * FROM crm.rfm_thresholds('orders', as_of => '2024-01-01 12:00Z') ORDER BY dimension, score;
SELECT segment, customers, share, orders, revenue, round(revenue_share::numeric, 6), mean_recency, mean_frequency, mean_monetary
FROM crm.rfm_segments('orders', as_of => '2024-01-01 12:00Z');

-- ntile, cuts, a mean, a period, other bins
SELECT customer_id, r, f, m, score, segment FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z', method => 'ntile', bins => 3) ORDER BY customer_id;
SELECT customer_id, r, f, m, score, segment
FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z', method => 'cuts', bins => 3, recency_cuts => '{2 days, 1 week}', frequency_cuts => '{1, 5}', monetary_cuts => '{100, 200.5}') ORDER BY customer_id;
SELECT * FROM crm.rfm_thresholds('orders', as_of => '2024-01-01 12:00Z', method => 'cuts', bins => 3, recency_cuts => '{2 days, 40 days}', frequency_cuts => '{1, 5}', monetary_cuts => '{1, 2000}') ORDER BY dimension, score;
SELECT customer_id, frequency, monetary, score FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z', monetary => 'mean', bins => 10) ORDER BY customer_id;
SELECT customer_id, frequency, monetary, score FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z', monetary => 'mean', period => '1 day', bins => 2) ORDER BY customer_id;
SELECT DISTINCT unit FROM crm.rfm_thresholds('orders', as_of => '2024-01-01 12:00Z', period => '1 day') ORDER BY 1;

-- the forms of a source
SELECT source, fails(format('DO $do$ BEGIN ASSERT (SELECT count(*) FROM crm.rfm(%L, as_of => ''2024-01-01 12:00Z'')) = %s; END $do$', source, customers))
FROM (VALUES (1, 'orders', 10), (2, 'Orders', 10), (3, 'test_rfm.orders', 10), (4, ' test_rfm . "orders" ', 10), (5, '"Odd ""Name"".s"', 10), (6, 'test_rfm."Odd ""Name"".s"', 10),
	(7, 'recent', 4), (8, 'SELECT * FROM orders', 10), (9, 'SELECT * FROM orders;', 10), (10, 'SELECT * FROM orders; -- all of them', 10), (11, E'/* those */ SELECT * FROM orders -- all\n;\n/* of them */ ;', 10),
	(12, 'SELECT customer_id, ordered_at, amount, amount AS other FROM recent -- four', 4), (13, 'TABLE orders', 10), (14, 'WITH x AS (SELECT * FROM recent) SELECT * FROM x', 4),
	(15, '(SELECT * FROM recent) UNION ALL (SELECT * FROM recent) ORDER BY 1 LIMIT 3', 1), (16, 'SELECT 1 AS customer_id, ''2020-02-02'' AS ordered_at, ''3'' AS amount', 1),
	(17, 'SELECT customer_id::int2, ordered_at::date, amount::int FROM orders', 10), (18, 'SELECT customer_id, ordered_at::timestamp, amount::numeric(9, 2) FROM orders', 10),
	(19, 'SELECT customer_id, ordered_at::text, amount::text FROM orders', 10)) v (n, source, customers) ORDER BY n;

-- the types of keys: each with the type of customer_id that comes out, and a customer's key
CREATE DOMAIN shop_key AS uuid;
CREATE DOMAIN shop_number AS bigint CHECK (VALUE > 0);
CREATE TYPE shop_enum AS ENUM ('b', 'a');
CREATE TABLE keyed AS SELECT customer_id::int4 AS i4, customer_id::int2 AS i2, customer_id AS i8, md5(customer_id::text)::uuid AS u, md5(customer_id::text)::uuid::shop_key AS du, customer_id::shop_number AS di,
	repeat('k', customer_id::int * 900) || customer_id AS t, ('v' || customer_id)::varchar(20) AS v, ('c' || customer_id)::char(5) AS c, customer_id + 0.5 AS n, date '2000-01-01' + customer_id::int AS d,
	(customer_id % 2 = 0) AS b, CASE WHEN customer_id % 2 = 0 THEN 'a' ELSE 'b' END::shop_enum AS e, decode(md5(customer_id::text), 'hex') AS by, ARRAY[customer_id, 1] AS a, customer_id::float8 / 4 AS f, customer_id::oid AS o,
	('n' || customer_id)::name AS nm, ordered_at, amount FROM orders;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm('SELECT i4 AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm('SELECT i2 AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm('SELECT di AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::int, '2024-01-01 12:00Z', source => 'SELECT i4 AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::int, '2024-01-01 12:00Z', source => 'SELECT i2 AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::smallint, '2024-01-01 12:00Z', source => 'SELECT i2 AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id::text) FROM crm.rfm(NULL::uuid, '2024-01-01 12:00Z', source => 'SELECT u AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id::text) FROM crm.rfm(NULL::uuid, '2024-01-01 12:00Z', source => 'SELECT du AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id::text) FROM crm.rfm(NULL::shop_key, '2024-01-01 12:00Z', source => 'SELECT u AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(length(customer_id)), min(right(customer_id, 2) COLLATE "C") FROM crm.rfm(key => NULL::text, source => 'SELECT t AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id COLLATE "C") FROM crm.rfm(key => NULL::text, source => 'SELECT v AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id COLLATE "C") FROM crm.rfm(key => NULL::varchar, source => 'SELECT v AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id COLLATE "C") FROM crm.rfm(key => NULL::char(5), source => 'SELECT c AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::numeric, '2024-01-01 12:00Z', source => 'SELECT n AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::date, '2024-01-01 12:00Z', source => 'SELECT d AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), bool_or(customer_id) FROM crm.rfm(NULL::bool, '2024-01-01 12:00Z', source => 'SELECT b AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::shop_enum, '2024-01-01 12:00Z', source => 'SELECT e AS customer_id, * FROM keyed', method => 'ntile') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(encode(customer_id, 'hex')) FROM crm.rfm(NULL::bytea, '2024-01-01 12:00Z', source => 'SELECT by AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::bigint[], '2024-01-01 12:00Z', source => 'SELECT a AS customer_id, * FROM keyed', method => 'ntile') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::float8, '2024-01-01 12:00Z', source => 'SELECT f AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id) FROM crm.rfm(NULL::oid, '2024-01-01 12:00Z', source => 'SELECT o AS customer_id, * FROM keyed') GROUP BY 1;
SELECT pg_typeof(customer_id), count(*), max(customer_id::text COLLATE "C") FROM crm.rfm(key => NULL::name, source => 'SELECT nm AS customer_id, * FROM keyed', as_of => '2024-01-01 12:00Z') GROUP BY 1;
-- a text by position alone is the source of the default form; where the source is named it is a key
SELECT fails('SELECT * FROM crm.rfm(NULL::text, ''orders'')');
SELECT fails('SELECT * FROM crm.rfm(NULL::text, source => ''orders'')');
-- the other two reports take a key as well
SELECT sum(customers) FROM crm.rfm_segments(NULL::uuid, '2024-01-01 12:00Z', source => 'SELECT u AS customer_id, * FROM keyed');
SELECT dimension, sum(customers) FROM crm.rfm_thresholds(NULL::uuid, '2024-01-01 12:00Z', source => 'SELECT u AS customer_id, * FROM keyed') GROUP BY 1 ORDER BY 1;
-- keys that are equal though written otherwise are one customer
SELECT count(*), sum(frequency) FROM crm.rfm(NULL::numeric, source => 'SELECT x AS customer_id, now() AS ordered_at, 1 AS amount FROM unnest(''{1, 1.0, 1.00}''::numeric[]) x');
SELECT count(*), sum(frequency) FROM crm.rfm(NULL::float8, source => 'SELECT x AS customer_id, now() AS ordered_at, 1 AS amount FROM unnest(''{0, -0, NaN, NaN}''::float8[]) x');

-- bad sources
SELECT n, fails(format('SELECT * FROM crm.rfm(%L)', source))
FROM (VALUES (1, NULL), (2, ''), (3, '   '), (4, 'nowhere'), (5, 'no_schema.orders'), (6, 'a.b.c.d'), (7, 'SELECT'), (8, 'SELECT 1; SELECT 2'), (9, ';'), (10, '-- nothing'),
	(11, 'SELECT * FROM nowhere'), (12, 'SELECT customer_id, ordered_at FROM orders'), (13, 'SELECT customer_id, amount FROM orders'), (14, 'SELECT ordered_at, amount FROM orders'),
	(15, 'SELECT customer_id, customer_id AS ordered_at, amount FROM orders'), (16, 'SELECT customer_id, ordered_at, now() AS amount FROM orders'), (17, 'SELECT customer_id, ''soon'' AS ordered_at, amount FROM orders'),
	(18, 'SELECT customer_id, ordered_at, ''much'' AS amount FROM orders'), (19, 'INSERT INTO orders SELECT * FROM orders RETURNING *'), (20, 'UPDATE orders SET amount = 0 RETURNING *'), (21, 'DELETE FROM orders RETURNING *'),
	(22, 'DROP TABLE orders'), (23, 'COPY orders TO STDOUT'), (24, 'EXPLAIN SELECT * FROM orders'), (25, 'WITH x AS (DELETE FROM orders RETURNING *) SELECT * FROM x'),
	(26, 'WITH x AS (INSERT INTO orders SELECT * FROM orders RETURNING *) SELECT * FROM x'), (27, 'SELECT * INTO other FROM orders'), (28, 'SELECT * FROM orders FOR UPDATE'),
	(29, 'SELECT 1) q; DROP TABLE orders; SELECT (1'), (30, 'SELECT * FROM orders) q; --'), (31, 'SELECT * FROM orders /*'), (32, 'SELECT * FROM orders WHERE customer_id = $1'),
	(33, 'SELECT amount, * FROM orders'), (34, 'SELECT 1 / 0 AS customer_id, now() AS ordered_at, 1 AS amount')) v (n, source) ORDER BY n;
-- all ten customers are still there
SELECT count(DISTINCT customer_id), count(*) FROM orders;
-- an error in the text points into it; one in our query around it names the column
\set SHOW_CONTEXT never
SELECT * FROM crm.rfm('SELECT customer_id, ordered_at, amount FROMM orders');
SELECT * FROM crm.rfm('SELECT customer_id, ordered_at, price FROM orders');
SELECT * FROM crm.rfm('SELECT customer_id, ordered_at FROM orders');

-- keys that do not fit
SELECT n, fails(call)
FROM (VALUES (1, 'SELECT * FROM crm.rfm(''SELECT u AS customer_id, * FROM keyed'')'), (2, 'SELECT * FROM crm.rfm(''SELECT t AS customer_id, * FROM keyed'')'), (3, 'SELECT * FROM crm.rfm(''SELECT n AS customer_id, * FROM keyed'')'),
	(4, 'SELECT * FROM crm.rfm(NULL::uuid, source => ''orders'')'), (5, 'SELECT * FROM crm.rfm(NULL::int, source => ''orders'')'), (6, 'SELECT * FROM crm.rfm(key => NULL::text, source => ''SELECT u AS customer_id, * FROM keyed'')'),
	(7, 'SELECT * FROM crm.rfm(NULL::uuid, source => ''SELECT t AS customer_id, * FROM keyed'')'), (8, 'SELECT * FROM crm.rfm(NULL::point, source => ''SELECT point(1, 1) AS customer_id, ordered_at, amount FROM orders'')'),
	(9, 'SELECT * FROM crm.rfm(key => NULL, source => ''orders'')'), (10, 'SELECT * FROM crm.rfm_segments(''SELECT u AS customer_id, * FROM keyed'')'), (11, 'SELECT * FROM crm.rfm_thresholds(''SELECT du AS customer_id, * FROM keyed'')'),
	(12, 'SELECT * FROM crm.rfm(NULL::xid, source => ''SELECT ''''5''''::xid AS customer_id, ordered_at, amount FROM orders'', method => ''ntile'')')) v (n, call) ORDER BY n;

-- every option that is NULL without meaning it
SELECT option, fails(format('SELECT * FROM crm.rfm(''orders'', %s => NULL)', option))
FROM unnest('{as_of, method, bins, monetary, refunds}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;
SELECT option, fails(format('SELECT * FROM crm.rfm(''orders'', %s => NULL)', option))
FROM unnest('{period, recency_cuts, frequency_cuts, monetary_cuts, segments}'::text[]) WITH ORDINALITY v (option, n) ORDER BY n;

-- options that cannot be
CREATE TABLE bad_option (n int GENERATED ALWAYS AS IDENTITY, options text);
INSERT INTO bad_option (options) VALUES ('as_of => $$infinity$$'), ('as_of => $$-infinity$$'), ('method => $$deciles$$'), ('method => $$Quantile$$'), ('method => $$$$'),
	('bins => 1'), ('bins => 100'), ('bins => -5'), ('bins => 2'), ('bins => 99'), ('monetary => $$median$$'), ('refunds => $$keep$$'),
	('period => $$0$$'), ('period => $$1 month 1 day$$'), ('period => $$-1 day$$'), ('period => $$1 millisecond$$'),
	('recency_cuts => $${1 day, 2 days, 3 days, 4 days}$$'), ('frequency_cuts => $${1,2,3,4}$$'), ('monetary_cuts => $${1,2,3,4}$$, method => $$ntile$$');
SELECT options, fails(format('SELECT * FROM crm.rfm(''orders'', %s)', options)) FROM bad_option ORDER BY n;

-- cuts that cannot be
CREATE FUNCTION cuts_fail(recency text DEFAULT '{1 day, 2 days}', frequency text DEFAULT '{1, 2}', monetary text DEFAULT '{1, 2}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT fails(format('SELECT * FROM crm.rfm(''orders'', as_of => ''2024-01-01 12:00Z'', method => ''cuts'', bins => 3, recency_cuts => %L, frequency_cuts => %L, monetary_cuts => %L)', recency, frequency, monetary));
$$;
SELECT cuts_fail();
SELECT cuts_fail(recency => NULL);
SELECT cuts_fail(frequency => NULL);
SELECT cuts_fail(monetary => NULL);
SELECT cuts_fail(recency => '{1 day}');
SELECT cuts_fail(recency => '{1 day, 2 days, 3 days}');
SELECT cuts_fail(recency => '{2 days, 1 day}');
SELECT cuts_fail(recency => '{1 day, 24 hours}');
SELECT cuts_fail(recency => '{1 day, NULL}');
SELECT cuts_fail(recency => '{1 day, 300000 years}');
SELECT cuts_fail(recency => '{-1 day, 1 month}');
SELECT cuts_fail(frequency => '{}');
SELECT cuts_fail(frequency => '{{1, 2}}');
SELECT cuts_fail(frequency => '{2, 1}');
SELECT cuts_fail(frequency => '{1, 1}');
SELECT cuts_fail(frequency => '{NULL, 1}');
SELECT cuts_fail(frequency => '{1, NaN}');
SELECT cuts_fail(monetary => '{NaN, 1}');
SELECT cuts_fail(monetary => '{0, -0}');
SELECT cuts_fail(monetary => '{1, NULL}');
SELECT cuts_fail(monetary => '{1, 2, 3}');
SELECT cuts_fail(monetary => '{-Infinity, Infinity}');

-- segment rules of the caller: the first that fits wins, and rules of one name are one segment
CREATE TABLE rules (priority int, segment text, r_low int, r_high int, f_low int, f_high int, m_low int, m_high int);
INSERT INTO rules VALUES (30, 'rest', 1, 5, 1, 5, 1, 5), (10, 'gold', 4, 5, 4, 5, 1, 5), (20, 'gold', 1, 5, 1, 5, 5, 5), (25, 'nobody', 5, 5, 5, 5, 5, 5);
SELECT customer_id, score, segment, reason FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z', segments => 'rules') ORDER BY customer_id;
SELECT segment, customers, orders, revenue FROM crm.rfm_segments('orders', as_of => '2024-01-01 12:00Z', segments => 'SELECT * FROM rules; -- by query');
-- the customary rules given as data are the customary segments
SELECT bins, count(*), bool_and(q.same) FROM unnest('{2, 3, 5, 9, 10, 99}'::int[]) bins,
	LATERAL (SELECT a.segment = b.segment FROM crm.rfm('orders', bins => bins) a JOIN crm.rfm('orders', bins => bins, segments => format('SELECT * FROM crm.rfm_rules(%s)', bins)) b USING (customer_id)) q (same)
GROUP BY bins ORDER BY bins;

-- rules that cannot be
CREATE FUNCTION rules_fail(segments text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT fails(format('SELECT * FROM crm.rfm(''orders'', segments => %L)', segments));
$$;
SELECT rules_fail('SELECT * FROM rules WHERE priority < 30');
SELECT rules_fail('SELECT priority, segment, r_low, CASE priority WHEN 30 THEN 4 ELSE r_high END AS r_high, f_low, f_high, m_low, m_high FROM rules');
SELECT rules_fail('SELECT * FROM rules WHERE false');
SELECT rules_fail('SELECT * FROM rules UNION ALL SELECT 10, $$twice$$, 1, 5, 1, 5, 1, 5');
SELECT rules_fail('SELECT * FROM rules UNION ALL SELECT 40, NULL, 1, 5, 1, 5, 1, 5');
SELECT rules_fail('SELECT * FROM rules UNION ALL SELECT NULL, $$none$$, 1, 5, 1, 5, 1, 5');
SELECT rules_fail('SELECT * FROM rules UNION ALL SELECT 40, $$six$$, 1, 5, 1, 6, 1, 5');
SELECT rules_fail('SELECT * FROM rules UNION ALL SELECT 40, $$zero$$, 1, 5, 1, 5, 0, 5');
SELECT rules_fail('SELECT * FROM rules UNION ALL SELECT 40, $$empty$$, 3, 2, 1, 5, 1, 5');
SELECT rules_fail('SELECT 1 AS priority, $$all$$ AS segment');
SELECT rules_fail('SELECT * FROM rules; SELECT 2');
SELECT rules_fail('DELETE FROM rules RETURNING *');
SELECT rules_fail('no_rules');
SELECT rules_fail('');
SELECT rules_fail('SELECT n AS priority, n::text AS segment, 1 AS r_low, 5 AS r_high, 1 AS f_low, 5 AS f_high, 1 AS m_low, 5 AS m_high FROM generate_series(1, 10001) n');
-- a hole is an error even without customers
SELECT fails('SELECT * FROM crm.rfm(''SELECT * FROM orders WHERE false'', segments => ''SELECT * FROM rules WHERE priority < 30'')');

-- crm.rfm_rules
SELECT * FROM crm.rfm_rules();
SELECT * FROM crm.rfm_rules(3);
SELECT bins, left(min(f), 60) FROM unnest('{NULL, 1, 2, 99, 100}'::text[]) WITH ORDINALITY v (bins, n), fails(format('SELECT crm.rfm_rules(%s)', coalesce(bins, 'NULL'))) f GROUP BY n, bins ORDER BY n;

-- crm.rfm_segment
SELECT crm.rfm_segment(5, 5, 5), crm.rfm_segment(1, 1, 1), crm.rfm_segment(1, 5, 5), crm.rfm_segment(99, 99, 99, 99), crm.rfm_segment(2, 2, 2, bins => 2);
SELECT crm.rfm_segment(NULL, 1, 1), crm.rfm_segment(1, 1, 1, NULL);
SELECT arguments, fails(format('SELECT crm.rfm_segment(%s)', arguments))
FROM unnest('{"0, 1, 1", "1, 6, 1", "1, 1, -1", "10, 1, 1, 9", "1, 1, 1, 1", "1, 1, 1, 100"}'::text[]) WITH ORDINALITY v (arguments, n) ORDER BY n;

-- Small and odd sources: nothing, one customer, all equal, refunds alone, nothing usable.
CREATE TABLE odd (name text, customer_id bigint, ordered_at timestamptz, amount float8);
INSERT INTO odd SELECT 'one', 1, '2024-01-01', 5;
INSERT INTO odd SELECT 'equal', c, '2024-01-01', 5 FROM generate_series(1, 7) c;
INSERT INTO odd SELECT 'refunds', c, '2024-01-01', -c FROM generate_series(1, 3) c;
INSERT INTO odd SELECT 'zero', c, '2024-01-01', 0 FROM generate_series(1, 2) c;
INSERT INTO odd SELECT 'huge', c % 3, '2024-01-01', 1e308 * CASE c % 3 WHEN 0 THEN -1 ELSE 1 END FROM generate_series(1, 6) c;
INSERT INTO odd SELECT 'cancelling', 1, '2024-01-01', a FROM unnest('{1e308, 1e308, -1e308, -1e308, 1e308}'::float8[]) a;
INSERT INTO odd VALUES ('far', 1, '294276-12-30', 1), ('far', 2, '4713-01-01 BC', 1);
INSERT INTO odd VALUES ('unusable', NULL, '2024-01-01', 1), ('unusable', 1, NULL, 1), ('unusable', 1, '2024-01-01', NULL), ('unusable', 1, 'infinity', 1), ('unusable', 1, '-infinity', 1),
	('unusable', 1, '2024-01-01', 'NaN'), ('unusable', 2, '2024-01-01', 'Infinity'), ('unusable', 2, '2024-01-01', '-Infinity'), ('unusable', 3, '2024-01-03', 1), ('unusable', NULL, NULL, NULL);
INSERT INTO odd VALUES ('mixed', 1, '2024-01-01', 10), ('mixed', 1, '2024-01-02', -4), ('mixed', 2, '2024-01-01', -1), ('mixed', 3, '2024-01-01', 0);
CREATE VIEW "one" AS SELECT * FROM odd WHERE name = 'one';
CREATE VIEW "equal" AS SELECT * FROM odd WHERE name = 'equal';
CREATE VIEW refunds AS SELECT * FROM odd WHERE name = 'refunds';
CREATE VIEW zero AS SELECT * FROM odd WHERE name = 'zero';
CREATE VIEW huge AS SELECT * FROM odd WHERE name = 'huge';
CREATE VIEW cancelling AS SELECT * FROM odd WHERE name = 'cancelling';
CREATE VIEW far AS SELECT * FROM odd WHERE name = 'far';
CREATE VIEW unusable AS SELECT * FROM odd WHERE name = 'unusable';
CREATE VIEW mixed AS SELECT * FROM odd WHERE name = 'mixed';
CREATE VIEW nothing AS SELECT * FROM odd WHERE false;
SELECT kind, c.* FROM unnest('{nothing, one, equal, refunds, zero, cancelling, unusable}'::text[]) WITH ORDINALITY k (kind, n),
	LATERAL (SELECT customer_id, last_order_at, frequency, monetary, score, segment FROM crm.rfm(kind, as_of => '2024-01-02')) c ORDER BY n, customer_id;
SELECT kind, c.* FROM unnest('{nothing, one, equal, refunds, zero, unusable}'::text[]) WITH ORDINALITY k (kind, n),
	LATERAL (SELECT segment, customers, share, orders, revenue, revenue_share, mean_recency, mean_monetary FROM crm.rfm_segments(kind, as_of => '2024-01-02') WHERE customers > 0) c ORDER BY n;
SELECT (SELECT count(*) FROM crm.rfm_segments('nothing')), (SELECT count(*) FROM crm.rfm_thresholds('nothing')), (SELECT count(*) FROM crm.rfm_thresholds('unusable', as_of => '2024-01-02'));
-- ties that make scores collapse
SELECT * FROM crm.rfm_thresholds('equal', as_of => '2024-01-02') ORDER BY dimension, score;
SELECT * FROM crm.rfm_thresholds('equal', as_of => '2024-01-02', method => 'ntile', bins => 9) WHERE customers = 0 ORDER BY dimension, score;
SELECT customer_id, r, f, m FROM crm.rfm('equal', as_of => '2024-01-02', method => 'ntile', bins => 3) ORDER BY customer_id;
-- sums beyond the range of double are infinite, their means are not; a share of an infinite revenue is NULL
SELECT customer_id, frequency, monetary, r, f, m FROM crm.rfm('huge', as_of => '2024-01-02') ORDER BY customer_id;
SELECT customer_id, frequency, monetary, m FROM crm.rfm('huge', as_of => '2024-01-02', monetary => 'mean') ORDER BY customer_id;
SELECT segment, customers, revenue, revenue_share, mean_monetary FROM crm.rfm_segments('SELECT * FROM huge WHERE customer_id > 0', as_of => '2024-01-02') WHERE customers > 0;
SELECT segment, customers, revenue, revenue_share FROM crm.rfm_segments('SELECT * FROM huge WHERE customer_id < 2', as_of => '2024-01-02') WHERE customers > 0;
-- times at the ends of the calendar
SELECT kind, fails(format('SELECT * FROM crm.%s(''far'', as_of => ''294276-12-31'')', kind)) FROM unnest('{rfm, rfm_segments, rfm_thresholds}'::text[]) kind ORDER BY 1;
SELECT customer_id, last_order_at, recency FROM crm.rfm('far', as_of => '200000-01-01') ORDER BY customer_id;
-- refunds: net, drop, error
SELECT refunds, c.* FROM unnest('{net, drop}'::text[]) refunds, LATERAL (SELECT customer_id, last_order_at, frequency, monetary FROM crm.rfm('mixed', as_of => '2024-01-03', refunds => refunds)) c ORDER BY refunds DESC, customer_id;
SELECT fails('SELECT * FROM crm.rfm(''mixed'', refunds => ''error'')');
SELECT fails('SELECT * FROM crm.rfm(''SELECT * FROM mixed WHERE amount >= 0'', refunds => ''error'')');
SET crm.road = 'group';
SELECT fails('SELECT * FROM crm.rfm(''mixed'', refunds => ''error'')');
RESET crm.road;
-- refunds after as_of are no error, as they do not count
SELECT fails('SELECT * FROM crm.rfm(''SELECT * FROM mixed WHERE customer_id = 1'', as_of => ''2024-01-01'', refunds => ''error'')');

-- in the target list, under LIMIT, joined, in a subquery: materialised each time
SELECT (crm.rfm('one', as_of => '2024-01-01 12:00Z')).score;
SELECT count(*) FROM (SELECT * FROM crm.rfm('orders', as_of => '2024-01-01 12:00Z') LIMIT 3) q;
SELECT count(*) FROM crm.rfm('orders') a, crm.rfm('recent') b WHERE a.customer_id = b.customer_id;
SELECT n, (SELECT count(*) FROM crm.rfm('orders', bins => n)) FROM generate_series(2, 4) n ORDER BY n;

-- rights are the caller's
CREATE ROLE regress_crm_nobody;
GRANT USAGE ON SCHEMA crm, test_rfm TO regress_crm_nobody;
SET SESSION AUTHORIZATION regress_crm_nobody;
SELECT count(*) FROM crm.rfm('SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount');
SELECT fails('SELECT * FROM crm.rfm(''test_rfm.orders'')');
SELECT fails('SELECT * FROM crm.rfm(''SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount'', segments => ''test_rfm.rules'')');
RESET SESSION AUTHORIZATION;
REVOKE USAGE ON SCHEMA crm, test_rfm FROM regress_crm_nobody;
DROP ROLE regress_crm_nobody;

-- maintenance_work_mem bounds the table of customers, and the error says what to do
SET maintenance_work_mem = '1MB';
SELECT regexp_replace(f, '[0-9]+ (MB|customers|rows|bytes)', 'N \1', 'g') FROM fails('SELECT * FROM crm.rfm(''SELECT c AS customer_id, timestamptz $$2024-01-01$$ AS ordered_at, 1 AS amount FROM generate_series(1, 100000) c'')') f;
RESET maintenance_work_mem;

DROP SCHEMA test_rfm CASCADE;
