-- The extension oml_epe, whole and current. The versioned script sql/oml_epe--VERSION.sql is the
-- files sql/NN_*.sql, in order of their numbers.
--
-- Users call what is in the extension's schema (@extschema@). Schema pyqsys holds the tables of the
-- script repository, which only the C functions and the views read and write, and the functions
-- under Oracle's folded names.
\echo Use "CREATE EXTENSION oml_epe" to load this file. \quit

-- CREATE EXTENSION puts the extension's schema on the path. Others may be allowed to create there,
-- and an operator of theirs that fits better than pg_catalog's would run as the superuser. What
-- this file creates is qualified, so that it needs no path.
SET LOCAL search_path = pg_catalog, pg_temp;

