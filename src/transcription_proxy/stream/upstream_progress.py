"""What the upstream was sent and what it answered, in session time: for the bill, for replays, for the watchdog."""

from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from transcription_proxy.stream import captions, deepgram
from transcription_proxy.stream.bill import AudioUsage
from transcription_proxy.values import UpstreamConnection

WATCHDOG_SECONDS: Final = 15
"""An upstream has stalled if it got this much audio, in at least this much time, and sent no message."""
CHECK_INTERVAL_SECONDS: Final = 1.0
"""Seconds between two checks of a quiet upstream, once WATCHDOG_SECONDS have passed."""
SAME_EVENT_MS: Final = 500
"""Two connections time the same begin or end of speech up to this many milliseconds apart."""
FINALS_REMEMBERED: Final = 16
"""Finals of a connection that the next one is compared with: an upstream may send the same final twice."""


@dataclass(slots=True)
class SentState:
    """What the client was sent of one channel, as milliseconds of session time."""

    text: float = -inf
    """End of the latest words."""
    start: float = -inf
    """The latest speech_started."""
    end: float = -inf
    """The latest utterance_end."""
    speaking: bool = False
    """The client was sent a speech_started and no end since."""


class UpstreamProgress:
    """Tracks one upstream connection after another. Each has its own clock, which starts at its first byte of audio.

    Positions are bytes of the client's audio since the session began; times are monotonic seconds.
    """

    def __init__(self, channels: int) -> None:
        """`channels`: the number of channels that get Results of their own."""
        self.request_id: str | None = None
        """The latest connection's id at the upstream."""
        self.connections = 0
        self.ended: tuple[UpstreamConnection, ...] = ()
        """The connections that have ended, in order."""
        self._opened_at: float | None = None
        """When the current connection opened; None while there is none."""
        self.silence_ms = 0
        """Milliseconds of the service's own silence that the current connection got before any audio."""
        self.reported_ms: int | None = None
        """The duration in the current connection's closing Metadata."""
        self.results_ms = 0
        """The furthest end of any Results, in session time."""
        self._heard_ms = 0
        """The furthest end of the current connection's Results, in session time."""
        self._begin_ms = 0
        self._begin_position = 0
        self._has_words = False
        self._finals_ms = [0] * channels
        self._finals: list[tuple[int, float, float, str]] = []
        """Channel, start, duration and text of the current connection's latest finals."""
        self._sent = [SentState() for _ in range(channels)]
        self._sent_earlier = self._sent
        """What the client had been sent when the current connection opened."""
        self._message_at = 0.0
        self._message_position = 0
        self.check_at = 0.0
        """When to call `check_stalled` next."""

    @property
    def shift_ms(self) -> int:
        """Milliseconds to add to the connection's times to get session time."""
        return self._begin_ms - self.silence_ms

    @property
    def clock(self) -> captions.Clock:
        """The conversion from the current connection's times to session time."""
        return captions.Clock(self.shift_ms, self._begin_ms)

    @property
    def final_ms(self) -> int:
        """The session time up to which all channels are final. A replay need not start earlier."""
        return min(self._finals_ms)

    def begin_connection(self, request_id: str | None, position: int, begin_ms: int, now: float) -> None:
        """Start tracking a connection that gets the audio from `position` on, which is `begin_ms` of session time."""
        self.connections += 1
        self._sent_earlier = [replace(state) for state in self._sent]
        self._finals.clear()
        self.request_id = request_id
        self.reported_ms = None
        self.silence_ms = 0
        self._begin_ms = self._heard_ms = begin_ms
        self._begin_position = position
        self._opened_at = now
        self._note_message(position, now)

    def end_connection(self, sent_ms: int, now: float) -> None:
        """Record the end of the current connection, if one is open. `sent_ms`: where the audio sent to it ends, in
        session time."""
        if self._opened_at is None:
            return
        socket_ms = round((now - self._opened_at) * 1000)
        sent_ms, heard_ms = sent_ms - self.shift_ms, self._heard_ms - self._begin_ms
        self.ended += (UpstreamConnection(self.request_id, socket_ms, sent_ms, self.reported_ms, heard_ms),)
        self._opened_at = None

    def record_message(
        self, message: deepgram.Message | deepgram.Unknown, position: int, sent_ms: int, now: float
    ) -> None:
        """Record a message of the upstream. `position` and `sent_ms`: where the audio sent to it so far ends."""
        self._note_message(position, now)
        match message:
            case deepgram.Metadata():
                self.reported_ms = deepgram.milliseconds(message.duration)
                self.request_id = message.request_id or self.request_id
            case deepgram.SpeechStarted(timestamp, index):
                state = self._sent[self._channel(index)]
                state.start = max(state.start, self._session_ms(timestamp))
                state.speaking = True
            case deepgram.UtteranceEnd(last_word_end, index):
                state = self._sent[self._channel(index)]
                state.end = max(state.end, self._session_ms(last_word_end))
                state.speaking = False
            case deepgram.Results():
                self._record_results(message, min(message.end_ms + self.shift_ms, sent_ms))

    def _record_results(self, message: deepgram.Results, end_ms: int) -> None:
        self.reported_ms = None  # the closing Metadata comes after all Results
        self._has_words = self._has_words or message.text != ""
        self.results_ms = max(self.results_ms, end_ms)
        self._heard_ms = max(self._heard_ms, end_ms)
        channel = self._channel(message.channel_index)
        state = self._sent[channel]
        if message.text:
            state.text = max(state.text, end_ms)
        if message.is_final:
            self._finals_ms[channel] = max(self._finals_ms[channel], end_ms)
            self._finals.append(_identity(channel, message))
            del self._finals[:-FINALS_REMEMBERED]
            state.speaking = state.speaking and not message.speech_final

    def is_untouched(self, position: int) -> bool:
        """Return whether the current connection got no audio at all, if `position` is the next byte to send."""
        return position == self._begin_position and self.silence_ms == 0

    def select_new(self, message: deepgram.Message | deepgram.Unknown) -> deepgram.Message | deepgram.Unknown | None:
        """Return the part of a message that the client was not sent before, None if there is none.

        To be called before `record_message`."""
        if isinstance(message, deepgram.Results) and self._is_repeated(message):
            return None
        if self.connections == 1:
            return message
        match message:
            case deepgram.Results():
                return self._new_words(message)
            case deepgram.SpeechStarted(timestamp, index):
                state = self._sent_earlier[self._channel(index)]
                return None if self._is_known_start(state, self._session_ms(timestamp)) else message
            case deepgram.UtteranceEnd(last_word_end, index):
                state = self._sent_earlier[self._channel(index)]
                return None if self._session_ms(last_word_end) <= state.end + SAME_EVENT_MS else message
            case _:
                return message

    def _is_repeated(self, results: deepgram.Results) -> bool:
        if not results.is_final or results.duration <= 0:
            return False
        return _identity(self._channel(results.channel_index), results) in self._finals

    def _is_known_start(self, state: SentState, at_ms: int) -> bool:
        """Return whether the client was sent this begin of speech. A connection whose audio begins in the middle of
        speech reports a begin there, which is none."""
        goes_on = state.speaking and at_ms <= self._begin_ms + SAME_EVENT_MS
        return goes_on or at_ms <= state.start + SAME_EVENT_MS or at_ms < state.text

    def _new_words(self, results: deepgram.Results) -> deepgram.Results | None:
        """Return the words after the channel's last final. Channels become final at different times, so a replay may
        repeat some of them. If the words have no times, the larger part decides for all."""
        final_ms = self._finals_ms[self._channel(results.channel_index)] - self.shift_ms
        later = results.since(final_ms)
        if later is not None:
            return later if later.text else None
        middle_ms = results.end_ms - (deepgram.milliseconds(results.duration) or 0) / 2
        return None if middle_ms < final_ms else results

    def check_stalled(self, position: int, bytes_per_second: int, now: float) -> bool:
        """Schedule the next check; return whether the upstream has stalled, by WATCHDOG_SECONDS."""
        self.check_at = now + CHECK_INTERVAL_SECONDS
        unanswered = position - self._message_position
        return now >= self._message_at + WATCHDOG_SECONDS and unanswered >= WATCHDOG_SECONDS * bytes_per_second

    def audio_usage(self, forwarded: int) -> AudioUsage:
        """Return the figures that the bill is computed from. `forwarded`: bytes sent, each counted once."""
        return AudioUsage(
            forwarded=forwarded,
            reported_ms=self.reported_ms if self.connections == 1 else None,
            silence_ms=self.silence_ms,
            has_words=self._has_words,
            results_ms=self.results_ms,
        )

    def _session_ms(self, seconds: float) -> int:
        """Return a time of the connection as milliseconds of session time."""
        return (deepgram.milliseconds(seconds) or 0) + self.shift_ms

    def _channel(self, index: Any) -> int:
        """Return the channel that a message names, 0 for one that makes no sense."""
        first = index[0] if isinstance(index, list) and index else 0
        return first if isinstance(first, int) and 0 <= first < len(self._finals_ms) else 0

    def _note_message(self, position: int, now: float) -> None:
        self._message_at = now
        self._message_position = position
        self.check_at = now + WATCHDOG_SECONDS


def _identity(channel: int, results: deepgram.Results) -> tuple[int, float, float, str]:
    return channel, results.start, results.duration, results.text
