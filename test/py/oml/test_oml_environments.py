"""Package oml names the Python environment that a function runs in: `env_name`."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import environments
import psycopg
import pytest
from psycopg import sql

SIX_VERSION = """
def six_version(*rows):
    import six
    return six.__version__
"""
# In each place, by each function.
NAME_ENVIRONMENTS = f"""
def name_environments():
    import oml
    import pandas

    source = {SIX_VERSION!r}
    for env_name, version in (("current", "1.17.0"), ("other", "1.16.0"), ("current", "1.17.0")):
        for function in ("six_version", source):
            assert oml.do_eval(function, env_name=env_name) == version
            assert oml.index_apply(2, function, env_name=env_name, parallel=2) == [version] * 2
    rows = oml.push([(1, "a"), (2, "b"), (3, "a")])
    given = {{"env_name": "current", "oml_input_type": "pandas.DataFrame"}}
    assert oml.table_apply(rows, source, **given) == "1.17.0"
    assert oml.row_apply(rows, source, rows=2, **given) == ["1.17.0"] * 2
    groups = oml.group_apply(rows, rows["COL2"], source, **given)
    assert groups == {{"a": "1.17.0", "b": "1.17.0"}}
    prototype = pandas.DataFrame({{"v": ["x"]}})
    kept = oml.do_eval(source, env_name="other", func_value=prototype)
    assert kept.pull(aslist=True) == [("1.16.0",)]
    return "done"
"""


@pytest.mark.parametrize("place", ["client", "backend", "process"])
def test_package_oml_names_environments(
    conn: psycopg.Connection[Any], make_script: Callable[..., str], place: str
) -> None:
    """All five functions of package oml: texts, functions and stored scripts."""
    for name in ("current", "other"):
        environments.require(name)
    make_script("six_version", SIX_VERSION)
    if place != "client":
        conn.execute(sql.SQL("SET oml_epe.engine = {}").format(sql.Literal(place)))
        make_script("name_environments", NAME_ENVIRONMENTS)
        query = "SELECT * FROM pyq_eval(NULL, NULL, 'name_environments') AS t(result text)"
        assert conn.execute(query).fetchone() == ("done",)
        return
    import oml

    info = conn.info
    oml.connect(host=info.host, port=info.port, user=info.user, service_name=info.dbname)
    try:
        names: dict[str, Any] = {}
        exec(NAME_ENVIRONMENTS, names)
        assert names["name_environments"]() == "done"
        with pytest.raises(oml.DatabaseError, match="nowhere") as caught:
            oml.do_eval("six_version", env_name="nowhere")
        assert caught.value.sqlstate == "42704"

        def module_versions(factor: int) -> list[Any]:
            import six

            return [six.__version__] * factor

        # By source: these environments have no cloudpickle.
        assert oml.do_eval(module_versions, factor=2, env_name="other") == ["1.16.0"] * 2
        with pytest.raises(TypeError, match='not installed for the environment "other"'):
            oml.do_eval(lambda: 1, env_name="other")
        assert oml.do_eval(lambda: 1) == 1
    finally:
        oml.disconnect()
