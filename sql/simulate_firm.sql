-- simulate_firm: the firm of crm.simulate_crm() itself: regions, teams, agents, what it sells and how it speaks of things.

-- Regions 6 to 13 are where customers live; 2 to 5 are the sales regions. A region's agents follow one another, the manager
-- first; service and marketing come last.
CREATE FUNCTION crm._simulate_organisation(customers integer, draws bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	m constant bigint := 9007199254740991; -- 53 bits of a hash make a draw from 0 to 1
	n constant float8 := 9007199254740992;
	sellers constant integer := least(20, 2 + customers / 2000); -- of each sales region
	helpers constant integer := least(40, 3 + customers / 1000);
BEGIN
	INSERT INTO crm.region (region_id, parent_id, name)
	SELECT r.place, CASE WHEN r.place > 5 THEN 2 + (r.place - 6) / 2 WHEN r.place > 1 THEN 1 END, r.name
	FROM unnest('{Home market, North, East, South, West, North Coast, North Hills, East Lakes, East Plains, South Coast, South Hills,
		West City, West Valley}'::text[]) WITH ORDINALITY r (name, place);

	INSERT INTO crm.team (team_id, parent_id, name)
	VALUES (1, NULL, 'The firm'), (2, 1, 'Sales'), (3, 2, 'Sales North'), (4, 2, 'Sales East'), (5, 2, 'Sales South'),
		(6, 2, 'Sales West'), (7, 1, 'Service'), (8, 1, 'Marketing');

	-- The last seller of the West has left, and nobody has taken over the customers yet.
	INSERT INTO crm.agent (agent_id, name, mail, team_id, region_id, is_manager, is_active, created_at)
	SELECT p.agent_id, d.name, lower(replace(d.name, ' ', '.')) || '.' || p.agent_id || '@firm.example',
		p.team_id, CASE WHEN p.team_id BETWEEN 3 AND 6 THEN p.team_id - 1 ELSE 1 END, p.is_manager,
		p.agent_id <> 4 * (sellers + 1), as_of - make_interval(days => 1100 - (p.agent_id % 300)::integer)
	FROM (
		SELECT row_number() OVER (ORDER BY t.team_id, s.place) AS agent_id, t.team_id, s.place = 0 AS is_manager
		FROM (VALUES (3, sellers), (4, sellers), (5, sellers), (6, sellers), (7, helpers), (8, 1)) t (team_id, people)
		CROSS JOIN LATERAL generate_series(0, t.people) s (place)
	) p
	CROSS JOIN LATERAL (SELECT crm._simulate_name((hashint8extended(p.agent_id, draws + 1) & m) / n,
		(hashint8extended(p.agent_id, draws + 2) & m) / n) AS name) d;

	INSERT INTO crm.sales_target (sales_target_id, agent_id, from_date, to_date, amount)
	SELECT row_number() OVER (ORDER BY a.agent_id), a.agent_id, date_trunc('quarter', as_of)::date,
		(date_trunc('quarter', as_of) + interval '3 months')::date - 1, 2000 + customers / sellers
	FROM crm.agent a WHERE a.team_id BETWEEN 3 AND 6 AND NOT a.is_manager AND a.is_active;

	INSERT INTO crm.lost_reason (lost_reason_id, name) VALUES (1, 'Price'), (2, 'Competitor'), (3, 'No budget'), (4, 'No decision');
	INSERT INTO crm.root_cause (root_cause_id, name, about) VALUES (1, 'Late delivery', 'The carrier was late'),
		(2, 'Damaged parcel', 'Wet, torn or crushed'), (3, 'Wrong item', 'Picked wrongly'), (4, 'Quality', 'Stale or bad taste');
	INSERT INTO crm.tag (tag_id, name, about) VALUES (1, 'VIP', 'The best twentieth by revenue'), (2, 'Wholesale', 'Buys for resale'),
		(3, 'Sleeping', 'No order for half a year'), (4, 'Newsletter', 'Reads what we send'), (5, 'Foreign currency', 'Pays in another currency');
	INSERT INTO crm.survey (survey_id, name, kind, question, scale_min, scale_max, created_at) VALUES
		(1, 'Recommendation', 'nps', 'Would you recommend us?', 0, 10, as_of - interval '730 days'),
		(2, 'Service', 'csat', 'How satisfied are you with our answer?', 1, 5, as_of - interval '730 days'),
		(3, 'Ordering', 'ces', 'How easy was it to order?', 1, 7, as_of - interval '730 days');
	INSERT INTO crm.loyalty_tier (loyalty_tier_id, name, from_points, benefits) VALUES (1, 'Bronze', 0, '{}'),
		(2, 'Silver', 250, '{"shipping": "free"}'), (3, 'Gold', 750, '{"shipping": "free", "tasting": true}');
	INSERT INTO crm.holiday (day, name)
	SELECT make_date(y.year::integer, h.month, h.day), h.name
	FROM generate_series(extract(year FROM as_of) - 3, extract(year FROM as_of) + 1) y (year)
	CROSS JOIN (VALUES (1, 1, 'New Year'), (5, 1, 'Labour Day'), (12, 25, 'Christmas Day'), (12, 26, 'Boxing Day')) h (month, day, name);
END
$$;
COMMENT ON FUNCTION crm._simulate_organisation(integer, bigint, timestamptz) IS 'a step of crm.simulate_crm(): regions, teams, agents, targets and the small catalogues';
REVOKE ALL ON FUNCTION crm._simulate_organisation(integer, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_organisation(integer, bigint, timestamptz) TO @extowner@;

CREATE FUNCTION crm._simulate_products(as_of timestamptz) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
BEGIN
	INSERT INTO crm.product_category (product_category_id, parent_id, name) VALUES (1, NULL, 'Coffee'), (2, NULL, 'Tea'), (3, NULL, 'Pantry'),
		(4, 1, 'Espresso'), (5, 1, 'Filter coffee'), (6, 1, 'Cold coffee'), (7, 2, 'Black tea'), (8, 2, 'Green tea'),
		(9, 2, 'Herbal tea'), (10, 3, 'Milk drinks'), (11, 3, 'Chocolate');

	-- How well each sells, against the others, is its attribute "weight"; units are kilograms and litres.
	INSERT INTO crm.product (product_id, sku, name, product_category_id, price, cost, attributes)
	SELECT p.place, p.sku, p.name, p.category, p.price, round(p.price * 0.55, 2), jsonb_build_object('weight', p.weight)
	FROM unnest(
		'{ESP-1, ESP-2, ESP-3, FIL-1, FIL-2, COL-1, COL-2, BLA-1, BLA-2, BLA-3, GRE-1, GRE-2, GRE-3, HER-1, HER-2, MIL-1, MIL-2, MIL-3,
			CHO-1, CHO-2}'::text[],
		'{House espresso, Dark espresso, Decaf espresso, Breakfast blend, Highland filter, Cold brew, Iced latte base, Morning black,
			Smoked black, Earl Grey, Sencha, Jasmine green, Gunpowder, Peppermint, Chamomile, Oat drink, Almond drink, Milk powder,
			Dark chocolate, Cocoa powder}'::text[],
		'{4, 4, 4, 5, 5, 6, 6, 7, 7, 7, 8, 8, 8, 9, 9, 10, 10, 10, 11, 11}'::integer[],
		'{18, 21, 24, 16, 26, 12, 9, 30, 44, 34, 42, 38, 28, 22, 24, 3.2, 3.9, 7.5, 28, 15}'::numeric[],
		'{10, 6, 2, 9, 4, 2, 2, 5, 2, 4, 4, 3, 2, 4, 3, 2, 2, 1, 4, 3}'::integer[]
	) WITH ORDINALITY p (sku, name, category, price, weight, place);

	INSERT INTO crm.currency_rate (currency, valid_from, rate)
	SELECT c.currency, s.month::date, round((c.rate * (1 + 0.04 * sin(extract(epoch FROM s.month) / 5000000)))::numeric, 4)
	FROM (VALUES ('CHF', 1.05), ('USD', 0.92)) c (currency, rate)
	CROSS JOIN generate_series(date_trunc('month', as_of) - interval '27 months', as_of, interval '1 month') s (month);
END
$$;
COMMENT ON FUNCTION crm._simulate_products(timestamptz) IS 'a step of crm.simulate_crm(): categories, products and exchange rates';
REVOKE ALL ON FUNCTION crm._simulate_products(timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_products(timestamptz) TO @extowner@;
