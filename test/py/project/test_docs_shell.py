"""The ```sh blocks of docs/tutorials: all of a page run in order, in one shell, with a gateway.

They find the database by the variables of libpq and the gateway where the pages say that it
listens, USUAL_URL, which is replaced by where it does. A ```text block that follows is what a
block prints, as in test_docs.py; of a ```json block the value counts, not how it is laid out, and
the text "..." in it matches any value.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, Server, with_server
from gateway_process import Gateway, conninfo_of
from test_docs import (  # noqa: F401
    PAGES,
    Block,
    as_pattern,
    blocks_in,
    docs_database,
    normalize,
    page_name,
)

USUAL_URL = "http://127.0.0.1:8080"
SHELL_PAGES = [page for page in PAGES if "tutorials" in page.parts and blocks_in(page, "sh")]


def matches(expected: Any, found: Any) -> bool:
    """Compare JSON values; "..." is any."""
    if expected == "...":
        return True
    if isinstance(expected, dict) and isinstance(found, dict):
        return expected.keys() == found.keys() and all(
            matches(value, found[key]) for key, value in expected.items()
        )
    if isinstance(expected, list) and isinstance(found, list):
        return len(expected) == len(found) and all(map(matches, expected, found))
    return bool(expected == found)


def problem_of(block: Block, printed: str, url: str) -> str:
    """Return the faults of a block that printed this; empty if there are none."""
    where = f"line {block.first_line}"
    if block.output is None:
        return f"{where}: prints\n{printed}" if printed.strip() else ""
    expected = block.output.text.replace(USUAL_URL, url)
    if block.output.language == "json":
        try:
            is_right = matches(json.loads(expected), json.loads(printed))
        except json.JSONDecodeError:
            is_right = False
    else:
        is_right = re.fullmatch(as_pattern(expected), normalize(printed)) is not None
    return "" if is_right else f"{where}: the page shows\n{expected}\n---- but sh prints\n{printed}"


@pytest.mark.parametrize("page", SHELL_PAGES, ids=page_name)
def test_sh_runs_as_shown(
    page: Path,
    server: Server,
    docs_database: str,  # noqa: F811
    start_gateway: Callable[..., Gateway],
) -> None:
    gateway = start_gateway(conninfo=conninfo_of(server, docs_database))
    url = f"http://127.0.0.1:{gateway.port}"
    blocks = blocks_in(page, "sh")
    script = "set -euo pipefail\n" + "".join(
        f"echo @@begin\n{block.text.replace(USUAL_URL, url)}\necho; echo @@end\n"
        for block in blocks
    )
    with server.connect(docs_database) as connection:
        info = connection.info
        place = {"PGHOST": info.host, "PGPORT": str(info.port), "PGUSER": info.user}
    path = f"{with_server.pg_config('--bindir')}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "-s"],
        input=script,
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=300,
        env={**os.environ, **place, "PGDATABASE": docs_database, "PATH": path},
    )
    pieces = re.findall(r"^@@begin\n(.*?)\n@@end$", done.stdout, re.MULTILINE | re.DOTALL)
    problems = [problem_of(block, piece, url) for block, piece in zip(blocks, pieces)]
    message = "\n\n".join(problem for problem in problems if problem)
    if done.returncode != 0 or done.stderr or len(pieces) != len(blocks):
        message += f"\n\nended with {done.returncode}:\n{done.stdout[-2000:]}\n{done.stderr}"
    if message:
        pytest.fail(f"{page_name(page)}: {message}", pytrace=False)


@pytest.mark.parametrize(
    ("expected", "found", "is_right"),
    [
        ({"a": "...", "b": [1, "..."]}, {"b": [1, {}], "a": None}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ([1], [1, 2], False),
        ({"a": 1}, [], False),
    ],
)
def test_json_with_gaps(expected: Any, found: Any, is_right: bool) -> None:
    assert matches(expected, found) is is_right
