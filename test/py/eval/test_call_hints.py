"""Hints for PostgreSQL's errors about calls as Oracle writes them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest

TABLE = "Write the call without TABLE()"
COLUMNS = (
    "Name the result columns and their types after the call: SELECT * FROM pyq_table_eval(...)"
)
JOB_COLUMNS = (
    "Name the result columns and their types after the call: SELECT * FROM pyq_job_result(...) AS "
    "t(name text, value text)"
)
QUERY = "A query begins with SELECT, WITH, VALUES or TABLE"
SCHEMA = "Functions with Oracle's names are in schema pyqsys"
ARGUMENTS = "No function matches the given name"


@pytest.mark.parametrize(
    ("query", "state", "hint"),
    [
        ("SELECT * FROM table(pyqTableEval('x', NULL, NULL, 'f'))", "42601", TABLE),
        ("SELECT 'é日', t.* FROM TABLE\n( pyqsys . PyqEval(NULL, NULL, 'f')) t", "42601", TABLE),
        ("SELECT * FROM table(pyq_eval(NULL, NULL, 'f'))", "42601", TABLE),
        ("DO $$ BEGIN PERFORM * FROM table(pyqEval(NULL, NULL, 'f')); END $$", "42601", TABLE),
        (
            "SELECT * FROM pyq_table_eval('SELECT ''é'' FROM table(pyqEval(NULL, NULL, ''f''))',"
            " NULL, NULL, 'f') AS t(a int)",
            "42601",
            TABLE,
        ),
        ("SELECT * FROM pyqsys.pyqEval(NULL, NULL, 'f')", "42601", COLUMNS),
        ("SELECT 'é', t.* FROM pyq_eval(NULL, NULL, 'f') t", "42601", COLUMNS),
        ("SELECT * FROM pyq_job_result('x')", "42601", JOB_COLUMNS),
        ("SELECT * FROM pyqsys.pyqJobResult('x', 'XML')", "42601", JOB_COLUMNS),
        (
            "SELECT * FROM pyq_table_eval('pg_class limit 3', NULL, NULL, 'f') AS t(a int)",
            "42P01",
            QUERY,
        ),
        (
            "SELECT * FROM pyq_row_eval('DELETE FROM pg_catalog.nosuch', NULL, NULL, 1, 'f')"
            " AS t(a int)",
            "42P01",
            QUERY,
        ),
        (
            "SELECT * FROM pyq_table_eval('\"no such\"', NULL, NULL, 'f') AS t(a int)",
            "42P01",
            None,
        ),
        ("SELECT * FROM pyq_table_eval('nosuch', NULL, NULL, 'f') AS t(a int)", "42P01", None),
        ("SELECT * FROM pyqEval(NULL, NULL, 'f') AS t(a int)", "42883", SCHEMA),
        ("SELECT 'é', pyqScriptCreate ('f', 'def f(): pass')", "42883", SCHEMA),
        # Others are as they were.
        ("SELECT * FROM table(generate_series(1, 2))", "42601", None),
        ("SELECT * FROM table(quote_ident('pyqEval('))", "42601", None),
        ("SELECT * FROM 'pyqEval('", "42601", None),
        ("SELECT * FROM tables(pyqEval(1)) AS t(a int) x", "42601", None),
        ("TABLE table", "42601", None),
        ("SELECT * FROM json_to_record('{}')", "42601", None),
        ("SELECT pyq_eval(1, 2, 3, 4, 5, 6, 7)", "42883", ARGUMENTS),
        ("SELECT pyq(1)", "42883", ARGUMENTS),
        ("SELECT pyqsys.no_such(1)", "42883", ARGUMENTS),
        ("SELECT pyqEval", "42703", None),
    ],
)
@pytest.mark.parametrize("protocol", ["simple", "extended"])
def test_hints(
    conn: psycopg.Connection[Any], query: str, state: str, hint: str | None, protocol: str
) -> None:
    conn.execute("SELECT pyq_script_create('f', 'def f(): return 1', false, true)")
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(query, () if protocol == "extended" else None)  # type: ignore[call-overload]
    assert caught.value.sqlstate == state
    given = caught.value.diag.message_hint
    if hint is None:
        assert given is None
    else:
        assert given is not None
        assert given.startswith(hint)


@pytest.mark.parametrize(
    ("statement", "hint"),
    [
        ("SELECT * FROM pyqsys.jobs", "Use view pyq_jobs"),
        ("DELETE FROM PyqSys.job_results", "Use view pyq_jobs"),
        ("INSERT INTO pyqsys.scripts (name) VALUES ('x')", "Use views user_pyq_scripts"),
        ("UPDATE pyqsys.datastores SET name = 'x'", "Use views user_pyq_datastores"),
        ("SELECT * FROM private.jobs", None),
        ("SELECT 1 FROM private.jobs, pyqsys.job_datas", None),
    ],
)
def test_tables_of_the_extension(
    conn: psycopg.Connection[Any],
    connect: Callable[..., psycopg.Connection[Any]],
    make_role: Callable[..., str],
    statement: str,
    hint: str | None,
) -> None:
    role = make_role()
    conn.execute("CREATE SCHEMA IF NOT EXISTS private")
    conn.execute("CREATE TABLE IF NOT EXISTS private.jobs (a int)")
    conn.execute(f"GRANT USAGE ON SCHEMA private TO {role}")
    with pytest.raises(psycopg.Error) as caught:
        connect(user=role).execute(statement)  # type: ignore[call-overload]
    given = caught.value.diag.message_hint or ""
    if hint is None:
        assert not given.startswith("Use view")
    else:
        assert caught.value.sqlstate == "42501"
        assert given.startswith(hint)


def test_members_of_pg_write_all_data_get_the_hint(
    connect: Callable[..., psycopg.Connection[Any]], make_role: Callable[..., str]
) -> None:
    session = connect(user=make_role("writer", "IN ROLE pg_write_all_data"))
    with pytest.raises(psycopg.errors.InsufficientPrivilege) as caught:
        session.execute("INSERT INTO pyqsys.job_results VALUES (gen_random_uuid(), 1, '', 1, '')")
    assert (caught.value.diag.message_hint or "").startswith("Use view pyq_jobs")


def test_the_hinted_forms_work(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT pyq_script_create('f', 'def f(): return [(1,)]', false, true)")
    query = "SELECT * FROM pyqsys.pyqEval(NULL, NULL, 'f') AS t(a int)"
    assert conn.execute(query).fetchall() == [(1,)]
    conn.execute("SET search_path = public, pyqsys")
    assert conn.execute(query.replace("pyqsys.", "")).fetchall() == [(1,)]
