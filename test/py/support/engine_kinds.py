"""Where the scripts of a test run: the kind of engine, and the environment.

A module of tests that should hold in several places names them: `ENGINE_PLACES = engine_kinds.ALL`.
conftest.py runs its tests in each. Without that they run in the backend, or, to see what differs in
engine processes, where EPE_TEST_ENGINE says: EPE_TEST_ENGINE=process tools/check pytest.
"""

from __future__ import annotations

import contextlib
import importlib
import os
from collections.abc import Iterator
from typing import Any, NamedTuple

import optional_packages
import psycopg


class Place(NamedTuple):
    """An engine, 'backend' or 'process', and an environment, '' for the default one."""

    engine: str
    environment: str = ""

    def __str__(self) -> str:
        return self.environment or self.engine

    def options(self) -> dict[str, Any]:
        """Return arguments of psycopg.connect() with which all calls are made here."""
        if not self.environment:
            return {"options": f"-c oml_epe.engine={self.engine}"}
        return {"options": f"-c search_path={self.search_path}"}

    @property
    def search_path(self) -> str:
        """What a search_path must end with, so that calls are made here."""
        return f"{self.schema},public" if self.environment else "public"

    @property
    def schema(self) -> str:
        """Schema of functions that call scripts in the environment (functions_of())."""
        return f"in_{self.environment}"

    def major_version(self, package: str) -> int:
        """Return the first number of the version of pandas or numpy that scripts have here."""
        if self.environment:
            return {"pandas": 3, "numpy": 2}[package]
        return int(importlib.import_module(package).__version__.split(".")[0])

    def require_package(self, package: str) -> None:
        """Skip the running test unless scripts can import the package here."""
        if not self.environment:
            optional_packages.require(package)


BACKEND = Place("backend")
PROCESS = Place("process")
# pandas 3, numpy 2 and their like.
CURRENT = Place("process", "current")
ALL = (BACKEND, PROCESS, CURRENT)
ENGINES = (BACKEND, PROCESS)
USUAL = Place(os.environ.get("EPE_TEST_ENGINE", "backend"))


_FUNCTIONS = """
SELECT pg_get_functiondef(oid) FROM pg_proc
WHERE 'env_name' = ANY (proargnames) AND pronamespace = 'public'::regnamespace
"""
_COPIES = "SELECT oid::regprocedure::text FROM pg_proc WHERE pronamespace = %s::regnamespace"


@contextlib.contextmanager
def functions_of(connection: psycopg.Connection[Any], place: Place) -> Iterator[None]:
    """Make the functions that take env_name once more, in a schema, with the place's as default.

    Calls of a connection with the schema in its search_path run in the environment. As members
    of the extension they know its row types.
    """
    definitions = [row[0] for row in connection.execute(_FUNCTIONS)]
    default = f"env_name text DEFAULT '{place.environment}'"
    connection.execute(f"CREATE SCHEMA {place.schema}")
    connection.execute(f"GRANT USAGE ON SCHEMA {place.schema} TO PUBLIC")
    for definition in definitions:
        made = definition.replace("FUNCTION public.", f"FUNCTION {place.schema}.", 1)
        made = made.replace("env_name text DEFAULT NULL::text", default)
        assert place.schema in made and default in made, made
        connection.execute(made)
    copies = [row[0] for row in connection.execute(_COPIES, (place.schema,))]
    assert len(copies) == len(definitions) > 0
    for copy in copies:
        connection.execute(f"ALTER EXTENSION oml_epe ADD FUNCTION {copy}")
    yield
    for copy in copies:
        connection.execute(f"ALTER EXTENSION oml_epe DROP FUNCTION {copy}")
    connection.execute(f"DROP SCHEMA {place.schema} CASCADE")
