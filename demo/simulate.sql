-- A shop's own tables, as an application might have them, filled with two years of simulated orders.
CREATE TABLE customer (id uuid PRIMARY KEY, name text NOT NULL);
CREATE TABLE purchase (
	purchase_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	buyer uuid NOT NULL REFERENCES customer,
	bought_at timestamptz NOT NULL,
	total numeric(12,2) NOT NULL
);

-- Customers come throughout the two years, buy by BG/NBD (time in weeks) and spend by Gamma-Gamma.
CREATE TEMP TABLE orders AS
SELECT md5(customer_id::text)::uuid AS buyer, customer_id, ordered_at, amount
FROM crm.simulate_orders(20000, '2024-01-01', '2026-01-01', r => 0.9, alpha => 9, a => 0.6, b => 3.5);

INSERT INTO customer
SELECT DISTINCT ON (customer_id) buyer, format('%s %s',
	('{Ada,Ben,Chloé,Dilan,Eva,Félix,Grace,Hugo,Inès,Jan,Kaya,Liam,Mina,Noor,Olga,Piet,Rosa,Søren,Tom,Zoë}'::text[])[1 + customer_id % 20],
	('{Adams,Brandt,Castro,Dubois,Eriksen,Fischer,García,Haddad,Ivanov,Jansen,Kaya,Lindström,Moreau,Novák,Öztürk,Park,Rossi,Sato,Tanaka,Weiß,Yılmaz}'::text[])[1 + customer_id / 20 % 21])
FROM orders;
INSERT INTO purchase (buyer, bought_at, total) SELECT buyer, ordered_at, amount FROM orders ORDER BY ordered_at;
ANALYZE customer, purchase;

SELECT format('%s orders', to_char(count(*), 'FM999,999,999,999')) FROM purchase;
