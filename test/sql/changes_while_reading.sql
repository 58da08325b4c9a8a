-- A script that pulls the rug from under its own input gets an error, never the server.
-- Reads of a few rows at a time keep a query open while the script runs.

SELECT pyq_script_create('run_sql', $$
import oml

def run_sql(dat, statement):
    try:
        oml.cursor().execute(statement)
    except oml.DatabaseError as error:
        return error.sqlstate
    return "ran"
$$);

-- the script can close its own cursors, not the query that is being read
SELECT result, count(*)
FROM pyq_row_eval('SELECT g FROM generate_series(1, 30000) AS g', '{"statement": "CLOSE ALL"}',
                  NULL, 10000, 'run_sql') AS t(result text)
GROUP BY result ORDER BY result;

-- a composite type that changes between two rows
CREATE TYPE changing AS (a int, b int);
SELECT * FROM pyq_row_eval(
    'SELECT row(g, g)::changing AS pair FROM generate_series(1, 30000) AS g',
    '{"statement": "ALTER TYPE changing ADD ATTRIBUTE c text"}', NULL, 10000, 'run_sql')
    AS t(result text);
SELECT * FROM pyq_row_eval(
    'SELECT row(g, g)::changing AS pair FROM generate_series(1, 30000) AS g',
    '{"statement": "ALTER TYPE changing DROP ATTRIBUTE b"}', NULL, 10000, 'run_sql')
    AS t(result text);

-- a table that changes before an iterator reads its first row
SELECT pyq_script_create('change_first', $$
import oml

def change_first(dat, statement):
    oml.cursor().execute(statement)
    return sum(len(frame) for frame in dat)
$$);
CREATE TABLE late (n int, t text);
INSERT INTO late SELECT g, g FROM generate_series(1, 10) AS g;
SELECT * FROM pyq_table_eval(
    'late', '{"oml_input_type": "iterator", "statement": "ALTER TABLE late ALTER n TYPE text"}',
    NULL, 'change_first') AS t(rows int);
SELECT * FROM pyq_table_eval(
    'late', '{"oml_input_type": "iterator", "statement": "ALTER TABLE late ADD more int"}',
    NULL, 'change_first') AS t(rows int);
SELECT * FROM pyq_table_eval(
    'late', '{"oml_input_type": "iterator", "statement": "CREATE INDEX ON late (n)"}',
    NULL, 'change_first') AS t(rows int);

DROP TABLE late;
DROP TYPE changing;
SELECT pyq_script_drop('run_sql'), pyq_script_drop('change_first');
