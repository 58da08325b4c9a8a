"""CPU and memory of rows as columns: to a client, and within an engine."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
from harness import Race, Target

PACKAGE = str(Path(__file__).resolve().parents[1] / "python")
CLIENT_ROWS = 5_000_000
ENGINE_ROWS = 1_000_000

OML = "oml: pull()"
OML_ARROW = "oml: pyarrow.table(proxy)"
ADBC = "adbc: fetch_arrow_table().to_pandas()"
ADBC_ARROW = "adbc: fetch_arrow_table()"
SOURCES = {
    OML: "import oml; oml.connect(); proxy = oml.sync(table='mixed7')|proxy.pull()",
    OML_ARROW: "import oml, pyarrow; oml.connect(); proxy = oml.sync(table='mixed7')"
    "|pyarrow.table(proxy)",
    ADBC: "import adbc_driver_postgresql.dbapi as adbc; cursor = adbc.connect(uri).cursor()"
    "|cursor.execute('SELECT * FROM mixed7'), cursor.fetch_arrow_table().to_pandas()",
    ADBC_ARROW: "import adbc_driver_postgresql.dbapi as adbc; cursor = adbc.connect(uri).cursor()"
    "|cursor.execute('SELECT * FROM mixed7'), cursor.fetch_arrow_table()",
}
CLIENT = """
import os, resource, sys, time
sys.path.insert(0, {package!r})
import numpy, pandas
uri = "postgresql:///{{PGDATABASE}}?host={{PGHOST}}&port={{PGPORT}}&user={{PGUSER}}".format(**os.environ)
{prepare}
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
memory, start = peak(), time.process_time()
made = {job}
print(time.process_time() - start, peak() - memory)
"""


def measure_client(name: str) -> tuple[float, float]:
    """Return seconds of CPU and MB of memory of one client that fetches the table."""
    prepare, job = SOURCES[name].split("|")
    code = CLIENT.format(package=PACKAGE, prepare=prepare, job=job)
    done = subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.PIPE, text=True
    )
    seconds, megabytes = done.stdout.split()
    return float(seconds), float(megabytes)


def client(rounds: int) -> Race:
    """5 M x 7 mixed columns to a client: CPU of the client, and its memory."""
    with psycopg.connect("", autocommit=True) as connection:
        connection.execute(
            "CREATE TABLE IF NOT EXISTS mixed7 AS SELECT i::int4 AS id, (i % 1000)::int8 AS code, "
            "random() AS x, random() * 1000 AS y, 'item-' || (random() * 4999)::int AS label, "
            "timestamp '2024-01-01' + i * interval '1 second' AS taken_at, i % 3 = 0 AS flag "
            f"FROM generate_series(1, {CLIENT_ROWS}) AS i"
        )
        connection.execute("VACUUM (FREEZE, ANALYZE) mixed7")
    outcome = Race("5 M x 7 mixed columns to a client: CPU of the client", unit="s")
    names = [OML, OML_ARROW]
    if importlib.util.find_spec("adbc_driver_postgresql") is None:
        outcome.missing[ADBC] = "adbc_driver_postgresql is not installed"
    else:
        names += [ADBC, ADBC_ARROW]
    memory: dict[str, list[float]] = {name: [] for name in names}
    for number in range(rounds):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            seconds, megabytes = measure_client(name)
            outcome.figures.setdefault(name, []).append(seconds)
            memory[name].append(megabytes)
    outcome.judge(Target("at most 1.0 x adbc", OML, ADBC, 1.0, at_most=True))
    outcome.judge(Target("as Arrow, at most 1.0 x adbc", OML_ARROW, ADBC_ARROW, 1.0, at_most=True))
    for mine, theirs in ((OML, ADBC), (OML_ARROW, ADBC_ARROW)):
        if memory.get(theirs):
            ratio = min(memory[mine]) / min(memory[theirs])
            text = f"memory of {mine} ({min(memory[mine]):.0f} MB), at most that of {theirs}"
            outcome.judge_value(text, ratio, 1.0, at_most=True)
    return outcome


INSIDE = "oml: pull() and create()"
PASSED = "an eval function's input and output"
SCRIPTS = {
    "pull_and_create": """
def pull_and_create():
    import oml
    oml.create(oml.sync(table="mixed5").pull(), table="mixed5_copy")
    return 1
""",
    "pass_rows": "def pass_rows(dat):\n    return dat\n",
}


def cpu_seconds(connection: psycopg.Connection[Any]) -> float:
    """Return the CPU time of a session: its backend's and its engine's."""
    ticks = 0
    engines = connection.execute("SELECT pid FROM pyq_engines WHERE backend_pid = pg_backend_pid()")
    for pid in [connection.info.backend_pid, *(row[0] for row in engines.fetchall())]:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def engine(rounds: int) -> Race:
    """1 M x 5 mixed columns through an engine and into a table."""
    outcome = Race("1 M x 5 mixed columns through an engine into a table: CPU", unit="s")
    connection = psycopg.connect("", autocommit=True)
    connection.execute(
        "CREATE TABLE IF NOT EXISTS mixed5 AS SELECT i::int4 AS id, random() AS x, "
        "'item-' || (random() * 4999)::int AS label, md5(i::text) AS code, "
        "timestamp '2024-01-01' + i * interval '1 second' AS taken_at "
        f"FROM generate_series(1, {ENGINE_ROWS}) AS i"
    )
    connection.execute("VACUUM (FREEZE, ANALYZE) mixed5")
    for name, source in SCRIPTS.items():
        connection.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, source))
    connection.execute("SET oml_epe.engine = 'process'")
    frame = '{"oml_input_type": "pandas.DataFrame"}'
    jobs = {
        INSIDE: "SELECT * FROM pyq_eval(NULL::text, NULL::int, 'pull_and_create')",
        PASSED: "CREATE TABLE mixed5_copy AS SELECT * FROM "
        f"pyq_table_eval('mixed5', '{frame}', NULL::mixed5, 'pass_rows')",
    }
    for number in range(-1, rounds):
        for name, sql in list(jobs.items())[:: 1 if number % 2 else -1]:
            start = cpu_seconds(connection)
            connection.execute(sql)  # type: ignore[arg-type]
            if number >= 0:
                outcome.figures.setdefault(name, []).append(cpu_seconds(connection) - start)
            connection.execute("DROP TABLE mixed5_copy")
    outcome.judge(Target("at most 1.5 x input and output", INSIDE, PASSED, 1.5, at_most=True))
    return outcome


MEASURES: dict[str, Callable[[int], Race]] = {"columns_client": client, "columns_engine": engine}
