-- Surveys: scores stay on their scale, and what is made of them agrees with numbers computed elsewhere.
BEGIN;
SET LOCAL client_min_messages = warning;
SELECT * FROM no_plan();
CREATE TEMPORARY TABLE made AS SELECT * FROM crm.setup();

INSERT INTO crm.customer (customer_id, name) SELECT n, 'customer ' || n FROM generate_series(1, 300) n;
INSERT INTO crm.survey (survey_id, name, kind, scale_min, scale_max) VALUES
	(1, 'recommend', 'nps', 0, 10), (2, 'satisfied', 'csat', 1, 5), (3, 'effort', 'ces', 1, 7), (4, 'words', 'text', NULL, NULL), (5, 'silent', 'csat', 1, 5);
INSERT INTO crm.ticket (customer_id, ticket_id, subject) VALUES (1, 1, 'x');
INSERT INTO crm.survey_response (customer_id, survey_response_id, survey_id, score, ticket_id, answered_at) VALUES (1, 1, 2, 4, 1, '2025-06-01');
CREATE TEMPORARY TABLE resynced AS SELECT * FROM crm.resync_sequences();

CREATE TEMPORARY TABLE refusal (constraint_name text, statement text);
INSERT INTO refusal VALUES
	('survey_pkey', $$INSERT INTO crm.survey (survey_id, name, kind) VALUES (1, 'x', 'text')$$),
	('survey_name_key', $$INSERT INTO crm.survey (name, kind) VALUES ('words', 'text')$$),
	('survey_name_check', $$INSERT INTO crm.survey (name, kind) VALUES ('', 'text')$$),
	('survey_kind_check', $$INSERT INTO crm.survey (name, kind, scale_min, scale_max) VALUES ('x', 'stars', 1, 5)$$),
	('survey_scale_max_check', $$INSERT INTO crm.survey (name, kind, scale_min, scale_max) VALUES ('x', 'nps', 1, 10)$$),
	('survey_scale_max_check', $$INSERT INTO crm.survey (name, kind) VALUES ('x', 'nps')$$),
	('survey_scale_max_check', $$INSERT INTO crm.survey (name, kind) VALUES ('x', 'csat')$$),
	('survey_scale_max_check', $$INSERT INTO crm.survey (name, kind, scale_min, scale_max) VALUES ('x', 'ces', 5, 5)$$),
	('survey_scale_max_check', $$INSERT INTO crm.survey (name, kind, scale_min, scale_max) VALUES ('x', 'ces', 1, 'NaN')$$),
	('survey_scale_max_check', $$INSERT INTO crm.survey (name, kind, scale_min, scale_max) VALUES ('x', 'text', 1, 5)$$),
	('survey_response_pkey', $$INSERT INTO crm.survey_response (customer_id, survey_response_id, survey_id, comment) VALUES (1, 1, 4, 'x')$$),
	('survey_response_customer_id_fkey', $$INSERT INTO crm.survey_response (customer_id, survey_id, comment) VALUES (999, 4, 'x')$$),
	('survey_response_survey_id_fkey', $$INSERT INTO crm.survey_response (customer_id, survey_id, comment) VALUES (1, 99, 'x')$$),
	('survey_response_survey_id_fkey', $$INSERT INTO crm.survey_response (customer_id, survey_id, score) VALUES (1, 99, 3)$$),
	('survey_response_survey_id_fkey', 'DELETE FROM crm.survey WHERE survey_id = 2'),
	('survey_response_customer_id_ticket_id_fkey', $$INSERT INTO crm.survey_response (customer_id, survey_id, comment, ticket_id) VALUES (2, 4, 'x', 1)$$),
	('survey_response_customer_id_ticket_id_fkey', 'DELETE FROM crm.ticket'),
	('survey_response_comment_check', 'INSERT INTO crm.survey_response (customer_id, survey_id) VALUES (1, 2)');
SELECT throws_like(statement, '%"' || constraint_name || '"%', constraint_name || ' refuses: ' || statement) FROM refusal;
SELECT set_eq($$SELECT c.conname::text FROM pg_constraint c WHERE c.contype IN ('c', 'f', 'p', 'u') AND c.conrelid = ANY ('{crm.survey,crm.survey_response}'::regclass[])$$,
	'SELECT DISTINCT constraint_name FROM refusal', 'each key and check of the surveys has a test of its refusal');

-- The scale
CREATE FUNCTION pg_temp.answer(survey bigint, score numeric) RETURNS text LANGUAGE sql AS $$
	SELECT format('INSERT INTO crm.survey_response (customer_id, survey_id, score, answered_at) VALUES (9, %s, %L, ''2020-01-01'')', survey, score) $$;
SELECT throws_ok(pg_temp.answer(s, n), '23514', format('score %s is not on the scale of survey %s', n, s), format('%s in survey %s', n, s))
FROM (VALUES (1, 11::numeric), (1, -1), (1, 8.5), (1, 'NaN'), (2, 0), (2, 5.01), (2, 'Infinity'), (3, 8), (3, 'NaN')) v (s, n);
SELECT lives_ok(pg_temp.answer(s, n), format('%s in survey %s', n, s)) FROM (VALUES (1, 0::numeric), (1, 10), (2, 1), (2, 5), (2, 4.5), (3, 7)) v (s, n);
SELECT throws_ok(pg_temp.answer(4, 3), '23514', 'survey 4 has no scores', 'a score for a question of words');
SELECT throws_ok('UPDATE crm.survey_response SET score = 6 WHERE customer_id = 1', '23514', 'score 6 is not on the scale of survey 2', 'nor by a change');
SELECT throws_ok('UPDATE crm.survey_response SET survey_id = 4 WHERE customer_id = 1', '23514', 'survey 4 has no scores', 'nor by moving it to another survey');
SELECT throws_ok('UPDATE crm.survey SET scale_max = 7 WHERE survey_id = 2', '55000', 'survey 2 has been answered on its scale', 'nor by a change of the scale');
SELECT throws_ok($$UPDATE crm.survey SET kind = 'ces' WHERE survey_id = 2$$, '55000', 'survey 2 has been answered on its scale', 'or of the kind');
SELECT lives_ok($$UPDATE crm.survey SET question = 'How satisfied are you?', kind = kind, scale_max = 5.0 WHERE survey_id = 2$$, 'the same scale may be written again');
SELECT lives_ok('UPDATE crm.survey SET scale_max = 7 WHERE survey_id = 5', 'a survey without answers may change');
UPDATE crm.survey SET scale_max = 5 WHERE survey_id = 5;

-- Scores: Wilson's interval as the roots of (p - x)^2 = z^2 x (1 - x) / n, solved elsewhere.
-- nps: 60 promoters, 25 passives, 40 detractors of 125: p' = 60.75/128, d' = 40.75/128.
INSERT INTO crm.survey_response (customer_id, survey_id, score, answered_at)
SELECT n, 1, CASE WHEN n <= 30 THEN 9 WHEN n <= 60 THEN 10 WHEN n <= 70 THEN 7 WHEN n <= 85 THEN 8 WHEN n <= 100 THEN 0 ELSE 6 END, '2026-01-01' FROM generate_series(1, 125) n;
INSERT INTO crm.survey_response (customer_id, survey_id, score, comment, answered_at)
SELECT n, 2, CASE WHEN n <= 60 THEN 4 WHEN n <= 130 THEN 5 ELSE 1 + n % 3 END, 'thanks', '2026-01-01' FROM generate_series(1, 200) n;
INSERT INTO crm.survey_response (customer_id, survey_id, score, answered_at) SELECT n, 3, n, '2026-01-01' FROM generate_series(1, 5) n;
INSERT INTO crm.survey_response (customer_id, survey_id, comment, answered_at) SELECT n, 4, 'well', '2026-01-01' FROM generate_series(1, 3) n;
INSERT INTO crm.survey_response (customer_id, survey_id, comment, answered_at) VALUES (200, 2, 'no number', '2026-01-01');
SELECT results_eq($$SELECT survey, kind, n, round(score::numeric, 6), round(low::numeric, 4), round(high::numeric, 4) FROM crm.survey_scores('2026-01-01', '2026-01-02')$$, $$VALUES
	('effort', 'ces', 5::bigint, 3.000000, round(3 - 1.959964 * sqrt(2.5 / 5.0), 4), round(3 + 1.959964 * sqrt(2.5 / 5.0), 4)),
	('recommend', 'nps', 125, 16.000000, round(15.625 - 195.9964 * sqrt((101.5 / 128 - (20.0 / 128) ^ 2) / 128), 4), round(15.625 + 195.9964 * sqrt((101.5 / 128 - (20.0 / 128) ^ 2) / 128), 4)),
	('satisfied', 'csat', 200, 0.650000, 0.5816, 0.7127),
	('silent', 'csat', 0, NULL, NULL, NULL),
	('words', 'text', 3, NULL, NULL, NULL)$$, 'scores and their intervals');
SELECT is(round(((score - e) ^ 2 - 1.959963984540054 ^ 2 * e * (1 - e) / n)::numeric, 12), 0.000000000000, 'an end of Wilson''s interval solves its equation')
FROM crm.survey_scores('2026-01-01', '2026-01-02'), unnest(ARRAY[low, high]) e WHERE survey = 'satisfied';
SELECT is_empty($$SELECT * FROM crm.survey_scores('2026-01-02') WHERE n > 0$$, 'the end of the span is not in it');
SELECT results_eq($$SELECT survey, n FROM crm.survey_scores(to_at => '2026-01-01') WHERE n > 0$$, $$VALUES ('effort', 1::bigint), ('recommend', 2), ('satisfied', 4)$$, 'nor is what came later');
SELECT is((SELECT sum(n) FROM crm.survey_scores()), (SELECT count(*) FROM crm.survey_response WHERE score IS NOT NULL OR survey_id = 4)::numeric, 'all of them');
SELECT results_eq($$SELECT score, low, high FROM crm.survey_scores(to_at => '2026-01-01') WHERE kind = 'ces'$$, 'VALUES (7::float8, NULL::float8, NULL::float8)', 'one answer has no interval');

-- All agree: intervals have a width and end at the end of the scale.
UPDATE crm.survey_response SET score = 10 WHERE survey_id = 1;
UPDATE crm.survey_response SET score = 5 WHERE survey_id = 2 AND score IS NOT NULL;
UPDATE crm.survey_response SET score = 7 WHERE survey_id = 3;
SELECT results_eq($$SELECT kind, score, high, low < high FROM crm.survey_scores('2026-01-01') WHERE n > 0 AND kind <> 'text' ORDER BY 1$$,
	$$VALUES ('ces', 7::float8, 7::float8, false), ('csat', 1, 1, true), ('nps', 100, 100, true)$$, 'all agree');
UPDATE crm.survey_response SET score = 0 WHERE survey_id = 1;
SELECT results_eq($$SELECT score, low FROM crm.survey_scores('2026-01-01') WHERE kind = 'nps'$$, 'VALUES (-100::float8, -100::float8)', 'all detract');

-- The share of satisfied answers on other scales: the upper quarter
INSERT INTO crm.survey (survey_id, name, kind, scale_min, scale_max) VALUES (11, 'ten', 'csat', 1, 10), (12, 'three', 'csat', 1, 3), (13, 'yes', 'csat', 0, 1), (14, 'seven', 'csat', 1, 7);
INSERT INTO crm.survey_response (customer_id, survey_id, score) SELECT n + 1, s.survey_id, n FROM crm.survey s, generate_series(0, 10) n WHERE s.survey_id > 10 AND n BETWEEN s.scale_min AND s.scale_max;
SELECT results_eq($$SELECT survey, round(score::numeric, 6) FROM crm.survey_scores('2026-02-01') WHERE n > 0 ORDER BY 1$$,
	$$VALUES ('seven', round(2 / 7.0, 6)), ('ten', 0.3), ('three', round(1 / 3.0, 6)), ('yes', 0.5)$$, 'who is satisfied on other scales');

SELECT throws_ok('SELECT * FROM crm.survey_scores(NULL)', '22004', 'argument "from_at" must not be null', 'NULL');
SELECT throws_ok('SELECT * FROM crm.survey_scores(to_at => NULL)', '22004', 'argument "to_at" must not be null', 'NULL');
SELECT results_eq($$SELECT DISTINCT kind, detail -> 'new' FROM crm.interaction WHERE reference = 'crm.survey_response' AND customer_id = 3 AND action = 'insert' AND occurred_at = '2026-01-01' AND detail -> 'new' ->> 'survey_id' = '2'$$,
	$$VALUES ('survey', '{"score": 4, "survey_id": 2}'::jsonb)$$, 'answers are logged, words are not');

SELECT * FROM finish();
ROLLBACK;
