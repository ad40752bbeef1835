-- simulate_sales: the leads, deals, orders and returns of crm.simulate_crm().

CREATE FUNCTION crm._simulate_leads(customers integer, draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	-- Each organisation was a lead before; others are still one, or came to nothing.
	CREATE TEMPORARY TABLE simulated_lead ON COMMIT DROP AS
	SELECT row_number() OVER (ORDER BY l.created_at, l.key) AS lead_id, l.*,
		(hashint8extended(l.key, draws + 401) & m) / n AS fate, (hashint8extended(l.key, draws + 402) & m) / n AS way,
		l.created_at - make_interval(secs => floor(864000 * ((hashint8extended(l.key, draws + 403) & m) / n))) AS first_touch_at
	FROM (
		SELECT c.customer_id AS key, c.customer_id, c.name AS organisation, c.owner_id, c.region_id, c.created_at AS converted_at,
			c.created_at - make_interval(secs => floor(86400 * (2 + 25 * ((hashint8extended(c.customer_id, draws + 404) & m) / n)))) AS created_at
		FROM crm.customer c WHERE c.kind = 'organisation'
		UNION ALL
		SELECT 1000000 + s.key, NULL, NULL, o.owner_id, o.region_id, NULL,
			as_of - make_interval(secs => floor(3600 + 86400 * 728 * ((hashint8extended(s.key, draws + 405) & m) / n)))
		FROM generate_series(1, customers * 2 / 5) s (key)
		JOIN crm.customer o ON o.customer_id = s.key -- a lead of the same region and agent
	) l;
	INSERT INTO crm.lead (lead_id, name, organisation, mail, source, owner_id, region_id, first_touch_at, first_touch_channel, first_touch_campaign_id,
		last_touch_at, last_touch_channel, created_at)
	SELECT l.lead_id, crm._simulate_name(l.fate, l.way), l.organisation, 'lead.' || l.lead_id || '@mail.example',
		('{web form, fair, recommendation, call}'::text[])[1 + (l.way * 4)::integer % 4], l.owner_id, l.region_id, l.first_touch_at,
		coalesce(c.channel, ('{search, direct, display, social}'::text[])[1 + (l.fate * 4)::integer % 4]), c.campaign_id,
		l.created_at, 'direct', l.created_at
	FROM simulated_lead l
	LEFT JOIN crm.campaign c ON l.way < 0.5 AND l.first_touch_at BETWEEN c.starts_at AND c.starts_at + interval '40 days';
	ANALYZE crm.lead;
	PERFORM crm._simulate_moments('crm.lead', 'SELECT l.lead_id::text, l.created_at FROM crm.lead l');

	UPDATE crm.lead l
	SET status = CASE WHEN s.customer_id IS NOT NULL THEN 'converted' WHEN s.created_at < as_of - interval '150 days' OR s.fate < 0.5 THEN 'rejected'
			WHEN s.fate < 0.8 THEN 'working' ELSE 'qualified' END,
		converted_at = s.converted_at, customer_id = s.customer_id
	FROM simulated_lead s
	WHERE s.lead_id = l.lead_id AND (s.customer_id IS NOT NULL OR s.created_at < as_of - interval '12 days');
	PERFORM crm._simulate_moments('crm.lead', $moments$
		SELECT l.lead_id::text, coalesce(l.converted_at, l.created_at + make_interval(days => 2 + (l.lead_id % 9)::integer)) FROM crm.lead l$moments$);
	DROP TABLE simulated_lead;
END
$$;
COMMENT ON FUNCTION crm._simulate_leads(integer, bigint, timestamptz) IS 'a step of crm.simulate_crm(): leads and what became of them';
REVOKE ALL ON FUNCTION crm._simulate_leads(integer, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_leads(integer, bigint, timestamptz) TO @extowner@;

-- The stages that the deals of organisations go through, and when. The third is the bottleneck: it takes ten times as
-- long as the others, and fewer than half come through.
CREATE FUNCTION crm._simulate_moves(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
	median_days constant float8[] := '{4, 5, 45, 5}';
	chance constant float8[] := '{0.85, 0.8, 0.45, 0.85}';
BEGIN
	CREATE TEMPORARY TABLE simulated_move ON COMMIT DROP AS
	WITH deal AS (
		SELECT c.customer_id, c.customer_id * 8 + s.place AS key, s.place,
			c.created_at + CASE s.place WHEN 1 THEN interval '1 hour' ELSE make_interval(secs => floor(86400 * (100 * (s.place - 1)
				+ 60 * ((hashint8extended(c.customer_id * 8 + s.place, draws + 411) & m) / n)))) END AS created_at
		FROM crm.customer c
		CROSS JOIN generate_series(1, 7) s (place)
		WHERE c.kind = 'organisation' AND (s.place = 1 OR (hashint8extended(c.customer_id * 8 + s.place, draws + 412) & m) / n < 0.6)
	), stay AS (
		SELECT d.*, s.step, (hashint8extended(d.key, draws + 420 + s.step) & m) / n < chance[s.step] AS comes_through,
			-- log-normal, by Box and Muller
			make_interval(secs => floor(86400 * median_days[s.step] * exp(0.6 * sqrt(-2 * ln(1 - (hashint8extended(d.key, draws + 430 + s.step) & m) / n))
				* cos(2 * pi() * ((hashint8extended(d.key, draws + 440 + s.step) & m) / n))))) AS duration
		FROM deal d CROSS JOIN generate_series(1, 4) s (step)
		WHERE d.created_at < as_of - interval '1 day'
	), ending AS (
		SELECT s.*, sum(s.duration) OVER w AS spent, bool_and(s.comes_through) OVER w AS is_won,
			coalesce(bool_and(s.comes_through) OVER (PARTITION BY s.key ORDER BY s.step ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), true) AS is_there
		FROM stay s WINDOW w AS (PARTITION BY s.key ORDER BY s.step)
	)
	SELECT e.key, e.customer_id, e.place, e.created_at, e.step, e.created_at + e.spent AS moment,
		CASE WHEN NOT e.is_won THEN 'Lost' ELSE ('{Qualified, Proposal, Negotiation, Won}'::text[])[e.step] END AS stage
	FROM ending e
	WHERE e.is_there AND e.created_at + e.spent < as_of
	UNION ALL
	SELECT d.key, d.customer_id, d.place, d.created_at, 0, d.created_at, 'New' FROM deal d WHERE d.created_at < as_of - interval '1 day';
	ANALYZE simulated_move;
END
$$;
COMMENT ON FUNCTION crm._simulate_moves(bigint, timestamptz) IS 'a step of crm.simulate_crm(): the moves of deals through the pipeline, in a temporary table';
REVOKE ALL ON FUNCTION crm._simulate_moves(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_moves(bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_deals(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	PERFORM crm._simulate_moves(draws, as_of);
	CREATE TEMPORARY TABLE simulated_deal ON COMMIT DROP AS
	SELECT v.key, v.customer_id, v.place, v.created_at, s.currency, c.owner_id, c.region_id, row_number() OVER (ORDER BY v.created_at, v.key) AS opportunity_id,
		(SELECT r.rate FROM crm.currency_rate r WHERE r.currency = s.currency AND r.valid_from <= v.created_at::date
			ORDER BY r.valid_from DESC LIMIT 1) AS rate
	FROM pg_temp.simulated_move v JOIN pg_temp.simulated_customer s USING (customer_id) JOIN crm.customer c USING (customer_id)
	WHERE v.step = 0;
	ANALYZE simulated_deal;
	CREATE TEMPORARY TABLE simulated_line ON COMMIT DROP AS
	SELECT d.customer_id, 3000 + d.opportunity_id AS number, i.line_number, p.product_id,
		(5 + floor(36 * ((hashint8extended(d.key * 4 + i.line_number, draws + 451) & m) / n)))::numeric AS quantity,
		round(p.price / coalesce(d.rate, 1), 2) AS unit_price, 0.1 AS discount
	FROM simulated_deal d
	CROSS JOIN generate_series(1, 2) i (line_number)
	JOIN crm.product p ON p.product_id = CASE i.line_number WHEN 1 THEN 1 ELSE 2 + ((hashint8extended(d.key, draws + 452) & m) / n * 19)::integer % 19 END;
	ANALYZE simulated_line;

	INSERT INTO crm.opportunity (customer_id, opportunity_id, name, pipeline_id, pipeline_stage_id, lead_id, amount, currency, expected_close, owner_id,
		region_id, next_step, next_step_at, stage_entered_at, created_at)
	SELECT d.customer_id, d.opportunity_id, 'Supply contract ' || d.opportunity_id, g.pipeline_id, g.pipeline_stage_id, l.lead_id, i.amount, d.currency, d.created_at::date + 70, d.owner_id, d.region_id, 'Call', d.created_at + interval '3 days', d.created_at, d.created_at
	FROM simulated_deal d
	JOIN (SELECT i.number, sum(round(i.quantity * i.unit_price * (1 - i.discount), 2)) AS amount FROM simulated_line i GROUP BY 1) i
		ON i.number = 3000 + d.opportunity_id
	JOIN crm.pipeline_stage g ON g.name = 'New' AND g.pipeline_id = (SELECT p.pipeline_id FROM crm.pipeline p WHERE p.name = 'Sales')
	LEFT JOIN crm.lead l ON d.place = 1 AND l.customer_id = d.customer_id;
	ANALYZE crm.opportunity, crm.opportunity_stage_history;
	PERFORM crm._simulate_moments('crm.opportunity', 'SELECT o.customer_id || '','' || o.opportunity_id, o.created_at FROM crm.opportunity o');
	INSERT INTO crm.opportunity_item (customer_id, opportunity_id, line_number, product_id, quantity, unit_price, discount)
	SELECT i.customer_id, i.number - 3000, i.line_number, i.product_id, i.quantity, i.unit_price, i.discount FROM simulated_line i;

	FOR turn IN 1 .. 4 LOOP
		UPDATE crm.opportunity o
		SET pipeline_stage_id = g.pipeline_stage_id, stage_entered_at = v.moment,
			lost_reason_id = CASE g.name WHEN 'Lost' THEN 1 + d.opportunity_id % 4 END,
			competitor = CASE WHEN g.name = 'Lost' AND d.opportunity_id % 4 = 1 THEN 'Roast & Co' END,
			next_step = CASE g.outcome WHEN 'open' THEN 'Send ' || lower(g.name) || ' papers' END,
			next_step_at = CASE g.outcome WHEN 'open' THEN v.moment + interval '5 days' END
		FROM pg_temp.simulated_move v
		JOIN simulated_deal d USING (key)
		JOIN crm.pipeline_stage g ON g.name = v.stage
		WHERE v.step = turn AND o.opportunity_id = d.opportunity_id AND g.pipeline_id = o.pipeline_id;
		PERFORM crm._simulate_moments('crm.opportunity', 'SELECT o.customer_id || '','' || o.opportunity_id, o.stage_entered_at FROM crm.opportunity o');
	END LOOP;

	-- What was won is ordered the next day.
	INSERT INTO pg_temp.simulated_order
	SELECT o.customer_id, 3000 + o.opportunity_id, o.closed_at + interval '1 day', o.base_amount, NULL, o.opportunity_id
	FROM crm.opportunity o JOIN crm.pipeline_stage g USING (pipeline_stage_id)
	WHERE g.outcome = 'won' AND o.closed_at < as_of - interval '1 day';
	DELETE FROM simulated_line i WHERE NOT EXISTS (SELECT FROM pg_temp.simulated_order o WHERE o.customer_id = i.customer_id AND o.number = i.number);
	DROP TABLE simulated_move, simulated_deal;
END
$$;
COMMENT ON FUNCTION crm._simulate_deals(bigint, timestamptz) IS 'a step of crm.simulate_crm(): opportunities, moved through their stages by updates';
REVOKE ALL ON FUNCTION crm._simulate_deals(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_deals(bigint, timestamptz) TO @extowner@;

-- The lines of the orders that do not come from a deal. South Coast (region 10) loves Cold brew (product 6); Dark espresso
-- (2) brings Oat drink (16) along, House espresso and Breakfast blend (1 and 4) together Milk powder (18). An order's spend is shared out among its lines, which gives quantities by weight.
CREATE FUNCTION crm._simulate_lines(draws bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
	usual float8[];
	south_coast float8[];
BEGIN
	SELECT array_agg(w.before / w.total ORDER BY w.product_id), array_agg(w.south_before / w.south_total ORDER BY w.product_id) INTO usual, south_coast
	FROM (
		SELECT p.product_id, sum(p.weight) OVER w - p.weight AS before, sum(p.weight) OVER () AS total,
			sum(p.south) OVER w - p.south AS south_before, sum(p.south) OVER () AS south_total
		FROM (SELECT p.product_id, (p.attributes ->> 'weight')::float8 AS weight,
			(p.attributes ->> 'weight')::float8 * CASE p.sku WHEN 'COL-1' THEN 10 ELSE 1 END AS south FROM crm.product p) p
		WINDOW w AS (ORDER BY p.product_id)
	) w;
	INSERT INTO pg_temp.simulated_line
	WITH drawn AS (
		SELECT o.customer_id, o.number, s.slot, o.spend::numeric AS spend,
			round((0.3 + (hashint8extended(o.customer_id * 4096 + o.number, draws + 460 + s.slot) & m) / n)::numeric, 6) AS part, -- exact sums
			width_bucket(CASE WHEN (hashint8extended(o.customer_id * 4096 + o.number, draws + 465 + s.slot) & m) / n < 0.4 THEN c.taste
				ELSE (hashint8extended(o.customer_id * 4096 + o.number, draws + 470 + s.slot) & m) / n END,
				CASE c.region_id WHEN 10 THEN south_coast ELSE usual END) AS product_id
		FROM pg_temp.simulated_order o
		JOIN pg_temp.simulated_customer c USING (customer_id)
		CROSS JOIN LATERAL generate_series(1, 1 + ((hashint8extended(o.customer_id * 4096 + o.number, draws + 475) & m) / n * 2.2)::integer) s (slot)
		WHERE o.opportunity_id IS NULL
	), chosen AS (
		SELECT DISTINCT ON (d.customer_id, d.number, d.product_id) d.* FROM (
			SELECT * FROM drawn
			UNION ALL
			SELECT d.customer_id, d.number, 9, d.spend, 0.25, 16 FROM drawn d
			WHERE d.product_id = 2 AND (hashint8extended(d.customer_id * 4096 + d.number, draws + 476) & m) / n < 0.6
			UNION ALL
			SELECT d.customer_id, d.number, 8, min(d.spend), 0.25, 18 FROM drawn d
			WHERE d.product_id IN (1, 4) AND (hashint8extended(d.customer_id * 4096 + d.number, draws + 477) & m) / n < 0.5
			GROUP BY d.customer_id, d.number HAVING count(DISTINCT d.product_id) = 2
		) d
		ORDER BY d.customer_id, d.number, d.product_id, d.slot
	)
	SELECT h.customer_id, h.number, row_number() OVER (PARTITION BY h.customer_id, h.number ORDER BY h.slot, h.product_id), h.product_id,
		greatest(0.05, round(h.spend * h.part / sum(h.part) OVER (PARTITION BY h.customer_id, h.number) / p.price, 2)),
		round(p.price / coalesce(r.rate, 1), 2), 0
	FROM chosen h
	JOIN crm.product p USING (product_id)
	JOIN pg_temp.simulated_order o ON o.customer_id = h.customer_id AND o.number = h.number
	JOIN pg_temp.simulated_customer c ON c.customer_id = h.customer_id
	LEFT JOIN LATERAL (SELECT r.rate FROM crm.currency_rate r WHERE r.currency = c.currency AND r.valid_from <= o.ordered_at::date
		ORDER BY r.valid_from DESC LIMIT 1) r ON true;
	ANALYZE pg_temp.simulated_line;
END
$$;
COMMENT ON FUNCTION crm._simulate_lines(bigint) IS 'a step of crm.simulate_crm(): what is in each order, in a temporary table';
REVOKE ALL ON FUNCTION crm._simulate_lines(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_lines(bigint) TO @extowner@;

CREATE FUNCTION crm._simulate_orders(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	PERFORM crm._simulate_lines(draws);
	UPDATE pg_temp.simulated_order o
	SET sales_order_id = p.place,
		status = CASE WHEN o.campaign_id IS NULL AND o.opportunity_id IS NULL AND o.ordered_at < as_of - interval '1 day' AND p.fate < 0.02 THEN 'cancelled'
			WHEN o.ordered_at > as_of - interval '60 days' AND p.fate > 0.99 THEN 'draft'
			WHEN o.ordered_at < as_of - interval '10 days' THEN 'completed'
			WHEN o.ordered_at < as_of - interval '4 days' THEN 'shipped'
			WHEN o.ordered_at < as_of - interval '2 days' THEN 'paid' ELSE 'placed' END
	FROM (
		SELECT s.customer_id, s.number, row_number() OVER (ORDER BY s.ordered_at, s.customer_id, s.number) AS place,
			(hashint8extended(s.customer_id * 4096 + s.number, draws + 481) & m) / n AS fate
		FROM pg_temp.simulated_order s
	) p
	WHERE o.customer_id = p.customer_id AND o.number = p.number;
	ANALYZE pg_temp.simulated_order;

	INSERT INTO crm.sales_order (customer_id, sales_order_id, ordered_at, status, channel, campaign_id, opportunity_id, currency, amount, region_id, agent_id,
		external_ref, created_at)
	SELECT o.customer_id, o.sales_order_id, o.ordered_at, CASE o.status WHEN 'draft' THEN 'draft' ELSE 'placed' END, w.channel, o.campaign_id,
		o.opportunity_id, s.currency, i.amount, c.region_id, CASE WHEN w.channel = 'phone' THEN c.owner_id END,
		CASE w.channel WHEN 'web' THEN 'W-' || o.sales_order_id END, o.ordered_at
	FROM pg_temp.simulated_order o
	JOIN pg_temp.simulated_customer s USING (customer_id)
	JOIN crm.customer c USING (customer_id)
	JOIN (SELECT i.customer_id, i.number, sum(round(i.quantity * i.unit_price * (1 - i.discount), 2)) AS amount
		FROM pg_temp.simulated_line i GROUP BY 1, 2) i ON i.customer_id = o.customer_id AND i.number = o.number
	CROSS JOIN LATERAL (SELECT CASE WHEN o.opportunity_id IS NOT NULL THEN 'phone'
		WHEN (hashint8extended(o.sales_order_id, draws + 482) & m) / n < 0.25 THEN 'web' ELSE s.channel END AS channel) w
	ORDER BY o.sales_order_id;
	ANALYZE crm.sales_order;
	INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price, discount)
	SELECT i.customer_id, o.sales_order_id, i.line_number, i.product_id, i.quantity, i.unit_price, i.discount
	FROM pg_temp.simulated_line i JOIN pg_temp.simulated_order o USING (customer_id, number)
	ORDER BY o.sales_order_id, i.line_number;
	ANALYZE crm.sales_order_item;

	UPDATE crm.sales_order o SET status = s.status
	FROM pg_temp.simulated_order s
	WHERE s.customer_id = o.customer_id AND s.sales_order_id = o.sales_order_id AND s.status NOT IN ('draft', 'placed');
	PERFORM crm._simulate_moments('crm.sales_order', $moments$
		SELECT o.customer_id || ',' || o.sales_order_id, o.ordered_at + CASE o.status WHEN 'completed' THEN make_interval(days => 3 + (o.sales_order_id % 6)::integer)
			WHEN 'shipped' THEN interval '2 days' ELSE interval '1 day' END
		FROM crm.sales_order o$moments$);
END
$$;
COMMENT ON FUNCTION crm._simulate_orders(bigint, timestamptz) IS 'a step of crm.simulate_crm(): orders with their lines';
REVOKE ALL ON FUNCTION crm._simulate_orders(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_orders(bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_returns(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	INSERT INTO crm.sales_return (customer_id, sales_return_id, sales_order_id, product_id, returned_at, quantity, amount, reason)
	SELECT o.customer_id, row_number() OVER (ORDER BY o.sales_order_id), o.sales_order_id, i.product_id,
		o.ordered_at + make_interval(days => 9, secs => floor(86400 * 20 * ((hashint8extended(o.sales_order_id, draws + 492) & m) / n))),
		i.quantity, i.amount, ('{damaged, wrong item, taste, too late}'::text[])[1 + o.sales_order_id % 4]
	FROM crm.sales_order o
	JOIN crm.sales_order_item i ON i.customer_id = o.customer_id AND i.sales_order_id = o.sales_order_id AND i.line_number = 1
	WHERE o.status = 'completed' AND o.ordered_at < as_of - interval '30 days' AND (hashint8extended(o.sales_order_id, draws + 491) & m) / n < 0.04;
END
$$;
COMMENT ON FUNCTION crm._simulate_returns(bigint, timestamptz) IS 'a step of crm.simulate_crm(): what comes back';
REVOKE ALL ON FUNCTION crm._simulate_returns(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_returns(bigint, timestamptz) TO @extowner@;
