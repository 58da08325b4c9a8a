"""The report of a failed script: the error, its context, its output, and their order."""

# check_sizes: a list of short cases of one subject: what a caller sees of an error.

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ENGINES
EVAL = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, 'script')"
Make = Callable[..., str]


@pytest.fixture
def script(make_script: Make) -> Callable[[str], None]:
    """A function that stores the script named `script`."""

    def make(source: str) -> None:
        make_script("script", source)

    return make


@pytest.fixture
def notices(conn: Connection[Any]) -> list[tuple[str, str]]:
    """(severity, message) of every notice that the session gets."""
    received: list[tuple[str, str]] = []
    conn.add_notice_handler(
        lambda diagnostic: received.append(
            (diagnostic.severity_nonlocalized or "", diagnostic.message_primary or "")
        )
    )
    return received


def fail(
    conn: Connection[Any], statement: str = EVAL, parameters: Any = ("{}",)
) -> psycopg.errors.Diagnostic:
    """Run a statement that must fail; return the error."""
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(statement, parameters)  # type: ignore[call-overload]
    return caught.value.diag


def assert_usable(conn: Connection[Any]) -> None:
    conn.execute("SELECT pyq_script_create('fine', 'def fine(n): return n', false, true)")
    row = conn.execute("SELECT * FROM pyq_eval('{\"n\": 3}', NULL::int, 'fine')").fetchone()
    assert row == (3,)
    row = conn.execute("SELECT count(*) FROM pg_cursors WHERE name <> ''").fetchone()
    assert row == (0,)


# --------------------------------------------------------------------------- message and SQLSTATE

TRAP_MESSAGE = "Trap: mine\nIgnored error getting __notes__: ZeroDivisionError()"
RAISED = {
    "plain": ("raise ValueError('broken')", "38000", "ValueError: broken"),
    "without a text": ("raise ValueError", "38000", "ValueError"),
    "several lines": ("raise ValueError('one\\ntwo')", "38000", "ValueError: one\ntwo"),
    "not ASCII": ("raise ValueError('größer als 3 €')", "38000", "ValueError: größer als 3 €"),
    "a surrogate": ("raise ValueError('bad \\udc80')", "38000", "ValueError: bad \\udc80"),
    "a null byte": ("raise ValueError('a\\0b')", "38000", None),
    "SystemExit": ("raise SystemExit(3)", "38000", "SystemExit: 3"),
    "sys.exit": ("import sys; sys.exit('bye')", "38000", "SystemExit: bye"),
    "KeyboardInterrupt": ("raise KeyboardInterrupt", "38000", "KeyboardInterrupt"),
    "GeneratorExit": ("raise GeneratorExit", "38000", "GeneratorExit"),
    "StopIteration": ("raise StopIteration", "38000", "StopIteration"),
    "MemoryError": ("raise MemoryError('no more')", "53200", "MemoryError: no more"),
    "real MemoryError": ("return len(bytearray(2 ** 62))", "53200", "MemoryError"),
    "RecursionError": (
        "return script()",
        "38000",
        "RecursionError: maximum recursion depth exceeded",
    ),
    "a group": (
        "raise ExceptionGroup('both', [ValueError(1), TypeError(2)])",
        "38000",
        "ExceptionGroup: both (2 sub-exceptions)",
    ),
    "a name": ("return unknown_name", "38000", "NameError: name 'unknown_name' is not defined"),
    "syntax at run time": ("eval('1 +')", "38000", None),
    "own SQLSTATE": ("raise Own('mine')", "22ABC", "Own: mine"),
    "a SQLSTATE of success": ("raise Success('mine')", "38000", "Success: mine"),
    "a SQLSTATE that is none": ("raise Wrong('mine')", "38000", "Wrong: mine"),
    "own __str__ that raises": ("raise Rude()", "38000", None),
    "own __str__ that returns no text": ("raise Mute()", "38000", None),
    "attributes that raise": ("raise Trap('mine')", "38000", TRAP_MESSAGE),
}
CLASSES = """
class Own(Exception):
    sqlstate = "22ABC"
    detail = "some detail"
    hint = "some hint"
class Success(Exception):
    sqlstate = "00000"
class Wrong(Exception):
    sqlstate = "22é"
class Rude(Exception):
    def __str__(self):
        raise ZeroDivisionError
class Mute(Exception):
    def __str__(self):
        return None
class Trap(Exception):
    def __getattr__(self, name):
        raise ZeroDivisionError
"""


@pytest.mark.parametrize("name", RAISED)
def test_exception(name, conn, script):
    statement, sqlstate, message = RAISED[name]
    script(f"{CLASSES}\ndef script():\n    {statement}\n")
    for _ in range(2):
        error = fail(conn)
        assert error.sqlstate == sqlstate
        assert error.severity_nonlocalized == "ERROR"
        if message is not None:
            assert error.message_primary == message
        assert error.message_primary
        assert error.context.startswith('script "postgres.script"')
        assert "oml_epe runtime" not in error.context
    assert_usable(conn)


def test_detail_and_hint_of_an_exception(conn, script):
    script(f"{CLASSES}\ndef script():\n    raise Own('mine')\n")
    error = fail(conn)
    assert (error.message_detail, error.message_hint) == ("some detail", "some hint")


def test_name_of_the_unprintable(conn, script):
    script(f"{CLASSES}\ndef script():\n    raise Rude()\n")
    assert "Rude" in fail(conn).message_primary


def test_traceback_with_source_lines(conn, script):
    script("def inner(x):\n    return 1 // x\n\ndef script():\n    return inner(0)\n")
    context = fail(conn).context.splitlines()
    assert context[:4] == [
        'script "postgres.script"',
        "Traceback (most recent call last):",
        '  File "<oml_epe script postgres.script>", line 5, in script',
        "    return inner(0)",
    ]
    assert "    return 1 // x" in context
    assert not any("ZeroDivisionError" in line for line in context)


@pytest.mark.parametrize("lines", [2, 6, 99, 100, 5000])
def test_traceback_of_an_expression_of_several_lines(lines, conn, script):
    """Python 3.13 and later mark all of its lines."""
    script("def script():\n    int(\n" + "        # no number\n" * (lines - 2) + "        'x')")
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(EVAL, ("{}",))
    assert caught.value.sqlstate == "38000"
    primary = caught.value.diag.message_primary
    assert primary == "ValueError: invalid literal for int() with base 10: 'x'"
    assert ", line 2, in script\n    int(" in caught.value.diag.context


def test_traceback_where_the_source_has_changed(conn, script):
    script("""
import linecache
def script():
    name = script.__code__.co_filename
    size, time, lines, full = linecache.cache[name]
    linecache.cache[name] = (size, time, lines[:9], full)
    int(

        # the cache ends above
        'x')
""")
    with pytest.raises(psycopg.Error) as caught:
        conn.execute(EVAL, ("{}",))
    assert caught.value.diag.message_primary.startswith("ValueError: invalid literal")
    assert ", line 7, in script" in caught.value.diag.context


def test_chained_exceptions(conn, script):
    script("""
def script():
    try:
        {}["key"]
    except KeyError as error:
        raise RuntimeError("second") from error
""")
    error = fail(conn)
    assert error.message_primary == "RuntimeError: second"
    assert "KeyError: 'key'" in error.context
    assert "direct cause" in error.context


def test_chain_that_bites_its_tail(conn, script):
    script("""
def script():
    one, two = ValueError("one"), ValueError("two")
    one.__cause__, two.__cause__ = two, one
    raise one
""")
    assert fail(conn).message_primary == "ValueError: one"
    assert_usable(conn)


def test_huge_message_is_shortened(conn, script):
    script("def script():\n    raise ValueError('x' * 50_000_000)\n")
    assert len(fail(conn).message_primary) < 100_000


def test_failure_at_load_is_not_remembered(conn, script):
    """The next call loads the script anew."""
    # Counted in the database: an engine that is slow to end after a failure is replaced.
    conn.execute("CREATE TEMP SEQUENCE epe_loads")
    script("""
import oml
(loads,) = oml.cursor().execute("SELECT nextval('epe_loads')").fetchone()
if loads < 3:
    raise ValueError(loads)
def script():
    return loads
""")
    assert fail(conn).message_primary == "ValueError: 1"
    assert "line 5, in <module>" in fail(conn).context
    assert conn.execute(EVAL, ("{}",)).fetchone() == (3,)


# ------------------------------------------------------------------------------- where it happened

PLACES = {
    "chunk": (
        "pyq_row_eval('SELECT generate_series(1, 10) AS x', NULL, NULL::int, 3, 'script')",
        "def script(dat):\n    return 1 // int(10 - dat.max())\n",
        'script "postgres.script", chunk 4 (rows 10 to 10)',
    ),
    "group": (
        "pyq_group_eval('SELECT * FROM (VALUES (''ä'', 1), (''ö'', 0)) AS t(g, x)', NULL,"
        " NULL::int, 'g', NULL, 'script')",
        "def script(dat):\n    return 1 // int(dat['x'][0])\n",
        'script "postgres.script", group "ö"',
    ),
    "index": (
        "pyq_index_eval(NULL::text, NULL::int, 3, 'script')",
        "def script(i):\n    return 1 // (3 - i)\n",
        'script "postgres.script", index 3',
    ),
    "generator": (
        "pyq_index_eval(NULL::text, NULL::int, 3, 'script')",
        "def script(i):\n    yield {'x': [i]}\n    yield {'x': [1 // (2 - i)]}\n",
        'script "postgres.script", index 2',
    ),
    "iterator": (
        "pyq_table_eval('SELECT generate_series(1, 10) AS x',"
        " '{\"oml_input_type\": \"iterator\"}', NULL::int, 'script')",
        "def script(rows):\n    return sum(1 // int(10 - part.max()) for part in rows)\n",
        'script "postgres.script"',
    ),
}


@pytest.mark.parametrize("name", PLACES)
def test_place(name, conn, script):
    call, source, place = PLACES[name]
    script(source)
    error = fail(conn, f"SELECT * FROM {call}", ())
    assert error.message_primary.startswith("ZeroDivisionError")
    assert error.context.splitlines()[0] == place
    assert_usable(conn)


def test_error_of_the_input_query_keeps_its_state(conn, script):
    """The query fails while it runs, after the first chunk has been worked on."""
    script("def script(dat):\n    return sum(1 for _ in dat)\n")
    for controls in ("{}", '{"oml_input_type": "iterator"}'):
        error = fail(
            conn,
            "SELECT * FROM pyq_table_eval('SELECT 1 / (5000 - x) AS y FROM"
            " generate_series(1, 10000) AS x', %s::jsonb, NULL::int, 'script')",
            (controls,),
        )
        assert error.sqlstate == "22012"
        assert error.message_primary == "division by zero"
    assert_usable(conn)


def test_error_of_an_iterated_query_cannot_be_swallowed(conn, script):
    script("""
def script(rows):
    while True:
        try:
            for part in rows:
                pass
            return 1
        except BaseException:
            pass
""")
    error = fail(
        conn,
        "SELECT * FROM pyq_table_eval('SELECT 1 / (90000 - x) AS y FROM"
        " generate_series(1, 100000) AS x',"
        " '{\"oml_input_type\": \"iterator\"}', NULL::int, 'script')",
        (),
    )
    assert error.sqlstate == "22012"
    assert_usable(conn)


# ------------------------------------------------------------------------------------------ output


def test_output_comes_before_the_error(conn, script, notices):
    script("""
import sys
def script():
    print("first")
    print("to stderr", file=sys.stderr)
    print("no end", end="")
    raise ValueError("now")
""")
    fail(conn)
    assert notices == [("NOTICE", "first"), ("NOTICE", "to stderr"), ("NOTICE", "no end")]


def test_output_of_loading_and_of_every_call(conn, script, notices):
    script("print('loading')\ndef script(i):\n    print(f'call {i}', end='')\n    return i\n")
    conn.execute("SELECT * FROM pyq_index_eval(NULL::text, NULL::int, 3, 'script')")
    conn.execute("SELECT * FROM pyq_index_eval(NULL::text, NULL::int, 1, 'script')")
    assert [text for _, text in notices] == ["loading", "call 1", "call 2", "call 3", "call 1"]


@pytest.mark.parametrize("ending", ["return 1", "raise ValueError"])
def test_much_output_is_limited_and_its_end_is_kept(ending, conn, script, notices):
    script(f"""
def script():
    for number in range(100000):
        print("line", number)
    print("the end", end="")
    {ending}
""")
    if ending.startswith("raise"):
        fail(conn)
    else:
        conn.execute(EVAL, ("{}",))
    texts = [text for _, text in notices]
    assert len(texts) == 1000 + 1 + 100
    assert texts[:1000] == [f"line {number}" for number in range(1000)]
    assert texts[1000] == "... 98901 lines left out ..."
    assert texts[1001:] == [f"line {number}" for number in range(99901, 100000)] + ["the end"]


def test_long_line_without_an_end(conn, script, notices):
    script("def script():\n    print('x' * 30_000_000, end='')\n    return 1\n")
    conn.execute(EVAL, ("{}",))
    assert sum(len(text) for _, text in notices) <= 30_000_000
    assert all(text.strip("x") == "" or "left out" in text for _, text in notices)


def test_output_of_threads(conn, script, notices):
    script("""
import threading
def script():
    def work(number):
        for line in range(100):
            print(f"{number}:{line}\\n", end="")
    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads: thread.start()
    for thread in threads: thread.join()
    return 1
""")
    conn.execute(EVAL, ("{}",))
    assert sorted(text for _, text in notices) == sorted(
        f"{number}:{line}" for number in range(4) for line in range(100)
    )


def test_exception_in_a_thread_is_shown(conn, script, notices):
    script("""
import threading
def script():
    def work():
        raise ValueError("in the thread")
    thread = threading.Thread(target=work)
    thread.start()
    thread.join()
    return 1
""")
    assert conn.execute(EVAL, ("{}",)).fetchone() == (1,)
    assert any("ValueError: in the thread" in text for _, text in notices)


def test_output_of_a_thread_that_outlives_the_call(conn, script, notices):
    script("""
import sys, threading
def script(phase):
    if phase == 1:
        sys.epe_go, sys.epe_done = threading.Event(), threading.Event()
        def work():
            sys.epe_go.wait()
            print("late")
            sys.epe_done.set()
        threading.Thread(target=work, daemon=True).start()
    else:
        sys.epe_go.set()
        sys.epe_done.wait()
    return 1
""")
    conn.execute(EVAL, ('{"phase": 1}',))
    conn.execute(EVAL, ('{"phase": 2}',))
    assert_usable(conn)


def test_what_is_not_utf8_and_null_bytes(conn, script, notices):
    script(r"""
def script():
    print("a\0b", "\udc80", "€", "\x1b[1m")
    return 1
""")
    conn.execute(EVAL, ("{}",))
    assert notices == [("NOTICE", "a b \\udc80 € \x1b[1m")]


def test_warnings_once_a_statement(conn, script, notices):
    script("""
import warnings
def script():
    for number in range(10):
        warnings.warn("careful")
        warnings.warn(f"variant {number % 2}")
    return 1
""")
    expected = [
        ("WARNING", "UserWarning: careful"),
        ("WARNING", "UserWarning: variant 0"),
        ("WARNING", "UserWarning: variant 1"),
    ]
    conn.execute(EVAL, ("{}",))
    assert notices == expected
    conn.execute(EVAL, ("{}",))
    assert notices == expected * 2


def test_warnings_as_errors(conn, script, notices):
    script("""
import warnings
def script():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.warn("strict")
""")
    assert fail(conn).message_primary == "UserWarning: strict"
    assert notices == []


def test_unraisable_exception_is_shown(conn, script, notices):
    script("""
class Leaver:
    def __del__(self):
        raise ValueError("on leaving")
def script():
    Leaver()
    return 1
""")
    assert conn.execute(EVAL, ("{}",)).fetchone() == (1,)
    assert any("ValueError: on leaving" in text for _, text in notices)


def test_replaced_streams_are_put_back(conn, script, notices):
    script("""
import io, sys
def script():
    sys.stdout = sys.stderr = io.StringIO()
    print("lost")
    return 1
""")
    conn.execute(EVAL, ("{}",))
    conn.execute(EVAL, ("{}",))
    script("def script():\n    print('seen')\n    return 1\n")
    conn.execute(EVAL, ("{}",))
    assert notices == [("NOTICE", "seen")]


def test_closed_stream_is_the_script_s_own_problem(conn, script, notices):
    script("import sys\ndef script():\n    sys.stdout.close()\n    print('x')\n    return 1\n")
    conn.execute(EVAL, ("{}",))
    script("def script():\n    print('seen')\n    return 1\n")
    conn.execute(EVAL, ("{}",))
    assert notices[-1] == ("NOTICE", "seen")


# ------------------------------------------------------------------- blocks, savepoints, statements

FAILING = "def script(n=0):\n    return int(1 / n)\n"


def test_plpgsql_exception_block(conn, script):
    script(FAILING)
    conn.execute("""
        CREATE OR REPLACE FUNCTION survive(times int) RETURNS int LANGUAGE plpgsql AS $$
        DECLARE caught int := 0; answer int;
        BEGIN
            FOR i IN 1 .. times LOOP
                BEGIN
                    SELECT * INTO answer FROM pyq_eval(
                        jsonb_build_object('n', i % 2), NULL::int, 'script');
                EXCEPTION WHEN external_routine_exception THEN
                    caught := caught + 1;
                END;
            END LOOP;
            RETURN caught;
        END $$""")
    assert conn.execute("SELECT survive(100)").fetchone() == (50,)
    conn.execute("DROP FUNCTION survive")
    assert_usable(conn)


def test_do_block_sees_the_message(conn, script, notices):
    script(FAILING)
    conn.execute("""
        DO $$
        DECLARE context text;
        BEGIN
            PERFORM pyq_eval(NULL, NULL::int, 'script');
        EXCEPTION WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS context = PG_EXCEPTION_CONTEXT;
            RAISE NOTICE '% % %', SQLSTATE, SQLERRM, split_part(context, E'\\n', 1);
        END $$""")
    assert notices == [
        (
            "NOTICE",
            '38000 ZeroDivisionError: division by zero script "postgres.script"',
        )
    ]


def test_savepoints(connect, script):
    script(FAILING)
    session = connect(autocommit=False)
    session.execute("CREATE TEMP TABLE kept (x int)")
    for number in range(5):
        session.execute("SAVEPOINT s")
        session.execute("INSERT INTO kept VALUES (%s)", (number,))
        if number % 2:
            fail(session)
            session.execute("ROLLBACK TO s")
        else:
            session.execute(EVAL, ('{"n": 1}',))
            session.execute("RELEASE s")
    session.commit()
    assert session.execute("SELECT array_agg(x ORDER BY x) FROM kept").fetchone() == ([0, 2, 4],)


def test_in_the_middle_of_insert_select(conn, script):
    script(FAILING)
    conn.execute("CREATE TEMP TABLE target (x int)")
    error = fail(
        conn,
        "INSERT INTO target SELECT y FROM generate_series(-100, 100) AS n,"
        " LATERAL pyq_eval(jsonb_build_object('n', n), NULL::int, 'script') AS y",
        (),
    )
    assert error.sqlstate == "38000"
    assert conn.execute("SELECT count(*) FROM target").fetchone() == (0,)
    conn.execute(
        "INSERT INTO target SELECT y FROM generate_series(1, 100) AS n,"
        " LATERAL pyq_eval(jsonb_build_object('n', n), NULL::int, 'script') AS y"
    )
    assert conn.execute("SELECT sum(x) FROM target").fetchone() == (1,)
    assert_usable(conn)


def test_cursor_over_a_failing_call(connect, script):
    script("def script(n):\n    yield {'x': [1]}\n    yield {'x': [1 // n]}\n")
    session = connect(autocommit=False)
    session.execute("SAVEPOINT s")
    session.execute(
        "DECLARE c CURSOR FOR SELECT * FROM pyq_eval('{\"n\": 0}', NULL::int, 'script')"
    )
    assert session.execute("FETCH 1 FROM c").fetchone() == (1,)
    fail(session, "FETCH 1 FROM c", ())
    session.execute("ROLLBACK TO s")
    session.execute(
        "DECLARE c CURSOR FOR SELECT * FROM pyq_eval('{\"n\": 1}', NULL::int, 'script')"
    )
    assert session.execute("FETCH 1 FROM c").fetchone() == (1,)
    session.rollback()
    session.autocommit = True
    assert_usable(session)


def test_prepared_statement_that_fails_now_and_then(conn, script):
    script(FAILING)
    conn.execute("PREPARE p(jsonb) AS SELECT * FROM pyq_eval($1, NULL::int, 'script')")
    for number in range(20):
        statement = f"EXECUTE p('{{\"n\": {number % 2}}}')"
        if number % 2:
            assert conn.execute(statement).fetchone() == (1,)
        else:
            fail(conn, statement, ())
    assert_usable(conn)


@pytest.mark.backend("an engine that is slow to end after a failure is killed")
def test_failing_result_conversion(conn, script):
    """The error comes from PostgreSQL's side while a generator of the script waits."""
    script("""
import sys
def script():
    try:
        yield {"x": [1]}
        yield {"x": ["not a number"]}
    finally:
        sys.epe_closed = True
""")
    error = fail(conn)
    assert error.sqlstate == "22P02"
    assert error.context.splitlines()[0] == "row 2 of the result"
    script("import sys\ndef script():\n    return int(sys.epe_closed)\n")
    assert conn.execute(EVAL, ("{}",)).fetchone() == (1,)


# --------------------------------------------------------------------------- SQL that scripts run


def test_caught_sql_error_rolls_back_its_statement_only(conn, script):
    conn.execute("CREATE TEMP TABLE written (x int PRIMARY KEY)")
    script("""
import oml
def script():
    caught = 0
    with oml.cursor() as cursor:
        for values in ((1,), (1,), (2,), (2,), (3,)):
            try:
                cursor.execute("INSERT INTO written SELECT * FROM unnest($1::int[])",
                               ([100 + values[0] + caught, values[0]],))
            except oml.DatabaseError as error:
                assert error.sqlstate == "23505", error.sqlstate
                assert "already exists" in error.detail, error.detail
                caught += 1
    return caught
""")
    assert conn.execute(EVAL, ("{}",)).fetchone() == (2,)
    row = conn.execute("SELECT array_agg(x ORDER BY x) FROM written").fetchone()
    assert row == ([1, 2, 3, 101, 103, 105],)
    assert_usable(conn)


def test_uncaught_sql_error_keeps_its_state(conn, script):
    script("""
import oml
def script(sql):
    oml.cursor().execute(sql)
""")
    for statement, sqlstate in (
        ("SELECT 1/0", "22012"),
        ("SELECT * FROM nowhere", "42P01"),
        ("SELEC 1", "42601"),
        ("COMMIT", "0A000"),
        ("ROLLBACK", "0A000"),
        ("SAVEPOINT s", "0A000"),
        ("VACUUM", "25001"),
        ("SELECT 1; SELECT 2", "42601"),
        ("SELECT 1; COMMIT", "42601"),
        ("COPY pg_class TO STDOUT", "0A000"),
        ("DO $$ BEGIN COMMIT; END $$", "2D000"),
        ("DO $$ BEGIN RAISE 'own' USING ERRCODE = 'P1234', HINT = 'think'; END $$", "P1234"),
    ):
        error = fail(conn, EVAL, (json.dumps({"sql": statement}),))
        assert error.sqlstate == sqlstate, statement
        assert error.context.startswith('script "postgres.script"')
        assert "oml_epe runtime" not in error.context
    assert error.message_primary == "oml.DatabaseError: own"
    assert error.message_hint == "think"
    assert_usable(conn)


def test_error_raised_from_a_sql_error(conn, script):
    """The script's own exception counts, with the chain in its context."""
    script("""
import oml
def script():
    try:
        oml.cursor().execute("SELECT 1/0")
    except oml.DatabaseError as error:
        raise KeyError("mine") from error
""")
    error = fail(conn)
    assert (error.sqlstate, error.message_primary) == ("38000", "KeyError: 'mine'")
    assert "division by zero" in error.context


def test_many_caught_errors(conn, script):
    script("""
import oml
def script():
    caught = 0
    for number in range(2000):
        try:
            oml.cursor().execute("SELECT 1/0")
        except oml.DatabaseError:
            caught += 1
    return caught
""")
    assert conn.execute(EVAL, ("{}",)).fetchone() == (2000,)
    assert_usable(conn)


def test_database_only_while_the_script_runs_and_on_its_thread(conn, script):
    script("""
import sys, threading
import oml
def script(phase):
    if phase == 1:
        sys.epe_cursor = oml.cursor()
        errors = []
        def work():
            try:
                sys.epe_cursor.execute("SELECT 1")
            except RuntimeError as error:
                errors.append(error)
        thread = threading.Thread(target=work)
        thread.start()
        thread.join()
        return len(errors)
    return sys.epe_cursor.execute("SELECT 7").fetchone()[0]
""")
    assert conn.execute(EVAL, ('{"phase": 1}',)).fetchone() == (1,)
    assert conn.execute(EVAL, ('{"phase": 2}',)).fetchone() == (7,)


def test_read_only_transaction(connect, script, conn):
    conn.execute("CREATE TABLE IF NOT EXISTS read_only_target (x int)")
    script(
        "import oml\ndef script():\n    oml.cursor().execute("
        "'INSERT INTO read_only_target VALUES (1)')\n"
    )
    session = connect()
    session.execute("SET default_transaction_read_only = on")
    assert fail(session).sqlstate == "25006"
    conn.execute("DROP TABLE read_only_target")
    assert_usable(conn)


def test_parameter_errors(conn, script):
    script("""
import oml
def script(case):
    cursor = oml.cursor()
    if case == 0: cursor.execute("SELECT $1::int", (object(),))
    if case == 1: cursor.execute("SELECT $1::int", ("x",))
    if case == 2: cursor.execute("SELECT $1, $2", (1,))
    if case == 3: cursor.execute("SELECT 1", (1,))
    if case == 4: cursor.execute(None)
    if case == 5: cursor.execute("SELECT 'a\\0b'")
    if case == 6: cursor.execute("SELECT $1::text", ("a\\0b",))
    if case == 7: cursor.execute("SELECT $1::text", ("\\udc80",))
    if case == 8: cursor.fetchone()
    if case == 9:
        cursor.close()
        cursor.execute("SELECT 1")
    if case == 10: cursor.execute("")
    if case == 11: return cursor.execute("SELECT $1", (1,)).fetchone()[0]
    if case == 12:
        loop = []
        loop.append(loop)
        cursor.execute("SELECT $1::int[]", (loop,))
    return -1
""")
    outcomes: dict[int, Any] = {}
    for case in range(13):
        try:
            outcomes[case] = conn.execute(EVAL, (json.dumps({"case": case}),)).fetchone()[0]
        except psycopg.Error as error:
            outcomes[case] = error.sqlstate
    assert outcomes[0] == "38000"
    assert outcomes[1] == "22P02"
    assert outcomes[2] == "42P02"
    assert outcomes[4] == "38000"
    assert outcomes[7] == "38000"
    assert outcomes[8] == "24000"
    assert outcomes[9] == "24000"
    assert outcomes[11] == 1
    assert outcomes[12] == "38000"
    # Text with a null byte is refused, never cut.
    assert outcomes[5] == "22021"
    assert outcomes[6] == "22021"
    assert_usable(conn)


@pytest.mark.backend("forks")
@pytest.mark.parametrize(
    "child", ["return 7", "raise ValueError('child')", "raise SystemExit", "yield {'x': [7]}"]
)
def test_forked_child_that_comes_back(child, conn, script):
    """The copy of the backend must end: it shares the client and the server's memory."""
    script(f"""
import os
def work(pid):
    {child}
def script():
    pid = os.fork()
    if pid == 0:
        return work(pid)
    assert os.waitpid(pid, 0)[0] == pid
    return 1
""")
    for _ in range(2):
        assert conn.execute(EVAL, ("{}",)).fetchall() == [(1,)]
    assert_usable(conn)


def test_event_loop(conn, script):
    """asyncio replaces signal handlers and wakes up by a file descriptor."""
    script("""
import asyncio
async def answer(seconds):
    await asyncio.sleep(seconds)
    return 1
def script(seconds=0.001):
    return asyncio.run(answer(seconds))
""")
    for _ in range(3):
        assert conn.execute(EVAL, ("{}",)).fetchone() == (1,)
        conn.execute("SET statement_timeout = '100ms'")
        assert fail(conn, EVAL, ('{"seconds": 600}',)).sqlstate == "57014"
        conn.execute("RESET statement_timeout")


def test_script_that_tampers_with_the_interpreter(connect, script):
    """Its own session suffers at most."""
    for statement in (
        "sys.modules.pop('oml'); import oml; oml.cursor().execute('SELECT 1')",
        "sys.settrace(lambda *_: 1 // 0)",
        "sys.stdout = sys.stderr = None",
        "sys.setrecursionlimit(50)",
        "import threading; threading.setprofile(None)",
        "import builtins; del builtins.len",
    ):
        script(f"import sys, oml\ndef script():\n    {statement}\n    return 1\n")
        session = connect()
        for _ in range(2):
            try:
                session.execute(EVAL, ("{}",))
            except psycopg.Error as error:
                assert error.sqlstate == "38000", statement
            # After that time a call checks its signal handlers before it begins.
            session.execute("SELECT pg_sleep(0.03)")
        assert session.execute("SELECT 1").fetchone() == (1,)
        session.close()
