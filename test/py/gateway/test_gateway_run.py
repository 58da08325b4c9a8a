"""The run endpoints: Oracle's examples, and more."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from gateway_process import API
from psycopg import Connection

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
FRAME = json.dumps({"oml_input_type": "pandas.DataFrame"})
ALL_IRIS = "select * from IRIS"

COMPUTE_RANDOM_MEAN = """
def compute_random_mean(index):
    import numpy as np
    np.random.seed(index)
    return np.mean((np.random.random((100, 1)) * 10)[1])
"""
TEN_MEANS = [
    7.203244934421581, 0.25926231827891333, 7.081478226181048, 5.4723224917572235,
    8.707323061773764, 3.3197980530117723, 7.7991879224011464, 9.68540662820932,
    5.018745921487388, 0.207519493594015,
]  # fmt: skip
RETURN_DF = """
def return_df(num, scale):
    import pandas as pd
    ids = list(range(0, int(num)))
    return pd.DataFrame({"ID": ids, "RES": [i / scale for i in ids]})
"""
GROUP_COUNT = """
def group_count(dat):
    import pandas as pd
    return pd.DataFrame([(dat["SPECIES"][0], dat.shape[0])], columns=["SPECIES", "COUNT"])
"""
RANDOM_RED_DOTS = """
def RandomRedDots(num_dots_1=100, num_dots_2=10):
    import numpy as np
    import pandas as pd
    import matplotlib.pyplot as plt
    table = pd.DataFrame({"id": list(range(1, 10)), "val": [x / 100 for x in range(1, 10)]})
    for number in (num_dots_1, num_dots_2):
        axes = plt.figure(figsize=(2, 2)).add_subplot(111)
        axes.scatter(range(number), np.random.rand(number), c="r")
        axes.set_title("Random Red Dots")
    return table
"""
BUILD_LM = """
def build_lm_rest(dat):
    import pandas as pd
    from sklearn.linear_model import LinearRegression
    x = dat[["SEPAL_WIDTH", "PETAL_LENGTH", "PETAL_WIDTH"]].copy()
    for species in ("versicolor", "virginica"):
        x[species] = (dat["SPECIES"] == species).astype(float)
    model = LinearRegression().fit(x, dat[["SEPAL_LENGTH"]])
    params = {"coef_": model.coef_.tolist(), "intercept_": model.intercept_.tolist()}
    return {"model_params": params}
"""
SCORE = """
def score(dat):
    import pandas as pd
    return pd.DataFrame({"SPECIES": dat["SPECIES"], "Y": dat["PETAL_LENGTH"] / 3})
"""


def sql_json(conn: Connection[Any], call: str) -> Any:
    """The same as SQL's 'JSON' format, as in Oracle's examples."""
    row = conn.execute(f"SELECT value FROM {call} AS t(name text, value text)").fetchone()  # type: ignore[arg-type]
    assert row is not None
    return json.loads(row[0])


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_scripts(conn, user, make_user, sql_as, store, version):
    own = sql_as(user)
    own.execute("SELECT pyq_script_create('group_count', %s)", (GROUP_COUNT,))
    store("gw_global", "def f(): return 1")
    other = make_user("other")
    theirs = sql_as(other)
    for name in ("gw_private", "gw_granted"):
        theirs.execute("SELECT pyq_script_create(%s, 'def f(): return 2')", (name,))
    path = f"{API}/{version}/scripts"
    names = {(each["name"], each["owner"]) for each in user.get(path).result}
    assert ("group_count", user.name) in names
    assert ("gw_global", "PYQSYS") in names
    assert not any(owner == other.name for _, owner in names)
    theirs.execute("SELECT pyq_grant('gw_granted', 'pyqscript', %s)", (user.name,))
    listed = {(each["name"], each["owner"]): each for each in user.get(path).result}
    assert ("gw_granted", other.name) in listed
    assert ("gw_private", other.name) not in listed
    mine = listed["group_count", user.name]
    assert set(mine) >= {"name", "owner", "script", "description", "date"}
    assert mine["script"] == GROUP_COUNT
    # The same scripts as in the view.
    view = own.execute("SELECT name, owner FROM all_pyq_scripts").fetchall()
    assert {(n, "PYQSYS" if o == "pyqsys" else o) for n, o in view} == set(listed)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_do_eval_with_owner(user, make_user, sql_as, version):
    owner = make_user("owner")
    session = sql_as(owner)
    session.execute("SELECT pyq_script_create('return_df', %s)", (RETURN_DF,))
    fields = {"parameters": '{"num":10,"scale":100}', "service": "LOW"}
    refused = user.run("do-eval", "return_df", owner.name, version, **fields).refused(400)
    assert "return_df" in refused["errorMessage"]
    session.execute("SELECT pyq_grant('return_df', 'pyqscript', %s)", (user.name,))
    answer = user.run("do-eval", "return_df", owner.name, version, **fields)
    assert answer.result == [{"RES": i / 100, "ID": i} for i in range(10)]
    user.run("do-eval", "return_df", None, version, **fields).refused(400)


@pytest.mark.parametrize("owner", ["PYQSYS", "pyqsys"])
def test_the_owner_of_global_scripts(user, store, owner):
    store("gw_global", "def f(): return 'global'")
    assert user.run("do-eval", "gw_global", owner).result == "global"
    assert user.run("do-eval", "gw_global").result == "global"


def test_ones_own_script_comes_first(user, sql_as, store):
    store("gw_twice", "def f(): return 'global'")
    sql_as(user).execute("SELECT pyq_script_create('gw_twice', 'def f(): return ''mine''')")
    assert user.run("do-eval", "gw_twice").result == "mine"
    assert user.run("do-eval", "gw_twice", user.name).result == "mine"
    assert user.run("do-eval", "gw_twice", "PYQSYS").result == "global"


def test_images(user, store):
    store("RandomRedDots", RANDOM_RED_DOTS)
    images = user.run("do-eval", "RandomRedDots", graphicsFlag=True, service="LOW").result
    assert [each["ID"] for each in images] == [1, 2]
    for each in images:
        assert base64.b64decode(each["IMAGE"], validate=True).startswith(PNG_SIGNATURE)
        rows = json.loads(each["DATA"])
        assert rows == [{"id": i, "val": i / 100} for i in range(1, 10)]
    plain = user.run("do-eval", "RandomRedDots", graphicsFlag=False).result
    assert plain == rows


def test_images_of_groups_and_indexes(user, store, iris):
    store("gw_draw", """
def f(x, what="a"):
    import matplotlib.pyplot as plt
    plt.figure()
    plt.plot([1, 2])
    return len(x) if hasattr(x, "__len__") else x
""")  # fmt: skip
    options = {"graphicsFlag": True, "input": ALL_IRIS, "parameters": FRAME}
    groups = user.run("group-apply", "gw_draw", groupBy="SPECIES", **options).result
    assert set(groups) == {"setosa", "versicolor", "virginica"}
    indexes = user.run("index-apply", "gw_draw", times=2, graphicsFlag=True).result
    chunks = user.run("row-apply", "gw_draw", rows=100, **options).result
    assert set(indexes) == {"1", "2"}
    assert len(chunks) == 2
    for drawn in (groups, indexes, chunks):
        for images in drawn.values():
            assert [each["ID"] for each in images] == [1]
            assert base64.b64decode(images[0]["IMAGE"]).startswith(PNG_SIGNATURE)
    assert groups["setosa"][0]["DATA"] == "50"
    assert indexes["2"][0]["DATA"] == "2"
    table = user.run("table-apply", "gw_draw", **options).result
    assert table[0]["DATA"] == "150"


def test_no_figure_drawn(user, store):
    """The result is not lost with the flag set: it is DATA, or as it is without the flag."""
    store("gw_plain", "def f(): return [1, 2]")
    result = user.run("do-eval", "gw_plain", graphicsFlag=True).result
    assert result == [1, 2] or json.loads(result[0]["DATA"]) == [1, 2]


def test_index_apply(user, store):
    store("compute_random_mean", COMPUTE_RANDOM_MEAN)
    assert user.run("index-apply", "compute_random_mean", times=10).result == TEN_MEANS
    twelve = user.run("index-apply", "compute_random_mean", times=12).result
    assert twelve == [*TEN_MEANS, 0.19475241487624584, 7.400496965154048]
    for options in ({"parallelFlag": True}, {"parallel": 2}, {"service": "HIGH", "parallel": 99}):
        assert (
            user.run("index-apply", "compute_random_mean", times=10, **options).result == TEN_MEANS
        )


def test_table_apply(user, store, iris):
    store("build_lm_rest", BUILD_LM)
    params = user.run("table-apply", "build_lm_rest", input=ALL_IRIS, parameters=FRAME).result
    coef = [0.4958889384, 0.8292439122, -0.3151551733, -0.7235619578, -1.0234978145]
    assert params["model_params"]["coef_"] == [pytest.approx(coef)]
    assert params["model_params"]["intercept_"] == [pytest.approx(2.1712662922)]


def test_row_apply(conn, user, store, iris):
    store("score", SCORE)
    fields = {"input": ALL_IRIS, "rows": 10, "parallelFlag": True, "service": "MEDIUM"}
    rows = user.run("row-apply", "score", **fields).result
    assert len(rows) == 150
    assert rows == sql_json(conn, "pyq_row_eval('iris', '{}', 'JSON', 10, 'score')")


@pytest.mark.parametrize("column", ["SPECIES", "species", "Species"])
def test_group_apply(user, store, iris, column):
    store("group_count", GROUP_COUNT)
    fields = {"input": ALL_IRIS, "parameters": FRAME, "groupBy": column, "parallelFlag": True}
    groups = user.run("group-apply", "group_count", **fields).result
    assert groups == {
        name: [{"SPECIES": name, "COUNT": 50}] for name in ("setosa", "versicolor", "virginica")
    }


def test_several_group_columns_and_an_order(conn, user, store):
    store("gw_first", "def f(dat): return dat['v'].tolist()")
    query = "SELECT i % 2 AS a, i % 3 AS b, -i AS v FROM generate_series(1, 12) AS i"
    call = f"pyq_group_eval('{query}', '{{\"oml_input_type\": \"pandas\"}}', 'JSON', 'a, b', 'v', "
    fields = {"input": query, "parameters": '{"oml_input_type": "pandas"}', "groupBy": "a, b"}
    groups = user.run("group-apply", "gw_first", orderBy="v", **fields).result
    assert groups == sql_json(conn, call + "'gw_first')")
    assert all(values == sorted(values) for values in groups.values())
    assert len(groups) == 6


MISSING = {
    "rows": ("row-apply", {"input": ALL_IRIS}),
    "input of row": ("row-apply", {"rows": 5}),
    "groupBy": ("group-apply", {"input": ALL_IRIS}),
    "input of group": ("group-apply", {"groupBy": "SPECIES"}),
    "times": ("index-apply", {}),
    "input": ("table-apply", {}),
}


@pytest.mark.parametrize("version", ["v1", "v2"])
@pytest.mark.parametrize("what", MISSING)
def test_missing_fields(user, store, what, version):
    store("gw_length", "def f(dat): return len(dat)")
    kind, fields = MISSING[what]
    user.run(kind, "gw_length", None, version, **fields).refused(400, what.split()[0])
    null = {what.split()[0]: None}
    user.run(kind, "gw_length", None, version, **fields, **null).refused(400)


def test_script_error(user, sql_as):
    source = "def f(x):\n    raise ValueError(f'no {x} here')"
    sql_as(user).execute("SELECT pyq_script_create('gw_raises', %s)", (source,))
    error = user.run("do-eval", "gw_raises", parameters='{"x": "ünïcode"}').refused(
        400, "ValueError: no ünïcode here", 1
    )
    # The owner sees where.
    assert "line 2" in json.dumps(error)
    user.run("do-eval", "gw_raises").refused(400, "TypeError")


@pytest.mark.parametrize(
    "source",
    [
        "def f(): raise SystemExit(3)",
        "def f(): raise KeyboardInterrupt",
        "def f(): return 1 / 0",
        "def f(): return object()",
        "def f(): return {1, 2, object()}",
        "import os\ndef f(): os._exit(3)",
        "import ctypes\ndef f(): return ctypes.string_at(0)",
        "import os, signal\ndef f(): os.kill(os.getpid(), signal.SIGKILL)",
        "import nosuchmodule\ndef f(): return 1",
        "def f(): return f()",
        "import oml\ndef f(): oml.cursor().execute('SELECT 1/0')",
        "import oml\ndef f(): oml.cursor().execute('nonsense')",
        "def f(): raise ValueError('\\ud800 \\0 \\x1b')",
        "def f(): raise ValueError()",
    ],
)
def test_scripts_that_fail(user, sql_as, source):
    """Each is a 400 with a message; those that end their engine affect no other process."""
    sql_as(user).execute("SELECT pyq_script_create('gw_fails', %s, false, true)", (source,))
    user.run("do-eval", "gw_fails").refused(400)
    assert user.get(f"{API}/v1/scripts").status == 200


def test_output_limit(user, store):
    store("gw_many", "def f(n): return list(range(n))")
    store("gw_rows", "import pandas as pd\ndef f(n): return pd.DataFrame({'x': range(n)})")
    for script in ("gw_many", "gw_rows"):
        error = user.run("do-eval", script, parameters='{"n": 5001}').refused(400)
        assert error["errorCode"] == 1024
        assert error["errorMessage"] == "Output exceeds maximum length 5000"
        assert len(user.run("do-eval", script, parameters='{"n": 5000}').result) == 5000


def test_the_output_limit_is_an_option(start_gateway, make_user, store):
    store("gw_many", "def f(n): return list(range(n))")
    user = make_user(gateway=start_gateway("--output-limit", "3"))
    error = user.run("do-eval", "gw_many", parameters='{"n": 4}').refused(400, code=1024)
    assert error["errorMessage"] == "Output exceeds maximum length 3"
    assert user.run("do-eval", "gw_many", parameters='{"n": 3}').result == [0, 1, 2]


def test_unknown_keys(user, store):
    store("gw_n", "def f(n=0): return n")
    fields = {"parameters": '{"n": 5}', "parameter": '{"n": 6}', "foo": 1, "": [{}], "rows": "x"}
    assert user.run("do-eval", "gw_n", **fields).result == 5
    fields = {"input": "SELECT 1 AS a", "parallelFlag": True, "times": -1}
    store("gw_length", "def f(dat): return len(dat)")
    assert user.run("table-apply", "gw_length", **fields).result == 1


RESULTS: dict[str, Any] = {
    "True": True, "None": None, "3": 3, "2.5": 2.5, "1e300": 1e300,
    "'é \\U0001f418'": "é \U0001f418",
    "[1, [2, (3,)]]": [1, [2, [3]]], "{'a': {'b': None}}": {"a": {"b": None}}, "()": [], "{}": {},
    "float('nan')": None, "[float('inf')]": [None], "2**62": 2**62,
    "''": "", "'\"\\\\\\n'": '"\\\n',
    "__import__('enum').IntEnum('E', 'a b').b": 2, "__import__('numpy').float64(0.1)": 0.1,
    "__import__('pandas').DataFrame({'a': [1, 2], 'b': ['x', None]})":
        [{"a": 1, "b": "x"}, {"a": 2, "b": None}],
    "__import__('pandas').DataFrame({'a': []})": [],
    "{'errorMessage': 'not an error'}": {"errorMessage": "not an error"},
}  # fmt: skip


@pytest.mark.parametrize("expression", RESULTS)
def test_results_are_those_of_sql(conn, user, store, expression):
    store("gw_value", f"def f(): return {expression}")
    result = user.run("do-eval", "gw_value").result
    assert result == RESULTS[expression]
    assert result == sql_json(conn, "pyq_eval(NULL::text, 'JSON', 'gw_value')")
