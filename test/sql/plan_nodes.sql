-- Calls in FROM as plan nodes (oml_epe.plan_nodes).
SET oml_epe.plan_nodes = on;
SELECT pyq_script_create('nodes_rows', $$
import pandas as pd

def rows(n=3):
    print(f"called for {n}")
    return pd.DataFrame({"a": range(n), "b": [f"text {i}" for i in range(n)]})
$$);
SELECT pyq_script_create('nodes_count', $$
import pandas as pd

def count(data):
    return pd.DataFrame({"n": [len(data)]})
$$);
SELECT pyq_script_create('nodes_pieces', $$
import pandas as pd

def pieces(n=3):
    try:
        for i in range(n):
            print(f"piece {i}")
            yield pd.DataFrame({"a": [i]})
    finally:
        print("closed")
$$);
CREATE TABLE nodes_input AS SELECT i % 4 AS g, i AS x FROM generate_series(1, 100) AS i;
ANALYZE nodes_input;

-- What is planned, and what EXPLAIN shows. No script runs.
EXPLAIN (COSTS OFF) SELECT * FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) WHERE a > 0;
EXPLAIN (VERBOSE, COSTS OFF)
    SELECT b FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) WHERE a > 0;
EXPLAIN (COSTS OFF)
    SELECT * FROM pyq_table_eval('select x from nodes_input', '{"oml_input_type": "pandas"}', 'JSON', 'nodes_count')
    AS t(name text, value text);
EXPLAIN SELECT * FROM pyq_row_eval('nodes_input', NULL, '{"n": "int"}', 10, 'nodes_count') AS t(n int);
EXPLAIN SELECT * FROM pyq_group_eval('nodes_input', NULL, '{"n": "int"}', 'g', 'x DESC NULLS LAST', 'nodes_count')
    AS t(n int);
EXPLAIN SELECT * FROM pyq_group_eval('nodes_input', NULL, 'JSON', 'g', NULL, 'nodes_count')
    AS t(name text, value text);
EXPLAIN SELECT * FROM pyq_index_eval('{"oml_parallel": 3}', '{"a": "int", "b": "text"}', 7, 'nodes_rows')
    AS t(a int, b text);
EXPLAIN (COSTS OFF) SELECT * FROM pyq_eval(NULL, NULL::nodes_input, 'no_such_script');
EXPLAIN (COSTS OFF)
    SELECT t.a FROM nodes_input AS i, LATERAL pyq_eval(json_build_object('n', i.g), NULL, 'nodes_rows')
        AS t(a int, b text);
EXPLAIN (COSTS OFF) SELECT * FROM pyqsys.pyqEval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text);

-- A relation without rows stays one.
EXPLAIN (COSTS OFF) SELECT * FROM nodes_input AS i
    LEFT JOIN pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) ON false;

-- These are Function Scans and result lists as before.
EXPLAIN (COSTS OFF) SELECT * FROM pyq_eval(NULL, NULL::pyq_json, 'nodes_rows') WITH ORDINALITY;
EXPLAIN (COSTS OFF)
    SELECT * FROM ROWS FROM (pyq_eval(NULL, NULL::pyq_json, 'nodes_rows'), generate_series(1, 3));
EXPLAIN (COSTS OFF) SELECT pyq_eval(NULL, NULL::pyq_json, 'nodes_rows');
SET oml_epe.plan_nodes = off;
EXPLAIN (COSTS OFF) SELECT * FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text);
SELECT * FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text);
SET oml_epe.plan_nodes = on;

-- Rows: projections, filters, whole rows, dropped columns, domains, submissions.
SELECT a + 1 AS next, b FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) WHERE a < 1;
SELECT t, row_to_json(t), t.* FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text);
SELECT count(*), count(t) FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text);
CREATE TABLE nodes_row(a int, gone int, b text);
ALTER TABLE nodes_row DROP COLUMN gone;
CREATE DOMAIN nodes_domain AS nodes_row CHECK ((VALUE).a < 2);
SELECT t, to_json(t), b FROM pyq_eval('{"n": 2}', NULL::nodes_row, 'nodes_rows') AS t;
SELECT t, a FROM pyq_eval('{"n": 2}', NULL::nodes_domain, 'nodes_rows') AS t;
SELECT t FROM pyq_eval('{"n": 3}', NULL::nodes_domain, 'nodes_rows') AS t;
SELECT upper(value) LIKE '/OML/%JOBS/%' AS is_submitted
    FROM pyq_eval('{"oml_async_flag": true}', NULL::pyq_json, 'nodes_rows');
SELECT a::int FROM pyq_eval('{"n": 2}', '{"a": "int", "b": "bool"}', 'nodes_rows') AS t(a int, b bool);

-- One call, however often its rows are asked for; a call for each change of the arguments.
SET enable_material = off;
SET enable_hashjoin = off;
SET enable_mergejoin = off;
EXPLAIN (COSTS OFF) SELECT g, a FROM generate_series(1, 3) AS g
    LEFT JOIN pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) ON g > a;
SELECT g, a FROM generate_series(1, 3) AS g
    LEFT JOIN pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) ON g > a;
SELECT g, a FROM generate_series(1, 2) AS g,
    LATERAL pyq_eval(json_build_object('n', g), NULL, 'nodes_rows') AS t(a int, b text);
SELECT g, h, a FROM generate_series(1, 2) AS g, LATERAL (
    SELECT h, a FROM generate_series(1, 2) AS h
        LEFT JOIN pyq_eval(json_build_object('n', g), NULL, 'nodes_rows') AS t(a int, b text) ON h > a) AS u;
SELECT g, (SELECT max(a) FROM pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) WHERE a < g)
    FROM generate_series(1, 3) AS g;
WITH RECURSIVE r(i) AS (
    SELECT 0 UNION ALL
    SELECT i + 1 FROM r, pyq_eval('{"n": 2}', NULL, 'nodes_rows') AS t(a int, b text) WHERE a = 0 AND i < 3)
    SELECT * FROM r;
RESET enable_material;
RESET enable_hashjoin;
RESET enable_mergejoin;

-- Arguments that are known only when the call runs.
SELECT i.name, t.n FROM (SELECT name FROM (VALUES ('nodes_input')) AS v(name) OFFSET 0) AS i,
    LATERAL pyq_row_eval(i.name, NULL, NULL, 60, 'nodes_count') AS t(n int);
SELECT t.n FROM pyq_group_eval(NULL, NULL, NULL, 'g', NULL, 'nodes_count') AS t(n int);
SELECT t.n FROM pyq_group_eval('nodes_input', NULL, NULL, 'no_column', NULL, 'nodes_count') AS t(n int);
PREPARE nodes_input_query(text) AS SELECT sum(n) FROM pyq_row_eval($1, NULL, NULL, 60, 'nodes_count') AS t(n int);
SET plan_cache_mode = force_generic_plan;
EXECUTE nodes_input_query('nodes_input');
EXECUTE nodes_input_query('SELECT * FROM nodes_input LIMIT 5');
RESET plan_cache_mode;

-- The script stops when nothing more is read.
SELECT * FROM pyq_eval('{"n": 5}', NULL, 'nodes_pieces') AS t(a int) LIMIT 2;
SELECT EXISTS (SELECT FROM pyq_eval('{"n": 5}', NULL, 'nodes_pieces') AS t(a int));
SELECT g, (SELECT a FROM pyq_eval(json_build_object('n', g), NULL, 'nodes_pieces') AS t(a int) LIMIT 1)
    FROM generate_series(1, 2) AS g;

-- Cursors.
BEGIN;
DECLARE c CURSOR FOR SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int);
FETCH 1 FROM c;
SELECT * FROM pyq_eval('{"n": 1}', NULL, 'nodes_pieces') AS t(a int);
FETCH 1 FROM c;
CLOSE c;
DECLARE s SCROLL CURSOR FOR SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int);
FETCH 2 FROM s;
FETCH PRIOR FROM s;
FETCH LAST FROM s;
FETCH FIRST FROM s;
CLOSE s;
DECLARE h CURSOR WITH HOLD FOR SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int);
FETCH 1 FROM h;
COMMIT;
FETCH 5 FROM h;
CLOSE h;
BEGIN;
DECLARE e CURSOR FOR SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int);
FETCH 1 FROM e;
SELECT 1 / 0;
ROLLBACK;

-- Loops of PL/pgSQL: subtransactions between two rows, and commits.
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int) LOOP
        BEGIN
            IF r.a = 1 THEN RAISE EXCEPTION 'row %', r.a; END IF;
            RAISE NOTICE 'row %', r.a;
        EXCEPTION WHEN raise_exception THEN
            RAISE NOTICE 'failed: %', SQLERRM;
        END;
    END LOOP;
END
$$;
DO $$
DECLARE
    r record;
BEGIN
    FOR r IN SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int) LOOP
        RAISE NOTICE 'row %', r.a;
        COMMIT;
    END LOOP;
END
$$;
DO $$
BEGIN
    PERFORM a / (a - 1) FROM pyq_eval('{"n": 5}', NULL, 'nodes_pieces') AS t(a int);
EXCEPTION WHEN division_by_zero THEN
    RAISE NOTICE 'caught';
END
$$;

-- Privileges and statistics are those of a function.
CREATE ROLE nodes_user;
REVOKE EXECUTE ON FUNCTION pyq_eval(text, text, text, text, text) FROM PUBLIC;
SET ROLE nodes_user;
SELECT * FROM pyq_eval(NULL, NULL, 'nodes_rows') AS t(a int, b text);
EXPLAIN SELECT * FROM pyq_eval(NULL, NULL, 'nodes_rows') AS t(a int, b text);
RESET ROLE;
GRANT EXECUTE ON FUNCTION pyq_eval(text, text, text, text, text) TO PUBLIC;
BEGIN;
SET LOCAL track_functions = 'all';
SELECT * FROM pyq_eval('{"n": 3}', NULL, 'nodes_pieces') AS t(a int);
SELECT funcname, calls FROM pg_stat_xact_user_functions WHERE funcname = 'pyq_eval';
COMMIT;

-- A prepared statement survives a change of the functions and of the row type.
PREPARE nodes_query AS SELECT * FROM pyq_eval('{"n": 1}', NULL::nodes_row, 'nodes_rows');
EXECUTE nodes_query;
CREATE OR REPLACE FUNCTION nodes_caller(n int) RETURNS SETOF nodes_row LANGUAGE sql AS $$
    SELECT * FROM pyq_eval(json_build_object('n', n), NULL::nodes_row, 'nodes_rows')
$$;
SELECT * FROM nodes_caller(2);
ALTER TABLE nodes_row ADD COLUMN c int;
EXECUTE nodes_query;

DROP FUNCTION nodes_caller;
DROP DOMAIN nodes_domain;
DROP TABLE nodes_row, nodes_input;
DROP ROLE nodes_user;
SELECT pyq_script_drop(name) FROM (VALUES ('nodes_rows'), ('nodes_count'), ('nodes_pieces')) AS s(name);
