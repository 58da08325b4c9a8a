-- pyqsys.check_log_in: the check of the gateway before every request.
CREATE ROLE gateway_ann LOGIN;
SET SESSION AUTHORIZATION gateway_ann;
SELECT pyqsys.check_log_in('gateway_ann');
RESET SESSION AUTHORIZATION;
ALTER ROLE gateway_ann NOLOGIN;
SET SESSION AUTHORIZATION gateway_ann;
SELECT pyqsys.check_log_in('gateway_ann');
RESET SESSION AUTHORIZATION;
ALTER ROLE gateway_ann LOGIN VALID UNTIL '2001-01-01';
SET SESSION AUTHORIZATION gateway_ann;
SELECT pyqsys.check_log_in('gateway_ann');
RESET SESSION AUTHORIZATION;
ALTER ROLE gateway_ann VALID UNTIL 'infinity';
SET SESSION AUTHORIZATION gateway_ann;
SELECT pyqsys.check_log_in('gateway_ann');
RESET SESSION AUTHORIZATION;
DO $$BEGIN EXECUTE format('REVOKE CONNECT ON DATABASE %I FROM PUBLIC', current_database()); END$$;
SET SESSION AUTHORIZATION gateway_ann;
SELECT pyqsys.check_log_in('gateway_ann');
-- another name, and another role whose rights do not count
RESET SESSION AUTHORIZATION;
SET ROLE gateway_ann;
SELECT pyqsys.check_log_in('gateway_ann');
SELECT pyqsys.check_log_in(session_user);
SELECT pyqsys.check_log_in(NULL);
RESET ROLE;
DO $$BEGIN EXECUTE format('GRANT CONNECT ON DATABASE %I TO PUBLIC', current_database()); END$$;
DROP ROLE gateway_ann;
