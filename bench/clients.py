"""Peers that fetch a table to the client and build a DataFrame there."""

from __future__ import annotations

import io
import os
from typing import Any

import numpy as np
import pandas as pd
import psycopg
import psycopg2

COPY_HEADER_BYTES = 19  # signature, flags, length of the header extension
COPY_TRAILER_BYTES = 2
# Seconds between 1970 and PostgreSQL's epoch, 2000.
POSTGRES_EPOCH = np.datetime64("2000-01-01", "us")


def psycopg_frame(connection: psycopg.Connection[Any], query: str) -> pd.DataFrame:
    """Fetch all rows in binary, as tuples, into a DataFrame."""
    with connection.cursor(binary=True) as cursor:
        cursor.execute(query)
        names = [column.name for column in cursor.description or []]
        return pd.DataFrame(cursor.fetchall(), columns=names)


def copy_bytes(connection: Any, query: str) -> memoryview:
    """Return the whole answer of COPY ... TO STDOUT in binary.

    By psycopg2, whose loop over the messages is in C: psycopg 3 hands each row to Python and takes
    seven times as long.
    """
    answer = io.BytesIO()
    with connection.cursor() as cursor:
        cursor.copy_expert(f"COPY ({query}) TO STDOUT (FORMAT binary)", answer)
    return answer.getbuffer()


def copy_connection() -> Any:
    """Connect for copy_bytes."""
    connection = psycopg2.connect("")
    connection.autocommit = True
    return connection


def record_type(columns: list[tuple[str, str]]) -> np.dtype[Any]:
    """Return the layout of a row of COPY BINARY whose values are all present and fixed-width."""
    fields: list[tuple[str, str]] = [("#count", ">i2")]
    for name, layout in columns:
        fields += [(f"#{name}", ">i4"), (name, layout)]
    return np.dtype(fields)


def parse_copy(data: memoryview, columns: list[tuple[str, str]]) -> np.ndarray[Any, Any]:
    """View the answer of copy_bytes as records."""
    body = data[COPY_HEADER_BYTES : len(data) - COPY_TRAILER_BYTES]
    return np.frombuffer(body, dtype=record_type(columns))


def copy_numeric_frame(connection: Any) -> pd.DataFrame:
    """COPY BINARY of numeric4, parsed by numpy."""
    columns = [("a", ">i4"), ("b", ">f8"), ("c", ">f8"), ("d", ">f8")]
    rows = parse_copy(copy_bytes(connection, "SELECT * FROM numeric4"), columns)
    return pd.DataFrame(
        {name: rows[name].astype(layout.replace(">", "=")) for name, layout in columns}, copy=False
    )


def copy_mixed_frame(connection: Any) -> pd.DataFrame:
    """COPY BINARY of mixed8; the server turns numeric into float8, labels are of equal length."""
    columns = [("id", ">i4"), ("code", ">i4"), ("x", ">f8"), ("y", ">f8"), ("z", ">f8")]
    columns += [("label", "S10"), ("taken_at", ">i8"), ("amount", ">f8")]
    query = "SELECT id, code, x, y, z, label, taken_at, amount::float8 FROM mixed8"
    rows = parse_copy(copy_bytes(connection, query), columns)
    frame = {
        name: rows[name].astype(layout.replace(">", "="))
        for name, layout in columns
        if name not in ("label", "taken_at")
    }
    frame["label"] = rows["label"].astype("U10").astype(object)
    frame["taken_at"] = rows["taken_at"].astype("=i8").view("m8[us]") + POSTGRES_EPOCH
    order = [name for name, _ in columns]
    return pd.DataFrame({name: frame[name] for name in order}, copy=False)


def adbc_missing() -> str:
    """Say why the ADBC driver cannot take part; empty when it can."""
    try:
        import adbc_driver_postgresql.dbapi  # noqa: F401
        import pyarrow  # noqa: F401
    except ImportError as problem:
        return str(problem)
    return ""


def adbc_frame(query: str) -> pd.DataFrame:
    """Fetch by Arrow's own PostgreSQL driver (COPY BINARY parsed in C) into a DataFrame."""
    import adbc_driver_postgresql.dbapi as adbc

    uri = "postgresql:///{PGDATABASE}?host={PGHOST}&port={PGPORT}&user={PGUSER}"
    with adbc.connect(uri.format(**os.environ)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return cursor.fetch_arrow_table().to_pandas()
