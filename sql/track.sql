-- track: what happens to an application's tables, logged as interactions of its customers.

CREATE FUNCTION crm._track_statement() RETURNS trigger
AS 'MODULE_PATHNAME', 'crm_track_statement_1_0' LANGUAGE C;
COMMENT ON FUNCTION crm._track_statement() IS 'statement trigger that crm.track() attaches';
REVOKE ALL ON FUNCTION crm._track_statement() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_statement() TO @extowner@;

CREATE FUNCTION crm._track_row() RETURNS trigger
AS 'MODULE_PATHNAME', 'crm_track_row_1_0' LANGUAGE C;
COMMENT ON FUNCTION crm._track_row() IS 'row trigger that crm.track() attaches';
REVOKE ALL ON FUNCTION crm._track_row() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_row() TO @extowner@;

CREATE FUNCTION crm._track_tree(relation regclass) RETURNS TABLE (oid oid, kind "char")
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
	WITH RECURSIVE tree (oid) AS (
		SELECT relation::oid
		UNION
		SELECT i.inhrelid FROM pg_inherits i JOIN tree t ON i.inhparent = t.oid
	)
	SELECT t.oid, c.relkind FROM tree t JOIN pg_class c ON c.oid = t.oid
$function$;
COMMENT ON FUNCTION crm._track_tree(regclass) IS 'a relation and all that inherit from it, with their kinds';
REVOKE ALL ON FUNCTION crm._track_tree(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_tree(regclass) TO @extowner@;

-- The relation and all that inherit from it, the foreign ones left out: they cannot have these triggers.
CREATE FUNCTION crm._track_targets(relation regclass) RETURNS SETOF regclass
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
	SELECT t.oid::regclass
	FROM crm._track_tree(relation) t
	WHERE t.kind IN ('r', 'p')
	ORDER BY t.oid <> relation::oid, t.oid
$function$;
COMMENT ON FUNCTION crm._track_targets(regclass) IS 'the tables on which crm.track() puts statement triggers';
REVOKE ALL ON FUNCTION crm._track_targets(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_targets(regclass) TO @extowner@;

CREATE FUNCTION crm._track_has_foreign(relation regclass) RETURNS boolean
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
	SELECT EXISTS (SELECT FROM crm._track_tree(relation) t WHERE t.kind = 'f')
$function$;
COMMENT ON FUNCTION crm._track_has_foreign(regclass) IS 'whether a foreign table inherits from a relation';
REVOKE ALL ON FUNCTION crm._track_has_foreign(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_has_foreign(regclass) TO @extowner@;

-- The triggers that tracking wants on a table: their names and what follows AFTER in CREATE TRIGGER.
CREATE FUNCTION crm._track_triggers(events text[], level text, is_clone boolean)
RETURNS TABLE (name text, clause text)
LANGUAGE sql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
	SELECT 'crm_track_' || e.event,
		CASE e.event
			WHEN 'insert' THEN 'INSERT ON %s REFERENCING NEW TABLE AS crm_new'
			WHEN 'update' THEN 'UPDATE ON %s REFERENCING OLD TABLE AS crm_old NEW TABLE AS crm_new'
			WHEN 'delete' THEN 'DELETE ON %s REFERENCING OLD TABLE AS crm_old'
			ELSE 'TRUNCATE ON %s'
		END || ' FOR EACH STATEMENT EXECUTE FUNCTION crm._track_statement'
	FROM unnest(events) AS e (event)
	WHERE level = 'statement' OR e.event = 'truncate'
	UNION ALL
	SELECT 'crm_track_row',
		string_agg(upper(e.event), ' OR ') || ' ON %s FOR EACH ROW EXECUTE FUNCTION crm._track_row'
	FROM unnest(events) AS e (event)
	WHERE level = 'row' AND e.event <> 'truncate' AND NOT is_clone
	HAVING count(*) > 0
$function$;
COMMENT ON FUNCTION crm._track_triggers(text[], text, boolean) IS 'names and definitions of the triggers of a tracked table';
REVOKE ALL ON FUNCTION crm._track_triggers(text[], text, boolean) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_triggers(text[], text, boolean) TO @extowner@;

-- Raise the error for a column that is not there or is of no use.
CREATE FUNCTION crm._track_check_column(relation regclass, what text, name text, types text[])
RETURNS void
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	found_type text;
BEGIN
	WITH RECURSIVE base (oid, typtype, typbasetype) AS (
		SELECT t.oid, t.typtype, t.typbasetype
		FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid
		WHERE a.attrelid = relation AND a.attname = name AND a.attnum > 0 AND NOT a.attisdropped
		UNION ALL
		SELECT t.oid, t.typtype, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.typbasetype WHERE b.typtype = 'd'
	)
	SELECT format_type(b.oid, NULL) INTO found_type FROM base b WHERE b.typtype <> 'd';
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_column',
			MESSAGE = format('%s column "%s" of %s does not exist', what, name, relation),
			HINT = format('Its columns are %s.', (
				SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
				FROM pg_attribute a
				WHERE a.attrelid = relation AND a.attnum > 0 AND NOT a.attisdropped));
	END IF;
	IF types IS NOT NULL AND found_type <> ALL (types) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'datatype_mismatch',
			MESSAGE = format('%s column "%s" of %s is of type %s', what, name, relation, found_type),
			DETAIL = format('It must be one of %s.', array_to_string(types, ', ')),
			HINT = CASE what WHEN 'customer' THEN
				'If it holds a key of another system, name that system: source => ''shop''.'
				ELSE 'Choose a column that holds a time.' END;
	END IF;
END
$function$;
COMMENT ON FUNCTION crm._track_check_column(regclass, text, text, text[]) IS 'checks a column that crm.track() was given';
REVOKE ALL ON FUNCTION crm._track_check_column(regclass, text, text, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_check_column(regclass, text, text, text[]) TO @extowner@;

CREATE FUNCTION crm._track_check_words(argument text, given text[], valid text[]) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	word text;
BEGIN
	FOREACH word IN ARRAY given LOOP
		IF word IS NULL THEN
			RAISE EXCEPTION USING
				ERRCODE = 'null_value_not_allowed',
				MESSAGE = format('argument "%s" must not be null', argument);
		ELSIF word <> ALL (valid) THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('unrecognized value "%s" of argument "%s"', word, argument),
				HINT = format('Valid values are "%s".', array_to_string(valid, '", "'));
		END IF;
	END LOOP;
END
$function$;
COMMENT ON FUNCTION crm._track_check_words(text, text[], text[]) IS 'checks the words that an option takes';
REVOKE ALL ON FUNCTION crm._track_check_words(text, text[], text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_check_words(text, text[], text[]) TO @extowner@;

CREATE FUNCTION crm._track_check_direction(direction text) RETURNS void
LANGUAGE plpgsql IMMUTABLE
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
	IF direction IS NOT NULL AND direction NOT IN ('in', 'out', 'internal') THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = format('unrecognized direction "%s"', direction),
			HINT = 'Valid values are "in", "out", "internal".';
	END IF;
END
$function$;
COMMENT ON FUNCTION crm._track_check_direction(text) IS 'checks the direction of an interaction';
REVOKE ALL ON FUNCTION crm._track_check_direction(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_check_direction(text) TO @extowner@ WITH GRANT OPTION;

-- What a trigger of a tracked table is given; see the head of src/track/attachment.c.
CREATE FUNCTION crm._track_arguments(
	logical text,
	relation regclass,
	customer text,
	source text,
	kind text,
	channel text,
	direction text,
	occurred_at text,
	reference text,
	columns text[],
	create_customers boolean,
	unknown text,
	channel_column text,
	direction_column text
) RETURNS text[]
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
	SELECT ARRAY[logical, customer, coalesce(source, ''), kind, coalesce(channel_column, channel, ''),
			coalesce(direction_column, direction, ''), coalesce(occurred_at, ''),
			concat_ws(' ', CASE WHEN create_customers THEN 'create' END, CASE unknown WHEN 'skip' THEN 'skip' END,
				CASE WHEN channel_column IS NOT NULL THEN 'channel' END,
				CASE WHEN direction_column IS NOT NULL THEN 'direction' END),
			cardinality(k.keys)::text] || k.keys || columns
	FROM (
		SELECT CASE WHEN reference IS NOT NULL THEN ARRAY[reference] ELSE ARRAY(
			SELECT a.attname::text
			FROM pg_constraint c, unnest(c.conkey) WITH ORDINALITY AS n (number, place), pg_attribute a
			WHERE c.conrelid = relation AND c.contype = 'p' AND a.attrelid = c.conrelid AND a.attnum = n.number
			ORDER BY n.place) END AS keys
	) k
$function$;
COMMENT ON FUNCTION crm._track_arguments(text, regclass, text, text, text, text, text, text, text, text[], boolean, text, text, text) IS 'the arguments of the triggers of a tracked table';
REVOKE ALL ON FUNCTION crm._track_arguments(text, regclass, text, text, text, text, text, text, text, text[], boolean, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_arguments(text, regclass, text, text, text, text, text, text, text, text[], boolean, text, text, text) TO @extowner@;

-- Remove the tracking triggers of a table that are not among those named.
CREATE FUNCTION crm._track_drop(target regclass, keep text[]) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	name text;
BEGIN
	FOR name IN
		SELECT t.tgname FROM pg_trigger t
		WHERE t.tgrelid = target AND NOT t.tgisinternal AND t.tgparentid = 0
			AND t.tgname ~ '^crm_track_(insert|update|delete|truncate|row)$' AND t.tgname <> ALL (keep)
	LOOP
		EXECUTE format('DROP TRIGGER %I ON %s', name, target);
	END LOOP;
END
$function$;
COMMENT ON FUNCTION crm._track_drop(regclass, text[]) IS 'drops the tracking triggers of a table, but those named';
REVOKE ALL ON FUNCTION crm._track_drop(regclass, text[]) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._track_drop(regclass, text[]) TO @extowner@;

-- The tracking triggers that there are: on which table, and of which tracked one (their first argument).
CREATE FUNCTION crm._tracking_triggers() RETURNS TABLE (target regclass, name text, logical text)
LANGUAGE sql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
	SELECT t.tgrelid::regclass, t.tgname::text,
		convert_from(substring(t.tgargs FROM 1 FOR position('\x00'::bytea IN t.tgargs) - 1), getdatabaseencoding())
	FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid
	WHERE NOT t.tgisinternal AND t.tgnargs > 0 AND p.pronamespace = 'crm'::regnamespace
		AND p.proname IN ('_track_statement', '_track_row')
$function$;
COMMENT ON FUNCTION crm._tracking_triggers() IS 'the tracking triggers that exist, and the logical name of what they track';
REVOKE ALL ON FUNCTION crm._tracking_triggers() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._tracking_triggers() TO @extowner@;

CREATE FUNCTION crm.track(
	relation regclass,
	customer text,
	source text DEFAULT NULL,
	kind text DEFAULT NULL,
	channel text DEFAULT NULL,
	occurred_at text DEFAULT NULL,
	reference text DEFAULT NULL,
	columns text[] DEFAULT '{}',
	events text[] DEFAULT '{insert,update,delete,truncate}',
	level text DEFAULT 'statement',
	create_customers boolean DEFAULT false,
	unknown text DEFAULT 'log',
	direction text DEFAULT 'in',
	channel_column text DEFAULT NULL,
	direction_column text DEFAULT NULL
) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '30s'
AS $function$
#variable_conflict use_column
DECLARE
	logical text;
	relative text;
	what text;
	arguments text;
	target regclass;
	wanted record;
	column_name text;
BEGIN
	PERFORM crm._require_argument('relation', track.relation::text);
	PERFORM crm._require_argument('customer', track.customer, false);
	PERFORM crm._require_argument('kind', coalesce(track.kind, 'default'), false);
	PERFORM crm._track_check_words('level', ARRAY[track.level], '{statement,row}');
	PERFORM crm._track_check_words('unknown', ARRAY[track.unknown], '{log,skip}');
	PERFORM crm._track_check_words('direction', ARRAY[CASE WHEN track.direction_column IS NULL THEN track.direction ELSE 'in' END],
		'{in,out,internal}');
	PERFORM crm._require_argument('create_customers', track.create_customers::text);
	PERFORM crm._track_check_words('events', coalesce(track.events, ARRAY[NULL]), '{insert,update,delete,truncate}');
	PERFORM crm._track_check_words('columns', coalesce(track.columns, ARRAY[NULL]), track.columns);
	SELECT format('%I.%I', n.nspname, c.relname), coalesce(track.kind, c.relname) INTO logical, what
	FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
	WHERE c.oid = track.relation AND c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
		AND n.nspname NOT IN ('pg_catalog', 'information_schema')
		AND NOT (n.nspname = 'crm' AND c.relname ~ '^(interaction(_.*)?|tracked|customer_identity|schema_version)$');
	IF NOT FOUND THEN
		RAISE EXCEPTION USING
			ERRCODE = 'wrong_object_type',
			MESSAGE = format('%s cannot be tracked', track.relation),
			DETAIL = 'Tracking is for ordinary and partitioned tables, not for temporary ones, nor for the log and its own catalogues.',
			HINT = 'Track the table behind a view; use crm.log_interaction() for what has no table.';
	END IF;
	PERFORM crm._require_table('tracked');
	PERFORM crm._track_check_column(track.relation, 'customer', track.customer,
		CASE WHEN coalesce(track.source, '') = '' THEN '{smallint,integer,bigint}'::text[] END);
	IF track.occurred_at IS NOT NULL THEN
		PERFORM crm._track_check_column(track.relation, 'occurred_at', track.occurred_at,
			'{timestamp with time zone,timestamp without time zone,date}');
	END IF;
	FOREACH column_name IN ARRAY track.columns LOOP
		PERFORM crm._track_check_column(track.relation, 'listed', column_name, NULL);
	END LOOP;
	IF track.reference IS NOT NULL THEN
		PERFORM crm._track_check_column(track.relation, 'reference', track.reference, NULL);
	END IF;
	IF track.channel_column IS NOT NULL THEN
		PERFORM crm._track_check_column(track.relation, 'channel', track.channel_column, NULL);
	END IF;
	IF track.direction_column IS NOT NULL THEN
		PERFORM crm._track_check_column(track.relation, 'direction', track.direction_column, NULL);
	END IF;
	IF track.channel IS NOT NULL AND track.channel_column IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'arguments "channel" and "channel_column" exclude each other',
			HINT = 'Give the channel of all rows, or the column that holds the channel of each.';
	END IF;
	IF track.create_customers AND coalesce(track.source, '') = '' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "create_customers" needs "source"',
			HINT = 'Without a source the customer column holds customer_id itself.';
	END IF;
	WITH RECURSIVE above (oid) AS (
		SELECT track.relation::oid
		UNION
		SELECT i.inhparent FROM pg_inherits i JOIN above a ON i.inhrelid = a.oid
	)
	SELECT min(t.relation) INTO relative
	FROM crm.tracked t
	WHERE t.relation <> logical
		AND (to_regclass(t.relation) IN (SELECT a.oid FROM above a)
			OR to_regclass(t.relation) IN (SELECT g FROM crm._track_targets(track.relation) AS g));
	IF relative IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'object_not_in_prerequisite_state',
			MESSAGE = format('%s is tracked already, and one of the two is a part of the other', relative),
			HINT = 'Track a partitioned table or its partitions, not both: crm.untrack() one of them.';
	END IF;
	IF track.level = 'statement' AND crm._track_has_foreign(track.relation) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'feature_not_supported',
			MESSAGE = format('%s cannot be tracked by statement', track.relation),
			DETAIL = 'A foreign table inherits from it, and foreign tables give no transition rows.',
			HINT = 'Use level => ''row''.';
	END IF;
	SELECT string_agg(quote_literal(a.argument), ', ' ORDER BY a.place) INTO arguments
	FROM unnest(crm._track_arguments(logical, track.relation, track.customer, track.source, what, track.channel,
		track.direction, track.occurred_at, track.reference, track.columns, track.create_customers,
		track.unknown, track.channel_column, track.direction_column)) WITH ORDINALITY AS a (argument, place);

	PERFORM pg_advisory_xact_lock(hashtextextended('crm.track', track.relation::oid::bigint));
	FOR target IN SELECT t FROM crm._track_targets(track.relation) AS t LOOP
		FOR wanted IN
			SELECT w.name, w.clause
			FROM pg_class c, crm._track_triggers(track.events, track.level, c.relispartition AND target <> track.relation) w
			WHERE c.oid = target
		LOOP
			EXECUTE format('CREATE OR REPLACE TRIGGER %I AFTER ' || wanted.clause || '(%s)', wanted.name, target, arguments);
		END LOOP;
		PERFORM crm._track_drop(target, ARRAY(
			SELECT w.name FROM pg_class c, crm._track_triggers(track.events, track.level, c.relispartition AND target <> track.relation) w
			WHERE c.oid = target));
	END LOOP;
	INSERT INTO crm.tracked AS t (relation, customer, source, kind, channel, occurred_at, reference, columns, events,
		level, create_customers, unknown, direction, channel_column, direction_column)
	VALUES (logical, track.customer, track.source, what, track.channel,
		track.occurred_at, track.reference, track.columns, track.events, track.level,
		track.create_customers, track.unknown, CASE WHEN track.direction_column IS NULL THEN track.direction END,
		track.channel_column, track.direction_column)
	ON CONFLICT (relation) DO UPDATE
	SET customer = excluded.customer, source = excluded.source, kind = excluded.kind, channel = excluded.channel,
		occurred_at = excluded.occurred_at, reference = excluded.reference, columns = excluded.columns,
		events = excluded.events, level = excluded.level, create_customers = excluded.create_customers,
		unknown = excluded.unknown, direction = excluded.direction, channel_column = excluded.channel_column,
		direction_column = excluded.direction_column;
END
$function$;
COMMENT ON FUNCTION crm.track(regclass, text, text, text, text, text, text, text[], text[], text, boolean, text, text, text, text) IS 'attaches triggers that log what happens to a table as interactions of its customers; called again it changes how';
REVOKE ALL ON FUNCTION crm.track(regclass, text, text, text, text, text, text, text[], text[], text, boolean, text, text, text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.track(regclass, text, text, text, text, text, text, text[], text[], text, boolean, text, text, text, text) TO @extowner@;

CREATE FUNCTION crm.untrack(relation regclass) RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
SET lock_timeout = '30s'
AS $function$
#variable_conflict use_column
DECLARE
	known_as text[];
	target regclass;
	dropped boolean := false;
BEGIN
	PERFORM crm._require_argument('relation', untrack.relation::text);
	PERFORM crm._require_table('tracked');
	PERFORM pg_advisory_xact_lock(hashtextextended('crm.track', untrack.relation::oid::bigint));
	-- the names under which it is tracked: its own, and, when it was renamed, those that its triggers were given
	SELECT array_agg(DISTINCT n.name) INTO known_as
	FROM (
		SELECT format('%I.%I', n.nspname, c.relname) AS name
		FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = untrack.relation
		UNION ALL
		SELECT t.logical FROM crm._tracking_triggers() t WHERE t.target = untrack.relation
	) n;
	FOR target IN
		SELECT DISTINCT t.target FROM crm._tracking_triggers() t WHERE t.logical = ANY (known_as)
	LOOP
		PERFORM crm._track_drop(target, '{}');
		dropped := true;
	END LOOP;
	DELETE FROM crm.tracked t WHERE t.relation = ANY (known_as);
	IF NOT FOUND AND NOT dropped THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('%s is not tracked', untrack.relation),
			HINT = 'SELECT relation FROM crm.tracked lists what is.';
	END IF;
END
$function$;
COMMENT ON FUNCTION crm.untrack(regclass) IS 'ends the tracking of a table: drops its triggers, also those of its partitions and of its former name; the log stays';
REVOKE ALL ON FUNCTION crm.untrack(regclass) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.untrack(regclass) TO @extowner@;

CREATE FUNCTION crm.untrack_missing() RETURNS SETOF text
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
BEGIN
	PERFORM crm._require_table('tracked');
	RETURN QUERY DELETE FROM crm.tracked t WHERE to_regclass(t.relation) IS NULL RETURNING t.relation;
END
$function$;
COMMENT ON FUNCTION crm.untrack_missing() IS 'forgets the tracked tables that do not exist any more, and gives their names';
REVOKE ALL ON FUNCTION crm.untrack_missing() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.untrack_missing() TO @extowner@;

CREATE FUNCTION crm._retrack() RETURNS void
LANGUAGE plpgsql
SET search_path = pg_catalog, pg_temp
AS $function$
DECLARE
	t record;
BEGIN
	FOR t IN SELECT * FROM crm.tracked ORDER BY relation LOOP
		IF to_regclass(t.relation) IS NULL THEN
			RAISE WARNING USING
				MESSAGE = format('tracked table %s does not exist any more', t.relation),
				HINT = 'Run crm.untrack_missing() to forget it.';
			CONTINUE;
		END IF;
		PERFORM crm.track(t.relation::regclass, t.customer, t.source, t.kind, t.channel, t.occurred_at, t.reference,
			t.columns, t.events, t.level, t.create_customers, t.unknown, t.direction, t.channel_column, t.direction_column);
	END LOOP;
END
$function$;
COMMENT ON FUNCTION crm._retrack() IS 'attaches the triggers of all tracked tables again, after DROP EXTENSION took them; crm.setup() calls it';
REVOKE ALL ON FUNCTION crm._retrack() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm._retrack() TO @extowner@;

CREATE FUNCTION crm.tracking_status()
RETURNS TABLE (relation text, target text, trigger text, status text)
LANGUAGE plpgsql STABLE
SET search_path = pg_catalog, pg_temp
AS $function$
#variable_conflict use_column
BEGIN
	PERFORM crm._require_table('tracked');
	RETURN QUERY
	WITH known AS (
		SELECT t.*, to_regclass(t.relation) AS oid FROM crm.tracked t
	), wanted AS (
		SELECT k.relation, g.oid AS target, w.name, (
				SELECT string_agg(convert_to(a.argument, getdatabaseencoding()) || '\x00'::bytea, ''::bytea ORDER BY a.place)
				FROM unnest(crm._track_arguments(k.relation, k.oid, k.customer, k.source, k.kind, k.channel, k.direction,
					k.occurred_at, k.reference, k.columns, k.create_customers, k.unknown, k.channel_column, k.direction_column))
					WITH ORDINALITY AS a (argument, place)) AS arguments
		FROM known k
		CROSS JOIN LATERAL crm._track_targets(k.oid) AS g (oid)
		JOIN pg_class c ON c.oid = g.oid
		CROSS JOIN LATERAL crm._track_triggers(k.events, k.level, c.relispartition AND c.oid <> k.oid) w
		WHERE k.oid IS NOT NULL
	), missing_column AS (
		SELECT k.relation, min(n.name) AS name
		FROM known k, unnest(k.columns || k.customer || k.occurred_at || k.reference || k.channel_column || k.direction_column) AS n (name)
		WHERE n.name IS NOT NULL AND k.oid IS NOT NULL AND NOT EXISTS (
			SELECT FROM pg_attribute a
			WHERE a.attrelid = k.oid AND a.attname = n.name AND NOT a.attisdropped)
		GROUP BY k.relation
	)
	SELECT k.relation, NULL::text, NULL::text, 'the table does not exist'::text FROM known k WHERE k.oid IS NULL
	UNION ALL
	SELECT k.relation, k.relation, NULL, 'a foreign table inherits from it: use level => ''row'''
	FROM known k WHERE k.oid IS NOT NULL AND k.level = 'statement' AND crm._track_has_foreign(k.oid)
	UNION ALL
	SELECT m.relation, m.relation, NULL, format('column "%s" does not exist', m.name) FROM missing_column m
	UNION ALL
	SELECT w.relation, w.target::text, w.name,
		CASE
			WHEN g.oid IS NULL THEN 'the trigger is missing'
			WHEN g.tgenabled = 'D' THEN 'the trigger is disabled'
			WHEN f.oid IS NULL THEN 'the trigger calls another function'
			WHEN g.tgargs <> w.arguments THEN 'the trigger has other arguments'
			ELSE 'ok'
		END
	FROM wanted w
	LEFT JOIN pg_trigger g ON g.tgrelid = w.target AND g.tgname = w.name AND NOT g.tgisinternal
	LEFT JOIN pg_proc f ON f.oid = g.tgfoid AND f.pronamespace = 'crm'::regnamespace
		AND f.proname IN ('_track_statement', '_track_row')
	ORDER BY 1, 2, 3;
END
$function$;
COMMENT ON FUNCTION crm.tracking_status() IS 'crm.tracked against the triggers that exist: a row for each trigger that should be there, and what is wrong with it';
REVOKE ALL ON FUNCTION crm.tracking_status() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.tracking_status() TO @extowner@;
