"""Clients, databases and gateways that go in the middle of a request; and many that only stay."""

from __future__ import annotations

import json
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from conftest import with_server
from gateway_process import API, Answer, Gateway, User, is_running, run_path
from processes import wait_for
from psycopg import Connection

IDLE_CONNECTIONS = 1000
LOCK = 70883
WAITS = f"""
import oml
def f(dat=None):
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared({LOCK})")
    return 1
"""
SPINS = """
import time
def f():
    while True:
        try:
            time.sleep(600)
        except BaseException:
            pass
"""
Hold = Callable[[], None]


@pytest.fixture
def hold(connect: Callable[..., Connection[Any]], store: Any) -> Iterator[Hold]:
    """Script gw_waits runs until the function that this gives is called."""
    store("gw_waits", WAITS)
    store("gw_spins", SPINS)
    lock_session = connect()
    lock_session.execute("SELECT pg_advisory_lock(%s)", (LOCK,))
    yield lambda: lock_session.execute("SELECT pg_advisory_unlock_all()") and None
    lock_session.execute("SELECT pg_advisory_unlock_all()")


def send(user: User, script: str, **fields: Any) -> socket.socket:
    """Send a run request on a separate socket and do not wait for the response."""
    body = json.dumps(fields).encode()
    head = (
        f"POST {run_path('do-eval', script)} HTTP/1.1\r\nHost: x\r\n"
        f"Authorization: Bearer {user.token}\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    wire = socket.create_connection(("127.0.0.1", user.gateway.port), timeout=60)
    wire.sendall(head.encode() + body)
    return wire


class Request(threading.Thread):
    """A request on a separate thread."""

    def __init__(self, user: User, script: str) -> None:
        super().__init__(daemon=True)
        assert user.token
        self._user = user
        self._script = script
        self.answer: Answer | None = None
        self.error: Exception | None = None
        self.start()

    def run(self) -> None:
        try:
            self.answer = self._user.run("do-eval", self._script)
        except Exception as error:
            self.error = error

    def outcome(self) -> Answer | Exception:
        self.join(60)
        assert not self.is_alive(), "the request hangs"
        found = self.answer or self.error
        assert found is not None
        return found


@pytest.mark.parametrize("script", ["gw_waits", "gw_spins"])
@pytest.mark.parametrize("how", ["close", "reset"])
def test_a_client_that_goes_cancels_its_statement(conn, user, hold, script, how):
    wire = send(user, script)
    wait_for("the statement", lambda: is_running(conn, user, "eval"))
    if how == "reset":
        wire.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    wire.close()
    wait_for("its end", lambda: not is_running(conn, user))
    assert user.get(f"{API}/v1/scripts").status == 200


def test_a_client_that_half_closes_still_gets_its_answer_or_an_end(conn, user, hold):
    """No client hangs: it gets its response, or its statement is cancelled."""
    wire = send(user, "gw_waits")
    wait_for("the statement", lambda: is_running(conn, user, "eval"))
    wire.shutdown(socket.SHUT_WR)
    hold()
    received = b""
    while piece := wire.recv(4096):
        received += piece
        if b'{"result":1}' in received:
            break
    assert received[9:12] in (b"", b"200", b"499"), received
    wait_for("its end", lambda: not is_running(conn, user))


def test_a_log_in_takes_a_place(conn, start_gateway, make_user, hold):
    """There is never one connection more than --max-connections, not even for a log-in."""
    full = start_gateway("--max-connections", "1", "--connection-wait", "1")
    user, other = make_user(gateway=full), make_user(gateway=full)
    wire = send(user, "gw_waits")
    wait_for("the statement", lambda: is_running(conn, user, "eval"))
    refused = full.log_in(other.name, other.password).refused(500)
    assert refused["errorMessage"] == "all connections to the database are in use"
    full.log_in(other.name, "wrong").refused(500)
    hold()
    assert wire.recv(4096).startswith(b"HTTP/1.1 200")
    # Now one rests, and makes room.
    assert other.get(f"{API}/v1/scripts").status == 200
    assert user.get(f"{API}/v1/scripts").status == 200
    full.log_in(other.name, "wrong").refused(401)
    assert other.get(f"{API}/v1/scripts").status == 200


def test_a_client_that_stops_reading_a_stream(conn, user, store):
    store("gw_endless", "import pandas as pd\ndef f():\n    while True:\n"
          "        yield pd.DataFrame({'x': range(100000)})")  # fmt: skip
    # Resources that must be limited are listed in the table below.
    query = "SELECT i FROM generate_series(1, 3000000) AS i"
    store("gw_same", "def f(dat): return dat")
    body = {
        "input": query,
        "parameters": '{"oml_input_type": "pandas.DataFrame"}',
        "outputFormat": {"i": "int"},
    }
    connection = user.gateway.connection()
    headers = {"Authorization": f"Bearer {user.token}", "Accept": "text/csv"}
    headers["Content-Type"] = "application/json"
    connection.request("POST", run_path("table-apply", "gw_same"), json.dumps(body), headers)
    response = connection.getresponse()
    assert response.status == 200
    assert response.read(2) == b"i\n"
    connection.close()
    response.close()
    wait_for("its end", lambda: not is_running(conn, user))
    assert user.get(f"{API}/v1/scripts").status == 200


@pytest.mark.parametrize("way", ["cancel", "terminate"])
def test_a_statement_that_somebody_ends(conn, gateway, user, hold, way):
    request = Request(user, "gw_waits")
    wait_for("the statement", lambda: is_running(conn, user, "eval"))
    conn.execute(
        f"SELECT pg_{way}_backend(pid) FROM pg_stat_activity"
        " WHERE usename = %s AND state = 'active'",
        (user.name,),
    )
    answer = request.outcome()
    assert isinstance(answer, Answer), answer
    answer.refused(400 if way == "cancel" else 500)
    assert user.get(f"{API}/v1/scripts").status == 200
    gateway.check()


def test_idle_connections_that_the_database_closed(conn, user):
    """The next request does not meet the dead connection of the pool: it gets a new one."""
    for _ in range(3):
        assert user.get(f"{API}/v1/scripts").status == 200
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            (user.name,),
        )


class Lab:
    """A server and a gateway of our own, which may be ended."""

    def __init__(self, server: Any, start_gateway: Callable[..., Gateway]) -> None:
        self.server = server
        port = server.environment["PGPORT"]
        self.gateway = start_gateway(conninfo=f"host=127.0.0.1 port={port} dbname=postgres")
        self.user = User(self.gateway, "lab", "lab password")

    def admin(self) -> Connection[Any]:
        import psycopg

        place = self.server.environment
        return psycopg.connect(
            host=place["PGHOST"], port=place["PGPORT"], user="postgres", dbname="postgres",
            autocommit=True,
        )  # fmt: skip


@pytest.fixture
def lab(start_gateway: Callable[..., Gateway]) -> Iterator[Lab]:
    # Committed changes must survive a crash.
    settings = ["shared_preload_libraries = 'oml_epe'", "synchronous_commit = on"]
    with with_server.PrivateServer(settings, tcp=True) as private:
        lab = Lab(private, start_gateway)
        with lab.admin() as admin:
            admin.execute("CREATE EXTENSION oml_epe")
            admin.execute("CREATE ROLE lab LOGIN PASSWORD 'lab password'")
            for name, source in (("gw_spins", SPINS), ("gw_one", "def f(): return 1")):
                admin.execute("SELECT pyq_script_create(%s, %s, true)", (name, source))
        yield lab


def test_a_killed_backend(lab):
    request = Request(lab.user, "gw_spins")
    with lab.admin() as admin:
        wait_for("the statement", lambda: is_running(admin, lab.user, "eval"))
        row = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE usename = 'lab' AND state = 'active'"
        ).fetchone()
    assert row is not None
    os.kill(row[0], signal.SIGKILL)
    answer = request.outcome()
    assert isinstance(answer, Answer), answer
    answer.refused(500)
    # The server starts anew; so does everything else.
    wait_for("another answer", lambda: lab.user.run("do-eval", "gw_one").status == 200)
    lab.gateway.check()


def test_a_database_that_stops(lab):
    request = Request(lab.user, "gw_spins")
    with lab.admin() as admin:
        wait_for("the statement", lambda: is_running(admin, lab.user, "eval"))
    assert lab.server.stop()
    answer = request.outcome()
    assert isinstance(answer, Answer), answer
    answer.refused(500)
    lab.user.run("do-eval", "gw_one").refused(500)
    lab.gateway.log_in("lab", "lab password").refused(500)
    assert lab.gateway.get("/healthz").status in (200, 503)
    lab.gateway.check()


def test_sigterm_lets_requests_end(conn, start_gateway, make_user, hold):
    ending = start_gateway("--grace", "60")
    user = make_user(gateway=ending)
    request = Request(user, "gw_waits")
    wait_for("the statement", lambda: is_running(conn, user, "eval"))
    ending.process.send_signal(signal.SIGTERM)

    def takes_no_more() -> bool:
        try:
            return ending.get("/healthz").status == 503
        except OSError:
            return True

    wait_for("no more requests", takes_no_more)
    assert ending.process.poll() is None
    hold()
    answer = request.outcome()
    assert isinstance(answer, Answer), answer
    assert answer.result == 1
    assert ending.process.wait(60) == 0


def test_sigterm_does_not_wait_for_ever(conn, start_gateway, make_user, hold):
    ending = start_gateway("--grace", "0")
    user = make_user(gateway=ending)
    request = Request(user, "gw_spins")
    wait_for("the statement", lambda: is_running(conn, user, "eval"))
    ending.process.send_signal(signal.SIGTERM)
    request.outcome()
    assert ending.process.wait(60) == 0
    wait_for("the statement's end", lambda: not is_running(conn, user))


def test_a_killed_gateway_leaves_no_statement(conn, start_gateway, make_user, hold):
    conn.execute("ALTER SYSTEM SET client_connection_check_interval = '100ms'")
    conn.execute("SELECT pg_reload_conf()")
    try:
        killed = start_gateway()
        user = make_user(gateway=killed)
        request = Request(user, "gw_waits")
        wait_for("the statement", lambda: is_running(conn, user, "eval"))
        killed.process.kill()
        assert isinstance(request.outcome(), Exception)
        wait_for("the statement's end", lambda: not is_running(conn, user))
    finally:
        conn.execute("ALTER SYSTEM RESET client_connection_check_interval")
        conn.execute("SELECT pg_reload_conf()")


@pytest.fixture
def many_descriptors() -> Iterator[None]:
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < 4 * IDLE_CONNECTIONS:
        pytest.skip(f"a process may have only {hard} descriptors")
    resource.setrlimit(resource.RLIMIT_NOFILE, (4 * IDLE_CONNECTIONS, hard))
    yield
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_idle_connections(many_descriptors, start_gateway, make_user, store):
    """A thousand silent connections and a thousand with half a request: others are served."""
    store("gw_one", "def f(): return 1")
    crowded = start_gateway("--max-clients", str(3 * IDLE_CONNECTIONS))
    user = make_user(gateway=crowded)
    wires = [socket.create_connection(("127.0.0.1", crowded.port)) for _ in range(IDLE_CONNECTIONS)]
    assert crowded.get("/healthz").status == 200
    # No thread waits for silent connections.
    assert len(os.listdir(f"/proc/{crowded.process.pid}/task")) < 50
    half = f"POST {run_path('do-eval', 'gw_one')} HTTP/1.1\r\nHost: x\r\nContent-Le".encode()
    for wire in wires[::2]:
        wire.sendall(half)
    assert user.run("do-eval", "gw_one").result == 1
    assert crowded.get("/healthz").status == 200
    # One of the silent ones wakes up.
    body = b"{}"
    wires[1].sendall(
        f"POST {run_path('do-eval', 'gw_one')} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n"
        f"Content-Type: application/json\r\nAuthorization: Bearer {user.token}\r\n\r\n".encode()
        + body
    )
    assert b'{"result":1}' in wires[1].recv(65536)
    for wire in wires:
        wire.close()
    crowded.check()


def test_more_clients_than_there_may_be(start_gateway):
    """The one too many is refused or waits; when others go there is room again."""
    narrow = start_gateway("--max-clients", "4")
    wires = [socket.create_connection(("127.0.0.1", narrow.port)) for _ in range(12)]
    for wire in wires:
        wire.close()
    wait_for("room", lambda: _is_served(narrow))
    narrow.check()


def _is_served(gateway: Gateway) -> bool:
    try:
        return gateway.get("/healthz").status == 200
    except OSError:
        return False


def test_slow_clients_are_dropped(start_gateway):
    """A silent connection, or half a head without the rest: closed after the time limit."""
    impatient = start_gateway("--keep-alive", "1")
    for said in (b"", b"GET /healthz HTTP/1.1\r\nHo"):
        with socket.create_connection(("127.0.0.1", impatient.port), timeout=60) as wire:
            wire.sendall(said)
            received = b""
            while piece := wire.recv(4096):
                received += piece
            assert not received.startswith(b"HTTP/1.1 200")
    impatient.check()


def test_connections_are_kept(user, store):
    store("gw_one", "def f(): return 1")
    connection = user.gateway.connection()
    ports = set()
    for _ in range(5):
        headers = {"Authorization": f"Bearer {user.token}", "Content-Type": "application/json"}
        connection.request("POST", run_path("do-eval", "gw_one"), b"{}", headers)
        response = connection.getresponse()
        assert json.loads(response.read()) == {"result": 1}
        assert connection.sock is not None
        ports.add(connection.sock.getsockname()[1])
    assert len(ports) == 1
    connection.close()
