"""Attacks found by a review: each succeeded once."""

from __future__ import annotations

import contextlib
import re
import socket
from pathlib import Path
from typing import Any

import pytest
from gateway_process import TOKEN_PATH, Gateway, User, is_running, run_path
from processes import wait_for

CSV = "text/csv"
ARROW = "application/vnd.apache.arrow.stream"
MOST_BODY = 1 << 20


def open_socket(gateway: Gateway) -> socket.socket:
    return socket.create_connection(("127.0.0.1", gateway.port), timeout=60)


def peak_bytes(gateway: Gateway) -> int:
    status = Path(f"/proc/{gateway.process.pid}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found is not None
    return int(found[1]) * 1024


@pytest.mark.parametrize("before", [b"5;", b"0\r\nTrailer"], ids=["chunk", "trailer"])
def test_a_line_between_chunks_has_an_end(gateway: Gateway, before: bytes) -> None:
    head = f"POST {TOKEN_PATH} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
    before_it = peak_bytes(gateway)
    sent = 0
    with open_socket(gateway) as client, contextlib.suppress(OSError):
        client.sendall(head.encode() + before)
        while sent < 256 * MOST_BODY:  # the gateway reads for a second, and discards the data
            client.sendall(b"x" * 65536)
            sent += 65536
    assert peak_bytes(gateway) - before_it < 32 * MOST_BODY


BODIES = {
    "deep": b"[" * 60_000,
    "nested": b'{"a": {"b": 1}}',
    "long": b'{"a":"' + b"x" * 70_000 + b'"}',
}


@pytest.mark.parametrize("body", BODIES.values(), ids=BODIES)
def test_the_body_of_a_log_in_is_short_and_flat(gateway: Gateway, body: bytes) -> None:
    gateway.request("POST", TOKEN_PATH, body).refused(400, "must be a JSON object")


@pytest.mark.parametrize(
    "header",
    [
        b"Content-Length : 60",
        b"Content-Length: 60\nX: y",
        b"Transfer-Encoding:\r\n chunked",
        b"Content-Length:",
        b"Transfer-Encoding: %63hunked",
        b"no colon",
    ],
)
def test_a_head_that_others_read_otherwise_is_refused(gateway: Gateway, header: bytes) -> None:
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\nX-Padding: 12345678901\r\n\r\n"
    with open_socket(gateway) as client:
        client.sendall(b"POST /healthz HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n" + inner)
        text = b""
        with contextlib.suppress(ConnectionResetError):
            while piece := client.recv(65536):
                text += piece
    assert text.count(b"HTTP/1.1 ") <= 1
    assert b" 200 " not in text


def test_a_sparse_table_is_refused(user: User, store: Any) -> None:
    store("gw_sparse", "def f(): return [{f'k{i}_{j}': 1 for j in range(6)} for i in range(3000)]")
    user.run("do-eval", "gw_sparse", accept=CSV).refused(400, "too large")


def test_what_is_no_utf8_in_a_result_is_not_logged(
    gateway: Gateway, user: User, store: Any
) -> None:
    store("gw_surrogate", "def f(): return 'NOT FOR THE LOG \\ud800'")
    answer = user.run("do-eval", "gw_surrogate", accept=CSV)
    assert answer.status in (200, 400)
    assert "NOT FOR THE LOG" not in gateway.log_path.read_text()


def test_times_that_arrow_cannot_hold_are_refused(user: User, store: Any) -> None:
    store("gw_late", "def f(): return ['294276-12-31 23:59:59.999999']")
    answer = user.run("do-eval", "gw_late", accept=ARROW, outputFormat={"t": "timestamp"})
    assert answer.status == 400


def test_a_connection_whose_statement_was_broken_off_is_not_used_again(
    gateway: Gateway, user: User, store: Any, conn: Any
) -> None:
    """The script may have been in the middle of an import, which Python does not undo."""
    ask = "oml.cursor().execute('SELECT pg_backend_pid()').fetchone()[0]"
    store("gw_pid", f"import oml\ndef f(): return {ask}")
    store("gw_sleep", "import time\ndef f():\n    time.sleep(600)")
    before = user.run("do-eval", "gw_pid").result
    connection = gateway.connection()
    headers = {"Authorization": f"Bearer {user.token}", "Content-Type": "application/json"}
    connection.request("POST", run_path("do-eval", "gw_sleep"), b"{}", headers)
    wait_for("the script", lambda: is_running(conn, user, "pyq_eval"))
    connection.close()
    wait_for("its end", lambda: not is_running(conn, user, "pyq_eval"))
    assert user.run("do-eval", "gw_pid").result != before


def test_events_end_with_the_right_to_log_in(
    gateway: Gateway, user: User, store: Any, conn: Any
) -> None:
    store("gw_waits", "import time\ndef f():\n    time.sleep(600)")
    path = user.submit("do-eval", "gw_waits")
    connection = gateway.connection()
    connection.request("GET", path + "/events", headers={"Authorization": f"Bearer {user.token}"})
    stream = connection.getresponse()
    assert stream.status == 200
    conn.execute(f'ALTER ROLE "{user.name}" NOLOGIN')
    with contextlib.suppress(Exception):  # it is cut off
        while stream.readline():
            pass
    user.get(path).refused(401)
    conn.execute("SELECT pyq_cancel_job(id::text) FROM pyq_jobs WHERE owner = %s", (user.name,))
    connection.close()
