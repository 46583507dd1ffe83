"""What a session does when its upstream refuses, is lost, or leaves CloseStream unanswered."""

from enum import Enum, auto
from typing import Final

from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.phase import RUNNING, Phase
from transcription_proxy.stream.teardown import Teardown
from transcription_proxy.stream.uplink import Uplink
from transcription_wire import messages as wire
from transcription_wire.codes import Reason

NORMAL_CLOSE: Final = 1000
POLICY_CLOSE: Final = 1008
"""An upstream that closes with this code would refuse the same audio again."""
TOO_MANY_REQUESTS: Final = 429


class Step(Enum):
    """What a session does next without its upstream."""

    REDIAL = auto()
    """Dial another upstream, and send it the audio that is not final."""
    FAIL = auto()
    """End with `upstream_closed`."""
    REFUSED = auto()
    """End with the error that stands for the upstream's answer to the handshake."""
    STOP = auto()
    """End as the client asked: all its words are final."""
    CLOSE = auto()
    """Have the ledger close the session: it was ending already."""


class Recovery:
    """Chooses the step from the state of the client, the upstream and the teardown; has no state of its own."""

    def __init__(self, client: SessionClient, upstream: Uplink, teardown: Teardown) -> None:
        self._client = client
        self._upstream = upstream
        self._teardown = teardown

    def handle_refusal(self, phase: Phase, status: int | None, now: float) -> Step:
        """Record that the upstream refused the handshake, or was not reached (`status` None). Return what to do."""
        self._upstream.record_loss(now)
        may_pass = status is None or status == TOO_MANY_REQUESTS or status >= 500
        return self._try_again(now) if phase is Phase.REDIALLING and may_pass else Step.REFUSED

    def handle_loss(self, phase: Phase, code: int | None, now: float) -> Step:
        """Record that the upstream closed with `code`, or is dead (`code` None). Return what to do."""
        self._upstream.record_loss(now)
        if phase is Phase.FINISHING:
            is_answer = code in (NORMAL_CLOSE, POLICY_CLOSE)
            return Step.CLOSE if is_answer or not self._owes_last_words else self._redial_for_last_words(now)
        return self._redial(now) if phase in RUNNING and code != POLICY_CLOSE else Step.FAIL

    def handle_no_answer(self, now: float) -> Step:
        """Close an upstream that did not answer CloseStream in time. Return what to do: an upstream that still owes
        words counts as lost (money 7)."""
        self._upstream.close(now)
        if not self._owes_last_words:
            return Step.CLOSE
        return Step.FAIL if self._teardown.is_wait_exhausted(now) else self._redial_for_last_words(now)

    @property
    def needs_no_upstream(self) -> bool:
        """Whether another upstream would find nothing: the client sent `stop`, and all its audio is final."""
        return self._client.has_stopped and not self._upstream.owes_words

    def notify_reconnecting(self, _now: float) -> None:
        """Tell the client that the upstream is being redialled."""
        self._upstream.redial.record_notice()
        self._client.send(wire.UpstreamStatus("reconnecting"))

    def notify_connected(self, _now: float) -> None:
        """End the loss, and tell the client if it knows of the loss."""
        if self._upstream.redial.end_loss():
            self._client.send(wire.UpstreamStatus("connected"))

    @property
    def _owes_last_words(self) -> bool:
        """Whether a client that sent `stop` waits for words that another upstream may find."""
        stopped = self._teardown.reason is Reason.CLIENT_STOP and not self._client.is_gone
        return stopped and self._upstream.owes_words

    def _redial_for_last_words(self, now: float) -> Step:
        if not self._upstream.may_retry_last_words():
            return Step.FAIL
        self._upstream.buffer.add_request(wire.Stop())
        return self._redial(now)

    def _redial(self, now: float) -> Step:
        self._upstream.buffer.rewind()
        return self._try_again(now)

    def _try_again(self, now: float) -> Step:
        if self.needs_no_upstream:
            return Step.STOP
        return Step.REDIAL if self._upstream.plan_redial(now) else Step.FAIL
