"""Reports the progress of a late stream. Without reports, a slow engine would look like one that hangs.

A report is an interim Results, which every client of Deepgram accepts. It repeats the last interim words, or has none,
and ends where the processed audio ends. Times are monotonic seconds, positions are seconds of audio."""

from dataclasses import replace
from typing import Final

from transcription_engine.segments import Segment, SpeechEvent

REPORT_SECONDS: Final = 2.0
"""Seconds without Results after which a late stream reports its progress. A relay waits 5 s for its last words."""
MAX_TURN_SECONDS: Final = 10.0
"""Seconds that one turn of the model may take. After that it may hang, and nothing is reported until it is done."""


class Pace:
    """When the engine last finished a turn of any stream. It shows waiting streams that the model works."""

    def __init__(self) -> None:
        self.turned_at = 0.0


class Progress:
    """The progress of one stream."""

    def __init__(self, channels: int, now: float) -> None:
        """`channels`: the number of channels that get Results of their own."""
        self._latest = [Segment("", 0.0, 0.0, is_final=False)] * channels
        """Each channel's last interim words, empty after a final."""
        self._position = 0.0
        self._sent_at = now
        self._moved_at = now

    def record_sent(self, channel: int, event: SpeechEvent, now: float) -> None:
        """Record that the client was sent an event."""
        if isinstance(event, Segment):
            self._sent_at = now
            end = event.start + event.duration
            self._latest[channel] = Segment("", end, 0.0, is_final=False) if event.is_final else event

    def record_position(self, position: float, now: float) -> None:
        """Record that all audio before `position` was processed."""
        self._position, self._moved_at = position, now

    def record_turn(self, since: float) -> None:
        """Record that the stream's turn began at `since`, or that another stream's turn ended then while it waits."""
        self._moved_at = max(self._moved_at, since)

    def due_reports(self, now: float) -> list[Segment]:
        """Return the report for each channel; none while Results are sent, or while the model may hang."""
        if now < self._sent_at + REPORT_SECONDS or now >= self._moved_at + MAX_TURN_SECONDS:
            return []
        self._sent_at = now
        return [replace(each, duration=max(each.duration, self._position - each.start)) for each in self._latest]
