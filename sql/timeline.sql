-- timeline: interactions logged by hand, read by customer, and pruned.

CREATE FUNCTION crm.log_interaction(
	customer_id bigint,
	kind text,
	channel text DEFAULT NULL,
	direction text DEFAULT 'in',
	occurred_at timestamptz DEFAULT now(),
	detail jsonb DEFAULT NULL,
	source text DEFAULT NULL,
	reference text DEFAULT NULL,
	reference_key text DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_variable
DECLARE
	logged bigint;
BEGIN
	PERFORM crm._require_table('interaction');
	PERFORM crm._require_argument('customer_id', customer_id::text);
	PERFORM crm._require_argument('kind', kind, false);
	PERFORM crm._require_argument('occurred_at', occurred_at::text);
	PERFORM crm._track_check_direction(direction);
	INSERT INTO crm.interaction AS i (customer_id, occurred_at, source, kind, channel, direction, action, reference,
		reference_key, detail, agent, transaction_id)
	VALUES (customer_id, occurred_at, source, kind, channel, direction, 'log', reference, reference_key, detail,
		nullif(current_setting('crm.agent', true), ''), pg_current_xact_id())
	RETURNING i.interaction_id INTO logged;
	RETURN logged;
END
$function$;
COMMENT ON FUNCTION crm.log_interaction(bigint, text, text, text, timestamptz, jsonb, text, text, text) IS 'logs one interaction that has no table, and gives its id; the caller needs INSERT on crm.interaction';
REVOKE ALL ON FUNCTION crm.log_interaction(bigint, text, text, text, timestamptz, jsonb, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.log_interaction(bigint, text, text, text, timestamptz, jsonb, text, text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION crm.log_interactions(
	customer_ids bigint[],
	kind text,
	channel text DEFAULT NULL,
	direction text DEFAULT 'in',
	occurred_at timestamptz[] DEFAULT NULL,
	details jsonb[] DEFAULT NULL
) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	logged bigint;
BEGIN
	PERFORM crm._require_table('interaction');
	PERFORM crm._require_argument('customer_ids', customer_ids::text);
	PERFORM crm._require_argument('kind', kind, false);
	PERFORM crm._track_check_direction(direction);
	IF array_position(customer_ids, NULL) IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'null_value_not_allowed',
			MESSAGE = 'argument "customer_ids" must not contain a null',
			HINT = 'An unknown customer is 0.';
	END IF;
	IF cardinality(occurred_at) <> cardinality(customer_ids) OR cardinality(details) <> cardinality(customer_ids) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'arguments "occurred_at" and "details" must be as long as "customer_ids", or null',
			DETAIL = format('They have %s, %s and %s values.', coalesce(cardinality(occurred_at), 0),
				coalesce(cardinality(details), 0), cardinality(customer_ids));
	END IF;
	INSERT INTO crm.interaction (customer_id, occurred_at, kind, channel, direction, action, detail, agent, transaction_id)
	SELECT u.id, coalesce(u.at, now()), log_interactions.kind, log_interactions.channel, log_interactions.direction, 'log',
		u.detail, nullif(current_setting('crm.agent', true), ''), pg_current_xact_id()
	FROM unnest(customer_ids, log_interactions.occurred_at, details) AS u (id, at, detail);
	GET DIAGNOSTICS logged = ROW_COUNT;
	RETURN logged;
END
$function$;
COMMENT ON FUNCTION crm.log_interactions(bigint[], text, text, text, timestamptz[], jsonb[]) IS 'logs many interactions of one kind at once, and gives their number';
REVOKE ALL ON FUNCTION crm.log_interactions(bigint[], text, text, text, timestamptz[], jsonb[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.log_interactions(bigint[], text, text, text, timestamptz[], jsonb[]) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION crm.timeline(
	customer bigint,
	start_at timestamptz DEFAULT '-infinity',
	end_at timestamptz DEFAULT 'infinity'
) RETURNS TABLE (
	occurred_at timestamptz,
	kind text,
	channel text,
	direction text,
	action text,
	source text,
	reference text,
	reference_key text,
	detail jsonb,
	agent text,
	interaction_id bigint
)
LANGUAGE plpgsql STABLE ROWS 100
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
	PERFORM crm._require_table('interaction');
	PERFORM crm._require_argument('customer', customer::text);
	PERFORM crm._require_argument('start_at', start_at::text);
	PERFORM crm._require_argument('end_at', end_at::text);
	RETURN QUERY
	SELECT i.occurred_at, i.kind, i.channel, i.direction, i.action, i.source, i.reference, i.reference_key, i.detail,
		i.agent, i.interaction_id
	FROM crm.interaction i
	WHERE i.customer_id = customer AND i.occurred_at >= start_at AND (i.occurred_at < end_at OR end_at = 'infinity')
	ORDER BY i.occurred_at DESC, i.interaction_id DESC;
END
$function$;
COMMENT ON FUNCTION crm.timeline(bigint, timestamptz, timestamptz) IS 'the interactions of a customer, the latest first, from start_at up to before end_at; the caller needs SELECT on crm.interaction';

CREATE FUNCTION crm.prune_interactions(before timestamptz, batch integer DEFAULT 10000) RETURNS bigint
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '5s'
AS $function$
DECLARE
	pruned bigint := 0;
	n bigint;
	old oid[];
	partition regclass;
BEGIN
	IF before IS NULL OR batch IS NULL OR batch < 1 OR NOT isfinite(before) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "before" must be a finite time, and "batch" above zero',
			HINT = 'For instance SELECT crm.prune_interactions(now() - interval ''5 years'').';
	END IF;
	PERFORM crm._require_table('interaction');
	SELECT coalesce(array_agg(c.oid), '{}') INTO old
	FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
	WHERE i.inhparent = 'crm.interaction'::regclass
		AND (regexp_match(pg_get_expr(c.relpartbound, c.oid), 'TO \(''([^'']*)''\)'))[1]::timestamptz <= before;
	LOOP
		DELETE FROM crm.interaction i
		USING (
			SELECT o.ctid, o.tableoid FROM crm.interaction o
			WHERE o.occurred_at < before AND o.tableoid <> ALL (old) LIMIT batch FOR UPDATE SKIP LOCKED
		) o
		WHERE i.ctid = o.ctid AND i.tableoid = o.tableoid;
		GET DIAGNOSTICS n = ROW_COUNT;
		EXIT WHEN n = 0;
		pruned := pruned + n;
	END LOOP;
	-- whole partitions go last: the lock for it keeps writers waiting, until the transaction ends
	FOREACH partition IN ARRAY old LOOP
		EXECUTE format('SELECT count(*) FROM %s', partition) INTO n;
		EXECUTE format('DROP TABLE %s', partition);
		pruned := pruned + n;
	END LOOP;
	RETURN pruned;
END
$function$;
COMMENT ON FUNCTION crm.prune_interactions(timestamptz, integer) IS 'deletes interactions before a time, in batches or by dropping whole partitions, and gives their number; writers go on';
REVOKE ALL ON FUNCTION crm.prune_interactions(timestamptz, integer) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.prune_interactions(timestamptz, integer) TO @extowner@;
