"""Jobs: how many a second from end to end, and how soon one starts after its commit.

    tools/with-server -c "shared_preload_libraries = 'oml_epe'" -c "oml_epe.max_jobs = 2" \
        /usr/bin/python3 bench/jobs.py [--jobs 1000] [--rounds 3]

For each round: a batch of trivial jobs of one role and one of two roles, on two engines, with and
without a transaction held open for the whole run; the raw rate of `FOR UPDATE SKIP LOCKED`, claim
and finish in two transactions as a worker does, by two clients, over a table with the same columns;
and single jobs, from the return of the commit to the start of the job. With pg_cron in the server
(its finest schedule is a minute, or a second from 1.5 on) its delay is measured as well.
"""

from __future__ import annotations

import argparse
import statistics
import threading
import time
from typing import Any

import psycopg

SUBMIT = (
    "SELECT count(*) FROM generate_series(1, %s) AS i, "
    "pyq_eval(jsonb_build_object('oml_async_flag', true, 'i', i), NULL::pyq_json, 'bench_trivial')"
)
WORKERS = 2
ROLES = ("bench_one", "bench_two")


def connect(**options: Any) -> psycopg.Connection[Any]:
    return psycopg.connect("", autocommit=True, **options)


def prepare() -> None:
    with connect() as connection:
        connection.execute("CREATE EXTENSION IF NOT EXISTS oml_epe")
        connection.execute(
            "SELECT pyq_script_create('bench_trivial', 'def f(i=0): return 1', true, true)"
        )
        for role in ROLES:
            connection.execute(f"DROP ROLE IF EXISTS {role}")  # type: ignore[arg-type]
            connection.execute(f"CREATE ROLE {role} LOGIN")  # type: ignore[arg-type]
        connection.execute("DROP TABLE IF EXISTS raw_queue")
        connection.execute(
            "CREATE TABLE raw_queue (LIKE pyqsys.jobs INCLUDING DEFAULTS INCLUDING INDEXES "
            "INCLUDING STORAGE)"
        )


def jobs_per_second(count: int, roles: tuple[str, ...] = ROLES[:1]) -> float:
    """Submit in one transaction, the same number as each role, and wait for the end of all."""
    with connect() as connection:
        connection.execute("DELETE FROM pyqsys.jobs")
        connection.execute("DELETE FROM pyqsys.job_results")
        connection.execute("VACUUM pyqsys.jobs, pyqsys.job_results")
        submit(connection, WORKERS, roles)
        connection.execute("SELECT count(pyq_job_wait(id::text)) FROM pyq_jobs")  # warm engines
        began = time.perf_counter()
        submit(connection, count, roles)
        connection.execute(
            "SELECT count(pyq_job_wait(id::text)) FROM (SELECT id FROM pyqsys.jobs"
            " ORDER BY number DESC) AS j"
        )
        seconds = time.perf_counter() - began
        row = connection.execute(
            "SELECT count(*) FROM pyq_jobs WHERE state <> 'finished'"
        ).fetchone()
        assert row == (0,), row
    return count / seconds


def submit(connection: psycopg.Connection[Any], count: int, roles: tuple[str, ...]) -> None:
    with connection.transaction():
        for role in roles:
            connection.execute(f"SET LOCAL ROLE {role}")  # type: ignore[arg-type]
            connection.execute(SUBMIT, (count // len(roles),))


def two_roles_per_second(count: int) -> float:
    """The jobs of two roles, which take turns."""
    return jobs_per_second(count, ROLES)


def raw_per_second(count: int) -> float:
    """Two clients that claim and finish rows."""
    with connect() as connection:
        connection.execute("TRUNCATE raw_queue")
        connection.execute(
            "INSERT INTO raw_queue (owner, retries, timeout, settings, function, script, scr_name)"
            " SELECT 10, 0, 1800, '{}', 0, 'x', 'x' FROM generate_series(1, %s)",
            (count,),
        )
        connection.execute("VACUUM raw_queue")

    def work() -> None:
        with connect() as connection:
            while True:
                row = connection.execute(
                    "UPDATE raw_queue SET state = 'running', attempts = 1 WHERE id = (SELECT id"
                    " FROM raw_queue WHERE state = 'queued' ORDER BY owner, number LIMIT 1"
                    " FOR UPDATE SKIP LOCKED) RETURNING id"
                ).fetchone()
                if row is None:
                    return
                connection.execute(
                    "UPDATE raw_queue SET state = 'finished', finished = now() WHERE id = %s", row
                )

    threads = [threading.Thread(target=work) for _ in range(WORKERS)]
    began = time.perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return count / (time.perf_counter() - began)


class HeldOpen:
    """A transaction with a snapshot, open meanwhile."""

    def __enter__(self) -> None:
        self.connection = psycopg.connect("")
        self.connection.execute("BEGIN ISOLATION LEVEL REPEATABLE READ")
        self.connection.execute("SELECT 1")

    def __exit__(self, *_: object) -> None:
        self.connection.rollback()
        self.connection.close()


def delays(count: int, pause: float) -> list[float]:
    """Milliseconds from the commit's return to the start, one job at a time."""
    found = []
    with connect() as connection:
        for _ in range(count):
            time.sleep(pause)
            row = connection.execute(
                "SELECT right(value, 36) FROM pyq_eval('{\"oml_async_flag\": true}',"
                " NULL::pyq_json, 'bench_trivial')"
            ).fetchone()
            committed = connection.execute("SELECT clock_timestamp()").fetchone()
            assert row is not None
            assert committed is not None
            connection.execute("SELECT pyq_job_wait(%s)", row)
            started = connection.execute(
                "SELECT started, finished FROM pyq_jobs WHERE id = %s", row
            ).fetchone()
            assert started is not None
            found.append((started[0] - committed[0]).total_seconds() * 1000)
    return found


def cron_delay() -> str:
    """Seconds until pg_cron starts what has just been scheduled."""
    with connect() as connection:
        try:
            connection.execute("CREATE EXTENSION IF NOT EXISTS pg_cron")
        except psycopg.Error as error:
            return f"not measured: {error.diag.message_primary}"
        began = time.perf_counter()
        connection.execute("CREATE TABLE IF NOT EXISTS cron_ran (at timestamptz)")
        connection.execute(
            "SELECT cron.schedule('bench', '* * * * *', 'INSERT INTO cron_ran VALUES (now())')"
        )
        while connection.execute("SELECT count(*) FROM cron_ran").fetchone() == (0,):
            time.sleep(0.05)
        seconds = time.perf_counter() - began
        connection.execute("SELECT cron.unschedule('bench')")
        return f"{seconds:.1f} s"


def show(title: str, values: list[float], unit: str) -> None:
    middle = statistics.median(values)
    print(f"  {title:52} {middle:9.2f} {unit:7} {min(values):9.2f} .. {max(values):.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    prepare()
    figures: dict[str, list[float]] = {}
    for _ in range(options.rounds):
        for title, measure in (
            ("raw SKIP LOCKED", raw_per_second),
            ("jobs", jobs_per_second),
            ("jobs of two roles", two_roles_per_second),
        ):
            figures.setdefault(title, []).append(measure(options.jobs))
            with HeldOpen():
                figures.setdefault(f"{title}, transaction held open", []).append(
                    measure(options.jobs)
                )
    for title, values in figures.items():
        show(title, values, "a second")
    show("delay, worker waiting", delays(50, 0.0), "ms")
    show("delay, worker to be started", delays(8, 2.5), "ms")
    print(f"  pg_cron, from schedule to start: {cron_delay()}")


if __name__ == "__main__":
    main()
