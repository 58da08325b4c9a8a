"""The notebooks of docs/tutorials run from top to bottom with the stored outputs."""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "python"))
NOTEBOOKS = sorted((ROOT / "docs" / "tutorials").glob("*.ipynb"))

pytest.importorskip("cloudpickle")

import oml  # noqa: E402


@pytest.fixture
def client(server, database, monkeypatch):
    """Where the notebooks' connection leads: the environment of libpq."""
    with server.connect(database) as connection:
        info = connection.info
        for name, value in (
            ("PGHOST", info.host),
            ("PGPORT", str(info.port)),
            ("PGUSER", info.user),
            ("PGDATABASE", info.dbname),
        ):
            monkeypatch.setenv(name, value)
    monkeypatch.chdir(ROOT)
    yield
    oml.disconnect()


def run_cell(source: str, name: str, namespace: dict[str, object]) -> str:
    """Run a cell as a notebook would; return what it prints."""
    # Functions of the notebook are sent by their source, which inspect looks up here.
    linecache.cache[name] = (len(source), None, source.splitlines(keepends=True), name)
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(source, name, "exec"), namespace)
    return printed.getvalue()


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook(path, client):
    namespace: dict[str, object] = {"__name__": "__main__"}
    cells = json.loads(path.read_text())["cells"]
    shown = 0
    for number, cell in enumerate(cells):
        if cell["cell_type"] != "code":
            continue
        printed = run_cell("".join(cell["source"]), f"<{path.stem} {number}>", namespace)
        expected = "".join(line for each in cell["outputs"] for line in each["text"])
        assert printed == expected, f"cell {number}"
        shown += bool(expected)
    assert shown > 5
