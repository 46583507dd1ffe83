"""One connection. It reads without delay, so that it answers pings in time, and recognizes the audio turn by turn."""

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

from transcription_engine import messages
from transcription_engine.backlog import Backlog
from transcription_engine.live_decoder import LiveDecoder
from transcription_engine.pcm import Pcm
from transcription_engine.progress import REPORT_SECONDS, Pace, Progress
from transcription_engine.recognizer import ChannelEvent, OpenStream, Recognizer
from transcription_engine.request import Request
from transcription_engine.segments import SpeechEvent

NO_DATA_SECONDS: Final = 10.0
"""A stream is closed after this long without a frame (deepgram 1.4), which also finds vanished clients."""
SEND_TIMEOUT_SECONDS: Final = 20.0
"""How long a client may take to read a message before it counts as gone."""
LATE_SECONDS: Final = 2.0
"""A stream with this much waiting audio reports its progress."""
UNDECODED_SECONDS: Final = 30.0
"""A stream is closed when bytes have arrived for this long and none could be decoded: there is nothing to answer."""
Result = TypeVar("Result")
CloseReason = tuple[int, str]
"""A close code and its reason."""
NORMAL_CLOSE: Final[CloseReason] = (1000, "")
DATA_0000: Final[CloseReason] = (1008, "DATA-0000")
NET_0000: Final[CloseReason] = (
    1011,
    "Deepgram did not provide a response message within the timeout window. See https://dpgr.am/net0000",
)
NET_0001: Final[CloseReason] = (
    1011,
    "Deepgram did not receive audio data or a text message within the timeout window. See https://dpgr.am/net0001",
)


class Stream:
    """Owns a recognizer until it is closed.

    `threads` run the recognizers. A stream has one turn at a time in their queue, so that all streams get the same
    share, however much audio of one waits.
    """

    def __init__(
        self,
        connection: ServerConnection,
        request: Request,
        request_id: UUID,
        open_stream: OpenStream,
        threads: Executor,
        pace: Pace,
    ) -> None:
        self._connection = connection
        self._id = request_id
        self._open_stream = open_stream
        self._threads = threads
        self._pace = pace
        self._turn_began_at: float | None = None
        """When the turn under way got its thread, None while there is none."""
        self._changed = asyncio.Event()
        self._ending = False
        self._recognized_bytes = 0
        self._sha256 = hashlib.sha256()
        self._created = datetime.now(UTC)
        self._recognizer: Recognizer | None = None
        """None until the decoder knows how many channels there are."""
        self._decoder: LiveDecoder | None = None
        """None for raw audio."""
        self._undecoded_since: float | None = None
        """When the first bytes arrived, None while there are none, and once audio was decoded."""
        if request.is_raw:
            self._begin(request)
        else:
            self._expect(request.as_decoded(request.channels))
            self._decoder = LiveDecoder(request.encoded, self._add_decoded, self._finalize, self._changed.set)

    def _begin(self, request: Request) -> None:
        """Begin to recognize audio as `request` says, which is one for raw audio."""
        self._expect(request)
        self._recognizer = Recognizer(request, self._open_stream)

    def _expect(self, request: Request) -> None:
        self._request = request
        self._backlog = Backlog(request.sample_rate, request.block)
        self._progress = Progress(request.separate_channels, _now())
        self.channels = request.separate_channels

    def lag(self, now: float) -> float:
        """Return how many seconds the stream is behind real time."""
        return self._backlog.lag(now)

    def end(self) -> None:
        """Send the last words after the current turn and drop the queue, because the engine shuts down."""
        self._ending = True
        self._changed.set()

    async def run(self) -> None:
        """Run until the close. Raise ConnectionClosed or TimeoutError when the client is gone."""
        reading = asyncio.create_task(self._read())
        reading.add_done_callback(lambda _: self._changed.set())
        reporting = asyncio.create_task(self._report_progress(reading))
        try:
            close_reason = await self._recognize_all(reading)
            if self._recognizer is not None:
                await self._send_events(self._recognizer.finish)
            reporting.cancel()
            await self._send(self._metadata())
        finally:
            reading.cancel()
            reporting.cancel()
            await asyncio.gather(reading, reporting, return_exceptions=True)
            await self._free()
        await self._close(*close_reason)

    async def _free(self) -> None:
        self._ending = True
        self._changed.set()
        if self._decoder is not None:
            self._decoder.abort()
            await self._decoder.wait()
        if self._recognizer is not None:
            await self._in_thread(self._recognizer.close)
        self.channels = 0

    async def _read(self) -> CloseReason:
        """Read from the client while there is room. Return the reason to close, when all audio is in the backlog."""
        try:
            reason = await self._read_messages()
        except ConnectionClosed:
            self._backlog.clear()
            raise
        if self._decoder is not None:
            self._decoder.end()
            await self._decoder.wait()
        return DATA_0000 if reason == NORMAL_CLOSE and self._is_undecodable else reason

    async def _read_messages(self) -> CloseReason:
        while True:
            while self._is_full:
                await self._wait_for_change()
            try:
                async with asyncio.timeout(NO_DATA_SECONDS):
                    message = await self._connection.recv()
            except TimeoutError:
                return NET_0001
            if await self._handle_message(message):
                return NORMAL_CLOSE
            if self._undecoded_since is not None and _now() >= self._undecoded_since + UNDECODED_SECONDS:
                return NET_0000
            self._changed.set()

    @property
    def _is_full(self) -> bool:
        return self._backlog.is_full or (self._decoder is not None and self._decoder.is_full)

    async def _handle_message(self, message: str | bytes) -> bool:
        """Handle a message of the client. Return whether it ends the stream."""
        if isinstance(message, bytes):
            self._add(message)
            return message == b""
        match _kind(message):
            case "CloseStream":
                return True
            case "Finalize":
                self._decoder.finalize() if self._decoder else self._finalize()
            case "KeepAlive":
                pass
            case _:
                await self._send(messages.schema_error(message))
        return False

    def _add(self, audio: bytes) -> None:
        if self._decoder is None:
            self._backlog.add(audio, _now())
        elif audio:
            if self._recognizer is None and self._undecoded_since is None:
                self._undecoded_since = _now()
            self._sha256.update(audio)
            self._decoder.add(audio)

    async def _add_decoded(self, audio: Pcm) -> None:
        """Add what the decoder made. Wait while there is no room."""
        if self._recognizer is None:
            self._begin(self._request.as_decoded(audio.shape[1]))
            self._undecoded_since = None
        while self._backlog.is_full and not self._ending:
            await self._wait_for_change()
        self._backlog.add(audio.tobytes(), _now())
        self._changed.set()

    def _finalize(self) -> None:
        if self._recognizer is not None:
            self._backlog.finalize()
            self._changed.set()

    async def _recognize_all(self, reading: asyncio.Task[CloseReason]) -> CloseReason:
        """Recognize the audio until the reader or the engine ends. Return how to close. Raise the reader's error."""
        while not self._ending:
            is_last = reading.done() or self._is_undecodable
            if self._recognizer is not None and self._backlog.pop_finalize():
                await self._send_events(self._recognizer.finalize)
            elif turn := self._backlog.take(_now(), rest=is_last):
                await self._recognize(turn)
            elif reading.done():
                return reading.result()
            elif is_last:
                return DATA_0000
            else:
                await self._wait_for_change()
                self._progress.record_position(self._recognized_seconds, _now())
            self._changed.set()  # the backlog may have room again
        if turn := self._backlog.take(_now(), rest=True):
            await self._recognize(turn)
        return NORMAL_CLOSE

    @property
    def _is_undecodable(self) -> bool:
        return self._decoder is not None and self._decoder.is_undecodable

    async def _recognize(self, audio: bytes) -> None:
        assert self._recognizer is not None
        await self._send_events(self._recognizer.feed, audio)
        self._recognized_bytes += len(audio)
        if self._decoder is None:
            self._sha256.update(audio)
        self._progress.record_position(self._recognized_seconds, _now())

    async def _report_progress(self, reading: asyncio.Task[CloseReason]) -> None:
        """Report progress while the stream is late, and after its input has ended."""
        while True:
            await asyncio.sleep(REPORT_SECONDS)
            if reading.done() or self._backlog.waiting_seconds >= LATE_SECONDS:
                began_at = self._turn_began_at
                self._progress.record_turn(self._pace.turned_at if began_at is None else began_at)
                for channel, segment in enumerate(self._progress.due_reports(_now())):
                    await self._send_event(channel, segment)

    async def _wait_for_change(self) -> None:
        self._changed.clear()
        await self._changed.wait()

    async def _send_events(self, work: Callable[..., list[ChannelEvent]], *arguments: object) -> None:
        for channel, what in await self._in_thread(work, *arguments):
            self._progress.record_sent(channel, what, _now())
            await self._send_event(channel, what)

    async def _send_event(self, channel: int, what: SpeechEvent) -> None:
        await self._send(messages.message(what, channel, self._request.separate_channels, self._id))

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
        async with asyncio.timeout(SEND_TIMEOUT_SECONDS):
            await self._connection.send(text)

    async def _close(self, code: int, reason: str) -> None:
        closing = asyncio.ensure_future(self._connection.close(code, reason))
        with contextlib.suppress(ConnectionClosed):
            while True:
                await self._connection.recv()  # the client's close frame comes after everything it sent
        await closing

    def _metadata(self) -> str:
        sha256, channels = self._sha256.hexdigest(), self._request.channels
        return messages.metadata(self._id, sha256, self._created, self._recognized_seconds, channels)

    @property
    def _recognized_seconds(self) -> float:
        """Return the seconds of audio recognized so far."""
        return self._recognized_bytes / self._request.block / self._request.sample_rate


def _now() -> float:
    return asyncio.get_running_loop().time()


def _kind(text: str) -> object:
    """Return the type of a message, None if it has none."""
    try:
        return json.loads(text)["type"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
