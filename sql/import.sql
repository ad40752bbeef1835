-- import: customers out of a list that the firm has already, a file or a table of another system.
--
-- The list passes through the stages as an array of JSON objects, a row each. Plans are made for each call, since they
-- depend on how long the list is.

CREATE FUNCTION crm._import_read(query text, search_path text) RETURNS jsonb[]
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	result jsonb[];
	known constant text[] := '{external_id, name, kind, mail, phone, birthday}';
	unknown text;
BEGIN
	result := crm._read_only(
		format(E'SELECT pg_catalog.array_agg(pg_catalog.to_jsonb(q)) FROM (%s\n) q', regexp_replace(query, '[;\s]+$', '')),
		result, _import_read.search_path);
	IF result IS NOT NULL AND NOT result[1] ? 'external_id' THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_column',
			MESSAGE = 'the query has no column "external_id"',
			HINT = 'Its columns are external_id and, where there are such, name, kind, mail, phone, birthday.';
	END IF;
	SELECT string_agg(quote_ident(k), ', ' ORDER BY k) INTO unknown FROM jsonb_object_keys(result[1]) k WHERE k <> ALL (known);
	IF unknown IS NOT NULL THEN
		RAISE NOTICE USING
			MESSAGE = format('columns that are not imported: %s', unknown),
			HINT = format('Those that are: %s.', array_to_string(known, ', '));
	END IF;
	RETURN coalesce(result, '{}');
END
$$;
COMMENT ON FUNCTION crm._import_read(text, text) IS 'the rows of a list, read as the caller; open to PUBLIC for crm.import_customers()';

-- A text is a day when it is written as ISO 8601 has it and the calendar has it.
CREATE FUNCTION crm._import_check(list jsonb[])
RETURNS TABLE (
	row_number bigint, external_id text, name text, kind text, mail text, mail_key text, phone text, phone_key text, birthday date, reason text)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH given AS MATERIALIZED (
		SELECT l.place, l.value ->> 'external_id' AS external_id,
			nullif(btrim(regexp_replace(l.value ->> 'name', '\s+', ' ', 'g')), '') AS name,
			coalesce(nullif(lower(btrim(l.value ->> 'kind')), ''), 'person') AS kind,
			l.value ->> 'mail' AS mail, l.value ->> 'phone' AS phone,
			nullif(btrim(l.value ->> 'birthday'), '') AS born,
			CASE WHEN l.value ->> 'birthday' ~ '^\s*\d{4}-(0[1-9]|1[0-2])-[0-3]\d($|[T\s])' AND l.value ->> 'birthday' !~ '^\s*0000'
				THEN left(ltrim(l.value ->> 'birthday'), 10) END AS day
		FROM unnest(list) WITH ORDINALITY l (value, place)
	), read AS MATERIALIZED (
		SELECT g.*, m.normalised AS mail_key, m.is_good AS mail_good, p.normalised AS phone_key,
			CASE WHEN right(g.day, 2)::int BETWEEN 1 AND extract(day FROM (left(g.day, 7) || '-01')::date + interval '1 month - 1 day')
				THEN g.day::date END AS birthday
		FROM given g
		LEFT JOIN crm._read_contacts('mail', ARRAY(SELECT o.mail FROM given o ORDER BY o.place)) m ON m.place = g.place
		LEFT JOIN crm._read_contacts('phone', ARRAY(SELECT o.phone FROM given o ORDER BY o.place)) p ON p.place = g.place
	), judged AS (
		SELECT r.*, CASE
			WHEN r.external_id ~ '\S' IS NOT TRUE THEN 'external_id is empty'
			WHEN r.kind NOT IN ('person', 'organisation') THEN 'kind is neither person nor organisation'
			WHEN NOT r.mail_good THEN 'mail is no address'
			WHEN r.phone_key !~ '[0-9]' THEN 'phone has no digits'
			WHEN r.born IS NOT NULL AND r.birthday IS NULL THEN 'birthday is no day, written as 1980-12-31'
			WHEN r.birthday > CURRENT_DATE THEN 'birthday is in the future'
			WHEN r.birthday < CURRENT_DATE - interval '130 years' THEN 'birthday is more than 130 years ago'
			END AS reason
		FROM read r
	), counted AS (
		SELECT j.*, CASE WHEN j.reason IS NULL THEN min(j.place) OVER (PARTITION BY j.reason IS NULL, j.external_id) END AS first
		FROM judged j
	)
	SELECT c.place, c.external_id, c.name, c.kind,
		CASE WHEN c.mail_key IS NOT NULL THEN c.mail END, c.mail_key, CASE WHEN c.phone_key IS NOT NULL THEN c.phone END, c.phone_key, c.birthday,
		coalesce(c.reason, CASE WHEN c.first < c.place THEN format('same external_id as row %s', c.first) END)
	FROM counted c
	ORDER BY c.place;
END
$$;
COMMENT ON FUNCTION crm._import_check(jsonb[]) IS 'the rows of a list in one spelling, and what is wrong with them; open to PUBLIC for crm.import_customers()';

-- A row is the customer of its external_id; else whoever has its mail address, in the CRM or by an earlier way in the list; else
-- whoever has its phone number; else the first row of the list with the same mail address, or the same phone number; else new.
CREATE FUNCTION crm._import_match(list jsonb[], source text, match_by text[], sequence regclass, create_missing boolean)
RETURNS TABLE (row_number bigint, customer_id bigint, outcome text, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
BEGIN
	RETURN QUERY
	WITH RECURSIVE given AS MATERIALIZED (
		SELECT (l ->> 'row_number')::bigint AS place, l ->> 'external_id' AS external_id,
			CASE WHEN 'mail' = ANY (match_by) THEN l ->> 'mail_key' END AS mail,
			CASE WHEN 'phone' = ANY (match_by) AND (l ->> 'phone_key') ~ '^[+]?[0-9]{5,}$' THEN l ->> 'phone_key' END AS phone
		FROM unnest(list) l
		WHERE l ->> 'reason' IS NULL
	), known AS MATERIALIZED (
		SELECT g.*, CASE WHEN c.merged_into IS NULL THEN c.customer_id ELSE crm._survivor(c.customer_id) END AS customer
		FROM given g
		LEFT JOIN crm.customer_identity i ON i.source = _import_match.source AND i.external_id = g.external_id
		LEFT JOIN crm.customer c ON c.customer_id = i.customer_id
	), mail AS (
		SELECT DISTINCT ON (m.key) m.key, m.customer, m.place
		FROM (
			SELECT p.normalised, c.customer_id, 0::bigint
			FROM crm.contact_point p JOIN crm.customer c ON c.customer_id = p.customer_id AND c.merged_into IS NULL
			WHERE p.kind = 'mail' AND p.normalised IN (SELECT k.mail FROM known k WHERE k.customer IS NULL)
			UNION ALL
			SELECT k.mail, k.customer, k.place FROM known k WHERE k.customer IS NOT NULL
		) m (key, customer, place)
		ORDER BY m.key, m.place, m.customer
	), by_mail AS MATERIALIZED (
		SELECT k.place, k.external_id, k.mail, k.phone, coalesce(k.customer, m.customer) AS customer,
			CASE WHEN k.customer IS NOT NULL THEN 'external_id' WHEN m.place > 0 THEN format('same mail as row %s', m.place)
				WHEN m.place = 0 THEN 'mail' END AS reason
		FROM known k LEFT JOIN mail m ON m.key = k.mail
	), phone AS (
		SELECT DISTINCT ON (m.key) m.key, m.customer, m.place
		FROM (
			SELECT p.normalised, c.customer_id, 0::bigint
			FROM crm.contact_point p JOIN crm.customer c ON c.customer_id = p.customer_id AND c.merged_into IS NULL
			WHERE p.kind = 'phone' AND p.normalised IN (SELECT k.phone FROM by_mail k WHERE k.customer IS NULL)
			UNION ALL
			SELECT k.phone, k.customer, k.place FROM by_mail k WHERE k.customer IS NOT NULL
		) m (key, customer, place)
		ORDER BY m.key, m.place, m.customer
	), by_phone AS MATERIALIZED (
		SELECT k.place, k.external_id, k.mail, k.phone, coalesce(k.customer, m.customer) AS customer,
			coalesce(k.reason, CASE WHEN m.place > 0 THEN format('same phone as row %s', m.place) WHEN m.place = 0 THEN 'phone' END) AS reason
		FROM by_mail k LEFT JOIN phone m ON m.key = k.phone
	), pointing AS MATERIALIZED (
		SELECT n.place, CASE WHEN n.mail < n.place THEN n.mail WHEN n.phone < n.place THEN n.phone END AS earlier,
			CASE WHEN n.mail < n.place THEN format('same mail as row %s', n.mail) WHEN n.phone < n.place THEN format('same phone as row %s', n.phone) END AS reason
		FROM (
			SELECT k.place, CASE WHEN k.mail IS NOT NULL THEN min(k.place) OVER (PARTITION BY k.mail) END AS mail,
				CASE WHEN k.phone IS NOT NULL THEN min(k.place) OVER (PARTITION BY k.phone) END AS phone
			FROM by_phone k WHERE k.customer IS NULL
		) n
	), fresh AS MATERIALIZED (
		SELECT n.place, CASE WHEN sequence IS NOT NULL THEN nextval(sequence) END AS customer
		FROM (SELECT p.place FROM pointing p WHERE p.earlier IS NULL AND create_missing ORDER BY p.place) n
	), family AS (
		SELECT f.place, f.customer FROM fresh f
		UNION ALL
		SELECT p.place, f.customer FROM family f JOIN pointing p ON p.earlier = f.place
	)
	SELECT k.place, coalesce(k.customer, f.customer),
		CASE WHEN k.customer IS NOT NULL OR p.reason IS NOT NULL AND f.place IS NOT NULL THEN 'matched' WHEN f.place IS NOT NULL THEN 'new' ELSE 'rejected' END,
		CASE WHEN k.customer IS NOT NULL THEN k.reason WHEN f.place IS NOT NULL THEN p.reason ELSE 'no such customer' END
	FROM by_phone k
	LEFT JOIN pointing p ON p.place = k.place
	LEFT JOIN family f ON f.place = k.place
	ORDER BY k.place;
END
$$;
COMMENT ON FUNCTION crm._import_match(jsonb[], text, text[], regclass, boolean) IS 'whose rows the good ones of a list are; open to PUBLIC for crm.import_customers()';

-- Keys, customers and contacts are made by one statement: the foreign keys are checked at its end. Gives the number of keys made.
CREATE FUNCTION crm._import_write(list jsonb[], source text) RETURNS bigint
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan
AS $$
#variable_conflict use_column
DECLARE
	result bigint;
BEGIN
	WITH given AS MATERIALIZED (
		SELECT (l ->> 'row_number')::bigint AS place, l ->> 'external_id' AS external_id, (l ->> 'customer_id')::bigint AS customer_id, l ->> 'outcome' AS outcome,
			l ->> 'name' AS name, l ->> 'kind' AS kind, (l ->> 'birthday')::date AS birthday, l ->> 'mail' AS mail, l ->> 'mail_key' AS mail_key,
			l ->> 'phone' AS phone, l ->> 'phone_key' AS phone_key
		FROM unnest(list) l
		WHERE l ->> 'outcome' <> 'rejected'
	), key AS (
		INSERT INTO crm.customer_identity AS i (source, external_id, customer_id)
		SELECT _import_write.source, g.external_id, g.customer_id FROM given g ORDER BY g.external_id COLLATE "C"
		ON CONFLICT (source, external_id) DO NOTHING
		RETURNING i.external_id
	), person AS MATERIALIZED (
		SELECT g.customer_id, bool_or(g.outcome = 'new') AS is_new, (array_agg(g.kind ORDER BY g.place))[1] AS kind,
			(array_agg(g.name ORDER BY g.place) FILTER (WHERE g.name IS NOT NULL))[1] AS name,
			(array_agg(g.birthday ORDER BY g.place) FILTER (WHERE g.birthday IS NOT NULL))[1] AS birthday
		FROM given g GROUP BY g.customer_id
	), made AS (
		INSERT INTO crm.customer (customer_id, name, kind, birthday)
		SELECT p.customer_id, p.name, p.kind, p.birthday FROM person p WHERE p.is_new ORDER BY p.customer_id
	), filled AS (
		UPDATE crm.customer c SET name = coalesce(c.name, p.name), birthday = coalesce(c.birthday, p.birthday)
		FROM person p
		WHERE c.customer_id = p.customer_id AND (c.name IS NULL AND p.name IS NOT NULL OR c.birthday IS NULL AND p.birthday IS NOT NULL)
	), contact AS (
		SELECT DISTINCT ON (g.customer_id, k.kind, k.key) g.customer_id, k.kind, k.given, k.key, g.place
		FROM given g CROSS JOIN LATERAL (VALUES ('mail', g.mail, g.mail_key), ('phone', g.phone, g.phone_key)) k (kind, given, key)
		WHERE k.key IS NOT NULL
		ORDER BY g.customer_id, k.kind, k.key, g.place
	), reached AS (
		INSERT INTO crm.contact_point (customer_id, kind, given, is_primary)
		SELECT c.customer_id, c.kind, c.given, row_number() OVER (PARTITION BY c.customer_id, c.kind ORDER BY c.place) = 1
			AND NOT EXISTS (SELECT FROM crm.contact_point o WHERE o.customer_id = c.customer_id AND o.kind = c.kind AND o.is_primary)
		FROM contact c
		WHERE NOT EXISTS (SELECT FROM crm.contact_point o
			WHERE o.customer_id = c.customer_id AND o.kind = c.kind AND o.normalised = c.key)
		ORDER BY c.place, c.kind
	)
	SELECT count(*) INTO result FROM key;
	RETURN result;
END
$$;
COMMENT ON FUNCTION crm._import_write(jsonb[], text) IS 'writes the customers, keys and contacts of a list; open to PUBLIC for crm.import_customers()';

-- The argument search_path is how a function with a path of its own learns the caller's, in which the query is read.
CREATE FUNCTION crm.import_customers(
	query text,
	source text,
	preview boolean DEFAULT false,
	create_missing boolean DEFAULT true,
	match_by text[] DEFAULT '{mail, phone}',
	search_path text DEFAULT pg_catalog.current_setting('search_path')
) RETURNS TABLE (row_number bigint, external_id text, customer_id bigint, outcome text, reason text)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
#variable_conflict use_column
DECLARE
	list jsonb[];
	word text;
	made bigint;
BEGIN
	PERFORM crm._require_argument('query', query, false);
	PERFORM crm._require_argument('source', import_customers.source, false);
	PERFORM crm._require_argument('preview', preview::text);
	PERFORM crm._require_argument('create_missing', create_missing::text);
	PERFORM crm._require_argument('match_by', match_by::text);
	PERFORM crm._require_argument('search_path', import_customers.search_path);
	FOREACH word IN ARRAY match_by LOOP
		IF word IN ('mail', 'phone') IS NOT TRUE THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('unrecognized value "%s" of argument "match_by"', word),
				HINT = 'Valid values are "mail", "phone".';
		END IF;
	END LOOP;
	PERFORM crm._require_table('customer_identity');
	IF crm._sees_part() THEN
		RAISE EXCEPTION USING
			ERRCODE = 'insufficient_privilege',
			MESSAGE = 'only a role that sees every customer can import customers',
			DETAIL = 'Whom it does not see would be made a second time.',
			HINT = 'The owner of the tables grants that by crm.grant_access(role, ''manager'', scope => ''all'').';
	END IF;
	list := crm._import_read(query, import_customers.search_path);
	IF NOT preview THEN
		-- Nobody else imports or converts a lead meanwhile, who might make the same customers.
		PERFORM pg_advisory_xact_lock(hashtextextended('crm.contact_point', 0));
	END IF;
	list := ARRAY(SELECT to_jsonb(c) FROM crm._import_check(list) c ORDER BY c.row_number);
	list := ARRAY(
		SELECT l.value || CASE WHEN l.value ->> 'reason' IS NOT NULL THEN '{"outcome": "rejected"}'
			ELSE jsonb_build_object('customer_id', m.customer_id, 'outcome', m.outcome, 'reason', m.reason) END
		FROM unnest(list) WITH ORDINALITY l (value, place)
		LEFT JOIN crm._import_match(list, import_customers.source, match_by,
			CASE WHEN NOT preview THEN pg_get_serial_sequence('crm.customer', 'customer_id')::regclass END, create_missing) m
			ON m.row_number = l.place
		ORDER BY l.place);
	IF NOT preview THEN
		made := crm._import_write(list, import_customers.source);
		IF made < (SELECT count(*) FROM unnest(list) l WHERE l ->> 'outcome' <> 'rejected' AND l ->> 'reason' IS DISTINCT FROM 'external_id') THEN
			RAISE EXCEPTION USING
				ERRCODE = 'serialization_failure',
				MESSAGE = format('another session made customers of source "%s" at the same time', import_customers.source),
				HINT = 'Try again.';
		END IF;
	END IF;
	RETURN QUERY
	SELECT l.place, l.value ->> 'external_id', (l.value ->> 'customer_id')::bigint, l.value ->> 'outcome', l.value ->> 'reason'
	FROM unnest(list) WITH ORDINALITY l (value, place)
	ORDER BY l.place;
END
$$;
COMMENT ON FUNCTION crm.import_customers(text, text, boolean, boolean, text[], text) IS 'makes customers out of the rows of a query, or finds those who are there by key, mail address or phone number; says of each row what became of it';
REVOKE ALL ON FUNCTION crm.import_customers(text, text, boolean, boolean, text[], text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION crm.import_customers(text, text, boolean, boolean, text[], text) TO @extowner@ WITH GRANT OPTION;
