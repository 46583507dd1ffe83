"""Detects a peer that vanished without closing its socket: a quiet peer is pinged, one that stays quiet is dead."""

from enum import Enum, auto
from typing import Final

QUIET_SECONDS: Final = 10.0
"""Seconds without traffic before a ping, and again from the ping to the verdict: a dead peer is found within 30 s."""


class Verdict(Enum):
    """What `Heartbeat.check` found."""

    ALIVE = auto()
    PING = auto()
    """The peer is quiet: send a ping now."""
    DEAD = auto()


class Heartbeat:
    """When one peer last sent anything. Times are monotonic seconds."""

    __slots__ = ("_pinged_at", "_traffic_at")

    def __init__(self, now: float) -> None:
        self._traffic_at = now
        self._pinged_at: float | None = None

    def record_traffic(self, now: float) -> None:
        """Record that the peer sent something. An older time than the last one is ignored."""
        if now > self._traffic_at:
            self._traffic_at = now
            self._pinged_at = None

    def check(self, now: float) -> Verdict:
        """Return what to do about the peer. PING is returned once for each silence."""
        if now < self.deadline:
            return Verdict.ALIVE
        if self._pinged_at is not None:
            return Verdict.DEAD
        self._pinged_at = now
        return Verdict.PING

    @property
    def deadline(self) -> float:
        """When to check again."""
        return (self._traffic_at if self._pinged_at is None else self._pinged_at) + QUIET_SECONDS

    def deadline_given(self, traffic_at: float) -> float:
        """Return when to check again if the peer last sent something at `traffic_at`, which is not recorded yet."""
        return traffic_at + QUIET_SECONDS if traffic_at > self._traffic_at else self.deadline
