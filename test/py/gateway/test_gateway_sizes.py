"""Large results: memory of the gateway, and limits."""

from __future__ import annotations

import concurrent.futures
import json
import threading
from typing import Any

import pytest
from gateway_process import API, User, run_path
from test_gateway_attacks import peak_bytes

MB = 1 << 20
CSV = "text/csv"
LONG = "def f(n): return ['é' + 'x' * (n - 2)]"  # so many bytes within the quotes


@pytest.fixture
def long_text(store: Any) -> str:
    store("gw_long", LONG)
    return "gw_long"


def test_long_results_cost_little(start_gateway, make_user, long_text):
    """Eight at a time, by clients that read on only when all have their first bytes."""
    gateway = start_gateway()
    user: User = make_user(gateway=gateway)
    size = 24 * MB
    assert user.run("do-eval", long_text, parameters={"n": 100}).status == 200
    before = peak_bytes(gateway)
    body = json.dumps({"parameters": {"n": size}})
    all_have = threading.Barrier(8)

    def take() -> int:
        connection = gateway.connection()
        headers = {"Authorization": f"Bearer {user.token}"}
        connection.request("POST", run_path("do-eval", long_text), body, headers)
        answer = connection.getresponse()
        assert answer.status == 200
        all_have.wait(60)
        taken = len(answer.read())
        connection.close()
        return taken

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        taken = list(pool.map(lambda _: take(), range(8)))
    assert taken == [size + len('{"result":[""]}')] * 8
    assert peak_bytes(gateway) - before < 2 * size
    gateway.check()


@pytest.mark.parametrize("n", [0, 262140, 262144, 262150, 1_000_003])
def test_pieces_make_the_whole(user, store, n):
    store("gw_signs", "def f(n): return {'é🐘': ['é🐘' * n, n]}")
    assert user.run("do-eval", "gw_signs", parameters={"n": n}).result == {"é🐘": ["é🐘" * n, n]}


def test_the_limit_is_an_option(conn, start_gateway, make_user, long_text, sql_as):
    user = make_user(gateway=start_gateway("--max-result", "1000"))
    conn.execute(f"CREATE SCHEMA {user.name} AUTHORIZATION {user.name}")
    sql_as(user).execute("CREATE TABLE gw_sized (n int)")
    error = user.run("do-eval", long_text, parameters={"n": 1001}).refused(400, code=1024)
    assert error["errorMessage"] == "Output exceeds maximum size of 1000 bytes"
    assert error["sqlState"] == "54000"
    assert len(user.run("do-eval", long_text, parameters={"n": 900}).result[0]) == 899
    for fields in ({"graphicsFlag": True}, {"accept": CSV}):
        user.run("do-eval", long_text, parameters={"n": 1001}, **fields).refused(400, code=1024)
    # The changes of such a call are rolled back.
    store = "import oml\ndef f():\n    oml.cursor().execute('INSERT INTO gw_sized VALUES (1)')\n"
    sql_as(user).execute(
        "SELECT pyq_script_create('gw_writes', %s)", (store + "    return 'x' * 2000",)
    )
    user.run("do-eval", "gw_writes").refused(400, code=1024)
    assert conn.execute(f"SELECT count(*) FROM {user.name}.gw_sized").fetchone() == (0,)


@pytest.mark.parametrize("fields", [{"graphicsFlag": True}, {"accept": CSV}], ids=["png", "csv"])
def test_what_must_be_held_has_a_limit(user, long_text, fields):
    answer = user.run("do-eval", long_text, parameters={"n": 16 * MB}, **fields)
    assert "maximum size" in answer.refused(400, code=1024)["errorMessage"]
    assert user.run("do-eval", long_text, parameters={"n": 1000}, **fields).status == 200
    # And no other request of the session has it.
    assert user.run("do-eval", long_text, parameters={"n": 17 * MB}).status == 200


def test_typed_rows_cost_little(start_gateway, make_user, store):
    """Rows of 2 MB, which come one by one however many are asked for."""
    store("gw_wide", "import pandas as pd\ndef f(n, m): return pd.DataFrame({'t': ['x' * n] * m})")
    gateway = start_gateway()
    user: User = make_user(gateway=gateway)
    wide = {"outputFormat": {"t": "text"}, "accept": CSV}
    assert user.run("do-eval", "gw_wide", parameters={"n": 1, "m": 1}, **wide).status == 200
    before = peak_bytes(gateway)
    answer = user.run("do-eval", "gw_wide", parameters={"n": 2 * MB, "m": 60}, **wide)
    assert len(answer.body) == 2 + 60 * (2 * MB + 1)
    assert peak_bytes(gateway) - before < 30 * MB
    error = user.run("do-eval", "gw_wide", parameters={"n": 17 * MB, "m": 1}, **wide)
    assert "maximum size of 16777216 bytes" in error.refused(400, code=1024)["errorMessage"]


def test_notices_of_a_script_are_not_kept(start_gateway, make_user, store):
    store(
        "gw_notifies",
        """
import oml
def f(n):
    oml.cursor().execute("LISTEN gw_notices")
    oml.cursor().execute("SELECT count(pg_notify('gw_notices', repeat('x', 7900) || i::text))"
                         f" FROM generate_series(1, {n}) AS i")
""",
    )
    gateway = start_gateway()
    user: User = make_user(gateway=gateway)
    assert user.run("do-eval", "gw_notifies", parameters={"n": 1}).status == 200
    before = peak_bytes(gateway)
    assert user.run("do-eval", "gw_notifies", parameters={"n": 6000}).status == 200
    assert peak_bytes(gateway) - before < 10 * MB


def test_errors_are_short(user, store):
    """Those of PostgreSQL quote values of any size."""
    store("gw_dat", "def f(dat): return 1")
    query = "SELECT repeat('x', 1000000)::int AS a"
    answer = user.run("table-apply", "gw_dat", input=query)
    answer.refused(400, "invalid input syntax for type integer")
    assert len(answer.body) < 100_000


def test_an_object_of_many_members(user, store):
    """Is refused: its keys are looked for one by one, which took minutes."""
    store("gw_members", "def f(n): return [{str(i): 1 for i in range(n)}]")
    many = user.run("do-eval", "gw_members", accept=CSV, parameters={"n": 100_000})
    many.refused(400, "too many members")
    assert user.run("do-eval", "gw_members", accept=CSV, parameters={"n": 10_000}).status == 200
    body = {"parameters": {str(i): 1 for i in range(60_000)}}
    user.run("do-eval", "gw_members", **body).refused(400, "too many members")


def test_the_result_of_a_job(user, long_text):
    job = user.submit("do-eval", long_text, parameters={"n": 3 * MB})
    user.wait_for_job(job)
    assert len(user.get(f"{job}/result").result[0]) == 3 * MB - 1


def test_http_1_0_gets_no_chunks(user, long_text):
    connection = user.gateway.connection()
    connection._http_vsn, connection._http_vsn_str = 10, "HTTP/1.0"  # type: ignore[attr-defined]
    headers = {"Authorization": f"Bearer {user.token}"}
    body = json.dumps({"parameters": {"n": MB}})
    connection.request("POST", run_path("do-eval", long_text), body, headers)
    answer = connection.getresponse()
    assert answer.getheader("Transfer-Encoding") is None
    assert len(json.loads(answer.read())["result"][0]) == MB - 1
    connection.close()


def test_a_client_that_leaves_a_long_result(conn, user, store, long_text):
    """Its statement ends, and the next request is not troubled by it."""
    from gateway_process import is_running
    from processes import wait_for

    connection = user.gateway.connection()
    headers = {"Authorization": f"Bearer {user.token}"}
    body = json.dumps({"parameters": {"n": 100 * MB}})
    connection.request("POST", run_path("do-eval", long_text), body, headers)
    assert connection.getresponse().status == 200
    connection.close()
    wait_for("its end", lambda: not is_running(conn, user))
    assert user.get(f"{API}/v1/scripts").status == 200


def test_an_error_at_the_commit_is_an_error(conn, user, store, sql_as):
    """A deferred constraint speaks when the rows have come already."""
    conn.execute(f"CREATE SCHEMA {user.name} AUTHORIZATION {user.name}")
    own = sql_as(user)
    own.execute("CREATE TABLE gw_one (n int UNIQUE DEFERRABLE INITIALLY DEFERRED)")
    source = (
        "import oml\ndef f():\n    oml.cursor().execute('INSERT INTO gw_one VALUES (1), (1)')\n"
    )
    own.execute("SELECT pyq_script_create('gw_twice', %s)", (source + "    return 1",))
    user.run("do-eval", "gw_twice").refused(400, "duplicate key")
    user.run("do-eval", "gw_twice", graphicsFlag=True).refused(400, "duplicate key")
    assert user.run("do-eval", "gw_twice", accept=CSV).status == 400
    assert conn.execute(f"SELECT count(*) FROM {user.name}.gw_one").fetchone() == (0,)
