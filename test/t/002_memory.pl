# Too small a maintenance_work_mem ends an analytic by the documented error, whoever of the participants hits it; the
# session and the server go on, and with enough of it the result is the one that plenty gives.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop', [ 'min_parallel_table_scan_size = 0', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0' ]);
$node->safe_psql('postgres', 'CREATE EXTENSION crm');
orders($node, 'postgres', 'orders', 15_000);
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my $text = q{SELECT md5(customer_id::text) AS customer_id, ordered_at, amount FROM orders};
my $numeric = q{SELECT customer_id::numeric AS customer_id, ordered_at, amount FROM orders};
my %call = (
	'bigint' => q{SELECT * FROM crm.rfm('orders', as_of => '2026-01-01')},
	'bigint, ntile' => q{SELECT * FROM crm.rfm('orders', as_of => '2026-01-01', method => 'ntile')},
	'bigint, period' => q{SELECT * FROM crm.rfm('orders', as_of => '2026-01-01', period => '1 day')},
	'text' => "SELECT * FROM crm.rfm(NULL::text, source => '$text', as_of => '2026-01-01')",
	'numeric, ntile' => "SELECT * FROM crm.rfm(NULL::numeric, source => '$numeric', as_of => '2026-01-01', method => 'ntile')");
my %plan = (
	'serial' => 'SET max_parallel_workers_per_gather = 0;',
	'parallel' => 'SET max_parallel_workers_per_gather = 2;',
	'workers alone' => 'SET max_parallel_workers_per_gather = 2; SET parallel_leader_participation = off;',
	'group road' => q{SET crm.road = 'group';});

my @kilobytes = map { 1024 + 400 * $_ } 0 .. 13;

my $message = qr/ERROR:  54000: the table of customers needs \d+ MB, maintenance_work_mem is (\d+) MB\n/;
my $detail = qr/DETAIL:  \d+ customers from \d+ rows so far, \d+ bytes a customer\.\n/;
my $hint = qr/HINT:  Increase maintenance_work_mem, or give a source with fewer rows\.\n/;

for my $name (sort keys %call)
{
	my $right = $node->safe_psql('postgres', 'SET client_min_messages = error; ' . fingerprint($call{$name}));
	for my $plan (sort keys %plan)
	{
		# From 1 MB in small steps until it is enough: the limit bites in each phase that takes memory.
		my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;', $plan{$plan},
			(map { ("SET maintenance_work_mem = $_;", fingerprint($call{$name}) . ';', "\\echo $_ :SQLSTATE") } @kilobytes),
			q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
		my %state = $out =~ /^(\d+) (\w{5})$/mg;
		my @refused = grep { $state{$_} eq '54000' } @kilobytes;
		my @errors = $messages =~ /ERROR:  (\w{5})/g;
		my $test = "$name, $plan";
		is($state{1024}, '54000', "$test: 1 MB is refused");
		is(scalar(@errors), scalar(() = $messages =~ /$message$detail$hint/g), "$test: each error has its message, detail and hint");
		is("@refused", "@kilobytes[0 .. $#refused]", "$test: refused up to $refused[-1] kB, and never above");
		cmp_ok(scalar(@refused), '<', scalar(@kilobytes), "$test: enough is enough");
		is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$test: with enough memory, the result is right");
		like($out, qr/^names\|0$/m, "$test: no memory context is left");
		if ($plan eq 'workers alone' && $name eq 'text') # short keys of one worker's share fit into 1 MB
		{
			like($messages, qr/$message$detail$hint.*CONTEXT:  parallel worker/s, "$test: a worker raised it");
		}
	}
}
# k-means tells its whole need at once: with that much it runs, with less it does not, and no memory is left.
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE TABLE features AS SELECT customer_id, monetary, frequency, extract(epoch FROM recency) AS recency FROM crm.rfm('orders', as_of => '2026-01-01'), generate_series(1, 3)});
my %clustering = (
	'kmeans' => q{SELECT customer_id, cluster, distance FROM crm.kmeans('features', k => 6)},
	'kmeans, k found' => q{SELECT customer_id, cluster, distance FROM crm.kmeans('features', k_max => 4, n_init => 1)},
	'kmeans, text' => q{SELECT customer_id, cluster, distance FROM crm.kmeans(key => NULL::text, source => 'SELECT md5(customer_id::text) AS customer_id, monetary, frequency, recency FROM features', k => 6)},
	'kmeans, transformed' => q{SELECT customer_id, cluster, distance FROM crm.kmeans('features', k => 6, transform => 'yeo-johnson', scale => 'robust', winsorize => '{0.01, 0.99}')},
	'kmeans_cluster' => q{SELECT customer_id, crm.kmeans_cluster(ARRAY[monetary, frequency, recency], 6) OVER () FROM features});
for my $name (sort keys %clustering)
{
	my $right = $node->safe_psql('postgres', 'SET client_min_messages = error; ' . fingerprint($clustering{$name}));
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", fingerprint($clustering{$name}) . ';', "\\echo $_ :SQLSTATE") } @kilobytes),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @kilobytes;
	my @errors = $messages =~ /ERROR:  (\w{5})/g;
	is($state{1024}, '54000', "$name: 1 MB is refused");
	is(scalar(@errors), scalar(() = $messages =~ /ERROR:  54000: k-means needs \d MB, maintenance_work_mem is \d MB\nDETAIL:  \d+ rows x [46] centres\nHINT:  Increase maintenance_work_mem, or reduce k(?:_max)? or the number of rows\.\n/g),
		"$name: each error has its message, detail and hint");
	is("@refused", "@kilobytes[0 .. $#refused]", "$name: refused up to $refused[-1] kB, and never above");
	cmp_ok(scalar(@refused), '<', scalar(@kilobytes), "$name: enough is enough");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$name: with enough memory, the result is right");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
}
# Itemsets: reading says how far it came; what does not fit says which support would, and it does.
$node->safe_psql('postgres', 'CREATE TABLE lines AS SELECT b AS basket_id, floor(400 ^ ((hashint4(b * 16 + i) & 65535) / 65536.0))::int AS item_id FROM generate_series(1, 12000) b, generate_series(1, 10) i');
my %mining = (
	'itemsets' => q{SELECT items::text AS customer_id, count, support FROM crm.frequent_itemsets('lines', %s)},
	'itemsets, text, closed' => q{SELECT items::text AS customer_id, count, support FROM crm.frequent_itemsets('SELECT md5(basket_id::text) AS basket_id, item_id::text FROM lines', %s, target => 'closed')},
	'itemsets, fpgrowth' => q{SELECT items::text AS customer_id, count, support FROM crm.frequent_itemsets('lines', %s, algorithm => 'fpgrowth')});
for my $name (sort keys %mining)
{
	my $low = sprintf($mining{$name}, 4);
	my $right = $node->safe_psql('postgres', fingerprint($low));
	my @steps = map { 1024 + 400 * $_ } 0 .. 22;
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose',
		(map { ("SET maintenance_work_mem = $_;", fingerprint($low) . ';', "\\echo $_ :SQLSTATE") } @steps),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @steps;
	my @errors = $messages =~ /ERROR:  (\w{5})/g;
	my @reading = $messages =~ /ERROR:  54000: the (?:table of )?baskets needs? \d+ MB, maintenance_work_mem is \d+ MB\nDETAIL:  \d+ baskets(?:, \d+ items| and \d+ items from \d+ rows so far)\.\nHINT:  Increase maintenance_work_mem, or give a source with fewer rows\.\n/g;
	my @counts = $messages =~ /ERROR:  54000: itemset mining needs \d+ MB, maintenance_work_mem is \d+ MB\nDETAIL:  \d+ itemsets so far, in at least 4 of 12000 baskets\.\nHINT:  Increase maintenance_work_mem, or (?:raise min_support: at (\d+) baskets \(\S+\) the itemsets fit|give max_length, items_in or items_out)\.\n/g;
	is($state{1024}, '54000', "$name: 1 MB is refused");
	is(scalar(@errors), @reading + @counts, "$name: each error has its message, detail and hint");
	cmp_ok(scalar(@reading), '>=', 1, "$name: reading is refused");
	cmp_ok(scalar(grep { defined } @counts), '>=', 1, "$name: so are the sets, with a support that fits");
	is("@refused", "@steps[0 .. $#refused]", "$name: refused up to $refused[-1] kB, and never above");
	cmp_ok(scalar(@refused), '<', scalar(@steps), "$name: enough is enough");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @steps - @refused, "$name: with enough memory, the result is right");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	# the advice of the last error, at the memory that was too small
	my $fits = sprintf($mining{$name}, $counts[-1]);
	my ($fitting) = session($node, 'postgres', "SET maintenance_work_mem = $refused[-1];\n" . fingerprint($fits) . ';');
	is($fitting, $node->safe_psql('postgres', fingerprint($fits)), "$name: at $counts[-1] baskets it fits, as the error said");
}
is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
