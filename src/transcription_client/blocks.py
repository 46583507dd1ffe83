"""Passes blocks of audio from the thread that captures them to an event loop."""

import asyncio
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from typing import Final

from transcription_client.core import Format
from transcription_client.errors import ClientError

MOST_BYTES: Final = 10 * Format().bytes_per_second
"""Audio that is kept while the event loop is blocked. With more, the oldest is dropped."""


class Blocks:
    """A queue of audio. The event loop is woken once for all waiting blocks.

    `on_taken` is called in the event loop with the size of each block that is taken, and when it was put there
    (monotonic seconds)."""

    def __init__(
        self, loop: asyncio.AbstractEventLoop, on_taken: Callable[[int, float], None] = lambda nbytes, at: None
    ) -> None:
        self._loop = loop
        self._on_taken = on_taken
        self._lock = threading.Lock()
        self._waiting: deque[tuple[bytes, float]] = deque()
        self._nbytes = 0
        self._missed = 0
        self._ended = False
        self._there = asyncio.Event()

    def put(self, sound: bytes) -> None:
        """Add a block. May be called from any thread."""
        with self._lock:
            self._waiting.append((sound, time.monotonic()))
            self._nbytes += len(sound)
            while self._nbytes > MOST_BYTES:
                self._missed += len(self._pop()[0])
            first = len(self._waiting) == 1
        if first:
            self._wake()

    def end(self) -> None:
        """Note that the source has stopped. May be called from any thread."""
        self._ended = True
        self._wake()

    def take_missed(self) -> int:
        """Return how many bytes were dropped since the last call."""
        with self._lock:
            missed, self._missed = self._missed, 0
        return missed

    async def arriving(self, ended: str) -> AsyncIterator[bytes]:
        """Yield blocks as they arrive. Raise ClientError(`ended`) once the source has stopped."""
        while True:
            await self._there.wait()
            self._there.clear()
            while sound := self._take():
                yield sound
            if self._ended:
                raise ClientError(ended)

    def _take(self) -> bytes:
        with self._lock:
            sound, at = self._pop() if self._waiting else (b"", 0.0)
        if sound:
            self._on_taken(len(sound), at)
        return sound

    def _pop(self) -> tuple[bytes, float]:
        sound, at = self._waiting.popleft()
        self._nbytes -= len(sound)
        return sound, at

    def _wake(self) -> None:
        try:
            self._loop.call_soon_threadsafe(self._there.set)
        except RuntimeError:
            return  # the event loop is closed, because the program ends
