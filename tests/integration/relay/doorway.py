"""A door on a real uvicorn server and a real socket, before a small application and a switchboard that knows nobody."""

import asyncio
import json
import socket
import struct
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from ipaddress import ip_network
from typing import Any
from uuid import UUID, uuid4

import uvicorn
from starlette.types import Receive, Scope, Send

from tests import waiting
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.metering import rates
from transcription_proxy.overlay import overlay_socket
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.overlay.overlay_socket import OverlaySocket
from transcription_proxy.overlay.store import Overlay
from transcription_proxy.relay import caption_socket
from transcription_proxy.relay.caption_socket import CaptionSocket
from transcription_proxy.relay.door import DoorProtocol, Sockets, door
from transcription_proxy.relay.relay import RelayContext
from transcription_proxy.relay.settler import Settler
from transcription_proxy.relay.switchboard import Switchboard, TokenHolder
from transcription_proxy.relay.upstream import Dialler
from transcription_proxy.values import Closed, Closing, Opened, Opening, Settled, Settlement

PATIENCE = 20.0
KIB = 1024
GET = b"GET /here HTTP/1.1\r\nHost: captions\r\n"
SLOW = GET.replace(b"here", b"slow") + b"\r\n"
POST = b"POST /there HTTP/1.1\r\nHost: captions\r\n"
UPGRADE = (
    b"GET /ws/transcribe HTTP/1.1\r\nHost: captions\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
)
ACCEPT = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
"""The answer to that key (RFC 6455, 1.3)."""


class Nothing:
    """A ledger that nobody gets as far as."""

    async def open_session(self, opening: Opening) -> Opened:
        raise AssertionError(opening)

    async def settle(self, batch: Sequence[Settlement]) -> list[Settled]:
        raise AssertionError(batch)

    async def renew_leases(self, sessions: Mapping[UUID, UUID]) -> None:
        raise AssertionError(sessions)

    async def close(self, closing: Closing) -> Closed:
        raise AssertionError(closing)

    async def notify(self, messages: Sequence[tuple[str, str]]) -> None:
        raise AssertionError(messages)

    async def versions(self, user_ids: Sequence[UUID]) -> dict[UUID, int]:
        raise AssertionError(user_ids)


@dataclass
class Keys:
    """The overlays that there are, by their keys; `away`: the database is."""

    known: dict[str, Overlay] = field(default_factory=dict)
    away: bool = False

    async def by_key(self, key: str) -> Overlay:
        if self.away:
            raise Unavailable("it is away")
        if key not in self.known:
            raise Refusal("overlay_gone", f"I do not know {key}.")
        return self.known[key]


@dataclass
class Seats:
    """Has room for every page, or for none."""

    is_full: bool = False

    @asynccontextmanager
    async def seat(self, user_id: UUID) -> AsyncIterator[None]:
        if self.is_full:
            raise Refusal("too_many_watchers", "There is no room.", 1)
        yield


async def stranger(token: str) -> TokenHolder:
    """The fate of every token."""
    raise Refusal("unauthorized", f"I do not know {token}.")


@dataclass
class Answer:
    """One HTTP answer, as it stood on the wire."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def code(self) -> str:
        error = json.loads(self.body)["error"]
        assert set(error) == {"code", "message"}
        return str(error["code"])


@dataclass
class Wire:
    """A TCP connection to the door."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    def say(self, data: bytes) -> None:
        self.writer.write(data)

    async def say_in_packets(self, *packets: bytes) -> None:
        """Each in a packet of its own, as far as that can be brought about."""
        for packet in packets:
            self.writer.write(packet)
            await asyncio.sleep(0.005)

    async def answer(self) -> Answer:
        async with asyncio.timeout(PATIENCE):
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            status = int(lines[0].split()[1])
            length = 0 if status == 101 else int(headers["content-length"])
            return Answer(status, headers, await self.reader.readexactly(length))

    async def refusal(self) -> tuple[int, str]:
        """Status and code of an answer of the door's own, after which it closes."""
        answer = await self.answer()
        assert answer.headers["connection"] == "close"
        assert answer.headers["x-request-id"]
        assert await self.closed()
        return answer.status, answer.code

    async def message(self) -> tuple[str, int]:
        """The next frame: the code of an error, or "close" and its code."""
        opcode, payload = await self.frame()
        if opcode == 0x88:
            return "close", int.from_bytes(payload[:2])
        assert opcode == 0x81
        return json.loads(payload)["code"], 0

    async def frame(self) -> tuple[int, bytes]:
        """The next frame's first byte, and its payload."""
        async with asyncio.timeout(PATIENCE):
            opcode, size = await self.reader.readexactly(2)
            if size == 126:
                (size,) = struct.unpack("!H", await self.reader.readexactly(2))
            return opcode, await self.reader.readexactly(size)

    async def closed(self) -> bool:
        """Whether the door closes without another word."""
        async with asyncio.timeout(PATIENCE):
            return await self.reader.read(1) == b""


def frame(opcode: int, payload: bytes, first: int = 0x80) -> bytes:
    """A client's, masked with zeros. `first`: the bits beside the opcode, FIN by default."""
    size = len(payload)
    if size < 126:
        length = bytes([0x80 | size])
    elif size < 1 << 16:
        length = b"\xfe" + struct.pack("!H", size)
    else:
        length = b"\xff" + struct.pack("!Q", size)
    return bytes([first | opcode]) + length + bytes(4) + payload


def text(message: Any) -> bytes:
    """A frame of a client."""
    return frame(1, json.dumps(message).encode())


AUTH = text({"type": "auth", "token": "me"})
NONSENSE = text("nonsense")
REFUSED = ("unauthorized", 0)
CLOSED = ("close", 4401)


@dataclass
class Doorway:
    """`released` lets the application answer /slow, /unread and /begun. `asked` and `answered`: paths that reached it;
    `headers`: of the last one that was answered."""

    port: int
    server: uvicorn.Server
    switchboard: Switchboard
    feeds: Feeds
    released: asyncio.Event
    asked: list[str] = field(default_factory=list)
    answered: list[str] = field(default_factory=list)
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    troubles: list[dict[str, Any]] = field(default_factory=list)
    """What nobody caught."""
    keys: Keys = field(default_factory=Keys)
    seats: Seats = field(default_factory=Seats)
    wires: list[Wire] = field(default_factory=list)

    def begin(self) -> None:
        """As new, for the next test."""
        self.released.clear()
        self.asked.clear()
        self.answered.clear()
        self.troubles.clear()
        self.keys.known.clear()
        self.keys.away = False
        self.seats.is_full = False

    def end(self) -> None:
        """Ends what a test left open; whatever went wrong behind its back fails it."""
        self.released.set()
        for wire in self.wires:
            wire.writer.close()
        self.wires.clear()
        assert self.troubles == []

    async def open(self) -> Wire:
        wire = Wire(*await asyncio.open_connection("127.0.0.1", self.port))
        self.wires.append(wire)
        return wire

    async def until(self, condition: Callable[[], bool]) -> None:
        await waiting.until(condition)

    async def ringing(self) -> None:
        """Waits for as long as a head may take, after a request has reached the application."""
        await self.until(lambda: bool(self.asked))
        assert await (await self.open()).refusal() == (408, "request_timeout")

    async def connection(self, wire: Wire) -> DoorProtocol:
        """The server's side of it."""
        client = wire.writer.get_extra_info("sockname")
        found: list[DoorProtocol] = []

        def find() -> bool:
            connections = self.server.server_state.connections
            found.extend(each for each in connections if isinstance(each, DoorProtocol) and each.client == client)
            return bool(found)

        await self.until(find)
        return found[0]

    async def until_alone(self) -> None:
        """Waits until the server knows of no connection any more."""
        await self.until(lambda: not self.server.server_state.connections)

    async def application(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers with the path and the length of the body; /early, /unread and /begun do not wait for that."""
        path = scope["path"]
        self.asked.append(path)
        size, more = 0, path not in ("/early", "/unread", "/begun")
        while more:
            message = await receive()
            size, more = size + len(message.get("body", b"")), message.get("more_body", False)
        if path in ("/slow", "/unread"):
            await self.released.wait()
        body = f"{path} {size}".encode()
        head = [(b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        if path == "/begun":
            await self.released.wait()
        await send({"type": "http.response.body", "body": body})
        self.answered.append(path)
        self.headers = scope["headers"]


@asynccontextmanager
async def running() -> AsyncIterator[Doorway]:
    """A server as worker.py configures it."""
    feeds = Feeds(uuid4(), Nothing(), Nothing())
    switchboard = Switchboard(
        verify=stranger,
        ledger=Nothing(),
        rates=rates.load(),
        context=RelayContext(Settler(Nothing()), Dialler(None, patience=0), "ws://127.0.0.1:1"),
        feeds=feeds,
        life=uuid4(),
        idle_seconds=900,
    )
    listening = socket.create_server(("127.0.0.1", 0))
    doorway = Doorway(listening.getsockname()[1], None, switchboard, feeds, asyncio.Event())  # type: ignore[arg-type]
    sockets: Sockets = {
        caption_socket.PATH: partial(CaptionSocket, switchboard),
        overlay_socket.PATH: partial(OverlaySocket, switchboard, feeds, doorway.keys, doorway.seats),
    }
    options: dict[str, Any] = {
        "app": doorway.application,
        "interface": "asgi3",
        "http": door(sockets, [ip_network("127.0.0.0/8")]),
        "lifespan": "off",
        "loop": "none",
        "log_config": None,
        "access_log": False,
        "server_header": False,
        "proxy_headers": False,
        "timeout_graceful_shutdown": 5,
    }
    doorway.server = uvicorn.Server(uvicorn.Config(**options))
    asyncio.get_running_loop().set_exception_handler(lambda _, trouble: doorway.troubles.append(trouble))
    serving = asyncio.create_task(doorway.server.serve(sockets=[listening]))
    yield doorway
    doorway.server.should_exit = True
    await asyncio.wait_for(serving, PATIENCE)
    assert doorway.troubles == []


async def is_a_socket(wire: Wire) -> None:
    """It is answered with 101, and then speaks the caption protocol."""
    answer = await wire.answer()
    assert (answer.status, answer.headers["sec-websocket-accept"]) == (101, ACCEPT)
    assert answer.headers["x-request-id"]
    wire.say(AUTH)
    assert [await wire.message(), await wire.message()] == [REFUSED, CLOSED]


async def is_answered(wire: Wire, body: bytes = b"/here 0") -> None:
    answer = await wire.answer()
    assert (answer.status, answer.body) == (200, body)
