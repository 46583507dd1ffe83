"""What a client sent and the model has not heard yet, in order, and by how much it is late.

Times are monotonic seconds, amounts of audio are bytes unless they say seconds."""

from collections import deque
from typing import Final

MOST: Final = 120.0
"""Seconds of audio that may wait: a proxy says 30 s again at once after a redial, and live audio comes meanwhile.

Beyond it the client's writes wait, and so do its pings."""
MOST_BYTES: Final = 16 << 20
MOST_FINALIZES: Final = 64
TURN: Final = 0.5
"""Seconds of audio heard in one go: the model looks no more often."""
TURNS_AT_ONCE: Final = 12
"""Of a stream that is late. Measured on 44 s of speech: turns of 0.5, 1, 2 s take 14, 8, 6 s of a core, turns of 4 and
6 s three quarters and two thirds of the last figure. The words are the same, and no turn takes much longer."""


class Backlog:
    """Of one stream. `block`: bytes of a sample of all channels, `rate`: of them a second."""

    def __init__(self, rate: int, block: int) -> None:
        self._second = rate * block
        self._most = min(MOST * self._second, MOST_BYTES)
        self._turn = int(TURN * rate) * block
        self._audio = bytearray()
        self._taken = 0
        self._in_ear = 0
        """What was taken last: it is being heard until more is taken."""
        self._finalizes: deque[int] = deque()
        """How much audio came before each."""
        self._in_time_until = 0.0
        """When somebody who hears at the speed of speech would have heard all that came."""

    def add(self, audio: bytes, now: float) -> None:
        self._audio += audio
        self._in_time_until = max(self._in_time_until, now) + len(audio) / self._second

    def finalize(self) -> None:
        """A request that takes effect after all audio so far."""
        self._finalizes.append(self._taken + len(self._audio))

    @property
    def full(self) -> bool:
        return len(self._audio) >= self._most or len(self._finalizes) >= MOST_FINALIZES

    def late(self, now: float) -> float:
        """Seconds that the model is behind somebody who hears at the speed of speech. A client may be ahead of that."""
        return max(0.0, self.unheard - max(0.0, self._in_time_until - now))

    @property
    def unheard(self) -> float:
        """Seconds of audio that wait or are being heard."""
        return (len(self._audio) + self._in_ear) / self._second

    def due(self) -> bool:
        """Whether a Finalize is next, once."""
        if not self._finalizes or self._finalizes[0] > self._taken:
            return False
        self._finalizes.popleft()
        return True

    def take(self, now: float, *, rest: bool = False) -> bytes:
        """The next turn; less than one only before a Finalize or, of the `rest`, at the end. Empty: wait for more."""
        turns = min(max(1, int(self.late(now) / TURN)), TURNS_AT_ONCE)
        until = self._finalizes[0] - self._taken if self._finalizes else len(self._audio)
        size = min(until, turns * self._turn)
        if size >= self._turn:
            size -= size % self._turn
        elif not self._finalizes and not rest:
            size = 0
        audio = bytes(self._audio[:size])
        del self._audio[:size]
        self._taken += size
        self._in_ear = size
        return audio

    def clear(self) -> None:
        """Nobody waits for it any more."""
        self._audio.clear()
        self._finalizes.clear()
