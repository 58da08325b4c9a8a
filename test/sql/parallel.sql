-- Scripts and parallel plans: a statement that calls an eval function has none, as scripts may write.
CREATE TABLE parallel_numbers AS SELECT i AS id FROM generate_series(1, 20000) AS i;
ANALYZE parallel_numbers;
SELECT pyq_script_create('parallel_count', $$
def parallel_count(n):
    import oml
    return oml.cursor().execute("SELECT count(*) FROM parallel_numbers WHERE id <= $1", (n,)).fetchone()[0]
$$);
SELECT pyq_script_create('parallel_write', $$
def parallel_write():
    import oml
    oml.cursor().execute("INSERT INTO parallel_numbers VALUES (0)")
    return 1
$$);
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET max_parallel_workers_per_gather = 2;

SET oml_epe.plan_nodes = on;
EXPLAIN (COSTS OFF)
SELECT n.id, e FROM parallel_numbers AS n, pyq_eval('{"n": 7}', NULL::int, 'parallel_count') AS e
WHERE n.id % 10000 = 0;
SELECT n.id, e FROM parallel_numbers AS n, pyq_eval('{"n": 7}', NULL::int, 'parallel_count') AS e
WHERE n.id % 10000 = 0 ORDER BY n.id;
SELECT n.id, e FROM parallel_numbers AS n, pyq_eval('{}', NULL::int, 'parallel_write') AS e
WHERE n.id % 10000 = 0 ORDER BY n.id;
-- A wrapper that promises not to write is run by the leader.
CREATE FUNCTION parallel_reader(n int) RETURNS SETOF int LANGUAGE sql PARALLEL RESTRICTED AS
    $$SELECT * FROM pyq_eval(jsonb_build_object('n', n), NULL::int, 'parallel_count')$$;
CREATE FUNCTION parallel_writer() RETURNS SETOF int LANGUAGE sql PARALLEL RESTRICTED AS
    $$SELECT * FROM pyq_eval('{}', NULL::int, 'parallel_write')$$;
EXPLAIN (COSTS OFF)
SELECT n.id, e FROM parallel_numbers AS n, parallel_reader(7) AS e WHERE n.id % 10000 = 0;
SELECT n.id, e FROM parallel_numbers AS n, parallel_reader(7) AS e WHERE n.id % 10000 = 0
ORDER BY n.id, e;
-- Up to PostgreSQL 16 Python cannot catch it. The context has a traceback then, or none.
\set SHOW_CONTEXT never
SELECT n.id FROM parallel_numbers AS n, parallel_writer() AS e WHERE n.id % 10000 = 0;
\set SHOW_CONTEXT errors
-- A whole input is planned for itself and may be scanned in parallel.
SELECT pyq_script_create('parallel_sum', 'def parallel_sum(a): return float(a.sum())');
SELECT * FROM pyq_table_eval('SELECT id FROM parallel_numbers WHERE id % 3 = 0', NULL, NULL::float8,
                             'parallel_sum');
SELECT sum(id) FROM parallel_numbers WHERE id % 3 = 0;

RESET ALL;
DROP FUNCTION parallel_reader, parallel_writer;
DROP TABLE parallel_numbers;
SELECT pyq_script_drop('parallel_count'), pyq_script_drop('parallel_write'),
       pyq_script_drop('parallel_sum');
