-- simulate_service: tickets, surveys, tasks, points, tags and scores of crm.simulate_crm().
--
-- Customers with three orders or more who have not ordered for 120 days fell silent: three in five of them complained around
-- their last order.

CREATE FUNCTION crm._simulate_tickets(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
	helpers constant bigint[] := ARRAY(SELECT a.agent_id FROM crm.agent a WHERE a.team_id = 7 AND NOT a.is_manager ORDER BY 1);
BEGIN
	CREATE TEMPORARY TABLE simulated_ticket ON COMMIT DROP AS
	WITH asked AS (
		SELECT o.customer_id, o.sales_order_id * 4 AS key, d.complains < 0.02 AS is_complaint,
			o.ordered_at + make_interval(secs => floor(3600 + 86400 * 7 * d.later)) AS opened_at
		FROM crm.sales_order o
		CROSS JOIN LATERAL (SELECT (hashint8extended(o.sales_order_id, draws + 501) & m) / n AS asks,
			(hashint8extended(o.sales_order_id, draws + 502) & m) / n AS complains, (hashint8extended(o.sales_order_id, draws + 503) & m) / n AS later) d
		WHERE o.status <> 'draft' AND (d.asks < 0.06 OR d.complains < 0.02)
		UNION ALL
		SELECT s.customer_id, s.sales_order_id * 4 + g.place, true, s.ordered_at + make_interval(secs => floor(86400 * (30 * e.later - 20)))
		FROM (
			SELECT o.customer_id, max(o.ordered_at) AS ordered_at, max(o.sales_order_id) AS sales_order_id, min(c.created_at) AS created_at
			FROM crm.sales_order o JOIN crm.customer c USING (customer_id)
			WHERE o.status NOT IN ('draft', 'cancelled') AND o.opportunity_id IS NULL
			GROUP BY 1 HAVING count(*) >= 3 AND max(o.ordered_at) < as_of - interval '120 days'
		) s
		CROSS JOIN LATERAL (SELECT (hashint8extended(s.customer_id, draws + 504) & m) / n AS complains) d
		CROSS JOIN LATERAL generate_series(1, CASE WHEN d.complains < 0.2 THEN 2 WHEN d.complains < 0.6 THEN 1 ELSE 0 END) g (place)
		CROSS JOIN LATERAL (SELECT (hashint8extended(s.sales_order_id * 4 + g.place, draws + 505) & m) / n AS later) e
		WHERE s.ordered_at - interval '20 days' > s.created_at
	)
	SELECT row_number() OVER (ORDER BY a.opened_at, a.key) AS ticket_id, a.customer_id, a.key, a.is_complaint, a.opened_at,
		CASE WHEN d.priority < 0.03 THEN 'urgent' WHEN a.is_complaint AND d.priority < 0.5 THEN 'high' WHEN d.priority > 0.75 THEN 'low' ELSE 'normal' END AS priority,
		helpers[1 + (d.helper * cardinality(helpers))::integer % cardinality(helpers)] AS owner_id,
		-- working time, log-normal, against what the priority promises
		exp(0.8 * sqrt(-2 * ln(1 - d.answer)) * cos(2 * pi() * d.turn)) * 0.45 AS answer, exp(0.8 * sqrt(-2 * ln(1 - d.answer)) * sin(2 * pi() * d.turn)) * 0.4 AS solution,
		d.reopens < 0.06 AS is_reopened, NULL::timestamptz AS first_response_at, NULL::timestamptz AS resolved_at
	FROM asked a
	CROSS JOIN LATERAL (SELECT (hashint8extended(a.key, draws + 506) & m) / n AS priority, (hashint8extended(a.key, draws + 507) & m) / n AS helper,
		(hashint8extended(a.key, draws + 508) & m) / n AS answer, (hashint8extended(a.key, draws + 509) & m) / n AS turn,
		(hashint8extended(a.key, draws + 510) & m) / n AS reopens) d
	WHERE a.opened_at < as_of - interval '10 minutes';
	UPDATE pg_temp.simulated_ticket t
	SET first_response_at = crm.add_business_time(t.opened_at, p.first_response * t.answer, p.time_zone, p.opens, p.closes, p.weekdays),
		resolved_at = crm.add_business_time(t.opened_at, p.first_response * t.answer + p.resolution * t.solution, p.time_zone, p.opens, p.closes, p.weekdays)
	FROM crm.sla_policy p WHERE p.priority = t.priority;

	INSERT INTO crm.ticket (customer_id, ticket_id, subject, priority, queue, channel, owner_id, product_id, region_id, root_cause_id, opened_at)
	SELECT t.customer_id, t.ticket_id, CASE WHEN t.is_complaint THEN 'Complaint about ' ELSE 'Question about ' END || p.name, t.priority,
		CASE WHEN t.is_complaint THEN 'complaints' ELSE 'questions' END, ('{mail, phone, chat}'::text[])[1 + t.key % 3], t.owner_id, p.product_id, c.region_id,
		CASE WHEN t.is_complaint THEN width_bucket((hashint8extended(t.key, draws + 511) & m) / n, '{0, 0.45, 0.7, 0.85}') END, t.opened_at
	FROM pg_temp.simulated_ticket t
	JOIN crm.customer c USING (customer_id)
	JOIN crm.sales_order_item i ON i.customer_id = t.customer_id AND i.sales_order_id = t.key / 4 AND i.line_number = 1
	JOIN crm.product p USING (product_id)
	ORDER BY t.ticket_id;
	ANALYZE crm.ticket, pg_temp.simulated_ticket;
END
$$;
COMMENT ON FUNCTION crm._simulate_tickets(bigint, timestamptz) IS 'a step of crm.simulate_crm(): what customers ask and complain about';
REVOKE ALL ON FUNCTION crm._simulate_tickets(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_tickets(bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_ticket_work(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	key constant text := 'SELECT t.customer_id || '','' || t.ticket_id, ';
	source constant text := ' FROM pg_temp.simulated_ticket t';
BEGIN
	INSERT INTO crm.ticket_message (customer_id, ticket_id, ticket_message_id, direction, channel, body, agent_id, sent_at)
	SELECT t.customer_id, t.ticket_id, row_number() OVER (ORDER BY e.sent_at, t.ticket_id, e.body), e.direction, t.channel, e.body,
		CASE e.direction WHEN 'out' THEN t.owner_id END, e.sent_at
	FROM pg_temp.simulated_ticket s
	JOIN crm.ticket t USING (customer_id, ticket_id)
	CROSS JOIN LATERAL (VALUES ('in', s.opened_at, t.subject), ('out', s.first_response_at, 'We look into it.'),
		('in', s.first_response_at + (s.resolved_at - s.first_response_at) * 0.5, 'Any news?'),
		('out', s.resolved_at, 'This should settle it.')) e (direction, sent_at, body)
	WHERE e.sent_at < as_of AND (e.body <> 'Any news?' OR s.key % 3 = 0)
	ORDER BY e.sent_at;
	ANALYZE crm.ticket_message;

	UPDATE crm.ticket t SET status = 'open' FROM pg_temp.simulated_ticket s
	WHERE s.customer_id = t.customer_id AND s.ticket_id = t.ticket_id AND s.first_response_at < as_of;
	PERFORM crm._simulate_moments('crm.ticket', key || 't.first_response_at' || source);
	UPDATE crm.ticket t SET status = 'solved', resolved_at = s.resolved_at FROM pg_temp.simulated_ticket s
	WHERE s.customer_id = t.customer_id AND s.ticket_id = t.ticket_id AND s.resolved_at < as_of;
	PERFORM crm._simulate_moments('crm.ticket', key || 't.resolved_at' || source);
	-- Some are taken up again two days later, and solved for good the day after.
	UPDATE crm.ticket t SET status = 'open' FROM pg_temp.simulated_ticket s
	WHERE s.customer_id = t.customer_id AND s.ticket_id = t.ticket_id AND s.is_reopened AND s.resolved_at < as_of - interval '4 days';
	PERFORM crm._simulate_moments('crm.ticket', key || 't.resolved_at + interval ''2 days''' || source);
	UPDATE crm.ticket t SET status = 'solved', resolved_at = s.resolved_at + interval '3 days' FROM pg_temp.simulated_ticket s
	WHERE s.customer_id = t.customer_id AND s.ticket_id = t.ticket_id AND t.reopened_count > 0;
	PERFORM crm._simulate_moments('crm.ticket', key || 't.resolved_at + interval ''3 days''' || source);
	UPDATE crm.ticket t SET status = 'closed' WHERE t.status = 'solved' AND t.resolved_at < as_of - interval '15 days';
	PERFORM crm._simulate_moments('crm.ticket', key || 't.resolved_at + interval ''14 days''' || ' FROM crm.ticket t');
END
$$;
COMMENT ON FUNCTION crm._simulate_ticket_work(bigint, timestamptz) IS 'a step of crm.simulate_crm(): messages about tickets, and their way to closed';
REVOKE ALL ON FUNCTION crm._simulate_ticket_work(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_ticket_work(bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_surveys(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	-- Who had to wait too long, or complained, is less satisfied.
	INSERT INTO crm.survey_response (customer_id, survey_response_id, survey_id, score, comment, answered_at, ticket_id, channel)
	SELECT a.customer_id, row_number() OVER (ORDER BY a.answered_at, a.customer_id, a.survey_id), a.survey_id, a.score, a.comment, a.answered_at, a.ticket_id, 'mail'
	FROM (
		SELECT t.customer_id, 2 AS survey_id, t.ticket_id, t.resolved_at + interval '1 day' AS answered_at, CASE WHEN d.score < 0.1 THEN 'Thank you' END AS comment,
			greatest(1, 5 - (d.score * d.score * 4)::integer - (t.queue = 'complaints')::integer - (t.resolved_at > t.resolution_due_at)::integer) AS score
		FROM crm.ticket t
		CROSS JOIN LATERAL (SELECT (hashint8extended(t.ticket_id, draws + 521) & m) / n AS answers, (hashint8extended(t.ticket_id, draws + 522) & m) / n AS score) d
		WHERE t.resolved_at < as_of - interval '1 day' AND d.answers < 0.4
		UNION ALL
		SELECT o.customer_id, CASE WHEN d.answers < 0.05 THEN 1 ELSE 3 END, NULL, o.ordered_at + interval '9 days', NULL,
			CASE WHEN d.answers < 0.05 THEN greatest(0, 10 - (d.score * d.score * 8)::integer - 3 * (t.customer_id IS NOT NULL)::integer)
				ELSE 7 - (d.score * d.score * 6)::integer END
		FROM crm.sales_order o
		LEFT JOIN (SELECT DISTINCT t.customer_id FROM crm.ticket t WHERE t.queue = 'complaints') t USING (customer_id)
		CROSS JOIN LATERAL (SELECT (hashint8extended(o.sales_order_id, draws + 523) & m) / n AS answers, (hashint8extended(o.sales_order_id, draws + 524) & m) / n AS score) d
		WHERE o.status = 'completed' AND d.answers < 0.07
	) a
	WHERE a.answered_at < as_of;
END
$$;
COMMENT ON FUNCTION crm._simulate_surveys(bigint, timestamptz) IS 'a step of crm.simulate_crm(): what customers answer when they are asked';
REVOKE ALL ON FUNCTION crm._simulate_surveys(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_surveys(bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_tasks(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
BEGIN
	INSERT INTO crm.task (task_id, customer_id, subject, assignee_id, due_at, priority, reference, reference_key, created_at)
	SELECT row_number() OVER (ORDER BY t.created_at, t.reference, t.reference_key, t.assignee_id), t.*
	FROM (
		SELECT o.customer_id, 'Follow up ' || lower(o.name), o.owner_id,
			CASE WHEN o.closed_at IS NULL THEN as_of + make_interval(days => 12 - (o.opportunity_id % 17)::integer) ELSE o.created_at + interval '7 days' END,
			CASE WHEN o.base_amount > 1000 THEN 'high' ELSE 'normal' END, 'crm.opportunity', o.customer_id || ',' || o.opportunity_id,
			o.created_at + interval '1 hour' AS created_at
		FROM crm.opportunity o
		UNION ALL
		SELECT t.customer_id, 'Call back: ' || lower(t.subject), t.owner_id, t.opened_at + interval '2 days', t.priority, 'crm.ticket',
			t.customer_id || ',' || t.ticket_id, t.opened_at + interval '5 minutes'
		FROM crm.ticket t WHERE t.priority IN ('high', 'urgent')
		UNION ALL
		SELECT NULL, 'Monthly report', a.agent_id, date_trunc('month', as_of) + interval '1 month', 'normal', NULL, NULL, date_trunc('month', as_of) - interval '1 day'
		FROM crm.agent a WHERE a.is_manager
	) t (customer_id, subject, assignee_id, due_at, priority, reference, reference_key, created_at)
	WHERE t.created_at < as_of;
	PERFORM crm._simulate_moments('crm.task', 'SELECT t.task_id::text, t.created_at FROM crm.task t');
	UPDATE crm.task t SET status = 'done', done_at = least(t.due_at, as_of) - interval '1 hour'
	WHERE t.customer_id IS NOT NULL AND t.created_at < as_of - interval '5 days' AND (t.due_at < as_of - interval '20 days'
		OR t.reference = 'crm.ticket' AND EXISTS (SELECT FROM crm.ticket k WHERE k.customer_id = t.customer_id
			AND k.customer_id || ',' || k.ticket_id = t.reference_key AND k.resolved_at IS NOT NULL));
	PERFORM crm._simulate_moments('crm.task', 'SELECT t.task_id::text, t.done_at FROM crm.task t WHERE t.status = ''done''');
	INSERT INTO crm.reminder (reminder_id, task_id, remind_at, sent_at)
	SELECT row_number() OVER (ORDER BY t.task_id), t.task_id, t.due_at - interval '1 day', CASE WHEN t.due_at - interval '1 day' < as_of THEN t.due_at - interval '1 day' END
	FROM crm.task t WHERE t.status = 'open';
END
$$;
COMMENT ON FUNCTION crm._simulate_tasks(bigint, timestamptz) IS 'a step of crm.simulate_crm(): what agents are to do and have done';
REVOKE ALL ON FUNCTION crm._simulate_tasks(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_tasks(bigint, timestamptz) TO @extowner@;

-- A point for each unit of money; who has earned 200 more spends 150 of them.
CREATE FUNCTION crm._simulate_loyalty(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	INSERT INTO crm.loyalty_ledger (customer_id, kind, points, occurred_at, sales_order_id, reason)
	SELECT e.customer_id, k.kind, k.points, k.occurred_at, k.sales_order_id, k.reason
	FROM (
		SELECT o.customer_id, o.sales_order_id, o.ordered_at, floor(o.base_amount)::bigint AS points,
			sum(floor(o.base_amount)::bigint) OVER (PARTITION BY o.customer_id ORDER BY o.ordered_at, o.sales_order_id) AS earned
		FROM crm.sales_order o
		JOIN crm.customer c USING (customer_id)
		WHERE o.status = 'completed' AND o.base_amount >= 1 AND c.kind = 'person' AND (hashint8extended(c.customer_id, draws + 531) & m) / n < 0.6
	) e
	CROSS JOIN LATERAL (VALUES (1, 'earn', e.points, e.ordered_at + interval '3 days', e.sales_order_id, 'order'),
		(2, 'redeem', -150 * (div(e.earned, 200) - div(e.earned - e.points, 200))::bigint, e.ordered_at + interval '3 days 1 minute', NULL, 'voucher')
	) k (place, kind, points, occurred_at, sales_order_id, reason)
	WHERE k.points <> 0
	ORDER BY e.customer_id, e.ordered_at, e.sales_order_id, k.place;
	ANALYZE crm.loyalty_ledger;
END
$$;
COMMENT ON FUNCTION crm._simulate_loyalty(bigint, timestamptz) IS 'a step of crm.simulate_crm(): points earned and spent';
REVOKE ALL ON FUNCTION crm._simulate_loyalty(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_loyalty(bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_marks(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
BEGIN
	CREATE TEMPORARY TABLE simulated_value ON COMMIT DROP AS
	SELECT c.customer_id, coalesce(sum(o.base_amount), 0) AS revenue, max(o.ordered_at) AS last_order_at,
		row_number() OVER (ORDER BY sum(o.base_amount) DESC NULLS LAST, c.customer_id) AS place
	FROM crm.customer c
	LEFT JOIN crm.sales_order o ON o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')
	GROUP BY c.customer_id;
	INSERT INTO crm.customer_tag (customer_id, tag_id, tagged_at, agent_id)
	SELECT v.customer_id, t.tag_id, greatest(as_of - interval '10 days', c.created_at), c.owner_id
	FROM simulated_value v
	JOIN crm.customer c USING (customer_id)
	JOIN pg_temp.simulated_customer s USING (customer_id)
	CROSS JOIN LATERAL (VALUES (1, v.place <= (SELECT count(*) FROM crm.customer) / 20 AND v.revenue > 0), (2, c.kind = 'organisation' AND s.is_buyer),
		(3, v.last_order_at < as_of - interval '180 days'),
		(4, EXISTS (SELECT FROM crm.campaign_event e WHERE e.customer_id = c.customer_id AND e.event = 'click')), (5, s.currency IS NOT NULL)) t (tag_id, applies)
	WHERE t.applies;

	-- How lively a customer is, at the end of two months.
	INSERT INTO crm.score (customer_id, model, scored_at, value, band)
	SELECT a.customer_id, 'activity', a.scored_at, round(a.value, 4)::float8, CASE WHEN a.value > 0.5 THEN 'high' WHEN a.value > 0.1 THEN 'medium' ELSE 'low' END
	FROM (
		SELECT o.customer_id, s.scored_at, exp(- extract(epoch FROM s.scored_at - max(o.ordered_at)) / 86400 / 90)::numeric AS value
		FROM (VALUES (as_of - interval '31 days'), (as_of - interval '1 day')) s (scored_at)
		JOIN crm.sales_order o ON o.ordered_at < s.scored_at AND o.status NOT IN ('draft', 'cancelled')
		GROUP BY 1, 2
	) a;

	INSERT INTO crm.segment (segment_id, name, kind, query, about) VALUES (1, 'Best customers', 'static', NULL, 'The best twentieth by revenue'),
		(2, 'Sleeping', 'query', 'SELECT c.customer_id FROM crm.customer_360 c WHERE c.last_order_at < now() - interval ''180 days''', 'No order for half a year');
	INSERT INTO crm.segment_member (customer_id, segment_id, added_at)
	SELECT g.customer_id, 1, g.tagged_at FROM crm.customer_tag g WHERE g.tag_id = 1;
	DROP TABLE simulated_value;
END
$$;
COMMENT ON FUNCTION crm._simulate_marks(bigint, timestamptz) IS 'a step of crm.simulate_crm(): tags, segments and scores';
REVOKE ALL ON FUNCTION crm._simulate_marks(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_marks(bigint, timestamptz) TO @extowner@;
