"""The peer of bench/gateway.py: FastAPI over psycopg's pool, calling a plpython3u function.

    uvicorn fastapi_app:app --workers 2

It is what one writes in an afternoon, and does less than the gateway: no users, no tokens, no
limits; PGHOST and its like say where the database is.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator
from typing import Any

from fastapi import FastAPI, Request
from psycopg_pool import AsyncConnectionPool

POOL_SIZE = 4  # for each of two workers: as many as the gateway has for a user


@contextlib.asynccontextmanager
async def lifespan(running: FastAPI) -> AsyncIterator[None]:
    async with AsyncConnectionPool("", min_size=POOL_SIZE, max_size=POOL_SIZE) as pool:
        running.state.pool = pool
        yield


app = FastAPI(lifespan=lifespan)


@app.post("/do-eval/{name}")
async def do_eval(name: str, request: Request) -> dict[str, Any]:
    body = await request.json()
    async with request.app.state.pool.connection() as connection:
        cursor = await connection.execute(
            f"SELECT peer_{name}(%s)", (body.get("parameters", "{}"),)
        )
        row = await cursor.fetchone()
    return {"result": row[0]}
