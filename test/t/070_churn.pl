# Churn: a timeout ends each method in any phase and leaves nothing behind; too small a maintenance_work_mem is the
# documented error, and with enough of it the result is right.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('churn', [ 'max_parallel_workers_per_gather = 0', 'maintenance_work_mem = 512MB' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
orders($node, 'postgres', 'orders', 15_000);
$node->safe_psql('postgres', q{
	CREATE TABLE visit AS SELECT customer_id, ordered_at - interval '1 day' AS observed_at, amount AS spent, customer_id % 3 AS pages FROM orders WHERE amount BETWEEN 0 AND 1000;
	ANALYZE visit});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');
my $as_of = as_of();

sub rows
{
	my ($function, $arguments) = @_;
	return qq{SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM crm.$function($arguments, as_of => $as_of) t};
}

# The shares reach each phase: reading orders and features, sorting, fitting, choosing, writing; those after the end find
# a query that is over.
my $text = q{'SELECT ''customer '' || customer_id AS customer_id, ordered_at, amount FROM orders'};
my %call = (
	'gap' => rows('churn', qq{key => NULL::text, source => $text, method => 'gap'}),
	'alive' => rows('churn', q{'orders', method => 'alive'}),
	'logistic' => rows('churn', q{'orders', method => 'logistic', features => 'visit'}),
	'auto' => rows('churn', q{'orders'}),
	'fit' => rows('churn_fit', q{'orders', method => 'logistic'}));
for my $name (sort keys %call)
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $call{$name}");
	like($right, qr/^\d+ \w{32}$/, "$name: a result to hold against: $right");
	my @shares = (0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1);
	my ($out, $messages) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;', "$call{$name} \\g /dev/null", "SELECT clock_timestamp() AS began \\gset", "$call{$name} \\g /dev/null",
		"SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset", "SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \\gset",
		(map { ("SELECT greatest(1, round(:whole * $_)) AS share, clock_timestamp() AS began \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;', "$call{$name} \\g /dev/null", '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;',
			"SELECT 'late', round(1000 * extract(epoch FROM clock_timestamp() - :'began') - :share);") } @shares),
		"SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';", "SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;", "$call{$name};");
	my @cut = $out =~ /^state 57014 true$/mg;
	my @late = sort { $a <=> $b } $out =~ /^late\|(-?\d+)$/mg;
	note("$name: " . @cut . ' of ' . @shares . ' attempts were cut off, at most ' . $late[-1] . ' ms late, half of them ' . $late[@late / 2]);
	cmp_ok(scalar(@cut), '>=', 4, "$name: a timeout cuts it off");
	cmp_ok($late[@late / 2], '<=', 100, "$name: within 100 ms, but for what else the machine does");
	cmp_ok($late[-1], '<=', 2000, "$name: always soon");
	unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$name: no other error");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
	cmp_ok($growth, '<', 1024 * 1024, "$name: the session's memory has not grown");
	is((split /\n/, $out)[-1], $right, "$name: then the same session gives the right result");
}

# From 1 MB in steps until it is enough: reading, arranging, stacking and fitting each run out somewhere.
my @kilobytes = map { int(1024 * 1.25 ** $_) } 0 .. 20;
for my $name (qw(gap logistic))
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $call{$name}");
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", "$call{$name};", "\\echo $_ :SQLSTATE") } @kilobytes),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @kilobytes;
	is("@refused", "@kilobytes[0 .. $#refused]", "$name: refused up to " . ($refused[-1] // 'nothing') . ' kB, and never above');
	cmp_ok(scalar(@refused), '>=', 3, "$name: memory did run out");
	cmp_ok(scalar(@refused), '<', scalar(@kilobytes), "$name: enough is enough");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$name: with enough memory, the result is right");
	unlike($messages, qr/ERROR:  (?!54000: .* needs \d+ MB, maintenance_work_mem is \d+ MB)/, "$name: by the documented error");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
}

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
