-- RFM over the shop's own table: who the customers are, what the scores mean, whom to thank and whom to call.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never

SELECT format_type(atttypid, NULL) AS key_type FROM pg_attribute WHERE attrelid = 'purchase'::regclass AND attname = 'buyer' \gset
SELECT coalesce(nullif(:'as_of', '')::timestamptz, max(bought_at) FILTER (WHERE isfinite(bought_at))::date + 1, now()) AS as_of FROM purchase \gset
SELECT EXISTS (SELECT FROM customer WHERE name IS NOT NULL) AS has_names \gset
\set source 'SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase'

\echo
\echo '== RFM: one call over the table as it is; the query gives its columns the names that crm knows =='
\echo
SELECT format(E'SELECT * FROM crm.rfm(key => NULL::%s, as_of => %L,\n    source => %L);', :'key_type', :'as_of', :'source') AS call \gset
\echo :call
\echo
CREATE TEMP TABLE scored AS
SELECT * FROM crm.rfm(key => CAST(NULL AS :key_type), source => :'source', as_of => :'as_of');

SELECT format(E'It read %s orders of %s customers in %s ms (%s) and skipped %s.\nIt took %s of memory%s.',
		to_char(rows_read, 'FM999,999,999,999'), to_char(customers, 'FM999,999,999,999'), round(milliseconds),
		CASE workers WHEN 0 THEN 'no parallel worker' WHEN 1 THEN '1 parallel worker' ELSE workers || ' parallel workers' END,
		to_char(rows_skipped, 'FM999,999,999,990'), pg_size_pretty(total_memory),
		CASE WHEN customers >= 1000 THEN format(': %s bytes a customer', total_memory / customers) END) AS sentence
FROM crm.last_run() \gset
\echo :sentence

-- The rows that were skipped have been told once.
SET client_min_messages = warning;

\echo
\echo '== Segments: who the customers are and what they bring (crm.rfm_segments) =='
\echo
SELECT
	segment,
	customers,
	round(100 * share::numeric, 1) AS "share %",
	orders,
	round(revenue::numeric) AS revenue,
	round(100 * revenue_share::numeric, 1) AS "rev. %",
	round(extract(epoch FROM mean_recency) / 86400) AS "days ago",
	round(mean_frequency::numeric, 1) AS "orders each",
	round(mean_monetary::numeric) AS "spent each"
FROM crm.rfm_segments(key => CAST(NULL AS :key_type), source => :'source', as_of => :'as_of');

SELECT coalesce((
	SELECT format('%s are %s%% of the customers and bring %s%% of the revenue.', segment, round(100 * share::numeric), round(100 * revenue_share::numeric))
	FROM crm.rfm_segments(key => CAST(NULL AS :key_type), source => :'source', as_of => :'as_of')
	ORDER BY revenue DESC LIMIT 1), 'There are no customers.') AS sentence \gset
\echo :sentence

\echo
\echo '== Scores: where each begins and ends, and how many customers have it (crm.rfm_thresholds) =='
\echo
CREATE TEMP TABLE thresholds AS
SELECT * FROM crm.rfm_thresholds(key => CAST(NULL AS :key_type), source => :'source', as_of => :'as_of');

SELECT
	r.score,
	CASE WHEN r.customers > 0 THEN format('%s to %s', round(r.lower::numeric), round(r.upper::numeric)) END AS "days since last",
	r.customers AS with_r,
	CASE WHEN f.customers > 0 THEN concat_ws(' to ', f.lower, nullif(f.upper, f.lower)) END AS orders,
	f.customers AS with_f,
	CASE WHEN m.customers > 0 THEN format('%s to %s', round(m.lower::numeric, 2), round(m.upper::numeric, 2)) END AS spent,
	m.customers AS with_m
FROM thresholds r JOIN thresholds f USING (score) JOIN thresholds m USING (score)
WHERE r.dimension = 'recency' AND f.dimension = 'frequency' AND m.dimension = 'monetary'
ORDER BY score DESC;

SELECT coalesce(string_agg(format('%s, score %s: %s', dimension, score, note), E'\n' ORDER BY dimension, score),
	'Each score holds customers: no bin collapsed by equal values.') AS sentence
FROM thresholds WHERE note IS NOT NULL \gset
\echo :sentence

\if :has_names
\set who 's.customer_id, c.name'
\else
\set who 's.customer_id::text AS customer_id'
\endif

\echo
\echo '== The five best customers: rows of crm.rfm, joined to the customer table =='
\echo
SELECT :who, s.score, round(extract(epoch FROM s.recency) / 86400) AS "days ago", s.frequency AS orders,
	round(s.monetary::numeric, 2) AS spent, s.segment
FROM scored s JOIN customer c ON c.id = s.customer_id
ORDER BY s.r + s.f + s.m DESC, s.monetary DESC LIMIT 5;

SELECT coalesce('Why? ' || (SELECT reason FROM scored ORDER BY r + f + m DESC, monetary DESC LIMIT 1), 'There are no customers.') AS sentence \gset
\echo :sentence

\echo
\echo '== Worth a call: they bought often and much, but not for long =='
\echo
SELECT :who, s.score, round(extract(epoch FROM s.recency) / 86400) AS "days ago", s.frequency AS orders,
	round(s.monetary::numeric, 2) AS spent, s.segment
FROM scored s JOIN customer c ON c.id = s.customer_id
WHERE s.segment IN ('Cannot Lose Them', 'At Risk')
ORDER BY s.segment = 'Cannot Lose Them' DESC, s.monetary DESC LIMIT 5;

SELECT coalesce('Why? ' || (SELECT reason FROM scored WHERE segment IN ('Cannot Lose Them', 'At Risk')
	ORDER BY segment = 'Cannot Lose Them' DESC, monetary DESC LIMIT 1), 'There is nobody to call.') AS sentence \gset
\echo :sentence
