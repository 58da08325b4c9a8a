"""A backend that makes very many calls stays as large as it was.

Each case warms up, so that caches, arenas and free lists have their size, then runs its statement
again and compares what the backend holds before and after. EPE_SOAK multiplies the calls: with
EPE_SOAK=10 the first two cases make more than a million successful and failing ones.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from psycopg import Connection

pytestmark = pytest.mark.backend("memory after calls")
SOAK = int(os.environ.get("EPE_SOAK", "1"))

# Allocators keep pages back and free lists grow in steps: less than this is no leak.
SLACK_KB = 3000
SLACK_CONTEXT_BYTES = 300_000
SLACK_OBJECTS = 1500

SCRIPTS = {
    "one": "def one(n=1):\n    return n\n",
    "fails": "def fails(n=1):\n    raise ValueError('x' * 100)\n",
    "frame": """
import pandas as pd
def frame(rows=100):
    return pd.DataFrame({"x": range(rows), "t": [f"text {i}" for i in range(rows)]})
""",
    "counts": "def counts(dat):\n    return len(dat)\n",
    "echoes": "def echoes(dat):\n    return dat\n",
    "generates": """
def generates(rows=10, bad=False):
    for row in range(rows):
        yield {"x": [row]}
    if bad:
        yield {"x": ["bad"]}
""",
    "gives_up": """
def gives_up(dat, bad=False):
    next(dat)
    if bad:
        raise ValueError("enough")
    return 1
""",
    "sql": """
import oml
def sql(sql, count=1):
    failed = 0
    for _ in range(count):
        try:
            with oml.cursor() as cursor:
                cursor.execute(sql)
                cursor.fetchone()
        except oml.DatabaseError:
            failed += 1
    return failed
""",
    "prints": """
import warnings
def prints():
    print("a line")
    warnings.warn("a warning")
    return 1
""",
    "figures": """
import matplotlib.pyplot as plt
def figures(bad=False):
    for number in range(2):
        plt.figure()
        plt.plot([1, 2, 3])
    if bad:
        raise ValueError("after plotting")
    return 1
""",
    "census": """
import gc, json, os, sys
def census():
    gc.collect()
    with open("/proc/self/statm") as statm:
        pages = int(statm.read().split()[1])
    return json.dumps({"kb": pages * os.sysconf("SC_PAGE_SIZE") // 1024,
                       "objects": len(gc.get_objects()),
                       "blocks": sys.getallocatedblocks()})
""",
}

CALL = "SELECT count(*) FROM generate_series(1, {times}) AS n, LATERAL {call}"
IN_BLOCKS = """
DO $$
BEGIN
    FOR i IN 1 .. {times} LOOP
        BEGIN
            PERFORM {call};
        EXCEPTION WHEN OTHERS THEN
            IF SQLSTATE NOT IN ('38000', '22P02', '22012') THEN RAISE; END IF;
        END;
    END LOOP;
END $$
"""
ROWS = "'SELECT x, x::text AS t, x::numeric AS d, now() AS w FROM generate_series(1, 50) AS x'"
NUMBERS = "'SELECT generate_series(1, 50) AS x'"
MANY = "'SELECT generate_series(1, 300000) AS x'"


@dataclass
class Case:
    times: int
    statement: str  # with {times}
    call: str = ""
    slack_kb: int = SLACK_KB

    def text(self, times: int) -> str:
        return self.statement.format(times=times, call=self.call)


CASES = {
    "calls that succeed": Case(
        200_000, CALL, "pyq_eval(jsonb_build_object('n', n), NULL::int, 'one')"
    ),
    "calls that fail": Case(
        100_000, IN_BLOCKS, "pyq_eval(jsonb_build_object('n', i), NULL::int, 'fails')"
    ),
    "index calls": Case(
        100_000,
        "SELECT count(*) FROM pyq_index_eval(NULL::text, NULL::int, {times}, 'one')",
        slack_kb=6000,  # a result of work_mem
    ),
    "column map": Case(5_000, CALL, """pyq_eval(NULL, '{"x": "int"}', 'one') AS t(x int)"""),
    "JSON": Case(10_000, CALL, "pyq_eval(NULL, NULL::pyq_json, 'one')"),
    "XML": Case(10_000, CALL, "pyq_eval(NULL, NULL::pyq_xml, 'frame') AS t"),
    "frames out": Case(2_000, CALL, "pyq_eval(NULL, NULL, 'frame') AS t(x int, t text)"),
    "frames in": Case(5_000, CALL, f"pyq_table_eval({ROWS}, NULL, NULL::int, 'counts')"),
    "matrices in": Case(5_000, CALL, f"pyq_table_eval({NUMBERS}, NULL, NULL::int, 'counts')"),
    "frames through": Case(
        2_000,
        CALL,
        f"pyq_table_eval({ROWS}, NULL, NULL, 'echoes')"
        " AS t(x int, t text, d numeric, w timestamptz)",
    ),
    "chunks": Case(1_000, CALL, f"pyq_row_eval({ROWS}, NULL, NULL::int, 3, 'counts')"),
    "groups": Case(1_000, CALL, f"pyq_group_eval({ROWS}, NULL, NULL::int, 't', 'x', 'counts')"),
    "generators": Case(5_000, CALL, "pyq_eval(NULL, NULL::int, 'generates')"),
    "generators whose result fails": Case(
        5_000, IN_BLOCKS, "pyq_eval('{\"bad\": true}'::jsonb, NULL::int, 'generates')"
    ),
    "abandoned iterators": Case(
        20,
        CALL,
        f"pyq_table_eval({MANY}, '{{\"oml_input_type\": \"iterator\"}}', NULL::int, 'gives_up')",
    ),
    "failing iterators": Case(
        20,
        IN_BLOCKS,
        f'pyq_table_eval({MANY}, \'{{"oml_input_type": "iterator", "bad": true}}\','
        " NULL::int, 'gives_up')",
    ),
    "failing input": Case(
        2_000,
        IN_BLOCKS,
        "pyq_table_eval('SELECT 1 / (10 - x) AS x FROM generate_series(1, 20) AS x', NULL,"
        " NULL::int, 'counts')",
    ),
    "SQL of scripts": Case(
        20,
        CALL,
        "pyq_eval('{\"sql\": \"SELECT 1, ''x''::text, 2.5::numeric\", \"count\": 1000}',"
        " NULL::int, 'sql')",
    ),
    "failing SQL of scripts": Case(
        20,
        CALL,
        'pyq_eval(\'{"sql": "SELECT 1/0", "count": 1000}\', NULL::int, \'sql\')',
    ),
    "nested calls": Case(
        10,
        CALL,
        "pyq_eval('{\"sql\": \"SELECT * FROM pyq_eval(NULL::text, NULL::int, ''one'')\","
        " \"count\": 1000}', NULL::int, 'sql')",
    ),
    "failing nested calls": Case(
        10,
        CALL,
        "pyq_eval('{\"sql\": \"SELECT * FROM pyq_eval(NULL::text, NULL::int, ''fails'')\","
        " \"count\": 1000}', NULL::int, 'sql')",
    ),
    "output and warnings": Case(3_000, CALL, "pyq_eval(NULL, NULL::int, 'prints')"),
    "figures": Case(
        10,
        CALL,
        "pyq_eval('{\"oml_graphics_flag\": true}', NULL::pyq_png, 'figures')",
        slack_kb=8000,
    ),
    "figures of calls that fail": Case(
        20,
        IN_BLOCKS,
        "pyq_eval('{\"oml_graphics_flag\": true, \"bad\": true}', NULL::pyq_png, 'figures')",
        slack_kb=8000,
    ),
    "new versions of a script": Case(
        3_000,
        """
DO $$
BEGIN
    FOR i IN 1 .. {times} LOOP
        PERFORM pyq_script_create('version', 'class A: pass' || E'\\n' || 'def version(): return '
                                  || i || E'\\n' || '# ' || repeat('x', 5000), false, true);
        IF (SELECT x FROM pyq_eval(NULL, NULL::int, 'version') AS x) <> i THEN
            RAISE 'an old version ran';
        END IF;
    END LOOP;
END $$
""",
        slack_kb=8000,
    ),
    "scripts that do not compile": Case(
        3_000,
        """
DO $$
BEGIN
    FOR i IN 1 .. {times} LOOP
        BEGIN
            PERFORM pyq_script_create('wrong', 'def wrong(: ' || i);
        EXCEPTION WHEN invalid_parameter_value THEN NULL;
        END;
    END LOOP;
END $$
""",
    ),
}


@pytest.fixture
def session(server: Any, database: str) -> Iterator[Connection[Any]]:
    with server.connect(database) as connection:
        connection.execute("SET client_min_messages = error")
        connection.execute("SET log_min_messages = fatal")
        connection.execute("SET jit = off")  # LLVM is large
        # A set of rows is kept in memory up to this: less than the warm-up creates.
        connection.execute("SET work_mem = '1MB'")
        for name, source in SCRIPTS.items():
            connection.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, source))
        yield connection
        for name in (*SCRIPTS, "version"):
            connection.execute("SELECT pyq_script_drop(%s, v_silent => true)", (name,))


def census(session: Connection[Any]) -> dict[str, int]:
    row = session.execute("SELECT * FROM pyq_eval(NULL, NULL, 'census') AS t(x text)").fetchone()
    assert row is not None
    counts = json.loads(row[0])
    row = session.execute(
        "SELECT sum(total_bytes), count(*) FROM pg_backend_memory_contexts"
    ).fetchone()
    assert row is not None
    counts["context_bytes"], counts["contexts"] = int(row[0]), row[1]
    return counts


@pytest.mark.parametrize("name", CASES)
def test_flat(name, session):
    case = CASES[name]
    session.execute(case.text(max(5, case.times // 4)))
    census(session)
    before = census(session)
    session.execute(case.text(case.times * SOAK))
    after = census(session)
    growth = {key: after[key] - before[key] for key in before}
    if os.environ.get("EPE_SOAK_SHOW"):
        print(name, case.times * SOAK, growth)
    assert growth["objects"] < SLACK_OBJECTS, growth
    assert growth["blocks"] < 2 * SLACK_OBJECTS, growth
    assert growth["contexts"] < 20, growth
    assert growth["context_bytes"] < SLACK_CONTEXT_BYTES, growth
    assert growth["kb"] < case.slack_kb, growth
    assert session.execute("SELECT count(*) FROM pg_cursors WHERE name <> ''").fetchone() == (0,)


def test_one_transaction_with_many_calls(session):
    """No memory is kept until the end of the transaction."""
    with session.transaction():
        session.execute("SELECT x FROM pyq_eval(NULL, NULL::int, 'one') AS x")
        for _ in range(200):
            session.execute("SELECT x FROM pyq_eval(NULL, NULL::int, 'one') AS x")
        census(session)
        before = census(session)
        for _ in range(2000):
            session.execute("SELECT x FROM pyq_eval(NULL, NULL::int, 'one') AS x")
        after = census(session)
    assert after["context_bytes"] - before["context_bytes"] < SLACK_CONTEXT_BYTES
    assert after["objects"] - before["objects"] < SLACK_OBJECTS


def test_large_input_is_given_back(session):
    """A large table's arrays go when the call ends, whether it succeeds or not."""
    large = "SELECT x, x * 2.5::float8 AS y FROM generate_series(1, 2000000) AS x"
    session.execute("SELECT * FROM pyq_table_eval(%s, NULL, NULL::int, 'counts')", (large,))
    before = census(session)
    for _ in range(3):
        session.execute("SELECT * FROM pyq_table_eval(%s, NULL, NULL::int, 'counts')", (large,))
    after = census(session)
    assert after["kb"] - before["kb"] < 16_000
