"""The notebooks of docs/tutorials run from top to bottom with the stored outputs."""

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

ROOT = Path(__file__).resolve().parents[3]
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


@pytest.fixture
def execute(client, tmp_path):
    """A function that runs a notebook in Jupyter, with the package installed, and returns cells."""
    python = client_environments.require_notebook()
    shutil.copytree(ROOT / "python", tmp_path / "package")
    install = [python, "-m", "pip", "install", "-q", "--no-deps", "--no-build-isolation"]
    install += ["--no-index", "--force-reinstall", str(tmp_path / "package")]
    subprocess.run(install, check=True, capture_output=True)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    environment.update(JUPYTER_PLATFORM_DIRS="1", HOME=str(tmp_path), MPLBACKEND="agg")

    def run(path: Path) -> list[dict[str, Any]]:
        done = subprocess.run(
            [python, "-c", EXECUTE, str(path), str(path.parent)],
            capture_output=True,
            text=True,
            env=environment,
            cwd=tmp_path,
        )
        assert done.returncode == 0, done.stderr[-4000:]
        cells: list[dict[str, Any]] = json.loads(done.stdout)["cells"]
        return cells

    return run


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_in_jupyter(path, execute):
    """In its own folder, with what pip installs today, and nothing of the checkout on the path."""
    for wanted, found in zip(json.loads(path.read_text())["cells"], execute(path)):
        if wanted["cell_type"] == "code":
            assert stdout_of(found) == stdout_of(wanted), "".join(wanted["source"])


LIVE = [
    "import oml\nimport threading\nconnection = oml.connect()",
    """cursor = oml.cursor()
cursor.execute("SELECT pg_advisory_lock(4242)")
job = oml.submit("eval", '''
def wait_for_lock():
    import oml
    oml.progress(0.25, "<waiting>")
    oml.cursor().execute("SELECT pg_advisory_xact_lock(4242)")
''')
from IPython.display import display
display(job)
shown = [thread for thread in threading.enumerate() if thread.name == "oml-job"]
while job.progress is None:
    pass
cursor.execute("SELECT pg_advisory_unlock(4242)")
job.wait()
for thread in shown:
    thread.join()
print(len(shown))""",
    "job",
    "[oml.connect(), job.result()]",
]


def test_job_is_shown_in_jupyter(execute, tmp_path):
    """A display is updated in place; each shows the end of the job."""
    cells = [
        {"cell_type": "code", "id": f"c{number}", "metadata": {}, "source": source,
         "execution_count": None, "outputs": []}
        for number, source in enumerate(LIVE)
    ]  # fmt: skip
    path = tmp_path / "live.ipynb"
    path.write_text(
        json.dumps({"cells": cells, "metadata": {}, "nbformat": 4, "nbformat_minor": 5})
    )
    _, live, ended, last = execute(path)
    assert stdout_of(live) == "1\n"
    for cell in (live, ended):
        (shown,) = [each for each in cell["outputs"] if each["output_type"] == "display_data"]
        html = "".join(shown["data"]["text/html"])
        assert "<td>finished</td>" in html and "25 %" in html and "&lt;waiting&gt;" in html
        assert "oml.Job" in "".join(shown["data"]["text/plain"])
    assert "oml connection to database" in "".join(last["outputs"][0]["data"]["text/plain"])
