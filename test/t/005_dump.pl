# Dump and restore keep what uses the extension; dropping it keeps the schema; a library of another version says so.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop');
my $folder = PostgreSQL::Test::Utils::tempdir();
my @connection = ('-h', $node->host, '-p', $node->port);
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN") for qw(installer reader);

# Whose database and whose extension: each dump must restore by whoever could have made it all.
my %installer = (super => undef, trusted => 'installer');
for my $database (sort keys %installer)
{
	my $role = $installer{$database};
	$node->safe_psql('postgres', "CREATE DATABASE $database" . ($role ? " OWNER $role" : ''));
	my ($out, $messages) = session($node, $database, 'CREATE EXTENSION crm; GRANT USAGE ON SCHEMA crm TO reader;', role => $role);
	is($messages, '', "$database: installed");
	orders($node, $database, 'orders', 500);
	$node->safe_psql($database, "ALTER TABLE orders OWNER TO $role") if $role;
	($out, $messages) = session($node, $database, q{
		SET timezone = 'Asia/Kolkata';
		CREATE TABLE kept AS SELECT customer_id, crm.summarize(ordered_at, amount) AS orders FROM orders WHERE customer_id IS NOT NULL GROUP BY customer_id;
		ALTER TABLE kept ADD PRIMARY KEY (customer_id);
		INSERT INTO kept VALUES (-1, NULL), (-2, (SELECT crm.summarize(NULL, NULL))), (-3, (SELECT crm.summarize('4713-01-01 BC', 0.1))),
			(-4, (SELECT crm.summarize('1883-11-18 12:00:00.000001', a) FROM unnest('{1e308,1e-308,-1e308,0.1}'::float8[]) a));
		CREATE INDEX kept_count ON kept (crm.order_count(orders));
		CREATE VIEW best AS SELECT * FROM crm.rfm('orders', as_of => '2026-01-01') WHERE score >= 444;
		CREATE FUNCTION crm.mine() RETURNS integer LANGUAGE sql AS 'SELECT 1';
		COMMENT ON SCHEMA crm IS 'our CRM';
		GRANT SELECT ON kept, best, orders TO reader;}, role => $role);
	is($messages, '', "$database: used");
}

# What a database with all of this must give, asked by that role.
my @questions = (
	'SELECT count(*), md5(string_agg(k::text, $$;$$ ORDER BY customer_id)) FROM kept k',
	'SELECT sum(crm.order_count(orders)), sum(crm.total_amount(orders)::numeric), min(crm.first_order_at(orders)), max(crm.last_order_at(orders)) FROM kept WHERE customer_id <> -4',
	'SELECT crm.first_order_at(orders), crm.total_amount(orders), crm.stddev_amount(orders) FROM kept WHERE customer_id = -4',
	"SELECT count(*), md5(string_agg(b::text, ';' ORDER BY customer_id)) FROM best b",
	'SELECT crm.mine()',
	q{SELECT obj_description('crm'::regnamespace)},
	q{SELECT extversion, extnamespace::regnamespace FROM pg_extension WHERE extname = 'crm'},
	q{SELECT nspowner::regrole, has_schema_privilege('reader', 'crm', 'USAGE') FROM pg_namespace WHERE nspname = 'crm'},
	q{SELECT count(*) FROM pg_depend WHERE deptype = 'e' AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'crm')},
	q{SELECT conname FROM pg_constraint WHERE conrelid = 'kept'::regclass AND contype = 'p'});
sub answers
{
	my ($database, $role) = @_;
	my ($out, $messages) = session($node, $database, join(";\n", 'SET client_min_messages = error', @questions, ''), role => $role);
	return $messages . $out;
}

sub restored
{
	my ($database, $role, $name, $make) = @_;
	my $copy = lc "${database}_" . ($name =~ s/\W+/_/gr);
	$node->safe_psql('postgres', "CREATE DATABASE $copy" . ($role ? " OWNER $role" : ''));
	$make->($copy);
	is(answers($copy, $role), answers($database, $role), "$database, $name: the copy is the original");
	return;
}

for my $database (sort keys %installer)
{
	my $role = $installer{$database};
	my @user = (@connection, $role ? ('-U', $role) : ());
	like(answers($database, $role), qr/\A\d+\|\w{32}\n.*\n1\n.*\|t\n/s, "$database: there is something to keep");
	for my $zone ('America/New_York', 'UTC')
	{
		local $ENV{PGTZ} = $zone;
		command_ok([ 'pg_dump', @user, '-f', "$folder/$database.sql", $database ], "$database: pg_dump");
		local $ENV{PGTZ} = 'Asia/Tokyo';
		restored($database, $role, "sql $zone", sub { command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @user, '-d', $_[0], '-f', "$folder/$database.sql" ], "$database: psql restores it") });
	}
	command_ok([ 'pg_dump', @user, '-Fc', '-f', "$folder/$database.dump", $database ], "$database: pg_dump -Fc");
	restored($database, $role, 'custom', sub { command_ok([ 'pg_restore', '--exit-on-error', @user, '-d', $_[0], "$folder/$database.dump" ], "$database: pg_restore") });
	restored($database, $role, 'parallel', sub { command_ok([ 'pg_restore', '--exit-on-error', '-j', '2', @user, '-d', $_[0], "$folder/$database.dump" ], "$database: pg_restore -j") });
	command_ok([ 'pg_dump', @user, '-Fd', '-j', '2', '-f', "$folder/$database", $database ], "$database: pg_dump -Fd -j");
	restored($database, $role, 'folder', sub { command_ok([ 'pg_restore', '--exit-on-error', @user, '-d', $_[0], "$folder/$database" ], "$database: pg_restore of it") });
}

# A superuser's nightly dump holds what a plain role has installed: into another database, and as a database of its own.
command_ok([ 'pg_dump', @connection, '-f', "$folder/nightly.sql", 'trusted' ], 'pg_dump by a superuser of what a role has installed');
$node->safe_psql('postgres', 'CREATE DATABASE nightly');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @connection, '-d', 'nightly', '-f', "$folder/nightly.sql" ], 'restored by a superuser into a database of the superuser');
is(answers('nightly'), answers('trusted'), 'nightly: the copy is the original');

$node->safe_psql('postgres', 'CREATE DATABASE granted');
$node->safe_psql('postgres', 'GRANT CREATE ON DATABASE granted TO installer');
is((session($node, 'granted', 'CREATE EXTENSION crm', role => 'installer'))[1], '', 'installed by a role that may create in the database');
command_ok([ 'pg_dump', @connection, '--create', '--clean', '--if-exists', '-f', "$folder/granted.sql", 'granted' ], 'pg_dump --create by a superuser');
command_ok([ 'psql', '-Xq', '-v', 'ON_ERROR_STOP=1', @connection, '-d', 'postgres', '-f', "$folder/granted.sql" ], 'restored by a superuser');
is($node->safe_psql('granted', q{SELECT count(*) FROM pg_extension WHERE extname = 'crm'}), '1', 'with the extension');

# COPY in its binary form.
my ($out, $messages) = session($node, 'super', qq{
	\\copy (SELECT * FROM kept) TO '$folder/kept.binary' (FORMAT binary)
	CREATE TABLE again (LIKE kept);
	\\copy again FROM '$folder/kept.binary' (FORMAT binary)
	SELECT count(*), count(*) FILTER (WHERE k.orders::text = a.orders::text) FROM kept k JOIN again a USING (customer_id);
	SELECT count(*) FROM kept});
like($messages . $out, qr/\A(\d+)\|(\d+)\n(\d+)\z/, 'COPY in binary form goes out and in');
my ($all, $same, $rows) = $out =~ /\d+/g;
is("$all $same", "$rows " . ($rows - 1), 'and every summary is the same (one is null)');

# DROP EXTENSION.
($out, $messages) = session($node, 'super', "\\set VERBOSITY verbose\nDROP EXTENSION crm;");
like($messages, qr/ERROR:  2BP01: cannot drop extension crm because other objects depend on it/, 'DROP EXTENSION refuses while something uses it');
like($messages, qr/column orders of table kept/, 'and names the column');
like($messages, qr/view best/, 'and the view');
is($node->safe_psql('super', q{SELECT count(*) FROM pg_depend WHERE classid = 'pg_namespace'::regclass AND deptype = 'e'}), '0', 'the schema is no member of the extension');
($out, $messages) = session($node, 'super', 'SET client_min_messages = error; DROP EXTENSION crm CASCADE;');
is($messages, '', 'with CASCADE it goes');
is($node->safe_psql('super', q{SELECT count(*) FROM kept}), $rows, 'a table that used it stays with its rows');
is($node->safe_psql('super', q{SELECT crm.mine()}), '1', 'the schema stays with what else is in it');
is($node->safe_psql('super', q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace}), '1', 'and nothing but that');
$node->safe_psql('super', 'CREATE EXTENSION crm');
is($node->safe_psql('super', q{SET client_min_messages = error; SELECT count(*) > 100 FROM crm.rfm('orders')}), 't', 'it can be installed again there');

# The library against the extension in the catalogue: a report refuses, and says what to do; then it works again.
($out, $messages) = session($node, 'super', q{
	\set VERBOSITY verbose
	SELECT extversion AS version FROM pg_extension WHERE extname = 'crm' \gset
	UPDATE pg_extension SET extversion = '0.0.1' WHERE extname = 'crm';
	SELECT count(*) FROM crm.rfm('orders', as_of => '2026-01-01');
	SELECT count(*) FROM crm.last_run();
	UPDATE pg_extension SET extversion = :'version' WHERE extname = 'crm';
	SET client_min_messages = error;
	SELECT count(*) > 100 FROM crm.rfm('orders', as_of => '2026-01-01')});
is(scalar(() = $messages =~ /ERROR:  55000: the crm library is of version \d+\.\d+\.\d+, the extension in this database of 0\.0\.1\nHINT:  Run ALTER EXTENSION crm UPDATE/g), 2,
	'a library of another version refuses, with the hint');
is($out, 't', 'and works when they agree again, in the same session');

no_trouble($node);
done_testing();
