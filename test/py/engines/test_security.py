"""Privileges, and the effects of text supplied by callers."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from conftest import Connect
from psycopg import Connection, sql

DENIED = psycopg.errors.InsufficientPrivilege
RUN_SQL = """
import oml
def run_sql(sql):
    rows = oml.cursor().execute(sql)
    return str(rows.fetchone()[0]) if rows.description else "done"
"""
COUNT = "def count_rows(dat):\n    return len(dat)\n"


def run_sql(session: Connection[Any], statement: str, owner: str | None = None) -> Any:
    """Run a statement by the script run_sql and return its first value as text."""
    row = session.execute(
        "SELECT * FROM pyq_eval(%s::jsonb, NULL, 'run_sql', %s) AS t(x text)",
        (json.dumps({"sql": statement}), owner),
    ).fetchone()
    return None if row is None else row[0]


def count_rows(session: Connection[Any], query: str) -> int:
    row = session.execute(
        "SELECT * FROM pyq_table_eval(%s, NULL, NULL::int, 'count_rows', 'pyqsys')", (query,)
    ).fetchone()
    assert row is not None
    return int(row[0])


@pytest.fixture
def scripts(make_script: Callable[..., str]) -> None:
    """Two global scripts, which all roles may run."""
    make_script("run_sql", RUN_SQL, True)
    make_script("count_rows", COUNT, True)


@pytest.fixture
def user(scripts: None, make_role: Callable[..., str], connect: Connect) -> Connection[Any]:
    """A session of an ordinary role."""
    return connect(user=make_role("ordinary"))


# ------------------------------------------------------------------------------- the repository


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT pyq_script_create('mine', 'def mine(): return 1', true)",
        "SELECT pyq_script_create('run_sql', 'def mine(): return 1', true, true)",
        "SELECT pyq_script_drop('run_sql', true)",
        "SELECT * FROM pyqsys.scripts",
        "SELECT * FROM pyqsys.script_grants",
        "INSERT INTO pyqsys.scripts (owner, name, script) VALUES (0, 'x', 'def x(): pass')",
        "UPDATE pyqsys.scripts SET script = 'def x(): pass'",
        "DELETE FROM pyqsys.scripts",
        "TRUNCATE pyqsys.scripts",
        "INSERT INTO pyqsys.script_grants VALUES (10, 'x', 0)",
        "CREATE TABLE pyqsys.mine (x int)",
        "CREATE FUNCTION pyqsys.mine() RETURNS int LANGUAGE sql AS 'SELECT 1'",
        "ALTER TABLE pyqsys.scripts DISABLE TRIGGER ALL",
        "INSERT INTO user_pyq_scripts VALUES ('x', 'def x(): pass')",
        "UPDATE all_pyq_scripts SET script = 'def x(): pass'",
    ],
)
def test_ordinary_role_may_not(statement, user):
    """A view that cannot be updated is refused for that, the rest for want of rights."""
    with pytest.raises((DENIED, psycopg.errors.ObjectNotInPrerequisiteState)):
        user.execute(statement)
    assert count_rows(user, "SELECT 1") == 1


def test_ordinary_role_may_not_through_a_script_either(user):
    """A global script has its caller's rights."""
    for statement in (
        "SELECT count(*) FROM pyqsys.scripts",
        "SELECT pyq_script_create('mine', 'def mine(): return 1', true)",
        "SELECT pg_read_file('/etc/passwd')",
        "CREATE TABLE pyqsys.mine (x int)",
        "SET ROLE postgres",
        "SET SESSION AUTHORIZATION postgres",
    ):
        with pytest.raises(DENIED):
            run_sql(user, statement, "pyqsys")
    assert run_sql(user, "SELECT current_user", "pyqsys") == user.info.user


def test_private_scripts_of_others(user, make_role, connect):
    admin_name = make_role("admin", "IN ROLE pyqadmin")
    admin = connect(user=admin_name)
    admin.execute("SELECT pyq_script_create('run_sql', %s)", (RUN_SQL,))
    admin.execute("SELECT pyq_script_create('hidden', 'def hidden(): return 1')")
    visible = "SELECT count(*) FROM all_pyq_scripts WHERE owner = %s"

    assert user.execute(visible, (admin_name,)).fetchone() == (0,)
    missing = user.execute  # the same error as for a script that does not exist
    for name in ("run_sql", "hidden", "no_such_script"):
        with pytest.raises(psycopg.errors.UndefinedObject) as caught:
            missing("SELECT * FROM pyq_eval(NULL::text, NULL::int, %s, %s)", (name, admin_name))
        assert name in str(caught.value)
    with pytest.raises(psycopg.Error):
        user.execute("SELECT pyq_grant('hidden', 'pyqscript', NULL)")

    admin.execute(
        sql.SQL("SELECT pyq_grant('run_sql', 'pyqscript', {})").format(sql.Literal(user.info.user))
    )
    assert user.execute(visible, (admin_name,)).fetchone() == (1,)
    assert run_sql(user, "SELECT current_user", admin_name) == user.info.user
    with pytest.raises(DENIED):
        run_sql(user, "SELECT count(*) FROM pyqsys.scripts", admin_name)
    # Being granted a script is no right to grant it on.
    with pytest.raises(psycopg.Error):
        user.execute("SELECT pyq_grant('run_sql', 'pyqscript', NULL)")

    admin.execute("SELECT pyq_revoke('run_sql', 'pyqscript', NULL)")
    with pytest.raises(psycopg.errors.UndefinedObject):
        run_sql(user, "SELECT 1", admin_name)


WHERE = """
import os
import oml

def where(revoke_from=None):
    '''Tell whether this runs in the backend; the same of a nested call, after a REVOKE.'''
    cursor = oml.cursor()
    cursor.execute("SELECT pg_backend_pid()")
    is_inside = cursor.fetchone()[0] == os.getpid()
    if revoke_from is None:
        return [is_inside]
    cursor.execute(f'REVOKE pyqadmin FROM "{revoke_from}"')
    cursor.execute("SELECT pyq_eval('{}'::text, NULL::boolean, 'where', $1)", (revoke_from,))
    return [is_inside, cursor.fetchone()[0]]
"""


def inside(session, owner=None, **arguments) -> list[bool]:
    """Call `where`."""
    rows = session.execute(
        "SELECT * FROM pyq_eval(%s::jsonb, NULL::boolean, 'where', %s)",
        (json.dumps(arguments), owner),
    ).fetchall()
    return [row[0] for row in rows]


@pytest.mark.backend
def test_role_that_is_trusted_no_more(user, conn, make_role, connect):
    """Its scripts run in sandboxed processes, for all callers, until it is trusted again."""
    admin_name = make_role("admin", "IN ROLE pyqadmin")
    admin = connect(user=admin_name)
    admin.execute("SELECT pyq_script_create('where', %s)", (WHERE,))
    admin.execute("SELECT pyq_grant('where', 'pyqscript', NULL)")
    assert inside(user, admin_name) == [True]
    assert inside(admin) == [True]
    conn.execute(sql.SQL("REVOKE pyqadmin FROM {}").format(sql.Identifier(admin_name)))
    for session, owner in ((user, admin_name), (admin, None), (conn, admin_name)):
        assert inside(session, owner) == [False]
    conn.execute(sql.SQL("GRANT pyqadmin TO {}").format(sql.Identifier(admin_name)))
    assert inside(user, admin_name) == [True]


@pytest.mark.backend
def test_role_that_is_trusted_no_more_while_its_script_runs(conn, make_role, connect):
    """A running call may end; the next call leaves the backend, including a nested one."""
    admin_name = make_role("admin", "IN ROLE pyqadmin")
    admin = connect(user=admin_name)
    admin.execute("SELECT pyq_script_create('where', %s)", (WHERE,))
    assert inside(conn, admin_name, revoke_from=admin_name) == [True, False]


# ------------------------------------------------------------------------------- rights to the data


@pytest.fixture
def accounts(conn: Connection[Any]) -> Iterator[None]:
    conn.execute("DROP TABLE IF EXISTS accounts, secrets CASCADE")
    conn.execute("CREATE TABLE accounts (owner name, amount int, pin int)")
    conn.execute("CREATE TABLE secrets (x int)")
    conn.execute("ALTER TABLE accounts ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY own_rows ON accounts USING (owner = current_user)")
    conn.execute("GRANT SELECT (owner, amount) ON accounts TO PUBLIC")
    yield
    conn.execute("DROP TABLE accounts, secrets CASCADE")


def test_rights_to_the_input(accounts, conn, user):
    conn.execute("INSERT INTO accounts VALUES (%s, 1, 1), ('somebody', 2, 2)", (user.info.user,))
    assert count_rows(user, "SELECT owner, amount FROM accounts") == 1
    assert run_sql(user, "SELECT count(amount) FROM accounts", "pyqsys") == "1"
    for query in (
        "accounts",
        "SELECT pin FROM accounts",
        "secrets",
        "SELECT * FROM secrets",
        "pyqsys.scripts",
        "SELECT 1 FROM pyqsys.scripts",
        "pg_authid",
    ):
        with pytest.raises(DENIED):
            count_rows(user, query)
        with pytest.raises(DENIED):
            user.execute(
                "SELECT * FROM pyq_row_eval(%s, NULL, NULL::int, 1, 'count_rows')", (query,)
            )
    assert count_rows(conn, "accounts") == 2


def test_security_barrier_views_hold(accounts, conn, user):
    """A leaky function in inp_nam does not see the rows of others."""
    conn.execute("INSERT INTO accounts VALUES (%s, 1, 1), ('somebody', 2, 2)", (user.info.user,))
    seen: list[str | None] = []
    user.add_notice_handler(lambda diagnostic: seen.append(diagnostic.message_primary))
    user.execute(
        "CREATE FUNCTION pg_temp.leak(n int) RETURNS boolean LANGUAGE plpgsql COST 0.0001 AS"
        " $$ BEGIN RAISE NOTICE 'amount %', n; RETURN true; END $$"
    )
    assert count_rows(user, "SELECT owner FROM accounts WHERE pg_temp.leak(amount)") == 1
    assert seen == ["amount 1"]


def test_security_definer_runs_as_the_definer(accounts, conn, user):
    conn.execute("INSERT INTO accounts VALUES ('somebody', 2, 2)")
    conn.execute("""
        CREATE OR REPLACE FUNCTION count_all() RETURNS int LANGUAGE sql SECURITY DEFINER
        SET search_path = public, pg_temp AS
        $$ SELECT x FROM pyq_table_eval('accounts', NULL, NULL::int, 'count_rows') AS x $$""")
    conn.execute("""
        CREATE OR REPLACE FUNCTION who() RETURNS text LANGUAGE sql SECURITY DEFINER
        SET search_path = public, pg_temp AS
        $$ SELECT x FROM pyq_eval('{"sql": "SELECT current_user"}'::jsonb, NULL, 'run_sql')
           AS t(x text) $$""")
    assert user.execute("SELECT count_all(), who()").fetchone() == (1, "postgres")
    assert run_sql(user, "SELECT who()", "pyqsys") == "postgres"
    assert run_sql(user, "SELECT current_user", "pyqsys") == user.info.user
    with pytest.raises(DENIED):
        count_rows(user, "secrets")
    conn.execute("DROP FUNCTION count_all(), who()")


def test_own_scripts_come_before_global_ones_of_the_definer_too(conn, user, make_role, connect):
    """Inside SECURITY DEFINER the definer's own script is the first found, not the caller's."""
    admin = connect(user=make_role("admin", "IN ROLE pyqadmin"))
    admin.execute("SELECT pyq_script_create('count_rows', 'def count_rows(dat):\n    return -1\n')")
    conn.execute("""
        CREATE OR REPLACE FUNCTION counted() RETURNS int LANGUAGE sql SECURITY DEFINER
        SET search_path = public, pg_temp AS
        $$ SELECT x FROM pyq_table_eval('SELECT 1', NULL, NULL::int, 'count_rows') AS x $$""")
    assert admin.execute("SELECT counted()").fetchone() == (1,)
    assert admin.execute(
        "SELECT * FROM pyq_table_eval('SELECT 1', NULL, NULL::int, 'count_rows')"
    ).fetchone() == (-1,)
    conn.execute("DROP FUNCTION counted()")


def test_security_restricted_operations(conn, user, accounts):
    """An expression index or a materialised view of the user's, maintained by a superuser."""
    schema = "epe_restricted"
    conn.execute(f"DROP SCHEMA IF EXISTS {schema} CASCADE")
    conn.execute(
        sql.SQL("CREATE SCHEMA {} AUTHORIZATION {}").format(
            sql.Identifier(schema), sql.Identifier(user.info.user)
        )
    )
    user.execute(f"CREATE TABLE {schema}.t (x int)")
    user.execute(f"""
        CREATE FUNCTION {schema}.who(x int) RETURNS text IMMUTABLE LANGUAGE sql AS
        $$ SELECT y FROM public.pyq_eval('{{"sql": "SELECT current_user"}}'::jsonb, NULL,
                                         'run_sql', 'pyqsys') AS t(y text) $$""")
    user.execute(f"INSERT INTO {schema}.t VALUES (1)")
    user.execute(f"CREATE INDEX ON {schema}.t ({schema}.who(x))")
    conn.execute(f"REINDEX TABLE {schema}.t")
    user.execute("SET enable_seqscan = off")
    row = user.execute(
        f"SELECT count(*) FROM {schema}.t WHERE {schema}.who(x) = current_user"
    ).fetchone()
    assert row == (1,)
    conn.execute(f"DROP SCHEMA {schema} CASCADE")


# ------------------------------------------------------------------------------------ search_path


@pytest.fixture
def hostile(conn: Connection[Any]) -> Iterator[str]:
    """A schema whose operators and functions, common names all, complain when they are used."""
    conn.execute("DROP SCHEMA IF EXISTS hostile CASCADE")
    conn.execute("CREATE SCHEMA hostile")
    complain = "LANGUAGE plpgsql AS $$ BEGIN RAISE 'hostile code ran'; END $$"
    types = ("text", "oid", "name", '"char"', "regrole", "regclass", "integer", "boolean")
    for number, kind in enumerate(types):
        for symbol in ("=", "<>", "<", ">", "||", "~"):
            function = f"hostile.operator_{number}_{abs(hash(symbol))}"
            conn.execute(f"CREATE FUNCTION {function}({kind}, {kind}) RETURNS boolean {complain}")
            conn.execute(
                f"CREATE OPERATOR hostile.{symbol}"
                f" (FUNCTION = {function}, LEFTARG = {kind}, RIGHTARG = {kind})"
            )
    for name, arguments in (
        ("lower", "text"),
        ("upper", "text"),
        ("length", "text"),
        ("count", "integer"),
        ("pg_has_role", "oid, text"),
        ("pg_has_role", "name, oid, text"),
        ("pg_get_userbyid", "oid"),
        ("now", ""),
        ("quote_ident", "text"),
        ("format", "text"),
        ("pg_table_is_visible", "oid"),
        ("generate_series", "integer, integer"),
    ):
        conn.execute(f"CREATE FUNCTION hostile.{name}({arguments}) RETURNS text {complain}")
    for table in ("pg_class", "pg_namespace", "pg_roles", "scripts", "script_grants", "pg_proc"):
        conn.execute(f"CREATE TABLE hostile.{table} (x int)")
    yield "hostile, pg_catalog, public"
    conn.execute("DROP SCHEMA hostile CASCADE")


def test_search_path_that_puts_hostile_names_first(hostile, conn, make_role, connect, scripts):
    conn.execute('CREATE TABLE public."MixedCase" (g text, x int)')
    conn.execute("INSERT INTO public.\"MixedCase\" VALUES ('a', 1), ('b', 2)")
    session = connect()
    reader = make_role("reader")
    session.execute(f"SET search_path = {hostile}")
    with pytest.raises(psycopg.errors.RaiseException):
        session.execute("SELECT 'a'::text = 'a'::text")  # the trap is sharp
    source = "def mine(*args):\n    return 1\n"
    for statement in (
        f"SELECT pyq_script_create('mine', $${source}$$)",
        f"SELECT pyq_script_create('mine', $${source}$$, false, true)",
        "SELECT pyq_grant('mine', 'pyqscript', NULL)",
        f"SELECT pyq_grant('mine', 'pyqscript', '{reader}')",
        "SELECT * FROM user_pyq_scripts",
        "SELECT * FROM all_pyq_scripts",
        "SELECT pyq_eval(NULL::text, NULL::int, 'mine', 'postgres')",
        "SELECT * FROM pyq_table_eval('MixedCase', NULL::text, NULL::int, 'mine')",
        "SELECT * FROM pyq_table_eval('mixedcase', NULL::text, NULL::int, 'mine')",
        "SELECT * FROM pyq_table_eval('public.MIXEDCASE', NULL::text, NULL::int, 'mine')",
        "SELECT * FROM pyq_row_eval('mixedcase', NULL::text, NULL::int, 1, 'mine')",
        "SELECT * FROM pyq_group_eval('mixedcase', NULL::text, NULL::int, 'G', 'X', 'mine')",
        "SELECT * FROM pyq_index_eval(NULL::text, NULL::int, 2, 'mine')",
        "SELECT * FROM pyq_eval(NULL::text, 'JSON', 'mine') AS t(name text, value text)",
        "SELECT * FROM pyqsys.pyqeval(NULL::text, NULL::int, 'mine')",
        "SELECT pyq_revoke('mine', 'pyqscript', NULL)",
        "SELECT pyq_script_drop('mine')",
    ):
        try:
            session.execute(statement)
        except psycopg.errors.RaiseException as error:
            pytest.fail(f"{error} in {statement}")
    conn.execute('DROP TABLE public."MixedCase"')


# -------------------------------------------------------------------------------------- injection

HARM = "CREATE TABLE public.harmed (x int)"
FRAGMENTS = [
    f"; {HARM}",
    f"; {HARM}; --",
    f"'; {HARM}; --",
    f"''; {HARM}; --",
    f'"; {HARM}; --',
    f"); {HARM}; --",
    f") AS t; {HARM}; SELECT * FROM (SELECT 1",
    f"$$; {HARM}; --",
    f"\\'; {HARM}; --",
    f"\n; {HARM}; --\n",
    f"/* */; {HARM}; /*",
    "' || public.do_harm() || '",
    '" || public.do_harm() || "',
    ", public.do_harm()",
    "(SELECT public.do_harm())",
    "public.do_harm()",
    "x, (SELECT public.do_harm())",
    "x; SELECT public.do_harm()",
    "int, y text); SELECT public.do_harm(); --",
    "varchar(10) DEFAULT public.do_harm()",
    "x DESC NULLS LAST, public.do_harm()",
    "x USING OPERATOR(public.<)",
    '"x"',
    "x.y.z.w",
    '"',
    "'",
    "\\",
    "--",
    "/*",
    "%s %n $1",
    "\u00e4'\u20ac\"",
    "é" * 200,
    "x" * 100_000,
]


def table_eval(par_lst: str = "NULL", out_fmt: str | None = None) -> str:
    """A call over the table; `{}` in the arguments is replaced by the injected text."""
    if out_fmt is None:
        return f"pyq_table_eval('injected', {par_lst}::text, NULL::int, 'count_rows')"
    return f"pyq_table_eval('injected', {par_lst}::text, {out_fmt}, 'count_rows') AS t(x int)"


def group_eval(inp_nam: str = "'injected'", grp_col: str = "'x'", ord_col: str = "NULL") -> str:
    return f"pyq_group_eval({inp_nam}, NULL::text, NULL::int, {grp_col}, {ord_col}, 'count_rows')"


PLACES = {
    "inp_nam": "pyq_table_eval({}, NULL::text, NULL::int, 'count_rows')",
    "inp_nam, suffix": "pyq_table_eval('injected' || {}, NULL::text, NULL::int, 'count_rows')",
    "inp_nam, query": "pyq_table_eval('SELECT 1 ' || {}, NULL::text, NULL::int, 'count_rows')",
    "inp_nam, sorted query": group_eval("'SELECT 1 AS x ' || {}"),
    "grp_col": group_eval(grp_col="{}"),
    "grp_col, suffix": group_eval(grp_col="'x' || {}"),
    "ord_col": group_eval(ord_col="{}"),
    "ord_col, suffix": group_eval(ord_col="'x' || {}"),
    "scr_name": "pyq_eval(NULL::text, NULL::int, {})",
    "scr_owner": "pyq_eval(NULL::text, NULL::int, 'count_rows', {})",
    "env_name": "pyq_eval(NULL::text, NULL::int, 'count_rows', NULL, {})",
    "par_lst": "pyq_eval({}::text, NULL::int, 'count_rows')",
    "out_fmt": table_eval(out_fmt="{}"),
    "out_fmt key": table_eval(out_fmt="json_build_object({}, 'int')::text"),
    "out_fmt type": table_eval(out_fmt="json_build_object('x', {})::text"),
    "out_fmt type, suffix": table_eval(out_fmt="json_build_object('x', 'int' || {})::text"),
    "control key": table_eval("json_build_object({}, 1)"),
    "control value": table_eval("json_build_object('oml_input_type', {})"),
}
REPOSITORY = {
    "v_name": "pyq_script_create({}, 'def x(): return 1', false, true)",
    "v_script": "pyq_script_create('injection', {}, false, true)",
    "drop": "pyq_script_drop({}, false, true)",
    "grant": "pyq_grant({}, 'pyqscript', NULL)",
    "grant type": "pyq_grant('count_rows', {}, NULL)",
    "grantee": "pyq_grant('count_rows', 'pyqscript', {})",
    "revokee": "pyq_revoke('count_rows', 'pyqscript', {})",
}


@pytest.fixture
def target(conn: Connection[Any], scripts: None) -> Iterator[None]:
    """A function for injected text to call: it leaves a trace even when it is rolled back."""
    conn.execute("DROP TABLE IF EXISTS injected, harmed")
    conn.execute("DROP SEQUENCE IF EXISTS harm CASCADE")
    conn.execute("CREATE TABLE injected AS SELECT 1 AS x")
    conn.execute("CREATE SEQUENCE harm")
    conn.execute(
        "CREATE OR REPLACE FUNCTION public.do_harm() RETURNS text LANGUAGE sql AS"
        " $$ SELECT nextval('public.harm')::text $$"
    )
    yield
    conn.execute("DROP FUNCTION public.do_harm()")
    conn.execute("DROP TABLE IF EXISTS injected, harmed")
    conn.execute("DROP SEQUENCE harm")


@pytest.mark.parametrize("place", [*PLACES, *REPOSITORY])
def test_injection(place, target, conn):
    """No argument's text is run as SQL, except a query in inp_nam, which is one SELECT."""
    if place in PLACES:
        statement = "SELECT * FROM " + PLACES[place]
    else:
        statement = "SELECT " + REPOSITORY[place]
    # A query calls whatever it likes, with the caller's rights; it does not write otherwise.
    may_call = place == "inp_nam" or "query" in place
    for fragment in FRAGMENTS:
        conn.execute("BEGIN")
        try:
            conn.execute(sql.SQL(statement).format(sql.Literal(fragment)))
        except psycopg.Error as error:
            assert error.sqlstate is not None, fragment
            assert not error.sqlstate.startswith("XX"), (fragment, str(error))
        finally:
            harmed = conn.info.transaction_status.name == "INTRANS" and conn.execute(
                "SELECT to_regclass('public.harmed')"
            ).fetchone() != (None,)
            conn.execute("ROLLBACK")
        assert not harmed, fragment
        if not may_call:
            assert conn.execute("SELECT is_called FROM harm").fetchone() == (False,), fragment


@pytest.mark.parametrize(
    "query",
    [
        "INSERT INTO injected VALUES (2) RETURNING x",
        "UPDATE injected SET x = 2 RETURNING x",
        "DELETE FROM injected RETURNING x",
        "WITH w AS (INSERT INTO injected VALUES (2) RETURNING x) SELECT * FROM w",
        "SELECT * INTO harmed FROM injected",
        "CREATE TABLE harmed AS SELECT 1",
        "TRUNCATE injected",
        "DO $$ BEGIN DELETE FROM injected; END $$",
        "SELECT 1; DELETE FROM injected",
        "SELECT 1) AS input; DELETE FROM injected; SELECT * FROM (SELECT 1 AS x",
        "EXPLAIN ANALYZE DELETE FROM injected",
        "COPY injected TO STDOUT",
        "SET ROLE pyqadmin",
        "",
        " ",
        "--",
        "SELECT",
        "SELECT 1 AS x --",
        "SELECT 1 AS x;",
        "TABLE injected",
        "VALUES (1)",
        "(SELECT 1 AS x)",
        "SELECT x FROM injected FOR UPDATE",
    ],
)
@pytest.mark.parametrize("function", ["table", "group"])
def test_input_query_does_not_write(query, function, target, conn):
    if function == "table":
        call = "pyq_table_eval(%s, NULL::text, NULL::int, 'count_rows')"
    else:
        call = "pyq_group_eval(%s, NULL::text, NULL::int, 'x', NULL, 'count_rows')"
    try:
        conn.execute(f"SELECT * FROM {call}", (query,))
    except psycopg.Error as error:
        assert error.sqlstate is not None
        assert not error.sqlstate.startswith("XX"), str(error)
    assert conn.execute("SELECT array_agg(x) FROM injected").fetchone() == ([1],)
    assert conn.execute("SELECT to_regclass('harmed')").fetchone() == (None,)
    assert conn.execute("SELECT current_user").fetchone() == ("postgres",)


def test_null_bytes_cannot_hide_text(conn, scripts):
    """JSON holds \\u0000; PostgreSQL's texts do not."""
    with pytest.raises(psycopg.Error):
        run_sql(conn, "SELECT 1\0 this is not SQL", "pyqsys")
