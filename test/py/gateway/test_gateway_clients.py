"""Worked case 21: clients in the wild. The requests of dbt-oracle for a Python model.

The client here behaves as dbt's does: a session that keeps its headers, follows a redirection when
there is a Location, reads every answer as JSON before it looks at the status, takes errorMessage
for the sign of failure, and refreshes with `token`.
"""

from __future__ import annotations

import http.client
import json
import re
import urllib.parse
from typing import Any

import pytest
from gateway_process import TOKEN_PATH, Gateway, User
from processes import wait_for

SESSION_INFO = {
    "action": "DBT RUN OML4PY",
    "client_identifier": "dbt-oracle-client-1",
    "clientinfo": "host_x86_64",
    "module": "dbt-1.9.0",
}
# dbt stores a model's code under <alias>_dbt_py_script; its entry point is main().
MODEL = """
def main(action, client_identifier, clientinfo, module):
    import oml
    import pandas as pd
    frame = pd.DataFrame({"action": [action], "module": [module], "n": [3]})
    oml.create(frame, table="gw_dbt_model")
    return [action, client_identifier, clientinfo, module]
"""
FAILING_MODEL = """
def main(action, client_identifier, clientinfo, module):
    raise KeyError("no such model: " + module)
"""


class ModelFailed(Exception):
    """The error that dbt shows to its user."""


class HttpError(Exception):
    """A status of 400 or more, as raised by `raise_for_status`."""


class Response:
    """As much of a response as dbt looks at."""

    def __init__(self, response: http.client.HTTPResponse) -> None:
        self.status = response.status
        self.headers = {name.lower(): value for name, value in response.getheaders()}
        self._body = response.read()

    def json(self) -> Any:
        return json.loads(self._body)

    def raise_for_status(self) -> None:
        if self.status >= 400:
            raise HttpError(self.status)


class Session:
    """Keeps the connection and the headers; follows redirections."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.headers: dict[str, str] = {}
        self._connection = http.client.HTTPConnection(
            urllib.parse.urlsplit(base).netloc, timeout=60
        )

    def request(self, method: str, url: str, data: str | None = None) -> Response:
        for _ in range(5):
            parts = urllib.parse.urlsplit(url)
            self._connection.request(method, parts.path, data, self.headers)
            response = Response(self._connection.getresponse())
            if response.status not in (301, 302, 303, 307) or "location" not in response.headers:
                return response
            method, url, data = "GET", response.headers["location"], None
        raise HttpError("too many redirections")


class DbtClient:
    """Gets tokens and runs models."""

    def __init__(self, gateway: Gateway, user: User) -> None:
        self._session = Session(f"http://127.0.0.1:{gateway.port}")
        self._user = user
        self._gateway = gateway
        self.token = ""
        self.seconds_left = 0
        self.refreshes = 0

    def _fetch_token(self) -> None:
        if self.token:
            body = {"grant_type": "refresh_token", "token": self.token}
            self.refreshes += 1
        else:
            name, password = self._user.name, self._user.password
            body = {"grant_type": "password", "username": name, "password": password}
        self._session.headers.update(
            {"Accept": "application/json", "Content-type": "application/json"}
        )
        answer = self._session.request("POST", self._session.base + TOKEN_PATH, json.dumps(body))
        answer.raise_for_status()
        self.token = answer.json()["accessToken"]
        self.seconds_left = answer.json()["expiresIn"]
        self._gateway.secrets.add(self.token)

    def request(self, method: str, path: str, data: str | None = None) -> Response:
        if not self.token or self.seconds_left < 60:
            self._fetch_token()
        self._session.headers["Authorization"] = f"Bearer {self.token}"
        url = path if path.startswith(self._session.base) else self._session.base + path
        return self._session.request(method, url, data)

    def run_model(self, alias: str, **config: Any) -> Any:
        """Run a model to its end and return the result; ModelFailed as dbt has it."""
        data = {"service": "HIGH", "parameters": json.dumps(SESSION_INFO), **config}
        path = f"/oml/api/py-scripts/v1/do-eval/{alias}_dbt_py_script"
        answer = self.request("POST", path, json.dumps(data))
        if config.get("asyncFlag"):
            answer.raise_for_status()
            location = answer.headers["location"]
            wait_for("the job's end", lambda: self._has_ended(location))
            answer = self.request("GET", location + "/result")
        result = answer.json()
        if "errorMessage" in result:
            raise ModelFailed(result["errorMessage"])
        answer.raise_for_status()
        return result

    def _has_ended(self, location: str) -> bool:
        status = self.request("GET", location)
        if status.status == 302:
            return True
        if status.status == 500:
            raise ModelFailed(status.json())
        status.json()
        status.raise_for_status()
        return False


@pytest.fixture
def client(conn, gateway, user):
    conn.execute(f"CREATE SCHEMA {user.name} AUTHORIZATION {user.name}")
    return DbtClient(gateway, user)


@pytest.fixture
def models(sql_as, user):
    session = sql_as(user)
    for alias, source in (("gw_model", MODEL), ("gw_failing", FAILING_MODEL)):
        session.execute("SELECT pyq_script_create(%s, %s)", (f"{alias}_dbt_py_script", source))
    return session


MODES: dict[str, dict[str, Any]] = {
    "synchronous": {},
    "asynchronous": {"asyncFlag": True, "timeout": 1800},
}


@pytest.mark.parametrize("mode", MODES)
def test_a_model(client, models, mode):
    assert client.run_model("gw_model", **MODES[mode]) == {"result": list(SESSION_INFO.values())}
    rows = models.execute("SELECT action, module, n FROM gw_dbt_model").fetchall()
    assert rows == [("DBT RUN OML4PY", "dbt-1.9.0", 3)]


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_fails(client, models, mode):
    with pytest.raises(ModelFailed, match=r"no such model: dbt-1\.9\.0"):
        client.run_model("gw_failing", **MODES[mode])


@pytest.mark.parametrize("mode", MODES)
def test_a_model_that_does_not_exist(client, models, mode):
    with pytest.raises((ModelFailed, HttpError)):
        client.run_model("gw_nosuch", **MODES[mode])


def test_tokens_are_refreshed(client, models):
    client.request("GET", "/oml/api/py-scripts/v1/scripts")
    first = client.token
    client.seconds_left = 30
    client.run_model("gw_model")
    assert client.refreshes == 1
    assert client.token != first


def test_sql_clients_that_cut_with_regular_expressions(gateway, user):
    """Oracle's notebooks have no JSON parser: they cut the token out of the text."""
    answer = gateway.log_in(user.name, user.password)
    found = re.search('"accessToken":"([^"]+)"', answer.text)
    assert found is not None
    assert gateway.get("/oml/api/py-scripts/v1/scripts", token=found[1]).status == 200
