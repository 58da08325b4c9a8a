-- Datastores: views, grants, privileges, and where pickles are loaded.

\set SHOW_CONTEXT never
CREATE ROLE regress_epe_owner IN ROLE pyqadmin;
CREATE ROLE regress_epe_plain;
CREATE ROLE regress_epe_reader;
CREATE ROLE regress_epe_group;
CREATE ROLE regress_epe_member IN ROLE regress_epe_group;
CREATE ROLE regress_epe_bypass BYPASSRLS;

-- An object that only SQL has made: enough for the views.
CREATE FUNCTION store(store text, object text, mode text DEFAULT 'append',
                      grantable boolean DEFAULT false, description text DEFAULT NULL)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    id uuid := gen_random_uuid();
BEGIN
    PERFORM pyqsys.datastore_write(id, 0, '\x00'), pyqsys.datastore_write(id, 1, '\x01');
    PERFORM pyqsys.datastore_save(store, jsonb_build_array(jsonb_build_object(
        'name', object, 'object', id, 'class', 'dict', 'size', 2, 'length', 3, 'nrow', 1,
        'ncol', 3, 'parts', '[1, 1]'::jsonb, 'is_compressed', false)),
        mode, description, grantable);
END
$$;

-- ------------------------------------------------------------------------------- save and delete

SET ROLE regress_epe_owner;
SELECT store('models', 'one', 'create', description => 'of today');
SELECT store('models', 'two', 'create');
\echo :LAST_ERROR_SQLSTATE
SELECT store('models', 'two', description => 'ignored', grantable => true);
SELECT store('models', 'two');
SELECT store('shared', 'x', grantable => true);
SELECT dsname, nobj, dssize, cdate IS NOT NULL AS cdate, description, grantable
FROM user_pyq_datastores ORDER BY dsname;
SELECT dsowner, dsname, nobj, dssize, description, grantable FROM all_pyq_datastores ORDER BY dsname;
SELECT * FROM all_pyq_datastore_contents ORDER BY dsname, objname;
SELECT store('models', 'three', 'overwrite');
SELECT dsname, nobj, dssize, description, grantable FROM user_pyq_datastores ORDER BY dsname;
SELECT pyqsys.datastore_delete('models', '{three,four}');
SELECT dsname, nobj, dssize, description, grantable FROM user_pyq_datastores ORDER BY dsname;
SELECT pyqsys.datastore_delete('models', NULL);
SELECT pyqsys.datastore_delete('models', NULL);
\echo :LAST_ERROR_SQLSTATE
SELECT pyqsys.datastore_delete('models', '{one}');
SELECT store('', 'x');
\echo :LAST_ERROR_SQLSTATE
SELECT store(repeat('x', 129), 'x');
SELECT store('models', 'x', 'replace');
SELECT pyqsys.datastore_save(NULL, '[]', 'create', NULL, NULL);
SELECT pyqsys.datastore_save('models', NULL, 'create', NULL, NULL);
-- replaced and deleted objects leave no rows
RESET ROLE;
SELECT count(*) FROM pyqsys.datastore_objects;
SELECT count(*) FROM pyqsys.datastore_pieces;
-- rows not added to a store can be discarded, added rows cannot
SET ROLE regress_epe_owner;
SELECT pyqsys.datastore_write('00000000-0000-0000-0000-000000000001', 0, '\x00');
SELECT pyqsys.datastore_discard('00000000-0000-0000-0000-000000000001');
RESET ROLE;
SELECT pyqsys.datastore_discard(object) FROM pyqsys.datastore_objects;
SELECT count(*) FROM pyqsys.datastore_pieces;
BEGIN READ ONLY;
SELECT pyqsys.datastore_write('00000000-0000-0000-0000-000000000001', 0, '\x00');
ROLLBACK;

-- --------------------------------------------------------------------------------------- grants

SET ROLE regress_epe_reader;
SELECT dsowner, dsname FROM all_pyq_datastores;
SELECT * FROM all_pyq_datastore_contents;
SET ROLE regress_epe_owner;
SELECT store('private', 'x');
SELECT pyq_grant('private', 'datastore', 'regress_epe_reader');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_grant('no_such', 'datastore');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_revoke('no_such', 'datastore');
SELECT pyq_grant('shared', 'datastore', 'regress_epe_nobody');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_grant('shared', 'DataStore', 'REGRESS_EPE_READER');
SELECT pyq_grant('shared', 'datastore', 'regress_epe_group');
SELECT pyq_grant('shared', 'datastore', 'regress_epe_group');
SELECT * FROM pyqsys.given_grants ORDER BY grantee;
SET ROLE regress_epe_reader;
SELECT dsowner, dsname, nobj, grantable FROM all_pyq_datastores;
SELECT dsowner, dsname, objname FROM all_pyq_datastore_contents;
SELECT number, data FROM pyqsys.readable_pieces ORDER BY number;
SELECT * FROM user_pyq_datastores;
-- granted is not owned
SELECT pyqsys.datastore_delete('shared', NULL);
SELECT pyq_grant('shared', 'datastore');
-- a role's members, while they are
SET ROLE regress_epe_member;
SELECT dsowner, dsname FROM all_pyq_datastores;
RESET ROLE;
REVOKE regress_epe_group FROM regress_epe_member;
SET ROLE regress_epe_member;
SELECT dsowner, dsname FROM all_pyq_datastores;
-- all roles
SET ROLE regress_epe_owner;
SELECT pyq_grant('shared', 'datastore');
SET ROLE regress_epe_plain;
SELECT dsowner, dsname FROM all_pyq_datastores;
SET ROLE regress_epe_owner;
SELECT pyq_revoke('shared', 'datastore', 'public');
SELECT pyq_revoke('shared', 'datastore', 'regress_epe_plain');
SET ROLE regress_epe_plain;
SELECT dsowner, dsname FROM all_pyq_datastores;
SELECT count(*) FROM pyqsys.readable_pieces;
-- a grant survives appending, and overwriting while the store stays grantable
SET ROLE regress_epe_owner;
SELECT store('shared', 'y');
SELECT store('shared', 'z', 'overwrite', grantable => true);
SELECT * FROM pyqsys.given_grants ORDER BY grantee;
SELECT store('shared', 'z', 'overwrite');
SELECT * FROM pyqsys.given_grants ORDER BY grantee;
SELECT store('shared', 'z', 'overwrite', grantable => true);
SELECT pyq_grant('shared', 'datastore');
SELECT pyqsys.datastore_delete('shared', NULL);
SELECT store('shared', 'x', grantable => true);
SELECT * FROM pyqsys.given_grants;
SELECT pyq_revoke('shared', 'datastore');
-- a superuser sees all datastores, and owns only its own
RESET ROLE;
SELECT dsowner, dsname FROM all_pyq_datastores ORDER BY dsname;
SELECT * FROM user_pyq_datastores;
SELECT pyqsys.datastore_delete('shared', NULL);

-- -------------------------------------------------------------------------------------- attacks

-- The tables are closed, also to a role that row level security would not stop.
SET ROLE regress_epe_bypass;
SELECT * FROM pyqsys.datastores;
INSERT INTO pyqsys.datastores (owner, name) VALUES ('postgres', 'forged');
INSERT INTO pyqsys.datastore_objects SELECT;
INSERT INTO pyqsys.datastore_pieces (owner, object, number, data)
VALUES ('postgres', '00000000-0000-0000-0000-000000000001', 0, '\x00');
UPDATE pyqsys.datastores SET owner = 'postgres';
DELETE FROM pyqsys.datastore_grants;
TRUNCATE pyqsys.datastores;
BEGIN;
LOCK TABLE pyqsys.datastores IN ACCESS SHARE MODE;
ROLLBACK;
CREATE TRIGGER trap AFTER INSERT ON pyqsys.datastores EXECUTE FUNCTION pyqsys.forget_pieces();
UPDATE pyqsys.readable_datastores SET owner = 'postgres';
DELETE FROM pyqsys.readable_pieces;
INSERT INTO pyqsys.readable_pieces SELECT gen_random_uuid(), gen_random_uuid(), 0, '\x00';

-- The right to write all tables, as of pg_write_all_data, does not include these.
RESET ROLE;
GRANT ALL ON ALL TABLES IN SCHEMA pyqsys TO regress_epe_bypass;
SET ROLE regress_epe_bypass;
INSERT INTO pyqsys.datastores (owner, name) VALUES ('postgres', 'forged');
\echo :LAST_ERROR_SQLSTATE
INSERT INTO pyqsys.datastore_pieces (owner, object, number, data)
VALUES ('postgres', '00000000-0000-0000-0000-000000000001', 0, '\x00');
UPDATE pyqsys.datastores SET owner = 'postgres';
UPDATE pyqsys.datastore_pieces SET data = '\xbad0';
DELETE FROM pyqsys.datastore_grants;
INSERT INTO pyqsys.scripts (owner, name, script) VALUES ('-', 'forged', 'def forged(): pass');
RESET ROLE;
REVOKE ALL ON ALL TABLES IN SCHEMA pyqsys FROM regress_epe_bypass;

-- Rows that a role writes under the ID of another role's object do not become part of that object.
RESET ROLE;
SELECT object AS shared FROM pyqsys.datastore_objects WHERE name = 'x' LIMIT 1 \gset
GRANT ALL ON SCHEMA public TO regress_epe_plain;
SET ROLE regress_epe_plain;
SELECT pyqsys.datastore_write(:'shared', 0, '\xbad0');
SELECT pyqsys.datastore_save('stolen', jsonb_build_array(jsonb_build_object(
    'name', 'x', 'object', :'shared', 'class', 'dict', 'size', 2, 'length', 1, 'nrow', 1,
    'ncol', 1, 'parts', '[1]'::jsonb, 'is_compressed', false)), 'create', NULL, true);
SELECT number, data FROM pyqsys.readable_pieces;
SELECT pyqsys.datastore_discard(:'shared');
SELECT pyqsys.datastore_delete('stolen', NULL);
SET ROLE regress_epe_owner;
SELECT number, data FROM pyqsys.readable_pieces WHERE object = :'shared' ORDER BY number;

-- The views pass no rows to a caller's functions that the caller may not see.
SET ROLE regress_epe_plain;
CREATE FUNCTION pg_temp.peek(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'saw %', $1;
    RETURN true;
END
$$;
SELECT store('mine', 'x');
SELECT dsname FROM all_pyq_datastores WHERE pg_temp.peek(dsname);
SELECT dsname FROM user_pyq_datastores WHERE pg_temp.peek(dsname);
SELECT objname FROM all_pyq_datastore_contents WHERE pg_temp.peek(dsname);
SELECT name FROM pyqsys.readable_datastores WHERE pg_temp.peek(name);
SELECT name FROM pyqsys.readable_objects WHERE pg_temp.peek(class);
SELECT number FROM pyqsys.readable_pieces WHERE pg_temp.peek(data::text);
SELECT name FROM pyqsys.readable_scripts WHERE pg_temp.peek(name);
SELECT name FROM pyqsys.given_grants WHERE pg_temp.peek(name);

-- Objects in the caller's search_path do not run with other privileges.
RESET ROLE;
CREATE SCHEMA regress_epe_trap AUTHORIZATION regress_epe_plain;
SET ROLE regress_epe_plain;
CREATE FUNCTION regress_epe_trap.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ran as %', current_user;
END
$$;
CREATE FUNCTION regress_epe_trap.equal(oid, oid) RETURNS boolean LANGUAGE sql
    RETURN regress_epe_trap.equal('', '');
CREATE FUNCTION regress_epe_trap.equal(uuid, uuid) RETURNS boolean LANGUAGE sql
    RETURN regress_epe_trap.equal('', '');
CREATE FUNCTION regress_epe_trap.jsonb_to_recordset(jsonb) RETURNS SETOF record LANGUAGE sql
    AS 'SELECT regress_epe_trap.equal('''', '''')';
CREATE OPERATOR regress_epe_trap.= (leftarg = text, rightarg = text, function = regress_epe_trap.equal);
CREATE OPERATOR regress_epe_trap.= (leftarg = oid, rightarg = oid, function = regress_epe_trap.equal);
CREATE OPERATOR regress_epe_trap.= (leftarg = uuid, rightarg = uuid, function = regress_epe_trap.equal);
CREATE DOMAIN regress_epe_trap.text AS int;
CREATE DOMAIN regress_epe_trap.uuid AS int;
CREATE DOMAIN regress_epe_trap.int8 AS int;
SET search_path = regress_epe_trap, pg_catalog, public;
SELECT pyqsys.datastore_save('trap', '[{"name": "x", "object": "00000000-0000-0000-0000-000000000002", "class": "int", "size": 0, "length": 1, "nrow": 1, "ncol": 1, "parts": [], "is_compressed": false}]', 'overwrite', NULL, true);
SELECT pyqsys.datastore_save('trap', '[]', 'overwrite', NULL, true);
SELECT pyq_grant('trap', 'datastore', 'regress_epe_reader');
SELECT pyq_revoke('trap', 'datastore', 'regress_epe_reader');
SELECT pyq_revoke('trap', 'datastore');
SELECT pyqsys.datastore_discard('00000000-0000-0000-0000-000000000003');
SELECT dsname FROM user_pyq_datastores;
SELECT pyqsys.datastore_delete('trap', '{x}');
SELECT pyqsys.datastore_delete('trap', NULL);
SELECT current_user;
RESET search_path;
RESET ROLE;

-- ---------------------------------------------------------------------------- package oml, trust

SELECT pyq_script_create('store', 'import oml
def store(name, value): oml.ds.save({"value": value}, name, grantable=True, append=True)', true);
SELECT pyq_script_create('fetch', 'import oml
def fetch(name, owner): return oml.ds.load(name, owner=owner, to_globals=False)["value"]', true);
SELECT pyq_script_create('place', 'import _oml_epe
def place(): return {"backend": _oml_epe.is_backend(), "sandbox": _oml_epe.is_sandboxed()}', true);

SET ROLE regress_epe_owner;
SELECT pyq_eval('{"name": "trusted", "value": [1, 2]}', NULL::int, 'store');
SELECT dsname, nobj, grantable FROM user_pyq_datastores WHERE dsname = 'trusted';
SELECT pyq_grant('trusted', 'datastore', 'regress_epe_plain');
SET ROLE regress_epe_plain;
SELECT * FROM pyq_eval('{"name": "trusted", "owner": "regress_epe_owner"}', NULL::pyq_json, 'fetch');
SELECT * FROM pyq_eval('{"name": "trusted", "owner": null}', NULL::pyq_json, 'fetch');

-- A hostile pickle of an ordinary role: it is not unpickled inside the server, not even for its owner.
SELECT pyq_script_create('attack', 'import oml
class Hostile:
    def __reduce__(self):
        return exec, ("import oml; oml.cursor().execute(''CREATE TABLE executed ()'')",)
def attack(): oml.ds.save({"value": Hostile()}, "hostile", grantable=True)');
SELECT pyq_eval(NULL, NULL::int, 'attack');
SELECT pyq_grant('hostile', 'datastore');
SELECT * FROM pyq_eval('{"name": "hostile", "owner": null}', NULL::int, 'fetch');
\echo :LAST_ERROR_SQLSTATE
RESET ROLE;
SELECT * FROM pyq_eval(NULL, NULL::pyq_json, 'place');
SELECT * FROM pyq_eval('{"name": "hostile", "owner": "regress_epe_plain"}', NULL::int, 'fetch');
\echo :LAST_ERROR_SQLSTATE
SELECT to_regclass('executed');
-- The role may become trusted: then it answers for its pickles. And no longer.
GRANT pyqadmin TO regress_epe_plain;
SELECT is_trusted FROM pyqsys.readable_datastores WHERE name = 'hostile';
REVOKE pyqadmin FROM regress_epe_plain;
SELECT is_trusted FROM pyqsys.readable_datastores WHERE name = 'hostile';
-- The function that the views use; a role that does not exist is not trusted.
GRANT pyqadmin TO regress_epe_plain;
SELECT r.rolname, pyqsys.is_trusted_role(r.oid) FROM pg_roles AS r
WHERE r.rolname IN ('pyqadmin', 'regress_epe_plain', 'pg_monitor') ORDER BY 1;
REVOKE pyqadmin FROM regress_epe_plain;
SELECT pyqsys.is_trusted_role('regress_epe_plain'::regrole), pyqsys.is_trusted_role(10) AS first,
       pyqsys.is_trusted_role(0) AS none, pyqsys.is_trusted_role(NULL) AS unknown;
-- In a confined process it runs, with the rights of the call.
SET oml_epe.engine = 'process';
SELECT * FROM pyq_eval(NULL, NULL::pyq_json, 'place');
SET ROLE regress_epe_reader;
SELECT * FROM pyq_eval('{"name": "hostile", "owner": "regress_epe_plain"}', NULL::int, 'fetch');
RESET ROLE;
SELECT * FROM pyq_eval('{"name": "hostile", "owner": "regress_epe_plain"}', NULL::int, 'fetch');
SELECT to_regclass('executed');
DROP TABLE executed;
RESET oml_epe.engine;

-- ------------------------------------------------------------------------ transactions, parallel

SELECT pyq_script_create('keep_and_fail', 'import oml
def keep_and_fail():
    oml.ds.save({"a": 1}, "gone")
    raise ValueError("after all")');
SELECT pyq_eval(NULL, NULL::int, 'keep_and_fail');
BEGIN;
SELECT pyq_eval('{"name": "gone", "value": 1}', NULL::int, 'store');
ROLLBACK;
SELECT * FROM user_pyq_datastores;

-- three engines append to a store that does not exist (compatibility.md, PY-31)
CREATE TABLE flower AS
    SELECT species, n FROM unnest('{setosa,versicolor,virginica}'::text[]) AS species,
                           generate_series(1, 50) AS n;
SELECT pyq_script_create('build', 'import oml
def build(dat, dsname):
    name = "mod_" + dat["species"].iloc[0]
    oml.ds.save({name: dat}, dsname, append=True)
    return name');
SELECT name, value
FROM pyq_group_eval('flower', '{"dsname": "ds-1", "oml_parallel": 3}', NULL::pyq_json, 'species', NULL, 'build');
SELECT dsname, nobj FROM user_pyq_datastores;
SELECT objname, class, length, nrow, ncol FROM all_pyq_datastore_contents
WHERE dsname = 'ds-1' ORDER BY objname;
SELECT pyqsys.datastore_delete('ds-1', NULL);

-- ------------------------------------------------------------------------------- dropped roles

SET client_min_messages = warning;
DROP SCHEMA regress_epe_trap CASCADE;
RESET client_min_messages;
DROP TABLE flower;
DROP FUNCTION store, pg_temp.peek;
REVOKE ALL ON SCHEMA public FROM regress_epe_plain;
DROP ROLE regress_epe_owner, regress_epe_plain, regress_epe_reader, regress_epe_group,
    regress_epe_member, regress_epe_bypass;
SELECT is_trusted, count(*) FROM pyqsys.readable_datastores GROUP BY 1;
DELETE FROM pyqsys.datastores;
SELECT count(*) FROM pyqsys.datastore_objects;
SELECT count(*) FROM pyqsys.datastore_pieces;
SELECT count(*) FROM pyqsys.datastore_grants;
DELETE FROM pyqsys.scripts;
