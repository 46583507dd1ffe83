"""Workers that tell each other captions by a real PostgreSQL's NOTIFY."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from transcription_proxy.accounts import store
from transcription_proxy.db.listen import listen
from transcription_proxy.db.notify import Notifier
from transcription_proxy.db.pool import Database
from transcription_proxy.overlay.feeds import NEWS, Stages, Watcher
from transcription_proxy.overlay.keys import Overlays
from transcription_proxy.overlay.messages import LONGEST, Clear, Line, Shown

PATIENCE = 20.0
WORD = "xylophone"


@dataclass
class Worker:
    stages: Stages
    overlays: Overlays

    @classmethod
    @asynccontextmanager
    async def at(cls, url: str) -> "AsyncIterator[Worker]":
        database = Database(url)
        await database.open()
        overlays = Overlays(database, "https://captions.example", NEWS)
        stages = Stages(uuid4(), Notifier(database), overlays)
        handlers = {NEWS: stages.heard_news, stages.channel: stages.heard}
        work = (listen(url, handlers, stages.listening), stages.announce(), stages.pass_on())
        tasks = [asyncio.create_task(each) for each in work]
        yield cls(stages, overlays)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await database.close()


@pytest.fixture
async def workers(database_url: str) -> AsyncIterator[tuple[Worker, Worker, Worker]]:
    async with AsyncExitStack() as stack:
        here, there, third = [await stack.enter_async_context(Worker.at(database_url)) for _ in range(3)]
        yield here, there, third


@pytest.fixture
async def user(database: Database) -> UUID:
    async with database.transaction() as connection:
        made = await store.register(connection, f"{uuid4()}@example.org", "")
    assert made
    return made.id


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(PATIENCE):
        while not condition():
            await asyncio.sleep(0.005)


async def taken(watcher: Watcher, last: Shown) -> list[Shown]:
    """All that it is shown, up to the last."""
    told: list[Shown] = []
    async with asyncio.timeout(PATIENCE):
        while not told or told[-1] != last:
            told += await watcher.next()
            assert not watcher.ended
    return told


async def key_of(worker: Worker, user: UUID) -> int:
    """Its version, once it has one."""
    _, _, key = (await worker.overlays.address(user)).partition("#")
    return (await worker.overlays.by_key(key)).version


async def test_many_long_lines_arrive_at_all_workers_in_order(workers: tuple[Worker, ...], user: UUID) -> None:
    here, *others = workers
    watchers = [each.stages.watch(user, await key_of(each, user)) for each in others]
    stage = here.stages.feed(user)
    await until(lambda: stage.count == len(others))
    told: list[Shown] = [Line("s", float(n), f"{n} " + "\x01" * (LONGEST - 4), True) for n in range(60)]
    for number, each in enumerate([*told, Clear("s")]):
        stage.show(each)
        if number % 7 == 0:
            await asyncio.sleep(0.001)
    for watcher in watchers:
        assert await taken(watcher, Clear("s")) == [*told, Clear("s")]


async def test_a_lost_database_is_found_again_by_both_sides(
    workers: tuple[Worker, ...], user: UUID, database_url: str
) -> None:
    here, there, third = workers
    near, far = [each.stages.watch(user, await key_of(each, user)) for each in (here, there)]
    stage = here.stages.feed(user)
    await until(lambda: stage.count == 2)
    cut_off(database_url)
    stage.show(Line("s", 0, "in between", True))
    assert await near.next() == [Line("s", 0, "in between", True)]
    shown: list[Shown] = []
    reading = asyncio.create_task(collect(far, shown))
    number = 0
    while Line("s", float(number), "again", True) not in shown:
        number += 1
        assert number < 400
        stage.show(Line("s", float(number), "again", True))
        await asyncio.sleep(0.05)
    reading.cancel()
    assert not far.ended
    assert not third.stages.feed(uuid4()).is_watched


async def collect(watcher: Watcher, shown: list[Shown]) -> None:
    while told := await watcher.next():
        shown += told


def cut_off(database_url: str) -> None:
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


async def test_a_renewal_is_heard_everywhere_at_once(workers: tuple[Worker, ...], user: UUID) -> None:
    version = await key_of(workers[0], user)
    watchers = [each.stages.watch(user, version) for each in workers]
    await until(lambda: all(each.stages.feed(user).count == 3 for each in workers))
    await workers[2].overlays.renew(user)
    for watcher in watchers:
        async with asyncio.timeout(2):
            assert await watcher.next() == []
        assert watcher.gone


async def test_no_word_is_in_any_table(workers: tuple[Worker, ...], user: UUID, database_url: str) -> None:
    here, there, _ = workers
    watcher = there.stages.watch(user, await key_of(there, user))
    stage = here.stages.feed(user)
    await until(lambda: stage.is_watched)
    stage.show(Line("s", 0, WORD, True))
    stage.show(Clear("s"))
    await taken(watcher, Clear("s"))
    with psycopg.connect(database_url) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        assert len(tables) > 5
        for (table,) in tables:
            query = sql.SQL("SELECT t::text FROM {} t").format(sql.Identifier(table))
            assert WORD not in repr(connection.execute(query).fetchall())
