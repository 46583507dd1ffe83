"""The engine's door: Deepgram's `/v1/listen` over the model, for as many voices as the machine can hear."""

import asyncio
import http
import logging
import os
import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Final
from uuid import UUID, uuid4
from weakref import WeakKeyDictionary

from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request as Handshake
from websockets.http11 import Response

from transcription_proxy.engine.hearing import Hearing, OpenStream
from transcription_proxy.engine.progress import Pace
from transcription_proxy.engine.request import Refused, Request, authorized, read
from transcription_proxy.engine.stream import Stream

VOICES_A_CORE: Final = 4
"""Measured: eight live voices keep two cores two thirds busy."""
BEHIND: Final = 3.0
"""Seconds: while a stream is later than that, nobody else is let in."""
END_WITHIN: Final = 2.0
log = logging.getLogger(__name__)


class Engine:
    """All streams of a process."""

    def __init__(self, open_stream: OpenStream, key: str | None, cores: int | None = None) -> None:
        self._open_stream = open_stream
        self._key = key
        cores = cores or os.cpu_count() or 1
        self._most = VOICES_A_CORE * cores
        self._threads = ThreadPoolExecutor(cores, thread_name_prefix="ear")
        self._pace = Pace()
        self._requests: WeakKeyDictionary[ServerConnection, tuple[Request, UUID]] = WeakKeyDictionary()
        self._streams: dict[asyncio.Task[None], Stream] = {}
        self._ending = False

    async def serve(self, listener: socket.socket, stop: asyncio.Event) -> None:
        """Serves until `stop`; then every stream has its last words."""
        async with serve(
            self._connected,
            sock=listener,
            process_request=self._admit,
            process_response=self._name,
            max_size=4 << 20,
            max_queue=1,  # what waits is counted in the backlog
            compression=None,
            server_header=None,
            ping_interval=None,  # the answer waits behind the audio of a stream that is behind, and would be late
        ) as server:
            await stop.wait()
            await self._end(server)

    async def _end(self, server: Server) -> None:
        self._ending = True
        for stream in self._streams.values():
            stream.end()
        if self._streams:
            await asyncio.wait(self._streams, timeout=END_WITHIN)
        server.close()

    def _admit(self, connection: ServerConnection, handshake: Handshake) -> Response | None:
        request_id = uuid4()
        try:
            credentials = handshake.headers.get_all("Authorization")
            if not authorized(credentials[0] if len(credentials) == 1 else None, self._key):
                raise Refused(401, "INVALID_AUTH", "Invalid credentials.")
            request = read(handshake.path)
            self._find_room(request.ears)
        except Refused as refused:
            response = connection.respond(http.HTTPStatus(refused.status), refused.body(request_id))
            response.headers["dg-request-id"] = str(request_id)
            response.headers["dg-error"] = refused.message
            del response.headers["Content-Type"]
            response.headers["Content-Type"] = "application/json"
            return response
        self._requests[connection] = (request, request_id)
        return None

    def _find_room(self, voices: int) -> None:
        """Raises Refused where there is none. A machine that hears nobody lets in any stream."""
        heard = sum(stream.voices for stream in self._streams.values())
        if heard and heard + voices > self._most:
            raise Refused(
                429,
                "TOO_MANY_REQUESTS",
                f"At most {self._most} streams at once. Try again later.",
            )
        now = asyncio.get_running_loop().time()
        if any(stream.late(now) > BEHIND for stream in self._streams.values()):
            raise Refused(429, "TOO_MANY_REQUESTS", "The built-in engine is overloaded. Try again later.")

    def _name(self, connection: ServerConnection, _: Handshake, response: Response) -> None:
        if connection in self._requests:
            response.headers["dg-request-id"] = str(self._requests[connection][1])

    async def _connected(self, connection: ServerConnection) -> None:
        try:
            request, request_id = self._requests[connection]
            hearing = Hearing(request, self._open_stream)
            stream = Stream(connection, request, request_id, hearing, self._threads, self._pace)
            await self._run(stream)
        except (ConnectionClosed, TimeoutError):
            pass  # a client may leave when it likes, or stop reading
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
