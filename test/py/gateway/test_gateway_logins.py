"""The server's own authentication decides which users get a token, and how long it is valid."""

from __future__ import annotations

import contextlib
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gateway_process import API, TOKEN_PATH, Answer, Gateway, User
from processes import wait_for
from psycopg import Connection, sql

SCRIPTS = f"{API}/v1/scripts"
StartGateway = Callable[..., Gateway]
MakeUser = Callable[..., User]


@contextlib.contextmanager
def hba_line(admin: Connection[Any], line: str) -> Iterator[None]:
    """Put a line before all others of pg_hba.conf, for a while."""
    row = admin.execute("SHOW hba_file").fetchone()
    assert row is not None
    path = Path(row[0])
    before = path.read_text()
    loaded = "pg_conf_load_time() > %s"

    def load(text: str) -> None:
        # Written in place, so that the file stays the server's.
        path.write_text(text)
        then = admin.execute("SELECT clock_timestamp()").fetchone()
        admin.execute("SELECT pg_reload_conf()")
        # A backend sees the new time once the postmaster has loaded and passed the signal on.
        wait_for("a reload", lambda: admin.execute(f"SELECT {loaded}", then).fetchone() == (True,))

    load(f"{line}\n{before}")
    try:
        yield
    finally:
        load(before)


@pytest.fixture
def strict(start_gateway: StartGateway) -> Gateway:
    """A gateway that authenticates again for every request."""
    return start_gateway("--reauthenticate", "0")


def alter(conn: Connection[Any], name: str, what: str) -> None:
    conn.execute(sql.SQL("ALTER ROLE {} " + what).format(sql.Identifier(name)))  # type: ignore


LOSSES = {
    "NOLOGIN": ("NOLOGIN", "LOGIN"),
    "VALID UNTIL": ("VALID UNTIL '2001-01-01'", "VALID UNTIL 'infinity'"),
    "another password": ("PASSWORD 'another one'", None),
    "no password": ("PASSWORD NULL", None),
}


@pytest.mark.parametrize(("loss", "gain"), LOSSES.values(), ids=LOSSES.keys())
def test_a_token_dies_with_the_right_to_log_in(conn, strict, make_user, loss, gain):
    user = make_user(gateway=strict)
    assert user.get(SCRIPTS).status == 200
    alter(conn, user.name, loss)
    user.get(SCRIPTS).refused(401)
    alter(conn, user.name, gain or f"PASSWORD '{user.password}'")
    # It does not come back to life; its user does.
    user.get(SCRIPTS).refused(401)
    user.forget()
    assert user.get(SCRIPTS).status == 200


def test_a_dropped_role(conn, strict, make_role):
    name = make_role("gw_dropped", "PASSWORD 'x1y2z3'")
    user = User(strict, name, "x1y2z3")
    assert user.get(SCRIPTS).status == 200
    conn.execute(sql.SQL("ALTER ROLE {} RENAME TO epe_gw_gone").format(sql.Identifier(name)))
    try:
        user.get(SCRIPTS).refused(401)
    finally:
        conn.execute(sql.SQL("ALTER ROLE epe_gw_gone RENAME TO {}").format(sql.Identifier(name)))


def test_a_rule_of_pg_hba(conn, strict, make_user):
    user, other = make_user(gateway=strict), make_user(gateway=strict)
    assert user.get(SCRIPTS).status == 200
    with hba_line(conn, f"host all {user.name} 127.0.0.1/32 reject"):
        user.get(SCRIPTS).refused(401)
        strict.log_in(user.name, user.password).refused(401)
        assert other.get(SCRIPTS).status == 200
    user.forget()
    assert user.get(SCRIPTS).status == 200


@pytest.fixture
def steps(conn: Connection[Any], store: Callable[..., str]) -> Iterator[Callable[[], int]]:
    """Script gw_step takes a number that no rollback brings back; a function tells the last one."""
    conn.execute("CREATE SEQUENCE gw_steps")
    conn.execute("GRANT USAGE ON SEQUENCE gw_steps TO PUBLIC")
    store(
        "gw_step",
        "import oml\ndef f():\n    cursor = oml.cursor()\n"
        "    cursor.execute(\"SELECT nextval('gw_steps')\")\n    return cursor.fetchone()[0]",
    )

    def last() -> int:
        row = conn.execute("SELECT last_value FROM gw_steps").fetchone()
        assert row is not None
        return int(row[0])

    yield last
    conn.execute("DROP SEQUENCE gw_steps")


@pytest.mark.parametrize("loss", ["NOLOGIN", "VALID UNTIL '2001-01-01'"])
def test_a_call_does_not_begin_without_the_right(conn, start_gateway, make_user, steps, loss):
    """Not even on a connection just used, where the check travels with the call."""
    user = make_user(gateway=start_gateway("--connections-per-user", "1"))
    for number in (1, 2):
        assert user.run("do-eval", "gw_step").result == number
    alter(conn, user.name, loss)
    user.run("do-eval", "gw_step").refused(401)
    assert steps() == 2
    # All tokens have ended, and the connection with them.
    user.get(SCRIPTS).refused(401)


def test_a_check_that_fails_otherwise(conn, start_gateway, make_user, steps):
    """No answer about the right to log in: a connection that logs in anew runs the call, once."""
    user = make_user(gateway=start_gateway("--connections-per-user", "1"))
    sessions = "SELECT pid FROM pg_stat_activity WHERE usename = %s"
    assert user.run("do-eval", "gw_step").result == 1
    before = conn.execute(sessions, (user.name,)).fetchall()
    conn.execute("REVOKE EXECUTE ON FUNCTION pyqsys.check_log_in FROM PUBLIC")
    try:
        assert user.run("do-eval", "gw_step").result == 2
    finally:
        conn.execute("GRANT EXECUTE ON FUNCTION pyqsys.check_log_in TO PUBLIC")
    assert steps() == 2
    wait_for(
        "the other connection",
        lambda: before != conn.execute(sessions, (user.name,)).fetchall(),
    )


def test_the_interval_of_authentication(conn, start_gateway, make_user):
    """A connection from before the change serves no longer than the interval."""
    patient = start_gateway("--reauthenticate", "1")
    user = make_user(gateway=patient)
    assert user.get(SCRIPTS).status == 200
    alter(conn, user.name, "NOLOGIN")
    wait_for("the refusal", lambda: user.get(SCRIPTS).status == 401)


def test_a_new_password_does_not_keep_tokens_of_the_old_one(conn, start_gateway, make_user):
    """A login with the new password does not extend tokens obtained with the old one."""
    alone = start_gateway("--reauthenticate", "1")
    user = make_user(gateway=alone)
    old = user.token
    assert user.get(SCRIPTS).status == 200
    alter(conn, user.name, "PASSWORD 'the new one'")
    alone.log_in(user.name, user.password).refused(401)
    fresh = alone.log_in(user.name, "the new one").json()["accessToken"]
    assert alone.get(SCRIPTS, token=fresh).status == 200
    wait_for("the old one's end", lambda: alone.get(SCRIPTS, token=old).status == 401)
    assert alone.get(SCRIPTS, token=fresh).status == 200


def test_unknown_users_look_like_wrong_passwords(start_gateway, make_user):
    alone = start_gateway()
    user = make_user(gateway=alone)
    wrong = alone.log_in(user.name, "not it").refused(401)
    unknown = alone.log_in("epe_gw_nobody", "not it").refused(401)
    assert wrong["errorMessage"].replace(user.name, "?") == unknown["errorMessage"].replace(
        "epe_gw_nobody", "?"
    )
    alone.log_in(user.name, "").refused(401)
    assert alone.log_in(user.name, user.password).status == 200


def test_roles_that_may_not_log_in(conn, start_gateway, make_user):
    alone = start_gateway()
    user = make_user(gateway=alone)
    alter(conn, user.name, "NOLOGIN")
    alone.log_in(user.name, user.password).refused(401)
    alter(conn, user.name, "LOGIN VALID UNTIL '2001-01-01'")
    alone.log_in(user.name, user.password).refused(401)


def test_a_server_that_asks_for_no_password(conn, start_gateway, make_user):
    """With trust authentication any password would be accepted: then no token is issued."""
    info = conn.info
    by_socket = start_gateway(conninfo=f"host={info.host} port={info.port} dbname={info.dbname}")
    user = make_user(gateway=by_socket)
    for password in (user.password, "anything"):
        answer = by_socket.log_in(user.name, password)
        assert answer.status in (401, 500), answer
        answer.refused(answer.status)
    by_socket.check()
    by_tcp = start_gateway()
    with hba_line(conn, f"host all {user.name} 127.0.0.1/32 trust"):
        for password in (user.password, "anything"):
            assert by_tcp.log_in(user.name, password).status in (401, 500)


def test_names_are_names(start_gateway, make_user):
    """The user name is passed to the server as a name, not as a connection string."""
    alone = start_gateway()
    user = make_user(gateway=alone)
    with socket.create_server(("127.0.0.1", 0)) as trap:
        trap.setblocking(False)
        port = trap.getsockname()[1]
        names = [
            f"{user.name} host=127.0.0.1 port={port}",
            f"host=127.0.0.1 port={port} user={user.name}",
            f"{user.name}' port='{port}",
            f"postgresql://{user.name}@127.0.0.1:{port}/",
            f"{user.name} dbname=postgres",
            f"{user.name}\\",
            f"{user.name}\0",
            f"{user.name}\0database\0postgres",
            f" {user.name}",
            f"{user.name} ",
            user.name.upper(),
            f'"{user.name}"',
            "x" * 64,
            "\u00e9" * 40,
            "x" * 100_000,
            "",
            "\U0001f418",
            "service=evil",
        ]
        for name in names:
            answer = alone.log_in(name, user.password)
            assert answer.status in (400, 401), (name, answer)
            answer.refused(answer.status)
        with pytest.raises(BlockingIOError):
            trap.accept()
    for password in (f"{user.password}\0", user.password + "x" * 100_000, "\n", "'"):
        assert alone.log_in(user.name, password).status in (400, 401)
    alone.check()


def test_a_long_name_is_not_cut(conn, start_gateway, make_role):
    """PostgreSQL cuts names to 63 bytes: the rest must not be lost on the way."""
    alone = start_gateway()
    name = make_role("gw_" + "n" * 60, "PASSWORD 'pass the salt'")
    row = conn.execute(
        "SELECT rolname FROM pg_roles WHERE left(rolname, 63) = left(%s, 63)", (name,)
    ).fetchone()
    assert row is not None
    whole = row[0]
    assert len(whole) == 63
    try:
        assert alone.log_in(whole, "pass the salt").status == 200
        for longer in (whole + "x", name + "y"):
            assert alone.log_in(longer, "pass the salt").status in (400, 401)
    finally:
        conn.execute(sql.SQL("DROP OWNED BY {} CASCADE").format(sql.Identifier(whole)))


ODD_NAMES = [
    "odd name",
    "odd'name",
    'odd"name',
    "odd\\name",
    "odd=name",
    "ODD",
    "ödd",
    "o%20d",
    "1",
]


@pytest.mark.parametrize("name", ODD_NAMES)
def test_odd_names_log_in(conn, gateway, name):
    password = "a b'c\\d\"e=f%20ö"
    conn.execute(sql.SQL("CREATE ROLE {} LOGIN PASSWORD {}").format(sql.Identifier(name), password))
    try:
        token = gateway.log_in(name, password).json()["accessToken"]
        assert gateway.get(SCRIPTS, token=token).status == 200
    finally:
        conn.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = %s",
            (name,),
        )
        conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(name)))


def until_slowed(gateway: Gateway, name: str, most: int = 100) -> Answer:
    """Try wrong passwords until that is refused; return the refusal."""
    for number in range(most):
        answer = gateway.log_in(name, f"wrong {number}")
        if answer.status != 401:
            return answer
    raise AssertionError(f"{most} wrong passwords were tried")


def test_brute_force_is_slowed(start_gateway, make_user):
    alone = start_gateway()
    user, other = make_user(gateway=alone), make_user(gateway=alone)
    token = user.token
    answer = until_slowed(alone, user.name)
    answer.refused(429)
    assert int(answer.headers["Retry-After"]) >= 1
    # Now the right one is not looked at either, or guessing would pay.
    alone.log_in(user.name, user.password).refused(429)
    # Tokens that are out, and other users, are not concerned.
    assert alone.get(SCRIPTS, token=token).status == 200
    assert alone.log_in(other.name, other.password).status == 200
    if int(answer.headers["Retry-After"]) <= 5:
        wait_for("another chance", lambda: alone.log_in(user.name, user.password).status == 200)


def log_in_for(gateway: Gateway, name: str, password: str, forwarded: str) -> Answer:
    grant = {"grant_type": "password", "username": name, "password": password}
    return gateway.request("POST", TOKEN_PATH, grant, {"X-Forwarded-For": forwarded})


def test_clients_of_a_trusted_proxy_are_told_apart(start_gateway):
    alone = start_gateway("--trusted-proxy", "127.0.0.0/8,10.0.0.0/8")
    name = "epe_gw_nobody"
    for number in range(5):  # a header has several sources: only the last trusted one counts
        log_in_for(alone, name, "wrong", f"192.0.2.{number}, 198.51.100.1, 10.0.0.1").refused(401)
    log_in_for(alone, name, "wrong", "198.51.100.1").refused(429)
    log_in_for(alone, name, "wrong", "198.51.100.2").refused(401)
    log_in_for(alone, name, "wrong", "nonsense").refused(401)

    def addresses() -> set[str]:
        return {line["address"] for line in alone.log() if line["event"] == "request"}

    wanted = {"198.51.100.1", "198.51.100.2", "127.0.0.1"}
    wait_for("the lines of the log", lambda: addresses() == wanted)


def test_nobody_else_says_who_a_client_is(start_gateway):
    for alone in (start_gateway(), start_gateway("--trusted-proxy", "10.0.0.0/8")):
        for number in range(5):
            log_in_for(alone, "epe_gw_nobody", "wrong", f"198.51.100.{number}").refused(401)
        log_in_for(alone, "epe_gw_nobody", "wrong", "203.0.113.1").refused(429)
        assert {line["address"] for line in alone.log() if "address" in line} <= {
            "127.0.0.1",
            f"127.0.0.1:{alone.port}",
        }


def test_names_that_do_not_exist_are_slowed_too(start_gateway):
    until_slowed(start_gateway(), "epe_gw_nobody").refused(429)


def test_no_database(start_gateway, free_port_number):
    """A missing database is a 500 with the reason, without a long wait."""
    lost = start_gateway(conninfo=f"host=127.0.0.1 port={free_port_number} dbname=x")
    lost.log_in("somebody", "something").refused(500)
    lost.check()


@pytest.fixture
def free_port_number() -> Iterator[int]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        yield probe.getsockname()[1]


def test_passwords_in_the_server_log(server, gateway, user):
    """Nor does the database log secrets given to the gateway."""
    server.fail_on_signal_death()
    start = server.log_path.stat().st_size
    assert user.get(SCRIPTS).status == 200
    gateway.request("POST", TOKEN_PATH, {"grant_type": "refresh_token", "token": user.token})
    text = server.log_path.read_bytes()[start:].decode(errors="replace")
    assert user.password not in text
    assert user.token not in text


def test_the_gateway_connects_as_nobody_else(server, database, gateway, user):
    """All its sessions belong to its users: it has no role."""
    assert user.get(SCRIPTS).status == 200
    with server.connect() as admin:
        rows = admin.execute(
            "SELECT DISTINCT usename FROM pg_stat_activity WHERE client_addr IS NOT NULL"
        ).fetchall()
    assert (user.name,) in rows
    assert all(name.startswith("epe_") for (name,) in rows), rows
