-- crm.cohorts against its definition in plain SQL, for each pair of lengths, in time zones that change their clocks; the same whatever the
-- order, the plan and the key; and its identities.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'Europe/Paris';
CREATE SCHEMA test_cohorts;
SET LOCAL search_path = test_cohorts, public;
SELECT * FROM no_plan();

-- 400 customers with up to 30 orders over nearly three years, refunds among them (some before the first order), three customers with
-- refunds only, orders at the very ends of periods, and some after as_of.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE TABLE orders AS
SELECT c::bigint AS customer_id, timestamptz '2022-01-01' + u('s' || c) * interval '700 days' + u(c || 't' || o) * interval '300 days' AS ordered_at,
	round((100 * u(c || 'a' || o) - CASE WHEN o % 7 = 3 THEN 100 ELSE 0 END)::numeric, 2)::float8 AS amount
FROM generate_series(1, 400) c, generate_series(1, 1 + (30 * u('n' || c) ^ 3)::int) o
UNION ALL SELECT 1000 + c, timestamptz '2022-06-01' + c * interval '1 day', -5 FROM generate_series(1, 3) c
UNION ALL SELECT 2000 + row_number() OVER (), date_trunc('month', d) - s * interval '1 microsecond', 10
	FROM generate_series(timestamptz '2022-02-01', '2024-06-01', '1 month') d, generate_series(0, 1) s;
ALTER TABLE orders SET (parallel_workers = 2);
ANALYZE orders;

-- The definition. The number of a local day's period, and the table that they make.
CREATE FUNCTION number_of(unit text, day date) RETURNS int LANGUAGE sql IMMUTABLE AS $$
	SELECT CASE unit WHEN 'day' THEN day - '2000-01-03' WHEN 'week' THEN floor((day - '2000-01-03') / 7.0)::int WHEN 'month' THEN 12 * extract(year FROM day)::int + extract(month FROM day)::int
		WHEN 'quarter' THEN 4 * extract(year FROM day)::int + extract(quarter FROM day)::int ELSE extract(year FROM day)::int END
$$;
CREATE FUNCTION defined(c text, p text, as_of timestamptz) RETURNS TABLE (cohort_start date, number int, size bigint, active bigint, later bigint, orders bigint, revenue numeric, cumulative numeric, is_complete boolean) LANGUAGE sql AS $$
	WITH usable AS (SELECT *, ordered_at::date AS day FROM orders WHERE ordered_at <= as_of),
		began AS (SELECT customer_id, min(day) AS day, date_trunc(c, min(day))::date AS cohort FROM usable WHERE amount >= 0 GROUP BY 1),
		placed AS (SELECT u.customer_id, cohort, amount, greatest(number_of(p, u.day) - number_of(p, b.day), 0) AS n FROM usable u JOIN began b USING (customer_id)),
		reach AS (SELECT customer_id, max(n) AS n FROM placed WHERE amount >= 0 GROUP BY 1),
		sizes AS (SELECT cohort, count(*) AS size FROM began GROUP BY 1),
		grid AS (SELECT cohort, size, n FROM sizes, generate_series(0, number_of(p, (as_of - interval '1 microsecond')::date) - number_of(p, cohort)) n),
		cells AS (SELECT cohort, n, count(DISTINCT customer_id) FILTER (WHERE amount >= 0) AS active, count(*) FILTER (WHERE amount >= 0) AS orders, sum(amount::numeric) AS revenue FROM placed GROUP BY 1, 2)
	SELECT cohort, n, size, coalesce(active, 0), (SELECT count(*) FROM began b JOIN reach r USING (customer_id) WHERE b.cohort = g.cohort AND r.n >= g.n),
		coalesce(orders, 0), coalesce(revenue, 0), sum(coalesce(revenue, 0)) OVER (PARTITION BY cohort ORDER BY n),
		number_of(p, (cohort + ('1 ' || replace(c, 'quarter', 'month'))::interval * CASE c WHEN 'quarter' THEN 3 ELSE 1 END)::date - 1) + n < number_of(p, as_of::date)
	FROM grid g LEFT JOIN cells USING (cohort, n)
$$;
CREATE FUNCTION differ(c text, p text, as_of timestamptz) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT format('%s %s: %s, not %s', cohort_start, number, s, d) FROM defined(c, p, as_of) d FULL JOIN crm.cohorts('test_cohorts.orders', c, p, as_of => as_of) s USING (cohort_start, number)
	WHERE (d.size, d.active, d.orders, d.is_complete) IS DISTINCT FROM (s.size, s.active, s.orders, s.is_complete) OR (abs(d.revenue - s.revenue::numeric) < 1e-9) IS NOT TRUE OR (abs(d.cumulative - s.cumulative_revenue::numeric) < 1e-9) IS NOT TRUE
		OR (abs(d.cumulative / d.size - s.revenue_per_customer::numeric) < 1e-9) IS NOT TRUE
		OR s.rate IS DISTINCT FROM CASE WHEN d.is_complete THEN d.active::float8 / d.size END OR s.rolling_rate IS DISTINCT FROM CASE WHEN d.is_complete THEN d.later::float8 / d.size END
$$;

SELECT cmp_ok((SELECT count(*) FROM defined('month', 'month', '2024-06-15 12:00')), '>', 300::bigint, 'there is something to compare');
SELECT is_empty(format('SELECT differ(%L, %L, %L)', c, p, a), format('%ss by %ss up to %s are their definition', c, p, a))
FROM unnest('{month, quarter, year, week}'::text[]) c, unnest('{month, quarter, year, week}'::text[]) p, unnest('{2024-06-15 12:00}'::text[]) a ORDER BY c, p;
SELECT is_empty($$SELECT differ('day', 'month', '2023-01-15 12:00')$$, 'cohorts of a day');
SELECT is_empty($$SELECT differ('week', 'day', '2022-09-15 12:00')$$, 'periods of a day, over changes of clocks');
SELECT is_empty($$SELECT differ('month', 'month', '2024-05-31 23:59:59.999999')$$, 'as_of at the end of a period');

-- as_of at the very start of a month: the order of that moment counts, and only for it the month has a row
SELECT is((SELECT (cohort_start, number, size, active, is_complete)::text FROM crm.cohorts('orders', as_of => '2024-06-01') ORDER BY period_start DESC, cohort_start DESC LIMIT 1), '(2024-06-01,0,1,1,f)', 'an order at as_of counts');
SELECT is((SELECT max(period_start) FROM crm.cohorts('SELECT * FROM orders WHERE ordered_at < ''2024-06-01''', as_of => '2024-06-01')), '2024-05-01', 'without one, the period that begins at as_of has no row');
SELECT ok((SELECT bool_and(is_complete) FROM crm.cohorts('SELECT * FROM orders WHERE ordered_at < ''2024-06-01''', as_of => '2024-06-01')), 'and all others are complete');

-- clocks that skip midnight, or repeat it, or skip a day
SET LOCAL TimeZone = 'America/Sao_Paulo';
SELECT is_empty($$SELECT differ('week', 'day', '2022-06-15 12:00')$$, 'Sao Paulo');
CREATE TABLE clock AS SELECT 1 AS customer_id, t AS ordered_at, 1 AS amount FROM generate_series(timestamptz '2018-10-20 00:00Z', '2018-11-20 00:00Z', '30 minutes') t;
SELECT is_empty($$SELECT d, n, orders FROM (SELECT ordered_at::date AS d, count(*) AS n FROM clock GROUP BY 1) t FULL JOIN (SELECT period_start AS d, orders FROM crm.cohorts('clock', 'day', 'day', as_of => '2018-11-20 00:00Z')) c USING (d) WHERE n IS DISTINCT FROM orders$$, 'a midnight that is skipped');
SET LOCAL TimeZone = 'America/Havana';
SELECT is_empty($$SELECT d, n, orders FROM (SELECT ordered_at::date AS d, count(*) AS n FROM clock GROUP BY 1) t FULL JOIN (SELECT period_start AS d, orders FROM crm.cohorts('clock', 'day', 'day', as_of => '2018-11-20 00:00Z')) c USING (d) WHERE n IS DISTINCT FROM orders$$, 'a midnight that comes twice');
SET LOCAL TimeZone = 'Pacific/Apia';
TRUNCATE clock;
INSERT INTO clock SELECT 1, t, 1 FROM generate_series(timestamptz '2011-12-28 22:00Z', '2012-01-02 00:00Z', '30 minutes') t;
SELECT is((SELECT string_agg(period_start || ' ' || orders, ', ' ORDER BY number) FROM crm.cohorts('clock', 'day', 'day', as_of => '2011-12-31 12:00')), '2011-12-28 24, 2011-12-29 48, 2011-12-30 0, 2011-12-31 25', 'a day that never was has a row of nothing');
SET LOCAL TimeZone = 'Europe/Paris';

-- identities
CREATE TABLE month AS SELECT * FROM crm.cohorts('orders', as_of => '2024-06-15 12:00');
SELECT is((SELECT sum(size) FROM month WHERE number = 0), (SELECT count(DISTINCT customer_id)::numeric FROM orders WHERE amount >= 0 AND ordered_at <= '2024-06-15 12:00'), 'each customer is in one cohort');
SELECT is((SELECT sum(orders) FROM month), (SELECT count(*)::numeric FROM orders WHERE amount >= 0 AND ordered_at <= '2024-06-15 12:00'), 'each order counts once');
SELECT is((SELECT round(sum(revenue)::numeric, 6) FROM month), (SELECT round(sum(amount)::numeric, 6) FROM orders WHERE ordered_at <= '2024-06-15 12:00' AND customer_id NOT BETWEEN 1000 AND 1999), 'and each amount, refunds too');
SELECT ok((SELECT bool_and(rate = 1 AND rolling_rate = 1 AND active = size) FROM month WHERE number = 0 AND is_complete), 'all are active when they begin');
SELECT ok((SELECT bool_and(rate <= rolling_rate) FROM month), 'the classic rate is at most the rolling one');
SELECT is_empty('SELECT * FROM month a JOIN month b USING (cohort_start) WHERE b.number = a.number + 1 AND b.rolling_rate > a.rolling_rate', 'which never rises');
SELECT is((SELECT count(*) FROM month WHERE (rate IS NULL) <> NOT is_complete OR (share IS NULL) <> NOT is_complete), 0::bigint, 'a period that is not over has no rate, so it cannot look like a drop');
SELECT is_empty('SELECT * FROM month WHERE value IS DISTINCT FROM active OR share IS DISTINCT FROM rate', 'measured are customers');
SELECT is_empty($$SELECT * FROM crm.cohorts('orders', measure => 'revenue', as_of => '2024-06-15 12:00') r JOIN month m USING (cohort_start, number) WHERE r.value <> m.revenue OR abs(r.share * (SELECT revenue FROM month f WHERE f.cohort_start = m.cohort_start AND f.number = 0) - m.revenue) > 1e-9$$, 'or revenue');
SELECT is_empty($$SELECT * FROM crm.cohorts('orders', measure => 'orders', as_of => '2024-06-15 12:00') r JOIN month m USING (cohort_start, number) WHERE r.value <> m.orders$$, 'or orders');
SELECT results_eq('SELECT cohort_start, number FROM month', 'SELECT cohort_start, number FROM month ORDER BY 1, 2', 'rows come in the order of cohort and number');
SELECT is((SELECT sum(orders) FROM crm.cohorts('orders', as_of => '2024-06-15 12:00', refunds => 'drop')), (SELECT sum(orders) FROM month), 'refunds dropped: the same orders');
SELECT cmp_ok((SELECT sum(revenue) FROM crm.cohorts('orders', as_of => '2024-06-15 12:00', refunds => 'drop')), '>', (SELECT sum(revenue) FROM month), 'but more revenue');

-- whatever the order, the plan and the key
SELECT results_eq($$SELECT m::text FROM crm.cohorts('SELECT * FROM orders ORDER BY md5(ordered_at::text)', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'whatever the order of rows');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SET LOCAL max_parallel_workers_per_gather = 2;
SELECT results_eq($$SELECT m::text FROM crm.cohorts('orders', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'and the plan');
SELECT CASE WHEN workers > 0 THEN pass('which had workers') ELSE skip('no worker was free') END FROM crm.last_run();
SELECT results_eq($$SELECT m::text FROM crm.cohorts('SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM orders', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'and the key: text');
SELECT results_eq($$SELECT m::text FROM crm.cohorts('SELECT md5(customer_id::text)::uuid AS customer_id, ordered_at, amount FROM orders', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'uuid');
SELECT results_eq($$SELECT m::text FROM crm.cohorts('SELECT customer_id::numeric(9, 3) AS customer_id, ordered_at, amount::numeric FROM orders', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'numeric');
SELECT results_eq($$SELECT m::text FROM crm.cohorts('SELECT customer_id::smallint AS customer_id, ordered_at, amount FROM orders', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'smallint');
SET LOCAL parallel_leader_participation = off;
SELECT results_eq($$SELECT m::text FROM crm.cohorts('orders', as_of => '2024-06-15 12:00') m$$, 'SELECT m::text FROM month m', 'and who takes part');

-- the aggregate alone counts customers
SELECT is(crm._activity(customer_id, ordered_at, amount, '{9000000000000000000,0,1,0,1,0,-2147483648}'), (SELECT count(DISTINCT customer_id) FROM orders), 'crm._activity counts customers') FROM orders;

SELECT * FROM finish();
ROLLBACK;
