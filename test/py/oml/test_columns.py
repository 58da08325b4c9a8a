"""Methods of columns of each class, in each place.

The oracles are pandas, numpy and Python.
"""

from __future__ import annotations

import datetime
import math
import re
from typing import Any

import numpy
import oml
import pandas
from proxy_checks import execute, fails


def classes_frame() -> Any:
    return pandas.DataFrame(
        {
            "Integer": [3, 1, 2, 1],
            "Float": [0.5, None, -1.5, 0.5],
            "String": ["b", "a", None, "b"],
            "Boolean": [True, False, None, True],
            "Bytes": [b"x", None, b"yy", b"x"],
            "Datetime": [
                datetime.datetime(2024, 2, 29, 13, 14, 15, 161718),
                None,
                datetime.datetime(1969, 12, 31, 23, 59, 59),
                datetime.datetime(2024, 2, 29, 13, 14, 15, 161718),
            ],
            "Timezone": [
                pandas.Timestamp("2024-01-01 05:00", tz="UTC"),
                None,
                pandas.Timestamp("2023-07-01 23:30:00.5", tz="UTC"),
                pandas.Timestamp("2024-01-01 05:00", tz="UTC"),
            ],
            "Timedelta": [
                datetime.timedelta(1, 7205),
                None,
                datetime.timedelta(-1, 1, 5),
                datetime.timedelta(1, 7205),
            ],
        }
    )


def test_every_class(place: str) -> None:
    proxy = oml.push(classes_frame())
    for name in proxy.columns:
        column = proxy[name]
        kind = getattr(oml, name)
        assert type(column) is kind, name
        values = column.pull()
        twice = column.append(column)
        assert type(twice) is kind and twice.pull() == values * 2, name
        assert len(column.append(column, all=False)) == len({str(v) for v in values})
        joined = column.concat([proxy["Integer"] * 2, column.isnull()], auto_name=True)
        assert joined.columns[0] == name and joined.shape == (4, 3)
        described = column.describe()
        present = [value for value in values if value is not None]
        assert described["count"] == len(present) == column.count(), name
        if kind not in (oml.Integer, oml.Float):
            assert described["unique"] == len(set(present)) == column.nunique()
            assert described["top"] == values[0] and described["freq"] == 2, (name, described)
        assert column.nunique(dropna=False) == len({str(v) for v in values})
        assert column.min() == min(present) and column.max() == max(present), name
        assert column.max(skipna=False) == (max(present) if len(present) == 4 else None)
        kept = column.materialize()
        assert type(kept) is kind and sorted(map(str, kept.pull())) == sorted(map(str, values))
        named = column.materialize("both_kept")
        assert named.columns == [name] and len(oml.sync(table="both_kept")) == 4
        oml.drop(table="both_kept")
        view = column.create_view()
        assert isinstance(view, oml.DataFrame) and view.columns == [name]
        parts = column.split((0.5, 0.5), seed=3)
        assert all(type(part) is kind for part in parts)
        whole = [value for part in parts for value in part.pull()]
        assert sorted(map(str, whole)) == sorted(map(str, values))
        folds = column.KFold(2, use_hash=False)
        assert [len(train) + len(test) for train, test in folds] == [4, 4]
        assert sum(len(test) for _, test in folds) == 4
        assert len(column.sample(n=2, random_state=1)) == 2
        assert sorted(map(str, column.sort_values().dropna().pull())) == sorted(map(str, present))
        assert len(column.drop_duplicates()) == len({str(v) for v in values})
        assert column.head(2).pull() == values[:2] and column.tail(1).pull() == values[-1:]
        assert column.isnull().pull() == [value is None for value in values]
        filled = column.fillna(present[0])
        assert type(filled) is kind, name
        assert filled.pull() == [present[0] if value is None else value for value in values]
        assert filled.isnull().sum() == 0 and column.fillna(None).pull() == values
        assert (present[0] in column) and (None in column) == (None in values)
        assert column[column == present[0]].pull() == [v for v in values if v == present[0]]
        fails(TypeError, column.append, 3)
        fails(TypeError, column.isin, "x")
        wrong: Any = 3 if name in ("String", "Bytes", "Datetime", "Timezone", "Timedelta") else "x"
        if name != "Bytes" and name != "Boolean":
            fails(TypeError, column.fillna, wrong)
    numbers = proxy["Integer"].append(proxy["Float"])
    assert isinstance(numbers, oml.Float) and numbers.count() == 7
    fails(TypeError, proxy["String"].append, proxy["Float"])
    fails(TypeError, proxy[["String", "Float"]].append, proxy[["Float", "Integer"]])
    both = proxy[["Integer", "String"]].append(oml.push([(0.5, "z")]))
    assert [kind.__name__ for kind in both.dtypes] == ["Float", "String"]
    assert sorted(both["Integer"].pull()) == [0.5, 1.0, 1.0, 2.0, 3.0]


def test_filling(place: str) -> None:
    frame = classes_frame()
    proxy = oml.push(frame)
    filled = proxy.fillna(0)
    assert filled["Float"].pull() == [0.5, 0.0, -1.5, 0.5] and None in filled["String"]
    assert filled.columns == proxy.columns
    both = proxy.fillna({"Float": -1, "String": "none", "Boolean": False})
    assert both["Float"].pull()[1] == -1 and both["String"].pull()[2] == "none"
    assert both["Boolean"].pull()[2] is False
    assert proxy["Float"].fillna(proxy["Integer"]).pull() == [0.5, 1.0, -1.5, 0.5]
    odd = oml.sync(query="SELECT unnest('{NaN,NULL,1}'::float8[]) AS x, 7 AS n")
    assert odd["x"].fillna(odd["n"] * 1.5).pull() == [10.5, 10.5, 1.0]
    assert odd["x"].fillna(0).pull() == [0.0, 0.0, 1.0]
    whole = oml.sync(query="SELECT unnest('{NULL,5}'::int[]) AS n")
    assert isinstance(whole["n"].fillna(1), oml.Integer)
    assert whole["n"].fillna(0.5).pull() == [0.5, 5.0]
    fails(KeyError, proxy.fillna, {"nothing": 1})
    fails(TypeError, proxy.fillna, {"Float": "x"})


def test_texts(place: str) -> None:
    values = [
        "paper_towel", "ground_pork", "tofu", "eggs", "pork_loin", "whole_milk", "egg_custard", "",
        None, "Häßlich é€🙂é", "a%b_c\\d", "line one\nline two\nLINE", "it's 'quoted'", "aaa",
    ]  # fmt: skip
    column = oml.push(pandas.DataFrame({"s": values}))["s"]

    def same(got: Any, function: Any) -> None:
        wanted = [None if value is None else function(value) for value in values]
        assert got.pull() == wanted, (got._expression, got.pull(), wanted)

    for sub in ("pork", "o", "é", "'", "%", "", "a", "🙂", "\\"):
        for start in (0, 1, 3, 50):
            found = column.find(sub, start)
            assert isinstance(found, oml.Integer)
            same(found, lambda v, sub=sub, start=start: v.find(sub, start))
        same(column.contains(sub), lambda v, sub=sub: sub in v)
        same(column.startswith(sub), lambda v, sub=sub: v.startswith(sub))
        same(column.endswith(sub), lambda v, sub=sub: v.endswith(sub))
    for pattern, flags in (
        ("egg", 0), ("o.", 0), (r"\w+", 0), ("[aeiou]", re.I), ("^line", re.M | re.I), ("^line", 0),
        ("one.line", re.S), ("one.line", 0), (r"\bo", 0), ("'", 0), ("(a)(a)", 0), ("a|b", 0),
        ("e g g  # spread", re.X), ("e$", re.M), (r"\\", 0), ("€", 0), ("line$", re.M | re.I),
    ):  # fmt: skip
        counted = column.count_pattern(pattern, flags)
        assert isinstance(counted, oml.Integer)
        same(counted, lambda v, p=pattern, f=flags: len(list(re.finditer(p, v, f))))
    same(column.len(), len)
    assert column.lower().pull()[9] == "häßlich é€🙂é" and column.upper().pull()[2] == "TOFU"
    padded = oml.push([" x ", "\tx\n", "xx", None])
    assert padded.strip().pull() == ["x", "x", "xx", None]
    assert padded.strip("x ").pull()[2] == ""
    same(column.like("%egg%"), lambda v: "egg" in v)
    same(column.like("_ofu"), lambda v: len(v) == 4 and v.endswith("ofu"))
    same(column.like("a\\%b%"), lambda v: v.startswith("a%b"))
    same(column.like("a!%b!_c\\%", "!"), lambda v: v.startswith("a%b_c\\"))
    assert column[column.like("%'%")].pull() == ["it's 'quoted'"]
    assert isinstance(column.like("x"), oml.Boolean) and column.like("x").columns == ["COL1"]
    raw = oml.push(pandas.DataFrame({"s": ["a", "b"], "b": [b"a", b"c"]}))
    assert (raw["s"] == raw["b"]).pull() == [True, False]
    assert (raw["s"] < b"b").pull() == [True, False]
    other = oml.sync(query="SELECT 'x'::char(3) AS c, '10.0.0.1'::inet AS i")
    assert other["i"].find("0.0").pull() == [1] and other["c"].len().pull() == [1]
    for wrong in (
        lambda: column.find(3),
        lambda: column.count_pattern(b"x"),
        lambda: column.startswith(None),
        lambda: column + 3,
    ):
        fails(TypeError, wrong)
    fails(ValueError, column.find, "x", -1)
    fails(ValueError, column.count_pattern, "x", re.A)
    assert fails(oml.DatabaseError, column.count_pattern("(").pull).sqlstate == "2201B"


def test_functions_of_numbers(place: str) -> None:
    frame = pandas.DataFrame({"f": [1.19, 7.25, -3.96, 0.0, None], "i": [1, -8, 27, 0, 100]})
    proxy = oml.push(frame)
    with numpy.errstate(all="ignore"):
        for column in ("f", "i"):
            local = frame[column].astype("float64")
            for got, wanted in (
                (proxy[column].exp(), numpy.exp(local)),
                (proxy[column].log(), numpy.log(local)),
                (proxy[column].log(10), numpy.log10(local)),
                (proxy[column].log(2), numpy.log2(local)),
                (proxy[column].log(base=7), numpy.log(local) / math.log(7)),
                (proxy[column].sqrt(), numpy.sqrt(local)),
                (proxy[column].ceil(), numpy.ceil(local)),
                (proxy[column].floor(), numpy.floor(local)),
                (math.floor(proxy[column]), numpy.floor(local)),
                (math.ceil(proxy[column]), numpy.ceil(local)),
                (math.trunc(proxy[column]), numpy.trunc(local)),
            ):
                values = [float("nan") if value is None else value for value in got.pull()]
                numpy.testing.assert_allclose(values, wanted, rtol=1e-13)
    assert proxy["i"].log(10).pull()[4] == 2.0 and isinstance(proxy["i"].floor(), oml.Integer)
    odd = oml.sync(query="SELECT unnest('{1,NaN,NULL,Infinity,-Infinity}'::float8[]) AS x")
    assert odd["x"].isnan().pull() == [False, True, True, False, False]
    assert odd["x"].isinf().pull() == [False, False, False, True, True]
    assert odd["x"].isnull().pull() == odd["x"].isnan().pull()
    assert proxy["i"].isnan().sum() == 0 and proxy["i"].isinf().sum() == 0
    exact = oml.sync(query="SELECT 2.5 AS n, 1.25::real AS r, 7::smallint AS s")
    assert exact["n"].floor().pull() == [2.0] and exact["r"].ceil().pull() == [2.0]
    assert exact["s"].exp().pull() == [math.exp(7)] and exact["n"].sqrt().pull() == [math.sqrt(2.5)]
    # Inner products.
    filled = frame.fillna(0)
    assert proxy["i"].dot() == float(filled["i"].dot(filled["i"]))
    assert abs(proxy["f"].dot(proxy["i"]) - filled["f"].dot(filled["i"])) < 1e-9
    assert math.isnan(proxy["f"].dot(proxy["i"], skipna=False))
    wanted = filled.T.dot(filled["f"])
    pandas.testing.assert_series_equal(proxy["f"].dot(proxy), wanted, check_names=False)
    assert abs(proxy["f"] @ proxy["i"] - filled["f"].dot(filled["i"])) < 1e-9
    assert isinstance(proxy["f"].dot(proxy, pull_from_db=False), oml.DataFrame)
    fails(TypeError, proxy["f"].dot, 3)
    fails(ValueError, proxy["f"].log, 1)
    fails(ValueError, proxy["f"].log, -2)
    fails(AttributeError, lambda: oml.push(["x"]).exp())


def test_cutting(place: str) -> None:
    recorded = oml.push(pandas.DataFrame({"INCOME": [37107.0, 65871, 68747, 59354, 84801, 111605]}))
    binned = recorded["INCOME"].cut(bins=10)
    assert isinstance(binned, oml.String) and binned.columns == ["Bin(INCOME)"]
    assert binned.pull() == [
        "(37032.502, 44556.8]", "(59456.4, 66906.2]", "(66906.2, 74356.0]", "(52006.6, 59456.4]",
        "(81805.8, 89255.6]", "(104155.2, 111605.0]",
    ]  # fmt: skip
    assert recorded.concat(binned).columns == ["INCOME", "Bin(INCOME)"]
    random = numpy.random.default_rng(8)
    frame = pandas.DataFrame({"f": random.normal(size=200) * 50, "i": random.integers(0, 9, 200)})
    frame.loc[::17, "f"] = None
    proxy = oml.push(frame)
    for column in ("f", "i"):
        for bins in (1, 4, 7, [0, 2.5, 5], [-100, -1, 0, 3, 100.25], numpy.array([0, 1, 2])):
            for options in (
                {}, {"right": False}, {"include_lowest": True}, {"precision": 1},
                {"right": False, "include_lowest": True}, {"labels": False},
            ):  # fmt: skip
                options = dict(options)
                got, edges = proxy[column].cut(bins, retbins=True, **options)
                wanted, wanted_edges = pandas.cut(frame[column], bins, retbins=True, **options)
                numpy.testing.assert_allclose(edges, wanted_edges, rtol=1e-12)
                listed: list[Any]
                if "labels" in options:
                    assert isinstance(got, oml.Integer)
                    listed = [None if pandas.isna(v) else int(v) for v in wanted]
                else:
                    listed = [None if pandas.isna(v) else str(v) for v in wanted]
                assert got.pull() == listed, (column, bins, options)
    named = proxy["i"].cut(3, labels=["low", "it's", "high"])
    assert named.pull() == [
        str(v) for v in pandas.cut(frame["i"], 3, labels=["low", "it's", "high"])
    ]
    assert proxy["f"].cut([1, 1, 2], duplicates="drop").nunique() <= 1
    counts = proxy.concat(proxy["f"].cut(5)).crosstab("Bin(f)").pull()
    wanted = pandas.cut(frame["f"], 5).value_counts()
    named = [None if pandas.isna(name) else name for name in counts["Bin(f)"]]
    expected: dict[Any, Any] = {str(k): v for k, v in wanted.items()}
    assert dict(zip(named, counts["count"])) == {**expected, None: frame["f"].isna().sum()}
    constant = oml.push([2.0, 2.0])
    assert constant.cut(2).pull() == [str(v) for v in pandas.cut(pandas.Series([2.0, 2.0]), 2)]
    fails(ValueError, proxy["f"].cut, 0)
    fails(ValueError, proxy["f"].cut, [1, 1, 2])
    fails(ValueError, proxy["f"].cut, 3, labels=["a"])
    fails(TypeError, proxy["f"].cut, "x")
    fails(ValueError, proxy[proxy["i"] > 99]["f"].cut, 3)


def test_parts_of_times(place: str) -> None:
    # check_sizes: each part of times on the same proxy.
    frame = classes_frame()
    proxy = oml.push(frame)
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York"):
        execute(f"SET timezone TO '{zone}'")
        for name in ("Datetime", "Timezone"):
            for part in ("year", "month", "day", "hour", "minute", "second", "microsecond"):
                got = getattr(proxy[name], part)
                assert isinstance(got, oml.Integer)
                wanted = [None if pandas.isna(v) else getattr(v, part) for v in frame[name]]
                assert got.pull() == wanted, (zone, name, part, got.pull(), wanted)
            for format in (
                "%Y-%m-%d", "%d.%m.%y %H:%M:%S.%f", "%j %I%p 100%%", "%A, %B %d", "%a %b %G-W%V-%u",
                'He said "%Y"', "%Y\\%m", "no date %Y YYYY MM",
            ):  # fmt: skip
                wanted = [None if pandas.isna(v) else v.strftime(format) for v in frame[name]]
                got = proxy[name].strftime(format).pull()
                assert got == wanted, (zone, name, format, got, wanted)
            plain = proxy[name].strftime()
            assert isinstance(plain, oml.String)
            wanted = [None if pandas.isna(v) else str(v.to_pydatetime()) for v in frame[name]]
            assert plain.pull() == wanted, (plain.pull(), wanted)
            reader = getattr(oml, name).strptime
            back = reader(proxy[name].strftime("%Y/%m/%d %H:%M:%S.%f"), "%Y/%m/%d %H:%M:%S.%f")
            assert type(back) is getattr(oml, name) and back.pull() == proxy[name].pull()
            changed = proxy[name].replace(year=2000, hour=3, microsecond=7)
            wanted = [
                None
                if pandas.isna(v)
                else v.to_pydatetime().replace(year=2000, hour=3, microsecond=7)
                for v in frame[name]
            ]
            assert changed.pull() == wanted and type(changed) is getattr(oml, name)
        assert proxy["Timezone"].strftime("%Y-%m-%dT%H:%M%z").pull()[0] == "2024-01-01T05:00+0000"
        aware = oml.Timezone.strptime(oml.push(["2024-03-01 10:00 +0530"]), "%Y-%m-%d %H:%M %z")
        assert aware.pull() == [datetime.datetime(2024, 3, 1, 4, 30, tzinfo=datetime.timezone.utc)]
    # An hour that does not exist there.
    execute("SET timezone TO 'Europe/Berlin'")
    gap = oml.Datetime.strptime(oml.push(["2024-03-31 02:30"]), "YYYY-MM-DD HH24:MI")
    assert gap.pull() == [datetime.datetime(2024, 3, 31, 2, 30)]
    execute("RESET timezone")
    recorded = oml.Datetime.strptime(
        oml.push(["14-Jul-05 20:01:01"]), format="DD-Mon-RR HH24:MI:SS"
    )
    assert recorded.pull() == [datetime.datetime(2005, 7, 14, 20, 1, 1)]
    assert recorded.strftime("YYYY-MM-DD HH24:MI:SS.FF3").pull() == ["2005-07-14 20:01:01.000"]
    points = oml.push([datetime.datetime(2005, 7, 14, 5, 10, 30), datetime.datetime(2004, 6, 30)])
    assert points.replace(month=11).pull() == [
        datetime.datetime(2005, 11, 14, 5, 10, 30), datetime.datetime(2004, 11, 30),
    ]  # fmt: skip
    assert points.replace(day=points.month).pull()[0].day == 7
    assert fails(oml.DatabaseError, points.replace(month=2).pull).sqlstate.startswith("22")
    days = oml.sync(query="SELECT '2024-02-29'::date AS d, 'infinity'::timestamp AS t")
    assert days["d"].year.pull() == [2024] and days["d"].hour.pull() == [0]
    assert days["t"].year.pull() == [None] and days["t"].replace(year=2000).pull() == ["infinity"]
    assert days["d"].strftime("%d/%m/%Y").pull() == ["29/02/2024"]
    bad = oml.Datetime.strptime(oml.push(["tomorrow"]), "%Y-%m-%d")
    assert fails(oml.DatabaseError, bad.pull).sqlstate.startswith("22")
    for wrong in (
        lambda: points.strftime("%Q"),
        lambda: points.strftime("%z"),
        lambda: points.replace(year=0),
        lambda: oml.Datetime.strptime(oml.push(["x"]), "%z"),
    ):
        fails(ValueError, wrong)
    for wrong in (
        lambda: points.replace(year="x"),
        lambda: oml.Datetime.strptime(points, "%Y"),
        lambda: points.strftime(""),
    ):
        fails(TypeError, wrong)


def test_parts_of_spans(place: str) -> None:
    frame = classes_frame()
    column = oml.push(frame)["Timedelta"]
    spans: list[Any] = [None if pandas.isna(v) else v.to_pytimedelta() for v in frame["Timedelta"]]
    seconds = column.total_seconds()
    assert isinstance(seconds, oml.Float)
    assert seconds.pull() == [None if v is None else v.total_seconds() for v in spans]
    for part in ("days", "seconds", "microseconds"):
        got = getattr(column, part)
        assert isinstance(got, oml.Integer)
        assert got.pull() == [None if v is None else getattr(v, part) for v in spans], part
    assert oml.sync(query="SELECT '1 mon 1 day'::interval AS x")["x"].total_seconds().pull() == [
        31 * 86400.0
    ]
    assert column.sum() == spans[0] + spans[2] + spans[3]


# -------------------------------------------------------------------------------------- graphics


def graphics_frame() -> Any:
    random = numpy.random.default_rng(21)
    frame = pandas.DataFrame(
        {
            "a": random.normal(10, 3, 500),
            "b": random.exponential(4, 500),
            "n": random.integers(0, 12, 500),
        }
    )
    frame.loc[::9, "a"] = None
    return frame


def test_histograms(place: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot

    frame = graphics_frame()
    proxy = oml.push(frame)
    for column in ("a", "b", "n"):
        local = frame[column].dropna().to_numpy()
        for options in (
            {}, {"bins": 7}, {"bins": [0, 1, 5, 9.5]}, {"bins": 5, "range": (2, 8)},
            {"bins": 6, "density": True}, {"bins": 6, "cumulative": True}, {"bins": "sturges"},
            {"bins": "sqrt"}, {"bins": "rice"}, {"bins": "scott"}, {"bins": "fd"},
        ):  # fmt: skip
            figure, axes = pyplot.subplots(1, 2)
            got = oml.graphics.hist(proxy[column], ax=axes[0], color="red", **options)
            wanted = axes[1].hist(local, color="red", **options)
            numpy.testing.assert_allclose(got[1], wanted[1], rtol=1e-12)
            numpy.testing.assert_allclose(got[0], wanted[0], rtol=1e-12)
            assert got[2][0].get_facecolor() == (1.0, 0.0, 0.0, 1.0)
            pyplot.close(figure)
    numbers, edges, patches = oml.hist(proxy[["a", "b"]], bins=5, label=["a", "b"])
    wanted = pyplot.figure().gca().hist([frame["a"].dropna(), frame["b"]], bins=5)
    numpy.testing.assert_allclose(numbers, wanted[0])
    numpy.testing.assert_allclose(edges, wanted[1])
    assert len(patches) == 2
    infinite = oml.push(pandas.DataFrame({"x": [1.0, 2.0, float("inf"), None]}))
    assert oml.graphics.hist(infinite["x"], bins=2)[0].tolist() == [1.0, 1.0]
    empty = oml.graphics.hist(proxy[proxy["n"] > 99]["a"], bins=3)
    assert empty[0].tolist() == [0.0] * 3
    fails(TypeError, oml.graphics.hist, oml.push(["x"]))
    fails(TypeError, oml.graphics.hist, [1, 2])
    fails(TypeError, oml.graphics.hist, proxy["a"], weights=proxy["n"])
    fails(ValueError, oml.graphics.hist, proxy["a"], bins="other")
    fails(ValueError, oml.graphics.hist, proxy["a"], bins=0)
    fails(ValueError, oml.graphics.hist, proxy["a"], bins=[3, 2, 1])
    pyplot.close("all")


def test_box_plots(place: str) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as pyplot

    frame = graphics_frame()
    proxy = oml.push(frame)
    columns = list(frame.columns)
    local = [frame[name].dropna().to_numpy() for name in columns]
    for options in (
        {}, {"notch": True, "showmeans": True}, {"whis": (5, 95)}, {"whis": 0.5},
        {"showfliers": False}, {"vert": False}, {"patch_artist": True, "showmeans": True,
        "meanline": True}, {"sym": ""}, {"positions": [2, 4, 7], "widths": 0.9},
    ):  # fmt: skip
        figure, axes = pyplot.subplots(1, 2)
        got = oml.graphics.boxplot(proxy, ax=axes[0], **options)
        wanted = axes[1].boxplot(local, **options)
        assert {part: len(lines) for part, lines in got.items()} == {
            part: len(lines) for part, lines in wanted.items()
        }
        for part in wanted:
            for one, other in zip(got[part], wanted[part]):
                if hasattr(one, "get_xydata"):
                    ends = [numpy.unique(line.get_xydata(), axis=0) for line in (one, other)]
                    numpy.testing.assert_allclose(*ends, rtol=1e-9, err_msg=f"{part} {options}")
                else:
                    vertices = [line.get_path().vertices for line in (one, other)]
                    numpy.testing.assert_allclose(*vertices, rtol=1e-9)
        pyplot.close(figure)
    oml.boxplot(proxy[:, 0:2], labels=["A", "B"])
    shown = [tick.get_text() for tick in pyplot.gca().get_xticklabels()]
    assert shown == ["A", "B"]
    constant = oml.push(pandas.DataFrame({"c": [1.0] * 20 + [5.0], "d": [None] * 21}),
                        dbtypes={"d": "float8"})  # fmt: skip
    drawn = oml.graphics.boxplot([constant["c"], constant["d"]])
    assert drawn["fliers"][0].get_ydata().tolist() == [5.0]
    assert numpy.isnan(drawn["medians"][1].get_ydata()).all()
    # Whiskers and boxes need no row but those beyond them, each once.
    many = oml.sync(query="SELECT CASE WHEN i % 1000 = 0 THEN 1e6 ELSE i % 100 END::float8 AS x "
                    "FROM generate_series(1, 50000) AS i")  # fmt: skip
    assert oml.graphics.boxplot(many["x"])["fliers"][0].get_ydata().tolist() == [1e6]
    fails(ValueError, oml.graphics.boxplot, proxy, labels=["A"])
    fails(TypeError, oml.graphics.boxplot, oml.push(["x"]))
    fails(ValueError, oml.graphics.boxplot, proxy, whis=(60, 40))
    pyplot.close("all")
