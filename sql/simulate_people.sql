-- simulate_people: the customers of crm.simulate_crm(), and when and for how much they order.

-- Orders are those of crm.simulate_orders (BG/NBD, Gamma-Gamma) in a time that runs faster before the end of a year: what it
-- gives evenly is mapped to the calendar so that a month gets its weight, and the numbers of orders stay as they are.
-- Then customers keep to a weekday and an hour of their own where a draw says so.
CREATE FUNCTION crm._simulate_plan(customers integer, seed bigint, draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
	begins constant timestamptz := date_trunc('day', as_of) - interval '730 days';
	month_weight constant float8[] := '{0.8, 0.8, 0.9, 0.9, 0.9, 0.8, 0.7, 0.7, 0.9, 1.0, 1.6, 2.0}';
	months timestamptz[]; -- the beginnings, and the end of the last
	parts float8[];       -- the share of all orders before each
BEGIN
	CREATE TEMPORARY TABLE simulated_customer ON COMMIT DROP AS
	SELECT c.customer_id, 5 + width_bucket(d.region, '{0, 0.16, 0.28, 0.40, 0.50, 0.64, 0.76, 0.90}') AS region_id,
		d.kind < 0.12 AS is_organisation, d.buyer < 0.85 AS is_buyer, c.original,
		1 + (d.weekday * d.weekday * 7)::integer % 7 AS weekday, 8 + (d.hour * 14)::integer % 14 AS hour,
		('{web, shop, phone}'::text[])[width_bucket(d.channel, '{0, 0.6, 0.85}')] AS channel,
		CASE WHEN d.currency < 0.04 THEN 'USD' WHEN d.currency < 0.08 THEN 'CHF' END AS currency, d.taste
	FROM (
		-- The last hundredth are doublets of others.
		SELECT s.id AS customer_id, CASE WHEN s.id > customers - customers / 100 THEN 1 + s.id * 37 % (customers - customers / 100) END AS original
		FROM generate_series(1, customers::bigint) s (id)
	) c
	CROSS JOIN LATERAL (SELECT (hashint8extended(c.customer_id, draws + 11) & m) / n AS region,
		(hashint8extended(coalesce(c.original, c.customer_id), draws + 12) & m) / n AS kind, (hashint8extended(c.customer_id, draws + 13) & m) / n AS buyer,
		(hashint8extended(c.customer_id, draws + 14) & m) / n AS weekday, (hashint8extended(c.customer_id, draws + 15) & m) / n AS hour,
		(hashint8extended(c.customer_id, draws + 16) & m) / n AS channel, (hashint8extended(c.customer_id, draws + 17) & m) / n AS currency,
		(hashint8extended(c.customer_id, draws + 18) & m) / n AS taste) d;
	ANALYZE pg_temp.simulated_customer;

	SELECT array_agg(w.since ORDER BY w.since) || as_of, array_agg(w.before / w.total ORDER BY w.since) || 1.0::float8 INTO months, parts
	FROM (
		SELECT p.since, sum(p.weight) OVER (ORDER BY p.since) - p.weight AS before, sum(p.weight) OVER () AS total
		FROM (
			SELECT greatest(s.month, begins) AS since, month_weight[extract(month FROM s.month)]
				* extract(epoch FROM least(s.month + interval '1 month', as_of) - greatest(s.month, begins))::float8 AS weight
			FROM generate_series(date_trunc('month', begins), as_of, interval '1 month') s (month)
			WHERE s.month < as_of
		) p
	) w;

	CREATE TEMPORARY TABLE simulated_order ON COMMIT DROP AS
	SELECT o.customer_id, o.number,
		o.moment - CASE WHEN o.moment >= as_of - interval '1 hour' THEN interval '7 days' ELSE '0' END AS ordered_at,
		o.amount AS spend, NULL::bigint AS campaign_id, NULL::bigint AS opportunity_id, NULL::bigint AS sales_order_id, NULL::text AS status
	FROM (
		SELECT s.customer_id, s.amount, s.number,
			CASE WHEN d.keeps_day < 0.4 THEN date_trunc('week', s.moment) + make_interval(days => c.weekday - 1)
				ELSE date_trunc('day', s.moment) END
			+ make_interval(hours => CASE WHEN d.keeps_hour < 0.5 THEN c.hour ELSE 8 + (d.hour * 14)::integer % 14 END,
				secs => floor(d.second * 3600)) AS moment
		FROM (
			SELECT o.customer_id, o.amount, o.number,
				months[o.part] + (o.x - parts[o.part]) / (parts[o.part + 1] - parts[o.part]) * (months[o.part + 1] - months[o.part]) AS moment
			FROM (
				SELECT o.customer_id, o.amount, o.x, width_bucket(o.x, parts) AS part,
					row_number() OVER (PARTITION BY o.customer_id ORDER BY o.x, o.amount) AS number
				FROM (
					SELECT s.customer_id, s.amount,
						extract(epoch FROM s.ordered_at - begins)::float8 / extract(epoch FROM as_of - begins)::float8 AS x
					FROM crm.simulate_orders(customers, begins, as_of, seed => seed, acquisition => interval '540 days',
						r => 1.2, alpha => 10, a => 0.6, b => 6, p => 6.25, q => 3.74, v => 19.7) s
				) o
			) o
		) s
		JOIN pg_temp.simulated_customer c USING (customer_id)
		CROSS JOIN LATERAL (SELECT (hashint8extended(s.customer_id * 4096 + s.number, draws + 21) & m) / n AS keeps_day,
			(hashint8extended(s.customer_id * 4096 + s.number, draws + 22) & m) / n AS keeps_hour,
			(hashint8extended(s.customer_id * 4096 + s.number, draws + 23) & m) / n AS hour,
			(hashint8extended(s.customer_id * 4096 + s.number, draws + 24) & m) / n AS second) d
		WHERE c.is_buyer
	) o;
	ANALYZE pg_temp.simulated_order;
END
$$;
COMMENT ON FUNCTION crm._simulate_plan(integer, bigint, bigint, timestamptz) IS 'a step of crm.simulate_crm(): who the customers are and when they order, in temporary tables';
REVOKE ALL ON FUNCTION crm._simulate_plan(integer, bigint, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_plan(integer, bigint, bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_customers(customers integer, draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
	sellers constant integer := least(20, 2 + customers / 2000);
BEGIN
	INSERT INTO crm.customer (customer_id, name, kind, birthday, lifecycle, owner_id, region_id, created_at)
	SELECT c.customer_id,
		CASE WHEN c.is_organisation THEN ('{Bakery, Cafe, Canteen, Hotel, Restaurant}'::text[])[1 + (d.trade * 5)::integer % 5] || ' ' || split_part(d.name, ' ', 2)
			ELSE d.name END,
		CASE WHEN c.is_organisation THEN 'organisation' ELSE 'person' END,
		CASE WHEN NOT c.is_organisation THEN as_of::date - (18 * 365 + d.age * 62 * 365)::integer END,
		'prospect',
		(c.region_id - 6) / 2 * (sellers + 1) + 2 + (d.owner * sellers)::integer % sellers,
		c.region_id,
		CASE WHEN c.is_buyer THEN o.first_order_at - make_interval(secs => floor(d.lead * 20 * 86400))
			ELSE as_of - make_interval(secs => floor(3600 + d.lead * 729 * 86400)) END
	FROM pg_temp.simulated_customer c
	LEFT JOIN (SELECT o.customer_id, min(o.ordered_at) AS first_order_at FROM pg_temp.simulated_order o GROUP BY 1) o USING (customer_id)
	CROSS JOIN LATERAL (SELECT (hashint8extended(coalesce(c.original, c.customer_id), draws + 31) & m) / n AS trade,
		(hashint8extended(c.customer_id, draws + 32) & m) / n AS age, (hashint8extended(c.customer_id, draws + 33) & m) / n AS owner,
		(hashint8extended(c.customer_id, draws + 34) & m) / n AS lead,
		crm._simulate_name((hashint8extended(coalesce(c.original, c.customer_id), draws + 35) & m) / n,
			(hashint8extended(coalesce(c.original, c.customer_id), draws + 36) & m) / n) AS name) d
	ORDER BY c.customer_id;
	ANALYZE crm.customer;
	PERFORM crm._simulate_moments('crm.customer', 'SELECT c.customer_id::text, c.created_at FROM crm.customer c');
END
$$;
COMMENT ON FUNCTION crm._simulate_customers(integer, bigint, timestamptz) IS 'a step of crm.simulate_crm(): the customers';
REVOKE ALL ON FUNCTION crm._simulate_customers(integer, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_customers(integer, bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_contacts(draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991;
	n constant float8 := 9007199254740992;
BEGIN
	-- A doublet has the address and number of its original, in another spelling.
	INSERT INTO crm.contact_point (customer_id, contact_point_id, kind, given, is_primary, created_at)
	SELECT p.customer_id, row_number() OVER (ORDER BY p.customer_id, p.kind), p.kind, p.given, true, p.created_at
	FROM (
		SELECT c.customer_id, 'mail' AS kind, c.created_at,
			CASE WHEN s.original IS NULL THEN 'customer.' || c.customer_id || '@mail.example' ELSE ' Customer.' || s.original || '@Mail.Example' END AS given
		FROM crm.customer c JOIN pg_temp.simulated_customer s USING (customer_id)
		WHERE (hashint8extended(coalesce(s.original, c.customer_id), draws + 41) & m) / n < 0.92
		UNION ALL
		SELECT c.customer_id, 'phone', c.created_at,
			CASE WHEN s.original IS NULL THEN '+999 30 ' || 1000000 + c.customer_id ELSE '+999-30-' || 1000000 + s.original END
		FROM crm.customer c JOIN pg_temp.simulated_customer s USING (customer_id)
		WHERE (hashint8extended(coalesce(s.original, c.customer_id), draws + 42) & m) / n < 0.7
	) p;
	INSERT INTO crm.customer_identity (source, external_id, customer_id, created_at)
	SELECT 'shop', 'S' || lpad(c.customer_id::text, 7, '0'), c.customer_id, c.created_at
	FROM crm.customer c WHERE (hashint8extended(c.customer_id, draws + 43) & m) / n < 0.8
	UNION ALL
	SELECT 'erp', 'D' || lpad(c.customer_id::text, 7, '0'), c.customer_id, c.created_at
	FROM crm.customer c WHERE c.kind = 'organisation';

	INSERT INTO crm.consent (customer_id, consent_id, purpose, status, occurred_at, evidence)
	SELECT s.customer_id, row_number() OVER (ORDER BY s.occurred_at, s.customer_id, s.purpose, s.status), s.purpose, s.status, s.occurred_at, s.evidence
	FROM (
		SELECT c.customer_id, p.purpose, a.status, a.evidence, c.created_at + a.later * (as_of - c.created_at) AS occurred_at
		FROM crm.customer c
		CROSS JOIN (VALUES ('marketing', 44, 0.78), ('profiling', 46, 0.4)) p (purpose, salt, share)
		CROSS JOIN LATERAL (VALUES ('given', 'web form', 0::float8, p.salt, p.share),
			('withdrawn', 'mail', (hashint8extended(c.customer_id, draws + p.salt + 1) & m) / n, p.salt, 0.05)) a (status, evidence, later, salt, share)
		WHERE (hashint8extended(c.customer_id, draws + a.salt) & m) / n < a.share
	) s;
	INSERT INTO crm.preference (customer_id, name, value, stated_at)
	SELECT c.customer_id, p.name, p.value, c.created_at + interval '2 minutes'
	FROM crm.customer c JOIN pg_temp.simulated_customer s USING (customer_id)
	CROSS JOIN LATERAL (VALUES ('channel', s.channel), ('language', CASE WHEN s.currency = 'USD' THEN 'en' ELSE 'de' END)) p (name, value)
	WHERE (hashint8extended(c.customer_id, draws + 48) & m) / n < 0.4;
	INSERT INTO crm.note (customer_id, note_id, body, agent_id, created_at)
	SELECT c.customer_id, row_number() OVER (ORDER BY c.customer_id),
		('{Prefers to be called in the morning., Asked for samples., Opened a second shop., Likes it strong.}'::text[])
			[1 + ((hashint8extended(c.customer_id, draws + 50) & m) / n * 4)::integer % 4],
		c.owner_id, c.created_at + (as_of - c.created_at) * ((hashint8extended(c.customer_id, draws + 51) & m) / n)
	FROM crm.customer c WHERE (hashint8extended(c.customer_id, draws + 49) & m) / n < 0.15;
	ANALYZE crm.consent;
END
$$;
COMMENT ON FUNCTION crm._simulate_contacts(bigint, timestamptz) IS 'a step of crm.simulate_crm(): contact points, identities, consents, stated preferences and notes';
REVOKE ALL ON FUNCTION crm._simulate_contacts(bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_contacts(bigint, timestamptz) TO @extowner@;

-- Prospects become customers with their first order, and count as lost after half a year without one.
CREATE FUNCTION crm._simulate_lifecycle(as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
BEGIN
	UPDATE crm.customer c SET lifecycle = 'customer'
	WHERE EXISTS (SELECT FROM crm.sales_order o WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled'));
	PERFORM crm._simulate_moments('crm.customer', $moments$
		SELECT o.customer_id::text, min(o.ordered_at) FROM crm.sales_order o
		WHERE o.status NOT IN ('draft', 'cancelled') GROUP BY 1$moments$);
	UPDATE crm.customer c SET lifecycle = 'churned'
	WHERE c.lifecycle = 'customer' AND NOT EXISTS (SELECT FROM crm.sales_order o
		WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled') AND o.ordered_at >= as_of - interval '180 days');
	PERFORM crm._simulate_moments('crm.customer', $moments$
		SELECT o.customer_id::text, max(o.ordered_at) + interval '180 days' FROM crm.sales_order o
		WHERE o.status NOT IN ('draft', 'cancelled') GROUP BY 1$moments$);
END
$$;
COMMENT ON FUNCTION crm._simulate_lifecycle(timestamptz) IS 'a step of crm.simulate_crm(): from prospect to customer, and to churned';
REVOKE ALL ON FUNCTION crm._simulate_lifecycle(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_lifecycle(timestamptz) TO @extowner@;
