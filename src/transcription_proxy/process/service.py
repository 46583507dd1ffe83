"""The life cycle of a worker's service: its background tasks, its start, its drain and its end."""

import asyncio
import os
from collections.abc import Awaitable, Callable
from typing import Final, Self

import structlog
from fastapi import FastAPI

from transcription_proxy.config import Settings
from transcription_proxy.db.capacity import shortage
from transcription_proxy.db.listen import listen
from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.reaper import REAP_EVERY_SECONDS
from transcription_proxy.overlay.feeds import SHARED_CHANNEL
from transcription_proxy.process import wiring
from transcription_proxy.process.lives import Life, dead_lives
from transcription_proxy.relay.door import DoorProtocol

END_SECONDS: Final = 20.0
"""How long live sessions may take to end at a shutdown, with their last words and their booking."""
TASK_RESTART_SECONDS: Final = 1.0
"""Pause before a background task that failed is started again."""
log = structlog.get_logger()


class Service:
    """The service of one worker process. Its background tasks run inside `async with`."""

    def __init__(self, settings: Settings, life: Life) -> None:
        """Build the worker's parts. Raise ConfigError."""
        self._life = life
        self._settings = settings
        self._parts = wiring.build(settings, life, self.is_ready)
        self._begun = False
        self._tasks: list[asyncio.Task[None]] = []
        self.door: type[DoorProtocol] = self._parts.door
        self.http: FastAPI = self._parts.http

    async def __aenter__(self) -> Self:
        await self._parts.database.open()
        self._keep("settler", self._parts.settler.run)
        self._keep("sampler", self._parts.sampler.run)
        self._keep("leases", self._parts.settler.keep_leases)
        return self

    async def __aexit__(self, *_: object) -> None:
        left = await self._parts.settler.finish(END_SECONDS)
        if left:
            log.error("sessions_not_booked", sessions=left)  # the reaper ends them with what was settled
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        await self._parts.database.close()
        if left or self.live:
            self._life.leave()
        else:
            self._life.release()

    async def begin(self) -> None:
        """End the sessions of dead processes, start the background tasks, and let sessions in.

        Call this once the database is there and migrated.
        """
        is_first = os.environ.get("WORKER_NUMBER", "0") == "0"  # one worker logs it for all
        if is_first and (lack := await shortage(self._parts.database, self._settings.workers)):
            log.warning("too_few_connections", detail=lack)
        await self._end_dead_lives()
        self._keep("reaper", self._reap)
        self._keep("jobs", self._parts.jobs.run)
        self._keep("mail", self._parts.mail_jobs.run)
        self._keep("listener", self._listen)
        self._keep("overlay_announcements", self._parts.feeds.announce)
        self._keep("overlay_lines", self._parts.feeds.forward)
        self._keep("overlay_seats", self._parts.seats.renew)
        self._begun = True

    def is_ready(self) -> bool:
        """Return whether the worker takes sessions."""
        return self._begun and not self._parts.switchboard.draining

    @property
    def open_sockets(self) -> int:
        """Return how many WebSockets are open."""
        return len(self._parts.switchboard.sockets)

    @property
    def live(self) -> bool:
        """Return whether there are sessions whose end is not booked yet."""
        return bool(self._parts.switchboard.unbooked)

    def drain(self) -> None:
        """Refuse new sessions from now on."""
        self._parts.switchboard.drain()

    async def end(self) -> None:
        """End the live sessions, and return when they are booked, or after END_SECONDS."""
        self._parts.switchboard.end_sessions()
        unbooked = self._parts.switchboard.unbooked
        if unbooked:
            await asyncio.wait(unbooked, timeout=END_SECONDS)
        self._parts.feeds.end()

    async def _listen(self) -> None:
        feeds = self._parts.feeds
        handlers = {
            "session_ending": self._parts.switchboard.report_row_change,
            SHARED_CHANNEL: feeds.receive_announcement,
            feeds.own_channel: feeds.receive_line,
        }
        await listen(self._settings.database_url or "", handlers, feeds.request_counts)

    async def _end_dead_lives(self) -> None:
        """End the sessions of dead processes that used the same DATA_DIR."""
        for life in dead_lives(self._settings.data_dir):
            try:
                ended = await self._parts.ledger.end_life(life.id)
                await self._parts.seats.forget(life.id)
            except BaseException:
                life.leave()
                raise
            life.release()
            if ended:
                log.warning("dead_process_sessions_ended", sessions=len(ended))

    async def _reap(self) -> None:
        while True:
            try:
                ended = await self._parts.reaper.tick()
                await self._end_dead_lives()
            except Unavailable:
                log.warning("database_away")
            else:
                for session in ended:
                    log.warning("lease_expired", session=str(session.session_id))
            await asyncio.sleep(REAP_EVERY_SECONDS)

    def _keep(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        """Run `work` in the background until shutdown. If it fails, log that and start it again."""
        self._tasks.append(asyncio.create_task(_run_forever(name, work), name=name))


async def _run_forever(name: str, work: Callable[[], Awaitable[None]]) -> None:
    while True:
        try:
            await work()
        except Exception:
            log.exception("task_died", task=name)
        await asyncio.sleep(TASK_RESTART_SECONDS)
