# Recommendations: a timeout ends them in any phase and leaves nothing behind; too small a maintenance_work_mem is the
# documented error, and with enough of it the result is right.
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
orders($node, 'postgres', 'orders', 15_000);
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE TABLE line AS
	SELECT row_number() OVER (ORDER BY customer_id, ordered_at) / 2 AS basket_id, customer_id, ordered_at, 'item ' || (mod((amount * 100)::bigint, 8000) * mod((amount * 700)::bigint, 8000) / 100000) AS item_id
	FROM orders WHERE customer_id IS NOT NULL AND isfinite(ordered_at) AND amount BETWEEN 0 AND 1000000
	UNION ALL SELECT row_number() OVER (ORDER BY customer_id, ordered_at) / 3, customer_id, ordered_at, 'item ' || width_bucket(amount, 0, 200, 40)
	FROM orders WHERE customer_id IS NOT NULL AND isfinite(ordered_at) AND amount BETWEEN 0 AND 1000000;
	CREATE TABLE small AS SELECT * FROM line WHERE customer_id <= 1500;
	ANALYZE line, small});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $items = $node->safe_psql('postgres', q{SELECT array_agg(item_id)::text FROM (SELECT item_id FROM line GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT 60) i});

sub rows
{
	my ($function, $arguments) = @_;
	return qq{SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM crm.$function($arguments) t};
}

# The shares reach each phase: reading baskets, reading histories, counting, writing; those after the end find a query that
# is over.
my $text = q{$$SELECT 'customer ' || customer_id AS customer_id, basket_id, item_id, ordered_at FROM line$$};
my %call = (
	'basket' => rows('recommend', qq{'line', basket => '$items', max_antecedent => 3, k => 1000}),
	'customers' => rows('recommend_customers', qq{key => NULL::text, source => $text, k => 3}),
	'backtest' => rows('recommend_backtest', qq{$text, '2025-06-01'}),
	'similar' => rows('similar_items', q{'line', 'item 10', k => 1000}));
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

# From 1 MB in small steps until it is enough.
my @kilobytes = map { 1024 + 256 * $_ } 0 .. 23;
my $small = q{$$SELECT 'customer ' || customer_id AS customer_id, basket_id, item_id, ordered_at FROM small$$};
my %small = (
	'basket' => rows('recommend', qq{'small', basket => '$items', max_antecedent => 3, min_count => 1, min_confidence => 0}),
	'customers' => rows('recommend_customers', qq{key => NULL::text, source => $small}),
	'backtest' => rows('recommend_backtest', qq{$small, '2025-06-01'}));
for my $name (sort keys %small)
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $small{$name}");
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", "$small{$name};", "\\echo $_ :SQLSTATE") } @kilobytes),
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
