-- sessionize: the events of a partition as numbered sessions.

CREATE FUNCTION crm.sessionize(occurred_at timestamptz, gap interval) RETURNS bigint
AS 'MODULE_PATHNAME', 'crm_sessionize_1_0' LANGUAGE C WINDOW STABLE PARALLEL SAFE;
COMMENT ON FUNCTION crm.sessionize(timestamptz, interval) IS 'window function: the number of the row''s session in its partition, from 1 on; more than the gap since the row before begins a new one. The window must be ordered by the same times';
