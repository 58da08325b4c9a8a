"""The first calls on a new server on which something is missing: each error says what.

Every case has a private server: without the library preloaded, without numpy, or on a kernel that
lacks a part of the sandbox (a seccomp filter answers as such a kernel does).
"""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[3]
PRELOADED = ("-c", "shared_preload_libraries = 'oml_epe'")

# Prints the rows of each statement, or its error as [SQLSTATE, message, detail, hint].
CLIENT = """
import json, sys
import psycopg
found = []
with psycopg.connect("dbname=postgres", autocommit=True) as conn:
    for statement in json.loads(sys.argv[1]):
        try:
            cursor = conn.execute(statement)
            found.append([[str(v) for v in row] for row in cursor] if cursor.description else [])
        except psycopg.Error as error:
            d = error.diag
            report = [d.sqlstate, d.message_primary, d.message_detail, d.message_hint]
            found.append({"error": report})
print("FOUND" + json.dumps(found))
"""

# Makes one system call fail with ENOSYS, then runs a command. Argument: the number of the call.
OLD_KERNEL = """
import ctypes, errno, os, struct, sys
libc = ctypes.CDLL(None, use_errno=True)
steps = [(0x20, 0, 0, 0), (0x15, 0, 1, int(sys.argv[1])), (0x06, 0, 0, 0x50000 | errno.ENOSYS),
         (0x06, 0, 0, 0x7FFF0000)]  # load the number; compare; ERRNO; ALLOW
code = ctypes.create_string_buffer(b"".join(struct.pack("HBBI", *step) for step in steps))
program = ctypes.create_string_buffer(struct.pack("HxxxxxxQ", len(steps), ctypes.addressof(code)))
assert libc.prctl(38, 1, 0, 0, 0) == 0  # PR_SET_NO_NEW_PRIVS
assert libc.prctl(22, 2, program, 0, 0) == 0, ctypes.get_errno()  # PR_SET_SECCOMP, filter
os.execvp(sys.argv[2], sys.argv[2:])
"""
LANDLOCK_CREATE_RULESET = 444
SECCOMP = {"x86_64": 317, "aarch64": 277}

SET_UP = ("CREATE EXTENSION oml_epe", "CREATE ROLE newcomer")
ORDINARY = "SET ROLE newcomer"
SCRIPT = "SELECT pyq_script_create('first', 'def first(): return 1')"
CALL = "SELECT * FROM pyq_eval(NULL, NULL, 'first') AS t(x int)"


def ask(*statements: str, server: tuple[str, ...] = PRELOADED, kernel: int | None = None) -> Any:
    """The outcome of statements on a server of their own."""
    command = [str(ROOT / "tools/with-server"), *server]
    if kernel is not None:
        command = [sys.executable, "-c", OLD_KERNEL, str(kernel), *command]
    command += [sys.executable, "-c", CLIENT, json.dumps(statements)]
    finished = subprocess.run(command, cwd=ROOT, text=True, capture_output=True)
    lines = [line for line in finished.stdout.splitlines() if line.startswith("FOUND")]
    assert lines, finished.stdout + finished.stderr
    return json.loads(lines[0].removeprefix("FOUND"))


def error_of(outcome: Any) -> tuple[str, str, str, str]:
    """SQLSTATE, message, detail and hint of a failed statement."""
    assert isinstance(outcome, dict), outcome
    sqlstate, message, detail, hint = outcome["error"]
    return sqlstate, message, detail or "", hint or ""


def test_without_preload() -> None:
    """Calls work, by ordinary roles too; only jobs need the library from the start."""
    job = """SELECT * FROM pyq_eval('{"oml_async_flag": true}', NULL, 'first') AS t(job text)"""
    *_, made, called, submitted = ask(*SET_UP, ORDINARY, SCRIPT, CALL, job, server=())
    assert made == [[""]] or made == [["None"]]
    assert called == [["1"]]
    sqlstate, message, _, hint = error_of(submitted)
    assert (sqlstate, message) == ("55000", 'jobs need oml_epe in "shared_preload_libraries"')
    assert "restart the server" in hint


def test_extension_by_an_ordinary_role() -> None:
    *_, refused = ask("CREATE ROLE newcomer", ORDINARY, "CREATE EXTENSION oml_epe")
    sqlstate, message, _, hint = error_of(refused)
    assert sqlstate == "42501"
    assert message == 'permission denied to create extension "oml_epe"'
    assert "superuser" in hint


@pytest.mark.parametrize(
    ("call", "protection", "lack"),
    [
        (LANDLOCK_CREATE_RULESET, "files", "this kernel lacks Landlock"),
        (SECCOMP.get(platform.machine()), "system calls", "this kernel lacks system call filters"),
    ],
)
def test_kernel_without_a_part_of_the_sandbox(call: int | None, protection: str, lack: str) -> None:
    """Ordinary roles are refused, with the reason; superusers may run what they trust."""
    if call is None:
        pytest.skip("the number of seccomp() is not known for this machine")
    status = "SELECT protection, detail FROM pyq_sandbox_status() WHERE needed AND NOT enforced"
    *_, refused, shown, _, made, called = ask(
        *SET_UP, ORDINARY, SCRIPT, status, "RESET ROLE", SCRIPT, CALL, kernel=call
    )
    sqlstate, message, detail, hint = error_of(refused)
    assert (sqlstate, message) == ("42501", "the sandbox that this script needs is not available")
    assert detail.startswith(f"{protection} ({lack}")
    assert "pyq_sandbox_status()" in hint
    assert shown[0][0] == protection and shown[0][1].startswith(lack)
    assert isinstance(made, list) and called == [["1"]]


def test_without_numpy(tmp_path: Path) -> None:
    """A script without rows runs; one with rows says which package to install."""
    folder = tmp_path / "numpy"
    folder.mkdir()
    (folder / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'numpy'\", name='numpy')\n"
    )
    for each in (tmp_path, *tmp_path.parents[:2]):  # the server's account reads it
        os.chmod(each, 0o755)
    rows = "SELECT pyq_script_create('rows', 'def rows(dat): return len(dat)')"
    table = "SELECT * FROM pyq_table_eval('SELECT 1 AS a', NULL, NULL, 'rows') AS t(x int)"
    server = (*PRELOADED, "--pythonpath", str(tmp_path))
    for role in ("RESET ROLE", ORDINARY):
        *_, called, refused = ask(*SET_UP, role, SCRIPT, rows, CALL, table, server=server)
        assert called == [["1"]]
        sqlstate, message, detail, hint = error_of(refused)
        assert sqlstate == "0A000"
        assert message == 'input type "numpy.ndarray" needs the Python package "numpy"'
        assert "No module named 'numpy'" in detail
        assert "package python3-numpy" in hint
