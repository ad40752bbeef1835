# Replication of tracked tables and of their log: logical replication doubles nothing, a hot standby reads it.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $publisher = cluster('publisher', [ 'wal_level = logical', 'wal_keep_size = 256MB' ], allows_streaming => 'logical');
my $subscriber = cluster('subscriber', [ 'max_logical_replication_workers = 8', 'max_sync_workers_per_subscription = 4' ]);
my %tracked = (orders => '', visits => q{, level => 'row'});
for my $node ($publisher, $subscriber)
{
	$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT crm.setup()');
	for my $table (sort keys %tracked)
	{
		$node->safe_psql('postgres', "CREATE TABLE $table (id bigint PRIMARY KEY, customer_id bigint, ordered_at timestamptz, amount float8);
			SELECT crm.track('$table', 'customer_id', occurred_at => 'ordered_at', columns => '{amount}'$tracked{$table})");
	}
}
sub writes
{
	my ($node, $from) = @_;
	for my $table (sort keys %tracked)
	{
		$node->safe_psql('postgres', qq{
			INSERT INTO $table SELECT i, i % 50 + 1, timestamptz '2025-01-01' + i * interval '1 hour', i FROM generate_series($from, $from + 1999) i;
			UPDATE $table SET amount = amount + 1 WHERE id BETWEEN $from AND $from + 99;
			DELETE FROM $table WHERE id BETWEEN $from + 100 AND $from + 149;
			BEGIN; INSERT INTO $table VALUES (-1, 1); ROLLBACK;});
	}
	return;
}
sub contents { return map { "SELECT count(*), md5(string_agg(t::text, ';' ORDER BY t::text)) FROM $_ t" } sort(keys %tracked), 'crm.interaction' }
sub same
{
	my ($name) = @_;
	$publisher->wait_for_catchup($_) for $subscriber->safe_psql('postgres', 'SELECT subname FROM pg_subscription') =~ /(\S+)/g;
	is($subscriber->safe_psql('postgres', $_), $publisher->safe_psql('postgres', $_), "$name: $_") for contents();
	return;
}

# The tables alone: the subscriber's triggers stay silent, as the log is not meant to be written there.
writes($publisher, 1);
$publisher->safe_psql('postgres', 'CREATE PUBLICATION tables FOR TABLE orders, visits');
my $connection = $publisher->connstr . ' dbname=postgres';
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION tables CONNECTION '$connection' PUBLICATION tables");
$subscriber->wait_for_subscription_sync($publisher, 'tables');
writes($publisher, 10_001);
$publisher->wait_for_catchup('tables');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM orders'), $publisher->safe_psql('postgres', 'SELECT count(*) FROM orders'), 'the tables are replicated');
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM crm.interaction'), '0', 'what is replicated is not logged again');

# The log as well.
$publisher->safe_psql('postgres', 'CREATE PUBLICATION log FOR TABLE crm.interaction');
$subscriber->safe_psql('postgres', "CREATE SUBSCRIPTION log CONNECTION '$connection' PUBLICATION log");
$subscriber->wait_for_subscription_sync($publisher, 'log');
same('after the copy');
writes($publisher, 20_001);
$publisher->safe_psql('postgres', q{TRUNCATE visits; SELECT crm.log_interaction(7, 'call'); SELECT crm.prune_interactions('2000-01-01')});
same('after writes');
is($publisher->safe_psql('postgres', q{SELECT count(*) FROM crm.interaction WHERE reference IN ('public.orders', 'public.visits') AND action <> 'truncate'}), 2 * 3 * 2150, 'the log has each change once');

# The subscriber takes over: it logs its own writes, with numbers of its own.
$subscriber->safe_psql('postgres', 'DROP SUBSCRIPTION tables; DROP SUBSCRIPTION log');
my $before = $subscriber->safe_psql('postgres', 'SELECT count(*) FROM crm.interaction');
$subscriber->safe_psql('postgres', 'SELECT * FROM crm.resync_sequences()');
writes($subscriber, 30_001);
is($subscriber->safe_psql('postgres', 'SELECT count(*) FROM crm.interaction'), $before + 2 * 2150, 'after the move its own writes are logged');
is($subscriber->safe_psql('postgres', 'SELECT count(*) - count(DISTINCT interaction_id) FROM crm.interaction'), '0', 'with numbers that nobody had');

# A hot standby reads.
$publisher->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($publisher, 'base', has_streaming => 1);
$standby->start;
writes($publisher, 40_001);
$publisher->wait_for_catchup($standby, 'replay', $publisher->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'a standby in recovery');
for my $query ('SELECT * FROM crm.timeline(7)', "SELECT * FROM crm.timeline(7, '2025-01-01', '2026-01-01')", 'SELECT * FROM crm.tracking_status()',
	"SELECT * FROM crm.rfm('SELECT customer_id, ordered_at, amount FROM orders', as_of => '2026-01-01') ORDER BY customer_id", contents())
{
	my $result = $publisher->safe_psql('postgres', $query);
	ok($result ne '' && $standby->safe_psql('postgres', "BEGIN READ ONLY; $query") eq $result, "standby: $query");
}
for my $write (q{SELECT crm.log_interaction(1, 'call')}, q{SELECT crm.track('orders', 'customer_id')}, 'INSERT INTO orders VALUES (0)')
{
	my ($out, $messages) = session($standby, 'postgres', $write);
	like($messages, qr/cannot (?:execute|acquire|set|assign) .*(?:read-only transaction|during recovery|recovery is in progress)/, "standby: $write fails");
}

no_trouble($_) for $publisher, $subscriber, $standby;
done_testing();
