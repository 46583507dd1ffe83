"""When to end sessions whose lease ran out. A host that may itself be why they could not renew it waits first."""

from collections.abc import Callable
from typing import Final, Protocol

from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.entries import LEASE_SECONDS, Ended

REAP_EVERY: Final = 15.0
LONGEST_GAP: Final = 30.0


class Reapable(Protocol):
    async def clock(self) -> float: ...

    async def prove_writable(self) -> None: ...

    async def cut_leases(self) -> int: ...

    async def reap(self, by: float) -> list[Ended]: ...


class Reaper:
    """Rule 21 of money.md; `tick` is to be called every REAP_EVERY seconds by a task that notices its failure.

    `monotonic` does not count a suspended machine's sleep and `wall` may be set, so a gap by either one counts; so does
    one of the database's clock, which may be another machine's and is what leases go by. `failures` counts the settles
    and renewals of this process that failed: each new one counts as the database having been away.
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
        """The sessions it ended. Raises Unavailable while the database is away."""
        try:
            await self._ledger.prove_writable()  # no host may renew a lease while settles cannot be booked
            now = await self._ledger.clock()
            waits = self._waits(now)
            await self._ledger.cut_leases()
            return [] if waits else await self._ledger.reap(now)  # no later: whoever sleeps here meanwhile wakes late
        except Unavailable:
            self._last = None
            raise

    def _waits(self, database: float) -> bool:
        now = (*(clock() for clock in self._clocks), database)
        failures, failures_before = self._failures(), self._failures_seen
        gap = self._last is None or any(a - b > LONGEST_GAP for a, b in zip(now, self._last, strict=True))
        if gap or failures != failures_before:
            self._waits_until = now[0] + LEASE_SECONDS
        self._last, self._failures_seen = now, failures
        return now[0] < self._waits_until
