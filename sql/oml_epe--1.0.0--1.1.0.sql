-- From version 1.0.0 to 1.1.0. The result equals a new installation of 1.1.0: test/py/project/test_upgrade.py
-- compares the catalogs. A statement here repeats what changed in sql/NN_*.sql; a new column goes
-- behind the existing ones in both.
\echo Use "ALTER EXTENSION oml_epe UPDATE" to load this file. \quit

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

-- The objects that exist: their ACLs may be the work of an administrator.
SELECT set_config('pyqsys.kept', array_agg(concat(d.classid, '.', d.objid))::text, true)
FROM pg_depend AS d
    JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'oml_epe'
WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e';

-- -------------------------------------------------------------- views compare OIDs and show names

CREATE OR REPLACE VIEW @extschema@.all_pyq_scripts WITH (security_barrier) AS
    SELECT CASE WHEN s.owner::oid = 0 THEN 'pyqsys'
                ELSE (SELECT r.rolname::text FROM pg_catalog.pg_roles AS r
                      WHERE r.oid = s.owner::oid) END AS owner,
           s.name,
           s.script
    FROM pyqsys.scripts AS s
    WHERE s.owner::oid = 0
        OR pg_catalog.pg_has_role(s.owner::oid, 'USAGE')
        OR EXISTS (SELECT FROM pyqsys.script_grants AS g
                   WHERE g.owner = s.owner AND g.name = s.name
                       AND (g.grantee::oid = 0 OR pg_catalog.pg_has_role(g.grantee::oid, 'USAGE')));

CREATE OR REPLACE VIEW @extschema@.user_pyq_scripts WITH (security_barrier) AS
    SELECT s.name, s.script
    FROM pyqsys.scripts AS s
    WHERE s.owner = pg_catalog.quote_ident(current_user)::regrole;

-- Whether a role may run Python inside the server: the rule of docs/explanation/trust.md, as C
-- functions apply it.
CREATE FUNCTION pyqsys.is_trusted_role(role oid) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'epe_is_trusted_role';
COMMENT ON FUNCTION pyqsys.is_trusted_role(oid) IS
    'Whether a role is trusted: a superuser or a member of pyqadmin';

CREATE OR REPLACE VIEW pyqsys.readable_datastores WITH (security_barrier) AS
    SELECT s.id, s.owner, s.owner_name, s.name, s.description, s.is_grantable, s.created,
           s.owner = quote_ident(current_user)::regrole AS is_own, s.is_granted,
           pyqsys.is_trusted_role(s.owner::oid) AS is_trusted
    FROM (SELECT d.*, (SELECT r.rolname::text FROM pg_roles AS r
                       WHERE r.oid = d.owner::oid) COLLATE "C" AS owner_name,
                 EXISTS (SELECT FROM pyqsys.datastore_grants AS g
                         WHERE g.store = d.id AND g.owner = d.owner
                             AND (g.grantee::oid = 0 OR pg_has_role(g.grantee::oid, 'USAGE')))
                     AS is_granted
          FROM pyqsys.datastores AS d) AS s
    WHERE pg_has_role(s.owner::oid, 'USAGE') OR s.is_granted;

CREATE OR REPLACE VIEW @extschema@.all_pyq_datastores WITH (security_barrier) AS
    SELECT d.owner_name AS dsowner, d.name AS dsname, o.nobj, o.dssize, d.created AS cdate,
           d.description, CASE WHEN d.is_grantable THEN 'T' ELSE 'F' END AS grantable
    FROM pyqsys.readable_datastores AS d,
        LATERAL (SELECT count(*) AS nobj, coalesce(sum(i.size), 0)::bigint AS dssize
                 FROM pyqsys.datastore_objects AS i WHERE i.store = d.id) AS o;

CREATE OR REPLACE VIEW @extschema@.user_pyq_datastores WITH (security_barrier) AS
    SELECT d.name AS dsname, o.nobj, o.dssize, d.created AS cdate,
           d.description, CASE WHEN d.is_grantable THEN 'T' ELSE 'F' END AS grantable
    FROM pyqsys.readable_datastores AS d,
        LATERAL (SELECT count(*) AS nobj, coalesce(sum(i.size), 0)::bigint AS dssize
                 FROM pyqsys.datastore_objects AS i WHERE i.store = d.id) AS o
    WHERE d.is_own;

CREATE OR REPLACE VIEW pyqsys.readable_scripts WITH (security_barrier) AS
    SELECT s.owner_name, s.name, s.script, s.description, s.updated, s.owner::oid = 0 AS is_global,
           s.owner = quote_ident(current_user)::regrole AS is_own, s.is_granted,
           s.owner::oid = 0 OR pyqsys.is_trusted_role(s.owner::oid) AS is_trusted
    FROM (SELECT i.*,
                 (CASE WHEN i.owner::oid = 0 THEN 'pyqsys'
                       ELSE (SELECT r.rolname::text FROM pg_roles AS r
                             WHERE r.oid = i.owner::oid) END) COLLATE "C" AS owner_name,
                 EXISTS (SELECT FROM pyqsys.script_grants AS g
                         WHERE g.owner = i.owner AND g.name = i.name
                             AND (g.grantee::oid = 0 OR pg_has_role(g.grantee::oid, 'USAGE')))
                     AS is_granted
          FROM pyqsys.scripts AS i) AS s
    WHERE s.owner::oid = 0 OR pg_has_role(s.owner::oid, 'USAGE') OR s.is_granted;

CREATE OR REPLACE VIEW pyqsys.given_grants WITH (security_barrier) AS
    SELECT g.type, g.name,
           CASE WHEN g.grantee::oid = 0 THEN 'PUBLIC'
                ELSE (SELECT r.rolname::text FROM pg_roles AS r
                      WHERE r.oid = g.grantee::oid) END COLLATE "C" AS grantee
    FROM (SELECT 'pyqscript' AS type, s.owner, s.name, s.grantee FROM pyqsys.script_grants AS s
          UNION ALL
          SELECT 'datastore', d.owner, d.name, e.grantee
          FROM pyqsys.datastore_grants AS e
              JOIN pyqsys.datastores AS d ON d.id = e.store AND d.owner = e.owner) AS g
    WHERE g.owner = quote_ident(current_user)::regrole;

CREATE OR REPLACE VIEW @extschema@.pyq_jobs WITH (security_barrier) AS
    SELECT j.id,
           (SELECT r.rolname::pg_catalog.text FROM pg_catalog.pg_roles AS r
            WHERE r.oid OPERATOR(pg_catalog.=) j.owner::oid) AS owner,
           j.script,
           j.state,
           j.submitted,
           j.started,
           j.finished,
           COALESCE(j.finished, pg_catalog.clock_timestamp())
               OPERATOR(pg_catalog.-) COALESCE(j.started, j.submitted) AS elapsed,
           COALESCE(s.progress, j.progress) AS progress,
           COALESCE(s.comment, j.comment) AS comment,
           j.error[2] AS error
    FROM pyqsys.jobs AS j
        LEFT JOIN pg_catalog.jsonb_to_recordset(pyqsys.job_slots()::pg_catalog.jsonb) AS s(
            id uuid, progress float8, comment text)
            ON j.state OPERATOR(pg_catalog.=) 'running' AND s.id OPERATOR(pg_catalog.=) j.id
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));

CREATE OR REPLACE VIEW pyqsys.job_calls WITH (security_barrier) AS
    SELECT j.id,
           (ARRAY['eval', 'table', 'row', 'group', 'index'])[
               j.function OPERATOR(pg_catalog.+) 1] AS function,
           j.par_lst,
           j.inp_nam,
           j.grp_col,
           j.env_name
    FROM pyqsys.jobs AS j
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));

CREATE OR REPLACE VIEW pyqsys.job_data WITH (security_barrier) AS
    SELECT d.job, d.call, d.piece, d.data, d.name
    FROM pyqsys.job_results AS d
        JOIN pyqsys.jobs AS j ON j.id OPERATOR(pg_catalog.=) d.job
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));

COMMENT ON COLUMN @extschema@.all_pyq_scripts.owner IS
    'Owner; pyqsys for a global script, NULL for one of a role that has been dropped';

COMMENT ON COLUMN pyqsys.readable_datastores.owner_name IS
    'Name of the owner; NULL when the role has been dropped';

COMMENT ON COLUMN @extschema@.all_pyq_datastores.dsowner IS
    'Owner; NULL when the role has been dropped';

COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.dsowner IS
    'Owner of the datastore; NULL when the role has been dropped';

COMMENT ON COLUMN pyqsys.readable_scripts.owner_name IS
    'Owner; pyqsys for a global script, NULL for one of a role that has been dropped';

COMMENT ON COLUMN pyqsys.given_grants.grantee IS
    'Role that it is granted to, or PUBLIC; NULL when the role has been dropped';

COMMENT ON COLUMN @extschema@.pyq_jobs.owner IS
    'Role that it runs as; NULL when it has been dropped';

-- -------------------------------------------------------------------------------- changes of jobs

ALTER TABLE pyqsys.jobs ADD COLUMN login boolean NOT NULL DEFAULT true;
COMMENT ON COLUMN pyqsys.jobs.login IS
    'Whether its owner must have the right to log in when it starts';
UPDATE pyqsys.jobs AS j SET login = false
WHERE j.state OPERATOR(pg_catalog.=) 'queued' AND NOT EXISTS (
    SELECT FROM pg_catalog.pg_roles AS r
    WHERE r.oid OPERATOR(pg_catalog.=) j.owner::oid AND r.rolcanlogin);

-- Jobs of package oml.
ALTER TABLE pyqsys.jobs
    ADD COLUMN source text,
    ADD COLUMN pickled bytea,
    ADD COLUMN untrusted boolean NOT NULL DEFAULT false;
ALTER TABLE pyqsys.jobs ALTER COLUMN pickled SET STORAGE EXTERNAL;
COMMENT ON COLUMN pyqsys.jobs.source IS 'Source of a script that came with the call';
COMMENT ON COLUMN pyqsys.jobs.pickled IS 'Pickled arguments, until it has ended';
COMMENT ON COLUMN pyqsys.jobs.untrusted IS
    'Whether an untrusted script submitted it, so that what came with the call is not trusted';
COMMENT ON COLUMN pyqsys.job_calls.inp_nam IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.grp_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.env_name IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_data.name IS 'Chunk number, group or index; NULL for a lone call';

CREATE FUNCTION pyqsys.submit(
    cut text, scr_name text, scr_owner text DEFAULT NULL, source text DEFAULT NULL,
    par_lst text DEFAULT NULL, pickled bytea DEFAULT NULL, inp_nam text DEFAULT NULL,
    row_num bigint DEFAULT NULL, grp_col text DEFAULT NULL, ord_col text DEFAULT NULL,
    times_num bigint DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_submit';
COMMENT ON FUNCTION pyqsys.submit(text, text, text, text, text, bytea, text, bigint, text, text,
    bigint, text) IS
    'What package oml calls: pyqsys.apply as a job, whose ID it returns';

CREATE FUNCTION pyqsys.finished_job(job_id text, only_trusted boolean DEFAULT false) RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_finished_job';
COMMENT ON FUNCTION pyqsys.finished_job(text, boolean) IS
    'The ID of a finished job whose pickles the current role may load; the error of any other job';

CREATE FUNCTION pyqsys.job_rows(job_id text, out_row anyelement) RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_rows';
COMMENT ON FUNCTION pyqsys.job_rows(text, anyelement) IS
    'pyq_job_result of out_row''s type, whose columns are matched by position';

-- Changes of jobs whose rows were locked by another session: made when they are free.
CREATE TABLE pyqsys.job_changes (
    number bigint NOT NULL DEFAULT nextval('pyqsys.job_numbers'),
    job uuid NOT NULL,
    attempt int,
    state text COLLATE "C" NOT NULL,
    error text[],
    progress float8,
    comment text,
    CONSTRAINT job_changes_key PRIMARY KEY (job, number)
);
COMMENT ON TABLE pyqsys.job_changes IS
    'Outcomes, cancellations and deletions of jobs that wait for the lock of the job''s row';
COMMENT ON COLUMN pyqsys.job_changes.number IS 'Order of the changes';
COMMENT ON COLUMN pyqsys.job_changes.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_changes.attempt IS
    'Attempt that made the change; NULL if a session made it';
COMMENT ON COLUMN pyqsys.job_changes.state IS 'New state of the job, or deleted';
COMMENT ON COLUMN pyqsys.job_changes.error IS 'As in pyqsys.jobs';
COMMENT ON COLUMN pyqsys.job_changes.progress IS 'As in pyqsys.jobs';
COMMENT ON COLUMN pyqsys.job_changes.comment IS 'As in pyqsys.jobs';

-- ------------------------------------------------------------------- par_lst as a json value

-- The forms with json, for json_build_object() and drivers that send json. Untyped literals and
-- parameters still mean text, the preferred type of its category. Each has the privileges of its
-- form with jsonb, which an administrator may have changed.
DO $$
DECLARE
    original record;
    entry record;
    added regprocedure;
BEGIN
    FOR original IN
        SELECT p.oid::regproc AS name,
               replace(pg_get_function_arguments(p.oid), 'par_lst jsonb', 'par_lst json')
                   AS arguments,
               replace(pg_get_function_identity_arguments(p.oid), 'par_lst jsonb', 'par_lst json')
                   AS identity_arguments,
               pg_get_function_result(p.oid) AS result,
               p.prosrc AS symbol,
               obj_description(p.oid, 'pg_proc') AS description,
               p.oid, coalesce(p.proacl, acldefault('f', p.proowner)) AS acl
        FROM pg_proc AS p
            JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
                AND d.deptype = 'e'
            JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass
                AND d.refobjid = e.oid
        WHERE e.extname = 'oml_epe'
            AND pg_get_function_arguments(p.oid) LIKE '%par\_lst jsonb,%'
        ORDER BY p.oid
    LOOP
        EXECUTE format('CREATE FUNCTION %s(%s) RETURNS %s LANGUAGE C VOLATILE PARALLEL UNSAFE'
                       ' COST 1000 ROWS 1000 AS %L, %L',
                       original.name, original.arguments, original.result, 'MODULE_PATHNAME',
                       original.symbol);
        EXECUTE format('COMMENT ON FUNCTION %s(%s) IS %L', original.name,
                       original.identity_arguments, original.description);
        added := format('%s(%s)', original.name,
                        replace(oidvectortypes((SELECT p.proargtypes FROM pg_proc AS p
                                                WHERE p.oid = original.oid)), 'jsonb', 'json'));
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', added);
        FOR entry IN
            SELECT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END AS grantee,
                   CASE WHEN a.is_grantable THEN 'WITH GRANT OPTION' END AS option
            FROM aclexplode(original.acl) AS a
        LOOP
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s %s', added, entry.grantee,
                           entry.option);
        END LOOP;
        PERFORM set_config('pyqsys.kept',
                           array_append(current_setting('pyqsys.kept')::text[],
                                        concat('pg_proc'::regclass::oid, '.', added::oid))::text,
                           true);
    END LOOP;
END
$$;

-- ------------------------------------------------------------------------------ rows as columns

-- Package oml calls these; the bytes are described in src/engine/common/packed_batch.h.
CREATE FUNCTION pyqsys.query_batches(inp_nam text, use_decimal boolean DEFAULT false)
    RETURNS SETOF bytea
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 100
    AS 'MODULE_PATHNAME', 'epe_query_batches';
COMMENT ON FUNCTION pyqsys.query_batches(text, boolean) IS
    'Rows of a table or query, in batches of columns; numeric as double precision or as decimals';

CREATE FUNCTION pyqsys.batch_rows(batch bytea) RETURNS SETOF record
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE ROWS 10000
    AS 'MODULE_PATHNAME', 'epe_batch_rows';
COMMENT ON FUNCTION pyqsys.batch_rows(bytea) IS
    'Rows of a batch of columns, in the columns of the AS list by position';

-- ------------------------------------------------------------------------------------ the guards

ALTER SEQUENCE pyqsys.job_numbers CYCLE;

DO $$
DECLARE
    guarded regclass;
BEGIN
    FOR guarded IN
        SELECT tgrelid FROM pg_trigger
        WHERE tgname = 'owner_only' AND tgfoid = 'pyqsys.require_owner()'::regprocedure
    LOOP
        EXECUTE format('DROP TRIGGER owner_only ON %s', guarded);
    END LOOP;
END
$$;
ALTER FUNCTION pyqsys.require_owner() RESET search_path;
CREATE OR REPLACE FUNCTION pyqsys.require_owner() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_require_owner';
COMMENT ON FUNCTION pyqsys.require_owner() IS
    'Trigger on every table of pyqsys: refuses changes by roles without the owner''s privileges';

-- A job belongs to the server that it was submitted to.
CREATE FUNCTION pyqsys.ignore_replicated() RETURNS trigger
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_ignore_replicated';
COMMENT ON FUNCTION pyqsys.ignore_replicated() IS
    'Trigger on tables that are not replicated: ignores changes that replication applies';

-- Tables whose rows do not travel are those that pg_dump leaves out.
CREATE FUNCTION pyqsys.guard_tables() RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    guard record;
BEGIN
    FOR guard IN
        SELECT c.oid::regclass AS name, t.name AS trigger, t.event, t.function
        FROM pg_extension AS e
            JOIN pg_depend AS d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
                AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
            JOIN pg_class AS c ON c.oid = d.objid
            JOIN (VALUES
                ('owner_only', false, 'require_owner',
                 'BEFORE INSERT OR UPDATE OR DELETE OR TRUNCATE ON %s FOR EACH STATEMENT'),
                ('owner_only_rows', false, 'require_owner',
                 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW'),
                ('ignore_replicated', true, 'ignore_replicated',
                 'BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW'),
                ('ignore_truncate', true, 'ignore_replicated',
                 'BEFORE TRUNCATE ON %s FOR EACH STATEMENT'),
                ('ignored_truncate', true, 'ignore_replicated',
                 'AFTER TRUNCATE ON %s FOR EACH STATEMENT'))
                AS t(name, is_for_local, function, event)
                ON NOT (t.is_for_local AND c.oid = ANY (e.extconfig))
        WHERE e.extname = 'oml_epe' AND c.relkind IN ('r', 'p')
            AND c.relnamespace = 'pyqsys'::regnamespace
            AND NOT EXISTS (SELECT FROM pg_trigger AS g
                            WHERE g.tgrelid = c.oid AND g.tgname = t.name)
    LOOP
        EXECUTE format('CREATE TRIGGER %I %s EXECUTE FUNCTION pyqsys.%I()', guard.trigger,
                       format(guard.event, guard.name), guard.function);
    END LOOP;
    -- pg_restore --disable-triggers enables triggers for sessions that are not in replica mode only.
    FOR guard IN
        SELECT g.tgrelid::regclass AS name, g.tgname AS trigger
        FROM pg_trigger AS g
            JOIN pg_class AS c ON c.oid = g.tgrelid
            JOIN pg_proc AS p ON p.oid = g.tgfoid
        WHERE c.relnamespace = 'pyqsys'::regnamespace AND g.tgenabled <> 'A'
            AND p.pronamespace = 'pyqsys'::regnamespace
            AND p.proname IN ('require_owner', 'ignore_replicated', 'scripts_changed')
    LOOP
        EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', guard.name, guard.trigger);
    END LOOP;
END
$$;
COMMENT ON FUNCTION pyqsys.guard_tables() IS
    'Creates or enables missing or disabled protective triggers on the tables of pyqsys';

-- Default privileges, of the role that runs this script or of others for it, have given each object
-- an ACL. What each kind of object means to give: nothing for tables, sequences, trigger functions
-- and the two functions here; SELECT on views, EXECUTE on functions, USAGE on types and the schema to
-- PUBLIC; all to the owner. "kept" names objects ("class.oid") whose ACL may be the work of an
-- administrator: of these only what is never meant is revoked.
CREATE FUNCTION pyqsys.set_privileges(kept text[] DEFAULT '{}') RETURNS void
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
DECLARE
    object record;
    entry record;
    is_kept boolean;
    owned boolean;
BEGIN
    FOR object IN
        WITH members AS (
            SELECT d.classid, d.objid
            FROM pg_depend AS d
                JOIN pg_extension AS e ON e.oid = d.refobjid AND e.extname = 'oml_epe'
            WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        ), objects AS (
            SELECT 'pg_class'::regclass AS class, c.oid, c.oid::regclass::text AS name,
                   CASE c.relkind WHEN 'S' THEN 'SEQUENCE' ELSE 'TABLE' END AS kind,
                   CASE c.relkind WHEN 'v' THEN 'SELECT' END AS meant, c.relowner AS owner,
                   c.relacl AS acl,
                   acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END, c.relowner)
                       AS default_acl
            FROM pg_class AS c WHERE c.relkind <> 'c'
            UNION ALL
            SELECT 'pg_proc'::regclass, p.oid, p.oid::regprocedure::text, 'ROUTINE',
                   CASE WHEN p.prorettype <> 'trigger'::regtype
                            AND p.oid NOT IN ('pyqsys.guard_tables()'::regprocedure,
                                              'pyqsys.set_privileges(text[])'::regprocedure)
                        THEN 'EXECUTE' END,
                   p.proowner, p.proacl, acldefault('f', p.proowner)
            FROM pg_proc AS p
            UNION ALL
            SELECT 'pg_type'::regclass, t.oid, t.oid::regtype::text, 'TYPE', 'USAGE',
                   t.typowner, t.typacl, acldefault('T', t.typowner)
            FROM pg_type AS t
            UNION ALL
            SELECT 'pg_namespace'::regclass, n.oid, quote_ident(n.nspname), 'SCHEMA', 'USAGE',
                   n.nspowner, n.nspacl, acldefault('n', n.nspowner)
            FROM pg_namespace AS n
        )
        SELECT o.*, coalesce(o.acl, o.default_acl) AS actual
        FROM objects AS o JOIN members AS m ON m.classid = o.class::oid AND m.objid = o.oid
    LOOP
        is_kept := concat(object.class::oid, '.', object.oid) = ANY (kept);
        FOR entry IN
            SELECT a.privilege_type AS privilege, a.grantee, a.is_grantable, NULL AS place
            FROM aclexplode(object.actual) AS a
            UNION ALL
            SELECT a.privilege_type, a.grantee, true, format('(%I)', c.attname)
            FROM pg_attribute AS c, aclexplode(c.attacl) AS a
            WHERE object.class = 'pg_class'::regclass AND c.attrelid = object.oid
        LOOP
            IF entry.grantee <> object.owner
                AND (entry.privilege IS DISTINCT FROM object.meant
                     OR NOT is_kept AND (entry.grantee <> 0 OR entry.is_grantable)) THEN
                EXECUTE format('REVOKE %s %s ON %s %s FROM %s CASCADE', entry.privilege,
                               entry.place, object.kind, object.name,
                               CASE entry.grantee WHEN 0 THEN 'PUBLIC'
                                                  ELSE entry.grantee::regrole::text END);
            END IF;
        END LOOP;
        CONTINUE WHEN is_kept;
        IF object.meant IS NOT NULL
            AND NOT EXISTS (SELECT FROM aclexplode(object.actual) AS a
                            WHERE a.grantee = 0 AND NOT a.is_grantable
                                AND a.privilege_type = object.meant) THEN
            EXECUTE format('GRANT %s ON %s %s TO PUBLIC', object.meant, object.kind, object.name);
        END IF;
        owned := NOT EXISTS (
            SELECT a.privilege_type FROM aclexplode(object.default_acl) AS a
            WHERE a.grantee = object.owner
            EXCEPT SELECT a.privilege_type FROM aclexplode(object.actual) AS a
                   WHERE a.grantee = object.owner);
        IF NOT owned THEN
            EXECUTE format('GRANT ALL ON %s %s TO %s', object.kind, object.name,
                           object.owner::regrole);
        END IF;
    END LOOP;
END
$$;
COMMENT ON FUNCTION pyqsys.set_privileges(text[]) IS
    'Restores the privileges of the extension''s objects';

-- -------------------------------------------------------------------------------------- comments

COMMENT ON TABLE pyqsys.scripts IS
    'The script repository; written by pyq_script_create, read through all_pyq_scripts';
COMMENT ON COLUMN pyqsys.scripts.owner IS 'Owner; 0 (-) for a global script';
COMMENT ON COLUMN pyqsys.scripts.description IS 'Description of the script';
COMMENT ON TABLE pyqsys.script_grants IS 'Grants of scripts; written by pyq_grant and pyq_revoke';
COMMENT ON COLUMN pyqsys.script_grants.grantee IS 'Role that may run it; 0 (-) for PUBLIC';
COMMENT ON FUNCTION @extschema@.pyq_script_drop(text, boolean, boolean) IS
    'Drops a script of the current user, or a global one; v_silent: no error if it does not exist';
COMMENT ON FUNCTION @extschema@.pyq_grant(text, text, text) IS
    'Lets a role run a script (v_type ''pyqscript'') or read a datastore (''datastore''); v_user NULL: PUBLIC';
COMMENT ON FUNCTION @extschema@.pyq_revoke(text, text, text) IS
    'Revokes what pyq_grant has granted to a role; v_user NULL: from all roles';
COMMENT ON TABLE pyqsys.datastores IS
    'Named stores of Python objects; written by package oml, read through all_pyq_datastores';
COMMENT ON COLUMN pyqsys.datastores.owner IS 'Owner';
COMMENT ON COLUMN pyqsys.datastores.id IS 'ID that its objects and grants refer to';
COMMENT ON COLUMN pyqsys.datastores.description IS 'Description of the datastore';
COMMENT ON COLUMN pyqsys.datastores.is_grantable IS 'Whether it can be granted to other roles';
COMMENT ON COLUMN pyqsys.datastores.created IS 'When it was created or overwritten';
COMMENT ON COLUMN pyqsys.datastore_objects.object IS 'ID that its pieces refer to';
COMMENT ON COLUMN pyqsys.datastore_pieces.owner IS
    'Role that wrote it; decides whether it may be unpickled inside the server';
COMMENT ON TABLE pyqsys.datastore_grants IS
    'Grants of datastores; written by pyq_grant and pyq_revoke';
COMMENT ON COLUMN pyqsys.datastore_grants.grantee IS 'Role that may read it; 0 (-) for PUBLIC';
COMMENT ON COLUMN pyqsys.readable_datastores.id IS 'ID that its objects refer to';
COMMENT ON COLUMN pyqsys.readable_datastores.description IS 'Description of the datastore';
COMMENT ON COLUMN pyqsys.readable_datastores.created IS 'When it was created or overwritten';
COMMENT ON COLUMN pyqsys.readable_datastores.is_granted IS
    'Whether it is granted to the current user, to a role of the current user, or to PUBLIC';
COMMENT ON COLUMN pyqsys.readable_objects.object IS 'ID that its pieces refer to';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.cdate IS 'When it was created or overwritten';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.description IS 'Description';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.grantable IS
    'T if it can be granted to other roles, else F';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.cdate IS 'When it was created or overwritten';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.description IS 'Description';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.grantable IS
    'T if it can be granted to other roles, else F';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.objsize IS 'Bytes that it takes as stored';
COMMENT ON FUNCTION pyqsys.datastore_discard(uuid) IS
    'Deletes pieces of an object that is in no datastore';
COMMENT ON VIEW pyqsys.readable_scripts IS
    'all_pyq_scripts with the further columns that oml.script shows';
COMMENT ON COLUMN pyqsys.readable_scripts.description IS 'Description of the script';
COMMENT ON COLUMN pyqsys.readable_scripts.is_granted IS
    'Whether it is granted to the current user, to a role of the current user, or to PUBLIC';
COMMENT ON VIEW pyqsys.given_grants IS 'Grants of the current user''s scripts and datastores';
COMMENT ON TABLE pyqsys.jobs IS 'Asynchronous calls; view pyq_jobs shows a user''s own';
COMMENT ON COLUMN pyqsys.jobs.state IS 'State of the job';
COMMENT ON COLUMN pyqsys.jobs.attempts IS 'Number of attempts so far';
COMMENT ON COLUMN pyqsys.jobs.retries IS 'How many times it is run again after its worker was lost';
COMMENT ON COLUMN pyqsys.jobs.timeout IS 'Time limit of an attempt, in seconds';
COMMENT ON COLUMN pyqsys.jobs.function IS 'EvalFunction of src/core/request/request.h';
COMMENT ON COLUMN pyqsys.jobs.script IS 'Name of the script as in pyq_jobs';
COMMENT ON COLUMN pyqsys.jobs.progress IS
    'Last fraction given to oml.progress(), set when the job ends';
COMMENT ON COLUMN pyqsys.jobs.comment IS
    'Lines given to oml.output_comments() and oml.progress(), set at the end';
COMMENT ON COLUMN @extschema@.pyq_jobs.finished IS 'When it ended, regardless of the outcome';
COMMENT ON COLUMN @extschema@.pyq_jobs.elapsed IS 'How long it ran, or has been running or queued';
COMMENT ON FUNCTION pyqsys.check_log_in(text) IS
    'Raises an error unless session_user has that name and can still log in to this database';
COMMENT ON FUNCTION pyqsys.job_exists(uuid) IS 'Whether a job exists, regardless of its owner';
COMMENT ON FUNCTION pyqsys.note_progress(float8, text) IS
    'Called by oml.progress() and oml.output_comments(); no effect outside a job';
COMMENT ON FUNCTION @extschema@.pyq_cancel_job(text) IS
    'Cancels a queued or running job and keeps its record; false if it had already ended';
COMMENT ON FUNCTION @extschema@.pyq_job_wait(text, interval) IS
    'Waits until a job has ended or the timeout has passed; returns its state';
COMMENT ON FUNCTION @extschema@.pyq_delete_job(text) IS
    'Deletes a job and its result; a running job is stopped';
COMMENT ON COLUMN pyqsys.pyq_pickle.piece IS
    'Number of the piece within the call''s pickle, from 1';
COMMENT ON FUNCTION pyqsys.apply(text, anyelement, text, text, text, text, bytea, text, bigint,
    text, text, bigint, text, boolean, boolean) IS
    'Called by package oml: runs a stored script, or one given as source or pickled function';
COMMENT ON FUNCTION pyqsys.engines() IS 'Rows of view pyq_engines, as JSON';
COMMENT ON VIEW @extschema@.pyq_engines IS
    'Python engine processes of the server, or of this session if it has its own supervisor';
COMMENT ON FUNCTION pyqsys.last_call() IS 'Row of pyq_last_call, as JSON';
COMMENT ON FUNCTION @extschema@.pyq_last_call() IS
    'Times of the session''s last call of an eval function; no row before the first call';
COMMENT ON FUNCTION pyqsys.sandbox_status() IS 'Rows of pyq_sandbox_status, as JSON';
COMMENT ON FUNCTION @extschema@.pyq_sandbox_status() IS
    'Protections of engine processes that run for the current role on this machine';
COMMENT ON FUNCTION pyqsys.list_envs() IS 'Rows of pyq_list_envs, as JSON';
COMMENT ON FUNCTION @extschema@.pyq_list_envs() IS
    'Python environments that can be given as env_name';

-- ---------------------------------------------------------------------- scripts and parallel plans

-- Scripts may write, an asynchronous call stores a job, and who waits for one takes new snapshots.
DO $$
DECLARE
    writing regprocedure;
BEGIN
    FOR writing IN
        SELECT p.oid
        FROM pg_proc AS p
            JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
            JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass
                AND d.refobjid = e.oid
        WHERE e.extname = 'oml_epe' AND p.prosrc ~ '^epe_((.*_)?(eval|apply)(_row)?|job_wait)$'
            AND p.proparallel = 'r'
    LOOP
        EXECUTE format('ALTER FUNCTION %s PARALLEL UNSAFE', writing);
    END LOOP;
END
$$;

-- --------------------------------------------------------------------------- the planner's estimates

CREATE FUNCTION pyqsys.eval_support(internal) RETURNS internal
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'epe_eval_support';
COMMENT ON FUNCTION pyqsys.eval_support(internal) IS
    'Planner support of the eval functions: estimates the rows that a call returns';

DO $$
DECLARE
    estimated regprocedure;
BEGIN
    FOR estimated IN
        SELECT p.oid
        FROM pg_proc AS p
            JOIN pg_depend AS d ON d.classid = 'pg_proc'::regclass AND d.objid = p.oid
            JOIN pg_extension AS e ON d.refclassid = 'pg_extension'::regclass
                AND d.refobjid = e.oid
        WHERE e.extname = 'oml_epe' AND p.prosrc ~ '^epe_(.*_)?eval(_row)?$'
    LOOP
        EXECUTE format('ALTER FUNCTION %s SUPPORT pyqsys.eval_support', estimated);
    END LOOP;
END
$$;

-- --------------------------------------------------------------------------- last: all of the above

SELECT pyqsys.guard_tables();
SELECT pyqsys.set_privileges(current_setting('pyqsys.kept')::text[]);
