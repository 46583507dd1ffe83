"""The captions of an account as server-sent events, for programs that show them."""

import asyncio
from typing import Final

import msgspec
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from transcription_proxy.overlay.feed import Subscription
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.overlay.keys import gone
from transcription_proxy.overlay.messages import event, server_sent
from transcription_proxy.overlay.seats import Seats
from transcription_proxy.overlay.store import Overlay

HEARTBEAT_SECONDS: Final = 15.0
"""Seconds of silence after which a heartbeat is sent."""
MAX_STALL_SECONDS: Final = 30.0
"""Seconds that a client may not read before the response is abandoned."""


class EventStream(Response):
    """A response that ends with the subscription or the client. Raises Refusal before it begins."""

    media_type = "text/event-stream"

    def __init__(self, overlay: Overlay, feeds: Feeds, seats: Seats) -> None:
        super().__init__(headers={"X-Accel-Buffering": "no"})
        del self.headers["content-length"]
        self._overlay = overlay
        self._feeds = feeds
        self._seats = seats

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._seats.seat(self._overlay.user_id):
            await self._show(receive, send)

    async def _show(self, receive: Receive, send: Send) -> None:
        subscription = self._feeds.subscribe(self._overlay.user_id, self._overlay.version)
        sending = asyncio.create_task(self._send_all(subscription, send))
        leaving = asyncio.create_task(_wait_for_disconnect(receive))
        try:
            await asyncio.wait({sending, leaving}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._feeds.unsubscribe(self._overlay.user_id, subscription)
            sending.cancel()
            leaving.cancel()
            await asyncio.gather(sending, leaving, return_exceptions=True)

    async def _send_all(self, subscription: Subscription, send: Send) -> None:
        await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        await _send(send, event("heartbeat"))
        while (events := await _next(subscription)) is not None:
            await _send(send, events)
        if subscription.is_key_void:
            await _send(send, _gone_event())
        await send({"type": "http.response.body", "body": b""})


async def _next(subscription: Subscription) -> bytes | None:
    """Return the events to send next, None at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return b"".join(map(server_sent, await subscription.next())) or None
    except TimeoutError:
        return event("heartbeat")


async def _send(send: Send, body: bytes) -> None:
    async with asyncio.timeout(MAX_STALL_SECONDS):
        await send({"type": "http.response.body", "body": body, "more_body": True})


async def _wait_for_disconnect(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _gone_event() -> bytes:
    refusal = gone()
    error = {"code": refusal.code, "message": refusal.message}
    return event("gone", msgspec.json.encode({"error": error}))
