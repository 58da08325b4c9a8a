"""Parallel calls give the same results, in the same order, at every degree: the results of pandas.

Sizes of chunks and groups are random, and so is the time that calls take. The engine of the
backend, which runs one call after the other, counts as one more degree.
"""

from __future__ import annotations

import io
import json
import random
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import pytest
from psycopg import Connection

# In the backend, and in so many engine processes.
DEGREES = ["backend", 1, 2, 4, 8]
SEEDS = range(4)
ROWS = 3000

SCRIPTS = {
    # Work of a random length, so that calls end in another order than they start.
    "sums": """
import random, time
import pandas as pd
def sums(dat, scale=1):
    if random.random() < 0.2:
        time.sleep(random.random() / 500)
    return pd.DataFrame({"first": [int(dat["id"].iloc[0])], "n": [len(dat)],
                         "total": [float((dat["x"] * scale).sum())],
                         "words": [" ".join(sorted(set(dat["word"])))]})
""",
    "same": """
def same(dat):
    return dat[["id", "x", "word"]]
""",
    "pieces": """
def pieces(dat):
    for start in range(0, len(dat), 7):
        yield dat.iloc[start:start + 7][["id", "x", "word"]]
""",
    "small_ones": """
def small_ones(dat):
    return len(dat) if len(dat) % 3 else None
""",
    "noisy": """
import warnings
def noisy(dat):
    print("first", int(dat["id"].iloc[0]))
    if len(dat) % 2:
        print("and\\nodd")
    return len(dat)
""",
    "squares": """
def squares(index, power=2):
    return index ** power
""",
    "sparse": """
def sparse(index):
    return index if index % 3 == 0 else None
""",
    "failing": """
import time
def failing(index, bad):
    if index == min(bad):
        time.sleep(0.02)  # later calls fail sooner
    if index in bad:
        raise ValueError(f"bad index {index}")
    return index
""",
    "failing_chunk": """
import time
def failing_chunk(dat, bad):
    hit = [each for each in bad if each in set(dat["id"])]
    if hit:
        time.sleep(0.02 / (1 + hit[0]))
        raise ValueError(f"bad row {hit[0]}")
    return len(dat)
""",
    "plot": """
def plot(index):
    import matplotlib.pyplot as plt
    plt.plot([1, index])
    plt.title(f"number {index}")
    return {"index": index}
""",
    "whose": """
import os
def whose(dat):
    total = 0
    for frame in dat:
        total += len(frame)
    return [(os.getpid(), total)]
""",
}


@pytest.fixture(scope="module")
def session(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, source))
    yield module_conn
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))


@pytest.fixture(scope="module", params=SEEDS)
def frame(request: Any, session: Connection[Any]) -> Iterator[pd.DataFrame]:
    """A table of random rows, as parallel_rows, whose groups are of very different sizes."""
    generator = np.random.default_rng(request.param)
    weights = generator.pareto(1.0, 40)
    made = pd.DataFrame(
        {
            "id": np.arange(ROWS),
            "x": generator.normal(size=ROWS).round(6),
            "word": generator.choice(["a", "bb", "été", "日本"], ROWS),
            "grp": generator.choice(40, ROWS, p=weights / weights.sum()),
        }
    )
    session.execute("CREATE TEMP TABLE parallel_rows (id int, x float8, word text, grp int)")
    with session.cursor().copy("COPY parallel_rows FROM STDIN") as copy:
        for row in made.itertuples(index=False):
            copy.write_row(row)
    yield made
    session.execute("DROP TABLE parallel_rows")


def controls(degree: Any, **arguments: Any) -> str:
    if degree != "backend":
        arguments["oml_parallel"] = degree
    return json.dumps(arguments)


def rows_at(session: Connection[Any], degree: Any, query: str, *parameters: Any) -> list[Any]:
    """Run a query at a degree; its first parameter is replaced by that degree's arguments."""
    session.execute(
        "SELECT set_config('oml_epe.engine', %s, false)",
        ("backend" if degree == "backend" else "process",),
    )
    arguments, *rest = parameters
    return session.execute(
        query,  # type: ignore[call-overload]
        (controls(degree, **arguments), *rest),
    ).fetchall()


def summed(piece: pd.DataFrame, scale: float = 1) -> tuple[Any, ...]:
    words = " ".join(sorted(set(piece["word"])))
    return int(piece["id"].iloc[0]), len(piece), float((piece["x"] * scale).sum()), words


def close_to(rows: list[Any]) -> Any:
    """Equal but for rounding: sums of numpy and of pandas add up in another order."""
    return [(first, n, pytest.approx(total), words) for first, n, total, words in rows]


SUMS = "AS t(first int, n int, total float8, words text)"
INPUT = "SELECT id, x, word FROM parallel_rows ORDER BY id"


@pytest.mark.parametrize("size", [1, 7, 100, 2999, 3000, 5000])
def test_chunks(size, session, frame):
    if size == 1:
        frame = frame.head(200)
    pieces = [frame.iloc[start : start + size] for start in range(0, len(frame), size)]
    expected = close_to([summed(piece, 2) for piece in pieces])
    query = f"{INPUT} LIMIT {len(frame)}"
    call = f"SELECT * FROM pyq_row_eval(%s, %s::jsonb, NULL, %s, 'sums') {SUMS}"
    found = {
        degree: rows_at(
            session, degree, call.replace("%s,", f"$${query}$$,", 1), {"scale": 2}, size
        )
        for degree in DEGREES
    }
    assert found["backend"] == expected
    for degree in DEGREES:
        assert found[degree] == found["backend"], degree


def test_groups(session, frame):
    pieces = [piece for _, piece in frame.groupby("grp", sort=True)]
    expected = close_to([summed(piece) for piece in pieces])
    call = (
        "SELECT * FROM pyq_group_eval('SELECT * FROM parallel_rows', %s::jsonb, NULL, 'grp', 'id',"
        f" 'sums') {SUMS}"
    )
    found = {degree: rows_at(session, degree, call, {}) for degree in DEGREES}
    assert found["backend"] == expected
    for degree in DEGREES:
        assert found[degree] == found["backend"], degree


@pytest.mark.parametrize("script", ["same", "pieces"])
def test_groups_come_back_whole(script, session, frame):
    """Results of many rows, of frames and of generators; the order is that of the groups."""
    ordered = frame.sort_values(["grp", "id"])[["id", "x", "word"]]
    expected = list(ordered.itertuples(index=False, name=None))
    call = (
        "SELECT * FROM pyq_group_eval('SELECT * FROM parallel_rows', %s::jsonb, NULL, 'grp', 'id',"
        f" '{script}') AS t(id int, x float8, word text)"
    )
    for degree in DEGREES:
        assert rows_at(session, degree, call, {}) == expected, degree


def test_calls_without_a_result_are_omitted(session, frame):
    sizes = frame.groupby("grp", sort=True).size()
    expected = [(int(size),) for size in sizes if size % 3]
    call = (
        "SELECT * FROM pyq_group_eval('SELECT * FROM parallel_rows', %s::jsonb, NULL::int, 'grp',"
        " 'id', 'small_ones')"
    )
    for degree in DEGREES:
        assert rows_at(session, degree, call, {}) == expected, degree


@pytest.mark.parametrize("out_format", ["JSON", "XML"])
def test_documents(out_format, session, frame):
    call = (
        "SELECT * FROM pyq_group_eval('SELECT * FROM parallel_rows', %s::jsonb, %s, 'grp', 'id',"
        " 'sums') AS t(name text, value text)"
    )
    found = {degree: rows_at(session, degree, call, {}, out_format) for degree in DEGREES}
    if out_format == "JSON":
        ((_, value),) = found["backend"]
        documents = {group: rows[0] for group, rows in json.loads(value).items()}
    else:
        documents = {
            group: pd.read_xml(io.StringIO(value), xpath=".//ROW-pandas_dataFrame").iloc[0]
            for group, value in found["backend"]
        }
    expected = {str(group): summed(piece) for group, piece in frame.groupby("grp", sort=True)}
    assert list(documents) == list(expected)
    for group, (first, n, total, words) in expected.items():
        document = documents[group]
        assert (document["first"], document["n"], document["words"]) == (first, n, words)
        assert float(document["total"]) == pytest.approx(total)
    for degree in DEGREES:
        assert found[degree] == found["backend"], degree


def test_images(session):
    call = (
        "SELECT name, id, value, title, md5(image) FROM pyq_index_eval(%s::jsonb, 'PNG', 6, 'plot')"
        " AS t(name text, id int, value text, title text, image bytea)"
    )
    found = {degree: rows_at(session, degree, call, {}) for degree in DEGREES}
    assert [row[0] for row in found["backend"]] == [str(index) for index in range(1, 7)]
    assert len({row[4] for row in found["backend"]}) == 6
    for degree in DEGREES:
        assert found[degree] == found["backend"], degree


@pytest.mark.parametrize("times", [1, 2, 3, 500])
def test_indexes(times, session):
    call = "SELECT * FROM pyq_index_eval(%s::jsonb, NULL::bigint, %s, %s)"
    for degree in DEGREES:
        cubes = rows_at(session, degree, call, {"power": 3}, times, "squares")
        assert cubes == [(index**3,) for index in range(1, times + 1)], degree
        sparse = rows_at(session, degree, call, {}, times, "sparse")
        assert sparse == [(index,) for index in range(3, times + 1, 3)], degree


@pytest.mark.parametrize("seed", SEEDS)
def test_first_failing_call_is_the_error(seed, session):
    """Whichever call fails first in time, the first in order counts; so does its whole report."""
    bad = random.Random(seed).sample(range(1, 101), 4)
    call = "SELECT * FROM pyq_index_eval(%s::jsonb, NULL::int, 100, 'failing')"
    reports = {}
    for degree in DEGREES:
        with pytest.raises(psycopg.errors.ExternalRoutineException) as caught:
            rows_at(session, degree, call, {"bad": bad})
        diagnostics = caught.value.diag
        reports[degree] = (
            diagnostics.sqlstate,
            diagnostics.message_primary,
            diagnostics.message_detail,
            diagnostics.context,
        )
    assert reports["backend"][1] == f"ValueError: bad index {min(bad)}"
    for degree in DEGREES:
        assert reports[degree] == reports["backend"], degree


@pytest.mark.parametrize("seed", SEEDS)
def test_first_failing_chunk_is_the_error(seed, session, frame):
    bad = sorted(random.Random(seed).sample(range(ROWS), 3))
    call = f"SELECT * FROM pyq_row_eval('{INPUT}', %s::jsonb, NULL::int, 50, 'failing_chunk')"
    for degree in DEGREES:
        with pytest.raises(psycopg.errors.ExternalRoutineException) as caught:
            rows_at(session, degree, call, {"bad": bad})
        assert caught.value.diag.message_primary == f"ValueError: bad row {bad[0]}"
        first = bad[0] // 50 * 50
        assert f"chunk {first // 50 + 1} (rows {first + 1} to {first + 50})" in (
            caught.value.diag.context or ""
        )


def test_notices_come_in_call_order(session, frame):
    call = f"SELECT * FROM pyq_row_eval('{INPUT}', %s::jsonb, NULL::int, 97, 'noisy')"
    pieces = [frame.iloc[start : start + 97] for start in range(0, ROWS, 97)]
    expected = []
    for piece in pieces:
        expected.append(f"first {piece['id'].iloc[0]}")
        if len(piece) % 2:
            expected += ["and", "odd"]
    heard: list[str] = []
    listener = lambda notice: heard.extend((notice.message_primary or "").split("\n"))  # noqa: E731
    session.add_notice_handler(listener)
    try:
        for degree in DEGREES:
            heard.clear()
            rows_at(session, degree, call, {})
            assert heard == expected, degree
    finally:
        session.remove_notice_handler(listener)


def test_iterators_stay_single(session, frame):
    """A call that reads its input piece by piece is one call, whatever degree is asked for."""
    call = (
        "SELECT * FROM pyq_table_eval('SELECT * FROM parallel_rows', %s::jsonb, NULL, 'whose')"
        " AS t(pid int, n int)"
    )
    for degree in DEGREES:
        ((_, total),) = rows_at(session, degree, call, {"oml_input_type": "iterator"})
        assert total == ROWS
        row = session.execute("SELECT engines FROM pyq_last_call()").fetchone()
        assert row == (0 if degree == "backend" else 1,)


@pytest.mark.parametrize(
    ("arguments", "engines"),
    [
        ({}, 1),
        ({"oml_parallel_flag": True}, 2),
        ({"oml_parallel_flag": True, "oml_service_level": "LOW"}, 2),
        ({"oml_parallel_flag": True, "oml_service_level": "MEDIUM"}, 4),
        ({"oml_parallel_flag": True, "oml_service_level": "HIGH"}, 8),
        ({"oml_service_level": "HIGH"}, 1),
        ({"oml_parallel": 3}, 3),
        ({"oml_parallel": 1000}, 8),
        ({"oml_parallel": 1, "oml_parallel_flag": True}, 1),
    ],
)
def test_degree_that_is_asked_for(arguments, engines, session):
    """Every call waits until all engines that there shall be have one."""
    session.execute("SET oml_epe.engine = 'process'")
    session.execute(
        "SELECT pyq_script_create('meet', %s, false, true)",
        (
            """
import time
import oml
def meet(index, engines):
    if index > engines:
        return index
    cursor = oml.cursor()
    cursor.execute("SELECT pg_advisory_xact_lock_shared(7006, $1::int)", (index,))
    def have_come():
        return cursor.execute("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                              " AND classid = 7006 AND pid = pg_backend_pid()").fetchone()[0]
    while have_come() < engines:
        time.sleep(0.001)
    return index
""",
        ),
    )
    session.execute("SET statement_timeout = '20s'")
    rows = session.execute(
        "SELECT * FROM pyq_index_eval(%s::jsonb, NULL::int, 12, 'meet')",
        (json.dumps({**arguments, "engines": engines}),),
    ).fetchall()
    session.execute("RESET statement_timeout")
    assert rows == [(index,) for index in range(1, 13)]
    assert session.execute("SELECT engines, calls FROM pyq_last_call()").fetchone() == (engines, 12)
