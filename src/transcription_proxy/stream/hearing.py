"""What the upstream has heard and said, in the session's own time: for the bill, for replays, for the watchdog."""

from typing import Final

from transcription_proxy.stream import captions, deepgram
from transcription_proxy.stream.bill import Heard

WATCHDOG_SECONDS: Final = 15
"""An upstream that hears this much audio in at least this much time and says nothing has stalled."""
LOOK_EVERY: Final = 1.0


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
        self.fell_silent = False
        """The upstream said nothing any more; so it was when the session ended, if this is still set then."""
        self.reported_ms: int | None = None
        self.results_ms = 0
        """Where the furthest Results ended."""
        self._begin_ms = 0
        self._begin_position = 0
        self._spoke = False
        self._finals_ms = [0] * channels
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
            case deepgram.Results():
                self.reported_ms = None  # the closing Metadata comes after all Results
                self.fell_silent = False
                self._spoke = self._spoke or message.text != ""
                end_ms = min(message.end_ms + self.shift_ms, sent_ms)
                self.results_ms = max(self.results_ms, end_ms)
                if message.is_final:
                    channel = self._channel(message)
                    self._finals_ms[channel] = max(self._finals_ms[channel], end_ms)

    def untouched(self, position: int) -> bool:
        """Whether the present connection was sent no audio at all, up to `position`."""
        return position == self._begin_position and self.silence_ms == 0

    def repeats(self, results: deepgram.Results) -> bool:
        """Whether most of it was final before, from an earlier connection."""
        middle_ms = results.end_ms - (deepgram.milliseconds(results.duration) or 0) / 2 + self.shift_ms
        return self.connections > 1 and middle_ms < self._finals_ms[self._channel(results)]

    def stalled(self, position: int, bytes_per_second: int, now: float) -> bool:
        """Whether it has heard too much in silence."""
        self.look_at = now + LOOK_EVERY
        unanswered = position - self._said_position
        return now >= self._said_at + WATCHDOG_SECONDS and unanswered >= WATCHDOG_SECONDS * bytes_per_second

    def heard(self, forwarded: int, *, fell_silent: bool) -> Heard:
        """What the bill is made from. `forwarded`: bytes that went up, each once; `fell_silent`: if that counts."""
        return Heard(
            forwarded=forwarded,
            reported_ms=self.reported_ms if self.connections == 1 else None,
            silence_ms=self.silence_ms,
            spoke=self._spoke,
            results_ms=self.results_ms,
            fell_silent=fell_silent and self.fell_silent,
        )

    def _channel(self, results: deepgram.Results) -> int:
        first = results.channel_index[0] if results.channel_index else 0
        return first if 0 <= first < len(self._finals_ms) else 0

    def _mark(self, position: int, now: float) -> None:
        self._said_at = now
        self._said_position = position
        self.look_at = now + WATCHDOG_SECONDS
