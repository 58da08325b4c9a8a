"""Queries that pyq_group_eval sorts: the order, the messages, and what is analysed again."""

from __future__ import annotations

import json
from typing import Any

import psycopg
import pytest
from psycopg import Connection

EVAL = """SELECT value FROM pyq_group_eval(%s, '{"oml_input_type": "pandas.DataFrame"}', 'JSON',
                                           %s, %s, %s) AS result(name text, value text)"""
ROWS = "def rows(dat):\n    return dat.to_csv(index=False, header=False, na_rep='?')\n"


@pytest.fixture
def group_rows(conn: Connection[Any]) -> Connection[Any]:
    """A connection with a temporary table of its own."""
    conn.execute(
        "CREATE TEMP TABLE group_rows AS SELECT i AS a, i % 3 AS k, '{}'::json AS j"
        " FROM generate_series(1, 6) AS i"
    )
    return conn


def number(text: str) -> Any:
    return text if text == "?" else int(float(text))


def groups(conn: Connection[Any], query: str, keys: str, order: str | None, name: str) -> Any:
    row = conn.execute(EVAL, (query, keys, order, name)).fetchone()
    return None if row is None else json.loads(row[0])


@pytest.mark.parametrize(
    ("query", "order", "expected"),
    [
        ("SELECT k, a FROM group_rows; -- all", "a DESC", {"0": [6, 3], "1": [4, 1], "2": [5, 2]}),
        ("SELECT k, a FROM group_rows ORDER BY a LIMIT 4", "a", {"0": [3], "1": [1, 4], "2": [2]}),
        ("SELECT 1 AS k, 5 AS a UNION SELECT 1, 7", "a DESC", {"1": [7, 5]}),
        ("VALUES (1, 8), (1, 9)", "column2 DESC", {"1": [9, 8]}),
        (
            "WITH w AS (SELECT k, a FROM group_rows) SELECT k, sum(a) AS a FROM w GROUP BY k",
            "a, k DESC, a DESC",
            {"0": [9], "1": [5], "2": [7]},
        ),
        (
            "SELECT 1 AS k, a FROM (VALUES (1), (NULL), (2)) AS v(a)",
            "a DESC NULLS LAST",
            {"1": [2, 1, "?"]},
        ),
        ("SELECT 1 AS k, a FROM (VALUES (1), (NULL)) AS v(a)", "a NULLS FIRST", {"1": ["?", 1]}),
    ],
)
def test_rows_are_sorted(group_rows, make_script, query, order, expected):
    make_script("rows", ROWS)
    keys = "column1" if query.startswith("VALUES") else "k"
    made = groups(group_rows, query, keys, order, "rows")
    assert {
        name: [number(line.split(",")[1]) for line in text.splitlines()]
        for name, text in made.items()
    } == expected


def test_columns_that_cannot_be_sorted(group_rows, make_script):
    """The position is that of the column in the statement that would sort the rows."""
    make_script("rows", ROWS)
    with pytest.raises(psycopg.errors.UndefinedFunction) as caught:
        groups(group_rows, "SELECT * FROM group_rows", "k", "a, j DESC", "rows")
    diag = caught.value.diag
    assert diag.message_primary == "could not identify an ordering operator for type json"
    assert diag.internal_query == (
        "SELECT * FROM (\nSELECT * FROM group_rows\n) AS input ORDER BY 2, 1, 3 DESC"
    )
    assert diag.internal_query[int(diag.internal_position) - 1 :] == "3 DESC"


def test_parameters_are_not_columns_to_sort_by(group_rows, make_script):
    make_script("rows", ROWS)
    with pytest.raises(psycopg.errors.UndefinedParameter) as caught:
        groups(group_rows, "SELECT $1 AS k, a FROM group_rows", "k", "a", "rows")
    assert caught.value.diag.internal_query == "SELECT $1 AS k, a FROM group_rows"


@pytest.mark.parametrize(
    ("change", "failure"),
    [
        ("DROP TABLE group_rows", psycopg.errors.UndefinedTable),
        ("ALTER TABLE group_rows RENAME a TO b", psycopg.errors.UndefinedColumn),
        ("ALTER TABLE group_rows ALTER a TYPE text", psycopg.errors.FeatureNotSupported),
        ("ALTER TABLE group_rows ADD x int DEFAULT 7", None),
        ("ALTER TABLE group_rows DROP j", None),
        ("SET search_path = pg_temp, public", None),
    ],
)
def test_a_script_that_changes_its_input_while_it_is_loaded(
    group_rows, make_script, change, failure
):
    """The analysis is repeated, as PostgreSQL does for prepared statements."""
    source = f"import oml\noml.cursor().execute({change!r})\n{ROWS}"
    make_script("rows", source)
    if failure is None:
        made = groups(group_rows, "SELECT k, a FROM group_rows", "k", "a DESC", "rows")
        assert made == {"0": "0,6\n0,3\n", "1": "1,4\n1,1\n", "2": "2,5\n2,2\n"}
    else:
        with pytest.raises(failure):
            groups(group_rows, "SELECT k, a FROM group_rows", "k", "a DESC", "rows")
