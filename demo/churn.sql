-- Churn in the firm's own tables: whom to call this week, why, and whether the scores can be trusted; who stays, by cohort.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never
SET client_min_messages = warning;

\echo
\echo '== Customers to call this week: the most money at risk among those who can still be kept (crm.churn) =='
\echo
\echo 'SELECT * FROM crm.churn(horizon => ''90 days'');'
\echo
CREATE TEMP TABLE churn AS SELECT * FROM crm.churn(horizon => '90 days');

SELECT 'Method "' || method_used || '": ' || message AS sentence FROM crm.churn_fit(horizon => '90 days') \gset
\echo :sentence
\echo
SELECT c.customer_id, p.name, round(100 * churn_probability::numeric) AS "leaves %", round(expected_revenue_at_risk::numeric) AS "at risk",
	round(days_since_last::numeric) AS "silent days", round(own_gap_p90::numeric) AS "9 in 10 gaps", reasons[1] AS reason, reasons[2] AS "and"
FROM churn c JOIN crm.customer_360 p USING (customer_id)
WHERE churn_probability < 0.8 AND c.status = 'ok' ORDER BY expected_revenue_at_risk DESC, c.customer_id LIMIT 8;

\echo '== All of them by band =='
\echo
SELECT band, count(*) AS customers, round(100 * avg(churn_probability)::numeric) AS "leave %", round(sum(expected_revenue_at_risk)::numeric) AS "revenue at risk"
FROM churn GROUP BY band ORDER BY min(churn_probability);

\echo '== May we trust it? What each method would have said at past moments, against who then stayed away (crm.churn_backtest) =='
\echo
SELECT cut::date, method, customers, round(100 * base_rate::numeric) AS "left %", round(auc::numeric, 3) AS "AUC", round(log_loss::numeric, 3) AS "log-loss", round(calibration_slope::numeric, 2) AS "slope (1 is right)",
	round(top_decile_lift::numeric, 2) AS "lift of top tenth"
FROM crm.churn_backtest(horizon => '90 days') ORDER BY cut DESC, auc DESC NULLS LAST LIMIT 4;

\echo '== Which cohorts stay: customers of a quarter who order again one, two, ... quarters later, in per cent (crm.cohorts) =='
\echo
SELECT to_char(cohort_start, 'YYYY "Q"Q') || ' (' || size || ')' AS "cohort (size)", number, round(100 * rate::numeric) AS active
FROM crm.cohorts(cohort => 'quarter', period => 'quarter') WHERE is_complete ORDER BY cohort_start, number
\crosstabview 1 number active number

\echo
\echo '== Customers and revenue at the start of a quarter, and what was left of them at its end (crm.retention) =='
\echo
SELECT period_start::date AS "from", at_start AS "at start", retained, lost, new_customers AS "new", returned, at_end AS "at end", round(100 * retention_rate::numeric) AS "retention %", round(100 * churn_rate::numeric) AS "churn %"
FROM crm.retention(period => '3 months', to_at => date_trunc('quarter', now())) ORDER BY period_start DESC LIMIT 5;
