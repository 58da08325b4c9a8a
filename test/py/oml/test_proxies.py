"""Proxies of package `oml`: cursors, values, queries, tables and grants, in each place.

All objects are made in the current transaction or dropped again.
"""

# check_sizes: each case runs in each place; the module is shipped to engines as one.

from __future__ import annotations

import datetime
import decimal
import gc
import operator
import pickle
import uuid
from typing import Any

import numpy
import oml
import pandas
from proxy_checks import compare, execute, fails

ODD_NAMES = [
    'a"; DROP TABLE victim; --',
    "it's",
    "back\\slash",
    "$1",
    "%s",
    "{0}",
    " ",
    "SELECT",
    "häß€🙂",
    "t",
    "l",
    "count",
]


def local_frame() -> Any:
    return pandas.DataFrame(
        {
            "ID": [4, 1, 3, 2, 6, 5],
            "x": [1.5, None, -2.0, 1e300, float("inf"), 0.1],
            "Some text": ["a", "it's", 'back\\slash "quoted"', None, "häß€🙂", "$1 %s {0}"],
            "flag": [True, False, True, True, False, False],
            "grp": ["u", "v", "u", "v", "u", "v"],
        }
    )


# ----------------------------------------------------------------------------- cursors and values


def test_query_values(place: str) -> None:
    # check_sizes: a table of expressions and values.
    utc = datetime.timezone.utc
    cases = [
        ("true", True),
        ("1::smallint", 1),
        ("-5", -5),
        ("9223372036854775807", 2**63 - 1),
        ("4000000000::oid", 4000000000),
        ("1.5::real", 1.5),
        ("0.1::float8", 0.1),
        ("'-Infinity'::float8", float("-inf")),
        ("1.50::numeric(10,2)", decimal.Decimal("1.50")),
        ("'x'::char(3)", "x  "),
        ("'häß€🙂'::text", "häß€🙂"),
        ("'name'::name", "name"),
        (r"'\x00ff5c27'::bytea", b"\x00\xff\\'"),
        ("'{\"a\": [1, null]}'::json", {"a": [1, None]}),
        ("'7'::jsonb", 7),
        (
            "'00000000-0000-0000-0000-00000000000a'::uuid",
            uuid.UUID("00000000-0000-0000-0000-00000000000a"),
        ),
        ("'2024-02-29'::date", datetime.date(2024, 2, 29)),
        ("'infinity'::date", "infinity"),
        ("'0044-03-15 BC'::date", "0044-03-15 BC"),
        ("'12000-01-01'::date", "12000-01-01"),
        ("'03:04:05.6'::time", datetime.time(3, 4, 5, 600000)),
        ("'24:00'::time", "24:00:00"),
        (
            "'03:04-05:30'::timetz",
            datetime.time(3, 4, tzinfo=datetime.timezone(-datetime.timedelta(hours=5, minutes=30))),
        ),
        (
            "'2024-01-02 03:04:05.000006'::timestamp",
            datetime.datetime(2024, 1, 2, 3, 4, 5, 6),
        ),
        (
            "'2024-01-02 03:04:05+05:30'::timestamptz",
            datetime.datetime(2024, 1, 1, 21, 34, 5, tzinfo=utc),
        ),
        ("'-infinity'::timestamptz", "-infinity"),
        ("'1 day 02:03:04.5'::interval", datetime.timedelta(1, 7384, 500000)),
        ("'-1 day -00:00:00.000001'::interval", datetime.timedelta(-1, 0, -1)),
        ("'1 year 2 mons -3 days'::interval", "1 year 2 mons -3 days"),
        ("'10.0.0.1/8'::inet", "10.0.0.1/8"),
        ("'[1,3)'::int4range", "[1,3)"),
        ("'(1,2)'::point", "(1,2)"),
        ("ROW(1, 'a')", "(1,a)"),
        ("'1 2'::int2vector", "1 2"),
        ("NULL::int", None),
        ("ARRAY[1, NULL]", [1, None]),
        ('\'{{a,"b,\\"c"},{NULL,"NULL"}}\'::text[]', [["a", 'b,"c'], [None, "NULL"]]),
        ("ROW(1, 'a \"b\", (c)', ARRAY['x'])::both_ways", {"n": 1, "t": 'a "b", (c)', "a": ["x"]}),
        ("ROW(NULL, '', NULL)::both_ways", {"n": None, "t": "", "a": None}),
        ("'sad'::both_moods", "sad"),
        ("'5'::both_domain", 5),
    ]
    execute("CREATE TYPE both_ways AS (n int, t text, a text[])")
    execute("CREATE TYPE both_moods AS ENUM ('sad', 'glad')")
    execute("CREATE DOMAIN both_domain AS int CHECK (value > 0)")
    for zone in ("UTC", "Asia/Kathmandu", "America/New_York"):
        execute(f"SET timezone TO '{zone}'")
        for sql, wanted in cases:
            got = execute(f"SELECT {sql}")[0][0]
            if isinstance(got, dict):
                got = {k: v.tolist() if hasattr(v, "tolist") else v for k, v in got.items()}
            assert got == wanted and type(got) is type(wanted), (zone, sql, got, wanted)
    arrays = [
        ("ARRAY[1, 2]", [1, 2], "int32"),
        ("'{}'::float8[]", [], "float64"),
        ("ARRAY[true, false]", [True, False], "bool"),
        ("ARRAY[[1.5, 2], [3, 4]]::float8[]", [[1.5, 2], [3, 4]], "float64"),
        ("ARRAY['2024-01-01'::date]", [datetime.date(2024, 1, 1)], "datetime64[D]"),
        ("ARRAY['a b', '']", ["a b", ""], "object"),
        ("ARRAY[1.50::numeric]", [decimal.Decimal("1.50")], "object"),
        ("'[2:3]={7,8}'::bigint[]", [7, 8], "int64"),
    ]
    for sql, listed, dtype in arrays:
        got = execute(f"SELECT {sql}")[0][0]
        assert isinstance(got, numpy.ndarray), (sql, got)
        assert str(got.dtype) == dtype and got.tolist() == listed, (sql, got, got.dtype)
    assert numpy.isnan(execute("SELECT 'NaN'::float8")[0][0])


def test_query_parameters(place: str) -> None:
    cases = [
        ("$1::int", 5),
        ("$1", 2**40),
        ("$1", 2**70),
        ("$1", True),
        ("$1", 0.1),
        ("$1", decimal.Decimal("1.50")),
        ("$1::text", 'it\'s $2 %s \\ "x" häß€🙂'),
        ("$1", b"\x00\xff\\'"),
        ("$1", datetime.date(2024, 2, 29)),
        ("$1", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)),
        ("$1", datetime.datetime(2024, 2, 29, 1, tzinfo=datetime.timezone.utc)),
        ("$1", datetime.time(1, 2, 3)),
        ("$1", datetime.timedelta(-3, 4, 5)),
        ("$1", uuid.UUID(int=7)),
        ("$1", {"a": [1, "x"]}),
        ("$1::text", None),
    ]
    for sql, value in cases:
        got = execute(f"SELECT {sql}", value)[0][0]
        assert got == value, (sql, value, got)
    assert execute("SELECT $1", numpy.int64(3))[0][0] == 3
    assert execute("SELECT $1::text[]", ["a", None, 'b"\\,{}'])[0][0] == ["a", None, 'b"\\,{}']
    assert execute("SELECT $1::int[]", numpy.arange(3))[0][0].tolist() == [0, 1, 2]
    # $1 in texts and comments is no parameter.
    sql = """SELECT $1::int, '$2 %s', "$3", $$ $4 '$$ /* $5 */ FROM (SELECT 1 AS "$3") x -- $6"""
    assert execute(sql, 7) == [(7, "$2 %s", 1, " $4 '")]
    with oml.cursor() as cursor:
        cursor.execute("SELECT 1 AS a, 'x'::varchar(5) AS \"B\"")
        described = [item[:2] for item in cursor.description]
        assert described == [("a", "integer"), ("B", "character varying(5)")], described
        assert (cursor.rowcount, cursor.fetchall()) == (1, [(1, "x")])
        cursor.execute("CREATE TABLE both_counted (x int)")
        assert cursor.description is None
        cursor.execute("INSERT INTO both_counted SELECT generate_series(1, 7)")
        assert (cursor.description, cursor.rowcount) == (None, 7)
        cursor.execute("DROP TABLE both_counted")


def test_query_errors(place: str) -> None:
    cases = [
        ("SELECT 1/0", (), "22012"),
        ("SELECT * FROM nowhere", (), "42P01"),
        ("SELEC 1", (), "42601"),
        ("SELECT 1; SELECT 2", (), "42601"),
        ("COPY pg_class TO STDOUT", (), "0A000"),
        ("SELECT $1::int", ("x",), "22P02"),
        ("SELECT 'a\0b'", (), "22021"),
        ("SELECT $1::text", ("a\0b",), "22021"),
    ]
    for sql, parameters, sqlstate in cases:
        with oml.cursor() as cursor:
            error = fails(oml.DatabaseError, cursor.execute, sql, parameters)
        assert error.sqlstate == sqlstate, (sql, error.sqlstate)
    sql = "DO $$ BEGIN RAISE 'own' USING ERRCODE = 'P1234', HINT = 'think', DETAIL = 'd'; END $$"
    error = fails(oml.DatabaseError, execute, sql)
    found = (str(error), error.sqlstate, error.detail, error.hint)
    assert found == ("own", "P1234", "d", "think")
    fails(TypeError, execute, "SELECT $1", object())
    fails(UnicodeEncodeError, execute, "SELECT $1::text", "\udc80")
    assert execute("SELECT 1") == [(1,)]


def test_session(place: str) -> None:
    assert oml.isconnected() and oml.check_embed()
    assert oml.__version__ and isinstance(oml.__version__, str)
    assert oml.core.frame.DataFrame is oml.DataFrame
    connection = oml.core.methods._get_conn()
    cursor = connection.cursor()
    assert cursor.execute("SELECT 1").fetchone() == (1,)
    connection.commit()
    fails(AttributeError, getattr, oml, "nothing")


# ---------------------------------------------------------------------------------------- pull


def test_pull_types(place: str) -> None:
    sql = """
        SELECT i::int2 i2, i i4, i::int8 i8, i::oid o, i::float4 f4, i / 7.0::float8 f8,
            i / 7::numeric n, i % 2 = 0 b, 't' || i % 5 t, decode('00ff27', 'hex') y,
            date '2020-01-01' + i d, timestamp '2020-01-01 01:02:03.5' + i * interval '1h' ts,
            timestamptz '2020-01-01Z' + i * interval '1h' tz, i * interval '1h' iv,
            md5(i::text)::uuid u, json_build_object('a', i) j, jsonb_build_object('a', i) jb,
            ARRAY[i, 2] a, time '01:02' + i * interval '1s' ti, '10.0.0.1'::inet ip,
            'x'::char(3) c
        FROM generate_series(1, 2000) i"""
    execute("CREATE TABLE both_typed AS " + sql)
    units = ("s", "us") if int(pandas.__version__.split(".")[0]) >= 2 else ("ns", "ns")
    dtypes = ["int16", "int32", "int64", "int64", "float32", "float64", "float64", "bool"]
    text = str(pandas.Series(["x"]).dtype)  # str from pandas 3 on
    dtypes += [text, "object", f"datetime64[{units[0]}]", f"datetime64[{units[1]}]"]
    dtypes += [f"datetime64[{units[1]}, UTC]", f"timedelta64[{units[1]}]"]
    dtypes += ["object"] * 5 + [text] * 2
    proxy = oml.sync(table="both_typed").sort_values("i4")
    frame = proxy.pull()
    assert [str(dtype) for dtype in frame.dtypes] == dtypes, list(frame.dtypes)
    assert len(frame) == 2000 and frame.index.equals(pandas.RangeIndex(2000))
    rows = proxy.pull(aslist=True)
    for column, values in zip(frame.columns, zip(*rows)):
        for got, wanted in zip(frame[column].tolist(), values):
            if column == "a":
                assert got.tolist() == wanted.tolist()
            elif column == "n":
                assert got == float(wanted)
            elif column == "d":
                assert got.date() == wanted
            else:
                assert got == wanted, (column, got, wanted)
    # NULL, in some rows and in all.
    for count in (1, 5000):
        execute("INSERT INTO both_typed SELECT FROM generate_series(1, $1)", count)
        nulls = oml.sync(query="SELECT * FROM both_typed").pull()
        wanted = ["float64"] * 4 + dtypes[4:7] + ["object"] + dtypes[8:]
        assert [str(dtype) for dtype in nulls.dtypes] == wanted, list(nulls.dtypes)
        assert nulls[nulls["i4"].isna()].isna().all().all()
        assert nulls["b"][2000] is None and (text == "str" or nulls["t"][2000] is None)
        pandas.testing.assert_frame_equal(
            nulls[:2000].drop(columns="a"), frame.drop(columns="a"), check_dtype=False
        )
        execute("DELETE FROM both_typed WHERE i4 IS NULL")
    # Without rows the types are those without NULLs.
    empty = proxy[proxy["i4"] < 0].pull()
    assert len(empty) == 0
    assert [str(dtype) for dtype in empty.dtypes] == dtypes, list(empty.dtypes)
    execute("DROP TABLE both_typed")


def test_pull_unusual_times(place: str) -> None:
    execute("SET timezone TO 'UTC'")
    values = [
        ("infinity", "-infinity", "infinity", "1 mon 2 days"),
        ("0044-03-15 BC", "0044-03-15 01:02:03.5 BC", "0044-03-15 01:02:03.5Z BC", "-1 mon 2 day"),
        ("12000-01-01", "12000-01-01", "12000-01-01Z", "1 year -1 day -01:02:03.25"),
        ("9999-12-31", "9999-12-31 23:59:59.999999", "0001-01-01Z", "1 day 01:00"),
        ("0001-01-01", "1600-01-01", "1600-01-01Z", "-3 years -2 mons 1 day -00:00:01"),
        (None, None, None, None),
    ]
    sql = " UNION ALL ".join(
        "SELECT "
        + ", ".join(
            f"{'NULL' if value is None else repr(value)}::{kind} AS {name}"
            for value, kind, name in zip(
                row, ("date", "timestamp", "timestamptz", "interval"), "dtzi"
            )
        )
        for row in values
    )
    proxy = oml.sync(query=sql)
    frame = proxy.pull()
    assert list(map(str, frame.dtypes)) == ["object"] * 4
    rows = proxy.pull(aslist=True)
    assert rows[0] == values[0] and rows[1][0] == "0044-03-15 BC"
    assert rows[3][0] == datetime.date(9999, 12, 31)
    assert frame.astype(object).values.tolist() == [list(row) for row in rows]


def test_pull_many_rows(place: str) -> None:
    sql = (
        "SELECT i, i * 0.5::float8 AS x, CASE WHEN i % 100000 > 0 THEN i END AS n, "
        "md5(i::text) AS t, repeat('x', i % 7) AS r FROM generate_series(1, 200000) AS i"
    )
    frame = oml.sync(query=sql).pull()
    assert frame["i"].tolist() == list(range(1, 200001))
    assert frame["x"].sum() == 200000 * 200001 / 4
    assert frame["n"].isna().sum() == 2 and frame["n"].max() == 199999
    assert frame["t"].nunique() == 200000 and set(map(len, frame["r"])) == set(range(7))


# ----------------------------------------------------------------------------- create, push, sync


def test_create_and_append(place: str) -> None:
    frame = local_frame()
    for name in ('Both "quoted"; DROP TABLE x', "both_plain"):
        proxy = oml.create(frame, table=name)
        kinds = [oml.Integer, oml.Float, oml.String, oml.Boolean, oml.String]
        assert list(proxy.dtypes) == kinds, proxy.dtypes
        assert proxy.shape == (6, 5)
        compare(proxy, frame)
        assert fails(oml.DatabaseError, oml.create, frame, table=name).sqlstate == "42P07"
        compare(oml.create(frame, table=name, append=True).drop_duplicates(), frame)
        assert oml.sync(table=name).shape == (12, 5)
        # Columns count by name.
        oml.create(frame[["grp", "ID"]].head(2), table=name, append=True)
        assert oml.sync(table=name)["x"].count() == 10
        wrong = pandas.DataFrame({"ID": [1], "other": [2]})
        error = fails(oml.DatabaseError, oml.create, wrong, table=name, append=True)
        assert error.sqlstate == "42703"
        oml.drop(table=name)
        assert fails(oml.DatabaseError, oml.drop, table=name).sqlstate == "42P01"
    error = fails(oml.DatabaseError, oml.create, frame, table="both_missing", append=True)
    assert error.sqlstate == "42P01"


def test_create_types(place: str) -> None:
    # check_sizes: a table of columns, values and types.
    utc = datetime.timezone.utc
    values = {
        "i": [1, None, -(2**40)],
        "n": [decimal.Decimal("1.50"), decimal.Decimal("-12345678.000100"), None],
        "m": [1, decimal.Decimal("0.0001"), 2.5],
        "h": [2**64, 1, -(2**70)],
        "f": [1, 2.5, None],
        "t": ["", "x\n\t\\N", None],
        "y": [b"", b"\x00\\'\xff", None],
        "b": [True, None, False],
        "d": [datetime.date(1, 1, 1), None, datetime.date(9999, 12, 31)],
        "ts": [datetime.datetime(2024, 1, 2, 3, 4, 5, 6), None, datetime.datetime(1900, 1, 1)],
        "tz": [
            datetime.datetime(2024, 1, 2, tzinfo=utc),
            None,
            datetime.datetime(1, 1, 1, tzinfo=utc),
        ],
        "ti": [datetime.time(1, 2, 3, 4), None, datetime.time(23, 59)],
        "iv": [datetime.timedelta(-1, 2, 3), None, datetime.timedelta(400)],
        "u": [uuid.UUID(int=1), None, uuid.UUID(int=2**128 - 1)],
        "j": [{"a": [1, None, "x"]}, None, {}],
    }
    names = list(values)
    rows = list(zip(*values.values()))
    proxy = oml.push(rows)
    assert proxy.columns == [f"COL{n + 1}" for n in range(len(names))]
    got = proxy.rename(names).pull(aslist=True)
    assert got == rows, got
    types = dict(execute_types(proxy.rename(names)))
    assert types == {
        "i": "bigint",
        "n": "numeric",
        "m": "numeric",
        "h": "numeric",
        "f": "double precision",
        "t": "text",
        "y": "bytea",
        "b": "boolean",
        "d": "date",
        "ts": "timestamp without time zone",
        "tz": "timestamp with time zone",
        "ti": "time without time zone",
        "iv": "interval",
        "u": "uuid",
        "j": "jsonb",
    }
    frame = pandas.DataFrame(values)
    frame["cat"] = pandas.Categorical(["u", None, "v"])
    frame["Int"] = pandas.array([1, None, 3], dtype="Int64")
    frame["when"] = [
        pandas.Timestamp(t) for t in ("2024-01-02 03:04:05.000006", None, "1700-01-01")
    ]
    frame["span"] = pandas.to_timedelta(["1 days 00:00:00.000001", None, "-2 days"])
    frame["zone"] = pandas.date_range("2024-01-01", periods=3, tz="Europe/Berlin")
    proxy = oml.push(frame)
    assert proxy["i"].pull() == values["i"]
    assert proxy["tz"].pull() == values["tz"]
    assert proxy["cat"].pull() == ["u", None, "v"] and proxy["Int"].pull() == [1, None, 3]
    got = proxy[["when", "span"]].pull()
    wanted = frame[["when", "span"]]
    pandas.testing.assert_frame_equal(got.astype(wanted.dtypes), wanted)
    assert isinstance(proxy["when"], oml.Datetime) and isinstance(proxy["zone"], oml.Timezone)
    times = oml.push(frame[["when", "zone"]].iloc[[1, 0]]).pull()  # of fixed width only
    wanted = frame[["when", "zone"]].iloc[[1, 0]].reset_index(drop=True)
    wanted["zone"] = wanted["zone"].dt.tz_convert("UTC")
    pandas.testing.assert_frame_equal(times.astype(wanted.dtypes), wanted)
    assert proxy["zone"].pull() == list(frame["zone"])


def execute_types(proxy: Any) -> Any:
    with oml.cursor() as cursor:
        cursor.execute(proxy._sql)
        return [item[:2] for item in cursor.description]


def test_create_refusals(place: str) -> None:
    def fail(values: Any, **keywords: Any) -> Any:
        return fails(
            ValueError, oml.push, pandas.DataFrame({"c": values}, dtype=object), **keywords
        )

    assert '"c"' in str(fail([None, None]))
    mixed: list[Any]
    for mixed in ([1, "x"], [True, 1], ["x", b"y"], [1.5, None, {}]):
        assert '"c"' in str(fail(mixed)), mixed
    fail([object()])
    fails(ValueError, oml.push, [(1, 2), (3,)])
    fails(ValueError, oml.push, pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    fails(TypeError, oml.push, {"a": 1})
    fails(ValueError, oml.push, [(1, 2)], dbtypes=["int"])
    fails(ValueError, oml.push, pandas.DataFrame({"a": [1]}), dbtypes={"b": "int"})
    # A named type makes them good.
    frame = pandas.DataFrame({"none": [None, None], "mixed": [1, "x"], "n": [1.5, 2]})
    types = {"none": "NUMBER(10,2)", "mixed": "VARCHAR2(10)", "n": "BINARY_FLOAT"}
    proxy = oml.push(frame, dbtypes=types)
    assert [kind for _, kind in execute_types(proxy)] == [
        "numeric(10,2)",
        "character varying(10)",
        "real",
    ]
    assert proxy.pull(aslist=True) == [(None, "1", 1.5), (None, "x", 2.0)]
    execute("CREATE TABLE both_victim (x int)")
    for bad in ("int); DROP TABLE both_victim; --", "int, x int", "int PRIMARY KEY", "nothing", ""):
        fails(oml.DatabaseError, oml.push, pandas.DataFrame({"a": [1]}), dbtypes={"a": bad})
        fails(oml.DatabaseError, oml.create, [(1,)], table="both_bad", dbtypes=[bad])
    execute("DROP TABLE both_victim")
    # A table that could not be filled is not there.
    frame = pandas.DataFrame({"a": ["1", "x"]})
    error = fails(oml.DatabaseError, oml.create, frame, table="both_bad", dbtypes={"a": "int"})
    assert error.sqlstate == "22P02"
    assert fails(oml.DatabaseError, oml.sync, table="both_bad").sqlstate == "42P01"
    empty = oml.push(pandas.DataFrame({"a": pandas.Series([], dtype=float), "b": []}))
    assert empty.shape == (0, 2)


def test_odd_names_and_values(place: str) -> None:
    execute("CREATE TABLE victim (x int)")
    frame = pandas.DataFrame(
        {name: [name, f"{name}{name}", "x'); DROP TABLE victim; --"] for name in ODD_NAMES}
    )
    frame.insert(0, "ID", [1, 2, 3])
    for name in ODD_NAMES[:9]:
        proxy = oml.create(frame, table=name)
        compare(proxy, frame)
        compare(oml.sync(table=name).sort_values(ODD_NAMES), frame)
        oml.drop(table=name)
    proxy = oml.push(frame)
    for name in ODD_NAMES:
        for value in frame[name]:
            assert (
                proxy[proxy[name] == value, "ID"].pull() == frame[frame[name] == value].ID.tolist()
            )
        assert proxy[name].isin(list(frame[name])).all()
        joined = (proxy[name] + name).pull()
        assert joined == [value + name for value in frame[name]], joined
        both = proxy[["ID", name]].merge(proxy[["ID", name]], on="ID")
        assert both.columns == ["ID", f"{name}_l", f"{name}_r"] and len(both) == 3
        assert proxy.crosstab(name).shape == (3, 2) or name == "count"
    parts = proxy.split((0.5, 0.5), hash_cols=ODD_NAMES)
    assert sum(map(len, parts)) == 3
    assert proxy.dropna().drop_duplicates(ODD_NAMES).shape == (3, 13)
    view = proxy.create_view()
    compare(view, frame)
    compare(proxy.materialize(), frame)
    assert execute("SELECT count(*) FROM victim") == [(0,)]
    execute("DROP TABLE victim")
    fails(ValueError, lambda: proxy["it's"] == "a\0b")
    fails(ValueError, lambda: proxy["it's"] == "\udc80")
    fails(TypeError, lambda: proxy["it's"] == object())


def test_sync_forms(place: str) -> None:
    execute("CREATE SCHEMA both_schema")
    execute('CREATE TABLE both_schema."T1" (a int)')
    execute("CREATE TABLE both_schema.t2 (b text)")
    execute("CREATE VIEW both_schema.v1 AS SELECT 1 AS x")
    assert oml.sync("both_schema", table="T1").columns == ["a"]
    assert oml.sync(schema="both_schema", table="T2").columns == ["b"]  # folded
    assert oml.sync("both_schema", view="v1").pull(aslist=True) == [(1,)]
    found = oml.sync("both_schema", regex_match=True, table="^[tT]")
    assert {name: proxy.columns for name, proxy in found.items()} == {"T1": ["a"], "t2": ["b"]}
    assert list(oml.sync("both_schema", regex_match=True, view=".")) == ["v1"]
    assert oml.sync("both_schema", regex_match=True, table="nothing") == {}
    query = oml.sync(query="SELECT 1 AS a, 'x' AS b -- comment\n;")
    assert query.pull(aslist=True) == [(1, "x")]
    assert oml.sync(query="VALUES (1), (2)").shape == (2, 1)
    for wrong in (
        {},
        {"table": "a", "view": "b"},
        {"schema": "s", "query": "SELECT 1"},
        {"regex_match": True, "query": "SELECT 1"},
    ):
        fails(ValueError, oml.sync, **wrong)
    assert fails(oml.DatabaseError, oml.sync, table="T1").sqlstate == "42P01"
    assert fails(oml.DatabaseError, oml.sync, "nowhere", table="T1").sqlstate == "42P01"
    fails(oml.DatabaseError, oml.sync, query="SELECT 1; DROP SCHEMA both_schema")
    fails(oml.DatabaseError, oml.sync, query="SELECT 1) AS x; DROP SCHEMA both_schema; --")
    fails(oml.DatabaseError, oml.sync, query="DELETE FROM both_schema.t2")
    fails(ValueError, oml.sync, query="SELECT 1 AS a, 2 AS a")
    # The rows are live.
    proxy = oml.sync("both_schema", table="t2")
    execute("INSERT INTO both_schema.t2 VALUES ('x')")
    assert len(proxy) == 1
    execute("DROP SCHEMA both_schema CASCADE")
    error = fails(oml.DatabaseError, len, proxy)
    assert error.sqlstate == "42P01"


def test_push_lives_with_its_proxies(place: str) -> None:
    def tables() -> int:
        sql = (
            "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relkind IN ('r', 'v') "
            "AND relname LIKE 'oml\\_%'"
        )
        return int(execute(sql)[0][0])

    before = tables()
    proxy = oml.push([(1, "a"), (2, "b")])
    derived = [
        proxy[proxy["COL1"] > 1],
        proxy["COL1"] + 1,
        proxy.merge(oml.DataFrame(proxy).rename(["x", "y"]), left_on="COL1", right_on="x"),
        proxy.append(proxy),
        proxy.crosstab("COL2"),
        proxy.drop_duplicates(),
    ]
    assert tables() == before + 1
    del proxy
    gc.collect()
    assert [len(item) for item in derived] == [1, 2, 2, 4, 2, 2]
    view = derived[0].create_view()
    copy = derived[0].materialize()
    assert tables() == before + 3
    del derived
    gc.collect()
    assert view.pull(aslist=True) == copy.pull(aslist=True) == [(2, "b")]
    del view, copy
    gc.collect()
    assert tables() == before, tables()
    column = oml.push(pandas.Series([1.5, None], name="s"))
    assert isinstance(column, oml.Float) and column.columns == ["s"]
    assert column.pull() == [1.5, None] and oml.push([1, 2]).pull() == [1, 2]


def test_proxies_in_the_workspace(place: str) -> None:
    globals()["both_a"] = oml.push([(1,)])
    globals()["both_b"] = globals()["both_a"]["COL1"]
    exec("import oml; both_names = oml.dir()", globals())
    names = globals().pop("both_names")
    assert {"both_a", "both_b"} <= set(names) and "pandas" not in names
    del globals()["both_a"], globals()["both_b"]


def test_proxies_are_pickled(place: str) -> None:
    proxy = oml.push(local_frame())
    small = proxy[proxy["ID"] > 2, ["ID", "Some text"]]
    again = pickle.loads(pickle.dumps(small))
    assert isinstance(again, oml.DataFrame) and again._sql != ""
    assert list(again.dtypes) == list(small.dtypes)
    assert sorted(again["ID"].pull()) == [3, 4, 5, 6]
    column = pickle.loads(pickle.dumps(proxy["ID"] * 2))
    assert isinstance(column, oml.Integer) and sorted(column.pull()) == [2, 4, 6, 8, 10, 12]


# -------------------------------------------------------------------------------------- proxies


def test_indexing(place: str) -> None:
    frame = local_frame()
    proxy = oml.push(frame)
    assert isinstance(proxy["ID"], oml.Integer) and proxy["ID"].columns == ["ID"]
    compare(proxy[["x", "ID"]], frame[["x", "ID"]])
    compare(proxy[:, ["x", "ID"]], frame[["x", "ID"]])
    compare(proxy[:, :], frame)
    compare(proxy[:, 0:2], frame.iloc[:, 0:2])
    compare(proxy[:, [1, 0]], frame.iloc[:, [1, 0]])
    compare(proxy[:, -5:-2], frame.iloc[:, -5:-2])
    assert isinstance(proxy[:, 0], oml.Integer) and isinstance(proxy[:, "x"], oml.Float)
    assert isinstance(proxy[:, ["grp"]], oml.String) and isinstance(proxy[["grp"]], oml.DataFrame)
    condition = (proxy["ID"] > 2) & ~proxy["flag"]
    assert isinstance(condition, oml.Boolean)
    kept = frame[(frame["ID"] > 2) & ~frame["flag"]]
    compare(proxy[condition], kept)
    compare(proxy[condition, ["ID", "x"]], kept[["ID", "x"]])
    compare(proxy[proxy["ID"] > 1, :][:, 0:1:1]._frame(), frame[frame.ID > 1][["ID"]])
    # A condition on columns that are not chosen.
    compare(proxy[["ID", "x"]][proxy["grp"] == "u"], frame[frame.grp == "u"][["ID", "x"]])
    assert sorted(proxy["ID"][proxy["flag"]].pull()) == [2, 3, 4]
    assert (len(proxy), proxy.shape, "x" in proxy, list(proxy)) == (6, (6, 5), True, proxy.columns)
    key: Any
    for key in ("nothing", ["ID", "nothing"], (slice(None), "nothing")):
        fails(KeyError, lambda key=key: proxy[key])
    for key in (3, (0, "ID"), (slice(1, 2), "ID"), (slice(None), 1.5), 1.5, None):
        fails(TypeError, lambda key=key: proxy[key])
    fails(IndexError, lambda: proxy[:, 9])
    fails(ValueError, lambda: proxy[[]])
    fails(ValueError, lambda: proxy[["ID", "ID"]])
    other = oml.push(frame)
    fails(ValueError, lambda: proxy[other["flag"]])
    fails(ValueError, lambda: proxy["ID"] + other["ID"])
    fails(ValueError, lambda: proxy.head()[proxy["flag"]])
    fails(TypeError, lambda: bool(proxy["ID"] == 1))
    fails(TypeError, lambda: proxy["flag"] & proxy["ID"])


def test_order_head_tail(place: str) -> None:
    frame = local_frame()
    proxy = oml.push(frame)
    for by, ascending in (
        ("ID", True),
        ("ID", False),
        (["grp", "ID"], [False, True]),
        (["flag", "x"], True),
        ("x", False),
    ):
        for position in ("last", "first"):
            wanted = frame.sort_values(by, ascending=ascending, na_position=position)
            got = proxy.sort_values(by, ascending=ascending, na_position=position)
            for part in (got, got[:, :].rename({"grp": "g"}).rename({"g": "grp"})):
                assert part.pull()["ID"].tolist() == wanted["ID"].tolist()
            assert got.head(2)["ID"].pull() == wanted["ID"].head(2).tolist()
            assert got.tail(2)["ID"].pull() == wanted["ID"].tail(2).tolist()
            assert got[["x"]].head(3).tail(1).pull().shape == (1, 1)
            assert got["ID"].pull() == wanted["ID"].tolist()
            kept = got[got["ID"] > 2]
            assert kept["ID"].pull() == wanted[wanted.ID > 2]["ID"].tolist()
    assert proxy.head()["ID"].pull() == [4, 1, 3, 2, 6]
    assert proxy.tail(2)["ID"].pull() == [6, 5] and proxy.tail(99).shape == (6, 5)
    assert proxy.head(0).shape == (0, 5) and proxy["ID"].tail(1).pull() == [5]
    assert proxy["x"].sort_values(ascending=False).head(2).pull() == [float("inf"), 1e300]
    # The last sort has precedence; earlier ones order equal rows.
    twice = proxy.sort_values("ID").sort_values("grp")
    assert twice["ID"].pull() == [3, 4, 6, 1, 2, 5]
    fails(ValueError, proxy.sort_values, ["ID", "x"], ascending=[True])
    fails(ValueError, proxy.sort_values, "ID", na_position="middle")


def test_columns_of_frames(place: str) -> None:
    frame = local_frame()
    proxy = oml.push(frame)
    compare(proxy.drop("x"), frame.drop(columns="x"))
    compare(proxy.drop(["x", "grp"]), frame.drop(columns=["x", "grp"]))
    other = oml.DataFrame(proxy)
    renamed = other.rename({"x": "y", "grp": "x"})
    for both in (other, renamed):  # in place, and returned
        compare(both, frame.rename(columns={"x": "y", "grp": "x"}))
    renamed.rename(list("abcde"))
    assert renamed.columns == list("abcde") and other.columns[1] == "y"
    compare(proxy, frame)
    swapped = oml.DataFrame(proxy).rename({"ID": "x", "x": "ID"}).rename({"ID": "x", "x": "ID"})
    compare(swapped, frame)
    assert proxy.select_types(include=[oml.Float, oml.Integer]).columns == ["ID", "x"]
    assert proxy.select_types(exclude=["String"]).columns == ["ID", "x", "flag"]
    more = proxy.concat({"twice": proxy["ID"] * 2, "text": proxy["grp"] + "!"})
    compare(more, frame.assign(twice=frame.ID * 2, text=frame.grp + "!"))
    assert proxy[["ID"]].concat([proxy["x"], proxy[["grp"]]]).columns == ["ID", "x", "grp"]
    assert proxy.concat(proxy["ID"] + 1, auto_name=True).columns[-1] == "ID6"
    fails(ValueError, proxy.concat, proxy["ID"])
    fails(ValueError, proxy.concat, {"other": oml.push([1])})
    fails(ValueError, proxy.rename, {"x": "ID"})
    fails(ValueError, proxy.rename, ["a"])
    fails(KeyError, proxy.rename, {"nothing": "a"})
    fails(KeyError, proxy.drop, "nothing")
    fails(ValueError, proxy.drop, proxy.columns)
    single = oml.DataFrame(proxy["grp"])
    assert single.columns == ["grp"] and isinstance(single, oml.DataFrame)
    assert oml.DataFrame({"a": proxy["ID"], "b": proxy["x"] / 2}).columns == ["a", "b"]
    compare(oml.DataFrame(proxy), frame)
    fails(TypeError, oml.DataFrame, {"a": [1]})
    fails(ValueError, oml.DataFrame, {})


def test_missing_and_duplicates(place: str) -> None:
    nan = float("nan")
    frame = pandas.DataFrame(
        {"ID": range(5), "a": [1.0, nan, nan, 4, 1], "b": ["x", None, "y", None, "x"]}
    )
    proxy = oml.push(frame)
    for keywords in (
        {},
        {"how": "all", "subset": ["a", "b"]},
        {"subset": ["a"]},
    ):
        compare(proxy.dropna(**keywords), frame.dropna(**keywords))
    for missing in (1, 2, 3):  # Oracle counts missing values, pandas the others
        compare(proxy.dropna(thresh=missing), frame.dropna(thresh=4 - missing))
    fails(ValueError, proxy.dropna, how="some")
    floats = oml.sync(
        query="SELECT x, row_number() OVER () i FROM unnest('{1,NaN,NULL}'::float8[]) x"
    )
    assert floats.dropna()["i"].pull() == [1] and floats["x"].isnull().sum() == 2
    assert floats["x"].max() == 1.0 and floats["x"].count() == 1
    pair = proxy[["a", "b"]]
    assert pair.drop_duplicates().shape == (4, 2)
    first = proxy.sort_values("ID", ascending=False).drop_duplicates(["a", "b"], keep="first")
    assert sorted(first["ID"].pull()) == [1, 2, 3, 4]
    assert sorted(map(str, proxy["b"].drop_duplicates().pull())) == ["None", "x", "y"]


def test_operators(place: str) -> None:
    # check_sizes: each operator on the same frame.
    frame = pandas.DataFrame(
        {
            "i": [7, -7, 0, 3],
            "j": [2, 2, -3, 5],
            "f": [1.5, -2.5, 0.25, 1e10],
            "s": ["a", "B", "c'", "a"],
            "d": [
                pandas.Timestamp(text)
                for text in ("2024-01-01", "2024-02-29", "2020-01-01 01:02:03", "2024-01-01")
            ],
        }
    )
    proxy = oml.push(frame)
    names = ("add", "sub", "mul", "truediv", "floordiv", "mod")
    for name in names:
        function = getattr(operator, name)
        for left, right in (("i", "j"), ("f", "j"), ("i", "f"), ("f", "f"), ("i", 2), ("f", -0.5)):
            other = proxy[right] if isinstance(right, str) else right
            got = function(proxy[left], other)
            wanted = function(frame[left], frame[right] if isinstance(right, str) else right)
            assert type(got).__name__ == ("Integer" if wanted.dtype.kind == "i" else "Float")
            for a, b in zip(got.pull(), wanted):
                assert abs(a - b) <= 1e-9 * max(1, abs(b)), (name, left, right, a, b)
    assert (10 - proxy["i"]).pull() == [3, 17, 10, 7]
    assert (1 / proxy["j"]).pull() == [0.5, 0.5, 1 / -3, 0.2]
    assert (100 // proxy["j"]).pull() == [50, 50, -34, 20]
    assert (proxy["j"] / proxy["i"]).pull()[2] == float("-inf")
    assert (-proxy["i"]).pull() == [-7, 7, 0, -3] and abs(proxy["i"]).pull() == [7, 7, 0, 3]
    assert (proxy["i"] ** 2).pull() == [49, 49, 0, 9]
    # int4 would overflow.
    wide = oml.sync(query="SELECT 2147483647::int4 AS i")
    assert (wide["i"] * wide["i"]).pull() == [(2**31 - 1) ** 2]
    for name in ("lt", "le", "eq", "ne", "ge", "gt"):
        function = getattr(operator, name)
        for left, right in (("i", "j"), ("i", 3), ("f", 1.5), ("f", "i"), ("s", "a"), ("s", "c'")):
            is_column = right in frame.columns
            got = function(proxy[left], proxy[right] if is_column else right).pull()
            if left == "s" and name not in ("eq", "ne"):
                continue  # the database's collation decides
            wanted = function(frame[left], frame[right] if is_column else right).tolist()
            assert got == wanted, (name, left, right)
    low, high = proxy["i"] > 0, proxy["j"] > 2
    assert (low & high).pull() == [False, False, False, True]
    assert (low | high).pull() == [True, False, False, True]
    assert (low ^ high).pull() == [True, False, False, False]
    assert (~low & True).pull() == [False, True, True, False]
    assert proxy["s"].isin(["a", "c'", None]).pull() == [True, False, True, True]
    assert proxy["i"].isin([]).pull() == [False] * 4
    assert (proxy["s"] == None).pull() == [False] * 4  # noqa: E711
    assert ("<" + proxy["s"] + ">").pull() == ["<a>", "<B>", "<c'>", "<a>"]
    assert proxy["s"].len().pull() == [1, 1, 2, 1]
    point = datetime.datetime(2024, 1, 1)
    assert (proxy["d"] > point).pull() == [False, True, False, False]
    span = proxy["d"] - point
    assert isinstance(span, oml.Timedelta)
    assert span.pull() == [value.to_pytimedelta() for value in frame["d"] - point]
    later = proxy["d"] + datetime.timedelta(hours=1)
    assert isinstance(later, oml.Datetime)
    assert later.pull() == [v.to_pydatetime() for v in frame["d"] + pandas.Timedelta(hours=1)]
    assert (proxy["d"] - proxy["d"]).max() == datetime.timedelta(0)
    for wrong in (
        lambda: proxy["s"] + 1,
        lambda: proxy["i"] + proxy["s"],
        lambda: proxy["i"] + "1",
        lambda: proxy["d"] + 1,
        lambda: proxy["s"] - "a",
        lambda: proxy["d"] - 1,
    ):
        fails(TypeError, wrong)


def test_constants(place: str) -> None:
    utc = datetime.timezone.utc
    values: list[tuple[str, Any]] = [
        ("text", "it's"),
        ("text", "\\"),
        ("text", "\\' OR TRUE --"),
        ("text", "$$ $1 %s {0}"),
        ("boolean", True),
        ("integer", -3),
        ("bigint", numpy.int64(2**40)),
        ("float8", 0.1),
        ("float8", float("nan")),
        ("float8", float("-inf")),
        ("numeric", decimal.Decimal("-0.10")),
        ("bytea", b"\x00'\\"),
        ("date", datetime.date(2024, 2, 29)),
        ("timestamp", datetime.datetime(2024, 2, 29, 1, 2, 3, 4)),
        ("timestamp", numpy.datetime64("2024-02-29T01:02:03.5")),
        ("timestamptz", datetime.datetime(2024, 2, 29, tzinfo=utc)),
        ("interval", datetime.timedelta(-1, 2, 3)),
        ("time", datetime.time(1, 2, 3)),
        ("uuid", uuid.UUID(int=5)),
    ]
    for setting in ("on", "off"):
        execute("SELECT set_config('escape_string_warning', 'off', false)")
        execute("SELECT set_config('standard_conforming_strings', $1, false)", setting)
        for kind, value in values:
            execute("CREATE TEMP TABLE both_constant AS SELECT $1::" + kind + " AS v", value)
            proxy = oml.sync(table="both_constant")
            assert len(proxy[proxy["v"] == value]) == 1, (setting, kind, value)
            assert len(proxy[proxy["v"] != value]) == 0, (setting, kind, value)
            assert proxy["v"].isin([value]).pull() == [True]
            execute("DROP TABLE both_constant")


def test_aggregates(place: str) -> None:
    frame = local_frame().replace({float("inf"): 7.0, 1e300: 3.0})
    proxy = oml.push(frame)
    numbers, flags = ["ID", "x"], ["ID", "x", "flag"]
    for name, columns in (
        ("sum", flags),
        ("mean", flags),
        ("min", numbers),
        ("max", numbers),
        ("std", numbers),
        ("median", numbers),
    ):
        for skipna in (True, False):
            wanted = getattr(frame[columns], name)(skipna=skipna)
            got = getattr(proxy[columns], name)(skipna=skipna)
            pandas.testing.assert_series_equal(got, wanted, check_dtype=False)
        for column in numbers:
            wanted = getattr(frame[column], name)()
            assert abs(getattr(proxy[column], name)() - wanted) < 1e-12
            unskipped = getattr(proxy[column], name)(skipna=False)
            assert unskipped == getattr(frame[column], name)(skipna=False) or column == "x"
    assert pandas.isna(proxy["x"].sum(skipna=False)) and proxy["x"].max(skipna=False) is None
    extremes = proxy.max()
    assert extremes.index.tolist() == proxy.columns and extremes["grp"] == "v"
    assert extremes["flag"] is True and proxy.min(skipna=False)["Some text"] is None
    assert proxy.max(numeric_only=True).index.tolist() == flags
    assert proxy.count(numeric_only=True).to_dict() == {"ID": 6, "x": 5, "flag": 6}
    pandas.testing.assert_series_equal(
        proxy.nunique(dropna=False), frame.nunique(dropna=False), check_dtype=False
    )
    pandas.testing.assert_series_equal(proxy.count(), frame.count(), check_dtype=False)
    pandas.testing.assert_series_equal(proxy.nunique(), frame.nunique(), check_dtype=False)
    pandas.testing.assert_frame_equal(proxy.describe(), frame[["ID", "x"]].describe())
    pandas.testing.assert_frame_equal(proxy.corr(), frame[["ID", "x", "flag"]].corr())
    assert isinstance(proxy["ID"].sum(), int) and proxy["x"].nunique(dropna=False) == 6
    assert proxy["grp"].min() == "u" and proxy["grp"].nunique() == 2
    assert (proxy["flag"].sum(), proxy["flag"].mean()) == (3, 0.5)
    assert proxy["flag"].any() and not proxy["flag"].all()
    counts = dict(proxy.crosstab("grp").pull(aslist=True))
    assert counts == {"u": 3, "v": 3}
    empty = proxy[proxy["ID"] > 99]
    assert empty["ID"].sum() == 0 and empty["ID"].min() is None
    assert pandas.isna(empty["x"].mean()) and empty["grp"].nunique() == 0


def test_merging(place: str) -> None:
    left = pandas.DataFrame({"k": [1, 2, 3, 3], "v": ["a", "b", "c", "d"], "l": [1, 2, 3, 4]})
    right = pandas.DataFrame({"k": [3, 2, 5], "v": ["x", "y", "z"], "r": [30, 20, 50]})
    a, b = oml.push(left), oml.push(right)

    def same(got: Any, wanted: Any) -> None:
        assert got.columns == list(wanted.columns), (got.columns, list(wanted.columns))
        by = list(wanted.columns)
        one = got.pull().sort_values(by).reset_index(drop=True)
        two = wanted.sort_values(by).reset_index(drop=True)
        one, two = (f.astype(object).where(f.notna(), None) for f in (one, two))
        pandas.testing.assert_frame_equal(one, two)

    def joined(how: str, ends: tuple[str, str], **keys: Any) -> Any:
        """pandas' result under Oracle's names: all columns but those of `on` have a suffix."""
        sides = []
        for side, end, names in zip((left, right), ends, (keys["left_on"], keys["right_on"])):
            kept = [names] if keys["is_shared"] else []
            sides.append(side.rename(columns={n: n + end for n in side.columns if n not in kept}))
        if keys["left_on"] is None:
            return sides[0].merge(sides[1], how="cross")
        if keys["is_shared"]:
            return sides[0].merge(sides[1], on=keys["left_on"], how=how)
        one, other = keys["left_on"] + ends[0], keys["right_on"] + ends[1]
        return sides[0].merge(sides[1], left_on=one, right_on=other, how=how)

    shared = {"left_on": "k", "right_on": "k", "is_shared": True}
    for how in ("left", "right", "inner", "outer"):
        same(a.merge(b, on="k", how=how), joined(how, ("_l", "_r"), **shared))
    same(
        a.merge(b, on=["k"], how="full", suffixes=("_1", "_2")),
        joined("outer", ("_1", "_2"), **shared),
    )
    named = {"left_on": "k", "right_on": "r", "is_shared": False}
    same(a.merge(b, left_on="k", right_on="r"), joined("left", ("_l", "_r"), **named))
    cross = {"left_on": None, "right_on": None, "is_shared": False}
    same(a.merge(b), joined("cross", ("_l", "_r"), **cross))
    same(a.merge(b, how="cross"), joined("cross", ("_l", "_r"), **cross))
    plain = a.merge(b[["k", "r"]], on="k", suffixes=["", ""])
    assert plain.columns == ["k", "v", "l", "r"]
    assert a.merge(a, on="k").shape == (6, 5)
    for wrong in (
        {"on": "k", "left_on": "k"},
        {"left_on": "k"},
        {"on": "k", "how": "some"},
        {"on": "k", "how": "cross"},
        {"on": "k", "suffixes": ("", "")},
        {"on": "k", "suffixes": ("_l",)},
    ):
        fails(ValueError, a.merge, b, **wrong)
    fails(KeyError, a.merge, b, on="l")
    both = a.append(oml.DataFrame(b).rename({"r": "l"}))
    assert both.shape == (7, 3) and both.columns == ["k", "v", "l"]
    assert a.append(a[:, ["l", "k", "v"]], all=False).shape == (4, 3)
    assert a.append(a).pull()["l"].tolist() == [1, 2, 3, 4] * 2
    fails(ValueError, a.append, a[["k", "v"]])


def test_splitting(place: str) -> None:
    count = 3000
    frame = pandas.DataFrame(
        {"ID": range(count), "s": [f"s{i % 3}" for i in range(count)], "x": [0.5] * count}
    )
    proxy = oml.push(frame)

    def parts_of(parts: Any) -> list[list[int]]:
        return [sorted(part["ID"].pull()) for part in parts]

    one = parts_of(proxy.split())
    assert sorted(one[0] + one[1]) == list(range(count))
    assert abs(len(one[0]) - 2100) < 150
    assert parts_of(proxy.split()) == one and parts_of(proxy.split(seed=7)) != one
    three = parts_of(proxy.split((0.2, 0.3, 0.1)))
    assert len(set().union(*three)) == sum(map(len, three)) and abs(len(three[1]) - 900) < 150
    together = proxy.split((0.5, 0.5), hash_cols=["s"])
    assert not set(together[0]["s"].pull()) & set(together[1]["s"].pull())
    by_stratum = proxy.split((0.7, 0.3), strata_cols="s")
    assert [part.pull()["s"].value_counts().tolist() for part in by_stratum] == [
        [700] * 3,
        [300] * 3,
    ]
    shuffled = proxy.split((0.25, 0.75), use_hash=False)
    found = parts_of(shuffled)
    assert list(map(len, found)) == [750, 2250] and sorted(found[0] + found[1]) == list(
        range(count)
    )
    assert parts_of(shuffled) == found
    folds = proxy.KFold(4)
    tests = parts_of([test for _, test in folds])
    assert sorted(row for rows in tests for row in rows) == list(range(count)) and len(folds) == 4
    for train, test in folds:
        assert len(train) + len(test) == count
    assert proxy.split()[0].columns == ["ID", "s", "x"]
    sample = proxy.sample(n=10, random_state=3)
    assert sample.shape == (10, 3)
    assert sorted(sample["ID"].pull()) == sorted(proxy.sample(n=10, random_state=3)["ID"].pull())
    chosen = proxy.sample(frac=0.1)
    assert len(chosen) == len(chosen.pull()) and abs(len(chosen) - 300) < 100
    for ratio in ((), (0.7, 0.4), (-0.1, 0.5)):
        fails(ValueError, proxy.split, ratio)
    fails(ValueError, proxy.sample)
    fails(ValueError, proxy.sample, frac=2.0)
    fails(ValueError, proxy.KFold, 1)


def test_keeping(place: str) -> None:
    frame = local_frame()
    base = oml.create(frame, table="both_base")
    some = base[base["ID"] > 2, ["ID", "x", "Some text"]]
    wanted = frame[frame.ID > 2][["ID", "x", "Some text"]]
    compare(some.materialize(table='Both "kept"'), wanted)
    compare(oml.sync(table='Both "kept"'), wanted)
    error = fails(oml.DatabaseError, some.materialize, table='Both "kept"')
    assert error.sqlstate == "42P07"
    compare(some.create_view(view="both view"), wanted)
    compare(oml.sync(view="both view"), wanted)
    temporary = some.materialize()
    execute('DELETE FROM "both_base"')
    assert len(oml.sync(view="both view")) == 0 and len(temporary) == 4 and len(some) == 0
    assert fails(oml.DatabaseError, oml.drop, table="both view").sqlstate == "42809"
    assert fails(oml.DatabaseError, oml.drop, view="both_base").sqlstate == "42809"
    assert fails(oml.DatabaseError, oml.drop, table="both_base").sqlstate == "2BP01"
    oml.drop(view="both view")
    oml.drop('Both "kept"')
    oml.drop(table="BOTH_BASE")  # folded
    fails(oml.DatabaseError, oml.drop, model="m")
    fails(ValueError, oml.drop)


def test_printing(place: str) -> None:
    proxy = oml.push([(i, f"<{i}>") for i in range(30)])
    few = proxy.head(2)
    assert repr(few) == repr(few.pull())
    assert "[the first 20 rows, 2 columns]" in repr(proxy) and "<19>" in repr(proxy)
    assert "<table" in few._repr_html_() and "&lt;1&gt;" in few._repr_html_()
    assert repr(proxy["COL1"].head(2)) == "[0, 1]" and repr(proxy["COL1"]).endswith("19, ...]")
    assert "oml.core.integer.Integer" in str(proxy.dtypes["COL1"])
