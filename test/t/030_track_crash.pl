# A backend killed in the middle of tracked writes: no acknowledged row is lost, the log has as many rows as the tables saw writes, the indexes are whole.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;
use Time::HiRes qw(sleep);

my $rounds = 10;

# Wait for the server, at most three minutes. A psql that is refused may be gone before it is handed its query: no matter.
sub is_back
{
	my ($node) = @_;
	for (1 .. 1800)
	{
		return 1 if eval { $node->psql('postgres', 'SELECT true') == 0 };
		sleep 0.1;
	}
	return 0;
}

my $node = cluster('crash', [ 'restart_after_crash = on', 'synchronous_commit = on', 'full_page_writes = on', 'autovacuum_naptime = 1s', 'max_wal_size = 128MB' ]);
$node->safe_psql('postgres', q{
	CREATE EXTENSION crm;
	CREATE EXTENSION amcheck;
	SELECT crm.setup();
	CREATE TABLE by_statement (id bigint PRIMARY KEY, customer text, version int NOT NULL DEFAULT 0);
	CREATE TABLE by_row (LIKE by_statement INCLUDING ALL);
	CREATE TABLE by_key (LIKE by_statement INCLUDING ALL);
	ALTER TABLE by_statement ALTER customer TYPE bigint USING NULL;
	ALTER TABLE by_row ALTER customer TYPE bigint USING NULL;
	SELECT crm.track('by_statement', 'customer', columns => '{id,version}');
	SELECT crm.track('by_row', 'customer', columns => '{id,version}', level => 'row');
	SELECT crm.track('by_key', 'customer', source => 'shop', create_customers => true, columns => '{id,version}');});
my @tables = qw(by_statement by_row by_key);
my %acknowledged = map { $_ => {} } @tables;

# A session that inserts single rows one after another, sometimes several, sometimes updates one; it tells each statement that ended.
sub writer
{
	my ($round, $table) = @_;
	my $file = PostgreSQL::Test::Utils::tempdir() . "/$table.sql";
	open my $script, '>', $file or die "$file: $!";
	for my $i (1 .. 20_000)
	{
		my $id = $round * 1_000_000 + $i * 10;
		my $customer = $i % 7 == 0 ? 'NULL' : $i % 500 + 1;
		print $script $i % 20 == 0
			? "INSERT INTO $table (id, customer) SELECT $id + k, $customer FROM generate_series(0, 4) k RETURNING id;\n"
			: "INSERT INTO $table (id, customer) VALUES ($id, $customer) RETURNING id;\n";
		print $script "UPDATE $table SET version = version + 1 WHERE id = $id;\n" if $i % 5 == 0;
	}
	close $script;
	my ($out, $messages) = ('', '');
	my $run = IPC::Run::start([ 'psql', '-XqAt', '-d', $node->connstr('postgres') . " application_name=$table", '-f', $file ], '<', \undef, '>', \$out, '2>', \$messages);
	return { run => $run, out => \$out, messages => \$messages, table => $table };
}

for my $round (1 .. $rounds)
{
	my @writers = map { writer($round, $_) } @tables;
	$node->poll_query_until('postgres', q{SELECT count(*) = 3 FROM pg_stat_activity WHERE application_name LIKE 'by\_%'}) or die 'no writers';
	my $victim = $tables[ $round % @tables ];
	my $pid = $node->safe_psql('postgres', qq{SELECT pid FROM pg_stat_activity WHERE application_name = '$victim'});
	$node->safe_psql('postgres', 'CHECKPOINT') if $round % 3 == 0;
	sleep(0.2 + rand(0.5));
	is(kill('KILL', $pid), 1, "round $round: the backend that writes $victim is killed");
	$_->{run}->finish for @writers;
	my @cut = grep { ${ $_->{messages} } =~ /connection to server was lost|server closed the connection|terminating connection|crash of another server process|could not (?:send|receive) data/ } @writers;
	is(scalar @cut, 3, "round $round: all three were in the middle of it") or diag(map { substr ${ $_->{messages} }, -300 } @writers);
	is_back($node) or die 'the server does not come back';
	for my $writer (@writers)
	{
		$acknowledged{ $writer->{table} }{$_} = 1 for ${ $writer->{out} } =~ /^(\d+)$/mg;
	}
	for my $table (@tables)
	{
		my %there = map { $_ => 1 } split /\n/, $node->safe_psql('postgres', "SELECT id FROM $table");
		my @lost = grep { !$there{$_} } keys %{ $acknowledged{$table} };
		cmp_ok(scalar keys %{ $acknowledged{$table} }, '>', 0, "round $round: $table: rows were acknowledged: " . scalar keys %{ $acknowledged{$table} });
		is("@lost", '', "round $round: $table: none of them is lost");
	}
}

for my $table (@tables)
{
	my ($rows, $updates, $logged, $logged_updates, $keys) = split /\|/, $node->safe_psql('postgres', qq{
		SELECT (SELECT count(*) FROM $table), (SELECT sum(version) FROM $table), count(*) FILTER (WHERE action = 'insert'), count(*) FILTER (WHERE action = 'update'),
			count(DISTINCT reference_key) FROM crm.interaction WHERE reference = 'public.$table'});
	is($logged, $rows, "$table: as many inserts are logged as there are rows: $rows");
	is($logged_updates, $updates, "$table: as many updates are logged as were done: $updates");
	is($keys, $rows, "$table: each row is logged");
	is($node->safe_psql('postgres', qq{SELECT count(*) FROM $table t JOIN crm.interaction i ON i.reference = 'public.$table' AND i.reference_key = t.id::text AND i.action = 'insert'
		WHERE i.detail -> 'new' ->> 'id' = t.id::text}), $rows, "$table: with its own values");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM by_key t JOIN crm.interaction i ON i.reference = 'public.by_key' AND i.reference_key = t.id::text
	WHERE i.customer_id IS DISTINCT FROM coalesce((SELECT c.customer_id FROM crm.customer_identity c WHERE c.source = 'shop' AND c.external_id = t.customer), 0)}), '0', 'keys are those of their customers');
is($node->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT interaction_id) FROM crm.interaction'), '0', 'no number was given twice');

my $relations = join ', ', map { "'$_'" } @tables, 'crm.interaction', 'crm.customer', 'crm.customer_identity';
is($node->safe_psql('postgres', qq{SELECT count(bt_index_check(i.indexrelid, true)) FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_am a ON a.oid = c.relam
	WHERE a.amname = 'btree' AND i.indrelid = ANY (ARRAY[$relations]::regclass[])}), '10', 'amcheck: the indexes have all rows of their tables');
is($node->safe_psql('postgres', qq{SELECT t, v.* FROM unnest(ARRAY[$relations]::regclass[]) t, verify_heapam(t) v}), '', 'amcheck: the tables are whole');
is(join("\n", grep { /PANIC:|TRAP:|terminated by signal (?!9)|\bleak/ } split /\n/, slurp_file($node->logfile)), '', 'no crash but those that were meant');
done_testing();
