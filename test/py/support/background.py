"""Statements that run in the background of a test, and waiting for the state of other sessions."""

from __future__ import annotations

import threading
import time
from typing import Any

from psycopg import Connection

SAFETY_SECONDS = 20  # never reached, unless something hangs


class Background(threading.Thread):
    """Runs a statement on a separate thread and stores its outcome: rows or an error."""

    def __init__(self, connection: Connection[Any], statement: str) -> None:
        super().__init__(daemon=True)
        self._connection = connection
        self._statement = statement
        self.error: BaseException | None = None
        self.rows: list[Any] = []
        self.start()

    def run(self) -> None:
        try:
            cursor = self._connection.execute(self._statement)  # type: ignore[call-overload]
            self.rows = cursor.fetchall() if cursor.description else []
        except BaseException as error:
            self.error = error

    def result(self) -> BaseException | None:
        self.join(SAFETY_SECONDS)
        assert not self.is_alive(), "the statement did not end"
        return self.error


def wait_until(observer: Connection[Any], condition: str, *parameters: Any) -> None:
    """Wait until an SQL condition holds."""
    deadline = time.monotonic() + SAFETY_SECONDS
    while True:
        row = observer.execute(f"SELECT {condition}", parameters).fetchone()  # type: ignore
        assert row is not None
        if row[0]:
            return
        assert time.monotonic() < deadline, f"never came true: {condition}"
        time.sleep(0.005)
