-- crm.sequential_patterns and crm.sequence_rules against their definitions in plain SQL, and the printed results of textbooks; the same result
-- whatever the order of rows, the plan, the time zone and the type of the customers.
BEGIN;
SET LOCAL client_min_messages = error;
SET LOCAL TimeZone = 'UTC';
CREATE SCHEMA test_sequences;
SET LOCAL search_path = test_sequences, public;
SELECT * FROM no_plan();

-- Zaki, SPADE, Machine Learning 42 (2001), figures 1 and 2: all frequent sequences of support 2.
CREATE TABLE zaki AS
SELECT customer_id, timestamptz '2026-01-01' + day * interval '1 day' AS occurred_at, event
FROM (VALUES (1, 10, 'CD'), (1, 15, 'ABC'), (1, 20, 'ABF'), (1, 25, 'ACDF'), (2, 15, 'ABF'), (2, 20, 'E'), (3, 10, 'ABF'), (4, 10, 'DGH'), (4, 20, 'BF'), (4, 25, 'AGH')) v (customer_id, day, word), regexp_split_to_table(word, '') event;
SELECT bag_eq($$SELECT array_to_string(pattern, ' '), count::int FROM crm.sequential_patterns('zaki', 2, itemsets => true, as_of => '2026-06-01')$$,
	$$VALUES ('A', 4), ('B', 4), ('D', 2), ('F', 4), ('A+B', 3), ('A+F', 3), ('B A', 2), ('B+F', 4), ('D A', 2), ('D B', 2), ('D F', 2), ('F A', 2), ('A+B+F', 3), ('B+F A', 2), ('D B+F', 2), ('D B A', 2), ('D F A', 2), ('D B+F A', 2)$$, 'the example of Zaki 2001');

-- Pei et al., PrefixSpan, IEEE Transactions on Knowledge and Data Engineering 16 (2004), tables 1 and 2: 53 patterns of support 2.
CREATE TABLE pei AS
SELECT customer_id, timestamptz '2026-01-01' + place * interval '1 day' AS occurred_at, event
FROM (VALUES (10, 'a abc ac d cf'), (20, 'ad c bc ae'), (30, 'ef ab df c b'), (40, 'e g af c b c')) v (customer_id, sequence), regexp_split_to_table(sequence, ' ') WITH ORDINALITY s (word, place), regexp_split_to_table(word, '') event;
SELECT bag_eq($$SELECT array_to_string(pattern, ' ') FROM crm.sequential_patterns('pei', 2, itemsets => true, max_length => NULL, as_of => '2026-06-01')$$,
	$$SELECT unnest('{a, a a, a b, a b+c, a b+c a, a b a, a b c, a+b, a+b c, a+b d, a+b f, a+b d c, a c, a c a, a c b, a c c, a d, a d c, a f, b, b a, b c, b+c, b+c a, b d, b d c, b f, c, c a, c b, c c, d, d b, d c, d c b,
	e, e a, e a b, e a c, e a c b, e b, e b c, e c, e c b, e f, e f b, e f c, e f c b, f, f b, f b c, f c, f c b}'::text[])$$, 'the example of Pei et al. 2004');

-- Eighty customers with histories of up to 12 events, many of them at the same hours.
CREATE FUNCTION u(seed text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT ('x' || left(md5(seed), 13))::bit(52)::bigint / 2 ^ 52 $$;
CREATE TABLE event AS
SELECT c AS customer_id, timestamptz '2026-03-27' + floor(u('t' || c || '.' || i) * 90) * interval '1 hour' AS occurred_at, (ARRAY['view', 'cart', 'buy', 'Ärger', 'say "x"'])[1 + floor(u('e' || c || '.' || i) ^ 2 * 5)::int] AS event
FROM generate_series(1, 80) c, generate_series(1, 1 + floor(u('n' || c) * 12)::int) i;

-- Patterns of one to three single events by joins: each occurrence, then the fastest of each customer.
CREATE FUNCTION by_definition(source text, min_count int, min_gap interval DEFAULT '0', max_gap interval DEFAULT NULL, span interval DEFAULT NULL, contiguous boolean DEFAULT false)
RETURNS TABLE (pattern text[], count bigint, median_time interval) LANGUAGE plpgsql AS $$
BEGIN
	RETURN QUERY EXECUTE format($sql$
		WITH e AS (SELECT DISTINCT customer_id, occurred_at AS t, event::text AS x, dense_rank() OVER (PARTITION BY customer_id ORDER BY occurred_at) AS m FROM (%s) q),
		two AS (SELECT a.customer_id, ARRAY[a.x, b.x] AS p, a.t AS first, b.t, b.m FROM e a JOIN e b USING (customer_id)
			WHERE b.t > a.t AND b.t - a.t >= $1 AND ($2 IS NULL OR b.t - a.t <= $2) AND ($3 IS NULL OR b.t - a.t <= $3) AND (NOT $4 OR b.m = a.m + 1)),
		three AS (SELECT a.customer_id, a.p || b.x AS p, a.first, b.t FROM two a JOIN e b USING (customer_id)
			WHERE b.t > a.t AND b.t - a.t >= $1 AND ($2 IS NULL OR b.t - a.t <= $2) AND ($3 IS NULL OR b.t - a.first <= $3) AND (NOT $4 OR b.m = a.m + 1)),
		everything AS (SELECT customer_id, ARRAY[x] AS p, t AS first, t FROM e UNION ALL SELECT customer_id, p, first, t FROM two UNION ALL TABLE three),
		fastest AS (SELECT customer_id, p, min(t - first) AS span FROM everything GROUP BY 1, 2)
		SELECT p, count(*), make_interval(secs => percentile_cont(0.5) WITHIN GROUP (ORDER BY extract(epoch FROM span)::float8)) FROM fastest GROUP BY p HAVING count(*) >= %s
	$sql$, source, min_count) USING min_gap, max_gap, span, contiguous;
END $$;
CREATE FUNCTION check_patterns(name text, source text DEFAULT 'TABLE event', min_count int DEFAULT 4, min_gap interval DEFAULT '0', max_gap interval DEFAULT NULL, span interval DEFAULT NULL, contiguous boolean DEFAULT false) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
	n int;
BEGIN
	CREATE TEMP TABLE got ON COMMIT DROP AS SELECT p.pattern, p.count, p.median_time FROM crm.sequential_patterns(source, min_count, 3, min_gap, max_gap, span, contiguous, as_of => '2027-01-01') p;
	CREATE TEMP TABLE want ON COMMIT DROP AS SELECT * FROM by_definition(source, min_count, min_gap, max_gap, span, contiguous);
	SELECT count(*) INTO n FROM want;
	RETURN NEXT bag_eq('TABLE got', 'TABLE want', format('%s: %s patterns', name, n));
	RETURN NEXT cmp_ok(n, '>', 5, 'which are not few');
	DROP TABLE got, want;
END $$;
SELECT check_patterns('without constraints');
SELECT check_patterns('of two customers', min_count => 2);
SELECT check_patterns('min_gap', min_gap => '20 hours');
SELECT check_patterns('max_gap', max_gap => '15 hours');
SELECT check_patterns('window', span => '1 day 12 hours');
SELECT check_patterns('all three', min_gap => '2 hours', max_gap => '1 day', span => '30 hours', min_count => 3);
SELECT check_patterns('contiguous', contiguous => true, min_count => 3);
SELECT check_patterns('contiguous within a day', contiguous => true, max_gap => '24 hours', min_count => 2);
SELECT check_patterns('all of them', contiguous => true, min_gap => '1 hour', max_gap => '24 hours', span => '40 hours', min_count => 2);
SELECT check_patterns('a label that is rare lies between', source => $$SELECT * FROM event UNION ALL SELECT customer_id, occurred_at + interval '30 minutes', 'rare ' || customer_id FROM event WHERE customer_id < 40$$, contiguous => true, min_count => 2);

-- The whole report: shares, lengths, order, no pattern twice.
CREATE TABLE report AS SELECT *, row_number() OVER () AS place FROM crm.sequential_patterns('event', 0.1, max_length => 4, as_of => '2027-01-01');
SELECT is_empty('SELECT * FROM report WHERE length <> cardinality(pattern) OR support <> count / 80.0 OR count < 8 OR (length = 1) <> (median_time = interval $$0$$)', 'length, support, count and time of each pattern agree');
SELECT results_eq('SELECT pattern FROM report ORDER BY place', 'SELECT pattern FROM report ORDER BY count DESC, length, pattern COLLATE "C"', 'the most frequent first, then the shorter, then by the events'' bytes');
SELECT is((SELECT count(DISTINCT pattern) FROM report), (SELECT count(*) FROM report), 'no pattern twice');
SELECT is_empty('SELECT * FROM report WHERE length > 1 AND NOT EXISTS (SELECT FROM report r WHERE r.pattern = report.pattern[2:] AND r.count >= report.count AND r.median_time <= report.median_time + interval $$90 hours$$)', 'the tail of each pattern is one, of no fewer customers');
SELECT is((SELECT count(*) FROM crm.sequential_patterns('event', 8, max_length => 4, as_of => '2027-01-01')), (SELECT count(*) FROM report), 'a number of customers is the share that it is');
SELECT is((SELECT min(count) FROM crm.sequential_patterns($$SELECT i AS customer_id, timestamp '2026-01-01' AS occurred_at, 'e' || (i % 100 < n) || n AS event FROM generate_series(1, 700) i, generate_series(1, 9) n$$, 0.01, max_length => 1, as_of => '2027-01-01')), 7::bigint, 'a share of 0.01 of 700 is 7, not 8');

-- Rules by the counts of their patterns.
CREATE TABLE rule AS SELECT *, row_number() OVER () AS place FROM crm.sequence_rules('event', 0.1, 0.3, max_length => 4, as_of => '2027-01-01');
SELECT bag_eq('SELECT antecedent, consequent, support, count, median_time, confidence::numeric(12, 10), lift::numeric(12, 10) FROM rule', $$
	SELECT a.pattern AS antecedent, c.pattern AS consequent, r.support, r.count, r.median_time, (r.count::float8 / a.count)::numeric(12, 10) AS confidence, (r.count::float8 / a.count / c.support)::numeric(12, 10) AS lift
	FROM report r, generate_series(1, r.length - 1) i, report a, report c
	WHERE a.pattern = r.pattern[:i] AND c.pattern = r.pattern[i + 1:] AND r.count::float8 / a.count >= 0.3
$$, 'rules are all splits of all patterns');
SELECT cmp_ok((SELECT count(*) FROM rule), '>', 20::bigint, 'which are not few');
SELECT is_empty('SELECT * FROM (SELECT *, lead(lift) OVER w AS next_lift, lead(count) OVER w AS next_count FROM rule WINDOW w AS (ORDER BY place)) q WHERE next_lift > lift OR (next_lift = lift AND next_count > count)', 'by lift, then by count');
SELECT is((SELECT count(*) FROM crm.sequence_rules('event', 0.1, 1, max_length => 4, as_of => '2027-01-01')), (SELECT count(*) FROM crm.sequence_rules('event', 0.1, 0, max_length => 4, as_of => '2027-01-01') WHERE confidence = 1), 'certain ones are those of confidence 1');
SELECT bag_eq($$SELECT array_to_string(antecedent, ' ') AS a, array_to_string(consequent, ' ') AS c, lift FROM crm.sequence_rules('zaki', 2, 1, itemsets => true, as_of => '2026-06-01')$$,
	$$VALUES ('D'::text, 'A'::text, 1::float8), ('D', 'B', 1), ('D', 'F', 1), ('D', 'B+F', 1), ('D', 'B A', 2), ('D B', 'A', 1), ('D', 'F A', 2), ('D F', 'A', 1), ('D', 'B+F A', 2), ('D B+F', 'A', 1)$$, 'the certain rules of the example of Zaki');

-- Steps of several events: with every event alone at its moment they change nothing but the way labels are written.
CREATE TABLE apart AS SELECT customer_id, occurred_at + row_number() OVER (PARTITION BY customer_id, occurred_at ORDER BY event) * interval '1 second' AS occurred_at, translate(event, '"', '') AS event FROM (SELECT DISTINCT * FROM event) e;
SELECT bag_eq($$SELECT * FROM crm.sequential_patterns('apart', 0.1, max_length => 3, itemsets => true, as_of => '2027-01-01')$$, $$SELECT * FROM crm.sequential_patterns('apart', 0.1, max_length => 3, as_of => '2027-01-01')$$, 'steps of several events need events of one moment');
CREATE VIEW unquoted AS SELECT customer_id, occurred_at, translate(event, '"', '') AS event FROM event;
SELECT is_empty($$SELECT pattern, count, median_time FROM crm.sequential_patterns('unquoted', 0.1, max_length => 3, as_of => '2027-01-01')
	EXCEPT SELECT pattern, count, median_time FROM crm.sequential_patterns('unquoted', 0.1, max_length => 3, itemsets => true, as_of => '2027-01-01')$$, 'patterns of single events are among those of sets');
SELECT bag_eq($$SELECT pattern[1], count FROM crm.sequential_patterns('event', 3, max_length => 2, itemsets => true, as_of => '2027-01-01') WHERE length = 2 AND cardinality(pattern) = 1$$,
	$$SELECT (CASE WHEN a.x ~ '"' THEN '"say ""x"""' ELSE a.x END) || '+' || (CASE WHEN b.x ~ '"' THEN '"say ""x"""' ELSE b.x END), count(DISTINCT a.customer_id)
		FROM (SELECT customer_id, occurred_at, event COLLATE "C" AS x FROM event) a JOIN (SELECT customer_id, occurred_at, event COLLATE "C" AS x FROM event) b ON a.customer_id = b.customer_id AND a.occurred_at = b.occurred_at AND a.x < b.x GROUP BY 1 HAVING count(DISTINCT a.customer_id) >= 3$$, 'pairs of one moment');

-- The same whatever the rows' order, the plan, the type of the customers and the zone; intervals are elapsed time, so a change of clocks is no matter.
CREATE TABLE expected AS SELECT * FROM crm.sequential_patterns('event', 0.05, max_length => 4, min_gap => '2 hours', max_gap => '2 days', "window" => '3 days', as_of => '2027-01-01');
CREATE FUNCTION same(source text, name text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT results_eq(format('SELECT * FROM crm.sequential_patterns(%L, 0.05, max_length => 4, min_gap => ''2 hours'', max_gap => ''2 days'', "window" => ''3 days'', as_of => ''2027-01-01'')', source), 'TABLE expected', name);
$$;
SELECT cmp_ok((SELECT count(*) FROM expected), '>', 50::bigint, 'a report to hold others against');
SELECT same('SELECT * FROM event ORDER BY md5(customer_id || event || occurred_at)', 'shuffled rows give the same');
SELECT same('SELECT * FROM event ORDER BY occurred_at DESC', 'rows by time too');
SELECT same('SELECT * FROM event ORDER BY customer_id, occurred_at, event', 'sorted rows too');
SELECT same('SELECT * FROM event UNION ALL SELECT * FROM event', 'repeated rows count once');
SELECT same(format('SELECT (%s) AS customer_id, occurred_at, event FROM event', key), format('customers of type %s', type))
FROM (VALUES ('customer_id::int2', 'smallint'), ('md5(customer_id::text)::uuid', 'uuid'), ('''customer number '' || customer_id', 'text'), ('customer_id::numeric', 'numeric'), ('date ''2000-01-01'' + customer_id', 'date'), ('ARRAY[customer_id, 1]', 'integer[]'), ('repeat(''x'', 3000) || customer_id', 'long text')) k (key, type);
SET LOCAL TimeZone = 'Europe/Berlin';
SELECT same('TABLE event', 'in a zone whose clocks change within the events');
SELECT is((SELECT median_time FROM crm.sequential_patterns($$SELECT * FROM (VALUES (1, timestamptz '2026-03-28 12:00', 'a'), (1, '2026-03-29 12:00', 'b')) v (customer_id, occurred_at, event)$$, as_of => '2027-01-01') WHERE length = 2), interval '23 hours', 'noon to noon is 23 hours when clocks are put forward');
SELECT is((SELECT count(*) FROM crm.sequential_patterns($$SELECT * FROM (VALUES (1, timestamptz '2026-10-24 12:00', 'a'), (1, '2026-10-25 12:00', 'b')) v (customer_id, occurred_at, event)$$, max_gap => '1 day', as_of => '2027-01-01') WHERE length = 2), 0::bigint, 'and more than a day when they are put back');
SET LOCAL TimeZone = 'UTC';
CREATE TABLE large AS SELECT customer_id + 1000 * i AS customer_id, occurred_at, event FROM event, generate_series(0, 49) i;
ANALYZE large;
SET LOCAL max_parallel_workers_per_gather = 4;
SET LOCAL parallel_setup_cost = 0;
SET LOCAL parallel_tuple_cost = 0;
SET LOCAL min_parallel_table_scan_size = 0;
SELECT results_eq($$SELECT pattern, support, count / 50, median_time FROM crm.sequential_patterns('SELECT * FROM large WHERE event <> ''''', 0.05, max_length => 4, min_gap => '2 hours', max_gap => '2 days', "window" => '3 days', as_of => '2027-01-01')$$, 'SELECT pattern, support, count, median_time FROM expected', 'fifty times the customers in a parallel plan: the same shares');

-- What is skipped is counted, and is not there.
CREATE TABLE spoilt AS SELECT CASE WHEN n % 17 = 0 THEN NULL ELSE customer_id END AS customer_id, CASE n % 13 WHEN 0 THEN NULL WHEN 1 THEN 'infinity' WHEN 2 THEN '-infinity' ELSE occurred_at END AS occurred_at, CASE WHEN n % 11 = 0 THEN NULL ELSE event END AS event FROM (SELECT *, row_number() OVER (ORDER BY customer_id, occurred_at, event) AS n FROM event) e;
SELECT results_eq($$SELECT * FROM crm.sequential_patterns('spoilt', 3, max_length => 3, as_of => '2026-03-29')$$, $$SELECT * FROM crm.sequential_patterns('SELECT * FROM spoilt WHERE customer_id > 0 AND isfinite(occurred_at) AND occurred_at <= ''2026-03-29'' AND event <> ''''', 3, max_length => 3, as_of => '2027-01-01')$$, 'what is skipped is as if it were not there');
SELECT cmp_ok((SELECT count(*) FROM crm.sequential_patterns('spoilt', 3, max_length => 3, as_of => '2026-03-29')), '>', 20::bigint, 'which leaves something');
SELECT is((SELECT row(function, rows_read, rows_used, skipped_null_key, skipped_null_value, skipped_non_finite, skipped_after_as_of, customers)::text FROM crm.last_run()), (SELECT row('crm.sequential_patterns', count(*), count(*) FILTER (WHERE k AND v AND f AND a), count(*) FILTER (WHERE NOT k), count(*) FILTER (WHERE k AND NOT v), count(*) FILTER (WHERE k AND v AND NOT f), count(*) FILTER (WHERE k AND v AND f AND NOT a), count(DISTINCT customer_id) FILTER (WHERE v AND f AND a))::text FROM (
	SELECT customer_id, customer_id IS NOT NULL AS k, occurred_at IS NOT NULL AND event IS NOT NULL AS v, coalesce(isfinite(occurred_at), false) AS f, coalesce(occurred_at <= '2026-03-29', false) AS a FROM spoilt) q), 'and is counted by its reason');

-- Nothing, one event, one customer, an empty label, long labels, many labels.
SELECT is((SELECT count(*) FROM crm.sequential_patterns('SELECT * FROM event WHERE false')), 0::bigint, 'no rows, no patterns');
SELECT is((SELECT row(p.*)::text FROM crm.sequential_patterns('SELECT 1 AS customer_id, now() AS occurred_at, $$$$ AS event') p), '("{""""}",1,1,1,00:00:00)', 'one event, an empty text');
SELECT is((SELECT count(*) FROM crm.sequence_rules('SELECT 1 AS customer_id, now() AS occurred_at, $$$$ AS event')), 0::bigint, 'which makes no rule');
SELECT results_eq($$SELECT pattern, length, count, median_time FROM crm.sequential_patterns('SELECT 1 AS customer_id, timestamptz ''2026-01-01'' + i * i * interval ''1 s'' AS occurred_at, ''x'' AS event FROM generate_series(1, 9) i', max_length => NULL)$$, $$SELECT array_fill('x'::text, ARRAY[n]), n, 1::bigint, ((n * n) - 1) * interval '1 s' FROM generate_series(1, 9) n$$, 'the same again and again: the fastest occurrence is the first');
SELECT is((SELECT max(length(pattern[2])) FROM crm.sequential_patterns('SELECT 1 AS customer_id, timestamptz ''2026-01-01'' + i * interval ''1 s'' AS occurred_at, repeat(i::text, 100000) AS event FROM generate_series(1, 3) i')), 100000, 'labels that are toasted come back whole');
SELECT is((SELECT count(*) FROM crm.sequential_patterns('SELECT i % 10 AS customer_id, timestamptz ''2026-01-01'' + i * interval ''1 s'' AS occurred_at, i / 20 AS event FROM generate_series(0, 39999) i', 10, max_length => 1)), 2000::bigint, 'two thousand labels');
SELECT is((SELECT row(count(*), min(count), max(length))::text FROM crm.sequential_patterns('SELECT 7 AS customer_id, timestamptz ''2026-01-01'' + i * interval ''1 s'' AS occurred_at, i % 3 AS event FROM generate_series(1, 30000) i', max_length => 2)), '(12,1,2)', 'a customer with 30,000 events');

-- The default source, and sources by name.
SELECT crm.setup() \g /dev/null
INSERT INTO crm.event (customer_id, occurred_at, event) SELECT customer_id, occurred_at, event FROM zaki;
SELECT is((SELECT count(*) FROM crm.sequential_patterns(min_support => 2, as_of => '2026-06-01')), 11::bigint, 'the default source is the events of crm.setup');
SELECT crm.map_source('web', events => 'test_sequences.event') \g /dev/null
SELECT results_eq($$SELECT pattern, count FROM crm.sequential_patterns('web', 0.1, 4, as_of => '2027-01-01')$$, 'SELECT pattern, count FROM report ORDER BY place', 'a source by its name');

-- It writes nothing; it runs as the caller, under row-level security.
SAVEPOINT before;
SET TRANSACTION READ ONLY;
SELECT is((SELECT count(*) FROM crm.sequence_rules('zaki', 2, 1, as_of => '2026-06-01')), 7::bigint, 'it runs in a read-only transaction');
RELEASE SAVEPOINT before;
CREATE ROLE test_sequences_clerk;
GRANT USAGE ON SCHEMA test_sequences, crm TO test_sequences_clerk;
GRANT SELECT ON zaki TO test_sequences_clerk;
ALTER TABLE zaki ENABLE ROW LEVEL SECURITY;
CREATE POLICY mine ON zaki TO test_sequences_clerk USING (customer_id = 2);
CREATE TABLE seen (n bigint);
GRANT INSERT ON seen TO test_sequences_clerk;
SET LOCAL ROLE test_sequences_clerk;
INSERT INTO seen SELECT count(*) FROM crm.sequential_patterns('zaki', 1, as_of => '2026-06-01');
RESET ROLE;
SELECT is((SELECT array_agg(n) FROM seen), '{7}'::bigint[], 'row-level security holds');

SELECT * FROM finish();
ROLLBACK;
