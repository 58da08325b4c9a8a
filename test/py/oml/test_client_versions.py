"""Clients of several versions of Python, numpy and pandas against engines of others."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import client_environments
import environments
import psycopg
import pytest

HERE = Path(__file__).resolve().parent


def _run(python: str, program: str, conn: psycopg.Connection[Any], *arguments: str) -> Any:
    """Run a program of this folder with an interpreter; return the JSON that it prints."""
    info = conn.info
    dsn = f"host={info.host} port={info.port} user={info.user} dbname={info.dbname}"
    done = subprocess.run(
        [python, str(HERE / program), dsn, *arguments],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


@pytest.mark.parametrize("environment", [None, "current"])
@pytest.mark.parametrize("client", client_environments.NAMES)
def test_values_survive_the_round_trip(
    conn: psycopg.Connection[Any], client: str, environment: str | None
) -> None:
    """As arguments, results and objects of a datastore."""
    python = client_environments.require(client)
    if environment is not None:
        environments.require(environment)
    answer = _run(python, "round_trips.py", conn, *([environment] if environment else []))
    assert answer["failed"] == {}
    assert answer["checked"] > 60


@pytest.mark.parametrize("client", client_environments.NAMES)
def test_functions_find_their_way(conn: psycopg.Connection[Any], client: str) -> None:
    """By value if possible, otherwise by source; the error names objects that cannot be sent."""
    python = client_environments.require(client)
    assert _run(python, "sent_functions.py", conn) == {}


@pytest.mark.parametrize("client", client_environments.NAMES)
def test_versions_are_named_when_a_pickle_cannot_be_loaded(
    conn: psycopg.Connection[Any], client: str
) -> None:
    python = client_environments.require(client)
    answer = _run(python, "unloadable.py", conn)
    for what in ("argument", "result", "datastore"):
        message, hint = answer[what]
        assert "numpy" in message and "Python 3." in message, (what, message)
        assert hint, what
