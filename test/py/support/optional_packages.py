#!/usr/bin/python3
"""Packages from PyPI that some tests use when they can be had: pyarrow, polars, duckdb, ...

Run as a program it installs them, once, into an environment below build/, and prints the
directory to give to the server as PYTHONPATH (nothing when not one could be installed). In a
test, `require("pyarrow")` skips unless the server was started with it.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path

# pyarrow 18 is the last that takes the numpy 1 of Debian 12.
HAS_NUMPY_1 = version("numpy").startswith("1.")
PACKAGES = {
    "pyarrow": "pyarrow<19" if HAS_NUMPY_1 else "pyarrow",
    "polars": "polars",
    "sqlalchemy": "sqlalchemy>=2",
    "narwhals": "narwhals",
    "duckdb": "duckdb",
}
PIP_INSTALL = ("-m", "pip", "install", "-q", "--only-binary=:all:", "--retries=1", "--timeout=30")
BUILD = Path(__file__).resolve().parents[3] / "build"
# Names the directory the server was given; set by tools/check and conftest.
VARIABLE = "EPE_OPTIONAL_PACKAGES"


def require(package: str) -> None:
    """Skip the running test unless the server's Python can import the package."""
    import pytest

    folder = os.environ.get(VARIABLE, "")
    if not folder:
        pytest.skip(f"{package}: the server has no optional packages (PyPI out of reach?)")
    if not (Path(folder) / package).is_dir():
        pytest.skip(f"{package} could not be installed from PyPI")


def install() -> Path | None:
    """Install missing packages and return the directory that contains them."""
    venv = _venv()
    try:
        python = make_python()
        for package, wanted in PACKAGES.items():
            if not _can_import(python, package):
                run(str(python), *PIP_INSTALL, wanted)
    except (subprocess.CalledProcessError, OSError) as problem:
        print(f"optional packages: {problem}", file=sys.stderr)
    for folder in venv.glob("lib/python3.*/site-packages"):
        if any((folder / package).is_dir() for package in PACKAGES):
            # Whatever the umask was.
            run("chmod", "-R", "a+rX", str(venv))
            return folder
    return None


def _venv() -> Path:
    return find_home() / "optional-packages"


def make_python() -> Path:
    """Return the Python of the environment, which has pip, unlike the system's."""
    venv = _venv()
    python = venv / "bin" / "python"
    if not python.exists():
        shutil.rmtree(venv, ignore_errors=True)
        # The distribution's numpy serves for a dependency: the server must not see another.
        run("/usr/bin/python3", "-m", "venv", "--system-site-packages", str(venv))
    return python


def run(*command: str) -> None:
    """Run a command that must succeed, with its output on stderr."""
    subprocess.run(command, check=True, stdout=sys.stderr, stdin=subprocess.DEVNULL)


def _can_import(python: Path, package: str) -> bool:
    command = [str(python), "-c", f"import {package}"]
    return subprocess.run(command, capture_output=True).returncode == 0


def find_home() -> Path:
    """Return build/ if the server's user can read it, else a public temporary directory."""
    BUILD.mkdir(exist_ok=True)
    # Only when started by root does the server run as another user.
    if os.geteuid() != 0 or all(path.stat().st_mode & 0o001 for path in (BUILD, *BUILD.parents)):
        return BUILD
    note = BUILD / "optional-packages.path"
    if note.exists() and (home := Path(note.read_text())).is_dir():
        return home
    home = Path(tempfile.mkdtemp(prefix="epe-packages-", dir="/var/tmp"))
    home.chmod(0o755)
    note.write_text(str(home))
    return home


if __name__ == "__main__":
    found = install()
    if found:
        print(found)
