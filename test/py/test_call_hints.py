"""Hints for PostgreSQL's errors about calls as Oracle writes them."""

from __future__ import annotations

from typing import Any

import psycopg
import pytest

TABLE = "Write the call without TABLE()"
COLUMNS = "Name the result columns"
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


def test_the_hinted_forms_work(conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT pyq_script_create('f', 'def f(): return [(1,)]', false, true)")
    query = "SELECT * FROM pyqsys.pyqEval(NULL, NULL, 'f') AS t(a int)"
    assert conn.execute(query).fetchall() == [(1,)]
    conn.execute("SET search_path = public, pyqsys")
    assert conn.execute(query.replace("pyqsys.", "")).fetchall() == [(1,)]
