"""The bill of a Deepgram client: its figures, and the credit that it waits for."""

from typing import Final

from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.listen_meter import ListenMeter
from transcription_proxy.stream.listen_request import ListenRequest
from transcription_proxy.stream.teardown import final_statement
from transcription_proxy.stream.upstream_progress import UpstreamProgress
from transcription_proxy.values import Closing, Opened, Settled, Settlement
from transcription_wire.codes import Reason

WAIT_SECONDS: Final = 2.0
"""Seconds that a bill waits for the answer to a settle."""


class ListenBill:
    """Books what a session used, and waits before that while settles extend its grant.

    How long the audio of a container is, the upstream says. When a file was sent faster than real time, all of it has
    gone up by then, and the grant may cover less although the user has more."""

    def __init__(
        self,
        opened: Opened,
        request: ListenRequest,
        credit: SessionCredit,
        meter: ListenMeter,
        progress: UpstreamProgress,
    ) -> None:
        self._opened = opened
        self._request = request
        self._credit = credit
        self._meter = meter
        self._progress = progress
        self.wait_until: float | None = None
        """Until when the bill waits, None if it does not."""
        self.is_refused = False
        """There is no more credit."""
        self._asked = 0
        """The number of the latest settle that asked for credit after the last audio."""

    def begin_settle(self, now: float) -> Settlement | None:
        """Return a settle that asks for credit for what the upstream has heard, None if none is due."""
        if self._credit.is_settling or not self._meter.is_short or self.is_refused:
            return None
        self._credit.record_need(True, now)
        settlement = self._credit.begin_settle(now)
        self._asked = settlement.number
        return settlement

    def must_wait(self, now: float) -> bool:
        """Return whether the bill must wait for an answer."""
        if not self._meter.is_short or self.is_refused:
            return False
        if self.wait_until is None:
            self.wait_until = now + WAIT_SECONDS
        return now < self.wait_until

    def record_answer(self, answer: Settled, now: float) -> None:
        """Record an answer after the last audio. Where the grant has not grown there is no more credit."""
        grant = self._credit.grant
        if not answer.gone:
            self._credit.record_answer(answer)
            self._meter.record_grant(now)
        if answer.gone or (answer.number == self._asked and self._credit.grant <= grant):
            self.is_refused = True
        if self.wait_until is not None:
            self.wait_until = now + WAIT_SECONDS

    def closing(self, reason: Reason, ready: bool, now: float) -> Closing:
        """Return the close that books the bill. `ready`: whether the session began."""
        self._progress.end_connection(self._meter.counted_ms, now)
        return final_statement(self._opened, reason, self._request.audio, self._credit, self._progress, ready)
