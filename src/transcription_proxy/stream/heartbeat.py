"""Finds a peer that is gone without a word: silent for a while, it is pinged; silent after that, it is dead."""

from enum import Enum, auto
from typing import Final

QUIET_SECONDS: Final = 10.0
"""Ping after this long without a sign; dead after as long again: within 30 s in all."""


class Verdict(Enum):
    ALIVE = auto()
    PING = auto()
    DEAD = auto()


class Heartbeat:
    """One peer's signs of life. Times are monotonic seconds."""

    __slots__ = ("_heard", "_pinged")

    def __init__(self, now: float) -> None:
        self._heard = now
        self._pinged: float | None = None

    def heard(self, now: float) -> None:
        """The peer sent something."""
        if now > self._heard:
            self._heard = now
            self._pinged = None

    def check(self, now: float) -> Verdict:
        """What to do about the peer now. PING is answered once for each silence."""
        if now < self.deadline:
            return Verdict.ALIVE
        if self._pinged is not None:
            return Verdict.DEAD
        self._pinged = now
        return Verdict.PING

    @property
    def deadline(self) -> float:
        """When to check again."""
        return (self._heard if self._pinged is None else self._pinged) + QUIET_SECONDS
