"""Sends notifications by NOTIFY to the processes that listen at that moment. Nothing is stored."""

from collections.abc import Sequence
from typing import Any, Final

from psycopg import AsyncConnection

from transcription_proxy.db import queries
from transcription_proxy.db.pool import Database

SQL: Final = queries.load("transcription_proxy.db")
Messages = Sequence[tuple[str, str]]
"""Channel and payload of each notification."""


async def notify(connection: AsyncConnection[Any], messages: Messages) -> None:
    """Send notifications, in order, when the transaction commits."""
    await connection.execute(SQL["notify"], _columns(messages))


class Notifier:
    """Sends notifications, each batch in a separate transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def notify(self, messages: Messages) -> None:
        """Send notifications now. Raise Unavailable."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["notify_only"], _columns(messages))


def _columns(messages: Messages) -> dict[str, list[str]]:
    return {"channels": [channel for channel, _ in messages], "payloads": [payload for _, payload in messages]}
