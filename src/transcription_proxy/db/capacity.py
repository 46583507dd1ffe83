"""How many connections to PostgreSQL a service of so many workers needs, and whether there are enough for it."""

from typing import TYPE_CHECKING, Final

from transcription_proxy.db import queries

if TYPE_CHECKING:  # `serve` must start without psycopg
    from transcription_proxy.db.pool import Database

POOL_SIZE: Final = 8
"""Connections of one worker's pool, at most."""
OF_A_WORKER: Final = POOL_SIZE + 2
"""The listener and the migration have one each beside the pool."""
OF_THE_OPERATOR: Final = 10
"""Kept free for commands: three each."""
SQL: Final = queries.load("transcription_proxy.db")


def needed(workers: int) -> int:
    """Return how many connections the workers and the operator's commands may have at once."""
    return workers * OF_A_WORKER + OF_THE_OPERATOR


async def shortage(database: "Database", workers: int) -> str | None:
    """Return a sentence where PostgreSQL allows fewer connections than are needed. Raises Unavailable."""
    async with database.transaction() as connection:
        cursor = await connection.execute(SQL["connection_limit"])
        row = await cursor.fetchone()
        own_pid = connection.info.backend_pid
    allowed, server_pid = row or (0, 0)
    if server_pid != own_pid or allowed >= needed(workers):  # other process ids: a pooler shares its connections out
        return None
    return (
        f"PostgreSQL allows {allowed} connections, and WORKERS={workers} needs {needed(workers)}. Raise its "
        "max_connections (for the bundled one, stop everything that uses it, then start again), or lower WORKERS"
    )
