-- OUT_ROW of a scalar type: one column.

SELECT pyq_script_create('scalar_any', $$
def scalar_any(kind="int"):
    import numpy as np, pandas as pd
    return {"int": 42, "float": 2.5, "none": None, "list": [1, 2, 3], "text": "seven",
            "array": np.arange(3), "series": pd.Series([1.5, None], name="whatever"),
            "frame": pd.DataFrame({"whatever": [7, 8]}), "true": True, "np": np.float32(0.1),
            "negative": -1}[kind]
$$);

SELECT * FROM pyq_eval(NULL, NULL::int, 'scalar_any');
SELECT pyq_eval(NULL, NULL::bigint, 'scalar_any') + 1 AS sum;
SELECT * FROM pyq_eval('{"kind": "float"}', NULL::float8, 'scalar_any') AS x;
-- (PostgreSQL gives the function's result no modifier)
SELECT * FROM pyq_eval('{"kind": "float"}', NULL::numeric(4, 3), 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "true"}', NULL::bool, 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "true"}', NULL::int, 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "np"}', NULL::real, 'scalar_any');
SELECT count(*) FROM pyq_eval('{"kind": "none"}', NULL::int, 'scalar_any');
-- several values are several rows
SELECT * FROM pyq_eval('{"kind": "array"}', NULL::int, 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "series"}', NULL::float8, 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "frame"}', NULL::int, 'scalar_any');
SELECT 'row' AS kind, pyq_eval('{"kind": "array"}', NULL::int, 'scalar_any') AS value;
-- an array type takes a list as one value
SELECT * FROM pyq_eval('{"kind": "list"}', NULL::int[], 'scalar_any');
-- a domain
CREATE DOMAIN scalar_positive AS int CHECK (VALUE > 0);
CREATE DOMAIN scalar_required AS int NOT NULL;
SELECT * FROM pyq_eval(NULL, NULL::scalar_positive, 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "negative"}', NULL::scalar_positive, 'scalar_any');
SELECT * FROM pyq_eval('{"kind": "series"}', 1::scalar_required, 'scalar_any');
-- no cast
SELECT * FROM pyq_eval(NULL, NULL::date, 'scalar_any');
-- a bare NULL or a text is out_fmt
SELECT * FROM pyq_eval(NULL, NULL, 'scalar_any') AS t(x int);
SELECT * FROM pyq_eval(NULL, NULL::text, 'scalar_any') AS t(x int);
SELECT * FROM pyq_eval(NULL, NULL::varchar, 'scalar_any');

DROP DOMAIN scalar_positive, scalar_required;
SELECT pyq_script_drop('scalar_any');
