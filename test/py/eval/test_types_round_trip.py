"""Every type through Python and back: `def same(dat): return dat`, compared by PostgreSQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection, sql
from type_cases import CASES, PREAMBLE, TypeCase

ENGINE_PLACES = engine_kinds.ALL
SCHEMA = "types_round_trip"
INPUT_TYPES = ("default", "pandas.DataFrame", "numpy.recarray", "numpy.ndarray", "dict")
ARROW_TYPES = ("pyarrow.Table", "polars.DataFrame")


@pytest.fixture(scope="module")
def types(
    module_conn: Connection[Any], engine_place: engine_kinds.Place
) -> Iterator[Connection[Any]]:
    """A connection to a schema with a table for each case, named like it."""
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, {engine_place.search_path}")
    module_conn.execute("SET timezone = 'America/St_Johns'")
    module_conn.execute(PREAMBLE)
    for case in CASES:
        # The text keeps the input from being a matrix of numbers.
        module_conn.execute(f"CREATE TABLE {case.table} (n int, t text, v {case.sql_type})")
        literals: list[str | None] = [*case.literals, *([None] if case.with_null else [])]
        with module_conn.cursor() as cursor:
            cursor.executemany(
                sql.SQL("INSERT INTO {} VALUES (%s, %s, %s)").format(sql.Identifier(case.table)),
                [(n, f"row {n}", literal) for n, literal in enumerate(literals)],
            )
    module_conn.execute("SELECT pyq_script_create('types_same', 'def same(dat): return dat')")
    yield module_conn
    module_conn.execute("RESET ALL")
    module_conn.execute("SELECT pyq_script_drop('types_same')")
    module_conn.execute(f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE")


WHOLE = "pyq_table_eval('{table}', %s, NULL::{table}, 'types_same')"
CHUNKS = "pyq_row_eval('{table}', %s, NULL::{table}, {size}, 'types_same')"
GROUPS = (
    "pyq_group_eval('SELECT *, n / 2 AS g FROM {table}', %s, NULL::{table}, 'g', 'n', 'types_same')"
)


def differences(
    connection: Connection[Any], case: TypeCase, parameters: dict[str, str], call: str = WHOLE
) -> list[tuple[Any, ...]]:
    """Send the case's table through the script and return the differences, both ways."""
    call = call.replace("{table}", case.table)
    query = f"""
        WITH after AS MATERIALIZED (
            SELECT * FROM {call}
        )
        SELECT n, b.v::text AS before, a.v::text AS after, a.n IS NOT NULL AS is_there
        FROM (SELECT n, t, v, {case.same_by} AS same FROM {case.table}) AS b
             FULL JOIN (SELECT n, t, v, {case.same_by} AS same FROM after) AS a USING (n)
        WHERE a.same IS DISTINCT FROM b.same OR a.t IS DISTINCT FROM b.t
        UNION ALL
        SELECT -1, (SELECT count(*) FROM {case.table})::text, count(*)::text, true FROM after
        HAVING count(*) <> (SELECT count(*) FROM {case.table})"""
    return connection.execute(query, (json.dumps(parameters),)).fetchall()  # type: ignore[arg-type]


@pytest.mark.parametrize("input_type", INPUT_TYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_round_trip(types: Connection[Any], case: TypeCase, input_type: str) -> None:
    parameters = {"oml_input_type": input_type, **dict(case.controls)}
    assert differences(types, case, parameters) == []


@pytest.mark.parametrize("input_type", ARROW_TYPES)
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_round_trip_through_arrow(
    types: Connection[Any], engine_place: engine_kinds.Place, case: TypeCase, input_type: str
) -> None:
    engine_place.require_package(input_type.split(".")[0])
    if case.sql_type in ("json", "jsonb", "jsonb[]"):
        pytest.skip("travels as text, which comes back as a JSON string")
    parameters = {"oml_input_type": input_type, **dict(case.controls)}
    if not case.arrow_error:
        assert differences(types, case, parameters) == []
        return
    with pytest.raises(psycopg.Error) as caught:
        differences(types, case, parameters)
    assert caught.value.sqlstate == case.arrow_error
    assert '"v"' in str(caught.value)
    assert "row " in str(caught.value)


@pytest.mark.parametrize("input_type", ["pandas", "dict", "pyarrow"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_round_trip_in_chunks_and_groups(
    types: Connection[Any], engine_place: engine_kinds.Place, case: TypeCase, input_type: str
) -> None:
    """Calls that share a batch get their own rows of it."""
    if input_type == "pyarrow":
        engine_place.require_package("pyarrow")
        if case.arrow_error or "json" in case.sql_type:
            pytest.skip("see test_round_trip_through_arrow")
    parameters = {"oml_input_type": input_type, **dict(case.controls)}
    for call in (CHUNKS.replace("{size}", "1"), CHUNKS.replace("{size}", "2"), GROUPS):
        assert differences(types, case, parameters, call) == []


@pytest.mark.parametrize("input_type", ["pandas", "dict"])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_round_trip_does_not_depend_on_settings(
    types: Connection[Any], case: TypeCase, input_type: str
) -> None:
    """Values transferred as text can be read back by PostgreSQL, for any settings."""
    parameters = {"oml_input_type": input_type, **dict(case.controls)}
    with types.transaction():
        types.execute(
            "SET LOCAL datestyle = 'SQL, DMY'; SET LOCAL intervalstyle = 'sql_standard';"
            " SET LOCAL bytea_output = 'escape'; SET LOCAL standard_conforming_strings = off"
        )
        assert differences(types, case, parameters) == []


def test_floats_inside_printed_types_keep_all_digits(types: Connection[Any]) -> None:
    query = "SELECT point(0.1234567890123456, 1) AS v, 'x' AS t"
    with types.transaction():
        types.execute("SET LOCAL extra_float_digits = -5")
        found = types.execute(
            "SELECT (v)[0] = 0.1234567890123456 FROM"
            " pyq_table_eval(%s, NULL, NULL, 'types_same') AS r(v point, t text)",
            (query,),
        ).fetchone()
    assert found == (True,)
