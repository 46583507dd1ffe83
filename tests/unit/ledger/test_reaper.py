"""The waiting rules, with plain numbers for all clocks."""

from uuid import UUID

import pytest

from transcription_proxy.errors import Unavailable
from transcription_proxy.ledger.entries import Ended
from transcription_proxy.ledger.reaper import Reaper

ONE = Ended(UUID(int=1), UUID(int=2), 3, 4)


class Host:
    """Two clocks and a ledger whose database has one of its own, and can be away."""

    def __init__(self) -> None:
        self.monotonic = 1000.0
        self.wall = 5e8
        self.database = 6e8
        self.away = False
        self.writable = True
        self.failures = 0
        self.cuts = 0
        self.reaper = Reaper(self, lambda: self.monotonic, lambda: self.wall, lambda: self.failures)

    async def prove_writable(self) -> None:
        if not self.writable:
            raise Unavailable("read-only")

    async def clock(self) -> float:
        if self.away:
            raise Unavailable("away")
        return self.database

    async def cut_leases(self) -> int:
        self.cuts += 1
        return 0

    async def reap(self, by: float) -> list[Ended]:
        assert by == self.database
        return [ONE]

    async def tick(self, after: float = 15.0, wall: float | None = None, database: float | None = None) -> bool:
        """Whether it reaps that long later."""
        self.monotonic += after
        self.wall += after if wall is None else wall
        self.database += after if database is None else database
        return await self.reaper.tick() == [ONE]

    async def ticks(self, count: int) -> list[bool]:
        return [await self.tick() for _ in range(count)]


@pytest.fixture
async def host() -> Host:
    """One that has waited its first lease."""
    host = Host()
    assert await host.ticks(5) == [False, False, False, False, True]
    return host


async def test_it_waits_one_lease_when_it_starts_and_cuts_leases_meanwhile(host: Host) -> None:
    assert host.cuts == 5
    assert await host.ticks(3) == [True, True, True]


async def test_a_gap_of_thirty_seconds_is_none(host: Host) -> None:
    assert await host.tick(30.0)


async def test_a_longer_gap_by_the_monotonic_clock_waits_again(host: Host) -> None:
    assert not await host.tick(31.0, wall=1.0)
    assert await host.ticks(4) == [False, False, False, True]


async def test_a_longer_gap_by_the_wall_clock_waits_again(host: Host) -> None:
    assert not await host.tick(1.0, wall=31.0)
    assert await host.ticks(4) == [False, False, False, True]


async def test_a_longer_gap_by_the_database_s_clock_waits_again(host: Host) -> None:
    assert not await host.tick(1.0, database=31.0)
    assert await host.ticks(4) == [False, False, False, True]


async def test_a_clock_that_is_set_back_is_no_gap(host: Host) -> None:
    assert await host.tick(15.0, wall=-3600.0)
    assert await host.tick(15.0, database=-3600.0)


async def test_a_database_that_is_back_gets_one_lease(host: Host) -> None:
    host.away = True
    for _ in range(2):
        with pytest.raises(Unavailable):
            await host.tick()
    host.away = False
    assert await host.ticks(5) == [False, False, False, False, True]


async def test_a_database_that_went_away_while_it_waits_is_noticed() -> None:
    host = Host()
    await host.ticks(3)
    host.away = True
    with pytest.raises(Unavailable):
        await host.tick()
    host.away = False
    assert await host.ticks(5) == [False, False, False, False, True]


async def test_a_database_that_only_answers_counts_as_away(host: Host) -> None:
    host.writable = False
    with pytest.raises(Unavailable):
        await host.tick()
    host.writable = True
    assert await host.ticks(5) == [False, False, False, False, True]


async def test_a_settle_that_failed_counts_as_the_database_having_been_away(host: Host) -> None:
    host.failures = 1
    assert await host.ticks(4) == [False, False, False, False]
    host.failures = 3
    assert await host.ticks(6) == [False, False, False, False, True, True]
