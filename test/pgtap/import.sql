-- A list becomes customers: who is new, who is found, what is refused and why; twice the same; and against row by row.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL DateStyle = 'SQL, DMY';
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');
CREATE SCHEMA test_import;
SET LOCAL search_path = test_import, public;

INSERT INTO crm.customer (customer_id, name, birthday, merged_into) VALUES (1001, 'Old', NULL, NULL), (1002, NULL, '1970-01-01', NULL), (1003, 'merged', NULL, 1002), (1004, 'b', NULL, NULL);
INSERT INTO crm.contact_point (customer_id, kind, given, is_primary) VALUES (1001, 'mail', 'old@x.example', true), (1002, 'phone', '+49 30 99999', false), (1003, 'mail', 'merged@x.example', true), (1004, 'mail', 'OLD@x.example', true);
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('list', 'k', 1002), ('list', 'gone', 1003), ('other', 'new', 1001);
CREATE TABLE list (n int, external_id text, name text, kind text, mail text, phone text, birthday text, outcome text, customer text, reason text);
INSERT INTO list VALUES
	(1, 'new', E'  Anna \t B ', ' Person', 'A@x.example ', '+49 1 23456', '1980-02-29', 'new', 'a', NULL),
	(2, 'b', 'Bob', NULL, 'a@X.example', NULL, NULL, 'matched', 'a', 'same mail as row 1'),
	(3, 'new', 'again', NULL, NULL, NULL, NULL, 'rejected', NULL, 'same external_id as row 1'),
	(4, ' ', 'blank', NULL, NULL, NULL, NULL, 'rejected', NULL, 'external_id is empty'),
	(5, NULL, 'none', NULL, NULL, NULL, NULL, 'rejected', NULL, 'external_id is empty'),
	(6, 'c', 'bad', NULL, 'no mail', NULL, NULL, 'rejected', NULL, 'mail is no address'),
	(7, 'd', 'bad', NULL, NULL, 'call me', NULL, 'rejected', NULL, 'phone has no digits'),
	(8, 'e', 'bad', NULL, NULL, NULL, '1981-02-29', 'rejected', NULL, 'birthday is no day, written as 1980-12-31'),
	(9, 'f', 'bad', 'alien', NULL, NULL, NULL, 'rejected', NULL, 'kind is neither person nor organisation'),
	(10, 'g', 'Newer', NULL, 'OLD@x.example', '123', '1970-01-01', 'matched', '1001', 'mail'),
	(11, 'k', 'Known', 'ORGANISATION', 'k@x.example', NULL, '1999-01-01', 'matched', '1002', 'external_id'),
	(12, 'l', 'Ell', NULL, 'K@x.example', NULL, NULL, 'matched', '1002', 'same mail as row 11'),
	(13, 'm', 'Em', NULL, 'm@x.example', '+49 1 23456', NULL, 'matched', 'a', 'same phone as row 1'),
	(14, 'o', 'future', NULL, '', ' ', '2999-01-01', 'rejected', NULL, 'birthday is in the future'),
	(15, 'p', 'past', NULL, '', '', '1800-01-01', 'rejected', NULL, 'birthday is more than 130 years ago'),
	(16, 'q', '', 'organisation', '', '', '', 'new', 'q', NULL),
	(17, 'r', 'Ar', NULL, NULL, '+493099999', NULL, 'matched', '1002', 'phone'),
	(18, 's', 'Es', NULL, 'merged@x.example', '0', NULL, 'new', 's', NULL),
	(19, 't', 'Te', NULL, NULL, '0', NULL, 'new', 't', NULL),
	(20, 'gone', 'by key', NULL, NULL, NULL, '31.12.1980', 'rejected', NULL, 'birthday is no day, written as 1980-12-31'),
	(21, 'gone', 'by key', NULL, NULL, NULL, '1980-12-31T00:00:00', 'matched', '1002', 'external_id'),
	(22, 'u', 'chain', NULL, 'm@x.example', '+49 7 77777', NULL, 'matched', 'a', 'same mail as row 13'),
	(23, 'v', 'chain', NULL, 'v@x.example', '+49 (7) 77777', NULL, 'matched', 'a', 'same phone as row 22'),
	(24, 'w', '0000', NULL, NULL, NULL, '0000-01-01', 'rejected', NULL, 'birthday is no day, written as 1980-12-31'),
	(25, 'x', 'month', NULL, NULL, NULL, '1980-13-01', 'rejected', NULL, 'birthday is no day, written as 1980-12-31'),
	(26, 'y', 'word', NULL, NULL, NULL, 'infinity', 'rejected', NULL, 'birthday is no day, written as 1980-12-31');
CREATE VIEW given AS SELECT external_id, name, kind, mail, phone, birthday FROM list ORDER BY n;

-- Preview
CREATE TEMPORARY TABLE before AS SELECT (SELECT count(*) FROM crm.customer) AS customers, (SELECT count(*) FROM crm.customer_identity) AS keys, (SELECT count(*) FROM crm.contact_point) AS contacts;
SELECT results_eq($$SELECT row_number, external_id, customer_id, outcome, reason FROM crm.import_customers('SELECT * FROM given -- as it is', 'list', preview => true)$$,
	$$SELECT n::bigint, external_id, CASE WHEN customer ~ '^[0-9]' THEN customer::bigint END, outcome, reason FROM list ORDER BY n$$, 'a preview tells what would become of each row');
SELECT results_eq('SELECT (SELECT count(*) FROM crm.customer), (SELECT count(*) FROM crm.customer_identity), (SELECT count(*) FROM crm.contact_point)', 'TABLE before', 'and makes nothing');

-- The import
CREATE TEMPORARY TABLE imported AS SELECT * FROM crm.import_customers('TABLE given;', 'list');
SELECT results_eq('SELECT row_number, external_id, outcome, reason FROM imported ORDER BY 1', 'SELECT n::bigint, external_id, outcome, reason FROM list ORDER BY n', 'the import says the same');
SELECT is_empty('SELECT l.customer FROM list l JOIN imported i ON i.row_number = l.n GROUP BY l.customer HAVING count(DISTINCT i.customer_id) > 1', 'rows of one customer have one number');
SELECT is((SELECT count(DISTINCT customer_id) FROM imported), 6::bigint, 'those of different ones different numbers');
SELECT is((SELECT count(*) FROM crm.customer), (SELECT customers + 4 FROM before), 'as many customers as are new');
SELECT is_empty($$SELECT * FROM imported i WHERE outcome <> 'rejected' AND crm._survivor(crm.find_customer('list', i.external_id)) IS DISTINCT FROM i.customer_id$$, 'each key finds its customer');
SELECT is((SELECT count(*) FROM crm.customer_identity), (SELECT keys + 11 FROM before), 'and no other key is there');
SELECT results_eq($$SELECT i.external_id, c.name, c.kind, c.birthday FROM crm.customer c JOIN imported i USING (customer_id) WHERE i.outcome = 'new' ORDER BY 1$$, $$VALUES
	('new', 'Anna B', 'person', '1980-02-29'::date), ('q', NULL, 'organisation', NULL), ('s', 'Es', 'person', NULL), ('t', 'Te', 'person', NULL)$$, 'they are as the list says');
SELECT results_eq('SELECT customer_id, name, kind, birthday FROM crm.customer WHERE customer_id IN (1001, 1002) ORDER BY 1', $$VALUES (1001::bigint, 'Old', 'person', '1970-01-01'::date), (1002, 'Known', 'person', '1970-01-01')$$, 'who was there is completed, not changed');
SELECT results_eq($$SELECT p.kind, p.given, p.is_primary FROM crm.contact_point p JOIN imported i USING (customer_id) WHERE i.external_id = 'new' AND i.outcome = 'new' ORDER BY 1, 2$$, $$VALUES
	('mail', 'A@x.example ', true), ('mail', 'm@x.example', false), ('mail', 'v@x.example', false), ('phone', '+49 1 23456', true), ('phone', '+49 7 77777', false)$$, 'each contact once, the first of its kind is primary');
SELECT results_eq('SELECT kind, given, is_primary FROM crm.contact_point WHERE customer_id = 1001 ORDER BY 1', $$VALUES ('mail', 'old@x.example', true), ('phone', '123', true)$$, 'new ones are added to who was there');

-- Twice: all are there
CREATE TEMPORARY TABLE after AS SELECT md5(string_agg(t, '' ORDER BY t)) AS digest FROM (SELECT c::text FROM crm.customer c UNION ALL SELECT p::text FROM crm.contact_point p UNION ALL SELECT i::text FROM crm.customer_identity i) t (t);
SELECT set_eq($$SELECT row_number, customer_id, outcome, reason FROM crm.import_customers('TABLE given', 'list')$$, $$SELECT row_number, customer_id, CASE outcome WHEN 'new' THEN 'matched' ELSE outcome END, CASE outcome WHEN 'rejected' THEN reason ELSE 'external_id' END FROM imported$$,
	'a second time all are known by their keys');
CREATE TEMPORARY TABLE elsewhere AS SELECT * FROM crm.import_customers('TABLE given', 'elsewhere');
SELECT set_eq($$SELECT row_number FROM elsewhere WHERE outcome = 'new'$$, 'VALUES (16::bigint), (19), (21)', 'under the keys of another system only those without a good contact are new');
SELECT set_eq($$SELECT row_number, customer_id FROM elsewhere WHERE outcome = 'matched'$$, $$SELECT row_number, customer_id FROM imported WHERE outcome <> 'rejected' AND row_number NOT IN (16, 19, 21)$$, 'the others are who they were');
DELETE FROM crm.contact_point WHERE customer_id IN (SELECT customer_id FROM elsewhere WHERE outcome = 'new');
DELETE FROM crm.customer_identity WHERE source = 'elsewhere';
DELETE FROM crm.customer WHERE customer_id IN (SELECT customer_id FROM elsewhere WHERE outcome = 'new');
SELECT is((SELECT md5(string_agg(t, '' ORDER BY t)) FROM (SELECT c::text FROM crm.customer c UNION ALL SELECT p::text FROM crm.contact_point p UNION ALL SELECT i::text FROM crm.customer_identity i) t (t)),
	(SELECT digest FROM after), 'neither changes anything of them');

-- Columns by name, in any order and of any type; options
CREATE TABLE typed AS SELECT n AS external_id, date '1980-01-01' + n AS birthday, 'N' || n AS name FROM generate_series(1, 5) n;
SELECT results_eq($$SELECT i.row_number, c.birthday FROM crm.import_customers('SELECT birthday, external_id FROM typed ORDER BY external_id DESC', 'typed') i JOIN crm.customer c USING (customer_id) ORDER BY 1$$, $$SELECT 1::bigint, NULL::date WHERE false$$, 'the same statement does not see what it makes');
SELECT results_eq($$SELECT c.birthday FROM crm.customer_identity i JOIN crm.customer c USING (customer_id) WHERE source = 'typed' ORDER BY i.external_id$$, 'SELECT birthday FROM typed ORDER BY external_id', 'dates and numbers are as good as texts');
SELECT results_eq($$SELECT outcome, reason, customer_id FROM crm.import_customers('SELECT ''zz'' AS external_id', 'list', create_missing => false)$$, $$VALUES ('rejected', 'no such customer', NULL::bigint)$$, 'nobody is made when nobody is to be made');
SELECT results_eq($$SELECT outcome, reason FROM crm.import_customers('SELECT ''z1'' AS external_id, ''old@x.example'' AS mail', 'list', match_by => '{phone}')$$, $$VALUES ('new', NULL)$$, 'a mail that is not to be looked at');
SELECT is_empty($$SELECT * FROM crm.import_customers('SELECT 1 AS external_id WHERE false', 'list')$$, 'an empty list');
SELECT throws_ok($$SELECT crm.import_customers('SELECT 1 AS id', 'list')$$, '42703', 'the query has no column "external_id"', 'a list without keys');
SELECT throws_ok($$SELECT crm.import_customers('DELETE FROM list RETURNING external_id', 'list')$$, '42601', NULL, 'a query that is none');
SELECT throws_ok($$SELECT crm.import_customers('SELECT 1 AS external_id) q; DELETE FROM list; --', 'list')$$, '42601', NULL, 'two statements');
SELECT throws_ok($$SELECT crm.import_customers('SELECT crm.resolve_customer(''x'', ''y'') AS external_id', 'list')$$, '25006', NULL, 'a query that writes');
SELECT throws_ok($$SELECT crm.import_customers(NULL, 'list')$$, '22004', 'argument "query" must not be null', 'a query is needed');
SELECT throws_ok($$SELECT crm.import_customers('SELECT 1 AS external_id', '')$$, '22023', 'argument "source" must not be empty', 'and a source');
SELECT throws_ok($$SELECT crm.import_customers('SELECT 1 AS external_id', 'list', match_by => '{name}')$$, '22023', 'unrecognized value "name" of argument "match_by"', 'names are no key');

-- A large list against the same rows one at a time: the same customers.
CREATE TABLE large AS
SELECT n AS external_id, CASE WHEN n % 3 > 0 THEN 'm' || hashint4(n) % 500 || '@x.example' END AS mail, CASE WHEN n % 4 > 0 THEN '+48 ' || 100000 + hashint4(n + 7) % 900 END AS phone FROM generate_series(1, 1500) n;
TRUNCATE crm.customer CASCADE;
CREATE TEMPORARY TABLE at_once AS SELECT * FROM crm.import_customers('SELECT * FROM large ORDER BY external_id', 'large');
SELECT is((SELECT count(*) FROM crm.customer), (SELECT count(*) FROM at_once WHERE outcome = 'new'), 'a large list: as many customers as are new');
SELECT is_empty($$SELECT i.customer_id FROM at_once a JOIN large l ON l.external_id = a.row_number JOIN at_once i ON i.row_number < a.row_number JOIN large e ON e.external_id = i.row_number AND e.mail = l.mail WHERE i.customer_id <> a.customer_id$$, 'a mail address belongs to one customer');
SELECT is_empty($$SELECT * FROM at_once a JOIN large l ON l.external_id = a.row_number WHERE a.outcome = 'new' AND EXISTS (SELECT FROM large e WHERE e.external_id < l.external_id AND (e.mail = l.mail OR e.phone = l.phone))$$, 'whoever shares a contact with an earlier row is not new');
SELECT is_empty($$SELECT p.kind, p.normalised, p.customer_id FROM crm.contact_point p GROUP BY 1, 2, 3 HAVING count(*) > 1$$, 'no contact twice');
SELECT is((SELECT count(*) FROM crm.contact_point WHERE is_primary), (SELECT count(DISTINCT (customer_id, kind)) FROM crm.contact_point), 'one primary of each kind');

-- Nothing is found in a hostile search_path: whatever it shadows raises an error.
CREATE SCHEMA test_hostile;
CREATE FUNCTION test_hostile.to_jsonb(anyelement) RETURNS jsonb LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION test_hostile.regexp_replace(text, text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION test_hostile.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION test_hostile.trap(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE FUNCTION test_hostile.trap(bigint, bigint) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'trapped'; END $$;
CREATE OPERATOR test_hostile.= (FUNCTION = test_hostile.trap, LEFTARG = text, RIGHTARG = text);
CREATE OPERATOR test_hostile.= (FUNCTION = test_hostile.trap, LEFTARG = bigint, RIGHTARG = bigint);
CREATE AGGREGATE test_hostile.array_agg(bigint) (sfunc = int8pl, stype = bigint);
CREATE TABLE test_hostile.customer (customer_id int);
INSERT INTO crm.agent (agent_id, name) VALUES (1, 'a'), (2, 'b');
INSERT INTO crm.lead (lead_id, mail) VALUES (1, 'm1@x.example');
CREATE FUNCTION public.crm_try(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text := 'fine';
BEGIN
	PERFORM pg_catalog.set_config('search_path', 'test_hostile, pg_catalog', true);
	BEGIN
		EXECUTE statement;
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
	END;
	PERFORM pg_catalog.set_config('search_path', 'public', true);
	RETURN message;
END $$;
SELECT results_eq($$SELECT public.crm_try(s) FROM unnest(ARRAY['SELECT lower(''X''::text)', 'SELECT 1 WHERE ''a''::text = ''b''::text']) s$$, ARRAY['trapped', 'trapped'], 'the traps are set');
SELECT is(public.crm_try('SELECT crm.import_customers(''SELECT 7 AS external_id, pg_catalog.chr(65) AS name'', ''hostile'')'), 'fine', 'an import walks past');
SELECT is(public.crm_try('SELECT crm.transfer_ownership(1, 2, ''owner_id IS NOT NULL'', ''hostile'')'), 'fine', 'a transfer');
SELECT is(public.crm_try('SELECT crm.undo_transfer(1)'), 'fine', 'and its undoing');
SELECT is(public.crm_try('SELECT crm.convert_lead(1)'), 'fine', 'a conversion');
SELECT is(public.crm_try('SELECT crm.find_duplicates()'), 'fine', 'the search for duplicates');
SELECT is(public.crm_try('SELECT crm.merge_customers(customer_id, 5000) FROM crm.customer_identity WHERE source LIKE ''hostile'''), 'there is no customer 5000', 'a merge');
INSERT INTO crm.customer (customer_id) VALUES (5000);
SELECT is(public.crm_try('SELECT crm.merge_customers(customer_id, 5000) FROM crm.customer_identity WHERE source LIKE ''hostile'''), 'fine', 'one that finds both');
SELECT is(public.crm_try('SELECT crm.unmerge_customers(1)'), 'fine', 'and its undoing');

SELECT * FROM finish();
ROLLBACK;
