-- identity: keys of other systems become customers, one by one and many at once, and every error.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = warning;

-- before crm.setup()
SELECT crm.find_customer('shop', 'a');
SELECT crm.resolve_customer('shop', 'a');
SELECT * FROM crm.resolve_customers('shop', '{a}');
SELECT count(*) > 0 AS is_set_up FROM crm.setup();

-- arguments
SELECT crm.find_customer(NULL, 'a');
SELECT crm.find_customer('shop', NULL);
SELECT crm.resolve_customer(NULL, 'a');
SELECT crm.resolve_customer('shop', NULL);
SELECT crm.resolve_customer('shop', 'a', NULL);
SELECT crm.resolve_customer('', 'a');
SELECT crm.resolve_customer('shop', '');
SELECT * FROM crm.resolve_customers(NULL, '{a}');
SELECT * FROM crm.resolve_customers('shop', NULL);
SELECT * FROM crm.resolve_customers('shop', '{a}', NULL);
SELECT * FROM crm.resolve_customers('', '{a}');
SELECT count(*) FROM crm.customer_identity;

-- one by one
SELECT crm.resolve_customer('shop', 'a', create_missing => false);
SELECT crm.resolve_customer('shop', 'a');
SELECT crm.resolve_customer('shop', 'a'), crm.resolve_customer('shop', 'a', false), crm.find_customer('shop', 'a');
SELECT crm.resolve_customer(source => 'erp', external_id => 'a', create_missing => true);
SELECT crm.resolve_customer('shop', 'A'), crm.resolve_customer('shop', ' a'), crm.find_customer('shop', 'b');
SELECT n, crm.resolve_customer('twice', (n % 2)::text) FROM generate_series(1, 4) n;

-- many at once: a row for each distinct key, NULL and the empty key get nobody
SELECT * FROM crm.resolve_customers('shop', '{}');
SELECT * FROM crm.resolve_customers('shop', '{b, a, c, b, NULL, ""}', false) ORDER BY 1;
SELECT * FROM crm.resolve_customers('shop', '{b, a, c, b, NULL, "", NULL}') ORDER BY 1;
SELECT * FROM crm.resolve_customers('shop', '{b, a, c, b, NULL, ""}', false) ORDER BY 1;
SELECT count(*) FROM crm.resolve_customers('shop', '{{x, y}, {z, x}}');
SELECT count(*), count(DISTINCT customer_id) FROM crm.resolve_customers('bulk', ARRAY(SELECT 'k' || n % 1000 FROM generate_series(1, 5000) n));
SELECT count(*) FROM crm.resolve_customers('bulk', ARRAY(SELECT 'k' || n FROM generate_series(900, 1099) n)) WHERE customer_id IS NOT NULL;

-- every customer made has a key, every key a customer
SELECT count(*) AS customers, (SELECT count(*) FROM crm.customer_identity) AS keys,
	(SELECT count(*) FROM crm.customer_identity i WHERE NOT EXISTS (SELECT FROM crm.customer c WHERE c.customer_id = i.customer_id)) AS lost
FROM crm.customer;

-- two keys of one customer
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('newsletter', 'anna@example.org', crm.find_customer('shop', 'a'));
SELECT crm.resolve_customer('newsletter', 'anna@example.org') = crm.find_customer('shop', 'a') AS same;

-- a failure leaves neither; a column of the user's has its default; one without stops the creation
ALTER TABLE crm.customer ADD COLUMN region text NOT NULL DEFAULT 'north';
SELECT crm.resolve_customer('region', '1') IS NOT NULL AS created;
SELECT region FROM crm.customer WHERE customer_id = crm.find_customer('region', '1');
ALTER TABLE crm.customer ALTER COLUMN region DROP DEFAULT;
\set VERBOSITY terse
SELECT crm.resolve_customer('region', '2');
SELECT * FROM crm.resolve_customers('region', '{1, 2}');
\set VERBOSITY default
SELECT crm.find_customer('region', '2');
SELECT count(customer_id) FROM crm.resolve_customers('region', '{1}');

-- keys that a trigger of the user's swallows come to an end
CREATE FUNCTION regress_crm_swallow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER swallow BEFORE INSERT ON crm.customer_identity FOR EACH ROW EXECUTE FUNCTION regress_crm_swallow();
SELECT crm.resolve_customer('swallowed', '1');
SELECT * FROM crm.resolve_customers('swallowed', '{1}');
DROP TRIGGER swallow ON crm.customer_identity;
DROP FUNCTION regress_crm_swallow();

-- a read-only transaction finds, and creates nothing
BEGIN READ ONLY;
SELECT crm.find_customer('shop', 'a') = crm.resolve_customer('shop', 'a') AS same;
SELECT crm.resolve_customer('shop', 'new', false);
SELECT * FROM crm.resolve_customers('shop', '{new}', false);
SELECT crm.resolve_customer('shop', 'new');
ROLLBACK;

-- rights: the functions are open, the tables decide
CREATE ROLE regress_crm_agent;
GRANT USAGE ON SCHEMA crm TO regress_crm_agent;
SET ROLE regress_crm_agent;
SELECT crm.find_customer('shop', 'a');
SELECT crm.resolve_customer('shop', 'a');
RESET ROLE;
GRANT SELECT ON crm.customer_identity TO regress_crm_agent;
ALTER TABLE crm.customer DROP COLUMN region;
SET ROLE regress_crm_agent;
SELECT crm.find_customer('shop', 'a') = crm.resolve_customer('shop', 'a') AS same;
SELECT crm.resolve_customer('shop', 'by agent');
RESET ROLE;
GRANT INSERT ON crm.customer, crm.customer_identity TO regress_crm_agent;
GRANT USAGE ON SEQUENCE crm.customer_customer_id_seq TO regress_crm_agent;
SET ROLE regress_crm_agent;
SELECT crm.resolve_customer('shop', 'by agent') IS NOT NULL AS created;
RESET ROLE;
REVOKE USAGE ON SCHEMA crm FROM regress_crm_agent;

SELECT crm.uninstall('drop all customer data');
DROP ROLE regress_crm_agent;
