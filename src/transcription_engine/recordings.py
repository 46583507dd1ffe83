"""`POST /v1/listen`: transcribes files, in turns like a stream that is late, so that live streams keep their share."""

import asyncio
import contextlib
import hashlib
import tempfile
from collections.abc import Awaitable, Callable, Iterator
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import IO, Any, Final, TypeVar
from uuid import UUID, uuid4

import numpy as np

from transcription_engine import messages
from transcription_engine.decode import Undecodable, decoded
from transcription_engine.pcm import RATE, Pcm
from transcription_engine.progress import Pace
from transcription_engine.recognizer import ChannelEvent, OpenStream, Recognizer
from transcription_engine.request import (
    PATH,
    HandshakeRefused,
    RecordingRequest,
    Request,
    authorized,
    read_recording,
)
from transcription_engine.segments import Segment

MAX_RECORDINGS_PER_CORE: Final = 2
TURN_SAMPLES: Final = 6 * RATE
"""Samples of each channel in a turn: as many as a late stream may join into one."""
MEMORY_BYTES: Final = 1 << 20
"""Bytes of a file that are kept in memory. A larger one is written to a temporary file."""
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
Result = TypeVar("Result")


@dataclass
class _Work:
    """A recording under way. `finals`: of each channel that is recognized."""

    pieces: Iterator[Pcm]
    recognizer: Recognizer | None = None
    channels: int = 0
    samples: int = 0
    finals: list[list[Segment]] = field(default_factory=list)

    def add(self, events: list[ChannelEvent]) -> None:
        for channel, event in events:
            if isinstance(event, Segment):
                self.finals[channel].append(event)


class Recordings:
    """An ASGI application. `threads` run the recognizers, one turn at a time for each recording."""

    def __init__(self, open_stream: OpenStream, key: str | None, threads: Executor, pace: Pace, cores: int) -> None:
        self._open_stream = open_stream
        self._key = key
        self._threads = threads
        self._pace = pace
        self._most = MAX_RECORDINGS_PER_CORE * cores
        self._running = 0

    async def __call__(self, scope: dict[str, Any], receive: Receive, send: Send) -> None:
        request_id = uuid4()
        try:
            request = self._checked(scope)
            self._running += 1
            try:
                status, body = 200, await self._transcribe(request, request_id, receive)
            finally:
                self._running -= 1
        except HandshakeRefused as refused:
            await _answer(send, request_id, refused.status, refused.body(request_id), refused.message)
            return
        except ConnectionError:
            return  # the client left
        await _answer(send, request_id, status, body)

    def _checked(self, scope: dict[str, Any]) -> RecordingRequest:
        credentials = [value.decode("latin-1") for name, value in scope["headers"] if name == b"authorization"]
        if not authorized(credentials[0] if len(credentials) == 1 else None, self._key):
            raise HandshakeRefused(401, "INVALID_AUTH", "Invalid credentials.")
        if scope["path"] != PATH:
            raise HandshakeRefused(404, "NOT_FOUND", f"The built-in engine serves {PATH} only.")
        request = read_recording(f"{PATH}?{scope['query_string'].decode('latin-1')}")
        if self._running >= self._most:
            message = f"At most {self._most} recordings at once. Try again later."
            raise HandshakeRefused(429, "TOO_MANY_REQUESTS", message)
        return request

    async def _transcribe(self, request: RecordingRequest, request_id: UUID, receive: Receive) -> str:
        created, sha256 = datetime.now(UTC), hashlib.sha256()
        with tempfile.SpooledTemporaryFile(MEMORY_BYTES) as file:
            await _receive(receive, file, sha256.update)
            file.seek(0)
            leaving = asyncio.ensure_future(receive())  # the next message is that the client left
            work = _Work(decoded(file, request.encoded))
            try:
                while not leaving.done() and await self._in_thread(self._turn, request, work):
                    pass
                await self._in_thread(self._finish, work)
            except Undecodable:
                message = "Bad Request: failed to process audio: corrupt or unsupported data"
                raise HandshakeRefused(400, "Bad Request", message) from None
            finally:
                leaving.cancel()
                if work.recognizer is not None:
                    await self._in_thread(work.recognizer.close)
        seconds = work.samples / RATE
        return messages.transcription(
            request_id, sha256.hexdigest(), created, seconds, work.channels, work.finals, request.utterances
        )

    def _turn(self, request: RecordingRequest, work: _Work) -> bool:
        """Decode and recognize the next piece of a recording. Return False at its end."""
        pieces: list[Pcm] = []
        while sum(map(len, pieces)) < TURN_SAMPLES and (piece := next(work.pieces, None)) is not None:
            pieces.append(piece)
        if not pieces:
            return False
        audio = np.concatenate(pieces)
        if work.recognizer is None:
            work.channels = audio.shape[1]
            format = Request(RATE, work.channels, request.multichannel)
            work.finals = [[] for _ in range(format.separate_channels)]
            work.recognizer = Recognizer(format, self._open_stream)
        work.samples += len(audio)
        work.add(work.recognizer.feed(audio.tobytes()))
        return True

    def _finish(self, work: _Work) -> None:
        if work.recognizer is not None:
            work.add(work.recognizer.finish())

    async def _in_thread(self, work: Callable[..., Result], *arguments: object) -> Result:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self._threads, work, *arguments)
        finally:
            self._pace.turned_at = loop.time()


async def _receive(receive: Receive, file: IO[bytes], update: Callable[[bytes], None]) -> None:
    """Write the body of a request into a file. Raise ConnectionError if the client leaves."""
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ConnectionError("the client left")
        file.write(message.get("body", b""))
        update(message.get("body", b""))
        if not message.get("more_body"):
            return


async def _answer(send: Send, request_id: UUID, status: int, body: str, error: str = "") -> None:
    headers = {"content-type": "application/json", "dg-request-id": str(request_id)} | (
        {"dg-error": error} if error else {}
    )
    content = body.encode()
    lines = [(name.encode(), value.encode("latin-1", "replace")) for name, value in headers.items()]
    lines.append((b"content-length", str(len(content)).encode()))
    with contextlib.suppress(ConnectionError):
        await send({"type": "http.response.start", "status": status, "headers": lines})
        await send({"type": "http.response.body", "body": content})
