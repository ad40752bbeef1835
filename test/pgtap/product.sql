-- Products and currencies: what is refused, and which rate holds on which day.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql

INSERT INTO crm.product_category (product_category_id, parent_id, name) VALUES (1, NULL, 'Goods'), (2, 1, 'Bikes');
INSERT INTO crm.product (product_id, sku, name, product_category_id, price, cost, currency) VALUES (1, 'B-1', 'Bike', 2, 900, 500, NULL), (2, 'B-2', 'Other bike', NULL, 0, NULL, 'EUR');
INSERT INTO crm.currency_rate VALUES ('EUR', '2026-01-01', 0.95), ('EUR', '2026-02-01', 0.97), ('JPY', '2026-01-15', 0.0058);
SELECT lives_ok('SELECT crm.resync_sequences()', 'numbers go on');
SELECT results_eq('SELECT is_active, attributes FROM crm.product ORDER BY product_id', $$VALUES (true, '{}'::jsonb), (true, '{}')$$, 'the defaults of a product');

-- Refusals
CREATE TEMPORARY TABLE my AS SELECT '{product_category, product, currency_rate}'::text[] AS tables;
SELECT pg_temp.refuses_keys(tables) FROM my;
SELECT pg_temp.refuses($$INSERT INTO crm.product_category (name) VALUES ('Bikes')$$, 'product_category_name_key');
SELECT pg_temp.refuses($$INSERT INTO crm.product_category (name) VALUES ('')$$, 'product_category_name_check');
SELECT pg_temp.refuses($$INSERT INTO crm.product_category (name, parent_id) VALUES ('orphan', 9)$$, 'product_category_parent_id_fkey');
SELECT pg_temp.refuses($$INSERT INTO crm.product (sku, name) VALUES ('B-1', 'x')$$, 'product_sku_key');
SELECT pg_temp.refuses($$INSERT INTO crm.product (sku, name) VALUES ('', 'x')$$, 'product_sku_check');
SELECT pg_temp.refuses($$UPDATE crm.product SET name = ''$$, 'product_name_check');
SELECT pg_temp.refuses(format('UPDATE crm.product SET %s = %L', c, v), format('product_%s_check', c)) FROM unnest('{price, cost}'::text[]) c, unnest('{-0.01, NaN, Infinity}'::text[]) v;
SELECT pg_temp.refuses(format('UPDATE crm.product SET currency = %L', v), 'product_currency_check') FROM unnest('{eur, EURO, EU, ""}'::text[]) v;
SELECT pg_temp.refuses($$UPDATE crm.product SET attributes = '3'$$, 'product_attributes_check');
SELECT pg_temp.refuses($$INSERT INTO crm.currency_rate VALUES ('euro', '2026-01-01', 1)$$, 'currency_rate_currency_check');
SELECT pg_temp.refuses(format('UPDATE crm.currency_rate SET rate = %L', v), 'currency_rate_rate_check') FROM unnest('{0, -1, NaN, Infinity}'::text[]) v;
SELECT is_empty('SELECT pg_temp.never_refused(tables) FROM my', 'each constraint has refused something');
SELECT throws_ok('UPDATE crm.product_category SET parent_id = 2 WHERE product_category_id = 1', '23514', 'product_category 1 would be a part of itself', 'a category below its own parts');
SELECT throws_ok($$INSERT INTO crm.product_category VALUES (7, 8, 'x'), (8, 7, 'y')$$, '23514', 'product_category 7 would be a part of itself', 'two new ones in each other');
SELECT lives_ok('UPDATE crm.product_category SET parent_id = CASE product_category_id WHEN 1 THEN 2 END', 'parent and child may change places');

-- Rates: from their day on, until the next
SELECT results_eq($$SELECT d, crm._exchange_rate('EUR', d::date) FROM unnest('{2026-01-01, 2026-01-31, 2026-02-01, 2030-12-31, infinity}'::text[]) d$$,
	$$VALUES ('2026-01-01', 0.95), ('2026-01-31', 0.95), ('2026-02-01', 0.97), ('2030-12-31', 0.97), ('infinity', 0.97)$$, 'the latest rate holds');
SELECT is(crm._exchange_rate(NULL, '1990-01-01'), 1::numeric, 'the own currency is worth 1 on any day');
SELECT is(crm._exchange_rate('JPY', '2026-01-15'), 0.0058, 'another currency has its own rates');
SELECT throws_ok($$SELECT crm._exchange_rate('EUR', '2025-12-31')$$, '23503', 'currency "EUR" has no rate on 2025-12-31', 'none before the first day');
SELECT throws_ok($$SELECT crm._exchange_rate('USD', '2026-02-01')$$, '23503', 'currency "USD" has no rate on 2026-02-01', 'none of an unknown currency');
SET LOCAL DateStyle = 'German';
SELECT throws_ok($$SELECT crm._exchange_rate('USD', '2026-02-01')$$, '23503', 'currency "USD" has no rate on 2026-02-01', 'said alike in any DateStyle');

SELECT * FROM finish();
ROLLBACK;
