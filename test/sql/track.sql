-- track: a session from crm.setup() to the timeline, and every message of tracking.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
CREATE SCHEMA test_track;
SET search_path = test_track, public;

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

-- the public functions: arguments, result, volatility, strictness, parallel safety, who may call them
SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel,
	CASE WHEN has_function_privilege('pg_monitor', p.oid, 'EXECUTE') THEN 'open' ELSE 'closed' END
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace
	AND p.proname IN ('track', 'untrack', 'untrack_missing', 'tracking_status', 'log_interaction', 'log_interactions', 'timeline', 'prune_interactions', '_track_statement', '_track_row')
ORDER BY p.oid::regprocedure::text COLLATE "C";

CREATE TABLE orders (id int PRIMARY KEY, customer bigint, placed_at timestamptz, total numeric, phone text);

-- before crm.setup()
SELECT fails(s) FROM unnest(ARRAY[
	$$SELECT crm.track('orders', 'customer')$$,
	$$SELECT crm.untrack('orders')$$,
	$$SELECT crm.untrack_missing()$$,
	$$SELECT * FROM crm.tracking_status()$$,
	$$SELECT crm.log_interaction(1, 'call')$$,
	$$SELECT crm.log_interactions('{1}', 'call')$$,
	$$SELECT * FROM crm.timeline(1)$$,
	$$SELECT crm.prune_interactions('2024-01-01')$$]) s;

SELECT count(*) > 0 FROM crm.setup();
DO $$ BEGIN PERFORM crm.untrack(t.relation::regclass) FROM crm.tracked t; END $$; -- the CRM's own tables

-- a session
SELECT crm.track('orders', 'customer', kind => 'order', channel => 'web', occurred_at => 'placed_at', columns => '{total}');
SELECT relation, customer, source, kind, channel, occurred_at, reference, columns, events, level, create_customers, unknown, direction FROM crm.tracked;
SELECT * FROM crm.tracking_status();
SET crm.agent = 'anna';
INSERT INTO orders VALUES (1, 7, '2024-01-01 10:00', 10.50, '555-1'), (2, 8, '2024-01-01 11:00', 20, '555-2');
UPDATE orders SET total = 12.50 WHERE id = 1;
UPDATE orders SET phone = '555-3';
DELETE FROM orders WHERE id = 2;
RESET crm.agent;
TRUNCATE orders;
SELECT crm.log_interaction(7, 'call', channel => 'phone', direction => 'out', occurred_at => '2024-01-02', detail => '{"minutes": 5}') IS NOT NULL;
SELECT crm.log_interactions('{7,8}', 'mail', 'newsletter', 'out', occurred_at => '{2024-01-03,2024-01-04}');
SELECT CASE WHEN t.occurred_at > '2024-02-01' THEN 'now' ELSE t.occurred_at::text END, t.kind, t.channel, t.direction, t.action, t.source, t.reference, t.reference_key, t.detail, t.agent
FROM crm.timeline(7) t;
SELECT t.kind, t.action, t.detail FROM crm.timeline(8, '2024-01-01', '2024-01-04') t;
SELECT t.kind, t.action, t.reference FROM crm.timeline(0) t;
SELECT crm.prune_interactions('2024-01-04', batch => 1);
SELECT i.customer_id, i.kind, i.action FROM crm.interaction i ORDER BY i.occurred_at, i.interaction_id;

-- again with other options, then no more
SELECT crm.track('orders', 'customer', level => 'row', events => '{insert,delete}', unknown => 'skip', direction => 'internal', reference => 'phone');
SELECT relation, customer, source, kind, channel, occurred_at, reference, columns, events, level, create_customers, unknown, direction FROM crm.tracked;
SELECT * FROM crm.tracking_status();
DELETE FROM crm.interaction;
INSERT INTO orders VALUES (3, 9, '2024-01-01', 1, 'x'), (4, NULL, NULL, NULL, NULL);
UPDATE orders SET total = 2;
TRUNCATE orders;
SELECT i.customer_id, i.kind, i.channel, i.direction, i.action, i.reference, i.reference_key, i.detail FROM crm.interaction i;
SELECT crm.untrack('orders');
SELECT count(*) FROM crm.tracked;
SELECT tgname FROM pg_trigger WHERE tgrelid = 'orders'::regclass;
SELECT fails($$SELECT crm.untrack('orders')$$);

-- NULL and empty arguments
SELECT a.argument, fails(format('SELECT crm.track(%s)', string_agg(format('%I => %s', b.argument, CASE WHEN a.argument = b.argument THEN 'NULL' ELSE b.value END), ', ')))
FROM (VALUES ('relation', '''orders'''), ('customer', '''customer'''), ('columns', '''{}'''), ('events', '''{}'''), ('level', '''row'''), ('create_customers', 'false'), ('unknown', '''log'''), ('direction', '''in''')) a (argument, value),
	(VALUES ('relation', '''orders'''), ('customer', '''customer'''), ('columns', '''{}'''), ('events', '''{}'''), ('level', '''row'''), ('create_customers', 'false'), ('unknown', '''log'''), ('direction', '''in''')) b (argument, value)
GROUP BY a.argument ORDER BY 1;
SELECT fails(s) FROM unnest(ARRAY[
	$$SELECT crm.track('orders', '')$$,
	$$SELECT crm.track('orders', 'customer', kind => '')$$,
	$$SELECT crm.track('orders', 'customer', columns => '{total,NULL}')$$,
	$$SELECT crm.track('orders', 'customer', events => '{insert,NULL}')$$,
	$$SELECT crm.untrack(NULL)$$]) s;

-- words that are none
SELECT fails(s) FROM unnest(ARRAY[
	$$SELECT crm.track('orders', 'customer', level => 'table')$$,
	$$SELECT crm.track('orders', 'customer', events => '{insert,select}')$$,
	$$SELECT crm.track('orders', 'customer', unknown => 'ignore')$$,
	$$SELECT crm.track('orders', 'customer', direction => 'up')$$,
	$$SELECT crm.track('orders', 'customer', level => 'ROW')$$]) s;

-- columns that are missing or of no use
CREATE DOMAIN shop_key AS text;
CREATE TABLE keyed (id int PRIMARY KEY, u uuid, t text, d shop_key, n numeric, b boolean, "Odd Name" int);
SELECT fails(s) FROM unnest(ARRAY[
	$$SELECT crm.track('orders', 'buyer')$$,
	$$SELECT crm.track('orders', 'customer', columns => '{total,none}')$$,
	$$SELECT crm.track('orders', 'customer', occurred_at => 'at')$$,
	$$SELECT crm.track('orders', 'customer', occurred_at => 'total')$$,
	$$SELECT crm.track('orders', 'customer', occurred_at => '')$$,
	$$SELECT crm.track('orders', 'customer', reference => 'number')$$,
	$$SELECT crm.track('orders', 'ctid')$$,
	$$SELECT crm.track('orders', 'customer', columns => '{xmin}')$$,
	$$SELECT crm.track('keyed', 'u')$$,
	$$SELECT crm.track('keyed', 'd', source => '')$$,
	$$SELECT crm.track('keyed', 'n')$$,
	$$SELECT crm.track('keyed', 'odd name')$$,
	$$SELECT crm.track('keyed', 'Odd Name', create_customers => true)$$,
	$$SELECT crm.track('keyed', 'Odd Name', source => '', create_customers => true)$$]) s;

-- relations that cannot be tracked
CREATE VIEW recent AS SELECT * FROM orders;
CREATE MATERIALIZED VIEW kept AS SELECT * FROM orders;
CREATE SEQUENCE numbers;
CREATE TYPE pair AS (a int, customer int);
CREATE TEMPORARY TABLE passing (id int PRIMARY KEY, customer int);
CREATE FOREIGN DATA WRAPPER test_track_wrapper;
CREATE SERVER test_track_server FOREIGN DATA WRAPPER test_track_wrapper;
CREATE FOREIGN TABLE far (id int, customer int) SERVER test_track_server;
SELECT fails(format('SELECT crm.track(%L, ''customer'')', r)) FROM unnest('{recent,kept,numbers,pair,far,orders_pkey,pg_class,information_schema.sql_features,crm.tracked,crm.interaction}'::text[]) r;
SELECT regexp_replace(f, 'pg_temp(_\d+)?', 'pg_temp') FROM fails($$SELECT crm.track('passing', 'customer')$$) f;
SELECT fails($$SELECT crm.track('nowhere', 'customer')$$);
DROP SERVER test_track_server CASCADE;
DROP MATERIALIZED VIEW kept;
DROP FOREIGN DATA WRAPPER test_track_wrapper;
SELECT count(*) FROM crm.tracked;

-- the trigger functions by hand, and as triggers that crm.track() would not make
SELECT fails(s) FROM unnest(ARRAY[
	'SELECT crm._track_statement()', 'SELECT crm._track_row()', 'SELECT * FROM crm._track_statement()', 'CALL crm._track_row()']) s;
CREATE FUNCTION fails_as(trigger text, statement text DEFAULT 'INSERT INTO orders VALUES (1, 7)') RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT trigger;
	RETURN QUERY SELECT fails('CREATE TRIGGER by_hand ' || trigger || '; ' || statement || '; SELECT undo()');
END $$;
CREATE FUNCTION undo() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE 'no error'; END $$;
SELECT fails_as(format(t, $$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '0'$$), s) FROM (VALUES
	('BEFORE INSERT ON orders FOR EACH ROW EXECUTE FUNCTION crm._track_row(%s)', 'INSERT INTO orders VALUES (1, 7)'),
	('BEFORE INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION crm._track_statement(%s)', 'INSERT INTO orders VALUES (1, 7)'),
	('INSTEAD OF INSERT ON recent FOR EACH ROW EXECUTE FUNCTION crm._track_row(%s)', 'INSERT INTO recent VALUES (1, 7)'),
	('AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION crm._track_statement(%s)', 'INSERT INTO orders VALUES (1, 7)'),
	('AFTER INSERT ON orders REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION crm._track_row(%s)', 'INSERT INTO orders VALUES (1, 7)'),
	('AFTER TRUNCATE ON orders FOR EACH STATEMENT EXECUTE FUNCTION crm._track_row(%s)', 'TRUNCATE orders'),
	('AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION crm._track_statement(%s)', 'INSERT INTO orders VALUES (1, 7)'),
	('AFTER UPDATE ON orders REFERENCING NEW TABLE AS n FOR EACH STATEMENT EXECUTE FUNCTION crm._track_statement(%s)', 'UPDATE orders SET total = 1'),
	('AFTER UPDATE ON orders REFERENCING OLD TABLE AS o FOR EACH STATEMENT EXECUTE FUNCTION crm._track_statement(%s)', 'UPDATE orders SET total = 1'),
	('AFTER DELETE ON orders FOR EACH STATEMENT EXECUTE FUNCTION crm._track_statement(%s)', 'DELETE FROM orders')) v (t, s);
-- arguments
SELECT fails_as(format('AFTER INSERT ON orders FOR EACH ROW EXECUTE FUNCTION crm._track_row(%s)', a)) FROM unnest(ARRAY[
	$$$$,
	$$'test_track.orders'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', ''$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '1'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '-1', 'id'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '2147483647', 'id'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '99999999999999999999', 'id'$$,
	$$'test_track.orders', 'customer', '', '', '', 'in', '', '', '0'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'up', '', '', '0'$$,
	$$'test_track.orders', '', '', 'orders', '', 'in', '', '', '0'$$,
	$$'test_track.orders', 'nobody', '', 'orders', '', 'in', '', '', '0'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', 'nowhen', '', '0'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '1', 'no_key'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '0', 'no_column'$$,
	$$'test_track.orders', 'phone', '', 'orders', '', 'in', '', '', '0'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', '', '', '', '0'$$,
	$$'test_track.orders', 'customer', '', 'orders', '', 'in', 'total', '', '0'$$]) a;
SELECT count(*) FROM orders;
DROP VIEW recent;
DELETE FROM crm.interaction;

-- crm.tracking_status() tells what is wrong
SELECT crm.track('orders', 'customer', columns => '{total}');
CREATE FUNCTION wrong() RETURNS SETOF text LANGUAGE sql AS $$ SELECT format('%s: %s on %s: %s', relation, trigger, target, status) FROM crm.tracking_status() WHERE status <> 'ok' $$;
SELECT wrong();
DROP TRIGGER crm_track_insert ON orders;
ALTER TABLE orders DISABLE TRIGGER crm_track_update;
SELECT wrong();
SELECT crm.track('orders', 'customer', columns => '{total}');
SELECT wrong();
CREATE FUNCTION other() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE OR REPLACE TRIGGER crm_track_insert AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION other('test_track.orders');
CREATE OR REPLACE TRIGGER crm_track_delete AFTER DELETE ON orders REFERENCING OLD TABLE AS crm_old FOR EACH STATEMENT
	EXECUTE FUNCTION crm._track_statement('test_track.orders', 'customer', '', 'orders', '', 'in', '', '', '1', 'id', 'phone');
SELECT wrong();
SELECT crm.track('orders', 'customer', columns => '{total}');
ALTER TABLE orders DROP COLUMN total;
SELECT wrong();
SELECT fails('INSERT INTO orders VALUES (1, 7)');
SELECT crm.track('orders', 'customer');
ALTER TABLE orders DROP CONSTRAINT orders_pkey;
SELECT wrong();
SELECT crm.track('orders', 'customer');
SELECT wrong();
ALTER TABLE orders RENAME TO sales;
SELECT wrong();
SELECT crm.track('sales', 'customer');
SELECT wrong();
SELECT crm.untrack('sales');
SELECT crm.track('sales', 'customer');
DROP TABLE sales CASCADE;
SELECT wrong();
SELECT crm.untrack_missing();
SELECT wrong();

-- explicit logging
SELECT fails(s) FROM unnest(ARRAY[
	$$SELECT crm.log_interaction(NULL, 'call')$$,
	$$SELECT crm.log_interaction(1, NULL)$$,
	$$SELECT crm.log_interaction(1, '')$$,
	$$SELECT crm.log_interaction(1, 'call', occurred_at => NULL)$$,
	$$SELECT crm.log_interaction(1, 'call', direction => 'up')$$,
	$$SELECT crm.log_interactions(NULL, 'call')$$,
	$$SELECT crm.log_interactions('{1,NULL}', 'call')$$,
	$$SELECT crm.log_interactions('{1}', NULL)$$,
	$$SELECT crm.log_interactions('{1}', '')$$,
	$$SELECT crm.log_interactions('{1}', 'call', direction => 'up')$$,
	$$SELECT crm.log_interactions('{1,2}', 'call', occurred_at => '{2024-01-01}')$$,
	$$SELECT crm.log_interactions('{1,2}', 'call', details => '{}')$$]) s;
SELECT crm.log_interaction(1, 'call', direction => NULL) IS NOT NULL, crm.log_interactions('{}', 'call'), crm.log_interactions('{1,1}', 'call', occurred_at => '{2024-01-01,NULL}');
SELECT count(*), count(direction) FROM crm.interaction;

-- the timeline's bounds, and pruning
SELECT fails(s) FROM unnest(ARRAY[
	$$SELECT * FROM crm.timeline(NULL)$$,
	$$SELECT * FROM crm.timeline(1, NULL)$$,
	$$SELECT * FROM crm.timeline(1, now(), NULL)$$,
	$$SELECT crm.prune_interactions(NULL)$$,
	$$SELECT crm.prune_interactions('infinity')$$,
	$$SELECT crm.prune_interactions('-infinity')$$,
	$$SELECT crm.prune_interactions('2024-01-01', batch => 0)$$,
	$$SELECT crm.prune_interactions('2024-01-01', batch => -1)$$,
	$$SELECT crm.prune_interactions('2024-01-01', batch => NULL)$$]) s;
SELECT count(*) FROM crm.timeline(1, '2024-01-01', '2024-01-02');
SELECT count(*) FROM crm.timeline(1, '2024-01-02', '2024-01-01');
SELECT crm.prune_interactions('2024-01-01'), crm.prune_interactions('2024-01-02'), crm.prune_interactions('2024-01-02');

-- what tracking needs is gone
CREATE TABLE visits (id int PRIMARY KEY, customer int);
SELECT crm.track('visits', 'customer');
ALTER TABLE crm.interaction RENAME TO interaction_old;
SELECT fails('INSERT INTO visits VALUES (1, 1)');
ALTER TABLE crm.interaction_old RENAME TO interaction;
INSERT INTO visits VALUES (1, 1);
SELECT count(*) FROM crm.interaction WHERE reference = 'test_track.visits';

SELECT crm.uninstall('drop all customer data');
SELECT tgname FROM pg_trigger WHERE tgrelid = 'visits'::regclass;
DROP SCHEMA test_track CASCADE;
