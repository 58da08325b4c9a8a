"""Calls as plan nodes: rows as they come, early ends, cursors side by side, users, memory."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection, sql

ENGINE_PLACES = (engine_kinds.BACKEND, engine_kinds.PROCESS)
SCRIPTS = {
    "node_pieces": """
import pandas as pd

def pieces(n=3, fail_at=None, bad_at=None, fails_when_closed=False):
    try:
        for i in range(n):
            print(f"piece {i}")
            if i == fail_at:
                raise ValueError(f"failed at {i}")
            yield pd.DataFrame({"a": ["x" if i == bad_at else str(i)]})
    finally:
        print("closed")
        if fails_when_closed:
            raise ValueError("failed when closed")
""",
    "node_users": """
import oml
import pandas as pd

def users(n=3):
    for i in range(n):
        with oml.cursor() as cursor:
            cursor.execute("SELECT current_user::text")
            name = cursor.fetchone()[0]
        yield pd.DataFrame({"a": [name]})
""",
    "node_blocks": """
import numpy as np
import pandas as pd

def blocks(count, rows):
    for block in range(count):
        yield pd.DataFrame({"a": np.arange(rows) + block * rows, "b": np.ones(rows)})
""",
    "node_chunks": """
import pandas as pd

def chunk(data):
    first = int(data["x"].iloc[0])
    print(f"chunk at {first}")
    return pd.DataFrame({"a": [first]})
""",
    "node_nested": """
import oml
import pandas as pd

def nested(n):
    with oml.cursor() as cursor:
        for i in range(n):
            print(f"outer {i}")
            cursor.execute("SELECT sum(a) FROM pyq_eval(NULL, NULL, 'node_pieces') AS t(a int)")
            yield pd.DataFrame({"a": [int(cursor.fetchone()[0]) + i]})
""",
}


def pieces(**arguments: Any) -> str:
    """A call in FROM that returns the numbers from 0, a piece of the result for each."""
    return f"pyq_eval('{json.dumps(arguments)}', NULL, 'node_pieces') AS t(a int)"


@pytest.fixture(scope="module", autouse=True)
def _scripts(module_conn: Connection[Any]) -> Iterator[None]:
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s, true, true)", (name, source))
    module_conn.execute(
        "CREATE TABLE node_input AS SELECT i AS x FROM generate_series(1, 100000) AS i"
    )
    module_conn.execute("GRANT SELECT ON node_input TO PUBLIC")
    yield
    module_conn.execute("DROP TABLE node_input")
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s, true)", (name,))


@pytest.fixture
def notices(conn: Connection[Any]) -> list[str]:
    """The messages that the connection receives."""
    received: list[str] = []
    conn.add_notice_handler(lambda message: received.append(message.message_primary or ""))
    return received


def values(conn: Connection[Any], query: str) -> list[Any]:
    return [row[0] for row in conn.execute(query)]  # type: ignore[arg-type]


@pytest.mark.backend
@pytest.mark.parametrize("is_on", [True, False])
def test_setting(conn: Connection[Any], is_on: bool) -> None:
    conn.execute("SELECT set_config('oml_epe.plan_nodes', %s, false)", (str(is_on),))
    plan = values(conn, f"EXPLAIN SELECT * FROM {pieces()}")
    assert ("Custom Scan (PythonEval)" in plan[0]) == is_on
    assert values(conn, f"SELECT a FROM {pieces()}") == [0, 1, 2]


@pytest.mark.backend
@pytest.mark.parametrize("form", ["JSON", "XML", "YAML"])
def test_explain_formats(conn: Connection[Any], form: str) -> None:
    """The properties of the text format are those of the others."""
    query = f"SELECT * FROM {pieces()} LIMIT 2"
    text = values(conn, f"EXPLAIN (ANALYZE, FORMAT TEXT) {query}")
    labels = [line.split(":")[0].strip() for line in text if ": " in line and "Time:" not in line]
    labels = [label for label in labels if label != "Buffers"]
    assert {"Function", "Script", "Engine", "Output Shape", "Script Calls"} <= set(labels)
    plan = str(values(conn, f"EXPLAIN (ANALYZE, FORMAT {form}) {query}")[0])
    for label in labels:
        assert (label.replace(" ", "-") if form == "XML" else label) in plan


def test_limit_closes_the_generator(conn: Connection[Any], notices: list[str]) -> None:
    n = 100_000
    assert values(conn, f"SELECT a FROM {pieces(n=n)} LIMIT 3") == [0, 1, 2]
    assert notices[-1] == "closed"
    assert notices[:3] == ["piece 0", "piece 1", "piece 2"]
    assert len(notices) < n / 2


def test_limit_of_chunks(conn: Connection[Any], notices: list[str]) -> None:
    """Chunks that have not begun never run."""
    query = (
        "SELECT a FROM pyq_row_eval('node_input', '{\"oml_input_type\": \"pandas\"}', NULL, 10,"
        " 'node_chunks') AS t(a int) LIMIT 2"
    )
    assert values(conn, query) == [1, 11]
    assert notices[:2] == ["chunk at 1", "chunk at 11"]
    assert len(notices) < 5000


def test_exists_stops(conn: Connection[Any], notices: list[str]) -> None:
    query = f"SELECT EXISTS (SELECT FROM {pieces(n=100_000)} WHERE a >= 0)"
    assert values(conn, query) == [True]
    assert notices[0] == "piece 0"
    assert notices[-1] == "closed"


def test_failure_while_closed_is_a_warning(conn: Connection[Any], notices: list[str]) -> None:
    call = pieces(n=100_000, fails_when_closed=True)
    assert values(conn, f"SELECT a FROM {call} LIMIT 1") == [0]
    assert any("failed when closed" in notice for notice in notices)
    assert values(conn, "SELECT 1") == [1]


def test_two_cursors_take_turns(conn: Connection[Any], notices: list[str]) -> None:
    conn.execute("BEGIN")
    for name in ("left_side", "right_side"):
        conn.execute(f"DECLARE {name} CURSOR FOR SELECT a FROM {pieces()}")
    seen = []
    for _ in range(3):
        seen += values(conn, "FETCH 1 FROM left_side")
        seen += values(conn, "FETCH 1 FROM right_side")
    assert seen == [0, 0, 1, 1, 2, 2]
    assert values(conn, "FETCH 1 FROM left_side") == []
    conn.execute("CLOSE right_side")
    assert "closed" in notices
    conn.execute("COMMIT")


def test_script_between_two_rows(conn: Connection[Any], notices: list[str]) -> None:
    conn.execute("BEGIN")
    conn.execute(f"DECLARE c CURSOR FOR SELECT a FROM {pieces()}")
    assert values(conn, "FETCH 1 FROM c") == [0]
    nested = "pyq_eval('{\"n\": 2}', NULL, 'node_nested') AS t(a int)"
    assert values(conn, f"SELECT a FROM {nested}") == [3, 4]
    assert values(conn, "FETCH ALL FROM c") == [1, 2]
    conn.execute("COMMIT")
    # Of the two inner calls and the cursor's.
    assert notices.count("closed") == 3


@pytest.mark.parametrize("name", ["fail_at", "bad_at"])
def test_error_after_some_rows(conn: Connection[Any], name: str) -> None:
    """The rows before it have been returned; the error names script and place."""
    conn.execute("BEGIN")
    conn.execute(f"DECLARE c CURSOR FOR SELECT a FROM {pieces(n=100, **{name: 3})}")
    assert values(conn, "FETCH 3 FROM c") == [0, 1, 2]
    with pytest.raises(psycopg.Error) as raised:
        conn.execute("FETCH 1 FROM c")
    assert 'script "pyqsys.node_pieces"' in (raised.value.diag.context or "")
    if name == "fail_at":
        assert raised.value.diag.sqlstate == "38000"
    else:
        assert raised.value.diag.sqlstate == "22P02"
        assert 'column "a", row 4 of the result' in (raised.value.diag.context or "")
    conn.execute("ROLLBACK")
    assert values(conn, f"SELECT a FROM {pieces()}") == [0, 1, 2]


def test_error_of_the_query_above(conn: Connection[Any]) -> None:
    with pytest.raises(psycopg.errors.DivisionByZero):
        conn.execute(f"SELECT 1 / (a - 1) FROM {pieces()}")
    assert values(conn, f"SELECT a FROM {pieces()}") == [0, 1, 2]


def test_each_step_has_the_user_of_the_start(
    conn: Connection[Any], make_role: Callable[..., str]
) -> None:
    owner, reader = make_role("opens"), make_role("reads")
    conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(owner)))
    conn.execute("BEGIN")
    conn.execute(
        "DECLARE c CURSOR FOR SELECT a FROM pyq_eval(NULL, NULL, 'node_users') AS t(a text)"
    )
    assert values(conn, "FETCH 1 FROM c") == [owner]
    conn.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(reader)))
    assert values(conn, "FETCH 1 FROM c") == [owner]
    assert values(conn, "SELECT current_user::text") == [reader]
    conn.execute("RESET ROLE")
    assert values(conn, "FETCH 1 FROM c") == [owner]
    conn.execute("COMMIT")


def test_rollback_to_savepoint(conn: Connection[Any], notices: list[str]) -> None:
    """A cursor of the outer transaction survives; one of the savepoint ends with it."""
    conn.execute("BEGIN")
    conn.execute(f"DECLARE outer_one CURSOR FOR SELECT a FROM {pieces()}")
    assert values(conn, "FETCH 1 FROM outer_one") == [0]
    conn.execute("SAVEPOINT s")
    conn.execute(f"DECLARE inner_one CURSOR FOR SELECT a FROM {pieces()}")
    assert values(conn, "FETCH 1 FROM inner_one") == [0]
    assert values(conn, "FETCH 1 FROM outer_one") == [1]
    conn.execute("ROLLBACK TO s")
    assert values(conn, "FETCH ALL FROM outer_one") == [2]
    conn.execute("COMMIT")


def test_closed_cursor_returns_its_engine_warm(
    conn: Connection[Any], observer: Connection[Any], engine_place: engine_kinds.Place
) -> None:
    def engines() -> list[int]:
        query = "SELECT pid FROM pyq_engines WHERE backend_pid = %s"
        return [row[0] for row in observer.execute(query, (conn.info.backend_pid,))]

    conn.execute("BEGIN")
    conn.execute(f"DECLARE c CURSOR FOR SELECT a FROM {pieces(n=100_000)}")
    assert values(conn, "FETCH 2 FROM c") == [0, 1]
    held = engines()
    assert len(held) == (engine_place == engine_kinds.PROCESS)
    conn.execute("CLOSE c")
    assert values(conn, f"SELECT a FROM {pieces()}") == [0, 1, 2]
    assert engines() == held
    conn.execute("COMMIT")


def test_large_result(conn: Connection[Any]) -> None:
    """Two million rows, against PostgreSQL's own series; no temporary file."""
    query = (
        "SELECT count(*), min(a), max(a), sum(a), sum(b) FROM"
        " pyq_eval('{\"count\": 20, \"rows\": 100000}', NULL, 'node_blocks')"
        " AS t(a bigint, b float8)"
    )
    conn.execute("SET work_mem = '1MB'")
    conn.execute("BEGIN")
    expected = conn.execute(
        "SELECT count(*), min(a), max(a), sum(a), count(*)::float8"
        " FROM generate_series(0, 1999999) AS a"
    ).fetchone()
    assert conn.execute(query).fetchone() == expected
    plan = values(conn, "EXPLAIN (ANALYZE, BUFFERS, COSTS OFF) " + query)
    assert not [line for line in plan if "temp" in line]
    conn.execute("COMMIT")


@pytest.mark.backend
def test_prepared_statement_survives_the_extension(server: Any) -> None:
    """DROP and CREATE EXTENSION between two executions: the functions are found again."""
    conn = server.connect()
    conn.execute("CREATE DATABASE epe_nodes")
    try:
        with server.connect("epe_nodes") as other:
            other.execute("CREATE EXTENSION oml_epe")
            other.execute("SELECT pyq_script_create('one', 'def one(): return 1')")
            other.execute("PREPARE q AS SELECT * FROM pyq_eval(NULL, NULL, 'one') AS t(a int)")
            assert values(other, "EXECUTE q") == [1]
            other.execute("DROP EXTENSION oml_epe CASCADE")
            with pytest.raises(psycopg.errors.UndefinedFunction):
                other.execute("EXECUTE q")
            other.execute("CREATE EXTENSION oml_epe")
            other.execute("SELECT pyq_script_create('one', 'def one(): return 2')")
            assert values(other, "EXECUTE q") == [2]
    finally:
        conn.execute("DROP DATABASE epe_nodes WITH (FORCE)")


@pytest.mark.backend
def test_without_preload(connect: Callable[..., Connection[Any]]) -> None:
    """Planning a call loads the library, and with it the plan node."""
    fresh = connect()
    plan = values(fresh, f"EXPLAIN SELECT * FROM {pieces()}")
    assert "Custom Scan (PythonEval)" in plan[0]
