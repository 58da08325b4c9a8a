"""tools/versions: what it skips, and what its builds share."""

from __future__ import annotations

import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

import pytest
from conftest import ROOT


@pytest.fixture
def versions() -> ModuleType:
    loader = SourceFileLoader("versions", str(ROOT / "tools" / "versions"))
    spec = importlib.util.spec_from_loader("versions", loader)
    assert spec is not None
    module = importlib.util.module_from_spec(spec)
    loader.exec_module(module)
    return module


def test_a_run_without_time_skips_all_and_says_so() -> None:
    done = subprocess.run(
        [ROOT / "tools" / "versions", "--within", "-5"],
        capture_output=True,
        text=True,
        env={name: value for name, value in os.environ.items() if name != "VERSIONS"},
    )
    assert done.returncode == 0, done.stderr
    skipped = re.findall(r"^PostgreSQL (\d+)\n  SKIPPED(.*)$", done.stdout, re.MULTILINE)
    assert [major for major, _ in skipped] == ["18", "14", "16", "19"]
    assert all("0 s of the time limit are left" in words for _, words in skipped[:3])
    assert "VERSIONS=19" in skipped[3][1]
    assert done.stdout.splitlines()[-1] == "versions: 0 passed, 0 failed, 4 skipped"


def test_the_time_of_versions_before_decides_whether_one_starts(
    versions: ModuleType, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = [1000.0]
    started = []

    def check(major: str, home: Path) -> object:
        started.append(major)
        clock[0] += {"18": 600.0, "14": 100.0}.get(major, 300.0)
        return versions.Counts(passed=7)

    monkeypatch.setattr(versions, "check", check)
    monkeypatch.setattr(versions.time, "monotonic", lambda: clock[0])
    # 18 took 600 s: that is what 14 and 16 must have left, though 14 took less.
    counts = versions.check_all(["18", "14", "16"], 1000.0 + 1299.0)
    assert started == ["18", "14"]
    assert counts == versions.Counts(14, 0, 1)
    assert "PostgreSQL 16\n  SKIPPED: a version takes 600 s, and 599 s" in capsys.readouterr().out


def test_an_index_out_of_reach_is_no_failure(
    versions: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "PIP_EXTRA_INDEX_URL"):
        monkeypatch.delenv(name, raising=False)
    # Nothing listens on the discard port.
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    assert versions.check("18", tmp_path) == versions.Counts(skipped=1)
    assert "SKIPPED, PyPI is out of reach" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("output", "status", "expected"),
    [
        ("versions: 5 passed, 0 failed, 2 skipped", 0, (5, 0, 2)),
        ("versions: 5 passed, 3 failed, 2 skipped", 1, (5, 3, 2)),
        ("versions: 5 passed, 0 failed, 2 skipped", 1, (5, 1, 2)),
        ("a command that was not found", 1, (0, 1, 0)),
        ("no line with numbers", 0, (0, 1, 0)),
    ],
)
def test_numbers_of_a_prerelease_are_those_of_its_system(
    versions: ModuleType,
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    output: str,
    status: int,
    expected: tuple[int, int, int],
) -> None:
    program = tmp_path / "tools" / "test-prerelease"
    program.parent.mkdir()
    program.write_text(f"#!/bin/sh\necho 'PostgreSQL 19'\necho '{output}'\nexit {status}\n")
    program.chmod(0o755)
    monkeypatch.setattr(versions, "ROOT", tmp_path)
    assert versions.check_prerelease("19") == versions.Counts(*expected)


OBJECT = "build/library/core/utf8.o"


@pytest.fixture
def folders(tmp_path: Path) -> Iterator[tuple[Path, Path]]:
    """A source folder in which the extension was built, and one for a build outside of it."""
    source = tmp_path / "source"
    source.mkdir()
    for path in ROOT.iterdir():
        if path.name not in ("build", ".git"):
            (source / path.name).symlink_to(path)
    made = source / OBJECT
    made.parent.mkdir(parents=True)
    made.touch()
    outside = tmp_path / "outside"
    outside.mkdir()
    yield source, outside


def ask_make(folders: tuple[Path, Path], *arguments: str) -> subprocess.CompletedProcess[str]:
    source, outside = folders
    command = ["make", "-f", str(source / "Makefile"), "WITHOUT_GATEWAY=1"]
    command.append(f"PG_CONFIG={os.environ.get('PG_CONFIG', 'pg_config')}")
    return subprocess.run(
        [*command, *arguments], cwd=outside, capture_output=True, text=True, check=False
    )


def test_a_build_uses_no_objects_of_the_source_folder(folders: tuple[Path, Path]) -> None:
    """They can be those of another PostgreSQL."""
    _, outside = folders
    assert ask_make(folders, "build/compile-flags").returncode == 0
    # Older than the object: a new file's object that only the source folder has.
    os.utime(outside / "build" / "compile-flags", (1, 1))
    done = ask_make(folders, OBJECT)
    assert done.returncode == 0, done.stderr
    assert (outside / OBJECT).exists()


def test_a_build_shares_only_objects_without_postgresql(folders: tuple[Path, Path]) -> None:
    source, _ = folders
    includes_server = re.compile(r'#include [<"](?:postgres|pg/|jobs/|entry/)')
    server_sources = set()
    for path in (ROOT / "src").rglob("*.cpp"):
        name = path.relative_to(ROOT / "src").with_suffix("")
        if name.parts[0] in ("pg", "jobs", "entry"):
            server_sources.add(str(name))
            continue
        assert not includes_server.search(path.read_text()), path
        for kind in ("library", "program"):
            shared = source / "build" / kind / name.parent / f"{name.name}.o"
            shared.parent.mkdir(parents=True, exist_ok=True)
            shared.touch()
    done = ask_make(folders, "-n", "V=1", f"SHARED_BUILD={source}/build", "all")
    assert done.returncode == 0, done.stderr
    compiled = re.findall(rf"-o build/library/(\S+)\.o {source}/src/\1\.cpp", done.stdout)
    assert set(compiled) == server_sources


STUBS = {
    # Options, then the command.
    "tools/with-server": 'while [ "$1" != tools/check ]; do shift; done; exec "$@"',
    "tools/versions": 'echo "given: $*"; echo "versions: 5 passed, 0 failed, 3 skipped"',
    **dict.fromkeys(
        (
            *(
                f"tools/check_{what}"
                for what in ("layers", "imports", "sizes", "references", "words")
            ),
            *("tools/install-deps", "tools/python-tools", "tools/tidy_scope"),
            *("bin/make", "bin/cppcheck", "bin/shellcheck"),
        ),
        "exit 0",
    ),
    "bin/pg_config": "echo /usr/bin",
}


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """A tree with tools/check, whose stages do almost nothing."""
    for name, command in STUBS.items():
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{command}\n")
        path.chmod(0o755)
    shutil.copy(ROOT / "tools" / "check", tmp_path / "tools" / "check")
    for name, text in {
        "t/000.pl": 'print "1..1\\nok 1\\n";\n',
        "py/pytest.ini": "[pytest]\n",
        "py/test_one.py": "def test_one():\n    pass\n",
        "py/support/optional_packages.py": "",
        "py/support/environments.py": "",
    }.items():
        path = tmp_path / "test" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def run_check(scratch: Path, *stages: str, **variables: str) -> subprocess.CompletedProcess[str]:
    unwanted = ("TIME_LIMIT", "EPE_CHECK_INNER", "PYTEST_ARGS", "TAP_TESTS", "PG_CONFIG")
    environment = {name: value for name, value in os.environ.items() if name not in unwanted}
    environment["PATH"] = f"{scratch}/bin:{environment['PATH']}"
    return subprocess.run(
        [scratch / "tools" / "check", *stages],
        capture_output=True,
        text=True,
        env={**environment, **variables},
    )


@pytest.mark.parametrize(("limit", "seconds"), [({}, 70 * 60), ({"TIME_LIMIT": "20"}, 20 * 60)])
def test_versions_are_the_last_stage_and_get_what_is_left_of_the_time(
    scratch: Path, limit: dict[str, str], seconds: int
) -> None:
    done = run_check(scratch, **limit)
    assert done.returncode == 0, done.stdout + done.stderr
    stages = re.findall(r"^==== (\w+)$", done.stdout, re.MULTILINE)
    assert stages[-2:] == ["pytest", "versions"]
    assert len(stages) == 11
    left = re.search(r"^given: --within (\d+)$", done.stdout, re.MULTILINE)
    assert left is not None, done.stdout
    assert seconds / 2 < int(left.group(1)) <= seconds
    assert done.stdout.splitlines()[-2:] == ["3 skipped", "7 passed, 0 failed"]


def test_versions_have_no_time_limit_when_they_are_named(scratch: Path) -> None:
    done = run_check(scratch, "versions", TIME_LIMIT="3")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "given: \n" in done.stdout
    assert done.stdout.splitlines()[-2:] == ["3 skipped", "5 passed, 0 failed"]
