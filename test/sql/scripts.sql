-- Creating, replacing and dropping scripts; names; visibility of changes in a session.
CREATE ROLE regress_epe_writer IN ROLE pyqadmin;
SET ROLE regress_epe_writer;

SELECT pyq_script_create('first', 'def first(): return 1');
SELECT name, script FROM user_pyq_scripts;
SELECT * FROM all_pyq_scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'first');

-- a name is taken once
SELECT pyq_script_create('first', 'def first(): return 2');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_create('first', 'def first(): return 2', false, NULL);
SELECT pyq_script_create('first', 'def first(): return 2', v_overwrite => true);
SELECT * FROM pyq_eval(NULL, NULL::int, 'first');

-- dropping
SELECT pyq_script_drop('first');
SELECT pyq_script_drop('first');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_drop('first', v_silent => true);
SELECT pyq_script_drop('first', NULL, NULL);
SELECT * FROM pyq_eval(NULL, NULL::int, 'first');
\echo :LAST_ERROR_SQLSTATE

-- private and global scripts of one name (compatibility.md, SQL-65)
SELECT pyq_script_create('both', 'def both(): return 1');
SELECT pyq_script_create(v_name => 'both', v_script => 'def both(): return 2',
                         v_global => true, v_overwrite => true);
SELECT pyq_script_create('both', 'def both(): return 2', true);
SELECT * FROM all_pyq_scripts ORDER BY owner;
SELECT * FROM user_pyq_scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'both');
SELECT * FROM pyq_eval(NULL, NULL::int, 'both', 'PyqSys');
SELECT * FROM pyq_eval(NULL, NULL::int, 'both', 'regress_epe_writer');
SELECT pyq_script_drop('both');
SELECT * FROM pyq_eval(NULL, NULL::int, 'both');
SELECT * FROM pyq_eval(NULL, NULL::int, 'both', 'regress_epe_writer');
SELECT pyq_script_drop('both');
SELECT pyq_script_drop('both', true);
SELECT pyq_script_drop('both', true);
SELECT pyq_script_drop('both', true, true);
SELECT count(*) FROM all_pyq_scripts;

-- a script is compiled when it is created
SELECT pyq_script_create('broken', E'def broken(x):\n    return x +\n');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_create('broken', E'def broken(x):\n  return 1\n   return 2\n');
SELECT pyq_script_create('broken', 'x = 1');
SELECT pyq_script_create('broken', E'\n  \n');
SELECT pyq_script_create('broken', '');
SELECT pyq_script_create('lambda', 'func = lambda: 7');
SELECT * FROM pyq_eval(NULL, NULL::int, 'lambda');
-- but not run: this one would fail
SELECT pyq_script_create('late', E'import nowhere\ndef late(): return 1');
SELECT pyq_script_drop('lambda'), pyq_script_drop('late');

-- arguments
SELECT pyq_script_create(NULL, 'def f(): return 1');
\echo :LAST_ERROR_SQLSTATE
SELECT pyq_script_create('f', NULL);
SELECT pyq_script_drop(NULL);
SELECT pyq_script_create('', 'def f(): return 1');
SELECT pyq_script_create(repeat('é', 129), 'def f(): return 1');
\echo :LAST_ERROR_SQLSTATE

-- names are any 1 to 128 characters, case-sensitive
SELECT pyq_script_create(name, format('def f(): return %s', number))
FROM unnest(ARRAY[repeat('é', 128), 'It''s', 'say "x"', ' ', 'a.b', E'line\nbreak', E'back\\slash',
                  '分析', 'CASE', 'case']) WITH ORDINALITY AS t(name, number);
SELECT CASE WHEN length(s.name) = 128 THEN '128 characters' ELSE s.name END AS name, e.result
FROM user_pyq_scripts AS s, pyq_eval(NULL, NULL::int, s.name) AS e(result) ORDER BY e.result;
SELECT * FROM pyq_eval(NULL, NULL::int, 'A.B');
SELECT * FROM pyq_eval(NULL, NULL::int, 'Case ');
SELECT count(pyq_script_drop(name)) FROM user_pyq_scripts;
SELECT count(*) FROM user_pyq_scripts;

-- changes that are not committed, and that never are
BEGIN;
SELECT pyq_script_create('mine', 'def mine(): return 1');
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
SAVEPOINT here;
SELECT pyq_script_create('mine', 'def mine(): return 2', v_overwrite => true);
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
ROLLBACK TO here;
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
SELECT pyq_script_drop('mine');
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
ROLLBACK;
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');

-- changes by direct SQL are noticed
SELECT pyq_script_create('mine', 'def mine(): return 1');
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine');
RESET ROLE;
UPDATE pyqsys.scripts SET script = 'def mine(): return 3' WHERE name = 'mine';
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine', 'regress_epe_writer');
SELECT updated >= created AS is_dated FROM pyqsys.scripts;
SELECT pyq_grant('mine', 'pyqscript') FROM pyq_script_create('mine', 'def mine(): return 5');
TRUNCATE pyqsys.scripts;
SELECT * FROM pyq_eval(NULL, NULL::int, 'mine', 'regress_epe_writer');
SELECT count(*) FROM pyqsys.script_grants;
SET ROLE regress_epe_writer;

-- one statement that changes and runs
DO $$
DECLARE
    result int;
    total int := 0;
BEGIN
    FOR i IN 1..20 LOOP
        PERFORM pyq_script_create('loop', format('def loop(): return %s', i), v_overwrite => true);
        SELECT * INTO result FROM pyq_eval(NULL, NULL::int, 'loop');
        total := total + result;
    END LOOP;
    RAISE NOTICE 'total %', total;
END
$$;
SELECT pyq_script_drop('loop');

-- a script that is replaced, and dropped, while it runs continues unchanged
SELECT pyq_script_create('busy', 'def busy(chunk): return 1');
SELECT * FROM pyq_row_eval(
    $$SELECT i, CASE i
        WHEN 2 THEN pyq_script_create('busy', 'def busy(chunk): return 2', v_overwrite => true)::text
        WHEN 3 THEN (SELECT sum(n)::text FROM pyq_row_eval('SELECT 1', NULL, NULL::int, 1, 'busy') AS n)
        WHEN 4 THEN pyq_script_drop('busy')::text END
      FROM generate_series(1, 5) AS i$$,
    NULL, NULL::int, 1, 'busy');
SELECT * FROM user_pyq_scripts;

-- writing needs a transaction that may write
BEGIN READ ONLY;
SELECT pyq_script_create('mine', 'def mine(): return 1');
ROLLBACK;

-- the functions under Oracle's names
SELECT pyqsys.pyqScriptCreate('folded', 'def folded(n): return n + 1', FALSE, FALSE);
SELECT * FROM pyqsys.pyqEval('{"n": 1}', NULL::int, 'folded');
SELECT pyqsys.pyqScriptDrop('folded', FALSE, TRUE);

RESET ROLE;
DROP ROLE regress_epe_writer;
