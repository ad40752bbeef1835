# The backtest of churn, its gains and its drivers: a timeout ends them in any phase and leaves nothing behind; too small a
# maintenance_work_mem is the documented error, and with enough of it the result is right.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop', [ 'max_parallel_workers_per_gather = 0', 'maintenance_work_mem = 512MB' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
$node->safe_psql('postgres', q{
	CREATE TABLE orders AS SELECT * FROM crm.simulate_orders(20000, '2025-01-01', '2026-01-01', r => 1, alpha => 6);
	CREATE TABLE fact AS SELECT customer_id, ordered_at - interval '1 hour' AS observed_at, amount AS told, extract(day FROM ordered_at) AS day FROM orders;
	CREATE TABLE label AS SELECT customer_id, max(ordered_at) + interval '20 days' AS churned_at FROM orders GROUP BY 1 HAVING max(ordered_at) < '2025-09-01';
	CREATE TABLE customer AS SELECT customer_id, count(*) AS orders, sum(amount) AS spent, stddev(amount) AS spread, min(amount) AS least, max(ordered_at) < '2025-10-01' AS silent FROM orders GROUP BY 1;
	ANALYZE});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

sub rows
{
	my ($function, $arguments) = @_;
	return qq{SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM crm.$function($arguments) t};
}

my $text = q{$$SELECT 'customer ' || customer_id AS customer_id, ordered_at, amount FROM orders$$};
my %call = (
	'alive' => rows('churn_backtest', q{'orders', methods => '{alive}', cuts => '{2025-09-01}'}),
	'backtest' => rows('churn_backtest', q{'orders', methods => '{gap, logistic}', horizon => '40 days'}),
	'backtest, text' => rows('churn_backtest', qq{key => NULL::text, source => $text, methods => '{gap, logistic}', horizon => '40 days'}),
	'backtest, queries' => rows('churn_backtest', q{'orders', horizon => '40 days', features => 'fact', label => 'label'}),
	'gains' => rows('churn_gains', q{'orders', method => 'logistic', horizon => '40 days'}),
	'drivers' => rows('churn_drivers', q{'orders', horizon => '30 days'}),
	'drivers, table' => rows('churn_drivers', q{'SELECT * FROM customer, generate_series(1, 5)', label_column => 'silent'}));

# The shares reach each phase: reading, fitting, scoring, measuring; those after the end find a query that is over.
for my $name (sort keys %call)
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $call{$name}");
	like($right, qr/^\d+ \w{32}$/, "$name: a result to hold against: $right");
	my ($out, $messages) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;', "SELECT clock_timestamp() AS began \\gset", "$call{$name} \\g /dev/null",
		"SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset", "SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \\gset",
		(map { ("SELECT greatest(1, round(:whole * $_)) AS share \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;', "$call{$name} \\g /dev/null", '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;') } 0, 0.15, 0.3, 0.45, 0.6, 0.8, 0.95, 1),
		"SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';", "SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;", "$call{$name};");
	my @cut = $out =~ /^state 57014 true$/mg;
	note("$name: " . @cut . ' of 8 attempts were cut off');
	cmp_ok(scalar(@cut), '>=', 2, "$name: a timeout cuts it off");
	unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$name: no other error");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
	cmp_ok($growth, '<', 1024 * 1024, "$name: the session's memory has not grown");
	is((split /\n/, $out)[-1], $right, "$name: then the same session gives the right result");
}

# From 1 MB in steps until it is enough.
my @kilobytes = map { 1024 + 768 * $_ } 0 .. 27;
delete $call{alive};
for my $name (sort keys %call)
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $call{$name}");
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", "$call{$name};", "\\echo $_ :SQLSTATE") } @kilobytes),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @kilobytes;
	note("$name: refused up to $refused[-1] kB; " . join ', ', do { my %seen; grep { !$seen{$_}++ } $messages =~ /ERROR:  54000: ([\w' ]+?) needs/g });
	is($state{1024}, '54000', "$name: 1 MB is refused");
	is(scalar(() = $messages =~ /ERROR:  /g), scalar(() = $messages =~ /ERROR:  54000: [\w' ]+ needs \d+ MB, maintenance_work_mem is \d+ MB\n(?:DETAIL:  .*\n)?HINT:  Increase maintenance_work_mem, or .*\.\n/g),
		"$name: each error has its message and hint");
	is("@refused", "@kilobytes[0 .. $#refused]", "$name: refused up to some size, and never above");
	cmp_ok(scalar(@refused), '<', scalar(@kilobytes), "$name: enough is enough");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$name: with enough memory, the result is right");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
