-- OUT_ROW: the row type of a table, view or composite type, without an AS list.

CREATE TABLE row_counts (species varchar(6), gone text, n int NOT NULL);
ALTER TABLE row_counts DROP COLUMN gone;
CREATE TYPE row_point AS (x float8, y float8);
CREATE TYPE row_nested AS (label text, at row_point, tags text[], marks row_point[]);
CREATE DOMAIN row_positive AS row_point CHECK ((VALUE).x > 0);
CREATE VIEW row_view AS SELECT 'x'::text AS species, 1::bigint AS n;

SELECT pyq_script_create('row_frame', $$
def row_frame():
    import pandas as pd
    return pd.DataFrame({"n": [50, 49], "species": ["setosa", "virginica"], "more": [0, 0]})
$$);
SELECT pyq_script_create('row_points', $$
def row_points(*xs, first=1.0):
    import pandas as pd
    return pd.DataFrame({"x": [first, 2.0], "y": [0.5, None]})
$$);
SELECT pyq_script_create('row_nested', $$
def row_nested():
    return [("a", {"x": 1, "y": 2.5}, ["p", None], [{"x": 0, "y": 0}, None]),
            (None, None, [], None)]
$$);

SELECT * FROM pyq_eval(NULL, NULL::row_counts, 'row_frame');
SELECT * FROM pyq_eval(NULL, NULL::row_view, 'row_frame');
SELECT t.n, t.species FROM pyq_eval(NULL, NULL::row_counts, 'row_frame') AS t ORDER BY n;
SELECT a, b FROM pyq_eval(NULL, NULL::row_counts, 'row_frame') AS t(a, b);
-- in the SELECT list, whole and by field
SELECT pyq_eval(NULL, NULL::row_counts, 'row_frame');
SELECT (pyq_eval(NULL, NULL::row_point, 'row_points')).x;
SELECT to_jsonb(t) FROM pyq_eval(NULL, NULL::row_counts, 'row_frame') AS t;
-- nested composites and arrays of them
SELECT * FROM pyq_eval(NULL, NULL::row_nested, 'row_nested');
SELECT (at).y, marks[1] FROM pyq_eval(NULL, NULL::row_nested, 'row_nested');
-- a domain over a composite type is checked row by row
SELECT * FROM pyq_eval(NULL, NULL::row_positive, 'row_points');
SELECT * FROM pyq_eval('{"first": -1}', NULL::row_positive, 'row_points');
SELECT pyq_eval('{"first": 0}', NULL::row_positive, 'row_points');
-- the value of out_row is ignored
SELECT * FROM pyq_eval(NULL, ROW('x', 1)::row_counts, 'row_frame');
-- record: as if there were no out_row
SELECT * FROM pyq_eval(NULL, NULL::record, 'row_frame') AS t(species text, n int);
SELECT pyq_eval(NULL, NULL::record, 'row_frame');
-- every function
CREATE TABLE row_input AS SELECT i AS id, i % 2 AS odd FROM generate_series(1, 5) AS i;
CREATE TYPE row_size AS (first int, size int);
SELECT pyq_script_create('row_size', $$
def row_size(data):
    import numpy as np
    return [(int(np.ravel(data)[0]), np.size(data))]
$$);
SELECT * FROM pyq_table_eval('row_input', NULL, NULL::row_size, 'row_size');
SELECT * FROM pyq_row_eval('row_input', NULL, NULL::row_size, 2, 'row_size');
SELECT * FROM pyq_group_eval('row_input', NULL, NULL::row_size, 'odd', 'id', 'row_size');
SELECT * FROM pyq_index_eval(NULL, NULL::row_size, 2, 'row_size');
SELECT * FROM pyqsys.pyqIndexEval(NULL, NULL::row_size, 1, 'row_size');
-- a column that the result lacks
SELECT * FROM pyq_eval(NULL, NULL::row_point, 'row_frame');

SELECT pyq_script_drop(s) FROM unnest(ARRAY['row_frame', 'row_points', 'row_nested', 'row_size']) AS s;
DROP VIEW row_view;
DROP DOMAIN row_positive;
DROP TYPE row_nested, row_point, row_size;
DROP TABLE row_counts, row_input;
