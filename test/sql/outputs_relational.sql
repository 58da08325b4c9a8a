-- OUT_FMT NULL: the AS list alone determines the shape of the result.

SELECT pyq_script_create('rel_frame', $$
def rel_frame(n=3):
    import pandas as pd
    return pd.DataFrame({"id": range(n),
                         "name": [f"demo_{i}" for i in range(n)],
                         "Share": [i / 10 for i in range(n)]})
$$);

-- by name, in any order, a part of the frame's columns
SELECT * FROM pyq_eval(NULL, NULL, 'rel_frame') AS t(id int, name text, "Share" float8);
SELECT * FROM pyq_eval('{"n": 2}', NULL, 'rel_frame') AS t("Share" numeric(5, 3), id bigint);
-- a frame's column may differ in case when it is the only one
SELECT * FROM pyq_eval('{"n": 1}', NULL, 'rel_frame') AS t(share real, "NAME" varchar(6));
-- jsonb arguments
SELECT * FROM pyq_eval(jsonb_build_object('n', 1), NULL, 'rel_frame') AS t(id int);
-- no rows
SELECT * FROM pyq_eval('{"n": 0}', NULL, 'rel_frame') AS t(id int, name text);
-- values are cast explicitly: varchar(n) cuts
SELECT name, length(name) FROM pyq_eval('{"n": 1}', NULL, 'rel_frame') AS t(name varchar(4));
-- a missing column
SELECT * FROM pyq_eval(NULL, NULL, 'rel_frame') AS t(id int, other text);

-- other results than frames
SELECT pyq_script_create('rel_any', $$
def rel_any(kind):
    import numpy as np
    return {"none": None,
            "scalar": 42,
            "tuples": [(1, "a"), (2, None)],
            "tuple": (7, "seven"),
            "dict": {"b": "x", "a": 1},
            "lists": {"a": [1, 2, 3], "b": ["x", "y", None]},
            "records": [{"a": 1, "b": "one"}, {"a": 2, "b": "two"}],
            "matrix": np.arange(6.0).reshape(3, 2),
            "structured": np.array([(1, "u"), (2, "v")], dtype=[("a", "i4"), ("b", "U5")]),
            }[kind]
$$);
SELECT * FROM pyq_eval('{"kind": "none"}', NULL, 'rel_any') AS t(a int, b text);
SELECT * FROM pyq_eval('{"kind": "scalar"}', NULL, 'rel_any') AS t(a int);
SELECT * FROM pyq_eval('{"kind": "tuples"}', NULL, 'rel_any') AS t(a int, b text);
SELECT * FROM pyq_eval('{"kind": "dict"}', NULL, 'rel_any') AS t(a int, b text);
SELECT * FROM pyq_eval('{"kind": "lists"}', NULL, 'rel_any') AS t(a int, b text);
SELECT * FROM pyq_eval('{"kind": "matrix"}', NULL, 'rel_any') AS t(x float8, y int);
SELECT * FROM pyq_eval('{"kind": "structured"}', NULL, 'rel_any') AS t(b text, a int);

-- a generator's frames are appended
SELECT pyq_script_create('rel_generator', $$
def rel_generator():
    import pandas as pd
    for i in range(3):
        yield pd.DataFrame({"i": [i] * 2, "x": [i, i + 0.5]})
$$);
SELECT * FROM pyq_eval(NULL, NULL, 'rel_generator') AS t(i int, x float8);

-- chunks, groups and indexes are appended in their order, for all kinds of columns
SELECT pyq_script_create('rel_kinds', $$
def rel_kinds(i):
    import pandas as pd
    return pd.DataFrame({"i": [i], "v": [[1, 2.5, "3", None, True, 1e300][i - 1]]})
$$);
SELECT * FROM pyq_index_eval(NULL, NULL, 6, 'rel_kinds') AS t(i int, v text);
SELECT * FROM pyq_index_eval(NULL, NULL, 5, 'rel_kinds') AS t(i int, v numeric);
SELECT * FROM pyq_index_eval(NULL, NULL, 0, 'rel_kinds') AS t(i int, v text);

-- NaN is NULL, unless it is to be kept; infinities are kept
SELECT pyq_script_create('rel_nan', $$
def rel_nan():
    import pandas as pd
    return pd.DataFrame({"x": [1.5, float("nan"), float("inf"), float("-inf")]})
$$);
SELECT * FROM pyq_eval(NULL, NULL, 'rel_nan') AS t(x float8);
SELECT * FROM pyq_eval('{"oml_nan": "keep"}', NULL, 'rel_nan') AS t(x real);

-- where there is no AS list
SELECT * FROM pyq_eval(NULL, NULL, 'rel_frame');
SELECT pyq_eval(NULL, NULL, 'rel_frame');
SELECT pyq_eval(NULL, '{"id": "int", "Share": "number"}', 'rel_frame');

SELECT pyq_script_drop(s) FROM unnest(ARRAY['rel_frame', 'rel_any', 'rel_generator', 'rel_kinds',
                                            'rel_nan']) AS s;
