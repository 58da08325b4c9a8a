-- Functions that the REST gateway calls.

-- What the gateway asks before every request: a look-up in caches.
CREATE FUNCTION pyqsys.check_log_in(user_name text) RETURNS void
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_check_log_in';
COMMENT ON FUNCTION pyqsys.check_log_in(text) IS
    'Raises an error unless session_user has that name and can still log in to this database';

-- A UUID cannot be guessed: that a job exists is no secret to who knows its ID.
CREATE FUNCTION pyqsys.job_exists(job_id uuid) RETURNS boolean
    LANGUAGE sql STABLE SECURITY DEFINER PARALLEL SAFE
    SET search_path = pg_catalog, pg_temp
    AS 'SELECT EXISTS (SELECT FROM pyqsys.jobs AS j WHERE j.id OPERATOR(pg_catalog.=) $1)';
COMMENT ON FUNCTION pyqsys.job_exists(uuid) IS 'Whether a job exists, regardless of its owner';

-- For clients that must write an AS list for an out_fmt of others.
CREATE FUNCTION pyqsys.output_columns(out_fmt text) RETURNS text
    LANGUAGE C STABLE PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'epe_output_columns';
COMMENT ON FUNCTION pyqsys.output_columns(text) IS
    'The AS list that a column map or prototype needs';

-- For the gateway, whose users want to see what a call returned that drew nothing.
CREATE FUNCTION pyqsys.job_figures(job_id text) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_figures';
COMMENT ON FUNCTION pyqsys.job_figures(text) IS
    'pyq_job_result as PNG, with a row for each call that drew nothing as well';

