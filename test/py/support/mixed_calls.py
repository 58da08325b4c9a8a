"""A mix of all kinds of calls, and its effect on the processes that serve them.

Used by test_mixed_calls.py, a short run with bounds, and by bench/flat.py, a run of 100 000 calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import psycopg
from processes import EngineMonitor, descriptors, wait_for
from psycopg import Connection

SCRIPTS = {
    "mix_one": "def mix_one(n=1):\n    return n\n",
    "mix_fails": "def mix_fails(n=1):\n    raise ValueError('x' * (n % 1000))\n",
    "mix_echo": "def mix_echo(dat):\n    return dat\n",
    "mix_yields": "def mix_yields():\n    for n in range(5):\n        yield n\n",
    "mix_index": "def mix_index(index):\n    yield from range(5)\n",
    "mix_prints": "def mix_prints():\n    print('a line')\n    return 1\n",
    "mix_sql": """
import oml
def mix_sql(fails=False):
    with oml.cursor() as cursor:
        cursor.execute("SELECT $1::int + 1, $2::text, $3::bytea", (1, "x", b"y" * 1000))
        row = cursor.fetchone()
        try:
            cursor.execute("SELECT 1 / 0")
        except oml.DatabaseError:
            if fails:
                raise
    return row[0]
""",
    "mix_store": """
import oml
import numpy as np
def mix_store():
    oml.ds.save({"a": np.arange(1000), "b": ["x"] * 10}, "mix_store", overwrite=True)
    loaded = oml.ds.load("mix_store", to_globals=False)
    oml.ds.delete("mix_store")
    return int(loaded["a"].sum())
""",
}
ROWS = "'SELECT x, x::text AS t, x / 3.0 AS f FROM generate_series(1, 60) AS x'"
#: Errors that a mix makes on purpose.
EXPECTED_STATES = ("38000", "22012", "42704", "22023")


class Call(NamedTuple):
    """One statement of the mix, its frequency per round, and its expected result."""

    times: int
    statement: str
    expected: Any  # the value of the first row and column, or the SQLSTATE of an error


MIX = (
    Call(80, "SELECT * FROM pyq_eval('{\"n\": 3}'::text, NULL::int, 'mix_one')", 3),
    Call(30, "SELECT * FROM pyq_eval('{\"n\": 500}'::text, NULL::int, 'mix_fails')", "38000"),
    Call(
        10,
        f"SELECT count(*) FROM pyq_table_eval({ROWS}, NULL, NULL, 'mix_echo')"
        " AS t(x int, t text, f float8)",
        60,
    ),
    Call(
        6,
        f"SELECT count(*) FROM pyq_row_eval({ROWS}, NULL, NULL, 7, 'mix_echo')"
        " AS t(x int, t text, f float8)",
        60,
    ),
    Call(
        6,
        f"SELECT count(*) FROM pyq_group_eval({ROWS}, NULL, NULL::pyq_json, 't', NULL, 'mix_echo')",
        1,
    ),
    Call(8, "SELECT count(*) FROM pyq_eval(NULL, NULL::int, 'mix_yields')", 5),
    Call(8, "SELECT * FROM pyq_eval(NULL, NULL::int, 'mix_prints')", 1),
    Call(8, "SELECT * FROM pyq_eval(NULL, NULL::int, 'mix_sql')", 2),
    Call(4, "SELECT * FROM pyq_eval('{\"fails\": true}'::text, NULL::int, 'mix_sql')", "22012"),
    Call(4, "SELECT * FROM pyq_eval(NULL, NULL::int, 'mix_missing')", "42704"),
    Call(4, "SELECT * FROM pyq_eval('{'::text, NULL::int, 'mix_one')", "22023"),
    Call(2, "SELECT * FROM pyq_eval(NULL, NULL::bigint, 'mix_store')", 499500),
    Call(
        2,
        "SELECT count(*) FROM pyq_index_eval('{\"oml_parallel\": 2}'::text, NULL::int, 4,"
        " 'mix_index')",
        20,
    ),
)
JOBS_PER_ROUND = 1
CALLS_PER_ROUND = 2 * sum(call.times for call in MIX) + JOBS_PER_ROUND
ENGINES = ("backend", "process")


class Sample(NamedTuple):
    """Descriptors, private kilobytes and number by the kind of process; engines are added up."""

    descriptors: dict[str, int]
    private_kb: dict[str, int]
    processes: dict[str, int]


def private_kb(pid: int) -> int:
    """Memory that is the process's alone."""
    total = 0
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith(("Private_Clean:", "Private_Dirty:")):
            total += int(line.split()[1])
    return total


class Mix:
    """Two sessions, one for each kind of engine, and an observer.

    Parameters
    ----------
    connect : callable
        Opens a session in autocommit mode, as a superuser.
    """

    def __init__(self, connect: Callable[[], Connection[Any]]) -> None:
        self.observer = connect()
        self.monitor = EngineMonitor(self.observer)
        self.sessions = {engine: connect() for engine in ENGINES}
        for name, source in SCRIPTS.items():
            self.observer.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, source))
        for engine, session in self.sessions.items():
            session.execute(f"SET oml_epe.engine = '{engine}'")  # type: ignore[call-overload]
            session.execute("SET client_min_messages = error")
            session.execute("SET log_min_messages = fatal")
            session.execute("SET jit = off")  # LLVM is large

    def close(self) -> None:
        for name in SCRIPTS:
            self.observer.execute("SELECT pyq_script_drop(%s, v_silent => true)", (name,))
        for session in (*self.sessions.values(), self.observer):
            session.close()

    def run_round(self) -> None:
        """Make CALLS_PER_ROUND calls, and check each result."""
        for session in self.sessions.values():
            for call in MIX:
                for _ in range(call.times):
                    made = self._make(session, call.statement)
                    assert made == call.expected, (call.statement, made)
        for _ in range(JOBS_PER_ROUND):
            self._run_job()

    @staticmethod
    def _make(session: Connection[Any], statement: str) -> Any:
        try:
            row = session.execute(statement).fetchone()  # type: ignore[call-overload]
        except psycopg.Error as error:
            assert error.sqlstate in EXPECTED_STATES, error
            return error.sqlstate
        return row[0] if row else None

    def _run_job(self) -> None:
        row = self.observer.execute(
            "SELECT value FROM pyq_eval('{\"oml_async_flag\": true, \"n\": 4}', NULL, 'mix_one')"
            " AS t(name text, value text)"
        ).fetchone()
        assert row is not None
        job = row[0][-36:]
        state = self.observer.execute("SELECT pyq_job_wait(%s, '1 min')", (job,)).fetchone()
        assert state == ("finished",)
        result = self.observer.execute(
            "SELECT * FROM pyq_job_result(%s, NULL::int)", (job,)
        ).fetchone()
        assert result == (4,)
        self.observer.execute("SELECT pyq_delete_job(%s)", (job,))

    def processes(self) -> Iterator[tuple[str, int]]:
        """The processes of the two sessions, the supervisor and its zygotes."""
        for engine, session in self.sessions.items():
            pid = session.info.backend_pid
            yield f"backend ({engine})", pid
            for number in self.monitor.engines(pid):
                yield "engines", number
        yield "supervisor", self.monitor.supervisor().pid
        for zygote in self.monitor.named("epe_zygote"):
            yield "zygotes", zygote.pid

    def sample(self) -> Sample:
        """Look at all processes, once those of jobs have ended their work."""
        wait_for("no busy engine", lambda: not self._busy())
        # A worker that waits for work has an engine, for which the supervisor has descriptors.
        wait_for("the end of the job workers", lambda: not self._has_worker())
        wait_for("the end of their engines", lambda: not self._has_orphan())
        sample = Sample({}, {}, {})
        for kind, pid in self.processes():
            sample.processes[kind] = sample.processes.get(kind, 0) + 1
            # Of files a backend keeps as many open as it may, which is PostgreSQL's business.
            count = (
                len(descriptors(pid))
                if kind.startswith("backend")
                else len(os.listdir(f"/proc/{pid}/fd"))
            )
            sample.descriptors[kind] = sample.descriptors.get(kind, 0) + count
            sample.private_kb[kind] = sample.private_kb.get(kind, 0) + private_kb(pid)
        return sample

    def _has_worker(self) -> bool:
        row = self.observer.execute(
            "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'oml_epe job worker')"
        ).fetchone()
        return bool(row and row[0])

    def _has_orphan(self) -> bool:
        """Whether the supervisor still has an engine of a session that has ended."""
        row = self.observer.execute(
            "SELECT EXISTS (SELECT FROM pyq_engines AS e WHERE NOT EXISTS"
            " (SELECT FROM pg_stat_activity AS a WHERE a.pid = e.backend_pid))"
        ).fetchone()
        return bool(row and row[0])

    def _busy(self) -> bool:
        row = self.observer.execute(
            "SELECT EXISTS (SELECT FROM pyq_engines WHERE state <> 'idle')"
        ).fetchone()
        return bool(row and row[0])
