-- The extension oml_epe, whole and current; the versioned script is built from this file.
--
-- Users call what is in the extension's schema (@extschema@). Schema pyqsys holds the tables of the
-- script repository, which only the C functions and the views read and write, and the functions
-- under Oracle's folded names.
\echo Use "CREATE EXTENSION oml_epe" to load this file. \quit

-- CREATE EXTENSION puts the extension's schema on the path. Others may be allowed to create there,
-- and an operator of theirs that fits better than pg_catalog's would run as the superuser. What
-- this file creates is qualified, so that it needs no path.
SET LOCAL search_path = pg_catalog, pg_temp;

-- ------------------------------------------------------------------------------------- the role

-- Scripts of the members of pyqadmin run with the rights of the server's operating-system user.
-- The role belongs to the cluster: it may exist already, and DROP EXTENSION leaves it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = 'pyqadmin') THEN
        CREATE ROLE pyqadmin NOLOGIN;
        COMMENT ON ROLE pyqadmin IS
            'oml_epe: members may store Python that runs inside the server; as good as superuser';
    ELSIF EXISTS (SELECT FROM pg_catalog.pg_auth_members
                  WHERE roleid = (SELECT oid FROM pg_catalog.pg_roles
                                  WHERE rolname = 'pyqadmin')) THEN
        RAISE WARNING 'role "pyqadmin" exists and has members'
            USING DETAIL = 'They may store Python that runs inside the server: ' ||
                (SELECT string_agg(quote_ident(r.rolname), ', ' ORDER BY r.rolname)
                 FROM pg_catalog.pg_auth_members AS m
                     JOIN pg_catalog.pg_roles AS r ON r.oid = m.member
                 WHERE m.roleid = (SELECT oid FROM pg_catalog.pg_roles
                                   WHERE rolname = 'pyqadmin')),
                HINT = 'Revoke the role from those who should not.';
    END IF;
EXCEPTION
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- CREATE EXTENSION in another database was faster
END
$$;

-- ------------------------------------------------------------------------------- the repository

-- Fails when the schema exists: what is in it must be ours.
CREATE SCHEMA pyqsys;
COMMENT ON SCHEMA pyqsys IS
    'oml_epe: the tables of the script repository, and the functions under Oracle''s folded names';
GRANT USAGE ON SCHEMA pyqsys TO PUBLIC;

-- Read by position in src/pg/script_table.cpp. Names collate "C", so that the lookup by index is a
-- comparison of bytes in every database.
CREATE TABLE pyqsys.scripts (
    owner regrole NOT NULL,
    name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    script text NOT NULL CHECK (script <> ''),
    description text,
    created timestamptz NOT NULL DEFAULT now(),
    updated timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT scripts_key PRIMARY KEY (owner, name)
);
COMMENT ON TABLE pyqsys.scripts IS
    'The script repository; users write it by pyq_script_create, read it by all_pyq_scripts';
COMMENT ON COLUMN pyqsys.scripts.owner IS 'Role that it belongs to; 0 (-) for a global script';
COMMENT ON COLUMN pyqsys.scripts.name IS 'Name of the script: case-sensitive, 1 to 128 characters';
COMMENT ON COLUMN pyqsys.scripts.script IS 'Python source';
COMMENT ON COLUMN pyqsys.scripts.description IS 'What the script is for';
COMMENT ON COLUMN pyqsys.scripts.created IS 'When a script of this name was first stored';
COMMENT ON COLUMN pyqsys.scripts.updated IS 'When the source was last stored';

-- No foreign key to scripts: pg_restore --jobs loads an extension's tables in any order.
-- A trigger deletes the grants of a script instead.
CREATE TABLE pyqsys.script_grants (
    owner regrole NOT NULL,
    name text COLLATE "C" NOT NULL,
    grantee regrole NOT NULL,
    CONSTRAINT script_grants_key PRIMARY KEY (owner, name, grantee)
);
COMMENT ON TABLE pyqsys.script_grants IS
    'Who may run whose scripts; written by pyq_grant and pyq_revoke';
COMMENT ON COLUMN pyqsys.script_grants.owner IS 'Owner of the script';
COMMENT ON COLUMN pyqsys.script_grants.name IS 'Name of the script';
COMMENT ON COLUMN pyqsys.script_grants.grantee IS 'Role that may run it; 0 (-) for everybody';

-- Whoever can write here decides what runs in the server.
REVOKE ALL ON pyqsys.scripts, pyqsys.script_grants FROM PUBLIC;

-- A dropped role's rows stay, with its bare OID, which could be anybody in the cluster that a dump
-- is restored in: they are not dumped.
SELECT pg_catalog.pg_extension_config_dump('pyqsys.scripts',
    'WHERE owner::oid = 0 OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('pyqsys.script_grants',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = owner)'
    ' AND (grantee::oid = 0'
    '      OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = grantee))');

-- Every session caches the scripts it runs. Logical replication fires row triggers only, and of
-- these only ENABLE ALWAYS ones.
CREATE FUNCTION pyqsys.scripts_changed() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_scripts_changed';
REVOKE ALL ON FUNCTION pyqsys.scripts_changed() FROM PUBLIC;
COMMENT ON FUNCTION pyqsys.scripts_changed() IS
    'Trigger on the tables of the script repository: empties the script caches of all sessions';

DO $$
DECLARE
    changed regclass;
BEGIN
    FOREACH changed IN ARRAY ARRAY['pyqsys.scripts', 'pyqsys.script_grants']::regclass[] LOOP
        EXECUTE format('CREATE TRIGGER rows_changed AFTER INSERT OR UPDATE OR DELETE ON %s'
                       ' FOR EACH ROW EXECUTE FUNCTION pyqsys.scripts_changed()', changed);
        EXECUTE format('CREATE TRIGGER table_truncated AFTER TRUNCATE ON %s'
                       ' FOR EACH STATEMENT EXECUTE FUNCTION pyqsys.scripts_changed()', changed);
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER rows_changed,'
                       ' ENABLE ALWAYS TRIGGER table_truncated', changed);
    END LOOP;
END
$$;

-- A later script of the same name must not find the grants of this one.
CREATE FUNCTION pyqsys.forget_grants() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tg_op = 'TRUNCATE' THEN
        DELETE FROM pyqsys.script_grants;
    ELSE
        DELETE FROM pyqsys.script_grants AS g WHERE g.owner = old.owner AND g.name = old.name;
    END IF;
    RETURN NULL;
END
$$;
REVOKE ALL ON FUNCTION pyqsys.forget_grants() FROM PUBLIC;
COMMENT ON FUNCTION pyqsys.forget_grants() IS
    'Trigger on pyqsys.scripts: deletes the grants of a script that is dropped or renamed';

CREATE TRIGGER script_dropped AFTER DELETE OR UPDATE OF owner, name ON pyqsys.scripts
    FOR EACH ROW EXECUTE FUNCTION pyqsys.forget_grants();
CREATE TRIGGER scripts_truncated AFTER TRUNCATE ON pyqsys.scripts
    FOR EACH STATEMENT EXECUTE FUNCTION pyqsys.forget_grants();

-- The views run as their owner and show what current_user may see. The barrier keeps a caller's own
-- functions from being shown the other rows first.
CREATE VIEW @extschema@.all_pyq_scripts WITH (security_barrier) AS
    SELECT CASE WHEN s.owner::oid = 0 THEN 'pyqsys'
                ELSE pg_catalog.pg_get_userbyid(s.owner)::text END AS owner,
           s.name,
           s.script
    FROM pyqsys.scripts AS s
    WHERE s.owner::oid = 0
        OR pg_catalog.pg_has_role(s.owner::oid, 'USAGE')
        OR EXISTS (SELECT FROM pyqsys.script_grants AS g
                   WHERE g.owner = s.owner AND g.name = s.name
                       AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee::oid, 'USAGE')));
COMMENT ON VIEW @extschema@.all_pyq_scripts IS
    'Scripts that the current user may run: own, granted and global ones';
COMMENT ON COLUMN @extschema@.all_pyq_scripts.owner IS 'Owner; pyqsys for a global script';
COMMENT ON COLUMN @extschema@.all_pyq_scripts.name IS 'Name of the script';
COMMENT ON COLUMN @extschema@.all_pyq_scripts.script IS 'Python source';
GRANT SELECT ON @extschema@.all_pyq_scripts TO PUBLIC;

CREATE VIEW @extschema@.user_pyq_scripts WITH (security_barrier) AS
    SELECT s.name, s.script
    FROM pyqsys.scripts AS s
    WHERE s.owner::oid = (SELECT r.oid FROM pg_catalog.pg_roles AS r
                          WHERE r.rolname = current_user);
COMMENT ON VIEW @extschema@.user_pyq_scripts IS 'Scripts that the current user owns';
COMMENT ON COLUMN @extschema@.user_pyq_scripts.name IS 'Name of the script';
COMMENT ON COLUMN @extschema@.user_pyq_scripts.script IS 'Python source';
GRANT SELECT ON @extschema@.user_pyq_scripts TO PUBLIC;

-- These check the caller's rights themselves, so that PUBLIC may execute them (the default), as it
-- may all functions below.
CREATE FUNCTION @extschema@.pyq_script_create(
    v_name text, v_script text, v_global boolean DEFAULT false, v_overwrite boolean DEFAULT false)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_script_create';
COMMENT ON FUNCTION @extschema@.pyq_script_create(text, text, boolean, boolean) IS
    'Stores a Python function as a script; only superusers and members of pyqadmin may';

CREATE FUNCTION @extschema@.pyq_script_drop(
    v_name text, v_global boolean DEFAULT false, v_silent boolean DEFAULT false)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_script_drop';
COMMENT ON FUNCTION @extschema@.pyq_script_drop(text, boolean, boolean) IS
    'Drops a script of the current user, or a global one; v_silent: quiet when there is none';

CREATE FUNCTION @extschema@.pyq_grant(v_name text, v_type text, v_user text DEFAULT NULL)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_grant';
COMMENT ON FUNCTION @extschema@.pyq_grant(text, text, text) IS
    'Lets a role run a script of the current user (v_type ''pyqscript''); v_user NULL: everybody';

CREATE FUNCTION @extschema@.pyq_revoke(v_name text, v_type text, v_user text DEFAULT NULL)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_revoke';
COMMENT ON FUNCTION @extschema@.pyq_revoke(text, text, text) IS
    'Takes back what pyq_grant gave to a role; v_user NULL: from everybody who has it';

-- --------------------------------------------------------------------------- fixed result shapes

CREATE TYPE @extschema@.pyq_json AS (name text, value text);
COMMENT ON TYPE @extschema@.pyq_json IS 'Result of OUT_FMT ''JSON''; NULL::pyq_json asks for it';
COMMENT ON COLUMN @extschema@.pyq_json.name IS 'Always NULL';
COMMENT ON COLUMN @extschema@.pyq_json.value IS 'The results of all calls as one JSON text';

CREATE TYPE @extschema@.pyq_xml AS (name text, value text);
COMMENT ON TYPE @extschema@.pyq_xml IS 'Result of OUT_FMT ''XML''; NULL::pyq_xml asks for it';
COMMENT ON COLUMN @extschema@.pyq_xml.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN @extschema@.pyq_xml.value IS 'The result of the call as an XML document';

CREATE TYPE @extschema@.pyq_png AS (name text, id int, value text, title text, image bytea);
COMMENT ON TYPE @extschema@.pyq_png IS 'Result of OUT_FMT ''PNG''; NULL::pyq_png asks for it';
COMMENT ON COLUMN @extschema@.pyq_png.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN @extschema@.pyq_png.id IS 'Number of the image within its call, from 1';
COMMENT ON COLUMN @extschema@.pyq_png.value IS 'The result of the call as JSON text';
COMMENT ON COLUMN @extschema@.pyq_png.title IS 'Title of the figure; NULL when it has none';
COMMENT ON COLUMN @extschema@.pyq_png.image IS 'The PNG file';

-- --------------------------------------------------------------------------- the eval functions

-- Each has four forms: par_lst is text or jsonb; the shape of the result is given by out_fmt and
-- the AS list, or by the type of out_row. PARALLEL RESTRICTED: the interpreter lives in the
-- session's own process. The cost is a guess: high, so that the planner avoids calls.

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst text, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval';
COMMENT ON FUNCTION @extschema@.pyq_eval(text, text, text, text, text) IS
    'Runs a script once, without data; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst text, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_eval(text, anyelement, text, text, text) IS
    'Runs a script once, without data; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst jsonb, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval';
COMMENT ON FUNCTION @extschema@.pyq_eval(jsonb, text, text, text, text) IS
    'Runs a script once, without data; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst jsonb, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_eval(jsonb, anyelement, text, text, text) IS
    'Runs a script once, without data; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst text, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, text, text, text, text, text) IS
    'Runs a script once over a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst text, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, text, anyelement, text, text, text) IS
    'Runs a script once over a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst jsonb, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, jsonb, text, text, text, text) IS
    'Runs a script once over a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst jsonb, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, jsonb, anyelement, text, text, text) IS
    'Runs a script once over a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst text, out_fmt text, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, text, text, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst text, out_row anyelement, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, text, anyelement, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst jsonb, out_fmt text, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, jsonb, text, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst jsonb, out_row anyelement, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, jsonb, anyelement, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst text, out_fmt text, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(text, text, text, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst text, out_row anyelement, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(
    text, text, anyelement, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst jsonb, out_fmt text, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(text, jsonb, text, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst jsonb, out_row anyelement, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(
    text, jsonb, anyelement, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst text, out_fmt text, times_num bigint, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(text, text, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst text, out_row anyelement, times_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(text, anyelement, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst jsonb, out_fmt text, times_num bigint, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(jsonb, text, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst jsonb, out_row anyelement, times_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(jsonb, anyelement, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result of out_row''s type';

-- ------------------------------------------------------------------------- Oracle's folded names

-- pyqsys.pyqTableEval(...) is pyq_table_eval(...), and so on for every function above.
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
               p.prosrc AS symbol
        FROM pg_proc AS p
            JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                AND d.deptype = 'e'
            JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass
                AND d.refobjid = e.oid
        WHERE e.extname = 'oml_epe' AND p.proname LIKE 'pyq\_%'
        ORDER BY p.oid
    LOOP
        alias := 'pyqsys.' || replace(original.name, '_', '');
        EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %s'
                       ' LANGUAGE C VOLATILE PARALLEL %s %s AS %L, %L',
                       alias, original.arguments, original.result,
                       CASE WHEN original.is_restricted THEN 'RESTRICTED' ELSE 'UNSAFE' END,
                       CASE WHEN original.is_set THEN 'COST 1000 ROWS 1000' ELSE '' END,
                       'MODULE_PATHNAME', original.symbol);
        EXECUTE format('COMMENT ON FUNCTION %s(%s) IS %L', alias, original.identity_arguments,
                       original.name || ' under Oracle''s name');
    END LOOP;
END
$$;
