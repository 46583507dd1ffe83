"""The teardown of one session: the reason it ends, its final bill, and the last messages for its client."""

from typing import Final

from transcription_proxy.metering.audio import AudioFormat
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.bill import Bill, compute_bill
from transcription_proxy.stream.client import SessionClient
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.options import Options
from transcription_proxy.stream.upstream_progress import UpstreamProgress
from transcription_proxy.values import Closing, Opened
from transcription_wire import messages as wire
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, ErrorCode, Reason

ANSWER_SECONDS: Final = 5.0
"""Seconds to wait for the answer to CloseStream, from CloseStream or from the last Results after it."""
LAST_WORDS_SECONDS: Final = 30.0
"""Seconds to wait in all for an upstream that keeps sending Results: as long as a replay may be."""
COMMIT_SECONDS: Final = 10.0
"""Seconds until a client that waits for the ledger gets `session_end` with `"pending": true` (money 23)."""


def final_statement(
    opened: Opened, reason: Reason, audio: AudioFormat, credit: SessionCredit, progress: UpstreamProgress, ready: bool
) -> Closing:
    """Return a session's bill, and what is kept beside it, for the ledger to close the session with."""
    bill = compute_bill(progress.audio_usage(credit.forwarded), audio, credit.tariff)
    return Closing(
        opened.session_id,
        opened.user_id,
        credit.number + 1,
        bill.total,
        reason,
        audio_ms=bill.audio_ms,
        sent_ms=audio.milliseconds(credit.forwarded),
        upstream_ms=progress.reported_ms,
        request_id=progress.request_id,
        ready=ready,
        connections=progress.ended,
    )


class Teardown:
    """Appends the actions that end a session to the session's list."""

    def __init__(self, actions: list[ev.Action], opened: Opened, options: Options, client: SessionClient) -> None:
        self._actions = actions
        self._opened = opened
        self._options = options
        self._client = client
        self.became_ready = False
        """The client got `ready`. Only such a session is billed and has a `session_end` (money 6)."""
        self.reason = Reason.INTERNAL
        self._close_code = REASON_CLOSE_CODES[self.reason]
        self._bill = Bill(0, 0)
        self._latest_answer_at = 0.0
        self.answer_at = 0.0
        """When to stop waiting for the answer to CloseStream."""
        self.commit_at = 0.0
        """When to send `session_end` although the ledger has not committed the close."""

    def set_reason(self, reason: Reason, error: wire.Error | None = None) -> None:
        """Record the reason and send its error. `error` replaces the error that belongs to the reason."""
        error = error or endings.ERRORS.get(reason)
        if error is not None:
            self._client.send(error)
        self.reason = reason
        self._close_code = CLOSE_CODES[ErrorCode(error.code)] if error else REASON_CLOSE_CODES[reason]

    def start_answer_timeout(self, now: float) -> None:
        """Start waiting for the last words and Metadata: CloseStream was sent."""
        self.answer_at = now + ANSWER_SECONDS
        self._latest_answer_at = now + LAST_WORDS_SECONDS

    def extend_answer_timeout(self, now: float) -> None:
        """Wait longer for an upstream that sent Results and owes more: it is slow, not dead."""
        self.answer_at = min(now + ANSWER_SECONDS, self._latest_answer_at)

    def is_wait_exhausted(self, now: float) -> bool:
        """Return whether LAST_WORDS_SECONDS have passed."""
        return now >= self._latest_answer_at

    def request_close(self, credit: SessionCredit, progress: UpstreamProgress, now: float) -> None:
        """Compute the bill and have the ledger close the session with it."""
        self.commit_at = now + COMMIT_SECONDS
        closing = final_statement(self._opened, self.reason, self._options.audio, credit, progress, self.became_ready)
        self._bill = Bill(closing.total, closing.audio_ms)
        self._actions.append(ev.Close(closing))

    def complete(self, seconds_used: int, reason: Reason) -> None:
        """Send `session_end` with the figures that the ledger committed, and close the client."""
        self._send_end(wire.SessionEnd(seconds_used, self._audio_seconds, reason))

    def send_pending(self) -> None:
        """Send `session_end` with what will be billed, and close the client: the ledger takes too long."""
        self._send_end(wire.SessionEnd(self._bill.total, self._audio_seconds, self.reason, pending=True))

    def _send_end(self, end: wire.SessionEnd) -> None:
        if self.became_ready:
            self._client.send(end)
        self._client.close(self._close_code)

    @property
    def _audio_seconds(self) -> float:
        return (self._bill.audio_ms + 50) // 100 / 10  # halves up, as the ledger has it
