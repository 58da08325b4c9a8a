-- The extension oml_epe, whole and current. The versioned script sql/oml_epe--VERSION.sql is the
-- files sql/NN_*.sql, in order of their numbers.
--
-- Users call what is in the extension's schema (@extschema@). Schema pyqsys holds the tables of the
-- script repository, which only the C functions and the views read and write, and the functions
-- under Oracle's folded names.
\echo Use "CREATE EXTENSION oml_epe" to load this file. \quit

-- CREATE EXTENSION puts the extension's schema on the path. Others may be allowed to create there,
-- and an operator of theirs that fits better than pg_catalog's would run as the superuser. What
-- this file creates is qualified, so that it needs no path.
SET LOCAL search_path = pg_catalog, pg_temp;

-- After an installation the server may still have the library of an older version: say so.
DO $$
BEGIN
    CREATE FUNCTION pg_temp.oml_epe_newest(role oid) RETURNS boolean LANGUAGE c
        AS 'MODULE_PATHNAME', 'epe_is_trusted_role';
    DROP FUNCTION pg_temp.oml_epe_newest(oid);
EXCEPTION WHEN undefined_function THEN
    RAISE EXCEPTION 'the library of oml_epe is older than its SQL objects of version 1.1.0'
        USING ERRCODE = 'object_not_in_prerequisite_state',
              HINT = 'Install the extension again, if need be, and restart the server.';
END;
$$;

