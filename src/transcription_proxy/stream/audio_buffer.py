"""The raw audio of a session that may still be needed: what was not sent yet, and what a new upstream must get again.

Positions are bytes of the client's audio since the session began. Requests of the client (finalize, stop) keep their
place between the bytes."""

from collections import deque
from itertools import chain
from typing import Final

from transcription_wire.messages import Finalize, Stop

ClientRequest = Finalize | Stop
MAX_WAITING_REQUESTS: Final = 64
"""Requests that may wait before the relay stops reading from the client."""
MAX_NEW_FRAMES: Final = 64
"""Recorded frames that are not counted yet."""
SMALL_BYTES: Final = 1024
"""Frames smaller than this are joined: each object costs some 40 bytes more than its audio."""


class AudioBuffer:
    """Audio in two queues: what was sent to the current upstream, kept for a replay, and what was not sent yet.

    The queues hold the frames as they came, so that a frame's bytes are copied once and freed as they are. Queues that
    are mostly empty are lists: an empty deque takes 600 bytes more.
    """

    __slots__ = (
        "_begin",
        "_block",
        "_finalized_at",
        "_new",
        "_requests",
        "_sent",
        "_sent_bytes",
        "_skip",
        "_waiting",
        "unsent",
    )

    def __init__(self, block: int) -> None:
        """`block`: bytes of one sample of all channels. Audio is only cut at a multiple of it."""
        self._block = block
        self._sent: deque[bytes] = deque()
        self._skip = 0
        """Bytes of the first sent piece that were discarded."""
        self._sent_bytes = 0
        self._new: list[bytes] = []
        """Frames that were recorded and do not count yet: `_count_new` appends them to `_sent`."""
        self._waiting: list[bytes] = []
        self._begin = 0
        self._requests: list[tuple[int, ClientRequest]] = []
        self._finalized_at: int | None = None
        self.unsent = 0
        """Bytes that were not sent to the current upstream."""

    def __len__(self) -> int:
        """Return the number of bytes kept."""
        return self.position - self._begin + self.unsent

    @property
    def end(self) -> int:
        """The position after the client's last byte."""
        return self.position + self.unsent

    @property
    def position(self) -> int:
        """The position of the next byte to send."""
        self._count_new()
        return self._begin + self._sent_bytes

    @property
    def has_pending(self) -> bool:
        """Whether audio or a request waits to be sent."""
        return self.unsent > 0 or bool(self._requests)

    @property
    def has_too_many_requests(self) -> bool:
        """Whether MAX_WAITING_REQUESTS wait."""
        return len(self._requests) >= MAX_WAITING_REQUESTS

    def record(self, frame: bytes) -> None:
        """Add a frame that was sent in the same moment, while nothing waited. Most frames cause nothing else."""
        self._new.append(frame)
        if len(self._new) >= MAX_NEW_FRAMES:
            self._count_new()

    def append(self, audio: bytes) -> None:
        """Add audio that cannot be sent now."""
        self.unsent += len(audio)
        if self._waiting and len(self._waiting[-1]) < SMALL_BYTES:
            audio = self._waiting.pop() + audio
        self._waiting.append(audio)

    def add_request(self, request: ClientRequest) -> None:
        """Add a request that takes effect after all audio so far. A repetition at the same position is dropped."""
        if not self._requests or self._requests[-1] != (self.end, request):
            self._requests.append((self.end, request))

    def pop_request(self) -> ClientRequest | None:
        """Remove and return the request that is next, None if audio comes before it or there is none."""
        if not self._requests or self._requests[0][0] > self.position:
            return None
        at, request = self._requests.pop(0)
        if isinstance(request, Finalize):
            self._finalized_at = at
        return request

    def sendable_bytes(self, limit: int) -> int:
        """Return how many bytes may be sent in one frame: `limit` at most, and none beyond the next request."""
        until = self._requests[0][0] if self._requests else self.end
        return min(limit, until - self.position)

    def take(self, nbytes: int) -> bytes:
        """Return the next bytes and count them as sent."""
        self._count_new()
        pieces = []
        missing = nbytes
        while missing > 0:
            piece = self._waiting.pop(0)
            if len(piece) > missing:
                self._waiting.insert(0, piece[missing:])
                piece = piece[:missing]
            pieces.append(piece)
            missing -= len(piece)
        taken = b"".join(pieces)  # a single piece is not copied
        if taken:
            self._sent.append(taken)
        self._sent_bytes += nbytes
        self.unsent -= nbytes
        return taken

    def first(self, nbytes: int) -> bytes:
        """Return the session's first bytes, none once they were discarded."""
        if self._begin:
            return b""
        self._count_new()
        pieces, found = [], 0
        for piece in chain(self._sent, self._waiting):
            pieces.append(piece)
            found += len(piece)
            if found >= nbytes:
                break
        return b"".join(pieces)[:nbytes]

    def last(self, nbytes: int) -> bytes:
        """Return the newest bytes, in whole blocks."""
        kept = len(self)
        start = max(0, kept - nbytes) // self._block * self._block
        pieces, begin = deque[bytes](), kept
        for piece in chain(reversed(self._waiting), reversed(self._sent)):
            if begin <= start:
                break
            pieces.appendleft(piece)
            begin -= len(piece)
        return b"".join(pieces)[start - begin : kept // self._block * self._block - begin]

    def discard_before(self, position: int) -> None:
        """Discard the audio before `position`, except what was not sent yet."""
        until = min(position, self.position) // self._block * self._block
        nbytes = until - self._begin
        if nbytes <= 0:
            return
        self._begin = until
        self._sent_bytes -= nbytes
        self._skip += nbytes
        while self._sent and len(self._sent[0]) <= self._skip:
            self._skip -= len(self._sent.popleft())

    def trim(self, nbytes: int) -> None:
        """Keep about `nbytes` of the audio that was sent, and all that was not."""
        self.discard_before(self.position - nbytes)

    def rewind(self) -> None:
        """Mark everything as unsent, for another upstream, with the last Finalize that was sent."""
        self._count_new()
        if self._skip:
            self._sent[0] = self._sent[0][self._skip :]
        self._waiting[:0] = self._sent
        self._sent.clear()
        self.unsent += self._sent_bytes
        self._sent_bytes = self._skip = 0
        if self._finalized_at is not None and self._finalized_at > self._begin:
            self._requests.insert(0, (self._finalized_at, Finalize()))
        self._finalized_at = None

    def _count_new(self) -> None:
        """Append the recorded frames to the audio that was sent, small ones joined."""
        new = self._new
        if not new:
            return
        nbytes = sum(map(len, new))
        if nbytes < SMALL_BYTES * len(new):
            self._sent.append(b"".join(new))
        else:
            self._sent.extend(new)
        self._sent_bytes += nbytes
        new.clear()
