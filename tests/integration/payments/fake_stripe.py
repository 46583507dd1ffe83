"""A small HTTP server in place of Stripe: it records requests and returns given answers."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer. `cut`: how many bytes of the body are sent before the connection ends, None for all."""

    body: bytes = b"{}"
    status: int = 200
    headers: dict[str, str] = field(default_factory=dict)
    cut: int | None = None


SILENCE: Final = Answer(status=0)
"""Read the request and do not answer."""
CLOSE: Final = Answer(status=-1)


def answer(body: Any, status: int = 200, **headers: str) -> Answer:
    return Answer(json.dumps(body).encode(), status, {"Content-Type": "application/json", **headers})


@dataclass(frozen=True, slots=True)
class StubRequest:
    """A recorded request. `sent`: the parameters of its query or form, in order. Header names are in lower case."""

    method: str
    path: str
    sent: list[tuple[str, str]]
    headers: dict[str, str]


@dataclass(slots=True)
class FakeStripe:
    """A running server. It repeats the last of `answers`."""

    url: str
    answers: Sequence[Answer]
    requests: list[StubRequest] = field(default_factory=list)
    _open: dict[asyncio.StreamWriter, asyncio.Event] = field(default_factory=dict)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        ended = self._open[writer] = asyncio.Event()
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while await self._exchange(reader, writer):
                pass
        writer.close()
        ended.set()

    async def hang_up(self) -> None:
        """Close all open connections."""
        for writer, ended in self._open.items():
            writer.close()
            await ended.wait()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        """Answer one request. Return whether the connection stays open."""
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")
        method, target, _ = head[0].split(" ")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in head[1:] if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        parts = urlsplit(target)
        sent = parse_qsl(parts.query if method == "GET" else body.decode(), keep_blank_values=True)
        reply = self.answers[min(len(self.requests), len(self.answers) - 1)]
        self.requests.append(StubRequest(method, parts.path, sent, headers))
        if reply is CLOSE:
            return False
        if reply is not SILENCE:
            shown = {**reply.headers, "Content-Length": str(len(reply.body))}
            lines = [f"HTTP/1.1 {reply.status} X", *(f"{name}: {value}" for name, value in shown.items())]
            writer.write("\r\n".join([*lines, "", ""]).encode() + reply.body[: reply.cut])
            await writer.drain()
        return reply.cut is None


@asynccontextmanager
async def fake_stripe(*answers: Answer) -> AsyncIterator[FakeStripe]:
    here = FakeStripe("", answers)
    server = await asyncio.start_server(here.serve, "127.0.0.1", 0)
    here.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield here
    finally:
        server.close()
        await here.hang_up()
