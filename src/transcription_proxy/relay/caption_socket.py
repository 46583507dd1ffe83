"""The server side of `/ws/transcribe`: reads the auth message, then passes frames to the session's relay."""

import asyncio
from time import monotonic
from typing import Final

import structlog
from picows import WSMsgType

from transcription_proxy import sentences
from transcription_proxy.errors import Refusal, Unavailable
from transcription_proxy.relay.fragments import Message
from transcription_proxy.relay.relay import Relay
from transcription_proxy.relay.session_socket import SessionSocket
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import captions, endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.options import InvalidConfig
from transcription_wire.codes import CLOSE_CODES, ErrorCode
from transcription_wire.messages import Auth, Error, ServerMessage, encode

PATH: Final = b"/ws/transcribe"
MAX_MESSAGE_BYTES: Final = 1 << 20
log = structlog.get_logger()


class CaptionSocket(SessionSocket):
    """One client's socket. It answers the client until the session is open; then the relay does."""

    max_frame = 4 << 20

    def __init__(self, switchboard: Switchboard, address: str) -> None:
        super().__init__(switchboard, address, MAX_MESSAGE_BYTES)
        self._opening: asyncio.Task[None] | None = None
        self._early_events: list[ev.Event] = []
        self._bad_messages = 0

    # What the base class calls

    def on_message(self, message: Message) -> None:
        if self._relay is None and self._opening is None:
            self._authenticate(message)
        else:
            super().on_message(message)

    def on_closed(self) -> None:
        super().on_closed()
        self.report(ev.ClientLost())

    def on_violation(self, error: Error) -> None:
        if self._relay is None and self._opening is None:
            self.refuse(error)
        else:
            self.report(ev.ClientBrokeProtocol(error))

    def refuse(self, error: Error) -> None:
        if not self._closing:
            self.send(error)
            self.close(CLOSE_CODES[ErrorCode(error.code)])

    # What the relay calls

    def send(self, message: ServerMessage) -> None:
        self._transport.send(WSMsgType.TEXT, encode(message))

    # What the switchboard calls

    def shutdown(self) -> None:
        """Refuse a client without a session, or end its session: the service shuts down."""
        if self._relay is None and self._opening is None:
            self.refuse(endings.DRAINING)
        else:
            self.report(ev.DrainEnded())

    def report(self, event: ev.Event) -> None:
        if self._relay is None and self._opening is not None:
            self._early_events.append(event)
        else:
            super().report(event)

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
            log.info("session_opened", session=str(opened.session_id), user=str(user_id), request_id=self.request_id)
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
        self._relay, self._opening = relay, None
        self._record = relay.session.record
        self._choose_admit()
        self.resume()
        relay.start()
        early, self._early_events = self._early_events, []
        for event in early:
            relay.handle_event(event)
        if self._switchboard.draining:
            relay.handle_event(ev.DrainBegan())
