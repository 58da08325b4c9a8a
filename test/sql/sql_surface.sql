-- The SQL objects of the extension as a whole.

CREATE TEMP VIEW member AS
    SELECT d.classid, d.objid
    FROM pg_depend AS d
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
        AND d.refobjid = (SELECT oid FROM pg_extension WHERE extname = 'oml_epe');

-- functions
\pset format unaligned
SELECT p.oid::regprocedure AS function, pg_get_function_result(p.oid) AS result,
       p.proparallel AS parallel
FROM pg_proc AS p JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
ORDER BY p.pronamespace = 'pyqsys'::regnamespace, p.proname COLLATE "C",
         p.oid::regprocedure::text COLLATE "C";
\pset format aligned

-- every function that Oracle has has its other name, with the same arguments and the same code
SELECT p.oid::regprocedure AS lonely
FROM pg_proc AS p JOIN member AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
WHERE p.proname LIKE 'pyq\_%'
    AND p.proname NOT IN ('pyq_engine_stack', 'pyq_last_call', 'pyq_sandbox_status')
    AND NOT EXISTS (
        SELECT FROM pg_proc AS a
        WHERE a.pronamespace = 'pyqsys'::regnamespace AND a.proname = replace(p.proname, '_', '')
            AND pg_get_function_arguments(a.oid) = pg_get_function_arguments(p.oid)
            AND (a.prosrc, a.probin, a.prorettype, a.proretset, a.proisstrict, a.provolatile,
                 a.proparallel, a.procost, a.prorows)
                = (p.prosrc, p.probin, p.prorettype, p.proretset, p.proisstrict, p.provolatile,
                   p.proparallel, p.procost, p.prorows));

-- all objects have a comment, except those added by PostgreSQL
SELECT pg_describe_object(classid, objid, 0) AS without_comment
FROM member
WHERE obj_description(objid, classid::regclass::name) IS NULL
    AND NOT EXISTS (  -- row types of tables and array types, members since PostgreSQL 17
        SELECT FROM pg_type AS t LEFT JOIN pg_class AS c ON c.oid = t.typrelid
        WHERE classid = 'pg_type'::regclass AND t.oid = objid
            AND (t.typcategory = 'A' OR c.relkind <> 'c'));
SELECT a.attrelid::regclass AS relation, a.attname AS without_comment
FROM pg_attribute AS a
    JOIN pg_class AS c ON c.oid = a.attrelid
    LEFT JOIN pg_type AS t ON t.typrelid = c.oid AND c.relkind = 'c'
    JOIN member AS m ON m.objid = coalesce(t.oid, c.oid)
WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind <> 'S' AND col_description(a.attrelid, a.attnum) IS NULL;

-- functions that PUBLIC may not execute
SELECT pg_describe_object(m.classid, m.objid, 0) AS closed
FROM member AS m
    LEFT JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
    LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
WHERE NOT has_function_privilege('public', p.oid, 'EXECUTE')
    OR NOT has_table_privilege('public', c.oid, 'SELECT')
ORDER BY 1;

-- which form a call means: literals and untyped parameters are texts
SELECT count(*) FROM pyq_eval('{}', 'JSON', 'no_such') AS t(name text, value text);
SELECT count(*) FROM pyq_eval('{}'::jsonb, 'JSON', 'no_such') AS t(name text, value text);
SELECT count(*) FROM pyq_eval(NULL, NULL, 'no_such') AS t(n int);
SELECT count(*) FROM pyq_eval('{}', NULL::pyq_json, 'no_such');
SELECT count(*) FROM pyq_eval(jsonb_build_object('n', 1), NULL::pyq_json, 'no_such');
SELECT count(*) FROM pyq_eval(json_build_object('n', 1), NULL::pyq_json, 'no_such');
SELECT count(*) FROM pyq_eval('{}'::json, NULL, 'no_such') AS t(n int);
SELECT count(*) FROM pyq_eval('{}'::varchar, NULL::pyq_json, 'no_such');
SELECT count(*) FROM pyq_eval(par_lst => '{}', out_row => NULL::float8, scr_name => 'no_such');
SELECT count(*) FROM pyq_table_eval(inp_nam => 'pg_class', par_lst => NULL, out_fmt => 'XML',
                                    scr_name => 'no_such', scr_owner => NULL, env_name => NULL)
    AS t(name text, value text);
SELECT count(*) FROM pyqsys.pyqRowEval('pg_class', '{}', NULL::pyq_xml, 10, 'no_such');
SELECT count(*) FROM pyqsys.pyqGroupEval('pg_class', '{}', NULL::pyq_xml, 'relkind', NULL, 'no_such');
SELECT count(*) FROM pyqsys.pyqIndexEval('{}', NULL::pyq_png, 10, 'no_such');
PREPARE untyped AS SELECT count(*) FROM pyq_eval($1, NULL::pyq_json, $2);
SELECT parameter_types FROM pg_prepared_statements WHERE name = 'untyped';
EXECUTE untyped('{}', 'no_such');
DEALLOCATE untyped;

DROP VIEW member;
