-- A firm with a row in every table for every kind of customer, and a role for every kind of reader. Include it with \ir
-- lib/firm.sql in a transaction, as a superuser, after crm.setup(row_security => true).
--
-- Personal data hold the word "secret", a phone number with 5550199 or the birthday 1980-02-29. Customers are all pairs of
-- an owner and a region. What a role sees is found here by climbing from the row to the managers, not by descending.

CREATE TEMPORARY TABLE grantee (role text PRIMARY KEY, level text, scope text, personal boolean, agent_id bigint);
INSERT INTO grantee VALUES
	('firm_reader', 'reader', 'all', true, NULL), ('firm_reader_own', 'reader', 'own', true, 9),
	('firm_masked', 'reader', 'all', false, NULL), ('firm_masked_own', 'reader', 'own', false, 10),
	('firm_agent', 'agent', 'own', true, 1), ('firm_agent_all', 'agent', 'all', true, NULL), ('firm_agent_none', 'agent', 'own', true, NULL),
	('firm_manager', 'manager', 'own', true, 6), ('firm_manager_all', 'manager', 'all', true, NULL), ('firm_root', 'manager', 'own', true, 7),
	('firm_retired', 'manager', 'own', true, 8),
	-- by membership: in firm_agent_none, and in firm_reader
	('firm_person', 'agent', 'own', true, 11), ('firm_analyst', 'reader', 'all', true, NULL),
	('firm_stranger', NULL, NULL, NULL, NULL);
SELECT format('CREATE ROLE %I', role) FROM grantee \gexec
GRANT firm_agent_none TO firm_person;
GRANT firm_reader TO firm_analyst;
SELECT crm.grant_access(role, level, scope, personal) FROM grantee WHERE level IS NOT NULL AND role NOT IN ('firm_person', 'firm_analyst') \g /dev/null

INSERT INTO crm.region (region_id, parent_id, name) VALUES (1, NULL, 'world'), (2, 1, 'europe'), (3, 2, 'alps'), (4, NULL, 'moon');
INSERT INTO crm.team (team_id, parent_id, name) VALUES (1, NULL, 'sales'), (2, 1, 'north'), (3, 2, 'field'), (4, NULL, 'other');
INSERT INTO crm.agent (agent_id, name, mail, role_name, team_id, region_id, is_manager, is_active)
SELECT a.id, 'Secret ' || a.id, 'secret' || a.id || '@firm.example', g.role, a.team, a.region, a.is_manager, a.id <> 8
FROM (VALUES (1, 3, 3, false), (2, 3, NULL, false), (3, 2, NULL, false), (4, 1, 1, false), (5, 4, 4, false), (6, 2, 3, true),
	(7, NULL, 1, true), (8, 1, 1, true), (9, 3, NULL, false), (10, 3, 3, false), (11, 4, NULL, false)) a (id, team, region, is_manager)
LEFT JOIN grantee g ON g.agent_id = a.id;

INSERT INTO crm.customer (customer_id, name, birthday, attributes, owner_id, region_id)
SELECT row_number() OVER (ORDER BY o, r), 'Secret Person', '1980-02-29', '{"hobby": "secret"}', o, r
FROM (SELECT generate_series(1, 11) UNION ALL SELECT NULL) a (o), unnest(ARRAY[1, 3, 4, NULL]) r;
INSERT INTO crm.contact_point (customer_id, kind, given, label)
SELECT customer_id, k.kind, k.given, 'secret' FROM crm.customer, (VALUES ('mail', 'secret@person.example'), ('phone', '+41 44 5550199'), ('address', 'Secret Street 5')) k (kind, given);
INSERT INTO crm.customer_identity (source, external_id, customer_id) SELECT 'shop', 'secret' || customer_id, customer_id FROM crm.customer;
INSERT INTO crm.consent (customer_id, purpose, status, evidence) SELECT customer_id, 'marketing', 'given', 'secret' FROM crm.customer;
INSERT INTO crm.preference (customer_id, name, value) SELECT customer_id, 'hour', 'secret' FROM crm.customer;
INSERT INTO crm.tag (tag_id, name) VALUES (1, 'vip');
INSERT INTO crm.customer_tag (customer_id, tag_id) SELECT customer_id, 1 FROM crm.customer;
INSERT INTO crm.note (customer_id, body) SELECT customer_id, 'secret' FROM crm.customer;
INSERT INTO crm.product_category (product_category_id, name) VALUES (1, 'things');
INSERT INTO crm.product (product_id, sku, name, product_category_id, price) VALUES (1, 'A', 'a thing', 1, 5);
INSERT INTO crm.currency_rate VALUES ('EUR', '2020-01-01', 2);
INSERT INTO crm.campaign (campaign_id, name, channel) VALUES (1, 'spring', 'mail');
INSERT INTO crm.campaign_cost (campaign_id, spent_on, amount) VALUES (1, '2026-01-01', 5);
INSERT INTO crm.campaign_member (customer_id, campaign_id) SELECT customer_id, 1 FROM crm.customer;
INSERT INTO crm.campaign_event (customer_id, campaign_id, occurred_at, event) SELECT customer_id, 1, '2026-01-01', 'sent' FROM crm.customer;
INSERT INTO crm.touch (customer_id, touched_at, channel) SELECT customer_id, '2026-01-01', 'web' FROM crm.customer;
INSERT INTO crm.segment (segment_id, name, kind) VALUES (1, 'all', 'static');
INSERT INTO crm.segment_member (customer_id, segment_id) SELECT customer_id, 1 FROM crm.customer;
INSERT INTO crm.lost_reason (name) VALUES ('price');
INSERT INTO crm.sales_target (agent_id, from_date, to_date, amount) VALUES (1, '2026-01-01', '2026-12-31', 5);
INSERT INTO crm.lead (name, organisation, mail, phone, attributes, owner_id, region_id, customer_id)
SELECT 'Secret Person', 'secret', 'secret@person.example', '0445550199', '{"x": "secret"}'::jsonb, owner_id, region_id, NULL::bigint FROM crm.customer
UNION ALL SELECT 'Secret Person', 'secret', 'secret@person.example', '0445550199', '{}', 5, 4, customer_id FROM crm.customer;
INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, amount, next_step, attributes)
SELECT customer_id, customer_id, 'secret', pipeline_id, pipeline_stage_id, 5, 'secret', '{"x": "secret"}' FROM crm.customer, crm.pipeline_stage WHERE place = 1;
SET LOCAL crm.agent = 'secret';
UPDATE crm.opportunity SET pipeline_stage_id = (SELECT pipeline_stage_id FROM crm.pipeline_stage WHERE place = 2);
INSERT INTO crm.opportunity_item (customer_id, opportunity_id, line_number, product_id, quantity, unit_price) SELECT customer_id, customer_id, 1, 1, 1, 5 FROM crm.customer;
INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, amount, external_ref, attributes) SELECT customer_id, customer_id, '2026-01-01', 5, 'secret', '{"x": "secret"}' FROM crm.customer;
INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price) SELECT customer_id, customer_id, 1, 1, 1, 5 FROM crm.customer;
INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount, reason) SELECT customer_id, customer_id, '2026-01-02', 1, 'secret' FROM crm.customer;
INSERT INTO crm.root_cause (name) VALUES ('dust');
INSERT INTO crm.holiday VALUES ('2026-12-25', 'Christmas');
INSERT INTO crm.ticket (customer_id, ticket_id, subject, attributes, opened_at) SELECT customer_id, customer_id, 'secret', '{"x": "secret"}', '2026-01-01' FROM crm.customer;
INSERT INTO crm.ticket_message (customer_id, ticket_id, direction, body, sent_at) SELECT customer_id, customer_id, 'in', 'secret', '2026-01-01' FROM crm.customer;
INSERT INTO crm.survey (survey_id, name, kind) VALUES (1, 'text', 'text');
INSERT INTO crm.survey_response (customer_id, survey_id, comment) SELECT customer_id, 1, 'secret' FROM crm.customer;
INSERT INTO crm.task (subject, customer_id, assignee_id, reference, reference_key)
SELECT 'secret', customer_id, NULL, 'x', 'secret' FROM crm.customer UNION ALL SELECT 'secret', NULL, agent_id, NULL, NULL FROM crm.agent UNION ALL SELECT 'secret', NULL, NULL, NULL, NULL;
INSERT INTO crm.reminder (task_id, remind_at) SELECT task_id, '2026-01-01' FROM crm.task;
INSERT INTO crm.loyalty_tier (name, from_points) VALUES ('gold', 5);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, occurred_at, reason) SELECT customer_id, 'earn', 10, '2026-01-01', 'secret' FROM crm.customer;
INSERT INTO crm.event (customer_id, occurred_at, event, properties) SELECT customer_id, '2026-01-01'::timestamptz, 'page', '{"x": "secret"}'::jsonb FROM crm.customer UNION ALL SELECT 0, '2026-01-01', 'page', '{}';
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action, detail, reference_key, agent) SELECT customer_id, '2026-01-01'::timestamptz, 'call', 'log', '{"x": "secret"}'::jsonb, 'secret', 'secret' FROM crm.customer
UNION ALL SELECT 0, '2026-01-01', 'call', 'log', NULL, NULL, NULL;
INSERT INTO crm.score (customer_id, model, value) SELECT customer_id, 'clv', 5 FROM crm.customer;
INSERT INTO crm.model VALUES ('clv', 'clv', '{}');
INSERT INTO crm.ownership_transfer (ownership_transfer_id, from_agent_id, to_agent_id, reason, transferred_by) SELECT row_number() OVER (ORDER BY role), 1, 2, 'r', role FROM grantee;
INSERT INTO crm.ownership_transfer_row (ownership_transfer_id, customer_id, relation, key) SELECT ownership_transfer_id, 1, 'crm.customer', '{}' FROM crm.ownership_transfer;
INSERT INTO crm.customer_merge (customer_merge_id, survivor_id, duplicate_id, survivor_before, survivor_after) VALUES (1, 1, 2, '{"name": "secret"}', '{}');
INSERT INTO crm.customer_merge_row (customer_merge_id, relation, column_name, key) VALUES (1, 'crm.note', 'customer_id', '{}');
SELECT crm.resync_sequences() \g /dev/null

-- Whether a tree's node is another or below it.
CREATE FUNCTION pg_temp.is_below(tree text, node bigint, above bigint) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	WHILE node IS NOT NULL LOOP
		IF node = above THEN
			RETURN true;
		END IF;
		EXECUTE format('SELECT parent_id FROM crm.%1$I WHERE %1$s_id = $1', tree) INTO node USING node;
	END LOOP;
	RETURN false;
END
$$;

-- Whether a role sees what belongs to an owner, or to a region.
CREATE FUNCTION pg_temp.sees_owner(who text, owner bigint, region bigint) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	me record;
BEGIN
	IF (SELECT scope = 'all' FROM grantee WHERE role = who) THEN
		RETURN true;
	END IF;
	SELECT a.* INTO me FROM crm.agent a JOIN grantee g ON g.agent_id = a.agent_id WHERE g.role = who AND a.is_active;
	RETURN FOUND AND (owner IS NOT DISTINCT FROM me.agent_id
		OR me.is_manager AND (pg_temp.is_below('team', (SELECT team_id FROM crm.agent WHERE agent_id = owner), me.team_id)
			OR pg_temp.is_below('region', region, me.region_id)));
END
$$;

CREATE FUNCTION pg_temp.sees_customer(who text, customer bigint) RETURNS boolean LANGUAGE sql AS $$
	SELECT coalesce((SELECT pg_temp.sees_owner(who, c.owner_id, c.region_id) FROM crm.customer c WHERE c.customer_id = customer),
		(SELECT g.scope = 'all' FROM grantee g WHERE g.role = who))
$$;

-- All of it, as a table to look up.
CREATE TEMPORARY TABLE sees AS
SELECT g.role, c.customer_id FROM grantee g, (SELECT customer_id FROM crm.customer UNION ALL SELECT 0) c WHERE pg_temp.sees_customer(g.role, c.customer_id);
CREATE TEMPORARY TABLE sees_task AS
SELECT g.role, t.task_id FROM grantee g, crm.task t
WHERE pg_temp.sees_owner(g.role, t.assignee_id, NULL) OR EXISTS (SELECT FROM sees s WHERE s.role = g.role AND s.customer_id = t.customer_id);

-- Run a statement as a role: gives its result as text, or the SQLSTATE and message, with a detail if there is one.
CREATE FUNCTION pg_temp.as_role(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	message text;
	detail text;
BEGIN
	PERFORM set_config('role', who, true);
	BEGIN
		EXECUTE statement INTO result;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
		result := SQLSTATE || ': ' || message || coalesce(' | ' || nullif(detail, ''), '');
	END;
	PERFORM set_config('role', 'none', true);
	RETURN result;
END
$$;

-- The same, of how many rows it changed; and undone.
CREATE FUNCTION pg_temp.changes(who text, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	message text;
	detail text;
	n bigint;
BEGIN
	BEGIN
		PERFORM set_config('role', who, true);
		EXECUTE statement;
		GET DIAGNOSTICS n = ROW_COUNT;
		RAISE EXCEPTION USING ERRCODE = 'TEST1';
	EXCEPTION
		WHEN SQLSTATE 'TEST1' THEN
			result := n::text;
		WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL;
			result := SQLSTATE || ': ' || message || coalesce(' | ' || nullif(detail, ''), '');
	END;
	RETURN result;
END
$$;
