"""From the model's lines and the audio clock to what Deepgram would say: interims that grow, finals without gaps.

Times are seconds of audio since the stream began."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, Protocol

SILENCE_EVERY: Final = 1.0
"""With nobody speaking, an empty final for each second or so, as Deepgram sends."""


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


class Segments:
    """One channel. Each final begins where the last one ended, whatever the model says of its lines' times."""

    def __init__(self, *, endpointing: bool = True, utterance_end: float | None = None) -> None:
        self._endpointing = endpointing
        self._utterance_end = utterance_end
        self._clock = 0.0
        self._final_until = 0.0
        self._origin = 0.0
        """Where the model's own time began."""
        self._open: int | None = None
        self._spoken_until: float | None = None

    @property
    def speaking(self) -> bool:
        return self._open is not None

    @property
    def origin(self) -> float:
        return self._origin

    def heard(self, lines: Sequence[Line], clock: float) -> list[Heard]:
        """What to say after the model heard audio up to `clock`."""
        self._clock = clock
        said: list[Heard] = []
        for line in lines:
            said += self._line(line)
        if self._open is None and clock - self._final_until >= SILENCE_EVERY:
            said.append(self._final("", clock))
        return said + self._utterance()

    def finished(self, lines: Sequence[Line]) -> list[Heard]:
        """What to say after the model completed all it had; its time begins anew here. The last Segment is final."""
        said: list[Heard] = []
        for line in lines:
            said += self._line(line)
        self._open = None
        self._origin = self._clock
        if self._clock > self._final_until or not said:
            said.append(self._final("", self._clock))
        return said

    def _line(self, line: Line) -> list[Heard]:
        start = max(self._final_until, self._origin + line.start)
        said: list[Heard] = []
        if self._open != line.id:
            self._open = line.id
            said.append(Started(start))
        if not line.complete:
            said.append(Segment(line.text, self._final_until, self._clock - self._final_until, is_final=False))
            return said
        self._open = None
        end = min(self._clock, max(start, self._origin + line.start + line.duration))
        self._spoken_until = end
        said.append(self._final(line.text, end, speech_final=self._endpointing))
        return said

    def _final(self, text: str, end: float, *, speech_final: bool = False) -> Segment:
        start, self._final_until = self._final_until, end
        return Segment(text, start, end - start, is_final=True, speech_final=speech_final)

    def _utterance(self) -> list[Heard]:
        end, wait = self._spoken_until, self._utterance_end
        if end is None or wait is None or self._open is not None or self._clock - end < wait:
            return []
        self._spoken_until = None
        return [Ended(end)]
