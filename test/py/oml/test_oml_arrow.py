"""Arrow data of proxies, tables from Arrow data, and pull(dtype_backend=..., chunksize=...)."""

from __future__ import annotations

import datetime
import gc
import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import optional_packages
import pandas
import psycopg
import pytest

ROOT = Path(__file__).resolve().parents[3]

import oml  # noqa: E402
from oml._db import client as _client  # noqa: E402
from oml._db import connection as _session  # noqa: E402

UTC = datetime.timezone.utc
# Type, SQL values, what Arrow gives for them.
CASES: list[tuple[str, str, list[Any]]] = [
    ("int2", "(-32768), (7)", [-32768, 7]),
    ("int4", "(-2147483648), (7)", [-(2**31), 7]),
    ("int8", "(9007199254740993), (-9223372036854775808)", [2**53 + 1, -(2**63)]),
    ("oid", "(4294967295), (0)", [2**32 - 1, 0]),
    ("float4", "(1.5), ('-Infinity')", [1.5, float("-inf")]),
    ("float8", "(0.1), ('1e300')", [0.1, 1e300]),
    (
        "numeric",
        "(12345678901234567890.123456789), ('NaN')",
        ["12345678901234567890.123456789", "NaN"],
    ),
    (
        "numeric(30,10)",
        "(12345678901234567890.123456789), (-1)",
        [Decimal("12345678901234567890.1234567890"), Decimal("-1.0000000000")],
    ),
    ("numeric(60,3)", "(1e50), (0.001)", [Decimal("1" + "0" * 50 + ".000"), Decimal("0.001")]),
    ("bool", "(true), (false)", [True, False]),
    ("text", "('äöü€𝄞'), ('')", ["äöü€𝄞", ""]),
    ("varchar(9)", "('x '), ('y')", ["x ", "y"]),
    ("bytea", r"('\x00ff'), ('\x')", [b"\0\xff", b""]),
    ("json", """('{"a": 1}'), ('null')""", ['{"a": 1}', "null"]),
    ("jsonb", """('{"a":1}'), ('[]')""", ['{"a": 1}', "[]"]),
    (
        "uuid",
        "('6e0ad372-0f5b-4a33-a1c1-2c4a7a3b9c00'), ('00000000-0000-0000-0000-000000000000')",
        ["6e0ad372-0f5b-4a33-a1c1-2c4a7a3b9c00", "00000000-0000-0000-0000-000000000000"],
    ),
    ("date", "('0001-01-01'), ('9999-12-31')", [datetime.date.min, datetime.date.max]),
    (
        "time",
        "('12:34:56.789012'), ('00:00')",
        [datetime.time(12, 34, 56, 789012), datetime.time(0)],
    ),
    (
        "timestamp",
        "('1969-12-31 23:59:59.999999'), ('epoch')",
        [datetime.datetime(1969, 12, 31, 23, 59, 59, 999999), datetime.datetime(1970, 1, 1)],
    ),
    (
        "timestamptz",
        "('2024-02-29 12:00+05:30'), ('epoch')",
        [
            datetime.datetime(2024, 2, 29, 6, 30, tzinfo=UTC),
            datetime.datetime(1970, 1, 1, tzinfo=UTC),
        ],
    ),
    (
        "interval",
        "('1 day 1 us'), ('-1 hour')",
        [datetime.timedelta(days=1, microseconds=1), datetime.timedelta(hours=-1)],
    ),
    ("int4[]", "('{1,NULL,3}'), ('{}')", [[1, None, 3], []]),
    ("text[]", "('{a,NULL}'), ('{\"\"}')", [["a", None], [""]]),
    ("float8[]", "('{0.5,NaN}'), ('{1}')", [[0.5, "nan"], [1.0]]),
    ("int4range", "('[1,5)'), ('empty')", ["[1,5)", "empty"]),
    ("inet", "('10.0.0.1'), ('::1')", ["10.0.0.1", "::1"]),
    ("numrange[]", "('{\"[1,2)\"}'), ('{}')", ['{"[1,2)"}', "{}"]),
]
NO_ARROW = [
    ("date", "'infinity'"),
    ("timestamptz", "'-infinity'"),
    ("interval", "'1 month'"),
    ("time", "'24:00'"),
    ("int4[]", "'{{1,2},{3,4}}'"),
    ("numeric(5,2)", "'NaN'"),
]


@pytest.fixture
def client(conn: psycopg.Connection[Any]) -> Iterator[Any]:
    """The current connection of package oml."""
    info = conn.info
    oml.connect(user=info.user, host=info.host, port=info.port, service_name=info.dbname)
    yield _session.connection()
    oml.disconnect()


def library(name: str) -> Any:
    """Import an optional package; skip the test without it."""
    optional_packages.require(name)
    folder = os.environ[optional_packages.VARIABLE]
    if folder not in sys.path:
        sys.path.append(folder)
    return importlib.import_module(name)


@pytest.fixture
def pyarrow(client: Any) -> Any:
    del client
    return library("pyarrow")


def values_query(sql_type: str, values: str) -> str:
    return (
        f"SELECT x::{sql_type} AS x FROM (VALUES (1, NULL), {numbered(values)}) AS v(i, x) "
        "ORDER BY i"
    )


def numbered(values: str) -> str:
    parts = values[1:-1].split("), (")
    return ", ".join(
        f"({number}, '{part}')" if not part.startswith("'") else f"({number}, {part})"
        for number, part in enumerate(parts, 2)
    )


# ------------------------------------------------------------------------------ __arrow_c_stream__


@pytest.mark.parametrize(("sql_type", "values", "wanted"), CASES, ids=[c[0] for c in CASES])
def test_values_of_streams(sql_type: str, values: str, wanted: list[Any], pyarrow: Any) -> None:
    """The values, exactly, after a NULL and many times over, so that texts are shared."""
    sql = values_query(sql_type, values)
    table = pyarrow.table(oml.sync(query=sql))
    table.validate(full=True)
    got = table.column("x").to_pylist()
    shown = repr(got).replace("tzinfo=<UTC>", "tzinfo=datetime.timezone.utc")
    assert shown == repr([None, *wanted]).replace("'nan'", "nan")
    many = f"SELECT q.x FROM ({sql}) AS q, generate_series(1, 20000)"
    column = pyarrow.chunked_array(oml.sync(query=many)["x"])
    column.validate(full=True)
    assert column.type == table.schema.field("x").type
    assert len(column) == 60_000 and column.null_count == 20_000
    distinct = {repr(value) for value in column.to_pylist()}
    assert distinct == {repr(value) for value in got}


@pytest.mark.parametrize(("sql_type", "value"), NO_ARROW)
def test_values_without_a_counterpart(sql_type: str, value: str, pyarrow: Any) -> None:
    proxy = oml.sync(query=f"SELECT 1 AS a, CAST({value} AS {sql_type}) AS strange")
    with pytest.raises(oml.DatabaseError, match="strange") as caught:
        pyarrow.table(proxy)
    assert caught.value.sqlstate == "22008"
    assert pyarrow.table(oml.sync(query="SELECT 1 AS a")).num_rows == 1


def test_empty_streams_have_the_types(pyarrow: Any) -> None:
    for sql_type, values, _ in CASES:
        sql = values_query(sql_type, values)
        full = pyarrow.table(oml.sync(query=sql))
        empty = pyarrow.table(oml.sync(query=f"SELECT * FROM ({sql}) AS q WHERE false"))
        assert empty.schema == full.schema and empty.num_rows == 0


def test_other_libraries(pyarrow: Any) -> None:
    polars, narwhals, duckdb = library("polars"), library("narwhals"), library("duckdb")
    sql = "SELECT i, 'g' || i % 3 AS g, i / 2.0::float8 AS x FROM generate_series(1, 30000) AS i"
    proxy = oml.sync(query=sql)
    frame = polars.DataFrame(proxy)
    assert frame.schema == {"i": polars.Int32, "g": polars.String, "x": polars.Float64}
    assert frame["i"].sum() == 450015000 and frame["g"].n_unique() == 3
    assert polars.Series(proxy["x"]).sum() == 225007500.0
    native = narwhals.from_native(proxy)
    grouped = native.group_by("g").agg(narwhals.col("i").sum()).sort("g")
    wanted = [sum(i for i in range(1, 30001) if i % 3 == rest) for rest in range(3)]
    assert grouped["i"].to_list() == wanted
    rows = pyarrow.table(proxy)
    assert duckdb.sql("SELECT count(*), sum(i) FROM rows").fetchall() == [(30000, 450015000)]
    assert rows.num_rows == 30000


def test_without_pyarrow(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del client
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    proxy = oml.sync(query="SELECT 1 AS x")
    for use in (
        proxy.__arrow_c_stream__,
        proxy["x"].__arrow_c_stream__,
        proxy.__narwhals_dataframe__,
        lambda: proxy.pull(dtype_backend="pyarrow"),
        lambda: proxy.pull(dtype_backend="pyarrow", chunksize=1),
    ):
        with pytest.raises(ImportError, match="pip install"):
            use()
    assert proxy.pull()["x"].tolist() == [1]


IN_ENGINE = """
def arrow_inside(name):
    import oml
    import pyarrow
    proxy = oml.sync(table=name)
    table = pyarrow.table(proxy)
    made = oml.create(table, table="arrow_copy")
    sizes = [len(frame) for frame in proxy.pull(chunksize=30_000)]
    part = proxy.pull(chunksize=10)
    first = next(part)
    others = len(oml.cursor().execute("SELECT 1").fetchall())
    part.close()
    nullable = [str(kind) for kind in proxy.pull(dtype_backend="numpy_nullable").dtypes]
    return repr((str(table.schema), sizes, len(first), others, len(made), nullable))
"""


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_inside_engines(
    engine: str, pyarrow: Any, conn: psycopg.Connection[Any], make_script: Callable[..., str]
) -> None:
    conn.execute(
        "CREATE TABLE arrow_rows AS SELECT i, i::text AS t, NULLIF(i, 3)::int8 + 9007199254740993 "
        "AS b FROM generate_series(1, 70000) AS i"
    )
    make_script("arrow_inside", IN_ENGINE)
    conn.execute(f"SET oml_epe.engine = {engine}")
    try:
        row = conn.execute(
            'SELECT * FROM pyq_eval(\'{"name": "arrow_rows"}\', \'{"r": "text"}\', '
            "'arrow_inside') AS t(r text)"
        ).fetchone()
        schema = pyarrow.table(oml.sync(table="arrow_rows")).schema
        wanted = (
            str(schema),
            [30_000, 30_000, 10_000],
            10,
            1,
            70_000,
            ["Int32", "string", "Int64"],
        )
        assert row == (repr(wanted),)
        lost = "SELECT * FROM {} EXCEPT ALL SELECT * FROM {}"
        assert conn.execute(lost.format("arrow_rows", "arrow_copy")).fetchall() == []
        assert conn.execute(lost.format("arrow_copy", "arrow_rows")).fetchall() == []
    finally:
        conn.execute("DROP TABLE IF EXISTS arrow_rows, arrow_copy")


# ------------------------------------------------------------------------------- push and create


def test_tables_of_arrow_data(pyarrow: Any, conn: psycopg.Connection[Any]) -> None:
    """Values and types as psycopg sees them, NaN and NULL apart."""
    # check_sizes: a table of types and values.
    pa = pyarrow
    given: dict[str, tuple[Any, str, list[Any]]] = {
        "i1": (pa.array([-128, None], pa.int8()), "smallint", [-128, None]),
        "u1": (pa.array([255, None], pa.uint8()), "smallint", [255, None]),
        "u2": (pa.array([65535, None], pa.uint16()), "integer", [65535, None]),
        "i4": (pa.array([-5, None], pa.int32()), "integer", [-5, None]),
        "u4": (pa.array([2**32 - 1, None], pa.uint32()), "bigint", [2**32 - 1, None]),
        "i8": (pa.array([2**53 + 1, None]), "bigint", [2**53 + 1, None]),
        "u8": (pa.array([2**64 - 1, None], pa.uint64()), "numeric", [Decimal(2**64 - 1), None]),
        "f2": (pa.array([1.5, 2.5], pa.float32()), "real", [1.5, 2.5]),
        "f8": (pa.array([float("nan"), None]), "double precision", ["nan", None]),
        "f9": (pa.array([float("nan"), 0.5]), "double precision", ["nan", 0.5]),
        "b": (pa.array([True, None]), "boolean", [True, None]),
        "d": (
            pa.array([Decimal("1.10"), None], pa.decimal128(9, 2)),
            "numeric(9,2)",
            [Decimal("1.10"), None],
        ),
        "s": (pa.array(["é€", None]), "text", ["é€", None]),
        "ls": (pa.array(["", None], pa.large_string()), "text", ["", None]),
        "dict": (pa.array(["k", None]).dictionary_encode(), "text", ["k", None]),
        "by": (pa.array([b"\0x", None]), "bytea", [b"\0x", None]),
        "fb": (pa.array([b"abc", None], pa.binary(3)), "bytea", [b"abc", None]),
        "dt": (pa.array([datetime.date(1, 1, 1), None]), "date", [datetime.date(1, 1, 1), None]),
        "t": (
            pa.array([1_999, None], pa.time64("ns")),
            "time without time zone",
            [datetime.time(0, 0, 0, 1), None],
        ),
        "ns": (
            pa.array([1_999, None], pa.timestamp("ns")),
            "timestamp without time zone",
            [datetime.datetime(1970, 1, 1, 0, 0, 0, 1), None],
        ),
        "tz": (
            pa.array([1, None], pa.timestamp("s", "Asia/Tokyo")),
            "timestamp with time zone",
            [datetime.datetime(1970, 1, 1, 0, 0, 1, tzinfo=UTC), None],
        ),
        "du": (
            pa.array([1_999, None], pa.duration("ns")),
            "interval",
            [datetime.timedelta(microseconds=1), None],
        ),
        "l": (pa.array([[1, None], None], pa.list_(pa.int16())), "smallint[]", [[1, None], None]),
        "lt": (pa.array([["a b", '"'], []]), "text[]", [["a b", '"'], []]),
        "st": (pa.array([{"x": 1, "y": "z"}, None]), "jsonb", [{"x": 1, "y": "z"}, None]),
        "nu": (pa.nulls(2), "text", [None, None]),
    }
    table = pa.table({name: array for name, (array, _, _) in given.items()})
    sources = [
        table,
        table.to_batches()[0],
        pa.RecordBatchReader.from_batches(table.schema, table.to_batches()),
    ]
    for source in sources:
        oml.create(source, table="of_arrow")
        conn.execute("SET TimeZone = 'UTC'")
        for name, (_, sql_type, wanted) in given.items():
            rows = conn.execute(
                f'SELECT "{name}", format_type(a.atttypid, a.atttypmod) FROM of_arrow, '
                f"pg_attribute AS a WHERE a.attrelid = 'of_arrow'::regclass AND attname = '{name}'"
            ).fetchall()
            got = ["nan" if value != value else value for value, _ in rows]
            assert (got, {kind for _, kind in rows}) == (wanted, {sql_type}), name
        conn.execute("DROP TABLE of_arrow")
    pushed = oml.push(table.select(["i8", "s"]), dbtypes={"i8": "numeric"})
    assert pushed.pull()["s"].tolist() == ["é€", None]


def test_sources_of_other_libraries(pyarrow: Any) -> None:
    polars, duckdb = library("polars"), library("duckdb")
    frame = polars.DataFrame(
        {"i": [1, None, 3], "c": polars.Series(["u", "v", "u"], dtype=polars.Categorical)}
    )
    for source in (frame, duckdb.sql("SELECT * FROM frame ORDER BY i NULLS FIRST")):
        proxy = oml.push(source)
        assert sorted(proxy.pull(aslist=True), key=str) == [(1, "u"), (3, "u"), (None, "v")]
    series = oml.push(polars.Series("name", [1, 2, 3]))
    assert series.pull()["name"].tolist() == [1, 2, 3]
    del pyarrow


def test_data_that_is_not_taken(pyarrow: Any, client: Any) -> None:
    numbers = pyarrow.array([1])
    with pytest.raises(ValueError, match="two columns have the same name"):
        oml.push(pyarrow.table([numbers, numbers], names=["a", "a"]))
    with pytest.raises(TypeError, match=r"with __arrow_c_stream__, not dict$"):
        oml.push({"a": [1]})

    class LazyFrame:
        def collect(self) -> None: ...

    with pytest.raises(TypeError, match=r"not LazyFrame: call its collect\(\)$"):
        oml.push(LazyFrame())


# ------------------------------------------------------------------------ dtype_backend, chunksize


def test_nullable_dtypes(client: Any) -> None:
    del client
    sql = (
        "SELECT NULLIF(i, 2)::int2 AS a, NULLIF(i, 2)::int8 + 9007199254740993 AS b, "
        "CASE i WHEN 1 THEN 'NaN' WHEN 2 THEN NULL ELSE 0.5 END::float8 AS x, i > 1 AS t, "
        "NULLIF(i, 2)::text AS s, ARRAY[i] AS l FROM generate_series(1, 3) AS i"
    )
    frame = oml.sync(query=sql).pull(dtype_backend="numpy_nullable")
    kinds = ["Int16", "Int64", "Float64", "boolean", "string", "object"]
    assert [str(kind) for kind in frame.dtypes] == kinds
    assert frame["b"].tolist() == [9007199254740994, pandas.NA, 9007199254740996]
    # NaN is a value, NULL is not.
    assert frame["x"][0] != frame["x"][0] and frame["x"][1] is pandas.NA and frame["x"][2] == 0.5
    assert [list(value) for value in frame["l"]] == [[1], [2], [3]]
    with pytest.raises(ValueError, match="dtype_backend"):
        oml.sync(query=sql).pull(dtype_backend="arrow")


ARROW_DTYPES = """
import sys
sys.path.insert(0, sys.argv[1])
import oml, pandas, pyarrow
oml.connect(dsn=sys.argv[2])
sql = "SELECT i, NULLIF(i, 2)::int8 + 9007199254740993 AS b FROM generate_series(1, 3) AS i"
proxy = oml.sync(query=sql)
frame = proxy.pull(dtype_backend="pyarrow")
assert frame["b"].dtype == pandas.ArrowDtype(pyarrow.int64())
wanted = [9007199254740994, pandas.NA, 9007199254740996]
assert frame["b"].tolist() == wanted
chunks = list(proxy.pull(dtype_backend="pyarrow", chunksize=2))
assert [len(chunk) for chunk in chunks] == [2, 1]
assert [value for chunk in chunks for value in chunk["b"].tolist()] == wanted
assert {str(chunk["b"].dtype) for chunk in chunks} == {"int64[pyarrow]"}
"""


def test_arrow_dtypes(pyarrow: Any, client: Any) -> None:
    """In a process of its own: pandas looks for pyarrow when it is imported."""
    del pyarrow
    command = [sys.executable, "-c", ARROW_DTYPES, str(ROOT / "python"), client.psycopg.info.dsn]
    environment = {**os.environ, "PYTHONPATH": os.environ[optional_packages.VARIABLE]}
    subprocess.run(command, check=True, env=environment)


def plain(value: Any) -> Any:
    """What a value is, whichever dtype its column has."""
    if value is None or value is pandas.NA or value is pandas.NaT or value != value:
        return None
    return value.date() if isinstance(value, pandas.Timestamp) else value


@pytest.mark.parametrize("backend", [None, "numpy_nullable"])
@pytest.mark.parametrize("rows", [1, 7, 16384, 20000, 100000])
def test_chunks(backend: str | None, rows: int, client: Any) -> None:
    count = 50_001 if rows > 100 else 40
    sql = (
        f"SELECT i, NULLIF(i % 5, 0) AS n, md5(i::text) AS m, 'g' || i % 3 AS g, i % 2 = 0 AS b, "
        f"CASE i % 4 WHEN 0 THEN 'infinity' WHEN 1 THEN NULL ELSE '2024-01-01' END::date AS d "
        f"FROM generate_series(1, {count}) AS i ORDER BY i"
    )
    proxy = oml.sync(query=sql)
    chunks = []
    for chunk in proxy.pull(chunksize=rows, dtype_backend=backend):
        chunks.append(chunk)
        assert oml.cursor().execute("SELECT 7").fetchall() == [(7,)]
    assert [len(chunk) for chunk in chunks[:-1]] == [rows] * (len(chunks) - 1)
    assert 0 < len(chunks[-1]) <= rows
    wanted = client.query(sql)[1]
    for place, name in enumerate(proxy.columns):
        got = [plain(value) for chunk in chunks for value in chunk[name].tolist()]
        assert got == [row[place] for row in wanted], name
    open_cursors = oml.cursor().execute("SELECT name FROM pg_cursors WHERE name <> ''")
    assert open_cursors.fetchall() == []


def test_chunks_that_end_early(client: Any, conn: psycopg.Connection[Any]) -> None:
    proxy = oml.sync(query="SELECT i FROM generate_series(1, 200000) AS i")
    cursors = "SELECT count(*) FROM pg_cursors WHERE name <> ''"
    with proxy.pull(chunksize=10) as chunks:
        assert len(next(chunks)) == 10
        assert oml.cursor().execute(cursors).fetchall() == [(1,)]
        other = proxy.pull(chunksize=3)
        assert next(other)["i"].tolist() == [1, 2, 3] and next(chunks)["i"].tolist()[0] == 11
    assert list(chunks) == []
    del other
    gc.collect()
    assert oml.cursor().execute(cursors).fetchall() == [(0,)]
    with pytest.raises(oml.DatabaseError) as caught:
        list(
            oml.sync(query="SELECT 1 / (50000 - i) AS x FROM generate_series(1, 60000) AS i").pull(
                chunksize=9
            )
        )
    assert caught.value.sqlstate == "22012"
    (empty,) = proxy[proxy["i"] < 0].pull(chunksize=5)
    assert list(empty.columns) == ["i"] and len(empty) == 0
    for wrong in (0, -1, True):
        with pytest.raises(ValueError, match="chunksize"):
            proxy.pull(chunksize=wrong)
    with pytest.raises(TypeError, match="chunksize must be an integer, not float"):
        proxy.pull(chunksize=1e5)
    lost = proxy.pull(chunksize=5)
    conn.execute("SELECT pg_terminate_backend(%s, 10000)", (client.psycopg.info.backend_pid,))
    with pytest.raises(oml.DatabaseError):
        next(lost)
    lost.close()


def test_older_servers_are_named(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del client
    monkeypatch.setattr(_client.ClientConnection, "has_batches", lambda self: False)
    proxy = oml.sync(query="SELECT 1 AS x")
    for keywords in ({"dtype_backend": "numpy_nullable"}, {"chunksize": 5}):
        with pytest.raises(oml.DatabaseError) as caught:
            proxy.pull(**keywords)
        assert caught.value.sqlstate == "0A000" and "ALTER EXTENSION" in caught.value.hint
    assert proxy.pull()["x"].tolist() == [1]
