"""A cancel in the middle of an import leaves no module behind that is half made."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from background import Background
from processes import PRELUDE, wait_for
from psycopg import Connection

CALL = "SELECT count(*) FROM pyq_eval(NULL, NULL::int, 'imports')"

# A module out of a string, which engine processes can import as well.
FROM_TEXT = (
    PRELUDE
    + '''
import importlib.util

class Finder:
    text = """{text}"""

    @staticmethod
    def find_spec(name, path=None, target=None):
        return importlib.util.spec_from_loader(name, Finder) if name == "epe_text" else None

    @staticmethod
    def create_module(spec):
        return None

    @staticmethod
    def exec_module(module):
        module.reached = reached
        exec(Finder.text, module.__dict__)

def imports():
    sys.meta_path.insert(0, Finder)
    import epe_text
    return 1
'''
)
ENDLESS = {
    "loop": """
reached()
def spin():
    while True:
        pass
spin()
""",
    "swallows everything": """
reached()
while True:
    try:
        while True:
            pass
    except BaseException:
        pass
""",
    "of a module that it imports": """
reached()
import sys
class Endless:
    @staticmethod
    def find_spec(name, path=None, target=None):
        while name == "epe_other":
            pass
sys.meta_path.insert(0, Endless)
try:
    import epe_other
finally:
    sys.meta_path.remove(Endless)
""",
}


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder of modules for the server, in which they report their progress."""
    made = Path(tempfile.mkdtemp(prefix="epe_modules_"))
    made.chmod(0o777)
    yield made
    shutil.rmtree(made)


def assert_works(session: Connection[Any]) -> None:
    assert session.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'fine')").fetchone() == (1,)


@pytest.mark.parametrize("module", ["epe_slow", "epe_package"])
def test_cancel_waits_for_the_import(module, make_script, connect, observer, folder):
    """The module is imported once and completely, and the code after the import is stopped."""
    (folder / "epe_slow.py").write_text(
        f"""
import os, warnings

with open({str(folder / "started")!r}, "a") as file:
    file.write("x")
while not os.path.exists({str(folder / "cancelled")!r}):
    pass
for number in range(10000):
    str(number)
print("made")
warnings.warn("made as well")
is_whole = True
"""
    )
    # Like pandas: a submodule that is already loaded is not bound to its package again.
    (folder / "epe_package").mkdir()
    (folder / "epe_package" / "core.py").write_text("is_whole = True\n")
    (folder / "epe_package" / "__init__.py").write_text(
        "import epe_package.core\nimport epe_slow\nis_whole = epe_package.core.is_whole\n"
    )
    make_script("fine", "def fine():\n    return 1\n")
    make_script(
        "imports",
        f"""
import sys

def imports():
    if {str(folder)!r} not in sys.path:
        sys.path.append({str(folder)!r})
    import {module}
    while True:
        pass
""",
    )
    make_script(
        "later",
        f"""
import sys

def later():
    import {module}
    return int({module}.is_whole and sys.modules["epe_slow"].is_whole)
""",
    )
    session = connect()
    pid = session.info.backend_pid
    running = Background(session, CALL)
    wait_for("the import has begun", (folder / "started").exists)
    observer.execute("SELECT pg_cancel_backend(%s)", (pid,))
    (folder / "cancelled").touch()
    assert isinstance(running.result(), psycopg.errors.QueryCanceled)
    assert_works(session)
    row = session.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'later')").fetchone()
    assert row == (1,)
    assert (folder / "started").read_text() == "x"


@pytest.mark.parametrize("stop", ["cancel", "terminate"])
@pytest.mark.parametrize("name", ENDLESS)
def test_endless_import_is_stopped(name, stop, make_script, connect, observer, monitor):
    make_script("fine", "def fine():\n    return 1\n")
    make_script("imports", FROM_TEXT.format(text=ENDLESS[name]))
    session = connect()
    pid = session.info.backend_pid
    running = Background(session, CALL)
    monitor.wait_until_reached(pid)
    function = "pg_cancel_backend" if stop == "cancel" else "pg_terminate_backend"
    observer.execute(f"SELECT {function}(%s)", (pid,))
    error = running.result()
    if stop == "cancel":
        assert isinstance(error, psycopg.errors.QueryCanceled)
        assert_works(session)
    else:
        assert isinstance(error, psycopg.OperationalError)


def test_engine_process_of_an_interrupted_import_is_not_used_again(
    make_script, connect, observer, monitor
):
    make_script("fine", "def fine():\n    return 1\n")
    make_script("imports", FROM_TEXT.format(text=ENDLESS["loop"]))
    session = connect()
    session.execute("SET oml_epe.engine = 'process'")
    pid = session.info.backend_pid
    running = Background(session, CALL)
    monitor.wait_until_reached(pid)
    (engine,) = monitor.engines(pid)
    monitor.wait_until_in_script(engine, "spin")
    observer.execute("SELECT pg_cancel_backend(%s)", (pid,))
    assert isinstance(running.result(), psycopg.errors.QueryCanceled)
    assert_works(session)
    assert engine not in monitor.engines(pid, "idle")


@pytest.mark.parametrize("milliseconds", [170, 350, 500])
def test_libraries_survive_a_time_out_of_the_first_call(milliseconds, make_script, connect):
    make_script(
        "imports",
        """
def imports():
    import matplotlib.pyplot
    import numpy
    import pandas

    return len(pandas.DataFrame({"x": numpy.random.default_rng(1).random(3)}))
""",
    )
    session = connect()
    session.execute(f"SET statement_timeout = {milliseconds}")
    with contextlib.suppress(psycopg.errors.QueryCanceled):
        session.execute(CALL)
    session.execute("RESET statement_timeout")
    row = session.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'imports')").fetchone()
    assert row == (3,)
