"""A Python of another minor version than the server's, and an engine program for it."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import optional_packages
import pytest

# Of a python3.N-config; set to use another one than the newest that is found.
VARIABLE = "EPE_OTHER_PYTHON_CONFIG"
ROOT = Path(__file__).resolve().parents[3]
OLDEST_MINOR = 10
NOT_COPIED = ("test", "tests", "__pycache__", "idlelib", "turtledemo", "site-packages")


@functools.cache
def config() -> Path:
    """Return its python3.N-config; skip the running test when there is none."""
    found = [Path(os.environ[VARIABLE])] if os.environ.get(VARIABLE) else sorted(_candidates())
    if not found:
        pytest.skip(f"no Python of another minor version with headers ({VARIABLE} names one)")
    return _readable(found[-1])


def version_of(found: Path) -> str:
    """Return the minor version, as "3.13"."""
    named = re.fullmatch(r"python(3\.\d+)-config", found.name)
    assert named, found
    return named[1]


def _candidates() -> Iterator[Path]:
    folders = [Path("/usr/bin"), Path("/usr/local/bin")]
    folders += (Path.home() / ".pyenv" / "versions").glob("*/bin")
    for folder in folders:
        for path in folder.glob("python3.*-config"):
            named = re.fullmatch(r"python3\.(\d+)-config", path.name)
            # The config of a Python whose headers are not installed may be there.
            if named is None or int(named[1]) in range(OLDEST_MINOR):
                continue
            include = folder.parent / "include" / f"python3.{named[1]}" / "Python.h"
            if int(named[1]) != sys.version_info.minor and include.exists():
                yield path


def _readable(found: Path) -> Path:
    """Return it, or that of a copy if the server's user cannot read it."""
    if os.geteuid() != 0 or all(path.stat().st_mode & 0o001 for path in found.resolve().parents):
        return found
    copy = optional_packages.find_home() / f"other-{found.parents[1].name}"
    if not (copy / "bin" / found.name).exists():
        shutil.rmtree(copy, ignore_errors=True)
        ignored = shutil.ignore_patterns(*NOT_COPIED)
        shutil.copytree(found.parents[1], copy, symlinks=True, ignore=ignored)
        optional_packages.run("chmod", "-R", "a+rX", str(copy))
    return copy / "bin" / found.name


def build_engine(bindir: Path) -> None:
    """Build the engine program, as `make engine` does, into a folder."""
    folder = ROOT / "build" / "other-engine"
    folder.mkdir(parents=True, exist_ok=True)
    # Less optimized than usual, in less time.
    command = ["make", "-s", "-j", str(os.cpu_count()), "-C", str(folder)]
    command += ["-f", str(ROOT / "Makefile"), "engine", f"PYTHON_CONFIG={config()}"]
    command += [f"PG_CONFIG={os.environ.get('PG_CONFIG', 'pg_config')}", f"bindir={bindir}"]
    command += ["CXXFLAGS=-O1 -fno-strict-aliasing -fwrapv", "CXXFLAGS_SL_MODULE="]
    environment = {**os.environ, "PATH": f"/usr/lib/ccache:{os.environ['PATH']}"}
    finished = subprocess.run(command, capture_output=True, text=True, env=environment)
    assert finished.returncode == 0, finished.stderr


def make_environment(folder: Path) -> None:
    """Make a virtual environment of that Python, without packages."""
    python = config().with_name(f"python{version_of(config())}")
    command = [str(python), "-m", "venv", "--without-pip", str(folder)]
    libraries = str(config().parents[1] / "lib")
    subprocess.run(command, check=True, env={**os.environ, "LD_LIBRARY_PATH": libraries})
