"""Reads the rows of COPY ... TO STDOUT from libpq.

libpq returns one row at a time. psycopg's C implementation is fast enough. For its pure Python
implementation this module calls the three libpq functions directly, which avoids psycopg's layers.
"""

from __future__ import annotations

import ctypes
import ctypes.util
from collections.abc import Callable
from typing import Any

from psycopg import errors, pq

_BLOCK_ROWS = 65536
_BLOCK_BYTES = 8 << 20


def read(
    pgconn: pq.abc.PGconn, wait: Callable[[], None], consume: Callable[[list[bytes]], None]
) -> None:
    """Pass all rows to a function, in lists of several.

    Parameters
    ----------
    pgconn : psycopg.pq.PGconn
        A connection in COPY OUT state.
    wait : function
        Waits until data can be read.
    consume : function
        Takes a list of rows.
    """
    take = _direct(pgconn) if pq.__impl__ == "python" else None
    if take is None:
        take = _through_psycopg(pgconn)
    is_open = True
    while is_open:
        rows: list[bytes] = []
        is_open = take(rows, wait)
        consume(rows)


_Take = Callable[["list[bytes]", Callable[[], None]], bool]


def _through_psycopg(pgconn: pq.abc.PGconn) -> _Take:
    get = pgconn.get_copy_data

    def take(rows: list[bytes], wait: Callable[[], None]) -> bool:
        size = 0
        while len(rows) < _BLOCK_ROWS and size < _BLOCK_BYTES:
            length, data = get(1)
            if length > 0:
                rows.append(bytes(data))
                size += length
            elif length == 0:
                wait()
                pgconn.consume_input()
            else:
                return False
        return True

    return take


def _library() -> ctypes.PyDLL | None:
    """The libpq loaded by psycopg; None if it cannot be determined."""
    name = ctypes.util.find_library("pq")
    if name is None:
        return None
    # These calls only copy memory, so the GIL is kept.
    library = ctypes.PyDLL(name)
    if library.PQlibVersion() != pq.version():
        return None
    library.PQgetCopyData.argtypes = [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int]
    library.PQfreemem.argtypes = [ctypes.c_void_p]
    library.PQfreemem.restype = None
    return library


def _direct(pgconn: Any) -> _Take | None:  # pq.pq_ctypes.PGconn
    library = _library()
    if library is None:
        return None
    get, free = library.PQgetCopyData, library.PQfreemem
    copy = ctypes.string_at
    pointer = pgconn.pgconn_ptr
    cell = ctypes.c_void_p()
    place = ctypes.addressof(cell)

    def take(rows: list[bytes], wait: Callable[[], None]) -> bool:
        append = rows.append
        size = 0
        while size < _BLOCK_BYTES:
            for _ in range(4096):
                length = get(pointer, place, 1)
                if length > 0:
                    row: Any = cell.value  # the address, an int
                    append(copy(row, length))
                    free(row)
                    size += length
                elif length == 0:
                    wait()
                    pgconn.consume_input()
                elif length == -1:
                    return False
                else:
                    text = pgconn.error_message.decode(errors="replace").strip()
                    raise errors.OperationalError(f"receiving data failed: {text}")
        return True

    # The memory that `place` points to must outlive this function.
    take.cell = cell  # type: ignore[attr-defined]
    return take
