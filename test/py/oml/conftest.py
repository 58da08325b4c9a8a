"""Package `oml`: the surface that is the same on a client and in an engine.

The tests are the functions of the modules oml_*_bodies: called here, over a connection
of the client, and stored as one script and run by pyq_eval, in the backend and in a process of
its own.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import oml_argument_bodies
import oml_bodies
import oml_column_bodies
import oml_numpy_bodies
import oml_oracle_bodies
import oml_summary_bodies
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "python"))

MODULES = (
    oml_bodies,
    oml_summary_bodies,
    oml_argument_bodies,
    oml_numpy_bodies,
    oml_oracle_bodies,
    oml_column_bodies,
)


def names_of(module: ModuleType) -> list[str]:
    """Its tests: tools take something else than the pandas module alone."""
    return [
        node.name
        for node in ast.parse(Path(str(module.__file__)).read_text()).body
        if isinstance(node, ast.FunctionDef)
        and [argument.arg for argument in node.args.args] == ["pandas"]
        and not node.name.endswith("_frame")
    ]


def script() -> str:
    """The modules joined; the function called, the last one, is that of oml_bodies."""
    texts = [Path(str(module.__file__)).read_text() for module in reversed(MODULES)]
    head = "from __future__ import annotations\n"
    lines = "\n".join(texts).splitlines(keepends=True)
    return head + "".join(line for line in lines if not line.startswith(("from __f", "from oml_")))


TESTS = {name: module for module in MODULES for name in names_of(module)}
EVAL = "SELECT * FROM pyq_eval(%s, NULL, 'oml_bodies') AS t(result text)"


@pytest.fixture(params=["client", "backend", "process"])
def place(
    request: pytest.FixtureRequest, conn: psycopg.Connection[Any]
) -> Iterator[tuple[str, psycopg.Connection[Any]]]:
    """The place where the body runs, and a connection for it; its objects are dropped."""
    conn.execute("CREATE SCHEMA IF NOT EXISTS bodies")
    yield request.param, conn
    conn.execute("ROLLBACK")
    conn.execute("SET client_min_messages TO warning")
    conn.execute("DROP SCHEMA IF EXISTS bodies CASCADE")


@pytest.mark.parametrize("name", TESTS)
def test_oml(name: str, place: tuple[str, psycopg.Connection[Any]]) -> None:
    where, conn = place
    if where == "client":
        import oml
        import pandas

        info = conn.info
        oml.connect(host=info.host, port=info.port, user=info.user, service_name=info.dbname)
        try:
            oml.cursor().execute("SET search_path TO bodies, public")
            getattr(TESTS[name], name)(pandas)
            oml_bodies.nothing_is_left(None)
        finally:
            oml.disconnect()
        return
    conn.execute("SELECT pyq_script_create('oml_bodies', %s, false, true)", (script(),))
    conn.execute(f"SET oml_epe.engine TO '{where}'")
    conn.execute("SET search_path TO bodies, public")
    conn.execute("BEGIN")
    row = conn.execute(EVAL, (f'{{"name": "{name}"}}',)).fetchone()
    assert row == ("done",)
    row = conn.execute(EVAL, ('{"name": "nothing_is_left"}',)).fetchone()
    assert row == ("done",)
