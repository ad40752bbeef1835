# The tables of crm.setup() are the user's: dumps restore them whole, four ways, with all that the user added; DROP EXTENSION
# leaves them as they are, and CREATE EXTENSION with crm.setup() works on them again.
use strict;
use warnings;
use FindBin;
use lib $FindBin::Bin;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Shop;
use Test::More;

my $node = cluster('shop');
my $folder = PostgreSQL::Test::Utils::tempdir();
my @connection = ('-h', $node->host, '-p', $node->port);
$node->safe_psql('postgres', "CREATE ROLE $_ LOGIN") for qw(installer reader);

# Run a script that must not say a word.
sub quiet
{
	my ($database, $name, $script, $role) = @_;
	my ($out, $messages) = session($node, $database, "\\set VERBOSITY default\n$script", role => $role);
	is($messages, '', $name);
	return $out;
}

# Give all tables of the user's: name, rows, and a digest of the rows in any order.
sub contents
{
	my ($database) = @_;
	my $list = $node->safe_psql($database, q{SELECT format('%I.%I', n.nspname, c.relname) FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
		WHERE c.relkind = 'r' AND n.nspname IN ('crm', 'public') ORDER BY 1});
	return join "\n", map {
		"$_ " . $node->safe_psql($database, qq{SET search_path = ''; SELECT count(*) || ' ' || coalesce(md5(string_agg(t::text, '|' ORDER BY t::text COLLATE "C")), '') FROM ONLY $_ t})
	} split /\n/, $list;
}

# Give the columns of all tables as the catalogue has them, numbers and dropped ones included.
sub columns
{
	my ($database) = @_;
	return $node->safe_psql($database, q{SELECT attrelid::regclass, attnum, attname, atttypid, attnotnull, atthasdef, attidentity, attgenerated, attisdropped
		FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid WHERE c.relkind IN ('r', 'p') AND c.relnamespace IN ('crm'::regnamespace, 'public'::regnamespace) AND attnum > 0 ORDER BY 1::text, 2});
}

# Give a dump's text; the key of \restrict (in dumps since 2025) differs from dump to dump.
sub dump_of
{
	my ($database) = @_;
	my ($out, $errors) = run_command([ 'pg_dump', @connection, '--no-sync', $database ]);
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

# What a user does with the tables. Whatever pg_dump loses of a member table is here.
my $additions = q{
	ALTER TABLE crm.customer ADD COLUMN region text NOT NULL DEFAULT 'north', ADD COLUMN gone text, ADD COLUMN score numeric(6,2),
		ADD COLUMN region_upper text GENERATED ALWAYS AS (pg_catalog.upper(region)) STORED;
	ALTER TABLE crm.customer DROP COLUMN gone;
	ALTER TABLE crm.customer ADD CONSTRAINT score_is_small CHECK (score < 1000), ADD CONSTRAINT name_region UNIQUE (customer_id, region);
	CREATE INDEX customer_name_lower ON crm.customer (lower(name)) WHERE lifecycle <> 'churned';
	CREATE INDEX customer_attributes ON crm.customer USING gin (attributes);
	CREATE STATISTICS crm.customer_region ON region, kind FROM crm.customer;
	ALTER TABLE crm.customer ENABLE ROW LEVEL SECURITY;
	CREATE POLICY north_only ON crm.customer FOR SELECT TO reader USING (region = 'north');
	CREATE FUNCTION public.note_change() RETURNS trigger LANGUAGE plpgsql AS $f$
	BEGIN
		INSERT INTO public.change (what) VALUES (TG_TABLE_NAME || ' ' || TG_OP);
		RETURN NEW;
	END
	$f$;
	CREATE TABLE public.change (n bigint GENERATED ALWAYS AS IDENTITY, what text);
	CREATE TRIGGER note_change AFTER INSERT OR UPDATE ON crm.customer FOR EACH ROW EXECUTE FUNCTION public.note_change();
	CREATE TRIGGER note_change AFTER INSERT ON crm.interaction FOR EACH ROW EXECUTE FUNCTION public.note_change();
	CREATE RULE no_truth AS ON DELETE TO crm.model DO INSTEAD NOTHING;
	COMMENT ON TABLE crm.customer IS 'our customers';
	COMMENT ON COLUMN crm.customer.name IS 'as on the invoice';
	COMMENT ON COLUMN crm.customer.region IS 'sales region';
	COMMENT ON INDEX crm.customer_name_lower IS 'for the search field';
	GRANT USAGE ON SCHEMA crm TO reader;
	GRANT SELECT ON crm.customer, crm.interaction TO reader;
	GRANT SELECT (source) ON crm.customer_identity TO reader;
	ALTER TABLE crm.interaction ALTER COLUMN detail SET STORAGE external, ADD COLUMN branch text;
	CREATE TABLE public.visit (visit_id int PRIMARY KEY, customer_id bigint NOT NULL REFERENCES crm.customer ON DELETE CASCADE, at timestamptz);
	CREATE VIEW public.customer_list AS SELECT c.customer_id, c.name, i.source, i.external_id FROM crm.customer c JOIN crm.customer_identity i USING (customer_id);
	CREATE TABLE crm.mine (x int);
	INSERT INTO crm.mine VALUES (1), (2);
};
my $rows = q{
	CREATE TABLE public.orders (order_id int PRIMARY KEY, user_id uuid, bought_at timestamptz, total numeric);
	SELECT count(*) FROM crm.resolve_customers('shop', ARRAY(SELECT md5(n::text)::uuid::text FROM generate_series(1, 300) n));
	UPDATE crm.customer SET name = 'Customer ' || customer_id, attributes = jsonb_build_object('n', customer_id, 'text', E'\\\\ \t \n ''"'), birthday = CASE WHEN customer_id % 3 = 0 THEN date '1980-02-29' END,
		kind = CASE WHEN customer_id % 5 = 0 THEN 'organisation' ELSE 'person' END, lifecycle = (ARRAY['lead', 'prospect', 'customer', 'churned'])[1 + customer_id % 4],
		region = CASE WHEN customer_id % 2 = 0 THEN 'north' ELSE 'south' END, score = customer_id / 7.0;
	INSERT INTO crm.contact_point (customer_id, kind, given, is_primary) SELECT customer_id, 'mail', ' C' || customer_id || '@Example.org', true FROM crm.customer;
	INSERT INTO crm.contact_point (customer_id, kind, given, label) SELECT customer_id, 'phone', '+41 44 ' || customer_id, 'work' FROM crm.customer WHERE customer_id % 2 = 0;
	INSERT INTO crm.interaction (customer_id, occurred_at, source, kind, channel, direction, action, reference, reference_key, detail, agent, transaction_id)
	SELECT n % 300, date_trunc('month', now()) - n * interval '3 hours', 'shop', 'call', 'phone', 'in', 'log', 'public.orders', n::text, jsonb_build_object('n', n), 'anna', '77'::xid8 FROM generate_series(1, 1000) n;
	INSERT INTO crm.model (name, family, parameters) VALUES ('m', 'rfm', '{"bins": 5}');
	INSERT INTO public.orders SELECT n, md5((n % 300 + 1)::text)::uuid, '2025-01-01'::timestamptz + n * interval '7 hours', n % 83 FROM generate_series(1, 1000) n;
	INSERT INTO public.visit SELECT n, n, now() FROM generate_series(1, 50) n;
	SELECT crm.map_source('shop', orders => 'SELECT user_id AS customer_id, bought_at AS ordered_at, total AS amount FROM public.orders');
	INSERT INTO crm.region (region_id, parent_id, name) VALUES (1, 2, 'Alps'), (2, NULL, 'Europe');
	INSERT INTO crm.agent (agent_id, name, region_id) VALUES (1, 'Anna', 1);
	UPDATE crm.customer SET owner_id = 1, region_id = 1 WHERE customer_id % 7 = 0;
	INSERT INTO crm.consent (customer_id, purpose, status) SELECT customer_id, 'marketing', 'given' FROM crm.customer WHERE customer_id % 11 = 0;
	INSERT INTO crm.product (product_id, sku, name) VALUES (1, 'B-1', 'Bike');
	INSERT INTO crm.currency_rate VALUES ('EUR', '2020-01-01', 0.9);
	INSERT INTO crm.sales_order (customer_id, ordered_at, amount, currency) SELECT customer_id, now(), 100, CASE WHEN customer_id % 2 = 0 THEN 'EUR' END FROM crm.customer WHERE customer_id <= 200;
	INSERT INTO crm.sales_order_item (customer_id, sales_order_id, line_number, product_id, quantity, unit_price) SELECT customer_id, sales_order_id, 1, 1, 1, 100 FROM crm.sales_order;
	INSERT INTO crm.sales_return (customer_id, sales_order_id, returned_at, amount) SELECT customer_id, sales_order_id, now(), 40 FROM crm.sales_order WHERE sales_order_id % 3 = 0;
	DELETE FROM crm.currency_rate;
	INSERT INTO crm.lost_reason (lost_reason_id, name) VALUES (1, 'price');
	INSERT INTO crm.opportunity (customer_id, name, amount) SELECT customer_id, 'Deal', 100 FROM crm.customer WHERE customer_id <= 50;
	UPDATE crm.opportunity o SET pipeline_stage_id = s.pipeline_stage_id, lost_reason_id = CASE s.outcome WHEN 'lost' THEN 1 END FROM crm.pipeline_stage s WHERE s.place = 1 + o.customer_id % 6;
};
my $tracking = q{SELECT crm.track('public.orders', customer => 'user_id', source => 'shop', kind => 'order', columns => '{total}', create_customers => true)};

my $report = q{SELECT md5(string_agg(r::text, '|' ORDER BY customer_id)) FROM crm.rfm(key => NULL::uuid, as_of => '2026-01-01') r};

# Whose database, whose extension, and how the log is kept.
my %kind = (plain => [ 'installer', 'crm.setup()' ], partitioned => [ undef, 'crm.setup(partition_interactions => true)' ]);
for my $database (sort keys %kind)
{
	my ($role, $setup) = @{ $kind{$database} };
	$node->safe_psql('postgres', "CREATE DATABASE $database" . ($role ? " OWNER $role" : ''));
	$node->safe_psql($database, "GRANT ALL ON SCHEMA public TO $role") if $role;
	quiet($database, "$database: installed and set up", "CREATE EXTENSION crm; SELECT * FROM $setup;", $role);
	my $can_track = $node->safe_psql($database, q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace AND proname = 'track'});
	quiet($database, "$database: the user's additions", $additions, $role);
	quiet($database, "$database: rows", $rows, $role);
	if ($can_track)
	{
		quiet($database, "$database: tracked", "$tracking; INSERT INTO public.orders SELECT n, md5(n::text)::uuid, '2025-06-01', 5 FROM generate_series(2001, 2100) n; UPDATE public.orders SET total = total + 1 WHERE order_id > 2050;", $role);
	}
	is($node->safe_psql($database, 'SELECT sum(moved) > 0 FROM crm.maintain_partitions()'), $role ? '' : 't', "$database: rows go to their partitions, where there are any");
	my ($contents, $columns, $text) = (contents($database), columns($database), dump_of($database));
	my $result = $node->safe_psql($database, $report);
	like($contents, qr/^crm\.customer \d{3} /m, "$database: there are rows to lose");
	unlike($text, qr/CREATE FUNCTION crm\.|ALTER EXTENSION/, "$database: the dump has no function of the extension");

	# Four ways; and roles stay owners.
	my $archive = "$folder/$database.dump";
	command_ok([ 'pg_dump', @connection, '--no-sync', '-Fc', '-f', $archive, $database ], "$database: pg_dump -Fc");
	my %restore = (
		whole => [ [] ],
		parallel => [ [ '-j', '4' ] ],
		single => [ ['--single-transaction'] ],
		halves => [ [ '--section=pre-data', '--section=post-data', '--schema-only' ], [ '--data-only', '--disable-triggers' ] ]);
	for my $way (sort keys %restore)
	{
		my $copy = "${database}_$way";
		$node->safe_psql('postgres', "CREATE DATABASE $copy TEMPLATE template0" . ($role ? " OWNER $role" : ''));
		$node->safe_psql($copy, "GRANT ALL ON SCHEMA public TO $role") if $role;
		command_ok([ 'pg_restore', @connection, '--exit-on-error', '-d', $copy, @$_, $archive ], "$copy: pg_restore @$_") for @{ $restore{$way} };
		same(contents($copy), $contents, "$copy: every row is back, and none twice");
		same(dump_of($copy), $text, "$copy: its dump is the first one's");
		is($node->safe_psql($copy, $report), $result, "$copy: the default source gives the same");
		is($node->safe_psql($copy, q{SELECT installed_by FROM crm.schema_version}), $role // (getpwuid $<)[0], "$copy: who made it");

		# What was restored is set up again, and nothing changes.
		my $out = quiet($copy, "$copy: set up again", q{SELECT string_agg(DISTINCT action, ' ') FROM crm.setup(); SELECT count(*) FROM crm.schema_version;});
		is($out, "kept\n1", "$copy: nothing was made");
		same(dump_of($copy), $text, "$copy: and nothing changed");

		# It goes on where it was: the application as it is, and crm.setup() when its owner, who is not who restored, is granted the functions.
		quiet($copy, "$copy: the application goes on", q{INSERT INTO public.orders VALUES (9000, md5('9000')::uuid, '2025-07-01', 1);}, $role);
		$node->safe_psql($copy, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA crm TO $role") if $role;
		quiet($copy, "$copy: set up by its owner", 'SELECT count(*) FROM crm.setup()', $role);
		$out = quiet($copy, "$copy: new rows", q{
			SELECT crm.resolve_customer('shop', md5('1')::uuid::text) = (SELECT customer_id FROM crm.customer_identity WHERE external_id = md5('1')::uuid::text);
			SELECT crm.resolve_customer('shop', 'new') > (SELECT max(customer_id) FROM crm.customer WHERE customer_id NOT IN (SELECT customer_id FROM crm.customer_identity WHERE external_id = 'new'));
			SELECT name IS NULL, region, region_upper FROM crm.customer WHERE customer_id = crm.find_customer('shop', 'new');}, $role);
		is($out, "t\nt\nt|north|NORTH", "$copy: goes on where it was");
		$node->safe_psql('postgres', "DROP DATABASE $copy");
	}

	# Rows alone, into tables that were set up anew: the sequences do not know of them.
	{
		my $copy = "${database}_rows";
		$node->safe_psql('postgres', "CREATE DATABASE $copy TEMPLATE template0");
		$node->safe_psql($copy, "CREATE EXTENSION crm; SELECT count(*) FROM crm.setup();");
		my ($rows_alone) = run_command([ 'pg_dump', @connection, '--no-sync', '--data-only', '--column-inserts', '-t', 'crm.customer_identity', $database ]);
		my $list = $node->safe_psql($database, q{SELECT string_agg('(' || customer_id || ')', ',') FROM crm.customer});
		$node->safe_psql($copy, "INSERT INTO crm.customer (customer_id) VALUES $list; $rows_alone");
		my ($out, $messages) = session($node, $copy, q{SELECT crm.resolve_customer('shop', 'new')});
		like($messages, qr/duplicate key value violates unique constraint "customer_pkey"/, "$copy: a number is taken already");
		is($node->safe_psql($copy, q{SELECT value = (SELECT max(customer_id) FROM crm.customer) FROM crm.resync_sequences() WHERE relation = 'crm.customer'}), 't', "$copy: crm.resync_sequences()");
		is($node->safe_psql($copy, q{SELECT crm.resolve_customer('shop', 'new') = (SELECT max(customer_id) FROM crm.customer)}), 'f', "$copy: the snapshot does not see the new customer yet");
		is($node->safe_psql($copy, q{SELECT crm.find_customer('shop', 'new') = (SELECT max(customer_id) FROM crm.customer)}), 't', "$copy: now numbers go on behind the last");
		$node->safe_psql('postgres', "DROP DATABASE $copy");
	}

	# DROP EXTENSION leaves every table, column and row, and the extension finds its way back.
	my $before = triggers($database);
	$node->safe_psql($database, 'DROP EXTENSION crm CASCADE');
	same(contents($database), $contents, "$database: DROP EXTENSION leaves every row");
	same(columns($database), $columns, "$database: and every column");
	is($node->safe_psql($database, q{SELECT count(*) FROM pg_proc WHERE pronamespace = 'crm'::regnamespace}), '0', "$database: no function stays");
	quiet($database, "$database: the application goes on", q{INSERT INTO public.orders VALUES (3000, md5('3000')::uuid, '2025-07-01', 1); DELETE FROM public.orders WHERE order_id = 3000;}, $role);
	same(contents($database), $contents, "$database: as if nothing were");
	quiet($database, "$database: created and set up again", "CREATE EXTENSION crm; SELECT * FROM crm.setup();", $role);
	same(dump_of($database), $text, "$database: its dump is the one from before");
	is(triggers($database), $before, "$database: and its triggers are");
	is($node->safe_psql($database, $report), $result, "$database: the default source gives the same");

	# To uninstall, the user's own objects must go first; then nothing of the CRM stays but what is the user's.
	my ($out, $messages) = session($node, $database, q{SELECT crm.uninstall('drop all customer data')}, role => $role);
	like($messages, qr/cannot drop desired object\(s\) because other objects depend on them/, "$database: uninstall stops at what others built");
	same(contents($database), $contents, "$database: and drops nothing");
	quiet($database, "$database: uninstalled", q{DROP VIEW public.customer_list; DROP TABLE public.visit; SELECT crm.uninstall('drop all customer data');}, $role);
	is($node->safe_psql($database, q{SELECT string_agg(relname, ' ' ORDER BY relname) FROM pg_class WHERE relnamespace = 'crm'::regnamespace AND relkind IN ('r', 'p', 'v', 'S')}), 'mine', "$database: the user's table in schema crm stays");
	quiet($database, "$database: the application goes on", q{INSERT INTO public.orders VALUES (3000, md5('3000')::uuid, '2025-07-01', 1);}, $role);
}

# Give the triggers of a database's tables.
sub triggers
{
	my ($database) = @_;
	return $node->safe_psql($database, q{SELECT pg_get_triggerdef(oid) FROM pg_trigger WHERE NOT tgisinternal ORDER BY tgrelid::regclass::text, tgname});
}

no_trouble($node);
$node->stop;
done_testing();
