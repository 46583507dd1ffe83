"""The client's side of `/ws/transcribe`: the first message, then frames for its relay."""

import asyncio
import socket
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog
from picows import WSCloseCode, WSFrame, WSListener, WSMsgType, WSTransport

from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay.fragments import Fragments, Message, Oversize
from transcription_proxy.relay.relay import Relay
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import captions, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.options import InvalidConfig
from transcription_wire.codes import CLOSE_CODES, ErrorCode
from transcription_wire.messages import Auth, Error, encode

AUTH_SECONDS: Final = 5.0
LINGER_SECONDS: Final = 2.0
"""How long the client's own close is awaited, so that it can read our last words."""
MAX_MESSAGE: Final = 1 << 20
SEND_BUFFER: Final = 64 * 1024
"""The kernel's, for one client: one that does not read is noticed soon, and costs no more."""
AUTH_FIRST: Final = "send the auth message first"
UNAVAILABLE: Final = (ErrorCode.SERVICE_UNAVAILABLE, "The service cannot reach its accounts: try again in a moment.")
CROWDED: Final = (ErrorCode.SERVICE_UNAVAILABLE, "Too many are connecting at once: try again in a moment.")
LATE: Final = (ErrorCode.AUTH_TIMEOUT, "The auth message did not come within 5 seconds.")
FAILED: Final = (ErrorCode.INTERNAL, "Something failed on our side: connect again.")

BINARY: Final = WSMsgType.BINARY
log = structlog.get_logger()


class CaptionSocket(WSListener):
    """One client. Before it is authenticated this answers it; afterwards its relay does."""

    def __init__(self, switchboard: Switchboard) -> None:
        self._switchboard = switchboard
        self._loop = asyncio.get_running_loop()
        self._transport: WSTransport
        self._fragments = Fragments(MAX_MESSAGE)
        self._relay: Relay | None = None
        self._admit = _admit_nothing
        self._record: Callable[[memoryview], None]
        self._forward: Callable[[WSMsgType, memoryview], None]
        """The upstream's `send`, to be used for what was admitted."""
        self._opening: asyncio.Task[None] | None = None
        self._early: list[ev.Event] = []
        self._bad_messages = 0
        self._closing = False
        self._stalled = False
        self._timer: asyncio.TimerHandle | None = None

    # What picows calls

    def on_ws_connected(self, transport: WSTransport) -> None:
        self._transport = transport
        raw = transport.underlying_transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, SEND_BUFFER)
        self._switchboard.sockets.add(self)
        self._switchboard.greetings.add(self)
        if self._switchboard.full:
            self._refuse(CROWDED)
        else:
            self._timer = self._loop.call_later(AUTH_SECONDS, self._refuse, LATE)

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        size = frame.payload_size
        if frame.msg_type == BINARY and frame.fin and 0 < size <= MAX_MESSAGE and self._admit(size, monotonic()):
            audio = frame.get_payload_as_memoryview()
            self._record(audio)
            self._forward(BINARY, audio)
        else:
            self._other_frame(transport, frame)

    def on_ws_disconnected(self, transport: WSTransport) -> None:
        self._closing = True
        self._cancel_timer()
        self._switchboard.sockets.discard(self)
        self._switchboard.greetings.discard(self)
        handshake = transport.close_handshake
        too_big = (
            handshake is not None and handshake.sent is not None and handshake.sent.code == WSCloseCode.MESSAGE_TOO_BIG
        )
        if too_big:  # picows found it before we could
            self._tell(ev.ClientOversent())
        self._tell(ev.ClientLost())

    def pause_writing(self) -> None:
        self._stalled = True
        self._tell(ev.ClientStalled())

    def resume_writing(self) -> None:
        self._stalled = False
        self._tell(ev.ClientRecovered())

    # What the relay calls

    def send(self, text: bytes, optional: bool) -> None:
        if not (optional and self._stalled):
            self._transport.send(WSMsgType.TEXT, text)

    def close(self, code: int) -> None:
        """Sends the close, and ends the connection when the client answers it or LINGER_SECONDS have passed."""
        if self._closing:
            return
        self._closing = True
        self._admit = _admit_nothing
        self._cancel_timer()
        self._transport.send_close(WSCloseCode(code))
        self._transport.underlying_transport.resume_reading()
        self._timer = self._loop.call_later(LINGER_SECONDS, self._transport.disconnect, False)

    def ping(self) -> None:
        self._transport.send_ping()

    def connect(self, send: Callable[[WSMsgType, memoryview], None]) -> None:
        self._forward = send

    def pause(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        self._transport.underlying_transport.resume_reading()

    # What the switchboard calls

    def shutdown(self) -> None:
        """The service goes down."""
        if self._relay is None and self._opening is None:
            self._refuse(endings.DRAINING)
        else:
            self._tell(ev.Drained())

    def _other_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        match frame.msg_type:
            case WSMsgType.CLOSE:
                transport.send_close(WSCloseCode(frame.get_close_code() or 1000))
                transport.disconnect()
            case WSMsgType.PONG:
                self._tell(ev.ClientPonged())
            case WSMsgType.PING:
                pass
            case _ if not self._closing:
                self._data(frame)

    def _data(self, frame: WSFrame) -> None:
        try:
            message = self._fragments.add(frame)
        except Oversize:
            if self._relay is None and self._opening is None:
                self._refuse(endings.TOO_BIG)
            else:
                self._tell(ev.ClientOversent())
            return
        if message is None:
            return
        if self._relay is None and self._opening is None:
            self._greet(message)
        else:
            self._tell(ev.ClientSpoke(message.data) if message.is_text else ev.AudioArrived(message.data))

    def _tell(self, event: ev.Event) -> None:
        if self._relay is not None:
            self._relay.happen(event)
        elif self._opening is not None:
            self._early.append(event)

    # Before the session

    def _greet(self, message: Message) -> None:
        try:
            auth = captions.parse(message.data) if message.is_text else None
        except captions.BadMessage as error:
            self._bad_message(str(error))
            return
        if not isinstance(auth, Auth):
            self._bad_message(AUTH_FIRST)
            return
        if self._switchboard.draining:
            self._refuse(endings.DRAINING)
            return
        self._cancel_timer()
        self._switchboard.greetings.discard(self)
        self.pause()  # what is on its way already is kept for the session
        self._opening = self._loop.create_task(self._open(auth))

    def _bad_message(self, what: str) -> None:
        self._bad_messages += 1
        if self._bad_messages >= captions.MAX_BAD_MESSAGES:
            self._refuse(endings.TOO_MANY_BAD)
        else:
            self.send(encode(Error(ErrorCode.BAD_MESSAGE, what)), optional=False)

    async def _open(self, auth: Auth) -> None:
        try:
            opened, wanted, user_id = await self._switchboard.open(auth)
            relay = self._switchboard.connect(opened, wanted, user_id, self, monotonic())
        except InvalidConfig as error:
            self._refuse((ErrorCode.INVALID_CONFIG, str(error)))
        except Refusal as refusal:
            self._refuse((ErrorCode(refusal.code), refusal.message))
        except Unavailable:
            self._refuse(UNAVAILABLE)
        except Exception:
            log.exception("open_failed")
            self._refuse(FAILED)
        else:
            self._begin(relay)

    def _begin(self, relay: Relay) -> None:
        self._relay = relay
        self._admit, self._record = relay.session.admit, relay.session.record
        self.resume()
        relay.start()
        early, self._early = self._early, []
        for event in early:
            relay.happen(event)
        if self._switchboard.draining:
            relay.happen(ev.DrainBegan())

    def _refuse(self, error: endings.ErrorSaid) -> None:
        """Says why there is no session, and closes."""
        if not self._closing:
            self.send(encode(Error(*error)), optional=False)
            self.close(CLOSE_CODES[error[0]])

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None


def _admit_nothing(nbytes: int, now: float) -> bool:
    return False
