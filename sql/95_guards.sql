-- Triggers and privileges that protect the objects above; the last part.

-- Who can write the tables decides what runs in the server. A member of pg_write_all_data may write
-- every table of a database, and is no superuser. So the right to write is checked by triggers:
-- only roles with the rights of the table's owner may, and the C functions, which borrow them. For
-- each row as well: a replication worker fires no triggers of statements.
CREATE FUNCTION pyqsys.require_owner() RETURNS trigger
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

SELECT pyqsys.guard_tables();
SELECT pyqsys.set_privileges();
