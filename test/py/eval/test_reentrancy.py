"""Scripts that run SQL that runs scripts."""

from __future__ import annotations

import json
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ENGINES
EVAL = "SELECT * FROM pyq_eval(%s::jsonb, NULL::int, %s)"
RECURSIVE = """
import oml
def recursive(depth):
    if depth == 0:
        return 0
    with oml.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM pyq_eval($1::jsonb, NULL::int, 'recursive')", ({"depth": depth - 1},))
        return cursor.fetchone()[0] + 1
"""


def evaluate(conn: Connection[Any], name: str, **arguments: Any) -> Any:
    row = conn.execute(EVAL, (json.dumps(arguments), name)).fetchone()
    return None if row is None else row[0]


@pytest.mark.backend("every call takes an engine")
def test_recursion(conn, make_script):
    make_script("recursive", RECURSIVE)
    assert evaluate(conn, "recursive", depth=20) == 20
    assert evaluate(conn, "recursive", depth=20) == 20


def test_recursion_takes_an_engine_each(conn, make_script):
    """Calls that have all engines are not waited for by one inside them."""
    make_script("recursive", RECURSIVE)
    conn.execute("SET oml_epe.engine = process")
    most = int(conn.execute("SHOW oml_epe.max_engines").fetchone()[0])
    assert evaluate(conn, "recursive", depth=most - 2) == most - 2
    for _ in range(2):
        with pytest.raises(psycopg.errors.InsufficientResources) as caught:
            evaluate(conn, "recursive", depth=most + 2)
        primary, detail = caught.value.diag.message_primary, caught.value.diag.message_detail
        assert primary.endswith("no Python engine is available for a nested call")
        assert f'"oml_epe.max_engines" allows {most} engines' in detail
    assert evaluate(conn, "recursive", depth=5) == 5


@pytest.mark.backend("every call takes an engine")
def test_infinite_recursion_ends_in_an_error(conn, make_script):
    make_script("recursive", RECURSIVE)
    for _ in range(2):
        with pytest.raises(psycopg.Error) as caught:
            evaluate(conn, "recursive", depth=-1)
        # Which limit is reached first, PostgreSQL's or Python's, depends on the stack.
        assert caught.value.sqlstate in ("54001", "38000")
        assert evaluate(conn, "recursive", depth=5) == 5


@pytest.mark.backend("every call takes an engine")
@pytest.mark.parametrize("stack", ["100kB", "2MB", "7MB"])
def test_infinite_recursion_with_stacks_of_all_sizes(stack, conn, make_script):
    make_script("recursive", RECURSIVE)
    conn.execute(f"SET max_stack_depth = '{stack}'")
    with pytest.raises(psycopg.Error) as caught:
        evaluate(conn, "recursive", depth=-1)
    assert caught.value.sqlstate in ("54001", "38000")
    assert evaluate(conn, "recursive", depth=1) == 1


def test_mutual_recursion_through_plpgsql(conn, make_script):
    """Infinite as well, with frames of both worlds on the stack; errors are caught half-way."""
    make_script(
        "mutual",
        """
import oml
def mutual(depth):
    try:
        return oml.cursor().execute("SELECT mutual_sql($1)", (depth + 1,)).fetchone()[0]
    except oml.DatabaseError as error:
        if error.sqlstate not in ("54001", "38000", "53000"):
            raise
        return depth
""",
    )
    conn.execute("""
        CREATE OR REPLACE FUNCTION mutual_sql(depth int) RETURNS int LANGUAGE plpgsql AS $$
        BEGIN
            RETURN (SELECT x FROM pyq_eval(jsonb_build_object('depth', depth),
                                           NULL::int, 'mutual') AS x);
        END $$""")
    reached = evaluate(conn, "mutual", depth=0)
    assert reached > 5
    conn.execute("DROP FUNCTION mutual_sql(int)")


def test_infinite_recursion_of_python_alone(conn, make_script):
    """Python's own limit ends it; a script that raises the limit hits the end of the stack."""
    make_script("deep", "def deep():\n    return deep()\n")
    with pytest.raises(psycopg.Error, match="RecursionError"):
        evaluate(conn, "deep")
    make_script(
        "deep", "import sys\ndef deep():\n    return 1 if sys.getrecursionlimit() == 1000 else 2\n"
    )
    assert evaluate(conn, "deep") == 1


def test_input_query_calls_an_eval(conn, make_script):
    make_script("inner", "def inner(n):\n    return {'x': list(range(n))}\n")
    make_script("outer", "def outer(dat):\n    return float(dat.sum())\n")
    row = conn.execute(
        "SELECT * FROM pyq_table_eval('SELECT * FROM pyq_eval(''{\"n\": 100}'', NULL::int,"
        " ''inner'')', NULL, NULL::int, 'outer')"
    ).fetchone()
    assert row == (4950,)


@pytest.mark.parametrize("controls", ["{}", '{"oml_input_type": "iterator"}'])
def test_input_query_calls_an_eval_for_each_row(controls, conn, make_script):
    """Two requests take turns: the outer one's input comes from the inner one."""
    make_script("inner", "def inner(n):\n    print(n)\n    return n * 2\n")
    make_script("outer", "def outer(dat):\n    return float(sum(part.sum() for part in dat))\n")
    row = conn.execute(
        "SELECT * FROM pyq_table_eval('SELECT y FROM generate_series(1, 3000) AS n, LATERAL"
        " pyq_eval(jsonb_build_object(''n'', n), NULL::int, ''inner'') AS y',"
        " %s::jsonb, NULL::int, 'outer')",
        (controls,),
    ).fetchone()
    assert row == (3000 * 3001,)


def test_iterator_input_with_nested_evals(conn, make_script):
    make_script("inner", "def inner(dat):\n    return float(dat.sum())\n")
    make_script(
        "outer",
        """
import oml
def outer(dat, depth):
    total = 0
    for part in dat:
        total += float(part.sum())
        with oml.cursor() as cursor:
            cursor.execute(
                "SELECT * FROM pyq_table_eval('SELECT 1 AS x', NULL, NULL::int, 'inner')")
            total += cursor.fetchone()[0]
        if depth > 0:
            total += oml.cursor().execute(
                "SELECT * FROM pyq_table_eval('SELECT 1 AS x', $1::jsonb, NULL::int, 'outer')",
                ({"depth": depth - 1, "oml_input_type": "iterator"},)).fetchone()[0]
    return total
""",
    )
    row = conn.execute(
        "SELECT * FROM pyq_table_eval('SELECT 1 AS x',"
        ' \'{"oml_input_type": "iterator", "depth": 3}\', NULL::int, \'outer\')'
    ).fetchone()
    assert row == (8,)


def test_generator_that_runs_sql_between_results(conn, make_script):
    make_script(
        "numbers",
        """
import oml
def numbers(count):
    for number in range(count):
        with oml.cursor() as cursor:
            yield {"x": [cursor.execute("SELECT $1 * 2", (number,)).fetchone()[0]]}
""",
    )
    rows = conn.execute(
        "SELECT * FROM pyq_eval('{\"count\": 500}', NULL::int, 'numbers')"
    ).fetchall()
    assert rows == [(number * 2,) for number in range(500)]


def test_two_generators_in_one_query(conn, make_script):
    make_script("numbers", "def numbers():\n    for n in range(100):\n        yield {'x': [n]}\n")
    row = conn.execute(
        "SELECT sum(a * b) FROM pyq_eval(NULL, NULL::int, 'numbers') AS a,"
        " pyq_eval(NULL, NULL::int, 'numbers') AS b"
    ).fetchone()
    assert row == (4950 * 4950,)


def test_result_conversion_that_calls_an_eval(conn, make_script):
    """A domain's check runs a script while a result of another script is stored."""
    make_script("is_even", "def is_even(n):\n    return int(n % 2 == 0)\n")
    make_script("numbers", "def numbers(step):\n    return {'x': list(range(0, 100, step))}\n")
    conn.execute("""
        CREATE OR REPLACE FUNCTION check_even(n int) RETURNS boolean LANGUAGE plpgsql AS $$
        BEGIN
            RETURN (SELECT x = 1 FROM pyq_eval(jsonb_build_object('n', n), NULL::int,
                                               'is_even') AS x);
        END $$""")
    conn.execute("CREATE DOMAIN even_number AS int CHECK (check_even(VALUE))")
    try:
        statement = "SELECT count(*) FROM pyq_eval(%s::jsonb, NULL, 'numbers') AS t(x even_number)"
        assert conn.execute(statement, ('{"step": 2}',)).fetchone() == (50,)
        with pytest.raises(psycopg.errors.CheckViolation):
            conn.execute(statement, ('{"step": 1}',))
    finally:
        conn.execute("DROP DOMAIN even_number")
        conn.execute("DROP FUNCTION check_even")


def test_ddl_by_a_script(conn, make_script):
    make_script(
        "builder",
        """
import oml
def builder(rows):
    with oml.cursor() as cursor:
        cursor.execute("CREATE TEMP TABLE built (x int)")
        cursor.execute("INSERT INTO built SELECT generate_series(1, $1)", (rows,))
        cursor.execute("ALTER TABLE built ADD COLUMN y int DEFAULT 2")
        cursor.execute("CREATE INDEX ON built (x)")
        total = cursor.execute("SELECT sum(x * y) FROM built").fetchone()[0]
        cursor.execute("DROP TABLE built")
        return total
""",
    )
    for _ in range(3):
        assert evaluate(conn, "builder", rows=100) == 10100


def test_script_that_changes_its_input_table(conn, make_script):
    conn.execute("CREATE TEMP TABLE input AS SELECT generate_series(1, 1000) AS x")
    make_script(
        "writer",
        """
import oml
def writer(dat, sql):
    for part in dat:
        oml.cursor().execute(sql)
    return 1
""",
    )
    call = "SELECT * FROM pyq_table_eval('input', %s::jsonb, NULL::int, 'writer')"
    arguments = {"oml_input_type": "iterator", "sql": "INSERT INTO input SELECT 1"}
    assert conn.execute(call, (json.dumps(arguments),)).fetchone() == (1,)
    # The table is in use by the query that reads it.
    for statement in ("DROP TABLE input", "TRUNCATE input", "ALTER TABLE input ADD y int"):
        arguments["sql"] = statement
        with pytest.raises(psycopg.errors.ObjectInUse):
            conn.execute(call, (json.dumps(arguments),))
    assert conn.execute("SELECT count(*) FROM input").fetchone() == (1001,)


def test_script_that_replaces_and_drops_itself_while_it_runs(conn, make_script):
    make_script(
        "phoenix",
        """
import oml
def phoenix():
    with oml.cursor() as cursor:
        cursor.execute(
            "SELECT pyq_script_create('phoenix', 'def phoenix(): return 2', false, true)")
        inner = cursor.execute(
            "SELECT * FROM pyq_eval(NULL, NULL::int, 'phoenix')").fetchone()[0]
        cursor.execute("SELECT pyq_script_drop('phoenix')")
        cursor.execute(
            "SELECT pyq_script_create('phoenix', 'def phoenix(): return 3', false, true)")
    return 10 + inner
""",
    )
    assert evaluate(conn, "phoenix") == 12
    assert evaluate(conn, "phoenix") == 3


def test_replacement_that_is_rolled_back(connect, make_script):
    make_script("phoenix", "def phoenix(): return 1")
    session = connect(autocommit=False)
    assert evaluate(session, "phoenix") == 1
    session.execute("SAVEPOINT s")
    session.execute("SELECT pyq_script_create('phoenix', 'def phoenix(): return 2', false, true)")
    assert evaluate(session, "phoenix") == 2
    session.execute("ROLLBACK TO s")
    assert evaluate(session, "phoenix") == 1
    session.rollback()


def test_nested_call_that_replaces_the_running_script_and_fails(conn, make_script):
    make_script(
        "phoenix",
        """
import oml
def phoenix(inner=False):
    with oml.cursor() as cursor:
        try:
            cursor.execute('''DO $$ BEGIN
                PERFORM pyq_script_create('phoenix', 'def phoenix(): return 2', false, true);
                PERFORM pyq_eval(NULL, NULL::int, 'phoenix');
                RAISE 'no'; END $$''')
        except oml.DatabaseError:
            pass
    return 1
""",
    )
    assert evaluate(conn, "phoenix") == 1
    assert evaluate(conn, "phoenix") == 1


def test_dropping_the_extension_from_inside(connect, conn, make_script):
    """Rolled back, so that the other tests find it again."""
    make_script(
        "sawyer",
        """
import oml
def sawyer():
    oml.cursor().execute("DROP EXTENSION oml_epe CASCADE")
    try:
        oml.cursor().execute("SELECT pyq_eval(NULL, NULL::int, 'sawyer')")
    except oml.DatabaseError as error:
        return int(error.sqlstate == "42883")
""",
    )
    session = connect(autocommit=False)
    assert evaluate(session, "sawyer") == 1
    session.rollback()
    make_script("fine", "def fine(): return 1")
    assert evaluate(session, "fine") == 1


def test_exceptions_of_two_levels_are_not_mixed(conn, make_script):
    make_script("inner", "def inner():\n    raise KeyError('inner')\n")
    make_script(
        "outer",
        """
import oml, sys
def outer():
    try:
        raise ValueError("handled")
    except ValueError:
        try:
            oml.cursor().execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'inner')")
        except oml.DatabaseError as error:
            assert "handled" not in str(error)
            assert sys.exc_info()[1] is error
        assert str(sys.exc_info()[1]) == "handled"
    raise TypeError("outer")
""",
    )
    with pytest.raises(psycopg.Error) as caught:
        evaluate(conn, "outer")
    assert caught.value.diag.message_primary == "TypeError: outer"
    assert "handled" not in caught.value.diag.context


def test_output_of_nested_calls_comes_in_order(conn, make_script):
    texts: list[str | None] = []
    conn.add_notice_handler(lambda diagnostic: texts.append(diagnostic.message_primary))
    make_script("inner", "def inner():\n    print('in', end='')\n    return 1\n")
    make_script(
        "outer",
        """
import oml
def outer():
    print("before")
    oml.cursor().execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'inner')")
    print("after")
    return 1
""",
    )
    evaluate(conn, "outer")
    assert texts == ["before", "in", "after"]


def test_abandoned_generators_close_in_order(conn, make_script):
    """A LIMIT leaves no partial state: results are stored whole, and generators are closed."""
    make_script(
        "source",
        """
import sys
def source():
    sys.epe_open = getattr(sys, "epe_open", 0) + 1
    try:
        for number in range(10):
            yield {"x": [number]}
    finally:
        sys.epe_open -= 1
""",
    )
    make_script("opened", "import sys\ndef opened():\n    return sys.epe_open\n")
    for _ in range(5):
        conn.execute("SELECT * FROM pyq_eval(NULL, NULL::int, 'source') LIMIT 1")
    assert evaluate(conn, "opened") == 0


def test_generator_object_that_outlives_its_call(conn, make_script):
    """Its finaliser, in a later call or at the end, may not use a dead request."""
    make_script(
        "keeper",
        """
import sys
import oml
def keeper(phase, rows=None):
    def part():
        try:
            yield 1
        finally:
            try:
                sys.epe_seen = oml.cursor().execute("SELECT 1").fetchone()[0]
            except BaseException as error:
                sys.epe_seen = -1
    if phase == 1:
        sys.epe_kept = part()
        next(sys.epe_kept)
        return 1
    sys.epe_kept.close()
    return sys.epe_seen
""",
    )
    assert evaluate(conn, "keeper", phase=1) == 1
    assert evaluate(conn, "keeper", phase=2) == 1
    assert evaluate(conn, "keeper", phase=1) == 1


def test_kept_iterator_is_dead_after_its_call(conn, make_script):
    make_script(
        "thief",
        """
import sys
def thief(rows):
    sys.epe_rows = rows
    next(rows)
    return 1
""",
    )
    make_script(
        "user",
        """
import sys
def user():
    try:
        return len(list(sys.epe_rows))
    except RuntimeError:
        return -1
""",
    )
    conn.execute(
        "SELECT * FROM pyq_table_eval('SELECT generate_series(1, 500000) AS x',"
        " '{\"oml_input_type\": \"iterator\"}', NULL::int, 'thief')"
    )
    assert evaluate(conn, "user") in (0, -1)


def test_kept_arrays_survive_their_call(conn, make_script):
    """Arrays may share memory with the rows that were read: they own it."""
    make_script("thief", "import sys\ndef thief(dat):\n    sys.epe_kept = dat\n    return 1\n")
    make_script("user", "import sys\ndef user():\n    return float(sys.epe_kept['x'].sum())\n")
    conn.execute(
        "SELECT * FROM pyq_table_eval('SELECT x, x::text AS t FROM generate_series(1, 1000) AS x',"
        " NULL, NULL::int, 'thief')"
    )
    make_script("count", "def count(dat):\n    return len(dat)\n")
    for _ in range(20):
        conn.execute(
            "SELECT * FROM pyq_table_eval('SELECT x, 0 AS y FROM generate_series(1, 1000) AS x',"
            " NULL, NULL::int, 'count')"
        )
        assert evaluate(conn, "user") == 500500
