"""Lets events collect between two turns of the event loop while many frames come, so that a turn handles several.

A turn adds half to the cost of a frame that has it for itself: the kernel wakes the process, and the event loop asks
what has come. Drivers of network cards do the same, and call it interrupt moderation (docs/decisions/0030)."""

import asyncio
from time import monotonic, sleep
from typing import Final

BUSY_FRAMES: Final = 4000
"""Audio frames a second from which on turns are kept apart. With fewer, the rests save little."""
TURN_SECONDS: Final = 0.0005
"""Time from the start of a turn to the start of the next, at least."""


class Turns:
    """The turns of the running event loop."""

    def __init__(self) -> None:
        self._is_busy = False
        self._next: asyncio.Handle | None = None
        self._begun_at = 0.0

    def pace(self, frames: float) -> None:
        """Keep turns apart, or no longer. `frames`: audio frames a second."""
        self._is_busy = frames >= BUSY_FRAMES
        if self._is_busy and self._next is None:
            self._rest()

    def _rest(self) -> None:
        """Sleep until the next turn may begin, unless the last one took as long as that. Called once in each turn."""
        early = self._begun_at + TURN_SECONDS - monotonic()
        if early > 0:
            sleep(early)
        self._begun_at = monotonic()
        self._next = asyncio.get_running_loop().call_soon(self._rest) if self._is_busy else None
