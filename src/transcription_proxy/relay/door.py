"""Where HTTP becomes a WebSocket on uvicorn's own port, and where a request's head is kept within bounds."""

import asyncio
import logging
from typing import Any, Final

from picows import WSAutoPingStrategy
from picows.picows import WSProtocol  # type: ignore[attr-defined]
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from transcription_proxy.relay.caption_socket import CaptionSocket
from transcription_proxy.relay.switchboard import Switchboard

PATH: Final = b"/ws/transcribe"
MAX_HEAD: Final = 16 * 1024
"""Bytes of a request's head; picows drops a longer one in silence."""
HEAD_SECONDS: Final = 10.0
MAX_FRAME: Final = 4 << 20
"""Above our own limit, so that we can say why; above this picows closes with 1009 by itself."""
READ_BUFFER: Final = 4096
_picows_log = logging.LoggerAdapter(logging.getLogger("picows"))  # of a Logger it makes one more for each socket


class DoorProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with limits on the head, that hands WebSocket upgrades to picows."""

    switchboard: Switchboard
    """Set on a subclass by `door`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._head_bytes = 0
        self._head_timer: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._await_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._head_arrived()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._head_timer is not None:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_timer is not None and self._head_bytes > MAX_HEAD:
            self._give_up(b"431 Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._await_head()

    def on_headers_complete(self) -> None:
        self._head_arrived()
        super().on_headers_complete()

    def handle_websocket_upgrade(self) -> None:
        """Answers at once: the first message authenticates."""
        self.connections.discard(self)
        if self.url.partition(b"?")[0] != PATH:
            self._give_up(b"404 Not Found")
            return
        protocol = WSProtocol(
            None, None, False, lambda request: CaptionSocket(self.switchboard), _picows_log, True,
            HEAD_SECONDS, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, True, MAX_FRAME, None, READ_BUFFER,
        )  # fmt: skip
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        _feed(protocol, self._head())

    def _should_upgrade_to_ws(self) -> bool:
        return True

    def _head(self) -> bytes:
        lines = [b"%s %s HTTP/1.1" % (self.scope["method"].encode(), self.url)]
        lines += [b"%s: %s" % header for header in self.headers]
        return b"\r\n".join(lines) + b"\r\n\r\n"

    def _await_head(self) -> None:
        self._head_arrived()
        self._head_bytes = 0
        self._head_timer = self.loop.call_later(HEAD_SECONDS, self._give_up, b"408 Request Timeout")

    def _head_arrived(self) -> None:
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _give_up(self, status: bytes) -> None:
        self._head_arrived()
        if not self.transport.is_closing():
            self.transport.write(b"HTTP/1.1 %s\r\ncontent-length: 0\r\nconnection: close\r\n\r\n" % status)
            self.transport.close()


def door(switchboard: Switchboard) -> type[DoorProtocol]:
    """The class for uvicorn's `http=`."""
    return type("Door", (DoorProtocol,), {"switchboard": switchboard})


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        taken = min(len(buffer), len(data))
        buffer[:taken] = data[:taken]
        protocol.buffer_updated(taken)
        data = data[taken:]
