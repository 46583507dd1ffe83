"""Limits that several processes share, on a real PostgreSQL."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from tests.integration.round_trips import round_trips
from transcription_proxy.db.pool import Database
from transcription_proxy.db.rate_limits import RateLimits
from transcription_proxy.errors import Refusal


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
async def workers(database_url: str, clock: Clock) -> AsyncIterator[list[RateLimits]]:
    """The limits of three processes."""
    async with AsyncExitStack() as stack:
        limits = []
        for _ in range(3):
            database = Database(database_url)
            await database.open()
            stack.push_async_callback(database.close)
            limits.append(RateLimits(database, clock))
        yield limits


async def sql(database: Database, statement: str) -> list[tuple[object, ...]]:
    async with database.transaction() as connection:
        cursor = await connection.execute(statement)
        return await cursor.fetchall() if cursor.description else []


async def age(database: Database, seconds: float) -> None:
    """Make every counted request that much older."""
    await sql(
        database,
        f"UPDATE rate_limits SET admitted = ARRAY(SELECT at - interval '{seconds} s' FROM unnest(admitted) AS at), "
        f"expires_at = expires_at - interval '{seconds} s'",
    )


async def refusals(limits: list[RateLimits], requests: int, limit: int, who: str = "ann") -> list[int]:
    """Send requests to all processes at once. Return the seconds to wait of each refusal."""
    each = [limits[number % len(limits)].check("log in", who, limit) for number in range(requests)]
    results = await asyncio.gather(*each, return_exceptions=True)
    refused = [result for result in results if result is not None]
    assert all(isinstance(one, Refusal) and one.code == "rate_limited" for one in refused)
    return [one.retry_after or 0 for one in refused if isinstance(one, Refusal)]


async def test_exactly_so_many_pass_however_many_processes_are_asked_at_once(workers: list[RateLimits]) -> None:
    waits = await refusals(workers, 80, 10)
    assert len(waits) == 70
    assert {59, 60} >= set(waits)


async def test_the_window_moves(workers: list[RateLimits], database: Database, clock: Clock) -> None:
    assert await refusals(workers[:1], 2, 2) == []
    await age(database, 40)
    assert await refusals(workers[1:2], 1, 2) == [20]
    clock.now += 19.9
    assert await refusals(workers[1:2], 1, 2) == [1]  # remembered: the database was not asked
    clock.now += 0.2
    await age(database, 20)
    assert await refusals(workers, 6, 2) != []
    assert len(await sql(database, "SELECT unnest(admitted) FROM rate_limits")) == 2


async def test_who_is_refused_costs_no_further_round_trip(workers: list[RateLimits]) -> None:
    await refusals(workers[:1], 2, 1)
    with round_trips() as made:
        assert len(await refusals(workers[:1], 50, 1)) == 50
    assert made == []


async def test_clients_and_what_they_do_are_counted_apart(workers: list[RateLimits]) -> None:
    limits = workers[0]
    await limits.check("log in", "ann", 1)
    await limits.check("log in", "bob", 1)
    await limits.check("buy", "ann", 1)
    with pytest.raises(Refusal):
        await limits.check("buy", "ann", 1)


async def test_old_counts_are_deleted(workers: list[RateLimits], database: Database) -> None:
    await workers[0].check("log in", "ann", 1)
    await age(database, 61)
    await workers[0].check("log in", "bob", 1)
    await workers[0].prune()
    assert await sql(database, "SELECT count(*) FROM rate_limits") == [(1,)]
