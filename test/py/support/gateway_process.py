"""The gateway in the tests: its process, its users with their passwords, and a client of HTTP.

Fixtures: `gateway`, one process for the whole session; `start_gateway`, a function that starts
others, with other options; `make_user`, a function that makes roles which talk to a gateway. After
each test a gateway must still run and must not have logged a password or a token.
"""

from __future__ import annotations

import http.client
import itertools
import json
import os
import re
import secrets
import signal
import ssl
import subprocess
import urllib.parse
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import psycopg
import pytest
from processes import wait_for

if TYPE_CHECKING:
    from conftest import Server

PROGRAM = "oml_epe_gateway"
API = "/oml/api/py-scripts"
TOKEN_PATH = "/omlusers/api/oauth2/v1/token"
REVOKE_PATH = "/omlusers/api/oauth2/v1/revoke"
HTTP_TIMEOUT_SECONDS = 60  # never reached, unless something hangs
SECRET_LENGTH = 8  # a shorter password may occur in any log by chance
IRIS = Path(__file__).resolve().parents[3] / "tools" / "demo-data" / "iris.csv"


class Answer:
    """A response: `status`, `headers` (names in any case) and the body."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()

    @property
    def text(self) -> str:
        return self.body.decode()

    def json(self) -> Any:
        assert self.headers.get_content_type() == "application/json", self
        return json.loads(self.body)

    @property
    def result(self) -> Any:
        """The result of a call that went well."""
        assert self.status == 200, self
        answer = self.json()
        assert "errorMessage" not in answer
        return answer["result"]

    def refused(self, status: int, text: str = "", code: int | None = None) -> dict[str, Any]:
        """Check the status and the members of an error (compatibility.md, REST-27); return it."""
        assert self.status == status, self
        error: dict[str, Any] = self.json()
        assert isinstance(error["errorMessage"], str), self
        assert error["errorMessage"], self
        assert isinstance(error["errorCode"], int), self
        assert text in error["errorMessage"], self
        assert code is None or error["errorCode"] == code, self
        return error

    def __repr__(self) -> str:
        return f"<{self.status} {dict(self.headers)} {self.body[:2000]!r}>"


class Gateway:
    """A process of the gateway.

    Parameters
    ----------
    folder : Path
        Where its log goes.
    conninfo : str
        The database.
    options : str
        Further options of the command line.
    """

    _numbers = itertools.count(1)

    def __init__(self, folder: Path, conninfo: str, *options: str) -> None:
        self.log_path = folder / f"gateway-{next(self._numbers)}.log"
        self.secrets: set[str] = set()
        self.context: ssl.SSLContext | None = None  # set it to speak TLS
        command = [str(program()), "--db", conninfo, *options]
        if not any(each.startswith("--listen") for each in options):
            command += ["--listen", "127.0.0.1:0"]
        # The environment names no database: all that the gateway knows is on its command line.
        clean = {k: v for k, v in os.environ.items() if not k.startswith("PG")}
        with self.log_path.open("wb") as log:
            self.process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=clean
            )
        self.port: int = wait_for("a port of the gateway", self._find_port)

    def _find_port(self) -> int:
        ended = self.process.poll()
        assert ended is None, f"the gateway ended with {ended}: {self.log_path.read_text()}"
        found = re.search(r'"port":\s*(\d+)', self.log_path.read_text())
        return int(found[1]) if found else 0

    def log(self) -> list[dict[str, Any]]:
        """The lines of its log; each is a JSON object."""
        text = self.log_path.read_text()
        whole = text[: text.rfind("\n") + 1]
        return [json.loads(line) for line in whole.splitlines()]

    def check(self) -> None:
        """Fail if the process has died, or its log contains secrets or unexpected errors."""
        ended = self.process.poll()
        assert ended is None, f"the gateway ended with {ended}: {self.log_path.read_text()[-3000:]}"
        self.check_log()

    def check_log(self) -> None:
        text = self.log_path.read_text()
        leaked = [secret for secret in self.secrets if secret in text]
        assert not leaked, f"the log holds secrets: {leaked}"
        self.log()  # all of it is JSON

    def stop(self, number: int = signal.SIGTERM) -> int:
        """Send a signal and return the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(HTTP_TIMEOUT_SECONDS)
        finally:
            self.process.kill()

    def connection(self) -> http.client.HTTPConnection:
        """A new connection of HTTP, or of HTTPS if there is a context."""
        if self.context is not None:
            return http.client.HTTPSConnection(
                "127.0.0.1", self.port, timeout=HTTP_TIMEOUT_SECONDS, context=self.context
            )
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=HTTP_TIMEOUT_SECONDS)

    def request(
        self,
        method: str,
        path: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        token: str = "",
    ) -> Answer:
        """Make one request. A body that is neither bytes nor None is sent as JSON."""
        wanted = {"Authorization": f"Bearer {token}"} if token else {}
        if body is not None and not isinstance(body, bytes):
            body = json.dumps(body).encode()
            wanted["Content-Type"] = "application/json"
        wanted.update(headers or {})
        connection = self.connection()
        try:
            connection.request(method, path, body, wanted)
            return Answer(connection.getresponse())
        finally:
            connection.close()

    def log_in(self, name: str, password: str) -> Answer:
        """The password grant."""
        if len(password) >= SECRET_LENGTH:
            self.secrets.add(password)
        grant = {"grant_type": "password", "username": name, "password": password}
        return self.note(self.request("POST", TOKEN_PATH, grant))

    def note(self, answer: Answer) -> Answer:
        """Remember a token that came, as a secret."""
        if answer.status == 200:
            self.secrets.add(answer.json()["accessToken"])
        return answer

    def get(self, path: str, **options: Any) -> Answer:
        return self.request("GET", path, **options)


class User:
    """A database role that uses a gateway; logs in when a token is first needed."""

    def __init__(self, gateway: Gateway, name: str, password: str) -> None:
        self.gateway = gateway
        self.name = name
        self.password = password
        self._token = ""

    @property
    def token(self) -> str:
        if not self._token:
            answer = self.gateway.log_in(self.name, self.password)
            assert answer.status == 200, answer
            self._token = answer.json()["accessToken"]
        return self._token

    def forget(self) -> None:
        """Log in anew before the next request."""
        self._token = ""

    def request(self, method: str, path: str, body: Any = None, **headers: str) -> Answer:
        """Make a request; `Content_Type="text/csv"` is a header."""
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.gateway.request(method, path, body, named, self.token)

    def get(self, path: str, **headers: str) -> Answer:
        return self.request("GET", path, **headers)

    def run(
        self,
        kind: str,
        script: str,
        owner: str | None = None,
        version: str = "v1",
        accept: str = "application/json",
        **fields: Any,
    ) -> Answer:
        """Run a script, `run("table-apply", "f", input="SELECT 1")`."""
        return self.request("POST", run_path(kind, script, owner, version), fields, Accept=accept)

    def submit(self, kind: str, script: str, **fields: Any) -> str:
        """Run it as a job; return the path of the job."""
        answer = self.run(kind, script, asyncFlag=True, **fields)
        assert answer.status == 201, answer
        return urllib.parse.urlsplit(answer.headers["Location"]).path

    def wait_for_job(self, path: str) -> Answer:
        """Poll a job until it has ended; return the final response."""

        def poll() -> Answer | None:
            answer = self.get(path)
            return None if answer.status == 202 else answer

        answer: Answer = wait_for(f"the end of {path}", poll)
        assert answer.status == 302, answer
        return answer


def run_path(kind: str, script: str, owner: str | None = None, version: str = "v1") -> str:
    names = [urllib.parse.quote(name, safe="") for name in (script, owner) if name is not None]
    return "/".join([API, version, kind, *names])


def program() -> Path:
    """The installed program."""
    command = [os.environ.get("PG_CONFIG", "pg_config"), "--bindir"]
    folder = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    found = Path(folder) / PROGRAM
    assert found.exists(), f"{found} is not installed"
    return found


def conninfo_of(server: Server, database: str) -> str:
    return f"host=127.0.0.1 port={server.tcp_port} dbname={database}"


@pytest.fixture(scope="session")
def session_gateway(
    server: Server, database: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Gateway]:
    # The limits on job times also apply to tests.
    started = Gateway(tmp_path_factory.mktemp("gateway"), conninfo_of(server, database))
    yield started
    assert started.stop() == 0
    started.check_log()


@pytest.fixture
def gateway(session_gateway: Gateway) -> Iterator[Gateway]:
    """The gateway that all tests share."""
    yield session_gateway
    session_gateway.check()


@pytest.fixture
def start_gateway(
    server: Server, database: str, tmp_path: Path
) -> Iterator[Callable[..., Gateway]]:
    """A function that starts a gateway with options, `start_gateway("--token-life", "2")`."""
    started: list[Gateway] = []

    def start(*options: str, conninfo: str = "") -> Gateway:
        started.append(Gateway(tmp_path, conninfo or conninfo_of(server, database), *options))
        return started[-1]

    yield start
    for each in started:
        each.stop()
        each.check_log()


@pytest.fixture
def make_user(request: pytest.FixtureRequest, make_role: Callable[..., str]) -> Callable[..., User]:
    """A function that makes a role with a password, `make_user("ann", "IN ROLE pyqadmin")`.

    Without `gateway=` it talks to the shared gateway.
    """

    def make(hint: str = "gw", *options: str, gateway: Gateway | None = None) -> User:
        password = secrets.token_urlsafe(12)
        name = make_role(hint, f"PASSWORD '{password}'", *options)
        return User(gateway or request.getfixturevalue("gateway"), name, password)

    return make


@pytest.fixture
def user(make_user: Callable[..., User]) -> User:
    """An ordinary role."""
    return make_user()


@pytest.fixture
def store(make_script: Callable[..., str]) -> Callable[[str, str], str]:
    """A function that stores a global script, which all roles may run."""
    return lambda name, source: make_script(name, source, True)


@pytest.fixture
def sql_as(server: Server, database: str) -> Iterator[Callable[[User], psycopg.Connection[Any]]]:
    """A function that connects as a user, past the gateway."""
    opened: list[psycopg.Connection[Any]] = []

    def connect(user: User) -> psycopg.Connection[Any]:
        opened.append(server.connect(database, user.name))
        return opened[-1]

    yield connect
    for each in opened:
        each.close()


@pytest.fixture(scope="session")
def iris(server: Server, database: str) -> str:
    """A table of the 150 flowers, readable by all roles, with column names in capitals."""
    with server.connect(database) as connection:
        connection.execute(
            'CREATE TABLE iris ("SEPAL_LENGTH" float8, "SEPAL_WIDTH" float8,'
            ' "PETAL_LENGTH" float8, "PETAL_WIDTH" float8, "SPECIES" text)'
        )
        with connection.cursor().copy("COPY iris FROM STDIN (FORMAT csv, HEADER)") as copy:
            copy.write(IRIS.read_bytes())
        connection.execute("GRANT SELECT ON iris TO PUBLIC")
    return "iris"


def is_running(observer: psycopg.Connection[Any], user: User, text: str = "") -> bool:
    """Tell whether a statement of the user with that text runs."""
    return (
        observer.execute(
            "SELECT FROM pg_stat_activity WHERE usename = %s AND state = 'active'"
            " AND position(%s IN query) > 0",
            (user.name, text),
        ).rowcount
        > 0
    )
