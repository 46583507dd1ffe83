"""What the upstream has heard and said, in the session's own time: for the bill, for replays, for the watchdog."""

from collections import deque
from dataclasses import dataclass, replace
from math import inf
from typing import Any, Final

from transcription_proxy.stream import captions, deepgram
from transcription_proxy.stream.bill import Heard

WATCHDOG_SECONDS: Final = 15
"""An upstream that hears this much audio in at least this much time and says nothing has stalled."""
LOOK_EVERY: Final = 1.0
SAME_WITHIN_MS: Final = 500
"""Two connections do not hear speech begin or end at quite the same moment."""
FINALS_REMEMBERED: Final = 16
"""How many finals of a connection are compared with the next one: an upstream may repeat itself."""


@dataclass(slots=True)
class Told:
    """How far the client knows one channel, in milliseconds: of its text, and of speech that began and ended."""

    text: float = -inf
    start: float = -inf
    end: float = -inf
    speaking: bool = False
    """Speech began and did not end, as far as the client was told."""


class Hearing:
    """One connection after another. Each has a clock of its own, which begins with its first byte of audio.

    Positions are bytes of the client's audio since the session began; times are monotonic seconds.
    """

    def __init__(self, channels: int) -> None:
        """`channels`: those that have Results of their own."""
        self.request_id: str | None = None
        self.connections = 0
        self.silence_ms = 0
        """Our own silence that the present connection was sent, before anything else."""
        self.reported_ms: int | None = None
        self.results_ms = 0
        """Where the furthest Results ended."""
        self._begin_ms = 0
        self._begin_position = 0
        self._spoke = False
        self._finals_ms = [0] * channels
        self._finals: deque[tuple[int, float, float, str]] = deque(maxlen=FINALS_REMEMBERED)
        """Channel, start, duration and text of the last finals of the present connection."""
        self._told_ms = [Told() for _ in range(channels)]
        self._known_ms = self._told_ms
        """What earlier connections told."""
        self._said_at = 0.0
        self._said_position = 0
        self.look_at = 0.0
        """When to look again whether it has stalled."""

    @property
    def shift_ms(self) -> int:
        """What has to be added to the connection's times."""
        return self._begin_ms - self.silence_ms

    @property
    def clock(self) -> captions.Clock:
        """Of the connection."""
        return captions.Clock(self.shift_ms, self._begin_ms)

    @property
    def final_ms(self) -> int:
        """Up to here all channels are final: nothing before it has to be heard again."""
        return min(self._finals_ms)

    def opened(self, request_id: str | None, position: int, begin_ms: int, now: float) -> None:
        """A connection that is going to hear the audio from `position` on, which is at `begin_ms`."""
        self.connections += 1
        self._known_ms = [replace(told) for told in self._told_ms]
        self._finals.clear()
        self.request_id = request_id
        self.reported_ms = None
        self.silence_ms = 0
        self._begin_ms = begin_ms
        self._begin_position = position
        self._mark(position, now)

    def said(self, message: deepgram.Message | deepgram.Unknown, position: int, sent_ms: int, now: float) -> None:
        """Takes in a message; up to `position`, at `sent_ms`, audio had gone up by then."""
        self._mark(position, now)
        match message:
            case deepgram.Metadata():
                self.reported_ms = deepgram.milliseconds(message.duration)
                self.request_id = message.request_id or self.request_id
            case deepgram.SpeechStarted(timestamp, index):
                told = self._told_ms[self._channel(index)]
                told.start = max(told.start, self._time(timestamp))
                told.speaking = True
            case deepgram.UtteranceEnd(last_word_end, index):
                told = self._told_ms[self._channel(index)]
                told.end = max(told.end, self._time(last_word_end))
                told.speaking = False
            case deepgram.Results():
                self._results(message, min(message.end_ms + self.shift_ms, sent_ms))

    def _results(self, message: deepgram.Results, end_ms: int) -> None:
        self.reported_ms = None  # the closing Metadata comes after all Results
        self._spoke = self._spoke or message.text != ""
        self.results_ms = max(self.results_ms, end_ms)
        channel = self._channel(message.channel_index)
        told = self._told_ms[channel]
        if message.text:
            told.text = max(told.text, end_ms)
        if message.is_final:
            self._finals_ms[channel] = max(self._finals_ms[channel], end_ms)
            self._finals.append(_identity(channel, message))
            told.speaking = told.speaking and not message.speech_final

    def untouched(self, position: int) -> bool:
        """Whether the present connection was sent no audio at all, up to `position`."""
        return position == self._begin_position and self.silence_ms == 0

    def news(self, message: deepgram.Message | deepgram.Unknown) -> deepgram.Message | deepgram.Unknown | None:
        """What of it the client does not know yet; None for nothing."""
        if isinstance(message, deepgram.Results) and self._is_repeated(message):
            return None
        if self.connections == 1:
            return message
        match message:
            case deepgram.Results():
                return self._new_words(message)
            case deepgram.SpeechStarted(timestamp, index):
                known = self._known_ms[self._channel(index)]
                return None if self._has_begun(known, self._time(timestamp)) else message
            case deepgram.UtteranceEnd(last_word_end, index):
                known = self._known_ms[self._channel(index)]
                return None if self._time(last_word_end) <= known.end + SAME_WITHIN_MS else message
            case _:
                return message

    def _is_repeated(self, results: deepgram.Results) -> bool:
        if not results.is_final or results.duration <= 0:
            return False
        return _identity(self._channel(results.channel_index), results) in self._finals

    def _has_begun(self, known: Told, at_ms: int) -> bool:
        """Whether the client knows of speech that begins then. A connection that begins in the middle of speech says
        that it begins there."""
        goes_on = known.speaking and at_ms <= self._begin_ms + SAME_WITHIN_MS
        return goes_on or at_ms <= known.start + SAME_WITHIN_MS or at_ms < known.text

    def _new_words(self, results: deepgram.Results) -> deepgram.Results | None:
        """Channels are final to different times, so that a replay's words may be known in part. Where words have no
        times of their own, the larger part decides."""
        final_ms = self._finals_ms[self._channel(results.channel_index)] - self.shift_ms
        later = results.since(final_ms)
        if later is not None:
            return later if later.text else None
        middle_ms = results.end_ms - (deepgram.milliseconds(results.duration) or 0) / 2
        return None if middle_ms < final_ms else results

    def stalled(self, position: int, bytes_per_second: int, now: float) -> bool:
        """Whether it has heard too much in silence."""
        self.look_at = now + LOOK_EVERY
        unanswered = position - self._said_position
        return now >= self._said_at + WATCHDOG_SECONDS and unanswered >= WATCHDOG_SECONDS * bytes_per_second

    def heard(self, forwarded: int) -> Heard:
        """What the bill is made from. `forwarded`: bytes that went up, each once."""
        return Heard(
            forwarded=forwarded,
            reported_ms=self.reported_ms if self.connections == 1 else None,
            silence_ms=self.silence_ms,
            spoke=self._spoke,
            results_ms=self.results_ms,
        )

    def _time(self, seconds: float) -> int:
        """The session's, of a time of the connection's."""
        return (deepgram.milliseconds(seconds) or 0) + self.shift_ms

    def _channel(self, index: Any) -> int:
        first = index[0] if isinstance(index, list) and index else 0
        return first if isinstance(first, int) and 0 <= first < len(self._finals_ms) else 0

    def _mark(self, position: int, now: float) -> None:
        self._said_at = now
        self._said_position = position
        self.look_at = now + WATCHDOG_SECONDS


def _identity(channel: int, results: deepgram.Results) -> tuple[int, float, float, str]:
    return channel, results.start, results.duration, results.text
