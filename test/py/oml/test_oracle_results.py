"""Results that Oracle's published notebooks show, in each place."""

from __future__ import annotations

import datetime
import decimal
import gc
from collections import OrderedDict
from typing import Any

import numpy
import oml
import pandas
from proxy_checks import fails


def hands_frame() -> Any:
    return pandas.DataFrame(
        {
            "GENDER": ["M", "M", "F", "M", "F", "M", "F", "F", None, "F", "M", "F"],
            "HAND": ["L", "R", "R", "L", "R", None, "L", "R", "R", "R", "R", "R"],
            "SPEED": [40.5, 30.4, 60.8, 51.2, 54, 29.3, 34.1, 39.6, 46.4, 12, 25.3, 37.5],
            "ACCURACY": [0.92, 0.94, 0.87, 0.9, 0.85, 0.97, 0.96, 0.93, 0.89, 0.84, 0.91, 0.95],
        }
    )


def rows_of(proxy: Any) -> list[Any]:
    """Rows, with fractions of six digits."""
    return [
        tuple(round(value, 6) if isinstance(value, float) else value for value in row)
        for row in proxy.pull(aslist=True)
    ]


def test_names_that_are_made(place: str) -> None:
    local = {"id": [1, 2], "val": ["a", "b"], "ch": ["p", "q"], "num": [4, 6.5]}
    proxy = oml.push(pandas.DataFrame(local))
    x, y = proxy[["id", "val"]], proxy[["num", "ch"]]
    z, w = proxy[:, "id"], (proxy["num"] * 2).exp().round(decimals=2)
    shared = proxy[["id", "num"]]
    for got, wanted in (
        (x.merge(y), ["id_l", "val_l", "num_r", "ch_r"]),
        (x.merge(shared, on="id", suffixes=[".l", ".r"]), ["id", "val.l", "num.r"]),
        (x.merge(y, left_on="id", right_on="num", how="right"), ["id_l", "val_l", "num_r", "ch_r"]),
        (x.merge(shared, on="id", suffixes=["", ""]), ["id", "val", "num"]),
        (x.concat(y), ["id", "val", "num", "ch"]),
        (x.concat([z, w, y], auto_name=True), ["id", "val", "id3", "num", "num5", "ch"]),
        (
            x.concat(OrderedDict([("ID", z), ("round", w), ("New_", y)])),
            ["id", "val", "ID", "round", "New_num", "New_ch"],
        ),
        (proxy.concat(proxy["num"] > 5), ["id", "val", "ch", "num", "COL5"]),
        (z.concat(proxy["num"]), ["id", "num"]),
        (z.concat([proxy["num"] > 5, z.isnull()]), ["id", "COL2", "COL3"]),
        (x.concat(proxy[["id"]], auto_name=True), ["id", "val", "id3"]),
        (oml.DataFrame(~(proxy["num"] > 5)), ["COL1"]),
        (proxy.concat({"more": proxy["num"] > 5}), [*local, "more"]),
    ):
        assert got.columns == wanted, (got.columns, wanted)
        assert got.pull().columns.tolist() == wanted
    assert rows_of(x.concat(w)) == [(1, "a", 2980.96), (2, "b", 442413.39)]
    fails(ValueError, x.concat, z)
    fails(ValueError, x.concat, [])
    fails(TypeError, x.concat, [3])
    renamed = proxy[["id", "num"]]
    same = renamed.rename({"num": "n"})
    assert renamed.columns == ["id", "n"] == same.columns and renamed["n"].pull() == [4.0, 6.5]
    renamed.rename(columns=["a", "b"])
    assert renamed.columns == ["a", "b"] and same.columns == ["id", "n"]
    assert proxy.columns == list(local)


def test_tables_as_recorded(place: str) -> None:
    proxy = oml.push(hands_frame())
    counts = proxy.crosstab("GENDER", "HAND")
    assert sorted(rows_of(counts), key=str) == sorted(
        [
            ("F", "R", 5),
            ("M", "R", 2),
            ("M", "L", 2),
            (None, "R", 1),
            ("M", None, 1),
            ("F", "L", 1),
        ],
        key=str,
    )
    assert counts.sort_values("count", ascending=False).head(1).pull(aslist=True) == [("F", "R", 5)]
    shares = proxy.crosstab("GENDER", "HAND", pivot=True, margins=True, normalize=0)
    assert shares.columns == ["GENDER", "count_(L)", "count_(R)", "count_(None)"]
    assert rows_of(shares) == [
        ("F", 0.166667, 0.833333, 0.0),
        ("M", 0.4, 0.4, 0.2),
        (None, 0.0, 1.0, 0.0),
        ("All", 0.25, 0.666667, 0.083333),
    ]
    means = proxy.pivot_table("GENDER", "HAND", "SPEED")
    assert means.columns == ["GENDER", "mean(SPEED)_(L)", "mean(SPEED)_(R)", "mean(SPEED)_(None)"]
    assert rows_of(means) == [("F", 34.1, 40.78, None), ("M", 45.85, 27.85, 29.3),
                              (None, None, 46.4, None)]  # fmt: skip
    medians = proxy.pivot_table("GENDER", "HAND", aggfunc=oml.DataFrame.median)
    assert medians.columns == [
        "GENDER",
        *(f"median({v})_({k})" for v in ("ACCURACY", "SPEED") for k in ("L", "R", "None")),
    ]
    assert rows_of(medians)[1] == ("M", 0.91, 0.925, 0.97, 45.85, 27.85, 29.3)
    ends = proxy.pivot_table(
        "GENDER", "HAND", "SPEED", aggfunc=[oml.DataFrame.max, oml.DataFrame.min], margins=True
    )
    assert ends.columns == [
        "GENDER",
        *(f"{f}(SPEED)_({k})" for f in ("max", "min") for k in ("L", "R", "None", "All")),
    ]
    assert rows_of(ends) == [
        ("F", 34.1, 60.8, None, 60.8, 34.1, 12.0, None, 12.0),
        ("M", 51.2, 30.4, 29.3, 51.2, 40.5, 25.3, 29.3, 25.3),
        (None, None, 46.4, None, 46.4, None, 46.4, None, 46.4),
        ("All", 51.2, 60.8, 29.3, 60.8, 34.1, 12.0, 29.3, 12.0),
    ]
    median = proxy.crosstab(["GENDER"], values="SPEED", aggfunc=oml.DataFrame.median)
    assert median.columns == ["GENDER", "median(SPEED)"]
    assert rows_of(median) == [("F", 38.55), ("M", 30.4), (None, 46.4)]


def test_tables_as_pandas_has_them(place: str) -> None:
    # check_sizes: each option on the same frame.
    random = numpy.random.default_rng(11)
    frame = pandas.DataFrame(
        {
            "a": random.choice(["x", "y", "z"], 300),
            "b": random.choice(["p", "q"], 300),
            "n": random.integers(1, 4, 300),
            "v": random.normal(size=300),
            "All": "taken",
        }
    )
    proxy = oml.push(frame)

    def same(got: Any, wanted: Any) -> None:
        table = got.pull()
        numpy.testing.assert_allclose(
            table.iloc[:, 1:].to_numpy("float64"), wanted.to_numpy("float64"), rtol=1e-9
        )
        assert table.iloc[:, 0].tolist() == [str(label) for label in wanted.index]

    for margins in (True, False):
        for normalize in (False, True, "all", "index", "columns", 0, 1):
            for values, function in ((None, None), ("v", "max"), ("n", "sum")):
                if normalize and function == "max":
                    continue  # pandas takes totals of maxima, which may be of both signs
                more = {}
                if values:
                    more = {"values": frame[values], "aggfunc": function}
                wanted = pandas.crosstab(
                    frame["a"], frame["b"], margins=margins, normalize=normalize, **more
                )
                got = proxy.crosstab("a", "b", values, aggfunc=function, margins=margins,
                                     normalize=normalize, pivot=True)  # fmt: skip
                same(got, wanted)
                # The relational table has the same cells.
                cells = proxy.crosstab("a", "b", values, aggfunc=function, margins=margins,
                                       normalize=normalize)  # fmt: skip
                title = f"{function}({values})" if values else "count"
                assert cells.columns == ["a", "b", title]
                turned = cells.pull().pivot(index="a", columns="b", values=title)
                turned = turned.loc[wanted.index, wanted.columns]
                numpy.testing.assert_allclose(
                    turned.to_numpy("float64"), wanted.to_numpy("float64"), rtol=1e-9
                )
    several = proxy.crosstab(["a", "n"], "b", margins=True, pivot=True)
    wanted = pandas.crosstab([frame["a"], frame["n"]], frame["b"], margins=True)
    assert several.pull().iloc[:, 2:].to_numpy().tolist() == wanted.to_numpy().tolist()
    assert several.pull().iloc[-1, :2].tolist() == ["All", ""]
    alone = proxy.crosstab("a", normalize=True, margins=True, margins_name="sum")
    wanted = frame["a"].value_counts(normalize=True).sort_index()
    assert alone.pull().iloc[-1].tolist() == ["sum", 1.0]
    numpy.testing.assert_allclose(alone.pull()["count"][:-1], wanted)
    named = proxy.crosstab("a", "b", rownames="A", colnames=["B"])
    assert named.columns == ["A", "B", "count"]
    assert isinstance(proxy.crosstab("n")["n"], oml.Integer)
    assert isinstance(proxy.crosstab("n", margins=True)["n"], oml.String)
    # NULL, the empty string and a text None are three values, with names of their own.
    odd = oml.push(pandas.DataFrame({"k": ["None", None, "", "NULL"], "v": [1, 2, 3, 4]}))
    assert sorted(odd.crosstab("k")["count"].pull()) == [1] * 4
    wide = oml.push(pandas.DataFrame({"i": [1] * 4, "k": ["None", None, "", "NULL"]}))
    turned = wide.crosstab("i", "k", pivot=True)
    assert set(turned.columns[1:]) == {
        "count_()", "count_(None)", "count_(NULL)", "count_(None)~1",
    }  # fmt: skip
    assert turned.pull(aslist=True) == [(1, 1, 1, 1, 1)]
    for wrong in (
        {"values": "v"},
        {"aggfunc": "mean"},
        {"values": "v", "aggfunc": "mode"},
        {"values": "v", "aggfunc": ["min", "max"]},
        {"normalize": "rows"},
        {"rownames": ["A", "B"]},
        {"rownames": "A", "pivot": True},
        {"columns": "a"},
    ):
        fails(ValueError, proxy.crosstab, "a", **wrong)
    fails(TypeError, proxy.crosstab, "a", values="b", aggfunc="mean")


def test_one_hot_encoding(place: str) -> None:
    """The way of Oracle's notebook on it."""
    proxy = oml.push(
        pandas.DataFrame({"ID": ["c1", "c2", "c3"], "CITY": ["NY", "CA", None], "SEX": list("MFM")})
    )
    result = proxy[["ID"]]
    for column in ("CITY", "SEX"):
        pivot = proxy.crosstab(["ID"], column).pivot_table(
            ["ID"], column, "count", aggfunc=oml.DataFrame.count
        )
        names = [column + "_" + name.split("_")[1][1:-1] for name in pivot.columns[1:]]
        pivot.rename(columns=["ID", *names])
        result = result.merge(pivot, on="ID", how="inner", suffixes=["", ""])
    for name in result.columns[1:]:
        result = result.replace(old=[None], new=[0.0], default=1.0, columns=[name])
    assert result.columns == ["ID", "CITY_CA", "CITY_NY", "CITY_None", "SEX_F", "SEX_M"]
    assert sorted(result.pull(aslist=True)) == [
        ("c1", 0, 1, 0, 0, 1),
        ("c2", 1, 0, 0, 1, 0),
        ("c3", 0, 0, 1, 0, 1),
    ]


def test_summaries_as_recorded(place: str) -> None:
    proxy = oml.push(
        pandas.DataFrame(
            {
                "numeric_col": [1, 1.4, -4, 3.145, 5, None],
                "string_col": [None, None, "a", "a", "a", "b"],
                "bytes_col": [b"a", b"b", b"c", b"c", b"d", b"e"],
            }
        ),
        dbtypes={"numeric_col": "BINARY_DOUBLE", "string_col": "CHAR(1)", "bytes_col": "RAW(1)"},
    )
    proxy = proxy.concat(proxy["numeric_col"] > 3)
    proxy.rename({"COL4": "boolean_col"})
    every = proxy.describe(include="all")
    assert every.index.tolist() == [
        "count", "unique", "top", "freq", "mean", "std", "min", "25%", "50%", "75%", "max",
    ]  # fmt: skip
    assert every["string_col"].dropna().tolist() == [4, 2, "a", 3]
    assert every["bytes_col"].dropna().tolist() == [6, 5, b"c", 2]
    assert every["boolean_col"].dropna().tolist() == [5, 2, False, 3]
    numbers = [5, 1.309, 3.364655, -4, 1, 1.4, 3.145, 5]
    assert every["numeric_col"].dropna().round(6).tolist() == numbers
    others = proxy.describe(exclude=[oml.Float])
    assert others.columns.tolist() == ["string_col", "bytes_col", "boolean_col"]
    assert others.index.tolist() == ["count", "unique", "top", "freq"]
    assert proxy.describe().columns.tolist() == ["numeric_col"]
    assert (
        proxy.describe(include=["String", oml.Bytes]).columns.tolist()
        == others.columns.tolist()[:2]
    )
    assert proxy[["string_col"]].describe().loc["top", "string_col"] == "a"
    assert abs(proxy["numeric_col"].skew() + 0.683838) < 1e-6
    assert abs(proxy["numeric_col"].kurtosis() + 0.582684) < 1e-6
    assert proxy.sum().round(3).to_dict() == {"numeric_col": 6.545, "boolean_col": 2.0}
    some = proxy["numeric_col"].describe(percentiles=[0.95, 0.05, 0.125])
    assert some.index.tolist() == ["count", "mean", "std", "min", "5%", "12.5%", "95%", "max"]
    local = proxy["numeric_col"]._frame().pull()["numeric_col"]
    for label, share in (("5%", 0.05), ("12.5%", 0.125), ("95%", 0.95)):
        assert abs(some[label] - local.quantile(share)) < 1e-12
    assert proxy["numeric_col"].describe(False).index.tolist() == [
        "count",
        "mean",
        "std",
        "min",
        "max",
    ]
    text = proxy["string_col"].describe()
    assert text.name == "string_col" and text.tolist() == [4, 2, "a", 3]
    days = oml.push([datetime.datetime(2024, 1, n) for n in (1, 1, 2)]).describe()
    assert days.tolist() == [3, 2, datetime.datetime(2024, 1, 1), 2]
    odd = oml.sync(query="SELECT '{\"a\": 1}'::json AS j, point(1, 2) AS p, NULL::text AS n")
    assert odd.describe().loc["unique"].tolist() == [1, 1, 0] and odd["j"].nunique() == 1
    assert odd.nunique().tolist() == [1, 1, 0]
    for wrong in ([1.5], [-0.1], [0.5, 0.5]):
        fails(ValueError, proxy.describe, percentiles=wrong)
    fails(ValueError, proxy.describe, include=[oml.Timezone])


def test_correlations(place: str) -> None:
    nan = float("nan")
    small = oml.push(pandas.DataFrame({"A": [0, 1, 1.5, 3], "B": [0, None, 4, 6]}), oranumber=False)
    recorded = small.corr()
    assert recorded.round(6).to_numpy().tolist() == [[1.0, 0.981981], [0.981981, 1.0]]
    unskipped = small.corr(skipna=False).to_numpy().tolist()
    assert unskipped[0][0] == unskipped[1][1] == 1.0 and unskipped[0][1] != unskipped[0][1]
    random = numpy.random.default_rng(3)
    frame = pandas.DataFrame(
        {
            "x": random.normal(size=400),
            "whole": random.integers(0, 6, 400),
            "flag": random.random(400) < 0.4,
            "same": 1.5,
        }
    )
    frame["y"] = frame["x"] * 2 + random.normal(size=400)
    frame["ties"] = frame["y"].round(0)
    frame["down"] = -(frame["x"] ** 3)
    frame["holes"] = frame["x"].where(random.random(400) < 0.7)
    frame["few"] = [1.0, 2.0, 4.0] + [nan] * 397
    proxy = oml.push(frame.assign(text="t"))
    for method in ("pearson", "kendall", "spearman"):
        for periods in (1, 4):
            got = proxy.corr(method, min_periods=periods)
            wanted = frame.assign(flag=frame["flag"].astype(int)).corr(method, periods)
            wanted.loc["same", "same"] = nan  # pandas does not look at it
            pandas.testing.assert_frame_equal(got, wanted, atol=1e-9)
    for size in (0, 1, 2, 3):
        part = proxy[proxy["few"].isnull() == False][["few", "x"]].head(size)  # noqa: E712
        for method in ("pearson", "kendall", "spearman"):
            got = part.corr(method).loc["few", "x"]
            local = part.pull().astype("float64")
            wanted = local.corr(method).loc["few", "x"] if size > 1 else nan
            assert (got != got and wanted != wanted) or abs(got - wanted) < 1e-12, (method, size)
    infinite = oml.push(pandas.DataFrame({"a": [1.0, 2.0, 3.0, float("inf")], "b": [1.0, 2, 3, 0]}))
    assert infinite.corr().loc["a", "b"] == 1.0
    assert numpy.isnan(infinite.corr(skipna=False).loc["a", "b"])
    many = oml.sync(
        query="SELECT i AS a, (i * 7919) % 5003 AS b FROM generate_series(1, 5000) AS i"
    )
    tau = many.corr("kendall").loc["a", "b"]
    rows = many.pull()
    assert abs(tau - rows["a"].corr(rows["b"], "kendall")) < 1e-9
    fails(ValueError, proxy.corr, "other")
    assert proxy[["text"]].corr().shape == (0, 0)


def test_duplicates_and_missing_values(place: str) -> None:
    nan = float("nan")
    frame = pandas.DataFrame(
        {
            "numeric": [1, 1.4, -4, -4, 5.432, nan, nan],
            "string1": [None, None, "a", "a", "a", "b", None],
            "string2": ["x", None, "z", "z", "z", "x", None],
            "flag": [True, False, True, True, False, None, True],
            "raw": [b"b", b"a", b"d", b"c", None, None, b"x"],
        }
    )
    proxy = oml.push(frame, dbtypes={"string1": "CHAR(1)", "string2": "CHAR(1)"})
    once = proxy.drop_duplicates(subset=["string1", "string2"])
    assert once.columns == list(frame) and sorted(once.pull(aslist=True), key=str) == sorted(
        [
            (1.0, None, "x", True, b"b"),
            (1.4, None, None, False, b"a"),
            (-4.0, "a", "z", False, b"c"),
            (None, "b", "x", None, None),
        ],
        key=str,
    )
    assert len(proxy.drop_duplicates()) == 7
    assert len(proxy[["numeric", "string1", "string2"]].drop_duplicates()) == 6
    odd = oml.sync(query="SELECT 1 AS k, '{2}'::int[] AS a, '{}'::json AS j, point(1, 1) AS p "
                   "UNION ALL SELECT 1, '{1,9}', NULL, NULL")  # fmt: skip
    assert [str(v) for v in odd.drop_duplicates("k").pull(aslist=True)[0]][:2] == ["1", "[1 9]"]
    fails(ValueError, proxy.drop_duplicates, "string1", keep="last")
    # Of so many missing values a row is dropped.
    some = proxy[["numeric", "string1", "string2"]]
    for thresh, count in ((1, 3), (2, 5), (3, 6), (4, 7)):
        assert len(some.dropna(thresh=thresh)) == count, thresh
    assert len(some.dropna()) == 3 and len(some.dropna(how="all")) == 6
    assert len(some.dropna(subset=["numeric"])) == 5


def test_membership_in_columns(place: str) -> None:
    proxy = oml.push(pandas.DataFrame({"k": [1, 2, 3, 4], "f": [0.5, None, 2.0, float("nan")]}))
    other = oml.push(pandas.DataFrame({"x": [2.0, 4.0, 4.0, 0.5], "y": [None, "b", "c", "d"]}))
    assert proxy["k"].isin(other["x"]).pull() == [False, True, False, True]
    assert proxy["f"].isin(other["x"]).pull() == [True, False, True, False]
    assert other["y"].isin(oml.push(["b", None], dbtypes=["text"])).pull() == [
        True, True, False, False,
    ]  # fmt: skip
    assert proxy["k"].isin(proxy["f"]).pull() == [False, True, False, False]
    kept = proxy[proxy["k"].isin(other[other["x"] > 3]["x"])]
    del other
    gc.collect()
    assert kept["k"].pull() == [4]
    wide = oml.push(pandas.DataFrame({f"c{n}": [float(n), 1.0] for n in range(300)}))
    assert wide.describe().shape == (8, 300) and wide.describe().loc["max", "c299"] == 299.0


def test_replacing_by_other_sorts(place: str) -> None:
    frame = hands_frame().assign(flag=[True, False, None] * 4, n=range(12))
    proxy = oml.push(frame)
    coded = proxy.replace(old=["M"], new=[1.0], default=0.0, columns=["GENDER"])
    assert isinstance(coded["GENDER"], oml.Float) and coded["GENDER"].sum() == 5
    assert coded["GENDER"].pull() == [float(value == "M") for value in frame["GENDER"]]
    known = ["M", "F", None]
    assert proxy["GENDER"].replace(known, [1, 2, 3], default=0).pull()[:9] == [
        1, 1, 2, 1, 2, 1, 2, 2, 3,
    ]  # fmt: skip
    assert isinstance(proxy["GENDER"].replace(known, [1, 2, 3], default=0), oml.Float)
    assert proxy["n"].replace([0, 1], ["zero", "one"], default="more").pull()[:3] == [
        "zero", "one", "more",
    ]  # fmt: skip
    assert proxy["flag"].replace([True, False], ["yes", "no"], default="?").pull()[:3] == [
        "yes", "no", "?",
    ]  # fmt: skip
    assert proxy["n"].replace([0], [True], default=False).pull()[:2] == [True, False]
    assert proxy["GENDER"].replace([None], [0.0], default=1.0).sum() == 11
    filled = proxy.replace(old=["M", "DIV", None], new=["MALE", "D", "UNKNOWN"], columns=["GENDER"])
    assert filled["GENDER"].pull()[8] == "UNKNOWN"
    fails(ValueError, proxy.replace, ["M"], [1.0], columns=["GENDER"])
    fails(ValueError, proxy.replace, [1.0], ["M"], default="x", columns=["GENDER"])
    fails(ValueError, proxy["GENDER"].replace, [None], [1.0])
    fails(TypeError, proxy.replace, ["M"], [1.0], default="x")


def test_casts(place: str) -> None:
    frame = pandas.DataFrame(
        {
            "s": ["1", "-2.75", None],
            "f": [1.75, -2.75, None],
            "i": [0, 1, 2**53 + 1],
            "flag": [True, False, None],
            "t": [datetime.datetime(2024, 2, 29, 1), None, datetime.datetime(2020, 1, 1)],
            "b": ["é".encode(), b"x", None],
            "span": [datetime.timedelta(1, 3), None, datetime.timedelta(0)],
        }
    )
    proxy = oml.push(frame)
    for made, kind, wanted in (
        (oml.Float(proxy["s"]), "Float", [1.0, -2.75, None]),
        (oml.Float(proxy["flag"]), "Float", [1.0, 0.0, None]),
        (oml.Float(proxy["i"]), "Float", [0.0, 1.0, float(2**53)]),
        (oml.Integer(proxy["f"]), "Integer", [1, -2, None]),
        (oml.Integer(proxy["flag"]), "Integer", [1, 0, None]),
        (oml.Boolean(proxy["i"]), "Boolean", [False, True, True]),
        (oml.String(proxy["i"]), "String", ["0", "1", str(2**53 + 1)]),
        (oml.String(proxy["flag"]), "String", ["true", "false", None]),
        (oml.String(proxy["b"]), "String", ["é", "x", None]),
        (oml.Bytes(oml.String(proxy["b"])), "Bytes", frame["b"].tolist()),
        (oml.Timezone(proxy["t"]), "Timezone", [
            value.replace(tzinfo=datetime.timezone.utc) if value else None
            for value in (datetime.datetime(2024, 2, 29, 1), None, datetime.datetime(2020, 1, 1))
        ]),
        (oml.Datetime(oml.Timezone(proxy["t"])), "Datetime", [
            datetime.datetime(2024, 2, 29, 1), None, datetime.datetime(2020, 1, 1)]),
        (oml.Datetime(oml.String(proxy["t"])), "Datetime", [
            datetime.datetime(2024, 2, 29, 1), None, datetime.datetime(2020, 1, 1)]),
        (oml.Timedelta(oml.String(proxy["span"])), "Timedelta", [
            datetime.timedelta(1, 3), None, datetime.timedelta(0)]),
        (oml.Float(proxy["f"]), "Float", [1.75, -2.75, None]),
    ):  # fmt: skip
        assert type(made).__name__ == kind and made.pull() == wanted, (kind, made.pull(), wanted)
    assert oml.Float(proxy["s"]).columns == ["s"]
    assert oml.Float(proxy["i"], "BINARY_FLOAT")._sql_type == "real"
    assert oml.String(proxy["i"], "VARCHAR2(3)").pull()[2] == "900"
    assert oml.Float(proxy["s"], dbtype="NUMBER")._frame().pull(aslist=True)[1] == (
        decimal.Decimal("-2.75"),
    )
    assert proxy.concat({"number": oml.Float(proxy["s"])})["number"].sum() == -1.75
    assert oml.Float(oml.push(["x"])) is not None  # the text is read later
    error = fails(oml.DatabaseError, oml.Float(oml.push(["x"])).pull)
    assert error.sqlstate == "22P02"
    for wrong in (
        lambda: oml.Float(3),
        lambda: oml.Float(proxy),
        lambda: oml.Float(proxy["t"]),
        lambda: oml.Timedelta(proxy["i"]),
        lambda: oml.Float(proxy["s"], "text"),
        lambda: oml.Bytes(proxy["i"]),
    ):
        fails(TypeError, wrong)
    fails(oml.DatabaseError, oml.Float, proxy["s"], "nonsense")
