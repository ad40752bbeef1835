# crm.association_rules cancelled in each of its phases, with too little memory, and with more itemsets than any memory
# holds: it stops at once by the documented error, the session goes on, and the support that it names fits.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('rules', [ 'maintenance_work_mem = 256MB', 'max_parallel_workers_per_gather = 0' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');

# 60,000 baskets of about ten items, a few of them frequent, that look random and are the same everywhere.
$node->safe_psql('postgres', q{
	CREATE FUNCTION u(seed int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT (hashint8extended(seed, 7) & 1048575) / 1048576.0 $$;
	CREATE TABLE line AS SELECT b AS basket_id, 'item ' || floor(400 * u(13 * b + i) ^ 3)::int AS item_id, round(u(b - i)::numeric * 100, 2) AS amount
	FROM generate_series(1, 60000) b, generate_series(1, 12) i;
	ANALYZE line});

my $call = q{crm.association_rules('line', min_support => 40, min_confidence => 0.02, max_consequent => 3, prune_redundant => true, adjust => 'fdr')};
my $sum = "SELECT count(*), md5(string_agg(r::text, ',')) FROM $call r";
my $right = $node->safe_psql('postgres', "SET client_min_messages = error; $sum");
like($right, qr/^\d{5,}\|\w{32}$/, "a result to hold against: $right");

# Attempts in one session, each cut off by a timeout at a share of the whole time; how long each took is measured, too.
my @shares = (0, map { $_ / 20 } 1 .. 19);
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
note('cut off ' . @cut . ' times, at most ' . $late[-1] . ' ms late, half of them ' . $late[@late / 2]);
cmp_ok(scalar(@cut), '>=', 10, 'timeouts cut it off in each phase');
cmp_ok($late[@late / 2], '<=', 100, 'within 100 ms, but for what else the machine does');
cmp_ok($late[-1], '<=', 2000, 'always soon');
unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, 'by no other error');
like($out, qr/^names\|0$/m, 'no memory context is left');
my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
cmp_ok($growth, '<', 1024 * 1024, 'the session\'s memory has not grown');
is((split /\n/, $out)[-1], $right, 'then the same session gives the right result');

# From 1 MB in steps until it is enough: reading, mining, keeping itemsets, rules and sorting them, each runs out somewhere.
my @kilobytes = map { int(1024 * 1.3 ** $_) } 0 .. 18;
($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
	(map { ("SET maintenance_work_mem = $_;", "$sum;", "\\echo $_ :SQLSTATE") } @kilobytes),
	q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
my %state = $out =~ /^(\d+) (\w{5})$/mg;
my @refused = grep { $state{$_} eq '54000' } @kilobytes;
my @errors = $messages =~ /ERROR:  (\w{5})/g;
is("@refused", "@kilobytes[0 .. $#refused]", "refused up to $refused[-1] kB, and never above");
is(scalar(@errors), scalar(@refused), 'by one error each');
is(scalar(grep { $_ eq '54000' } @errors), scalar(@refused), 'the documented one');
is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, 'with enough memory, the result is right');
cmp_ok(scalar(@refused), '<', scalar(@kilobytes), 'enough is enough');
like($messages, qr/ERROR:  54000: the table of baskets needs/, 'reading ran out');
like($messages, qr/ERROR:  54000: the search for rules needs \d+ MB, maintenance_work_mem is \d+ MB\nDETAIL:  It stopped at \d+ (?:itemsets|rules)/, 'and the search did');
like($out, qr/^names\|0$/m, 'no memory context is left');

# 30 baskets of 60 items among 60,000: 2^60 itemsets in 30 baskets.
$node->safe_psql('postgres', q{INSERT INTO line SELECT 100000 + b, 'long ' || i, 1 FROM generate_series(1, 30) b, generate_series(1, 60) i});
my $blown = q{SELECT count(*) FROM crm.association_rules('line', min_support => %s)};
($out, $messages) = session($node, 'postgres', join "\n", "SET maintenance_work_mem = '64MB';", 'SELECT clock_timestamp() AS began \gset',
	sprintf("$blown;", 25), "SELECT 'seconds', extract(epoch FROM clock_timestamp() - :'began');");
like($messages, qr/^.*ERROR:  the search for rules needs \d+ MB, maintenance_work_mem is 64 MB\n.*DETAIL:  It stopped at \d+ itemsets in 25 or more of 60030 baskets; there are more\.\n.*HINT:  Increase maintenance_work_mem, or increase min_support to [0-9.]+ \(\d+ baskets\)\./,
	'an explosion is an error that names a support');
my ($seconds) = $out =~ /^seconds\|([0-9.]+)$/m;
cmp_ok($seconds, '<', 60, "soon: $seconds s");
my ($share, $count) = $messages =~ /min_support to ([0-9.]+) \((\d+) baskets\)/;
cmp_ok($count, '>', 30, 'which leaves out the sets of the long baskets');
for my $support ($share, $count)
{
	($out, $messages) = session($node, 'postgres', "SET maintenance_work_mem = '64MB'; " . sprintf($blown, $support));
	like($out, qr/^\d+$/, "min_support => $support fits");
}
is($node->safe_psql('postgres', q{SET client_min_messages = error; SELECT count(*) > 0 FROM crm.association_rules('line', min_support => 25, max_basket_size => 40, oversize => 'truncate', max_length => 3)}),
	't', 'or the long baskets are made shorter');

no_trouble($node);
done_testing();
