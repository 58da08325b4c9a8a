"""Receives printed output and progress from the server while a call runs."""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    import psycopg

    from oml._db import connection as db

    class _Bar(Protocol):
        """What is called of a tqdm.tqdm."""

        n: int

        def update(self, n: int) -> object: ...
        def close(self) -> None: ...


#: SQLSTATE of the messages that report the number of completed calls.
PROGRESS_STATE = "00EPE"


class Listener:
    """Collects printed output, and updates a progress bar.

    Parameters
    ----------
    total : int or None
        Number of calls, if known.
    """

    def __init__(self, total: int | None) -> None:
        self._lines: list[str] = []
        self._total = total
        self._bar: _Bar | None = None

    @property
    def output(self) -> str:
        """The printed output."""
        return "".join(line + "\n" for line in self._lines)

    def hear(self, diagnostic: psycopg.errors.Diagnostic) -> None:
        text = diagnostic.message_primary or ""
        if diagnostic.sqlstate == PROGRESS_STATE:
            self._move(int(text))
        elif diagnostic.severity_nonlocalized == "NOTICE":
            self._lines.append(text)

    def _move(self, done: int) -> None:
        if self._bar is None:  # the call takes long
            tqdm = importlib.import_module("tqdm.auto").tqdm
            self._bar = tqdm(total=self._total, unit="call", leave=False)
        self._bar.update(done - self._bar.n)

    def close(self) -> None:
        if self._bar is not None:
            self._bar.close()


def wants_progress() -> bool:
    """Whether the output is interactive and a progress bar is available."""
    is_seen = "ipykernel" in sys.modules or bool(getattr(sys.stderr, "isatty", bool)())
    return is_seen and importlib.util.find_spec("tqdm") is not None


@contextlib.contextmanager
def listen(connection: db.AnyConnection, total: int | None) -> Iterator[Listener]:
    """Listen on a client connection; a no-op in an engine, where the client of the call listens."""
    listener = Listener(total)
    psycopg = getattr(connection, "psycopg", None)
    if psycopg is not None:
        psycopg.add_notice_handler(listener.hear)
    try:
        yield listener
    finally:
        listener.close()
        if psycopg is not None:
            psycopg.remove_notice_handler(listener.hear)
