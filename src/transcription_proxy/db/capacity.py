"""How many connections to PostgreSQL the service needs, and whether PostgreSQL allows that many."""

from typing import TYPE_CHECKING, Final

from transcription_proxy.db import queries

if TYPE_CHECKING:  # `serve` must start without psycopg
    from transcription_proxy.db.pool import Database

POOL_SIZE: Final = 8
"""The most connections in a worker's pool."""
CONNECTIONS_PER_WORKER: Final = POOL_SIZE + 2
"""Connections of the pool, and one each for the listener and the migration."""
CONNECTIONS_FOR_COMMANDS: Final = 10
"""Connections kept free for the operator's commands, which use three each."""
SQL: Final = queries.load("transcription_proxy.db")


def needed(workers: int) -> int:
    """Return how many connections the workers and the operator's commands may have at once."""
    return workers * CONNECTIONS_PER_WORKER + CONNECTIONS_FOR_COMMANDS


async def shortage(database: "Database", workers: int) -> str | None:
    """Return a sentence if PostgreSQL allows fewer connections than are needed, else None. Raise Unavailable."""
    async with database.transaction() as connection:
        cursor = await connection.execute(SQL["connection_limit"])
        row = await cursor.fetchone()
        own_pid = connection.info.backend_pid
    allowed, server_pid = row or (0, 0)
    if server_pid != own_pid or allowed >= needed(workers):  # different server processes: a pooler is between
        return None
    return (
        f"PostgreSQL allows {allowed} connections, and WORKERS={workers} needs {needed(workers)}. Raise its "
        "max_connections (for the bundled one, stop everything that uses it, then start again), or lower WORKERS"
    )
