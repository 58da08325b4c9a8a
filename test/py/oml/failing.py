"""Tests that fail, to show how test_places.py reports it; pytest collects none of them."""

from __future__ import annotations

import oml
from proxy_checks import execute


def fail_in_assertion(place: str) -> None:
    execute("CREATE TABLE failing AS SELECT 1 AS a")
    proxy = oml.push([(1, "x"), (2, "y")])
    rows = proxy.pull(aslist=True)
    assert len(rows) + 1 == 4, place  # the line of the assertion


def fail_in_library(place: str) -> None:
    statement = "SELECT 1/0"
    execute(statement)  # the line of the call


def leave_table_behind(place: str) -> None:
    execute("CREATE TABLE both_left_behind AS SELECT 1 AS a")
