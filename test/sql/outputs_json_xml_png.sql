-- OUT_FMT 'JSON', 'XML' and 'PNG', by an AS list and by the row types of the extension.

CREATE TABLE fixed_input AS
    SELECT i AS id, CASE WHEN i <= 3 THEN 'a' ELSE 'b' END AS grp FROM generate_series(1, 5) AS i;
SELECT pyq_script_create('fixed_frame', $$
def fixed_frame(*data):
    import pandas as pd
    return pd.DataFrame({"ID": [0, 1], "NAME": ["demo_0", None], "FLOAT": [0.0, 0.1]})
$$);
SELECT pyq_script_create('fixed_count', $$
def fixed_count(data):
    return {"rows": len(data)}
$$);
SELECT pyq_script_create('fixed_plot', $$
def fixed_plot(n=1, *data):
    import matplotlib.pyplot as plt
    for i in range(2):
        plt.figure()
        plt.plot([1, 2, 3])
        if i == 0:
            plt.title(f"Title {n if isinstance(n, int) else len(n)}")
    return True
$$);

-- JSON: one row
SELECT * FROM pyq_eval(NULL, 'JSON', 'fixed_frame') AS t(name text, value text);
SELECT * FROM pyq_eval(NULL, 'json', 'fixed_frame') AS t(whatever varchar, value json);
SELECT value -> 1 ->> 'FLOAT' AS x
    FROM pyq_eval(NULL, 'JSON', 'fixed_frame') AS t(name text, value jsonb);
SELECT * FROM pyq_eval(NULL, NULL::pyq_json, 'fixed_frame');
SELECT (pyq_eval(NULL, NULL::pyq_json, 'fixed_frame')).value;
SELECT * FROM pyqsys.pyqEval(NULL, NULL::pyq_json, 'fixed_frame');
SELECT * FROM pyq_row_eval('fixed_input', NULL, NULL::pyq_json, 3, 'fixed_frame');
SELECT * FROM pyq_row_eval('fixed_input', NULL, NULL::pyq_json, 3, 'fixed_count');
SELECT * FROM pyq_group_eval('fixed_input', NULL, NULL::pyq_json, 'grp', NULL, 'fixed_count');
SELECT * FROM pyq_index_eval(NULL, NULL::pyq_json, 2, 'fixed_frame');

-- XML: a row for each call
SELECT * FROM pyq_eval(NULL, 'XML', 'fixed_frame') AS t(name text, value text);
SELECT name, (xpath('count(//ROW-pandas_dataFrame)', value))[1] AS rows
    FROM pyq_eval(NULL, 'XML', 'fixed_frame') AS t(name varchar(10), value xml);
SELECT * FROM pyq_group_eval('fixed_input', NULL, NULL::pyq_xml, 'grp', NULL, 'fixed_count');
SELECT * FROM pyq_row_eval('fixed_input', NULL, NULL::pyq_xml, 3, 'fixed_count');

-- PNG: a row for each figure
SELECT name, id, value, title, substr(image, 1, 8) AS header, length(image) > 1000 AS is_large
    FROM pyq_eval('{"oml_graphics_flag": true}', 'PNG', 'fixed_plot')
    AS t(name text, id int, value text, title text, image bytea);
SELECT name, id, value, title, substr(image, 2, 3) AS header
    FROM pyq_index_eval('{"oml_graphics_flag": true}', NULL::pyq_png, 2, 'fixed_plot');
SELECT name, id, title
    FROM pyq_group_eval('fixed_input', '{"oml_graphics_flag": true}', NULL::pyq_png, 'grp', NULL,
                        'fixed_plot');
SELECT count(*) FROM pyq_eval(NULL, NULL::pyq_png, 'fixed_frame');
-- ... and with "always" the results of calls that drew none
SELECT * FROM pyq_group_eval('fixed_input', '{"oml_graphics_flag": "always"}', NULL::pyq_png, 'grp', NULL,
                             'fixed_count');
SELECT * FROM pyq_eval('{"oml_graphics_flag": true}', NULL::pyq_png, 'fixed_frame');
SELECT * FROM pyq_eval('{"oml_graphics_flag": "always"}', NULL::pyq_png, 'fixed_frame');
SELECT * FROM pyq_eval('{"oml_graphics_flag": "never"}', NULL::pyq_png, 'fixed_frame');

-- the AS list of an OUT_FMT
SELECT pyqsys.output_columns('{"Name": "varchar2(4)", "x y": "number(5,2)", "d": "binary_double"}');
SELECT pyqsys.output_columns('fixed_input');
SELECT pyqsys.output_columns('{"a": "no_type"}');
SELECT pyqsys.output_columns('JSON');
SELECT pyqsys.output_columns(NULL);

-- AS lists that do not fit
SELECT * FROM pyq_eval(NULL, 'JSON', 'fixed_frame') AS t(value text);
SELECT * FROM pyq_eval(NULL, 'XML', 'fixed_frame') AS t(name text, value int);
SELECT * FROM pyq_eval(NULL, 'PNG', 'fixed_frame') AS t(name text, value text);
SELECT * FROM pyq_eval(NULL, 'PNG', 'fixed_frame')
    AS t(name text, id text, value text, title text, image bytea);
SELECT pyq_eval(NULL, 'JSON', 'fixed_frame');

-- a type of this name of another origin has no special meaning
CREATE SCHEMA fixed;
CREATE TYPE fixed.pyq_json AS ("ID" int, "NAME" text);
SELECT * FROM pyq_eval(NULL, NULL::fixed.pyq_json, 'fixed_frame');

DROP SCHEMA fixed CASCADE;
DROP TABLE fixed_input;
SELECT pyq_script_drop(s) FROM unnest(ARRAY['fixed_frame', 'fixed_count', 'fixed_plot']) AS s;

-- oml_epe.output_limit, in the backend, in an engine and below groups.
SELECT pyq_script_create('count_up', 'def count_up(n): return list(range(n))');
SELECT pyq_script_create('itself', 'def itself(dat): return dat');
SET oml_epe.output_limit = 3;
SELECT value FROM pyq_eval('{"n": 3}', 'JSON', 'count_up') AS t(name text, value text);
SELECT value FROM pyq_eval('{"n": 4}', 'JSON', 'count_up') AS t(name text, value text);
SELECT value FROM pyq_eval('{"n": 4}', 'XML', 'count_up') AS t(name text, value text);
SELECT * FROM pyq_eval('{"n": 4}', NULL::pyq_png, 'count_up');
SELECT value FROM pyq_row_eval('SELECT * FROM generate_series(1, 6) AS x', '{}', NULL::pyq_json, 3, 'itself');
SELECT value FROM pyq_row_eval('SELECT * FROM generate_series(1, 6) AS x', '{}', NULL::pyq_json, 4, 'itself');
SET oml_epe.engine = 'process';
SELECT value FROM pyq_eval('{"n": 4}', 'JSON', 'count_up') AS t(name text, value text);
RESET oml_epe.engine;
-- It is about rendered results only.
SELECT count(*) FROM pyq_eval('{"n": 4}', NULL::int, 'count_up');
RESET oml_epe.output_limit;

-- oml_epe.output_bytes, of all calls together, and oml_epe.output_piece.
SET oml_epe.output_bytes = 8;
SELECT value FROM pyq_eval('{"n": 3}', 'JSON', 'count_up') AS t(name text, value text);
SELECT value FROM pyq_eval('{"n": 4}', 'JSON', 'count_up') AS t(name text, value text);
SELECT value FROM pyq_eval('{"n": 4}', 'XML', 'count_up') AS t(name text, value text);
SELECT * FROM pyq_eval('{"n": 4, "oml_graphics_flag": "always"}', NULL::pyq_png, 'count_up');
SELECT value FROM pyq_row_eval('SELECT 10 AS x FROM generate_series(1, 2)', '{}', NULL::pyq_json, 1, 'itself');
SELECT count(*) FROM pyq_eval('{"n": 400}', NULL::int, 'count_up');
-- Of typed results each row.
SELECT pyq_script_create('texts', 'import pandas as pd
def texts(n, size): return pd.DataFrame({"t": ["x" * size] * n, "a": [["y" * size]] * n})');
SET oml_epe.output_bytes = 2000;
SELECT count(*) FROM pyq_eval('{"n": 500, "size": 900}', '{"t": "text", "a": "text[]"}', 'texts') AS x(t text, a text[]);
SELECT count(*) FROM pyq_eval('{"n": 500, "size": 1000}', '{"t": "text", "a": "text[]"}', 'texts') AS x(t text, a text[]);
SELECT count(*) FROM pyq_eval('{"n": 500, "size": 1000}', '{"t": "text"}', 'texts') AS x(t text);
SELECT pyq_script_drop('texts');
-- Errors quote no more than can be read.
SELECT pyq_script_create('nothing', 'def nothing(dat): pass');
DO $$ BEGIN
    PERFORM * FROM pyq_table_eval('SELECT repeat(''x'', 1000000)::int AS a', NULL, NULL::pyq_json, 'nothing');
EXCEPTION WHEN invalid_text_representation THEN RAISE NOTICE '%', length(SQLERRM);
END $$;
SELECT pyq_script_drop('nothing');
RESET oml_epe.output_bytes;
SET oml_epe.output_piece = 4;
SELECT * FROM pyq_eval('{"n": 4}', 'JSON', 'count_up') AS t(name text, value text);
RESET oml_epe.output_piece;
SELECT pyq_script_drop('count_up');
SELECT pyq_script_drop('itself');
