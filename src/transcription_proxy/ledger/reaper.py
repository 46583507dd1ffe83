"""Decides when to end sessions whose lease has expired (money 21).

A host that may itself have kept sessions from renewing their leases waits for one lease first."""

from collections.abc import Callable
from typing import Final, Protocol

from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.entries import LEASE_SECONDS, Ended

REAP_EVERY_SECONDS: Final = 15.0
LONGEST_GAP_SECONDS: Final = 30.0
"""A longer time between two ticks means that this host was suspended, or a clock was set."""


class Reapable(Protocol):
    """The part of the ledger that the reaper needs."""

    async def clock(self) -> float: ...

    async def prove_writable(self) -> None: ...

    async def cut_leases(self) -> int: ...

    async def reap(self, by: float) -> list[Ended]: ...


class Reaper:
    """Ends abandoned sessions. A task calls `tick` every REAP_EVERY_SECONDS.

    `monotonic` stops while the machine is suspended and `wall` may be set, so a gap by either clock counts. So does a
    gap by the database's clock, by which leases expire. `failures`: how many settles and renewals of this process have
    failed; each new failure counts as the database having been away.
    """

    def __init__(
        self,
        ledger: Reapable,
        monotonic: Callable[[], float],
        wall: Callable[[], float],
        failures: Callable[[], int] = lambda: 0,
    ) -> None:
        self._ledger = ledger
        self._clocks = (monotonic, wall)
        self._failures = failures
        self._failures_seen = 0
        self._last: tuple[float, ...] | None = None
        self._waits_until = 0.0

    async def tick(self) -> list[Ended]:
        """End the sessions whose lease has expired, unless it must wait, and return them. Raise Unavailable."""
        try:
            await self._ledger.prove_writable()  # while settles cannot be booked, no relay can renew its lease
            now = await self._ledger.clock()
            must_wait = self._must_wait(now)
            await self._ledger.cut_leases()
            return [] if must_wait else await self._ledger.reap(now)  # if suspended here, leases up to then only
        except Unavailable:
            self._last = None
            raise

    def _must_wait(self, database: float) -> bool:
        now = (*(clock() for clock in self._clocks), database)
        failures, failures_before = self._failures(), self._failures_seen
        gap = self._last is None or any(a - b > LONGEST_GAP_SECONDS for a, b in zip(now, self._last, strict=True))
        if gap or failures != failures_before:
            self._waits_until = now[0] + LEASE_SECONDS
        self._last, self._failures_seen = now, failures
        return now[0] < self._waits_until
