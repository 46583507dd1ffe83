"""Turns the model's lines and the audio clock into Deepgram's events: growing interims, finals without gaps.

Times are seconds of audio since the stream began."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

SILENCE_FINAL_SECONDS: Final = 1.0
"""Seconds of silence for which an empty final is sent, as Deepgram does."""
LINE_MARGIN_SECONDS: Final = 0.25
"""Seconds by which the model's lines begin before the first sound, and end after the last one."""
MAX_FINAL_DELAY_SECONDS: Final = 2.0
"""Seconds that a complete line waits at most, so that its final can have `speech_final`."""


class Line(Protocol):
    """A stretch of speech. Times are seconds since the model's stream began."""

    @property
    def id(self) -> int: ...
    @property
    def text(self) -> str: ...
    @property
    def start(self) -> float: ...
    @property
    def duration(self) -> float: ...
    @property
    def complete(self) -> bool: ...
    @property
    def cut(self) -> bool:
        """Whether the line is complete because it was too long, so that speech goes on."""


@dataclass(frozen=True, slots=True)
class Segment:
    """The contents of one Results message."""

    text: str
    start: float
    duration: float
    is_final: bool
    speech_final: bool = False
    from_finalize: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """Speech began."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """There was no speech for `utterance_end` seconds after `last_word_end`."""

    last_word_end: float


SpeechEvent = Segment | Started | Ended


@dataclass(frozen=True, slots=True)
class _Held:
    """A complete line that is not final yet."""

    text: str
    end: float


class Segments:
    """One channel. Each final begins where the last one ended, whatever the times of the model's lines are.

    `endpointing`: seconds of silence after which a final has `speech_final`, None for never. `utterance_end`: seconds
    of silence after which Ended is returned, None for never."""

    def __init__(self, *, endpointing: float | None = 0.01, utterance_end: float | None = None) -> None:
        self._endpointing = inf if endpointing is None else endpointing
        self._final_delay = 0.0 if endpointing is None else min(endpointing, MAX_FINAL_DELAY_SECONDS)
        self._utterance_end = inf if utterance_end is None else utterance_end
        self._clock = 0.0
        self._final_until = 0.0
        self._origin = 0.0
        """Stream time at which the model's time is 0."""
        self._open: int | None = None
        self._waiting: _Held | None = None
        self._spoken_until: float | None = None
        """End of the last speech, None once Ended was returned for it."""
        self._quiet_from: float | None = None
        """Begin of the silence, None once a final with `speech_final` was returned for it."""

    @property
    def is_speaking(self) -> bool:
        """Whether a line is open or waits to become final."""
        return self._open is not None or self._waiting is not None

    @property
    def origin(self) -> float:
        """Stream time at which the model's time is 0."""
        return self._origin

    def update(self, lines: Sequence[Line], clock: float) -> list[SpeechEvent]:
        """Return the events after the model processed audio up to `clock`."""
        self._clock = clock
        events: list[SpeechEvent] = []
        for line in lines:
            events += self._begin_line(line)
            if line.complete:
                self._hold_line(line)
            else:
                events.append(self._interim(line.text))
        return events if self._open is not None else events + self._handle_silence()

    def finish(self, lines: Sequence[Line], *, confirm: bool = False) -> list[SpeechEvent]:
        """Return the events after the model completed its lines and reset its time. The last one is a final up to now.

        If everything is final already, there is such a final only with `confirm`.
        """
        events: list[SpeechEvent] = []
        for line in lines:
            events += self._begin_line(line)
            self._hold_line(line)
        if self._waiting is not None:
            events.append(self._final(self._waiting.text, self._clock, speech_final=self._endpointing < inf))
            self._quiet_from = None
        elif confirm or self._clock > self._final_until:
            events.append(self._final("", self._clock))
        self._open = self._waiting = None
        self._origin = self._clock
        return events

    def _begin_line(self, line: Line) -> list[SpeechEvent]:
        """Return the events for a new line. A line after a cut one has no Started."""
        if line.id == self._open:
            return []
        begin = self._origin + line.start + LINE_MARGIN_SECONDS
        events = self._release(begin)
        if self._quiet_from is None or begin > self._quiet_from:
            events.append(Started(self._stream_time(line.start)))
        self._open, self._quiet_from = line.id, None
        return events

    def _hold_line(self, line: Line) -> None:
        end = self._stream_time(line.start + line.duration)
        self._open, self._waiting, self._spoken_until = None, _Held(line.text, end), end
        self._quiet_from = end + LINE_MARGIN_SECONDS if line.cut else end - LINE_MARGIN_SECONDS

    def _handle_silence(self) -> list[SpeechEvent]:
        """Return the events of a silence: the waiting line's final, then empty finals, then Ended."""
        events: list[SpeechEvent] = []
        ended = self._utterance_end_event()
        if ended or self._silence(self._clock) >= self._final_delay:
            events += self._release(self._clock)
        elif self._waiting is not None:
            events.append(self._interim(self._waiting.text))
        if self._waiting is None and self._clock - self._final_until >= SILENCE_FINAL_SECONDS:
            events.append(self._final("", self._clock, speech_final=self._is_endpoint(self._clock)))
        return events + ended

    def _utterance_end_event(self) -> list[SpeechEvent]:
        end = self._spoken_until
        if end is None or self._clock - end < self._utterance_end:
            return []
        self._spoken_until = None
        return [Ended(end)]

    def _release(self, until: float) -> list[SpeechEvent]:
        """Return the waiting line's final, if one waits. There was no speech after it up to `until`."""
        if self._waiting is None:
            return []
        held, self._waiting = self._waiting, None
        return [self._final(held.text, held.end, speech_final=self._is_endpoint(until))]

    def _is_endpoint(self, until: float) -> bool:
        """Record and return whether the silence up to `until` ends speech. It is true once for each silence."""
        if self._silence(until) < self._endpointing:
            return False
        self._quiet_from = None
        return True

    def _silence(self, until: float) -> float:
        return -inf if self._quiet_from is None else until - self._quiet_from

    def _stream_time(self, seconds: float) -> float:
        """Return a time of the model as stream time, not before the last final and not in the future."""
        return min(self._clock, max(self._final_until, self._origin + seconds))

    def _interim(self, text: str) -> Segment:
        return Segment(text, self._final_until, self._clock - self._final_until, is_final=False)

    def _final(self, text: str, end: float, *, speech_final: bool = False) -> Segment:
        start, self._final_until = self._final_until, end
        return Segment(text, start, end - start, is_final=True, speech_final=speech_final)
