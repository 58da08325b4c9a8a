-- The datastores, and the grants of scripts and datastores.

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
           pyqsys.is_trusted_role(s.owner::oid) AS is_trusted
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

