"""A WebSocket client that sends exactly the bytes that a test gives it, for clients that cannot be installed here."""

import asyncio
import base64
import hashlib
import os
from dataclasses import dataclass, field
from typing import Final, Self

from tests.e2e.service import Service

TEXT, BINARY, CLOSE, PING, PONG = 1, 2, 8, 9, 10
GUID: Final = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
WITHIN_SECONDS: Final = 60.0


@dataclass(slots=True)
class RawClient:
    """One connection. `headers`: of the answer, as they came."""

    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    key: str
    status: int = 0
    headers: list[tuple[str, str]] = field(default_factory=list)
    body: bytes = b""

    @classmethod
    async def open(cls, service: Service, *lines: str) -> Self:
        """Send the lines of a request, in which `{key}` stands for Sec-WebSocket-Key, and read the answer."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(service.env["PORT"]))
        client = cls(reader, writer, base64.b64encode(os.urandom(16)).decode())
        writer.write("".join(f"{line}\r\n" for line in [*lines, ""]).replace("{key}", client.key).encode())
        async with asyncio.timeout(10):
            await client._read_answer()
        return client

    async def _read_answer(self) -> None:
        head = (await self.reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        self.status = int(head[0].split()[1])
        self.headers = [(name, value.strip()) for name, _, value in (line.partition(":") for line in head[1:] if line)]
        if self.status != 101:
            self.body = await self.reader.readexactly(int(self.header("content-length")))

    def header(self, name: str) -> str:
        """Return a header that must be there once."""
        [value] = [value for found, value in self.headers if found.lower() == name.lower()]
        return value

    @property
    def accept(self) -> str:
        """The Sec-WebSocket-Accept that the client expects."""
        return base64.b64encode(hashlib.sha1(self.key.encode() + GUID).digest()).decode()

    def send(self, opcode: int, payload: bytes) -> None:
        """Send a masked frame."""
        size = len(payload)
        length = bytes([0x80 | size]) if size < 126 else b"\xfe" + size.to_bytes(2)
        mask = os.urandom(4)
        repeated = mask * (size // 4 + 1)
        masked = bytes(one ^ other for one, other in zip(payload, repeated, strict=False))
        self.writer.write(bytes([0x80 | opcode]) + length + mask + masked)

    async def receive(self) -> tuple[int, bytes]:
        """Return the opcode and payload of the next frame, which the server must neither mask nor fragment."""
        async with asyncio.timeout(WITHIN_SECONDS):
            first, second = await self.reader.readexactly(2)
            assert first & 0xF0 == 0x80, "fragmented, or with reserved bits"
            assert second < 0x80, "masked"
            size = second
            if size >= 126:
                size = int.from_bytes(await self.reader.readexactly(2 if size == 126 else 8))
            return first & 0x0F, await self.reader.readexactly(size)

    async def texts(self) -> list[bytes]:
        """Return all messages up to the close, which is answered as a client does. Answer pings."""
        received: list[bytes] = []
        while True:
            opcode, payload = await self.receive()
            if opcode == TEXT:
                received.append(payload)
            elif opcode == PING:
                self.send(PONG, payload)
            elif opcode == CLOSE:
                self.send(CLOSE, payload)
                self.close_payload = payload
                return received

    close_payload: bytes = b""

    def hang_up(self) -> None:
        """Close the connection without a close frame."""
        self.writer.close()
