"""The tests of test/py/runtime under the newest pandas and numpy, without a server."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import environments

TESTS = Path(__file__).resolve().parents[1]
UNIT = TESTS / "runtime"


def test_unit_tests_pass() -> None:
    python = environments.require("current") / "bin" / "python"
    # Without conftest.py, which needs psycopg, and the settings, which are for the other tests.
    options = ("-q", "--noconftest", "-p", "no:cacheprovider", "-c", "/dev/null")
    command = [str(python), "-B", "-m", "pytest", *options, "--rootdir", str(UNIT), str(UNIT)]
    variables = {**os.environ, "PYTHONPATH": str(TESTS / "support")}
    finished = subprocess.run(command, capture_output=True, text=True, env=variables)
    assert finished.returncode == 0, finished.stdout + finished.stderr
