-- kmeans_model: k-means over rows of the caller's own: within partitions, as a model to keep, and by given centroids.

CREATE FUNCTION crm.kmeans_cluster(
	features float8[],
	k integer,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	seed bigint DEFAULT 42
) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_kmeans_cluster_1_0' LANGUAGE C WINDOW IMMUTABLE PARALLEL SAFE COST 1000;
COMMENT ON FUNCTION crm.kmeans_cluster(float8[], integer, text, text, bigint) IS 'window function: the cluster of each row among the rows of its partition, 1 being the one with the largest mean of the first feature';

CREATE FUNCTION crm.nearest_centroid(features float8[], centroids float8[]) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_nearest_centroid_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.nearest_centroid(float8[], float8[]) IS 'which row of a two-dimensional array is nearest to a point, from 1 on';

CREATE FUNCTION crm._kmeans_fit_final(internal) RETURNS jsonb
AS 'MODULE_PATHNAME', 'crm_kmeans_fit_final_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._kmeans_fit_final(internal) IS 'final function of crm.kmeans_fit';

CREATE FUNCTION crm._kmeans_fit_transition(internal, float8[], integer) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_kmeans_fit_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._kmeans_fit_transition(internal, float8[], integer) IS 'transition function of crm.kmeans_fit';

CREATE AGGREGATE crm.kmeans_fit(features float8[], k integer) (
	SFUNC = crm._kmeans_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._kmeans_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.kmeans_fit(float8[], integer) IS 'k-means of rows as a model in jsonb, for crm.kmeans_predict and crm.model';

CREATE FUNCTION crm._kmeans_fit_transition(internal, float8[], integer, text) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_kmeans_fit_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._kmeans_fit_transition(internal, float8[], integer, text) IS 'transition function of crm.kmeans_fit';

CREATE AGGREGATE crm.kmeans_fit(features float8[], k integer, scale text) (
	SFUNC = crm._kmeans_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._kmeans_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.kmeans_fit(float8[], integer, text) IS 'k-means of rows as a model in jsonb, for crm.kmeans_predict and crm.model';

CREATE FUNCTION crm._kmeans_fit_transition(internal, float8[], integer, text, text) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_kmeans_fit_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._kmeans_fit_transition(internal, float8[], integer, text, text) IS 'transition function of crm.kmeans_fit';

CREATE AGGREGATE crm.kmeans_fit(features float8[], k integer, scale text, transform text) (
	SFUNC = crm._kmeans_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._kmeans_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.kmeans_fit(float8[], integer, text, text) IS 'k-means of rows as a model in jsonb, for crm.kmeans_predict and crm.model';

CREATE FUNCTION crm._kmeans_fit_transition(internal, float8[], integer, text, text, bigint) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_kmeans_fit_transition_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm._kmeans_fit_transition(internal, float8[], integer, text, text, bigint) IS 'transition function of crm.kmeans_fit';

CREATE AGGREGATE crm.kmeans_fit(features float8[], k integer, scale text, transform text, seed bigint) (
	SFUNC = crm._kmeans_fit_transition,
	STYPE = internal,
	FINALFUNC = crm._kmeans_fit_final,
	FINALFUNC_MODIFY = READ_WRITE,
	PARALLEL = SAFE
);
COMMENT ON AGGREGATE crm.kmeans_fit(float8[], integer, text, text, bigint) IS 'k-means of rows as a model in jsonb, for crm.kmeans_predict and crm.model';

CREATE FUNCTION crm.kmeans_predict(model jsonb, features float8[]) RETURNS integer
AS 'MODULE_PATHNAME', 'crm_kmeans_predict_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm.kmeans_predict(jsonb, float8[]) IS 'the cluster of a row by a model of crm.kmeans_fit';
