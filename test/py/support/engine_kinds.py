"""Where the scripts of a test run: the kind of engine, and the environment.

A module of tests that should hold in several places names them, `ENGINE_PLACES = places.ALL`, and
conftest.py runs its tests in each. Without that they run in the backend, or, to see what differs in
engine processes, where EPE_TEST_ENGINE says: EPE_TEST_ENGINE=process tools/check pytest.
"""

from __future__ import annotations

import importlib
import os
import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import environments
import optional_packages
import psycopg
from psycopg import sql


class Place(NamedTuple):
    """An engine, 'backend' or 'process', and an environment, '' for the default one."""

    engine: str
    environment: str = ""

    def __str__(self) -> str:
        return self.environment or self.engine

    def options(self) -> dict[str, Any]:
        """Return arguments of psycopg.connect() with which all calls are made here.

        The test is skipped when the server does not have the environment.
        """
        if not self.environment:
            return {"options": f"-c oml_epe.engine={self.engine}"}
        environments.require(self.environment)
        return {"cursor_factory": _cursor_of(self.environment)}

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


def _cursor_of(environment: str) -> type[psycopg.Cursor[Any]]:
    class CursorInEnvironment(psycopg.Cursor[Any]):
        def execute(self, query: Any, *arguments: Any, **options: Any) -> Any:
            text = query.as_string(self) if isinstance(query, sql.Composable) else query
            return super().execute(name_environment(text, environment), *arguments, **options)

    return CursorInEnvironment


_TOKENS = re.compile(r"""'[^']*'|"[^"]*"|\bpyq_(?:\w+_)?eval\(|[()]""")


def name_environment(query: str, environment: str) -> str:
    """Return the query with `env_name` passed to every call of a script in it."""
    return "".join(_pieces(query, f", env_name => '{environment}')"))


def _pieces(query: str, ending: str) -> Iterator[str]:
    is_call: list[bool] = []  # of the parentheses that are open
    done = 0
    for token in _TOKENS.finditer(query):
        text = token.group()
        if text.endswith("("):
            is_call.append(text != "(")
        elif text == ")" and is_call.pop():
            yield query[done : token.start()]
            yield ending
            done = token.end()
    yield query[done:]
