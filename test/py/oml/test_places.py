"""A test that takes `place` and fails names its file and line, wherever it ran."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import failing
import pytest

FILE = Path(failing.__file__)


def line_of(text: str) -> int:
    lines = FILE.read_text().splitlines()
    (number,) = (number for number, line in enumerate(lines, 1) if text in line)
    return number


def call(place: Any, name: str) -> str:
    """Return the report of the failure; on a client it is the exception that pytest reports."""
    if place.name == "client":
        with pytest.raises(Exception) as failure:
            place.call_on_client(getattr(failing, name))
        entries = [f"test/py/oml/{each.path.name}:{each.lineno + 1}" for each in failure.traceback]
        return "\n".join([failure.exconly(), *entries, *map(str, failure.traceback)])
    with pytest.raises(pytest.fail.Exception) as failed:
        place.call_in_engine(failing, name)
    return str(failed.value)


def test_assertion_shows_its_values_and_line(clean_place: Any) -> None:
    report = call(clean_place, "fail_in_assertion")
    assert f"AssertionError: {clean_place.name}\nassert (2 + 1) == 4" in report
    assert "where 2 = len([(1, 'x'), (2, 'y')])" in report
    assert f"test/py/oml/failing.py:{line_of('# the line of the assertion')}" in report
    if clean_place.name != "client":
        assert report.startswith(f"in {clean_place.name}: AssertionError")
        assert "    rows = [(1, 'x'), (2, 'y')]" in report
        exists = clean_place.connection.execute("SELECT to_regclass('failing')").fetchone()
        assert exists == (None,)  # the transaction was rolled back


def test_error_shows_the_line_of_the_test(clean_place: Any) -> None:
    report = call(clean_place, "fail_in_library")
    assert "division by zero" in report
    assert f"test/py/oml/failing.py:{line_of('# the line of the call')}" in report
    assert "test/py/oml/proxy_checks.py:" in report
    if clean_place.name != "client":
        assert "    execute(statement)  # the line of the call" in report
        assert "    statement = 'SELECT 1/0'" in report


def test_objects_left_behind_fail_the_test(clean_place: Any) -> None:
    assert "both_left_behind" in call(clean_place, "leave_table_behind")
