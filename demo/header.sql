-- A table "incoming" of text for a CSV file's columns, from its first line, :header; :file is its name in errors.
\set SHOW_CONTEXT never

SELECT set_config('demo.file', :'file', false), set_config('demo.header', :'header', false) \g /dev/null

DO $$
DECLARE
	wanted CONSTANT text[] := '{customer_id,ordered_at,amount}';
	-- A byte order mark and the end of a DOS line are no part of a name.
	header text := rtrim(ltrim(current_setting('demo.header'), E'\uFEFF'), E'\r');
	found text[];
	missing text;
BEGIN
	-- A field is quoted, with doubled quotes inside, or plain.
	SELECT array_agg(lower(btrim(coalesce(replace(field[1], '""', '"'), field[2]))) ORDER BY place)
	INTO found
	FROM regexp_matches(header, '(?:^|,)(?:\s*"((?:[^"]|"")*)"\s*|([^,"]*))', 'g') WITH ORDINALITY AS m (field, place);
	SELECT string_agg(format('column "%s"', w), ' and ') INTO missing FROM unnest(wanted) w WHERE w <> ALL (found);
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'undefined_column',
			MESSAGE = format('the file "%s" lacks %s', current_setting('demo.file'), missing),
			DETAIL = format('Its first line names %s.', left((SELECT string_agg(format('"%s"', f), ', ') FROM unnest(found) f), 400)),
			HINT = 'The first line of a CSV file names its columns, parted by commas: customer_id, ordered_at and amount, and any others.';
	END IF;
	SELECT string_agg(DISTINCT format('"%s"', w), ', ') INTO missing
	FROM unnest(wanted) w WHERE cardinality(array_positions(found, w)) > 1;
	IF missing IS NOT NULL THEN
		RAISE EXCEPTION USING
			ERRCODE = 'duplicate_column',
			MESSAGE = format('the file "%s" has column %s twice', current_setting('demo.file'), missing);
	END IF;
	EXECUTE format('CREATE TABLE incoming (%s, row bigint GENERATED ALWAYS AS IDENTITY)', (
		SELECT string_agg(format('%I text', CASE WHEN f = ANY (wanted) THEN f ELSE 'column_' || place END), ', ' ORDER BY place)
		FROM unnest(found) WITH ORDINALITY AS c (f, place)));
END
$$;

SELECT format('%s columns', count(*) - 1) FROM pg_attribute WHERE attrelid = 'incoming'::regclass AND attnum > 0;
