-- A whole CRM: a simulated firm in the extension's own tables, and what its people see of it.
\pset footer off
\pset numericlocale on
\pset null ''
\set SHOW_CONTEXT never
SET client_min_messages = warning;

\echo
\echo '== A CRM of its own: crm.setup() makes the tables, crm.simulate_crm(2000) fills them with two years of a firm =='
\echo
SELECT string_agg(to_char(c.reltuples::bigint, 'FM999,999,999') || ' ' || t.what, ', ' ORDER BY t.place) AS sentence
FROM pg_class c JOIN (VALUES (1, 'customer', 'customers'), (2, 'lead', 'leads'), (3, 'opportunity', 'opportunities'), (4, 'sales_order', 'orders'),
	(5, 'campaign_event', 'campaign events'), (6, 'ticket', 'tickets'), (7, 'survey_response', 'survey responses'), (8, 'interaction', 'logged interactions'))
	t (place, relname, what) USING (relname)
WHERE c.relnamespace = 'crm'::regnamespace \gset
\echo :sentence

SELECT t.customer_id AS id FROM crm.ticket_response t JOIN crm.customer_360 c USING (customer_id)
WHERE t.resolved_at IS NULL AND c.points > 0 ORDER BY c.orders DESC, t.customer_id LIMIT 1 \gset

\echo
\echo '== Everything about one customer (crm.customer_360) =='
\echo
\x on
SELECT customer_id, name, kind, lifecycle, mail, owner, region, orders, revenue, returned_amount, first_order_at::date, last_order_at::date,
	last_interaction_kind AS last_contact, open_opportunities, open_tickets, points, tags, consent, scores -> 'activity' ->> 'band' AS activity
FROM crm.customer_360 WHERE customer_id = :id;
\x off

\echo '== The timeline, the latest first (crm.timeline): kept by triggers, nobody wrote it =='
\echo
SELECT to_char(occurred_at, 'YYYY-MM-DD HH24:MI') AS occurred_at, kind, action, coalesce(channel, direction) AS "by", left((detail -> 'new')::text, 70) AS new
FROM crm.timeline(:id) LIMIT 8;

\echo '== The funnel: where deals wait and are lost (crm.sales_funnel) =='
\echo
SELECT stage, entered, now_in, round(now_amount) AS now_amount, round(100 * step_conversion::numeric) AS "to next %", round(100 * cumulative_conversion::numeric) AS "of all %",
	round(extract(epoch FROM median_time) / 86400, 1) AS "median days", round(extract(epoch FROM p90_time) / 86400, 1) AS "9 in 10 within",
	CASE WHEN is_worst_step THEN '<- bottleneck' END AS worst
FROM crm.sales_funnel ORDER BY place;

\echo '== Campaigns against those held out: who would have ordered anyway? (crm.campaign_results) =='
\echo
SELECT campaign, members, round(100 * open_rate::numeric) AS "open %", round(100 * click_rate::numeric) AS "click %", converted, round(100 * conversion_rate::numeric, 1) AS "conv. %",
	round(100 * holdout_conversion_rate::numeric, 1) AS "holdout %", round(100 * uplift::numeric, 1) AS uplift, round(100 * uplift_low::numeric, 1) AS "from", round(100 * uplift_high::numeric, 1) AS "to",
	round(revenue) AS revenue, round(cost_per_conversion, 2) AS "cost each", CASE WHEN uplift_low > 0 THEN '<- works' END AS effect
FROM crm.campaign_results ORDER BY starts_at;

\echo '== Tickets against what was promised (crm.ticket_response), hours in working time =='
\echo
SELECT priority, count(*) AS tickets,
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM response_working_time)) / 3600)::numeric, 1) AS "median to answer",
	round(100 * avg(response_breached::int)) AS "answered late %",
	round((percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM resolution_working_time)) / 3600)::numeric, 1) AS "median to solve",
	round(100 * avg(resolution_breached::int)) AS "solved late %", count(*) FILTER (WHERE resolved_at IS NULL) AS open
FROM crm.ticket_response GROUP BY priority ORDER BY array_position('{urgent,high,normal,low}', priority);

\echo '== What is to be done next (crm.open_tasks) =='
\echo
SELECT due_at::date AS due, is_overdue AS late, priority, left(subject, 36) AS subject, customer, assignee, team
FROM crm.open_tasks WHERE due_at IS NOT NULL ORDER BY due_at, task_id LIMIT 6;

SELECT customer_id AS survivor, duplicate_id AS duplicate, array_to_string(reasons, ', ') AS reasons FROM crm.find_duplicates(max_pairs => 1) \gset
SELECT string_agg(format('%s (%s orders, %s)', customer_id, orders, revenue), ' and ' ORDER BY customer_id) AS before FROM crm.customer_360 WHERE customer_id IN (:survivor, :duplicate) \gset
SELECT crm.merge_customers(:survivor, :duplicate) AS merge \gset
SELECT format('%s (%s orders, %s)', customer_id, orders, revenue) AS after FROM crm.customer_360 WHERE customer_id IN (:survivor, :duplicate) \gset
\echo '== One customer entered twice (crm.find_duplicates), made one (crm.merge_customers) =='
\echo
\echo 'The same' :reasons': customers' :before
\echo 'Merged:' :after'; crm.unmerge_customers(':merge') would undo it.'

SELECT lead_id AS lead FROM crm.lead WHERE status = 'qualified' ORDER BY created_at DESC, lead_id LIMIT 1 \gset
\echo
\echo '== A lead becomes a customer with an opportunity (crm.convert_lead) =='
\echo
SELECT * FROM crm.convert_lead(:lead, amount => 1200);

\echo '== And the analytics need no source any more: SELECT * FROM crm.rfm_segments() reads the CRM''s own orders =='
\echo
SELECT segment, customers, round(100 * share::numeric, 1) AS "share %", orders, round(revenue::numeric) AS revenue, round(100 * revenue_share::numeric, 1) AS "rev. %",
	round(extract(epoch FROM mean_recency) / 86400) AS "days ago"
FROM crm.rfm_segments() ORDER BY revenue DESC;
