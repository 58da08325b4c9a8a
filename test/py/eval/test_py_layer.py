"""The seam between Python and the backend: forks, figures, masks, parameters, forgotten scripts."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest
from psycopg import Connection

IMPORTS = """
import datetime, enum, os, sys, time
import numpy as np
import oml
import pandas as pd
"""


def rows(conn: Connection[Any], name: str, columns: str) -> list[Any]:
    return conn.execute(
        f"SELECT * FROM pyq_eval(NULL, NULL, %s) AS r({columns})",  # type: ignore
        (name,),
    ).fetchall()


def value(conn: Connection[Any], make_script: Any, body: str, column: str = "a text") -> Any:
    make_script("f", IMPORTS + body)
    return [row[0] for row in rows(conn, "f", column)]


# ------------------------------------------------------------------------------------------- forks


@pytest.mark.backend("forks")
@pytest.mark.parametrize(
    ("ending", "status"),
    [
        ("return 'from the child'", 0),
        ("raise ValueError('in the child')", 1),
        ("sys.exit()", 0),
        ("sys.exit(3)", 3),
        ("sys.exit('text')", 1),
        ("os._exit(4)", 4),
    ],
)
def test_forked_child_ends_and_parent_answers(ending, status, conn, make_script):
    body = f"""
def f():
    child = os.fork()
    if child == 0:
        {ending}
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    assert value(conn, make_script, body, "a int") == [status]
    assert conn.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.backend("forks")
def test_forked_child_may_not_use_the_session(conn, make_script, server):
    server.read_new_log()
    notices: list[str] = []
    conn.add_notice_handler(lambda message: notices.append(message.message_primary or ""))
    body = """
def f():
    child = os.fork()
    if child == 0:
        print("printed by the child")
        try:
            oml.cursor().execute("SELECT 1")
        except RuntimeError as error:
            os._exit(5 if "forked" in str(error) and not oml.isconnected() else 6)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    assert value(conn, make_script, body, "a int") == [5]
    assert notices == []
    assert "printed by the child" in server.read_new_log()


@pytest.mark.backend("forks")
def test_signals_end_a_forked_child(conn, make_script):
    body = """
def f():
    child = os.fork()
    while child == 0:
        time.sleep(1)
    os.kill(child, 15)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
"""
    assert value(conn, make_script, body, "a int") == [-15]


@pytest.mark.backend("forks")
def test_multiprocessing_pool(conn, make_script):
    body = """
import multiprocessing
def f():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        return sum(pool.map(abs, range(10)))
"""
    for _ in range(3):
        assert value(conn, make_script, body, "a int") == [45]


@pytest.mark.backend("forks")
def test_cancelled_multiprocessing_pool(conn, make_script):
    body = """
import multiprocessing
def f():
    with multiprocessing.get_context("fork").Pool(2) as pool:
        pool.map(time.sleep, [1000, 1000])
"""
    conn.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        value(conn, make_script, body)
    assert conn.execute("SELECT 1").fetchone() == (1,)


# ----------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize("inner", ["raise ValueError('no')", "plt.figure()"])
def test_loading_an_inner_script_leaves_the_figures_alone(inner, conn, make_script):
    pytest.importorskip("matplotlib")
    make_script("inner", f"import matplotlib.pyplot as plt\n{inner}\ndef inner(): return 1\n")
    make_script(
        "outer",
        """
import matplotlib.pyplot as plt
import oml
def outer():
    plt.figure().suptitle("mine")
    try:
        oml.cursor().execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'inner')")
    except oml.DatabaseError:
        pass
    return True
""",
    )
    found = conn.execute(
        """SELECT title FROM pyq_eval('{"oml_graphics_flag": true}', 'PNG', 'outer')
           AS r(name text, id int, value text, title text, image bytea)"""
    ).fetchall()
    assert found == [("mine",)]


# ------------------------------------------------------------------------------------------ values


@pytest.mark.parametrize(
    ("expression", "column", "expected"),
    [
        ("[1.0, np.ma.masked]", "a float8", [1.0, None]),
        ("list(np.ma.array([1, 2], mask=[1, 0]))", "a int", [None, 2]),
        (
            "[(np.ma.array([1, 2], mask=[0, 1]),), (np.ma.array([3]),)]",
            "a int[]",
            [[1, None], [3]],
        ),
        (
            "pd.DataFrame({'a': pd.Categorical([2**53 + 1, None, 5])})",
            "a bigint",
            [2**53 + 1, None, 5],
        ),
        ("pd.DataFrame({'a': pd.Categorical([None, None], categories=[1])})", "a int", [None] * 2),
    ],
)
def test_missing_values(expression, column, expected, conn, make_script):
    assert value(conn, make_script, f"def f():\n    return {expression}\n", column) == expected


@pytest.mark.parametrize(
    ("parameter", "sql", "expected"),
    [
        ("enum.IntEnum('C', 'A B').B", "$1", "2"),
        ("enum.Enum('S', {'A': 'x'}, type=str).A", "$1::text", "x"),
        ("enum.Enum('C', 'A').A", "$1", "1"),
        (
            "np.datetime64('2020-01-01T00:00:00.000001999')",
            "$1::timestamp",
            "2020-01-01 00:00:00.000001",
        ),
        ("np.datetime64('2020-01-01')", "$1::date", "2020-01-01"),
        ("np.datetime64('NaT')", "$1::date", "None"),
        ("np.timedelta64(5000, 'ns')", "$1::interval", "0:00:00.000005"),
        ("[np.array([1, 2]), np.array([3, 4])]", "$1::int[]::text", "{{1,2},{3,4}}"),
        ("np.array([[1, 2], [3, 4]])", "$1::int[]::text", "{{1,2},{3,4}}"),
        ("pd.NaT", "$1::date", "None"),
        ("pd.NA", "$1::int", "None"),
        ("[pd.NA, np.int64(1)]", "$1::int[]::text", "{NULL,1}"),
    ],
)
def test_parameters_of_sql(parameter, sql, expected, conn, make_script):
    body = f"""
def f():
    return str(oml.cursor().execute("SELECT {sql}", ({parameter},)).fetchone()[0])
"""
    assert value(conn, make_script, body) == [expected]


# ----------------------------------------------------------------------------------------- scripts


def test_many_scripts_in_one_session_are_forgotten(conn, make_script):
    make_script(
        "count_modules",
        """
import linecache, sys
def count_modules():
    return (sum(name.startswith("oml_epe_script.") for name in sys.modules)
            + sum(name.startswith("<oml_epe script ") for name in linecache.cache))
""",
    )
    conn.execute("""
DO $do$
DECLARE result int;
BEGIN
    FOR i IN 1..2500 LOOP
        PERFORM pyq_script_create('many' || i, 'def f(): return 1');
        SELECT * INTO result FROM pyq_eval(NULL, NULL::int, 'many' || i);
        PERFORM pyq_script_drop('many' || i);
    END LOOP;
END $do$""")
    found = rows(conn, "count_modules", "a int")[0][0]
    assert 0 < found <= 2 * 1001


def test_async_functions_are_refused(conn):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="defines no function"):
        conn.execute("SELECT pyq_script_create('later', 'async def f(): return 1')")


def test_a_script_cannot_mask_the_signals_that_stop_it(conn, make_script):
    body = """
def f():
    import signal
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGUSR2})
    blocked = signal.pthread_sigmask(signal.SIG_BLOCK, set())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGUSR2})
    return f"{signal.SIGINT in blocked} {signal.SIGUSR2 in blocked}"
"""
    assert value(conn, make_script, body) == ["False True"]


def test_a_script_cannot_take_the_timer_of_time_outs(conn, make_script):
    body = """
def f():
    import signal
    try:
        signal.alarm(1)
    except RuntimeError as error:
        return str(error)
"""
    assert value(conn, make_script, body) == ["signal.alarm would replace PostgreSQL's timer"]
