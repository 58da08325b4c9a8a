"""ALTER EXTENSION UPDATE: objects of 1.0.0 are kept, and the catalog equals a new install."""

from __future__ import annotations

import pickle
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]
sys.path.insert(0, str(ROOT / "python"))

import oml  # noqa: E402

CURRENT = re.search(
    r"^default_version = '(.*)'$", (ROOT / "oml_epe.control").read_text(), re.MULTILINE
)
assert CURRENT is not None
VERSION = CURRENT.group(1)
OLD_VERSIONS = sorted(
    path.stem.removeprefix("oml_epe--") for path in (ROOT / "test/upgrade").glob("oml_epe--*.sql")
)
USER = "epe_upgrade_user"
READER = "epe_upgrade_reader"

MEMBERS = """
    SELECT classid, objid FROM pg_depend
    WHERE refclassid = 'pg_extension'::regclass AND deptype = 'e'
        AND refobjid = (SELECT oid FROM pg_extension WHERE extname = 'oml_epe')
"""
# Queries for each kind of object: (identity, properties). OIDs are not compared, and
# an ACL that is not set counts as the default ACL.
CATALOG = {
    "member": """
        SELECT pg_describe_object(classid, objid, 0), '' FROM members
    """,
    "relation": """
        SELECT c.oid::regclass::text,
               concat_ws(' ', c.relkind, c.relpersistence, c.relowner::regrole, c.reloptions,
                         c.relrowsecurity, c.relforcerowsecurity, c.relreplident,
                         c.relhasrules, c.relispartition, obj_description(c.oid, 'pg_class'),
                         CASE WHEN c.relkind = 'v' THEN pg_get_viewdef(c.oid) END)
        FROM pg_class AS c JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid
    """,
    "relation privilege": """
        SELECT concat_ws(' ', c.oid::regclass, a.grantee::regrole, a.privilege_type),
               concat_ws(' ', a.grantor::regrole, a.is_grantable)
        FROM pg_class AS c
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.oid,
            aclexplode(coalesce(c.relacl, acldefault(
                CASE WHEN c.relkind = 'S' THEN 's' ELSE 'r' END::"char", c.relowner))) AS a
        WHERE c.relkind <> 'c'
    """,
    "column": """
        SELECT a.attrelid::regclass || '.' || a.attname,
               concat_ws(' ', row_number() OVER (PARTITION BY a.attrelid ORDER BY a.attnum),
                         format_type(a.atttypid, a.atttypmod), a.attcollation::regcollation,
                         a.attnotnull, a.attstorage, a.attidentity, a.attgenerated, a.attacl,
                         pg_get_expr(d.adbin, d.adrelid), col_description(a.attrelid, a.attnum))
        FROM pg_attribute AS a
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = a.attrelid
            LEFT JOIN pg_attrdef AS d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
        WHERE a.attnum > 0 AND NOT a.attisdropped
    """,
    "constraint": """
        SELECT c.conrelid::regclass || '.' || c.conname,
               concat_ws(' ', pg_get_constraintdef(c.oid), c.convalidated)
        FROM pg_constraint AS c
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = c.conrelid
    """,
    "index": """
        SELECT i.indexrelid::regclass::text, concat_ws(' ', pg_get_indexdef(i.indexrelid),
               i.indisunique, i.indisreplident, i.indisvalid)
        FROM pg_index AS i
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = i.indrelid
    """,
    "trigger": """
        SELECT t.tgrelid::regclass || '.' || t.tgname,
               concat_ws(' ', pg_get_triggerdef(t.oid), t.tgenabled, t.tgisinternal)
        FROM pg_trigger AS t
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = t.tgrelid
    """,
    "rule": """
        SELECT r.ev_class::regclass || '.' || r.rulename,
               concat_ws(' ', pg_get_ruledef(r.oid), r.ev_enabled)
        FROM pg_rewrite AS r
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = r.ev_class
    """,
    "sequence": """
        SELECT s.seqrelid::regclass::text, concat_ws(' ', s.seqtypid::regtype, s.seqstart,
               s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
        FROM pg_sequence AS s
            JOIN members AS m ON m.classid = 'pg_class'::regclass AND m.objid = s.seqrelid
    """,
    "function": """
        SELECT p.oid::regprocedure::text,
               concat_ws(' ', p.proowner::regrole, pg_get_functiondef(p.oid),
                         obj_description(p.oid, 'pg_proc'))
        FROM pg_proc AS p JOIN members AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid
    """,
    "function privilege": """
        SELECT concat_ws(' ', p.oid::regprocedure, a.grantee::regrole),
               concat_ws(' ', a.grantor::regrole, a.privilege_type, a.is_grantable)
        FROM pg_proc AS p JOIN members AS m ON m.classid = 'pg_proc'::regclass AND m.objid = p.oid,
            aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a
    """,
    "type": """
        SELECT t.oid::regtype::text, concat_ws(' ', t.typowner::regrole, t.typtype,
               obj_description(t.oid, 'pg_type'), coalesce(t.typacl, acldefault('T', t.typowner)),
               (SELECT string_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod) || ' '
                                  || coalesce(col_description(a.attrelid, a.attnum), ''), ', '
                                  ORDER BY a.attnum)
                FROM pg_attribute AS a WHERE a.attrelid = t.typrelid AND NOT a.attisdropped))
        FROM pg_type AS t JOIN members AS m ON m.classid = 'pg_type'::regclass AND m.objid = t.oid
    """,
    "schema": """
        SELECT n.nspname, concat_ws(' ', n.nspowner::regrole,
               coalesce(n.nspacl, acldefault('n', n.nspowner)), obj_description(n.oid))
        FROM pg_namespace AS n
            JOIN members AS m ON m.classid = 'pg_namespace'::regclass AND m.objid = n.oid
    """,
    "dumped table": """
        SELECT t::regclass::text, condition
        FROM pg_extension AS e, unnest(e.extconfig, e.extcondition) AS u(t, condition)
        WHERE e.extname = 'oml_epe'
    """,
    "extension": """
        SELECT extname, concat_ws(' ', extowner::regrole, extnamespace::regnamespace,
               extrelocatable, extversion, obj_description(oid))
        FROM pg_extension WHERE extname = 'oml_epe'
    """,
    # What pg_dump compares privileges with; without a row that is the default ACL.
    "initial privilege": """
        SELECT concat_ws(' ', pg_describe_object(o.classid, o.objid, coalesce(o.part, 0)),
                         a.grantee::regrole, a.privilege_type),
               concat_ws(' ', a.grantor::regrole, a.is_grantable)
        FROM (
            SELECT m.classid, m.objid, i.objsubid AS part, coalesce(i.initprivs,
                CASE m.classid
                    WHEN 'pg_proc'::regclass THEN acldefault('f', p.proowner)
                    WHEN 'pg_type'::regclass THEN acldefault('T', t.typowner)
                    WHEN 'pg_namespace'::regclass THEN acldefault('n', n.nspowner)
                    ELSE acldefault(CASE c.relkind WHEN 'S' THEN 's' ELSE 'r' END::"char",
                                    c.relowner)
                END) AS acl
            FROM members AS m
                LEFT JOIN pg_init_privs AS i ON i.classoid = m.classid AND i.objoid = m.objid
                LEFT JOIN pg_proc AS p ON m.classid = 'pg_proc'::regclass AND p.oid = m.objid
                LEFT JOIN pg_type AS t ON m.classid = 'pg_type'::regclass AND t.oid = m.objid
                LEFT JOIN pg_namespace AS n
                    ON m.classid = 'pg_namespace'::regclass AND n.oid = m.objid
                LEFT JOIN pg_class AS c ON m.classid = 'pg_class'::regclass AND c.oid = m.objid
        ) AS o, aclexplode(o.acl) AS a
    """,
    "description": """
        SELECT pg_describe_object(d.classoid, d.objoid, d.objsubid), d.description
        FROM pg_description AS d JOIN members AS m ON m.classid = d.classoid AND m.objid = d.objoid
    """,
    # Of members, and between their parts (a view and its columns): pg_dump and DROP follow them.
    "dependency": """
        SELECT concat_ws(' -> ', pg_describe_object(d.classid, d.objid, d.objsubid),
                         pg_describe_object(d.refclassid, d.refobjid, d.refobjsubid)),
               string_agg(d.deptype::text, ' ' ORDER BY d.deptype)
        FROM pg_depend AS d JOIN members AS m ON m.classid = d.classid AND m.objid = d.objid
        GROUP BY 1
    """,
    "role": """
        SELECT rolname, concat_ws(' ', rolsuper, rolinherit, rolcreaterole, rolcreatedb,
               rolcanlogin, rolreplication, rolbypassrls, rolconnlimit)
        FROM pg_roles WHERE rolname LIKE 'pyq%'
    """,
    "policy": "SELECT polrelid::regclass || '.' || polname, '' FROM pg_policy",
}


# The catalogs whose rows the queries above describe; a member of another one needs a query.
DESCRIBED = {"pg_class", "pg_namespace", "pg_proc", "pg_type"}


def catalog(connection: psycopg.Connection[Any]) -> dict[tuple[str, str], str]:
    """Return the catalog's description of the extension's objects."""
    seen: dict[tuple[str, str], str] = {}
    for kind, query in CATALOG.items():
        rows = connection.execute(f"WITH members AS ({MEMBERS}) {query}").fetchall()  # type: ignore[arg-type]
        for identity, text in rows:
            assert (kind, identity) not in seen
            seen[kind, identity] = text
    return seen


@pytest.fixture
def make_database(server) -> Iterator[Callable[..., str]]:
    """A function that makes a database with a version of the extension."""
    made: list[str] = []

    def make(version: str, before: str = "", schema: str = "public") -> str:
        name = f"epe_upgrade_{len(made)}"
        made.append(name)
        with server.connect() as admin:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
            admin.execute(f"CREATE DATABASE {name}")
        with server.connect(name) as created:
            if before:
                created.execute(before)
            created.execute(f"CREATE SCHEMA IF NOT EXISTS {schema}")
            created.execute(f"CREATE EXTENSION oml_epe SCHEMA {schema} VERSION '{version}'")
        return name

    yield make
    with server.connect() as admin:
        for name in made:
            admin.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture
def roles(server) -> Iterator[None]:
    with server.connect() as admin:
        for role in USER, READER:
            admin.execute(f"CREATE ROLE {role} LOGIN")
    yield
    with server.connect() as admin:
        for role in USER, READER:
            admin.execute(f"DROP ROLE {role}")


def test_one_version_is_stated_everywhere():
    assert oml.__version__ == VERSION
    changelog = (ROOT / "CHANGELOG.md").read_text()
    assert re.search(rf"^## \[{re.escape(VERSION)}\]", changelog, re.MULTILINE)
    assert OLD_VERSIONS
    assert VERSION not in OLD_VERSIONS


@pytest.mark.parametrize("schema", ["public", "tools"])
@pytest.mark.parametrize("old", OLD_VERSIONS)
def test_an_updated_catalog_is_that_of_a_new_installation(server, make_database, old, schema):
    with server.connect(make_database(old, schema=schema)) as updated:
        updated.execute("ALTER EXTENSION oml_epe UPDATE")
        after_update = catalog(updated)
    with server.connect(make_database(VERSION, schema=schema)) as new:
        fresh = catalog(new)
        kinds = new.execute(
            f"SELECT DISTINCT classid::regclass::text FROM ({MEMBERS}) AS m"
        ).fetchall()
    assert {kind for (kind,) in kinds} == DESCRIBED
    assert {kind for kind, _ in fresh} == CATALOG.keys() - {"policy"}
    assert ("extension", "oml_epe") in fresh
    assert len(fresh) > 500  # the queries find the objects
    differing = {
        key: (after_update.get(key), fresh.get(key))
        for key in sorted(after_update.keys() | fresh.keys())
        if after_update.get(key) != fresh.get(key)
    }
    assert differing == {}


def fill(server, name: str) -> str:
    """Store scripts, grants, datastores and jobs; return the ID of a finished job."""
    with server.connect(name) as admin:
        admin.execute("SELECT pyq_script_create('shared', 'def shared(): return 1', true)")
        admin.execute("SELECT pyq_script_create('given', 'def given(n=2): return n')")
        admin.execute(f"SELECT pyq_grant('given', 'pyqscript', '{READER}')")
    with server.connect(name, user=USER) as user:
        user.execute("SELECT pyq_script_create('own', 'def own(n=3): return [n]')")
        user.execute("SELECT pyq_grant('own', 'pyqscript', NULL)")
        user.execute(
            """SELECT pyq_script_create('keep', 'import oml.ds
def keep():
    oml.ds.save({"values": list(range(100))}, "kept", grantable=True)
    return 1')"""
        )
        user.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'keep')")
        user.execute(f"SELECT pyq_grant('kept', 'datastore', '{READER}')")
    with server.connect(name) as admin:
        job = insert_job(admin, "finished")
        result = pickle.dumps(([7], [], False), protocol=5)
        admin.execute("INSERT INTO pyqsys.job_results VALUES (%s, 1, NULL, 1, %s)", (job, result))
        return job


def insert_job(admin: psycopg.Connection[Any], state: str) -> str:
    """Write a job as an old library did; the current one asks for the update first."""
    row = admin.execute(
        """INSERT INTO pyqsys.jobs (owner, state, started, finished, attempts, retries, timeout,
               settings, function, script, par_lst, scr_name)
           SELECT %s::regrole, %s, d.at, d.at, (d.at IS NOT NULL)::int, 0, 1800, '{}', 0, 'own',
               '{"n": 7}', 'own'
           FROM (SELECT CASE WHEN %s = 'finished' THEN now() END AS at) AS d RETURNING id""",
        (USER, state, state),
    ).fetchone()
    assert row is not None
    return str(row[0])


def state(server, name: str) -> list[Any]:
    """The objects visible to each role, and its results."""
    seen: list[Any] = []
    for role in None, USER, READER:
        with server.connect(name, user=role) as connection:
            for query in (
                "SELECT * FROM all_pyq_scripts ORDER BY owner, name",
                "SELECT * FROM user_pyq_scripts ORDER BY name",
                "SELECT * FROM all_pyq_datastores ORDER BY dsowner, dsname",
                "SELECT * FROM all_pyq_datastore_contents ORDER BY dsname, objname",
                "SELECT * FROM pyqsys.given_grants ORDER BY 1, 2, 3",
                "SELECT id, owner, state, submitted, finished FROM pyq_jobs ORDER BY submitted",
                "SELECT * FROM pyq_eval(NULL, NULL::int, 'shared')",
                f"SELECT * FROM pyq_eval(NULL, NULL::int, 'own', '{USER}')",
            ):
                seen.append(connection.execute(query).fetchall())
    with server.connect(name, user=USER) as user:
        user.execute(
            """SELECT pyq_script_create('load', 'import oml.ds
def load():
    return sum(oml.ds.load("kept", to_globals=False)["values"])', v_overwrite => true)"""
        )
        seen.append(user.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'load')").fetchall())
        user.execute("SELECT pyq_script_drop('load')")
    return seen


@pytest.mark.parametrize("old", OLD_VERSIONS)
def test_what_an_old_version_has_stored_stays(server, make_database, roles, old):
    """The current library works with the old objects, and after the update with the new ones.

    Jobs are not submitted, do not run and have no results before the update.
    """
    name = make_database(old)
    job = fill(server, name)
    before = state(server, name)
    with (
        server.connect(name, user=USER) as user,
        pytest.raises(psycopg.errors.UndefinedColumn) as refused,
    ):
        submit(user)
    assert "ALTER EXTENSION oml_epe UPDATE" in str(refused.value.diag.message_hint)
    assert [(4950,)] in before
    with server.connect(name) as admin:
        admin.execute("ALTER EXTENSION oml_epe UPDATE")
        assert admin.execute(
            "SELECT extversion FROM pg_extension WHERE extname = 'oml_epe'"
        ).fetchone() == (VERSION,)
    assert state(server, name) == before
    with server.connect(name) as admin:
        waiting = insert_job(admin, "queued")
    with server.connect(name, user=USER) as user:
        query = "SELECT value FROM pyq_job_result(%s) AS t(name text, value text)"
        assert user.execute(query, (job,)).fetchall() == [("[7]",)]
        for each in (submit(user), waiting):
            ended = user.execute("SELECT pyq_job_wait(%s, '1 min')", (each,)).fetchone()
            assert ended == ("finished",)


@pytest.mark.parametrize("old", OLD_VERSIONS)
def test_forms_with_json_have_the_privileges_of_those_with_jsonb(server, make_database, roles, old):
    """An administrator may have closed an eval function to all but some roles."""
    with server.connect(make_database(old)) as admin:
        for signature in (
            "pyq_eval(jsonb, text, text, text, text)",
            "pyqsys.pyqeval(jsonb, text, text, text, text)",
        ):
            admin.execute(f"REVOKE EXECUTE ON FUNCTION {signature} FROM PUBLIC")
            admin.execute(f"GRANT EXECUTE ON FUNCTION {signature} TO {READER} WITH GRANT OPTION")
        admin.execute("ALTER EXTENSION oml_epe UPDATE")
        acls = admin.execute(
            """
            SELECT p.pronamespace::regnamespace || '.' || p.proname
                       || replace(oidvectortypes(p.proargtypes), 'jsonb', 'json'),
                   array_agg(DISTINCT e.acl), count(*)
            FROM pg_proc AS p, LATERAL (
                SELECT array_agg(concat_ws(' ', a.grantee::regrole, a.privilege_type,
                                           a.is_grantable) ORDER BY a.grantee) AS acl
                FROM aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a) AS e
            WHERE oidvectortypes(p.proargtypes) ~ 'json'
                AND p.proname ~ '^pyq_?[a-z]*_?eval$'
            GROUP BY 1
            """
        ).fetchall()
        admin.execute(f"DROP OWNED BY {READER}")
        assert len(acls) == 20
        assert all(len(acl) == 1 and count == 2 for _, acl, count in acls)
        closed = [name for name, [acl], _ in acls if not any(e.startswith("- ") for e in acl)]
        assert sorted(closed) == [
            "public.pyq_evaljson, text, text, text, text",
            "pyqsys.pyqevaljson, text, text, text, text",
        ]


def submit(user: psycopg.Connection[Any]) -> str:
    """Submit a job; return its ID."""
    row = user.execute(
        """SELECT right(value, 36) FROM pyq_eval('{"oml_async_flag": true}',
           NULL, 'own') AS t(name text, value text)"""
    ).fetchone()
    assert row is not None
    return str(row[0])


def test_missing_objects_point_to_the_update(server, make_database):
    """The library is newer than the objects: as after an installation without the update."""
    name = make_database(VERSION)
    with server.connect(name) as admin:
        admin.execute("SELECT pyq_script_create('one', 'def one(): return 1')")
        admin.execute("ALTER TABLE pyqsys.jobs RENAME COLUMN settings TO old_settings")
        admin.execute("ALTER TABLE pyqsys.scripts RENAME COLUMN description TO old_description")
        for statement in (
            """SELECT * FROM pyq_eval('{"oml_async_flag": true}', NULL, 'one')
               AS t(name text, value text)""",
            "SELECT pyq_script_create('two', 'def two(): return 2')",
        ):
            with pytest.raises(psycopg.errors.UndefinedColumn) as caught:
                admin.execute(statement)
            hint = caught.value.diag.message_hint
            assert hint is not None
            assert "ALTER EXTENSION oml_epe UPDATE" in hint
