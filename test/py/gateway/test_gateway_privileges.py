"""Privileges through the gateway are those of SQL: one matrix, checked both ways."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from typing import Any, NamedTuple

import psycopg
import pytest
from gateway_process import Gateway, User
from psycopg import Connection

# Script: its name for the caller, and its relation to the caller.
SCRIPTS = {
    "own": ("gw_m_own", None),
    "granted": ("gw_m_granted", "owner"),
    "public": ("gw_m_public", "owner"),
    "foreign": ("gw_m_foreign", "owner"),
    "global": ("gw_m_global", None),
    "global by owner": ("gw_m_global", "pyqsys"),
}
TABLES = (
    "gw_open", "gw_closed", "gw_columns", "gw_rows_secured", "gw_view", "gw_view_of_closed",
    "SELECT a FROM gw_columns", "SELECT g, count(*) AS a FROM gw_rows_secured GROUP BY g",
    "SELECT * FROM gw_function()", "SELECT current_user::text AS g, 1 AS a",
)  # fmt: skip
KINDS = ("do-eval", "table-apply", "row-apply", "group-apply", "index-apply")
ROLES = ("reader", "nobody", "member", "admin")

SOURCE = """
import oml
def f(rows=None, n=None):
    who = oml.cursor().execute("SELECT current_user::text").fetchone()[0]
    if rows is None or isinstance(rows, int):
        return [who, rows]
    return [who, len(rows), sorted(rows["a"].tolist())]
"""

SCHEMA = """
CREATE TABLE gw_open (g text, a int);
INSERT INTO gw_open VALUES ('x', 1), ('y', 2), ('y', 3);
CREATE TABLE gw_closed AS SELECT * FROM gw_open;
CREATE TABLE gw_columns AS SELECT * FROM gw_open;
CREATE TABLE gw_rows_secured AS SELECT * FROM gw_open;
INSERT INTO gw_rows_secured SELECT '{reader}', 10 + i FROM generate_series(1, 4) AS i;
ALTER TABLE gw_rows_secured ENABLE ROW LEVEL SECURITY;
CREATE POLICY gw_own ON gw_rows_secured USING (g = current_user OR g = 'x');
CREATE VIEW gw_view AS SELECT * FROM gw_open WHERE a > 1;
CREATE VIEW gw_view_of_closed AS SELECT * FROM gw_closed;
CREATE FUNCTION gw_function() RETURNS TABLE (g text, a int) LANGUAGE sql
    AS 'SELECT * FROM gw_closed';
GRANT SELECT ON gw_open, gw_rows_secured, gw_view TO PUBLIC;
GRANT SELECT ON gw_view_of_closed TO {member};
GRANT SELECT (a) ON gw_columns TO {reader};
"""
DROP = (
    "DROP VIEW IF EXISTS gw_view, gw_view_of_closed; DROP FUNCTION IF EXISTS gw_function();"
    "DROP TABLE IF EXISTS gw_open, gw_closed, gw_columns, gw_rows_secured"
)


class Cast(NamedTuple):
    """The roles of the matrix."""

    users: dict[str, User]
    sessions: dict[str, Connection[Any]]
    owner: str


@pytest.fixture(scope="module")
def cast(server: Any, database: str, session_gateway: Gateway) -> Iterator[Cast]:
    names = {role: f"epe_gwm_{role}" for role in (*ROLES, "owner")}
    with server.connect(database) as admin:
        for role, name in names.items():
            options = "IN ROLE pyqadmin" if role == "admin" else ""
            admin.execute(f"CREATE ROLE {name} LOGIN PASSWORD 'matrix' {options}")
        admin.execute(f"GRANT {names['owner']} TO {names['member']}")
        admin.execute(SCHEMA.format(**names))
        admin.execute("SELECT pyq_script_create('gw_m_global', %s, true)", (SOURCE,))
    sessions = {role: server.connect(database, name) for role, name in names.items()}
    for script in ("gw_m_granted", "gw_m_public", "gw_m_foreign"):
        sessions["owner"].execute("SELECT pyq_script_create(%s, %s)", (script, SOURCE))
    sessions["owner"].execute("SELECT pyq_grant('gw_m_public', 'pyqscript')")
    sessions["owner"].execute(
        "SELECT pyq_grant('gw_m_granted', 'pyqscript', %s)", (names["reader"],)
    )
    for role in ROLES:
        sessions[role].execute("SELECT pyq_script_create('gw_m_own', %s)", (SOURCE,))
    users = {role: User(session_gateway, names[role], "matrix") for role in ROLES}
    yield Cast(users, sessions, names["owner"])
    for session in sessions.values():
        session.close()
    with server.connect(database) as admin:
        admin.execute("SELECT pyq_script_drop('gw_m_global', true)")
        admin.execute(DROP)
        for name in names.values():
            admin.execute(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
                (name,),
            )
            admin.execute(f"DROP OWNED BY {name} CASCADE")
            admin.execute(f"DROP ROLE {name}")


FRAME = '{"oml_input_type": "pandas.DataFrame"}'


def by_sql(session: Connection[Any], kind: str, query: str, name: str, owner: str | None) -> Any:
    """The result, or the SQLSTATE and message of the error."""
    function = {
        "do-eval": "pyq_eval(NULL, 'JSON', %(name)s, %(owner)s)",
        "table-apply": "pyq_table_eval(%(query)s, %(frame)s, 'JSON', %(name)s, %(owner)s)",
        "row-apply": "pyq_row_eval(%(query)s, %(frame)s, 'JSON', 2, %(name)s, %(owner)s)",
        "group-apply": "pyq_group_eval(%(query)s, %(frame)s, 'JSON', 'a', NULL, %(name)s,"
        " %(owner)s)",
        "index-apply": "pyq_index_eval(NULL, 'JSON', 2, %(name)s, %(owner)s)",
    }[kind]
    arguments = {"query": query, "name": name, "owner": owner, "frame": FRAME}
    try:
        row = session.execute(
            f"SELECT value FROM {function} AS t(name text, value text)",  # type: ignore[arg-type]
            arguments,
        ).fetchone()
    except psycopg.Error as error:
        return error.diag.message_primary
    assert row is not None
    return json.loads(row[0])


def by_rest(user: User, kind: str, query: str, name: str, owner: str | None) -> Any:
    fields: dict[str, Any] = {}
    if kind not in ("do-eval", "index-apply"):
        fields = {"input": query, "parameters": FRAME}
    own: dict[str, dict[str, Any]] = {
        "row-apply": {"rows": 2},
        "group-apply": {"groupBy": "a"},
        "index-apply": {"times": 2},
    }
    fields |= own.get(kind, {})
    answer = user.run(kind, name, owner, **fields)
    return answer.result if answer.status == 200 else answer.refused(400)["errorMessage"]


CASES = [
    # Each script of each function over an open table, and each table with scripts that all may run.
    *((kind, "gw_open", script) for kind, script in itertools.product(KINDS, SCRIPTS)),
    *(
        (kind, table, script)
        for kind, table, script in itertools.product(KINDS[1:4], TABLES[1:], ("own", "global"))
    ),
]


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("kind", KINDS)
def test_rest_says_what_sql_says(cast, role, kind):
    seen = 0
    for _, table, script in (case for case in CASES if case[0] == kind):
        name, of = SCRIPTS[script]
        owner = cast.owner if of == "owner" else of
        wanted = by_sql(cast.sessions[role], kind, table, name, owner)
        found = by_rest(cast.users[role], kind, table, name, owner)
        assert found == wanted, (role, kind, table, script)
        seen += 1
    assert seen >= 6


def test_the_matrix_is_large_and_has_both_answers(cast):
    assert len(CASES) * len(ROLES) >= 100
    reader, outsider = cast.sessions["reader"], cast.sessions["nobody"]
    assert isinstance(by_sql(outsider, "do-eval", "", "gw_m_granted", cast.owner), str)
    assert by_sql(reader, "do-eval", "", "gw_m_granted", cast.owner) == ["epe_gwm_reader", None]
    # Row security: five rows for the one, one for the other.
    rows = [
        by_sql(each, "table-apply", "gw_rows_secured", "gw_m_own", None)
        for each in (reader, outsider)
    ]
    assert [row[1] for row in rows] == [5, 1]
    assert isinstance(by_sql(outsider, "table-apply", "gw_closed", "gw_m_own", None), str)


@pytest.mark.parametrize("role", ROLES)
def test_scripts_that_are_listed_are_those_of_the_view(cast, role):
    rows = cast.sessions[role].execute("SELECT owner, name, script FROM all_pyq_scripts").fetchall()
    wanted = {
        ("PYQSYS" if owner == "pyqsys" else owner, name, script) for owner, name, script in rows
    }
    listed = cast.users[role].get("/oml/api/py-scripts/v2/scripts").result
    assert {(each["owner"], each["name"], each["script"]) for each in listed} == wanted
