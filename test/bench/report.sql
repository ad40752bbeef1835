-- The table of contenders, from table result (round, name, milliseconds); round 0 was the warm-up. :orders is their number.
CREATE TEMP VIEW best AS
SELECT round, name, milliseconds FROM result WHERE round > 0
UNION ALL
SELECT round, 'sql', min(milliseconds) FROM result WHERE round > 0 AND name LIKE 'sql %' GROUP BY round;

WITH line (place, name, what, is_peer, most) AS (VALUES
	(1, 'rfm', 'crm.rfm, bigint keys', NULL::boolean, NULL::float8),
	(2, 'sql', 'plain SQL: GROUP BY, three ntile(5); best of its plans', true, 0.3),
	(3, 'pandas', 'pandas: COPY, read_csv, groupby, rank and qcut', true, 0.25),
	(4, 'pandas_compute', 'pandas: groupby, rank and qcut alone', true, NULL),
	(5, 'scan', 'bare scan: count, min, max, sum', true, 5),
	(6, 'uuid', 'crm.rfm, uuid keys', false, 1.5),
	(7, 'text', 'crm.rfm, text keys (cast from bigint on the way)', false, NULL),
	(8, 'ntile', 'crm.rfm, method => ''ntile''', false, NULL),
	(9, 'period', 'crm.rfm, period => ''1 day''', false, NULL),
	(10, 'segments', 'crm.rfm_segments', false, NULL),
	(11, 'group', 'crm.rfm by the group road', false, NULL)
	UNION ALL SELECT 12 + row_number() OVER (ORDER BY name), name, format('plain SQL with %s workers', substr(name, 5)), true, NULL FROM (SELECT DISTINCT name FROM result WHERE name LIKE 'sql %') s),
median AS (
	SELECT b.name, percentile_cont(0.5) WITHIN GROUP (ORDER BY b.milliseconds) AS ms,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY b.milliseconds / r.milliseconds) AS to_rfm,
		percentile_cont(0.5) WITHIN GROUP (ORDER BY r.milliseconds / b.milliseconds) AS of_rfm
	FROM best b JOIN best r ON r.round = b.round AND r.name = 'rfm' GROUP BY b.name)
SELECT
	what,
	round(ms::numeric / 1000, 3) AS seconds,
	round((:orders / ms / 1000)::numeric, 1) AS "M orders/s",
	CASE is_peer WHEN true THEN round(of_rfm::numeric, 3) END AS "crm.rfm / it",
	CASE is_peer WHEN false THEN round(to_rfm::numeric, 2) END AS "it / crm.rfm",
	most AS "at most",
	CASE WHEN most IS NOT NULL THEN CASE WHEN CASE WHEN is_peer THEN of_rfm ELSE to_rfm END <= most THEN 'yes' ELSE 'no' END END AS reached
FROM line JOIN median USING (name)
ORDER BY place;
