-- rules: who buys this buys that, too: association rules with their measures, and the measures of four counts.

CREATE FUNCTION crm.association_rules(
	source text DEFAULT NULL,
	min_support float8 DEFAULT 0.01,
	min_confidence float8 DEFAULT 0.5,
	min_lift float8 DEFAULT NULL,
	max_length integer DEFAULT NULL,
	max_consequent integer DEFAULT 1,
	antecedent_in text[] DEFAULT NULL,
	antecedent_out text[] DEFAULT NULL,
	consequent_in text[] DEFAULT NULL,
	consequent_out text[] DEFAULT NULL,
	measure text DEFAULT 'lift',
	top_k bigint DEFAULT NULL,
	prune_redundant boolean DEFAULT false,
	max_p_value float8 DEFAULT NULL,
	adjust text DEFAULT 'none',
	max_basket_size integer DEFAULT NULL,
	oversize text DEFAULT 'error',
	algorithm text DEFAULT 'auto'
) RETURNS TABLE (
	antecedent text[],
	consequent text[],
	support float8,
	confidence float8,
	lift float8,
	leverage float8,
	conviction float8,
	zhang float8,
	jaccard float8,
	cosine float8,
	kulczynski float8,
	imbalance float8,
	certainty float8,
	chi_squared float8,
	p_value float8,
	odds_ratio float8,
	antecedent_support float8,
	consequent_support float8,
	count bigint,
	revenue float8,
	mean_basket_with float8,
	mean_basket_without float8,
	p_adjusted float8
)
AS 'MODULE_PATHNAME', 'crm_association_rules_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.association_rules(text, float8, float8, float8, integer, integer, text[], text[], text[], text[], text, bigint, boolean, float8, text, integer, text, text) IS 'association rules of baskets: a row a rule with antecedent, consequent, all measures, Fisher''s p-value, and what its baskets are worth; the best first';

CREATE FUNCTION crm.rule_measures(
	n bigint,
	n_antecedent bigint,
	n_consequent bigint,
	n_both bigint,
	OUT support float8,
	OUT confidence float8,
	OUT lift float8,
	OUT leverage float8,
	OUT conviction float8,
	OUT zhang float8,
	OUT jaccard float8,
	OUT cosine float8,
	OUT kulczynski float8,
	OUT imbalance float8,
	OUT certainty float8,
	OUT chi_squared float8,
	OUT p_value float8,
	OUT odds_ratio float8,
	OUT antecedent_support float8,
	OUT consequent_support float8
)
AS 'MODULE_PATHNAME', 'crm_rule_measures_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.rule_measures(bigint, bigint, bigint, bigint) IS 'the measures of a rule from the numbers of baskets: all, those with the antecedent, those with the consequent, those with both';
