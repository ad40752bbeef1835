# crm.clv_contract cancelled in each of its phases and with too little memory: it stops at once by the documented error, the
# session goes on and holds nothing, and what fits gives the right result in at most 200 bytes a customer.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('contract', [ 'maintenance_work_mem = 256MB', 'max_parallel_workers_per_gather = 0' ]);
$node->safe_psql('postgres', q{
	CREATE EXTENSION crm;
	CREATE TABLE subscriptions AS SELECT customer_id, started_at, ended_at, 5 + customer_id % 7 AS amount FROM crm.simulate_subscriptions(200000, '2016-01-01', '2026-01-01');
	ANALYZE subscriptions});

my %call = (
	bigint => q{crm.clv_contract('subscriptions', as_of => '2026-01-01')},
	text => q{crm.clv_contract(NULL::text, source => 'SELECT customer_id::text AS customer_id, started_at, ended_at, amount FROM subscriptions', as_of => '2026-01-01')},
	days => q{crm.clv_contract('subscriptions', as_of => '2026-01-01', period => '1 day', horizon => '150 years')});
for my $name (sort keys %call)
{
	my $sum = "SELECT count(*), md5(string_agg(r::text, ',')) FROM $call{$name} r";
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $sum");
	like($right, qr/^200000\|\w{32}$/, "$name: a result to hold against: $right");

	# Attempts in one session, each cut off by a timeout at a share of the whole time; how long each took is measured, too.
	my @shares = (0, map { $_ / 10 } 1 .. 9);
	my $script = join "\n", 'SET client_min_messages = error;', "$sum \\g /dev/null", "SELECT clock_timestamp() AS began \\gset", "$sum \\g /dev/null",
		"SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset", 'SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \gset',
		(map { ("SELECT greatest(1, round(:whole * $_)) AS share, clock_timestamp() AS began \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;',
			"$sum \\g /dev/null", '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;',
			"SELECT 'late', round(1000 * extract(epoch FROM clock_timestamp() - :'began') - :share);") } @shares),
		"SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';",
		"SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;", "$sum;";
	my ($out, $messages) = session($node, 'postgres', $script);
	my @cut = $out =~ /^state 57014 true$/mg;
	my @late = sort { $a <=> $b } $out =~ /^late\|(-?\d+)$/mg;
	note("$name: cut off " . @cut . ' times, at most ' . $late[-1] . ' ms late, half of them ' . $late[@late / 2]);
	cmp_ok(scalar(@cut), '>=', 5, "$name: timeouts cut it off in each phase");
	cmp_ok($late[@late / 2], '<=', 100, "$name: within 100 ms, but for what else the machine does");
	unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$name: by no other error");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
	cmp_ok($growth, '<', 1024 * 1024, "$name: the session's memory has not grown");
	is((split /\n/, $out)[-1], $right, "$name: then the same session gives the right result");

	# From 1 MB in steps until it is enough: the customers, the contracts, the fit, each runs out somewhere.
	next if $name eq 'days';
	my @kilobytes = map { int(1024 * 1.3 ** $_) } 0 .. 16;
	($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", "$sum;", "\\echo $_ :SQLSTATE") } @kilobytes),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';}, 'SELECT peak_memory FROM crm.last_run();');
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @kilobytes;
	is("@refused", "@kilobytes[0 .. $#refused]", "$name: refused up to $refused[-1] kB, and never above");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$name: with enough memory, the result is right");
	like($messages, qr/ERROR:  54000: valuing contracts needs \d+ MB, maintenance_work_mem is \d+ MB/, "$name: the documented error");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	cmp_ok((split /\n/, $out)[-1], '<=', 200 * 200_000, "$name: at most 200 bytes a customer") if $name eq 'bigint';
}
no_trouble($node);
done_testing();
