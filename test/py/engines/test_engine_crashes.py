"""A script that kills its engine fails only its own statement."""

from __future__ import annotations

import os
import re
import signal
import sys
from collections.abc import Iterator
from typing import Any, NamedTuple

import engine_kinds
import psycopg
import pytest
from background import Background, wait_until
from processes import PRELUDE, REACHED, EngineMonitor, wait_for
from psycopg import Connection

NUMPY_CORE = "_core" if engine_kinds.PROCESS.major_version("numpy") >= 2 else "core"
RELEASE = 99  # the advisory lock that a patient call waits for


class Crash(NamedTuple):
    body: str
    message: str
    sqlstate: str = "38000"
    stack: str | None = r"File .*die.*, line \d+ in die"  # in the context
    detail: str | None = None


LIMIT_DETAIL = 'A Python engine may take 512 MB ("oml_epe.engine_memory_limit").'
CRASHES = {
    "segmentation fault": Crash(
        "ctypes.string_at(0)", "Python engine was terminated by signal 11 (Segmentation fault)"
    ),
    "jump to nowhere": Crash(
        "ctypes.CFUNCTYPE(None)(8)()",
        "Python engine was terminated by signal 11 (Segmentation fault)",
    ),
    "abort in C": Crash(
        "ctypes.CDLL(None).abort()", "Python engine was terminated by signal 6 (Aborted)"
    ),
    "abort": Crash("os.abort()", "Python engine was terminated by signal 6 (Aborted)"),
    "bus error": Crash(
        """
    import mmap, tempfile
    file = tempfile.TemporaryFile()
    file.truncate(4096)
    mapped = mmap.mmap(file.fileno(), 4096)
    file.truncate(0)
    mapped[0]
""",
        "Python engine was terminated by signal 7 (Bus error)",
    ),
    "floating point exception": Crash(
        "os.kill(os.getpid(), signal.SIGFPE)",
        "Python engine was terminated by signal 8 (Floating point exception)",
    ),
    "illegal instruction": Crash(
        "os.kill(os.getpid(), signal.SIGILL)",
        "Python engine was terminated by signal 4 (Illegal instruction)",
    ),
    "forbidden signal": Crash(
        "os.kill(os.getpid(), signal.SIGKILL)",
        "Python engine was terminated by signal 9 (Killed)",
        stack=None,
    ),
    "exit 0": Crash("os._exit(0)", "Python engine exited with status 0", stack=None),
    "exit 3": Crash("os._exit(3)", "Python engine exited with status 3", stack=None),
    "exit in a thread": Crash(
        """
    threading.Thread(target=lambda: os._exit(4)).start()
    time.sleep(600)
""",
        "Python engine exited with status 4",
        stack=None,
    ),
    "stack overflow": Crash(
        """
    sys.setrecursionlimit(10 ** 9)
    def deeper(_):
        return sorted([1], key=deeper)
    deeper(1)
""",
        "Python engine was terminated by signal 11 (Segmentation fault)"
        if sys.version_info < (3, 14)
        else "RecursionError: Stack overflow",
        stack=r"File .*die.*, line \d+,? in deeper",
    ),
    "stack overflow in C": Crash(
        "ctypes.CDLL(None).regcomp(bytes(1000), b'(' * 1000000, 1)",
        "Python engine was terminated by signal 11 (Segmentation fault)",
    ),
    "all memory": Crash("bytearray(1 << 40)", "MemoryError", "53200", "bytearray", LIMIT_DETAIL),
    "all memory in pieces": Crash(
        """
    pieces = []
    while True:
        pieces.append(bytearray(1 << 20))
""",
        "MemoryError",
        "53200",
        "bytearray",
        LIMIT_DETAIL,
    ),
    "all memory in numpy": Crash(
        "np.ones(1 << 30)",
        f"numpy.{NUMPY_CORE}._exceptions._ArrayMemoryError",
        "53200",
        "np.ones",
        LIMIT_DETAIL,
    ),
    "all memory in C": Crash(
        """
    libc = ctypes.CDLL(None)
    libc.malloc.restype = ctypes.c_void_p
    for _ in range(1 << 20):
        ctypes.memset(libc.malloc(ctypes.c_size_t(1 << 24)), 1, 1 << 24)
""",
        "Python engine was terminated by signal 11 (Segmentation fault)",
    ),
    "result beyond the limit": Crash(
        "return pd.DataFrame({'x': np.zeros(40_000_000)})", "", "53200", None, LIMIT_DETAIL
    ),
    "corrupt reply": Crash(
        """
    for number in range(3, 32):
        try:
            os.write(number, bytes([255]) * 64)
        except OSError:
            pass
    time.sleep(600)
""",
        "invalid message between server and Python engine",
        "08P01",
        None,
        "The engine has been ended.",
    ),
    "unknown reply": Crash(
        """
    for number in range(3, 32):
        try:
            os.write(number, bytes(8))
        except OSError:
            pass
    time.sleep(600)
""",
        "invalid message between server and Python engine",
        "08P01",
        None,
        "The engine has been ended.",
    ),
    "connection closed": Crash("os.closerange(3, 64)", "Python engine ", stack=None),
}


@pytest.fixture
def store(make_script: Any) -> Any:
    make_script("fine", "def fine(n=1):\n    return n\n")
    make_script(
        "patient",
        PRELUDE
        + f"""
def patient():
    reached()
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared({REACHED}, {RELEASE})")
    return float(np.arange(10).sum())
""",
    )
    return make_script


@pytest.fixture
def concurrent_call(store: Any, connect: Any, monitor: EngineMonitor) -> Iterator[Background]:
    """A call of another session, which runs during the test and must not be affected."""
    monitor.observer.execute("SELECT pg_advisory_lock(%s, %s)", (REACHED, RELEASE))
    session = open_session(connect)
    running = Background(session, "SELECT * FROM pyq_eval(NULL, NULL::float8, 'patient')")
    # One lock is granted, the other waited for.
    monitor.wait_until_reached(session.info.backend_pid)
    yield running
    monitor.observer.execute("SELECT pg_advisory_unlock(%s, %s)", (REACHED, RELEASE))
    assert running.result() is None
    assert running.rows == [(45.0,)]
    assert_works(session)


def open_session(connect: Any) -> Connection[Any]:
    session: Connection[Any] = connect()
    session.execute("SET oml_epe.engine = 'process'")
    session.execute("SET oml_epe.engine_memory_limit = '512MB'")
    return session


def assert_works(session: Connection[Any]) -> None:
    row = session.execute("""SELECT * FROM pyq_eval('{"n": 5}', NULL::int, 'fine')""").fetchone()
    assert row == (5,)


def store_crash(store: Any, crash: Crash) -> None:
    body = crash.body if crash.body.startswith("\n") else f"\n    {crash.body}\n"
    store("die", f"{PRELUDE}\ndef die(index=1):\n    if index != 1: return 0{body}")


@pytest.mark.parametrize("name", CRASHES)
def test_crash(name, store, concurrent_call, connect, monitor):
    crash = CRASHES[name]
    store_crash(store, crash)
    session = open_session(connect)
    assert_works(session)
    with pytest.raises(psycopg.Error) as caught:
        session.execute("SELECT count(*) FROM pyq_eval(NULL, NULL::float8, 'die')")
    diagnostics = caught.value.diag
    assert diagnostics.sqlstate == crash.sqlstate
    assert (diagnostics.message_primary or "").startswith(crash.message)
    assert diagnostics.context is not None
    assert diagnostics.context.splitlines()[0] == 'script "postgres.die"'
    if crash.stack is not None:
        assert re.search(crash.stack, diagnostics.context)
    else:
        assert "Stack" not in diagnostics.context
    if crash.detail is not None:
        assert diagnostics.message_detail == crash.detail
    assert_works(session)
    wait_for("one engine", lambda: len(monitor.engines(session.info.backend_pid)) == 1)


@pytest.mark.parametrize("degree", [1, 2, 4])
def test_crash_of_one_of_several_engines(degree, store, connect):
    """The error tells which call it was, as far as that is known."""
    store("die", PRELUDE + "def die(index):\n    if index == 7: os.abort()\n    return index\n")
    session = open_session(connect)
    with pytest.raises(psycopg.Error, match="signal 6") as caught:
        session.execute(
            "SELECT * FROM pyq_index_eval(%s::jsonb, NULL::int, 20, 'die')",
            (f'{{"oml_parallel": {degree}}}',),
        )
    # Small results wait in the engine to be sent together, and die with it.
    place = re.match(
        r'script "postgres.die", index (\d+)(?: or one of the (\d+) after it)?\n',
        caught.value.diag.context or "",
    )
    assert place is not None
    first = int(place[1])
    assert first <= 7 <= first + int(place[2] or 0)
    assert_works(session)


def test_caught_crash_leaves_the_transaction(store, connect):
    """The crash is an error as any other: a block may catch it, and what came before stays."""
    store("die", PRELUDE + "def die():\n    os.abort()\n")
    session = connect(autocommit=False)
    session.execute("SET LOCAL oml_epe.engine = 'process'")
    session.execute("CREATE TEMP TABLE kept (x int)")
    session.execute("""
        DO $$
        BEGIN
            INSERT INTO kept VALUES (1);
            BEGIN
                INSERT INTO kept VALUES (2);
                PERFORM pyq_eval(NULL, NULL::int, 'die');
            EXCEPTION WHEN external_routine_exception THEN
                INSERT INTO kept SELECT * FROM pyq_eval('{"n": 3}', NULL::int, 'fine');
            END;
        END $$""")
    assert session.execute("SELECT array_agg(x ORDER BY x) FROM kept").fetchone() == ([1, 3],)


def test_kill_from_outside(store, concurrent_call, connect, monitor):
    store("hang", PRELUDE + "def hang():\n    reached(2)\n    time.sleep(600)\n")
    session = open_session(connect)
    pid = session.info.backend_pid
    running = Background(session, "SELECT * FROM pyq_eval(NULL, NULL::int, 'hang')")
    monitor.wait_until_reached(pid)
    (engine,) = monitor.engines(pid, "busy")
    os.kill(engine, signal.SIGKILL)
    error = running.result()
    assert isinstance(error, psycopg.errors.ExternalRoutineException)
    assert error.diag.message_primary == "Python engine was terminated by signal 9 (Killed)"
    assert "no memory left" in (error.diag.message_hint or "")
    assert_works(session)


EVAL = "SELECT * FROM pyq_eval(NULL, NULL::int, 'waits')"
WAITS = {
    "lock": (
        f'oml.cursor().execute("SELECT pg_advisory_lock({REACHED}, {RELEASE})")',
        EVAL,
    ),
    "sleep": ('oml.cursor().execute("SELECT pg_sleep(600)")', EVAL),
    "sleep that may be handled": (
        """
    try:
        oml.cursor().execute("SELECT pg_sleep(600)")
    except BaseException:
        time.sleep(600)
""",
        EVAL,
    ),
    "call of another engine": (
        """
    oml.cursor().execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'within')")
""",
        EVAL,
    ),
    "input": (
        "return sum(len(batch) for batch in dat)",
        "SELECT * FROM pyq_table_eval('SELECT x, pg_sleep(600 * (x / 50000))"
        " FROM generate_series(1, 100000) AS x',"
        " '{\"oml_input_type\": \"iterator\"}', NULL::int, 'waits')",
    ),
}


@pytest.mark.parametrize("name", WAITS)
def test_kill_while_its_sql_waits(name, store, concurrent_call, connect, monitor):
    """It is noticed at once, not when the SQL has come to its end."""
    body, call = WAITS[name]
    store("within", PRELUDE + "def within():\n    time.sleep(600)\n")
    store("waits", f"{PRELUDE}\ndef waits(dat=None):\n    reached(2)\n    {body}\n")
    session = open_session(connect)
    pid = session.info.backend_pid
    running = Background(session, call)
    monitor.wait_until_reached(pid)
    (engine,) = monitor.engines(pid, "busy")[:1]
    if name == "call of another engine":
        wait_for("two engines", lambda: len(monitor.engines(pid, "busy")) == 2)
        (engine,) = set(monitor.engines(pid)) - {inner_engine(monitor, pid)}
    else:
        wait_until(
            monitor.observer,
            "wait_event IN ('advisory', 'PgSleep') FROM pg_stat_activity WHERE pid = %s",
            pid,
        )
    os.kill(engine, signal.SIGKILL)
    error = running.result()
    assert isinstance(error, psycopg.errors.ExternalRoutineException)
    assert error.diag.message_primary == "Python engine was terminated by signal 9 (Killed)"
    assert error.diag.context.splitlines()[0].startswith('script "postgres.waits"')
    assert_works(session)
    wait_for("one engine", lambda: len(monitor.engines(pid)) == 1)


def inner_engine(monitor: EngineMonitor, backend: int) -> int:
    row = monitor.observer.execute(
        "SELECT max(pid) FROM pyq_engines WHERE backend_pid = %s AND script = 'postgres.within'",
        (backend,),
    ).fetchone()
    assert row is not None
    return int(row[0])


def test_cancel_while_its_sql_waits(store, connect, monitor):
    """Only the death of an engine is reported as one."""
    store(
        "waits", PRELUDE + "def waits(n):\n    oml.cursor().execute('SELECT pg_sleep($1)', (n,))\n"
    )
    session = open_session(connect)
    call = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'waits')"
    session.execute("SET statement_timeout = '700ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        session.execute(call, ('{"n": 600}',))
    session.execute("SET statement_timeout = 0")
    session.execute(call, ('{"n": 0.5}',))  # longer than the watch's period


def test_kill_of_an_idle_engine(store, connect, monitor):
    """The session takes another one, as if nothing had been."""
    session = open_session(connect)
    pid = session.info.backend_pid
    for _ in range(5):
        assert_works(session)
        (engine,) = monitor.engines(pid, "idle")
        os.kill(engine, signal.SIGKILL)
        wait_for("no engine", lambda: monitor.engines(pid) == [])
    assert_works(session)


def test_kill_of_an_idle_engine_that_the_session_cannot_have_noticed(store, connect, monitor):
    session = open_session(connect)
    for _ in range(20):
        assert_works(session)
        (engine,) = monitor.engines(session.info.backend_pid, "idle")
        os.kill(engine, signal.SIGKILL)
        try:
            assert_works(session)
        except psycopg.errors.ExternalRoutineException as error:
            # It was handed the call in the moment of its death.
            assert "signal 9" in str(error)


@pytest.mark.parametrize("name", ["zygote", "supervisor"])
def test_kill_of(name, concurrent_call, connect, monitor):
    """What runs goes on, and what comes gets its engine at once, from the next one."""
    session = open_session(connect)
    assert_works(session)
    find = getattr(monitor, name)
    old = find()
    os.kill(old.pid, signal.SIGKILL)
    assert_works(session)
    assert_works(open_session(connect))
    assert find() != old
    assert not old.is_alive


def test_kill_of_the_zygote_again_and_again(store, connect, monitor):
    """Requests that it had are the next one's, however young that is."""
    sessions = [open_session(connect) for _ in range(4)]
    for _ in range(10):
        running = [
            Background(session, "SELECT * FROM pyq_eval(NULL, NULL::int, 'fine')")
            for session in sessions
        ]
        os.kill(monitor.zygote().pid, signal.SIGKILL)
        for each in running:
            assert each.result() is None
            assert each.rows == [(1,)]
        for session in sessions:
            for engine in monitor.engines(session.info.backend_pid):
                os.kill(engine, signal.SIGKILL)
        wait_for("no engines", lambda: not monitor.named("epe_engine"))
