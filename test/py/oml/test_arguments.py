"""Arguments of Oracle's interface that change little in PostgreSQL, in each place."""

from __future__ import annotations

import datetime
import decimal
from typing import Any

import oml
import pandas
from proxy_checks import execute, fails


def test_missing_keys(place: str) -> None:
    # check_sizes: every kind of join on the same two frames.
    nan = float("nan")
    left = pandas.DataFrame(
        {
            "k": [1.0, nan, 2.0, 3.0],
            "t": ["a", None, "b", None],
            "d": pandas.to_datetime(["2024-01-01", None, "2024-01-02", None]),
            "l": range(4),
        }
    )
    right = pandas.DataFrame(
        {
            "k": [nan, 2.0, nan, 0.0],
            "t": [None, "b", "", "c"],
            "d": pandas.to_datetime([None, "2024-01-02", "2024-01-03", None]),
            "r": range(4),
        }
    )
    a, b = oml.push(left), oml.push(right)

    def pairs(merged: Any) -> list[Any]:
        rows = merged.pull() if isinstance(merged, oml.DataFrame) else merged
        rows = rows.rename(columns={"l_l": "l", "r_r": "r"})
        listed = rows[["l", "r"]].astype(object).where(rows[["l", "r"]].notna(), None)
        return sorted(listed.itertuples(index=False, name=None), key=str)

    for key in ("k", "t", "d", ["k", "t"], ["t", "d"]):
        for how in ("left", "right", "inner", "outer"):
            names = [key] if isinstance(key, str) else key
            one, other = left[[*names, "l"]], right[[*names, "r"]]
            wanted = one.merge(other, on=key, how=how)
            p, q = a[[*names, "l"]], b[[*names, "r"]]
            found = p.merge(q, on=key, how=how, suffixes=("", ""))
            assert pairs(found) == pairs(wanted), (key, how)
            # Without keys that are missing only SQL's rules apply.
            wanted = one.dropna(subset=names).merge(other.dropna(subset=names), on=key)
            found = p.merge(q, on=key, how="inner", nvl=False, suffixes=("", ""))
            assert pairs(found) == pairs(wanted), (key, how)
    assert len(a.merge(b, on="k", how="full", nvl=False)) == 7
    counted = {"how": "inner"}
    assert pairs(a.merge(b, on="k", nvl={"k": 0}, **counted)) == [
        (1, 0), (1, 2), (1, 3), (2, 1),
    ]  # fmt: skip
    assert pairs(a.merge(b, on="t", nvl={"t": ""}, **counted)) == [
        (1, 0), (1, 2), (2, 1), (3, 0), (3, 2),
    ]  # fmt: skip
    new_year = {"d": datetime.datetime(2024, 1, 1)}
    assert (0, 0) in pairs(a.merge(b, on="d", nvl=new_year, **counted))
    renamed = oml.DataFrame(b).rename({"k": "K"})
    one_side = a.merge(renamed, left_on="k", right_on="K", nvl={"k": 2}, **counted)
    assert pairs(one_side) == [(1, 1), (2, 1)]
    both_sides = a.merge(renamed, left_on="k", right_on="K", nvl={"k": 2, "K": 2}, **counted)
    assert len(both_sides) == 6
    fails(KeyError, a.merge, b, on="k", nvl={"t": ""})
    # Types that differ.
    odd = oml.sync(query="SELECT unnest('{2,NULL}'::smallint[]) k, 'b'::varchar(3) t, 0::int r")
    assert pairs(a[["k", "l"]].merge(odd[["k", "r"]], on="k", how="full")) == [
        (0, None), (1, 0), (2, 0), (3, None),
    ]  # fmt: skip
    assert len(a[["t", "l"]].merge(odd[["t", "r"]].drop_duplicates(), on="t", how="full")) == 4
    arrays = oml.sync(query="SELECT * FROM (VALUES (ARRAY[1], 1), (NULL, 2), ('{}', 3)) v (a, l)")
    assert pairs(arrays.merge(oml.DataFrame(arrays).rename({"l": "r"}), on="a")) == [
        (1, 1),
        (2, 2),
        (3, 3),
    ]
    text = "EXPLAIN " + a.merge(b, on=["k", "t"])._sql
    plan = execute(text)
    assert not any("Nested Loop" in line for (line,) in plan), plan


def test_numbers_as_doubles(place: str) -> None:
    frame = pandas.DataFrame(
        {
            "i": [1, 2],
            "f": [0.5, float("nan")],
            "d": [decimal.Decimal("1.10"), None],
            "b": [True, False],
            "s": ["x", "y"],
            "named": [1, 2],
        }
    )

    def kinds(proxy: Any) -> list[str]:
        return [column.sql_type for column in proxy._columns.values()]

    doubles = ["double precision"] * 3 + ["boolean", "text", "integer"]
    usual = ["bigint", "double precision", "numeric", "boolean", "text", "integer"]
    types = {"named": "integer"}
    assert kinds(oml.push(frame, oranumber=False, dbtypes=types)) == doubles
    assert kinds(oml.push(frame, dbtypes=types)) == usual
    made = oml.create(frame, "both_doubles", oranumber=False, dbtypes=types)
    assert kinds(made) == doubles
    assert made.pull(aslist=True) == [
        (1.0, 0.5, 1.1, True, "x", 1),
        (2.0, None, None, False, "y", 2),
    ]
    assert kinds(oml.create(frame, "both_doubles", oranumber=True, append=True)) == doubles
    oml.drop(table="both_doubles")


def test_views_keep_names(place: str) -> None:
    proxy = oml.push([(1, "x")]).rename(["A b", "c"])
    for keyword in (True, False):
        assert proxy.create_view(use_colname=keyword).columns == ["A b", "c"]
        assert proxy.create_view("both_view", use_colname=keyword).columns == ["A b", "c"]
        oml.drop(view="both_view")
