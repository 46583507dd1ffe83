"""`/ws/overlay`: the captions of the account whose key comes in the first message, for one page.

A browser allows six HTTP connections to a host, and 255 WebSockets: streams of HTTP would block each other's pages."""

import asyncio
from collections.abc import Sequence
from typing import Final, Protocol
from uuid import UUID

import msgspec
import structlog

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.overlay import messages
from transcription_proxy.overlay.feeds import Stages, Watcher
from transcription_proxy.relay.fragments import Message
from transcription_proxy.relay.server_socket import ServerSocket
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import endings
from transcription_wire.codes import CLOSE_CODES, ErrorCode

PATH: Final = b"/ws/overlay"
HEARTBEAT: Final = messages.Heartbeat()
HEARTBEAT_SECONDS: Final = 15.0
"""Of silence."""
STALLED_SECONDS: Final = 30.0
"""How long a page may not read."""
CODES: Final = {str(code): close for code, close in CLOSE_CODES.items()} | {
    "overlay_gone": 4410,
    "too_many_watchers": 4429,
}
"""Close code that follows an error."""
SERVICE_RESTART: Final = 1012
NO_AUTH: Final = (ErrorCode.BAD_MESSAGE, sentences.OVERLAY_AUTH)
log = structlog.get_logger()


class Overlay(Protocol):
    """The account whose captions a key shows, and the version of the key."""

    @property
    def user_id(self) -> UUID: ...

    @property
    def version(self) -> int: ...


class Overlays(Protocol):
    """The part of the accounts that checks the keys of overlays."""

    async def by_key(self, key: str) -> Overlay:
        """Return the overlay of a key. Raises Refusal (overlay_gone) and Unavailable."""


class OverlaySocket(ServerSocket):
    """One page. It says its key, and then nothing more."""

    max_frame = 4096

    def __init__(self, switchboard: Switchboard, stages: Stages, overlays: Overlays) -> None:
        super().__init__(switchboard, self.max_frame)
        self._stages = stages
        self._overlays = overlays
        self._watching: asyncio.Task[None] | None = None
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
        if self._watching is not None:
            return
        try:
            key = messages.key(message.data)
        except msgspec.DecodeError:
            self.refuse(NO_AUTH)
            return
        self.record_auth()
        self._watching = self._loop.create_task(self._watch(key))

    def on_closed(self) -> None:
        if self._watching is not None:
            self._watching.cancel()

    def refuse(self, error: tuple[str, str]) -> None:
        code, message = error
        if not self._closing:
            self._send(messages.Failed({"code": code, "message": message}))
            self.close(CODES[code])

    def shutdown(self) -> None:
        """The service goes down. A page that watches is ended after the last session, with its stage."""
        if self._watching is None:
            self.refuse(endings.DRAINING)

    # A page that has said its key

    async def _watch(self, key: str) -> None:
        try:
            found = await self._overlays.by_key(key)
            watcher = self._stages.watch(found.user_id, found.version)
            try:
                await self._show(watcher)
            finally:
                self._stages.leave(found.user_id, watcher)
            if watcher.gone:
                await self._overlays.by_key(key)  # raises what it says of a void key
            self.close(SERVICE_RESTART)
        except Refusal as refusal:
            self.refuse((refusal.code, refusal.message))
        except Unavailable:
            self.refuse(endings.UNAVAILABLE)
        except TimeoutError:  # the page does not read
            self.disconnect()
        except Exception:
            log.exception("overlay_failed")
            self.refuse(endings.FAILED)

    async def _show(self, watcher: Watcher) -> None:
        """Raises TimeoutError when the page does not read."""
        self._send(HEARTBEAT)
        while shown := await _next(watcher):
            for each in shown:
                self._send(each)
            async with asyncio.timeout(STALLED_SECONDS):
                await self._writable.wait()

    def _send(self, shown: messages.Shown | messages.Heartbeat | messages.Failed) -> None:
        self.send_text(messages.message(shown))


async def _next(watcher: Watcher) -> Sequence[messages.Shown | messages.Heartbeat]:
    """Return what to send next, nothing at the end."""
    try:
        async with asyncio.timeout(HEARTBEAT_SECONDS):
            return await watcher.next()
    except TimeoutError:
        return [HEARTBEAT]
