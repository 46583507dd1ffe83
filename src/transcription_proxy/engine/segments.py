"""From the model's lines and the audio clock to what Deepgram would say: interims that grow, finals without gaps.

Times are seconds of audio since the stream began."""

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf
from typing import Final, Protocol

SILENCE_EVERY: Final = 1.0
"""With nobody speaking, an empty final for each second or so, as Deepgram sends."""
BLUR: Final = 0.25
"""The model's lines begin about so much before the first sound, and end so much after the last one."""
PATIENCE: Final = 2.0
"""Seconds that a complete line waits, so that its final can tell the end of speech; `endpointing` may be longer."""


class Line(Protocol):
    """A stretch of speech, in seconds since the model's stream began."""

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
        """Whether it is complete because it was long: speech goes on."""


@dataclass(frozen=True, slots=True)
class Segment:
    """One Results message's worth."""

    text: str
    start: float
    duration: float
    is_final: bool
    speech_final: bool = False
    from_finalize: bool = False


@dataclass(frozen=True, slots=True)
class Started:
    """Somebody began to speak."""

    at: float


@dataclass(frozen=True, slots=True)
class Ended:
    """Nobody has spoken for as long as was asked for; `last_word_end` is where speech was last heard."""

    last_word_end: float


Heard = Segment | Started | Ended


@dataclass(frozen=True, slots=True)
class _Held:
    """A complete line that is not final yet."""

    text: str
    end: float


class Segments:
    """One channel. Each final begins where the last one ended, whatever the model says of its lines' times.

    `endpointing`: seconds of silence that end a speech, None: nothing does. `utterance_end`: those after which Ended
    is told, None: never."""

    def __init__(self, *, endpointing: float | None = 0.01, utterance_end: float | None = None) -> None:
        self._endpointing = inf if endpointing is None else endpointing
        self._patience = 0.0 if endpointing is None else min(endpointing, PATIENCE)
        self._utterance_end = inf if utterance_end is None else utterance_end
        self._clock = 0.0
        self._final_until = 0.0
        self._origin = 0.0
        """Where the model's own time began."""
        self._open: int | None = None
        self._held: _Held | None = None
        self._spoken_until: float | None = None
        """Until Ended is told."""
        self._quiet_from: float | None = None
        """Until a final has told the end of speech."""

    @property
    def speaking(self) -> bool:
        return self._open is not None or self._held is not None

    @property
    def origin(self) -> float:
        return self._origin

    def heard(self, lines: Sequence[Line], clock: float) -> list[Heard]:
        """What to say after the model heard audio up to `clock`."""
        self._clock = clock
        said: list[Heard] = []
        for line in lines:
            said += self._begun(line)
            if line.complete:
                self._complete(line)
            else:
                said.append(self._interim(line.text))
        return said if self._open is not None else said + self._pausing()

    def finished(self, lines: Sequence[Line], *, confirm: bool = False) -> list[Heard]:
        """What to say after the model completed all it had; its time begins anew. The last is a final up to now.

        Where all is final already, there is one to `confirm` it only.
        """
        said: list[Heard] = []
        for line in lines:
            said += self._begun(line)
            self._complete(line)
        if self._held is not None:
            said.append(self._final(self._held.text, self._clock, speech_final=self._endpointing < inf))
            self._quiet_from = None
        elif confirm or self._clock > self._final_until:
            said.append(self._final("", self._clock))
        self._open = self._held = None
        self._origin = self._clock
        return said

    def _begun(self, line: Line) -> list[Heard]:
        """What to say where a line is new. What the model cut goes on without another start."""
        if line.id == self._open:
            return []
        begin = self._origin + line.start + BLUR
        said = self._release(begin)
        if self._quiet_from is None or begin > self._quiet_from:
            said.append(Started(self._at(line.start)))
        self._open, self._quiet_from = line.id, None
        return said

    def _complete(self, line: Line) -> None:
        end = self._at(line.start + line.duration)
        self._open, self._held, self._spoken_until = None, _Held(line.text, end), end
        self._quiet_from = end + BLUR if line.cut else end - BLUR

    def _pausing(self) -> list[Heard]:
        """With nobody speaking: a line that has waited enough is final, then silence is; the utterance ends."""
        said: list[Heard] = []
        ended = self._ended()
        if ended or self._silence(self._clock) >= self._patience:
            said += self._release(self._clock)
        elif self._held is not None:
            said.append(self._interim(self._held.text))
        if self._held is None and self._clock - self._final_until >= SILENCE_EVERY:
            said.append(self._final("", self._clock, speech_final=self._is_endpoint(self._clock)))
        return said + ended

    def _ended(self) -> list[Heard]:
        end = self._spoken_until
        if end is None or self._clock - end < self._utterance_end:
            return []
        self._spoken_until = None
        return [Ended(end)]

    def _release(self, until: float) -> list[Heard]:
        """The line that waits, if one does, is final; after it nothing was heard up to `until`."""
        if self._held is None:
            return []
        held, self._held = self._held, None
        return [self._final(held.text, held.end, speech_final=self._is_endpoint(until))]

    def _is_endpoint(self, until: float) -> bool:
        """Whether the silence up to `until` is the end of a speech, once."""
        if self._silence(until) < self._endpointing:
            return False
        self._quiet_from = None
        return True

    def _silence(self, until: float) -> float:
        return -inf if self._quiet_from is None else until - self._quiet_from

    def _at(self, seconds: float) -> float:
        """The model's time as the stream's, where it can lie: after the last final, and not in the future."""
        return min(self._clock, max(self._final_until, self._origin + seconds))

    def _interim(self, text: str) -> Segment:
        return Segment(text, self._final_until, self._clock - self._final_until, is_final=False)

    def _final(self, text: str, end: float, *, speech_final: bool = False) -> Segment:
        start, self._final_until = self._final_until, end
        return Segment(text, start, end - start, is_final=True, speech_final=speech_final)
