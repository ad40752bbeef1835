-- crm.retention and crm.subscription_retention against their definitions in plain SQL, in time zones that change their clocks; the same
-- whatever the order, the plan and the key; and their identities.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'Europe/Paris';
CREATE SCHEMA test_retention;
SET LOCAL search_path = test_retention, public;
SELECT * FROM no_plan();

-- 250 customers with up to 30 orders over nearly three years, refunds among them, and some after the end.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE FUNCTION number_of(moment timestamptz, length interval) RETURNS int LANGUAGE sql STABLE AS $$ SELECT crm.period_number(moment, length, current_setting('TimeZone')) $$;
CREATE TABLE orders AS
SELECT c::bigint AS customer_id, timestamptz '2022-01-10' + u('s' || c) * interval '700 days' + u(c || 't' || o) * interval '300 days' AS ordered_at,
	round((100 * u(c || 'a' || o) - CASE WHEN o % 7 = 3 THEN 100 ELSE 0 END)::numeric, 2)::float8 AS amount
FROM generate_series(1, 250) c, generate_series(1, 1 + (30 * u('n' || c) ^ 2)::int) o
UNION ALL SELECT 2000 + row_number() OVER (), date_trunc('month', d) - s * interval '1 microsecond', 10
	FROM generate_series(timestamptz '2022-02-01', '2024-06-01', '1 month') d, generate_series(0, 1) s;
ALTER TABLE orders SET (parallel_workers = 2);
ANALYZE orders;

-- What a definition says of a period, from who is there and what each pays: cell has number, customer, is_there and paid.
CREATE TYPE counted AS (number int, at_start bigint, retained bigint, lost bigint, new_customers bigint, returned bigint, at_end bigint, start_revenue numeric, kept numeric, expansion numeric, contraction numeric, lost_revenue numeric, new_revenue numeric, returned_revenue numeric, end_revenue numeric);
CREATE TABLE cell (number int, customer text, is_there boolean, has_begun boolean, paid numeric);
CREATE FUNCTION counted() RETURNS SETOF counted LANGUAGE sql AS $$
	WITH pair AS (SELECT number, customer, coalesce(lag(is_there) OVER w, false) AS s, is_there AS e, coalesce(lag(has_begun) OVER w, false) AS was, coalesce(lag(paid) OVER w, 0) AS before, paid AS now FROM cell WINDOW w AS (PARTITION BY customer ORDER BY number))
	SELECT number, count(*) FILTER (WHERE s), count(*) FILTER (WHERE s AND e), count(*) FILTER (WHERE s AND NOT e), count(*) FILTER (WHERE e AND NOT was), count(*) FILTER (WHERE e AND NOT s AND was), count(*) FILTER (WHERE e),
		coalesce(sum(before) FILTER (WHERE s), 0), coalesce(sum(least(before, now)) FILTER (WHERE s), 0), coalesce(sum(greatest(now - before, 0)) FILTER (WHERE s AND e), 0), coalesce(sum(greatest(before - now, 0)) FILTER (WHERE s AND e), 0),
		coalesce(sum(before - now) FILTER (WHERE s AND NOT e), 0), coalesce(sum(now) FILTER (WHERE e AND NOT was), 0), coalesce(sum(now) FILTER (WHERE NOT s AND NOT (e AND NOT was)), 0), sum(now)
	FROM pair GROUP BY 1
$$;
-- Where two results differ: one of counted(), and one of the library with the numbers of its periods.
CREATE FUNCTION differ(call text, length interval) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN
	RETURN QUERY EXECUTE format($q$
		SELECT concat_ws(' ', number, to_jsonb(s), to_jsonb(d)) FROM (SELECT number_of(period_start, %L) AS number, * FROM %s) s LEFT JOIN counted() d USING (number)
		WHERE (s.at_start, s.retained, s.lost, s.new_customers, s.returned, s.at_end) IS DISTINCT FROM (d.at_start, d.retained, d.lost, d.new_customers, d.returned, d.at_end)
			OR (abs(s.start_revenue::numeric - d.start_revenue) + abs(s.expansion::numeric - d.expansion) + abs(s.contraction::numeric - d.contraction) + abs(s.lost_revenue::numeric - d.lost_revenue) + abs(s.new_revenue::numeric - d.new_revenue)
				+ abs(s.returned_revenue::numeric - d.returned_revenue) + abs(s.end_revenue::numeric - d.end_revenue) < 1e-8) IS NOT TRUE
			OR (s.retention_rate IS NULL) <> (NOT is_complete OR d.at_start = 0) OR s.retention_rate <> d.retained::float8 / nullif(d.at_start, 0) OR (s.net_revenue_retention IS NULL) <> (NOT is_complete OR d.start_revenue <= 0)
			OR abs(s.net_revenue_retention - (d.start_revenue + d.expansion - d.contraction - d.lost_revenue) / nullif(d.start_revenue, 0)) > 1e-9 OR abs(s.gross_revenue_retention - d.kept / nullif(d.start_revenue, 0)) > 1e-9 $q$, length, call);
END $$;

-- Orders: a customer is there who ordered in the last w periods.
CREATE FUNCTION define_orders(length interval, w int, until timestamptz) RETURNS void LANGUAGE sql AS $$
	TRUNCATE cell;
	WITH placed AS (SELECT customer_id, number_of(ordered_at, length) AS n, amount FROM orders WHERE ordered_at < until),
		grid AS (SELECT customer_id, n FROM (SELECT DISTINCT customer_id FROM placed) c, (SELECT generate_series(min(n), max(n)) AS n FROM placed) g),
		summed AS (SELECT customer_id, n, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount::numeric) AS paid FROM placed GROUP BY 1, 2),
		whole AS (SELECT customer_id, n, coalesce(orders, 0) AS orders, coalesce(paid, 0) AS paid FROM grid LEFT JOIN summed USING (customer_id, n))
	INSERT INTO cell SELECT n, customer_id, sum(orders) OVER (PARTITION BY customer_id ORDER BY n ROWS w - 1 PRECEDING) > 0, sum(orders) OVER (PARTITION BY customer_id ORDER BY n) > 0, paid FROM whole;
$$;
SELECT define_orders('1 month', 1, '2024-05-15 12:00');
SELECT is((SELECT count(*) FROM crm.retention('orders', to_at => '2024-05-15 12:00')), 29::bigint, 'a row a month from the first order on');
SELECT cmp_ok((SELECT sum((returned > 0 AND lost > 0 AND retained > 0)::int) FROM crm.retention('orders', to_at => '2024-05-15 12:00')), '>', 20::bigint, 'there is something to compare');
SELECT is_empty($$SELECT differ('crm.retention(''orders'', to_at => ''2024-05-15 12:00'')', '1 month')$$, 'months are their definition');
SELECT is_empty($$SELECT differ('crm.retention(''orders'', ''2023-02-01'', ''2024-05-15 12:00'')', '1 month')$$, 'also from a month on');
SELECT is((SELECT min(period_start) FROM crm.retention('orders', '2023-02-18 15:00', '2024-05-15 12:00')), '2023-02-01', 'a period that from_at lies in is whole');
SELECT define_orders('1 month', 3, '2024-05-15 12:00');
SELECT is_empty($$SELECT differ('crm.retention(''orders'', to_at => ''2024-05-15 12:00'', active_periods => 3)', '1 month')$$, 'active for three months');
SELECT is_empty($$SELECT differ('crm.retention(''orders'', ''2023-02-01'', ''2024-05-15 12:00'', active_periods => 3)', '1 month')$$, 'also from a month on');
SELECT define_orders('7 days', 2, '2024-05-15 12:00');
SELECT is_empty($$SELECT differ('crm.retention(''orders'', ''2024-01-01'', ''2024-05-15 12:00'', ''7 days'', 2)', '7 days')$$, 'weeks');
SELECT define_orders('3 months', 1, '2024-05-15 12:00');
SELECT is_empty($$SELECT differ('crm.retention(''orders'', NULL, ''2024-05-15 12:00'', ''3 months'')', '3 months')$$, 'quarters');

-- Subscriptions: 150 customers with up to four, one after another, at once, or with a gap, and some that never end.
CREATE TABLE subscriptions AS
SELECT c AS customer_id, started_at, CASE WHEN u(c || 'e' || o) < 0.75 THEN started_at + u(c || 'l' || o) ^ 2 * interval '400 days' WHEN o % 2 = 0 THEN timestamptz 'infinity' END AS ended_at, round((100 * u(c || 'a' || o))::numeric, 2) AS amount
FROM generate_series(1, 150) c, generate_series(1, 1 + c % 4) o, LATERAL (SELECT timestamptz '2022-01-10' + u(c || 's' || o) * interval '800 days' AS started_at) s
UNION ALL SELECT 1000 + row_number() OVER (), d - s * interval '1 microsecond', d + interval '2 months' - t * interval '1 microsecond', 7 FROM generate_series(timestamptz '2022-02-01', '2024-01-01', '1 month') d, generate_series(0, 1) s, generate_series(0, 1) t;
ANALYZE subscriptions;
CREATE FUNCTION define_subscriptions(length interval, ends timestamptz[]) RETURNS void LANGUAGE sql AS $$
	TRUNCATE cell;
	WITH there AS (SELECT customer_id, e, count(*) FILTER (WHERE started_at <= e AND coalesce(ended_at, 'infinity') > e) AS n, coalesce(sum(amount) FILTER (WHERE started_at <= e AND coalesce(ended_at, 'infinity') > e), 0) AS paid FROM subscriptions, unnest(ends) e GROUP BY 1, 2)
	INSERT INTO cell SELECT number_of(e - interval '1 microsecond', length), customer_id, n > 0, bool_or(n > 0) OVER (PARTITION BY customer_id ORDER BY e), paid FROM there;
$$;
SELECT define_subscriptions('1 month', ARRAY(SELECT generate_series(timestamptz '2021-12-01', '2024-05-01', '1 month')) || timestamptz '2024-05-15 12:00');
SELECT is_empty($$SELECT differ('crm.subscription_retention(''subscriptions'', to_at => ''2024-05-15 12:00'')', '1 month')$$, 'subscriptions by months are their definition');
SELECT is_empty($$SELECT differ('crm.subscription_retention(''subscriptions'', ''2023-02-01'', ''2024-05-15 12:00'')', '1 month')$$, 'also from a month on');
SELECT cmp_ok((SELECT sum((returned > 0 AND lost > 0 AND retained > 0)::int) FROM crm.subscription_retention('subscriptions', to_at => '2024-05-15 12:00')), '>', 10::bigint, 'with something to compare');
SELECT define_subscriptions('7 days', ARRAY(SELECT generate_series(timestamptz '2021-12-27', '2024-05-13', '7 days')));
SELECT is_empty($$SELECT differ('crm.subscription_retention(''subscriptions'', ''2024-01-01'', ''2024-05-13'', ''7 days'')', '7 days')$$, 'weeks, the last one over');

-- identities of both
CREATE TABLE both_of AS SELECT 'orders' AS what, * FROM crm.retention('orders', to_at => '2024-05-15 12:00') UNION ALL SELECT 'subscriptions', * FROM crm.subscription_retention('subscriptions', to_at => '2024-05-15 12:00')
	UNION ALL SELECT 'days', * FROM crm.retention('orders', '2023-01-01', '2024-05-15 12:00', '1 day', 30);
SELECT is_empty('SELECT * FROM both_of WHERE at_start <> retained + lost OR at_end <> retained + new_customers + returned', 'customers add up');
SELECT is_empty('SELECT * FROM (SELECT at_start, lag(at_end) OVER (PARTITION BY what ORDER BY period_start) AS was FROM both_of) b WHERE at_start <> was', 'each period begins with those that the last one ended with');
SELECT is_empty('SELECT * FROM both_of WHERE retention_rate + churn_rate <> 1', 'retention and churn sum to 1, exactly');
SELECT is_empty('SELECT * FROM both_of WHERE gross_revenue_retention > 1 OR gross_revenue_retention > net_revenue_retention', 'gross retention is at most 1 and at most net');
SELECT is_empty('SELECT * FROM both_of WHERE abs(start_revenue + expansion - contraction - lost_revenue + new_revenue + returned_revenue - end_revenue) > 1e-8', 'revenue adds up');
SELECT is((SELECT round(sum(end_revenue)::numeric, 6) FROM both_of WHERE what = 'orders'), (SELECT round(sum(amount)::numeric, 6) FROM orders WHERE ordered_at < '2024-05-15 12:00'), 'and is all of the source');
SELECT is((SELECT sum(new_customers) FROM both_of WHERE what = 'orders'), (SELECT count(DISTINCT customer_id)::numeric FROM orders WHERE ordered_at < '2024-05-15 12:00' AND amount >= 0), 'each customer is new once');
SELECT is((SELECT array_agg(period_start ORDER BY period_start) FROM both_of WHERE is_complete IS FALSE), ARRAY['2024-05-01', '2024-05-01', '2024-05-15']::timestamptz[], 'the last period is not over');
SELECT is((SELECT count(*) FROM both_of WHERE NOT is_complete AND (retention_rate, churn_rate, net_revenue_retention, gross_revenue_retention) IS DISTINCT FROM (NULL::float8, NULL::float8, NULL::float8, NULL::float8)), 0::bigint, 'and has no rates');
SELECT ok((SELECT bool_and(is_complete) FROM crm.retention('orders', '2024-01-01', '2024-05-01')), 'a period that ends at to_at is over');

-- period_start is the first moment of its period, where clocks skip midnight, repeat it, or skip a day
CREATE FUNCTION misplaced(zone text, length interval, from_at timestamptz, to_at timestamptz) RETURNS SETOF timestamptz LANGUAGE plpgsql AS $$ BEGIN
	PERFORM set_config('TimeZone', zone, true);
	RETURN QUERY SELECT period_start FROM crm.retention('SELECT 1 AS customer_id, now() AS ordered_at, 1 AS amount WHERE false', from_at, to_at, length)
		WHERE period_start < period_end AND (number_of(period_start, length) = number_of(period_start - interval '1 microsecond', length) OR number_of(period_end - interval '1 microsecond', length) <> number_of(period_start, length));
	PERFORM set_config('TimeZone', 'Europe/Paris', true);
END $$;
SELECT is_empty(format('SELECT misplaced(%L, %L, ''2006-01-01'', ''2020-01-01'')', zone, length), format('in %s, periods of %s begin with their first moment', zone, length))
FROM unnest('{Europe/Paris, America/New_York, America/Havana, America/Sao_Paulo, Asia/Beirut, Pacific/Apia, Australia/Lord_Howe, Asia/Kolkata, Asia/Pyongyang}'::text[]) zone, unnest('{1 day, 1 month, 7 days}'::text[]) length ORDER BY zone, length;
SELECT is_empty($$SELECT misplaced('America/Havana', '1 hour', '2018-10-25', '2018-11-10')$$, 'hours, one of them twice as long');
SELECT is_empty($$SELECT misplaced('Australia/Lord_Howe', '00:15', '2018-03-25', '2018-04-10')$$, 'quarters of an hour, where clocks change by half an hour');
SET LOCAL TimeZone = 'America/Havana';
SELECT is((SELECT string_agg(period_start::text, ', ') FROM crm.retention('orders', '2018-11-04 12:00', '2018-11-05 12:00', '1 day')), '2018-11-04 00:00:00-04, 2018-11-05 00:00:00-05', 'of two midnights the first');
SET LOCAL TimeZone = 'America/Sao_Paulo';
SELECT is((SELECT string_agg(period_start::text, ', ') FROM crm.retention('orders', '2018-11-04 12:00', '2018-11-05 12:00', '1 day')), '2018-11-04 01:00:00-02, 2018-11-05 00:00:00-02', 'of no midnight the moment after');
SET LOCAL TimeZone = 'Europe/Paris';

-- whatever the order, the plan and the key
CREATE TABLE month AS SELECT * FROM crm.retention('orders', to_at => '2024-05-15 12:00');
SELECT results_eq($$SELECT m::text FROM crm.retention('SELECT * FROM orders ORDER BY md5(ordered_at::text)', to_at => '2024-05-15 12:00') m$$, 'SELECT m::text FROM month m', 'whatever the order of rows');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT results_eq($$SELECT m::text FROM crm.retention('orders', to_at => '2024-05-15 12:00') m$$, 'SELECT m::text FROM month m', 'and the plan');
SELECT CASE WHEN workers > 0 THEN pass('which had workers') ELSE skip('no worker was free') END FROM crm.last_run();
SELECT results_eq($$SELECT m::text FROM crm.retention('SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM orders', to_at => '2024-05-15 12:00') m$$, 'SELECT m::text FROM month m', 'and the key');
SELECT results_eq($$SELECT m::text FROM crm.subscription_retention('SELECT md5(customer_id::text)::uuid AS customer_id, started_at, ended_at, amount FROM subscriptions ORDER BY md5(started_at::text)', to_at => '2024-05-15 12:00') m$$,
	$$SELECT m::text FROM crm.subscription_retention('subscriptions', to_at => '2024-05-15 12:00') m$$, 'also of subscriptions');

SELECT * FROM finish();
ROLLBACK;
