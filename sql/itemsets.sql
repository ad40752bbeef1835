-- itemsets: what is bought together: frequent, closed and maximal itemsets, and the support to begin with.

CREATE FUNCTION crm.frequent_itemsets(
	source text DEFAULT NULL,
	min_support float8 DEFAULT 0.01,
	target text DEFAULT 'frequent',
	min_length integer DEFAULT 1,
	max_length integer DEFAULT NULL,
	top_k bigint DEFAULT NULL,
	items_in text[] DEFAULT NULL,
	items_out text[] DEFAULT NULL,
	max_basket_size integer DEFAULT NULL,
	oversize text DEFAULT 'error',
	algorithm text DEFAULT 'auto'
) RETURNS TABLE (
	items text[],
	length integer,
	support float8,
	count bigint
)
AS 'MODULE_PATHNAME', 'crm_frequent_itemsets_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.frequent_itemsets(text, float8, text, integer, integer, bigint, text[], text[], integer, text, text) IS 'sets of items that enough baskets hold: a row a set with its length, support and number of baskets; the most frequent first';

CREATE FUNCTION crm.advise_support(
	source text DEFAULT NULL,
	max_itemsets bigint DEFAULT 10000,
	max_length integer DEFAULT NULL,
	sample_size integer DEFAULT 100000,
	max_basket_size integer DEFAULT NULL,
	oversize text DEFAULT 'error'
) RETURNS TABLE (
	support float8,
	count bigint,
	items bigint,
	pairs bigint,
	itemsets bigint,
	longest integer,
	complete boolean,
	baskets bigint,
	chosen boolean,
	reason text
)
AS 'MODULE_PATHNAME', 'crm_advise_support_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 12;
COMMENT ON FUNCTION crm.advise_support(text, bigint, integer, integer, integer, text) IS 'how many itemsets each support gives, counted in a sample of the baskets, and which support is sensible';

CREATE FUNCTION crm._itemsets_transition(internal, anyarray, float8) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_itemsets_transition_1_0' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION crm._itemsets_transition(internal, anyarray, float8) IS 'adds a basket; for crm.itemsets';

CREATE FUNCTION crm._itemsets_transition(internal, anyarray, float8, integer) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_itemsets_transition_1_0' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION crm._itemsets_transition(internal, anyarray, float8, integer) IS 'adds a basket; for crm.itemsets with a greatest length';

CREATE FUNCTION crm._itemsets_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_itemsets_final_1_0' LANGUAGE C VOLATILE PARALLEL SAFE;
COMMENT ON FUNCTION crm._itemsets_final(internal) IS 'gives the itemsets; for crm.itemsets';

CREATE AGGREGATE crm.itemsets(basket anyarray, min_support float8) (
	SFUNC = crm._itemsets_transition,
	STYPE = internal,
	FINALFUNC = crm._itemsets_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.itemsets(anyarray, float8) IS 'frequent itemsets of the group''s baskets, one array a row: a jsonb array of {items, count, support}, the most frequent first';

CREATE AGGREGATE crm.itemsets(basket anyarray, min_support float8, max_length integer) (
	SFUNC = crm._itemsets_transition,
	STYPE = internal,
	FINALFUNC = crm._itemsets_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.itemsets(anyarray, float8, integer) IS 'frequent itemsets of at most so many items of the group''s baskets, one array a row: a jsonb array of {items, count, support}, the most frequent first';
