"""What the upstream has said of the audio it was sent: enough for the bill, and to notice that it fell silent."""

from typing import Final

from transcription_proxy.stream import deepgram
from transcription_proxy.stream.bill import Heard

WATCHDOG_SECONDS: Final = 15
"""An upstream that hears this much audio in at least this much time and says nothing has stalled."""
LOOK_EVERY: Final = 1.0


class Hearing:
    """One upstream connection, as far as its messages tell. Times are monotonic seconds."""

    def __init__(self) -> None:
        self.request_id: str | None = None
        self.silence_ms = 0
        """Our own silence that it was sent."""
        self.fell_silent = False
        self.reported_ms: int | None = None
        self._spoke = False
        self._results_ms = 0
        self._said_at = 0.0
        self._said_bytes = 0
        self.look_at = 0.0
        """When to look again whether it has stalled."""

    def opened(self, request_id: str | None, now: float) -> None:
        self.request_id = request_id
        self._mark(0, now)

    def said(self, message: deepgram.Message | deepgram.Unknown, forwarded: int, now: float) -> None:
        """Takes in a message; `forwarded`: bytes of audio it had been sent by then."""
        self._mark(forwarded, now)
        match message:
            case deepgram.Metadata():
                self.reported_ms = deepgram.milliseconds(message.duration)
                self.request_id = message.request_id or self.request_id
            case deepgram.Results():
                self._results_ms = max(self._results_ms, message.end_ms - self.silence_ms)
                self._spoke = self._spoke or message.text != ""

    def stalled(self, forwarded: int, bytes_per_second: int, now: float) -> bool:
        """Whether it has heard too much in silence."""
        self.look_at = now + LOOK_EVERY
        unanswered = forwarded - self._said_bytes
        self.fell_silent = now - self._said_at >= WATCHDOG_SECONDS and unanswered >= WATCHDOG_SECONDS * bytes_per_second
        return self.fell_silent

    def heard(self, forwarded: int) -> Heard:
        return Heard(
            forwarded=forwarded,
            reported_ms=self.reported_ms,
            silence_ms=self.silence_ms,
            spoke=self._spoke,
            results_ms=self._results_ms,
            fell_silent=self.fell_silent,
        )

    def _mark(self, forwarded: int, now: float) -> None:
        self._said_at = now
        self._said_bytes = forwarded
        self.look_at = now + WATCHDOG_SECONDS
