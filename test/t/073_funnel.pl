# Funnels, patterns and sessions over one group of ten million events: a cancel lands within 100 ms in any phase, in the final
# function, too; too small a maintenance_work_mem is the documented error, also among workers; the session goes on and holds
# no memory.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use IPC::Run;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('funnel', [ 'max_parallel_workers_per_gather = 0', 'maintenance_work_mem = 512MB', 'shared_buffers = 256MB', 'work_mem = 64MB', 'parallel_setup_cost = 0', 'parallel_tuple_cost = 0' ]);
$node->safe_psql('postgres', q{
	CREATE EXTENSION crm;
	CREATE FUNCTION events(n bigint) RETURNS TABLE (at timestamptz, event int) LANGUAGE sql IMMUTABLE AS
	$$ SELECT timestamptz '2026-01-01' + hashint8extended(i, 1) % 1000000 * interval '1 second', (hashint8extended(i, 2) & 7)::int FROM generate_series(1, n) i $$;
	CREATE TABLE event AS SELECT * FROM events(1000000);
	CREATE TABLE sorted AS SELECT * FROM event ORDER BY at;
	ANALYZE event, sorted});
my $started = $node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()');

my %call = (
	funnel => q{SELECT crm.window_funnel('1 hour', at, event = 1, event = 2, event = 3, event = 4) FROM %s},
	once => q{SELECT crm.window_funnel('10 minutes', 'strict_once', at, event IN (1, 2), event IN (1, 2, 3), event IN (1, 3), event IN (2, 4), event = 77) FROM %s},
	order => q{SELECT crm.window_funnel('1 day', 'strict_order, allow_reentry', at, event < 8, event = 78, event = 79) FROM %s},
	pattern => q{SELECT crm.sequence_count($$(?1)(?t>=3600)(?2).*(?3)(?t<=60)(?4)(?4)$$, at, event < 2, event = 2, event = 3, event = 4) FROM %s},
	retained => q{SELECT crm.retained(event = 1, event = 77) FROM %s},
	sessions => q{SELECT max(s) FROM (SELECT crm.sessionize(at, '1 second') OVER (ORDER BY at) AS s FROM %s) s});

# Each phase of each: a timeout at many shares of the whole time.
for my $name (sort keys %call)
{
	my $query = sprintf $call{$name}, 'event';
	my $right = $node->safe_psql('postgres', $query);
	like($right, qr/^(?:\d+|\{t,f\})$/, "$name: a result to hold against: $right");
	my ($out, $messages) = session($node, 'postgres', join "\n", "SELECT clock_timestamp() AS began \\gset", "$query \\g /dev/null",
		"SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset", "SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \\gset",
		(map { ("SELECT greatest(1, round(:whole * $_)) AS share \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;', "$query \\g /dev/null", '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;') } 0, 0.2, 0.4, 0.6, 0.8, 0.9, 1),
		"SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;", "$query;");
	my @cut = $out =~ /^state 57014 true$/mg;
	note("$name: " . @cut . ' of 7 attempts were cut off');
	cmp_ok(scalar(@cut), '>=', 2, "$name: a timeout cuts it off");
	unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$name: no other error");
	my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
	cmp_ok($growth, '<', 1024 * 1024, "$name: the session's memory has not grown");
	is((split /\n/, $out)[-1], $right, "$name: then the same session gives the right result");
	is($node->safe_psql('postgres', sprintf($call{$name}, 'sorted')), $right, "$name: rows in order give the same");
	is($node->safe_psql('postgres', "SET max_parallel_workers_per_gather = 2; SET min_parallel_table_scan_size = 0; $query"), $right, "$name: and so do workers");
}

# Ten million events in one group. The last row takes a lock; once another session sees it, all that is left is the final
# function: its sort, or with times of few values its search. A cancel then lands at once.
$node->safe_psql('postgres', q{CREATE FUNCTION last_row() RETURNS int LANGUAGE plpgsql VOLATILE AS $$ BEGIN PERFORM pg_advisory_lock(73); RETURN 7; END $$});
my $ten = q{(SELECT %s AS at, event FROM events(9999999) UNION ALL SELECT timestamptz '2026-01-05', last_row()) e};
my @final = (
	[ 'the sort of a funnel', q{crm.window_funnel('1 hour', at, event = 1, event = 2, event = 3, event = 4, event = 5, event = 6, event = 7, event = 0, event = 77)}, 'at', 0.1 ],
	[ 'the search of strict_once', q{crm.window_funnel('1 day', 'strict_once', at, event IN (1, 2, 0), event IN (1, 2, 3), event IN (1, 3, 6), event IN (2, 4), event IN (1, 5, 7), event = 77)}, q{date_trunc('day', at)}, 0.3 ],
	[ 'the sort of a pattern', q{crm.sequence_count($$(?1)(?t>=3600)(?2)(?t<=60)(?9)$$, at, event = 1, event = 2, event = 3, event = 4, event = 5, event = 6, event = 7, event = 0, event = 77)}, 'at', 0.1 ]);
for my $case (@final)
{
	my ($name, $call, $time, $after) = @$case;
	my ($in, $out, $messages) = ('', '', '');
	my $victim = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-v', 'VERBOSITY=verbose' ],
		'<', \$in, '>', \$out, '2>', \$messages);
	$in = join "\n", "SET application_name = 'victim';", "SELECT $call FROM " . sprintf($ten, $time) . ';', q{\echo state :SQLSTATE},
		"SELECT 'ended', extract(epoch FROM clock_timestamp());", 'SELECT pg_advisory_unlock_all();', "SELECT 'held', sum(total_bytes) FROM pg_backend_memory_contexts;", '';
	$victim->pump_nb;
	my $cancelled = $node->safe_psql('postgres', qq{
		DO \$\$ BEGIN FOR i IN 1 .. 60000 LOOP EXIT WHEN EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 73); PERFORM pg_sleep(0.005); END LOOP; PERFORM pg_sleep($after); END \$\$;
		WITH victim AS MATERIALIZED (SELECT pid FROM pg_stat_activity WHERE application_name = 'victim')
		SELECT extract(epoch FROM clock_timestamp()) FROM victim WHERE pg_cancel_backend(pid)});
	$victim->finish;
	like($messages, qr/\A(?:psql:\S+ )?ERROR:  57014: canceling statement due to user request/, "$name is cancelled");
	like($out, qr/^state 57014$/m, "$name: it was still at work");
	my ($ended) = $out =~ /^ended\|([\d.]+)$/m;
	my $late = 1000 * (($ended // 1e9) - $cancelled);
	note(sprintf '%s: %.0f ms late', $name, $late);
	cmp_ok($late, '<=', 1000, "$name: soon, within 100 ms but for what else the machine does");
	my ($held) = $out =~ /^held\|(\d+)$/m;
	cmp_ok($held, '<', 20 * 1024 * 1024, "$name: and the memory is back");
}

# One group's events within maintenance_work_mem, 16 bytes each: enough is enough, one less is the error.
my $count = 131072;
for my $workers (0, 2)
{
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', "SET max_parallel_workers_per_gather = $workers;", 'SET min_parallel_table_scan_size = 0;',
		"SET maintenance_work_mem = '2MB';", map { ("SELECT crm.window_funnel('1 day', at, event < 8) FROM (SELECT * FROM event LIMIT $_) e;",
			"SELECT crm.sequence_match('(?1)', at, event < 8) FROM (SELECT * FROM event LIMIT $_) e;") } $count, $count + 1);
	is($out, "1\nt", "$workers workers: so many fit");
	my @errors = $messages =~ /(ERROR:  54000: a group's list of events needs 3 MB, maintenance_work_mem is 2 MB\n.*DETAIL:  \d+ events, 16 bytes each\.)/g;
	is(scalar(@errors), 2, "$workers workers: one more is the error");
	($out, $messages) = session($node, 'postgres', "SET max_parallel_workers_per_gather = $workers; SET min_parallel_table_scan_size = 0; SET maintenance_work_mem = '2MB'; SELECT crm.window_funnel('1 day', at, event < 8) FROM event");
	like($messages, qr/ERROR:  a group's list of events needs \d+ MB, maintenance_work_mem is 2 MB/, "$workers workers: and so are many more");
}

is($node->safe_psql('postgres', 'SELECT pg_postmaster_start_time()'), $started, 'the server never went down');
no_trouble($node);
done_testing();
