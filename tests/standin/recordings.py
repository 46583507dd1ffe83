"""A stand-in for Deepgram's `POST /v1/listen`: answers each recording as scripted, and records what it was sent."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any, Self
from uuid import uuid4

from tests.standin.usage import UsageStandIn, as_bytes


@dataclass
class Received:
    """A request. `size`: bytes of its body."""

    target: str
    headers: dict[str, str]
    size: int = 0


def _write(writer: asyncio.StreamWriter, status: int, headers: dict[str, str], body: bytes) -> None:
    named = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    head = f"HTTP/1.1 {status} X\r\nContent-Length: {len(body)}\r\n{named}Connection: close\r\n\r\n"
    writer.write(head.encode() + body)


@dataclass
class RecordingStandIn:
    """`async with RecordingStandIn() as standin`. `duration`, `channels`: what its answers say of a recording."""

    status: int = 200
    duration: float = 10.0
    channels: int = 1
    received: list[Received] = field(default_factory=list)
    usage: UsageStandIn = field(default_factory=UsageStandIn)
    """What the upstream reports of its requests. Nothing is added by itself."""
    request_id: str = field(default_factory=lambda: str(uuid4()))
    answering: asyncio.Event = field(default_factory=asyncio.Event)
    """Cleared: recordings are taken but not answered."""
    changed: asyncio.Condition = field(default_factory=asyncio.Condition)

    async def __aenter__(self) -> Self:
        self.answering.set()
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()

    @property
    def url(self) -> str:
        return f"ws://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    async def heard(self, size: int) -> None:
        """Wait until so many bytes of the last recording have come. Raise TimeoutError."""
        async with asyncio.timeout(20), self.changed:
            await self.changed.wait_for(lambda: self.received and self.received[-1].size >= size)

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            lines = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
            headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines[1:] if line)}
            method, target, _ = lines[0].split(" ")
            if target.startswith("/v1/projects"):
                status, named, body = self.usage.answer(method, target, headers)
                _write(writer, status, {"Content-Type": "application/json", **named}, as_bytes(body))
                return
            received = Received(target, headers)
            self.received.append(received)
            await self._read(reader, received)
            await self.answering.wait()
            body = json.dumps(self._answer()).encode()
            _write(writer, self.status, {"Content-Type": "application/json", "dg-request-id": self.request_id}, body)
            await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError, ValueError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader, received: Received) -> None:
        left = int(received.headers.get("content-length", 0))
        if "transfer-encoding" not in received.headers:
            while left > 0:
                left -= await self._take(received, await reader.readexactly(min(left, 65536)))
            return
        while size := int(await reader.readline(), 16):
            await self._take(received, (await reader.readexactly(size + 2))[:-2])

    async def _take(self, received: Received, piece: bytes) -> int:
        received.size += len(piece)
        async with self.changed:
            self.changed.notify_all()
        return len(piece)

    def _answer(self) -> dict[str, Any]:
        if self.status != 200:
            return {"err_code": "Bad Request", "err_msg": "corrupt data", "request_id": self.request_id}
        metadata = {"request_id": self.request_id, "duration": self.duration, "channels": self.channels}
        alternatives = [{"transcript": "tell me more", "confidence": 0.9, "words": []}]
        return {"metadata": metadata, "results": {"channels": [{"alternatives": alternatives}] * self.channels}}
