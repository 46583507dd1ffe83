"""A stand-in for Stripe that only returns Checkout Sessions."""

import asyncio
import json
from typing import Self
from urllib.parse import urlsplit

from tests.integration.payments.events import Body

NOTHING = {"error": {"type": "invalid_request_error", "code": "resource_missing", "message": "No such object"}}


class CheckoutServer:
    """An HTTP server. `sessions`: its answers by id. `requests`: how many it got."""

    def __init__(self) -> None:
        self.sessions: dict[str, Body] = {}
        self.requests = 0
        self.url = ""

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        host, port = self._server.sockets[0].getsockname()
        self.url = f"http://{host}:{port}"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()
        await self._server.wait_closed()

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        self.requests += 1
        path = urlsplit(head.split(" ", 2)[1]).path
        session = self.sessions.get(path.removeprefix("/v1/checkout/sessions/"))
        body = json.dumps(session or NOTHING).encode()
        status = "200 OK" if session else "404 Not Found"
        writer.write(
            f"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close\r\n"
            f"Content-Length: {len(body)}\r\n\r\n".encode()
            + body
        )
        writer.close()
