"""Scripts whose SQL changes settings that the text of answers depends on."""

from __future__ import annotations

from typing import Any

import pytest
from gateway_process import User
from test_gateway_results import ARROW, CSV, arrow, csv

# A script that runs SQL and returns a value that the response must contain.
SAYS = (
    "import datetime, oml, pandas as pd\nUTC = datetime.timezone.utc\n"
    """
def f(sql):
    oml.cursor().execute(sql)
    return pd.DataFrame({
        "t": ["äß", "x"],
        "d": [datetime.date(2024, 2, 1), None],
        "ts": [datetime.datetime(2024, 2, 1, 1, 2, 3, 456789)] * 2,
        "tz": [datetime.datetime(2024, 2, 1, tzinfo=UTC)] * 2,
        "by": [b"\\x00\\\\z", b""],
        "f": [0.1 + 0.2, 1e300],
    })
"""
)
FORMAT = {"t": "text", "d": "date", "ts": "timestamp", "tz": "timestamptz", "by": "bytea",
          "f": "float8"}  # fmt: skip
SETTINGS = [
    "SET client_encoding = 'LATIN1'",
    "SET client_encoding = 'SJIS'",
    "SET DateStyle = 'SQL, DMY'",
    "SET DateStyle = 'German'",
    "SET bytea_output = 'escape'",
    "SET extra_float_digits = -10",
    "SET standard_conforming_strings = off",
    "SET IntervalStyle = 'sql_standard'",
    "SET TimeZone = 'America/St_Johns'",
    "SET search_path = ''",
    "RESET ALL",
]


@pytest.fixture
def says(store: Any) -> str:
    store("gw_says", SAYS)
    return "gw_says"


@pytest.mark.parametrize("sql", SETTINGS)
def test_typed_results(user: User, says: str, sql: str) -> None:
    fields: dict[str, Any] = {"parameters": {"sql": sql}, "outputFormat": FORMAT}
    rows = arrow(user.run("do-eval", says, accept=ARROW, **fields)).to_pylist()
    assert [row["t"] for row in rows] == ["äß", "x"]
    assert [str(row["d"]) for row in rows] == ["2024-02-01", "None"]
    assert rows[0]["ts"].isoformat() == "2024-02-01T01:02:03.456789"
    assert rows[0]["tz"].timestamp() == 1706745600
    assert [row["by"] for row in rows] == [b"\0\\z", b""]
    assert [row["f"] for row in rows] == [0.1 + 0.2, 1e300]
    answer = user.run("do-eval", says, accept=CSV, **fields)
    frame = csv(answer, float_precision="round_trip")
    assert frame["t"].tolist() == ["äß", "x"]
    assert frame["d"][0] == "2024-02-01"
    assert frame["by"][0] == "\\x005c7a"
    assert frame["f"][0] == 0.1 + 0.2


@pytest.mark.parametrize("sql", SETTINGS)
def test_json_results(user: User, store: Any, sql: str) -> None:
    store("gw_sets", "import oml\ndef f(sql):\n    oml.cursor().execute(sql)\n    return 'ä🐘'")
    for _ in range(2):
        assert user.run("do-eval", "gw_sets", parameters={"sql": sql}).result == "ä🐘"
    figures = user.run("do-eval", "gw_sets", parameters={"sql": sql}, graphicsFlag=True).result
    assert figures[0]["DATA"] == '"ä🐘"'
    table = csv(user.run("do-eval", "gw_sets", parameters={"sql": sql}, accept=CSV))
    assert table["value"].tolist() == ["ä🐘"]


def test_typed_results_of_few_rows(user: User, store: Any) -> None:
    """The cursor moves one row forward and back."""
    store("gw_rows", "import pandas as pd\ndef f(n): return pd.DataFrame({'x': range(n)})")
    for n in (0, 1, 2, 100, 101, 2500):
        answer = user.run(
            "do-eval", "gw_rows", accept=CSV, parameters={"n": n}, outputFormat={"x": "int"}
        )
        assert csv(answer)["x"].tolist() == list(range(n))
