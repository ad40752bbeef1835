-- run: crm.last_run(), the account of the last analytic, and the NOTICE about rows that were skipped.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET IntervalStyle = 'postgres';
SET extra_float_digits = 1;
\set SHOW_CONTEXT never
CREATE SCHEMA test_run;
SET search_path = test_run, public;

-- arguments and result, volatility, strictness, parallel safety
SELECT p.oid::regprocedure, pg_get_function_result(p.oid), p.provolatile, p.proisstrict, p.proparallel
FROM pg_proc p WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = 'last_run';

-- no row before the first analytic of a session
\c -
SET TimeZone = 'UTC';
SET DateStyle = 'ISO, YMD';
SET search_path = test_run, public;
SELECT * FROM crm.last_run();

CREATE TABLE orders (customer_id bigint, ordered_at timestamptz, amount float8);
INSERT INTO orders VALUES (1, '2024-01-01', 10), (1, '2024-01-02', -3), (2, '2024-01-01', 5), (3, '2024-01-05', 1), (4, 'infinity', 1), (4, '2024-01-01', 'NaN'),
	(5, NULL, 1), (5, '2024-01-01', NULL), (5, NULL, NULL), (NULL, '2024-01-01', 1), (NULL, NULL, NULL), (6, '2024-01-01', '-Infinity'), (6, '-infinity', 1), (7, NULL, 'NaN');
CREATE VIEW account AS
SELECT function, rows_read, rows_used, rows_skipped, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, skipped_refund, customers, workers, road FROM crm.last_run();

-- every reason to skip a row, by both roads; a row is counted once, by the first reason that holds: key, null, not finite, as_of, refund
SELECT count(*) FROM crm.rfm('orders', as_of => '2024-01-03', refunds => 'drop');
TABLE account;
SET crm.road = 'group';
SELECT count(*) FROM crm.rfm('orders', as_of => '2024-01-03', refunds => 'drop');
TABLE account;
RESET crm.road;
SELECT milliseconds > 0 AND milliseconds < 60000 AS took, peak_memory BETWEEN 1000 AND 100000000 AS memory, finished_at BETWEEN now() - interval '1 minute' AND clock_timestamp() AS finished FROM crm.last_run();

-- no NOTICE when nothing is skipped; each report gives its name
SELECT count(*) FROM crm.rfm_segments('SELECT * FROM orders WHERE customer_id = 1');
TABLE account;
SELECT count(*) FROM crm.rfm_thresholds('SELECT * FROM orders WHERE customer_id = 2');
TABLE account;
SELECT count(*) FROM crm.rfm_segments('SELECT * FROM orders WHERE customer_id = 4');
SELECT count(*) FROM crm.rfm_thresholds('SELECT * FROM orders WHERE customer_id IS NULL');
SELECT count(*) FROM crm.rfm('SELECT * FROM orders WHERE false');
TABLE account;
-- with periods the orders are counted, not the transactions
SELECT customer_id, frequency FROM crm.rfm('SELECT 1 AS customer_id, ''2024-01-01''::date AS ordered_at, 2 AS amount FROM generate_series(1, 5)', period => '1 day');
TABLE account;

-- an analytic that fails leaves the account of the one before
SELECT count(*) FROM crm.rfm('orders', bins => 1);
SELECT count(*) FROM crm.rfm('SELECT customer_id, ordered_at, 1 / (amount - 10) AS amount FROM orders WHERE amount = 10');
SELECT count(*) FROM crm.rfm('orders', refunds => 'error');
TABLE account;
-- as does a transaction that is rolled back: it is the session's account, not the database's
BEGIN;
SELECT count(*) FROM crm.rfm('SELECT 7 AS customer_id, now() AS ordered_at, 1 AS amount FROM generate_series(1, 3)');
ROLLBACK;
TABLE account;
-- one that another one contains ends first
SELECT count(*) FROM crm.rfm('SELECT customer_id, last_order_at AS ordered_at, monetary AS amount FROM crm.rfm(''SELECT 7 AS customer_id, now() AS ordered_at, 1 AS amount FROM generate_series(1, 3)'')');
TABLE account;
-- nor does a function that reads no source count
SELECT count(*) > 0 FROM crm.rfm_rules();
SELECT function, rows_read FROM account;

-- the setting crm.road
SET crm.road = 'detour';
SHOW crm.road;
SELECT name, vartype, context, enumvals, boot_val FROM pg_settings WHERE name = 'crm.road';

SET client_min_messages = warning;
DROP SCHEMA test_run CASCADE;
