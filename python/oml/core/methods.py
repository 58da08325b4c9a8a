"""The connection as the Python DB-API has it."""

from __future__ import annotations

from oml._connecting import disconnect
from oml._cursor import Cursor


class Connection:
    """The current connection: every statement is committed by itself, or with a script's call."""

    def cursor(self) -> Cursor:
        """Return a new cursor."""
        return Cursor()

    def commit(self) -> None:
        """Do nothing: there is nothing to commit, or the call decides."""

    def rollback(self) -> None:
        """Do nothing: a failed statement is rolled back already."""

    def close(self) -> None:
        """Disconnect; inside an engine nothing happens."""
        disconnect()


def _get_conn() -> Connection:
    """Return the current connection, for programs written for OML4Py."""
    return Connection()
