-- crm.churn against its definitions in SQL: features and labels at past cuts, the regression, the chance of no order, money
-- at risk; nothing of after a cut is seen; the same result whatever the order of rows, the plan and the key; it tells who
-- leaves on data where that can be known, and the CRM's own tables speak.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_churn;
SET LOCAL search_path = test_churn, public;
SELECT * FROM no_plan();

CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(1500, '2024-01-01', '2026-01-01', seed => 11);
INSERT INTO orders SELECT customer_id, ordered_at + interval '30 minutes', -amount / 2 FROM orders WHERE customer_id % 17 = 0;
INSERT INTO orders SELECT customer_id, ordered_at, 7 FROM orders WHERE customer_id % 13 = 0;
ALTER TABLE orders SET (parallel_workers = 2);
ANALYZE orders;
CREATE FUNCTION logit(p float8) RETURNS float8 LANGUAGE sql AS $$ SELECT ln(p / (1 - p)) $$;
CREATE FUNCTION auc(p float8[], yes boolean[]) RETURNS float8 LANGUAGE sql AS $$
	SELECT (sum(r) FILTER (WHERE y) - count(*) FILTER (WHERE y) * (count(*) FILTER (WHERE y) + 1) / 2.0) / (count(*) FILTER (WHERE y) * count(*) FILTER (WHERE NOT y))
	FROM (SELECT y, avg(n) OVER (PARTITION BY q) AS r FROM (SELECT q, y, row_number() OVER (ORDER BY q) AS n FROM unnest(p, yes) u (q, y)) a) b $$;

-- what is known at a cut, and whether an order came within 90 days, by the words of the page
CREATE FUNCTION snapshot(cut timestamptz) RETURNS TABLE (customer_id bigint, days_since_last float8, orders float8, orders_last_horizon float8, orders_horizon_before float8, tenure_days float8,
	one_visit float8, mean_gap_days float8, gap_spread float8, silence_over_gap float8, mean_value float8, value_trend float8, churned boolean) LANGUAGE sql AS $$
	WITH known AS (SELECT o.customer_id, ordered_at AS at, amount::float8 AS amount FROM orders o WHERE ordered_at <= cut),
	placed AS (SELECT *, row_number() OVER w AS place, count(*) OVER (PARTITION BY k.customer_id) AS n FROM known k WHERE amount >= 0 WINDOW w AS (PARTITION BY k.customer_id ORDER BY at, amount)),
	visit AS (SELECT customer_id, at, extract(epoch FROM at - lag(at) OVER (PARTITION BY customer_id ORDER BY at))::float8 / 86400 AS gap FROM (SELECT DISTINCT customer_id, at FROM placed) d),
	rhythm AS (SELECT customer_id, count(*) AS visits, min(at) AS first, max(at) AS last, coalesce(avg(gap), 0) AS mean_gap, coalesce(stddev_pop(gap) / avg(gap), 0) AS spread FROM visit GROUP BY customer_id),
	value AS (SELECT customer_id, count(*) AS n, count(*) FILTER (WHERE at > cut - interval '90 days') AS recent, count(*) FILTER (WHERE at <= cut - interval '90 days' AND at > cut - interval '180 days') AS before,
		avg(amount) FILTER (WHERE place <= n / 2) AS earlier, avg(amount) FILTER (WHERE place > n - n / 2) AS later FROM placed GROUP BY customer_id),
	spent AS (SELECT customer_id, sum(amount) AS amount FROM known GROUP BY customer_id)
	SELECT r.customer_id, ln(1 + extract(epoch FROM cut - last)::float8 / 86400), ln(1 + n::float8), ln(1 + recent::float8), ln(1 + before::float8), ln(1 + extract(epoch FROM cut - first)::float8 / 86400),
		(visits = 1)::int, ln(1 + mean_gap), CASE WHEN visits > 2 THEN spread ELSE 0 END, CASE WHEN visits > 1 THEN ln(1 + extract(epoch FROM cut - last)::float8 / 86400 / mean_gap) ELSE 0 END,
		ln(1 + greatest(s.amount / n, 0)), coalesce((later - earlier) / (later + earlier), 0),
		NOT EXISTS (SELECT FROM orders o WHERE o.customer_id = r.customer_id AND o.amount >= 0 AND o.ordered_at > cut AND o.ordered_at <= cut + interval '90 days')
	FROM rhythm r JOIN value v USING (customer_id) JOIN spent s USING (customer_id) $$;
CREATE TABLE past AS SELECT cut, s.* FROM (SELECT timestamptz '2026-01-01' - k * interval '90 days' AS cut FROM generate_series(1, 4) k) c, snapshot(cut) s;

CREATE TABLE fit AS SELECT m, f.* FROM unnest('{alive, gap, logistic}'::text[]) m, crm.churn_fit('orders', as_of => '2026-01-01', method => m) f;
CREATE TABLE churn AS SELECT m, c.* FROM unnest('{alive, gap, logistic}'::text[]) m, crm.churn('orders', as_of => '2026-01-01', method => m) c;
SELECT results_eq($$SELECT m, customers, churned, cuts FROM fit WHERE m <> 'alive' ORDER BY m$$, $$SELECT m, count(*), count(*) FILTER (WHERE churned), 4 FROM past, unnest('{gap, logistic}'::text[]) m GROUP BY m ORDER BY m$$,
	'a fit learns from the customers of four past cuts, and as many of them churned');

CREATE TABLE now_known AS SELECT * FROM snapshot('2026-01-01');
-- who came once has no gap: the regression takes the mean of the others
CREATE TABLE others AS SELECT avg(mean_gap_days) AS gap, avg(gap_spread) AS spread, avg(silence_over_gap) AS ratio FROM past WHERE one_visit = 0;
UPDATE past SET mean_gap_days = gap, gap_spread = spread, silence_over_gap = ratio FROM others WHERE one_visit = 1;
UPDATE now_known SET mean_gap_days = gap, gap_spread = spread, silence_over_gap = ratio FROM others WHERE one_visit = 1;
-- the regression is that of crm.logistic_fit on the features in SQL
CREATE TABLE reference AS SELECT l.* FROM (SELECT 1.0 / count(*) AS penalty FROM past) n, crm.logistic_fit('SELECT churned, days_since_last, orders, orders_last_horizon, orders_horizon_before, tenure_days, one_visit, mean_gap_days, gap_spread, silence_over_gap, mean_value, value_trend FROM past', 'churned', penalty => n.penalty) l;
CREATE TABLE coefficient AS SELECT place - 14 AS position, value::float8 AS estimate FROM fit, jsonb_array_elements(fitted -> 'numbers') WITH ORDINALITY n (value, place) WHERE m = 'logistic' AND place > 13;
SELECT is((SELECT count(*) FROM reference r JOIN coefficient c USING (position) WHERE abs(r.estimate - c.estimate) < 1e-5 * greatest(1, abs(r.estimate))), 12::bigint, 'the coefficients are those of crm.logistic_fit on features made in SQL');
SELECT is_empty($$SELECT c.customer_id FROM churn c JOIN now_known s USING (customer_id), (SELECT array_agg(estimate ORDER BY position) AS estimate FROM reference) r
	WHERE m = 'logistic' AND abs(churn_probability - crm.logistic_predict(r.estimate, ARRAY[s.days_since_last, orders, orders_last_horizon, orders_horizon_before, tenure_days, one_visit, mean_gap_days, gap_spread, silence_over_gap, mean_value, value_trend])) > 1e-5$$,
	'and the chances those of crm.logistic_predict on the features of now');

-- silence, rhythm and money by SQL
SELECT is_empty($$SELECT customer_id FROM churn JOIN now_known n USING (customer_id) WHERE abs(churn.days_since_last - (exp(n.days_since_last) - 1)) > 1e-6$$, 'the silence is the time since the last order that is no refund');
SELECT is((SELECT count(*) FROM churn), (SELECT 3 * count(*) FROM now_known), 'each customer with an order has a row');
SELECT is_empty($$SELECT c.customer_id FROM churn c LEFT JOIN (SELECT customer_id, percentile_disc(0.9) WITHIN GROUP (ORDER BY gap) AS p90 FROM (SELECT customer_id, extract(epoch FROM at - lag(at) OVER (PARTITION BY customer_id ORDER BY at))::float8 / 86400 AS gap
	FROM (SELECT DISTINCT customer_id, ordered_at AS at FROM orders WHERE amount >= 0 AND ordered_at <= '2026-01-01') d) g GROUP BY 1) p USING (customer_id) WHERE own_gap_p90 IS DISTINCT FROM p90 AND abs(own_gap_p90 - p90) > 1e-9 OR (own_gap_p90 IS NULL) <> (p90 IS NULL)$$,
	'own_gap_p90 is the 90th percentile of the gaps');
CREATE TABLE money AS SELECT customer_id, visits - 1 AS gaps, extract(epoch FROM last - first)::float8 / 86400 AS days, greatest(spent, 0) / visits AS value
FROM (SELECT customer_id, count(DISTINCT ordered_at) FILTER (WHERE amount >= 0) AS visits, min(ordered_at) FILTER (WHERE amount >= 0) AS first, max(ordered_at) FILTER (WHERE amount >= 0) AS last, sum(amount)::float8 AS spent FROM orders WHERE ordered_at <= '2026-01-01' GROUP BY 1) c;
SELECT is_empty($$SELECT customer_id FROM churn JOIN money m USING (customer_id), (SELECT sum(days) / sum(gaps) AS usual FROM money) u
	WHERE abs(expected_revenue_at_risk - churn_probability * (gaps + 1) / (days + usual) * 90 * value) > 1e-8 * (1 + expected_revenue_at_risk)$$, 'money at risk is chance x rate x horizon x value of a visit');
SELECT is_empty($$SELECT customer_id FROM churn WHERE band <> CASE WHEN churn_probability < 1 / 3.0::float8 THEN 'low' WHEN churn_probability < 2 / 3.0::float8 THEN 'medium' ELSE 'high' END OR NOT churn_probability BETWEEN 0 AND 1$$, 'bands are thirds');
SELECT is_empty($$SELECT c.customer_id FROM churn c JOIN crm.clv('SELECT * FROM orders WHERE amount >= 0', as_of => '2026-01-01', horizon => '90 days') v USING (customer_id) WHERE m = 'alive' AND abs(churn_probability - (1 - p_any_order)) > 1e-9$$, 'alive is the chance of no order of crm.clv');
SELECT is_empty($$SELECT customer_id FROM churn WHERE m = 'logistic' AND cardinality(reasons) <> 3 OR reasons IS NULL OR array_position(reasons, NULL) IS NOT NULL$$, 'a regression gives three reasons');
SELECT isnt_empty($$SELECT FROM churn WHERE EXISTS (SELECT FROM unnest(reasons) r WHERE r ~ '^silent for \d+ days, usual gap \d+ days$')$$, 'in words, with the values');

-- nothing of after as_of or after a cut is seen
CREATE TABLE known AS SELECT * FROM orders WHERE ordered_at <= '2025-06-01';
CREATE TABLE altered AS SELECT * FROM known UNION ALL SELECT customer_id, ordered_at + random() * interval '1 hour', amount * 1000 FROM orders WHERE ordered_at > '2025-06-01' AND customer_id % 2 = 0 UNION ALL SELECT 100000 + g, '2025-06-02', 5 FROM generate_series(1, 50) g;
SELECT is_empty(format($$SELECT * FROM crm.churn('altered', as_of => '2025-06-01', method => %1$L) EXCEPT SELECT * FROM crm.churn('known', as_of => '2025-06-01', method => %1$L)$$, m), m || ': rows after as_of change nothing') FROM unnest('{alive, gap, logistic, auto}'::text[]) m;
SELECT is_empty($$SELECT a.customer_id FROM crm.churn('altered', as_of => '2025-06-01', model => (SELECT fitted::text FROM fit WHERE m = 'logistic')) a JOIN crm.churn('known', as_of => '2025-06-01', model => (SELECT fitted::text FROM fit WHERE m = 'logistic')) k USING (customer_id) WHERE a.churn_probability <> k.churn_probability OR a.reasons <> k.reasons$$,
	'the features of a cut do not change when rows after it are added or altered');
CREATE TABLE relabelled AS SELECT * FROM orders WHERE ordered_at <= '2025-10-03' OR customer_id % 2 = 0;
SELECT is((SELECT churned FROM crm.churn_fit('relabelled', as_of => '2026-01-01', method => 'gap')), (SELECT count(*) FILTER (WHERE churned OR cut > '2025-10-01' AND customer_id % 2 = 1) FROM past), 'labels do');
-- a feature that knows the future, dated when it was known, is of no help
CREATE TABLE leak AS SELECT DISTINCT ON (customer_id) customer_id, ordered_at AS observed_at, 1 AS came_back FROM orders WHERE ordered_at > '2025-10-03' ORDER BY customer_id, ordered_at;
SELECT is_empty($$SELECT customer_id FROM crm.churn('orders', as_of => '2025-10-03', method => 'logistic', features => 'leak') l JOIN crm.churn('orders', as_of => '2025-10-03', method => 'logistic') c USING (customer_id) WHERE abs(l.churn_probability - c.churn_probability) > 1e-9$$, 'a feature of after the cut says nothing');

-- whatever the order of rows, the plan and the key
SELECT set_eq($$SELECT m, c.* FROM unnest('{alive, gap, logistic}'::text[]) m, crm.churn('SELECT * FROM orders ORDER BY md5(ordered_at::text || amount)', as_of => '2026-01-01', method => m) c$$, 'SELECT * FROM churn', 'the order of rows does not matter');
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT set_eq($$SELECT 'gap' AS m, c.* FROM crm.churn('orders', as_of => '2026-01-01', method => 'gap') c$$, $$SELECT * FROM churn WHERE m = 'gap'$$, 'nor does the plan');
SELECT is_empty($$SELECT c.customer_id FROM churn c JOIN crm.churn(key => NULL::uuid, source => 'SELECT lpad(customer_id::text, 32, ''0'')::uuid AS customer_id, ordered_at, amount FROM orders', as_of => '2026-01-01', method => 'logistic') u ON u.customer_id = lpad(c.customer_id::text, 32, '0')::uuid WHERE m = 'logistic' AND c.churn_probability <> u.churn_probability$$, 'nor does the key');
SELECT is((SELECT array_agg(customer_id) FROM crm.churn('orders', as_of => '2026-01-01', method => 'gap')), (SELECT array_agg(customer_id ORDER BY customer_id) FROM churn WHERE m = 'gap'), 'rows come in the order of customer_id');

-- it tells who leaves: half of the customers stop at some moment, the others go on with their rhythm; and not where chance alone decides
CREATE TABLE stopping AS SELECT c AS customer_id, '2024-01-01'::timestamptz + d * interval '1 day' * (10 + c % 20) + (hashint8extended(c * 1000 + d, 5) & 1023) * interval '10 minutes' AS ordered_at, 20.0 AS amount
FROM generate_series(1, 600) c, generate_series(1, 80) d WHERE d * (10 + c % 20) < 720 AND (c % 2 = 0 OR d * (10 + c % 20) < 100 + (hashint8extended(c, 9) & 511));
SELECT cmp_ok(auc(array_agg(churn_probability ORDER BY customer_id), array_agg(s.last < '2025-09-15' ORDER BY customer_id)), '>', 0.95::float8, m || ' tells who has stopped')
FROM unnest('{alive, gap, logistic}'::text[]) m, LATERAL (SELECT * FROM crm.churn('stopping', as_of => '2025-10-03', horizon => '60 days', method => m)) c JOIN (SELECT customer_id, max(ordered_at) AS last FROM stopping GROUP BY 1) s USING (customer_id) GROUP BY m;
CREATE TABLE blind AS SELECT customer_id, ordered_at, amount FROM stopping WHERE customer_id % 2 = 0;
CREATE TABLE coin AS SELECT customer_id, '2024-06-01'::timestamptz + (hashint8extended(customer_id, 77) & 1023) * interval '14 hours' AS churned_at FROM generate_series(2, 600, 2) customer_id;
SELECT cmp_ok(abs(auc(array_agg(churn_probability ORDER BY customer_id), array_agg(l.churned_at <= '2025-12-02' ORDER BY customer_id)) - 0.5), '<', 0.15::float8, 'a label that nothing foretells is not foretold')
FROM crm.churn('blind', as_of => '2025-10-03', horizon => '60 days', method => 'logistic', label => 'coin') c JOIN coin l USING (customer_id) WHERE c.status = 'ok';

-- CDNOW, where the environment names a folder that has it: a quarter ahead of the moment, by what was known
\set has_cdnow `test -r "${CRM_DATA:-/nowhere}/CDNOW_sample.txt" && echo on || echo off`
\if :has_cdnow
CREATE TABLE cdnow (master int, customer_id int, ordered_at date, cds int, amount numeric);
\copy cdnow from program 'sed -E "s/\r//; s/^ +//; s/ +$//; s/ +/,/g" "$CRM_DATA/CDNOW_sample.txt"' (format csv)
CREATE TABLE quarter AS SELECT m, c.customer_id, churn_probability AS p, NOT EXISTS (SELECT FROM cdnow o WHERE o.customer_id = c.customer_id AND ordered_at > '1998-04-01' AND ordered_at <= '1998-06-30') AS churned
FROM unnest('{alive, gap, logistic}'::text[]) m, LATERAL (SELECT * FROM crm.churn('cdnow', as_of => '1998-04-01', method => m)) c;
SELECT cmp_ok(auc(array_agg(p ORDER BY customer_id), array_agg(churned ORDER BY customer_id)), '>', 0.8::float8, 'CDNOW: ' || m || ' tells who will not order') FROM quarter GROUP BY m ORDER BY m;
SELECT cmp_ok(abs(avg(p) - avg(churned::int)), '<', 0.06::float8, 'CDNOW: ' || m || ' knows how many') FROM quarter GROUP BY m ORDER BY m;
\else
SELECT skip('CRM_DATA has no CDNOW_sample.txt', 6);
\endif

-- the CRM's own tables: tickets of the past 90 days go before silence; those of after the cut do not count; who may not read goes without
SELECT is(count(*) > 50, true, 'crm.setup() makes the tables') FROM crm.setup();
INSERT INTO crm.customer (customer_id, name) SELECT c, 'customer ' || c FROM generate_series(1, 600) c;
INSERT INTO crm.sales_order (customer_id, ordered_at, amount) SELECT customer_id, ordered_at, amount FROM stopping;
INSERT INTO crm.ticket (customer_id, subject, opened_at) SELECT customer_id, 'complaint', max(ordered_at) + interval '1 hour' FROM stopping WHERE customer_id % 2 = 1 GROUP BY customer_id;
CREATE TABLE own AS SELECT * FROM crm.churn_fit(as_of => '2025-12-01', horizon => '60 days', method => 'logistic');
SELECT is((SELECT fitted -> 'features' ->> -1 FROM own), 'tickets_last_horizon', 'tickets are a feature of the default source, tables without rows are none');
SELECT cmp_ok((SELECT (fitted -> 'numbers' ->> -1)::float8 FROM own), '>', 0.5::float8, 'complaints go before silence');
SELECT isnt_empty($$SELECT FROM crm.churn(as_of => '2025-06-01', horizon => '60 days', model => (SELECT fitted::text FROM own)) WHERE EXISTS (SELECT FROM unnest(reasons) r WHERE r ~ '^tickets in the last 60 days: 1, usual 0')$$, 'and are reasons');
SELECT is((SELECT fitted -> 'features' ->> -1 FROM crm.churn_fit(as_of => '2025-12-01', horizon => '60 days', method => 'logistic', features => 'orders')), 'value_trend', 'features => orders leaves them out');
SELECT is((SELECT fitted -> 'features' ->> -1 FROM crm.churn_fit('SELECT * FROM stopping', as_of => '2025-12-01', horizon => '60 days', method => 'logistic', features => 'crm')), 'tickets_last_horizon', 'features => crm takes them to another source');
CREATE TABLE before AS SELECT * FROM crm.churn(as_of => '2025-06-01', horizon => '60 days', method => 'logistic');
INSERT INTO crm.ticket (customer_id, subject, opened_at) SELECT c, 'later', '2025-06-02' FROM generate_series(1, 600) c;
SELECT set_eq($$SELECT * FROM crm.churn(as_of => '2025-06-01', horizon => '60 days', method => 'logistic')$$, 'SELECT * FROM before', 'tickets after as_of change nothing');
CREATE ROLE test_churn_reader;
GRANT USAGE ON SCHEMA test_churn, crm TO test_churn_reader;
GRANT SELECT ON crm.sales_order, crm.source, stopping TO test_churn_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO test_churn_reader;
SET LOCAL ROLE test_churn_reader;
SELECT is((SELECT fitted -> 'features' ->> -1 FROM crm.churn_fit('stopping', as_of => '2025-12-01', horizon => '60 days', method => 'logistic', features => 'crm')), 'value_trend', 'who may not read tickets goes without');
RESET ROLE;
INSERT INTO crm.survey (survey_id, name, kind, scale_min, scale_max) OVERRIDING SYSTEM VALUE VALUES (1, 'recommend', 'nps', 0, 10);
INSERT INTO crm.survey_response (customer_id, survey_id, score, answered_at) SELECT c, 1, c % 11, '2025-01-01' FROM generate_series(1, 600, 2) c;
INSERT INTO crm.campaign (campaign_id, name, channel, starts_at) OVERRIDING SYSTEM VALUE VALUES (1, 'spring', 'email', '2025-01-01');
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) SELECT c, 1, '2025-01-01'::timestamptz + c * interval '1 hour', (ARRAY['open', 'optout'])[1 + c % 2] FROM generate_series(1, 600) c;
SELECT is((SELECT count(crm.log_interaction(c, 'call', channel => 'phone', direction => 'in', occurred_at => '2025-02-01')) FROM generate_series(1, 40) c), 40::bigint, 'calls are logged');
SELECT is((SELECT fitted -> 'features' FROM crm.churn_fit(as_of => '2025-12-01', horizon => '60 days', method => 'logistic')) - 0 - 0 - 0 - 0 - 0 - 0 - 0 - 0 - 0 - 0 - 0,
	'["contacts_last_horizon", "tickets_last_horizon", "campaign_responses_last_horizon", "opt_outs", "survey_answers", "last_survey_score"]'::jsonb, 'contacts, campaigns and surveys, too');
SELECT * FROM finish();
ROLLBACK;
