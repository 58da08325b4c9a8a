"""Environments of another minor version of Python than the server's, and their own engine."""

from __future__ import annotations

import os
import shutil
import signal
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import optional_packages
import other_python
import psycopg
import pytest
from conftest import with_server
from psycopg import Connection
from test_environments import call

SEEN = """
def seen(n=1):
    import sys, os
    return [(sys.version_info.minor, sys.prefix, os.getpid())] * n
"""
QUERIED = """
import oml

def queried(v):
    import datetime, decimal
    with oml.cursor() as cursor:
        cursor.execute("SELECT 40 + 2, date '2024-02-29', numeric '1.50', 'ä'")
        found = cursor.fetchone()
    assert found == (42, datetime.date(2024, 2, 29), decimal.Decimal("1.50"), "ä"), found
    return {"v": v, "day": found[1], "price": found[2], "name": found[3]}
"""


class Other(NamedTuple):
    """A server with such an environment, called "other"."""

    server: Any
    version: str
    bindir: Path
    environment: Path

    @property
    def program(self) -> Path:
        return self.bindir / f"oml_epe_engine-{self.version}"

    def connect(self) -> Connection[Any]:
        found = self.server.environment
        return psycopg.connect(
            host=found["PGHOST"],
            port=found["PGPORT"],
            user="postgres",
            dbname="postgres",
            autocommit=True,
        )


@pytest.fixture(scope="module")
def other() -> Iterator[Other]:
    version = other_python.version_of(other_python.config())
    # Where the server's user can read it.
    home = optional_packages.find_home() / "other-pythons"
    shutil.rmtree(home, ignore_errors=True)
    bindir, environments = home / "bin", home / "environments"
    for folder in (home, bindir, environments):
        folder.mkdir()
        folder.chmod(0o755)
    shutil.copy(Path(with_server.pg_config("--bindir")) / "oml_epe_engine", bindir)
    other_python.make_environment(environments / "other")
    settings = [
        "shared_preload_libraries = 'oml_epe'",
        f"oml_epe.engine_program = '{bindir}/oml_epe_engine'",
        f"oml_epe.environments_dir = '{environments}'",
    ]
    with with_server.PrivateServer(settings) as server:
        made = Other(server, version, bindir, environments / "other")
        with made.connect() as session:
            session.execute("CREATE EXTENSION oml_epe")
            for name, source in (("seen", SEEN), ("queried", QUERIED)):
                session.execute("SELECT pyq_script_create(%s, %s)", (name, source))
        _refused_without_a_program(made)
        other_python.build_engine(bindir)
        assert made.program.exists()
        yield made
        server.stop()
        assert server.signal_deaths() == []
    shutil.rmtree(home)


def _refused_without_a_program(other: Other) -> None:
    with other.connect() as session:
        with pytest.raises(psycopg.Error) as caught:
            call(session, "seen", "other", "minor int, prefix text, pid int")
        assert caught.value.sqlstate == "0A000"
        assert f"PYTHON_CONFIG=python{other.version}-config" in str(caught.value.diag.message_hint)
        listed = session.execute("SELECT name FROM pyq_list_envs()").fetchall()
        assert listed == [("default",)]


def seen(session: Connection[Any], environment: str = "other") -> tuple[Any, ...]:
    (row,) = call(session, "seen", environment, "minor int, prefix text, pid int")
    return row


def test_runs_in_its_own_python(other: Other) -> None:
    with other.connect() as session:
        listed = session.execute("SELECT name, python_version FROM pyq_list_envs()").fetchall()
        assert ("other", other.version) in listed
        minor, prefix, pid = seen(session)
        assert (f"3.{minor}", prefix) == (other.version, str(other.environment))
        assert Path(f"/proc/{pid}/exe").readlink() == other.program
        # Beside the server's own Python, in the same session.
        own_minor, _, own_pid = seen(session, "default")
        assert own_minor != minor
        assert own_pid != pid
        assert seen(session)[2] == pid


def test_values_and_queries(other: Other) -> None:
    with other.connect() as session:
        row = session.execute(
            "SELECT * FROM pyq_eval('{\"v\": [1, {\"a\": null}]}', NULL, 'queried', NULL, 'other')"
            " AS t(v jsonb, day date, price numeric, name text)"
        ).fetchone()
        assert row is not None
        assert [str(value) for value in row] == ["[1, {'a': None}]", "2024-02-29", "1.50", "ä"]


def test_errors_of_scripts(other: Other) -> None:
    with other.connect() as session, pytest.raises(psycopg.Error) as caught:
        session.execute("SELECT pyq_eval('{\"n\": \"x\"}', NULL::int, 'seen', NULL, 'other')")
    assert caught.value.sqlstate == "38000"
    assert "TypeError" in str(caught.value)


def test_packages_of_the_environment(other: Other) -> None:
    site = other.environment / "lib" / f"python{other.version}" / "site-packages"
    (site / "epe_probe.py").write_text("VERSION = '1.5'\n")
    with other.connect() as session:
        session.execute(
            "SELECT pyq_script_create('probe', %s, v_overwrite => true)",
            ("def probe():\n    import epe_probe\n    return epe_probe.VERSION",),
        )
        assert call(session, "probe", "other", "v text") == [("1.5",)]


def test_killed_processes_are_replaced(other: Other) -> None:
    with other.connect() as session:
        first = seen(session)[2]
        os.kill(first, signal.SIGKILL)
        await_end(first)
        second = seen(session)[2]
        assert second != first
        # Its zygote, then the supervisor.
        zygote = parent_of(second)
        assert Path(f"/proc/{zygote}/exe").readlink() == other.program
        os.kill(zygote, signal.SIGKILL)
        await_end(zygote)
    with other.connect() as session:
        third = seen(session)[2]
        zygote = parent_of(third)
        supervisor = parent_of(zygote)
        os.kill(supervisor, signal.SIGKILL)
        await_end(supervisor)
        await_end(zygote)
    with other.connect() as session:
        assert f"3.{seen(session)[0]}" == other.version


def test_a_program_that_fails_is_an_error(other: Other) -> None:
    """One that cannot serve as a zygote: each call reports it, none waits."""
    kept = other.program.with_name("kept")
    for contents, words in (
        ("#!/bin/sh\nexit 1\n", "could not start"),
        ("no program\n", "could not run the engine program"),
    ):
        os.rename(other.program, kept)
        try:
            other.program.write_text(contents)
            other.program.chmod(0o755)
            # A new stamp: another zygote.
            os.utime(other.environment / "pyvenv.cfg")
            with other.connect() as session:
                for _ in range(2):
                    with pytest.raises(psycopg.Error) as caught:
                        seen(session)
                    text = f"{caught.value} {caught.value.diag.message_detail}"
                    assert words in text, text
        finally:
            os.replace(kept, other.program)
            os.utime(other.environment / "pyvenv.cfg")
        with other.connect() as session:
            assert f"3.{seen(session)[0]}" == other.version


def test_a_program_of_another_version_of_the_extension(other: Other) -> None:
    """The supervisor tells its version, which the program compares."""
    import socket
    import subprocess

    ours, theirs = socket.socketpair()
    with ours, theirs:
        words = ["zygote", "0", str(theirs.fileno()), str(os.getpid()), "0", str(other.environment)]
        finished = subprocess.run([other.program, *words], pass_fds=[theirs.fileno()])
        theirs.close()
        assert finished.returncode == 1
        assert b"is of another version of oml_epe; install it again" in ours.recv(1 << 16)


def parent_of(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.split("PPid:")[1].split()[0])


def await_end(pid: int) -> None:
    try:
        descriptor = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    import select

    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    try:
        assert poll.poll(30_000), f"process {pid} did not end"
    finally:
        os.close(descriptor)
