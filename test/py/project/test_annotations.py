"""Annotations of package oml: each Any has a reason, and no annotation costs import time."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "python" / "oml"
#: Modules whose subject is names for such types.
ALIASES = {"_annotations.py"}


def unexplained(text: str) -> Iterator[int]:
    """Yield the numbers of the lines that use Any without a comment there or on the line above."""
    lines = text.split("\n")
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Name) and node.id == "Any":
            here, above = lines[node.lineno - 1], lines[node.lineno - 2].strip()
            if "# " not in here and not above.startswith("#"):
                yield node.lineno


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x: Any", [1]),
        ("x: int\ndef f(a: list[Any]) -> Any: ...", [2, 2]),
        ("x: Any  # whatever a caller gives", []),
        ("#: Of any type.\nx: Any", []),
        ("'''Any other'''\nfrom typing import Any", []),
    ],
)
def test_unexplained_uses_are_found(text: str, expected: list[int]) -> None:
    assert list(unexplained(text)) == expected


def test_each_any_has_a_reason() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{line}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if path.name not in ALIASES
        for line in unexplained(path.read_text())
    ]
    assert found == []


def test_import_does_not_load_the_names_of_types() -> None:
    program = (
        "import sys, oml, oml.core, oml.embed.apply\n"
        "print([name for name in sys.modules if name == 'oml._annotations'])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        env={"PYTHONPATH": str(Path(PACKAGE).parent)},
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.strip() == "[]"
