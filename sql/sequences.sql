-- sequences: what customers do one after another, and the rules in it.

CREATE FUNCTION crm.sequential_patterns(
	source text DEFAULT NULL,
	min_support float8 DEFAULT 0.01,
	max_length integer DEFAULT 5,
	min_gap interval DEFAULT NULL,
	max_gap interval DEFAULT NULL,
	"window" interval DEFAULT NULL,
	contiguous boolean DEFAULT false,
	itemsets boolean DEFAULT false,
	as_of timestamptz DEFAULT pg_catalog.now()
) RETURNS TABLE (
	pattern text[],
	length integer,
	support float8,
	count bigint,
	median_time interval
)
AS 'MODULE_PATHNAME', 'crm_sequential_patterns_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.sequential_patterns(text, float8, integer, interval, interval, interval, boolean, boolean, timestamptz) IS 'what many customers do one after another: a row a pattern of events with its support, customers and median time; customers of any hashable type';

CREATE FUNCTION crm.sequence_rules(
	source text DEFAULT NULL,
	min_support float8 DEFAULT 0.01,
	min_confidence float8 DEFAULT 0.5,
	max_length integer DEFAULT 5,
	min_gap interval DEFAULT NULL,
	max_gap interval DEFAULT NULL,
	"window" interval DEFAULT NULL,
	contiguous boolean DEFAULT false,
	itemsets boolean DEFAULT false,
	as_of timestamptz DEFAULT pg_catalog.now()
) RETURNS TABLE (
	antecedent text[],
	consequent text[],
	support float8,
	confidence float8,
	lift float8,
	count bigint,
	median_time interval
)
AS 'MODULE_PATHNAME', 'crm_sequence_rules_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION crm.sequence_rules(text, float8, float8, integer, interval, interval, interval, boolean, boolean, timestamptz) IS 'what customers do after what: a row a rule, antecedent then consequent, with support, confidence and lift; customers of any hashable type';
