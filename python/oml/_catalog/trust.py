"""Roles whose code may run in this process.

Unpickling also runs code. Inside the server that code would have the privileges of the server's
operating system account, so only objects stored by trusted roles (superusers, members of pyqadmin)
are run or unpickled there. A client may load objects of any owner.
"""

from __future__ import annotations

from oml._db import connection as db
from oml._db.errors import DatabaseError


def require(is_trusted: bool, what: str, owner: str) -> None:
    """Raise DatabaseError 42501 if `what`, owned by role `owner`, may not run here."""
    if is_trusted or not db.is_embedded() or db.is_sandboxed():
        return
    if db.is_backend():
        hint = "Use a sandboxed engine: SET oml_epe.engine = 'process'."
    else:
        sql = "SELECT pg_catalog.current_setting('oml_epe.sandbox')"
        if db.connection().query(sql)[1][0][0] == "preferred":  # set by a superuser
            return
        hint = "The sandbox is incomplete: pyq_sandbox_status() shows the reason."
    raise DatabaseError(
        f"{what} may not run here", "42501", f'Role "{owner}", which owns it, is not trusted.', hint
    )
