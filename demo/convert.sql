-- The rows of a CSV file, text in "incoming", become the tables of an application: customer and purchase.
\set SHOW_CONTEXT never

UPDATE incoming SET customer_id = nullif(btrim(customer_id), '') WHERE customer_id IS DISTINCT FROM nullif(btrim(customer_id), '');

DO $$
DECLARE
	type record;
	line record;
BEGIN
	IF NOT EXISTS (SELECT FROM incoming) THEN
		RAISE EXCEPTION 'the file has a header, but no rows';
	END IF;
	FOR type IN VALUES ('ordered_at', 'timestamptz', 'a time, such as 2025-12-31 14:30'), ('amount', 'numeric', 'a number, such as 1234.50') LOOP
		BEGIN
			EXECUTE format('SELECT count(nullif(btrim(%I), '''')::%s) FROM incoming', type.column1, type.column2);
		EXCEPTION WHEN data_exception THEN
			-- Which one was it?
			FOR line IN EXECUTE format('SELECT row, nullif(btrim(%I), '''') AS value FROM incoming ORDER BY row', type.column1) LOOP
				BEGIN
					EXECUTE format('SELECT $1::%s', type.column2) USING line.value;
				EXCEPTION WHEN data_exception THEN
					RAISE EXCEPTION '% of row % is "%", which is not %', type.column1, line.row, left(line.value, 60), type.column3;
				END;
			END LOOP;
			RAISE;
		END;
	END LOOP;
END
$$;

-- The type of the keys: integers that look the same when written back (00012 is another key than 12), uuids, or text.
SELECT CASE
		WHEN count(customer_id) = 0 THEN 'text'
		WHEN bool_and(CASE WHEN customer_id ~ '^-?[0-9]{1,18}$' THEN customer_id::bigint::text = customer_id ELSE customer_id IS NULL END)
			THEN 'bigint'
		WHEN bool_and(coalesce(customer_id ~* '^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$', true)) THEN 'uuid'
		ELSE 'text'
	END AS key_type
FROM incoming \gset

CREATE TABLE customer (id :key_type PRIMARY KEY, name text);
CREATE TABLE purchase (
	purchase_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	buyer :key_type REFERENCES customer,
	bought_at timestamptz,
	total numeric
);
INSERT INTO customer (id) SELECT DISTINCT CAST(customer_id AS :key_type) FROM incoming WHERE customer_id IS NOT NULL;
INSERT INTO purchase (buyer, bought_at, total)
SELECT CAST(customer_id AS :key_type), nullif(btrim(ordered_at), '')::timestamptz, nullif(btrim(amount), '')::numeric
FROM incoming ORDER BY row;
DROP TABLE incoming;
ANALYZE customer, purchase;

SELECT format('%s customers, keys of type %s', to_char(count(*), 'FM999,999,999,999'), :'key_type') FROM customer;
