"""How loud audio is."""

import sys
from array import array
from math import sqrt
from typing import Final

TENTH_BYTES: Final = 3200
"""Bytes of a tenth of a second at 16 kHz, mono, 16-bit."""
FULL_SCALE: Final = 32768


class Level:
    """The loudness of the last tenth of a second, from 0.0 to 1.0 (RMS)."""

    def __init__(self) -> None:
        self._sound = b""
        self.value = 0.0

    def feed(self, sound: bytes) -> None:
        """Take 16-bit samples, little-endian."""
        self._sound = (self._sound + sound[-TENTH_BYTES:])[-TENTH_BYTES:]
        samples = array("h", self._sound[: len(self._sound) // 2 * 2])
        if sys.byteorder == "big":
            samples.byteswap()
        if samples:
            self.value = sqrt(sum(map(int.__mul__, samples, samples)) / len(samples)) / FULL_SCALE
