"""Datastores by package `oml`: access by other roles, hostile contents, failures, sessions at once.

What is the same on a client and in engines is tested by test_datastores.py.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest

Connect = Callable[..., "psycopg.Connection[Any]"]


@pytest.fixture(autouse=True)
def _clean(conn: psycopg.Connection[Any]) -> Iterator[None]:
    yield
    conn.execute("SET client_min_messages TO warning")
    conn.execute("DELETE FROM pyqsys.datastores")
    conn.execute("DELETE FROM pyqsys.scripts")
    conn.execute("DROP TABLE IF EXISTS executed")
    left = conn.execute("SELECT count(*) FROM pyqsys.datastore_pieces").fetchone()
    assert left == (0,)


@pytest.fixture
def client(conn: psycopg.Connection[Any]) -> Iterator[Callable[..., Any]]:
    """A function that connects package `oml`, and returns it."""
    import oml

    def connect(user: str | None = None) -> Any:
        info = conn.info
        oml.connect(
            host=info.host, port=info.port, user=user or info.user, service_name=info.dbname
        )
        return oml

    yield connect
    oml.disconnect()


FETCH = """
import oml

def fetch(name, owner):
    return str(oml.ds.load(name, owner=owner, to_globals=False)["value"])
"""
HOSTILE = """
import oml

class Hostile:
    def __reduce__(self):
        code = "import os, oml; oml.cursor().execute('CREATE TABLE executed AS SELECT 1');"
        return eval, ("[exec(%r), 'executed'][1]" % (code + "os.environ['EPE_PWNED'] = '1'"),)

def attack():
    oml.ds.save({"value": Hostile()}, "hostile", grantable=True)
    oml.grant("hostile")
"""


def test_hostile_pickle(
    connect: Connect, conn: psycopg.Connection[Any], make_role: Callable[..., str]
) -> None:
    """An ordinary role's pickle is not unpickled in the server, whichever role loads it."""
    mallory = make_role("mallory")
    with connect(user=mallory) as hers:
        hers.execute("SELECT pyq_script_create('attack', %s)", (HOSTILE,))
        hers.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'attack')")
    conn.execute("SELECT pyq_script_create('fetch', %s)", (FETCH,))
    look = conn.execute(
        "SELECT jsonb_build_object('name', 'hostile', 'owner', %s::text)", (mallory,)
    )
    arguments = look.fetchall()[0][0]
    fetch = "SELECT * FROM pyq_eval(%s::jsonb, NULL, 'fetch') AS t(value text)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not run here") as failure:
        conn.execute(fetch, (psycopg.types.json.Jsonb(arguments),))
    assert failure.value.diag.message_hint is not None
    assert "oml_epe.engine" in failure.value.diag.message_hint
    assert conn.execute("SELECT to_regclass('executed')").fetchone() == (None,)
    conn.execute("SET oml_epe.engine TO 'process'")
    assert conn.execute(fetch, (psycopg.types.json.Jsonb(arguments),)).fetchone() == ("executed",)


def test_hostile_script(
    connect: Connect, conn: psycopg.Connection[Any], make_role: Callable[..., str]
) -> None:
    """Nor does oml.script.load() run an ordinary role's script in the server."""
    mallory = make_role("mallory")
    with connect(user=mallory) as hers:
        hers.execute("SELECT pyq_script_create('lure', 'def lure(): return \"run\"')")
        hers.execute("SELECT pyq_grant('lure', 'pyqscript')")
    source = f"""
import oml
def call():
    loaded = oml.script.load("lure", owner="{mallory}")
    assert "lure" in loaded.get_source().read()
    return loaded()
"""
    conn.execute("SELECT pyq_script_create('call', %s)", (source,))
    call = "SELECT * FROM pyq_eval(NULL, NULL, 'call') AS t(value text)"
    with pytest.raises(psycopg.errors.InsufficientPrivilege, match="may not run here"):
        conn.execute(call)
    conn.execute("SET oml_epe.engine TO 'process'")
    assert conn.execute(call).fetchone() == ("run",)


def test_unconfined_process_is_no_place_for_others(
    conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a complete sandbox counts; without one the error names the missing protection."""
    import oml
    from oml._catalog import trust as _trust
    from oml._db import connection as _session

    class Answers:
        setting = "required"

        def query(self, *_: Any) -> Any:
            return [], [(self.setting,)], 1

    answers = Answers()
    monkeypatch.setattr(_session, "is_embedded", lambda: True)
    monkeypatch.setattr(_session, "connection", lambda: answers)
    _trust.require(True, "x", "x")
    with pytest.raises(oml.DatabaseError) as failure:
        _trust.require(False, "x", "x")
    assert "sandbox is incomplete" in failure.value.hint
    answers.setting = "preferred"
    _trust.require(False, "x", "x")
    monkeypatch.setattr(_session, "is_backend", lambda: True)
    with pytest.raises(oml.DatabaseError):
        _trust.require(False, "x", "x")


def test_grants_between_users(client: Callable[..., Any], make_role: Callable[..., str]) -> None:
    owner = make_role("owner")
    reader = make_role("Reader")
    group = make_role("group")
    member = make_role("member", f'IN ROLE "{group}"')
    oml = client(owner)
    oml.ds.save({"a": [1, 2]}, "shared", grantable=True)
    oml.grant("shared", user=reader)
    oml.grant("shared", typ="datastore", user=group)
    assert oml.ds.dir(dstype="grant")["grantee"].tolist() == sorted([reader, group])
    with pytest.warns(UserWarning, match=f"User {owner} did not grant the read privilege of"):
        oml.revoke("shared", user=member)
    for user in (reader, member):
        oml = client(user)
        granted = oml.ds.dir(dstype="granted")
        assert granted[["owner", "datastore_name"]].values.tolist() == [[owner, "shared"]]
        assert oml.ds.dir().empty
        assert oml.ds.load("shared", owner=owner, to_globals=False) == {"a": [1, 2]}
        with pytest.raises(ValueError, match='datastore "shared" does not exist'):
            oml.ds.load("shared")
        with pytest.raises(ValueError, match="you have no datastore"):
            oml.ds.delete("shared")
    client(owner).revoke("shared")
    with pytest.raises(ValueError, match="not readable by you"):
        client(reader).ds.load("shared", owner=owner)


def test_failing_save_leaves_nothing(
    client: Callable[..., Any], conn: psycopg.Connection[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also on a client, where every statement is a separate transaction."""
    oml = client()
    oml.ds.save({"a": 1}, "store")
    calls = []

    def fail(piece: Any) -> bytes:
        calls.append(piece)
        if len(calls) > 1:
            raise OSError("no more")
        return bytes(piece)

    monkeypatch.setattr("oml._transfer.pickles.compress", fail)
    with pytest.raises(OSError, match="no more"):
        oml.ds.save({"a": 2, "b": 3}, "store", overwrite=True, compression=True)
    assert oml.ds.load("store", to_globals=False) == {"a": 1}
    assert conn.execute("SELECT count(*) FROM pyqsys.datastore_pieces").fetchone() == (1,)


CAUGHT = """
import oml

def caught():
    oml.ds.save({"a": 1}, "store")
    def fail(piece):
        raise OSError("no more")
    from oml._transfer import pickles as _pickles
    before = _pickles.compress
    _pickles.compress = fail
    try:
        oml.ds.save({"b": 1}, "store", overwrite=True, compression=True)
    except OSError:
        pass
    finally:
        _pickles.compress = before
    sql = "SELECT count(*) FROM pyqsys.datastore_pieces"
    return oml.cursor().execute(sql).fetchone()[0]
"""


@pytest.mark.parametrize("place", ["backend", "process"])
def test_caught_failure_leaves_nothing(place: str, conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT pyq_script_create('caught', %s)", (CAUGHT,))
    conn.execute(f"SET oml_epe.engine TO '{place}'")
    assert conn.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'caught')").fetchone() == (1,)


def test_many_clients_append(connect: Connect, conn: psycopg.Connection[Any]) -> None:
    """Sessions that append to one store, which does not exist at first."""
    source = """
import oml
def append(first):
    for number in range(first, first + 10):
        oml.ds.save({f"object {number}": number}, "all", append=True)
    return len(oml.ds.load("all", to_globals=False))
"""
    conn.execute("SELECT pyq_script_create('append', %s)", (source,))
    failures: list[BaseException] = []

    def work(first: int) -> None:
        try:
            with connect() as own:
                query = "SELECT * FROM pyq_eval(%s, NULL::int, 'append')"
                own.execute(query, (f'{{"first": {first}}}',))
        except BaseException as failure:
            failures.append(failure)

    threads = [threading.Thread(target=work, args=(first,)) for first in (0, 10, 20, 30)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    count = conn.execute("SELECT nobj FROM user_pyq_datastores WHERE dsname = 'all'").fetchone()
    assert count == (40,)


BINARY = """
import oml

def binary(size):
    data = bytes(range(256)) * (size // 256 + 1)
    data = memoryview(data)[:size]
    cursor = oml.cursor()
    sql = "SELECT length($1), $1, $2 || $3, $4::bytea, $5::bytea[]"
    parts = (data, bytearray(b"ab"), b"\\\\x00'", None, [b"x\\\\0", b'"'])
    row = cursor.execute(sql, parts).fetchone()
    assert row[0] == size and row[1] == data and row[2] == b"ab\\\\x00'" and row[3] is None, row
    assert list(row[4]) == [b"x\\\\0", b'"'], row
    assert cursor.execute("SELECT length($1)", (data[::2],)).fetchone()[0] == (size + 1) // 2
    try:
        oml._db.connection.connection().query("SELECT $1::int", (b"1",))
    except oml.DatabaseError as error:
        assert error.sqlstate in ("42846", "42804"), error.sqlstate
    return cursor.execute("SELECT $1::bytea", (b"",)).fetchone()[0] == b""
"""


@pytest.mark.parametrize("size", [0, 1, 1000, 100_000, 20_000_000])
@pytest.mark.parametrize("place", ["backend", "process"])
def test_binary_parameters(place: str, size: int, conn: psycopg.Connection[Any]) -> None:
    conn.execute("SELECT pyq_script_create('binary', %s)", (BINARY,))
    conn.execute(f"SET oml_epe.engine TO '{place}'")
    query = "SELECT * FROM pyq_eval(%s, NULL::boolean, 'binary')"
    assert conn.execute(query, (f'{{"size": {size}}}',)).fetchone() == (True,)
