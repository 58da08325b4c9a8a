"""Malformed bodies: each is refused with a reason, and no request hangs."""

from __future__ import annotations

import contextlib
import json
import socket
from typing import Any

import pytest
from gateway_process import API, TOKEN_PATH, Answer, User, run_path

DEEP = 100_000


def post(user: User, body: bytes, path: str = "", **headers: str) -> Answer:
    headers.setdefault("Content_Type", "application/json")
    return user.request("POST", path or run_path("do-eval", "gw_any"), body, **headers)


@pytest.fixture(autouse=True)
def _script(store: Any) -> None:
    store("gw_any", "def f(*rows, **named): return named")


MALFORMED = {
    "half": b'{"service": "LOW"',
    "more": b'{"service": "LOW"} {}',
    "text": b"service=LOW",
    "single quotes": b"{'service': 'LOW'}",
    "comma": b'{"service": "LOW",}',
    "comment": b'{"service": /* x */ "LOW"}',
    "NaN": b'{"x": NaN}',
    "list": b"[]",
    "list of one": b'[{"service": "LOW"}]',
    "number": b"5",
    "true": b"true",
    "null": b"null",
    "bad UTF-8": b'{"parameters": "{\\"a\\": \\"\xff\xfe\\"}"}',
    "bad UTF-8 key": b'{"\xc3\x28": 1}',
    "overlong UTF-8": b'{"parameters": "\xc0\x80"}',
    "lone surrogate": b'{"parameters": "{\\"a\\": \\"\\ud800\\"}"}',
    "surrogate as UTF-8": b'{"parameters": "\xed\xa0\x80"}',
    "NUL": b'{"a": 1}\0',
    "NUL in text": b'{"input": "select \\u0000 1", "parameters": "\\u0000"}',
    "UTF-16": '{"service": "LOW"}'.encode("utf-16"),
    "control character": b'{"parameters": "\x01"}',
    "deep arrays": b"[" * DEEP + b"]" * DEEP,
    "deep objects": b'{"a":' * DEEP + b"1" + b"}" * DEEP,
    "deep unknown key": b'{"foo":' + b"[" * DEEP + b"]" * DEEP + b"}",
    "deep parameters": json.dumps({"parameters": "[" * DEEP + "]" * DEEP}).encode(),
    "open": b"[" * DEEP,
    "infinite number": b'{"timeout": 1e999}',
    "long number": b'{"timeout": ' + b"9" * 10_000 + b"}",
}


@pytest.mark.parametrize("body", MALFORMED.values(), ids=MALFORMED.keys())
def test_malformed(user, body):
    post(user, body).refused(400)
    answer = post(user, body, TOKEN_PATH)
    answer.refused(400)
    assert post(user, b"{}").result == {}


WRONG_TYPES: dict[str, list[Any]] = {
    "asyncFlag": ["true", 1, 0, [], {}],
    "graphicsFlag": ["true", 1, [], {}],
    "parallelFlag": ["yes", 1, []],
    "envName": [1, True, [], {}],
    "parameters": [1, True, [], [{}]],
    "service": [1, "FAST", "", [], {}],
    "parallel": ["2", -1, 1.5, 2**31, 2**63, 2**64, [], True],
    "timeout": ["1800", [], {}],
    "rows": ["10", 0, -1, 1.5, 2**63, 2**64, 1e300, [], True],
    "times": ["10", 0, -1, 1.5, 2**63, 2**64, 1e300, [], True],
    "input": [1, True, [], {}],
    "groupBy": [1, True, {}],
    "orderBy": [1, True, {}],
}
KINDS = {
    "rows": "row-apply",
    "times": "index-apply",
    "groupBy": "group-apply",
    "input": "table-apply",
}
KINDS |= {"orderBy": "group-apply", "parallel": "index-apply", "parallelFlag": "index-apply"}
GOOD: dict[str, dict[str, Any]] = {
    "do-eval": {},
    "table-apply": {"input": "SELECT 1 AS a"},
    "row-apply": {"input": "SELECT 1 AS a", "rows": 1},
    "group-apply": {"input": "SELECT 1 AS a", "groupBy": "a"},
    "index-apply": {"times": 1},
}


@pytest.mark.parametrize(
    ("field", "value"),
    [(field, value) for field, values in WRONG_TYPES.items() for value in values],
)
def test_wrong_types(user, field, value):
    kind = KINDS.get(field, "do-eval")
    user.run(kind, "gw_any", **{**GOOD[kind], field: value}).refused(400, field)


@pytest.mark.parametrize("kind", GOOD)
def test_nulls_are_defaults(user, kind):
    nulls = dict.fromkeys(
        ("asyncFlag", "graphicsFlag", "envName", "parameters", "service", "timeout")
    )
    assert user.run(kind, "gw_any", **nulls, **GOOD[kind]).status == 200


@pytest.mark.parametrize("service", ["LOW", "MEDIUM", "HIGH", "low", "High"])
def test_service_levels(user, service):
    assert user.run("index-apply", "gw_any", times=2, parallel=50, service=service).status == 200


@pytest.mark.parametrize(
    ("field", "value"),
    [("groupBy", "nosuch"), ("groupBy", ""), ("groupBy", ","), ("orderBy", "x y")],
)
def test_columns_that_are_none(user, field, value):
    fields = {"input": "SELECT 1 AS a", "groupBy": "a", field: value}
    user.run("group-apply", "gw_any", **fields).refused(400)


def test_duplicate_keys_have_one_meaning(user):
    """The last one counts, or the body is refused: never one for the check and one for the call."""
    answer = post(user, b'{"parameters": "{\\"a\\": 1}", "parameters": "{\\"a\\": 2}"}')
    assert answer.status == 400 or answer.result == {"a": 2}
    answer = post(user, b'{"timeout": 1800, "asyncFlag": true, "timeout": 5}')
    assert answer.status == 400


def test_large_bodies(start_gateway, make_user):
    user = make_user(gateway=start_gateway("--max-body", "2000"))

    def body(length: int) -> bytes:
        empty = len(json.dumps({"foo": ""}))
        return json.dumps({"foo": "x" * (length - empty)}).encode()

    assert post(user, body(2000)).result == {}
    for length in (2001, 100_000, 5_000_000):
        post(user, body(length)).refused(413)
    assert post(user, b"{}").result == {}


def test_the_usual_limit(user):
    assert post(user, json.dumps({"foo": "x" * 1_000_000}).encode()).result == {}
    post(user, json.dumps({"foo": "x" * 2_000_000}).encode()).refused(413)


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "image/png"])
def test_other_media(user, kind):
    answer = post(user, b"{}", Content_Type=kind)
    assert answer.status in (200, 400, 415), answer
    assert post(user, b"{}", Content_Type="application/json; charset=utf-8").result == {}


def raw(user: User, text: bytes, is_whole: bool = True) -> bytes:
    """Send bytes as they are; return all that comes until the other side closes."""
    with socket.create_connection(("127.0.0.1", user.gateway.port), timeout=60) as wire:
        with contextlib.suppress(OSError):  # also when the other side has closed already
            wire.sendall(text)
            if is_whole:
                wire.shutdown(socket.SHUT_WR)
        received = b""
        # A client whose connection is closed while it sends may get a reset.
        with contextlib.suppress(ConnectionResetError):
            while piece := wire.recv(65536):
                received += piece
        return received


def head(user: User, *lines: str, path: str = "") -> bytes:
    first = f"POST {path or run_path('do-eval', 'gw_any')} HTTP/1.1"
    known = ("Host: x", f"Authorization: Bearer {user.token}", "Connection: close")
    return "\r\n".join((first, *known, *lines, "", "")).encode()


@pytest.mark.parametrize(
    "lines",
    [
        ("Content-Length: -1",),
        ("Content-Length: x",),
        ("Content-Length: 99999999999999999999",),
        ("Content-Length: 2", "Content-Length: 3"),
        ("Content-Length: 2", "Transfer-Encoding: chunked"),
        ("Transfer-Encoding: nonsense",),
        ("Content-Encoding: nonsense", "Content-Length: 2"),
        ("X: " + "y" * 100_000,),
        (" folded: header",),
        ("no colon",),
        ("Expect: nonsense", "Content-Length: 2"),
    ],
)
def test_framing(user, lines):
    """A request without a clear end is refused or dropped; the next one is served."""
    received = raw(user, head(user, *lines) + b"{}")
    assert not received.startswith(b"HTTP/1.1 500"), received
    assert post(user, b"{}").result == {}


@pytest.mark.parametrize(
    "text",
    [
        b"\r\n\r\n",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"\0" * 1000,
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"\0" * 200,
        b"GET " + b"/" * 100_000 + b" HTTP/1.1\r\n\r\n",
        b"GET /%zz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"GET /healthz%00 HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"FOO /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
def test_no_http(user, text):
    received = raw(user, text)
    assert not received.startswith((b"HTTP/1.1 200", b"HTTP/1.1 500")), received
    assert post(user, b"{}").result == {}


def test_a_body_that_comes_in_chunks(user):
    chunks = b"".join(b"1\r\n" + bytes([each]) + b"\r\n" for each in b'{"foo":1}') + b"0\r\n\r\n"
    lines = ("Transfer-Encoding: chunked", "Content-Type: application/json")
    received = raw(user, head(user, *lines) + chunks, is_whole=False)
    assert received.startswith(b"HTTP/1.1 200"), received
    assert json.loads(received.split(b"\r\n\r\n", 1)[1]) == {"result": {}}


@pytest.mark.parametrize(
    "body",
    [
        b"+2\r\n{}\r\n0\r\n\r\n",
        b"-2\r\n{}\r\n0\r\n\r\n",
        b" 2\r\n{}\r\n0\r\n\r\n",
        b"2 \r\n{}\r\n0\r\n\r\n",
        b"0x2\r\n{}\r\n0\r\n\r\n",
        b"2\n{}\n0\n\n",
        b"2\r\n{}\n0\r\n\r\n",
        b"2z\r\n{}\r\n0\r\n\r\n",
        b"1\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n",
        b"10000000000000002\r\n{}\r\n0\r\n\r\n",
        b"2;a\rb\r\n{}\r\n0\r\n\r\n",
        b"2\r\n{}\r\n0\r\nContent-Length: 5\r\n\r\n",
    ],
)
def test_chunks_that_others_read_otherwise(user, body):
    """Each is refused, and the data after it are not parsed as a request."""
    lines = ("Transfer-Encoding: chunked", "Content-Type: application/json")
    inner = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    received = raw(user, head(user, *lines) + body + inner)
    assert received.startswith(b"HTTP/1.1 400"), received
    assert received.count(b"HTTP/1.1 ") == 1, received


def test_http_1_0_has_no_chunks(user):
    text = head(user, "Transfer-Encoding: chunked").replace(b"HTTP/1.1", b"HTTP/1.0")
    assert raw(user, text + b"2\r\n{}\r\n0\r\n\r\n").startswith(b"HTTP/1.1 400")


def test_two_requests_at_once_on_a_connection(user):
    """Pipelined: both are answered, in order."""
    one = head(user, "Content-Length: 2", path=f"{API}/v1/do-eval/gw_any")
    first = one.replace(b"Connection: close\r\n", b"") + b"{}"
    received = raw(user, first + one + b"{}", is_whole=False)
    assert received.count(b'{"result":{}}') == 2, received
