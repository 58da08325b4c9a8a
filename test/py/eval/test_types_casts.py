"""Values for columns of any type: their default type, then PostgreSQL's own explicit cast."""

from __future__ import annotations

import json
import struct
from collections.abc import Iterator
from typing import Any

import engine_kinds
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from psycopg import Connection, Error, sql

ENGINE_PLACES = engine_kinds.ENGINES

SCRIPT = """
import decimal, ipaddress, uuid
import numpy as np
import pandas as pd

def cast_give(what):
    value = eval(what)
    return pd.DataFrame({"v": pd.Series(value, dtype=object)}) if what[0] == "[" else value
"""


@pytest.fixture(scope="module")
def casts(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the script."""
    module_conn.execute("SELECT pyq_script_create('cast_give', %s, v_overwrite => true)", (SCRIPT,))
    module_conn.execute("CREATE DOMAIN cast_bits AS bit(8) NOT NULL")
    yield module_conn
    module_conn.execute("DROP DOMAIN cast_bits; SELECT pyq_script_drop('cast_give')")


def texts_of(connection: Connection[Any], what: str, sql_type: str) -> list[str | None]:
    query = sql.SQL("SELECT v::text FROM pyq_eval(%s, NULL, 'cast_give') AS t(v {})").format(
        sql.SQL(sql_type)  # type: ignore[arg-type]
    )
    return [row[0] for row in connection.execute(query, (json.dumps({"what": what}),)).fetchall()]


def cast_by_server(connection: Connection[Any], value: str, sql_type: str) -> str | None:
    row = connection.execute(f"SELECT ({value})::{sql_type}::text").fetchone()  # type: ignore
    assert row is not None
    found: str | None = row[0]
    return found


# The value in Python, the same in SQL, the type.
EXPLICIT = [
    ("101", "101::bigint", "bit(8)"),
    ("5", "5::bigint", "bit(4)"),
    ("-1", "(-1)::bigint", "bit(64)"),
    ("-1", "(-1)::bigint", "bit(3)"),
    ("2**62", "(2::bigint << 61)", "bit(64)"),
    ("65", "65", '"char"'),
    ("-1", "(-1)", '"char"'),
    ("1259", "1259::bigint", "regclass"),
    ("1259", "1259::bigint", "oid"),
    ("0", "0::bigint", "regproc"),
    ("True", "true", "text"),
    ("5", "5::bigint", "text"),
    ("5", "5::bigint", "varchar(1)"),
    ("12345", "12345::bigint", "varchar(3)"),
    ("12", "12::bigint", "name"),
    ("5.0", "5::float8", "text"),
    ("float('inf')", "'Infinity'::float8", "text"),
    ("-float('inf')", "'-Infinity'::float8", "text"),
    ("1e15", "1e15::float8", "text"),
    ("123456789012345.0", "123456789012345::float8", "text"),
    ("1e-5", "1e-5::float8", "text"),
    ("0.0001", "0.0001::float8", "text"),
    ("-0.0", "'-0'::float8", "text"),
    ("0.1 + 0.2", "0.1::float8 + 0.2::float8", "text"),
    ("5.0", "5::numeric", "money"),
    ("5", "5::bigint", "money"),
    ("decimal.Decimal('5.50')", "5.50::numeric", "text"),
    ("decimal.Decimal('5.50')", "5.50::numeric", "money"),
    ("'B101'", "'B101'", "bit(3)"),
    ("'[1,5)'", "'[1,5)'", "int4range"),
    ("'{[1,5),[7,8)}'", "'{[1,5),[7,8)}'", "int4multirange"),
    ("'a b'", "'a b'", "tsvector"),
    ("b'10.0.0.1'", "'10.0.0.1'", "inet"),
    ("ipaddress.ip_address('10.0.0.1')", "'10.0.0.1'", "inet"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "in_sql", "sql_type"), EXPLICIT)
@pytest.mark.parametrize("form", ["{}", "[{}, None]", "pd.DataFrame({{'v': np.array([{}, {}])}})"])
def test_explicit_casts(
    casts: Connection[Any], value: str, in_sql: str, sql_type: str, form: str
) -> None:
    if (value, sql_type) == ("-1", '"char"') and casts.info.server_version < 150000:
        pytest.skip("PostgreSQL 14 writes the byte itself, which is not UTF-8")
    what = form.format(value, value)
    expected = cast_by_server(casts, in_sql, sql_type)
    found = texts_of(casts, what, sql_type)
    assert found[0] == expected
    if form != "{}":
        assert found[1] == (None if "None" in form else expected)


def test_session_settings_do_not_cut_digits(casts: Connection[Any]) -> None:
    with casts.transaction(force_rollback=True):
        casts.execute("SET LOCAL extra_float_digits = 0")
        assert texts_of(casts, "[0.1 + 0.2]", "text") == ["0.30000000000000004"]
        assert texts_of(casts, "np.array([0.1], 'f4')", "text") == ["0.1"]


@settings(
    max_examples=60,
    deadline=None,
    database=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(values=st.lists(st.floats(allow_nan=False), min_size=1, max_size=20))
def test_texts_of_floats(casts: Connection[Any], values: list[float]) -> None:
    rows = casts.execute(
        "SELECT v::text FROM unnest(%s::float8[]) WITH ORDINALITY AS u(v, n) ORDER BY n", (values,)
    ).fetchall()
    expected = [row[0] for row in rows]
    texts = [repr(value).replace("inf", "float('inf')") for value in values]
    assert texts_of(casts, f"[{', '.join(texts)}]", "text") == expected
    # Beside a text each is converted by itself.
    mixed = texts_of(casts, f"[{', '.join(texts)}, 'x']", "text")
    assert mixed == [*expected, "x"]


def test_values_of_several_sorts_are_converted_each_by_its_own_cast(
    casts: Connection[Any],
) -> None:
    assert texts_of(casts, "[5, '0110', None, np.int64(3)]", "bit(4)") == [
        "0101",
        "0110",
        None,
        "0011",
    ]
    assert texts_of(casts, "[65, 'x']", '"char"') == ["A", "x"]
    assert texts_of(casts, "[1259, 'pg_type']", "regclass") == ["pg_class", "pg_type"]
    dollars = cast_by_server(casts, "7.25::numeric", "money")
    assert texts_of(casts, "[7.25, '$7.25', decimal.Decimal('7.25')]", "money") == [dollars] * 3
    with pytest.raises(Error) as caught:
        texts_of(casts, "[5, '01000001', None]", "cast_bits")
    assert caught.value.sqlstate == "23502"
    assert texts_of(casts, "[5, '01000001']", "cast_bits") == ["00000101", "01000001"]


# Containers for types that have no place for them.
@pytest.mark.parametrize(
    ("value", "sql_type"),
    [
        ("['a', 'b']", "tsvector"),
        ("np.array([1, 2])", "tsvector"),
        ("(1, 5)", "int4range"),
        ("[(1, 5)]", "int4multirange"),
        ("{'a': 1}", "xml"),
        ("{'a': 1}", "inet"),
        ("[1, 2]", "point"),
        ("{1, 2}", "bit(4)"),
        ("[1]", '"char"'),
        ("[1]", "int2vector"),
        ("[1]", "uuid"),
        ("{'a': 1}", "date"),
        ("[1]", "bytea"),
        ("{}", "int4"),
    ],
)
def test_containers_are_refused(casts: Connection[Any], value: str, sql_type: str) -> None:
    for what in (f"[None, {value}]", f"['1', {value}]"):
        with pytest.raises(Error) as caught:
            texts_of(casts, what, sql_type)
        assert caught.value.sqlstate == "42804", what
        words = f"{caught.value}\n{caught.value.diag.context}"
        assert 'column "v", row 2' in words


@pytest.mark.parametrize(
    ("value", "sql_type"),
    [("5", "inet"), ("5", "tsvector"), ("112233445566", "macaddr"), ("5.5", "bit(4)"),
     ("True", "bit(4)"), ("b'1'", "int4"), ("5", "xml")],
)  # fmt: skip
def test_no_cast_is_an_error_and_not_a_text(
    casts: Connection[Any], value: str, sql_type: str
) -> None:
    if sql_type == "int4" and casts.info.server_version >= 180000:
        pytest.skip("PostgreSQL 18 casts bytea to integers")
    with pytest.raises(Error) as caught:
        texts_of(casts, f"[{value}]", sql_type)
    assert caught.value.sqlstate == "42846"


def test_containers_for_text_are_json(casts: Connection[Any]) -> None:
    assert texts_of(casts, "[{'a': 1}, [1, 'x']]", "text") == ['{"a":1}', '[1,"x"]']


def test_bytes_for_types_with_a_cast_from_bytea(casts: Connection[Any]) -> None:
    available = casts.execute(
        "SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'"
    ).fetchone()
    if available is None:
        pytest.skip("PostGIS is not installed")
    casts.execute("CREATE EXTENSION IF NOT EXISTS postgis")
    wkb = struct.pack("<BIdd", 1, 1, 1.0, 2.0)
    for sql_type in ("geometry", "geography", "geometry(Point)"):
        expected = cast_by_server(casts, "'POINT(1 2)'", sql_type)
        mixed = f"[{wkb!r}, bytearray({wkb!r}), 'POINT(1 2)', None]"
        assert texts_of(casts, f"[{wkb!r}]", sql_type) == [expected]
        assert texts_of(casts, mixed, sql_type) == [expected] * 3 + [None]
    casts.execute("DROP EXTENSION postgis")
