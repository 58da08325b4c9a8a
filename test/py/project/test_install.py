"""The extension in databases of other kinds: with traps laid by others, in another encoding."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest

DATABASE = "epe_install"
# Each fits a call of the extension's script or views better than what pg_catalog has.
TRAPS = """
    CREATE FUNCTION public.replace(name, text, text) RETURNS text LANGUAGE plpgsql
        AS $$BEGIN RAISE 'a trap ran as %', current_user; END$$;
    CREATE FUNCTION public.format(text, regclass) RETURNS text LANGUAGE plpgsql
        AS $$BEGIN RAISE 'a trap ran as %', current_user; END$$;
    CREATE FUNCTION public.trap_oid(oid, int) RETURNS bool LANGUAGE plpgsql
        AS $$BEGIN RAISE 'a trap ran as %', current_user; END$$;
    CREATE FUNCTION public.trap_role(regrole, regrole) RETURNS bool LANGUAGE plpgsql
        AS $$BEGIN RAISE 'a trap ran as %', current_user; END$$;
    CREATE FUNCTION public.trap_class(oid, regclass) RETURNS bool LANGUAGE plpgsql
        AS $$BEGIN RAISE 'a trap ran as %', current_user; END$$;
    CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = int, FUNCTION = public.trap_oid);
    CREATE OPERATOR public.= (LEFTARG = regrole, RIGHTARG = regrole, FUNCTION = public.trap_role);
    CREATE OPERATOR public.= (LEFTARG = oid, RIGHTARG = regclass, FUNCTION = public.trap_class);
"""


@pytest.fixture
def hostile_database(server) -> Iterator[str]:
    """A database where an ordinary role has left traps in schema public."""
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE} WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DATABASE}")
        admin.execute("CREATE ROLE epe_trapper")
    with server.connect(DATABASE) as admin:
        admin.execute("GRANT CREATE, USAGE ON SCHEMA public TO epe_trapper")
        admin.execute("SET ROLE epe_trapper")
        admin.execute(TRAPS)
    yield DATABASE
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {DATABASE} WITH (FORCE)")
        admin.execute("DROP ROLE epe_trapper")


def test_nothing_of_others_runs_at_creation_or_in_the_views(server, hostile_database):
    with server.connect(hostile_database) as conn:
        path = conn.execute("SHOW search_path").fetchone()
        conn.execute("CREATE EXTENSION oml_epe SCHEMA public")
        assert conn.execute("SHOW search_path").fetchone() == path
        conn.execute("SELECT pyq_script_create('f', 'def f(): return 1', true)")
        conn.execute("SELECT pyq_script_create('g', 'def g(): return 1')")
        conn.execute("SELECT pyq_grant('g', 'pyqscript', 'epe_trapper')")
        conn.execute("SET ROLE epe_trapper")
        names = conn.execute("SELECT name FROM all_pyq_scripts ORDER BY name").fetchall()
        assert names == [("f",), ("g",)]
        assert conn.execute("SELECT name FROM user_pyq_scripts").fetchall() == []
        one = conn.execute("SELECT * FROM pyq_eval('{}', NULL, 'f') AS t(n int)").fetchone()
        assert one == (1,)


def test_a_reraised_error_keeps_its_place_in_the_source(server, database):
    """The names are read long after the memory of the failed call is gone."""
    with server.connect(database) as conn:
        conn.execute("SELECT pyq_script_create('rows_of', 'def rows_of(d): return len(d)')")
        with pytest.raises(psycopg.errors.DivisionByZero) as caught:
            conn.execute("""
                DO $$
                BEGIN
                    PERFORM * FROM pyq_table_eval('SELECT 1/0 AS a', NULL, NULL::int, 'rows_of');
                EXCEPTION WHEN division_by_zero THEN
                    FOR i IN 1..100 LOOP
                        PERFORM repeat('x', i), array_agg(g::text) FROM generate_series(1, 99) AS g;
                    END LOOP;
                    RAISE;
                END $$""")
        assert caught.value.diag.source_file == "int.c"
        assert caught.value.diag.source_function == "int4div"
        conn.execute("SELECT pyq_script_drop('rows_of')")


def test_grouped_query_with_a_semicolon_in_latin1(server):
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}_latin1 WITH (FORCE)")
        admin.execute(
            f"CREATE DATABASE {DATABASE}_latin1 ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C'"
            " TEMPLATE template0"
        )
    with server.connect(f"{DATABASE}_latin1") as conn:
        conn.execute("CREATE EXTENSION oml_epe")
        conn.execute("SELECT pyq_script_create('first', 'def first(d): return str(d.iloc[0, 1])')")
        rows = conn.execute(
            "SELECT * FROM pyq_group_eval(%s, NULL, NULL, 'é', NULL, 'first') AS t(x text)",
            ("SELECT 1 AS \"é\", 'ü' AS b; -- é",),
        ).fetchall()
        assert rows == [("ü",)]
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE {DATABASE}_latin1 WITH (FORCE)")


def test_a_pyqadmin_with_members_is_pointed_out(server):
    notices: list[tuple[str | None, str | None]] = []
    with server.connect() as admin:
        admin.execute(f"DROP DATABASE IF EXISTS {DATABASE}_members WITH (FORCE)")
        admin.execute(f"CREATE DATABASE {DATABASE}_members")
        admin.execute("CREATE ROLE epe_early_member")
        admin.execute("GRANT pyqadmin TO epe_early_member")
    try:
        with server.connect(f"{DATABASE}_members") as conn:
            conn.add_notice_handler(
                lambda notice: notices.append((notice.message_primary, notice.message_detail))
            )
            conn.execute("CREATE EXTENSION oml_epe")
        assert notices == [
            (
                'role "pyqadmin" exists and has members',
                "They may store Python that runs inside the server: epe_early_member",
            )
        ]
    finally:
        with server.connect() as admin:
            admin.execute(f"DROP DATABASE {DATABASE}_members WITH (FORCE)")
            admin.execute("DROP ROLE epe_early_member")
