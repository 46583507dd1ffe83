"""Bounds on request bodies: size and time, for chunked ones too, without reading more than is allowed."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.web import errors

LARGEST: Final = 64 * 1024
"""Bytes (protocol 1)."""
LARGER: Final = {"/webhooks/stripe": 1024 * 1024}
WITHIN: Final = 10.0
"""Seconds that a body may take to arrive."""
CLOSE: Final = {"Connection": "close"}


class BodyLimit:
    """ASGI middleware. A body that says it is too large is not waited for; the others are counted as they come."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST, within: float = WITHIN) -> None:
        self._app = app
        self._largest = largest
        self._within = within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        largest = LARGER.get(scope["path"], self._largest)
        body = _Body(receive, send, largest, self._within)
        if _announced(scope) > largest:
            body.too_large = True
            refusal = Refusal("too_large", sentences.body_larger_than(largest // 1024))
            await errors.response(refusal, CLOSE)(scope, receive, body.answer)
        else:
            await self._app(scope, body.read, body.answer)


class _Body:
    """`receive` and `send` of a request. Reading raises HTTPException 413, 408 or 499 (the client left in the middle),
    which the framework passes on."""

    def __init__(self, receive: Receive, send: Send, left: int, within: float) -> None:
        self._receive = receive
        self._send = send
        self._left = left
        self._within = within
        self._deadline: float | None = asyncio.get_running_loop().time() + within
        self._more = True
        self.too_large = False

    async def read(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers=CLOSE) from None
        if self._more and message["type"] == "http.disconnect":
            raise HTTPException(499, "")  # it is in no list of http.HTTPStatus, which has the other details
        self._more = message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.too_large = True
            raise HTTPException(413, headers=CLOSE)
        if not self._more:
            self._deadline = None  # what follows is the wait for the client's going
        return message

    async def answer(self, message: Message) -> None:
        last = message["type"] == "http.response.body" and not message.get("more_body")
        if last and self.too_large:
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drain(self) -> None:
        """Lets the client send the rest: if we closed while it writes, it would hear a reset and not the answer."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._within):
                while self._more:
                    self._more = (await self._receive()).get("more_body", False)


def _announced(scope: Scope) -> int:
    """Content-Length; where it is malformed the server refuses the request itself."""
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0
