#!/usr/bin/python3
"""What the report of an exception costs, and by how much work on a result overruns a time limit.

    tools/with-server bench/reports.py [--engine process] [--rounds 5]

The report's cost is the difference between a call whose exception leaves the script and one whose
script catches the same exception. Both include the frames and their destruction.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import statistics
import time
from collections.abc import Callable

import psycopg

CALL = "SELECT count(*) FROM pyq_eval(NULL, NULL, 'script') AS t(a text)"
DEEP = """
import sys
sys.setrecursionlimit(10 ** 7)
def recurse(n):
    if n == 0:
        raise ValueError("deep")
    recurse(n - 1)
def script():
    {start}recurse({depth}){end}
"""
CHAIN = """
def chained():
    error = ValueError("first")
    for number in range({depth}):
        following = ValueError(number)
        following.__cause__ = error
        error = following
    raise error
def script():
    {start}chained(){end}
"""
CAUGHT = {"start": "try:\n        ", "end": "\n    except ValueError:\n        return 1"}
LET_GO = {"start": "", "end": ""}
LIMIT = 0.5  # seconds
WORK = {
    "text, 700 MB of ASCII": "'x' * 700_000_000",
    "text, 300 million characters": "'\u00e4' * 300_000_000",
    "20 million ints in a list": "list(range(20_000_000))",
    "200 million ints in an array": "np.broadcast_to(np.int16(7), 200_000_000)",
    "20 million texts in an array": "np.full(20_000_000, 'x')",
}


def timed(action: Callable[[], object]) -> float:
    """Return the seconds that an action takes, whether the statement fails or not."""
    start = time.perf_counter()
    with contextlib.suppress(psycopg.Error):
        action()
    return time.perf_counter() - start


def main() -> None:
    """Print both tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine", default="backend")
    parser.add_argument("--rounds", type=int, default=5)
    options = parser.parse_args()
    connection = psycopg.connect(
        host=os.environ["PGHOST"],
        port=os.environ["PGPORT"],
        dbname=os.environ["PGDATABASE"],
        user=os.environ["PGUSER"],
        options=f"-c oml_epe.engine={options.engine}",
        autocommit=True,
    )
    connection.execute("CREATE EXTENSION IF NOT EXISTS oml_epe")

    def store(source: str) -> None:
        connection.execute("SELECT pyq_script_create('script', %s, false, true)", (source,))
        timed(lambda: connection.execute(CALL))  # loads it

    print(f"{'exception':<24}{'caught, ms':>12}{'reported, ms':>14}{'report, ms':>12}")
    for name, template in (("frames", DEEP), ("causes", CHAIN)):
        for depth in (10, 1000, 100_000):
            medians = []
            for ending in (CAUGHT, LET_GO):
                store(template.format(depth=depth, **ending))
                rounds = [timed(lambda: connection.execute(CALL)) for _ in range(options.rounds)]
                medians.append(1000 * statistics.median(rounds))
            print(
                f"{depth:>8} {name:<15}{medians[0]:>12.1f}{medians[1]:>14.1f}"
                f"{medians[1] - medians[0]:>12.1f}"
            )

    print(f"\n{'result':<34}{f'over {LIMIT} s, ms':>16}")
    for name, expression in WORK.items():
        connection.execute(
            "SELECT pyq_script_create('script', %s, false, true)",
            (f"import numpy as np\ndef script():\n    return {expression}\n",),
        )
        connection.execute(f"SET statement_timeout = {int(1000 * LIMIT)}")
        taken = timed(lambda: connection.execute(CALL))
        connection.execute("RESET statement_timeout")
        print(f"{name:<34}{1000 * max(0.0, taken - LIMIT):>16.0f}")


if __name__ == "__main__":
    main()
