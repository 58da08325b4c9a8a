#!/usr/bin/python3
"""Two Python environments for the tests of `env_name`: `current` and `other`.

Run as a program it makes them, once, below build/ (like optional_packages.py, which says where)
and prints the folder for oml_epe.environments_dir; it has no output when
PyPI is out of reach. In a test, `require("current")` skips unless the server was given it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from optional_packages import PIP_INSTALL, find_home, run


class Environment(NamedTuple):
    """The contents of an environment: its description and pip's requirements."""

    description: str
    packages: tuple[str, ...]


# Different versions of six, which is small and pure Python, tell the two apart. The packages behind
# it are for test/py/runtime, which test_current_packages.py runs there.
ENVIRONMENTS = {
    "current": Environment(
        "What PyPI has today: pandas, numpy, pyarrow, polars, matplotlib, scikit-learn",
        ("pandas", "numpy>=2", "pyarrow", "polars", "six==1.17.0")
        + ("pytest", "hypothesis", "matplotlib", "scikit-learn"),
    ),
    "other": Environment("Only an older six", ("six==1.16.0",)),
}
# Names the folder the server was given; set by the program that starts the server.
VARIABLE = "EPE_ENVIRONMENTS"
# Written last, and holds what was asked for: an environment without it is recreated.
STAMP = "made-for-tests"


def require(name: str) -> Path:
    """Return an environment's folder; skip the running test if the server has it not."""
    import pytest

    given = folder()
    if given is None:
        pytest.skip(f"{name}: the server has no environments (PyPI out of reach?)")
    assert given is not None
    if not _is_complete(given / name, ENVIRONMENTS[name]):
        pytest.skip(f"the environment {name} could not be made from PyPI")
    return given / name


def folder() -> Path | None:
    """Return the folder of environments that the server was given, if it was."""
    return Path(os.environ[VARIABLE]) if os.environ.get(VARIABLE) else None


def install() -> Path | None:
    """Make the environments that are missing and return the folder that holds them."""
    home = find_home() / "environments"
    home.mkdir(exist_ok=True)
    home.chmod(0o755)
    made = [_make(home / name, wanted) for name, wanted in ENVIRONMENTS.items()]
    return home if any(made) else None


def _make(venv: Path, wanted: Environment) -> bool:
    if _is_complete(venv, wanted):
        return True
    shutil.rmtree(venv, ignore_errors=True)
    try:
        run("/usr/bin/python3", "-m", "venv", str(venv))
        run(str(venv / "bin" / "python"), *PIP_INSTALL, *wanted.packages)
        (venv / "description").write_text(wanted.description + "\n")
        (venv / STAMP).write_text(_describe(wanted))
        # Whatever the umask was.
        run("chmod", "-R", "a+rX", str(venv))
    except (subprocess.CalledProcessError, OSError) as problem:
        print(f"environment {venv.name}: {problem}", file=sys.stderr)
        # Half an environment would be listed, and tested, like a whole one.
        shutil.rmtree(venv, ignore_errors=True)
        return False
    return True


def _is_complete(venv: Path, wanted: Environment) -> bool:
    stamp = venv / STAMP
    return stamp.exists() and stamp.read_text() == _describe(wanted)


def _describe(wanted: Environment) -> str:
    return "\n".join((wanted.description, *wanted.packages)) + "\n"


if __name__ == "__main__":
    found = install()
    if found:
        print(found)
