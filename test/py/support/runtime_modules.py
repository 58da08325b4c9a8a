"""Modules of src/py/runtime imported by themselves, without the library that embeds them."""

import importlib.util
import pathlib
import sys
from types import ModuleType

# Those that other modules import in any case.
IMPORTED = ("documents", "intervals")
RUNTIME = pathlib.Path(__file__).resolve().parents[3] / "src" / "py" / "runtime"


def load(name: str) -> ModuleType:
    """Import src/py/runtime/NAME.py under another name."""
    for each in IMPORTED:
        if f"_oml_epe_runtime.{each}" not in sys.modules:
            sys.modules[f"_oml_epe_runtime.{each}"] = _load(each)
    return _load(name)


def _load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"runtime_{name}", RUNTIME / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
