"""Plugin for tests of package `oml` that run on a client, in the backend and in an engine process.

They are the tests that take `place`; pytest collects them as any others. On a client the function
is called here, over a connection of package `oml`. In the other places its module is sent to an
engine (remote_tests.py), which calls the function there by its name. Such a module imports what
engines have, and so not pytest, and its tests take `place` alone: the name of the place.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import psycopg
import pytest

pytest.register_assert_rewrite("proxy_checks", "failing")

ROOT = Path(__file__).resolve().parents[3]
RUNNER = Path(__file__).with_name("remote_tests.py").read_text()
CHECKS = ROOT / "test" / "py" / "oml" / "proxy_checks.py"
EVAL = "SELECT * FROM pyq_eval(%s, NULL, 'run_test') AS t(failure text)"
# Objects that the tests make are dropped with this schema, and those that a failed test left.
SCHEMA = "oml_tests"
CLEAN = f"""
    SET client_min_messages TO warning;
    DROP SCHEMA IF EXISTS {SCHEMA} CASCADE;
    DELETE FROM pyqsys.datastores;
    DELETE FROM pyqsys.scripts;
    DO $$
        DECLARE left_behind text;
        BEGIN
            FOR left_behind IN SELECT nspname FROM pg_namespace WHERE nspname LIKE 'both%' LOOP
                EXECUTE format('DROP SCHEMA %I CASCADE', left_behind);
            END LOOP;
        END
    $$;
"""


def _sent(path: Path) -> list[str]:
    return [path.stem, str(path.relative_to(ROOT)), path.read_text()]


class Place:
    """Where tests of a module run: a name, and a connection there."""

    def __init__(self, name: str, connection: psycopg.Connection[Any]) -> None:
        self.name = name
        self.connection = connection

    def call_on_client(self, test: Any) -> None:
        """Call the test function in this process."""
        import oml
        import proxy_checks

        info = self.connection.info
        oml.connect(host=info.host, port=info.port, user=info.user, service_name=info.dbname)
        try:
            oml.cursor().execute(f"SET search_path TO {SCHEMA}, public")
            test(place=self.name)
            proxy_checks.nothing_is_left()
        finally:
            oml.disconnect()

    def call_in_engine(self, module: ModuleType, name: str) -> None:
        """Call the test function in an engine; its failure there is one here."""
        modules = [_sent(CHECKS), _sent(Path(str(module.__file__)))]
        sent = {"modules": modules, "name": name, "place": self.name}
        execute = self.connection.execute
        execute("SELECT pyq_script_create('run_test', %s, false, true)", (RUNNER,))
        execute(f"SET search_path TO {SCHEMA}, public")
        with self.connection.transaction():
            row = execute(EVAL, (json.dumps(sent),)).fetchone()
            assert row is not None
            if row[0] != "passed":
                pytest.fail(f"in {self.name}: {row[0]}", pytrace=False)


@pytest.fixture(scope="module", params=["client", "backend", "process"])
def module_place(request: pytest.FixtureRequest, server: Any, database: str) -> Iterator[Place]:
    """One place for all tests of a module: Python starts, and imports pandas, once."""
    engine = "process" if request.param == "process" else "backend"
    with server.connect(database, options=f"-c oml_epe.engine={engine}") as connection:
        yield Place(request.param, connection)


@pytest.fixture
def clean_place(module_place: Place) -> Iterator[Place]:
    """A place for functions that the test calls there; all that they leave is dropped."""
    execute = module_place.connection.execute
    execute(f"CREATE SCHEMA {SCHEMA}")
    yield module_place
    execute("DISCARD ALL")
    execute(CLEAN)
    left = execute("SELECT count(*) FROM pyqsys.datastore_pieces").fetchone()
    assert left == (0,)


@pytest.fixture
def place(clean_place: Place) -> Place:
    """Where the test itself runs."""
    return clean_place


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> bool | None:
    """Call tests that take `place` there."""
    place = pyfuncitem.funcargs.get("place")
    if not isinstance(place, Place):
        return None
    if place.name == "client":
        place.call_on_client(pyfuncitem.obj)
    else:
        place.call_in_engine(pyfuncitem.module, pyfuncitem.originalname)
    return True
