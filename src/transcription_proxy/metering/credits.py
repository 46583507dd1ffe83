"""What audio costs and what credits cover, in integers only (money 1-3)."""

from typing import Final

MICRO: Final = 1_000_000
"""Micro-credits in a credit, and millionths in a dollar."""


def credits(nbytes: int, bytes_per_second: int, micro: int) -> int:
    """Return the credits of `nbytes` of audio at `micro` micro-credits a second for all channels billed, rounded up."""
    return -(-nbytes * micro // (bytes_per_second * MICRO))


def credits_of_ms(milliseconds: int, micro: int) -> int:
    """Return the credits of so many milliseconds at `micro` micro-credits a second for all channels, rounded up."""
    return -(-milliseconds * micro // (1000 * MICRO))


def covered_bytes(grant: int, bytes_per_second: int, micro: int, block: int) -> int:
    """Return the most bytes, in whole blocks, whose credits do not exceed `grant`."""
    return grant * MICRO * bytes_per_second // micro // block * block
