-- The interaction log: tracking the shop's own table, an order placed and changed, and the customer's timeline.
\pset footer off
\pset numericlocale off
\pset null ''
\set SHOW_CONTEXT never
SET client_min_messages = warning;

SELECT format_type(atttypid, NULL) AS key_type FROM pg_attribute WHERE attrelid = 'purchase'::regclass AND attname = 'buyer' \gset
SELECT coalesce(nullif(:'as_of', '')::timestamptz, max(bought_at) FILTER (WHERE isfinite(bought_at))::date + 1, now()) AS as_of FROM purchase \gset
SELECT buyer FROM purchase WHERE buyer IS NOT NULL GROUP BY buyer ORDER BY count(*) DESC, buyer LIMIT 1 \gset

\echo
\echo '== The log: triggers in C on the shop''s own table; it is named as a source, too =='
\echo
\echo 'SELECT crm.setup();'
\echo 'SELECT crm.track(''purchase'', customer => ''buyer'', source => ''shop'', kind => ''order'', channel => ''web'','
\echo '    columns => ''{total}'', create_customers => true);'
\echo 'SELECT crm.map_source(''shop'', make_default => true,'
\echo '    orders => ''SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase'');'
DO $$
BEGIN
	PERFORM crm.setup();
	PERFORM crm.track('purchase', customer => 'buyer', source => 'shop', kind => 'order', channel => 'web',
		columns => '{total}', create_customers => true);
	PERFORM crm.map_source('shop', make_default => true,
		orders => 'SELECT buyer AS customer_id, bought_at AS ordered_at, total AS amount FROM purchase');
END
$$;

-- What the application does, knowing nothing of the log; then somebody phones.
INSERT INTO purchase (buyer, bought_at, total) VALUES (:'buyer', :'as_of', 99.90) RETURNING purchase_id \gset
UPDATE purchase SET total = 79.90 WHERE purchase_id = :purchase_id;
SET crm.agent = 'ann';
SELECT crm.log_interaction(crm.find_customer('shop', :'buyer'), 'call', channel => 'phone', direction => 'out',
	detail => '{"minutes": 4, "about": "a discount"}') AS logged \gset

\echo
\echo '== The timeline of customer' :buyer '(crm.timeline), the latest first =='
\echo
SELECT to_char(occurred_at, 'YYYY-MM-DD HH24:MI') AS occurred_at, kind, channel, direction, action, agent, detail
FROM crm.timeline(crm.find_customer('shop', :'buyer'));

-- The default source needs no name any more.
SELECT count(*) AS customers FROM crm.rfm(key => CAST(NULL AS :key_type), as_of => :'as_of') \gset
\echo
\echo 'And crm.rfm without a source now reads the shop:' :customers 'customers.'
