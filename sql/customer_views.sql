-- customer_views: what is known of one customer, for people and BI tools: customer_360, purchase_history, customer_portrait.
--
-- Orders count from placed to completed, in the firm's own currency, as in the source 'crm'. Each part of a row is a
-- subquery that reads a prefix (customer_id, ...) of a primary key, so that one customer costs the same among millions. An
-- aggregate without GROUP BY gives one row, so that the planner leaves out the parts that a query does not ask for.

CREATE FUNCTION crm._make_customer_360() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_view('customer_360', $view$
		SELECT
			c.customer_id, c.name, c.kind, c.lifecycle, c.birthday, c.created_at,
			(SELECT p.given FROM crm.contact_point p WHERE p.customer_id = c.customer_id AND p.kind = 'mail'
				ORDER BY p.is_primary DESC, p.contact_point_id LIMIT 1) AS mail,
			(SELECT p.given FROM crm.contact_point p WHERE p.customer_id = c.customer_id AND p.kind = 'phone'
				ORDER BY p.is_primary DESC, p.contact_point_id LIMIT 1) AS phone,
			(SELECT coalesce(jsonb_object_agg(i.source, i.external_ids), '{}')
				FROM (SELECT i.source, jsonb_agg(i.external_id ORDER BY i.external_id) AS external_ids
					FROM crm.customer_identity i WHERE i.customer_id = c.customer_id GROUP BY i.source) i) AS identities,
			c.owner_id, (SELECT a.name FROM crm.agent a WHERE a.agent_id = c.owner_id) AS owner,
			c.region_id, (SELECT r.name FROM crm.region r WHERE r.region_id = c.region_id) AS region,
			ordered.orders, ordered.amount - returned.amount AS revenue, returned.amount AS returned_amount,
			ordered.first_order_at, ordered.last_order_at,
			contact.occurred_at AS last_interaction_at, contact.kind AS last_interaction_kind,
			contact.channel AS last_interaction_channel,
			deal.opportunities AS open_opportunities, deal.amount AS open_amount, deal.weighted_amount,
			(SELECT count(*) FROM crm.ticket t
				WHERE t.customer_id = c.customer_id AND t.status NOT IN ('solved', 'closed')) AS open_tickets,
			coalesce((SELECT l.balance FROM crm.loyalty_ledger l WHERE l.customer_id = c.customer_id
				ORDER BY l.entry_number DESC LIMIT 1), 0) AS points,
			ARRAY(SELECT t.name FROM crm.customer_tag g JOIN crm.tag t USING (tag_id)
				WHERE g.customer_id = c.customer_id ORDER BY t.name) AS tags,
			(SELECT coalesce(jsonb_object_agg(s.model,
					jsonb_build_object('value', s.value, 'band', s.band, 'scored_at', s.scored_at)), '{}')
				FROM (SELECT DISTINCT ON (s.model) s.model, s.value, s.band, s.scored_at
					FROM crm.score s WHERE s.customer_id = c.customer_id ORDER BY s.model, s.scored_at DESC) s) AS scores,
			(SELECT coalesce(jsonb_object_agg(s.purpose || coalesce('/' || s.channel, ''), s.status), '{}')
				FROM (SELECT DISTINCT ON (s.purpose, s.channel) s.purpose, s.channel, s.status
					FROM crm.consent s WHERE s.customer_id = c.customer_id
					ORDER BY s.purpose, s.channel, s.occurred_at DESC, s.consent_id DESC) s) AS consent
		FROM crm.customer c
		LEFT JOIN LATERAL (
			SELECT count(*) AS orders, coalesce(sum(o.base_amount), 0) AS amount,
				min(o.ordered_at) AS first_order_at, max(o.ordered_at) AS last_order_at
			FROM crm.sales_order o
			WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')) ordered ON true
		LEFT JOIN LATERAL (
			SELECT coalesce(sum(r.base_amount), 0) AS amount
			FROM crm.sales_return r WHERE r.customer_id = c.customer_id) returned ON true
		LEFT JOIN LATERAL (
			SELECT count(*) AS opportunities, coalesce(sum(o.base_amount), 0) AS amount,
				coalesce(sum(o.base_amount * coalesce(o.probability, s.probability)), 0) AS weighted_amount
			FROM crm.opportunity o JOIN crm.pipeline_stage s USING (pipeline_stage_id)
			WHERE o.customer_id = c.customer_id AND s.outcome = 'open') deal ON true
		LEFT JOIN LATERAL (
			SELECT max(l.occurred_at) AS occurred_at, max(l.kind) AS kind, max(l.channel) AS channel
			FROM (SELECT i.occurred_at, i.kind, i.channel
				FROM crm.interaction i
				WHERE i.customer_id = c.customer_id AND i.direction IS DISTINCT FROM 'internal'
				ORDER BY i.occurred_at DESC, i.interaction_id DESC LIMIT 1) l) contact ON true
		WHERE c.merged_into IS NULL
	$view$);
	PERFORM crm._describe('customer_360', 'a row for each customer with what is known of it; customers merged into another are left out', $json${
		"customer_id": "the customer",
		"name": "name to show",
		"kind": "person or organisation",
		"lifecycle": "lead, prospect, customer or churned",
		"birthday": "date of birth",
		"created_at": "when the customer was entered",
		"mail": "mail address: the primary one, or the first",
		"phone": "phone number: the primary one, or the first",
		"identities": "its keys in other systems: {\"system\": [\"key\", ...]}",
		"owner_id": "the agent who owns the customer",
		"owner": "that agent's name",
		"region_id": "the customer's region",
		"region": "that region's name",
		"orders": "orders, from placed to completed",
		"revenue": "what they brought net of returns, in the firm's own currency",
		"returned_amount": "what came back of them",
		"first_order_at": "the first of these orders",
		"last_order_at": "the last of these orders",
		"last_interaction_at": "the last interaction that was not internal",
		"last_interaction_kind": "what it was",
		"last_interaction_channel": "by which channel",
		"open_opportunities": "opportunities neither won nor lost",
		"open_amount": "their amounts, in the firm's own currency",
		"weighted_amount": "their amounts times their probabilities, or those of their stages",
		"open_tickets": "tickets neither solved nor closed",
		"points": "balance of loyalty points",
		"tags": "the tags, in order",
		"scores": "the latest score of each model: {\"model\": {\"value\", \"band\", \"scored_at\"}}",
		"consent": "the latest statement for each purpose, and for each channel of it: {\"purpose\" or \"purpose/channel\": given or withdrawn}"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_customer_360() IS 'makes the view customer_360';
REVOKE ALL ON FUNCTION crm._make_customer_360() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_customer_360() TO @extowner@;

CREATE FUNCTION crm._make_purchase_history() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_view('purchase_history', $view$
		SELECT o.customer_id, 'purchase' AS entry, o.ordered_at AS occurred_at, o.sales_order_id, i.line_number, o.status, o.channel,
			o.campaign_id, i.product_id, p.sku, p.name AS product, k.name AS category, i.quantity, i.unit_price, i.discount,
			coalesce(i.amount, o.amount) AS amount, o.currency, coalesce(i.amount, o.amount) * coalesce(o.exchange_rate, 1) AS base_amount,
			NULL::text AS reason
		FROM crm.sales_order o
		LEFT JOIN crm.sales_order_item i USING (customer_id, sales_order_id)
		LEFT JOIN crm.product p USING (product_id)
		LEFT JOIN crm.product_category k USING (product_category_id)
		WHERE o.status NOT IN ('draft', 'cancelled')
		UNION ALL
		SELECT r.customer_id, 'return' AS entry, r.returned_at AS occurred_at, r.sales_order_id, NULL::integer AS line_number, o.status, o.channel,
			o.campaign_id, r.product_id, p.sku, p.name AS product, k.name AS category, - r.quantity AS quantity,
			NULL::numeric AS unit_price, NULL::numeric AS discount, - r.amount AS amount, o.currency, - r.base_amount AS base_amount,
			r.reason
		FROM crm.sales_return r
		JOIN crm.sales_order o USING (customer_id, sales_order_id)
		LEFT JOIN crm.product p USING (product_id)
		LEFT JOIN crm.product_category k USING (product_category_id)
	$view$);
	PERFORM crm._describe('purchase_history', 'a row for each line of an order, from placed to completed, and for each return, whose quantity and amounts are below zero', $json${
		"customer_id": "the customer",
		"entry": "purchase or return",
		"occurred_at": "when it was ordered or returned",
		"sales_order_id": "the order",
		"line_number": "its line; NULL for a return, and for an order without lines, which has one row",
		"status": "state of the order",
		"channel": "by which channel it was ordered",
		"campaign_id": "the campaign that the order is attributed to",
		"product_id": "the product",
		"sku": "its article number",
		"product": "its name",
		"category": "its category",
		"quantity": "how many",
		"unit_price": "price of one",
		"discount": "share of the price that was let off",
		"amount": "amount of the line, or of an order without lines, in the order's currency",
		"currency": "the order's currency; NULL is the firm's own",
		"base_amount": "the amount in the firm's own currency, at the order's rate",
		"reason": "why it was returned"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_purchase_history() IS 'makes the view purchase_history';
REVOKE ALL ON FUNCTION crm._make_purchase_history() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_purchase_history() TO @extowner@;

CREATE FUNCTION crm._make_customer_portrait() RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_view('customer_portrait', $view$
		SELECT c.customer_id, total.orders,
			category.product_category_id AS top_category_id, category.name AS top_category, category.share AS top_category_share,
			channel.channel, channel.share AS channel_share,
			weekday.weekday, weekday.share AS weekday_share,
			day_hour.hour, day_hour.share AS hour_share
		FROM crm.customer c
		LEFT JOIN LATERAL (
			SELECT count(*) AS orders FROM crm.sales_order o
			WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')) total ON true
		LEFT JOIN LATERAL (
			SELECT k.product_category_id, k.name,
				(sum(i.amount * coalesce(o.exchange_rate, 1)) / nullif(sum(sum(i.amount * coalesce(o.exchange_rate, 1))) OVER (), 0))::float8 AS share
			FROM crm.sales_order o
			JOIN crm.sales_order_item i USING (customer_id, sales_order_id)
			JOIN crm.product p USING (product_id)
			JOIN crm.product_category k USING (product_category_id)
			WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')
			GROUP BY k.product_category_id, k.name
			ORDER BY sum(i.amount * coalesce(o.exchange_rate, 1)) DESC, k.name LIMIT 1) category ON true
		LEFT JOIN LATERAL (
			SELECT o.channel, count(*) / sum(count(*)) OVER ()::float8 AS share
			FROM crm.sales_order o
			WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')
				AND o.channel IS NOT NULL
			GROUP BY o.channel ORDER BY count(*) DESC, o.channel LIMIT 1) channel ON true
		LEFT JOIN LATERAL (
			SELECT extract(isodow FROM o.ordered_at)::integer AS weekday, count(*) / sum(count(*)) OVER ()::float8 AS share
			FROM crm.sales_order o
			WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')
			GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) weekday ON true
		LEFT JOIN LATERAL (
			SELECT extract(hour FROM o.ordered_at)::integer AS hour, count(*) / sum(count(*)) OVER ()::float8 AS share
			FROM crm.sales_order o
			WHERE o.customer_id = c.customer_id AND o.status NOT IN ('draft', 'cancelled')
			GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 1) day_hour ON true
		WHERE c.merged_into IS NULL
	$view$);
	PERFORM crm._describe('customer_portrait', 'what the orders of a customer, from placed to completed, say of its preferences; NULL where there is nothing to say; of equals the first in order', $json${
		"customer_id": "the customer",
		"orders": "the orders that this rests on",
		"top_category_id": "the product category that the customer spent most on",
		"top_category": "its name",
		"top_category_share": "its share of what was spent on products of any category",
		"channel": "the channel most often ordered by",
		"channel_share": "its share of the orders with a channel",
		"weekday": "the weekday most often ordered on, 1 Monday to 7 Sunday, in the session's time zone",
		"weekday_share": "its share of the orders",
		"hour": "the hour most often ordered in, 0 to 23, in the session's time zone",
		"hour_share": "its share of the orders"}$json$);
END
$$;
COMMENT ON FUNCTION crm._make_customer_portrait() IS 'makes the view customer_portrait';
REVOKE ALL ON FUNCTION crm._make_customer_portrait() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._make_customer_portrait() TO @extowner@;

CREATE FUNCTION crm._setup_300_customer_views(partition_interactions boolean) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
BEGIN
	PERFORM crm._make_customer_360();
	PERFORM crm._make_purchase_history();
	PERFORM crm._make_customer_portrait();
END
$$;
COMMENT ON FUNCTION crm._setup_300_customer_views(boolean) IS 'a step of crm.setup(): the views customer_360, purchase_history and customer_portrait';
REVOKE ALL ON FUNCTION crm._setup_300_customer_views(boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._setup_300_customer_views(boolean) TO @extowner@;

CREATE FUNCTION crm._relations_300_customer_views() RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$ SELECT '{customer_360, purchase_history, customer_portrait}'::text[] $$;
COMMENT ON FUNCTION crm._relations_300_customer_views() IS 'what crm._setup_300_customer_views makes';
REVOKE ALL ON FUNCTION crm._relations_300_customer_views() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._relations_300_customer_views() TO @extowner@;

CREATE FUNCTION crm._access_300_customer_views() RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT $json${"relations": {
		"customer_360": {"scope": "view", "personal": {"name": "name", "birthday": "birthday", "mail": "mail", "phone": "phone",
			"identities": "json", "owner": "name"}},
		"purchase_history": {"scope": "view", "personal": {"reason": "text"}},
		"customer_portrait": {"scope": "view"}}}$json$::jsonb
$$;
COMMENT ON FUNCTION crm._access_300_customer_views() IS 'access to what crm._setup_300_customer_views makes';
REVOKE ALL ON FUNCTION crm._access_300_customer_views() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._access_300_customer_views() TO @extowner@;
