-- All roles may write scripts of their own; only trusted roles' scripts run inside the server, the
-- others in sandboxed engine processes.

CREATE ROLE regress_epe_plain;
CREATE ROLE regress_epe_admin IN ROLE pyqadmin;
CREATE ROLE regress_epe_outer IN ROLE regress_epe_admin;
CREATE ROLE regress_epe_noinherit NOINHERIT IN ROLE pyqadmin;

SELECT rolname, rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'pyqadmin';

-- The process that a call ran in: the backend's own, or another.
SELECT pyq_script_create('where_am_i', 'import os
def where_am_i(pid): return os.getpid() == pid', true);
CREATE FUNCTION runs_in_backend(script text, owner text DEFAULT NULL) RETURNS text
    LANGUAGE sql AS $$
    SELECT e::text FROM pyq_eval(jsonb_build_object('pid', pg_backend_pid()), NULL::boolean,
                                 script, owner) AS e
$$;

-- an ordinary role's script runs outside, and no global script is its own
SET ROLE regress_epe_plain;
SELECT pyq_script_create('mine', 'import os
def mine(pid): return os.getpid() == pid');
SELECT runs_in_backend('mine'), runs_in_backend('where_am_i') AS global;
SELECT pyq_script_create('wrong', 'def mine(');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_create('mine', 'def mine(): return 1', true);
SELECT pyq_script_drop('mine', true);
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_drop('mine');

-- a member of pyqadmin's runs inside, and a member of a member's
SET ROLE regress_epe_admin;
SELECT pyq_script_create('mine', 'import os
def mine(pid): return os.getpid() == pid');
SELECT runs_in_backend('mine');
SELECT pyq_grant('mine', 'pyqscript');
SET ROLE regress_epe_outer;
SELECT pyq_script_create('mine', 'import os
def mine(pid): return os.getpid() == pid');
SELECT runs_in_backend('mine');

-- trust depends on the privileges that a role has, not on those it could assume by SET ROLE
SET ROLE regress_epe_noinherit;
SELECT pyq_script_create('mine', 'import os
def mine(pid): return os.getpid() == pid');
SELECT runs_in_backend('mine');
SELECT pyq_script_drop('mine');

-- trust is checked at each call, for any caller
RESET ROLE;
REVOKE pyqadmin FROM regress_epe_admin;
SET ROLE regress_epe_admin;
SELECT runs_in_backend('mine');
SET ROLE regress_epe_plain;
SELECT runs_in_backend('mine', 'regress_epe_admin');
RESET ROLE;
SELECT runs_in_backend('mine', 'regress_epe_admin') AS for_a_superuser;
GRANT pyqadmin TO regress_epe_admin;
SELECT runs_in_backend('mine', 'regress_epe_admin') AS trusted_again;
SET oml_epe.engine = 'process';
SELECT runs_in_backend('mine', 'regress_epe_admin') AS asked_for_a_process;
RESET oml_epe.engine;

-- settings of the sandbox are reserved to superusers
SET ROLE regress_epe_plain;
SET oml_epe.sandbox = 'preferred';
\echo :LAST_ERROR_SQLSTATE
SET oml_epe.sandbox_read_paths = '/etc';
SET oml_epe.sandbox_tcp_ports = '5432';
SET oml_epe.engine_memory_limit = 0;
RESET ROLE;
SET oml_epe.sandbox_tcp_ports = '80, 70000';
SET oml_epe.sandbox_read_paths = '/usr, etc';

-- a role that is no longer trusted may still clear up
REVOKE pyqadmin FROM regress_epe_admin;
SET ROLE regress_epe_admin;
SELECT pyq_revoke('mine', 'pyqscript');
SELECT pyq_script_drop('mine');
SELECT * FROM user_pyq_scripts;

RESET ROLE;
SET ROLE regress_epe_outer;
SELECT pyq_script_drop('mine');
RESET ROLE;
SELECT pyq_script_drop('where_am_i', true);
DROP FUNCTION runs_in_backend;
DROP ROLE regress_epe_plain, regress_epe_admin, regress_epe_outer, regress_epe_noinherit;
