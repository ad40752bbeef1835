# Regression, survival curves and Cox's model: a cancel or a timeout ends them in any phase and leaves nothing behind; too
# little memory is the documented error; many calls leak nothing.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use Limits;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('regression', [ 'max_parallel_workers_per_gather = 0', 'maintenance_work_mem = 512MB' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
# Ten covariates that look random and are the same everywhere; ends with many ties, one in three not yet.
$node->safe_psql('postgres', q{
	CREATE FUNCTION u(seed bigint) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT (hashint8extended(seed, 7) & 1048575) / 1048576.0 $$;
	CREATE TABLE feature AS SELECT i AS customer_id, x1, x2, x3, x4, x5, x6, x7, x8, x9, 2 * x1 - x2 + u(-i) AS response, u(20 * i + 11) < 1 / (1 + exp(1 - x1 - x2)) AS label
	FROM (SELECT i, u(20 * i) AS x1, u(20 * i + 1) AS x2, u(20 * i + 2) AS x3, u(20 * i + 3) AS x4, u(20 * i + 4) AS x5, u(20 * i + 5) AS x6, u(20 * i + 6) AS x7, u(20 * i + 7) AS x8, u(20 * i + 8) AS x9
		FROM generate_series(1::bigint, 100000) i) f;
	CREATE TABLE subscription AS SELECT customer_id, x1, x2, x3, x4, x5, round((10 * x6)::numeric)::text AS plan, timestamptz '2020-01-01' AS started_at,
		CASE WHEN x7 < 0.67 THEN timestamptz '2020-01-02' + floor(-700 * ln(1 - u(-3 * customer_id)) * exp(-x1)) * interval '1 day' END AS ended_at FROM feature;
	CREATE TABLE small_feature AS SELECT * FROM feature WHERE customer_id <= 20000;
	CREATE TABLE small_subscription AS SELECT * FROM subscription WHERE customer_id <= 20000;
	CREATE TABLE tiny_feature AS SELECT * FROM feature WHERE customer_id <= 200;
	CREATE TABLE tiny_subscription AS SELECT * FROM subscription WHERE customer_id <= 200;
	ANALYZE});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my $features = q{'{x1, x2, x3, x4, x5, x6, x7, x8, x9}'};
my $covariates = q{'{x1, x2, x3, x4, x5}'};
my $as_of = q{as_of => '2026-01-01'};
my %call = (
	'logistic_fit' => qq{crm.logistic_fit('%sfeature', 'label', $features)},
	'logistic_fit, elastic net' => qq{crm.logistic_fit('%sfeature', 'label', $features, penalty => 0.001, l1_ratio => 0.5, class_weight => 'balanced')},
	'linear_fit' => qq{crm.linear_fit('%sfeature', 'response', $features)},
	'survival_curve' => qq{crm.survival_curve('%ssubscription', group_by => 'plan', $as_of)},
	'nelson_aalen' => qq{crm.nelson_aalen('%ssubscription', group_by => 'plan', $as_of)},
	'logrank' => qq{crm.logrank('%ssubscription', group_by => 'plan', $as_of)},
	'cox_fit' => qq{crm.cox_fit('%ssubscription', $covariates, $as_of)},
	'cox_fit, strata' => qq{crm.cox_fit('%ssubscription', $covariates, strata => 'plan', ties => 'breslow', $as_of)},
	'cox_baseline' => qq{crm.cox_baseline('%ssubscription', $covariates, strata => 'plan', $as_of)});

# Shares that reach each phase: reading, sorting, iterating, writing.
my @shares = (0, map { $_ / 12 } 1 .. 11);
my %right;
for my $name (sort keys %call)
{
	my $query = fingerprint_rows(sprintf $call{$name}, '');
	$right{$name} = $node->safe_psql('postgres', "SET client_min_messages = error; $query");
	like($right{$name}, qr/^\d+ \w{32}$/, "$name: a result to hold against: $right{$name}");
	cut_off($node, $name, $query, $right{$name}, @shares);
}
for my $name ('logistic_fit', 'survival_curve', 'cox_fit')
{
	cancelled($node, $name, fingerprint_rows(sprintf $call{$name}, ''), $right{$name}, 10);
}

my @kilobytes = map { 1024 + 512 * $_ } 0 .. 15;
for my $name (sort keys %call)
{
	run_out($node, $name, fingerprint_rows(sprintf $call{$name}, 'small_'), @kilobytes);
}

for my $name (sort keys %call)
{
	leaks_nothing($node, $name, fingerprint_rows(sprintf $call{$name}, 'tiny_'), fingerprint_rows(sprintf $call{$name}, 'small_'), 5);
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
