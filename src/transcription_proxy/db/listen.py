"""Hears NOTIFY on a connection of its own. It is a shortcut only: what it misses, the next poll must find."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from psycopg import AsyncConnection, sql

from transcription_proxy.db.pool import AWAY, CONNECTION

log = logging.getLogger(__name__)

PROBE: Final = 30.0
"""Seconds after which the connection is tried."""
LONGEST_PAUSE: Final = 10.0
Handlers = Mapping[str, Callable[[str], None]]
"""By channel."""


async def listen(url: str, handlers: Handlers, ready: Callable[[], None] = lambda: None) -> NoReturn:
    """Calls a channel's handler with each payload, for ever: a lost database is tried again, and only cancelling
    ends it. `ready` is called each time that listening has begun.

    Behind a pooler in transaction mode nothing is heard.
    """
    pause = 0.0
    while True:
        await asyncio.sleep(pause * random.uniform(0.5, 1))  # noqa: S311 - spreads reconnections, guards nothing
        try:
            async with asyncio.timeout(10):
                connection = await AsyncConnection.connect(url, **CONNECTION)
            async with connection:
                await _listen(connection, handlers)
                ready()
                pause = 0.0
                while True:
                    await _hear(connection, handlers)
        except AWAY as error:
            log.info("not listening: %s", error)
            pause = min(max(0.5, pause * 2), LONGEST_PAUSE)


async def _listen(connection: AsyncConnection, handlers: Handlers) -> None:
    async with asyncio.timeout(10):
        for channel in handlers:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))


async def _hear(connection: AsyncConnection, handlers: Handlers) -> None:
    async for notification in connection.notifies(timeout=PROBE):
        try:
            handlers[notification.channel](notification.payload)
        except Exception:  # one bad payload must not silence those that follow
            log.exception("a notification on %s could not be handled", notification.channel)
    async with asyncio.timeout(10):
        await connection.execute("SELECT 1")
