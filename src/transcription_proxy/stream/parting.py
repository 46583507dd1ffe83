"""The end of one session: why it ends, what it is billed, and what its client hears last."""

from typing import Final
from uuid import UUID

from transcription_proxy.metering.meter import Meter
from transcription_proxy.stream import endings
from transcription_proxy.stream import events as ev
from transcription_proxy.stream.audience import Audience
from transcription_proxy.stream.bill import Bill, reckon
from transcription_proxy.stream.hearing import Hearing
from transcription_proxy.stream.options import Options
from transcription_proxy.values import Closing
from transcription_wire import messages as wire
from transcription_wire.codes import CLOSE_CODES, REASON_CLOSE_CODES, Reason

ANSWER_SECONDS: Final = 5.0
"""How long the answer to CloseStream is awaited, from CloseStream or from the last Results before it."""
LAST_WORDS_SECONDS: Final = 30.0
"""How long it is awaited from an upstream that goes on sending Results: as long as a replay."""
COMMIT_SECONDS: Final = 10.0
"""How long the client waits for the ledger; then it hears what will be booked (money 23)."""


class Parting:
    """Adds what is to be done at the end to `actions`."""

    def __init__(self, actions: list[ev.Action], session_id: UUID, options: Options, client: Audience) -> None:
        self._actions = actions
        self._id = session_id
        self._options = options
        self._client = client
        self.began = False
        """It became ready: so it is billed, and has a `session_end` (money 6)."""
        self.reason = Reason.INTERNAL
        self._close_code = REASON_CLOSE_CODES[self.reason]
        self._bill = Bill(0, 0)
        self._words_latest = 0.0
        self.answer_at = 0.0
        """When the answer to CloseStream is no longer awaited."""
        self.commit_at = 0.0
        """When the client no longer waits for the ledger."""

    def explain(self, reason: Reason, error: endings.ErrorSaid | None = None) -> None:
        """Notes the reason, and says the error that goes with it."""
        error = error or endings.ERRORS.get(reason)
        if error is not None:
            self._client.say(wire.Error(*error))
        self.reason = reason
        self._close_code = CLOSE_CODES[error[0]] if error else REASON_CLOSE_CODES[reason]

    def await_answer(self, now: float) -> None:
        """CloseStream was sent: start to wait for the last words and Metadata."""
        self.answer_at = now + ANSWER_SECONDS
        self._words_latest = now + LAST_WORDS_SECONDS

    def await_more(self, now: float) -> None:
        """Results came, and words are owed still: the upstream is late, not dead."""
        self.answer_at = min(now + ANSWER_SECONDS, self._words_latest)

    def waited_enough(self, now: float) -> bool:
        """Whether an upstream that went on sending Results had all the time there is."""
        return now >= self._words_latest

    def book(self, number: int, meter: Meter, hearing: Hearing, now: float) -> None:
        """Compute the bill and have it booked, as statement `number`."""
        self.commit_at = now + COMMIT_SECONDS
        self._bill = reckon(hearing.heard(meter.forwarded), self._options.audio, self._options.micro)
        closing = Closing(
            self._id,
            number,
            self._bill.total,
            self.reason,
            audio_ms=self._bill.audio_ms,
            upstream_ms=hearing.reported_ms,
            request_id=hearing.request_id,
            ready=self.began,
        )
        self._actions.append(ev.Close(closing))

    def booked(self, seconds_used: int, reason: Reason) -> None:
        """The ledger has closed it, with these figures."""
        self._tell(wire.SessionEnd(seconds_used, self._audio_seconds, reason))

    def pending(self) -> None:
        """The ledger takes long: the client is told what will be booked."""
        self._tell(wire.SessionEnd(self._bill.total, self._audio_seconds, self.reason, pending=True))

    def _tell(self, end: wire.SessionEnd) -> None:
        """The last message, and the close, once. A session that never became ready has no `session_end`."""
        if self.began:
            self._client.say(end)
        self._client.dismiss(self._close_code)

    @property
    def _audio_seconds(self) -> float:
        return (self._bill.audio_ms + 50) // 100 / 10  # halves up, as the ledger has it
