# Prints the highest private memory (RssAnon, kB) of a PostgreSQL backend, of its parallel workers together, and of the
# largest of those.
# Usage: peak.pl PID; ends with the backend.
use strict;
use warnings;

# Give a process's private memory in kB, or undef when it has ended.
sub private_memory
{
	my ($pid) = @_;
	open my $file, '<', "/proc/$pid/status" or return;
	while (<$file>)
	{
		return $1 if /^RssAnon:\s+(\d+)/;
	}
	return;
}

# Give the whole text of a file of /proc, or an empty one.
sub text
{
	open my $file, '<', $_[0] or return '';
	local $/;
	return <$file> // '';
}

my ($leader) = @ARGV;
my ($postmaster) = text("/proc/$leader/status") =~ /^PPid:\s+(\d+)/m or die "no process $leader\n";
my ($leader_peak, %worker_peak, %is_worker) = (0);
for (my $i = 0; defined(my $now = private_memory($leader)); $i++)
{
	$leader_peak = $now if $now > $leader_peak;
	# A new child of the postmaster is looked at until its title tells what it is.
	for my $pid (split ' ', text("/proc/$postmaster/task/$postmaster/children"))
	{
		$is_worker{$pid} = 1 if !$is_worker{$pid} && text("/proc/$pid/cmdline") =~ /parallel worker for PID $leader\b/;
	}
	for my $pid (keys %is_worker)
	{
		my $memory = private_memory($pid);
		delete $is_worker{$pid} if !defined $memory;
		$worker_peak{$pid} = $memory if defined $memory && $memory > ($worker_peak{$pid} // 0);
	}
	select undef, undef, undef, 0.004;
}
my ($workers, $largest) = (0, 0);
for my $peak (values %worker_peak)
{
	$workers += $peak;
	$largest = $peak if $peak > $largest;
}
print "$leader_peak $workers $largest\n";
