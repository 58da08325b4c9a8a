-- From version 1.0.0 to 1.1.0. The result equals a new installation of 1.1.0: test/py/test_upgrade.py
-- compares the catalogs. A statement here repeats what changed in sql/oml_epe.sql; a new column goes
-- behind the existing ones in both.
\echo Use "ALTER EXTENSION oml_epe UPDATE" to load this file. \quit

SET LOCAL search_path = pg_catalog, pg_temp;
