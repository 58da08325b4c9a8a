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

-- Fails when the schema exists: it must contain objects of the extension only.
CREATE SCHEMA pyqsys;
COMMENT ON SCHEMA pyqsys IS
    'oml_epe: the tables of the script repository, and the functions under Oracle''s folded names';
GRANT USAGE ON SCHEMA pyqsys TO PUBLIC;

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

-- ------------------------------------------------------------------------------- the datastores

-- Closed like the repository: functions of the extension write for the current user, views show the
-- rows that the user may read. Not row level security with rights for PUBLIC: DELETE on a table is the right to lock it
-- against all other roles, and a role with BYPASSRLS could store pickles as if a superuser had.
-- No foreign keys, as above; triggers delete what belongs to a store. It is known by an id, so that
-- what a concurrent session may have left behind does not belong to a later store of its name.
CREATE TABLE pyqsys.datastores (
    owner regrole NOT NULL,
    name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    description text,
    is_grantable boolean NOT NULL DEFAULT false,
    created timestamptz NOT NULL DEFAULT now(),
    CONSTRAINT datastores_key PRIMARY KEY (owner, name),
    CONSTRAINT datastores_id UNIQUE (id)
);
COMMENT ON TABLE pyqsys.datastores IS
    'Named stores of Python objects; written by package oml, read through all_pyq_datastores';
COMMENT ON COLUMN pyqsys.datastores.owner IS 'Owner';
COMMENT ON COLUMN pyqsys.datastores.name IS 'Name: case-sensitive, 1 to 128 characters';
COMMENT ON COLUMN pyqsys.datastores.id IS 'ID that its objects and grants refer to';
COMMENT ON COLUMN pyqsys.datastores.description IS 'Description of the datastore';
COMMENT ON COLUMN pyqsys.datastores.is_grantable IS 'Whether it can be granted to other roles';
COMMENT ON COLUMN pyqsys.datastores.created IS 'When it was created or overwritten';

CREATE TABLE pyqsys.datastore_objects (
    store uuid NOT NULL,
    name text COLLATE "C" NOT NULL CHECK (length(name) BETWEEN 1 AND 128),
    owner regrole NOT NULL,
    object uuid NOT NULL,
    class text NOT NULL,
    size bigint NOT NULL CHECK (size >= 0),
    length bigint NOT NULL,
    nrow bigint NOT NULL,
    ncol bigint NOT NULL,
    parts bigint[] NOT NULL,
    is_compressed boolean NOT NULL,
    CONSTRAINT datastore_objects_key PRIMARY KEY (store, name),
    CONSTRAINT datastore_objects_id UNIQUE (owner, object)
);
COMMENT ON TABLE pyqsys.datastore_objects IS 'The objects of the datastores, without their data';
COMMENT ON COLUMN pyqsys.datastore_objects.store IS 'The id of the store';
COMMENT ON COLUMN pyqsys.datastore_objects.name IS 'Name of the object within the store';
COMMENT ON COLUMN pyqsys.datastore_objects.owner IS 'Owner of the store';
COMMENT ON COLUMN pyqsys.datastore_objects.object IS 'ID that its pieces refer to';
COMMENT ON COLUMN pyqsys.datastore_objects.class IS 'Python class';
COMMENT ON COLUMN pyqsys.datastore_objects.size IS 'Bytes that it takes as stored';
COMMENT ON COLUMN pyqsys.datastore_objects.length IS 'len() of a list, dict or frame, else 1';
COMMENT ON COLUMN pyqsys.datastore_objects.nrow IS 'Rows of a frame, else 1';
COMMENT ON COLUMN pyqsys.datastore_objects.ncol IS
    'Columns of a frame, items of a list or dict, else 1';
COMMENT ON COLUMN pyqsys.datastore_objects.parts IS
    'Bytes of the pickle and of each of its out-of-band buffers; each begins at a multiple of 64';
COMMENT ON COLUMN pyqsys.datastore_objects.is_compressed IS
    'Whether each piece is compressed with zlib';

CREATE TABLE pyqsys.datastore_pieces (
    owner regrole NOT NULL,
    object uuid NOT NULL,
    number integer NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT datastore_pieces_key PRIMARY KEY (owner, object, number)
);
-- Pickles of numbers do not shrink; package oml compresses when it is asked to.
ALTER TABLE pyqsys.datastore_pieces ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE pyqsys.datastore_pieces IS 'The data of the objects, a few megabytes a row';
COMMENT ON COLUMN pyqsys.datastore_pieces.owner IS
    'Role that wrote it; decides whether it may be unpickled inside the server';
COMMENT ON COLUMN pyqsys.datastore_pieces.object IS 'The object''s id';
COMMENT ON COLUMN pyqsys.datastore_pieces.number IS 'Place of the piece within the object, from 0';
COMMENT ON COLUMN pyqsys.datastore_pieces.data IS 'Bytes of the pickle and its buffers';

CREATE TABLE pyqsys.datastore_grants (
    store uuid NOT NULL,
    owner regrole NOT NULL,
    grantee regrole NOT NULL,
    CONSTRAINT datastore_grants_key PRIMARY KEY (store, grantee)
);
COMMENT ON TABLE pyqsys.datastore_grants IS
    'Grants of datastores; written by pyq_grant and pyq_revoke';
COMMENT ON COLUMN pyqsys.datastore_grants.store IS 'The id of the store';
COMMENT ON COLUMN pyqsys.datastore_grants.owner IS 'Owner of the store';
COMMENT ON COLUMN pyqsys.datastore_grants.grantee IS 'Role that may read it; 0 (-) for PUBLIC';

SELECT pg_catalog.pg_extension_config_dump('pyqsys.datastores',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('pyqsys.datastore_objects',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('pyqsys.datastore_pieces',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = owner)');
SELECT pg_catalog.pg_extension_config_dump('pyqsys.datastore_grants',
    'WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = owner)'
    ' AND (grantee::oid = 0'
    '      OR EXISTS (SELECT FROM pg_catalog.pg_roles AS r WHERE r.oid = grantee))');

CREATE FUNCTION pyqsys.forget_datastore() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    DELETE FROM pyqsys.datastore_objects AS o WHERE o.store = old.id;
    DELETE FROM pyqsys.datastore_grants AS g WHERE g.store = old.id;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pyqsys.forget_datastore() IS
    'Trigger on pyqsys.datastores: deletes what belongs to a store that is deleted';

CREATE FUNCTION pyqsys.forget_pieces() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    IF tg_op = 'UPDATE' THEN
        IF new.owner = old.owner AND new.object = old.object THEN
            RETURN NULL;
        END IF;
    END IF;
    DELETE FROM pyqsys.datastore_pieces AS p WHERE p.owner = old.owner AND p.object = old.object;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pyqsys.forget_pieces() IS
    'Trigger on pyqsys.datastore_objects: deletes the data of one that is deleted or replaced';

CREATE FUNCTION pyqsys.forget_all_datastores() RETURNS trigger
    LANGUAGE plpgsql
    SET search_path = pg_catalog, pg_temp
    AS $$
BEGIN
    TRUNCATE pyqsys.datastore_objects, pyqsys.datastore_pieces, pyqsys.datastore_grants;
    RETURN NULL;
END
$$;
COMMENT ON FUNCTION pyqsys.forget_all_datastores() IS
    'Trigger on pyqsys.datastores: empties the other tables with it';

CREATE TRIGGER datastore_deleted AFTER DELETE ON pyqsys.datastores
    FOR EACH ROW EXECUTE FUNCTION pyqsys.forget_datastore();
CREATE TRIGGER datastores_truncated AFTER TRUNCATE ON pyqsys.datastores
    FOR EACH STATEMENT EXECUTE FUNCTION pyqsys.forget_all_datastores();
CREATE TRIGGER object_deleted AFTER DELETE OR UPDATE OF object ON pyqsys.datastore_objects
    FOR EACH ROW EXECUTE FUNCTION pyqsys.forget_pieces();

-- Package oml reads these three views; they show the current user what he may load.
CREATE VIEW pyqsys.readable_datastores WITH (security_barrier) AS
    SELECT s.id, s.owner, s.owner_name, s.name, s.description, s.is_grantable, s.created,
           s.owner = quote_ident(current_user)::regrole AS is_own, s.is_granted,
           coalesce((SELECT pg_has_role(s.owner::oid, r.oid, 'USAGE') FROM pg_roles AS r
                     WHERE r.rolname = 'pyqadmin'),
                    (SELECT r.rolsuper FROM pg_roles AS r WHERE r.oid = s.owner),
                    false) AS is_trusted
    FROM (SELECT d.*, (SELECT r.rolname::text FROM pg_roles AS r
                       WHERE r.oid = d.owner::oid) COLLATE "C" AS owner_name,
                 EXISTS (SELECT FROM pyqsys.datastore_grants AS g
                         WHERE g.store = d.id AND g.owner = d.owner
                             AND (g.grantee::oid = 0 OR pg_has_role(g.grantee::oid, 'USAGE')))
                     AS is_granted
          FROM pyqsys.datastores AS d) AS s
    WHERE pg_has_role(s.owner::oid, 'USAGE') OR s.is_granted;
COMMENT ON VIEW pyqsys.readable_datastores IS 'Datastores that the current user may read';
COMMENT ON COLUMN pyqsys.readable_datastores.id IS 'ID that its objects refer to';
COMMENT ON COLUMN pyqsys.readable_datastores.owner IS 'Owner';
COMMENT ON COLUMN pyqsys.readable_datastores.owner_name IS
    'Name of the owner; NULL when the role has been dropped';
COMMENT ON COLUMN pyqsys.readable_datastores.name IS 'Name';
COMMENT ON COLUMN pyqsys.readable_datastores.description IS 'Description of the datastore';
COMMENT ON COLUMN pyqsys.readable_datastores.is_grantable IS 'Whether it may be granted';
COMMENT ON COLUMN pyqsys.readable_datastores.created IS 'When it was created or overwritten';
COMMENT ON COLUMN pyqsys.readable_datastores.is_own IS 'Whether the current user owns it';
COMMENT ON COLUMN pyqsys.readable_datastores.is_granted IS
    'Whether it is granted to the current user, to a role of the current user, or to PUBLIC';
COMMENT ON COLUMN pyqsys.readable_datastores.is_trusted IS
    'Whether its objects may be unpickled inside the server: the owner is trusted';
GRANT SELECT ON pyqsys.readable_datastores TO PUBLIC;

CREATE VIEW pyqsys.readable_objects WITH (security_barrier) AS
    SELECT o.store, o.name, o.object, o.class, o.size, o.length, o.nrow, o.ncol, o.parts,
           o.is_compressed
    FROM pyqsys.datastore_objects AS o
        JOIN pyqsys.readable_datastores AS d ON d.id = o.store AND d.owner = o.owner;
COMMENT ON VIEW pyqsys.readable_objects IS 'Objects of the datastores in readable_datastores';
COMMENT ON COLUMN pyqsys.readable_objects.store IS 'The id of the store';
COMMENT ON COLUMN pyqsys.readable_objects.name IS 'Name of the object within the store';
COMMENT ON COLUMN pyqsys.readable_objects.object IS 'ID that its pieces refer to';
COMMENT ON COLUMN pyqsys.readable_objects.class IS 'Python class';
COMMENT ON COLUMN pyqsys.readable_objects.size IS 'Bytes that it takes as stored';
COMMENT ON COLUMN pyqsys.readable_objects.length IS 'len() of a list, dict or frame, else 1';
COMMENT ON COLUMN pyqsys.readable_objects.nrow IS 'Rows of a frame, else 1';
COMMENT ON COLUMN pyqsys.readable_objects.ncol IS
    'Columns of a frame, items of a list or dict, else 1';
COMMENT ON COLUMN pyqsys.readable_objects.parts IS 'Bytes of the pickle and of each of its buffers';
COMMENT ON COLUMN pyqsys.readable_objects.is_compressed IS 'Whether each piece is compressed';
GRANT SELECT ON pyqsys.readable_objects TO PUBLIC;

-- A piece belongs to an object of the role that wrote it and to no other: so the owner of the store
-- is who answers for what is unpickled.
CREATE VIEW pyqsys.readable_pieces WITH (security_barrier) AS
    SELECT o.store, p.object, p.number, p.data
    FROM pyqsys.datastore_objects AS o
        JOIN pyqsys.readable_datastores AS d ON d.id = o.store AND d.owner = o.owner
        JOIN pyqsys.datastore_pieces AS p ON p.owner = o.owner AND p.object = o.object;
COMMENT ON VIEW pyqsys.readable_pieces IS 'The data of the objects in readable_objects';
COMMENT ON COLUMN pyqsys.readable_pieces.store IS 'The id of the store';
COMMENT ON COLUMN pyqsys.readable_pieces.object IS 'The object''s id';
COMMENT ON COLUMN pyqsys.readable_pieces.number IS 'Place of the piece within the object, from 0';
COMMENT ON COLUMN pyqsys.readable_pieces.data IS 'Bytes of the pickle and its buffers';
GRANT SELECT ON pyqsys.readable_pieces TO PUBLIC;

CREATE VIEW @extschema@.all_pyq_datastores WITH (security_barrier) AS
    SELECT d.owner_name AS dsowner, d.name AS dsname, o.nobj, o.dssize, d.created AS cdate,
           d.description, CASE WHEN d.is_grantable THEN 'T' ELSE 'F' END AS grantable
    FROM pyqsys.readable_datastores AS d,
        LATERAL (SELECT count(*) AS nobj, coalesce(sum(i.size), 0)::bigint AS dssize
                 FROM pyqsys.datastore_objects AS i WHERE i.store = d.id) AS o;
COMMENT ON VIEW @extschema@.all_pyq_datastores IS
    'Datastores that the current user may read: own and granted ones';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.dsowner IS
    'Owner; NULL when the role has been dropped';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.dsname IS 'Name of the datastore';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.nobj IS 'Number of its objects';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.dssize IS 'Bytes that these take as stored';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.cdate IS 'When it was created or overwritten';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.description IS 'Description';
COMMENT ON COLUMN @extschema@.all_pyq_datastores.grantable IS
    'T if it can be granted to other roles, else F';
GRANT SELECT ON @extschema@.all_pyq_datastores TO PUBLIC;

CREATE VIEW @extschema@.user_pyq_datastores WITH (security_barrier) AS
    SELECT d.name AS dsname, o.nobj, o.dssize, d.created AS cdate,
           d.description, CASE WHEN d.is_grantable THEN 'T' ELSE 'F' END AS grantable
    FROM pyqsys.readable_datastores AS d,
        LATERAL (SELECT count(*) AS nobj, coalesce(sum(i.size), 0)::bigint AS dssize
                 FROM pyqsys.datastore_objects AS i WHERE i.store = d.id) AS o
    WHERE d.is_own;
COMMENT ON VIEW @extschema@.user_pyq_datastores IS 'Datastores that the current user owns';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.dsname IS 'Name of the datastore';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.nobj IS 'Number of its objects';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.dssize IS 'Bytes that these take as stored';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.cdate IS 'When it was created or overwritten';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.description IS 'Description';
COMMENT ON COLUMN @extschema@.user_pyq_datastores.grantable IS
    'T if it can be granted to other roles, else F';
GRANT SELECT ON @extschema@.user_pyq_datastores TO PUBLIC;

CREATE VIEW @extschema@.all_pyq_datastore_contents WITH (security_barrier) AS
    SELECT d.owner_name AS dsowner, d.name AS dsname, o.name AS objname, o.class,
           o.size AS objsize, o.length, o.nrow, o.ncol
    FROM pyqsys.readable_datastores AS d
        JOIN pyqsys.datastore_objects AS o ON o.store = d.id AND o.owner = d.owner;
COMMENT ON VIEW @extschema@.all_pyq_datastore_contents IS
    'Objects of the datastores that the current user may read';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.dsowner IS
    'Owner of the datastore; NULL when the role has been dropped';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.dsname IS 'Name of the datastore';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.objname IS 'Name of the object';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.class IS 'Python class';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.objsize IS 'Bytes that it takes as stored';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.length IS
    'len() of a list, dict or frame, else 1';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.nrow IS 'Rows of a frame, else 1';
COMMENT ON COLUMN @extschema@.all_pyq_datastore_contents.ncol IS
    'Columns of a frame, items of a list or dict, else 1';
GRANT SELECT ON @extschema@.all_pyq_datastore_contents TO PUBLIC;

-- Package oml calls these; each works for the current user (src/pg/catalog/datastore.h).
CREATE FUNCTION pyqsys.datastore_write(object uuid, number int, data bytea) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_datastore_write';
COMMENT ON FUNCTION pyqsys.datastore_write(uuid, int, bytea) IS
    'Stores a piece of an object that datastore_save will add to a store';

CREATE FUNCTION pyqsys.datastore_discard(object uuid) RETURNS void
    LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_datastore_discard';
COMMENT ON FUNCTION pyqsys.datastore_discard(uuid) IS
    'Deletes pieces of an object that is in no datastore';

CREATE FUNCTION pyqsys.datastore_save(
    name text, objects jsonb, mode text, description text, is_grantable boolean)
    RETURNS void
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_datastore_save';
COMMENT ON FUNCTION pyqsys.datastore_save(text, jsonb, text, text, boolean) IS
    'Adds objects to a store of the current user: mode create, overwrite or append';

CREATE FUNCTION pyqsys.datastore_delete(name text, objects text[]) RETURNS bigint
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_datastore_delete';
COMMENT ON FUNCTION pyqsys.datastore_delete(text, text[]) IS
    'Deletes objects of a store of the current user, or the store where objects is NULL';

-- What package oml shows of scripts and of grants, beyond Oracle's views.
CREATE VIEW pyqsys.readable_scripts WITH (security_barrier) AS
    SELECT s.owner_name, s.name, s.script, s.description, s.updated, s.owner::oid = 0 AS is_global,
           s.owner = quote_ident(current_user)::regrole AS is_own, s.is_granted,
           s.owner::oid = 0
               OR coalesce((SELECT pg_has_role(s.owner::oid, r.oid, 'USAGE') FROM pg_roles AS r
                            WHERE r.rolname = 'pyqadmin'),
                           (SELECT r.rolsuper FROM pg_roles AS r WHERE r.oid = s.owner),
                           false) AS is_trusted
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

CREATE VIEW pyqsys.given_grants WITH (security_barrier) AS
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
COMMENT ON VIEW pyqsys.given_grants IS 'Grants of the current user''s scripts and datastores';
COMMENT ON COLUMN pyqsys.given_grants.type IS 'pyqscript or datastore';
COMMENT ON COLUMN pyqsys.given_grants.name IS 'Name of the script or datastore';
COMMENT ON COLUMN pyqsys.given_grants.grantee IS
    'Role that it is granted to, or PUBLIC; NULL when the role has been dropped';
GRANT SELECT ON pyqsys.given_grants TO PUBLIC;

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

-- Each has six forms: par_lst is text, jsonb or json; the shape of the result is given by out_fmt
-- and the AS list, or by the type of out_row. PARALLEL UNSAFE: scripts may write, and an asynchronous
-- call stores a job. The cost is a guess: high, so that the planner avoids calls.

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst text, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval';
COMMENT ON FUNCTION @extschema@.pyq_eval(text, text, text, text, text) IS
    'Runs a script once, without data; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst text, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_eval(text, anyelement, text, text, text) IS
    'Runs a script once, without data; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst jsonb, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval';
COMMENT ON FUNCTION @extschema@.pyq_eval(jsonb, text, text, text, text) IS
    'Runs a script once, without data; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_eval(
    par_lst jsonb, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_eval(jsonb, anyelement, text, text, text) IS
    'Runs a script once, without data; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst text, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, text, text, text, text, text) IS
    'Runs a script once over a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst text, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, text, anyelement, text, text, text) IS
    'Runs a script once over a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst jsonb, out_fmt text, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, jsonb, text, text, text, text) IS
    'Runs a script once over a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_table_eval(
    inp_nam text, par_lst jsonb, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_table_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_table_eval(text, jsonb, anyelement, text, text, text) IS
    'Runs a script once over a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst text, out_fmt text, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, text, text, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst text, out_row anyelement, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, text, anyelement, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst jsonb, out_fmt text, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, jsonb, text, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_row_eval(
    inp_nam text, par_lst jsonb, out_row anyelement, row_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_row_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_row_eval(text, jsonb, anyelement, bigint, text, text, text) IS
    'Runs a script over each row_num rows of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst text, out_fmt text, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(text, text, text, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst text, out_row anyelement, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(
    text, text, anyelement, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst jsonb, out_fmt text, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(text, jsonb, text, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_group_eval(
    inp_nam text, par_lst jsonb, out_row anyelement, grp_col text, ord_col text, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_group_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_group_eval(
    text, jsonb, anyelement, text, text, text, text, text) IS
    'Runs a script over each group of a table or query; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst text, out_fmt text, times_num bigint, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(text, text, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst text, out_row anyelement, times_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(text, anyelement, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result of out_row''s type';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst jsonb, out_fmt text, times_num bigint, scr_name text, scr_owner text DEFAULT NULL,
    env_name text DEFAULT NULL)
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(jsonb, text, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result as out_fmt and AS say';

CREATE FUNCTION @extschema@.pyq_index_eval(
    par_lst jsonb, out_row anyelement, times_num bigint, scr_name text,
    scr_owner text DEFAULT NULL, env_name text DEFAULT NULL)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_index_eval_row';
COMMENT ON FUNCTION @extschema@.pyq_index_eval(jsonb, anyelement, bigint, text, text, text) IS
    'Runs a script times_num times, with the numbers from 1; result of out_row''s type';

-- The forms with json, for json_build_object() and drivers that send json. Untyped literals and
-- parameters still mean text, the preferred type of its category.
DO $$
DECLARE
    original record;
BEGIN
    FOR original IN
        SELECT p.oid::regproc AS name,
               replace(pg_get_function_arguments(p.oid), 'par_lst jsonb', 'par_lst json')
                   AS arguments,
               replace(pg_get_function_identity_arguments(p.oid), 'par_lst jsonb', 'par_lst json')
                   AS identity_arguments,
               pg_get_function_result(p.oid) AS result,
               p.prosrc AS symbol,
               obj_description(p.oid, 'pg_proc') AS description
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
    END LOOP;
END
$$;

-- --------------------------------------------------------------------------------------- the jobs

-- Users see their own rows through the views, and write through C functions that check. Not
-- dumped: a job belongs to the cluster that it was submitted in.
-- CYCLE: a member of pg_write_all_data may set a sequence. It must not end there.
CREATE SEQUENCE pyqsys.job_numbers CYCLE;
COMMENT ON SEQUENCE pyqsys.job_numbers IS 'Order in which queued jobs of a role start';

-- State and outcome are changed by src/jobs only; docs/explanation/jobs.md tells how.
CREATE TABLE pyqsys.jobs (
    id uuid NOT NULL DEFAULT gen_random_uuid(),
    number bigint NOT NULL DEFAULT nextval('pyqsys.job_numbers'),
    owner regrole NOT NULL,
    state text COLLATE "C" NOT NULL DEFAULT 'queued' CHECK (
        state IN ('queued', 'running', 'finished', 'failed', 'cancelled', 'timed out')),
    submitted timestamptz NOT NULL DEFAULT now(),
    started timestamptz,
    finished timestamptz,
    attempts int NOT NULL DEFAULT 0,
    retries int NOT NULL,
    timeout int NOT NULL,
    settings text[] NOT NULL,
    function int NOT NULL,
    script text NOT NULL,
    inp_nam text,
    par_lst text,
    row_num bigint,
    grp_col text,
    ord_col text,
    times_num bigint,
    scr_name text NOT NULL,
    scr_owner text,
    env_name text,
    trusted boolean NOT NULL DEFAULT false,
    progress float8,
    comment text,
    error text[],
    login boolean NOT NULL DEFAULT true,
    source text,
    pickled bytea,
    untrusted boolean NOT NULL DEFAULT false,
    CONSTRAINT jobs_key PRIMARY KEY (id)
) WITH (fillfactor = 70);
ALTER TABLE pyqsys.jobs ALTER COLUMN pickled SET STORAGE EXTERNAL;
CREATE INDEX jobs_queue ON pyqsys.jobs (owner, number) WHERE state = 'queued';
CREATE INDEX jobs_running ON pyqsys.jobs (id) WHERE state = 'running';
CREATE INDEX jobs_done ON pyqsys.jobs (finished) WHERE finished IS NOT NULL;
COMMENT ON TABLE pyqsys.jobs IS 'Asynchronous calls; view pyq_jobs shows a user''s own';
COMMENT ON COLUMN pyqsys.jobs.id IS 'ID';
COMMENT ON COLUMN pyqsys.jobs.number IS 'Order of waiting jobs of a role';
COMMENT ON COLUMN pyqsys.jobs.owner IS 'Role that it runs as';
COMMENT ON COLUMN pyqsys.jobs.state IS 'State of the job';
COMMENT ON COLUMN pyqsys.jobs.submitted IS 'When the submitting transaction began';
COMMENT ON COLUMN pyqsys.jobs.started IS 'When its last attempt began';
COMMENT ON COLUMN pyqsys.jobs.finished IS 'When it ended';
COMMENT ON COLUMN pyqsys.jobs.attempts IS 'Number of attempts so far';
COMMENT ON COLUMN pyqsys.jobs.retries IS 'How many times it is run again after its worker was lost';
COMMENT ON COLUMN pyqsys.jobs.timeout IS 'Time limit of an attempt, in seconds';
COMMENT ON COLUMN pyqsys.jobs.function IS 'EvalFunction of src/core/request/request.h';
COMMENT ON COLUMN pyqsys.jobs.script IS 'Name of the script as in pyq_jobs';
COMMENT ON COLUMN pyqsys.jobs.inp_nam IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.par_lst IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.row_num IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.grp_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.ord_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.times_num IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.scr_name IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.scr_owner IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.env_name IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.jobs.progress IS
    'Last fraction given to oml.progress(), set when the job ends';
COMMENT ON COLUMN pyqsys.jobs.comment IS
    'Lines given to oml.output_comments() and oml.progress(), set at the end';
COMMENT ON COLUMN pyqsys.jobs.settings IS 'Names and values, in turn, of the submitting session';
COMMENT ON COLUMN pyqsys.jobs.error IS 'SQLSTATE, message, detail, hint, context';
COMMENT ON COLUMN pyqsys.jobs.trusted IS
    'Whether its result may be unpickled in the server''s process';

COMMENT ON COLUMN pyqsys.jobs.login IS
    'Whether its owner must have the right to log in when it starts';
COMMENT ON COLUMN pyqsys.jobs.source IS 'Source of a script that came with the call';
COMMENT ON COLUMN pyqsys.jobs.pickled IS 'Pickled arguments, until it has ended';
COMMENT ON COLUMN pyqsys.jobs.untrusted IS
    'Whether an untrusted script submitted it, so that what came with the call is not trusted';

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

-- No foreign key: a job's results are deleted with it by what deletes the job.
CREATE TABLE pyqsys.job_results (
    job uuid NOT NULL,
    call bigint NOT NULL,
    name text,
    piece bigint NOT NULL,
    data bytea NOT NULL,
    CONSTRAINT job_results_key PRIMARY KEY (job, call, piece)
);
ALTER TABLE pyqsys.job_results ALTER COLUMN data SET STORAGE EXTERNAL;
COMMENT ON TABLE pyqsys.job_results IS
    'What the calls of finished jobs returned, as pieces of pickles (src/py/runtime/pickles.py)';
COMMENT ON COLUMN pyqsys.job_results.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_results.call IS 'Number of the call, from 1';
COMMENT ON COLUMN pyqsys.job_results.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN pyqsys.job_results.piece IS 'Number of the piece within the call, from 1';
COMMENT ON COLUMN pyqsys.job_results.data IS 'The piece';

CREATE FUNCTION pyqsys.job_slots() RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_job_slots';
COMMENT ON FUNCTION pyqsys.job_slots() IS
    'Progress and comments of the current user''s running jobs, as JSON';

CREATE VIEW @extschema@.pyq_jobs WITH (security_barrier) AS
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
COMMENT ON VIEW @extschema@.pyq_jobs IS 'The current user''s jobs; all of them for superusers';
COMMENT ON COLUMN @extschema@.pyq_jobs.id IS 'ID of the job';
COMMENT ON COLUMN @extschema@.pyq_jobs.owner IS
    'Role that it runs as; NULL when it has been dropped';
COMMENT ON COLUMN @extschema@.pyq_jobs.script IS 'Name of the script, after its owner if given';
COMMENT ON COLUMN @extschema@.pyq_jobs.state IS
    'queued, running, finished, failed, cancelled or timed out';
COMMENT ON COLUMN @extschema@.pyq_jobs.submitted IS 'When the submitting transaction began';
COMMENT ON COLUMN @extschema@.pyq_jobs.started IS 'When its last attempt began';
COMMENT ON COLUMN @extschema@.pyq_jobs.finished IS 'When it ended, regardless of the outcome';
COMMENT ON COLUMN @extschema@.pyq_jobs.elapsed IS 'How long it ran, or has been running or queued';
COMMENT ON COLUMN @extschema@.pyq_jobs.progress IS 'Last fraction given to oml.progress(), 0 to 1';
COMMENT ON COLUMN @extschema@.pyq_jobs.comment IS
    'Lines given to oml.output_comments() and oml.progress()';
COMMENT ON COLUMN @extschema@.pyq_jobs.error IS 'Why it did not finish';
GRANT SELECT ON @extschema@.pyq_jobs TO PUBLIC;

CREATE VIEW pyqsys.job_calls WITH (security_barrier) AS
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
COMMENT ON VIEW pyqsys.job_calls IS 'How the jobs in pyq_jobs were submitted';
COMMENT ON COLUMN pyqsys.job_calls.id IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_calls.function IS 'Kind of the call: eval, table, row, group, index';
COMMENT ON COLUMN pyqsys.job_calls.par_lst IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.inp_nam IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.grp_col IS 'Argument of the call';
COMMENT ON COLUMN pyqsys.job_calls.env_name IS 'Argument of the call';
GRANT SELECT ON pyqsys.job_calls TO PUBLIC;

CREATE VIEW pyqsys.job_data WITH (security_barrier) AS
    SELECT d.job, d.call, d.piece, d.data, d.name
    FROM pyqsys.job_results AS d
        JOIN pyqsys.jobs AS j ON j.id OPERATOR(pg_catalog.=) d.job
    WHERE EXISTS (SELECT FROM pg_catalog.pg_roles AS r
                  WHERE r.oid OPERATOR(pg_catalog.=)
                          pg_catalog.quote_ident(current_user)::pg_catalog.regrole::pg_catalog.oid
                      AND (r.rolsuper OR r.oid OPERATOR(pg_catalog.=) j.owner::oid));
COMMENT ON VIEW pyqsys.job_data IS 'The stored results of the current user''s jobs';
COMMENT ON COLUMN pyqsys.job_data.job IS 'ID of the job';
COMMENT ON COLUMN pyqsys.job_data.call IS 'Number of the call, from 1';
COMMENT ON COLUMN pyqsys.job_data.piece IS 'Number of the piece within the call, from 1';
COMMENT ON COLUMN pyqsys.job_data.data IS 'The piece';
COMMENT ON COLUMN pyqsys.job_data.name IS 'Chunk number, group or index; NULL for a lone call';
GRANT SELECT ON pyqsys.job_data TO PUBLIC;

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

-- A job_id is the UUID, or the URL that ends in it.
CREATE FUNCTION pyqsys.job_status(job_id text) RETURNS text
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_job_status';
COMMENT ON FUNCTION pyqsys.job_status(text) IS 'VALUE of pyq_job_status';

CREATE FUNCTION pyqsys.delete_job(job_id text) RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_delete_job';
COMMENT ON FUNCTION pyqsys.delete_job(text) IS 'NAME of pyq_delete_job';

CREATE FUNCTION pyqsys.note_progress(fraction float8, note text) RETURNS void
    LANGUAGE C VOLATILE PARALLEL RESTRICTED
    AS 'MODULE_PATHNAME', 'epe_note_progress';
COMMENT ON FUNCTION pyqsys.note_progress(float8, text) IS
    'Called by oml.progress() and oml.output_comments(); no effect outside a job';

CREATE FUNCTION @extschema@.pyq_cancel_job(job_id text) RETURNS boolean
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_cancel_job';
COMMENT ON FUNCTION @extschema@.pyq_cancel_job(text) IS
    'Cancels a queued or running job and keeps its record; false if it had already ended';

CREATE FUNCTION @extschema@.pyq_job_wait(job_id text, timeout interval DEFAULT NULL)
    RETURNS text
    LANGUAGE C VOLATILE PARALLEL UNSAFE
    AS 'MODULE_PATHNAME', 'epe_job_wait';
COMMENT ON FUNCTION @extschema@.pyq_job_wait(text, interval) IS
    'Waits until a job has ended or the timeout has passed; returns its state';

CREATE FUNCTION @extschema@.pyq_job_result(job_id text, out_fmt text DEFAULT 'JSON')
    RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_result';
COMMENT ON FUNCTION @extschema@.pyq_job_result(text, text) IS
    'The result of a finished job, as out_fmt and AS say; raises the error of a failed one';

CREATE FUNCTION @extschema@.pyq_job_result(job_id text, out_row anyelement)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_result_row';
COMMENT ON FUNCTION @extschema@.pyq_job_result(text, anyelement) IS
    'The result of a finished job, of out_row''s type; raises the error of a failed one';

-- For the gateway, whose users want to see what a call returned that drew nothing.
CREATE FUNCTION pyqsys.job_figures(job_id text) RETURNS SETOF record
    LANGUAGE C VOLATILE PARALLEL RESTRICTED COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_job_figures';
COMMENT ON FUNCTION pyqsys.job_figures(text) IS
    'pyq_job_result as PNG, with a row for each call that drew nothing as well';

-- ------------------------------------------------------------------------- Oracle's folded names

-- pyqsys.pyqTableEval(...) is pyq_table_eval(...), and so on for every function above. What
-- follows is an addition of the extension, except for pyqListEnvs.
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

CREATE FUNCTION @extschema@.pyq_job_status(job_id text, OUT name text, OUT value text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL RESTRICTED ROWS 1
    AS $$SELECT NULL::pg_catalog.text, pyqsys.job_status($1)$$;
COMMENT ON FUNCTION @extschema@.pyq_job_status(text) IS
    'Whether a job is still running; else VALUE is the URL of its result';

CREATE FUNCTION @extschema@.pyq_delete_job(job_id text, OUT name text, OUT value text)
    RETURNS SETOF record
    LANGUAGE sql VOLATILE PARALLEL UNSAFE ROWS 1
    AS $$SELECT pyqsys.delete_job($1), NULL::pg_catalog.text$$;
COMMENT ON FUNCTION @extschema@.pyq_delete_job(text) IS
    'Deletes a job and its result; a running job is stopped';

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

-- ------------------------------------------------------------------------------- the package oml

CREATE TYPE pyqsys.pyq_pickle AS (call bigint, name text, piece bigint, data bytea);
COMMENT ON TYPE pyqsys.pyq_pickle IS
    'Results as pickles of (object, list of PNG files), for package oml';
COMMENT ON COLUMN pyqsys.pyq_pickle.call IS 'Number of the call, from 1';
COMMENT ON COLUMN pyqsys.pyq_pickle.name IS 'Chunk number, group or index; NULL for a lone call';
COMMENT ON COLUMN pyqsys.pyq_pickle.piece IS
    'Number of the piece within the call''s pickle, from 1';
COMMENT ON COLUMN pyqsys.pyq_pickle.data IS 'The piece';

-- Every role may call it: an inline script is trusted exactly if the caller is, as a stored one of
-- the caller's own would be, and so are pickled arguments.
CREATE FUNCTION pyqsys.apply(
    cut text, out_row anyelement, scr_name text, scr_owner text DEFAULT NULL,
    source text DEFAULT NULL, par_lst text DEFAULT NULL, pickled bytea DEFAULT NULL,
    inp_nam text DEFAULT NULL, row_num bigint DEFAULT NULL, grp_col text DEFAULT NULL,
    ord_col text DEFAULT NULL, times_num bigint DEFAULT NULL, env_name text DEFAULT NULL,
    only_trusted boolean DEFAULT false, progress boolean DEFAULT false)
    RETURNS SETOF anyelement
    LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000
    AS 'MODULE_PATHNAME', 'epe_apply';
COMMENT ON FUNCTION pyqsys.apply(text, anyelement, text, text, text, text, bytea, text, bigint,
    text, text, bigint, text, boolean, boolean) IS
    'Called by package oml: runs a stored script, or one given as source or pickled function';

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

-- ----------------------------------------------------------------------------------- the engines

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

-- ------------------------------------------------------------------------------------- the guards

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
