"""The meter of one session: which bytes its grant covers, and what they cost. Integers only (money 1-5, 12, 14).

`admit` runs for every audio frame, everything else a few times a minute."""

from typing import Final

MICRO: Final = 1_000_000
"""Micro-credits in a credit, and millionths in a dollar."""
SETTLE_SECONDS: Final = 8
"""Seconds of unsettled audio at which a settle is due (money 12). While settles fail, no more than this passes `admit`
in a row."""
PAUSE_SECONDS: Final = 10
"""Seconds of unsettled audio at which nothing more is forwarded, unless settles fail (money 12)."""


def credits(nbytes: int, bytes_per_second: int, micro: int) -> int:
    """Return the credits of `nbytes` of audio at `micro` micro-credits a second for all channels billed, rounded up."""
    return -(-nbytes * micro // (bytes_per_second * MICRO))


def credits_of_ms(milliseconds: int, micro: int) -> int:
    """Return the credits of so many milliseconds at `micro` micro-credits a second for all channels, rounded up."""
    return -(-milliseconds * micro // (1000 * MICRO))


def covered_bytes(grant: int, bytes_per_second: int, micro: int, block: int) -> int:
    """Return the most bytes, in whole blocks, whose credits do not exceed `grant`."""
    return grant * MICRO * bytes_per_second // micro // block * block


class Meter:
    """Counts forwarded bytes against a grant, which ends at a time. A new meter is shut.

    `allowance`: bytes that may pass before there is a decision to make: up to the end of the grant, the next settle or
    the pause, whichever comes first, and 0 while shut. A frame within it passes `admit`; any other frame is buffered,
    and `take` says how much of it may go. Times are monotonic seconds.
    """

    __slots__ = (
        "_covered",
        "_is_lenient",
        "_is_open",
        "_micro",
        "_stated",
        "allowance",
        "block",
        "bytes_per_second",
        "expires",
        "forwarded",
        "grant",
        "last_audio",
        "settled",
    )  # fmt: skip

    def __init__(self, bytes_per_second: int, block: int, micro: int, grant: int, now: float, expires: float) -> None:
        """`micro`: micro-credits a second for all channels billed. `expires`: when the grant ends."""
        self.bytes_per_second = bytes_per_second
        self.block = block
        self._micro = micro
        self.forwarded = 0
        """Bytes sent upstream, each counted once."""
        self.settled = 0
        """Forwarded bytes that the ledger has booked."""
        self._stated: int | None = None
        """Forwarded bytes when the settle under way was sent, None if none is under way."""
        self._is_lenient = False
        """Settles fail, so the whole grant may be used, beyond PAUSE_SECONDS."""
        self._is_open = False
        self.last_audio = now
        self.allowance = 0
        self.regrant(grant, expires)

    def admit(self, nbytes: int, now: float) -> bool:
        """Count a frame and return True if it fits the allowance; otherwise return False."""
        if nbytes > self.allowance or now >= self.expires:
            return False
        self.allowance -= nbytes
        self.forwarded += nbytes
        self.last_audio = now
        return True

    def take(self, nbytes: int, now: float) -> int:
        """Count as many of `nbytes` as the grant covers, in whole blocks (money 14), and return their number."""
        taken = max(0, min(nbytes, self._byte_limit() - self.forwarded)) if now < self.expires else 0
        if taken:
            self.forwarded += taken
            self.last_audio = now
        self._update_allowance()
        return taken

    def open(self) -> None:
        """Let `admit` accept frames."""
        self._is_open = True
        self._update_allowance()

    def shut(self) -> None:
        """Let `admit` refuse all frames, so that they are buffered."""
        self._is_open = False
        self._update_allowance()

    def begin_settle(self) -> int:
        """Record that a settle is sent now; return the absolute total that it must state (money 2)."""
        self._stated = self.forwarded
        self._update_allowance()
        return self.total

    def complete_settle(self, grant: int, expires: float) -> None:
        """Record that the settle under way was booked and answered with this grant."""
        self.settled = self.settled if self._stated is None else self._stated
        self._stated = None
        self._is_lenient = False
        self.regrant(grant, expires)

    def fail_settle(self) -> None:
        """Record that the settle under way failed. The next one states its bytes again."""
        self._stated = None
        self._is_lenient = True
        self._update_allowance()

    def regrant(self, grant: int, expires: float) -> None:
        """Apply a new grant, higher or lower."""
        self.grant = grant
        self.expires = expires
        self._covered = covered_bytes(grant, self.bytes_per_second, self._micro, self.block)
        self._update_allowance()

    @property
    def is_settling(self) -> bool:
        """Whether a settle is under way."""
        return self._stated is not None

    @property
    def total(self) -> int:
        """Credits used so far, absolute (money 2)."""
        return credits(self.forwarded, self.bytes_per_second, self._micro)

    @property
    def is_exhausted(self) -> bool:
        """Whether the grant covers not even one more block."""
        return self._covered - self.forwarded < self.block

    @property
    def is_settle_due(self) -> bool:
        """Whether to send a settle: at 8 s of unsettled audio or half the hold, none under way or failed (money 12)."""
        return not (self.is_settling or self._is_lenient) and self.forwarded >= self._settle_due_at()

    def _settle_due_at(self) -> int:
        half = self.settled + max(self.block, (self._covered - self.settled) // 2)
        return min(self.settled + SETTLE_SECONDS * self.bytes_per_second, half)

    def _byte_limit(self) -> int:
        """Return the number of forwarded bytes not to exceed before the next answer."""
        if self._is_lenient:
            return self._covered
        return min(self._covered, (self.settled + PAUSE_SECONDS * self.bytes_per_second) // self.block * self.block)

    def _update_allowance(self) -> None:
        until = self._byte_limit()
        if self._is_lenient:
            until = min(until, self.forwarded + SETTLE_SECONDS * self.bytes_per_second)
        elif not self.is_settling:
            until = min(until, self._settle_due_at() - 1)  # the frame that makes a settle due is not admitted
        self.allowance = max(0, until - self.forwarded) if self._is_open else 0
