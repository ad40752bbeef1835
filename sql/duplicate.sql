-- duplicate: customers who may be one and the same.
--
-- Nobody is compared with everybody: two customers are compared when they share a key, and a key that too many share says
-- nothing and is left out. Keys are the mail addresses, the phone numbers, and of each two of the four longest words of a
-- name: their first three letters, their last three, and each with the other's initial. So the work grows with the number of
-- customers times max_block, and a name is found again with its words in another order or with a letter wrong.
--
-- Each sign leaves some doubt, and the doubts multiply: score = 1 - (1 - 0.9 mail)(1 - 0.8 phone)(1 - 0.8 name), where name
-- is the similarity of the names, from 0.5 on; equal birthdays halve the doubt, different ones the score.

CREATE FUNCTION crm._similarity() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format('%I.similarity', n.nspname)
	FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
		AND d.classid = 'pg_proc'::regclass AND d.deptype = 'e'
	JOIN pg_proc p ON p.oid = d.objid AND p.proname = 'similarity'
	JOIN pg_namespace n ON n.oid = p.pronamespace
	WHERE e.extname = 'pg_trgm' AND has_schema_privilege(n.oid, 'USAGE')
$$;
COMMENT ON FUNCTION crm._similarity() IS 'the function that compares two names, of extension pg_trgm wherever it is; NULL when it is not installed; open to PUBLIC for crm.find_duplicates()';

-- Whom to compare, as common table expressions: key, what customers may share; size, how many share it; pair, who shares what.
-- $1 is the customer asked for, who is compared with everybody by name; $2 the largest number of customers of a key. Where
-- names cannot be compared but as a whole, the name is one key.
CREATE FUNCTION crm._duplicate_pairs(whole_names boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format($sql$
		live AS MATERIALIZED (
			SELECT c.customer_id, c.name, c.birthday, %s AS words FROM crm.customer c WHERE c.merged_into IS NULL
		), word AS MATERIALIZED (
			SELECT l.customer_id, w.word, w.place, count(*) OVER (PARTITION BY l.customer_id) AS words
			FROM live l CROSS JOIN LATERAL (
				SELECT DISTINCT u.word, dense_rank() OVER (ORDER BY length(u.word) DESC, u.word COLLATE "C") AS place
				FROM regexp_split_to_table(lower(l.name), '[^[:alnum:]]+') u (word)
				WHERE u.word <> '') w
			WHERE $1 IS NULL AND w.place <= 4
		), key AS MATERIALIZED (
			SELECT DISTINCT l.customer_id, p.kind, p.normalised AS key
			FROM live l JOIN crm.contact_point p ON p.customer_id = l.customer_id
			WHERE (p.kind = 'mail' OR p.kind = 'phone' AND p.normalised ~ '^[+]?[0-9]{5,}$')
				AND ($1 IS NULL OR (p.kind, p.normalised) IN (SELECT o.kind, o.normalised FROM crm.contact_point o WHERE o.customer_id = $1))
			UNION
			%s
		), size AS MATERIALIZED (
			SELECT k.kind, k.key, count(*) AS customers FROM key k GROUP BY k.kind, k.key HAVING count(*) > 1
		), pair AS MATERIALIZED (
			SELECT p.a, p.b, bool_or(p.kind = 'mail') AS mail, bool_or(p.kind = 'phone') AS phone
			FROM (
				SELECT a.customer_id, b.customer_id, s.kind
				FROM size s
				JOIN key a ON a.kind = s.kind AND a.key = s.key
				JOIN key b ON b.kind = s.kind AND b.key = s.key AND b.customer_id > a.customer_id
				WHERE s.customers <= $2 AND ($1 IS NULL OR $1 IN (a.customer_id, b.customer_id))
				UNION ALL
				SELECT least(l.customer_id, $1), greatest(l.customer_id, $1), 'name'
				FROM live l
				WHERE l.customer_id <> $1 AND l.name IS NOT NULL
			) p (a, b, kind)
			GROUP BY p.a, p.b
		)$sql$,
		CASE WHEN whole_names THEN $sql$(SELECT string_agg(DISTINCT u.word COLLATE "C", ' ')
			FROM regexp_split_to_table(lower(c.name), '[^[:alnum:]]+') u (word) WHERE u.word <> '')$sql$ ELSE 'NULL::text' END,
		CASE WHEN whole_names THEN $sql$SELECT l.customer_id, 'name', l.words FROM live l WHERE $1 IS NULL AND l.words IS NOT NULL$sql$
		ELSE $sql$SELECT a.customer_id, k.kind, k.key
			FROM word a
			JOIN word b ON b.customer_id = a.customer_id AND (a.place < b.place OR a.words = 1)
			CROSS JOIN LATERAL (VALUES
				('begin', least(left(a.word, 3), left(b.word, 3)) || ' ' || greatest(left(a.word, 3), left(b.word, 3))),
				('end', least(right(a.word, 3), right(b.word, 3)) || ' ' || greatest(right(a.word, 3), right(b.word, 3))),
				('word', a.word || ' ' || left(b.word, 1)),
				('word', b.word || ' ' || left(a.word, 1))) k (kind, key)$sql$ END)
$$;
COMMENT ON FUNCTION crm._duplicate_pairs(boolean) IS 'the first half of the query of crm.find_duplicates(): whom to compare; open to PUBLIC for it';

-- Gives the number of keys that are too common, as a row without duplicate_id, and then the pairs. $3 is the threshold, $4 the
-- largest number of pairs.
CREATE FUNCTION crm._duplicate_query(similarity text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
AS $$
	SELECT format($sql$
		WITH %s, compared AS MATERIALIZED (
			SELECT p.*, x.birthday = y.birthday AS birthday, %s AS name
			FROM pair p JOIN live x ON x.customer_id = p.a JOIN live y ON y.customer_id = p.b
		), scored AS (
			SELECT c.*, round((1 - CASE WHEN c.mail THEN 0.1 ELSE 1 END * CASE WHEN c.phone THEN 0.2 ELSE 1 END
				* CASE WHEN c.name >= 0.5 THEN 1 - 0.8 * c.name::numeric ELSE 1 END * CASE WHEN c.birthday THEN 0.5 ELSE 1 END)
				* CASE WHEN NOT c.birthday THEN 0.5 ELSE 1 END, 4)::real AS score
			FROM compared c
			WHERE c.mail OR c.phone OR c.name >= 0.5
		)
		(SELECT count(*), NULL::bigint, NULL::real, NULL::text[] FROM size s WHERE s.customers > $2)
		UNION ALL
		(SELECT s.a, s.b, s.score, array_remove(ARRAY[
				CASE WHEN s.mail THEN 'mail' END, CASE WHEN s.phone THEN 'phone' END,
				CASE WHEN s.name >= 0.5 THEN 'name ' || round(s.name::numeric, 2) END,
				CASE s.birthday WHEN true THEN 'birthday' WHEN false THEN 'other birthday' END], NULL)
		FROM scored s
		WHERE s.score >= $3
		ORDER BY s.score DESC, s.a, s.b
		LIMIT $4::bigint + 1)
		$sql$, crm._duplicate_pairs(similarity IS NULL), coalesce(similarity || '(x.name, y.name)', '(x.words = y.words)::int::real'))
$$;
COMMENT ON FUNCTION crm._duplicate_query(text) IS 'the query of crm.find_duplicates(), given the function for the similarity of names; open to PUBLIC for it';

CREATE FUNCTION crm.find_duplicates(
	threshold real DEFAULT 0.6,
	max_pairs integer DEFAULT 1000,
	customer bigint DEFAULT NULL,
	max_block integer DEFAULT 100
) RETURNS TABLE (customer_id bigint, duplicate_id bigint, score real, reasons text[])
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp SET enable_nestloop = off
AS $$
DECLARE
	argument record;
	similarity text := crm._similarity();
	found_pairs integer := 0;
BEGIN
	PERFORM crm._require_argument('threshold', threshold::text);
	PERFORM crm._require_argument('max_pairs', max_pairs::text);
	PERFORM crm._require_argument('max_block', max_block::text);
	PERFORM crm._require_table('customer');
	IF NOT threshold BETWEEN 0 AND 1 THEN
		RAISE EXCEPTION USING
			ERRCODE = 'invalid_parameter_value',
			MESSAGE = 'argument "threshold" must be between 0 and 1',
			DETAIL = format('Got %s.', threshold);
	END IF;
	FOR argument IN SELECT * FROM (VALUES ('max_pairs', max_pairs, 1), ('max_block', max_block, 2)) a (name, value, least) LOOP
		IF argument.value < argument.least THEN
			RAISE EXCEPTION USING
				ERRCODE = 'invalid_parameter_value',
				MESSAGE = format('argument "%s" must be at least %s', argument.name, argument.least),
				DETAIL = format('Got %s.', argument.value);
		END IF;
	END LOOP;
	IF customer IS NOT NULL AND NOT EXISTS (SELECT FROM crm.customer c WHERE c.customer_id = customer AND c.merged_into IS NULL) THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_object',
			MESSAGE = format('there is no customer %s, or it was merged into another one', customer);
	END IF;
	IF similarity IS NULL THEN
		RAISE NOTICE USING
			MESSAGE = 'names are compared as a whole, since extension pg_trgm is not installed',
			HINT = 'CREATE EXTENSION pg_trgm, and similar names are found, too.';
	END IF;

	FOR customer_id, duplicate_id, score, reasons IN EXECUTE crm._duplicate_query(similarity)
		USING customer, max_block, threshold, max_pairs
	LOOP
		IF duplicate_id IS NULL THEN
			IF customer_id > 0 THEN
				RAISE NOTICE USING
					MESSAGE = format('keys left out, since more than %s customers have each of them: %s', max_block, customer_id),
					HINT = 'Give a larger max_block to compare those customers, too.';
			END IF;
		ELSIF found_pairs = max_pairs THEN
			RAISE NOTICE USING
				MESSAGE = format('there are more pairs than the %s that are given', max_pairs),
				HINT = 'Merge these first, or give a larger max_pairs.';
		ELSE
			found_pairs := found_pairs + 1;
			RETURN NEXT;
		END IF;
	END LOOP;
END
$$;
COMMENT ON FUNCTION crm.find_duplicates(real, integer, bigint, integer) IS 'pairs of customers who may be one and the same by mail, phone, name and birthday, the likeliest first, with a score from 0 to 1 and the reasons; of all customers, or of one';
