-- Setup for the other tests.
CREATE EXTENSION oml_epe;
-- As in new clusters since PostgreSQL 15; no test may depend on the former default.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;
