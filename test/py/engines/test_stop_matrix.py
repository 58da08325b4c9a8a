"""18 kinds of code by 6 triggers, in engine processes: state after each stop.

Times are the business of bench/stops.py; here states are asserted, which
docs/how-to/cancel-and-timeouts.md promises. More kinds are in test_engine_stops.py; the backend's
own interpreter, which cannot stop all of them, is in test_interrupts.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from conftest import Server, with_server
from processes import wait_for
from psycopg import Connection
from stop_cases import ENDS_SESSION, KINDS, TRIGGERS, Scene, fast_shutdown

SQLSTATE = {"pg_cancel_backend": "57014", "statement_timeout": "57014"}
MESSAGE = {
    "pg_cancel_backend": "canceling statement due to user request",
    "statement_timeout": "canceling statement due to statement timeout",
    "pg_terminate_backend": "terminating connection due to administrator command",
}
MOST_ENGINES = 2 * len(KINDS)


@pytest.fixture(scope="module")
def scene(server: Any, database: str, module_conn: Connection[Any]) -> Iterator[Scene]:
    made = Scene(lambda: server.connect(database), module_conn)
    yield made
    for name in ("hang", "fine"):
        module_conn.execute("SELECT pyq_script_drop(%s, v_silent => true)", (name,))


def test_the_matrix_is_whole():
    assert len(KINDS) == 18
    assert len(TRIGGERS) + 1 == 6  # the shutdown is a test of its own


@pytest.mark.parametrize("trigger", TRIGGERS)
@pytest.mark.parametrize("kind", KINDS)
def test_stop(kind, trigger, scene, empty_footprint):
    scene.store(kind)
    session = scene.session(kind)
    assert scene.works(session)
    pid = session.info.backend_pid
    stopped = TRIGGERS[trigger](scene, session)

    if trigger == "pyq_cancel_job":
        assert stopped.state == "cancelled"
    elif trigger in SQLSTATE:
        assert isinstance(stopped.error, psycopg.errors.QueryCanceled), repr(stopped.error)
        assert stopped.error.sqlstate == SQLSTATE[trigger]
        assert stopped.error.diag.message_primary == MESSAGE[trigger]
    else:
        assert isinstance(stopped.error, psycopg.OperationalError), repr(stopped.error)
        assert MESSAGE.get(trigger, "") in str(stopped.error)

    # The code does not run on: neither for the session that ran it nor for any other.
    wait_for("no call of it", lambda: not scene.monitor.has_reached())
    wait_for("no engine at work", lambda: not scene.monitor.engines(pid, "busy"))
    if trigger in ENDS_SESSION:
        session.close()
        session = scene.session(kind)
    # A session that continues gets its own results, not those of the stopped call.
    assert scene.works(session)
    session.close()
    scene.monitor.wait_for_footprint(empty_footprint)


def test_fast_shutdown():
    """All kinds run at once; the server ends when it is asked to, with all that it started."""
    settings = [
        "shared_preload_libraries = 'oml_epe'",
        f"oml_epe.max_engines = {MOST_ENGINES}",
        f"max_connections = {MOST_ENGINES + 10}",
    ]
    with with_server.PrivateServer(settings) as private:
        connect = Server(private.environment).connect
        with connect() as admin:
            admin.execute("CREATE EXTENSION oml_epe")
        stopped = fast_shutdown(private, connect, list(KINDS))
        assert stopped.state == "stopped"
        assert not private.signal_deaths()
