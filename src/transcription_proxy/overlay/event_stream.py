"""The captions of an account as server-sent events, for programs that show them."""

import asyncio
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from transcription_proxy.overlay.feeds import Stages, Watcher
from transcription_proxy.overlay.keys import gone
from transcription_proxy.overlay.messages import event, server_sent
from transcription_proxy.overlay.store import Overlay

HEARTBEAT: Final = 15.0
"""Seconds of silence."""
SEND_WITHIN: Final = 30.0
"""How long a page may not read."""


class EventStream(Response):
    """A stream of what a watcher is shown, until it has ended or the page is gone. Raises Refusal before it begins."""

    media_type = "text/event-stream"

    def __init__(self, overlay: Overlay, stages: Stages) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._overlay = overlay
        self._stages = stages

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        watcher = self._stages.watch(self._overlay.user_id, self._overlay.version)
        telling = asyncio.create_task(self._tell(watcher, send))
        leaving = asyncio.create_task(_left(receive))
        try:
            await asyncio.wait({telling, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._stages.leave(self._overlay.user_id, watcher)
            telling.cancel()
            leaving.cancel()
            await asyncio.gather(telling, leaving, return_exceptions=True)

    async def _tell(self, watcher: Watcher, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, event("heartbeat"))
        while (told := await _next(watcher)) is not None:
            await _send(send, told)
        if watcher.gone:
            refusal = gone()
            error = {"code": refusal.code, "message": refusal.message}
            await _send(send, event("gone", msgspec.json.encode({"error": error})))
        await send({"type": "http.response.body", "body": b""})


async def _next(watcher: Watcher) -> bytes | None:
    """What is to be sent next, None at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT):
            return b"".join(map(server_sent, await watcher.next())) or None
    except TimeoutError:
        return event("heartbeat")


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(SEND_WITHIN):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _left(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
