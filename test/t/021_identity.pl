# Many sessions resolve the same keys at once, singly and in bulk: one customer a key, no customer without one, no error.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop');
my $folder = PostgreSQL::Test::Utils::tempdir();
$node->safe_psql('postgres', 'CREATE EXTENSION crm; SELECT count(*) FROM crm.setup()');

# Keys are few, so that sessions meet; some transactions roll back, some hold what they have for a while.
my %script = (
	single => q{SELECT crm.resolve_customer('shop', (random() * 300)::int::text);},
	bulk => q{SELECT count(*) FROM crm.resolve_customers('shop', ARRAY(SELECT (random() * 1000)::int::text FROM generate_series(1, 60)));},
	rollback => qq{BEGIN;\nSELECT count(*) FROM crm.resolve_customers('shop', ARRAY(SELECT (random() * 1000)::int::text FROM generate_series(1, 20)));\nROLLBACK;},
	hold => qq{BEGIN;\nSELECT crm.resolve_customer('shop', (random() * 1000)::int::text);\n\\sleep 2 ms\nCOMMIT;});
my @files;
for my $name (sort keys %script)
{
	append_to_file("$folder/$name.sql", "$script{$name}\n");
	push @files, '-f', "$folder/$name.sql";
}
my ($out, $errors) = run_command([ 'pgbench', '-n', '-c', '8', '-j', '2', '-t', '250', '-h', $node->host, '-p', $node->port, @files, 'postgres' ]);
like($out, qr/number of transactions actually processed: 2000\/2000/, 'all transactions came to their end');
unlike($errors, qr/ERROR|aborted/, 'without an error') or diag($errors);
is($node->safe_psql('postgres', q{SELECT count(*) = count(DISTINCT customer_id), count(*) > 900 FROM crm.customer_identity}), 't|t', 'each key has a customer of its own');
is($node->safe_psql('postgres', q{SELECT count(*) FROM crm.customer WHERE customer_id NOT IN (SELECT customer_id FROM crm.customer_identity)}), '0', 'no customer is an orphan');
is($node->safe_psql('postgres', q{SELECT count(*) FROM crm.resolve_customers('shop', ARRAY(SELECT n::text FROM generate_series(0, 1000) n)) r JOIN crm.customer_identity i ON i.source = 'shop' AND i.external_id = r.external_id AND i.customer_id = r.customer_id}),
	'1001', 'and each is found again');

# A hundred thousand keys at once; the bound is generous, for machines under load.
my $seconds = time;
is($node->safe_psql('postgres', q{SELECT count(DISTINCT customer_id) FROM crm.resolve_customers('bulk', ARRAY(SELECT md5(n::text) FROM generate_series(1, 100000) n))}), '100000', '100,000 keys at once');
$seconds = time - $seconds;
cmp_ok($seconds, '<', 30, "in $seconds s");

no_trouble($node);
$node->stop;
done_testing();
