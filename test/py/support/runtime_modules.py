"""Modules of src/py/runtime imported by themselves, without the library that embeds them."""

import importlib.util
import pathlib
from types import ModuleType

RUNTIME = pathlib.Path(__file__).resolve().parents[3] / "src" / "py" / "runtime"


def load(name: str) -> ModuleType:
    """Import src/py/runtime/NAME.py under another name."""
    spec = importlib.util.spec_from_file_location(f"runtime_{name}", RUNTIME / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
