"""The engine's server: Deepgram's `/v1/listen`, for as many channels as the machine can handle."""

import asyncio
import http
import logging
import os
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

from transcription_engine import front
from transcription_engine.front import Front
from transcription_engine.progress import Pace
from transcription_engine.recognizer import OpenStream
from transcription_engine.recordings import Recordings
from transcription_engine.request import HandshakeRefused, Request, authorized, read
from transcription_engine.stream import Stream

MAX_CHANNELS_PER_CORE: Final = 4
"""Measured: eight live channels use two thirds of two cores."""
MAX_LAG_SECONDS: Final = 3.0
"""While any stream is later than this, new streams are refused."""
SHUTDOWN_SECONDS: Final = 2.0
"""How long streams may take to send their last words at a shutdown."""
log = logging.getLogger(__name__)


def _front(http: Callable[[], asyncio.Protocol], *arguments: Any, **options: Any) -> Front:
    return Front(partial(ServerConnection, *arguments, **options), http)


class Engine:
    """Serves all streams of a process."""

    def __init__(self, open_stream: OpenStream, key: str | None, cores: int | None = None) -> None:
        self._open_stream = open_stream
        self._key = key
        cores = cores or os.cpu_count() or 1
        self._max_channels = MAX_CHANNELS_PER_CORE * cores
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="recognizer")
        self._pace = Pace()
        self._requests: WeakKeyDictionary[ServerConnection, tuple[Request, UUID]] = WeakKeyDictionary()
        self._streams: dict[asyncio.Task[None], Stream] = {}
        self._ending = False
        self._recordings = Recordings(open_stream, key, self._threads, self._pace, cores)

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serve until `stop` is set; then let every stream send its last words."""
        http = front.http(self._recordings)
        async with serve(
            self._handle_connection,
            create_connection=partial(_front, http),  # type: ignore[arg-type]  # a protocol is all that it makes of it
            sock=listener,
            process_request=self._check_handshake,
            process_response=self._add_request_id,
            max_size=4 << 20,
            max_queue=1,  # the backlog counts what waits
            compression=None,
            server_header=None,
            ping_interval=None,  # the pong of a late stream waits behind its audio
        ) as server:
            await stop.wait()
            await self._end(server)

    async def _end(self, server: Server) -> None:
        self._ending = True
        for stream in self._streams.values():
            stream.end()
        if self._streams:
            await asyncio.wait(self._streams, timeout=SHUTDOWN_SECONDS)
        server.close()

    def _check_handshake(self, connection: ServerConnection, handshake: Handshake) -> Response | None:
        request_id = uuid4()
        try:
            credentials = handshake.headers.get_all("Authorization")
            if not authorized(credentials[0] if len(credentials) == 1 else None, self._key):
                raise HandshakeRefused(401, "INVALID_AUTH", "Invalid credentials.")
            request = read(handshake.path)
            self._check_capacity(request.separate_channels)
        except HandshakeRefused as refused:
            response = connection.respond(http.HTTPStatus(refused.status), refused.body(request_id))
            response.headers["dg-request-id"] = str(request_id)
            response.headers["dg-error"] = refused.message
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        self._requests[connection] = (request, request_id)
        return None

    def _check_capacity(self, channels: int) -> None:
        """Raise HandshakeRefused if a stream of so many channels is too much. An idle machine accepts any stream."""
        running = sum(stream.channels for stream in self._streams.values())
        if running and running + channels > self._max_channels:
            raise HandshakeRefused(
                429,
                "TOO_MANY_REQUESTS",
                f"At most {self._max_channels} streams at once. Try again later.",
            )
        now = asyncio.get_running_loop().time()
        if any(stream.lag(now) > MAX_LAG_SECONDS for stream in self._streams.values()):
            raise HandshakeRefused(429, "TOO_MANY_REQUESTS", "The built-in engine is overloaded. Try again later.")

    def _add_request_id(self, connection: ServerConnection, _: Handshake, response: Response) -> None:
        if connection in self._requests:
            response.headers["dg-request-id"] = str(self._requests[connection][1])

    async def _handle_connection(self, connection: ServerConnection) -> None:
        try:
            request, request_id = self._requests[connection]
            stream = Stream(connection, request, request_id, self._open_stream, self._threads, self._pace)
            await self._run(stream)
        except (ConnectionClosed, TimeoutError):
            pass  # the client left, or stopped reading
        except Exception:
            log.exception("A stream failed")
            raise

    async def _run(self, stream: Stream) -> None:
        if self._ending:
            stream.end()
        task = asyncio.ensure_future(stream.run())
        self._streams[task] = stream
        task.add_done_callback(self._streams.pop)
        await task
