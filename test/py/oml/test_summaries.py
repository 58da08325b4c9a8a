"""Aggregates, replace, round and pivots of proxies, in each place; the oracle is pandas."""

from __future__ import annotations

import decimal
from fractions import Fraction
from typing import Any

import numpy
import oml
import pandas
from proxy_checks import compare, execute, fails


def numbers_frame() -> Any:
    random = numpy.random.default_rng(5)
    frame = pandas.DataFrame(
        {
            "ID": numpy.arange(200),
            'a"b': random.normal(size=200) ** 3,
            "large": random.normal(1e9, 1, size=200),
            "whole": random.integers(-50, 50, size=200),
            "same": [0.1] * 200,
            "text": random.choice(["x", "y"], size=200),
            "flag": random.random(200) < 0.3,
        }
    )
    frame["holes"] = frame['a"b'].where(random.random(200) < 0.7)
    frame["empty"] = float("nan")
    return frame


# ------------------------------------------------------------------------------ skew and kurtosis


def population_shape(values: Any, name: str, skipna: bool) -> float:
    """The third or fourth moment about the mean, of a population: by its definition, exactly."""
    present = [Fraction(float(value)) for value in values.dropna()]
    if not present or (len(present) < len(values) and not skipna):
        return float("nan")
    mean = sum(present) / len(present)
    second, third, fourth = (
        sum((value - mean) ** power for value in present) / len(present) for power in (2, 3, 4)
    )
    if not second:
        return 0.0
    return float(third) / float(second) ** 1.5 if name == "skew" else float(fourth / second**2 - 3)


def test_shapes(place: str) -> None:
    frame = numbers_frame()
    types = {"empty": "float8"}
    proxy = oml.push(frame, dbtypes=types)
    numeric = frame.drop(columns=["text", "flag"])
    for size in (200, 4, 3, 2, 1, 0):
        part, some = numeric[:size], proxy[proxy["ID"] < size]
        for skipna in (True, False):
            for name in ("skew", "kurtosis"):
                wanted = getattr(part, name)(skipna=skipna)
                if size >= (3 if name == "skew" else 4):
                    wanted["same"] = 0.0  # NaN in version 3 of pandas
                got = getattr(some, name)(skipna=skipna, bias=False)
                pandas.testing.assert_series_equal(got, wanted, rtol=1e-6, atol=1e-12)
                got = getattr(some, name)(skipna=skipna)
                wanted = pandas.Series(
                    {c: population_shape(part[c], name, skipna) for c in part.columns}
                )
                pandas.testing.assert_series_equal(got, wanted, rtol=1e-6, atol=1e-12)
                for column in ('a"b', "whole", "holes"):
                    one = getattr(some[column], name)(skipna=skipna)
                    assert one == got[column] or one != one
    for text in ("{1e-200,1e100,3}", "{1,1e-100,-1,5}", "{NaN,1,2,3,5}"):
        odd = oml.sync(query=f"SELECT unnest('{text}'::float8[]) x")
        wanted = odd.pull()["x"]
        assert abs(odd["x"].skew(bias=False) - wanted.skew()) < 1e-9
    infinite = oml.sync(query="SELECT unnest('{1,2,3,4,Infinity}'::float8[]) x")
    assert pandas.isna(infinite["x"].skew()) and pandas.isna(infinite["x"].kurtosis())
    assert len(proxy[["text"]].skew()) == 0


# ------------------------------------------------------------------------------------ running sums


def test_running_sums(place: str) -> None:
    frame = numbers_frame()
    proxy = oml.push(frame.drop(columns="empty"))
    wanted_columns = ["ID", 'a"b', "large", "whole", "same", "flag", "holes"]
    for by, ascending, position in (
        ("ID", True, "last"),
        ("ID", False, "last"),
        (["text", "ID"], [False, True], "last"),
        (["holes", "ID"], True, "first"),
    ):
        for skipna in (True, False):
            ordered = frame.sort_values(by, ascending=ascending, na_position=position)
            wanted = ordered[wanted_columns].cumsum(skipna=skipna).reset_index(drop=True)
            got = proxy.cumsum(by, ascending, position, skipna)
            assert got.columns == wanted_columns
            pandas.testing.assert_frame_equal(got.pull(), wanted, check_dtype=False)
            pandas.testing.assert_frame_equal(
                got.tail(3).pull(), wanted.tail(3).reset_index(drop=True), check_dtype=False
            )
    kinds = list(map(str, (item.__name__ for item in proxy.cumsum("ID").dtypes)))
    assert kinds == ["Integer", "Float", "Float", "Integer", "Float", "Integer", "Float"]
    for column in ("holes", "whole"):
        for ascending in (True, False):
            summed = frame[column].sort_values(ascending=ascending).cumsum()
            found = proxy[column].cumsum(ascending).pull()
            wanted = pandas.Series([None if pandas.isna(v) else v for v in summed], dtype=object)
            pandas.testing.assert_series_equal(pandas.Series(found, dtype=object), wanted)
    # The rows are the current ones, and int4 would overflow.
    execute("CREATE TABLE both_sums AS SELECT 2147483647 AS i, true AS oml_position")
    sums = oml.sync(table="both_sums").cumsum("i")
    execute("INSERT INTO both_sums VALUES (2147483647, true)")
    assert sums.pull(aslist=True) == [(2**31 - 1, 1), (2**32 - 2, 2)]
    execute("DROP TABLE both_sums")
    fails(ValueError, proxy[["text"]].cumsum, "text")
    fails(KeyError, proxy.cumsum, "nothing")
    fails(ValueError, proxy.cumsum, "ID", na_position="middle")


# ---------------------------------------------------------------------------------- matrix products


def test_products(place: str) -> None:
    frame = numbers_frame().drop(columns=["text", "flag", "empty"])
    proxy = oml.push(frame)
    filled = frame.fillna(0)
    pandas.testing.assert_frame_equal(proxy.t_dot(), filled.T.dot(filled), check_dtype=False)
    left, right = ['a"b', "holes"], ["ID", "whole", "large"]
    wanted = filled[left].T.dot(filled[right])
    pandas.testing.assert_frame_equal(proxy[left].t_dot(proxy[right]), wanted)
    got = proxy[left].t_dot(proxy["whole"] * 2)
    pandas.testing.assert_series_equal(got, filled[left].T.dot(filled["whole"] * 2))
    pandas.testing.assert_frame_equal(
        proxy[left].t_dot(proxy[right], skipna=False), frame[left].T.dot(frame[right])
    )
    lazy = proxy[left].t_dot(proxy[right], pull_from_db=False)
    assert isinstance(lazy, oml.DataFrame)
    rows = lazy.pull(aslist=True)
    assert [row[:2] for row in rows] == [(i, j) for i in (1, 2) for j in (1, 2, 3)]
    assert numpy.allclose([row[2] for row in rows], wanted.to_numpy().ravel())
    holes = proxy[left].t_dot(proxy[right], skipna=False, pull_from_db=False)
    assert [value is None for _, _, value in holes.pull(aslist=True)] == [False] * 3 + [True] * 3
    # More elements than a query has columns.
    wide = oml.push(pandas.DataFrame(numpy.arange(90.0).reshape(2, 45)))
    matrix = wide.pull()
    assert numpy.array_equal(wide.t_dot().to_numpy(), matrix.T.dot(matrix).to_numpy())
    assert proxy[proxy["ID"] < 0, left].t_dot().to_numpy().tolist() == [[0, 0], [0, 0]]
    flags = oml.push(numbers_frame().drop(columns="empty"))
    fails(TypeError, flags.t_dot)
    fails(TypeError, proxy.t_dot, 3)
    fails(ValueError, proxy.t_dot, oml.push(frame))


# ------------------------------------------------------------------------------------- pivot tables


def flattened(table: Any) -> Any:
    """A pivot table of pandas as ours is: one level of names, the index as columns."""
    table = table.copy()
    table.columns = [
        f"{function}({value})_({','.join(map(str, rest)).rstrip(',')})"
        for function, value, *rest in table.columns
    ]
    return table.reset_index()


def test_pivots(place: str) -> None:
    # check_sizes: each option on the same frame.
    frame = pandas.DataFrame(
        {
            "gender": ["M", "M", "F", "M", "F", "M", "F", "F", None, "F", "M", "F"],
            "hand's": ["L", "R", "R", "L", "R", None, "L", "R", "R", "R", "R", "R"],
            "year": [2, 10, 2, 2, 10, 2, 10, 10, 2, 2, 10, 10],
            "speed": [40.5, 30.4, 60.8, 51.2, 54, 29.3, 34.1, 39.6, 46.4, 12, 25.3, None],
            "count": range(12),
        }
    )
    proxy = oml.push(frame)

    def same(got: Any, wanted: Any, index: Any) -> None:
        # pandas drops rows and columns without a value, and has columns in another order.
        pulled = got.pull().dropna(axis=1, how="all").set_index(index)
        pulled = pulled.dropna(how="all").reset_index()
        assert set(pulled.columns) == set(wanted.columns), (got.columns, list(wanted.columns))
        pandas.testing.assert_frame_equal(pulled[list(wanted.columns)], wanted, check_dtype=False)

    functions = ["mean", "max", "min", "median", "std", "count", "nunique", "sum"]
    cases: list[dict[str, Any]] = [
        {"index": "gender", "columns": "hand's", "values": ["speed"]},
        {"index": "hand's", "columns": "gender", "values": ["speed", "count"]},
        {"index": ["year", "gender"], "columns": "hand's", "values": ["speed"]},
        {"index": "year", "columns": ["hand's", "gender"], "values": ["count"]},
    ]
    known = proxy.dropna(subset=["gender", "hand's"])  # pandas has no missing keys
    for case in cases:
        for function in functions:
            wanted = flattened(frame.pivot_table(aggfunc=[function], **case))
            got = known.pivot_table(aggfunc=function, **case)
            same(got, wanted, case["index"])
        both = known.pivot_table(aggfunc=[oml.DataFrame.max, "min"], **case)
        wanted = flattened(frame.pivot_table(aggfunc=["max", "min"], **case))
        same(both, wanted, case["index"])
        # pandas' totals leave out rows with any missing value.
        wanted = flattened(frame.dropna().pivot_table(aggfunc=["mean"], margins=True, **case))
        got = proxy.dropna().pivot_table(margins=True, **case)
        index = [case["index"]] if isinstance(case["index"], str) else case["index"]
        wanted[index] = wanted[index].astype(str)
        same(got, wanted, index)
    means = proxy.pivot_table("gender", "hand's")
    assert means.columns == [
        "gender",
        *(f"mean({v})_({k})" for v in ("count", "speed", "year") for k in ("L", "R", "None")),
    ]
    assert proxy.pivot_table("gender", "hand's", aggfunc="max").shape == (3, 10)
    everything = proxy.pivot_table("gender", "hand's", "count", "count")
    assert everything.pull(aslist=True) == [
        ("F", 1, 5, None),
        ("M", 2, 2, 1),
        (None, None, 1, None),
    ]
    alone = proxy.pivot_table("gender", values=["speed", "hand's"], aggfunc=["max", "mean"])
    assert alone.columns == ["gender", "max(speed)", "max(hand's)", "mean(speed)"]
    totals = proxy.pivot_table("gender", values="count", aggfunc="sum", margins=True)
    assert totals.pull(aslist=True) == [("F", 39.0), ("M", 19.0), (None, 8.0), ("All", 66.0)]
    sparse = oml.push(
        pandas.DataFrame({"k": [1, 1, 2], "c": ["x", "y", "y"], "v": [None, 1.0, 2.0]})
    )
    assert sparse.pivot_table("k", "c", "v").columns == ["k", "mean(v)_(y)"]
    kept = sparse.pivot_table("k", "c", "v", dropna=False)
    assert kept.columns == ["k", "mean(v)_(x)", "mean(v)_(y)"]
    assert sparse.pivot_table("k", "c", "v", "count").columns == [
        "k",
        "count(v)_(x)",
        "count(v)_(y)",
    ]
    named = proxy.pivot_table("gender", "year", "count", "sum", margins=True, margins_name="'all'")
    assert named.columns[-1] == "sum(count)_('all')"
    totals = named.tail(1).pull(aslist=True)
    assert totals == [("'all'", 27.0, 39.0, 66.0)], (totals, named.pull())
    assert proxy.crosstab("gender", "year")["count"].pull() == [2, 4, 3, 2, 1]
    # Values and names of any kind; names that PostgreSQL would shorten to the same one.
    long = ["é" * 60 + end for end in ("a", "b", "c'\"\\")]
    odd = pandas.DataFrame({'k"': [1, 1, 1], "c;": long, "v": [1.5, 2.5, 3.5], "%s": [b"x"] * 3})
    table = oml.push(odd).pivot_table('k"', "c;", "v")
    assert len(set(table.columns)) == 4 and max(len(n.encode()) for n in table.columns) <= 63
    assert table.pull(aslist=True) == [(1, 1.5, 2.5, 3.5)]
    when = pandas.DataFrame(
        {"d": pandas.to_datetime(["2024-01-01", "2024-01-02"]), "b": [True, False]}
    )
    turned = oml.push(when.assign(n=[1, 2])).pivot_table("b", "d", "n", "max")
    assert turned.columns == ["b", "max(n)_(2024-01-01 00:00:00)", "max(n)_(2024-01-02 00:00:00)"]
    assert turned.pull(aslist=True) == [(False, None, 2), (True, 1, None)]
    empty = proxy[proxy["count"] < 0].pivot_table("gender", "hand's", margins=True)
    assert len(empty) == 0
    wrong: Any
    for wrong in (
        ("gender", "gender"),
        ("gender", []),
        ("gender", "year", "speed", "mode"),
        ("gender", "year", "speed", ["max", "max"]),
        ("gender", "year", []),
    ):
        fails(ValueError, proxy.pivot_table, *wrong)
    fails(TypeError, proxy.pivot_table, "gender", "year", "hand's", "mean")
    fails(KeyError, proxy.pivot_table, "gender", "nothing")
    many = oml.push(pandas.DataFrame({"i": [1] * 1700, "c": range(1700), "v": range(1700)}))
    fails(ValueError, many.pivot_table, "i", "c")
    assert many[many["c"] < 1599].pivot_table("i", "c").pull().shape == (1, 1600)


# -------------------------------------------------------------------------------- replace and round


def test_replacing(place: str) -> None:
    nan = float("nan")
    frame = pandas.DataFrame(
        {
            "ID": range(6),
            "n": [1, 2, 3, 1, 2, 3],
            "f": [1.0, nan, 2.5, -1.0, 1.0, float("inf")],
            'te"xt': ["a", None, "it's", "A", "$1 %s {0}", "\\"],
            "flag": [True, False, True, None, False, True],
        }
    )
    proxy = oml.push(frame)
    numbers = ["n", "f"]
    old: Any
    new: Any
    for old, new in (([1], [7]), ([1, 2.5, nan], [0, 1.5, -1.0]), ([float("inf")], [3.0])):
        got = proxy.replace(old, new, columns=numbers)
        wanted = frame.copy()
        wanted[numbers] = frame[numbers].replace(old, new)
        compare(got, wanted)
    got = proxy[["n", "f", 'te"xt']].replace([1, 3], [3, 1])  # all numbers, not one after the other
    assert got["n"].pull() == [3, 2, 1, 3, 2, 1] and got['te"xt'].pull() == proxy['te"xt'].pull()
    assert isinstance(got["n"], oml.Integer) and isinstance(got["f"], oml.Float)
    assert isinstance(proxy["n"].replace([1], [0.5]), oml.Float)
    assert proxy["n"].replace([1, 2], [10, None]).pull() == [10, None, 3, 10, None, 3]
    assert proxy["n"].replace([1], [2**70]).max() == float(2**70)
    assert proxy["n"].replace([1, 2], [5, 6], default=0).pull() == [5, 6, 0, 5, 6, 0]
    holes: list[Any] = [None]
    assert proxy["f"].replace(holes, [4], default=-9).pull() == [-9, 4, -9, -9, -9, -9]
    old = proxy['te"xt'].pull()
    new = ["1", "b", "'", "\\'", "{0}", '"']
    assert proxy.replace(old, new).pull()['te"xt'].tolist() == new
    assert proxy['te"xt'].replace(["a"], ["b"], default="other").pull() == ["b"] + ["other"] * 5
    assert proxy["flag"].replace([True, None], [False, True]).pull() == [
        False, False, False, True, False, False,
    ]  # fmt: skip
    # Conditions on the same rows still apply.
    replaced = proxy.replace([1], [100], columns=["n"])
    assert replaced[proxy["n"] == 1]["n"].pull() == [100, 100]
    exact = oml.sync(query="SELECT 1.10 AS d, 'x'::varchar(1) AS v, 'y'::char(3) AS c")
    got = exact["d"].replace([decimal.Decimal("1.1")], [decimal.Decimal("2.345678901234567891")])
    assert got._frame().pull(aslist=True) == [(decimal.Decimal("2.345678901234567891"),)]
    assert exact.replace(["x", "y"], ["long", "longer"])[["v", "c"]].pull(aslist=True) == [
        ("long", "longer")
    ]
    fails(ValueError, proxy.replace, [1, 2], [1])
    fails(ValueError, proxy.replace, [], [])
    fails(ValueError, proxy.replace, [None], [nan])
    fails(ValueError, proxy.replace, [1], ["x"])
    fails(TypeError, proxy.replace, [1], [2], default="x")
    fails(TypeError, proxy.replace, "ab", "cd")
    fails(TypeError, proxy.replace, [b"x"], [b"y"])
    fails(ValueError, proxy.replace, [1], [2], columns='te"xt')
    fails(ValueError, proxy.replace, [None], [2], columns='te"xt')
    fails(KeyError, proxy.replace, [1], [2], columns="nothing")


def test_order_by_what_was_sorted(place: str) -> None:
    frame = pandas.DataFrame({"a": [1, 2, 3, 1], "b": [3, 1, 2, 3], "c": [7, 8, 9, 6]})
    proxy = oml.push(frame).sort_values("a")
    swapped = proxy[:, :].rename({"a": "b", "b": "a"})
    assert swapped["b"].pull() == swapped.pull()["b"].tolist() == [1, 1, 2, 3]
    assert swapped.head(3).pull()["b"].tolist() == [1, 1, 2]
    assert proxy.replace([1], [9], columns="a").pull()["a"].tolist() == [9, 9, 2, 3]
    assert proxy.concat({"d": -proxy["a"]}).rename({"a": "x", "d": "a"}).pull()["a"].tolist() == [
        -1, -1, -2, -3,
    ]  # fmt: skip
    renamed = oml.push(frame).sort_values("c").rename({"b": "c", "c": "b"})
    once = renamed.drop_duplicates("c", keep="first")
    assert sorted(once.pull(aslist=True)) == [(1, 3, 6), (2, 1, 8), (3, 2, 9)]


def test_rounding(place: str) -> None:
    values = [0.5, 1.5, 2.5, -2.5, 0.125, 2.675, 1234567.891, 1e300, 1.7e308, -1e-300, 5e-324, 0.0]
    values += [float("inf"), float("nan"), 15.0, 25.0, 4503599627370497.5, 1 / 3]
    frame = pandas.DataFrame({"i": range(len(values)), "x": values, "s": "text"})
    proxy = oml.push(frame)
    for decimals in (0, 1, 2, 5, 14, 20, -1, -2, -5, -300):
        # numpy's own multiplication becomes infinite for the largest.
        with numpy.errstate(all="ignore"):
            wanted = frame["x"].round(decimals)
        wanted = wanted.where(frame["x"].abs() < 1e290, frame["x"]) if decimals >= 0 else wanted
        got = proxy.round(decimals)
        assert got.columns == ["i", "x", "s"]
        pandas.testing.assert_series_equal(got.pull()["x"], wanted)
        assert got["i"].pull() == list(range(len(values)))
    assert proxy["x"].round().pull()[:4] == [0.0, 2.0, 2.0, -2.0]
    exact = oml.sync(query="SELECT 2.5 AS a, 1.005::numeric(10,3) AS b, 0.5::real AS c, 5 AS d")
    rounded = exact.round(2)
    assert rounded.pull(aslist=True) == [(decimal.Decimal("2.50"), decimal.Decimal("1.01"), 0.5, 5)]
    assert [kind.__name__ for kind in rounded.dtypes] == ["Float", "Float", "Float", "Integer"]
    assert exact.round(0).pull(aslist=True) == [(3, 1, 0.0, 5)]
    fails(ValueError, proxy.round, 309)
    fails(TypeError, proxy.round, 1.5)
