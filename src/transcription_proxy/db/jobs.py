"""Jobs, which outlive a process: table rows, each run by the process that claims it, until it succeeds.

A job whose process dies runs again, so every job must be idempotent (docs/decisions/0006)."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import structlog
from psycopg import AsyncConnection
from psycopg.rows import class_row

from transcription_proxy import metrics
from transcription_proxy.backoff import Backoff
from transcription_proxy.db import queries
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Unavailable

POLL_SECONDS: Final = 1.0
LOST_AFTER_SECONDS: Final = 300.0
"""How long after its claim a job counts as lost, so that another process may claim it."""
BACKOFF: Final = Backoff(first=2.0, longest=3600.0)
"""Pauses between tries of a failed job."""
MAX_TRIES: Final = 50
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
    """Enqueue a job, to be run once the transaction has committed. A job that is queued already changes nothing."""
    await enqueue_all(connection, [(kind, key)])


async def enqueue_all(connection: AsyncConnection[Any], jobs: Sequence[tuple[str, str]]) -> None:
    """Enqueue jobs, each a kind and a key, in one statement."""
    if jobs:
        kinds, keys = zip(*jobs, strict=True)
        await connection.execute(SQL["enqueue"], {"kinds": list(kinds), "keys": list(keys)})


class Jobs:
    """Runs jobs with the handler of their kind. A kind in `every` runs again that many seconds after each run."""

    def __init__(self, database: Database, handlers: Mapping[str, Handler], every: Mapping[str, float]) -> None:
        self._database = database
        self._handlers = handlers
        self._every = every
        for kind in handlers:
            metrics.FAILED_JOBS.labels(kind)  # at 0 from the start: an increase from nothing is none to Prometheus

    async def run(self) -> None:
        """Run jobs until cancelled. While the database is away, try again each POLL_SECONDS."""
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
            await asyncio.sleep(POLL_SECONDS)

    async def _begin(self) -> None:
        async with self._database.transaction() as connection:
            for kind in self._every:
                await enqueue(connection, kind, "")

    async def run_one(self) -> bool:
        """Run a job that is due. Return False where there is none."""
        values = {"kinds": list(self._handlers), "lost_after": LOST_AFTER_SECONDS}
        async with self._database.transaction() as connection, connection.cursor(row_factory=class_row(Job)) as cursor:
            await cursor.execute(SQL["claim_job"], values)
            job = await cursor.fetchone()
        if job is None:
            return False
        failed, again = await self._run_handler(job)
        async with self._database.transaction() as connection:
            done = {"id": job.id, "tries": job.tries, "again": again, "fresh": not failed}
            await connection.execute(SQL["finish_job" if again is None else "postpone_job"], done)
        return True

    async def _run_handler(self, job: Job) -> tuple[bool, float | None]:
        """Run a job. Return whether it failed, and the seconds until its next run, None for no other run."""
        try:
            async with asyncio.timeout(LOST_AFTER_SECONDS / 2):
                await self._handlers[job.kind](job.key)
        except Exception as error:  # noqa: BLE001 - any failure is tried again
            metrics.FAILED_JOBS.labels(job.kind).inc()
            log.warning("job_failed", job=job.kind, key=job.key, tries=job.tries, error=type(error).__name__)
            if job.tries >= MAX_TRIES and job.kind not in self._every:
                log.error("job_given_up", job=job.kind, key=job.key)
                return True, None
            return True, BACKOFF.pause(job.tries)
        return False, self._every.get(job.kind)
