-- The loyalty ledger: it only grows, its balance is the sum of its points and never below zero; expiry agrees with a queue of points.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

INSERT INTO crm.customer (customer_id, name) SELECT n, 'customer ' || n FROM generate_series(1, 100) n;
UPDATE crm.customer SET merged_into = 1 WHERE customer_id = 2;
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount) VALUES (1, 1, '2026-01-01', 50);
INSERT INTO crm.loyalty_tier (loyalty_tier_id, name, from_points) VALUES (1, 'member', 0), (2, 'silver', 100), (3, 'gold', 500);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'earn', 10);
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('loyalty_tier_pkey', $$INSERT INTO crm.loyalty_tier (loyalty_tier_id, name, from_points) VALUES (1, 'x', 1)$$),
	('loyalty_tier_name_key', $$INSERT INTO crm.loyalty_tier (name, from_points) VALUES ('gold', 1)$$),
	('loyalty_tier_from_points_key', $$INSERT INTO crm.loyalty_tier (name, from_points) VALUES ('x', 500)$$),
	('loyalty_tier_name_check', $$INSERT INTO crm.loyalty_tier (name, from_points) VALUES ('', 1)$$),
	('loyalty_tier_from_points_check', $$INSERT INTO crm.loyalty_tier (name, from_points) VALUES ('x', -1)$$),
	('loyalty_tier_benefits_check', $$INSERT INTO crm.loyalty_tier (name, from_points, benefits) VALUES ('x', 1, '[]')$$),
	('loyalty_ledger_pkey', $$INSERT INTO crm.loyalty_ledger (customer_id, entry_number, kind, points, balance) VALUES (5, 1, 'earn', 10, 10)$$),
	('loyalty_ledger_customer_id_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (0, 'earn', 10)$$),
	('loyalty_ledger_kind_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'gift', 10)$$),
	('loyalty_ledger_points_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'earn', -1)$$),
	('loyalty_ledger_points_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'earn', 0)$$),
	('loyalty_ledger_points_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'redeem', 1)$$),
	('loyalty_ledger_points_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'expire', 1)$$),
	('loyalty_ledger_points_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'adjust', 0)$$),
	('loyalty_ledger_points_check', $$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'merge', 0)$$);
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;

-- The trigger answers for two more, which stand for writers that it does not see.
ALTER TABLE crm.loyalty_ledger DISABLE TRIGGER crm_ledger_entry;
SELECT throws_like($$INSERT INTO crm.loyalty_ledger (customer_id, entry_number, kind, points, balance) VALUES (5, 2, 'adjust', -11, -1)$$, '%"loyalty_ledger_balance_check"%', 'a balance below zero');
SELECT throws_like($$INSERT INTO crm.loyalty_ledger (customer_id, entry_number, kind, points, balance) VALUES (5, 0, 'earn', 1, 1)$$, '%"loyalty_ledger_entry_number_check"%', 'entry 0');
ALTER TABLE crm.loyalty_ledger ENABLE TRIGGER crm_ledger_entry;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u') AND c.conrelid = ANY ('{crm.loyalty_tier,crm.loyalty_ledger}'::regclass[])$$,
	$$SELECT constraint_name FROM refusal UNION VALUES ('loyalty_ledger_balance_check'), ('loyalty_ledger_entry_number_check')$$, 'each key and check of the ledger has a test of its refusal');

-- Earn and redeem
SELECT is(crm.loyalty_balance(1), 0::bigint, 'nobody begins with points');
SELECT is(crm.loyalty_earn(1, 100, 'welcome'), 100::bigint, 'earn');
SELECT is(crm.loyalty_earn(1, 50, sales_order => 1), 150::bigint, 'earn with an order');
SELECT is(crm.loyalty_redeem(1, 120), 30::bigint, 'redeem');
SELECT throws_ok('SELECT crm.loyalty_redeem(1, 31)', '23514', 'customer 1 has 30 points, 31 cannot be taken', 'one point too many');
SELECT is(crm.loyalty_redeem(1, 30), 0::bigint, 'the last ones');
SELECT throws_ok('SELECT crm.loyalty_redeem(1, 1)', '23514', 'customer 1 has 0 points, 1 cannot be taken', 'none left');
SELECT is(crm.loyalty_balance(1), 0::bigint, 'the balance');
SELECT results_eq('SELECT entry_number, kind, points, balance, sales_order_id, reason FROM crm.loyalty_ledger WHERE customer_id = 1 ORDER BY 1',
	$$VALUES (1::bigint, 'earn', 100::bigint, 100::bigint, NULL::bigint, 'welcome'), (2, 'earn', 50, 150, 1, NULL), (3, 'redeem', -120, 30, NULL, NULL), (4, 'redeem', -30, 0, NULL, NULL)$$, 'the entries');
SELECT throws_ok(format('SELECT crm.loyalty_%s(1, %s)', f, p), '22023', 'argument "points" must be above 0', f || ' ' || p) FROM unnest('{earn,redeem}'::text[]) f, unnest('{0,-5}'::int[]) p;
SELECT throws_ok(format('SELECT crm.loyalty_%s', f), '22004', NULL, f) FROM unnest('{"earn(NULL, 1)","redeem(NULL, 1)","earn(1, NULL)","redeem(1, NULL)",balance(NULL)}'::text[]) f;
SELECT throws_ok('SELECT crm.loyalty_earn(999, 1)', '23503', 'customer 999 does not exist', 'a stranger');
SELECT throws_ok('SELECT crm.loyalty_earn(2, 1)', '55000', 'customer 2 has been merged', 'a merged customer');
SELECT throws_ok('SELECT crm.loyalty_earn(3, 1, sales_order => 1)', '23503', 'customer 3 has no order 1', 'the order of another');
SELECT is(crm.loyalty_balance(999), 0::bigint, 'a stranger has none');

-- Only grows
SELECT throws_ok(s, '55000', 'entries of the loyalty ledger are never changed or removed', s) FROM unnest(ARRAY[
	'UPDATE crm.loyalty_ledger SET reason = NULL WHERE customer_id = 1', 'DELETE FROM crm.loyalty_ledger WHERE customer_id = 1', 'TRUNCATE crm.loyalty_ledger',
	'UPDATE crm.loyalty_ledger SET points = 1 WHERE false']) s;
SELECT throws_ok($$INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (5, 'earn', 1) ON CONFLICT (customer_id, entry_number) DO UPDATE SET points = 5$$, '55000', NULL, 'nor by a detour');

-- Given numbers and balances are those that it computes, or nothing.
CREATE FUNCTION pg_temp.entry(number bigint, points bigint, balance bigint, customer bigint DEFAULT 5) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO crm.loyalty_ledger (customer_id, kind, entry_number, points, balance) VALUES (%s, ''adjust'', %L, %s, %L)', customer, number, points, balance) $$;
SELECT throws_ok(pg_temp.entry(2, 5, 16), '23514', 'entry 2 of customer 5 does not fit the ledger', 'another balance');
SELECT throws_ok(pg_temp.entry(NULL, 5, 10000), '23514', 'entry 2 of customer 5 does not fit the ledger', 'another balance, without a number');
SELECT throws_ok(pg_temp.entry(1, 5, 16), '23514', 'entry 1 of customer 5 does not fit the ledger', 'another beginning');
SELECT throws_ok(pg_temp.entry(7, 5, NULL), '23514', 'entry 7 of customer 5 does not fit the ledger', 'a gap');
SELECT throws_ok(pg_temp.entry(2, -11, -1), '23514', 'customer 5 has 10 points, 11 cannot be taken', 'a negative balance');
SELECT lives_ok(pg_temp.entry(2, 5, 15), 'what it computes may be given');
-- A dump's rows may come in another order: by the owner of the table, in the end without a gap.
SELECT lives_ok(pg_temp.entry(3, 5, 25, 6), 'entry 3');
SELECT throws_ok(pg_temp.entry(2, 5, 19, 6), '23514', 'entry 2 of customer 6 does not fit the ledger', 'not another entry 2');
SELECT lives_ok(pg_temp.entry(2, 10, 20, 6), 'entry 2');
SELECT throws_ok(pg_temp.entry(1, 9, 9, 6), '23514', 'entry 1 of customer 6 does not fit the ledger', 'not another entry 1');
SELECT lives_ok(pg_temp.entry(1, 10, 10, 6), 'entry 1');
CREATE ROLE test_loyalty_writer;
GRANT USAGE ON SCHEMA crm TO test_loyalty_writer;
GRANT SELECT, INSERT ON crm.loyalty_ledger, crm.interaction TO test_loyalty_writer;
SET LOCAL ROLE test_loyalty_writer;
PREPARE gap AS INSERT INTO crm.loyalty_ledger (customer_id, kind, entry_number, points, balance) VALUES (7, 'earn', 1000, 1, 1000000);
PREPARE good AS INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (7, 'earn', 1), (7, 'earn', 2);
DO $$ BEGIN EXECUTE 'EXECUTE gap'; RAISE 'let through'; EXCEPTION WHEN check_violation THEN NULL; END $$;
EXECUTE good;
RESET ROLE;
SELECT results_eq('SELECT entry_number, balance FROM crm.loyalty_ledger WHERE customer_id = 7', 'VALUES (1::bigint, 1::bigint), (2, 3)', 'only the owner may leave gaps; whoever may insert can write entries');

-- Many entries in one statement, and the balance as their running sum
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, occurred_at)
SELECT 10 + n % 40, CASE WHEN n > 40 AND n % 3 = 2 THEN 'redeem' ELSE 'earn' END, CASE WHEN n > 40 AND n % 3 = 2 THEN -(n % 7 + 1) ELSE n % 11 + 8 END, '2026-01-01'::timestamptz + n * interval '1 hour'
FROM generate_series(1, 4000) n ORDER BY n;
SELECT is_empty('SELECT * FROM (SELECT *, sum(points) OVER w AS running, row_number() OVER w AS place FROM crm.loyalty_ledger WINDOW w AS (PARTITION BY customer_id ORDER BY entry_number)) l
	WHERE balance <> running OR entry_number <> place', 'each balance is the sum of the points so far');
SELECT is_empty('SELECT * FROM crm.loyalty_status s WHERE s.balance <> crm.loyalty_balance(s.customer_id)', 'the view agrees');

-- Tiers: by what was earned, whatever was spent
SELECT results_eq('SELECT balance, earned, tier, next_tier, points_to_next FROM crm.loyalty_status WHERE customer_id = 1', $$VALUES (0::bigint, 150::bigint, 'silver', 'gold', 350::bigint)$$, 'silver');
INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (50, 'earn', 499), (51, 'earn', 500), (52, 'adjust', 1000), (53, 'earn', 100), (53, 'merge', 400), (54, 'earn', 200), (54, 'merge', -150);
SELECT results_eq('SELECT customer_id, tier, next_tier, points_to_next FROM crm.loyalty_status WHERE customer_id BETWEEN 50 AND 54 ORDER BY 1',
	$$VALUES (50::bigint, 'silver', 'gold', 1::bigint), (51, 'gold', NULL, NULL), (52, 'member', 'silver', 100), (53, 'gold', NULL, NULL), (54, 'member', 'silver', 50)$$, 'at the borders; points of a merge count, adjustments do not');

-- Expiry against a queue: points are taken one by one from the oldest that are left.
CREATE FUNCTION pg_temp.left_of(customer bigint, before timestamptz) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
	queue timestamptz[] := '{}';
	l record;
BEGIN
	FOR l IN SELECT * FROM crm.loyalty_ledger WHERE customer_id = customer ORDER BY entry_number LOOP
		IF l.points > 0 THEN
			queue := queue || array_fill(l.occurred_at, ARRAY[l.points::int]);
		ELSE
			queue := queue[1 - l.points:];
		END IF;
	END LOOP;
	RETURN (SELECT count(*) FROM unnest(queue) q WHERE q < before);
END $$;
CREATE TEMPORARY TABLE expected AS SELECT DISTINCT customer_id, pg_temp.left_of(customer_id, '2026-05-01') AS points, crm.loyalty_balance(customer_id) AS balance FROM crm.loyalty_ledger;
SELECT ok((SELECT count(*) FROM expected WHERE points > 0 AND points < balance) > 20, 'some points expire, others do not');
CREATE TEMPORARY TABLE expired AS SELECT * FROM crm.loyalty_expire('2026-05-01', 'too old');
SELECT bag_eq('SELECT customer_id, expired, balance FROM expired', 'SELECT customer_id, points, balance - points FROM expected WHERE points > 0', 'what a queue would lose');
SELECT results_eq($$SELECT count(*), -sum(points) FROM crm.loyalty_ledger WHERE kind = 'expire' AND reason = 'too old' AND occurred_at = now()$$, 'SELECT count(*), sum(expired) FROM expired', 'is in the ledger');
SELECT is_empty($$SELECT * FROM crm.loyalty_expire('2026-05-01')$$, 'once');
SELECT is_empty('SELECT * FROM expected WHERE pg_temp.left_of(customer_id, ''2026-05-01'') <> 0', 'nothing old is left');
SELECT throws_ok($$SELECT crm.loyalty_expire(now() + interval '1 day')$$, '22023', 'argument "before" must not be in the future', 'not ahead of time');
SELECT throws_ok('SELECT crm.loyalty_expire(NULL)', '22004', 'argument "before" must not be null', 'NULL');

-- The log
SELECT results_eq($$SELECT kind, direction, detail -> 'new' FROM crm.interaction WHERE reference = 'crm.loyalty_ledger' AND reference_key = '1,3'$$,
	$$VALUES ('points', 'internal', '{"kind": "redeem", "points": -120, "balance": 30}'::jsonb)$$, 'entries are logged');

SELECT * FROM finish();
ROLLBACK;
