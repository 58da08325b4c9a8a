"""The gateway: added latency, requests a second, memory of idle connections, large results.

    tools/with-server -c "shared_preload_libraries = 'oml_epe'" \
        /usr/bin/python3 bench/gateway.py [--rounds 5] [--seconds 5] [--rows 1000000] [--only ...]

wrk (package wrk) makes the load. The peer is FastAPI + uvicorn + psycopg calling plpython3u
(fastapi_app.py), from PyPI into build/bench/gateway-venv. Rounds are interleaved; compare ratios.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import os
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
from harness import Contestant, Race, Target, race

ROOT = Path(__file__).resolve().parents[1]
VENV = ROOT / "build" / "bench" / "gateway-venv"
PACKAGES = ("fastapi", "uvicorn[standard]", "psycopg[binary,pool]")
USER, PASSWORD = "bench_gateway", "bench password"
OURS, PEER = "oml_epe_gateway", "FastAPI + uvicorn + psycopg, plpython3u"
BY_LIBPQ = "the same SQL call, psycopg"
CONNECTIONS, THREADS = 8, 2
IDLE = 1000
BATCH = 200  # calls whose mean is one figure of latency
ARROW = "application/vnd.apache.arrow.stream"
CALL = "SELECT value FROM pyq_eval(%s, 'JSON', 'bench_trivial') AS t(name text, value text)"

SETUP = f"""
CREATE EXTENSION IF NOT EXISTS oml_epe;
DROP ROLE IF EXISTS {USER};
CREATE ROLE {USER} LOGIN PASSWORD '{PASSWORD}';
SELECT pyq_script_create('bench_trivial', 'def bench_trivial(): return 1', true, true);
SELECT pyq_script_create('bench_same', 'def bench_same(dat): return dat', true, true);
DROP TABLE IF EXISTS gateway_rows;
CREATE TABLE gateway_rows AS SELECT i AS a, i / 3.0::float8 AS b, i / 7.0::float8 AS c, sqrt(i) AS d
    FROM generate_series(1, %s) AS i;
VACUUM ANALYZE gateway_rows;
GRANT SELECT ON gateway_rows TO PUBLIC;
"""
PEER_SETUP = """
CREATE EXTENSION IF NOT EXISTS plpython3u;
CREATE OR REPLACE FUNCTION peer_bench_trivial(parameters text) RETURNS int LANGUAGE plpython3u
    AS 'return 1';
"""


def connect(user: str = "") -> psycopg.Connection[Any]:
    options = {"user": user, "password": PASSWORD} if user else {}
    return psycopg.connect(autocommit=True, **options)


def ask_for_password(connection: psycopg.Connection[Any]) -> None:
    """All clients use the same socket, on which the gateway accepts no login without a password."""
    row = connection.execute("SHOW hba_file").fetchone()
    assert row is not None
    rules = Path(row[0])
    rules.write_text(f"local all {USER} scram-sha-256\n{rules.read_text()}")
    connection.execute("SELECT pg_reload_conf()")


def prepare(rows: int) -> str:
    """Make data and functions; return why the peer cannot take part."""
    with connect() as connection:
        ask_for_password(connection)
        for statement in SETUP.split(";\n"):
            if statement.strip():
                connection.execute(statement.replace("%s", str(rows)))  # type: ignore[arg-type]
        try:
            connection.execute(PEER_SETUP)
        except psycopg.Error as error:
            return f"plpython3u: {error.diag.message_primary}"
    if not (VENV / "bin" / "uvicorn").exists():
        subprocess.run(["/usr/bin/python3", "-m", "venv", str(VENV)], check=True)
        pip = [str(VENV / "bin" / "pip"), "install", "--quiet", "--disable-pip-version-check"]
        if subprocess.run([*pip, *PACKAGES]).returncode != 0:
            shutil.rmtree(VENV)
            return "FastAPI cannot be installed from PyPI"
    return ""


@contextlib.contextmanager
def running(command: list[str], **options: Any) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(command, **options)
    try:
        yield process
    finally:
        process.terminate()
        process.wait()


def wait_for(condition: Callable[[], Any], process: subprocess.Popen[bytes]) -> Any:
    while not (found := condition()):
        if process.poll() is not None:
            sys.exit(f"{process.args!r} ended with {process.returncode}")
        time.sleep(0.05)
    return found


@contextlib.contextmanager
def gateway() -> Iterator[Gateway]:
    """The gateway, for a server that knows the password of USER."""
    bindir = subprocess.run(["pg_config", "--bindir"], capture_output=True, text=True, check=True)
    place = " ".join(f"{name}={os.environ['PG' + name.upper()]}" for name in ("host", "port"))
    place += f" dbname={os.environ['PGDATABASE']}"
    command = [f"{bindir.stdout.strip()}/oml_epe_gateway", "--listen", "127.0.0.1:0", "--db", place]
    command += ["--max-clients", str(4 * IDLE), "--output-limit", "0"]
    with tempfile.NamedTemporaryFile("w+") as log, running(command, stderr=log) as process:

        def port() -> int:
            found = re.search(r'"port":\s*(\d+)', Path(log.name).read_text())
            return int(found[1]) if found else 0

        yield Gateway(wait_for(port, process), process.pid)


class Gateway:
    """Where it listens, and how to ask it."""

    path = "/oml/api/py-scripts/v1"

    def __init__(self, port: int, pid: int) -> None:
        self.port = port
        self.pid = pid
        grant = {"grant_type": "password", "username": USER, "password": PASSWORD}
        answer = json.loads(self.post("/omlusers/api/oauth2/v1/token", grant))
        self.token: str = answer["accessToken"]

    def post(self, path: str, body: Any, **headers: str) -> bytes:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        connection.request(
            "POST", path, json.dumps(body), {"Content-Type": "application/json", **headers}
        )
        response = connection.getresponse()
        found = response.read()
        if response.status != 200:
            sys.exit(f"{path}: {response.status} {found[:500]!r}")
        connection.close()
        return found

    def memory(self) -> int:
        """Bytes that are its own: resident, not shared."""
        text = Path(f"/proc/{self.pid}/smaps_rollup").read_text()
        return 1024 * sum(int(each) for each in re.findall(r"^Private_\w+:\s+(\d+)", text, re.M))


@contextlib.contextmanager
def peer(missing: str) -> Iterator[int]:
    """The peer's port; 0 when it cannot take part."""
    if missing:
        yield 0
        return
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [str(VENV / "bin" / "uvicorn"), "fastapi_app:app", "--workers", str(THREADS)]
    command += ["--port", str(port), "--log-level", "warning", "--app-dir", str(ROOT / "bench")]
    with running(command) as process:

        def is_up() -> bool:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
            except OSError:
                return False
            return True

        wait_for(is_up, process)
        yield port


class Caller:
    """One kept connection of HTTP that makes the trivial call: bytes out, bytes in."""

    def __init__(self, port: int, path: str, token: str) -> None:
        self._wire = socket.create_connection(("127.0.0.1", port))
        self._wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        bearer = f"Authorization: Bearer {token}\r\n" if token else ""
        self._request = (
            f"POST {path} HTTP/1.1\r\nHost: x\r\n{bearer}Content-Type: application/json\r\n"
            "Content-Length: 2\r\n\r\n{}"
        ).encode()

    def run(self) -> int:
        self._wire.sendall(self._request)
        received = self._wire.recv(65536)
        while not received.endswith(b"}"):
            received += self._wire.recv(65536)
        return int(json.loads(received.split(b"\r\n\r\n", 1)[1])["result"])


def repeated(work: Callable[[], object]) -> Callable[[], object]:
    def run() -> object:
        for _ in range(BATCH - 1):
            work()
        return work()

    return run


def latency(ours: Gateway, port: int, missing: str, options: argparse.Namespace) -> Race:
    """One client, one call after the other; a figure is the mean of BATCH calls."""
    session = connect(USER)

    def by_libpq() -> int:
        row = session.execute(CALL, (None,), prepare=True).fetchone()
        assert row is not None
        return int(json.loads(row[0]))

    http_ours = Caller(ours.port, f"{ours.path}/do-eval/bench_trivial", ours.token)
    contestants = [
        Contestant(BY_LIBPQ, repeated(by_libpq)),
        Contestant(OURS, repeated(http_ours.run)),
    ]
    if port:
        contestants.append(
            Contestant(PEER, repeated(Caller(port, "/do-eval/bench_trivial", "").run))
        )
    outcome = race("a trivial call, one client, us", contestants, options.rounds, 1e-6 * BATCH)
    outcome.unit = "us"
    if missing:
        outcome.missing[PEER] = missing
    through, direct = outcome.median(OURS), outcome.median(BY_LIBPQ)
    if through is not None and direct is not None:
        outcome.judge_value("adds less than 500 us", through - direct, 500, at_most=True)
    return outcome


WRK_SCRIPT = """
wrk.method = "POST"
wrk.body = "{}"
wrk.headers["Content-Type"] = "application/json"
wrk.headers["Authorization"] = "Bearer %s"
"""
DURATIONS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def wrk(port: int, path: str, token: str, seconds: int) -> tuple[float, float, float]:
    """Requests a second, median and 99th percentile of the latency in ms."""
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(WRK_SCRIPT % token)
        script.flush()
        command = ["wrk", "--latency", f"-t{THREADS}", f"-c{CONNECTIONS}", f"-d{seconds}"]
        command += ["-s", script.name, f"http://127.0.0.1:{port}{path}"]
        text = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    if "Non-2xx" in text or "Socket errors" in text:
        sys.exit(f"wrk met errors:\n{text}")
    rate = re.search(r"Requests/sec:\s+([\d.]+)", text)
    parts = [re.search(rf"{share}%\s+([\d.]+)(us|ms|s)", text) for share in (50, 99)]
    assert rate is not None
    middle, tail = (float(each[1]) * DURATIONS[each[2]] for each in parts if each is not None)
    return float(rate[1]), middle, tail


def requests(ours: Gateway, port: int, missing: str, options: argparse.Namespace) -> Race:
    """As many requests as CONNECTIONS clients make."""
    outcome = Race(f"trivial calls a second, {CONNECTIONS} clients (wrk)", unit="/s")
    waits = Race("the same, latency", unit="ms")
    if shutil.which("wrk") is None:
        outcome.missing["wrk"] = "not installed"
        return outcome
    targets = {OURS: (ours.port, f"{ours.path}/do-eval/bench_trivial", ours.token)}
    if port:
        targets[PEER] = (port, "/do-eval/bench_trivial", "none")
    else:
        outcome.missing[PEER] = missing
    names = list(targets)
    for number in range(options.rounds + 1):
        for name in names[number % len(names) :] + names[: number % len(names)]:
            rate, middle, tail = wrk(*targets[name], options.seconds)
            if number == 0:
                continue  # warm-up
            outcome.figures.setdefault(name, []).append(rate)
            waits.figures.setdefault(f"{name}: median", []).append(middle)
            waits.figures.setdefault(f"{name}: 99 in 100", []).append(tail)
    outcome.judge(Target("at least 5 times FastAPI", OURS, PEER, 5))
    waits.show()
    return outcome


def idle(ours: Gateway, port: int, missing: str, options: argparse.Namespace) -> Race:
    """What IDLE connections cost, each of which has been used once."""
    outcome = Race(f"memory of {IDLE} idle connections", unit="kB")
    for _ in range(options.rounds):
        before = ours.memory()
        wires = [
            Caller(ours.port, f"{ours.path}/do-eval/bench_trivial", ours.token) for _ in range(IDLE)
        ]
        for wire in wires:
            wire.run()
        grown = (ours.memory() - before) / 1024
        outcome.figures.setdefault("all of them", []).append(grown)
        outcome.figures.setdefault("the gateway before", []).append(before / 1024)
        del wires
    return outcome


def results(ours: Gateway, port: int, missing: str, options: argparse.Namespace) -> Race:
    """The table there and back: read, a frame in Python, rows, and out."""
    body = {"input": "gateway_rows", "parameters": '{"oml_input_type": "pandas.DataFrame"}'}
    columns = {"a": "int", "b": "float8", "c": "float8", "d": "float8"}
    typed = {**body, "outputFormat": json.dumps(columns)}
    path = f"{ours.path}/table-apply/bench_same"
    shape = ", ".join(f"{name} {kind}" for name, kind in columns.items())
    call = (
        "SELECT * FROM pyq_table_eval('gateway_rows', '{\"oml_input_type\": \"pandas.DataFrame\"}',"
        f" NULL, 'bench_same') AS t({shape})"
    )
    session = connect(USER)
    sizes: dict[str, int] = {}

    def ask(accept: str, wanted: dict[str, Any]) -> Callable[[], int]:
        def run() -> int:
            bearer = f"Bearer {ours.token}"
            sizes[accept] = len(ours.post(path, wanted, Accept=accept, Authorization=bearer))
            return options.rows

        return run

    def copy() -> int:
        with session.cursor().copy(f"COPY ({call}) TO STDOUT (FORMAT csv, HEADER)") as out:
            sizes["COPY"] = sum(len(piece) for piece in out)
        return options.rows

    contestants = [
        Contestant("the same as COPY, psycopg", copy),
        Contestant("CSV", ask("text/csv", typed)),
        Contestant("Arrow", ask(ARROW, typed)),
        Contestant("JSON", ask("application/json", body)),
    ]
    outcome = race(f"a result of {options.rows} x 4", contestants, options.rounds)
    for name, size in sizes.items():
        outcome.verdicts.append(f"{name}: {size / 1e6:.1f} MB")
    return outcome


MEASURES = {"latency": latency, "requests": requests, "idle": idle, "results": results}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", default=",".join(MEASURES))
    options = parser.parse_args()
    missing = prepare(options.rows)
    with gateway() as ours, peer(missing) as port:
        for name in options.only.split(","):
            MEASURES[name](ours, port, missing, options).show()


if __name__ == "__main__":
    main()
