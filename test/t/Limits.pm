# What the tests of limits share: an analytic cut off at many points of its run, too little memory for it, and what is left
# in a session after many calls, whole ones and ones cut off.
package Limits;
use strict;
use warnings;
use Exporter 'import';
use IPC::Run;
use List::Util 'min';
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

# A server that starts from here gives every larger block back to the system at once, so that the size of a process tells
# what it holds, not what shape its heap happens to have.
BEGIN
{
	$ENV{MALLOC_MMAP_THRESHOLD_} = 65536;
	$ENV{MALLOC_TRIM_THRESHOLD_} = 65536;
}

our @EXPORT = qw(fingerprint_rows cut_off cancelled run_out leaks_nothing);

# Give a query for all rows of a call in one word; doubles as they stand, rows in the order they come.
sub fingerprint_rows
{
	my ($call) = @_;
	return qq{SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, ',')), '-') FROM $call t};
}

# A timeout at shares of the whole time, in one session: that and no other error, then the right result; no memory context
# and no megabyte more. How late it came is told and decides nothing: it is the machine's, too.
sub cut_off
{
	my ($node, $name, $query, $right, @shares) = @_;
	my ($out, $messages) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;', "$query \\g /dev/null", "SELECT clock_timestamp() AS began \\gset", "$query \\g /dev/null",
		"SELECT 1000 * extract(epoch FROM clock_timestamp() - :'began') AS whole \\gset", '\echo whole :whole', 'SELECT sum(total_bytes) AS before FROM pg_backend_memory_contexts \gset',
		(map { ("SELECT greatest(1, round(:whole * $_)) AS share, clock_timestamp() AS began \\gset", 'BEGIN;', 'SET LOCAL statement_timeout = :share;',
			"$query \\g /dev/null", '\echo state :LAST_ERROR_SQLSTATE :ERROR', 'ROLLBACK;', 'ROLLBACK;',
			"SELECT 'late', round(1000 * extract(epoch FROM clock_timestamp() - :'began') - :share);") } @shares),
		"SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';", "SELECT 'files', count(*) FROM pg_ls_tmpdir();",
		"SELECT 'growth', sum(total_bytes) - :before FROM pg_backend_memory_contexts;", "$query;");
	my ($whole) = $out =~ /^whole (\d+)/m;
	my @cut = $out =~ /^state 57014 true$/mg;
	my @late = sort { $a <=> $b } $out =~ /^late\|(-?\d+)$/mg;
	note("$name: of $whole ms, " . @cut . ' of ' . @shares . " attempts were cut off, half of them at most $late[@late / 2] ms late, all $late[-1] ms");
	cmp_ok(scalar(@cut), '>=', 2, "$name: a timeout cuts it off");
	unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$name: no other error");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	like($out, qr/^files\|0$/m, "$name: no temporary file is left");
	my ($growth) = $out =~ /^growth\|(-?\d+)$/m;
	cmp_ok($growth, '<', 1024 * 1024, "$name: the session's memory has not grown");
	is((split /\n/, $out)[-1], $right, "$name: then the same session gives the right result");
	return;
}

# Another session cancels each of several runs, after waits that differ; the victim's session lives on.
sub cancelled
{
	my ($node, $name, $query, $right, $runs) = @_;
	my ($in, $out, $messages) = ('', '', '');
	my $victim = IPC::Run::start([ $node->installed_command('psql'), '-XAtq', '-d', $node->connstr('postgres'), '-v', 'VERBOSITY=verbose' ],
		'<', \$in, '>', \$out, '2>', \$messages, IPC::Run::timeout(300));
	$in = join "\n", "SET application_name = 'victim';", 'SET client_min_messages = error;', map({ "$query;" } 1 .. $runs), 'SELECT pg_sleep(600);', '\\echo over', '';
	until ($out =~ /^over$/m || !$victim->pumpable)
	{
		$victim->pump_nb;
		$node->safe_psql('postgres', q{SELECT pg_cancel_backend(pid), pg_sleep(random() * 0.3) FROM pg_stat_activity
			WHERE application_name = 'victim' AND state = 'active' AND backend_type = 'client backend'});
	}
	$in .= "$query;\n";
	$victim->finish;
	my $hits = () = $messages =~ /ERROR:  57014: canceling statement due to user request/g;
	note("$name: $hits cancels, " . (() = $out =~ /^\Q$right\E$/mg) . ' results');
	cmp_ok($hits, '>=', 1, "$name: another session cancels");
	unlike($messages, qr/ERROR:  (?!57014)|FATAL|server closed/, "$name: nothing else goes wrong");
	is(join("\n", grep { !/^(?:over)?$/ && $_ ne $right } split /\n/, $out), '', "$name: a result is right or there is none");
	like($out, qr/over\n\Q$right\E\n\z/, "$name: then the same session gives the right result");
	return;
}

# From 1 MB in steps until it is enough: the documented error below, the right result above.
sub run_out
{
	my ($node, $name, $query, @kilobytes) = @_;
	my $right = $node->safe_psql('postgres', "SET client_min_messages = error; SET maintenance_work_mem = '512MB'; $query");
	my ($out, $messages) = session($node, 'postgres', join "\n", '\set VERBOSITY verbose', 'SET client_min_messages = error;',
		(map { ("SET maintenance_work_mem = $_;", "$query;", "\\echo $_ :SQLSTATE") } @kilobytes),
		q{SELECT 'names', count(*) FROM pg_backend_memory_contexts WHERE name LIKE 'crm%';});
	my %state = $out =~ /^(\d+) (\w{5})$/mg;
	my @refused = grep { $state{$_} eq '54000' } @kilobytes;
	note("$name: refused up to " . ($refused[-1] // 0) . ' kB; ' . join ', ', do { my %seen; grep { !$seen{$_}++ } $messages =~ /ERROR:  54000: (.+?) needs?/g });
	is($state{ $kilobytes[0] }, '54000', "$name: $kilobytes[0] kB is refused");
	is(scalar(() = $messages =~ /ERROR:  /g), scalar(() = $messages =~ /ERROR:  54000: .+? needs? \d+ MB, maintenance_work_mem is \d+ MB\n(?:DETAIL:  .*\n)?HINT:  Increase maintenance_work_mem, or .*\.\n/g),
		"$name: each error has its message and hint") or diag($messages);
	is("@refused", "@kilobytes[0 .. $#refused]", "$name: refused up to some size, and never above");
	cmp_ok(scalar(@refused), '<', scalar(@kilobytes), "$name: enough is enough");
	is(scalar(grep { $_ eq $right } split /\n/, $out), @kilobytes - @refused, "$name: with enough memory, the result is right");
	like($out, qr/^names\|0$/m, "$name: no memory context is left");
	return;
}

# Many short calls in one session leave nothing: neither in memory contexts nor, by the process's private pages, outside
# them. Then as many that a timeout of so many milliseconds ends, which must leave nothing of a library that allocates by
# itself. What leaks grows in every round; a page touched for the first time does not, so the round that grew least tells.
sub leaks_nothing
{
	my ($node, $name, $query, $long, $milliseconds) = @_;
	my ($rounds, $calls) = (3, 100);
	my $size = q{SELECT sum(total_bytes) || ' ' || (SELECT regexp_replace(pg_read_file('/proc/self/status', 0, 10000), '.*RssAnon:\s*(\d+).*', '\1')) FROM pg_backend_memory_contexts;};
	my $loop = "DO \$limits\$ DECLARE answer text; BEGIN FOR i IN 1 .. %s LOOP $query INTO answer; END LOOP; END \$limits\$;";
	my @cut = ("SET statement_timeout = $milliseconds;", ("$long \\g /dev/null") x $calls, 'RESET statement_timeout;', $size);
	my ($out, $messages) = session($node, 'postgres', join "\n", 'SET client_min_messages = error;', (sprintf($loop, $calls), $size) x ($rounds + 1),
		"$long \\g /dev/null", (@cut) x ($rounds + 1));
	my @size = map { [split / /] } $out =~ /^(\d+ \d+)$/mg;
	is(scalar(@size), 2 * ($rounds + 1), "$name: $rounds rounds of $calls calls, and as many cut off") or diag("$out\n" . substr($messages, 0, 2000));
	return if @size != 2 * ($rounds + 1);
	my $cut = () = $messages =~ /canceling statement due to statement timeout/g;
	note("$name: " . join(', ', map { "$_->[0] bytes and $_->[1] kB" } @size) . "; $cut of " . $calls * ($rounds + 1) . ' were cut off');
	for my $part ([ 0, "$calls calls" ], [ $rounds + 1, "$calls cut off" ])
	{
		my ($from, $what) = @$part;
		my @round = @size[$from .. $from + $rounds];
		cmp_ok($round[-1][0] - $round[0][0], '<=', 65536, "$name: $what left nothing in memory contexts");
		cmp_ok(min(map { $round[$_][1] - $round[ $_ - 1 ][1] } 1 .. $rounds), '<=', 64, "$name: nor elsewhere");
	}
	unlike($messages, qr/ERROR:(?!.*canceling statement due to statement timeout)/, "$name: no other error");
	return;
}

1;
