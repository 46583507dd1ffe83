"""A client of the service for the end-to-end tests: a caption socket and a user, without the service's code."""

import asyncio
import contextlib
import json
import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from websockets.asyncio.client import ClientConnection, connect
from websockets.exceptions import ConnectionClosed

SECOND = 32_000
"""Bytes of a second of linear16 at 16 kHz."""
FRAME = SECOND // 10
PATIENCE = 15.0
Message = dict[str, Any]


@dataclass(frozen=True, slots=True)
class User:
    email: str
    token: str


def sound(seconds: float, seed: int = 0) -> bytes:
    """Return linear16 audio at 16 kHz in which no two parts are alike, so that gaps and repeats show."""
    return random.Random(seed).randbytes(round(seconds * SECOND / 2) * 2)


@dataclass(slots=True)
class Captions:
    """One caption socket. A task appends to `messages`. `close_code` and `close_reason` are set after the close."""

    socket: ClientConnection
    messages: list[Message] = field(default_factory=list)
    close_code: int | None = None
    close_reason: str = ""
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _reading: asyncio.Task[None] | None = None

    @classmethod
    async def dial(cls, url: str, **options: Any) -> Self:
        """Connect without sending anything."""
        self = cls(await connect(f"{url}/ws/transcribe", proxy=None, max_size=None, ping_interval=None, **options))
        self._reading = asyncio.create_task(self._read())
        return self

    @classmethod
    async def open(cls, url: str, user: User, config: Mapping[str, Any] | None = None, **auth: Any) -> Self:
        """Connect and send `auth`, without waiting for `ready`."""
        self = await cls.dial(url)
        await self.auth(user.token, config, **auth)
        return self

    async def auth(self, token: Any, config: Any = None, **more: Any) -> None:
        await self.say("auth", token=token, **({} if config is None else {"config": config}), **more)

    async def say(self, kind: str, **fields: Any) -> None:
        await self.socket.send(json.dumps({"type": kind, **fields}))

    async def send(self, audio: bytes, frame: int = FRAME, speed: float | None = None) -> None:
        """Send audio in frames at `speed` times real time, or as fast as the service accepts it."""
        for begin in range(0, len(audio), frame):
            await self.socket.send(audio[begin : begin + frame])
            await asyncio.sleep(0 if speed is None else frame / SECOND / speed)

    async def send_while_open(self, audio: bytes, speed: float | None = None) -> None:
        """Send audio, and stop if the service closes the socket."""
        with contextlib.suppress(ConnectionClosed):
            await self.send(audio, speed=speed)

    def of(self, kind: str) -> list[Message]:
        return [message for message in self.messages if message["type"] == kind]

    def errors(self) -> list[str]:
        return [message["code"] for message in self.of("error")]

    async def until(self, condition: Callable[[], bool], within: float = PATIENCE) -> None:
        """Wait for a condition on the messages. Raise TimeoutError, at once if the socket has closed."""
        async with asyncio.timeout(within):
            while not condition():
                assert self.close_code is None, f"closed {self.close_code} after {self.messages[-3:]}"
                self._changed.clear()
                await self._changed.wait()

    async def first(self, kind: str, within: float = PATIENCE) -> Message:
        """Wait for the first message of a type."""
        await self.until(lambda: bool(self.of(kind)), within)
        return self.of(kind)[0]

    async def ready(self) -> str:
        """Wait until the session is ready, and return its id."""
        return str((await self.first("ready"))["session_id"])

    @property
    def session_id(self) -> str:
        return str(self.of("ready")[0]["session_id"])

    async def closed(self, within: float = PATIENCE) -> int:
        """Wait for the close, and return its code."""
        assert self._reading is not None
        await asyncio.wait_for(asyncio.shield(self._reading), within)
        assert self.close_code is not None
        return self.close_code

    async def end(self, within: float = PATIENCE) -> Message:
        """Wait for the close, and return `session_end`, which must be the last message."""
        await self.closed(within)
        assert [message["type"] for message in self.messages].index("session_end") == len(self.messages) - 1
        return self.messages[-1]

    async def stop(self) -> Message:
        """Send `stop`, and return `session_end`."""
        await self.say("stop")
        return await self.end()

    async def leave(self) -> None:
        """Close the socket without `stop`."""
        await self.socket.close()

    def vanish(self) -> None:
        """Break the TCP connection."""
        self.socket.transport.abort()

    def freeze(self) -> None:
        """Stop reading and answering pings, but stay connected."""
        self.socket.transport.pause_reading()

    def finals(self, channel: int = 0) -> str:
        return " ".join(
            message["text"]
            for message in self.of("transcript")
            if message["is_final"] and message.get("channel", [0])[0] == channel
        )

    async def _read(self) -> None:
        try:
            while True:
                self.messages.append(json.loads(await self.socket.recv()))
                self._changed.set()
        except ConnectionClosed as closed:
            self.close_code = closed.rcvd.code if closed.rcvd else 1006
            self.close_reason = closed.rcvd.reason if closed.rcvd else ""
            self._changed.set()
