"""The server side of a WebSocket that a session belongs to: passes frames to the session's relay."""

from collections.abc import Callable
from time import monotonic
from typing import Any, Final

from picows import WSFrame, WSMsgType, WSTransport

from transcription_proxy import metrics
from transcription_proxy.relay.fragments import Message
from transcription_proxy.relay.relay import SessionRelay
from transcription_proxy.relay.server_socket import ServerSocket
from transcription_proxy.relay.switchboard import Switchboard
from transcription_proxy.stream import events as ev

BINARY: Final = WSMsgType.BINARY


class SessionSocket(ServerSocket):
    """One client's socket. Audio that the session admits goes to the upstream's socket at once."""

    def __init__(self, switchboard: Switchboard, address: str, max_message: int) -> None:
        super().__init__(switchboard, address, max_message)
        self._max_message = max_message
        self._relay: SessionRelay[Any] | None = None
        self._admit = _admit_nothing
        """The session's `admit`, while the next frame may be a whole audio message."""
        self._record: Callable[[bytes], None] = _record_nothing
        """The session's `record`, where it keeps the audio that it admitted."""
        self._forward: Callable[[WSMsgType, bytes], None] = _forward_nothing
        """The upstream's `send`, for frames that the session admitted."""
        self._frames = 0
        """Audio frames since the last call of `take_frames`."""

    # What picows calls

    def on_ws_frame(self, transport: WSTransport, frame: WSFrame) -> None:
        size = frame.payload_size
        if (
            frame.msg_type == BINARY
            and frame.fin
            and 0 < size <= self._max_message
            and not (frame.rsv1 or frame.rsv2 or frame.rsv3)
            and self._admit(size, monotonic())
        ):
            audio = frame.get_payload_as_bytes()
            self._record(audio)
            self._forward(BINARY, audio)
            self._frames += 1
        else:
            super().on_ws_frame(transport, frame)
            self._choose_admit()

    def pause_writing(self) -> None:
        super().pause_writing()
        self.report(ev.ClientStalled())

    def resume_writing(self) -> None:
        super().resume_writing()
        self.report(ev.ClientRecovered())

    # What the base class calls

    def on_message(self, message: Message) -> None:
        self._frames += not message.is_text
        self.report(ev.ClientSentText(message.data) if message.is_text else ev.AudioArrived(message.data))

    def on_pong(self) -> None:
        self.report(ev.ClientPonged())

    def on_closed(self) -> None:
        metrics.FRAMES.inc(self.take_frames())

    def take_frames(self) -> int:
        taken, self._frames = self._frames, 0
        return taken

    # What the relay calls

    def close(self, code: int, reason: bytes = b"") -> None:
        super().close(code, reason)
        self._choose_admit()

    def ping(self) -> None:
        self._transport.send_ping()

    def set_forward(self, send: Callable[[WSMsgType, bytes], None] | None) -> None:
        self._forward = send or _forward_nothing

    def pause(self) -> None:
        self._transport.underlying_transport.pause_reading()

    def resume(self) -> None:
        self._transport.underlying_transport.resume_reading()

    # For subclasses

    def report(self, event: ev.Event) -> None:
        """Report an event to the session, if there is one."""
        if self._relay is not None:
            self._relay.handle_event(event)

    def _choose_admit(self) -> None:
        if self._relay is not None and self.is_open and not self._fragments.unfinished:
            self._admit = self._relay.session.admit
        else:
            self._admit = _admit_nothing


def _admit_nothing(nbytes: int, now: float) -> bool:
    return False


def _record_nothing(audio: bytes) -> None:
    pass


def _forward_nothing(kind: WSMsgType, audio: bytes) -> None:
    raise ConnectionError("a frame was admitted without an upstream")
