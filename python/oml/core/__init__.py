"""Proxies: frames and columns that live in the database."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oml.core import boolean as boolean
    from oml.core import bytes as bytes
    from oml.core import datetime as datetime
    from oml.core import float as float
    from oml.core import frame as frame
    from oml.core import integer as integer
    from oml.core import methods as methods
    from oml.core import series as series
    from oml.core import string as string
    from oml.core import timedelta as timedelta
    from oml.core import timezone as timezone

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


if not TYPE_CHECKING:

    def __getattr__(name: str) -> object:
        import importlib

        if name not in _MODULES:
            raise AttributeError(f"module 'oml.core' has no attribute {name!r}")
        return importlib.import_module(f"oml.core.{name}")
