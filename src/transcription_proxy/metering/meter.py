"""The meter of one session: which bytes its grant covers, and what they cost. Integers only (money 1-5, 12, 14).

`admit` runs for every audio frame; all else runs a few times a minute."""

from typing import Final

MICRO: Final = 1_000_000
SETTLE_SECONDS: Final = 8
"""A settle is due at this much unsettled audio (money 12). While settles fail, no more than that passes unseen."""
PAUSE_SECONDS: Final = 10
"""At this much unsettled audio nothing more is forwarded, unless settles fail (money 12)."""


def credits(nbytes: int, bytes_per_second: int, micro: int) -> int:
    """Credits of `nbytes` of audio at `micro` micro-credits a second for all channels billed, rounded up once."""
    return -(-nbytes * micro // (bytes_per_second * MICRO))


def credits_of_ms(milliseconds: int, micro: int) -> int:
    """Credits of that much audio at `micro` micro-credits a second for all channels billed, rounded up once."""
    return -(-milliseconds * micro // (1000 * MICRO))


def covered_bytes(grant: int, bytes_per_second: int, micro: int, block: int) -> int:
    """The most bytes, in whole blocks, whose credits do not exceed `grant`."""
    return grant * MICRO * bytes_per_second // micro // block * block


class Meter:
    """Counts the bytes forwarded against a grant that ends at a time.

    `allowance` is how many more bytes may pass before anybody has to decide anything: up to the end of the
    grant, the next settle or the pause, whichever is nearest, and none while shut. A frame within it passes
    by `admit`; any other is for `take`, which cuts it. Times are monotonic seconds.
    """

    __slots__ = (
        "_asked", "_covered", "_lenient", "_micro", "_open", "allowance", "block", "expires",
        "forwarded", "grant", "last_audio", "rate", "settled",
    )  # fmt: skip

    def __init__(self, bytes_per_second: int, block: int, micro: int, grant: int, now: float, expires: float) -> None:
        """`micro`: micro-credits a second for all channels billed. Starts shut."""
        self.rate = bytes_per_second
        self.block = block
        self._micro = micro
        self.forwarded = 0
        """Bytes that went upstream, each once."""
        self.settled = 0
        """Bytes of those that the ledger has confirmed."""
        self._asked: int | None = None
        """Bytes stated by the settle that is under way."""
        self._lenient = False
        """Settles fail: go on inside the grant, past the pause."""
        self._open = False
        self.last_audio = now
        self.allowance = 0
        self.regrant(grant, expires)

    def admit(self, nbytes: int, now: float) -> bool:
        """Whether this frame passes whole, with nothing to decide. Counts it if so."""
        if nbytes > self.allowance or now >= self.expires:
            return False
        self.allowance -= nbytes
        self.forwarded += nbytes
        self.last_audio = now
        return True

    def take(self, nbytes: int, now: float) -> int:
        """How many of these bytes may pass now, cut at a block (money 14). Counts them."""
        taken = max(0, min(nbytes, self._limit() - self.forwarded)) if now < self.expires else 0
        if taken:
            self.forwarded += taken
            self.last_audio = now
        self._reckon()
        return taken

    def open(self) -> None:
        """Let frames pass by `admit`."""
        self._open = True
        self._reckon()

    def shut(self) -> None:
        """Let no frame pass by `admit`: all have to queue."""
        self._open = False
        self._reckon()

    def ask(self) -> int:
        """A settle is under way from now on; the total, absolute, that it states (money 2)."""
        self._asked = self.forwarded
        self._reckon()
        return self.total

    def answered(self, grant: int, expires: float) -> None:
        """The settle under way was booked, and answered with this grant."""
        self.settled = self.settled if self._asked is None else self._asked
        self._asked = None
        self._lenient = False
        self.regrant(grant, expires)

    def failed(self) -> None:
        """The settle under way was lost: its bytes are stated again by the next one."""
        self._asked = None
        self._lenient = True
        self._reckon()

    def regrant(self, grant: int, expires: float) -> None:
        """Obey this grant from now on, whether higher or lower."""
        self.grant = grant
        self.expires = expires
        self._covered = covered_bytes(grant, self.rate, self._micro, self.block)
        self._reckon()

    @property
    def asking(self) -> bool:
        return self._asked is not None

    @property
    def total(self) -> int:
        """Credits used so far, absolute (money 2)."""
        return credits(self.forwarded, self.rate, self._micro)

    @property
    def exhausted(self) -> bool:
        """Whether not even one more block is covered."""
        return self._covered - self.forwarded < self.block

    @property
    def due(self) -> bool:
        """Whether a settle should be asked for: 8 s of audio or half the hold, none under way or failed (money 12)."""
        return not (self.asking or self._lenient) and self.forwarded >= self._due_at()

    def _due_at(self) -> int:
        half = self.settled + max(self.block, (self._covered - self.settled) // 2)
        return min(self.settled + SETTLE_SECONDS * self.rate, half)

    def _limit(self) -> int:
        """The byte count that must not be passed before the next answer."""
        if self._lenient:
            return self._covered
        return min(self._covered, (self.settled + PAUSE_SECONDS * self.rate) // self.block * self.block)

    def _reckon(self) -> None:
        until = self._limit()
        if self._lenient:
            until = min(until, self.forwarded + SETTLE_SECONDS * self.rate)
        elif not self.asking:
            until = min(until, self._due_at() - 1)  # the frame that makes a settle due is for `take`
        self.allowance = max(0, until - self.forwarded) if self._open else 0
