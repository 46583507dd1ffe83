"""Listens for NOTIFY on a separate connection. Notifications may be lost, so callers must also poll for the news."""

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from typing import Final, NoReturn

from psycopg import AsyncConnection, sql

from transcription_proxy.backoff import Backoff
from transcription_proxy.db.pool import AWAY, CONNECTION

log = logging.getLogger(__name__)

PROBE_SECONDS: Final = 30.0
"""How long a silent connection waits before it is probed."""
BACKOFF: Final = Backoff(first=0.5, longest=10.0)
"""Pauses between tries to connect."""
Handlers = Mapping[str, Callable[[str], None]]
"""The function for the payloads of each channel."""


async def listen(url: str, handlers: Handlers, ready: Callable[[], None] = lambda: None) -> NoReturn:
    """Call a channel's handler with each payload until cancelled, and reconnect when the connection is lost.

    `ready` is called after each connect. Behind a pooler in transaction mode no notification arrives.
    """
    failures = 0
    while True:
        await asyncio.sleep(BACKOFF.pause(failures) * random.uniform(0.5, 1))  # noqa: S311 - spreads reconnections, guards nothing
        try:
            async with asyncio.timeout(10):
                connection = await AsyncConnection.connect(url, **CONNECTION)
            async with connection:
                await _listen(connection, handlers)
                ready()
                failures = 0
                while True:
                    await _receive(connection, handlers)
        except AWAY as error:
            log.info("not listening: %s", error)
            failures += 1


async def _listen(connection: AsyncConnection, handlers: Handlers) -> None:
    async with asyncio.timeout(10):
        for channel in handlers:
            await connection.execute(sql.SQL("LISTEN {}").format(sql.Identifier(channel)))


async def _receive(connection: AsyncConnection, handlers: Handlers) -> None:
    """Handle notifications until none has come for PROBE_SECONDS, then probe the connection."""
    async for notification in connection.notifies(timeout=PROBE_SECONDS):
        try:
            handlers[notification.channel](notification.payload)
        except Exception:  # a bad payload must not keep later ones from their handlers
            log.exception("a notification on %s could not be handled", notification.channel)
    async with asyncio.timeout(10):
        await connection.execute("SELECT 1")
