"""One request leaves no state for the next, and users never see each other's state."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from typing import Any

import pytest
from gateway_process import API, Gateway, User
from processes import wait_for
from psycopg import Connection

SQL = """
import oml
def f(statements):
    cursor = oml.cursor()
    found = []
    for statement in statements:
        cursor.execute(statement)
        found.append([str(each) for each in cursor.fetchone()] if cursor.description else None)
    return found
"""


@pytest.fixture
def run_sql(store: Callable[..., str]) -> Callable[..., Any]:
    """A function that lets a script run statements: the first rows of each."""
    store("gw_sql", SQL)

    def run(user: User, *statements: str) -> Any:
        parameters = json.dumps({"statements": statements})
        return user.run("do-eval", "gw_sql", parameters=parameters).result

    return run


@pytest.fixture
def lone(start_gateway: Callable[..., Gateway], make_user: Callable[..., User]) -> User:
    """A user all of whose requests go through one connection."""
    return make_user(gateway=start_gateway("--connections-per-user", "1"))


TRACES = {
    "SET": ("SET work_mem = '12345kB'", "SHOW work_mem"),
    "custom setting": (
        "SET gw.secret = 'x'",
        "SELECT coalesce(current_setting('gw.secret', true), '')",
    ),
    "set_config": (
        "SELECT set_config('search_path', 'pg_temp', false)",
        "SHOW search_path",
    ),
    "temporary table": (
        "CREATE TEMP TABLE gw_temporary (a int)",
        "SELECT to_regclass('gw_temporary') IS NULL",
    ),
    "advisory lock": (
        "SELECT pg_advisory_lock(70881)",
        "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 70881",
    ),
    "prepared statement": (
        "PREPARE gw_prepared AS SELECT 1",
        "SELECT count(*) FROM pg_prepared_statements WHERE name = 'gw_prepared'",
    ),
    "listening": (
        "LISTEN gw_channel",
        "SELECT count(*) FROM pg_listening_channels() AS c WHERE c = 'gw_channel'",
    ),
    "cursor": (
        "DECLARE gw_cursor CURSOR WITH HOLD FOR SELECT 1",
        "SELECT count(*) FROM pg_cursors WHERE name = 'gw_cursor'",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", TRACES)
def test_a_request_leaves_no_trace(lone, run_sql, what):
    act, look = TRACES[what]
    before = run_sql(lone, look)
    # Some of these are refused to a script; refused actions leave no trace.
    lone.run("do-eval", "gw_sql", parameters=json.dumps({"statements": [act]}))
    assert run_sql(lone, look) == before


def test_roles_do_not_stick(conn, lone, run_sql, make_role):
    other = make_role("gw_group")
    conn.execute(f"GRANT {other} TO {lone.name}")
    for statement in (f"SET ROLE {other}", f"SET SESSION ROLE {other}"):
        parameters = json.dumps({"statements": [statement]})
        lone.run("do-eval", "gw_sql", parameters=parameters)
        assert run_sql(lone, "SELECT current_user, session_user") == [[lone.name, lone.name]]


def test_a_script_keeps_nothing_for_another_user(make_user, store):
    """Globals of a script live in the engine of one session, and that is one user's."""
    store("gw_memory", "kept = []\ndef f(x):\n    import builtins\n    kept.append(x)\n"
          "    said = getattr(builtins, 'gw_said', None)\n    builtins.gw_said = x\n"
          "    return [kept, said]")  # fmt: skip
    ann, bob = make_user("ann"), make_user("bob")
    for user in (ann, bob):
        for number in range(3):
            seen = user.run("do-eval", "gw_memory", parameters=json.dumps({"x": user.name}))
            assert {*seen.result[0], seen.result[1]} <= {user.name, None}, number


def test_two_users_at_once(make_user, run_sql):
    """Many requests of several users side by side: each sees itself, always."""
    users = [make_user(f"many{number}") for number in range(4)]
    wrong: list[Any] = []

    def work(user: User) -> None:
        for _ in range(25):
            try:
                found = run_sql(
                    user,
                    "SELECT current_setting('gw.mine', true)",
                    f"SELECT set_config('gw.mine', '{user.name}', false)",
                    "SELECT current_user, session_user",
                )
            except BaseException as error:
                wrong.append((user.name, error))
                return
            if found[0] not in ([""], ["None"]) or found[2] != [user.name, user.name]:
                wrong.append((user.name, found))

    threads = [threading.Thread(target=work, args=(user,)) for user in users for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(120)
        assert not thread.is_alive()
    assert not wrong


def test_a_failed_request_rolls_back(conn, lone, store):
    conn.execute("CREATE TABLE gw_written (x int)")
    conn.execute("GRANT INSERT, SELECT ON gw_written TO PUBLIC")
    store(
        "gw_write",
        "import oml\ndef f(fail):\n    oml.cursor().execute('INSERT INTO gw_written VALUES (1)')\n"
        "    if fail:\n        raise ValueError('no')\n    return 1",
    )
    try:
        lone.run("do-eval", "gw_write", parameters='{"fail": true}').refused(400)
        assert conn.execute("SELECT count(*) FROM gw_written").fetchone() == (0,)
        assert lone.run("do-eval", "gw_write", parameters='{"fail": false}').result == 1
        assert conn.execute("SELECT count(*) FROM gw_written").fetchone() == (1,)
    finally:
        conn.execute("DROP TABLE gw_written")


def test_the_pool_has_its_size(server, start_gateway, make_user, store, connect):
    """More requests than connections wait; there are never more sessions than were allowed."""
    store("gw_wait", "import oml\ndef f():\n    oml.cursor().execute("
          "'SELECT pg_advisory_xact_lock_shared(70882)')\n    return 1")  # fmt: skip
    narrow = start_gateway("--connections-per-user", "2")
    user = make_user(gateway=narrow)
    assert user.run("do-eval", "gw_wait").result == 1
    lock_session: Connection[Any] = connect()
    lock_session.execute("SELECT pg_advisory_lock(70882)")
    answers: list[Any] = []
    threads = [
        threading.Thread(target=lambda: answers.append(user.run("do-eval", "gw_wait")))
        for _ in range(6)
    ]
    for thread in threads:
        thread.start()
    count = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
    wait_for("two at work", lambda: lock_session.execute(count, (user.name,)).fetchone() == (2,))
    sessions = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s"
    row = lock_session.execute(sessions, (user.name,)).fetchone()
    assert row is not None
    assert row[0] == 2
    # Others do not wait for them.
    other = make_user(gateway=narrow)
    assert other.get(f"{API}/v1/scripts").status == 200
    lock_session.execute("SELECT pg_advisory_unlock(70882)")
    for thread in threads:
        thread.join(60)
    assert [each.result for each in answers] == [1] * 6


def test_who_waits_too_long_is_told(start_gateway, make_user, store, connect):
    store("gw_wait", "import oml\ndef f():\n    oml.cursor().execute("
          "'SELECT pg_advisory_xact_lock_shared(70882)')\n    return 1")  # fmt: skip
    narrow = start_gateway("--connections-per-user", "1", "--connection-wait", "1")
    user = make_user(gateway=narrow)
    assert user.token
    lock_session: Connection[Any] = connect()
    lock_session.execute("SELECT pg_advisory_lock(70882)")
    answers: list[Any] = []
    first = threading.Thread(target=lambda: answers.append(user.run("do-eval", "gw_wait")))
    first.start()
    count = "SELECT count(*) FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
    wait_for("one at work", lambda: lock_session.execute(count, (user.name,)).fetchone() == (1,))
    answer = user.run("do-eval", "gw_wait")
    assert answer.status in (500, 503), answer
    answer.refused(answer.status)
    lock_session.execute("SELECT pg_advisory_unlock(70882)")
    first.join(60)
    assert answers[0].result == 1
