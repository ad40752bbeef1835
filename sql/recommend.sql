-- recommend: what to offer next, to a basket or to a customer, from what is bought together; and how well that would have done.

CREATE FUNCTION crm.recommend(
	source text DEFAULT NULL,
	basket text[] DEFAULT NULL,
	customer text DEFAULT NULL,
	k integer DEFAULT 5,
	exclude text[] DEFAULT NULL,
	method text DEFAULT 'auto',
	max_antecedent integer DEFAULT NULL,
	rules integer DEFAULT NULL,
	min_count integer DEFAULT 3,
	min_confidence float8 DEFAULT 0.1,
	prior float8 DEFAULT 20,
	shrinkage float8 DEFAULT 10,
	neighbours integer DEFAULT 20
) RETURNS TABLE (
	rank integer,
	item text,
	score float8,
	method text,
	reason text,
	antecedent text[],
	confidence float8,
	lift float8,
	count bigint,
	antecedent_count bigint,
	item_count bigint
)
AS 'MODULE_PATHNAME', 'crm_recommend_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 5;
COMMENT ON FUNCTION crm.recommend(text, text[], text, integer, text[], text, integer, integer, integer, float8, float8, float8, integer) IS 'what to offer with a basket, or to a customer by what was bought: a row an item, the best first, with score, method and reason';

CREATE FUNCTION crm.recommend_customers(
	source text DEFAULT NULL,
	k integer DEFAULT 5,
	method text DEFAULT 'auto',
	max_antecedent integer DEFAULT NULL,
	rules integer DEFAULT NULL,
	min_count integer DEFAULT 3,
	min_confidence float8 DEFAULT 0.1,
	prior float8 DEFAULT 20,
	shrinkage float8 DEFAULT 10,
	neighbours integer DEFAULT 20
) RETURNS TABLE (
	customer_id bigint,
	rank integer,
	item text,
	score float8,
	method text,
	reason text,
	antecedent text[],
	confidence float8,
	lift float8,
	count bigint,
	antecedent_count bigint,
	item_count bigint
)
AS 'MODULE_PATHNAME', 'crm_recommend_customers_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION crm.recommend_customers(text, integer, text, integer, integer, integer, float8, float8, float8, integer) IS 'what to offer to each customer: crm.recommend for all customers of the source at once';

CREATE FUNCTION crm.recommend_customers(
	key anyelement,
	k integer DEFAULT 5,
	method text DEFAULT 'auto',
	max_antecedent integer DEFAULT NULL,
	rules integer DEFAULT NULL,
	min_count integer DEFAULT 3,
	min_confidence float8 DEFAULT 0.1,
	prior float8 DEFAULT 20,
	shrinkage float8 DEFAULT 10,
	neighbours integer DEFAULT 20,
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	rank integer,
	item text,
	score float8,
	method text,
	reason text,
	antecedent text[],
	confidence float8,
	lift float8,
	count bigint,
	antecedent_count bigint,
	item_count bigint
)
AS 'MODULE_PATHNAME', 'crm_recommend_customers_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 1000;
COMMENT ON FUNCTION crm.recommend_customers(anyelement, integer, text, integer, integer, integer, float8, float8, float8, integer, text) IS 'what to offer to each customer: crm.recommend for all customers of the source at once; the form for keys of any hashable type: key => NULL::uuid';

CREATE FUNCTION crm.similar_items(
	source text DEFAULT NULL,
	item text DEFAULT NULL,
	k integer DEFAULT 10,
	shrinkage float8 DEFAULT 10,
	min_count integer DEFAULT 1
) RETURNS TABLE (
	rank integer,
	item text,
	similarity float8,
	count bigint,
	lift float8,
	confidence float8,
	support float8,
	item_count bigint
)
AS 'MODULE_PATHNAME', 'crm_similar_items_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 10;
COMMENT ON FUNCTION crm.similar_items(text, text, integer, float8, integer) IS 'the items that are most often in the same baskets as one, by cosine similarity, shrunk where few baskets speak for it';

CREATE FUNCTION crm.recommend_backtest(
	source text DEFAULT NULL,
	cut_at timestamptz DEFAULT NULL,
	k integer DEFAULT 5,
	max_antecedent integer DEFAULT NULL,
	rules integer DEFAULT NULL,
	min_count integer DEFAULT 3,
	min_confidence float8 DEFAULT 0.1,
	prior float8 DEFAULT 20,
	shrinkage float8 DEFAULT 10,
	neighbours integer DEFAULT 20
) RETURNS TABLE (
	method text,
	customers bigint,
	"precision" float8,
	recall float8,
	ndcg float8,
	hit_rate float8,
	coverage float8,
	recommended bigint,
	met bigint,
	items bigint,
	unknown_items bigint,
	without_history bigint,
	without_new_item bigint
)
AS 'MODULE_PATHNAME', 'crm_recommend_backtest_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 4;
COMMENT ON FUNCTION crm.recommend_backtest(text, timestamptz, integer, integer, integer, integer, float8, float8, float8, integer) IS 'how well crm.recommend, by what was bought before a moment, meets what customers bought new from then on: a row a method, popularity among them';
