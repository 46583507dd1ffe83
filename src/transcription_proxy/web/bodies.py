"""Bounds on request bodies: size and time, for chunked ones too, without reading more than is allowed."""

import asyncio
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transcription_proxy.errors import Refusal
from transcription_proxy.web import errors

LARGEST: Final = 64 * 1024
"""Bytes (contract 3)."""
WITHIN: Final = 10.0
"""Seconds that a body may take to arrive."""


class BodyLimit:
    """ASGI middleware. A body that says it is too large is refused unread; the others are counted as they come."""

    def __init__(self, app: ASGIApp, largest: int = LARGEST, within: float = WITHIN) -> None:
        self._app = app
        self._largest = largest
        self._within = within

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif _announced(scope) > self._largest:
            refusal = Refusal("too_large", f"The body is larger than {self._largest // 1024} KiB.")
            await errors.response(refusal, {"Connection": "close"})(scope, receive, send)
        else:
            await self._app(scope, _Counted(receive, self._largest, self._within), send)


class _Counted:
    """`receive`, raising HTTPException 413 or 408, which the framework passes on."""

    def __init__(self, receive: Receive, left: int, within: float) -> None:
        self._receive = receive
        self._left = left
        self._deadline: float | None = asyncio.get_running_loop().time() + within

    async def __call__(self) -> Message:
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers={"Connection": "close"}) from None
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            raise HTTPException(413, headers={"Connection": "close"})
        if not message.get("more_body"):
            self._deadline = None  # what follows is the wait for the client's going
        return message


def _announced(scope: Scope) -> int:
    """Content-Length; where it is malformed the server refuses the request itself."""
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0
