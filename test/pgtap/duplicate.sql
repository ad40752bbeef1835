-- Duplicates: the signs, the score, with and without pg_trgm, against a comparison of everybody with everybody, and its bounds.
BEGIN;
SET LOCAL client_min_messages = error;
SELECT * FROM no_plan();
SELECT lives_ok('SELECT crm.setup()', 'the CRM is set up');

INSERT INTO crm.customer (customer_id, name, birthday, merged_into) VALUES
	(1, 'Anna Schmidt', NULL, NULL), (2, 'SCHMIDT, anna', NULL, NULL), (3, 'Anna Schmitt', NULL, NULL),
	(4, NULL, '1980-01-01', NULL), (5, NULL, '1980-01-01', NULL), (6, NULL, '1981-01-01', NULL),
	(7, 'Xaver', NULL, NULL), (8, 'Yvonne', NULL, NULL), (9, 'Anna Schmidt', NULL, 1), (10, '...', NULL, NULL), (11, '---', NULL, NULL),
	(12, 'Zoe Q', '1999-01-01', NULL), (13, 'Zoe Q', '1999-01-02', NULL);
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES
	(4, 'mail', 'a@x.example'), (5, 'mail', 'A@X.example'), (6, 'mail', 'a@x.example '),
	(7, 'phone', '+49 30 12345'), (8, 'phone', '+49 (30) 12345'), (7, 'phone', '0'), (1, 'phone', '0'), (7, 'mail', 'b@x.example'), (8, 'mail', 'b@x.example'),
	(9, 'mail', 'c@x.example'), (3, 'mail', 'c@x.example'), (1, 'address', 'a street'), (8, 'address', 'a street');

-- Without pg_trgm names are compared as a whole: the same words, in whatever order
SELECT results_eq('SELECT * FROM crm.find_duplicates(0)', $$VALUES
	(7::bigint, 8::bigint, 0.98::real, '{mail,phone}'::text[]), (4, 5, 0.95, '{mail,birthday}'), (1, 2, 0.8, '{name 1.00}'), (4, 6, 0.45, '{mail,other birthday}'), (5, 6, 0.45, '{mail,other birthday}'), (12, 13, 0.4, '{name 1.00,other birthday}')$$,
	'mail, phone, name and birthday');
SELECT is((SELECT count(*) FROM crm.find_duplicates()), 3::bigint, 'from 0.6 on');
SELECT is((SELECT count(*) FROM crm.find_duplicates(0.95)), 2::bigint, 'a threshold is met, too');
SELECT results_eq('SELECT customer_id, duplicate_id FROM crm.find_duplicates(0, customer => 5)', 'VALUES (4::bigint, 5::bigint), (5, 6)', 'of one customer');
SELECT results_eq('SELECT customer_id, duplicate_id FROM crm.find_duplicates(0, 1)', 'VALUES (7::bigint, 8::bigint)', 'the likeliest first');
SELECT is_empty('SELECT * FROM crm.find_duplicates(0, max_block => 2) WHERE ''mail'' = ANY (reasons) AND customer_id < 7', 'what more customers share than max_block is no sign');
SELECT is_empty('SELECT * FROM crm.find_duplicates(0, customer => 3)', 'a merged customer is left out');
SELECT is_empty('SELECT * FROM crm.find_duplicates(0) d, crm.contact_point p, unnest(d.reasons) r WHERE position(p.given IN r) > 0 AND length(p.given) > 1', 'no contact is told');

-- With pg_trgm, in whatever schema
SELECT count(*) > 0 AS trgm FROM pg_available_extensions WHERE name = 'pg_trgm' \gset
\if :trgm
CREATE SCHEMA test_trgm;
CREATE EXTENSION pg_trgm SCHEMA test_trgm;
SELECT is((SELECT count(*) FROM crm.find_duplicates(0) WHERE reasons && '{name 1.00}' AND score = 0.8::real), 1::bigint, 'the same words are the same name');
SELECT results_eq('SELECT customer_id, duplicate_id, score, reasons FROM crm.find_duplicates(0.5, customer => 3)',
	$$SELECT c::bigint, 3::bigint, round(0.8 * test_trgm.similarity('Anna Schmidt', 'Anna Schmitt')::numeric, 4)::real, ARRAY['name ' || round(test_trgm.similarity('Anna Schmidt', 'Anna Schmitt')::numeric, 2)] FROM generate_series(1, 2) c$$, 'similar names');

-- Thousands of customers with names that repeat, contacts that are shared, letters that are wrong: of a name and its misspelling
-- each one is found, as by comparing everybody with everybody; all contacts are.
DELETE FROM crm.contact_point;
DELETE FROM crm.customer WHERE customer_id = 9;
DELETE FROM crm.customer;
INSERT INTO crm.customer (customer_id, name)
SELECT n, initcap(md5('f' || n % 61)) || ' ' || initcap(translate(left(md5('l' || n), 7), '0123456789', 'ghijklmnop')) FROM generate_series(1, 3000) n;
UPDATE crm.customer SET name = initcap(translate(left(md5('f' || customer_id % 61), 5), '0123456789', 'ghijklmnop')) || ' ' || split_part(name, ' ', 2);
INSERT INTO crm.customer (customer_id, name) -- one letter of each tenth is wrong, somewhere
SELECT 10000 + customer_id, overlay(name PLACING 'z' FROM 1 + (customer_id / 10)::int % length(name) FOR 1) FROM crm.customer WHERE customer_id % 10 = 0;
INSERT INTO crm.contact_point (customer_id, kind, given) SELECT customer_id, 'mail', 'm' || customer_id % 2900 || '@x.example' FROM crm.customer WHERE customer_id <= 3000;
INSERT INTO crm.contact_point (customer_id, kind, given) SELECT customer_id, 'phone', '+49 30 ' || 10000 + customer_id % 2950 FROM crm.customer WHERE customer_id <= 3000;
CREATE TEMPORARY TABLE found AS SELECT * FROM crm.find_duplicates(0.5, 1000000);
SELECT is((SELECT count(*) FROM found WHERE 'mail' = ANY (reasons)), 100::bigint, 'all pairs with one mail');
SELECT is((SELECT count(*) FROM found WHERE 'phone' = ANY (reasons)), 50::bigint, 'all pairs with one phone');
CREATE TEMPORARY TABLE compared AS
SELECT a.customer_id, b.customer_id AS duplicate_id, test_trgm.similarity(a.name, b.name) AS similarity
FROM crm.customer a JOIN crm.customer b ON b.customer_id > a.customer_id AND abs(length(a.name) - length(b.name)) < 9 AND test_trgm.similarity(a.name, b.name) >= 0.625;
SELECT is_empty('SELECT f.customer_id, f.duplicate_id FROM found f WHERE score >= 0.5 AND cardinality(reasons) = 1 AND reasons[1] ~ ''name'' EXCEPT SELECT customer_id, duplicate_id FROM compared', 'no similar names but those that are');
SELECT is((SELECT count(*) FROM compared c JOIN crm.customer d ON d.customer_id = c.duplicate_id WHERE d.customer_id = 10000 + c.customer_id AND d.name ~ ' ' AND NOT EXISTS (SELECT FROM found f WHERE f.customer_id = c.customer_id AND f.duplicate_id = c.duplicate_id)), 0::bigint, 'every misspelling that is similar enough is found, but for one that joins the words');
SELECT cmp_ok((SELECT count(*) FROM compared c WHERE c.duplicate_id = 10000 + c.customer_id), '>', 200::bigint, 'hundreds of them');
SELECT set_eq('SELECT customer_id, duplicate_id, score FROM crm.find_duplicates(0.5, customer => 10)', 'SELECT customer_id, duplicate_id, score FROM found WHERE 10 IN (customer_id, duplicate_id)', 'of one customer the same');
SELECT set_eq('SELECT * FROM crm.find_duplicates(0.5, 1000000)', 'TABLE found', 'the same again');
SELECT is_empty('SELECT * FROM found WHERE customer_id >= duplicate_id OR score NOT BETWEEN 0.5 AND 1', 'each pair once');
\endif

SELECT throws_ok('SELECT crm.find_duplicates(1.5)', '22023', 'argument "threshold" must be between 0 and 1', 'a threshold is a share');
SELECT throws_ok($$SELECT crm.find_duplicates('NaN')$$, '22023', 'argument "threshold" must be between 0 and 1', 'not NaN');
SELECT throws_ok('SELECT crm.find_duplicates(NULL)', '22004', 'argument "threshold" must not be null', 'not null');
SELECT throws_ok('SELECT crm.find_duplicates(max_pairs => 0)', '22023', 'argument "max_pairs" must be at least 1', 'at least one pair');
SELECT throws_ok('SELECT crm.find_duplicates(max_block => 1)', '22023', 'argument "max_block" must be at least 2', 'at least two to compare');
SELECT throws_ok('SELECT crm.find_duplicates(customer => 99999)', '42704', 'there is no customer 99999, or it was merged into another one', 'of somebody');
TRUNCATE crm.customer CASCADE;
SELECT is_empty('SELECT * FROM crm.find_duplicates()', 'of nobody there are none');

SELECT * FROM finish();
ROLLBACK;
