# Over foreign tables and foreign partitions the GROUP BY runs where the rows are, and the result is that of a local copy.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

# One cluster plays all servers: its log, with the database in each line, tells what arrives where.
my $node = cluster('shop', [ 'log_statement = all', "log_line_prefix = '%d '" ]);
$node->safe_psql('postgres', "CREATE DATABASE $_") for qw(shard0 shard1);
$node->safe_psql($_, 'CREATE EXTENSION crm') for qw(postgres shard0 shard1);
orders($node, 'postgres', 'local_orders', 3_000);

my ($host, $port) = ($node->host, $node->port);
for my $i (0, 1)
{
	$node->safe_psql("shard$i", 'CREATE TABLE orders (customer_id bigint, ordered_at timestamptz, amount float8)');
	$node->safe_psql('postgres', qq{
		CREATE EXTENSION IF NOT EXISTS postgres_fdw;
		CREATE SERVER shard$i FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'shard$i', extensions 'crm');
		CREATE SERVER plain$i FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '$host', port '$port', dbname 'shard$i');
		CREATE USER MAPPING FOR CURRENT_USER SERVER shard$i;
		CREATE USER MAPPING FOR CURRENT_USER SERVER plain$i});
}

# Orders over the partitions of two servers, the same by servers that do not ship our functions, and one table alone.
for my $kind (qw(shard plain))
{
	$node->safe_psql('postgres', qq{
		CREATE TABLE over_$kind (customer_id bigint, ordered_at timestamptz, amount float8) PARTITION BY HASH (customer_id);
		CREATE FOREIGN TABLE ${kind}_0 PARTITION OF over_$kind FOR VALUES WITH (MODULUS 2, REMAINDER 0) SERVER ${kind}0 OPTIONS (table_name 'orders', batch_size '1000');
		CREATE FOREIGN TABLE ${kind}_1 PARTITION OF over_$kind FOR VALUES WITH (MODULUS 2, REMAINDER 1) SERVER ${kind}1 OPTIONS (table_name 'orders', batch_size '1000')});
}
$node->safe_psql('postgres', q{
	INSERT INTO over_shard SELECT * FROM local_orders;
	CREATE VIEW over_view AS SELECT customer_id, ordered_at, amount FROM over_shard;
	CREATE TABLE local_half AS SELECT * FROM shard_0});

# The statements that reached the remote database since a place in the log, made one line each.
sub remote_statements
{
	my ($from) = @_;
	my $log = substr slurp_file($node->logfile), $from;
	$log =~ s/\n\t/ /g;
	return grep { /^shard\d LOG: .*\bSELECT\b.* FROM public\.orders/ } split /\n/, $log;
}

# Run a report; gives its fingerprint, the road it took, and what the other servers were asked.
sub report
{
	my ($source, $options, $settings) = @_;
	my $from = -s $node->logfile;
	my ($out, $messages) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;', $settings // '',
		fingerprint("SELECT * FROM crm.rfm($source, as_of => @{[as_of()]}$options)") . ';',
		q{SELECT road, rows_read, rows_used, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, skipped_refund, customers FROM crm.last_run();});
	my ($result, $run) = split /\n/, $out;
	die "crm.rfm($source): $messages" if ($result // '') !~ /^\d+ [0-9a-f]{32}$/;
	my ($road, $rows) = split /\|/, $run // '', 2;
	return { result => $result, road => $road, rows => $rows, remote => [ remote_statements($from) ] };
}

my %options = (
	'by default' => '',
	'a period' => ", period => '1 day'",
	'a period of months' => ", period => '3 months'",
	'refunds dropped' => ", refunds => 'drop', monetary => 'mean'",
	'ntile' => ", method => 'ntile', bins => 7");
for my $name (sort keys %options)
{
	my $zone = "SET timezone = 'America/New_York';";
	my $local = report(q{'local_orders'}, $options{$name}, $zone);
	is($local->{road}, 'hash', "$name: a local table takes the hash road");
	is(scalar(@{ $local->{remote} }), 0, "$name: and asks no other server");
	for my $source (q{'over_shard'}, q{'over_view'}, q{'SELECT amount, customer_id, ordered_at FROM over_shard o WHERE customer_id > 0 OR customer_id IS NULL'})
	{
		my $over = report($source, $options{$name}, $zone);
		my @grouped = grep { /GROUP BY/ && /crm\.summarize\(/ } @{ $over->{remote} };
		is($over->{road}, 'group', "$name, $source: the group road");
		is($over->{result}, $local->{result}, "$name, $source: the same result as of a local copy");
		is($over->{rows}, $local->{rows}, "$name, $source: the same account of rows");
		is(join(' ', sort map { /^(shard\d)/ } @grouped), 'shard0 shard1', "$name, $source: each partition gets the GROUP BY");
		is(scalar(@{ $over->{remote} }), 2, "$name, $source: and no row travels by itself");
		is(scalar(grep { /count\(DISTINCT crm\._?period_number\(ordered_at, / } @grouped),
			$options{$name} =~ /period/ ? 2 : 0, "$name, $source: periods are counted there");
	}
	my $half = report(q{'local_half'}, $options{$name}, $zone);
	my $table = report(q{'shard_0'}, $options{$name}, $zone);
	is($table->{road}, 'group', "$name, one foreign table: the group road");
	is($table->{result}, $half->{result}, "$name, one foreign table: the same result as of a local copy");
	is(scalar(grep { /GROUP BY/ && /crm\.summarize\(/ } @{ $table->{remote} }), 1, "$name, one foreign table: it gets the GROUP BY");

	my $plain = report(q{'over_plain'}, $options{$name}, $zone);
	is($plain->{result}, $local->{result}, "$name, without the option extensions: the same result");
	is(scalar(grep { /summarize/ } @{ $plain->{remote} }), 0, "$name, without the option extensions: the rows travel");
}

# The other reports and the other keys.
for my $key ('uuid', 'text')
{
	my $expression = $key eq 'uuid' ? 'md5(customer_id::text)::uuid' : q{''k'' || customer_id};
	my @results = map { report("NULL::$key, source => 'SELECT $expression AS customer_id, ordered_at, amount FROM $_'", '') } qw(local_orders over_shard);
	is($results[1]{result}, $results[0]{result}, "$key keys made of a foreign column: the same result");
}
for my $call (q{crm.rfm_segments(%s, as_of => '2026-01-01')}, q{crm.rfm_thresholds(%s, as_of => '2026-01-01')})
{
	my @results = map { $node->safe_psql('postgres', 'SET client_min_messages = error; SELECT * FROM ' . sprintf $call, "'$_'") } qw(local_orders over_shard);
	is($results[1], $results[0], sprintf("$call: the same result", 'both'));
	isnt($results[0], '', sprintf("$call: not an empty one", 'both'));
}

# The settings of the session are as before, also after an error.
my ($out) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;', q{SELECT count(*) FROM crm.rfm('over_shard', as_of => '2026-01-01') \g /dev/null},
	'SHOW enable_partitionwise_aggregate;', q{SELECT count(*) FROM crm.rfm('SELECT customer_id, ordered_at, 1 / (customer_id - 77) AS amount FROM over_shard', as_of => '2026-01-01');},
	'\echo :LAST_ERROR_SQLSTATE', 'SHOW enable_partitionwise_aggregate;');
is($out, "off\n22012\noff", 'enable_partitionwise_aggregate is the caller\'s again, after an error of another server too');

no_trouble($node);
done_testing();
