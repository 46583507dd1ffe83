"""Values in place of the speech model: lines of speech, and a model's stream that says what it is told."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from transcription_proxy.engine.resample import Samples


@dataclass(frozen=True, slots=True)
class Spoken:
    """A line as the model tells it."""

    id: int
    text: str
    start: float
    duration: float
    complete: bool = True
    cut: bool = False


class Voice:
    """A model's stream. `answers`: the lines of each `hear` in turn, then none; `rest`: those of the first `finish`."""

    def __init__(self, *answers: Sequence[Spoken], rest: Sequence[Spoken] = ()) -> None:
        self._answers = list(answers)
        self._rest = [rest]
        self._pieces: list[Samples] = []
        self.finishes = 0
        self.closes = 0

    def feed(self, samples: Samples) -> Sequence[Spoken]:
        self._pieces.append(samples)
        return self._answers.pop(0) if self._answers else ()

    def finish(self) -> Sequence[Spoken]:
        self.finishes += 1
        return self._rest.pop() if self._rest else ()

    def close(self) -> None:
        self.closes += 1

    @property
    def samples(self) -> Samples:
        """All it heard."""
        return np.concatenate(self._pieces)
