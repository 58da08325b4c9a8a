"""What a newcomer meets first: the README's pictures, the site, the demonstration's page, and the
messages of make and CREATE EXTENSION about missing parts."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
PG_CONFIG = os.environ.get("PG_CONFIG", "pg_config")


def run(*command: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a program from the root of the repository."""
    environment = {**os.environ, **variables}
    return subprocess.run(
        [str(each) for each in command], cwd=ROOT, env=environment, text=True, capture_output=True
    )


def test_chart_shows_the_figures() -> None:
    """The chart is drawn from bench/headline.json. Other versions of matplotlib draw differently,
    so the texts are compared."""
    figures = json.loads((ROOT / "bench/headline.json").read_text())
    report = (ROOT / "bench/README.md").read_text()
    for theme in ("light", "dark"):
        chart = (ROOT / f"docs/images/readme/benchmark-{theme}.svg").read_text()
        for each in figures["measures"]:
            ratio = each["peer_ms"] / each["ours_ms"]
            assert (f"{ratio:.0f} x" if ratio >= 10 else f"{ratio:.1f} x") in chart
            assert each["name"] in chart
            assert f"{each['ours_ms']:g}" in report
            assert f"{each['peer_ms']:g}" in report


def test_readme_pictures_exist() -> None:
    readme = (ROOT / "README.md").read_text()
    pictures = re.findall(r"(docs/images/readme/[\w-]+\.svg)", readme)
    assert len(set(pictures)) >= 3
    assert [each for each in pictures if not (ROOT / each).exists()] == []


def test_pictures_are_readable_on_a_phone() -> None:
    """A page of 360 pixels shrinks them to its width: no text becomes smaller than 8 pixels."""
    for name in ("benchmark-light", "benchmark-dark", "demo"):
        picture = (ROOT / f"docs/images/readme/{name}.svg").read_text()
        box = re.search(r'viewBox="0 0 ([\d.]+) [\d.]+"', picture)
        sizes = re.findall(r"font(?:-size)?: *(?:\d+ )?([\d.]+)(?:px|pt)", picture)
        assert box and sizes
        assert min(map(float, sizes)) * 360 / float(box[1]) >= 7.5, name


def test_recording_shows_sections_of_the_demonstration() -> None:
    script = (ROOT / "tools/demo.sql").read_text()
    recorder = (ROOT / "tools/record-demo").read_text()
    titles = re.search(r"SECTIONS = \(([^)]*)\)", recorder)
    assert titles
    names = re.findall(r'"([^"]+)"', titles[1])
    recording = (ROOT / "docs/images/readme/demo.svg").read_text()
    for name in names:
        assert f"\\echo '==== {name}'" in script
        assert name in recording


def test_site_has_no_broken_link() -> None:
    built = run(sys.executable, "tools/docs")
    tools = ROOT / "build/docs-tools/bin/mkdocs"
    if built.returncode != 0 and not tools.exists():
        pytest.skip("MkDocs could not be installed from PyPI")
    assert built.returncode == 0, built.stderr + built.stdout
    start = (ROOT / "build/site/index.html").read_text()
    assert "<h1" in start
    search = ROOT / "build/site/search/search_index.json"
    assert "pyq_table_eval" in search.read_text()
    # The site has a switch between light and dark of its own.
    assert re.search(r'src="[^"]*benchmark-light\.svg#only-light"', start)
    assert re.search(r'src="[^"]*benchmark-dark\.svg#only-dark"', start)
    assert "<picture>" not in start
    # The badge's link leads out of the site.
    assert not re.search(r"<img[^>]*> \(<code>LICENSE", start)


def test_site_reports_a_broken_link(tmp_path: Path) -> None:
    """On a copy of the documentation."""
    if not (ROOT / "build/docs-tools/bin/mkdocs").exists():
        pytest.skip("MkDocs could not be installed from PyPI")
    page = "page" + ".md"
    (tmp_path / "tools").mkdir()
    (tmp_path / "build").mkdir()
    (tmp_path / "tools/docs").write_bytes((ROOT / "tools/docs").read_bytes())
    (tmp_path / "build/docs-tools").symlink_to(ROOT / "build/docs-tools")
    for folder in ("tutorials", "how-to", "reference", "explanation"):
        (tmp_path / "docs" / folder).mkdir(parents=True)
        (tmp_path / "docs" / folder / page).write_text(f"# {folder}\n")
    (tmp_path / "docs/README.md").write_text("# Index\n")
    (tmp_path / "README.md").write_text(f"# Start\n\n[a page](docs/how-to/{page})\n")
    good = subprocess.run([sys.executable, tmp_path / "tools/docs"], text=True, capture_output=True)
    assert good.returncode == 0, good.stderr
    (tmp_path / "README.md").write_text(f"# Start\n\n[none](docs/how-to/missing-{page})\n")
    bad = subprocess.run([sys.executable, tmp_path / "tools/docs"], text=True, capture_output=True)
    assert bad.returncode != 0
    assert f"docs/how-to/missing-{page}" in bad.stderr + bad.stdout


def test_page_of_the_demonstration(tmp_path: Path) -> None:
    output = tmp_path / "output.txt"
    output.write_text("\n==== First <one>\nSELECT 1;\n\n==== Pictures\nSELECT 2 < 3;\n")
    picture = tmp_path / "petals.png"
    picture.write_bytes(b"\x89PNG\r\n\x1a\n")
    to = tmp_path / "page.html"
    made = run(ROOT / "tools/demo-page", output, to, picture)
    assert made.returncode == 0, made.stderr
    page = to.read_text()
    assert "First &lt;one&gt;" in page
    assert "SELECT 2 &lt; 3;" in page
    assert page.index("SELECT 2") < page.index("data:image/png;base64,iVBORw0KGgo=")


def make(*arguments: str) -> subprocess.CompletedProcess[str]:
    given = {"PG_CONFIG": PG_CONFIG}
    given |= dict(each.split("=", 1) for each in arguments if "=" in each)
    goals = [each for each in arguments if "=" not in each]
    return run("make", "-s", *goals, *[f"{name}={value}" for name, value in given.items()])


@pytest.mark.parametrize(
    ("variable", "package"),
    [("PG_CONFIG", "postgresql-server-dev"), ("PYTHON_CONFIG", "python3-dev")],
)
def test_make_names_the_package_of_a_missing_program(variable: str, package: str) -> None:
    failed = make("-n", "all", f"{variable}=/nonexistent/program")
    assert failed.returncode != 0
    assert len(failed.stderr.strip().splitlines()) == 1, failed.stderr
    assert "/nonexistent/program was not found" in failed.stderr
    assert package in failed.stderr


def test_make_names_the_package_of_missing_server_headers(tmp_path: Path) -> None:
    program = tmp_path / "pg_config"
    program.write_text(
        f'#!/bin/sh\nif [ "$1" = --pgxs ]; then echo /nonexistent; else {PG_CONFIG} "$@"; fi\n'
    )
    program.chmod(0o755)
    failed = make("-n", "all", f"PG_CONFIG={program}")
    assert failed.returncode != 0
    assert "has no development files: install postgresql-server-dev" in failed.stderr


@pytest.mark.parametrize(
    ("kind", "packages"),
    [
        ("extension", ["python3-dev", "libseccomp-dev", "nlohmann-json3-dev"]),
        ("gateway", ["libcpp-httplib-dev", "libflatbuffers-dev", "libpq-dev", "libssl-dev"]),
    ],
)
def test_make_names_the_packages_of_missing_headers(
    kind: str, packages: list[str], tmp_path: Path
) -> None:
    """With an empty folder as the only one of the compiler's."""
    failed = run(
        ROOT / "tools/prerequisites", kind, "g++", "-nostdinc", "-nostdinc++", "-I", tmp_path
    )
    assert failed.returncode == 1
    assert len(failed.stderr.strip().splitlines()) == 1
    for package in packages:
        assert package in failed.stderr
    assert ("WITHOUT_GATEWAY=1" in failed.stderr) == (kind == "gateway")


def test_make_names_a_missing_compiler() -> None:
    failed = run(ROOT / "tools/prerequisites", "extension", "no-such-compiler")
    assert failed.returncode == 1
    assert failed.stderr == "make: no-such-compiler was not found: install g++\n"


def test_older_library_is_named(conn: psycopg.Connection[Any]) -> None:
    """As CREATE EXTENSION does when the running server still has the former library."""
    text = (ROOT / "sql/00_header.sql").read_text()
    block = re.search(r"^DO \$\$.*?^\$\$;", text, re.DOTALL | re.MULTILINE)
    assert block
    library = run(PG_CONFIG, "--pkglibdir").stdout.strip() + "/oml_epe"
    check = block[0].replace("MODULE_PATHNAME", library)
    conn.execute(check)
    older = check.replace("epe_is_trusted_role", "epe_function_of_a_later_version")
    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as raised:
        conn.execute(older)
    assert "the library of oml_epe is older than its SQL objects" in str(raised.value)
    assert "restart the server" in (raised.value.diag.message_hint or "")
    conn.rollback()
