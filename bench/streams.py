"""Calls as plan nodes beside the same calls as Function Scans, and the memory of long results.

    tools/with-server -c "shared_preload_libraries = 'oml_epe'" -c "shared_buffers = '1GB'" \\
        -c "jit = off" /usr/bin/python3 bench/streams.py [--rounds N] [--rows N]
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from typing import Any

import psycopg
from harness import BackendMemory, Contestant, Race, Target, race

NODE = "plan node"
SCAN = "Function Scan"
PLAIN = "plain SELECT"
PLPYTHON = "plpython3u"
MEGABYTE = 1 << 20
FRAMES = '{"oml_input_type": "pandas"}'
SCRIPTS = {
    "stream_frame": """
import numpy as np
import pandas as pd

frames = {}

def frame(n):
    if n not in frames:
        numbers = np.random.default_rng(42).random((3, n))
        frames[n] = pd.DataFrame({"a": np.arange(n, dtype=np.int32), "b": numbers[0],
                                  "c": numbers[1], "d": numbers[2]})
    return frames[n]
""",
    "stream_blocks": """
import numpy as np
import pandas as pd

def blocks(n, rows=50000):
    for first in range(0, n, rows):
        numbers = np.arange(first, min(first + rows, n), dtype=np.int32)
        yield pd.DataFrame({"a": numbers, "b": numbers * 0.5})
""",
    "stream_score": """
def score(data):
    data["b"] = data["b"] * 2
    return data
""",
    "stream_one": "def one(i):\n    return 1\n",
}


def connect(*settings: str) -> psycopg.Connection[Any]:
    connection = psycopg.connect("", autocommit=True)
    for setting in settings:
        connection.execute(f"SET {setting}")  # type: ignore[arg-type]
    return connection


def prepare(rows: int) -> None:
    with connect() as connection:
        connection.execute("CREATE EXTENSION oml_epe")
        for name, source in SCRIPTS.items():
            connection.execute("SELECT pyq_script_create(%s, %s, true)", (name, source))
        connection.execute(
            "CREATE TABLE stream_input AS"
            f" SELECT i AS a, i * 0.5::float8 AS b FROM generate_series(1, {rows}) AS i"
        )
        connection.execute("VACUUM ANALYZE stream_input")


def statement(name: str, query: str, *settings: str) -> Contestant:
    """Make a contestant that is one query, or some statements, in a session of its own."""
    connection = connect(*settings)

    def run() -> object:
        cursor = connection.execute(query)  # type: ignore[arg-type]
        return cursor.fetchall() if cursor.description else None

    return Contestant(name, run)


def both(query: str) -> list[Contestant]:
    return [
        statement(NODE, query, "oml_epe.plan_nodes = on"),
        statement(SCAN, query, "oml_epe.plan_nodes = off"),
    ]


def aggregate(rows: int, rounds: int) -> Race:
    query = (
        "SELECT count(*), sum(a), sum(b), max(c), min(d)"
        f" FROM pyq_eval('{{\"n\": {rows}}}', NULL, 'stream_frame')"
        " AS t(a int, b float8, c float8, d float8)"
    )
    outcome = race(f"{rows} x 4 of a frame into an aggregate", both(query), rounds)
    outcome.judge(Target("at least 3 times as fast", SCAN, NODE, 3))
    return outcome


def first_rows(rows: int, rounds: int) -> Race:
    query = (
        f"SELECT a, b FROM pyq_row_eval('stream_input', '{FRAMES}', NULL, 50000, 'stream_score')"
        " AS t(a int, b float8) LIMIT 10"
    )
    outcome = race(f"the first 10 of {rows} scored rows", both(query), rounds)
    value = outcome.median(NODE)
    if value is not None:
        outcome.judge_value("milliseconds", value, 30, at_most=True)
    return outcome


def created_table(rows: int, rounds: int) -> Race:
    """Each contestant creates a table and drops it again."""

    def created(source: str) -> str:
        return f"CREATE TABLE NAME AS SELECT a, b FROM {source}; DROP TABLE NAME"

    call = (
        f"pyq_row_eval('stream_input', '{FRAMES}', NULL, 50000, 'stream_score')"
        " AS t(a int, b float8)"
    )
    contestants = [
        statement(NODE, created(call).replace("NAME", "scored_node"), "oml_epe.plan_nodes = on"),
        statement(SCAN, created(call).replace("NAME", "scored_scan"), "oml_epe.plan_nodes = off"),
        statement(PLAIN, created("stream_input").replace("NAME", "scored_plain")),
    ]
    outcome = race(f"CREATE TABLE AS of {rows} scored rows", contestants, rounds)
    outcome.judge(Target("times the plain SELECT", NODE, PLAIN, 1.3, at_most=True))
    return outcome


def trivial(rounds: int, calls: int = 2000) -> Race:
    def query(call: str) -> str:
        return f"SELECT sum(one) FROM generate_series(1, {calls}) AS i, LATERAL {call}"

    ours = query("pyq_eval(json_build_object('i', i), NULL, 'stream_one') AS t(one int)")
    contestants = both(ours)
    with connect() as connection:
        try:
            connection.execute("CREATE EXTENSION plpython3u")
            connection.execute(
                "CREATE FUNCTION stream_plpython(i int) RETURNS int LANGUAGE plpython3u"
                " AS 'return 1'"
            )
        except psycopg.Error as problem:
            contestants.append(Contestant(PLPYTHON, lambda: None, missing=str(problem)))
        else:
            contestants.append(statement(PLPYTHON, query("stream_plpython(i) AS t(one)")))
    return race(f"{calls} trivial calls in LATERAL", contestants, rounds)


def memory(rows: int) -> Race:
    """Peak of a backend whose session has run a short call before."""
    outcome = Race("memory of the backend by the number of rows", unit="MB")
    calls: dict[str, Callable[[int], str]] = {
        "generator": lambda n: f"pyq_eval('{{\"n\": {n}}}', NULL, 'stream_blocks')",
        "row_eval": lambda n: (
            f"pyq_row_eval('SELECT * FROM stream_input LIMIT {n}', '{FRAMES}', NULL, 50000,"
            " 'stream_score')"
        ),
    }
    for name, call in calls.items():
        connection = connect("oml_epe.plan_nodes = on")
        connection.execute("SELECT count(b) FROM stream_input")
        for n in (100_000, rows // 10, rows):
            query = f"SELECT count(*) FROM {call(n)} AS t(a int, b float8)"
            work = partial(connection.execute, query)  # type: ignore[arg-type]
            peak = BackendMemory(connection.info.backend_pid).peak_of(work)
            outcome.figures.setdefault(f"{name}, {n} rows", []).append(peak / MEGABYTE)
    return outcome


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=2_000_000)
    options = parser.parse_args()
    prepare(options.rows)
    aggregate(options.rows, options.rounds).show()
    first_rows(options.rows, options.rounds).show()
    created_table(options.rows, options.rounds).show()
    trivial(options.rounds).show()
    memory(options.rows).show()


if __name__ == "__main__":
    main()
