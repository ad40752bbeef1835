# Lifetime value: a cancel or a timeout ends it in any phase and leaves nothing behind; it holds what it says of memory, or
# ends by the documented error; many calls leak nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Limits;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('clv', [ 'max_parallel_workers_per_gather = 0', 'maintenance_work_mem = 512MB' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
orders($node, 'postgres', 'orders', 10_000);
$node->safe_psql('postgres', 'CREATE TABLE small AS SELECT * FROM orders WHERE customer_id <= 2500; CREATE TABLE tiny AS SELECT * FROM orders WHERE customer_id <= 30');
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my $as_of = q{as_of => '2026-01-01'};
my $text = q{$$SELECT 'customer ' || customer_id AS customer_id, ordered_at, amount FROM %s$$};
my %call = (
	'clv, auto' => qq{crm.clv('%s', $as_of)},
	'clv, text' => qq{crm.clv(key => NULL::text, source => $text, model => 'bgnbd', spend => 'mean', $as_of)},
	'clv, paretonbd' => qq{crm.clv('%s', model => 'paretonbd', $as_of)},
	'clv, bgbb' => qq{crm.clv('%s', model => 'bgbb', period => '1 week', $as_of)},
	(map { ("clv_fit, $_" => qq{crm.clv_fit('%s', model => '$_', $as_of)}) } qw(bgnbd mbgnbd paretonbd formula auto)),
	'clv_fit, bgbb' => qq{crm.clv_fit('%s', model => 'bgbb', period => '1 week', $as_of)},
	'clv_backtest' => q{crm.clv_backtest('%s', cut_at => '2025-07-01', holdout => '90 days', models => '{mbgnbd, paretonbd}')},
	'clv_calibration' => q{crm.clv_calibration('%s', cut_at => '2025-07-01', holdout => '90 days', model => 'mbgnbd')},
	'clv_tracking' => q{crm.clv_tracking('%s', cut_at => '2025-07-01', until => '2025-12-31', model => 'mbgnbd')},
	'clv_covariates' => q{crm.clv_covariates('%1$s', covariates => $$SELECT DISTINCT customer_id, (customer_id %% 2)::integer AS club FROM %1$s$$, as_of => '2026-01-01')},
	'clv_summary' => qq{crm.clv_summary('%s', $as_of)},
	'regularity' => qq{crm.regularity('%s', $as_of)});

# Shares that reach each phase: reading, fitting, predicting, writing.
my @shares = (0, map { $_ / 12 } 1 .. 11);
my %right;
for my $name (sort keys %call)
{
	my $query = fingerprint_rows(sprintf $call{$name}, 'orders');
	$right{$name} = $node->safe_psql('postgres', "SET client_min_messages = error; $query");
	like($right{$name}, qr/^\d+ \w{32}$/, "$name: a result to hold against: $right{$name}");
	cut_off($node, $name, $query, $right{$name}, @shares);
}
for my $name ('clv, auto', 'clv, paretonbd', 'clv_fit, bgbb', 'clv_backtest')
{
	cancelled($node, $name, fingerprint_rows(sprintf $call{$name}, 'orders'), $right{$name}, 10);
}

# At most 200 bytes a customer and 4 an order.
orders($node, 'postgres', 'many', 60_000);
for my $name ('clv, paretonbd', 'clv_fit, bgnbd', 'clv_fit, paretonbd', 'clv_summary', 'regularity')
{
	my ($out) = session($node, 'postgres', 'SET client_min_messages = error; ' . fingerprint_rows(sprintf $call{$name}, 'many') . q{ \g /dev/null
		SELECT 'memory', peak_memory, customers, rows_used, 200 * customers + 4 * rows_used >= peak_memory FROM crm.last_run();});
	my ($peak, $customers, $rows, $within) = $out =~ /^memory\|(\d+)\|(\d+)\|(\d+)\|(\w)$/m;
	note("$name: $peak bytes for $customers customers and $rows orders");
	is($within, 't', "$name: at most 200 bytes a customer and 4 an order");
}

my @kilobytes = map { 1024 + 512 * $_ } 0 .. 15;
for my $name (grep { !/bgbb|auto/ } sort keys %call)
{
	run_out($node, $name, fingerprint_rows(sprintf $call{$name}, $name eq 'clv_summary' || $name eq 'regularity' ? 'orders' : 'small'), @kilobytes);
}

for my $name (grep { !/auto|clv, bgbb/ } sort keys %call)
{
	leaks_nothing($node, $name, fingerprint_rows(sprintf $call{$name}, 'tiny'), fingerprint_rows(sprintf $call{$name}, 'small'), $name =~ /summary|regularity|formula/ ? 2 : 12);
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
