# Row security and grants in the hands of an owner who is no superuser: they survive dumps, a change of owner, and DROP EXTENSION.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('access');
my $folder = PostgreSQL::Test::Utils::tempdir();
my @connection = ('-h', $node->host, '-p', $node->port);
my @roles = qw(installer successor agent manager reader masked);
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN") for @roles;

# Give all that decides about access: policies, row security, privileges of the roles, triggers.
sub access
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT 'policy', p.polrelid::regclass, p.polname, p.polcmd, pg_get_expr(p.polqual, p.polrelid), ARRAY(SELECT CASE r WHEN 0 THEN 'PUBLIC' ELSE r::regrole::text END FROM unnest(p.polroles) r ORDER BY 1)
			FROM pg_policy p ORDER BY 1, 2, 3;
		SELECT 'forced', oid::regclass FROM pg_class WHERE relrowsecurity AND relforcerowsecurity ORDER BY 2;
		SELECT 'relation', c.oid::regclass, a.grantee::regrole, string_agg(a.privilege_type, ' ' ORDER BY a.privilege_type) FROM pg_class c, aclexplode(c.relacl) a WHERE c.relnamespace = 'crm'::regnamespace AND a.grantee <> c.relowner GROUP BY 1, 2, 3 ORDER BY 2, 3;
		SELECT 'column', t.attrelid::regclass, t.attname, a.grantee::regrole, a.privilege_type FROM pg_attribute t, aclexplode(t.attacl) a ORDER BY 2, 3, 4, 5;
		SELECT 'function', p.oid::regprocedure, a.grantee::regrole FROM pg_proc p, aclexplode(p.proacl) a WHERE p.pronamespace = 'crm'::regnamespace AND a.grantee IN (SELECT oid FROM pg_roles WHERE rolname IN ('agent', 'manager', 'reader', 'masked')) ORDER BY 2, 3;
		SELECT 'trigger', pg_get_triggerdef(oid) FROM pg_trigger WHERE tgname ~ '^crm_(own|visible)' ORDER BY 2;
		SELECT 'view', oid::regclass, reloptions, pg_get_viewdef(oid) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind = 'v' ORDER BY 2});
}

# One test: two long texts have the same lines; says which are not in both.
sub same
{
	my ($got, $expected, $name) = @_;
	my %got = map { $_ => 1 } split /\n/, $got;
	my %expected = map { $_ => 1 } split /\n/, $expected;
	my @differences = ((map { "+ $_" } grep { !$expected{$_} } sort keys %got), (map { "- $_" } grep { !$got{$_} } sort keys %expected));
	is(join("\n", @differences), '', $name);
	return;
}

# Give how many customers, notes and masked customers each role sees.
sub seen
{
	my ($database) = @_;
	my $see = q{SELECT (SELECT count(*) FROM crm.customer), (SELECT count(*) FROM crm.ticket), (SELECT count(*) FROM crm.customer_masked)};
	return join ' ', map { "$_ " . ((session($node, $database, $_ eq 'masked' ? $see =~ s/crm\.customer\)/(SELECT customer_id FROM crm.customer) c)/r =~ s/crm\.ticket/(SELECT ticket_id FROM crm.ticket) t/r : $see, role => $_))[0]) } @_[1 .. $#_];
}

$node->safe_psql('postgres', 'CREATE DATABASE shop OWNER installer');
my ($out, $messages) = session($node, 'shop', q{
	SET client_min_messages = warning;
	CREATE EXTENSION crm;
	SELECT count(*) > 0 FROM crm.setup(row_security => true);
	SELECT crm.grant_access('agent', 'agent'), crm.grant_access('manager', 'manager'), crm.grant_access('reader', 'reader'), crm.grant_access('masked', 'reader', personal => false);
	INSERT INTO crm.region (region_id, name) VALUES (1, 'world');
	INSERT INTO crm.agent (agent_id, name, role_name, region_id, is_manager) VALUES (1, 'An', 'agent', NULL, false), (2, 'Mo', 'manager', 1, true);
	INSERT INTO crm.customer (customer_id, name, owner_id, region_id) SELECT n, 'Secret ' || n, CASE WHEN n % 4 = 0 THEN 1 END, CASE WHEN n % 2 = 0 THEN 1 END FROM generate_series(1, 100) n;
	INSERT INTO crm.ticket (customer_id, subject) SELECT customer_id, 'secret' FROM crm.customer;
	DO $$ BEGIN PERFORM crm.resync_sequences(); END $$;}, role => 'installer');
is($messages, '', 'an owner who is no superuser sets up, with row security, and grants');
my $seen = 'installer 100|100|100 agent 25|25|25 manager 50|50|50 reader 100|100|100 masked 100|100|100';
is(seen('shop', qw(installer agent manager reader masked)), $seen, 'each role sees what it should');
my $access = access('shop');
like($access, qr/policy\|crm\.ticket\|crm_all\|\*\|true\|\{installer,masked,reader\}\n.*\|\{agent,manager\}/s, 'who sees all is named by a policy');

# The owner cannot make himself more than he is, nor do others by his functions.
like((session($node, 'shop', q{SELECT crm.grant_access('agent', 'manager')}, role => 'agent'))[1], qr/permission denied for function grant_access/, 'an agent does not grant');
like((session($node, 'shop', q{SET ROLE installer}, role => 'manager'))[1], qr/permission denied to set role/, 'nor becomes the owner');

# Tracking writes the log and makes customers as the owner, whoever changes the application's table.
($out, $messages) = session($node, 'shop', q{
	SET client_min_messages = warning;
	CREATE TABLE crm.visit (id int PRIMARY KEY, visitor text);
	SELECT crm.track('crm.visit', customer => 'visitor', source => 'web', create_customers => true);
	GRANT INSERT, SELECT ON crm.visit TO agent;}, role => 'installer');
is($messages, '', 'a table is tracked');
($out, $messages) = session($node, 'shop', q{INSERT INTO crm.visit VALUES (1, 'x'), (2, 'y'); SELECT count(*) FROM crm.visit; SELECT count(*) FROM crm.interaction WHERE reference = 'crm.visit';}, role => 'agent');
is("$out$messages", "2\n0", 'an agent writes to it, and does not see the customers that came of it');
is($node->safe_psql('shop', q{SELECT count(*), count(DISTINCT i.customer_id), count(c.owner_id) FROM crm.interaction i JOIN crm.customer c USING (customer_id) WHERE i.reference = 'crm.visit'}), '2|2|0', 'which nobody owns');
session($node, 'shop', q{DROP TABLE crm.visit; SELECT crm.untrack_missing(); DELETE FROM crm.customer_identity; DELETE FROM crm.customer WHERE customer_id > 100;}, role => 'installer');

# Dumps
my $archive = "$folder/shop.dump";
command_ok([ 'pg_dump', @connection, '--no-sync', '-Fc', '-f', $archive, 'shop' ], 'a superuser dumps');
my %restore = (
	whole => [ [] ],
	parallel => [ [ '-j', '4' ] ],
	single => [ ['--single-transaction'] ],
	halves => [ [ '--section=pre-data', '--section=post-data', '--schema-only' ], [ '--data-only', '--disable-triggers' ] ]);
for my $way (sort keys %restore)
{
	$node->safe_psql('postgres', "CREATE DATABASE $way TEMPLATE template0 OWNER installer");
	command_ok([ 'pg_restore', @connection, '--exit-on-error', '-d', $way, @$_, $archive ], "$way: pg_restore @$_") for @{ $restore{$way} };
	is(seen($way, qw(installer agent manager reader masked)), $seen, "$way: each role sees what it did");
	same(access($way), $access, "$way: policies, privileges, triggers and views are those of before");
	($out, $messages) = session($node, $way, q{SET client_min_messages = warning; SELECT string_agg(DISTINCT action, ' ') FROM crm.setup()}, role => 'installer');
	is("$out$messages", 'kept', "$way: set up again");
	same(access($way), $access, "$way: which changes nothing");
	$node->safe_psql('postgres', "DROP DATABASE $way");
}
($out, $messages) = run_command([ 'pg_dump', @connection, '-U', 'installer', '--no-sync', '-f', "$folder/plain", 'shop' ]);
like($messages, qr/query would be affected by row-level security policy/, 'the owner dumps only with --enable-row-security');
command_ok([ 'pg_dump', @connection, '-U', 'installer', '--no-sync', '--enable-row-security', '-f', "$folder/plain", 'shop' ], 'which is said in the documentation');
is(() = slurp_file("$folder/plain") =~ /\tSecret /g, 100, 'and has all rows, as the owner sees them');

# A new owner of the tables sees nothing until crm.setup() tells the policies.
$node->safe_psql('postgres', 'CREATE DATABASE taken TEMPLATE shop');
$node->safe_psql('taken', q{DO $$ DECLARE r regclass; BEGIN
	FOR r IN SELECT oid FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'v', 'p') LOOP EXECUTE format('ALTER TABLE %s OWNER TO successor', r); END LOOP; END $$;
	GRANT USAGE, CREATE ON SCHEMA crm TO successor WITH GRANT OPTION; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO successor WITH GRANT OPTION});
is(seen('taken', 'successor'), 'successor 0|0|0', 'a new owner');
($out, $messages) = session($node, 'taken', q{SET client_min_messages = error; SELECT count(*) > 0 FROM crm.setup()}, role => 'successor');
is("$out$messages", 't', 'who sets up');
is(seen('taken', qw(successor agent manager reader masked)), $seen =~ s/installer/successor/r, 'sees everything');
is($node->safe_psql('taken', q{SELECT count(*) FROM pg_policy p, unnest(p.polroles) r WHERE r = 'installer'::regrole}), '0', 'and the one before is not named any more');

# Without the extension
my $policies = $node->safe_psql('shop', 'SELECT polrelid::regclass, polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1, 2');
($out, $messages) = session($node, 'shop', 'SET client_min_messages = warning; DROP EXTENSION crm CASCADE', role => 'installer');
is($messages, '', 'DROP EXTENSION CASCADE');
is($node->safe_psql('shop', 'SELECT polrelid::regclass, polname, pg_get_expr(polqual, polrelid) FROM pg_policy ORDER BY 1, 2'), $policies, 'leaves the policies');
my $see = 'SELECT (SELECT count(*) FROM crm.customer), (SELECT count(*) FROM crm.ticket)';
is(join(' ', map { (session($node, 'shop', $see, role => $_))[0] } qw(installer agent manager reader)), '100|100 25|25 50|50 100|100', 'which keep: the owner sees every row, others what they did');
($out, $messages) = session($node, 'shop', 'SET client_min_messages = warning; CREATE EXTENSION crm; SELECT count(*) > 0 FROM crm.setup();', role => 'installer');
is("$out$messages", 't', 'created again and set up');
same(access('shop'), $access, 'everything is as before');

# A role goes: what it has is taken back first.
like((session($node, 'shop', 'DROP ROLE reader'))[1], qr/role "reader" cannot be dropped because some objects depend on it/, 'a role with access is not dropped');
session($node, 'shop', q{SELECT crm.revoke_access('reader')}, role => 'installer');
$node->safe_psql('postgres', 'DROP DATABASE taken');
is((session($node, 'shop', 'DROP ROLE reader'))[1], '', 'when it was revoked, it is');

no_trouble($node);
$node->stop;
done_testing();
