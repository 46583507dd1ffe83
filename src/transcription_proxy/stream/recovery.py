"""What becomes of a session whose upstream refuses, is lost, or leaves CloseStream unanswered."""

from enum import Enum, auto
from typing import Final

from transcription_proxy.stream.audience import Audience
from transcription_proxy.stream.parting import Parting
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.uplink import Uplink
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

NORMAL_CLOSE: Final = 1000
POLICY_CLOSE: Final = 1008
"""An upstream that closes with this would refuse the same audio again."""
TOO_MANY_REQUESTS: Final = 429


class Step(Enum):
    """How a session goes on without its upstream."""

    SEEK = auto()
    """Another upstream is dialled, and hears what was not final."""
    FAIL = auto()
    """The session ends because its upstream ended."""
    REFUSED = auto()
    """The session ends with the answer of the upstream to the handshake."""
    STOP = auto()
    """The session ends as its client asked: no words are owed."""
    BOOK = auto()
    """The session was ending already, and is booked now."""


class Recovery:
    """Decides from what the client, the upstream and the end of a session know; keeps nothing of its own."""

    def __init__(self, client: Audience, upstream: Uplink, parting: Parting) -> None:
        self._client = client
        self._upstream = upstream
        self._parting = parting

    def refused(self, phase: Phase, status: int | None, now: float) -> Step:
        """The upstream was not reached (no status), or refused the handshake."""
        self._upstream.lost()
        may_pass = status is None or status == TOO_MANY_REQUESTS or status >= 500
        return self._try_again(now) if phase is Phase.REDIALLING and may_pass else Step.REFUSED

    def lost(self, phase: Phase, code: int | None, now: float) -> Step:
        """The upstream closed with this code, or is dead."""
        self._upstream.lost()
        if phase is Phase.FINISHING:
            believed = code in (NORMAL_CLOSE, POLICY_CLOSE)
            return Step.BOOK if believed or not self._owes_last_words else self._seek_last_words(now)
        return self._seek(now) if phase in RUNNING and code != POLICY_CLOSE else Step.FAIL

    def unanswered(self, now: float) -> Step:
        """CloseStream was not answered in time: an upstream that still owes words is lost (money 7)."""
        self._upstream.hang_up()
        if not self._owes_last_words:
            return Step.BOOK
        return Step.FAIL if self._parting.waited_enough(now) else self._seek_last_words(now)

    @property
    def is_needless(self) -> bool:
        """Whether another upstream would find nothing: the client said `stop`, and all is final."""
        return self._client.stopped and not self._upstream.owes_words

    def say_reconnecting(self, _now: float) -> None:
        self._upstream.redial.told()
        self._client.say(wire.UpstreamStatus("reconnecting"))

    def say_connected(self, _now: float) -> None:
        if self._upstream.redial.over():
            self._client.say(wire.UpstreamStatus("connected"))

    @property
    def _owes_last_words(self) -> bool:
        """Whether a client that said `stop` waits for words that another upstream may find."""
        stopped = self._parting.reason is Reason.CLIENT_STOP and not self._client.gone
        return stopped and self._upstream.owes_words

    def _seek_last_words(self, now: float) -> Step:
        if not self._upstream.again():
            return Step.FAIL
        self._upstream.tape.mark(wire.Stop())
        return self._seek(now)

    def _seek(self, now: float) -> Step:
        self._upstream.tape.rewind()
        return self._try_again(now)

    def _try_again(self, now: float) -> Step:
        if self.is_needless:
            return Step.STOP
        return Step.SEEK if self._upstream.unreached(now) else Step.FAIL
