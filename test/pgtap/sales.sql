-- Orders, lines and returns: what is refused, money in foreign currencies, returns within the order, and the source crm.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql
CREATE TEMPORARY TABLE my AS SELECT '{sales_order, sales_order_item, sales_return}'::text[] AS tables;

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'Anna');
INSERT INTO crm.region (region_id, name) VALUES (1, 'World');
INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'Spring');
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'A'), (2, 'B');
INSERT INTO crm.opportunity (customer_id, opportunity_id, name) VALUES (1, 1, 'Fleet');
INSERT INTO crm.product (product_id, sku, name) VALUES (1, 'B-1', 'Bike'), (2, 'H-1', 'Helmet');
INSERT INTO crm.currency_rate VALUES ('EUR', '2026-01-01', 0.9), ('EUR', '2026-02-01', 0.95);

-- The default source, as long as the CRM has orders or nothing else is mapped
SELECT results_eq('SELECT name, is_default FROM crm.source', $$VALUES ('crm', true)$$, 'the own tables are the default source');
SELECT is((SELECT count(*) FROM crm.rfm()), 0::bigint, 'which is empty');
CREATE TABLE public.crm_shop AS SELECT 7 AS customer_id, '2026-01-01'::timestamptz AS ordered_at, 70 AS amount;
SELECT crm.map_source('events', events => $$SELECT 1 AS customer_id, now() AS occurred_at, 'x' AS event$$);
SELECT is((SELECT name FROM crm.source WHERE is_default), 'crm', 'a source without orders is no default');
SELECT crm.map_source('shop', orders => 'public.crm_shop');
SELECT is((SELECT name FROM crm.source WHERE is_default), 'shop', 'the first source with orders takes its place while there are none');
SELECT crm.map_source('crm', make_default => true);

-- Rows, and the rate of their day
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, channel, campaign_id, opportunity_id, amount, region_id, agent_id) VALUES (1, 1, '2026-01-10', 'web', 1, 1, 100, 1, 1);
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, status, currency, exchange_rate, amount) VALUES
	(1, 2, '2026-01-31 23:59', 'paid', 'EUR', NULL, 50), (1, 3, '2026-02-01 00:00', 'shipped', 'EUR', NULL, 50), (2, 4, '2026-02-02', 'completed', 'EUR', 2, 50), (2, 5, '2026-02-03', 'placed', NULL, 1, 10),
	(2, 6, '2026-02-04', 'draft', NULL, NULL, 1000), (2, 7, '2026-02-05', 'cancelled', 'EUR', NULL, 1000);
SELECT results_eq('SELECT sales_order_id, status, exchange_rate, base_amount FROM crm.sales_order ORDER BY 1', $$VALUES (1::bigint, 'placed', NULL::numeric, 100::numeric), (2, 'paid', 0.9, 45), (3, 'shipped', 0.95, 47.5), (4, 'completed', 2, 100),
	(5, 'placed', 1, 10), (6, 'draft', NULL, 1000), (7, 'cancelled', 0.95, 950)$$, 'the rate of the day of the order, or the given one');
SET LOCAL TimeZone = 'Asia/Tokyo';
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, currency, amount) VALUES (1, 8, '2026-01-31 23:59+00', 'EUR', 1);
SELECT is((SELECT exchange_rate FROM crm.sales_order WHERE sales_order_id = 8), 0.95, 'the day is that of the session''s time zone');
SET LOCAL TimeZone = 'UTC';
DELETE FROM crm.sales_order WHERE sales_order_id = 8;
UPDATE crm.sales_order SET ordered_at = '2026-03-01', amount = 60 WHERE sales_order_id = 2;
SELECT results_eq('SELECT exchange_rate, base_amount FROM crm.sales_order WHERE sales_order_id = 2', 'VALUES (0.9, 54.0)', 'a rate stays, whatever becomes of day and amount');
UPDATE crm.sales_order SET exchange_rate = NULL WHERE sales_order_id = 2;
SELECT is((SELECT exchange_rate FROM crm.sales_order WHERE sales_order_id = 2), 0.95, 'until it is NULL: looked up again');
UPDATE crm.sales_order SET currency = NULL WHERE sales_order_id = 2;
SELECT results_eq('SELECT exchange_rate, base_amount FROM crm.sales_order WHERE sales_order_id = 2', 'VALUES (NULL::numeric, 60::numeric)', 'the own currency has none');
UPDATE crm.sales_order SET currency = 'EUR' WHERE sales_order_id = 2;
UPDATE crm.sales_order SET currency = 'QQQ', exchange_rate = 4 WHERE sales_order_id = 4;
SELECT results_eq('SELECT exchange_rate, base_amount FROM crm.sales_order WHERE sales_order_id IN (2, 4) ORDER BY sales_order_id', 'VALUES (0.95, 57.00), (4, 200)', 'another currency brings its rate, or the given one');
UPDATE crm.sales_order SET ordered_at = '2026-01-31 23:59', amount = 50, currency = 'EUR', exchange_rate = 0.9 WHERE sales_order_id = 2;
UPDATE crm.sales_order SET currency = 'EUR', exchange_rate = 2 WHERE sales_order_id = 4;
SELECT throws_ok($$INSERT INTO crm.sales_order (customer_id, ordered_at, currency, amount) VALUES (1, '2026-01-01', 'USD', 1)$$, '23503', 'currency "USD" has no rate on 2026-01-01', 'a currency without a rate');
SELECT throws_ok($$INSERT INTO crm.sales_order (customer_id, ordered_at, currency, amount) VALUES (1, '2025-12-31', 'EUR', 1)$$, '23503', 'currency "EUR" has no rate on 2025-12-31', 'and none so early');
SELECT throws_ok($$UPDATE crm.sales_order SET currency = 'USD'$$, '23503', NULL, 'nor for an older order');

INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price, discount) VALUES (1, 1, 1, 1, 1, 80, 0), (1, 1, 2, 2, 2, 11.115, 0.1), (2, 4, 1, 1, 1, 50, 0), (2, 6, 1, 1, 9, 9, 0);
SELECT results_eq('SELECT amount FROM crm.sales_order_item WHERE sales_order_id = 1 ORDER BY line_number', 'VALUES (80.00), (20.01)', 'lines come to the hundredth: 2 * 11.115 * 0.9 = 20.007');

-- Returns
INSERT INTO crm.sales_return (customer_id, sales_return_id, sales_order_id, product_id, returned_at, quantity, amount) VALUES (1, 1, 1, 1, '2026-02-10', 1, 80), (2, 2, 4, NULL, '2026-02-11', NULL, 10), (1, 3, 3, NULL, '2026-02-12', NULL, 0);
SELECT lives_ok('SELECT crm.resync_sequences()', 'numbers go on');
SELECT throws_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (1, 1, now(), 20.01)$$, '23514', 'more is returned of order 1 than it amounts to', 'more than there is left');
SELECT lives_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (1, 1, '2026-02-13', 20)$$, 'all that is left');
SELECT throws_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (1, 2, now(), 30), (1, 2, now(), 30)$$, '23514', 'more is returned of order 2 than it amounts to', 'two in one statement');
SELECT throws_ok($$UPDATE crm.sales_return SET amount = 81 WHERE sales_return_id = 1$$, '23514', NULL, 'a return that grows');
SELECT throws_ok($$UPDATE crm.sales_return SET sales_order_id = 3 WHERE sales_return_id = 1$$, '23514', 'more is returned of order 3 than it amounts to', 'a return that goes to a smaller order');
SELECT throws_ok($$UPDATE crm.sales_order SET amount = 99 WHERE sales_order_id = 1$$, '23514', 'more is returned of order 1 than it amounts to', 'an order that shrinks below its returns');
SELECT lives_ok($$UPDATE crm.sales_return SET amount = 79 WHERE sales_return_id = 1; UPDATE crm.sales_order SET amount = 99 WHERE sales_order_id = 1$$, 'first the return, then the order');
SELECT lives_ok($$UPDATE crm.sales_order SET amount = 100 WHERE sales_order_id = 1; UPDATE crm.sales_return SET amount = 80 WHERE sales_return_id = 1$$, 'and back');
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount) VALUES (2, 1, '2026-01-01', 1);
SELECT throws_ok('UPDATE crm.sales_return SET customer_id = 2 WHERE sales_return_id = 1', '23514', 'more is returned of order 1 than it amounts to', 'a return that goes to an order of the same number');
DELETE FROM crm.sales_order WHERE customer_id = 2 AND sales_order_id = 1;

SELECT throws_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (2, 6, now(), 1)$$, '23514', 'order 6 cannot be draft and have returns', 'a draft is no sale');
SELECT throws_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (2, 7, now(), 0)$$, '23514', 'order 7 cannot be cancelled and have returns', 'nor is a cancelled order');
SELECT throws_ok($$UPDATE crm.sales_order SET status = 'cancelled' WHERE sales_order_id = 1$$, '23514', 'order 1 cannot be cancelled and have returns', 'an order with returns stays a sale');
SELECT throws_ok($$UPDATE crm.sales_order SET status = 'draft' WHERE sales_order_id = 3$$, '23514', 'order 3 cannot be draft and have returns', 'even if nothing was paid back');
SELECT lives_ok($$UPDATE crm.sales_order SET status = 'completed' WHERE sales_order_id = 1$$, 'it may become any other');
SELECT results_eq('SELECT exchange_rate, base_amount FROM crm.sales_return ORDER BY sales_return_id', 'VALUES (NULL::numeric, 80::numeric), (2, 20), (0.95, 0.00), (NULL, 20)', 'a return has the rate of its order');
UPDATE crm.sales_order SET exchange_rate = 3 WHERE sales_order_id = 4;
UPDATE crm.sales_return SET exchange_rate = 7 WHERE sales_return_id IN (1, 3);
SELECT results_eq('SELECT exchange_rate, base_amount FROM crm.sales_return ORDER BY sales_return_id', 'VALUES (NULL::numeric, 80::numeric), (3, 30), (0.95, 0.00), (NULL, 20)', 'always');
UPDATE crm.sales_order SET currency = NULL WHERE sales_order_id = 4;
SELECT is((SELECT base_amount FROM crm.sales_return WHERE sales_return_id = 2), 10::numeric, 'in the own currency too');
UPDATE crm.sales_order SET currency = 'EUR', exchange_rate = 2 WHERE sales_order_id = 4;

-- What the log says
SELECT results_eq($$SELECT kind, action, occurred_at, direction, detail FROM crm.interaction WHERE reference IN ('crm.sales_order', 'crm.sales_return') AND reference_key ~ '\m1$' AND action = 'insert' AND customer_id = 1 ORDER BY interaction_id$$, $$VALUES
	('order', 'insert', '2026-01-10'::timestamptz, 'in', '{"new": {"status": "placed", "amount": 100, "currency": null, "channel": "web"}}'::jsonb),
	('return', 'insert', '2026-02-10', 'in', '{"new": {"amount": 80, "quantity": 1}}')$$, 'orders and returns are logged at their time');

-- The source crm: drafts and cancelled orders are no sale; returns count against, at their own time and in the own currency
SELECT is_empty('SELECT name, contract, problem FROM crm.sources() WHERE NOT valid', 'it is valid');
SELECT results_eq($$SELECT customer_id, frequency, monetary, last_order_at FROM crm.rfm('crm', as_of => '2027-01-01', refunds => 'drop') ORDER BY 1$$,
	$$VALUES (1::bigint, 3::bigint, 100 + 45 + 47.5::float8, '2026-02-01'::timestamptz), (2, 2, 110, '2026-02-03')$$, 'orders');
SELECT results_eq($$SELECT customer_id, monetary FROM crm.rfm('crm', as_of => '2027-01-01') ORDER BY 1$$, $$VALUES (1::bigint, (100 + 45 + 47.5 - 80 - 20)::float8), (2, 110 - 2 * 10)$$, 'less returns');
SELECT results_eq($$SELECT customer_id, monetary FROM crm.rfm('crm', as_of => '2026-02-11 12:00') ORDER BY 1$$, $$VALUES (1::bigint, (100 + 45 + 47.5 - 80)::float8), (2, 90)$$, 'at their own time');
CREATE TEMPORARY TABLE basket (basket_id text, item_id text, amount numeric);
DO $$ BEGIN EXECUTE 'INSERT INTO basket SELECT basket_id, item_id, amount FROM (' || (SELECT baskets FROM crm.source WHERE name = 'crm') || ') b'; END $$;
SELECT set_eq('SELECT * FROM basket', $$VALUES ('1', 'B-1', 80.00), ('1', 'H-1', 20.01), ('4', 'B-1', 100.00)$$, 'baskets');
SELECT crm.unmap_source('shop');
SELECT crm.map_source('shop', orders => 'public.crm_shop');
SELECT is((SELECT name FROM crm.source WHERE is_default), 'crm', 'the default stays, now that there are orders');
SELECT crm.unmap_source('crm');
SELECT lives_ok('SELECT crm.setup()', 'set up again');
SELECT is_empty($$SELECT * FROM crm.source WHERE name = 'crm'$$, 'what was unmapped stays so');

-- Refusals
SELECT pg_temp.refuses(format('UPDATE crm.sales_order SET exchange_rate = %L WHERE sales_order_id = 4', v), 'sales_order_exchange_rate_check') FROM unnest('{0, -1}'::text[]) v;
SELECT pg_temp.refuses_keys(tables) FROM my;
SELECT pg_temp.refuses($$UPDATE crm.sales_order SET status = 'lost'$$, 'sales_order_status_check');
SELECT pg_temp.refuses($$UPDATE crm.sales_order SET currency = 'euro', exchange_rate = 7$$, 'sales_order_currency_check');
SELECT pg_temp.refuses(format('UPDATE crm.sales_order SET currency = %L, exchange_rate = %L', 'EUR', v), 'sales_order_exchange_rate_check') FROM unnest('{0, -1, NaN, Infinity}'::text[]) v;
SELECT pg_temp.refuses($$UPDATE crm.sales_order SET exchange_rate = 2 WHERE currency IS NULL$$, 'sales_order_check');
SELECT pg_temp.refuses(format('UPDATE crm.%I SET amount = %L', t, v), t || '_amount_check') FROM unnest('{sales_order, sales_return}'::text[]) t, unnest('{-1, NaN, Infinity}'::text[]) v;
SELECT pg_temp.refuses($$UPDATE crm.sales_order SET attributes = '[]'$$, 'sales_order_attributes_check');
SELECT pg_temp.refuses($$UPDATE crm.sales_order SET opportunity_id = 1 WHERE customer_id = 2$$, 'sales_order_opportunity_id_fkey');
SELECT pg_temp.refuses($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (2, 1, now(), 1)$$, 'sales_return_sales_order_id_fkey');
SELECT pg_temp.refuses($$INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price) VALUES (2, 1, 1, 1, 1, 1)$$, 'sales_order_item_sales_order_id_fkey');
SELECT pg_temp.refuses(format('UPDATE crm.sales_order_item SET %I = %L', c, v), format('sales_order_item_%s_check', c)) FROM (VALUES
	('line_number', '0'), ('quantity', '0'), ('quantity', 'NaN'), ('quantity', 'Infinity'), ('unit_price', '-1'), ('unit_price', 'NaN'), ('discount', '-0.1'), ('discount', '1.1'), ('discount', 'NaN')) v (c, v);
SELECT pg_temp.refuses(format('UPDATE crm.sales_return SET quantity = %L', v), 'sales_return_quantity_check') FROM unnest('{0, -1, NaN, Infinity}'::text[]) v;
ALTER TABLE crm.sales_return DISABLE TRIGGER crm_return_update; -- it would put the order's rate in place
SELECT pg_temp.refuses(format('UPDATE crm.sales_return SET exchange_rate = %L', v), 'sales_return_exchange_rate_check') FROM unnest('{0, -1, NaN, Infinity}'::text[]) v;
ALTER TABLE crm.sales_return ENABLE TRIGGER crm_return_update;
SELECT pg_temp.refuses($$DELETE FROM crm.sales_order WHERE sales_order_id = 1$$, 'sales_return_sales_order_id_fkey');
SELECT pg_temp.refuses($$DELETE FROM crm.opportunity$$, 'sales_order_opportunity_id_fkey');
SELECT is_empty('SELECT pg_temp.never_refused(tables) FROM my', 'each constraint has refused something');

-- Whoever may write the tables needs no right on the functions of their triggers, but sees the rates and the order.
CREATE ROLE test_sales_agent;
GRANT USAGE ON SCHEMA crm TO test_sales_agent;
GRANT SELECT, INSERT, UPDATE ON crm.sales_order, crm.sales_return, crm.opportunity, crm.opportunity_stage_history TO test_sales_agent;
GRANT SELECT ON crm.currency_rate, crm.pipeline, crm.pipeline_stage TO test_sales_agent;
SET LOCAL ROLE test_sales_agent;
SELECT lives_ok($$INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount, currency) VALUES (2, 50, '2026-02-01', 100, 'EUR')$$, 'an agent takes an order');
SELECT lives_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (2, 50, now(), 10)$$, 'and a return');
SELECT throws_ok($$INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) VALUES (2, 50, now(), 91)$$, '23514', NULL, 'but not too much of it');
SELECT lives_ok($$UPDATE crm.sales_order SET exchange_rate = 1 WHERE sales_order_id = 50$$, 'and mends its rate');
SELECT lives_ok($$INSERT INTO crm.opportunity (customer_id, opportunity_id, name, amount, currency, created_at) VALUES (2, 50, 'Deal', 1, 'EUR', '2026-02-01')$$, 'and finds a deal');
SELECT lives_ok($$UPDATE crm.opportunity SET pipeline_stage_id = (SELECT s.pipeline_stage_id FROM crm.pipeline_stage s WHERE s.name = 'Won') WHERE opportunity_id = 50$$, 'and wins it');
RESET ROLE;
SELECT results_eq('SELECT (SELECT base_amount FROM crm.sales_return WHERE sales_order_id = 50), (SELECT count(*) FROM crm.opportunity_stage_history WHERE opportunity_id = 50)', 'VALUES (10::numeric, 2::bigint)', 'with all that follows');
DELETE FROM crm.opportunity WHERE opportunity_id = 50;
DELETE FROM crm.sales_return WHERE sales_order_id = 50;
DELETE FROM crm.sales_order WHERE sales_order_id = 50;

-- Orders and deals that go to another customer take along what hangs on them, returns that use up the order included.
UPDATE crm.sales_order SET opportunity_id = NULL;
UPDATE crm.sales_order SET customer_id = 2 WHERE customer_id = 1;
SELECT results_eq('SELECT customer_id, count(*) FROM (SELECT customer_id FROM crm.sales_order_item UNION ALL SELECT customer_id FROM crm.sales_return) x GROUP BY 1', 'VALUES (2::bigint, 8::bigint)', 'lines and returns go along');

-- The rows alone, as a dump brings them back while the triggers are on
CREATE TEMPORARY TABLE kept_order AS SELECT * FROM crm.sales_order;
CREATE TEMPORARY TABLE kept_return AS SELECT * FROM crm.sales_return;
DELETE FROM crm.sales_return;
DELETE FROM crm.sales_order;
SELECT is_empty('SELECT * FROM crm.sales_order_item', 'lines go with their order');
DELETE FROM crm.currency_rate;
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, status, currency, exchange_rate, amount) SELECT customer_id, sales_order_id, ordered_at, status, currency, exchange_rate, amount FROM kept_order;
INSERT INTO crm.sales_return (customer_id, sales_return_id, sales_order_id, returned_at, exchange_rate, amount) SELECT customer_id, sales_return_id, sales_order_id, returned_at, exchange_rate, amount FROM kept_return;
SELECT set_eq('SELECT sales_order_id, base_amount FROM crm.sales_order', 'SELECT sales_order_id, base_amount FROM kept_order', 'orders come back as they were, without any rate in the table');
SELECT set_eq('SELECT sales_return_id, base_amount FROM crm.sales_return', 'SELECT sales_return_id, base_amount FROM kept_return', 'and returns');

-- Without the extension the tables still take orders and returns; when it is back, so are the rates.
SET LOCAL client_min_messages = error;
DROP EXTENSION crm CASCADE;
DELETE FROM crm.sales_return;
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount) VALUES (1, 100, now(), 5);
SELECT is((SELECT base_amount FROM crm.sales_order WHERE sales_order_id = 100), 5::numeric, 'an order in the own currency needs no trigger');
SELECT pg_temp.refuses($$INSERT INTO crm.sales_order (customer_id, ordered_at, amount, currency) VALUES (1, now(), 5, 'EUR')$$, 'sales_order_check');
INSERT INTO crm.sales_return (customer_id, sales_return_id, sales_order_id, returned_at, amount) VALUES (2, 100, 4, now(), 5);
CREATE EXTENSION crm;
SELECT is((SELECT count(*) > 0 FROM crm.setup() WHERE action = 'kept'), true, 'set up again');
SELECT is((SELECT base_amount FROM crm.sales_return), 10::numeric, 'a return of the time between gets its rate');
SELECT throws_ok('UPDATE crm.sales_return SET amount = 51', '23514', NULL, 'and the triggers are back');

SELECT * FROM finish();
ROLLBACK;
