"""What audio costs and what credits cover, in integers only (money 1-3)."""

from itertools import pairwise
from typing import Final

MICRO: Final = 1_000_000
"""Micro-credits in a credit, and millionths in a dollar."""


class Tariff:
    """What the audio of one session costs, at a rate that may change. Positions are bytes since the session began."""

    __slots__ = ("_bytes_per_second", "_parts")

    def __init__(self, bytes_per_second: int, micro: int) -> None:
        """`micro`: micro-credits a second for all channels billed, from the first byte on."""
        self._bytes_per_second = bytes_per_second
        self._parts = [(0, micro)]
        """Where each rate begins, and the rate."""

    def change(self, position: int, micro: int) -> None:
        """Charge another rate from `position` on, which is not before the latest change."""
        if self._parts[-1][0] == position:
            self._parts.pop()
        self._parts.append((position, micro))

    def credits(self, nbytes: int) -> int:
        """Return the credits of the first `nbytes` bytes, rounded up once."""
        return -(-self._units(nbytes, 1) // (self._bytes_per_second * MICRO))

    def credits_of_ms(self, milliseconds: int) -> int:
        """Return the credits of the first so many milliseconds, rounded up once."""
        return -(-self._units(milliseconds * self._bytes_per_second, 1000) // (1000 * self._bytes_per_second * MICRO))

    def covered_bytes(self, grant: int, block: int) -> int:
        """Return the most bytes, in whole blocks, whose credits do not exceed `grant`. For a grant that covers the
        bytes before the latest change."""
        begin, micro = self._parts[-1]
        left = grant * MICRO * self._bytes_per_second - self._units(begin, 1)
        return (begin + left // micro) // block * block

    def _units(self, end: int, scale: int) -> int:
        """Return byte-micro-credits, times `scale`, of the audio before `end`, which is a position times `scale`."""
        ends = [(after * scale, micro) for (_, micro), (after, _) in pairwise(self._parts)]
        begin = units = 0
        for stop, micro in [*ends, (end, self._parts[-1][1])]:
            units += max(0, min(stop, end) - begin) * micro
            begin = min(stop, end)
        return units
