"""Work that outlives a process: a row of `jobs`, run by whichever process claims it, again until it succeeds.

A job may run twice, when its process dies in the middle: whatever it does bears that."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from psycopg import AsyncConnection
from psycopg.rows import class_row

from transcription_proxy.db import queries
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Unavailable

POLL: Final = 1.0
LOST_AFTER: Final = 300.0
"""Seconds that one run may take; after them another process takes the job."""
LONGEST_PAUSE: Final = 3600
MOST_TRIES: Final = 50
SQL: Final = queries.load("transcription_proxy.db")
Handler = Callable[[str], Awaitable[None]]
log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Job:
    """A job that this process has claimed, for its `tries`th run."""

    id: int
    kind: str
    key: str
    tries: int


async def enqueue(connection: AsyncConnection[Any], kind: str, key: str) -> None:
    """A job to be run once the transaction has committed. One of a kind and key at a time: repeats change nothing."""
    await enqueue_all(connection, [(kind, key)])


async def enqueue_all(connection: AsyncConnection[Any], jobs: Sequence[tuple[str, str]]) -> None:
    """Enqueue jobs, each a kind and a key, in one statement."""
    if jobs:
        kinds, keys = zip(*jobs, strict=True)
        await connection.execute(SQL["enqueue"], {"kinds": list(kinds), "keys": list(keys)})


class Jobs:
    """Runs jobs by kind. A kind in `every` runs for ever, so many seconds after its last run; its key is empty."""

    def __init__(self, database: Database, handlers: Mapping[str, Handler], every: Mapping[str, float]) -> None:
        self._database = database
        self._handlers = handlers
        self._every = every

    async def run(self) -> None:
        """Until it is cancelled. A database that is away is waited for."""
        begun = False
        while True:
            try:
                if not begun:
                    await self._begin()
                    begun = True
                while await self.run_one():
                    pass
            except Unavailable:
                log.warning("database_away")
            await asyncio.sleep(POLL)

    async def _begin(self) -> None:
        async with self._database.transaction() as connection:
            for kind in self._every:
                await enqueue(connection, kind, "")

    async def run_one(self) -> bool:
        """Runs a job that is due; False where there is none."""
        values = {"kinds": list(self._handlers), "lost_after": LOST_AFTER}
        async with self._database.transaction() as connection, connection.cursor(row_factory=class_row(Job)) as cursor:
            await cursor.execute(SQL["claim_job"], values)
            job = await cursor.fetchone()
        if job is None:
            return False
        failed, again = await self._ran(job)
        async with self._database.transaction() as connection:
            done = {"id": job.id, "tries": job.tries, "again": again, "fresh": not failed}
            await connection.execute(SQL["finish_job" if again is None else "postpone_job"], done)
        return True

    async def _ran(self, job: Job) -> tuple[bool, float | None]:
        """Runs it; whether it failed, and the seconds until it is to run again, None for never."""
        try:
            async with asyncio.timeout(LOST_AFTER / 2):
                await self._handlers[job.kind](job.key)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
            log.warning("job_failed", job=job.kind, key=job.key, tries=job.tries, error=type(error).__name__)
            if job.tries >= MOST_TRIES and job.kind not in self._every:
                log.error("job_given_up", job=job.kind, key=job.key)
                return True, None
            return True, float(min(2 ** min(job.tries, 12), LONGEST_PAUSE))
        return False, self._every.get(job.kind)
