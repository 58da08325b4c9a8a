"""Exceptions."""

from __future__ import annotations


class DatabaseError(Exception):
    """A statement failed.

    Attributes
    ----------
    sqlstate, detail, hint, context : str
        As reported by PostgreSQL; empty if not reported.
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
    """A script failed in an engine. `__cause__` contains the engine's traceback.

    Attributes
    ----------
    output : str
        The output printed before the failure, on a client. Empty within a script: there, output of
        nested calls is sent to the client directly.
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
    """The cause of a ScriptError: its message is the engine's traceback."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}\n"""'


ScriptError.__module__ = "oml"
DatabaseError.__module__ = "oml"  # public module
