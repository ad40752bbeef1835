# A whole firm in the CRM's tables, under row-level security: dumps restore all of it, four ways, with its policies and
# grants, and no trigger writes a row twice; DROP EXTENSION leaves it, and crm.setup() finds its way back.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Dump;
use Test::More;

my $node = cluster('firm');
my $folder = PostgreSQL::Test::Utils::tempdir();
my @connection = ('-h', $node->host, '-p', $node->port);

# Give the policies, and who may do what: all that the roles see of the firm.
sub access
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT c.relname, c.relrowsecurity, c.relforcerowsecurity, c.relacl FROM pg_class c WHERE c.relnamespace = 'crm'::regnamespace AND c.relkind IN ('r', 'p', 'v') ORDER BY 1;
		SELECT tablename, policyname, roles, cmd, qual, with_check FROM pg_policies WHERE schemaname = 'crm' ORDER BY 1, 2});
}

# Give what an agent sees, in numbers.
sub seen
{
	my ($database) = @_;
	my ($out, $messages) = session($node, $database, q{
		SELECT count(*) FROM crm.customer_360; SELECT count(*) FROM crm.sales_order; SELECT count(*) FROM crm.interaction; SELECT count(*) FROM crm.rfm();}, role => 'ada');
	return "$out\n$messages";
}

$node->safe_psql('postgres', 'CREATE ROLE ada LOGIN; CREATE ROLE bi LOGIN; CREATE DATABASE firm');
$node->safe_psql('firm', q{
	CREATE EXTENSION crm;
	SELECT count(*) FROM crm.setup(row_security => true);
	SELECT count(*) FROM crm.simulate_crm(120, as_of => '2026-06-01');
	UPDATE crm.agent SET role_name = 'ada' WHERE agent_id = (SELECT owner_id FROM crm.customer WHERE owner_id IS NOT NULL GROUP BY owner_id ORDER BY count(*) DESC, owner_id LIMIT 1);
	SELECT crm.grant_access('ada', 'agent');
	SELECT crm.grant_access('bi', 'reader', personal => false);
	SELECT crm.merge_customers(1, 2);
	SELECT count(*) FROM crm.transfer_ownership((SELECT agent_id FROM crm.agent WHERE is_active AND role_name IS NULL ORDER BY agent_id LIMIT 1),
		(SELECT agent_id FROM crm.agent WHERE is_active AND role_name IS NULL ORDER BY agent_id DESC LIMIT 1), reason => 'test');
});
is($node->safe_psql('firm', q{SELECT string_agg(r.name, ' ') FROM unnest(crm._relations()) r (name) JOIN pg_class c ON c.oid = to_regclass('crm.' || r.name) AND c.relkind IN ('r', 'p')
	WHERE r.name <> 'model' AND (xpath('/row/n/text()', query_to_xml(format('SELECT count(*) AS n FROM crm.%I', r.name), false, true, '')))[1]::text::int = 0}),
	'', 'every table but model has rows');
my ($contents, $columns, $text, $access, $seen, $triggers) = (contents($node, 'firm'), columns($node, 'firm'), dump_of($node, 'firm'), access('firm'), seen('firm'), triggers($node, 'firm'));

my $archive = "$folder/firm.dump";
command_ok([ 'pg_dump', @connection, '--no-sync', '-Fc', '-f', $archive, 'firm' ], 'pg_dump -Fc');
my %restore = (
	whole => [ [] ],
	parallel => [ [ '-j', '4' ] ],
	single => [ ['--single-transaction'] ],
	halves => [ [ '--schema-only' ], [ '--data-only', '--disable-triggers' ] ]);
for my $way (sort keys %restore)
{
	my $copy = "firm_$way";
	$node->safe_psql('postgres', "CREATE DATABASE $copy TEMPLATE template0");
	command_ok([ 'pg_restore', @connection, '--exit-on-error', '-d', $copy, @$_, $archive ], "$copy: pg_restore @$_") for @{ $restore{$way} };
	same(contents($node, $copy), $contents, "$copy: every row is back, and none twice");
	same(dump_of($node, $copy), $text, "$copy: its dump is the first one's");
	is(access($copy), $access, "$copy: policies and rights are");
	is(seen($copy), $seen, "$copy: an agent sees the same");
	my ($out, $messages) = session($node, $copy, q{SELECT string_agg(DISTINCT action, ' ') FROM crm.setup()});
	is("$out$messages", 'kept', "$copy: set up again, nothing was made");
	same(contents($node, $copy), $contents, "$copy: and no row changed");
	is(access($copy), $access, "$copy: nor a right");
	($out, $messages) = session($node, $copy, q{SELECT count(*) > 0 FROM crm.unmerge_customers(1)});
	is("$out$messages", 't', "$copy: a merge can be undone where it was restored");
	$node->safe_psql('postgres', "DROP DATABASE $copy");
}

$node->safe_psql('firm', 'DROP EXTENSION crm CASCADE');
same(contents($node, 'firm'), $contents, 'DROP EXTENSION leaves every row');
same(columns($node, 'firm'), $columns, 'and every column');
$node->safe_psql('firm', 'CREATE EXTENSION crm; SELECT count(*) FROM crm.setup()');
same(contents($node, 'firm'), $contents, 'created and set up again: the rows are the same');
is(triggers($node, 'firm'), $triggers, 'the triggers are back');
is(access('firm'), $access, 'the policies and rights are');
is(seen('firm'), $seen, 'an agent sees what it saw');
same(dump_of($node, 'firm'), $text, 'the dump is the one from before');

no_trouble($node);
$node->stop;
done_testing();
