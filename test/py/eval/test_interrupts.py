"""Cancel, timeout, terminate and disconnect against Python that does not want to stop."""

# check_sizes: mostly the sources of interrupted scripts, which are data.

from __future__ import annotations

import os
import socket
from collections.abc import Callable, Iterator
from typing import Any

import engine_kinds
import psycopg
import pytest
from background import SAFETY_SECONDS, Background, wait_until
from psycopg import Connection, sql

IN_THE_LOOP = 7001  # an advisory lock that a script takes when it is where it shall be stopped

# Preamble of each script: `started()` shows other sessions that the script runs.
PRELUDE = f"""
import os, re, subprocess, sys, threading, time, warnings
import oml

def started():
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared({IN_THE_LOOP})")
"""

ENDLESS = {
    "busy loop": """
def hang():
    started()
    while True:
        pass
""",
    "sleep": """
def hang():
    started()
    time.sleep(600)
""",
    "swallows everything": """
def hang():
    started()
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
""",
    "swallows everything, nested": """
def hang():
    started()
    while True:
        try:
            while True:
                try:
                    while True:
                        try:
                            time.sleep(600)
                        except BaseException:
                            continue
                except BaseException:
                    continue
        except BaseException:
            continue
""",
    "swallows in finally": """
def hang():
    started()
    def endless():
        try:
            while True:
                pass
        finally:
            return endless
    while True:
        endless()
""",
    "lock": """
def hang():
    started()
    lock = threading.Lock()
    lock.acquire()
    lock.acquire()
""",
    "event": """
def hang():
    started()
    threading.Event().wait()
""",
    "joins a thread": """
def hang():
    stop = threading.Event()
    thread = threading.Thread(target=stop.wait, daemon=True)
    thread.start()
    started()
    try:
        thread.join()
    finally:
        stop.set()
""",
    "pipe": """
def hang():
    ends = os.pipe()
    started()
    try:
        os.read(ends[0], 1)
    finally:
        os.close(ends[0])
        os.close(ends[1])
""",
    "subprocess": """
def hang():
    started()
    subprocess.run(["/bin/sleep", "600"])
""",
    "backtracking": """
def hang():
    started()
    re.match(r"(a+)+$", "a" * 64 + "b")
""",
    "generator": """
def hang():
    started()
    while True:
        yield {"x": [1]}
""",
    "generator that yields nothing": """
def hang():
    started()
    yield {"x": [1]}
    while True:
        try:
            time.sleep(600)
        except Exception:
            pass
""",
    "module level": """
started()
while True:
    pass
def hang():
    return 1
""",
    "prints": """
def hang():
    started()
    while True:
        print("still there")
""",
    "warns": """
def hang():
    started()
    number = 0
    while True:
        number += 1
        warnings.warn("round " + str(number % 3))
""",
    "finalizer": """
class Stubborn:
    def __del__(self):
        started()
        while True:
            pass

def hang():
    victim = Stubborn()
    del victim
    time.sleep(600)
""",
    "finalizer that sleeps": """
class Stubborn:
    def __del__(self):
        started()
        time.sleep(600)

def hang():
    while True:
        Stubborn()
""",
    "SQL in a loop": """
def hang():
    started()
    while True:
        try:
            oml.cursor().execute("SELECT count(*) FROM pg_class")
        except BaseException:
            pass
""",
    "SQL that sleeps": """
def hang():
    started()
    while True:
        try:
            oml.cursor().execute("SELECT pg_sleep(600)")
        except BaseException:
            pass
""",
    "large integers": """
def hang():
    started()
    number = 3
    while True:
        number = number ** 3 % (10 ** 5000)
""",
    "numpy": """
def hang():
    import numpy as np
    started()
    values = np.arange(1000.0)
    while True:
        values = np.sqrt(values + 1)
""",
    "other signals' handlers": """
def hang():
    import signal
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGALRM, signal.SIGUSR1):
        signal.signal(number, signal.SIG_IGN)
    started()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
""",
}
NEEDS_INPUT = """
def hang(rows):
    for frame in rows:
        started()
        while True:
            pass
"""
CALL = "SELECT count(*) FROM pyq_eval(NULL, NULL::int, 'hang')"
ITERATOR_CALL = (
    "SELECT count(*) FROM pyq_table_eval('SELECT generate_series(1, 1000) AS x',"
    """ '{"oml_input_type": "iterator"}', NULL::int, 'hang')"""
)


@pytest.fixture(scope="module")
def victim(server: Any, database: str) -> Iterator[Connection[Any]]:
    """The session that is cancelled again and again, and must stay in order."""
    with server.connect(database) as connection:
        yield connection


@pytest.fixture
def store(observer: Connection[Any]) -> Iterator[Callable[[str], None]]:
    """A function that stores the script `hang`."""

    def store_script(body: str) -> None:
        observer.execute("SELECT pyq_script_create('hang', %s, false, true)", (PRELUDE + body,))

    observer.execute(
        "SELECT pyq_script_create('fine', 'def fine(n=1): return n', false, true)",
    )
    yield store_script
    observer.execute("SELECT pyq_script_drop('hang', v_silent => true)")


def wait_until_started(observer: Connection[Any], pid: int) -> None:
    wait_until(
        observer,
        "EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted"
        f" AND objid = {IN_THE_LOOP} AND pid = %s)",
        pid,
    )


def assert_in_order(connection: Connection[Any]) -> None:
    """The session continues, without delayed effects of the cancelled call."""
    for number in range(3):
        row = connection.execute(
            "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'fine')", (f'{{"n": {number}}}',)
        ).fetchone()
        assert row == (number,)
    row = connection.execute("SELECT count(*) FROM pg_cursors WHERE name <> ''").fetchone()
    assert row == (0,)
    row = connection.execute(
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND pid = pg_backend_pid()"
    ).fetchone()
    assert row == (0,)


def assert_cancelled(error: BaseException | None) -> None:
    assert isinstance(error, psycopg.errors.QueryCanceled), repr(error)
    assert error.sqlstate == "57014"
    assert error.diag.message_primary == "canceling statement due to user request"


def assert_terminated(error: BaseException | None, may_be_mute: bool = False) -> None:
    # libpq keeps no SQLSTATE of a FATAL error when the server closes the connection at once.
    assert isinstance(error, psycopg.OperationalError), repr(error)
    if may_be_mute and "server closed the connection unexpectedly" in str(error):
        return
    assert "terminating connection due to administrator command" in str(error)


@pytest.mark.parametrize("name", ENDLESS)
def test_cancel(name, store, victim, observer):
    store(ENDLESS[name])
    running = Background(victim, CALL)
    pid = victim.info.backend_pid
    wait_until_started(observer, pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (pid,))
    assert_cancelled(running.result())
    assert_in_order(victim)


def test_cancel_while_an_iterator_is_read(store, victim, observer):
    store(NEEDS_INPUT)
    running = Background(victim, ITERATOR_CALL)
    wait_until_started(observer, victim.info.backend_pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (victim.info.backend_pid,))
    assert_cancelled(running.result())
    assert_in_order(victim)


@pytest.mark.parametrize("name", ENDLESS)
def test_statement_timeout(name, store, victim, engine_place):
    if name == "subprocess" and engine_place != engine_kinds.BACKEND:
        pytest.skip("an engine process may not start others")
    store(ENDLESS[name])
    victim.execute("SET statement_timeout = '200ms'")
    try:
        with pytest.raises(psycopg.errors.QueryCanceled) as caught:
            victim.execute(CALL)
        assert caught.value.sqlstate == "57014"
        assert caught.value.diag.message_primary == "canceling statement due to statement timeout"
    finally:
        victim.execute("RESET statement_timeout")
    assert_in_order(victim)


@pytest.mark.parametrize("name", ENDLESS)
def test_terminate(name, store, connect, observer):
    store(ENDLESS[name])
    doomed = connect()
    running = Background(doomed, CALL)
    pid = doomed.info.backend_pid
    wait_until_started(observer, pid)
    observer.execute("SELECT pg_terminate_backend(%s)", (pid,))
    # PostgreSQL sends no error to a client while it waits for the client to read output.
    assert_terminated(running.result(), may_be_mute=name in ("prints", "warns"))
    wait_until(observer, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", pid)


def test_terminate_while_an_iterator_is_read(store, connect, observer):
    store(NEEDS_INPUT)
    doomed = connect()
    running = Background(doomed, ITERATOR_CALL)
    wait_until_started(observer, doomed.info.backend_pid)
    observer.execute("SELECT pg_terminate_backend(%s)", (doomed.info.backend_pid,))
    assert_terminated(running.result())


@pytest.mark.parametrize("after", ["raise ValueError('late')", "return 1", "return None"])
def test_what_the_script_does_after_a_cancel_does_not_count(after, store, victim, observer):
    store(f"""
def hang():
    started()
    try:
        while True:
            pass
    except BaseException:
        {after}
""")
    running = Background(victim, CALL)
    wait_until_started(observer, victim.info.backend_pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (victim.info.backend_pid,))
    assert_cancelled(running.result())
    assert_in_order(victim)


def test_finally_blocks_run_when_cancelled(store, victim, observer):
    store("""
def hang():
    started()
    try:
        while True:
            pass
    finally:
        print("tidied up")
""")
    notices = []
    victim.add_notice_handler(lambda diagnostic: notices.append(diagnostic.message_primary))
    running = Background(victim, CALL)
    wait_until_started(observer, victim.info.backend_pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (victim.info.backend_pid,))
    assert_cancelled(running.result())
    assert notices == ["tidied up"]
    assert_in_order(victim)


def test_cancel_inside_a_nested_call(store, victim, observer):
    """The inner script's cancel cannot be caught by the outer one."""
    store("""
def hang(depth=3):
    if depth == 0:
        started()
        while True:
            pass
    while True:
        try:
            oml.cursor().execute(
                "SELECT * FROM pyq_eval($1::jsonb, NULL::int, 'hang')", ({"depth": depth - 1},))
        except BaseException:
            pass
""")
    running = Background(victim, CALL)
    wait_until_started(observer, victim.info.backend_pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (victim.info.backend_pid,))
    assert_cancelled(running.result())
    assert_in_order(victim)


def test_cancel_caught_by_plpgsql_cannot_happen(store, victim, observer):
    """WHEN OTHERS does not catch a cancel; WHEN query_canceled does, and the block continues."""
    store(ENDLESS["swallows everything"])
    block = (
        "DO $$ BEGIN PERFORM pyq_eval(NULL, NULL::int, 'hang'); EXCEPTION WHEN {} THEN {}; END $$"
    )
    for condition, is_caught in (("others", False), ("query_canceled", True)):
        running = Background(
            victim,
            block.format(condition, "PERFORM 1 / (pyq_eval(NULL, NULL::int, 'fine'))"),
        )
        wait_until_started(observer, victim.info.backend_pid)
        observer.execute("SELECT pg_cancel_backend(%s)", (victim.info.backend_pid,))
        error = running.result()
        if is_caught:
            assert error is None
        else:
            assert_cancelled(error)
        assert_in_order(victim)


def test_cancel_rolls_back_to_a_savepoint(store, connect, observer):
    store(ENDLESS["busy loop"])
    session = connect(autocommit=False)
    session.execute("CREATE TEMP TABLE kept (x int)")
    session.execute("INSERT INTO kept VALUES (1)")
    session.execute("SAVEPOINT before")
    running = Background(session, CALL)
    wait_until_started(observer, session.info.backend_pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (session.info.backend_pid,))
    assert_cancelled(running.result())
    session.execute("ROLLBACK TO before")
    session.execute("INSERT INTO kept SELECT * FROM pyq_eval('{\"n\": 2}', NULL::int, 'fine')")
    session.commit()
    assert session.execute("SELECT array_agg(x ORDER BY x) FROM kept").fetchone() == ([1, 2],)


def test_cancel_inside_a_portal(store, connect, observer):
    """A cursor over a call that is cancelled is gone, its portal too."""
    store(ENDLESS["generator"])
    session = connect(autocommit=False)
    session.execute("SAVEPOINT before")
    session.execute("DECLARE c CURSOR FOR SELECT * FROM pyq_eval(NULL, NULL::int, 'hang')")
    running = Background(session, "FETCH 1 FROM c")
    wait_until_started(observer, session.info.backend_pid)
    observer.execute("SELECT pg_cancel_backend(%s)", (session.info.backend_pid,))
    assert_cancelled(running.result())
    session.execute("ROLLBACK TO before")
    assert session.execute("SELECT count(*) FROM pg_cursors WHERE name <> ''").fetchone() == (0,)
    session.rollback()


def test_cancel_that_comes_before_the_call(store, victim):
    """A timeout between the calls of statements does not affect the next one."""
    store(ENDLESS["busy loop"])
    for _ in range(20):
        victim.execute("SET statement_timeout = '5ms'")
        try:
            with pytest.raises(psycopg.errors.QueryCanceled):
                victim.execute(
                    "SELECT (SELECT * FROM pyq_eval(NULL, NULL::int, 'fine'))"
                    " FROM generate_series(1, 1000000)"
                )
        finally:
            victim.execute("SET statement_timeout = 0")
        assert_in_order(victim)


def test_lock_timeout_inside_a_script(store, victim, connect):
    """A lock_timeout is an error of its statement alone: a script may catch it."""
    lock_session = connect(autocommit=False)
    lock_session.execute("SELECT pg_advisory_xact_lock(42)")
    store("""
def hang(catch):
    try:
        oml.cursor().execute("SELECT pg_advisory_xact_lock(42)")
    except oml.DatabaseError as error:
        if not catch:
            raise
        return int(error.sqlstate[:2])
""")
    victim.execute("SET lock_timeout = '50ms'")
    try:
        call = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'hang')"
        assert victim.execute(call, ('{"catch": true}',)).fetchone() == (55,)
        with pytest.raises(psycopg.errors.LockNotAvailable):
            victim.execute(call, ('{"catch": false}',))
    finally:
        victim.execute("RESET lock_timeout")
        lock_session.rollback()
    assert_in_order(victim)


def test_idle_timeouts_do_not_reach_a_script(store, connect):
    session = connect(autocommit=False)
    store("def hang():\n    time.sleep(0.3)\n    return 1\n")
    session.execute("SET idle_in_transaction_session_timeout = '100ms'")
    assert session.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'hang')").fetchone() == (1,)


def test_disconnect_ends_the_script(store, connect, observer):
    """With client_connection_check_interval a script ends when its client is gone."""
    store(ENDLESS["swallows everything"])
    client = connect()
    client.execute("SET client_connection_check_interval = '50ms'")
    pid = client.info.backend_pid
    running = Background(client, CALL)
    wait_until_started(observer, pid)
    # The socket is shut down, not only closed: the thread still waits on it.
    with socket.socket(fileno=os.dup(client.fileno())) as raw:
        raw.shutdown(socket.SHUT_RDWR)
    assert isinstance(running.result(), psycopg.OperationalError)
    wait_until(observer, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", pid)


@pytest.mark.parametrize("name", ["busy loop", "sleep", "lock", "swallows everything"])
def test_a_looping_script_does_not_block_the_cluster(name, store, victim, observer, server):
    """ProcSignalBarriers are absorbed while Python runs: DROP DATABASE waits for every backend."""
    store(ENDLESS[name])
    running = Background(victim, CALL)
    wait_until_started(observer, victim.info.backend_pid)
    try:
        with server.connect() as admin:
            admin.execute(f"SET statement_timeout = '{SAFETY_SECONDS}s'")
            admin.execute("CREATE DATABASE epe_barrier TEMPLATE template0")
            admin.execute("DROP DATABASE epe_barrier")
        assert running.is_alive()
    finally:
        observer.execute("SELECT pg_cancel_backend(%s)", (victim.info.backend_pid,))
    assert_cancelled(running.result())
    assert_in_order(victim)


def test_a_loop_in_a_thread_ends_with_the_session_only(store, victim):
    """Threads go on after their call and neither disturb nor are cancelled by later statements."""
    store("""
def hang():
    stop = threading.Event()
    sys.epe_test_stop = stop
    def work():
        while not stop.is_set():
            time.sleep(0.001)
    threading.Thread(target=work, daemon=True).start()
    return threading.active_count()
""")
    victim.execute(CALL)
    assert_in_order(victim)
    with pytest.raises(psycopg.errors.QueryCanceled):
        victim.execute("SET statement_timeout = '50ms'; SELECT pg_sleep(60)")
    victim.rollback()
    victim.execute("RESET statement_timeout")
    assert_in_order(victim)
    store("def hang():\n    sys.epe_test_stop.set()\n    return 1\n")
    victim.execute(CALL)


def test_closing_while_a_thread_works_ends_the_backend(store, connect, observer):
    """A backend with a busy thread ends when its client disconnects."""
    store("""
def hang():
    def work():
        while True:
            pass
    threading.Thread(target=work, daemon=True).start()
    return 1
""")
    session = connect()
    session.execute(CALL)
    pid = session.info.backend_pid
    session.close()
    wait_until(observer, "NOT EXISTS (SELECT FROM pg_stat_activity WHERE pid = %s)", pid)


def end_timeout(connection):
    """Remove a short statement_timeout, which may cancel that statement as well."""
    while True:
        try:
            connection.execute("SET statement_timeout = 0")
            return
        except psycopg.errors.QueryCanceled:
            continue


def test_interrupted_at_any_moment(store, victim, observer):
    """Cancels that come at odd moments of a call never leave a session in disorder."""
    store("""
def hang():
    total = 0
    for row in range(50):
        with oml.cursor() as cursor:
            total += cursor.execute("SELECT 1").fetchone()[0]
        print(total)
        yield {"x": [total]}
""")
    statement = sql.SQL("SELECT count(*) FROM pyq_eval(NULL, NULL::int, 'hang')")
    outcomes = set()
    for microseconds in range(1, 60):
        victim.execute(
            sql.SQL("SET statement_timeout = {}").format(sql.Literal(1 + microseconds // 4))
        )
        try:
            outcomes.add(victim.execute(statement).fetchone()[0])
        except psycopg.errors.QueryCanceled:
            outcomes.add("cancelled")
        end_timeout(victim)
        row = victim.execute("SELECT * FROM pyq_eval('{\"n\": 5}', NULL::int, 'fine')").fetchone()
        assert row == (5,)
    assert "cancelled" in outcomes
    assert outcomes <= {"cancelled", 50}
    assert_in_order(victim)
