-- setup: the tables, who makes them, what happens the second time, and every error.
\set SHOW_CONTEXT never
SET client_min_messages = notice;

-- before
SELECT crm.migrate();
SELECT * FROM crm.maintain_partitions();
SELECT * FROM crm.resync_sequences();
SELECT crm.uninstall('drop all customer data');

-- made, then kept
SELECT * FROM crm.setup() WHERE table_name IN ('schema_version', 'customer', 'contact_point', 'interaction', 'source');
SELECT action, count(*) = cardinality(crm._relations()) AS all_of_them FROM crm.setup() GROUP BY action;
SELECT action, count(*) = cardinality(crm._relations()) AS all_of_them FROM crm.migrate() GROUP BY action;
SELECT version = (SELECT extversion FROM pg_extension WHERE extname = 'crm') AS is_current, installed_by = CURRENT_USER AS by_me
FROM crm.schema_version;

-- arguments
SELECT crm.setup(NULL);
SELECT crm.setup(true);
SELECT crm.maintain_partitions(NULL);
SELECT crm.maintain_partitions(-1);
SELECT crm.maintain_partitions(3, 1201);
SELECT crm.maintain_partitions();
SELECT crm.uninstall(NULL);
SELECT crm.uninstall('drop all customer data!');

-- the checks
INSERT INTO crm.customer (name, kind) VALUES ('Anna', 'person'), ('Muster AG', 'organisation')
RETURNING customer_id, name, kind, birthday, lifecycle, attributes, created_at = now() AS now;
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES
	(1, 'mail', E' Anna.Muster@Example.ORG\n'),
	(1, 'phone', '+41 (0)44 123-45-67'),
	(1, 'phone', '(+41) 44 123 45 67'),
	(1, 'phone', '044/123 45+67'),
	(1, 'social', ' @Anna '),
	(2, 'address', E'Bahnhofstrasse 1\n 8001   Baden ')
RETURNING customer_id, contact_point_id, kind, normalised, label, is_primary;
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action) VALUES (99, now(), 'call', 'log')
RETURNING customer_id, interaction_id > 0 AS has_a_number, recorded_at = now() AS now;
INSERT INTO crm.model (name, family, parameters) VALUES ('best', 'rfm', '{}') RETURNING name, family, parameters, trained_at = now() AS now, note;
\set VERBOSITY terse
INSERT INTO crm.customer (customer_id) VALUES (0);
INSERT INTO crm.customer (kind) VALUES ('robot');
INSERT INTO crm.customer (lifecycle) VALUES ('immortal');
INSERT INTO crm.customer (attributes) VALUES ('[]');
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (7, 'mail', 'x@example.org');
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (1, 'pigeon', 'roof');
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (1, 'phone', 'n/a');
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (1, 'mail', E' \t ');
INSERT INTO crm.contact_point (customer_id, kind, given, normalised) VALUES (1, 'mail', 'x@example.org', 'y');
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('', 'x', 1);
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('shop', '', 1);
INSERT INTO crm.customer_identity (source, external_id, customer_id) VALUES ('shop', 'x', 7);
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action, direction) VALUES (0, now(), 'call', 'log', 'up');
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action) VALUES (0, now(), 'call', 'guess');
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action) VALUES (NULL, now(), 'call', 'log');
INSERT INTO crm.tracked (relation, kind, events, level) VALUES ('public.t', 'order', '{insert}', 'cell');
INSERT INTO crm.tracked (relation, kind, events, level, unknown) VALUES ('public.t', 'order', '{insert}', 'row', 'guess');
INSERT INTO crm.tracked (relation, kind, events, level, direction) VALUES ('public.t', 'order', '{insert}', 'row', 'up');
INSERT INTO crm.source (name) VALUES ('empty');
INSERT INTO crm.source (name, orders) VALUES ('', 'x');
INSERT INTO crm.source (name, orders, is_default) VALUES ('a', 'x', true), ('b', 'x', true);
\set VERBOSITY default

-- a comment of the user's stays, a missing one comes back
COMMENT ON TABLE crm.customer IS 'our customers';
COMMENT ON COLUMN crm.customer.name IS 'as on the invoice';
COMMENT ON COLUMN crm.customer.kind IS NULL;
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
SELECT obj_description('crm.customer'::regclass) AS the_table, col_description('crm.customer'::regclass, 2) AS name,
	col_description('crm.customer'::regclass, 3) AS kind;

-- sequences after rows that came with their numbers, and never back
INSERT INTO crm.customer (customer_id) VALUES (1000);
SELECT setval('crm.contact_point_contact_point_id_seq', 5000);
SELECT * FROM crm.resync_sequences() WHERE relation IN ('crm.customer', 'crm.contact_point', 'crm.region');
SELECT * FROM crm.resync_sequences() WHERE relation IN ('crm.customer', 'crm.contact_point', 'crm.region');
INSERT INTO crm.customer DEFAULT VALUES RETURNING customer_id;
INSERT INTO crm.contact_point (customer_id, kind, given) VALUES (1, 'mail', 'z@example.org') RETURNING contact_point_id;
INSERT INTO crm.interaction (customer_id, occurred_at, interaction_id, kind, action) VALUES (1, now(), 123456, 'call', 'log');
SELECT relation, value FROM crm.resync_sequences() WHERE relation = 'crm.interaction';

-- what others built on the tables stops the uninstallation
CREATE TABLE crm_dependent (customer_id bigint REFERENCES crm.customer);
SELECT crm.uninstall('drop all customer data');
SELECT count(*) FROM crm.customer;
DROP TABLE crm_dependent;

-- uninstall leaves the extension and whatever else stands in its schema
CREATE TABLE crm.mine (x integer);
SELECT crm.uninstall(confirm => 'drop all customer data');
SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'p', 'v', 'S') ORDER BY 1;
DROP TABLE crm.mine;

-- partitions: the months are those of UTC, from the previous one to the third ahead
SET timezone = 'Asia/Kolkata'; -- IST, as Israel's
SET DateStyle = 'SQL, DMY';
SELECT table_name, action FROM crm.setup(partition_interactions => true) WHERE table_name = 'interaction';
SELECT count(*) > 0 AS is_set_up FROM crm.setup(true);
SELECT count(*) FROM crm.maintain_partitions();
CREATE VIEW crm_partition AS
SELECT i.inhrelid::regclass::text AS name, pg_get_expr(c.relpartbound, c.oid) AS bound
FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'crm.interaction'::regclass;
SET timezone = 'UTC';
SET DateStyle = 'ISO, YMD';
SELECT count(*), count(*) FILTER (WHERE name ~ '^crm\.interaction_y\d{4}m\d{2}$') AS months, count(*) FILTER (WHERE bound = 'DEFAULT') AS rest FROM crm_partition;
SELECT min(name) = 'crm.interaction_' || to_char(date_trunc('month', now()) - interval '1 month', '"y"YYYY"m"MM') AS first,
	max(name) = 'crm.interaction_' || to_char(date_trunc('month', now()) + interval '3 months', '"y"YYYY"m"MM') AS last,
	max(bound) = format('FOR VALUES FROM (%L) TO (%L)', date_trunc('month', now()) + interval '3 months', date_trunc('month', now()) + interval '4 months') AS bound
FROM crm_partition WHERE bound <> 'DEFAULT';

-- rows that fell into the default partition move, the too old and the endless stay
DROP VIEW crm.interaction_masked, crm.customer_360_masked, crm.customer_360;
ALTER TABLE crm.interaction ADD COLUMN extra text, ADD COLUMN twice text GENERATED ALWAYS AS (extra || extra) STORED, DROP COLUMN channel;
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action, extra)
SELECT n, date_trunc('month', now()) - make_interval(months => n, secs => 1), 'call', 'log', n::text FROM generate_series(0, 13) n;
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action) VALUES (98, 'infinity', 'call', 'log'), (99, '-infinity', 'call', 'log');
SELECT tableoid::regclass = 'crm.interaction_default'::regclass AS in_default, count(*) FROM crm.interaction GROUP BY 1 ORDER BY 1;
SELECT count(*), sum(moved) FROM crm.maintain_partitions(4, 6);
SELECT count(*), sum(moved) FROM crm.maintain_partitions(4, 6);
SELECT tableoid::regclass = 'crm.interaction_default'::regclass AS in_default, count(*), min(customer_id), max(customer_id), max(twice)
FROM crm.interaction GROUP BY 1 ORDER BY 1;
SELECT p.name FROM crm_partition p
WHERE obj_description(p.name::regclass) IS NULL OR EXISTS (SELECT FROM pg_attribute a
	WHERE a.attrelid = p.name::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname NOT IN ('extra', 'twice')
		AND col_description(a.attrelid, a.attnum) IS NULL);

-- a partition of the user's own, and a table that merely has the name
DO $$
BEGIN
	EXECUTE format('CREATE TABLE crm.interaction_later PARTITION OF crm.interaction FOR VALUES FROM (%L) TO (%L)',
		date_trunc('month', now()) + interval '5 months', date_trunc('month', now()) + interval '6 months');
	EXECUTE format('CREATE TABLE crm.interaction_%s (x integer)', to_char(date_trunc('month', now()) + interval '6 months', '"y"YYYY"m"MM'));
END
$$;
\set VERBOSITY sqlstate
SELECT count(*) FROM crm.maintain_partitions(7);
\set VERBOSITY default
SELECT count(*) FROM crm_partition;
DROP VIEW crm_partition;
SELECT crm.uninstall('drop all customer data');
SELECT relname ~ '^interaction_y' AS stays FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'p', 'v', 'S');
DO $$ BEGIN EXECUTE 'DROP TABLE crm.interaction_' || to_char(date_trunc('month', now()) + interval '6 months', '"y"YYYY"m"MM'); END $$;

-- a log without partitions becomes one with: rename, set up, copy
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
INSERT INTO crm.interaction (customer_id, occurred_at, kind, action) SELECT n, now(), 'call', 'log' FROM generate_series(1, 10) n;
SELECT crm.setup(true);
ALTER TABLE crm.interaction RENAME TO interaction_before;
SELECT table_name FROM crm.setup(true) WHERE action = 'created';
INSERT INTO crm.interaction SELECT * FROM crm.interaction_before;
DROP TABLE crm.interaction_before;
SELECT relation, value FROM crm.resync_sequences() WHERE relation = 'crm.interaction';
SELECT count(*) FROM crm.interaction;
SELECT crm.uninstall('drop all customer data');

-- a failure leaves nothing
CREATE TABLE crm.customer (customer_id bigint);
\set VERBOSITY sqlstate
SELECT crm.setup();
\set VERBOSITY default
SELECT relname FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'p', 'v', 'S');
DROP TABLE crm.customer;

-- another version is recorded when the tables come to it
SELECT count(*) > 0 AS is_set_up FROM crm.setup();
UPDATE crm.schema_version SET version = '0.9';
SELECT count(*) > 0 AS is_set_up FROM crm.migrate();
SELECT version = (SELECT extversion FROM pg_extension WHERE extname = 'crm') AS is_current FROM crm.schema_version ORDER BY installed_at;
SELECT crm.uninstall('drop all customer data');
