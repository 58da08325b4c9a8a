-- The script repository: tables, triggers, views and functions.

-- Fails when the schema exists: it must contain objects of the extension only.
CREATE SCHEMA pyqsys;
COMMENT ON SCHEMA pyqsys IS
    'oml_epe: the tables of the script repository, and the functions under Oracle''s folded names';
GRANT USAGE ON SCHEMA pyqsys TO PUBLIC;

-- Whether a role may run Python inside the server: the rule of docs/explanation/trust.md, as C
-- functions apply it.
CREATE FUNCTION pyqsys.is_trusted_role(role oid) RETURNS boolean
    LANGUAGE C STABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'epe_is_trusted_role';
COMMENT ON FUNCTION pyqsys.is_trusted_role(oid) IS
    'Whether a role is trusted: a superuser or a member of pyqadmin';

-- Read by position in src/pg/catalog/script_table.cpp. Names collate "C", so that the lookup by index is a
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
    'The script repository; written by pyq_script_create, read through all_pyq_scripts';
COMMENT ON COLUMN pyqsys.scripts.owner IS 'Owner; 0 (-) for a global script';
COMMENT ON COLUMN pyqsys.scripts.name IS 'Name of the script: case-sensitive, 1 to 128 characters';
COMMENT ON COLUMN pyqsys.scripts.script IS 'Python source';
COMMENT ON COLUMN pyqsys.scripts.description IS 'Description of the script';
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
COMMENT ON TABLE pyqsys.script_grants IS 'Grants of scripts; written by pyq_grant and pyq_revoke';
COMMENT ON COLUMN pyqsys.script_grants.owner IS 'Owner of the script';
COMMENT ON COLUMN pyqsys.script_grants.name IS 'Name of the script';
COMMENT ON COLUMN pyqsys.script_grants.grantee IS 'Role that may run it; 0 (-) for PUBLIC';

-- A dropped role's rows stay, with its bare OID, which could be any role in the cluster that a dump
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
COMMENT ON FUNCTION pyqsys.forget_grants() IS
    'Trigger on pyqsys.scripts: deletes the grants of a script that is dropped or renamed';

CREATE TRIGGER script_dropped AFTER DELETE OR UPDATE OF owner, name ON pyqsys.scripts
    FOR EACH ROW EXECUTE FUNCTION pyqsys.forget_grants();
CREATE TRIGGER scripts_truncated AFTER TRUNCATE ON pyqsys.scripts
    FOR EACH STATEMENT EXECUTE FUNCTION pyqsys.forget_grants();

-- The views run as their owner and show what current_user may see. They compare OIDs of roles, and
-- show names: a name that a view shows is that of a role. quote_ident(current_user)::regrole is the
-- OID of the current user. The barrier keeps a caller's own
-- functions from being shown the other rows first.
CREATE VIEW @extschema@.all_pyq_scripts WITH (security_barrier) AS
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
COMMENT ON VIEW @extschema@.all_pyq_scripts IS
    'Scripts that the current user may run: own, granted and global ones';
COMMENT ON COLUMN @extschema@.all_pyq_scripts.owner IS
    'Owner; pyqsys for a global script, NULL for one of a role that has been dropped';
COMMENT ON COLUMN @extschema@.all_pyq_scripts.name IS 'Name of the script';
COMMENT ON COLUMN @extschema@.all_pyq_scripts.script IS 'Python source';
GRANT SELECT ON @extschema@.all_pyq_scripts TO PUBLIC;

CREATE VIEW @extschema@.user_pyq_scripts WITH (security_barrier) AS
    SELECT s.name, s.script
    FROM pyqsys.scripts AS s
    WHERE s.owner = pg_catalog.quote_ident(current_user)::regrole;
COMMENT ON VIEW @extschema@.user_pyq_scripts IS 'Scripts that the current user owns';
COMMENT ON COLUMN @extschema@.user_pyq_scripts.name IS 'Name of the script';
COMMENT ON COLUMN @extschema@.user_pyq_scripts.script IS 'Python source';
GRANT SELECT ON @extschema@.user_pyq_scripts TO PUBLIC;

-- These check the caller's rights themselves, so that PUBLIC may execute them (the default), as it
-- may all functions below.
CREATE FUNCTION @extschema@.pyq_script_create(
    v_name text, v_script text, v_global boolean DEFAULT false, v_overwrite boolean DEFAULT false,
    v_description text DEFAULT NULL)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_script_create';
COMMENT ON FUNCTION @extschema@.pyq_script_create(text, text, boolean, boolean, text) IS
    'Stores a Python function as a script; only superusers and members of pyqadmin store global ones';

CREATE FUNCTION @extschema@.pyq_script_drop(
    v_name text, v_global boolean DEFAULT false, v_silent boolean DEFAULT false)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_script_drop';
COMMENT ON FUNCTION @extschema@.pyq_script_drop(text, boolean, boolean) IS
    'Drops a script of the current user, or a global one; v_silent: no error if it does not exist';

CREATE FUNCTION @extschema@.pyq_grant(v_name text, v_type text, v_user text DEFAULT NULL)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_grant';
COMMENT ON FUNCTION @extschema@.pyq_grant(text, text, text) IS
    'Lets a role run a script (v_type ''pyqscript'') or read a datastore (''datastore''); v_user NULL: PUBLIC';

CREATE FUNCTION @extschema@.pyq_revoke(v_name text, v_type text, v_user text DEFAULT NULL)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_revoke';
COMMENT ON FUNCTION @extschema@.pyq_revoke(text, text, text) IS
    'Revokes what pyq_grant has granted to a role; v_user NULL: from all roles';

-- Package oml reads this view.
CREATE VIEW pyqsys.readable_scripts WITH (security_barrier) AS
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
COMMENT ON VIEW pyqsys.readable_scripts IS
    'all_pyq_scripts with the further columns that oml.script shows';
COMMENT ON COLUMN pyqsys.readable_scripts.owner_name IS
    'Owner; pyqsys for a global script, NULL for one of a role that has been dropped';
COMMENT ON COLUMN pyqsys.readable_scripts.name IS 'Name of the script';
COMMENT ON COLUMN pyqsys.readable_scripts.script IS 'Python source';
COMMENT ON COLUMN pyqsys.readable_scripts.description IS 'Description of the script';
COMMENT ON COLUMN pyqsys.readable_scripts.updated IS 'When the source was last stored';
COMMENT ON COLUMN pyqsys.readable_scripts.is_global IS 'Whether it is a global script';
COMMENT ON COLUMN pyqsys.readable_scripts.is_own IS 'Whether the current user owns it';
COMMENT ON COLUMN pyqsys.readable_scripts.is_granted IS
    'Whether it is granted to the current user, to a role of the current user, or to PUBLIC';
COMMENT ON COLUMN pyqsys.readable_scripts.is_trusted IS
    'Whether it may run inside the server: the owner is trusted';
GRANT SELECT ON pyqsys.readable_scripts TO PUBLIC;

