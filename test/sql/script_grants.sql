-- Visibility of scripts, and grants to run them.

CREATE ROLE regress_epe_owner IN ROLE pyqadmin;
CREATE ROLE regress_epe_reader;
CREATE ROLE regress_epe_group;
CREATE ROLE regress_epe_member IN ROLE regress_epe_group;
CREATE ROLE "regress_epe_Mixed";

SET ROLE regress_epe_owner;
SELECT pyq_script_create('tmpqfun2', 'def tmpqfun2(): return 1');
SELECT pyq_script_create('everywhere', 'def everywhere(): return 2', true);

-- no grant yet: the error does not reveal that the script exists
SET ROLE regress_epe_reader;
SELECT owner, name FROM all_pyq_scripts;
SELECT * FROM user_pyq_scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'everywhere');
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2');
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
\echo :LAST_ERROR_SQLSTATE
SELECT * FROM pyq_eval(NULL, NULL::int, 'no_such', 'regress_epe_owner');
SELECT * FROM pyq_eval(NULL, NULL::int, 'no_such', 'regress_epe_nobody');

-- a grant to a role (compatibility.md, SQL-66)
SET ROLE regress_epe_owner;
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'regress_epe_reader');
SELECT pyq_grant('tmpqfun2', 'pyqScript', 'REGRESS_EPE_READER');
SET ROLE regress_epe_reader;
SELECT * FROM all_pyq_scripts ORDER BY owner;
SELECT * FROM user_pyq_scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'REGRESS_EPE_OWNER');
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2');
SELECT * FROM pyq_eval(NULL, NULL::int, 'TMPQFUN2');
-- granted is not owned
SELECT pyq_script_drop('tmpqfun2');
SELECT pyq_grant('tmpqfun2', 'pyqscript');
SELECT pyq_revoke('tmpqfun2', 'pyqscript');

SET ROLE regress_epe_owner;
SELECT pyq_revoke('tmpqfun2', 'pyqscript', 'regress_epe_reader');
SELECT pyq_revoke('tmpqfun2', 'pyqscript', 'regress_epe_reader');
SET ROLE regress_epe_reader;
SELECT owner, name FROM all_pyq_scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');

-- a grant to a role reaches its members, while they are
SET ROLE regress_epe_owner;
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'regress_epe_group');
SET ROLE regress_epe_member;
SELECT owner, name FROM all_pyq_scripts ORDER BY owner;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
RESET ROLE;
REVOKE regress_epe_group FROM regress_epe_member;
SET ROLE regress_epe_member;
SELECT owner, name FROM all_pyq_scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');

-- a grant to all roles; revoking from all roles removes every grant
SET ROLE regress_epe_owner;
SELECT pyq_grant('tmpqfun2', 'pyqscript');
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'regress_epe_Mixed');
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'PUBLIC');
SET ROLE regress_epe_member;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
RESET ROLE;
SELECT owner, name, grantee FROM pyqsys.script_grants ORDER BY grantee::text COLLATE "C";
SET ROLE regress_epe_owner;
SELECT pyq_revoke('tmpqfun2', 'pyqscript', 'public');
SET ROLE regress_epe_member;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
SET ROLE regress_epe_owner;
SELECT pyq_revoke('tmpqfun2', 'pyqscript', NULL);
SELECT pyq_revoke('tmpqfun2', 'pyqscript', NULL);
RESET ROLE;
SELECT count(*) FROM pyqsys.script_grants;

-- a grant survives the replacement of its script, but not its deletion
SET ROLE regress_epe_owner;
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'regress_epe_reader');
SELECT pyq_script_create('tmpqfun2', 'def tmpqfun2(): return 3', v_overwrite => true);
SET ROLE regress_epe_reader;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
SET ROLE regress_epe_owner;
SELECT pyq_script_drop('tmpqfun2');
SELECT pyq_script_create('tmpqfun2', 'def tmpqfun2(): return 4');
SET ROLE regress_epe_reader;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');

-- objects that cannot be granted
SET ROLE regress_epe_owner;
SELECT pyq_grant('no_such', 'pyqscript');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_grant('everywhere', 'pyqscript', 'regress_epe_reader');
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'regress_epe_nobody');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_grant('tmpqfun2', 'DataStore', 'regress_epe_reader');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_grant('tmpqfun2', 'table', 'regress_epe_reader');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_grant(NULL, 'pyqscript');
SELECT pyq_grant('tmpqfun2', NULL);
SELECT pyq_revoke('no_such', 'pyqscript');
SELECT pyq_revoke('tmpqfun2', 'pyqscript', 'regress_epe_nobody');

-- a superuser sees and runs all scripts, but owns only its own
RESET ROLE;
SELECT owner, name FROM all_pyq_scripts ORDER BY owner;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
SELECT pyq_grant('tmpqfun2', 'pyqscript', 'regress_epe_reader');
-- and so does a role that has the owner's rights
GRANT regress_epe_owner TO regress_epe_member;
SET ROLE regress_epe_member;
SELECT owner, name FROM all_pyq_scripts ORDER BY owner;
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');

-- a SECURITY DEFINER function acts as its owner
SET ROLE regress_epe_owner;
CREATE FUNCTION pg_temp.as_owner(OUT names text, OUT result int) SECURITY DEFINER LANGUAGE sql AS $$
    SELECT (SELECT string_agg(name, ', ') FROM user_pyq_scripts),
           (SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2'))
$$;
SET ROLE regress_epe_reader;
SELECT * FROM pg_temp.as_owner();

-- the views pass no rows to a caller's functions that the caller may not see
CREATE FUNCTION pg_temp.peek(text) RETURNS boolean COST 0.0001 LANGUAGE plpgsql AS $$
BEGIN
    RAISE NOTICE 'saw %', $1;
    RETURN true;
END
$$;
SELECT name FROM all_pyq_scripts WHERE pg_temp.peek(name);
SELECT name FROM user_pyq_scripts WHERE pg_temp.peek(name);

-- the tables are closed
SELECT * FROM pyqsys.scripts;
SELECT * FROM pyqsys.script_grants;
INSERT INTO pyqsys.scripts (owner, name, script) VALUES ('-', 'x', 'x');

-- objects in the caller's search_path do not run with other privileges
RESET ROLE;
CREATE SCHEMA regress_epe_trap AUTHORIZATION regress_epe_owner;
SET ROLE regress_epe_owner;
CREATE FUNCTION regress_epe_trap.equal(text, text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ran as %', current_user;
END
$$;
CREATE FUNCTION regress_epe_trap.equal(oid, oid) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'ran as %', current_user;
END
$$;
CREATE OPERATOR regress_epe_trap.= (leftarg = text, rightarg = text, function = regress_epe_trap.equal);
CREATE OPERATOR regress_epe_trap.= (leftarg = oid, rightarg = oid, function = regress_epe_trap.equal);
SET search_path = regress_epe_trap, pg_catalog, public;
SELECT pyq_script_create('trap', 'def trap(): return 1');
SELECT pyq_script_create('trap', 'def trap(): return 2', v_overwrite => true);
SELECT pyq_grant('trap', 'pyqscript', 'regress_epe_reader');
SELECT * FROM pyq_eval(NULL, NULL::int, 'trap');
SELECT pyq_revoke('trap', 'pyqscript', 'regress_epe_reader');
SELECT pyq_revoke('trap', 'pyqscript');
SELECT count(*) FROM all_pyq_scripts;
SELECT pyq_script_drop('trap');
RESET search_path;
SELECT current_user;
RESET ROLE;

-- scripts of a dropped role cannot be run
SET client_min_messages = warning;
DROP SCHEMA regress_epe_trap CASCADE;
RESET client_min_messages;
DROP FUNCTION pg_temp.as_owner;
DROP ROLE regress_epe_owner;
SELECT name FROM all_pyq_scripts WHERE owner LIKE 'regress%';
SELECT * FROM pyq_eval(NULL, NULL::int, 'tmpqfun2', 'regress_epe_owner');
SELECT pyq_script_drop('everywhere', true);
DELETE FROM pyqsys.scripts;
DROP FUNCTION pg_temp.peek;
DROP ROLE regress_epe_reader, regress_epe_group, regress_epe_member, "regress_epe_Mixed";
