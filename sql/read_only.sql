-- read_only: queries that users store or hand over, run so that nothing they call can write.

-- A setting cannot be given back within its transaction, so the query runs in a subtransaction that is always rolled back;
-- what it found stays in the variable. Opening a cursor refuses all but one SELECT, whatever a text that stands in it closes
-- and begins anew. (A function's SET clause would do the same up to PostgreSQL 16; 17 refuses it.)
CREATE FUNCTION crm._read_only(statement text, INOUT result anyelement, search_path text DEFAULT 'pg_catalog, pg_temp')
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp
AS $$
DECLARE
	rows refcursor;
BEGIN
	PERFORM pg_catalog.set_config('transaction_read_only', 'on', true), pg_catalog.set_config('search_path', _read_only.search_path, true);
	OPEN rows FOR EXECUTE statement;
	FETCH rows INTO result;
	RAISE EXCEPTION USING ERRCODE = 'CRM00';
EXCEPTION WHEN SQLSTATE 'CRM00' THEN
	NULL;
END
$$;
COMMENT ON FUNCTION crm._read_only(text, anyelement, text) IS 'the one value that a SELECT gives, run read-only with the rights of the caller and that search_path; open to PUBLIC, as it can no more than a SELECT of the caller''s';
