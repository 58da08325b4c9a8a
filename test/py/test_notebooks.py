"""The notebooks of docs/tutorials run from top to bottom and print what they show."""

from __future__ import annotations

import contextlib
import io
import json
import linecache
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import client_environments
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
    monkeypatch.chdir(NOTEBOOKS[0].parent)  # as Jupyter does
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


EXECUTE = """
import json, sys
import nbclient, nbformat
path, folder = sys.argv[1:]
notebook = nbformat.read(path, 4)
client = nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": folder}})
client.execute()
print(json.dumps(notebook))
"""


def stdout_of(cell: dict[str, Any]) -> str:
    texts = [
        each["text"]
        for each in cell["outputs"]
        if each.get("name", "stdout") == "stdout" and each["output_type"] == "stream"
    ]
    return "".join(text if isinstance(text, str) else "".join(text) for text in texts)


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_in_jupyter(path, client, tmp_path):
    """In its own folder, with what pip installs today, and nothing of the checkout on the path."""
    python = client_environments.require_notebook()
    shutil.copytree(ROOT / "python", tmp_path / "package")
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    install += ["--no-index", "--force-reinstall", str(tmp_path / "package")]
    subprocess.run(install, check=True, capture_output=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.update(JUPYTER_PLATFORM_DIRS="1", HOME=str(tmp_path), MPLBACKEND="agg")
    done = subprocess.run(
        [python, "-c", EXECUTE, str(path), str(path.parent)],
        capture_output=True,
        text=True,
        env=environment,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    executed = json.loads(done.stdout)["cells"]
    for wanted, found in zip(json.loads(path.read_text())["cells"], executed):
        if wanted["cell_type"] == "code":
            assert stdout_of(found) == stdout_of(wanted), "".join(wanted["source"])
