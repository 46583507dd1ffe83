"""The raw audio of a session that may still be needed: what was not sent yet, and what a new upstream must get again.

Positions are bytes of the client's audio since the session began. Requests of the client (finalize, stop) keep their
place between the bytes."""

from collections import deque
from typing import Final

from transcription_wire.messages import Finalize, Stop

ClientRequest = Finalize | Stop
MAX_WAITING_REQUESTS: Final = 64
"""Requests that may wait before the relay stops reading from the client."""


class AudioBuffer:
    """The last `unsent` bytes have not been sent to the current upstream; those before them are kept for a replay.

    `record` appends audio that was sent in the same moment. Most frames cause nothing else.
    """

    __slots__ = ("_audio", "_begin", "_block", "_finalized_at", "_requests", "record", "unsent")

    def __init__(self, block: int) -> None:
        """`block`: bytes of one sample of all channels. Audio is only cut at a multiple of it."""
        self._block = block
        self._audio = bytearray()
        self._begin = 0
        self._requests: deque[tuple[int, ClientRequest]] = deque()
        self._finalized_at: int | None = None
        self.record = self._audio.extend
        self.unsent = 0

    def __len__(self) -> int:
        """Return the number of bytes kept."""
        return len(self._audio)

    @property
    def end(self) -> int:
        """The position after the client's last byte."""
        return self._begin + len(self._audio)

    @property
    def position(self) -> int:
        """The position of the next byte to send."""
        return self.end - self.unsent

    @property
    def has_pending(self) -> bool:
        """Whether audio or a request waits to be sent."""
        return self.unsent > 0 or bool(self._requests)

    @property
    def has_too_many_requests(self) -> bool:
        """Whether MAX_WAITING_REQUESTS wait."""
        return len(self._requests) >= MAX_WAITING_REQUESTS

    def append(self, audio: bytes) -> None:
        """Add audio that cannot be sent now."""
        self._audio += audio
        self.unsent += len(audio)

    def add_request(self, request: ClientRequest) -> None:
        """Add a request that takes effect after all audio so far. A repetition at the same position is dropped."""
        if not self._requests or self._requests[-1] != (self.end, request):
            self._requests.append((self.end, request))

    def pop_request(self) -> ClientRequest | None:
        """Remove and return the request that is next, None if audio comes before it or there is none."""
        if not self._requests or self._requests[0][0] > self.position:
            return None
        at, request = self._requests.popleft()
        if isinstance(request, Finalize):
            self._finalized_at = at
        return request

    def sendable_bytes(self, limit: int) -> int:
        """Return how many bytes may be sent in one frame: `limit` at most, and none beyond the next request."""
        until = self._requests[0][0] if self._requests else self.end
        return min(limit, until - self.position)

    def take(self, nbytes: int) -> bytes:
        """Return the next bytes and count them as sent."""
        start = len(self._audio) - self.unsent
        self.unsent -= nbytes
        return bytes(self._audio[start : start + nbytes])

    def first(self, nbytes: int) -> bytes:
        """Return the session's first bytes, none once they were discarded."""
        return b"" if self._begin else bytes(self._audio[:nbytes])

    def last(self, nbytes: int) -> bytes:
        """Return the newest bytes, in whole blocks."""
        end = len(self._audio) // self._block * self._block
        return bytes(self._audio[max(0, len(self._audio) - nbytes) // self._block * self._block : end])

    def discard_before(self, position: int) -> None:
        """Discard the audio before `position`, except what was not sent yet."""
        until = min(position, self.position) // self._block * self._block
        if until > self._begin:
            del self._audio[: until - self._begin]
            self._begin = until

    def trim(self, nbytes: int) -> None:
        """Keep about `nbytes` of the audio that was sent, and all that was not."""
        self.discard_before(self.position - nbytes)

    def rewind(self) -> None:
        """Mark everything as unsent, for another upstream, with the last Finalize that was sent."""
        self.unsent = len(self._audio)
        if self._finalized_at is not None and self._finalized_at > self._begin:
            self._requests.appendleft((self._finalized_at, Finalize()))
        self._finalized_at = None
