-- basket: the surface of the aggregate crm.basket.
\pset format unaligned
\pset fieldsep ' | '
\pset tuples_only on
\pset null '(null)'
SET client_min_messages = warning;
SET DateStyle = 'ISO';

SELECT p.proname || '(' || pg_get_function_arguments(p.oid) || ')' || E'\n    ' || pg_get_function_result(p.oid), p.prokind, p.proparallel
FROM pg_proc p
WHERE p.pronamespace = 'crm'::regnamespace AND p.proname = 'basket';

-- distinct, in order, of the same type; NULL items are ignored, and no item is no basket
SELECT crm.basket(x), pg_typeof(crm.basket(x)) FROM (VALUES (3), (1), (NULL), (3)) v (x);
SELECT crm.basket(x), pg_typeof(crm.basket(x)) FROM (VALUES ('b'), ('a''"\,{}'), (''), ('b'), ('NULL'), ('ä€😀')) v (x);
SELECT crm.basket(x), pg_typeof(crm.basket(x)) FROM (VALUES ('2020-01-02'::date), ('infinity'), ('2020-01-01')) v (x);
SELECT crm.basket(x) FROM (VALUES (false), (true), (false)) v (x);
SELECT crm.basket(x) FROM (VALUES (2::int2), (-1::int2), (2::int2)) v (x);
SELECT crm.basket(x) FROM (VALUES ('NaN'::float8), (-0.0), (0.0), ('-Infinity')) v (x);
SELECT crm.basket(x) FROM (VALUES ('00000000-0000-0000-0000-000000000002'::uuid), ('00000000-0000-0000-0000-000000000001'), ('00000000-0000-0000-0000-000000000002')) v (x);
SELECT crm.basket(x) FROM (VALUES ('b'::name), ('a'), ('b')) v (x);
SELECT crm.basket(NULL::int), crm.basket(NULL::text);
SELECT crm.basket(1) WHERE false;

-- of equal items that differ in text, the least text, whatever comes first
SELECT crm.basket(x) FROM (VALUES (1.00), (0.5), (1.0), (1.000)) v (x);
SELECT crm.basket(x) FROM (VALUES (1.000), (1.0), (1.00), (0.5)) v (x);

-- groups, windows, and a filter
SELECT b, crm.basket(i) FROM (VALUES (1, 'x'), (2, 'y'), (1, 'a'), (2, NULL), (3, NULL)) v (b, i) GROUP BY b ORDER BY b;
SELECT b, crm.basket(i) OVER (ORDER BY b) FROM (VALUES (1, 3), (2, 2), (3, 3), (4, 1)) v (b, i);
SELECT crm.basket(i) FILTER (WHERE i > 1) FROM generate_series(1, 3) i;
SELECT crm.basket(x COLLATE "C"), crm.basket(x COLLATE "C") = ARRAY['B', 'a'] FROM (VALUES ('a'), ('B')) v (x);

-- what cannot be
SELECT crm.basket(point(1, 1));
SELECT crm.basket(ARRAY[1]);
