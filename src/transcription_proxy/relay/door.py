"""HTTP on uvicorn's port: bounds each phase of a request in bytes and time, and hands WebSocket upgrades to picows.

Bytes are fed to the parser in slices, and only while no request waits for its answer. Bytes beyond that stay unparsed,
and nothing more is read until the answers are sent."""

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, cast
from uuid import uuid4

import httptools
from picows import WSAutoPingStrategy, WSUpgradeResponse, WSUpgradeResponseWithListener
from picows.picows import WSProtocol  # type: ignore[attr-defined]
from uvicorn.protocols.http.flow_control import FlowControl
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from transcription_proxy.clients import Network, bucket, client_address
from transcription_proxy.relay import request_head
from transcription_proxy.relay.request_head import MAX_HEAD_BYTES, HttpRefusal
from transcription_proxy.relay.server_socket import ServerSocket
from transcription_proxy.relay.upgrade import Upgrade

MAX_REQUEST_BYTES: Final = 16 << 20
"""Bytes of a body with its framing. The application refuses far smaller bodies; up to here a client that reads only
after it has sent everything gets that answer."""
SLICE_BYTES: Final = 512
"""Bytes that are parsed in one go: at most 28 requests."""
HEAD_SECONDS: Final = 10.0
"""Seconds that a request's head may take."""
BODY_SECONDS: Final = 15.0
"""Seconds that a body may take: more than web/bodies.py allows, because this is for bodies that no route reads."""
LINGER_SECONDS: Final = 2.0
"""Seconds to keep reading from a refused client. Closing at once makes the kernel send RST, and the client loses our
answer."""
MAX_UNACKNOWLEDGED_SECONDS: Final = 60
"""Seconds that sent bytes may go unacknowledged. TCP alone takes a quarter of an hour to find that a peer is gone that
sends nothing, such as an overlay."""
READ_BUFFER_BYTES: Final = 2048
HANDSHAKE: Final = (
    b"GET / HTTP/1.1\r\nconnection: upgrade\r\nupgrade: websocket\r\n"
    b"sec-websocket-version: 13\r\nsec-websocket-key: %s\r\n\r\n"
)
"""A checked request in the form that picows accepts: it refuses Firefox's `Connection: keep-alive, Upgrade`."""
Sockets = Mapping[bytes, Callable[[str], ServerSocket]]
"""Makes the socket that serves each path, for a client's address as it counts against limits."""
Holders = Mapping[bytes, Callable[[Upgrade], object]]
"""Takes each handshake for a path, to answer it later."""


class _PicowsLog(logging.LoggerAdapter[logging.Logger]):
    """The logger given to picows. It logs a client's mistakes as info, not as errors.

    An adapter, because picows makes a child of a plain Logger for each socket."""

    def error(self, msg: object, *args: object, **kwargs: Any) -> None:
        is_clients = str(msg).startswith("WS parser error")
        self.log(logging.INFO if is_clients else logging.ERROR, msg, *args, **kwargs)


NO_PROTOCOL: Final = asyncio.Protocol()
_picows_log = _PicowsLog(logging.getLogger("picows"))


class DoorFlowControl(FlowControl):
    """uvicorn's flow control. Between `hold` and `release`, no request of the connection resumes reading."""

    _is_held = False

    def hold(self) -> None:
        self._is_held = True
        self.pause_reading()

    def release(self) -> None:
        self._is_held = False
        self.resume_reading()

    def resume_reading(self) -> None:
        if not self._is_held:
            super().resume_reading()


class DoorProtocol(HttpToolsProtocol):
    """uvicorn's HTTP protocol with bounds on each phase of a request, and with upgrades to picows."""

    sockets: Sockets
    trusted_proxies: Sequence[Network]
    holders: Holders
    uploads: Mapping[bytes, int]
    """All four are set on a subclass by `door`."""
    flow: DoorFlowControl

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._timer: asyncio.TimerHandle | None = None
        """Runs while a request arrives, or while a refused client may still send."""
        self._in_head = True
        """The parser is before or inside a head, not in a body."""
        self._request_bytes = 0
        """Bytes of the head, or since its end."""
        self._max_bytes = MAX_REQUEST_BYTES
        """Bytes that the request may have. An upload may have more, and take longer."""
        self._framing_bytes = 0
        """Bytes of the head, or of one piece of a body's framing, without the body itself."""
        self._unparsed = b""
        self._is_upgrading = False
        """An upgrade waits for the answers to earlier requests; the frames after it are unparsed."""
        self._held: Upgrade | None = None
        """An upgrade that waits for its own answer."""
        self._is_last = False
        """The connection ends with this request: no further one is parsed."""
        self._running_cycle: RequestResponseCycle | None = None
        """The request that the application is answering; uvicorn's `cycle` is the latest request."""
        self._is_lingering = False

    # Called by the transport

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.flow = DoorFlowControl(transport)
        if hasattr(socket, "TCP_USER_TIMEOUT"):  # Linux
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, MAX_UNACKNOWLEDGED_SECONDS * 1000)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        if self._running_cycle is not None:
            _disconnect(self._running_cycle)
        if self._held is not None:
            self._held.on_lost()
        super().connection_lost(exc)
        self._let_go()

    def data_received(self, data: bytes) -> None:
        if self._is_lingering:
            return
        self._unset_keepalive_if_required()
        if self._timer is None and self._parses_more:
            self._start_timer()
        self._unparsed += data
        self._parse()

    # Parsing

    def _parse(self) -> None:
        data, done = memoryview(self._unparsed), 0
        while done < len(data) and self._parses_more:
            done += self._feed(data[done : done + SLICE_BYTES])
        self._unparsed = b"" if self._is_lingering else bytes(data[done:])
        if self._is_upgrading:
            self._upgrade_in_turn()
        if self._unparsed and not self.transport.is_closing():
            self.flow.hold()

    @property
    def _parses_more(self) -> bool:
        return not (self.pipeline or self._is_upgrading or self._is_last)

    def _feed(self, piece: memoryview) -> int:
        """Return how many bytes the parser took."""
        self._request_bytes += len(piece)
        self._framing_bytes += len(piece)
        try:
            self.parser.feed_data(piece)
        except httptools.HttpParserUpgrade as upgrade:
            self._is_upgrading = self._should_upgrade()  # False for another protocol: an ordinary request
            return int(upgrade.args[0])
        except httptools.HttpParserError:
            self._refuse(request_head.MALFORMED)
        if self._framing_bytes > MAX_HEAD_BYTES:
            self._refuse(request_head.LONG_HEAD)
        elif self._request_bytes > self._max_bytes:
            self._refuse(request_head.TOO_LARGE)
        return len(piece)

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._start_timer()

    def on_header(self, name: bytes, value: bytes) -> None:
        if self._in_head:  # trailers are dropped
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        refused = self._objection()
        if refused is not None:
            self._refuse(refused)
            raise ValueError  # stops the parser
        super().on_headers_complete()
        self._in_head = False
        self._framing_bytes = 0
        path = request_head.normalised(self.url).partition(b"?")[0]
        self._max_bytes = max(self.uploads.get(path, 0), MAX_REQUEST_BYTES)
        self._start_timer()

    def on_body(self, body: bytes) -> None:
        self._framing_bytes = 0
        if self._max_bytes > MAX_REQUEST_BYTES:
            self._start_timer()  # an upload's time is counted from its last piece
        super().on_body(body)

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._in_head = True
        self._request_bytes = self._framing_bytes = 0
        self._stop_timer()
        self._is_last = self.cycle is not None and not self.cycle.keep_alive

    def _objection(self) -> HttpRefusal | None:
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
        self._running_cycle = cycle
        super()._start_asgi_task(cycle, app)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self.transport.is_closing():
            return
        if self._timer is not None:  # the next request arrives already, with its own timeout
            self._unset_keepalive_if_required()
        if self._is_upgrading:
            self._upgrade_in_turn()
        elif self._unparsed and self._parses_more:
            self.flow.release()
            self.data_received(b"")

    def _refuse(self, refused: HttpRefusal) -> None:
        """Answer the bad request after the requests before it, and close the connection."""
        self._stop_timer()
        if self._is_lingering or self.transport.is_closing():
            return
        self._is_last = True
        cycle = self.cycle
        if not self._in_head and self.pipeline:
            self.pipeline[0] = (cycle, cast(Any, refused))  # Starlette and uvicorn type ASGI differently
        elif not self._in_head:
            _disconnect(cycle)
            self._linger(b"" if cycle.response_started else refused.answer())
        elif cycle is not None and not cycle.response_complete:
            cycle.keep_alive = False  # the answer to the last good request ends the connection
        else:
            self._linger(refused.answer())

    def _linger(self, answer: bytes) -> None:
        """Send the last bytes, and close after LINGER_SECONDS."""
        self._is_lingering = True
        self._unset_keepalive_if_required()
        self.flow.release()
        self.transport.write(answer)
        self.transport.write_eof()
        self._timer = self.loop.call_later(LINGER_SECONDS, self.transport.close)

    # Upgrades

    def _upgrade_in_turn(self) -> None:
        """Answer an upgrade, or have it answered, unless an earlier request still waits for its answer."""
        if self._held is not None or (self.cycle is not None and not self.cycle.response_complete):
            return
        self._unset_keepalive_if_required()
        target = request_head.normalised(self.url)
        path, method, version = target.partition(b"?")[0], self.scope["method"], self.scope["http_version"]
        paths = {*self.sockets, *self.holders}
        refused = request_head.upgrade_objection(method, target, version, self.headers, paths)
        if refused is not None:
            self._is_upgrading = False
            self._refuse(refused)
        elif path in self.sockets:
            self._accept(self.sockets[path](self._client_bucket()), {})
        else:
            self._held = Upgrade(target, list(self.headers), self._client_bucket(), self._accept, self._refuse_held)
            self.holders[path](self._held)

    def _refuse_held(self, refused: HttpRefusal) -> None:
        self._held = None
        self._is_upgrading = False
        self._refuse(refused)

    def _accept(self, listener: ServerSocket, headers: Mapping[str, str]) -> None:
        """Answer 101, and hand the connection and what was read of it to picows."""
        if self.transport.is_closing():
            return
        self._held = None
        self._is_upgrading = False
        self.connections.discard(self)
        self.flow.release()
        protocol = WSProtocol(
            None, None, False, lambda _: _welcome(listener, headers), _picows_log, True,
            None, False, 20, 20, WSAutoPingStrategy.PING_WHEN_IDLE, False, listener.max_frame, None, READ_BUFFER_BYTES,
        )  # fmt: skip
        protocol.connection_made(self.transport)
        self.transport.set_protocol(NO_PROTOCOL)  # lets go of self: uvloop keeps the last unbuffered protocol
        self.transport.set_protocol(protocol)
        _feed(protocol, HANDSHAKE % dict(self.headers)[b"sec-websocket-key"] + self._unparsed)
        self._unparsed = b""
        self._let_go()

    def _let_go(self) -> None:
        """Break the cycle with the parser, which would keep both until the garbage collector comes."""
        self.parser = None  # type: ignore[assignment]

    def _client_bucket(self) -> str:
        forwarded = b",".join(value for name, value in self.headers if name == b"x-forwarded-for")
        peer = self.client[0] if self.client else ""
        return bucket(client_address(peer, forwarded.decode("latin-1"), self.trusted_proxies))

    def _should_upgrade_to_ws(self) -> bool:
        return True

    # Timeouts

    def _start_timer(self) -> None:
        self._stop_timer()
        self._timer = self.loop.call_later(HEAD_SECONDS if self._in_head else BODY_SECONDS, self._handle_timeout)

    def _handle_timeout(self) -> None:
        if self.flow.read_paused:  # the client cannot send: restart its timeout
            self._start_timer()
        else:
            self._refuse(request_head.TOO_LATE)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def door(
    sockets: Sockets,
    trusted_proxies: Sequence[Network] = (),
    holders: Holders | None = None,
    uploads: Mapping[bytes, int] | None = None,
) -> type[DoorProtocol]:
    """Return the protocol class for uvicorn's `http=`. It upgrades requests for the paths of its arguments only.

    `trusted_proxies`: those whose X-Forwarded-For is believed. `uploads`: bytes of the largest body, by path, where
    more than MAX_REQUEST_BYTES are allowed."""
    values = {
        "sockets": sockets,
        "trusted_proxies": trusted_proxies,
        "holders": holders or {},
        "uploads": uploads or {},
    }
    return type("Door", (DoorProtocol,), values)


def _welcome(listener: ServerSocket, headers: Mapping[str, str]) -> WSUpgradeResponseWithListener:
    listener.request_id = uuid4().hex
    response = WSUpgradeResponse.create_101_response({"X-Request-Id": listener.request_id, **headers})
    return WSUpgradeResponseWithListener(response, listener)


def _disconnect(cycle: RequestResponseCycle) -> None:
    """Tell the application that the client disconnected. Whatever the application still sends is dropped."""
    cycle.disconnected = True
    cycle.message_event.set()


def _feed(protocol: asyncio.BufferedProtocol, data: bytes) -> None:
    while data:
        buffer = memoryview(protocol.get_buffer(len(data)))
        taken = min(len(buffer), len(data))
        buffer[:taken] = data[:taken]
        protocol.buffer_updated(taken)
        data = data[taken:]
