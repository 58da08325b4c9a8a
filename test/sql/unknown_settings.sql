-- The names of the extension's settings are reserved once the library is loaded: an unknown one is
-- refused. PostgreSQL 14 reserves no names.
SET oml_epe.no_such = 1;
