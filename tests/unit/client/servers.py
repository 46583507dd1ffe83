"""Small servers that answer as they are told: one speaks HTTP, one the caption socket."""

import asyncio
import json
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from websockets.asyncio.server import ServerConnection, serve
from websockets.datastructures import Headers
from websockets.exceptions import ConnectionClosed
from websockets.http11 import Request, Response

Answer = tuple[int, Any]
"""A status, and JSON or bytes."""


@dataclass(frozen=True)
class Asked:
    request: str
    body: Any
    authorization: str | None


@dataclass
class Http:
    """Answers by method and path; the rest is 404. An answer may depend on the body."""

    url: str
    answers: dict[str, Answer | Callable[[Any], Answer]] = field(default_factory=dict)
    asked: list[Asked] = field(default_factory=list)

    def answer(self, asked: Asked) -> Answer:
        self.asked.append(asked)
        answer = self.answers.get(asked.request, (404, b"nothing"))
        return answer(asked.body) if callable(answer) else answer


@contextmanager
def http_server() -> Iterator[Http]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def _serve(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            asked = Asked(
                f"{self.command} {self.path}", json.loads(body) if body else None, self.headers["Authorization"]
            )
            status, answer = told.answer(asked)
            content = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST = _serve

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        told = Http(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        yield told
        server.shutdown()
        thread.join()


@dataclass
class Heard:
    """What a client said on the caption socket, in order: texts as JSON, audio as bytes."""

    said: list[Any] = field(default_factory=list)
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    each: "list[Heard]" = field(default_factory=list)
    """The same by connection."""
    faults: list[Exception] = field(default_factory=list)
    """What a script did not expect."""

    @property
    def types(self) -> list[str]:
        return [message["type"] for message in self.said if isinstance(message, dict)]

    @property
    def audio(self) -> bytes:
        return b"".join(message for message in self.said if isinstance(message, bytes))


class Socket:
    """The server's end of one connection."""

    def __init__(self, connection: ServerConnection, heard: Heard) -> None:
        self._connection = connection
        self._all = heard
        self._heard = Heard()
        heard.each.append(self._heard)

    @property
    def audio(self) -> bytes:
        """What came on this connection so far."""
        return self._heard.audio

    async def next(self) -> Any:
        """The next message of the client."""
        message = await self._connection.recv()
        said = json.loads(message) if isinstance(message, str) else message
        for heard in (self._all, self._heard):
            heard.said.append(said)
        return said

    async def hears(self, nbytes: int) -> None:
        """Reads until so much audio has come on this connection."""
        while len(self.audio) < nbytes:
            await self.next()

    async def until(self, kind: str) -> None:
        """Reads to the first message of that type."""
        while True:
            message = await self.next()
            if isinstance(message, dict) and message["type"] == kind:
                return

    async def say(self, kind: str, **fields: Any) -> None:
        await self._connection.send(json.dumps({"type": kind, **fields}))

    async def send(self, message: str | bytes) -> None:
        await self._connection.send(message)

    async def ready(self, session_id: str | None = None) -> None:
        """Takes `auth`, and is ready. Without an id, its session has one of its own."""
        await self.until("auth")
        await self.say("ready", session_id=session_id or f"session-{len(self._all.each)}", seconds_remaining=600)

    async def final(self, text: str, start: float, duration: float, **fields: Any) -> None:
        words = {"text": text, "is_final": True, "confidence": None, "speech_final": True, **fields}
        await self.say("transcript", **words, start=start, duration=duration)

    async def refuse(self, code: str, close: int = 1013, message: str = "No.") -> None:
        await self.say("error", code=code, message=message)
        await self.close(close)

    async def end(self, **fields: Any) -> None:
        """The receipt, and the close."""
        receipt = {"seconds_used": 3, "audio_seconds": 2.5, "reason": "client_stop", **fields}
        await self.say("session_end", **receipt)
        await self._connection.close()

    async def close(self, code: int = 1000) -> None:
        await self._connection.close(code)

    def freeze(self) -> None:
        """Reads nothing until `thaw`, and so answers no ping."""
        self._connection.transport.pause_reading()

    def thaw(self) -> None:
        self._connection.transport.resume_reading()

    def vanish(self) -> None:
        self._connection.transport.abort()


Script = Callable[[Socket], Awaitable[None]]


@asynccontextmanager
async def caption_server(
    *scripts: Script, answer: Callable[[str], Answer] = lambda path: (404, b"")
) -> AsyncIterator[tuple[str, Heard]]:
    """Its address as a login has it, and what it hears. Each script plays one connection, the last one all others.
    `answer`: to a path that is not the caption socket's."""
    heard = Heard()

    def route(connection: ServerConnection, request: Request) -> Response | None:
        if request.path == "/ws/transcribe":
            return None
        status, body = answer(request.path)
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        return Response(status, "", Headers({"Content-Length": str(len(content))}), content)

    async def play(connection: ServerConnection) -> None:
        script = scripts[min(len(heard.each), len(scripts) - 1)]
        socket = Socket(connection, heard)
        try:
            await script(socket)
            while True:
                await socket.next()
        except ConnectionClosed:
            heard.closed.set()
        except Exception as fault:
            heard.faults.append(fault)
            raise

    async with serve(play, "127.0.0.1", 0, process_request=route, close_timeout=1, max_queue=None) as server:
        (listener,) = server.sockets
        yield f"http://127.0.0.1:{listener.getsockname()[1]}", heard
    for fault in heard.faults:
        raise fault
