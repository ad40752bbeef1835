-- access: every error of crm.grant_access(), crm.revoke_access() and crm.mask(), an owner who is no superuser, and what a role is told that does not see.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = warning;
CREATE ROLE regress_crm_reader;
CREATE ROLE regress_crm_agent;

-- before crm.setup()
SELECT crm.grant_access('regress_crm_reader', 'reader');
SELECT crm.revoke_access('regress_crm_reader');
SELECT count(*) > 0 AS is_set_up FROM crm.setup(row_security => true);

-- arguments
SELECT crm.grant_access(NULL, 'reader');
SELECT crm.grant_access('', 'reader');
SELECT crm.grant_access('regress_crm_nobody', 'reader');
SELECT crm.grant_access('public', 'reader');
SELECT crm.grant_access('regress_crm_reader', NULL);
SELECT crm.grant_access('regress_crm_reader', 'writer');
SELECT crm.grant_access('regress_crm_reader', 'reader', 'some');
SELECT crm.grant_access('regress_crm_reader', 'reader', personal => NULL);
SELECT crm.grant_access('regress_crm_agent', 'agent', personal => false);
SELECT crm.grant_access(CURRENT_USER, 'reader');
SELECT crm.revoke_access(CURRENT_USER);
SELECT crm.revoke_access(NULL);
SELECT crm.revoke_access('regress_crm_reader');
SELECT count(*) FROM crm.access_grant;

-- who is told what
SELECT crm.grant_access('regress_crm_reader', 'reader');
SELECT crm.grant_access('regress_crm_agent', 'agent');
SELECT role_name, level, scope, personal FROM crm.access_grant ORDER BY role_name;
INSERT INTO crm.agent (name, role_name) VALUES ('An', 'regress_crm_agent'), ('Bo', NULL);
INSERT INTO crm.customer (customer_id, owner_id) VALUES (1001, 1), (1002, 2);
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('shop', 'b', 1002);
SET ROLE regress_crm_agent;
SELECT * FROM crm.visibility;
SELECT customer_id, owner_id FROM crm.customer;
INSERT INTO crm.note (customer_id, body) VALUES (1002, 'mine');
INSERT INTO crm.note (customer_id, body) VALUES (1003, 'mine');
INSERT INTO crm.customer (customer_id, owner_id) VALUES (1002, 1);
UPDATE crm.customer SET owner_id = 2;
UPDATE crm.customer SET merged_into = 1002;
UPDATE crm.customer SET merged_into = 1003;
DELETE FROM crm.customer;
UPDATE crm.interaction SET kind = 'mine';
UPDATE crm.agent SET is_manager = true;
SELECT crm.resolve_customer('shop', 'b');
SELECT crm.import_customers('SELECT 1 AS external_id', 'list');
SELECT crm.grant_access('regress_crm_agent', 'manager');
SELECT crm.setup(row_security => false);
SET ROLE regress_crm_reader;
SELECT customer_id, owner_id FROM crm.customer ORDER BY 1;
INSERT INTO crm.note (customer_id, body) VALUES (1001, 'mine');
RESET ROLE;

-- masks
SELECT crm.mask('Anna Muster', 'name'), crm.mask('anna@example.org', 'mail'), crm.mask('+41 44 123 45 67', 'phone'), crm.mask('1980-02-29', 'birthday'), crm.mask('anything', 'text'), crm.mask(NULL, 'text');
SELECT crm.mask('{"phone": "044 123 45 67"}'::jsonb);
SELECT crm.mask('Anna Muster', 'nose');
SELECT crm.mask('Anna Muster', NULL);

-- a role that is gone
SELECT crm.revoke_access('regress_crm_agent');
INSERT INTO crm.access_grant VALUES ('regress_crm_gone', 'agent', 'own');
SET client_min_messages = notice;
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
SET client_min_messages = warning;
SELECT crm.revoke_access('regress_crm_gone');
SELECT crm.revoke_access('regress_crm_reader');
SELECT crm.uninstall('drop all customer data');

-- an owner who is no superuser: the functions must have been given with the right to pass them on
CREATE ROLE regress_crm_owner;
GRANT USAGE, CREATE ON SCHEMA crm TO regress_crm_owner;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO regress_crm_owner;
SET ROLE regress_crm_owner;
SELECT count(*) > 0 AS is_set_up FROM crm.setup(row_security => true);
\set VERBOSITY terse
SELECT crm.grant_access('regress_crm_agent', 'agent');
\set VERBOSITY default
SELECT crm.grant_access('regress_crm_owner', 'agent');
SELECT has_table_privilege('regress_crm_agent', 'crm.customer', 'INSERT') AS on_a_table, has_function_privilege('regress_crm_agent', 'crm.loyalty_balance(bigint)', 'EXECUTE') AS on_an_open_function;
RESET ROLE;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO regress_crm_owner WITH GRANT OPTION;
GRANT USAGE ON SCHEMA crm TO regress_crm_owner WITH GRANT OPTION;
SET ROLE regress_crm_owner;
SELECT crm.grant_access('regress_crm_agent', 'agent');
SELECT has_schema_privilege('regress_crm_agent', 'crm', 'USAGE') AS on_the_schema, count(*) FILTER (WHERE has_function_privilege('regress_crm_agent', f, 'EXECUTE')) = count(*) AS on_functions FROM crm._access_functions('agent') f;
INSERT INTO crm.agent (name, role_name) VALUES ('An', 'regress_crm_agent');
INSERT INTO crm.customer (customer_id, owner_id) VALUES (1001, 1), (1002, NULL);
SELECT count(*) FROM crm.customer;
SET ROLE regress_crm_agent;
SELECT customer_id FROM crm.customer;
SELECT crm.log_interaction(1001, 'call') IS NOT NULL AS is_logged;
SET ROLE regress_crm_owner;
GRANT UPDATE (name) ON crm.customer TO regress_crm_agent;
RESET ROLE;

-- what somebody else has granted, the owner cannot take back; a superuser can
GRANT EXECUTE ON FUNCTION crm.loyalty_expire(timestamptz, text) TO regress_crm_agent;
SET SESSION AUTHORIZATION regress_crm_owner;
SELECT crm.grant_access('regress_crm_agent', 'reader');
RESET SESSION AUTHORIZATION;
SELECT crm.revoke_access('regress_crm_agent');
SELECT CURRENT_USER = SESSION_USER AS is_still_me, count(*) FROM crm._privileges_held('regress_crm_agent'::regrole);

-- who may execute the function but does not own the tables
GRANT USAGE ON SCHEMA crm TO regress_crm_reader;
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO regress_crm_reader;
SET ROLE regress_crm_reader;
SELECT crm.grant_access('regress_crm_reader', 'manager');
RESET ROLE;
SELECT crm.uninstall('drop all customer data');
DROP OWNED BY regress_crm_owner, regress_crm_reader, regress_crm_agent;
DROP ROLE regress_crm_owner, regress_crm_reader, regress_crm_agent;
