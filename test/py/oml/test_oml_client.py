"""Package `oml` on a client: connections, notices, Ctrl-C, COPY; and connect() inside an engine."""

from __future__ import annotations

import gc
import os
import pickle
import signal
import subprocess
import sys
import threading
import traceback
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pandas
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]

import oml  # noqa: E402
from oml._db import client as _client  # noqa: E402
from oml._db import connection as _session  # noqa: E402
from oml._db import copy_messages as _fast_copy  # noqa: E402
from oml._transfer import batch_reader as _batches  # noqa: E402
from oml._transfer import copy_reader as _copy  # noqa: E402

Where = dict[str, Any]


@pytest.fixture
def where(conn: psycopg.Connection[Any]) -> Iterator[Where]:
    """Arguments of connect() for the test database; the connection is closed afterwards."""
    info = conn.info
    yield {
        "user": info.user,
        "host": info.host,
        "port": info.port,
        "service_name": info.dbname,
    }
    oml.disconnect()


@pytest.fixture
def client(where: Where) -> Any:
    """The current connection of package oml."""
    oml.connect(**where)
    return _session.connection()


def rows(sql: str, *parameters: Any) -> list[tuple[Any, ...]]:
    return oml.cursor().execute(sql, parameters).fetchall()


# ------------------------------------------------------------------------------------ connecting


def test_forms_of_connect(where: Where, monkeypatch: pytest.MonkeyPatch) -> None:
    database, user = where["service_name"], where["user"]
    assert not oml.isconnected()
    with pytest.raises(oml.DatabaseError, match="connect") as caught:
        oml.cursor().execute("SELECT 1")
    assert caught.value.sqlstate == "08003"
    forms: list[Where] = [
        where,
        {**where, "sid": database, "service_name": None, "password": "", "encoding": "UTF-8"},
        {"dsn": f"host={where['host']} port={where['port']} dbname={database} user={user}"},
        {"dsn": f"postgresql://{user}@/{database}?host={where['host']}", "automl": True},
        {"dsn": f"dbname=nowhere host={where['host']} user={user}", "service_name": database},
    ]
    for form in forms:
        oml.connect(**form)
        assert oml.isconnected() and oml.isconnected(check_automl=True)
        assert rows("SELECT current_database()::text, current_user::text") == [
            (database, where["user"])
        ]
    oml.disconnect(cleanup=False)
    assert not oml.isconnected()
    oml.disconnect()
    monkeypatch.setenv("PGHOST", where["host"])
    monkeypatch.setenv("PGPORT", str(where["port"]))
    monkeypatch.setenv("PGUSER", where["user"])
    monkeypatch.setenv("PGDATABASE", database)
    oml.connect()
    assert oml.check_embed()
    settings = rows(
        "SELECT current_setting('application_name'), current_setting('client_encoding')"
    )
    assert settings == [("oml", "UTF8")]
    oml.connect(service_name="template1")
    assert not oml.check_embed()


def test_failing_to_connect_keeps_the_connection(where: Where) -> None:
    oml.connect(**where)
    for wrong in (
        {**where, "service_name": "no such database"},
        {**where, "host": "/nonexistent"},
        {"dsn": "host"},
    ):
        with pytest.raises(oml.DatabaseError):
            oml.connect(**wrong)
    with pytest.raises(ValueError, match="sid"):
        oml.connect(sid="x", service_name="y")
    assert rows("SELECT 1") == [(1,)]


def test_connecting_again_replaces(where: Where, conn: psycopg.Connection[Any]) -> None:
    oml.connect(**where)
    first = rows("SELECT pg_backend_pid()")[0][0]
    old = oml.push([(1,)])
    oml.connect(**where)
    assert rows("SELECT pg_backend_pid()")[0][0] != first
    sql = "SELECT pg_terminate_backend(%s, 10000) FROM pg_stat_activity WHERE pid = %s"
    conn.execute(sql, (first, first))
    with pytest.raises(oml.DatabaseError):
        len(old)
    del old
    gc.collect()
    assert rows("SELECT 1") == [(1,)]


def test_lost_connection(client: Any, conn: psycopg.Connection[Any]) -> None:
    proxy = oml.push([(1,)])
    conn.execute("SELECT pg_terminate_backend(%s, 10000)", rows("SELECT pg_backend_pid()")[0])
    with pytest.raises(oml.DatabaseError) as caught:
        rows("SELECT 1")
    assert caught.value.sqlstate in ("57P01", "08006")
    assert not oml.isconnected()
    with pytest.raises(oml.DatabaseError) as caught:
        proxy.pull()
    assert caught.value.sqlstate == "08003"


def test_db_api_connection(client: Any) -> None:
    connection = oml.core.methods._get_conn()
    connection.cursor().execute("CREATE TEMP TABLE db_api (x int)")
    connection.commit()
    connection.rollback()
    assert rows("SELECT count(*) FROM db_api") == [(0,)]
    connection.close()
    assert not oml.isconnected()


def test_connect_inside_an_engine(
    where: Where, conn: psycopg.Connection[Any], make_script: Callable[[str, str], None]
) -> None:
    make_script(
        "connecting",
        """
import oml
def connecting(arguments):
    before = oml.cursor().execute("SELECT pg_backend_pid()").fetchone()
    try:
        oml.connect(**arguments)
    except oml.DatabaseError as error:
        return error.sqlstate
    oml.disconnect()
    oml.core.methods._get_conn().close()
    assert oml.isconnected()
    assert oml.cursor().execute("SELECT pg_backend_pid()").fetchone() == before
    return "ignored"
""",
    )
    user, database = where["user"], where["service_name"]
    cases: list[tuple[Where, str]] = [
        ({}, "ignored"),
        ({"user": user, "password": "secret", "host": "localhost"}, "ignored"),
        ({"service_name": database, "port": where["port"]}, "ignored"),
        ({"dsn": f"dbname='{database}' user = {user} host=/tmp"}, "ignored"),
        ({"dsn": f"postgresql://{user}:secret@localhost:{where['port']}/{database}"}, "ignored"),
        ({"user": "somebody"}, "0A000"),
        ({"service_name": "another"}, "0A000"),
        ({"sid": "another"}, "0A000"),
        ({"host": "db.example.com"}, "0A000"),
        ({"port": 1}, "0A000"),
        ({"dsn": "dbname=another"}, "0A000"),
        ({"dsn": "postgresql://localhost/another"}, "0A000"),
    ]
    sql = "SELECT * FROM pyq_eval(%s, NULL, 'connecting') AS t(found text)"
    for arguments, wanted in cases:
        parameter = psycopg.types.json.Jsonb({"arguments": arguments})
        assert conn.execute(sql, (parameter,)).fetchone() == (wanted,), arguments


@pytest.fixture
def make_script(conn: psycopg.Connection[Any]) -> Iterator[Callable[[str, str], None]]:
    """A function that stores a script for the test."""
    made = []

    def make(name: str, text: str) -> None:
        conn.execute("SELECT pyq_script_create(%s, %s, false, true)", (name, text))
        made.append(name)

    yield make
    for name in made:
        conn.execute("SELECT pyq_script_drop(%s)", (name,))


# --------------------------------------------------------------------------- notices and settings


def test_notices_are_printed_and_warnings_are_warnings(
    client: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.warns(UserWarning, match="^take care$"):
        rows_of_do = "DO $$ BEGIN RAISE NOTICE 'one\ntwo'; RAISE WARNING 'take care'; END $$"
        oml.cursor().execute(rows_of_do)
    assert capsys.readouterr().out == "one\ntwo\n"


def test_prints_of_a_script_arrive_while_it_runs(
    client: Any, conn: psycopg.Connection[Any], make_script: Callable[[str, str], None]
) -> None:
    make_script(
        "printing",
        """
import oml
def printing():
    print("started", flush=True)
    oml.cursor().execute("SELECT pg_advisory_xact_lock(4711)")
    print("ended")
    return 1
""",
    )
    conn.execute("SELECT pg_advisory_lock(4711)")
    printed: list[str] = []

    class Output:
        def write(self, text: str) -> None:
            printed.append(text)
            if "started" in text:
                # Only now can the script go on.
                conn.execute("SELECT pg_advisory_unlock(4711)")

        def flush(self) -> None:
            pass

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "stdout", Output())
        found = rows("SELECT * FROM pyq_eval(NULL, NULL, 'printing') AS t(x int)")
    assert found == [(1,)]
    assert "".join(printed).split() == ["started", "ended"]


def test_changed_styles_do_not_matter(client: Any) -> None:
    import datetime

    for statement in (
        "SET datestyle TO 'German'",
        "SET intervalstyle TO 'iso_8601'",
        "SET bytea_output TO 'escape'",
        "SET extra_float_digits TO 1",
        "SET timezone TO 'Asia/Tokyo'",
    ):
        oml.cursor().execute(statement)
    sql = r"""SELECT '2024-02-03'::date, '1 day 1:00'::interval, '\x005c27ff41'::bytea, 0.1::float8,
        '2024-01-01Z'::timestamptz"""
    utc = datetime.timezone.utc
    wanted = (
        datetime.date(2024, 2, 3),
        datetime.timedelta(1, 3600),
        b"\x00\\'\xffA",
        0.1,
        datetime.datetime(2024, 1, 1, tzinfo=utc),
    )
    assert rows(sql) == [wanted]
    frame = oml.sync(query=sql).rename(list("abcde")).pull()
    assert (frame["c"][0], frame["d"][0], frame["e"][0]) == (wanted[2], 0.1, wanted[4])


def test_error_details(client: Any) -> None:
    oml.cursor().execute("CREATE TEMP TABLE keyed (x int PRIMARY KEY)")
    oml.cursor().execute("INSERT INTO keyed VALUES (1)")
    with pytest.raises(oml.DatabaseError) as caught:
        oml.cursor().execute("DO $$ BEGIN INSERT INTO keyed VALUES (1); END $$")
    error = caught.value
    assert error.sqlstate == "23505" and "already exists" in error.detail
    assert "PL/pgSQL" in error.context and type(error).__module__ == "oml"


def test_tracebacks_show_detail_and_hint(client: Any) -> None:
    del client

    def shown(call: Callable[[], Any], kind: type[Exception]) -> str:
        with pytest.raises(kind) as caught:
            call()
        again = pickle.loads(pickle.dumps(caught.value))
        assert again.hint == caught.value.hint
        assert str(caught.value) in traceback.format_exception_only(caught.value)[0]
        assert again.__notes__ == caught.value.__notes__
        return "".join(traceback.format_exception_only(caught.value)[1:])

    refused = shown(lambda: oml.submit(oml.do_eval, "def f(): pass", timeout=1), oml.DatabaseError)
    assert refused == "HINT:  Give a number of seconds from 1800 to 43200.\n"
    numbers = oml.sync(query="SELECT 1 AS x")
    failed = shown(lambda: oml.table_apply(numbers, "def f(dat): return dat['x']"), oml.ScriptError)
    assert failed.startswith("HINT:  ") and 'oml_input_type="pandas.DataFrame"' in failed
    malformed = shown(lambda: oml.connect("mysql://h/db"), oml.DatabaseError)
    assert malformed == "HINT:  A URL begins with postgresql:// or postgres://.\n"


def test_error_at_the_commit_of_a_statement(client: Any) -> None:
    del client
    oml.cursor().execute("CREATE TEMP TABLE deferred (x int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    with pytest.raises(oml.DatabaseError) as caught:
        oml.cursor().execute("INSERT INTO deferred VALUES (1), (1)")
    assert caught.value.sqlstate == "23505"
    assert rows("SELECT count(*) FROM deferred") == [(0,)]


def test_transaction_of_the_user(client: Any) -> None:
    execute = oml.cursor().execute
    execute("BEGIN")
    execute("CREATE TABLE in_a_transaction (x int)")
    oml.create(pandas.DataFrame({"a": [1, 2]}), table="in_a_transaction_2")
    with pytest.raises(oml.DatabaseError):
        oml.create(pandas.DataFrame({"a": ["x"]}), table="in_a_transaction_3", dbtypes={"a": "int"})
    assert len(oml.sync(table="in_a_transaction_2")) == 2
    execute("ROLLBACK")
    with pytest.raises(oml.DatabaseError):
        oml.sync(table="in_a_transaction_2")


# ------------------------------------------------------------------------------------- interrupts


@pytest.fixture
def interrupt_when(conn: psycopg.Connection[Any]) -> Callable[[str], threading.Thread]:
    """A function: sends Ctrl-C to this process once a statement of the client runs and waits."""

    def start(text: str) -> threading.Thread:
        def work() -> None:
            sql = (
                "SELECT count(*) FROM pg_stat_activity WHERE state = 'active' "
                "AND query LIKE %s AND pid <> pg_backend_pid()"
            )
            while conn.execute(sql, (f"%{text}%",)).fetchone() == (0,):
                pass
            os.kill(os.getpid(), signal.SIGINT)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        return thread

    return start


@pytest.fixture(params=["batches", "copy"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How rows are pulled: as from this version's servers, and as from those of 1.0."""
    way: str = request.param
    has_batches = way == "batches"
    monkeypatch.setattr(_client.ClientConnection, "has_batches", lambda self: has_batches)
    return way


def test_ctrl_c_cancels_a_statement(
    way: str,
    client: Any,
    conn: psycopg.Connection[Any],
    interrupt_when: Callable[[str], threading.Thread],
) -> None:
    pid = rows("SELECT pg_backend_pid()")[0]
    for number, run in enumerate(
        (
            lambda sql: rows(sql),
            lambda sql: oml.sync(query=sql).pull(),
        )
    ):
        thread = interrupt_when(f"pg_sleep(600.{number})")
        with pytest.raises(KeyboardInterrupt):
            run(f"SELECT 1 AS x FROM pg_sleep(600.{number}) AS s")
        thread.join()
        sql = "SELECT state FROM pg_stat_activity WHERE pid = %s"
        assert conn.execute(sql, pid).fetchone() == ("idle",)
        assert rows("SELECT pg_backend_pid()") == [pid]
        assert oml.sync(query="SELECT 7 AS x").pull()["x"].tolist() == [7]


def test_ctrl_c_amid_a_pull(way: str, client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = rows("SELECT pg_backend_pid()")
    reader: Any = _batches.FrameReader if way == "batches" else _copy._BlockReader
    add = reader.add

    def interrupted(self: Any, block: Any) -> None:
        add(self, block)
        raise KeyboardInterrupt

    monkeypatch.setattr(reader, "add", interrupted)
    proxy = oml.sync(query="SELECT i, md5(i::text) AS t FROM generate_series(1, 1000000) AS i")
    with pytest.raises(KeyboardInterrupt):
        proxy.pull()
    monkeypatch.undo()
    assert rows("SELECT pg_backend_pid()") == pid
    assert len(proxy.head(10).pull()) == 10


def test_a_failing_reader_or_writer_leaves_the_connection_free(client: Any) -> None:
    def refuse(_: list[bytes]) -> None:
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        client.copy_out("COPY (SELECT generate_series(1, 300000)) TO STDOUT", refuse)
    assert rows("SELECT 1") == [(1,)]
    oml.cursor().execute("CREATE TEMP TABLE copied (t text)")

    def blocks() -> Iterator[bytes]:
        yield b"x\n" * 100_000
        raise RuntimeError("no")

    with pytest.raises(RuntimeError):
        client.copy_in("COPY copied FROM STDIN", blocks())
    assert rows("SELECT count(*) FROM copied") == [(0,)]
    with pytest.raises(oml.DatabaseError) as caught:
        client.copy_in("COPY copied FROM STDIN (FORMAT BINARY)", iter([b"x" * 100] * 100_000))
    assert caught.value.sqlstate == "22P04"
    for copy in (
        lambda sql: client.copy_in(sql, iter(())),
        lambda sql: client.copy_out(sql, refuse),
        rows,
    ):
        with pytest.raises(oml.DatabaseError):
            copy("SELECT 1 / 0")
    assert rows("SELECT 1") == [(1,)]


# -------------------------------------------------------------------------------------- pull, push


def test_both_ways_of_taking_rows_from_libpq(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_client.ClientConnection, "has_batches", lambda self: False)
    sql = (
        "SELECT i, CASE WHEN i % 3 > 0 THEN i / 8.0::float8 END AS x, md5(i::text) AS t "
        "FROM generate_series(1, 100000) AS i"
    )
    proxy = oml.sync(query=sql)
    taken: list[int] = []
    slow = _fast_copy._through_psycopg
    monkeypatch.setattr(
        _fast_copy,
        "_through_psycopg",
        lambda pgconn: [slow(pgconn), taken.append(1)][0],  # type: ignore[func-returns-value]
    )
    first = proxy.pull()
    monkeypatch.setattr(_fast_copy, "_direct", lambda pgconn: None)
    second = proxy.pull()
    assert taken
    pandas.testing.assert_frame_equal(first, second)
    assert len(first) == 100_000 and first["x"].isna().sum() == 33_333


def test_pull_is_what_read_sql_reads(way: str, client: Any, conn: psycopg.Connection[Any]) -> None:
    sql = (
        "SELECT i, i::int2 AS small, sqrt(i) AS root, (i % 7 = 0) AS flag, "
        "now()::timestamp + i * interval '1s' AS t, repeat('x', i % 9) AS text "
        "FROM generate_series(1, 20000) AS i"
    )
    conn.execute(f"CREATE TABLE read_by_both AS {sql}")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        wanted = pandas.read_sql("SELECT * FROM read_by_both", conn)  # type: ignore[call-overload]
    got = oml.sync(table="read_by_both").pull()
    pandas.testing.assert_frame_equal(got, wanted, check_dtype=False)
    conn.execute("DROP TABLE read_by_both")


def test_error_amid_a_pull(way: str, client: Any) -> None:
    proxy = oml.sync(query="SELECT 1 / (200000 - i) AS x FROM generate_series(1, 300000) AS i")
    with pytest.raises(oml.DatabaseError) as caught:
        proxy.pull()
    assert caught.value.sqlstate == "22012"
    assert rows("SELECT 1") == [(1,)]


def test_proxies_that_die_amid_a_statement(client: Any) -> None:
    """Their tables are dropped later, not in the middle of COPY."""
    proxies = [oml.push([(1,)]) for _ in range(3)]

    def block(_: list[bytes]) -> None:
        proxies.clear()
        gc.collect()

    client.copy_out("COPY (SELECT generate_series(1, 200000)) TO STDOUT", block)
    sql = "SELECT count(*) FROM pg_class WHERE relpersistence = 't' AND relname LIKE 'oml\\_%'"
    assert rows(sql) == [(0,)]


def test_a_forked_child_drops_nothing(client: Any) -> None:
    proxy = oml.push([(1,)])
    child = os.fork()
    if child == 0:
        try:
            del proxy
            gc.collect()
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    assert len(proxy) == 1


def test_rows_and_rights_are_the_users(
    where: Where, conn: psycopg.Connection[Any], make_role: Callable[..., str]
) -> None:
    conn.execute("CREATE TABLE secret (x int)")
    role = make_role("reader")
    oml.connect(**{**where, "user": role})
    with pytest.raises(oml.DatabaseError) as caught:
        oml.sync(table="secret")
    assert caught.value.sqlstate == "42501"
    assert "secret" not in oml.sync(regex_match=True, table="secret")
    conn.execute("DROP TABLE secret")


def test_package_can_be_installed(tmp_path: Path) -> None:
    pytest.importorskip("setuptools")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index"]
    command += ["--no-build-isolation", "--target", str(tmp_path / "site")]
    source = tmp_path / "python"
    subprocess.run(["cp", "-r", str(ROOT / "python"), str(source)], check=True)
    done = subprocess.run([*command, str(source)], capture_output=True, text=True)
    if "No module named" in done.stderr or "bdist_wheel" in done.stderr:
        pytest.skip("no setuptools, or an old one without wheel")
    assert done.returncode == 0, done.stderr
    program = "import oml, oml.core.frame as f; print(oml.__version__, oml.__file__)"
    shown = subprocess.run(
        [sys.executable, "-c", program],
        check=True,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "site")},
        cwd=tmp_path,
    ).stdout
    assert shown.split()[0] == oml.__version__ and str(tmp_path / "site") in shown
    assert (tmp_path / "site" / "oml" / "py.typed").exists()
