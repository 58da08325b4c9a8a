"""Scripts in files: .json with all attributes, or .py."""

from __future__ import annotations

import ast
import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from oml.script.script import create, dir

if TYPE_CHECKING:
    from oml._annotations import CellValue

_MARK = "# oml.script "  # precedes each script of a .py file, with name and description as JSON


def export_script(
    file_name: str,
    name: str | Sequence[str] | None = None,
    regex_match: bool = False,
    sctype: str = "user",
    overwrite: bool = False,
) -> None:
    """Write scripts to a file that import_script() can read.

    Parameters
    ----------
    file_name : str
        A name with suffix .json or .py.
    name, regex_match, sctype
        Selects the scripts, as in oml.script.dir().
    overwrite : bool
        Replace an existing file.
    """
    path = _path(file_name)
    if sctype == "grant":
        raise ValueError("sctype must not be 'grant'")
    rows = dir(name, regex_match, sctype)[["name", "script", "description"]]
    scripts = [
        {"name": each, "script": script, "description": description or None}
        for each, script, description in rows.itertuples(index=False)
    ]
    with path.open("w" if overwrite else "x", encoding="utf-8") as file:
        if path.suffix == ".json":
            json.dump(scripts, file, indent=2, ensure_ascii=False)
            file.write("\n")
            return
        for script in scripts:
            text = script.pop("script")
            file.write(f"{_MARK}{json.dumps(script)}\n{text}")
            file.write("\n\n" if text.endswith("\n") else "\n\n\n")


def import_script(file_name: str, is_global: bool = False, overwrite: bool = False) -> None:
    """Store the scripts contained in a file.

    Parameters
    ----------
    file_name : str
        A .json or .py file written by export_script(), or any other .py file: then each top-level
        function becomes a script with the function's name.
    is_global, overwrite : bool
        As in oml.script.create().
    """
    path = _path(file_name)
    text = path.read_text(encoding="utf-8")
    scripts: list[dict[str, CellValue]]
    scripts = json.loads(text) if path.suffix == ".json" else list(_scripts_of(text))
    for script in scripts:
        create(script["name"], script["script"], is_global, overwrite, script.get("description"))


def _path(file_name: str) -> Path:
    path = Path(file_name)
    if path.suffix not in (".json", ".py"):
        raise ValueError("the file name must have the suffix .json or .py")
    return path


def _scripts_of(text: str) -> Iterator[dict[str, CellValue]]:
    """Yield the scripts of a .py file."""
    if text.startswith(_MARK):
        for part in ("\n" + text).split("\n" + _MARK)[1:]:
            head, _, source = part.partition("\n")
            yield {**json.loads(head), "script": source.rstrip("\n") + "\n"}
        return
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef):
            yield {"name": node.name, "script": ast.get_source_segment(text, node)}
