"""Inputs out of the ordinary: odd columns, no rows, wide rows, other encodings."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import pytest
from conftest import Server
from psycopg import Connection, Error

ENGINE_PLACES = engine_kinds.ENGINES
SCHEMA = "inputs"

SCRIPTS = {
    "inputs_shape": """
def shape(dat):
    names = list(dat.columns) if hasattr(dat, "columns") else list(dat.dtype.names or [])
    return [(type(dat).__name__, str(dat.shape), ",".join(map(str, names)))]
""",
    "inputs_same": "def same(dat): return dat",
    "inputs_one": "def one(*_): return 1",
    "inputs_sums": """
def sums(dat):
    return [(dat.shape[1], int(dat.iloc[:, 0].sum() + dat.iloc[:, -1].sum()), str(dat.columns[-1]))]
""",
    "inputs_frame": """
import numpy as np
import pandas as pd

def frame(columns):
    return pd.DataFrame(np.arange(3 * columns).reshape(3, columns),
                        columns=[f"c{i}" for i in range(1, columns + 1)])
""",
    "inputs_text": "def text(size): return 'ü' * size",
    "inputs_length": """
def length(dat):
    return [(len(dat["t"][0]), dat["t"][0][-1], dat["t"][0])]
""",
    "inputs_dict": "def keys(dat): return ','.join(f'{k}:{len(v)}' for k, v in dat.items())",
}


@pytest.fixture(scope="module")
def inputs(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the scripts and tables."""
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, public")
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s)", (name, source))
    module_conn.execute("CREATE TABLE empty_table (n int, t text, ts timestamptz, g int)")
    module_conn.execute("CREATE TABLE numbers AS SELECT n FROM generate_series(1, 3) AS n")
    yield module_conn
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))
    module_conn.execute("RESET ALL")
    module_conn.execute(f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE")


def rows_of(connection: Connection[Any], query: str, *values: Any) -> list[tuple[Any, ...]]:
    return connection.execute(query, values or None).fetchall()  # type: ignore[arg-type]


SHAPE = "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'inputs_shape') AS t(kind text, s text, c text)"


def shape_of(connection: Connection[Any], query: str, input_type: str) -> tuple[Any, ...]:
    rows = rows_of(connection, SHAPE, query, json.dumps({"oml_input_type": input_type}))
    assert len(rows) == 1
    return rows[0]


@pytest.mark.parametrize("values", ["1 AS a, 2 AS a, 3 AS b", "1 AS a, 'x' AS a, 3 AS b"])
def test_duplicate_column_names(inputs: Connection[Any], values: str) -> None:
    query = f"SELECT {values}"
    assert shape_of(inputs, query, "pandas") == ("DataFrame", "(1, 3)", "a,a,b")
    assert shape_of(inputs, query, "numpy")[:2] == ("ndarray", "(1, 3)")
    for input_type in ("dict", "numpy.recarray"):
        with pytest.raises(Error) as caught:
            shape_of(inputs, query, input_type)
        assert caught.value.sqlstate == "42701"
        assert '"a"' in str(caught.value)


def test_duplicate_column_names_in_a_result(inputs: Connection[Any]) -> None:
    query = "SELECT 1 AS a, 'x' AS a, 3 AS b"
    found = "SELECT * FROM pyq_table_eval(%s, NULL, NULL, 'inputs_same')"
    assert rows_of(inputs, f"{found} AS t(b int)", query) == [(3,)]
    with pytest.raises(Error) as caught:
        rows_of(inputs, f"{found} AS t(a text, b int)", query)
    assert caught.value.sqlstate == "42702"


@pytest.mark.parametrize("rows", [0, 3])
def test_no_columns(inputs: Connection[Any], rows: int) -> None:
    query = f"SELECT FROM numbers WHERE n <= {rows}"
    for input_type in ("pandas", "numpy"):
        kind, shape, _ = shape_of(inputs, query, input_type)
        assert (kind, shape) in [("DataFrame", f"({rows}, 0)"), ("ndarray", f"({rows}, 0)")]


@pytest.mark.parametrize(
    ("input_type", "expected"),
    [
        ("default", ("DataFrame", "(0, 4)", "n,t,ts,g")),
        ("pandas", ("DataFrame", "(0, 4)", "n,t,ts,g")),
        ("numpy", ("ndarray", "(0, 4)", "")),
        ("numpy.recarray", ("recarray", "(0,)", "n,t,ts,g")),
    ],
)
def test_no_rows(inputs: Connection[Any], input_type: str, expected: tuple[str, ...]) -> None:
    assert shape_of(inputs, "empty_table", input_type) == expected


def test_no_rows_as_matrix_and_dict(inputs: Connection[Any]) -> None:
    assert shape_of(inputs, "SELECT n, g FROM empty_table", "default")[:2] == ("ndarray", "(0, 2)")
    found = rows_of(
        inputs,
        "SELECT * FROM pyq_table_eval('empty_table', '{\"oml_input_type\": \"dict\"}', NULL,"
        " 'inputs_dict') AS t(keys text)",
    )
    assert found == [("n:0,t:0,ts:0,g:0",)]


@pytest.mark.parametrize(
    ("call", "rows"),
    [
        ("pyq_eval(NULL, NULL, 'inputs_one')", 1),
        ("pyq_table_eval('empty_table', NULL, NULL, 'inputs_one')", 1),
        ("pyq_row_eval('empty_table', NULL, NULL, 10, 'inputs_one')", 0),
        ("pyq_group_eval('empty_table', NULL, NULL, 'g', NULL, 'inputs_one')", 0),
        ("pyq_index_eval(NULL, NULL, 0, 'inputs_one')", 0),
    ],
)
def test_calls_without_rows(inputs: Connection[Any], call: str, rows: int) -> None:
    assert rows_of(inputs, f"SELECT * FROM {call} AS t(v int)") == [(1,)] * rows


def test_frame_without_rows_comes_back(inputs: Connection[Any]) -> None:
    query = "SELECT * FROM pyq_table_eval('empty_table', NULL, NULL::empty_table, 'inputs_same')"
    assert rows_of(inputs, query) == []


def test_a_thousand_columns(inputs: Connection[Any]) -> None:
    columns = ", ".join(f"{i} AS c{i}" for i in range(1, 1001))
    names = ", ".join(f"c{i} int" for i in range(1, 1001))
    found = rows_of(
        inputs,
        "SELECT * FROM pyq_table_eval(%s, '{\"oml_input_type\": \"pandas\"}', NULL, 'inputs_sums')"
        " AS t(width int, total int, last text)",
        f"SELECT {columns}",
    )
    assert found == [(1000, 1001, "c1000")]
    wide = rows_of(
        inputs,
        f"SELECT * FROM pyq_eval('{{\"columns\": 1000}}', NULL, 'inputs_frame') AS t({names})",
    )
    assert wide == [tuple(range(row * 1000, (row + 1) * 1000)) for row in range(3)]


def test_ten_megabytes_in_a_value(inputs: Connection[Any]) -> None:
    size = 5_000_000  # of two bytes each
    text = rows_of(
        inputs,
        "SELECT length(t), octet_length(t), t = repeat('ü', length(t))"
        " FROM pyq_eval(%s, NULL, 'inputs_text') AS r(t text)",
        json.dumps({"size": size}),
    )
    assert text == [(size, 2 * size, True)]
    found = rows_of(
        inputs,
        "SELECT n, e, length(t) FROM pyq_table_eval(%s, NULL, NULL, 'inputs_length')"
        " AS r(n int, e text, t text)",
        f"SELECT repeat('ü', {size - 1}) || 'e' AS t",
    )
    assert found == [(size, "e", size)]


def test_names_that_need_quotes(inputs: Connection[Any]) -> None:
    query = 'SELECT 1 AS "a b", 2 AS "Ü""q", 3 AS "select", 4 AS "1"'
    assert shape_of(inputs, query, "pandas")[2] == 'a b,Ü"q,select,1'
    found = rows_of(
        inputs,
        "SELECT * FROM pyq_table_eval(%s, '{\"oml_input_type\": \"pandas\"}', NULL, 'inputs_same')"
        ' AS t("Ü""q" int, "1" int)',
        query,
    )
    assert found == [(2, 4)]


def test_a_dropped_column_and_generated_ones(inputs: Connection[Any]) -> None:
    inputs.execute(
        "CREATE TABLE altered (a int, gone text, b text DEFAULT 'd',"
        " c int GENERATED ALWAYS AS (a * 2) STORED)"
    )
    inputs.execute("INSERT INTO altered (a, gone) VALUES (1, 'x')")
    inputs.execute("ALTER TABLE altered DROP COLUMN gone")
    inputs.execute("ALTER TABLE altered ADD COLUMN late float8 DEFAULT 0.5")
    query = "SELECT * FROM pyq_table_eval('altered', NULL, NULL::altered, 'inputs_same')"
    assert rows_of(inputs, query) == [(1, "d", 2, 0.5)]


@pytest.fixture(scope="module", params=["LATIN1", "SQL_ASCII", "EUC_JP"])
def other_database(request: pytest.FixtureRequest, server: Server) -> Iterator[tuple[str, Any]]:
    """A database of another encoding, with the extension; the encoding and a connection."""
    name = f"epe_pytest_{request.param.lower()}"
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(
            f"CREATE DATABASE {name} ENCODING '{request.param}' LOCALE 'C' TEMPLATE template0"
        )
    with server.connect(name, client_encoding="utf8") as connection:
        connection.execute("CREATE EXTENSION oml_epe")
        connection.execute("SELECT pyq_script_create('same', 'def same(dat): return dat')")
        connection.execute(
            "SELECT pyq_script_create('points', %s)",
            ("def points(dat): return ' '.join(str(ord(c)) for c in dat['t'][0])",),
        )
        connection.execute(
            "SELECT pyq_script_create('give', %s)",
            ("def give(points): return ''.join(map(chr, points))",),
        )
        yield request.param, connection
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


def test_texts_of_another_encoding(other_database: tuple[str, Connection[Any]]) -> None:
    encoding, connection = other_database
    text = {"LATIN1": "ünï£", "SQL_ASCII": "plain", "EUC_JP": "日本語"}[encoding]
    connection.execute("CREATE TEMP TABLE texts (t text, c char(6), j jsonb, a text[], d date)")
    connection.execute(
        "INSERT INTO texts VALUES (%s, %s, to_jsonb(%s::text), ARRAY[%s], '0044-03-15 BC')",
        (text, text, text, text),
    )
    same = rows_of(
        connection, "SELECT r::text FROM pyq_table_eval('texts', NULL, NULL::texts, 'same') AS r"
    )
    assert same == rows_of(connection, "SELECT texts::text FROM texts")
    seen = rows_of(
        connection, "SELECT * FROM pyq_table_eval('texts', NULL, NULL, 'points') AS r(t text)"
    )
    assert seen == [(" ".join(str(ord(c)) for c in text),)]
    given = rows_of(
        connection,
        "SELECT * FROM pyq_eval(%s, NULL, 'give') AS r(t text)",
        json.dumps({"points": [ord(c) for c in text]}),
    )
    assert given == [(text,)]


def test_a_character_that_the_encoding_lacks(other_database: tuple[str, Connection[Any]]) -> None:
    encoding, connection = other_database
    if encoding == "SQL_ASCII":
        pytest.skip("takes any bytes")
    with pytest.raises(Error) as caught:
        rows_of(
            connection,
            "SELECT * FROM pyq_eval('{\"points\": [128512]}', NULL, 'give') AS r(t text)",
        )
    assert caught.value.sqlstate == "22P05"
    words = f"{caught.value}\n{caught.value.diag.context}"
    assert 'column "t"' in words
    assert "row 1" in words


def test_bytes_of_no_encoding_are_refused_not_changed(
    other_database: tuple[str, Connection[Any]],
) -> None:
    encoding, connection = other_database
    if encoding != "SQL_ASCII":
        pytest.skip("only SQL_ASCII holds such text")
    connection.execute("CREATE TEMP TABLE bytes (t text)")
    connection.execute(r"INSERT INTO bytes VALUES (E'a\xff'), (E'\xc3\xbc')")
    with pytest.raises(Error) as caught:
        rows_of(
            connection, "SELECT * FROM pyq_table_eval('bytes', NULL, NULL, 'points') AS r(t text)"
        )
    assert caught.value.sqlstate in ("22021", "22P05")
    connection.execute("DELETE FROM bytes WHERE octet_length(t) = 2 AND t LIKE 'a%'")
    same = rows_of(
        connection,
        "SELECT octet_length(t) FROM pyq_table_eval('bytes', NULL, NULL::bytes, 'same')",
    )
    assert same == [(2,)]
