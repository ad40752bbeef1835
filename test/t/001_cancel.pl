# A cancel or a timeout ends an analytic at any point: the session goes on, gives the right result, and holds no memory.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop', [ 'max_parallel_workers_per_gather = 2', 'min_parallel_table_scan_size = 0', 'maintenance_work_mem = 512MB' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
orders($node, 'postgres', 'orders', 250_000);
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE TABLE features AS SELECT customer_id, monetary, frequency, extract(epoch FROM recency) AS recency FROM crm.rfm('orders', as_of => '2026-01-01');
	ANALYZE features;
	CREATE TABLE lines AS SELECT b AS basket_id, floor(400 ^ ((hashint4(b * 16 + i) & 65535) / 65536.0))::int AS item_id FROM generate_series(1, 60000) b, generate_series(1, 10) i;
	ANALYZE lines});

my %call = (
	bigint => q{crm.rfm('orders', as_of => '2026-01-01')},
	text => q{crm.rfm(NULL::text, source => 'SELECT customer_id::text AS customer_id, ordered_at, amount FROM orders', as_of => '2026-01-01', method => 'ntile')},
	period => q{crm.rfm('orders', as_of => '2026-01-01', period => '1 day')},
	kmeans => q{crm.kmeans('features', k => 8, n_init => 2)},
	itemsets => q{crm.frequent_itemsets('lines', 20)},
	itemsets_text => q{crm.frequent_itemsets('SELECT md5(basket_id::text) AS basket_id, item_id::text FROM lines', 60, target => 'closed', algorithm => 'fpgrowth')},
	itemsets_advice => q{(SELECT itemsets AS count, longest AS length FROM crm.advise_support('lines')) a},
	itemsets_arrays => q{(SELECT jsonb_array_length(crm.itemsets(b, 60)) AS count, 1 AS length FROM (SELECT crm.basket(item_id) AS b FROM lines GROUP BY basket_id) l) a},
	select_k => q{crm.kmeans_select_k('features', k_max => 4, n_init => 2)},
	window => q{(SELECT crm.kmeans_cluster(ARRAY[monetary, frequency, recency], 8) OVER () AS cluster, monetary AS distance FROM features) w});
sub sum
{
	return "SELECT count(*), sum(cluster), sum(distance::numeric) FROM $_[0]" if $_[0] =~ /kmeans\(|kmeans_cluster\(/;
	return "SELECT sum(count), sum(length), count(*) FROM $_[0]" if $_[0] =~ /itemsets\(|advise_support\(/;
	return "SELECT count(*), sum(k), sum(inertia::numeric), sum(stability::numeric) FROM $_[0]" if $_[0] =~ /kmeans_select_k/;
	return "SELECT count(*), sum(score), sum(frequency), sum(monetary::numeric) FROM $_[0]";
}

my %right;
for my $name (sort keys %call)
{
	$right{$name} = $node->safe_psql('postgres', 'SET client_min_messages = error; ' . sum($call{$name}));
	like($right{$name}, qr/^(?:2\d{5}|3|\d{5,7})\|\d+\|\d+/, "$name: a result to hold against: $right{$name}");
}

# Run attempts in one session, each cut off by a timeout, then one to the end. Returns states, last result and the rest.
# A timeout that comes as the query ends hits the ROLLBACK; so there is a second one.
sub timeouts
{
	my ($name, $settings, @shares) = @_;
	my $script = join "\n", "SET client_min_messages = error;", $settings, "SELECT clock_timestamp() AS began \\gset", sum($call{$name}) . " \\g /dev/null",
		"SELECT 'workers', workers FROM crm.last_run();", "SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset",
		"SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \\gset",
		(map { ("SELECT greatest(1, round(:whole * $_)) AS share \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;',
			sum($call{$name}) . " \\g /dev/null", '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;') } @shares),
		"SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';",
		"SELECT 'files', count(*) FROM pg_ls_tmpdir();",
		"SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;",
		sum($call{$name}) . ';';
	my ($out, $messages) = session($node, 'postgres', $script);
	return ($out, $messages);
}

# The shares reach each phase: reading, merging, scoring, writing; those after the end find a query that is over.
for my $name (sort keys %call)
{
	# k-means and itemsets collect their rows in this process, whatever the plan below.
	for my $workers ($name =~ /kmeans|select_k|window|itemsets/ ? 0 : (0, 2))
	{
		my $test = "$name, $workers workers";
		my ($out, $messages) = timeouts($name, "SET max_parallel_workers_per_gather = $workers;",
			0, 0, 0.15, 0.3, 0.45, 0.6, 0.7, 0.8, 0.9, 1);
		like($out, $workers ? qr/^workers\|[1-9]$/m : qr/^workers\|0?$/m, "$test: the plan is what it should be") if $name !~ /^window$|arrays/;
		my @cut = $out =~ /^state 57014 true$/mg;
		note("$test: " . @cut . ' of 10 attempts were cut off');
		cmp_ok(scalar(@cut), '>=', 2, "$test: a timeout of 1 ms cuts it off");
		unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$test: no other error");
		like($out, qr/^names\|0$/m, "$test: no memory context is left");
		like($out, qr/^files\|0$/m, "$test: no temporary file is left");
		my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
		cmp_ok($growth, '<', 1024 * 1024, "$test: the session's memory has not grown");
		is((split /\n/, $out)[-1], $right{$name}, "$test: then the same session gives the right result");
	}
}

# The source itself cancels at a row, so that the moment is certain: at the first rows, in the middle, at the last.
my $rows = $node->safe_psql('postgres', 'SELECT count(*) FROM orders');
for my $at (1, int($rows / 2), $rows)
{
	my $source = "SELECT customer_id, ordered_at, CASE row_number() OVER () WHEN $at THEN pg_cancel_backend(pg_backend_pid())::int ELSE amount END AS amount FROM orders";
	my ($out, $messages) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;',
		sum("crm.rfm(\$\$$source\$\$, as_of => '2026-01-01')") . ';', '\echo state :LAST_ERROR_SQLSTATE :ERROR', sum($call{bigint}) . ';');
	is($out, "state 57014 true\n$right{bigint}", "cancelled by row $at of its own source, then right");
}

# Another session cancels, again and again, until it has hit; the victim's session lives on.
for my $workers (0, 2)
{
	my ($in, $out, $messages) = ('', '', '');
	my $victim = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-v', 'VERBOSITY=verbose' ],
		'<', \$in, '>', \$out, '2>', \$messages);
	$in = join "\n", "SET application_name = 'victim';", 'SET client_min_messages = error;', "SET max_parallel_workers_per_gather = $workers;",
		map({ sum($call{bigint}) . ';' } 1 .. 15), 'SELECT pg_sleep(600);', '\\echo over', '';
	until ($out =~ /^over$/m || !$victim->pumpable)
	{
		$victim->pump_nb;
		$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid), pg_sleep(random() * 0.5) FROM pg_stat_activity
			WHERE application_name = 'victim' AND state = 'active' AND backend_type = 'client backend'});
	}
	$in .= sum($call{bigint}) . ";\n";
	$victim->finish;
	my $hits = () = $messages =~ /ERROR:  57014: canceling statement due to user request/g;
	note("$workers workers: $hits cancels, " . (() = $out =~ /^\Q$right{bigint}\E$/mg) . ' results');
	cmp_ok($hits, '>=', 1, "$workers workers: another session cancels");
	unlike($messages, qr/ERROR:  (?!57014)|FATAL|server closed/, "$workers workers: nothing else goes wrong");
	is(join("\n", grep { !/^(?:over)?$/ && $_ ne $right{bigint} } split /\n/, $out), '', "$workers workers: a result is right or there is none");
	like($out, qr/over\n\Q$right{bigint}\E\n\z/, "$workers workers: then the same session gives the right result");
}

no_trouble($node);
done_testing();
