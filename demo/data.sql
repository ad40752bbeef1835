-- What the shop has; :as_of is the moment to report on, or empty.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never

-- A word that is no time fails here, by its own name.
SELECT nullif(:'as_of', '')::timestamptz IS NULL AS has_no_as_of \gset

\echo
\echo '== The shop: tables of the application, nothing of ours in them =='
\echo
SELECT
	(SELECT count(*) FROM customer) AS customers,
	count(*) AS orders,
	min(bought_at) FILTER (WHERE isfinite(bought_at))::date AS first_order,
	max(bought_at) FILTER (WHERE isfinite(bought_at))::date AS last_order,
	round(sum(total) FILTER (WHERE total < 'Infinity' AND total > '-Infinity'), 2) AS revenue,
	count(*) FILTER (WHERE total < 0) AS refunds,
	count(*) FILTER (WHERE buyer IS NULL) AS without_customer
FROM purchase;
\d purchase
