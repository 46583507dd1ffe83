"""The server side of a WebSocket: its time to authenticate, and the rules of RFC 6455 that picows leaves to its
listener."""

import asyncio
import socket
from typing import ClassVar, Final

from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from transcription_proxy.relay.close_frames import send_close
from transcription_proxy.relay.fragments import Fragments, Message, Oversize, Violation
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import endings
from transcription_wire.codes import ErrorCode
from transcription_wire.messages import Error

AUTH_SECONDS: Final = 5.0
"""Seconds that a client may take to send its auth message."""
AUTH_TIMEOUT: Final = endings.usual_error(ErrorCode.AUTH_TIMEOUT)
LINGER_SECONDS: Final = 2.0
"""Seconds to wait for the client's close frame, so that it can read our last messages."""
SEND_BUFFER_BYTES: Final = 64 * 1024
"""The kernel's send buffer for one client. A small one makes a client that does not read noticeable soon."""
RESERVED: Final = "A frame has a reserved bit set, and no extension is in use."
VIOLATIONS: Final = {
    WSCloseCode.PROTOCOL_ERROR: endings.NOT_RFC_6455,
    WSCloseCode.INVALID_TEXT: endings.NOT_RFC_6455,
    WSCloseCode.MESSAGE_TOO_BIG: endings.TOO_BIG,
}
"""The error for each code with which picows closes a socket by itself."""


class ServerSocket(WSListener):
    """One client's socket. Assembles frames into messages, and stops reading from a client that breaks a rule.

    A client that has not authenticated after AUTH_SECONDS is refused; subclasses call `record_auth` in time."""

    max_frame: ClassVar[int]
    """Bytes of a frame. Above this picows closes with 1009 by itself, without an error message."""

    def __init__(self, switchboard: Switchboard, address: str, max_message: int) -> None:
        """`address`: the client's, as it counts against limits."""
        self._switchboard = switchboard
        self._address = address
        self.request_id = ""
        """The id of the upgrade request, as its answer has it."""
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport
        self._fragments = Fragments(max_message)
        self._closing = False
        """A close was sent or received."""
        self._violation_code: int | None = None
        """The close code for the rule that the client broke, None if it broke none."""
        self._stalled = False
        self._timer: asyncio.TimerHandle | None = None

    # For subclasses

    def on_message(self, message: Message) -> None:
        """Handle a whole message."""
        raise NotImplementedError

    def on_pong(self) -> None:
        """Handle a pong."""

    def on_closed(self) -> None:
        """Handle the end of the connection."""

    def on_violation(self, error: Error) -> None:
        """Send `error` to a client that broke a rule, and call `close`, which picks the close code for the rule."""
        self.refuse(error)

    def refuse(self, error: Error) -> None:
        """Send `error` to a client that gets nothing else, and close."""
        raise NotImplementedError

    def shutdown(self) -> None:
        """End what the client was given, or refuse it: the service shuts down."""
        raise NotImplementedError

    def take_frames(self) -> int:
        """Return the audio frames that came since the last call."""
        return 0

    def record_auth(self) -> None:
        """Stop the timer of a client that sent its auth message."""
        self._cancel_timer()
        self._switchboard.unauthenticated.discard(self)

    def send_text(self, text: bytes) -> None:
        """Send a text frame."""
        self._transport.send(WSMsgType.TEXT, text)

    def disconnect(self) -> None:
        """Drop the connection, with everything that was not sent."""
        self._transport.disconnect(False)

    # What picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        transport.request.headers.clear()  # picows keeps both for the connection's life
        transport.response.headers.clear()
        raw = transport.underlying_transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        self._switchboard.sockets.add(self)
        self._begin_auth()

    def _begin_auth(self) -> None:
        """Wait for the client to authenticate."""
        self._timer = self._loop.call_later(AUTH_SECONDS, self.refuse, AUTH_TIMEOUT)
        surplus = self._switchboard.unauthenticated.add(self, self._address)
        if surplus is not None:
            surplus.refuse(endings.CROWDED)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        if frame.msg_type == WSMsgType.CLOSE:
            self._answer_close(frame)
        elif self.is_open:
            try:
                self._take(frame)
            except Oversize:
                self._reject(WSCloseCode.MESSAGE_TOO_BIG.value, endings.TOO_BIG)
            except Violation as violation:
                self._reject(violation.code.value, Error(ErrorCode.BAD_MESSAGE, str(violation)))

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        handshake = transport.close_handshake
        sent, received = (handshake.sent, handshake.recv) if handshake else (None, None)
        echoed = received is not None and sent is not None and received.code == sent.code
        violation = VIOLATIONS.get(sent.code) if sent is not None and not echoed else None
        if violation is not None and not self._closing:  # picows found it, and closed the socket
            self.on_violation(violation)
        self._closing = True
        self._cancel_timer()
        self._switchboard.sockets.discard(self)
        self._switchboard.unauthenticated.discard(self)
        self.on_closed()

    def pause_writing(self) -> None:
        self._stalled = True

    def resume_writing(self) -> None:
        self._stalled = False

    @property
    def is_open(self) -> bool:
        """Whether frames of the client count."""
        return not self._closing and self._violation_code is None

    def close(self, code: int, reason: bytes = b"") -> None:
        """Send a close frame; disconnect when the client answers it, or after LINGER_SECONDS. `code`: 0 for none."""
        if self._closing:
            return
        self._closing = True
        self._cancel_timer()
        send_close(self._transport, self._violation_code or code, b"" if self._violation_code else reason)
        self._transport.underlying_transport.resume_reading()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.disconnect, False)

    def _take(self, frame: WSFrame) -> None:
        if has_reserved_bits(frame):
            raise Violation(WSCloseCode.PROTOCOL_ERROR, RESERVED)
        match frame.msg_type:
            case WSMsgType.PONG:
                self.on_pong()
            case WSMsgType.PING:
                if not self._stalled:  # otherwise pongs pile up; RFC 6455 allows one pong for several pings
                    self._transport.send_pong(frame.get_payload_as_bytes())
            case _:
                message = self._fragments.add(frame)
                if message is not None:
                    self.on_message(message)

    def _reject(self, code: int, error: Error) -> None:
        self._violation_code = code
        self.on_violation(error)

    def _answer_close(self, frame: WSFrame) -> None:
        self._closing = True
        self._transport.send_close(WSCloseCode(self._violation_code or close_answer(frame)))
        self._transport.disconnect()

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def has_reserved_bits(frame: WSFrame) -> bool:
    return bool(frame.rsv1 or frame.rsv2 or frame.rsv3)


def close_answer(frame: WSFrame) -> int:
    """Return the code to answer a close frame: its own, 1000 without one, 1002 for a forbidden one (RFC 6455, 7.4)."""
    if has_reserved_bits(frame):
        return 1002
    if frame.payload_size == 0:
        return 1000
    code = frame.get_close_code().value
    return code if code in (1000, 1001, 1002, 1003, *range(1007, 1015), *range(3000, 5000)) else 1002
