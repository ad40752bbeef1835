-- simulate_crm: a firm that fills the tables of the CRM, for demonstrations, tests and training.
--
-- The firm sells coffee and tea by weight. All is drawn by hashes of keys and the seed, never by random(), so that the same
-- seed gives the same firm; orders come from crm.simulate_orders. Rows go in as an application would write them, with all
-- triggers; then the log's rows get the moments of what they speak of, where the tables have no column for it.
-- doc/simulate_crm.md tells which effects are planted.

CREATE FUNCTION crm._simulate_check(customers integer, seed bigint, as_of timestamptz) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	relation text;
	has_rows boolean;
BEGIN
	PERFORM crm._require_argument('customers', customers::text);
	PERFORM crm._require_argument('seed', seed::text);
	PERFORM crm._require_argument('as_of', as_of::text);
	IF customers NOT BETWEEN 1 AND 1000000 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "customers" must be between 1 and 1000000',
			DETAIL = format('Got %s.', customers);
	ELSIF as_of NOT BETWEEN '1900-01-01' AND '2999-12-31' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "as_of" must be between 1900 and 2999',
			DETAIL = format('Got %s.', as_of);
	END IF;

	-- What crm.setup() filled itself is no obstacle, nor is the log.
	FOREACH relation IN ARRAY '{customer, region, team, agent, contact_point, customer_identity, consent, preference, tag, customer_tag,
		note, product_category, product, currency_rate, campaign, campaign_cost, campaign_member, campaign_event, touch, segment,
		segment_member, lost_reason, lead, opportunity, sales_target, sales_order, sales_return, root_cause, holiday, ticket,
		survey, survey_response, task, loyalty_tier, loyalty_ledger, event, score}'::text[]
	LOOP
		PERFORM crm._require_table(relation);
		EXECUTE format('SELECT EXISTS (SELECT FROM crm.%I)', relation) INTO has_rows;
		IF has_rows THEN
			RAISE EXCEPTION USING
				ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('the table crm.%I has rows', relation),
				DETAIL = 'A simulated firm does not go together with another one.',
				HINT = 'Simulate in a database of its own: CREATE EXTENSION crm, SELECT crm.setup(), SELECT * FROM crm.simulate_crm().';
		END IF;
	END LOOP;
	IF 6 <> (SELECT count(*) FROM crm.pipeline p JOIN crm.pipeline_stage s USING (pipeline_id)
		WHERE p.name = 'Sales' AND s.name IN ('New', 'Qualified', 'Proposal', 'Negotiation', 'Won', 'Lost'))
	THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = 'the pipeline "Sales" has not the stages that crm.setup() gave it',
			HINT = 'Simulate in a database of its own.';
	END IF;
END
$$;
COMMENT ON FUNCTION crm._simulate_check(integer, bigint, timestamptz) IS 'raises the errors of crm.simulate_crm: its arguments, and tables that are not empty';
REVOKE ALL ON FUNCTION crm._simulate_check(integer, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_check(integer, bigint, timestamptz) TO @extowner@;

-- The rows of the log that the last statement on a table added stand at the time of the transaction. The planner knows
-- nothing of a log that this transaction fills: it must not look for each of them one by one.
CREATE FUNCTION crm._simulate_moments(relation text, moments text) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off
AS $$
BEGIN
	EXECUTE format('UPDATE crm.interaction i SET occurred_at = m.at FROM (%s) m (key, at) '
		'WHERE i.reference = $1 AND i.reference_key = m.key AND i.occurred_at = now() AND i.transaction_id = pg_current_xact_id()',
		moments) USING relation;
END
$$;
COMMENT ON FUNCTION crm._simulate_moments(text, text) IS 'a step of crm.simulate_crm(): moves the latest rows of the log about a relation to the moments that a query gives for their keys';
REVOKE ALL ON FUNCTION crm._simulate_moments(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_moments(text, text) TO @extowner@;

CREATE FUNCTION crm._simulate_name(first float8, last float8) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT ('{Ada,Ben,Chloe,Dilan,Eva,Felix,Grace,Hugo,Ines,Jan,Kaya,Liam,Mina,Noor,Olga,Piet,Rosa,Soren,Tom,Ute,Vera,Wim,Yara,Zoe}'::text[])
			[1 + (first * 24)::integer % 24] || ' ' ||
		('{Adams,Brandt,Castro,Dubois,Eriksen,Fischer,Garcia,Haddad,Ivanov,Jansen,Keller,Lindstrom,Moreau,Novak,Ozturk,Park,Quist,Rossi,Sato,Tanaka,Unger,Vogel,Weiss,Yilmaz}'::text[])
			[1 + (last * 24)::integer % 24]
$$;
COMMENT ON FUNCTION crm._simulate_name(float8, float8) IS 'a name of a person for two draws from 0 to 1';
REVOKE ALL ON FUNCTION crm._simulate_name(float8, float8) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._simulate_name(float8, float8) TO @extowner@;

CREATE FUNCTION crm.simulate_crm(customers integer DEFAULT 1000, seed bigint DEFAULT 42, as_of timestamptz DEFAULT pg_catalog.now())
RETURNS TABLE (table_name text, rows bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET TimeZone = 'UTC'
AS $$
DECLARE
	-- Seeds that follow each other must not give hashes that do.
	draws bigint := hashint8extended(seed, 0) >> 8;
	ends timestamptz := date_trunc('second', as_of);
	relation text;
BEGIN
	PERFORM crm._simulate_check(customers, seed, as_of);
	PERFORM crm._simulate_organisation(customers, draws, ends);
	PERFORM crm._simulate_products(ends);
	PERFORM crm._simulate_plan(customers, seed, draws, ends);
	PERFORM crm._simulate_customers(customers, draws, ends);
	PERFORM crm._simulate_contacts(draws, ends);
	PERFORM crm._simulate_campaigns(draws, ends);
	PERFORM crm._simulate_leads(customers, draws, ends);
	PERFORM crm._simulate_deals(draws, ends);
	PERFORM crm._simulate_orders(draws, ends);
	PERFORM crm._simulate_returns(draws, ends);
	PERFORM crm._simulate_lifecycle(ends);
	PERFORM crm._simulate_campaign_events();
	PERFORM crm._simulate_touches(draws, ends);
	PERFORM crm._simulate_tickets(draws, ends);
	PERFORM crm._simulate_ticket_work(draws, ends);
	PERFORM crm._simulate_surveys(draws, ends);
	PERFORM crm._simulate_tasks(draws, ends);
	PERFORM crm._simulate_loyalty(draws, ends);
	PERFORM crm._simulate_marks(draws, ends);
	DROP TABLE pg_temp.simulated_customer, pg_temp.simulated_order, pg_temp.simulated_line, pg_temp.simulated_event, pg_temp.simulated_ticket;
	PERFORM crm.resync_sequences();

	FOR table_name IN
		SELECT c.relname
		FROM unnest(crm._relations()) WITH ORDINALITY r (name, place)
		JOIN pg_class c ON c.oid = to_regclass('crm.' || quote_ident(r.name))
		WHERE c.relkind IN ('r', 'p')
		ORDER BY r.place
	LOOP
		EXECUTE format('ANALYZE crm.%I', table_name);
		EXECUTE format('SELECT count(*) FROM crm.%I', table_name) INTO rows;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm.simulate_crm(integer, bigint, timestamptz) IS 'fills the empty tables of the CRM with a simulated firm of two years up to as_of, and gives the number of rows of each table; the same seed gives the same firm';
REVOKE ALL ON FUNCTION crm.simulate_crm(integer, bigint, timestamptz) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.simulate_crm(integer, bigint, timestamptz) TO @extowner@;
