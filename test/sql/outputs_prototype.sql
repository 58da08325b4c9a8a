-- OUT_FMT as the name of a table, view or composite type whose columns are the result's.

CREATE SCHEMA proto;
CREATE TABLE proto.grades (name varchar(5), dropped int, diff numeric(4, 1));
ALTER TABLE proto.grades DROP COLUMN dropped;
CREATE VIEW proto."Grade View" AS SELECT name, diff FROM proto.grades;
CREATE TYPE proto.pair AS (diff int, name text);
CREATE SEQUENCE proto.numbers;
CREATE INDEX grades_index ON proto.grades (name);
SET search_path = public, proto;

SELECT pyq_script_create('proto_frame', $$
def proto_frame():
    import pandas as pd
    return pd.DataFrame({"name": ["Abbott", "Hart"], "diff": [3.25, None], "more": [1, 2]})
$$);
SELECT pyq_script_create('proto_tuples', $$
def proto_tuples():
    return [("Abbott", 3.25), ("Hart", None)]
$$);

SELECT * FROM pyq_eval(NULL, 'grades', 'proto_frame') AS t(name text, diff numeric);
SELECT * FROM pyq_eval(NULL, 'proto.grades', 'proto_frame') AS t(diff text, name text);
SELECT * FROM pyq_eval(NULL, 'PROTO.Grades', 'proto_frame') AS t(name text, diff numeric);
SELECT * FROM pyq_eval(NULL, '"Grade View"', 'proto_frame') AS t(name text, diff numeric);
SELECT * FROM pyq_eval(NULL, 'proto."Grade View"', 'proto_frame') AS t(name text, diff numeric);
SELECT * FROM pyq_eval(NULL, 'grade view', 'proto_frame') AS t(name text, diff numeric);
SELECT * FROM pyq_eval(NULL, 'pair', 'proto_frame') AS t(name text, diff int);
-- tuples go by the order of the prototype, not of the AS list
SELECT * FROM pyq_eval(NULL, 'grades', 'proto_tuples') AS t(diff numeric, name text);

-- the AS list must name the same columns
SELECT * FROM pyq_eval(NULL, 'grades', 'proto_frame') AS t(name text, other numeric);
-- no such thing
SELECT * FROM pyq_eval(NULL, 'nosuch', 'proto_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, 'nosuch.grades', 'proto_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, '"Grades"', 'proto_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, 'grades_index', 'proto_frame') AS t(name text);
SELECT * FROM pyq_eval(NULL, 'a.b.c.d', 'proto_frame') AS t(name text);

-- a prototype must be readable for the caller
CREATE ROLE regress_proto_user;
GRANT USAGE ON SCHEMA proto TO regress_proto_user;
GRANT SELECT ON proto."Grade View" TO regress_proto_user;
SELECT pyq_grant('proto_frame', 'pyqscript');
SELECT current_user AS script_owner \gset
SET ROLE regress_proto_user;
SELECT * FROM pyq_eval(NULL, 'grades', 'proto_frame', :'script_owner') AS t(name text, diff numeric);
SELECT * FROM pyq_eval(NULL, '"Grade View"', 'proto_frame', :'script_owner')
    AS t(name text, diff numeric);
RESET ROLE;

SELECT pyq_script_drop(s) FROM unnest(ARRAY['proto_frame', 'proto_tuples']) AS s;
RESET search_path;
DROP SCHEMA proto CASCADE;
DROP ROLE regress_proto_user;
