"""Types of Arrow that have no counterpart in numpy, as results: in tables, frames and cells."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import engine_kinds
import pytest
from psycopg import Connection, sql

ENGINE_PLACES = engine_kinds.ALL

DOCUMENTS = [
    '{"a": [1, 2.50, null], "text": "x\\"y"}',
    "[]",
    '"text"',
    "12345678901234567890.123456789",
    "true",
    '"5"',
]
PREFIX = """
import datetime
import json
import numpy as np
import pandas as pd
"""
# Of a pyarrow array called "values".
FRAME = "pd.DataFrame({'v': pd.arrays.ArrowExtensionArray(values)})"
FORMS = ("pa.table({'v': values})", "values", FRAME)


def rows_of(conn: Connection[Any], query: str, *values: Any) -> list[tuple[Any, ...]]:
    return conn.execute(query, values).fetchall()  # type: ignore[arg-type]


def results_of(
    conn: Connection[Any], make_script: Callable[..., str], source: str, sql_type: str
) -> list[Any]:
    """The texts of column v of a script's result."""
    body = "\n".join(f"    {line}" for line in source.splitlines())
    name = make_script("give", f"{PREFIX}\ndef give():\n{body}\n", True)
    query = sql.SQL("SELECT v::text FROM pyq_eval(NULL, NULL, %s) AS t(v {})").format(
        sql.SQL(sql_type)  # type: ignore[arg-type]
    )
    return [row[0] for row in conn.execute(query, (name,)).fetchall()]


@pytest.fixture
def pyarrow(engine_place: engine_kinds.Place) -> None:
    engine_place.require_package("pyarrow")


# ------------------------------------------------------------------------------------------- JSON


@pytest.mark.parametrize("input_type", ["pyarrow", "polars"])
@pytest.mark.parametrize(
    "how",
    [
        "return df",
        "yield df[:2]\n    yield df[2:]",
        "return df.slice(0)",
    ],
)
def test_json_columns_come_back(
    conn: Connection[Any],
    make_script: Callable[..., str],
    engine_place: engine_kinds.Place,
    input_type: str,
    how: str,
) -> None:
    engine_place.require_package(input_type)
    conn.execute("CREATE TEMP TABLE documents (id int, doc jsonb)")
    for number, document in enumerate([*DOCUMENTS, None]):
        conn.execute("INSERT INTO documents VALUES (%s, %s)", (number, document))
    name = make_script("same", f"def same(df):\n    {how}", True)
    control = json.dumps({"oml_input_type": input_type})
    for sql_type in ("jsonb", "json"):
        different = rows_of(
            conn,
            "SELECT d.id, d.doc, t.doc FROM documents AS d JOIN pyq_table_eval('SELECT * FROM"
            f" documents', %s, NULL, %s) AS t(id int, doc {sql_type}) USING (id)"
            " WHERE d.doc IS DISTINCT FROM t.doc::jsonb",
            control,
            name,
        )
        assert different == []
    (row,) = rows_of(
        conn,
        "SELECT value FROM pyq_table_eval('SELECT * FROM documents ORDER BY id', %s,"
        " NULL::pyq_json, %s)",
        control,
        name,
    )
    values = row[0] if isinstance(row[0], list) else json.loads(row[0])
    assert [each["doc"] for each in values] == [json.loads(each) for each in DOCUMENTS] + [None]


def test_texts_that_replace_a_json_column(
    conn: Connection[Any], make_script: Callable[..., str], engine_place: engine_kinds.Place
) -> None:
    """They are no documents, even if some of them look like one; nor is another column's text."""
    engine_place.require_package("polars")
    name = make_script(
        "replace",
        "def replace(df):\n"
        "    import polars as pl\n"
        "    return pl.DataFrame({'doc': ['5', 'plain'], 'other': ['5', '[1]']})",
        True,
    )
    query = """SELECT * FROM pyq_table_eval('SELECT jsonb ''{}'' AS doc', %s, NULL, %s)
               AS t(doc jsonb, other jsonb)"""
    rows = rows_of(conn, query, '{"oml_input_type": "polars.DataFrame"}', name)
    assert rows == [("5", "5"), ("plain", "[1]")]


def test_names_are_those_of_the_call(
    conn: Connection[Any], make_script: Callable[..., str], engine_place: engine_kinds.Place
) -> None:
    """A call without an input knows no JSON columns, whatever the calls before it had."""
    engine_place.require_package("polars")
    same = make_script("same", "def same(df): return df", True)
    give = make_script(
        "give", "def give():\n import polars as pl\n return pl.DataFrame({'doc': ['5']})", True
    )
    table = (
        "SELECT * FROM pyq_table_eval('SELECT jsonb ''5'' AS doc', %s, NULL, %s) AS t(doc jsonb)"
    )
    control = '{"oml_input_type": "polars.DataFrame"}'
    assert rows_of(conn, table, control, same) == [(5,)]
    query = "SELECT * FROM pyq_eval(NULL, NULL, %s) AS t(doc jsonb)"
    assert rows_of(conn, query, give) == [("5",)]


JSON_ARRAY = """
import pyarrow as pa
if not hasattr(pa, "json_"):
    return ["no json_"]
values = pa.array({documents!r} + [None], pa.string())
values = pa.ExtensionArray.from_storage(pa.json_(), values)
"""


@pytest.mark.usefixtures("pyarrow")
@pytest.mark.parametrize("what", FORMS)
def test_json_type_of_pyarrow(
    conn: Connection[Any], make_script: Callable[..., str], what: str
) -> None:
    source = JSON_ARRAY.format(documents=DOCUMENTS) + f"return {what}"
    found = results_of(conn, make_script, source, "jsonb")
    if found == ['"no json_"']:
        pytest.skip("this pyarrow has no json_()")
    expected = [row[0] for row in rows_of(conn, "SELECT unnest(%s::jsonb[])::text", DOCUMENTS)]
    assert found == [*expected, None]
    assert results_of(conn, make_script, source, "text") == [*DOCUMENTS, None]


# --------------------------------------------------------------------------------- views, intervals


@pytest.mark.usefixtures("pyarrow")
@pytest.mark.parametrize(
    ("arrow_type", "values", "sql_type", "expected"),
    [
        ("string_view()", ["a", "longer than twelve bytes", None], "text", ...),
        ("binary_view()", [b"\x00a", None], "bytea", ["\\x0061", None]),
        ("string_view()", [None, None], "text", ...),
        ("list_(pa.string_view())", [["a", None], None], "text[]", ["{a,NULL}", None]),
        ("large_string()", ["a", None], "text", ...),
    ],
)
@pytest.mark.parametrize("form", FORMS)
def test_views(
    conn: Connection[Any],
    make_script: Callable[..., str],
    arrow_type: str,
    values: list[Any],
    sql_type: str,
    expected: Any,
    form: str,
) -> None:
    source = "import pyarrow as pa\nif not hasattr(pa, 'string_view'): return None\n"
    source += f"values = pa.array({values!r}, pa.{arrow_type})\n"
    source += f"return {form}"
    found = results_of(conn, make_script, source, sql_type)
    if not found:
        pytest.skip("this pyarrow has no views")
    assert found == (values if expected is ... else expected)


INTERVALS = [(1, 2, 3_000), (-14, 5, -90_061_000_002_000), (0, 0, 0), (0, 0, 1_999), (25, -40, 0)]


@pytest.mark.usefixtures("pyarrow")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("style", ["postgres", "sql_standard", "iso_8601"])
def test_intervals_of_months_and_days(
    conn: Connection[Any], make_script: Callable[..., str], form: str, style: str
) -> None:
    """Months, days and time are kept apart, as in PostgreSQL; nanoseconds are cut off."""
    source = f"""import pyarrow as pa
values = pa.array([pa.MonthDayNano(each) for each in {INTERVALS!r}] + [None],
                  pa.month_day_nano_interval())
return {form}"""
    name = make_script(
        "give", PREFIX + "def give():\n" + "\n".join(f"    {x}" for x in source.splitlines()), True
    )
    conn.execute(f"SET IntervalStyle = {style}")
    try:
        parts = rows_of(
            conn,
            "SELECT extract(year FROM v) * 12 + extract(month FROM v), extract(day FROM v),"
            " extract(hour FROM v) * 3600 + extract(minute FROM v) * 60 + extract(second FROM v)"
            " FROM pyq_eval(NULL, NULL, %s) AS t(v interval)",
            name,
        )
    finally:
        conn.execute("RESET IntervalStyle")
    found = [None if part[0] is None else tuple(map(float, part)) for part in parts]
    # The parts themselves: the sum of a day and 24 hours would be equal.
    wanted = [(m, d, int(n / 1000) / 1e6) for m, d, n in INTERVALS]
    assert found == [*(tuple(map(float, each)) for each in wanted), None]


# ------------------------------------------------------------------------------------ inside cells


@pytest.mark.parametrize(
    ("value", "sql_type", "expected"),
    [
        ("pd.array([1, None], dtype='Int64')", "int[]", "{1,NULL}"),
        ("pd.array([1.5, None], dtype='Float64')", "float8[]", "{1.5,NULL}"),
        ("pd.array([True, None], dtype='boolean')", "bool[]", "{t,NULL}"),
        ("pd.array(['a', None], dtype='string')", "text[]", "{a,NULL}"),
        ("pd.Categorical(['x', 'y', None])", "text[]", "{x,y,NULL}"),
        ("pd.array(['2024-02-29', None], dtype='datetime64[ns]')", "date[]", "{2024-02-29,NULL}"),
        ("pd.Series([1, None], dtype='Int64')", "int[]", "{1,NULL}"),
        ("pd.array([1, None], dtype='Int64')", "jsonb", "[1, null]"),
        ("pd.Categorical(['x', None])", "jsonb", '["x", null]'),
        ("pd.array([1, None], dtype='Int64')", "text", "[1,null]"),
    ],
)
def test_extension_arrays_in_cells(
    conn: Connection[Any],
    make_script: Callable[..., str],
    value: str,
    sql_type: str,
    expected: str,
) -> None:
    source = f"return pd.DataFrame({{'v': pd.Series([{value}, None], dtype=object)}})"
    assert results_of(conn, make_script, source, sql_type) == [expected, None]
