"""plpython3u and scripts in one backend, in every order."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from psycopg import Connection

pytestmark = pytest.mark.backend("plpython3u runs there")

SCRIPTS = {
    "ours": "def ours(n):\n    return n + 1\n",
    "ours_print": "import warnings\ndef ours_print():\n    print('ours')\n    return 1\n",
    "ours_fails": "def ours_fails():\n    raise ValueError('ours')\n",
    "ours_sql": """
import oml
def ours_sql(sql, catch=False):
    try:
        return oml.cursor().execute(sql).fetchone()[0]
    except oml.DatabaseError as error:
        if catch:
            return -1
        raise
""",
    "ours_hangs": "def ours_hangs():\n    while True:\n        pass\n",
    "ours_modules": "import sys\ndef ours_modules(name):\n    return int(name in sys.modules)\n",
}
FUNCTIONS = """
CREATE FUNCTION theirs(n int) RETURNS int LANGUAGE plpython3u AS 'return n + 1';
CREATE FUNCTION theirs_fails() RETURNS int LANGUAGE plpython3u AS $$ raise KeyError("theirs") $$;
CREATE FUNCTION theirs_plpy_error() RETURNS int LANGUAGE plpython3u AS
    $$ plpy.error("theirs", sqlstate="22ABC", hint="think") $$;
CREATE FUNCTION theirs_counts() RETURNS int LANGUAGE plpython3u AS $$
    SD["n"] = SD.get("n", 0) + 1
    GD["n"] = GD.get("n", 0) + 10
    return SD["n"] + GD["n"] $$;
CREATE FUNCTION theirs_sql(sql text, catch boolean DEFAULT false) RETURNS int LANGUAGE plpython3u
AS $$
    try:
        return list(plpy.execute(sql)[0].values())[0]
    except plpy.SPIError:
        if catch:
            return -2
        raise $$;
CREATE FUNCTION theirs_notice() RETURNS int LANGUAGE plpython3u AS $$
    plpy.notice("theirs")
    return 1 $$;
CREATE FUNCTION theirs_subtransaction(sql text) RETURNS int LANGUAGE plpython3u AS $$
    try:
        with plpy.subtransaction():
            plpy.execute(sql)
    except plpy.SPIError:
        return -3
    return 0 $$;
CREATE FUNCTION theirs_set() RETURNS SETOF int LANGUAGE plpython3u AS $$
    for n in range(100):
        yield n $$;
CREATE FUNCTION theirs_stdout() RETURNS boolean LANGUAGE plpython3u AS $$
    import sys
    return type(sys.stdout).__module__.startswith("_oml_epe") $$;
CREATE FUNCTION theirs_frame() RETURNS float8 LANGUAGE plpython3u AS $$
    import numpy, pandas
    return float(pandas.DataFrame({"x": numpy.arange(10.0)})["x"].sum()) $$;
"""


@pytest.fixture(scope="module")
def both(server: Any) -> Iterator[str]:
    """A separate database, so that plpython3u does not affect other tests."""
    name = "epe_plpython"
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    with server.connect(name) as setup:
        setup.execute("CREATE EXTENSION oml_epe")
        try:
            setup.execute("CREATE EXTENSION plpython3u")
        except psycopg.Error as error:
            pytest.skip(f"plpython3u is not installed: {error}")
        for script, source in SCRIPTS.items():
            setup.execute("SELECT pyq_script_create(%s, %s)", (script, source))
        for statement in FUNCTIONS.split(";\nCREATE"):
            statement = statement.strip().rstrip(";")
            setup.execute(statement if statement.startswith("CREATE") else f"CREATE {statement}")
    yield name
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
def session(server: Any, both: str) -> Iterator[Connection[Any]]:
    """A new backend, in which neither has started Python yet."""
    with server.connect(both) as connection:
        yield connection


def ours(session: Connection[Any], name: str, **arguments: Any) -> Any:
    row = session.execute(
        "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, %s)", (json.dumps(arguments), name)
    ).fetchone()
    return None if row is None else row[0]


def theirs(session: Connection[Any], call: str) -> Any:
    row = session.execute(f"SELECT {call}").fetchone()  # type: ignore[call-overload]
    return None if row is None else row[0]


def start_ours(session: Connection[Any]) -> None:
    assert ours(session, "ours", n=1) == 2


def start_theirs(session: Connection[Any]) -> None:
    assert theirs(session, "theirs(1)") == 2


Start = Callable[[Connection[Any]], None]
ORDERS = pytest.mark.parametrize(
    "order",
    [(start_ours, start_theirs), (start_theirs, start_ours)],
    ids=["ours first", "theirs first"],
)


@ORDERS
def test_alternating(order, session):
    for start in order:
        start(session)
    for number in range(50):
        assert ours(session, "ours", n=number) == number + 1
        assert theirs(session, f"theirs({number})") == number + 1
    assert theirs(session, "theirs_frame()") == 45.0


@ORDERS
def test_shared_dictionaries_are_kept(order, session):
    for start in order:
        start(session)
    for number in range(1, 5):
        assert theirs(session, "theirs_counts()") == 11 * number
        assert ours(session, "ours", n=number) == number + 1


@ORDERS
def test_errors_of_one_do_not_reach_the_other(order, session):
    for start in order:
        start(session)
    for _ in range(3):
        with pytest.raises(psycopg.Error, match="ValueError: ours"):
            ours(session, "ours_fails")
        with pytest.raises(psycopg.Error, match="KeyError: 'theirs'"):
            theirs(session, "theirs_fails()")
        with pytest.raises(psycopg.Error) as caught:
            theirs(session, "theirs_plpy_error()")
        assert caught.value.sqlstate == "22ABC"
        start_ours(session)
        start_theirs(session)


@ORDERS
def test_nested_both_ways(order, session):
    """A script calls a plpython function, which calls a script, and so on."""
    for start in order:
        start(session)
    call = "SELECT * FROM pyq_eval('{\"n\": 4}'::jsonb, NULL::int, 'ours')"
    assert ours(session, "ours_sql", sql=f"SELECT theirs_sql($q${call}$q$)") == 5
    inner = json.dumps({"sql": "SELECT theirs(5)"})
    call = f"SELECT * FROM pyq_eval('{inner}'::jsonb, NULL::int, 'ours_sql')"
    assert theirs(session, f"theirs_sql($q${call}$q$)") == 6
    start_ours(session)
    start_theirs(session)


@ORDERS
def test_errors_that_cross(order, session):
    for start in order:
        start(session)
    # Theirs fails inside ours.
    with pytest.raises(psycopg.Error) as caught:
        ours(session, "ours_sql", sql="SELECT theirs_plpy_error()")
    assert caught.value.sqlstate == "22ABC"
    assert ours(session, "ours_sql", sql="SELECT theirs_plpy_error()", catch=True) == -1
    assert ours(session, "ours_sql", sql="SELECT theirs_fails()", catch=True) == -1
    # Ours fails inside theirs.
    fails = "SELECT * FROM pyq_eval(NULL::text, NULL::int, ''ours_fails'')"
    with pytest.raises(psycopg.Error, match="ValueError: ours") as caught:
        theirs(session, f"theirs_sql('{fails}')")
    assert theirs(session, f"theirs_sql('{fails}', true)") == -2
    assert theirs(session, f"theirs_subtransaction('{fails}')") == -3
    # Theirs inside ours inside theirs.
    inner = json.dumps({"sql": "SELECT theirs_fails()", "catch": True})
    call = f"SELECT * FROM pyq_eval('{inner}'::jsonb, NULL::int, 'ours_sql')"
    assert theirs(session, f"theirs_sql($q${call}$q$)") == -1
    start_ours(session)
    start_theirs(session)


@ORDERS
def test_output_goes_where_it_belongs(order, session):
    for start in order:
        start(session)
    texts = []
    session.add_notice_handler(lambda diagnostic: texts.append(diagnostic.message_primary))
    ours(session, "ours_print")
    theirs(session, "theirs_notice()")
    assert theirs(session, "theirs_stdout()") is False
    assert texts == ["ours", "theirs"]


@ORDERS
def test_time_out_of_ours_leaves_theirs_alone(order, session):
    for start in order:
        start(session)
    for _ in range(3):
        session.execute("SET statement_timeout = '100ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            ours(session, "ours_hangs")
        session.execute("RESET statement_timeout")
        start_theirs(session)
        start_ours(session)


@ORDERS
def test_time_out_of_sql_inside_theirs(order, session):
    """A cancel while SQL of a plpython function runs ends it, after a call of a script."""
    for start in order:
        start(session)
    session.execute("SET statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        theirs(session, "theirs_sql('SELECT 1 FROM pg_sleep(60)')")
    session.execute("RESET statement_timeout")
    start_theirs(session)
    start_ours(session)


@ORDERS
def test_time_out_of_ours_inside_theirs(order, session):
    """plpython turns a cancel into a SPIError, which its function lets go here."""
    for start in order:
        start(session)
    session.execute("SET statement_timeout = '100ms'")
    hangs = "SELECT * FROM pyq_eval(NULL::text, NULL::int, ''ours_hangs'')"
    with pytest.raises(psycopg.errors.QueryCanceled):
        theirs(session, f"theirs_sql('{hangs}')")
    session.execute("RESET statement_timeout")
    start_theirs(session)
    start_ours(session)


@ORDERS
def test_time_out_of_theirs_inside_ours(order, session):
    for start in order:
        start(session)
    session.execute("SET statement_timeout = '100ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        ours(session, "ours_sql", sql="SELECT theirs_sql('SELECT 1 FROM pg_sleep(60)')", catch=True)
    session.execute("RESET statement_timeout")
    start_theirs(session)
    start_ours(session)


@ORDERS
def test_sets_of_both_in_one_query(order, session):
    for start in order:
        start(session)
    row = session.execute(
        "SELECT sum(y) FROM theirs_set() AS x,"
        " LATERAL pyq_eval(jsonb_build_object('n', x), NULL::int, 'ours') AS y"
    ).fetchone()
    assert row == (5050,)


def test_both_start_in_the_same_statement(session):
    row = session.execute(
        "SELECT theirs(1), (SELECT x FROM pyq_eval('{\"n\": 5}', NULL::int, 'ours') AS x)"
    ).fetchone()
    assert row == (2, 6)


def test_theirs_starts_inside_ours(session):
    assert ours(session, "ours_sql", sql="SELECT theirs(1)") == 2
    start_theirs(session)
    start_ours(session)


def test_ours_starts_inside_theirs(session):
    call = "SELECT * FROM pyq_eval(''{\"n\": 5}'', NULL::int, ''ours'')"
    assert theirs(session, f"theirs_sql('{call}')") == 6
    start_ours(session)
    start_theirs(session)


def test_theirs_is_loaded_before_ours_starts(session):
    """No Python has been started yet; without preloading the library is not loaded either."""
    session.execute("LOAD 'plpython3'")
    try:
        start_ours(session)
    except psycopg.errors.ObjectNotInPrerequisiteState as error:
        assert "DO LANGUAGE plpython3u 'pass'" in str(error)
        session.execute("DO LANGUAGE plpython3u 'pass'")
        start_ours(session)
    start_theirs(session)


def test_a_script_cannot_reach_plpy_before_plpython_runs(session):
    """The name that lets plpython3u start after us is not a module of oml_epe."""
    session.execute(
        "SELECT pyq_script_create('imports', 'def imports():\n    import plpy\n    return 1\n',"
        " false, true)"
    )
    with pytest.raises(psycopg.Error) as caught:
        ours(session, "imports")
    assert caught.value.sqlstate == "38000"
    start_theirs(session)
    start_ours(session)


@ORDERS
def test_loop_of_theirs_inside_ours_can_be_stopped(order, session):
    """Interruptible only because our handlers are active while our script waits for SQL."""
    for start in order:
        start(session)
    session.execute(
        "CREATE OR REPLACE FUNCTION theirs_hangs() RETURNS int LANGUAGE plpython3u AS"
        " $$ while True: pass $$"
    )
    for _ in range(2):
        session.execute("SET statement_timeout = '100ms'")
        with pytest.raises(psycopg.errors.QueryCanceled):
            ours(session, "ours_sql", sql="SELECT theirs_hangs()", catch=True)
        session.execute("RESET statement_timeout")
        start_theirs(session)
        start_ours(session)
