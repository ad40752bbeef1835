-- Tracking on tables of every shape: partitions, inheritance, columns that come and go, odd names, every kind of value.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_track;
SET LOCAL search_path = test_track, public;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
SELECT crm.untrack(t.relation::regclass) FROM crm.tracked t; -- the CRM's own tables

-- Take what was logged since the last call, in the order of logging: action, customer, key, detail.
CREATE FUNCTION logged() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM crm.interaction RETURNING *)
	SELECT coalesce(string_agg(concat_ws(' ', action, customer_id, coalesce(reference_key, '-'), detail), E'\n' ORDER BY interaction_id), '') FROM gone
$$;
-- The lines with these values: a line to expect for each.
CREATE FUNCTION lines(VARIADIC given text[]) RETURNS text LANGUAGE sql AS $$ SELECT array_to_string(given, E'\n') $$;
-- Run a script and give what it logged, with the table tracked at both levels; then undo it all. When they differ, each is given.
CREATE FUNCTION played(tracking text, script text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[] := '{}';
	result text;
	level text;
BEGIN
	FOREACH level IN ARRAY '{statement,row}'::text[] LOOP
		BEGIN
			EXECUTE format('SELECT crm.track(%s, level => %L)', tracking, level);
			EXECUTE script;
			result := logged();
			RAISE EXCEPTION USING ERRCODE = 'TR000';
		EXCEPTION WHEN OTHERS THEN
			results := results || CASE SQLSTATE WHEN 'TR000' THEN result ELSE format('%s: %s', SQLSTATE, SQLERRM) END;
		END;
	END LOOP;
	RETURN CASE WHEN results[1] = results[2] THEN results[1] ELSE format(E'at statement level:\n%s\nat row level:\n%s', VARIADIC results) END;
END $$;
CREATE FUNCTION played_at(level text, tracking text, script text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE format('SELECT crm.track(%s, level => %L)', tracking, level);
	EXECUTE script;
	result := logged();
	RAISE EXCEPTION USING ERRCODE = 'TR000';
EXCEPTION WHEN OTHERS THEN
	RETURN CASE SQLSTATE WHEN 'TR000' THEN result ELSE format('%s: %s', SQLSTATE, SQLERRM) END;
END $$;

-- partitions, one of which numbers its columns differently and has dropped some

CREATE TABLE part (id int, customer bigint, region text, total numeric, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
CREATE TABLE part_a PARTITION OF part FOR VALUES IN ('a');
CREATE TABLE part_b (gone int, total numeric, region text NOT NULL, junk text, customer bigint, id int NOT NULL, more text);
ALTER TABLE part_b DROP COLUMN gone, DROP COLUMN junk;
ALTER TABLE part_b DROP COLUMN more;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES IN ('b');
CREATE TABLE part_c PARTITION OF part FOR VALUES IN ('c', 'd') PARTITION BY LIST (region);
CREATE TABLE part_c1 (region text NOT NULL, customer bigint, id int NOT NULL, total numeric);
ALTER TABLE part_c ATTACH PARTITION part_c1 FOR VALUES IN ('c');
CREATE TABLE part_c2 PARTITION OF part_c DEFAULT;

SELECT is(played($$'part', 'customer', columns => '{total}'$$, $$
	INSERT INTO part VALUES (1, 7, 'a', 10), (2, 8, 'b', 20), (3, 9, 'c', 30), (4, 6, 'd', 40);
	UPDATE part SET total = total + 1;
	DELETE FROM part$$), lines(
	'insert 7 1,a {"new": {"total": 10}}', 'insert 8 2,b {"new": {"total": 20}}', 'insert 9 3,c {"new": {"total": 30}}', 'insert 6 4,d {"new": {"total": 40}}',
	'update 7 1,a {"new": {"total": 11}, "old": {"total": 10}}', 'update 8 2,b {"new": {"total": 21}, "old": {"total": 20}}',
	'update 9 3,c {"new": {"total": 31}, "old": {"total": 30}}', 'update 6 4,d {"new": {"total": 41}, "old": {"total": 40}}',
	'delete 7 1,a {"old": {"total": 11}}', 'delete 8 2,b {"old": {"total": 21}}', 'delete 9 3,c {"old": {"total": 31}}', 'delete 6 4,d {"old": {"total": 41}}'),
	'writes through the parent of partitions');
SELECT is(played($$'part', 'customer', columns => '{total}'$$, $$
	INSERT INTO part_a VALUES (1, 7, 'a', 10);
	INSERT INTO part_b (id, customer, region, total) VALUES (2, 8, 'b', 20);
	INSERT INTO part_c (id, customer, region, total) VALUES (3, 9, 'c', 30);
	INSERT INTO part_c1 (id, customer, region, total) VALUES (4, 6, 'c', 40);
	UPDATE part_b SET total = 21;
	UPDATE part_c SET total = total + 1;
	DELETE FROM part_c1 WHERE id = 3;
	DELETE FROM part_b$$), lines(
	'insert 7 1,a {"new": {"total": 10}}', 'insert 8 2,b {"new": {"total": 20}}', 'insert 9 3,c {"new": {"total": 30}}', 'insert 6 4,c {"new": {"total": 40}}',
	'update 8 2,b {"new": {"total": 21}, "old": {"total": 20}}', 'update 9 3,c {"new": {"total": 31}, "old": {"total": 30}}',
	'update 6 4,c {"new": {"total": 41}, "old": {"total": 40}}', 'delete 9 3,c {"old": {"total": 31}}', 'delete 8 2,b {"old": {"total": 21}}'),
	'writes straight into partitions, each logged once');
SELECT is(played($$'part', 'customer', columns => '{total}'$$, $$
	INSERT INTO part_a VALUES (1, 7, 'a', 10);
	DO 'BEGIN IF EXISTS (SELECT FROM crm.interaction WHERE reference <> ''test_track.part'' OR kind <> ''part'') THEN RAISE ''wrong''; END IF; END'$$),
	'insert 7 1,a {"new": {"total": 10}}', 'whatever the partition, the reference is the tracked table');
SELECT is(played_at('statement', $$'part', 'customer', columns => '{region,total}'$$, $$
	INSERT INTO part VALUES (1, 7, 'a', 10), (2, 8, 'b', 20), (3, 9, 'c', 30), (4, 6, 'd', 40);
	DELETE FROM crm.interaction;
	UPDATE part SET region = CASE region WHEN 'a' THEN 'b' WHEN 'b' THEN 'b' WHEN 'c' THEN 'a' ELSE 'c' END, total = total + 1$$), lines(
	'update 7 1,b {"new": {"total": 11, "region": "b"}, "old": {"total": 10, "region": "a"}}',
	'update 8 2,b {"new": {"total": 21, "region": "b"}, "old": {"total": 20, "region": "b"}}',
	'update 9 3,a {"new": {"total": 31, "region": "a"}, "old": {"total": 30, "region": "c"}}',
	'update 6 4,c {"new": {"total": 41, "region": "c"}, "old": {"total": 40, "region": "d"}}'), 'at statement level an update that moves rows between partitions is an update');
SELECT is(played_at('row', $$'part', 'customer', columns => '{region,total}'$$, $$
	INSERT INTO part VALUES (1, 7, 'a', 10), (2, 8, 'b', 20);
	DELETE FROM crm.interaction;
	UPDATE part SET region = 'b', total = total + 1$$), lines(
	'delete 7 1,a {"old": {"total": 10, "region": "a"}}',
	'insert 7 1,b {"new": {"total": 11, "region": "b"}}',
	'update 8 2,b {"new": {"total": 21, "region": "b"}, "old": {"total": 20, "region": "b"}}'), 'at row level it is a delete and an insert, as row triggers see it');
SELECT is(played_at('statement', $$'part', 'customer', columns => '{region}'$$, $$
	INSERT INTO part SELECT i, i, (ARRAY['a', 'b', 'c', 'd'])[i % 4 + 1], i FROM generate_series(1, 3000) i;
	UPDATE part SET region = (ARRAY['a', 'b', 'c', 'd'])[id % 3 + 1], customer = customer + 1;
	DELETE FROM crm.interaction i WHERE i.action = 'insert' OR i.reference_key = split_part(i.reference_key, ',', 1) || ',' || (i.detail #>> '{new,region}')
		AND split_part(i.reference_key, ',', 1)::int + 1 = i.customer_id AND i.detail #>> '{old,region}' = (ARRAY['a', 'b', 'c', 'd'])[(i.customer_id - 1) % 4 + 1]$$),
	'', 'old and new rows of 3000 moves belong together');
SELECT crm.track('part', 'customer', columns => '{total}') IS NULL AS x \gset
CREATE TABLE part_e PARTITION OF part FOR VALUES IN ('e');
SELECT bag_eq($$SELECT target, trigger, status FROM crm.tracking_status() WHERE status <> 'ok'$$,
	$$SELECT 'test_track.part_e', 'crm_track_' || e AS trigger, 'the trigger is missing' AS status FROM unnest('{insert,update,delete,truncate}'::text[]) e$$, 'a partition that came after crm.track() is told by crm.tracking_status()');
INSERT INTO part VALUES (1, 7, 'e', 10);
SELECT is(logged(), 'insert 7 1,e {"new": {"total": 10}}', 'writes to it through the parent are logged');
INSERT INTO part_e VALUES (2, 7, 'e', 10);
SELECT is(logged(), '', 'direct ones are not, until');
SELECT crm.track('part', 'customer', columns => '{total}') IS NULL AS x \gset
INSERT INTO part_e VALUES (3, 7, 'e', 10);
SELECT is(logged(), 'insert 7 3,e {"new": {"total": 10}}', 'crm.track() is called again');
SELECT is_empty($$SELECT * FROM crm.tracking_status() WHERE status <> 'ok'$$, 'then all is well');
SELECT crm.track('part', 'customer', columns => '{total}', level => 'row') IS NULL AS x \gset
CREATE TABLE part_f PARTITION OF part FOR VALUES IN ('f');
INSERT INTO part_f VALUES (4, 7, 'f', 10);
SELECT is(logged(), 'insert 7 4,f {"new": {"total": 10}}', 'at row level new partitions are tracked by themselves');
SELECT is_empty($$SELECT tgname FROM pg_trigger t JOIN pg_inherits i ON i.inhrelid = t.tgrelid WHERE i.inhparent = 'part'::regclass AND tgname IN ('crm_track_insert', 'crm_track_update', 'crm_track_delete')$$,
	'and the statement triggers are gone from the partitions');
SELECT crm.untrack('test_track.part') IS NULL AS x \gset
SELECT is_empty($$SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE 'crm_track%'$$, 'crm.untrack() takes the triggers off all partitions');
INSERT INTO part VALUES (5, 7, 'a', 10);
SELECT is(logged(), '', 'and nothing is logged');
DELETE FROM part;
SELECT is(played($$'part_c1', 'customer', columns => '{total}'$$, $$INSERT INTO part_c1 (id, customer, region, total) VALUES (1, 7, 'c', 10)$$),
	'insert 7 1,c {"new": {"total": 10}}', 'a partition can be tracked by itself, at both levels');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.id = 2 THEN RETURN NULL; END IF; RETURN new; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON part_b FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT crm.track('part', 'customer', columns => '{region}') IS NULL AS x \gset
INSERT INTO part VALUES (1, 7, 'a', 10), (2, 8, 'a', 20), (3, 9, 'a', 30);
DELETE FROM crm.interaction;
SELECT lives_ok($$UPDATE part SET region = 'b' WHERE region = 'a'$$, 'a move that a trigger of the other partition refuses does not stop the statement');
SELECT is(logged(), lines('delete 7 1,a {"old": {"region": "a"}}', 'delete 8 2,a {"old": {"region": "a"}}', 'delete 9 3,a {"old": {"region": "a"}}',
	'insert 7 1,b {"new": {"region": "b"}}', 'insert 9 3,b {"new": {"region": "b"}}'), 'it is logged as deletes and inserts');
SELECT crm.track('part', 'customer', reference => 'id') IS NULL AS x \gset
TRUNCATE part_a;
TRUNCATE part;
SELECT is(logged(), lines('truncate 0 test_track.part_a', 'truncate 0 -', 'truncate 0 test_track.part_a', 'truncate 0 test_track.part_b', 'truncate 0 test_track.part_c',
	'truncate 0 test_track.part_e', 'truncate 0 test_track.part_f', 'truncate 0 test_track.part_c1', 'truncate 0 test_track.part_c2'), 'a TRUNCATE tells which partitions it emptied');
ALTER TABLE part DETACH PARTITION part_b;
INSERT INTO part_b (id, customer, region) VALUES (1, 7, 'b');
SELECT is(logged(), 'insert 7 1', 'a partition that was detached goes on until crm.untrack()');
SELECT crm.untrack('test_track.part') IS NULL AS x \gset
SELECT is_empty($$SELECT tgrelid::regclass, tgname FROM pg_trigger WHERE tgname LIKE 'crm_track%'$$, 'which takes the triggers off it, too');

-- inheritance

CREATE TABLE base (id int PRIMARY KEY, customer int, total numeric);
CREATE TABLE derived (extra text) INHERITS (base);
CREATE TABLE other (extra text, total numeric, customer int, id int NOT NULL);
ALTER TABLE other DROP COLUMN extra;
ALTER TABLE other INHERIT base;
SELECT is(played($$'base', 'customer', columns => '{total}'$$, $$
	INSERT INTO base VALUES (1, 7, 10);
	INSERT INTO derived VALUES (2, 8, 20, 'x');
	INSERT INTO other (id, customer, total) VALUES (3, 9, 30);
	UPDATE base SET total = total + 1;
	UPDATE derived SET total = 0;
	UPDATE derived SET extra = 'y';
	DELETE FROM base$$), lines(
	'insert 7 1 {"new": {"total": 10}}', 'insert 8 2 {"new": {"total": 20}}', 'insert 9 3 {"new": {"total": 30}}',
	'update 7 1 {"new": {"total": 11}, "old": {"total": 10}}', 'update 8 2 {"new": {"total": 21}, "old": {"total": 20}}', 'update 9 3 {"new": {"total": 31}, "old": {"total": 30}}',
	'update 8 2 {"new": {"total": 0}, "old": {"total": 21}}',
	'delete 7 1 {"old": {"total": 11}}', 'delete 8 2 {"old": {"total": 0}}', 'delete 9 3 {"old": {"total": 31}}'), 'tables that inherit');

-- columns that come and go, are made by the server, or have odd names

CREATE TABLE changing (gone text, id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer int, price numeric, quantity int,
	total numeric GENERATED ALWAYS AS (price * quantity) STORED, created timestamptz DEFAULT now());
ALTER TABLE changing DROP COLUMN gone;
SELECT is(played($$'changing', 'customer', columns => '{total}'$$, $$
	ALTER TABLE changing ALTER id RESTART;
	INSERT INTO changing (customer, price, quantity) VALUES (7, 2.5, 4);
	UPDATE changing SET price = 5, quantity = 2;
	UPDATE changing SET quantity = 3;
	ALTER TABLE changing ADD COLUMN note text DEFAULT 'none', DROP COLUMN created;
	UPDATE changing SET note = 'x';
	UPDATE changing SET price = 1;
	DELETE FROM changing$$), lines(
	'insert 7 1 {"new": {"total": 10.0}}', 'update 7 1 {"new": {"total": 10}, "old": {"total": 10.0}}', 'update 7 1 {"new": {"total": 15}, "old": {"total": 10}}',
	'update 7 1 {"new": {"total": 3}, "old": {"total": 15}}', 'delete 7 1 {"old": {"total": 3}}'), 'generated, identity, dropped and added columns; numbers of other scale are another value');

CREATE TABLE "Odd, ""Table"" \ Ünïcode" ("Id" int, "Cust'omer" int, "a,b" text, "c""d" text, "e\f" text, "日本 語" text, "%s" text, PRIMARY KEY ("Id", "a,b"));
SELECT is(played($$'"Odd, ""Table"" \ Ünïcode"', 'Cust''omer', columns => ARRAY['c"d', 'e\f', '日本 語', '%s']$$, $$
	INSERT INTO "Odd, ""Table"" \ Ünïcode" VALUES (1, 7, 'x,y', 'q"q', 'b\b', '値', '%');
	UPDATE "Odd, ""Table"" \ Ünïcode" SET "e\f" = E'\n\t\x01';
	UPDATE "Odd, ""Table"" \ Ünïcode" SET "a,b" = 'quote"d';
	DELETE FROM "Odd, ""Table"" \ Ünïcode"$$), lines(
	'insert 7 1,"x,y" {"new": {"%s": "%", "c\"d": "q\"q", "e\\f": "b\\b", "日本 語": "値"}}',
	'update 7 1,"x,y" {"new": {"%s": "%", "c\"d": "q\"q", "e\\f": "\n\t\u0001", "日本 語": "値"}, "old": {"%s": "%", "c\"d": "q\"q", "e\\f": "b\\b", "日本 語": "値"}}',
	'delete 7 1,"quote""d" {"old": {"%s": "%", "c\"d": "q\"q", "e\\f": "\n\t\u0001", "日本 語": "値"}}'), 'quoted names with everything in them');
SELECT crm.track('"Odd, ""Table"" \ Ünïcode"', 'Cust''omer', columns => ARRAY['c"d']) IS NULL AS x \gset
SELECT is(relation || ': ' || kind, 'test_track."Odd, ""Table"" \ Ünïcode": Odd, "Table" \ Ünïcode', 'the reference is the qualified name, the kind the bare one') FROM crm.tracked;
SELECT is_empty($$SELECT * FROM crm.tracking_status() WHERE status <> 'ok'$$, 'its status is ok');
INSERT INTO "Odd, ""Table"" \ Ünïcode" VALUES (1, 7, 'x');
SELECT results_eq('SELECT reference FROM crm.interaction', 'SELECT relation FROM crm.tracked', 'and that is what is logged');
SELECT crm.untrack('test_track."Odd, ""Table"" \ Ünïcode"') IS NULL AS x \gset
SELECT ok(logged() IS NOT NULL, 'cleared');

-- values of every kind: each listed value in detail is what to_jsonb makes of it

CREATE DOMAIN amount AS numeric CHECK (VALUE >= 0);
CREATE DOMAIN label AS text;
CREATE DOMAIN label2 AS label;
CREATE TYPE mood AS ENUM ('sad', 'ok', 'happy');
CREATE TYPE pair AS (a int, b text);
CREATE TABLE kinds (id int PRIMARY KEY, customer int, b boolean, i2 smallint, i4 int, i8 bigint, f4 real, f8 double precision, n numeric, t text, v varchar(5), c char(3), na name,
	bin bytea, d date, ts timestamp, tz timestamptz, tm time, iv interval, u uuid, j json, jb jsonb, m mood, p pair, ai int[], at text[], ap pair[], am mood[], am2 amount, l label2, ld label[],
	r int4range, bits bit(3), ip inet, pt point, o oid, mn money);
CREATE FUNCTION all_kinds() RETURNS text[] LANGUAGE sql AS $$
	SELECT array_agg(attname::text ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'kinds'::regclass AND attnum > 2 AND NOT attisdropped $$;
CREATE TABLE kinds_given (LIKE kinds);
INSERT INTO kinds_given VALUES
	(1, 7, true, -32768, 2147483647, '-9223372036854775808', 1.5, 1e300, 12345678901234567890.123456789, 'text', 'var', 'ch', 'name',
		'\xdeadbeef', '2024-02-29', '2024-02-29 12:34:56.789', '2024-02-29 12:34:56.789+05', '12:34', '1 year 2 days 03:04', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11',
		'{"a": [1, {"b": null}], "a": 2}', '{"x": [], "y": {}, "z": [1, "2", [null]]}', 'happy', '(1,two)', '{1,NULL,3}', '{a,"b,c"}', ARRAY[(1,'x')::pair], '{sad,happy}', 1.50, 'labelled', '{l1,l2}',
		'[1,5)', '101', '10.0.0.1/8', '(1,2)', 42, 12.34);
INSERT INTO kinds_given VALUES
	(2, 7, false, 0, 0, 0, 'NaN', '-Infinity', 'NaN', '', '', '', '', '', 'infinity', '-infinity', 'infinity', '24:00', '0', '00000000-0000-0000-0000-000000000000',
		'null', '"scalar"', 'sad', '(,)', '{}', '{}', '{}', '{}', 0, '', '{}', 'empty', '000', '::1', '(NaN,Infinity)', 0, 0);
INSERT INTO kinds_given VALUES (3, 7);
INSERT INTO kinds_given VALUES
	(4, 7, NULL, NULL, NULL, NULL, '-0', '-0', '0.000', E'\u00e9\u65e5\U0001F600"\\\n', NULL, NULL, NULL, NULL, '4713-01-01 BC', '294276-12-31 23:59:59.999999', '4713-01-01 BC', NULL, NULL, NULL, 'true', '1e400');
SELECT crm.track('kinds', 'customer', columns => all_kinds()) IS NULL AS x \gset
INSERT INTO kinds SELECT * FROM kinds_given;
SELECT is((SELECT count(*) FROM crm.interaction), 4::bigint, 'rows with every kind of value are logged');
SELECT is_empty($$
	SELECT i.reference_key, e.key, e.value, w.value FROM crm.interaction i
	JOIN kinds_given g ON g.id::text = i.reference_key,
	jsonb_each(i.detail -> 'new') e JOIN LATERAL jsonb_each(to_jsonb(g)) w USING (key)
	WHERE e.value IS DISTINCT FROM CASE key WHEN 'j' THEN coalesce(to_jsonb(g.j::text), 'null') ELSE w.value END$$, 'each value is what to_jsonb() makes of it; json is its text');
SELECT is_empty($$SELECT reference_key FROM crm.interaction i WHERE (SELECT count(*) FROM jsonb_object_keys(i.detail -> 'new')) <> cardinality(all_kinds())$$, 'and each column is there');
CREATE TABLE seen AS SELECT reference_key, detail FROM crm.interaction;
DELETE FROM crm.interaction;
UPDATE kinds SET id = id;
UPDATE kinds k SET (b, t, n, j, jb, p, ai, bin) = (SELECT b, t, n, j, jb, p, ai, bin FROM kinds_given g WHERE g.id = k.id);
SELECT is(logged(), '', 'an update to equal values of any kind logs nothing');
SELECT crm.track('kinds', 'customer', columns => all_kinds(), level => 'row') IS NULL AS x \gset
DELETE FROM kinds;
SELECT is_empty($$SELECT reference_key FROM crm.interaction i FULL JOIN seen s USING (reference_key) WHERE i.detail -> 'old' IS DISTINCT FROM s.detail -> 'new'$$, 'the row trigger gives the same values');
SELECT crm.untrack('test_track.kinds') IS NULL AS x \gset
DELETE FROM crm.interaction;
SELECT is(played($$'kinds', 'customer', columns => '{j}'$$, $$
	INSERT INTO kinds (id, customer, j) VALUES (1, 7, '{"a": "\u0000"}'), (2, 8, '1e200000');
	UPDATE kinds SET j = '{}' WHERE id = 1;
	DO 'BEGIN IF (SELECT count(*) FROM crm.interaction) <> 3 THEN RAISE ''lost''; END IF; DELETE FROM crm.interaction; END'$$), '', 'json that no jsonb can hold does not stop the write');

-- toasted values

CREATE TABLE wide (id int PRIMARY KEY, customer int, body text, more text, n int);
ALTER TABLE wide ALTER body SET STORAGE EXTERNAL;
CREATE FUNCTION long(seed int, n int) RETURNS text LANGUAGE sql AS $$ SELECT substr(string_agg(md5(seed || '-' || i), ''), 1, n) FROM generate_series(1, n / 32 + 1) i $$;
CREATE FUNCTION checked() RETURNS text LANGUAGE sql AS $$
	WITH gone AS (DELETE FROM crm.interaction RETURNING *)
	SELECT string_agg(concat_ws(' ', action, md5(detail #>> '{old,body}') = md5(long(1, 1000000)), length(detail #>> '{old,body}'), length(detail #>> '{new,body}'), detail #>> '{new,n}'), E'\n' ORDER BY interaction_id) FROM gone $$;
SELECT crm.track('wide', 'customer', columns => '{body,n}') IS NULL AS x \gset
INSERT INTO wide VALUES (1, 7, long(1, 1000000), long(2, 100000), 1);
UPDATE wide SET more = long(3, 50000);
UPDATE wide SET n = 2;
UPDATE wide SET body = long(1, 999999) || substr(body, 1000000);
UPDATE wide SET body = long(1, 999999) || '!';
UPDATE wide SET body = 'short';
SELECT is(checked(), lines('insert 1000000 1', 'update t 1000000 1000000 2', 'update t 1000000 1000000 2', 'update f 1000000 5 2'), 'toasted values of a megabyte: unchanged ones are seen as such, changed ones are logged');
SELECT crm.track('wide', 'customer', columns => '{body,n}', level => 'row') IS NULL AS x \gset
UPDATE wide SET body = long(1, 1000000);
UPDATE wide SET more = 'y';
UPDATE wide SET n = 3;
SELECT is(checked(), lines('update f 5 1000000 2', 'update t 1000000 1000000 3'), 'the same at row level');
SELECT crm.track('wide', 'customer') IS NULL AS x \gset
UPDATE wide SET more = 'y';
UPDATE wide SET more = 'z';
SELECT is(logged(), 'update 7 1', 'without listed columns toasted ones are compared, too');
SELECT crm.untrack('test_track.wide') IS NULL AS x \gset

-- keys of rows

CREATE TABLE no_key (customer int, total int);
SELECT is(played($$'no_key', 'customer', columns => '{total}'$$, 'INSERT INTO no_key VALUES (7, 1), (7, 1); UPDATE no_key SET total = 2; DELETE FROM no_key'), lines(
	'insert 7 - {"new": {"total": 1}}', 'insert 7 - {"new": {"total": 1}}', 'update 7 - {"new": {"total": 2}, "old": {"total": 1}}', 'update 7 - {"new": {"total": 2}, "old": {"total": 1}}',
	'delete 7 - {"old": {"total": 2}}', 'delete 7 - {"old": {"total": 2}}'), 'a table without a primary key has no keys');
CREATE TABLE many_keys (c text, a text, customer int, b int, PRIMARY KEY (a, b, c));
SELECT is(played($$'many_keys', 'customer'$$, $$INSERT INTO many_keys VALUES ('c', 'a', 7, 1), ('c,c', 'a"a', 7, 2), ('', E'a\nb', 7, 3), ('c d', ' ', 7, -4)$$), lines(
	'insert 7 a,1,c', 'insert 7 "a""a",2,"c,c"', E'insert 7 "a\nb",3,', 'insert 7  ,-4,c d'), 'a key of several columns is in the order of the key, quoted as in CSV');
SELECT is(played($$'many_keys', 'customer', reference => 'c'$$, $$INSERT INTO many_keys VALUES ('c,"c', 'a', 7, 1), ('', 'a', 7, 2)$$), lines('insert 7 c,"c', 'insert 7 '), 'a reference of one column is its value as it is');
SELECT is(played($$'no_key', 'customer', reference => 'total'$$, 'INSERT INTO no_key VALUES (7, 1), (7, NULL)'), lines('insert 7 1', 'insert 7 -'), 'a reference that is NULL');
CREATE TABLE typed_keys (d date, t timestamptz, b bytea, f float8, i interval, u uuid, customer int, PRIMARY KEY (d, t, b, f, i, u));
SELECT is(played($$'typed_keys', 'customer'$$, $$
	INSERT INTO typed_keys VALUES ('2024-12-31', '2024-12-31 12:00+00', '\x00ff', 0.1, '1 day 02:00', 'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11', 7);
	SET LOCAL DateStyle = 'German'; SET LOCAL TimeZone = 'Asia/Kolkata'; SET LOCAL bytea_output = 'escape'; SET LOCAL extra_float_digits = -5; SET LOCAL IntervalStyle = 'iso_8601';
	UPDATE typed_keys SET customer = 8;
	DO 'BEGIN IF (SELECT count(DISTINCT reference_key) FROM crm.interaction) <> 1 THEN RAISE ''keys differ''; END IF; DELETE FROM crm.interaction; END'$$), '', 'a key is the same text whatever the session''s settings');

-- columns that are dropped, renamed or retyped after crm.track()

CREATE TABLE fading (id int PRIMARY KEY, customer int, total int, day timestamptz);
CREATE FUNCTION fails_or(tracking text, script text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	results text[] := '{}';
	level text;
	message text;
	hint text;
BEGIN
	FOREACH level IN ARRAY '{statement,row}'::text[] LOOP
		BEGIN
			DELETE FROM fading;
			INSERT INTO fading VALUES (1, 7, 1, '2024-01-01');
			EXECUTE format('SELECT crm.track(%s, level => %L)', tracking, level);
			EXECUTE script;
			RAISE EXCEPTION USING ERRCODE = 'TR000', MESSAGE = logged();
		EXCEPTION WHEN OTHERS THEN
			GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
			results := results || concat_ws(E'\n', nullif(SQLSTATE, 'TR000'), message, nullif(hint, ''));
		END;
	END LOOP;
	RETURN CASE WHEN results[1] = results[2] THEN results[1] ELSE format(E'at statement level:\n%s\nat row level:\n%s', VARIADIC results) END;
END $$;
\set again 'Run crm.track() again with the columns as they are now, or crm.untrack().'
SELECT is(fails_or($$'fading', 'customer', columns => '{total}'$$, 'ALTER TABLE fading DROP COLUMN total; UPDATE fading SET customer = 8'),
	lines('42703', 'tracked column "total" of test_track.fading does not exist any more', :'again'), 'a listed column that was dropped');
SELECT is(fails_or($$'fading', 'customer', columns => '{total}'$$, 'ALTER TABLE fading RENAME COLUMN total TO sum; DELETE FROM fading'),
	lines('42703', 'tracked column "total" of test_track.fading does not exist any more', :'again'), 'one that was renamed');
SELECT is(fails_or($$'fading', 'customer'$$, 'ALTER TABLE fading RENAME COLUMN customer TO buyer; INSERT INTO fading VALUES (2, 7)'),
	lines('42703', 'tracked column "customer" of test_track.fading does not exist any more', :'again'), 'the customer column');
SELECT is(fails_or($$'fading', 'customer', occurred_at => 'day'$$, 'ALTER TABLE fading DROP COLUMN day; INSERT INTO fading VALUES (2, 7)'),
	lines('42703', 'tracked column "day" of test_track.fading does not exist any more', :'again'), 'the column with the time');
SELECT is(fails_or($$'fading', 'customer'$$, 'ALTER TABLE fading RENAME COLUMN id TO number; INSERT INTO fading VALUES (2, 7)'),
	lines('42703', 'tracked column "id" of test_track.fading does not exist any more', :'again'), 'a column of the key');
SELECT is(fails_or($$'fading', 'customer', columns => '{total}'$$, $$ALTER TABLE fading ALTER total TYPE text, ALTER customer TYPE bigint; UPDATE fading SET total = total || '!'$$),
	'update 7 1 {"new": {"total": "1!"}, "old": {"total": "1"}}', 'columns of another type go on');
SELECT is(fails_or($$'fading', 'customer', columns => '{total}'$$, $$ALTER TABLE fading DROP COLUMN total; ALTER TABLE fading ADD COLUMN total date; UPDATE fading SET total = '2024-01-01'$$),
	'update 7 1 {"new": {"total": "2024-01-01"}, "old": {"total": null}}', 'a column that was dropped and added again goes on');
SELECT is(fails_or($$'fading', 'customer', columns => '{total}'$$, 'ALTER TABLE fading ALTER customer TYPE text; UPDATE fading SET total = 2'),
	lines('42804', 'tracked column "customer" of test_track.fading is of type text and holds no customer_id', 'Run crm.track() again with source => ''the name of its keys'', or crm.untrack().'),
	'a customer column that no longer holds numbers');
SELECT is(fails_or($$'fading', 'customer', columns => '{total}'$$, 'ALTER TABLE fading RENAME TO faded; UPDATE faded SET total = 2; ALTER TABLE faded SET SCHEMA public; UPDATE public.faded SET total = 3'),
	lines('update 7 1 {"new": {"total": 2}, "old": {"total": 1}}', 'update 7 1 {"new": {"total": 3}, "old": {"total": 2}}'), 'a table that is renamed or moved goes on under its old name');
SELECT crm.track('fading', 'customer', columns => '{total}') IS NULL AS x \gset
ALTER TABLE fading RENAME TO faded;
SELECT is(array_agg(format('%s %s', relation, status)), '{test_track.fading the table does not exist}'::text[], 'crm.tracking_status() tells that it is gone') FROM crm.tracking_status();
SELECT lives_ok($$SELECT crm.untrack('faded')$$, 'crm.untrack() by the new name');
SELECT is_empty('SELECT * FROM crm.tracked', 'forgets it');
SELECT is_empty($$SELECT tgname FROM pg_trigger WHERE tgrelid = 'faded'::regclass$$, 'takes the triggers off the renamed table');

SELECT crm.track('faded', 'customer') IS NULL AS x \gset
DROP TABLE faded;
SELECT is(array_agg(m), '{test_track.faded}'::text[], 'crm.untrack_missing() forgets tables that were dropped') FROM crm.untrack_missing() m;
SELECT is_empty('SELECT * FROM crm.tracked', 'and nothing is left of them');

SELECT * FROM finish();
ROLLBACK;
