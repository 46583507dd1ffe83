"""The client of one session: the messages for it, and whether it is connected, reads, and is being read from."""

from typing import Final

from transcription_proxy.stream import captions
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.heartbeat import Heartbeat, Verdict
from transcription_wire import messages as wire
from transcription_wire.codes import ErrorCode

MAX_STALL_SECONDS: Final = 10.0
"""Seconds that a client may leave our messages unread before its session ends as `too_slow`."""
INTERNAL_CLOSE: Final = 1011


class SessionClient:
    """Appends client actions to the session's list. A client that is gone or closed gets no more messages."""

    def __init__(self, actions: list[ev.Action], remaining: int, now: float) -> None:
        """`remaining`: credits that the user has left."""
        self._actions = actions
        self._remaining = remaining
        self._low_marks = captions.LowCreditMarks()
        self._bad_messages = 0
        self._stalled_at: float | None = None
        self.heartbeat = Heartbeat(now)
        self.is_gone = False
        """The socket is closed, or the client stopped answering pings."""
        self.has_stopped = False
        """The client sent `stop`. Whatever it sends afterwards is ignored."""
        self.is_closed = False
        """The session closed the socket, or would have, had the client not been gone."""
        self.is_paused = False
        """The relay does not read from the client."""

    def send(self, message: wire.ServerMessage) -> None:
        """Send a message. Interim words are dropped while the client does not read."""
        if not (self.is_gone or self.is_closed or (self._stalled_at is not None and _is_interim(message))):
            self._actions.append(ev.SendClient(message))

    def send_ready(self, session_id: str) -> None:
        """Send `ready`, and `credits_low` where little is left already."""
        self.send(wire.Ready(session_id, self._remaining))
        self.record_balance(self._remaining)

    def record_balance(self, seconds: int) -> None:
        """Record what the user has left, in credits. Send `credits_low` if it fell through a mark."""
        self._remaining = seconds
        if self._low_marks.record(seconds):
            self.send(wire.CreditsLow(seconds))

    def answer_bad_message(self, what: str) -> bool:
        """Answer a message that the protocol does not have. Return False for the one that exceeds the limit."""
        self._bad_messages += 1
        if self._bad_messages >= captions.MAX_BAD_MESSAGES:
            return False
        self.send(wire.Error(ErrorCode.BAD_MESSAGE, what))
        return True

    def set_paused(self, paused: bool) -> None:
        """Stop or resume reading from the client."""
        if paused is not self.is_paused:
            self.is_paused = paused
            self._actions.append(ev.PauseClient() if paused else ev.ResumeClient())

    def record_stall(self, since: float | None) -> None:
        """Record since when the client has not read our messages; None: it reads again."""
        self._stalled_at = since

    @property
    def too_slow_at(self) -> float | None:
        """When a client that does not read has used up MAX_STALL_SECONDS."""
        return None if self._stalled_at is None else self._stalled_at + MAX_STALL_SECONDS

    def check_heartbeat(self, last_audio: float, now: float) -> bool:
        """Ping a quiet client, and close one that did not answer. Return whether the client is still there.

        `last_audio`: when the client last sent audio that was admitted. Frames are not recorded one by one."""
        self.heartbeat.record_traffic(last_audio)
        if self.is_paused:  # its pongs lie unread in the kernel
            self.heartbeat.record_traffic(now)
        match self.heartbeat.check(now):
            case Verdict.PING:
                self._actions.append(ev.PingClient())
            case Verdict.DEAD:
                self._actions.append(ev.CloseClient(INTERNAL_CLOSE))
                self.is_gone = True
        return not self.is_gone

    def close(self, code: int, reason: bytes = b"") -> None:
        """Close the socket, once."""
        if not self.is_gone and not self.is_closed:
            self._actions.append(ev.CloseClient(code, reason))
        self.is_closed = True


def _is_interim(message: wire.ServerMessage) -> bool:
    return isinstance(message, wire.Transcript) and not message.is_final
