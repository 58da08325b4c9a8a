"""Values of each type as received by a function, as in docs/reference/types.md."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import pytest
from psycopg import Connection
from type_cases import PREAMBLE

ENGINE_PLACES = engine_kinds.ALL
SCHEMA = "types_seen"

# Column -> its dtype, and repr() of its values.
SEE = r"""
import re

import numpy

if int(numpy.__version__.split(".")[0]) > 1:
    numpy.set_printoptions(legacy="1.25")  # repr() of scalars without their type's name

def show(value):
    # Some versions of numpy name the unit of NaT, which the dtype has said.
    return re.sub(r"'NaT','\w+'", "'NaT'", repr(value))

def see(dat):
    if isinstance(dat, dict):
        columns = list(dat.items())
    elif dat.dtype.names is not None if hasattr(dat, "dtype") else False:
        columns = [(name, dat[name]) for name in dat.dtype.names]
    else:
        columns = [(name, dat[name]) for name in dat.columns]
    return {name: [str(values.dtype), [show(value) for value in values]]
            for name, values in columns}
"""

KIND = """
def kind(dat):
    package = type(dat).__module__.partition(".")[0]
    return f"{package}.{type(dat).__name__} {getattr(dat, 'dtype', '')} {len(dat)}"
"""

COLUMN_SEEN = """
def column_seen(dat):
    return str(dat.schema.field("v").type) if hasattr(dat.schema, "field") else str(dat.schema["v"])
"""

NULL = "NULL"


@pytest.fixture(scope="module")
def seen(
    module_conn: Connection[Any], engine_place: engine_kinds.Place
) -> Iterator[Connection[Any]]:
    """A connection with the types and scripts."""
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, {engine_place.search_path}")
    module_conn.execute("SET timezone = 'Asia/Tokyo'")
    module_conn.execute(PREAMBLE)
    module_conn.execute("SELECT pyq_script_create('types_see', %s)", (SEE,))
    module_conn.execute("SELECT pyq_script_create('types_kind', %s)", (KIND,))
    module_conn.execute("SELECT pyq_script_create('types_column_seen', %s)", (COLUMN_SEEN,))
    yield module_conn
    module_conn.execute("RESET ALL")
    for name in ("types_see", "types_kind", "types_column_seen"):
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))
    module_conn.execute(f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE")


def see(connection: Connection[Any], query: str, **parameters: str) -> dict[str, Any]:
    """Run the query through the script and return the values it received."""
    row = connection.execute(
        "SELECT value FROM pyq_table_eval(%s, %s, NULL::pyq_json, 'types_see')",
        (query, json.dumps(parameters)),
    ).fetchone()
    assert row is not None
    value: dict[str, Any] = json.loads(row[0])
    return value


# Expression, dtype and values as pandas sees them, the same in a dict of arrays ("" where equal).
SCALARS = [
    ("true", "bool", "True", "", ""),
    ("NULL::bool", "object", "None", "", ""),
    ("1::int2", "int16", "1", "", ""),
    ("1::int4", "int32", "1", "", ""),
    ("1::int8", "int64", "1", "", ""),
    ("NULL::int2", "float64", "nan", "", ""),
    ("NULL::int8", "float64", "nan", "", ""),
    ("1.5::float4", "float32", "1.5", "", ""),
    ("1.5::float8", "float64", "1.5", "", ""),
    ("NULL::float4", "float32", "nan", "", ""),
    ("0.1::numeric", "float64", "0.1", "", ""),
    ("NULL::numeric", "float64", "nan", "", ""),
    ("4294967295::oid", "int64", "4294967295", "", ""),
    ("'a'::text", "object", "'a'", "", ""),
    ("NULL::text", "object", "None", "", ""),
    ("''::varchar(3)", "object", "''", "", ""),
    ("'a'::char(3)", "object", "'a  '", "", ""),
    ("'a'::name", "object", "'a'", "", ""),
    ("'a'::\"char\"", "object", "'a'", "", ""),
    ("'\\x00ff'::bytea", "object", r"b'\x00\xff'", "", ""),
    (
        "'2024-01-02'::date",
        "datetime64[ns]",
        "Timestamp('2024-01-02 00:00:00')",
        "datetime64[D]",
        "numpy.datetime64('2024-01-02')",
    ),
    ("NULL::date", "datetime64[ns]", "NaT", "datetime64[D]", "numpy.datetime64('NaT')"),
    ("'0044-03-15 BC'::date", "object", "'0044-03-15 BC'", "", ""),
    ("'1600-01-01'::date", "object", "datetime.date(1600, 1, 1)", "datetime64[D]",
     "numpy.datetime64('1600-01-01')"),
    ("'12:34:56.5'::time", "object", "datetime.time(12, 34, 56, 500000)", "", ""),
    ("'24:00'::time", "object", "'24:00:00'", "", ""),
    (
        "'12:00+05:30'::timetz",
        "object",
        "datetime.time(12, 0, tzinfo=datetime.timezone(datetime.timedelta(seconds=19800)))",
        "",
        "",
    ),
    (
        "'2024-01-02 03:04:05.000006'::timestamp",
        "datetime64[ns]",
        "Timestamp('2024-01-02 03:04:05.000006')",
        "datetime64[us]",
        "numpy.datetime64('2024-01-02T03:04:05.000006')",
    ),
    ("NULL::timestamp", "datetime64[ns]", "NaT", "datetime64[us]", "numpy.datetime64('NaT')"),
    ("'-infinity'::timestamp", "object", "'-infinity'", "", ""),
    ("'1600-01-01'::timestamp", "object", "datetime.datetime(1600, 1, 1, 0, 0)",
     "datetime64[us]", "numpy.datetime64('1600-01-01T00:00:00.000000')"),
    (
        "'2024-01-02 09:00+09'::timestamptz",
        "datetime64[ns, UTC]",
        "Timestamp('2024-01-02 00:00:00+0000', tz='UTC')",
        "datetime64[us]",
        "numpy.datetime64('2024-01-02T00:00:00.000000')",
    ),
    (
        "'1 day 02:00'::interval",
        "timedelta64[ns]",
        "Timedelta('1 days 02:00:00')",
        "timedelta64[us]",
        "numpy.timedelta64(93600000000,'us')",
    ),
    ("'1 mon 2 days'::interval", "object", "'1 mon 2 days'", "", ""),
    (
        "'a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11'::uuid",
        "object",
        "UUID('a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11')",
        "",
        "",
    ),
    ("'{\"a\": [1, 2.5, null, true]}'::json", "object", "{'a': [1, 2.5, None, True]}", "", ""),
    ("'[1]'::jsonb", "object", "[1]", "", ""),
    ("'null'::jsonb", "object", "None", "", ""),
    ("'<a/>'::xml", "object", "'<a/>'", "", ""),
    ("'10.0.0.1/8'::inet", "object", "'10.0.0.1/8'", "", ""),
    ("B'101'", "object", "'101'", "", ""),
    ("12.34::money", "object", "'$12.34'", "", ""),
    ("int4range(1, 5)", "object", "'[1,5)'", "", ""),
    ("'ok'::mood", "object", "'ok'", "", ""),
    ("7::positive", "int32", "7", "", ""),
    ("'ab'::short_text", "object", "'ab'", "", ""),
    ("ROW(1, 'x')::inner_row", "object", "{'x': 1, 'Y z': 'x'}", "", ""),
    ("ROW(1, 'x')", "object", "'(1,x)'", "", ""),
    ("ARRAY[1, 2]", "object", "array([1, 2], dtype=int32)", "", ""),
    ("ARRAY[1, NULL]", "object", "[1, None]", "", ""),
    ("ARRAY[[1.5, 2], [3, 4]]::float8[]", "object", "array([[1.5, 2. ],\n       [3. , 4. ]])",
     "", ""),
    ("ARRAY[[1, NULL], [3, 4]]", "object", "[[1, None], [3, 4]]", "", ""),
    ("'{}'::int2[]", "object", "array([], dtype=int16)", "", ""),
    ("ARRAY['a', 'b']", "object", "array(['a', 'b'], dtype=object)", "", ""),
    ("ARRAY[ROW(1, 'x')::inner_row]", "object",
     "array([{'x': 1, 'Y z': 'x'}], dtype=object)", "", ""),
    ("NULL::int[]", "object", "None", "", ""),
    ("'pg_class'::regclass", "object", "'pg_class'", "", ""),
    ("point(1, 2)", "object", "'(1,2)'", "", ""),
    ("'a b'::tsvector", "object", "\"'a' 'b'\"", "", ""),
]  # fmt: skip


def in_pandas(version: int, expression: str, dtype: str, value: str) -> list[Any]:
    """Return dtype and values as pandas has them: 2 keeps units, in 3 texts have a type."""
    sql_type = expression.rpartition("::")[2]
    if version < 2:
        return [dtype, [value]]
    if dtype.startswith(("datetime64", "timedelta64")):
        return [dtype.replace("ns", "s" if sql_type == "date" else "us"), [value]]
    if expression.startswith("'1600"):  # which nanoseconds do not reach
        return [UNITS[sql_type], ["Timestamp('1600-01-01 00:00:00')"]]
    if version < 3:
        return [dtype, [value]]
    if sql_type == "text" and value == "None":
        return ["str", ["nan"]]
    is_text = value[0] in "'\"" and sql_type not in ("date", "time", "timestamp", "interval")
    return ["str" if is_text and dtype == "object" else dtype, [value]]


UNITS = {"date": "datetime64[s]", "timestamp": "datetime64[us]"}


@pytest.mark.parametrize(
    ("expression", "dtype", "value", "numpy_dtype", "numpy_value"),
    SCALARS,
    ids=[scalar[0] for scalar in SCALARS],
)
def test_what_pandas_and_numpy_see(
    seen: Connection[Any],
    engine_place: engine_kinds.Place,
    expression: str,
    dtype: str,
    value: str,
    numpy_dtype: str,
    numpy_value: str,
) -> None:
    query = f"SELECT {expression} AS v, 'text' AS t"
    wanted = in_pandas(engine_place.major_version("pandas"), expression, dtype, value)
    assert see(seen, query, oml_input_type="pandas.DataFrame")["v"] == wanted
    expected = [numpy_dtype or dtype, [numpy_value or value]]
    assert see(seen, query, oml_input_type="dict")["v"] == expected


def test_null_beside_values(seen: Connection[Any], engine_place: engine_kinds.Place) -> None:
    query = """SELECT v, b, t, d FROM (VALUES (1, true, 'a', date '2024-01-01'),
                                              (NULL, NULL, NULL, NULL)) AS r(v, b, t, d)"""
    pandas = engine_place.major_version("pandas")
    assert see(seen, query) == {
        "v": ["float64", ["1.0", "nan"]],
        "b": ["object", ["True", "None"]],
        "t": ["str", ["'a'", "nan"]] if pandas >= 3 else ["object", ["'a'", "None"]],
        "d": [
            f"datetime64[{'s' if pandas >= 2 else 'ns'}]",
            ["Timestamp('2024-01-01 00:00:00')", "NaT"],
        ],
    }


def test_decimals(seen: Connection[Any]) -> None:
    query = "SELECT v FROM (VALUES (1.50), (NULL), ('NaN'::numeric), (1e30)) AS r(v)"
    assert see(seen, query, oml_numeric="decimal") == {
        "v": [
            "object",
            ["Decimal('1.50')", "None", "Decimal('NaN')", f"Decimal('1{'0' * 30}')"],
        ]
    }


def test_recarray(seen: Connection[Any]) -> None:
    query = "SELECT 1 AS i, 'x' AS t, 0.5::float8 AS \"F 1\", timestamp '2024-01-01' AS ts"
    assert see(seen, query, oml_input_type="numpy.recarray") == {
        "i": ["int32", ["1"]],
        "t": ["object", ["'x'"]],
        "F 1": ["float64", ["0.5"]],
        "ts": ["datetime64[us]", ["numpy.datetime64('2024-01-01T00:00:00.000000')"]],
    }


@pytest.mark.parametrize(
    "expression", ["1::int2", "1::int8", "1.5::float4", "2::numeric", "3::oid"]
)
def test_default_input_of_numbers_is_one_matrix(seen: Connection[Any], expression: str) -> None:
    row = seen.execute(
        "SELECT * FROM pyq_table_eval(%s, NULL, NULL, 'types_kind') AS t(k text)",
        (f"SELECT {expression} AS a, 1 AS b",),
    ).fetchone()
    assert row == ("numpy.ndarray float64 1",)


@pytest.mark.parametrize("expression", ["true", "'x'::text", "date '2024-01-01'", "ARRAY[1]"])
def test_default_input_of_other_columns_is_a_frame(seen: Connection[Any], expression: str) -> None:
    row = seen.execute(
        "SELECT * FROM pyq_table_eval(%s, NULL, NULL, 'types_kind') AS t(k text)",
        (f"SELECT {expression} AS a, 1 AS b",),
    ).fetchone()
    assert row == ("pandas.DataFrame  1",)


@pytest.mark.parametrize("package", ["pyarrow", "polars"])
@pytest.mark.parametrize(
    ("expression", "arrow_type", "polars_type"),
    [
        ("true", "bool", "Boolean"),
        ("1::int2", "int16", "Int16"),
        ("1::int8", "int64", "Int64"),
        ("1::float4", "float", "Float32"),
        ("1::numeric", "double", "Float64"),
        ("'x'::text", "large_string", "String"),
        ("'x'::bytea", "large_binary", "Binary"),
        ("'2024-01-01'::date", "date32[day]", "Date"),
        ("'12:00'::time", "time64[us]", "Time"),
        ("now()::timestamp", "timestamp[us]", "Datetime(time_unit='us', time_zone=None)"),
        ("now()", "timestamp[us, tz=UTC]", "Datetime(time_unit='us', time_zone='UTC')"),
        ("'1 day'::interval", "duration[us]", "Duration(time_unit='us')"),
        ("'[1]'::jsonb", "large_string", "String"),
        ("ARRAY[1]", "large_list<item: int32>", "List(Int32)"),
        ("ARRAY[[1]]", "large_list<item: large_list<item: int32>>", "List(List(Int32))"),
        (
            "ROW(1, 'x')::inner_row",
            "struct<x: int32, Y z: large_string>",
            "Struct({'x': Int32, 'Y z': String})",
        ),
    ],
)
def test_what_arrow_sees(
    seen: Connection[Any],
    engine_place: engine_kinds.Place,
    package: str,
    expression: str,
    arrow_type: str,
    polars_type: str,
) -> None:
    engine_place.require_package(package)
    query = f"SELECT {expression} AS v"
    row = seen.execute(
        "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'types_column_seen') AS t(k text)",
        (query, json.dumps({"oml_input_type": package})),
    ).fetchone()
    assert row == (arrow_type if package == "pyarrow" else polars_type,)
