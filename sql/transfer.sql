-- transfer: what one agent owns goes to another, and back.

-- What agents own: the CRM's tables whose owner_id or assignee_id refers to crm.agent. Of those that have an end, only what is
-- still open goes over, t being the row.
CREATE FUNCTION crm._owned_relations()
RETURNS TABLE (relation text, target regclass, owner_column text, has_customer boolean, customer_in_key boolean, condition text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('crm.%I', r.name), o.attrelid::regclass, o.attname::text, c.attnum IS NOT NULL,
		EXISTS (SELECT FROM pg_index i WHERE i.indrelid = o.attrelid AND i.indisprimary AND c.attnum = ANY (i.indkey)),
		CASE r.name
			WHEN 'opportunity' THEN
				't.pipeline_stage_id IN (SELECT s.pipeline_stage_id FROM crm.pipeline_stage s WHERE s.outcome = ''open'')'
			WHEN 'ticket' THEN 't.status NOT IN (''solved'', ''closed'')'
			WHEN 'task' THEN 't.status = ''open'''
			WHEN 'lead' THEN 't.status NOT IN (''converted'', ''rejected'')'
			WHEN 'campaign' THEN 't.status <> ''done'''
			ELSE 'true' END
	FROM unnest('{customer, campaign, lead, opportunity, ticket, task}'::text[]) WITH ORDINALITY r (name, place)
	JOIN pg_attribute o ON o.attrelid = to_regclass('crm.' || quote_ident(r.name)) AND o.attname IN ('owner_id', 'assignee_id')
	LEFT JOIN pg_attribute c ON c.attrelid = o.attrelid AND c.attname = 'customer_id'
	ORDER BY r.place
$$;
COMMENT ON FUNCTION crm._owned_relations() IS 'the tables whose rows agents own, and which of the rows a transfer takes';
REVOKE ALL ON FUNCTION crm._owned_relations() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._owned_relations() TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION crm._filter_customers(filter text, search_path text) RETURNS bigint[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result bigint[];
BEGIN
	RETURN coalesce(crm._read_only(
		format(E'SELECT pg_catalog.array_agg(c.customer_id) FROM (SELECT customer_id FROM crm.customer WHERE (%s\n)) c', filter),
		result, _filter_customers.search_path), '{}');
END
$$;
COMMENT ON FUNCTION crm._filter_customers(text, text) IS 'the customers for whom a condition on crm.customer holds, read as the caller';
REVOKE ALL ON FUNCTION crm._filter_customers(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._filter_customers(text, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION crm._transfer_check(from_agent bigint, to_agent bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	one record;
BEGIN
	PERFORM crm._require_argument('from_agent', from_agent::text);
	PERFORM crm._require_argument('to_agent', to_agent::text);
	IF from_agent = to_agent THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'arguments "from_agent" and "to_agent" must differ',
			DETAIL = format('Both are %s.', from_agent);
	END IF;
	FOR one IN
		SELECT u.id, a.is_active FROM unnest(ARRAY[from_agent, to_agent]) u (id) LEFT JOIN crm.agent a ON a.agent_id = u.id
	LOOP
		IF one.is_active IS NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'undefined_object',
				MESSAGE = format('there is no agent %s', one.id),
				HINT = 'SELECT agent_id FROM crm.agent lists them.';
		ELSIF one.id = to_agent AND NOT one.is_active THEN
			RAISE EXCEPTION USING
				ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('agent %s is not active', to_agent),
				HINT = 'Choose an agent with is_active = true.';
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._transfer_check(bigint, bigint) IS 'raises the errors of crm.transfer_ownership() about its agents';
REVOKE ALL ON FUNCTION crm._transfer_check(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._transfer_check(bigint, bigint) TO @extowner@ WITH GRANT OPTION;

-- The argument search_path is how a function with a path of its own learns the caller's, in which the filter is read.
CREATE FUNCTION crm.transfer_ownership(
	from_agent bigint,
	to_agent bigint,
	filter text DEFAULT NULL,
	reason text DEFAULT NULL,
	preview boolean DEFAULT false,
	search_path text DEFAULT pg_catalog.current_setting('search_path')
) RETURNS TABLE (relation text, rows bigint, ownership_transfer_id bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	customers bigint[];
	chosen text;
	owned record;
BEGIN
	PERFORM crm._require_argument('preview', preview::text);
	PERFORM crm._require_argument('search_path', transfer_ownership.search_path);
	PERFORM crm._require_argument('filter', coalesce(transfer_ownership.filter, 'true'), false);
	PERFORM crm._require_table('ownership_transfer');
	IF NOT preview THEN
		PERFORM crm._require_argument('reason', transfer_ownership.reason, false);
		-- One transfer at a time, so that two do not wait for each other's rows; and the taker stays active until the end,
		-- as far as the caller may lock: a manager only reads the agents.
		PERFORM pg_advisory_xact_lock(hashtextextended('crm.transfer_ownership', 0));
		IF has_any_column_privilege('crm.agent', 'UPDATE') THEN
			PERFORM FROM crm.agent a WHERE a.agent_id = to_agent FOR SHARE;
		END IF;
	END IF;
	PERFORM crm._transfer_check(from_agent, to_agent);
	IF transfer_ownership.filter IS NOT NULL THEN
		customers := crm._filter_customers(transfer_ownership.filter, transfer_ownership.search_path);
	END IF;
	IF NOT preview THEN
		INSERT INTO crm.ownership_transfer AS t (from_agent_id, to_agent_id, filter, reason)
		VALUES (from_agent, to_agent, transfer_ownership.filter, transfer_ownership.reason)
		RETURNING t.ownership_transfer_id INTO ownership_transfer_id;
	END IF;

	FOR owned IN SELECT o.*, k.key FROM crm._owned_relations() o CROSS JOIN LATERAL crm._row_key(o.target, 'customer_id') k LOOP
		relation := owned.relation;
		chosen := format('t.%I = $1 AND %s AND %s', owned.owner_column, owned.condition,
			CASE WHEN owned.has_customer THEN '($2 IS NULL OR t.customer_id = ANY ($2))' ELSE '$2 IS NULL' END);
		IF preview THEN
			EXECUTE format('SELECT count(*) FROM %s t WHERE %s', owned.target, chosen) INTO rows USING from_agent, customers;
		ELSE
			EXECUTE format($sql$
				WITH moved AS (UPDATE %s t SET %I = $3 WHERE %s RETURNING %s AS customer_id, %s AS key)
				INSERT INTO crm.ownership_transfer_row (ownership_transfer_id, customer_id, relation, key)
				SELECT $4, m.customer_id, %L, m.key FROM moved m
				$sql$, owned.target, owned.owner_column, chosen,
				CASE WHEN owned.has_customer THEN 'coalesce(t.customer_id, 0)' ELSE '0' END, owned.key, relation)
			USING from_agent, customers, to_agent, ownership_transfer_id;
			GET DIAGNOSTICS rows = ROW_COUNT;
		END IF;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm.transfer_ownership(bigint, bigint, text, text, boolean, text) IS 'gives what an agent owns, of all customers or of those for whom a condition on crm.customer holds, to another agent; returns how many rows of which table, and the number of the transfer, for crm.undo_transfer()';
REVOKE ALL ON FUNCTION crm.transfer_ownership(bigint, bigint, text, text, boolean, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.transfer_ownership(bigint, bigint, text, text, boolean, text) TO @extowner@ WITH GRANT OPTION;

-- A row whose customer was merged since is looked for with the survivor; the customer's own row stays where it was.
CREATE FUNCTION crm._undo_transfer_rows(transfer bigint, owned text)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off
AS $$
DECLARE
	statement text;
	result bigint;
BEGIN
	SELECT format($sql$
			WITH RECURSIVE place (then_id, now_id) AS (
				SELECT DISTINCT r.customer_id, r.customer_id
				FROM crm.ownership_transfer_row r
				WHERE r.ownership_transfer_id = $1 AND r.relation = $2
				UNION
				SELECT p.then_id, c.merged_into
				FROM place p JOIN crm.customer c ON c.customer_id = p.now_id
				WHERE c.merged_into IS NOT NULL AND $2 <> 'crm.customer'
			), back AS (
				UPDATE %1$s t SET %2$I = o.from_agent_id
				FROM crm.ownership_transfer o, crm.ownership_transfer_row r, place p
				WHERE o.ownership_transfer_id = $1 AND r.ownership_transfer_id = $1 AND r.relation = $2 AND p.then_id = r.customer_id
					AND t.%2$I = o.to_agent_id AND %3$s AND %4$s
				RETURNING 1
			)
			SELECT count(*) FROM back
			$sql$, o.target, o.owner_column, k.matches, CASE WHEN o.customer_in_key THEN 't.customer_id = p.now_id' ELSE 'p.now_id = p.then_id' END)
	INTO statement
	FROM crm._owned_relations() o CROSS JOIN LATERAL crm._row_key(o.target, 'customer_id') k
	WHERE o.relation = owned;
	IF FOUND THEN
		EXECUTE statement INTO result USING transfer, owned;
	END IF;
	RETURN coalesce(result, 0);
END
$$;
COMMENT ON FUNCTION crm._undo_transfer_rows(bigint, text) IS 'gives the rows of one table that a transfer took, and that have the same owner still, back; how many';
REVOKE ALL ON FUNCTION crm._undo_transfer_rows(bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._undo_transfer_rows(bigint, text) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION crm.undo_transfer(transfer bigint) RETURNS TABLE (relation text, rows bigint, moved_on bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	done record;
	total bigint;
BEGIN
	PERFORM crm._require_argument('transfer', transfer::text);
	PERFORM crm._require_table('ownership_transfer');
	PERFORM pg_advisory_xact_lock(hashtextextended('crm.transfer_ownership', 0));
	SELECT * INTO done FROM crm.ownership_transfer t WHERE t.ownership_transfer_id = transfer FOR UPDATE;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('there is no transfer %s', transfer),
			HINT = 'SELECT ownership_transfer_id, from_agent_id, to_agent_id FROM crm.ownership_transfer lists them.';
	ELSIF done.undone_at IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('transfer %s was undone already', transfer);
	END IF;
	UPDATE crm.ownership_transfer t SET undone_at = now(), undone_by = CURRENT_USER WHERE t.ownership_transfer_id = transfer;
	FOR relation, total IN
		SELECT r.relation, count(*) FROM crm.ownership_transfer_row r
		WHERE r.ownership_transfer_id = transfer
		GROUP BY r.relation
		ORDER BY r.relation
	LOOP
		rows := crm._undo_transfer_rows(transfer, relation);
		moved_on := total - rows;
		RETURN NEXT;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm.undo_transfer(bigint) IS 'gives what a transfer took back to the agent who had it, but for what has another owner by now or is gone; returns how many rows of which table went back and how many had moved on';
REVOKE ALL ON FUNCTION crm.undo_transfer(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.undo_transfer(bigint) TO @extowner@ WITH GRANT OPTION;
