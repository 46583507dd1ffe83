"""The queue of one stream: its audio and Finalize requests that the model has not processed yet, in order.

Times are monotonic seconds; amounts of audio are bytes unless they say seconds."""

from collections import deque
from typing import Final

MAX_BACKLOG_SECONDS: Final = 120.0
"""Seconds of audio that may wait: after a redial, a proxy replays 30 s at once while live audio keeps arriving.

Beyond this the engine stops reading, so the client's writes and pings wait."""
MAX_BACKLOG_BYTES: Final = 16 << 20
MAX_FINALIZES: Final = 64
TURN_SECONDS: Final = 0.5
"""Seconds of audio processed in one turn: the model looks at its audio no more often."""
MAX_TURNS_AT_ONCE: Final = 12
"""Turns that a late stream may join into one. Measured on 44 s of speech: turns of 0.5, 1 and 2 s take 14, 8 and 6 s of
CPU time, turns of 4 and 6 s about 4.5 and 4 s. The words are the same, and no turn takes much longer."""


class Backlog:
    """The audio of one stream that waits or is being processed."""

    def __init__(self, rate: int, block: int) -> None:
        """Create an empty queue. `rate`: blocks a second. `block`: bytes of one sample of all channels."""
        self._bytes_per_second = rate * block
        self._max_bytes = min(MAX_BACKLOG_SECONDS * self._bytes_per_second, MAX_BACKLOG_BYTES)
        self._turn_bytes = int(TURN_SECONDS * rate) * block
        self._audio = bytearray()
        self._taken = 0
        self._in_progress = 0
        """Bytes of the last turn. It counts as being processed until the next one is taken."""
        self._finalizes: deque[int] = deque()
        """The position of each Finalize: bytes of audio before it."""
        self._real_time_end = 0.0
        """When an engine that processes audio in real time would be done with all of it."""

    def add(self, audio: bytes, now: float) -> None:
        """Add audio that arrived."""
        self._audio += audio
        self._real_time_end = max(self._real_time_end, now) + len(audio) / self._bytes_per_second

    def finalize(self) -> None:
        """Add a Finalize, which takes effect after all audio so far."""
        self._finalizes.append(self._taken + len(self._audio))

    @property
    def is_full(self) -> bool:
        """Whether the engine should stop reading from the client."""
        return len(self._audio) >= self._max_bytes or len(self._finalizes) >= MAX_FINALIZES

    def lag(self, now: float) -> float:
        """Return how many seconds the model is behind an engine that processes audio in real time."""
        return max(0.0, self.waiting_seconds - max(0.0, self._real_time_end - now))

    @property
    def waiting_seconds(self) -> float:
        """Return the seconds of audio that wait or are being processed."""
        return (len(self._audio) + self._in_progress) / self._bytes_per_second

    def pop_finalize(self) -> bool:
        """Remove the next item if it is a Finalize, and return whether it was."""
        if not self._finalizes or self._finalizes[0] > self._taken:
            return False
        self._finalizes.popleft()
        return True

    def take(self, now: float, *, rest: bool = False) -> bytes:
        """Remove and return the audio of the next turn; empty if too little has arrived.

        A turn is shorter than TURN_SECONDS only before a Finalize, or at the end if `rest` is true.
        """
        turns = min(max(1, int(self.lag(now) / TURN_SECONDS)), MAX_TURNS_AT_ONCE)
        until = self._finalizes[0] - self._taken if self._finalizes else len(self._audio)
        size = min(until, turns * self._turn_bytes)
        if size >= self._turn_bytes:
            size -= size % self._turn_bytes
        elif not self._finalizes and not rest:
            size = 0
        audio = bytes(self._audio[:size])
        del self._audio[:size]
        self._taken += size
        self._in_progress = size
        return audio

    def clear(self) -> None:
        """Drop everything that waits, because the client is gone."""
        self._audio.clear()
        self._finalizes.clear()
