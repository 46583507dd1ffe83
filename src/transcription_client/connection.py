"""Connections that take audio and give words: the service's caption socket, and what other sockets share with it."""

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final, Protocol, Self

import msgspec
import websockets

from transcription_client.net import HTTP_SECONDS, proxy_for, unreachable
from transcription_client.redial import Ended
from transcription_wire import messages as wire

PING_SECONDS: Final = 10.0
PONG_SECONDS: Final = 20.0
"""The service may not read for this long, while it waits for credit or for another engine."""
PROBE_SECONDS: Final = 1.0
"""Pause between two measurements of the connection's delay."""
LATE_SECONDS: Final = 4.0
"""A delay of the connection that is shown, because words are late by as much."""
CLOSE_SECONDS: Final = 2.0
"""Seconds for a peer that may be gone to answer our close."""
OnMessage = Callable[[wire.ServerMessage, str], None]
"""Gets each message, decoded and as text."""


class Connection(Protocol):
    """One connection to whatever recognizes speech."""

    @property
    def listening(self) -> "asyncio.Task[None]":
        """The task that reads. It is done when the connection was closed or lost."""

    async def send_message(self, message: wire.ClientMessage, /) -> bool:
        """Send a message. Return False where the connection is lost."""

    async def send_audio(self, sound: bytes, /) -> bool:
        """Send audio. Return False where the connection is lost."""

    async def report_delay(self, on_delay: Callable[[float], None], /) -> None:
        """Report the connection's delay each second while it is over LATE_SECONDS, and 0 once it is not."""

    async def close(self) -> Ended:
        """Close the connection, and return how it ended. Raise what `on_message` raised."""

    def abort(self) -> None:
        """Drop the connection at once, without a word to the other end."""


async def connect(url: str, proxy: str | None, headers: dict[str, str] | None = None) -> websockets.ClientConnection:
    """Open a WebSocket. Raise OSError or WebSocketException."""
    options: dict[str, Any] = {"max_size": None, "compression": None, "open_timeout": HTTP_SECONDS}
    options |= {"close_timeout": CLOSE_SECONDS, "ping_interval": PING_SECONDS, "ping_timeout": PONG_SECONDS}
    return await websockets.connect(url, proxy=proxy, additional_headers=headers, **options)


class SocketConnection(ABC):
    """What the connections over a WebSocket share. `_take` gets each message as text."""

    def __init__(self, socket: websockets.ClientConnection) -> None:
        self._socket = socket
        self._arrived_at = time.monotonic()
        self._listening = asyncio.create_task(self._listen())

    @property
    def listening(self) -> "asyncio.Task[None]":
        return self._listening

    async def send_audio(self, sound: bytes) -> bool:
        return await self._send(sound)

    async def report_delay(self, on_delay: Callable[[float], None]) -> None:
        probing = asyncio.create_task(self._probe())
        is_late = False
        try:
            while not probing.done():
                late = time.monotonic() - self._arrived_at
                if is_late or late > LATE_SECONDS:
                    is_late = late > LATE_SECONDS
                    on_delay(late if is_late else 0.0)
                await asyncio.wait((probing,), timeout=PROBE_SECONDS)
        finally:
            probing.cancel()

    async def close(self) -> Ended:
        await self._socket.close()
        await self._listening
        return self._ended()

    def abort(self) -> None:
        self._socket.transport.abort()

    @abstractmethod
    def _take(self, text: str) -> None:
        """Take a message."""

    @abstractmethod
    def _ended(self) -> Ended:
        """Return how the connection ended."""

    async def _send(self, data: str | bytes) -> bool:
        try:
            await self._socket.send(data)
        except websockets.ConnectionClosed:
            return False
        return True

    async def _probe(self) -> None:
        """Measure with pings up to which time everything sent has arrived."""
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


class CaptionConnection(SocketConnection):
    """A connection to the service that calls `on_message` for every message, from its beginning to its end."""

    def __init__(self, socket: websockets.ClientConnection, on_message: OnMessage) -> None:
        super().__init__(socket)
        self._on_message = on_message
        self._ready = asyncio.Event()
        self._error: wire.Error | None = None
        self._reason: str | None = None

    @classmethod
    async def dial(cls, server: str, on_message: OnMessage) -> Self:
        """Connect to a server. Raise ClientError."""
        try:
            socket = await connect("ws" + server.removeprefix("http") + "/ws/transcribe", proxy_for(server))
        except (OSError, websockets.WebSocketException) as error:
            raise unreachable(server, error) from error
        return cls(socket, on_message)

    async def open_session(self, auth: wire.Auth) -> bool:
        """Ask for a session, wait for the service's answer, and return whether the session is ready."""
        await self.send_message(auth)
        ready = asyncio.create_task(self._ready.wait())
        try:
            await asyncio.wait((ready, self.listening), return_when=asyncio.FIRST_COMPLETED)
        finally:
            ready.cancel()
        return self._ready.is_set()

    async def send_message(self, message: wire.ClientMessage) -> bool:
        return await self._send(wire.encode(message).decode())

    def _ended(self) -> Ended:
        code, detail = (self._error.code, self._error.message) if self._error else (None, None)
        return Ended(self._ready.is_set(), code, self._reason, detail=detail)

    def _take(self, text: str) -> None:
        try:
            message = wire.decode_server(text)
        except msgspec.DecodeError:
            return  # a message of a newer server
        match message:
            case wire.Ready():
                self._ready.set()
            case wire.Error(code="bad_message"):
                pass
            case wire.Error():
                self._error = message
            case wire.SessionEnd(reason=reason):
                self._reason = reason
        self._on_message(message, text)
