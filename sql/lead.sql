-- lead: a lead becomes a customer with an opportunity, or an opportunity of a customer who is there already.

-- One spelling, as the column crm.contact_point.normalised has it, and whether it is good enough to know somebody by: an
-- address with a domain, a number of at least five digits. A place for each one given, NULL where nothing was.
CREATE FUNCTION crm._read_contacts(kind text, given text[]) RETURNS TABLE (place bigint, normalised text, is_good boolean)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT n.place, n.normalised, CASE kind
		WHEN 'phone' THEN n.normalised ~ '^[+]?[0-9]{5,}$'
		WHEN 'mail' THEN n.normalised ~ '^[^@\s]+@[^@\s.]+([.][^@\s.]+)+$' END
	FROM (
		SELECT g.place, CASE WHEN g.given ~ '\S' THEN CASE kind
			WHEN 'phone' THEN CASE WHEN g.given ~ '^[^0-9]*[+]' THEN '+' ELSE '' END || regexp_replace(g.given, '[^0-9]', '', 'g')
			ELSE lower(regexp_replace(regexp_replace(g.given, '^\s+|\s+$', '', 'g'), '\s+', ' ', 'g')) END END AS normalised
		FROM unnest(given) WITH ORDINALITY g (given, place)
	) n
$$;
COMMENT ON FUNCTION crm._read_contacts(text, text[]) IS 'mail addresses or phone numbers in one spelling, and whether they are good to know somebody by; open to PUBLIC for the functions that are';

CREATE FUNCTION crm._survivor(customer bigint) RETURNS bigint
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE chain (customer_id, merged_into) AS (
		SELECT c.customer_id, c.merged_into FROM crm.customer c WHERE c.customer_id = customer
		UNION
		SELECT c.customer_id, c.merged_into FROM chain h JOIN crm.customer c ON c.customer_id = h.merged_into
	)
	SELECT h.customer_id FROM chain h WHERE h.merged_into IS NULL
$$;
COMMENT ON FUNCTION crm._survivor(bigint) IS 'the customer into whom a customer was merged in the end; the same one when never merged, NULL when there is none; open to PUBLIC for the functions that are';

-- Who has one of these contacts, a mail address before a phone number; of several the first.
CREATE FUNCTION crm._lead_match(lead bigint, mail text, phone text) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
AS $$
DECLARE
	result bigint := crm._survivor((SELECT i.customer_id FROM crm.customer_identity i
		WHERE i.source = 'lead' AND i.external_id = lead::text));
	contact record;
	found_ids bigint[];
BEGIN
	IF result IS NOT NULL THEN
		RETURN result;
	END IF;
	FOR contact IN SELECT u.kind, u.normalised FROM unnest('{mail, phone}'::text[], ARRAY[mail, phone]) u (kind, normalised) LOOP
		found_ids := ARRAY(SELECT DISTINCT c.customer_id
			FROM crm.contact_point p JOIN crm.customer c ON c.customer_id = p.customer_id
			WHERE p.kind = contact.kind AND p.normalised = contact.normalised AND c.merged_into IS NULL
			ORDER BY c.customer_id);
		IF cardinality(found_ids) > 1 THEN
			RAISE NOTICE USING
				MESSAGE = format('%s customers have the %s of lead %s, of whom customer %s is taken',
					cardinality(found_ids), contact.kind, lead, found_ids[1]),
				HINT = 'See crm.find_duplicates() and crm.merge_customers().';
		END IF;
		IF found_ids <> '{}' THEN
			RETURN found_ids[1];
		END IF;
	END LOOP;
	RETURN NULL;
END
$$;
COMMENT ON FUNCTION crm._lead_match(bigint, text, text) IS 'the customer whom a lead turned out to be: by identity, mail or phone; NULL when there is none; open to PUBLIC for crm.convert_lead()';

CREATE FUNCTION crm._lead_opportunity(lead bigint, customer bigint, pipeline text, name text, amount numeric) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	chosen record;
	stage bigint;
	result bigint;
BEGIN
	SELECT p.pipeline_id, p.name INTO chosen FROM crm.pipeline p
	WHERE CASE WHEN _lead_opportunity.pipeline IS NULL THEN p.is_default ELSE p.name = _lead_opportunity.pipeline END;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = CASE WHEN _lead_opportunity.pipeline IS NULL THEN 'there is no default pipeline'
				ELSE format('there is no pipeline "%s"', _lead_opportunity.pipeline) END,
			HINT = 'Name one of crm.pipeline: pipeline => ''Sales''.';
	END IF;
	SELECT s.pipeline_stage_id INTO stage FROM crm.pipeline_stage s
	WHERE s.pipeline_id = chosen.pipeline_id AND s.outcome = 'open'
	ORDER BY s.place LIMIT 1;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('pipeline "%s" has no open stage', chosen.name),
			HINT = 'Add one to crm.pipeline_stage.';
	END IF;
	INSERT INTO crm.opportunity AS o (customer_id, name, pipeline_id, pipeline_stage_id, lead_id, amount, currency, campaign_id, owner_id, region_id)
	SELECT customer, coalesce(_lead_opportunity.name, nullif(l.organisation, ''), nullif(l.name, ''), format('Lead %s', lead)),
		chosen.pipeline_id, stage, lead, coalesce(_lead_opportunity.amount, l.amount), l.currency,
		coalesce(l.last_touch_campaign_id, l.first_touch_campaign_id),
		coalesce(l.owner_id, c.owner_id), coalesce(l.region_id, c.region_id)
	FROM crm.lead l, crm.customer c
	WHERE l.lead_id = lead AND c.customer_id = customer
	RETURNING o.opportunity_id INTO result;
	RETURN result;
END
$$;
COMMENT ON FUNCTION crm._lead_opportunity(bigint, bigint, text, text, numeric) IS 'makes the opportunity of a lead in the first open stage of a pipeline; open to PUBLIC for crm.convert_lead()';

-- The fields of a customer who is there already are filled where they are empty; the contacts are added that are new.
CREATE FUNCTION crm._lead_customer(lead bigint, customer bigint, contacts jsonb) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	result bigint := customer;
BEGIN
	IF result IS NULL THEN
		INSERT INTO crm.customer AS c (name, kind, lifecycle, owner_id, region_id, attributes)
		SELECT coalesce(nullif(l.name, ''), l.organisation),
			CASE WHEN nullif(l.name, '') IS NULL AND nullif(l.organisation, '') IS NOT NULL THEN 'organisation' ELSE 'person' END, 'prospect',
			l.owner_id, l.region_id, jsonb_strip_nulls(jsonb_build_object('organisation', CASE WHEN l.name <> '' THEN nullif(l.organisation, '') END)) || l.attributes
		FROM crm.lead l
		WHERE l.lead_id = lead
		RETURNING c.customer_id INTO result;
	ELSE
		UPDATE crm.customer c
		SET name = coalesce(c.name, nullif(l.name, ''), l.organisation), owner_id = coalesce(c.owner_id, l.owner_id),
			region_id = coalesce(c.region_id, l.region_id), attributes = l.attributes || c.attributes,
			lifecycle = CASE c.lifecycle WHEN 'lead' THEN 'prospect' ELSE c.lifecycle END
		FROM crm.lead l
		WHERE l.lead_id = lead AND c.customer_id = result;
	END IF;
	INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('lead', lead::text, result)
	ON CONFLICT (source, external_id) DO NOTHING;
	INSERT INTO crm.contact_point (customer_id, kind, given, is_primary)
	SELECT result, n.kind, n.given, NOT EXISTS (SELECT FROM crm.contact_point p WHERE p.customer_id = result AND p.kind = n.kind AND p.is_primary)
	FROM jsonb_to_recordset(contacts) n (kind text, given text, normalised text)
	WHERE NOT EXISTS (SELECT FROM crm.contact_point p
		WHERE p.customer_id = result AND p.kind = n.kind AND p.normalised = n.normalised);
	RETURN result;
END
$$;
COMMENT ON FUNCTION crm._lead_customer(bigint, bigint, jsonb) IS 'makes the customer of a lead, or completes the one given; open to PUBLIC for crm.convert_lead()';

CREATE FUNCTION crm.convert_lead(
	lead bigint,
	pipeline text DEFAULT NULL,
	opportunity text DEFAULT NULL,
	amount numeric DEFAULT NULL,
	customer bigint DEFAULT NULL,
	create_opportunity boolean DEFAULT true
) RETURNS TABLE (customer_id bigint, opportunity_id bigint, customer_created boolean)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	one record;
	contacts jsonb;
	bad text;
BEGIN
	PERFORM crm._require_argument('lead', lead::text);
	PERFORM crm._require_argument('create_opportunity', create_opportunity::text);
	PERFORM crm._require_argument('opportunity', coalesce(convert_lead.opportunity, 'default'), false);
	PERFORM crm._require_table('lead');
	SELECT * INTO one FROM crm.lead l WHERE l.lead_id = lead FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('there is no lead %s', lead);
	ELSIF one.status = 'converted' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('lead %s was converted already', lead),
			DETAIL = format('It became customer %s.', one.customer_id);
	ELSIF one.status = 'rejected' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('lead %s was rejected', lead),
			HINT = 'Give it another status first.';
	END IF;
	customer_id := coalesce(customer, one.customer_id);
	IF customer_id IS NOT NULL AND crm._survivor(customer_id) IS NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('there is no customer %s', customer_id);
	END IF;

	SELECT jsonb_agg(jsonb_build_object('kind', k.kind, 'given', k.given, 'normalised', r.normalised)) FILTER (WHERE r.is_good),
		string_agg(k.kind, ', ') FILTER (WHERE NOT r.is_good)
	INTO contacts, bad
	FROM unnest('{mail, phone}'::text[], ARRAY[one.mail, one.phone]) k (kind, given)
	CROSS JOIN LATERAL crm._read_contacts(k.kind, ARRAY[k.given]) r;
	IF bad IS NOT NULL THEN
		RAISE NOTICE 'lead %: left out, since it cannot be right: %', lead, bad;
	END IF;
	-- Sessions that convert leads of the same contact take turns; all the locks are taken in one order. An import excludes all.
	PERFORM pg_advisory_xact_lock_shared(hashtextextended('crm.contact_point', 0));
	PERFORM pg_advisory_xact_lock(l.key)
	FROM (SELECT hashtextextended('crm.contact_point ' || concat_ws(' ', e ->> 'kind', e ->> 'normalised'), 0) AS key
		FROM jsonb_array_elements(contacts) e ORDER BY 1) l;
	customer_id := coalesce(crm._survivor(customer_id), crm._lead_match(lead,
		jsonb_path_query_first(contacts, '$[*] ? (@.kind == "mail").normalised') #>> '{}',
		jsonb_path_query_first(contacts, '$[*] ? (@.kind == "phone").normalised') #>> '{}'));

	customer_created := customer_id IS NULL;
	customer_id := crm._lead_customer(lead, customer_id, contacts);
	IF create_opportunity THEN
		opportunity_id := crm._lead_opportunity(lead, customer_id, pipeline, convert_lead.opportunity, convert_lead.amount);
	END IF;
	UPDATE crm.lead l SET status = 'converted', converted_at = now(), customer_id = convert_lead.customer_id WHERE l.lead_id = lead;
	RETURN NEXT;
END
$$;
COMMENT ON FUNCTION crm.convert_lead(bigint, text, text, numeric, bigint, boolean) IS 'makes a lead a customer with an opportunity, or gives the opportunity to the customer who has the mail address or phone number already; returns who it is and whether the customer is new';
REVOKE ALL ON FUNCTION crm.convert_lead(bigint, text, text, numeric, bigint, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.convert_lead(bigint, text, text, numeric, bigint, boolean) TO @extowner@ WITH GRANT OPTION;
