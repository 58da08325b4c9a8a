"""Intervals as Arrow's month_day_nano_interval: inputs, and values of results and parameters."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ALL

MONTHS = json.dumps({"oml_input_type": "pyarrow.Table", "oml_interval": "month_day_nano"})
VALUES = (
    "1 mon",
    "-14 mons +3 days -01:02:03.456789",
    "1 day",
    "24:00:00",
    "-00:00:00.000001",
    "178000000 years",
    "-178000000 years",
    "2147483647 days",
    "-2147483648 days",
    "2562047:47:16.854775",
    "-2562047:47:16.854775",
)
# The parts as PostgreSQL's own fields: a day and 24 hours are equal, but differ in their parts.
PARTS = (
    "(extract(year FROM v) * 12 + extract(month FROM v))::int8, extract(day FROM v)::int8, "
    "(extract(hour FROM v) * 3600000000 + extract(minute FROM v) * 60000000"
    " + extract(microseconds FROM v))::int8"
)
Script = Callable[..., str]


@pytest.fixture(autouse=True)
def pyarrow(engine_place: engine_kinds.Place) -> None:
    engine_place.require_package("pyarrow")


@pytest.fixture
def rows(conn: Connection[Any]) -> str:
    """A query of the values, in order, and a NULL."""
    conn.execute("DROP TYPE IF EXISTS span CASCADE")
    conn.execute("CREATE TYPE span AS (label text, length interval)")
    values = ", ".join(f"({i}, interval '{value}')" for i, value in enumerate(VALUES))
    return f"SELECT i, v FROM (VALUES {values}, ({len(VALUES)}, NULL)) AS t(i, v)"


def refusal(call: Callable[[], Any]) -> psycopg.errors.Diagnostic:
    with pytest.raises(psycopg.Error) as caught:
        call()
    return caught.value.diag


@pytest.mark.parametrize("column", ["v", "v::interval(6)", "(ARRAY[NULL, v])[2]"])
def test_parts(conn: Connection[Any], make_script: Script, rows: str, column: str) -> None:
    """An input has the parts that PostgreSQL sees, of values with and without months."""
    name = make_script(
        "parts",
        """
def parts(dat):
    import pyarrow as pa
    assert dat.schema.field("v").type == pa.month_day_nano_interval(), dat.schema
    return [(i, *((None,) * 3 if v is None else (v.months, v.days, v.nanoseconds // 1000)))
            for i, v in zip(dat["i"].to_pylist(), dat["v"].to_pylist())]
""",
        True,
    )
    query = f"SELECT i, {column} AS v FROM ({rows}) AS q ORDER BY i"
    found = conn.execute(
        "SELECT * FROM pyq_table_eval(%s, %s, NULL, %s) AS t(i int, m int8, d int8, us int8)",
        (query, MONTHS, name),
    ).fetchall()
    wanted = conn.execute(f"SELECT i, {PARTS} FROM ({query}) AS q ORDER BY i").fetchall()  # type: ignore[arg-type]
    assert len(found) == len(VALUES) + 1 and found == wanted


@pytest.mark.parametrize(
    ("column", "sql_type"),
    [
        ("v", "interval"),
        ("ARRAY[v, NULL, v + '1 us']", "interval[]"),
        ("ARRAY[ARRAY[v, v], ARRAY[NULL, interval '1 day']]", "interval[]"),
        ("('one', v)::span", "span"),
    ],
)
@pytest.mark.parametrize("function", ["table", "row", "iterator"])
def test_round_trip(
    conn: Connection[Any],
    make_script: Script,
    rows: str,
    function: str,
    column: str,
    sql_type: str,
) -> None:
    """Values return unchanged, part by part, also in arrays and composite types."""
    is_iterator = function == "iterator"
    body = "    yield from dat\n" if is_iterator else "    return dat\n"
    name = make_script("same", f"def same(dat):\n{body}", True)
    controls = json.loads(MONTHS)
    if is_iterator:
        controls["oml_input_type"] = "iterator[pyarrow.Table]"
    # Times near the limit of nanoseconds have no room for another microsecond.
    query = f"SELECT i, {column} AS v FROM ({rows}) AS q WHERE i < 9 OR v IS NULL ORDER BY i"
    call = "pyq_row_eval(%s, %s, NULL, 3, %s)" if function == "row" else ""
    call = call or "pyq_table_eval(%s, %s, NULL, %s)"
    found = conn.execute(
        f"SELECT i, v::text FROM {call} AS t(i int, v {sql_type}) ORDER BY i",  # type: ignore[arg-type]
        (query, json.dumps(controls), name),
    ).fetchall()
    wanted = conn.execute(f"SELECT i, v::text FROM ({query}) AS q ORDER BY i").fetchall()  # type: ignore[arg-type]
    assert len(found) == 10 and found == wanted


def test_type_does_not_depend_on_the_values(conn: Connection[Any], make_script: Script) -> None:
    """Each chunk has the type that was asked for, whatever its values."""
    name = make_script("kind", "def kind(dat):\n    return str(dat.schema.field('v').type)\n", True)
    query = "SELECT v::interval FROM (VALUES (1, '1 day'), (2, NULL), (3, '1 mon')) AS t(i, v)"
    plain = json.dumps({"oml_input_type": "pyarrow.Table"})
    for controls, values, kind in (
        (MONTHS, query, "month_day_nano_interval"),
        (plain, query + " WHERE i < 3", "duration[us]"),
    ):
        found = conn.execute(
            "SELECT DISTINCT k FROM pyq_row_eval(%s, %s, NULL, 1, %s) AS t(k text)",
            (values, controls, name),
        ).fetchall()
        assert found == [(kind,)]


@pytest.mark.parametrize("input_type", ["pyarrow.Table", "polars.DataFrame"])
def test_months_without_the_argument(
    conn: Connection[Any],
    engine_place: engine_kinds.Place,
    make_script: Script,
    input_type: str,
) -> None:
    engine_place.require_package(input_type.partition(".")[0])
    name = make_script("same", "def same(dat):\n    return dat\n", True)
    found = refusal(
        lambda: conn.execute(
            "SELECT * FROM pyq_table_eval('SELECT interval ''1 mon'' AS v', %s, NULL, %s)"
            " AS t(v interval)",
            (json.dumps({"oml_input_type": input_type}), name),
        )
    )
    assert found.sqlstate == "22008"
    assert found.message_primary == (
        'value "1 mon" of column "v", row 1, has no counterpart in Arrow'
    )
    assert '"oml_interval": "month_day_nano"' in (found.message_hint or "")


@pytest.mark.parametrize("input_type", [None, "pandas.DataFrame", "polars.DataFrame", "iterator"])
def test_other_inputs_are_refused(
    conn: Connection[Any], make_script: Script, input_type: str | None
) -> None:
    name = make_script("same", "def same(dat):\n    return dat\n", True)
    controls = {"oml_interval": "month_day_nano", "oml_input_type": input_type}
    found = refusal(
        lambda: conn.execute(
            "SELECT * FROM pyq_table_eval('SELECT interval ''1 mon'' AS v', %s, NULL, %s)"
            " AS t(v interval)",
            (json.dumps(controls), name),
        )
    )
    assert found.sqlstate == "22023"
    assert "pyarrow.Table" in (found.message_primary or "")
    assert '"oml_input_type": "pyarrow.Table"' in (found.message_hint or "")


def test_times_beyond_nanoseconds(conn: Connection[Any], make_script: Script) -> None:
    """2^63 nanoseconds are 292 years; PostgreSQL's time of an interval is longer."""
    name = make_script("same", "def same(dat):\n    return dat\n", True)
    values = ["2562047:47:16.854776", "-2562047:47:16.854776", "2562047788:00:54.775807"]
    if conn.info.server_version >= 170000:
        values += ["infinity", "-infinity"]
    for value in values:
        query = f"SELECT interval '{value}' AS v"
        found = refusal(
            lambda query=query: conn.execute(  # type: ignore[misc]
                "SELECT * FROM pyq_table_eval(%s, %s, NULL, %s) AS t(v interval)",
                (query, MONTHS, name),
            )
        )
        assert (found.sqlstate, value in (found.message_primary or "")) == ("22008", True)


# --------------------------------------------------------------------- pyarrow.MonthDayNano objects

VALUE = "pa.MonthDayNano([-14, 3, -3723456789000])"
TEXT = "-14 mons +3 days -01:02:03.456789"


@pytest.mark.parametrize(
    ("result", "columns"),
    [
        (VALUE, "v interval"),
        (f"[{VALUE}]", "v interval"),
        (f"[({VALUE}, [{VALUE}, None])]", "v interval, vs interval[]"),
        (f"{{'v': [{VALUE}], 'vs': [[{VALUE}, None]]}}", "v interval, vs interval[]"),
        (f"pd.DataFrame({{'v': [{VALUE}], 'vs': [[{VALUE}, None]]}})", "v interval, vs interval[]"),
        (f"pa.scalar({VALUE})", "v interval"),
        (f"pa.table({{'v': [{VALUE}], 'vs': [[{VALUE}, None]]}})", "v interval, vs interval[]"),
        (f"[('one', {VALUE})]", "label text, v interval"),
    ],
)
def test_objects_as_results(
    conn: Connection[Any], make_script: Script, result: str, columns: str
) -> None:
    source = f"def give():\n    import pandas as pd, pyarrow as pa\n    return {result}\n"
    name = make_script("give", source, True)
    arrays = f", vs::text = ARRAY[interval '{TEXT}', NULL]::text" if "vs" in columns else ""
    found = conn.execute(
        f"SELECT v::text = interval '{TEXT}'::text{arrays}"  # type: ignore[arg-type]
        f" FROM pyq_eval(NULL, NULL, %s) AS t({columns})",
        (name,),
    ).fetchall()
    assert found == [(True, True) if arrays else (True,)]


def test_objects_in_composites_and_json(conn: Connection[Any], make_script: Script) -> None:
    """JSON has the ISO 8601 text, which PostgreSQL reads back, as for timedeltas."""
    conn.execute("DROP TYPE IF EXISTS span CASCADE")
    conn.execute("CREATE TYPE span AS (label text, length interval)")
    source = f"""
def give():
    import pyarrow as pa
    zero, day = pa.MonthDayNano([0, 0, 0]), pa.MonthDayNano([0, -1, 500_000_000])
    return [(("one", {VALUE}), [{VALUE}, zero, day])]
"""
    name = make_script("give", source, True)
    span, listed = conn.execute(
        "SELECT (s).length::text, j FROM pyq_eval(NULL, NULL, %s) AS t(s span, j jsonb)", (name,)
    ).fetchone() or (None, None)
    texts = conn.execute(
        "SELECT array_agg(value::interval::text ORDER BY number)"
        " FROM jsonb_array_elements_text(%s) WITH ORDINALITY AS t(value, number)",
        (json.dumps(listed),),
    ).fetchone()
    wanted = conn.execute(
        f"SELECT interval '{TEXT}'::text, interval '0'::text, interval '-1 day 00:00:00.5'::text"  # type: ignore[arg-type]
    ).fetchone()
    assert wanted is not None and texts is not None
    assert (span, texts[0]) == (wanted[0], list(wanted))


def test_objects_as_parameters(conn: Connection[Any], make_script: Script) -> None:
    source = f"""
def ask():
    import oml, pyarrow as pa
    cursor = oml.cursor()
    cursor.execute(
        "SELECT $1::text, pg_typeof($1)::text, ($2::interval[])[1]::text", [{VALUE}, [{VALUE}]]
    )
    return list(cursor.fetchall())
"""
    name = make_script("ask", source, True)
    found = conn.execute(
        "SELECT * FROM pyq_eval(NULL, NULL, %s) AS t(a text, b text, c text)", (name,)
    ).fetchone()
    wanted = conn.execute(f"SELECT interval '{TEXT}'::text").fetchone()  # type: ignore[arg-type]
    assert wanted is not None and found == (wanted[0], "interval", wanted[0])
