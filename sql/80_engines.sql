-- Engine processes, environments and the sandbox.

-- The C functions below return JSON and check what the caller may see; every role may call them.
CREATE FUNCTION pyqsys.engines() RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_engines';
COMMENT ON FUNCTION pyqsys.engines() IS 'Rows of view pyq_engines, as JSON';

CREATE VIEW @extschema@.pyq_engines AS
    SELECT e.pid, e.backend_pid, e.datname, e.rolname, e.environment, e.state, e.script,
           pg_catalog.to_timestamp(e.since_epoch) AS since, e.rows_in, e.rows_out, e.memory_bytes
    FROM pg_catalog.jsonb_to_recordset(pyqsys.engines()::pg_catalog.jsonb) AS e(
        pid int, backend_pid int, datname text, rolname text, environment text, state text,
        script text, since_epoch float8, rows_in bigint, rows_out bigint, memory_bytes bigint);
COMMENT ON VIEW @extschema@.pyq_engines IS
    'Python engine processes of the server, or of this session if it has its own supervisor';
COMMENT ON COLUMN @extschema@.pyq_engines.pid IS 'Process ID of the engine';
COMMENT ON COLUMN @extschema@.pyq_engines.backend_pid IS 'Process ID of the backend it works for';
COMMENT ON COLUMN @extschema@.pyq_engines.datname IS 'Database of that backend';
COMMENT ON COLUMN @extschema@.pyq_engines.rolname IS 'Role whose call it runs, or ran last';
COMMENT ON COLUMN @extschema@.pyq_engines.environment IS 'Python environment';
COMMENT ON COLUMN @extschema@.pyq_engines.state IS 'queued, starting, busy, idle or ending';
COMMENT ON COLUMN @extschema@.pyq_engines.script IS 'Owner and name of the script that it runs';
COMMENT ON COLUMN @extschema@.pyq_engines.since IS 'When it became busy or idle';
COMMENT ON COLUMN @extschema@.pyq_engines.rows_in IS 'Rows that the call has sent to it';
COMMENT ON COLUMN @extschema@.pyq_engines.rows_out IS 'Rows that it has returned';
COMMENT ON COLUMN @extschema@.pyq_engines.memory_bytes IS 'Resident memory, shared pages included';
GRANT SELECT ON @extschema@.pyq_engines TO PUBLIC;

CREATE FUNCTION @extschema@.pyq_engine_stack(pid int) RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_engine_stack';
COMMENT ON FUNCTION @extschema@.pyq_engine_stack(int) IS
    'The Python stack of a running engine, innermost call first; NULL when it does not answer';

CREATE FUNCTION pyqsys.last_call() RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_last_call';
COMMENT ON FUNCTION pyqsys.last_call() IS 'Row of pyq_last_call, as JSON';

CREATE FUNCTION @extschema@.pyq_last_call(
    OUT total_ms float8, OUT scan_ms float8, OUT convert_ms float8, OUT wait_ms float8,
    OUT python_ms float8, OUT emit_ms float8, OUT rows_in bigint, OUT rows_out bigint,
    OUT calls bigint, OUT engines bigint)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED
    AS $$
    SELECT c.* FROM pg_catalog.jsonb_to_record(pyqsys.last_call()::pg_catalog.jsonb) AS c(
        total_ms float8, scan_ms float8, convert_ms float8, wait_ms float8, python_ms float8,
        emit_ms float8, rows_in bigint, rows_out bigint, calls bigint, engines bigint)
    WHERE c.total_ms IS NOT NULL
$$;
COMMENT ON FUNCTION @extschema@.pyq_last_call() IS
    'Times of the session''s last call of an eval function; no row before the first call';

CREATE FUNCTION pyqsys.sandbox_status() RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_sandbox_status';
COMMENT ON FUNCTION pyqsys.sandbox_status() IS 'Rows of pyq_sandbox_status, as JSON';

CREATE FUNCTION @extschema@.pyq_sandbox_status(
    OUT protection text, OUT enforced boolean, OUT needed boolean, OUT detail text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED
    AS $$
    SELECT s.* FROM pg_catalog.jsonb_to_recordset(
        pyqsys.sandbox_status()::pg_catalog.jsonb) AS s(
        protection text, enforced boolean, needed boolean, detail text)
$$;
COMMENT ON FUNCTION @extschema@.pyq_sandbox_status() IS
    'Protections of engine processes that run for the current role on this machine';

CREATE FUNCTION pyqsys.list_envs() RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_list_envs';
COMMENT ON FUNCTION pyqsys.list_envs() IS 'Rows of pyq_list_envs, as JSON';

CREATE FUNCTION @extschema@.pyq_list_envs(
    OUT name text, OUT size text, OUT description text, OUT number_of_installed_packages int,
    OUT python_version text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED
    AS $$
    SELECT e.name, pg_catalog.pg_size_pretty(e.size), e.description,
           e.number_of_installed_packages, e.python_version
    FROM pg_catalog.jsonb_to_recordset(pyqsys.list_envs()::pg_catalog.jsonb) AS e(
        name text, size bigint, description text, number_of_installed_packages int,
        python_version text)
$$;
COMMENT ON FUNCTION @extschema@.pyq_list_envs() IS
    'Python environments that can be given as env_name';

