-- process_views: how the work goes, for people and BI tools: sales_funnel, campaign_results, ticket_response, open_tasks.

CREATE FUNCTION crm._make_sales_funnel() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_view('sales_funnel', $view$
		WITH visit AS (
			SELECT h.customer_id, h.opportunity_id, h.pipeline_stage_id, h.time_in_stage
			FROM crm.opportunity_stage_history h
			UNION ALL
			-- The stage it is in now counts, whether or not a row tells of it.
			SELECT o.customer_id, o.opportunity_id, o.pipeline_stage_id, NULL::interval AS time_in_stage
			FROM crm.opportunity o
		), furthest AS (
			-- How far it came in the pipeline that it is in now; a loss is no step.
			SELECT o.customer_id, o.opportunity_id, o.pipeline_id, max(s.place) AS place
			FROM visit v
			JOIN crm.opportunity o USING (customer_id, opportunity_id)
			JOIN crm.pipeline_stage s ON s.pipeline_stage_id = v.pipeline_stage_id AND s.pipeline_id = o.pipeline_id
			WHERE s.outcome <> 'lost'
			GROUP BY 1, 2, 3
		), came AS (
			SELECT f.pipeline_id, f.place, count(*) AS opportunities, count(*) FILTER (WHERE s.outcome = 'lost') AS lost
			FROM furthest f
			JOIN crm.opportunity o USING (customer_id, opportunity_id)
			JOIN crm.pipeline_stage s ON s.pipeline_stage_id = o.pipeline_stage_id
			GROUP BY 1, 2
		), visited AS (
			SELECT v.pipeline_stage_id, count(DISTINCT (v.customer_id, v.opportunity_id)) AS entered,
				percentile_cont(0.5) WITHIN GROUP (ORDER BY v.time_in_stage) AS median_time,
				percentile_cont(0.9) WITHIN GROUP (ORDER BY v.time_in_stage) AS p90_time
			FROM visit v GROUP BY 1
		), present AS (
			SELECT o.pipeline_stage_id, count(*) AS opportunities, sum(o.base_amount) AS amount
			FROM crm.opportunity o GROUP BY 1
		), step AS (
			SELECT s.pipeline_stage_id, s.pipeline_id, s.place, s.outcome,
				sum(coalesce(c.opportunities, 0)) OVER from_here::bigint AS reached, coalesce(c.lost, 0) AS lost
			FROM crm.pipeline_stage s LEFT JOIN came c USING (pipeline_id, place)
			WHERE s.outcome <> 'lost'
			WINDOW from_here AS (PARTITION BY s.pipeline_id ORDER BY s.place DESC)
		), rate AS (
			SELECT s.*,
				CASE s.outcome WHEN 'open' THEN lead(s.reached) OVER onward::float8 / nullif(s.reached, 0) END AS step_conversion,
				s.reached::float8 / nullif(first_value(s.reached) OVER onward, 0) AS cumulative_conversion
			FROM step s
			WINDOW onward AS (PARTITION BY s.pipeline_id ORDER BY s.place)
		)
		SELECT p.pipeline_id, p.name AS pipeline, s.pipeline_stage_id, s.name AS stage, s.place, s.outcome,
			coalesce(v.entered, 0) AS entered, coalesce(n.opportunities, 0) AS now_in, coalesce(n.amount, 0) AS now_amount,
			r.reached, r.lost AS lost_from_here, r.step_conversion, r.cumulative_conversion, v.median_time, v.p90_time,
			coalesce(r.step_conversion < 1, false) AND row_number() OVER (PARTITION BY s.pipeline_id
				ORDER BY r.step_conversion NULLS LAST, s.place) = 1 AS is_worst_step
		FROM crm.pipeline p
		JOIN crm.pipeline_stage s USING (pipeline_id)
		LEFT JOIN rate r USING (pipeline_stage_id)
		LEFT JOIN visited v USING (pipeline_stage_id)
		LEFT JOIN present n USING (pipeline_stage_id)
	$view$);
	PERFORM crm._describe('sales_funnel', 'a row for each stage of each pipeline: how many opportunities came how far, and how long they stayed', $json${
		"pipeline_id": "the pipeline",
		"pipeline": "its name",
		"pipeline_stage_id": "the stage",
		"stage": "its name",
		"place": "its place in the pipeline",
		"outcome": "open, won or lost",
		"entered": "opportunities that have ever been in this stage",
		"now_in": "opportunities that are in it now",
		"now_amount": "their amounts, in the firm's own currency",
		"reached": "opportunities that came to this stage or a later one, skipped stages included; NULL for a lost stage",
		"lost_from_here": "opportunities that came no further than this and are lost",
		"step_conversion": "share of those that reached this stage that reached the next one; NULL when none did, and at the end",
		"cumulative_conversion": "share of those that reached the first stage that reached this one",
		"median_time": "median time in this stage, of the stays that have ended",
		"p90_time": "the time that nine in ten of them did not exceed",
		"is_worst_step": "whether the step from this stage to the next is the pipeline's worst: the lowest step_conversion"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_sales_funnel() IS 'makes the view sales_funnel';
REVOKE ALL ON FUNCTION crm._make_sales_funnel() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_sales_funnel() TO @extowner@;

CREATE FUNCTION crm._make_campaign_results() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- The interval of the uplift is Newcombe's (1998, method 10, from two Wilson intervals), at 95 %: z = 1.96, z^2 = 3.8415.
	PERFORM crm._make_view('campaign_results', $view$
		SELECT c.campaign_id, c.name AS campaign, c.channel, c.kind, c.status, c.starts_at, c.ends_at, c.budget,
			arm.members, e.sent, e.delivered, e.opened, e.clicked, e.replied, e.opted_out, e.hard_bounced, e.soft_bounced,
			e.converted,
			e.delivered::float8 / nullif(e.sent, 0) AS delivery_rate,
			e.opened::float8 / nullif(e.delivered, 0) AS open_rate,
			e.clicked::float8 / nullif(e.delivered, 0) AS click_rate,
			e.replied::float8 / nullif(e.delivered, 0) AS reply_rate,
			e.opted_out::float8 / nullif(e.delivered, 0) AS optout_rate,
			(e.hard_bounced + e.soft_bounced)::float8 / nullif(e.sent, 0) AS bounce_rate,
			t.rate AS conversion_rate,
			spent.cost, spent.cost / nullif(e.converted, 0) AS cost_per_conversion,
			sold.orders, sold.amount - returned.amount AS revenue,
			arm.holdout, arm.holdout_converted, h.rate AS holdout_conversion_rate,
			t.rate - h.rate AS uplift,
			t.rate - h.rate - sqrt((t.rate - t.low) ^ 2 + (h.high - h.rate) ^ 2) AS uplift_low,
			t.rate - h.rate + sqrt((t.high - t.rate) ^ 2 + (h.rate - h.low) ^ 2) AS uplift_high
		FROM crm.campaign c
		LEFT JOIN LATERAL (
			SELECT count(*) FILTER (WHERE p.sent) AS sent, count(*) FILTER (WHERE p.delivered) AS delivered,
				count(*) FILTER (WHERE p.opened) AS opened, count(*) FILTER (WHERE p.clicked) AS clicked,
				count(*) FILTER (WHERE p.replied) AS replied, count(*) FILTER (WHERE p.opted_out) AS opted_out,
				count(*) FILTER (WHERE p.hard_bounced) AS hard_bounced, count(*) FILTER (WHERE p.soft_bounced) AS soft_bounced,
				count(*) FILTER (WHERE p.converted AND m.is_holdout IS NOT TRUE) AS converted
			FROM (
				SELECT v.customer_id, bool_or(v.event = 'sent') AS sent, bool_or(v.event = 'delivered') AS delivered,
					bool_or(v.event = 'open') AS opened, bool_or(v.event = 'click') AS clicked,
					bool_or(v.event = 'reply') AS replied, bool_or(v.event = 'optout') AS opted_out,
					bool_or(v.event = 'hard_bounce') AS hard_bounced, bool_or(v.event = 'soft_bounce') AS soft_bounced,
					bool_or(v.event = 'convert') AS converted
				FROM crm.campaign_event v WHERE v.campaign_id = c.campaign_id GROUP BY v.customer_id) p
			LEFT JOIN crm.campaign_member m ON m.customer_id = p.customer_id AND m.campaign_id = c.campaign_id) e ON true
		LEFT JOIN LATERAL (
			SELECT count(*) FILTER (WHERE NOT m.is_holdout) AS members,
				count(v.customer_id) FILTER (WHERE NOT m.is_holdout) AS converted,
				count(*) FILTER (WHERE m.is_holdout) AS holdout,
				count(v.customer_id) FILTER (WHERE m.is_holdout) AS holdout_converted
			FROM crm.campaign_member m
			LEFT JOIN (SELECT DISTINCT v.customer_id FROM crm.campaign_event v
				WHERE v.campaign_id = c.campaign_id AND v.event = 'convert') v USING (customer_id)
			WHERE m.campaign_id = c.campaign_id) arm ON true
		CROSS JOIN LATERAL (
			SELECT a.x / nullif(a.n, 0) AS rate,
				(a.x + 1.92073 - 1.959964 * sqrt(a.x * (1 - a.x / nullif(a.n, 0)) + 0.960365)) / (a.n + 3.841459) AS low,
				(a.x + 1.92073 + 1.959964 * sqrt(a.x * (1 - a.x / nullif(a.n, 0)) + 0.960365)) / (a.n + 3.841459) AS high
			FROM (SELECT arm.converted::float8 AS x, arm.members::float8 AS n) a) t
		CROSS JOIN LATERAL (
			SELECT a.x / nullif(a.n, 0) AS rate,
				(a.x + 1.92073 - 1.959964 * sqrt(a.x * (1 - a.x / nullif(a.n, 0)) + 0.960365)) / (a.n + 3.841459) AS low,
				(a.x + 1.92073 + 1.959964 * sqrt(a.x * (1 - a.x / nullif(a.n, 0)) + 0.960365)) / (a.n + 3.841459) AS high
			FROM (SELECT arm.holdout_converted::float8 AS x, arm.holdout::float8 AS n) a) h
		LEFT JOIN LATERAL (
			SELECT coalesce(sum(s.amount), 0) AS cost FROM crm.campaign_cost s WHERE s.campaign_id = c.campaign_id) spent ON true
		LEFT JOIN LATERAL (
			SELECT count(*) AS orders, coalesce(sum(o.base_amount), 0) AS amount
			FROM crm.sales_order o
			WHERE o.campaign_id = c.campaign_id AND o.status NOT IN ('draft', 'cancelled')) sold ON true
		LEFT JOIN LATERAL (
			SELECT coalesce(sum(r.base_amount), 0) AS amount
			FROM crm.sales_order o JOIN crm.sales_return r USING (customer_id, sales_order_id)
			WHERE o.campaign_id = c.campaign_id) returned ON true
	$view$);
	PERFORM crm._describe('campaign_results', 'a row for each campaign: whom it reached, what they did, what it cost and brought, and what those did who were held out', $json${
		"campaign_id": "the campaign",
		"campaign": "its name",
		"channel": "by which channel",
		"kind": "what kind of campaign",
		"status": "draft, running, paused or done",
		"starts_at": "when it starts",
		"ends_at": "when it ends",
		"budget": "what it may cost",
		"members": "customers that it is for, without those held out",
		"sent": "customers to whom it was sent; each is counted once here and in what follows",
		"delivered": "customers whom it reached",
		"opened": "customers who opened it",
		"clicked": "customers who clicked",
		"replied": "customers who replied",
		"opted_out": "customers who wanted no more",
		"hard_bounced": "customers whose address does not exist",
		"soft_bounced": "customers whose address did not take it this time",
		"converted": "customers who converted, members or not, without those held out",
		"delivery_rate": "delivered / sent",
		"open_rate": "opened / delivered",
		"click_rate": "clicked / delivered",
		"reply_rate": "replied / delivered",
		"optout_rate": "opted out / delivered",
		"bounce_rate": "hard and soft bounces / sent",
		"conversion_rate": "members who converted / members",
		"cost": "what it cost, in the firm's own currency",
		"cost_per_conversion": "cost / converted",
		"orders": "orders attributed to it, from placed to completed",
		"revenue": "what they brought net of returns, in the firm's own currency",
		"holdout": "customers held out",
		"holdout_converted": "of those, customers who converted all the same",
		"holdout_conversion_rate": "holdout_converted / holdout",
		"uplift": "conversion_rate - holdout_conversion_rate: what the campaign added; NULL without a holdout",
		"uplift_low": "lower end of its 95 % interval",
		"uplift_high": "upper end of its 95 % interval; an interval around 0 shows no effect"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_campaign_results() IS 'makes the view campaign_results';
REVOKE ALL ON FUNCTION crm._make_campaign_results() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_campaign_results() TO @extowner@;

CREATE FUNCTION crm._make_ticket_response() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	-- A ticket that was solved without a word was answered by its solution.
	PERFORM crm._make_view('ticket_response', $view$
		SELECT t.customer_id, t.ticket_id, t.subject, t.status, t.priority, t.queue, t.channel,
			t.owner_id, (SELECT a.name FROM crm.agent a WHERE a.agent_id = t.owner_id) AS owner,
			t.region_id, t.product_id, (SELECT c.name FROM crm.root_cause c WHERE c.root_cause_id = t.root_cause_id) AS root_cause,
			t.reopened_count, t.opened_at,
			t.first_response_at, t.response_due_at, t.first_response_at - t.opened_at AS response_time,
			crm.business_time(t.opened_at, t.first_response_at, p.time_zone, p.opens, p.closes, p.weekdays) AS response_working_time,
			coalesce(t.first_response_at, t.resolved_at, now()) > t.response_due_at AS response_breached,
			t.resolved_at, t.resolution_due_at, t.resolved_at - t.opened_at AS resolution_time,
			crm.business_time(t.opened_at, t.resolved_at, p.time_zone, p.opens, p.closes, p.weekdays) AS resolution_working_time,
			coalesce(t.resolved_at, now()) > t.resolution_due_at AS resolution_breached
		FROM crm.ticket t
		LEFT JOIN crm.sla_policy p ON p.priority = t.priority
	$view$);
	PERFORM crm._describe('ticket_response', 'a row for each ticket: how long the customer waited, and whether that was longer than promised', $json${
		"customer_id": "the customer",
		"ticket_id": "the ticket",
		"subject": "what it is about",
		"status": "new, open, pending, solved or closed",
		"priority": "low, normal, high or urgent",
		"queue": "the group of agents that it waits for",
		"channel": "by which channel it came",
		"owner_id": "the agent who works on it",
		"owner": "that agent's name",
		"region_id": "the region that serves it",
		"product_id": "the product that it is about",
		"root_cause": "what lay behind it",
		"reopened_count": "how often it was taken up again",
		"opened_at": "when the customer asked",
		"first_response_at": "when the customer was answered first",
		"response_due_at": "when the first answer was due",
		"response_time": "how long the customer waited for it",
		"response_working_time": "how much of that was working time of the policy of the ticket's priority; NULL when there is no policy",
		"response_breached": "whether the first answer came, or is, too late; a solution is an answer; NULL when nothing was promised",
		"resolved_at": "when it was solved or closed",
		"resolution_due_at": "when the solution was due",
		"resolution_time": "how long the customer waited for it",
		"resolution_working_time": "how much of that was working time",
		"resolution_breached": "whether the solution came, or is, too late; NULL when nothing was promised"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_ticket_response() IS 'makes the view ticket_response';
REVOKE ALL ON FUNCTION crm._make_ticket_response() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_ticket_response() TO @extowner@;

CREATE FUNCTION crm._make_open_tasks() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_view('open_tasks', $view$
		SELECT t.task_id, t.subject, t.priority, t.due_at, coalesce(t.due_at < now(), false) AS is_overdue,
			t.customer_id, (SELECT c.name FROM crm.customer c WHERE c.customer_id = t.customer_id) AS customer,
			t.assignee_id, a.name AS assignee, m.name AS team,
			t.reference, t.reference_key,
			(SELECT min(r.remind_at) FROM crm.reminder r WHERE r.task_id = t.task_id AND r.sent_at IS NULL) AS next_reminder_at,
			t.created_at
		FROM crm.task t
		LEFT JOIN crm.agent a ON a.agent_id = t.assignee_id
		LEFT JOIN crm.team m ON m.team_id = a.team_id
		WHERE t.status = 'open'
	$view$);
	PERFORM crm._describe('open_tasks', 'a row for each task that is neither done nor cancelled', $json${
		"task_id": "the task",
		"subject": "what is to be done",
		"priority": "low, normal, high or urgent",
		"due_at": "until when",
		"is_overdue": "whether that has passed",
		"customer_id": "the customer whom it concerns; NULL for an internal task",
		"customer": "the customer's name",
		"assignee_id": "the agent who does it",
		"assignee": "that agent's name",
		"team": "that agent's team",
		"reference": "the relation that it is about",
		"reference_key": "the key of the row that it is about",
		"next_reminder_at": "the first reminder that was not sent yet",
		"created_at": "when the task was made"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_open_tasks() IS 'makes the view open_tasks';
REVOKE ALL ON FUNCTION crm._make_open_tasks() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_open_tasks() TO @extowner@;

CREATE FUNCTION crm._setup_310_process_views(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_sales_funnel();
	PERFORM crm._make_campaign_results();
	PERFORM crm._make_ticket_response();
	PERFORM crm._make_open_tasks();
END
$$;
COMMENT ON FUNCTION crm._setup_310_process_views(boolean) IS 'a step of crm.setup(): the views sales_funnel, campaign_results, ticket_response and open_tasks';
REVOKE ALL ON FUNCTION crm._setup_310_process_views(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_310_process_views(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_310_process_views() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{sales_funnel, campaign_results, ticket_response, open_tasks}'::text[] $$;
COMMENT ON FUNCTION crm._relations_310_process_views() IS 'what crm._setup_310_process_views makes';
REVOKE ALL ON FUNCTION crm._relations_310_process_views() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_310_process_views() TO @extowner@;

CREATE FUNCTION crm._access_310_process_views() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"sales_funnel": {"scope": "view"},
		"campaign_results": {"scope": "view"},
		"ticket_response": {"scope": "view", "personal": {"subject": "text", "owner": "name"}},
		"open_tasks": {"scope": "view", "through": "task",
			"personal": {"subject": "text", "customer": "name", "assignee": "name", "reference_key": "text"}}}}$json$::jsonb
$$;
COMMENT ON FUNCTION crm._access_310_process_views() IS 'access to what crm._setup_310_process_views makes';
REVOKE ALL ON FUNCTION crm._access_310_process_views() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_310_process_views() TO @extowner@;
