"""How many overlay pages of an account are open, over several workers on one PostgreSQL."""

import asyncio
from contextlib import AsyncExitStack
from uuid import UUID, uuid4

import pytest

from transcription_proxy.accounts import store
from transcription_proxy.db.pool import Database
from transcription_proxy.errors import Refusal
from transcription_proxy.overlay.keys import Keys
from transcription_proxy.overlay.seats import MAX_PAGES_PER_ACCOUNT, Seats


@pytest.fixture
async def user(database: Database) -> UUID:
    async with database.transaction() as connection:
        made = await store.register(connection, f"{uuid4()}@example.org", "")
    assert made
    await Keys(database, "https://captions.example", "none").url(made.id)
    return made.id


async def taken(stack: AsyncExitStack, seats: Seats, user: UUID) -> bool:
    try:
        await stack.enter_async_context(seats.seat(user))
    except Refusal as refusal:
        assert refusal.code == "too_many_watchers"
        assert refusal.retry_after
        return False
    return True


async def test_exactly_so_many_pages_open_however_many_workers_are_asked_at_once(
    database: Database, user: UUID
) -> None:
    workers = [Seats(database, uuid4()) for _ in range(3)]
    async with AsyncExitStack() as stack:
        results = await asyncio.gather(*(taken(stack, workers[n % 3], user) for n in range(40)))
        assert sum(results) == MAX_PAGES_PER_ACCOUNT
    async with AsyncExitStack() as stack:
        assert await taken(stack, workers[0], user)


async def test_pages_of_a_dead_worker_stop_counting(database: Database, user: UUID) -> None:
    dead, alive = uuid4(), Seats(database, uuid4())
    async with AsyncExitStack() as stack:
        for _ in range(MAX_PAGES_PER_ACCOUNT):
            assert await taken(stack, Seats(database, dead), user)
        assert not await taken(stack, alive, user)
        await alive.forget(dead)
        assert await taken(stack, alive, user)
