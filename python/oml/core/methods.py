"""The connection as the Python DB-API has it."""

from __future__ import annotations

from oml._connecting import Connection

__all__ = ["Connection"]


def _get_conn() -> Connection:
    """Return the current connection, for programs written for OML4Py."""
    return Connection()
