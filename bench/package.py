"""Measures of package oml on a client, and of datastores."""

from __future__ import annotations

import os
import pickle
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psycopg
from harness import Contestant, Race, Target, race

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "python"))

PULL = "oml: pull()"
READ_SQL = "psycopg + pandas read_sql"
FILE = "pickle to a file and back"
STORE = "datastore in the backend"
PROCESS = "datastore in an engine process"
MODEL_BYTES = 100_000_000
SAVE_AND_LOAD = """
def save_and_load(size):
    import numpy as np
    import oml

    model = {f"weights{i}": np.full(size // 40, 0.5) for i in range(5)}
    oml.ds.save(model, name="bench", overwrite=True)
    loaded = oml.ds.load("bench", to_globals=False)
    return int(sum(len(each) for each in loaded.values()))
"""
SCORE = """
def score(dat):
    import numpy as np
    import oml

    model = oml.ds.load("bench_model", to_globals=False)["weights"]
    return dat @ model
"""


def pull(rounds: int) -> Race:
    """2 M x 4 numbers to a frame on the client."""
    import oml

    oml.connect()
    frame = oml.sync(table="numeric4")
    connection = psycopg.connect("", autocommit=True)

    def read_sql() -> int:
        return len(pd.read_sql("SELECT * FROM numeric4", connection))

    contestants = [
        Contestant(PULL, lambda: len(frame.pull())),
        Contestant(READ_SQL, read_sql, warm_ups=0),
    ]
    outcome = race("2 M x 4 numbers pulled to a client", contestants, rounds)
    outcome.judge(Target("at least 5 times read_sql", READ_SQL, PULL, 5))
    return outcome


def model(rounds: int) -> Race:
    """A model of 100 MB, saved and loaded."""

    def through_file() -> int:
        made = {f"weights{i}": np.full(MODEL_BYTES // 40, 0.5) for i in range(5)}
        with tempfile.TemporaryFile(dir=os.environ.get("TMPDIR")) as file:
            pickle.dump(made, file, protocol=5)
            file.seek(0)
            return int(sum(len(each) for each in pickle.load(file).values()))

    def through_store(engine: str) -> Callable[[], Any]:
        connection = psycopg.connect("", autocommit=True)
        connection.execute(f"SET oml_epe.engine = {engine}")
        call = f"SELECT * FROM pyq_eval('{{\"size\": {MODEL_BYTES}}}', NULL::int8, 'save_and_load')"

        def run() -> Any:
            row = connection.execute(call).fetchone()
            assert row is not None
            return row[0]

        return run

    with psycopg.connect("", autocommit=True) as connection:
        connection.execute("SELECT pyq_script_create('save_and_load', %s)", (SAVE_AND_LOAD,))
    contestants = [
        Contestant(FILE, through_file),
        Contestant(STORE, through_store("backend")),
        Contestant(PROCESS, through_store("process")),
    ]
    outcome = race("a model of 100 MB saved and loaded", contestants, rounds)
    outcome.judge(Target("at most 1.3 times a pickle file", STORE, FILE, 1.3, at_most=True))
    return outcome


def scoring(rounds: int) -> Race:
    """2 M rows scored by a stored model in chunks of 100 000, two engines; time per stage."""
    outcome = Race("2 M rows scored with a stored model, two engines")
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute("SELECT pyq_script_create('score', %s)", (SCORE,))
        connection.execute(
            "SELECT pyq_script_create('keep', $$\nimport numpy as np, oml\ndef keep():\n"
            "    oml.ds.save({'weights': np.array([.1, .2, .3, .4])}, name='bench_model',"
            " overwrite=True)\n    return 1$$)"
        )
        connection.execute("SELECT * FROM pyq_eval(NULL::text, NULL::int, 'keep')")
        for number in range(rounds + 1):
            connection.execute(
                "SELECT count(*) FROM pyq_row_eval('numeric4', '{\"oml_parallel\": 2}', "
                "NULL::float8, 100000, 'score')"
            )
            row = connection.execute(
                "SELECT total_ms, scan_ms, convert_ms, python_ms, wait_ms, emit_ms "
                "FROM pyq_last_call()"
            ).fetchone()
            assert row is not None
            if number > 0:
                for name, value in zip(
                    ("total", "scan", "convert", "python", "wait", "emit"), row, strict=True
                ):
                    outcome.figures.setdefault(name, []).append(value)
    return outcome


MEASURES: dict[str, Callable[[int], Race]] = {
    "package_pull": pull,
    "package_model": model,
    "package_scoring": scoring,
}
