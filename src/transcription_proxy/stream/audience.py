"""The client of one session: what it is told, whether it reads and is there, and whether we read from it."""

from typing import Final

from transcription_proxy.stream import captions
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.heartbeat import Heartbeat, Verdict
from transcription_wire import messages as wire
from transcription_wire.codes import ErrorCode

STALLED_WITHIN: Final = 10.0
"""How long a client may not read."""


class Audience:
    """Adds what is to be done about the client to `actions`. Nothing is said to one that is gone or dismissed."""

    def __init__(self, actions: list[ev.Action], remaining: int, now: float) -> None:
        self._actions = actions
        self._remaining = remaining
        self._low = captions.LowMark()
        self._bad_messages = 0
        self._stalled_at: float | None = None
        self.pulse = Heartbeat(now)
        self.gone = False
        self.stopped = False
        """It said `stop`: what it sends after that does not count."""
        self.dismissed = False
        self.paused = False

    def say(self, message: wire.ServerMessage) -> None:
        self.pass_on(wire.encode(message))

    def pass_on(self, text: bytes, optional: bool = False) -> None:
        if not self.gone and not self.dismissed:
            self._actions.append(ev.SendClient(text, optional))

    def welcome(self, session_id: str) -> None:
        """The session is ready."""
        self.say(wire.Ready(session_id, self._remaining))
        self.remaining(self._remaining)

    def remaining(self, seconds: int) -> None:
        """What is left; it is told when it falls through a mark."""
        self._remaining = seconds
        if self._low.passed(seconds):
            self.say(wire.CreditsLow(seconds))

    def correct(self, what: str) -> bool:
        """Answers a message that is none of the protocol. False: that was one too many."""
        self._bad_messages += 1
        if self._bad_messages >= captions.MAX_BAD_MESSAGES:
            return False
        self.say(wire.Error(ErrorCode.BAD_MESSAGE, what))
        return True

    def hold(self, hold: bool) -> None:
        """Stops or resumes reading from it."""
        if hold is not self.paused:
            self.paused = hold
            self._actions.append(ev.PauseClient() if hold else ev.ResumeClient())

    def stalled(self, since: float | None) -> None:
        """It does not read, since then; or it does again."""
        self._stalled_at = since

    @property
    def too_slow_at(self) -> float | None:
        """When it has not read for too long."""
        return None if self._stalled_at is None else self._stalled_at + STALLED_WITHIN

    def check(self, now: float) -> bool:
        """Pings it when it is quiet. False: it is gone without a word."""
        if self.paused:  # its answers wait unread
            self.pulse.heard(now)
        match self.pulse.check(now):
            case Verdict.PING:
                self._actions.append(ev.PingClient())
            case Verdict.DEAD:
                self._actions.append(ev.CloseClient(1011))
                self.gone = True
        return not self.gone

    def dismiss(self, code: int) -> None:
        """Closes it, once."""
        if not self.gone and not self.dismissed:
            self._actions.append(ev.CloseClient(code))
        self.dismissed = True
