"""Programs from PyPI that examine the gateway from outside: openapi-spec-validator, schemathesis.

They live in an environment of their own, below build/ (optional_packages.py says where), made when
a test first asks for one; a test skips when PyPI is out of reach.
"""

from __future__ import annotations

import functools
import subprocess
import sys
from pathlib import Path

import optional_packages
import pytest

# Names of the programs, and the packages that contain them.
PROGRAMS = {
    "openapi-spec-validator": "openapi-spec-validator>=0.7",
    "jsonschema": "jsonschema>=4.20",
    "schemathesis": "schemathesis>=4",
}


@functools.cache
def require(name: str) -> Path:
    """Return the program of that name; skip the running test if it is not available."""
    venv = optional_packages.find_home() / "http-tools"
    found = venv / "bin" / name
    if not found.exists():
        try:
            if not (venv / "bin" / "python").exists():
                optional_packages.run("/usr/bin/python3", "-m", "venv", str(venv))
            python = str(venv / "bin" / "python")
            optional_packages.run(python, *optional_packages.PIP_INSTALL, PROGRAMS[name])
        except (subprocess.CalledProcessError, OSError) as problem:
            print(f"http tools: {problem}", file=sys.stderr)
            pytest.skip(f"{name} could not be installed from PyPI")
    return found
