"""HTTPS with a certificate of our own, and where plain HTTP is refused."""

from __future__ import annotations

import http.client
import shutil
import signal
import socket
import ssl
import subprocess
import warnings
from pathlib import Path

import pytest
from gateway_process import API, conninfo_of, program
from processes import wait_for


def make_certificate(folder: Path, name: str) -> tuple[Path, Path]:
    """A self-signed certificate for 127.0.0.1, and its key."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"]
        + ["-nodes", "-days", "2", "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"]
        + ["-keyout", key, "-out", certificate],
        check=True,
        capture_output=True,
    )
    return certificate, key


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    return make_certificate(tmp_path, "first")


def test_https(start_gateway, make_user, store, files):
    store("gw_one", "def f(): return 1")
    certificate, key = files
    secure = start_gateway("--tls-cert", str(certificate), "--tls-key", str(key))
    secure.context = ssl.create_default_context(cafile=str(certificate))
    user = make_user(gateway=secure)
    assert user.run("do-eval", "gw_one").result == 1
    answer = user.run("do-eval", "gw_one", asyncFlag=True)
    assert answer.headers["Location"].startswith(f"https://127.0.0.1:{secure.port}/")
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"
    secure.check()
    # A client with plain HTTP or an old TLS version gets no response; other clients continue.
    context, secure.context = secure.context, None
    with pytest.raises(OSError):
        secure.get("/healthz")
    secure.context = ssl.create_default_context(cafile=str(certificate))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        secure.context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises((ssl.SSLError, OSError)):
        secure.get("/healthz")
    secure.context = context
    assert secure.get("/healthz").status == 200


def test_a_hand_that_is_never_shaken(start_gateway, files):
    """Silent connections, and those that send garbage, do not delay other connections."""
    certificate, key = files
    secure = start_gateway("--tls-cert", str(certificate), "--tls-key", str(key))
    wires = [socket.create_connection(("127.0.0.1", secure.port)) for _ in range(50)]
    for wire in wires[::2]:
        wire.sendall(b"\x16\x03\x01")
    secure.context = ssl.create_default_context(cafile=str(certificate))
    for _ in range(5):
        assert secure.get("/healthz").status == 200
    for wire in wires:
        wire.close()
    secure.check()


def test_a_new_certificate_on_sighup(start_gateway, files, tmp_path):
    certificate, key = files
    secure = start_gateway("--tls-cert", str(certificate), "--tls-key", str(key))
    new_certificate, new_key = make_certificate(tmp_path, "second")
    shutil.copy(new_certificate, certificate)
    shutil.copy(new_key, key)
    secure.process.send_signal(signal.SIGHUP)
    wanted = certificate.read_text()

    def shown() -> bool:
        return ssl.get_server_certificate(("127.0.0.1", secure.port)).split() == wanted.split()

    wait_for("the new certificate", shown)
    # One that is none is not taken.
    certificate.write_text("nonsense")
    secure.process.send_signal(signal.SIGHUP)
    wait_for("a complaint", lambda: any(each["level"] != "info" for each in secure.log()))
    assert ssl.get_server_certificate(("127.0.0.1", secure.port)).split() == wanted.split()
    secure.check()


def refusal(server: object, database: str, *options: str) -> str:
    """The output of the program when it does not start."""
    command = [str(program()), "--db", conninfo_of(server, database), *options]  # type: ignore[arg-type]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode not in (0, -6, -11), done
    return done.stderr


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "[::]", "[::0]", "[2001:db8::1]", "[fe80::1]", "[::ffff:0.0.0.0]", "192.0.2.1",
     "example.com"],
)  # fmt: skip
def test_plain_http_is_for_this_machine_only(server, database, host):
    assert "TLS" in refusal(server, database, "--listen", f"{host}:0")


def test_plain_http_beyond_when_asked_for(start_gateway):
    open_to_all = start_gateway("--listen", "0.0.0.0:0", "--allow-plain-http")
    assert open_to_all.get("/healthz").status == 200
    assert open_to_all.get(f"{API}/v1/scripts").status == 401


def test_ipv6(start_gateway, make_user, store):
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
    except OSError:
        pytest.skip("the machine has no IPv6")
    started = start_gateway("--listen", "[::1]:0")
    assert started.log()[0]["address"] == f"[::1]:{started.port}"
    started.connection = lambda: http.client.HTTPConnection("::1", started.port, timeout=60)
    store("gw_one", "def f(): return 1")
    user = make_user(gateway=started)
    assert user.run("do-eval", "gw_one").result == 1
    wait_for("the line of the log", lambda: '"address":"::1"' in started.log_path.read_text())
    versions = user.get(API).json()
    assert f"http://[::1]:{started.port}/" in str(versions)


def test_addresses_of_this_machine(start_gateway):
    for host in ("localhost", "127.0.0.2", "[::1]"):
        try:
            started = start_gateway("--listen", f"{host}:0")
        except AssertionError as error:
            assert "::1" in host, error  # there may be no IPv6
            continue
        assert started.port > 0


@pytest.mark.parametrize(
    "options",
    [
        ("--tls-cert", "/nosuch"),
        ("--tls-key", "/nosuch"),
        ("--tls-cert", "/nosuch", "--tls-key", "/nosuch"),
        ("--listen", "127.0.0.1:99999"),
        ("--listen", "nonsense"),
        ("--listen",),
        ("--nosuch",),
        ("stray",),
        ("--max-body", "-1"),
        ("--max-body", "x"),
        ("--trusted-proxy", "10.0.0.0/33"),
        ("--db", "host=x user=postgres"),
        ("--db", "host=x password=secret"),
        ("--db", "nonsense =="),
    ],
)
def test_bad_options(server, database, options):
    text = refusal(server, database, *options)
    assert text
    assert "secret" not in text


def test_help(server, database):
    done = subprocess.run([program(), "--help"], capture_output=True, text=True)
    assert done.returncode == 0
    for option in ("--listen", "--db", "--tls-cert", "--tls-key", "--allow-plain-http"):
        assert option in done.stdout


def test_a_port_that_is_taken(server, database, gateway):
    text = refusal(server, database, "--listen", f"127.0.0.1:{gateway.port}")
    assert str(gateway.port) in text
