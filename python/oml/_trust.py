"""Whose code may run in this process.

Unpickling runs code, too. Inside the server it would have the rights of the server's account, so
there only what trusted roles (superusers, members of pyqadmin) have stored is run or unpickled. A
client's computer is its user's own business.
"""

from __future__ import annotations

from oml import _session
from oml._errors import DatabaseError


def require(is_trusted: bool, what: str, owner: str) -> None:
    """Raise DatabaseError 42501 when `what` of role `owner` may not run here."""
    if is_trusted or not _session.is_embedded() or _session.is_sandboxed():
        return
    if _session.is_backend():
        hint = "A sandboxed engine may do it: SET oml_epe.engine = 'process'."
    else:
        sql = "SELECT pg_catalog.current_setting('oml_epe.sandbox')"
        if _session.connection().query(sql)[1][0][0] == "preferred":  # a superuser has said so
            return
        hint = "The sandbox is not complete: pyq_sandbox_status() shows why."
    raise DatabaseError(
        f"{what} may not run here", "42501", f'Role "{owner}", which owns it, is not trusted.', hint
    )
