"""The statement of an engine can be stopped in any state, without leftovers.

Run with -s, the module prints how long the stops took.
"""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import statistics
import time
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from background import Background
from processes import PRELUDE, EngineMonitor, descriptors, read_process, wait_for
from psycopg import Connection

EVAL = "SELECT count(*) FROM pyq_eval(NULL, NULL::float8, 'hang')"


class Hang(NamedTuple):
    body: str
    statement: str = EVAL
    calls: int = 1  # that are under way before the stop
    is_hard: bool = False  # no exception ends it: the engine is killed


HANGS = {
    "loop": Hang("""
def hang():
    reached()
    while True:
        pass
"""),
    "sleep": Hang("""
def hang():
    reached()
    time.sleep(600)
"""),
    "C loop that holds the lock": Hang(
        """
def hang():
    reached()
    while True:
        try:
            sum(itertools.repeat(1))
        except BaseException:  # that came before the sum
            pass
""",
        is_hard=True,
    ),
    "C call that holds the lock": Hang(
        """
def hang():
    libc = ctypes.PyDLL(None)
    reached()
    while True:
        try:
            while libc.poll(None, 0, -1):
                pass
        except BaseException:
            pass
""",
        is_hard=True,
    ),
    "read from a pipe": Hang("""
def hang():
    ends = os.pipe()
    reached()
    os.read(ends[0], 1)
"""),
    "swallows everything": Hang(
        """
def hang():
    reached()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
""",
    ),
    "ignores signals": Hang(
        """
def hang():
    for number in set(signal.Signals) - {signal.SIGKILL, signal.SIGSTOP}:
        signal.signal(number, signal.SIG_IGN)
    reached()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
""",
    ),
    "stopped": Hang(
        """
def hang():
    reached()
    while True:
        try:
            os.kill(os.getpid(), signal.SIGSTOP)
        except BaseException:
            pass
""",
        is_hard=True,
    ),
    "fork storm": Hang(
        """
def hang():
    reached()
    while True:
        try:
            if os.fork() == 0:
                while True:
                    pass
        except BaseException:
            pass
""",
    ),
    "threads": Hang(
        """
def hang():
    def work():
        while True:
            try:
                threading.Thread(target=work, daemon=True).start()
            except RuntimeError:
                time.sleep(0.01)
    work_too = threading.Thread(target=work, daemon=True)
    reached()
    work_too.start()
    while True:
        try:
            work_too.join()
        except BaseException:
            pass
""",
    ),
    "100 MB half sent": Hang("""
def hang():
    for frame in itertools.count():
        if frame == 50:
            reached()
        yield pd.DataFrame({"x": np.zeros(1 << 17)})
"""),
    "100 MB that wait for the first call": Hang(
        """
def hang(index):
    reached(index)
    if index == 1:
        while True:
            pass
    for frame in itertools.count():
        yield pd.DataFrame({"x": np.zeros(1 << 17)})
""",
        """SELECT count(*) FROM pyq_index_eval('{"oml_parallel": 2}', NULL::float8, 2, 'hang')""",
        calls=2,
    ),
    "SQL that sleeps": Hang("""
def hang():
    reached()
    oml.cursor().execute("SELECT pg_sleep(600)")
"""),
    "four engines": Hang(
        """
def hang(index):
    reached(index)
    while True:
        try:
            sum(itertools.repeat(1))
        except BaseException:
            pass
""",
        """SELECT count(*) FROM pyq_index_eval('{"oml_parallel": 4}', NULL::float8, 4, 'hang')""",
        calls=4,
        is_hard=True,
    ),
    "an engine below an engine": Hang(
        """
def hang(depth=2):
    if depth:
        oml.cursor().execute(
            "SELECT * FROM pyq_eval($1::jsonb, NULL::float8, 'hang')", ({"depth": depth - 1},))
    reached()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
""",
    ),
    "module level": Hang("""
reached()
while True:
    pass
def hang():
    return 1
"""),
}


@pytest.fixture(scope="module")
def latencies() -> Iterator[dict[str, list[float]]]:
    """Milliseconds from a stop to the end of its statement, by trigger; printed at the end."""
    taken: dict[str, list[float]] = {}
    yield taken
    print()
    for trigger, each in sorted(taken.items()):
        median, most = statistics.median(each), max(each)
        print(f"{trigger}: median {median:.1f} ms, most {most:.1f} ms of {len(each)}")


@pytest.fixture(params=HANGS)
def hang(request: Any, observer: Connection[Any]) -> Iterator[Hang]:
    chosen = HANGS[request.param]
    store = "SELECT pyq_script_create(%s, %s, false, true)"
    observer.execute(store, ("hang", PRELUDE + chosen.body))
    observer.execute(store, ("fine", "def fine(n=1):\n    return n\n"))
    yield chosen
    observer.execute("SELECT pyq_script_drop('hang'), pyq_script_drop('fine')")


def open_session(connect: Any) -> Connection[Any]:
    """A session that has all it keeps for its lifetime: memory for Python, a supervisor."""
    session: Connection[Any] = connect()
    session.execute("SET oml_epe.engine = 'process'")
    assert_works(session)
    return session


def assert_works(session: Connection[Any]) -> None:
    for number in range(2):
        row = session.execute(
            "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'fine')", (f'{{"n": {number}}}',)
        ).fetchone()
        assert row == (number,)


def stop_and_measure(
    session: Connection[Any],
    hang: Hang,
    monitor: EngineMonitor,
    trigger: str,
    taken: dict[str, Any],
) -> BaseException | None:
    """Run the statement and stop it by an SQL function when it is under way."""
    running = Background(session, hang.statement)
    pid = session.info.backend_pid
    monitor.wait_until_reached(pid, hang.calls)
    engines = [read_process(engine) for engine in monitor.engines(pid, "busy")]
    assert len(engines) >= hang.calls
    if hang.is_hard:
        for engine in monitor.engines(pid, "busy"):
            monitor.wait_until_in_script(engine, "hang")
    start = time.monotonic()
    monitor.observer.execute(f"SELECT {trigger}(%s)", (pid,))  # type: ignore[call-overload]
    error = running.result()
    taken.setdefault(f"{trigger}{', killed' if hang.is_hard else ''}", []).append(
        1000 * (time.monotonic() - start)
    )
    if hang.is_hard:
        wait_for("no engine", lambda: not any(e is not None and e.is_alive for e in engines))
    return error


def test_cancel(hang, connect, monitor, empty_footprint, latencies):
    """A cancelled statement fails as such and leaves no resources, however often it is repeated."""
    session = open_session(connect)
    pid = session.info.backend_pid
    held = descriptors(pid)
    for _ in range(3):
        error = stop_and_measure(session, hang, monitor, "pg_cancel_backend", latencies)
        assert isinstance(error, psycopg.errors.QueryCanceled), repr(error)
        assert error.diag.message_primary == "canceling statement due to user request"
        assert_works(session)
    # The session keeps no resources of engines that have ended.
    for engine in monitor.engines(pid):
        with contextlib.suppress(ProcessLookupError):  # it may be on its way
            os.kill(engine, signal.SIGKILL)
    wait_for("no engine", lambda: not monitor.engines(pid))
    assert_works(session)
    assert descriptors(pid) == held
    session.close()
    monitor.wait_for_footprint(empty_footprint)


def test_statement_timeout(hang, connect, monitor):
    session = open_session(connect)
    session.execute("SET statement_timeout = '300ms'")
    with pytest.raises(psycopg.errors.QueryCanceled) as caught:
        session.execute(hang.statement)
    assert caught.value.diag.message_primary == "canceling statement due to statement timeout"
    session.execute("RESET statement_timeout")
    assert_works(session)


def test_terminate(hang, connect, monitor, empty_footprint, latencies):
    session = open_session(connect)
    error = stop_and_measure(session, hang, monitor, "pg_terminate_backend", latencies)
    assert isinstance(error, psycopg.OperationalError), repr(error)
    assert "terminating connection due to administrator command" in str(error)
    monitor.wait_for_footprint(empty_footprint)
    assert_works(open_session(connect))


def test_disconnect(hang, connect, monitor, empty_footprint, latencies):
    """No setting is required, except where PostgreSQL itself runs SQL for the script."""
    session = open_session(connect)
    pid = session.info.backend_pid
    if "pg_sleep" in hang.body or "depth" in hang.body:
        session.execute("SET client_connection_check_interval = '50ms'")
    running = Background(session, hang.statement)
    monitor.wait_until_reached(pid, hang.calls)
    start = time.monotonic()
    # The socket is shut down, not only closed: the thread still waits on it.
    with socket.socket(fileno=os.dup(session.fileno())) as raw:
        raw.shutdown(socket.SHUT_RDWR)
    backend = read_process(pid)
    wait_for("no backend", lambda: backend is None or not backend.is_alive)
    latencies.setdefault("disconnect", []).append(1000 * (time.monotonic() - start))
    assert isinstance(running.result(), psycopg.OperationalError)
    monitor.wait_for_footprint(empty_footprint)
    assert_works(open_session(connect))
