"""Audio that identifies itself: every eight bytes hold the number of their stream and their place in it.

Any piece of it, cut anywhere, can be located; our own silence, all zeros, cannot be taken for it."""

from dataclasses import dataclass
from typing import Final

import numpy as np

UNIT: Final = 8
"""Bytes: the upper three bits of each are its place in the unit, the lower five belong to the number."""
HEAD: Final = 2 * UNIT - 1
"""Bytes that contain a whole unit, wherever they begin."""
MOST_STREAMS: Final = 1 << 16
MOST_UNITS: Final = 1 << 24
_SHIFTS: Final = np.arange(35, -1, -5, dtype=np.uint64)
_TAGS: Final = np.arange(UNIT, dtype=np.uint8) << 5


@dataclass(frozen=True, slots=True)
class Place:
    """Where bytes come from. `silence`: the number of zeros before them."""

    stream: int
    position: int
    silence: int

    @property
    def origin(self) -> int:
        """The position at which the stream would have begun without the silence."""
        return self.position - self.silence


def audio(stream: int, position: int, nbytes: int) -> bytes:
    """Return a piece of a stream."""
    first, last = position // UNIT, -(-(position + nbytes) // UNIT)
    if not 0 <= stream < MOST_STREAMS or last > MOST_UNITS:
        raise ValueError("there is no such audio")
    numbers = np.arange(first, last, dtype=np.uint64) | np.uint64(stream << 24)
    units = (numbers[:, None] >> _SHIFTS & np.uint64(31)).astype(np.uint8) | _TAGS
    begin = position - first * UNIT
    return units.tobytes()[begin : begin + nbytes]


def locate(head: bytes) -> Place | None:
    """Return where the first bytes of a connection come from; None for too few bytes, or for other audio."""
    silence = len(head) - len(head.lstrip(b"\0"))
    if silence < UNIT:  # a unit may begin with one zero
        silence = 0
    elif silence < len(head) and head[silence] >> 5 == 1:
        silence -= 1
    sound = head[silence : silence + HEAD]
    if len(sound) < HEAD:
        return None
    into = sound[0] >> 5
    begin = -into % UNIT
    number = 0
    for place, byte in enumerate(sound[begin : begin + UNIT]):
        if byte >> 5 != place:
            return None
        number = number << 5 | byte & 31
    stream, unit = number >> 24, number & (MOST_UNITS - 1)
    return Place(stream, (unit * UNIT) - begin, silence)
