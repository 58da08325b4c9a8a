"""Proxies: frames and columns that live in the database."""

from __future__ import annotations

from typing import Any

_MODULES = {
    "boolean",
    "bytes",
    "datetime",
    "float",
    "frame",
    "integer",
    "methods",
    "series",
    "string",
    "timedelta",
    "timezone",
}


def __getattr__(name: str) -> Any:
    import importlib

    if name not in _MODULES:
        raise AttributeError(f"module 'oml.core' has no attribute {name!r}")
    return importlib.import_module(f"oml.core.{name}")
