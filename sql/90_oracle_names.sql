-- Oracle's folded names: pyqsys.pyqTableEval(...) is pyq_table_eval(...), and so on. Functions in C,
-- except for pyq_engine_stack, which Oracle does not have, get theirs from the loop.
DO $$
DECLARE
    original record;
    alias text;
BEGIN
    FOR original IN
        SELECT p.proname AS name,
               pg_get_function_arguments(p.oid) AS arguments,
               pg_get_function_identity_arguments(p.oid) AS identity_arguments,
               pg_get_function_result(p.oid) AS result,
               p.proretset AS is_set,
               p.proparallel = 'r' AS is_restricted,
               p.prosupport <> 0 AS has_support,
               p.prosrc AS symbol
        FROM pg_proc AS p
            JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                AND d.deptype = 'e'
            JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass
                AND d.refobjid = e.oid
            JOIN pg_language AS l ON l.oid = p.prolang AND l.lanname = 'c'
        WHERE e.extname = 'oml_epe' AND p.proname LIKE 'pyq\_%'
            AND p.proname <> 'pyq_engine_stack'
        ORDER BY p.oid
    LOOP
        alias := 'pyqsys.' || replace(original.name, '_', '');
        EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %s'
                       ' LANGUAGE C VOLATILE PARALLEL %s %s %s AS %L, %L',
                       alias, original.arguments, original.result,
                       CASE WHEN original.is_restricted THEN 'RESTRICTED' ELSE 'UNSAFE' END,
                       CASE WHEN original.is_set THEN 'COST 1000 ROWS 1000' ELSE '' END,
                       CASE WHEN original.has_support THEN 'SUPPORT pyqsys.eval_support' ELSE '' END,
                       'MODULE_PATHNAME', original.symbol);
        EXECUTE format('COMMENT ON FUNCTION %s(%s) IS %L', alias, original.identity_arguments,
                       original.name || ' under Oracle''s name');
    END LOOP;
END
$$;

CREATE FUNCTION pyqsys.pyqjobstatus(job_id text, OUT name text, OUT value text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 1
    AS $$SELECT NULL::pg_catalog.text, pyqsys.job_status($1)$$;
COMMENT ON FUNCTION pyqsys.pyqjobstatus(text) IS 'pyq_job_status under Oracle''s name';

CREATE FUNCTION pyqsys.pyqdeletejob(job_id text, OUT name text, OUT value text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 1
    AS $$SELECT pyqsys.delete_job($1), NULL::pg_catalog.text$$;
COMMENT ON FUNCTION pyqsys.pyqdeletejob(text) IS 'pyq_delete_job under Oracle''s name';

CREATE FUNCTION pyqsys.pyqlistenvs(
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
COMMENT ON FUNCTION pyqsys.pyqlistenvs() IS 'pyq_list_envs under Oracle''s name';

