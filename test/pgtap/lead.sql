-- Leads become customers: what is made, who is found instead, what is filled, and what is refused.
BEGIN;
SET LOCAL client_min_messages = error;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');

-- Contacts are spelled as the column of crm.contact_point spells them, whatever they look like.
INSERT INTO crm.customer (customer_id, name) VALUES (100, 'spelling');
CREATE TEMPORARY TABLE spelling AS
SELECT k.kind, g.given FROM (VALUES ('mail'), ('phone')) k (kind), (
	SELECT string_agg((ARRAY['a', 'B', 'É', '@', '.', '+', ' ', E'\t', E'\n', '0', '5', '(', '-'])[1 + (hashint4(n * 31 + i) & 2147483647) % 13], '' ORDER BY i) AS given
	FROM generate_series(1, 500) n, generate_series(1, 12) i WHERE i <= 1 + n % 12 GROUP BY n) g;
INSERT INTO crm.contact_point (customer_id, kind, given) SELECT 100, kind, given FROM spelling s WHERE given ~ CASE kind WHEN 'phone' THEN '[0-9+]' ELSE '\S' END;
SELECT is_empty($$SELECT p.kind, p.given, p.normalised, r.normalised FROM crm.contact_point p, crm._read_contacts(p.kind, ARRAY[p.given]) r WHERE r.normalised <> p.normalised OR r.normalised IS NULL$$, 'as the column has them');
SELECT cmp_ok((SELECT count(*) FROM crm.contact_point), '>', 500::bigint, 'in hundreds of cases');
SELECT set_eq($$SELECT g, r.is_good FROM unnest('{a@b.example,A.B+c@d.e.example,a@b,@b.example,a@,a b@c.example,a@b@c.example,a@.example,a@b..example}'::text[]) g, crm._read_contacts('mail', ARRAY[g]) r$$,
	$$VALUES ('a@b.example', true), ('A.B+c@d.e.example', true), ('a@b', false), ('@b.example', false), ('a@', false), ('a b@c.example', false), ('a@b@c.example', false), ('a@.example', false), ('a@b..example', false)$$, 'good addresses');
SELECT set_eq($$SELECT g, r.is_good FROM unnest('{+49 30 12345,12345,1234,call me,0}'::text[]) g, crm._read_contacts('phone', ARRAY[g]) r$$,
	$$VALUES ('+49 30 12345', true), ('12345', true), ('1234', false), ('call me', false), ('0', false)$$, 'good numbers');
SELECT results_eq($$SELECT * FROM crm._read_contacts('mail', '{NULL, " ", " A@B.c "}')$$, $$VALUES (1::bigint, NULL, NULL::boolean), (2, NULL, NULL), (3, 'a@b.c', true)$$, 'nothing stays nothing');
DELETE FROM crm.contact_point;

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'Anna'), (2, 'Bob');
INSERT INTO crm.region (region_id, name) VALUES (1, 'north');
INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'first'), (2, 'last');
INSERT INTO crm.lead (lead_id, name, organisation, mail, phone, source, status, owner_id, region_id, amount, first_touch_campaign_id, last_touch_campaign_id, attributes) VALUES
	(1, 'Eve', 'ACME', ' Eve@ACME.example', '+49 (30) 1234', 'fair', 'qualified', 1, 1, 500, 1, 2, '{"size": 5}'),
	(2, 'Eve A.', NULL, 'eve@acme.EXAMPLE', '+49 40 99999', 'web', 'new', 2, NULL, NULL, 1, NULL, '{"size": 6, "seats": 3}'),
	(3, NULL, 'ACME', NULL, '0049 40 99999', NULL, 'working', NULL, NULL, 7, NULL, NULL, '{}'),
	(4, NULL, 'ACME', NULL, '+49-40-99999', NULL, 'working', NULL, NULL, 7, NULL, NULL, '{}'),
	(5, 'Old', NULL, 'old@x.example', NULL, NULL, 'new', NULL, NULL, NULL, NULL, NULL, '{}'),
	(6, 'No', NULL, 'no mail', 'none', NULL, 'new', NULL, NULL, NULL, NULL, NULL, '{}'),
	(7, 'No', NULL, 'no mail', 'none', NULL, 'new', NULL, NULL, NULL, NULL, NULL, '{}'),
	(8, 'R', NULL, NULL, NULL, NULL, 'rejected', NULL, NULL, NULL, NULL, NULL, '{}'),
	(9, 'T', NULL, 'two@x.example', NULL, NULL, 'new', NULL, NULL, NULL, NULL, NULL, '{}'),
	(10, 'G', NULL, 'new@x.example', NULL, NULL, 'new', NULL, NULL, NULL, NULL, NULL, '{}'),
	(11, NULL, NULL, NULL, NULL, NULL, 'new', NULL, NULL, NULL, NULL, NULL, '{}');
INSERT INTO crm.customer (customer_id, name, lifecycle, merged_into) VALUES (50, NULL, 'lead', NULL), (51, 'merged', 'prospect', 50), (52, 'a', 'prospect', NULL), (53, 'b', 'prospect', NULL);
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (50, 'mail', 'OLD@x.example'), (51, 'mail', 'two@x.example'), (53, 'mail', 'Two@x.example'), (52, 'mail', 'two@x.example');
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('web', '2', 53);

-- A new customer, with all that the lead knew
CREATE TEMPORARY TABLE made AS SELECT 1 AS lead, * FROM crm.convert_lead(1);
SELECT ok(customer_created AND opportunity_id IS NOT NULL, 'a new customer with a deal') FROM made;
SELECT results_eq('SELECT name, kind, lifecycle, owner_id, region_id, attributes FROM crm.customer JOIN made USING (customer_id)', $$VALUES ('Eve', 'person', 'prospect', 1::bigint, 1::bigint, '{"organisation": "ACME", "size": 5}'::jsonb)$$, 'the customer is as the lead was');
SELECT results_eq('SELECT kind, given, normalised, is_primary FROM crm.contact_point JOIN made USING (customer_id) ORDER BY kind', $$VALUES ('mail', ' Eve@ACME.example', 'eve@acme.example', true), ('phone', '+49 (30) 1234', '+49301234', true)$$, 'with its contacts');
SELECT is(crm.find_customer('lead', '1'), customer_id, 'and the key of the lead') FROM made;
SELECT results_eq('SELECT o.name, p.is_default, s.place, o.lead_id, o.amount, o.currency, o.campaign_id, o.owner_id, o.region_id FROM crm.opportunity o JOIN crm.pipeline p USING (pipeline_id) JOIN crm.pipeline_stage s USING (pipeline_stage_id)',
	$$VALUES ('ACME', true, 1, 1::bigint, 500::numeric, NULL, 2::bigint, 1::bigint, 1::bigint)$$, 'the deal stands in the first stage of the default pipeline');
SELECT results_eq('SELECT l.status, l.converted_at, l.customer_id = m.customer_id FROM crm.lead l, made m WHERE lead_id = 1', $$VALUES ('converted', now(), true)$$, 'the lead is converted');
SELECT is((SELECT string_agg(DISTINCT kind || ' ' || action, ', ' ORDER BY kind || ' ' || action) FROM crm.interaction JOIN made USING (customer_id)), 'customer insert, lead update, opportunity insert', 'the timeline says so');

-- The same mail in another spelling: the same customer, completed, not changed; a key of a shop that looks like the lead's is not the lead's
INSERT INTO made SELECT 2, * FROM crm.convert_lead(2, opportunity => 'More', amount => 9, pipeline => 'Sales');
SELECT results_eq('SELECT customer_created, customer_id = (SELECT customer_id FROM made WHERE lead = 1) FROM made WHERE lead = 2', 'VALUES (false, true)', 'the same mail: no second customer');
SELECT results_eq('SELECT name, owner_id, attributes FROM crm.customer WHERE customer_id = (SELECT customer_id FROM made WHERE lead = 2)', $$VALUES ('Eve', 1::bigint, '{"organisation": "ACME", "size": 5, "seats": 3}'::jsonb)$$, 'what the customer has stays, what is new is added');
SELECT results_eq('SELECT kind, normalised, is_primary FROM crm.contact_point WHERE customer_id = (SELECT customer_id FROM made WHERE lead = 2) ORDER BY 1, 2', $$VALUES ('mail', 'eve@acme.example', true), ('phone', '+49301234', true), ('phone', '+494099999', false)$$, 'the other number, too');
SELECT results_eq('SELECT name, amount, owner_id, campaign_id FROM crm.opportunity WHERE lead_id = 2', $$VALUES ('More', 9::numeric, 2::bigint, 1::bigint)$$, 'the deal is as it was asked for');
INSERT INTO made SELECT 4, * FROM crm.convert_lead(4, create_opportunity => false);
SELECT results_eq('SELECT customer_created, opportunity_id, customer_id = (SELECT customer_id FROM made WHERE lead = 1) FROM made WHERE lead = 4', 'VALUES (false, NULL::bigint, true)', 'found by the number; without a deal');
INSERT INTO made SELECT 3, * FROM crm.convert_lead(3);
SELECT results_eq('SELECT customer_created, name, kind FROM made JOIN crm.customer USING (customer_id) WHERE lead = 3', $$VALUES (true, 'ACME', 'organisation')$$, 'another number: another customer, an organisation');

-- Found, filled, merged on; several
SELECT results_eq('SELECT customer_id, customer_created FROM crm.convert_lead(5)', 'VALUES (50::bigint, false)', 'a customer from before');
SELECT results_eq('SELECT name, lifecycle FROM crm.customer WHERE customer_id = 50', $$VALUES ('Old', 'prospect')$$, 'whose empty name is filled, and who is no lead any more');
SELECT results_eq('SELECT customer_id, customer_created FROM crm.convert_lead(9)', 'VALUES (52::bigint, false)', 'of several the first, merged ones left out');
UPDATE crm.lead SET customer_id = 51 WHERE lead_id = 10;
SELECT results_eq('SELECT customer_id, customer_created FROM crm.convert_lead(10)', 'VALUES (50::bigint, false)', 'the customer that the lead names, or whoever that was merged into');
UPDATE crm.lead SET status = 'new', converted_at = NULL, customer_id = NULL, mail = NULL WHERE lead_id = 10;
SELECT results_eq('SELECT customer_id, customer_created FROM crm.convert_lead(10)', 'VALUES (50::bigint, false)', 'a lead that was converted before is known by its key');
INSERT INTO crm.lead (lead_id, mail) VALUES (12, 'two@x.example'), (13, 'x@x.example');
SELECT results_eq('SELECT customer_id, customer_created FROM crm.convert_lead(12, customer => 53)', 'VALUES (53::bigint, false)', 'the customer that the call names comes first');
SELECT isnt((SELECT customer_id FROM crm.convert_lead(6)), (SELECT customer_id FROM crm.convert_lead(7)), 'contacts that are none join nobody');
SELECT is((SELECT count(*) FROM crm.contact_point JOIN crm.lead USING (customer_id) WHERE lead_id IN (6, 7)), 0::bigint, 'nor are they kept');
SELECT is((SELECT name FROM crm.opportunity o JOIN crm.convert_lead(11) c USING (customer_id, opportunity_id)), NULL, 'a lead without a name:');
SELECT is((SELECT name FROM crm.opportunity WHERE lead_id = 11), 'Lead 11', 'has a deal with its number');

-- Refusals leave nothing
SELECT throws_ok('SELECT crm.convert_lead(1)', '55000', 'lead 1 was converted already', 'not twice');
SELECT throws_ok('SELECT crm.convert_lead(8)', '55000', 'lead 8 was rejected', 'not when rejected');
SELECT throws_ok('SELECT crm.convert_lead(99)', '42704', 'there is no lead 99', 'not an unknown one');
SELECT throws_ok('SELECT crm.convert_lead(NULL)', '22004', 'argument "lead" must not be null', 'not null');
CREATE TEMPORARY TABLE counts AS SELECT (SELECT count(*) FROM crm.customer) AS customers, (SELECT count(*) FROM crm.customer_identity) AS keys, (SELECT count(*) FROM crm.contact_point) AS contacts;
SELECT throws_ok($$SELECT crm.convert_lead(13, 'nowhere')$$, '42704', 'there is no pipeline "nowhere"', 'not into an unknown pipeline');
SELECT throws_ok('SELECT crm.convert_lead(13, amount => -1)', '23514', NULL, 'not below zero');
SELECT throws_ok('SELECT crm.convert_lead(13, customer => 99)', '42704', 'there is no customer 99', 'not to an unknown customer');
SELECT throws_ok($$SELECT crm.convert_lead(13, opportunity => '')$$, '22023', 'argument "opportunity" must not be empty', 'not without a name');
INSERT INTO crm.pipeline (pipeline_id, name) VALUES (70, 'closed');
INSERT INTO crm.pipeline_stage (pipeline_id, name, place, probability, outcome) VALUES (70, 'Won', 1, 1, 'won');
SELECT throws_ok($$SELECT crm.convert_lead(13, 'closed')$$, '55000', 'pipeline "closed" has no open stage', 'not into a pipeline where nothing is open');
UPDATE crm.pipeline SET is_default = false;
SELECT throws_ok('SELECT crm.convert_lead(13)', '42704', 'there is no default pipeline', 'not into none');
SELECT results_eq('SELECT (SELECT count(*) FROM crm.customer), (SELECT count(*) FROM crm.customer_identity), (SELECT count(*) FROM crm.contact_point)', 'TABLE counts', 'a conversion that fails leaves nothing');
SELECT is((SELECT status FROM crm.lead WHERE lead_id = 13), 'new', 'the lead is as it was');

-- Whoever has the rights on the tables may, given the function; nobody else.
UPDATE crm.pipeline SET is_default = true WHERE name = 'Sales';
CREATE ROLE regress_crm_agent;
GRANT USAGE ON SCHEMA crm TO regress_crm_agent;
SET LOCAL ROLE regress_crm_agent;
SELECT throws_ok('SELECT crm.convert_lead(13)', '42501', 'permission denied for function convert_lead', 'not without the function');
RESET ROLE;
GRANT EXECUTE ON FUNCTION crm.convert_lead TO regress_crm_agent;
SET LOCAL ROLE regress_crm_agent;
SELECT throws_ok('SELECT crm.convert_lead(13)', '42501', 'permission denied for table lead', 'nor without the tables');
RESET ROLE;
GRANT SELECT, INSERT, UPDATE ON crm.lead, crm.customer, crm.customer_identity, crm.contact_point, crm.opportunity, crm.opportunity_stage_history, crm.pipeline, crm.pipeline_stage TO regress_crm_agent;
GRANT USAGE ON ALL SEQUENCES IN SCHEMA crm TO regress_crm_agent;
SET LOCAL ROLE regress_crm_agent;
SELECT ok((SELECT customer_created FROM crm.convert_lead(13)), 'with both');
SELECT throws_ok('SELECT crm.merge_customers(50, 52)', '42501', 'permission denied for function merge_customers', 'a merge is another matter');
RESET ROLE;

SELECT * FROM finish();
ROLLBACK;
