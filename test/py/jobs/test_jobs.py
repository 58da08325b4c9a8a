"""Jobs: Oracle's examples, every format, notifications, trust, settings, fairness."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from psycopg import Connection

GRADES = [("Abbott", 90, 87), ("Branford", 92, 97), ("Crandell", 81, 71), ("Faust", 78, 73)]
PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

MakeScript = Callable[..., str]


@pytest.fixture
def submit(conn: Connection[Any]) -> Iterator[Callable[..., str]]:
    """A function that submits a call, waits for its end, checks its state and returns the ID."""
    ids = []

    def run(call: str, state: str = "finished", connection: Connection[Any] | None = None) -> str:
        used = connection or conn
        row = used.execute(f"SELECT * FROM {call} AS t(name text, value text)").fetchone()  # type: ignore[arg-type]
        assert row is not None
        name, url = row
        assert name is None
        assert url.startswith("/oml/api/py-scripts/v1/jobs/")
        job = str(url[-36:])
        ids.append(job)
        ended = used.execute("SELECT pyq_job_wait(%s, '1 min')", (job,)).fetchone()
        assert ended == (state,), used.execute(
            "SELECT state, error FROM pyq_jobs WHERE id = %s", (job,)
        ).fetchone()
        return job

    yield run
    conn.rollback()
    for job in ids:
        conn.execute("DELETE FROM pyqsys.jobs WHERE id = %s", (job,))
        conn.execute("DELETE FROM pyqsys.job_results WHERE job = %s", (job,))


def result(conn: Connection[Any], job: str, columns: str, out_fmt: str | None) -> list[Any]:
    """Fetch a result in a format, with an AS list."""
    query = f"SELECT * FROM pyq_job_result(%s, %s) AS t({columns})"
    return conn.execute(query, (job, out_fmt)).fetchall()  # type: ignore[arg-type]


def json_result(conn: Connection[Any], job: str) -> Any:
    """Fetch a result in the default format, as Oracle's examples do."""
    row = conn.execute(
        "SELECT * FROM pyq_job_result(%s) AS t(name text, value text)", (job,)
    ).fetchone()
    assert row is not None
    assert row[0] is None
    return json.loads(row[1])


@pytest.fixture
def grades(conn: Connection[Any]) -> Iterator[None]:
    conn.execute('CREATE TABLE "JOB_GRADE" ("NAME" text, "SCORE" numeric, "FINALGRADE" numeric)')
    with conn.cursor() as cursor:
        cursor.executemany('INSERT INTO "JOB_GRADE" VALUES (%s, %s, %s)', GRADES)
    yield
    conn.execute('DROP TABLE "JOB_GRADE"')


FRAME = '"oml_async_flag": true, "oml_input_type": "pandas.DataFrame"'


def test_table_eval(conn, make_script, submit, grades):
    make_script(
        "computeGradeDiff",
        "def f(dat):\n    dat['DIFF'] = dat['SCORE'] - dat['FINALGRADE']\n    return dat",
    )
    job = submit(f"""pyq_table_eval('JOB_GRADE', '{{{FRAME}}}', NULL, 'computeGradeDiff')""")
    rows = result(
        conn,
        job,
        '"NAME" varchar(7), "SCORE" numeric, "FINALGRADE" numeric, "DIFF" numeric',
        '{"NAME": "varchar2(7)", "SCORE": "number", "FINALGRADE": "number", "DIFF": "number"}',
    )
    assert rows == [
        (name[:7], Decimal(score), Decimal(final), Decimal(score - final))
        for name, score, final in GRADES
    ]


def test_group_eval(conn, make_script, submit):
    make_script(
        "group_count",
        "def f(dat):\n    import pandas as pd\n"
        "    return pd.DataFrame([(dat['SPECIES'][0], len(dat))], columns=['SPECIES', 'COUNT'])",
    )
    query = (
        "SELECT i AS x, (ARRAY['setosa','versicolor','virginica'])[1 + i % 3] AS \"SPECIES\""
        " FROM generate_series(1, 150) AS i"
    )
    quoted = query.replace("'", "''")
    job = submit(
        f"""pyq_group_eval('{quoted}', '{{{FRAME}, "oml_parallel_flag": true}}', NULL, 'SPECIES',
            NULL, 'group_count')"""
    )
    assert json_result(conn, job) == {
        name: [{"SPECIES": name, "COUNT": 50}] for name in ("setosa", "versicolor", "virginica")
    }


def test_row_eval(conn, make_script, submit):
    make_script("score", "def f(dat):\n    dat['y'] = dat['x'] / 10\n    return dat")
    job = submit(
        f"""pyq_row_eval('SELECT i AS x FROM generate_series(1, 150) AS i', '{{{FRAME}}}', NULL,
            50, 'score')"""
    )
    assert json_result(conn, job) == [{"x": i, "y": i / 10} for i in range(1, 151)]
    assert len(result(conn, job, "x int, y float8", None)) == 150


TYPED = """
import datetime, decimal
def f():
    yield_ = {
        "f": float("inf"), "d": decimal.Decimal("1.10"), "b": b"\\x00\\xff",
        "t": datetime.datetime(2024, 2, 29, 1, 2, 3, 4), "n": None, "i": 2**62,
    }
    return yield_
"""


def test_values_are_typed_whole(conn, make_script, submit):
    make_script("typed", TYPED)
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'typed')""")
    columns = "f float8, d numeric, b bytea, t timestamp, n int, i int8"
    stored = result(conn, job, columns, None)
    direct = conn.execute(f"SELECT * FROM pyq_eval(NULL, NULL, 'typed') AS t({columns})").fetchall()
    assert stored == direct
    assert math.isinf(stored[0][0])


@pytest.mark.parametrize("flag", ["true", "false"])
def test_every_format_equals_the_synchronous_one(conn, make_script, submit, flag):
    make_script(
        "drawn",
        """
def f(i):
    import matplotlib
    matplotlib.use("agg")
    import matplotlib.pyplot as plt
    for k in range(i):
        plt.figure()
        plt.plot([0, k])
        plt.title(f"title {i} {k}")
    return [i, "a<b"]
""",
    )
    controls = f'"oml_graphics_flag": {flag}'
    job = submit(f"""pyq_index_eval('{{"oml_async_flag": true, {controls}}}', NULL, 2, 'drawn')""")
    shapes = {
        "JSON": "name text, value text",
        "XML": "name text, value text",
        "PNG": "name text, id int, value text, title text, image bytea",
    }
    for form, columns in shapes.items():
        direct = conn.execute(
            f"SELECT * FROM pyq_index_eval('{{{controls}}}', '{form}', 2, 'drawn') AS t({columns})"
        ).fetchall()
        for _ in range(2):
            assert result(conn, job, columns, form) == direct
    images = result(conn, job, shapes["PNG"], "PNG")
    assert [row[3] for row in images] == ["title 1 0", "title 2 0", "title 2 1"]
    assert all(row[4].startswith(PNG_SIGNATURE) for row in images)


def test_generators(conn, make_script, submit):
    make_script(
        "pieces",
        "def f():\n    import pandas as pd\n"
        "    for k in range(3):\n        yield pd.DataFrame({'x': [k, k]})",
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'pieces')""")
    assert result(conn, job, "x int", None) == [(0,), (0,), (1,), (1,), (2,), (2,)]


def test_classes_of_the_script(conn, make_script, submit):
    pytest.importorskip("cloudpickle")
    make_script(
        "own_class",
        "class Point:\n    def __init__(self): self.x = 1\n"
        "class Rows(list): pass\ndef own_class(): return Rows([1, 2])",
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'own_class')""")
    assert json_result(conn, job) == [1, 2]


def test_a_failure_is_raised_whole(conn, make_script, submit):
    make_script(
        "fails",
        "import oml\ndef fails():\n    oml.cursor().execute('SELECT 1/0')",
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'fails')""", "failed")
    with pytest.raises(psycopg.Error) as caught:
        json_result(conn, job)
    with pytest.raises(psycopg.Error) as direct:
        conn.execute("SELECT * FROM pyq_eval(NULL, 'JSON', 'fails') AS t(name text, value text)")
    assert caught.value.sqlstate == direct.value.sqlstate
    assert caught.value.diag.message_primary == direct.value.diag.message_primary
    assert caught.value.diag.context == direct.value.diag.context


def test_notifications(conn, connect, make_script, submit):
    listener = connect()
    listener.execute("LISTEN pyq_job")
    make_script("quick", "def f(): return 1")
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'quick')""")
    heard = []
    for note in listener.notifies():
        if note.payload.startswith(job):
            heard.append(note.payload.removeprefix(job + " "))
        if heard and heard[-1] == "finished":
            break
    assert heard == ["running", "finished"]


def test_progress_is_seen_while_the_job_runs(conn, connect, make_script):
    make_script(
        "tells",
        "import oml\ndef f():\n    oml.progress(0.25, 'a quarter')\n"
        "    oml.output_comments('é')\n"
        "    oml.cursor().execute('SELECT pg_advisory_xact_lock(70123)')\n    return 1",
    )
    lock_session = connect()
    lock_session.execute("SELECT pg_advisory_lock(70123)")
    row = conn.execute(
        """SELECT * FROM pyq_eval('{"oml_async_flag": true}', NULL::pyq_json, 'tells')"""
    ).fetchone()
    assert row is not None
    job = row[1][-36:]
    seen = None
    while seen is None or seen[1] != "a quarter\né":
        seen = conn.execute(
            "SELECT progress, comment, state FROM pyq_jobs WHERE id = %s", (job,)
        ).fetchone()
        assert seen is not None
        assert seen[2] in ("queued", "running")
    assert seen[0] == 0.25
    lock_session.execute("SELECT pg_advisory_unlock(70123)")
    assert conn.execute("SELECT pyq_job_wait(%s)", (job,)).fetchone() == ("finished",)
    conn.execute("SELECT pyq_delete_job(%s)", (job,))


def test_an_ordinary_role(conn, connect, make_role, submit):
    """Its jobs run sandboxed, and its pickles are unpickled in the sandbox only."""
    role = make_role("job_analyst")
    user = connect(user=role)
    user.execute(
        "SELECT pyq_script_create('where_am_i', %s)",
        (
            """
import os
class Where:
    def __reduce__(self):
        return (os.getpid, ())
def where_am_i():
    return {"job": os.getpid(), "result": Where()}
""",
        ),
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'where_am_i')""", connection=user)
    backend = user.info.backend_pid
    answer = json_result(user, job)
    assert answer["result"] not in (answer["job"], backend)
    admin = conn.execute("SHOW oml_epe.engine").fetchone()
    assert admin is not None
    assert json_result(conn, job)["result"] != conn.info.backend_pid
    other = connect(user=make_role("job_other"))
    assert other.execute("SELECT count(*) FROM pyq_jobs").fetchone() == (0,)
    with pytest.raises(psycopg.errors.UndefinedObject):
        json_result(other, job)
    conn.execute("DELETE FROM pyqsys.scripts WHERE owner = %s::regrole", (role,))


def forge(conn: Connection[Any], job: str, expression: str) -> None:
    """Replace a stored result by a pickle that evaluates an expression, and is its value."""
    code = f"(cbuiltins\neval\n(V{expression}\ntR(lI00\nt.".encode()
    done = conn.execute("UPDATE pyqsys.job_results SET data = %s WHERE job = %s", (code, job))
    assert done.rowcount == 1


def test_a_stored_result_is_never_loaded_in_the_backend(conn, make_script, submit):
    """Of a superuser's job as well: the writer of the row is unknown."""
    make_script("where", "def where(): return 1")
    conn.execute("SET oml_epe.engine = 'backend'")
    in_backend = conn.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'where')").fetchone()
    assert in_backend == (1,)
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'where')""")
    forge(conn, job, '__import__("os").getpid()')
    first = json_result(conn, job)
    assert first != conn.info.backend_pid
    forge(conn, job, '__import__("os").getppid()')
    assert json_result(conn, job) != conn.info.backend_pid
    for out_fmt, columns in (
        (None, "n int"),
        ("XML", "name text, value text"),
        ("PNG", "name text, id int, value text, title text, image bytea"),
        ('{"n": "number"}', "n numeric"),
    ):
        forge(conn, job, '__import__("os").getpid()')
        shown = str(result(conn, job, columns, out_fmt))
        assert str(conn.info.backend_pid) not in shown


@pytest.mark.parametrize("is_superuser", [True, False])
def test_a_stored_result_gets_no_sql(conn, connect, make_role, submit, is_superuser):
    """A forged one must not act with the rights of the role that looks at it."""
    user = conn if is_superuser else connect(user=make_role("job_reader"))
    user.execute("SELECT pyq_script_create('plain', 'def plain(): return 1', v_overwrite => true)")
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'plain')""", connection=user)
    forge(conn, job, '__import__("oml").cursor().execute("SELECT 1").fetchone()')
    for reader in user, conn:
        with pytest.raises(psycopg.Error) as caught:
            json_result(reader, job)
        assert "a stored result may not run SQL" in str(caught.value)
        assert caught.value.sqlstate == "42501"
    user.execute("SELECT pyq_script_drop('plain')")


def test_what_a_stored_result_leaves_behind_reaches_no_script(conn, make_script, submit):
    make_script("plain", "def plain(): return 1")
    make_script(
        "look",
        "def look():\n    import builtins\n    return hasattr(builtins, 'left_behind')",
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'plain')""")
    forge(conn, job, 'setattr(__import__("builtins"), "left_behind", 1) or 5')
    assert json_result(conn, job) == 5
    for engine in "process", "backend":
        conn.execute(f"SET oml_epe.engine = '{engine}'")
        seen = conn.execute("SELECT * FROM pyq_eval(NULL, NULL::bool, 'look')").fetchone()
        assert seen == (False,)
    # The engine of stored results itself is used again.
    forge(conn, job, 'hasattr(__import__("builtins"), "left_behind")')
    assert json_result(conn, job) is True


def test_a_job_cannot_become_somebody_else(conn, connect, make_role, submit):
    user = connect(user=make_role("job_climber"))
    user.execute(
        "SELECT pyq_script_create('climb', %s)",
        (
            """
import oml
def climb():
    for sql in ("RESET SESSION AUTHORIZATION", "SET SESSION AUTHORIZATION postgres",
                "SET ROLE postgres", "RESET ROLE", "SET LOCAL role = 'postgres'"):
        try:
            oml.cursor().execute(sql)
        except oml.DatabaseError:
            pass
    return list(oml.cursor().execute("SELECT current_user, session_user").fetchone())
""",
        ),
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'climb')""", connection=user)
    assert len(set(json_result(user, job))) == 1
    assert json_result(user, job)[0] != "postgres"
    conn.execute("DELETE FROM pyqsys.scripts WHERE name = 'climb'")


def test_a_job_does_not_set_what_its_role_may_not(conn, connect, make_role, submit):
    """A setting of a library that is not loaded yet is checked when it is, as in a session."""
    conn.execute("""
        CREATE FUNCTION load_and_show() RETURNS text LANGUAGE plpgsql SECURITY DEFINER AS
        $$BEGIN LOAD 'auto_explain'; RETURN current_setting('auto_explain.log_min_duration'); END$$
    """)
    user = connect(user=make_role("job_setter"))
    user.execute("SET auto_explain.log_min_duration = '7s'")
    user.execute("SET mine.own = 'kept'")
    user.execute(
        "SELECT pyq_script_create('show', %s)",
        (
            """
import oml
def show():
    return list(oml.cursor().execute(
        "SELECT load_and_show(), current_setting('mine.own')").fetchone())
""",
        ),
    )
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'show')""", connection=user)
    assert json_result(user, job) == ["-1", "kept"]
    user.execute("SELECT pyq_script_drop('show')")
    conn.execute("DROP FUNCTION load_and_show()")


def test_large_results(conn, make_script, submit):
    make_script("large", "def f(): return 'x' * 20_000_000")
    job = submit("""pyq_eval('{"oml_async_flag": true}', NULL, 'large')""")
    pieces = conn.execute(
        "SELECT count(*), sum(length(data)) FROM pyqsys.job_results WHERE job = %s", (job,)
    ).fetchone()
    assert pieces is not None
    assert pieces[0] >= 3
    assert result(conn, job, "x text", None) == [("x" * 20_000_000,)]


def test_many_roles_get_their_turn(conn, connect, make_role, make_script):
    """One role's long queue does not hold up another's only job."""
    name = make_script(
        "short", "def f(i):\n    import time\n    time.sleep(0.05)\n    return 1", True
    )
    query = f"""SELECT count(*) FROM generate_series(1, %s) AS i,
        pyq_eval(jsonb_build_object('oml_async_flag', true, 'i', i), NULL::pyq_json, '{name}')"""
    many = connect(user=make_role("job_many"))
    few = connect(user=make_role("job_few"))
    many.execute(query, (100,))  # type: ignore[arg-type]
    few.execute(query, (1,))  # type: ignore[arg-type]
    row = few.execute("SELECT id::text FROM pyq_jobs").fetchone()
    assert row is not None
    assert few.execute("SELECT pyq_job_wait(%s)", row).fetchone() == ("finished",)
    left = many.execute("SELECT count(*) FROM pyq_jobs WHERE state = 'queued'").fetchone()
    assert left is not None
    assert left[0] > 50
    many.execute("SELECT count(pyq_cancel_job(id::text)) FROM pyq_jobs")
    many.execute("SELECT count(pyq_job_wait(id::text)) FROM pyq_jobs")
    conn.execute("DELETE FROM pyqsys.jobs")
    conn.execute("DELETE FROM pyqsys.job_results")


def test_a_job_that_lost_its_worker_is_not_forgotten(conn, make_script, server):
    """It waits again once a look has committed, and a worker comes for it."""
    make_script(
        "held",
        """
import oml
def held(n):
    oml.cursor().execute("SELECT pg_advisory_xact_lock_shared(7011)")
    return n
""",
        is_global=True,
    )
    with server.connect(conn.info.dbname) as lock_session:
        for number in range(40):
            lock_session.execute("SELECT pg_advisory_lock(7011)")
            job = conn.execute(
                """SELECT right(value, 36) FROM pyq_eval(%s, NULL::pyq_json, 'held')""",
                (f'{{"oml_async_flag": true, "oml_retries": 1, "n": {number}}}',),
            ).fetchone()[0]
            ended = 0
            while not ended:
                ended = conn.execute(
                    """SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity AS a
                       JOIN pg_locks AS l ON l.pid = a.pid
                       WHERE a.backend_type = 'oml_epe job worker' AND NOT l.granted"""
                ).fetchone()[0]
            lock_session.execute("SELECT pg_advisory_unlock(7011)")
            state = conn.execute("SELECT pyq_job_wait(%s, '1 min')", (job,)).fetchone()
            assert state == ("finished",), number
            conn.execute("SELECT pyq_delete_job(%s)", (job,))


def force_parallel_plans(conn: Connection[Any]) -> None:
    """Make PostgreSQL run whatever may run in a parallel plan in one."""
    found = conn.execute(
        "SELECT set_config(name, 'on', false) FROM pg_settings"
        " WHERE name IN ('force_parallel_mode', 'debug_parallel_query')"
    ).fetchall()
    assert found == [("on",)]


def test_with_forced_parallel_plans(conn, make_script, submit):
    """Functions that write are not used in parallel plans."""
    make_script("one", "def one(x=1):\n    return x\n")
    make_script(
        "writes",
        "import oml\ndef writes():\n"
        "    return oml.cursor().execute('CREATE TEMP TABLE pg_temp.made AS SELECT 1').rowcount",
    )
    force_parallel_plans(conn)
    jobs = [
        submit(call)
        for call in (
            """pyq_eval('{"oml_async_flag": true}', 'JSON', 'one')""",
            """pyq_table_eval('SELECT 1 AS x', '{"oml_async_flag": true}', 'JSON', 'one')""",
            """pyq_row_eval('SELECT 1 AS x', '{"oml_async_flag": true}', 'JSON', 1, 'one')""",
            """pyq_group_eval('SELECT 1 AS x', '{"oml_async_flag": true}', 'JSON', 'x', NULL,
                'one')""",
            """pyq_index_eval('{"oml_async_flag": true}', 'JSON', 1, 'one')""",
            """pyqsys.pyqeval('{"oml_async_flag": true}', 'JSON', 'one')""",
        )
    ]
    assert json_result(conn, jobs[0]) == 1
    assert conn.execute("SELECT count(*) FROM pyq_eval(NULL, NULL::int, 'writes')").fetchone()
    assert conn.execute("SELECT to_regclass('pg_temp.made')").fetchone() == ("made",)
    for statement in (
        "SELECT * FROM pyq_job_status(%(job)s)",
        "SELECT pyq_job_wait(%(job)s)",
        "SELECT * FROM pyq_job_result(%(job)s, 'PNG') AS"
        " t(name text, id int, value text, title text, image bytea)",
        "SELECT * FROM pyqsys.job_figures(%(job)s) AS"
        " t(name text, id int, value text, title text, image bytea)",
        "SELECT state FROM pyq_jobs WHERE id = %(job)s",
        "SELECT pyqsys.note_progress(0.5, 'half')",
        "SELECT pyqsys.check_log_in(session_user::text)",
        "SELECT count(*) FROM pyq_engines",
        "SELECT count(*) FROM pyq_list_envs()",
        "SELECT count(*) FROM pyq_sandbox_status()",
        "SELECT count(*) FROM pyq_last_call()",
        "SELECT pyq_cancel_job(%(job)s)",
        "SELECT * FROM pyq_delete_job(%(job)s)",
        "SELECT pyq_script_create('another', 'def another(): return 1')",
        "SELECT pyq_script_drop('another')",
    ):
        assert conn.execute(statement, {"job": jobs[-1]}).fetchall() is not None
