"""Arguments of a run request: parameters, names, environments, inputs."""

from __future__ import annotations

import json

import pytest
from gateway_process import API, User
from test_gateway_run import ALL_IRIS


def test_parameters(user, store):
    store("gw_args", "def f(**named): return named")
    run = user.run
    text = '{"a": 1, "b": [true, null], "oml_input_type": "pandas.DataFrame", "oml_connect": 1}'
    assert run("do-eval", "gw_args", parameters=text).result == {"a": 1, "b": [True, None]}
    # An object is equivalent to its text; an absent field means no arguments.
    assert run("do-eval", "gw_args", parameters={"a": {"b": "é"}}).result == {"a": {"b": "é"}}
    for empty in ("", "{}", None, {}):
        assert run("do-eval", "gw_args", parameters=empty).result == {}
    assert user.request("POST", f"{API}/v1/do-eval/gw_args", b"").status in (200, 400)
    for bad in ("[1]", "1", '"x"', "{", '{"a": }', "nonsense", "null x"):
        run("do-eval", "gw_args", parameters=bad).refused(400)


def test_control_arguments_reach_the_function_as_data(user, store, iris):
    store("gw_kind", "def f(dat): return [type(dat).__name__, len(dat)]")
    for kind, name in (("pandas.DataFrame", "DataFrame"), ("numpy.recarray", "recarray")):
        parameters = json.dumps({"oml_input_type": kind})
        result = user.run("table-apply", "gw_kind", input=ALL_IRIS, parameters=parameters).result
        assert result == [name, 150]
    nulls = "SELECT 1.0 AS a UNION ALL SELECT NULL"
    omitted = user.run("table-apply", "gw_kind", input=nulls, parameters='{"oml_na_omit": true}')
    assert omitted.result == ["ndarray", 1]


@pytest.mark.parametrize(
    "name", ["gw/slash", "gw space", "gw?q", "gw%41", "gw#h", "gẅ", "gw'\"", "."]
)
def test_names_of_scripts(user, store, name):
    store(name, "def f(): return 'found'")
    assert user.run("do-eval", name).result == "found"


def test_environments(user, store):
    """Worked case 19, and env_name."""
    for version in ("v1", "v2"):
        envs = user.get(f"{API}/{version}/envs").result["envs"]
        names = {each["name"] for each in envs}
        assert "default" in names
        for each in envs:
            assert set(each) >= {
                "name",
                "size",
                "description",
                "number_of_installed_packages",
                "tags",
            }
            assert isinstance(each["number_of_installed_packages"], int)
            assert each["tags"]["application"] == "OML4PY"
            assert each["tags"]["python"].startswith("3.")
    store("gw_six", "def f():\n    import six\n    return six.__version__")
    if "other" in names:
        assert user.run("do-eval", "gw_six", envName="other").result == "1.16.0"
    user.run("do-eval", "gw_six", envName="nosuch").refused(400, "nosuch")
    user.run("do-eval", "gw_six", envName="../etc").refused(400)


def test_preloading(user):
    """R22: the server keeps environments loaded; the routes report this."""
    path = f"{API}/v2/preload/conda"
    listed = user.get(path).json()["environments"]
    assert "default" in {each["envName"] for each in listed}
    for each in listed:
        assert set(each) >= {"envName", "created", "expires", "duration"}
    assert user.request("POST", path, {"envName": "default"}).status == 200
    for bad in ({}, {"envName": "nosuch"}, {"envName": 5}, []):
        user.request("POST", path, bad).refused(400)
    assert user.request("DELETE", f"{path}/default").status == 200
    user.request("DELETE", f"{path}/nosuch").refused(400)


def test_an_input_may_be_a_name(user, store, iris):
    store("gw_length", "def f(dat): return len(dat)")
    for name in ("iris", "IRIS", "public.iris"):
        assert user.run("table-apply", "gw_length", input=name).result == 150


BAD_INPUTS = [
    "select * from nosuch", "nosuch", "", "select 1; select 2", "delete from iris", "selec",
    "select 1/0 as a", "select * from pg_authid", "drop table iris", "copy iris to stdout",
    "with d as (delete from iris returning 1) select * from d", "); drop table iris; --",
]  # fmt: skip


@pytest.mark.parametrize("query", BAD_INPUTS)
def test_inputs_that_cannot_be(conn, user, store, iris, query):
    store("gw_length", "def f(dat): return len(dat)")
    user.run("table-apply", "gw_length", input=query).refused(400)
    assert conn.execute("SELECT count(*) FROM iris").fetchone() == (150,)


def test_a_script_that_does_not_exist(user: User) -> None:
    user.run("do-eval", "gw_nosuch").refused(400, "gw_nosuch")
    user.run("do-eval", "gw_nosuch", "PYQSYS").refused(400, "gw_nosuch")
    user.run("do-eval", "gw_nosuch", "epe_gw_nobody").refused(400)
