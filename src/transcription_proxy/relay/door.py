"""Where HTTP becomes a WebSocket on uvicorn's own port, and where a request's head is kept within bounds."""

import asyncio
import logging
import re
import socket
from dataclasses import dataclass
from typing import Any, Final
from uuid import uuid4

import httptools
import msgspec
from picows import WSAutoPingStrategy, WSUpgradeRequest, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from transcription_proxy.relay.caption_socket import CaptionSocket
from transcription_proxy.relay.switchboard import Switchboard

PATH: Final = b"/ws/transcribe"
MAX_HEAD: Final = 16 * 1024
"""Bytes of a request's head."""
HEAD_SECONDS: Final = 10.0
LINGER_SECONDS: Final = 2.0
"""How long what a refused client still sends is read: closed on at once, it would hear a reset and not the answer."""
UNHEARD_SECONDS: Final = 60
"""How long what we send may go unacknowledged. TCP alone takes a quarter of an hour to find that somebody is gone who
only listens, as an overlay does."""
MAX_FRAME: Final = 4 << 20
"""Above our own limit, so that we can say why; above this picows closes with 1009 by itself."""
READ_BUFFER: Final = 4096
KEY: Final = re.compile(rb"[A-Za-z0-9+/]{22}==")
"""Sixteen bytes in base64 (RFC 6455, 4.1)."""
HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: %s\r\n\r\n"
)
"""A checked request as picows wants it: a `Connection: keep-alive, Upgrade`, as Firefox says, it would refuse."""
_picows_log = logging.LoggerAdapter(logging.getLogger("picows"))  # of a Logger it makes one more for each socket


@dataclass(frozen=True, slots=True)
class Refused:
    """An answer to what never becomes a request of the application."""

    status: bytes
    code: str
    message: str
    headers: bytes = b""

    def answer(self) -> bytes:
        body = msgspec.json.encode({"error": {"code": self.code, "message": self.message}})
        head = b"HTTP/1.1 %s\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %s\r\n%s"
        request_id = uuid4().hex.encode()
        return head % (self.status, len(body), request_id, self.headers) + b"connection: close\r\n\r\n" + body


MALFORMED: Final = Refused(b"400 Bad Request", "bad_request", "This is not HTTP.")
WITH_BODY: Final = Refused(b"400 Bad Request", "bad_request", "A request to upgrade has no body.")
NO_HANDSHAKE: Final = Refused(b"400 Bad Request", "bad_request", "This is not the opening of a WebSocket.")
NO_SOCKET: Final = Refused(b"404 Not Found", "not_found", "There is no WebSocket here: it is at /ws/transcribe.")
TOO_LATE: Final = Refused(b"408 Request Timeout", "request_timeout", "The request did not arrive in time.")
NO_VERSION: Final = Refused(
    b"426 Upgrade Required",
    "upgrade_required",
    "This service speaks WebSocket 13 only.",
    b"upgrade: websocket\r\nsec-websocket-version: 13\r\n",
)
TOO_LARGE: Final = Refused(
    b"431 Request Header Fields Too Large", "head_too_large", "The head of the request is larger than 16 KiB."
)


class DoorProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with limits on the head, that hands WebSocket upgrades to picows."""

    switchboard: Switchboard
    """Set on a subclass by `door`."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        """Runs while a head is on its way, or a refused client may still send."""
        self._awaiting_head = True
        self._received = 0
        """Bytes since the last request ended."""
        self._frames: bytes | None = None
        """What came behind an upgrade that waits for the answers to earlier requests."""
        self._refused = False

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_SECONDS * 1000)
        self._time_head()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._frames is not None:
            self._frames += data
            self.flow.pause_reading()
        elif not self._refused:
            self._unset_keepalive_if_required()
            self._received += len(data)
            if self._awaiting_head and self._timer is None:
                self._time_head()
            self._parse(data)
            if self._timer is not None and self._received > MAX_HEAD:
                self._refuse(TOO_LARGE)

    def _parse(self, data: bytes) -> None:
        while data:
            try:
                self.parser.feed_data(data)
                return
            except httptools.HttpParserUpgrade as upgrade:
                data = data[upgrade.args[0] :]
                if self._should_upgrade():
                    self._frames = data
                    self._upgrade_in_turn()
                    return
                # to something else: that was an ordinary request, and others may follow
            except httptools.HttpParserError:
                self._refuse(MALFORMED)
                return

    # What the parser calls

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._time_head()

    def on_headers_complete(self) -> None:
        refused = self._head_objection()
        if refused is not None:
            self._refuse(refused)
            raise ValueError  # it stops the parser
        super().on_headers_complete()
        self._awaiting_head = False
        self._stop_timer()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._awaiting_head = True
        self._received = 0

    # Answers

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._timer is not None:  # the next head is on its way, and has a time of its own
            self._unset_keepalive_if_required()
        if self._frames is not None and not self.transport.is_closing():
            self._upgrade_in_turn()

    def _refuse(self, refused: Refused) -> None:
        """Says why, after what is still to be answered, and closes."""
        self._stop_timer()
        if self._refused or self.transport.is_closing():
            return
        self._refused = True
        if self.cycle is not None and not self.cycle.response_complete and not self.cycle.more_body:
            self.cycle.keep_alive = False  # what was asked properly is answered yet, and that ends it
            return
        if self.cycle is not None:
            self.cycle.disconnected = True
            self.cycle.message_event.set()
        self.transport.write(refused.answer())
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    # Upgrades

    def _upgrade_in_turn(self) -> None:
        """Answers at once, if nothing else is to be answered before; the first message authenticates."""
        if self.cycle is not None and not self.cycle.response_complete:
            return
        self._unset_keepalive_if_required()
        frames, self._frames = self._frames or b"", None
        headers = dict(self.headers)
        refused = self._upgrade_objection(headers)
        if refused is not None:
            self._refuse(refused)
            return
        self.connections.discard(self)
        protocol = WSProtocol(
            None, None, False, self._welcome, _picows_log, True,
            None, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, True, MAX_FRAME, None, READ_BUFFER,
        )  # fmt: skip
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        _feed(protocol, HANDSHAKE % headers[b"sec-websocket-key"] + frames)

    def _head_objection(self) -> Refused | None:
        """To the head of any request."""
        if len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers) > MAX_HEAD:
            return TOO_LARGE
        with_body = any(
            name == b"transfer-encoding" or (name == b"content-length" and value.strip(b"0"))
            for name, value in self.headers
        )
        if self.parser.should_upgrade() and with_body:  # whatever it is to: the parser takes the body for a request
            return WITH_BODY
        return None

    def _upgrade_objection(self, headers: dict[bytes, bytes]) -> Refused | None:
        if self.url.partition(b"?")[0] != PATH:
            return NO_SOCKET
        if headers.get(b"sec-websocket-version") != b"13":
            return NO_VERSION
        is_get = self.scope["method"] == "GET" and self.scope["http_version"] == "1.1"
        return None if is_get and KEY.fullmatch(headers.get(b"sec-websocket-key", b"")) else NO_HANDSHAKE

    def _welcome(self, _request: WSUpgradeRequest) -> WSUpgradeResponseWithListener:
        response = WSUpgradeResponse.create_101_response({"X-Request-Id": uuid4().hex})
        return WSUpgradeResponseWithListener(response, CaptionSocket(self.switchboard))

    def _should_upgrade_to_ws(self) -> bool:
        return True

    # The head's timer

    def _time_head(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEAD_SECONDS, self._refuse, TOO_LATE)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


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
