# crm.cohorts, crm.retention and crm.subscription_retention cancelled in each of their phases, and with too little memory: they stop at
# once by the documented error, hold nothing, and the session goes on to the right result.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('cohorts', [ 'min_parallel_table_scan_size = 0', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0', 'maintenance_work_mem = 512MB' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
orders($node, 'postgres', 'orders', 100_000);
orders($node, 'postgres', 'few', 8_000);
$node->safe_psql('postgres', q{
	CREATE TABLE subscription AS SELECT customer_id, min(ordered_at) AS started_at, nullif(max(ordered_at), min(ordered_at)) AS ended_at, sum(amount) AS amount FROM orders GROUP BY 1;
	ANALYZE subscription});

my $as_of = q{as_of => '2026-01-01'};
my %call = (
	'cohorts' => "crm.cohorts('orders', $as_of)",
	'cohorts by days' => "crm.cohorts('orders', 'week', 'day', $as_of)",
	'cohorts of text' => "crm.cohorts('SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM orders', $as_of)",
	'retention' => q{crm.retention('orders', to_at => '2026-01-01', period => '1 day', active_periods => 60)},
	'subscriptions' => q{crm.subscription_retention('subscription', to_at => '2026-01-01', period => '7 days')});
sub sum { return "SELECT count(*), md5(string_agg(r::text, ',')) FROM $_[0] r" }

my %right;
for my $name (sort keys %call)
{
	$right{$name} = $node->safe_psql('postgres', 'SET client_min_messages = error; ' . sum($call{$name}));
	like($right{$name}, qr/^\d{2,}\|\w{32}$/, "$name: a result to hold against: $right{$name}");
}

# Attempts in one session, each cut off by a timeout at a share of the whole time; how late each stopped is measured, too.
my @shares = (0, map { $_ / 12 } 1 .. 11);
for my $name (sort keys %call)
{
	for my $workers ($name eq 'subscriptions' ? 0 : (0, 2))
	{
		my $test = "$name, $workers workers";
		my $script = join "\n", 'SET client_min_messages = error;', "SET max_parallel_workers_per_gather = $workers;", sum($call{$name}) . ' \g /dev/null',
			"SELECT 'workers', workers FROM crm.last_run();", 'SELECT clock_timestamp() AS began \gset', sum($call{$name}) . ' \g /dev/null',
			"SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset", 'SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \gset',
			(map { ("SELECT greatest(1, round(:whole * $_)) AS share, clock_timestamp() AS began \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;',
				sum($call{$name}) . ' \g /dev/null', '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;',
				"SELECT 'late', round(1000 * extract(epoch FROM clock_timestamp() - :'began') - :share);") } @shares),
			"SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';",
			"SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;", sum($call{$name}) . ';';
		my ($out, $messages) = session($node, 'postgres', $script);
		my @cut = $out =~ /^state 57014 true$/mg;
		my @late = sort { $a <=> $b } $out =~ /^late\|(-?\d+)$/mg;
		note("$test: cut off " . @cut . ' of ' . @shares . " times, at most $late[-1] ms late, half of them $late[@late / 2]");
		like($out, $workers ? qr/^workers\|[1-9]$/m : qr/^workers\|0$/m, "$test: the plan is what it should be");
		cmp_ok(scalar(@cut), '>=', 4, "$test: timeouts cut it off");
		cmp_ok($late[@late / 2], '<=', 100, "$test: within 100 ms, but for what else the machine does");
		cmp_ok($late[-1], '<=', 2000, "$test: always soon");
		unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$test: by no other error");
		like($out, qr/^names\|0$/m, "$test: no memory context is left");
		my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
		cmp_ok($growth, '<', 1024 * 1024, "$test: the session's memory has not grown");
		is((split /\n/, $out)[-1], $right{$name}, "$test: then the same session gives the right result");
	}
}

# From 1 MB in small steps until it is enough: whichever participant runs out, in whichever phase, it is the documented error.
my @kilobytes = map { 1024 + 300 * $_ } 0 .. 15;
my %small = (
	'cohorts' => q{crm.cohorts('few', as_of => '2026-01-01')},
	'days' => q{crm.cohorts('few', 'day', 'day', as_of => '2026-01-01')},
	'text' => q{crm.cohorts('SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM few', as_of => '2026-01-01')},
	'retention' => q{crm.retention('few', to_at => '2026-01-01', period => '7 days')},
	'subscriptions' => q{crm.subscription_retention('SELECT * FROM subscription WHERE customer_id % 25 = 0', to_at => '2026-01-01', period => '7 days')});
my %plan = (
	'serial' => 'SET max_parallel_workers_per_gather = 0;',
	'parallel' => 'SET max_parallel_workers_per_gather = 2;',
	'workers alone' => 'SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off;');
for my $name (sort keys %small)
{
	my $enough = $node->safe_psql('postgres', 'SET client_min_messages = error; ' . sum($small{$name}));
	for my $plan (sort keys %plan)
	{
		my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;', $plan{$plan},
			(map { ("SET maintenance_work_mem = $_;", sum($small{$name}) . ';', "\\echo $_ :SQLSTATE") } @kilobytes),
			q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
		my %state = $out =~ /^(\d+) (\w{5})$/mg;
		my $refused = grep { $state{$_} eq '54000' } @kilobytes;
		my @errors = $messages =~ /ERROR:  (\w{5}): (?:the table of customers and periods|the table of cohorts and periods|counting \d+ periods) needs \d+ MB, maintenance_work_mem is \d+ MB/g;
		cmp_ok($refused, '>', 0, "$name, $plan: refused with little memory, $refused times");
		is(scalar(@errors), $refused, "$name, $plan: by the documented error");
		is(scalar(grep { $_ eq $enough } split /\n/, $out), @kilobytes - $refused, "$name, $plan: else the result is right");
		like($out, qr/^names\|0$/m, "$name, $plan: no memory context is left");
	}
}

no_trouble($node);
done_testing();
