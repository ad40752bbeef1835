-- Scores: what is refused, and the latest of each model.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'one'), (2, 'two');
INSERT INTO crm.score (customer_id, model, scored_at, value, band) VALUES (1, 'churn', '2026-01-01', 0.5, 'B'), (1, 'churn', '2026-02-01', 0.7, 'A'), (1, 'clv', '2026-01-15', 100, NULL), (2, 'churn', '2026-01-01', NULL, 'C');

CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('score_pkey', $$INSERT INTO crm.score (customer_id, model, scored_at, value) VALUES (1, 'churn', '2026-01-01', 1)$$),
	('score_customer_id_fkey', $$INSERT INTO crm.score (customer_id, model, value) VALUES (99, 'churn', 1)$$),
	('score_customer_id_fkey', 'DELETE FROM crm.customer WHERE customer_id = 1'),
	('score_model_check', $$INSERT INTO crm.score (customer_id, model, value) VALUES (1, '', 1)$$),
	('score_value_check', $$INSERT INTO crm.score (customer_id, model, value) VALUES (1, 'churn', 'NaN')$$),
	('score_band_check', $$INSERT INTO crm.score (customer_id, model) VALUES (1, 'churn')$$);
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u') AND c.conrelid = 'crm.score'::regclass$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the scores has a test of its refusal');
SELECT lives_ok($$INSERT INTO crm.score (customer_id, model, value) VALUES (2, 'lift', 'Infinity')$$, 'a score may be infinite');
SELECT results_eq('SELECT DISTINCT ON (customer_id, model) customer_id, model, value, band FROM crm.score WHERE customer_id = 1 ORDER BY customer_id, model, scored_at DESC',
	$$VALUES (1::bigint, 'churn', 0.7::float8, 'A'), (1, 'clv', 100, NULL)$$, 'the latest of each model');
SELECT is_empty($$SELECT * FROM crm.interaction WHERE reference = 'crm.score'$$, 'scores are a log themselves');

SELECT * FROM finish();
ROLLBACK;
