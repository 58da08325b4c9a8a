"""Times, integers, names and figures as results, parameters and inputs."""

from __future__ import annotations

import datetime
import json
from collections.abc import Iterator
from typing import Any

import engine_kinds
import pytest
from psycopg import Connection, Error

ENGINE_PLACES = engine_kinds.ENGINES

SCRIPT = """
import datetime, decimal, getpass
import numpy as np
import oml
import pandas as pd

utc = datetime.timezone.utc
east = datetime.timezone(datetime.timedelta(hours=9))
late = datetime.datetime(2024, 5, 5, 23, 30, tzinfo=utc)
nanos = pd.Timestamp("2020-12-31 23:59:59.999999999")

def values_run(dat=None, what=None, sql=None):
    if sql is not None:
        return str(oml.cursor().execute(sql, (eval(what),)).fetchone()[0])
    return eval(what)
"""


@pytest.fixture(scope="module")
def values(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection far from UTC, with the script."""
    module_conn.execute(
        "SELECT pyq_script_create('values_run', %s, v_overwrite => true)", (SCRIPT,)
    )
    module_conn.execute("SET timezone = 'America/New_York'")
    yield module_conn
    module_conn.execute("RESET timezone; SELECT pyq_script_drop('values_run')")


def results_of(connection: Connection[Any], what: str, sql_type: str) -> list[Any]:
    found = connection.execute(
        f"SELECT v FROM pyq_eval(%s, NULL, 'values_run') AS t(v {sql_type})",  # type: ignore
        (json.dumps({"what": what}),),
    ).fetchall()
    return [row[0] for row in found]


def parameter_of(connection: Connection[Any], what: str, statement: str) -> str:
    row = connection.execute(
        "SELECT v FROM pyq_eval(%s, NULL, 'values_run') AS t(v text)",
        (json.dumps({"what": what, "sql": statement}),),
    ).fetchone()
    assert row is not None
    found: str = row[0]
    return found


FORMS = ["{}", "[{}, None]", "[{}, 'infinity']", "pd.DataFrame({{'v': [{}]}})"]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("value", ["late", "late.astimezone(east)", "pd.Timestamp(late)"])
def test_aware_times_are_taken_in_utc(values: Connection[Any], value: str, form: str) -> None:
    what = form.format(value)
    expected: dict[str, Any] = {
        "timestamp": datetime.datetime(2024, 5, 5, 23, 30),
        "date": datetime.date(2024, 5, 5),
        "time": datetime.time(23, 30),
    }
    for sql_type, right in expected.items():
        if "infinity" in what and sql_type != "timestamp":
            what = what.replace("infinity", "2024-05-06" if sql_type == "date" else "10:00")
        query = "SELECT v::text FROM pyq_eval(%s, NULL, 'values_run') AS t(v {})"
        found = values.execute(
            query.format(sql_type),  # type: ignore[arg-type]
            (json.dumps({"what": what}),),
        ).fetchall()
        assert found[0][0] == str(right)
        what = form.format(value)


@pytest.mark.parametrize("form", FORMS)
def test_nanoseconds_are_cut(values: Connection[Any], form: str) -> None:
    for value in ("nanos", "np.datetime64('2020-12-31T23:59:59.999999999')"):
        found = values.execute(
            "SELECT v::text FROM pyq_eval(%s, NULL, 'values_run') AS t(v timestamp)",
            (json.dumps({"what": form.format(value)}),),
        ).fetchall()
        assert found[0][0] == "2020-12-31 23:59:59.999999"
        assert parameter_of(values, value, "SELECT $1::timestamp::text") == found[0][0]


def test_nanoseconds_before_1970_are_cut_alike(values: Connection[Any]) -> None:
    value = "pd.Timestamp('1969-12-31 23:59:59.123456789')"
    expected = datetime.datetime(1969, 12, 31, 23, 59, 59, 123456)
    assert results_of(values, f"[{value}]", "timestamp") == [expected]
    assert results_of(values, f"np.array([{value}.to_datetime64()])", "timestamp") == [expected]
    assert parameter_of(values, value, "SELECT $1::timestamp::text") == str(expected)


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT ($1::timestamptz AT TIME ZONE 'UTC')::text",
        "WITH t(x) AS (SELECT timestamptz '2024-05-05 12:00+00')"
        " SELECT (x AT TIME ZONE 'UTC')::text FROM t WHERE x = $1",
        "SELECT (coalesce($1, now()) AT TIME ZONE 'UTC')::text",
    ],
)
def test_naive_parameters_mean_utc(values: Connection[Any], statement: str) -> None:
    what = "datetime.datetime(2024, 5, 5, 12)"
    assert parameter_of(values, what, statement) == "2024-05-05 12:00:00"
    result = values.execute(
        "SELECT (v AT TIME ZONE 'UTC')::text FROM pyq_eval(%s, NULL, 'values_run')"
        " AS t(v timestamptz)",
        (json.dumps({"what": what}),),
    ).fetchone()
    assert result == ("2024-05-05 12:00:00",)


def test_naive_parameters_elsewhere_are_timestamps(values: Connection[Any]) -> None:
    what = "datetime.datetime(2024, 5, 5, 12)"
    for statement, expected in (
        ("SELECT pg_typeof($1)::text", "timestamp without time zone"),
        ("SELECT ($1 + interval '1 day')::text", "2024-05-06 12:00:00"),
        ("SELECT $1", "2024-05-05 12:00:00"),
    ):
        assert parameter_of(values, what, statement) == expected


@pytest.mark.parametrize(
    ("what", "statement", "expected"),
    [
        ("{'n': np.int64(3), 'ok': np.bool_(True)}", "SELECT $1::jsonb::text", None),
        ("{'f': np.float16(65504), 'x': [np.float32(0.1), None]}", "SELECT $1::jsonb::text", None),
        ("{'d': decimal.Decimal('1.50'), 't': nanos.date()}", "SELECT $1::jsonb::text", None),
        ("[{'n': np.int64(3)}, np.float64(2.5)]", "SELECT $1::jsonb::text", None),
        ("[np.int64(1), None]", "SELECT $1::json::text", None),
        ("[np.int64(1), None]", "SELECT $1::int[]::text", "{1,NULL}"),
        ("[5.0, float('inf'), 1e15, 0.1]", "SELECT $1::text[]::text", "{5,Infinity,1e+15,0.1}"),
        ("5.0", "SELECT $1::text", "5"),
        ("{'a': 1}", "SELECT pg_typeof($1)::text", "jsonb"),
    ],
)
def test_containers_as_parameters(
    values: Connection[Any], what: str, statement: str, expected: str | None
) -> None:
    found = parameter_of(values, what, statement)
    if expected is not None:
        assert found == expected
    else:  # as a result
        assert json.loads(found) == results_of(values, f"[({what},)]", "jsonb")[0]


@pytest.mark.parametrize("sql_type", ["tsvector", "xml", "int4range", "inet"])
def test_lists_are_no_parameters_of_other_types(values: Connection[Any], sql_type: str) -> None:
    with pytest.raises(Error) as caught:
        parameter_of(values, "[1, 2]", f"SELECT $1::{sql_type}::text")
    assert caught.value.sqlstate == "42804"


BIG = [2**53 + 1, 2**63 - 100, -(2**63), -(2**53) - 1]


@pytest.mark.parametrize("input_type", ["pandas.DataFrame", "dict", "numpy.recarray"])
@pytest.mark.parametrize("number", BIG)
def test_large_integers_beside_null(values: Connection[Any], number: int, input_type: str) -> None:
    query = f"SELECT * FROM (VALUES ('{number}'::bigint, 'a'), (NULL, 'b')) AS v(n, k)"
    parameters: dict[str, Any] = {"what": "dat", "oml_input_type": input_type}
    found = values.execute(
        "SELECT n, k FROM pyq_table_eval(%s, %s, NULL, 'values_run') AS t(n bigint, k text)",
        (query, json.dumps(parameters)),
    ).fetchall()
    assert found == [(number, "a"), (None, "b")]


def test_small_integers_beside_null_stay_floats(values: Connection[Any]) -> None:
    query = f"SELECT * FROM (VALUES ({2**53}::bigint, 'a'), (NULL, 'b')) AS v(n, k)"
    found = values.execute(
        "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'values_run') AS t(v text)",
        (query, json.dumps({"what": "str(dat['n'].dtype)"})),
    ).fetchall()
    assert found == [("float64",)]


def test_nullable_types(values: Connection[Any]) -> None:
    query = """SELECT * FROM (VALUES (1::int2, 2::int4, 9223372036854775807, 0.5::float4,
        'NaN'::float8, true, 'a'), (NULL, NULL, NULL, NULL, NULL, NULL, NULL))
        AS v(s, i, n, r, d, b, k)"""
    controls = {"oml_nullable": True, "oml_nan": "keep"}
    found = values.execute(
        "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'values_run') AS t(v text)",
        (query, json.dumps({"what": "' '.join(map(str, dat.dtypes[:6]))", **controls})),
    ).fetchall()
    assert found == [("Int16 Int32 Int64 Float32 Float64 boolean",)]
    found = values.execute(
        "SELECT n, d, b, k FROM pyq_table_eval(%s, %s, NULL, 'values_run')"
        " AS t(n bigint, d float8, b bool, k text)",
        (query, json.dumps({"what": "dat", **controls})),
    ).fetchall()
    assert str(found[0]) == "(9223372036854775807, nan, True, 'a')"
    assert found[1] == (None, None, None, None)


def test_float16_in_json(values: Connection[Any]) -> None:
    for what in ("np.float16(65504)", "np.array([65504], 'f2')", "[np.float16(0.1)]"):
        row = values.execute(
            "SELECT value FROM pyq_eval(%s, NULL::pyq_json, 'values_run')",
            (json.dumps({"what": what}),),
        ).fetchone()
        assert row is not None
        expected = 0.0999755859375 if "0.1" in what else 65504
        found = json.loads(row[0])
        assert (found[0] if isinstance(found, list) else found) == expected


def test_names_of_tables(values: Connection[Any]) -> None:
    values.execute('CREATE SCHEMA "Names"; CREATE TABLE "Names".here AS SELECT 1 AS n, \'a\' AS k')
    database = values.info.dbname
    call = (
        "SELECT v FROM pyq_table_eval(%s, '{\"what\": \"len(dat)\"}', NULL, 'values_run')"
        " AS t(v int)"
    )
    for name in (
        '"Names".here',
        "names.HERE",
        f'{database}."Names".here',
        f'"{database}".names.here',
    ):
        assert values.execute(call, (name,)).fetchall() == [(1,)]
    for name, state, words in (
        ('"names".here', "42P01", 'table or view "names.here" does not exist'),
        ('"NAMES".HERE', "42P01", 'table or view "NAMES.HERE" does not exist'),
        ('"Nowhere"', "42P01", 'table or view "Nowhere" does not exist'),
        ('elsewhere."Names".here', "22023", "names another database"),
        (f'"{database.upper()}".names.here', "22023", "names another database"),
    ):
        with pytest.raises(Error) as caught:
            values.execute(call, (name,))
        assert caught.value.sqlstate == state
        assert words in str(caught.value)
    values.execute('DROP SCHEMA "Names" CASCADE')


def test_user_name(values: Connection[Any]) -> None:
    user = results_of(values, "getpass.getuser()", "text")[0]
    assert user and user == results_of(values, "getpass.getuser()", "text")[0]


FIGURES = """
import io
import matplotlib
import matplotlib.pyplot as plt
from matplotlib.figure import Figure

def drawn(what):
    if what == "unmanaged":
        figure = Figure()
        figure.subplots().plot([1, 2])
        return figure
    if what == "closed":
        figure, axes = plt.subplots()
        plt.close(figure)
        return figure
    figure, axes = plt.subplots()
    lines = axes.plot([1, 2])
    if what == "subplots":
        plt.close("all")
        return plt.subplots(2, 2)
    return {"figure": figure, "axes": axes, "plt": plt, "lines": lines, "pair": (figure, axes),
            "bars": axes.bar([1], [2]), "hist": axes.hist([1, 2]), "none": None, "value": 5,
            "text": axes.set_title("t")}[what]
"""


@pytest.mark.parametrize(
    "what",
    ["figure", "axes", "plt", "lines", "pair", "bars", "hist", "text", "subplots", "unmanaged",
     "closed"],
)  # fmt: skip
def test_what_was_drawn_is_no_value(values: Connection[Any], what: str) -> None:
    values.execute("SELECT pyq_script_create('drawn', %s, v_overwrite => true)", (FIGURES,))
    found = values.execute(
        "SELECT id, value, substr(image, 2, 3) FROM pyq_eval(%s, NULL::pyq_png, 'drawn')",
        (json.dumps({"what": what}),),
    ).fetchall()
    assert found == [(1, None, b"PNG")]
    xml = values.execute(
        "SELECT xpath_exists('//image', value::xml), value"
        " FROM pyq_eval(%s, NULL::pyq_xml, 'drawn')",
        (json.dumps({"what": what, "oml_graphics_flag": True}),),
    ).fetchone()
    assert xml is not None and xml[0] and xml[1].startswith("<root><NoneType/>")


def test_values_beside_figures_stay(values: Connection[Any]) -> None:
    values.execute("SELECT pyq_script_create('drawn', %s, v_overwrite => true)", (FIGURES,))
    for what, expected in (("none", "null"), ("value", "5")):
        found = values.execute(
            "SELECT id, value FROM pyq_eval(%s, NULL::pyq_png, 'drawn')",
            (json.dumps({"what": what}),),
        ).fetchall()
        assert found == [(1, expected)]


# The failing script, its table, and the hint.
@pytest.mark.parametrize(
    ("query", "what", "words"),
    [
        ("SELECT 1 AS x, 2 AS y", "dat['x']", '"oml_input_type": "pandas.DataFrame"'),
        ("SELECT 1 AS x, 2 AS y", "dat.x", '"oml_input_type": "pandas.DataFrame"'),
        ("SELECT 1 AS x, 'a' AS y", "dat['X']", 'has the column "x"'),
        ("SELECT 1 AS x, 'a' AS y", "dat.Y", 'has the column "y"'),
        ("SELECT 1 AS x, 'a' AS y", "__import__('no_such_thing')", "no other environment has it"),
        ("SELECT 1 AS x, 'a' AS y", "dat.rename(columns={'x': 'Big X'})",
         'AS t("Big X" bigint, y text)'),
        ("SELECT 1 AS x, 'a' AS y", "{'k': 1.5, 'l': ['a']}", "AS t(k double precision, l text)"),
        ("SELECT 1 AS x, 'a' AS y", "[(1, 'a', None)]",
         "AS t(column1 bigint, column2 text, column3 text)"),
    ],
)  # fmt: skip
def test_first_errors_help(values: Connection[Any], query: str, what: str, words: str) -> None:
    with pytest.raises(Error) as caught:
        values.execute(
            "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'values_run') AS t(v int, w int)",
            (query, json.dumps({"what": what})),
        )
    assert words in (caught.value.diag.message_hint or "")


def test_other_errors_have_no_hint(values: Connection[Any]) -> None:
    for what in ("{}['k']", "dat['nothing']", "[][5]", "1 / 0"):
        with pytest.raises(Error) as caught:
            values.execute(
                "SELECT * FROM pyq_table_eval(%s, %s, NULL, 'values_run') AS t(v int)",
                ("SELECT 1 AS x, 'a' AS y", json.dumps({"what": what})),
            )
        assert caught.value.diag.message_hint is None


def test_xml_errors_speak_of_xml(values: Connection[Any]) -> None:
    for row_type, word in (("pyq_xml", "XML"), ("pyq_json", "JSON")):
        with pytest.raises(Error) as caught:
            values.execute(
                f"SELECT value FROM pyq_eval(%s, NULL::{row_type}, 'values_run')",  # type: ignore
                (json.dumps({"what": "[object()]"}),),
            )
        assert f"{word} cannot hold a value of Python type object" in str(caught.value)


def test_no_times_at_all(values: Connection[Any]) -> None:
    for row_type, expected in (
        ("int", []),
        ("pyq_json", [(None, "[]")]),
        ("pyq_xml", []),
        ("pyq_png", []),
    ):
        columns = "name, value" if row_type.startswith("pyq") else "1"
        found = values.execute(
            f"SELECT {columns} FROM pyq_index_eval(NULL, NULL::{row_type}, 0, 'values_run')"  # type: ignore
        ).fetchall()
        assert found == expected
