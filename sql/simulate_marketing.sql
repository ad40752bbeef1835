-- simulate_marketing: the campaigns of crm.simulate_crm() and the touches that come before orders.
--
-- Whoever orders within two weeks converts, contacted or held out; only the campaign "Loyalty thanks" adds orders of its own.

CREATE FUNCTION crm._simulate_campaigns(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	campaign record;
BEGIN
	INSERT INTO crm.campaign (campaign_id, name, channel, kind, starts_at, ends_at, budget, status, owner_id, created_at)
	SELECT c.place, c.name, c.channel, c.kind, date_trunc('day', as_of) - make_interval(days => c.days, hours => -9),
		date_trunc('day', as_of) - make_interval(days => c.days - 14), 4000,
		CASE WHEN c.days < 14 THEN 'running' ELSE 'done' END,
		(SELECT max(a.agent_id) FROM crm.agent a), as_of - make_interval(days => c.days + 21)
	FROM (VALUES (1, 'Tasting box', 'mail', 'offer', 560), (2, 'Bring a friend', 'social', 'referral', 430),
		(3, 'Catalogue', 'letter', 'catalogue', 330), (4, 'Free shipping', 'mail', 'offer', 240),
		(5, 'Loyalty thanks', 'mail', 'loyalty', 150), (6, 'Come back', 'mail', 'win-back', 60),
		(7, 'New harvest', 'mail', 'newsletter', 7)) c (place, name, channel, kind, days);
	CREATE TEMPORARY TABLE simulated_event (campaign_id bigint, customer_id bigint, occurred_at timestamptz, event text, amount numeric)
	ON COMMIT DROP;
	FOR campaign IN SELECT c.campaign_id FROM crm.campaign c ORDER BY c.campaign_id LOOP
		PERFORM crm._simulate_campaign(campaign.campaign_id, draws + 16 * campaign.campaign_id, as_of);
	END LOOP;
	INSERT INTO crm.campaign_cost (campaign_id, campaign_cost_id, spent_on, amount, what)
	SELECT c.campaign_id, row_number() OVER (ORDER BY c.campaign_id, w.what), c.starts_at::date - w.days, w.amount, w.what
	FROM crm.campaign c
	LEFT JOIN (SELECT m.campaign_id, count(*) AS members FROM crm.campaign_member m WHERE NOT m.is_holdout GROUP BY 1) m USING (campaign_id)
	CROSS JOIN LATERAL (VALUES ('design', 14, 300),
		('sending', 0, CASE c.channel WHEN 'letter' THEN 1.2 WHEN 'social' THEN 0.3 ELSE 0.02 END * coalesce(m.members, 0))) w (what, days, amount);
END
$$;
COMMENT ON FUNCTION crm._simulate_campaigns(bigint, timestamptz) IS 'a step of crm.simulate_crm(): campaigns, their members and costs, and what happened, in a temporary table';
REVOKE ALL ON FUNCTION crm._simulate_campaigns(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_campaigns(bigint, timestamptz) TO @extowner@;

-- The planner cannot guess how many a draw leaves; it must not join by loops over all that there is.
CREATE FUNCTION crm._simulate_campaign(campaign bigint, draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC' SET enable_nestloop = off
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
	is_loyalty constant boolean := campaign = 5; -- the one that works
	starts timestamptz;
	ends timestamptz;
	is_letter boolean;
BEGIN
	ANALYZE pg_temp.simulated_event;
	SELECT c.starts_at, c.ends_at, c.channel = 'letter' INTO starts, ends, is_letter FROM crm.campaign c WHERE c.campaign_id = campaign;

	-- Members have agreed by then and not withdrawn since, nor do they have an address that does not exist.
	INSERT INTO crm.campaign_member (customer_id, campaign_id, is_holdout, added_at)
	SELECT c.customer_id, campaign,
		(hashint8extended(c.customer_id, draws + 102) & m) / n < CASE WHEN is_loyalty THEN 0.3 ELSE 0.2 END, starts - interval '1 day'
	FROM crm.customer c
	WHERE c.created_at < starts - interval '1 day'
		AND (hashint8extended(c.customer_id, draws + 101) & m) / n < CASE WHEN is_loyalty THEN 0.8 ELSE 0.4 END
		AND 'given' = (SELECT s.status FROM crm.consent s
			WHERE s.customer_id = c.customer_id AND s.purpose = 'marketing' AND s.occurred_at < starts ORDER BY s.occurred_at DESC, s.consent_id DESC LIMIT 1)
		AND NOT EXISTS (SELECT FROM pg_temp.simulated_event e
			WHERE e.customer_id = c.customer_id AND e.event IN ('hard_bounce', 'optout'));

	INSERT INTO pg_temp.simulated_event
	SELECT campaign, p.customer_id, e.occurred_at, e.event, NULL
	FROM (
		SELECT r.customer_id, starts + make_interval(secs => floor((hashint8extended(r.customer_id, draws + 103) & m) / n * 14400)) AS sent_at,
			(hashint8extended(r.customer_id, draws + 104) & m) / n AS bounce, (hashint8extended(r.customer_id, draws + 105) & m) / n AS opening,
			(hashint8extended(r.customer_id, draws + 106) & m) / n AS click, (hashint8extended(r.customer_id, draws + 107) & m) / n AS answer,
			make_interval(secs => floor(-36000 * ln(1 - (hashint8extended(r.customer_id, draws + 108) & m) / n))) AS delay
		FROM crm.campaign_member r WHERE r.campaign_id = campaign AND NOT r.is_holdout
	) p
	CROSS JOIN LATERAL (VALUES
		('sent', p.sent_at, true),
		('hard_bounce', p.sent_at + interval '20 s', p.bounce < 0.01),
		('soft_bounce', p.sent_at + interval '20 s', p.bounce BETWEEN 0.01 AND 0.03),
		('delivered', p.sent_at + interval '20 s', p.bounce > 0.03),
		('open', p.sent_at + interval '1 minute' + p.delay, p.bounce > 0.03 AND p.opening < 0.42),
		('click', p.sent_at + interval '3 minutes' + p.delay, p.bounce > 0.03 AND p.opening < 0.42 AND p.click < 0.3),
		('reply', p.sent_at + interval '40 minutes' + p.delay, p.bounce > 0.03 AND p.opening < 0.42 AND p.answer < 0.03),
		('optout', p.sent_at + interval '5 minutes' + p.delay, p.bounce > 0.03 AND p.opening < 0.42 AND p.answer > 0.97)
	) e (event, occurred_at, happens)
	WHERE e.happens AND e.occurred_at < as_of AND (NOT is_letter OR e.event IN ('sent', 'delivered', 'soft_bounce'));

	INSERT INTO crm.consent (customer_id, consent_id, purpose, status, occurred_at, evidence)
	SELECT e.customer_id, (SELECT max(s.consent_id) FROM crm.consent s) + row_number() OVER (ORDER BY e.customer_id),
		'marketing', 'withdrawn', e.occurred_at, 'link in campaign ' || campaign
	FROM pg_temp.simulated_event e WHERE e.campaign_id = campaign AND e.event = 'optout';

	-- What the loyal would not have ordered without: an order of their usual size, of those who would not have ordered.
	IF is_loyalty THEN
		INSERT INTO pg_temp.simulated_order
		SELECT e.customer_id, 2000, e.occurred_at + make_interval(secs => floor((hashint8extended(e.customer_id, draws + 110) & m) / n * 12 * 86400)),
			o.spend, campaign
		FROM pg_temp.simulated_event e
		JOIN (SELECT o.customer_id, avg(o.spend::numeric)::float8 AS spend, max(o.ordered_at) FILTER (WHERE o.ordered_at < ends) AS last_order_at
			FROM pg_temp.simulated_order o GROUP BY 1) o ON o.customer_id = e.customer_id AND o.last_order_at < starts
		WHERE e.campaign_id = campaign AND e.event = 'delivered' AND (hashint8extended(e.customer_id, draws + 109) & m) / n < 0.3;
	END IF;

	-- The first order in the two weeks is a conversion; it is attributed to the campaign where that was sent.
	UPDATE pg_temp.simulated_order o SET campaign_id = campaign
	FROM (
		SELECT DISTINCT ON (o.customer_id) o.customer_id, o.number, o.ordered_at
		FROM pg_temp.simulated_order o
		JOIN pg_temp.simulated_event e ON e.customer_id = o.customer_id AND e.campaign_id = campaign AND e.event = 'delivered'
		WHERE o.ordered_at > e.occurred_at AND o.ordered_at < ends
		ORDER BY o.customer_id, o.ordered_at, o.number
	) f
	WHERE o.customer_id = f.customer_id AND o.number = f.number;
END
$$;
COMMENT ON FUNCTION crm._simulate_campaign(bigint, bigint, timestamptz) IS 'a step of crm.simulate_crm(): one campaign';
REVOKE ALL ON FUNCTION crm._simulate_campaign(bigint, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_campaign(bigint, bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_campaign_events() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
BEGIN
	INSERT INTO pg_temp.simulated_event
	SELECT DISTINCT ON (m.campaign_id, m.customer_id) m.campaign_id, m.customer_id, o.ordered_at, 'convert', o.base_amount
	FROM crm.campaign_member m
	JOIN crm.campaign c USING (campaign_id)
	JOIN crm.sales_order o USING (customer_id)
	WHERE o.status NOT IN ('draft', 'cancelled') AND o.opportunity_id IS NULL
		AND CASE WHEN m.is_holdout THEN o.ordered_at > c.starts_at AND o.ordered_at < c.ends_at ELSE o.campaign_id = m.campaign_id END
	ORDER BY m.campaign_id, m.customer_id, o.ordered_at, o.sales_order_id;
	INSERT INTO crm.campaign_event (customer_id, campaign_event_id, campaign_id, occurred_at, event, channel, amount)
	SELECT e.customer_id, row_number() OVER (ORDER BY e.occurred_at, e.customer_id, e.event), e.campaign_id, e.occurred_at, e.event, c.channel, e.amount
	FROM pg_temp.simulated_event e JOIN crm.campaign c USING (campaign_id);
	ANALYZE crm.campaign_event;
END
$$;
COMMENT ON FUNCTION crm._simulate_campaign_events() IS 'a step of crm.simulate_crm(): what became of the campaigns';
REVOKE ALL ON FUNCTION crm._simulate_campaign_events() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_campaign_events() TO @extowner@;

CREATE FUNCTION crm._simulate_touches(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	-- One to three touches lead to an order, the last of them converts; others lead nowhere.
	INSERT INTO crm.touch (customer_id, touch_id, touched_at, channel, campaign_id, converted, amount, cost)
	SELECT t.customer_id, row_number() OVER (ORDER BY t.touched_at, t.customer_id, t.place, t.converted, t.channel, t.amount), t.touched_at,
		coalesce(c.channel, t.channel), t.campaign_id, t.converted, t.amount,
		CASE coalesce(c.channel, t.channel) WHEN 'search' THEN 0.4 WHEN 'display' THEN 0.1 WHEN 'social' THEN 0.3 WHEN 'letter' THEN 1.2
			WHEN 'mail' THEN 0.02 ELSE 0 END
	FROM (
		SELECT o.customer_id, s.place, s.place = 1 AS converted, CASE s.place WHEN 1 THEN o.base_amount END AS amount,
			CASE s.place WHEN 1 THEN o.campaign_id END AS campaign_id,
			o.ordered_at - CASE s.place WHEN 1 THEN interval '10 minutes' ELSE make_interval(secs => floor(86400 * 4 * (s.place - 1 +
				(hashint8extended(o.sales_order_id * 4 + s.place, draws + 301) & m) / n))) END AS touched_at,
			('{search, direct, display, social, mail}'::text[])[width_bucket(
				(hashint8extended(o.sales_order_id * 4 + s.place, draws + 302) & m) / n, '{0, 0.4, 0.6, 0.75, 0.9}')] AS channel
		FROM crm.sales_order o
		CROSS JOIN LATERAL generate_series(1, 1 + ((hashint8extended(o.sales_order_id, draws + 303) & m) / n * 2)::integer) s (place)
		WHERE o.opportunity_id IS NULL AND o.channel = 'web' AND o.status <> 'cancelled'
		UNION ALL
		SELECT c.customer_id, s.place, false, NULL, NULL,
			c.created_at + (as_of - c.created_at) * ((hashint8extended(c.customer_id * 4 + s.place, draws + 304) & m) / n),
			('{search, direct, display, social, mail}'::text[])[width_bucket(
				(hashint8extended(c.customer_id * 4 + s.place, draws + 305) & m) / n, '{0, 0.25, 0.4, 0.75, 0.95}')]
		FROM crm.customer c
		CROSS JOIN LATERAL generate_series(1, ((hashint8extended(c.customer_id, draws + 306) & m) / n * 3)::integer) s (place)
	) t
	LEFT JOIN crm.campaign c USING (campaign_id);

	-- Visits of the shop: what precedes an order there, and visits that ended without one.
	INSERT INTO crm.event (customer_id, occurred_at, event_id, event, properties)
	SELECT v.customer_id, v.occurred_at, row_number() OVER (ORDER BY v.occurred_at, v.customer_id, v.event, v.properties), v.event, v.properties
	FROM (
		SELECT o.customer_id, o.ordered_at - e.before AS occurred_at, e.event, jsonb_build_object('sku', p.sku) AS properties
		FROM crm.sales_order o
		JOIN crm.sales_order_item i ON i.customer_id = o.customer_id AND i.sales_order_id = o.sales_order_id AND i.line_number = 1
		JOIN crm.product p USING (product_id)
		CROSS JOIN (VALUES ('view', interval '9 minutes'), ('cart', interval '5 minutes'), ('checkout', interval '1 minute')) e (event, before)
		WHERE o.channel = 'web'
		UNION ALL
		SELECT c.customer_id, s.moment + e.later, e.event, '{}'
		FROM crm.customer c
		CROSS JOIN LATERAL generate_series(1, ((hashint8extended(c.customer_id, draws + 307) & m) / n * 4)::integer) g (place)
		CROSS JOIN LATERAL (SELECT c.created_at + (as_of - c.created_at) * ((hashint8extended(c.customer_id * 8 + g.place, draws + 308) & m) / n) AS moment,
			(hashint8extended(c.customer_id * 8 + g.place, draws + 309) & m) / n AS cart) s
		CROSS JOIN LATERAL (VALUES ('page', interval '0', true), ('search', interval '40 s', s.cart < 0.6), ('cart', interval '3 minutes', s.cart < 0.2)) e (event, later, happens)
		WHERE e.happens AND s.moment + e.later < as_of
	) v;
END
$$;
COMMENT ON FUNCTION crm._simulate_touches(bigint, timestamptz) IS 'a step of crm.simulate_crm(): touches on the way to orders, and visits of the shop';
REVOKE ALL ON FUNCTION crm._simulate_touches(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_touches(bigint, timestamptz) TO @extowner@;
