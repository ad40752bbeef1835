-- Which constraint refuses what, and whether each has refused something. Include it with \ir lib/refusal.sql in a transaction.

CREATE TEMPORARY TABLE refused (name text);

-- One test: the statement is refused by that constraint or unique index; a column that must not be null is table.column.
CREATE FUNCTION pg_temp.refuses(statement text, by text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	relation text;
	column_name text;
	found text := 'nothing';
BEGIN
	BEGIN
		EXECUTE statement;
		RAISE EXCEPTION USING ERRCODE = 'TEST1';
	EXCEPTION
		WHEN integrity_constraint_violation THEN
			GET STACKED DIAGNOSTICS found = CONSTRAINT_NAME, relation = TABLE_NAME, column_name = COLUMN_NAME;
			IF found = '' THEN
				found := relation || '.' || column_name;
			END IF;
		WHEN SQLSTATE 'TEST1' THEN
			NULL;
	END;
	INSERT INTO refused VALUES (found);
	RETURN is(found, by, by || ' refuses ' || statement);
END
$$;

-- A test for each column that must not be null, each foreign key and each primary key of these tables, which must have a row;
-- but for the keys named.
CREATE FUNCTION pg_temp.refuses_keys(tables text[], but text[] DEFAULT '{}') RETURNS SETOF text LANGUAGE sql AS $$
	SELECT pg_temp.refuses(format('UPDATE crm.%I SET %I = NULL', t.name, a.attname), t.name || '.' || a.attname)
	FROM unnest(tables) WITH ORDINALITY t (name, place)
	JOIN pg_attribute a ON a.attrelid = ('crm.' || t.name)::regclass AND a.attnum > 0 AND a.attnotnull AND NOT a.attisdropped
	UNION ALL
	SELECT pg_temp.refuses(format('UPDATE crm.%1$I SET %2$I = -1 WHERE ctid = (SELECT ctid FROM crm.%1$I LIMIT 1)', t.name, a.attname), f.conname)
	FROM unnest(tables) WITH ORDINALITY t (name, place)
	JOIN pg_constraint f ON f.conrelid = ('crm.' || t.name)::regclass AND f.contype = 'f' AND f.conname <> ALL (but)
	JOIN pg_attribute a ON a.attrelid = f.conrelid AND a.attnum = f.conkey[cardinality(f.conkey)]
	UNION ALL
	SELECT pg_temp.refuses(format('INSERT INTO crm.%I (%s) SELECT %2$s FROM crm.%1$I', t.name, c.list), k.conname)
	FROM unnest(tables) WITH ORDINALITY t (name, place)
	JOIN pg_constraint k ON k.conrelid = ('crm.' || t.name)::regclass AND k.contype = 'p' AND k.conname <> ALL (but)
	CROSS JOIN LATERAL (
		SELECT string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum) AS list
		FROM pg_attribute a
		WHERE a.attrelid = k.conrelid AND a.attnum > 0 AND NOT a.attisdropped AND a.attgenerated = ''
	) c
$$;

-- What has refused nothing: constraints and unique indexes of these tables.
CREATE FUNCTION pg_temp.never_refused(tables text[]) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT conname::text FROM pg_constraint WHERE conrelid = ANY (SELECT ('crm.' || t)::regclass FROM unnest(tables) t) AND contype <> 'n'
	UNION
	SELECT x.relname::text FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid WHERE i.indrelid = ANY (SELECT ('crm.' || t)::regclass FROM unnest(tables) t) AND i.indisunique
		AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid AND c.conrelid = i.indrelid)
	EXCEPT
	SELECT name FROM refused
$$;
