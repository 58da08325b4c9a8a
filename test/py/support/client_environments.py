"""Client-side Python environments for the matrix of test_client_versions.py.

Each has what pip installs today for one minor version of Python; `system` is the Python that also
runs the tests, with the distribution's packages. `require(name)` returns the interpreter or skips
the running test with the reason. Environments are created once, below build/.
"""

from __future__ import annotations

import shutil
import subprocess
import sys

from optional_packages import BUILD, PIP_INSTALL, run

SYSTEM = "system"
NAMES = (SYSTEM, "3.11", "3.12", "3.13")
_PACKAGES = ("psycopg[binary]", "numpy>=2", "pandas>=3", "cloudpickle>=3", "scikit-learn")
#: What a user of the notebooks installs beside the package, and what builds that.
_NOTEBOOK_PACKAGES = (*_PACKAGES, "nbclient", "ipykernel", "setuptools", "wheel")
_STAMP = "made-for-tests"


def require(name: str) -> str:
    """Return the path of an environment's interpreter, or skip the running test."""
    if name == SYSTEM:
        return "/usr/bin/python3"
    return _made(name, name, _PACKAGES)


def require_notebook() -> str:
    """Return the path of the interpreter of an environment for notebooks, or skip the test."""
    return _made("notebook", f"{sys.version_info[0]}.{sys.version_info[1]}", _NOTEBOOK_PACKAGES)


def _made(directory: str, name: str, packages: tuple[str, ...]) -> str:
    """Make an environment of Python `name` once; return the path of its interpreter."""
    import pytest

    folder = BUILD / "clients" / directory
    wanted = "\n".join(packages)
    stamp = folder / _STAMP
    if not (stamp.exists() and stamp.read_text() == wanted):
        python = _find_python(name)
        if python is None:
            pytest.skip(f"there is no Python {name} on this machine")
        assert python is not None
        shutil.rmtree(folder, ignore_errors=True)
        try:
            run(python, "-m", "venv", str(folder))
            run(str(folder / "bin" / "python"), *PIP_INSTALL, *packages)
        except (subprocess.CalledProcessError, OSError) as problem:
            print(f"client environment {name}: {problem}", file=sys.stderr)
            pytest.skip(f"the environment of Python {name} could not be made (PyPI out of reach?)")
        stamp.write_text(wanted)
    return str(folder / "bin" / "python")


def _find_python(version: str) -> str | None:
    """A Python of a minor version that can make environments: on PATH, or one of pyenv's."""
    candidates = [shutil.which(f"python{version}")]
    pyenv = shutil.which("pyenv")
    if pyenv is not None:
        found = _output(pyenv, "whence", f"python{version}").split()
        candidates += [f"{_output(pyenv, 'prefix', each)}/bin/python" for each in found]
    for candidate in candidates:
        if (
            candidate
            and _output(candidate, "-c", "import ensurepip, venv; print('usable')") == "usable"
        ):
            return candidate
    return None


def _output(*command: str) -> str:
    """The output of a command; empty if it failed."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""
