"""How far a stream has heard, told while it is late: silence of an engine means that it hangs, not that it is slow.

The message is an interim Results, which any client of Deepgram takes: it repeats the last interim words, or has none,
and ends where the audio heard so far ends. Times are monotonic seconds, positions are seconds of audio."""

from dataclasses import replace
from typing import Final

from transcription_proxy.engine.segments import Heard, Segment

REPORT_EVERY: Final = 2.0
"""Seconds without any Results after which a late stream tells how far it is. A relay waits 5 s for its last words."""
STUCK_AFTER: Final = 10.0
"""Seconds that one turn of the model may take. After that nothing is told until it is done: it may hang."""


class Pace:
    """Of the engine: when it last finished a turn of any stream. One whose turn has to wait is not stuck until then."""

    def __init__(self) -> None:
        self.turned_at = 0.0


class Progress:
    """Make the progress of one stream. `channels`: the number of channels heard apart."""

    def __init__(self, channels: int, now: float) -> None:
        self._latest = [Segment("", 0.0, 0.0, is_final=False)] * channels
        """The last interim of each channel, until its final."""
        self._clock = 0.0
        self._said_at = now
        self._moved_at = now

    def said(self, channel: int, heard: Heard, now: float) -> None:
        """The client is told something."""
        if isinstance(heard, Segment):
            self._said_at = now
            end = heard.start + heard.duration
            self._latest[channel] = Segment("", end, 0.0, is_final=False) if heard.is_final else heard

    def moved(self, clock: float, now: float) -> None:
        """The audio before `clock` has been heard, or all there is."""
        self._clock, self._moved_at = clock, now

    def alive(self, since: float) -> None:
        """The stream's turn began then, or it waits for its turn and the engine finished another one then."""
        self._moved_at = max(self._moved_at, since)

    def report(self, now: float) -> list[Segment]:
        """Return what to tell of each channel now; nothing while there are Results, or the model may hang."""
        if now < self._said_at + REPORT_EVERY or now >= self._moved_at + STUCK_AFTER:
            return []
        self._said_at = now
        return [replace(each, duration=max(each.duration, self._clock - each.start)) for each in self._latest]
