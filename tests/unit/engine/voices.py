"""A fake of the speech model: lines of speech, and a stream with prepared answers."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transcription_engine.pcm import Samples


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line of the model."""

    id: int
    text: str
    start: float
    duration: float
    complete: bool = True
    cut: bool = False


class Voice:
    """A model's stream. `answers`: the lines of each `feed` in turn, then none; `rest`: those of the first `finish`."""

    def __init__(self, *answers: Sequence[Spoken], rest: Sequence[Spoken] = ()) -> None:
        self._answers = list(answers)
        self._rest = [rest]
        self.pieces: list[Samples] = []
        self.finishes = 0
        self.closes = 0

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        self.pieces.append(samples)
        return self._answers.pop(0) if self._answers else ()

    def finish(self) -> Sequence[Spoken]:
        self.finishes += 1
        return self._rest.pop() if self._rest else ()

    def close(self) -> None:
        self.closes += 1

    @property
    def samples(self) -> Samples:
        """All audio that was fed."""
        return np.concatenate(self.pieces)
