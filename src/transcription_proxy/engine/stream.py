"""One connection: a reader that takes what comes and answers pings at once, and the hearing of it turn by turn."""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import Callable
from concurrent.futures import Executor
from datetime import UTC, datetime
from typing import Final, TypeVar
from uuid import UUID

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from transcription_proxy.engine import messages
from transcription_proxy.engine.backlog import Backlog
from transcription_proxy.engine.hearing import Hearing, OnChannel
from transcription_proxy.engine.progress import REPORT_EVERY, Pace, Progress
from transcription_proxy.engine.request import Request
from transcription_proxy.engine.segments import Heard

QUIET_AFTER: Final = 10.0
"""Seconds without a frame after which a stream is closed (deepgram 1.4); it finds the clients that are gone, too."""
TAKEN_WITHIN: Final = 20.0
"""Seconds in which a client takes a message, or it is gone."""
LATE: Final = 2.0
"""Seconds of audio that wait to be heard, from which on the client is told how far the stream is."""
Result = TypeVar("Result")
Goodbye = tuple[int, str]
"""A close code and its reason."""
ALL_SAID: Final[Goodbye] = (1000, "")
NET_0001: Final[Goodbye] = (
    1011,
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001",
)


class Stream:
    """Has its own ear until it is closed. `threads` hear: a stream has one turn at a time in their queue, so that
    all have the same share of them, however much of one waits."""

    def __init__(
        self,
        connection: ServerConnection,
        request: Request,
        request_id: UUID,
        hearing: Hearing,
        threads: Executor,
        pace: Pace,
    ) -> None:
        self._connection = connection
        self._request = request
        self._id = request_id
        self._hearing = hearing
        self._threads = threads
        self._pace = pace
        self._turn_began_at: float | None = None
        """While a turn of this stream is under way, and does not only wait for a thread."""
        self._backlog = Backlog(request.sample_rate, request.block)
        self._progress = Progress(request.ears, _now())
        self._changed = asyncio.Event()
        self._ending = False
        self._heard = 0
        self._sha256 = hashlib.sha256()
        self._created = datetime.now(UTC)
        self.voices = request.ears

    def late(self, now: float) -> float:
        """Seconds that it is behind real time."""
        return self._backlog.late(now)

    def end(self) -> None:
        """The engine ends: after the present turn come the last words, and what waits is not heard."""
        self._ending = True
        self._changed.set()

    async def run(self) -> None:
        """Until the goodbye. Raises ConnectionClosed or TimeoutError when the client is gone."""
        reading = asyncio.create_task(self._read())
        reading.add_done_callback(lambda _: self._changed.set())
        reporting = asyncio.create_task(self._report(reading))
        try:
            goodbye = await self._hear_all(reading)
            await self._say(self._hearing.finish)
            reporting.cancel()
            await self._send(self._metadata())
        finally:
            reading.cancel()
            reporting.cancel()
            await asyncio.gather(reading, reporting, return_exceptions=True)
            await self._in_thread(self._hearing.close)
            self.voices = 0
        await self._leave(*goodbye)

    async def _read(self) -> Goodbye:
        """Takes what the client sends, as long as there is room for it, to the end."""
        try:
            while True:
                while self._backlog.full:
                    await self._change()
                try:
                    async with asyncio.timeout(QUIET_AFTER):
                        message = await self._connection.recv()
                except TimeoutError:
                    return NET_0001
                if await self._is_the_end(message):
                    return ALL_SAID
                self._changed.set()
        except ConnectionClosed:
            self._backlog.clear()
            raise

    async def _is_the_end(self, message: str | bytes) -> bool:
        if isinstance(message, bytes):
            self._backlog.add(message, _now())
            return message == b""
        match _kind(message):
            case "CloseStream":
                return True
            case "Finalize":
                self._backlog.finalize()
            case "KeepAlive":
                pass
            case _:
                await self._send(messages.schema_error(message))
        return False

    async def _hear_all(self, reading: asyncio.Task[Goodbye]) -> Goodbye:
        """Hears what comes, until the reader ends or the engine; how to leave. Raises what the reader raised."""
        while not self._ending:
            if self._backlog.due():
                await self._say(self._hearing.finalize)
            elif turn := self._backlog.take(_now(), rest=reading.done()):
                await self._hear(turn)
            elif reading.done():
                return reading.result()
            else:
                await self._change()
                self._progress.moved(self._seconds, _now())
            self._changed.set()  # there may be room for the reader
        if turn := self._backlog.take(_now(), rest=True):
            await self._hear(turn)
        return ALL_SAID

    async def _hear(self, audio: bytes) -> None:
        await self._say(self._hearing.hear, audio)
        self._heard += len(audio)
        self._sha256.update(audio)
        self._progress.moved(self._seconds, _now())

    async def _report(self, reading: asyncio.Task[Goodbye]) -> None:
        """While the stream is late, and when only its end is still to come: tell how far it is."""
        while True:
            await asyncio.sleep(REPORT_EVERY)
            if reading.done() or self._backlog.unheard >= LATE:
                began_at = self._turn_began_at
                self._progress.alive(self._pace.turned_at if began_at is None else began_at)
                for channel, segment in enumerate(self._progress.report(_now())):
                    await self._tell(channel, segment)

    async def _change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _say(self, hear: Callable[..., list[OnChannel]], *arguments: object) -> None:
        for channel, what in await self._in_thread(hear, *arguments):
            self._progress.said(channel, what, _now())
            await self._tell(channel, what)

    async def _tell(self, channel: int, what: Heard) -> None:
        await self._send(messages.message(what, channel, self._request.ears, self._id))

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        loop = asyncio.get_running_loop()

        def turn() -> Result:
            self._turn_began_at = loop.time()
            try:
                return work(*arguments)
            finally:
                self._turn_began_at = None

        try:
            return await loop.run_in_executor(self._threads, turn)
        finally:
            self._pace.turned_at = loop.time()

    async def _send(self, text: str) -> None:
        async with asyncio.timeout(TAKEN_WITHIN):
            await self._connection.send(text)

    async def _leave(self, code: int, reason: str) -> None:
        closing = asyncio.ensure_future(self._connection.close(code, reason))
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._connection.recv()  # the client's answer comes after all that it sent before
        await closing

    def _metadata(self) -> str:
        sha256, channels = self._sha256.hexdigest(), self._request.channels
        return messages.metadata(self._id, sha256, self._created, self._seconds, channels)

    @property
    def _seconds(self) -> float:
        """Of audio heard so far."""
        return self._heard / self._request.block / self._request.sample_rate


def _now() -> float:
    return asyncio.get_running_loop().time()


def _kind(text: str) -> object:
    """The type of a message, None if it has none."""
    try:
        return json.loads(text)["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
