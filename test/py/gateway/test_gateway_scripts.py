"""Scripts by PUT, GET and DELETE, and the list of datastores: our own additions."""

from __future__ import annotations

import urllib.parse
from collections.abc import Callable
from typing import Any

import pytest
from gateway_process import API, Answer, User, run_path

PYTHON = "text/x-python"
SOURCE = "def f(x=1):\n    # é\n    return x + 1\n"


def path_of(name: str, version: str = "v1") -> str:
    return f"{API}/{version}/scripts/{urllib.parse.quote(name, safe='')}"


def put(user: User, name: str, source: str, kind: str = PYTHON, version: str = "v1") -> Answer:
    return user.request("PUT", path_of(name, version), source.encode(), Content_Type=kind)


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_life_of_a_script(user, version):
    path = path_of("gw_made", version)
    user.get(path).refused(404)
    assert put(user, "gw_made", SOURCE, version=version).status == 201
    one = user.get(path).json()
    assert one["name"] == "gw_made"
    assert one["owner"] == user.name
    assert one["script"] == SOURCE
    assert user.run("do-eval", "gw_made").result == 2
    assert put(user, "gw_made", "def f(): return 'new'", version=version).status == 200
    assert user.run("do-eval", "gw_made").result == "new"
    listed = [
        each for each in user.get(f"{API}/{version}/scripts").result if each["owner"] == user.name
    ]
    assert [each["name"] for each in listed] == ["gw_made"]
    assert user.request("DELETE", path).result == "script deleted successfully"
    user.get(path).refused(404)
    user.request("DELETE", path).refused(404)
    user.run("do-eval", "gw_made").refused(400)


def test_as_json(user):
    path = path_of("gw_json")
    assert user.request("PUT", path, {"script": SOURCE}).status == 201
    assert user.get(path).json()["script"] == SOURCE
    user.request("PUT", path, {"script": "def f(): return 0", "overwrite": False}).refused(400)
    assert user.get(path).json()["script"] == SOURCE
    assert (
        user.request("PUT", path, {"script": "def f(): return 0", "overwrite": True}).status == 200
    )


def test_descriptions(user):
    path = path_of("gw_told")
    assert user.request("PUT", path, {"script": SOURCE, "description": "of é"}).status == 201
    assert user.get(path).json()["description"] == "of é"
    (one,) = (each for each in user.get(f"{API}/v2/scripts").result if each["owner"] == user.name)
    assert one["description"] == "of é"
    asked = path + "?description=" + urllib.parse.quote("by hand")
    assert user.request("PUT", asked, SOURCE.encode(), Content_Type=PYTHON).status == 200
    assert user.get(path).json()["description"] == "by hand"


@pytest.mark.parametrize("kind", [PYTHON, "text/plain", "text/x-python; charset=utf-8"])
def test_media(user, kind):
    assert put(user, "gw_text", SOURCE, kind).status == 201
    assert user.get(path_of("gw_text")).json()["script"] == SOURCE


BAD: dict[str, Any] = {
    "no Python": b"def f(:",
    "nothing": b"",
    "no function": b"x = 1",
    "bad UTF-8": b"def f(): return '\xff'",
    "NUL": b"def f(): return 1\0",
    "no script": {"source": SOURCE},
    "number": {"script": 5},
    "global text": {"script": SOURCE, "global": "yes"},
    "list": [SOURCE],
}


@pytest.mark.parametrize("body", BAD.values(), ids=BAD.keys())
def test_what_is_no_script(user, body):
    kind = PYTHON if isinstance(body, bytes) else "application/json"
    user.request("PUT", path_of("gw_bad"), body, Content_Type=kind).refused(400)
    user.get(path_of("gw_bad")).refused(404)


def test_global_scripts_are_for_administrators(user, make_user):
    source = "def f(): return 'global'"
    body = {"script": source, "global": True}
    user.request("PUT", path_of("gw_all"), body).refused(400, "permission denied")
    admin = make_user("admin", "IN ROLE pyqadmin")
    assert admin.request("PUT", path_of("gw_all"), body).status == 201
    try:
        assert user.run("do-eval", "gw_all").result == "global"
        assert user.get(path_of("gw_all")).json()["owner"] == "PYQSYS"
        answer = user.request("DELETE", path_of("gw_all") + "?global=true")
        assert answer.status in (400, 404), answer
        answer.refused(answer.status)
    finally:
        assert admin.request("DELETE", path_of("gw_all") + "?global=true").status == 200
    user.run("do-eval", "gw_all").refused(400)


def test_scripts_of_others(user, make_user, sql_as):
    other = make_user("other")
    session = sql_as(other)
    session.execute("SELECT pyq_script_create('gw_theirs', 'def f(): return 1')")
    user.get(path_of("gw_theirs")).refused(404)
    user.request("DELETE", path_of("gw_theirs")).refused(404)
    # One of the same name is one's own, and does not touch the other.
    assert put(user, "gw_theirs", "def f(): return 2").status == 201
    row = session.execute("SELECT script FROM user_pyq_scripts WHERE name = 'gw_theirs'").fetchone()
    assert row == ("def f(): return 1",)


@pytest.mark.parametrize(
    "name", ["a/b", "a b", "ä", "a'b", 'a"b', "a%b", "a?b", "a+b", "a&b=c", "."]
)
def test_names(user, name):
    assert put(user, name, "def f(): return 3").status == 201
    assert user.get(path_of(name)).json()["name"] == name
    assert user.request("POST", run_path("do-eval", name), {}).result == 3
    assert user.request("DELETE", path_of(name)).status == 200


def test_a_script_takes_effect_at_once(user):
    """Also in connections that have run the old one, and are kept."""
    for number in range(5):
        assert put(user, "gw_again", f"def f(): return {number}").status in (200, 201)
        assert user.run("do-eval", "gw_again").result == number


SAVE = """
import oml
def f(name, grantable=False):
    oml.ds.save({"one": 1, "two": [1, 2, 3]}, name, description="for tests", grantable=grantable,
                overwrite=True)
    return 1
"""


@pytest.fixture
def save(store: Callable[..., str]) -> Callable[[User, str, str], None]:
    store("gw_save", SAVE)

    def run(user: User, name: str, grantable: str = "false") -> None:
        parameters = f'{{"name": "{name}", "grantable": {grantable}}}'
        assert user.run("do-eval", "gw_save", parameters=parameters).result == 1

    return run


@pytest.mark.parametrize("version", ["v1", "v2"])
def test_datastores(user, save, version):
    assert user.get(f"{API}/{version}/datastores").result == []
    save(user, "gw store/1")
    (one,) = user.get(f"{API}/{version}/datastores").result
    assert one["name"] == "gw store/1"
    assert one["owner"] == user.name
    assert one["objects"] == 2
    assert one["size"] > 0
    assert one["description"] == "for tests"
    assert one["grantable"] is False
    assert one["date"]
    path = f"{API}/{version}/datastores/{urllib.parse.quote('gw store/1', safe='')}"
    objects = {each["name"]: each for each in user.get(path).result}
    assert set(objects) == {"one", "two"}
    assert objects["two"]["class"] == "list"
    assert objects["two"]["length"] == 3
    user.get(f"{API}/{version}/datastores/nosuch").refused(404)


def test_datastores_of_others(user, make_user, sql_as, save):
    other = make_user("other")
    save(other, "gw_secret", "true")
    listed = f"{API}/v1/datastores"
    one = f"{listed}/gw_secret?owner={other.name}"
    assert user.get(listed).result == []
    user.get(one).refused(404)
    sql_as(other).execute("SELECT pyq_grant('gw_secret', 'datastore', %s)", (user.name,))
    assert [each["owner"] for each in user.get(listed).result] == [other.name]
    assert len(user.get(one).result) == 2
    user.get(f"{listed}/gw_secret").refused(404)
