"""The pictures of docs/images show what their sources say: tools/diagrams."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from conftest import ROOT

IMAGES = ROOT / "docs/images"
SOURCES = sorted(IMAGES.glob("*.dot"))

needs_graphviz = pytest.mark.skipif(
    shutil.which("dot") is None, reason="graphviz (dot) is not installed"
)


def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [ROOT / "tools/diagrams", *arguments], capture_output=True, text=True, check=False
    )


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_picture_names_its_source(source):
    digest = hashlib.sha256(source.read_bytes()).hexdigest()
    first_line = source.with_suffix(".svg").read_text().splitlines()[0]
    assert source.name in first_line
    assert digest in first_line


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_picture_can_be_read_on_any_background(source):
    """The text is dark: the picture brings a light background of its own."""
    svg = source.with_suffix(".svg").read_text()
    assert '<polygon fill="white"' in svg


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)
def test_a_page_shows_each_picture(source):
    pages = [page.read_text() for page in (ROOT / "docs/explanation").glob("*.md")]
    assert any(f"](../images/{source.stem}.svg)" in page for page in pages)
    assert f"images/{source.stem}.svg" in (ROOT / "docs/README.md").read_text()


def test_the_diagram_of_jobs_has_the_states_of_the_table(conn):
    """The CHECK constraint of pyqsys.jobs and the picture name the same states."""
    constraint = conn.execute(
        """SELECT pg_get_constraintdef(oid) FROM pg_constraint
           WHERE conrelid = 'pyqsys.jobs'::regclass AND contype = 'c'"""
    ).fetchone()
    states = set(re.findall(r"'([^']+)'", constraint[0]))
    assert "queued" in states
    svg = (IMAGES / "job-states.svg").read_text()
    nodes = re.findall(r'class="node">\n<title>.*?</title>.*?>([^<>]+)</text>', svg, re.DOTALL)
    assert sorted(nodes) == sorted(states | {"submission"})


@needs_graphviz
def test_pictures_match_their_sources():
    done = run("--check")
    assert (done.returncode, done.stderr) == (0, "")


@needs_graphviz
@pytest.mark.parametrize(
    ("name", "edit"),
    [
        ("job-states.dot", lambda text: text.replace("-> queued", "-> running", 1)),
        ("job-states.dot", lambda text: text + "\n// a comment\n"),
        ("job-states.svg", lambda text: text.replace(">queued<", ">waiting<")),
        ("job-states.svg", lambda text: text.replace("running&#45;&gt;failed", "a")),
    ],
)
def test_a_picture_that_does_not_match(tmp_path, name: str, edit: Callable[[str], str]):
    for suffix in "dot", "svg":
        shutil.copy(IMAGES / f"job-states.{suffix}", tmp_path)
    path = tmp_path / name
    assert edit(path.read_text()) != path.read_text()
    path.write_text(edit(path.read_text()))
    before = (tmp_path / "job-states.svg").read_text()
    done = run("--check", tmp_path)
    assert done.returncode == 1
    assert "job-states.svg: run tools/diagrams" in done.stderr
    assert (tmp_path / "job-states.svg").read_text() == before
    assert run(tmp_path).returncode == 0
    assert run("--check", tmp_path).returncode == 0


@needs_graphviz
def test_files_without_their_counterpart(tmp_path):
    shutil.copy(IMAGES / "job-states.dot", tmp_path)
    assert run("--check", tmp_path).returncode == 1
    assert run(tmp_path).returncode == 0
    (tmp_path / "job-states.dot").unlink()
    done = run("--check", tmp_path)
    assert done.returncode == 1
    assert "there is no job-states.dot" in done.stderr
