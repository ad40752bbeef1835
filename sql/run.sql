-- run: the account of the last analytic.

CREATE FUNCTION crm.last_run() RETURNS TABLE (
	function text,
	rows_read bigint,
	rows_used bigint,
	rows_skipped bigint,
	skipped_null_key bigint,
	skipped_null_value bigint,
	skipped_non_finite bigint,
	skipped_after_as_of bigint,
	skipped_refund bigint,
	customers bigint,
	milliseconds float8,
	workers integer,
	peak_memory bigint,
	total_memory bigint,
	road text,
	finished_at timestamptz
)
AS 'MODULE_PATHNAME', 'crm_last_run_1_0' LANGUAGE C VOLATILE PARALLEL RESTRICTED ROWS 1;
COMMENT ON FUNCTION crm.last_run() IS 'the last analytic of this session: rows read, used and skipped and why, time, workers, peak memory in bytes';
