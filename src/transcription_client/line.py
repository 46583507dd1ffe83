"""One connection to the caption socket: what is said on it both ways, and how it ended."""

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Self

import msgspec
import websockets

from transcription_client.net import HTTP_SECONDS, proxy_for, unreachable
from transcription_client.redial import Ended
from transcription_wire import messages as wire

PING_EVERY: Final = 10.0
PONG_WITHIN: Final = 20.0
"""The service may leave us unread for as long, while it waits for credit or for another engine. Seconds."""
PROBE_SECONDS: Final = 1.0
LATE_SECONDS: Final = 4.0
"""A connection that takes longer delays the words by as much."""
CLOSE_WITHIN: Final = 2.0
"""Seconds for a peer that may be gone to answer our close."""
OnMessage = Callable[[wire.ServerMessage, str], None]
"""A message, and how it came."""


class Line:
    """Listens by itself from the beginning, and tells every message."""

    def __init__(self, socket: websockets.ClientConnection, on_message: OnMessage) -> None:
        self._socket = socket
        self._on_message = on_message
        self._ready = asyncio.Event()
        self._error: str | None = None
        self._reason: str | None = None
        self._arrived_at = time.monotonic()
        self.listening = asyncio.create_task(self._listen())
        """Done when the service has closed the connection, or it was lost."""

    @classmethod
    async def dial(cls, server: str, on_message: OnMessage) -> Self:
        """Connects. Raises ClientError."""
        url = "ws" + server.removeprefix("http") + "/ws/transcribe"
        options: dict[str, Any] = {"max_size": None, "compression": None, "open_timeout": HTTP_SECONDS}
        options |= {"close_timeout": CLOSE_WITHIN, "ping_interval": PING_EVERY, "ping_timeout": PONG_WITHIN}
        proxy = proxy_for(server)
        try:
            socket = await websockets.connect(url, proxy=proxy, **options)
        except (OSError, websockets.WebSocketException) as error:
            raise unreachable(server, error) from error
        return cls(socket, on_message)

    async def begin(self, auth: wire.Auth) -> bool:
        """Asks for a session; whether there is one. Waits for as long as the service takes."""
        await self.say(auth)
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait((ready, self.listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        return self._ready.is_set()

    async def say(self, message: wire.ClientMessage) -> bool:
        """False: the connection is lost."""
        return await self._send(wire.encode(message).decode())

    async def send(self, sound: bytes) -> bool:
        """As `say`."""
        return await self._send(sound)

    async def watch(self, on_late: Callable[[float], None]) -> None:
        """Report the connection's delay each second while it is over LATE_SECONDS, and 0 once it is not."""
        probing = asyncio.create_task(self._probe())
        is_late = False
        try:
            while not probing.done():
                late = time.monotonic() - self._arrived_at
                if is_late or late > LATE_SECONDS:
                    is_late = late > LATE_SECONDS
                    on_late(late if is_late else 0.0)
                await asyncio.wait((probing,), timeout=PROBE_SECONDS)
        finally:
            probing.cancel()

    async def hang_up(self) -> Ended:
        """Closes, and says how it ended. Raises what the listener or `on_message` raised."""
        await self._socket.close()
        await self.listening
        return Ended(self._ready.is_set(), self._error, self._reason)

    async def _send(self, data: str | bytes) -> bool:
        try:
            await self._socket.send(data)
        except websockets.ConnectionClosed:
            return False
        return True

    async def _probe(self) -> None:
        """Note again and again up to which time all that was sent has arrived."""
        with suppress(websockets.ConnectionClosed):
            while True:
                asked_at = time.monotonic()
                await (await self._socket.ping())
                self._arrived_at = asked_at
                await asyncio.sleep(PROBE_SECONDS)

    async def _listen(self) -> None:
        try:
            async for text in self._socket:
                self._take(text if isinstance(text, str) else text.decode(errors="replace"))
        except websockets.ConnectionClosed:
            return

    def _take(self, text: str) -> None:
        try:
            message = wire.decode_server(text)
        except msgspec.DecodeError:
            return  # of a newer server
        match message:
            case wire.Ready():
                self._ready.set()
            case wire.Error(code="bad_message"):
                pass
            case wire.Error(code=code):
                self._error = code
            case wire.SessionEnd(reason=reason):
                self._reason = reason
        self._on_message(message, text)
