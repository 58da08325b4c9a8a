"""Operators and functions of numpy and pandas on columns, in each place.

The oracles are numpy and pandas.
"""

from __future__ import annotations

import datetime
import itertools
import operator
from typing import Any

import numpy
import oml
import pandas
from proxy_checks import execute, fails


def signed_frame() -> Any:
    inf = float("inf")
    return pandas.DataFrame(
        {
            "i": [3, -7, 0, 5, 1, -1, 2, 8],
            "j": [2, 0, 0, -3, 4, 7, -2, 1],
            "f": [1.5, -2.5, 0.0, 1e300, -1e-300, inf, -inf, 0.25],
            "g": [-0.5, 3.0, 0.0, 2.0, 2.0, -inf, 0.5, 1e-5],
        }
    )


def same_values(got: Any, wanted: Any, what: Any) -> None:
    """Whether a list from a column has numpy's values, None standing for NaN in whole numbers."""
    values = [float("nan") if value is None else float(value) for value in got]
    numpy.testing.assert_allclose(
        values,
        numpy.asarray(wanted, "float64"),
        rtol=1e-12,
        atol=1e-12 if what[0] == "mod" else 0,  # of differences
        err_msg=str(what),
    )


# ------------------------------------------------------------------------------------- operators


def test_reflected_operators(place: str) -> None:
    # check_sizes: each operator on the same proxy.
    frame = signed_frame()
    proxy = oml.push(frame)
    whole = ("floordiv", "mod")
    names = ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow")
    plain: list[Any] = [2, -3, 0.5, -2.0, True]
    scalars = [*plain, numpy.float64(1.5), numpy.int64(-4), numpy.float32(0.25), numpy.array(3.0)]
    with numpy.errstate(all="ignore"):
        for name in names:
            function = getattr(operator, name)
            for column in ("i", "f"):
                local = frame[column].astype("float64")
                for scalar in scalars:
                    what = (name, column, scalar)
                    right, left = function(proxy[column], scalar), function(scalar, proxy[column])
                    for got in (right, left):
                        assert isinstance(got, (oml.Integer, oml.Float)), (what, type(got))
                    plain_scalar = float(scalar)
                    same_values(right.pull(), numpy_of(function, local, plain_scalar), what)
                    wanted = numpy_of(function, plain_scalar, local)
                    if name in whole and isinstance(left, oml.Integer):
                        wanted = wanted.where(local != 0)  # integers cannot represent it
                    same_values(left.pull(), wanted, (*what, "left"))
            for left_name, right_name in (("i", "j"), ("f", "g"), ("i", "g"), ("g", "j")):
                got = function(proxy[left_name], proxy[right_name])
                one = frame[left_name].astype("float64")
                other = frame[right_name].astype("float64")
                wanted = numpy_of(function, one, other)
                if name in whole and isinstance(got, oml.Integer):
                    wanted = wanted.where(other != 0)
                same_values(got.pull(), wanted, (name, left_name, right_name))
    assert isinstance(5 % proxy["i"], oml.Integer) and isinstance(2 ** proxy["i"], oml.Float)
    assert isinstance(numpy.int64(5) * proxy["i"], oml.Integer)
    quotients, remainders = divmod(proxy["i"], 3)
    assert list(zip(quotients.pull(), remainders.pull())) == [divmod(v, 3) for v in frame["i"]]
    quotients, remainders = divmod(17, proxy["i"] + 10)
    wanted = [divmod(17, value + 10) for value in frame["i"]]
    assert list(zip(quotients.pull(), remainders.pull())) == wanted
    assert (+proxy["i"]).pull() == frame["i"].tolist() and abs(proxy["f"]).pull()[1] == 2.5
    assert (-proxy["f"]).pull() == (-frame["f"]).tolist()
    assert round(proxy["g"], 1).pull() == frame["g"].round(1).tolist()
    assert round(proxy["i"] * 5, -1).pull() == [20, -40, 0, 20, 0, 0, 10, 40]
    wide = oml.sync(query="SELECT (-2147483648)::int4 AS i, (-32768)::int2 AS s")
    assert abs(wide["i"]).pull() == [2**31] and (-wide["s"]).pull() == [2**15]
    for wrong in (
        lambda: "x" * proxy["i"],
        lambda: numpy.array([1, 2]) * proxy["i"],
        lambda: proxy["i"] * numpy.array([1, 2]),
        lambda: [1, 2] + proxy["i"],
        lambda: pandas.Series([1.0] * 8) * proxy["f"],
        lambda: proxy["f"] - pandas.Series([1.0] * 8),
        lambda: proxy["f"] / pandas.DataFrame({"f": [1.0]}),
        lambda: pandas.Series(["a"] * 8) + oml.push(["a"] * 8),
        lambda: pandas.Series([1.0] * 8) < proxy["f"],
        lambda: proxy["f"] == pandas.Series([1.0] * 8),
        lambda: pandas.Series([1.0] * 8) + proxy,
        lambda: proxy * 2,
        lambda: None + proxy["i"],
        lambda: 2j * proxy["i"],
    ):
        fails(TypeError, wrong)
    error = fails(TypeError, lambda: numpy.array([1, 2]) * proxy["i"])
    assert "pull()" in str(error)


def numpy_of(function: Any, left: Any, right: Any) -> Any:
    """numpy's result for floats, with -0.0 treated as zero in divisions, as in PostgreSQL."""
    index = left.index if isinstance(left, pandas.Series) else right.index
    one, other = (numpy.asarray(each, "float64") + 0.0 for each in (left, right))
    if function is operator.pow:  # numpy takes x ** 0.5 for a square root, but not with arrays
        one, other = (each.copy() for each in numpy.broadcast_arrays(one, other))
        function = numpy.power
    found = numpy.asarray(function(one, other), "float64")
    if function is operator.mod:  # whose exact remainder of huge quotients is 0 in PostgreSQL
        is_huge = numpy.isfinite(one) & (other != 0) & (abs(one) / abs(other) >= 2.0**53)
        found = numpy.where(is_huge, 0.0, found)
    return pandas.Series(found, index=index)


def test_powers_at_the_edges(place: str) -> None:
    inf, nan = float("inf"), float("nan")
    values = [0.0, 1.0, -1.0, 0.5, -0.5, 2.0, -2.0, 3.0, -3.0, 0.1, 1e10, -1e10, 1e300, -1e300]
    values += [1e-300, -1e-300, 5e-324, 1.7976931348623157e308, inf, -inf, nan, 1023.0, -1074.0]
    values += [1 / 3, -1023.5, 1.0000000000000002, 710.0, -745.0, 1e17]
    pairs = list(itertools.product(values, values))
    frame = pandas.DataFrame(pairs, columns=["x", "y"])
    text = ", ".join(f"('{x!r}'::float8, '{y!r}'::float8, {n})" for n, (x, y) in enumerate(pairs))
    proxy = oml.sync(query=f"SELECT * FROM (VALUES {text}) AS v(x, y, n)").sort_values("n")
    with numpy.errstate(all="ignore"):
        for name, got, wanted in (
            ("power", proxy["x"] ** proxy["y"], frame["x"].to_numpy() ** frame["y"].to_numpy()),
            ("divide", proxy["x"] / proxy["y"], frame["x"].to_numpy() / frame["y"].to_numpy()),
        ):
            for pair, one, other in zip(pairs, got.pull(), wanted):
                if other != other:
                    assert one != one, (name, pair, one)
                elif abs(other) < 1e-290:  # subnormal numbers lose digits
                    assert abs(one - other) <= 1e-300, (name, pair, one, other)
                elif abs(other) == inf or abs(other) > 1.797693134e308:
                    assert abs(one) > 1.797e308 and (one > 0) == (other > 0), (name, pair, one)
                else:
                    assert abs(one - other) <= 1e-9 * abs(other), (name, pair, one, other)
        lone = proxy["x"]
        for name in ("exp", "log", "sqrt"):
            wanted = getattr(numpy, name)(frame["x"].to_numpy())
            for value, one, other in zip(frame["x"], getattr(lone, name)().pull(), wanted):
                both_nan = one != one and other != other
                near = both_nan or one == other or abs(one - other) <= 1e-12 * abs(other) + 1e-320
                assert near, (name, value, one, other)
    # The text of a query grows with the number of operators, not with its power.
    long = proxy["x"]
    for _ in range(12):
        long = (long / 3.0 + 1.0) % 7.0
    assert len(long._sql) < len(lone._sql) + 12 * 5_000 and len(long.pull()) == len(pairs)
    # One bad row leaves the others alone, in aggregates and conditions too.
    some = oml.push(pandas.DataFrame({"x": [4.0, -4.0, None]}))
    assert some["x"].sqrt().mean() == 2.0 and len(some[some["x"].log() > 0]) == 1
    assert len(some[some["x"].sqrt() < 9]) == 1 and (some["x"] ** 0.5).isnull().sum() == 2
    grouped = some.concat({"root": some["x"].sqrt()}).crosstab("root")
    assert sorted(grouped["count"].pull()) == [1, 2]


def test_comparisons_from_the_left(place: str) -> None:
    # check_sizes: each comparison on the same proxy.
    frame = pandas.DataFrame(
        {
            "f": [1.0, None, -2.0, 3.5],
            "i": [1, 2, 3, 4],
            "d": pandas.to_datetime(["2024-01-01", "2024-01-02", "2024-01-03", "2024-01-04"]),
            "s": ["a", "b", "c", "d"],
            "flag": [True, False, True, False],
        }
    )
    proxy = oml.push(frame)
    for name in ("lt", "le", "eq", "ne", "ge", "gt"):
        function = getattr(operator, name)
        for column, scalar in (
            ("f", numpy.float64(1.0)),
            ("i", numpy.int32(2)),
            ("i", numpy.float64(2.5)),
            ("d", numpy.datetime64("2024-01-02")),
            ("d", pandas.Timestamp("2024-01-02")),
            ("d", datetime.datetime(2024, 1, 2)),
            ("flag", numpy.bool_(True)),
            ("flag", 1),
            ("i", True),
        ):
            for got in (function(scalar, proxy[column]), function(proxy[column], scalar)):
                assert isinstance(got, oml.Boolean), (name, column, type(got))
            got = function(scalar, proxy[column]).pull()
            wanted = function(scalar, frame[column])
            known = [one for one, value in zip(got, frame[column]) if value == value]
            assert known == wanted[frame[column].notna()].tolist(), (name, column, scalar)
    assert proxy[numpy.float64(2.5) < proxy["i"]].pull()["i"].tolist() == [3, 4]
    assert proxy[proxy["i"].isin(numpy.array([1, 4]))]["i"].pull() == [1, 4]
    assert proxy["f"].isin(value for value in (numpy.nan, 3.5)).pull() == [False, True, False, True]
    assert (proxy["flag"] & numpy.bool_(True)).pull() == [True, False, True, False]
    assert (numpy.bool_(False) | proxy["flag"]).pull() == [True, False, True, False]
    assert (proxy["flag"] * proxy["i"]).pull() == [1, 0, 3, 0]
    assert (proxy["i"] + proxy["flag"]).pull() == [2, 2, 4, 4]
    assert (1 - proxy["flag"]).pull() == [0, 1, 0, 1]
    assert proxy[proxy["i"] == proxy["flag"]]["i"].pull() == [1]
    # NaN is no number that is larger than others.
    odd = oml.sync(query="SELECT unnest('{1,NaN,NULL,5}'::float8[]) AS x, 3::float8 AS y")
    for condition in (odd["x"] > 2, odd["x"] * 1 > 2, odd["x"] > odd["y"], odd["y"] < odd["x"]):
        assert odd[condition]["x"].pull() == [5.0], condition._sql
        assert condition.pull() == [False, None, None, True]
    assert (odd["y"] < float("nan")).pull() == [None] * 4
    assert 3.5 in proxy["f"] and 7 not in proxy["f"] and None in proxy["f"]
    assert "a" in proxy["s"] and numpy.int64(4) in proxy["i"]
    assert "x" not in proxy["i"] and 3 not in proxy["s"] and 3 not in proxy["d"]
    fails(TypeError, lambda: proxy["i"] in proxy["f"])
    # Nanoseconds are cut.
    moment = pandas.Timestamp("2024-01-02 00:00:00.000000999")
    assert (proxy["d"] == moment).pull() == [False, True, False, False]
    assert proxy["d"].fillna(moment).count() == 4
    # An index on a column stays usable.
    execute("CREATE TABLE both_indexed AS SELECT i::float8 AS x FROM generate_series(1, 5000) AS i")
    execute("CREATE INDEX ON both_indexed (x)")
    execute("ANALYZE both_indexed")
    indexed = oml.sync(table="both_indexed")
    plan = execute("EXPLAIN " + indexed[indexed["x"] > 4990]._sql)
    assert any("Index" in line for (line,) in plan), plan
    execute("DROP TABLE both_indexed")


def test_times_from_the_left(place: str) -> None:
    point = datetime.datetime(2023, 5, 31, 12)
    frame = pandas.DataFrame(
        {
            "t": [point, datetime.datetime(2020, 2, 29)],
            "d": [datetime.timedelta(1, 7206), datetime.timedelta(-2, 2, 4)],
            "n": [2, 3],
        }
    )
    proxy = oml.push(frame, dbtypes={"d": "INTERVAL DAY TO SECOND", "t": "TIMESTAMP"})
    assert [kind.__name__ for kind in proxy.dtypes] == ["Datetime", "Timedelta", "Integer"]

    def same(got: Any, wanted: Any) -> None:
        listed = [
            v.to_pydatetime() if isinstance(v, pandas.Timestamp) else v.to_pytimedelta()
            for v in wanted
        ]
        assert got.pull() == listed, (got.pull(), listed)

    t, d, n = (proxy[name] for name in frame.columns)
    lt, ld, ln = (frame[name] for name in frame.columns)
    same(t - d * 3, lt - ld * 3)
    same(t + d, lt + ld)
    same(d + t, ld + lt)
    same(point - d, point - ld)
    same(pandas.Timestamp(point) - t, pandas.Timestamp(point) - lt)
    same(datetime.timedelta(1) + t, datetime.timedelta(1) + lt)
    same(t - numpy.timedelta64(90, "m"), lt - numpy.timedelta64(90, "m"))
    same(t - numpy.datetime64("2020-01-01"), lt - numpy.datetime64("2020-01-01"))
    same(pandas.Timedelta(1, "h") - d, pandas.Timedelta(1, "h") - ld)
    same(2 * d, 2 * ld)
    same(n * d, ln * ld)
    same(d * n, ld * ln)
    same(n * datetime.timedelta(0, 3), ln * datetime.timedelta(0, 3))
    same(datetime.timedelta(0, 3) * n, datetime.timedelta(0, 3) * ln)
    same(d / 2, ld / 2)
    same(abs(d), ld.abs())
    same(-d, -ld)
    for got, wanted in (
        (d / datetime.timedelta(0, 60), ld / datetime.timedelta(0, 60)),
        (datetime.timedelta(1) / d, datetime.timedelta(1) / ld),
        (d / d, ld / ld),
    ):
        assert isinstance(got, oml.Float)
        same_values(got.pull(), wanted, "quotients of spans")
    assert (d / datetime.timedelta(0)).pull() == [float("inf"), float("-inf")]
    aware = oml.sync(query="SELECT '2024-01-01 00:00+02'::timestamptz AS z, '1 day'::interval AS d")
    later = datetime.datetime(2024, 1, 1, tzinfo=datetime.timezone.utc) - aware["z"]
    assert later.pull() == [datetime.timedelta(0, 7200)]
    assert isinstance(datetime.datetime.now(datetime.timezone.utc) - aware["d"], oml.Timezone)
    for wrong in (lambda: 3 - t, lambda: d - 3, lambda: n - d, lambda: d * d, lambda: "x" + d):
        fails(TypeError, wrong)


def test_interval_fields(place: str) -> None:
    fields = (
        "day to second", "day to minute", "day to hour", "day", "hour to second", "hour", "minute",
        "minute to second", "second", "second(3)", "day to second(3)",
    )  # fmt: skip
    items = [f"'25:00:01'::interval {kind} AS \"{kind}\"" for kind in fields]
    items += ["'1 day'::interval(2) AS plain", "NULL::interval day to second AS nothing"]
    proxy = oml.sync(query=f"SELECT {', '.join(items)}")
    assert {kind.__name__ for kind in proxy.dtypes} == {"Timedelta"}
    pulled = proxy.pull()
    assert all(str(kind).startswith("timedelta64") for kind in pulled.dtypes), pulled.dtypes
    for name in proxy.columns:
        cut = proxy[name].pull()[0]
        assert cut == (None if pandas.isna(pulled[name][0]) else pulled[name][0].to_pytimedelta())
    assert (proxy["day to second"] * 3).pull() == [datetime.timedelta(0, 3 * 90001)]
    long = oml.sync(
        query="SELECT '1 year 2 mons'::interval year to month AS y, "
        "'{1 day}'::interval day to second[] AS a"
    )
    assert [kind.__name__ for kind in long.dtypes] == ["Timedelta", "String"]
    assert long["y"].pull() == ["1 year 2 mons"]
    made = oml.push([(datetime.timedelta(1),)], dbtypes=["INTERVAL DAY TO SECOND"])
    assert made.materialize().pull().iloc[0, 0] == datetime.timedelta(1)


# ---------------------------------------------------------------------------- numpy's functions


def test_universal_functions(place: str) -> None:
    frame = pandas.DataFrame(
        {"f": [0.3, -0.4, 1.0, 2.0, -8.0, 0.0, None], "i": [1, -2, 3, 0, 5, -6, 7]}
    )
    proxy = oml.push(frame)
    unary = (
        "absolute", "arccos", "arccosh", "arcsin", "arcsinh", "arctan", "arctanh", "cbrt", "ceil",
        "cos", "deg2rad", "degrees", "exp", "fabs", "floor", "isfinite", "isinf", "isnan", "log",
        "log10", "log2", "negative", "positive", "rad2deg", "radians", "reciprocal", "rint", "sign",
        "sin", "sqrt", "square", "tan", "tanh", "trunc",
    )  # fmt: skip
    with numpy.errstate(all="ignore"):
        for name in unary:
            function = getattr(numpy, name)
            for column in ("f", "i"):
                got = function(proxy[column])
                assert type(got).__module__.startswith("oml.core."), (name, type(got))
                values = frame[column].to_numpy().astype("float64")
                same_values(got.pull(), function(values), (name, column))
        for name in ("add", "divide", "float_power", "floor_divide", "fmax", "fmin", "maximum",
                     "minimum", "multiply", "power", "remainder", "subtract"):  # fmt: skip
            function = getattr(numpy, name)
            one, other = frame["f"].to_numpy(), frame["i"].to_numpy().astype("float64")
            same_values(function(proxy["f"], proxy["i"]).pull(), function(one, other), name)
            same_values(function(0.5, proxy["f"]).pull(), function(0.5, one), name)
    low, high = proxy["i"] < 3, proxy["f"] > 0
    assert numpy.logical_and(low, True).pull() == low.pull()
    assert numpy.logical_not(low).pull() == (~low).pull() == numpy.invert(low).pull()
    assert numpy.where(low, 1, 0).pull() == numpy.where(frame["i"] < 3, 1, 0).tolist()
    same_values(numpy.where(low, proxy["f"], proxy["i"]).pull(),
                numpy.where(frame["i"] < 3, frame["f"], frame["i"]), "where")  # fmt: skip
    assert isinstance(numpy.where(high, "yes", "no"), oml.String)
    assert numpy.clip(proxy["i"], -1, 4).pull() == frame["i"].clip(-1, 4).tolist()
    for name in ("sum", "mean", "std", "var", "min", "max", "median", "nanmean", "nanstd"):
        got = getattr(numpy, name)(proxy["i"])
        assert abs(got - getattr(numpy, name)(frame["i"].to_numpy())) < 1e-12, name
    assert abs(numpy.std(proxy["f"], ddof=1) - frame["f"].std()) < 1e-12
    assert numpy.round(proxy["f"], 1).pull()[:2] == [0.3, -0.4]
    assert (numpy.size(proxy["f"]), numpy.shape(proxy["f"]), numpy.ndim(proxy["f"])) == (7, (7,), 1)
    assert numpy.shape(proxy) == (7, 2) and numpy.size(proxy) == 14

    for wrong in (
        lambda: numpy.add.reduce(proxy["i"]),
        lambda: numpy.add(proxy["i"], 1, out=numpy.zeros(7)),
        lambda: numpy.sin(proxy),
        lambda: numpy.concatenate([proxy["i"], proxy["i"]]),
        lambda: numpy.sort(proxy["i"]),
        lambda: numpy.linalg.norm(proxy["i"]),
        lambda: numpy.dot(proxy, proxy),
        lambda: numpy.gcd(proxy["i"], 2),
        lambda: numpy.mean(proxy),
        lambda: numpy.sqrt(oml.push(["x"])),
        lambda: numpy.sum(oml.push(["x"])),
        lambda: numpy.floor(oml.push([b"x"])),
    ):
        fails(TypeError, wrong)


def test_conversions(place: str) -> None:
    frame = pandas.DataFrame(
        {
            "a": [1, 2, 3],
            "b": ["x", None, "z"],
            "f": [0.5, float("nan"), 2.0],
            "t": pandas.to_datetime(["2024-01-01", None, "2024-01-03"]),
            "flag": [True, False, True],
        }
    )
    proxy = oml.push(frame)
    made = pandas.DataFrame(proxy)
    pandas.testing.assert_frame_equal(made, frame, check_dtype=False)
    assert str(made["a"].dtype) == "int64" and str(made["f"].dtype) == "float64"
    for name in frame.columns:
        try:
            local = pandas.Series(proxy[name])
        except TypeError as error:  # older versions of pandas ask whether it is true
            assert "pull()" in str(error)
            local = pandas.Series(numpy.asarray(proxy[name]))
        pandas.testing.assert_series_equal(local, frame[name], check_names=False, check_dtype=False)
        assert numpy.asarray(proxy[name]).shape == (3,)
    numbers = proxy[["a", "f"]]
    numpy.testing.assert_array_equal(numpy.asarray(numbers), frame[["a", "f"]].to_numpy())
    assert numpy.asarray(numbers, dtype="float32").dtype == "float32"
    assert numpy.array(proxy["a"]).tolist() == [1, 2, 3]
    assert list(proxy) == list(frame) and list(proxy["b"]) == ["x", None, "z"]
    assert sorted(proxy["a"]) == [1, 2, 3] and max(proxy["a"]) == 3
    assert pandas.isna(proxy["f"]).tolist() == [False, True, False]
    for lost in (proxy[proxy["a"] > 9], oml.push([(1,)]).rename(["a b"])):
        assert "pull()" in str(fails(TypeError, pandas.DataFrame, lost))
