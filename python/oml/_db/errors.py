"""Exceptions."""

from __future__ import annotations

import sys


class DatabaseError(Exception):
    """A statement failed.

    Attributes
    ----------
    sqlstate, detail, hint, context : str
        As reported by PostgreSQL; empty if not reported. On a client a traceback shows detail and
        hint below the message, as notes (Python 3.11 and later).
    """

    def __init__(
        self, message: str, sqlstate: str = "", detail: str = "", hint: str = "", context: str = ""
    ) -> None:
        super().__init__(message)
        self.sqlstate = sqlstate
        self.detail = detail
        self.hint = hint
        self.context = context
        notes = [f"DETAIL:  {detail}"] if detail else []
        notes += [f"HINT:  {hint}"] if hint else []
        if notes and not _is_embedded():
            self.__notes__ = notes


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


def _is_embedded() -> bool:
    """Whether this is an engine, which reports detail and hint to the client as such."""
    return "_oml_epe" in sys.modules


class RemoteTraceback(Exception):
    """The cause of a ScriptError: its message is the engine's traceback."""

    def __str__(self) -> str:
        return f'\n"""\n{self.args[0]}\n"""'


ScriptError.__module__ = "oml"
DatabaseError.__module__ = "oml"  # public module
