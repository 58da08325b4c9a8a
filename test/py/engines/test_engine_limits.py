"""Limits and fairness: how many engines there are, who gets them, what they may take; the views."""

# check_sizes: all cases need the same server settings and engine monitor.

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from background import Background
from processes import PRELUDE, REACHED, EngineMonitor, descriptors, read_process, wait_for
from psycopg import Connection, sql

RELEASE = 98  # the advisory lock that patient calls wait for
PATIENT = (
    PRELUDE
    + f"""
def patient(index=1):
    reached(index)
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared({REACHED}, {RELEASE})")
    return index
"""
)
CALL_PATIENT = "SELECT * FROM pyq_eval(NULL, NULL::int, 'patient')"
CALL_FINE = "SELECT * FROM pyq_eval(NULL, NULL::int, 'fine')"


@pytest.fixture
def store(make_script: Any) -> Any:
    make_script("fine", "def fine(n=1):\n    return n\n")
    make_script("patient", PATIENT)
    return make_script


@pytest.fixture
def release_lock(observer: Connection[Any]) -> Iterator[Callable[[], None]]:
    """Holds a lock that patient calls wait for, until this is called or the test ends."""
    observer.execute("SELECT pg_advisory_lock(%s, %s)", (REACHED, RELEASE))
    is_held = True

    def release() -> None:
        nonlocal is_held
        if is_held:
            observer.execute("SELECT pg_advisory_unlock(%s, %s)", (REACHED, RELEASE))
        is_held = False

    yield release
    release()


@pytest.fixture
def reload(observer: Connection[Any], monitor: EngineMonitor) -> Iterator[Callable[..., None]]:
    """A function that sets parameters for the server, `reload(max_engines=2)`, until the test ends.

    Another preload, which makes for another zygote, shows when the supervisor has the new settings.
    """
    numbers = iter(("colorsys", "fractions", "statistics", "bisect", "heapq"))

    def apply(**settings: Any) -> None:
        settings.setdefault("preload", f"numpy,pandas,{next(numbers)}")
        for name, value in settings.items():
            observer.execute(
                sql.SQL("ALTER SYSTEM SET {} = {}").format(
                    sql.Identifier("oml_epe", name), sql.Literal(str(value))
                )
            )
        old = monitor.zygote()
        observer.execute("SELECT pg_reload_conf()")
        wait_for("another zygote", lambda: not old.is_alive and monitor.zygote() != old)

    yield apply
    observer.execute("ALTER SYSTEM RESET ALL")
    old = monitor.zygote()
    observer.execute("SELECT pg_reload_conf()")
    wait_for("the usual zygote", lambda: not old.is_alive and monitor.zygote() != old)


@pytest.fixture
def open_session(connect: Any, observer: Connection[Any]) -> Callable[..., Connection[Any]]:
    def open_one(user: str | None = None) -> Connection[Any]:
        session: Connection[Any] = connect(user=user)
        session.execute("SET oml_epe.engine = 'process'")
        return session

    return open_one


def backend(session: Connection[Any]) -> int:
    return session.info.backend_pid


def wait_until_queued(monitor: EngineMonitor, session: Connection[Any]) -> None:
    wait_for("a queued request", lambda: monitor.engines(backend(session), "queued"))


# --------------------------------------------------------------------------------- the queue


def test_a_second_session_waits_for_the_first(reload, store, release_lock, open_session, monitor):
    reload(max_engines=1)
    first, second = open_session(), open_session()
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    waiting = Background(second, CALL_FINE)
    wait_until_queued(monitor, second)
    assert len(monitor.named("epe_engine")) == 1
    release_lock()
    assert running.result() is None
    assert waiting.result() is None
    assert (running.rows, waiting.rows) == ([(1,)], [(1,)])
    # The one engine goes to and fro: it is idle whenever the other session asks.
    for session in (first, second, first, second):
        assert session.execute(CALL_FINE).fetchone() == (1,)
    assert monitor.engines(backend(first)) == []


def test_waiting_ends_with_an_error(reload, store, release_lock, open_session, monitor):
    reload(max_engines=1)
    first, second = open_session(), open_session()
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    second.execute("SET oml_epe.engine_wait_timeout = '30ms'")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as caught:
        second.execute(CALL_FINE)
    diagnostics = caught.value.diag
    assert diagnostics.sqlstate == "53400"
    assert diagnostics.message_primary == "no Python engine became free within 30 ms"
    assert "oml_epe.max_engines" in (diagnostics.message_detail or "")
    second.execute("RESET oml_epe.engine_wait_timeout")
    wait_for("an empty queue", lambda: not monitor.engines(backend(second)))
    release_lock()
    assert running.result() is None
    assert second.execute(CALL_FINE).fetchone() == (1,)


def test_cancelling_a_request_that_waits(reload, store, release_lock, open_session, monitor):
    reload(max_engines=1)
    first, second = open_session(), open_session()
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    waiting = Background(second, CALL_FINE)
    wait_until_queued(monitor, second)
    monitor.observer.execute("SELECT pg_cancel_backend(%s)", (backend(second),))
    assert isinstance(waiting.result(), psycopg.errors.QueryCanceled)
    wait_for("an empty queue", lambda: not monitor.engines(backend(second)))
    release_lock()
    assert running.result() is None
    assert second.execute(CALL_FINE).fetchone() == (1,)


def test_parallel_calls_do_with_fewer_engines(reload, store, release_lock, open_session, monitor):
    reload(max_engines=2)
    first, second = open_session(), open_session()
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    rows = second.execute(
        """SELECT * FROM pyq_index_eval('{"oml_parallel": 4}', NULL::int, 50, 'fine')"""
    ).fetchall()
    assert rows == [(index,) for index in range(1, 51)]
    assert second.execute("SELECT engines FROM pyq_last_call()").fetchone() == (1,)
    release_lock()
    assert running.result() is None


def test_who_has_fewest_engines_is_served_first(
    reload, store, make_script, release_lock, open_session, monitor
):
    """A parallel call that wants more does not keep a newcomer from its first."""
    reload(max_engines=2)
    make_script(
        "other", PATIENT.replace("patient", "other").replace(str(RELEASE), str(RELEASE + 1))
    )
    monitor.observer.execute("SELECT pg_advisory_lock(%s, %s)", (REACHED, RELEASE + 1))
    short, greedy, newcomer = (open_session() for _ in range(3))
    running = Background(short, CALL_PATIENT)
    monitor.wait_until_reached(backend(short))
    wants_more = Background(
        greedy, """SELECT * FROM pyq_index_eval('{"oml_parallel": 2}', NULL::int, 4, 'other')"""
    )
    monitor.wait_until_reached(backend(greedy))
    wait_until_queued(monitor, greedy)
    waiting = Background(newcomer, CALL_FINE)
    wait_until_queued(monitor, newcomer)
    release_lock()
    assert running.result() is None
    assert waiting.result() is None
    monitor.observer.execute("SELECT pg_advisory_unlock(%s, %s)", (REACHED, RELEASE + 1))
    assert wants_more.result() is None
    assert wants_more.rows == [(index,) for index in range(1, 5)]


def test_nested_calls(reload, store, open_session, monitor):
    store(
        "nested",
        """
import oml
def nested(depth):
    if depth == 0:
        return 1
    cursor = oml.cursor().execute(
        "SELECT * FROM pyq_eval($1::jsonb, NULL::int, 'nested')", ({"depth": depth - 1},))
    return 1 + cursor.fetchone()[0]
""",
    )
    reload(max_engines=3)
    session = open_session()
    call = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'nested')"
    assert session.execute(call, (json.dumps({"depth": 2}),)).fetchone() == (3,)
    # One more than the limit: no engine could ever become free.
    with pytest.raises(psycopg.errors.InsufficientResources, match="for a nested call"):
        session.execute(call, (json.dumps({"depth": 3}),))
    assert session.execute(call, (json.dumps({"depth": 2}),)).fetchone() == (3,)


# ----------------------------------------------------------------------- the limit of one role


NESTED = f"""
import json
import oml
def nested(depth, number=0):
    cursor = oml.cursor()
    if number:
        cursor.execute("SELECT pg_advisory_xact_lock_shared({REACHED}, $1::int)", (number,))
        cursor.execute("SELECT pg_advisory_xact_lock_shared({REACHED}, {RELEASE})")
    if depth == 0:
        return 1
    cursor.execute(
        "SELECT * FROM pyq_eval($1::jsonb, NULL::int, 'nested')", ({{"depth": depth - 1}},))
    return 1 + cursor.fetchone()[0]
"""
CALL_NESTED = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'nested')"


@pytest.fixture
def store_for_all(make_script: Any) -> None:
    make_script("fine", "def fine(n=1):\n    return n\n", is_global=True)
    make_script("patient", PATIENT, is_global=True)
    make_script("nested", NESTED, is_global=True)


@pytest.fixture
def limited_role(make_role: Any, observer: Connection[Any]) -> Callable[..., str]:
    """A function that makes a role whose sessions have so many engines, `limited_role(2)`."""

    def make(most: int, *options: str) -> str:
        role: str = make_role("capped", *options)
        observer.execute(
            sql.SQL("ALTER ROLE {} SET oml_epe.max_engines_per_role = {}").format(
                sql.Identifier(role), sql.Literal(most)
            )
        )
        return role

    return make


def test_sessions_of_a_role_share_its_limit(
    store_for_all, limited_role, make_role, release_lock, open_session, monitor
):
    role = limited_role(1)
    first, second, other = open_session(role), open_session(role), open_session(make_role())
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    waiting = Background(second, CALL_FINE)
    wait_until_queued(monitor, second)
    # Roles without a limit, or with the same, are not held up.
    assert other.execute(CALL_FINE).fetchone() == (1,)
    assert open_session(limited_role(1)).execute(CALL_FINE).fetchone() == (1,)
    assert monitor.engines(backend(second), "queued")
    release_lock()
    assert running.result() is None
    assert waiting.result() is None
    # An idle engine of the role's makes room.
    for session in (first, second, first, second):
        assert session.execute(CALL_FINE).fetchone() == (1,)
    assert len(monitor.engines(backend(first)) + monitor.engines(backend(second))) <= 1


def test_waiting_for_an_engine_of_the_role(
    store_for_all, limited_role, release_lock, open_session, monitor
):
    role = limited_role(1)
    first, second = open_session(role), open_session(role)
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    second.execute("SET oml_epe.engine_wait_timeout = '30ms'")
    with pytest.raises(psycopg.errors.ConfigurationLimitExceeded) as caught:
        second.execute(CALL_FINE)
    assert '"oml_epe.max_engines_per_role" (1)' in (caught.value.diag.message_detail or "")
    wait_for("an empty queue", lambda: not monitor.engines(backend(second)))
    release_lock()
    assert running.result() is None


def test_role_cannot_raise_its_limit(limited_role, open_session):
    session = open_session(limited_role(1))
    for statement in (
        "SET oml_epe.max_engines_per_role = 0",
        "SET oml_epe.max_engines_per_role = DEFAULT",
        "SET LOCAL oml_epe.max_engines_per_role = 5",
        "ALTER ROLE CURRENT_USER SET oml_epe.max_engines_per_role = 0",
        "ALTER ROLE CURRENT_USER RESET oml_epe.max_engines_per_role",
        "SELECT set_config('oml_epe.max_engines_per_role', '0', false)",
    ):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(statement)
    session.execute("RESET ALL")
    assert session.execute("SHOW oml_epe.max_engines_per_role").fetchone() == ("1",)


def test_parallel_calls_have_the_engines_of_their_role(
    store_for_all, make_script, limited_role, open_session
):
    make_script(
        "sleepy",
        "import time\ndef sleepy(index):\n    time.sleep(0.1)\n    return index\n",
        is_global=True,
    )
    role = limited_role(2)
    first, second = open_session(role), open_session(role)
    rows = first.execute(
        """SELECT * FROM pyq_index_eval('{"oml_parallel": 4}', NULL::int, 12, 'sleepy')"""
    ).fetchall()
    assert rows == [(index,) for index in range(1, 13)]
    assert first.execute("SELECT engines FROM pyq_last_call()").fetchone() == (2,)
    # Both are idle: one makes room.
    assert second.execute(CALL_FINE).fetchone() == (1,)


def assert_refused_as_nested(error: psycopg.Error, name: str, count: int) -> None:
    engines = f"{count} engines, which all run calls"
    if count == 1:
        engines = "1 engine, which runs a call"
    assert error.sqlstate == "53000"
    assert error.diag.message_primary is not None  # each script in between adds its exception
    assert error.diag.message_primary.endswith(
        "oml.DatabaseError: no Python engine is available for a nested call"
    )
    assert error.diag.message_detail == (
        f'"oml_epe.{name}" allows {engines} whose script is waiting for a nested call of an eval'
        " function."
    )
    assert error.diag.message_hint == (
        f'Avoid calling eval functions from within scripts, or increase "oml_epe.{name}".'
    )


def test_a_limit_of_one_engine_leaves_none_for_a_nested_call(
    store_for_all, limited_role, open_session
):
    session = open_session(limited_role(1))
    with pytest.raises(psycopg.errors.InsufficientResources) as caught:
        session.execute(CALL_NESTED, (json.dumps({"depth": 1}),))
    assert_refused_as_nested(caught.value, "max_engines_per_role", 1)


def test_nested_calls_count(store_for_all, limited_role, open_session):
    session = open_session(limited_role(2))
    for _ in range(2):
        assert session.execute(CALL_NESTED, (json.dumps({"depth": 1}),)).fetchone() == (2,)
        with pytest.raises(psycopg.errors.InsufficientResources) as caught:
            session.execute(CALL_NESTED, (json.dumps({"depth": 2}),))
        assert_refused_as_nested(caught.value, "max_engines_per_role", 2)


def wait_for_each_other(
    name: str,
    sessions: list[Connection[Any]],
    release_lock: Callable[[], None],
    monitor: EngineMonitor,
) -> None:
    """Each has an engine and needs one more: one call fails, so that the other can go on."""
    calls = []
    for number, session in enumerate(sessions, 1):
        argument = json.dumps({"depth": 1, "number": number})
        calls.append(Background(session, CALL_NESTED.replace("%s", f"'{argument}'")))
        monitor.wait_until_reached(backend(session))
    release_lock()
    errors = [call.result() for call in calls]
    failed = [error for error in errors if error is not None]
    # The first may have its second engine before the other asks.
    assert len(failed) <= 1
    for error in failed:
        assert isinstance(error, psycopg.Error)
        assert_refused_as_nested(error, name, 2)
    for session in sessions:
        assert session.execute(CALL_FINE).fetchone() == (1,)


def test_sessions_of_a_role_that_wait_for_each_other(
    store_for_all, limited_role, release_lock, open_session, monitor
):
    role = limited_role(2)
    sessions = [open_session(role), open_session(role)]
    wait_for_each_other("max_engines_per_role", sessions, release_lock, monitor)


def test_sessions_that_wait_for_each_other(
    reload, store_for_all, release_lock, open_session, monitor
):
    reload(max_engines=2)
    sessions = [open_session(), open_session()]
    wait_for_each_other("max_engines", sessions, release_lock, monitor)


def test_the_role_that_has_logged_in_counts(
    store_for_all, limited_role, make_role, release_lock, open_session, observer, monitor
):
    """Neither SET ROLE nor a SECURITY DEFINER function gives a session engines of another role."""
    group = make_role("group")
    role = limited_role(1, "IN ROLE", group)
    observer.execute(
        "CREATE FUNCTION fine_for_others() RETURNS int LANGUAGE sql SECURITY DEFINER AS"
        " $$ SELECT * FROM pyq_eval(NULL, NULL::int, 'fine') $$"
    )
    first, second, third = (open_session(role) for _ in range(3))
    running = Background(first, CALL_PATIENT)
    monitor.wait_until_reached(backend(first))
    second.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(group)))
    waiting = Background(second, CALL_FINE)
    wait_until_queued(monitor, second)
    also = Background(third, "SELECT fine_for_others()")
    wait_until_queued(monitor, third)
    # The group's own sessions have no limit.
    assert open_session(group).execute(CALL_FINE).fetchone() == (1,)
    release_lock()
    for call in (running, waiting, also):
        assert call.result() is None
        assert call.rows == [(1,)]
    observer.execute("DROP FUNCTION fine_for_others()")


def test_jobs_count_for_their_role(
    store_for_all, limited_role, release_lock, open_session, observer, monitor
):
    role = limited_role(1)
    session = open_session(role)
    running = Background(session, CALL_PATIENT)
    monitor.wait_until_reached(backend(session))
    submitting = open_session(role)
    row = submitting.execute(
        """SELECT value FROM pyq_eval('{"oml_async_flag": true}', 'JSON', 'fine')"""
        " AS t(name text, value text)"
    ).fetchone()
    assert row is not None
    queued = "SELECT count(*) FROM pyq_engines WHERE state = 'queued'"
    wait_for("the job's request", lambda: observer.execute(queued).fetchone() == (1,))
    release_lock()
    assert running.result() is None
    states = "SELECT state FROM pyq_jobs"
    wait_for("the end of the job", lambda: submitting.execute(states).fetchall() == [("finished",)])


def test_idle_engines_are_retired(reload, store, open_session, monitor):
    session = open_session()
    session.execute(CALL_FINE)
    held = descriptors(backend(session))
    reload(engine_idle_timeout=1)
    wait_for("no idle engine", lambda: not monitor.engines(backend(session)))
    assert session.execute(CALL_FINE).fetchone() == (1,)
    assert descriptors(backend(session)) == held


def test_another_preload(reload, store, release_lock, open_session, monitor):
    """It reaches engines that start from then on; the others work on."""
    store("has", "import sys\ndef has(name):\n    return int(name in sys.modules)\n")
    call = """SELECT * FROM pyq_eval('{"name": "colorsys"}', NULL::int, 'has')"""
    session = open_session()
    running = Background(session, CALL_PATIENT)
    monitor.wait_until_reached(backend(session))
    assert open_session().execute(call).fetchone() == (0,)
    reload(preload="numpy,pandas,colorsys")
    assert open_session().execute(call).fetchone() == (1,)
    release_lock()
    assert running.result() is None
    assert session.execute(call).fetchone() == (0,)


# ------------------------------------------------------------------------ settings and isolation


def test_settings_of_a_role(store, make_role, open_session, observer):
    role = make_role("limited", "IN ROLE pyqadmin")
    observer.execute("SELECT pyq_grant('fine', 'pyqscript')")
    observer.execute(
        "SELECT pyq_script_create('hungry', 'def hungry(): return len(bytearray(1 << 29))',"
        " true, true)"
    )
    for name, value in (("engine_memory_limit", "'200MB'"), ("low_engines", "3")):
        observer.execute(
            sql.SQL("ALTER ROLE {} SET {} = {}").format(
                sql.Identifier(role), sql.Identifier("oml_epe", name), sql.SQL(value)
            )
        )
    session = open_session(role)
    with pytest.raises(psycopg.errors.OutOfMemory) as caught:
        session.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'hungry')")
    assert "200 MB" in (caught.value.diag.message_detail or "")
    # The level's three engines meet.
    observer.execute(
        "SELECT pyq_script_create('sleepy', 'import time\ndef sleepy(index):\n    time.sleep(0.1)\n"
        "    return index', true, true)"
    )
    session.execute(
        """SELECT * FROM pyq_index_eval('{"oml_parallel_flag": true}', NULL::int, 12, 'sleepy')"""
    )
    assert session.execute("SELECT engines FROM pyq_last_call()").fetchone() == (3,)
    for name in ("engine_memory_limit", "low_engines", "engine_nice", "sandbox"):
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            session.execute(sql.SQL("SET {} = DEFAULT").format(sql.Identifier("oml_epe", name)))
    assert open_session().execute(
        "SELECT * FROM pyq_eval(NULL, NULL::int, 'hungry')"
    ).fetchone() == (1 << 29,)
    observer.execute("SELECT pyq_script_drop('hungry', true), pyq_script_drop('sleepy', true)")


@pytest.mark.parametrize("nice", [10, 3])
def test_engines_are_nice(nice, store, open_session, monitor):
    session = open_session()
    session.execute(f"SET oml_epe.engine_nice = {nice}")
    session.execute(CALL_FINE)
    (engine,) = monitor.engines(backend(session))
    process = read_process(engine)
    assert process is not None
    assert process.niceness == nice
    assert monitor.zygote().niceness == monitor.supervisor().niceness == 0


def test_other_limits_take_another_engine(store, open_session, monitor):
    session = open_session()
    session.execute(CALL_FINE)
    session.execute("SET oml_epe.engine_memory_limit = '1GB'")
    session.execute(CALL_FINE)
    session.execute("RESET oml_epe.engine_memory_limit")
    session.execute(CALL_FINE)
    assert len(monitor.engines(backend(session), "idle")) == 2


MARKS = """
import builtins, sys
import numpy as np
calls = []
def {name}():
    calls.append(1)
    seen = [getattr(module, "epe_mark", "") for module in (builtins, sys, np)]
    builtins.epe_mark = sys.epe_mark = np.epe_mark = "{name}"
    return f"{{len(calls)}} {{'/'.join(seen)}}"
"""


def test_global_state_stays_with_role_and_owner(make_script, make_role, open_session, observer):
    """What a script leaves behind is there for scripts of its owner, called by the same role."""
    owner, caller = make_role("owner"), make_role("caller")
    make_script("mark", MARKS.format(name="mark"))
    make_script("mark_too", MARKS.format(name="mark_too"))
    observer.execute("SELECT pyq_grant('mark', 'pyqscript')")
    theirs = open_session(owner)
    theirs.execute("SELECT pyq_script_create('mark', %s)", (MARKS.format(name="theirs"),))
    theirs.execute("SELECT pyq_grant('mark', 'pyqscript')")

    session = open_session()

    def mark(name: str, owner: str = "postgres") -> str:
        row = session.execute(
            "SELECT value FROM pyq_eval(NULL, 'JSON', %s, %s) AS t(name text, value text)",
            (name, owner),
        ).fetchone()
        assert row is not None
        return str(json.loads(row[0]))

    assert mark("mark") == "1 //"
    assert mark("mark") == "2 mark/mark/mark"  # kept
    assert mark("mark_too") == "1 mark/mark/mark"  # the same owner's, in the same engine
    assert mark("mark", owner) == "1 //"  # another owner's
    session.execute(sql.SQL("SET ROLE {}").format(sql.Identifier(caller)))
    assert mark("mark") == "1 //"  # for another role
    assert mark("mark", owner) == "1 //"
    assert mark("mark") == "2 mark/mark/mark"
    session.execute("RESET ROLE")
    assert mark("mark") == "3 mark_too/mark_too/mark_too"
    assert open_session().execute(
        "SELECT value FROM pyq_eval(NULL, 'JSON', 'mark') AS t(name text, value text)"
    ).fetchone() == ('"1 //"',)


def test_random_numbers_differ_between_engines(make_script, open_session):
    make_script(
        "dice",
        """
import os, random, secrets, time, uuid
import numpy as np
def dice(index):
    time.sleep(0.02)
    return [(os.getpid(), random.random(), np.random.random(), uuid.uuid4().hex)]
""",
    )
    call = (
        """SELECT * FROM pyq_index_eval('{"oml_parallel": 4}', NULL, 8, 'dice')"""
        " AS t(pid int, a float8, b float8, c text)"
    )
    rows = [row for _ in range(3) for row in open_session().execute(call).fetchall()]
    assert len({row[0] for row in rows}) > 3
    for column in (1, 2, 3):
        assert len({row[column] for row in rows}) == len(rows)


def resident(pid: int) -> int:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGESIZE")


def test_a_thousand_calls_leave_no_growth(store, open_session, monitor):
    session = open_session()
    rows = "SELECT i AS id, i::text AS word FROM generate_series(1, %s) AS i"
    store("size", "def size(dat):\n    return len(dat)\n")

    def work(times: int) -> None:
        for number in range(times):
            size = 1 + 37 * number % 5000
            call = "SELECT * FROM pyq_table_eval(%s, NULL, NULL::int, 'size')"
            assert session.execute(call, (rows % size,)).fetchone() == (size,)

    def measure() -> dict[str, Any]:
        (engine,) = monitor.engines(backend(session), "idle")
        pids = {
            "backend": backend(session),
            "engine": engine,
            "supervisor": monitor.supervisor().pid,
            "zygote": monitor.zygote().pid,
        }
        return {name: (pid, descriptors(pid), resident(pid)) for name, pid in pids.items()}

    work(300)
    before = measure()
    work(1000)
    for name, (pid, held, memory) in measure().items():
        assert (pid, held) == before[name][:2], name
        assert memory - before[name][2] < 4 << 20, name


# ---------------------------------------------------------------------------------- the views


def test_view_of_engines(store, release_lock, make_role, open_session, observer, monitor):
    other = make_role("other")
    session = open_session()
    running = Background(session, CALL_PATIENT)
    monitor.wait_until_reached(backend(session))
    query = (
        "SELECT datname, rolname, environment, state, script, since <= now() + interval '1 minute',"
        " rows_in, rows_out, memory_bytes > 1000000 FROM pyq_engines WHERE backend_pid = %s"
    )
    seen = observer.execute(query, (backend(session),)).fetchall()
    name = session.info.dbname
    assert seen == [(name, "postgres", "default", "busy", "postgres.patient", True, 0, 0, True)]
    # Another role sees that there is an engine, not what it does.
    masked = open_session(other).execute(query, (backend(session),)).fetchall()
    assert masked == [(name, "postgres", "default", "busy", None, None, None, None, True)]
    watcher = make_role("monitor", "IN ROLE pg_read_all_stats")
    assert open_session(watcher).execute(query, (backend(session),)).fetchall() == seen
    release_lock()
    assert running.result() is None
    ((_, _, _, state, script, *_),) = observer.execute(query, (backend(session),)).fetchall()
    assert (state, script) == ("idle", None)


def test_view_counts_rows(make_script, open_session, observer):
    make_script(
        "twice", "import numpy as np\ndef twice(dat):\n    return np.concatenate([dat, dat])\n"
    )
    session = open_session()
    session.execute(
        "SELECT count(*) FROM pyq_row_eval('SELECT generate_series(1, 100) AS x', NULL, NULL::int,"
        " 30, 'twice')"
    )
    row = observer.execute(
        "SELECT rows_in, rows_out FROM pyq_engines WHERE backend_pid = %s", (backend(session),)
    ).fetchone()
    assert row == (100, 200)


STACKS = {
    "in Python": ("while True:\n        pass", "in hang"),
    "in a C call": ("sum(itertools.repeat(1))", "in hang"),
    # In a loop: the signal that asks for the stack ends the wait.
    "in a C call that waits": (
        "while True:\n        ctypes.PyDLL(None).poll(None, 0, -1)",
        "in hang",
    ),
    "in a function": ("inner()", "in inner"),
    # What a script writes where its stack goes stays text.
    "with bytes that are no text": (
        "while True:\n        os.write(1, bytes([255, 254, 65, 10]))",
        "in hang",
    ),
}


@pytest.mark.parametrize("name", STACKS)
def test_stack(name, make_script, open_session, observer, monitor):
    body, found = STACKS[name]
    make_script(
        "hang",
        f"{PRELUDE}\ndef inner():\n    time.sleep(600)\n\ndef hang():\n    reached()\n    {body}\n",
    )
    session = open_session()
    running = Background(session, "SELECT * FROM pyq_eval(NULL, NULL::int, 'hang')")
    monitor.wait_until_reached(backend(session))
    (engine,) = monitor.engines(backend(session), "busy")

    def stack() -> str | None:
        row = observer.execute("SELECT pyq_engine_stack(%s)", (engine,)).fetchone()
        assert row is not None
        return row[0]

    wait_for("that line", lambda: found in (stack() or ""))
    process = read_process(engine)
    assert process is not None  # it runs on
    assert process.is_alive
    os.kill(engine, signal.SIGKILL)
    assert isinstance(running.result(), psycopg.errors.ExternalRoutineException)


def test_stack_of_others_and_of_none(
    store, release_lock, make_role, open_session, observer, monitor
):
    session = open_session()
    running = Background(session, CALL_PATIENT)
    monitor.wait_until_reached(backend(session))
    (engine,) = monitor.engines(backend(session), "busy")
    ordinary = open_session(make_role("other"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ordinary.execute("SELECT pyq_engine_stack(%s)", (engine,))
    for who in (ordinary, observer):
        with pytest.raises(psycopg.errors.UndefinedObject):
            who.execute("SELECT pyq_engine_stack(%s)", (backend(session),))
    assert observer.execute("SELECT pyq_engine_stack(NULL)").fetchone() == (None,)
    # One that cannot answer.
    os.kill(engine, signal.SIGSTOP)
    assert observer.execute("SELECT pyq_engine_stack(%s)", (engine,)).fetchone() == (None,)
    os.kill(engine, signal.SIGCONT)
    release_lock()
    assert running.result() is None
    assert running.rows == [(1,)]


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_last_call(engine, make_script, open_session):
    make_script("work", "import time\ndef work(dat):\n    time.sleep(0.003)\n    return len(dat)\n")
    session = open_session()
    assert session.execute("SELECT * FROM pyq_last_call()").fetchall() == []
    session.execute(f"SET oml_epe.engine = '{engine}'")
    session.execute(
        "SELECT * FROM pyq_row_eval('SELECT generate_series(1, 100) AS x', NULL, NULL::int, 10,"
        " 'work')"
    )
    row = session.execute(
        "SELECT total_ms, scan_ms, convert_ms, wait_ms, python_ms, emit_ms, rows_in, rows_out,"
        " calls, engines FROM pyq_last_call()"
    ).fetchone()
    assert row is not None
    total, scan, convert, wait, python, emit = row[:6]
    assert row[6:] == (100, 10, 10, 0 if engine == "backend" else 1)
    assert min(scan, convert, wait, python, emit) >= 0
    assert python >= 30
    # Waiting and Python go on at the same time.
    if engine == "backend":
        assert wait == 0
        assert scan + convert + python + emit <= total * 1.01
    else:
        assert wait > 0
        assert scan + wait + emit <= total * 1.01
        assert convert + python <= total * 1.01


def test_sandbox_status(make_role, open_session):
    for user in (None, make_role("ordinary")):
        rows = open_session(user).execute("SELECT * FROM pyq_sandbox_status()").fetchall()
        names = [row[0] for row in rows]
        assert len(set(names)) == len(names)
        assert {"files", "system calls", "network", "no new privileges"} <= set(names)
        assert all(enforced for _, enforced, needed, _ in rows if needed)


FONTS = """
import sys
def fonts():
    is_loaded = "matplotlib.font_manager" in sys.modules
    import glob, os
    import matplotlib
    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    before = id(matplotlib.font_manager.fontManager)
    plt.title("x")
    plt.gcf().canvas.draw()
    built = glob.glob(os.path.join(os.environ["MPLCONFIGDIR"], "fontlist*"))
    count = len(matplotlib.font_manager.fontManager.ttflist)
    # A script may spoil its own engine's list only.
    matplotlib.font_manager.fontManager.ttflist.clear()
    return [(is_loaded, len(built), count, before)]
"""


def test_preloaded_matplotlib_has_one_list_of_fonts(
    reload, make_script, open_session, make_role, monitor
):
    pytest.importorskip("matplotlib")
    make_script("fonts", FONTS, True)
    query = "SELECT * FROM pyq_eval(NULL, NULL, 'fonts') AS t(l bool, b int, c int, i bigint)"
    without = open_session().execute(query).fetchone()
    assert without[:2] == (False, 1)
    reload(preload="numpy,pandas,matplotlib.pyplot")
    rows = [open_session(make_role()).execute(query).fetchone() for _ in range(2)]
    # Both have the zygote's object, and neither has built a list.
    assert rows[0] == rows[1]
    assert rows[0][:3] == (True, 0, without[2])
