-- What functions of several families refer to.

CREATE FUNCTION crm._customers_support(internal) RETURNS internal
AS 'MODULE_PATHNAME', 'crm_customers_support_1_0' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION crm._customers_support(internal) IS 'planner support: rows of a function that returns a row a customer';
REVOKE ALL ON FUNCTION crm._customers_support(internal) FROM PUBLIC;
