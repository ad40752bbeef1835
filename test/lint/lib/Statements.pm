# Reads SQL scripts as statements, for the rules that look at the install script.
package Statements;
use strict;
use warnings;

# Give the statements of a file as [line, text]: comments and psql's own lines gone, blanks collapsed, a dollar-quoted body
# as $$, so that what stands inside a function is never mistaken for the script. BEGIN ATOMIC bodies become $$ too.
sub statements
{
	my ($file) = @_;
	open my $in, '<', $file or die "$file: $!\n";
	my $sql = do { local $/; <$in> };
	my @statements;
	my ($text, $line, $start) = ('', 1, 0);

	while ($sql =~ /\G(
		--[^\n]* | ^\\[^\n]* | \/\*.*?\*\/                     # comments, psql
		| \$([A-Za-z_]*)\$.*?\$\2\$                            # a body
		| \bBEGIN\s+ATOMIC\b.*?;\s*END\b                       # a body of the standard's form
		| '(?:[^']|'')*' | "[^"]*"                             # literals
		| ; | \s+ | \w+ | . )/gsmxi)
	{
		my $token = $1;
		my $lines = ($token =~ tr/\n//);
		if ($token eq ';')
		{
			push @statements, [ $start, tidy($text) ] if $text =~ /\S/;
			($text, $start) = ('', 0);
		}
		elsif ($token =~ /^(?:--|\\|\/\*)/ || $token =~ /^\s+$/)
		{
			$text .= ' ';
		}
		else
		{
			$start ||= $line;
			$text .= $token =~ /^(?:\$|BEGIN\s)/i && length $token > 1 ? '$$' : $token;
		}
		$line += $lines;
	}
	push @statements, [ $start, tidy($text) ] if $text =~ /\S/;
	return @statements;
}

sub tidy
{
	my ($text) = @_;
	$text =~ s/\s+/ /g;
	$text =~ s/^ | $//g;
	return $text;
}

# Split at the commas that stand in no parentheses.
sub split_list
{
	my ($list) = @_;
	my ($depth, @items) = (0, '');
	for my $token ($list =~ /('(?:[^']|'')*'|[^'])/g)
	{
		$depth += ($token eq '(' || $token eq '[') - ($token eq ')' || $token eq ']');
		if ($token eq ',' && $depth == 0) { push @items, '' }
		else { $items[-1] .= $token }
	}
	return grep { /\S/ } map { tidy($_) } @items;
}

my %alias = (
	'double precision' => 'float8', 'real' => 'float4', 'integer' => 'int4', 'int' => 'int4', 'bigint' => 'int8',
	'smallint' => 'int2', 'boolean' => 'bool', 'decimal' => 'numeric', 'character varying' => 'varchar',
	'timestamp with time zone' => 'timestamptz', 'timestamp without time zone' => 'timestamp');

# Give the input types of an argument list, names, defaults and output arguments left out.
sub types
{
	my ($list) = @_;
	my @types;
	$list =~ s/\bORDER BY\b/,/gi;
	for my $argument (split_list($list))
	{
		$argument =~ s/\s*(?:\bDEFAULT\b|=).*//si;
		next if $argument =~ s/^(OUT|TABLE)\s+//i;
		$argument =~ s/^(?:IN|INOUT|VARIADIC)\s+//i;
		my $type = lc $argument;
		$type =~ s/^(?:\w+|"[^"]+") (?=\S)// unless $type =~ /^(?:double precision|character varying|timestamp with|time with|bit varying)/;
		$type =~ s/^(?:\@extschema\@|crm|pg_catalog|public)\.//;
		my ($bare, $array) = $type =~ /^(.*?)\s*((?:\[\])*)$/;
		push @types, ($alias{$bare} // $bare) . $array;
	}
	return join ', ', @types;
}

1;
