"""Privileges on the extension's objects, for any default privileges and roles."""

# check_sizes: a third is the list of the privileges of all objects.

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import Connection, sql

DATABASE = "epe_privileges"
TABLES = {
    "pyqsys.scripts",
    "pyqsys.script_grants",
    "pyqsys.datastores",
    "pyqsys.datastore_objects",
    "pyqsys.datastore_pieces",
    "pyqsys.datastore_grants",
    "pyqsys.jobs",
    "pyqsys.job_results",
    "pyqsys.job_changes",
}
SEQUENCES = {"pyqsys.job_numbers"}
VIEWS = {
    "pyqsys.readable_datastores",
    "pyqsys.readable_objects",
    "pyqsys.readable_pieces",
    "pyqsys.readable_scripts",
    "pyqsys.given_grants",
    "pyqsys.job_calls",
    "pyqsys.job_data",
    "tools.all_pyq_scripts",
    "tools.user_pyq_scripts",
    "tools.all_pyq_datastores",
    "tools.user_pyq_datastores",
    "tools.all_pyq_datastore_contents",
    "tools.pyq_jobs",
    "tools.pyq_engines",
}
TYPES = {"pyqsys.pyq_pickle", "tools.pyq_json", "tools.pyq_xml", "tools.pyq_png"}
CLOSED_FUNCTIONS = {
    "pyqsys." + name
    for name in [
        "scripts_changed",
        "forget_grants",
        "forget_datastore",
        "forget_pieces",
        "forget_all_datastores",
        "require_owner",
        "ignore_replicated",
        "guard_tables",
        "set_privileges",
    ]
}
OPEN_FUNCTIONS = {
    "pyqsys." + name
    for name in [
        "apply",
        "batch_rows",
        "check_log_in",
        "datastore_delete",
        "datastore_discard",
        "datastore_save",
        "datastore_write",
        "delete_job",
        "engines",
        "eval_support",
        "finished_job",
        "is_trusted_role",
        "job_exists",
        "job_figures",
        "job_rows",
        "job_slots",
        "job_status",
        "last_call",
        "list_envs",
        "note_progress",
        "output_columns",
        "pyqcanceljob",
        "pyqdeletejob",
        "pyqeval",
        "pyqgrant",
        "pyqgroupeval",
        "pyqindexeval",
        "pyqjobresult",
        "pyqjobstatus",
        "pyqjobwait",
        "pyqlistenvs",
        "pyqrevoke",
        "pyqroweval",
        "pyqscriptcreate",
        "pyqscriptdrop",
        "pyqtableeval",
        "query_batches",
        "sandbox_status",
        "submit",
    ]
} | {
    "tools." + name
    for name in [
        "pyq_cancel_job",
        "pyq_delete_job",
        "pyq_engine_stack",
        "pyq_eval",
        "pyq_grant",
        "pyq_group_eval",
        "pyq_index_eval",
        "pyq_job_result",
        "pyq_job_status",
        "pyq_job_wait",
        "pyq_last_call",
        "pyq_list_envs",
        "pyq_revoke",
        "pyq_row_eval",
        "pyq_sandbox_status",
        "pyq_script_create",
        "pyq_script_drop",
        "pyq_table_eval",
    ]
}
# Everything that has an ACL: privileges of roles other than the owner, and of the owner.
MEMBERS = """
    SELECT d.classid, d.objid FROM pg_depend AS d JOIN pg_extension AS e ON e.oid = d.refobjid
    WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'oml_epe'
"""
ENTRIES = """
    SELECT coalesce(string_agg(a.privilege_type || ' TO ' || CASE a.grantee WHEN 0 THEN 'PUBLIC'
                               ELSE a.grantee::regrole::text END
                               || CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END,
                               ', ' ORDER BY 1) FILTER (WHERE a.grantee <> o.owner), ''),
           string_agg(a.privilege_type, ', ' ORDER BY 1) FILTER (WHERE a.grantee = o.owner)
               = (SELECT string_agg(a.privilege_type, ', ' ORDER BY 1)
                  FROM aclexplode(acldefault(o.kind, o.owner)) AS a WHERE a.grantee = o.owner)
    FROM aclexplode(coalesce(o.acl, acldefault(o.kind, o.owner))) AS a
"""
PRIVILEGES = f"""
    WITH members AS ({MEMBERS}), objects AS (
        SELECT 'relation' AS class, c.oid::regclass::text AS name, c.relacl AS acl,
               CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r' END AS kind, c.relowner AS owner
        FROM pg_class AS c JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
        WHERE c.relkind <> 'c'
        UNION ALL
        SELECT 'function', p.pronamespace::regnamespace || '.' || p.proname, p.proacl, 'f',
               p.proowner
        FROM pg_proc AS p JOIN members AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
        UNION ALL
        SELECT 'type', t.oid::regtype::text, t.typacl, 'T', t.typowner
        FROM pg_type AS t JOIN members AS m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
            LEFT JOIN pg_class AS c ON c.oid = t.typrelid
        -- Arrays and the row types of tables, members from PostgreSQL 18 on, have no privileges of
        -- their own.
        WHERE t.typcategory <> 'A' AND coalesce(c.relkind, 'c') = 'c'
        UNION ALL
        SELECT 'schema', n.nspname::text, n.nspacl, 'n', n.nspowner
        FROM pg_namespace AS n
            JOIN members AS m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
    )
    SELECT DISTINCT o.class, o.name, e.others, e.is_whole
    FROM objects AS o, LATERAL ({ENTRIES}) AS e(others, is_whole)
"""
HOSTILE = [
    "ALTER DEFAULT PRIVILEGES {0} GRANT ALL ON TABLES TO epe_app, PUBLIC",
    "ALTER DEFAULT PRIVILEGES {0} GRANT ALL ON TABLES TO epe_app WITH GRANT OPTION",
    "ALTER DEFAULT PRIVILEGES {0} GRANT ALL ON SEQUENCES TO epe_app, PUBLIC",
    "ALTER DEFAULT PRIVILEGES {0} GRANT EXECUTE ON FUNCTIONS TO epe_app WITH GRANT OPTION",
    "ALTER DEFAULT PRIVILEGES {0} GRANT USAGE ON TYPES TO epe_app WITH GRANT OPTION",
]
HOSTILE_EVERYWHERE = [
    "ALTER DEFAULT PRIVILEGES GRANT ALL ON SCHEMAS TO epe_app, PUBLIC",
    "ALTER DEFAULT PRIVILEGES REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES REVOKE USAGE ON TYPES FROM PUBLIC",
    "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TABLES FROM CURRENT_USER",
    "ALTER DEFAULT PRIVILEGES REVOKE ALL ON SEQUENCES FROM CURRENT_USER",
    "ALTER DEFAULT PRIVILEGES REVOKE ALL ON FUNCTIONS FROM CURRENT_USER",
    "ALTER DEFAULT PRIVILEGES REVOKE ALL ON TYPES FROM CURRENT_USER",
    "ALTER DEFAULT PRIVILEGES REVOKE ALL ON SCHEMAS FROM CURRENT_USER",
]


@pytest.fixture
def admin(server) -> Iterator[Connection[Any]]:
    """A superuser in a database without the extension; there are roles epe_app and epe_writer."""
    with server.connect() as main:
        main.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        main.execute(f"CREATE DATABASE {DATABASE}")
        main.execute("CREATE ROLE epe_app LOGIN")
        main.execute("CREATE ROLE epe_writer LOGIN IN ROLE pg_write_all_data, pg_read_all_data")
    with server.connect(DATABASE) as connection:
        connection.execute("CREATE SCHEMA tools")
        connection.execute("GRANT USAGE ON SCHEMA tools TO PUBLIC")
        yield connection
    with server.connect() as main:
        main.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        main.execute("DROP ROLE epe_app, epe_writer")


def create(admin: Connection[Any], version: str = "") -> None:
    admin.execute("CREATE EXTENSION oml_epe SCHEMA tools" + version)  # type: ignore[arg-type]
    admin.execute("SET search_path = tools, public")


def privileges(admin: Connection[Any]) -> dict[tuple[str, str], str]:
    """Privileges of other roles on each object; the owner must have all privileges."""
    admin.execute("SET search_path = pg_catalog")
    rows = admin.execute(PRIVILEGES).fetchall()  # type: ignore[arg-type]
    admin.execute("SET search_path = tools, public")
    assert [row for row in rows if not row[3]] == []
    names = [(row[0], row[1]) for row in rows]
    assert len(set(names)) == len(names)  # overloads have the same
    columns = admin.execute(
        f"""SELECT attrelid::regclass, attname FROM pg_attribute WHERE attacl IS NOT NULL
            AND attrelid IN (SELECT objid FROM ({MEMBERS}) AS m)"""  # type: ignore[arg-type]
    ).fetchall()
    assert columns == []
    return {(row[0], row[1]): row[2] for row in rows}


def meant() -> dict[tuple[str, str], str]:
    return (
        {("relation", name): "" for name in TABLES | SEQUENCES}
        | {("relation", name): "SELECT TO PUBLIC" for name in VIEWS}
        | {("type", name): "USAGE TO PUBLIC" for name in TYPES}
        | {("function", name): "" for name in CLOSED_FUNCTIONS}
        | {("function", name): "EXECUTE TO PUBLIC" for name in OPEN_FUNCTIONS}
        | {("schema", "pyqsys"): "USAGE TO PUBLIC"}
    )


@pytest.mark.parametrize("where", ["", "IN SCHEMA tools", "both", "none"])
def test_a_new_installation_has_the_privileges_that_are_listed(admin, where):
    for place in ["", "IN SCHEMA tools"] if where == "both" else [where]:
        for statement in HOSTILE if where != "none" else []:
            admin.execute(statement.format(place))
    for statement in HOSTILE_EVERYWHERE if where in ("", "both") else []:
        admin.execute(statement)
    create(admin)
    assert privileges(admin) == meant()
    with psycopg.connect(admin.info.dsn, user="epe_app", autocommit=True) as app:
        app.execute("SELECT tools.pyq_script_create('one', 'def one(): return 1')")
        row = app.execute("SELECT * FROM tools.pyq_eval(NULL, NULL::int, 'one')").fetchone()
        assert row == (1,)


def test_an_update_takes_back_what_default_privileges_gave(admin):
    for statement in HOSTILE + HOSTILE_EVERYWHERE:
        admin.execute(statement.format(""))
    create(admin, " VERSION '1.0.0'")
    admin.execute("GRANT SELECT (state), UPDATE (owner) ON pyqsys.jobs TO epe_app")
    admin.execute("GRANT EXECUTE ON FUNCTION pyq_script_drop TO PUBLIC")
    before = admin.execute("SELECT has_table_privilege('epe_app', 'pyqsys.jobs', 'INSERT')")
    assert before.fetchone() == (True,)
    admin.execute("ALTER EXTENSION oml_epe UPDATE")
    admin.execute("SELECT has_schema_privilege('epe_app', 'pyqsys', 'CREATE')")
    actual = privileges_of_others(admin)
    for name in TABLES | SEQUENCES:
        assert actual["relation", name] == "", name
    for name in VIEWS:
        assert {entry.split()[0] for entry in actual["relation", name].split(", ")} == {"SELECT"}
    for name in ("guard_tables", "ignore_replicated", "set_privileges"):
        assert actual["function", "pyqsys." + name] == "", name
    assert "CREATE" not in actual["schema", "pyqsys"]
    # Privileges on functions changed by an administrator are preserved.
    assert "PUBLIC" not in actual["function", "tools.pyq_grant"]
    assert "EXECUTE TO PUBLIC" in actual["function", "tools.pyq_script_drop"]
    admin.execute("SELECT pyqsys.set_privileges()")
    assert privileges(admin) == meant()


def privileges_of_others(admin: Connection[Any]) -> dict[tuple[str, str], str]:
    admin.execute("SET search_path = pg_catalog")
    rows = admin.execute(PRIVILEGES).fetchall()  # type: ignore[arg-type]
    admin.execute("SET search_path = tools, public")
    return {(row[0], row[1]): row[2] for row in rows}


def pyqsys_tables(admin: Connection[Any]) -> list[str]:
    rows = admin.execute(
        "SELECT oid::regclass::text FROM pg_class WHERE relnamespace = 'pyqsys'::regnamespace"
        " AND relkind IN ('r', 'p', 'f', 'm') ORDER BY 1"
    ).fetchall()
    return [row[0] for row in rows]


def refused(connection: Connection[Any], statement: str) -> None:
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connection.execute(statement)  # type: ignore[arg-type]


@pytest.mark.parametrize("is_replica", [False, True], ids=["origin", "replica"])
@pytest.mark.parametrize("way", ["pg_write_all_data", "granted"])
def test_nobody_but_the_owner_writes_any_table(admin, server, way, is_replica):
    """Each way of writing, on each relation that there is; also with all rights granted by hand."""
    if is_replica and admin.info.server_version < 150000:
        pytest.skip("only superusers set session_replication_role")
    create(admin)
    with server.connect(DATABASE, user="epe_app") as app:
        app.execute("SELECT tools.pyq_script_create('one', 'def one(): return 1')")
    tables = pyqsys_tables(admin)
    assert set(tables) == TABLES
    writer = "epe_writer"
    if way == "granted":
        writer = "epe_app"
        admin.execute("GRANT ALL ON ALL TABLES IN SCHEMA pyqsys, tools TO epe_app")
    with server.connect() as main:
        if is_replica:
            main.execute(f"GRANT SET ON PARAMETER session_replication_role TO {writer}")
    try:
        with server.connect(DATABASE, user=writer) as connection:
            connection.execute("SET session_replication_role = replica" if is_replica else "")
            for table in tables:
                column = admin.execute(
                    "SELECT attname FROM pg_attribute WHERE attrelid = %s::regclass AND attnum = 1",
                    (table,),
                ).fetchone()[0]
                refused(connection, f"INSERT INTO {table} SELECT (NULL::{table}).*")
                refused(connection, f"INSERT INTO {table} SELECT * FROM {table}")
                refused(connection, f"UPDATE {table} SET {column} = {column}")
                refused(connection, f"DELETE FROM {table}")
                refused(connection, f"TRUNCATE {table}")
                refused(connection, f"TRUNCATE {table} CASCADE")
                refused(
                    connection,
                    f"WITH gone AS (DELETE FROM {table} RETURNING 1) SELECT count(*) FROM gone",
                )
                with (
                    pytest.raises(psycopg.errors.InsufficientPrivilege),
                    connection.cursor().copy(f"COPY {table} FROM STDIN"),
                ):
                    pass
                if connection.info.server_version >= 150000:
                    refused(
                        connection,
                        f"MERGE INTO {table} AS t USING (VALUES (1)) AS v(n) ON true"
                        f" WHEN MATCHED THEN DELETE",
                    )
            refused(connection, "UPDATE tools.user_pyq_scripts SET script = 'x'")
            refused(connection, "INSERT INTO tools.user_pyq_scripts VALUES ('x', 'y')")
            refused(connection, "DELETE FROM tools.user_pyq_scripts")
            refused(connection, "UPDATE pyqsys.job_calls SET id = id")
            refused(connection, "DELETE FROM pyqsys.job_calls")
            # What the functions do for them is theirs.
            connection.execute("SELECT tools.pyq_script_create('own', 'def own(): return 1')")
            connection.execute("SELECT tools.pyq_script_drop('own')")
    finally:
        with server.connect() as main:
            if is_replica:
                main.execute(f"REVOKE SET ON PARAMETER session_replication_role FROM {writer}")
    assert admin.execute("SELECT count(*) FROM pyqsys.scripts").fetchone() == (1,)


def test_nobody_attaches_anything_to_a_table(admin, server):
    """Triggers, rules, policies, children, foreign keys, owners, statistics, columns."""
    create(admin)
    admin.execute("GRANT CREATE ON SCHEMA public TO epe_writer")
    with server.connect(DATABASE, user="epe_writer") as writer:
        writer.execute(
            "CREATE FUNCTION public.t() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END'"
        )
        for table in pyqsys_tables(admin):
            key = admin.execute(
                """SELECT string_agg(a.attname, ', ' ORDER BY k.n),
                          string_agg(format('%%I %%s', a.attname, format_type(a.atttypid, -1)), ', '
                                     ORDER BY k.n)
                   FROM pg_constraint AS c, unnest(c.conkey) WITH ORDINALITY AS k(attnum, n),
                       pg_attribute AS a
                   WHERE c.conrelid = %s::regclass AND c.contype = 'p'
                       AND a.attrelid = c.conrelid AND a.attnum = k.attnum""",
                (table,),
            ).fetchone()
            for statement in (
                f"CREATE TRIGGER t AFTER INSERT ON {table} EXECUTE FUNCTION public.t()",
                f"CREATE RULE r AS ON INSERT TO {table} DO ALSO NOTHING",
                f"CREATE POLICY p ON {table}",
                f"CREATE TABLE public.child () INHERITS ({table})",
                f"CREATE TABLE public.other ({key[1]}, FOREIGN KEY ({key[0]}) REFERENCES {table})",
                f"ALTER TABLE {table} OWNER TO epe_writer",
                f"ALTER TABLE {table} DISABLE TRIGGER ALL",
                f"ALTER TABLE {table} ENABLE REPLICA TRIGGER owner_only",
                f"ALTER TABLE {table} ADD extra int",
                f"ALTER TABLE {table} SET UNLOGGED",
                f"ALTER TABLE {table} REPLICA IDENTITY FULL",
                f"DROP TABLE {table}",
                f"CREATE INDEX ON {table} ({key[0]})",
                f"COMMENT ON TABLE {table} IS 'x'",
                f"ALTER EXTENSION oml_epe DROP TABLE {table}",
            ):
                refused(writer, statement)
        refused(writer, "DROP EXTENSION oml_epe")
        refused(writer, "ALTER EXTENSION oml_epe UPDATE")
        refused(writer, "CREATE TABLE pyqsys.mine (n int)")
        refused(writer, "SELECT pyqsys.guard_tables()")
        refused(writer, "SELECT pyqsys.set_privileges()")
        refused(writer, "ALTER SEQUENCE pyqsys.job_numbers RESTART")
    with server.connect(DATABASE, user="epe_app") as app:
        for table in pyqsys_tables(admin):
            refused(app, f"SELECT FROM {table}")
            refused(app, f"SELECT FROM {table} FOR UPDATE")
            refused(app, f"DO 'BEGIN LOCK TABLE {table} IN ACCESS SHARE MODE; END'")
        refused(app, "SELECT nextval('pyqsys.job_numbers')")
        assert app.execute(
            "SELECT count(*) FROM pg_stats WHERE schemaname = 'pyqsys'"
        ).fetchone() == (0,)


def test_a_sequence_that_a_writer_has_set_stops_no_job(admin, server):
    create(admin)
    with server.connect(DATABASE, user="epe_writer") as writer:
        writer.execute("SELECT setval('pyqsys.job_numbers', 9223372036854775807)")
    with server.connect(DATABASE, user="epe_app") as app:
        app.execute("SET search_path = tools, public")
        app.execute("SELECT pyq_script_create('one', 'def one(): return 1')")
        for _ in range(3):
            job = app.execute(
                """SELECT right(value, 36) FROM pyq_eval('{"oml_async_flag": true}', NULL, 'one')
                   AS t(name text, value text)"""
            ).fetchone()
            assert app.execute("SELECT pyq_job_wait(%s, '1 min')", job).fetchone() == ("finished",)


def guards(admin: Connection[Any]) -> dict[str, set[tuple[str, str]]]:
    """The guards of each table with their state."""
    rows = admin.execute(
        """SELECT c.oid::regclass::text, t.tgname, t.tgenabled::text FROM pg_trigger AS t
           JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS p ON p.oid = t.tgfoid
           WHERE c.relnamespace = 'pyqsys'::regnamespace
               AND p.proname IN ('require_owner', 'ignore_replicated', 'scripts_changed')"""
    ).fetchall()
    found: dict[str, set[tuple[str, str]]] = {}
    for table, name, state in rows:
        found.setdefault(table, set()).add((name, state))
    return found


def test_every_table_is_guarded(admin):
    create(admin)
    state = guards(admin)
    assert set(state) == TABLES
    both = {("owner_only", "A"), ("owner_only_rows", "A")}
    for table, found in state.items():
        assert both <= found, table
        assert {each for _, each in found} == {"A"}
    local = {
        ("ignore_replicated", "A"), ("ignore_truncate", "A"), ("ignored_truncate", "A")
    }  # fmt: skip
    assert {table for table, found in state.items() if local <= found} == {
        "pyqsys.jobs", "pyqsys.job_results", "pyqsys.job_changes"
    }  # fmt: skip
    # A table that is added to the extension is guarded as well.
    admin.execute("CREATE TABLE pyqsys.later (n int)")
    admin.execute("ALTER EXTENSION oml_epe ADD TABLE pyqsys.later")
    admin.execute("SELECT pyqsys.guard_tables()")
    assert both | local <= guards(admin)["pyqsys.later"]


def run(command: list[str], server: Any, stdin: bytes | None = None) -> bytes:
    """Run a client program of the server under test."""
    info = server.connect().info
    folder = subprocess.run(
        [os.environ.get("PG_CONFIG", "pg_config"), "--bindir"],
        check=True,
        capture_output=True,
        text=True,
    ).stdout.strip()
    place = ["-h", info.host, "-p", str(info.port)]
    done = subprocess.run(
        [str(Path(folder) / command[0]), *place, *command[1:]],
        input=stdin,
        check=False,
        capture_output=True,
    )
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout


@pytest.mark.parametrize("options", [[], ["--disable-triggers"], ["--inserts"]])
def test_a_data_only_dump_can_be_restored(admin, server, options):
    create(admin)
    admin.execute("SELECT pyq_script_create('shared', 'def shared(): return 1', true)")
    with server.connect(DATABASE, user="epe_app") as app:
        app.execute("SET search_path = tools")
        app.execute("SELECT pyq_script_create('mine', 'def mine(): return 2')")
        app.execute("SELECT pyq_grant('mine', 'pyqscript', 'epe_writer')")
        job = app.execute(
            """SELECT right(value, 36) FROM pyq_eval('{"oml_async_flag": true}', NULL, 'mine')
               AS t(name text, value text)"""
        ).fetchone()
        app.execute("SELECT pyq_job_wait(%s, '1 min')", job)
    # A role that may read everything, and owns nothing, may dump.
    dump = run(["pg_dump", "-U", "epe_writer", "--data-only", *options, DATABASE], server)
    assert b"pyqsys.jobs" not in dump
    assert b"pyqsys.job_results" not in dump
    admin.execute("DROP EXTENSION oml_epe")
    create(admin)
    before = guards(admin)
    user = admin.info.user
    run(["psql", "-X", "-U", user, "-v", "ON_ERROR_STOP=1", "-d", DATABASE], server, dump)
    scripts = admin.execute("SELECT name FROM all_pyq_scripts ORDER BY 1").fetchall()
    assert scripts == [("mine",), ("shared",)]
    admin.execute("SELECT pyqsys.guard_tables()")
    assert guards(admin) == before


def test_replicated_changes_of_jobs_are_ignored(admin, server):
    """Changes in replica mode, as made by replication workers, Slony, Bucardo or pglogical."""
    create(admin)
    admin.execute("SELECT pyq_script_create('one', 'def one(n=1): return n')")

    def submit(number: int) -> str:
        row = admin.execute(
            """SELECT right(value, 36) FROM pyq_eval(%s, NULL, 'one')
               AS t(name text, value text)""",
            (f'{{"oml_async_flag": true, "n": {number}}}',),
        ).fetchone()
        return str(row[0])

    def rows() -> list[Any]:
        return [
            admin.execute(f"SELECT * FROM pyqsys.{table} ORDER BY 1, 2").fetchall()  # type: ignore[arg-type]
            for table in ("jobs", "job_results", "job_changes")
        ]

    first = submit(1)
    assert admin.execute("SELECT pyq_job_wait(%s, '1 min')", (first,)).fetchone() == ("finished",)
    before = rows()
    assert all(before[:2])
    admin.execute("SET session_replication_role = replica")
    admin.execute(
        """INSERT INTO pyqsys.jobs (owner, retries, timeout, settings, function, script, scr_name)
           SELECT owner, retries, timeout, settings, function, script, scr_name FROM pyqsys.jobs"""
    )
    admin.execute("INSERT INTO pyqsys.job_results VALUES (gen_random_uuid(), 1, NULL, 1, 'x')")
    admin.execute(
        "INSERT INTO pyqsys.job_changes (job, state) SELECT id, 'deleted' FROM pyqsys.jobs"
    )
    admin.execute("UPDATE pyqsys.jobs SET state = 'queued'")
    admin.execute("UPDATE pyqsys.job_results SET data = 'x'")
    admin.execute("DELETE FROM pyqsys.jobs")
    admin.execute("DELETE FROM pyqsys.job_results")
    with admin.cursor().copy("COPY pyqsys.job_results FROM STDIN") as copy:
        copy.write_row(("00000000-0000-0000-0000-000000000001", 1, None, 1, b"x"))
    assert rows() == before
    admin.execute("TRUNCATE pyqsys.jobs, pyqsys.job_results")
    admin.execute("TRUNCATE pyqsys.jobs")
    assert rows() == before
    with admin.transaction():
        admin.execute("SAVEPOINT s")
        admin.execute("TRUNCATE pyqsys.job_results")
        admin.execute("ROLLBACK TO s")
        admin.execute("TRUNCATE pyqsys.job_results")
        admin.execute("TRUNCATE pyqsys.job_results")
    assert rows() == before
    # The extension's own statements work in any mode.
    second = submit(2)
    assert admin.execute("SELECT pyq_job_wait(%s, '1 min')", (second,)).fetchone() == ("finished",)
    value = admin.execute(
        "SELECT value FROM pyq_job_result(%s) AS t(name text, value text)", (first,)
    ).fetchone()
    assert value == ("1",)
    admin.execute("SELECT pyq_delete_job(%s), pyq_delete_job(%s)", (first, second))
    assert rows() == [[], [], []]
    admin.execute("RESET session_replication_role")
    admin.execute("TRUNCATE pyqsys.jobs, pyqsys.job_results")


def test_a_role_named_like_a_missing_one_sees_nothing_of_it(admin, server):
    create(admin)
    with server.connect() as main:
        main.execute("CREATE ROLE epe_gone LOGIN")
    with server.connect(DATABASE, user="epe_gone") as gone:
        gone.execute("SET search_path = tools")
        gone.execute("SELECT pyq_script_create('secret', 'def secret(): return 1')")
        gone.execute("SELECT pyq_grant('secret', 'pyqscript', 'epe_app')")
        gone.execute(
            """SELECT pyq_script_create('keep', 'import oml.ds
def keep():
    oml.ds.save({"n": 1}, "kept", grantable=True)
    return 1')"""
        )
        gone.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'keep')")
        gone.execute("SELECT pyq_grant('kept', 'datastore', 'epe_app')")
    number = admin.execute("SELECT oid FROM pg_roles WHERE rolname = 'epe_gone'").fetchone()[0]
    name = f"unknown (OID={number})"
    with server.connect() as main:
        main.execute("DROP ROLE epe_gone")
        main.execute(sql.SQL("CREATE ROLE {} LOGIN").format(sql.Identifier(name)))
    try:
        with server.connect(DATABASE, user=name) as pretender:
            for view in (
                "pyqsys.given_grants",
                "tools.user_pyq_scripts",
                "tools.user_pyq_datastores",
                "tools.pyq_jobs",
            ):
                assert pretender.execute(f"SELECT * FROM {view}").fetchall() == [], view
            for view in "readable_datastores", "readable_scripts":
                seen = pretender.execute(f"SELECT FROM pyqsys.{view} WHERE is_own").fetchall()
                assert seen == [], view
        with server.connect(DATABASE, user="epe_app") as app:
            seen = app.execute("SELECT owner, name FROM tools.all_pyq_scripts").fetchall()
            assert seen == [(None, "secret")]
            for view in "all_pyq_datastores", "all_pyq_datastore_contents":
                seen = app.execute(f"SELECT dsowner, dsname FROM tools.{view}").fetchall()
                assert seen == [(None, "kept")], view
    finally:
        with server.connect() as main:
            main.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def test_a_grant_to_a_role_named_public_is_for_that_role(admin, server):
    create(admin)
    admin.execute("SELECT pyq_script_create('one', 'def one(): return 1')")
    with server.connect() as main:
        main.execute('CREATE ROLE "PUBLIC"')
    try:
        admin.execute("SELECT pyq_grant('one', 'pyqscript', 'PUBLIC')")
        granted = admin.execute("SELECT grantee::text FROM pyqsys.script_grants").fetchall()
        assert granted == [('"PUBLIC"',)]
        admin.execute("SELECT pyq_revoke('one', 'pyqscript', 'PUBLIC')")
        for name in "public", "Public":
            admin.execute("SELECT pyq_grant('one', 'pyqscript', %s)", (name,))
            granted = admin.execute("SELECT grantee::text FROM pyqsys.script_grants").fetchall()
            assert granted == [("-",)]
    finally:
        with server.connect() as main:
            main.execute('DROP ROLE "PUBLIC"')
