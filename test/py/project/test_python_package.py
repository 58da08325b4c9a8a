"""The wheel and the sdist of python/, as they would go to PyPI."""

from __future__ import annotations

import email
import shutil
import subprocess
import tarfile
import zipfile
from pathlib import Path

import pytest
import release_tools
from conftest import ROOT

PACKAGE = ROOT / "python"
VERSION = (ROOT / "VERSION").read_text().strip()
SOURCES = {str(path.relative_to(PACKAGE)) for path in (PACKAGE / "oml").rglob("*.py")} | {
    "oml/py.typed"
}
EXTRAS = {"arrow", "binary", "c", "notebook", "progress"}


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the sdist; the wheel is built from the sdist."""
    program = release_tools.require("pyproject-build")
    folder = tmp_path_factory.mktemp("package")
    source = folder / "python"
    # A copy: setuptools writes into the folder that it builds.
    shutil.copytree(
        PACKAGE, source, ignore=shutil.ignore_patterns("build", "__pycache__", "*.egg-info")
    )
    done = subprocess.run(
        [program, "--no-isolation", "--outdir", str(folder / "dist"), str(source)],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder / "dist"


def wheel_of(built: Path) -> Path:
    (wheel,) = built.glob("*.whl")
    return wheel


def test_the_wheel_contains_the_modules_and_nothing_else(built):
    with zipfile.ZipFile(wheel_of(built)) as archive:
        names = set(archive.namelist())
    assert {name for name in names if ".dist-info/" not in name} == SOURCES
    assert any(name.endswith("/LICENSE") for name in names)


def test_the_sdist_contains_the_modules_and_the_licence(built):
    (sdist,) = built.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    assert names >= SOURCES
    assert {"LICENSE", "README.md", "pyproject.toml", "PKG-INFO"} <= names


def test_the_metadata_is_complete(built):
    with zipfile.ZipFile(wheel_of(built)) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        metadata = email.message_from_bytes(archive.read(name))
    assert metadata["Name"] == "oml-epe"
    assert metadata["Version"] == VERSION
    assert "PostgreSQL" in (metadata["License"] or metadata["License-Expression"])
    assert metadata["Author"]
    assert metadata["Requires-Python"] == ">=3.9"
    assert set(metadata.get_all("Provides-Extra", [])) == EXTRAS
    labels = {each.partition(",")[0] for each in metadata.get_all("Project-URL", [])}
    assert labels == {"Homepage", "Documentation", "Source", "Issues", "Changelog"}
    assert "License :: OSI Approved :: PostgreSQL License" in metadata.get_all("Classifier", [])
    assert "Extras add" in metadata.get_payload()


def test_pypi_accepts_the_files(built):
    """twine refuses unknown classifiers' forms, a README that cannot be rendered, and the like."""
    twine = release_tools.require("twine")
    command = [twine, "check", "--strict", *map(str, sorted(built.iterdir()))]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.count("PASSED") == 2


def test_the_wheel_works_in_an_environment_of_its_own(built, tmp_path):
    """Every module is imported from the wheel; only the dependencies are the system's."""
    environment = tmp_path / "environment"
    subprocess.run(
        ["/usr/bin/python3", "-m", "venv", "--system-site-packages", str(environment)], check=True
    )
    python = environment / "bin" / "python"
    install = ("-m", "pip", "install", "-q", "--no-index", "--no-deps", str(wheel_of(built)))
    subprocess.run([python, *install], check=True, stdin=subprocess.DEVNULL)
    modules = sorted(
        name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        for name in SOURCES
        if name.endswith(".py")
    )
    program = (
        "import importlib, sys, oml\n"
        "for name in sys.argv[1:]: importlib.import_module(name)\n"
        "from oml import DataFrame, do_eval, grant, hist\n"
        "print(oml.__version__, oml.__file__)"
    )
    done = subprocess.run(
        [python, "-I", "-c", program, *modules], capture_output=True, text=True, cwd=tmp_path
    )
    assert done.returncode == 0, done.stderr
    version, file = done.stdout.split()
    assert version == VERSION
    assert Path(file).is_relative_to(environment)


def test_the_licence_is_that_of_the_project():
    assert (PACKAGE / "LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
