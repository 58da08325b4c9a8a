"""oml.do_eval and the other four functions: from a client, and nested in engines of every kind.

A case is a function that is run in each place: here, and as the argument of oml.do_eval().
"""

# check_sizes: all cases share the scripts and connections of the places.

from __future__ import annotations

import csv
import gc
import io
import os
import signal
import threading
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import psycopg
import pytest
from worked_values import RANDOM_MEANS

ROOT = Path(__file__).resolve().parents[3]

pytest.importorskip("cloudpickle")

import oml  # noqa: E402
from oml._db import connection as _session  # noqa: E402
from oml.embed import _functions  # noqa: E402
from oml.embed import _pickles as _pickling  # noqa: E402
from oml.embed.data_image import _DataImage  # noqa: E402

PLACES = ("client", "ordinary client", "backend", "process", "ordinary process")
TARGETS = ("PETAL_LENGTH", "PETAL_WIDTH")

BUILD_LM_1 = """
def build_lm_1(dat):
    from sklearn import linear_model
    regr = linear_model.LinearRegression()
    return regr.fit(dat[["PETAL_WIDTH"]], dat[["PETAL_LENGTH"]])
"""

BUILD_LM_2 = """
def build_lm2(dat):
    import pandas as pd
    from sklearn import linear_model
    dat = pd.get_dummies(dat, drop_first=True)
    X = dat[["SEPAL_WIDTH", "PETAL_LENGTH", "PETAL_WIDTH", "SPECIES_versicolor",
             "SPECIES_virginica"]]
    return linear_model.LinearRegression().fit(X, dat[["SEPAL_LENGTH"]])
"""

RANDOM_RED_DOTS = """
def RandomRedDots2(num_dots_1, num_dots_2):
    import numpy as np
    import pandas as pd
    import matplotlib.pyplot as plt
    d = {"id": range(1, 10), "val": [x / 100 for x in range(1, 10)]}
    plt.figure(1)
    plt.scatter(range(num_dots_1), np.random.rand(num_dots_1), c="r")
    plt.figure(2)
    plt.scatter(range(num_dots_2), np.random.rand(num_dots_2), c="r")
    return pd.DataFrame(d)
"""

DBT_MODEL = """
def main(action, client_identifier, clientinfo, module):
    import oml
    import pandas as pd

    def set_connection_attributes():
        connection = oml.core.methods._get_conn()
        try:
            session_info = (action, client_identifier, clientinfo, module)
        except Exception:
            pass

    set_connection_attributes()

    def model(dbt, session):
        return oml.sync(table="IRIS").head(7)

    frame = model(None, None)
    assert isinstance(frame, oml.core.frame.DataFrame)
    frame.materialize(table="dbt_result")
    rows = len(oml.sync(table="dbt_result"))
    oml.drop(table="dbt_result")
    oml.core.methods._get_conn().close()
    return pd.DataFrame.from_dict({"result": [1 if rows == 7 else rows]})
"""


@pytest.fixture(scope="module")
def lab(server: Any, database: str, connections: Any) -> Iterator[dict[str, str]]:
    """Table IRIS, global scripts, and an ordinary role of each test run: {user of a place}."""
    with server.connect(database) as admin:
        admin.execute("DROP ROLE IF EXISTS epe_embed_user")
        admin.execute("CREATE ROLE epe_embed_user LOGIN")
        admin.execute("GRANT CREATE ON SCHEMA public TO epe_embed_user")
        admin.execute(
            'CREATE TABLE "IRIS" ("SEPAL_LENGTH" float8, "SEPAL_WIDTH" float8,'
            ' "PETAL_LENGTH" float8, "PETAL_WIDTH" float8, "SPECIES" text)'
        )
        with (ROOT / "tools/demo-data/iris.csv").open() as file:
            rows = list(csv.reader(file))[1:]
        with admin.cursor().copy('COPY "IRIS" FROM STDIN') as copy:
            for row in rows:
                copy.write_row(row)
        admin.execute('GRANT SELECT ON "IRIS" TO PUBLIC')
        for name, source in (
            ("embed_lm_1", BUILD_LM_1),
            ("MyLM_function2", BUILD_LM_2),
            ("RandomRedDots2", RANDOM_RED_DOTS),
            ("embed_dbt", DBT_MODEL),
        ):
            admin.execute("SELECT pyq_script_create(%s, %s, true, true)", (name, source))
        yield {"admin": admin.info.user, "ordinary": "epe_embed_user"}
        admin.execute('DROP TABLE "IRIS"')
        for name in ("embed_lm_1", "MyLM_function2", "RandomRedDots2", "embed_dbt"):
            admin.execute("SELECT pyq_script_drop(%s, true, true)", (name,))
        admin.execute("DROP OWNED BY epe_embed_user CASCADE")
        admin.execute("DROP ROLE epe_embed_user")


@pytest.fixture(scope="module")
def connections(server: Any) -> Iterator[dict[tuple[str, str], Any]]:
    """Connections of package oml that are kept, so that their engines stay warm."""
    kept: dict[tuple[str, str], Any] = {}
    yield kept
    for connection in kept.values():
        connection.close()


@pytest.fixture
def connect_oml(
    lab: dict[str, str], database: str, server: Any, connections: dict[tuple[str, str], Any]
) -> Iterator[Callable[..., None]]:
    """A function that gives package oml a connection, `connect_oml("ordinary", "process")`."""

    def connect(who: str = "admin", engine: str = "backend") -> None:
        if (who, engine) not in connections:
            _session.set_client(None)  # or it would be closed
            with server.connect() as any_connection:
                info = any_connection.info
                oml.connect(user=lab[who], host=info.host, port=info.port, service_name=database)
            connections[who, engine] = _session.current()
        _session.set_client(connections[who, engine])
        oml.cursor().execute(f"SET oml_epe.engine = '{engine}'")

    yield connect
    _session.set_client(None)


@pytest.fixture(params=PLACES)
def run(request: pytest.FixtureRequest, connect_oml: Callable[..., None]) -> Callable[..., Any]:
    """A function that runs a case in one of the places."""
    place = request.param
    connect_oml(
        "ordinary" if place.startswith("ordinary") else "admin",
        "process" if place.endswith("process") else "backend",
    )
    if place.endswith("client"):
        return lambda case, *arguments: case(*arguments)
    return lambda case, *arguments: oml.do_eval(_call_case, case=case, arguments=arguments)


def _call_case(case: Callable[..., Any], arguments: tuple[Any, ...]) -> Any:
    return case(*arguments)


@pytest.fixture
def client(connect_oml: Callable[..., None]) -> None:
    """A connection as superuser."""
    connect_oml()


@pytest.fixture
def ordinary(connect_oml: Callable[..., None]) -> None:
    """A connection as ordinary role."""
    connect_oml("ordinary")


def iris() -> Any:
    return oml.sync(table="IRIS")


# ------------------------------------------------------------------------------ Oracle's examples


def test_stored_script(run: Callable[..., Any]) -> None:
    def case() -> Any:
        oml.script.create("TEST", func="def func():return 1 + 1", overwrite=True)
        result = oml.do_eval(func="TEST")
        oml.script.drop("TEST")
        failed = ""
        try:
            oml.script.drop("TEST")
        except oml.DatabaseError as error:
            failed = error.sqlstate
        oml.script.drop("TEST", silent=True)
        return result, failed

    assert run(case) == (2, "42704")


def return_df(num: int, scale: float) -> Any:
    ids = list(range(num))
    return pd.DataFrame({"ID": ids, "RES": [i / scale for i in ids]})


def test_keyword_arguments(run: Callable[..., Any]) -> None:
    result = run(lambda: oml.do_eval(func=return_df, scale=100, num=10))
    pd.testing.assert_frame_equal(result, return_df(10, 100))


def build_lm_1(dat: Any) -> Any:
    from sklearn import linear_model

    return linear_model.LinearRegression().fit(dat[["PETAL_WIDTH"]], dat[["PETAL_LENGTH"]])


def test_four_forms_of_func(run: Callable[..., Any]) -> None:
    def case() -> Any:
        forms = (
            build_lm_1,
            BUILD_LM_1,
            "embed_lm_1",
            oml.script.load("embed_lm_1"),
        )
        return [oml.table_apply(data=iris(), func=form) for form in forms]

    models = run(case)
    assert len(models) == 4
    for model in models:
        assert type(model).__name__ == "LinearRegression"
        assert model.coef_ == pytest.approx(2.2299405)


def test_model_of_all_columns(run: Callable[..., Any]) -> None:
    def case() -> Any:
        return oml.table_apply(iris(), func="MyLM_function2", oml_input_type="pandas.DataFrame")

    expected = [0.49588894, 0.82924391, -0.31515517, -0.72356196, -1.02349781]
    assert run(case).coef_[0] == pytest.approx(expected)


def score_lm_1(dat: Any, model: Any) -> Any:
    predicted = model.predict(dat[["PETAL_WIDTH"]])
    return pd.concat(
        [dat[["SPECIES", "PETAL_LENGTH"]], pd.DataFrame(predicted, columns=["PRED"])], axis=1
    )


def test_scoring_by_rows(run: Callable[..., Any]) -> None:
    def case() -> Any:
        model = oml.table_apply(iris(), func=build_lm_1)
        prototype = pd.DataFrame(
            [("a", 1.0, 1.0)], columns=["SPECIES", "PETAL_LENGTH", "PRED_PETAL_LENGTH"]
        )
        proxy = oml.row_apply(iris(), rows=10, func=score_lm_1, model=model, func_value=prototype)
        is_proxy = isinstance(proxy, oml.DataFrame)
        frame = oml.row_apply(iris(), rows=10, func=score_lm_1, model=model)
        calls = oml.cursor().execute("SELECT calls FROM pyq_last_call()").fetchone()[0]
        return is_proxy, proxy.columns, proxy.pull(), frame, calls

    is_proxy, columns, pulled, frame, calls = run(case)
    assert is_proxy and calls == 15
    assert columns == ["SPECIES", "PETAL_LENGTH", "PRED_PETAL_LENGTH"]
    assert len(pulled) == len(frame) == 150
    assert list(frame.index) == list(range(150))
    assert list(pulled["PRED_PETAL_LENGTH"]) == pytest.approx(list(frame["PRED"]))


def test_a_model_a_group(run: Callable[..., Any]) -> None:
    def case() -> Any:
        rows = iris()[:, ["PETAL_LENGTH", "PETAL_WIDTH", "SPECIES"]]
        return oml.group_apply(
            rows,
            index=oml.DataFrame(iris()["SPECIES"]),
            func=build_lm_1,
            parallel=2,
            oml_connect=True,
        )

    models = run(case)
    assert sorted(models) == ["setosa", "versicolor", "virginica"]
    assert {type(model).__name__ for model in models.values()} == {"LinearRegression"}


def group_count(dat: Any) -> Any:
    return pd.DataFrame([(dat["SPECIES"][0], dat.shape[0])], columns=["SPECIES", "COUNT"])


def test_positional_func_value(run: Callable[..., Any]) -> None:
    def case() -> Any:
        proxy = oml.group_apply(
            iris(),
            iris()["SPECIES"],
            func=group_count,
            oml_input_type="pandas.DataFrame",
            func_value=pd.DataFrame([("a", 1)], columns=["SPECIES", "CNT"]),
        )
        return proxy.columns, proxy.pull(aslist=True)

    columns, rows = run(case)
    assert columns == ["SPECIES", "CNT"]
    assert sorted(map(tuple, rows)) == [("setosa", 50), ("versicolor", 50), ("virginica", 50)]


def build_lm_2(dat: Any, dsname: str) -> Any:
    import oml
    from sklearn import linear_model

    model = linear_model.LinearRegression().fit(dat[["PETAL_WIDTH"]], dat[["PETAL_LENGTH"]])
    name = "mod_" + dat["SPECIES"][0]
    oml.ds.save(objs={name: model}, name=dsname, append=True)
    return name


def test_parallel_appends(run: Callable[..., Any]) -> None:
    def case() -> Any:
        names = oml.group_apply(
            iris(), iris()["SPECIES"], func=build_lm_2, parallel=3, dsname="embed-ds-1"
        )
        stores = oml.ds.dir()
        count = stores[stores["datastore_name"] == "embed-ds-1"]["object_count"].tolist()
        oml.ds.delete("embed-ds-1")
        return names, count

    names, count = run(case)
    assert names == {name: f"mod_{name}" for name in ("setosa", "versicolor", "virginica")}
    assert count == [3]


def compute_random_mean(index: int) -> Any:
    from statistics import mean

    import numpy as np

    np.random.seed(index)
    res = np.random.random((100, 1)) * 10
    return mean(res[1])


def test_index(run: Callable[..., Any]) -> None:
    result = run(lambda: oml.index_apply(times=12, func=compute_random_mean))
    assert result == RANDOM_MEANS


def test_images(run: Callable[..., Any]) -> None:
    def case() -> Any:
        with_images = oml.do_eval(
            func="RandomRedDots2", graphics=True, num_dots_1=600, num_dots_2=200
        )
        plain = oml.do_eval(func="RandomRedDots2", num_dots_1=6, num_dots_2=2)
        return with_images, plain

    result, plain = run(case)
    assert str(type(result)) == "<class 'oml.embed.data_image._DataImage'>"
    assert len(result.dat) == 9 and len(result.img) == 2
    import matplotlib.image

    for image in result.img:
        assert matplotlib.image.imread(io.BytesIO(image)).ndim == 3
    assert repr(result) == repr(result.dat)
    assert result._repr_html_().count("data:image/png;base64,") == 2
    assert result._repr_png_()[:4] == b"\x89PNG"
    assert isinstance(plain, pd.DataFrame)


def test_errors(run: Callable[..., Any]) -> None:
    def case() -> Any:
        def fail(detail: str) -> None:
            print("before")
            raise ValueError(detail)

        try:
            oml.do_eval(fail, detail="boom")
        except RuntimeError as error:
            assert isinstance(error, (oml.ScriptError, oml.DatabaseError))
            return str(error), error.sqlstate, str(error.__cause__), error.output
        return None

    message, sqlstate, cause, output = run(case)
    assert message == "ValueError: boom"
    assert sqlstate == "38000"
    assert "in fail" in cause and "raise ValueError(detail)" in cause
    assert output in ("before\n", "")


def test_dbt(run: Callable[..., Any]) -> None:
    def case() -> Any:
        return oml.do_eval(
            func="embed_dbt", action="a", client_identifier="b", clientinfo="c", module="d"
        )

    assert run(case)["result"].tolist() == [1]


# ------------------------------------------------------------------------------------- arguments


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("build", False),
        ("My script", False),
        ("default", False),
        ("importer", False),
        ("def f(): pass", True),
        ("\n# comment\n\ndef f(): pass", True),
        ("@decorate\ndef f(): pass", True),
        ("import os\ndef f(): pass", True),
        ("from os import path\ndef f(): pass", True),
        ("f = lambda: 1", True),
        ('"""Doc."""\ndef f(): pass', True),
        ("x = 1\ndef f(): return x", True),
    ],
)
def test_definitions(text: str, expected: bool) -> None:
    assert _functions.is_definition(text) is expected


def test_objects_of_this_side_travel(run: Callable[..., Any]) -> None:
    class Point:
        def __init__(self, x: int) -> None:
            self.x = x

    def double(value: int) -> int:
        return 2 * value

    def case() -> Any:
        nested = {"functions": [double, lambda value: value + 1], "points": (Point(3),)}
        return oml.do_eval(
            lambda nested: [function(nested["points"][0].x) for function in nested["functions"]],
            nested=nested,
        )

    assert run(case) == [6, 4]


def test_objects_of_the_engine_come_back(client: None) -> None:
    source = "def make():\n    class Own:\n        value = 7\n    return Own(), (lambda x: x * 2)\n"
    own, function = oml.do_eval(source)
    assert own.value == 7 and function(4) == 8


def test_proxies_in_arguments(run: Callable[..., Any]) -> None:
    def read(parts: dict[str, Any]) -> Any:
        import oml

        proxy = parts["data"][0]
        return isinstance(proxy, oml.DataFrame), len(proxy), proxy.columns[0]

    assert run(lambda: oml.do_eval(read, parts={"data": [iris()]})) == (
        True,
        150,
        "SEPAL_LENGTH",
    )


def test_plain_arguments_keep_their_types(client: None) -> None:
    values = [1, 1.5, "a'\u20ac\\", None, True, [1, [2]], {"a": {"b": 1}}, (1, 2), {1: 2}]
    values += [float("inf"), 10**30, b"x", "nul\0", {3}, "\ud800"]
    for value in values:
        for func in ("def f(v): return v", lambda v: v):
            result = oml.do_eval(func, v=value)
            assert result == value and type(result) is type(value)


def test_calls_do_not_share_lists(client: None) -> None:
    def change(index: int, seen: list[int], inner: dict[str, list[int]]) -> Any:
        seen.append(index)
        inner["a"].append(index)
        return len(seen), len(inner["a"])

    assert oml.index_apply(3, change, seen=[], inner={"a": []}) == [(1, 1)] * 3


def test_large_arguments_and_results(run: Callable[..., Any]) -> None:
    def case() -> Any:
        import numpy as np

        values = np.arange(3_000_000.0)
        back = oml.do_eval(lambda values: values * 2, values=values)
        return bool((back == values * 2).all())

    assert run(case) is True


def test_control_arguments(client: None) -> None:
    numbers = iris()[["SEPAL_LENGTH", "SEPAL_WIDTH"]]

    def kind(dat: Any, **rest: Any) -> tuple[str, list[str]]:
        return type(dat).__name__, sorted(rest)

    assert oml.table_apply(numbers, kind) == ("ndarray", [])
    assert oml.table_apply(numbers, kind, oml_input_type="pandas.DataFrame", a=1) == (
        "DataFrame",
        ["a"],
    )
    assert oml.table_apply(numbers, kind, oml_connect=True) == ("ndarray", [])
    with pytest.warns(UserWarning, match='"oml_unknown" is unknown'):
        assert oml.table_apply(numbers, kind, oml_unknown=1) == ("ndarray", [])


def test_na_omit(client: None) -> None:
    data = oml.push(
        pd.DataFrame({"a": [1.0, None, 3.0, 4.0, 5.0], "b": ["x", "y", None, "z", "z"]})
    )
    assert oml.table_apply(data, len) == 5
    assert oml.table_apply(data, len, oml_na_omit=True) == 3


def test_bad_arguments(client: None) -> None:
    with pytest.raises(TypeError, match=r"data must be an oml\.DataFrame"):
        oml.table_apply(pd.DataFrame({"a": [1]}), len)
    with pytest.raises(TypeError, match=r'data must be .* not str: oml\.sync\(table="iris"\)'):
        oml.table_apply("iris", len)
    with pytest.raises(TypeError, match=r'index must be .* not str: data\["species"\] is a column'):
        oml.group_apply(iris(), "species", len)
    with pytest.raises(TypeError, match="func must be"):
        oml.do_eval(3)
    with pytest.raises(ValueError, match="rows must be"):
        oml.row_apply(iris(), len, rows=0)
    with pytest.raises(ValueError, match="times must be"):
        oml.index_apply(-1, len)
    with pytest.raises(ValueError, match="parallel must be"):
        oml.index_apply(1, str, parallel=-1)
    with pytest.raises(ValueError, match="func_value must have columns"):
        oml.do_eval("def f(): return 1", func_value=pd.DataFrame())
    with pytest.raises(TypeError, match='argument "lock"'):
        oml.do_eval("def f(lock): return 1", lock=threading.Lock())
    with pytest.raises(oml.DatabaseError) as missing:
        oml.do_eval("no_such_script")
    assert missing.value.sqlstate == "42704"
    assert not isinstance(missing.value, oml.ScriptError)
    with pytest.raises(oml.DatabaseError) as broken:
        oml.do_eval("def f(:")
    assert broken.value.sqlstate == "22023"


def test_func_owner(lab: dict[str, str], connect_oml: Callable[..., None]) -> None:
    connect_oml("ordinary")
    oml.script.create("embed_shared", "def f(a): return [a]", overwrite=True)
    connect_oml()
    assert oml.do_eval("embed_shared", func_owner=lab["ordinary"], a=1) == [1]
    assert oml.do_eval("embed_shared", func_owner=lab["ordinary"], a=(1,)) == [(1,)]
    connect_oml("ordinary")
    oml.script.drop("embed_shared")


# --------------------------------------------------------------------------------------- results


def test_row_apply_results(client: None) -> None:
    assert oml.row_apply(iris(), len, rows=60) == [60, 60, 30]
    assert oml.row_apply(iris().head(0), len, rows=60).empty
    frame = oml.row_apply(iris(), lambda d: d.head(1) if len(d) == 60 else None, rows=60)
    assert frame.shape == (2, 5)


def test_images_of_chunks(client: None) -> None:
    def draw(dat: Any) -> int:
        import matplotlib.pyplot as plt

        if len(dat) == 60:
            plt.plot([1, 2])
        return len(dat)

    results = oml.row_apply(iris(), draw, rows=60, graphics=True)
    assert [type(each) for each in results] == [_DataImage, _DataImage, int]
    groups = oml.group_apply(iris(), iris()["SPECIES"], draw, graphics=True)
    assert groups == {"setosa": 50, "versicolor": 50, "virginica": 50}


def test_keys_of_several_columns(run: Callable[..., Any]) -> None:
    def case() -> Any:
        sql = (
            "SELECT i % 2 = 0 AS even, CASE WHEN i > 2 THEN 'x_' END AS name, i::int AS value"
            " FROM generate_series(1, 6) AS i"
        )
        rows = oml.sync(query=sql)
        return oml.group_apply(rows, rows[["even", "name"]], lambda d: sorted(d["value"]))

    assert run(case) == {
        (False, None): [1],
        (False, "x_"): [3, 5],
        (True, None): [2],
        (True, "x_"): [4, 6],
    }


MISSING_LOOKALIKES = """
    VALUES ('null', 'NaN'::float8, 1), (NULL, 'NaN', 2), ('', NULL, 3), ('NaN', 0, 4),
           ('None', NULL, 5), (NULL, NULL, 6), ('null', NULL, 7), ('x_null', 1, 8), ('x', 1, 9)
"""


def test_no_group_is_lost(run: Callable[..., Any]) -> None:
    def case() -> Any:
        def values(dat: Any) -> list[int]:
            return sorted(map(int, dat["v"]))

        rows = oml.sync(query=f"SELECT * FROM ({MISSING_LOOKALIKES}) AS t(s, f, v)")
        odd = oml.sync(
            query="SELECT * FROM (VALUES (1.0, ARRAY[1], 1), (1.00, ARRAY[1], 2), "
            "(2, NULL, 3)) AS t(n, a, v)"
        )
        return (
            oml.group_apply(rows, rows["s"], values, oml_input_type="pandas.DataFrame"),
            oml.group_apply(rows, rows["f"], values, oml_input_type="pandas.DataFrame"),
            [
                (tuple(str(part) for part in key), found)
                for key, found in oml.group_apply(
                    rows, rows[["s", "f"]], values, parallel=2
                ).items()
            ],
            oml.group_apply(odd, odd[["n", "a"]], values),
            oml.group_apply(rows[rows["s"] == None], rows["s"], values),  # noqa: E711
            oml.group_apply(rows[rows["s"] == "null"], rows["s"], values),
        )

    texts, floats, both, odd, only_null, only_text = run(case)
    assert texts == {
        "null": [1, 7], None: [2, 6], "": [3], "NaN": [4], "None": [5], "x_null": [8], "x": [9],
    }  # fmt: skip
    assert floats == {"NaN": [1, 2], None: [3, 5, 6, 7], "0": [4], "1": [8, 9]}
    assert sorted(found for _, found in both) == [[number] for number in range(1, 10)]
    assert dict(both)["None", "nan"] == [2] and dict(both)["null", "nan"] == [1]
    assert odd == {(1, (1,)): [1, 2], (2, None): [3]}
    assert only_null == {None: [2, 6]} and only_text == {"null": [1, 7]}


def test_two_groups_of_one_text_are_an_error(client: None) -> None:
    rows = oml.sync(query="SELECT * FROM (VALUES (0.1::float8 + 0.2, 1), (0.3, 2)) AS t(f, v)")
    assert oml.group_apply(rows, rows["f"], lambda dat: int(dat[0, 1])) == {
        "0.3": 2,
        "0.30000000000000004": 1,
    }
    oml.cursor().execute("SET extra_float_digits TO -15")
    with pytest.raises(oml.DatabaseError, match="the same key"):
        oml.group_apply(rows, rows["f"], len)


def test_index_column_that_data_lacks_and_order(client: None) -> None:
    data = iris()
    result = oml.group_apply(
        data[["PETAL_LENGTH"]],
        data["SPECIES"],
        lambda d: (list(d.columns), d["PETAL_LENGTH"].is_monotonic_increasing),
        orderby=data["PETAL_LENGTH"],
    )
    assert result["setosa"] == (["PETAL_LENGTH", "SPECIES"], True)
    with pytest.raises(ValueError, match="not of the same rows"):
        oml.group_apply(
            data[["PETAL_LENGTH"]], oml.push(pd.DataFrame({"x": [1]})), lambda d: len(d)
        )


def test_parallel_results_are_identical(ordinary: None) -> None:
    def work(dat: Any, power: int) -> Any:
        return dat.assign(P=dat["PETAL_WIDTH"] ** power)

    alone = oml.row_apply(iris(), work, rows=7, power=3)
    for parallel in (True, 2, 4):
        result = oml.row_apply(iris(), work, rows=7, parallel=parallel, power=3)
        pd.testing.assert_frame_equal(result, alone)
    squares = [number**2 for number in range(1, 201)]
    for degree in (None, False, 0, True, 3):
        assert oml.index_apply(200, lambda i: i**2, parallel=degree) == squares


def test_func_value_types(run: Callable[..., Any]) -> None:
    def case() -> Any:
        def make() -> Any:
            return pd.DataFrame(
                {
                    "a": [1.3, 1.75, None],
                    "b": [1, 2, 3],
                    "c": ["x", None, "z"],
                    "d": [True, False, None],
                    "e": pd.to_datetime(["2024-01-02 03:04:05", None, "2024-01-03 00:00:00"]),
                }
            )

        prototype = pd.DataFrame(
            [(1, 1.0, "a", True, pd.Timestamp(0))], columns=["A b", "B", 'C"', "D", "E"]
        )
        proxy = oml.do_eval(make, func_value=prototype)
        name = proxy._source.relation
        types = oml.cursor().execute(
            "SELECT array_agg(format_type(atttypid, NULL) ORDER BY attnum)::text"
            " FROM pg_attribute WHERE attrelid = $1::regclass AND attnum > 0",
            (name,),
        )
        return proxy.columns, types.fetchone()[0], proxy.pull(aslist=True)

    columns, types, rows = run(case)
    assert columns == ["A b", "B", 'C"', "D", "E"]
    assert types == '{bigint,"double precision",text,boolean,"timestamp without time zone"}'
    assert [row[0] for row in rows][:2] == [1, 2]
    assert [row[2] for row in rows] == ["x", None, "z"]
    with_wrong_width = pd.DataFrame([(1, 2)], columns=["a", "b"])
    with pytest.raises(oml.DatabaseError, match="1 column"):
        run(lambda: oml.do_eval("def f(): return [1, 2]", func_value=with_wrong_width))


def test_temporary_tables_go(client: None) -> None:
    gc.collect()  # proxies of other tests
    count = "SELECT count(*) FROM pg_class WHERE relname LIKE 'oml\\_%' AND relpersistence = 't'"
    before = oml.cursor().execute(count).fetchone()
    prototype = pd.DataFrame([(1,)], columns=["a"])
    proxy = oml.do_eval("def f(): return 1", func_value=prototype)
    assert len(proxy) == 1
    with pytest.raises(oml.ScriptError):
        oml.do_eval("def f(): return 1 / 0", func_value=prototype)
    del proxy
    assert oml.cursor().execute(count).fetchone() == before


# ----------------------------------------------------------------------------------------- trust


class Hostile:
    """Says which process unpickles it."""

    def __reduce__(self) -> Any:
        return os.getpid, ()


def _backend_pid() -> int:
    return int(oml.cursor().execute("SELECT pg_backend_pid()").fetchone()[0])


def test_pickles_of_ordinary_roles_stay_out_of_backends(ordinary: None) -> None:
    where = "def f(value): return value"
    assert oml.do_eval(where, value=Hostile()) != _backend_pid()
    assert oml.do_eval(lambda value: value, value=Hostile()) != _backend_pid()
    # A trusted script, which by itself runs in the backend.
    assert oml.do_eval("embed_trusted_pid") == _backend_pid()
    assert oml.do_eval("embed_trusted_value", value=Hostile()) != _backend_pid()


@pytest.fixture(autouse=True, scope="module")
def trusted_scripts(server: Any, database: str) -> Iterator[None]:
    """Global scripts run in the backend for ordinary roles too."""
    scripts = {
        "embed_trusted_pid": "def f():\n    import os\n    return os.getpid()",
        "embed_trusted_value": "def f(value): return value",
        "embed_trusted_nested": (
            "def f(name=None):\n    import oml\n    return oml.do_eval(name or 'def g(): return 1')"
        ),
    }
    with server.connect(database) as admin:
        for name, source in scripts.items():
            admin.execute("SELECT pyq_script_create(%s, %s, true, true)", (name, source))
        yield
        for name in scripts:
            admin.execute("SELECT pyq_script_drop(%s, true, true)", (name,))


def test_backends_load_no_results_of_ordinary_roles(ordinary: None) -> None:
    oml.script.create("embed_mine", "def f(): return 1", overwrite=True)
    for arguments in ({}, {"name": "embed_mine"}):
        with pytest.raises(oml.DatabaseError) as refused:
            oml.do_eval("embed_trusted_nested", **arguments)
        assert refused.value.sqlstate == "42501"
    assert oml.do_eval("embed_trusted_nested", name="embed_trusted_pid") == _backend_pid()
    oml.cursor().execute("SET oml_epe.engine = 'process'")
    assert oml.do_eval("embed_trusted_nested") == 1
    oml.cursor().execute("SET oml_epe.engine = 'backend'")
    oml.script.drop("embed_mine")


def test_inline_scripts_run_by_an_untrusted_one_are_not_trusted(
    lab: dict[str, str], connect_oml: Callable[..., None]
) -> None:
    connect_oml("ordinary")
    source = (
        "def f():\n    import oml, os\n"
        "    return oml.do_eval('def g():\\n import os\\n return os.getpid()')"
    )
    oml.script.create("embed_sly", source, overwrite=True)
    connect_oml()
    inline = "def g():\n import os\n return os.getpid()"
    assert oml.do_eval(inline) == _backend_pid()
    assert oml.do_eval("embed_sly", func_owner=lab["ordinary"]) != _backend_pid()


# ---------------------------------------------------------------------------- without cloudpickle


@pytest.fixture
def by_source(client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """As with another version of Python on this side."""
    for module in (_pickling, _functions):
        monkeypatch.setattr(module, "why_not_cloudpickle", lambda *_: "this is a test")


FACTOR = 3


def uses_globals(frame: pd.DataFrame) -> int:
    return int(pd.concat([frame, frame])["a"].sum()) * FACTOR


def uses_class() -> Any:
    return Hostile


def test_functions_by_source(by_source: None) -> None:
    assert oml.do_eval(uses_globals, frame=pd.DataFrame({"a": [1, 2]})) == 18
    with pytest.raises(TypeError, match='uses "Hostile", a type defined outside of it'):
        oml.do_eval(uses_class)
    with pytest.raises(
        TypeError, match=r"lambda \(define it with def\)\. It cannot be sent by value"
    ):
        oml.do_eval(lambda: 1)
    outer = 5

    def closure() -> int:
        return outer

    with pytest.raises(TypeError, match='uses "outer" of the enclosing function'):
        oml.do_eval(closure)
    with pytest.raises(TypeError, match=r'argument "value".*cannot be sent'):
        oml.do_eval("def f(value): return value", value=Hostile)


# ----------------------------------------------------------------------------------------- waiting


def test_progress(client: None, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("tqdm")
    from oml.embed import _calls, apply
    from oml.embed import _notices as _listening

    for module in (_calls, apply):
        monkeypatch.setattr(module, "wants_progress", lambda: True)
    moves: list[tuple[int | None, int]] = []
    monkeypatch.setattr(
        _listening.Listener, "_move", lambda self, done: moves.append((self._total, done))
    )

    def slow(dat: Any) -> None:
        import time

        time.sleep(0.15)

    oml.row_apply(iris(), slow, rows=30)
    assert moves and all(total == 5 for total, _ in moves)
    assert [done for _, done in moves] == sorted(done for _, done in moves)


def test_interrupt_cancels_on_the_server(client: None, server: Any) -> None:
    running = (
        f"SELECT FROM pg_stat_activity WHERE pid = {_backend_pid()}"
        " AND state = 'active' AND query LIKE '%pyqsys.apply%'"
    )

    def interrupt() -> None:
        with server.connect() as watcher:
            while not watcher.execute(running).rowcount:
                time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGINT)

    thread = threading.Thread(target=interrupt)
    thread.start()
    try:
        with pytest.raises(KeyboardInterrupt):
            oml.do_eval("def f():\n    import time\n    time.sleep(600)")
    finally:
        thread.join()
    assert oml.do_eval("def f(): return 1") == 1


def test_output_and_warnings(client: None, capsys: pytest.CaptureFixture[str]) -> None:
    def talk() -> None:
        import warnings

        print("one\ntwo")
        warnings.warn("beware", stacklevel=1)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        oml.do_eval(talk)
    assert capsys.readouterr().out == "one\ntwo\n"
    assert any("beware" in str(each.message) for each in caught)


def test_sql_reads_pickles(conn: psycopg.Connection[Any]) -> None:
    rows = conn.execute(
        "SELECT call, name, piece, length(data) > 0 FROM pyqsys.apply("
        "cut => 'index', out_row => NULL::pyqsys.pyq_pickle, scr_name => 'f',"
        " source => 'def f(i): return i', times_num => 2)"
    ).fetchall()
    assert rows == [(1, "1", 1, True), (2, "2", 1, True)]
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="unknown cut"):
        conn.execute("SELECT pyqsys.apply(cut => 'x', out_row => 1, scr_name => 'f')")
