-- k-means over the shop's own table: groups of like customers, how many there are, and what they are in words.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never
SET client_min_messages = warning;

SELECT format_type(atttypid, NULL) AS key_type FROM pg_attribute WHERE attrelid = 'purchase'::regclass AND attname = 'buyer' \gset
SELECT coalesce(nullif(:'as_of', '')::timestamptz, max(bought_at) FILTER (WHERE isfinite(bought_at))::date + 1, now()) AS as_of FROM purchase \gset

\echo
\echo '== k-means: one row a customer with the features you like; here what crm.rfm tells, and the largest order =='
\echo
SELECT format('SELECT r.customer_id, r.monetary, r.frequency, extract(epoch FROM r.recency) / 86400 AS recency, l.largest
FROM crm.rfm(key => NULL::%s, as_of => %L,
    source => ''SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase'') r
JOIN (SELECT buyer, max(total) AS largest FROM purchase GROUP BY buyer) l ON l.buyer = r.customer_id', :'key_type', :'as_of') AS features \gset
CREATE TEMP TABLE feature AS :features;
\echo 'CREATE TEMP TABLE feature AS'
\echo :features;
\echo
\echo
\echo '== How many groups? (crm.kmeans_select_k) =='
\echo
SELECT k, round(silhouette::numeric, 3) AS silhouette, round(davies_bouldin::numeric, 2) AS "Davies-Bouldin", round(calinski_harabasz::numeric) AS "Calinski-Harabasz",
	round(stability::numeric, 2) AS stability, CASE WHEN chosen THEN 'chosen' END AS " "
FROM crm.kmeans_select_k(key => CAST(NULL AS :key_type), source => 'feature', transform => 'yeo-johnson', k_max => 6);

\echo
\echo '== The groups, with the means of their customers (crm.kmeans_clusters); five of them say more than the fewest =='
\echo
SELECT cluster, label, max(size) AS customers, round(100 * max(share)::numeric, 1) AS "share %",
	round(max(centroid) FILTER (WHERE feature = 'monetary')::numeric) AS "spent each",
	round(max(centroid) FILTER (WHERE feature = 'frequency')::numeric, 1) AS "orders each",
	round(max(centroid) FILTER (WHERE feature = 'recency')::numeric) AS "days ago",
	round(max(centroid) FILTER (WHERE feature = 'largest')::numeric) AS "largest order"
FROM crm.kmeans_clusters(key => CAST(NULL AS :key_type), source => 'feature', transform => 'yeo-johnson', k => 5)
GROUP BY cluster, label ORDER BY cluster;

\echo
\echo '== Each customer with a group and the reason (crm.kmeans) =='
\echo
SELECT format('SELECT * FROM crm.kmeans(key => NULL::%s, source => ''feature'', transform => ''yeo-johnson'', k => 5);', :'key_type') AS call \gset
\echo :call
\echo
CREATE TEMP TABLE clustered AS
SELECT * FROM crm.kmeans(key => CAST(NULL AS :key_type), source => 'feature', transform => 'yeo-johnson', k => 5);

SELECT coalesce(string_agg(format('Group %s, %s: %s.', cluster, lower(label), reason), E'\n' ORDER BY cluster), 'There are no customers.') AS sentence
FROM (SELECT DISTINCT cluster, label, reason FROM clustered WHERE cluster IS NOT NULL) w \gset
\echo :sentence

\echo
\echo '== On the border: customers who are as near to another group, the ones an offer may move =='
\echo
SELECT customer_id, label, cluster, second_cluster AS "next group", round(distance::numeric, 2) AS distance, round(silhouette::numeric, 3) AS silhouette
FROM clustered WHERE silhouette IS NOT NULL ORDER BY silhouette, customer_id LIMIT 5;
