"""A script of an ordinary role, or its caller, tries to exceed the caller's privileges."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from attacks import ATTACK, Scene, fails_with, run_attack, store_attack
from psycopg import Connection, sql

RUN = "import oml\nresult = oml.cursor().execute(statement).rowcount"
DENIED = "42501"


@pytest.fixture
def tables(scene: Scene) -> Iterator[None]:
    """A table without grants, one with row security, and functions of the superuser."""
    scene.admin.execute("""
        CREATE TABLE hidden (x int);
        INSERT INTO hidden VALUES (1);
        CREATE TABLE rows_of (who name, x int);
        ALTER TABLE rows_of ENABLE ROW LEVEL SECURITY;
        CREATE POLICY own ON rows_of USING (who = current_user);
        GRANT SELECT, INSERT, UPDATE, DELETE ON rows_of TO PUBLIC;
        INSERT INTO rows_of VALUES ('somebody', 1);
        CREATE FUNCTION definers() RETURNS text LANGUAGE sql SECURITY DEFINER
            SET search_path = pg_catalog, pg_temp AS 'SELECT current_user::text';
    """)
    yield
    scene.admin.execute("DROP TABLE hidden, rows_of; DROP FUNCTION definers()")


STATEMENTS = {
    "read a table": ("SELECT * FROM hidden", DENIED),
    "write a table": ("INSERT INTO hidden VALUES (2)", DENIED),
    "drop a table": ("DROP TABLE hidden", DENIED),
    "lock a table": ("LOCK TABLE hidden", DENIED),
    "passwords": ("SELECT rolpassword FROM pg_authid", DENIED),
    "policy off": ("ALTER TABLE rows_of DISABLE ROW LEVEL SECURITY", DENIED),
    "row security off": ("SET LOCAL row_security = off; SELECT * FROM rows_of", None),
    "SET ROLE": ("SET ROLE postgres", DENIED),
    "SET SESSION AUTHORIZATION": ("SET SESSION AUTHORIZATION postgres", DENIED),
    "set_config of the role": ("SELECT set_config('role', 'postgres', false)", DENIED),
    "COPY TO PROGRAM": ("COPY (SELECT 1) TO PROGRAM 'touch /tmp/epe-was-here'", DENIED),
    "COPY FROM a file": ("COPY rows_of FROM '/etc/passwd'", DENIED),
    "COPY TO a file": ("COPY (SELECT 1) TO '/tmp/epe-was-here'", DENIED),
    "pg_read_file": ("SELECT pg_read_file('PG_VERSION')", DENIED),
    "pg_ls_dir": ("SELECT pg_ls_dir('.')", DENIED),
    "lo_import": ("SELECT lo_import('/etc/passwd')", DENIED),
    "lo_export": ("SELECT lo_export(1, '/tmp/epe-was-here')", DENIED),
    "LOAD": ("LOAD '/usr/lib/x86_64-linux-gnu/libc.so.6'", DENIED),
    "ALTER SYSTEM": ("ALTER SYSTEM SET work_mem = '1GB'", "25001"),
    "ALTER ROLE SUPERUSER": ("ALTER ROLE CURRENT_USER SUPERUSER", DENIED),
    "CREATE ROLE": ("CREATE ROLE epe_was_here", DENIED),
    "pyqadmin": ("GRANT pyqadmin TO CURRENT_USER", DENIED),
    "C function": (
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS 'libc.so.6', 'getpid'", DENIED),
    "internal function": (
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE internal AS 'pg_backend_pid'", DENIED),
    "our own C functions": (
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE c AS '$libdir/oml_epe', 'epe_eval'",
        DENIED),
    "end of others": ("SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                      " WHERE usename = 'postgres' AND pid <> pg_backend_pid()", DENIED),
    "reload": ("SELECT pg_reload_conf()", DENIED),
    "event trigger": (
        "CREATE EVENT TRIGGER t ON ddl_command_end EXECUTE FUNCTION pg_temp.f()", None),
    "COMMIT": ("COMMIT", None),
    "ROLLBACK": ("ROLLBACK", None),
    "VACUUM": ("VACUUM", None),
    "the repository": ("SELECT * FROM pyqsys.scripts", DENIED),
    "a change to the repository": ("UPDATE pyqsys.scripts SET script = ''", DENIED),
    "a global script": (
        "SELECT pyq_script_create('epe_was_here', 'def f(): pass', true)", DENIED),
    "a grant of another role's script": ("SELECT pyq_grant('nobodys', 'pyqscript')", "42704"),
    "sandbox off": ("SET oml_epe.sandbox = 'preferred'", DENIED),
    "read paths": ("SET oml_epe.sandbox_read_paths = '/etc'", DENIED),
    "ports": ("SET LOCAL oml_epe.sandbox_tcp_ports = '80'", DENIED),
    "memory limit": ("SET oml_epe.engine_memory_limit = 0", DENIED),
    "disk limit": ("SET oml_epe.engine_temp_limit = '1TB'", DENIED),
    "priority": ("SET oml_epe.engine_nice = 0", DENIED),
    "engines": ("SET oml_epe.high_engines = 100", DENIED),
    "engines of the server": ("SET oml_epe.max_engines = 1000", "55P02"),
    "program of the engines": ("SET oml_epe.engine_program = '/bin/true'", "55P02"),
    "preload": ("SET oml_epe.preload = 'evil'", "55P02"),
    "environments": ("SET oml_epe.environments_dir = '/tmp'", "55P02"),
    "paths by set_config": (
        "SELECT set_config('oml_epe.sandbox_read_paths', '/etc', false)", DENIED),
    "paths by pg_settings": (
        "UPDATE pg_settings SET setting = '/etc' WHERE name LIKE 'oml_epe.%paths'", DENIED),
    "paths for the role": (
        "ALTER ROLE CURRENT_USER SET oml_epe.sandbox_read_paths = '/etc'", DENIED),
    "sandbox for the role": ("ALTER ROLE CURRENT_USER SET oml_epe.sandbox = 'preferred'", DENIED),
    "paths for a function": (
        "CREATE FUNCTION pg_temp.f() RETURNS int LANGUAGE sql"
        " SET oml_epe.sandbox_read_paths = '/etc' AS 'SELECT 1'", DENIED),
}  # fmt: skip


@pytest.mark.parametrize("name", STATEMENTS)
def test_statement(name, scene, tables):
    statement, state = STATEMENTS[name]
    outcome = scene.attack(RUN, statement=statement)
    assert outcome.done is None, outcome
    if state is not None:
        assert outcome.sqlstate == state, outcome
    else:
        assert outcome.sqlstate and not outcome.sqlstate.startswith("XX"), outcome
    rows = "SELECT (SELECT count(*) FROM hidden), (SELECT count(*) FROM rows_of)"
    assert scene.admin.execute(rows).fetchone() == (1, 1)
    names = (
        "SELECT count(*) FROM pg_roles WHERE rolname = 'epe_was_here' OR (rolsuper AND oid <> 10)"
    )
    assert scene.admin.execute(names).fetchone() == (0,)


def test_stack_of_anothers_engine(scene):
    """Refused; without a shared supervisor the engines of other sessions are not even known."""
    outcome = scene.attack(
        RUN,
        statement="SELECT pyq_engine_stack(pid) FROM pyq_engines WHERE rolname <> current_user",
    )
    if scene.has_shared_supervisor():
        assert (outcome.done, outcome.sqlstate) == (None, DENIED), outcome
    else:
        assert outcome.done == "0", outcome
    statement = f"SELECT pyq_engine_stack({scene.pids['victim_engine']})"
    assert scene.attack(RUN, statement=statement).sqlstate in (DENIED, "42704")


def test_row_security(scene, tables):
    for statement, rows in (
        ("SELECT * FROM rows_of", 0),
        ("UPDATE rows_of SET x = 2", 0),
        ("DELETE FROM rows_of", 0),
    ):
        assert scene.attack(RUN, statement=statement).done == str(rows)
    outcome = scene.attack(RUN, statement="INSERT INTO rows_of VALUES ('somebody', 2)")
    assert outcome.sqlstate == DENIED, outcome
    assert scene.admin.execute("SELECT * FROM rows_of").fetchall() == [("somebody", 1)]


def test_definers_function_that_a_script_calls(scene, tables):
    outcome = scene.attack("""
import oml
cursor = oml.cursor()
before = cursor.execute("SELECT current_user").fetchone()[0]
inside = cursor.execute("SELECT definers()").fetchone()[0]
cursor.execute("SET LOCAL search_path = pg_temp, public")
cursor.execute("CREATE FUNCTION pg_temp.current_user() RETURNS text LANGUAGE sql AS 'SELECT 1'")
again = cursor.execute("SELECT public.definers()").fetchone()[0]
after = cursor.execute("SELECT current_user").fetchone()[0]
result = inside == again == "postgres" and before == after != "postgres"
""")
    assert outcome.done == "True" or outcome.sqlstate is not None, outcome
    assert scene.session.execute("SELECT current_user").fetchone() != ("postgres",)


def test_placeholders_before_the_library_is_loaded(scene, connect):
    """Without preload, settings can be named before they exist; their rights count later."""
    session = connect(user=scene.session.info.user)
    for setting, value in (("sandbox_read_paths", "/etc"), ("sandbox", "preferred")):
        try:
            session.execute(f"SET oml_epe.{setting} = '{value}'")
        except psycopg.errors.InsufficientPrivilege:
            continue  # loaded already
    outcome = run_attack(session, "result = open('/etc/passwd').read()")
    assert (outcome.done, outcome.errno) == (None, 13), outcome
    assert session.execute("SHOW oml_epe.sandbox_read_paths").fetchone() == ("",)
    assert session.execute("SHOW oml_epe.sandbox").fetchone() == ("required",)


def test_settings_of_the_connection(scene, connect):
    try:
        session = connect(
            user=scene.session.info.user, options="-c oml_epe.sandbox_read_paths=/etc"
        )
    except psycopg.OperationalError as error:
        assert "permission denied" in str(error)
        return
    outcome = run_attack(session, "result = open('/etc/passwd').read()")
    assert (outcome.done, outcome.errno) == (None, 13), outcome


def test_choice_of_the_backend(scene):
    """Any caller may choose where trusted scripts run; other scripts always run in processes."""
    scene.session.execute("SET oml_epe.engine = 'backend'")
    outcome = scene.attack("result = os.getpid() != pids['backend']")
    scene.session.execute("RESET oml_epe.engine")
    assert outcome.done == "True", outcome


# ----------------------------------------------------------------------------- whose script, whose


HIJACK = """
import builtins, importlib, json, numpy, types
for name in list(sys.modules):
    if name.startswith("_oml_epe") or name in ("oml", "pandas", "numpy", "json"):
        sys.modules[name] = types.ModuleType(name)
builtins.len = lambda value: 666
builtins.open = None
sys.path.insert(0, os.getcwd())
for name in ("sitecustomize", "usercustomize", "numpy", "pandas", "oml"):
    open_file = os.open(name + ".py", os.O_WRONLY | os.O_CREAT)
    os.write(open_file, b"raise RuntimeError('hijacked')")
    os.close(open_file)
os.environ["PYTHONPATH"] = os.getcwd()
sys.meta_path.insert(0, None)
result = 1
"""
CHECK = """
import json, numpy, pandas, oml
result = len([1, 2]), os.listdir("."), "PYTHONPATH" in os.environ and os.environ["PYTHONPATH"]
"""


def test_hijack_in_one_session(scene, connect, make_role):
    """Scripts of another owner, and of another role, in the same session use separate engines."""
    other = make_role("other")
    owner = connect(user=other)
    store_attack(owner)
    owner.execute("SELECT pyq_grant('attack', 'pyqscript', NULL)")
    admin = connect()
    admin.execute("SELECT pyq_script_create('attack', %s, true, true)", (ATTACK,))
    session = connect(user=scene.session.info.user)
    run_attack(session, HIJACK)
    for whose in (other, "pyqsys"):
        row = (
            session.execute("SET oml_epe.engine = 'process'")
            and session.execute(
                "SELECT * FROM pyq_eval(%s::jsonb, NULL, 'attack', %s) AS t(outcome text)",
                (json.dumps({"code": CHECK, "values": "{}"}), whose),
            ).fetchone()
        )
        assert row is not None
        assert json.loads(row[0])["done"].startswith("(2, [], "), row
    admin.execute("SELECT pyq_script_drop('attack', true)")


def test_superuser_calls_an_ordinary_roles_script(scene, connect):
    """It runs in the sandbox all the same; its SQL has the caller's rights, as documented."""
    owner = scene.session.info.user
    call = "SELECT * FROM pyq_eval(%s::jsonb, NULL, 'attack', %s) AS t(outcome text)"
    admin = connect()

    def run(code: str) -> dict[str, Any]:
        arguments = json.dumps({"code": code, "values": "{}"})
        row = admin.execute(call, (arguments, owner)).fetchone()
        assert row is not None
        outcome: dict[str, Any] = json.loads(row[0])
        return outcome

    assert run("result = open('/etc/passwd').read()")["errno"] == 13
    assert run("os.fork()")["errno"] == 1
    assert run(f"result = os.getpid() == {admin.info.backend_pid}")["done"] == "False"
    who = run("import oml\nresult = oml.cursor().execute('SELECT current_user').fetchone()[0]")
    assert who["done"] == "'postgres'"
    # The attacker's changes in the engine of its own session are not in this one.
    scene.attack("import builtins; builtins.epe_was_here = 1; result = 1")
    assert run("result = epe_was_here")["error"] == "NameError"


def test_script_in_a_definers_function(scene, connect):
    """A script with the definer's rights gets no engine that knew the caller's, nor the reverse."""
    owner = scene.session.info.user
    scene.admin.execute(
        sql.SQL(
            "CREATE FUNCTION as_definer(code text) RETURNS text LANGUAGE sql SECURITY DEFINER"
            " SET search_path = public, pg_temp AS $$ SELECT outcome FROM pyq_eval("
            "jsonb_build_object('code', code, 'values', '{{}}'), NULL, 'attack', {})"
            " AS t(outcome text) $$"
        ).format(sql.Literal(owner))
    )
    try:
        scene.attack("import builtins; builtins.epe_was_here = 1; result = 1")
        row = scene.session.execute("SELECT as_definer('result = epe_was_here')").fetchone()
        assert row is not None
        assert json.loads(row[0])["error"] == "NameError", row
        row = scene.session.execute(
            "SELECT as_definer('import builtins; builtins.definer_was_here = 1; result = 1')"
        ).fetchone()
        assert row is not None
        assert json.loads(row[0])["done"] == "1", row
        assert scene.attack("result = definer_was_here").error == "NameError"
    finally:
        scene.admin.execute("DROP FUNCTION as_definer(text)")


def test_trust_that_is_lost(scene, connect, make_role):
    """A script of a role that is no longer trusted runs in a process, for all callers."""
    name = make_role("lost", "IN ROLE pyqadmin")
    owner = connect(user=name)
    owner.execute(
        "SELECT pyq_script_create('where', 'import os\ndef where():\n    return os.getpid()')"
    )
    call = "SELECT * FROM pyq_eval(NULL::text, NULL::int, 'where', %s)"
    admin = connect()
    for session in (owner, admin):
        assert session.execute(call, (name,)).fetchone() == (session.info.backend_pid,)
    scene.admin.execute(sql.SQL("REVOKE pyqadmin FROM {}").format(sql.Identifier(name)))
    for session in (owner, admin):
        row = session.execute(call, (name,)).fetchone()
        assert row is not None
        assert row[0] != session.info.backend_pid


def test_settings_that_a_call_leaves(scene, connect):
    """A role's own settings persist, but do not open the sandbox for the next call."""
    session = connect(user=scene.session.info.user)
    outcome = run_attack(
        session,
        'import oml\noml.cursor().execute("SET search_path = pg_temp")\n'
        "oml.cursor().execute(\"SET oml_epe.engine = 'backend'\")\nresult = 1",
    )
    assert outcome.done == "1", outcome
    session.execute("SET search_path = public")
    outcome = run_attack(session, "result = os.getpid()")
    assert outcome.done != str(session.info.backend_pid)


def test_call_of_a_script_that_is_not_granted(scene):
    error = fails_with(
        scene.session,
        "SELECT * FROM pyq_eval(NULL::text, NULL::int, 'attack', %s)",
        scene.victim.info.user,
    )
    assert error.sqlstate == "42704", error


# ------------------------------------------------------------------- access opened by a superuser


def test_opened_path(scene, connect, tmp_path_factory):
    """Only that path, for that role, for reading."""
    open_code = "result = open('/etc/hostname').read() != ''"
    scene.admin.execute(scene.alter("SET oml_epe.sandbox_read_paths = '/etc/hostname'"))
    try:
        session = connect(user=scene.session.info.user)
        assert run_attack(session, open_code).done == "True"
        for code in ("open('/etc/passwd')", "os.listdir('/etc')", "open('/etc/hostname', 'a')",
                     "os.unlink('/etc/hostname')"):  # fmt: skip
            outcome = run_attack(session, f"{code}\nresult = 1")
            assert outcome.done is None, outcome
            assert outcome.errno in (1, 13, 30), outcome
        # Other roles, and earlier sessions, are not affected.
        for closed in (connect(user=scene.victim.info.user), scene.session):
            assert run_attack(closed, open_code).errno == 13
    finally:
        scene.admin.execute(scene.alter("RESET oml_epe.sandbox_read_paths"))
    assert run_attack(connect(user=scene.session.info.user), open_code).errno == 13


def network_is_possible(session: Connection[Any]) -> bool:
    rows = session.execute("SELECT protection, detail FROM pyq_sandbox_status()").fetchall()
    version = dict(rows)["files"].split()[-1]
    return version.isdigit() and int(version) >= 4


def test_opened_port(scene, connect):
    """That port, for that role: no other, no listening, no other kind of socket."""
    if not network_is_possible(scene.admin):
        pytest.skip("ports take Landlock 4")
    port = scene.listeners.tcp_port
    connect_code = "import socket\nresult = socket.create_connection(('127.0.0.1', port)) and 1"
    scene.admin.execute(scene.alter(f"SET oml_epe.sandbox_tcp_ports = '{port}'"))
    try:
        session = connect(user=scene.session.info.user)
        assert run_attack(session, connect_code, port=port).done == "1"
        scene.listeners.tcp.accept()[0].close()
        # Another that listens, which would answer.
        other = scene.open_listener()
        values = {**scene.names(), "port": other.getsockname()[1]}
        for code in (
            connect_code,
            "import socket; socket.create_server(('127.0.0.1', 0))",
            "import socket; s = socket.socket(); s.bind(('127.0.0.1', 0))",
            "import socket; s = socket.socket(); s.listen()",
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM)",
            "import socket; socket.socket(socket.AF_UNIX)",
            "import socket; socket.socketpair()[0].connect(unix_path)",
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_STREAM, 262)",
            "import socket; socket.socket(socket.AF_INET, socket.SOCK_RAW, 6)",
            "import socket; socket.socket().sendto(b'x', 0x20000000, ('127.0.0.1', port))",
        ):
            outcome = run_attack(session, f"{code}\nresult = 1", **values)
            assert outcome.done is None, (code, outcome)
            assert outcome.errno in (1, 13, 106), (code, outcome)
        with pytest.raises(BlockingIOError):
            other.accept()
        other.close()
        closed = run_attack(scene.victim, connect_code, port=port)
        assert (closed.done, closed.errno) == (None, 1), closed
    finally:
        scene.admin.execute(scene.alter("RESET oml_epe.sandbox_tcp_ports"))
