"""Results of scripts compared with psycopg, numpy, pandas and Python: property tests."""

from __future__ import annotations

import datetime
import json
import math
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import engine_kinds
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, Error, sql

# The same examples in every run; speed depends on the machine.
settings.register_profile(
    "oml_epe",
    derandomize=True,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("oml_epe")

ENGINE_PLACES = engine_kinds.ALL
SCHEMA = "types_results"
NAMES = ["i", "f", "t", "b", "ts", "n", "y", "a"]
ROW_TYPE = "i int8, f float8, t text, b bool, ts timestamp, n numeric, y bytea, a int[]"

SCRIPTS = {
    # Rows of Python expressions, in one of the forms that a result may have.
    "types_build": """
import datetime
import numpy as np
import pandas as pd
from decimal import Decimal

nan, inf = float("nan"), float("inf")

def build(names, rows, form):
    rows = [tuple(eval(row)) for row in rows]
    columns = {name: [row[i] for row in rows] for i, name in enumerate(names)}
    if form == "frame":
        return pd.DataFrame({name: pd.Series(values, dtype=object)
                             for name, values in columns.items()})
    if form == "typed frame":
        return pd.DataFrame({**columns, "i": pd.array(columns["i"], dtype="Int64"),
                             "b": pd.array(columns["b"], dtype="boolean"),
                             "t": pd.array(columns["t"], dtype="string"),
                             "f": np.array(columns["f"], dtype=float),
                             "a": pd.Series(columns["a"], dtype=object)})
    if form == "tuples":
        return rows
    if form == "dict":
        return columns
    if form == "dicts":
        return [dict(zip(names, row)) for row in rows]
    return (dict(zip(names, row)) for row in rows)
""",
    "types_give": """
import datetime, enum, uuid
import numpy as np
import pandas as pd
from decimal import Decimal

def give(what):
    return eval(what)
""",
    "types_hex": """
import numpy as np

def hexes(dat):
    return [float(x).hex() for x in np.ravel(dat)]
""",
    "types_chunk": """
def chunk(dat):
    return [(len(dat), int(dat["n"].iloc[0]), int(dat["n"].iloc[-1]), float(dat["x"].sum()),
             list(dat.index) == list(range(len(dat))))]
""",
    "types_group": """
import pandas as pd

def group(dat, keys):
    first = {key: dat[key].iloc[0] for key in keys}
    return pd.DataFrame([{"g": first.get("g"), "h": first.get("h"), "rows": len(dat),
                          "total": dat["x"].sum(), "ns": list(dat["n"])}])
""",
}


@pytest.fixture(scope="module")
def results(
    module_conn: Connection[Any], engine_place: engine_kinds.Place
) -> Iterator[Connection[Any]]:
    """A connection with the scripts and a table of groups."""
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, {engine_place.search_path}")
    module_conn.execute("SET timezone = 'Asia/Tokyo'")
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s)", (name, source))
    module_conn.execute(f"CREATE TYPE everything AS ({ROW_TYPE})")
    module_conn.execute("CREATE DOMAIN positive AS int CHECK (value > 0)")
    module_conn.execute("CREATE TYPE pair AS (x int, y text)")
    module_conn.execute(
        "CREATE TABLE grouped AS SELECT n, nullif(n * 7 % 11, 5) AS g,"
        " (ARRAY['', 'a', NULL, 'null', 'Ü'])[n * 13 % 5 + 1] AS h, sqrt(n) AS x"
        " FROM generate_series(1, 500) AS n"
    )
    yield module_conn
    module_conn.execute("RESET ALL")
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))
    module_conn.execute(f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE")


def null_or(strategy: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.none() | strategy


INTS = st.integers(-(2**63), 2**63 - 1) | st.sampled_from([-(2**63), 2**63 - 1, 2**53 + 1, 0])
FLOATS = st.floats(width=64) | st.sampled_from([0.1, -0.0, 5e-324, 1.7976931348623157e308])
TEXTS = st.text(max_size=20).map(lambda text: text.replace("\0", "")) | st.sampled_from(
    ["", "'", '"', "\\", "NULL", "{}", "a\nb", "😀", "\\N"]
)
DATETIMES = st.datetimes(datetime.datetime(1, 1, 1), datetime.datetime(9999, 12, 31))
DECIMALS = st.decimals(allow_nan=False, allow_infinity=False, places=15) | st.sampled_from(
    [Decimal("NaN"), Decimal("Infinity"), Decimal("-Infinity"), Decimal("1E+400"), Decimal("-0")]
)
LISTS = st.lists(null_or(st.integers(-(2**31), 2**31 - 1)), max_size=4)
ROWS = st.lists(
    st.tuples(
        null_or(INTS),
        null_or(FLOATS),
        null_or(TEXTS),
        null_or(st.booleans()),
        null_or(DATETIMES),
        null_or(DECIMALS),
        null_or(st.binary(max_size=12)),
        null_or(LISTS),
    ),
    max_size=8,
)
FORMS = ["frame", "typed frame", "tuples", "dict", "dicts", "generator"]


def same(given_value: Any, found: Any) -> bool:
    """Whether a value came back: NaN of a float is NULL, that of a Decimal is itself."""
    if isinstance(given_value, float):
        if math.isnan(given_value):
            return found is None
        return given_value == found and math.copysign(1, given_value) == math.copysign(1, found)
    if isinstance(given_value, Decimal) and given_value.is_nan():
        return isinstance(found, Decimal) and found.is_nan()
    return type(given_value) is type(found) and bool(given_value == found)


@settings(max_examples=120)
@given(rows=ROWS, form=st.sampled_from(FORMS))
def test_random_results_come_back(
    results: Connection[Any], rows: list[tuple[Any, ...]], form: str
) -> None:
    parameters = {"names": NAMES, "rows": [repr(row) for row in rows], "form": form}
    found = results.execute(
        "SELECT * FROM pyq_eval(%s, NULL::everything, 'types_build')", (json.dumps(parameters),)
    ).fetchall()
    assert len(found) == len(rows)
    for given_row, found_row in zip(rows, found):
        for name, given_value, found_value in zip(NAMES, given_row, found_row):
            assert same(given_value, found_value), name


def hexes(connection: Connection[Any], numerics: list[str], input_type: str) -> list[str]:
    """Send numerics through float64 and return what the function saw, exactly."""
    query = sql.SQL("SELECT v::numeric AS v FROM unnest({}::text[]) AS r(v)").format(
        sql.Literal(numerics)
    )
    found = connection.execute(
        "SELECT value FROM pyq_table_eval(%s, %s, NULL::pyq_json, 'types_hex')",
        (query.as_string(connection), json.dumps({"oml_input_type": input_type})),
    ).fetchone()
    assert found is not None
    seen: list[str] = json.loads(found[0])
    return seen


NUMERICS = st.one_of(
    st.from_regex(r"-?[0-9]{1,40}(\.[0-9]{1,40})?", fullmatch=True),
    st.from_regex(r"-?[0-9]{1,3}\.[0-9]{15,25}", fullmatch=True),
    st.builds("{}e{}".format, st.integers(-(10**18), 10**18), st.integers(-340, 290)),
    st.floats(allow_nan=False, allow_infinity=False).map(lambda x: str(Decimal(x))),
    # Halfway between two doubles, and just beside it.
    st.builds(
        lambda n, tail: f"{2**53 + 2 * n + 1}.{tail}",
        st.integers(0, 2**40),
        st.sampled_from(["0", "0" * 30 + "1", "0" * 900 + "1"]),
    ),
)


@settings(max_examples=40)
@given(numerics=st.lists(NUMERICS, min_size=1, max_size=40))
@pytest.mark.parametrize("input_type", ["default", "pandas"])
def test_numeric_becomes_the_nearest_double(
    results: Connection[Any], input_type: str, numerics: list[str]
) -> None:
    # numeric has no minus zero.
    expected = [
        (0.0 if not any(c in "123456789" for c in text.split("e")[0]) else float(text)).hex()
        for text in numerics
    ]
    assert hexes(results, numerics, input_type) == expected


def test_special_numerics(results: Connection[Any]) -> None:
    largest = "1.7976931348623157e308"
    numerics = ["NaN", "Infinity", "-Infinity", largest, "4.9e-324", "2e-324", "-1e-400"]
    expected = [float(text).hex() for text in numerics]
    assert hexes(results, numerics, "default") == expected


@pytest.mark.parametrize("numeric", ["1e309", "-1e400", "1.7976931348623159e308", "9" * 1000])
@pytest.mark.parametrize("input_type", ["default", "pandas"])
def test_numeric_beyond_double_is_an_error(
    results: Connection[Any], numeric: str, input_type: str
) -> None:
    with pytest.raises(Error) as caught:
        hexes(results, ["1", "2", numeric], input_type)
    assert caught.value.sqlstate == "22003"
    assert_place(caught.value, "v", 3)


def assert_place(error: Error, column: str, row: int) -> None:
    """The message or CONTEXT names the column and the row."""
    words = f"{error.diag.message_primary}\n{error.diag.context}"
    assert f'column "{column}"' in words
    assert f"row {row}" in words


@settings(max_examples=30)
@given(size=st.integers(1, 600), rows=st.integers(0, 500))
def test_chunks(results: Connection[Any], size: int, rows: int) -> None:
    found = results.execute(
        "SELECT * FROM pyq_row_eval(%s, NULL, NULL, %s, 'types_chunk')"
        " AS t(rows int, first int, last int, total float8, is_reset bool)",
        (f"SELECT n, x, h FROM grouped WHERE n <= {rows} ORDER BY n", size),
    ).fetchall()
    expected = []
    for first in range(1, rows + 1, size):
        last = min(first + size - 1, rows)
        total = sum(math.sqrt(n) for n in range(first, last + 1))
        expected.append((last - first + 1, first, last, pytest.approx(total), True))
    assert found == expected


@settings(max_examples=30)
@given(
    keys=st.sampled_from([["g"], ["h"], ["g", "h"], ["h", "g"]]),
    rows=st.integers(0, 500),
    descending=st.booleans(),
)
def test_groups_as_pandas_groups(
    results: Connection[Any], keys: list[str], rows: int, descending: bool
) -> None:
    order = "minus" if descending else "n"
    found = results.execute(
        "SELECT * FROM pyq_group_eval(%s, %s, NULL, %s, %s, 'types_group')"
        " AS t(g int, h text, rows int, total float8, ns int[])",
        (
            f"SELECT n, -n AS minus, g, h, x FROM grouped WHERE n <= {rows}",
            json.dumps({"keys": keys}),
            ",".join(keys),
            order,
        ),
    ).fetchall()
    table = pd.DataFrame(
        results.execute("SELECT n, g, h, x FROM grouped WHERE n <= %s", (rows,)).fetchall(),
        columns=["n", "g", "h", "x"],
    ).astype({"g": object, "h": object})
    expected = {}
    for name in {"g", "h"} - set(keys):
        table[name] = None
    for (g, h), part in table.groupby(["g", "h"], dropna=False):
        key = tuple(None if pd.isna(k) else k for k in (g, h))
        ns = sorted(part["n"], reverse=descending)
        expected[key] = (len(part), pytest.approx(part["x"].sum()), ns)
    assert {(row[0], row[1]): row[2:] for row in found} == expected
    assert len(found) == len(expected)


# The returned value, the column's type, the SQLSTATE, the row.
BAD_VALUES = [
    ("[1, 32768]", "int2", "22003", 2),
    ("[1, -32769]", "int2", "22003", 2),
    ("np.array([1, 2, 40000])", "int2", "22003", 3),
    ("np.array([1, 2**31])", "int4", "22003", 2),
    ("pd.DataFrame({'v': [1, 2**31]})", "int4", "22003", 2),
    ("[2**63]", "int8", "22003", 1),
    ("[1, -2**63 - 1]", "int8", "22003", 2),
    ("np.array([1, 2**64 - 1], dtype='u8')", "int8", "22003", 2),
    ("[1.0, 1e19]", "int8", "22003", 2),
    ("[1.0, float('inf')]", "int4", "22003", 2),
    ("np.array([0.5, 32767.6])", "int2", "22003", 2),
    ("[Decimal('1e20')]", "int8", "22003", 1),
    ("[Decimal('NaN')]", "int8", "0A000", 1),
    ("[1.0, 1e39]", "float4", "22003", 2),
    ("[1.0, 1e-60]", "float4", "22003", 2),
    ("[Decimal('1e400')]", "float8", "22003", 1),
    ("[10**400]", "float8", "22003", 1),
    ("[np.longdouble('1e4000')]", "float8", "22003", 1),
    ("np.array([1, '1e4000'], dtype='longdouble')", "float8", "22003", 2),
    ("[1.0, None, 2.0**32]", "oid", "22003", 3),
    ("[1, 100]", "numeric(3,1)", "22003", 2),
    ("[1.5, 99.96]", "numeric(3,1)", "22003", 2),
    ("['x']", "int4", "22P02", 1),
    ("['1', 'x']", "int4", "22P02", 2),
    ("[1, 'x']", "int4", "22P02", 2),
    ("['maybe']", "bool", "22P02", 1),
    ("['x']", "uuid", "22P02", 1),
    ("['2024-02-30']", "date", "22008", 1),
    ("['yesterday-ish']", "date", "22007", 1),
    ("[np.datetime64('300000-01-01', 'us')]", "timestamp", "22008", 1),
    ("np.array(['2024', '300000'], 'M8[s]')", "timestamp", "22008", 2),
    ("np.array(['2024-01-01', '6000000-01-01'], 'M8[D]')", "date", "22008", 2),
    ("[datetime.timedelta(days=999999999)]", "interval", "22008", 1),
    ("['25:00']", "time", "22008", 1),
    ("['a\\0b']", "text", "22021", 1),
    ("['ok', '\\udc80']", "text", "22021", 2),
    ("[b'\\xff']", "text", "22021", 1),
    ("[object()]", "text", "42804", 1),
    ("[1, object()]", "int4", "42804", 2),
    ("[1, {}]", "int4", "42804", 2),
    ("[[1, 2], [[1], [1, 2]]]", "int[]", "42804", 2),
    ("[[1, 2], [1, 'x']]", "int[]", "22P02", 2),
    ("[[1, 2], [1, 2**31]]", "int[]", "22003", 2),
    ("[{'x': 1, 'z': 2}]", "pair", "42703", 1),
    ("[{'x': 1}, {'x': 2**31}]", "pair", "22003", 2),
    ("[1, 0]", "positive", "23514", 2),
    ("[object()]", "jsonb", "22023", 1),
    ("['{']", "int4range", "22P02", 1),
    ("[1+2j]", "text", "42804", 1),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "sql_type", "sqlstate", "row"), BAD_VALUES, ids=[f"{b[1]} {b[0]}" for b in BAD_VALUES]
)
def test_bad_values(
    results: Connection[Any], what: str, sql_type: str, sqlstate: str, row: int
) -> None:
    with pytest.raises(Error) as caught:
        results.execute(
            f"SELECT * FROM pyq_eval(%s, NULL, 'types_give') AS t(v {sql_type})",  # type: ignore
            (
                json.dumps(
                    {
                        "what": f"pd.Series({what}, name='v', dtype=object)"
                        if what[0] == "["
                        else what
                    }
                ),
            ),
        ).fetchall()
    assert caught.value.sqlstate == sqlstate
    assert_place(caught.value, "v", row)


# The returned value, the column's type and its values.
GOOD_VALUES = [
    ("['abcdef', 'ünïcödé']", "varchar(3)", ["abc", "ünï"]),
    ("[123456]", "varchar(3)", ["123"]),
    ("['abcdef']", "char(3)", ["abc"]),
    ("[1.005, 0.125, -2.5]", "numeric(5,2)", [Decimal("1.01"), Decimal("0.13"), Decimal("-2.50")]),
    ("[0.1, 1e22]", "numeric", [Decimal("0.1"), Decimal("1e22")]),
    ("np.array([0.1], 'f4')", "numeric", [Decimal("0.1")]),
    ("[0.5, 1.5, 2.5, -0.5]", "int4", [0, 2, 2, 0]),
    ("np.array([2.5, 3.5])", "int8", [2, 4]),
    ("[True, False, None]", "int4", [1, 0, None]),
    ("[0, 1, 2]", "bool", [False, True, True]),
    ("np.array([0, 3], 'u1')", "bool", [False, True]),
    ("[True, 2.5, 0.0]", "bool", [True, True, False]),
    ("['12', ' 13 ']", "int4", [12, 13]),
    ("[float('nan'), np.nan, pd.NA, pd.NaT, None]", "float8", [None] * 5),
    ("np.array([1, 255], 'u1')", "int2", [1, 255]),
    ("np.array([1, -128], 'i1')", "int2", [1, -128]),
    ("np.array([2**63], 'u8')", "numeric", [Decimal(2**63)]),
    ("np.array([1.5, 65504], 'f2')", "float8", [1.5, 65504.0]),
    ("np.array([1, 2], '>i4')", "int4", [1, 2]),
    ("np.array([1.5], '>f8')", "float8", [1.5]),
    ("np.arange(10)[::3]", "int4", [0, 3, 6, 9]),
    ("np.array([[1, 2], [3, 4]]).T[0]", "int4", [1, 3]),
    ("np.ma.array([1, 2, 3], mask=[0, 1, 0])", "int4", [1, None, 3]),
    ("np.array(['a', 'bc'])", "text", ["a", "bc"]),
    ("np.array([b'a', b'bc'])", "text", ["a", "bc"]),
    ("pd.Categorical(['a', None, 'b'])", "text", ["a", None, "b"]),
    ("pd.array([1, None], dtype='Int32')", "int4", [1, None]),
    ("pd.array([1.5, None], dtype='Float64')", "float8", [1.5, None]),
    ("pd.array([True, None], dtype='boolean')", "bool", [True, None]),
    ("pd.arrays.SparseArray([0, 0, 7])", "int4", [0, 0, 7]),
    ("pd.date_range('2024-01-01', periods=2, tz='Asia/Tokyo')", "timestamp",
     [datetime.datetime(2023, 12, 31, 15), datetime.datetime(2024, 1, 1, 15)]),
    ("pd.period_range('2024-01', periods=1, freq='M')", "text", ["2024-01"]),
    ("[datetime.date(2024, 1, 2)]", "timestamp", [datetime.datetime(2024, 1, 2)]),
    ("[datetime.datetime(2024, 1, 2, 3)]", "date", [datetime.date(2024, 1, 2)]),
    ("[datetime.datetime(2024, 1, 2), 'infinity']", "text", ["2024-01-02 00:00:00", "infinity"]),
    ("np.array(['2024-01', 'NaT'], 'M8[M]')", "date", [datetime.date(2024, 1, 1), None]),
    ("np.array([90], 'm8[m]')", "interval", [datetime.timedelta(minutes=90)]),
    ("[{'a': 1}, [1], 'x', 1, None]", "jsonb", [{"a": 1}, [1], "x", 1, None]),
    ("[{'a': (1, None)}]", "text", ['{"a":[1,null]}']),
    ("[[1, 2], (3,), np.array([4, 5]), [], None, range(2)]", "int[]",
     [[1, 2], [3], [4, 5], [], None, [0, 1]]),
    ("[[[1, 2], [3, 4]], [5]]", "int[]", [[[1, 2], [3, 4]], [5]]),
    ("['{1,2}', '{}']", "int[]", [[1, 2], []]),
    ("[b'ab', bytearray(b'c'), memoryview(b'd')]", "bytea", [b"ab", b"c", b"d"]),
    ("[enum.Enum('E', {'A': 5}).A]", "int4", [5]),
    ("[1.0, None, 4294967295.0]", "oid", [1, None, 4294967295]),
    ("[2**70]", "numeric", [Decimal(2**70)]),
    ("[np.float32(0.1)]", "float8", [0.10000000149011612]),
]  # fmt: skip


@pytest.mark.parametrize(
    ("what", "sql_type", "expected"), GOOD_VALUES, ids=[f"{g[1]} {g[0]}" for g in GOOD_VALUES]
)
def test_good_values(results: Connection[Any], what: str, sql_type: str, expected: Any) -> None:
    series = f"pd.DataFrame({{'v': pd.Series({what}, dtype=object)}})"
    frame = f"pd.DataFrame({{'v': {what}}})"
    found = results.execute(
        f"SELECT v FROM pyq_eval(%s, NULL, 'types_give') AS t(v {sql_type})",  # type: ignore
        (json.dumps({"what": series if what[0] == "[" else frame}),),
    ).fetchall()
    assert [row[0] for row in found] == expected


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ("[datetime.datetime(2024, 1, 1)]", "2024-01-01 00:00:00+00"),
        ("[datetime.datetime(2024, 1, 1), 'infinity']", "2024-01-01 00:00:00+00"),
        ("np.array(['2024-01-01'], 'M8[us]')", "2024-01-01 00:00:00+00"),
        ("[pd.Timestamp('2024-01-01 09:00', tz='Asia/Tokyo')]", "2024-01-01 00:00:00+00"),
        ("[pd.Timestamp('2024-01-01 09:00', tz='Asia/Tokyo'), '-infinity']",
         "2024-01-01 00:00:00+00"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("is_array", [False, True], ids=["scalar", "array"])
def test_datetimes_without_a_zone_are_utc(
    results: Connection[Any], values: str, expected: str, is_array: bool
) -> None:
    what = f"pd.DataFrame({{'v': [{values}]}})" if is_array else f"pd.DataFrame({{'v': {values}}})"
    element = "v[1]" if is_array else "v"
    suffix = "[]" if is_array else ""
    for sql_type, shown in [("timestamptz", expected), ("timestamp", expected[:-3])]:
        found = results.execute(
            f"SELECT {element} = %s::{sql_type} FROM pyq_eval(%s, NULL, 'types_give')"  # type: ignore
            f" AS t(v {sql_type}{suffix}) LIMIT 1",
            (shown, json.dumps({"what": what})),
        ).fetchone()
        assert found == (True,), sql_type
