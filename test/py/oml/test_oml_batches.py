"""Rows as batches of columns: the SQL functions, and pull() on a client and inside engines."""

from __future__ import annotations

import contextlib
import datetime
import decimal
import pickle
import uuid
from collections.abc import Callable, Iterator
from typing import Any

import numpy
import oml
import pandas
import psycopg
import pytest
from oml._db import client as _client
from oml._db import connection as _session
from oml._transfer import batch_reader as _batches

DAY = datetime.timedelta(days=1)

# One value of a type, and others; each list is a column that NULLs are put into.
VALUES: dict[str, list[str]] = {
    "int2": ["-32768", "7", "32767"],
    "int4": ["-2147483648", "0", "2147483647"],
    "int8": ["-9223372036854775808", "9007199254740993", "9223372036854775807"],
    "oid": ["0", "4294967295", "7"],
    "float4": ["1.5", "NaN", "-Infinity"],
    "float8": ["0.1", "NaN", "Infinity"],
    "numeric": ["0.1", "NaN", "123456789012345678901234567890.5"],
    "numeric(12,3)": ["0.1", "-99999.999", "7"],
    "bool": ["true", "false", "true"],
    "text": ["''", "'äöü€𝄞'", "'a''b\\c'"],
    "varchar(7)": ["'x'", "'yy '", "''"],
    "char(5)": ["'x'", "'yy'", "''"],
    "name": ["'n'", "'m'", "'o'"],
    '"char"': ["'a'", "'b'", "'c'"],
    "bytea": [r"'\x00ff'", r"'\x'", r"'\x414243'"],
    "json": ["'{\"a\": [1, null]}'", "'[]'", "'\"text\"'"],
    "jsonb": ["'{\"a\": [1, null]}'", "'null'", "'17'"],
    "uuid": [
        "'00000000-0000-0000-0000-000000000000'",
        "'6e0ad372-0f5b-4a33-a1c1-2c4a7a3b9c00'",
        "'ffffffff-ffff-ffff-ffff-ffffffffff00'",
    ],
    "date": ["'2024-02-29'", "'1969-12-31'", "'2262-04-11'"],
    "timestamp": ["'2024-02-29 12:34:56.789012'", "'1969-12-31 23:59:59.999999'", "'epoch'"],
    "timestamptz": ["'2024-02-29 12:34:56.789012+05:30'", "'epoch'", "'1970-01-01 00:00+00'"],
    "interval": ["'1 day 02:03:04.5'", "'-3 hours'", "'0'"],
    "time": ["'12:34:56.789'", "'00:00'", "'23:59:59.999999'"],
    "timetz": ["'12:34:56.789+02'", "'00:00-05:30'", "'23:59:59.999999+00'"],
    "int4[]": ["'{1,NULL,3}'", "'{}'", "'{{1,2},{3,4}}'"],
    "text[]": ["'{a,\"b c\",NULL}'", "'{}'", "'{\"\"}'"],
    "int4range": ["'[1,5)'", "'empty'", "'(,7)'"],
    "inet": ["'10.0.0.1'", "'10.0.0.0/8'", "'::1'"],
    "xml": ["'<a/>'", "'<b>x</b>'", "'t'"],
}
UNUSUAL = {
    "date": ["'infinity'", "'2024-01-01'", "'0044-03-15 BC'"],
    "timestamp": ["'-infinity'", "'2024-01-01 00:00'", "'20000-01-01'"],
    "timestamptz": ["'infinity'", "'2024-01-01 00:00+00'", "'0001-01-01 00:00+00 BC'"],
    "interval": ["'1 mon 2 days'", "'1 hour'", "'-300 years'"],
}


def table_sql() -> str:
    columns = []
    for number, (sql_type, values) in enumerate(list(VALUES.items()) + list(UNUSUAL.items())):
        quoted = [value if value.startswith("'") else f"'{value}'" for value in values]
        picked = " ".join(
            f"WHEN {place} THEN CAST({value} AS {sql_type})" for place, value in enumerate(quoted)
        )
        columns.append(f"CASE i % 4 {picked} END AS n{number}")  # with NULLs
        columns.append(f"CASE i % 3 {picked} END AS v{number}")  # without
    return f"SELECT i, {', '.join(columns)} FROM generate_series(0, 6000) AS i"


@pytest.fixture(scope="module")
def everything(module_conn: psycopg.Connection[Any]) -> Iterator[str]:
    """A table with a column of each type, with and without NULLs."""
    module_conn.execute(f"CREATE TABLE every_type AS {table_sql()}")
    yield "every_type"
    module_conn.execute("DROP TABLE every_type")


@pytest.fixture
def client(conn: psycopg.Connection[Any]) -> Iterator[Any]:
    """The current connection of package oml."""
    info = conn.info
    oml.connect(user=info.user, host=info.host, port=info.port, service_name=info.dbname)
    yield _session.connection()
    oml.disconnect()


def assert_equal(got: pandas.DataFrame, wanted: pandas.DataFrame) -> None:
    """Values, their classes and dtypes; NaN equals NaN, but not None."""
    assert list(got.columns) == list(wanted.columns) and len(got) == len(wanted)
    for name in wanted.columns:
        assert got[name].dtype == wanted[name].dtype, name
        if wanted[name].dtype != object:
            pandas.testing.assert_series_equal(got[name], wanted[name], check_exact=True)
            continue
        pairs = zip(got[name].tolist(), wanted[name].tolist())
        assert all(repr(a) == repr(b) and type(a) is type(b) for a, b in pairs), name


# ---------------------------------------------------------------------------------------- pull()


def test_batches_hold_what_copy_sends(
    everything: str, client: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxy = oml.sync(table=everything)
    assert client.has_batches()
    batches = proxy.pull()
    monkeypatch.setattr(_client.ClientConnection, "has_batches", lambda self: False)
    assert_equal(batches, proxy.pull())


def test_values_are_those_of_the_server(everything: str, client: Any) -> None:
    """Compared with psycopg, where Python's types can represent the value."""
    del client
    frame = oml.sync(table=everything).pull()
    frame = frame.sort_values("i").reset_index(drop=True)
    with psycopg.connect(psycopg_info(), autocommit=True) as connection:
        for number, (sql_type, _) in enumerate(VALUES.items()):
            if sql_type in ("oid", "xml", "int4range", "inet", "char(5)", "timetz", "timestamptz"):
                continue  # psycopg has other classes for them
            if sql_type.endswith("[]"):
                continue
            rows = connection.execute(
                f"SELECT n{number} FROM {everything} ORDER BY i LIMIT 1000"
            ).fetchall()
            got = frame[f"n{number}"].tolist()[:1000]
            for mine, (theirs,) in zip(got, rows):
                if theirs is None:
                    # JSON's null is None as well.
                    assert mine is None or mine is pandas.NaT or mine != mine, (sql_type, mine)
                elif sql_type.startswith("numeric"):
                    assert mine == float(theirs) or (mine != mine and theirs.is_nan())
                elif theirs != theirs:
                    assert mine != mine
                elif sql_type == "date":
                    assert mine.date() == theirs
                elif sql_type == '"char"':
                    assert mine == (theirs.decode() if isinstance(theirs, bytes) else theirs)
                else:
                    assert mine == theirs, sql_type


def psycopg_info() -> str:
    info = _session.connection().psycopg.info  # type: ignore[attr-defined]
    return str(info.dsn)


def test_integers_beside_nulls_keep_their_digits(client: Any) -> None:
    del client
    sql = (
        "SELECT CASE i WHEN 2 THEN NULL ELSE 9007199254740993 END AS large, "
        "CASE i WHEN 2 THEN NULL ELSE i END AS small FROM generate_series(1, 3) AS i"
    )
    frame = oml.sync(query=sql).pull()
    assert frame["large"].tolist() == [9007199254740993, None, 9007199254740993]
    assert all(type(value) is int for value in frame["large"].dropna())
    assert frame["small"].dtype == "f8" and frame["small"].isna().tolist() == [False, True, False]


PULL = """
def pull_every_type(name):
    import pickle
    import oml
    return pickle.dumps(oml.sync(table=name).pull())
"""


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_pull_in_an_engine(
    engine: str,
    everything: str,
    client: Any,
    conn: psycopg.Connection[Any],
    make_script: Callable[..., str],
) -> None:
    make_script("pull_every_type", PULL)
    conn.execute(f"SET oml_epe.engine = {engine}")
    row = conn.execute(
        "SELECT * FROM pyq_eval(jsonb_build_object('name', %s::text), NULL::bytea, "
        "'pull_every_type')",
        (everything,),
    ).fetchone()
    assert row is not None
    del client
    inside = pickle.loads(row[0])
    outside = oml.sync(table=everything).pull()
    # Types that no batch column holds are texts, or Python's own values, in both places.
    assert_equal(inside, outside)


def test_empty_results_and_lone_nulls(client: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    del client
    queries = [f"SELECT * FROM ({table_sql()}) AS q WHERE false"]
    queries += [f"SELECT NULL::{sql_type} AS x" for sql_type in VALUES]
    frames = [oml.sync(query=sql).pull() for sql in queries]
    monkeypatch.setattr(_client.ClientConnection, "has_batches", lambda self: False)
    for sql, frame in zip(queries, frames):
        assert_equal(frame, oml.sync(query=sql).pull())


# --------------------------------------------------------------------------------- SQL functions


def test_batches_are_bounded(conn: psycopg.Connection[Any]) -> None:
    sizes = conn.execute(
        "SELECT length(pyqsys.query_batches("
        "'SELECT i, lpad(i::text, 200000) FROM generate_series(1, 100) AS i'))"
    ).fetchall()
    assert len(sizes) > 10 and max(sizes)[0] < 1_500_000
    batches = conn.execute(
        "SELECT pyqsys.query_batches('SELECT i FROM generate_series(1, 100000) AS i')"
    ).fetchall()
    assert sum(length for row in batches for length, _ in _batches.read(row[0])) == 100_000
    assert max(len(row[0]) for row in batches) < 100_000


def test_rows_come_as_they_are_read(conn: psycopg.Connection[Any]) -> None:
    """LIMIT ends the query, whose later rows are an error."""
    query = "SELECT 1 / (100000 - i) AS x FROM generate_series(1, 200000) AS i"
    sql = "SELECT length(pyqsys.query_batches(%s))"
    assert len(conn.execute(sql + " LIMIT 2", (query,)).fetchall()) == 2
    with pytest.raises(psycopg.errors.DivisionByZero):
        conn.execute(sql, (query,))
    assert conn.execute("SELECT 1").fetchone() == (1,)


def test_parallel_queries(conn: psycopg.Connection[Any], client: Any) -> None:
    """They use workers, and give the rows of any size; also when they end early or fail."""
    conn.execute(
        "CREATE TABLE read_in_parallel AS SELECT i, md5(i::text) AS t "
        "FROM generate_series(1, 100000) AS i"
    )
    settings = (
        "parallel_setup_cost = 0",
        "parallel_tuple_cost = 0",
        "min_parallel_table_scan_size = 0",
    )
    for setting in (*settings, "work_mem = '64kB'", "debug_parallel_query = off"):
        for connection in (conn.execute, lambda sql: client.query(sql)):
            with contextlib.suppress(psycopg.Error, oml.DatabaseError):  # the last is new in 16
                connection(f"SET {setting}")
    try:
        counted = (
            "SELECT sum(i) AS s, count(DISTINCT t) AS n, "
            "count(*) FILTER (WHERE i > 10) AS m FROM read_in_parallel"
        )
        assert oml.sync(query=counted).pull().iloc[0].tolist() == [5000050000, 100000, 99990]
        whole = oml.sync(query="SELECT i, t FROM read_in_parallel WHERE i % 1000 < 999").pull()
        assert len(whole) == 99_900 and whole["t"].nunique() == 99_900
        plan = conn.execute("EXPLAIN SELECT i, t FROM read_in_parallel WHERE i % 1000 < 999")
        assert any("Gather" in row[0] for row in plan.fetchall())
        call = "SELECT length(pyqsys.query_batches('SELECT i, t FROM read_in_parallel'))"
        assert len(conn.execute(f"{call} LIMIT 1").fetchall()) == 1
        with pytest.raises(psycopg.errors.DivisionByZero):
            conn.execute(
                "SELECT pyqsys.query_batches('SELECT 1 / (i - 500) FROM read_in_parallel')"
            )
        assert len(conn.execute(call).fetchall()) > 1
    finally:
        conn.execute("DROP TABLE read_in_parallel")


def test_subtransactions_and_held_cursors(conn: psycopg.Connection[Any]) -> None:
    query = "SELECT i FROM generate_series(1, 100000) AS i"
    count = conn.execute("SELECT count(*) FROM (SELECT pyqsys.query_batches(%s)) AS q", (query,))
    (wanted,) = count.fetchone() or (0,)
    for ends in ("ROLLBACK TO s", "RELEASE s"):
        conn.execute("BEGIN")
        conn.execute(f"DECLARE c CURSOR FOR SELECT length(pyqsys.query_batches('{query}'))")
        conn.execute("SAVEPOINT s")
        assert len(conn.execute("FETCH 1 FROM c").fetchall()) == 1
        conn.execute(ends)
        assert len(conn.execute("FETCH ALL FROM c").fetchall()) == wanted - 1
        conn.execute("COMMIT")
    conn.execute("BEGIN")
    conn.execute(f"DECLARE c CURSOR WITH HOLD FOR SELECT length(pyqsys.query_batches('{query}'))")
    conn.execute("FETCH 1 FROM c")
    conn.execute("COMMIT")
    assert len(conn.execute("FETCH ALL FROM c").fetchall()) == wanted - 1
    conn.execute("CLOSE c")


def test_rights_and_statements(conn: psycopg.Connection[Any]) -> None:
    conn.execute("CREATE TABLE secret_rows AS SELECT 1 AS x")
    conn.execute("CREATE TABLE own_rows AS SELECT 'mine' AS who UNION SELECT 'theirs'")
    conn.execute("CREATE ROLE batch_reader")
    conn.execute("GRANT SELECT ON own_rows TO batch_reader")
    conn.execute("ALTER TABLE own_rows ENABLE ROW LEVEL SECURITY")
    conn.execute("CREATE POLICY own ON own_rows TO batch_reader USING (who = 'mine')")
    try:
        conn.execute("SET ROLE batch_reader")
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            conn.execute("SELECT pyqsys.query_batches('secret_rows')")
        (row,) = conn.execute("SELECT pyqsys.query_batches('own_rows')").fetchall()
        assert [length for length, _ in _batches.read(row[0])] == [1]
        deleting = "WITH d AS (DELETE FROM own_rows RETURNING 1) SELECT * FROM d"
        for wrong in (deleting, "SELECT 1; SELECT 2"):
            with pytest.raises(psycopg.Error):
                conn.execute("SELECT pyqsys.query_batches(%s)", (wrong,))
    finally:
        conn.execute("RESET ROLE")
        conn.execute("DROP TABLE secret_rows, own_rows")
        conn.execute("DROP ROLE batch_reader")


def test_batches_become_rows_again(everything: str, conn: psycopg.Connection[Any]) -> None:
    described = conn.execute(
        "SELECT string_agg(quote_ident(attname) || ' ' || format_type(atttypid, atttypmod), ', ' "
        "ORDER BY attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 1 "
        "AND substr(attname, 2)::int < %s",
        (everything, len(VALUES)),
    ).fetchone()
    assert described is not None
    names = ", ".join(f"n{number}, v{number}" for number in range(len(VALUES)))
    usual = f"SELECT {names} FROM {everything}"
    conn.execute(
        "CREATE TEMP TABLE again AS SELECT r.* FROM "
        f"(SELECT pyqsys.query_batches('{usual}', true) AS b OFFSET 0) AS q, "
        f"LATERAL pyqsys.batch_rows(q.b) AS r({described[0]})"
    )
    lost = "SELECT t::text FROM {} AS t EXCEPT ALL SELECT t::text FROM {} AS t"
    for first, second in ((f"({usual})", "again"), ("again", f"({usual})")):
        assert conn.execute(lost.format(first, second)).fetchall() == []
    conn.execute("DROP TABLE again")
    for number, sql_type in enumerate(UNUSUAL, len(VALUES)):
        with pytest.raises(psycopg.errors.FeatureNotSupported):
            conn.execute(
                f"SELECT r.* FROM (SELECT pyqsys.query_batches('SELECT v{number} FROM "
                f"{everything}') AS b OFFSET 0) AS q, LATERAL pyqsys.batch_rows(q.b) "
                f"AS r(x {sql_type})"
            )


def test_hostile_batches(conn: psycopg.Connection[Any]) -> None:
    """Every byte changed, and every length cut, is an error or other rows; the session lives."""
    pid = conn.execute("SELECT pg_backend_pid()").fetchone()
    query = (
        "SELECT i, i::text AS t, ''x'' AS d, ARRAY[i, 2] AS a, ROW(i, NULL) AS r, "
        "''infinity''::date AS u, NULL::int AS n FROM generate_series(1, 5) AS i"
    )
    row = conn.execute(f"SELECT pyqsys.query_batches('{query}')").fetchone()
    assert row is not None
    good = bytes(row[0])
    into = "AS r(i int, t text, d text, a int[], r text, u date, n int)"
    failures = 0
    for place in range(len(good)):
        for bad in (
            good[:place],
            *(
                good[:place] + bytes([good[place] ^ mask]) + good[place + 1 :]
                for mask in (1, 128, 255)
            ),
        ):
            try:
                conn.execute(f"SELECT * FROM pyqsys.batch_rows(%s) {into}", (bad,))
            except psycopg.Error as error:
                assert error.sqlstate not in ("XX000", None), (place, error)
                failures += 1
    assert failures > len(good)
    assert conn.execute("SELECT pg_backend_pid()").fetchone() == pid
    for text in (b"", b"OMLB", b"\0" * 1000):
        with pytest.raises(psycopg.Error) as caught:
            conn.execute("SELECT * FROM pyqsys.batch_rows(%s) AS r(a int)", (text,))
        assert caught.value.sqlstate == "22P03"
    with pytest.raises(psycopg.errors.DatatypeMismatch):
        conn.execute("SELECT * FROM pyqsys.batch_rows(%s) AS r(a int)", (good,))


# -------------------------------------------------------------------------------------- create()

CREATE = """
def create_from_pickle(hexed, name):
    import pickle
    import oml
    oml.create(pickle.loads(bytes.fromhex(hexed)), table=name)
    return 1
"""


def frame_of_kinds() -> pandas.DataFrame:
    """A column of each kind of value that create() knows, with and without NULLs."""
    zone = datetime.timezone(datetime.timedelta(hours=-3))
    columns: dict[str, list[Any]] = {
        "integer": [1, -(2**63), 2**63 - 1],
        "huge": [10**30, -1, 0],
        "float": [0.1, float("inf"), -0.0],
        "truth": [True, False, True],
        "text": ["", "äöü€𝄞", "a'b\\c\n"],
        "ascii": ["x", "yy", "zzz"],
        "decimal": [decimal.Decimal("0.10"), decimal.Decimal("NaN"), decimal.Decimal("-1E+5")],
        "bytes": [b"", b"\0\xff", b"abc"],
        "naive": [
            datetime.datetime(2024, 2, 29, 12, 34, 56, 789012),
            datetime.datetime(1, 1, 1),
            datetime.datetime(9999, 12, 31, 23, 59, 59, 999999),
        ],
        "aware": [
            datetime.datetime(2024, 2, 29, 12, tzinfo=zone),
            datetime.datetime(1970, 1, 1, tzinfo=datetime.timezone.utc),
            datetime.datetime(1900, 1, 1, tzinfo=zone),
        ],
        "date": [datetime.date(2024, 2, 29), datetime.date(1, 1, 1), datetime.date(9999, 12, 31)],
        "time": [datetime.time(12, 34, 56, 789), datetime.time(0), datetime.time.max],
        "span": [datetime.timedelta(days=-1, microseconds=1), datetime.timedelta(0), DAY * 400],
        "uuid": [uuid.UUID(int=0), uuid.UUID(int=2**128 - 1), uuid.UUID(int=7)],
        "json": [{"a": [1, None, "é"]}, [], {"b": {}}],
    }
    frame = {}
    for name, values in columns.items():
        frame[name] = pandas.Series(values * 3, dtype=object)
        frame[f"{name}_null"] = pandas.Series(
            [values[0], None, *values[1:]] * 2 + [None], dtype=object
        )
    result = pandas.DataFrame(frame)
    result["int32"] = numpy.arange(len(result), dtype="i4")
    result["float32"] = numpy.array([0.5, numpy.nan, 1.5] * 3, "f4")
    result["datetime64"] = pandas.to_datetime(
        ["2024-01-01 00:00:00.123456", None, "1970-01-01"] * 3
    )
    result["zoned"] = result["datetime64"].dt.tz_localize("Europe/Berlin")
    return result


def test_long_arrays_are_cancelled(conn: psycopg.Connection[Any]) -> None:
    """The check of the third element cancels the statement; a sequence counts the checks."""
    conn.execute("CREATE SEQUENCE checks")
    conn.execute(
        "CREATE DOMAIN counted AS int CHECK (nextval('checks') <> 3"
        " OR pg_cancel_backend(pg_backend_pid()))"
    )
    try:
        with pytest.raises(psycopg.errors.QueryCanceled):
            conn.execute(
                "SELECT t.a FROM pyqsys.query_batches('SELECT array_agg(i)"
                " FROM generate_series(1, 100000) AS i') AS b,"
                " pyqsys.batch_rows(b) AS t(a counted[])"
            )
        count = conn.execute("SELECT last_value FROM checks").fetchone()
        assert count is not None and 3 <= count[0] < 10_000
    finally:
        conn.execute("DROP DOMAIN counted")
        conn.execute("DROP SEQUENCE checks")


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_create_in_an_engine(
    engine: str, client: Any, conn: psycopg.Connection[Any], make_script: Callable[..., str]
) -> None:
    """The table is the one that a client makes by COPY."""
    del client
    frame = frame_of_kinds()
    make_script("create_from_pickle", CREATE)
    conn.execute(f"SET oml_epe.engine = {engine}")
    try:
        conn.execute(
            "SELECT * FROM pyq_eval(jsonb_build_object('hexed', %s::text, 'name', 'made_inside'), "
            "NULL::int, 'create_from_pickle')",
            (pickle.dumps(frame, protocol=4).hex(),),
        )
        oml.create(frame, table="made_outside")
        types = (
            "SELECT string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' "
            "ORDER BY attnum) FROM pg_attribute WHERE attrelid = %s::regclass AND attnum > 0"
        )
        inside = conn.execute(types, ("made_inside",)).fetchone()
        assert inside == conn.execute(types, ("made_outside",)).fetchone()
        order = "SELECT t::text FROM {} AS t ORDER BY int32"
        inside_rows = conn.execute(order.format("made_inside")).fetchall()
        assert len(inside_rows) == 9
        assert inside_rows == conn.execute(order.format("made_outside")).fetchall()
    finally:
        conn.execute("DROP TABLE IF EXISTS made_inside, made_outside")


ODD = """
def create_odd(kind):
    import numpy
    import pandas
    import oml
    if kind == "nul":
        frame = pandas.DataFrame({"t": ["a", "b" + chr(0)]})
    elif kind == "large":
        frame = pandas.DataFrame({"t": [c * 30_000_000 for c in "abcdefgh"], "i": range(8)})
    elif kind == "many":
        numbers = numpy.arange(200_001)
        frame = pandas.DataFrame({"i": numbers, "t": numbers.astype(str)})
    else:
        frame = pandas.DataFrame({"i": [1, 2]})
    try:
        dbtypes = {"i": "int4"} if kind == "cast" else None
        oml.create(frame, table="odd_table", dbtypes=dbtypes)
    except oml.DatabaseError as error:
        return f"{error.sqlstate}"
    return "made"
"""


@pytest.mark.parametrize("engine", ["backend", "process"])
def test_odd_tables_in_an_engine(
    engine: str, conn: psycopg.Connection[Any], make_script: Callable[..., str]
) -> None:
    make_script("create_odd", ODD)
    conn.execute(f"SET oml_epe.engine = {engine}")

    def run(kind: str) -> Any:
        call = (
            "SELECT * FROM pyq_eval(jsonb_build_object('kind', %s::text), "
            "'{\"r\": \"text\"}', 'create_odd') AS t(r text)"
        )
        return (conn.execute(call, (kind,)).fetchone() or (None,))[0]

    assert run("nul").startswith("22")
    assert conn.execute("SELECT to_regclass('odd_table')").fetchone() == (None,)
    wanted = {
        "large": ("SELECT count(*), sum(length(t)), sum(i) FROM odd_table", (8, 240_000_000, 28)),
        "many": (
            "SELECT count(*), sum(i), sum(t::int) FROM odd_table",
            (200_001, *[20000100000] * 2),
        ),
        "cast": (
            "SELECT count(*), sum(i), min(pg_typeof(i)::text) FROM odd_table",
            (2, 3, "integer"),
        ),
    }
    for kind, (sql, row) in wanted.items():
        assert run(kind) == "made"
        assert conn.execute(sql).fetchone() == row
        conn.execute("DROP TABLE odd_table")
