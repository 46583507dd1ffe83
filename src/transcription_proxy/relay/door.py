"""Where HTTP becomes a WebSocket on uvicorn's own port, and where each phase of a request is bounded in bytes and time.

Bytes are fed to the parser in slices, and only while no request waits for its turn: what is left over stays unparsed,
and nothing more is read until the answers are out."""

import asyncio
import logging
import socket
from typing import Any, Final, cast
from uuid import uuid4

import httptools
from picows import WSAutoPingStrategy, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from transcription_proxy.relay import request_head
from transcription_proxy.relay.caption_socket import CaptionSocket
from transcription_proxy.relay.overlay_socket import OverlaySocket
from transcription_proxy.relay.request_head import MAX_HEAD, Refused
from transcription_proxy.relay.server_socket import ServerSocket
from transcription_proxy.relay.switchboard import Switchboard

MAX_REQUEST: Final = 16 << 20
"""Bytes of a body with its framing. The application refuses far smaller ones; a client that listens only when it has
sent everything still gets that answer."""
SLICE: Final = 512
"""Bytes that are parsed at once: at most 28 requests."""
HEAD_SECONDS: Final = 10.0
BODY_SECONDS: Final = 15.0
"""Longer than web/bodies.py allows: this is for bodies that no route reads."""
LINGER_SECONDS: Final = 2.0
"""How long to keep reading from a refused client. Closing at once makes the kernel send RST, and the client loses our
answer."""
UNHEARD_SECONDS: Final = 60
"""How long what we send may go unacknowledged. TCP alone takes a quarter of an hour to find that somebody is gone who
only listens, as an overlay does."""
READ_BUFFER: Final = 4096
HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: %s\r\n\r\n"
)
"""A checked request as picows wants it: a `Connection: keep-alive, Upgrade`, as Firefox says, it would refuse."""
LISTENERS: Final = {request_head.CAPTIONS: CaptionSocket, request_head.OVERLAY: OverlaySocket}


class _PicowsLog(logging.LoggerAdapter[logging.Logger]):
    """picows' log. (Of a Logger it makes one more for each socket.) What a client does wrong is no error of ours."""

    def error(self, msg: object, *args: object, **kwargs: Any) -> None:
        is_clients = str(msg).startswith("WS parser error")
        self.log(logging.INFO if is_clients else logging.ERROR, msg, *args, **kwargs)


_picows_log = _PicowsLog(logging.getLogger("picows"))


class Flow(FlowControl):
    """uvicorn's flow control. While the door holds reading, no request of the connection resumes it."""

    _held = False

    def hold(self) -> None:
        self._held = True
        self.pause_reading()

    def release(self) -> None:
        self._held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self._held:
            super().resume_reading()


class DoorProtocol(HttpToolsProtocol):
    """uvicorn's HTTP, with bounds on each phase of a request, that hands WebSocket upgrades to picows."""

    switchboard: Switchboard
    """Set on a subclass by `door`."""
    flow: Flow

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        """Runs while a request is on its way, or a refused client may still send."""
        self._in_head = True
        """The parser is before or in a head, not in a body."""
        self._size = 0
        """Bytes of the request since its head began, or since it ended."""
        self._stretch = 0
        """Bytes that are no body: those of the head, or of one piece of a body's framing."""
        self._unparsed = b""
        self._upgrading = False
        """A request to become a WebSocket waits for the answers to earlier requests; frames are unparsed."""
        self._ending = False
        """No further request is parsed."""
        self._running: RequestResponseCycle | None = None
        """The request that the application answers; uvicorn's `cycle` is the one that came last."""
        self._lingering = False

    # What the transport calls

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = Flow(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, UNHEARD_SECONDS * 1000)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._running is not None:
            _disconnect(self._running)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._lingering:
            return
        self._unset_keepalive_if_required()
        if self._timer is None and self._takes_more:
            self._start_timer()
        self._unparsed += data
        self._parse()

    # Parsing

    def _parse(self) -> None:
        data, done = memoryview(self._unparsed), 0
        while done < len(data) and self._takes_more:
            done += self._feed(data[done : done + SLICE])
        self._unparsed = b"" if self._lingering else bytes(data[done:])
        if self._upgrading:
            self._upgrade_in_turn()
        if self._unparsed and not self.transport.is_closing():
            self.flow.hold()

    @property
    def _takes_more(self) -> bool:
        return not (self.pipeline or self._upgrading or self._ending)

    def _feed(self, piece: memoryview) -> int:
        """Return how many bytes the parser took."""
        self._size += len(piece)
        self._stretch += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._upgrading = self._should_upgrade()  # to something else: that was an ordinary request
            return int(upgrade.args[0])
        except httptools.HttpParserError:
            self._refuse(request_head.MALFORMED)
        if self._stretch > MAX_HEAD:
            self._refuse(request_head.LONG_HEAD)
        elif self._size > MAX_REQUEST:
            self._refuse(request_head.TOO_LARGE)
        return len(piece)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are read and left out
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        refused = self._objection()
        if refused is not None:
            self._refuse(refused)
            raise ValueError  # it stops the parser
        super().on_headers_complete()
        self._in_head = False
        self._stretch = 0
        self._start_timer()

    def on_body(self, body: bytes) -> None:
        self._stretch = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._size = self._stretch = 0
        self._stop_timer()
        self._ending = self.cycle is not None and not self.cycle.keep_alive

    def _objection(self) -> Refused | None:
        method = self.parser.get_method().decode()
        upgrades = self.parser.should_upgrade()
        refused = request_head.objection(self.url, self.parser.get_http_version(), self.headers, upgrades)
        target = request_head.origin_form(method, self.url)
        if refused is not None or target is None:
            return refused or request_head.NO_TARGET
        self.url = target
        return None

    # Answers

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: Any) -> None:
        self._running = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._timer is not None:  # the next request is on its way, and has a time of its own
            self._unset_keepalive_if_required()
        if self._upgrading:
            self._upgrade_in_turn()
        elif self._unparsed and self._takes_more:
            self.flow.release()
            self.data_received(b"")

    def _refuse(self, refused: Refused) -> None:
        """Answer the request at fault after those before it, and close."""
        self._stop_timer()
        if self._lingering or self.transport.is_closing():
            return
        self._ending = True
        cycle = self.cycle
        if not self._in_head and self.pipeline:
            self.pipeline[0] = (cycle, cast(Any, refused))  # Starlette's types, and uvicorn's, of one protocol
        elif not self._in_head:
            _disconnect(cycle)
            self._linger(b"" if cycle.response_started else refused.answer())
        elif cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the answer to the last good request ends the connection
        else:
            self._linger(refused.answer())

    def _linger(self, answer: bytes) -> None:
        """Send the last bytes, and close when the client had time to read them."""
        self._lingering = True
        self._unset_keepalive_if_required()
        self.flow.release()
        self.transport.write(answer)
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    # Upgrades

    def _upgrade_in_turn(self) -> None:
        """Answer a request to upgrade, if no earlier one is still to be answered."""
        if self.cycle is not None and not self.cycle.response_complete:
            return
        self._unset_keepalive_if_required()
        self._upgrading = False
        method, version = self.scope["method"], self.scope["http_version"]
        refused = request_head.upgrade_objection(method, self.url, version, self.headers)
        if refused is not None:
            self._refuse(refused)
            return
        self.connections.discard(self)
        self.flow.release()
        listener = LISTENERS[self.url.partition(b"?")[0]](self.switchboard)
        protocol = WSProtocol(
            None, None, False, lambda _: _welcome(listener), _picows_log, True,
            None, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, False, listener.max_frame, None, READ_BUFFER,
        )  # fmt: skip
        protocol.connection_made(self.transport)
        self.transport.set_protocol(protocol)
        _feed(protocol, HANDSHAKE % dict(self.headers)[b"sec-websocket-key"] + self._unparsed)
        self._unparsed = b""

    def _should_upgrade_to_ws(self) -> bool:
        return True

    # The time of a head or a body

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEAD_SECONDS if self._in_head else BODY_SECONDS, self._time_out)

    def _time_out(self) -> None:
        if self.flow.read_paused:  # the client cannot send: its time begins again
            self._start_timer()
        else:
            self._refuse(request_head.TOO_LATE)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def door(switchboard: Switchboard) -> type[DoorProtocol]:
    """The class for uvicorn's `http=`."""
    return type("Door", (DoorProtocol,), {"switchboard": switchboard})


def _welcome(listener: ServerSocket) -> WSUpgradeResponseWithListener:
    response = WSUpgradeResponse.create_101_response({"X-Request-Id": uuid4().hex})
    return WSUpgradeResponseWithListener(response, listener)


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Tell the application that the client is gone. What it still sends goes nowhere."""
    cycle.disconnected = True
    cycle.message_event.set()


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        taken = min(len(buffer), len(data))
        buffer[:taken] = data[:taken]
        protocol.buffer_updated(taken)
        data = data[taken:]
