"""The engine's socket: Deepgram's `/v1/listen` over the model, a turn of half a second for each stream."""

import asyncio
import hashlib
import http
import json
import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

from transcription_proxy.engine import messages
from transcription_proxy.engine.hearing import Hearing, OnChannel
from transcription_proxy.engine.model import Model
from transcription_proxy.engine.request import Refused, Request, authorized, read

TURN: Final = 0.5
"""Seconds of audio heard in one go."""
QUIET_AFTER: Final = 10.0
"""Seconds without a frame after which a stream is closed (deepgram.md 1.4)."""
NET_0001: Final = "Deepgram did not receive audio data or a text message within the timeout window."
STREAMS_A_CORE: Final = 4
"""Measured: eight live streams keep two cores two thirds busy."""
END_WITHIN: Final = 2.0
log = logging.getLogger(__name__)


class Engine:
    """All streams of a process. A stream that is behind is not read from, so nothing piles up here."""

    def __init__(self, model: Model, key: str | None, cores: int | None = None) -> None:
        self._model = model
        self._key = key
        cores = cores or os.cpu_count() or 1
        self._most = STREAMS_A_CORE * cores
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="ear")
        self._requests: WeakKeyDictionary[ServerConnection, tuple[Request, UUID]] = WeakKeyDictionary()
        self._streams: set[asyncio.Task[None]] = set()
        self._ending = asyncio.Event()

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serves until `stop`; then every stream has its last words."""
        async with serve(
            self._stream,
            sock=listener,
            process_request=self._admit,
            process_response=self._name,
            max_size=4 << 20,
            compression=None,
            server_header=None,
        ) as server:
            await stop.wait()
            await self._end(server)

    async def _end(self, server: Server) -> None:
        self._ending.set()
        if self._streams:
            await asyncio.wait(self._streams, timeout=END_WITHIN)
        server.close()

    def _admit(self, connection: ServerConnection, handshake: Handshake) -> Response | None:
        request_id = uuid4()
        try:
            if not authorized(handshake.headers.get("Authorization"), self._key):
                raise Refused(401, "INVALID_AUTH", "Invalid credentials.")
            request = read(handshake.path)
            if len(self._streams) >= self._most:
                raise Refused(429, "TOO_MANY_REQUESTS", f"This machine hears {self._most} streams at once.")
        except Refused as refused:
            response = connection.respond(http.HTTPStatus(refused.status), refused.body(request_id))
            response.headers["dg-request-id"] = str(request_id)
            response.headers["dg-error"] = refused.message
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        self._requests[connection] = (request, request_id)
        return None

    def _name(self, connection: ServerConnection, _: Handshake, response: Response) -> None:
        if connection in self._requests:
            response.headers["dg-request-id"] = str(self._requests[connection][1])

    async def _stream(self, connection: ServerConnection) -> None:
        task = asyncio.ensure_future(_Stream(self, connection, *self._requests[connection]).run())
        self._streams.add(task)
        try:
            await task
        except ConnectionClosed:
            pass  # a client may leave when it likes
        finally:
            self._streams.discard(task)

    def hearing(self, request: Request) -> Hearing:
        return Hearing(request, self._model.stream)

    @property
    def threads(self) -> ThreadPoolExecutor:
        return self._threads

    @property
    def ending(self) -> asyncio.Event:
        return self._ending


class _Stream:
    """One connection."""

    def __init__(self, engine: Engine, connection: ServerConnection, request: Request, request_id: UUID) -> None:
        self._engine = engine
        self._connection = connection
        self._request = request
        self._id = request_id
        self._hearing = engine.hearing(request)
        self._waiting = bytearray()
        self._turn = int(TURN * request.sample_rate) * request.block
        self._bytes = 0
        self._sha256 = hashlib.sha256()
        self._created = datetime.now(UTC)

    async def run(self) -> None:
        try:
            code, reason = await self._listen()
            await self._say(await self._in_thread(self._last_words))
            await self._connection.send(self._metadata())
            await self._connection.close(code, reason)
        finally:
            await self._in_thread(self._close)

    async def _listen(self) -> tuple[int, str]:
        """Hears until the end of the stream; the code and reason to close with."""
        while True:
            try:
                message = await self._next()
            except TimeoutError:
                return 1011, NET_0001
            if message is None or message == b"":
                return 1000, ""
            if isinstance(message, bytes):
                await self._audio(message)
            elif await self._is_the_end(message):
                return 1000, ""

    async def _next(self) -> str | bytes | None:
        """The next frame, None when the engine ends. Raises TimeoutError after QUIET_AFTER."""
        receive = asyncio.ensure_future(self._connection.recv())
        ending = asyncio.ensure_future(self._engine.ending.wait())
        try:
            done, _ = await asyncio.wait((receive, ending), timeout=QUIET_AFTER, return_when=asyncio.FIRST_COMPLETED)
            if receive in done:
                return receive.result()
            if ending in done:
                return None
            raise TimeoutError
        finally:
            receive.cancel()
            ending.cancel()

    async def _audio(self, data: bytes) -> None:
        self._bytes += len(data)
        self._sha256.update(data)
        self._waiting += data
        while len(self._waiting) >= self._turn:
            turn = bytes(self._waiting[: self._turn])
            del self._waiting[: self._turn]
            await self._say(await self._in_thread(self._hearing.hear, turn))

    async def _is_the_end(self, text: str) -> bool:
        try:
            kind = json.loads(text)["type"]
        except (ValueError, TypeError, KeyError, RecursionError):
            kind = None
        match kind:
            case "CloseStream":
                return True
            case "Finalize":
                await self._say(await self._in_thread(self._finalize))
            case "KeepAlive":
                pass
            case _:
                await self._connection.send(messages.schema_error(text))
        return False

    def _finalize(self) -> list[OnChannel]:
        return self._hear_rest() + self._hearing.finalize()

    def _last_words(self) -> list[OnChannel]:
        return self._hear_rest() + self._hearing.finish()

    def _hear_rest(self) -> list[OnChannel]:
        rest = bytes(self._waiting)
        self._waiting.clear()
        return self._hearing.hear(rest) if rest else []

    def _close(self) -> list[OnChannel]:
        self._hearing.close()
        return []

    async def _in_thread(self, work: Callable[..., list[OnChannel]], *arguments: object) -> list[OnChannel]:
        return await asyncio.get_running_loop().run_in_executor(self._engine.threads, work, *arguments)

    async def _say(self, heard: list[OnChannel]) -> None:
        for channel, what in heard:
            await self._connection.send(messages.message(what, channel, self._request.ears, self._id))

    def _metadata(self) -> str:
        seconds = self._bytes / self._request.block / self._request.sample_rate
        return messages.metadata(self._id, self._sha256.hexdigest(), self._created, seconds, self._request.channels)
