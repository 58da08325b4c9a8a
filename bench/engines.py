"""Measures of engine processes."""

from __future__ import annotations

import statistics
import subprocess
import threading
import time
from collections.abc import Callable
from typing import Any

import psycopg
from harness import OURS, Contestant, Race, Target, race

ONE = "one engine process"
TWO = "two engine processes"
BACKEND = "the backend's own engine"
PROCESS = "an engine process"
ALONE = "pgbench alone"
SEGMENT_SECONDS = 10
KILLS_A_SECOND = 50


def connect(*settings: str) -> psycopg.Connection[Any]:
    """Connect to the server of PGHOST; scripts run in engine processes unless told otherwise."""
    connection = psycopg.connect("", autocommit=True)
    for setting in ("oml_epe.engine = process", *settings):
        connection.execute(f"SET {setting}")
    return connection


def statement(name: str, query: str, *settings: str, warm_ups: int = 1) -> Contestant:
    """Make a contestant that is one statement, in a session of its own."""
    connection = connect(*settings)

    def run() -> object:
        row = connection.execute(query).fetchone()  # type: ignore[arg-type]
        assert row is not None
        return row[-1]

    return Contestant(name, run, warm_ups)


def scaling(title: str, script: str, bound: float, rounds: int) -> Race:
    """Chunks of work on two engines against one."""
    query = (
        "SELECT sum(r) FROM pyq_row_eval('SELECT * FROM numeric4 LIMIT 64000', '{}', "
        f"NULL::float8, 1000, '{script}') r"
    )
    contestants = [
        statement(ONE, query),
        statement(TWO, query.replace("'{}'", "'{\"oml_parallel\": 2}'")),
    ]
    outcome = race(title, contestants, rounds)
    outcome.judge(Target(f"at least {bound} times as fast", ONE, TWO, bound))
    return outcome


def python_bound(rounds: int) -> Race:
    """Pure Python: the interpreter's own loop."""
    return scaling("pure Python over 64 chunks", "bench_python", 1.9, rounds)


def numpy_bound(rounds: int) -> Race:
    """Work inside numpy."""
    return scaling("numpy over 64 chunks", "bench_numpy", 1.8, rounds)


def first_call(rounds: int) -> Race:
    """Time the first call of a new session that needs pandas; connecting is not counted."""

    def first(query: str) -> Callable[[], object]:
        def run() -> object:
            with connect("oml_epe.engine_nice = 0") as connection:
                began = time.perf_counter()
                row = connection.execute(query).fetchone()  # type: ignore[arg-type]
                seconds.append(time.perf_counter() - began)
                assert row is not None
                return row[-1]

        seconds: list[float] = []
        run.seconds = seconds  # type: ignore[attr-defined]
        return run

    outcome = Race("first call of a session that needs pandas")
    runs = {
        OURS: first("SELECT * FROM pyq_eval('{}', NULL::int4, 'bench_pandas')"),
        "plpython3u": first("SELECT peer_pandas()"),
    }
    for number in range(rounds * 4 + 1):
        for name, run in runs.items():
            run()
            if number > 0:
                outcome.figures.setdefault(name, []).append(run.seconds[-1] * 1e3)  # type: ignore[attr-defined]
    outcome.judge_value("under 10 ms", outcome.median(OURS) or 0, 10, at_most=True)
    return outcome


def round_trip(rounds: int, calls: int = 2000) -> Race:
    """A trivial prepared statement in a warm engine process, us a call."""

    def repeated(name: str, query: str, *settings: str) -> Contestant:
        connection = connect(*settings)

        def run() -> object:
            for _ in range(calls):
                found = connection.execute(query, prepare=True).fetchone()  # type: ignore[arg-type]
            return found

        return Contestant(name, run)

    call = "SELECT * FROM pyq_eval('{}', NULL::int4, 'bench_one')"
    contestants = [
        repeated(OURS, call),
        repeated(BACKEND, call, "oml_epe.engine = backend"),
        repeated("plpython3u", "SELECT peer_one(1)"),
        repeated("select 1", "SELECT 1"),
    ]
    outcome = race("warm round trip to an engine process", contestants, rounds, 1e-6 * calls)
    outcome.unit = "us"
    outcome.judge_value("under 200 us", outcome.median(OURS) or 0, 200, at_most=True)
    return outcome


def table(rounds: int) -> Race:
    """2 M x 4 numeric columns into a process, against the backend's own engine."""
    query = (
        "SELECT * FROM pyq_table_eval('numeric4', "
        "'{\"oml_input_type\": \"pandas.DataFrame\"}', NULL::int8, 'bench_length')"
    )
    contestants = [
        statement(PROCESS, query),
        statement(BACKEND, query, "oml_epe.engine = backend"),
    ]
    outcome = race("4 numeric columns to a DataFrame in a process", contestants, rounds)
    outcome.judge(
        Target("at most 1.25 times the backend's engine", PROCESS, BACKEND, 1.25, at_most=True)
    )
    return outcome


def groups(rounds: int) -> Race:
    """100 000 groups as arrays, on two engines against one."""
    query = (
        "SELECT sum(r) FROM pyq_group_eval('grouped', '{}', NULL::float8, 'g', NULL, "
        "'bench_reduce') r"
    )
    contestants = [
        statement(ONE, query),
        statement(TWO, query.replace("'{}'", "'{\"oml_parallel\": 2}'")),
        statement(BACKEND, query, "oml_epe.engine = backend"),
    ]
    outcome = race("groups as arrays on two engines", contestants, rounds)
    one, two = outcome.median(ONE), outcome.median(TWO)
    if one and two:
        outcome.judge_value(
            "at most 1.3 times half of one engine", two / (one / 2), 1.3, at_most=True
        )
    return outcome


def pgbench(clients: int) -> tuple[float, int]:
    """Run pgbench -S for a while; return transactions per second, and how many failed."""
    done = subprocess.run(
        ["pgbench", "-S", "-n", "-c", str(clients), "-T", str(SEGMENT_SECONDS)],
        capture_output=True,
        text=True,
        check=True,
    )
    rate = failed = 0.0
    for line in done.stdout.splitlines():
        if line.startswith("tps ="):
            rate = float(line.split()[2])
        if line.startswith("number of failed transactions:"):
            failed = float(line.split(":")[1].split()[0])
    return rate, int(failed)


def prepare_pgbench() -> None:
    """Make pgbench's tables."""
    subprocess.run(["pgbench", "-i", "-s", "10", "-q"], capture_output=True, check=True)


def beside(outcome: Race, name: str, load: Callable[[threading.Event], None], clients: int) -> None:
    """Run one segment of pgbench while `load` runs, and one alone."""
    rate, failed = pgbench(clients)
    outcome.figures.setdefault(ALONE, []).append(rate)
    stop = threading.Event()
    loads = threading.Thread(target=load, args=(stop,))
    loads.start()
    time.sleep(0.5)
    rate, more = pgbench(clients)
    stop.set()
    loads.join()
    outcome.figures.setdefault(name, []).append(rate)
    if failed + more:
        outcome.verdicts.append(f"{failed + more} transactions of pgbench failed - MISSED")


def kills(_: int, wanted: int = 10_000) -> Race:
    """Run pgbench beside engines that are killed, one after the other."""
    prepare_pgbench()
    outcome = Race("pgbench -S -c 1 beside engine kills", unit="tps")
    died = wrong = 0

    def kill_engines(stop: threading.Event) -> None:
        nonlocal died, wrong
        with connect() as connection:
            due = time.perf_counter()
            while not stop.is_set():
                try:
                    connection.execute("SELECT * FROM pyq_eval('{}', NULL::int4, 'bench_die')")
                    wrong += 1
                except psycopg.Error as error:
                    wrong += "signal 9" not in str(error)
                died += 1
                due += 1 / KILLS_A_SECOND
                time.sleep(max(0.0, due - time.perf_counter()))

    while died < wanted:
        beside(outcome, "beside kills", kill_engines, clients=1)
    with connect() as connection:
        restarted = connection.execute(
            "SELECT pg_postmaster_start_time() > now() - interval '1 minute'"
        ).fetchone()
    outcome.verdicts.append(
        f"{died} engines killed, {wrong} statements with another outcome, restarted: "
        f"{bool(restarted and restarted[0])}"
    )
    outcome.judge(Target("at least 90 % of its throughput", "beside kills", ALONE, 0.9))
    return outcome


def busy(rounds: int) -> Race:
    """Run pgbench with two clients beside two busy engines, and beside two busy plpython3u."""
    prepare_pgbench()
    outcome = Race("pgbench -S -c 2 beside two busy engines", unit="tps")

    def keep_busy(query: str) -> Callable[[threading.Event], None]:
        def run(stop: threading.Event) -> None:
            def spin() -> None:
                with connect() as connection:
                    while not stop.is_set():
                        connection.execute(query)  # type: ignore[arg-type]

            spinners = [threading.Thread(target=spin) for _ in range(2)]
            for each in spinners:
                each.start()
            for each in spinners:
                each.join()

        return run

    for _ in range(rounds):
        beside(
            outcome,
            "beside two engines",
            keep_busy("SELECT * FROM pyq_eval('{}', NULL::float8, 'bench_spin')"),
            clients=2,
        )
        beside(outcome, "beside two plpython3u", keep_busy("SELECT peer_spin()"), clients=2)
    outcome.judge(Target("at least 70 % of its throughput", "beside two engines", ALONE, 0.7))
    share = statistics.median(outcome.figures["beside two plpython3u"]) / statistics.median(
        outcome.figures[ALONE]
    )
    outcome.verdicts.append(f"beside two plpython3u sessions: {share:.2f}")
    return outcome


MEASURES: dict[str, Callable[[int], Race]] = {
    "engines_python": python_bound,
    "engines_numpy": numpy_bound,
    "engines_first": first_call,
    "engines_roundtrip": round_trip,
    "engines_table": table,
    "engines_groups": groups,
    "engines_busy": busy,
    "engines_kills": kills,
}
