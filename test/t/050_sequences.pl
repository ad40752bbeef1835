# Sequential patterns: a timeout ends the search in any phase and leaves nothing behind; too small a maintenance_work_mem
# is the documented error, in any phase that takes memory, and with enough of it the result is right.
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
	CREATE VIEW events AS SELECT customer_id, ordered_at AS occurred_at, 'item ' || width_bucket(amount, 0, 100, 12) AS event FROM orders WHERE amount BETWEEN 0 AND 1000000;
	CREATE TABLE large AS SELECT * FROM events;
	CREATE TABLE small AS SELECT * FROM events WHERE customer_id <= 2000;
	ANALYZE large, small});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

sub patterns
{
	my ($function, $source, $options) = @_;
	return qq{SELECT count(*) || ' ' || md5(string_agg(t::text, ',' ORDER BY t::text)) FROM crm.$function('$source', as_of => '2026-01-01', $options) t};
}

# The shares reach each phase: reading, sorting, mining, writing; those after the end find a query that is over.
my $uuid = 'SELECT md5(customer_id::text)::uuid AS customer_id, occurred_at, event FROM large';
my %call = (
	'patterns' => patterns('sequential_patterns', 'large', 'min_support => 0.01'),
	'patterns of itemsets' => patterns('sequential_patterns', $uuid, q{min_support => 0.003, itemsets => true, max_gap => '60 days'}),
	'rules' => patterns('sequence_rules', $uuid, 'min_support => 0.03, min_confidence => 0'));
for my $name (sort keys %call)
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $call{$name}");
	like($right, qr/^\d{3,} \w{32}$/, "$name: a result to hold against: $right");
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
my @kilobytes = map { 1024 + 256 * $_ } 0 .. 15;
my $error = qr/ERROR:  54000: the search for sequential patterns needs \d+ MB, maintenance_work_mem is \d+ MB\n/;
my $reading = qr/DETAIL:  \d+ events\.\nHINT:  Increase maintenance_work_mem, or give a source with fewer rows\.\n/;
my $mining = qr/DETAIL:  \d+ events of \d+ customers; a pattern needs \d+ of them\.\nHINT:  Increase maintenance_work_mem, or (?:reduce max_length, or )?raise min_support(?:: with \d+ customers \(0\.\d+\) the patterns fit)?\.\n/;
my %small = (
	'bigint' => patterns('sequential_patterns', 'small', 'min_support => 0.04, max_length => NULL'),
	'text' => patterns('sequential_patterns', q{SELECT md5(customer_id::text) AS customer_id, occurred_at, event FROM small} =~ s/'/''/gr, 'min_support => 0.02'),
	'many patterns' => patterns('sequential_patterns', 'small', 'min_support => 5, max_length => 4'),
	'rules' => patterns('sequence_rules', 'small', 'min_support => 30, min_confidence => 0'));
for my $name (sort keys %small)
{
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $small{$name}");
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", "$small{$name};", "\\echo $_ :SQLSTATE") } @kilobytes),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @kilobytes;
	my @errors = $messages =~ /ERROR:  (\w{5})/g;
	note("$name: $right, refused up to $refused[-1] kB");
	is($state{1024}, '54000', "$name: 1 MB is refused");
	is(scalar(@errors), scalar(() = $messages =~ /$error(?:$reading|$mining)/g), "$name: each error has its message, detail and hint");
	like($messages, qr/$error$mining/, "$name: the search itself is refused memory too") if $name =~ /many|rules/;
	is("@refused", "@kilobytes[0 .. $#refused]", "$name: refused up to $refused[-1] kB, and never above");
	cmp_ok(scalar(@refused), '<', scalar(@kilobytes), "$name: enough is enough");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$name: with enough memory, the result is right");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
