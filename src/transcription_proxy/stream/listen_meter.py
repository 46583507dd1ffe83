"""Counts the audio of a Deepgram client: by its bytes where it is raw, otherwise by what the upstream has heard."""

from typing import Final

from transcription_proxy.stream import listen_messages
from transcription_proxy.stream.credit import SessionCredit
from transcription_proxy.stream.deepgram import MAX_AUDIO_MS
from transcription_proxy.stream.listen_messages import Configured, NotConfigured
from transcription_proxy.stream.listen_request import ListenRequest

MAX_GAP_SECONDS: Final = 1.0
"""Longest pause between two frames of a live stream that counts as audio."""


class ListenMeter:
    """Decides how much audio may go upstream, and counts it against the credit.

    Audio that is not raw counts as it arrives, second for second, until the upstream says how long it was."""

    def __init__(self, request: ListenRequest, credit: SessionCredit, now: float) -> None:
        self._request = request
        self._credit = credit
        self._forwarded_at = now
        self._encoded_bytes = 0
        """Bytes that went upstream of audio that is not raw, of which `credit` counts milliseconds."""
        self._heard_ms = 0
        """Milliseconds of audio that the upstream reported, where bytes do not tell."""
        self._has_keyterms = "keyterm" in request.addons
        self._configured = self._has_keyterms
        """Whether keyterms are in use once the upstream has answered the latest Configure."""

    def admit(self, nbytes: int, now: float) -> bool:
        """Count a frame and return True if it may go upstream at once."""
        return self._request.is_raw and self._credit.admit(nbytes, now)

    def take(self, nbytes: int, now: float) -> int:
        """Count as much of a frame as may go upstream now, and return how many bytes that is."""
        if self._request.is_raw:
            return self._credit.take(nbytes, now)
        if not self._credit.has_room(now):
            return 0
        gap = min(now - self._forwarded_at, MAX_GAP_SECONDS)
        self._forwarded_at = now
        self._credit.charge(round(gap * 1000), now)
        self._encoded_bytes += nbytes
        return nbytes

    def record_heard(self, heard_ms: int, now: float) -> None:
        """Count what the upstream has heard in all, where bytes do not tell, as far as the grant covers it."""
        if not self._request.is_raw:
            self._heard_ms = max(self._heard_ms, heard_ms)
            self.record_grant(now)

    def record_grant(self, now: float) -> None:
        """Count what was heard beyond the grant before it grew."""
        if self.is_short:
            self._credit.charge(self._heard_ms - self._credit.forwarded, now)

    @property
    def is_short(self) -> bool:
        """Whether the upstream has heard more than was counted."""
        return self._heard_ms > self._credit.forwarded

    def is_paid(self, begin_ms: int) -> bool:
        """Return whether the words that begin there are paid."""
        return not self.is_short or begin_ms < self._credit.forwarded

    @property
    def forwarded_bytes(self) -> int:
        """Bytes of audio that went upstream."""
        return self._credit.forwarded if self._request.is_raw else self._encoded_bytes

    @property
    def counted_ms(self) -> int:
        """Milliseconds of audio counted so far."""
        return self._request.audio.milliseconds(self._credit.forwarded)

    @property
    def sent_ms(self) -> int:
        """Milliseconds of audio sent, beyond which nothing the upstream reports is believed."""
        return self.counted_ms if self._request.is_raw else MAX_AUDIO_MS

    # Keyterms that begin or end in mid-stream (money 3)

    def take_configure(self, keyterms: list[str] | None, request_id: str | None) -> bytes | None:
        """Return the answer to a Configure that must not go upstream, None for one that may. `keyterms`: None for any
        other message.

        Keyterms are charged from here on; without them, once it succeeds."""
        if keyterms is None:
            return None
        failure = listen_messages.configure_failure(keyterms, self._request.keyterm is not None, request_id)
        if failure is None:
            self._configured = bool(keyterms)
            if keyterms:
                self._change(True)
        return failure

    def record_configured(self, answer: Configured | NotConfigured) -> None:
        """Record the upstream's answer to the latest Configure."""
        if isinstance(answer, Configured):
            self._has_keyterms = self._configured
        self._configured = self._has_keyterms
        self._change(self._has_keyterms)

    def _change(self, has_keyterms: bool) -> None:
        self._credit.change_rate(self._request.micro_with_keyterms(has_keyterms))
