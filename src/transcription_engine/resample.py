"""Resamples audio of any rate to 16 kHz, piece by piece, with a polyphase windowed-sinc low-pass filter."""

from functools import lru_cache
from math import gcd
from typing import Final

import numpy as np
from numpy.typing import NDArray

RATE: Final = 16_000
"""Hz."""
ZERO_CROSSINGS: Final = 16
"""Zero crossings of the sinc on each side: more makes the filter steeper and slower."""
Samples = NDArray[np.float32]


class Resampler:
    """Resamples one channel. Feeding pieces gives the same output as feeding all at once."""

    def __init__(self, rate: int) -> None:
        divisor = gcd(rate, RATE)
        self._up, self._down = RATE // divisor, rate // divisor
        self._same = rate == RATE
        self._half = int(np.ceil(ZERO_CROSSINGS * max(1.0, rate / RATE)))
        self._phases = _phases(self._up, self._down, self._half)
        self._held = np.zeros(self._half, np.float32)
        """Input that is still needed. It begins half a filter before the next output sample."""
        self._position = 0
        """Position of the next output sample in units of 1/up input samples, from the first held sample that may be its
        centre."""

    def feed(self, samples: Samples) -> Samples:
        """Return the 16 kHz samples that can be computed so far. The last half filter waits for more input."""
        if self._same:
            return samples
        self._held = np.concatenate([self._held, samples])
        usable = len(self._held) - 2 * self._half
        count = max(0, -(-(usable * self._up - self._position) // self._down))
        positions = self._position + self._down * np.arange(count)
        starts, phases = positions // self._up, positions % self._up
        windows = self._held[starts[:, None] + np.arange(2 * self._half + 1)[None, :]]
        out: Samples = np.einsum("ij,ij->i", windows, self._phases[phases]).astype(np.float32)
        following = self._position + self._down * count
        done = min(following // self._up, len(self._held))
        self._held = self._held[done:]
        self._position = following - done * self._up
        return out


@lru_cache(maxsize=8)
def _phases(up: int, down: int, half: int) -> NDArray[np.float32]:
    """Return a row of taps for each phase, each of unit gain. An odd rate has 16,000 rows, which takes 0.2 s."""
    cutoff = min(1.0, up / down)
    taps = np.arange(2 * half + 1)[None, :] - half - np.arange(up)[:, None] / up
    window = 0.5 + 0.5 * np.cos(np.pi * np.clip(taps / (half + 1), -1, 1))
    kernel = cutoff * np.sinc(cutoff * taps) * window
    phases: NDArray[np.float32] = (kernel / kernel.sum(axis=1, keepdims=True)).astype(np.float32)
    return phases
