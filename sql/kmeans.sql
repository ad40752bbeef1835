-- kmeans: customers grouped by likeness of any numeric features, the clusters explained, and their number chosen.

CREATE FUNCTION crm.kmeans(
	source text DEFAULT NULL,
	features text[] DEFAULT NULL,
	k integer DEFAULT NULL,
	k_max integer DEFAULT 10,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	init text DEFAULT 'kmeans++',
	n_init integer DEFAULT 10,
	max_iterations integer DEFAULT 300,
	tolerance float8 DEFAULT 1e-4,
	weight text DEFAULT NULL,
	missing text DEFAULT 'skip',
	seed bigint DEFAULT 42,
	winsorize float8[] DEFAULT NULL,
	labels text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now()
) RETURNS TABLE (
	customer_id bigint,
	cluster integer,
	label text,
	distance float8,
	second_cluster integer,
	silhouette float8,
	reason text
)
AS 'MODULE_PATHNAME', 'crm_kmeans_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.kmeans(text, text[], integer, integer, text, text, text, integer, integer, float8, text, text, bigint, float8[], text, timestamptz) IS 'customers grouped by likeness: a row a customer with cluster, label, distance to its centre, next cluster, silhouette and reason';

CREATE FUNCTION crm.kmeans(
	key anyelement,
	features text[] DEFAULT NULL,
	k integer DEFAULT NULL,
	k_max integer DEFAULT 10,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	init text DEFAULT 'kmeans++',
	n_init integer DEFAULT 10,
	max_iterations integer DEFAULT 300,
	tolerance float8 DEFAULT 1e-4,
	weight text DEFAULT NULL,
	missing text DEFAULT 'skip',
	seed bigint DEFAULT 42,
	winsorize float8[] DEFAULT NULL,
	labels text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	source text DEFAULT NULL
) RETURNS TABLE (
	customer_id anyelement,
	cluster integer,
	label text,
	distance float8,
	second_cluster integer,
	silhouette float8,
	reason text
)
AS 'MODULE_PATHNAME', 'crm_kmeans_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE SUPPORT crm._customers_support;
COMMENT ON FUNCTION crm.kmeans(anyelement, text[], integer, integer, text, text, text, integer, integer, float8, text, text, bigint, float8[], text, timestamptz, text) IS 'customers grouped by likeness: a row a customer with cluster, label, distance to its centre, next cluster, silhouette and reason; the form for keys of any type: key => NULL::uuid';

CREATE FUNCTION crm.kmeans_clusters(
	source text DEFAULT NULL,
	features text[] DEFAULT NULL,
	k integer DEFAULT NULL,
	k_max integer DEFAULT 10,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	init text DEFAULT 'kmeans++',
	n_init integer DEFAULT 10,
	max_iterations integer DEFAULT 300,
	tolerance float8 DEFAULT 1e-4,
	weight text DEFAULT NULL,
	missing text DEFAULT 'skip',
	seed bigint DEFAULT 42,
	winsorize float8[] DEFAULT NULL,
	labels text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now()
) RETURNS TABLE (
	cluster integer,
	label text,
	size bigint,
	share float8,
	feature text,
	centroid float8,
	standard_deviation float8,
	z float8,
	inertia float8,
	silhouette float8,
	davies_bouldin float8,
	calinski_harabasz float8,
	iterations integer,
	converged boolean,
	k integer
)
AS 'MODULE_PATHNAME', 'crm_kmeans_clusters_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 20;
COMMENT ON FUNCTION crm.kmeans_clusters(text, text[], integer, integer, text, text, text, integer, integer, float8, text, text, bigint, float8[], text, timestamptz) IS 'the clusters of crm.kmeans: a row a cluster and feature with its mean in original units, and how good the whole is';

CREATE FUNCTION crm.kmeans_clusters(
	key anyelement,
	features text[] DEFAULT NULL,
	k integer DEFAULT NULL,
	k_max integer DEFAULT 10,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	init text DEFAULT 'kmeans++',
	n_init integer DEFAULT 10,
	max_iterations integer DEFAULT 300,
	tolerance float8 DEFAULT 1e-4,
	weight text DEFAULT NULL,
	missing text DEFAULT 'skip',
	seed bigint DEFAULT 42,
	winsorize float8[] DEFAULT NULL,
	labels text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	source text DEFAULT NULL
) RETURNS TABLE (
	cluster integer,
	label text,
	size bigint,
	share float8,
	feature text,
	centroid float8,
	standard_deviation float8,
	z float8,
	inertia float8,
	silhouette float8,
	davies_bouldin float8,
	calinski_harabasz float8,
	iterations integer,
	converged boolean,
	k integer
)
AS 'MODULE_PATHNAME', 'crm_kmeans_clusters_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 20;
COMMENT ON FUNCTION crm.kmeans_clusters(anyelement, text[], integer, integer, text, text, text, integer, integer, float8, text, text, bigint, float8[], text, timestamptz, text) IS 'the clusters of crm.kmeans: a row a cluster and feature with its mean in original units, and how good the whole is; the form for keys of any type: key => NULL::uuid';

CREATE FUNCTION crm.kmeans_select_k(
	source text DEFAULT NULL,
	features text[] DEFAULT NULL,
	k integer DEFAULT NULL,
	k_max integer DEFAULT 10,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	init text DEFAULT 'kmeans++',
	n_init integer DEFAULT 10,
	max_iterations integer DEFAULT 300,
	tolerance float8 DEFAULT 1e-4,
	weight text DEFAULT NULL,
	missing text DEFAULT 'skip',
	seed bigint DEFAULT 42,
	winsorize float8[] DEFAULT NULL,
	labels text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now()
) RETURNS TABLE (
	k integer,
	inertia float8,
	silhouette float8,
	davies_bouldin float8,
	calinski_harabasz float8,
	stability float8,
	chosen boolean
)
AS 'MODULE_PATHNAME', 'crm_kmeans_select_k_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 9;
COMMENT ON FUNCTION crm.kmeans_select_k(text, text[], integer, integer, text, text, text, integer, integer, float8, text, text, bigint, float8[], text, timestamptz) IS 'numbers of clusters compared: a row a k with inertia, indices of quality, stability under resampling, and which one crm.kmeans takes';

CREATE FUNCTION crm.kmeans_select_k(
	key anyelement,
	features text[] DEFAULT NULL,
	k integer DEFAULT NULL,
	k_max integer DEFAULT 10,
	scale text DEFAULT 'zscore',
	transform text DEFAULT 'none',
	init text DEFAULT 'kmeans++',
	n_init integer DEFAULT 10,
	max_iterations integer DEFAULT 300,
	tolerance float8 DEFAULT 1e-4,
	weight text DEFAULT NULL,
	missing text DEFAULT 'skip',
	seed bigint DEFAULT 42,
	winsorize float8[] DEFAULT NULL,
	labels text DEFAULT NULL,
	as_of timestamptz DEFAULT pg_catalog.now(),
	source text DEFAULT NULL
) RETURNS TABLE (
	k integer,
	inertia float8,
	silhouette float8,
	davies_bouldin float8,
	calinski_harabasz float8,
	stability float8,
	chosen boolean
)
AS 'MODULE_PATHNAME', 'crm_kmeans_select_k_1_0' LANGUAGE C VOLATILE PARALLEL UNSAFE ROWS 9;
COMMENT ON FUNCTION crm.kmeans_select_k(anyelement, text[], integer, integer, text, text, text, integer, integer, float8, text, text, bigint, float8[], text, timestamptz, text) IS 'numbers of clusters compared: a row a k with inertia, indices of quality, stability under resampling, and which one crm.kmeans takes; the form for keys of any type: key => NULL::uuid';

CREATE FUNCTION crm.kmeans_labels() RETURNS TABLE (
	priority integer,
	label text,
	value_low float8,
	value_high float8,
	activity_low float8,
	activity_high float8,
	recency_low float8,
	recency_high float8
)
AS 'MODULE_PATHNAME', 'crm_kmeans_labels_1_0' LANGUAGE C IMMUTABLE PARALLEL SAFE ROWS 7;
COMMENT ON FUNCTION crm.kmeans_labels() IS 'the customary label rules: ranges of z-scores of value, activity and recency in order of priority, low <= z < high, null is no bound; the first that fits wins, the last fits all';
