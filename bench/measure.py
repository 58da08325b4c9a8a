"""The measures of the issues' Speed tables; run by bench/run, which prepares server and peers."""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import clients
import columns
import engines
import package
import psycopg
from harness import OURS, BackendMemory, Contestant, Race, Target, race, reason_of, seconds_of

FRAME = '{"oml_input_type": "pandas.DataFrame"}'
ARRAY = '{"oml_input_type": "numpy.ndarray"}'
PLPYTHON = "plpython3u"
COPY = "COPY BINARY + numpy (client)"
SCAN = "scan: count(*) where last column is not null"
ALL_COUNTS = "scan: count(a), count(b), ..."
SORT = "scan and sort alone"
SORT_QUERY = (
    "SELECT count(*) FROM (SELECT * FROM grouped ORDER BY g OFFSET 0) q WHERE y IS NOT NULL"
)
LOOP = "the function in a Python loop"
CONSTRUCTOR = "pandas' own constructor in a loop"
PEER_LATERAL = "plpython3u scalar, LATERAL"
PEER_LISTED = "plpython3u scalar, in the select list"
OURS_LISTED = "oml_epe in the select list"
LOOP_GROUPS = 10_000
NUMERIC_COLUMN_BYTES = 4 + 3 * 8
HERE = Path(__file__).parent


class Bench:
    """Settings, connections and whether the extension is there."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.rounds: int = options.rounds
        self.rows: int = options.rows
        self.groups: int = options.groups
        self.calls: int = options.calls
        self.missing = ""  # why our contestants cannot take part

    def prepare(self) -> None:
        """Build the data and the functions of both sides."""
        self._psql("data.sql")
        self._psql("peers.sql")
        try:
            self._psql("ours.sql")
        except subprocess.CalledProcessError as problem:
            self.missing = (problem.stderr or "ours.sql failed").strip().splitlines()[0]

    def _psql(self, name: str) -> None:
        sizes = ["-v", f"rows={self.rows}", "-v", f"groups={self.groups}"]
        command = ["psql", "-X", "-q", "-o", "/dev/null", *sizes, "-f", str(HERE / name)]
        subprocess.run(command, check=True, stderr=subprocess.PIPE, text=True)

    def ours(self, query: str, **kwargs: Any) -> Contestant:
        """Make the extension's contestant."""
        if self.missing:
            return Contestant(OURS, lambda: None, missing=self.missing)
        return server(OURS, query, **kwargs)


def connect() -> psycopg.Connection[Any]:
    """Connect to the server of PGHOST."""
    return psycopg.connect("", autocommit=True)


def value(connection: psycopg.Connection[Any], query: str) -> Any:
    """Run a query; return the last column of its only row."""
    row = connection.execute(query).fetchone()  # type: ignore[arg-type]
    assert row is not None
    return row[-1]


def server(name: str, query: str, warm_ups: int = 1) -> Contestant:
    """Make a contestant that is one SQL statement, in a backend of its own."""
    connection = connect()
    return Contestant(name, lambda: value(connection, query), warm_ups)


def to_frame(bench: Bench, table: str, last: str, columns: list[str]) -> list[Contestant]:
    """Table to DataFrame: ours, plpython3u, the clients, and the bare scans."""
    query = f"SELECT * FROM {table}"
    by_rows, by_copy = connect(), clients.copy_connection()
    copy_frame = {"numeric4": clients.copy_numeric_frame, "mixed8": clients.copy_mixed_frame}[table]
    counts = ", ".join(f"count({column})" for column in columns)
    return [
        bench.ours(
            f"SELECT * FROM pyq_table_eval('{table}', '{FRAME}', NULL::int8, 'bench_length')"
        ),
        server(PLPYTHON, f"SELECT peer_length('{query}')"),
        Contestant("psycopg + pandas (client)", lambda: len(clients.psycopg_frame(by_rows, query))),
        Contestant(COPY, lambda: len(copy_frame(by_copy))),
        Contestant(
            "ADBC + Arrow + pandas (client)",
            lambda: len(clients.adbc_frame(query)),
            missing=clients.adbc_missing(),
        ),
        server(SCAN, f"SELECT count(*) FROM {table} WHERE {last} IS NOT NULL"),
        server(ALL_COUNTS, f"SELECT {counts} FROM {table}"),
        server("scan: count(*), no column", f"SELECT count(*) FROM {table}"),
    ]


def numeric_frame(bench: Bench) -> Race:
    """Measure (a): four numeric columns."""
    contestants = to_frame(bench, "numeric4", "d", ["a", "b", "c", "d"])
    outcome = race("4 numeric columns to a DataFrame", contestants, bench.rounds)
    outcome.judge(Target("at least 25 times plpython3u", PLPYTHON, OURS, 25))
    outcome.judge(Target("at least 2.5 times COPY BINARY + numpy", COPY, OURS, 2.5))
    outcome.judge(Target("at most 0.5 times the bare scan", OURS, SCAN, 0.5, at_most=True))
    return outcome


def mixed_frame(bench: Bench) -> Race:
    """Measure (b): eight mixed columns."""
    columns = ["id", "code", "x", "y", "z", "label", "taken_at", "amount"]
    contestants = to_frame(bench, "mixed8", "amount", columns)
    outcome = race("8 mixed columns to a DataFrame", contestants, bench.rounds)
    outcome.judge(Target("at least 8 times plpython3u", PLPYTHON, OURS, 8))
    outcome.judge(Target("at most 1.5 times the bare scan", OURS, SCAN, 1.5, at_most=True))
    return outcome


def memory(bench: Bench) -> Race:
    """Measure (c): growth of a fresh backend over the bytes of the columns."""
    outcome = Race("peak memory above the backend's own, over the column bytes", unit="x")
    jobs = {
        OURS: f"SELECT * FROM pyq_table_eval('%s', '{FRAME}', NULL::int8, 'bench_length')",
        PLPYTHON: "SELECT peer_length('%s')",
    }
    for name, job in jobs.items():
        if name == OURS and bench.missing:
            outcome.missing[name] = bench.missing
            continue
        try:
            outcome.figures[name] = [
                peak_growth(job) / (bench.rows * NUMERIC_COLUMN_BYTES) for _ in range(3)
            ]
        except Exception as problem:
            outcome.missing[name] = reason_of(problem)
            outcome.failed = True
    mine = outcome.median(OURS)
    if mine is not None:
        outcome.judge_value("at most 1.3 times the column bytes", mine, 1.3, at_most=True)
    return outcome


def peak_growth(job: str) -> int:
    """Bytes that a fresh backend takes for the job, beyond shared buffers and the interpreter."""
    with connect() as connection:
        # Shared buffers count as resident from the first touch; modules are imported once.
        value(connection, "SELECT count(d) FROM numeric4")
        value(connection, job % "SELECT * FROM numeric4 LIMIT 10")
        backend = BackendMemory(connection.info.backend_pid)
        return backend.peak_of(lambda: value(connection, job % "SELECT * FROM numeric4"))


def rows_back(bench: Bench) -> Race:
    """Measure (d): a DataFrame becomes rows, which SQL counts."""
    n = bench.rows
    contestants = [
        bench.ours(
            f"SELECT count(*) FROM pyq_eval('{{\"n\": {n}}}', NULL::numeric4, 'bench_rows')"
        ),
        server("plpython3u set-returning", f"SELECT count(*) FROM peer_rows({n})"),
    ]
    outcome = race("DataFrame of 4 columns to rows", contestants, bench.rounds)
    outcome.judge(Target("at least 10 times plpython3u", "plpython3u set-returning", OURS, 10))
    return outcome


def grouped(bench: Bench, kind: str) -> Race:
    """Measures (e) and (f): a small reduction per group."""
    is_frame = kind == "frame"
    script = "bench_reduce_frame" if is_frame else "bench_reduce"
    peer = "peer_reduce_frame" if is_frame else "peer_reduce"
    peer_name = "plpython3u on array_agg arrays"
    contestants = [
        bench.ours(
            f"SELECT sum(r) FROM pyq_group_eval('grouped', '{FRAME if is_frame else ARRAY}', "
            f"NULL::float8, 'g', NULL, '{script}') r"
        ),
        server(
            peer_name,
            f"SELECT sum(r) FROM (SELECT {peer}(array_agg(x), array_agg(y)) AS r "
            "FROM grouped GROUP BY g) q",
        ),
    ]
    outcome = race(f"{bench.groups} groups, {kind}s", contestants, bench.rounds)
    # The cost of a group in the other contestants, interleaved. The Python loops time
    # themselves inside the server, without the cutting; over some of the groups, since each group
    # costs the same.
    connection = connect()
    part = max(1, bench.groups // LOOP_GROUPS)
    sizes = f"{bench.rows // part}, {bench.groups // part}"
    loop = "SELECT loop_seconds('{}', " + f"{sizes}) * {part}"
    parts: dict[str, Callable[[], float]] = {
        SORT: lambda: seconds_of(lambda: value(connection, SORT_QUERY)),
        LOOP: lambda: value(connection, loop.format(kind)),
    }
    if is_frame:
        parts[CONSTRUCTOR] = lambda: value(connection, loop.format("constructor"))
    for number in range(bench.rounds + 1):
        figures = {name: work() * 1e3 for name, work in parts.items()}
        if number > 0:  # the first round warms up
            for name, figure in figures.items():
                outcome.figures.setdefault(name, []).append(figure)
    judge_groups(outcome, bench.groups, peer_name)
    return outcome


def judge_groups(outcome: Race, groups: int, peer_name: str) -> None:
    """Compute our own overhead per group: the whole less scan, sort and the reduction itself."""
    outcome.judge(Target("faster than plpython3u", peer_name, OURS, 1))
    whole, sort, loop = outcome.median(OURS), outcome.median(SORT), outcome.median(LOOP)
    if whole is None or sort is None or loop is None:
        outcome.verdicts.append("own overhead per group: not measured")
        return
    overhead = (whole - sort - loop) * 1e3 / groups
    constructor = outcome.median(CONSTRUCTOR)
    if constructor is None:
        outcome.judge_value("own overhead at most 10 us a group", overhead, 10, at_most=True)
        return
    text = "own overhead, making the frame included, at most 40 us a group"
    outcome.judge_value(text, overhead, 40, at_most=True)
    own = constructor * 1e3 / groups
    outcome.verdicts.append(
        f"pandas' own constructor: {own:.1f} us; ours less that: {overhead - own:.1f} us"
    )


def warm_call(bench: Bench) -> Race:
    """Measure (g): one trivial call after the other inside one statement, us a call."""
    n = bench.calls
    # The script's name depends on the row, or the planner would call the function once.
    name = "CASE WHEN i > 0 THEN 'bench_one' END"
    lateral = f"SELECT count(r) FROM generate_series(1, {n}) i, LATERAL"
    contestants = [
        bench.ours(f"{lateral} pyq_eval('{{}}', NULL::int4, {name}) r"),
        server(PEER_LATERAL, f"{lateral} peer_one(i) r"),
        server("plpython3u set-returning, LATERAL", f"{lateral} peer_one_set(i) r"),
        server(
            PEER_LISTED,
            f"SELECT count(peer_one(i)) FROM generate_series(1, {n}) i",
        ),
        server("abs(int) of SQL, LATERAL", f"{lateral} abs(i) r"),
    ]
    if not bench.missing:
        select_list = (
            f"SELECT count(r) FROM (SELECT pyq_eval('{{}}', NULL::int4, {name}) AS r "
            f"FROM generate_series(1, {n}) i OFFSET 0) q"
        )
        contestants.insert(1, server(OURS_LISTED, select_list))
    outcome = race("a trivial call inside one statement", contestants, bench.rounds, per=1e-6 * n)
    outcome.unit = "us"
    bound = "at most 2 times plpython3u"
    outcome.judge(Target(f"{bound}, both LATERAL", OURS, PEER_LATERAL, 2, at_most=True))
    outcome.judge(
        Target(f"{bound}, both in the select list", OURS_LISTED, PEER_LISTED, 2, at_most=True)
    )
    return outcome


def round_trip(bench: Bench) -> Race:
    """Measure (g): a trivial prepared statement from the client, us a call."""
    n = max(1, bench.calls // 50)

    def repeated(name: str, query: str) -> Contestant:
        connection = connect()

        def run() -> object:
            for _ in range(n):
                found = connection.execute(query, prepare=True).fetchone()  # type: ignore[arg-type]
            return found

        return Contestant(name, run)

    contestants = [
        repeated("plpython3u scalar", "SELECT peer_one(1)"),
        repeated("select 1", "SELECT 1"),
    ]
    if bench.missing:
        contestants.insert(0, Contestant(OURS, lambda: None, missing=bench.missing))
    else:
        ours = "SELECT * FROM pyq_eval('{}', NULL::int4, 'bench_one')"
        contestants.insert(0, repeated(OURS, ours))
    outcome = race("a trivial call, client round trip", contestants, bench.rounds, per=1e-6 * n)
    outcome.unit = "us"
    outcome.judge(Target("at most 2 times plpython3u", OURS, "plpython3u scalar", 2, at_most=True))
    return outcome


def simple_measure(measure: Callable[[int], Race]) -> Callable[[Bench], Race]:
    """Adapt a measure of engines.py, package.py or columns.py."""
    return lambda bench: measure(bench.rounds)


MEASURES: dict[str, Callable[[Bench], Race]] = {
    "numeric": numeric_frame,
    "mixed": mixed_frame,
    "memory": memory,
    "rows": rows_back,
    "groups": lambda bench: grouped(bench, "array"),
    "frames": lambda bench: grouped(bench, "frame"),
    "call": warm_call,
    "roundtrip": round_trip,
    **{
        name: simple_measure(measure)
        for name, measure in {
            **engines.MEASURES,
            **package.MEASURES,
            **columns.MEASURES,
        }.items()
    },
}


def describe_machine() -> str:
    """Return one line about processor and versions."""
    cpu = platform.processor() or platform.machine()
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.split(":", 1)[1].strip()
            break
    with connect() as connection:
        version = value(connection, "SHOW server_version")
    return (
        f"{cpu}, {os.cpu_count()} processors, Linux {platform.release()}, PostgreSQL {version}, "
        f"Python {platform.python_version()}, psycopg {psycopg.__version__} "
        f"({psycopg.pq.__impl__})"
    )


def main() -> int:
    """Run the chosen measures."""
    parser = argparse.ArgumentParser(prog="bench/run", description=__doc__)
    parser.add_argument("--rounds", type=int, default=5, help="runs that count (default 5)")
    parser.add_argument("--rows", type=int, default=2_000_000)
    parser.add_argument("--groups", type=int, default=100_000)
    parser.add_argument("--calls", type=int, default=100_000, help="of the trivial function")
    parser.add_argument("--only", default=",".join(MEASURES), help="measures: %(default)s")
    parser.add_argument("--json", type=Path, help="also write all figures there")
    options = parser.parse_args()
    chosen = options.only.split(",")
    unknown = [name for name in chosen if name not in MEASURES]
    if unknown:
        parser.error(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}")

    print(describe_machine())
    print(f"{options.rows} rows, {options.rounds} rounds: median, ratio to ours, least .. most")
    bench = Bench(options)
    bench.prepare()
    if bench.missing:
        print(f"oml_epe cannot take part: {bench.missing}")
    outcomes = {}
    for name in chosen:
        outcomes[name] = MEASURES[name](bench)
        outcomes[name].show()
    if options.json:
        figures = {name: vars(outcome) for name, outcome in outcomes.items()}
        options.json.write_text(json.dumps(figures, indent=1) + "\n")
    return 1 if any(outcome.failed for outcome in outcomes.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
