"""Plain scans of tables, which are read page by page, against the executor's rows.

The same query with a LIMIT that keeps all rows has another plan, whose rows come from the executor
one by one: batches must be equal byte by byte.
"""

from __future__ import annotations

import json
import random
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from conftest import Connect, Server
from psycopg import Connection
from random_tables import RandomTable
from type_cases import PREAMBLE

SCHEMA = "page_reader"
BY_PAGE = "reading the input page by page"
# Plans as they are, whatever the tests before have left behind.
SETTINGS = "SET enable_indexscan = off; SET enable_bitmapscan = off; SET enable_tidscan = off"
SCRIPTS = {
    "pages_digest": """
import hashlib

def digest(dat):
    columns = dat.to_dict("list") if hasattr(dat, "to_dict") else dat
    text = repr(columns if isinstance(columns, dict) else columns.tolist())
    return [(len(dat), hashlib.sha256(text.encode()).hexdigest())]
""",
    "pages_ids": "def ids(dat): return [(int(i),) for i in dat['id']]",
    "pages_write": """
import oml

def write(dat, table):
    cursor = oml.cursor()
    cursor.execute(f"DELETE FROM {table} WHERE id % 2 = 0")
    cursor.execute(f"UPDATE {table} SET id = id + 1000000 WHERE id % 3 = 0")
    cursor.execute(f"INSERT INTO {table} SELECT i, 'new' FROM generate_series(1, 100) AS i")
    return [(int(i),) for i in dat['id']]
""",
    "pages_few": """
def few(dat):
    for frame in dat:
        return len(frame)
""",
    "pages_truncate": """
import oml

def truncate(dat, table):
    oml.cursor().execute(f"TRUNCATE {table}")
    oml.cursor().execute(f"ALTER TABLE {table} ADD later int")
    return len(dat)
""",
    "pages_sum": "def total(dat): return float(dat.sum())",
}


@pytest.fixture(scope="module")
def pages(module_conn: Connection[Any]) -> Iterator[Connection[Any]]:
    """A connection with the types and scripts."""
    module_conn.execute(f"CREATE SCHEMA {SCHEMA}")
    module_conn.execute(f"SET search_path = {SCHEMA}, public")
    module_conn.execute(SETTINGS)
    module_conn.execute(PREAMBLE)
    for name, source in SCRIPTS.items():
        module_conn.execute("SELECT pyq_script_create(%s, %s)", (name, source))
    yield module_conn
    module_conn.execute("RESET ALL")
    for name in SCRIPTS:
        module_conn.execute("SELECT pyq_script_drop(%s)", (name,))
    module_conn.execute(f"SET client_min_messages = error; DROP SCHEMA {SCHEMA} CASCADE")


def rows_of(connection: Connection[Any], statement: str, *parameters: object) -> list[Any]:
    return connection.execute(statement, parameters or None).fetchall()  # type: ignore[call-overload]


def reads_pages(connection: Connection[Any], query: str) -> bool:
    """Return whether the input `query` is read page by page."""
    notices: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        notices.append(diagnostic.message_primary or "")

    connection.add_notice_handler(note)
    connection.execute("SET client_min_messages = debug2")
    try:
        rows_of(connection, "SELECT length(pyqsys.query_batches(%s))", query)
    finally:
        connection.execute("RESET client_min_messages")
        connection.remove_notice_handler(note)
    return BY_PAGE in notices


def outcome(connection: Connection[Any], statement: str, *parameters: object) -> Any:
    """Return the rows, or the error with the position in the input."""
    try:
        return rows_of(connection, statement, *parameters)
    except psycopg.Error as error:
        assert error.sqlstate != "XX000" and error.sqlstate != "XX001"
        return error.sqlstate, error.diag.message_primary, error.diag.context


def assert_same(connection: Connection[Any], query: str) -> None:
    """Compare batches, a whole frame, chunks, and rows without NULL of both ways of reading."""
    by_executor = f"{query} LIMIT 1000000000"
    assert reads_pages(connection, query) and not reads_pages(connection, by_executor)
    calls: list[tuple[str, tuple[object, ...]]]
    calls = [("SELECT pyqsys.query_batches(%s, %s)", (exact,)) for exact in (False, True)]
    digest = "SELECT * FROM {}(%s, %s, {} 'pages_digest') AS t(n int, digest text)"
    for controls in ({}, {"oml_input_type": "numpy.recarray"}, {"oml_na_omit": True}):
        text = json.dumps({"oml_numeric": "decimal", **controls})
        calls.append((digest.format("pyq_table_eval", "NULL,"), (text,)))
    calls.append((digest.format("pyq_row_eval", "NULL, 7,"), ("{}",)))
    for statement, parameters in calls:
        found = outcome(connection, statement, query, *parameters)
        wanted = outcome(connection, statement, by_executor, *parameters)
        assert found == wanted, (statement, parameters, query)
    # An oracle that shares no code with either.
    inner = f"SELECT count(*) FROM ({query}) AS q"
    counted = rows_of(connection, digest.format("pyq_table_eval", "NULL,"), query, "{}")[0][0]
    assert counted == rows_of(connection, inner)[0][0]


@pytest.mark.parametrize("seed", range(24))
def test_random_tables(pages: Connection[Any], connect: Connect, seed: int) -> None:
    name = f"random_{seed}"
    table = RandomTable(pages, name, seed)
    table.change(steps=8)
    try:
        for _ in range(2):
            assert_same(pages, f"SELECT {table.targets()} FROM {name} {table.qualification()}")
        with table.in_flight(connect):
            for _ in range(2):
                assert_same(pages, f"SELECT {table.targets()} FROM {name} {table.qualification()}")
        assert_same(pages, f"SELECT * FROM {name}")
    finally:
        pages.execute(f"DROP TABLE {name}")


def test_changes_of_the_own_transaction(pages: Connection[Any]) -> None:
    table = RandomTable(pages, "own_changes", 1)
    table.change(steps=4)
    pages.execute("BEGIN")
    table.update()
    table.insert(50)
    pages.execute("SAVEPOINT s")
    table.delete()
    assert_same(pages, "SELECT * FROM own_changes")
    pages.execute("ROLLBACK TO s")
    assert_same(pages, "SELECT * FROM own_changes")
    pages.execute("ROLLBACK")
    pages.execute("DROP TABLE own_changes")


def test_partitions_with_columns_in_another_order(pages: Connection[Any]) -> None:
    pages.execute(
        "CREATE TABLE parts (id int, t text, f float8, g int) PARTITION BY RANGE (id);"
        "CREATE TABLE parts_1 PARTITION OF parts FOR VALUES FROM (0) TO (1000);"
        "CREATE TABLE parts_2 (gone uuid, g int, f float8, later text, id int, t text);"
        "ALTER TABLE parts_2 DROP gone, DROP later;"
        "ALTER TABLE parts ATTACH PARTITION parts_2 FOR VALUES FROM (1000) TO (2000);"
        "CREATE TABLE parts_3 PARTITION OF parts FOR VALUES FROM (2000) TO (3000);"
        "INSERT INTO parts SELECT i, 't' || i % 50, nullif(i % 9, 3), i % 4"
        " FROM generate_series(0, 1999) AS i"
    )
    queries = ("SELECT * FROM parts", "SELECT g, t FROM parts WHERE f > 2 AND g <> 1",
               "SELECT t, id FROM parts WHERE id < 1500", "SELECT f FROM parts WHERE id < 10",
               "SELECT * FROM parts WHERE id > 2500")  # fmt: skip
    for query in queries:
        assert_same(pages, query)
    seen = rows_of(pages, "SELECT * FROM pyq_row_eval('SELECT id, t FROM parts', NULL, NULL, 300,"
                          " 'pages_ids') AS t(id int)")  # fmt: skip
    assert seen == [(i,) for i in range(2000)]
    pages.execute("DROP TABLE parts")


def test_inheritance(pages: Connection[Any]) -> None:
    pages.execute(
        "CREATE TABLE parent (id int, t text); CREATE TABLE child (extra int) INHERITS (parent);"
        "INSERT INTO parent VALUES (1, 'a'), (2, NULL); INSERT INTO child VALUES (3, 'b', 4)"
    )
    assert_same(pages, "SELECT * FROM parent")
    assert_same(pages, "SELECT t FROM parent WHERE t IS NULL")
    pages.execute("DROP TABLE parent CASCADE")


def test_matrices(pages: Connection[Any]) -> None:
    pages.execute(
        "CREATE TABLE numbers AS SELECT i::int2 AS a, i AS b, i::int8 AS c, i::float4 / 3 AS d,"
        " i / 7.0::float8 AS e, i / 9.0 AS f, nullif(i % 50, 7)::oid AS g"
        " FROM generate_series(1, 3000) AS i"
    )
    sums = [
        rows_of(
            pages,
            "SELECT value FROM pyq_table_eval(%s, %s, NULL::pyq_json, 'pages_sum')",
            query,
            '{"oml_input_type": "numpy.ndarray"}',
        )
        for query in (
            "SELECT a, b, c, d, e, f FROM numbers",
            "SELECT a, b, c, d, e, f FROM numbers LIMIT 100000",
        )
    ]
    assert sums[0] == sums[1]
    (wanted,) = rows_of(pages, "SELECT sum(a + b + c + d::float8 + e + f::float8) FROM numbers")
    assert abs(float(sums[0][0][0]) - wanted[0]) < 1e-6 * wanted[0]
    assert_same(pages, "SELECT g, a FROM numbers")
    pages.execute("DROP TABLE numbers")


PLANS = [
    ("SELECT * FROM plain", True),
    ("SELECT id FROM plain WHERE t LIKE 'a%' OR id < 5", True),
    ("SELECT t, t, id FROM plain", True),
    ("SELECT * FROM (SELECT t, id FROM plain) AS q", True),
    ("TABLE plain_view", True),
    ("SELECT * FROM plain WHERE id < (SELECT 5)", False),
    ("SELECT * FROM plain AS p WHERE EXISTS (SELECT p.id OFFSET 0)", False),
    ("SELECT * FROM plain WHERE random() < 2", False),
    ("SELECT ctid, id FROM plain", False),
    ("SELECT tableoid FROM plain", False),
    ("SELECT plain FROM plain", False),
    ("SELECT id + 1 FROM plain", False),
    ("SELECT id FROM plain TABLESAMPLE SYSTEM (100)", False),
    ("SELECT id FROM plain ORDER BY id", False),
    ("SELECT id FROM plain UNION ALL SELECT id FROM plain", True),
    ("SELECT id FROM plain UNION ALL SELECT 1", False),
    ("SELECT count(*) FROM plain", False),
    ("SELECT p.id FROM plain AS p JOIN plain AS q USING (id)", False),
    ("SELECT * FROM generate_series(1, 2) AS i", False),
]


def test_which_plans_are_read_by_page(pages: Connection[Any]) -> None:
    pages.execute(
        "CREATE TABLE plain AS SELECT i AS id, 'a' || i AS t FROM generate_series(1, 20) AS i;"
        "CREATE VIEW plain_view AS SELECT id, t FROM plain"
    )
    found = [(query, reads_pages(pages, query)) for query, _ in PLANS]
    assert found == PLANS
    pages.execute("DROP TABLE plain CASCADE")


def test_runs_that_are_measured_are_the_executors(pages: Connection[Any]) -> None:
    pages.execute("CREATE TABLE measured AS SELECT 1 AS id")
    assert reads_pages(pages, "measured")
    pages.execute("LOAD 'auto_explain'; SET auto_explain.log_nested_statements = on")
    pages.execute("SET auto_explain.log_analyze = on; SET auto_explain.log_min_duration = 0")
    try:
        assert not reads_pages(pages, "measured")
    finally:
        pages.execute("SET auto_explain.log_min_duration = -1; DROP TABLE measured")


def test_rows_that_a_script_writes_are_not_read(pages: Connection[Any]) -> None:
    for query in ("SELECT * FROM written", "SELECT * FROM written LIMIT 1000000"):
        pages.execute("CREATE TABLE written (id int, t text)")
        pages.execute("INSERT INTO written SELECT i, 'old' FROM generate_series(1, 2000) AS i")
        seen = rows_of(pages, "SELECT * FROM pyq_row_eval(%s, %s, NULL, 150, 'pages_write')"
                              " AS t(id int)", query, '{"table": "written"}')  # fmt: skip
        assert seen == [(i,) for i in range(1, 2001)]
        pages.execute("DROP TABLE written")


def test_script_may_alter_a_table_that_has_been_read(pages: Connection[Any]) -> None:
    """A whole input is read before the script runs."""
    pages.execute("CREATE TABLE altered AS SELECT i AS id FROM generate_series(1, 500) AS i")
    (row,) = rows_of(pages, "SELECT * FROM pyq_table_eval('altered', %s, NULL::int,"
                            " 'pages_truncate')", '{"table": "altered"}')  # fmt: skip
    assert row == (500,)
    assert rows_of(pages, "SELECT * FROM altered") == []
    pages.execute("DROP TABLE altered")


def test_reading_that_ends_early_releases_everything(
    pages: Connection[Any], server: Server
) -> None:
    pages.execute("CREATE TABLE ended AS SELECT i AS id, repeat(md5(i::text), 16) AS t"
                  " FROM generate_series(1, 100000) AS i")  # fmt: skip
    server.read_new_log()
    call = "SELECT * FROM pyq_table_eval('ended', %s, NULL::int, 'pages_few')"
    for _ in range(3):
        pages.execute("BEGIN")
        (row,) = rows_of(pages, call, '{"oml_input_type": "iterator"}')
        assert 0 < row[0] < 100000
        pages.execute("DECLARE c CURSOR FOR SELECT length(pyqsys.query_batches('ended'))")
        pages.execute("SAVEPOINT s")
        assert len(rows_of(pages, "FETCH 2 FROM c")) == 2
        pages.execute("ROLLBACK TO s")
        assert len(rows_of(pages, "FETCH 2 FROM c")) == 2
        pages.execute("CLOSE ALL")
        pages.execute("TRUNCATE ended")
        pages.execute("ROLLBACK")
    with pytest.raises(psycopg.errors.DivisionByZero):
        rows_of(pages, "SELECT pyqsys.query_batches('SELECT * FROM ended WHERE 1/(id-9999) < 2')")
    log = server.log_path.read_text(errors="replace")
    assert "leak" not in log and "was not closed" not in log
    pages.execute("DROP TABLE ended")


def test_error_names_its_row_and_column(pages: Connection[Any]) -> None:
    pages.execute(
        "CREATE TABLE too_large (id int, n numeric, t text);"
        "INSERT INTO too_large SELECT i, i, 't' FROM generate_series(1, 1000) AS i;"
        "UPDATE too_large SET n = 10::numeric ^ 400 WHERE id = 777"
    )
    pages.execute("VACUUM FULL too_large")
    errors = [
        outcome(pages, "SELECT pyqsys.query_batches(%s)", query)
        for query in ("SELECT * FROM too_large", "SELECT * FROM too_large LIMIT 10000")
    ]
    assert errors[0] == errors[1] and errors[0][0] == "22003"
    whole = "SELECT * FROM pyq_table_eval(%s, NULL, NULL::int, 'pages_ids')"
    for query in ("SELECT * FROM too_large", "SELECT * FROM too_large LIMIT 9999"):
        assert outcome(pages, whole, query)[::2] == (
            "22003", f'column "n", row 1000 of the input\nSQL statement "{query}"'
        )  # fmt: skip
    pages.execute("DROP TABLE too_large")


def test_statistics_count_rows_and_scans(pages: Connection[Any]) -> None:
    def counted(query: str) -> tuple[int, int]:
        pages.execute("DROP TABLE IF EXISTS counted; CREATE TABLE counted AS SELECT i AS id"
                      " FROM generate_series(1, 3000) AS i")  # fmt: skip
        rows_of(pages, "SELECT length(pyqsys.query_batches(%s))", query)
        if pages.info.server_version >= 150000:
            pages.execute("SELECT pg_stat_force_next_flush()")
        while True:
            found = rows_of(pages, "SELECT seq_scan, seq_tup_read FROM pg_stat_all_tables"
                                   " WHERE relname = 'counted'")  # fmt: skip
            if found and found[0][0]:
                return int(found[0][0]), int(found[0][1])

    for where in ("", "WHERE id % 100 = 0", "WHERE id < 0"):
        query = f"SELECT * FROM counted {where}"
        assert counted(query) == counted(f"{query} LIMIT 100000") == (1, 3000)
    pages.execute("DROP TABLE counted")


def test_serializable_transactions_conflict(pages: Connection[Any], connect: Connect) -> None:
    """Write skew: each transaction reads all rows and writes one. One of them must fail."""
    for query in ("skewed", "SELECT * FROM skewed WHERE v >= 0"):
        pages.execute("DROP TABLE IF EXISTS skewed; CREATE TABLE skewed AS SELECT i AS id, 0 AS v"
                      " FROM generate_series(1, 2) AS i")  # fmt: skip
        sessions = [connect(), connect()]
        for number, session in enumerate(sessions, 1):
            session.execute(f"SET search_path = {SCHEMA}, public")
            session.execute("BEGIN ISOLATION LEVEL SERIALIZABLE")
            rows_of(session, "SELECT length(pyqsys.query_batches(%s))", query)
            locks = rows_of(session, "SELECT mode FROM pg_locks WHERE pid = pg_backend_pid()"
                            " AND relation = 'skewed'::regclass AND locktype = 'relation'"
                            " ORDER BY mode")  # fmt: skip
            assert ("SIReadLock",) in locks
            session.execute(f"UPDATE skewed SET v = 1 WHERE id = {number}")
        sessions[0].execute("COMMIT")
        with pytest.raises(psycopg.errors.SerializationFailure):
            sessions[1].execute("COMMIT")
    pages.execute("DROP TABLE skewed")


def test_row_security_and_column_privileges(pages: Connection[Any]) -> None:
    """Functions of a qualification see only the rows that the policy passes."""
    pages.execute(
        f"CREATE ROLE page_reader_role; GRANT USAGE ON SCHEMA {SCHEMA} TO page_reader_role;"
        "CREATE TABLE secured AS SELECT i AS id, 'secret' || i AS t"
        " FROM generate_series(1, 100) AS i;"
        "GRANT SELECT (id) ON secured TO page_reader_role;"
        "ALTER TABLE secured ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY few ON secured TO page_reader_role USING (id <= 10);"
        "CREATE FUNCTION tell(int) RETURNS bool LANGUAGE plpgsql STABLE COST 0.0001 AS"
        " $$ BEGIN RAISE NOTICE 'saw %', $1; RETURN true; END $$"
    )
    notices: list[str] = []

    def note(diagnostic: psycopg.errors.Diagnostic) -> None:
        notices.append(diagnostic.message_primary or "")

    batches = "SELECT pyqsys.query_batches(%s)"
    query = "SELECT id FROM secured WHERE tell(id)"
    pages.add_notice_handler(note)
    pages.execute("SET ROLE page_reader_role")
    try:
        with pytest.raises(psycopg.errors.InsufficientPrivilege):
            rows_of(pages, batches, "secured")
        found = rows_of(pages, batches, query)
        assert notices == [f"saw {i}" for i in range(1, 11)]
        assert found == rows_of(pages, batches, f"{query} LIMIT 1000")
        assert reads_pages(pages, query)
    finally:
        pages.remove_notice_handler(note)
        pages.execute("RESET ROLE; DROP TABLE secured; DROP FUNCTION tell")
        pages.execute("DROP OWNED BY page_reader_role; DROP ROLE page_reader_role")


DAMAGED = "page_reader_damaged"


@pytest.fixture(scope="module")
def intact(server: Server, pages: Connection[Any]) -> Iterator[tuple[Path, bytes]]:
    """The file of a table in a template database, and its contents."""
    pages.execute(f"DROP DATABASE IF EXISTS {DAMAGED}")
    pages.execute(f"CREATE DATABASE {DAMAGED}")
    with server.connect(DAMAGED) as template:
        template.execute("CREATE EXTENSION oml_epe")
        template.execute(
            "CREATE TABLE damaged AS SELECT i AS a, CASE WHEN i % 5 > 0 THEN i / 4.0::float8 END AS"
            " b, repeat('middle', i % 9) AS c, i / 7.0 AS d, now()::timestamp AS e,"
            " decode(md5(i::text), 'hex') AS f, i::int2 AS g FROM generate_series(1, 200) AS i"
        )
        folder, file = template.execute(
            "SELECT current_setting('data_directory'), pg_relation_filepath('damaged')"
        ).fetchone() or ("", "")
    path = Path(folder, file)
    pages.execute("CHECKPOINT")
    yield path, path.read_bytes()
    pages.execute(f"DROP DATABASE {DAMAGED}")


def read_damaged(
    server: Server, admin: Connection[Any], path: Path, page: bytes, queries: list[str]
) -> list[Any]:
    """Return the outcomes of reading a table with these contents, whose pages are in no buffer."""
    path.write_bytes(page)
    strategy = "STRATEGY file_copy" if admin.info.server_version >= 150000 else ""
    admin.execute(f"CREATE DATABASE {DAMAGED}_copy TEMPLATE {DAMAGED} {strategy}")
    try:
        with server.connect(f"{DAMAGED}_copy") as connection:
            connection.execute("SET ignore_checksum_failure = on")
            found: list[Any] = []
            for query in queries:
                try:
                    found.append(rows_of(connection, "SELECT pyqsys.query_batches(%s)", query))
                except psycopg.Error as error:
                    found.append((error.sqlstate, error.diag.message_primary))
            return found
    finally:
        admin.execute(f"DROP DATABASE {DAMAGED}_copy WITH (FORCE)")


def line_pointer(page: bytes, number: int) -> tuple[int, int]:
    """Return offset and length of a tuple."""
    (item,) = struct.unpack_from("<I", page, 24 + 4 * number)
    return item & 0x7FFF, item >> 17


def damages(page: bytes) -> Iterator[tuple[str, bytes, str]]:
    """Yield what is damaged, the page and the SQLSTATE with which the page reader fails."""
    offset, length = line_pointer(page, 10)
    header = page[offset + 22]  # t_hoff

    def changed(at: int, new: bytes) -> bytes:
        return page[:at] + new + page[at + len(new) :]

    pointer = 24 + 4 * 10
    yield "page header", changed(12, b"\xff\xff"), "XX001"
    yield "xmin", changed(offset, struct.pack("<I", 4_000_000_000)), "58P01"
    yield "a varlena of 512 MB", changed(offset + header + 16, b"\x00\x00\x00\x80"), "XX001"
    yield "a short varlena too long", changed(offset + header + 16, b"\xff"), "XX001"
    yield "a shorter tuple", changed(pointer + 2, struct.pack("<H", (length - 20) << 1)), "XX001"
    yield "a tuple without data", changed(pointer + 2, struct.pack("<H", header << 1)), "XX001"
    yield "data behind the tuple", changed(offset + 22, b"\xf8"), "XX001"
    yield "data in the header", changed(offset + 22, b"\x10"), "XX001"


def test_corrupt_tuples(server: Server, pages: Connection[Any], intact: tuple[Path, bytes]) -> None:
    path, page = intact
    for name, damaged, state in damages(page):
        queries = ["SELECT * FROM damaged", "SELECT g FROM damaged WHERE a IS NOT NULL"]
        if name in ("page header", "xmin"):  # found before the tuple is deformed
            queries.append("SELECT * FROM damaged LIMIT 100000")
        found = read_damaged(server, pages, path, damaged, queries)
        assert {outcome[0] for outcome in found} == {state}, (name, found)
        assert found[0] == found[-1] or name not in ("page header", "xmin")


def test_random_damage(server: Server, pages: Connection[Any], intact: tuple[Path, bytes]) -> None:
    """Any damage is an error of the statement or other rows, never the end of the server."""
    path, page = intact
    for seed in range(25):
        chance = random.Random(seed)
        damaged = bytearray(page)
        for _ in range(chance.choice((1, 5, 40))):
            offset, length = line_pointer(page, chance.randrange(30))
            damaged[offset + 18 + chance.randrange(length - 18)] = chance.randrange(256)
        for found in read_damaged(server, pages, path, bytes(damaged), ["damaged"]):
            assert isinstance(found, list) or found[0].startswith(("XX", "58")), (seed, found)
    server.fail_on_signal_death()
