"""The raw audio of a session that may still be needed: what has not gone up yet, and what a new upstream must hear.

Positions are bytes of the client's audio since the session began. Requests of the client stand between the bytes."""

from collections import deque
from typing import Final

from transcription_wire.messages import Finalize, Stop

Mark = Finalize | Stop
MOST_MARKS: Final = 64
"""Requests that may wait: with more, reading pauses."""


class Tape:
    """`unsent` bytes at its end have not gone to the present upstream; those before them are kept for a replay.

    `record` takes audio that went up in the same moment: it is all that happens for most frames.
    """

    __slots__ = ("_audio", "_begin", "_block", "_finalized_at", "_marks", "record", "unsent")

    def __init__(self, block: int) -> None:
        """`block`: bytes of a sample of all channels; it is cut nowhere else."""
        self._block = block
        self._audio = bytearray()
        self._begin = 0
        self._marks: deque[tuple[int, Mark]] = deque()
        self._finalized_at: int | None = None
        self.record = self._audio.extend
        self.unsent = 0

    def __len__(self) -> int:
        return len(self._audio)

    @property
    def end(self) -> int:
        """Position after the last byte of the client's."""
        return self._begin + len(self._audio)

    @property
    def position(self) -> int:
        """Of the next byte that is to go up."""
        return self.end - self.unsent

    @property
    def waits(self) -> bool:
        """Whether anything is to go up yet."""
        return self.unsent > 0 or bool(self._marks)

    @property
    def crowded(self) -> bool:
        """Whether too many requests wait."""
        return len(self._marks) >= MOST_MARKS

    def append(self, audio: bytes) -> None:
        """Audio that cannot go up now."""
        self._audio += audio
        self.unsent += len(audio)

    def mark(self, request: Mark) -> None:
        """A request that takes effect after all audio so far. The same one twice in a row is one."""
        if not self._marks or self._marks[-1] != (self.end, request):
            self._marks.append((self.end, request))

    def due(self) -> Mark | None:
        """The request whose turn it is, once."""
        if not self._marks or self._marks[0][0] > self.position:
            return None
        at, request = self._marks.popleft()
        if isinstance(request, Finalize):
            self._finalized_at = at
        return request

    def piece(self, most: int) -> int:
        """How many bytes may go up next, up to the next request."""
        until = self._marks[0][0] if self._marks else self.end
        return min(most, until - self.position)

    def take(self, nbytes: int) -> bytes:
        """The next bytes, which go up now."""
        start = len(self._audio) - self.unsent
        self.unsent -= nbytes
        return bytes(self._audio[start : start + nbytes])

    def first(self, nbytes: int) -> bytes:
        """Return the first bytes of the session, none once they are forgotten."""
        return b"" if self._begin else bytes(self._audio[:nbytes])

    def last(self, nbytes: int) -> bytes:
        """Return the newest bytes that are kept, in whole blocks."""
        end = len(self._audio) // self._block * self._block
        return bytes(self._audio[max(0, len(self._audio) - nbytes) // self._block * self._block : end])

    def forget(self, position: int) -> None:
        """What lies before `position` is never needed again; what has not gone up is kept in any case."""
        until = min(position, self.position) // self._block * self._block
        if until > self._begin:
            del self._audio[: until - self._begin]
            self._begin = until

    def bound(self, nbytes: int) -> None:
        """Keeps about `nbytes` of what went up, beside what has not."""
        self.forget(self.position - nbytes)

    def rewind(self) -> None:
        """All that is kept has to go up again, to another upstream; so has the last Finalize among it."""
        self.unsent = len(self._audio)
        if self._finalized_at is not None and self._finalized_at > self._begin:
            self._marks.appendleft((self._finalized_at, Finalize()))
        self._finalized_at = None
