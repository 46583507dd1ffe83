"""The database's clock jumps an hour forward and back: no live session ends, and no dead one keeps its hold."""

from collections.abc import AsyncIterator
from uuid import UUID

import pytest

from tests.integration.ledger.harness import LedgerHarness
from tests.standin import clock
from transcription_proxy.db.pool import Database
from transcription_proxy.ledger.entries import LEASE_SECONDS, Balance
from transcription_proxy.ledger.reaper import REAP_EVERY_SECONDS, Reaper

HOUR = 3600.0


class Host:
    """A service whose database is on another machine. The database's clock jumps."""

    def __init__(self, harness: LedgerHarness, url: str) -> None:
        self._harness, self._url = harness, url
        self._seconds = self._ahead = 0.0
        self._number = 1
        self._reaper = Reaper(harness.ledger, lambda: self._seconds, lambda: self._seconds)

    def jump(self, seconds: float) -> None:
        self._ahead += seconds
        clock.set_ahead(self._url, self._ahead)

    async def reaps(self, *alive: UUID) -> set[UUID]:
        """Let REAP_EVERY_SECONDS pass while live sessions settle. Return the sessions that the reaper ends then."""
        self._seconds += REAP_EVERY_SECONDS
        self.jump(REAP_EVERY_SECONDS)
        self._number += 1
        for session in alive:
            assert not (await self._harness.settle(session, self._number, self._number)).gone
        return {ended.session_id for ended in await self._reaper.tick()}

    async def reaps_in(self, seconds: float, *alive: UUID) -> set[UUID]:
        ended = set[UUID]()
        for _ in range(int(seconds / REAP_EVERY_SECONDS)):
            ended |= await self.reaps(*alive)
        return ended


@pytest.fixture
async def harness(database_url: str) -> AsyncIterator[LedgerHarness]:
    clock.install(database_url)
    database = Database(database_url)
    await database.open()
    harness = LedgerHarness(database)
    yield harness
    assert await harness.ledger.audit() == []
    await database.close()


@pytest.fixture
def host(harness: LedgerHarness, database_url: str) -> Host:
    return Host(harness, database_url)


async def test_a_clock_that_jumps_forward_ends_no_live_session(harness: LedgerHarness, host: Host) -> None:
    """This includes a session that has not settled by the new clock yet."""
    user = await harness.user(1000)
    alive, dead = await harness.open(user), await harness.open(user)
    assert await host.reaps_in(LEASE_SECONDS + REAP_EVERY_SECONDS, alive, dead) == set()
    host.jump(HOUR)
    assert await host.reaps() == set()
    assert await host.reaps_in(LEASE_SECONDS, alive) == {dead}
    assert await harness.row(alive, "status") == ("active",)
    assert (await harness.ledger.balance(user)).seconds_held == 45


async def test_a_clock_that_jumps_back_ends_dead_sessions_only(harness: LedgerHarness, host: Host) -> None:
    user = await harness.user(1000)
    host.jump(HOUR)
    alive, dead = await harness.open(user), await harness.open(user)
    assert await host.reaps_in(LEASE_SECONDS + REAP_EVERY_SECONDS, alive, dead) == set()
    host.jump(-HOUR)
    assert await host.reaps(alive) == set()
    assert await harness.row(dead, "lease_until <= clock_timestamp() + interval '60 s'") == (True,)
    assert await host.reaps_in(LEASE_SECONDS + REAP_EVERY_SECONDS, alive) == {dead}
    assert await harness.row(alive, "status") == ("active",)


async def test_a_clock_that_jumps_just_before_reaping_ends_no_session(harness: LedgerHarness, host: Host) -> None:
    user = await harness.user(1000)
    session = await harness.open(user)
    now = await harness.ledger.clock()
    host.jump(HOUR)
    assert await harness.ledger.reap(now) == []
    assert await harness.ledger.balance(user) == Balance(1000, 45, 0)
    assert await harness.row(session, "status") == ("active",)
    host.jump(-HOUR)
