# What the tests of dumps share: what is in a database, told in texts that can be compared.
package Dump;
use strict;
use warnings;
use Exporter 'import';
use PostgreSQL::Test::Utils;
use Test::More;

our @EXPORT = qw(contents columns dump_of triggers same);

# Give all tables of the user's: name, rows, and a digest of the rows in any order.
sub contents
{
	my ($node, $database) = @_;
	my $list = $node->safe_psql($database, q{SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname IN ('crm', 'public') ORDER BY 1});
	return join "\n", map {
		"$_ " . $node->safe_psql($database, qq{SET search_path = ''; SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text COLLATE "C")), '') FROM ONLY $_ t})
	} split /\n/, $list;
}

# Give the columns of all tables as the catalogue has them, numbers and dropped ones included.
sub columns
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, q{SELECT attrelid::regclass, attnum, attname, atttypid, attnotnull, atthasdef, attidentity, attgenerated, attisdropped
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('crm'::regnamespace, 'public'::regnamespace) AND attnum > 0 ORDER BY 1::text, 2});
}

# Give a dump's text; the key of \restrict (in dumps since 2025) differs from dump to dump.
sub dump_of
{
	my ($node, $database) = @_;
	my ($out, $errors) = run_command([ 'pg_dump', '-h', $node->host, '-p', $node->port, '--no-sync', $database ]);
	is($errors, '', "$database: pg_dump is quiet");
	$out =~ s/^\\(un)?restrict .*$//mg;
	return $out;
}

# One test: two long texts have the same lines, in whatever order pg_dump took them; says which are not in both.
sub same
{
	my ($got, $expected, $name) = @_;
	my (%got, %expected);
	$got{$_}++ for split /\n/, $got;
	$expected{$_}++ for split /\n/, $expected;
	ok(join("\n", sort split /\n/, $got) eq join("\n", sort split /\n/, $expected), $name)
		or diag(join "\n", (map { "+ $_" } grep { !$expected{$_} } sort keys %got), (map { "- $_" } grep { !$got{$_} } sort keys %expected));
	return;
}

# Give the triggers of a database's tables.
sub triggers
{
	my ($node, $database) = @_;
	return $node->safe_psql($database, q{SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname});
}

1;
