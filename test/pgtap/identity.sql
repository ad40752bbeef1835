-- The forms of resolving agree, for any key, and leave as many customers as keys.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

CREATE TEMPORARY TABLE keys AS
SELECT CASE n % 4 WHEN 0 THEN md5(n::text) WHEN 1 THEN n::text WHEN 2 THEN repeat('é', 1 + n % 50) || n WHEN 3 THEN chr(32 + n % 90) || E'\n''"\\' || n END AS key, n
FROM generate_series(1, 5000) n;
CREATE TEMPORARY TABLE bulk AS SELECT * FROM crm.resolve_customers('shop', ARRAY(SELECT key FROM keys ORDER BY random()));
SELECT is((SELECT count(*) FROM bulk), 5000::bigint, 'a row for each key');
SELECT is((SELECT count(DISTINCT customer_id) FROM bulk), 5000::bigint, 'a customer for each key');
SELECT is_empty($$SELECT * FROM bulk WHERE customer_id IS NULL OR customer_id = 0$$, 'none of them 0 or NULL');
SELECT is_empty($$SELECT * FROM bulk WHERE customer_id IS DISTINCT FROM crm.find_customer('shop', external_id)$$, 'found by find_customer');
SELECT is_empty($$SELECT * FROM bulk WHERE customer_id IS DISTINCT FROM crm.resolve_customer('shop', external_id)$$, 'and by resolve_customer');
SELECT bag_eq($$SELECT * FROM crm.resolve_customers('shop', ARRAY(SELECT key FROM keys))$$, 'SELECT * FROM bulk', 'a second time the same');
SELECT bag_eq($$SELECT * FROM crm.resolve_customers('shop', ARRAY(SELECT key FROM keys), false)$$, 'SELECT * FROM bulk', 'without creation the same');
SELECT is_empty($$SELECT * FROM crm.resolve_customers('erp', ARRAY(SELECT key FROM keys), false) WHERE customer_id IS NOT NULL$$, 'another source knows none of them');
SELECT is((SELECT count(DISTINCT crm.resolve_customer('one', key)) FROM keys), 5000::bigint, 'one by one as many');
SELECT is((SELECT count(*) FROM crm.customer), 10000::bigint, 'as many customers as keys');
SELECT is_empty($$SELECT customer_id FROM crm.customer EXCEPT SELECT customer_id FROM crm.customer_identity$$, 'no customer without a key');
SELECT is((SELECT array_agg(DISTINCT ROW(name, kind, lifecycle, attributes)::text) FROM crm.customer), ARRAY['(,person,prospect,{})'], 'new customers have the defaults');

-- What the database compares as different are different customers.
SELECT isnt(crm.resolve_customer('shop', 'Ä'), crm.resolve_customer('shop', U&'A\0308'), 'composed and decomposed');
SELECT isnt(crm.resolve_customer('shop', 'x'), crm.resolve_customer('shop', 'x '), 'with and without a blank');

-- A customer who is gone takes the key along only when its owner says so.
SELECT throws_ok($$DELETE FROM crm.customer WHERE customer_id = crm.find_customer('shop', 'x')$$, '23503');

SELECT * FROM finish();
ROLLBACK;
