"""Functions that tests of package `oml` share; they are sent to engines with the tests.

See remote_tests.py.
"""

from __future__ import annotations

from typing import Any

import oml
import pandas


def fails(kind: Any, function: Any, *arguments: Any, **keywords: Any) -> Any:
    """Return the exception of this kind that the call raises."""
    try:
        function(*arguments, **keywords)
    except kind as error:
        return error
    raise AssertionError(f"no {kind}")


def execute(sql: str, *parameters: Any) -> Any:
    """Return the rows of a statement that package `oml` executes."""
    with oml.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall() if cursor.description else None


def sorted_pull(proxy: Any, by: str = "ID") -> Any:
    return proxy.pull().sort_values(by).reset_index(drop=True)


def compare(proxy: Any, wanted: Any, by: str = "ID") -> None:
    """Compare the rows of a proxy, in the order of column `by`, with a pandas.DataFrame."""
    assert list(proxy.columns) == list(wanted.columns), (proxy.columns, wanted.columns)
    pandas.testing.assert_frame_equal(
        sorted_pull(proxy, by), wanted.sort_values(by).reset_index(drop=True), check_dtype=False
    )


def nothing_is_left() -> None:
    sql = (
        "SELECT relname::text FROM pg_class WHERE relname ILIKE 'both%' OR relname = 'victim' "
        "UNION ALL SELECT nspname::text FROM pg_namespace WHERE nspname LIKE 'both%'"
    )
    left = {name for (name,) in execute(sql)} - {"both_ways"}
    assert not left, left
