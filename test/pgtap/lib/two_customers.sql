-- Customers 1 and 2 with rows in every table that speaks of customers, and in tables of an application. Include it with
-- \ir lib/two_customers.sql after crm.setup(). Then pg_temp.digests() tells whether anything differs.

INSERT INTO crm.agent (agent_id, name) VALUES (1, 'Anna'), (2, 'Bob');
INSERT INTO crm.region (region_id, name) VALUES (1, 'north'), (2, 'south');
INSERT INTO crm.customer (customer_id, name, kind, birthday, lifecycle, owner_id, region_id, attributes) VALUES
	(1, NULL, 'person', '1980-01-01', 'prospect', 1, NULL, '{"size": 1, "shoe": 40}'),
	(2, 'Second', 'organisation', '1990-01-01', 'customer', 2, 2, '{"size": 2, "hat": 56}'),
	(3, 'Third', 'person', NULL, 'customer', NULL, NULL, '{}');
INSERT INTO crm.contact_point (customer_id, contact_point_id, kind, given, is_primary) VALUES
	(1, 1, 'mail', 'one@x.example', true), (2, 2, 'mail', 'two@x.example', true), (2, 3, 'phone', '+49 30 1234', false), (3, 4, 'mail', 'three@x.example', true);
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('shop', 'a', 1), ('shop', 'b', 2), ('erp', 'b', 2), ('shop', 'c', 3);
INSERT INTO crm.consent (customer_id, consent_id, purpose, channel, status, occurred_at) SELECT c, c, 'marketing', 'mail', 'given', '2026-01-01' FROM generate_series(1, 3) c;
INSERT INTO crm.preference (customer_id, name, value) VALUES (1, 'language', 'de'), (2, 'language', 'fr'), (2, 'hour', '8'), (3, 'hour', '9');
INSERT INTO crm.tag (tag_id, name) VALUES (1, 'vip'), (2, 'press');
INSERT INTO crm.customer_tag (customer_id, tag_id, agent_id, tagged_at) VALUES (1, 1, 1, '2026-01-01'), (2, 1, 2, '2026-01-02'), (2, 2, 2, '2026-01-03'), (3, 2, NULL, '2026-01-04');
INSERT INTO crm.note (customer_id, note_id, body) SELECT c, c, 'note ' || c FROM generate_series(1, 3) c;
INSERT INTO crm.product (product_id, sku, name, price) VALUES (1, 'p', 'pen', 2);
INSERT INTO crm.campaign (campaign_id, name) VALUES (1, 'one'), (2, 'two'), (3, 'three'), (4, 'four');
-- held out and contacted in campaigns 1 and 2; members both in 3; only the duplicate in 4
INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout, added_at)
SELECT m.*, a.a FROM (VALUES (1, 1, true), (2, 1, false), (1, 2, false), (2, 2, true), (1, 3, true), (2, 3, false), (2, 4, true), (3, 4, false)) m (c, g, h), LATERAL (SELECT timestamptz '2026-01-01' + c * interval '1 h' AS a) a;
INSERT INTO crm.campaign_event (customer_id, campaign_event_id, campaign_id, occurred_at, event) VALUES
	(2, 1, 1, '2026-02-01', 'sent'), (1, 2, 2, '2026-02-01', 'sent'), (2, 3, 2, '2026-02-02', 'convert'), (2, 4, 3, '2026-02-03', 'convert'), (3, 5, 4, '2026-02-01', 'open');
INSERT INTO crm.touch (customer_id, touch_id, touched_at, channel) SELECT c, c, '2026-02-01', 'mail' FROM generate_series(1, 3) c;
INSERT INTO crm.segment (segment_id, name, kind) VALUES (1, 'both', 'static'), (2, 'one', 'static');
INSERT INTO crm.segment_member (customer_id, segment_id, added_at) VALUES (1, 1, '2026-01-01'), (2, 1, '2026-01-02'), (2, 2, '2026-01-03');
INSERT INTO crm.lead (lead_id, name, status, customer_id, converted_at) VALUES (1, 'a', 'converted', 1, '2026-01-01'), (2, 'b', 'converted', 2, '2026-01-01'), (3, 'b', 'working', 2, NULL), (4, 'c', 'new', NULL, NULL);
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, amount)
SELECT o.c, o.id, 'deal', s.pipeline_id, s.pipeline_stage_id, 100 FROM (VALUES (1, 1), (2, 2), (2, 3), (3, 4)) o (c, id), crm.pipeline_stage s WHERE s.name = 'New';
UPDATE crm.opportunity o SET pipeline_stage_id = s.pipeline_stage_id FROM crm.pipeline_stage s WHERE o.opportunity_id IN (2, 4) AND s.name = 'Won';
INSERT INTO crm.opportunity_item (customer_id, opportunity_id, line_number, product_id, quantity, unit_price) VALUES (1, 1, 1, 1, 1, 2), (2, 2, 1, 1, 3, 2), (2, 2, 2, 1, 4, 2);
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount, opportunity_id, campaign_id) VALUES
	(1, 1, '2026-03-01', 10, 1, NULL), (2, 2, '2026-03-02', 20, 2, 1), (2, 3, '2026-03-03', 30, NULL, NULL), (3, 4, '2026-03-04', 40, 4, NULL);
INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price) SELECT customer_id, sales_order_id, 1, 1, 5, 2 FROM crm.sales_order;
INSERT INTO crm.sales_return (customer_id, sales_return_id, sales_order_id, returned_at, amount) VALUES (1, 1, 1, '2026-03-05', 10), (2, 2, 2, '2026-03-05', 15), (2, 3, 2, '2026-03-06', 5);
INSERT INTO crm.ticket (customer_id, ticket_id, subject, opened_at) SELECT c, c, 'help', '2026-04-01' FROM generate_series(1, 3) c;
INSERT INTO crm.ticket_message (customer_id, ticket_id, ticket_message_id, direction, sent_at) SELECT c, c, 10 * c + m, (ARRAY['in', 'out'])[m], '2026-04-02' FROM generate_series(1, 3) c, generate_series(1, 2) m;
INSERT INTO crm.survey (survey_id, name, kind, scale_min, scale_max) VALUES (1, 'nps', 'nps', 0, 10);
INSERT INTO crm.survey_response (customer_id, survey_response_id, survey_id, score, ticket_id, answered_at) VALUES (1, 1, 1, 9, 1, '2026-04-03'), (2, 2, 1, 3, 2, '2026-04-03'), (2, 3, 1, 5, NULL, '2026-04-04');
INSERT INTO crm.task (task_id, customer_id, subject) VALUES (1, 1, 'call'), (2, 2, 'call'), (3, NULL, 'tidy');
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, occurred_at) VALUES (1, 'earn', 10, '2026-05-01'), (2, 'earn', 100, '2026-05-01'), (2, 'redeem', -30, '2026-05-02');
INSERT INTO crm.event (customer_id, occurred_at, event_id, event, properties) SELECT c, '2026-05-01', c, 'view', '{"page": "x"}' FROM generate_series(0, 3) c;
INSERT INTO crm.score (customer_id, model, scored_at, value) VALUES (1, 'churn', '2026-05-01', 0.1), (2, 'churn', '2026-05-01', 0.2), (2, 'churn', '2026-05-02', 0.3), (2, 'clv', '2026-05-01', 1e300), (3, 'clv', '2026-05-01', 'Infinity');
SELECT count(*) AS x FROM crm.resync_sequences() \gset
SELECT crm.log_interaction(2, 'call', occurred_at => '2026-05-01 12:00:00.123456') IS NULL AS x \gset

-- An application's tables. Two customers in a row, each unique key another way; a key without a customer; tracked by number
-- and by key; a partitioned one; one whose primary key is the customer alone.
CREATE SCHEMA test_merge;
CREATE TABLE test_merge.referral (id int PRIMARY KEY, referrer int NOT NULL REFERENCES crm.customer, referred bigint REFERENCES crm.customer (customer_id), note varchar(9), UNIQUE (referrer, referred));
INSERT INTO test_merge.referral VALUES (1, 1, 2, 'a'), (2, 2, 1, 'b'), (3, 2, 2, 'c'), (4, 2, NULL, 'd'), (5, 3, 2, 'e'), (6, 3, 1, 'f'), (7, 2, 3, 'g'), (8, 3, 3, 'h');
CREATE TABLE test_merge.profile (customer_id bigint PRIMARY KEY REFERENCES crm.customer, at timestamptz, weight float8, text char(5), days interval, tags text[], twice float8 GENERATED ALWAYS AS (weight * 2) STORED);
INSERT INTO test_merge.profile VALUES (1, '2026-01-01', 0.1, 'a', '1 day', '{a}'), (2, '2026-01-01 00:00:00.000001', 1.0 / 3, 'b', '1 mon -3 days', '{NULL,"x y"}'), (3, 'infinity', 'NaN', NULL, NULL, NULL);
CREATE TABLE test_merge.account (customer_id bigint REFERENCES crm.customer, key uuid PRIMARY KEY, code text, place int, active boolean);
CREATE UNIQUE INDEX ON test_merge.account (customer_id, lower(code));
CREATE UNIQUE INDEX ON test_merge.account (place, customer_id) WHERE active;
INSERT INTO test_merge.account SELECT c, md5(concat(c, code))::uuid, code, place, active FROM (VALUES (1, 'a', 1, true), (2, 'A', 2, true), (2, 'b', 1, false), (2, 'c', 1, true), (2, 'd', 5, true), (2, NULL, NULL, true), (1, NULL, NULL, true), (3, 'a', 1, true)) v (c, code, place, active);
CREATE TABLE test_merge.visit (at date, number int, who bigint, page text, PRIMARY KEY (at, number)) PARTITION BY RANGE (at);
CREATE TABLE test_merge.visit_2025 PARTITION OF test_merge.visit FOR VALUES FROM ('2025-01-01') TO ('2026-01-01');
CREATE TABLE test_merge.visit_2026 PARTITION OF test_merge.visit FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');
SELECT crm.track('test_merge.visit', 'who', level => 'row') IS NULL AS x \gset
INSERT INTO test_merge.visit SELECT date '2025-12-20' + n, n % 3, 1 + n % 3, 'page ' || n FROM generate_series(1, 20) n;
CREATE TABLE test_merge.cart (id int PRIMARY KEY, buyer text);
SELECT crm.track('test_merge.cart', 'buyer', source => 'shop') IS NULL AS x \gset
INSERT INTO test_merge.cart VALUES (1, 'a'), (2, 'b');

-- The rows of each table as one value.
CREATE FUNCTION pg_temp.digests() RETURNS TABLE (relation text, digest text) LANGUAGE plpgsql AS $$
BEGIN
	FOR relation IN
		SELECT c.oid::regclass::text FROM pg_class c
		WHERE c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relnamespace IN ('crm'::regnamespace, 'test_merge'::regnamespace)
			AND c.relname NOT IN ('interaction', 'customer_merge', 'customer_merge_row', 'loyalty_ledger')
		ORDER BY 1
	LOOP
		EXECUTE format('SELECT md5(string_agg(t::text, chr(10) ORDER BY t::text)) FROM %s t', relation) INTO digest;
		RETURN NEXT;
	END LOOP;
END $$;

-- How many rows a customer has in each column of each table.
CREATE FUNCTION pg_temp.rows_of(customer bigint) RETURNS TABLE (relation text, column_name text, rows bigint) LANGUAGE plpgsql AS $$
BEGIN
	FOR relation, column_name IN SELECT c.relation, c.column_name FROM crm._customer_columns() c LOOP
		EXECUTE format('SELECT count(*) FROM %s t WHERE t.%I = $1', relation, column_name) INTO rows USING customer;
		RETURN NEXT;
	END LOOP;
END $$;
