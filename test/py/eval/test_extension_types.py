"""pgvector's types and hstore, as inputs, results and parameters."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import engine_kinds
import numpy
import pytest
from psycopg import Connection, Error

sys.path.insert(0, str(Path(__file__).resolve().parents[3] / "python"))

import oml
from oml._db import text_values as _values

ENGINE_PLACES = engine_kinds.ENGINES

SCRIPT = """
import json
import numpy as np
import oml
import pandas as pd

def ext_run(dat=None, what=None, sql=None):
    if sql is not None:
        return oml.cursor().execute(sql, (eval(what),)).fetchall()
    return eval(what)
"""


def connection_with(connection: Connection[Any], extension: str) -> None:
    found = connection.execute(
        "SELECT 1 FROM pg_available_extensions WHERE name = %s", (extension,)
    ).fetchone()
    if found is None:
        pytest.skip(f"the extension {extension} is not installed")
    connection.execute(f"CREATE EXTENSION IF NOT EXISTS {extension}")  # type: ignore[arg-type]
    connection.execute("SELECT pyq_script_create('ext_run', %s, v_overwrite => true)", (SCRIPT,))


@pytest.fixture(scope="module")
def hstores(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    connection_with(module_conn, "hstore")
    yield module_conn
    module_conn.execute("DROP EXTENSION hstore CASCADE")


@pytest.fixture(scope="module")
def vectors(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    connection_with(module_conn, "vector")
    yield module_conn
    module_conn.execute("DROP EXTENSION vector CASCADE")


def on_query(
    connection: Connection[Any], query: str, what: str, columns: str, **controls: Any
) -> list[tuple[Any, ...]]:
    return connection.execute(
        f"SELECT * FROM pyq_table_eval(%s, %s, NULL, 'ext_run') AS t({columns})",  # type: ignore
        (query, json.dumps({"what": what, **controls})),
    ).fetchall()


def with_parameter(connection: Connection[Any], statement: str, what: str) -> Any:
    row = connection.execute(
        "SELECT x FROM pyq_eval(%s, NULL, 'ext_run') AS t(x text)",
        (json.dumps({"sql": statement, "what": what}),),
    ).fetchone()
    assert row is not None
    return row[0]


HSTORE = r"""SELECT * FROM (VALUES
    (1, hstore(ARRAY['a', 'b c', 'q"\\', 'é'], ARRAY['1', NULL, 'x,y=>z', ''])),
    (2, ''), (3, NULL)) AS v(n, h)"""


def test_hstore_is_a_dict(hstores: Connection[Any]) -> None:
    found = on_query(
        hstores, HSTORE, "[(n, json.dumps(h)) for n, h in zip(dat['n'], dat['h'])]", "n int, h text"
    )
    expected = hstores.execute(
        f"SELECT n, coalesce(hstore_to_json(h)::text, 'null') FROM ({HSTORE}) AS v"  # type: ignore
    ).fetchall()
    assert [(n, json.loads(h)) for n, h in found] == [(n, json.loads(h)) for n, h in expected]


def test_hstore_comes_back(hstores: Connection[Any]) -> None:
    changed = hstores.execute(
        'SELECT count(*) FROM (SELECT * FROM pyq_table_eval(%s, \'{"what": "dat"}\', NULL,'  # type: ignore
        f" 'ext_run') AS t(n int, h hstore) EXCEPT ALL SELECT * FROM ({HSTORE}) AS v) AS d",
        (HSTORE,),
    ).fetchone()
    assert changed == (0,)


def connect_client(connection: Connection[Any]) -> None:
    info = connection.info
    oml.connect(user=info.user, host=info.host, port=info.port, service_name=info.dbname)


def test_hstore_on_a_client(hstores: Connection[Any]) -> None:
    query = f"SELECT n, h, ARRAY[h] AS a, ROW(h) AS r, h::hstore_domain AS d FROM ({HSTORE}) AS v"
    hstores.execute("CREATE DOMAIN hstore_domain AS hstore")
    expected = [
        None if text is None else json.loads(text)
        for (text,) in hstores.execute(
            f"SELECT hstore_to_json(h)::text FROM ({HSTORE}) AS v ORDER BY n"  # type: ignore
        )
    ]
    connect_client(hstores)
    try:
        rows = oml.cursor().execute(query).fetchall()
        assert [row[1] for row in rows] == expected
        assert [row[4] for row in rows] == expected
        assert [row[2][0] for row in rows] == expected
        frame = oml.sync(query=query).pull()
        assert list(frame["h"]) == expected and list(frame["d"]) == expected
        (chunk,) = oml.sync(query=query).pull(chunksize=10)
        assert list(chunk["h"]) == expected
    finally:
        oml.disconnect()


def test_vectors_on_a_client(vectors: Connection[Any]) -> None:
    query = (
        "SELECT '[1,-2.5,3e-5]'::vector AS v, '[1,2]'::halfvec AS h, "
        "'{2:0.5,4:1}/5'::sparsevec AS s"
    )
    connect_client(vectors)
    try:
        frame = oml.sync(query=query).pull()
        for name, wanted in (("v", [1, -2.5, 3e-5]), ("h", [1, 2]), ("s", [0, 0.5, 0, 1, 0])):
            assert frame[name][0].dtype == numpy.float32
            assert frame[name][0].tolist() == numpy.array(wanted, numpy.float32).tolist()
    finally:
        oml.disconnect()


@pytest.mark.parametrize(
    ("name", "text", "wanted"),
    [
        (b"vector", b"[1,-2.5,3e-05]", [1, -2.5, 3e-5]),
        (b"halfvec", b"[65504]", [65504]),
        (b"sparsevec", b"{2:0.5,4:1}/5", [0, 0.5, 0, 1, 0]),
        (b"sparsevec", b"{}/2", [0, 0]),
    ],
)
def test_texts_of_vectors(name: bytes, text: bytes, wanted: list[float]) -> None:
    found = _values.OF_EXTENSIONS[b"vector", name].load(text)
    assert found.dtype == numpy.float32
    assert found.tolist() == numpy.array(wanted, numpy.float32).tolist()


CHANGING = """
import collections.abc

class Clearing(collections.abc.Mapping):
    def __getitem__(self, key):
        values.clear()
        return 7
    def __iter__(self):
        return iter(["k"])
    def __len__(self):
        return 1

def ext_changing():
    global values
    values = [Clearing(), *({"n": str(i)} for i in range(1000))]
    return {"h": values, "n": list(range(1001))}
"""


def test_a_list_of_hstores_that_changes_while_it_is_read(hstores: Connection[Any]) -> None:
    hstores.execute(
        "SELECT pyq_script_create('ext_changing', %s, v_overwrite => true)", (CHANGING,)
    )
    found = hstores.execute(
        "SELECT h::text FROM pyq_eval(NULL, NULL, 'ext_changing') AS t(h hstore, n int)"
    ).fetchall()
    assert found == [('"k"=>"7"',), *((f'"n"=>"{i}"',) for i in range(1000))]


@pytest.mark.parametrize(
    ("value", "in_sql"),
    [
        ("{'a': 1, 'b': None, 'c': True, 'd': 'x'}", "'a=>1, b=>NULL, c=>true, d=>x'"),
        ("{'f': 5.0, 'g': float('inf'), 'n': np.int64(7)}", "'f=>5, g=>Infinity, n=>7'"),
        ("{'q\"': 'a\\\\b', 'e': ''}", "hstore(ARRAY['q\"', 'e'], ARRAY['a\\b', ''])"),
        ("{}", "''"),
        ("'k=>v'", "'k=>v'"),
    ],
)
def test_dicts_become_hstores(hstores: Connection[Any], value: str, in_sql: str) -> None:
    expected = hstores.execute(f"SELECT ({in_sql}::hstore)::text").fetchone()  # type: ignore
    found = hstores.execute(
        "SELECT h::text FROM pyq_eval(%s, NULL, 'ext_run') AS t(h hstore)",
        (json.dumps({"what": f"[{value}]"}),),
    ).fetchone()
    assert found == expected
    assert expected is not None
    assert with_parameter(hstores, "SELECT ($1::hstore)::text", value) == expected[0]


@pytest.mark.parametrize("value", ["[1, 2]", "5", "{1, 2}"])
def test_what_is_no_hstore(hstores: Connection[Any], value: str) -> None:
    with pytest.raises(Error) as caught:
        hstores.execute(
            "SELECT h::text FROM pyq_eval(%s, NULL, 'ext_run') AS t(h hstore)",
            (json.dumps({"what": f"[{{}}, {value}]"}),),
        ).fetchall()
    assert caught.value.sqlstate == "42804"


VECTORS = "SELECT n, ARRAY[n, n / 2.0]::{t} AS v FROM generate_series(1, 4) AS n"


@pytest.mark.parametrize("sql_type", ["vector(2)", "halfvec(2)", "vector"])
def test_vectors_are_one_array(vectors: Connection[Any], sql_type: str) -> None:
    query = VECTORS.format(t=sql_type)
    lone = f"SELECT v FROM ({query}) AS q ORDER BY n"
    what = "(str(dat.dtype), str(dat.shape), str(dat.tolist()))"
    expected = [[n, n / 2] for n in range(1, 5)]
    found = on_query(vectors, lone, what, "a text, b text, c text", oml_input_type="numpy.ndarray")
    assert found[0][:2] == ("float32", "(4, 2)")
    assert json.loads(found[0][2]) == expected
    in_dict = "(str(dat['v'].dtype), str(dat['v'].shape), str(dat['v'].tolist()))"
    for input_type in ("dict", "numpy.recarray"):
        found = on_query(
            vectors, query, in_dict, "a text, b text, c text", oml_input_type=input_type
        )
        assert found[0][:2] == ("float32", "(4, 2)")
    frame = on_query(
        vectors,
        query,
        "[(str(v.dtype), v.tolist()) for v in dat['v']]",
        "a text, b float8[]",
    )
    assert frame == [("float32", row) for row in expected]


@pytest.mark.parametrize("sql_type", ["vector", "halfvec", "sparsevec"])
def test_vectors_come_back(vectors: Connection[Any], sql_type: str) -> None:
    source = f"SELECT n, ('[' || n || ',0,' || -n || ']')::vector::{sql_type} AS v"
    query = f"{source} FROM generate_series(1, 3) AS n UNION ALL SELECT 9, NULL"
    expected = vectors.execute(f"SELECT n, v::text FROM ({query}) AS q").fetchall()  # type: ignore
    for controls in ({}, {"oml_input_type": "dict"}):
        found = vectors.execute(
            f"SELECT n, v::text FROM pyq_table_eval(%s, %s, NULL, 'ext_run') AS t(n int,"  # type: ignore
            f" v {sql_type}(3))",
            (query, json.dumps({"what": "dat", **controls})),
        ).fetchall()
        assert found == expected


@pytest.mark.parametrize(
    "value",
    ["[1, 2, 3]", "(1.0, 2, 3)", "np.array([1, 2, 3])", "np.array([1, 2, 3], 'f4')", "'[1,2,3]'"],
)
@pytest.mark.parametrize("sql_type", ["vector(3)", "halfvec(3)", "sparsevec(3)"])
def test_values_become_vectors(vectors: Connection[Any], value: str, sql_type: str) -> None:
    row = vectors.execute(f"SELECT ('[1,2,3]'::vector::{sql_type})::text").fetchone()  # type: ignore
    assert row is not None
    if value.startswith("'") and sql_type.startswith("sparse"):
        value = f"'{row[0]}'"
    found = vectors.execute(
        f"SELECT v::text FROM pyq_eval(%s, NULL, 'ext_run') AS t(v {sql_type})",  # type: ignore
        (json.dumps({"what": f"pd.Series([{value}], dtype=object)"}),),
    ).fetchall()
    assert found == [row]
    if "sparse" not in sql_type:
        text = with_parameter(vectors, f"SELECT ($1::{sql_type})::text", value)
        assert text == row[0]


def test_wrong_vectors_are_clear_errors(vectors: Connection[Any]) -> None:
    for value, state in (("[1, 2]", "22000"), ("[1, None, 3]", "22004"), ("{'a': 1}", "42804")):
        with pytest.raises(Error) as caught:
            vectors.execute(
                "SELECT v::text FROM pyq_eval(%s, NULL, 'ext_run') AS t(v vector(3))",
                (json.dumps({"what": f"pd.Series([[1, 2, 3], {value}], dtype=object)"}),),
            ).fetchall()
        assert caught.value.sqlstate == state
        assert 'column "v", row 2' in f"{caught.value}\n{caught.value.diag.context}"
