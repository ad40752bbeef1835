-- Lifetime value over the shop's own table: who is worth most, what may be lost, and whether to believe it.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never
SET client_min_messages = warning;

SELECT format_type(atttypid, NULL) AS key_type FROM pg_attribute WHERE attrelid = 'purchase'::regclass AND attname = 'buyer' \gset
SELECT coalesce(nullif(:'as_of', '')::timestamptz, max(bought_at) FILTER (WHERE isfinite(bought_at))::date + 1, now()) AS as_of FROM purchase \gset
SELECT min(bought_at) FILTER (WHERE isfinite(bought_at)) + (:'as_of'::timestamptz - min(bought_at) FILTER (WHERE isfinite(bought_at))) * 0.75 AS cut_at FROM purchase \gset

\echo
\echo '== Customer lifetime value: what each customer will buy and is worth in the next year (crm.clv) =='
\echo
CREATE TEMP VIEW shop_orders AS SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase;
SELECT format('SELECT * FROM crm.clv(key => NULL::%s, source => ''SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase'', as_of => %L);', :'key_type', :'as_of') AS call \gset
\echo :call
\echo
CREATE TEMP TABLE clv AS
SELECT * FROM crm.clv(key => CAST(NULL AS :key_type), source => 'shop_orders', as_of => :'as_of');

SELECT message FROM crm.clv_fit(key => CAST(NULL AS :key_type), source => 'shop_orders', as_of => :'as_of') \gset
\echo 'The model:' :message
\echo
\echo '== The ten most valuable customers =='
\echo
SELECT customer_id, x + 1 AS orders, last_order_at::date AS "last order", round(100 * p_alive::numeric) AS "active %", round(expected_orders::numeric, 1) AS "orders to come",
	round(expected_order_value::numeric, 2) AS "value of one", round(clv::numeric) AS "worth", round(clv_low::numeric) AS "from", round(clv_high::numeric) AS "to", next_order_at::date AS "next order"
FROM clv ORDER BY clv DESC, customer_id LIMIT 10;

\echo
\echo '== The value at risk: customers worth a visit, by how sure it is that they are still there =='
\echo
SELECT CASE WHEN p_alive >= 0.8 THEN 'safe: 80 % and more' WHEN p_alive >= 0.5 THEN 'at risk: 50 to 80 %' WHEN p_alive IS NULL THEN 'not known' ELSE 'nearly lost: below 50 %' END AS "still active",
	count(*) AS customers, round(sum(clv)::numeric) AS "worth", round((sum(clv / nullif(p_alive, 0)) - sum(clv))::numeric) AS "worth more if kept"
FROM clv GROUP BY 1, p_alive IS NULL ORDER BY min(coalesce(p_alive, -1)) DESC;

\echo
\echo '== May we trust it? Fitted to the first three quarters of the history, held against the last (crm.clv_backtest) =='
\echo
SELECT model, round(mae::numeric, 3) AS "mean error", round(rank_correlation::numeric, 2) AS "rank correlation", round(100 * top_decile_found::numeric) AS "top tenth found %",
	round(predicted_orders::numeric) AS predicted, round(actual_orders::numeric) AS actual
FROM crm.clv_backtest(key => CAST(NULL AS :key_type), source => 'shop_orders', cut_at => :'cut_at', holdout => :'as_of'::timestamptz - :'cut_at'::timestamptz);

\echo
\echo '== Orders predicted and made in that last quarter, a customer, by tenths of the prediction (crm.clv_calibration) =='
\echo
SELECT number AS tenth, customers, round(predicted_orders::numeric, 2) AS predicted, round(actual_orders::numeric, 2) AS actual
FROM crm.clv_calibration(key => CAST(NULL AS :key_type), source => 'shop_orders', cut_at => :'cut_at', holdout => :'as_of'::timestamptz - :'cut_at'::timestamptz)
WHERE grouped_by = 'decile' ORDER BY number DESC;
