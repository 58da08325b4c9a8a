"""Datastores and the script repository by package `oml`, in each place."""

from __future__ import annotations

import datetime
import pathlib
import tempfile
import threading
import warnings
from typing import Any

import numpy
import oml
import pandas
from proxy_checks import fails


def flowers(rows: int = 150) -> Any:
    return pandas.DataFrame(
        {
            "SEPAL_LENGTH": numpy.linspace(4.0, 8.0, rows),
            "PETAL_LENGTH": numpy.linspace(1.0, 7.0, rows) ** 2,
            "SPECIES": ["setosa", "versicolor", "virginica"] * (rows // 3),
        }
    )


# --------------------------------------------------------------------------------- datastores


def test_round_trip(place: str) -> None:
    """Worked case 14."""
    from sklearn.linear_model import LinearRegression

    frame = flowers()
    proxy = oml.create(frame, table="DS_BOSTON")
    oml.ds.save({"iris": frame, "oml_boston": proxy}, "ds_pydata", description="python datasets")
    oml.ds.save({"oml_diabetes": proxy}, "ds_pydata", append=True, description="ignored")
    names = oml.ds.load(name="ds_pydata")
    assert sorted(names) == ["iris", "oml_boston", "oml_diabetes"]
    pandas.testing.assert_frame_equal(globals()["iris"], frame)
    assert type(globals()["oml_boston"]) is oml.DataFrame
    assert globals()["oml_boston"].shape == (150, 3)

    model = LinearRegression().fit(frame[["PETAL_LENGTH"]], frame["SEPAL_LENGTH"])
    oml.ds.save({"regr1": model, "regr2": model}, "ds_pymodel", grantable=True)
    loaded = oml.ds.load("ds_pymodel", objs=["regr1"], to_globals=False)
    assert list(loaded) == ["regr1"]
    assert loaded["regr1"].coef_ == model.coef_

    # Worked case 15.
    shown = oml.ds.describe("ds_pydata")
    assert list(shown.columns) == [
        *("object_name", "class", "size", "length", "row_count", "col_count"),
    ]
    assert shown.drop(columns="size").values.tolist() == [
        ["iris", "pandas.core.frame.DataFrame", 150, 150, 3],
        ["oml_boston", "oml.DataFrame", 150, 150, 3],
        ["oml_diabetes", "oml.DataFrame", 150, 150, 3],
    ]
    assert shown["size"][1] < 2000
    listed = oml.ds.dir()
    assert list(listed.columns) == ["datastore_name", "object_count", "size", "date", "description"]
    assert listed["datastore_name"].tolist() == ["ds_pydata", "ds_pymodel"]
    assert listed["object_count"].tolist() == [3, 2]
    assert listed["size"].tolist()[0] == shown["size"].sum()
    assert listed["description"].tolist() == ["python datasets", None]
    assert listed["date"].dtype.kind == "M"


def test_measures(place: str) -> None:
    from sklearn.linear_model import LinearRegression
    from sklearn.utils import Bunch

    objects = {
        "dict": {"a": 1, "b": 2, "c": 3},
        "list": [1, 2],
        "bunch": Bunch(a=1, b=2, c=3, d=4, e=5),
        "model": LinearRegression(),
        "array": numpy.zeros((3, 4)),
        "text": "five",
        "none": None,
    }
    oml.ds.save(objects, "kinds")
    shown = oml.ds.describe("kinds").set_index("object_name").drop(columns="size")
    assert shown.loc["dict"].tolist() == ["dict", 3, 1, 3]
    assert shown.loc["list"].tolist() == ["list", 2, 1, 2]
    assert shown.loc["bunch"].tolist() == ["Bunch", 5, 1, 5]
    assert shown.loc["model"].tolist() == ["LinearRegression", 1, 1, 1]
    assert shown.loc["array"].tolist() == ["ndarray", 1, 1, 1]
    assert shown.loc["text"].tolist() == ["str", 1, 1, 1]
    assert shown.loc["none"].tolist() == ["NoneType", 1, 1, 1]
    loaded = oml.ds.load("kinds", to_globals=False)
    assert loaded["dict"] == objects["dict"]
    assert loaded["none"] is None


def test_modes(place: str) -> None:
    """Worked case 17: errors and replacements of save."""
    oml.ds.save({"a": 1, "b": 2}, "store", description="first")
    error = fails(oml.DatabaseError, oml.ds.save, {"c": 3}, "store")
    assert error.sqlstate == "42710", error.sqlstate
    fails(ValueError, oml.ds.save, {"c": 3}, "store", overwrite=True, append=True)
    fails(ValueError, oml.ds.save, {"c": 3}, "")
    fails(ValueError, oml.ds.save, {"": 3}, "store", append=True)
    fails(ValueError, oml.ds.save, {"x" * 129: 3}, "store", append=True)
    fails(TypeError, oml.ds.save, {1: 3}, "store", append=True)
    fails(TypeError, oml.ds.save, [3], "store", append=True)
    assert oml.ds.load("store", to_globals=False) == {"a": 1, "b": 2}
    oml.ds.save({"b": 20, "c": 30}, "store", append=True)
    assert oml.ds.load("store", to_globals=False) == {"a": 1, "b": 20, "c": 30}
    oml.ds.save({"d": 4}, "store", overwrite=True, grantable=True)
    assert oml.ds.load("store", to_globals=False) == {"d": 4}
    assert oml.ds.dir()["description"].tolist() == [None]
    oml.ds.save({"e": 5}, "appended", append=True, description="new")
    assert oml.ds.dir("appended")["description"].tolist() == ["new"]
    oml.ds.save({}, "empty")
    assert oml.ds.load("empty") == []
    assert oml.ds.describe("empty").empty
    # a failed save leaves no objects
    fails(TypeError, oml.ds.save, {"good": 1, "bad": threading.Lock()}, "bad")
    assert "bad" not in oml.ds.dir()["datastore_name"].tolist()


def test_loading(place: str) -> None:
    oml.ds.save({"a": 1, "b": 2, "c": 3}, "store")
    fails(ValueError, oml.ds.load, "")
    fails(ValueError, oml.ds.load, "missing")
    fails(ValueError, oml.ds.load, "Store")
    fails(ValueError, oml.ds.load, "store", owner="nobody_of_that_name")
    fails(ValueError, oml.ds.load, "store", objs=["a", "z"])
    fails(ValueError, oml.ds.describe, "missing")
    assert oml.ds.load("store", objs="b", to_globals=False) == {"b": 2}
    assert oml.ds.load("store", objs=["c", "a"], to_globals=False) == {"a": 1, "c": 3}
    me = oml.cursor().execute("SELECT current_user::text").fetchone()[0]
    assert oml.ds.load("store", "a", owner=me, to_globals=False) == {"a": 1}
    assert oml.ds.load("store", "a", owner=me.upper(), to_globals=False) == {"a": 1}
    odd = 'it\'s "odd"; -- $1 %s ü€🙂\\'
    oml.ds.save({odd: odd}, odd, description=odd)
    assert oml.ds.load(odd, to_globals=False) == {odd: odd}
    assert oml.ds.dir(odd)["description"].tolist() == [odd]


def test_listing(place: str) -> None:
    """Worked case 16."""
    for name, grantable in (("ds_pymodel", True), ("ds_pydata", None), ("Other", False)):
        oml.ds.save({"a": 1}, name, grantable=grantable)

    def names(*arguments: Any, **keywords: Any) -> Any:
        return oml.ds.dir(*arguments, **keywords)["datastore_name"].tolist()

    assert names() == ["Other", "ds_pydata", "ds_pymodel"]
    assert names(dstype="private") == ["Other", "ds_pydata"]
    assert names(dstype="grantable") == ["ds_pymodel"]
    assert names("ds_pydata") == ["ds_pydata"]
    assert names("ds_py") == []
    assert names(["Other", "ds_pymodel", "x"]) == ["Other", "ds_pymodel"]
    assert names("^ds_py", regex_match=True) == ["ds_pydata", "ds_pymodel"]
    assert names(["model$", "^O"], regex_match=True) == ["Other", "ds_pymodel"]
    every = oml.ds.dir(dstype="all")
    assert list(every.columns)[:3] == ["owner", "datastore_name", "object_count"]
    assert list(oml.ds.dir(dstype="granted").columns)[:2] == ["owner", "datastore_name"]
    fails(ValueError, oml.ds.dir, dstype="other")

    oml.grant("ds_pymodel")
    shown = oml.ds.dir(dstype="grant")
    assert list(shown.columns) == ["datastore_name", "grantee"]
    assert shown.values.tolist() == [["ds_pymodel", "PUBLIC"]]
    oml.revoke("ds_pymodel", typ="datastore")
    shown = oml.ds.dir(dstype="grant")
    assert shown.empty
    assert list(shown.columns) == ["datastore_name", "grantee"]
    error = fails(oml.DatabaseError, oml.grant, "ds_pydata")
    assert error.sqlstate == "55000"
    assert fails(oml.DatabaseError, oml.grant, "missing").sqlstate == "42704"
    assert fails(oml.DatabaseError, oml.revoke, "missing").sqlstate == "42704"
    fails(ValueError, oml.grant, "ds_pymodel", typ="table")


def test_deleting(place: str) -> None:
    """Worked case 17: delete."""

    def fill(*names: str) -> None:
        for name in names:
            oml.ds.save({"a1": 1, "a2": 2, "b": 3}, name, overwrite=True)

    def contents() -> dict[str, list[str]]:
        return {
            name: oml.ds.describe(name)["object_name"].tolist()
            for name in oml.ds.dir()["datastore_name"]
        }

    fill("one", "two", "ds_pymodel")
    assert oml.ds.delete("one") is None
    assert sorted(contents()) == ["ds_pymodel", "two"]
    oml.ds.delete("two", objs=["a1", "missing"])
    oml.ds.delete("two", objs="b")
    assert contents()["two"] == ["a2"]
    oml.ds.delete(name="_pymodel", regex_match=True)
    assert sorted(contents()) == ["two"]
    fails(ValueError, oml.ds.delete, "one")
    fails(ValueError, oml.ds.delete, ["two", "one"])
    fails(ValueError, oml.ds.delete, "nothing", regex_match=True)
    assert sorted(contents()) == ["two"]
    fill("one", "two", "three")
    fails(ValueError, oml.ds.delete, ["one", "two"], objs="b")
    fails(ValueError, oml.ds.delete, ["one", "two"], objs=["a", "b", "c"], regex_match=True)
    oml.ds.delete(["one"], objs=["b"])
    assert contents()["one"] == ["a1", "a2"]
    oml.ds.delete("t", objs="^a", regex_match=True)
    assert contents() == {"one": ["a1", "a2"], "two": ["b"], "three": ["b"]}
    oml.ds.delete(["one", "tw"], objs=["1$", "b"], regex_match=True)
    assert contents() == {"one": ["a2"], "two": [], "three": ["b"]}
    oml.ds.delete(["one", "two"])
    assert contents() == {"three": ["b"]}


def test_pieces(place: str) -> None:
    """Objects larger than a piece, in parts of all sizes."""
    random = numpy.random.default_rng(1)
    objects = {
        "arrays": [random.random(n) for n in (0, 1, 9000, 20000, 7)],
        "fortran": numpy.asfortranarray(random.random((300, 200))),
        "texts": [f"text {n}" for n in range(20000)],
        "many": {n: random.random(10) for n in range(3000)},
        "bytes": random.bytes(100001),
        "frame": flowers(30000),
    }
    before = oml.ds._PIECE_BYTES
    try:
        for size in (10000, 65536, 1 << 20):
            for compression in (False, True):
                oml.ds._PIECE_BYTES = size
                oml.ds.save(objects, "large", overwrite=True, compression=compression)
                loaded = oml.ds.load("large", to_globals=False)
                for first, second in zip(objects["arrays"], loaded["arrays"]):
                    assert first.tobytes() == second.tobytes()
                    assert second.flags.writeable
                    assert second.ctypes.data % 8 == 0
                assert (loaded["fortran"] == objects["fortran"]).all()
                assert loaded["fortran"].flags.f_contiguous
                assert loaded["texts"] == objects["texts"]
                assert all((loaded["many"][n] == objects["many"][n]).all() for n in range(3000))
                assert loaded["bytes"] == objects["bytes"]
                assert loaded["frame"].equals(objects["frame"])
                loaded["arrays"][3][0] = 5.0  # memory of its own
                assert oml.ds.load("large", "arrays", to_globals=False)["arrays"][3][0] != 5.0
    finally:
        oml.ds._PIECE_BYTES = before
    plain = oml.ds.describe("large")
    oml.ds.save({"zeros": numpy.zeros(1000000)}, "zeros", compression=True)
    assert oml.ds.describe("zeros")["size"][0] < 100000
    assert plain["size"].sum() > 1000000


def test_pushed_proxy(place: str) -> None:
    """A proxy of a temporary table takes its rows along."""
    frame = pandas.DataFrame(
        {"n": [1, 2, None], "t": ["a", None, "c"], "d": [datetime.date(2024, 1, 2)] * 3}
    )
    oml.ds.save({"pushed": oml.push(frame, dbtypes={"n": "int", "d": "date"})}, "proxies")
    assert oml.ds.describe("proxies")["class"].tolist() == ["oml.DataFrame"]
    loaded = oml.ds.load("proxies", to_globals=False)["pushed"]
    assert type(loaded) is oml.DataFrame
    assert loaded.shape == (3, 3)
    assert loaded.pull()["t"].tolist() == ["a", None, "c"]


# ------------------------------------------------------------------------------------- scripts


def add(a: int, b: int = 1) -> int:
    """Add."""
    return a + b


def test_scripts(place: str) -> None:
    """Worked cases 1, 11 and 12."""
    text = "\nimport math\n\ndef build(r):\n    return math.pi * r\n"
    oml.script.create("TEST", func="def func():return 1 + 1", overwrite=True)
    assert oml.script.load("TEST")() == 2
    oml.script.create("MyBuild", func=text, description="what it is for")
    oml.script.create("b-global", func="def x(): return 3", is_global=True)
    error = fails(oml.DatabaseError, oml.script.create, "TEST", func="def f(): return 1")
    assert error.sqlstate == "42710"
    error = fails(oml.DatabaseError, oml.script.create, "bad", func="def f(: return 1")
    assert error.sqlstate == "22023"

    shown = oml.script.dir()
    assert list(shown.columns) == ["name", "script", "description", "date"]
    shown = oml.script.dir(["TEST", "MyBuild"])
    assert shown["name"].tolist() == ["MyBuild", "TEST"]
    assert shown["description"].tolist() == ["what it is for", None]
    assert shown["script"][0] == text
    every = oml.script.dir(sctype="all")
    assert list(every.columns) == ["owner", "name", "script", "description", "date"]
    assert every[every["name"] == "b-global"]["owner"].tolist() == ["PYQSYS"]
    shown = oml.script.dir(name="Build", regex_match=True, sctype="all")
    assert shown["name"].tolist() == ["MyBuild"]
    assert "b-global" in oml.script.dir(sctype="global")["name"].tolist()
    assert list(oml.script.dir(sctype="granted").columns)[:2] == ["owner", "name"]
    fails(ValueError, oml.script.dir, sctype="other")

    loaded = oml.script.load("MyBuild")
    assert str(type(loaded)) == "<class 'oml.script.script.Callable'>"
    assert str(loaded).startswith("<oml.script.script.Callable object at ")
    assert round(loaded(2), 5) == 6.28319
    assert loaded.get_source().read() == text
    assert str(loaded.get_source()) == text
    oml.script.create("again", func=loaded.get_source().read())
    oml.script.create("and again", func=loaded)
    assert oml.script.load("and again").get_source().read() == text
    assert oml.script.load("b-global", owner="PYQSYS")() == 3
    oml.script.create("of a function", func=add)
    assert oml.script.load("of a function")(1, b=5) == 6
    assert fails(oml.DatabaseError, oml.script.load, "missing").sqlstate == "42704"

    oml.script.drop("TEST")
    assert fails(oml.DatabaseError, oml.script.drop, "TEST").sqlstate == "42704"
    oml.script.drop("TEST", silent=True)
    for name in ("MyBuild", "again", "and again", "of a function"):
        oml.script.drop(name)
    oml.script.drop("b-global", is_global=True)


def test_script_grants(place: str) -> None:
    """Worked case 13."""
    oml.script.create("granted", func="def f(): return 1")
    oml.grant(name="granted", typ="pyqscript")
    shown = oml.script.dir(sctype="grant")
    assert list(shown.columns) == ["name", "grantee"]
    assert shown.values.tolist() == [["granted", "PUBLIC"]]
    oml.revoke(name="granted", typ="pyqscript")
    assert oml.script.dir(sctype="grant").empty
    me = oml.cursor().execute("SELECT current_user::text").fetchone()[0]
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        oml.revoke(name="granted", typ="pyqscript", user=me)
    assert [str(each.message) for each in caught] == [
        f"User {me} did not grant the read privilege of script 'granted' to user {me}."
    ]
    assert caught[0].category is UserWarning
    oml.script.drop("granted")


def test_script_files(place: str) -> None:
    first = "def one(x):\n    # comment\n    return x + 1"
    second = "import math\n\ndef two(x):\n    return math.floor(x)\n"
    oml.script.create("file one", func=first, description='it\'s "first"')
    oml.script.create("file two", func=second)
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("json", "py"):
            path = str(pathlib.Path(folder) / f"scripts.{suffix}")
            oml.export_script(path, name="^file ", regex_match=True)
            fails(FileExistsError, oml.export_script, path)
            oml.export_script(path, name=["file one", "file two"], overwrite=True)
            oml.script.drop("file one")
            oml.script.drop("file two")
            oml.import_script(path)
            shown = oml.script.dir("^file ", regex_match=True)
            assert shown["name"].tolist() == ["file one", "file two"]
            assert shown["description"].tolist() == ['it\'s "first"', None]
            assert oml.script.load("file one")(1) == 2
            assert oml.script.load("file two")(2.5) == 2
            fails(oml.DatabaseError, oml.import_script, path)
            oml.import_script(path, overwrite=True)
        plain = pathlib.Path(folder) / "plain.py"
        plain.write_text("def from_file(a):\n    return a * 2\n\ndef other(a):\n    return a\n")
        oml.import_script(str(plain))
        assert oml.script.load("from_file")(4) == 8
        fails(ValueError, oml.import_script, "scripts.txt")
    for name in ("file one", "file two", "from_file", "other"):
        oml.script.drop(name)
