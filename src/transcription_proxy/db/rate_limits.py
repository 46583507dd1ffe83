"""Limits of so many requests a minute, exact over all workers and hosts (docs/decisions/0018).

The database counts. A process remembers who was refused until when, so a flood of refused requests costs the database
nothing: time alone lets a refused client in again, whatever other processes do meanwhile."""

import math
from collections import OrderedDict
from collections.abc import Callable
from hashlib import sha256
from time import monotonic
from typing import Final

from psycopg.rows import scalar_row

from transcription_proxy import metrics, sentences
from transcription_proxy.db import queries
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal

WINDOW_SECONDS: Final = 60.0
MAX_REMEMBERED: Final = 20_000
"""Refused clients that a process remembers. Beyond it, it asks the database about the one it has known longest."""
PRUNE_JOB: Final = "prune_limits"
PRUNE_EVERY_SECONDS: Final = 60.0
SQL: Final = queries.load("transcription_proxy.db")


class RateLimits:
    """Moving windows of WINDOW_SECONDS. Every call raises Unavailable when the database is away."""

    def __init__(self, database: Database, clock: Callable[[], float] = monotonic) -> None:
        self._database = database
        self._clock = clock
        self._refused_until: OrderedDict[bytes, float] = OrderedDict()

    async def check(self, what: str, who: str, limit: int) -> None:
        """Count a request. Raise Refusal rate_limited if `who` did `what` `limit` times in the last minute.

        A refused request does not count.
        """
        key = sha256(f"{what}\0{who}".encode()).digest()
        wait = self._refused_until.get(key, 0.0) - self._clock()
        if wait <= 0:
            self._refused_until.pop(key, None)
            wait = await self._admit(key, limit)
            if wait > 0:
                self._remember(key, wait)
        if wait > 0:
            metrics.RATE_LIMITED.labels(what).inc()
            seconds = math.ceil(wait)
            raise Refusal("rate_limited", sentences.too_many_attempts(seconds), seconds)

    async def prune(self, _key: str = "") -> None:
        """Job: delete the counts that no longer matter."""
        async with self._database.transaction() as connection:
            await connection.execute(SQL["drop_expired_limits"])

    async def _admit(self, key: bytes, limit: int) -> float:
        """Return 0 if the request is admitted, otherwise how many seconds later it would be."""
        values = {"key": key, "limit": limit, "window": WINDOW_SECONDS}
        async with self._database.transaction() as connection, connection.cursor(row_factory=scalar_row) as cursor:
            await cursor.execute(SQL["admit"], values)
            return float(await cursor.fetchone() or 0)

    def _remember(self, key: bytes, wait: float) -> None:
        self._refused_until[key] = self._clock() + wait
        if len(self._refused_until) > MAX_REMEMBERED:
            self._refused_until.popitem(last=False)
