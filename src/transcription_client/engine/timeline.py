"""When audio was captured, by its position in all audio that was kept. Muted audio is not kept, so the two differ."""

from bisect import bisect_right
from typing import Final

TOLERATED_SECONDS: Final = 0.5
"""A pause of the source that is not noted: its blocks never arrive evenly."""


class Timeline:
    """Maps seconds of audio to seconds since the engine started. It uses no clock."""

    def __init__(self) -> None:
        self._seconds = 0.0
        self._shifts = [(0.0, 0.0)]
        """Pairs of a position in the audio, and what to add from it on."""

    def append(self, seconds: float, arrived: float) -> None:
        """Note a block of that length. `arrived`: when it was complete, in seconds since the engine started."""
        shift = self._shifts[-1][1]
        late = arrived - (self._seconds + seconds + shift)
        if late > TOLERATED_SECONDS:
            self._shifts.append((self._seconds, shift + late))
        self._seconds += seconds

    def at(self, position: float) -> float:
        """Return when the audio at a position was captured, in seconds since the engine started."""
        return position + self._shifts[bisect_right(self._shifts, position, key=lambda pair: pair[0]) - 1][1]
