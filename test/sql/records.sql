-- records: the errors and notices of leads, transfers, duplicates, merges and imports, with their details and hints.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = notice;

-- before crm.setup()
SELECT * FROM crm.convert_lead(1);
SELECT * FROM crm.transfer_ownership(1, 2, reason => 'x');
SELECT * FROM crm.undo_transfer(1);
SELECT * FROM crm.find_duplicates();
SELECT crm.merge_customers(1, 2);
SELECT * FROM crm.unmerge_customers(1);
SELECT * FROM crm.import_customers('SELECT 1 AS external_id', 'list');
SELECT count(*) > 0 AS made FROM crm.setup();

INSERT INTO crm.agent (agent_id, name, is_active) VALUES (1, 'one', true), (2, 'two', true), (3, 'three', false);
INSERT INTO crm.customer (customer_id, name, owner_id) VALUES (1, 'Anna Secret', 1), (2, 'Anna Secret', 1), (3, 'Bob', 1);
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (1, 'mail', 'secret@x.example'), (2, 'mail', 'secret@x.example'), (3, 'mail', 'secret@x.example');

SELECT count(*) > 0 AS resynced FROM crm.resync_sequences();

-- leads
INSERT INTO crm.lead (lead_id, name, mail, phone, status) VALUES (1, 'Secret', 'secret@x.example', 'none', 'new'), (2, 'Secret', 'secret', '1', 'new'), (3, NULL, NULL, NULL, 'rejected');
SELECT * FROM crm.convert_lead(NULL);
SELECT * FROM crm.convert_lead(1, create_opportunity => NULL);
SELECT * FROM crm.convert_lead(1, opportunity => '');
SELECT * FROM crm.convert_lead(1, 'secret pipeline');
SELECT * FROM crm.convert_lead(1, customer => 99);
SELECT customer_id, customer_created FROM crm.convert_lead(1);
SELECT * FROM crm.convert_lead(1);
SELECT customer_created FROM crm.convert_lead(2);
SELECT * FROM crm.convert_lead(3);
SELECT * FROM crm.convert_lead(99);

-- transfers
SELECT * FROM crm.transfer_ownership(NULL, 2, reason => 'x');
SELECT * FROM crm.transfer_ownership(1, NULL, reason => 'x');
SELECT * FROM crm.transfer_ownership(1, 2);
SELECT * FROM crm.transfer_ownership(1, 2, reason => '');
SELECT * FROM crm.transfer_ownership(1, 2, '', 'x');
SELECT * FROM crm.transfer_ownership(1, 2, NULL, 'x', NULL);
SELECT * FROM crm.transfer_ownership(1, 1, reason => 'x');
SELECT * FROM crm.transfer_ownership(1, 9, reason => 'x');
SELECT * FROM crm.transfer_ownership(1, 3, reason => 'x');
SELECT * FROM crm.transfer_ownership(1, 2, 'customer_id = 3', 'x');
SELECT * FROM crm.undo_transfer(NULL);
SELECT * FROM crm.undo_transfer(9);
SELECT * FROM crm.undo_transfer(1);
SELECT * FROM crm.undo_transfer(1);

-- duplicates
SELECT * FROM crm.find_duplicates(2);
SELECT * FROM crm.find_duplicates(max_pairs => 0);
SELECT * FROM crm.find_duplicates(max_block => NULL);
SELECT * FROM crm.find_duplicates(customer => 99);
SELECT * FROM crm.find_duplicates(max_pairs => 1);
SELECT * FROM crm.find_duplicates(max_block => 2);

-- merges
CREATE TABLE regress_card (customer_id bigint PRIMARY KEY REFERENCES crm.customer, number text);
INSERT INTO regress_card VALUES (1, 'secret'), (2, 'secret');
CREATE TABLE regress_bare (customer_id bigint REFERENCES crm.customer);
INSERT INTO regress_bare VALUES (3);
SELECT crm.merge_customers(NULL, 2);
SELECT crm.merge_customers(1, NULL);
SELECT crm.merge_customers(1, 1);
SELECT crm.merge_customers(1, 99);
SELECT crm.merge_customers(1, 3);
SELECT crm.loyalty_earn(2, 50);
SELECT crm.merge_customers(1, 2);
SELECT crm.merge_customers(1, 2);
SELECT crm.merge_customers(2, 3);
DROP TABLE regress_bare;
SELECT crm.merge_customers(1, 3);
SELECT * FROM crm.unmerge_customers(NULL);
SELECT * FROM crm.unmerge_customers(99);
SELECT * FROM crm.unmerge_customers(2);
SELECT * FROM crm.unmerge_customers(3) WHERE relation ~ 'contact';
DELETE FROM crm.contact_point WHERE contact_point_id = 2;
UPDATE crm.customer SET attributes = '{"size": 1}' WHERE customer_id = 1;
SELECT crm.loyalty_redeem(1, 20);
SELECT * FROM crm.unmerge_customers(2) WHERE relation ~ 'contact|card';
SELECT * FROM crm.unmerge_customers(2);
UPDATE crm.customer SET name = NULL, birthday = NULL WHERE customer_id = 1;
SELECT crm.merge_customers(1, 2);
UPDATE crm.customer SET name = 'Somebody Secret' WHERE customer_id = 1;
SELECT count(*) FROM crm.unmerge_customers(4);

-- imports
SELECT * FROM crm.import_customers(NULL, 'list');
SELECT * FROM crm.import_customers('', 'list');
SELECT * FROM crm.import_customers('SELECT 1 AS external_id', NULL);
SELECT * FROM crm.import_customers('SELECT 1 AS external_id', '');
SELECT * FROM crm.import_customers('SELECT 1 AS external_id', 'list', NULL);
SELECT * FROM crm.import_customers('SELECT 1 AS external_id', 'list', match_by => '{mail,name}');
SELECT * FROM crm.import_customers('SELECT 1 AS external_id', 'list', match_by => NULL);
SELECT * FROM crm.import_customers('SELECT 1 AS id', 'list');
SELECT outcome, reason FROM crm.import_customers('SELECT ''5'' AS external_id, ''secret'' AS mail, 1 AS "E-Mail", 2 AS size', 'list');

DROP TABLE regress_card;
SELECT crm.uninstall('drop all customer data');
