-- OUT_FMT as a map of column names and types.

SELECT pyq_script_create('map_frame', $$
def map_frame():
    import pandas as pd
    return pd.DataFrame({"NAME": ["Abbott", "Branford"], "DIFF": [3, -5], "SCORE": [90.25, 92.5],
                         "Final Grade": [87, 97]})
$$);

-- a part of the columns, varchar2(7) cuts (compatibility.md, SQL-26 and SQL-27)
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar2(7)","DIFF":"number"}', 'map_frame')
    AS t("NAME" varchar(7), "DIFF" numeric);
-- the AS list in another order and case, with other types: first to the map's, then to these
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar2(3)","SCORE":"number(5,1)"}', 'map_frame')
    AS t(score text, name text);
SELECT * FROM pyq_eval(NULL, '{"SCORE":"int","Final Grade":"binary_double"}', 'map_frame')
    AS t("Final Grade" numeric, "SCORE" float8);
-- the second step is an assignment: too long is an error, and so is a cast that is explicit only
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar(8)"}', 'map_frame') AS t(name varchar(7));
SELECT * FROM pyq_eval(NULL, '{"NAME":"text"}', 'map_frame') AS t(name int);

-- Oracle's type names beside PostgreSQL's
SELECT pyq_script_create('map_types', $$
def map_types():
    import datetime
    return [(1.5, 2.25, 3, "clob", b"\x01\x02", datetime.datetime(2024, 5, 6, 7, 8, 9), "x", [1, 2])]
$$);
SELECT * FROM pyq_eval(NULL,
    '{"a":"NUMBER","b":"binary_float","c":"NUMBER(10)","d":"CLOB","e":"BLOB","f":"TIMESTAMP","g":"char(3)","h":"int[]"}',
    'map_types')
    AS t(a numeric, b real, c numeric, d text, e bytea, f timestamp, g char(3), h int[]);

-- names of the AS list must match the map
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar2(7)","DIFF":"number"}', 'map_frame')
    AS t(name text, score int);
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar2(7)","Diff":"number(9,2)"}', 'map_frame')
    AS t(name text);
SELECT * FROM pyq_eval(NULL, '{"NAME":"text"}', 'map_frame') AS t(name text, score int);
SELECT * FROM pyq_eval(NULL, '{"a":"int","A":"int"}', 'map_frame') AS t(a int, b int);

-- bad maps
SELECT * FROM pyq_eval(NULL, '{"NAME":"nosuchtype"}', 'map_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar("}', 'map_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '{"NAME":"varchar(0)"}', 'map_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '{"NAME":"anyelement"}', 'map_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '{"NAME":1}', 'map_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '{}', 'map_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '{"NAME":', 'map_frame') AS t(name text);
-- the frame lacks a column of the map
SELECT * FROM pyq_eval(NULL, '{"NAME":"text","nosuch":"int"}', 'map_frame')
    AS t(name text, nosuch int);

-- named notation, and the folded names of schema pyqsys
SELECT * FROM pyqsys.pyqEval(par_lst => NULL, out_fmt => '{"DIFF":"int"}', scr_name => 'map_frame')
    AS t("DIFF" int);
-- a map kept in a variable
PREPARE by_map(text) AS SELECT * FROM pyq_eval(NULL, $1, 'map_frame') AS t("DIFF" int);
EXECUTE by_map('{"DIFF":"int"}');
EXECUTE by_map('{"DIFF":"numeric(3,1)"}');
EXECUTE by_map(NULL);
DEALLOCATE by_map;

SELECT pyq_script_drop(s) FROM unnest(ARRAY['map_frame', 'map_types']) AS s;
