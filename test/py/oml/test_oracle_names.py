"""Package `oml` has the public names of OML4Py, or documents why not."""

from __future__ import annotations

import importlib
import inspect
import re
from pathlib import Path
from typing import Any

import oracle_names
import pytest

ROOT = Path(__file__).resolve().parents[3]
PAGE = ROOT / "docs/reference/oml-proxies.md"


def missing_arguments(function: Any, wanted: str | None) -> list[str]:
    """Arguments of Oracle's that a function has not."""
    if wanted is None:
        return []
    parameters = inspect.signature(function).parameters
    return [name for name in wanted.split() if name not in parameters]


def faults_of(place: Any, names: dict[str, str | None]) -> list[str]:
    faults = []
    for name, arguments in names.items():
        if not hasattr(place, name):
            faults.append(name)
            continue
        faults += [f"{name}({each})" for each in missing_arguments(getattr(place, name), arguments)]
    return faults


def test_names_of_the_module() -> None:
    import oml

    assert faults_of(oml, oracle_names.MODULE) == []
    for module, names in oracle_names.SUBMODULES.items():
        assert faults_of(importlib.import_module(module), names) == [], module


def test_own_names_of_the_module() -> None:
    """Each public name is Oracle's or known as ours, and in the reference."""
    import oml

    public = {*oml.__all__, *oml._LAZY, *oml._MODULES}
    assert public == {*oracle_names.MODULE, *oracle_names.OWN}
    assert public <= {*dir(oml), *oml._MODULES}
    pages = "".join(page.read_text() for page in PAGE.parent.glob("oml-*.md"))
    for name in oracle_names.OWN:
        assert re.search(rf"\b{name}\b", pages), name


def test_names_of_frames() -> None:
    import oml

    assert faults_of(oml.DataFrame, oracle_names.FRAME) == []


@pytest.mark.parametrize("name", oracle_names.CLASSES)
def test_names_of_columns(name: str) -> None:
    import oml

    kind = getattr(oml, name)
    wanted = {**oracle_names.SERIES, **oracle_names.CLASSES[name]}
    assert faults_of(kind, wanted) == []
    assert kind.__module__ == f"oml.core.{name.lower()}"
    if name in oracle_names.CASTS:
        assert missing_arguments(kind.__init__, "other dbtype") == []


def test_each_absence_is_named_with_its_reason() -> None:
    import oml

    text = PAGE.read_text()
    section = text[text.index("## Names of Oracle's package that are missing") :]
    reasons = {}
    for names, reason in re.findall(r"^\| (`.*`) \| (.+) \|$", section, re.MULTILINE):
        reasons.update(dict.fromkeys(re.findall(r"`([^`]+)`", names), reason))
    assert set(reasons) == set(oracle_names.ABSENT)
    assert all(len(reason) > 10 for reason in reasons.values())
    for name in oracle_names.ABSENT:
        assert not hasattr(oml, name.partition(".")[2]), f"{name} is there"


def test_the_reference_names_what_columns_have() -> None:
    """The table of columns in the reference misses no public method."""
    import oml

    text = PAGE.read_text()
    for name in oracle_names.CLASSES:
        kind = getattr(oml, name)
        for member in dir(kind):
            if not member.startswith("_") and member != "columns":
                assert re.search(rf"\b{member}\b", text), f"{name}.{member}"
    for member in dir(oml.DataFrame):
        assert member.startswith("_") or re.search(rf"\b{member}\b", text), member
