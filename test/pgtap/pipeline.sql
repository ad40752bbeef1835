-- Leads, opportunities and stages: what is refused, the history with time in stage, closing and reopening, and money.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
\ir lib/refusal.sql
CREATE TEMPORARY TABLE my AS SELECT '{lost_reason, pipeline, pipeline_stage, lead, opportunity, opportunity_item, opportunity_stage_history, sales_target}'::text[] AS tables;

-- What setup makes
SELECT results_eq('SELECT p.name, p.is_default, s.name, s.place, s.probability, s.outcome FROM crm.pipeline p JOIN crm.pipeline_stage s USING (pipeline_id) ORDER BY s.place', $$VALUES
	('Sales', true, 'New', 1, 0.1, 'open'), ('Sales', true, 'Qualified', 2, 0.25, 'open'), ('Sales', true, 'Proposal', 3, 0.5, 'open'),
	('Sales', true, 'Negotiation', 4, 0.75, 'open'), ('Sales', true, 'Won', 5, 1, 'won'), ('Sales', true, 'Lost', 6, 0, 'lost')$$, 'the default pipeline');
CREATE FUNCTION pg_temp.stage(name text) RETURNS bigint LANGUAGE sql STABLE AS $$ SELECT s.pipeline_stage_id FROM crm.pipeline_stage s WHERE s.name = stage.name $$;

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'Anna');
INSERT INTO crm.team (team_id, name) VALUES (1, 'Sales');
INSERT INTO crm.region (region_id, name) VALUES (1, 'World');
INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'Spring');
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'A'), (2, 'B');
INSERT INTO crm.product (product_id, sku, name) VALUES (1, 'B-1', 'Bike');
INSERT INTO crm.currency_rate VALUES ('EUR', '2020-01-01', 0.9), ('EUR', current_date, 0.95);
INSERT INTO crm.lost_reason (lost_reason_id, name) VALUES (1, 'price'), (2, 'timing');
INSERT INTO crm.pipeline (pipeline_id, name) VALUES (50, 'Partners');
INSERT INTO crm.pipeline_stage (pipeline_stage_id, pipeline_id, name, place, probability, outcome) VALUES (51, 50, 'Talks', 1, 0.3, 'open'), (52, 50, 'Signed', 2, 1, 'won');
INSERT INTO crm.lead (lead_id, name, mail, owner_id, region_id, first_touch_campaign_id, last_touch_campaign_id, customer_id) VALUES (1, 'Secret', 'secret@example.org', 1, 1, 1, 1, 1), (2, 'Other', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO crm.sales_target (agent_id, team_id, region_id, from_date, to_date, amount) VALUES (1, NULL, NULL, '2026-01-01', '2026-12-31', 1000), (NULL, 1, NULL, '2026-01-01', '2026-01-01', 0), (NULL, NULL, 1, '2026-01-01', '2026-12-31', 5);
SELECT lives_ok('SELECT crm.resync_sequences()', 'numbers go on');

-- A deal from its first stage to the last, at known times
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, amount, lead_id, campaign_id, owner_id, region_id, created_at, stage_entered_at) VALUES (1, 1, 'Fleet', 100, 1, 1, 1, 1, '2026-01-01', '2026-01-01');
SELECT results_eq('SELECT pipeline_id, pipeline_stage_id, exchange_rate, base_amount, closed_at FROM crm.opportunity', $$SELECT pipeline_id, pg_temp.stage('New'), NULL::numeric, 100::numeric, NULL::timestamptz FROM crm.pipeline WHERE is_default$$,
	'begins in the first stage of the default pipeline');
SELECT set_config('crm.agent', 'anna', true);
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Proposal'), stage_entered_at = '2026-01-11', probability = 0.6;
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Lost'), stage_entered_at = '2026-02-01 12:00', lost_reason_id = 1, competitor = 'Other Ltd';
SELECT results_eq('SELECT closed_at, probability, lost_reason_id FROM crm.opportunity', $$VALUES ('2026-02-01 12:00'::timestamptz, NULL::numeric, 1::bigint)$$, 'closed when it entered the last stage, whose probability holds');
SELECT results_eq('SELECT s.name, h.entered_at, h.left_at, h.time_in_stage, h.agent FROM crm.opportunity_stage_history h JOIN crm.pipeline_stage s USING (pipeline_stage_id) ORDER BY h.entered_at', $$VALUES
	('New', '2026-01-01'::timestamptz, '2026-01-11'::timestamptz, interval '10 days', NULL),
	('Proposal', '2026-01-11', '2026-02-01 12:00', '21 days 12:00', 'anna'),
	('Lost', '2026-02-01 12:00', NULL, NULL, 'anna')$$, 'the history has each stage and how long');
SELECT results_eq($$SELECT action, detail #>> '{new,pipeline_stage_id}', detail #>> '{old,pipeline_stage_id}' FROM crm.interaction WHERE kind = 'opportunity' ORDER BY interaction_id$$,
	$$SELECT a, pg_temp.stage(n)::text, pg_temp.stage(o)::text FROM (VALUES ('insert', 'New', NULL), ('update', 'Proposal', 'New'), ('update', 'Lost', 'Proposal')) v (a, n, o)$$, 'and the log the same');

-- Reopened, won, reopened again
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Negotiation'), stage_entered_at = '2026-03-01';
SELECT results_eq('SELECT closed_at, lost_reason_id, competitor FROM crm.opportunity', $$VALUES (NULL::timestamptz, NULL::bigint, 'Other Ltd')$$, 'reopened: neither closed nor lost');
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Won'), stage_entered_at = '2026-03-05', closed_at = '2026-03-04';
SELECT is((SELECT closed_at FROM crm.opportunity), '2026-03-04'::timestamptz, 'a closed_at that is given is kept');
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Lost'), stage_entered_at = '2026-03-06';
SELECT is((SELECT closed_at FROM crm.opportunity), '2026-03-06'::timestamptz, 'won, then lost: closed anew');
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Won'), stage_entered_at = '2026-03-07';
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Proposal'), stage_entered_at = '2026-03-08', probability = 0.4;
SELECT results_eq('SELECT closed_at, probability FROM crm.opportunity', 'VALUES (NULL::timestamptz, 0.4)', 'a won deal is reopened');
SELECT is((SELECT array_agg(s.name ORDER BY h.entered_at) FROM crm.opportunity_stage_history h JOIN crm.pipeline_stage s USING (pipeline_stage_id)), '{New,Proposal,Lost,Negotiation,Won,Lost,Won,Proposal}', 'the history goes on');
SELECT is((SELECT sum(time_in_stage) FROM crm.opportunity_stage_history), '2026-03-08'::timestamptz - '2026-01-01', 'without gaps');
UPDATE crm.opportunity SET amount = 200, name = 'Larger fleet', pipeline_stage_id = pipeline_stage_id;
SELECT is((SELECT count(*) FROM crm.opportunity_stage_history), 8::bigint, 'what leaves it in its stage adds nothing');

-- Two changes in one transaction, no time given
INSERT INTO crm.opportunity (customer_id, opportunity_id, name) VALUES (2, 2, 'Quick');
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Qualified') WHERE opportunity_id = 2;
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Won') WHERE opportunity_id = 2;
SELECT is((SELECT array_agg(s.name ORDER BY h.entered_at) FROM crm.opportunity_stage_history h JOIN crm.pipeline_stage s USING (pipeline_stage_id) WHERE opportunity_id = 2), '{New,Qualified,Won}', 'two changes in one transaction are two rows');
SELECT is((SELECT bool_and(left_at > entered_at) FROM crm.opportunity_stage_history WHERE opportunity_id = 2 AND left_at IS NOT NULL), true, 'each with its time');
SELECT results_eq('SELECT stage_entered_at > created_at, closed_at = stage_entered_at, stage_entered_at <= clock_timestamp() FROM crm.opportunity WHERE opportunity_id = 2', 'VALUES (true, true, true)', 'the moment is that of the change');
-- A stage entered in the future: the next one still comes later.
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Proposal'), stage_entered_at = '2100-01-01' WHERE opportunity_id = 2;
UPDATE crm.opportunity SET pipeline_stage_id = pg_temp.stage('Won') WHERE opportunity_id = 2;
SELECT is((SELECT stage_entered_at FROM crm.opportunity WHERE opportunity_id = 2), '2100-01-01 00:00:00.000001'::timestamptz, 'stages follow each other');

-- Another pipeline; a stage decides its pipeline, a pipeline its first stage
UPDATE crm.opportunity SET pipeline_id = 50, pipeline_stage_id = 51 WHERE opportunity_id = 1;
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id) VALUES (2, 3, 'By stage', NULL, 52), (2, 4, 'By pipeline', 50, NULL);
SELECT results_eq('SELECT opportunity_id, pipeline_id, pipeline_stage_id, closed_at = now() FROM crm.opportunity WHERE pipeline_id = 50 ORDER BY 1', 'VALUES (1::bigint, 50::bigint, 51::bigint, NULL::boolean), (3, 50, 52, true), (4, 50, 51, NULL)', 'pipelines and stages');

-- Money
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, amount, currency, exchange_rate, created_at) VALUES (2, 5, 'Old', 100, 'EUR', NULL, '2025-06-01'), (2, 6, 'New', 100, 'EUR', NULL, now()), (2, 7, 'Given', 100, 'QQQ', 3, now());
SELECT results_eq('SELECT opportunity_id, exchange_rate, base_amount FROM crm.opportunity WHERE currency IS NOT NULL ORDER BY 1', 'VALUES (5::bigint, 0.9, 90.0), (6, 0.95, 95.00), (7, 3, 300)', 'the rate of its day, or the given one');
UPDATE crm.opportunity SET amount = 200, name = name || '!' WHERE opportunity_id IN (5, 7);
SELECT results_eq('SELECT exchange_rate, base_amount FROM crm.opportunity WHERE opportunity_id IN (5, 7) ORDER BY 1', 'VALUES (0.9, 180.0), (3, 600)', 'stays when the amount changes');
UPDATE crm.opportunity SET currency = 'EUR' WHERE opportunity_id = 7;
UPDATE crm.opportunity SET currency = NULL WHERE opportunity_id = 5;
UPDATE crm.opportunity SET exchange_rate = 0.8 WHERE opportunity_id = 6;
SELECT results_eq('SELECT opportunity_id, exchange_rate, base_amount FROM crm.opportunity WHERE opportunity_id BETWEEN 5 AND 7 ORDER BY 1', 'VALUES (5::bigint, NULL::numeric, 200::numeric), (6, 0.8, 80.0), (7, 0.95, 190.00)', 'another currency, another rate');
UPDATE crm.opportunity SET exchange_rate = NULL WHERE opportunity_id = 6;
SELECT is((SELECT exchange_rate FROM crm.opportunity WHERE opportunity_id = 6), 0.95, 'NULL: the rate of today');
SELECT throws_ok($$INSERT INTO crm.opportunity (customer_id, name, currency) VALUES (1, 'x', 'USD')$$, '23503', format('currency "USD" has no rate on %s', to_char(current_date, 'YYYY-MM-DD')), 'a currency without a rate');
SELECT throws_ok($$INSERT INTO crm.opportunity (customer_id, name, currency, created_at) VALUES (1, 'x', 'EUR', '2019-12-31')$$, '23503', 'currency "EUR" has no rate on 2019-12-31', 'and none so early');
SELECT throws_ok($$UPDATE crm.opportunity SET currency = 'USD'$$, '23503', NULL, 'nor for an older deal');

-- What the trigger refuses
SELECT throws_ok(format('UPDATE crm.opportunity SET %s WHERE opportunity_id = 1', v.change), '23514', v.message, v.change) FROM (VALUES
	('closed_at = now()', 'an open opportunity has no closed_at'),
	('lost_reason_id = 1', 'only a lost opportunity has a lost_reason_id'),
	('stage_entered_at = now() + interval ''1 day''', 'stage_entered_at changes with the stage only'),
	('pipeline_stage_id = 52, stage_entered_at = ''2026-01-01''', 'an opportunity enters a stage after the one before'),
	('pipeline_stage_id = 52, lost_reason_id = 2', 'only a lost opportunity has a lost_reason_id')) v (change, message);
SELECT throws_ok($$INSERT INTO crm.opportunity (customer_id, name, closed_at) VALUES (1, 'x', now())$$, '23514', 'an open opportunity has no closed_at', 'nor a new one');
SELECT throws_ok($$INSERT INTO crm.opportunity (customer_id, name, lost_reason_id) VALUES (1, 'x', 1)$$, '23514', 'only a lost opportunity has a lost_reason_id', 'nor a reason');
SELECT throws_ok($$UPDATE crm.pipeline_stage SET outcome = 'won', probability = 1 WHERE pipeline_stage_id = 51$$, '23001', 'stage "Talks" has opportunities, so that it stays open', 'the outcome of a stage in use stays');
SELECT lives_ok($$UPDATE crm.pipeline_stage SET outcome = 'won', probability = 1 WHERE name = 'Negotiation'$$, 'that of a stage without any may change');
SELECT lives_ok($$UPDATE crm.pipeline_stage SET place = CASE name WHEN 'New' THEN 2 ELSE 1 END WHERE name IN ('New', 'Qualified')$$, 'stages change places in one statement');

-- The rows alone, as a dump brings them back while the triggers are on: the deals, then their history
CREATE TEMPORARY TABLE deal AS SELECT customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, amount, currency, exchange_rate, probability, closed_at, lost_reason_id, stage_entered_at, created_at FROM crm.opportunity;
CREATE TEMPORARY TABLE history AS SELECT customer_id, opportunity_id, entered_at, pipeline_stage_id, left_at, agent FROM crm.opportunity_stage_history;
UPDATE crm.opportunity SET lead_id = NULL, campaign_id = NULL, owner_id = NULL, region_id = NULL, competitor = NULL;
CREATE TEMPORARY TABLE before AS SELECT o::text, h::text FROM crm.opportunity o JOIN crm.opportunity_stage_history h USING (customer_id, opportunity_id);
DELETE FROM crm.opportunity;
SELECT set_config('crm.agent', 'somebody else', true);
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, amount, currency, exchange_rate, probability, closed_at, lost_reason_id, stage_entered_at, created_at) SELECT * FROM deal;
INSERT INTO crm.opportunity_stage_history (customer_id, opportunity_id, entered_at, pipeline_stage_id, left_at, agent) SELECT * FROM history;
SELECT set_eq('SELECT o::text, h::text FROM crm.opportunity o JOIN crm.opportunity_stage_history h USING (customer_id, opportunity_id)', 'SELECT * FROM before', 'rows restored alone are as they were, and none twice');
SELECT is((SELECT count(*) FROM crm.opportunity_stage_history), (SELECT count(*) FROM history), 'not one more');

-- A deal that goes to another customer takes its history and lines along.
UPDATE crm.opportunity SET customer_id = 2 WHERE opportunity_id = 1;
SELECT is((SELECT count(*) FROM crm.opportunity_stage_history WHERE customer_id = 2 AND opportunity_id = 1), (SELECT count(*) FROM history WHERE opportunity_id = 1), 'the history goes along, and nothing is added');
UPDATE crm.opportunity SET customer_id = 1 WHERE opportunity_id = 1;

-- Refusals
INSERT INTO crm.opportunity_item (customer_id, opportunity_id, line_number, product_id, quantity, unit_price, discount) VALUES (1, 1, 1, 1, 3, 9.99, 0.1);
SELECT is((SELECT amount FROM crm.opportunity_item), 26.97, 'a line is worth 3 * 9.99 * 0.9');
SELECT pg_temp.refuses_keys(array_remove(tables, 'opportunity'), '{opportunity_stage_history_pkey, sales_target_team_id_fkey, sales_target_region_id_fkey}') FROM my;
SELECT pg_temp.refuses($$INSERT INTO crm.opportunity_stage_history (customer_id, opportunity_id, entered_at, pipeline_stage_id) VALUES (1, 1, '2026-01-01', 52)$$, 'opportunity_stage_history_pkey');
SELECT pg_temp.refuses($$UPDATE crm.opportunity_stage_history SET left_at = entered_at - interval '1 second'$$, 'opportunity_stage_history_left_at_check');
SELECT pg_temp.refuses(format('UPDATE crm.opportunity_item SET %I = %L', c, v), format('opportunity_item_%s_check', c)) FROM (VALUES
	('line_number', '0'), ('quantity', '0'), ('quantity', 'NaN'), ('quantity', 'Infinity'), ('unit_price', '-1'), ('unit_price', 'NaN'), ('discount', '-0.1'), ('discount', '1.1'), ('discount', 'NaN')) v (c, v);
SELECT pg_temp.refuses($$UPDATE crm.sales_target SET agent_id = NULL, region_id = NULL, team_id = -1$$, 'sales_target_team_id_fkey');
SELECT pg_temp.refuses($$UPDATE crm.sales_target SET agent_id = NULL, team_id = NULL, region_id = -1$$, 'sales_target_region_id_fkey');

-- One lost deal alone, so that nothing else refuses
DELETE FROM crm.opportunity;
INSERT INTO crm.opportunity (customer_id, name, amount, lead_id, campaign_id, owner_id, region_id, pipeline_stage_id, lost_reason_id) VALUES (1, 'x', 5, 1, 1, 1, 1, pg_temp.stage('Lost'), 1);
SELECT is((SELECT count(*) FROM crm.opportunity_item) + (SELECT count(*) FROM crm.opportunity_stage_history), 1::bigint, 'items and history go with their deal');
SELECT pg_temp.refuses_keys('{opportunity}');
SELECT pg_temp.refuses(format('INSERT INTO crm.%I (name) SELECT name FROM crm.%1$I LIMIT 1', t), t || '_name_key') FROM unnest('{lost_reason, pipeline}'::text[]) t;
SELECT pg_temp.refuses(format($$UPDATE crm.%I SET name = ''$$, t), t || '_name_check') FROM unnest('{lost_reason, pipeline, pipeline_stage, opportunity}'::text[]) t;
SELECT pg_temp.refuses($$UPDATE crm.pipeline SET is_default = true$$, 'pipeline_is_default_idx');
SELECT pg_temp.refuses($$INSERT INTO crm.pipeline_stage (pipeline_id, name, place, probability, outcome) VALUES (50, 'Talks', 9, 0, 'open')$$, 'pipeline_stage_name_key');
SELECT pg_temp.refuses($$INSERT INTO crm.pipeline_stage (pipeline_id, name, place, probability, outcome) VALUES (50, 'x', 1, 0, 'open')$$, 'pipeline_stage_place_key');
SELECT pg_temp.refuses(format('UPDATE crm.pipeline_stage SET probability = %L WHERE pipeline_stage_id = 51', v), 'pipeline_stage_probability_check') FROM unnest('{-0.1, 1.1, NaN}'::text[]) v;
SELECT pg_temp.refuses($$UPDATE crm.pipeline_stage SET outcome = 'maybe' WHERE pipeline_stage_id = 51$$, 'pipeline_stage_outcome_check');
SELECT pg_temp.refuses($$UPDATE crm.pipeline_stage SET probability = 0.9 WHERE name = 'Won'$$, 'pipeline_stage_check');
SELECT pg_temp.refuses($$UPDATE crm.pipeline_stage SET probability = 0.1 WHERE name = 'Lost'$$, 'pipeline_stage_check');
SELECT pg_temp.refuses($$UPDATE crm.lead SET status = 'lost'$$, 'lead_status_check');
SELECT pg_temp.refuses($$UPDATE crm.lead SET first_touch_at = '2026-01-02', last_touch_at = '2026-01-01'$$, 'lead_touch_check');
SELECT pg_temp.refuses($$UPDATE crm.lead SET status = 'converted' WHERE lead_id = 1$$, 'lead_converted_at_check');
SELECT pg_temp.refuses($$UPDATE crm.lead SET converted_at = now() WHERE lead_id = 1$$, 'lead_converted_at_check');
SELECT pg_temp.refuses($$UPDATE crm.lead SET status = 'converted', converted_at = now() WHERE lead_id = 2$$, 'lead_customer_id_check');
SELECT lives_ok($$UPDATE crm.lead SET status = 'converted', converted_at = now() WHERE lead_id = 1$$, 'converted, with a time and a customer');
SELECT pg_temp.refuses(format('UPDATE crm.%I SET amount = %L', t, v), t || '_amount_check') FROM unnest('{lead, opportunity, sales_target}'::text[]) t, unnest('{-1, NaN, Infinity}'::text[]) v;
SELECT pg_temp.refuses($$UPDATE crm.lead SET currency = 'Euro'$$, 'lead_currency_check');
SELECT pg_temp.refuses(format('UPDATE crm.%I SET attributes = %L', t, '"x"'), t || '_attributes_check') FROM unnest('{lead, opportunity}'::text[]) t;
SELECT pg_temp.refuses($$UPDATE crm.opportunity SET currency = 'euro', exchange_rate = 2$$, 'opportunity_currency_check');
SELECT pg_temp.refuses(format('UPDATE crm.opportunity SET currency = %L, exchange_rate = %L', 'EUR', v), 'opportunity_exchange_rate_check') FROM unnest('{0, -1, NaN, Infinity}'::text[]) v;
SELECT pg_temp.refuses($$UPDATE crm.opportunity SET exchange_rate = 2$$, 'opportunity_check');
SELECT pg_temp.refuses($$INSERT INTO crm.opportunity (customer_id, name, probability) VALUES (1, 'x', 1.01)$$, 'opportunity_probability_check');
SELECT pg_temp.refuses($$INSERT INTO crm.opportunity (customer_id, name, pipeline_id, pipeline_stage_id) VALUES (1, 'x', 50, pg_temp.stage('New'))$$, 'opportunity_pipeline_stage_id_fkey');
SELECT pg_temp.refuses($$DELETE FROM crm.pipeline_stage WHERE name = 'Lost'$$, 'opportunity_pipeline_stage_id_fkey');
SELECT pg_temp.refuses($$UPDATE crm.sales_target SET from_date = '2027-01-01'$$, 'sales_target_to_date_check');
SELECT pg_temp.refuses($$UPDATE crm.sales_target SET agent_id = 1$$, 'sales_target_check');
SELECT pg_temp.refuses($$UPDATE crm.sales_target SET agent_id = NULL$$, 'sales_target_check');
SELECT results_eq('SELECT pg_temp.never_refused(tables) FROM my', $$VALUES ('pipeline_stage_pipeline_id_key')$$, 'each constraint has refused something, but for the one that the primary key implies');

SELECT * FROM finish();
ROLLBACK;
