"""Limits the size and duration of request bodies, chunked ones too, and never reads more than the limit."""

import asyncio
from contextlib import suppress
from typing import Final

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal
from transcription_proxy.web import errors

MAX_BODY_BYTES: Final = 64 * 1024
"""The limit of most paths (protocol 1)."""
MAX_BODY_BYTES_OF: Final = {"/webhooks/stripe": 1024 * 1024}
"""The limit of paths that have their own."""
UPLOAD: Final = "/v1/listen"
"""The path that takes recordings, whose limit is an argument."""
BODY_SECONDS: Final = 10.0
"""How long a body may take to arrive; a recording may take as long between two pieces."""
CLOSE: Final = {"Connection": "close"}


class BodyLimit:
    """ASGI middleware. It refuses a body that announces too many bytes at once, and counts the bytes of all others.

    `largest_upload`: bytes of a recording. Too large a recording is refused where it is read, in Deepgram's form."""

    def __init__(
        self, app: ASGIApp, largest: int = MAX_BODY_BYTES, within: float = BODY_SECONDS, largest_upload: int = 0
    ) -> None:
        self._app = app
        self._largest = largest
        self._within = within
        self._largest_upload = largest_upload

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if scope["path"] == UPLOAD and self._largest_upload:
            upload = _Body(receive, send, self._largest_upload, self._within, is_upload=True)
            await self._app(scope, upload.read, upload.answer)
            return
        largest = MAX_BODY_BYTES_OF.get(scope["path"], self._largest)
        body = _Body(receive, send, largest, self._within)
        if _announced(scope) > largest:
            body.too_large = True
            refusal = Refusal("too_large", sentences.body_larger_than(largest // 1024))
            await errors.response(refusal, CLOSE)(scope, receive, body.answer)
        else:
            await self._app(scope, body.read, body.answer)


class _Body:
    """`receive` and `send` of a request, with the limits applied. `left`: bytes that may still come.

    `is_upload`: the time starts again with each piece, and the answer may come before the whole body is read."""

    def __init__(self, receive: Receive, send: Send, left: int, within: float, *, is_upload: bool = False) -> None:
        self._receive = receive
        self._send = send
        self._left = left
        self._within = within
        self._deadline: float | None = asyncio.get_running_loop().time() + within
        self._more = True
        self._is_upload = is_upload
        self.too_large = False

    async def read(self) -> Message:
        """Receive a message. Raise HTTPException 413, 408, or 499 if the client left in the middle."""
        if self._is_upload and self._more:
            self._deadline = asyncio.get_running_loop().time() + self._within
        try:
            async with asyncio.timeout_at(self._deadline):
                message = await self._receive()
        except TimeoutError:
            raise HTTPException(408, headers=CLOSE) from None
        if self._more and message["type"] == "http.disconnect":
            raise HTTPException(499, "")  # http.HTTPStatus has no 499, so no default detail
        self._more = message.get("more_body", False)
        self._left -= len(message.get("body", b""))
        if self._left < 0:
            self.too_large = True
            raise HTTPException(413, headers=CLOSE)
        if not self._more:
            self._deadline = None  # the next message reports a disconnect, at any time
        return message

    async def answer(self, message: Message) -> None:
        """Send a message, and end the answer to a body that was not read whole only after the rest of it came."""
        last = message["type"] == "http.response.body" and not message.get("more_body")
        if last and (self.too_large or (self._is_upload and self._more)):
            await self._send({**message, "more_body": True})
            await self._drain()
            message = {"type": "http.response.body", "body": b""}
        await self._send(message)

    async def _drain(self) -> None:
        """Read the rest of the body. Closing while the client writes makes the kernel send RST: our answer is lost."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._within):
                while self._more:
                    self._more = (await self._receive()).get("more_body", False)


def _announced(scope: Scope) -> int:
    """Return Content-Length, or 0 if it is malformed, since the server itself refuses such a request."""
    value = dict(scope["headers"]).get(b"content-length", b"0")
    return int(value) if value.isdigit() else 0
