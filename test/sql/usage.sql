-- Where the eval functions may be used, and the role they run as.

CREATE TABLE usage_grade (name text, section text, score int);
INSERT INTO usage_grade VALUES
    ('Abbott', 'A', 90), ('Branford', 'A', 92), ('Crandell', 'B', 81), ('Dennison', 'A', 85),
    ('Edgar', 'B', 89);
SELECT pyq_script_create('usage_rank', $$
def usage_rank(data):
    data["place"] = data["score"].rank(ascending=False).astype(int)
    return data
$$);
SELECT pyq_script_create('usage_square', $$
def usage_square(x=3, rows=1):
    return [(x * x,)] * rows
$$);
SELECT pyq_script_create('usage_fail', $$
def usage_fail(message="as asked"):
    raise ValueError(message)
$$);

-- common table expressions, joins, aggregates
WITH ranked AS (
    SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank')
        AS t(name text, place int))
SELECT g.section, min(r.place) AS best FROM ranked AS r JOIN usage_grade AS g USING (name)
GROUP BY g.section ORDER BY g.section;

-- a query as input
SELECT * FROM pyq_table_eval('SELECT name, score FROM usage_grade WHERE section = ''B''', NULL, NULL,
                             'usage_rank') AS t(name text, place int) ORDER BY place;

-- LATERAL: arguments from other rows; LEFT JOIN; WITH ORDINALITY; ROWS FROM
SELECT i, t.sq FROM generate_series(1, 3) AS i,
    LATERAL pyq_eval(jsonb_build_object('x', i), NULL, 'usage_square') AS t(sq int);
SELECT i, t.sq FROM generate_series(0, 2) AS i
    LEFT JOIN LATERAL pyq_eval(jsonb_build_object('rows', i), NULL::int, 'usage_square') AS t(sq) ON true;
SELECT * FROM pyq_eval('{"rows": 2}', NULL::int, 'usage_square') WITH ORDINALITY AS t(sq, n);
SELECT * FROM ROWS FROM (
    pyq_eval('{"rows": 2}', NULL, 'usage_square') AS (a int),
    pyq_eval(NULL, NULL::int, 'usage_square'),
    generate_series(1, 3)) AS t(a, b, c);
SELECT g, pyq_eval(jsonb_build_object('x', g), NULL::int, 'usage_square') FROM generate_series(1, 3) AS g;

-- LIMIT, EXISTS, scalar subqueries, VALUES
SELECT * FROM pyq_eval('{"rows": 1000}', NULL::int, 'usage_square') LIMIT 2;
SELECT EXISTS (SELECT FROM pyq_eval('{"rows": 0}', NULL::int, 'usage_square'));
SELECT (SELECT * FROM pyq_eval('{"x": 5}', NULL::int, 'usage_square')) + 1 AS sum;

-- INSERT ... SELECT, CREATE TABLE AS, views
CREATE TABLE usage_ranks AS
    SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank') AS t(name text, place int);
INSERT INTO usage_ranks
    SELECT 'again ' || name, place
    FROM pyq_table_eval('usage_grade', NULL, '{"name": "varchar(3)", "place": "int"}', 'usage_rank')
        AS t(name text, place int);
INSERT INTO usage_ranks SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL::usage_ranks, 'usage_rank')
    WHERE place > 4 RETURNING *;
SELECT * FROM usage_ranks;
CREATE VIEW usage_view AS
    SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank') AS t(name text, place int);
SELECT name FROM usage_view WHERE place = 1;
UPDATE usage_grade SET score = 99 WHERE name = 'Edgar';
SELECT name FROM usage_view WHERE place = 1;

-- the call sees changes of its own transaction
BEGIN;
INSERT INTO usage_grade VALUES ('Faust', 'C', 100);
SELECT name FROM usage_view WHERE place = 1;
ROLLBACK;

-- prepared statements
PREPARE usage_square(int) AS
    SELECT * FROM pyq_eval(jsonb_build_object('x', $1), NULL, 'usage_square') AS t(sq int);
EXECUTE usage_square(2);
EXECUTE usage_square(3);
SET plan_cache_mode = force_generic_plan;
EXECUTE usage_square(4);
RESET plan_cache_mode;
DEALLOCATE usage_square;

-- cursors, forwards and backwards
BEGIN;
DECLARE usage_cursor SCROLL CURSOR FOR
    SELECT * FROM pyq_eval('{"rows": 3}', NULL::int, 'usage_square') WITH ORDINALITY AS t(sq, n);
FETCH 2 FROM usage_cursor;
FETCH BACKWARD 1 FROM usage_cursor;
FETCH LAST FROM usage_cursor;
COMMIT;

-- plpgsql: loops, RETURN QUERY, EXECUTE, EXCEPTION
DO $$
DECLARE
    item record;
    caught text;
BEGIN
    FOR item IN SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank')
                AS t(name text, place int) ORDER BY place LIMIT 2 LOOP
        RAISE NOTICE '% %', item.place, item.name;
    END LOOP;
    FOR i IN 1..3 LOOP
        BEGIN
            PERFORM * FROM pyq_eval(NULL, NULL::int, 'usage_fail');
        EXCEPTION WHEN external_routine_exception THEN
            GET STACKED DIAGNOSTICS caught = MESSAGE_TEXT;
            RAISE NOTICE 'caught: %', caught;
        END;
        BEGIN
            PERFORM * FROM pyq_eval('{"x": 1000000}', NULL::int, 'usage_square');
        EXCEPTION WHEN numeric_value_out_of_range THEN
            GET STACKED DIAGNOSTICS caught = PG_EXCEPTION_CONTEXT;
            RAISE NOTICE 'caught: %', split_part(caught, E'\n', 1);
        END;
        PERFORM * FROM pyq_eval(NULL, NULL::int, 'usage_square');
    END LOOP;
END
$$;
CREATE FUNCTION usage_best(n int) RETURNS TABLE (name text, place int) LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE 'SELECT * FROM usage_view ORDER BY place LIMIT $1' USING n;
END
$$;
SELECT * FROM usage_best(2);

-- savepoints
BEGIN;
SAVEPOINT before;
SELECT * FROM pyq_eval(NULL, NULL::int, 'usage_fail');
ROLLBACK TO before;
SELECT * FROM pyq_eval(NULL, NULL::int, 'usage_square');
COMMIT;

-- read-only transactions
BEGIN READ ONLY;
SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank') AS t(name text, place int)
    ORDER BY place LIMIT 1;
COMMIT;

-- privileges: of the caller, of the definer in a SECURITY DEFINER function; row security
CREATE ROLE regress_usage_user;
SELECT pyq_grant('usage_rank', 'pyqscript', 'regress_usage_user');
SELECT current_user AS script_owner \gset
SET ROLE regress_usage_user;
SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank', :'script_owner')
    AS t(name text, place int);
RESET ROLE;
CREATE FUNCTION usage_definer() RETURNS SETOF usage_ranks LANGUAGE sql SECURITY DEFINER AS $$
    SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL::usage_ranks, 'usage_rank') AS t
$$;
SET ROLE regress_usage_user;
SELECT count(*) FROM usage_definer();
RESET ROLE;
GRANT SELECT ON usage_grade TO regress_usage_user;
ALTER TABLE usage_grade ENABLE ROW LEVEL SECURITY;
CREATE POLICY only_b ON usage_grade FOR SELECT TO regress_usage_user USING (section = 'B');
SET ROLE regress_usage_user;
SELECT * FROM pyq_table_eval('usage_grade', NULL, NULL, 'usage_rank', :'script_owner')
    AS t(name text, place int) ORDER BY place;
RESET ROLE;
SELECT count(*) FROM usage_definer();

-- a million calls are too many for here: some hundreds, in one statement
SELECT count(*), sum(sq) FROM generate_series(1, 500) AS i,
    LATERAL pyq_eval(jsonb_build_object('x', i), NULL::int, 'usage_square') AS sq;

DROP FUNCTION usage_best(int), usage_definer();
DROP VIEW usage_view;
DROP TABLE usage_grade, usage_ranks;
DROP ROLE regress_usage_user;
SELECT pyq_script_drop(s) FROM unnest(ARRAY['usage_rank', 'usage_square', 'usage_fail']) AS s;
