"""A cancel during the work on a result takes effect between pieces, and the rest is not done."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import engine_kinds
import psycopg
import pytest
from psycopg import Connection

ENGINE_PLACES = engine_kinds.ENGINES


@pytest.fixture
def marks(conn: Connection[Any]) -> Callable[[], int]:
    """A function that counts the marks of work that went on to its end."""
    conn.execute("DROP SEQUENCE IF EXISTS epe_marks")
    conn.execute("CREATE SEQUENCE epe_marks")

    def count() -> int:
        row = conn.execute("SELECT last_value, is_called FROM epe_marks").fetchone()
        assert row is not None
        return int(row[0]) if row[1] else 0

    return count


# Long work on a result that is followed by a mark: the next item of the generator, or the next
# element. A sequence keeps its value when the statement is rolled back.
WORK = {
    "a list of ints": "yield list(range(30_000_000))",
    "an array": "import numpy as np\n    yield np.broadcast_to(np.int16(7), 200_000_000)",
    "an array of texts": "import numpy as np\n    yield np.full(20_000_000, 'x')",
    "a list of texts": "yield ['text'] * 30_000_000",
    "a list of floats": "yield [1.5] * 30_000_000",
    "a text": "yield '\\u00e4' * 300_000_000",
    "a text of ASCII": "yield 'x' * 700_000_000",
}


@pytest.mark.parametrize("case", WORK)
def test_what_follows_a_cancelled_result_is_not_done(
    conn: Connection[Any], marks: Callable[[], int], case: str
) -> None:
    source = f"""
import oml
def script():
    {WORK[case]}
    oml.cursor().execute("SELECT nextval('epe_marks')")
    yield []
"""
    conn.execute("SELECT pyq_script_create('script', %s, false, true)", (source,))
    conn.execute("SET statement_timeout = '250ms'")
    with pytest.raises(psycopg.errors.QueryCanceled):
        conn.execute("SELECT count(*) FROM pyq_eval(NULL, NULL, 'script') AS t(a text)")
    conn.execute("RESET statement_timeout")
    assert marks() == 0
    assert conn.execute("SELECT 1").fetchone() == (1,)
