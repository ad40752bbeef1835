# What the Perl tests share: a cluster with simulated orders, sessions that go on after an error, and fingerprints.
package Shop;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(cluster orders session fingerprint as_of no_trouble);

# The moment that all reports of these tests speak of.
sub as_of { return q{'2026-01-01'} }

# Start a cluster of that name with lines of configuration; allows_streaming => 1 for one that has standbys.
sub cluster
{
	my ($name, $lines, %options) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init(%options, extra => [ '--no-locale', '--encoding=UTF8' ]);
	$node->append_conf('postgresql.conf', join "\n", 'jit = off', "timezone = 'UTC'", @{ $lines // [] }, '');
	$node->start;
	return $node;
}

# Make a table of simulated orders, about nine a customer; key is an expression over the bigint customer_id. Among them
# are rows that no report can use: no customer, no amount, no finite time or amount, after as_of, and some refunds.
sub orders
{
	my ($node, $database, $table, $customers, $key) = @_;
	$key //= 'customer_id';
	$node->safe_psql($database, qq{
		CREATE TABLE $table AS
		SELECT CASE WHEN n % 1009 = 0 THEN NULL ELSE $key END AS customer_id,
			CASE WHEN n % 1013 = 0 THEN 'infinity' ELSE ordered_at END AS ordered_at,
			CASE n % 1019 WHEN 0 THEN NULL WHEN 1 THEN 'NaN' WHEN 2 THEN '-Infinity' WHEN 3 THEN -amount ELSE amount END AS amount
		FROM (SELECT row_number() OVER () AS n, *
			FROM crm.simulate_orders($customers, '2024-01-01', '2026-01-05', r => 2.2, alpha => 11, a => 0.5, b => 20)) o;
		ANALYZE $table});
	return;
}

# Run a script in one session that goes on after errors; gives its output, its messages, and psql's exit status.
sub session
{
	my ($node, $database, $script, %options) = @_;
	my ($out, $messages);
	my $status = $node->psql($database, $script, stdout => \$out, stderr => \$messages, on_error_stop => 0,
		extra_params => $options{role} ? [ '-U', $options{role} ] : []);
	return ($out, $messages, $status);
}

# Give an expression for all rows of a query in one word, in the order of the keys.
sub fingerprint
{
	my ($query) = @_;
	return qq{SELECT pg_catalog.count(*) || ' ' || pg_catalog.md5(pg_catalog.string_agg(t::pg_catalog.text, E'\\n' ORDER BY (t.customer_id::pg_catalog.text COLLATE "C"))) FROM ($query) t};
}

# One test: the server never went down, and lost track of nothing.
sub no_trouble
{
	my ($node) = @_;
	my @lines = grep { /PANIC:|TRAP:|terminated by signal|\bleak/ } split /\n/, slurp_file($node->logfile);
	is(join("\n", @lines), '', $node->name . ': no crash and no leak in the log');
	return;
}

1;
