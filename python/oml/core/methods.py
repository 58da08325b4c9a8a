"""The Python DB-API connection."""

from __future__ import annotations

from oml._db.connect import Connection

__all__ = ["Connection"]


def _get_conn() -> Connection:
    """Return the current connection, for compatibility with OML4Py."""
    return Connection()
