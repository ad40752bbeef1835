# Who may install the extension, who may call it over what, and that a caller's search_path leads nobody astray.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop');
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN") for qw(installer mallory alice bob);

# One attempt of a role to run a statement: gives its SQLSTATE and the whole message.
sub attempt
{
	my ($database, $role, $statement) = @_;
	my ($out, $messages) = session($node, $database, "\\set VERBOSITY verbose\n$statement;\n\\echo :SQLSTATE", role => $role);
	return ((split /\n/, $out)[-1], $messages);
}

# Each way to install, in a database of its own: what happens before, who installs, and what comes of it.
my @installations = (
	[ 'a role that may create in the database', 'GRANT CREATE ON DATABASE %s TO installer', 'installer', '00000' ],
	[ 'the owner of the database', 'ALTER DATABASE %s OWNER TO installer', 'installer', '00000' ],
	[ 'a superuser', '', undef, '00000' ],
	[ 'a role into a schema of its own', 'CREATE SCHEMA crm AUTHORIZATION installer; GRANT CREATE ON DATABASE %s TO installer', 'installer', '00000' ],
	[ 'a superuser into a schema of the owner of the database', 'ALTER DATABASE %s OWNER TO bob; CREATE SCHEMA crm AUTHORIZATION bob', undef, '00000' ],
	[ 'a role that may only connect', '', 'alice', '42501', qr/permission denied (?:for database|to create extension)/ ],
	[ 'a role into a schema of another', 'CREATE SCHEMA crm AUTHORIZATION mallory; GRANT CREATE ON DATABASE %s TO installer', 'installer', '42501',
		qr/schema crm belongs to another role\nDETAIL:  Its owner is mallory\.\nHINT:  / ],
	[ 'a superuser into a schema of another', 'CREATE SCHEMA crm AUTHORIZATION mallory', undef, '42501',
		qr/schema crm belongs to another role\nDETAIL:  Its owner is mallory\.\nHINT:  / ],
	[ 'a schema where everybody may create', 'CREATE SCHEMA crm AUTHORIZATION installer; GRANT CREATE ON SCHEMA crm TO PUBLIC; GRANT CREATE ON DATABASE %s TO installer',
		'installer', '42501', qr/others may create objects in schema crm\nDETAIL:  CREATE is granted to PUBLIC\.\nHINT:  / ],
	[ 'a schema where somebody else may create', 'CREATE SCHEMA crm; GRANT ALL ON SCHEMA crm TO mallory, bob', undef, '42501',
		qr/others may create objects in schema crm\nDETAIL:  CREATE is granted to bob, mallory\.\nHINT:  / ]);
my $number = 0;
for my $installation (@installations)
{
	my ($name, $before, $role, $state, $message) = @$installation;
	my $database = 'install' . ++$number;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, sprintf $before, $database) if $before;
	my ($got, $messages) = attempt($database, $role, 'CREATE EXTENSION crm');
	is($got, $state, "installed by $name: $state");
	like($messages, $message, "installed by $name: the message") if $message;
	is($node->safe_psql($database, q{SELECT count(*) FROM pg_extension WHERE extname = 'crm'}), $state eq '00000' ? 1 : 0, "installed by $name: as the state says");
}

# The members belong to the superuser, so the installer cannot change what others then call.
is($node->safe_psql('install1', q{SELECT DISTINCT rolsuper FROM pg_depend d JOIN pg_proc p ON p.oid = d.objid JOIN pg_roles r ON r.oid = p.proowner
	WHERE d.classid = 'pg_proc'::regclass AND d.deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm')}), 't', 'the functions belong to a superuser');
is((attempt('install1', 'installer', q{ALTER FUNCTION crm.last_run() RENAME TO other}))[0], '42501', 'the installer cannot alter them');

# Callers.
$node->safe_psql('install1', q{
	GRANT CREATE ON SCHEMA public TO alice, bob;
	SET ROLE alice;
	CREATE TABLE alice_orders AS SELECT 1 + i % 7 AS customer_id, '2025-01-01'::timestamptz + i * interval '1 day' AS ordered_at, i AS amount FROM generate_series(1, 100) i;
	SET ROLE bob;
	CREATE TABLE bob_orders AS SELECT * FROM generate_series(1, 4) customer_id, LATERAL (SELECT '2025-01-01'::timestamptz AS ordered_at, 5 AS amount) o;
	CREATE TABLE shared AS SELECT i % 10 AS customer_id, now() - i * interval '1 hour' AS ordered_at, i AS amount, CASE WHEN i % 10 < 3 THEN 'alice' ELSE 'bob' END AS owner FROM generate_series(1, 1000) i;
	ALTER TABLE shared ENABLE ROW LEVEL SECURITY;
	CREATE POLICY own ON shared USING (owner = current_user);
	GRANT SELECT ON shared TO alice;
	CREATE VIEW window_of_bob AS SELECT customer_id, ordered_at, amount FROM bob_orders;
	GRANT SELECT ON window_of_bob TO alice});
my $call = q{SELECT count(*) FROM crm.rfm(%s)};
like((attempt('install1', 'alice', sprintf $call, q{'alice_orders'}))[1], qr/42501: permission denied for schema crm/, 'without USAGE on schema crm there is no call');
$node->safe_psql('install1', 'GRANT USAGE ON SCHEMA crm TO alice, bob');
for my $function ('crm.rfm', 'crm.rfm_segments', 'crm.rfm_thresholds')
{
	my ($state, $messages) = attempt('install1', 'alice', "SELECT count(*) FROM $function('alice_orders')");
	is($state, '00000', "$function: a role with USAGE calls it over its own table");
	($state, $messages) = attempt('install1', 'alice', "SELECT count(*) FROM $function('bob_orders')");
	like($messages, qr/42501: permission denied for table bob_orders/, "$function: not over a table of another");
	($state, $messages) = attempt('install1', 'alice', "SELECT count(*) FROM $function('SELECT customer_id, ordered_at, amount FROM alice_orders', segments => 'bob_orders')");
	like($messages, qr/42501: permission denied for table bob_orders|42703/, "$function: nor with rules from one");
}
my ($out) = session($node, 'install1', q{SELECT count(*) FROM crm.rfm('window_of_bob')}, role => 'alice');
is($out, '4', 'a view that its owner shares');

# Row-level security: each sees the own customers, by both roads, in serial and parallel plans; the owner and superusers all.
my %sees = (alice => 3, bob => 10);
for my $role (sort keys %sees)
{
	for my $settings ("SET crm.road = 'hash'", "SET crm.road = 'group'",
		'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET max_parallel_workers_per_gather = 2')
	{
		($out) = session($node, 'install1', "$settings; SELECT count(*) FROM crm.rfm('shared')", role => $role);
		is($out, $sees{$role}, "$role sees $sees{$role} customers of a table with row-level security ($settings)");
	}
}
is((session($node, 'install1', q{SET ROLE alice; SELECT count(*) FROM crm.rfm('shared')}))[0], '3', 'SET ROLE counts, not who logged in');

# A source cannot write, nor bring its own privileges.
like((attempt('install1', 'alice', q{SELECT count(*) FROM crm.rfm('WITH d AS (DELETE FROM alice_orders RETURNING *) SELECT * FROM d')}))[1],
	qr/ERROR: /, 'a source that deletes is refused');
is((session($node, 'install1', q{SELECT count(*) FROM alice_orders}, role => 'alice'))[0], '100', 'and has deleted nothing');
is((attempt('install1', 'alice', q{SELECT crm._collect(1, now(), 1, NULL)}))[0], '22004', 'the private aggregate refuses options that only crm makes');
is((attempt('install1', 'alice', q{SELECT crm._collect(1, now(), 1, '{1,2}')}))[0], '22023', 'and others');

# A search_path with traps before pg_catalog: whatever of them is called raises an error, or gives what is wrong.
orders($node, 'install1', 'orders', 2_000);
$node->safe_psql('install1', q{
	GRANT SELECT ON orders TO alice;
	CREATE SCHEMA evil;
	GRANT USAGE ON SCHEMA evil TO PUBLIC;
	CREATE FUNCTION evil.trap(text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the trap % was called', $1; END $$;
	CREATE FUNCTION evil.isfinite(timestamptz) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.trap('isfinite') $$;
	CREATE FUNCTION evil.count_state(bigint) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint WHERE evil.trap('count') $$;
	CREATE AGGREGATE evil.count(*) (SFUNC = evil.count_state, STYPE = bigint, INITCOND = '0');
	CREATE FUNCTION evil.count_state(bigint, integer) RETURNS bigint LANGUAGE sql AS $$ SELECT 0::bigint WHERE evil.trap('count') $$;
	CREATE AGGREGATE evil.count(integer) (SFUNC = evil.count_state, STYPE = bigint, INITCOND = '0');
	CREATE FUNCTION evil.summarize(timestamptz, float8) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.trap('summarize') $$;
	CREATE FUNCTION evil.rfm(text) RETURNS boolean LANGUAGE sql AS $$ SELECT evil.trap('rfm') $$;
	CREATE DOMAIN evil.timestamptz AS text CHECK (evil.trap('timestamptz'));
	CREATE DOMAIN evil.float8 AS text CHECK (evil.trap('float8'));
	CREATE DOMAIN evil.int8 AS text CHECK (evil.trap('int8'));
	CREATE DOMAIN evil.int4 AS text CHECK (evil.trap('int4'));
	CREATE DOMAIN evil.text AS pg_catalog.text CHECK (evil.trap('text'));
	CREATE DOMAIN evil.uuid AS pg_catalog.text CHECK (evil.trap('uuid'));
	CREATE TABLE evil.pg_dist_partition (logicalrelid regclass);
	CREATE TABLE evil.source (name pg_catalog.text);
	DO $$
	DECLARE
		type pg_catalog.text;
		operator pg_catalog.text;
	BEGIN
		FOREACH type IN ARRAY '{pg_catalog.timestamptz,pg_catalog.float8,pg_catalog.int8,pg_catalog.int4,pg_catalog.text,pg_catalog.uuid,boolean}'::pg_catalog.text[] LOOP
			EXECUTE format('CREATE FUNCTION evil.compare(%1$s, %1$s) RETURNS boolean LANGUAGE sql AS $f$ SELECT evil.trap(''operator'') $f$', type);
			FOREACH operator IN ARRAY '{=,<>,<,<=,>,>=}'::pg_catalog.text[] LOOP
				EXECUTE format('CREATE OPERATOR evil.%1$s (LEFTARG = %2$s, RIGHTARG = %2$s, FUNCTION = evil.compare)', operator, type);
			END LOOP;
		END LOOP;
	END $$;
	CREATE TABLE rules AS SELECT * FROM crm.rfm_rules();
	GRANT SELECT ON rules TO alice});
like((session($node, 'install1', q{SET search_path = evil, pg_catalog, public; SELECT 1.5::pg_catalog.float8 < 2::pg_catalog.float8}, role => 'alice'))[1],
	qr/the trap operator was called/, 'the traps do spring');

my $uuid = q{SELECT pg_catalog.md5(customer_id::pg_catalog.text)::pg_catalog.uuid AS customer_id, ordered_at, amount FROM public.orders};
my %report = (
	'rfm' => q{SELECT * FROM crm.rfm('public.orders', as_of => '2026-01-01')},
	'rfm by name' => q{SELECT * FROM crm.rfm('orders', as_of => '2026-01-01')},
	'rfm with a period' => q{SELECT * FROM crm.rfm('orders', as_of => '2026-01-01', period => '1 day', refunds => 'drop')},
	'rfm with rules' => q{SELECT * FROM crm.rfm('orders', as_of => '2026-01-01', method => 'ntile', segments => 'rules')},
	'rfm with uuid keys' => qq{SELECT * FROM crm.rfm(NULL::pg_catalog.uuid, source => '$uuid', as_of => '2026-01-01')},
	'rfm with cast keys' => qq{SELECT * FROM crm.rfm(NULL::pg_catalog.text, source => 'SELECT customer_id::pg_catalog.varchar, ordered_at, amount FROM orders', as_of => '2026-01-01')},
	'rfm_segments' => q{SELECT s.*, s.segment AS customer_id FROM crm.rfm_segments('orders', as_of => '2026-01-01') s},
	'rfm_thresholds' => q{SELECT s.*, pg_catalog.concat(s.dimension, s.score) AS customer_id FROM crm.rfm_thresholds('orders', as_of => '2026-01-01') s});
for my $name (sort keys %report)
{
	my @lines;
	for my $path ('public', 'evil, pg_catalog, public', 'evil, public', 'pg_temp, evil, pg_catalog, public')
	{
		for my $road ('hash', 'group')
		{
			my ($line, $messages) = session($node, 'install1', "SET client_min_messages = error; SET crm.road = '$road'; SET search_path = $path;\n"
				. "CREATE TEMP TABLE result AS $report{$name}; RESET search_path;\n" . fingerprint('SELECT * FROM result'), role => 'alice');
			is($messages, '', "$name, $road road, search_path = $path: no trap is called");
			push @lines, $line;
		}
	}
	like($lines[0], qr/^[1-9]\d* \w{32}$/, "$name: a result: $lines[0]");
	is(scalar(grep { $_ ne $lines[0] } @lines), 0, "$name: the same under each search_path and by both roads");
}

no_trouble($node);
done_testing();
