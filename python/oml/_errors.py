"""What goes wrong."""

from __future__ import annotations


class DatabaseError(Exception):
    """A statement failed.

    Attributes
    ----------
    sqlstate, detail, hint, context : str
        As PostgreSQL reported them; empty where it did not.
    """

    def __init__(
        self, message: str, sqlstate: str = "", detail: str = "", hint: str = "", context: str = ""
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint
        self.context = context


class ScriptError(DatabaseError, RuntimeError):
    """A script failed in an engine. Its cause shows the engine's traceback.

    Attributes
    ----------
    output : str
        What it had printed, on a client. Empty in a script, past which the lines of what it calls
        go to the client.
    """

    def __init__(
        self,
        message: str,
        sqlstate: str = "",
        detail: str = "",
        hint: str = "",
        context: str = "",
        output: str = "",
    ) -> None:
        super().__init__(message, sqlstate, detail, hint, context)
        self.output = output


class RemoteTraceback(Exception):
    """The cause of a ScriptError: its text is the traceback of the engine."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}\n"""'


ScriptError.__module__ = "oml"
DatabaseError.__module__ = "oml"  # where users find it
