-- Only trusted roles write scripts, and only trusted roles' scripts run inside the server.

CREATE ROLE regress_epe_plain;
CREATE ROLE regress_epe_admin IN ROLE pyqadmin;
CREATE ROLE regress_epe_outer IN ROLE regress_epe_admin;
CREATE ROLE regress_epe_noinherit NOINHERIT IN ROLE pyqadmin;

SELECT rolname, rolsuper, rolcanlogin FROM pg_roles WHERE rolname = 'pyqadmin';

-- an ordinary role is refused, before its text is looked at
SET ROLE regress_epe_plain;
SELECT pyq_script_create('mine', 'def mine(): return 1');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_create('mine', 'def mine(');
SELECT pyq_script_create('mine', 'def mine(): return 1', true);
SELECT pyq_script_drop('mine', true);
\echo :LAST_ERROR_SQLSTATE
-- dropping a private script needs none
SELECT pyq_script_drop('mine');

-- a member of pyqadmin is not, nor a member of a member
SET ROLE regress_epe_admin;
SELECT pyq_script_create('mine', 'def mine(): return 1');
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
SELECT pyq_grant('mine', 'pyqscript');
SET ROLE regress_epe_outer;
SELECT pyq_script_create('mine', 'def mine(): return 2');
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');

-- trust goes with the rights that a role has, not with those that it could take on
SET ROLE regress_epe_noinherit;
SELECT pyq_script_create('mine', 'def mine(): return 3');

-- trust is what it is now
RESET ROLE;
REVOKE pyqadmin FROM regress_epe_admin;
SET ROLE regress_epe_admin;
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_create('mine', 'def mine(): return 4', v_overwrite => true);
SET ROLE regress_epe_plain;
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine', 'regress_epe_admin');
RESET ROLE;
-- a superuser's call does not make somebody else's script trusted
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine', 'regress_epe_admin');
GRANT pyqadmin TO regress_epe_admin;
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine', 'regress_epe_admin');

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
DROP ROLE regress_epe_plain, regress_epe_admin, regress_epe_outer, regress_epe_noinherit;
