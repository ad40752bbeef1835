-- The views of crm.setup(): each figure against another way to count it, over a simulated firm and over cases made by hand.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');

CREATE TEMPORARY TABLE crm_view (name) AS
SELECT v FROM unnest(crm._relations_300_customer_views() || crm._relations_310_process_views()) v;
CREATE FUNCTION pg_temp.plan_of(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE line text; result text := ''; BEGIN FOR line IN EXECUTE 'EXPLAIN (COSTS off) ' || statement LOOP result := result || line || E'\n'; END LOOP; RETURN result; END $$;
-- One test: two queries give the same rows, and some.
CREATE FUNCTION pg_temp.same(one text, other text, about text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	sample text[];
	rows bigint;
BEGIN
	EXECUTE format('WITH a AS (%s), b AS (%s) SELECT ARRAY(SELECT d::text FROM ((SELECT * FROM a EXCEPT ALL SELECT * FROM b) UNION ALL (SELECT * FROM b EXCEPT ALL SELECT * FROM a)) d LIMIT 5), (SELECT count(*) FROM a)',
		one, other) INTO sample, rows;
	RETURN NEXT ok(sample = '{}' AND rows > 0, about);
	IF sample <> '{}' THEN
		RETURN NEXT diag(sample::text);
	END IF;
END $$;

-- ---- how they are made ----
SELECT is((SELECT count(*) FROM crm_view v JOIN pg_class c ON c.oid = ('crm.' || v.name)::regclass WHERE c.relkind = 'v'), 7::bigint, 'seven views');
-- pg_rewrite holds what a view depends on.
SELECT set_eq($$
	SELECT DISTINCT w.ev_class::regclass::text, d.refobjid::regproc::text
	FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid AND d.refclassid = 'pg_proc'::regclass
	WHERE w.ev_class IN (SELECT ('crm.' || name)::regclass FROM crm_view) AND d.refobjid >= 16384$$,
	$$VALUES ('crm.ticket_response', 'crm.business_time')$$, 'one of them depends on one function of the extension');
SELECT is_empty($$SELECT v.name FROM crm_view v WHERE pg_get_viewdef(('crm.' || v.name)::regclass) ~ '\.\*'$$, 'columns are named');

-- ---- nothing there ----
SELECT is_empty('SELECT * FROM crm.' || name, name || ' is empty') FROM crm_view WHERE name <> 'sales_funnel';
SELECT results_eq('SELECT stage, entered, now_in, now_amount, reached, lost_from_here, step_conversion, cumulative_conversion, median_time, is_worst_step FROM crm.sales_funnel ORDER BY place',
	$$VALUES ('New', 0::bigint, 0::bigint, 0::numeric, 0::bigint, 0::bigint, NULL::float8, NULL::float8, NULL::interval, false),
		('Qualified', 0, 0, 0, 0, 0, NULL, NULL, NULL, false), ('Proposal', 0, 0, 0, 0, 0, NULL, NULL, NULL, false),
		('Negotiation', 0, 0, 0, 0, 0, NULL, NULL, NULL, false), ('Won', 0, 0, 0, 0, 0, NULL, NULL, NULL, false),
		('Lost', 0, 0, 0, NULL, NULL, NULL, NULL, NULL, false)$$, 'an empty funnel has its stages, and no rates');
SAVEPOINT by_hand;

-- ---- cases made by hand: a customer ----
INSERT INTO crm.agent (agent_id, name) VALUES (1, 'Ann');
INSERT INTO crm.region (region_id, name) VALUES (1, 'South');
INSERT INTO crm.currency_rate VALUES ('CHF', '2026-01-01', 1.5);
INSERT INTO crm.customer (customer_id, name, owner_id, region_id, merged_into) VALUES (1, 'Anna', 1, 1, NULL), (2, 'Ben', NULL, NULL, NULL), (3, 'Twin', NULL, NULL, 1);
INSERT INTO crm.contact_point (customer_id, contact_point_id, kind, given, is_primary) VALUES (1, 1, 'mail', 'old@a.example', false), (1, 2, 'mail', 'a@a.example', true),
	(1, 3, 'phone', '1', false), (1, 4, 'phone', '2', false);
INSERT INTO crm.customer_identity VALUES ('shop', '7', 1), ('shop', '10', 1), ('erp', 'x', 1);
INSERT INTO crm.product (product_id, sku, name, price) VALUES (1, 'P', 'Pear', 5);
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, status, amount, currency) VALUES (1, 1, '2026-02-01 10:00', 'placed', 100, 'CHF'),
	(1, 2, '2026-02-03 10:00', 'completed', 50, NULL), (1, 3, '2026-01-01', 'draft', 1000, NULL), (1, 4, '2026-03-01', 'cancelled', 1000, NULL);
INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price) VALUES (1, 1, 1, 1, 20, 5);
INSERT INTO crm.sales_return (customer_id, sales_order_id, product_id, returned_at, quantity, amount) VALUES (1, 1, 1, '2026-02-09', 4, 20);
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, amount, currency, probability, created_at, stage_entered_at)
SELECT 1, o.place, 'o', s.pipeline_id, s.pipeline_stage_id, o.amount, o.currency, o.probability, '2026-02-01', '2026-02-01'
FROM (VALUES (1, 'New', 200, 'CHF', NULL), (2, 'Proposal', 100, NULL, 0.9), (3, 'Won', 5000, NULL, NULL), (4, 'New', NULL, NULL, NULL)) o (place, stage, amount, currency, probability)
JOIN crm.pipeline_stage s ON s.name = o.stage;
INSERT INTO crm.ticket (customer_id, ticket_id, subject, status) VALUES (1, 1, 'a', 'open'), (1, 2, 'b', 'pending'), (1, 3, 'c', 'solved'), (1, 4, 'd', 'closed'), (1, 5, 'e', 'new');
SELECT crm.loyalty_earn(1, 30, 'order'), crm.loyalty_redeem(1, 12, 'mug');
INSERT INTO crm.tag (tag_id, name) VALUES (1, 'vip'), (2, 'press');
INSERT INTO crm.customer_tag (customer_id, tag_id) VALUES (1, 1), (1, 2);
INSERT INTO crm.score VALUES (1, 'churn', '2026-01-01', 0.5, 'high'), (1, 'churn', '2026-02-01', 0.25, 'low'), (1, 'clv', '2026-01-01', NULL, 'A');
INSERT INTO crm.consent (customer_id, consent_id, purpose, channel, status, occurred_at) VALUES (1, 1, 'marketing', NULL, 'given', '2026-01-01'),
	(1, 2, 'marketing', 'mail', 'given', '2026-01-01'), (1, 3, 'marketing', 'mail', 'withdrawn', '2026-01-02');
SELECT crm.log_interaction(1, 'visit', channel => 'shop', direction => 'out', occurred_at => '2099-01-01'),
	crm.log_interaction(1, 'note', direction => 'internal', occurred_at => '2099-02-01');
SELECT results_eq($$SELECT customer_id, name, mail, phone, identities, owner, region, orders, revenue, returned_amount, first_order_at, last_order_at FROM crm.customer_360 ORDER BY 1$$,
	$$VALUES (1::bigint, 'Anna', 'a@a.example', '1', '{"erp": ["x"], "shop": ["10", "7"]}'::jsonb, 'Ann', 'South', 2::bigint, 170::numeric, 30::numeric,
			'2026-02-01 10:00Z'::timestamptz, '2026-02-03 10:00Z'::timestamptz),
		(2, 'Ben', NULL, NULL, '{}', NULL, NULL, 0, 0, 0, NULL, NULL)$$, 'who a customer is and what it bought; one merged into another is left out');
SELECT results_eq($$SELECT open_opportunities, open_amount, weighted_amount, open_tickets, points, tags, scores #>> '{churn,value}', scores #>> '{clv,band}', consent,
		last_interaction_at, last_interaction_kind, last_interaction_channel FROM crm.customer_360 ORDER BY customer_id$$,
	$$VALUES (3::bigint, 400::numeric, 120::numeric, 3::bigint, 18::bigint, '{press,vip}'::text[], '0.25', 'A', '{"marketing": "given", "marketing/mail": "withdrawn"}'::jsonb,
			'2099-01-01Z'::timestamptz, 'visit', 'shop'),
		(0, 0, 0, 0, 0, '{}', NULL, NULL, '{}', NULL, NULL, NULL)$$, 'what is open with it, and what is known');
SELECT results_eq('SELECT entry, sales_order_id, line_number, sku, quantity, amount, currency, base_amount FROM crm.purchase_history ORDER BY occurred_at',
	$$VALUES ('purchase', 1::bigint, 1, 'P', 20::numeric, 100::numeric, 'CHF', 150::numeric), ('purchase', 2, NULL, NULL, NULL, 50, NULL, 50),
		('return', 1, NULL, 'P', -4, -20, 'CHF', -30)$$, 'lines, an order without lines, and a return');
SELECT results_eq('SELECT customer_id, orders, top_category, weekday, weekday_share, hour, hour_share FROM crm.customer_portrait ORDER BY 1',
	$$VALUES (1::bigint, 2::bigint, NULL, 2, 0.5::float8, 10, 1::float8), (2, 0, NULL, NULL, NULL, NULL, NULL)$$, 'a portrait: no category, of equals the first weekday');
SET LOCAL TimeZone = 'Asia/Tokyo';
SELECT results_eq('SELECT hour FROM crm.customer_portrait WHERE customer_id = 1', 'VALUES (19)', 'hours are those of the session');
SET LOCAL TimeZone = 'UTC';

-- A pipeline of three open stages: skipped, gone back, lost after each, still there, come from another pipeline.
INSERT INTO crm.pipeline (pipeline_id, name) VALUES (9, 'Other');
INSERT INTO crm.pipeline_stage (pipeline_stage_id, pipeline_id, name, place, probability, outcome) VALUES (91, 9, 'A', 1, 0.1, 'open'), (92, 9, 'B', 2, 0.2, 'open'),
	(93, 9, 'C', 3, 0.3, 'open'), (94, 9, 'Won', 4, 1, 'won'), (95, 9, 'Lost', 5, 0, 'lost');
CREATE FUNCTION pg_temp.move(deal bigint, VARIADIC stages bigint[]) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_stage_id, amount, created_at, stage_entered_at)
	VALUES (2, deal, 'o', stages[1], 10, '2026-01-01', '2026-01-01');
	FOR i IN 2 .. cardinality(stages) LOOP
		UPDATE crm.opportunity SET pipeline_stage_id = stages[i], pipeline_id = (SELECT pipeline_id FROM crm.pipeline_stage WHERE pipeline_stage_id = stages[i]),
			stage_entered_at = timestamptz '2026-01-01' + deal * (i - 1) * interval '1 hour' WHERE opportunity_id = deal;
	END LOOP;
END $$;
SELECT pg_temp.move(11, 91, 92, 93, 94), pg_temp.move(12, 91, 93, 95), pg_temp.move(13, 91, 92, 91), pg_temp.move(14, 91, 95), pg_temp.move(15, 91),
	pg_temp.move(16, (SELECT pipeline_stage_id FROM crm.pipeline_stage WHERE name = 'Negotiation'), 92, 95), pg_temp.move(17, 95);
SELECT results_eq($$SELECT stage, entered, now_in, now_amount, reached, lost_from_here, step_conversion, cumulative_conversion, median_time, p90_time, is_worst_step
		FROM crm.sales_funnel WHERE pipeline_id = 9 ORDER BY place$$,
	$$VALUES ('A', 5::bigint, 2::bigint, 20::numeric, 6::bigint, 1::bigint, 4 / 6.0::float8, 1::float8, '12:30'::interval, '13:42'::interval, false),
		('B', 3, 0, 0, 4, 1, 0.5, 4 / 6.0, '13:00', '15:24', true),
		('C', 2, 0, 0, 2, 1, 0.5, 2 / 6.0, '11:30', '11:54', false),
		('Won', 1, 1, 10, 1, 0, NULL, 1 / 6.0, NULL, NULL, false),
		('Lost', 4, 4, 40, NULL, NULL, NULL, NULL, NULL, NULL, false)$$, 'a funnel counted by hand');

-- Newcombe's example (1998, table II a): 56 of 70 against 48 of 80, by method 10 the difference is 0.0524 to 0.3339.
INSERT INTO crm.customer (customer_id) SELECT n FROM generate_series(1001, 1150) n;
INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'one'), (2, 'nobody'), (3, 'no holdout');
INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout) SELECT n, 1, n > 1070 FROM generate_series(1001, 1150) n;
INSERT INTO crm.campaign_member (customer_id, campaign_id) VALUES (1, 3), (2, 3);
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event)
SELECT n, 1, now(), 'convert' FROM generate_series(1001, 1056) n UNION ALL SELECT n, 1, now(), 'convert' FROM generate_series(1071, 1118) n;
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event)
SELECT v.customer, v.campaign, now(), v.event FROM (VALUES (1001, 1, 'convert'), (1, 1, 'convert'), (1001, 1, 'sent'), (1002, 1, 'sent'), (1003, 1, 'sent'), (1004, 1, 'sent'), (1001, 1, 'sent'),
	(1001, 1, 'delivered'), (1002, 1, 'delivered'), (1003, 1, 'hard_bounce'), (1004, 1, 'soft_bounce'), (1001, 1, 'open'), (1001, 1, 'open'), (1001, 1, 'click'),
	(1001, 1, 'reply'), (1002, 1, 'optout')) v (customer, campaign, event);
INSERT INTO crm.campaign_cost (campaign_id, spent_on, amount) VALUES (1, '2026-01-01', 100), (1, '2026-01-02', 14);
UPDATE crm.sales_order SET campaign_id = 1;
SELECT results_eq($$SELECT campaign, members, sent, delivered, opened, clicked, replied, opted_out, hard_bounced, soft_bounced, converted, delivery_rate, open_rate, click_rate, reply_rate,
		optout_rate, bounce_rate, conversion_rate, cost, cost_per_conversion, orders, revenue, holdout, holdout_converted, holdout_conversion_rate,
		round(uplift::numeric, 4), round(uplift_low::numeric, 4), round(uplift_high::numeric, 4) FROM crm.campaign_results ORDER BY campaign_id$$,
	$$VALUES ('one', 70::bigint, 4::bigint, 2::bigint, 1::bigint, 1::bigint, 1::bigint, 1::bigint, 1::bigint, 1::bigint, 57::bigint, 0.5::float8, 0.5::float8, 0.5::float8, 0.5::float8,
			0.5::float8, 0.5::float8, 0.8::float8, 114::numeric, 2::numeric, 2::bigint, 170::numeric, 80::bigint, 48::bigint, 0.6::float8, 0.2000, 0.0524, 0.3339),
		('nobody', 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL, 0, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL),
		('no holdout', 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, NULL, NULL, NULL, 0, 0, NULL, 0, 0, 0, 0, NULL, NULL, NULL, NULL)$$,
	'a campaign: each customer once, conversions outside of the members, the interval of the uplift; and campaigns without anybody');

-- Friday 16:00 to Monday 10:00 are two hours of nine to five.
INSERT INTO crm.ticket (customer_id, ticket_id, subject, priority, status, opened_at, first_response_at, resolved_at, response_due_at, resolution_due_at) VALUES
	(2, 21, 'in time', 'high', 'solved', '2026-01-09 16:00', '2026-01-12 10:00', '2026-01-12 11:30', NULL, NULL),
	(2, 22, 'late', 'high', 'solved', '2026-01-09 16:00', '2026-01-12 10:01', '2026-01-14 11:30', NULL, NULL),
	(2, 23, 'no word', 'urgent', 'solved', '2026-01-09 16:00', NULL, '2026-01-09 17:00', NULL, NULL),
	(2, 24, 'forgotten', 'low', 'open', '2026-01-09 16:00', NULL, NULL, NULL, NULL),
	(2, 25, 'running', 'low', 'open', now() - interval '1 minute', NULL, NULL, NULL, NULL);
DELETE FROM crm.sla_policy WHERE priority = 'normal';
INSERT INTO crm.ticket (customer_id, ticket_id, subject, opened_at, status, first_response_at, resolved_at) VALUES (2, 26, 'no promise', '2026-01-09 16:00', 'solved', '2026-01-12 10:00', '2026-01-12 10:00');
SELECT results_eq('SELECT subject, response_time, response_working_time, response_breached, resolution_working_time, resolution_breached FROM crm.ticket_response WHERE customer_id = 2 ORDER BY ticket_id',
	$$VALUES ('in time', '2 days 18:00'::interval, '2:00'::interval, false, '3:30'::interval, false), ('late', '2 days 18:01', '2:01', true, '19:30', true),
		('no word', NULL, NULL, false, '1:00', false), ('forgotten', NULL, NULL, true, NULL, true), ('running', NULL, NULL, false, NULL, false),
		('no promise', '2 days 18:00', NULL, NULL, NULL, NULL)$$, 'waiting in working time, and promises kept and broken');

INSERT INTO crm.team (team_id, name) VALUES (1, 'Sales');
UPDATE crm.agent SET team_id = 1;
INSERT INTO crm.task (task_id, customer_id, subject, assignee_id, due_at, status, done_at) VALUES (1, 1, 'late', 1, now() - interval '1 s', 'open', NULL), (2, NULL, 'some day', NULL, NULL, 'open', NULL),
	(3, 1, 'done', 1, NULL, 'done', now()), (4, 1, 'off', 1, NULL, 'cancelled', NULL);
INSERT INTO crm.reminder (task_id, remind_at, sent_at) VALUES (1, '2026-01-01', '2026-01-01'), (1, '2026-01-03', NULL), (1, '2026-01-02', NULL);
SELECT results_eq('SELECT task_id, subject, is_overdue, customer, assignee, team, next_reminder_at FROM crm.open_tasks ORDER BY 1',
	$$VALUES (1::bigint, 'late', true, 'Anna', 'Ann', 'Sales', '2026-01-02Z'::timestamptz), (2, 'some day', false, NULL, NULL, NULL, NULL)$$, 'open tasks');
ROLLBACK TO by_hand;

-- ---- a simulated firm, counted otherwise ----
SELECT lives_ok($$SELECT crm.simulate_crm(2000, 7, '2026-02-15')$$, 'a firm');
SELECT pg_temp.same('SELECT customer_id, orders, revenue, returned_amount, first_order_at, last_order_at FROM crm.customer_360',
	$$SELECT c.customer_id, count(*) FILTER (WHERE m.amount > 0), coalesce(sum(m.amount), 0), coalesce(- sum(m.amount) FILTER (WHERE m.amount < 0), 0),
			min(m.moment) FILTER (WHERE m.amount > 0), max(m.moment) FILTER (WHERE m.amount > 0)
		FROM crm.customer c LEFT JOIN (
			SELECT customer_id, ordered_at AS moment, amount * coalesce(exchange_rate, 1) AS amount FROM crm.sales_order WHERE status IN ('placed', 'paid', 'shipped', 'completed')
			UNION ALL
			SELECT r.customer_id, r.returned_at, - r.amount * coalesce(o.exchange_rate, 1) FROM crm.sales_return r JOIN crm.sales_order o USING (sales_order_id)) m USING (customer_id)
		GROUP BY 1$$, 'orders and revenue of all customers');
SELECT is((SELECT round(sum(revenue), 2) FROM crm.customer_360), (SELECT round(sum(monetary)::numeric, 2) FROM crm.rfm('crm', as_of => '2026-02-15')), 'crm.rfm reads the same revenue');
SELECT is((SELECT sum(base_amount) FROM crm.purchase_history), (SELECT sum(revenue) FROM crm.customer_360), 'and so does the purchase history');
SELECT pg_temp.same('SELECT customer_id, last_interaction_at FROM crm.customer_360', $$SELECT c.customer_id, max(i.occurred_at) FILTER (WHERE i.direction <> 'internal')
	FROM crm.customer c LEFT JOIN crm.interaction i USING (customer_id) GROUP BY 1$$, 'last interactions');
SELECT pg_temp.same('SELECT customer_id, open_opportunities, round(weighted_amount, 6) FROM crm.customer_360', $$SELECT c.customer_id, count(s.name), round(coalesce(sum(o.amount * coalesce(o.exchange_rate, 1) * s.probability), 0), 6)
	FROM crm.customer c LEFT JOIN (crm.opportunity o JOIN crm.pipeline_stage s ON s.pipeline_stage_id = o.pipeline_stage_id AND s.name NOT IN ('Won', 'Lost')) USING (customer_id) GROUP BY 1$$, 'open opportunities');
SELECT pg_temp.same('SELECT customer_id, open_tickets, points, array_to_string(tags, $$,$$) FROM crm.customer_360', $$SELECT customer_id,
		(SELECT count(*) FROM crm.ticket t WHERE t.customer_id = c.customer_id AND t.resolved_at IS NULL), (SELECT coalesce(sum(points), 0)::bigint FROM crm.loyalty_ledger l WHERE l.customer_id = c.customer_id),
		coalesce((SELECT string_agg(name, ',' ORDER BY name) FROM crm.tag WHERE tag_id IN (SELECT tag_id FROM crm.customer_tag g WHERE g.customer_id = c.customer_id)), '')
	FROM crm.customer c$$, 'tickets, points and tags');
SELECT pg_temp.same($$SELECT customer_id, k, v FROM crm.customer_360, jsonb_each_text(consent) AS j (k, v)$$, 'SELECT customer_id, purpose, status FROM crm.consent_status', 'consents');
SELECT pg_temp.same($$SELECT customer_id, (scores -> 'activity' ->> 'value')::float8, scores -> 'activity' ->> 'band' FROM crm.customer_360 WHERE scores <> '{}'$$,
	$$SELECT customer_id, value, band FROM crm.score s WHERE scored_at = (SELECT max(scored_at) FROM crm.score m WHERE m.customer_id = s.customer_id)$$, 'scores');
SELECT pg_temp.same('SELECT customer_id, orders, channel, weekday, hour FROM crm.customer_portrait', $$SELECT c.customer_id, count(o.customer_id), mode() WITHIN GROUP (ORDER BY o.channel),
		mode() WITHIN GROUP (ORDER BY to_char(o.ordered_at, 'ID')::integer), mode() WITHIN GROUP (ORDER BY to_char(o.ordered_at, 'HH24')::integer)
	FROM crm.customer c LEFT JOIN crm.sales_order o ON o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled') GROUP BY 1$$, 'portraits');
SELECT is_empty($$
	SELECT p.customer_id FROM crm.customer_portrait p
	JOIN LATERAL (SELECT array_agg(category ORDER BY sum DESC, category) AS categories, max(sum) / sum(sum) AS share
		FROM (SELECT category, sum(base_amount) FROM crm.purchase_history h WHERE h.customer_id = p.customer_id AND entry = 'purchase' GROUP BY 1) s) h ON true
	WHERE p.top_category IS DISTINCT FROM h.categories[1] OR abs(p.top_category_share - h.share) > 1e-12$$, 'their categories');
SELECT pg_temp.same('SELECT stage, entered, now_in, reached, round(step_conversion::numeric, 9), round(cumulative_conversion::numeric, 9), median_time, p90_time FROM crm.sales_funnel',
	$$WITH way AS (
		SELECT o.opportunity_id, max(n.name) AS now_in, array_agg(s.name ORDER BY h.entered_at) AS stages FROM crm.opportunity o JOIN crm.opportunity_stage_history h USING (opportunity_id)
		JOIN crm.pipeline_stage s ON s.pipeline_stage_id = h.pipeline_stage_id JOIN crm.pipeline_stage n ON n.pipeline_stage_id = o.pipeline_stage_id GROUP BY 1
	), seen AS (SELECT s.name, s.place, (SELECT count(*) FROM way WHERE s.name = ANY (stages)) AS entered, (SELECT count(*) FROM way w WHERE w.now_in = s.name) AS now_in FROM crm.pipeline_stage s)
	SELECT s.name, s.entered, s.now_in, CASE WHEN s.name <> 'Lost' THEN s.entered END, CASE WHEN s.place < 5 THEN round((SELECT n.entered FROM seen n WHERE n.place = s.place + 1)::numeric / s.entered, 9) END,
		CASE WHEN s.name <> 'Lost' THEN round(s.entered::numeric / (SELECT entered FROM seen WHERE place = 1), 9) END,
		(SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY h.left_at - h.entered_at) FROM crm.opportunity_stage_history h JOIN crm.pipeline_stage g USING (pipeline_stage_id) WHERE g.name = s.name),
		(SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY h.left_at - h.entered_at) FROM crm.opportunity_stage_history h JOIN crm.pipeline_stage g USING (pipeline_stage_id) WHERE g.name = s.name)
	FROM seen s$$, 'the funnel');
SELECT pg_temp.same('SELECT campaign_id, members, sent, opened, converted, holdout, holdout_converted, round(uplift::numeric, 9), revenue FROM crm.campaign_results', $$
	SELECT c.campaign_id, m.members, n.sent, n.opened, n.converted, m.holdout, n.holdout_converted,
		round(n.converted::numeric / m.members - n.holdout_converted::numeric / m.holdout, 9),
		(SELECT sum(base_amount) FROM crm.purchase_history h WHERE h.campaign_id = c.campaign_id)
	FROM crm.campaign c
	JOIN (SELECT campaign_id, count(*) - sum(is_holdout::int) AS members, sum(is_holdout::int) AS holdout FROM crm.campaign_member GROUP BY 1) m USING (campaign_id)
	JOIN (SELECT e.campaign_id, count(DISTINCT e.customer_id) FILTER (WHERE event = 'sent') AS sent, count(DISTINCT e.customer_id) FILTER (WHERE event = 'open') AS opened,
			count(DISTINCT e.customer_id) FILTER (WHERE event = 'convert' AND NOT m.is_holdout) AS converted,
			count(DISTINCT e.customer_id) FILTER (WHERE event = 'convert' AND m.is_holdout) AS holdout_converted
		FROM crm.campaign_event e JOIN crm.campaign_member m USING (customer_id, campaign_id) GROUP BY 1) n USING (campaign_id)$$, 'campaigns');
SELECT is_empty($$SELECT * FROM crm.ticket_response r JOIN crm.ticket t USING (ticket_id) WHERE r.priority = 'urgent'
	AND NOT EXISTS (SELECT FROM crm.holiday h WHERE h.day BETWEEN t.opened_at::date AND t.first_response_at::date) AND (r.response_working_time <> t.first_response_at - t.opened_at
	OR r.response_breached <> (coalesce(t.first_response_at, t.resolved_at, now()) - t.opened_at > interval '1 hour'))$$, 'urgent tickets go by the clock, but for holidays');
SELECT is((SELECT count(*) FROM crm.open_tasks), (SELECT count(*) FROM crm.task WHERE status NOT IN ('done', 'cancelled')), 'tasks');

-- One customer is found by keys, in every table that grows with the customers.
SELECT unalike(pg_temp.plan_of('SELECT * FROM crm.' || v.name || ' WHERE customer_id = 77'),
	'%Seq Scan on ' || t.name || ' %', v.name || ' of one customer does not read the whole of ' || t.name)
FROM (VALUES ('customer_360'), ('purchase_history'), ('customer_portrait')) v (name)
CROSS JOIN (VALUES ('customer'), ('contact_point'), ('customer_identity'), ('sales_order'), ('sales_order_item'), ('sales_return'), ('interaction'), ('opportunity'), ('ticket'), ('loyalty_ledger'),
	('customer_tag'), ('score'), ('consent')) t (name);
SELECT unalike(pg_temp.plan_of('SELECT customer_id, name FROM crm.customer_360'), '%' || t.name || '%', 'what is not asked for is not read: ' || t.name)
FROM (VALUES ('sales_order'), ('sales_return'), ('opportunity'), ('interaction'), ('ticket')) t (name);
ROLLBACK TO by_hand;

-- ---- brought up to date ----
CREATE ROLE crm_views_reader;
DROP VIEW crm.open_tasks, crm.open_tasks_masked;
CREATE VIEW crm.open_tasks AS SELECT 1 AS of_before;
CREATE VIEW crm.open_tasks_masked AS SELECT 1 AS of_before;
GRANT SELECT ON crm.open_tasks TO crm_views_reader WITH GRANT OPTION;
CREATE VIEW public.crm_views_mine AS SELECT of_before FROM crm.open_tasks;
SELECT throws_ok('SELECT crm.setup()', '2BP01', 'the view crm.open_tasks gets other columns, and other objects depend on it', 'what depends on a view with other columns stops');
DROP VIEW public.crm_views_mine;
SELECT lives_ok('SELECT crm.setup()', 'and is asked to step aside');
SELECT has_column('crm', 'open_tasks', 'is_overdue', 'the view has its columns');
SELECT has_column('crm', 'open_tasks_masked', 'is_overdue', 'and so has its masked form');
SELECT ok(has_table_privilege('crm_views_reader', 'crm.open_tasks', 'SELECT WITH GRANT OPTION'), 'and its readers');
COMMENT ON COLUMN crm.open_tasks.subject IS 'mine';
SELECT crm.setup();
SELECT is(col_description('crm.open_tasks'::regclass, 2), 'mine', 'a comment of the user stays');

SELECT * FROM finish();
ROLLBACK;
