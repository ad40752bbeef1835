-- loyalty: the errors of the ledger, with their details and hints.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = warning;

-- before crm.setup()
SELECT crm.loyalty_earn(1, 1);
SELECT crm.loyalty_redeem(1, 1);
SELECT crm.loyalty_balance(1);
SELECT * FROM crm.loyalty_expire(now());
SELECT count(*) > 0 AS made FROM crm.setup();

INSERT INTO crm.customer (customer_id, name) VALUES (1, 'one'), (2, 'two');
UPDATE crm.customer SET merged_into = 1 WHERE customer_id = 2;

-- arguments
SELECT crm.loyalty_earn(NULL, 1);
SELECT crm.loyalty_earn(1, NULL);
SELECT crm.loyalty_earn(1, 0);
SELECT crm.loyalty_redeem(1, -5);
SELECT crm.loyalty_earn(9, 1);
SELECT crm.loyalty_earn(2, 1);
SELECT crm.loyalty_redeem(1, 1, sales_order => 7);
SELECT crm.loyalty_balance(NULL);
SELECT * FROM crm.loyalty_expire(NULL);
SELECT * FROM crm.loyalty_expire('infinity');

-- the ledger
SELECT crm.loyalty_earn(1, 10);
SELECT crm.loyalty_redeem(1, 20);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, balance) VALUES (1, 'earn', 10, 1000);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, entry_number) VALUES (1, 'earn', 10, 5);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, entry_number, balance) VALUES (2, 'earn', 10, 2, 15);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points, entry_number, balance) VALUES (2, 'earn', 10, 1, 10);
INSERT INTO crm.loyalty_ledger (customer_id, kind, points) VALUES (1, 'earn', 9223372036854775807);
UPDATE crm.loyalty_ledger SET points = 0;
DELETE FROM crm.loyalty_ledger;
TRUNCATE crm.loyalty_ledger;

SELECT crm.uninstall('drop all customer data');
