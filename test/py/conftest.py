"""Fixtures for the tests of the extension.

Under tools/with-server (or tools/check) the tests use that server; run by themselves, with
`/usr/bin/python3 -m pytest -c test/py/pytest.ini test/py`, they start one of their own.
"""

from __future__ import annotations

import importlib.util
import itertools
import os
from collections.abc import Callable, Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

import attacks
import engine_kinds
import environments
import optional_packages
import psycopg
import pytest
from processes import EngineMonitor
from psycopg import sql

ROOT = Path(__file__).resolve().parents[2]
pytest_plugins = ("gateway_process", "oml_places")


def _load_with_server() -> ModuleType:
    """Import tools/with-server, a script without a suffix."""
    path = ROOT / "tools" / "with-server"
    loader = SourceFileLoader("with_server", str(path))
    spec = importlib.util.spec_from_loader("with_server", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


with_server = _load_with_server()


class Server:
    """The server under test: its connection parameters and its log.

    Attributes
    ----------
    log_path : Path
        The server's log.
    """

    def __init__(self, environment: dict[str, str]) -> None:
        self._environment = environment
        self.log_path = Path(environment["EPE_SERVER_LOG"])
        self._read_until = self.log_path.stat().st_size

    def connect(
        self, dbname: str | None = None, user: str | None = None, **options: Any
    ) -> psycopg.Connection[Any]:
        """Return a new connection, in autocommit mode unless told otherwise."""
        options.setdefault("autocommit", True)
        return psycopg.connect(
            host=self._environment["PGHOST"],
            port=int(self._environment["PGPORT"]),
            dbname=dbname or self._environment["PGDATABASE"],
            user=user or self._environment["PGUSER"],
            **options,
        )

    @property
    def tcp_port(self) -> int:
        """The port of 127.0.0.1 that it listens on; the test is skipped when there is none."""
        with self.connect() as connection:
            row = connection.execute("SHOW listen_addresses").fetchone()
            assert row is not None
            if not row[0]:
                pytest.skip("the server does not listen on TCP (tools/with-server --tcp)")
            return connection.info.port

    def read_new_log(self) -> str:
        """Return the log lines since the last call."""
        with self.log_path.open("rb") as log:
            log.seek(self._read_until)
            text = log.read()
        self._read_until += len(text)
        return text.decode(errors="replace")

    def fail_on_signal_death(self) -> None:
        deaths = with_server.SIGNAL_DEATH.findall(self.read_new_log())
        if deaths:
            pytest.fail("a server process died:\n" + "\n".join(deaths), pytrace=False)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The server of tools/with-server, else one of our own."""
    if "EPE_SERVER_LOG" in os.environ:
        running = Server(dict(os.environ))
        yield running
        running.fail_on_signal_death()
        return
    packages = optional_packages.install()
    os.environ[optional_packages.VARIABLE] = str(packages or "")
    folder = environments.install()
    os.environ[environments.VARIABLE] = str(folder or "")
    # The same as in tools/check.
    preload = "shared_preload_libraries = 'oml_epe'"
    server_settings = [preload, f"oml_epe.environments_dir = '{folder or ''}'"]
    with with_server.PrivateServer(server_settings, str(packages or ""), tcp=True) as private:
        running = Server(private.environment)
        yield running
        private.stop()
        running.fail_on_signal_death()


@pytest.fixture(autouse=True)
def _no_signal_death(server: Server) -> Iterator[None]:
    """Fail the test during which a server process died."""
    yield
    server.fail_on_signal_death()


@pytest.fixture(scope="session")
def database(server: Server) -> Iterator[str]:
    """A database with the extension, shared by all tests of the session."""
    name = "epe_pytest"
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {name}")
    with server.connect(name) as created:
        created.execute("CREATE EXTENSION oml_epe")
    yield name
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


Connect = Callable[..., "psycopg.Connection[Any]"]


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run the tests of a module in all its ENGINE_PLACES, those marked in the backend alone."""
    chosen = getattr(metafunc.module, "ENGINE_PLACES", (engine_kinds.USUAL,))
    if metafunc.definition.get_closest_marker("backend") is not None:
        chosen = (engine_kinds.BACKEND,)
    if chosen != (engine_kinds.USUAL,) and "engine_place" in metafunc.fixturenames:
        metafunc.parametrize("engine_place", chosen, indirect=True, scope="module", ids=str)


@pytest.fixture(scope="module")
def engine_place(
    request: pytest.FixtureRequest, server: Server, database: str
) -> Iterator[engine_kinds.Place]:
    """Where the scripts of the test run; skipped if the server does not have the environment."""
    chosen: engine_kinds.Place = getattr(request, "param", engine_kinds.USUAL)
    if not chosen.environment:
        yield chosen
        return
    environments.require(chosen.environment)
    with server.connect(database) as admin, engine_kinds.functions_of(admin, chosen):
        yield chosen


@pytest.fixture
def connect(server: Server, database: str, engine_place: engine_kinds.Place) -> Iterator[Connect]:
    """A function that opens connections to `database`, `connect(user=...)`."""
    opened = []

    def open_connection(user: str | None = None, **options: Any) -> psycopg.Connection[Any]:
        connection = server.connect(database, user, **{**engine_place.options(), **options})
        opened.append(connection)
        return connection

    yield open_connection
    for connection in opened:
        connection.close()


@pytest.fixture
def conn(connect: Connect) -> psycopg.Connection[Any]:
    """A new autocommit connection as superuser."""
    return connect()


@pytest.fixture(scope="module")
def module_conn(
    server: Server, database: str, engine_place: engine_kinds.Place
) -> Iterator[psycopg.Connection[Any]]:
    """One connection for all tests of a module: starting Python for each would cost too much."""
    with server.connect(database, **engine_place.options()) as connection:
        yield connection


@pytest.fixture(scope="module")
def observer(module_conn: psycopg.Connection[Any]) -> psycopg.Connection[Any]:
    """The session that watches and stops the other ones; the same as `module_conn`."""
    return module_conn


@pytest.fixture(scope="module")
def monitor(observer: psycopg.Connection[Any]) -> EngineMonitor:
    """The engines of all sessions, seen by the observer and in /proc."""
    return EngineMonitor(observer)


@pytest.fixture(scope="module")
def empty_footprint(monitor: EngineMonitor) -> dict[str, Any]:
    """The footprint when no session but the observer's has engines."""
    return monitor.empty_footprint()


@pytest.fixture
def make_script(conn: psycopg.Connection[Any]) -> Iterator[Callable[..., str]]:
    """A function that stores a script, `make_script(name, source, is_global=False)`.

    It replaces one of that name and returns the name; the script is dropped after the test.
    """
    made = []

    def make(name: str, source: str, is_global: bool = False) -> str:
        conn.execute("SELECT pyq_script_create(%s, %s, %s, true)", (name, source, is_global))
        made.append((name, is_global))
        return name

    yield make
    conn.rollback()
    for name, is_global in made:
        conn.execute("SELECT pyq_script_drop(%s, %s, true)", (name, is_global))


_role_numbers = itertools.count(1)


@pytest.fixture
def make_role(server: Server, database: str) -> Iterator[Callable[..., str]]:
    """A function that makes a login role, `make_role("analyst", "IN ROLE pyqadmin")`.

    It returns the role's name, which is unique; role and objects are dropped after the test.
    """
    made = []

    def make(hint: str = "user", *options: str) -> str:
        name = f"epe_{hint}_{next(_role_numbers)}"
        with server.connect() as admin:
            admin.execute(
                sql.SQL("CREATE ROLE {} LOGIN {}").format(
                    sql.Identifier(name),
                    sql.SQL(" ".join(options)),  # type: ignore[arg-type]
                )
            )
        made.append(name)
        return name

    yield make
    with server.connect(database) as admin:
        for name in made:
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
                (name,),
            )
            admin.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(name)))
            admin.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


@pytest.fixture(scope="module")
def shared_scene(server: Server, database: str) -> Iterator[attacks.Scene]:
    """The target of attacks by scripts of a module's tests."""

    def open_connection(user: str | None = None) -> psycopg.Connection[Any]:
        return server.connect(database, user)

    with attacks.open_scene(open_connection) as opened:
        yield opened


@pytest.fixture
def scene(shared_scene: attacks.Scene) -> Iterator[attacks.Scene]:
    """The same; after the test everything must be as it was before."""
    yield shared_scene
    shared_scene.assert_unharmed()
