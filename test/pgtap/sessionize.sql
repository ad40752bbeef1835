-- crm.sessionize numbers sessions as lag() and a running sum do.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'Europe/Berlin';
CREATE SCHEMA test_sessionize;
SET LOCAL search_path = test_sessionize, public;
SELECT * FROM no_plan();

CREATE TABLE visit AS
SELECT i AS visit_id, i % 300 AS customer_id, md5((i % 300)::text)::uuid AS customer_uuid,
	CASE WHEN i % 97 > 0 THEN timestamptz '2021-01-01' + ('x' || left(md5('t' || i), 7))::bit(28)::int % 12000 * interval '11 minutes' END AS at
FROM generate_series(1, 12000) i;
CREATE FUNCTION by_lag(gap interval) RETURNS TABLE (visit_id int, session bigint) LANGUAGE sql STABLE AS $$
	SELECT v.visit_id, CASE WHEN at IS NOT NULL THEN sum((before IS NULL OR at > before + gap)::int) OVER (PARTITION BY customer_id ORDER BY at) END
	FROM (SELECT *, lag(at) OVER (PARTITION BY customer_id ORDER BY at) AS before FROM visit) v $$;
SELECT set_eq(format('SELECT visit_id, crm.sessionize(at, %L) OVER (PARTITION BY customer_id ORDER BY at) FROM visit', gap), format('SELECT * FROM by_lag(%L)', gap), 'lag() agrees, ' || gap)
FROM unnest(ARRAY['30 minutes', '0', '1 day', '24 hours', '3 days 01:00', '1 month', '1 year']) gap;
SELECT set_eq('SELECT visit_id, crm.sessionize(at, ''1 day'') OVER (PARTITION BY customer_uuid ORDER BY at NULLS FIRST) FROM visit', 'SELECT * FROM by_lag(''1 day'')', 'partitions by uuid, NULLs first');
SELECT set_eq('SELECT visit_id, crm.sessionize(at, ''1 day'') OVER (PARTITION BY customer_id ORDER BY at ROWS 3 PRECEDING) FROM visit', 'SELECT * FROM by_lag(''1 day'')', 'whatever the frame');
SELECT set_eq('SELECT visit_id, s FROM (SELECT visit_id, crm.sessionize(at, ''1 day'') OVER w AS s, row_number() OVER w, last_value(at) OVER (PARTITION BY customer_id) FROM visit WINDOW w AS (PARTITION BY customer_id ORDER BY at)) x', 'SELECT * FROM by_lag(''1 day'')', 'beside other window functions');
SELECT throws_ok('SELECT crm.sessionize(at, ''1 day'') OVER (PARTITION BY customer_id ORDER BY visit_id) FROM visit', '22023', 'crm.sessionize needs its rows in the order of their times', 'another order is refused');
SELECT is((SELECT max(s) FROM (SELECT crm.sessionize(timestamptz '2020-01-01' + i * interval '1 minute', '30 seconds') OVER (ORDER BY i) AS s FROM generate_series(1, 300000) i) x), 300000::bigint, 'many sessions');

SELECT * FROM finish();
ROLLBACK;
