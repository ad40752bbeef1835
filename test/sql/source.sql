-- source: names for what analytics read: precedence, contracts, the default, and every error.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = warning;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
CREATE SCHEMA test_source;
SET search_path = test_source, public;

CREATE TABLE purchase (buyer uuid, bought_at timestamp, total numeric(12,2), item text);
INSERT INTO purchase SELECT md5((n % 7)::text)::uuid, timestamp '2025-01-01' + n * interval '1 day', n, 'item ' || n % 5 FROM generate_series(1, 40) n;
CREATE VIEW buyer AS SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase;
CREATE TABLE plain AS SELECT n % 3 AS customer_id, timestamptz '2025-01-01' + n * interval '1 day' AS ordered_at, n AS amount FROM generate_series(1, 30) n;
CREATE TABLE "Odd ""name" AS SELECT * FROM plain WHERE customer_id = 1;

-- before crm.setup()
SELECT crm.map_source('shop', orders => 'plain');
SELECT crm.unmap_source('shop');
SELECT * FROM crm.sources();
SELECT crm._source_select(NULL, 'orders');
SELECT crm._source_select('nowhere', 'baskets');
SELECT crm._source_select('plain', 'events');
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
SELECT crm.unmap_source('crm'); -- the CRM's own tables

-- a default that is not there, arguments
SELECT count(*) FROM crm.rfm();
SELECT crm._source_select('nowhere', 'orders');
SELECT crm._source_select('plain', 'touches');
SELECT crm._source_select('plain', NULL);
SELECT crm.map_source(NULL, orders => 'plain');
SELECT crm.map_source('', orders => 'plain');
SELECT crm.map_source('shop', orders => '');
SELECT crm.map_source('shop', orders => ' ');
SELECT crm.map_source('shop', orders => 'plain', make_default => NULL);
SELECT crm.map_source('shop', orders => 'plain', search_path => NULL);
SELECT crm.map_source('shop');
SELECT crm.map_source('shop', make_default => true);
SELECT crm.unmap_source(NULL);
SELECT crm.unmap_source('shop');
SELECT * FROM crm.sources(NULL);
SELECT * FROM crm.sources();

-- what breaks a contract
SELECT crm.map_source('shop', orders => 'nowhere');
SELECT crm.map_source('shop', orders => 'nowhere.nothing');
SELECT crm.map_source('shop', orders => 'purchase');
SELECT crm.map_source('shop', orders => 'SELECT 1 AS customer_id, 2 AS ordered_at, 3 AS amount');
SELECT crm.map_source('shop', orders => 'SELECT 1 AS customer_id, now() AS ordered_at, now() AS amount');
SELECT crm.map_source('shop', baskets => 'plain');
SELECT crm.map_source('shop', events => 'plain');
SELECT crm.map_source('shop', orders => 'not a query');
SELECT crm.map_source('shop', orders => 'SELECT 1; SELECT 2');
SELECT crm.map_source('shop', orders => 'DELETE FROM plain');
SELECT crm.map_source('shop', orders => 'SELECT * FROM plain) q; DROP TABLE plain; --');
SELECT crm.map_source('shop', orders => 'WITH gone AS (DELETE FROM plain RETURNING *) SELECT * FROM gone');
SELECT crm.map_source('shop', orders => 'SELECT * INTO copy FROM plain');
SELECT count(*) FROM crm.source;

-- the first with orders is the default; a relation is stored by its qualified name
SELECT crm.map_source('lines', baskets => 'SELECT bought_at AS basket_id, item AS item_id FROM test_source.purchase;');
SELECT crm.map_source('shop', orders => 'buyer');
SELECT crm.map_source('Web Shop', orders => '"Odd ""name"', events => $$SELECT customer_id, ordered_at AS occurred_at, 'order' AS event FROM test_source.plain -- all$$);
SELECT name, orders, baskets, events, is_default FROM crm.source ORDER BY name;
SELECT name, is_default, contract, query, valid, problem, columns, sample FROM crm.sources();

-- analytics by name: as written, folded, and without any
SELECT count(*) FROM crm.rfm(key => NULL::uuid);
SELECT count(*) FROM crm.rfm();
SELECT count(*) FROM crm.rfm(NULL::uuid, source => 'SHOP');
SELECT count(*) FROM crm.rfm(NULL::uuid, source => ' shop ');
SELECT count(*) FROM crm.rfm('Web Shop');
SELECT crm._source_select('lines', 'baskets');
SELECT crm._source_select('lines', 'orders');
SELECT crm._source_select(NULL, 'baskets');
SELECT crm._source_select('Web Shop', 'events');

-- a name goes before a relation, a name within a name is none, and segment rules have no names
CREATE TABLE shop AS SELECT * FROM plain WHERE customer_id = 2;
SELECT crm._source_select('shop', 'orders'), crm._source_select('test_source.shop', 'orders');
SELECT crm.map_source('shop', orders => 'shop', make_default => true);
SELECT crm._source_select('shop', 'orders'), crm._source_select(NULL, 'orders');
INSERT INTO crm.source (name, orders) VALUES ('loop', 'loop'), ('to_lines', 'lines');
SELECT crm._source_select('loop', 'orders');
SELECT crm._source_select('to_lines', 'orders');
SELECT count(*) FROM crm.rfm('plain', segments => 'shop');
DELETE FROM crm.source WHERE name IN ('loop', 'to_lines');

-- changed: what is not given stays; one default at a time
SELECT crm.map_source('shop', baskets => 'SELECT 1 AS basket_id, 2 AS item_id');
SELECT crm.map_source('Web Shop', make_default => true);
SELECT name, orders, baskets, is_default FROM crm.source ORDER BY name;
SELECT count(*) FROM crm.rfm();

-- what came to harm later says so, and the rest is still read
ALTER TABLE plain RENAME amount TO price;
DROP TABLE shop;
SELECT name, contract, valid, problem, columns, sample FROM crm.sources();
SELECT count(*) FROM crm.rfm('shop');
ALTER TABLE plain RENAME price TO amount;
SELECT crm.map_source('text', orders => 'SELECT 1 AS customer_id, ''2025-01-01'' AS ordered_at, ''ten'' AS amount');
SELECT crm.map_source('empty', orders => 'SELECT * FROM test_source.plain WHERE false');
SELECT crm.map_source('zero', orders => 'SELECT 1 / (customer_id - customer_id) AS customer_id, ordered_at, amount FROM test_source.plain');
SELECT name, contract, valid, problem, columns, sample FROM crm.sources() WHERE name IN ('text', 'empty', 'zero');

-- an unqualified name in a query is looked up where the reader looks
SELECT crm.map_source('path', orders => 'SELECT * FROM plain');
SELECT valid, problem FROM crm.sources() WHERE name = 'path';
SELECT valid, problem FROM crm.sources('public') WHERE name = 'path';
SELECT current_setting('search_path');

-- temporary tables, prepared statements and functions of the user's see the change at once
CREATE TEMPORARY TABLE passing AS SELECT * FROM plain;
SELECT crm.map_source('passing', orders => 'passing');
SELECT orders FROM crm.source WHERE name = 'passing';
SELECT count(*) FROM crm.rfm('passing');
PREPARE report AS SELECT count(*) FROM crm.rfm('moving');
SELECT crm.map_source('moving', orders => 'plain');
EXECUTE report;
SELECT crm.map_source('moving', orders => '"Odd ""name"');
EXECUTE report;
DO $$
BEGIN
	PERFORM crm.map_source('moving', orders => 'plain');
	ASSERT 3 = (SELECT count(*) FROM crm.rfm('moving'));
	PERFORM crm.unmap_source('moving');
END
$$;
EXECUTE report;

-- who may not read crm.source goes without its names; row-level security on it holds
CREATE ROLE regress_crm_reader;
GRANT USAGE ON SCHEMA crm, test_source TO regress_crm_reader;
GRANT SELECT ON plain TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT count(*) FROM crm.rfm('plain');
SELECT count(*) FROM crm.rfm('Web Shop');
SELECT count(*) FROM crm.rfm();
SELECT * FROM crm.sources();
SELECT crm.map_source('mine', orders => 'plain');
SELECT crm.unmap_source('empty');
SELECT crm._source_select('empty', 'orders');
RESET ROLE;
GRANT SELECT ON crm.source TO regress_crm_reader;
ALTER TABLE crm.source ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_all ON crm.source USING (name <> 'shop');
SET ROLE regress_crm_reader;
SELECT name, contract, valid, problem FROM crm.sources();
SELECT count(*) FROM crm.rfm('empty');
SELECT count(*) FROM crm.rfm('shop');
RESET ROLE;

-- a read-only transaction reads them
BEGIN READ ONLY;
SELECT count(*) FROM crm.sources();
SELECT count(*) FROM crm.rfm('path');
SELECT crm.map_source('path', orders => 'plain');
ROLLBACK;

-- the tables of the CRM gone, the errors are those from before
SELECT crm.uninstall('drop all customer data');
SELECT count(*) FROM crm.rfm();
SELECT count(*) FROM crm.rfm('path');
CREATE VIEW crm.source AS SELECT 1 AS name;
SELECT count(*) FROM crm.rfm('path');
DROP VIEW crm.source;
DROP SCHEMA test_source CASCADE;
REVOKE USAGE ON SCHEMA crm FROM regress_crm_reader;
DROP ROLE regress_crm_reader;
