-- merge: two rows of crm.customer that are one person become one, and two again.
--
-- A merge moves the rows of all tables in one statement: the foreign keys between the tables of a customer are checked at
-- its end, when parents and children have both moved. What it did is kept in crm.customer_merge and crm.customer_merge_row.

-- Where customers are referred to: the CRM's own tables, tables with a foreign key to crm.customer, and tracked tables whose
-- customer column holds customer_id. Left out is what stays with its customer: the ledger, and the records of the past.
CREATE FUNCTION crm._customer_columns()
RETURNS TABLE (relation text, target regclass, column_name text, place bigint, level integer)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	WITH RECURSIVE customer (oid, number) AS (
		SELECT a.attrelid, a.attnum FROM pg_attribute a
		WHERE a.attrelid = to_regclass('crm.customer') AND a.attname = 'customer_id'
	), found (oid, number) AS (
		SELECT a.attrelid, a.attnum
		FROM unnest(crm._relations()) r (name)
		JOIN pg_attribute a ON a.attrelid = to_regclass('crm.' || quote_ident(r.name)) AND a.attname = 'customer_id'
		UNION
		SELECT f.conrelid, f.conkey[1]
		FROM pg_constraint f JOIN customer c ON f.confrelid = c.oid AND f.confkey = ARRAY[c.number]
		WHERE f.contype = 'f' AND f.conparentid = 0
		UNION
		SELECT a.attrelid, a.attnum
		FROM crm.tracked t
		JOIN pg_attribute a ON a.attrelid = to_regclass(t.relation) AND a.attname = t.customer
		WHERE coalesce(t.source, '') = ''
	), chosen AS (
		SELECT f.oid, f.number, format('%I.%I', n.nspname, c.relname) AS relation
		FROM found f JOIN pg_class c ON c.oid = f.oid JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p')
			AND format('%I.%I', n.nspname, c.relname) <> ALL ('{crm.customer, crm.loyalty_ledger, crm.ownership_transfer_row}')
	), tree (oid, level) AS (
		-- a parent before its children, for the triggers of these that look it up; a circle ends somewhere
		SELECT c.oid, 0 FROM chosen c
		UNION
		SELECT f.conrelid, t.level + 1
		FROM tree t
		JOIN pg_constraint f ON f.confrelid = t.oid AND f.contype = 'f' AND f.conrelid <> f.confrelid AND cardinality(f.conkey) > 1
		JOIN chosen c ON c.oid = f.conrelid AND c.number = ANY (f.conkey)
		WHERE t.level < 20
	)
	SELECT c.relation, c.oid::regclass, a.attname::text, row_number() OVER (PARTITION BY c.oid ORDER BY c.number),
		(SELECT max(t.level) FROM tree t WHERE t.oid = c.oid)
	FROM chosen c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum = c.number
	ORDER BY 5, 1, 4
$$;
COMMENT ON FUNCTION crm._customer_columns() IS 'the columns of all tables that hold customer_id and that a merge changes';
REVOKE ALL ON FUNCTION crm._customer_columns() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._customer_columns() TO @extowner@;

-- key is an expression over the row t; matches is a condition between t and r.key. NULL when the table has no key.
CREATE FUNCTION crm._row_key(target regclass, column_name text, OUT key text, OUT matches text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('jsonb_build_object(%s)', string_agg(format('%L, t.%1$I', a.attname), ', ' ORDER BY k.place)
			FILTER (WHERE a.attname <> column_name)),
		coalesce(string_agg(format('t.%1$I OPERATOR(%2$I.%3$s) (r.key ->> %1$L)::%4$s', a.attname, n.nspname, o.oprname,
			format_type(a.atttypid, a.atttypmod)), ' AND ' ORDER BY k.place) FILTER (WHERE a.attname <> column_name), 'true')
	FROM (
		SELECT i.* FROM pg_index i
		WHERE i.indrelid = target AND i.indisunique AND i.indisvalid AND i.indimmediate
			AND i.indpred IS NULL AND i.indexprs IS NULL
			AND NOT EXISTS (SELECT FROM pg_attribute a
				WHERE a.attrelid = target AND NOT a.attnotnull AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
		ORDER BY i.indisprimary DESC, i.indexrelid LIMIT 1
	) i
	CROSS JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1], (i.indclass::oid[])[0:i.indnkeyatts - 1])
		WITH ORDINALITY k (number, class, place)
	JOIN pg_attribute a ON a.attrelid = target AND a.attnum = k.number
	JOIN pg_opclass c ON c.oid = k.class
	JOIN pg_amop e ON e.amopfamily = c.opcfamily AND e.amopstrategy = 3
		AND e.amoplefttype = c.opcintype AND e.amoprighttype = c.opcintype
	JOIN pg_operator o ON o.oid = e.amopopr
	JOIN pg_namespace n ON n.oid = o.oprnamespace
	HAVING count(*) > 0
$$;
COMMENT ON FUNCTION crm._row_key(regclass, text) IS 'the primary key of a table, or another one, without the column that holds the customer: as jsonb of a row t, and as a condition that finds it by r.key';
REVOKE ALL ON FUNCTION crm._row_key(regclass, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._row_key(regclass, text) TO @extowner@ WITH GRANT OPTION;

-- Here and where rows come back, statistics know nothing of the one customer whose rows are many: hash joins take the same
-- time for any number.
--
-- A unique key that holds an identity column is left out: its rows differ, and where somebody gave two customers the same
-- number by hand, the unique key itself stops the merge rather than a row be removed.
CREATE FUNCTION crm._merge_collisions(merge bigint, relation text, target regclass, column_name text, survivor bigint, duplicate bigint)
RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off
AS $$
DECLARE
	key constant text := (crm._row_key(target, column_name)).key;
	side record;
	gone bigint;
	result bigint := 0;
BEGIN
	FOR side IN
		SELECT coalesce(string_agg(format(', %s%s AS k%s', pg_get_indexdef(i.indexrelid, k.place::int, true),
				CASE WHEN k.locale <> 0 THEN ' COLLATE ' || k.locale::regcollation END, k.place), '')
				FILTER (WHERE k.number <> m.attnum), '') AS columns,
			coalesce(string_agg(format('(s.k%1$s OPERATOR(%2$I.%3$s) d.k%1$s%4$s)', k.place, n.nspname, o.oprname,
				CASE WHEN to_jsonb(i) @> '{"indnullsnotdistinct": true}' THEN format(' OR s.k%1$s IS NULL AND d.k%1$s IS NULL', k.place) END),
				' AND ') FILTER (WHERE k.number <> m.attnum), 'true') AS condition,
			coalesce(' AND (' || min(pg_get_expr(i.indpred, target, true)) || ')', '') AS predicate
		FROM pg_attribute m
		JOIN pg_index i ON i.indrelid = target AND i.indisunique AND i.indislive
			AND m.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1])
		CROSS JOIN LATERAL unnest((i.indkey::int2[])[0:i.indnkeyatts - 1], (i.indclass::oid[])[0:i.indnkeyatts - 1],
			(i.indcollation::oid[])[0:i.indnkeyatts - 1]) WITH ORDINALITY k (number, class, locale, place)
		JOIN pg_opclass c ON c.oid = k.class
		JOIN pg_amop e ON e.amopfamily = c.opcfamily AND e.amopstrategy = 3
			AND e.amoplefttype = c.opcintype AND e.amoprighttype = c.opcintype
		JOIN pg_operator o ON o.oid = e.amopopr
		JOIN pg_namespace n ON n.oid = o.oprnamespace
		WHERE m.attrelid = target AND m.attname = column_name
			AND NOT EXISTS (SELECT FROM pg_attribute a
				WHERE a.attrelid = target AND a.attidentity <> '' AND a.attnum = ANY ((i.indkey::int2[])[0:i.indnkeyatts - 1]))
		GROUP BY i.indexrelid
		ORDER BY i.indexrelid
	LOOP
		EXECUTE format($sql$
			WITH gone AS (
				DELETE FROM %1$s t
				WHERE t.%2$I = $4 AND (t.tableoid, t.ctid) IN (
					SELECT d.tableoid, d.ctid
					FROM (SELECT tableoid, ctid%3$s FROM %1$s WHERE %2$I = $4%5$s) d
					JOIN (SELECT 1%3$s FROM %1$s WHERE %2$I = $3%5$s) s ON %4$s)
				RETURNING %6$s AS key, to_jsonb(t) AS removed
			)
			INSERT INTO crm.customer_merge_row (customer_merge_id, relation, column_name, key, removed)
			SELECT $1, $2, %2$L, g.key, g.removed FROM gone g
			$sql$, target, column_name, side.columns, side.condition, side.predicate, key)
		USING merge, relation, survivor, duplicate;
		GET DIAGNOSTICS gone = ROW_COUNT;
		result := result + gone;
	END LOOP;
	RETURN result;
END
$$;
COMMENT ON FUNCTION crm._merge_collisions(bigint, text, regclass, text, bigint, bigint) IS 'removes and records the duplicate''s rows of a table that the survivor has under a unique key; gives their number';
REVOKE ALL ON FUNCTION crm._merge_collisions(bigint, text, regclass, text, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._merge_collisions(bigint, text, regclass, text, bigint, bigint) TO @extowner@;

-- Who was held out of a campaign under one number and contacted under the other was contacted.
CREATE FUNCTION crm._merge_holdouts(merge bigint, survivor bigint, duplicate bigint) RETURNS void
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
	WITH gone AS (
		DELETE FROM crm.campaign_member m
		WHERE m.customer_id IN (survivor, duplicate) AND m.is_holdout AND EXISTS (
			SELECT FROM crm.campaign_event e
			WHERE e.customer_id IN (survivor, duplicate) AND e.campaign_id = m.campaign_id AND e.event <> 'convert')
		RETURNING m.*
	)
	INSERT INTO crm.customer_merge_row (customer_merge_id, relation, column_name, key, removed)
	SELECT merge, 'crm.campaign_member', 'customer_id', jsonb_build_object('campaign_id', g.campaign_id), to_jsonb(g) FROM gone g
$$;
COMMENT ON FUNCTION crm._merge_holdouts(bigint, bigint, bigint) IS 'removes and records the memberships as holdout of two customers of whom one was contacted by the campaign';
REVOKE ALL ON FUNCTION crm._merge_holdouts(bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._merge_holdouts(bigint, bigint, bigint) TO @extowner@;

CREATE FUNCTION crm._merge_rows(merge bigint, survivor bigint, duplicate bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	pass bigint;
	target record;
	rows bigint;
	statement text;
BEGIN
	-- A second column of a table takes a second pass, as a statement changes a row but once.
	FOR pass IN SELECT DISTINCT c.place FROM crm._customer_columns() c ORDER BY 1 LOOP
		FOR target IN
			SELECT c.relation, c.target, c.column_name, k.key
			FROM crm._customer_columns() c CROSS JOIN LATERAL crm._row_key(c.target, c.column_name) k
			WHERE c.place = pass
		LOOP
			IF target.key IS NULL THEN
				EXECUTE format('SELECT count(*) FROM %s t WHERE t.%I = $1', target.target, target.column_name)
				INTO rows USING duplicate;
				IF rows > 0 THEN
					RAISE EXCEPTION USING
						ERRCODE = 'object_not_in_prerequisite_state',
						MESSAGE = format('table %s has no primary key, so a merge could not be undone', target.target),
						DETAIL = format('Rows of customer %s in it: %s.', duplicate, rows),
						HINT = 'Give it a primary key.';
				END IF;
				CONTINUE;
			END IF;
			rows := crm._merge_collisions(merge, target.relation, target.target, target.column_name, survivor, duplicate);
			IF rows > 0 AND target.relation NOT LIKE 'crm.%' THEN
				RAISE NOTICE USING
					MESSAGE = format('rows of %s that were removed, as customer %s has such rows under a unique key: %s',
						target.target, survivor, rows),
					HINT = 'They are kept in crm.customer_merge_row.';
			END IF;
		END LOOP;

		SELECT format('WITH %s INSERT INTO crm.customer_merge_row (customer_merge_id, relation, column_name, key) %s',
			string_agg(format('u%s AS (UPDATE %s t SET %I = $2 WHERE t.%3$I = $3 RETURNING %s AS key)',
				c.number, c.target, c.column_name, c.key), ', ' ORDER BY c.number),
			string_agg(format('SELECT $1, %L, %L, u.key FROM u%s u', c.relation, c.column_name, c.number), ' UNION ALL ' ORDER BY c.number))
		INTO statement
		FROM (
			SELECT c.*, k.key, row_number() OVER (ORDER BY c.level, c.relation) AS number
			FROM crm._customer_columns() c CROSS JOIN LATERAL crm._row_key(c.target, c.column_name) k
			WHERE c.place = pass AND k.key IS NOT NULL
		) c;
		EXECUTE statement USING merge, survivor, duplicate;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._merge_rows(bigint, bigint, bigint) IS 'gives all rows of a customer to another one and records which';
REVOKE ALL ON FUNCTION crm._merge_rows(bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._merge_rows(bigint, bigint, bigint) TO @extowner@;

-- Columns of the user's are filled like the others, but for those of which no two customers may have the same value.
CREATE FUNCTION crm._merge_fill(survivor bigint, duplicate bigint) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	ranks constant text := '{lead, prospect, churned, customer}';
	columns text;
BEGIN
	SELECT string_agg(format(', %1$I = coalesce(s.%1$I, d.%1$I)', a.attname), '' ORDER BY a.attnum) INTO columns
	FROM pg_attribute a
	WHERE a.attrelid = to_regclass('crm.customer') AND a.attnum > 0 AND NOT a.attisdropped
		AND NOT a.attnotnull AND a.attgenerated = '' AND a.attname <> 'merged_into'
		AND NOT EXISTS (SELECT FROM pg_index i WHERE i.indrelid = a.attrelid AND i.indisunique AND a.attnum = ANY (i.indkey));
	EXECUTE format($sql$
		UPDATE crm.customer s
		SET attributes = d.attributes || s.attributes,
			lifecycle = CASE WHEN array_position(%1$L::text[], s.lifecycle) >= array_position(%1$L::text[], d.lifecycle)
				THEN s.lifecycle ELSE d.lifecycle END%2$s
		FROM crm.customer d
		WHERE s.customer_id = $1 AND d.customer_id = $2
		$sql$, ranks, columns)
	USING survivor, duplicate;
END
$$;
COMMENT ON FUNCTION crm._merge_fill(bigint, bigint) IS 'fills the empty fields of a customer from another one';
REVOKE ALL ON FUNCTION crm._merge_fill(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._merge_fill(bigint, bigint) TO @extowner@;

-- The locks that the ledger's trigger takes are taken before in one order, as two merges may want the same two.
CREATE FUNCTION crm._merge_points(giver bigint, taker bigint, at_most bigint, about text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	moved bigint;
BEGIN
	PERFORM pg_advisory_xact_lock(hashtext('crm.loyalty_ledger'), l.number)
	FROM (SELECT hashint8(u.customer_id) & 255 AS number FROM unnest(ARRAY[giver, taker]) u (customer_id) ORDER BY 1) l;
	moved := least(crm.loyalty_balance(giver), at_most);
	IF moved > 0 THEN
		INSERT INTO crm.loyalty_ledger (customer_id, kind, points, reason)
		VALUES (giver, 'merge', -moved, about), (taker, 'merge', moved, about);
	END IF;
	RETURN coalesce(moved, 0);
END
$$;
COMMENT ON FUNCTION crm._merge_points(bigint, bigint, bigint, text) IS 'moves points from one customer to another by two entries of the ledger, all of them when at_most is null; gives how many';
REVOKE ALL ON FUNCTION crm._merge_points(bigint, bigint, bigint, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._merge_points(bigint, bigint, bigint, text) TO @extowner@;

CREATE FUNCTION crm.merge_customers(survivor bigint, duplicate bigint) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	merge bigint;
	one record;
	moved bigint;
BEGIN
	PERFORM crm._require_argument('survivor', survivor::text);
	PERFORM crm._require_argument('duplicate', duplicate::text);
	PERFORM crm._require_table('customer_merge');
	IF survivor = duplicate THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('customer %s cannot be merged with itself', survivor);
	END IF;
	-- In one order, so that two sessions that merge crosswise do not wait in a circle.
	PERFORM FROM crm.customer c WHERE c.customer_id IN (survivor, duplicate) ORDER BY c.customer_id FOR UPDATE;
	FOR one IN
		SELECT u.id, c.customer_id, c.merged_into
		FROM unnest(ARRAY[survivor, duplicate]) u (id) LEFT JOIN crm.customer c ON c.customer_id = u.id
	LOOP
		IF one.customer_id IS NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'undefined_object',
				MESSAGE = format('there is no customer %s', one.id);
		ELSIF one.merged_into IS NOT NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'object_not_in_prerequisite_state',
				MESSAGE = format('customer %s was merged into customer %s', one.id, one.merged_into),
				HINT = format('Merge customer %s, or take that merge back by crm.unmerge_customers().', one.merged_into);
		END IF;
	END LOOP;

	INSERT INTO crm.customer_merge (survivor_id, duplicate_id, survivor_before, survivor_after)
	SELECT survivor, duplicate, to_jsonb(c), to_jsonb(c) FROM crm.customer c WHERE c.customer_id = survivor
	RETURNING customer_merge_id INTO merge;
	PERFORM crm._merge_holdouts(merge, survivor, duplicate);
	PERFORM crm._merge_rows(merge, survivor, duplicate);
	moved := crm._merge_points(duplicate, survivor, NULL, format('merge %s', merge));
	PERFORM crm._merge_fill(survivor, duplicate);
	UPDATE crm.customer c SET merged_into = survivor WHERE c.customer_id = duplicate;
	UPDATE crm.customer_merge m
	SET points = moved, survivor_after = to_jsonb(c)
	FROM crm.customer c
	WHERE m.customer_merge_id = merge AND c.customer_id = survivor;
	PERFORM crm.log_interaction(survivor, 'merge', direction => 'internal', detail => jsonb_build_object('duplicate', duplicate),
		reference => 'crm.customer_merge', reference_key => merge::text);
	RETURN merge;
END
$$;
COMMENT ON FUNCTION crm.merge_customers(bigint, bigint) IS 'gives everything that a duplicate has to the customer who survives, in all tables that refer to it; returns the number of the merge, for crm.unmerge_customers()';
REVOKE ALL ON FUNCTION crm.merge_customers(bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.merge_customers(bigint, bigint) TO @extowner@ WITH GRANT OPTION;

CREATE FUNCTION crm._unmerge_fill(survivor bigint, before jsonb, after jsonb) RETURNS text
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	columns text;
	changed text;
BEGIN
	-- a is the row as the merge left it, b as it was before; both pass through the columns' types, so that they compare
	SELECT string_agg(format('%1$I = CASE WHEN to_jsonb(s.%1$I) IS NOT DISTINCT FROM to_jsonb(a.%1$I) THEN b.%1$I ELSE s.%1$I END',
			f.attname), ', ' ORDER BY f.attnum) FILTER (WHERE f.attname <> 'attributes'),
		string_agg(format('CASE WHEN to_jsonb(s.%1$I) IS DISTINCT FROM to_jsonb(a.%1$I) THEN %1$L END', f.attname), ', ' ORDER BY f.attnum)
			FILTER (WHERE f.attname <> 'attributes')
	INTO columns, changed
	FROM pg_attribute f
	WHERE f.attrelid = to_regclass('crm.customer') AND f.attnum > 0 AND NOT f.attisdropped AND f.attgenerated = ''
		AND after ? f.attname::text AND after -> f.attname IS DISTINCT FROM before -> f.attname;
	EXECUTE format($sql$
		WITH was AS MATERIALIZED (
			SELECT concat_ws(', ', NULL%2$s) AS changed
			FROM crm.customer s, jsonb_populate_record(NULL::crm.customer, $3) a
			WHERE s.customer_id = $1
		)
		UPDATE crm.customer s
		SET attributes = coalesce((SELECT jsonb_object_agg(e.key, e.value) FROM jsonb_each(s.attributes) e
			WHERE b.attributes ? e.key OR e.value IS DISTINCT FROM a.attributes -> e.key), '{}')%1$s
		FROM was, jsonb_populate_record(NULL::crm.customer, $2) b, jsonb_populate_record(NULL::crm.customer, $3) a
		WHERE s.customer_id = $1
		RETURNING was.changed
		$sql$, ', ' || columns, ', ' || changed)
	INTO changed USING survivor, before, after;
	RETURN nullif(changed, '');
END
$$;
COMMENT ON FUNCTION crm._unmerge_fill(bigint, jsonb, jsonb) IS 'empties the fields of a customer that a merge has filled; gives the names of those that were changed since and stay';
REVOKE ALL ON FUNCTION crm._unmerge_fill(bigint, jsonb, jsonb) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._unmerge_fill(bigint, jsonb, jsonb) TO @extowner@;

-- What was moved last comes back first, as a table with two columns for customers has changed twice; the tables are gone
-- through in the order of the merge otherwise.
CREATE FUNCTION crm._unmerge_moved(merge bigint, survivor bigint, duplicate bigint) RETURNS TABLE (relation text, rows bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off
AS $$
#variable_conflict use_column
DECLARE
	statement text;
BEGIN
	FOR statement IN
		SELECT format('WITH %s %s',
			string_agg(format($sql$u%s AS (
				UPDATE %s t SET %I = $2 FROM crm.customer_merge_row r
				WHERE r.customer_merge_id = $1 AND r.relation = %L AND r.column_name = %L AND r.removed IS NULL
					AND t.%3$I = $3 AND %6$s
				RETURNING 1)$sql$, s.number, s.target, s.column_name, s.relation, s.column_name, s.matches), ', ' ORDER BY s.number),
			string_agg(format('SELECT %L, count(*) FROM u%s', s.relation, s.number), ' UNION ALL ' ORDER BY s.number))
		FROM (
			SELECT c.*, k.matches, row_number() OVER (ORDER BY c.first) AS number,
				row_number() OVER (PARTITION BY c.target ORDER BY c.first DESC) AS pass
			FROM (
				SELECT r.relation, r.column_name, to_regclass(r.relation) AS target, min(r.customer_merge_row_id) AS first
				FROM crm.customer_merge_row r
				WHERE r.customer_merge_id = merge AND r.removed IS NULL
				GROUP BY r.relation, r.column_name
			) c
			CROSS JOIN LATERAL crm._row_key(c.target, c.column_name) k
			WHERE k.key IS NOT NULL
				AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.target AND a.attname = c.column_name)
		) s
		GROUP BY s.pass
		ORDER BY s.pass
	LOOP
		RETURN QUERY EXECUTE statement USING merge, duplicate, survivor;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._unmerge_moved(bigint, bigint, bigint) IS 'gives the rows that a merge moved back to the duplicate; how many of which table';
REVOKE ALL ON FUNCTION crm._unmerge_moved(bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._unmerge_moved(bigint, bigint, bigint) TO @extowner@;

CREATE FUNCTION crm._unmerge_removed(merge bigint) RETURNS TABLE (relation text, rows bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	gone record;
	columns text;
BEGIN
	FOR gone IN
		SELECT r.relation, r.removed, to_regclass(r.relation) AS target
		FROM crm.customer_merge_row r
		WHERE r.customer_merge_id = merge AND r.removed IS NOT NULL AND to_regclass(r.relation) IS NOT NULL
		ORDER BY r.customer_merge_row_id
	LOOP
		SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) INTO columns
		FROM pg_attribute a
		WHERE a.attrelid = gone.target AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = '' AND gone.removed ? a.attname::text;
		-- What it refers to may be gone, or another row have its place: then it is missing.
		BEGIN
			EXECUTE format('INSERT INTO %s (%s) OVERRIDING SYSTEM VALUE SELECT %2$s FROM jsonb_populate_record(NULL::%1$s, $1)',
				gone.target, columns)
			USING gone.removed;
			relation := gone.relation;
			rows := 1;
			RETURN NEXT;
		EXCEPTION WHEN integrity_constraint_violation THEN
			NULL;
		END;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm._unmerge_removed(bigint) IS 'inserts the rows again that a merge removed; a row for each, with its table';
REVOKE ALL ON FUNCTION crm._unmerge_removed(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._unmerge_removed(bigint) TO @extowner@;

CREATE FUNCTION crm._unmerge_check(merge bigint, survivor bigint, duplicate bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	found_id bigint;
BEGIN
	IF EXISTS (SELECT FROM crm.customer_merge m WHERE m.customer_merge_id = merge AND m.undone_at IS NOT NULL) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('merge %s was undone already', merge);
	END IF;
	SELECT max(m.customer_merge_id) INTO found_id FROM crm.customer_merge m
	WHERE m.customer_merge_id > merge AND m.undone_at IS NULL AND survivor IN (m.survivor_id, m.duplicate_id);
	IF found_id IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('merge %s cannot be undone before merge %s', merge, found_id),
			DETAIL = format('The later merge changed customer %s, too.', survivor),
			HINT = format('Call crm.unmerge_customers(%s) first.', found_id);
	END IF;
	SELECT u.id INTO found_id
	FROM unnest(ARRAY[survivor, duplicate]) u (id)
	WHERE NOT EXISTS (SELECT FROM crm.customer c WHERE c.customer_id = u.id);
	IF FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('merge %s cannot be undone, as there is no customer %s any more', merge, found_id);
	END IF;
END
$$;
COMMENT ON FUNCTION crm._unmerge_check(bigint, bigint, bigint) IS 'raises the errors of crm.unmerge_customers()';
REVOKE ALL ON FUNCTION crm._unmerge_check(bigint, bigint, bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._unmerge_check(bigint, bigint, bigint) TO @extowner@;

CREATE FUNCTION crm.unmerge_customers(merge_id bigint) RETURNS TABLE (relation text, rows bigint, missing bigint)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	merge record;
	changed text;
	came bigint;
BEGIN
	PERFORM crm._require_argument('merge_id', merge_id::text);
	PERFORM crm._require_table('customer_merge');
	SELECT * INTO merge FROM crm.customer_merge m WHERE m.customer_merge_id = merge_id;
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('there is no merge %s', merge_id),
			HINT = 'SELECT customer_merge_id, survivor_id, duplicate_id FROM crm.customer_merge lists them.';
	END IF;
	PERFORM FROM crm.customer c WHERE c.customer_id IN (merge.survivor_id, merge.duplicate_id) ORDER BY c.customer_id FOR UPDATE;
	PERFORM crm._unmerge_check(merge_id, merge.survivor_id, merge.duplicate_id);

	UPDATE crm.customer c SET merged_into = NULL WHERE c.customer_id = merge.duplicate_id;
	changed := crm._unmerge_fill(merge.survivor_id, merge.survivor_before, merge.survivor_after);
	IF changed IS NOT NULL THEN
		RAISE NOTICE 'customer %: kept, since it was changed after the merge: %', merge.survivor_id, changed;
	END IF;
	came := crm._merge_points(merge.survivor_id, merge.duplicate_id, merge.points, format('merge %s undone', merge_id));
	IF came < merge.points THEN
		RAISE NOTICE 'customer % has only % of the % points that came with the merge', merge.survivor_id, came, merge.points;
	END IF;
	FOR relation, rows, missing IN
		WITH came AS MATERIALIZED (
			SELECT m.relation, m.rows FROM crm._unmerge_moved(merge_id, merge.survivor_id, merge.duplicate_id) m
			UNION ALL
			SELECT i.relation, i.rows FROM crm._unmerge_removed(merge_id) i
		), sums AS (
			SELECT c.relation, sum(c.rows)::bigint AS rows FROM came c GROUP BY c.relation
		)
		SELECT r.relation, coalesce(s.rows, 0), count(*) - coalesce(s.rows, 0)
		FROM crm.customer_merge_row r LEFT JOIN sums s ON s.relation = r.relation
		WHERE r.customer_merge_id = merge_id
		GROUP BY r.relation, s.rows
		ORDER BY r.relation
	LOOP
		IF missing > 0 THEN
			RAISE NOTICE USING
				MESSAGE = format('rows of %s that did not come back: %s', relation, missing),
				DETAIL = 'They were deleted or given to somebody else since the merge, or their place is taken.';
		END IF;
		RETURN NEXT;
	END LOOP;
	UPDATE crm.customer_merge m SET undone_at = now(), undone_by = CURRENT_USER WHERE m.customer_merge_id = merge_id;
	PERFORM crm.log_interaction(merge.survivor_id, 'unmerge', direction => 'internal',
		detail => jsonb_build_object('duplicate', merge.duplicate_id),
		reference => 'crm.customer_merge', reference_key => merge_id::text);
END
$$;
COMMENT ON FUNCTION crm.unmerge_customers(bigint) IS 'undoes a merge: gives the duplicate back what it had; returns how many rows of which table came back and how many did not';
REVOKE ALL ON FUNCTION crm.unmerge_customers(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.unmerge_customers(bigint) TO @extowner@ WITH GRANT OPTION;
