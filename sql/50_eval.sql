-- The eval functions.

-- Each has six forms: par_lst is text, jsonb or json (for json_build_object() and drivers that send
-- json; untyped literals and parameters still mean text, the preferred type of its category); the
-- shape of the result is given by out_fmt and the AS list, or by the type of out_row. PARALLEL
-- UNSAFE: scripts may write, and an asynchronous call stores a job. The cost is a guess: high, so
-- that the planner avoids calls.
CREATE FUNCTION pyqsys.eval_support(internal) RETURNS internal
    LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE
    AS 'MODULE_PATHNAME', 'epe_eval_support';
COMMENT ON FUNCTION pyqsys.eval_support(internal) IS
    'Planner support of the eval functions: estimates the rows that a call returns';

DO $$
DECLARE
    form record;
BEGIN
    FOR form IN
        SELECT quote_ident(n.nspname) || '.pyq_' || f.name AS name,
               concat(f.before, 'par_lst ', p.type, ', ', s.argument, f.after) AS arguments,
               s.result, 'epe_' || f.name || s.suffix AS symbol,
               concat('Runs a script ', f.description, '; result ', s.description) AS description
        FROM pg_extension AS e
            JOIN pg_namespace AS n ON n.oid = e.extnamespace,
            (VALUES
                (1, 'eval', '', ', scr_name text', 'once, without data'),
                (2, 'table_eval', 'inp_nam text, ', ', scr_name text',
                 'once over a table or query'),
                (3, 'row_eval', 'inp_nam text, ', ', row_num bigint, scr_name text',
                 'over each row_num rows of a table or query'),
                (4, 'group_eval', 'inp_nam text, ', ', grp_col text, ord_col text, scr_name text',
                 'over each group of a table or query'),
                (5, 'index_eval', '', ', times_num bigint, scr_name text',
                 'times_num times, with the numbers from 1'))
                AS f(number, name, before, after, description),
            (VALUES (1, 'text'), (2, 'jsonb'), (3, 'json')) AS p(number, type),
            (VALUES
                (1, 'out_fmt text', 'SETOF record', '', 'as out_fmt and AS say'),
                (2, 'out_row anyelement', 'SETOF anyelement', '_row', 'of out_row''s type'))
                AS s(number, argument, result, suffix, description)
        WHERE e.extname = 'oml_epe'
        ORDER BY f.number, p.number, s.number
    LOOP
        EXECUTE format('CREATE FUNCTION %s(%s, scr_owner text DEFAULT NULL,'
                       ' env_name text DEFAULT NULL) RETURNS %s'
                       ' LANGUAGE C VOLATILE PARALLEL UNSAFE COST 1000 ROWS 1000'
                       ' SUPPORT pyqsys.eval_support AS %L, %L',
                       form.name, form.arguments, form.result, 'MODULE_PATHNAME', form.symbol);
        EXECUTE format('COMMENT ON FUNCTION %s(%s, text, text) IS %L', form.name, form.arguments,
                       form.description);
    END LOOP;
END
$$;

