"""par_lst as text, jsonb, json and untyped, in every form of every eval function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.types.json import Json, Jsonb

PARAMETERS = {"s": "é €", "d": {"k": [1, 2.5, None, True]}, "e": ""}
SCRIPT = """
import json

def given(*data, **parameters):
    return json.dumps(parameters, sort_keys=True)
"""
# Each with {p} for par_lst and {out} for out_fmt or out_row; every call runs the script once.
CALLS = {
    "eval": "{f}({p}, {out}, 'given')",
    "table": "{f}('SELECT 1 AS a', {p}, {out}, 'given')",
    "row": "{f}('SELECT 1 AS a', {p}, {out}, 1, 'given')",
    "group": "{f}('SELECT 1 AS a', {p}, {out}, 'a', NULL, 'given')",
    "index": "{f}({p}, {out}, 1, 'given')",
}
NAMES = {
    "eval": ("pyq_eval", "pyqsys.pyqEval"),
    "table": ("pyq_table_eval", "pyqsys.pyqTableEval"),
    "row": ("pyq_row_eval", "pyqsys.pyqRowEval"),
    "group": ("pyq_group_eval", "pyqsys.pyqGroupEval"),
    "index": ("pyq_index_eval", "pyqsys.pyqIndexEval"),
}
FORMS = [
    pytest.param(kind, name, shape, id=f"{name.replace('pyqsys.', '')}-{shape}")
    for kind, names in NAMES.items()
    for name in names
    for shape in ("map", "list", "row")
]
# The output format, and the text after the call.
SHAPES = {
    "map": ("""'{"r": "varchar"}'""", "AS t(r text)"),
    "list": ("NULL", "AS t(r text)"),
    "row": ("NULL::one_text", "AS t(r)"),
}


@pytest.fixture(scope="module")
def session(server, database: str) -> Iterator[psycopg.Connection[Any]]:
    with server.connect(database) as connection:
        connection.execute("CREATE TYPE pg_temp.one_text AS (r text)")
        connection.execute("SELECT pyq_script_create('given', %s, false, true)", (SCRIPT,))
        yield connection
        connection.execute("SELECT pyq_script_drop('given')")


def query_of(kind: str, name: str, shape: str, parameter: str) -> str:
    out, after = SHAPES[shape]
    return f"SELECT r FROM {CALLS[kind].format(f=name, p=parameter, out=out)} {after}"


def received(session, query: str, *values: Any) -> Any:
    rows = session.execute(query, values or None).fetchall()
    assert len(rows) == 1
    return json.loads(rows[0][0])


LITERAL = "'" + json.dumps(PARAMETERS, ensure_ascii=False) + "'"
EXPRESSIONS = {
    "unknown": LITERAL,
    "text": LITERAL + "::text",
    "varchar": LITERAL + "::varchar",
    "name": """'{"e": ""}'::name""",
    "jsonb": LITERAL + "::jsonb",
    "json": LITERAL + "::json",
    "json_build_object": """json_build_object('s', 'é €', 'e', '',
        'd', json_build_object('k', json_build_array(1, 2.5, NULL, true)))""",
    "to_json": "to_json(ROW('')::pg_temp.one_text)",
    "subquery": f"(SELECT x FROM (VALUES ({LITERAL}::json)) AS v(x))",
}
EXPECTED = {"name": {"e": ""}, "to_json": {"r": ""}}


@pytest.mark.parametrize("expression", EXPRESSIONS)
@pytest.mark.parametrize(("kind", "name", "shape"), FORMS)
def test_every_form_takes_every_type(session, kind, name, shape, expression):
    query = query_of(kind, name, shape, EXPRESSIONS[expression])
    assert received(session, query) == EXPECTED.get(expression, PARAMETERS)


@pytest.mark.parametrize("null", ["NULL", "NULL::text", "NULL::jsonb", "NULL::json", "''"])
@pytest.mark.parametrize(("kind", "name", "shape"), FORMS)
def test_null_is_no_parameters(session, kind, name, shape, null):
    assert received(session, query_of(kind, name, shape, null)) == {}


@pytest.mark.parametrize("value", [Json, Jsonb, json.dumps])
@pytest.mark.parametrize("protocol", ["%s", "%t", "%b"])
@pytest.mark.parametrize(("kind", "name", "shape"), FORMS)
def test_every_form_takes_what_psycopg_sends(session, kind, name, shape, protocol, value):
    """As text or binary, typed json and jsonb, and untyped."""
    query = query_of(kind, name, shape, protocol)
    assert received(session, query, value(PARAMETERS)) == PARAMETERS


@pytest.mark.parametrize("declared", ["", "text", "json", "jsonb", "unknown"])
@pytest.mark.parametrize(("kind", "name", "shape"), FORMS)
def test_prepared_statements(session, kind, name, shape, declared):
    types = f"({declared})" if declared else ""
    session.execute(f"PREPARE given{types} AS {query_of(kind, name, shape, '$1')}")
    try:
        row = session.execute(
            "SELECT parameter_types::text[] FROM pg_prepared_statements WHERE name = 'given'"
        ).fetchone()
        # An untyped parameter is text, as before there was a form with json.
        assert row[0] == [declared if declared in ("json", "jsonb") else "text"]
        for value, expected in ((LITERAL, PARAMETERS), ("NULL", {}), ("'{}'", {})):
            assert received(session, f"EXECUTE given({value})") == expected
    finally:
        session.execute("DEALLOCATE given")


def test_from_plpgsql(session):
    """EXECUTE ... USING and variables give typed parameters."""
    session.execute(
        """CREATE FUNCTION pg_temp.ask(OUT a text, OUT b text) LANGUAGE plpgsql AS $$
        DECLARE p json := '{"e": ""}';
        BEGIN
            SELECT r INTO a FROM pyq_eval(p, NULL, 'given') AS t(r text);
            EXECUTE 'SELECT r FROM pyqsys.pyqEval($1, NULL, ''given'') AS t(r text)' INTO b USING p;
        END $$"""
    )
    assert session.execute("SELECT * FROM pg_temp.ask()").fetchone() == ('{"e": ""}',) * 2


def test_named_arguments(session):
    query = """SELECT r FROM pyq_eval(scr_name => 'given', out_fmt => NULL,
               par_lst => json_build_object('e', '')) AS t(r text)"""
    assert received(session, query) == {"e": ""}


@pytest.mark.parametrize("value", ["[1]", "1", '"a"', "null", "true"])
def test_json_that_is_no_object(session, value):
    with pytest.raises(psycopg.errors.InvalidParameterValue, match="par_lst"):
        session.execute("SELECT r FROM pyq_eval(%s::json, NULL, 'given') AS t(r text)", (value,))


def test_a_job_keeps_a_json_value(session):
    row = session.execute(
        """SELECT right(value, 36) FROM pyq_eval(json_build_object('oml_async_flag', true, 'e', ''),
           NULL, 'given') AS t(name text, value text)"""
    ).fetchone()
    assert session.execute("SELECT pyq_job_wait(%s, '1 min')", row).fetchone() == ("finished",)
    query = "SELECT value::json #>> '{}' FROM pyq_job_result(%s) AS t(name text, value text)"
    assert received(session, query, row[0]) == {"e": ""}


@pytest.fixture
def latin_connection(server) -> Iterator[psycopg.Connection[Any]]:
    name = "epe_parameters_latin1"
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
        admin.execute(
            f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0"
            " LC_COLLATE 'C' LC_CTYPE 'C'"
        )
    with server.connect(name) as connection:
        connection.execute("CREATE EXTENSION oml_epe")
        connection.execute("SELECT pyq_script_create('given', %s)", (SCRIPT,))
        yield connection
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.mark.parametrize("kind", ["text", "json"])
def test_other_encodings(latin_connection, kind):
    """Characters of the database's encoding, and escapes of others."""
    query = f"SELECT r FROM pyq_eval($$%s$$::{kind}, NULL, 'given') AS t(r text)"
    rows = latin_connection.execute(query.replace("%s", '{"s": "\u00e9 \\u20ac \\ud83d\\ude00"}'))
    assert json.loads(rows.fetchone()[0]) == {"s": "é € \U0001f600"}
