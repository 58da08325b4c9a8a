"""The stop matrix: kinds of code that do not end by themselves, and the triggers that end them.

Used by test_stop_matrix.py, which asserts states, and by bench/stops.py, which prints times.

The triggers are the different ways in which a stop reaches the code: a signal that cancels
(pg_cancel_backend), the backend's own timer (statement_timeout), a signal that ends the session
(pg_terminate_backend; DROP DATABASE ... WITH (FORCE) and idle_session_timeout use the same), a
client that is gone (no signal at all), a job in a background worker without a client
(pyq_cancel_job), and the end of the server (pg_ctl stop -m fast), where the supervisor of the
engines ends at the same time. The disconnection of a REST client is a pg_cancel_backend.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Callable
from typing import Any, NamedTuple

import psycopg
from background import Background
from processes import PRELUDE, EngineMonitor, read_process, wait_for
from psycopg import Connection

KINDS = {
    "loop": """
def hang():
    reached()
    while True:
        pass
""",
    "sleep": """
def hang():
    reached()
    time.sleep(600)
""",
    "swallows BaseException": """
def hang():
    reached()
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
""",
    "nested finally": """
def hang():
    reached()
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
    lock = threading.Lock()
    lock.acquire()
    reached()
    lock.acquire()
""",
    "join of a thread": """
def hang():
    thread = threading.Thread(target=threading.Event().wait, daemon=True)
    thread.start()
    reached()
    thread.join()
""",
    "read from a pipe": """
def hang():
    ends = os.pipe()
    reached()
    os.read(ends[0], 1)
""",
    "regular expression": """
import re
def hang():
    reached()
    re.match(r"(a+)+$", "a" * 64 + "b")
""",
    "large integers": """
def hang():
    reached()
    number = 3
    while True:
        number = number ** 3 % (10 ** 5000)
""",
    "sort": """
class Slow:
    def __lt__(self, other):
        return id(self) < id(other)
def hang():
    values = [Slow() for _ in range(100000)]
    reached()
    while True:
        sorted(values)
        values.reverse()
""",
    "C loop": """
def hang():
    reached()
    while True:
        try:
            sum(itertools.repeat(1))
        except BaseException:  # that came before the sum
            pass
""",
    "C call by ctypes": """
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
    "BLAS": """
def hang():
    values = np.ones((3000, 3000))
    reached()
    while True:
        values = values @ values / 3000
""",
    "numpy": """
def hang():
    values = np.arange(1000.0)
    reached()
    while True:
        values = np.sqrt(values + 1)
""",
    "groupby of pandas": """
def hang():
    frame = pd.DataFrame({"k": np.arange(20000) % 5000, "x": 1.0})
    reached()
    while True:
        frame.groupby("k").apply(lambda group: group["x"].sum())
""",
    "recursion": """
def deeper(depth):
    try:
        return deeper(depth + 1)
    except RecursionError:
        return deeper(depth - 1)
def hang():
    reached()
    while True:
        try:
            deeper(0)
        except BaseException:
            pass
""",
    "generator": """
def hang():
    reached()
    while True:
        yield 1.0
""",
    "SQL that sleeps": """
def hang():
    reached()
    oml.cursor().execute("SELECT pg_sleep(600)")
""",
}
STATEMENT = "SELECT count(*) FROM pyq_eval(NULL, NULL::float8, 'hang')"
ASYNC = (
    "SELECT value FROM pyq_eval('{\"oml_async_flag\": true}', NULL, 'hang')"
    " AS t(name text, value text)"
)
LONGEST_TIMEOUT_MS = 60_000


class Stopped(NamedTuple):
    """The result of a stop: the statement's error or the job's state, and the time it took."""

    milliseconds: float
    error: BaseException | None = None
    state: str = ""


class Scene:
    """A database in which code is started and stopped.

    Parameters
    ----------
    connect : callable
        Opens a session in autocommit mode.
    observer : Connection
        Watches and stops the others.
    """

    def __init__(self, connect: Callable[[], Connection[Any]], observer: Connection[Any]) -> None:
        self.connect = connect
        self.observer = observer
        self.monitor = EngineMonitor(observer)

    def store(self, kind: str) -> None:
        """Store the script `hang` of a kind, and one that ends at once."""
        query = "SELECT pyq_script_create(%s, %s, false, true)"
        self.observer.execute(query, ("hang", PRELUDE + KINDS[kind]))
        self.observer.execute(query, ("fine", "def fine(n=1):\n    return n\n"))

    def session(self, kind: str) -> Connection[Any]:
        """Open a session whose calls run in an engine process."""
        session = self.connect()
        session.execute("SET oml_epe.engine = 'process'")
        # Where PostgreSQL itself works for the script it alone can notice that the client is gone.
        if kind == "SQL that sleeps":
            session.execute("SET client_connection_check_interval = '50ms'")
        return session

    def works(self, session: Connection[Any]) -> bool:
        """Whether calls of a session give their own results."""
        numbers = [1, 2]
        query = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'fine')"
        found = [session.execute(query, (f'{{"n": {each}}}',)).fetchone() for each in numbers]
        return found == [(each,) for each in numbers]

    def start(self, session: Connection[Any]) -> tuple[Background, int]:
        """Run the statement until the code is where it is to be stopped."""
        running = Background(session, STATEMENT)
        pid = session.info.backend_pid
        self.monitor.wait_until_reached(pid)
        return running, pid


def _by_signal(function: str) -> Callable[[Scene, Connection[Any]], Stopped]:
    def stop(scene: Scene, session: Connection[Any]) -> Stopped:
        running, pid = scene.start(session)
        start = time.monotonic()
        scene.observer.execute(f"SELECT {function}(%s)", (pid,))  # type: ignore[call-overload]
        error = running.result()
        return Stopped(1000 * (time.monotonic() - start), error)

    return stop


def by_timeout(scene: Scene, session: Connection[Any]) -> Stopped:
    """Let the statement time out; again with twice the time while it had not got anywhere."""
    limit = 250
    while True:
        assert limit < LONGEST_TIMEOUT_MS, "the code is never reached"
        session.execute(f"SET statement_timeout = {limit}")  # type: ignore[call-overload]
        start = time.monotonic()
        running = Background(session, STATEMENT)
        has_reached = False
        while running.is_alive():
            has_reached = has_reached or scene.monitor.has_reached(session.info.backend_pid)
            running.join(0.002)
        taken = 1000 * (time.monotonic() - start)
        error = running.result()
        session.execute("RESET statement_timeout")
        if has_reached or error is None:
            return Stopped(taken - limit, error)
        limit *= 2


def by_disconnect(scene: Scene, session: Connection[Any]) -> Stopped:
    """Shut the client's socket down; its thread still waits on it."""
    running, pid = scene.start(session)
    backend = read_process(pid)
    start = time.monotonic()
    with socket.socket(fileno=os.dup(session.fileno())) as raw:
        raw.shutdown(socket.SHUT_RDWR)
    wait_for("no backend", lambda: backend is None or not backend.is_alive)
    return Stopped(1000 * (time.monotonic() - start), running.result())


def by_job_cancel(scene: Scene, session: Connection[Any]) -> Stopped:
    """Run the code as a job, and cancel that."""
    row = session.execute(ASYNC).fetchone()  # type: ignore[call-overload]
    assert row is not None
    job = row[0][-36:]
    wait_for("the job is under way", scene.monitor.has_reached)
    start = time.monotonic()
    assert session.execute("SELECT pyq_cancel_job(%s)", (job,)).fetchone() == (True,)
    ended = session.execute("SELECT pyq_job_wait(%s, '20 s')", (job,)).fetchone()
    taken = 1000 * (time.monotonic() - start)
    wait_for("no engine", lambda: not scene.monitor.has_reached())
    session.execute("SELECT pyq_delete_job(%s)", (job,))
    assert ended is not None
    return Stopped(taken, None, ended[0])


TRIGGERS: dict[str, Callable[[Scene, Connection[Any]], Stopped]] = {
    "pg_cancel_backend": _by_signal("pg_cancel_backend"),
    "statement_timeout": by_timeout,
    "pg_terminate_backend": _by_signal("pg_terminate_backend"),
    "disconnect": by_disconnect,
    "pyq_cancel_job": by_job_cancel,
}
SHUTDOWN = "fast shutdown"  # of a server of one's own: see fast_shutdown()
ENDS_SESSION = ("pg_terminate_backend", "disconnect")


def fast_shutdown(server: Any, connect: Callable[[], Connection[Any]], kinds: list[str]) -> Stopped:
    """Run all kinds at once, stop the server, and require that no process of it is left.

    `server` is a with_server.PrivateServer; the code of each kind runs under a separate name.
    """
    observer = connect()
    monitor = EngineMonitor(observer)
    running = []
    for number, kind in enumerate(kinds):
        body = KINDS[kind].replace("reached()", f"reached({number + 1})")
        observer.execute(
            "SELECT pyq_script_create(%s, %s, false, true)", (f"hang_{number}", PRELUDE + body)
        )
        session = connect()
        session.execute("SET oml_epe.engine = 'process'")
        statement = STATEMENT.replace("'hang'", f"'hang_{number}'")
        running.append(Background(session, statement))
    wait_for(
        "all are under way",
        lambda: all(monitor.has_reached(number=each + 1) for each in range(len(kinds))),
    )
    tree = monitor.processes()
    start = time.monotonic()
    was_polite = server.stop()
    taken = 1000 * (time.monotonic() - start)
    errors = [each.result() for each in running]
    wait_for("no process is left", lambda: not any(each.is_alive for each in tree))
    assert all(isinstance(each, psycopg.OperationalError) for each in errors), errors
    return Stopped(taken, errors[0], "stopped" if was_polite else "killed")
