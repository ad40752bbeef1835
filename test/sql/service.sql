-- service: the errors of working time, surveys and reminders, with their details and hints.
\set SHOW_CONTEXT never
\pset null '(null)'
SET client_min_messages = warning;

-- before crm.setup()
SELECT crm.business_time(now(), now());
SELECT crm.add_business_time(now(), '1 hour');
SELECT * FROM crm.survey_scores();
SELECT * FROM crm.due_reminders();
SELECT count(*) > 0 AS made FROM crm.setup();

-- working time
SELECT crm.business_time('2026-01-01', '2026-01-02', opens => '10:00', closes => '09:00');
SELECT crm.business_time('2026-01-01', '2026-01-02', weekdays => '{}');
SELECT crm.business_time('2026-01-01', '2026-01-02', weekdays => '{1,8}');
SELECT crm.business_time('2026-01-01', '2026-01-02', time_zone => 'Middle/Earth');
SELECT crm.business_time('-infinity', 'infinity');
SELECT crm.business_time('2026-01-01', NULL);
SELECT crm.add_business_time('2026-01-01', '-1 hour');
SELECT crm.add_business_time('infinity', '1 hour');
SELECT crm.add_business_time('2026-01-01', '200 years', opens => '12:00');

-- surveys
INSERT INTO crm.customer (customer_id, name) VALUES (1, 'one');
INSERT INTO crm.survey (survey_id, name, kind, scale_min, scale_max) VALUES (1, 'recommend', 'nps', 0, 10), (2, 'satisfied', 'csat', 1, 5), (3, 'words', 'text', NULL, NULL);
INSERT INTO crm.survey_response (customer_id, survey_id, score) VALUES (1, 1, 10);
INSERT INTO crm.survey_response (customer_id, survey_id, score) VALUES (1, 1, 11);
INSERT INTO crm.survey_response (customer_id, survey_id, score) VALUES (1, 1, 9.5);
INSERT INTO crm.survey_response (customer_id, survey_id, score) VALUES (1, 2, 0);
INSERT INTO crm.survey_response (customer_id, survey_id, score) VALUES (1, 3, 1);
UPDATE crm.survey SET kind = 'csat', scale_max = 9 WHERE survey_id = 1;
SELECT * FROM crm.survey_scores(from_at => NULL);
SELECT * FROM crm.survey_scores(to_at => NULL);
SELECT * FROM crm.due_reminders(NULL);

SELECT crm.uninstall('drop all customer data');
