-- A mapped source gives what the same relation or query gives by itself, whatever its columns were called and whatever type its keys have.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_source;
SET LOCAL search_path = test_source, public;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(300, '2025-01-01', '2026-01-01');
CREATE TABLE purchase AS SELECT md5(customer_id::text)::uuid AS buyer, ordered_at::text AS bought_at, amount::text AS total FROM orders;
CREATE VIEW purchase_orders AS SELECT buyer AS customer_id, bought_at::timestamp AT TIME ZONE 'UTC' AS ordered_at, total::numeric AS amount FROM purchase;
SELECT crm.map_source('web', orders => 'orders');
SELECT crm.map_source('uuids', orders => $$SELECT buyer AS customer_id, bought_at::timestamptz AS ordered_at, total::numeric AS amount FROM test_source.purchase -- all of them$$);
SELECT crm.map_source('uuid view', orders => 'purchase_orders');

SELECT results_eq($$SELECT * FROM crm.rfm(as_of => '2026-01-01') ORDER BY 1$$, $$SELECT * FROM crm.rfm('orders', as_of => '2026-01-01') ORDER BY 1$$, 'the default source');
SELECT results_eq($$SELECT * FROM crm.rfm('web', as_of => '2026-01-01') ORDER BY 1$$, $$SELECT * FROM crm.rfm('test_source.orders', as_of => '2026-01-01') ORDER BY 1$$, 'by name');
SELECT results_eq($$SELECT score, segment, frequency FROM crm.rfm(NULL::uuid, source => 'uuids', as_of => '2026-01-01') ORDER BY 1, 2, 3$$,
	$$SELECT score, segment, frequency FROM crm.rfm('web', as_of => '2026-01-01') ORDER BY 1, 2, 3$$, 'a query with uuid keys, times and amounts as text');
SELECT results_eq($$SELECT * FROM crm.rfm(NULL::uuid, source => 'uuid view', as_of => '2026-01-01') ORDER BY 1$$,
	$$SELECT * FROM crm.rfm(NULL::uuid, source => 'uuids', as_of => '2026-01-01') ORDER BY 1$$, 'a view, by a name with a blank');
SELECT results_eq($$SELECT * FROM crm.rfm_segments(as_of => '2026-01-01')$$, $$SELECT * FROM crm.rfm_segments('orders', as_of => '2026-01-01')$$, 'another report');

-- Literals have no type until a function is chosen: by position alone they mean the form without a key.
SELECT results_eq($$SELECT * FROM crm.rfm('orders', '2026-01-01') ORDER BY 1$$, $$SELECT * FROM crm.rfm('orders', as_of => '2026-01-01') ORDER BY 1$$, 'literals by position');
SELECT results_eq($$SELECT * FROM crm.clv('orders', '2026-01-01', '90 days', 'bgnbd') ORDER BY 1$$,
	$$SELECT * FROM crm.clv('orders', as_of => '2026-01-01', horizon => '90 days', model => 'bgnbd') ORDER BY 1$$, 'more of them');
SELECT results_eq($$SELECT * FROM crm.clv_backtest('orders', '2025-10-01', '90 days', '{bgnbd}') ORDER BY 1$$,
	$$SELECT * FROM crm.clv_backtest(source => 'orders', cut_at => '2025-10-01', holdout => '90 days', models => '{bgnbd}') ORDER BY 1$$, 'where some have no default');
SELECT results_eq($$SELECT r, f, m FROM crm.rfm(NULL::uuid, '2026-01-01', source => 'uuids') ORDER BY 1, 2, 3$$,
	$$SELECT r, f, m FROM crm.rfm('orders', '2026-01-01') ORDER BY 1, 2, 3$$, 'the same places in the form with a key');

SET LOCAL search_path = public;
SELECT lives_ok($$SELECT * FROM crm.rfm('web', as_of => '2026-01-01')$$, 'a relation is stored qualified, so the reader''s search_path does not matter');
SELECT lives_ok($$SELECT * FROM crm.rfm(NULL::uuid, source => 'uuid view', as_of => '2026-01-01')$$, 'nor for a view');
SELECT results_eq('SELECT name, valid FROM crm.sources() WHERE name <> ''crm'' ORDER BY 1', $$VALUES ('uuid view', true), ('uuids', true), ('web', true)$$, 'all are valid');
SELECT results_eq($$SELECT (SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(sample) k) FROM crm.sources() WHERE name <> 'crm'$$, $$SELECT ARRAY['amount', 'customer_id', 'ordered_at'] FROM generate_series(1, 3)$$,
	'the sample is a row');
SELECT is((SELECT columns FROM crm.sources() WHERE name = 'uuids'), ARRAY['customer_id uuid', 'ordered_at timestamp with time zone', 'amount numeric'], 'the columns have their types');

-- A column named like the alias of the probe, quoted names, a composite.
CREATE TABLE test_source.odd AS SELECT 1 AS q, 1 AS customer_id, now() AS ordered_at, 1 AS amount, 'x' AS "Quoted ""Name";
SELECT crm.map_source('odd', orders => 'test_source.odd');
SELECT is((SELECT valid FROM crm.sources() WHERE name = 'odd'), true, 'a column named q');
SELECT is((SELECT columns[5] FROM crm.sources() WHERE name = 'odd'), '"Quoted ""Name" text', 'a quoted column');
SELECT is((SELECT sample ->> 'q' FROM crm.sources() WHERE name = 'odd'), '1', 'the sample has the column, not the row, by that name');

-- One default at most, by the table too.
SELECT throws_ok($$UPDATE crm.source SET is_default = true$$, '23505');
SELECT is((SELECT count(*) FROM crm.source WHERE is_default), 1::bigint, 'one default');
SELECT crm.unmap_source('web');
SELECT throws_ok($$SELECT * FROM crm.rfm()$$, '42704', 'there is no default source of orders', 'the default forgotten, there is none');
SELECT crm.map_source('uuids', events => $$SELECT buyer AS customer_id, bought_at AS occurred_at, 1 AS event FROM test_source.purchase$$);
SELECT is((SELECT name FROM crm.source WHERE is_default), 'uuids', 'until a source with orders is mapped');

SELECT * FROM finish();
ROLLBACK;
