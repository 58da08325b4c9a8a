"""Pickles made before the modules of package oml moved into folders: pickles_of_1_1_0.json.

The file holds, by name, pickles of proxies, exceptions, classes and functions in base64; they were
made by commit 8247b00, over the rows of ROWS. They name modules that no longer exist.
"""

from __future__ import annotations

import base64
import datetime
import decimal
import importlib
import json
import pickle
import pickletools
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "python"))

import oml  # noqa: E402
from oml import _moved  # noqa: E402

PICKLES = {
    name: base64.b64decode(text)
    for name, text in json.loads(
        (Path(__file__).parent / "pickles_of_1_1_0.json").read_text()
    ).items()
}
UTC = datetime.timezone.utc
DAY, HOUR = datetime.datetime(2020, 2, 29), datetime.timedelta(hours=1)
#: Column -> class and values.
COLUMNS: dict[str, tuple[str, list[Any]]] = {
    "small": ("Integer", [1, 2, 3]),
    "whole": ("Integer", [1, 2, 3]),
    "exact": ("Float", [0.5, 1.0, 1.5]),
    "part": ("Float", [0.5, 1.0, 1.5]),
    "flag": ("Boolean", [False, True, True]),
    "word": ("String", ["a1", "a2", "a3"]),
    "raw": ("Bytes", [b"\0"] * 3),
    "day": ("Datetime", [datetime.date(2020, 3, n) for n in (1, 2, 3)]),
    "point": ("Datetime", [DAY + n * HOUR for n in (1, 2, 3)]),
    "instant": ("Timezone", [DAY.replace(tzinfo=UTC)] * 3),
    "span": ("Timedelta", [n * HOUR for n in (1, 2, 3)]),
    "list": ("String", [[1], [2], [3]]),
    "condition": ("Boolean", [False, True, True]),
}
# fmt: off
CLASSES = [
    "Boolean", "Bytes", "DataFrame", "Datetime", "Float", "Integer", "String", "Timedelta",
    "Timezone", "Cursor", "Job", "DatabaseError", "ScriptError",
]
FUNCTIONS = [
    "connect", "cursor", "disconnect", "isconnected", "check_embed", "output_comments", "progress",
    "create", "push", "drop", "dir", "sync", "grant", "revoke", "do_eval", "table_apply",
    "row_apply", "group_apply", "index_apply", "job", "jobs", "submit", "hist", "boxplot",
    "export_script", "import_script",
]
# fmt: on


def globals_of(data: bytes) -> set[str]:
    """Return the names of modules, functions and classes in a pickle."""
    texts = [str(a) for op, a, _ in pickletools.genops(data) if op.name == "SHORT_BINUNICODE"]
    return {
        text for text in texts if text.startswith("oml") or text in ("_from_parts", "_unpickle")
    }


@pytest.fixture
def client(conn: psycopg.Connection[Any]) -> Iterator[None]:
    info = conn.info
    oml.connect(user=info.user, host=info.host, port=info.port, service_name=info.dbname)
    yield
    oml.disconnect()


def test_the_pickles_name_modules_that_have_moved() -> None:
    named = {
        str(argument)
        for data in PICKLES.values()
        for _, argument, _ in pickletools.genops(data)
        if str(argument) in _moved.MOVED
    }
    assert named == {"oml._connecting", "oml._cursor", "oml._grants", "oml._jobs", "oml._relations"}


@pytest.mark.parametrize("name", COLUMNS)
def test_columns(client: None, name: str) -> None:
    kind, values = COLUMNS[name]
    column = pickle.loads(PICKLES[name])
    assert type(column) is getattr(oml, kind)
    assert column.pull() == values
    assert type(column.pull()[0]) is not decimal.Decimal
    assert column.count() == 3 and column.columns == ["COL1" if name == "condition" else name]


def test_frames(client: None) -> None:
    frame = pickle.loads(PICKLES["frame"])
    assert type(frame) is oml.DataFrame
    assert frame.columns == [name for name in COLUMNS if name != "condition"]
    for name, column in zip(frame.columns, zip(*frame.pull(aslist=True))):
        assert list(column) == [
            decimal.Decimal(v) if name == "exact" else v for v in COLUMNS[name][1]
        ]
    assert pickle.loads(PICKLES["selected"]).pull(aslist=True) == [(3, 1.5), (2, 1.0)]
    # A pickle of today names the same functions, so that the version of these pickles can load it.
    for name, made in (("frame", frame), ("whole", frame["whole"])):
        assert globals_of(pickle.dumps(made, 4)) == globals_of(PICKLES[name])


def test_exceptions() -> None:
    error = pickle.loads(PICKLES["error"])
    assert type(error) is oml.DatabaseError
    assert (str(error), error.sqlstate, error.hint) == ("text", "22012", "b")
    assert type(pickle.loads(PICKLES["script_error"])) is oml.ScriptError


def test_classes_and_functions() -> None:
    assert pickle.loads(PICKLES["classes"]) == [getattr(oml, name) for name in CLASSES]
    functions = [getattr(oml, name) for name in FUNCTIONS]
    functions += [oml.ds.save, oml.ds.load, oml.script.create, oml.script.load]
    assert pickle.loads(PICKLES["functions"]) == [*functions, oml.core.methods._get_conn]


def test_pickles_of_today_name_no_private_module() -> None:
    """They are loaded by other versions of the package, too."""
    for name in (*CLASSES, *FUNCTIONS):
        data = pickle.dumps(getattr(oml, name), 4)
        modules = [str(a) for _, a, _ in pickletools.genops(data) if str(a).startswith("oml")]
        assert modules and not [each for each in modules if "._" in each], (name, modules)


@pytest.mark.parametrize("name", _moved.MOVED)
def test_moved_modules_are_the_same_under_both_names(name: str) -> None:
    new = importlib.import_module(_moved.MOVED[name])
    spec = new.__spec__
    assert importlib.import_module(name) is new
    assert new.__spec__ is spec and new.__name__ == _moved.MOVED[name]
    assert spec is not None and spec.name == new.__name__


def test_a_pickle_is_the_first_thing_a_program_loads() -> None:
    """Only the import system has prepared the package."""
    code = (
        "import pickle, sys; found = pickle.loads(sys.stdin.buffer.read());"
        "print(len(found), all(map(callable, found)))"
    )
    for name, count in (("functions", len(FUNCTIONS) + 5), ("classes", len(CLASSES))):
        done = subprocess.run(
            [sys.executable, "-c", code],
            input=PICKLES[name],
            capture_output=True,
            env={"PYTHONPATH": str(ROOT / "python")},
        )
        assert done.stdout.decode().split() == [str(count), "True"], done.stderr.decode()


SCRIPT = """
import base64, importlib, json, pickle
def load(pickles, moved):
    import oml
    made = {name: pickle.loads(base64.b64decode(text)) for name, text in pickles.items()}
    for old, new in moved.items():
        assert importlib.import_module(old) is importlib.import_module(new), old
    def pulled(each):  # arrays are lists
        return repr([v.tolist() if hasattr(v, "tolist") else v for v in each.pull()])
    return json.dumps({name: [type(each).__name__, pulled(each)]
                       for name, each in made.items() if name != "frame" and hasattr(each, "pull")})
"""


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_in_an_engine(conn: psycopg.Connection[Any], engine: str) -> None:
    conn.execute("SELECT set_config('oml_epe.engine', %s, false)", (engine,))
    conn.execute("SELECT pyq_script_create('load', %s, false, true)", (SCRIPT,))
    # psycopg is not there: the modules that only a client uses.
    client_only = {"oml._client", "oml._fast_copy"}
    moved = {old: new for old, new in _moved.MOVED.items() if old not in client_only}
    pickles = {name: base64.b64encode(data).decode() for name, data in PICKLES.items()}
    ((text,),) = conn.execute(
        "SELECT * FROM pyq_eval(%s, NULL, 'load') AS t(result text)",
        (json.dumps({"pickles": pickles, "moved": moved, "oml_connect": 1}),),
    ).fetchall()
    made = json.loads(text)
    for name, (kind, values) in COLUMNS.items():
        assert made[name] == [kind, repr(values)], name
