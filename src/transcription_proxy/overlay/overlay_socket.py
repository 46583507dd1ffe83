"""The server side of `/ws/overlay`: sends one page the captions of the account whose key is in its first message.

A browser allows six HTTP connections to a host, and 255 WebSockets: streams of HTTP would block each other's pages."""

import asyncio
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.overlay import messages
from transcription_proxy.overlay.feed import Subscription
from transcription_proxy.overlay.feeds import Feeds
from transcription_proxy.overlay.messages import Failed, Heartbeat, Shown
from transcription_proxy.overlay.store import Overlay
from transcription_proxy.relay.fragments import Message
from transcription_proxy.relay.server_socket import ServerSocket
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import endings
from transcription_wire.codes import CLOSE_CODES, ErrorCode
from transcription_wire.messages import Error

PATH: Final = b"/ws/overlay"
HEARTBEAT_SECONDS: Final = 15.0
"""Seconds of silence after which a heartbeat is sent."""
MAX_STALL_SECONDS: Final = 30.0
"""Seconds that a page may not read before it is disconnected."""
ERROR_CLOSE_CODES: Final = {str(code): close for code, close in CLOSE_CODES.items()} | {
    "overlay_gone": 4410,
    "too_many_watchers": 4429,
}
SERVICE_RESTART: Final = 1012
NO_AUTH: Final = Error(ErrorCode.BAD_MESSAGE, sentences.OVERLAY_AUTH)
log = structlog.get_logger()


class KeyLookup(Protocol):
    """Finds overlays by their keys."""

    async def by_key(self, key: str) -> Overlay:
        """Return the overlay with this key. Raises Refusal (overlay_gone) and Unavailable."""


class SeatTaker(Protocol):
    """Counts an account's pages. Raises Refusal (too_many_watchers) and Unavailable."""

    def seat(self, user_id: UUID) -> AbstractAsyncContextManager[None]: ...


class OverlaySocket(ServerSocket):
    """One page. It sends its key, and nothing afterwards."""

    max_frame = 4096

    def __init__(self, switchboard: Switchboard, feeds: Feeds, keys: KeyLookup, seats: SeatTaker, address: str) -> None:
        super().__init__(switchboard, address, self.max_frame)
        self._feeds = feeds
        self._keys = keys
        self._seats = seats
        self._showing: asyncio.Task[None] | None = None
        self._writable = asyncio.Event()
        self._writable.set()

    # What picows calls

    def pause_writing(self) -> None:
        super().pause_writing()
        self._writable.clear()

    def resume_writing(self) -> None:
        super().resume_writing()
        self._writable.set()

    # What the base class and the switchboard call

    def on_message(self, message: Message) -> None:
        if self._showing is not None:
            return
        try:
            key = messages.parse_key(message.data)
        except msgspec.DecodeError:
            self.refuse(NO_AUTH)
            return
        self.record_auth()
        self._showing = self._loop.create_task(self._show(key))

    def on_closed(self) -> None:
        if self._showing is not None:
            self._showing.cancel()

    def refuse(self, error: Error) -> None:
        if not self._closing:
            self._send(Failed({"code": error.code, "message": error.message}))
            self.close(ERROR_CLOSE_CODES[error.code])

    def shutdown(self) -> None:
        """Refuse a page without a key: the service shuts down. Pages with a feed end after the last session, with
        `Feeds.end`."""
        if self._showing is None:
            self.refuse(endings.DRAINING)

    # After the key

    async def _show(self, key: str) -> None:
        """Show the captions until the feed ends or the page is gone."""
        try:
            overlay = await self._keys.by_key(key)
            async with self._seats.seat(overlay.user_id):
                subscription = self._feeds.subscribe(overlay.user_id, overlay.version)
                try:
                    await self._send_all(subscription)
                finally:
                    self._feeds.unsubscribe(overlay.user_id, subscription)
            if subscription.is_key_void:
                await self._keys.by_key(key)  # raises the refusal for a void key
            self.close(SERVICE_RESTART)
        except Refusal as refusal:
            self.refuse(Error(refusal.code, refusal.message))
        except Unavailable:
            self.refuse(endings.UNAVAILABLE)
        except TimeoutError:  # the page does not read
            self.disconnect()
        except Exception:
            log.exception("overlay_failed")
            self.refuse(endings.FAILED)

    async def _send_all(self, subscription: Subscription) -> None:
        """Send lines until the subscription ends. Raises TimeoutError if the page does not read."""
        self._send(Heartbeat())
        while shown := await _next(subscription):
            for each in shown:
                self._send(each)
            async with asyncio.timeout(MAX_STALL_SECONDS):
                await self._writable.wait()

    def _send(self, message: Shown | Heartbeat | Failed) -> None:
        self.send_text(messages.encode(message))


async def _next(subscription: Subscription) -> Sequence[Shown | Heartbeat]:
    """Return what to send next, nothing at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await subscription.next()
    except TimeoutError:
        return [Heartbeat()]
