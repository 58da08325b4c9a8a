"""VERSION is the version of everything that is released."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable

import pytest
from conftest import ROOT, with_server

VERSION = (ROOT / "VERSION").read_text().strip()


def found(name: str, pattern: str) -> str:
    """The first match of a pattern in a file."""
    match = re.search(pattern, (ROOT / name).read_text(), re.MULTILINE)
    assert match is not None, f"{name} states no version"
    return match.group(1)


STATED: dict[str, Callable[[], str]] = {
    "control file": lambda: found("oml_epe.control", r"^default_version = '(.*)'$"),
    "package oml": lambda: found("python/oml/__init__.py", r'^__version__ = "(.*)"$'),
    "META.json": lambda: str(json.loads((ROOT / "META.json").read_text())["version"]),
    "META.json, provides": lambda: str(
        json.loads((ROOT / "META.json").read_text())["provides"]["oml_epe"]["version"]
    ),
    "debian/changelog": lambda: found("debian/changelog", r"\Aoml-epe \((.*)-[^-]+\) "),
    "CHANGELOG.md": lambda: found("CHANGELOG.md", r"^## \[(\d.*?)\]"),
}


def test_the_version_is_a_semantic_one():
    assert re.fullmatch(r"\d+\.\d+\.\d+", VERSION)


@pytest.mark.parametrize("place", STATED)
def test_every_file_states_the_version(place):
    assert STATED[place]() == VERSION


def test_the_python_project_reads_the_version_from_the_package():
    project = (ROOT / "python/pyproject.toml").read_text()
    assert 'dynamic = ["version"]' in project
    assert 'version = { attr = "oml.__version__" }' in project


@pytest.mark.parametrize("program", ["oml_epe_engine", "oml_epe_gateway"])
def test_installed_programs_print_the_version(program):
    command = [f"{with_server.pg_config('--bindir')}/{program}", "--version"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{program} {VERSION}\n")


def test_the_installed_extension_has_the_version(conn):
    row = conn.execute(
        "SELECT default_version FROM pg_available_extensions WHERE name = 'oml_epe'"
    ).fetchone()
    assert row == (VERSION,)


def test_upgrade_scripts_lead_to_the_version():
    """From each released version, the SQL of which is kept in test/upgrade."""
    steps = {tuple(path.stem.split("--")[1:]) for path in (ROOT / "sql").glob("oml_epe--*--*.sql")}
    bases = {path.stem.split("--")[1] for path in (ROOT / "test/upgrade").glob("oml_epe--*.sql")}
    assert bases
    for base in bases:
        reached = {base}
        while new := {after for before, after in steps if before in reached} - reached:
            reached |= new
        assert VERSION in reached, f"no upgrade from {base}"


def test_security_fixes_are_promised_for_the_version():
    minor = ".".join(VERSION.split(".")[:2])
    assert f"| {minor}.x | yes |" in (ROOT / "SECURITY.md").read_text()
