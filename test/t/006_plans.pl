# The same orders give the same result, to the last bit: whatever the plan, the order of the rows, the road, the server.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('primary', [ 'max_parallel_workers_per_gather = 2', 'max_worker_processes = 8', 'wal_keep_size = 512MB' ], allows_streaming => 1);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
$node->backup('base');

# 200,000 orders, among them amounts whose plain sum depends on the order of addition; and the same rows shuffled.
orders($node, 'postgres', 'drawn', 20_000);
$node->safe_psql('postgres', q{
	CREATE TABLE orders AS
	SELECT o.customer_id, md5(o.customer_id::text)::uuid AS uuid_key, 'customer ' || o.customer_id AS text_key, o.ordered_at, a.amount
	FROM (SELECT row_number() OVER (ORDER BY ordered_at, customer_id) AS n, * FROM drawn) o,
		LATERAL (SELECT CASE n % 101 WHEN 0 THEN o.amount * 1e15 WHEN 1 THEN -o.amount * 1e15 WHEN 2 THEN o.amount * 1e-15 ELSE o.amount END) a (amount)
	ORDER BY n;
	CREATE TABLE shuffled AS SELECT * FROM orders ORDER BY md5(customer_id::text || ordered_at::text || amount::text);
	CREATE TABLE reversed AS SELECT * FROM orders ORDER BY ordered_at DESC, customer_id DESC;
	ANALYZE});
cmp_ok($node->safe_psql('postgres', 'SELECT count(*) FROM orders'), '>', 180_000, 'enough orders');
isnt($node->safe_psql('postgres', 'SELECT md5(string_agg(s::text, $$;$$ ORDER BY customer_id)) FROM (SELECT customer_id, sum(amount) AS s FROM orders GROUP BY 1) x'),
	$node->safe_psql('postgres', 'SELECT md5(string_agg(s::text, $$;$$ ORDER BY customer_id)) FROM (SELECT customer_id, sum(amount) AS s FROM reversed GROUP BY 1) x'),
	'a plain sum does depend on the order of these rows');

# Each plan: settings, and how many participants the account must then show.
my $parallel = 'SET min_parallel_table_scan_size = 0; SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0;';
my %plan = (
	'serial' => [ 'SET max_parallel_workers_per_gather = 0;', 'hash', qr/^0$/ ],
	'parallel' => [ "$parallel SET max_parallel_workers_per_gather = 2;", 'hash', qr/^[12]$/ ],
	'parallel without the leader' => [ "$parallel SET parallel_leader_participation = off; SET max_parallel_workers_per_gather = 4;", 'hash', qr/^\d$/ ],
	'group' => [ q{SET max_parallel_workers_per_gather = 0; SET crm.road = 'group';}, 'group', qr/^0$/ ],
	'group, sorted' => [ q{SET max_parallel_workers_per_gather = 0; SET enable_hashagg = off; SET crm.road = 'group';}, 'group', qr/^0$/ ],
	'group, parallel' => [ "$parallel SET max_parallel_workers_per_gather = 2; SET crm.road = 'group';", 'group', qr/^0$/ ]);
my %key = (bigint => 'customer_id', uuid => 'uuid_key', text => 'text_key');
my %options = ('orders' => '', 'days' => q{, period => '1 day'}, 'months, dropped refunds, ntile' => q{, period => '1 month', refunds => 'drop', method => 'ntile', monetary => 'mean'});

my %result;
sub run
{
	my ($server, $key, $option, $table, $settings) = @_;
	my ($out, $messages) = session($server, 'postgres', join "\n", 'SET client_min_messages = error;', $settings,
		fingerprint("SELECT * FROM crm.rfm(NULL::$key, source => 'SELECT $key{$key} AS customer_id, ordered_at, amount FROM $table', as_of => @{[as_of()]}$options{$option})") . ';',
		'SELECT road, workers, rows_read, rows_used, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, skipped_refund, customers FROM crm.last_run();');
	my ($fingerprint, $run) = split /\n/, $messages . $out;
	my ($road, $workers, @rows) = split /\|/, $run // '';
	return ($fingerprint, $road, $workers, "@rows");
}

for my $key (sort keys %key)
{
	for my $option (sort keys %options)
	{
		my ($right, $rows);
		for my $plan ('serial', grep { $_ ne 'serial' } sort keys %plan)
		{
			my ($settings, $wanted_road, $wanted_workers) = @{ $plan{$plan} };
			for my $table ($plan =~ /^(?:serial|parallel)$/ ? qw(orders shuffled reversed) : 'shuffled')
			{
				my ($fingerprint, $road, $workers, $account) = run($node, $key, $option, $table, $settings);
				my $test = "$key, $option: $plan, $table";
				$right //= $result{"$key, $option"} = $fingerprint;
				$rows //= $account;
				is($fingerprint, $right, "$test: the same result");
				is($account, $rows, "$test: the same account");
				is($road, $wanted_road, "$test: the road");
				like($workers, $wanted_workers, "$test: $workers workers");
			}
		}
		like($right, qr/^19\d{3} \w{32}$/, "$key, $option: a result: $right");
	}
}

# A hot standby gives it too, in read-only transactions.
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'a standby in recovery');
for my $name (sort keys %result)
{
	my ($key, $option) = split /, /, $name, 2;
	for my $plan ('serial', 'parallel', 'group')
	{
		my ($fingerprint) = run($standby, $key, $option, 'orders', $plan{$plan}[0]);
		is($fingerprint, $result{$name}, "standby, $name: $plan: the same result");
	}
}
for my $report ('rfm_segments', 'rfm_thresholds')
{
	my $query = "SET client_min_messages = error; SELECT * FROM crm.$report('orders', as_of => @{[as_of()]})";
	is($standby->safe_psql('postgres', $query), $node->safe_psql('postgres', $query), "standby, $report: the same result");
}

no_trouble($_) for $node, $standby;
done_testing();
