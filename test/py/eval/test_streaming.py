"""Streaming: input that arrives in frames, results that leave in frames, and memory use of both."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import optional_packages
import pytest
from background import Background, wait_until
from psycopg import Connection, Error

ENGINE_PLACES = engine_kinds.ENGINES
SCHEMA = "streaming"
ROWS = 300_000
# 200 MB of distinct texts, joined on the fly: no table and no sort of that size.
WIDE = (
    "SELECT a.n * 1000 + b.n AS n, lpad((a.n * 1000 + b.n)::text, 1000, 'x') AS pad"
    " FROM small AS a CROSS JOIN small AS b WHERE b.n <= 200"
)
WIDE_ROWS = 200_000
MEGABYTE = 1 << 20
MOST_GROWTH = 60 * MEGABYTE

MEMORY = """
def memory():
    with open("/proc/self/status") as status:
        for line in status:
            if line.startswith("RssAnon:"):
                return int(line.split()[1]) * 1024
"""

SCRIPTS = {
    "stream_sum": """
def total(frames, step=None):
    sizes, total = [], 0
    for frame in frames:
        sizes.append(len(frame))
        total += int(frame["n"].sum() if hasattr(frame, "columns") else frame[:, 0].sum())
        kind = type(frame).__module__.split(".")[0] + "." + type(frame).__name__
    return {"frames": len(sizes), "rows": sum(sizes), "largest": max(sizes), "total": total,
            "kind": kind}
""",
    "stream_memory": MEMORY
    + """
def used(frames):
    rows, memories = 0, []
    for frame in frames:
        rows += len(frame)
        memories.append(memory())
    return {"frames": len(memories), "rows": rows, "growth": max(memories) - memories[0]}
""",
    "stream_filter_memory": MEMORY
    + """
seen = []

def filtered(frames):
    seen.clear()
    for frame in frames:
        seen.append(memory())
        yield frame

def growth():
    return max(seen) - seen[0]

def main(frames=None):
    return growth() if frames is None else filtered(frames)
""",
    "stream_blocks": MEMORY
    + """
import numpy as np
import pandas as pd

seen = []

def blocks(count, rows, bad, is_object):
    seen.clear()
    for block in range(count):
        seen.append(memory())
        values = np.arange(block * rows, (block + 1) * rows).astype(object)
        if bad is not None and block == bad // rows:
            values[bad % rows] = object() if is_object else "bad"
        yield pd.DataFrame({"block": block, "value": values})

def main(count=0, rows=0, bad=None, is_object=False):
    return blocks(count, rows, bad, is_object) if count else max(seen) - seen[0]
""",
    "stream_group": """
def group(frames):
    parts = list(frames)
    return [(str(parts[0]["g"].iloc[0]), len(parts), sum(len(part) for part in parts),
             int(sum(part["n"].sum() for part in parts)),
             all(part["g"].nunique() == 1 and part["g"].iloc[0] == parts[0]["g"].iloc[0]
                 for part in parts))]
""",
    "stream_first": """
def first(frames, skip=0):
    for number, frame in enumerate(frames):
        if number == skip:
            return [(int(frame["g"].iloc[0]), int(frame["n"].iloc[0]), len(frame))]
    return []
""",
    "stream_none": "def none(frames): return 1",
    "stream_keep": """
kept = []

def keep(frames=None):
    if frames is None:
        return [len(frame) for frame in kept[0]]
    kept[:] = [frames]
    return len(next(frames))
""",
    "stream_keep_group": """
kept = []

def keep(frames):
    kept.append(frames)
    return len(next(kept[0]))
""",
    "stream_twice": "def twice(frames): return [len(list(frames)), len(list(frames))]",
    "stream_fail": """
def fail(n):
    for i in range(n):
        if i == 2:
            raise ValueError("in the middle")
        yield [i]
""",
    "stream_cleanup": """
import os
import pandas as pd
ended = []

def cleanup(step=0):
    if not step:
        return pd.DataFrame({"process": [os.getpid()], "ended": [len(ended)]})
    def rows():
        try:
            for i in range(step):
                yield pd.DataFrame({"v": [i if i < 3 else "bad"]})
        finally:
            ended.append("x")
    return rows()
""",
    "stream_mixed": """
import numpy as np

def mixed():
    yield 1
    yield [2, 3]
    yield None
    yield np.array([4])
    yield {"v": 5}
    yield []
""",
    "stream_input_fails": """
def read(frames):
    try:
        for frame in frames:
            pass
    except Exception as problem:
        return "caught"
    return "end"
""",
}


@pytest.fixture(scope="module")
def streams(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the scripts and tables."""
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, public")
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s)", (name, source))
    module_conn.execute(
        "CREATE TABLE events AS SELECT n::int8, 'event ' || n AS t, n::float8 / 3 AS x,"
        f" CASE WHEN n <= 1000 THEN n / 400 ELSE 3 END AS g FROM generate_series(1, {ROWS}) AS n"
    )
    module_conn.execute("CREATE TABLE small AS SELECT n FROM generate_series(1, 1000) AS n")
    yield module_conn
    module_conn.execute("RESET ALL")
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))
    module_conn.execute(f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE")


def call_json(connection: Connection[Any], query: str, script: str, **parameters: Any) -> Any:
    """Run a table function and return its JSON result."""
    row = connection.execute(
        "SELECT value FROM pyq_table_eval(%s, %s, NULL::pyq_json, %s)",
        (query, json.dumps(parameters), script),
    ).fetchone()
    assert row is not None
    return json.loads(row[0])


@pytest.mark.parametrize(
    ("input_type", "kind"),
    [
        ("iterator", "pandas.DataFrame"),
        ("iterator[pandas]", "pandas.DataFrame"),
        ("iterator[numpy]", "numpy.ndarray"),
        ("iterator[polars]", "polars.DataFrame"),
    ],
)
def test_iterator_gives_all_rows_in_several_frames(
    streams: Connection[Any], input_type: str, kind: str
) -> None:
    if "polars" in input_type:
        optional_packages.require("polars")
    seen = call_json(streams, "events", "stream_sum", oml_input_type=input_type)
    assert seen["rows"] == ROWS
    assert seen["total"] == ROWS * (ROWS + 1) // 2
    assert seen["frames"] >= 3
    assert seen["largest"] < ROWS / 2
    assert seen["kind"] == kind


def test_iterator_over_no_rows_is_one_empty_frame(streams: Connection[Any]) -> None:
    seen = call_json(streams, "SELECT * FROM events WHERE n < 0", "stream_sum",
                     oml_input_type="iterator")  # fmt: skip
    assert (seen["frames"], seen["rows"], seen["total"]) == (1, 0, 0)


def test_iterator_over_wide_rows_holds_few_of_them(streams: Connection[Any]) -> None:
    # A million characters a row: the first frame must not wait for 10000 rows.
    query = "SELECT n, lpad(n::text, 1000000, 'x') AS pad FROM small WHERE n <= 100"
    seen = call_json(streams, query, "stream_sum", oml_input_type="iterator")
    assert seen["rows"] == 100
    assert seen["largest"] <= 20


def test_iterator_holds_one_frame(streams: Connection[Any]) -> None:
    seen = call_json(streams, WIDE, "stream_memory", oml_input_type="iterator")
    assert seen["rows"] == WIDE_ROWS
    assert seen["frames"] > 20
    assert seen["growth"] < MOST_GROWTH


def test_iterator_and_generator_together_hold_one_frame(streams: Connection[Any]) -> None:
    found = streams.execute(
        "SELECT count(*), sum(n), max(length(pad)) FROM pyq_table_eval(%s, %s, NULL,"
        " 'stream_filter_memory') AS t(n int, pad text)",
        (WIDE, json.dumps({"oml_input_type": "iterator"})),
    ).fetchone()
    total = sum(1000 * a * 200 + 200 * 201 // 2 for a in range(1, 1001))
    assert found == (WIDE_ROWS, total, 1000)
    growth = streams.execute("SELECT pyq_eval(NULL, NULL::int8, 'stream_filter_memory')").fetchone()
    assert growth is not None
    assert growth[0] < MOST_GROWTH


def test_generator_holds_one_frame(streams: Connection[Any]) -> None:
    found = streams.execute(
        "SELECT count(*), count(DISTINCT block), min(value), max(value), sum(value)"
        " FROM pyq_eval('{\"count\": 200, \"rows\": 10000}', NULL, 'stream_blocks')"
        " AS t(block int, value int8)"
    ).fetchone()
    rows = 200 * 10_000
    assert found == (rows, 200, 0, rows - 1, rows * (rows - 1) // 2)
    growth = streams.execute("SELECT pyq_eval(NULL, NULL::int8, 'stream_blocks')").fetchone()
    assert growth is not None
    assert growth[0] < MOST_GROWTH


@pytest.mark.parametrize(("is_object", "sqlstate"), [(False, "22P02"), (True, "42804")])
def test_rows_of_a_generator_are_numbered_through(
    streams: Connection[Any], is_object: bool, sqlstate: str
) -> None:
    parameters = {"count": 5, "rows": 1000, "bad": 2345, "is_object": is_object}
    with pytest.raises(Error) as caught:
        streams.execute(
            "SELECT count(*) FROM pyq_eval(%s, NULL, 'stream_blocks') AS t(block int, value int8)",
            (json.dumps(parameters),),
        )
    assert caught.value.sqlstate == sqlstate
    words = f"{caught.value}\n{caught.value.diag.context}"
    assert 'column "value"' in words
    assert "row 2346" in words


def test_generator_that_raises_fails_the_call(streams: Connection[Any]) -> None:
    with pytest.raises(Error, match="ValueError: in the middle") as caught:
        streams.execute("SELECT * FROM pyq_eval('{\"n\": 9}', NULL, 'stream_fail') AS t(v int)")
    assert caught.value.sqlstate == "38000"
    assert "line 5, in fail" in (caught.value.diag.context or "")
    found = streams.execute(
        "SELECT array_agg(v) FROM pyq_eval('{\"n\": 2}', NULL, 'stream_fail') AS t(v int)"
    ).fetchone()
    assert found == ([0, 1],)


def test_generator_is_closed_when_a_row_fails(streams: Connection[Any]) -> None:
    def look() -> tuple[int, int]:
        found = streams.execute(
            "SELECT * FROM pyq_eval(NULL, NULL, 'stream_cleanup') AS t(process int, ended int)"
        ).fetchone()
        assert found is not None
        return found

    seen = 0
    process, before = look()
    for _ in range(50):
        with pytest.raises(Error) as caught:
            streams.execute("SELECT pyq_eval('{\"step\": 9}', NULL::int, 'stream_cleanup')")
        assert caught.value.sqlstate == "22P02"
        after_process, after = look()
        # An engine process that does not end an abandoned call soon is replaced, on a busy machine.
        if after_process == process:
            assert after == before + 1
            seen += 1
        process, before = after_process, after
        if seen == 3:
            break
    assert seen == 3


def test_generator_of_mixed_items(streams: Connection[Any]) -> None:
    found = streams.execute("SELECT * FROM pyq_eval(NULL, NULL, 'stream_mixed') AS t(v int)")
    assert [row[0] for row in found.fetchall()] == [1, 2, 3, 4, 5]


def test_group_iterator(streams: Connection[Any]) -> None:
    found = streams.execute(
        "SELECT * FROM pyq_group_eval('events', '{\"oml_input_type\": \"iterator\"}', NULL, 'g',"
        " NULL, 'stream_group') AS t(g text, frames int, rows int, total int8, is_one bool)"
        " ORDER BY g"
    ).fetchall()
    expected = [(0, 1, 399), (1, 400, 799), (2, 800, 1000), (3, 1001, ROWS)]
    assert [(row[0], row[2], row[3]) for row in found] == [
        (str(g), last - first + 1, (first + last) * (last - first + 1) // 2)
        for g, first, last in expected
    ]
    assert [row[1] > 1 for row in found] == [False, False, False, True]
    assert all(row[4] for row in found)


@pytest.mark.parametrize("skip", [0, 1])
def test_unread_rest_of_a_group_is_skipped(streams: Connection[Any], skip: int) -> None:
    query = "SELECT n, (n - 1) / 100000 AS g, lpad(t, 100) AS t FROM events"
    found = streams.execute(
        "SELECT * FROM pyq_group_eval(%s, %s, NULL, 'g', 'n', 'stream_first')"
        " AS t(g int, n int, rows int)",
        (query, json.dumps({"oml_input_type": "iterator", "skip": skip})),
    ).fetchall()
    assert [row[0] for row in found] == [0, 1, 2]
    assert [row[1] > g * 100_000 + 1 for g, row in enumerate(found)] == [skip > 0] * 3
    assert all(0 < row[2] < 100_000 for row in found)


def test_groups_that_read_nothing(streams: Connection[Any]) -> None:
    found = streams.execute(
        "SELECT count(*) FROM pyq_group_eval('SELECT n, n / 3 AS g FROM small',"
        " '{\"oml_input_type\": \"iterator\"}', NULL, 'g', NULL, 'stream_none') AS t(v int)"
    ).fetchone()
    assert found == (334,)


def test_iterator_is_read_once(streams: Connection[Any]) -> None:
    assert call_json(streams, "small", "stream_twice", oml_input_type="iterator") == [1, 0]


def test_iterator_used_after_its_call_raises(streams: Connection[Any]) -> None:
    parameters = '{"oml_input_type": "iterator"}'
    found = streams.execute(
        "SELECT * FROM pyq_table_eval('events', %s, NULL, 'stream_keep') AS t(n int)", (parameters,)
    ).fetchone()
    assert found is not None
    assert found[0] > 0
    with pytest.raises(Error, match="can be read only while the call that got it runs"):
        streams.execute("SELECT pyq_eval(NULL, NULL::int, 'stream_keep')")


def test_iterator_of_another_group_raises(streams: Connection[Any]) -> None:
    with pytest.raises(Error, match="can be read only while") as caught:
        streams.execute(
            "SELECT * FROM pyq_group_eval('SELECT n, n % 2 AS g FROM small',"
            " '{\"oml_input_type\": \"iterator\"}', NULL, 'g', NULL, 'stream_keep_group')"
            " AS t(n int)"
        )
    assert 'group "1"' in (caught.value.diag.context or "")


def test_error_of_the_query_cannot_be_swallowed(streams: Connection[Any]) -> None:
    query = "SELECT n, 1 / (n - 250000) AS x FROM events"
    with pytest.raises(Error) as caught:
        streams.execute(
            'SELECT * FROM pyq_table_eval(%s, \'{"oml_input_type": "iterator"}\', NULL,'
            " 'stream_input_fails') AS t(v text)",
            (query,),
        )
    assert caught.value.sqlstate == "22012"
    assert streams.execute("SELECT 1").fetchone() == (1,)


@pytest.mark.parametrize("pieces", [1, 3])
def test_rows_leave_an_engine_before_its_script_goes_on(
    streams: Connection[Any], connect: Any, pieces: int
) -> None:
    """The backend has all pieces while the script computes the next one."""
    streams.execute(
        "SELECT pyq_script_create('stream_slow', %s, false, true)",
        ("import time\ndef slow(pieces):\n    yield from range(pieces)\n    time.sleep(600)\n",),
    )
    caller = connect(options="-c oml_epe.engine=process")
    query = f"""SELECT * FROM pyq_eval('{{"pieces": {pieces}}}', '{{"v": "int"}}', 'stream_slow')"""
    call = Background(caller, query + " AS t(v int)")
    try:
        wait_until(
            streams,
            "coalesce((SELECT rows_out FROM pyq_engines WHERE backend_pid = %s), 0) = %s",
            caller.info.backend_pid,
            pieces,
        )
    finally:
        caller.cancel()
        assert getattr(call.result(), "sqlstate", None) == "57014"
        streams.execute("SELECT pyq_script_drop('stream_slow')")


@pytest.mark.parametrize("function", ["row", "eval", "index"])
def test_iterator_is_for_table_and_group_functions(streams: Connection[Any], function: str) -> None:
    calls = {
        "row": "pyq_row_eval('small', %s, NULL, 10, 'stream_none')",
        "eval": "pyq_eval(%s, NULL, 'stream_none')",
        "index": "pyq_index_eval(%s, NULL, 2, 'stream_none')",
    }
    with pytest.raises(Error) as caught:
        streams.execute(
            f"SELECT * FROM {calls[function]} AS t(v int)",  # type: ignore[arg-type]
            ('{"oml_input_type": "iterator"}',),
        )
    assert caught.value.sqlstate == "22023"


def test_chunks_and_groups_hold_one_at_a_time(streams: Connection[Any]) -> None:
    """200 MB in chunks of 5 MB, and in groups of 1 MB, without growing."""
    streams.execute("SELECT pyq_script_create('stream_probe', %s, false, true)",
                    (MEMORY + "def probe(dat): return [(len(dat), memory())]",))  # fmt: skip
    try:
        for call, pieces in [
            ("pyq_row_eval(%s, NULL, NULL, 5000, 'stream_probe')", 40),
            ("pyq_group_eval(%s, NULL, NULL, 'k', NULL, 'stream_probe')", 200),
        ]:
            query = f"SELECT n / 1000 AS k, pad FROM ({WIDE}) AS w WHERE n < 1001000"
            rows = streams.execute(
                f"SELECT rows, memory FROM {call} AS t(rows int, memory int8)", (query,)
            ).fetchall()
            assert sum(row[0] for row in rows) >= WIDE_ROWS - 201
            assert len(rows) >= pieces
            # After the first few the sort and the buffers have their memory.
            memories = [row[1] for row in rows[3:]]
            assert max(memories) - memories[0] < MOST_GROWTH
    finally:
        streams.execute("SELECT pyq_script_drop('stream_probe')")
