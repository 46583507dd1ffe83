"""The server side of `/ws/transcribe`: reads the auth message, then passes frames to the session's relay."""

import asyncio
from collections.abc import Callable
from time import monotonic
from typing import Final

import structlog
from picows import WSFrame, WSMsgType, WSTransport

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay.fragments import Message
from transcription_proxy.relay.relay import Relay
from transcription_proxy.relay.server_socket import ServerSocket
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import captions, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.options import InvalidConfig
from transcription_wire.codes import CLOSE_CODES, ErrorCode
from transcription_wire.messages import Auth, Error, ServerMessage, encode

PATH: Final = b"/ws/transcribe"
MAX_MESSAGE_BYTES: Final = 1 << 20
BINARY: Final = WSMsgType.BINARY
log = structlog.get_logger()


class CaptionSocket(ServerSocket):
    """One client's socket. It answers the client until the session is open; then the relay does."""

    max_frame = 4 << 20

    def __init__(self, switchboard: Switchboard) -> None:
        super().__init__(switchboard, MAX_MESSAGE_BYTES)
        self._relay: Relay | None = None
        self._admit = _admit_nothing
        """The session's `admit`, while the next frame may be a whole audio message."""
        self._record: Callable[[bytes], None]
        self._forward: Callable[[WSMsgType, bytes], None] = _forward_nothing
        """The upstream's `send`, for frames that the session admitted."""
        self._opening: asyncio.Task[None] | None = None
        self._early_events: list[ev.Event] = []
        self._bad_messages = 0

    # What picows calls

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        size = frame.payload_size
        if (
            frame.msg_type == BINARY
            and frame.fin
            and 0 < size <= MAX_MESSAGE_BYTES
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
            and self._admit(size, monotonic())
        ):
            audio = frame.get_payload_as_bytes()
            self._record(audio)
            self._forward(BINARY, audio)
        else:
            super().on_ws_frame(transport, frame)
            self._choose_admit()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._report(ev.ClientStalled())

    def resume_writing(self) -> None:
        super().resume_writing()
        self._report(ev.ClientRecovered())

    # What the base class calls

    def on_message(self, message: Message) -> None:
        if self._relay is None and self._opening is None:
            self._authenticate(message)
        else:
            self._report(ev.ClientSentText(message.data) if message.is_text else ev.AudioArrived(message.data))

    def on_pong(self) -> None:
        self._report(ev.ClientPonged())

    def on_closed(self) -> None:
        self._report(ev.ClientLost())

    def on_violation(self, error: Error) -> None:
        if self._relay is None and self._opening is None:
            self.refuse(error)
        else:
            self._report(ev.ClientBrokeProtocol(error))

    def refuse(self, error: Error) -> None:
        if not self._closing:
            self.send(error)
            self.close(CLOSE_CODES[ErrorCode(error.code)])

    # What the relay calls

    def send(self, message: ServerMessage) -> None:
        self._transport.send(WSMsgType.TEXT, encode(message))

    def close(self, code: int) -> None:
        super().close(code)
        self._choose_admit()

    def ping(self) -> None:
        self._transport.send_ping()

    def set_forward(self, send: Callable[[WSMsgType, bytes], None] | None) -> None:
        self._forward = send or _forward_nothing

    def pause(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        self._transport.underlying_transport.resume_reading()

    # What the switchboard calls

    def shutdown(self) -> None:
        """Refuse a client without a session, or end its session: the service shuts down."""
        if self._relay is None and self._opening is None:
            self.refuse(endings.DRAINING)
        else:
            self._report(ev.DrainEnded())

    def _choose_admit(self) -> None:
        if self._relay is not None and self.is_open and not self._fragments.unfinished:
            self._admit = self._relay.session.admit
        else:
            self._admit = _admit_nothing

    def _report(self, event: ev.Event) -> None:
        if self._relay is not None:
            self._relay.handle_event(event)
        elif self._opening is not None:
            self._early_events.append(event)

    # Before the session

    def _authenticate(self, message: Message) -> None:
        try:
            auth = captions.parse(message.data) if message.is_text else None
        except captions.BadMessage as error:
            self._bad_message(str(error))
            return
        if not isinstance(auth, Auth):
            self._bad_message(sentences.AUTH_FIRST)
            return
        if self._switchboard.draining:
            self.refuse(endings.DRAINING)
            return
        self.record_auth()
        self.pause()  # frames that already arrived are kept for the session
        self._opening = self._loop.create_task(self._open(auth))

    def _bad_message(self, what: str) -> None:
        self._bad_messages += 1
        if self._bad_messages >= captions.MAX_BAD_MESSAGES:
            self.refuse(endings.TOO_MANY_BAD)
        else:
            self.send(Error(ErrorCode.BAD_MESSAGE, what))

    async def _open(self, auth: Auth) -> None:
        try:
            opened, wanted, user_id = await self._switchboard.open(auth)
            relay = self._switchboard.add_relay(opened, wanted, user_id, self, monotonic())
        except InvalidConfig as error:
            self.refuse(Error(ErrorCode.INVALID_CONFIG, str(error)))
        except Refusal as refusal:
            self.refuse(Error(refusal.code, refusal.message))
        except Unavailable:
            self.refuse(endings.UNAVAILABLE)
        except Exception:
            log.exception("open_failed")
            self.refuse(endings.FAILED)
        else:
            self._begin(relay)

    def _begin(self, relay: Relay) -> None:
        self._relay = relay
        self._record = relay.session.record
        self._choose_admit()
        self.resume()
        relay.start()
        early, self._early_events = self._early_events, []
        for event in early:
            relay.handle_event(event)
        if self._switchboard.draining:
            relay.handle_event(ev.DrainBegan())


def _admit_nothing(nbytes: int, now: float) -> bool:
    return False


def _forward_nothing(kind: WSMsgType, audio: bytes) -> None:
    raise ConnectionError("a frame was admitted without an upstream")
